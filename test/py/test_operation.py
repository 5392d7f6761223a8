"""Operation: logs, secrets on disk, memory and start, backlogs, retention, many publishers, odd payloads."""
import base64
import json
import pathlib
import re
import signal
import subprocess
import time

import pytest

from harness.client import Api
from harness.command import tenterhook
from harness.expect import deliveries, eventually, problem, settled
from harness.faults import Silent, corpus, together
from harness.metrics import metrics
from harness.receiver import Reply
from harness.server import ROOT, StartError, binary_path, sanitized
from harness.signature import verify

JSON = {"Content-Type": "application/json"}
EVENT = {"type": "a.b", "data": {"x": 1}}


def register(api, target, **more):
    return api.post("/v1/webhooks", {"url": target.url(), **more}).expect(201).json


def rss_kib(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))


# ---- rates of the API ----

def test_rates_are_set_by_configuration_and_changed_by_sighup(server, tmp_path):
    """A key above its rate is 429 in its dialect's form until the second is over; other keys are not touched."""
    config = tmp_path / "tenterhook.yaml"
    config.write_text("limits:\n  key_rate: 2\n")
    running = server(flags=["--config", str(config)])

    def key_of(name, dialect):
        running.api.put(f"/v1/tenants/{name}", {"dialect": dialect}).expect(201)
        made = running.api.post(f"/v1/tenants/{name}/keys", {"scopes": ["webhooks:read"]}).expect(201).json
        return running.api.with_key(made["key"])

    flood, other = key_of("flood", "standard"), key_of("other", "taskboard")
    began = time.monotonic()
    while (answer := flood.get("/v1/webhooks")).status == 200:
        assert time.monotonic() - began < 10
    assert "2 a second" in problem(answer, 429)["detail"] and answer.header("Retry-After") == "1"
    assert answer.header("RateLimit").startswith('"key";r=0;')
    other.get("/v1/webhooks").expect(200)
    eventually(lambda: flood.get("/v1/webhooks").status == 200, 5, "another request after the rest of the second")
    while (answer := other.get("/v1/webhooks")).status == 200:
        assert time.monotonic() - began < 10
    assert answer.json["error"]["code"] == "rate_limited"
    assert metrics(running.api)[0]["tenterhook_http_requests_limited_total"] >= 2
    config.write_text("limits:\n  key_rate: 0\n")
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: flood.get("/v1/webhooks").header("RateLimit") is None, 5, "the new configuration")
    for _ in range(20):
        flood.get("/v1/webhooks").expect(200)


# ---- logs and secrets ----

def test_a_reload_names_what_has_changed(server, tmp_path):
    config = tmp_path / "tenterhook.yaml"
    config.write_text("retention: 1d\nallow_networks: [10.0.0.0/8, 10.1.0.0/16]\nhosts: {a.example: tiro}\n")
    running = server(flags=["--config", str(config)])
    for n, (text, names) in enumerate((("retention: 1d\nallow_networks: [10.0.0.0/8, 10.1.0.0/16]\nhosts: {a.example: tiro}\n", ""),
                                       ("retention: 2d\nallow_networks: [10.0.0.0/8, 10.2.0.0/16]\nhosts: {a.example: tiro}\n",
                                        "retention,allow_networks"),
                                       ("retention: 2d\nlog: {level: debug}\nhosts: {a.example: slack}\n",
                                        "log.level,allow_networks,hosts"))):
        config.write_text(text)
        running.process.send_signal(signal.SIGHUP)
        lines = eventually(lambda: (found := [line for line in running.text().splitlines()  # pylint: disable=cell-var-from-loop
                                              if '"configuration reloaded"' in line])[n:] and found, 10)
        assert set(json.loads(lines[n])["changed"].split(",")) == set(names.split(",")), lines[n]


def test_a_reload_comes_through_while_settings_change_all_the_time(server, receiver, tmp_path):
    """It waits for the change under way, and the changes behind wait for it; none is lost and none is refused."""
    config = tmp_path / "tenterhook.yaml"
    config.write_text("retention: 1d\n")
    running, target = server(flags=["--config", str(config)]), receiver()
    reloads, stop = 12, []

    def change(worker):
        api = Api(running.port, running.admin_key)
        hook = api.post("/v1/webhooks", {"url": target.url()}).expect(201).json["id"]
        for n in range(100000):
            body = json.dumps({"description": f"{worker} {n}"}).encode()
            api.request("PATCH", f"/v1/webhooks/{hook}", body, JSON).expect(200)
            assert api.get(f"/v1/webhooks/{hook}").expect(200).json["description"] == f"{worker} {n}"
            if stop:
                return

    def reload(_):
        try:
            for n in range(reloads):
                config.write_text(f"retention: {n + 2}d\n")
                running.process.send_signal(signal.SIGHUP)
                eventually(lambda: running.text().count('"configuration reloaded"') > n, 20)  # pylint: disable=cell-var-from-loop
        finally:
            stop.append(True)

    together(lambda n: reload(n) if n == 0 else change(n), range(7), 7)
    assert "reload refused" not in running.text()


@pytest.mark.release(also=True)
def test_reloads_that_change_no_dialect_keep_nothing(server, certificates, tmp_path):
    """Who reloads every minute must not run out of memory: the dialects alone are more than half a MiB."""
    config, dialects = tmp_path / "tenterhook.yaml", tmp_path / "dialects"
    dialects.mkdir()
    own = (ROOT / "dialects" / "standard.yaml").read_text()
    (dialects / "own.yaml").write_text(own)
    cert, key = certificates.issue()
    config.write_text(f"dialects: {dialects}\nhosts: {{a.example: own}}\n")
    running = server(flags=["--config", str(config), "--tls-cert", str(cert), "--tls-key", str(key)])

    def reload(times):
        for _ in range(times):
            before = running.text().count('"configuration reloaded"')
            running.process.send_signal(signal.SIGHUP)
            eventually(lambda: running.text().count('"configuration reloaded"') > before, 20)  # pylint: disable=cell-var-from-loop

    reload(5)
    before = rss_kib(running.process)
    reload(40)
    if not sanitized():  # whose freed memory waits in quarantine
        assert rss_kib(running.process) - before < 4096
    (dialects / "own.yaml").write_text(own.replace("about:", "about: changed", 1))  # and one that does is taken
    reload(1)
    shown = running.process and subprocess.run(["curl", "-sS", "--cacert", str(certificates.ca), "-H",
                                                f"Authorization: Bearer {running.admin_key}",
                                                f"https://localhost:{running.port}/v1/dialects/own"],
                                               capture_output=True, text=True, check=True).stdout
    assert "changed" in json.loads(shown)["about"]
    reload(3)
    assert running.stop() == 0


@pytest.mark.parametrize("first,then,status", [("development", "production", 204), ("production", "development", 422)])
def test_the_environment_stays_as_a_whole_until_a_restart(server, tmp_path, first, then, status):
    config = tmp_path / "tenterhook.yaml"
    config.write_text(f"environment: {first}\n")
    running = server(flags=["--config", str(config)], environment=None)
    for n, (value, told) in enumerate(((then, 1), (then, 2), (first, 2)), 1):  # each reload says what is not in force
        config.write_text(f"environment: {value}\n")
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: running.text().count('"configuration reloaded"') == n, 10)  # pylint: disable=cell-var-from-loop
        assert len(re.findall(r"only after a restart.*TENTERHOOK_ENVIRONMENT", running.text())) == told
        running.api.post("/v1/webhooks?dry_run=true", {"url": "https://127.0.0.1:8443/"}).expect(status)


def test_requests_under_way_outlive_what_a_reload_replaces(server, receiver, tmp_path):
    """Dialect, guard, hosts and addresses are others after each reload, and all the time events are published and delivered,
    settings change and lists are read: nothing is lost, nothing refused."""
    config, dialects = tmp_path / "tenterhook.yaml", tmp_path / "dialects"
    own, reloads, stop = (ROOT / "dialects" / "standard.yaml").read_text(), 12, []
    dialects.mkdir()

    def configure(n):
        (dialects / "own.yaml").write_text(f"# {n // 2}\n{own}")  # every second reload brings another dialect
        config.write_text(f"dialects: {dialects}\nhosts: {{h{n}.example: own, localhost: own}}\nsource_addresses: [192.0.2.{n}]\n"
                          f"default_dialect: {('own', 'standard')[n % 2]}\nallow_networks: [10.{n}.0.0/16]\n")

    configure(0)
    running, target = server(flags=["--config", str(config)]), receiver(answer=lambda _: Reply(delay_s=0.05))
    running.api.put("/v1/tenants/t", {"name": "t", "dialect": "own"}).expect(201)

    def work(worker):
        operator = Api(running.port, running.admin_key)
        api, n = operator.as_tenant("t"), 0
        hook = api.post("/v1/webhooks", {"url": target.url(), "events": [f"worker.w{worker}"]}).expect(201).json["id"]
        while not stop:
            for _ in range(5):
                api.post("/v1/events", {"type": f"worker.w{worker}", "data": {"n": n}}).expect(202)
                n += 1
            api.patch(f"/v1/webhooks/{hook}", {"description": str(n)}).expect(200)
            api.post("/v1/webhooks?dry_run=true&dialect=own", {"url": target.url(), "events": ["*"]}).expect(204)
            operator.put(f"/v1/tenants/w{worker}-{n}", {"name": "n"}).expect(201)
            operator.get("/v1/source-addresses").expect(200)
            Api(running.port, "no-key").get("/v1/webhooks").expect(401)
        return n

    def reload(_):
        try:
            for n in range(1, reloads + 1):
                configure(n)
                running.process.send_signal(signal.SIGHUP)
                eventually(lambda: running.text().count('"configuration reloaded"') >= n, 30)  # pylint: disable=cell-var-from-loop
        finally:
            stop.append(True)
        return 0

    published = sum(together(lambda n: reload(n) if n == 0 else work(n), range(5), 5))
    assert "reload refused" not in running.text() and published >= reloads
    seen = lambda: len({(json.loads(r.body)["type"], json.loads(r.body)["data"]["n"]) for r in list(target.requests)})  # noqa: E731
    eventually(lambda: seen() == published, 60, "every event delivered")
    assert running.stop() == 0


def test_logs_are_json_lines_without_secrets(server, receiver, tmp_path):
    """Everything that a server does in a day, at the most talkative level; then its log and all of its files are searched
    for everything that nobody may read there."""
    running = server(flags=["--log-level", "debug"], env={"TENTERHOOK_SECRET_KEY": "a-very-secret-master-key-0123456"})
    api = running.api
    target, bad = receiver(), receiver(answer=lambda _: 500)
    own = "whsec_" + base64.b64encode(b"own-secret-of-the-customer-32-by").decode()
    made = register(api, target, headers={"X-Token": "custom-header-value-1", "Authorization": "Basic custom-header-value-2"})
    register(api, bad, secret=own)
    api.put("/v1/tenants/t1", {"name": "x", "dialect": "tiro"}).expect(201)
    tiro = register(api.as_tenant("t1"), target)
    key = api.post("/v1/tenants/t1/keys", {"scopes": ["events:publish"]}, headers={"Idempotency-Key": "k"}).expect(201).json["key"]
    api.with_key(key).post("/v1/events", {"type": "note.created", "resource_id": "1", "data": {}}).expect(202)
    hook = api.post("/v1/webhooks", {"url": target.url(), "headers": {"X-Token": "custom-header-value-3"}},
                    headers={"Idempotency-Key": "h"}).expect(201).json
    rotated = api.post(f"/v1/webhooks/{made['id']}/rotate-secret", {}).expect(200).json["secrets"]
    api.post("/v1/events", EVENT).expect(202)
    api.with_key("a-wrong-key-that-somebody-sent").get("/v1/webhooks").expect(401)
    api.get("/v1/webhooks?key=query-string-secret-1")
    api.get(f"/v1/webhooks/{made['id']}/secret").expect(200)
    settled(api, 1, status="retrying")
    settled(api, 2)
    secrets = [running.admin_key, key, made["secret"], tiro["secret"], hook["secret"], own, "a-very-secret-master-key",
               "custom-header-value-1", "custom-header-value-2", "custom-header-value-3", "a-wrong-key-that-somebody-sent",
               "query-string-secret-1"] + [s["secret"] for s in rotated]
    secrets += [base64.b64decode(s[6:]).decode("latin-1") for s in secrets if s.startswith("whsec_")]
    running.kill()  # with the write-ahead log as it is
    found = [path for path in running.data.rglob("*") if path.is_file()]
    assert found
    for secret in secrets:
        assert secret not in running.text(), secret
        for path in found:
            assert secret.encode("latin-1") not in path.read_bytes(), (path, secret)
    log = [line for line in running.text().splitlines() if not line.startswith("listening on ")]
    assert log
    for line in log:
        entry = json.loads(line)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])
        assert entry["level"] in ("debug", "info", "warn", "error") and entry["msg"]


def test_files_are_private(server, receiver):
    running = server()
    register(running.api, receiver())
    assert running.data.stat().st_mode & 0o077 == 0
    found = list(running.data.rglob("*"))
    assert len(found) >= 2
    for path in found:
        assert path.stat().st_mode & 0o077 == 0, (path, oct(path.stat().st_mode))


def test_log_lines_cannot_be_forged(server):
    running = server()
    api = running.api
    evil = 'x"}\n{"time":"2000-01-01T00:00:00.000Z","level":"info","msg":"forged"}'
    api.put("/v1/tenants/evil", {"name": evil, "dialect": "standard"}).expect(201)
    api.post("/v1/webhooks", {"url": "http://127.0.0.1:9999/", "description": evil}).expect(201)
    api.get("/v1/webhooks/" + "%0a%7b%22msg%22%3a%22forged%22%7d").expect(404)
    api.request("GET", "/v1/webhooks", headers={"User-Agent": "x\ty", "Tenterhook-Tenant": "evil\"}"})
    running.stop()
    for line in running.text().splitlines():
        if not line.startswith("listening on "):
            assert json.loads(line)["msg"] != "forged"


def test_libpq_is_loaded_for_a_store_in_postgresql_alone(server, tmp_path):
    """It and the libraries behind it are 3 MiB of memory, so a server with its own store neither has nor needs it."""
    broken = tmp_path / "libraries"
    broken.mkdir()
    (broken / "libpq.so.5").write_bytes(b"no library")
    env = {"LD_LIBRARY_PATH": str(broken), "TENTERHOOK_SECRET_KEY": "a phrase that is long enough for anybody"}
    running = server(env=env)
    maps = pathlib.Path(f"/proc/{running.process.pid}/maps").read_text()
    assert "/libsqlite3.so" in maps and "/libpq.so" not in maps and "/libgssapi" not in maps
    running.stop()
    with pytest.raises(StartError) as error:
        server(env=env, flags=["--store", "postgres://nobody@127.0.0.1:9/none"])
    assert error.value.status == 64 and "install it, on Debian: libpq5" in error.value.output
    check = tenterhook("doctor", "--data", str(tmp_path / "data3"), "--store", "postgres://nobody@127.0.0.1:9/none", env=env)
    assert check.status == 1 and "libpq5" in check.out


# ---- figures of the release build ----

@pytest.mark.release
def test_idle_memory_binary_and_start(server, tmp_path):
    running = server()
    time.sleep(0.3)
    assert rss_kib(running.process) < 16 * 1024
    installed = tmp_path / "tenterhook"  # without debug information, which is most of what was built
    subprocess.run(["strip", "-o", installed, binary_path()], check=True)
    assert installed.stat().st_size < 3 * 1024 * 1024
    running.stop()
    took = []
    for _ in range(5):
        begun = time.monotonic()
        running.start()
        running.api.get("/readyz").expect(200)
        took.append(time.monotonic() - begun)
        running.stop()
    assert sorted(took)[2] < 0.2, took


@pytest.mark.release(also=True)
def test_a_backlog_is_bounded_in_memory_and_does_not_delay_the_start(server, receiver):
    """50,000 events for an endpoint that never answers: the process keeps few of them, and after kill -9 it is ready at
    once and delivers new events of others while it loads."""
    flags = ["--max-pending", "5000", "--drain-timeout", "1s"]
    running = server(flags=flags)
    api, good = running.api, receiver()
    with Silent() as silent:
        dead = api.post("/v1/webhooks", {"url": silent.url(), "events": ["dead"], "timeout_seconds": 30}).expect(201).json
        register(api, good, events=["good"])
        batch = json.dumps([{"type": "dead", "data": {"n": n, "pad": "x" * 200}} for n in range(1000)]).encode()

        def publish(_):
            api.post("/v1/events/batch", batch, headers=JSON).expect(202)

        together(publish, range(10), 4)
        first = rss_kib(running.process)
        together(publish, range(40), 4)
        grown = rss_kib(running.process) - first
        # Fresh bodies stay in a cache of 64 MiB; beyond that nothing grows. Sanitizers keep what is freed.
        assert sanitized() or grown < 96 * 1024, f"{grown} KiB for 40,000 more"
        api.post("/v1/events", {"type": "good", "data": {}}).expect(202)
        good.wait_for(1, timeout_s=20)
        running.kill()
        begun = time.monotonic()
        running.start()
        running.api.get("/readyz").expect(200)
        assert time.monotonic() - begun < (20 if sanitized() else 3)
        running.api.post("/v1/events", {"type": "good", "data": {}}).expect(202)
        # the first may come again: its result was perhaps not on record
        good.wait_for(lambda requests: len({r.header("webhook-id") for r in requests}) == 2, timeout_s=20)
        eventually(lambda: "queue loaded" in running.text().rsplit("listening on", 1)[1], 90)
        running.api.delete(f"/v1/webhooks/{dead['id']}").expect(204)
        eventually(lambda: not deliveries(running.api, status="pending", limit=1)
                   and len(deliveries(running.api, status="cancelled", limit=1000)) == 1000, 240, "cancellation of 50,000")
        assert running.stop() == 0


def test_a_backlog_drains_completely(server, receiver):
    """3,000 events wait for a paused endpoint, far more than memory may hold; resumed, each goes out once, and the oldest
    first as far as one connection at a time shows it."""
    running = server(flags=["--max-pending", "1000"])
    api, target = running.api, receiver()
    made = register(api, target, active=False)
    for _ in range(3):
        answers = api.post("/v1/events/batch", [EVENT] * 1000).expect(202).json
    running.kill()
    running.start()
    api = running.api
    api.patch(f"/v1/webhooks/{made['id']}", {"active": True, "max_in_flight": 8}).expect(200)
    target.wait_for(3000, timeout_s=120)
    time.sleep(0.3)
    ids = target.ids()
    assert len(ids) == len(set(ids)) == 3000 and answers[-1]["id"] in ids[-200:]
    eventually(lambda: not deliveries(api, status="pending", limit=1))


# ---- retention ----

def test_retention_removes_old_events_while_deliveries_go_on(server, receiver):
    running = server(flags=["--retention", "3s"])
    api = running.api
    good, bad = receiver(), receiver(answer=lambda _: 500)
    register(api, good, events=["good"])
    register(api, bad, events=["bad"])
    register(api, good, events=["held"], active=False)
    old = [api.post("/v1/events", {"type": kind, "data": {}}).expect(202).json["id"] for kind in ("good", "bad", "held")]
    keyed = {"Idempotency-Key": "outlives-the-event"}
    first = api.post("/v1/events", {"type": "nobody", "data": {}}, headers=keyed).expect(202)
    old.append(first.json["id"])
    good.wait_for(1)
    bad.wait_for(1)
    eventually(lambda: all(api.get(f"/v1/events/{event}").status == 404 for event in old), 30, "removal")
    assert deliveries(api) == []
    # The key outlives the event: no second one is made, and trying again is not asked for.
    assert "retention" in problem(api.post("/v1/events", {"type": "nobody", "data": {}}, headers=keyed), 409)["detail"]
    new = api.post("/v1/events", {"type": "good", "data": {}}).expect(202).json["id"]
    assert new in [request.header("webhook-id") for request in good.wait_for(2)]
    values, _ = metrics(api)
    assert values["tenterhook_retention_deleted_events_total"] >= 3
    time.sleep(max(0.0, 6.5 - (time.monotonic() - bad.requests[0].mono)))  # beyond the second attempt's time
    assert len(bad.requests) == 1, "what is removed is not sent"
    running.api.get("/readyz").expect(200)


# ---- payloads ----

def test_naughty_strings_are_kept_byte_for_byte(shared, receiver):
    """As data, description, metadata value and tenant name; what the receiver gets and what the API shows."""
    strings = json.loads(corpus("naughty-strings", "blns.json").read_bytes())
    shared.api.put("/v1/tenants/naughty", {"name": "x", "dialect": "standard"}).expect(201)
    api, target = shared.api.as_tenant("naughty"), receiver()
    made = register(api, target)
    events = api.post("/v1/events/batch", [{"type": "a.b", "data": {"s": text}} for text in strings]).expect(202).json
    target.wait_for(len(strings), timeout_s=20)
    got = {}
    for request in target.requests:
        verify(made["secret"], request)
        got[request.header("webhook-id")] = json.loads(request.body)["data"]["s"]
    for event, text in zip(events, strings):
        assert got[event["id"]] == text
    path = f"/v1/webhooks/{made['id']}"

    for text in strings[::5] + [s for s in strings if "\0" in s or "\ufeff" in s]:
        answer = api.patch(path, {"description": text, "metadata": {"k": text}, "active": False})
        if answer.status == 200:
            assert api.get(path).json["description"] == text and api.get(path).json["metadata"] == {"k": text}
        else:
            assert problem(answer, 422) and text, (text, answer)
        named = shared.api.put("/v1/tenants/naughty", {"name": text, "dialect": "standard"})
        if named.status == 200:
            assert shared.api.get("/v1/tenants/naughty").json["name"] == text
        else:
            assert named.status == 422, (text, named)
    shown = api.get(f"/v1/events/{events[7]['id']}").expect(200).json
    assert shown["data"] == {"s": strings[7]}


def test_naughty_strings_in_paths_and_queries_are_refused_politely(shared):
    import urllib.parse
    strings = json.loads(corpus("naughty-strings", "blns.json").read_bytes())
    api = shared.api
    for text in strings[::3]:
        quoted = urllib.parse.quote(text.encode("utf-8", "surrogatepass"), safe="")
        for path in (f"/v1/events/{quoted}", f"/v1/webhooks/{quoted}", f"/v1/deliveries?event={quoted}", f"/v1/tenants/{quoted}",
                     f"/v1/events?cursor={quoted}"):
            answer = api.get(path)
            assert answer.status in (200, 400, 404, 405, 414, 422), (path, answer)
            json.loads(answer.body)


def test_the_json_corpus_passes_through_unchanged(tenant, receiver):
    """test_transform: numbers, escapes, duplicate names: `data` leaves as it came. test_parsing: y_ is taken, n_ is not."""
    target = receiver()
    made = register(tenant, target)
    sent = {}
    folder = corpus("json-test-suite", "test_transform")
    good = sorted(folder.glob("*.json")) + sorted(corpus("json-test-suite", "test_parsing").glob("y_*.json"))
    for path in good:
        data = path.read_bytes().strip(b" \t\r\n")
        answer = tenant.post("/v1/events", b'{"type":"a.b","data":' + data + b"}", headers=JSON)
        if path.name.startswith("y_"):
            assert answer.status == 202, (path.name, answer)
        assert answer.status in (202, 400), (path.name, answer)
        if answer.status == 202:
            sent[answer.json["id"]] = (path.name, data)
    assert len(sent) > 90
    for request in target.wait_for(len(sent), timeout_s=20):
        name, data = sent.pop(verify(made["secret"], request))
        assert request.body.endswith(b',"data":' + data + b"}"), name
    assert not sent
    for path in sorted(corpus("json-test-suite", "test_parsing").glob("n_*.json")):
        data = path.read_bytes()
        if len(data) > 1 << 20:
            continue
        answer = tenant.post("/v1/events", b'{"type":"a.b","data":' + data + b"}", headers=JSON)
        # Some are only wrong as a whole document; nothing of what remains may be taken for valid JSON.
        if answer.status == 202:
            json.loads((b'{"type":"a.b","data":' + data + b"}").decode(), parse_constant=pytest.fail)  # NaN is none either
        else:
            assert answer.status in (400, 422), (path.name, answer)
            if answer.status == 400:
                assert re.search(r"line \d+.*column \d+", answer.json["detail"]), (path.name, answer)


def test_a_batch_of_a_thousand(tenant, receiver):
    target = receiver()
    made = register(tenant, target, max_in_flight=50)
    answer = tenant.post("/v1/events/batch", [{"type": "a.b", "data": n} for n in range(1000)]).expect(202).json
    assert len({row["id"] for row in answer}) == 1000 and all(row["deliveries"] == 1 for row in answer)
    requests = target.wait_for(1000, timeout_s=30)
    by_id = {verify(made["secret"], request): json.loads(request.body)["data"] for request in requests}
    assert [by_id[row["id"]] for row in answer] == list(range(1000))
    problem(tenant.post("/v1/events/batch", [EVENT] * 1001), 422)
    problem(tenant.post("/v1/events/batch", [EVENT, {"type": "a b", "data": 1}]), 422)
    assert len(tenant.pages("/v1/events", limit=1000)) == 1000


def test_sixty_four_publishers(server, receiver):
    """64 connections at once, each with keys of its own and some shared: every event once, every key one event."""
    running = server()
    target = receiver()
    made = register(running.api, target, max_in_flight=100)
    results = []

    def publish(worker):
        api = Api(running.port, running.admin_key)
        for n in range(20):
            key = f"shared-{n}" if worker % 8 == 0 else f"{worker}-{n}"
            answer = api.post("/v1/events", {"type": "a.b", "data": key}, headers={"Idempotency-Key": key})
            results.append((key, answer.status, answer.json.get("id")))
        api.close()

    together(publish, range(64), 64)
    assert {status for _, status, _ in results} <= {202, 409}
    by_key = {}
    for key, status, event in results:
        if status == 202:
            by_key.setdefault(key, set()).add(event)
    assert len(by_key) == 56 * 20 + 20 and all(len(ids) == 1 for ids in by_key.values())
    requests = target.wait_for(len(by_key), timeout_s=30)
    settled_ids = {verify(made["secret"], request) for request in requests}
    assert settled_ids == {next(iter(ids)) for ids in by_key.values()}
    time.sleep(0.2)
    assert len(target.requests) == len(by_key)


def test_large_data_up_to_the_limit_of_the_dialect(tenant, receiver):
    target = receiver(answer=lambda _: Reply(200))
    made = register(tenant, target)
    limit = 262144
    fits = "x" * (limit - 2)
    tenant.post("/v1/events", {"type": "a.b", "data": fits}).expect(202)
    request = target.wait_for(1)[0]
    verify(made["secret"], request)
    assert json.loads(request.body)["data"] == fits
    problem(tenant.post("/v1/events", {"type": "a.b", "data": fits + "x"}), 413)
    problem(tenant.post("/v1/events", b" " * (16 << 20) + b"{}", headers=JSON), 413)
