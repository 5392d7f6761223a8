"""What a restart must neither forget nor bring back: every setting, key, secret and mark, after a clean stop and after kill -9.

`test_every_setting_survives` gives each member of every object that can be set a value that is not its default, and compares
everything that can be read before and after. A member that the schema of the API gets and this file does not know fails the test.
"""
import base64
import datetime
import json
import time

import pytest

from harness.dialects import dialect_text
from harness.expect import deliveries, eventually, problem, settled
from harness.receiver import Reply
from harness.signature import SignatureError, verify

ENDS = ["stop", "kill"]
SCOPES = ["events:publish", "webhooks:read", "webhooks:manage"]
OWN_SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()

# Each member of an endpoint with a value that differs from its default, for a tenant of the dialect `standard`.
ENDPOINT = {
    "url": "",  # the receiver's
    "events": ["order.paid", "invoice.*"],
    "active": False,
    "description": "kept ☃",
    "metadata": {"team": "blue", "tier": 3, "vip": True},
    "headers": {"X-Team": "blue", "X-Room": "4"},
    "authentication": {"type": "basic", "username": "user", "password": "pw"},
    "tls": {},  # the receivers here speak http; test_client_tls.py restarts with it
    "timeout_seconds": 7,
    "max_in_flight": 3,
    "rate_limit_per_second": 2.5,
    "signature_variant": "v1",
    "options": {},  # the dialect has none; see test_options_and_variants_survive
    "secret": OWN_SECRET,
    "url_secret": True,
    "filter": "$[?@.data.n > 1 && @.type != 'x']",
    "channels": ["red", "org/7"],
    "reenable": "on_test",
    "retry": {"delays": [3, 60], "jitter_percent": 5, "final": ["404", "4xx"], "respect_retry_after": False},
    "ordering": {"key": "$.data.n", "max_wait": "90m"},
    "payload_version": "2026-03-01",
    "method": "PATCH",
    "body_format": "form",
    "trace_context": "on",
    "source_address": "home",  # SOURCES
    "template": {"id": {"$": "$.id"}, "n": {"$": "$.data.n"}, "of": ["restart", {"$upper": {"$": "$.type"}}]},
}
SOURCES = ["--source-address", "home=127.0.0.1"]
MOVED = {"previous_secret", "previous_expires_at"}  # only with moved=true; test_both_signatures.py moves and restarts them
TENANT = {"name": "Acme & Söhne", "dialect": "standard", "attributes": {"source": "//acme", "n": 7},
          "retention_seconds": 86400, "limits": {}}  # each that the schema has
OPERATOR_KEY = {"role": "support", "name": "of the help desk", "expires_at": "2099-01-02T03:04:05.000Z"}
KEY = {"scopes": ["events:publish"], "description": "of the shop", "expires_at": "2099-01-02T03:04:05.000Z"}


def end(running, how):
    """Ends the process and starts the next one on the same data."""
    if how == "kill":
        running.kill()
    else:
        assert running.stop() == 0
    running.start()


def members(api, schema):
    """The members that a request of this schema may have."""
    return set(api.get("/openapi.json").expect(200).json["components"]["schemas"][schema]["properties"])


def everything(api):
    """All that can be read of all tenants, as one value that two processes can be compared by."""
    seen = {"tenants": api.pages("/v1/tenants"), "dialects": api.get("/v1/dialects").expect(200).json,
            "operators' keys": api.get("/v1/keys").expect(200).json,
            "event types": api.get("/v1/event-types").expect(200).json}
    for tenant in [row["id"] for row in seen["tenants"]]:
        of = api.as_tenant(tenant)
        one = seen[tenant] = {"tenant": api.get(f"/v1/tenants/{tenant}").expect(200).json,
                              "keys": api.get(f"/v1/tenants/{tenant}/keys").expect(200).json,
                              "webhooks": of.get("/v1/webhooks").expect(200).json,
                              "event types": api.get(f"/v1/tenants/{tenant}/event-types").expect(200).json,
                              "events": of.get("/v1/events").expect(200).json,
                              "deliveries": of.get("/v1/deliveries").expect(200).json}
        rows = one["webhooks"]["data"] if isinstance(one["webhooks"], dict) else one["webhooks"]
        for row in rows:
            path = f"/v1/webhooks/{row['id']}"
            shown = of.get(path).expect(200)
            one[path] = {"body": shown.json, "etag": shown.header("ETag"),
                         "secret": of.get(f"{path}/secret").expect(200, 403).json,
                         "log": of.get(f"{path}/deliveries").expect(200).json}
        for row in one["events"]["data"]:
            one[row["id"]] = of.get(f"/v1/events/{row['id']}").expect(200).json
        for row in one["deliveries"]["data"]:
            one[row["id"]] = of.get(f"/v1/deliveries/{row['id']}").expect(200).json
    for volatile in ("request_id",):
        seen.pop(volatile, None)
    return seen


@pytest.mark.parametrize("how", ENDS)
def test_every_setting_survives(server, receiver, how):
    running, target = server(flags=SOURCES), receiver()
    api = running.api
    assert members(api, "WebhookNew") == set(ENDPOINT) | MOVED, "a setting that this test does not know"
    assert members(api, "TenantPut") == set(TENANT), "a setting that this test does not know"
    assert members(api, "KeyNew") == set(KEY), "a setting that this test does not know"
    assert members(api, "OperatorKeyNew") == set(OPERATOR_KEY), "a setting that this test does not know"
    names = api.get("/openapi.json").json["components"]["schemas"]["TenantPut"]["properties"]["limits"]["properties"]
    limits = {name: 900 + n for n, name in enumerate(names)}
    made = api.put("/v1/tenants/acme", TENANT | {"limits": limits}).expect(201).json
    assert len(limits) > 4 and made["limits"] == limits
    api.post("/v1/tenants/acme/keys", KEY).expect(201)
    api.post("/v1/keys", OPERATOR_KEY).expect(201)
    acme = api.as_tenant("acme")
    plain = acme.post("/v1/webhooks", {"url": target.url("/plain")}).expect(201).json
    full = acme.post("/v1/webhooks", ENDPOINT | {"url": target.url("/full")}).expect(201).json
    for name in set(ENDPOINT) - {"secret", "signature_variant", "options", "tls"}:
        assert full[name] != plain.get(name), f"{name} has its default"
    changed = acme.post("/v1/webhooks", {"url": target.url("/changed")}).expect(201).json
    acme.patch(f"/v1/webhooks/{changed['id']}",
               {name: value for name, value in ENDPOINT.items() if name not in ("url", "secret")} | {"active": True}).expect(200)
    acme.post("/v1/events", {"type": "order.paid", "data": {"n": 1.50}, "id": "own", "resource_type": "order",
                             "resource_id": "o-1", "time": "2026-01-02T03:04:05.678Z", "channels": ["red"]}).expect(202)
    eventually(lambda: len([r for r in target.requests if r.target in ("/plain", "/changed")]) == 2)
    settled(acme, 2)
    before, sent = everything(api), {r.target: r for r in target.requests}
    assert before["acme"]["deliveries"]["data"] and before["acme"]["keys"]["data"]

    end(running, how)
    after = everything(running.api)
    assert json.dumps(after, indent=1, sort_keys=True) == json.dumps(before, indent=1, sort_keys=True)

    # on the wire: the same requests but for id, time and signature
    acme = running.api.as_tenant("acme")
    acme.patch(f"/v1/webhooks/{full['id']}", {"active": True}).expect(200)
    acme.post("/v1/events", {"type": "order.paid", "data": {"n": 1.50}, "channels": ["org/7"]}).expect(202)
    again = lambda path: [r for r in target.requests if r.target == path][-1]  # noqa: E731
    eventually(lambda: {r.target for r in target.requests[len(sent):]} >= {"/plain", "/full", "/changed"})
    for path, secret in (("/plain", plain["secret"]), ("/full", OWN_SECRET), ("/changed", changed["secret"])):
        verify(secret, again(path))
        names = lambda request: [(n, v) for n, v in request.headers if not n.lower().startswith("webhook-")  # noqa: E731
                                 and n.lower() != "content-length"]
        if path in sent:
            assert names(again(path)) == names(sent[path])
    for path in ("/full", "/changed"):
        assert again(path).header("X-Team") == "blue" and again(path).header("Authorization") == "Basic dXNlcjpwdw=="


@pytest.mark.parametrize("how", ENDS)
def test_pace_and_timeout_are_kept_on_the_wire(server, receiver, how):
    """A rate, a limit of requests in flight and a time limit are still kept by the next process."""
    running = server()
    api, slow, few = running.api, receiver(), receiver(answer=lambda _: Reply(hang=True))
    paced = api.post("/v1/webhooks", {"url": slow.url(), "events": ["rate"], "rate_limit_per_second": 2}).expect(201).json
    held = api.post("/v1/webhooks", {"url": few.url(), "events": ["few"], "max_in_flight": 1, "timeout_seconds": 2}).expect(201).json
    end(running, how)
    api = running.api
    for path, name, value in ((paced["id"], "rate_limit_per_second", 2), (held["id"], "max_in_flight", 1),
                              (held["id"], "timeout_seconds", 2)):
        assert api.get(f"/v1/webhooks/{path}").expect(200).json[name] == value
    api.post("/v1/events/batch", [{"type": "rate", "data": n} for n in range(5)] + [{"type": "few", "data": n} for n in range(3)]).expect(202)
    times = [request.mono for request in slow.wait_for(5)]
    assert times[4] - times[0] > 0.9, times  # five requests need at least two seconds less the first ones' allowance
    rows = eventually(lambda: [row for row in deliveries(api, endpoint=held["id"]) if row["attempt_count"]])
    attempt = api.get(f"/v1/deliveries/{rows[0]['id']}").expect(200).json["attempts"][0]
    assert attempt["outcome"] == "timeout" and 1900 < attempt["duration_ms"] < 12000
    assert len(few.requests) <= 2, "only one at a time: the second after the first timed out"


@pytest.mark.parametrize("how", ENDS)
def test_keys_are_what_they_were(server, how):
    """A revoked key stays revoked, an end of life stays, and scopes grow no wider."""
    running = server()
    api = running.api
    api.put("/v1/tenants/acme", {"name": "Acme", "dialect": "standard"}).expect(201)
    soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)).isoformat()
    make = lambda scopes, **more: api.post("/v1/tenants/acme/keys", {"scopes": scopes, **more}).expect(201).json  # noqa: E731
    revoked, mortal = make(SCOPES), make(SCOPES, expires_at=soon)
    publish, read, manage = (make([scope]) for scope in SCOPES)
    api.delete(f"/v1/tenants/acme/keys/{revoked['id']}").expect(204)
    hook = api.as_tenant("acme").post("/v1/webhooks", {"url": "http://127.0.0.1:50999/x", "active": False}).expect(201).json

    def check():
        """Status of each call with each key."""
        calls = [("POST", "/v1/events", {"type": "a.b", "data": {}}), ("GET", "/v1/webhooks", None),
                 ("PATCH", f"/v1/webhooks/{hook['id']}", {"description": "x"}), ("GET", f"/v1/webhooks/{hook['id']}/secret", None)]
        return {name: [running.api.with_key(key["key"]).request(method, path, body).status for method, path, body in calls]
                for name, key in (("revoked", revoked), ("publish", publish), ("read", read), ("manage", manage))}

    before = check()
    assert before == {"revoked": [401] * 4, "publish": [202, 403, 403, 403], "read": [403, 200, 403, 403],
                      "manage": [403, 200, 200, 200]}
    rows = lambda: running.api.get("/v1/tenants/acme/keys").expect(200).json["data"]  # noqa: E731
    listed = rows()
    assert [row["scopes"] for row in listed if row["id"] == read["id"]] == [["webhooks:read"]], "and not answers:read"
    running.api.with_key(mortal["key"]).get("/v1/webhooks").expect(200)
    end(running, how)
    assert check() == before and rows() == listed
    eventually(lambda: running.api.with_key(mortal["key"]).get("/v1/webhooks").status == 401, 20, "the end of the key")
    end(running, how)
    problem(running.api.with_key(mortal["key"]).get("/v1/webhooks"), 401)
    assert check() == before


def signed_by(request, secrets):
    """Which of the secrets have signed."""
    found = []
    for name, secret in secrets.items():
        try:
            verify(secret, request)
            found.append(name)
        except SignatureError:
            pass
    return found


@pytest.mark.parametrize("how", ENDS)
def test_secrets_are_what_they_were(server, receiver, how):
    """A revoked secret signs nothing, a replaced one does not come back, an overlap goes on and ends."""
    running, target = server(), receiver()
    api = running.api
    hooks, secrets = {}, {}
    for name in ("replaced", "overlap", "revoked", "short"):
        made = api.post("/v1/webhooks", {"url": target.url(f"/{name}")}).expect(201).json
        hooks[name], secrets[name] = made["id"], {"first": made["secret"]}
    overlaps = {"replaced": 0, "overlap": 3600, "revoked": None, "short": 5}
    for name, overlap in overlaps.items():
        shown = api.post(f"/v1/webhooks/{hooks[name]}/rotate-secret", {"overlap_seconds": overlap}).expect(200).json
        secrets[name]["second"] = shown["secrets"][0]["secret"]
    rotated = time.monotonic()
    api.delete(f"/v1/webhooks/{hooks['revoked']}/secret/previous").expect(204)

    def signatures():
        # by the event's id: after a kill the request of an event before may come once more
        event = running.api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202).json["id"]
        of = lambda requests: [r for r in requests if r.header("webhook-id") == event]  # noqa: E731
        new = of(target.wait_for(lambda requests: len(of(requests)) >= 4))
        return {r.target[1:]: (signed_by(r, secrets[r.target[1:]]), len(r.header("webhook-signature").split())) for r in new}

    def shown():
        return {name: running.api.get(f"/v1/webhooks/{hooks[name]}/secret").expect(200).json["secrets"] for name in hooks}

    end(running, how)
    expected = {"replaced": (["second"], 1), "overlap": (["first", "second"], 2), "revoked": (["second"], 1)}
    found = signatures()
    assert {name: found[name] for name in expected} == expected
    eventually(lambda: time.monotonic() > rotated + 5.2, 20)
    assert signatures() == expected | {"short": (["second"], 1)}
    before = shown()
    end(running, how)
    assert signatures() == expected | {"short": (["second"], 1)}
    strip = lambda rows: {n: [s for s in r if s["secret"] in (secrets[n]["second"],) or n == "overlap"] for n, r in rows.items()}  # noqa: E731
    assert strip(shown()) == strip(before)


@pytest.mark.parametrize("how", ENDS)
def test_marks_of_endpoints_are_what_they_were(server, receiver, how):
    """Disabled stays disabled with its time and reason; enabled again stays enabled; deleted stays deleted."""
    running, gone = server(), receiver(answer=lambda _: 410)
    api = running.api
    off, on, deleted = (api.post("/v1/webhooks", {"url": gone.url(f"/{n}")}).expect(201).json["id"] for n in range(3))
    api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    look = lambda hook: running.api.get(f"/v1/webhooks/{hook}").expect(200).json  # noqa: E731
    eventually(lambda: all(look(hook)["disabled"] for hook in (off, on, deleted)))
    api.patch(f"/v1/webhooks/{on}", {"active": True}).expect(200)
    api.delete(f"/v1/webhooks/{deleted}").expect(204)
    before = look(off), look(on)
    assert before[0]["disabled"]["reason"] and before[1]["disabled"] is None
    end(running, how)
    assert (look(off), look(on)) == before
    problem(running.api.get(f"/v1/webhooks/{deleted}"), 404)
    gone.answer = None
    event = running.api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202).json["id"]
    of = lambda requests: [r.target for r in requests if r.header("webhook-id") == event]  # noqa: E731
    gone.wait_for(of)
    time.sleep(0.5)
    assert of(gone.requests) == ["/1"]
    assert (look(off), look(on)) == before


@pytest.mark.parametrize("how", ENDS)
def test_options_and_variants_survive(server, receiver, how):
    """Members that only some dialects have: another form of the signature, options, attributes in headers and envelopes."""
    running, target = server(), receiver()
    api = running.api
    api.put("/v1/tenants/board", {"name": "B", "dialect": "taskboard"}).expect(201)
    api.put("/v1/tenants/cloud", {"name": "C", "dialect": "cloudevents", "attributes": {"source": "//shop"}}).expect(201)
    board = api.as_tenant("board").post("/v1/webhooks", {"url": target.url("/board"), "events": ["task.created"],
                                                         "signature_variant": "bare", "options": {"delivery_header": True}})
    cloud = api.as_tenant("cloud").post("/v1/webhooks", {"url": target.url("/cloud"), "options": {"signed": False}})
    api.put("/v1/tenants/tech", {"name": "T", "dialect": "techwriter"}).expect(201)
    tech = api.as_tenant("tech").post("/v1/webhooks", {"url": "https://127.0.0.1:50999/tech", "events": ["*"], "secret": "s",
                                                       "timeout": 2.5}).expect(200, 201).json
    assert tech["timeout"] == 2.5
    asked = [("board", board.expect(201).json["id"]), ("cloud", cloud.expect(200, 201).json["id"]), ("tech", tech["id"])]
    look = lambda: [running.api.as_tenant(t).get(f"/v1/webhooks/{hook}").expect(200).json for t, hook in asked]  # noqa: E731
    before = look()

    def sent():
        count = len(target.requests)
        running.api.as_tenant("board").post("/v1/events", {"type": "task.created", "data": {"id": "1"}}).expect(202)
        running.api.as_tenant("cloud").post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
        new = {r.target: r for r in target.wait_for(lambda requests: len({r.target for r in requests[count:]}) == 2)[count:]}
        assert len(new["/board"].header("X-Webhook-Signature")) == 64, "the variant without the prefix"
        assert new["/board"].header("X-Webhook-Delivery"), "the option that adds a header"
        assert new["/cloud"].header("ce-source") == "//shop"
        return {path: [name for name, _ in request.headers] for path, request in new.items()}

    names = sent()
    end(running, how)
    assert look() == before and sent() == names
    assert running.api.get("/v1/tenants/cloud").expect(200).json["attributes"] == {"source": "//shop"}


def test_rules_for_disabling_are_looked_at_when_a_process_starts(server, receiver, tmp_path):
    """Two deliveries are exhausted under a rule that allows three; the next process has a rule that allows one."""
    dialects = tmp_path / "dialects"
    dialects.mkdir()
    text = dialect_text("standard").replace("delays: [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]", "delays: [1]")
    assert "after_exhausted: 0" in text and "delays: [1]" in text
    (dialects / "standard.yaml").write_text(text.replace("after_exhausted: 0", "after_exhausted: 3"))
    running, target = server(flags=["--dialects", str(dialects)]), receiver(answer=lambda _: 500)
    hook = running.api.post("/v1/webhooks", {"url": target.url()}).expect(201).json["id"]
    for _ in range(2):
        running.api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    settled(running.api, 2, "failed")
    assert running.api.get(f"/v1/webhooks/{hook}").expect(200).json["disabled"] is None
    running.stop()
    (dialects / "standard.yaml").write_text(text.replace("after_exhausted: 0", "after_exhausted: 1"))
    running.start()
    look = lambda: running.api.get(f"/v1/webhooks/{hook}").expect(200).json["disabled"]  # noqa: E731
    assert eventually(look, 20, "the disabling at the start")["reason"] == "exhausted"
    assert len(target.requests) == 4, "nothing was sent for it"


@pytest.mark.parametrize("how", ENDS)
def test_publishers_are_answered_as_before(server, how):
    """Idempotency keys of events and of settings, and a publisher's own ids, are known to the next process."""
    running = server()
    event, key = {"type": "a.b", "data": {}, "id": "own-1"}, {"Idempotency-Key": "k1"}
    first = running.api.post("/v1/events", event, headers=key).expect(202)
    hook = running.api.post("/v1/webhooks", {"url": "http://127.0.0.1:50999/x"}, headers=key).expect(201)
    end(running, how)
    again = running.api.post("/v1/events", event, headers=key).expect(202)
    assert again.json == first.json and again.header("Idempotency-Replayed") == "true"
    hook_again = running.api.post("/v1/webhooks", {"url": "http://127.0.0.1:50999/x"}, headers=key).expect(201)
    assert hook_again.json == hook.json and hook_again.header("Idempotency-Replayed") == "true"
    problem(running.api.post("/v1/events", event), 409)
    problem(running.api.post("/v1/events", event | {"data": 1}, headers=key), 422)
