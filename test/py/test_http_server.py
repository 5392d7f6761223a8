"""The HTTP server through real sockets: the corpus of requests, limits of size and of time, order, draining.

The server under test is test/tool/echo_server.c, which answers every request that the reader accepts with 200 and what
it saw. Figures of time are upper bounds with room for a slow machine; the limits themselves are set to fractions of a
second."""
import asyncio
import base64
import json
import os
import pathlib
import random
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPORA = pathlib.Path(os.environ.get("TENTERHOOK_CORPORA", ROOT.parent / "shared" / "corpora"))
CASES = CORPORA / "http1-server" / "cases.jsonl"
BINARY = pathlib.Path(os.environ.get("TENTERHOOK_BUILD", ROOT / "build" / "test")).resolve() / "test" / "echo_server"
REFUSALS = {400, 408, 411, 413, 414, 417, 426, 431, 501, 503, 505}
PATIENCE = 30  # seconds after which a missing answer is a failure


class Echo:
    """One echo server; stop() drains it and checks that it ended well."""

    def __init__(self, files=None, **options):
        """`files`: how many open files it is allowed."""
        limit = ["prlimit", f"--nofile={files}:{files}"] if files else []
        self.process = subprocess.Popen(
            [*limit, str(BINARY), *(f"{k}={v}" for k, v in options.items())], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.seen = None

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Peer(s)

    def open(self):
        """Sockets of the process, but for the one that listens."""
        links = (os.readlink(f) for f in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir())
        return sum(link.startswith("socket:") for link in links) - 1

    def cpu_ticks(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def stop(self):
        if self.seen is None:
            self.process.send_signal(signal.SIGTERM)
            out, _ = self.process.communicate(timeout=PATIENCE)
            assert self.process.returncode == 0
            match = re.fullmatch(r"drained (\d+) open 0\n", out)
            assert match, out
            self.seen = int(match[1])
        return self.seen


class Peer:
    """One connection that reads answers one after the other."""

    def __init__(self, sock):
        self.sock, self.data = sock, b""

    def send(self, data):
        self.sock.sendall(data)
        return self

    def fill(self):
        more = self.sock.recv(1 << 16)
        self.data += more
        return bool(more)

    def answer(self, to_head=False):
        """(status, fields, body) of the next answer, interim ones included; None at an orderly end."""
        while b"\r\n\r\n" not in self.data:
            if not self.fill():
                assert self.data == b"", self.data
                return None
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        status, fields = parse_head(head)
        length = 0 if to_head or status < 200 or status in (204, 304) else int(fields["content-length"])
        while len(self.data) < length:
            assert self.fill(), "answer cut short"
        body, self.data = self.data[:length], self.data[length:]
        return status, fields, body

    def json(self):
        status, _, body = self.answer()
        assert status == 200
        return json.loads(body)

    def is_ended(self):
        """True when the server has ended its side and sent nothing more."""
        return self.data == b"" and not self.fill()

    def is_silent(self, seconds=0.1):
        self.sock.settimeout(seconds)
        try:
            return self.fill() and False
        except TimeoutError:
            return self.data == b""
        finally:
            self.sock.settimeout(PATIENCE)

    def close(self):
        self.sock.close()


def served_of(peers, seconds=0):
    """Those whose answer is here; waits that long for the first one."""
    ready, _, _ = select.select([p.sock for p in peers], [], [], seconds)
    return [p for p in peers if p.sock in ready]


def parse_head(head):
    lines = head.decode("latin-1").split("\r\n")
    match = re.fullmatch(r"HTTP/1\.1 (\d{3}) ([A-Za-z -]*)", lines[0])
    assert match, lines[0]
    fields = {}
    for line in lines[1:]:
        name, value = line.split(": ", 1)
        assert name.lower() not in fields, line
        fields[name.lower()] = value
    return int(match[1]), fields


def request(target="/e", body=None, method=None, fields=""):
    method = method or ("GET" if body is None else "POST")
    length = "" if body is None else f"Content-Length: {len(body)}\r\n"
    return f"{method} {target} HTTP/1.1\r\nHost: a\r\n{length}{fields}\r\n".encode() + (body or b"")


def chunked(*chunks, fields="", trailer=""):
    out = f"POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{fields}\r\n".encode()
    for c in chunks:
        out += b"%x\r\n%s\r\n" % (len(c), c)
    return out + f"0\r\n{trailer}\r\n".encode()


def body_of(seen):
    return base64.b64decode(seen["body_b64"])


@pytest.fixture
def echo():
    started = []

    def make(**options):
        started.append(Echo(**options))
        return started[-1]

    yield make
    for e in started:
        try:
            e.stop()
        finally:
            e.process.kill()
            e.process.wait()


@pytest.fixture
def peer(echo):
    p = echo().connect()
    yield p
    p.close()


def is_problem(answer, status):
    """The answer is a complete problem (RFC 9457) of that status, and the connection is announced to end."""
    got, fields, body = answer
    problem = json.loads(body)
    assert got == status == problem["status"], (got, body)
    assert fields["content-type"] == "application/problem+json"
    assert fields["connection"] == "close"
    assert problem["request_id"] == fields["request-id"]
    assert problem["type"] and problem["title"] and problem["detail"]
    return True


# ---- the corpus ----


def load_cases():
    if not CASES.exists():
        pytest.skip(f"no corpus at {CASES}")
    return [json.loads(line) for line in CASES.open()]


def split_answers(data, is_head):
    answers = []
    while data:
        head, sep, data = data.partition(b"\r\n\r\n")
        assert sep, f"answer cut short: {head!r}"
        status, fields = parse_head(head)
        if status == 100:
            continue
        length = 0 if is_head else int(fields["content-length"])
        assert len(data) >= length, "answer cut short"
        answers.append((status, data[:length]))
        data = data[length:]
    return answers


def is_settled(case, data):
    """Silence is the expected outcome now; otherwise a slow machine may only need more time."""
    try:
        return judge(case, data, False, False)[0] is None
    except AssertionError:
        return False


async def exchange(port, case, half_close, pieces, quiet):
    """What comes back: until the server ends the connection, or nothing has come for `quiet` seconds."""
    loop = asyncio.get_running_loop()
    raw, data, began = base64.b64decode(case["raw_b64"]), b"", loop.time()
    with socket.socket() as s:
        s.setblocking(False)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(s, ("127.0.0.1", port))

        step = 1 if pieces else max(len(raw), 1)
        for i in range(0, len(raw), step):
            await loop.sock_sendall(s, raw[i:i + step])
            await asyncio.sleep(0)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        while True:
            try:
                more = await asyncio.wait_for(loop.sock_recv(s, 1 << 20), PATIENCE if half_close else quiet)
            except asyncio.TimeoutError:
                assert not half_close, f"{case['id']}: no end within {PATIENCE} s"
                if is_settled(case, data) or loop.time() > began + PATIENCE:
                    return data, False
                continue
            if not more:
                return data, True
            data += more


def judge(case, data, ended, half_close):
    """None, or what is wrong; also how many requests the handler has seen."""
    answers = split_answers(data, base64.b64decode(case["raw_b64"]).startswith(b"HEAD "))
    bodies = [base64.b64encode(body_of(json.loads(b))).decode() if b else "" for s, b in answers if s == 200]
    refused = [s for s, _ in answers if s != 200]
    if len(refused) > 1 or (refused and answers[-1][0] == 200) or (refused and not ended):
        return f"goes on after a refusal: {answers}", len(bodies)
    if case["expect"] == "EITHER":
        return None if len(bodies) <= case["accepted_before"] else "one request too many", len(bodies)
    allowed = case["expect"].split("|")
    if bodies != case["bodies_b64"][:len(bodies)] or len(bodies) > case["accepted_before"]:
        return f"bodies {bodies} instead of {case['bodies_b64']}", len(bodies)
    if refused:
        fine = str(refused[0]) in allowed and (len(bodies) == case["accepted_before"] or "2xx" in allowed
                                               or refused[0] in (414, 431))
        return None if fine else f"{refused[0]} after {len(bodies)} accepted", len(bodies)
    outcome = "WAIT" if "WAIT" in allowed else "2xx"
    if outcome not in allowed or len(bodies) != case["accepted_before"]:
        return f"{len(bodies)} accepted, then nothing", len(bodies)
    if outcome == "WAIT" and ended and not half_close:
        return "closed instead of waiting", len(bodies)
    return None, len(bodies)


async def run_corpus(port, cases, half_close=False, pieces=False, quiet=0.4, at_once=150):
    gate, wrong, seen = asyncio.Semaphore(at_once), {}, 0

    async def one(case):
        nonlocal seen
        async with gate:
            data, ended = await exchange(port, case, half_close, pieces, quiet)
        problem, count = judge(case, data, ended, half_close)
        seen += count
        if problem:
            wrong[case["id"]] = f"{case['note']}: expected {case['expect']}, {problem}"

    await asyncio.gather(*(one(case) for case in cases))
    return wrong, seen


@pytest.mark.parametrize("half_close", [True, False], ids=["half_close", "open"])
def test_corpus(echo, half_close):
    """Every case has one of its allowed outcomes, and the handler never saw a request that was not answered 200."""
    cases, server = load_cases(), echo()
    wrong, seen = asyncio.run(run_corpus(server.port, cases, half_close=half_close))
    assert wrong == {}
    assert server.stop() == seen
    assert len(cases) >= 2958


def test_corpus_byte_by_byte(echo):
    """A sample of the corpus, every byte in its own segment: the outcome does not depend on where segments end."""
    cases = [c for c in load_cases() if len(c["raw_b64"]) < 400]
    cases = random.Random(9112).sample(cases, 500)
    server = echo()
    wrong, seen = asyncio.run(run_corpus(server.port, cases, pieces=True, at_once=100))
    assert wrong == {}
    assert server.stop() == seen


# ---- connections and order ----


def test_keep_alive(peer):
    ids = set()
    for i in range(5):
        status, fields, body = peer.send(request(f"/{i}?q={i}", b"b%d" % i)).answer()
        seen = json.loads(body)
        assert (status, seen["path"], seen["query"], body_of(seen)) == (200, f"/{i}", f"q={i}", b"b%d" % i)
        assert "connection" not in fields
        assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", fields["date"])
        assert re.fullmatch(r"req_[0-9a-z]{20}", fields["request-id"]) and fields["request-id"] == seen["request_id"]
        ids.add(fields["request-id"])
    assert len(ids) == 5


def test_connection_close_is_honoured(peer):
    status, fields, _ = peer.send(request(fields="Connection: x, Close\r\n")).answer()
    assert (status, fields["connection"]) == (200, "close")
    assert peer.is_ended()


@pytest.mark.parametrize("connection,kept", [("", False), ("Connection: Keep-Alive\r\n", True)])
def test_http_1_0(peer, connection, kept):
    for _ in range(2 if kept else 1):
        status, fields, _ = peer.send(f"GET / HTTP/1.0\r\n{connection}\r\n".encode()).answer()
        assert (status, fields["connection"]) == (200, "keep-alive" if kept else "close")
    assert kept or peer.is_ended()


def test_pipelined_answers_keep_their_order(peer):
    """A slow first request holds the later ones back, not the other way round."""
    peer.send(request("/0?delay=150") + request("/1", b"x") + request("/2?delay=20") + chunked(b"ab", b"c") + request("/4"))
    answers = [peer.json() for _ in range(5)]
    assert [a["seen"] for a in answers] == [1, 2, 3, 4, 5]
    assert [a["path"] for a in answers] == ["/0", "/1", "/2", "/e", "/4"]
    assert [body_of(a) for a in answers] == [b"", b"x", b"", b"abc", b""]


def test_long_pipeline_behind_a_slow_request(echo):
    """More bytes than the server holds wait in the kernel, and none is lost."""
    p = echo().connect()
    p.send(request("/first?delay=200"))
    p.send(b"".join(request(f"/{i}", b"%05d" % i * 20) for i in range(500)))
    assert p.json()["path"] == "/first"
    for i in range(500):
        seen = p.json()
        assert seen["path"] == f"/{i}" and body_of(seen) == b"%05d" % i * 20


def test_half_closed_client_gets_its_answers(peer):
    peer.send(request("/a?delay=100") + request("/b"))
    peer.sock.shutdown(socket.SHUT_WR)
    assert peer.json()["path"] == "/a"
    assert peer.json()["path"] == "/b"
    assert peer.is_ended()


def test_handler_learns_that_the_client_is_gone(peer):
    peer.send(request("/a?delay=100"))
    peer.sock.shutdown(socket.SHUT_WR)
    assert peer.json()["gone"] is True


def test_reset_while_the_handler_works(echo):
    server = echo()
    for _ in range(20):
        p = server.connect().send(request("/a?delay=50", b"x" * 100))
        p.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        p.close()
    assert server.connect().send(request("/b?delay=100")).json()["path"] == "/b"


def test_every_cut_of_two_requests(echo):
    server = echo()
    raw = chunked(b"hello", b"x" * 20, trailer="T: v\r\n") + request("/second", b"body")
    for cut in range(1, len(raw)):
        p = server.connect().send(raw[:cut])
        if cut % 5 == 0:
            time.sleep(0.001)
        p.send(raw[cut:])
        assert body_of(p.json()) == b"hello" + b"x" * 20
        assert body_of(p.json()) == b"body"
        p.close()


# ---- bodies ----


@pytest.mark.parametrize("size", [0, 1, 1024, 8000, 8100, 8192, 8193, 16384, 16385, 100_000, 3_000_000])
def test_bodies_of_many_sizes(peer, size):
    """Around every border of the server's buffers, as length and as chunks, one behind the other."""
    body = random.Random(size).randbytes(size)
    chunks = [body[i:i + 7001] for i in range(0, size, 7001)]
    for raw in (request("/l", body), chunked(*chunks), request("/l", body, fields=f"X: {'y' * 8100}\r\n"),
                chunked(*chunks, fields=f"X: {'y' * 7900}\r\n"), chunked(*chunks, fields=f"X: {'y' * 20000}\r\n")):
        assert body_of(peer.send(raw).json()) == body
    sender = threading.Thread(target=peer.send, args=(request("/1", body) + chunked(*chunks) + request("/3", body),))
    sender.start()  # no more is read of who does not take his answers
    for _ in range(3):
        assert body_of(peer.json()) == body
    sender.join()


def test_expect_100_continue(peer):
    head = request("/e", b"x" * 10, fields="Expect: 100-continue\r\n")[:-10]
    for _ in range(2):
        assert peer.send(head).answer()[0] == 100
        assert peer.is_silent()
        assert body_of(peer.send(b"y" * 10).json()) == b"y" * 10


def test_no_100_when_the_body_is_there(peer):
    assert body_of(peer.send(request("/e", b"xyz", fields="Expect: 100-continue\r\n")).json()) == b"xyz"


def test_expect_with_chunks(peer):
    raw = chunked(b"abc", fields="Expect: 100-Continue\r\n")
    head, body = raw.split(b"\r\n\r\n", 1)
    assert peer.send(head + b"\r\n\r\n").answer()[0] == 100
    assert body_of(peer.send(body).json()) == b"abc"


def test_head_204_and_304_have_no_body(peer):
    status, fields, _ = peer.send(request("/h", method="HEAD")).answer(to_head=True)
    assert status == 200 and int(fields["content-length"]) > 50
    for status in (204, 304):
        got, fields, _ = peer.send(request(f"/?status={status}")).answer()
        assert got == status and "content-length" not in fields
    assert peer.send(request("/after")).json()["path"] == "/after"


def test_absolute_form_names_the_host(peer):
    seen = peer.send(b"GET http://other:81/p/q?x=1 HTTP/1.1\r\nHost: a\r\n\r\n").json()
    assert (seen["path"], seen["query"], seen["host"]) == ("/p/q", "x=1", "other:81")
    seen = peer.send(b"GET http://other?x=1 HTTP/1.1\r\nHost: a\r\n\r\n").json()
    assert (seen["path"], seen["query"], seen["host"]) == ("/", "x=1", "other")


# ---- refusals ----


@pytest.mark.parametrize("raw,status", [
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400),
    (chunked(b"x", fields="Transfer-Encoding: chunked\r\n"), 400),
    (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n", 417),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16777217\r\nExpect: 100-continue\r\n\r\n", 413),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16777217\r\n\r\n", 413),
    (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET /" + b"a" * 40_000, 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40_000, 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 128 + b"\r\n", 431),
    (chunked(fields="Expect: 100-continue\r\n")[:-5] + b"1000001\r\n", 413),
    (chunked(b"x")[:-5] + b"7fffffffffffffff\r\n", 413),
    (b"\x16\x03\x01\x02\x00", 400),
    (b"HEAD /\r\n\r\n", 400),
])
def test_refusals(peer, raw, status):
    """Told as a problem, then the connection ends, without a 100 before."""
    assert is_problem(peer.send(raw).answer(), status)
    assert peer.is_ended()


def test_100_fields_are_accepted(peer):
    assert peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 99 + b"\r\n").json()["path"] == "/"


def test_limits_are_exact(echo):
    server = echo(max_body=1000, max_head=2000)
    assert len(body_of(server.connect().send(request("/", b"x" * 1000)).json())) == 1000
    assert len(body_of(server.connect().send(chunked(b"x" * 999, b"y")).json())) == 1000
    assert is_problem(server.connect().send(request("/", b"x" * 1001)).answer(), 413)
    assert is_problem(server.connect().send(chunked(b"x" * 999, b"yz")).answer(), 413)
    bare = len(request("/", fields="X: \r\n"))
    assert server.connect().send(request("/", fields=f"X: {'a' * (2000 - bare)}\r\n")).json()["path"] == "/"
    assert is_problem(server.connect().send(request("/", fields=f"X: {'a' * (2001 - bare)}\r\n")).answer(), 431)


def test_bodies_have_a_limit_together(echo):
    """Above it a new one is refused; one that has been coming for long gives way. What is answered is free again."""
    server = echo(max_body=1_000_000, max_bodies=4_000_000, head_ms=600)
    body = b"x" * 1_000_000
    for _ in range(5):
        assert body_of(server.connect().send(request("/", body)).json()) == body
    slow = [server.connect().send(request("/", body)[:-1]) for _ in range(3)]
    quick = server.connect().send(request("/", body)[:-1])
    time.sleep(0.2)
    refused = server.connect().send(request("/", body)).answer()
    assert is_problem(refused, 503) and refused[1]["retry-after"] == "1"
    assert body_of(server.connect().send(request("/", b"small")).json()) == b"small"
    assert quick.send(b"x").json()
    time.sleep(0.6)
    for p in slow[:2]:
        assert body_of(server.connect().send(request("/", body)).json()) == body
        waiting = server.connect().send(request("/", body)[:-1])
        time.sleep(0.05)
        assert body_of(server.connect().send(chunked(body)).json()) == body
        assert is_problem(p.answer(), 503)
        slow.append(waiting)
    assert all(p.send(b"x").json() for p in slow[2:])


def test_refusal_reaches_a_client_that_goes_on_sending(peer):
    """No reset may destroy the answer: what still comes in is read and thrown away."""
    body = b"x" * 16_777_217
    assert is_problem(peer.send(request("/", body)).answer(), 413)
    assert peer.is_ended()


def test_refusal_behind_accepted_requests(peer):
    peer.send(request("/a?delay=50") + b"GARBAGE\r\n\r\n" + request("/never"))
    assert peer.json()["path"] == "/a"
    assert is_problem(peer.answer(), 400)
    assert peer.is_ended()


# ---- time ----


def test_slow_head_is_cut(echo):
    """Trickling does not help: the whole head has one limit."""
    p = echo(head_ms=300).connect()
    began = time.monotonic()
    for byte in request("/" + "a" * 1000):
        if time.monotonic() - began > 0.6:
            break
        p.send(bytes([byte]))
        time.sleep(0.02)
    assert is_problem(p.answer(), 408)
    assert p.is_ended()
    assert time.monotonic() - began < 5


def test_slow_body_is_cut(echo):
    p = echo(body_ms=300).connect().send(request("/", b"x" * 10)[:-1])
    began = time.monotonic()
    assert is_problem(p.answer(), 408)
    assert 0.25 < time.monotonic() - began < 5


def test_steady_body_is_not_cut(echo):
    """1 KiB/s is enough, however long it takes altogether."""
    p = echo(body_ms=1500).connect().send(request("/", b"x" * 9000)[:-9000])
    for _ in range(30):
        p.send(b"x" * 300)
        time.sleep(0.08)
    assert len(body_of(p.json())) == 9000


def test_idle_connection_is_closed_quietly(echo):
    server = echo(idle_ms=1000)
    unused, used = server.connect(), server.connect().send(request())
    assert used.json()["path"] == "/e"
    assert unused.is_ended() and used.is_ended()


def test_busy_connection_is_not_idle(echo):
    assert echo(idle_ms=800, head_ms=800, body_ms=800).connect().send(request("/?delay=1600")).json()


def test_client_that_does_not_read_is_cut(echo):
    server = echo(write_ms=300)
    p = server.connect()
    p.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    p.send(request("/?size=20000000"))
    time.sleep(1.0)
    read = 0
    with pytest.raises(ConnectionError):
        while True:
            more = p.sock.recv(1 << 20)
            if not more:
                raise ConnectionError
            read += len(more)
    assert read < 20_000_000
    assert server.connect().send(request("/next")).json()["path"] == "/next"


@pytest.mark.parametrize("last, limits", [(b"", {"idle_ms": 400}), (b"GET / HT", {"head_ms": 300})], ids=["idle", "refused"])
def test_answers_that_nobody_reads_do_not_stay_in_the_kernel(echo, last, limits):
    """The kernel has taken all of them, so nothing is queued here; an orderly close would leave them with it for minutes."""
    server = echo(**limits)
    p = server.connect()
    p.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    p.send(request("/?size=60000") * 2 + last)
    ours = "%08X:%04X" % (0x0100007F, server.port)

    def unsent():
        rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return [int(row[4].split(":")[0], 16) for row in rows if row[1] == ours and row[3] != "0A"]

    deadline = time.monotonic() + PATIENCE
    while not any(unsent()):
        assert time.monotonic() < deadline
    while unsent():
        assert time.monotonic() < deadline, unsent()
        time.sleep(0.05)


def test_large_answer_to_a_slow_reader(echo):
    p = echo(write_ms=1000).connect()
    p.send(request("/?size=3000000") + request("/next"))
    for _ in range(25):
        p.data += p.sock.recv(65536)
        time.sleep(0.05)
    assert len(p.json()["pad"]) == 3_000_000
    assert p.json()["path"] == "/next"


# ---- many connections, draining ----


def test_the_longest_idle_without_a_key_gives_way(echo):
    """All places are taken: whoever comes is served, and of those that have not shown a key the longest idle one goes."""
    server = echo(max_connections=3)
    known = server.connect().send(request("/?known=1"))
    assert known.json()
    first, second = server.connect(), server.connect()
    assert first.send(request()).json() and second.send(request()).json()
    assert first.send(request()).json()  # at work again: now the second is the longest idle
    third = server.connect().send(request("/third"))
    assert third.json()["path"] == "/third"
    assert second.is_ended()
    assert first.send(request()).json() and known.send(request()).json()
    for _ in range(20):  # who has a key is not driven away by those who have none
        assert server.connect().send(request()).json()
    assert known.send(request()).json()


def test_an_idle_connection_with_a_key_gives_way_when_all_have_one(echo):
    server = echo(max_connections=2)
    a, b = server.connect(), server.connect()
    assert a.send(request("/?known=1")).json() and b.send(request("/?known=2")).json()
    assert a.send(request()).json()
    assert server.connect().send(request("/?known=3")).json()
    assert b.is_ended()
    assert a.send(request()).json()


def test_connections_above_the_maximum(echo):
    """All are at work: who comes is told so, and what is vital is answered all the same."""
    server = echo(max_connections=3)
    held = [server.connect().send(request("/?known=1&delay=3000")) for _ in range(3)]
    time.sleep(0.2)
    silent = [server.connect() for _ in range(100)]  # the places that are put aside cannot be used up by silence
    refused = server.connect().send(request())
    assert is_problem(refused.answer(), 503)
    assert refused.is_ended()
    for _ in range(100):
        p = server.connect().send(request("/vital"))
        status, fields, _ = p.answer()
        assert status == 200 and fields["connection"] == "close"
        assert p.is_ended()
        p.close()
    assert is_problem(server.connect().send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").answer(), 503)
    for p in silent:
        p.close()
    assert all(p.json() for p in held)
    assert all(p.send(request()).json() for p in held)


def test_connections_without_a_key_are_limited_by_address(echo):
    server = echo(max_keyless=5)
    known = [server.connect() for _ in range(4)]
    assert all(p.send(request("/?known=1")).json() for p in known)
    some = [server.connect() for _ in range(5)]
    assert all(p.send(request()).json() for p in some)
    assert server.connect().send(request()).json()
    assert some[0].is_ended()
    assert all(p.send(request()).json() for p in some[2:] + known)
    for _ in range(3):  # one that shows a key leaves its place
        p = server.connect().send(request("/?known=1"))
        assert p.json()
        known.append(p)
    flood = [server.connect().send(request("/?size=2000000")) for _ in range(20)]  # nobody reads these
    time.sleep(0.3)
    assert server.open() <= 5 + len(known)
    assert all(p.send(request()).json() for p in known)
    for p in flood:
        p.close()


def test_trusted_proxies_are_not_limited_by_address(echo):
    server = echo(max_keyless=5, trusted=1)
    some = [server.connect() for _ in range(20)]
    assert all(p.send(request()).json() for p in some + some)
    named = [server.connect().send(b"PROXY TCP4 198.51.100.1 192.0.2.2 5 80\r\n" + request()) for _ in range(8)]
    time.sleep(0.2)
    assert [bool(p.answer()) for p in named] == [True] * 8  # each had its answer, and the first ones went then
    assert sum(not p.is_silent() for p in named) == 3


def test_without_a_free_descriptor_clients_wait(echo):
    """Nobody is thrown away, the process does not turn in circles, and who waits is served when there is room."""
    server = echo(files=32)
    waiting = [server.connect().send(request(f"/{i}")) for i in range(60)]
    time.sleep(0.3)
    served = served_of(waiting)
    assert 5 < len(served) < 32
    ticks, began = server.cpu_ticks(), time.monotonic()
    time.sleep(0.5)
    assert server.cpu_ticks() - ticks < 0.5 * (time.monotonic() - began) * os.sysconf("SC_CLK_TCK")
    while served:
        for p in served:
            assert p.json()
            p.close()
            waiting.remove(p)
        served = served_of(waiting, PATIENCE) if waiting else []
    assert not waiting, "never served"


def test_refused_connections_make_room(echo):
    """Those above the maximum are told so; when descriptors are short they are not waited for."""
    server = echo(files=32, max_connections=2)
    held = [server.connect().send(request("/?delay=4000")) for _ in range(2)]
    time.sleep(0.2)
    began = time.monotonic()
    for p in [server.connect().send(request()) for _ in range(60)]:
        assert is_problem(p.answer(), 503)
    assert time.monotonic() - began < 4
    assert all(p.json() for p in held)


# ---- the head alone: a judge before the body ----


def head_of(length, target="/", fields=""):
    return f"POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{fields}\r\n".encode()


def test_the_head_is_judged_before_the_body_is_read(echo):
    server = echo(judge=1)
    for fields in ("", "Expect: 100-continue\r\n"):
        p = server.connect().send(head_of(10_000_000, "/?refuse=401", fields))
        status, fields, _ = p.answer()
        assert status == 401 and fields["connection"] == "close"
    p = server.connect().send(b"POST /?refuse=403 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
    assert p.answer()[0] == 403
    p = server.connect().send(head_of(17_000_000, "/?refuse=401"))  # first the key, then the size
    assert p.answer()[0] == 401
    p = server.connect().send(head_of(17_000_000, "/"))
    assert p.answer()[0] == 413
    assert server.stop() == 0


def test_a_judged_request_is_handled_with_its_body(echo):
    server = echo(judge=1)
    p = server.connect()
    for n in (1, 5000, 9000, 100_000, 1_000_000):
        body = os.urandom(n)
        p.send(head_of(n))
        time.sleep(0.02)
        assert base64.b64decode(p.send(body).json()["body_b64"]) == body
    assert p.send(head_of(3, fields="Expect: 100-continue\r\n")).answer()[0] == 100
    assert base64.b64decode(p.send(b"abc").json()["body_b64"]) == b"abc"
    assert base64.b64decode(p.send(chunked(b"abc", b"d" * 20_000)).json()["body_b64"]) == b"abc" + b"d" * 20_000


@pytest.mark.parametrize("n", [1, 700, 8192, 300_000])
def test_a_body_that_nobody_wants_is_thrown_away(echo, n):
    """It costs no memory, the answer comes when all is here, and the connection goes on."""
    p = echo(judge=1).connect()
    for _ in range(3):
        p.send(head_of(n, "/?skip=1"))
        assert p.is_silent()
        p.send(b"x" * n + request("/next"))
        assert p.json()["body_b64"] == "" and p.json()["path"] == "/next"
        many = chunked(*[b"y" * 100] * (n // 100 + 1)).replace(b"POST /e", b"POST /?skip=1")
        p.send(many[:-3])
        assert p.is_silent()
        p.send(many[-3:])
        assert p.json()["body_b64"] == ""
    bad = echo(judge=1).connect().send(b"POST /?skip=1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh")
    assert is_problem(bad.answer(), 400)


def test_a_held_request_comes_again(echo):
    server = echo(judge=1, hold_ms=300)
    began = time.monotonic()
    p = server.connect().send(request("/?hold=1") + request("/next"))
    assert p.json()["held"] is True and time.monotonic() - began > 0.25
    assert p.json()["held"] is False
    p.send(head_of(100_000, "/?hold=1"))
    p.send(b"z" * 100_000)
    got = p.json()
    assert got["held"] is True and len(base64.b64decode(got["body_b64"])) == 100_000
    p.send(head_of(100_000, "/?hold=1&refuse=401"))
    assert p.answer()[0] == 401
    gone = server.connect().send(request("/?hold=1"))
    gone.close()
    time.sleep(1)
    assert server.connect().send(request()).json()


# ---- a last answer reaches whoever sends on ----


@pytest.mark.parametrize("total", [17 << 20, 100 << 20])
@pytest.mark.parametrize("fields", ["", "Expect: 100-continue\r\n"])
@pytest.mark.parametrize("case", ["413", "401", "chunked"])
def test_an_answer_reaches_a_client_that_sends_all_of_its_body_first(echo, total, fields, case):
    server = echo(judge=1)
    p = server.connect()
    piece = b"x" * (1 << 20)
    if case == "chunked":
        p.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + fields.encode() + b"\r\n")
        for _ in range(total >> 20):
            p.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        p.send(b"0\r\n\r\n")
    else:
        p.send(head_of(total, "/" if case == "413" else "/?refuse=401", fields))
        for _ in range(total >> 20):
            p.send(piece)
    status, *_ = p.answer()
    if status == 100:
        status, *_ = p.answer()
    assert status == (401 if case == "401" else 413)
    assert p.is_ended()


def test_an_answer_reaches_a_client_that_sends_slowly(echo):
    """Slower than the time for reading the answer; he has to send all of it before he looks."""
    p = echo(judge=1).connect().send(head_of(14 << 20, "/?refuse=401"))
    for _ in range(14):
        p.send(b"x" * (1 << 20))
        time.sleep(0.5)
    assert p.answer()[0] == 401 and p.is_ended()


def test_what_is_thrown_away_has_limits(echo):
    server = echo(judge=1, max_body=10_000)
    p = server.connect().send(head_of(1 << 40, "/"))
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        for _ in range(2000):
            p.send(b"x" * 100_000)
    silent = server.connect().send(head_of(1 << 40, "/"))
    assert is_problem(silent.answer(), 413)
    deadline = time.monotonic() + 15
    while server.open() > 0 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert server.open() == 0


# ---- the PROXY protocol ----

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(family, addresses, command=1, more=b""):
    body = addresses + more
    return SIGNATURE + bytes([0x20 | command, family]) + len(body).to_bytes(2, "big") + body


V4 = socket.inet_aton("198.51.100.7") + socket.inet_aton("192.0.2.1") + (4711).to_bytes(2, "big") + b"\0\x50"
V6 = (socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(socket.AF_INET6, "2001:db8::1") +
      (4711).to_bytes(2, "big") + b"\0\x50")


@pytest.mark.parametrize("header,peer", [
    (b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 80\r\n", "198.51.100.7"),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n", "2001:db8::7"),
    (v2(0x11, V4), "198.51.100.7"),
    (v2(0x11, V4, more=b"\x04\0\x03abc"), "198.51.100.7"),
    (v2(0x21, V6), "2001:db8::7"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    (v2(0x11, V4, command=0), None),
    (v2(0x00, b""), None),
    (v2(0x31, b"a" * 216), None),
    (b"", None),
])
def test_a_trusted_proxy_names_its_client(echo, header, peer):
    server = echo(trusted=1)
    p = server.connect().send(header + request("/one"))
    for target in ("/one", "/two"):  # for the whole connection
        got = p.json()
        assert got["path"] == target and got["peer"] == (peer or "127.0.0.1")
        assert peer is None or got["peer_port"] == 4711
        p.send(request("/two"))
    slow = server.connect()
    for byte in header + request():
        slow.send(bytes([byte]))
    assert slow.json()["peer"] == (peer or "127.0.0.1")
    assert is_problem(server.connect().send(b"GARBAGE\r\n\r\n").answer(), 400)


@pytest.mark.parametrize("header", [
    b"PROXY TCP4 198.51.100.7 192.0.2.1 4711\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 80 9\r\n",
    b"PROXY TCP4 198.51.100.7  4711 80\r\n",
    b"PROXY TCP4 2001:db8::7 192.0.2.1 4711 80\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 99999\r\n",
    b"PROXY TCP5 198.51.100.7 192.0.2.1 4711 80\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 80\n",
    b"PROXY " + b"a" * 200,
    v2(0x11, V4)[:12] + b"\x31" + v2(0x11, V4)[13:],
    v2(0x11, V4, command=2),
    v2(0x11, V4[:10]),
    SIGNATURE + b"\x21\x11\xff\xff",
])
def test_a_malformed_header_of_a_proxy_ends_the_connection(echo, header):
    p = echo(trusted=1).connect().send(header + request())
    assert is_problem(p.answer(), 400) and p.is_ended()


def test_nobody_else_names_a_client(echo):
    for header in (b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 80\r\n", v2(0x11, V4)):
        assert is_problem(echo().connect().send(header + request()).answer(), 400)
    twice = echo(trusted=1).connect().send(v2(0x11, V4) + v2(0x11, V4) + request())
    assert is_problem(twice.answer(), 400)


def test_drain_lets_requests_end(echo):
    server = echo(grace_ms=5000)
    idle, busy, half = server.connect(), server.connect(), server.connect()
    assert idle.send(request()).json()
    busy.send(request("/busy?delay=3000") + request("/behind"))
    half.send(request("/half", b"xy")[:-1])
    time.sleep(0.7)
    server.process.send_signal(signal.SIGTERM)
    assert idle.is_ended()
    with pytest.raises(OSError):
        server.connect()
    half.send(b"y")
    status, fields, body = half.answer()
    assert (status, fields["connection"], json.loads(body)["path"]) == (200, "close", "/half")
    status, fields, body = busy.answer()
    assert (status, fields["connection"], json.loads(body)["path"]) == (200, "close", "/busy")
    assert busy.is_ended() and half.is_ended()
    for p in (idle, busy, half):
        p.close()
    out, _ = server.process.communicate(timeout=PATIENCE)
    assert (server.process.returncode, out) == (0, "drained 3 open 0\n")
    server.seen = 3


def test_drain_cuts_after_its_grace(echo):
    server = echo(grace_ms=200)
    busy, half = server.connect().send(request("/busy?delay=6000")), server.connect().send(b"GET / HT")
    time.sleep(0.7)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    for p in (busy, half):
        try:
            assert p.is_ended()
        except ConnectionResetError:
            pass
    assert 0.1 < time.monotonic() - began < 5
    out, _ = server.process.communicate(timeout=PATIENCE)  # the handler's late reply goes nowhere and harms nothing
    assert (server.process.returncode, out) == (0, "drained 1 open 0\n")
    server.seen = 1


def test_drain_without_connections(echo):
    server = echo()
    assert server.stop() == 0


@pytest.mark.release
def test_memory_of_idle_connections(echo):
    """An idle connection holds neither a block nor an exchange: a thousand cost less than 2 KiB each."""

    def resident():
        status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    server = echo()
    held = [server.connect() for _ in range(200)]
    for p in held:
        assert p.send(request("/", b"x" * 1000)).json()
    before = resident()
    held += [server.connect() for _ in range(800)]
    for p in held[200:]:
        assert p.send(request("/", b"x" * 1000)).json()
    assert resident() - before < 800 * 2
