"""Replay: finished deliveries again, oldest first, behind fresh events; dry run, progress, cancel, crash."""
import pytest

from harness.expect import deliveries, eventually, pointers, problem, settled
from harness.receiver import Reply

LONG_AGO = "2020-01-01T00:00:00Z"
SEVERAL_STEPS = 1500  # more than a replay queues ahead of a slow endpoint


def make(api, target, **more):
    return api.post("/v1/webhooks", {"url": target.url(), **more}).expect(201).json


def publish(api, kind="a.b", **more):
    return api.post("/v1/events", {"type": kind, "data": {}, **more}).expect(202).json


def publish_many(api, count, kind="a.b"):
    ids = []
    for start in range(0, count, 500):
        batch = [{"type": kind, "data": n} for n in range(start, min(start + 500, count))]
        ids += [row["id"] for row in api.post("/v1/events/batch", batch).expect(202).json]
    return ids


def replay(api, made, **more):
    return api.post(f"/v1/webhooks/{made['id']}/replay", {"since": LONG_AGO, **more})


def state(api, started):
    return api.get(f"/v1/replays/{started['id']}").expect(200).json


def ended(api, started, want="done", timeout_s=30):
    return eventually(lambda: state(api, started)["state"] == want and state(api, started), timeout_s, f"replay {want}")


def all_settled(api, count, timeout_s=60):
    """Waits until `count` deliveries exist and none is unfinished."""
    def look():
        unfinished = any(deliveries(api, status=name, limit=1) for name in ("pending", "retrying", "held"))
        return not unfinished and len(api.pages("/v1/deliveries", 1000)) == count
    eventually(look, timeout_s, f"{count} deliveries settled")


# ---- what is matched ----

def test_a_replay_sends_all_again_oldest_first(tenant, receiver):
    target = receiver()
    made = make(tenant, target, max_in_flight=1)
    ids = publish_many(tenant, 40)
    target.wait_for(40)
    settled(tenant, 40)
    started = replay(tenant, made).expect(202)
    assert started.json["matched"] == 40 and started.json["id"].startswith("rpl_")
    assert started.header("Location") == f"/v1/replays/{started.json['id']}"
    target.wait_for(80)
    assert target.ids()[40:] == ids
    done = ended(tenant, started.json)
    assert {"endpoint": made["id"], "matched": 40, "queued": 40, "progress": 1, "event_types": []}.items() <= done.items()
    assert done["status"] == ["delivered", "failed", "cancelled"]
    assert done["created_at"] <= done["updated_at"] and done["since"] == "2020-01-01T00:00:00.000Z"
    rows = settled(tenant, 40)
    assert {row["attempt_count"] for row in rows} == {2}


def test_a_dry_run_counts_and_sends_nothing(tenant, receiver):
    target = receiver()
    made, other = make(tenant, target, events=["a.*"]), make(tenant, target, events=["b.*"])
    for kind in ("a.one", "a.one", "a.two", "b.one"):
        publish(tenant, kind)
    settled(tenant, 4)
    between = tenant.get("/v1/events").json["data"][1]["created_at"]  # of a.two
    for matched, more in ((3, {}), (2, {"event_types": ["a.one"]}), (3, {"event_types": ["a.one", "a.two", "b.one"]}),
                          (0, {"event_types": ["b.one"]}), (3, {"status": "delivered"}), (0, {"status": "failed"}),
                          (3, {"status": ["failed", "delivered"]}), (0, {"status": ["cancelled"]}), (3, {"status": None}),
                          (3, {"event_types": []}), (0, {"since": "2999-01-01T00:00:00Z"}), (0, {"until": "2020-01-02T00:00:00Z"}),
                          (3, {"until": None})):
        answer = replay(tenant, made, dry_run=True, **more).expect(202).json
        assert answer == {"id": None, "matched": matched, "delivered": matched, "failed": 0, "cancelled": 0, "unfinished": 0,
                          "dry_run": True}, more
    assert replay(tenant, made, dry_run=True, until=between).json["matched"] < 3
    assert replay(tenant, other, dry_run=True).json["matched"] == 1
    assert len(target.requests) == 4
    assert {row["attempt_count"] for row in deliveries(tenant)} == {1}


def test_only_the_types_that_are_named(tenant, receiver):
    target = receiver()
    made = make(tenant, target)
    for kind in ("a.one", "a.two", "a.three", "a.one"):
        publish(tenant, kind)
    settled(tenant, 4)
    assert replay(tenant, made, event_types=["a.one", "a.three"]).expect(202).json["matched"] == 3
    target.wait_for(7)
    counts = {row["event_type"]: row["attempt_count"] for row in settled(tenant, 4)}
    assert counts == {"a.one": 2, "a.two": 1, "a.three": 2}


def test_failed_deliveries_only(shared, receiver):
    """In the dialect tiro a 4xx ends a delivery at once."""
    shared.api.put("/v1/tenants/replay-tiro", {"name": "t", "dialect": "tiro"}).expect(201)
    api = shared.api.as_tenant("replay-tiro")
    target = receiver(lambda request: 400 if b'"bad"' in request.body else 200)
    made = make(api, target, events=["note.created"])
    for n in ("good", "bad", "good", "bad"):
        publish(api, "note.created", resource_id=n)
    settled(api, 2, "failed")
    target.answer = None
    assert replay(api, made, status="failed").expect(202).json["matched"] == 2
    target.wait_for(6)
    assert sorted(row["attempt_count"] for row in settled(api, 4)) == [1, 1, 2, 2]


def test_what_is_unfinished_is_not_matched(tenant, receiver):
    target = receiver(lambda _: 500)
    made = make(tenant, target)
    publish(tenant)
    settled(tenant, 1, "retrying")
    assert replay(tenant, made).expect(202).json["matched"] == 0


def test_tests_are_not_matched(tenant, receiver):
    target = receiver()
    made = make(tenant, target)
    tenant.post(f"/v1/webhooks/{made['id']}/test").expect(202)
    settled(tenant, 1, include_tests="true")
    assert replay(tenant, made, dry_run=True).expect(202).json["matched"] == 0


def test_a_replay_of_nothing_is_done(tenant, receiver):
    made = make(tenant, receiver())
    done = ended(tenant, replay(tenant, made).expect(202).json)
    assert (done["matched"], done["queued"], done["progress"]) == (0, 0, 1)


# ---- its place ----

def test_fresh_events_go_first(tenant, receiver):
    target = receiver()
    made = make(tenant, target, max_in_flight=1)
    publish_many(tenant, 100)
    settled(tenant, 100)
    target.answer = lambda _: Reply(delay_s=0.02)
    replay(tenant, made).expect(202)
    target.wait_for(105)
    fresh = publish_many(tenant, 5, "fresh")
    so_far = len(target.requests)
    target.wait_for(205, 60)
    places = [target.ids().index(one) for one in fresh]
    # Behind what was under way; every 16th turn is the replay's all the same.
    assert so_far < 195 and places == sorted(places) and max(places) < so_far + 10, (so_far, places)


def test_a_paused_endpoint_gets_it_later(tenant, receiver):
    target = receiver()
    made = make(tenant, target)
    publish(tenant)
    settled(tenant, 1)
    tenant.patch(f"/v1/webhooks/{made['id']}", {"active": False}).expect(200)
    replay(tenant, made).expect(202)
    settled(tenant, 1, "held")
    assert len(target.requests) == 1
    tenant.patch(f"/v1/webhooks/{made['id']}", {"active": True}).expect(200)
    target.wait_for(2)


def test_a_failing_replay_follows_the_schedule(tenant, receiver):
    target = receiver()
    made = make(tenant, target)
    publish(tenant)
    settled(tenant, 1)
    target.answer = lambda _: 500
    replay(tenant, made).expect(202)
    row = eventually(lambda: [row for row in deliveries(tenant) if row["attempt_count"] == 2])[0]
    assert row["status"] == "retrying" and row["next_attempt_at"] > row["last_attempt"]["time"]


# ---- cancel ----

def slow_replay(api, receiver):
    """A replay in the middle of its work: most of what it matched is not queued yet."""
    target = receiver()
    made = make(api, target, max_in_flight=1)
    publish_many(api, SEVERAL_STEPS)
    all_settled(api, SEVERAL_STEPS)
    target.answer = lambda _: Reply(delay_s=0.005)
    started = replay(api, made).expect(202).json
    assert started["matched"] == SEVERAL_STEPS
    target.wait_for(SEVERAL_STEPS + 20, 30)
    return target, made, started


def test_cancel_stops_queueing(tenant, receiver):
    target, made, started = slow_replay(tenant, receiver)
    running = state(tenant, started)
    assert running["state"] == "running" and 0 < running["queued"] < SEVERAL_STEPS
    assert 0 < running["progress"] < 1
    tenant.delete(f"/v1/replays/{started['id']}").expect(204)
    stopped = state(tenant, started)
    assert stopped["state"] == "cancelled"
    target.answer = None
    all_settled(tenant, SEVERAL_STEPS)
    last = state(tenant, started)
    assert last["state"] == "cancelled" and last["queued"] < SEVERAL_STEPS
    # A step under way when the request came is still counted.
    assert len(target.requests) == SEVERAL_STEPS + last["queued"]
    tenant.delete(f"/v1/replays/{started['id']}").expect(204)  # again: it is stopped, as asked
    assert replay(tenant, made, dry_run=True).json["matched"] == SEVERAL_STEPS


def test_cancel_of_an_ended_one_changes_nothing(tenant, receiver):
    made = make(tenant, receiver())
    started = replay(tenant, made).expect(202).json
    ended(tenant, started)
    tenant.delete(f"/v1/replays/{started['id']}").expect(204)
    assert state(tenant, started)["state"] == "done"


def test_a_cancel_survives_kill_9(server, receiver):
    running = server()
    target, _, started = slow_replay(running.api, receiver)
    running.api.delete(f"/v1/replays/{started['id']}").expect(204)
    running.kill()
    running.start()
    assert state(running.api, started)["state"] == "cancelled"
    target.answer = None
    all_settled(running.api, SEVERAL_STEPS)
    assert len(target.requests) < 2 * SEVERAL_STEPS


def test_deleting_the_endpoint_ends_it(tenant, receiver):
    _, made, started = slow_replay(tenant, receiver)
    tenant.delete(f"/v1/webhooks/{made['id']}").expect(204)
    done = ended(tenant, started, "cancelled")
    assert done["endpoint"] == made["id"] and done["queued"] < SEVERAL_STEPS
    problem(replay(tenant, made), 404)


# ---- crash ----

def test_it_goes_on_after_kill_9(server, receiver):
    running = server()
    target, made, started = slow_replay(running.api, receiver)
    eventually(lambda: state(running.api, started)["queued"] > 512, 20)
    running.kill()
    running.start()
    shown = state(running.api, started)
    assert shown["state"] == "running" and shown["matched"] == SEVERAL_STEPS
    target.answer = None
    done = ended(running.api, started, timeout_s=60)
    assert done["queued"] <= SEVERAL_STEPS
    all_settled(running.api, SEVERAL_STEPS)
    counts = {}
    for name in target.ids():
        counts[name] = counts.get(name, 0) + 1
    assert len(counts) == SEVERAL_STEPS and min(counts.values()) == 2
    # Requests in flight and at most one step, committed without the job's own row, come once more.
    assert sum(count > 2 for count in counts.values()) <= 256 + 1


def test_it_is_remembered_after_a_stop(server, receiver):
    running = server()
    target = receiver()
    made = make(running.api, target)
    publish(running.api)
    settled(running.api, 1)
    started = replay(running.api, made, event_types=["a.b"]).expect(202).json
    done = ended(running.api, started)
    eventually(lambda: len(target.requests) == 2)
    settled(running.api, 1)
    assert running.stop() == 0
    running.start()
    assert state(running.api, started) == done
    again = replay(running.api, made).expect(202).json
    assert again["id"] != started["id"]


# ---- the frame ----

def test_idempotency_key(server, receiver):
    running = server()
    target = receiver()
    api = running.api
    made = make(api, target)
    publish(api)
    settled(api, 1)
    path, key = f"/v1/webhooks/{made['id']}/replay", {"Idempotency-Key": "once"}
    first = api.post(path, {"since": LONG_AGO}, headers=key).expect(202)
    ended(api, first.json)
    target.wait_for(2)
    settled(api, 1)
    for _ in range(2):
        again = api.post(path, {"since": LONG_AGO}, headers=key).expect(202)
        assert again.json == first.json and again.header("Idempotency-Replayed") == "true"
        assert again.header("Location") == first.header("Location")
        problem(api.post(path, {"since": "2021-01-01T00:00:00Z"}, headers=key), 422)
        running.kill()
        running.start()
        api = running.api
    assert len(target.requests) == 2


@pytest.mark.parametrize("body, pointer", [
    ({}, "/since"), ({"since": None}, "/since"), ({"since": "yesterday"}, "/since"), ({"since": 5}, "/since"),
    ({"since": LONG_AGO, "until": LONG_AGO}, "/until"), ({"since": LONG_AGO, "until": "x"}, "/until"),
    ({"since": LONG_AGO, "status": "pending"}, "/status"), ({"since": LONG_AGO, "status": ["failed", "held"]}, "/status"),
    ({"since": LONG_AGO, "status": 5}, "/status"), ({"since": LONG_AGO, "status": {}}, "/status"),
    ({"since": LONG_AGO, "event_types": ["a b"]}, "/event_types"), ({"since": LONG_AGO, "event_types": "a.b"}, "/event_types"),
    ({"since": LONG_AGO, "event_types": ["a"] * 65}, "/event_types"),
    ({"since": LONG_AGO, "dry_run": "yes"}, "/dry_run"), ({"since": LONG_AGO, "nonsense": 1}, "/nonsense"),
])
def test_invalid_requests(tenant, receiver, body, pointer):
    made = make(tenant, receiver())
    assert pointers(tenant.post(f"/v1/webhooks/{made['id']}/replay", body)) == [pointer]


def test_keys_and_tenants(shared, tenant, receiver):
    made = make(tenant, receiver())
    started = replay(tenant, made).expect(202).json
    path = f"/v1/replays/{started['id']}"
    default = shared.api.as_tenant("default")
    assert default.get(path).status == 404 == default.delete(path).status
    problem(replay(default, made), 404)
    problem(tenant.get("/v1/replays/rpl_nonsense"), 404)
    keys = {scope: tenant.with_key(shared.api.post(f"/v1/tenants/{tenant.tenant}/keys", {"scopes": [scope]}).expect(201).json["key"])
            for scope in ("webhooks:read", "webhooks:manage", "events:publish")}
    assert keys["webhooks:read"].get(path).status == 200 == keys["webhooks:manage"].get(path).status
    problem(keys["events:publish"].get(path), 403)
    for scope, status in (("webhooks:read", 403), ("events:publish", 403), ("webhooks:manage", 204)):
        assert keys[scope].delete(path).status == status
    problem(keys["webhooks:read"].post(f"/v1/webhooks/{made['id']}/replay", {"since": LONG_AGO}), 403)
    keys["webhooks:manage"].post(f"/v1/webhooks/{made['id']}/replay", {"since": LONG_AGO}).expect(202)


def test_two_replays_at_once(tenant, receiver):
    """Of one endpoint: nothing is lost, and both end."""
    target = receiver()
    made = make(tenant, target)
    publish_many(tenant, 50)
    settled(tenant, 50)
    both = [replay(tenant, made).expect(202).json for _ in range(2)]
    for started in both:
        ended(tenant, started)
    all_settled(tenant, 50)
    assert 100 <= len(target.requests) <= 150


def test_a_tenant_has_few_at_a_time(tenant, receiver):
    """A replay of a paused endpoint with much to do does not end."""
    target = receiver()
    made = make(tenant, target)
    publish_many(tenant, 1000)
    all_settled(tenant, 1000)
    tenant.patch(f"/v1/webhooks/{made['id']}", {"active": False}).expect(200)
    started = [replay(tenant, made).expect(202).json for _ in range(8)]
    assert {state(tenant, one)["state"] for one in started} == {"running"}
    assert problem(replay(tenant, made), 429)["limit"] == "replays"
    for one in started:
        tenant.delete(f"/v1/replays/{one['id']}").expect(204)
    replay(tenant, made).expect(202)


def test_the_document_has_the_routes(shared):
    paths = shared.api.get("/openapi.json").expect(200).json["paths"]
    assert set(paths["/v1/replays/{id}"]) >= {"get", "delete"} and "post" in paths["/v1/webhooks/{id}/replay"]
