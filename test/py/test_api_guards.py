"""What the API gives to whoever has no right key: nothing that others need. Keys that are guessed, bodies that are not read,
connections that say nothing, clients behind proxies, and a server that has only begun to start."""
import http.client
import json
import re
import socket
import threading
import time

import pytest
from harness.client import Api
from harness.expect import eventually

EVENT = json.dumps({"type": "a.b", "data": 1}).encode()


def head(method, path, length=None, key=None, fields=""):
    lines = f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{fields}"
    if length is not None:
        lines += f"Content-Length: {length}\r\n"
    if key:
        lines += f"Authorization: Bearer {key}\r\n"
    return (lines + "\r\n").encode()


def connect(running):
    s = socket.create_connection(("127.0.0.1", running.port), timeout=30)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def answer(s):
    """(status, fields in lower case, body) of the next answer."""
    reply = http.client.HTTPResponse(s)
    reply.begin()
    body = reply.read()
    return reply.status, {k.lower(): v for k, v in reply.getheaders()}, body


def ask(running, *args, **options):
    with connect(running) as s:
        s.sendall(head(*args, **options))
        return answer(s)


def publish(running, key):
    """Status of one publish on a connection of its own."""
    with connect(running) as s:
        s.sendall(head("POST", "/v1/events", len(EVENT), key) + EVENT)
        return answer(s)[0]


def tenant_key(running, name="acme"):
    running.api.put(f"/v1/tenants/{name}", {"name": name, "dialect": "standard"}).expect(201)
    return running.api.post(f"/v1/tenants/{name}/keys", {"scopes": ["events:publish", "webhooks:manage"]}).expect(201).json["key"]


# ---- keys ----


def guesses(running, seconds, stop=lambda: False):
    """Answers to wrong keys on one connection, one after the other."""
    counts, began = {}, time.monotonic()
    with connect(running) as s:
        while time.monotonic() - began < seconds and not stop():
            s.sendall(head("GET", "/v1/webhooks", key=f"th_key_{len(counts)}_{time.monotonic_ns()}"))
            status = answer(s)[0]
            counts[status] = counts.get(status, 0) + 1
    return counts


def test_guessing_is_slow_and_logged_and_locks_nobody_out(server):
    running = server()
    key = tenant_key(running)
    got = {}
    guessers = [threading.Thread(target=lambda n=n: got.update({n: guesses(running, 4)})) for n in range(3)]
    for t in guessers:
        t.start()
    time.sleep(1)
    began = time.monotonic()
    assert publish(running, key) == 202  # never seen here: it may have to wait once
    assert time.monotonic() - began < 3
    began = time.monotonic()
    assert [publish(running, key) for _ in range(5)] == [202] * 5
    assert time.monotonic() - began < 1
    for t in guessers:
        t.join()
    assert all(set(counts) <= {401, 429} for counts in got.values()), got
    total = sum(n for counts in got.values() for n in counts.values())
    assert 10 <= total < 100, got
    lines = [line for line in running.text().splitlines() if '"requests with a wrong key"' in line]
    assert 1 <= len(lines) <= 2 and '"from":"127.0.0.1"' in lines[0], lines
    assert "th_key_" not in "".join(lines)
    metrics = running.api.get("/metrics").body.decode()
    assert int(re.search(r"^tenterhook_http_wrong_keys_total (\d+)", metrics, re.M)[1]) == total


def test_a_right_key_is_served_with_a_rate_set(server):
    running = server(flags=["--wrong-key-rate", "1"])
    key = tenant_key(running)
    began = time.monotonic()
    assert [ask(running, "GET", "/v1/webhooks", key="wrong-wrong-wrong")[0] for _ in range(4)] == [401] * 4
    assert time.monotonic() - began > 1.9  # the rate is over: they wait for a second each
    assert [publish(running, key) for _ in range(5)] == [202] * 5


# ---- clients behind proxies ----


def clients(running):
    return [json.loads(line)["client"] for line in running.text().splitlines() if '"audit"' in line]


@pytest.mark.parametrize("fields,client", [
    ("X-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"),
    ("X-Forwarded-For: 192.0.2.66, 203.0.113.9\r\n", "203.0.113.9"),
    ("X-Forwarded-For: 192.0.2.66, 203.0.113.9:4711, 10.1.2.3\r\n", "203.0.113.9"),
    ("X-Forwarded-For: 192.0.2.66\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 10.1.2.3,, \r\n", "203.0.113.9"),
    ("X-Forwarded-For: 10.9.9.9, 10.1.2.3\r\n", "10.9.9.9"),
    ("X-Forwarded-For: 203.0.113.9, unknown, 10.1.2.3\r\n", "10.1.2.3"),
    ("X-Forwarded-For: [2001:db8::5]:4711\r\n", "2001:db8::5"),
    ("X-Forwarded-For: 2001:DB8::5\r\n", "2001:db8::5"),
    ("X-Forwarded-For: ::ffff:203.0.113.9\r\n", "203.0.113.9"),
    ("X-Forwarded-For: nonsense\r\n", "127.0.0.1"),
    ("X-Forwarded-For: 203.0.113.9:99999\r\n", "127.0.0.1"),
    ("Forwarded: for=203.0.113.9\r\n", "203.0.113.9"),
    ("Forwarded: for=192.0.2.66, For=\"203.0.113.9:80\";proto=https;by=10.1.2.3\r\n", "203.0.113.9"),
    ("Forwarded: for=\"[2001:db8::5]:_obscure\", for=10.1.2.3\r\n", "2001:db8::5"),
    ("Forwarded: for=192.0.2.66\r\nForwarded: by=\"a,b\";for=203.0.113.9\r\n", "203.0.113.9"),
    ("Forwarded: for=_hidden\r\n", "127.0.0.1"),
    ("Forwarded: for=203.0.113.9;for=192.0.2.66\r\n", "127.0.0.1"),
    ("Forwarded: proto=https\r\n", "127.0.0.1"),
    ("Forwarded: for=192.0.2.66\r\nX-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"),
    ("", "127.0.0.1"),
])
def test_the_client_is_the_right_most_address_that_is_not_trusted(proxied, fields, client):
    status, got, _ = ask(proxied, "DELETE", "/v1/webhooks/we_nothing", key=proxied.admin_key, fields=fields)
    assert status == 404
    line = eventually(lambda: next((json.loads(x) for x in proxied.text().splitlines()
                                    if '"audit"' in x and got["request-id"] in x), None))
    assert line["client"] == client and line["from"] == "127.0.0.1"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    from harness.server import Server
    with Server(tmp_path_factory.mktemp("proxied"), flags=["--trusted-proxy", "127.0.0.1", "--trusted-proxy", "10.0.0.0/8"]) as made:
        yield made


def test_the_proxy_protocol_names_the_client(proxied):
    with connect(proxied) as s:
        s.sendall(b"PROXY TCP4 203.0.113.44 192.0.2.1 4711 80\r\n" + head("DELETE", "/v1/webhooks/we_no", key=proxied.admin_key))
        assert answer(s)[0] == 404
        s.sendall(head("DELETE", "/v1/webhooks/we_no", key=proxied.admin_key, fields="X-Forwarded-For: 192.0.2.66\r\n"))
        assert answer(s)[0] == 404  # that one is no proxy: what he says is not believed
    eventually(lambda: clients(proxied).count("203.0.113.44") == 2)
    with connect(proxied) as s:
        s.sendall(b"PROXY TCP4 10.3.3.3 192.0.2.1 4711 80\r\n" +
                  head("DELETE", "/v1/webhooks/we_no", key=proxied.admin_key, fields="X-Forwarded-For: 203.0.113.45\r\n"))
        assert answer(s)[0] == 404
    eventually(lambda: "203.0.113.45" in clients(proxied))


def test_guesses_count_for_the_client_and_not_for_the_proxy(proxied):
    began = time.monotonic()
    for n in range(60):  # of as many clients
        assert ask(proxied, "GET", "/v1/webhooks", key="wrong-wrong-wrong", fields=f"X-Forwarded-For: 203.0.113.{n}\r\n")[0] == 401
    for n in range(60):  # and of the proxy itself
        assert ask(proxied, "GET", "/v1/webhooks", key="wrong-wrong-wrong")[0] == 401
    assert time.monotonic() - began < 8
    began = time.monotonic()
    for n in range(13):
        ask(proxied, "GET", "/v1/webhooks", key="wrong-wrong-wrong", fields="X-Forwarded-For: 203.0.113.200\r\n")
    assert time.monotonic() - began > 0.9


def test_nobody_is_believed_unless_trusted(server):
    running = server()
    ask(running, "DELETE", "/v1/webhooks/we_no", key=running.admin_key,
        fields="X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n")
    assert eventually(lambda: clients(running)) == ["127.0.0.1"]
    with connect(running) as s:
        s.sendall(b"PROXY TCP4 203.0.113.44 192.0.2.1 4711 80\r\n" + head("GET", "/livez"))
        assert answer(s)[0] == 400


@pytest.mark.parametrize("header,client", [("forwarded", "192.0.2.7"), ("x-forwarded-for", "192.0.2.8"), ("none", "127.0.0.1")])
def test_one_field_can_be_chosen(server, header, client):
    running = server(flags=["--trusted-proxy", "127.0.0.0/8", "--client-header", header])
    ask(running, "DELETE", "/v1/webhooks/we_no", key=running.admin_key,
        fields="Forwarded: for=192.0.2.7\r\nX-Forwarded-For: 192.0.2.8\r\n")
    assert eventually(lambda: clients(running)) == [client]


# ---- bodies ----


@pytest.mark.parametrize("fields", ["", "Expect: 100-continue\r\n"])
@pytest.mark.parametrize("method,path,key,length,status", [
    ("POST", "/v1/events", None, 16 << 20, 401),
    ("POST", "/v1/events", "wrong", 16 << 20, 401),
    ("POST", "/v1/events", None, 100, 401),
    ("POST", "/v1/events", None, 1 << 40, 401),
    ("PUT", "/v1/tenants/x", "tenant", 5000, 403),
    ("POST", "/v1/webhooks/we_x/rotate-secret", "wrong", 5000, 401),
    ("POST", "/v1/nothing", None, 1 << 20, 404),
    ("POST", "/v1/tenants", None, 1 << 20, 405),
    ("POST", "/livez", None, 1 << 20, 405),
    ("GET", "/livez", None, 1 << 20, 200),
    ("GET", "/openapi.json", None, 1 << 30, 200),
    ("POST", "/v1/events?no=1", "tenant", 1 << 20, 400),
    ("POST", "/v1/events", "tenant", 17 << 20, 413),
])
def test_the_head_is_answered_before_the_body_is_here(shared, shared_key, method, path, key, length, status, fields):
    with connect(shared) as s:
        s.sendall(head(method, path, length, shared_key if key == "tenant" else key, fields))
        got, names, _ = answer(s)
        assert got == status and names["connection"] == "close"
        assert s.recv(1) == b""


@pytest.fixture(scope="module")
def shared_key(shared):
    return tenant_key(shared, "guards")


def test_another_media_type_is_refused_before_the_body(shared, shared_key):
    with connect(shared) as s:
        s.sendall(head("POST", "/v1/events", 5000, shared_key).replace(b"application/json", b"text/plain"))
        assert answer(s)[0] == 415


@pytest.mark.parametrize("key,path,status", [("wrong", "/v1/events", 401), ("tenant", "/v1/events", 413), (None, "/v1/nothing", 404)])
def test_who_sends_all_of_a_large_body_first_reads_the_answer(shared, shared_key, key, path, status):
    c = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=60)
    c.request("POST", path, b"x" * (40 << 20), {"Authorization": f"Bearer {shared_key if key == 'tenant' else key}",
                                                "Content-Type": "application/json"})
    assert c.getresponse().status == status
    c.close()


def test_bodies_without_a_key_use_up_nothing(server):
    """As many as would fill the memory of all bodies are announced and begun; who has a key publishes as before."""
    running = server()
    key = tenant_key(running)
    large = json.dumps({"type": "a.b", "data": "z" * 20_000}).encode()
    silent = []
    for path in ("/v1/events", "/livez", "/v1/nothing"):
        for _ in range(20):
            s = connect(running)
            s.sendall(head("POST" if path == "/v1/events" else "GET", path, 16 << 20))
            silent.append(s)
    stop = []

    def send(s):
        try:
            while not stop:
                s.sendall(b"x" * 65536)
        except OSError:
            pass

    senders = [threading.Thread(target=send, args=(s,)) for s in silent[:6]]
    for t in senders:
        t.start()
    try:
        for _ in range(20):
            with connect(running) as s:
                s.sendall(head("POST", "/v1/events", len(large), key) + large)
                assert answer(s)[0] == 202
    finally:
        stop.append(1)
        for s in silent:
            s.close()
        for t in senders:
            t.join()


# ---- connections ----


def test_silent_connections_keep_nobody_out(server):
    running = server(env={"TENTERHOOK_MAX_CONNECTIONS": "40"})
    key = tenant_key(running)
    silent = [connect(running) for _ in range(60)]
    half = [connect(running) for _ in range(60)]
    for s in half:
        s.sendall(b"GET /livez HTT")
    for _ in range(10):
        assert publish(running, key) == 202
        assert ask(running, "GET", "/livez")[0] == 200
        assert ask(running, "GET", "/readyz")[0] == 200
    for s in silent + half:
        s.close()
    metrics = running.api.get("/metrics").body.decode()
    assert int(re.search(r"^tenterhook_http_connections_cut_total (\d+)", metrics, re.M)[1]) >= 80


def test_health_is_told_when_every_connection_is_at_work(server):
    running = server(env={"TENTERHOOK_MAX_CONNECTIONS": "10"})
    key = tenant_key(running)
    sending = []
    for _ in range(10):
        sending.append(connect(running))
        sending[-1].sendall(head("POST", "/v1/events", 5000, key, "Expect: 100-continue\r\n"))
        assert sending[-1].recv(100).startswith(b"HTTP/1.1 100 ")
    assert ask(running, "GET", "/livez")[0] == 200 and ask(running, "GET", "/readyz")[0] == 200
    status, fields, _ = ask(running, "GET", "/v1/webhooks", key=key)
    assert status == 503 and fields["retry-after"]
    for s in sending:
        s.close()


# ---- starting ----


def test_nothing_is_missing_before_the_start_is_over(server):
    """Asked from the first moment on, a fresh server says 503 and then what is right; never that something is not there."""
    early = 0
    for n in range(30):
        if n >= 5 and early:
            break
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        running = server(start=False, listen=f"127.0.0.1:{port}")
        got, stop = [], threading.Event()

        def poll():
            while not stop.is_set():
                try:
                    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
                        s.sendall(head("POST", "/v1/events", len(EVENT), running.admin_key) + EVENT)
                        got.append(answer(s)[:2])
                        if got[-1][0] == 202:
                            return
                except OSError:
                    time.sleep(0.0005)

        t = threading.Thread(target=poll)
        t.start()
        try:
            running.start()
            t.join(20)
        finally:
            stop.set()
            t.join()
        assert {status for status, _ in got} <= {202, 503} and got[-1][0] == 202, got
        waits = [fields["retry-after"] for status, fields in got if status == 503]
        assert all(waits)
        early += len(waits)
        running.stop()
    assert early, "nobody has asked before the start was over, so nothing was tested"
