"""What dialects cost beside `standard`, over the whole way: one engine, a tenant of each dialect, one sink.

The tenants are loaded to saturation in turn, a slice of about a second each, round after round, so that whatever else
the machine does meets all of them; each slice is compared with the slice of `standard` of its round. Processor time for
an event is the steadier of the two ratios.
"""
import collections
import pathlib
import statistics
import tempfile
import time

import rig

# Of each an event that fits its catalogue, and an endpoint's fields where they are the dialect's own or more are needed.
Example = collections.namedtuple("Example", "type extra fields secret", defaults=("", ("url", "events"), None))
EXAMPLES = {
    "standard": Example("bench.event"),
    "taskboard": Example("task.created"),
    "techwriter": Example("document.published", secret="bench-secret-0123456789abcdef"),
    "tiro": Example("note.created", '"resource_id":"note_1",'),
    "tsanet": Example("note.created", "", ("callbackUrl", "eventTypes")),
    "cloudevents": Example("bench.event"),
    "cloudevents-structured": Example("bench.event"),
    "discord": Example("ENTITLEMENT_CREATE"),
    "github": Example("issues.opened"),
    "gitlab": Example("push"),
    "linear": Example("Issue.create"),
    "shopify": Example("orders.create"),
    "slack": Example("message"),
    "square": Example("payment.updated", '"resource_id":"pay_1",'),
    "stripe": Example("invoice.paid"),
    "svix": Example("bench.event"),
    "zoom": Example("meeting.started"),
}


Slice = collections.namedtuple("Slice", "per_second cpu_us")


def open_to_loopback(names, folder):
    """Flags for a server with the dialects' own files, but allowed to reach a sink without TLS."""
    folder.mkdir()
    for name in names:
        text = (rig.ROOT / "dialects" / f"{name}.yaml").read_text()
        (folder / f"{name}.yaml").write_text(text.replace("https: always", "https: production"))
    return ["--dialects", str(folder)]


def add_tenant(api, name, port):
    """A tenant of the dialect with an endpoint at the sink; the name is that of the dialect."""
    example = EXAMPLES[name]
    api.put(f"/v1/tenants/{name}", {"name": name, "dialect": name}).expect(201)
    endpoint = dict(zip(example.fields, (f"http://127.0.0.1:{port}/", [example.type])))
    if example.secret:
        endpoint["secret"] = example.secret
    api.as_tenant(name).post("/v1/webhooks", endpoint).expect(200, 201)


def run_slice(args, server, board, port, name, first):
    """One tenant at saturation; gives its figures and the next free slot of the board."""
    pid, example = server.process.pid, EXAMPLES[name]
    before = rig.cpu_seconds(pid)
    result = rig.load(args.build, board, server.port, tenant=name, type=example.type, extra=example.extra, key=rig.KEY,
                      seconds=1, connections=args.connections, first=first, records=True)
    time.sleep(0.05)  # the last outcomes are committed within 10 ms
    if result["errors"] or result["arrived"] != result["accepted"] or not result["arrived"]:
        raise SystemExit(f"{name}: {result}")
    return (Slice(result["per_second"], (rig.cpu_seconds(pid) - before) * 1e6 / result["arrived"]),
            first + result["posted"])


def measure(args, names):
    """Slices of each dialect, round by round; the first round warms up and does not count."""
    slices, first = {name: [] for name in names}, 0
    with tempfile.TemporaryDirectory(prefix="tenterhook-bench-", dir=args.data) as folder, \
            rig.Board(200000 * len(names) * (args.dialect_rounds + 1)) as board, \
            rig.sink(args.build, board, "204") as port:
        server = rig.start_engine(args.build, folder, *args.flag, *open_to_loopback(names, pathlib.Path(folder) / "d"))
        try:
            for name in names:
                add_tenant(server.api, name, port)
            for number in range(args.dialect_rounds + 1):
                for name in names if number % 2 else reversed(names):
                    one, first = run_slice(args, server, board, port, name, first)
                    if number:
                        slices[name].append(one)
        finally:
            server.kill()
    return slices


def print_comparison(args):
    names = ["standard"] + [name for name in args.dialects.split(",") if name and name != "standard"]
    unknown = [name for name in names if name not in EXAMPLES]
    if unknown:
        raise SystemExit(f"no example of {', '.join(unknown)}; there are {', '.join(EXAMPLES)}")
    slices = measure(args, names)
    standard = slices["standard"]
    print(f"\ndialects at saturation, {args.dialect_rounds} interleaved slices of 1 s each; events of small members; "
          "medians of the ratios to `standard` in the same round")
    print("| dialect | events/s | to standard | CPU µs/event | to standard |")
    print("|---|---|---|---|---|")
    for name in names:
        mine = slices[name]
        rate, cpu = (statistics.median(getattr(a, what) / getattr(b, what) for a, b in zip(mine, standard))
                     for what in Slice._fields)
        print(f"| {name} | {statistics.median(s.per_second for s in mine):,.0f} | {rate:.3f} | "
              f"{statistics.median(s.cpu_us for s in mine):.1f} | {cpu:.3f} |")
