"""Backfill: events that were accepted before an endpoint was made go to it, under the ids that they have, oldest first."""
import json
import sqlite3
import time

import pytest

from harness.expect import eventually, pointers, problem, settled
from harness.postgres import Postgres
from harness.receiver import Reply

LONG_AGO = "2020-01-01T00:00:00Z"
SEVERAL_STEPS = 1200  # more than a job queues ahead of a slow endpoint


def publish(api, kind="a.b", data=None, **more):
    return api.post("/v1/events", {"type": kind, "data": data if data is not None else {}, **more}).expect(202).json["id"]


def publish_many(api, count):
    ids = []
    for start in range(0, count, 400):
        batch = [{"type": "a.b", "data": {"n": n}} for n in range(start, min(start + 400, count))]
        ids += [row["id"] for row in api.post("/v1/events/batch", batch).expect(202).json]
    return ids


def make(api, target, **more):
    time.sleep(0.002)  # in a later millisecond than what was published before
    return api.post("/v1/webhooks", {"url": target.url(), **more}).expect(201).json


def backfill(api, made, **more):
    return api.post(f"/v1/webhooks/{made['id']}/backfill", {"since": LONG_AGO, **more})


def state(api, started):
    return api.get(f"/v1/replays/{started['id']}").expect(200).json


def ended(api, started, want="done", timeout_s=30):
    return eventually(lambda: state(api, started)["state"] == want and state(api, started), timeout_s, f"backfill {want}")


def test_earlier_events_go_out_under_their_ids_oldest_first(tenant, receiver):
    before = receiver()
    make(tenant, before)
    ids = [publish(tenant, data={"n": n}) for n in range(20)] + [publish(tenant, data={"n": 20}, id="own-1")]
    before.wait_for(21)
    target = receiver()
    made = make(tenant, target, max_in_flight=1)
    started = backfill(tenant, made).expect(202)
    assert started.json["matched"] == 21 and not started.json["dry_run"] and "first" not in started.json
    assert started.header("Location") == f"/v1/replays/{started.json['id']}"
    target.wait_for(21)
    assert target.ids() == ids
    first = {request.header("webhook-id"): request for request in before.requests}
    for request in target.requests:  # the same bytes as at the time
        assert request.body == first[request.header("webhook-id")].body
    done = ended(tenant, started.json)
    assert {"kind": "backfill", "endpoint": made["id"], "matched": 21, "queued": 21, "progress": 1}.items() <= done.items()
    assert "status" not in done
    assert "kind" not in tenant.get("/v1/replays").json["data"][0] or tenant.get("/v1/replays").json["data"][0]["kind"] == "backfill"


def test_a_copy_is_no_event_of_its_own(tenant, receiver):
    first, target = receiver(), receiver()
    old = make(tenant, first)
    plain, own = publish(tenant), publish(tenant, id="mine")
    first.wait_for(2)
    made = make(tenant, target)
    ended(tenant, backfill(tenant, made).expect(202).json)
    target.wait_for(2)
    rows = settled(tenant, 4)
    assert [row["id"] for row in tenant.get("/v1/events").json["data"]] == [own, plain]
    for event in (plain, own):
        of = tenant.get(f"/v1/deliveries?event={event}").expect(200).json["data"]
        assert [row["endpoint"] for row in of] == [made["id"], old["id"]] and {row["event"] for row in of} == {event}, of
        assert of == [row for row in rows if row["event"] == event]
        attempts = tenant.get(f"/v1/attempts?event={event}").expect(200).json["data"]
        assert len(attempts) == 2, attempts
        assert {row["endpoint"] for row in tenant.get(f"/v1/deliveries?event={event}&limit=1").json["data"]} == {made["id"]}
    copy = next(row for row in rows if row["endpoint"] == made["id"])
    shown = tenant.get(f"/v1/deliveries/{copy['id']}").expect(200).json
    assert shown["event"] in (plain, own)
    tenant.post(f"/v1/deliveries/{copy['id']}/retry", {}).expect(202)
    target.wait_for(3)
    assert target.ids()[2] == copy["event"]


def test_a_dry_run_counts_shows_and_sends_nothing(tenant, receiver):
    for n in range(15):
        publish(tenant, data={"n": n})
    other = publish(tenant, "c.d")
    late = publish(tenant, expires_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1)))
    target = receiver()
    made = make(tenant, target, filter="$[?@.data.n >= 3 || @.type == 'c.d']")
    time.sleep(1.1)
    answer = backfill(tenant, made, dry_run=True).expect(202).json
    assert answer["id"] is None and answer["matched"] == 13 and answer["dry_run"]
    assert answer["left_out"] == {"event_type": 0, "channels": 0, "filter": 3, "expired": 1, "erased": 0}
    listed = tenant.get("/v1/events").json["data"][::-1]
    assert listed[-1]["id"] == late
    assert [row["id"] for row in answer["first"]] == [row["id"] for row in listed[3:13]]
    assert [row["created_at"] for row in answer["first"]] == [row["created_at"] for row in listed[3:13]]
    for matched, more in ((1, {"event_types": ["c.*"]}), (0, {"event_types": ["x"]}), (12, {"event_types": ["a.b"]}),
                          (0, {"until": "2020-01-02T00:00:00Z"}), (13, {"until": None})):
        assert backfill(tenant, made, dry_run=True, **more).expect(202).json["matched"] == matched, more
    one = backfill(tenant, made, dry_run=True, event_types=["c.d"]).json
    assert [row["id"] for row in one["first"]] == [other] and one["left_out"]["event_type"] == 16
    assert not target.requests and tenant.get("/v1/replays").json["data"] == []


def test_channels_and_types_of_the_endpoint_count(tenant, receiver):
    wanted = publish(tenant, "a.b", channels=["eu"])
    publish(tenant, "a.b", channels=["us"])
    publish(tenant, "c.d", channels=["eu"])
    target = receiver()
    made = make(tenant, target, events=["a.*"], channels=["eu"])
    answer = backfill(tenant, made).expect(202).json
    assert answer["matched"] == 1 and answer["left_out"]["channels"] == 1 and answer["left_out"]["event_type"] == 1
    target.wait_for(1)
    assert target.ids() == [wanted]


def test_twice_sends_nothing_twice(tenant, receiver):
    ids = publish_many(tenant, 70)
    target = receiver()
    made = make(tenant, target)
    ended(tenant, backfill(tenant, made).expect(202).json)
    again = ended(tenant, backfill(tenant, made).expect(202).json)
    assert again["matched"] == 70 and again["queued"] == 0
    settled(tenant, 70)
    assert sorted(target.ids()) == sorted(ids)


def test_tests_are_left_out(tenant, receiver):
    first, target = receiver(), receiver()
    old = make(tenant, first)
    tenant.post(f"/v1/webhooks/{old['id']}/test", {}).expect(202)
    first.wait_for(1)
    made = make(tenant, target)
    assert backfill(tenant, made, dry_run=True).expect(202).json["matched"] == 0


def test_the_line_of_a_key_is_kept(tenant, receiver):
    for n in range(60):
        publish(tenant, data={"order": n % 3, "n": n})
    good = []

    def answer(request):
        if len(target.requests) % 7 == 0:
            return Reply(503)
        good.append(request)
        return Reply(200)
    target = receiver(answer=answer)
    made = make(tenant, target, ordering={"key": "$.data.order"}, retry={"delays": ["1s"] * 8, "jitter_percent": 0})
    backfill(tenant, made).expect(202)
    settled(tenant, 60)
    last = {}
    for request in good:
        data = json.loads(request.body)
        data = data.get("data", data)
        assert data["n"] > last.get(data["order"], -1), (data, last)
        last[data["order"]] = data["n"]
        assert int(request.header("webhook-sequence")) > 0
    assert len(good) == 60


def test_a_paused_endpoint_gets_it_later(tenant, receiver):
    event = publish(tenant)
    target = receiver()
    made = make(tenant, target, active=False)
    ended(tenant, backfill(tenant, made).expect(202).json)
    time.sleep(0.3)
    assert not target.requests
    tenant.patch(f"/v1/webhooks/{made['id']}", {"active": True}).expect(200)
    target.wait_for(1)
    assert target.ids() == [event]


@pytest.mark.parametrize("body, pointer", [
    ({}, "/since"), ({"since": "yesterday"}, "/since"), ({"since": LONG_AGO, "until": LONG_AGO}, "/until"),
    ({"since": LONG_AGO, "until": "2999-01-01T00:00:00Z"}, "/until"), ({"since": "2999-01-01T00:00:00Z"}, "/since"),
    ({"since": LONG_AGO, "status": "failed"}, "/status"), ({"since": LONG_AGO, "event_types": ["a b"]}, "/event_types"),
    ({"since": LONG_AGO, "dry_run": "yes"}, "/dry_run"),
])
def test_invalid_requests(tenant, receiver, body, pointer):
    made = make(tenant, receiver())
    answer = tenant.post(f"/v1/webhooks/{made['id']}/backfill", body)
    assert pointers(answer) == [pointer]
    if "2999" in str(body):
        assert made["created_at"] in answer.json["errors"][0]["detail"]


def test_idempotency_key(tenant, receiver):
    publish(tenant)
    made = make(tenant, receiver())
    path, key = f"/v1/webhooks/{made['id']}/backfill", {"Idempotency-Key": "once"}
    first = tenant.post(path, {"since": LONG_AGO}, headers=key).expect(202)
    again = tenant.post(path, {"since": LONG_AGO}, headers=key).expect(202)
    assert again.json == first.json and again.header("Idempotency-Replayed") == "true"
    assert len(tenant.get("/v1/replays").json["data"]) == 1


def test_replays_and_backfills_share_a_limit(tenant, receiver):
    publish_many(tenant, SEVERAL_STEPS)
    gone = receiver(answer=lambda _: Reply(503))
    made = [make(tenant, gone, max_in_flight=1) for _ in range(3)]
    answers = [backfill(tenant, one) for one in made for _ in range(3)]
    refused = [answer for answer in answers if answer.status != 202]
    assert refused and all("replays" in str(answer.json) for answer in refused)


def test_cancel_stops_queueing(tenant, receiver):
    publish_many(tenant, SEVERAL_STEPS)
    target = receiver(answer=lambda _: Reply(503))
    started = backfill(tenant, make(tenant, target, max_in_flight=1)).expect(202).json
    eventually(lambda: state(tenant, started)["queued"] >= 512, 20)
    tenant.delete(f"/v1/replays/{started['id']}").expect(204)
    shown = state(tenant, started)
    time.sleep(0.3)
    assert state(tenant, started)["state"] == "cancelled" and state(tenant, started)["queued"] <= shown["queued"] + 32 < SEVERAL_STEPS


# ---- crash, erasing, retention ----

def goes_on_after_kills(running, receiver, times):
    api = running.api
    ids = publish_many(api, SEVERAL_STEPS)
    target = receiver()
    made = make(api, target, max_in_flight=4)
    started = backfill(api, made).expect(202).json
    for kill in range(times):
        target.wait_for(100 * (kill + 1))
        running.kill()
        running.start()
    done = ended(running.api, started, timeout_s=60)
    assert done["matched"] == SEVERAL_STEPS
    eventually(lambda: set(target.ids()) == set(ids), 60, "all arrive")
    rows = running.api.pages(f"/v1/deliveries?endpoint={made['id']}", 1000)
    assert len(rows) == SEVERAL_STEPS and len({row["event"] for row in rows}) == SEVERAL_STEPS  # no event has two
    assert len(running.api.pages("/v1/events", 1000)) == SEVERAL_STEPS


def test_it_goes_on_after_kill_9(server, receiver):
    goes_on_after_kills(server(), receiver, 3)


def test_it_goes_on_after_kill_9_on_postgres(server, receiver):
    postgres = Postgres()
    try:
        goes_on_after_kills(server(flags=["--store", postgres.fresh("backfill")]), receiver, 2)
    finally:
        postgres.close()


def test_with_several_threads(server, receiver):
    goes_on_after_kills(server(flags=["--threads", "3"]), receiver, 1)


def test_erasing_an_event_erases_its_copies(server, receiver):
    at = server()
    secret = "jane.roe@example.org"
    event = publish(at.api, data={"mail": secret})
    target = receiver(answer=lambda _: Reply(200, [("X-Echo", secret)], secret.encode()))
    made = [make(at.api, target) for _ in range(3)]
    for one in made:
        ended(at.api, backfill(at.api, one).expect(202).json)
    target.wait_for(3)
    rows = settled(at.api, 3)
    at.api.delete(f"/v1/events/{event}").expect(204)
    for row in rows:
        detail = at.api.get(f"/v1/deliveries/{row['id']}").expect(200).json
        assert detail["erased_at"] and secret not in str(detail)
        problem(at.api.post(f"/v1/deliveries/{row['id']}/retry"), 409)
    eventually(lambda: not any(secret.encode() in path.read_bytes() for path in at.data.glob("tenterhook.db*")), 10, "no trace")
    last = make(at.api, target)
    answer = backfill(at.api, last).expect(202).json
    assert answer["matched"] == 0 and answer["left_out"]["erased"] == 1


def test_an_unfinished_copy_holds_up_erasing_unless_it_is_cancelled(server, receiver):
    at = server()
    event = publish(at.api)
    made = make(at.api, receiver(), active=False)
    ended(at.api, backfill(at.api, made).expect(202).json)
    problem(at.api.delete(f"/v1/events/{event}"), 409)
    at.api.delete(f"/v1/events/{event}?cancel=true").expect(204)
    assert [row["status"] for row in at.api.get("/v1/deliveries").json["data"]] == ["cancelled"]


def test_the_store_is_sound_afterwards(server, receiver):
    at = server()
    publish_many(at.api, 40)
    made = make(at.api, receiver())
    ended(at.api, backfill(at.api, made).expect(202).json)
    settled(at.api, 40)
    at.stop()
    with sqlite3.connect(at.data / "tenterhook.db") as db:
        assert db.execute("SELECT count(*) FROM own WHERE id LIKE '~%'").fetchone() == (40,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
