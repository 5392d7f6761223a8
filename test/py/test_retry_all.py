"""Everything of an endpoint that waits for another attempt is made due now: POST /v1/webhooks/{id}/retry."""
import sqlite3
import time

from harness.expect import deliveries, eventually, problem, settled


def register(api, target, **more):
    return api.post("/v1/webhooks", {"url": target.url(), **more}).expect(201).json


def publish(api, count):
    for at in range(0, count, 1000):
        api.post("/v1/events/batch", [{"type": "a.b", "data": {"n": n}} for n in range(at, min(at + 1000, count))]).expect(202)


def retry(api, made):
    return api.post(f"/v1/webhooks/{made['id']}/retry")


def test_after_an_outage_all_goes_out(tenant, receiver):
    """What is retrying is due now, and what had ended or waits elsewhere is not touched."""
    state = {"answer": 500}
    target, other = receiver(answer=lambda _: state["answer"]), receiver(answer=lambda _: 500)
    made = register(tenant, target, events=["a.b"])
    register(tenant, other, events=["x.y"])
    publish(tenant, 3)
    tenant.post("/v1/events", {"type": "x.y", "data": {}}).expect(202)
    settled(tenant, 4, status="retrying")
    state["answer"] = 200
    assert retry(tenant, made).expect(202).json == {"endpoint": made["id"], "retrying": 3, "pending": 0, "under_way": 0}
    settled(tenant, 3, status="delivered", timeout_s=4)
    assert len(target.requests) == 6 and len(other.requests) == 1
    assert retry(tenant, made).expect(202).json["retrying"] == 0
    time.sleep(0.5)
    assert len(target.requests) == 6


def waiting(at, count, **more):
    """A server with an endpoint at which so many deliveries have failed once and wait for tomorrow. Its schedule is as long as that: what waits
    for longer than the schedule says is due at the next start (a clock that was set back), and would go out by itself."""
    target = more.pop("target")
    made = register(at.api, target, active=False, retry={"delays": [100000]}, **more)
    publish(at.api, count)
    at.stop()
    with sqlite3.connect(at.data / "tenterhook.db") as db:
        db.execute("update queue set attempts = 1, tries = 1, due = due + 86400000")
    at.start()
    at.api.patch(f"/v1/webhooks/{made['id']}", {"active": True}).expect(200)
    time.sleep(1)
    assert not target.requests, "they wait"
    return made


def test_at_the_endpoints_own_pace(server, receiver):
    at, target = server(), receiver()
    made = waiting(at, 30, target=target, rate_limit_per_second=10)
    began = time.monotonic()
    assert retry(at.api, made).expect(202).json["retrying"] == 30
    settled(at.api, 30)
    assert time.monotonic() - began > 2.8  # the first goes at once, 29 wait for a tenth of a second each


def test_a_paused_endpoint_is_refused(tenant, receiver):
    target = receiver(answer=lambda _: 500)
    made = register(tenant, target)
    publish(tenant, 3)
    settled(tenant, 3, status="retrying")
    before = [row["next_attempt_at"] for row in deliveries(tenant)]
    tenant.patch(f"/v1/webhooks/{made['id']}", {"active": False}).expect(200)
    assert '"active": true' in problem(retry(tenant, made), 409)["detail"]
    time.sleep(0.3)
    assert len(target.requests) == 3
    tenant.patch(f"/v1/webhooks/{made['id']}", {"active": True}).expect(200)
    assert [row["next_attempt_at"] for row in deliveries(tenant)] == before
    problem(tenant.post("/v1/webhooks/we_00000000000000000000000000/retry"), 404)
    problem(tenant.post(f"/v1/webhooks/{made['id']}/retry", {"all": True}), 422)


def test_a_key_repeats_the_answer(tenant, receiver):
    state = {"answer": 500}
    target = receiver(answer=lambda _: state["answer"])
    made = register(tenant, target)
    publish(tenant, 2)
    settled(tenant, 2, status="retrying")
    state["answer"] = 200
    path, key = f"/v1/webhooks/{made['id']}/retry", {"Idempotency-Key": "once"}
    first = tenant.post(path, headers=key).expect(202).json
    target.wait_for(4)
    again = tenant.post(path, headers=key).expect(202)
    assert again.header("Idempotency-Replayed") == "true" and again.json == first
    time.sleep(0.5)
    assert len(target.requests) == 4


def test_many_and_a_kill_half_way(server, receiver):
    """Of thousands that wait in the store, acknowledged is acknowledged: after kill -9 all are due, although their time is hours
    away. Fresh events go out meanwhile."""
    at, target = server(), receiver()
    made = waiting(at, 20000, target=target, max_in_flight=100)
    answer = retry(at.api, made).expect(202).json
    at.kill()
    assert answer["retrying"] == 20000
    assert len(target.requests) < 20000
    at.start()
    publish(at.api, 1)
    eventually(lambda: len({request.header("webhook-id") for request in target.requests}) == 20001, 90, "all requested")


def test_unfinished_ones_are_not_replayed(tenant, receiver):
    """A replay counts what it matches by state, and says how many it leaves out; it makes no second round of a delivery that
    still has one."""
    state = {"answer": 200}
    target = receiver(answer=lambda _: state["answer"])
    made = register(tenant, target)
    publish(tenant, 3)
    settled(tenant, 3)
    state["answer"] = 500
    publish(tenant, 2)
    rows = settled(tenant, 2, status="retrying")
    body = {"since": "2020-01-01T00:00:00Z"}
    path = f"/v1/webhooks/{made['id']}/replay"
    counts = {"matched": 3, "delivered": 3, "failed": 0, "cancelled": 0, "unfinished": 2}
    for dry in (True, False):
        answer = tenant.post(path, {**body, "dry_run": dry}).expect(202).json
        assert {name: answer[name] for name in counts} == counts
    target.wait_for(8)
    settled(tenant, 5, status="retrying")
    assert {row["id"]: row["next_attempt_at"] for row in deliveries(tenant)}.items() >= {
        row["id"]: row["next_attempt_at"] for row in rows}.items()
