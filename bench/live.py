"""What open live pages cost: the rate of deliveries with so many streams of attempts open, beside the rate with none.

One engine, one endpoint, one sink. Slices of about a second at saturation take turns, with all streams open and with none; each is
compared with its neighbour, so that whatever else the machine does meets both. The streams are read by a process of their own, which
throws away what comes; what that costs is part of the ratio where it shares the processors.
"""
import contextlib
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import rig


@contextlib.contextmanager
def pages(port, count, query):
    """Opens the streams, in another process; the bytes that each has got stand in the list once they are closed."""
    got = []
    reader = subprocess.Popen([sys.executable, __file__, str(port), str(count), query, rig.KEY], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        if reader.stdout.readline() != "open\n":
            raise SystemExit("the streams could not be opened")
        yield got
        reader.stdin.close()
        got.append(int(reader.stdout.readline()))
    finally:
        reader.kill()
        reader.wait()


def read(port, count, query, key):
    """The reader: opens all, says so, reads until its input ends, says how many bytes came."""
    seen, ready = 0, selectors.DefaultSelector()
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(f"GET /v1/attempts/stream{query} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        head = sock.recv(65536)
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(head.decode(errors="replace"))
        ready.register(sock, selectors.EVENT_READ)
    ready.register(sys.stdin, selectors.EVENT_READ)
    print("open", flush=True)
    room = bytearray(1 << 20)
    while True:
        for key_of, _ in ready.select():
            if key_of.fileobj is sys.stdin:
                print(seen, flush=True)
                return
            seen += key_of.fileobj.recv_into(room)
        time.sleep(0.02)  # as a browser: what has come meanwhile is read at once


def run_slice(args, server, board, first):
    before = rig.cpu_seconds(server.process.pid)
    result = rig.load(args.build, board, server.port, key=rig.KEY, seconds=1, connections=args.connections, first=first, records=True)
    rig.await_recorded(server.api)
    cpu_us = (rig.cpu_seconds(server.process.pid) - before) * 1e6 / max(result["arrived"], 1)
    if result["errors"] or result["arrived"] != result["accepted"] or not result["arrived"]:
        raise SystemExit(f"{result}")
    return result["per_second"], cpu_us, first + result["posted"]


def print_live(args):
    rounds, first = {True: [], False: []}, 0
    with tempfile.TemporaryDirectory(prefix="tenterhook-bench-", dir=args.data) as folder, \
            rig.Board(200000 * 2 * (args.live_rounds + 1)) as board, rig.sink(args.build, board, "204") as port:
        server = rig.start_engine(args.engine, folder, *args.flag, "--key-streams", "0")
        try:
            server.api.post("/v1/webhooks", {"url": f"http://127.0.0.1:{port}/"}).expect(201)
            time.sleep(0.3)
            for number in range(args.live_rounds + 1):  # the first one warms up
                for live in (True, False) if number % 2 else (False, True):
                    with pages(server.port, args.pages, args.live_query) if live else contextlib.nullcontext([0]) as got:
                        rate, cpu_us, first = run_slice(args, server, board, first)
                    if number:
                        rounds[live].append((rate, cpu_us, got[0]))
        finally:
            server.kill()
    rates, cpu = ([statistics.median(with_[i] / without[i] for with_, without in zip(rounds[True], rounds[False]))
                   for i in range(2)])
    print(f"{args.pages} streams of attempts{args.live_query and ' with ' + args.live_query}, {args.live_rounds} interleaved slices of 1 s; "
          f"medians\ndeliveries/s: {statistics.median(r[0] for r in rounds[False]):,.0f} without, "
          f"{statistics.median(r[0] for r in rounds[True]):,.0f} with them; ratio {rates:.3f}\n"
          f"CPU µs/event: {statistics.median(r[1] for r in rounds[False]):.1f} without, "
          f"{statistics.median(r[1] for r in rounds[True]):.1f} with them; ratio {cpu:.3f}\n"
          f"bytes to each stream in a slice: {statistics.median(r[2] for r in rounds[True]) / max(args.pages, 1):,.0f}", flush=True)


if __name__ == "__main__":
    read(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
