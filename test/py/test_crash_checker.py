"""The checker of the crash test must be able to find what it looks for."""
import sys

from harness.server import ROOT

sys.path.insert(0, str(ROOT / "test" / "crash"))

import checker  # noqa: E402
from checker import Seen, Sent  # noqa: E402


def judged(seen, sent=None, kills=(), log=None):
    sent = sent or [Sent(1, "k", {"e1"}, True)]
    log = [("p", "e1", "delivered", None)] if log is None else log
    return checker.judge(checker.World({s.number: s for s in sent}, seen, list(kills), {"k": ["p"]}, [1, 1], log))


def seen(begun, status=200, number=1, event_id="e1", endpoint="p", fault="", connected=None):
    """A request on a connection of its own, or on one accepted at another time."""
    return Seen(endpoint, event_id, number, begun - 0.01 if connected is None else connected, begun, begun + 0.1, status,
                fault)


def only(faults, word):
    return len(faults) == 1 and word in faults[0]


def test_a_good_run_has_no_fault():
    assert judged([seen(1.0)]) == []
    assert judged([seen(1.0, 500), seen(2.2)]) == []


def test_lost():
    assert any("LOST" in fault for fault in judged([], log=[]))
    assert any("LOST" in fault for fault in judged([seen(1.0, 500)], log=[("p", "e1", "failed", 1)]))


def test_not_acknowledged_may_be_lost():
    assert judged([], sent=[Sent(1, "k")], log=[]) == []


def test_a_whole_schedule_of_refusals_is_no_loss():
    assert judged([seen(1.0, 500), seen(2.2, 500), seen(3.4, 500)], log=[("p", "e1", "failed", 3)]) == []


def test_duplicate_needs_a_kill():
    assert only(judged([seen(1.0), seen(1.5)]), "DUPLICATE")
    assert judged([seen(1.0), seen(1.5)], kills=[(1.2, 1.21)]) == []
    assert only(judged([seen(1.0), seen(1.5)], kills=[(0.7, 0.71)]), "DUPLICATE")


def test_a_kill_excuses_nothing_within_one_process():
    assert only(judged([seen(1.0, connected=0.9), seen(1.5, connected=0.9)], kills=[(1.2, 1.21)]), "DUPLICATE")
    assert only(judged([seen(1.0, connected=0.9), seen(1.5, connected=1.1)], kills=[(0.5, 0.51), (1.9, 2.0)]),
                "DUPLICATE")


def test_a_request_read_late_is_still_that_of_the_killed_process():
    assert judged([seen(1.3, connected=0.9), seen(1.5)], kills=[(1.2, 1.21)]) == []


def test_a_late_kill_excuses_nothing():
    assert only(judged([seen(1.0), seen(9.5)], kills=[(9.0, 9.1)]), "DUPLICATE")


def test_early():
    assert only(judged([seen(1.0, 500), seen(1.9)]), "EARLY")
    assert judged([seen(1.0, 500), seen(1.9)], kills=[(1.05, 1.06)]) == []


def test_too_many():
    late = [seen(1.0, 500), seen(2.2, 500), seen(3.4, 500), seen(4.6, 500)]
    assert only(judged(late, log=[("p", "e1", "failed", 4)]), "TOO MANY")


def test_invented():
    assert any("INVENTED" in fault for fault in judged([seen(1.0), seen(1.0, number=2, event_id="e2")]))
    assert any("TWICE" in fault for fault in judged([seen(1.0), seen(1.0, event_id="e2")]))
    assert any("bad signature" in fault for fault in judged([seen(1.0, fault="bad signature")]))


def test_log():
    assert only(judged([seen(1.0)], log=[]), "missing")
    assert only(judged([seen(1.0)], log=[("p", "e1", "pending", None)]), "ends pending")
    assert only(judged([seen(1.0)], log=[("p", "e1", "delivered", None)] * 2), "two deliveries")
    assert any("no 2xx" in fault for fault in judged([seen(1.0, 500)]))


def ordered(*rows):
    world = checker.World({}, [], [], {}, [1, 1], [], [checker.Stepped(*row) for row in rows])
    return list(checker.check_order(world, {}))


def test_order():
    assert ordered((1, 1, 10, 1.0, 500), (2, 1, 11, 1.1, 200), (1, 1, 10, 2.0, 200), (1, 2, 12, 2.1, 200), (1, 2, 12, 2.5, 200), (1, 3, 15, 3.0, 200)) == []
    assert only(ordered((1, 1, 10, 1.0, 200), (1, 2, 12, 2.0, 200), (1, 1, 10, 3.0, 200)), "came after")
    assert only(ordered((1, 1, 10, 1.0, 500), (1, 2, 12, 2.0, 200)), "had been taken")
    assert only(ordered((1, 1, 10, 1.0, 200), (1, 2, 9, 2.0, 200)), "SEQUENCE")
