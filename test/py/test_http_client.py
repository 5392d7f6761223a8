"""The HTTP client against real sockets: hostile answers, reuse, deadlines. TLS is in test_http_client_tls.py.

A receiver in this process answers as each test wants; the client runs in the helper program `deliver`.
"""
import asyncio
import base64
import contextlib
import json
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness.deliver import AGAIN, ANSWERS, OK, PROGRAM, Loop, answering, free_port, paced, read_request, reset, running


# --- the corpus of hostile answers ---

def is_success(result):
    return result["class"] == "ok" and 200 <= result["status"] < 300


def judge(case, first, second):
    """What is wrong with the two results of a case, or None. The second request must get its own answer."""
    expect, good, closed = case["expect"], is_success(first), not second["reused"]
    if second["class"] != "ok" or second["body"] != b"again":
        return "the next request did not get its own answer"
    if first["ms"] > 2500:
        return "went past the deadline"
    allowed = {
        "SUCCESS": good,
        "SUCCESS_CAPPED": good and first["truncated"],
        "SUCCESS_NO_REUSE": good and closed,
        "FAIL": not good,
        "FAIL_OR_CLOSE": not good or closed,
        "FAIL_OR_SUCCESS": True,
        "EITHER": True,
    }[expect]
    return None if allowed else f"expected {expect}"


def test_corpus_of_hostile_answers(deliver, net):
    if not ANSWERS.exists():
        pytest.skip("no corpus")
    cases = {c["id"]: c for c in map(json.loads, ANSWERS.read_text().splitlines()) if not c["pace"]}

    async def handler(_, reader, writer):
        while True:
            target, _, _ = await read_request(reader)
            if target == "/again":
                writer.write(AGAIN)
                continue
            case = cases[target[1:]]
            writer.write(base64.b64decode(case["raw_b64"]))
            await writer.drain()
            if case["server_closes"]:
                writer.write_eof()

    port = net.serve(handler)
    first = {i: deliver.send(port, target=f"/{i}", pool=n, deadline=2000, connect=2000)
             for n, i in enumerate(cases, 1)}
    first = {i: deliver.wait(key) for i, key in first.items()}
    time.sleep(0.5)  # the closes and surplus bytes of the first round arrive
    second = {i: deliver.send(port, target="/again", pool=n) for n, i in enumerate(cases, 1)}
    second = {i: deliver.wait(key) for i, key in second.items()}
    faults = [(i, fault, cases[i]["why"], first[i]) for i in cases
              if (fault := judge(cases[i], first[i], second[i]))]
    assert not faults
    retry_after = {c["raw_b64"]: first[i]["retry_after"] for i, c in cases.items() if "Retry-After '" in c["why"]}
    seconds = {base64.b64decode(k).split(b"Retry-After: ")[1].split(b"\r\n")[0]: v for k, v in retry_after.items()}
    assert seconds.get(b"120", 120) == 120 and seconds.get(b"0", 0) == 0
    assert [v for k, v in seconds.items() if not k.isdigit()].count(-1) == sum(not k.isdigit() for k in seconds) > 0


def test_one_byte_at_a_time_is_bounded_by_the_total_deadline(deliver, net):
    paced("1 byte per second")

    async def handler(_, reader, writer):
        await read_request(reader)
        for byte in OK:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.1)

    result = deliver.ask(net.serve(handler), deadline=500)
    assert result["class"] == "timeout" and 450 < result["ms"] < 1500
    assert result["detail"] == "timed out while reading the answer"


def test_reset_on_accept(deliver, net):
    paced("accept, RST")

    async def handler(_, reader, writer):
        reset(writer)

    result = deliver.ask(net.serve(handler))
    assert result["class"] in ("connection_reset", "connect_error") and result["status"] == 0


def test_reset_after_half_the_request(deliver, net):
    paced("RST after half the request")

    async def handler(_, reader, writer):
        await reader.readexactly(1 << 20)
        reset(writer)

    assert deliver.ask(net.serve(handler), size=8 << 20)["class"] == "connection_reset"


@contextlib.contextmanager
def swallowing(count=1):
    """Ports of loopback where the packets of a connection are dropped: the queue of those who listen there is full."""
    held, ports = [], []
    for _ in range(count):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        held.append(listener)
        ports.append(listener.getsockname()[1])
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", ports[-1]))
            held.append(s)
    time.sleep(0.3)
    try:
        yield ports
    finally:
        for s in held:
            s.close()


def addresses(*ports):
    return ",".join(f"127.0.0.1:{port}" for port in ports)


def test_connect_deadline(deliver):
    paced("SYN dropped")
    with swallowing(2) as (silent, other):
        result = deliver.ask(silent, connect=300)
        assert result["class"] == "timeout" and result["detail"] == "timed out while connecting"
        assert 250 < result["ms"] < 10000
        result = deliver.ask(addresses(silent, other), connect=600)  # two of them have the same time together
        assert result["class"] == "timeout" and result["detail"] == "timed out while connecting"
        assert 550 < result["ms"] < 10000


def test_a_silent_address_costs_a_quarter_of_a_second_and_that_once(deliver, net):
    """RFC 8305: the next address is tried beside it, and what worked is tried first the next time."""
    paced("SYN dropped")
    closing = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    good = net.serve(answering(closing))
    with swallowing(5) as silent:
        first = deliver.ask(addresses(silent[0], good), connect=5000)
        assert first["class"] == "ok" and first["port"] == good and 240 < first["ms"] < 1500
        again = [deliver.ask(addresses(silent[0], good), connect=5000) for _ in range(5)]
        assert all(r["class"] == "ok" and r["port"] == good and not r["reused"] for r in again)
        assert max(r["ms"] for r in again) < 200
        # of another origin nothing is known, and five silent ones are more than are tried at once
        other = deliver.ask(addresses(*silent, good), connect=5000, pool=7)
        assert other["class"] == "ok" and other["port"] == good and 1200 < other["ms"] < 3000
        # what is remembered need not be allowed any more, nor be there
        closed = free_port()
        assert deliver.ask(addresses(silent[0], closed), connect=600)["class"] == "timeout"
        refused = deliver.ask(addresses(closed, free_port()), connect=5000)
        assert refused["class"] == "connect_error" and refused["detail"] == "connection refused" and refused["ms"] < 200


def test_peer_that_never_reads(deliver, net):
    paced("window 0 forever")

    async def handler(_, reader, writer):
        writer.transport.pause_reading()
        await asyncio.sleep(3)

    result = deliver.ask(net.serve(handler), size=32 << 20, deadline=500)
    assert result["class"] == "timeout" and result["detail"] == "timed out while sending the request"


# --- the request's bytes ---

def test_request_bytes(deliver, net):
    seen = []

    async def handler(_, reader, writer):
        seen.append(await read_request(reader))
        writer.write(OK)
        await writer.drain()

    result = deliver.ask(net.serve(handler), target="/a?b=c", authority="example.com:8080", body="hello")
    assert result["status"] == 200 and result["body"] == b"OK" and result["head"] == b"Content-Length: 2\r\n"
    assert seen == [("/a?b=c", b"POST /a?b=c HTTP/1.1\r\nHost: example.com:8080\r\n"
                     b"Content-Type: application/json\r\nUser-Agent: test\r\nContent-Length: 5\r\n\r\n", b"hello")]
    times = result["times"]
    assert times[1] == -1 and 0 <= times[0] <= times[2] <= times[3] <= times[4]


def test_large_request_arrives_whole(deliver, net):
    seen = []

    async def handler(_, reader, writer):
        seen.append(len((await read_request(reader))[2]))
        writer.write(OK)
        await writer.drain()

    assert deliver.ask(net.serve(handler), size=8 << 20)["status"] == 200
    assert seen == [8 << 20]


def test_faulty_requests_are_refused(deliver, net):
    port = net.serve(answering())
    for options in ({"target": "/a\tb"}, {"authority": "a\x01b"}):
        assert deliver.ask(port, **options)["class"] == "internal_error"
    assert deliver.wait(deliver._start("send", {"host": "none"}))["class"] == "internal_error"


# --- answers ---

@pytest.mark.parametrize("answer, body, truncated, reused", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", b"0123456789", False, True),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n0123456789x", b"0123456789", True, False),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"y" * 100000, b"y" * 10, True, False),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", b"0123456789",
     False, True),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n56789x\r\n0\r\n\r\n", b"0123456789",
     True, False),
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOK", b"OK", False, False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nOK", b"OK", False, False),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b"", False, True),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"", False, True),
    (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100 + b"Content-Length: 0002\r\n\r\nOK", b"OK", False, True),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     b"", False, True),
], ids=["exact", "one more", "much more", "chunked", "chunked, one more", "close", "1.0", "204", "304", "fields",
        "interim"])
def test_bodies_and_reuse(deliver, net, answer, body, truncated, reused):
    async def handler(_, reader, writer):
        while True:
            target, _, _ = await read_request(reader)
            if target == "/pieces":
                for i in range(0, min(len(answer), 300)):
                    writer.write(answer[i:i + 1])
                    await asyncio.sleep(0)
                writer.write(answer[300:])
            else:
                writer.write(AGAIN if target == "/again" else answer)
            await writer.drain()

    port = net.serve(handler)
    for pool, target in enumerate(("/", "/pieces"), 1):
        result = deliver.ask(port, body_cap=10, target=target, pool=pool)
        assert (result["class"], result["body"], result["truncated"]) == ("ok", body, truncated)
        assert deliver.ask(port, target="/again", pool=pool)["reused"] == reused


ODD_BUT_GOOD = {
    "folded header": b"HTTP/1.1 200 OK\r\nCSP: default-src 'self';\r\n img-src *\r\nContent-Length: 2\r\n\r\nOK",
    "folded length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\t2\r\n\r\nOK",
    "fold before the first field": b"HTTP/1.1 200 OK\r\n x: y\r\nContent-Length: 2\r\n\r\nOK",
    "two equal lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nOK",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nOK",
    "bare LF in places": b"HTTP/1.1 200 OK\r\nX: y\nContent-Length: 2\r\n\nOK",
    "blank before a colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nOK",
    "a line without a colon": b"HTTP/1.1 200 OK\r\nWarning\r\nContent-Length: 2\r\n\r\nOK",
    "empty lines first": b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
    "length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n",
    "chunked twice": b"HTTP/1.1 200 OK\r\n" + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n2\r\nOK\r\n0\r\n\r\n",
    "chunked in 1.0": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n",
    "identity": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nOK",
    "blank behind a chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nOK\r\n0\r\n\r\n",
    "chunks with bare LF": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nOK\n0\n\n",
    "odd interim": b"HTTP/1.1 103 Early\nA: b\n\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
}


@pytest.mark.parametrize("answer", ODD_BUT_GOOD.values(), ids=ODD_BUT_GOOD)
def test_odd_answers_are_taken_and_end_their_connection(deliver, net, answer):
    """An endpoint that said 200 must not get the event again; what follows on such a connection is nobody's answer."""
    async def handler(_, reader, writer):
        while True:
            target, _, _ = await read_request(reader)
            for i in range(0, len(answer), 1 if target == "/pieces" else len(answer)):
                writer.write(answer[i:i + (1 if target == "/pieces" else len(answer))])
                await asyncio.sleep(0)
            await writer.drain()

    port = net.serve(handler)
    for pool, target in enumerate(("/", "/pieces"), 1):
        result = deliver.ask(port, target=target, pool=pool, deadline=3000)
        assert (result["class"], result["status"], result["body"]) == ("ok", 200, b"OK"), result
        lines = result["head"].split(b"\r\n")[:-1]
        assert lines and all(b": " in line for line in lines), result["head"]
        assert not deliver.ask(port, target=target, pool=pool, deadline=3000)["reused"]


def test_a_last_chunk_is_the_end_whatever_is_missing_behind_it(deliver, net):
    """Some servers leave out the empty line, and close or wait."""
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n"
    for close in (True, False):
        result = deliver.ask(net.serve(answering(answer, close=close)), deadline=700)
        assert (result["class"], result["body"]) == ("ok", b"OK")
    cut = deliver.ask(net.serve(answering(answer[:-3], close=True)), deadline=700)
    assert cut["class"] == "connection_reset"


@pytest.mark.parametrize("answer, name", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nOK", "protocol_error"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 2\r\n\r\nOK", "protocol_error"),
    (b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nOK", "protocol_error"),
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "protocol_error"),
    (b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + OK, "protocol_error"),
    (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 20000 + b"\r\nContent-Length: 0\r\n\r\n", "protocol_error"),
    (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 200000, "protocol_error"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "connection_reset"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "connection_reset"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", "protocol_error"),
    (b"HTTP/1.1 200 OK\r\n", "connection_reset"),
    (b"", "connection_reset"),
], ids=["two lengths", "folded into two", "bare CR", "101", "interims", "large head", "endless head", "short", "chunk cut", "bad chunk", "head cut", "nothing"])
def test_answers_that_fail(deliver, net, answer, name):
    result = deliver.ask(net.serve(answering(answer, close=True)), deadline=3000)
    assert result["class"] == name and result["status"] == 0 and result["detail"]


def test_early_answer_is_taken_and_the_connection_closed(deliver, net):
    async def handler(_, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await writer.drain()
        await asyncio.sleep(2)

    port = net.serve(handler)
    result = deliver.ask(port, size=32 << 20)
    assert (result["class"], result["status"], result["body"], result["times"][2]) == ("ok", 413, b"big", -1)
    result = deliver.ask(port, size=32 << 20)
    assert not result["reused"] and result["fresh_retries"] == 0


def test_redirect_is_not_followed(deliver, net):
    port = net.serve(answering(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"))
    result = deliver.ask(port)
    assert result["status"] == 302 and result["calls"] == 1


@pytest.mark.parametrize("fields, seconds", [
    ("Retry-After: 7", 7),
    ("Retry-After: 99999999999", 0xfffffffe),
    ("Retry-After: -1", -1),
    ("Retry-After: 1.5", -1),
    ("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:37 GMT", 60),
    ("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Monday, 07-Nov-94 08:49:37 GMT", 86400),
    ("Date: Sun Nov  6 08:49:37 1994\r\nRetry-After: Sun Nov  6 08:49:39 1994", 2),
    ("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:36 GMT", -1),
    ("Date: nonsense\r\nRetry-After: Sun, 06 Nov 1994 08:50:37 GMT", -1),
    ("Retry-After: Sun, 32 Nov 2094 08:50:37 GMT", -1),
])
def test_retry_after(deliver, net, fields, seconds):
    answer = f"HTTP/1.1 503 X\r\n{fields}\r\nContent-Length: 0\r\n\r\n".encode()
    assert deliver.ask(net.serve(answering(answer)))["retry_after"] == seconds


# --- reuse ---

def numbered(delay=0):
    """Answers with the number of the connection, after a delay that lets concurrent requests be concurrent."""
    async def handler(number, reader, writer):
        while True:
            await read_request(reader)
            await asyncio.sleep(delay)
            text = str(number).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
            await writer.drain()
    return handler


def test_reuse_and_its_borders(deliver, net):
    port = net.serve(numbered())
    other = net.serve(numbered())

    def ask(address=port, **options):
        result = deliver.ask(address, **options)
        return int(result["body"]), result["reused"]

    assert ask() == (1, False)
    assert ask() == (1, True)
    assert ask(pool=2) == (2, False), "another pool key"
    assert ask(host="other.example") == (3, False), "another host"
    assert ask() == (1, True)
    # The same origin, but the peer of the idle connection is no longer among the addresses.
    result = deliver.ask(f"127.0.0.1:{other}", port=port)
    assert not result["reused"] and result["port"] == other
    result = deliver.ask(f"127.0.0.1:{free_port()},127.0.0.1:{port}", port=port)
    assert result["reused"] and result["port"] == port


def test_bounds_of_the_pool(net):
    port = net.serve(numbered(delay=0.1))
    with running(per_origin=2, max_idle=3, idle_ms=3000) as program:
        keys = [program.send(port) for _ in range(5)]
        assert sorted(int(program.wait(k)["body"]) for k in keys) == [1, 2, 3, 4, 5]
        time.sleep(0.05)
        keys = [program.send(port) for _ in range(5)]
        assert sum(program.wait(k)["reused"] for k in keys) == 2, "per origin"
        keys = [program.send(port, pool=p) for p in (2, 3, 4)]
        for k in keys:
            program.wait(k)
        time.sleep(0.05)
        keys = [program.send(port, pool=p) for p in (1, 1, 2, 3, 4)]
        assert sum(program.wait(k)["reused"] for k in keys) == 3, "in all"
        time.sleep(3.5)
        assert not program.ask(port)["reused"], "idle time"


def test_most_recently_used_first(deliver, net):
    port = net.serve(numbered(delay=0.1))
    for key in [deliver.send(port) for _ in range(3)]:
        deliver.wait(key)
    last = deliver.ask(port)["body"]
    assert [deliver.ask(port)["body"] for _ in range(3)] == [last] * 3


@pytest.mark.parametrize("how", ["eof", "reset"])
@pytest.mark.parametrize("size", [10, 3 << 20])
def test_a_request_that_was_read_is_not_repeated(deliver, net, how, size):
    """The server reads the second request of a connection and ends: the request's result is that, and nothing is sent
    that nobody hears of."""
    seen = []

    async def handler(number, reader, writer):
        await read_request(reader)
        writer.write(OK)
        await writer.drain()
        target, _, _ = await read_request(reader)  # the second one dies with its connection
        seen.append((number, target))
        if how == "reset":
            reset(writer)

    port = net.serve(handler)
    assert deliver.ask(port)["fresh_retries"] == 0
    result = deliver.ask(port, target="/second", size=size)
    assert (result["class"], result["fresh_retries"], result["reused"]) == ("connection_reset", 0, True)
    assert result["ms"] < 900
    time.sleep(0.2)
    assert seen == [(1, "/second")]


def test_connections_of_a_server_that_hangs_up_unannounced_are_not_kept(deliver, net):
    """It closes each connection a moment after its answer, and has read what came meanwhile: at most one request pays for
    that."""
    async def handler(_, reader, writer):
        await read_request(reader)
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.02)
        await reader.read(10000)

    port = net.serve(handler)
    results = [deliver.ask(port) for _ in range(10)]
    assert [r["class"] for r in results].count("ok") >= 9
    assert [r["reused"] for r in results].count(True) <= 1


def test_a_request_of_which_part_was_read_is_not_repeated(deliver, net):
    seen = []

    async def handler(number, reader, writer):
        await read_request(reader)
        writer.write(OK)
        await writer.drain()
        seen.append(await reader.read(100))
        reset(writer)

    port = net.serve(handler)
    assert deliver.ask(port)["class"] == "ok"
    assert deliver.ask(port, target="/second", size=20)["class"] == "connection_reset"
    time.sleep(0.2)
    assert len(seen) == 1


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_a_connection_that_closes_while_the_request_is_on_its_way_costs_no_attempt(net, size):
    """The end of the kept connection and the command to send lie before the client in the same moment: whether it sees the
    end first or sends into it, the request is read once, and its result is the answer to it."""
    repeated, other = 0, net.serve(answering())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for _ in range(12):
            with running() as program:
                key = program.send(port)
                first, _ = listener.accept()
                first.recv(65536)
                first.sendall(OK)
                program.wait(key)
                for _ in range(3):
                    program.ask(other, pool=2)  # turns of the loop, so that the next request needs no look
                program.process.send_signal(signal.SIGSTOP)
                key = program.send(port, target="/second", size=size)
                first.close()
                time.sleep(0.02)
                program.process.send_signal(signal.SIGCONT)
                listener.settimeout(5)
                second, _ = listener.accept()
                second.settimeout(5)
                got = b""
                while got.count(b"\r\n\r\n") == 0 or len(got) < size:
                    got += second.recv(1 << 20)
                second.sendall(OK)
                result = program.wait(key)
                second.close()
                assert result["class"] == "ok", result
                assert got.startswith(b"POST /second ")
                repeated += result["fresh_retries"]
    assert repeated, "the race did not come about"


def test_a_server_that_hangs_up_unannounced_surprises_nobody():
    """Its end comes in one packet with the answer, and the next request begins in the same moment: it waits for a look at
    the connection, and takes another."""
    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    if connection.recv(65536):
                        connection.send(OK, socket.MSG_MORE)
                        connection.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        with running() as program:
            program.line(f"bench id=b addrs=127.0.0.1:{listener.getsockname()[1]} count=6 flight=1")
            result = program.wait("b")
    assert (result["ok"], result["failed"], result["connects"], result["reuses"]) == (6, 0, 6, 0)


def test_no_second_try_after_the_first_byte_or_on_a_fresh_connection(deliver, net):
    count = []

    async def handler(number, reader, writer):
        target, _, _ = await read_request(reader)
        count.append(target)
        if target == "/fresh":
            return
        writer.write(OK)
        await writer.drain()
        await read_request(reader)
        count.append("half")
        writer.write(b"HTTP/1.1 2")

    port = net.serve(handler)
    assert deliver.ask(port, target="/fresh")["class"] == "connection_reset"
    assert deliver.ask(port)["class"] == "ok"
    result = deliver.ask(port)
    assert (result["class"], result["fresh_retries"]) == ("connection_reset", 0)
    assert count == ["/fresh", "/", "half"]


def test_closed_idle_connection_is_noticed(deliver, net):
    port = net.serve(answering(close=True))
    assert deliver.ask(port)["class"] == "ok"
    time.sleep(0.5)
    result = deliver.ask(port)
    assert (result["class"], result["reused"], result["fresh_retries"]) == ("ok", False, 0)


@pytest.mark.parametrize("late", [False, True], ids=["at-once", "late"])
@pytest.mark.parametrize("answer", [OK, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 204 No Content\r\n\r\n",
                                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"],
                         ids=["empty", "length", "no-body", "chunked"])
def test_surplus_closes_the_connection(deliver, net, answer, late):
    """Bytes behind an answer, in its packet or in a later one, are never the answer to the next request."""
    poison = b"HTTP/1.1 500 Poison\r\nContent-Length: 0\r\n\r\n"

    async def handler(number, reader, writer):
        while True:
            await read_request(reader)
            writer.write(answer if late else answer + poison)
            await writer.drain()
            if late:
                await asyncio.sleep(0.02)
                writer.write(poison)
                await writer.drain()

    port = net.serve(handler)
    for _ in range(2):
        result = deliver.ask(port)
        assert (result["status"] // 100, result["reused"]) == (2, False)
        time.sleep(0.3)



# --- time and cancelling ---

def test_silent_server(deliver, net):
    async def handler(_, reader, writer):
        await asyncio.sleep(30)

    result = deliver.ask(net.serve(handler), deadline=300, connect=100)
    assert result["class"] == "timeout" and 250 < result["ms"] < 10000
    assert result["detail"] == "timed out waiting for an answer"


def test_cancel(deliver, net):
    async def handler(_, reader, writer):
        await asyncio.sleep(3)

    port = net.serve(handler)
    for when in (0, 50):
        result = deliver.ask(port, cancel=when)
        assert result["class"] == "cancelled" and result["ms"] < 2900


def test_connection_refused_and_the_next_address(deliver, net):
    dead = free_port()
    result = deliver.ask(dead)
    assert (result["class"], result["detail"]) == ("connect_error", "connection refused")
    port = net.serve(answering())
    result = deliver.ask(f"127.0.0.1:{dead},[::1]:{dead},127.0.0.1:{port}")
    assert (result["class"], result["port"]) == ("ok", port)


def test_close_ends_everything_once(net):
    async def handler(_, reader, writer):
        await asyncio.sleep(3)

    port = net.serve(handler)
    with running() as program:
        keys = [program.send(port) for _ in range(20)] + [program.resolve("name.invalid", deadline=3000)]
        time.sleep(0.1)
        program.line("close")
        results = [program.wait(k) for k in keys]
        assert [r["class"] for r in results[:-1]] == ["cancelled"] * 20


def test_thousand_silent_connections_beside_a_healthy_one(deliver, net):
    async def silent(_, reader, writer):
        await asyncio.sleep(30)

    bad, good = net.serve(silent), net.serve(answering())
    keys = [deliver.send(bad, pool=n, deadline=8000, connect=8000) for n in range(10, 1010)]
    began = time.monotonic()
    slowest = max(deliver.ask(good)["ms"] for _ in range(200))
    assert time.monotonic() - began < 7.5 and slowest < 3000
    assert all(deliver.wait(k)["class"] == "timeout" for k in keys)


def test_bind_address(net):
    seen = []

    async def handler(_, reader, writer):
        seen.append(writer.get_extra_info("peername")[0])
        await answering()(_, reader, writer)

    port = net.serve(handler)
    with running(bind="127.0.0.9") as program:
        assert program.ask(port)["class"] == "ok"
        result = program.ask(f"[::1]:{port}")
        assert result["class"] == "connect_error" and "source address" in result["detail"]
    assert seen == ["127.0.0.9"]
    assert subprocess.run([PROGRAM, "bind=nonsense"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 2
