"""Judges a run of kills from what was seen outside alone: what publishers were told, what receivers were sent, when
the process was killed, and what the log says at the end. Knows nothing of the server's inside.

Every rule is a function that yields one line a fault:

  lost        an acknowledged event has neither a 2xx from its endpoint nor a whole schedule of refusals
  invented    a receiver got something that nobody published, under two ids, or with other data
  repeated    a request after a 2xx, or before its time, without a kill that explains it
  log         the log of the server disagrees with the receivers
  order       a key's events reach an endpoint with an order otherwise than one after the other
"""
import collections
from dataclasses import dataclass, field

# A result that a receiver has answered is committed long before this many seconds. A kill that comes later than that
# after the answer cannot excuse a repeated request.
GRACE_S = 2.0
# A connection of a killed process may be accepted by a busy receiver this much after the process is dead.
ACCEPT_S = 0.15
# Clocks are read in whole milliseconds on both sides.
TOLERANCE_S = 0.01


@dataclass
class Sent:
    """One event as its publisher knows it. `ids`: those of all 202 answers; acknowledged: at least one."""
    number: int
    kind: str
    ids: set = field(default_factory=set)
    acknowledged: bool = False


@dataclass
class Seen:
    """One request at a receiver. `connected` when its connection was accepted, `begun` when the request was read,
    `ended` just before the answer was sent (all monotonic seconds)."""
    endpoint: str
    event_id: str
    number: int
    connected: float
    begun: float
    ended: float
    status: int
    fault: str = ""


@dataclass
class Stepped:
    """One request at an endpoint with an order: `step` counts the events of its key, as the publisher numbered them one after the
    other, each after the answer to the one before; `sequence` is the header."""
    key: int
    step: int
    sequence: int
    begun: float
    status: int


@dataclass
class World:
    sent: dict          # number -> Sent
    seen: list          # of Seen, any order
    kills: list         # (just before the signal, when the process was dead), monotonic seconds
    routes: dict        # kind -> endpoint names
    delays: list        # seconds of the schedule
    log: list           # rows (endpoint name, event id, status, attempts)
    steps: list = field(default_factory=list)  # of Stepped, any order


def excused(kills, before, after):
    """Whether a kill explains that a request was sent again at once: the first came over a connection of the process
    that was killed, the second over one of a later process, and the kill came before the result must have been kept."""
    return any(before.connected <= dead + ACCEPT_S and after.connected >= signalled
               and signalled <= before.ended + GRACE_S for signalled, dead in kills)


def by_delivery(world):
    """(endpoint, event id) -> its requests in order of time."""
    groups = collections.defaultdict(list)
    for request in sorted(world.seen, key=lambda r: r.begun):
        groups[request.endpoint, request.event_id].append(request)
    return groups


def check_lost(world, groups):
    whole = len(world.delays) + 1
    for sent in world.sent.values():
        if not sent.acknowledged:
            continue
        event_id = next(iter(sent.ids), None)
        if event_id is None:
            yield f"event {sent.number}: acknowledged without an id"
            continue
        for endpoint in world.routes[sent.kind]:
            requests = groups.get((endpoint, event_id), [])
            if any(200 <= r.status < 300 for r in requests) or len(requests) >= whole:
                continue
            yield (f"LOST: event {sent.number} ({event_id}) at {endpoint}: "
                   f"{len(requests)} of {whole} requests, answers {[r.status for r in requests]}")


def check_invented(world, groups):
    ids_of = collections.defaultdict(set)
    for request in world.seen:
        if request.fault:
            yield f"request for {request.event_id} at {request.endpoint}: {request.fault}"
        sent = world.sent.get(request.number)
        if sent is None:
            yield f"INVENTED: {request.endpoint} got {request.event_id} with number {request.number}"
            continue
        if request.endpoint not in world.routes[sent.kind]:
            yield f"INVENTED: {request.endpoint} got event {sent.number} of kind {sent.kind}"
        ids_of[request.number].add(request.event_id)
    for number, ids in ids_of.items():
        known = world.sent[number].ids
        if len(ids | known) > 1:
            yield f"TWICE: event {number} became several: received {sorted(ids)}, acknowledged {sorted(known)}"


def check_repeated(world, groups):
    for (endpoint, event_id), requests in groups.items():
        tries = 0
        for before, after in zip(requests, requests[1:]):
            if excused(world.kills, before, after):
                continue
            if 200 <= before.status < 300:
                yield f"DUPLICATE: {event_id} at {endpoint} again {after.begun - before.ended:.3f} s after a 2xx"
                continue
            if tries >= len(world.delays):
                yield f"TOO MANY: {event_id} at {endpoint}: a request after the whole schedule"
                continue
            wait = after.begun - before.ended
            if wait < world.delays[tries] - TOLERANCE_S:
                yield (f"EARLY: {event_id} at {endpoint}: attempt {tries + 2} after {wait:.3f} s, "
                       f"due after {world.delays[tries]} s")
            tries += 1


def check_log(world, groups):
    whole = len(world.delays) + 1
    rows = {}
    for endpoint, event_id, status, attempts in world.log:
        if (endpoint, event_id) in rows:
            yield f"log: two deliveries of {event_id} to {endpoint}"
        rows[endpoint, event_id] = status
        requests = groups.get((endpoint, event_id), [])
        ok = any(200 <= r.status < 300 for r in requests)
        if status == "delivered" and not ok:
            yield f"log: {event_id} at {endpoint} is marked delivered, and no 2xx was given"
        elif status == "failed" and len(requests) < whole:
            yield f"log: {event_id} at {endpoint} is marked failed after {len(requests)} of {whole} requests"
        elif status == "failed" and attempts is not None and attempts < whole:
            yield f"log: {event_id} at {endpoint} is marked failed with {attempts} of {whole} attempts"
        elif status not in ("delivered", "failed"):
            yield f"log: {event_id} at {endpoint} ends {status}"
    for sent in world.sent.values():
        if sent.acknowledged:
            for endpoint in world.routes[sent.kind]:
                for event_id in sent.ids:
                    if (endpoint, event_id) not in rows:
                        yield f"log: {event_id} at {endpoint} is missing"


def check_order(world, groups):
    """By the receiver's journal alone. A request may come again, but nothing later goes back, and nothing is begun before the event
    before it has been taken."""
    lines = collections.defaultdict(list)
    for row in sorted(world.steps, key=lambda r: r.begun):
        lines[row.key].append(row)
    for key, rows in lines.items():
        last, taken = None, False
        for row in rows:
            if last and row.step < last.step:
                yield f"INVERSION: key {key}: event {row.step} came after event {last.step}"
            elif last and row.step > last.step and not taken:
                yield f"INVERSION: key {key}: event {row.step} came before event {last.step} had been taken"
            if last and (row.sequence > last.sequence) != (row.step > last.step):
                yield f"SEQUENCE: key {key}: {last.sequence} at event {last.step}, then {row.sequence} at event {row.step}"
            taken = 200 <= row.status < 300 or (taken and last and row.step == last.step)
            last = row


def judge(world):
    """All faults of a run, as lines; an empty list means that every promise held."""
    groups = by_delivery(world)
    faults = []
    for check in (check_lost, check_invented, check_repeated, check_log, check_order):
        faults += check(world, groups)
    return faults
