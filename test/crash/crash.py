#!/usr/bin/python3
"""kill -9 under load, again and again, judged by an independent checker (checker.py).

Each cycle publishes for a random short time, kills the server at a random moment (sometimes while it starts), and
starts it on the same data. Publishers that lost an answer ask again with the same idempotency key or the same own id,
as real ones do. At the end everything drains, and every promise is checked. The seed is printed; --seed repeats the
random choices (not the timing of the machine).
"""
import argparse
import collections
import http.client
import itertools
import json
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "test" / "py")]
sys.dont_write_bytecode = True

import checker  # noqa: E402
from harness.client import Api  # noqa: E402
from harness.receiver import Receiver, Reply  # noqa: E402
from harness.postgres import Postgres  # noqa: E402
from harness.server import Server, binary_path, clean_env  # noqa: E402
from harness.signature import SignatureError, verify  # noqa: E402

DELAYS_S = [1, 1]
# Endpoints by how they answer, and the kinds of events that each subscribes to. An endpoint that always fails gets one
# request at a time from its breaker, so there are many of those: whole schedules have to fit into a run.
DEAD = [f"dead{n}" for n in range(40)]       # 500 always
LIVE = ["good", "flaky", "slow"]             # 200; 500 to the first request of an event, then 200; 200 after a while
ROUTES = {**{name: [name] for name in LIVE + DEAD}, "all": LIVE, "line": ["line"]}
KEYS = 20                                    # of the endpoint with an order, which refuses a fifth of first requests
KIND_WEIGHTS = {"good": 60, "flaky": 15, "slow": 10, "all": 12, "dead": 3}


def crash_dialect(folder):
    """The standard dialect under another name with a schedule of seconds, so that whole schedules fit into a run."""
    text = (ROOT / "dialects" / "standard.yaml").read_text()
    text, timed = re.subn(r"(?m)^( *delays): *\[[^\]]*\]", rf"\1: {DELAYS_S}", text, count=1)
    assert timed == 1, "dialects/standard.yaml has no list of delays"
    text = re.sub(r"(?m)^( *jitter_percent): *[0-9]+", r"\1: 0", text)
    (folder / "crash.yaml").write_text(text)


class Receivers:
    """The customers' side: one receiver for all endpoints, told apart by path."""

    def __init__(self, rng):
        self.rng, self.lock = rng, threading.Lock()
        self.seen, self.failed_once, self.secrets, self.steps = [], set(), {}, []
        self.receiver = Receiver(answer=self.answer)

    def status_for(self, endpoint, event_id):
        if endpoint in DEAD:
            return 500
        with self.lock:
            if endpoint in ("flaky", "line") and event_id not in self.failed_once:
                self.failed_once.add(event_id)
                return 500 if endpoint == "flaky" or self.rng.random() < 0.2 else 200
        return 200

    def answer(self, request):
        endpoint, fault, number = request.target.strip("/"), "", -1
        event_id = request.header("webhook-id") or "?"
        try:
            verify(self.secrets[endpoint], request)
            data = json.loads(request.body)["data"]
            number = data["n"]
        except (SignatureError, KeyError, ValueError) as error:
            fault = f"{type(error).__name__}: {error}"
        status = self.status_for(endpoint, event_id)
        if endpoint == "line" and not fault:
            sequence = int(request.header("webhook-sequence") or 0)
            self.steps.append(checker.Stepped(data["k"], data["step"], sequence, request.mono, status))
        if endpoint == "slow":
            with self.lock:
                wait = self.rng.uniform(0.0, 0.3)
            time.sleep(wait)
        row = checker.Seen(endpoint, event_id, number, request.connected, request.mono, time.monotonic(), status, fault)
        with self.lock:
            self.seen.append(row)
        return Reply(status)


class Publishers:
    """Threads that publish and remember what they were told."""

    def __init__(self, server, rng, per_second, threads=3):
        self.server, self.rng, self.lock = server, rng, threading.Lock()
        self.numbers, self.sent = itertools.count(1), {}
        self.counts = collections.Counter()
        self.stop = threading.Event()
        self.interval = threads / per_second
        self.threads = [threading.Thread(target=self._loop, daemon=True) for _ in range(threads)]
        self.steps = collections.Counter()
        self.threads.append(threading.Thread(target=self._step_loop, daemon=True))
        self.faults = []

    def start(self):
        for thread in self.threads:
            thread.start()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)

    def _new(self):
        """One event or a small batch: (rows for the checker, path, body, headers, the own id or None)."""
        with self.lock:
            kind = self.rng.choices(list(KIND_WEIGHTS), KIND_WEIGHTS.values())[0]
            kind = self.rng.choice(DEAD) if kind == "dead" else kind
            form = self.rng.choice(["key", "own", "batch", "bare"])
            size = self.rng.randint(2, 8) if form == "batch" else 1
            rows = [checker.Sent(next(self.numbers), kind) for _ in range(size)]
            self.sent.update((row.number, row) for row in rows)
        events = [{"type": f"crash.{kind}", "data": {"n": row.number, "fill": "x" * 300}} for row in rows]
        if form == "batch":
            return rows, "/v1/events/batch", events, {"Idempotency-Key": f"b{rows[0].number}"}, None
        own = f"own-{rows[0].number}" if form == "own" else None
        if own:
            events[0]["id"] = own
        headers = {"Idempotency-Key": f"k{rows[0].number}"} if form == "key" else {}
        return rows, "/v1/events", events[0], headers, own

    def _step_loop(self):
        """Publishes for keys, each event after the answer to the one before, single ones and small batches."""
        while not self.stop.is_set():
            with self.lock:
                rows = [checker.Sent(next(self.numbers), "line") for _ in range(self.rng.choice([1, 1, 5]))]
                self.sent.update((row.number, row) for row in rows)
                keys = [self.rng.randrange(KEYS) for _ in rows]
            events = []
            for row, key in zip(rows, keys):
                self.steps[key] += 1
                events.append({"type": "crash.line", "data": {"n": row.number, "k": key, "step": self.steps[key]}})
            headers = {"Idempotency-Key": f"l{rows[0].number}"}
            if len(rows) > 1:
                self._publish(rows, "/v1/events/batch", events, headers, None)
            else:
                self._publish(rows, "/v1/events", events[0], headers, None)
            self.stop.wait(self.interval / 2)

    def _loop(self):
        while not self.stop.is_set():
            self._publish(*self._new())
            self.stop.wait(self.interval)

    def _publish(self, rows, path, body, headers, own):
        """Sends until there is an answer. Without key or own id a lost answer stays unknown: no second try."""
        repeatable = bool(headers) or own is not None
        first = True
        while first or repeatable:
            api = Api(self.server.port or 1, self.server.admin_key, tenant="crash", timeout_s=15)
            try:
                answer = api.post(path, body, headers=headers)
            except (OSError, http.client.HTTPException):
                self.counts["unknown"] += 1
                if self.stop.is_set() and not repeatable:
                    return
                first = False
                time.sleep(0.02)
                continue
            finally:
                api.close()
            if answer.status == 202:
                return self._acknowledged(rows, answer)
            if answer.status == 409 and own and not first:
                rows[0].ids.add(own)
                rows[0].acknowledged = True
                self.counts["known"] += 1
                return None
            if answer.status in (409, 429, 503):
                self.counts[f"status {answer.status}"] += 1
                time.sleep(0.02)
                first = False
                repeatable = True  # a refusal is certain: nothing was taken
                continue
            self.faults.append(f"publishing answered {answer.status}: {answer.body[:500]!r}")
            return None
        return None

    def _acknowledged(self, rows, answer):
        got = answer.json if isinstance(answer.json, list) else [answer.json]
        if len(got) != len(rows):
            self.faults.append(f"{len(rows)} events, {len(got)} answers: {answer.body[:300]!r}")
            return
        for row, one in zip(rows, got):
            row.ids.add(one["id"])
            row.acknowledged = True
            if one["deliveries"] != len(ROUTES[row.kind]):
                self.faults.append(f"event {row.number} of kind {row.kind} matched {one['deliveries']} endpoints")
        self.counts["replayed" if answer.header("Idempotency-Replayed") else "new"] += len(rows)


def set_up(server, receivers, line=None):
    """Tenant and endpoints; gives endpoint id -> name. `line`: more members of the endpoint with an order."""
    server.api.put("/v1/tenants/crash", {"name": "Crash", "dialect": "crash"}).expect(201)
    api, names = server.api.as_tenant("crash"), {}
    for name in [*LIVE, *DEAD, "line"]:
        types = [f"crash.{kind}" for kind, targets in ROUTES.items() if name in targets]
        order = {"ordering": {"key": "$.data.k"}, **(line or {})} if name == "line" else {}
        made = api.post("/v1/webhooks", {"url": receivers.receiver.url(f"/{name}"), "events": types, **order}).expect(201).json
        receivers.secrets[name] = made["secret"]
        names[made["id"]] = name
    return names


def kill_while_starting(server, after_s):
    """Starts a process and kills it after a moment, ready or not; gives when."""
    env = clean_env({**server.env, "TENTERHOOK_ADMIN_KEY": server.admin_key})
    process = subprocess.Popen(server.command(), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    time.sleep(after_s)
    signalled = time.monotonic()
    process.kill()
    process.wait(30)
    return signalled, time.monotonic()


def run_cycles(args, server, rng, kills):
    for cycle in range(1, args.cycles + 1):
        time.sleep(rng.uniform(args.shortest, args.longest))
        if server.process.poll() is not None:
            raise AssertionError(f"cycle {cycle}: the server ended by itself ({server.process.returncode})")
        signalled = time.monotonic()
        server.kill()
        kills.append((signalled, time.monotonic()))
        if rng.random() < 0.15:
            kills.append(kill_while_starting(server, rng.uniform(0.0, 0.15)))
        server.start()
        if args.verbose or cycle % 25 == 0:
            print(f"  {cycle} kills", flush=True)


def unfinished(api):
    return sum(len(api.get(f"/v1/deliveries?limit=1000&status={status}").expect(200).json["data"])
               for status in ("pending", "retrying", "held"))


def drain(api, timeout_s):
    """Waits until the log has nothing unfinished, as long as there is progress."""
    last, since = None, time.monotonic()
    while True:
        left = unfinished(api)
        if left == 0:
            return
        if left != last:
            last, since = left, time.monotonic()
        if time.monotonic() - since > timeout_s:
            print(f"  {left} deliveries do not end", flush=True)
            return
        time.sleep(0.1)


def log_rows(api, names):
    rows = []
    for row in api.pages("/v1/deliveries", limit=1000):
        rows.append((names.get(row["endpoint"], row["endpoint"]), row["event"], row["status"], row["attempt_count"]))
    return rows


def flags(args, dialects):
    store = ["--store", args.database.url()] if args.database else []
    return ["--dialects", str(dialects), *store]


def run(args, folder):
    rng = random.Random(args.seed)
    dialects = folder / "dialects"
    dialects.mkdir()
    crash_dialect(dialects)
    receivers = Receivers(random.Random(args.seed + 1))
    server = Server(folder / "data", binary=args.binary, flags=flags(args, dialects))
    publishers = Publishers(server, random.Random(args.seed + 2), args.rate)
    kills, faults, begun = [], [], time.monotonic()
    try:
        server.start()
        names = set_up(server, receivers)
        publishers.start()
        run_cycles(args, server, rng, kills)
        publishers.end()
        api = server.api.as_tenant("crash")
        drain(api, timeout_s=sum(DELAYS_S) + 20)
        rows = log_rows(api, names)
        status = server.stop()
        if status != 0:
            faults.append(f"SIGTERM at the end: exit status {status}")
    finally:
        publishers.stop.set()
        server.kill()
        receivers.receiver.close()
        (folder / "server.log").write_text(server.text())
    world = checker.World(publishers.sent, receivers.seen, kills, ROUTES, DELAYS_S, rows, receivers.steps)
    faults += publishers.faults + checker.judge(world)
    report(publishers, kills, world, time.monotonic() - begun)
    return faults


def report(publishers, kills, world, seconds):
    acknowledged = sum(row.acknowledged for row in publishers.sent.values())
    duplicates = sum(len(g) - 1 for g in checker.by_delivery(world).values() if all(r.status == 200 for r in g))
    print(f"{len(kills)} kills in {seconds:.0f} s; {len(publishers.sent)} events published, {acknowledged} acknowledged "
          f"({dict(publishers.counts)}); {len(world.seen)} requests received, {duplicates} of them repeated "
          f"across a kill; {len(world.steps)} requests of {len({r.key for r in world.steps})} keys in order; log: {dict(collections.Counter(row[2] for row in world.log))}", flush=True)


def conclude(faults, args, folder, kept):
    """Says how it ended, and gives the exit status; without faults the folder goes."""
    if faults:
        for fault in faults[:40]:
            print(f"FAULT {fault}")
        print(f"{len(faults)} faults; --seed {args.seed}; {kept} in {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{args.cycles} cycles: 0 acknowledged events lost, 0 early retries, 0 unexplained duplicates")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, help="build folder (default: $TENTERHOOK_BUILD or build/test)")
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--rate", type=float, default=150, help="requests to publish a second")
    parser.add_argument("--shortest", type=float, default=0.2, help="seconds of load before a kill, at least")
    parser.add_argument("--longest", type=float, default=0.9, help="and at most")
    parser.add_argument("--postgres", action="store_true", help="store in a private PostgreSQL")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    args.binary = binary_path(args.build)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the server does not outlive us
    print(f"crash test: {args.cycles} cycles, --seed {args.seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tenterhook-crash-"))
    args.database = Postgres() if args.postgres else None
    try:
        faults = run(args, folder)
    except Exception as error:  # the folder is the evidence, whatever happened
        faults = [f"{type(error).__name__}: {error}"]
    finally:
        if args.database:
            args.database.close()
    return conclude(faults, args, folder, "data and server.log are kept")


if __name__ == "__main__":
    sys.exit(main())
