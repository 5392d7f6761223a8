"""How many messages a second tenterhook-bridge takes out of a RabbitMQ into a server, with everything on this machine.

The queue is filled first, since a publisher beside it would share the processors; then the bridge starts, and the server's own count of accepted
events says how fast they come. The server also delivers each of them to a sink.
"""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import rig
from harness import brokers, watch


def accepted(server):
    return int(re.search(r"^tenterhook_events_accepted_total (\d+)", server.api.get("/metrics").body.decode(), re.M)[1])


def fill(broker, count):
    """Messages of 1 KiB, on the broker's disk."""
    import pika
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    channel = connection.channel()
    channel.queue_declare("bench", durable=True)
    for number in range(count):
        body = b'{"kind":"bench.event","seq":%d,"text":"%s"}' % (number, b"x" * 980)
        channel.basic_publish("", "bench", body, pika.BasicProperties(delivery_mode=2, message_id=f"m{number}"))
    while channel.queue_declare("bench", durable=True, passive=True).method.message_count < count:
        time.sleep(0.1)
    connection.close()


def processor_seconds(pid):
    """Of a process and of all that it has started."""
    total = 0.0
    for one in watch.family(pid, watch.processes()):
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def run_bridge(args, count):
    brokers.clients()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="tenterhook-bench-", dir=args.data))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        broker = stack.enter_context(brokers.RabbitMQ())
        board = stack.enter_context(rig.Board(count + 1000))
        port = stack.enter_context(rig.sink(args.build, board))
        server = rig.start_engine(args.engine, folder)
        stack.callback(server.kill)
        server.api.post("/v1/webhooks", {"url": f"http://127.0.0.1:{port}/"}).expect(201)
        fill(broker, count)
        (folder / "stream.yaml").write_text(f"source: {broker.url}\nqueue: bench\naside: bench.aside\nevent:\n  type: /kind\n  id: '@id'\n")
        env = {**os.environ, "TENTERHOOK_KEY": rig.KEY, "TENTERHOOK_SERVER": f"http://127.0.0.1:{server.port}"}
        before = {"server": rig.cpu_seconds(server.process.pid), "broker": processor_seconds(broker.process.pid)}
        began = time.monotonic()
        bridge = subprocess.Popen([str(args.engine / "tenterhook-bridge"), str(folder / "stream.yaml")], env=env, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=open(folder / "log", "wb"))
        stack.callback(bridge.wait)
        stack.callback(bridge.kill)
        while accepted(server) < count:
            if bridge.poll() is not None or time.monotonic() - began > 120:
                raise SystemExit(f"the bridge has stopped or is too slow: {(folder / 'log').read_text()[-500:]}")
            time.sleep(0.05)
        took = time.monotonic() - began
        spent = {"bridge": rig.cpu_seconds(bridge.pid), "server": rig.cpu_seconds(server.process.pid) - before["server"],
                 "broker": processor_seconds(broker.process.pid) - before["broker"]}
        return count / took, {name: seconds * 1e6 / count for name, seconds in spent.items()}


def print_bridge(args):
    runs = [run_bridge(args, args.messages) for _ in range(args.rounds)]
    rate, spent = sorted(runs, key=lambda run: run[0])[len(runs) // 2]
    print(f"{args.messages:,} messages of 1 KiB from RabbitMQ: {', '.join(f'{one:,.0f}' for one, _ in runs)} a second (median {rate:,.0f}); "
          f"processor time a message: {', '.join(f'{name} {us:.0f} µs' for name, us in spent.items())}", flush=True)
