"""The management API in each dialect's own form, and the rules about endpoints and secrets that a dialect has."""
import hashlib
import hmac
import json
import re
import time

import pytest

from harness.client import Api
from harness.dialects import ADDRESSES, DIALECTS, World, development, fast, production, secure  # noqa: F401 (fixtures)
from harness.expect import eventually, problem
from harness.receiver import Reply
from harness.schema import document, faults, valid

JSON, PROBLEM = "application/json", "application/problem+json"
LOCAL = "http://127.0.0.1:9999/hook"
HTTPS = "https://hooks.example.com/x"


def hexdigest(secret, content):
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def bare(server, dialect):
    """A client without a key whose requests go to the dialect's host name."""
    api = Api(server.port)
    return lambda method, path, body=None, **fields: api.request(method, path, body, {"Host": f"{dialect}.example", **fields})


# ---- tsanet: the OpenAPI documents, word for word ----

class Tsanet:
    """A subscription and every call of the four documents, each answer held against the strict schema."""

    BAD = {400, 401, 403, 404, 405, 409, 412, 415, 422}

    def __init__(self, api):
        self.api = api

    def call(self, method, path, body=None, schema=None, status=200, media=JSON, **fields):
        answer = self.api.request(method, path, body, fields).expect(status)
        if status == 204:
            assert answer.body == b"" and answer.header("Content-Type") is None
            return None
        assert answer.header("Content-Type") == media
        return valid(answer.json, "tsanet", "ErrorResponse" if status in self.BAD else schema)

    def create(self, body, status=200, **more):
        return self.call("POST", "/v1/webhooks", body, "WebhookSubscriptionResponseDTO", status, **more)

    def list(self, status=200, **more):
        return self.call("GET", "/v1/webhooks", None, "list", status, **more)

    def log(self, number, query="", status=200, **more):
        return self.call("GET", f"/v1/webhooks/{number}/deliveries{query}", None, "WebhookDeliveryLogPageDTO", status, **more)

    def delete(self, number, status=204, **more):
        return self.call("DELETE", f"/v1/webhooks/{number}", None, None, status, **more)


def tsanet(server):
    world = World(server, "tsanet")
    return world, Tsanet(world.api)


def test_the_schema_is_strict():
    root = document("tsanet")
    good = {"id": 1, "callbackUrl": "x", "eventTypes": [], "active": True, "createdAt": "2026-01-01T00:00:00Z",
            "updatedAt": "2026-01-01T00:00:00Z"}
    check = lambda value: faults(value, root["$defs"]["WebhookSubscriptionDTO"], root)  # noqa: E731
    assert check(good) == []
    for bad in ({"id": "1"}, {"id": 2 ** 63}, {"id": True}, {"id": 1.5}, {"eventTypes": None}, {"eventTypes": ["x"]},
                {"active": 1}, {"createdAt": "today"}, {"createdAt": None}, {"secret": "s"}):
        assert check(good | bad), bad
    for name in good:
        assert check({other: value for other, value in good.items() if other != name}), name


def test_tsanet_subscriptions(production):
    _, calls = tsanet(production)
    assert calls.list() == []
    made = calls.create({"callbackUrl": HTTPS, "eventTypes": ["note.created"]})
    assert (made["callbackUrl"], made["eventTypes"], made["active"]) == (HTTPS, ["note.created"], True)
    assert re.fullmatch(r"[0-9a-f]{32,}", made["secret"])
    every = [calls.create({"callbackUrl": HTTPS} | more) for more in ({}, {"eventTypes": []}, {"eventTypes": None})]
    assert all(one["eventTypes"] == [] for one in every)
    assert len({one["secret"] for one in every}) == 3
    listed = calls.list()
    assert {one["id"] for one in listed} == {made["id"]} | {one["id"] for one in every}
    shown = next(one for one in listed if one["id"] == made["id"])
    assert shown == {k: v for k, v in made.items() if k != "secret"} | {"updatedAt": shown["updatedAt"]}
    calls.delete(made["id"])
    calls.delete(made["id"], 404)
    calls.log(made["id"], status=404)
    assert made["id"] not in {one["id"] for one in calls.list()}


def test_tsanet_ignores_what_it_does_not_know(production):
    _, calls = tsanet(production)
    made = calls.create({"callbackUrl": HTTPS, "secret": "mine", "nonsense": [1], "url": "x", "active": False, "id": 7})
    assert made["secret"] != "mine" and made["active"] is True and made["id"] != 7
    # The schema names two members; what we call by these names elsewhere is unknown here too, whatever its value.
    calls.create({"callbackUrl": HTTPS, "timeout_seconds": "x", "metadata": 5, "headers": 7, "description": 4, "options": 2,
                  "rate_limit_per_second": -3, "signature_variant": 9, "events": 5, "active": "no", "max_in_flight": 0})
    valid(calls.list(), "tsanet", "list")
    calls.call("GET", "/v1/webhooks?nonsense=1", schema="list")
    calls.log(made["id"], "?nonsense=1&sort=createdAt,desc")


@pytest.mark.parametrize("body, fields", [
    ({}, ["callbackUrl"]),
    ({"callbackUrl": None}, ["callbackUrl"]),
    ({"callbackUrl": 5}, ["callbackUrl"]),
    ({"callbackUrl": ""}, ["callbackUrl"]),
    ({"callbackUrl": "no uri"}, ["callbackUrl"]),
    ({"callbackUrl": "http://hooks.example.com/"}, ["callbackUrl"]),
    ({"callbackUrl": "https://10.0.0.1/"}, ["callbackUrl"]),
    ({"callbackUrl": HTTPS, "eventTypes": "note.created"}, ["eventTypes"]),
    ({"callbackUrl": HTTPS, "eventTypes": ["note.deleted"]}, ["eventTypes"]),
    ({"callbackUrl": HTTPS, "eventTypes": ["*"]}, ["eventTypes"]),
    ({"callbackUrl": HTTPS, "eventTypes": ["note.created", 5]}, ["eventTypes"]),
    ({"callbackUrl": 5, "eventTypes": 5}, ["callbackUrl", "eventTypes"]),
])
def test_tsanet_refuses_with_400(production, body, fields):
    _, calls = tsanet(production)
    assert sorted(fault["field"] for fault in calls.create(body, 400)["validationErrors"]) == fields
    assert calls.list() == []


def test_tsanet_refuses_what_is_no_json(production):
    _, calls = tsanet(production)
    for body in (b"", b"{", b"[]", b"5", b"null", b'{"callbackUrl":"a"} x', b'{"callbackUrl":"\xff"}'):
        assert "validationErrors" not in calls.call("POST", "/v1/webhooks", body, status=400, **{"Content-Type": JSON})
    assert calls.call("POST", "/v1/webhooks", b"[]", status=400, **{"Content-Type": JSON}) == \
        {"message": "the body must be an object, not an array"}
    calls.call("POST", "/v1/webhooks", status=400)  # no body at all
    calls.call("POST", "/v1/webhooks", b"callbackUrl=x", status=415, **{"Content-Type": "application/x-www-form-urlencoded"})


def test_tsanet_development_takes_http(development):
    _, calls = tsanet(development)
    assert calls.create({"callbackUrl": LOCAL})["callbackUrl"] == LOCAL


def test_tsanet_401_403_404(production):
    world, calls = tsanet(production)
    made = calls.create({"callbackUrl": HTTPS})
    path = f"/v1/webhooks/{made['id']}"
    nobody = bare(production, "tsanet")
    for fields in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
        for method, target, body in (("GET", "/v1/webhooks", None), ("POST", "/v1/webhooks", {"callbackUrl": HTTPS}),
                                     ("GET", f"{path}/deliveries", None), ("DELETE", path, None)):
            answer = nobody(method, target, body, **fields).expect(401)
            assert answer.header("Content-Type") == JSON and answer.header("WWW-Authenticate")
            assert valid(answer.json, "tsanet", "ErrorResponse") == {"message": "Unauthorized"}
    _, stranger = tsanet(production)
    assert stranger.log(made["id"], status=403) == {"message": "Access denied"} == stranger.delete(made["id"], 403)
    assert stranger.list() == []
    for number in (made["id"] + 1000, 0, -1, 2 ** 63 - 1, 2 ** 63, 2 ** 64 + made["id"], "abc", "1e3", "1.0", f"+{made['id']}",
                   f"{made['id']}x", "%20", "we_01ARYZ6S41TSV4RRFFQ69G5FAV"):
        assert calls.log(number, status=404) == {"message": "Webhook subscription not found"} == calls.delete(number, 404), number
    read = Tsanet(world.read)
    read.create({"callbackUrl": HTTPS}, 403)
    read.delete(made["id"], 403)
    assert [one["id"] for one in read.list()] == [made["id"]]
    calls.delete(made["id"])


def test_tsanet_other_methods_and_routes(production):
    world, calls = tsanet(production)
    made = calls.create({"callbackUrl": HTTPS, "eventTypes": ["note.created"]})
    path = f"/v1/webhooks/{made['id']}"
    answer = bare(production, "tsanet")("PUT", path).expect(405)
    assert valid(answer.json, "tsanet", "ErrorResponse") and answer.header("Allow")
    # A key tells the dialect, wherever the request goes.
    for method, target, status in (("PUT", path, 405), ("DELETE", "/v1/webhooks", 405), ("POST", f"{path}/deliveries", 405),
                                   ("GET", f"{path}/", 404), ("GET", "/v1/webhooks//deliveries", 404), ("GET", f"{path}/other", 404),
                                   ("GET", "/v1/webhooks/%zz/deliveries", 404)):
        calls.call(method, target, status=status)
        calls.call(method, target, status=status, media=PROBLEM, Accept=PROBLEM)
        acting = production.api.as_tenant(world.name).request(method, target).expect(status)
        assert set(valid(acting.json, "tsanet", "ErrorResponse")) == {"message"}
        problem(production.api.request(method, target), status)  # the default tenant's
    changed = calls.call("PATCH", path, {"eventTypes": [], "active": False}, "WebhookSubscriptionDTO")
    assert (changed["eventTypes"], changed["active"], changed["id"]) == ([], False, made["id"])
    assert calls.call("GET", path, schema="WebhookSubscriptionDTO") == changed
    assert calls.call("GET", f"{path}/secret", status=403)
    rotated = world.api.post(f"{path}/rotate-secret").expect(200).json["secrets"]
    assert re.fullmatch(r"[0-9a-f]{32,}", rotated[0]["secret"]) and "secret" not in rotated[1]
    assert calls.call("POST", f"{path}/rotate-secret", status=409)["message"]


def log_of(world, calls, receiver, events):
    target = receiver(lambda _: Reply(200, body=b"ok"))
    made = calls.create({"callbackUrl": target.url()})
    for n in range(events):
        world.publish("note.created", {"n": n})
    eventually(lambda: calls.log(made["id"])["totalElements"] == events)
    return made["id"]


def test_tsanet_pages(development, receiver):
    world, calls = tsanet(development)
    number = log_of(world, calls, receiver, 45)
    page = calls.log(number)
    assert (len(page["content"]), page["totalElements"], page["totalPages"], page["size"], page["number"]) == (20, 45, 3, 20, 0)
    rows = [row for n in range(4) for row in calls.log(number, f"?page={n}")["content"]]
    assert len(rows) == 45 == len({row["id"] for row in rows})
    times = [row["createdAt"] for row in rows]
    assert times == sorted(times, reverse=True)  # ids say nothing of the order
    assert {row["integrationId"] for row in rows} == {number} and all(row["success"] is True for row in rows)
    assert sorted(json.loads(row["requestBody"])["n"] for row in rows) == list(range(45))
    assert {(row["httpStatus"], row["responseBody"], row["attemptNumber"], row["eventType"]) for row in rows} == \
        {(200, "ok", 1, "note.created")}
    for query, count, pages, size, at in (("?size=7", 7, 7, 7, 0), ("?page=6&size=7", 3, 7, 7, 6), ("?page=7&size=7", 0, 7, 7, 7),
                                          ("?size=1000", 45, 1, 1000, 0), ("?size=1001", 45, 1, 1000, 0),
                                          ("?size=2147483647", 45, 1, 1000, 0), ("?page=2147483647", 0, 3, 20, 2147483647),
                                          ("?page=0&size=45", 45, 1, 45, 0), ("?page=1&size=44", 1, 2, 44, 1)):
        page = calls.log(number, query)
        assert (len(page["content"]), page["totalPages"], page["size"], page["number"]) == (count, pages, size, at), query
    for query in ("?page=2147483648", "?page=0%", "?size=%zz", "?size=2147483648", "?size=9223372036854775807", "?page=-1", "?size=-1", "?size=0", "?page=x", "?size=1.5", "?page=", "?size=99999999999999999999", "?page=1&page=2"):
        assert calls.log(number, query, 400)["validationErrors"][0]["field"] in ("page", "size"), query


def test_tsanet_an_empty_log(production):
    _, calls = tsanet(production)
    page = calls.log(calls.create({"callbackUrl": HTTPS})["id"])
    assert page == {"content": [], "totalElements": 0, "totalPages": 0, "size": 20, "number": 0}


def test_tsanet_a_row_for_each_attempt(fast, receiver):
    world, calls = tsanet(fast)
    target = receiver().script(Reply(500, body=b"boom", close=True), Reply(drop=True), Reply(204))
    made = calls.create({"callbackUrl": target.url()})
    world.publish("note.created", {"b": 1, "a": "é"})
    rows = eventually(lambda: len(page := calls.log(made["id"])["content"]) == 3 and page)
    assert [row["attemptNumber"] for row in rows] == [3, 2, 1] and [row["success"] for row in rows] == [True, False, False]
    assert [row.get("httpStatus") for row in rows] == [204, None, 500]
    assert [row.get("responseBody") for row in rows] == ["", None, "boom"]
    assert [row["requestBody"].encode() for row in rows] == [request.body for request in target.requests[::-1]]
    assert json.loads(rows[0]["requestBody"]) == {"b": 1, "a": "é"}


# ---- taskboard ----

def taskboard_error(answer, status, kind=None):
    error = answer.expect(status).json
    assert answer.header("Content-Type") == JSON and set(error) == {"error"}
    error = error["error"]
    assert set(error) - {"param"} == {"code", "message", "type"} and all(isinstance(v, str) and v for v in error.values()), error
    assert kind is None or error["type"] == kind
    return error


def test_taskboard_create(production):
    world = World(production, "taskboard")
    answer = world.manage.post("/v1/webhooks", {"url": HTTPS, "events": ["task.created"]}).expect(201)
    made = answer.json
    assert list(made) == ["id", "url", "events", "active", "secret", "created_at", "updated_at"]
    assert re.fullmatch(r"webhook_\d+", made["id"]) and made["active"] is True and len(made["secret"]) >= 32
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["created_at"])
    assert answer.header("Location") == f"/v1/webhooks/{made['id']}"
    path = f"/v1/webhooks/{made['id']}"
    assert world.read.get(path).expect(200).json == {k: v for k, v in made.items() if k != "secret"}
    assert world.manage.get(f"{path}/secret").expect(200).json["secrets"][0]["secret"] == made["secret"]
    given = world.webhook({"url": HTTPS, "events": ["task.created"], "secret": "x", "active": False})
    assert (given["secret"], given["active"]) == ("x", False)


@pytest.mark.parametrize("body, param", [
    ({"events": ["task.created"]}, "url"),
    ({"url": "http://hooks.example.com/", "events": ["task.created"]}, "url"),
    ({"url": HTTPS}, "events"), ({"url": HTTPS, "events": []}, "events"), ({"url": HTTPS, "events": None}, "events"),
    ({"url": HTTPS, "events": ["task.exploded"]}, "events"), ({"url": HTTPS, "events": ["*"]}, "events"),
    ({"url": HTTPS, "events": ["task.created"], "active": "yes"}, "active"),
    ({"url": HTTPS, "events": ["task.created"], "secret": ""}, "secret"),
    ({"url": HTTPS, "events": ["task.created"], "nonsense": 1}, "nonsense"),
])
def test_taskboard_validation(production, body, param):
    world = World(production, "taskboard")
    error = taskboard_error(world.api.post("/v1/webhooks", body), 400, "validation_error")
    assert error["param"] == param and param in error["message"]


def test_taskboard_names_one_fault_and_how_many_more(production):
    world = World(production, "taskboard")
    error = taskboard_error(world.api.post("/v1/webhooks", {"nonsense": 1}), 400, "validation_error")
    assert (error["param"], error["message"]) == ("nonsense", "nonsense: is not a field of this request (and 2 more)")
    body = {"url": HTTPS, "events": ["task.created"], "timeout_seconds": 10}  # the dialect has no range
    assert "always 30" in taskboard_error(world.api.post("/v1/webhooks", body), 400)["message"]
    assert "leave the list empty" not in taskboard_error(world.api.post("/v1/webhooks", body | {"events": ["*"]}), 400)["message"]


def test_taskboard_errors(production):
    world, other = World(production, "taskboard"), World(production, "taskboard")
    made = world.webhook({"url": HTTPS, "events": ["task.created"]})
    path, nobody = f"/v1/webhooks/{made['id']}", bare(production, "taskboard")
    calls = (("GET", "/v1/webhooks", None), ("POST", "/v1/webhooks", {}), ("GET", path, None), ("PATCH", path, {}),
             ("DELETE", path, None), ("POST", f"{path}/test", None), ("GET", f"{path}/deliveries", None))
    for method, target, body in calls:
        assert "param" not in taskboard_error(nobody(method, target, body), 401, "authentication_error")
    for method, target, body in calls[2:]:
        assert taskboard_error(other.api.request(method, target, body), 404)["code"] == "not_found"
    taskboard_error(world.read.delete(path), 403, "authentication_error")
    taskboard_error(world.api.post("/v1/webhooks", b"{", headers={"Content-Type": JSON}), 400)
    taskboard_error(world.api.post("/v1/webhooks", b"x", headers={"Content-Type": "text/plain"}), 415)
    taskboard_error(world.api.delete(path, headers={"If-Match": '"other"'}), 412)
    taskboard_error(world.api.get(f"{path}/deliveries?limit=0"), 400)
    taskboard_error(nobody("PUT", path), 405)
    world.api.post(f"{path}/rotate-secret").expect(200)
    assert taskboard_error(world.api.post(f"{path}/rotate-secret"), 409)["code"] == "conflict"


def test_taskboard_test_and_log(development, receiver):
    world = World(development, "taskboard")
    target = receiver()
    made = world.webhook({"url": target.url(), "events": ["task.created", "task.updated"], "secret": "s"})
    path = f"/v1/webhooks/{made['id']}"
    tested = world.manage.post(f"{path}/test").expect(202).json
    assert list(tested) == ["id", "event", "timestamp", "status"] and tested["status"] == "pending"
    assert re.fullmatch(r"delivery_\d+", tested["id"]) and tested["event"] == "task.created"
    request = target.wait_for(1)[0]
    body = json.loads(request.body)
    assert list(body) == ["event", "timestamp", "webhook_id", "data"] and body["webhook_id"] == made["id"]
    assert list(body["data"]) == ["id", "name", "status", "priority", "project_id", "assignee_id", "created_by", "due_date"]
    assert request.header("X-Webhook-Signature") == "sha256=" + hexdigest("s", request.body)
    row = eventually(lambda: [r for r in world.read.get(f"{path}/deliveries").json["data"] if r["status"] == "success"])[0]
    assert list(row) == ["id", "event", "timestamp", "status", "response_code", "response_time_ms"]
    assert (row["id"], row["response_code"]) == (tested["id"], 200) and isinstance(row["response_time_ms"], int)


def test_taskboard_log_pages_by_link(development, receiver):
    world = World(development, "taskboard")
    made = world.webhook({"url": receiver().url(), "events": ["task.created"]})
    for _ in range(7):
        world.publish("task.created")
    path = target = f"/v1/webhooks/{made['id']}/deliveries?limit=3"
    seen, pages = [], 0
    while target:
        answer = world.api.get(target).expect(200)
        assert set(answer.json) == {"data"}
        seen += [row["id"] for row in answer.json["data"]]
        pages += 1
        link = re.fullmatch(r'<(/v1/webhooks/[^>]*limit=3[^>]*)>; rel="next"', answer.header("Link") or "")
        assert link or answer.header("Link") is None
        target = link and link[1]
    assert len(seen) == 7 == len(set(seen)) and pages == 3
    assert seen == [row["id"] for row in world.deliveries(endpoint=made["id"])]  # newest first; ids say nothing of the order
    assert world.api.get(path.replace("limit=3", "limit=8")).header("Link") is None


def test_taskboard_disable_test_enable(fast, receiver):
    world = World(fast, "taskboard")
    target = receiver(lambda _: 500)
    made = world.webhook({"url": target.url(), "events": ["task.created"], "max_in_flight": 1})  # to see the order of what was held
    path = f"/v1/webhooks/{made['id']}"
    failed = world.ended(world.publish("task.created"), "failed")
    assert (failed["reason"], failed["attempt_count"]) == ("exhausted", 4) and len(target.requests) == 4
    assert world.api.get(path).json["active"] is False  # one commit says both
    log = world.api.get(f"{path}/deliveries").json["data"]
    assert [(row["status"], row["response_code"]) for row in log] == [("failed", 500)]
    held = [world.publish("task.created", {"n": n}) for n in range(3)]
    for event in held:
        world.ended(event, "held")
    for status in (500, 200):  # a test goes out, is not repeated, and changes nothing
        target.answer = lambda _, status=status: status
        world.api.post(f"{path}/test").expect(202)
        target.wait_for(5 if status == 500 else 6)
        assert world.api.get(path).json["active"] is False
    time.sleep(1.2)  # longer than the delay: no retry of the test
    assert len(target.requests) == 6
    assert world.api.patch(path, {"active": True}).expect(200).json["active"] is True
    for event in held:
        world.ended(event)
    # They leave in this order, and may arrive by three connections.
    assert sorted(json.loads(request.body)["data"].get("n") for request in target.wait_for(9)[6:]) == [0, 1, 2]
    world.ended(world.publish("task.created"))


def test_source_addresses(production):
    for dialect in DIALECTS:
        world = World(production, dialect)
        assert world.read.get("/v1/source-addresses").expect(200).json == {"prefixes": ADDRESSES}


# ---- techwriter ----

def techwriter(world, **more):
    return world.api.post("/v1/webhooks", {"url": HTTPS, "events": ["*"], "secret": "tw", **more})


def by_field(answer, status=422):
    """The fields that a problem of a dialect with {field, message} names."""
    errors = problem(answer, status)["errors"]
    assert errors and all(set(error) == {"field", "message"} and error["message"] for error in errors), errors
    return sorted(error["field"] for error in errors)


def test_techwriter_options(production):
    world = World(production, "techwriter")
    made = techwriter(world).expect(201).json
    assert list(made) == ["id", "url", "events", "active", "description", "metadata", "timeout", "created_at", "updated_at"]
    assert made["id"].startswith("wh_") and made["events"] == ["*"]
    assert (made["active"], made["description"], made["metadata"], made["timeout"]) == (True, None, {}, 30)
    pairs = {f"k{n}": "v" for n in range(16)}
    full = techwriter(world, active=False, description="d", metadata=pairs, timeout=300, events=["user.invited"]).expect(201).json
    assert (full["active"], full["description"], full["metadata"], full["timeout"]) == (False, "d", pairs, 300)
    path = f"/v1/webhooks/{full['id']}"
    assert world.read.get(path).json == full
    assert by_field(world.api.patch(path, {"metadata": {"one more": "v"}})) == ["metadata"]
    changed = world.api.patch(path, {"metadata": {"k0": None, "new": "v"}, "timeout": None, "description": None}).expect(200).json
    assert (len(changed["metadata"]), changed["timeout"], changed["description"]) == (16, 30, None)
    assert {one["id"] for one in world.api.get("/v1/webhooks").json["data"]} == {made["id"], full["id"]}
    arbitrary = {"n": 1.50, "yes": True, "": "x", "é": False}
    answer = techwriter(world, metadata=arbitrary).expect(201)
    assert answer.json["metadata"] == arbitrary
    whole = b'{"url":"%s","events":["*"],"secret":"s","timeout":45.0}' % HTTPS.encode()  # a number, whole however it is written
    assert world.api.post("/v1/webhooks", whole, headers={"Content-Type": JSON}).expect(201).json["timeout"] == 45


@pytest.mark.parametrize("change, field", [
    ({"url": "http://hooks.example.com/"}, "url"), ({"url": None}, "url"), ({"url": "x"}, "url"),
    ({"events": None}, "events"), ({"events": []}, "events"), ({"events": ["document.exploded"]}, "events"),
    ({"events": ["document.*"]}, "events"),
    ({"secret": None}, "secret"), ({"secret": ""}, "secret"), ({"secret": 5}, "secret"),
    ({"timeout": 0}, "timeout"), ({"timeout": 0.9}, "timeout"), ({"timeout": 301}, "timeout"), ({"timeout": 300.5}, "timeout"),
    ({"timeout": -5}, "timeout"),
    ({"timeout": "30"}, "timeout"), ({"timeout_seconds": 30}, "timeout_seconds"),
    ({"metadata": {f"k{n}": "v" for n in range(17)}}, "metadata"), ({"metadata": {"k": [1]}}, "metadata"),
    ({"metadata": {"k": {}}}, "metadata"), ({"metadata": {"k": None}}, "metadata"),
    ({"metadata": []}, "metadata"), ({"description": 5}, "description"), ({"active": 1}, "active"), ({"nonsense": 1}, "nonsense"),
])
@pytest.mark.parametrize("environment", ["production", "development"])
def test_techwriter_validation(request, environment, change, field):
    world = World(request.getfixturevalue(environment), "techwriter")
    assert by_field(techwriter(world, **change)) == [field]


def test_techwriter_names_every_fault_at_once(production):
    world = World(production, "techwriter")
    answer = world.api.post("/v1/webhooks", {"url": 5, "events": 5, "timeout": 0, "nonsense": 1})
    assert set(by_field(answer)) >= {"url", "events", "timeout", "nonsense"}
    for missing in ("url", "events", "secret"):
        body = {name: value for name, value in {"url": HTTPS, "events": ["*"], "secret": "x"}.items() if name != missing}
        assert by_field(world.api.post("/v1/webhooks", body)) == [missing]


def test_techwriter_secrets(secure, tls_receiver):
    world = World(secure, "techwriter")
    target = tls_receiver()
    made = techwriter(world, url=target.url(), secret="one").expect(201).json
    path = f"/v1/webhooks/{made['id']}"
    problem(world.read.get(f"{path}/secret"), 403)
    assert "secret" not in world.manage.get(path).json
    assert [s["secret"] for s in world.manage.get(f"{path}/secret").json["secrets"]] == ["one"]
    rotated = world.manage.post(f"{path}/rotate-secret", {"secret": "two"}).expect(200).json["secrets"]
    assert [s["secret"] for s in rotated] == ["two", "one"] and all("expires_at" not in s for s in rotated)
    problem(world.manage.post(f"{path}/rotate-secret", {"secret": "three"}), 409)
    world.publish("document.published")
    request = target.wait_for(1)[0]
    stamp, new, old = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64}),v1=([0-9a-f]{64})", request.header("X-TechWriter-Signature")).groups()
    content = f"{stamp}.".encode() + request.body
    assert (new, old) == (hexdigest("two", content), hexdigest("one", content))
    world.manage.delete(f"{path}/secret/previous").expect(204)
    assert [s["secret"] for s in world.manage.get(f"{path}/secret").json["secrets"]] == ["two"]
    world.publish("document.published")
    request = target.wait_for(2)[1]
    stamp, only = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", request.header("X-TechWriter-Signature")).groups()
    assert only == hexdigest("two", f"{stamp}.".encode() + request.body)
    assert by_field(world.manage.post(f"{path}/rotate-secret", {"secret": ""})) == ["secret"]
    made_here = world.manage.post(f"{path}/rotate-secret").expect(200).json["secrets"]  # a rotation need not bring one
    assert len(made_here[0]["secret"]) >= 32 and made_here[1]["secret"] == "two"
    assert by_field(world.manage.patch(path, {"secret": "four"})) == ["secret"]


def test_techwriter_delivery_failed(secure, tls_receiver):
    """To the operator and to those who list it by name; never to the failing one, never through `*`, never for itself."""
    world = World(secure, "techwriter")
    down, named, star, operator = tls_receiver(answer=lambda _: 503), tls_receiver(answer=lambda _: 500), tls_receiver(), tls_receiver()
    failing = techwriter(world, url=down.url(), events=["document.published", "webhook.delivery_failed"]).expect(201).json
    listening = techwriter(world, url=named.url(), events=["webhook.delivery_failed"]).expect(201).json
    techwriter(world, url=star.url(), events=["*"]).expect(201)
    secure.api.as_tenant("operator").post("/v1/webhooks", {"url": operator.url()}).expect(201)
    event = world.publish("document.published")
    assert event["deliveries"] == 2
    notice = json.loads(named.wait_for(1, 20)[0].body)
    assert notice["type"] == "webhook.delivery_failed" and notice["id"] != event["id"] and isinstance(notice["created"], int)
    data = notice["data"]["object"]
    assert list(data) == ["webhook_id", "delivery_id", "event_type", "attempts", "last_status", "last_error", "first_attempt_at",
                          "last_attempt_at"]
    first, last = down.requests[0].at, down.requests[4].at
    assert data["first_attempt_at"] in (int(first), int(first) - 1) and data["last_attempt_at"] in (int(last), int(last) - 1)
    assert {name: value for name, value in data.items() if not name.endswith("_at")} == {
        "webhook_id": failing["id"], "delivery_id": event["id"], "event_type": "document.published", "attempts": 5,
        "last_status": 503, "last_error": None}
    # The notice itself fails at its endpoint, all five times, and that causes no other.
    eventually(lambda: [row for row in world.deliveries(endpoint=listening["id"]) if row["status"] == "failed"], 20)
    assert {row["event_type"] for row in world.deliveries(endpoint=failing["id"])} == {"document.published"}
    assert len(world.deliveries()) == 3 and len(star.requests) == 1 and len(down.requests) == 5

    def told(kind):
        bodies = [json.loads(request.body) for request in operator.requests]
        return [body["data"] for body in bodies if body["type"] == kind and body["data"]["tenant"] == world.name]

    eventually(lambda: len(told("delivery.failed")) == 2)
    assert [(one["endpoint"], one["attempts"]) for one in told("delivery.failed")] == [(failing["id"], 5), (listening["id"], 5)]
    assert told("webhook.delivery_failed") == [{"tenant": world.name} | data]


def test_techwriter_degraded(secure, tls_receiver):
    world = World(secure, "techwriter")
    target = tls_receiver(answer=lambda request: 500 if len(target.requests) < 5 else 200)
    techwriter(world, url=target.url()).expect(201)
    event = world.publish("document.published")
    seen = {}

    def done():
        row = world.deliveries(event=event["id"])[0]
        seen.setdefault(row["attempt_count"], row.get("degraded", False))
        return row["status"] == "delivered" and row

    row = eventually(done, 20)
    assert "degraded" not in row
    del seen[row["attempt_count"]]
    assert seen and all(mark is (attempts >= 3) for attempts, mark in seen.items()), seen
    assert {2, 3, 4} <= set(seen)


def test_only_that_dialect_marks_degraded(fast, receiver):
    world = World(fast, "tiro")
    world.webhook({"url": receiver(lambda _: 500).url()})
    event = world.publish("note.created", resource_id="n")
    row = eventually(lambda: [r for r in world.deliveries(event=event["id"]) if r["attempt_count"] >= 3])[0]
    assert "degraded" not in row


@pytest.mark.parametrize("text, value", [("2.5", 2.5), ("2.50", 2.5), ("1", 1), ("1.001", 1.001), ("25e-1", 2.5),
                                         ("121", 121), ("300", 300), ("300.0", 300), ("299.999", 299.999)])
def test_techwriter_timeout_is_a_number(production, text, value):
    world = World(production, "techwriter")
    body = b'{"url":"%s","events":["*"],"secret":"s","timeout":%s}' % (HTTPS.encode(), text.encode())
    made = world.api.post("/v1/webhooks", body, headers={"Content-Type": JSON}).expect(201).json
    assert made["timeout"] == value
    path = f"/v1/webhooks/{made['id']}"
    assert world.api.patch(path, {"description": "d"}).expect(200).json["timeout"] == value
    refused = world.api.patch(path, {"timeout": 300.001})
    assert by_field(refused) == ["timeout"] and "from 1 to 300" in refused.json["errors"][0]["message"]


def test_timeout_of_one_endpoint(secure, tls_receiver):
    world = World(secure, "techwriter")
    target = tls_receiver(answer=lambda _: Reply(hang=True))
    techwriter(world, url=target.url(), timeout=1.5).expect(201)
    event = world.publish("document.published")
    row = eventually(lambda: [r for r in world.deliveries(event=event["id"]) if r["last_attempt"]], 10)[0]
    assert row["last_attempt"]["outcome"] == "timeout" and 1400 < row["last_attempt"]["duration_ms"] < 3000


# ---- tiro ----

def test_tiro_workspaces(development, receiver):
    one = World(development, "tiro", attributes={"workspaceGuid": "guid-1"})
    two = World(development, "tiro")
    targets = receiver(), receiver()
    for world, target in zip((one, two), targets):
        made = world.webhook({"url": target.url(), "events": ["note.created"]})
        assert re.fullmatch(r"[A-Za-z0-9_-]{24,}", made["secret"])
        event = world.publish("note.created", {"title": "x"}, resource_id=f"of-{world.name}")
        assert event["deliveries"] == 1 and event["tenant"] == world.name
    for world, target, guid in ((one, targets[0], "guid-1"), (two, targets[1], two.name)):
        body = json.loads(target.wait_for(1)[0].body)
        assert list(body) == ["id", "type", "createdAt", "workspaceGuid", "data"] and body["workspaceGuid"] == guid
        assert body["data"] == {"resourceType": "Note", "resourceId": f"of-{world.name}", "resource": {"title": "x"}}
        assert len(target.requests) == 1
    assert len(one.deliveries()) == 1 == len(two.deliveries())


@pytest.mark.parametrize("kind, resource", [("note.ended", "Note"), ("note_document.updated", "NoteDocument"),
                                            ("note_summary.deleted", "NoteSummary"), ("folder.note.added", "FolderNoteRelation")])
def test_tiro_resource_types(development, receiver, kind, resource):
    world = World(development, "tiro")
    target = receiver()
    world.webhook({"url": target.url()})
    world.publish(kind, resource_id="r")
    assert json.loads(target.wait_for(1)[0].body)["data"]["resourceType"] == resource


def test_tiro_required_fields(development):
    world = World(development, "tiro")
    assert by_field(world.api.post("/v1/events", {"type": "note.created", "data": {}})) == ["resource_id"]
    assert "resource_type" in by_field(world.api.post("/v1/events", {"type": "other.created", "data": {}, "resource_id": "r"}))
    batch = [{"type": "note.created", "data": {}, "resource_id": "r"}, {"type": "note.created", "data": {}}]
    assert by_field(world.api.post("/v1/events/batch", batch)) == ["resource_id"]
    assert world.api.pages("/v1/events") == []


def test_tiro_4xx_is_final(development, receiver):
    world = World(development, "tiro")
    for status in (400, 404, 408, 410, 429):
        target = receiver(lambda _, status=status: Reply(status, headers=[("Retry-After", "1")]))
        made = world.webhook({"url": target.url()})
        event = world.publish("note.created", resource_id="r")
        row = world.ended(event, "failed")
        assert (row["reason"], row["attempt_count"], len(target.requests)) == ("final_status", 1, 1)
        assert world.api.get(f"/v1/webhooks/{made['id']}").json["active"] is True
        world.api.delete(f"/v1/webhooks/{made['id']}").expect(204)


# ---- every dialect ----

FIELDS = {"tsanet": {"url": "callbackUrl", "events": "eventTypes"}, "techwriter": {"timeout_seconds": "timeout"}}
LISTS = {"standard": ["a.b"], "taskboard": ["task.created"], "techwriter": ["document.published"], "tiro": ["note.created"],
         "tsanet": ["note.created"]}
MORE = {"tiro": {"resource_id": "r"}}


def body_of(dialect, url, **more):
    names = FIELDS.get(dialect, {})
    secret = {"secret": "given"} if dialect == "techwriter" else {}
    return {names.get(name, name): value for name, value in {"url": url, "events": LISTS[dialect], **secret, **more}.items()}


@pytest.fixture
def everywhere(request, receiver, tls_receiver):
    """everywhere(dialect) gives a world on a quick server and a receiver that the dialect accepts."""
    def make(dialect, answer=None):
        if dialect == "techwriter":
            return World(request.getfixturevalue("secure"), dialect), tls_receiver(answer=answer)
        return World(request.getfixturevalue("fast"), dialect), receiver(answer)
    return make


@pytest.mark.parametrize("dialect", DIALECTS)
def test_https_rule(production, development, dialect):
    always, field = dialect == "techwriter", FIELDS.get(dialect, {}).get("url", "url")
    for server, refused in ((production, True), (development, always)):
        world = World(server, dialect)
        answer = world.api.post("/v1/webhooks", body_of(dialect, "http://hooks.example.com/"))
        assert answer.status == (({"tsanet": 400, "taskboard": 400}.get(dialect, 422)) if refused else answer.status)
        assert (answer.status < 300) is not refused and (not refused or field.encode() in answer.body)
        made = world.api.post("/v1/webhooks", body_of(dialect, HTTPS)).expect(200, 201).json
        changed = world.api.patch(f"/v1/webhooks/{made['id']}", {field: "http://hooks.example.com/"})
        assert (changed.status < 300) is not refused


@pytest.mark.parametrize("dialect", ["taskboard", "techwriter", "tsanet"])
def test_closed_catalogues(development, dialect):
    world = World(development, dialect)
    field = FIELDS.get(dialect, {}).get("events", "events")
    answer = world.api.post("/v1/webhooks", body_of(dialect, HTTPS, events=["no.such.type"]))
    assert answer.status in (400, 422) and f'"{field}"'.encode() in answer.body
    answer = world.api.post("/v1/events", {"type": "no.such.type", "data": {}})
    error = problem(answer, 422)["errors"][0]
    assert error.get("field", error.get("pointer", "").strip("/")) == "type"
    made = world.api.post("/v1/webhooks", body_of(dialect, HTTPS)).expect(200, 201).json
    answer = world.api.post(f"/v1/webhooks/{made['id']}/test", {"type": "no.such.type"})
    assert answer.status in (400, 422) and b"type" in answer.body


@pytest.mark.parametrize("dialect", ["taskboard", "techwriter", "tiro", "tsanet"])
def test_samples_of_every_type(everywhere, dialect):
    world, target = everywhere(dialect)
    shown = world.read.get(f"/v1/dialects/{dialect}").expect(200).json
    types = [row["type"] for row in shown["catalogue"]["types"]]
    assert len(types) == {"taskboard": 15, "techwriter": 12, "tiro": 1, "tsanet": 2}[dialect]
    made = world.webhook(body_of(dialect, target.url(), active=True))
    for n, kind in enumerate(types, 1):
        world.manage.post(f"/v1/webhooks/{made['id']}/test", {"type": kind}).expect(202)
        body = json.loads(target.wait_for(n)[n - 1].body)
        assert kind in (body.get("event"), body.get("type"), body.get("eventType"))
        sample = {"taskboard": lambda: body["data"], "techwriter": lambda: body["data"]["object"],
                  "tiro": lambda: body["data"]["resource"], "tsanet": lambda: body}[dialect]()
        assert isinstance(sample, dict) and sample


@pytest.mark.parametrize("dialect", DIALECTS)
def test_pause_without_deleting(everywhere, dialect):
    world, target = everywhere(dialect)
    made = world.webhook(body_of(dialect, target.url()))
    path = f"/v1/webhooks/{made['id']}"
    assert world.manage.patch(path, {"active": False}).expect(200).json["active"] is False
    events = [world.publish(LISTS[dialect][0], **MORE.get(dialect, {})) for _ in range(2)]
    assert all(event["deliveries"] == 1 for event in events)
    for event in events:
        world.ended(event, "held")
    assert target.requests == [] and world.api.get(path).json["active"] is False
    assert world.manage.patch(path, {"active": True}).expect(200).json["active"] is True
    for event in events:
        world.ended(event)
    assert len(target.requests) == 2


SIGNED = {  # the header that shows which secret signed
    "taskboard": lambda request, secret: request.header("X-Webhook-Signature") == "sha256=" + hexdigest(secret, request.body),
    "tsanet": lambda request, secret: request.header("X-Hub-Signature-256") == "sha256=" + hexdigest(secret, request.body),
    "tiro": lambda request, secret: request.header("Authorization") == f"Bearer {secret}",
}


@pytest.mark.parametrize("dialect", SIGNED)
def test_one_signature_during_rotation(everywhere, dialect):
    """A header that holds one signature: the old secret goes on until its overlap ends or it is revoked."""
    world, target = everywhere(dialect)
    signed = SIGNED[dialect]
    made = world.webhook(body_of(dialect, target.url()))
    path, old = f"/v1/webhooks/{made['id']}", made["secret"]

    def next_request():
        n = len(target.requests)
        world.ended(world.publish(LISTS[dialect][0], **MORE.get(dialect, {})))
        return target.wait_for(n + 1)[n]

    assert signed(next_request(), old)
    rotated = world.manage.post(f"{path}/rotate-secret").expect(200).json["secrets"]
    new = rotated[0]["secret"]
    assert len(rotated) == 2 and new != old and "expires_at" in rotated[1] and "expires_at" not in rotated[0]
    assert signed(next_request(), old)
    world.manage.post(f"{path}/rotate-secret").expect(409)
    world.manage.delete(f"{path}/secret/previous").expect(204)
    assert signed(next_request(), new)
    at_once = world.manage.post(f"{path}/rotate-secret", {"overlap_seconds": 0}).expect(200).json["secrets"]
    assert len(at_once) == 1 and signed(next_request(), at_once[0]["secret"])
    soon = world.manage.post(f"{path}/rotate-secret", {"overlap_seconds": 1}).expect(200).json["secrets"]
    time.sleep(1.2)
    assert signed(next_request(), soon[0]["secret"])
    until = world.manage.post(f"{path}/rotate-secret", {"overlap_seconds": None}).expect(200).json["secrets"]
    assert ["expires_at" in one for one in until] == [False, False] and signed(next_request(), soon[0]["secret"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_lists_show_what_one_shows(production, dialect):
    world = World(production, dialect)
    made = [world.webhook(body_of(dialect, f"{HTTPS}/{n}")) for n in range(3)]
    rows = world.read.get("/v1/webhooks").expect(200).json
    rows = rows if dialect == "tsanet" else rows["data"]
    assert rows == [world.read.get(f"/v1/webhooks/{one['id']}").expect(200).json for one in reversed(made)]
    first = world.read.get("/v1/webhooks?limit=2").expect(200)
    if dialect == "tsanet":
        following = re.fullmatch(r'<(.*)>; rel="next"', first.header("Link"))[1]
        assert first.json + world.read.get(following).expect(200).json == rows
    else:
        assert first.json["data"] + world.read.get(f"/v1/webhooks?cursor={first.json['next_cursor']}").json["data"] == rows


def test_secret_read_back(production, fast):
    for dialect in ("standard", "taskboard", "tiro", "techwriter"):  # always, with the scope
        world = World(production, dialect)
        made = world.api.post("/v1/webhooks", body_of(dialect, HTTPS)).expect(201).json
        path = f"/v1/webhooks/{made['id']}/secret"
        assert world.manage.get(path).expect(200).json["secrets"][0]["secret"] == made.get("secret", "given")
        assert world.read.get(path).status == 403
        assert b"secret" not in world.read.get(path.removesuffix("/secret")).expect(200).body
    world = World(production, "tsanet")  # once
    made = world.webhook({"callbackUrl": HTTPS})
    answer = world.manage.get(f"/v1/webhooks/{made['id']}/secret").expect(403)
    assert made["secret"] and valid(answer.json, "tsanet", "ErrorResponse")
    world = World(fast, "silent")  # never: not even in the answer to the one who gave it
    made = world.webhook({"url": LOCAL, "events": ["task.created"], "secret": "given-1"})
    path = f"/v1/webhooks/{made['id']}"
    rotated = world.manage.post(f"{path}/rotate-secret", {"secret": "given-2"}).expect(200).json
    assert "secret" not in made and rotated["secrets"] and all("secret" not in one for one in rotated["secrets"])
    world.manage.get(f"{path}/secret").expect(403)


@pytest.mark.parametrize("dialect, media, names", [
    ("standard", PROBLEM, {"type", "title", "status", "detail", "request_id"}), ("tsanet", JSON, {"message"}),
    ("taskboard", JSON, {"error"}), ("techwriter", PROBLEM, {"type", "title", "status", "detail", "request_id"}),
    ("tiro", PROBLEM, {"type", "title", "status", "detail", "request_id"}),
])
def test_401_in_the_form_of_the_host(production, dialect, media, names):
    nobody = bare(production, dialect)
    for host in (f"{dialect}.example", f"{dialect.upper()}.EXAMPLE", f"{dialect}.example:{production.port}"):
        answer = nobody("GET", "/v1/webhooks", Host=host).expect(401)
        assert answer.header("Content-Type") == media and set(answer.json) == names
    # Where the dialect has no say, and where the host is not known, the form is native.
    problem(nobody("POST", "/v1/events", {}), 401)
    problem(nobody("GET", "/v1/webhooks", Host="other.example"), 401)


def test_a_key_decides_before_the_host(production):
    world = World(production, "tsanet")
    answer = world.read.post("/v1/webhooks", {}, headers={"Host": "taskboard.example"}).expect(403)
    valid(answer.json, "tsanet", "ErrorResponse")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_redeliver_in_every_dialect(everywhere, dialect):
    world, target = everywhere(dialect)
    world.webhook(body_of(dialect, target.url()))
    row = world.ended(world.publish(LISTS[dialect][0], **MORE.get(dialect, {})))
    assert world.manage.post(f"/v1/deliveries/{row['id']}/retry").expect(202).json == {"id": row["id"], "status": "retrying"}
    target.wait_for(2)
    shown = eventually(lambda: (d := world.read.get(f"/v1/deliveries/{row['id']}").expect(200).json)["attempt_count"] == 2 and d)
    assert len(shown["attempts"]) == len(target.requests) == 2
    for attempt, request in zip(shown["attempts"], target.requests):
        got = {name: value for name, value in request.headers}
        sent = attempt["request"]["headers"]
        assert list(sent) == [name for name, _ in request.headers]
        hidden = {name for name, value in sent.items() if "***" in value}
        assert hidden == ({"Authorization"} if dialect == "tiro" else set())
        assert all(sent[name] == got[name] for name in set(sent) - hidden)
        assert sent["Host"] == f"127.0.0.1:{target.port}" and int(sent["Content-Length"]) == len(request.body)
        assert attempt["request"]["body"].encode() == request.body


def test_retry_remembers_its_key(server, receiver):
    running = server()
    target = receiver()
    api = running.api
    api.post("/v1/webhooks", {"url": target.url()}).expect(201)
    event = api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202).json
    row = eventually(lambda: [r for r in api.get(f"/v1/deliveries?event={event['id']}").json["data"] if r["status"] == "delivered"])[0]
    path, key = f"/v1/deliveries/{row['id']}/retry", {"Idempotency-Key": "again"}
    first = api.post(path, headers=key).expect(202)
    target.wait_for(2)
    eventually(lambda: api.get(f"/v1/deliveries/{row['id']}").json["attempt_count"] == 2)  # or a kill might repeat it
    for _ in range(2):
        repeated = api.post(path, headers=key).expect(202)
        assert repeated.json == first.json and repeated.header("Idempotency-Replayed") == "true"
        problem(api.post(path, {}, headers=key), 422)
        running.kill()
        running.start()
        api = running.api
    time.sleep(0.3)
    assert len(target.requests) == 2
    api.post(path, headers={"Idempotency-Key": "another"}).expect(202)
    target.wait_for(3)
    missing = "/v1/deliveries/" + row["id"][:-1] + ("0" if row["id"][-1] != "0" else "1") + "/retry"
    for _ in range(2):  # an error is not remembered
        answer = api.post(missing, headers={"Idempotency-Key": "lost"})
        assert answer.status == 404 and answer.header("Idempotency-Replayed") is None
