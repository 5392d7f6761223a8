"""Streams of attempts and of events through real sockets: what comes, filters, going on after a loss, slow clients, limits, and what
ends a stream."""
import json
import socket
import subprocess
import threading
import time

import pytest
from harness.client import Api
from harness.command import tenterhook
from harness.receiver import Reply
from harness.server import binary_path, clean_env
from harness.stream import Reader, Refused, Stream

BOTH = ("/v1/attempts/stream", "/v1/events/stream")


def publish(api, n, type="order.created", **fields):
    """Ids of n events."""
    ids = []
    while n > 0:
        some = [{"type": type, "data": {}, **fields} for _ in range(min(n, 1000))]
        ids += [e["id"] for e in api.post("/v1/events/batch", some).expect(202).json]
        n -= len(some)
    return ids


def endpoint(api, receiver, **fields):
    return api.post("/v1/webhooks", {"url": receiver.url("/"), **fields}).expect(201).json["id"]


def listed(api, path="/v1/attempts", query=""):
    """All rows, oldest first, without what changes after an attempt."""
    rows, cursor = [], ""
    while cursor is not None:
        page = api.get(f"{path}?limit=1000{query}{cursor and '&cursor=' + cursor}").expect(200).json
        rows += page["data"]
        cursor = page["next_cursor"]
    return rows[::-1]


def name(row):
    return (row["delivery"], row["number"]) if "delivery" in row else row["id"]


# ---- what comes ----


def test_attempts_and_events_come_as_the_lists_show_them(server, receiver):
    api, hook = server().api, receiver()
    endpoint(api, hook)
    attempts, events = (Reader(api, path) for path in BOTH)
    ids = publish(api, 25)
    assert [e["id"] for e in events.wait(25)] == ids
    assert events.seen == listed(api, "/v1/events")
    attempts.wait(25)
    assert attempts.seen == listed(api)
    time.sleep(0.3)
    assert len(events.seen) == len(attempts.seen) == 25


def test_only_what_came_since_is_shown_and_tests_are_left_out(server, receiver):
    api, hook = server().api, receiver()
    webhook = endpoint(api, hook)
    publish(api, 3)
    hook.wait_for(3)
    while len(listed(api)) < 3:
        time.sleep(0.02)
    plain, tests = Reader(api, BOTH[0]), Reader(api, BOTH[0] + "?include_tests=true")
    all_events = Reader(api, BOTH[1] + "?include_tests=true")
    api.post(f"/v1/webhooks/{webhook}/test").expect(202)
    publish(api, 1, "later")
    assert [a["event_type"] for a in tests.wait(2)] == ["webhook.test", "later"]
    assert [a["event_type"] for a in plain.wait(1)] == ["later"]
    assert [e.get("test") for e in all_events.wait(2)] == [True, None]


def test_filters_are_those_of_the_list(server, receiver):
    api, good, bad = server().api, receiver(), receiver().script(Reply(503))
    first, second = endpoint(api, good), endpoint(api, bad, events=["a.*"])
    queries = [f"endpoint={first}", f"endpoint={second}", "event_type=a.*", "outcome=failed_status", "status_code=5xx",
               "outcome=success&event_type=b.x", "endpoint=nothing", "event=nothing"]
    readers = {q: Reader(api, f"{BOTH[0]}?{q}") for q in queries}
    everything = Reader(api, BOTH[0])
    events = Reader(api, BOTH[1] + "?event_type=a.*")
    publish(api, 4, "a.x")
    publish(api, 3, "b.x")
    everything.wait(11)
    time.sleep(0.4)
    want = {q: listed(api, query=f"&{q}") for q in queries}
    assert [len(want[q]) for q in queries] == [7, 4, 8, 4, 4, 3, 0, 0]
    for q in queries:
        assert list(map(name, readers[q].seen)) == list(map(name, want[q])), q
    assert [e["type"] for e in events.wait(4)] == ["a.x"] * 4


@pytest.mark.parametrize("query", ["outcome=odd", "status_code=9", "event_type=a%20b", "include_tests=x", "after=x", "odd=1",
                                   "after=a&after=b"])
def test_wrong_queries_are_told_as_by_the_list(shared, query):
    def told(path):
        problem = shared.api.get(f"{path}?{query}").expect(400).json
        return problem["detail"].split("; known:")[0], [e["detail"].split("; known:")[0] for e in problem.get("errors", [])]
    assert told("/v1/attempts") == told("/v1/attempts/stream")


def test_a_tenant_sees_its_own_alone(server, receiver):
    operator, hook = server().api, receiver()
    keys = {}
    for tenant in ("one", "two"):
        operator.put(f"/v1/tenants/{tenant}", {}).expect(200, 201)
        body = {"scopes": ["webhooks:read"]}
        keys[tenant] = operator.with_key(operator.post(f"/v1/tenants/{tenant}/keys", body).expect(201).json["key"])
        endpoint(operator.as_tenant(tenant), hook)
    readers = {t: [Reader(keys[t], path) for path in BOTH] for t in keys}
    ids = {t: publish(operator.as_tenant(t), 5) for t in keys}
    for t in keys:
        assert [e["id"] for e in readers[t][1].wait(5)] == ids[t]
        assert sorted(a["event"] for a in readers[t][0].wait(5)) == sorted(ids[t])
    only_publish = operator.post("/v1/tenants/one/keys", {"scopes": ["events:publish"]}).expect(201).json["key"]
    for path in BOTH:
        assert operator.with_key(only_publish).get(path).status == 403
        assert Api(operator.port).get(path).status == 401


def test_many_streams_get_everything_once(server, receiver):
    made = server(flags=["--key-streams", "300"])
    api, hook = made.api, receiver()
    endpoint(api, hook)
    endpoint(api, hook, events=["b.*"])
    paths = [BOTH[0], BOTH[0] + "?event_type=b.*", BOTH[1], BOTH[0] + "?outcome=success"]
    readers = [Reader(api, paths[i % 4]) for i in range(200)]
    assert metric(api, "tenterhook_http_streams_open") == 200
    for _ in range(10):
        publish(api, 20, "a.x")
        publish(api, 20, "b.x")
        time.sleep(0.15)
    want = {p: list(map(name, listed(api, p.split("?")[0][:-len("/stream")], "&" + p.partition("?")[2]))) for p in paths}
    deadline = time.monotonic() + 60
    while len(listed(api)) < 600 and time.monotonic() < deadline:
        time.sleep(0.2)
    for p in paths:
        want[p] = list(map(name, listed(api, p.split("?")[0][:-len("/stream")], "&" + p.partition("?")[2])))
    assert [len(want[p]) for p in paths] == [600, 400, 400, 600]
    for r in readers:
        assert list(map(name, r.wait(len(want[r.path]), 60))) == want[r.path]


def metric(api, wanted):
    text = api.get("/metrics").expect(200).body.decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.split("{")[0].split()[0] == wanted)


def test_a_quiet_stream_gets_a_comment_and_the_place_where_it_is(server, receiver):
    api = server().api
    stream = Stream(api, BOTH[1] + "?event_type=never", timeout_s=40)
    first = stream.last_id
    publish(api, 3, "other")
    began = time.monotonic()
    while not stream.comments:
        assert stream._field() is not None
    assert 13 < time.monotonic() - began < 25
    stream._field()
    assert stream.last_id != first  # what others got is not looked at again by one who comes back
    assert not [m for m in api.get(f"/v1/events?event_type=never&after={stream.last_id}").expect(200).json["data"]]


# ---- going on ----


@pytest.mark.parametrize("path", BOTH)
def test_whoever_comes_back_misses_nothing(server, receiver, path):
    api, hook = server().api, receiver()
    endpoint(api, hook)
    stream = Stream(api, path)
    before_any = stream.last_id
    publish(api, 5)
    seen = [name(m.data) for m in stream.take(3)]
    last = stream.last_id
    stream.close()
    publish(api, 2500)
    hook.wait_for(2505, 60)
    back = Stream(api, path, last_id=last)
    seen += [name(m.data) for m in back.take(2502)]
    publish(api, 2)
    seen += [name(m.data) for m in back.take(2)]
    assert len(set(seen)) == len(seen) == 2507
    in_list = [name(r) for r in listed(api, path[:-len("/stream")])]
    assert seen == in_list
    # the same by the parameter, from the first id on, which came before any row
    again = Stream(api, f"{path}?after={before_any}")
    assert [name(m.data) for m in again.take(2507)] == in_list
    # the field has the last word: EventSource asks for the same URL again
    later = Stream(api, f"{path}?after={before_any}", last_id=last)
    assert name(next(later).data) == in_list[3]
    # and an id is what lists take
    page = api.get(f"{path[:-len('/stream')]}?limit=10&after={last}").expect(200).json
    assert [name(r) for r in page["data"]] == in_list[3:13] and page["more"] is True


def test_a_cursor_of_other_filters_is_refused(server):
    api = server().api
    stream = Stream(api, BOTH[0])
    with pytest.raises(Refused) as refused:
        Stream(api, BOTH[0] + "?outcome=success", last_id=stream.last_id)
    assert refused.value.status == 400 and b"Last-Event-ID" in refused.value.body
    with pytest.raises(Refused) as refused:
        Stream(api, BOTH[1], last_id=stream.last_id)
    assert refused.value.status == 400


def test_kills_of_the_server_leave_no_gap_and_no_repetition(server, receiver):
    made, hook = server(), receiver()
    endpoint(made.api, hook)
    made.listen = f"127.0.0.1:{made.port}"
    readers = [Reader(made.api, path, again=True) for path in BOTH]
    stop, accepted = threading.Event(), []

    def publisher():
        own = Api(made.port, made.admin_key)
        while not stop.is_set():
            try:
                answer = own.post("/v1/events", {"type": "a.b", "data": {}})
                if answer.status == 202:
                    accepted.append(answer.json["id"])
            except Exception:  # it is being started again
                own.close()
                time.sleep(0.02)

    thread = threading.Thread(target=publisher)
    thread.start()
    for _ in range(4):
        time.sleep(1)
        made.kill()
        made.start()
    time.sleep(0.5)
    stop.set()
    thread.join()
    api = made.api
    deadline = time.monotonic() + 60
    while len({a["event"] for a in listed(api)}) < len(accepted) and time.monotonic() < deadline:
        time.sleep(0.2)
    attempts, events = list(map(name, listed(api))), list(map(name, listed(api, "/v1/events")))
    assert set(accepted) <= set(events) and len(accepted) > 50
    assert list(map(name, readers[0].wait(len(attempts)))) == attempts
    assert list(map(name, readers[1].wait(len(events)))) == events
    assert all(r.opened >= 5 and not r.gaps for r in readers)


# ---- clients that are slow, or gone ----


def raw(api, path, rcvbuf=None, version="1.1", fields=""):
    sock = socket.socket()
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    sock.connect((api.host, api.port))
    sock.settimeout(30)
    sock.sendall(f"GET {path} HTTP/{version}\r\nHost: a\r\nAuthorization: Bearer {api.key}\r\n{fields}\r\n".encode())
    return sock


def test_a_slow_client_is_told_of_the_gap_and_others_are_not_held_up(server, receiver):
    api, hook = server().api, receiver()
    webhook = endpoint(api, hook)
    slow = raw(api, BOTH[0], rcvbuf=4096, version="1.0")
    fast = Reader(api, BOTH[0])
    data = b""
    while b"id: " not in data:
        data += slow.recv(4096)
    began = time.monotonic()
    while time.monotonic() - began < 14:
        publish(api, 200)
        data += slow.recv(1000)
        time.sleep(0.1)
    n = len(listed(api))
    fast.wait(n, 60)
    assert fast.gaps == [] and n > 3000
    while b"event: gap" not in data:
        more = slow.recv(65536)
        assert more, data[-300:]
        data += more
    before, _, behind = data.partition(b"event: gap\n")
    while behind.count(b"\n\n") < 1:
        behind += slow.recv(65536)
    fields = dict(line.split(": ", 1) for line in behind.split(b"\n\n")[0].decode().splitlines())
    after = json.loads(fields["data"])["after"]
    rows = [json.loads(line[6:]) for line in before.decode().splitlines() if line.startswith("data: ")]
    in_list = list(map(name, listed(api)))
    assert list(map(name, rows)) == in_list[:len(rows)]  # nothing is lost before the gap
    assert len(rows) < len(in_list)
    page = api.get(f"/v1/attempts?limit=3&after={after}").expect(200).json  # and the cursor leads to what is lost
    assert list(map(name, page["data"])) == in_list[len(rows):len(rows) + 3]
    assert metric(api, "tenterhook_http_stream_gaps_total") == 1
    api.patch(f"/v1/webhooks/{webhook}", {"description": "the next"}).expect(200)
    ids = publish(api, 1, "after.the.gap")
    while b"after.the.gap" not in behind:
        behind += slow.recv(65536)
    assert ids[0].encode() in behind


@pytest.mark.release
def test_clients_that_never_read_cost_little(server, receiver):
    made = server(flags=["--key-streams", "300"])
    api, hook = made.api, receiver()
    endpoint(api, hook)
    publish(api, 2000)
    hook.wait_for(2000, 60)
    before = rss_kib(made)
    lazy = [raw(api, path, rcvbuf=4096) for path in BOTH for _ in range(100)]
    reader = Reader(api, BOTH[0])
    for _ in range(30):
        publish(api, 100)
        time.sleep(0.1)
    reader.wait(3000, 60)
    # 64 KiB for each at most, and what the requests themselves take
    assert rss_kib(made) - before < 200 * 100 + 20_000
    del lazy


def rss_kib(made):
    with open(f"/proc/{made.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def test_a_client_that_leaves_gives_its_place_back(server):
    api = server().api
    streams = [Stream(api, path) for path in BOTH for _ in range(5)]
    assert metric(api, "tenterhook_http_streams_open") == 10
    for s in streams:
        s.close()
    deadline = time.monotonic() + 10
    while metric(api, "tenterhook_http_streams_open"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_http_1_0_and_head(server, receiver):
    api, hook = server().api, receiver()
    endpoint(api, hook)
    old = raw(api, BOTH[1], version="1.0")
    data = b""
    while b"id: " not in data:
        data += old.recv(4096)
    assert b"Connection: close\r\n" in data and b"chunked" not in data
    ids = publish(api, 2)
    while ids[1].encode() not in data:
        data += old.recv(4096)
    head = raw(api, BOTH[1], fields="Connection: close\r\n")
    head.close()
    answer = api.request("HEAD", BOTH[1])
    assert answer.status == 200 and answer.body == b"" and answer.header("Content-Type") == "text/event-stream"


def test_over_tls(tls_server, certificates, receiver):
    made = tls_server()
    api = made.api
    stream = Stream(api, BOTH[1], tls=certificates.ca)
    body = json.dumps({"type": "over.tls", "data": {}})
    said = tenterhook("send", "over.tls", "{}", env={"TENTERHOOK_SERVER": f"https://127.0.0.1:{made.port}",
                                                    "TENTERHOOK_KEY": made.admin_key, "TENTERHOOK_CA_FILE": str(certificates.ca),
                                                    "SSL_CERT_FILE": str(certificates.ca)})
    assert said.status == 0, (said, body)
    assert next(stream).data["type"] == "over.tls"
    assert made.stop() == 0
    assert [m.event for m in stream] == ["end"]


# ---- limits ----


def test_streams_have_a_limit_by_key_and_in_all(server):
    operator = server(flags=["--key-streams", "2", "--streams", "3"]).api
    operator.put("/v1/tenants/one", {}).expect(200, 201)
    key = operator.post("/v1/tenants/one/keys", {"scopes": ["webhooks:read"]}).expect(201).json["key"]
    tenant = operator.with_key(key)
    streams = [Stream(tenant, BOTH[0]), Stream(tenant, BOTH[1])]
    refused = tenant.get(BOTH[0]).expect(429)
    assert int(refused.header("Retry-After")) > 0 and "with this key" in refused.json["detail"]
    streams.append(Stream(operator, BOTH[0]))
    refused = operator.get(BOTH[0]).expect(503)
    assert int(refused.header("Retry-After")) > 0 and "at once" in refused.json["detail"]
    streams.pop(0).close()
    deadline = time.monotonic() + 10
    while True:
        try:
            streams.append(Stream(tenant, BOTH[0]))
            break
        except Refused:
            assert time.monotonic() < deadline
            time.sleep(0.05)


# ---- the end ----


def test_the_end_of_a_key_ends_its_streams(server):
    operator = server().api
    operator.put("/v1/tenants/one", {}).expect(200, 201)
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
    made = [operator.post("/v1/tenants/one/keys", {"scopes": ["webhooks:read"], **more}).expect(201).json
            for more in ({}, {"expires_at": ends}, {})]
    streams = [Stream(operator.with_key(key["key"]), path, patience=1) for key in made for path in BOTH]
    others = [Stream(operator.as_tenant("one"), path, patience=1) for path in BOTH]
    operator.request("DELETE", f"/v1/tenants/one/keys/{made[0]['id']}").expect(204)
    for s in streams[:2]:
        assert [(m.event, m.data) for m in s] == [("end", {"reason": "key_deleted"})]
    for s in streams[2:4]:
        assert [(m.event, m.data) for m in s] == [("end", {"reason": "key_expired"})]
    publish(operator.as_tenant("one"), 1, "still.there")
    assert next(streams[5]).data["type"] == next(others[1]).data["type"] == "still.there"
    operator.request("DELETE", "/v1/tenants/one").expect(204)
    assert next(streams[4]).data["reason"] in ("tenant_deleted", "key_deleted")
    for s in others:
        assert next(s).data == {"reason": "tenant_deleted"}
        assert list(s) == []


def test_a_stop_says_so_and_waits_for_nobody(server, receiver):
    made, hook = server(), receiver()
    endpoint(made.api, hook)
    streams = [Stream(made.api, path) for path in BOTH for _ in range(20)]
    lazy = raw(made.api, BOTH[0])  # reads nothing
    publish(made.api, 3)
    hook.wait_for(3)
    time.sleep(0.5)
    began = time.monotonic()
    assert made.stop() == 0
    assert time.monotonic() - began < 8
    for s in streams:
        *rows, last = list(s)
        assert len(rows) == 3 and last.event == "end" and last.data == {"reason": "stopping"}
    lazy.close()


# ---- tail ----


def test_tail_follows_the_stream_over_a_kill(server, receiver, tmp_path):
    made, hook = server(), receiver()
    endpoint(made.api, hook)
    made.listen = f"127.0.0.1:{made.port}"
    path = tmp_path / "tail"
    with path.open("w") as out:
        tail = subprocess.Popen([binary_path(), "tail", "--json", "--last", "0", "--every", "50ms"], stdout=out, stderr=subprocess.PIPE,
                                env=clean_env({"TENTERHOOK_SERVER": f"http://127.0.0.1:{made.port}", "TENTERHOOK_KEY": made.admin_key}))
    try:
        deadline = time.monotonic() + 20
        while metric(made.api, "tenterhook_http_streams_open") < 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        publish(made.api, 40)
        hook.wait_for(40)
        made.kill()
        made.start()
        publish(made.api, 40)
        while len(in_list := listed(made.api)) < 80 or len(path.read_text().splitlines()) < len(in_list):
            assert time.monotonic() < deadline + 20, (len(in_list), len(path.read_text().splitlines()))
            time.sleep(0.1)
        time.sleep(0.3)
        assert list(map(name, map(json.loads, path.read_text().splitlines()))) == list(map(name, in_list))
    finally:
        tail.kill()
        tail.communicate()


# ---- at most so many rows in a second ----


def told(messages):
    """What a stream with max_rate has said: names of the rows shown, and how many it has skipped."""
    return [name(m.data) for m in messages if m.event not in ("skipped", "gap")], sum(m.data["count"] for m in messages if m.event == "skipped")


def until_all(stream, n):
    """Messages until rows shown and rows skipped are n."""
    messages = []
    while len(told(messages)[0]) + told(messages)[1] < n:
        messages.append(next(stream))
    return messages


@pytest.mark.parametrize("path", BOTH)
def test_max_rate_shows_some_rows_and_counts_the_others(server, receiver, path):
    api, hook = server().api, receiver()
    endpoint(api, hook)
    stream, plain = Stream(api, f"{path}?max_rate=7", patience=1), Reader(api, path)
    for _ in range(3):
        publish(api, 400)
        time.sleep(0.4)
    messages = until_all(stream, 1200)
    everything = list(map(name, plain.wait(1200)))
    shown, skipped = told(messages)
    assert len(shown) + skipped == 1200 and {m.event for m in messages} == {path.split("/")[2][:-1], "skipped"}
    assert 7 <= len(shown) < 600  # a machine must be slow by far to take a minute and a half for this
    # each notice leads to what it has left out, in the list with the same filters and in order
    at = 0
    for m in messages:
        if m.event != "skipped":
            assert name(m.data) == everything[at]
            at += 1
            continue
        page = api.get(f"{path[:-len('/stream')]}?limit=100&after={m.data['after']}").expect(200).json["data"]
        count = min(m.data["count"], 100)
        assert list(map(name, page[:count])) == everything[at:at + count]
        at += m.data["count"]
    assert at == 1200
    # then a few are shown all again
    while publish(api, 1, "later") and (m := next(stream)).event == "skipped":
        pass
    assert m.data.get("event_type", m.data.get("type")) == "later"


def test_who_comes_again_after_a_skip_misses_nothing(server, receiver):
    api, hook = server().api, receiver()
    endpoint(api, hook)
    shown, skipped, ids, last = [], 0, [], Stream(api, BOTH[0] + "?max_rate=5").last_id
    for stop_at in ("attempt", "skipped", "attempt", "skipped"):
        publish(api, 150)
        stream, messages = Stream(api, BOTH[0] + "?max_rate=5", last_id=last, patience=1), []
        while not messages or messages[-1].event != stop_at:
            messages.append(next(stream))
        stream.close()  # what has come behind is not known to have been seen
        shown, skipped = shown + told(messages)[0], skipped + told(messages)[1]
        last = messages[-1].id
        ids += [m.id for m in messages]
    hook.wait_for(600, 60)
    rest = until_all(Stream(api, BOTH[0] + "?max_rate=5", last_id=last, patience=1), 600 - len(shown) - skipped)
    shown, skipped = shown + told(rest)[0], skipped + told(rest)[1]
    everything = list(map(name, listed(api)))
    assert len(shown) + skipped == 600 == len(everything) and len(set(shown)) == len(shown)
    assert [n for n in everything if n in set(shown)] == shown and len(set(ids)) == len(ids)
    # the cursor is that of the plain stream and of the list
    assert name(next(Stream(api, BOTH[0], last_id=ids[0])).data) == everything[1]
    assert api.get(f"/v1/attempts?after={last}").expect(200)


def test_streams_of_one_view_with_and_without_a_bound_do_not_disturb_each_other(server, receiver):
    api, hook = server().api, receiver()
    endpoint(api, hook)
    paths = [BOTH[0] + q for q in ("?max_rate=3", "", "?max_rate=40", "?max_rate=3&event_type=b.*", "?event_type=b.*")]
    bounded = {p: Stream(api, p, patience=1) for p in paths if "max_rate" in p}
    readers = [Reader(api, p) for p in paths if "max_rate" not in p]
    for _ in range(4):
        publish(api, 60, "a.x")
        publish(api, 60, "b.x")
    everything, some = [list(map(name, r.wait(n))) for r, n in zip(readers, (480, 240))]
    assert everything == list(map(name, listed(api))) and some == list(map(name, listed(api, query="&event_type=b.*")))
    for p, stream in bounded.items():
        shown, skipped = told(until_all(stream, 240 if "b.*" in p else 480))
        assert len(shown) + skipped == (240 if "b.*" in p else 480)
        assert [n for n in (some if "b.*" in p else everything) if n in set(shown)] == shown


@pytest.mark.parametrize("bad", ["0", "1001", "-1", "x", "1.5", ""])
def test_a_wrong_max_rate_is_told(shared, bad):
    problem = shared.api.get(f"{BOTH[0]}?max_rate={bad}").expect(400).json
    assert problem["errors"][0]["parameter"] == "max_rate" and "from 1 to 1000" in problem["errors"][0]["detail"]


def test_a_slow_client_with_max_rate_gets_everything_in_rows_notices_or_a_gap(server, receiver):
    api, hook = server().api, receiver()
    endpoint(api, hook)
    slow = raw(api, BOTH[0] + "?max_rate=1000", rcvbuf=4096, version="1.0")
    data = b""
    while b"id: " not in data:
        data += slow.recv(4096)
    began = time.monotonic()
    while time.monotonic() - began < 14:
        publish(api, 200)
        data += slow.recv(1000)
        time.sleep(0.1)
    n = len(listed(api))
    while b"event: gap" not in data:
        more = slow.recv(65536)
        assert more, data[-300:]
        data += more
    before = data.partition(b"event: gap\n")[0].decode()
    lines = [line[6:] for line in before.splitlines() if line.startswith("data: ")]
    seen = [json.loads(line) for line in lines]
    after = json.loads(data.partition(b"event: gap\n")[2].partition(b"data: ")[2].partition(b"\n")[0])["after"] if data.endswith(b"\n\n") else None
    shown, skipped = [name(r) for r in seen if "delivery" in r], sum(r["count"] for r in seen if "delivery" not in r)
    in_list = list(map(name, listed(api)))
    assert len(shown) + skipped < len(in_list) and n > 1000
    assert [x for x in in_list if x in set(shown)] == shown
    if after:
        page = api.get(f"/v1/attempts?limit=3&after={after}").expect(200).json
        assert list(map(name, page["data"])) == in_list[len(shown) + skipped:len(shown) + skipped + 3]
