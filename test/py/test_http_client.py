"""The HTTP client and the resolver against real sockets: hostile answers, reuse, deadlines, TLS, DNS.

A receiver in this process answers as each test wants; the client runs in the helper program `deliver`.
"""
import asyncio
import base64
import contextlib
import json
import os
import pathlib
import pty
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TENTERHOOK_BUILD") or ROOT / "build" / "test").resolve()
PROGRAM = BUILD / "test" / "deliver"
CORPORA = pathlib.Path(os.environ.get("TENTERHOOK_CORPORA") or ROOT.parent / "shared" / "corpora")
AGAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


class Deliver:
    """The helper program; send() and resolve() start, wait() gives the result."""

    def __init__(self, **options):
        environment = dict(os.environ, http_proxy="http://127.0.0.1:1", ALL_PROXY="http://127.0.0.1:1")
        self.process = subprocess.Popen(
            [str(PROGRAM), *(f"{k}={v}" for k, v in options.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.results, self.changed, self.count = {}, threading.Condition(), 0
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            result = json.loads(line)
            with self.changed:
                key = result.get("id", "closed")
                self.results.setdefault(key, []).append(result)
                self.changed.notify_all()

    def line(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def _start(self, verb, options):
        self.count += 1
        self.line(f"{verb} id={self.count} " + " ".join(f"{k}={v}" for k, v in options.items()))
        return str(self.count)

    def send(self, address, **options):
        if isinstance(address, int):
            address = f"127.0.0.1:{address}"
        return self._start("send", {"addrs": address, **options})

    def resolve(self, host, **options):
        return self._start("resolve", {"host": host, **options})

    def wait(self, key, seconds=10):
        with self.changed:
            assert self.changed.wait_for(lambda: key in self.results, seconds), f"no result for {key}"
            result = self.results[key][0]
        if "body" in result:
            result["body"] = bytes.fromhex(result["body"]) if isinstance(result["body"], str) else result["body"]
            result["head"] = bytes.fromhex(result["head"]) if isinstance(result["head"], str) else result["head"]
        return result

    def ask(self, *arguments, **options):
        return self.wait(self.send(*arguments, **options))

    def look_up(self, *arguments, **options):
        return self.wait(self.resolve(*arguments, **options))

    def close(self):
        """Ends the input: everything under way must end, every request exactly once, without a leak."""
        self.process.stdin.close()
        assert self.process.wait(15) == 0
        self.thread.join(5)
        assert all(len(v) == 1 for k, v in self.results.items() if k != "closed")
        assert len(self.results["closed"]) == 2


@contextlib.contextmanager
def running(**options):
    program = Deliver(**options)
    try:
        yield program
        program.close()
    finally:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()


@pytest.fixture(scope="module")
def deliver():
    """One program for all tests that give no options: each has a port, and so connections, of its own."""
    with running() as program:
        yield program


class Loop:
    """An asyncio loop in a thread, for receivers."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def stop(self):
        async def cancel():
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    def serve(self, handler, **options):
        """A port whose connections are handled by handler(number of the connection, reader, writer)."""
        numbers = iter(range(1, 1 << 30))

        async def connection(reader, writer):
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, OSError,
                                     asyncio.LimitOverrunError):
                await handler(next(numbers), reader, writer)
            with contextlib.suppress(Exception):
                writer.close()

        server = self.run(asyncio.start_server(connection, "127.0.0.1", 0, backlog=4096, **options))
        return server.sockets[0].getsockname()[1]


@pytest.fixture(scope="module")
def net():
    loop = Loop()
    yield loop
    loop.stop()


async def read_request(reader):
    """(target, head, body) of the next request."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head.split(b" ")[1].decode(), head, await reader.readexactly(length)


def answering(answer=OK, close=False):
    async def handler(_, reader, writer):
        while True:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()
            if close:
                return
    return handler


def reset(writer):
    """Closes with RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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
    path = CORPORA / "http1-client" / "cases.jsonl"
    if not path.exists():
        pytest.skip("no corpus")
    cases = {c["id"]: c for c in map(json.loads, path.read_text().splitlines()) if not c["pace"]}

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
    time.sleep(0.05)  # the closes and surplus bytes of the first round arrive
    second = {i: deliver.send(port, target="/again", pool=n) for n, i in enumerate(cases, 1)}
    second = {i: deliver.wait(key) for i, key in second.items()}
    faults = [(i, fault, cases[i]["why"], first[i]) for i in cases
              if (fault := judge(cases[i], first[i], second[i]))]
    assert not faults
    retry_after = {c["raw_b64"]: first[i]["retry_after"] for i, c in cases.items() if "Retry-After '" in c["why"]}
    seconds = {base64.b64decode(k).split(b"Retry-After: ")[1].split(b"\r\n")[0]: v for k, v in retry_after.items()}
    assert seconds.get(b"120", 120) == 120 and seconds.get(b"0", 0) == 0
    assert all(v == -1 for k, v in seconds.items() if not k.isdigit())


def paced(pace):
    """A corpus row that is a behaviour, not bytes, must exist where the corpus does."""
    path = CORPORA / "http1-client" / "cases.jsonl"
    if path.exists():
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert [r["expect"] for r in rows if r["pace"] == pace] == ["FAIL"]


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


def test_connect_deadline(deliver):
    paced("SYN dropped")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port = listener.getsockname()[1]
    fill = []
    for _ in range(4):  # the queue is full: further handshakes are dropped
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", port))
        fill.append(s)
    time.sleep(0.05)
    result = deliver.ask(port, connect=300)
    assert result["class"] == "timeout" and result["detail"] == "timed out while connecting"
    assert 250 < result["ms"] < 1500
    # The share of the silent address leaves time for the next one.
    other = Loop()
    good = other.serve(answering())
    result = deliver.ask(f"127.0.0.1:{port},127.0.0.1:{good}", connect=600)
    assert result["class"] == "ok" and result["port"] == good and 250 < result["ms"] < 1500
    other.stop()
    for s in fill:
        s.close()
    listener.close()


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


@pytest.mark.parametrize("answer, name", [
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "protocol_error"),
    (b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + OK, "protocol_error"),
    (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 20000 + b"\r\nContent-Length: 0\r\n\r\n", "protocol_error"),
    (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 200000, "protocol_error"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "connection_reset"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "connection_reset"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", "protocol_error"),
    (b"HTTP/1.1 200 OK\r\n", "connection_reset"),
    (b"", "connection_reset"),
], ids=["101", "interims", "large head", "endless head", "short", "chunk cut", "bad chunk", "head cut", "nothing"])
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
    with running(per_origin=2, max_idle=3, idle_ms=600) as program:
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
        time.sleep(1.0)
        assert not program.ask(port)["reused"], "idle time"


def test_most_recently_used_first(deliver, net):
    port = net.serve(numbered(delay=0.1))
    for key in [deliver.send(port) for _ in range(3)]:
        deliver.wait(key)
    last = deliver.ask(port)["body"]
    assert [deliver.ask(port)["body"] for _ in range(3)] == [last] * 3


@pytest.mark.parametrize("how", ["eof", "reset"])
def test_stale_pooled_connection_is_tried_again_once(deliver, net, how):
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
    result = deliver.ask(port, target="/second")
    assert (result["class"], result["fresh_retries"], result["reused"]) == ("ok", 1, False)
    assert seen == [(1, "/second")]


def test_a_server_that_hangs_up_unannounced_surprises_once():
    """Its end comes in one packet with the answer, and the next request begins in the same moment."""
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
    assert (result["ok"], result["failed"], result["connects"], result["reuses"]) == (6, 0, 6, 1)


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
    time.sleep(0.1)
    result = deliver.ask(port)
    assert (result["class"], result["reused"], result["fresh_retries"]) == ("ok", False, 0)


def test_surplus_that_comes_late_closes_the_idle_connection(deliver, net):
    async def handler(number, reader, writer):
        while True:
            await read_request(reader)
            writer.write(OK)
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(b"HTTP/1.1 500 Poison\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()

    port = net.serve(handler)
    assert deliver.ask(port)["status"] == 200
    time.sleep(0.1)
    result = deliver.ask(port)
    assert (result["status"], result["reused"]) == (200, False)


# --- time and cancelling ---

def test_silent_server(deliver, net):
    async def handler(_, reader, writer):
        await asyncio.sleep(3)

    result = deliver.ask(net.serve(handler), deadline=300, connect=100)
    assert result["class"] == "timeout" and 250 < result["ms"] < 1500
    assert result["detail"] == "timed out waiting for an answer"


def test_cancel(deliver, net):
    async def handler(_, reader, writer):
        await asyncio.sleep(3)

    port = net.serve(handler)
    for when in (0, 50):
        result = deliver.ask(port, cancel=when)
        assert result["class"] == "cancelled" and result["ms"] < 1500


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
        assert all(r["class"] == "cancelled" for r in results[:-1])


def test_thousand_silent_connections_beside_a_healthy_one(deliver, net):
    async def silent(_, reader, writer):
        await asyncio.sleep(8)

    bad, good = net.serve(silent), net.serve(answering())
    keys = [deliver.send(bad, pool=n, deadline=1800, connect=1800) for n in range(10, 1010)]
    began = time.monotonic()
    slowest = max(deliver.ask(good)["ms"] for _ in range(200))
    assert time.monotonic() - began < 1.7 and slowest < 500
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


# --- TLS ---

@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority and certificates of several kinds, made by the openssl command."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl command")
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    def key(name):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")

    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=db\nunique_subject=no\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n"
        "copy_extensions=copy\n[p]\ncommonName=optional\n[req]\ndistinguished_name=n\n[n]\n")
    (folder / "db").write_text("")
    (folder / "serial").write_text("01\n")
    key("ca")
    openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=Test CA", "-days", "2", "-out", "ca.pem")
    years = "20200101000000Z", "20400101000000Z"
    for name, subject, extensions, dates in (
            ("good", "good", ["subjectAltName=DNS:localhost,DNS:*.wild.example"], years),
            ("address", "address", ["subjectAltName=IP:127.0.0.1"], years),
            ("wrong", "localhost", ["subjectAltName=DNS:other.example"], years),
            ("partial", "partial", ["subjectAltName=DNS:l*.wild.example,DNS:*"], years),
            ("subject", "localhost", [], years),
            ("client", "client", ["subjectAltName=DNS:localhost", "extendedKeyUsage=clientAuth"], years),
            ("expired", "expired", ["subjectAltName=DNS:localhost"], ("20200101000000Z", "20210101000000Z")),
            ("future", "future", ["subjectAltName=DNS:localhost"], ("20390101000000Z", "20400101000000Z"))):
        key(name)
        openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={subject}",
                *(word for extension in extensions for word in ("-addext", extension)), "-out", f"{name}.csr")
        openssl("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", f"{name}.csr",
                "-startdate", dates[0], "-enddate", dates[1], "-out", f"{name}.pem")
    key("self")
    openssl("req", "-x509", "-new", "-key", "self.key", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost", "-days", "2", "-out", "self.pem")
    return folder


def context(authority, name="good"):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(authority / f"{name}.pem", authority / f"{name}.key")
    return c


@pytest.fixture(scope="module")
def secure(authority):
    with running(ca=authority / "ca.pem") as program:
        yield program


@pytest.mark.parametrize("name, host, detail", [
    ("good", "localhost", None),
    ("good", "a.wild.example", None),
    ("good", "a.b.wild.example", "certificate: host name mismatch"),
    ("address", "127.0.0.1", None),
    ("address", "localhost", "certificate: host name mismatch"),
    ("good", "127.0.0.1", "certificate: IP address mismatch"),
    ("wrong", "localhost", "certificate: host name mismatch"),
    ("subject", "localhost", "certificate: host name mismatch"),
    ("partial", "l.wild.example", "certificate: host name mismatch"),
    ("partial", "localhost", "certificate: host name mismatch"),
    ("client", "localhost", "certificate: unsuitable certificate purpose"),
    ("expired", "localhost", "certificate: expired"),
    ("future", "localhost", "certificate: not yet valid"),
    ("self", "localhost", "certificate: self-signed"),
])
def test_certificates(secure, net, authority, name, host, detail):
    seen = []

    async def handler(number, reader, writer):
        seen.append(await read_request(reader))
        writer.write(OK)
        await writer.drain()

    result = secure.ask(net.serve(handler, ssl=context(authority, name)), tls=1, host=host)
    if detail is None:
        assert (result["class"], result["status"]) == ("ok", 200) and result["times"][1] >= result["times"][0] >= 0
    else:
        assert (result["class"], result["detail"]) == ("tls_error", detail)
        assert not seen, "nothing may be sent to an unproven peer"


def test_unknown_authority_without_the_file(deliver, net, authority):
    result = deliver.ask(net.serve(answering(), ssl=context(authority)), tls=1)
    assert result["class"] == "tls_error" and result["detail"].startswith("certificate: ")


def test_tls_reuse_sessions_and_large_bodies(secure, net, authority):
    sessions = []

    async def handler(_, reader, writer):
        sessions.append(writer.get_extra_info("ssl_object").session_reused)
        while True:
            target, _, body = await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n" +
                         (b"Connection: close\r\n" if target == "/close" else b"") + b"\r\n" + b"z" * 300000)
            await writer.drain()
            if target == "/close":
                return

    port = net.serve(handler, ssl=context(authority))
    result = secure.ask(port, tls=1, size=3 << 20, body_cap=1 << 20)
    assert result["body"] == b"z" * 300000 and not result["reused"]
    assert secure.ask(port, tls=1, body_cap=1 << 20)["reused"]
    assert secure.ask(port, tls=1, body_cap=1 << 20, target="/close")["status"] == 200
    assert secure.ask(port, tls=1, body_cap=1 << 20)["status"] == 200
    assert secure.ask(port, tls=1, body_cap=1 << 20, pool=2)["status"] == 200
    assert sessions == [False, True, False], "a session is resumed within its pool key only"


def test_tls_1_1_is_refused(secure, net, authority):
    c = context(authority)
    c.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        c.minimum_version, c.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    assert secure.ask(net.serve(answering(), ssl=c), tls=1)["class"] == "tls_error"


def test_tls_1_2(secure, net, authority):
    c = context(authority)
    c.maximum_version = ssl.TLSVersion.TLSv1_2
    port = net.serve(answering(close=True), ssl=c)
    assert [secure.ask(port, tls=1)["status"] for _ in range(3)] == [200] * 3


def test_server_that_refuses_the_name(secure, authority):
    paced("TLS: SNI alert unrecognized_name")
    c = context(authority)
    names = []

    def refuse(_, name, __):
        names.append(name)
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    def serve():  # asyncio would close without the alert
        connection, _ = listener.accept()
        with connection, contextlib.suppress(ssl.SSLError, OSError):
            c.wrap_socket(connection, server_side=True)

    c.sni_callback = refuse
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        result = secure.ask(listener.getsockname()[1], tls=1)
        thread.join()
    assert result["class"] == "tls_error" and "unrecognized name" in result["detail"]
    assert names == ["localhost"]


def test_server_that_wants_a_client_certificate(secure, net, authority):
    paced("TLS: client certificate requested")
    c = context(authority)
    c.verify_mode = ssl.CERT_REQUIRED
    c.load_verify_locations(authority / "ca.pem")
    result = secure.ask(net.serve(answering(), ssl=c), tls=1)
    assert result["class"] in ("tls_error", "connection_reset") and result["status"] == 0


def test_flood_of_key_updates(secure, authority):
    paced("TLS: renegotiation / 1,000 KeyUpdate")
    port = free_port()
    master, slave = pty.openpty()
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-tls1_3", "-cert",
                               "good.pem", "-key", "good.key"], cwd=authority, stdin=slave,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)
        key = secure.send(port, tls=1, deadline=3000)
        time.sleep(0.3)
        for _ in range(60):  # one command a line: 60 key updates
            os.write(master, b"k\n")
            time.sleep(0.005)
        result = secure.wait(key)
        assert result["class"] == "connection_reset" and "handshake messages" in result["detail"]
    finally:
        server.kill()
        server.wait()
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("answer, good", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", True),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n", True),
    (b"HTTP/1.1 200 OK\r\n\r\nOK", False),
    (b"HTTP/1.0 200 OK\r\n\r\n", False),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK", False),
], ids=["length", "chunked", "until close", "until close, empty", "short"])
@pytest.mark.parametrize("alert", [False, True])
def test_end_without_a_closing_alert(secure, authority, answer, good, alert):
    """Anybody on the way can end a TCP connection; what only its end completes is not complete then (RFC 9112, 9.8)."""
    def serve():
        connection = context(authority).wrap_socket(listener.accept()[0], server_side=True)
        connection.recv(4096)
        connection.sendall(answer)
        if alert:
            with contextlib.suppress(OSError):
                connection.unwrap()
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        result = secure.ask(listener.getsockname()[1], tls=1)
        thread.join()
    if alert and b"Length: 3" not in answer:
        good = True
    assert result["class"] == ("ok" if good else "connection_reset"), result
    assert result["body"] == (b"OK" if good and b"1.0" not in answer else b"")


@pytest.mark.parametrize("what", ["silent", "plain", "closes"])
def test_server_that_speaks_no_tls(secure, net, what):
    async def handler(_, reader, writer):
        await reader.read(10)
        if what == "plain":
            writer.write(OK)
            await writer.drain()
        if what == "silent":
            await asyncio.sleep(2)

    result = secure.ask(net.serve(handler), tls=1, connect=300)
    assert result["class"] == ("timeout" if what == "silent" else "tls_error")
    if what == "silent":
        assert result["detail"] == "timed out during the TLS handshake" and result["ms"] < 1500


def test_silent_tls_servers_do_not_hold_up_a_healthy_one(secure, net, authority):
    async def silent(_, reader, writer):
        await asyncio.sleep(6)

    bad, good = net.serve(silent), net.serve(answering(), ssl=context(authority))
    keys = [secure.send(bad, tls=1, pool=n, deadline=1500, connect=1500) for n in range(10, 210)]
    result = secure.ask(good, tls=1)
    assert result["class"] == "ok" and result["ms"] < 1450, "200 silent handshakes came first"
    assert all(secure.wait(k)["class"] == "timeout" for k in keys)


def test_storm_of_handshakes_beside_a_warm_connection(secure, net, authority):
    cold, warm = net.serve(answering(), ssl=context(authority)), net.serve(answering())
    assert secure.ask(warm)["class"] == "ok"
    keys = [secure.send(cold, tls=1, pool=n, deadline=9000, connect=9000) for n in range(10, 110)]
    for _ in range(20):
        result = secure.ask(warm)
        assert result["reused"] and result["ms"] < 1000
    assert all(secure.wait(k)["class"] == "ok" for k in keys)


def test_unreadable_authority_file(tmp_path):
    run = subprocess.run([PROGRAM, f"ca={tmp_path}/none.pem"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert run.returncode == 2 and "none.pem" in run.stderr


# --- names ---

class NameServer:
    """Scripted: records[name] = {"A": [...], "AAAA": [...], "ttl": n, "rcode": n, "silent": True, "cname": name}."""

    def __init__(self, records):
        self.records, self.queries = records, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    @staticmethod
    def encode(name):
        return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"

    def run(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(2048)
            except OSError:
                return
            at, labels = 12, []
            while packet[at]:
                labels.append(packet[at + 1:at + 1 + packet[at]].decode())
                at += packet[at] + 1
            name, kind = ".".join(labels).lower(), struct.unpack("!H", packet[at + 1:at + 3])[0]
            self.queries.append((name, kind))
            entry = self.records.get(name, {"rcode": 3})
            if entry.get("silent"):
                continue
            answers, owner, ttl = [], b"\xc0\x0c", entry.get("ttl", 60)
            if "cname" in entry:
                target = self.encode(entry["cname"])
                answers.append(owner + struct.pack("!HHIH", 5, 1, entry.get("cname_ttl", ttl), len(target)) + target)
                owner = target
            for text in entry.get("A" if kind == 1 else "AAAA", []):
                raw = socket.inet_pton(socket.AF_INET if kind == 1 else socket.AF_INET6, text)
                answers.append(owner + struct.pack("!HHIH", kind, 1, ttl, len(raw)) + raw)
            self.socket.sendto(packet[:2] + struct.pack("!HHHHH", 0x8180 | entry.get("rcode", 0), 1, len(answers), 0, 0)
                               + packet[12:at + 5] + b"".join(answers), peer)


@pytest.fixture
def names():
    server = NameServer({})
    yield server
    server.socket.close()


def test_both_families_are_returned(names):
    names.records["a.example"] = {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": ["2001:db8::1"]}
    with running(servers=names.address) as program:
        result = program.look_up("a.example")
    assert result["code"] == 0
    assert sorted(result["addrs"]) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
    assert sorted(names.queries) == [("a.example", 1), ("a.example", 28)]


def codes():
    """Numbers of enum th_error by name, from the header itself."""
    text = (ROOT / "src" / "base" / "error.h").read_text().split("enum th_error {")[1].split("}")[0]
    rows = [line.split("/*")[0].replace("= 0", "").strip(" ,") for line in text.splitlines()]
    return {name: n for n, name in enumerate(r for r in rows if r)}


def test_name_errors(names):
    many = [f"192.0.2.{i}" for i in range(17)]
    expected = {
        "missing.example": ({"rcode": 3}, "TH_NOT_FOUND"),
        "empty.example": ({"A": [], "AAAA": []}, "TH_NOT_FOUND"),
        "servfail.example": ({"rcode": 2}, "TH_RETRY"),
        "refused.example": ({"rcode": 5}, "TH_RETRY"),
        "silent.example": ({"silent": True}, "TH_TIMEOUT"),
        "seventeen.example": ({"A": many}, "TH_TOO_LARGE"),
        "sixteen.example": ({"A": many[:16]}, "TH_OK"),
    }
    names.records.update({name: entry for name, (entry, _) in expected.items()})
    with running(servers=names.address) as program:
        keys = {name: program.resolve(name, deadline=500) for name in expected}
        results = {name: program.wait(key) for name, key in keys.items()}
    assert {n: r["code"] for n, r in results.items()} == {n: codes()[e] for n, (_, e) in expected.items()}
    assert all(r["ms"] < 1500 for r in results.values())
    assert {n: len(r["addrs"]) for n, r in results.items() if r["addrs"]} == {"sixteen.example": 16}


def test_cache_and_its_bounds(names):
    names.records["long.example"] = {"A": ["192.0.2.1"], "ttl": 1000}
    names.records["zero.example"] = {"A": ["192.0.2.1"], "ttl": 0}
    names.records["alias.example"] = {"A": ["192.0.2.1"], "ttl": 1000, "cname": "real.example", "cname_ttl": 0}
    with running(servers=names.address, min_ttl=1, max_ttl=2) as program:
        for name in names.records:
            for _ in range(3):
                assert program.look_up(name)["addrs"] == ["192.0.2.1"]
        assert len(names.queries) == 6, "each name once for each family"
        assert program.look_up("none.example")["code"] == program.look_up("none.example")["code"] != 0
        assert len(names.queries) == 8, "no such name is remembered too"
        time.sleep(1.2)
        names.records["zero.example"] = {"A": ["192.0.2.9"]}
        assert program.look_up("zero.example")["addrs"] == ["192.0.2.9"], "at least min_ttl"
        assert program.look_up("long.example")["addrs"] == ["192.0.2.1"]
        program.look_up("alias.example")
        assert names.queries.count(("long.example", 1)) == 1
        assert names.queries.count(("alias.example", 1)) == 2, "the shortest life in the chain counts"
        time.sleep(1.0)
        program.look_up("long.example")
        assert names.queries.count(("long.example", 1)) == 2, "at most max_ttl"


def test_failures_are_not_remembered(names):
    names.records["x.example"] = {"rcode": 2}
    with running(servers=names.address) as program:
        assert program.look_up("x.example")["code"] == codes()["TH_RETRY"]
        names.records["x.example"] = {"A": ["192.0.2.1"]}
        assert program.look_up("x.example")["addrs"] == ["192.0.2.1"]


def test_concurrent_look_ups_are_one_query_and_tenants_are_capped(names):
    for i in range(10):
        names.records[f"{i}.example"] = {"silent": True}
    names.records["good.example"] = {"A": ["192.0.2.1"]}
    with running(servers=names.address, max_per_tenant=4) as program:
        keys = [program.resolve("0.example", tenant=7, deadline=700) for _ in range(50)]
        keys += [program.resolve(f"{i}.example", tenant=7, deadline=700) for i in range(1, 4)]
        full = program.look_up("4.example", tenant=7, deadline=700)
        assert full["code"] == codes()["TH_FULL"] and full["ms"] < 200
        assert program.look_up("good.example", tenant=8)["addrs"] == ["192.0.2.1"], "others are not held up"
        assert all(program.wait(k)["code"] == codes()["TH_TIMEOUT"] for k in keys)
        assert names.queries.count(("0.example", 1)) == 1


def test_cancel_a_look_up(names):
    names.records["x.example"] = {"silent": True}
    with running(servers=names.address) as program:
        for when in (0, 50):
            assert program.look_up("x.example", cancel=when)["code"] == codes()["TH_CANCELLED"]


def test_no_search_domain(names, monkeypatch):
    monkeypatch.setenv("LOCALDOMAIN", "evil.example")
    names.records["target.evil.example"] = {"A": ["192.0.2.66"]}
    with running(servers=names.address) as program:
        assert program.look_up("target")["code"] == codes()["TH_NOT_FOUND"]
    assert all(name == "target" for name, _ in names.queries)


def test_hosts_file(names):
    with running(servers=names.address) as program:
        assert "127.0.0.1" in program.look_up("localhost")["addrs"]
    assert not names.queries
