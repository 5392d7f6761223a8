"""Publishing: what POST /v1/events promises, and what arrives at a receiver."""
import json
import re
import socket
import threading
import time

import pytest

from harness.client import raw
from harness.expect import deliveries, eventually, pointers, problem, settled
from harness.signature import verify

JSON = {"Content-Type": "application/json"}
RFC3339_MS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def event(**more):
    return {"type": "order.created", "data": {"order": 1}, **more}


def register(api, receiver, **more):
    return api.post("/v1/webhooks", {"url": receiver.url(), **more}).expect(201).json


def test_an_event_reaches_its_endpoint_signed(tenant, receiver):
    target = receiver()
    endpoint = register(tenant, target, events=["order.created"])
    answer = tenant.post("/v1/events", event()).expect(202).json
    assert answer["type"] == "order.created" and answer["deliveries"] == 1
    assert answer["tenant"] == tenant.tenant
    request = target.wait_for(1)[0]
    assert request.method == "POST" and request.target == "/hook"
    assert verify(endpoint["secret"], request) == answer["id"]
    body = json.loads(request.body)
    assert list(body) == ["type", "timestamp", "data"]
    assert body["type"] == "order.created" and body["data"] == {"order": 1}
    row = settled(tenant, 1)[0]
    detail = tenant.get(f"/v1/deliveries/{row['id']}").expect(200).json
    attempt = detail["attempts"][0]
    assert attempt["number"] == 1 and attempt["status"] == 200


def test_data_is_not_changed_by_one_byte(tenant, receiver):
    target = receiver()
    register(tenant, target)
    data = '{ "n":1.10,"big":123456789012345678901234567890,"e":1E+2 ,"u":"\\u00e9\\/é","dup":1,"dup":2,"z":[ ] }'
    tenant.post("/v1/events", ('{"type":"a.b","data":' + data + "}").encode(), headers=JSON).expect(202)
    assert data.encode() in target.wait_for(1)[0].body


def test_only_matching_endpoints_get_an_event(tenant, receiver):
    exact, prefix, everything, other = receiver(), receiver(), receiver(), receiver()
    register(tenant, exact, events=["order.created"])
    register(tenant, prefix, events=["order.*"])
    register(tenant, everything, events=[])
    register(tenant, other, events=["order", "invoice.*"])
    assert tenant.post("/v1/events", event()).expect(202).json["deliveries"] == 3
    for target in (exact, prefix, everything):
        target.wait_for(1)
    settled(tenant, 3)
    assert other.requests == []


def test_another_tenant_sees_nothing(shared, tenant, receiver):
    target = receiver()
    register(tenant, target)
    made = tenant.post("/v1/events", event()).expect(202).json
    row = settled(tenant, 1)[0]
    stranger = shared.api.as_tenant("stranger")
    shared.api.put("/v1/tenants/stranger", {"name": "S", "dialect": "standard"}).expect(201)
    assert stranger.post("/v1/events", event()).expect(202).json["deliveries"] == 0
    problem(stranger.get(f"/v1/events/{made['id']}"), 404)
    problem(stranger.get(f"/v1/deliveries/{row['id']}"), 404)
    problem(stranger.post(f"/v1/deliveries/{row['id']}/retry"), 404)
    assert deliveries(stranger) == []
    assert len(target.requests) == 1


def test_operator_may_name_the_tenant_in_the_event(shared, tenant):
    made = shared.api.post("/v1/events", event(tenant=tenant.tenant)).expect(202).json
    assert made["tenant"] == tenant.tenant
    tenant.get(f"/v1/events/{made['id']}").expect(200)


def test_own_id_is_kept_and_unique(tenant, receiver):
    target = receiver()
    register(tenant, target)
    assert tenant.post("/v1/events", event(id="order-1_A")).expect(202).json["id"] == "order-1_A"
    assert target.wait_for(1)[0].header("webhook-id") == "order-1_A"
    problem(tenant.post("/v1/events", event(id="order-1_A")), 409)
    assert tenant.get("/v1/events/order-1_A").expect(200).json["id"] == "order-1_A"


def test_one_event_shows_its_deliveries(tenant, receiver):
    register(tenant, receiver())
    register(tenant, receiver())
    made = tenant.post("/v1/events", event()).expect(202).json
    settled(tenant, 2)
    shown = tenant.get(f"/v1/events/{made['id']}").expect(200).json
    assert shown["type"] == "order.created" and len(shown["deliveries"]) == 2


# ---- wrong input ----

@pytest.mark.parametrize("text, line, column", [
    (b'{"type":"a.b","data":}', 1, 22),
    (b'{\n "type": "a.b",\n "data": {x}\n}', 3, 11),
    (b'{"type":"a.b","data":{}} x', 1, 26),
])
def test_malformed_json_is_400_with_its_place(tenant, text, line, column):
    detail = problem(tenant.post("/v1/events", text, headers=JSON), 400)["detail"]
    assert f"line {line}" in detail and f"column {column}" in detail, detail


@pytest.mark.parametrize("text", [b"", b"{", b'{"type":"a\xff","data":{}}', b'{"type":"a","data":{"x":"\x01"}}',
                                  b'\xef\xbb\xbf{"type":"a","data":{}}', b'{"type":"a","data":01}'])
def test_what_is_no_json_is_400(tenant, text):
    problem(tenant.post("/v1/events", text, headers=JSON), 400)


def test_deep_nesting_is_refused(tenant):
    """The body nests at most 64 deep, so `data` at most 63."""
    for depth, status in ((63, 202), (64, 400), (100000, 400)):
        text = b'{"type":"a","data":' + b"[" * depth + b"]" * depth + b"}"
        tenant.post("/v1/events", text, headers=JSON).expect(status)
    assert len(tenant.pages("/v1/events")) == 1


@pytest.mark.parametrize("body, pointer", [
    ({"data": {}}, "/type"),
    ({"type": "a.b"}, "/data"),
    (event(nonsense=1), "/nonsense"),
    (event(type=7), "/type"),
    (event(type=""), "/type"),
    (event(type="a..b"), "/type"),
    (event(type="a b"), "/type"),
    (event(type="x" * 129), "/type"),
    (event(id="no.dots"), "/id"),
    (event(id=""), "/id"),
    (event(id="x" * 129), "/id"),
    (event(time="yesterday"), "/time"),
    (event(time="2026-02-30T00:00:00Z"), "/time"),
    (event(tenant=3), "/tenant"),
    (event(tenant=""), "/tenant"),
    (event(tenant="no.dots"), "/tenant"),
])
def test_invalid_values_are_named(tenant, body, pointer):
    assert pointer in pointers(tenant.post("/v1/events", body))


def test_all_faults_come_at_once(tenant):
    found = pointers(tenant.post("/v1/events", {"type": "a b", "data": {}, "one": 1, "two": 2}))
    assert {"/type", "/one", "/two"} <= set(found)


def test_a_list_is_no_event(tenant):
    problem(tenant.post("/v1/events", [event()]), 422)
    assert tenant.pages("/v1/events") == []


def test_too_large_data_is_413(tenant):
    limit = 256 * 1024
    tenant.post("/v1/events", event(data="x" * (limit - 2))).expect(202)  # with its quotes
    problem(tenant.post("/v1/events", event(data="x" * (limit - 1))), 413)


def test_too_large_body_is_413(shared):
    head = (f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shared.admin_key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {17 << 20}\r\n\r\n")
    assert b" 413 " in raw(shared.port, head.encode(), timeout_s=3).split(b"\r\n")[0]


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", None])
def test_other_media_types_are_415(tenant, media):
    problem(tenant.post("/v1/events", b'{"type":"a","data":{}}', headers={"Content-Type": media}), 415)


@pytest.mark.parametrize("name, values", [
    ("Authorization", ["Bearer {key}", "Bearer other"]), ("Tenterhook-Tenant", ["default", "operator"]),
    ("Content-Type", ["application/json", "application/json"]), ("Idempotency-Key", ["a1", "a2"])])
def test_a_field_that_says_one_thing_may_not_come_twice(shared, name, values):
    """Two parties that choose differently would see two requests."""
    fields = {"Host": ["x"], "Connection": ["close"], "Authorization": [f"Bearer {shared.admin_key}"],
              "Content-Type": ["application/json"], "Content-Length": ["21"],
              name: [value.format(key=shared.admin_key) for value in values]}
    head = "".join(f"{field}: {value}\r\n" for field, each in fields.items() for value in each)
    answer = raw(shared.port, f"POST /v1/events HTTP/1.1\r\n{head}\r\n".encode() + b'{"type":"a","data":1}')
    assert answer.startswith(b"HTTP/1.1 400 ") and f"{name.lower()} is given twice".encode() in answer, answer


@pytest.mark.parametrize("media", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_media_types_are_taken(tenant, media):
    tenant.post("/v1/events", b'{"type":"a","data":{}}', headers={"Content-Type": media}).expect(202)


# ---- idempotency keys ----

def test_same_key_and_body_give_the_first_answer(tenant, receiver):
    target = receiver()
    register(tenant, target)
    key = {"Idempotency-Key": "k1"}
    first = tenant.post("/v1/events", event(), headers=key).expect(202)
    assert first.header("Idempotency-Replayed") is None
    for form in ("k1", '"k1"'):
        again = tenant.post("/v1/events", event(), headers={"Idempotency-Key": form}).expect(202)
        assert again.header("Idempotency-Replayed") == "true"
        assert again.json == first.json
    tenant.post("/v1/events", event(id="last")).expect(202)
    target.wait_for(lambda requests: any(r.header("webhook-id") == "last" for r in requests))
    assert target.ids().count(first.json["id"]) == 1


def test_same_key_with_another_body_is_422(tenant):
    key = {"Idempotency-Key": "k2"}
    tenant.post("/v1/events", event(), headers=key).expect(202)
    problem(tenant.post("/v1/events", event(data={"order": 2}), headers=key), 422)


def test_keys_are_apart_by_tenant(shared, tenant):
    key = {"Idempotency-Key": "k3"}
    mine = tenant.post("/v1/events", event(), headers=key).expect(202).json
    other = shared.api.post("/v1/events", event(), headers=key).expect(202).json
    assert mine["id"] != other["id"]


def test_many_at_once_with_one_key_make_one_event(tenant, receiver):
    target = receiver()
    register(tenant, target)
    answers = []

    def post():
        answers.append(tenant.post("/v1/events", event(), headers={"Idempotency-Key": "race"}))
        tenant.close()

    threads = [threading.Thread(target=post) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} <= {202, 409}
    ids = {answer.json["id"] for answer in answers if answer.status == 202}
    assert len(ids) == 1
    assert len(tenant.pages("/v1/events")) == 1


def test_a_key_survives_a_restart(server):
    running = server()
    key = {"Idempotency-Key": "before"}
    first = running.api.post("/v1/events", event(), headers=key).expect(202).json
    batch = running.api.post("/v1/events/batch", [event(), event()], headers={"Idempotency-Key": "b"}).expect(202).json
    running.kill()
    running.start()
    again = running.api.post("/v1/events", event(), headers=key).expect(202)
    assert again.json == first and again.header("Idempotency-Replayed") == "true"
    problem(running.api.post("/v1/events", event(data=0), headers=key), 422)
    again = running.api.post("/v1/events/batch", [event(), event()], headers={"Idempotency-Key": "b"}).expect(202)
    assert again.json == batch


def test_a_refused_request_does_not_use_up_its_key(tenant):
    key = {"Idempotency-Key": "k4"}
    pointers(tenant.post("/v1/events", event(nonsense=1), headers=key))
    tenant.post("/v1/events", event(), headers=key).expect(202)


# ---- batches ----

def test_a_batch_of_1000(tenant, receiver):
    target = receiver()
    register(tenant, target)
    rows = tenant.post("/v1/events/batch", [event(data={"n": n}) for n in range(1000)]).expect(202).json
    assert len(rows) == 1000 and len({row["id"] for row in rows}) == 1000
    target.wait_for(1000, timeout_s=60)
    numbers = sorted(json.loads(request.body)["data"]["n"] for request in target.requests)
    assert numbers == list(range(1000))


def test_a_batch_of_1001_is_refused(tenant):
    problem(tenant.post("/v1/events/batch", [event()] * 1001), 422)
    assert tenant.pages("/v1/events") == []


def test_an_empty_batch_is_refused(tenant):
    problem(tenant.post("/v1/events/batch", []), 422)


def test_a_batch_that_makes_too_many_deliveries_is_413(tenant):
    for number in range(263):
        tenant.post("/v1/webhooks", {"url": f"http://127.0.0.1:9999/{number}", "active": False}).expect(201)
    detail = problem(tenant.post("/v1/events/batch", [event()] * 1000), 413)["detail"]
    assert "262144 deliveries" in detail and "publish fewer events at once" in detail
    assert tenant.pages("/v1/events") == []
    assert [made["deliveries"] for made in tenant.post("/v1/events/batch", [event()] * 2).expect(202).json] == [263] * 2


@pytest.mark.parametrize("bad, status", [({"type": "a b", "data": {}}, 422), (event(id="x1"), 409)])
def test_a_batch_is_all_or_none(tenant, bad, status):
    tenant.post("/v1/events", event(id="x1")).expect(202)
    answer = tenant.post("/v1/events/batch", [event(), event(), bad])
    problem(answer, status)
    if status == 422:
        assert "/2/type" in pointers(answer)
    assert [row["id"] for row in tenant.pages("/v1/events")] == ["x1"]


# ---- lists ----

def test_lists_are_newest_first_and_page_through(tenant):
    made = [tenant.post("/v1/events", event(type=f"t.{n % 2}")).expect(202).json["id"] for n in range(25)]
    assert [row["id"] for row in tenant.pages("/v1/events", limit=7)] == made[::-1]
    assert [row["id"] for row in tenant.pages("/v1/events?event_type=t.1", limit=3)] == made[1::2][::-1]
    first = tenant.get("/v1/events?limit=2").expect(200).json
    assert len(first["data"]) == 2 and first["next_cursor"]
    assert RFC3339_MS.fullmatch(first["data"][0]["time"])


def test_time_filters(tenant):
    ids = []
    for n in range(3):
        ids.append(tenant.post("/v1/events", event()).expect(202).json["id"])
        threading.Event().wait(0.02)
    rows = tenant.pages("/v1/events")
    middle = rows[1].get("created_at") or rows[1]["time"]
    assert [row["id"] for row in tenant.pages(f"/v1/events?since={middle}")] == ids[:0:-1]
    assert [row["id"] for row in tenant.pages(f"/v1/events?until={middle}")] == ids[:1]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=nonsense", "since=yesterday",
                                   "nonsense=1"])
def test_wrong_list_parameters_are_refused(tenant, query):
    problem(tenant.get(f"/v1/events?{query}"), 400)


def test_delivery_filters(tenant, receiver):
    good, bad = receiver(), receiver(answer=lambda _: 500)
    one, two = register(tenant, good), register(tenant, bad)
    made = tenant.post("/v1/events", event(type="a.b")).expect(202).json
    tenant.post("/v1/events", event(type="a.c")).expect(202)
    eventually(lambda: len(deliveries(tenant, status="delivered")) == 2)
    eventually(lambda: len(deliveries(tenant, status="retrying")) == 2)
    assert len(deliveries(tenant, endpoint=one["id"])) == 2
    assert {row["status"] for row in deliveries(tenant, endpoint=two["id"])} == {"retrying"}
    assert len(deliveries(tenant, event=made["id"])) == 2
    assert len(deliveries(tenant, event_type="a.c")) == 2
    assert len(deliveries(tenant, event_type="a.c", status="delivered")) == 1
    problem(tenant.get("/v1/deliveries?status=nonsense"), 400)


def test_pipelined_events_do_not_wait_for_the_clock(server):
    """What is read behind an answer goes to the store in the same turn of the loop, and not when something else wakes it."""
    running, count = server(), 60
    body = json.dumps(event()).encode()
    one = (f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running.api.key}\r\n"
           f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as peer:
        began, got = time.monotonic(), b""
        peer.sendall(one * count)
        while got.count(b"HTTP/1.1 202 ") < count:
            got += peer.recv(1 << 16)
        assert time.monotonic() - began < count * 0.1  # a wake-up by chance comes four times a second
