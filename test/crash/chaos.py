#!/usr/bin/python3
"""Several nodes on one PostgreSQL under load, with one fault after the other, judged by the checker of the crash test.

Each cycle waits a random short time and draws a fault: a node is killed and started again, stopped (SIGSTOP) for less or
more than its lease, cut from the database, or restarted in order; or the database is restarted. Publishers ask all nodes in turn,
and try again at another one. At the end everything drains, and every promise is checked from outside: what publishers were
told, what receivers got, what the log of one node says. A restart in order excuses nothing. The seed is printed.
"""
import argparse
import collections
import json
import pathlib
import random
import signal
import socket
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "py")]
sys.dont_write_bytecode = True

import checker  # noqa: E402
import crash  # noqa: E402
from harness.postgres import Postgres, free_port  # noqa: E402
from harness.server import Server, binary_path  # noqa: E402

SECRET = "0123456789abcdef" * 4
FAULTS = {"kill": 40, "stop": 20, "restart": 20, "cut": 12, "database": 8}
LINE_TIMEOUT_S = 4  # after a takeover lines wait for so long
SETTLES_S = 2.0  # an outcome that has not been stored when a fault begins may be lost with it


class Proxy:
    """The way of one node to the database. `cut`: nothing passes and nothing ends, as when a cable is pulled; `mend`: what was
    open is gone, and new connections pass."""

    def __init__(self, port):
        self.to, self.open, self.is_cut, self.lock = port, set(), False, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.to), timeout=5)
            except OSError:
                if self.listener.fileno() < 0:
                    return
                near.close()
                continue
            for one in (near, far):
                one.settimeout(None)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.open |= {near, far}
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source, sink):
        try:
            while data := source.recv(65536):
                while self.is_cut:
                    time.sleep(0.02)
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.is_cut = True

    def mend(self):
        with self.lock:
            gone, self.open = self.open, set()
        for one in gone:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.is_cut = False

    def close(self):
        self.listener.close()
        self.mend()


class AnyNode:
    """What publishers know: each look gives the next node's port."""

    def __init__(self, nodes):
        self.nodes, self.admin_key, self.at, self.lock = nodes, nodes[0].admin_key, 0, threading.Lock()

    @property
    def port(self):
        with self.lock:
            self.at += 1
            return self.nodes[self.at % len(self.nodes)].fixed_port


class Receivers(crash.Receivers):
    """Nodes keep connections, so it is the time of a request that says which side of a fault it is on."""

    def answer(self, request):
        request.connected = request.mono
        return super().answer(request)


class Chaos:
    def __init__(self, args, folder, database):
        self.args, self.folder, self.database, self.rng = args, folder, database, random.Random(args.seed)
        self.excuses, self.done, self.takeovers, self.handovers, self.faults = [], collections.Counter(), [], [], []
        dialects = folder / "dialects"
        dialects.mkdir()
        crash.crash_dialect(dialects)
        self.nodes = []
        for number in range(args.nodes):
            port, proxy = free_port(), Proxy(database.port)
            node = Server(folder / f"node{number + 1}", binary=args.binary, listen=f"127.0.0.1:{port}",
                          flags=["--dialects", str(dialects), "--store", database.url(port=proxy.port)],
                          env={"TENTERHOOK_SECRET_KEY": SECRET, "TENTERHOOK_STORE_LEASE": f"{args.lease}s",
                               "TENTERHOOK_STORE_SHARE": "on"})
            node.fixed_port, node.proxy, node.number = port, proxy, number + 1
            self.nodes.append(node)

    def excuse(self, begun):
        """From `begun` on until now outcomes may have been lost."""
        self.excuses.append((begun, time.monotonic() + SETTLES_S))

    def owned_by(self, node):
        rows = self.database.sql("SELECT count(*) FROM tenterhook.slot s JOIN tenterhook.node n ON n.id=s.node"
                                 f" WHERE n.addr='127.0.0.1:{node.fixed_port}'")
        return int(rows[0][0])

    def wait_for_takeover(self, node, begun):
        if not self.owned_by(node):
            return
        limit = begun + self.args.lease + 10
        while self.owned_by(node):
            if time.monotonic() > limit:
                self.faults.append(f"nobody took over from node {node.number} within {self.args.lease + 10} s")
                return
            time.sleep(0.05)
        self.takeovers.append(time.monotonic() - begun)

    def kill(self):
        node, begun = self.rng.choice(self.nodes), time.monotonic()
        node.kill()
        if self.rng.random() < 0.5:
            self.wait_for_takeover(node, begun)
        self.excuse(begun)
        node.start()
        self.excuse(begun)

    def stop(self):
        node, begun = self.rng.choice(self.nodes), time.monotonic()
        node.process.send_signal(signal.SIGSTOP)
        time.sleep(self.rng.uniform(0.1, 2.2) * self.args.lease)
        node.process.send_signal(signal.SIGCONT)
        self.ready(node)
        self.excuse(begun)

    def restart(self):
        node, begun = self.rng.choice(self.nodes), time.monotonic()
        node.process.send_signal(signal.SIGTERM)
        while self.owned_by(node) and time.monotonic() < begun + 60:
            time.sleep(0.02)
        self.handovers.append(time.monotonic() - begun)
        status = node.stop(60)
        if status != 0:
            self.faults.append(f"SIGTERM: exit status {status} of node {node.number}")
        node.start()

    def cut(self):
        node, begun = self.rng.choice(self.nodes), time.monotonic()
        node.proxy.cut()
        time.sleep(self.rng.uniform(0.1, 2.2) * self.args.lease)
        node.proxy.mend()
        self.ready(node)
        self.excuse(begun)

    def restart_database(self):
        begun = time.monotonic()
        self.database.stop(self.rng.choice([signal.SIGINT, signal.SIGQUIT, signal.SIGKILL]))
        time.sleep(self.rng.uniform(0, 1.5) * self.args.lease)
        self.database.start()
        for node in self.nodes:
            self.ready(node)
        self.excuse(begun)

    def ready(self, node, timeout_s=60):
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if node.process.poll() is not None:
                raise AssertionError(f"node {node.number} ended by itself ({node.process.returncode})")
            try:
                api = crash.Api(node.fixed_port, node.admin_key, timeout_s=5)
                if api.get("/readyz").status == 200:
                    return
            except (OSError, crash.http.client.HTTPException):
                pass
            time.sleep(0.05)
        raise AssertionError(f"node {node.number} is not ready within {timeout_s} s")

    def cycle(self, number):
        time.sleep(self.rng.uniform(self.args.shortest, self.args.longest))
        name = self.rng.choices(list(FAULTS), FAULTS.values())[0]
        if self.args.verbose:
            print(f"  {number}: {name}", flush=True)
        {"kill": self.kill, "stop": self.stop, "restart": self.restart, "cut": self.cut,
         "database": self.restart_database}[name]()
        self.done[name] += 1
        for node in self.nodes:
            self.ready(node)

    def run(self):
        begun = time.monotonic()
        receivers = Receivers(random.Random(self.args.seed + 1))
        publishers, rows = None, []
        try:
            for node in self.nodes:
                node.start()
            names = crash.set_up(self.nodes[0], receivers, {"timeout_seconds": LINE_TIMEOUT_S})
            publishers = crash.Publishers(AnyNode(self.nodes), random.Random(self.args.seed + 2), self.args.rate)
            publishers.start()
            for number in range(1, self.args.cycles + 1):
                self.cycle(number)
            publishers.end()
            api = self.rng.choice(self.nodes).api.as_tenant("crash")
            crash.drain(api, timeout_s=sum(crash.DELAYS_S) + 30)
            rows = crash.log_rows(api, names)
            for node in self.nodes:
                status = node.stop(60)
                if status != 0:
                    self.faults.append(f"SIGTERM at the end: exit status {status} of node {node.number}")
        finally:
            if publishers:
                publishers.stop.set()
            for node in self.nodes:
                if node.process and node.process.poll() is None:
                    node.process.send_signal(signal.SIGCONT)
                node.kill()
                node.proxy.close()
                (self.folder / f"node{node.number}.log").write_text(node.text())
            receivers.receiver.close()
        world = checker.World(publishers.sent, receivers.seen, self.excuses, crash.ROUTES, crash.DELAYS_S, rows, receivers.steps)
        self.faults += publishers.faults + checker.judge(world)
        self.note(publishers, world)
        crash.report(publishers, self.excuses, world, time.monotonic() - begun)
        print(f"faults: {dict(self.done)}; takeovers of dead nodes: {spread(self.takeovers)}; of nodes that stop: "
              f"{spread(self.handovers)}", flush=True)
        return self.faults

    def note(self, publishers, world):
        """Adds a line with the figures of this run to the file of --results."""
        if not self.args.results:
            return
        row = {"seed": self.args.seed, "cycles": sum(self.done.values()), "nodes": self.args.nodes, "lease_s": self.args.lease,
               "kinds": dict(self.done), "acknowledged": sum(sent.acknowledged for sent in publishers.sent.values()),
               "requests": len(world.seen), "ordered": len(world.steps),
               "repeated": sum(len(group) - 1 for group in checker.by_delivery(world).values() if all(r.status == 200 for r in group)),
               "takeovers_s": [round(took, 2) for took in self.takeovers],
               "handovers_s": [round(took, 2) for took in self.handovers], "faults": self.faults}
        with open(self.args.results, "a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")


def spread(times):
    """Number, median, nine tenths and the longest."""
    times = sorted(times)
    return f"{len(times)}" + (f", median {times[len(times) // 2]:.2f} s, 90 % within {times[len(times) * 9 // 10]:.2f} s,"
                              f" longest {times[-1]:.2f} s" if times else "")


def add_up(path):
    """Prints what the lines of a file of results say together, by length of the lease."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for lease in sorted({row["lease_s"] for row in rows}):
        some = [row for row in rows if row["lease_s"] == lease]
        kinds = sum((collections.Counter(row["kinds"]) for row in some), collections.Counter())
        total = {name: sum(row[name] for row in some) for name in ("cycles", "acknowledged", "requests", "ordered", "repeated")}
        print(f"lease {lease} s: {len(some)} runs, {total['cycles']} cycles ({dict(kinds)}), {total['acknowledged']} events acknowledged, "
              f"{total['requests']} requests, {total['ordered']} of them in order, {total['repeated']} repeated across a fault")
        print(f"  takeovers of dead nodes: {spread([t for row in some for t in row['takeovers_s']])}")
        print(f"  hand-overs of nodes that stop: {spread([t for row in some for t in row['handovers_s']])}")
        print(f"  runs with faults: {[row['seed'] for row in some if row['faults']]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, help="build folder (default: $TENTERHOOK_BUILD or build/test)")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--lease", type=int, default=2, help="store.lease, seconds")
    parser.add_argument("--rate", type=float, default=60, help="requests to publish a second")
    parser.add_argument("--shortest", type=float, default=0.3, help="seconds of load before a fault, at least")
    parser.add_argument("--longest", type=float, default=1.5, help="and at most")
    parser.add_argument("--results", type=pathlib.Path, help="a file to which a line with the figures of the run is added")
    parser.add_argument("--add-up", type=pathlib.Path, metavar="RESULTS", help="only print what such a file says")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    if args.add_up:
        add_up(args.add_up)
        return 0
    args.binary = binary_path(args.build)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"chaos: {args.nodes} nodes, {args.cycles} cycles, --seed {args.seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tenterhook-chaos-"))
    database = Postgres()
    chaos = None
    try:
        chaos = Chaos(args, folder, database)
        faults = chaos.run()
    except Exception as error:  # the folder is the evidence, whatever happened
        faults = [*(chaos.faults if chaos else []), f"{type(error).__name__}: {error}"]
    finally:
        database.close()
    return crash.conclude(faults, args, folder, "the nodes' logs are kept")


if __name__ == "__main__":
    sys.exit(main())
