"""How the cost of an event and its delay hold when much is stored, many endpoints are registered, or thousands of endpoints are silent.

Each case is one engine, measured again and again while it grows: processor time of the engine an event at saturation (`stored`,
`endpoints`, `same tenant`), or the delay of a healthy endpoint's deliveries beside silent ones (`silent`).
"""
import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import rig

SILENT = """
import resource, selectors, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
print(listener.getsockname()[1], flush=True)
poll, kept = selectors.DefaultSelector(), set()
listener.setblocking(False)
poll.register(listener, selectors.EVENT_READ)
while True:
    for key, _ in poll.select():
        if key.fileobj is listener:
            try:
                one = listener.accept()[0]
            except OSError:
                continue
            one.setblocking(False)
            poll.register(one, selectors.EVENT_READ)
        else:
            try:
                if key.fileobj.recv(65536):
                    continue
            except OSError:
                pass
            poll.unregister(key.fileobj)
            key.fileobj.close()
"""


@contextlib.contextmanager
def silent_receiver():
    """Takes connections and requests, and never answers."""
    process = subprocess.Popen([sys.executable, "-c", SILENT], stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def send_all(port, requests, threads=8):
    """Sends (method, path, body, tenant) over kept connections; each has to be answered 2xx."""
    own = threading.local()

    def send(method, path, body, tenant="default"):
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        own.connection.request(method, path, json.dumps(body), {"Authorization": f"Bearer {rig.KEY}", "Tenterhook-Tenant": tenant,
                                                                "Content-Type": "application/json"})
        answer = own.connection.getresponse()
        text = answer.read()
        if answer.status // 100 != 2:
            raise SystemExit(f"{path}: {answer.status} {text[:300]}")

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(send, *request) for request in requests]:
            done.result()


class Run:
    """One engine with a sink; events take slots of the board one after the other."""

    def __init__(self, args, stack, slots, *flags):
        self.args, self.first = args, 0
        folder = tempfile.mkdtemp(prefix="tenterhook-bench-", dir=args.data)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self.board = stack.enter_context(rig.Board(slots))
        self.sink_port = stack.enter_context(rig.sink(args.build, self.board))
        self.server = rig.start_engine(args.engine, folder, *args.flag, *flags)
        stack.callback(self.server.kill)
        self.folder = pathlib.Path(folder)

    def load(self, seconds, **options):
        result = rig.load(self.args.build, self.board, self.server.port, seconds=seconds, first=self.first, key=rig.KEY, **options)
        self.first += result["accepted"] + result["errors"] + 64 * 100
        return result

    def cost(self):
        """Processor time of the engine an event, in µs, its delivery included, and the rate."""
        before = rig.cpu_seconds(self.server.process.pid)
        result = self.load(self.args.seconds, connections=self.args.connections)
        rig.await_recorded(self.server.api, 120)
        spent = rig.cpu_seconds(self.server.process.pid) - before
        return spent * 1e6 / max(result["arrived"], 1), result


def show_cost(run, name, first, show):
    costs = sorted(run.cost() for _ in range(run.args.rounds))
    us, result = costs[len(costs) // 2]
    print(f"  {name:<28} {us:6.1f} µs an event, {us / first if first else 1:.2f} of the first; {result['per_second']:,}/s; {show()}",
          flush=True)
    return first or us


def print_stored(args):
    print(f"stored events, up to {args.most:,}", flush=True)
    with contextlib.ExitStack() as stack:
        run = Run(args, stack, args.most * 2 + 4_000_000)
        run.server.api.post("/v1/webhooks", {"url": f"http://127.0.0.1:{run.sink_port}/"}).expect(201)
        stored, level, first = 0, 1000, None

        def show():
            size = sum(path.stat().st_size for path in (run.folder / "data").iterdir() if path.is_file())
            return f"{size / (1 << 30):.2f} GiB, RSS {rig.memory_mib(run.server.process.pid, 'VmRSS'):.0f} MiB"

        while level <= args.most:
            while stored < level:
                left = level - stored
                stored += run.load(max(1, min(10, left // 30000)), connections=4, batch=100, path="/v1/events/batch", size=200,
                                   rate=min(left, 1000) if left < 30000 else 0)["accepted"]
                rig.await_recorded(run.server.api, 300)
            first = show_cost(run, f"{stored:,} stored", first, show)
            level *= 10


def print_endpoints(args, same):
    print("endpoints of the same tenant, of other types" if same else "endpoints of other tenants, 100 each", flush=True)
    with contextlib.ExitStack() as stack:
        run = Run(args, stack, 20_000_000)
        api, first, made = run.server.api, None, 1
        api.post("/v1/webhooks", {"url": f"http://127.0.0.1:{run.sink_port}/", "events": ["bench.event"]}).expect(201)
        for count in (1, 100, 1000, 10_000) if same else (1, 100, 1000, 10_000, 100_000):
            if same:
                requests = [("POST", "/v1/webhooks", {"url": f"http://127.0.0.1:{run.sink_port}/{i}", "events": [f"other.{i}"]})
                            for i in range(made, count)]
            else:
                send_all(run.server.port, [("PUT", f"/v1/tenants/t{i}", {}) for i in range(made // 100, count // 100)])
                requests = [("POST", "/v1/webhooks", {"url": f"http://127.0.0.1:{run.sink_port}/{i}"}, f"t{i // 100}")
                            for i in range(made // 100 * 100, count // 100 * 100)]
            send_all(run.server.port, requests)
            made = count
            first = show_cost(run, f"{count:,} endpoints", first,
                              lambda: f"RSS {rig.memory_mib(run.server.process.pid, 'VmRSS'):.0f} MiB")


def print_features(args):
    print("what filters and order cost an event", flush=True)

    def case(name, first, hooks, tenant_hooks=()):
        with contextlib.ExitStack() as stack:
            run = Run(args, stack, 20_000_000)
            send_all(run.server.port, [("POST", "/v1/webhooks", {"url": f"http://127.0.0.1:{run.sink_port}/", **hooks})])
            send_all(run.server.port, [("POST", "/v1/webhooks", {"url": f"http://127.0.0.1:{run.sink_port}/none", **hook}) for hook in tenant_hooks])
            return show_cost(run, name, first, lambda: f"RSS {rig.memory_mib(run.server.process.pid, 'VmRSS'):.0f} MiB")

    first = case("plain", None, {})
    case("plain again", first, {})
    case("10 filters beside it", first, {}, [{"filter": f"$[?@.data.seq == {n}]"} if n % 2 else {"filter": f"$[?@.data.seq < {n}]"}
                                             for n in range(10)])
    case("9,999 filters beside it", first, {}, [{"filter": f"$[?@.data.seq == {n}]"} for n in range(9999)])
    case("its own filter", first, {"filter": "$[?@.data.seq > 0]"})
    case("ordered, a key each event", first, {"ordering": {"key": "$.data.seq"}})


def print_silent(args):
    print("delay of a healthy endpoint at 1,000/s beside silent ones (accepted→delivered)", flush=True)
    with contextlib.ExitStack() as stack:
        run = Run(args, stack, 2_000_000)
        silent = stack.enter_context(silent_receiver())
        api = run.server.api
        api.post("/v1/webhooks", {"url": f"http://127.0.0.1:{run.sink_port}/"}).expect(201)
        send_all(run.server.port, [("PUT", "/v1/tenants/slow", {})])
        send_all(run.server.port, [("POST", "/v1/webhooks", {"url": f"http://127.0.0.1:{silent}/{i}"}, "slow")
                                   for i in range(args.silent)])
        before = run.load(args.seconds, rate=1000, connections=args.connections)["accepted_arrived_ms"]
        stop = threading.Event()

        def publish():
            while not stop.wait(2):
                send_all(run.server.port, [("POST", "/v1/events", {"type": "slow.one", "data": {}}, "slow")], 1)

        publisher = threading.Thread(target=publish)
        publisher.start()
        time.sleep(5)
        during = [run.load(args.seconds, rate=1000, connections=args.connections)["accepted_arrived_ms"] for _ in range(args.rounds)]
        stop.set()
        publisher.join()
        print(f"  quiet                        p50 {before['p50']:.2f}, p99 {before['p99']:.2f} ms")
        for took in during:
            print(f"  {args.silent:,} silent endpoints      p50 {took['p50']:.2f}, p99 {took['p99']:.2f} ms, {took['p99'] - before['p99']:+.2f} ms",
                  flush=True)


def print_scale(args):
    cases = {"stored": lambda: print_stored(args), "endpoints": lambda: print_endpoints(args, False),
             "same tenant": lambda: print_endpoints(args, True), "features": lambda: print_features(args), "silent": lambda: print_silent(args)}
    for name, case in cases.items():
        if not args.cases or name in args.cases.split(","):
            case()
