"""Erasing what an event says: DELETE /v1/events/{id}, and of a tenant."""
import sqlite3
import subprocess
import sys
import time

import pytest

from harness.expect import deliveries, eventually, problem, settled
from harness.receiver import Reply

SECRET = "jane.roe@example.org"


def traces(at):
    """In how many bytes of the database and its log the content still is."""
    return sum(path.read_bytes().count(SECRET.encode()) for path in at.data.glob("tenterhook.db*"))


def publish(api, **more):
    return api.post("/v1/events", {"type": "a.b", "data": {"mail": SECRET, "filling": "x" * 3000}}, **more).expect(202).json["id"]


def hooked(api, receiver, **more):
    target = receiver(answer=lambda _: Reply(200, [("X-Echo", SECRET)], SECRET.encode()))
    made = api.post("/v1/webhooks", {"url": target.url(), **more}).expect(201).json
    return target, made


def test_the_content_goes_and_the_record_stays(server, receiver):
    at = server()
    api = at.api
    target, made = hooked(api, receiver)
    event = publish(api, headers={"Idempotency-Key": "k"})
    row = settled(api, 1)[0]
    before = api.get(f"/v1/deliveries/{row['id']}").json
    assert SECRET in str(before) and traces(at) >= 3
    for _ in range(2):  # a repetition changes nothing
        api.delete(f"/v1/events/{event}").expect(204)
    eventually(lambda: traces(at) == 0, 10, "no trace in the files")
    for _ in range(2):
        shown = api.get(f"/v1/events/{event}").expect(200)
        assert shown.json["data"] is None and shown.json["erased_at"] and shown.json["type"] == "a.b"
        detail = api.get(f"/v1/deliveries/{row['id']}").expect(200)
        assert SECRET not in str(shown.json) + str(detail.json)
        assert detail.json["status"] == "delivered" and detail.json["ended_at"] == before["ended_at"] and detail.json["erased_at"]
        attempt = detail.json["attempts"][0]
        assert attempt["request"] is None and attempt["response"]["status"] == 200 and attempt["outcome"] == "success"
        assert "erased" in problem(api.post(f"/v1/deliveries/{row['id']}/retry"), 409)["detail"]
        counted = api.post(f"/v1/webhooks/{made['id']}/replay", {"since": "2020-01-01T00:00:00Z", "dry_run": True}).json
        assert counted["matched"] == 0
        again = api.post("/v1/events", {"type": "a.b", "data": {"mail": SECRET, "filling": "x" * 3000}},
                         headers={"Idempotency-Key": "k"})
        assert again.status == 409, again
        at.stop()
        at.start()
        api = at.api
    assert len(target.requests) == 1


def test_unfinished_deliveries_are_a_conflict_unless_cancelled(server, receiver):
    at = server()
    api = at.api
    target, made = hooked(api, receiver, active=False)
    event = publish(api)
    assert "cancel=true" in problem(api.delete(f"/v1/events/{event}"), 409)["detail"]
    assert api.get(f"/v1/events/{event}").json["data"]["mail"] == SECRET
    api.delete(f"/v1/events/{event}?cancel=true").expect(204)
    settled(api, 1, status="cancelled")
    api.patch(f"/v1/webhooks/{made['id']}", {"active": True}).expect(200)
    time.sleep(0.5)
    assert target.requests == []
    eventually(lambda: traces(at) == 0, 10, "no trace in the files")
    problem(api.delete("/v1/events/msg_00000000000000000000000000"), 404)
    problem(api.delete(f"/v1/events/{event}?cancel=yes"), 400)


def test_an_answer_that_comes_after_it_is_not_kept(server, receiver):
    at = server()
    go = []

    def answer(_):
        eventually(lambda: go)
        return Reply(200, [("X-Echo", SECRET)], SECRET.encode())

    target = receiver(answer=answer)
    at.api.post("/v1/webhooks", {"url": target.url()}).expect(201)
    event = publish(at.api)
    target.wait_for(1)
    at.api.delete(f"/v1/events/{event}?cancel=true").expect(204)
    go.append(True)
    row = settled(at.api, 1, status="cancelled")[0]
    eventually(lambda: at.api.get(f"/v1/deliveries/{row['id']}").json["attempts"])
    assert SECRET not in str(at.api.get(f"/v1/deliveries/{row['id']}").json)
    at.stop()
    assert traces(at) == 0


def test_a_kill_half_way_is_gone_on_with(server, receiver):
    """What was begun is found at the next start, however far it had come."""
    at = server()
    hooked(at.api, receiver)
    event = publish(at.api)
    settled(at.api, 1)
    at.kill()
    with sqlite3.connect(at.data / "tenterhook.db") as db:  # as the first step leaves it
        no, first, at_ms = db.execute("select no, first, at from event").fetchone()
        db.execute("update event set data = null")
        db.execute("insert into erasure(event, at, pos) values(?, ?, ?)", (no, at_ms, first))
    at.start()
    eventually(lambda: traces(at) == 0, 10, "no trace in the files")
    assert at.api.get(f"/v1/events/{event}").json["erased_at"]


def test_a_kill_before_the_log_is_cut_off(server):
    """204 was answered, a reader was in the way of the log, and then both die: the next start cuts it off."""
    at = server()
    event = publish(at.api)
    reads = "import sqlite3, sys, time; db = sqlite3.connect(sys.argv[1]); db.execute('begin');" \
            "db.execute('select count(*) from event').fetchall(); print(flush=True); time.sleep(60)"
    reader = subprocess.Popen([sys.executable, "-c", reads, at.data / "tenterhook.db"], stdout=subprocess.PIPE)
    try:
        reader.stdout.readline()
        at.api.delete(f"/v1/events/{event}").expect(204)
        at.kill()
    finally:
        reader.kill()
        reader.wait()
        reader.stdout.close()
    assert traces(at) > 0
    at.start()
    assert traces(at) == 0


def test_a_tenants_content_goes_only_when_asked(server, receiver):
    at = server()
    for tenant in ("kept", "gone"):
        at.api.put(f"/v1/tenants/{tenant}", {"name": tenant, "dialect": "standard"}).expect(201)
        api = at.api.as_tenant(tenant)
        hooked(api, receiver)
        for _ in range(5):
            publish(api)
        settled(api, 5)
    at.api.delete("/v1/tenants/kept").expect(204)
    time.sleep(0.5)
    at.api.delete("/v1/tenants/gone?erase=true").expect(204)  # a walk over all that is to be erased begins
    with sqlite3.connect(f"file:{at.data}/tenterhook.db?mode=ro", uri=True) as db:
        def left():
            return [db.execute(f"select count(*) from {what}").fetchone()[0] for what in ("event where data is null", "event where data is not null",
                                                                                          "attempt where body is null", "attempt where body is not null")]
        eventually(lambda: left() == [5] * 4)
        at.kill()
        at.start()  # and another one
        at.api.get("/v1/tenants").expect(200)
        time.sleep(1)
        assert left() == [5] * 4
    assert traces(at) >= 5


def test_it_needs_the_scope_and_is_audited(server, receiver):
    at = server()
    event = publish(at.api)
    key = at.api.post("/v1/tenants/default/keys", {"scopes": ["webhooks:read", "events:publish"]}).json["key"]
    problem(at.api.with_key(key).delete(f"/v1/events/{event}"), 403)
    at.api.delete(f"/v1/events/{event}").expect(204)
    assert "eraseEvent" in at.text()
