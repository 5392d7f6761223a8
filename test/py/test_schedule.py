"""When a delivery is tried again, when an event is sent first and until when: what endpoints and publishers may say about it."""
import json
import sqlite3
import time

import pytest

from harness.client import Api
from harness.expect import eventually, problem, settled
from harness.receiver import Reply


@pytest.fixture
def sink(receiver):
    return receiver()


def register(api, target, **more):
    return api.post("/v1/webhooks", {"url": target.url(), **more}).expect(201).json


def publish(api, type="order.created", **more):
    return api.post("/v1/events", {"type": type, "data": {"n": 1}, **more}).expect(202).json


def fault(answer, pointer):
    """The text of the one fault, which has this pointer."""
    errors = problem(answer, 422)["errors"]
    assert [e["pointer"] for e in errors] == [pointer]
    return errors[0]["detail"]


def only_delivery(api, event):
    (row,) = api.get(f"/v1/events/{event['id']}").expect(200).json["deliveries"]
    return api.get(f"/v1/deliveries/{row['id']}").expect(200).json


# ---- an endpoint's own schedule ----

def test_an_endpoint_has_its_own_schedule(tenant, receiver):
    sink = receiver(answer=lambda request: Reply(503))
    made = register(tenant, sink, retry={"delays": [1, "1m", "2h"], "jitter_percent": 0})
    assert made["retry"] == {"delays": [1, 60, 7200], "jitter_percent": 0}
    assert "retry" not in register(tenant, sink, active=False, events=["other"])
    event = publish(tenant)
    eventually(lambda: only_delivery(tenant, event)["attempt_count"] == 2 or None)
    shown = only_delivery(tenant, event)
    assert shown["schedule"] == {"delays": [1, 60, 7200], "jitter_percent": 0, "final": [], "respect_retry_after": True}
    assert shown["tries"] == 2 and shown["status"] == "retrying" and shown["next_attempt_at"]
    first, second = [request.mono for request in sink.requests]
    assert 0.95 <= second - first < 3
    path = f"/v1/webhooks/{made['id']}"
    # RFC 7396: member by member; null takes one back
    changed = tenant.patch(path, {"retry": {"final": ["4xx", 500], "jitter_percent": None}}).expect(200).json
    assert changed["retry"] == {"delays": [1, 60, 7200], "final": ["4xx", "500"]}
    assert "retry" not in tenant.patch(path, {"retry": None}).expect(200).json
    assert "schedule" not in only_delivery(tenant, event)


@pytest.mark.parametrize("retry, pointer, words", [
    ({"delays": [5, 0]}, "/retry/delays/1", "from 1 to 31536000"),
    ({"delays": "5"}, "/retry/delays", "list"),
    ({"delays": [1] * 33}, "/retry/delays", "32"),
    ({"delays": ["31d", "1d"]}, "/retry/delays", "2592000"),
    ({"final": ["4xx", "2xx"]}, "/retry/final/1", "delivered"),
    ({"final": ["9xx"]}, "/retry/final/0", "400-499"),
    ({"jitter_percent": 101}, "/retry/jitter_percent", "0 to 100"),
    ({"respect_retry_after": "yes"}, "/retry/respect_retry_after", "true or false"),
    ({"delay": [5]}, "/retry", "respect_retry_after"),
    ([5], "/retry", "object"),
])
def test_a_schedule_that_is_not_allowed_says_where(tenant, sink, retry, pointer, words):
    assert words in fault(tenant.post("/v1/webhooks", {"url": sink.url(), "retry": retry}), pointer)


def test_a_dialect_that_fixes_its_schedule_says_so(shared, sink):
    shared.api.put("/v1/tenants/fixed", {"dialect": "stripe"}).expect(201)
    api = shared.api.as_tenant("fixed")
    assert "contract" in problem(api.post("/v1/webhooks", {"url": sink.url(), "events": ["charge.succeeded"], "retry": {"delays": [5]}},
                                          headers={"Tenterhook-Form": "native"}), 422)["errors"][-1]["detail"]


def test_a_schedule_on_the_command_line_moves_with_its_endpoint(cli, tmp_path):
    made = cli("endpoints", "create", "https://example.com/hook", "--retry", '{"delays": ["5m"]}', "--json").expect(0).json
    assert made["retry"] == {"delays": [300]}
    assert "2592000" in cli("endpoints", "update", made["id"], "--retry", '{"delays": ["300d"]}').expect(1).err
    assert "JSON" in cli("endpoints", "update", made["id"], "--retry", "5m").expect(64).err
    file = tmp_path / "t.yaml"
    cli("export", "--to", file).expect(0)
    cli("endpoints", "update", made["id"], "--retry", "null").expect(0)
    cli("import", file).expect(0)
    assert cli("endpoints", "show", made["id"], "--json").expect(0).json["retry"] == {"delays": [300]}


# ---- deliver_at and expires_at ----

def at(seconds):
    """A time from now, as the API takes it."""
    moment = time.time() + seconds
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + ".%03dZ" % (moment % 1 * 1000)


def statuses(api, event):
    return [row["status"] for row in api.get(f"/v1/events/{event['id']}").expect(200).json["deliveries"]]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_an_event_is_sent_when_it_is_due_and_not_before(server, receiver, how):
    running, sink = server(), receiver()
    api = running.api
    register(api, sink)
    due = time.time() + 6
    event = publish(api, deliver_at=at(6), id="later-1")
    hour = publish(api, deliver_at=at(3600), expires_at=at(7200))
    shown = api.get(f"/v1/events/{hour['id']}").expect(200).json
    assert shown["deliver_at"] and shown["expires_at"]
    (row,) = shown["deliveries"]
    assert row["status"] == "scheduled" and row["next_attempt_at"] == shown["deliver_at"] and row["attempt_count"] == 0
    problem(api.post("/v1/events", {"type": "order.created", "data": 1, "id": "later-1", "deliver_at": at(6)}), 409)
    if how == "kill":
        running.kill()
    else:
        assert running.stop() == 0
    running.start()
    api = running.api
    assert statuses(api, event) == ["scheduled"] and sink.requests == []
    listed = api.get("/v1/deliveries?status=scheduled").expect(200).json["data"]
    assert {row["event"] for row in listed} == {event["id"], hour["id"]}
    assert api.get("/v1/deliveries?status=pending,held,retrying").expect(200).json["data"] == []
    (request,) = sink.wait_for(1)
    assert -0.05 <= request.at - due < 10
    eventually(lambda: statuses(api, event) == ["delivered"])
    assert api.post(f"/v1/events/{hour['id']}/cancel").expect(200).json == {"id": hour["id"], "cancelled": 1}
    assert statuses(api, hour) == ["cancelled"]
    assert api.post(f"/v1/events/{hour['id']}/cancel").expect(200).json["cancelled"] == 0
    problem(api.post(f"/v1/deliveries/{row['id']}/cancel"), 409)


def test_a_delayed_publish_is_repeated_safely(tenant, sink):
    register(tenant, sink)
    body = {"type": "order.created", "data": 1, "deliver_at": at(3600)}
    first = tenant.post("/v1/events", body, headers={"Idempotency-Key": "k"}).expect(202)
    again = tenant.post("/v1/events", body, headers={"Idempotency-Key": "k"}).expect(202)
    assert again.json == first.json and again.header("Idempotency-Replayed") == "true"
    (row,) = tenant.get(f"/v1/events/{first.json['id']}").expect(200).json["deliveries"]
    assert tenant.post(f"/v1/deliveries/{row['id']}/cancel").expect(200).json == {"id": row["id"], "cancelled": 1}


@pytest.mark.parametrize("fields, pointer, words", [
    (lambda: {"deliver_at": at(29.9 * 86400)}, "/deliver_at", "retention"),
    (lambda: {"deliver_at": at(40 * 86400), "expires_at": at(41 * 86400)}, "/deliver_at", "retention"),
    (lambda: {"expires_at": at(-5)}, "/expires_at", "past"),
    (lambda: {"deliver_at": at(100), "expires_at": at(100)}, "/expires_at", "later than deliver_at"),
    (lambda: {"deliver_at": "tomorrow"}, "/deliver_at", "RFC 3339"),
])
def test_times_that_cannot_be_kept_are_refused(tenant, fields, pointer, words):
    assert words in fault(tenant.post("/v1/events", {"type": "order.created", "data": 1, **fields()}), pointer)


def test_what_expires_is_not_sent_any_more(tenant, receiver):
    sink = receiver(answer=lambda request: Reply(503))
    register(tenant, sink, retry={"delays": [1, 60], "jitter_percent": 0})
    paused = register(tenant, sink, active=False)
    event = publish(tenant, expires_at=at(5))
    held = f"/v1/webhooks/{paused['id']}"
    eventually(lambda: sorted(statuses(tenant, event)) == ["failed", "held"])
    rows = {row["status"]: row for row in tenant.get(f"/v1/events/{event['id']}").expect(200).json["deliveries"]}
    assert rows["failed"]["reason"] == "expired" and rows["failed"]["attempt_count"] == 2
    time.sleep(5)
    tenant.patch(held, {"active": True}).expect(200)
    eventually(lambda: statuses(tenant, event) == ["failed", "failed"])
    assert {row["reason"] for row in tenant.get(f"/v1/events/{event['id']}").expect(200).json["deliveries"]} == {"expired"}
    assert len(sink.requests) == 2
    assert "expired" in problem(tenant.post(f"/v1/deliveries/{rows['failed']['id']}/retry"), 409)["detail"]
    assert len(tenant.get("/v1/deliveries?status=failed").expect(200).json["data"]) == 2


def test_an_event_is_delayed_and_cancelled_on_the_command_line(cli):
    cli("endpoints", "create", "https://example.com/hook").expect(0)
    sent = cli("send", "a.b", "{}", "--deliver-at", "2h", "--expires-at", "1d", "--json").expect(0).json
    assert "scheduled" in cli("events", "show", sent["id"]).expect(0).out
    (row,) = cli("deliveries", "list", "--status", "scheduled", "--json").expect(0).json["data"]
    assert 7100 < time.mktime(time.strptime(row["next_attempt_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.mktime(time.gmtime()) < 7300
    assert "cancelled: 1" in cli("deliveries", "cancel", row["id"]).expect(0).out
    assert "cancelled: 0" in cli("events", "cancel", sent["id"]).expect(0).out


# ---- health ----

def health(api, webhook):
    (row,) = api.get(f"/v1/endpoint-health?endpoint={webhook['id']}").expect(200).json["data"]
    return row


def test_first_attempts_are_counted_and_told_of(server, receiver):
    api = server().api
    answers = {"status": 500}
    sink, alarms = receiver(answer=lambda request: Reply(answers["status"])), receiver()
    api.as_tenant("operator").post("/v1/webhooks", {"url": alarms.url(), "events": ["endpoint.*"]}).expect(201)
    made = register(api, sink, retry={"delays": [1, 3600], "jitter_percent": 0})
    assert health(api, made)["first_attempts"] == {"count": 0, "failed": 0, "failed_percent": None}
    assert health(api, made)["disable_at"] is None
    for n in range(10):
        publish(api)
    (told,) = alarms.wait_for(1)
    data = json.loads(told.body)["data"]
    assert data["endpoint"] == made["id"] and (data["first_attempts"], data["failed"]) == (10, 10)
    row = eventually(lambda: health(api, made))
    assert row["first_attempts"] == {"count": 10, "failed": 10, "failed_percent": 100} and row["disable_at"] > row["failing_since"]
    sink.wait_for(20)  # retries change nothing in it
    answers["status"] = 200
    test = api.post(f"/v1/webhooks/{made['id']}/test", {}).expect(202)
    eventually(lambda: len(sink.requests) == 21)
    assert health(api, made)["first_attempts"]["count"] == 10 and len(alarms.requests) == 1, test
    for n in range(45):
        publish(api)
    eventually(lambda: len(alarms.requests) == 2)
    assert json.loads(alarms.requests[1].body)["data"]["reason"] == "healthy"
    assert health(api, made)["first_attempts"] == {"count": 55, "failed": 10, "failed_percent": 18}


@pytest.mark.parametrize("how", [None, "by_hand", "on_test"])
def test_no_test_enables_what_the_receiver_has_ended(server, receiver, how):
    api = server().api
    answers = {"status": 410}
    sink = receiver(answer=lambda request: Reply(answers["status"]))
    made = register(api, sink, **({"reenable": how} if how else {}))
    assert made.get("reenable") == ("on_test" if how == "on_test" else None)
    publish(api)
    path = f"/v1/webhooks/{made['id']}"
    eventually(lambda: api.get(path).json["disabled"])
    answers["status"] = 200
    api.post(path + "/test", {}).expect(202)
    sink.wait_for(2)
    time.sleep(0.5)
    assert api.get(path).json["disabled"]["reason"] == "gone"  # that is what the receiver wanted
    assert "by_hand" in fault(api.patch(path, {"reenable": "always"}), "/reenable")


# ---- retention of a tenant ----

def test_a_tenant_may_keep_its_events_for_a_shorter_time(server):
    running = server()
    api = running.api
    made = api.put("/v1/tenants/acme", {"retention_seconds": 7200}).expect(201).json
    assert made["retention_seconds"] == 7200
    assert "retention_seconds" not in api.get("/v1/tenants/default").expect(200).json
    for bad in (3599, 31 * 86400):
        assert "3600" in fault(api.put("/v1/tenants/acme", {"retention_seconds": bad}), "/retention_seconds")
    acme = api.as_tenant("acme")
    assert "retention" in fault(acme.post("/v1/events", {"type": "a.b", "data": 1, "deliver_at": at(7190)}), "/deliver_at")
    assert api.put("/v1/tenants/acme", {"name": "x"}).expect(200).json["retention_seconds"] == 7200
    assert "retention_seconds" not in api.put("/v1/tenants/acme", {"retention_seconds": None}).expect(200).json


def test_events_of_a_shorter_retention_are_deleted_between_others(server):
    """The rows are made old in the stopped database; the next start deletes what is too old of the one tenant alone."""
    running = server()
    api = running.api
    api.put("/v1/tenants/short", {"retention_seconds": 3600}).expect(201)
    api.put("/v1/tenants/long", {}).expect(201)
    events = {}
    for n in range(3):
        for tenant in ("short", "long"):
            of = api.as_tenant(tenant)
            if not n:
                of.post("/v1/webhooks", {"url": "http://127.0.0.1:65431/x", "active": False}).expect(201)
            events[tenant, n] = of.post("/v1/events", {"type": "a.b", "data": n, "id": f"e{n}"}).expect(202).json["id"]
    assert running.stop() == 0
    with sqlite3.connect(running.data / "tenterhook.db") as db:
        db.execute("update event set at = at - 3700000 where external_id in ('e0', 'e1')")
    running.start()
    api = running.api
    eventually(lambda: len(api.as_tenant("short").get("/v1/events").expect(200).json["data"]) == 1, timeout_s=120)
    assert len(api.as_tenant("short").get("/v1/deliveries").expect(200).json["data"]) == 1
    assert len(api.as_tenant("long").get("/v1/events").expect(200).json["data"]) == 3
    assert len(api.as_tenant("long").get("/v1/deliveries").expect(200).json["data"]) == 3


def test_the_retention_of_a_tenant_on_the_command_line_moves_with_it(cli, tmp_path):
    cli("tenants", "put", "acme", "--retention", "7d").expect(0)
    assert cli("tenants", "show", "acme", "--json").expect(0).json["retention_seconds"] == 604800
    file = tmp_path / "t.yaml"
    cli("export", "acme", "--to", file).expect(0)
    cli("tenants", "put", "acme", "--retention", "0").expect(0)
    assert "retention_seconds" not in cli("tenants", "show", "acme", "--json").expect(0).json
    cli("import", file).expect(0)
    assert cli("tenants", "show", "acme", "--json").expect(0).json["retention_seconds"] == 604800
    assert "604801" not in cli("tenants", "put", "acme", "--retention", "31d").expect(1).err
    assert "36h" in cli("tenants", "put", "acme", "--retention", "soon").expect(64).err
