"""Authentication of endpoints, from outside: a receiver that lets only the right requests in, mistakes, and who sees what."""
import base64
import json

import pytest

from harness.expect import deliveries, eventually, problem
from harness.receiver import Reply

BASIC = {"type": "basic", "username": "shop", "password": "pass word: ü 123456"}
KEY = {"type": "api_key", "header": "X-API-Key", "value": "key_0123456789abcdef"}


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def guarded(receiver, header, value):
    """A receiver that answers 401 to whoever lacks the value, and repeats what it got in its answer."""
    def answer(request):
        ok = request.header(header) == value
        return Reply(200 if ok else 401, body=(request.header(header) or "nothing").encode())
    return receiver(answer=answer)


def last_attempt(tenant, hook):
    row = eventually(lambda: [row for row in deliveries(tenant, endpoint=hook["id"]) if row["status"] != "pending"])[0]
    return row, tenant.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][0]


@pytest.mark.parametrize("auth, header, value", [
    (BASIC, "Authorization", basic("shop", "pass word: ü 123456")),
    ({"type": "basic", "username": "only-user", "password": ""}, "Authorization", basic("only-user", "")),
    (KEY, "X-API-Key", KEY["value"]),
    ({"type": "api_key", "header": "Authorization", "value": "Bearer 0123456789abcdef"}, "Authorization", "Bearer 0123456789abcdef"),
])
def test_a_receiver_lets_it_in(tenant, receiver, auth, header, value):
    target = guarded(receiver, header, value)
    hook = tenant.post("/v1/webhooks", {"url": target.url(), "authentication": auth, "headers": {"X-Other": "of the user"}}).expect(201).json
    assert hook["authentication"] == auth, "as secrets are: shown to keys that may read them"
    tenant.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    row, attempt = last_attempt(tenant, hook)
    assert row["status"] == "delivered"
    assert [v for n, v in target.requests[0].headers if n.lower() == header.lower()] == [value]
    assert target.requests[0].header("X-Other") == "of the user"
    shown = {name.lower(): text for name, text in attempt["request"]["headers"].items()}
    assert shown[header.lower()] == "***", "which header was used, without its value"
    if len(value) >= 20:
        assert value not in json.dumps(attempt) and "***" in attempt["response"]["body"], "an answer that repeats it is masked"


def test_settings_are_merged_and_taken_away(tenant, receiver):
    target = guarded(receiver, "Authorization", basic("other", BASIC["password"]))
    hook = tenant.post("/v1/webhooks", {"url": target.url(), "authentication": BASIC}).expect(201).json
    path = f"/v1/webhooks/{hook['id']}"
    assert tenant.patch(path, {"authentication": {"username": "other"}}).expect(200).json["authentication"] == BASIC | {"username": "other"}
    assert tenant.patch(path, {"description": "x"}).expect(200).json["authentication"]["username"] == "other"
    tenant.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    assert last_attempt(tenant, hook)[0]["status"] == "delivered"
    assert tenant.patch(path, {"authentication": KEY}).expect(200).json["authentication"] == KEY, "another type begins anew"
    assert problem(tenant.patch(path, {"authentication": {"type": "basic", "username": "u"}}), 422)["errors"][0]["pointer"] == "/authentication/password"
    assert "authentication" not in tenant.patch(path, {"authentication": None}).expect(200).json
    tenant.post("/v1/events", {"type": "a.c", "data": {}}).expect(202)
    assert target.wait_for(2)[1].header("X-API-Key") is None


def test_much_text_and_a_pause_leave_it_as_it_is(tenant, receiver):
    """An endpoint with much text is in memory in part; what it needs for its requests is always there."""
    target = guarded(receiver, "Authorization", basic(BASIC["username"], BASIC["password"]))
    hook = tenant.post("/v1/webhooks", {"url": target.url(), "authentication": BASIC, "headers": {"X-Other": "v"},
                                        "events": ["a.b"] + [f"much.text{n:064}" for n in range(60)]}).expect(201).json
    path = f"/v1/webhooks/{hook['id']}"
    for change in ({"max_in_flight": 2}, {"active": False}, {"active": True}):  # the last two read none of its texts
        shown = tenant.patch(path, change).expect(200).json
        assert shown["authentication"] == BASIC and shown["headers"] == {"X-Other": "v"}
    tenant.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    assert last_attempt(tenant, hook)[0]["status"] == "delivered" and target.requests[0].header("X-Other") == "v"
    gone = receiver(answer=lambda request: Reply(410 if b"a.b" in request.body else 200))
    tenant.patch(path, {"url": gone.url()}).expect(200)
    tenant.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    eventually(lambda: tenant.get(path).json.get("disabled"))  # by its answer: nobody has read its texts for that
    tenant.post(f"{path}/test", {}).expect(202)
    test = gone.wait_for(2)[1]
    assert test.header("Authorization") == basic(BASIC["username"], BASIC["password"]) and test.header("X-Other") == "v"


@pytest.mark.parametrize("auth, pointer, word", [
    ({}, "/authentication/type", "required"),
    ({"type": "digest"}, "/authentication/type", "basic"),
    ({"type": 5}, "/authentication/type", "string"),
    ("basic", "/authentication", "object"),
    ({"type": "basic", "username": "u"}, "/authentication/password", "required"),
    ({"type": "basic", "password": "u"}, "/authentication/username", "required"),
    ({"type": "basic", "username": "a:b", "password": "p"}, "/authentication/username", "colon"),
    ({"type": "basic", "username": "a\nb", "password": "p"}, "/authentication/username", "control"),
    ({"type": "basic", "username": "a", "password": "p\u0000"}, "/authentication/password", "control"),
    ({"type": "basic", "username": "", "password": ""}, "/authentication/username", "empty"),
    ({"type": "basic", "username": "u", "password": "***"}, "/authentication/password", "masked"),
    ({"type": "basic", "username": "u", "password": "p" * 4097}, "/authentication/password", "4096"),
    ({"type": "basic", "username": "u", "password": "p", "value": "v"}, "/authentication/value", "belongs to the type \"api_key\""),
    ({"type": "basic", "username": "u", "password": "p", "realm": "r"}, "/authentication/realm", "not a field"),
    ({"type": "api_key", "header": "X-Key"}, "/authentication/value", "required"),
    ({"type": "api_key", "header": "X-Key", "value": ""}, "/authentication/value", "empty"),
    ({"type": "api_key", "header": "X Key", "value": "v"}, "/authentication/header", "token"),
    ({"type": "api_key", "header": "Content-Length", "value": "1"}, "/authentication/header", ""),
    ({"type": "api_key", "header": "Webhook-Signature", "value": "v"}, "/authentication/header", "dialect"),
    ({"type": "api_key", "header": "X-Key", "value": "a\r\nb"}, "/authentication/value", ""),
])
def test_a_mistake_says_where(tenant, receiver, auth, pointer, word):
    answer = problem(tenant.post("/v1/webhooks", {"url": receiver().url(), "authentication": auth}), 422)
    assert [fault["pointer"] for fault in answer["errors"]] == [pointer] and word in answer["errors"][0]["detail"], answer


def test_a_header_is_set_once(tenant, receiver):
    body = {"url": receiver().url(), "authentication": BASIC, "headers": {"authorization": "Bearer 0123456789"}}
    assert problem(tenant.post("/v1/webhooks", body), 422)["errors"][0]["pointer"] == "/authentication"
    body["authentication"] = KEY | {"header": "AUTHORIZATION"}
    assert problem(tenant.post("/v1/webhooks", body), 422)["errors"][0]["pointer"] == "/authentication/header"


def test_a_dialect_that_owns_the_header(api, receiver):
    """The requests of this dialect carry a secret of their own in Authorization: nothing else may stand there."""
    api.put("/v1/tenants/owner", {"name": "o", "dialect": "tiro"}).expect(201)
    tiro, body = api.as_tenant("owner"), {"url": receiver().url()}
    for auth, word in ((BASIC, "needs the header Authorization"), (KEY | {"header": "authorization"}, "the dialect sets this header")):
        (fault,) = tiro.post("/v1/webhooks", body | {"authentication": auth}).expect(422).json["errors"]
        assert fault["field"] == "authentication" and word in fault["message"], fault
    tiro.post("/v1/webhooks", body | {"authentication": KEY}).expect(201)


def test_who_may_read_it(server, receiver):
    """Keys that may only look see which kind it is; nothing of it is in the database in clear."""
    running, target = server(), receiver()
    running.api.put("/v1/tenants/acme", {"name": "A", "dialect": "standard"}).expect(201)
    acme = running.api.as_tenant("acme")
    hook = acme.post("/v1/webhooks", {"url": target.url(), "authentication": BASIC}).expect(201).json
    read = running.api.post("/v1/tenants/acme/keys", {"scopes": ["webhooks:read"]}).expect(201).json["key"]
    path = f"/v1/webhooks/{hook['id']}"
    for shown in (running.api.with_key(read).get(path).expect(200).json, running.api.with_key(read).get("/v1/webhooks").expect(200).json["data"][0]):
        assert shown["authentication"] == BASIC | {"password": "***"}
    assert acme.get("/v1/webhooks").expect(200).json["data"][0]["authentication"] == BASIC
    running.stop()
    files = b"".join(path.read_bytes() for path in running.data.rglob("*") if path.is_file())
    assert BASIC["password"].encode() not in files and base64.b64encode(f"shop:{BASIC['password']}".encode()) not in files


def test_on_the_command_line(cli, receiver, tmp_path):
    file = tmp_path / "auth.json"
    file.write_text(json.dumps(KEY))
    made = json.loads(cli("endpoints", "create", receiver().url(), "--auth", file, "--json").expect(0).out)
    assert made["authentication"] == KEY
    changed = json.loads(cli("endpoints", "update", made["id"], "--auth", "-", "--json", stdin=json.dumps({"value": "other-0123456789"})).expect(0).out)
    assert changed["authentication"] == KEY | {"value": "other-0123456789"}
    file.write_text('{"type": "basic"}')
    refused = cli("endpoints", "update", made["id"], "--auth", file)
    assert refused.status and "--auth" in refused.err, refused.err
    assert "authentication" not in json.loads(cli("endpoints", "update", made["id"], "--auth", "", "--json").expect(0).out)
