"""How much several nodes on one PostgreSQL do together: the same load through one engine with its own store, through one node
alone on the database, through one that shares it, and through three that share it.

Load, sinks, nodes and the database share the machine, so compare ratios. There are as many load generators and endpoints as there
are nodes in the largest case, in every case; each generator publishes to one node for the endpoint of its own, whichever node owns that one.
"""
import contextlib
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import rig
from harness.nodes import wait_for_parts
from harness.postgres import Postgres, free_port

LOADS = 3
SETTINGS = ["shared_preload_libraries='pg_stat_statements'", "shared_buffers=128MB", "max_wal_size=1GB", "pg_stat_statements.max=1000",
            "pg_stat_statements.track=top"]
CASES = {"embedded store": (1, None), "one node": (1, "off"), "one node that shares": (1, "on"), "three nodes": (3, "on")}


@contextlib.contextmanager
def running(args, count, share, database):
    folder, nodes = pathlib.Path(tempfile.mkdtemp(prefix="tenterhook-bench-", dir=args.data)), []
    try:
        for number in range(count):
            flags = [] if share is None else ["--store", database.url()]
            env = {"TENTERHOOK_SECRET_KEY": "0123456789abcdef" * 4, "TENTERHOOK_THREADS": "1"}
            if share is not None:
                env["TENTERHOOK_STORE_SHARE"] = share
            nodes.append(rig.start_engine(args.engine, folder / f"node{number}", *flags, *args.flag, env=env,
                                          listen=f"127.0.0.1:{free_port()}"))
        if share == "on":
            wait_for_parts(nodes[0], count, 60)
        yield nodes
    finally:
        for node in nodes:
            node.kill()
        shutil.rmtree(folder, ignore_errors=True)


def statements(database):
    if database is None:
        return 0, 0
    row = database.sql("SELECT coalesce(sum(calls),0)::int8, (SELECT sum(xact_commit) FROM pg_stat_database)::int8 "
                       "FROM pg_stat_statements")[0]
    return int(row[0]), int(row[1])


def print_statements(database, events):
    """What the database did, the longest first, with all that came before the load."""
    for calls, ms, rows, query in database.sql("SELECT calls, total_exec_time::int, rows, regexp_replace(query,'\\s+',' ','g') FROM "
                                               "pg_stat_statements ORDER BY total_exec_time DESC LIMIT 25"):
        print(f"   {int(calls) / max(events, 1):.4f} calls an event, {int(ms) * 1000 / max(events, 1):.1f} µs, "
              f"{int(rows) / max(int(calls), 1):.1f} rows a call: {query[:150]}", flush=True)


def run_case(args, name, rate):
    count, share = CASES[name]
    database = None
    with contextlib.ExitStack() as stack:
        if share is not None:
            database = stack.enter_context(contextlib.closing(Postgres(SETTINGS)))
            database.sql("CREATE EXTENSION pg_stat_statements")
        nodes = stack.enter_context(running(args, count, share, database))
        loads = []
        for number in range(LOADS):
            board = stack.enter_context(rig.Board(args.seconds * (rate or 60000)))
            port = stack.enter_context(rig.sink(args.build, board))
            nodes[number % count].api.post("/v1/webhooks", {"url": f"http://127.0.0.1:{port}/", "events": [f"load.{number}"]}).expect(201)
            loads.append((board, nodes[number % count].port, f"load.{number}"))
        time.sleep(1)
        before = statements(database)
        results = rig.loads(args.build, [
            (board, port, {"seconds": args.seconds, "connections": max(1, args.connections // LOADS), "key": rig.KEY, "type": kind,
                           "rate": rate // LOADS}) for board, port, kind in loads])
        after = statements(database)
        if args.statements and database:
            print_statements(database, sum(result["arrived"] for result in results))
    arrived = sum(result["arrived"] for result in results)
    return {"per_second": sum(result["per_second"] for result in results), "arrived": arrived,
            "lost": sum(result["accepted"] for result in results) - arrived, "errors": sum(result["errors"] for result in results),
            "repeated": sum(result["repeated"] for result in results),
            "p50": statistics.mean((r["accepted_arrived_ms"] or {}).get("p50", 0) for r in results),
            "p99": max((r["accepted_arrived_ms"] or {}).get("p99", 0) for r in results),
            "statements": (after[0] - before[0]) / max(arrived, 1), "transactions": (after[1] - before[1]) / max(arrived, 1)}


def print_nodes(args):
    """Rounds of all cases, in turns, and what follows from their ratios."""
    cases = [name for name in CASES if not args.cases or name in args.cases.split(",")]
    for rate in [0] + [int(rate) for rate in args.rates.split(",") if rate]:
        runs = {name: [] for name in cases}
        for _ in range(args.rounds):
            for name in cases:
                runs[name].append(run_case(args, name, rate))
        print(f"\n{f'{rate:,}/s' if rate else 'saturation'}, {args.connections} connections")
        for name in cases:
            best = sorted(runs[name], key=lambda run: run["per_second"])[len(runs[name]) // 2]
            faults = ", ".join(f"{best[what]} {what}" for what in ("lost", "errors", "repeated") if best[what])
            print(f"  {name:<21} {', '.join(str(run['per_second']) for run in runs[name]):<24} events/s; accepted→delivered p50 / p99 "
                  f"{best['p50']:.1f} / {best['p99']:.1f} ms; {best['statements']:.3f} statements and "
                  f"{best['transactions']:.3f} transactions an event{'; ' + faults if faults else ''}", flush=True)
        for name, other in (("one node", "embedded store"), ("one node that shares", "one node"), ("three nodes", "one node"),
                            ("three nodes", "one node that shares")):
            if not rate and name in cases and other in cases:
                ratios = [one["per_second"] / max(two["per_second"], 1) for one, two in zip(runs[name], runs[other])]
                print(f"  {name} : {other} {statistics.median(ratios):.2f}", flush=True)
