"""Answers in parts through real sockets: their framing, back-pressure, memory, clients that leave or do not read, draining, and
which handler answers which path. The server is test/tool/echo_server.c; what it can do is told there."""
import re
import signal
import socket
import time

import pytest
from test_http_server import Echo, echo, parse_head, request  # noqa: F401 (echo is a fixture)


def digits(n):
    return (b"0123456789" * (n // 10 + 1))[:n]


def head_of(p):
    while b"\r\n\r\n" not in p.data:
        assert p.fill(), p.data
    head, p.data = p.data.split(b"\r\n\r\n", 1)
    return parse_head(head)


def take(p, n):
    while len(p.data) < n:
        assert p.fill(), "cut short"
    taken, p.data = p.data[:n], p.data[n:]
    return taken


def line(p):
    while b"\r\n" not in p.data:
        assert p.fill(), "cut short"
    text, p.data = p.data.split(b"\r\n", 1)
    return text


def chunk(p):
    """The next one; b"": the last."""
    n = int(line(p), 16)
    data = take(p, n)
    assert take(p, 2) == b"\r\n"
    return data


def chunks(p):
    while data := chunk(p):
        yield data


def rss_kib(server):
    with open(f"/proc/{server.process.pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read())[1])


def counts(server):
    return server.connect().send(request("/counts")).json()


def within(seconds, says):
    until = time.monotonic() + seconds
    while not says():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def small_buffer(server):
    """A client whose kernel keeps little for it."""
    p = server.connect()
    p.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return p


@pytest.mark.parametrize("n, part", [(0, 1), (1, 1), (100, 7), (70_000, 70_000), (3_000_000, 1000), (5_000_000, 1_000_000)])
def test_parts_are_chunks_and_the_connection_goes_on(echo, n, part):
    p = echo().connect().send(request(f"/parts?bytes={n}&part={part}") + request("/next"))
    status, fields = head_of(p)
    assert status == 200 and fields["transfer-encoding"] == "chunked" and "content-length" not in fields
    assert "connection" not in fields and fields["request-id"].startswith("req_")
    assert b"".join(chunks(p)) == digits(n)
    assert p.json()["path"] == "/next"


def test_http_1_0_gets_bytes_until_the_end_of_the_connection(echo):
    p = echo().connect().send(b"GET /parts?bytes=200000&part=999 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    status, fields = head_of(p)
    assert status == 200 and fields["connection"] == "close"
    assert not {"transfer-encoding", "content-length"} & fields.keys()
    while p.fill():
        pass
    assert p.data == digits(200_000)


def test_head_gets_the_head_alone(echo):
    p = echo().connect()
    for target in ("/parts?bytes=5000", "/stream?every=1"):
        p.send(request(target, method="HEAD"))
        status, fields = head_of(p)
        assert status == 200 and fields["transfer-encoding"] == "chunked"
    assert p.send(request("/next")).json()["path"] == "/next"


def test_connection_close_is_honoured(echo):
    p = echo().connect().send(request("/parts?bytes=10&part=3", fields="Connection: close\r\n"))
    assert head_of(p)[1]["connection"] == "close"
    assert b"".join(chunks(p)) == digits(10)
    assert p.is_ended()


def test_a_half_closed_client_gets_all_of_a_finite_answer(echo):
    p = echo().connect().send(request("/parts?bytes=3000000&part=5000"))
    p.sock.shutdown(socket.SHUT_WR)
    head_of(p)
    assert b"".join(chunks(p)) == digits(3_000_000)
    assert p.is_ended()


def test_an_answer_that_breaks_off_does_not_look_whole(echo):
    server = echo()
    for minor in (1, 0):
        p = server.connect().send(b"GET /parts?bytes=100&abort=1 HTTP/1.%d\r\nHost: a\r\n\r\n" % minor)
        with pytest.raises(ConnectionError):
            while p.fill():
                pass
        assert not p.data.endswith(b"0\r\n\r\n")


@pytest.mark.release
def test_memory_is_bounded_while_100_mb_are_read_slowly(echo):
    server = echo()
    assert b"".join(chunks_of(server, 1_000_000)) == digits(1_000_000)
    before = rss_kib(server)
    readers = [server.connect().send(request("/parts?bytes=120000000&part=50000")) for _ in range(5)]
    got = 0
    for p in readers:
        head_of(p)
    until, most = time.monotonic() + 4, 0
    while time.monotonic() < until:
        for p in readers:
            got += len(p.sock.recv(20_000))
        most = max(most, rss_kib(server))
        time.sleep(0.01)
    assert got > 1_000_000
    assert most - before < 3000, "KiB more than before"
    p = server.connect().send(request("/parts?bytes=120000000&part=50000"))  # one who reads gets all of it
    head_of(p)
    assert sum(len(c) for c in chunks(p)) == 120_000_000
    assert rss_kib(server) - before < 3000


def chunks_of(server, n):
    p = server.connect().send(request(f"/parts?bytes={n}"))
    head_of(p)
    return list(chunks(p))


def test_a_client_that_does_not_read_is_cut(echo):
    server = echo(write_ms=400)
    p = small_buffer(server).send(request("/parts?bytes=100000000&part=10000"))
    within(10, lambda: counts(server)["gone"] == 1)
    with pytest.raises(ConnectionError):
        while p.fill():
            pass


def test_one_who_reads_too_slowly_is_cut_however_often_the_queue_is_empty(echo):
    """The kernel takes what waits now and then, so the queue is empty again and again; 8 KiB a second are asked for all the same."""
    server = echo(write_ms=4000)
    slow = small_buffer(server).send(request("/parts?bytes=100000000&part=10000"))
    steady = small_buffer(server).send(request("/parts?bytes=100000000&part=10000"))
    until = time.monotonic() + 30
    while counts(server)["gone"] == 0:
        assert time.monotonic() < until
        steady.sock.recv(65536)
        slow.sock.recv(300)
        time.sleep(0.1)
    with pytest.raises(ConnectionError):
        while slow.fill():
            pass
    assert steady.fill() and counts(server)["gone"] == 1


def test_a_quiet_stream_is_not_cut(echo):
    server = echo(write_ms=300, idle_ms=300, head_ms=300, body_ms=300)
    p = server.connect().send(request("/stream?part=10&every=1500"))
    head_of(p)
    for _ in range(3):
        assert len(chunk(p)) == 10
    assert counts(server)["gone"] == 0


def test_a_stream_whose_client_does_not_read_is_cut(echo):
    server = echo(write_ms=500)
    p = small_buffer(server).send(request("/stream?part=20000&every=5"))
    within(10, lambda: counts(server)["gone"] == 1)
    told = counts(server)
    assert told["skipped"] >= 1
    p.close()


def test_a_stream_pauses_until_there_is_room(echo):
    server = echo()
    p = server.connect().send(request("/stream?part=100000&every=1"))
    within(20, lambda: counts(server)["skipped"] >= 1)
    head_of(p)
    seen = b"".join(chunk(p) for _ in range(100))
    assert seen == digits(100 * 100_000)
    assert counts(server)["rooms"] >= 1


@pytest.mark.parametrize("how", ["close", "half", "reset"])
def test_a_stream_ends_when_its_client_leaves(echo, how):
    server = echo()
    p = server.connect().send(request("/stream?part=10&every=100000"))
    head_of(p)
    if how == "close":
        p.sock.close()
    elif how == "half":
        p.sock.shutdown(socket.SHUT_WR)
    else:
        p.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        p.sock.close()
    within(5, lambda: counts(server)["gone"] == 1)


def test_a_stream_ends_when_its_client_leaves_behind_a_full_pipeline(echo):
    """Nothing more is read then, and the next part finds out."""
    server = echo()
    p = server.connect().send(request("/stream?part=10&every=20") + b"x" * 50_000)
    head_of(p)
    p.sock.close()
    within(5, lambda: counts(server)["gone"] == 1)


def test_the_slowest_gives_way_when_the_memory_for_answers_is_used_up(echo):
    """Answers in parts and others are in one budget."""
    server = echo(max_answers=300_000)
    lazy = [small_buffer(server).send(request("/parts?bytes=10000000&part=60000")) for _ in range(4)]
    time.sleep(0.6)
    p = server.connect().send(request("/?size=3000000"))
    time.sleep(0.6)  # it reads nothing either, but has begun later
    assert counts(server)["gone"] >= 1
    del lazy, p


def test_a_drain_waits_for_parts_and_ends_streams():
    server = Echo(grace_ms=20000)
    try:
        finite, stream = server.connect(), server.connect()
        finite.send(request("/parts?bytes=30000000&part=9999"))
        stream.send(request("/stream?part=10&every=5"))
        head_of(finite)
        head_of(stream)
        first = chunk(stream)
        server.process.send_signal(signal.SIGTERM)
        assert all(len(c) == 10 for c in [first, *chunks(stream)])
        assert stream.is_ended()
        assert b"".join(chunks(finite)) == digits(30_000_000)
        assert finite.is_ended()
        assert server.stop() == 2
    finally:
        server.process.kill()


def test_a_drain_cuts_an_answer_in_parts_after_its_grace():
    server = Echo(grace_ms=400)
    try:
        p = small_buffer(server).send(request("/parts?bytes=100000000&part=9999"))
        head_of(p)
        began = time.monotonic()
        assert server.stop() == 1
        assert time.monotonic() - began < 5
    finally:
        server.process.kill()


def test_the_longest_prefix_answers(echo):
    server = echo()

    def who(target):
        return server.connect().send(request(target)).answer()[2]

    assert who("/mounts") == who("/mounts/x?y") == who("/mounts/deeper") == b"outer"
    assert who("/mounts/deep") == who("/mounts/deep/x") == b"deep"
    assert b'"path":"/mountsx"' in who("/mountsx")
