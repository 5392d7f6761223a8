"""What a tenant may have: endpoints, bytes of headers, keys, replays; shown, configured, kept over restarts and moves."""
import json
import threading
import time

import pytest

from harness.command import tenterhook
from harness.expect import deliveries, eventually, problem
from harness.faults import Dns
from harness.metrics import metrics
from harness.receiver import Receiver, Reply

LONG_AGO = "2020-01-01T00:00:00Z"


def operator(server, *flags, **options):
    """A fresh server and the operator's client that acts for the tenant "t"."""
    made = server(flags=flags, **options)
    made.api.put("/v1/tenants/t", {"dialect": "standard"}).expect(201)
    return made, made.api.as_tenant("t")


def endpoint(api, number=0, **more):
    return api.post("/v1/webhooks", {"url": f"http://127.0.0.1:9999/{number}", "active": False, **more})


def usage(api, tenant="t"):
    return api.get(f"/v1/tenants/{tenant}").expect(200).json["usage"]


def limits(api, tenant="t", **own):
    return api.put(f"/v1/tenants/{tenant}", {"limits": own}).expect(200, 201).json


def reached(answer, name):
    body = problem(answer, 429)
    assert body["limit"] == name and f'"{name}"' in body["detail"], body
    assert int(answer.header("Retry-After")) > 0
    return body


# ---- each limit ----

def test_the_defaults_are_shown(server):
    _, api = operator(server)
    shown = usage(api)
    assert {name: row["allowed"] for name, row in shown.items()} == {
        "endpoints": 10000, "header_bytes": 8192, "keys": 100, "replays": 8,
        "stored_bytes": None, "unfinished_deliveries": None, "host_requests": 100, "host_requests_per_second": None,
        "address_requests": 1000}
    assert all(not row["used"] for row in shown.values())
    assert api.get("/v1/tenants/t").json["limits"] == {}


def test_endpoints_of_a_tenant_are_limited(server):
    _, api = operator(server, "--tenant-endpoints", "3")
    made = [endpoint(api, n).expect(201).json for n in range(3)]
    reached(endpoint(api, 9), "endpoints")
    reached(api.post("/v1/webhooks?dry_run=true", {"url": "http://127.0.0.1:9999/"}), "endpoints")
    other = api.as_tenant("default")
    endpoint(other).expect(201)  # another tenant has its own
    api.delete(f"/v1/webhooks/{made[0]['id']}").expect(204)
    endpoint(api, 10).expect(201)
    assert usage(api)["endpoints"] == {"used": 3, "allowed": 3}


REGISTRATIONS = {
    "taskboard": {"url": "https://receiver.example.com/", "events": ["task.created"]},
    "techwriter": {"url": "https://receiver.example.com/", "events": ["document.published"], "secret": "s" * 32},
    "tiro": {"url": "https://receiver.example.com/", "events": ["note.created"]},
    "tsanet": {"callbackUrl": "https://receiver.example.com/", "events": ["note.created"]}}


@pytest.mark.parametrize("dialect", REGISTRATIONS)
def test_the_refusal_has_the_form_of_the_dialect(server, dialect):
    api = server(flags=["--tenant-endpoints", "1"]).api
    api.put(f"/v1/tenants/{dialect}", {"dialect": dialect}).expect(201)
    acts = api.as_tenant(dialect)
    acts.post("/v1/webhooks", REGISTRATIONS[dialect]).expect(200, 201)
    refused = acts.post("/v1/webhooks", REGISTRATIONS[dialect]).expect(429)
    other = acts.get("/v1/webhooks/nothing").expect(400, 404)  # an error of another kind, in the same form
    assert shape(refused.json) in (shape(other.json), {**shape(other.json), "limit": None})
    assert "endpoints" in json.dumps(refused.json) and refused.header("Retry-After")


def shape(value):
    return {name: shape(inner) for name, inner in value.items()} if isinstance(value, dict) else None


def test_bytes_of_headers_are_limited(server):
    _, api = operator(server)
    name, most = "X-A", 8192
    fits = {f"X-{n}": "v" * (most // 4 - 3) for n in range(4)}
    made = endpoint(api, headers=fits).expect(201).json
    assert usage(api)["header_bytes"] == {"used": most, "allowed": most}
    answer = endpoint(api, headers={**fits, name: ""})
    body = problem(answer, 422)
    assert body["errors"][0]["pointer"] == "/headers" and '"header_bytes"' in body["errors"][0]["detail"]
    body = problem(api.patch(f"/v1/webhooks/{made['id']}", {"headers": {name: "more"}}), 422)
    assert "8192" in body["errors"][0]["detail"]


def test_keys_of_a_tenant_are_limited(server):
    _, api = operator(server)
    limits(api, keys=2)
    keys = [api.post("/v1/tenants/t/keys", {"scopes": ["webhooks:read"]}).expect(201).json for _ in range(2)]
    reached(api.post("/v1/tenants/t/keys", {"scopes": ["webhooks:read"]}), "keys")
    api.delete(f"/v1/tenants/t/keys/{keys[0]['id']}").expect(204)
    api.post("/v1/tenants/t/keys", {"scopes": ["webhooks:read"]}).expect(201)
    assert usage(api)["keys"] == {"used": 2, "allowed": 2}


def events(api, count, size=100):
    return api.post("/v1/events/batch", [{"type": "a.b", "data": "x" * size} for _ in range(count)])


def test_stored_bytes_are_counted_and_limited_where_it_is_said(server, receiver):
    made, api = operator(server)
    target = receiver(lambda request: Reply(200, body=b"y" * 50))
    endpoint(api, url=target.url(), active=True).expect(201)
    events(api, 10).expect(202)
    target.wait_for(10)
    all_delivered(api)
    each = len("a.b") + len('"') * 2 + 100
    used = usage(api)["stored_bytes"]
    assert used["allowed"] is None and used["used"] >= 10 * (each + 50)
    for end in ("stop", "kill"):
        getattr(made, end)()
        made.start()
        assert made.api.get("/v1/tenants/t").json["usage"]["stored_bytes"] == used
    api = made.api.as_tenant("t")
    limits(api, stored_bytes=used["used"] + 2 * each - 1)
    events(api, 1).expect(202)
    all_delivered(api)
    reached(events(api, 2), "stored_bytes")
    reached(api.post("/v1/webhooks/" + api.get("/v1/webhooks").json["data"][0]["id"] + "/test", {"type": "a.b"}), "stored_bytes")
    api.as_tenant("default").post("/v1/events", {"type": "a.b", "data": "x" * 1000}).expect(202)
    limits(api)
    events(api, 2).expect(202)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_unfinished_deliveries_are_counted_and_limited_where_it_is_said(server, end):
    made, api = operator(server, "--tenant-unfinished-deliveries", "7")
    hooks = [endpoint(api, number).expect(201).json["id"] for number in range(3)]
    first = events(api, 2).expect(202).json
    assert usage(api)["unfinished_deliveries"] == {"used": 6, "allowed": 7}
    reached(events(api, 1), "unfinished_deliveries")
    getattr(made, end)()
    made.start()
    api = made.api.as_tenant("t")
    assert usage(api)["unfinished_deliveries"] == {"used": 6, "allowed": 7} and len(first) == 2
    reached(events(api, 1), "unfinished_deliveries")
    api.delete(f"/v1/webhooks/{hooks[0]}").expect(204)
    eventually(lambda: usage(api)["unfinished_deliveries"]["used"] == 4, what="the deliveries of the deleted endpoint")
    events(api, 1).expect(202)


def test_retention_gives_room_back(server):
    made, api = operator(server, "--retention", "1s")
    endpoint(api).expect(201)
    events(api, 5).expect(202)
    assert usage(api)["unfinished_deliveries"]["used"] == 5
    eventually(lambda: usage(api)["stored_bytes"]["used"] == 0, 90, "retention")
    assert usage(api)["unfinished_deliveries"]["used"] == 0
    made.kill()
    made.start()
    assert usage(made.api)["stored_bytes"]["used"] == 0


# ---- whose limit ----

def test_a_tenants_own_limit_goes_before_the_installations(server):
    _, api = operator(server, "--tenant-endpoints", "1")
    assert limits(api, endpoints=2)["limits"] == {"endpoints": 2}
    for number in range(2):
        endpoint(api, number).expect(201)
    reached(endpoint(api, 2), "endpoints")
    assert limits(api, endpoints=0)["usage"]["endpoints"] == {"used": 2, "allowed": None}  # 0: no limit
    endpoint(api, 3).expect(201)
    api.put("/v1/tenants/t", {"name": "T"}).expect(200)  # left out: as it is
    assert api.get("/v1/tenants/t").json["limits"] == {"endpoints": 0}
    assert limits(api, keys=7)["limits"] == {"keys": 7}  # given: replaced as a whole
    assert api.put("/v1/tenants/t", {"limits": None}).expect(200).json["limits"] == {}
    reached(endpoint(api, 4), "endpoints")


@pytest.mark.parametrize("value, pointer", [
    ({"endpoints": -1}, "/limits/endpoints"), ({"keys": 1.5}, "/limits/keys"), ({"replays": "8"}, "/limits/replays"),
    ({"apples": 1}, "/limits/apples"), ({"header_bytes": 10**12}, "/limits/header_bytes"), ([], "/limits")])
def test_what_is_no_limit_is_refused(shared, value, pointer):
    body = problem(shared.api.put("/v1/tenants/refused", {"limits": value}), 422)
    assert [error["pointer"] for error in body["errors"]] == [pointer]
    shared.api.get("/v1/tenants/refused").expect(404)


def test_what_is_above_a_new_limit_stays_and_can_be_changed(server, receiver):
    made, api = operator(server)
    target = receiver()
    big = {f"X-{n}": "v" * 1000 for n in range(8)}
    first = endpoint(api, 1, headers=big).expect(201).json
    second = api.post("/v1/webhooks", {"url": target.url(), "headers": big}).expect(201).json
    limits(api, endpoints=1, header_bytes=100, keys=1)
    api.patch(f"/v1/webhooks/{first['id']}", {"description": "still mine", "headers": {"X-0": "w" * 1000}}).expect(200)
    problem(api.patch(f"/v1/webhooks/{first['id']}", {"headers": {"X-9": "w"}}), 422)
    api.patch(f"/v1/webhooks/{first['id']}", {"headers": {"X-1": None}}).expect(200)
    api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    target.wait_for(1)
    made.stop()
    made.start()
    api = made.api.as_tenant("t")
    assert usage(api)["endpoints"] == {"used": 2, "allowed": 1}
    assert len(api.get(f"/v1/webhooks/{second['id']}").expect(200).json["headers"]) == 8
    api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    target.wait_for(2)
    reached(endpoint(api, 3), "endpoints")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_limits_survive_a_restart(server, end):
    made, api = operator(server)
    own = {"endpoints": 5, "header_bytes": 6000, "keys": 7, "replays": 3, "stored_bytes": 8, "unfinished_deliveries": 9}
    limits(api, **own)
    getattr(made, end)()
    made.start()
    shown = made.api.get("/v1/tenants/t").expect(200).json
    assert shown["limits"] == own
    assert {name: shown["usage"][name]["allowed"] for name in own} == own


def test_limits_of_the_installation_are_read_again(server, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("limits:\n  tenant_endpoints: 1\n")
    made, api = operator(server, "--config", str(config))
    endpoint(api, 0).expect(201)
    reached(endpoint(api, 1), "endpoints")
    config.write_text("limits:\n  tenant_endpoints: 2\n")
    made.process.send_signal(1)
    eventually(lambda: usage(api)["endpoints"]["allowed"] == 2, what="the new limit")
    endpoint(api, 1).expect(201)


# ---- warnings and metrics ----

def test_a_limit_that_is_near_is_said_once(server, receiver):
    made, api = operator(server, "--tenant-endpoints", "5", "--limit-warning", "60")
    target = receiver()
    made.api.as_tenant("operator").post("/v1/webhooks", {"url": target.url(), "events": ["tenant.limit_near"]}).expect(201)
    for number in range(5):
        endpoint(api, number).expect(201)
    target.wait_for(1)
    data = json.loads(target.requests[0].body)["data"]
    assert {name: data[name] for name in ("tenant", "limit", "used", "allowed")} == {
        "tenant": "t", "limit": "endpoints", "used": 3, "allowed": 5}
    lines = [line for line in made.text().splitlines() if "nears a limit" in line]
    assert len(lines) == 1 and "endpoints" in lines[0], lines
    assert len(target.requests) == 1


def test_metrics_show_who_is_near_a_limit(server):
    _, api = operator(server, "--tenant-endpoints", "2")
    api.as_tenant("default").get("/v1/webhooks").expect(200)
    for number in range(2):
        endpoint(api, number).expect(201)
    reached(endpoint(api, 2), "endpoints")
    text = api.get("/metrics").expect(200).body.decode()
    assert 'tenterhook_tenant_used{tenant="t",limit="endpoints"} 2\n' in text
    assert 'tenterhook_tenant_limit{tenant="t",limit="endpoints"} 2\n' in text
    assert "tenterhook_limits_reached_total 1\n" in text
    assert 'tenant="default"' not in text


# ---- replays ----

def published(api, count):
    for start in range(0, count, 1000):
        api.post("/v1/events/batch", [{"type": "a.b", "data": n} for n in range(min(1000, count - start))]).expect(202)


def all_delivered(api):
    eventually(lambda: not any(deliveries(api, status=name, limit=1) for name in ("pending", "retrying")), 60, "delivered")


def test_replays_of_paused_endpoints_take_nobodys_place(server, receiver):
    """As many replays on paused endpoints as there are places: others' replays start and end."""
    made = server(flags=["--threads", "1"])  # with more the first replays may have queued all before the last one looks
    target = receiver()
    actors = []
    for number in range(10):
        made.api.put(f"/v1/tenants/h{number}", {"dialect": "standard"}).expect(201)
        api = made.api.as_tenant(f"h{number}")
        actors.append((api, api.post("/v1/webhooks", {"url": target.url()}).expect(201).json["id"]))
        published(api, 700)
    for api, _ in actors:
        all_delivered(api)
    jobs = []
    for api, hook in actors[:-1]:  # 72 replays that cannot end
        api.patch(f"/v1/webhooks/{hook}", {"active": False}).expect(200)
        for _ in range(8):
            started = api.post(f"/v1/webhooks/{hook}/replay", {"since": LONG_AGO}).expect(202).json
            assert started["matched"] > 0  # the first queues some, the others find the rest
            jobs.append((api, started["id"]))
        reached(api.post(f"/v1/webhooks/{hook}/replay", {"since": LONG_AGO}), "replays")
    api, hook = actors[-1]
    before = len(target.requests)
    started = api.post(f"/v1/webhooks/{hook}/replay", {"since": LONG_AGO}).expect(202).json
    assert started["matched"] == 700
    eventually(lambda: api.get(f"/v1/replays/{started['id']}").json["state"] == "done", 60, "the replay")
    eventually(lambda: len(target.requests) >= before + 700, 60, "its requests")
    assert usage(api, "h9")["replays"]["used"] == 0 and usage(api, "h0")["replays"]["used"] == 8
    # those that gave their places away go on where they were
    api, hook = actors[0]
    api.patch(f"/v1/webhooks/{hook}", {"active": True}).expect(200)
    for actor, job in jobs[:8]:
        eventually(lambda: actor.get(f"/v1/replays/{job}").json["state"] == "done", 60, "a replay of before")
        assert actor.get(f"/v1/replays/{job}").json["queued"] <= 700


# ---- export, import, command line ----

def test_limits_go_with_export_and_import(server, cli):
    _, api = operator(server)
    limits(api, endpoints=5, replays=0)
    text = tenterhook("export", "t", env=environment(api)).expect(0).out
    limits(cli.api, keys=3)
    for _ in range(2):
        cli("import", "-", stdin=text).expect(0)
        assert cli.api.get("/v1/tenants/t").json["limits"] == {"endpoints": 5, "replays": 0}


def environment(api):
    return {"TENTERHOOK_URL": f"http://127.0.0.1:{api.port}", "TENTERHOOK_KEY": api.key}


def test_tenants_show_says_what_is_used(cli):
    api = cli.api.as_tenant("t")
    cli("tenants", "put", "t", "--allow", "endpoints=5").expect(0)
    endpoint(api).expect(201)
    out = cli("tenants", "show", "t").expect(0).out
    row = next(line.split() for line in out.splitlines() if line.startswith("endpoints"))
    assert row == ["endpoints", "1", "5", "its", "own"], out
    assert next(line.split() for line in out.splitlines() if line.startswith("keys"))[:3] == ["keys", "0", "100"]
    cli("tenants", "put", "t", "--allow-default").expect(0)
    assert api.get("/v1/tenants/t").json["limits"] == {}
    assert "write NAME=NUMBER" in cli("tenants", "put", "t", "--allow", "endpoints").expect(64).err


# ---- one host ----

THREADS = pytest.mark.parametrize("threads", ["1", "4"])  # a limit is one for all of them


class Busy:
    """An answer that takes its time, and how many were waited for at once."""

    def __init__(self, delay_s):
        self.delay_s, self.now, self.most, self.lock = delay_s, 0, 0, threading.Lock()

    def __call__(self, request):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.delay_s)
        with self.lock:
            self.now -= 1
        return Reply(200)


@THREADS
def test_one_event_is_not_many_requests_at_once_to_one_host(server, receiver, threads):
    _, api = operator(server, "--host-requests", "5", "--threads", threads)
    busy = Busy(0.05)
    target = receiver(busy)
    for number in range(40):
        endpoint(api, url=f"{target.url()}?{number}", active=True, max_in_flight=1000).expect(201)
    api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    target.wait_for(40)
    assert busy.most == 5
    limits(api, host_requests=0)  # at once, for what is there already
    events(api, 2).expect(202)
    target.wait_for(120)
    assert busy.most > 5


@THREADS
def test_an_endpoint_that_is_alone_at_its_host_has_its_own_limit(server, receiver, threads):
    _, api = operator(server, "--host-requests", "2", "--threads", threads)
    busy = Busy(0.3)
    target = receiver(busy)
    endpoint(api, url=target.url(), active=True, max_in_flight=12).expect(201)
    events(api, 30).expect(202)
    target.wait_for(30)
    assert busy.most > 2


@THREADS
def test_requests_a_second_to_one_host_are_limited(server, receiver, threads):
    _, api = operator(server, "--threads", threads)
    limits(api, host_requests_per_second=10)
    target = receiver()
    for number in range(30):
        endpoint(api, url=f"{target.url()}?{number}", active=True).expect(201)
    began = time.monotonic()
    api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    target.wait_for(30)
    assert 2.8 < time.monotonic() - began < 6  # the first goes at once, 29 wait for a tenth of a second each


# ---- one address ----

class Gate:
    """Answers wait until it is opened; counts who waits."""

    def __init__(self):
        self.opened, self.now, self.most, self.lock = threading.Event(), 0, 0, threading.Lock()

    def __call__(self, request):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.opened.wait(30)
        with self.lock:
            self.now -= 1
        return Reply(200)


def named(api, target, count, prefix="n", **more):
    """Endpoints at as many names."""
    return [endpoint(api, url=f"http://{prefix}{n}.example.com:{target.port}/", active=True, **more).expect(201).json["id"]
            for n in range(count)]


def turns(api):
    return metrics(api)[0]["tenterhook_loop_turn_cpu_seconds_count"]


def test_a_limit_for_one_host_is_there_without_a_setting(server, receiver):
    """A receiver that does not keep up has to bear 100 requests of a tenant, however many endpoints lead to it."""
    gate = Gate()
    _, api = operator(server)
    target = receiver(gate)
    for number in range(130):
        endpoint(api, url=f"{target.url()}?{number}", active=True).expect(201)
    api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    eventually(lambda: gate.now == 100, 20)
    time.sleep(0.5)
    assert gate.most == 100 and usage(api)["host_requests"] == {"used": 100, "allowed": 100}
    gate.opened.set()
    target.wait_for(130)


@THREADS
def test_many_names_that_lead_to_one_address_share_its_limit(server, receiver, threads):
    """What has no room waits: no attempt is counted, nobody else is held up, and nothing spins. Another tenant has a limit of its own."""
    gate = Gate()
    target, other = receiver(gate), receiver()
    names = {f"{prefix}{n}.example.com": [["127.0.0.1"]] for prefix in "no" for n in range(40)}
    with Dns(names) as dns:
        running, api = operator(server, "--address-requests", "5", "--dns-servers", dns.address, "--threads", threads)
        named(api, target, 40, events=["a.b"])
        free = endpoint(api, url=other.url(), active=True, events=["a.b"]).expect(201).json["id"]
        api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
        other.wait_for(1)
        eventually(lambda: gate.now == 5)
        before = turns(api)
        time.sleep(1)
        assert turns(api) - before < 100 * int(threads), "the loops must sleep while endpoints wait"
        assert gate.most == 5 and usage(api)["address_requests"] == {"used": 5, "allowed": 5}
        assert metrics(api)[0]["tenterhook_requests_in_flight"] == 5
        waiting = deliveries(api, status="pending")
        assert len(waiting) == 40 and all(row["attempt_count"] == 0 for row in waiting)
        api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)  # others go on
        other.wait_for(2)
        running.api.put("/v1/tenants/u", {}).expect(201)
        second = running.api.as_tenant("u")
        named(second, target, 40, "o")
        second.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
        eventually(lambda: gate.now == 10)
        gate.opened.set()
        target.wait_for(120)
        rows = eventually(lambda: (lambda all: all if len(all) == 82 else None)(deliveries(api, status="delivered")))
        assert {row["attempt_count"] for row in rows} == {1} and free in {row["endpoint"] for row in rows}
        assert gate.most == 10 and usage(api)["address_requests"]["used"] == 0


@THREADS
def test_endpoints_that_wait_for_an_address_can_be_paused_and_deleted_and_the_limit_raised(server, receiver, threads):
    gate = Gate()
    target = receiver(gate)
    with Dns({f"n{n}.example.com": [["127.0.0.1"]] for n in range(12)}) as dns:
        _, api = operator(server, "--dns-servers", dns.address, "--threads", threads)
        limits(api, address_requests=2)
        made = named(api, target, 12, timeout_seconds=30)
        api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
        eventually(lambda: gate.now == 2)
        served = {request.header("Host").split(".")[0] for request in target.requests}
        waiting = [id for n, id in enumerate(made) if f"n{n}" not in served]
        api.delete(f"/v1/webhooks/{waiting[0]}").expect(204)
        api.patch(f"/v1/webhooks/{waiting[1]}", {"active": False}).expect(200)
        api.post(f"/v1/webhooks/{waiting[2]}/test", {}).expect(202)  # tests do not wait, and do not count
        eventually(lambda: gate.now == 3)
        api.delete(f"/v1/webhooks/{next(id for id in made if id not in waiting)}").expect(204)
        eventually(lambda: gate.now == 4, timeout_s=10)  # the place of the request that was cancelled is another's
        limits(api, address_requests=6)
        eventually(lambda: gate.now == 8)
        limits(api, address_requests=0)
        eventually(lambda: gate.now == 11)
        gate.opened.set()
        api.patch(f"/v1/webhooks/{waiting[1]}", {"active": True}).expect(200)
        eventually(lambda: len(deliveries(api, status="delivered")) == 10)


@THREADS
def test_a_name_goes_to_its_address_that_has_room(server, threads):
    gate, free = Gate(), Gate()
    free.opened.set()
    with Receiver(gate, host="127.0.0.2") as full, Receiver(free, host="127.0.0.3", port=full.port) as roomy, \
            Dns({"n0.example.com": [["127.0.0.2"]], "m0.example.com": [["127.0.0.2", "127.0.0.3"]]}) as dns:
        _, api = operator(server, "--address-requests", "1", "--dns-servers", dns.address, "--threads", threads)
        named(api, full, 1)
        api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
        eventually(lambda: gate.now == 1)
        named(api, full, 1, "m")
        api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
        roomy.wait_for(1)
        gate.opened.set()
        eventually(lambda: len(deliveries(api, status="delivered")) == 3)
