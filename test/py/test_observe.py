"""What an operator sees: metrics, the log of deliveries, and the alert rules and pages that name them."""
import datetime
import json
import re
import sqlite3
import time

from harness.expect import eventually, problem, settled
from harness.faults import Dns
from harness.metrics import metrics
from harness.receiver import Reply
from harness.server import ROOT


def register(api, target, **more):
    return api.post("/v1/webhooks", {"url": target.url(), **more}).expect(201).json


def lines(running, msg):
    """The log lines with this message, as objects."""
    found = [json.loads(line) for line in running.text().splitlines() if line.startswith("{")]
    return [line for line in found if line["msg"] == msg]


def grows(api, before, wanted):
    """Waits until these metrics have grown by these amounts; all others of their families are as before."""
    families = {name.split("{")[0] for name in wanted}

    def look():
        after, _ = metrics(api)
        got = {name: after[name] - before[name] for name in after
               if name.split("{")[0] in families and after[name] != before[name]}
        return got if got == wanted else None
    return eventually(look, 5, f"counters {wanted}")


def test_metrics_are_prometheus_text(server, receiver):
    running = server()
    values, types = metrics(running.api)
    assert {"counter", "gauge", "histogram"} == set(types.values())
    for family, kind in types.items():
        if kind != "histogram":
            continue
        buckets = [(key, value) for key, value in values.items() if key.startswith(family + "_bucket")]
        bounds = [float(re.search(r'le="([^"]+)"', key)[1]) for key, _ in buckets]
        assert bounds == sorted(bounds) and bounds[-1] == float("inf"), family
        counts = [value for _, value in buckets]
        assert counts == sorted(counts) and counts[-1] == values[family + "_count"], family


def test_counters_grow_as_they_should(server, receiver):
    running = server()
    api = running.api
    good, bad = receiver(), receiver(answer=lambda _: 410)
    register(api, good, events=["good"])
    register(api, bad, events=["bad"])
    before, _ = metrics(api)
    for _ in range(3):
        api.post("/v1/events", {"type": "good", "data": {}}).expect(202)
    api.post("/v1/events", {"type": "bad", "data": {}}).expect(202)
    api.post("/v1/events", {"type": "bad type", "data": {}}).expect(422)
    settled(api, 3)
    settled(api, 1, status="failed")
    grows(api, before, {"tenterhook_events_accepted_total": 4, "tenterhook_events_refused_total": 1,
                        "tenterhook_deliveries_created_total": 4, "tenterhook_deliveries_delivered_total": 3,
                        'tenterhook_deliveries_failed_total{reason="final_status"}': 1,
                        'tenterhook_attempts_total{outcome="success"}': 3,
                        'tenterhook_attempts_total{outcome="failed_status"}': 1,
                        "tenterhook_endpoints_disabled_total": 1})
    after, _ = metrics(api)
    assert after["tenterhook_store_ready"] == 1 and after["tenterhook_requests_in_flight"] == 0
    assert after["tenterhook_attempt_duration_seconds_count"] - before["tenterhook_attempt_duration_seconds_count"] == 4
    assert after['tenterhook_http_requests_total{code="4xx"}'] - before['tenterhook_http_requests_total{code="4xx"}'] == 1


def test_every_outcome_has_its_counter(server, receiver, tls_receiver):
    """The label is what the API calls the outcome."""
    closed = receiver()
    closed.close()
    urls = ["http://gone.example.com/", closed.url(), receiver(answer=lambda _: 500).url(),
            tls_receiver().url(), receiver(answer=lambda _: Reply(raw=b"nonsense\r\n\r\n")).url(),
            receiver(answer=lambda _: Reply(drop=True)).url()]
    with Dns({"gone.example.com": ["NXDOMAIN"]}) as dns:
        running = server(flags=["--dns-servers", dns.address])
        running.api.put("/v1/tenants/once", {"name": "no retries", "dialect": "github"}).expect(201)
        once = running.api.as_tenant("once")
        for number, url in enumerate(urls):
            once.post("/v1/webhooks", {"url": url, "events": [f"e.{number}"]}).expect(201)
            once.post("/v1/events", {"type": f"e.{number}", "data": {}}).expect(202)
        outcomes = [row["last_attempt"]["outcome"] for row in settled(once, len(urls), status="failed")]
    assert sorted(outcomes) == ["connect_error", "connection_reset", "dns_error", "failed_status", "protocol_error", "tls_error"]
    after, _ = metrics(running.api)
    for outcome in outcomes:
        assert after[f'tenterhook_attempts_total{{outcome="{outcome}"}}'] == 1, outcome
    assert after['tenterhook_deliveries_failed_total{reason="exhausted"}'] == len(urls)


def test_the_backlog_is_that_of_the_store(server, receiver):
    """What waits is counted also where memory does not keep it, and after a restart."""
    running = server(flags=["--max-pending", "1000"])
    endpoint = register(running.api, receiver(answer=lambda _: 500))
    running.api.patch(f"/v1/webhooks/{endpoint['id']}", {"active": False}).expect(200)
    for _ in range(2):
        running.api.post("/v1/events/batch", [{"type": "a.b", "data": {}}] * 1000).expect(202)

    def shown():
        values, _ = metrics(running.api)
        return values["tenterhook_deliveries_pending"], values["tenterhook_deliveries_in_memory"]
    pending, in_memory = shown()
    assert pending == 2000 and in_memory <= 1000
    running.stop()
    running.start()
    assert shown()[0] == 2000
    running.api.delete(f"/v1/webhooks/{endpoint['id']}").expect(204)
    eventually(lambda: shown()[0] == 0, 10, "an empty backlog")
    row = running.api.get("/v1/deliveries?limit=1").expect(200).json["data"][0]
    assert row["status"] == "cancelled"


def test_endpoints_are_counted_by_state(server, receiver):
    running = server()
    api = running.api
    gone, fine = register(api, receiver(answer=lambda _: 410), events=["x"]), register(api, receiver(), events=["y"])
    states = ("active", "paused", "disabled")

    def counts():
        values, _ = metrics(api)
        return tuple(values[f'tenterhook_endpoints{{state="{state}"}}'] for state in states)
    assert counts() == (2, 0, 0)
    api.patch(f"/v1/webhooks/{fine['id']}", {"active": False}).expect(200)
    assert counts() == (1, 1, 0)
    api.post("/v1/events", {"type": "x", "data": {}}).expect(202)
    eventually(lambda: counts() == (0, 1, 1), 5, "a disabled endpoint")
    running.stop()
    running.start()
    api = running.api
    assert counts() == (0, 1, 1)
    api.patch(f"/v1/webhooks/{gone['id']}", {"active": True}).expect(200)
    assert counts() == (1, 1, 0)
    api.delete(f"/v1/webhooks/{fine['id']}").expect(204)
    assert counts() == (1, 0, 0)


def test_what_waits_though_it_could_go_is_overdue(server, receiver):
    """A rate limit makes deliveries wait: the oldest due one tells for how long. Held ones and dead endpoints do not count."""
    running = server()
    api = running.api
    register(api, receiver(), events=["slow"], rate_limit_per_second=1)
    held = register(api, receiver(), events=["held"])
    api.patch(f"/v1/webhooks/{held['id']}", {"active": False}).expect(200)
    api.post("/v1/events", {"type": "held", "data": {}}).expect(202)
    api.post("/v1/events/batch", [{"type": "slow", "data": {}}] * 4).expect(202)

    def overdue():
        return metrics(api)[0]["tenterhook_deliveries_oldest_due_seconds"]
    eventually(lambda: overdue() >= 1, 5, "an overdue delivery")
    settled(api, 4)
    assert overdue() == 0


def test_the_process_and_its_disk_are_measured(server):
    running = server()
    values, _ = metrics(running.api)
    on_disk = sum((running.data / name).stat().st_size for name in ("tenterhook.db", "tenterhook.db-wal"))
    assert values["tenterhook_store_bytes"] == on_disk
    assert values["tenterhook_store_free_bytes"] > 0 and values["process_resident_memory_bytes"] > 1 << 20
    assert values["process_start_time_seconds"] > 1.7e9 and values["tenterhook_tls_certificate_expiry_timestamp_seconds"] == 0
    version = api_version(running.api)
    assert values[f'tenterhook_build_info{{version="{version}"}}'] == 1


def api_version(api):
    return api.get("/openapi.json").expect(200).json["info"]["version"]


# ---- how endpoints do ----

def health(api, query=""):
    return api.get("/v1/endpoint-health" + query).expect(200).json["data"]


def test_health_counts_exactly_and_says_what_came_last(server, receiver):
    """pending, retrying and held, more of them than memory holds, through retries, a pause, a restart and a kill; the last attempt
    with its reason; held deliveries have no next attempt."""
    at = server()
    api, target = at.api, receiver(answer=lambda _: 503)
    made = api.post("/v1/webhooks", {"url": target.url(), "active": False}).expect(201).json

    def row():
        return health(at.api)[0]

    def counts():
        return {name: row()[name] for name in ("pending", "retrying", "held", "waiting")}

    assert row()["last_attempt"] is None and counts() == {"pending": 0, "retrying": 0, "held": 0, "waiting": 0}
    for _ in range(3):
        api.post("/v1/events/batch", [{"type": "a.b", "data": {}}] * 1000).expect(202)
    assert counts() == {"pending": 0, "retrying": 0, "held": 3000, "waiting": 3000}
    assert {d["next_attempt_at"] for d in api.get("/v1/deliveries?status=held&limit=9").json["data"]} == {None}
    one = api.get("/v1/deliveries?limit=1").json["data"][0]["id"]
    api.post(f"/v1/deliveries/{one}/retry").expect(202)
    eventually(lambda: row()["last_attempt"])
    assert (row()["last_attempt"]["outcome"], row()["last_attempt"]["status"]) == ("failed_status", 503)
    assert counts()["held"] == 3000
    with sqlite3.connect(at.data / "tenterhook.db") as db:
        again = db.execute("select count(*) from queue where attempts > 0").fetchone()[0]
    assert again == 1
    api.patch(f"/v1/webhooks/{made['id']}", {"max_in_flight": 1, "rate_limit_per_second": 0.1}).expect(200)
    for stop in (at.stop, at.kill):
        stop()
        at.start()
        assert counts()["held"] == 3000 and row()["last_attempt"]["status"] == 503  # read from the store
    at.api.patch(f"/v1/webhooks/{made['id']}", {"active": True}).expect(200)
    eventually(lambda: len(target.requests) >= 2)
    time.sleep(0.3)
    now = counts()
    assert now["held"] == 0 and now["pending"] + now["retrying"] == 3000 == now["waiting"] and now["retrying"] >= 1
    at.api.delete(f"/v1/webhooks/{made['id']}").expect(204)
    assert health(at.api) == []


def test_the_health_of_endpoints_over_all_tenants(server, receiver):
    running = server()
    api = running.api
    api.put("/v1/tenants/acme", {"name": "Acme", "dialect": "standard"}).expect(201)
    acme = api.as_tenant("acme")
    failing = register(acme, receiver(answer=lambda _: 500), events=["x"])
    fine, off = register(api, receiver(), events=["x"]), register(api, receiver(answer=lambda _: 410), events=["y"])
    paused = register(api, receiver(), events=["z"], active=False)
    for tenant, kind in ((acme, "x"), (api, "x"), (api, "y"), (api, "z")):
        tenant.post("/v1/events", {"type": kind, "data": {}}).expect(202)
    wanted = [(paused["id"], "paused"), (off["id"], "disabled"), (fine["id"], "active"), (failing["id"], "failing")]
    eventually(lambda: [(row["endpoint"], row["state"]) for row in health(api)] == wanted, 5, f"health {wanted}")
    rows = {row["endpoint"]: row for row in health(api)}
    assert rows[failing["id"]]["tenant"] == "acme" and rows[failing["id"]]["failing_since"] and rows[failing["id"]]["waiting"] == 1
    assert rows[failing["id"]]["last_success_at"] is None and rows[failing["id"]]["url"] == failing["url"]
    assert rows[fine["id"]]["last_success_at"] and rows[fine["id"]]["failing_since"] is None and not rows[fine["id"]]["breaker_open"]
    assert rows[off["id"]]["disabled"]["reason"] == "gone" and rows[paused["id"]]["waiting"] == 1
    assert [row["endpoint"] for row in health(api, "?state=failing")] == [failing["id"]]
    assert [row["endpoint"] for row in health(api, "?tenant=acme")] == [failing["id"]]
    assert health(api, "?tenant=acme&state=paused") == []
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/v1/endpoint-health?limit=1{cursor and '&cursor=' + cursor}").expect(200).json
        seen += [row["endpoint"] for row in page["data"]]
        cursor = page["next_cursor"]
    assert seen == [endpoint for endpoint, _ in wanted]
    assert "state: must be" in problem(api.get("/v1/endpoint-health?state=broken"), 400)["detail"]
    problem(api.get("/v1/endpoint-health?tenant=nobody"), 404)
    key = api.post("/v1/tenants/acme/keys", {"scopes": ["webhooks:manage"]}).expect(201).json["key"]
    assert {row["tenant"] for row in health(api.with_key(key))} == {"acme"}
    problem(api.with_key(key).get("/v1/endpoint-health?tenant=default"), 404)


# ---- the log ----

def test_an_endpoint_that_asks_for_rest_is_left_alone(server, receiver):
    """429 with Retry-After: nothing else goes there, through a kill too; its health says until when."""
    running = server()
    api = running.api
    target = receiver().script(Reply(429, [("Retry-After", "90")]), Reply(200))
    endpoint = register(api, target)
    api.post("/v1/events", {"type": "x", "data": {}}).expect(202)
    first = settled(api, 1, status="retrying")[0]
    for _ in range(20):
        api.post("/v1/events", {"type": "x", "data": {}}).expect(202)
    rests = eventually(lambda: lines(running, "endpoint asks for rest: its deliveries wait"))
    assert rests[0]["endpoint"] == endpoint["id"] and rests[0]["seconds"] == 90
    until = health(api)[0]["resting_until"]
    assert until and abs(time.time() + 90 - datetime.datetime.fromisoformat(until).timestamp()) < 20
    running.kill()
    running.start()
    api = running.api
    eventually(lambda: health(api)[0]["waiting"] == 21)
    assert health(api)[0]["resting_until"] == until
    time.sleep(2)
    assert len(target.requests) == 1
    api.post(f"/v1/deliveries/{first['id']}/retry").expect(202)
    target.wait_for(lambda requests: len(requests) == 22)  # it works again, so nobody waits any more
    assert health(api)[0]["resting_until"] is None


def test_the_log_says_what_became_of_each_attempt(server, receiver):
    """At debug: every attempt, with the ids that the API shows. At warn: what failed for good."""
    running = server(flags=["--log-level", "debug"])
    api = running.api
    endpoint = register(api, receiver(answer=lambda _: 500), events=["x"])
    api.put("/v1/tenants/once", {"name": "no retries", "dialect": "github"}).expect(201)
    once = api.as_tenant("once")
    final = register(once, receiver(answer=lambda _: 503), events=["y"])
    api.post("/v1/events", {"type": "x", "data": {}}).expect(202)
    once.post("/v1/events", {"type": "y", "data": {}}).expect(202)
    waiting, failed = settled(api, 1, status="retrying")[0], settled(once, 1, status="failed")[0]
    attempt = eventually(lambda: [line for line in lines(running, "attempt") if line["delivery"] == waiting["id"]])[0]
    assert attempt["level"] == "debug" and attempt["event"] == waiting["event"] and attempt["type"] == "x"
    assert attempt["endpoint"] == endpoint["id"] and attempt["tenant"] == "default" and attempt["attempt"] == 1
    assert attempt["outcome"] == "failed_status" and attempt["status"] == 500 and attempt["state"] == "retrying"
    assert attempt["retry_in_s"] in (4, 5, 6)
    report = lines(running, "delivery failed")
    assert len(report) == 1 and report[0]["level"] == "warn"
    assert report[0]["delivery"] == failed["id"] and report[0]["endpoint"] == final["id"] and report[0]["tenant"] == "once"
    assert report[0]["reason"] == "exhausted" and report[0]["status"] == 503 and report[0]["attempts"] == 1


def test_at_info_one_line_says_that_an_endpoint_is_silent_and_one_that_it_answers(server, receiver):
    """Silence, not refusal: one that answers 500 has no such line."""
    silent = "endpoint does not answer; where slots are scarce it waits for those that do"
    running = server()
    api = running.api
    refusing = receiver(answer=lambda _: 500)
    register(api, refusing, events=["y"])
    target = receiver()
    endpoint = register(api, target, events=["x"])
    target.close()
    for _ in range(12):
        api.post("/v1/events", {"type": "x", "data": {}}).expect(202)
        api.post("/v1/events", {"type": "y", "data": {}}).expect(202)
    failing = eventually(lambda: lines(running, silent))
    refusing.wait_for(lambda requests: len(requests) >= 24)
    assert len(failing) == len(lines(running, silent)) == 1
    assert failing[0]["endpoint"] == endpoint["id"] and failing[0]["outcome"] == "connect_error"
    assert metrics(api)[0]["tenterhook_endpoints_breaker_open"] == 1
    assert not lines(running, "attempt") and not lines(running, "delivery failed")
    receiver(port=target.port)
    api.post("/v1/events", {"type": "x", "data": {}}).expect(202)
    again = eventually(lambda: lines(running, "endpoint answers again"), 20)
    assert len(again) == 1 and again[0]["endpoint"] == endpoint["id"] and again[0]["tenant"] == "default"
    assert metrics(api)[0]["tenterhook_endpoints_breaker_open"] == 0


def test_a_flood_of_failures_does_not_flood_the_log(server, receiver):
    """So many lines a second, and each failure is in one or counted as left out."""
    running = server()
    running.api.put("/v1/tenants/once", {"name": "no retries", "dialect": "github"}).expect(201)
    once = running.api.as_tenant("once")
    target = receiver()
    target.answer = lambda _: 200 if len(target.requests) % 2 else 500
    register(once, target, events=["y"], max_in_flight=100)
    begun = time.monotonic()
    once.post("/v1/events/batch", [{"type": "y", "data": {}}] * 1000).expect(202)

    def failed():
        return metrics(running.api)[0]['tenterhook_deliveries_failed_total{reason="exhausted"}']
    eventually(lambda: metrics(running.api)[0]["tenterhook_deliveries_pending"] == 0, 60)
    took = time.monotonic() - begun
    target.answer = lambda _: 500
    eventually(lambda: time.monotonic() > begun + took + 1.1, 5)
    once.post("/v1/events", {"type": "y", "data": {}}).expect(202)
    last = eventually(lambda: [line for line in lines(running, "delivery failed") if line["left_out"] or took > 5])
    report = lines(running, "delivery failed")
    assert last and len(report) <= 100 * (took + 2)
    eventually(lambda: sum(1 + line["left_out"] for line in lines(running, "delivery failed")) == failed())


def test_the_report_of_a_failure_names_the_delivery_though_no_request_was_made(server, receiver):
    """The name does not resolve, so nothing was ever rendered for this delivery."""
    with Dns({"gone.example.com": ["NXDOMAIN"]}) as dns:
        running = server(flags=["--dns-servers", dns.address])
        api = running.api
        reports = receiver()
        api.as_tenant("operator").post("/v1/webhooks", {"url": reports.url(), "events": ["delivery.failed"]}).expect(201)
        api.put("/v1/tenants/once", {"name": "no retries", "dialect": "github"}).expect(201)
        once = api.as_tenant("once")
        once.post("/v1/webhooks", {"url": "http://gone.example.com/", "events": ["y"]}).expect(201)
        once.post("/v1/events", {"type": "y", "data": {}}).expect(202)
        row = settled(once, 1, status="failed")[0]
        reports.wait_for(1)
        data = json.loads(reports.requests[0].body)["data"]
        assert data["delivery"] == row["id"] and data["last_error"] == "dns_error"
        assert lines(running, "delivery failed")[0]["delivery"] == row["id"]


# ---- what names metrics ----

def test_rules_and_pages_name_metrics_that_exist(server):
    values, types = metrics(server().api)
    names = set(types) | {key.split("{")[0] for key in values}
    for path in (ROOT / "packaging" / "prometheus" / "tenterhook.rules.yaml", ROOT / "docs" / "operating.md",
                 ROOT / "packaging" / "grafana" / "tenterhook.json"):
        text = path.read_text()
        used = set(re.findall(r"\b(?:tenterhook|process)_\w+_(?:total|seconds|bytes|sum|count|bucket)\b|"
                              r"\btenterhook_(?:store|deliveries|endpoints|requests|tenants|http)\w*\b", text))
        assert used and used <= names, (path.name, used - names)
        pairs = re.findall(r'(tenterhook_\w+)\{(\w+)="([^"]*)"\}', text)
        assert pairs or path.suffix == ".json"
        for name, label, value in pairs:
            assert f'{name}{{{label}="{value}"}}' in values, (path.name, name, label, value)
