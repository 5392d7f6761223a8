"""What an endpoint knows and repeats, and what a URL gives away: never in clear in the log, nor in the database."""
import base64
import gzip
import json
import sqlite3
import urllib.parse
import zlib

import pytest

from harness.client import Api
from harness.dialects import World, config, development, fast  # noqa: F401 (fixtures)
from harness.expect import eventually
from harness.receiver import Reply

RAW = bytes(range(200, 232))
SECRET = "whsec_" + base64.b64encode(RAW).decode()
FORMS = {
    "text": SECRET, "without prefix": SECRET[6:], "hex": RAW.hex(), "HEX": RAW.hex().upper(),
    "base64url": base64.urlsafe_b64encode(RAW).decode().rstrip("="), "percent": urllib.parse.quote(SECRET, safe=""),
    "json": json.dumps(SECRET).replace("/", "\\/"), "json in json": json.dumps(json.dumps({"s": SECRET})),
    "unicode": "".join(f"\\u{ord(c):04x}" for c in SECRET),
}


def stored(data):
    """Every byte that the server keeps in its files."""
    return b"".join(path.read_bytes() for path in sorted(data.glob("tenterhook.db*")))


def attempt_of(api, number=0):
    def look():
        rows = [row for row in api.get("/v1/deliveries").expect(200).json["data"] if row["status"] == "delivered"]
        return len(rows) > number and rows
    row = eventually(look)[0]
    return api.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][-1]


def publish(api, kind="order.paid", data=None):
    return api.post("/v1/events", {"type": kind, "data": data or {}}).expect(202).json


def test_answers_repeat_no_secret(server, receiver):
    """A debug page that shows what it knows: each form, in body and head, of the secret and of custom headers."""
    running = server()
    api = running.api
    answers = []
    target = receiver(lambda request: answers[len(target.requests) - 1])
    custom = {"X-Api-Key": "custom/value+0123456789", "Authorization": "Bearer tok-0123456789", "X-Short": "short-11-by"}
    api.post("/v1/webhooks", {"url": target.url(), "secret": SECRET, "headers": custom}).expect(201)
    for name, form in FORMS.items():
        answers.append(Reply(200, [("X-Echo", form)], f"<b>{name}</b>: {form} end".encode()))
    answers.append(Reply(200, [], b"x " + RAW + b" y"))
    answers.append(Reply(200, [], json.dumps({**custom, "token": "tok-0123456789"}).encode()))
    answers.append(Reply(200, [("X-Key", custom["X-Api-Key"])], custom["X-Api-Key"].replace("/", "%2F").replace("+", "%2B").encode()))
    for n in range(len(answers)):
        publish(api)
        response = attempt_of(api, n)["response"]
        text = json.dumps(response)
        for form in [*FORMS.values(), *list(custom.values())[:2], "tok-0123456789"]:
            assert form not in text and json.dumps(form)[1:-1] not in text, (n, form, response)
        assert "***" in response.get("body", "***")
        if n < len(FORMS):
            assert response["body"].startswith("<b>") and response["body"].endswith(" end") and "***" in response["headers"]["X-Echo"]
    running.stop()
    kept = stored(running.data)
    for form in [*FORMS.values(), *list(custom.values())[:2]]:
        assert form.encode() not in kept, form
    assert RAW not in kept


def test_compressed_answers_repeat_no_secret(server, receiver):
    """They are decoded before secrets are looked for, also where the end is wrong or cut off."""
    running = server()
    api, text, answers = running.api, f"a {SECRET} b".encode(), []
    target = receiver(lambda request: answers[len(target.requests) - 1])
    api.post("/v1/webhooks", {"url": target.url(), "secret": SECRET}).expect(201)
    packed, plain = gzip.compress(text), gzip.compress(text, 0)
    bodies = [("gzip", packed), ("gzip", plain), ("deflate", zlib.compress(text)), ("deflate", zlib.compress(text)[:-4] + b"\0\0\0\0"),
              ("gzip", packed[:-8] + b"\0" * 8), ("gzip", packed[:-8]), ("gzip", gzip.compress(b"a ") + gzip.compress(text[2:])),
              ("gzip", packed + b"surplus")]
    for n, (coding, body) in enumerate(bodies):
        answers.append(Reply(200, [("Content-Encoding", coding)], body))
        publish(api)
        response = attempt_of(api, n)["response"]
        assert (response.get("body"), response.get("decoded_from")) == ("a *** b", coding), n
    answers.append(Reply(200, [("Content-Encoding", "gzip")], gzip.compress(b"." * 16374 + SECRET.encode())))
    publish(api)
    response = attempt_of(api, len(bodies))["response"]
    assert response["body"] == "." * 16374 + "***" and response["truncated"]
    running.stop()
    kept = stored(running.data)
    assert SECRET.encode() not in kept and packed not in kept and plain not in kept


def test_what_is_no_secret_stays(server, receiver):
    api = server().api
    page = json.dumps({"path": "\\/x\\u002f%2F&amp;", "short": "short-11-by", "n": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}).encode()
    target = receiver(lambda request: Reply(201, [("X-Kept", "whsec_ is a prefix")], page))
    api.post("/v1/webhooks", {"url": target.url(), "secret": SECRET, "headers": {"X-Short": "short-11-by"}}).expect(201)
    publish(api)
    response = attempt_of(api)["response"]
    assert response["body"].encode() == page and response["headers"]["X-Kept"] == "whsec_ is a prefix"


@pytest.mark.parametrize("form", ["text", "hex", "percent", "json", "unicode"])
def test_a_secret_across_the_cut(server, receiver, form):
    """16 KiB of a body are kept: whatever part of the secret is in front of the cut is hidden."""
    running = server()
    api, text, answers = running.api, FORMS[form].strip('"').encode(), []
    least = 24 if form == "unicode" else 8
    target = receiver(lambda request: answers[len(target.requests) - 1])
    api.post("/v1/webhooks", {"url": target.url(), "secret": SECRET}).expect(201)
    for n, inside in enumerate([*range(least, least + 7), len(text) // 2, len(text) - 1, len(text)]):
        fill = b"." * (16384 - inside)
        answers.append(Reply(200, [], fill + text + b"-" * 100))
        publish(api)
        response = attempt_of(api, n)["response"]
        assert response["truncated"] and response["body"] == fill.decode() + "***", (inside, response["body"][-60:])


@pytest.mark.parametrize("dialect, create, kind", [
    ("tiro", {}, "note.created"), ("tsanet", {}, "note.created"),
    ("taskboard", {"events": ["task.created"], "secret": "a phrase with \"quotes\" / and + signs"}, "task.created"),
])
def test_secrets_of_other_dialects(development, receiver, dialect, create, kind):
    """Secrets that are text: a bearer's, a generated one, a phrase; the vendor's own log shows the answer, masked."""
    world = World(development, dialect)
    target = receiver(lambda request: Reply(200, [], world.secret.encode() + b" " + json.dumps(world.secret).encode()))
    made = world.webhook({"callbackUrl" if dialect == "tsanet" else "url": target.url(), **create})
    world.secret = made["secret"]
    world.publish(kind, **({"resource_id": "n"} if dialect == "tiro" else {}))
    row = eventually(lambda: [r for r in world.deliveries() if r["status"] == "delivered"])[0]
    response = world.api.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][0]["response"]
    assert response["body"].replace('"', "") == "*** ***"
    if dialect == "tsanet":
        page = world.read.get(f"/v1/webhooks/{made['id']}/deliveries").expect(200).json
        assert [r["responseBody"].replace('"', "") for r in page["content"]] == ["*** ***"]


def test_old_secrets_stay_hidden(server, receiver):
    """A rotated one within its overlap, after a restart too; and one that was revoked before its time."""
    running = server()
    fresh = "whsec_" + base64.b64encode(b"another secret of thirty-two byt").decode()
    target = receiver(lambda request: Reply(200, [], f"{SECRET} {fresh}".encode()))
    hook = running.api.post("/v1/webhooks", {"url": target.url(), "secret": SECRET}).expect(201).json["id"]
    running.api.post(f"/v1/webhooks/{hook}/rotate-secret", {"secret": fresh}).expect(200)
    publish(running.api)
    assert attempt_of(running.api)["response"]["body"] == "*** ***"
    running.stop()
    running.start()
    publish(running.api)
    assert attempt_of(running.api, 1)["response"]["body"] == "*** ***"
    running.api.delete(f"/v1/webhooks/{hook}/secret/previous").expect(204)
    publish(running.api)
    assert attempt_of(running.api, 2)["response"]["body"] == "*** ***"


# ---- the scope ----

def test_answers_need_their_scope(server, receiver):
    running = server()
    target = receiver(lambda request: Reply(200, [("X-Answer", "head")], b"the answer"))
    running.api.post("/v1/webhooks", {"url": target.url()}).expect(201)
    publish(running.api)
    attempt_of(running.api)

    def key(*scopes):
        made = running.api.post("/v1/tenants/default/keys", {"scopes": list(scopes)}).expect(201).json
        assert set(made["scopes"]) == set(scopes)
        return Api(running.port, made["key"])

    def seen(api):
        return attempt_of(api)["response"]

    bare = seen(key("webhooks:read"))
    assert bare["status"] == 200 and "answers:read" in bare["hidden"] and not {"headers", "body", "body_base64"} & set(bare)
    for api in (key("webhooks:read", "answers:read"), key("webhooks:manage"), running.api):
        whole = seen(api)
        assert whole["body"] == "the answer" and whole["headers"]["X-Answer"] == "head" and "hidden" not in whole
    key("answers:read").get("/v1/deliveries").expect(403)
    problem = running.api.post("/v1/tenants/default/keys", {"scopes": ["answers:write"]}).expect(422).json
    assert "answers:read" in problem["detail"]


def test_keys_of_before_go_on_reading_answers(server, receiver):
    """What a key of before looks like is taken from the database: its settings say no form."""
    running = server()
    target = receiver(lambda request: Reply(200, [], b"the answer"))
    running.api.post("/v1/webhooks", {"url": target.url()}).expect(201)
    publish(running.api)
    attempt_of(running.api)
    made = {scope: running.api.post("/v1/tenants/default/keys", {"scopes": [scope]}).expect(201).json
            for scope in ("webhooks:read", "events:publish")}
    after = running.api.post("/v1/tenants/default/keys", {"scopes": ["webhooks:read"]}).expect(201).json
    running.stop()
    base = sqlite3.connect(running.data / "tenterhook.db")
    rows = [(no, json.loads(conf)) for no, conf in base.execute("SELECT no,conf FROM api_key ORDER BY no")]
    assert [conf.pop("form") for no, conf in rows] == [2, 2, 2]
    for no, conf in rows[:2]:
        base.execute("UPDATE api_key SET conf=? WHERE no=?", (json.dumps(conf), no))
    base.commit()
    base.close()
    for _ in range(2):  # and it stays so
        running.start()
        before = Api(running.port, made["webhooks:read"]["key"])
        assert attempt_of(before)["response"]["body"] == "the answer"
        assert "hidden" in attempt_of(Api(running.port, after["key"]))["response"]
        listed = {row["id"]: row["scopes"] for row in running.api.get("/v1/tenants/default/keys").expect(200).json["data"]}
        assert listed[made["webhooks:read"]["id"]] == ["webhooks:read", "answers:read"]
        assert listed[made["events:publish"]["id"]] == ["events:publish"] and listed[after["id"]] == ["webhooks:read"]
        running.stop()


# ---- URLs that are credentials ----

PATH = "/services/T0000/B1111/hidden-part-of-a-url"


@pytest.mark.parametrize("query, secret", [
    ("token=0123456789abcdef", True), ("a=1&api_key=x", True), ("accessKey=x", True), ("SIG=x", True), ("sv=1&sig=abc%2B", True),
    ("X-Amz-Signature=x", True), ("client_secret=x", True), ("sharedAccessSignature=x", True), ("access-token=x", True),
    ("", False), ("page=1", False), ("design=x&monk=1", False), ("q=token", False), ("signal=1", False),
])
def test_a_url_that_is_a_credential_by_its_query(server, receiver, query, secret):
    running = server()
    target = receiver()
    url = target.url(PATH) + (f"?{query}" if query else "")
    made = running.api.post("/v1/webhooks", {"url": url}).expect(201).json
    assert made.get("url_secret", False) is secret and made["url"] == url
    key = running.api.post("/v1/tenants/default/keys", {"scopes": ["webhooks:read"]}).expect(201).json["key"]
    shown = Api(running.port, key).get(f"/v1/webhooks/{made['id']}").expect(200).json["url"]
    assert shown == (target.url("/***") if secret else url)


def test_a_secret_url_is_nowhere_in_clear(server, receiver):
    running = server()
    api = running.api
    target = receiver(lambda request: Reply(200, [("X-Path", request.target)], f"you asked for {request.target}".encode()))
    made = api.post("/v1/webhooks", {"url": target.url(PATH), "url_secret": True, "description": "one"}).expect(201).json
    path = f"/v1/webhooks/{made['id']}"
    key = api.post("/v1/tenants/default/keys", {"scopes": ["webhooks:read", "answers:read"]}).expect(201).json["key"]
    read = Api(running.port, key)
    publish(api)
    assert target.wait_for(1)[0].target == PATH
    attempt_of(api)
    delivery = api.get("/v1/deliveries").expect(200).json["data"][0]["id"]
    masked = target.url("/***")
    for route in ("/v1/webhooks", path, f"/v1/deliveries/{delivery}", f"{path}/deliveries", "/v1/events", "/metrics"):
        assert b"hidden-part" not in read.get(route).expect(200).body, route
    assert read.get("/v1/webhooks").json["data"][0]["url"] == masked == read.get(path).json["url"]
    attempt = read.get(f"/v1/deliveries/{delivery}").json["attempts"][0]
    assert attempt["request"]["url"] == masked and attempt["request"]["headers"]["Host"] == f"127.0.0.1:{target.port}"
    assert attempt["response"]["body"] == "you asked for ***"
    whole = api.get(f"/v1/deliveries/{delivery}").json["attempts"][0]
    assert whole["request"]["url"] == target.url(PATH) == api.get(path).json["url"] and whole["response"]["body"] == "you asked for ***"
    # changes keep it, a restart too; what is written to the disk never has it
    assert api.patch(path, {"description": "two"}).expect(200).json["url"] == target.url(PATH)
    running.stop()
    assert b"hidden-part" not in stored(running.data)
    running.start()
    api = running.api
    publish(api)
    assert target.wait_for(2)[1].target == PATH
    # the masked text is not a URL to be set
    assert "whole" in api.patch(path, {"url": masked}).expect(422).json["detail"]
    assert api.patch(path, {"url_secret": None}).expect(200).json.get("url_secret", False) is False
    assert Api(running.port, key).get(path).json["url"] == target.url(PATH)
    assert api.patch(path, {"url": target.url("/x?token=abc")}).expect(200).json["url_secret"] is True
    assert api.patch(path, {"url_secret": False}).expect(200).json.get("url_secret", False) is False
    assert "hidden-part" not in running.text()


def test_a_secret_url_in_what_is_sent_and_reported(server, receiver, tmp_path):
    """A body and a header that name the URL show it masked to keys that read; operator events never have it."""
    dialects = tmp_path / "dialects"
    dialects.mkdir()
    (dialects / "named.yaml").write_text("""\
request: {headers: [{name: X-Url, value: "{endpoint.url}"}]}
signatures: [{header: X-Signature, algorithm: hmac-sha256, key: utf8, content: "{body}", encoding: hex}]
body: {envelope: [{name: url, from: endpoint.url}, {name: data, from: data}]}
secret: {form: text}
retry: {delays: []}
success: {statuses: [2xx]}
timeout: {total: 5}
disable: {statuses: [410]}
""")
    running = server(flags=["--dialects", str(dialects)])
    api = running.api
    api.put("/v1/tenants/named", {"name": "n", "dialect": "named"}).expect(201)
    reports = receiver()
    running.api.as_tenant("operator").post("/v1/webhooks", {"url": reports.url()}).expect(201)
    target = receiver(lambda request: Reply(410))
    named = api.as_tenant("named")
    url = target.url("/x?token=hidden-part-of-a-url")
    made = named.post("/v1/webhooks", {"url": url, "events": ["a.b"]}).expect(201).json
    key = api.post("/v1/tenants/named/keys", {"scopes": ["webhooks:read"]}).expect(201).json["key"]
    read = Api(running.port, key)
    publish(named, "a.b")
    request = target.wait_for(1)[0]
    assert request.header("X-Url") == url and json.loads(request.body)["url"] == url
    report = reports.wait_for(lambda requests: [r for r in requests if b"endpoint.disabled" in r.body])
    assert all(b"hidden-part" not in r.body for r in reports.requests), report
    row = read.get("/v1/deliveries").expect(200).json["data"][0]
    shown = read.get(f"/v1/deliveries/{row['id']}").expect(200)
    assert b"hidden-part" not in shown.body and target.url("/***") in shown.json["attempts"][0]["request"]["headers"]["X-Url"]
    assert b"hidden-part" in named.get(f"/v1/deliveries/{row['id']}").expect(200).body
    health = api.get("/v1/endpoint-health").expect(200)
    assert url in health.body.decode() and made["id"] in health.body.decode()


def test_urls_of_before_are_read_and_sealed_with_the_next_change(server, receiver):
    running = server()
    target = receiver()
    made = running.api.post("/v1/webhooks", {"url": target.url(PATH), "url_secret": False}).expect(201).json
    running.stop()
    base = sqlite3.connect(running.data / "tenterhook.db")
    for table in ("endpoint", "endpoint_rev"):
        (text,), = base.execute(f"SELECT conf FROM {table}").fetchall()
        conf = json.loads(text)
        assert conf.pop("url_secret") is False
        conf["url"] += "?token=hidden"
        base.execute(f"UPDATE {table} SET conf=?", (json.dumps(conf),))
    base.commit()
    base.close()
    running.start()
    publish(running.api)
    assert target.wait_for(1)[0].target == PATH + "?token=hidden"
    hook = running.api.get(f"/v1/webhooks/{made['id']}").expect(200).json
    assert hook["url_secret"] is True
    running.api.patch(f"/v1/webhooks/{made['id']}", {"description": "d"}).expect(200)
    running.stop()
    base = sqlite3.connect(running.data / "tenterhook.db")
    (conf,), = base.execute("SELECT conf FROM endpoint")
    assert "url_sealed" in json.loads(conf) and "hidden" not in conf
    base.close()
    running.start()
    publish(running.api)
    assert target.wait_for(2)[1].target == PATH + "?token=hidden"
