"""Exact exchanges from vector files: each case of `management`, `publish`, `media_types` and `negative` against the real
binary.

The files are looked for in $TENTERHOOK_VECTORS, else beside the source tree; without them these tests are skipped. A body
is compared strictly: a member of ours that the example does not have is a difference, unless the case says that more are
allowed or names it as free.

Exceptions, where another page decides:
  standard/create: the example has `rate_limit`; the field is `rate_limit_per_second`, and `signature_variant` is shown.
"""
import base64
import functools
import hashlib
import hmac
import json
import os
import pathlib
import re
import time

import pytest

from harness.client import Api
from harness.dialects import DIALECTS, World, development, fast, production, secure  # noqa: F401 (fixtures)
from harness.expect import eventually
from harness.receiver import Receiver, Reply
from harness.server import ROOT

FOLDER = pathlib.Path(os.environ.get("TENTERHOOK_VECTORS") or ROOT.parent / "shared" / "vectors")


@functools.lru_cache
def vectors(dialect):
    path = FOLDER / f"{dialect}.json"
    return json.loads(path.read_text()) if path.exists() else None


def cases(kind):
    """(dialect, case) of all files; one skipped case when there are none."""
    found = [pytest.param(dialect, case, id=f"{dialect}/{case['name']}")
             for dialect in DIALECTS if vectors(dialect) for case in vectors(dialect).get(kind, ())]
    return found or [pytest.param(None, None, marks=pytest.mark.skip(reason="no vectors: set TENTERHOOK_VECTORS"))]


# ---- comparing ----

def rfc3339(value):
    return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value)


def fits(rule, value):
    """Does a value that the server makes up have the type that the vector names?"""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if rule == "rfc3339":
        return bool(rfc3339(value))
    if rule.startswith("integer"):
        lowest = {"integer (int64)": -2 ** 63, "integer >= 0": 0, "integer > 0": 1}[rule]
        return whole and lowest <= value < 2 ** 63
    if rule == "string":
        return isinstance(value, str)
    if found := re.fullmatch(r"(?:string )?(\^.*\$)( \(24-64 bytes\))?", rule):
        good = isinstance(value, str) and re.fullmatch(found[1], value)
        return bool(good) and (not found[2] or 24 <= len(base64.b64decode(value.removeprefix("whsec_"))) <= 64)
    assert rule == "string, at least 24 characters of A-Z a-z 0-9 _ -", f"unknown rule {rule!r}"
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{24,}", value) is not None


def rule_for(free, pointer):
    for pattern, rule in free.items():
        if re.fullmatch(re.escape(pattern).replace(r"\*", r"\d+"), pointer):
            return rule
    return None


def differences(want, got, free, more=False, pointer=""):
    """What is not as the example says; an empty list when all is."""
    rule = rule_for(free, pointer)
    if rule:
        return [] if fits(rule, got) else [f"{pointer}: {got!r} is no {rule}"]
    if isinstance(want, dict) and isinstance(got, dict):
        found = [f"{pointer}/{name}: missing" for name in want if name not in got]
        for name, value in got.items():
            if name in want:
                found += differences(want[name], value, free, more, f"{pointer}/{name}")
            elif rule_for(free, f"{pointer}/{name}"):
                found += differences(None, value, free, more, f"{pointer}/{name}")
            elif not more:
                found.append(f"{pointer}/{name}: not in the example: {value!r}")
        return found
    if isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            return [f"{pointer}: {len(got)} elements, wanted {len(want)}"]
        return [text for i, pair in enumerate(zip(want, got)) for text in differences(*pair, free, more, f"{pointer}/{i}")]
    same = type(want) is type(got) and want == got
    return [] if same else [f"{pointer}: {got!r}, wanted {want!r}"]


def check(case, answer):
    response = case["response"]
    assert answer.status == response["status"], answer
    for name, value in response.get("headers", {}).items():
        assert answer.header(name) == value, answer.headers
    if "example" not in response:
        assert answer.body == response["body"].encode()
        return
    found = differences(response["example"], answer.json, response.get("free", {}), response.get("more_fields_allowed", False))
    assert not found, "\n".join(found)


def test_comparing_is_strict():
    free = {"/a": "rfc3339", "/l/*/n": "integer >= 0", "/maybe": "string"}
    want = {"a": "x", "b": 1, "l": [{"n": 5, "m": None}]}
    good = {"a": "2026-01-01T00:00:00Z", "b": 1, "l": [{"n": 0, "m": None}]}
    assert differences(want, good, free) == [] == differences(want, good | {"maybe": "x"}, free)
    for bad in ({"a": "soon"}, {"b": 2}, {"b": True}, {"b": None}, {"extra": 1}, {"maybe": 1}, {"l": []}, {"l": [{"n": 0}]},
                {"l": [{"n": -1, "m": None}]}, {"l": [{"n": 0, "m": None, "k": 1}]}):
        assert differences(want, good | bad, free), bad
    assert differences(want, {k: v for k, v in good.items() if k != "b"}, free)
    assert differences(want, good | {"extra": 1}, free, more=True) == []


# ---- exchanges ----

def send(world, request):
    """One exchange of a vector file, with this run's ids and keys."""
    target, headers = request["target"], {"Host": f"{world.dialect}.example"}
    for old, new in world.names.items():
        target = target.replace(old, str(new))
    for name, value in request["headers"].items():
        if name == "Authorization":
            api = world.operator if "operator" in value else world.manage if "webhooks:manage" in value else world.api
            value = f"Bearer {api.key}"
        headers[name] = world.names.get(value, value)
    body = request.get("body")
    return Api(world.server.port).request(request["method"], target, body.encode() if body is not None else None, headers)


# ---- what a case finds when it begins ----

SETUPS = {}


def setup(dialect, *names):
    def register(function):
        SETUPS.update({(dialect, name): function for name in names})
        return function
    return register


@pytest.fixture
def servers(request):
    """Gives a server by name, started when it is first wanted."""
    return request.getfixturevalue


@setup("taskboard", "deliveries", "deliveries-failed-and-pending")
def taskboard_deliveries(servers, case, receiver):
    world = World(servers("fast"), "taskboard")
    target = receiver(lambda request: 500 if b"task.updated" in request.body else 200)
    made = world.webhook({"url": target.url(), "events": ["task.created", "task.updated"], "secret": "s"})
    world.names["webhook_123"] = made["id"]
    world.ended(world.publish("task.created"))
    if case["name"] == "deliveries-failed-and-pending":
        world.ended(world.publish("task.updated"), "failed")
        world.publish("task.updated")  # held: the endpoint is disabled
    return world


@setup("taskboard", "re-enable")
def taskboard_disabled(servers, case, receiver):
    world = World(servers("fast"), "taskboard")
    target = receiver(lambda _: 500)
    made = world.webhook({"url": target.url(), "events": ["task.created", "task.updated", "task.completed"]})
    world.ended(world.publish("task.created"), "failed")
    # its own commit, behind the delivery's
    eventually(lambda: world.api.get(f"/v1/webhooks/{made['id']}").expect(200).json["active"] is False)
    world.names["webhook_123"] = made["id"]
    case["response"]["example"]["url"] = made["url"]  # the example's host cannot be made to fail
    return world


@setup("techwriter", "secret-with-scope", "rotate-third", "revoke-old")
def techwriter_secrets(servers, case, receiver):
    world = World(servers("production"), "techwriter")
    made = world.webhook({"url": "https://hooks.example.com/techwriter", "events": ["*"], "secret": "tw_signing_secret_one_7d1f"})
    world.names["wh_01HW8N4Z3R8C9W"] = made["id"]
    if case["name"] != "secret-with-scope":
        world.api.post(f"/v1/webhooks/{made['id']}/rotate-secret", {"secret": "second_secret_8c2a"}).expect(200)
    return world


@setup("tiro", "per-workspace", "publish", "publish-without-resource-id")
def tiro_workspaces(servers, case, receiver):
    world = World(servers("production"), "tiro")
    named = case["request"]["headers"]["Tenterhook-Tenant"]
    world.webhook({"url": "https://app.example.com/webhooks/tiro", "events": ["note.created"]})
    if case["name"] == "per-workspace":  # the endpoint belongs to another workspace than the event
        other = World(servers("production"), "tiro")
        world.names[named] = case["response"]["example"]["tenant"] = other.name
    elif case["name"] == "publish":
        world.names[named] = case["response"]["example"]["tenant"] = world.name
    else:
        world.names[named] = world.name
    return world


@setup("tsanet", "list", "list-problem-json", "delete", "delete-again")
def tsanet_subscription(servers, case, receiver):
    world = World(servers("production"), "tsanet")
    stranger = World(servers("production"), "tsanet")
    stranger.webhook({"callbackUrl": "https://other.example.com/"})
    made = world.webhook({"callbackUrl": "https://api.example.com/webhooks/tsanet",
                          "eventTypes": ["collaboration-request.created", "note.created"]})
    world.names["42"] = made["id"]
    if case["name"] == "delete-again":
        world.api.delete(f"/v1/webhooks/{made['id']}").expect(204)
    return world


@setup("tsanet", "deliveries-default-page", "deliveries-page-1-size-2")
def tsanet_log(servers, case, receiver):
    """Three attempts, 500, no connection, 200: the second and third by hand instead of after 10 and 60 seconds."""
    world = World(servers("development"), "tsanet")
    target = receiver(lambda _: Reply(500, body=b"boom", close=True))
    made = world.webhook({"callbackUrl": target.url()})
    data = {"eventType": "collaboration-request.created", "requestToken": "tok1", "timestamp": "2026-01-01T00:00:00Z"}
    body = json.dumps({"type": data["eventType"], "data": data}, separators=(",", ":")).encode()
    world.api.post("/v1/events", body, headers={"Content-Type": "application/json"}).expect(202)

    def attempts(n):
        row = world.deliveries()[0]
        return row if row["attempt_count"] == n else None

    row = eventually(lambda: attempts(1))
    target.close()
    world.api.post(f"/v1/deliveries/{row['id']}/retry").expect(202)
    eventually(lambda: attempts(2))
    again = Receiver(lambda _: Reply(200, body=b"ok"), port=target.port)
    try:
        world.api.post(f"/v1/deliveries/{row['id']}/retry").expect(202)
        eventually(lambda: attempts(3))
    finally:
        again.close()
    world.names["/42/"] = f"/{made['id']}/"
    for shown in case["response"]["example"]["content"]:
        shown["integrationId"] = made["id"]
    return world


def prepare(dialect, case, servers, receiver):
    make = SETUPS.get((dialect, case["name"]))
    return make(servers, case, receiver) if make else World(servers("production"), dialect)


@pytest.mark.parametrize("dialect, case", cases("management"))
def test_management(dialect, case, servers, receiver):
    case = json.loads(json.dumps(case))
    world = prepare(dialect, case, servers, receiver)
    example = case["response"].get("example")
    if (dialect, case["name"]) == ("standard", "create"):  # see the top
        example["rate_limit_per_second"] = example.pop("rate_limit")
        example["signature_variant"] = "v1"
    check(case, send(world, case["request"]))


@pytest.mark.parametrize("dialect, case", cases("publish"))
def test_publish(dialect, case, servers, receiver):
    case = json.loads(json.dumps(case))
    check(case, send(prepare(dialect, case, servers, receiver), case["request"]))


def test_every_setup_is_used():
    if not vectors("tsanet"):
        pytest.skip("no vectors: set TENTERHOOK_VECTORS")
    known = {(dialect, case["name"]) for dialect in DIALECTS for kind in ("management", "publish")
             for case in vectors(dialect).get(kind, ())}
    assert not set(SETUPS) - known


# ---- media types ----

@pytest.mark.parametrize("accept, want", [
    (None, "application/json"), ("*/*", "application/json"), ("application/json", "application/json"),
    ("application/json, application/problem+json", "application/json"),
    ("application/problem+json", "application/problem+json"),
    ("Application/Problem+JSON", "application/problem+json"),
    ("application/problem+json;q=0.9", "application/problem+json"),
    ("application/problem+json, */*", "application/json"),
    ("application/problem+json;q=0", "application/json"),
    ("application/json;q=0, application/problem+json", "application/problem+json"),
    ("text/html;q=0.0 , application/problem+json ; q=1.0", "application/problem+json"),
    ("application/problem+json, text/html", "application/json"),
    ("", "application/json"),
])
def test_media_types(production, accept, want):
    if not (vectors("tsanet") or {}).get("media_types"):
        pytest.skip("no vectors: set TENTERHOOK_VECTORS")
    world = World(production, "tsanet")
    headers = {"Accept": accept} if accept else {}
    bare, host = Api(production.port), {"Host": "tsanet.example"}
    made = world.api.post("/v1/webhooks", {"callbackUrl": "https://api.example.com/"}, headers=headers)
    path = f"/v1/webhooks/{made.json['id']}"
    stranger = World(production, "tsanet").api
    answers = {
        (200, "create"): made,
        (200, "list"): world.api.get("/v1/webhooks", headers=headers),
        (200, "log"): world.api.get(f"{path}/deliveries", headers=headers),
        (400, "create"): world.api.post("/v1/webhooks", {}, headers=headers),
        (401, "create"): bare.post("/v1/webhooks", {}, headers=headers | host),
        (401, "list"): bare.get("/v1/webhooks", headers=headers | host),
        (401, "log"): bare.get(f"{path}/deliveries", headers=headers | host),
        (401, "delete"): bare.delete(path, headers=headers | host),
        (403, "log"): stranger.get(f"{path}/deliveries", headers=headers),
        (403, "delete"): stranger.delete(path, headers=headers),
        (404, "log"): world.api.get("/v1/webhooks/999999/deliveries", headers=headers),
        (404, "delete"): world.api.delete("/v1/webhooks/999999", headers=headers),
    }
    for (status, name), answer in answers.items():
        assert (answer.status, answer.header("Content-Type")) == (status, want), name


# ---- what must never be ----

NEGATIVE = {}


def negative(dialect, text):
    def register(function):
        NEGATIVE[dialect, text] = function
        return function
    return register


def hexdigest(secret, content):
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


OWN = {"host", "content-length", "content-type", "user-agent"}


def others(request):
    return {name.lower() for name, _ in request.headers} - OWN


@negative("standard", "A secret of fewer than 24 or more than 64 bytes is refused.")
def _(world, receiver):
    for size, status in ((23, 422), (24, 201), (64, 201), (65, 422)):
        secret = "whsec_" + base64.b64encode(bytes(range(size))).decode()
        world.api.post("/v1/webhooks", {"url": "http://127.0.0.1:9999/", "secret": secret}).expect(status)


@negative("standard", "ids contain no full stop.")
def _(world, receiver):
    target = receiver()
    made = world.webhook({"url": target.url()})
    event = world.publish("a.b")
    for text in (made["id"], event["id"], world.ended(event)["id"], target.wait_for(1)[0].header("webhook-id")):
        assert "." not in text
    world.api.post("/v1/events", {"type": "a", "data": 1, "id": "a.b"}).expect(422)


@negative("standard", "The signature list is joined by exactly one space.")
def _(world, receiver):
    target = receiver()
    made = world.webhook({"url": target.url()})
    world.api.post(f"/v1/webhooks/{made['id']}/rotate-secret").expect(200)
    world.publish("a.b")
    assert re.fullmatch(r"v1,[A-Za-z0-9+/]{43}= v1,[A-Za-z0-9+/]{43}=", target.wait_for(1)[0].header("webhook-signature"))


@negative("taskboard", "The body is sent exactly as signed; no space, no line break at the end.")
def _(world, receiver):
    target = receiver()
    world.webhook({"url": target.url(), "events": ["task.created"], "secret": "s3cret"})
    world.publish("task.created", {"a": [1, {"b": "c d"}]})
    request = target.wait_for(1)[0]
    assert request.header("X-Webhook-Signature") == "sha256=" + hexdigest("s3cret", request.body)
    assert request.body == json.dumps(json.loads(request.body), separators=(",", ":")).encode()


@negative("taskboard", "X-Webhook-ID is the endpoint, the same for all events: never use it to detect duplicates. Nothing on the "
          "wire identifies the event (offer an extra header by choice).")
def _(world, receiver):
    target = receiver()
    made = world.webhook({"url": target.url(), "events": ["task.created"]})
    world.publish("task.created")
    world.publish("task.created")
    for request in target.wait_for(2):
        assert request.header("X-Webhook-ID") == made["id"]
        assert others(request) == {"x-webhook-id", "x-webhook-timestamp", "x-webhook-signature"}
    world.api.patch(f"/v1/webhooks/{made['id']}", {"options": {"delivery_header": True}}).expect(200)
    event = world.publish("task.created")
    assert target.wait_for(3)[2].header("X-Webhook-Delivery") == world.ended(event)["id"]


@negative("taskboard", "No event outside the subscribed list is sent; the list has no * (choice).")
def _(world, receiver):
    target = receiver()
    world.webhook({"url": target.url(), "events": ["task.created"]})
    assert world.publish("task.updated")["deliveries"] == 0
    assert world.publish("task.created")["deliveries"] == 1
    target.wait_for(1)
    for events in (["*"], ["task.*"], [], None):
        answer = world.api.post("/v1/webhooks", {"url": target.url(), "events": events}).expect(400)
        assert answer.json["error"]["param"] == "events"


@negative("taskboard", "A disabled webhook gets no request but a test.")
def _(world, receiver):
    target = receiver(lambda _: 500)
    made = world.webhook({"url": target.url(), "events": ["task.created"]})
    world.ended(world.publish("task.created"), "failed")
    seen = len(target.wait_for(4))
    assert seen == 4 and world.publish("task.created")["deliveries"] == 1
    world.api.post(f"/v1/webhooks/{made['id']}/test").expect(202)
    target.wait_for(5)
    assert world.api.get(f"/v1/webhooks/{made['id']}").json["active"] is False
    time.sleep(0.3)  # nothing may come, so there is nothing to wait for
    assert len(target.requests) == 5


@negative("techwriter", "metadata and description never appear on the wire.")
def _(world, receiver):
    request = techwriter_request(world, receiver, metadata={"private-name": "private-value"}, description="private words")
    assert b"private" not in request.raw_head + request.body


@negative("techwriter", "X-TechWriter-Event equals type in the body; X-TechWriter-Delivery equals id in the body (choice: event "
          "scope).")
def _(world, receiver):
    request = techwriter_request(world, receiver)
    body = json.loads(request.body)
    assert (request.header("X-TechWriter-Event"), request.header("X-TechWriter-Delivery")) == (body["type"], body["id"])


@negative("techwriter", "Header value has no space after the comma (npm stripe would refuse).")
def _(world, receiver):
    request = techwriter_request(world, receiver, rotate="another secret")
    assert re.fullmatch(r"t=\d+,v1=[0-9a-f]{64},v1=[0-9a-f]{64}", request.header("X-TechWriter-Signature"))


@negative("techwriter", "hex is lower case.")
def _(world, receiver):
    request = techwriter_request(world, receiver)
    stamp = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", request.header("X-TechWriter-Signature"))
    assert stamp[2] == hexdigest("tw_secret", stamp[1].encode() + b"." + request.body)


@negative("techwriter", "every attempt has its own t: with the t of attempt 1 the attempts 4 and 5 (offsets 335 and 2135 s) would "
          "fall outside the 5 min window.")
def _(world, receiver):
    target = receiver(lambda _: 500)
    techwriter_request(world, receiver, target)
    stamps = [int(re.match(r"t=(\d+),", request.header("X-TechWriter-Signature"))[1]) for request in target.wait_for(3)]
    assert len(set(stamps)) == 3 and all(abs(stamp - request.at) < 2 for stamp, request in zip(stamps, target.requests))


@negative("techwriter", "User-Agent is exactly TechWriter-Webhook/1.0.")
def _(world, receiver):
    assert techwriter_request(world, receiver).header("User-Agent") == "TechWriter-Webhook/1.0"


@negative("tiro", "No signature header of any kind; no timestamp; the secret never appears in the body, the URL or a log.")
def _(world, receiver):
    request, made = tiro_request(world, receiver)
    assert others(request) == {"authorization"}
    assert made["secret"].encode() not in request.body + request.target.encode()
    assert made["secret"] not in world.server.text()


@negative("tiro", "A redirect is never followed: the Authorization header would leak.")
def _(world, receiver):
    elsewhere = receiver()
    target = receiver(lambda _: Reply(302, headers=[("Location", elsewhere.url())]))
    tiro_request(world, receiver, target)
    target.wait_for(2)
    assert elsewhere.requests == []


@negative("tiro", "An event of another type than the endpoint subscribed to makes no delivery; an empty list means all (choice).")
def _(world, receiver):
    tiro_request(world, receiver)
    more = {"resource_type": "Note", "resource_id": "n"}
    assert world.publish("note.deleted", **more)["deliveries"] == 0
    world.webhook({"url": receiver().url(), "events": []})
    assert world.publish("note.deleted", **more)["deliveries"] == 1


@negative("tiro", "Header value has exactly one space after Bearer and no trailing white space.")
def _(world, receiver):
    request, made = tiro_request(world, receiver)
    assert f"\r\nAuthorization: Bearer {made['secret']}\r\n".encode() in request.raw_head + b"\r\n"


@negative("tsanet", "The list and the delivery log never contain a secret.")
def _(world, receiver):
    target = receiver()
    made = world.webhook({"callbackUrl": target.url()})
    world.ended(world.publish("note.created"))
    path = f"/v1/webhooks/{made['id']}"
    for answer in (world.api.get("/v1/webhooks"), world.api.get(path), world.api.get(f"{path}/deliveries")):
        assert answer.expect(200).body and made["secret"].encode() not in answer.body and b"ecret" not in answer.body
    assert made["secret"].encode() not in world.api.get(f"{path}/secret").expect(403).body


@negative("tsanet", "No other header of ours on the wire: no id, no event type, no timestamp.")
def _(world, receiver):
    target = receiver()
    made = world.webhook({"callbackUrl": target.url()})
    world.publish("note.created", {"eventType": "note.created"})
    request = target.wait_for(1)[0]
    assert others(request) == {"x-hub-signature-256"}
    assert request.header("X-Hub-Signature-256") == "sha256=" + hexdigest(made["secret"], request.body)


@negative("tsanet", "A subscription without event types gets both types; a subscription for one type gets only that one.")
def _(world, receiver):
    world.webhook({"callbackUrl": receiver().url()})
    world.webhook({"callbackUrl": receiver().url(), "eventTypes": ["note.created"]})
    assert world.publish("collaboration-request.created")["deliveries"] == 1
    assert world.publish("note.created")["deliveries"] == 2


@negative("tsanet", "validationErrors is left out or empty when the fault is not one of validation; never null.")
def _(world, receiver):
    bare = Api(world.server.port)
    host = {"Host": "tsanet.example"}
    stranger = World(world.server, "tsanet")
    made = stranger.webhook({"callbackUrl": "http://127.0.0.1:9999/"})
    for answer, status in ((bare.get("/v1/webhooks", headers=host), 401), (world.api.delete(f"/v1/webhooks/{made['id']}"), 403),
                           (world.api.delete("/v1/webhooks/999999"), 404),
                           (world.api.post("/v1/webhooks", b"{", headers={"Content-Type": "application/json"}), 400)):
        assert answer.expect(status).json.get("validationErrors", []) == []


@negative("tsanet", "Deleted: no further attempt of a pending delivery.")
def _(world, receiver):
    target = receiver(lambda _: 500)
    made = world.webhook({"callbackUrl": target.url()})
    event = world.publish("note.created")
    target.wait_for(1)
    world.api.delete(f"/v1/webhooks/{made['id']}").expect(204)
    world.ended(event, "cancelled")
    seen = len(target.requests)
    time.sleep(1.3)  # longer than the delay
    assert len(target.requests) == seen


def techwriter_request(world, receiver, target=None, rotate=None, **more):
    """The first request that an endpoint gets; http, so the receiver stands behind the dialect's https rule."""
    target = target or receiver()
    made = world.webhook({"url": target.url(), "events": ["*"], "secret": "tw_secret", **more})
    if rotate:
        world.api.post(f"/v1/webhooks/{made['id']}/rotate-secret", {"secret": rotate}).expect(200)
    world.publish("document.published")
    return target.wait_for(1)[0]


def tiro_request(world, receiver, target=None):
    target = target or receiver()
    made = world.webhook({"url": target.url(), "events": ["note.created"]})
    world.publish("note.created", resource_type="Note", resource_id="n")
    return target.wait_for(1)[0], made


NEEDS_TLS = {"techwriter"}


def negative_cases():
    found = [pytest.param(dialect, text, id=f"{dialect}/{i}") for dialect in DIALECTS if vectors(dialect)
             for i, text in enumerate(vectors(dialect)["negative"])]
    return found or [pytest.param(None, None, marks=pytest.mark.skip(reason="no vectors: set TENTERHOOK_VECTORS"))]


@pytest.mark.parametrize("dialect, text", negative_cases())
def test_negative(dialect, text, servers, receiver, tls_receiver):
    world = World(servers("secure" if dialect in NEEDS_TLS else "fast"), dialect)
    over_tls = lambda answer=None: tls_receiver(answer=answer)  # noqa: E731
    NEGATIVE[dialect, text](world, over_tls if dialect in NEEDS_TLS else receiver)
