"""GET /v1/stats: counts are those of the log, percentiles are near, and everybody sees what is his."""
import datetime
import urllib.parse

import pytest

from harness.expect import deliveries, eventually, problem
from harness.receiver import Receiver, Reply


def total(stats):
    """(attempts, succeeded, failed by outcome) over all rows."""
    failed = {}
    for row in stats["data"]:
        for outcome, count in row["failed"].items():
            failed[outcome] = failed.get(outcome, 0) + count
        assert row["attempts"] == row["succeeded"] + sum(row["failed"].values())
    return sum(row["attempts"] for row in stats["data"]), sum(row["succeeded"] for row in stats["data"]), failed


@pytest.fixture(scope="module")
def filled(shared):
    slow = iter(range(10 ** 9))
    hook = Receiver(answer=lambda request: 503 if request.target == "/down" else Reply(200, delay_s=(next(slow) % 20) / 100))
    api = shared.api
    api.put("/v1/tenants/acme", {"name": "Acme"}).expect(201)
    api.put("/v1/tenants/globex", {"name": "Globex"}).expect(201)
    acme, globex = api.as_tenant("acme"), api.as_tenant("globex")
    good = acme.post("/v1/webhooks", {"url": hook.url("/good"), "events": ["a.b"], "max_in_flight": 100}).expect(201).json["id"]
    down = acme.post("/v1/webhooks", {"url": hook.url("/down"), "events": ["a.down"]}).expect(201).json["id"]
    other = globex.post("/v1/webhooks", {"url": hook.url("/good"), "events": ["a.b"]}).expect(201).json["id"]
    acme.post("/v1/events/batch", [{"type": "a.b", "data": n} for n in range(200)]).expect(202)
    acme.post("/v1/events", {"type": "a.down", "data": 1}).expect(202)
    globex.post("/v1/events", {"type": "a.b", "data": 1}).expect(202)
    acme.post(f"/v1/webhooks/{good}/test", {}).expect(202)  # not counted
    eventually(lambda: len(deliveries(acme, endpoint=good, status="delivered")) == 200 and deliveries(acme, endpoint=down, status="retrying")
               and deliveries(globex, status="delivered"), 60)
    yield {"api": api, "acme": acme, "globex": globex, "good": good, "down": down, "other": other}
    hook.close()


def counted(api, **filters):
    """The same out of the log of attempts."""
    query = "".join(f"&{name}={value}" for name, value in filters.items())
    return api.pages(f"/v1/attempts?x=1{query}".replace("x=1&", "").replace("?x=1", ""))


def test_counts_are_those_of_the_log(filled):
    acme = filled["acme"]
    for api, query, filters in ((acme, "", {}), (acme, f"?endpoint={filled['good']}", {"endpoint": filled["good"]}), (acme, f"?endpoint={filled['down']}", {"endpoint": filled["down"]}),
                                (filled["globex"], "", {})):
        rows = counted(api, **filters)
        attempts, succeeded, failed = total(api.get("/v1/stats" + query).expect(200).json)
        assert attempts == len(rows) > 0
        assert succeeded == sum(row["outcome"] == "success" for row in rows)
        assert failed.get("failed_status", 0) == sum(row["outcome"] == "failed_status" for row in rows)


def test_who_sees_what(filled):
    api = filled["api"]
    stats = api.get("/v1/stats").expect(200).json
    assert stats["complete_from"] == stats["since"]
    month = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    long = api.get(f"/v1/stats?since={month}").json
    assert long["step"] == "1d" and long["complete_from"] == long["since"] and total(long) == total(stats)
    everything = total(stats)[0]
    assert everything == sum(total(filled[name].get("/v1/stats").json)[0] for name in ("acme", "globex"))
    assert total(api.get("/v1/stats?tenant=globex").json)[0] == total(filled["globex"].get("/v1/stats").json)[0]
    assert total(api.get(f"/v1/stats?endpoint={filled['other']}").json)[0] == total(filled["globex"].get("/v1/stats").json)[0]
    key = api.with_key(api.post("/v1/tenants/globex/keys", {"scopes": ["webhooks:read"]}).expect(201).json["key"])
    assert total(key.get("/v1/stats").json) == total(filled["globex"].get("/v1/stats").json)
    for path in (f"/v1/stats?endpoint={filled['good']}", "/v1/stats?tenant=acme", "/v1/stats?endpoint=we_nothing"):
        problem(key.get(path), 404)


def test_percentiles_are_at_most_five_percent_off(filled):
    since = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    stats = filled["acme"].get(f"/v1/stats?endpoint={filled['good']}&step=1d&since={since}").expect(200).json
    if len(stats["data"]) > 1:
        pytest.skip("midnight was among them")
    (row,) = stats["data"]
    took = sorted(one["duration_ms"] for one in counted(filled["acme"], endpoint=filled["good"]))
    assert row["attempts"] == len(took) == 200
    for name, part in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
        exact = took[-(-int(len(took) * part * 100) // 100) - 1]
        assert abs(row[name] - exact) <= 0.051 * exact, (name, row[name], exact)


def test_times_and_steps(filled):
    acme = filled["acme"]
    whole = acme.get("/v1/stats").expect(200).json
    assert whole["step"] == "1m" and whole["complete_from"] == whole["since"] and whole["since"].endswith(":00.000Z")
    assert acme.get("/v1/stats?step=1h").json["since"].endswith(":00:00.000Z")
    assert acme.get("/v1/stats?since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z").json["data"] == []
    assert acme.get("/v1/stats?since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z").json["step"] == "1d"
    for step, days, longer in (("1m", 3, "1h"), ("1h", 32, "1d")):
        since, until = ((datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days, hours=-h)).strftime("%Y-%m-%dT%H:%M:%SZ") for h in (0, 2))
        assert f"take {longer}" in problem(acme.get(f"/v1/stats?since={since}&until={until}&step={step}"), 400)["detail"]
        assert acme.get(f"/v1/stats?since={since}&until={until}").expect(200).json["step"] == longer
    first = whole["data"][0]["t"]
    assert total(acme.get(f"/v1/stats?until={first}&since=2026-01-01T00:00:00Z&step=1d").json)[0] == 0
    for wrong in ("step=2m", "step=1m&since=2020-01-01T00:00:00Z", "since=2100-01-01T00:00:00Z", "since=yesterday", "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z"):
        problem(acme.get("/v1/stats?" + wrong), 400)


def test_sparks_are_the_counts_of_each_endpoint(filled):
    api = filled["api"]
    names = [filled[name] for name in ("good", "down", "other")]
    for _ in range(20):  # the one that is down is tried again meanwhile
        before = [total(api.get(f"/v1/stats?endpoint={name}&step=1d").json) for name in names]
        sparks = api.get("/v1/stats/sparks?endpoints=" + ",".join(reversed(names)) + ",we_nothing," + names[0]).expect(200).json
        if before == [total(api.get(f"/v1/stats?endpoint={name}&step=1d").json) for name in names]:
            break
    found = {row["endpoint"]: row for row in sparks["data"]}
    assert len(sparks["data"]) == 3 and set(found) == set(names)
    assert sparks["step_seconds"] == 300 and sparks["complete_from"] == sparks["since"] and sparks["since"][14:16] in [f"{m:02}" for m in range(0, 60, 5)]
    for name, (attempts, succeeded, _) in zip(names, before):
        assert len(found[name]["succeeded"]) == len(found[name]["failed"]) == 24
        assert sum(found[name]["succeeded"]) == succeeded and sum(found[name]["failed"]) == attempts - succeeded
    assert sum(found[filled["good"]]["succeeded"]) == 200 and sum(found[filled["down"]]["failed"]) >= 1


def test_sparks_show_nobody_elses(filled):
    api = filled["api"]
    key = api.with_key(api.post("/v1/tenants/globex/keys", {"scopes": ["webhooks:read"]}).expect(201).json["key"])
    asked = "/v1/stats/sparks?endpoints=" + ",".join(filled[name] for name in ("good", "down", "other"))
    for one in (key, filled["globex"]):
        assert [row["endpoint"] for row in one.get(asked).expect(200).json["data"]] == [filled["other"]]
    for wrong in ("", "?endpoints=", "?endpoints=" + ",".join(["we_x"] * 101)):
        problem(api.get("/v1/stats/sparks" + wrong), 400)


# ---- what waited ----


def backlog(api, **filters):
    rows = api.get("/v1/stats?" + urllib.parse.urlencode(filters)).expect(200).json["backlog"]
    return [(row["last"], row["most"]) for row in rows]


def test_the_backlog_is_noted_of_all_and_of_tenants(server, receiver):
    """A server notes it when it starts, and at the end of each minute."""
    made = server()
    api = made.api
    api.put("/v1/tenants/other", {}).expect(201)
    api.put("/v1/tenants/idle", {}).expect(201)
    for tenant, n in (("default", 7), ("other", 4)):
        own = api.as_tenant(tenant)
        own.post("/v1/webhooks", {"url": receiver().url("/"), "active": False}).expect(201)
        own.post("/v1/webhooks", {"url": receiver().url("/"), "active": False, "events": ["b.*"]}).expect(201)
        own.post("/v1/events/batch", [{"type": "a.x", "data": {}}] * (n - 2) + [{"type": "b.x", "data": {}}]).expect(202)
    eventually(lambda: backlog(api)[-1:] == [(0, 0)], 90)
    made.kill()
    made.start()
    eventually(lambda: backlog(made.api)[-1:] == [(11, 11)], 90)
    api = made.api
    assert [backlog(api, tenant=t)[-1] for t in ("default", "other", "idle")] == [(7, 7), (4, 4), (0, 0)]
    assert "backlog" not in api.get(f"/v1/stats?endpoint={api.get('/v1/webhooks').json['data'][0]['id']}").expect(200).json
    for step in ("1h", "1d"):
        assert backlog(api, step=step)[-1] == (11, 11), step
    # a later count is the last one, and the largest stays
    hook = api.as_tenant("other").get("/v1/webhooks").json["data"]
    for one in hook:
        api.as_tenant("other").delete(f"/v1/webhooks/{one['id']}").expect(200, 204)
    eventually(lambda: not deliveries(api.as_tenant("other"), status="held"), 30)
    made.kill()
    made.start()
    eventually(lambda: backlog(made.api, step="1d")[-1:] == [(7, 11)], 90)
    assert backlog(made.api, tenant="other", step="1d")[-1] == (0, 4)
    assert backlog(made.api, tenant="other")[-1][0] == 0
