"""Lists that are written in parts: the same rows as in one piece, cursors, memory, clients that read slowly or leave."""
import json
import re
import socket
import time

import pytest
from harness.expect import eventually, problem
from harness.receiver import Receiver
from harness.server import Server
from harness.stream import Reader, Stream
from test_streams import endpoint, metric, publish, raw


def names(page):
    return [(row["delivery"], row["number"]) if "delivery" in row else row["id"] for row in page["data"]]


def everything(api, path):
    """The names of all rows, newest first, in small pages."""
    found, cursor = [], ""
    while cursor is not None:
        page = api.get(f"{path}?limit=50{cursor and '&cursor=' + cursor}")
        assert page.header("Content-Length") and not page.header("Transfer-Encoding")
        found += names(page.json)
        cursor = page.json["next_cursor"]
    return found


@pytest.fixture(scope="module")
def filled(shared):
    """2300 events whose deliveries have ended, at an endpoint that does not exist any more for the receiver: refused at once."""
    api = shared.api
    api.put("/v1/tenants/default", {}).expect(200, 201)
    free = socket.create_server(("127.0.0.1", 0))
    webhook = api.post("/v1/webhooks", {"url": f"http://127.0.0.1:{free.getsockname()[1]}/"}).expect(201).json["id"]
    free.close()
    stream = Stream(api, "/v1/attempts/stream")
    stream.close()
    publish(api, 2300)
    deadline = time.monotonic() + 120
    while metric(api, "tenterhook_attempts_total") < 2300:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    api.patch(f"/v1/webhooks/{webhook}", {"active": False}).expect(200)
    time.sleep(0.5)
    return api, webhook, stream.last_id


@pytest.mark.parametrize("path", ["/v1/events", "/v1/deliveries", "/v1/attempts", "/v1/webhooks/ID/deliveries"])
def test_a_list_in_parts_has_the_rows_of_one_in_pieces(filled, path):
    api, webhook, _ = filled
    path = path.replace("ID", webhook)
    small = everything(api, path)
    large, cursor, pages = [], "", 0
    while cursor is not None:
        answer = api.get(f"{path}?limit=1000{cursor and '&cursor=' + cursor}").expect(200)
        assert len(answer.body) < 1_100_000
        large += names(answer.json)
        cursor, pages = answer.json["next_cursor"], pages + 1
        if pages == 1:
            assert answer.header("Transfer-Encoding") == "chunked" and answer.header("Content-Type") == "application/json"
    assert large == small and len(set(large)) == len(large) >= 2300
    assert 3 <= pages <= 6
    head = api.request("HEAD", f"{path}?limit=1000")
    assert head.status == 200 and head.body == b""
    assert len(api.get(f"{path}?limit=129").json["data"]) == 129
    assert len(api.get(f"{path}?limit=128").json["data"]) == 128


def test_after_of_a_long_list_is_where_it_began(filled):
    """Whoever goes on there misses nothing that came while the list was written."""
    api, *_ = filled
    assert api.get("/v1/attempts?limit=1000").json["after"] == api.get("/v1/attempts?limit=1").json["after"]


@pytest.mark.parametrize("path", ["/v1/events", "/v1/attempts"])
def test_upwards_in_parts_too(filled, path):
    """From where it was when there was nothing yet: all of it, once, in order, and what has come since."""
    api, _, begun = filled
    begin = Stream(api, path + "/stream")
    after, more, up, ids = begin.last_id, True, [], []
    begin.close()
    if path == "/v1/events":  # the endpoint is paused: what follows makes no attempts
        ids = publish(api, 1500)
    else:
        after = begun
    while more:
        page = api.get(f"{path}?limit=1000&after={after}").expect(200).json
        up += names(page)
        after, more = page["after"], page["more"]
        assert page["next_cursor"] is None
    assert up == (ids or everything(api, path)[::-1]) and len(up) >= 1500
    assert api.get(f"{path}?limit=1000&after={after}").json["data"] == []


def test_http_1_0_gets_the_whole_list(filled):
    api, *_ = filled
    sock = raw(api, "/v1/events?limit=1000", version="1.0")
    data = b""
    while more := sock.recv(65536):
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    assert b"Connection: close" in head and b"chunked" not in head
    assert len(json.loads(body)["data"]) == 1000


@pytest.mark.release
def test_slow_readers_of_lists_cost_a_part_each_and_hold_nobody_up(server, receiver):
    made, hook = server(), receiver()
    api = made.api
    endpoint(api, hook)
    publish(api, 3000, resource_id="x" * 200, resource_type="y" * 100)
    hook.wait_for(3000, 60)
    api.get("/v1/deliveries?limit=1000").expect(200)
    before = rss_kib(made)
    lazy = [raw(api, path, rcvbuf=4096) for path in ("/v1/events?limit=1000", "/v1/deliveries?limit=1000") for _ in range(100)]
    time.sleep(2)
    began = time.monotonic()
    assert len(api.get("/v1/events?limit=1000").expect(200).json["data"]) == 1000
    assert time.monotonic() - began < 2  # although 200 have a list under way
    assert rss_kib(made) - before < 200 * 260 + 10_000, "KiB more than before"
    for sock in lazy[::2]:
        sock.close()
    whole = lazy[1]
    whole.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    data = b""
    while not data.endswith(b"0\r\n\r\n"):
        data += whole.recv(65536)
    assert data.count(b'"created_at"') == 1000


def rss_kib(made):
    with open(f"/proc/{made.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


# ---- of all tenants ----

ALL = ("/v1/events", "/v1/deliveries", "/v1/attempts", "/v1/webhooks")


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A server with three tenants of two dialects, of which one has been deleted, and something of everything in each."""
    with Server(tmp_path_factory.mktemp("several")) as running, Receiver(answer=lambda request: 503 if request.target == "/down" else 200) as hook:
        api, ids = running.api, {}
        for tenant, dialect in (("one", "standard"), ("two", "taskboard"), ("gone", "standard")):
            api.put(f"/v1/tenants/{tenant}", {"dialect": dialect}).expect(201)
            own = api.as_tenant(tenant)
            own.request("POST", "/v1/webhooks", {"url": hook.url("/"), "events": ["task.created"]}, headers={"Tenterhook-Form": "native"}).expect(201)
            own.request("POST", "/v1/webhooks", {"url": hook.url("/down"), "events": ["task.created"]}, headers={"Tenterhook-Form": "native"}).expect(201)
            ids[tenant] = [own.post("/v1/events", {"type": "task.created", "data": {}}).expect(202).json["id"] for _ in range(7)]
        for tenant in ids:
            eventually(lambda own=api.as_tenant(tenant): len(listed(own, "/v1/attempts", "&limit=100")) >= 14)
        api.delete("/v1/tenants/gone").expect(204)
        eventually(lambda: api.get("/v1/tenants/gone").status == 404)
        yield running, ids


def listed(api, path, query="", **headers):
    """All rows of a list, page by page."""
    rows, cursor, size = [], "", re.search(r"limit=(\d+)", query)
    while cursor is not None:
        page = api.request("GET", f"{path}?{'' if size else 'limit=1000'}{query}{cursor and '&cursor=' + cursor}", None, {"Tenterhook-Form": "native", **headers}).expect(200).json
        rows += page["data"]
        cursor = page["next_cursor"]
    return rows


@pytest.mark.parametrize("path", ALL)
def test_a_list_of_all_tenants_has_the_rows_of_each(several, path):
    running, _ = several
    wait_quiet = lambda: listed(running.api, path, "&all_tenants=true")  # noqa: E731
    for _ in range(20):  # attempts may come between two looks
        whole = wait_quiet()
        each = [{"tenant": tenant, **row} for tenant in ("one", "two") for row in listed(running.api.as_tenant(tenant), path)]
        if len(whole) == len(each) == len(wait_quiet()):
            break
    key = lambda row: json.dumps(row, sort_keys=True)  # noqa: E731
    volatile = ("next_attempt_at", "last_attempt", "attempt_count", "delivery_status", "status", "degraded")
    bare = lambda rows: sorted(({k: v for k, v in row.items() if k not in volatile} for row in rows), key=key)  # noqa: E731
    assert bare(whole) == bare(each) and {row["tenant"] for row in whole} == {"one", "two"}
    for size in (1, 5):
        some = listed(running.api, path, f"limit={size}&all_tenants=true")
        known = {names({"data": [row]})[0] for row in whole}
        got = [name for row in some for name in names({"data": [row]})]
        assert len(got) == len(set(got)) and known <= set(got)
    assert not any("tenant" in row for row in listed(running.api.as_tenant("one"), path)) or path == "/v1/events"


def test_filters_of_a_list_of_all_tenants(several):
    running, ids = several
    api = running.api
    held = next(row for row in listed(api, "/v1/webhooks", "&all_tenants=true") if row["tenant"] == "two" and row["url"].endswith("/down"))
    assert {row["tenant"] for row in listed(api, "/v1/deliveries", f"&all_tenants=true&endpoint={held['id']}")} == {"two"}
    event = ids["one"][3]
    assert [row["tenant"] for row in listed(api, "/v1/deliveries", f"&all_tenants=true&event={event}")] == ["one", "one"]
    waiting = listed(api, "/v1/deliveries", "&all_tenants=true&status=retrying,pending")
    assert len(waiting) == 14 and {row["tenant"] for row in waiting} == {"one", "two"}
    assert {row["status"] for row in listed(api, "/v1/deliveries", "&all_tenants=true&status=delivered")} == {"delivered"}
    assert {row["status"] for row in listed(api, "/v1/attempts", "&all_tenants=true&status_code=503")} == {503}
    api.as_tenant("two").request("PATCH", f"/v1/webhooks/{held['id']}", {"active": False}, headers={"Tenterhook-Form": "native"}).expect(200)
    eventually(lambda: [row["tenant"] for row in listed(api, "/v1/deliveries", "&all_tenants=true&status=held")] == ["two"] * 7)


@pytest.mark.parametrize("path", [*ALL, "/v1/events/stream", "/v1/attempts/stream"])
def test_who_may_see_all_tenants(several, path):
    running, _ = several
    api = running.api
    key = api.post("/v1/tenants/one/keys", {"scopes": ["webhooks:read", "webhooks:manage", "answers:read"]}).expect(201).json["key"]
    refused = api.with_key(key).get(path + "?all_tenants=true")
    assert problem(refused, 403)["detail"] == "query parameter all_tenants: needs the operator's key"
    refused = api.as_tenant("one").get(path + "?all_tenants=true")
    assert "names one tenant" in problem(refused, 400)["detail"]
    assert problem(api.get(path + "?all_tenants=perhaps"), 400)["errors"][0]["detail"] == "must be true or false"
    if path in ALL:
        reader = api.post("/v1/keys", {"role": "read-only", "name": "reader"}).expect(201).json["key"]
        assert {row["tenant"] for row in listed(api.with_key(reader), path, "&all_tenants=true")} == {"one", "two"}
        cursor = api.get(path + "?all_tenants=true&limit=1").expect(200).json["next_cursor"]
        assert problem(api.get(f"{path}?cursor={cursor}"), 400)


def test_streams_of_all_tenants(several):
    running, _ = several
    api = running.api
    readers = [Reader(api, path + "?all_tenants=true") for path in ("/v1/events/stream", "/v1/attempts/stream")]
    alone = Reader(api.as_tenant("one"), "/v1/events/stream")
    sent = {tenant: api.as_tenant(tenant).post("/v1/events", {"type": "task.created", "data": {}}).expect(202).json["id"] for tenant in ("one", "two")}
    assert {(row["tenant"], row["id"]) for row in readers[0].wait(2)} == set(sent.items())
    eventually(lambda: {(row["tenant"], row["event"]) for row in readers[1].seen} >= set(sent.items()))
    assert [row["id"] for row in alone.wait(1)] == [sent["one"]]
