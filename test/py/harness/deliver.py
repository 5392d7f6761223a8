"""The helper program `deliver` (test/tool/deliver.c), which drives the HTTP client and the resolver, and receivers on asyncio
that answer it byte by byte as a test wants."""
import asyncio
import contextlib
import json
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import threading

from .server import ROOT, binary_path

PROGRAM = binary_path().parent / "test" / "deliver"
CORPORA = pathlib.Path(os.environ.get("TENTERHOOK_CORPORA") or ROOT.parent / "shared" / "corpora")
ANSWERS = CORPORA / "http1-client" / "cases.jsonl"
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


def paced(pace):
    """A corpus row that is a behaviour, not bytes, must exist where the corpus does."""
    if ANSWERS.exists():
        rows = [json.loads(line) for line in ANSWERS.read_text().splitlines()]
        assert [r["expect"] for r in rows if r["pace"] == pace] == ["FAIL"]
