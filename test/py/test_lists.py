"""Lists that are written in parts: the same rows as in one piece, cursors, memory, clients that read slowly or leave."""
import json
import socket
import time

import pytest
from harness.stream import Stream
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
