"""Endpoints, tenants, keys: the management routes in the native dialect."""
import base64
import datetime
import re
import threading
import time

import pytest

from harness.expect import deliveries, eventually, pointers, problem, settled
from harness.receiver import Reply
from harness.signature import SignatureError, verify

NATIVE = {"id", "url", "events", "active", "description", "metadata", "headers", "timeout_seconds", "max_in_flight",
          "rate_limit_per_second", "signature_variant", "created_at", "updated_at", "disabled"}


def make(api, receiver=None, **more):
    url = receiver.url() if receiver else "http://127.0.0.1:9999/hook"
    return api.post("/v1/webhooks", {"url": url, **more}).expect(201).json


def publish(api, **more):
    return api.post("/v1/events", {"type": "a.b", "data": {}, **more}).expect(202).json


# ---- endpoints ----

def test_created_endpoint_shows_its_secret_once(tenant):
    made = make(tenant, events=["a.b"], description="d", metadata={"team": "x"})
    assert NATIVE | {"secret"} == set(made)
    assert made["secret"].startswith("whsec_") and 24 <= len(base64.b64decode(made["secret"][6:])) <= 64
    assert made["active"] is True and made["disabled"] is None and made["events"] == ["a.b"]
    shown = tenant.get(f"/v1/webhooks/{made['id']}").expect(200)
    assert set(shown.json) == NATIVE
    assert shown.json == {name: value for name, value in made.items() if name != "secret"}
    assert shown.header("ETag")


def test_own_secret(tenant, receiver):
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
    target = receiver()
    assert make(tenant, target, secret=secret)["secret"] == secret
    publish(tenant)
    verify(secret, target.wait_for(1)[0])


@pytest.mark.parametrize("body, pointer", [
    ({}, "/url"),
    ({"url": 5}, "/url"),
    ({"url": "not a url"}, "/url"),
    ({"url": "ftp://example.com/"}, "/url"),
    ({"url": "http://user:pw@example.com/"}, "/url"),
    ({"url": "http://10.0.0.1/"}, "/url"),
    ({"url": "http://169.254.169.254/latest"}, "/url"),
    ({"url": "http://[fd00::1]/"}, "/url"),
    ({"url": "http://127.0.0.1:9999/", "nonsense": 1}, "/nonsense"),
    ({"url": "http://127.0.0.1:9999/", "events": "a.b"}, "/events"),
    ({"url": "http://127.0.0.1:9999/", "events": ["a.b", "a b"]}, "/events/1"),
    ({"url": "http://127.0.0.1:9999/", "active": "yes"}, "/active"),
    ({"url": "http://127.0.0.1:9999/", "secret": "short"}, "/secret"),
    ({"url": "http://127.0.0.1:9999/", "timeout_seconds": 0}, "/timeout_seconds"),
    ({"url": "http://127.0.0.1:9999/", "timeout_seconds": 31}, "/timeout_seconds"),
    ({"url": "http://127.0.0.1:9999/", "headers": {"Host": "evil"}}, "/headers/Host"),
    ({"url": "http://127.0.0.1:9999/", "headers": {"Content-Length": "3"}}, "/headers/Content-Length"),
    ({"url": "http://127.0.0.1:9999/", "headers": {"webhook-signature": "v1,x"}}, "/headers/webhook-signature"),
    ({"url": "http://127.0.0.1:9999/", "headers": {"X-A": "a\r\nX-B: b"}}, "/headers/X-A"),
    ({"url": "http://127.0.0.1:9999/", "headers": {"X-A": "a\nX-B: b"}}, "/headers/X-A"),
    ({"url": "http://127.0.0.1:9999/", "headers": {"X-A": "a\rX-B: b"}}, "/headers/X-A"),
    ({"url": "http://127.0.0.1:9999/", "headers": {"X-A": "a\n"}}, "/headers/X-A"),
    ({"url": "http://127.0.0.1:9999/", "headers": {"X-A": "\n"}}, "/headers/X-A"),
    ({"url": "http://127.0.0.1:9999/", "headers": {"X-A": "a\u0000b"}}, "/headers/X-A"),
    ({"url": "http://127.0.0.1:9999/", "headers": {"X-A\nX-B": "b"}}, "/headers/X-A\nX-B"),
    ({"url": "http://127.0.0.1:9999/", "headers": {"": "x"}}, "/headers/"),
])
def test_invalid_endpoints_are_refused(tenant, body, pointer):
    assert pointer in pointers(tenant.post("/v1/webhooks", body))


def test_custom_headers_are_sent(tenant, receiver):
    target = receiver()
    make(tenant, target, headers={"X-Team": "blue"})
    publish(tenant)
    assert target.wait_for(1)[0].header("X-Team") == "blue"


def test_list_pages(tenant):
    ids = [make(tenant)["id"] for _ in range(5)]
    assert [row["id"] for row in tenant.pages("/v1/webhooks", limit=2)] == ids[::-1]


def test_patch_is_a_merge(tenant):
    made = make(tenant, description="first", metadata={"a": "1", "b": "2"})
    path = f"/v1/webhooks/{made['id']}"
    changed = tenant.patch(path, {"description": "second", "metadata": {"a": None}}).expect(200).json
    assert changed["description"] == "second" and changed["metadata"] == {"b": "2"}
    assert changed["url"] == made["url"] and changed["events"] == made["events"]
    again = tenant.patch(path, {"description": None}).expect(200).json
    assert again["description"] is None
    assert "/nonsense" in pointers(tenant.patch(path, {"nonsense": 1}))
    assert "/url" in pointers(tenant.patch(path, {"url": "http://10.0.0.1/"}))
    assert tenant.get(path).json == again


@pytest.mark.parametrize("text, value", [("12", 12), ("12.0", 12), ("1.2e1", 12), ("120e-1", 12), ("12.5", None),
                                         ("1e400", None), ("9223372036854775808", None), ("-12", None)])
def test_an_integer_may_be_written_in_any_way(tenant, text, value):
    path, body = f"/v1/webhooks/{make(tenant)['id']}", b'{"timeout_seconds":' + text.encode() + b"}"
    answer = tenant.patch(path, body, headers={"Content-Type": "application/json"})
    if value is None:
        assert pointers(answer) == ["/timeout_seconds"]
    else:
        assert answer.expect(200).json["timeout_seconds"] == value


@pytest.mark.parametrize("media, status", [("application/merge-patch+json", 200), ("application/json", 200),
                                           ("application/json-patch+json", 415), ("text/plain", 415)])
def test_a_patch_is_a_merge_patch(tenant, media, status):
    path = f"/v1/webhooks/{make(tenant)['id']}"
    answer = tenant.patch(path, b"{}", headers={"Content-Type": media}).expect(status)
    assert status == 200 or answer.header("Accept-Patch") == "application/merge-patch+json, application/json"


def test_etag_and_if_match(tenant):
    path = f"/v1/webhooks/{make(tenant)['id']}"
    etag = tenant.get(path).expect(200).header("ETag")
    changed = tenant.patch(path, {"description": "x"}, headers={"If-Match": etag}).expect(200)
    assert changed.header("ETag") not in (None, etag)
    problem(tenant.patch(path, {"description": "y"}, headers={"If-Match": etag}), 412)
    problem(tenant.delete(path, headers={"If-Match": etag}), 412)
    assert tenant.get(path).json["description"] == "x"
    tenant.delete(path, headers={"If-Match": "*"}).expect(204)


def test_delete_ends_everything(tenant, receiver):
    target = receiver(answer=lambda _: 500)
    made = make(tenant, target)
    publish(tenant)
    settled(tenant, 1, status="retrying")
    tenant.delete(f"/v1/webhooks/{made['id']}").expect(204)
    problem(tenant.get(f"/v1/webhooks/{made['id']}"), 404)
    problem(tenant.delete(f"/v1/webhooks/{made['id']}"), 404)
    settled(tenant, 1, status="cancelled")
    assert publish(tenant)["deliveries"] == 0


def test_another_tenants_endpoint_is_404(shared, tenant):
    made = make(shared.api)
    for answer in (tenant.get(f"/v1/webhooks/{made['id']}"), tenant.patch(f"/v1/webhooks/{made['id']}", {}),
                   tenant.delete(f"/v1/webhooks/{made['id']}"), tenant.post(f"/v1/webhooks/{made['id']}/test"),
                   tenant.get(f"/v1/webhooks/{made['id']}/secret")):
        problem(answer, 404)


def test_paused_holds_and_resumed_sends_in_order(tenant, receiver):
    target = receiver()
    made = make(tenant, target, max_in_flight=1)
    path = f"/v1/webhooks/{made['id']}"
    assert tenant.patch(path, {"active": False}).expect(200).json["active"] is False
    ids = [publish(tenant)["id"] for _ in range(5)]
    assert {row["status"] for row in deliveries(tenant)} == {"held"} and target.requests == []
    tenant.patch(path, {"active": True}).expect(200)
    target.wait_for(5)
    settled(tenant, 5)
    assert target.ids() == ids


def test_gone_disables_and_patch_enables(tenant, receiver):
    target = receiver().script(410, 200)
    made = make(tenant, target)
    path = f"/v1/webhooks/{made['id']}"
    publish(tenant)
    row = settled(tenant, 1, status="failed")[0]
    assert tenant.get(f"/v1/deliveries/{row['id']}").json["reason"] == "final_status"
    disabled = eventually(lambda: tenant.get(path).json["disabled"])
    assert disabled["at"] and disabled["reason"]
    publish(tenant)
    settled(tenant, 1, status="held")
    assert tenant.patch(path, {"active": True}).expect(200).json["disabled"] is None
    settled(tenant, 1, status="delivered")


def test_the_test_route_sends_although_paused(tenant, receiver):
    target = receiver(answer=lambda _: 500)
    made = make(tenant, target, events=["x.y"], active=False)
    answer = tenant.post(f"/v1/webhooks/{made['id']}/test", {}).expect(202).json
    request = target.wait_for(1)[0]
    assert b'"x.y"' in request.body
    verify(made["secret"], request)
    row = eventually(lambda: [r for r in [tenant.get(f"/v1/deliveries/{answer['id']}").expect(200).json]
                              if r["status"] == "failed"])[0]
    assert len(row["attempts"]) == 1 and row["attempts"][0]["status"] == 500
    tenant.post(f"/v1/webhooks/{made['id']}/test", {"type": "other.type"}).expect(202)
    assert b'"other.type"' in target.wait_for(2)[1].body


def test_manual_retry_goes_at_once(tenant, receiver):
    target = receiver().script(500, 200)
    make(tenant, target)
    publish(tenant)
    row = settled(tenant, 1, status="retrying")[0]
    before = time.monotonic()
    tenant.post(f"/v1/deliveries/{row['id']}/retry").expect(202)
    requests = target.wait_for(2)
    assert requests[1].mono - before < 4.5 and requests[0].header("webhook-id") == requests[1].header("webhook-id")
    settled(tenant, 1)
    tenant.post(f"/v1/deliveries/{row['id']}/retry").expect(202)
    target.wait_for(3)
    detail = eventually(lambda: [d for d in [tenant.get(f"/v1/deliveries/{row['id']}").json]
                                 if len(d["attempts"]) == 3])[0]
    assert sorted(attempt["number"] for attempt in detail["attempts"]) == [1, 2, 3]
    problem(tenant.post("/v1/deliveries/dlv_nonsense/retry"), 404)


def test_rotate_secret(tenant, receiver):
    target = receiver()
    made = make(tenant, target)
    path = f"/v1/webhooks/{made['id']}"
    assert [s["secret"] for s in tenant.get(f"{path}/secret").expect(200).json["secrets"]] == [made["secret"]]
    rotated = tenant.post(f"{path}/rotate-secret", {"overlap_seconds": None}).expect(200).json["secrets"]
    assert len(rotated) == 2
    new = next(s["secret"] for s in rotated if s["secret"] != made["secret"])
    publish(tenant)
    request = target.wait_for(1)[0]
    verify(new, request)
    verify(made["secret"], request)
    assert len(request.header("webhook-signature").split(" ")) == 2
    problem(tenant.post(f"{path}/rotate-secret", {}), 409)
    tenant.delete(f"{path}/secret/previous").expect(204)
    publish(tenant)
    request = target.wait_for(2)[1]
    verify(new, request)
    with pytest.raises(SignatureError):
        verify(made["secret"], request)


def test_rotate_without_overlap_switches_at_once(tenant, receiver):
    target = receiver()
    made = make(tenant, target)
    given = "whsec_" + base64.b64encode(b"x" * 32).decode()
    rotated = tenant.post(f"/v1/webhooks/{made['id']}/rotate-secret", {"secret": given, "overlap_seconds": 0})
    assert [s["secret"] for s in rotated.expect(200).json["secrets"]] == [given]
    publish(tenant)
    request = target.wait_for(1)[0]
    verify(given, request)
    with pytest.raises(SignatureError):
        verify(made["secret"], request)


def test_the_old_secret_is_gone_at_its_end(tenant):
    """Nothing else happens on the server between the end and the reading: the clock is read for the request."""
    made = make(tenant)
    path = f"/v1/webhooks/{made['id']}"
    rotated = tenant.post(f"{path}/rotate-secret", {"overlap_seconds": 1}).expect(200).json["secrets"]
    end = datetime.datetime.fromisoformat(rotated[1]["expires_at"])
    time.sleep((end - datetime.datetime.now(datetime.timezone.utc)).total_seconds() + 0.02)
    assert tenant.get(f"{path}/secret").expect(200).json["secrets"] == rotated[:1]


def same_again(api, path, body, key):
    """Sends a request twice with one key; the second answer must be the first. Gives that answer."""
    headers = {"Idempotency-Key": key}
    first = api.post(path, body, headers=headers).expect(200, 201, 202)
    again = api.post(path, body, headers=headers).expect(first.status)
    assert again.body == first.body and again.header("Idempotency-Replayed") == "true"
    assert first.header("Idempotency-Replayed") is None
    for name in ("Location", "ETag", "Content-Type", "Cache-Control"):
        assert again.header(name) == first.header(name)
    problem(api.post(path, {**(body or {}), "other": 1}, headers=headers), 422)
    return first


def test_a_key_repeats_every_answer_of_management(shared, tenant, receiver):
    """Also where what the first request did would refuse a second: two secrets are active, the time has passed."""
    target = receiver()
    made = same_again(tenant, "/v1/webhooks", {"url": target.url()}, "k1").json
    path = f"/v1/webhooks/{made['id']}"
    same_again(tenant, f"{path}/rotate-secret", None, "k1")
    assert len(tenant.get(f"{path}/secret").json["secrets"]) == 2
    same_again(tenant, f"{path}/test", None, "k1")
    row = settled(tenant, 1, include_tests="true")[0]
    same_again(tenant, f"/v1/deliveries/{row['id']}/retry", None, "k1")
    eventually(lambda: tenant.get(f"/v1/deliveries/{row['id']}").json["attempt_count"] == 2)
    same_again(tenant, f"{path}/replay", {"since": "2020-01-01T00:00:00Z"}, "k1")
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=0.3)
    new = {"scopes": ["webhooks:read"], "expires_at": soon.isoformat()}
    keys, key = f"/v1/tenants/{tenant.tenant}/keys", {"Idempotency-Key": "k1"}
    first = shared.api.post(keys, new, headers=key).expect(201)
    time.sleep(0.35)
    assert shared.api.post(keys, new, headers=key).expect(201).body == first.body
    assert len(shared.api.get(keys).json["data"]) == 1


def test_rotations_at_once_with_one_key_make_one(tenant):
    made = make(tenant)
    path, answers = f"/v1/webhooks/{made['id']}", []

    def rotate():
        answers.append(tenant.post(f"{path}/rotate-secret", {}, headers={"Idempotency-Key": "k"}))

    threads = [threading.Thread(target=rotate) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.body for answer in answers if answer.status == 200}) == 1
    for answer in answers:
        if answer.status != 200:
            assert "Idempotency-Key" in problem(answer, 409)["detail"]
    assert len(tenant.get(f"{path}/secret").expect(200).json["secrets"]) == 2


def test_deliveries_of_one_endpoint(tenant, receiver):
    target = receiver()
    one, _ = make(tenant, target), make(tenant, target)
    publish(tenant)
    settled(tenant, 2)
    assert len(tenant.get(f"/v1/webhooks/{one['id']}/deliveries").expect(200).json["data"]) == 1


def test_the_log_shows_request_and_answer(tenant, receiver):
    target = receiver(answer=lambda _: Reply(500, [("X-Why", "down")], b"sorry " * 10))
    make(tenant, target, headers={"X-Token": "hidden-value"})
    publish(tenant)
    row = settled(tenant, 1, status="retrying")[0]
    attempt = tenant.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][0]
    text = str(attempt)
    assert "sorry sorry" in text and "X-Why" in text and "127.0.0.1" in text
    assert "hidden-value" not in text and "***" in text
    assert attempt["status"] == 500 and attempt["number"] == 1


# ---- tenants and keys ----

def test_tenants(shared):
    api = shared.api
    made = api.put("/v1/tenants/acme-1", {"name": "Acme", "dialect": "tiro", "attributes": {"workspaceGuid": "g"}})
    assert made.expect(201).json["id"] == "acme-1"
    same = api.put("/v1/tenants/acme-1", {"name": "Acme 2", "dialect": "tiro"}).expect(200)
    assert same.json["name"] == "Acme 2"
    shown = api.get("/v1/tenants/acme-1").expect(200)
    assert shown.json["dialect"] == "tiro" and shown.header("ETag")
    problem(api.put("/v1/tenants/acme-1", {"name": "x", "dialect": "tiro"}, headers={"If-Match": '"no"'}), 412)
    assert "acme-1" in [row["id"] for row in api.pages("/v1/tenants")]
    assert "default" in [row["id"] for row in api.pages("/v1/tenants")]
    assert "/dialect" in pointers(api.put("/v1/tenants/other", {"name": "x", "dialect": "nonsense"}))
    problem(api.put("/v1/tenants/no.dots", {"name": "x", "dialect": "tiro"}), 422)
    api.as_tenant("acme-1").post("/v1/webhooks", {"url": "http://127.0.0.1:9999/"}).expect(201)
    problem(api.put("/v1/tenants/acme-1", {"name": "x", "dialect": "standard"}), 409)
    api.delete("/v1/tenants/acme-1").expect(204)
    problem(api.get("/v1/tenants/acme-1"), 404)


def key_for(shared, tenant, *scopes, **more):
    made = shared.api.post(f"/v1/tenants/{tenant.tenant}/keys", {"scopes": list(scopes), **more}).expect(201).json
    return made, shared.api.with_key(made["key"])


def test_scopes(shared, tenant):
    _, publisher = key_for(shared, tenant, "events:publish")
    _, reader = key_for(shared, tenant, "webhooks:read")
    _, manager = key_for(shared, tenant, "webhooks:manage")
    event = {"type": "a.b", "data": {}}
    assert publisher.post("/v1/events", event).expect(202).json["tenant"] == tenant.tenant
    for api in (reader, manager):
        problem(api.post("/v1/events", event), 403)
    made = make(manager)
    problem(publisher.get("/v1/webhooks"), 403)
    problem(reader.post("/v1/webhooks", {"url": "http://127.0.0.1:9999/"}), 403)
    for api in (reader, manager):
        api.get("/v1/webhooks").expect(200)
        api.get("/v1/deliveries").expect(200)
    problem(reader.get(f"/v1/webhooks/{made['id']}/secret"), 403)
    manager.get(f"/v1/webhooks/{made['id']}/secret").expect(200)
    for api in (publisher, reader, manager):
        problem(api.get("/v1/tenants"), 403)


def test_keys_are_never_shown_again_and_end(shared, tenant):
    made, client = key_for(shared, tenant, "webhooks:read", description="ci")
    path = f"/v1/tenants/{tenant.tenant}/keys"
    listed = shared.api.get(path).expect(200)
    assert made["key"].encode() not in listed.body and made["id"] in [row["id"] for row in listed.json["data"]]
    client.get("/v1/webhooks").expect(200)
    shared.api.delete(f"{path}/{made['id']}").expect(204)
    problem(client.get("/v1/webhooks"), 401)
    assert "/scopes/0" in pointers(shared.api.post(path, {"scopes": ["nonsense"]}))
    assert "/scopes" in pointers(shared.api.post(path, {}))


def test_a_key_acts_for_its_own_tenant_alone(shared, tenant):
    shared.api.put("/v1/tenants/beside", {"name": "Beside", "dialect": "standard"}).expect(201)
    _, own = key_for(shared, tenant, "events:publish", "webhooks:manage")
    other = shared.api.as_tenant("beside")
    hook = make(other)["id"]
    event = other.post("/v1/events", {"type": "a.b", "data": {}}).expect(202).json["id"]
    named = {"Tenterhook-Tenant": "beside"}
    for method, path, body in (("GET", "/v1/webhooks", None), ("GET", f"/v1/webhooks/{hook}", None),
                               ("DELETE", f"/v1/webhooks/{hook}", None), ("GET", f"/v1/webhooks/{hook}/secret", None),
                               ("POST", "/v1/webhooks", {"url": "http://127.0.0.1:9999/"}), ("GET", "/v1/deliveries", None),
                               ("GET", "/v1/events", None), ("GET", f"/v1/events/{event}", None),
                               ("POST", "/v1/events", {"type": "a.b", "data": {}})):
        problem(own.request(method, path, body, headers=named), 403)
    problem(own.post("/v1/events", {"type": "a.b", "data": {}, "tenant": "beside"}), 403)
    own.get("/v1/webhooks", headers={"Tenterhook-Tenant": tenant.tenant}).expect(200)
    assert [row["id"] for row in other.get("/v1/webhooks").json["data"]] == [hook]
    assert [row["id"] for row in other.get("/v1/events").json["data"]] == [event]


def test_a_key_is_revoked_where_it_belongs(shared, tenant):
    shared.api.put("/v1/tenants/elsewhere", {"name": "Elsewhere", "dialect": "standard"}).expect(201)
    made, client = key_for(shared, tenant, "webhooks:read")
    problem(shared.api.delete(f"/v1/tenants/elsewhere/keys/{made['id']}"), 404)
    client.get("/v1/webhooks").expect(200)
    assert shared.api.get("/v1/tenants/elsewhere/keys").expect(200).json["data"] == []
    shared.api.delete(f"/v1/tenants/{tenant.tenant}/keys/{made['id']}").expect(204)
    problem(client.get("/v1/webhooks"), 401)


def test_an_expired_key_is_401(shared, tenant):
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))
    _, client = key_for(shared, tenant, "webhooks:read", expires_at=soon)
    client.get("/v1/webhooks").expect(200)
    eventually(lambda: client.get("/v1/webhooks").status == 401)


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", "Basic dGVzdDp0ZXN0", "bearer  "])
def test_no_key_is_401(shared, authorization):
    for path in ("/v1/webhooks", "/v1/events", "/v1/tenants"):
        problem(shared.api.with_key(None).get(path, headers={"Authorization": authorization}), 401)


# ---- the frame ----

@pytest.mark.parametrize("method, path, allowed", [
    ("PUT", "/v1/events", {"GET", "POST"}),
    ("DELETE", "/v1/webhooks", {"GET", "POST"}),
    ("POST", "/livez", {"GET"}),
])
def test_other_methods_are_405_with_allow(shared, method, path, allowed):
    answer = shared.api.request(method, path)
    problem(answer, 405)
    assert allowed <= {name.strip() for name in answer.header("Allow").split(",")}


def test_unknown_paths_are_404(shared):
    """GET /v1/events/batch is the event with the id "batch"."""
    for path in ("/v1/events/batch", "/", "/v1", "/v1/nonsense", "/v1/events/x/y/z", "/v1/webhooks/"):
        problem(shared.api.get(path), 404)


def test_every_answer_has_a_request_id(shared):
    seen = {shared.api.get(path).header("Request-Id") for path in ("/livez", "/readyz", "/v1/webhooks", "/nonsense")}
    assert None not in seen and len(seen) == 4


def test_openapi_has_words_tags_and_examples(shared):
    """A description of every property however deep, a tag of every operation, an example of every request body."""
    document = shared.api.get("/openapi.json").expect(200).json
    schemas = document["components"]["schemas"]
    bare = []

    def walk(schema, where):
        if isinstance(schema, dict):
            for name, value in schema.get("properties", {}).items():
                if not value.get("description"):
                    bare.append(f"{where}.{name}")
                walk(value, f"{where}.{name}")
            for name, value in schema.items():
                if name != "properties":
                    walk(value, where)
        elif isinstance(schema, list):
            for value in schema:
                walk(value, where)
    for name, schema in schemas.items():
        walk(schema, name)
    assert bare == [], "add a row to src/api/words.c"
    parameters = document["components"]["parameters"].values()
    assert parameters and all(one["description"] for one in parameters)
    known = {tag["name"]: tag["description"] for tag in document["tags"]}
    used = set()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"] and len(operation["tags"]) == 1, path
            used.update(operation["tags"])
            for content in operation.get("requestBody", {}).get("content", {}).values():
                example, schema = content["example"], schemas[content["schema"]["$ref"].rsplit("/", 1)[-1]]
                row = example[0] if isinstance(example, list) else example
                schema = schemas[schema["items"]["$ref"].rsplit("/", 1)[-1]] if isinstance(example, list) else schema
                assert set(schema.get("required", [])) <= set(row) <= set(schema["properties"]), path
    assert used == set(known) and all(known.values())


def test_health_metrics_and_openapi(shared):
    """None of them needs a key."""
    public = shared.api.with_key(None)
    public.get("/livez").expect(200)
    public.get("/readyz").expect(200)
    metrics = public.get("/metrics").expect(200)
    assert b"# TYPE tenterhook_" in metrics.body and metrics.header("Content-Type").startswith("text/plain")
    document = public.get("/openapi.json").expect(200).json
    assert document["openapi"].startswith("3.1")
    assert {"post", "get"} <= set(document["paths"]["/v1/events"])
    assert "patch" in document["paths"]["/v1/webhooks/{id}"]


@pytest.mark.parametrize("key, taken", [
    *((key, True) for key in ("a", '"a"', "x" * 255, '"' + "x" * 255 + '"', "[a]~!")),
    *((key, False) for key in ("x" * 256, '"', '""', '"a', "a b", 'a"b', "a\\b", '"a b"'))])
def test_the_document_takes_the_keys_that_the_server_takes(shared, tenant, key, taken):
    document = shared.api.get("/openapi.json").expect(200).json
    pattern = document["components"]["parameters"]["Idempotency-Key"]["schema"]["pattern"]
    answer = tenant.post("/v1/events", {"type": "a", "data": 1}, headers={"Idempotency-Key": key})
    assert answer.status == (202 if taken else 400) and bool(re.fullmatch(pattern, key)) is taken


def test_the_document_says_what_every_route_may_answer(shared):
    document = shared.api.get("/openapi.json").expect(200).json
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            answers = {status: document["components"]["responses"][answer["$ref"].rsplit("/", 1)[-1]] if "$ref" in answer else answer
                       for status, answer in operation["responses"].items()}
            assert answers and all("Request-Id" in answer["headers"] for answer in answers.values()), (method, path)
            assert ({"401", "403", "429"} <= set(answers)) == bool(operation["security"]), (method, path)
            assert "429" not in answers or "Retry-After" in answers["429"]["headers"], (method, path)
            conditional = [name for name in ("If-Match", "If-None-Match") if
                           {"$ref": f"#/components/parameters/{name}"} in operation["parameters"]]
            assert ("412" in answers or "304" in answers) == bool(conditional), (method, path)


def test_dialects_are_shown(shared):
    names = [row["name"] for row in shared.api.get("/v1/dialects").expect(200).json["data"]]
    assert {"standard", "tiro"} <= set(names)
    assert shared.api.get("/v1/dialects/standard").expect(200).json["name"] == "standard"
    problem(shared.api.get("/v1/dialects/nonsense"), 404)
    shared.api.get("/v1/source-addresses").expect(200)


# ---- dry runs ----

def test_a_dry_run_checks_everything_and_changes_nothing(tenant):
    answer = tenant.post("/v1/webhooks?dry_run=true", {"url": "http://127.0.0.1:9999/x"}).expect(204)
    assert answer.body == b"" and tenant.pages("/v1/webhooks") == []
    assert pointers(tenant.post("/v1/webhooks?dry_run=true", {"url": "http://10.0.0.1/"})) == ["/url"]
    assert pointers(tenant.post("/v1/webhooks?dry_run=true", {"url": "http://127.0.0.1:9999/", "events": ["a b"]})) == ["/events/0"]
    made = make(tenant)
    path = f"/v1/webhooks/{made['id']}"
    before = tenant.get(path).expect(200)
    tenant.patch(f"{path}?dry_run=true", {"description": "changed", "active": False}).expect(204)
    assert pointers(tenant.patch(f"{path}?dry_run=true", {"timeout_seconds": 0})) == ["/timeout_seconds"]
    after = tenant.get(path).expect(200)
    assert after.json == before.json and after.header("ETag") == before.header("ETag")
    tenant.patch(f"{path}?dry_run=false", {"description": "changed"}).expect(200)
    assert "must be true or false" in problem(tenant.patch(f"{path}?dry_run=1", {"description": "x"}), 400)["detail"]
    problem(tenant.get("/v1/webhooks?dry_run=true"), 400)


def test_a_moved_endpoint_keeps_the_secret_that_its_dialect_would_make(shared):
    shared.api.put("/v1/tenants/moving", {"name": "M", "dialect": "stripe"}).expect(201)
    api, new = shared.api.as_tenant("moving"), {"url": "http://127.0.0.1:9999/", "events": ["*"], "secret": "whsec_" + "a" * 43}
    assert pointers(api.post("/v1/webhooks", new)) == ["/secret"]
    for wrong in ("", "a\nb", "x" * 5000):
        assert pointers(api.post("/v1/webhooks?moved=true", {**new, "secret": wrong})) == ["/secret"], wrong
    for secret in (new["secret"], "of another form", "x"):  # the receiver has it, whatever it is
        assert api.post("/v1/webhooks?moved=true", {**new, "secret": secret}).expect(201).json["secret"] == secret
    _, manager = key_for(shared, api, "webhooks:manage")
    problem(manager.post("/v1/webhooks?moved=true", new), 403)


def test_a_dry_run_by_the_rules_of_another_dialect(tenant):
    new = {"url": "https://receiver.example.com/", "events": ["message"]}
    tenant.post("/v1/webhooks?dry_run=true&dialect=slack", new).expect(204)
    refused = tenant.post("/v1/webhooks?dry_run=true&dialect=slack", {"url": "http://127.0.0.1:9999/", "events": ["*"]})
    assert pointers(refused) == ["/url", "/events/0"]
    tenant.post("/v1/webhooks?dry_run=true&dialect=tsanet", {"callbackUrl": "http://127.0.0.1:9999/"}).expect(204)
    assert "dry_run=true" in problem(tenant.post("/v1/webhooks?dialect=slack", new), 400)["detail"]
    assert "no dialect" in problem(tenant.post("/v1/webhooks?dry_run=true&dialect=none", new), 400)["detail"]
    assert tenant.pages("/v1/webhooks") == []


def test_a_dry_run_of_a_tenant(shared):
    api = shared.api
    api.put("/v1/tenants/never?dry_run=true", {"name": "Never", "dialect": "standard"}).expect(204)
    problem(api.get("/v1/tenants/never"), 404)
    assert pointers(api.put("/v1/tenants/never?dry_run=true", {"dialect": "nonesuch"})) == ["/dialect"]
    api.put("/v1/tenants/once", {"name": "Once", "dialect": "standard"}).expect(201)
    api.put("/v1/tenants/once?dry_run=true", {"name": "Other"}).expect(204)
    assert api.get("/v1/tenants/once").json["name"] == "Once"


def test_a_dry_run_keeps_no_idempotency_key(tenant):
    key = {"Idempotency-Key": "dry-1"}
    body = {"url": "http://127.0.0.1:9999/x"}
    tenant.post("/v1/webhooks?dry_run=true", body, headers=key).expect(204)
    tenant.post("/v1/webhooks", body, headers=key).expect(201)
    assert len(tenant.get("/v1/webhooks").json["data"]) == 1
