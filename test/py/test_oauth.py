"""OAuth 2.0 client credentials, from outside: token servers that behave, and ones that do not; receivers that let only the right token in."""
import base64
import json
import threading
import time
import urllib.parse

import pytest

from harness.expect import deliveries, eventually, problem
from harness.receiver import Receiver, Reply

ID, SECRET = "shop client", "s3cret/with:odd&letters"


class Tokens(Receiver):
    """Gives tokens no. 1, 2, ... `reply(n, request)` may answer in another way."""

    def __init__(self, lives=3600, reply=None, **options):
        self.given, self.lives, self.reply, self.lock = 0, lives, reply, threading.Lock()
        super().__init__(answer=self.give, **options)

    def give(self, request):
        with self.lock:
            self.given += 1
            n = self.given
        return (self.reply and self.reply(n, request)) or ok(token(n), self.lives)

    def forms(self):
        return [dict(urllib.parse.parse_qsl(request.body.decode())) for request in self.requests]


def token(n):
    return f"token-number-{n:04}.abcdef"


def ok(text, lives=3600, **more):
    return Reply(200, [("Content-Type", "application/json")], json.dumps({"access_token": text, "token_type": "Bearer", "expires_in": lives} | more).encode())


class Guarded(Receiver):
    """Lets requests in that carry a token of `good` (None: any), and repeats it in its answer."""

    def __init__(self, good=None):
        self.good = good
        super().__init__(answer=self.judge)

    def judge(self, request):
        shown = (request.header("Authorization") or "").removeprefix("Bearer ")
        return Reply(200 if shown and (self.good is None or shown in self.good) else 401, body=f"you said {shown}".encode())

    def tokens(self):
        return [(request.header("Authorization") or "").removeprefix("Bearer ") for request in self.requests]


def oauth(tokens, **more):
    return {"type": "oauth2", "token_url": tokens.url("/token"), "client_id": ID, "client_secret": SECRET} | more


def register(api, target, tokens, auth=None, **more):
    return api.post("/v1/webhooks", {"url": target.url(), "authentication": oauth(tokens, **(auth or {})), **more}).expect(201).json


def publish(api, n=1):
    return [row["id"] for row in api.post("/v1/events/batch", [{"type": "a.b", "data": k} for k in range(n)]).expect(202).json]


def attempts(api, hook, count=1):
    """Of the endpoint's only delivery, oldest first."""
    row = eventually(lambda: [row for row in deliveries(api, endpoint=hook["id"]) if row["attempt_count"] >= count])[0]
    return sorted(api.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"], key=lambda a: a["number"])


def test_one_token_for_many_deliveries(tenant):
    with Tokens(reply=lambda n, r: time.sleep(0.5)) as tokens, Guarded({token(1)}) as target:
        hook = register(tenant, target, tokens)
        assert hook["authentication"] == oauth(tokens)
        publish(tenant, 30)
        target.wait_for(30)
        assert tokens.given == 1 and target.tokens() == [token(1)] * 30
        (request,) = tokens.requests
        assert request.method == "POST" and request.header("Content-Type") == "application/x-www-form-urlencoded"
        user = base64.b64decode(request.header("Authorization").removeprefix("Basic ")).decode().split(":")
        assert [urllib.parse.unquote_plus(part) for part in user] == [ID, SECRET], "each in the encoding of forms, RFC 6749 section 2.3.1"
        assert tokens.forms() == [{"grant_type": "client_credentials"}]
        row = eventually(lambda: [row for row in deliveries(tenant, endpoint=hook["id"]) if row["status"] == "delivered"])[0]
        (attempt,) = tenant.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"]
        assert {n.lower(): v for n, v in attempt["request"]["headers"].items()}["authorization"] == "***"
        assert attempt["response"]["body"] == "you said ***", "an answer that repeats it is masked"


def test_scope_audience_and_the_secret_in_the_body(tenant):
    with Tokens() as tokens, Guarded() as target:
        more = {"scope": "events:write other", "audience": "https://api.example", "client_authentication": "post"}
        assert register(tenant, target, tokens, more)["authentication"] == oauth(tokens, **more)
        publish(tenant)
        target.wait_for(1)
        assert tokens.forms() == [{"grant_type": "client_credentials", "scope": "events:write other", "audience": "https://api.example",
                                   "client_id": ID, "client_secret": SECRET}]
        assert tokens.requests[0].header("Authorization") is None


def test_a_token_is_renewed_ahead_of_its_end(tenant):
    """At three quarters of its life, beside a delivery that goes out with the present one at once."""
    slow = lambda n, r: time.sleep(1.0) if n > 1 else None  # noqa: E731
    with Tokens(lives=8, reply=slow) as tokens, Guarded() as target:
        register(tenant, target, tokens)
        publish(tenant)
        target.wait_for(1)
        began = time.monotonic()
        time.sleep(3)
        publish(tenant)
        target.wait_for(2)
        assert tokens.given == 1, "not before that"
        time.sleep(max(0, began + 6.2 - time.monotonic()))
        publish(tenant)
        target.wait_for(3)
        assert target.requests[2].mono - began < 7.1, "it has not waited for the new one"
        eventually(lambda: tokens.given == 2)
        time.sleep(max(0, began + 7.5 - time.monotonic()))
        publish(tenant)
        target.wait_for(4)
        assert target.tokens() == [token(1), token(1), token(1), token(2)]


def test_an_answer_401_renews_once(tenant):
    """A token that was revoked: the delivery goes out again at once with a new one, and its schedule is as it was."""
    with Tokens() as tokens, Guarded({token(1)}) as target:
        hook = register(tenant, target, tokens, retry={"delays": [3600], "jitter_percent": 0})
        first = publish(tenant)
        target.wait_for(1)
        target.good = {token(2)}
        second = publish(tenant)
        row = eventually(lambda: [row for row in deliveries(tenant, event=second[0]) if row["status"] == "delivered"])[0]
        assert row["attempt_count"] == 2 and first != second and hook
        assert target.tokens() == [token(1), token(1), token(2)] and tokens.given == 2


def test_a_receiver_that_refuses_every_token(tenant):
    """It costs each delivery one request more, not an endless row of them."""
    with Tokens() as tokens, Guarded({"none"}) as target:
        register(tenant, target, tokens, retry={"delays": [3600, 3600], "jitter_percent": 0})
        for n in range(4):
            event = publish(tenant)[0]
            row = eventually(lambda: [row for row in deliveries(tenant, event=event) if row["attempt_count"] and row["status"] == "retrying"  # noqa: B023
                                      and row["next_attempt_at"] > row["last_attempt"]["time"][:17]])[0]
            time.sleep(0.3)
            row = deliveries(tenant, event=event)[0]
            assert row["attempt_count"] <= 2 and row["last_attempt"]["status"] == 401, row
        assert len(target.requests) <= 8 and tokens.given <= 8


def test_a_token_that_another_delivery_got_is_refused_once(tenant):
    """Whoever was refused with the old token is sent with the new one, and is not sent a third time when that is refused as well."""
    with Tokens() as tokens, Guarded() as target:
        register(tenant, target, tokens, retry={"delays": [3600, 3600], "jitter_percent": 0})
        publish(tenant)
        eventually(lambda: [row for row in deliveries(tenant) if row["status"] == "delivered"])
        target.good = {"none"}
        judge = target.judge

        def answer(request):
            reply = judge(request)
            first, second = b'"data":0}' in request.body, b'"data":1}' in request.body
            # the second hears of the old token when the first is on its way with the new one
            reply.delay_s = 1.0 if second and reply.body.endswith(token(1).encode()) else 2.5 if first and reply.body.endswith(token(2).encode()) else 0
            return reply
        target.answer = answer
        later = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 1800))
        for event in publish(tenant, 2):
            row = eventually(lambda: [row for row in deliveries(tenant, event=event) if (row["next_attempt_at"] or "") > later])[0]  # noqa: B023
            assert row["attempt_count"] <= 2, row


BAD = {
    "an error": (Reply(400, body=b'{"error":"invalid_client","error_description":"' + SECRET.encode() + b'"}'), "status 400 and invalid_client"),
    "an error with markup": (Reply(401, body=b'{"error":"<script>"}'), "status 401"),
    "a redirect": (Reply(302, [("Location", "http://127.0.0.1:1/")]), "redirects are not followed"),
    "no JSON": (Reply(200, body=b"<html>"), "no object of JSON"),
    "a list": (Reply(200, body=b"[]"), "no object of JSON"),
    "deep JSON": (Reply(200, body=b"[" * 5000), "no object of JSON"),
    "no token": (Reply(200, body=b'{"token_type":"Bearer","expires_in":60}'), "access_token"),
    "a token with a line": (ok("abc\r\nX-Evil: 1"), "access_token"),
    "an empty token": (ok(""), "access_token"),
    "a long token": (ok("x" * 9000), "access_token"),
    "another type": (ok("abc", token_type="mac"), "token_type"),
    "no type": (ok("abc", token_type=None), "token_type"),
    "a negative life": (ok("abc", -5), "expires_in"),
    "no life": (ok("abc", 0), "expires_in"),
    "a fraction": (ok("abc", 1.5), "expires_in"),
    "a life in words": (ok("abc", "soon"), "expires_in"),
    "a list of lives": (ok("abc", [60]), "expires_in"),
    "much": (Reply(200, body=b'{"access_token":"abc","token_type":"Bearer","expires_in":60,"x":"' + b"y" * 100000 + b'"}'), "larger than 16384"),
    "no HTTP": (Reply(raw=b"220 smtp\r\n"), "its server"),
    "an end": (Reply(drop=True), "its server"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_hostile_token_server(tenant, name):
    reply, word = BAD[name]
    with Tokens(reply=lambda n, r: reply) as tokens, Guarded() as target:
        hook = register(tenant, target, tokens)
        publish(tenant)
        attempt = attempts(tenant, hook)[0]
        assert attempt["outcome"] == "token_error" and attempt["detail"].startswith("no token: ") and word in attempt["detail"], attempt
        assert attempt["status"] is None and not target.requests and SECRET not in json.dumps(attempt)
        assert deliveries(tenant, endpoint=hook["id"])[0]["status"] == "retrying", "it counts, and is tried again"


@pytest.mark.parametrize("lives", [10 ** 30, "3600", None])
def test_lives_that_are_odd_but_clear(tenant, lives):
    with Tokens(lives=lives) as tokens, Guarded() as target:
        register(tenant, target, tokens)
        publish(tenant, 2)
        target.wait_for(2)
        assert target.tokens() == [token(1)] * 2 and tokens.given == 1


def test_a_token_server_that_is_silent(tenant):
    with Tokens(reply=lambda n, r: Reply(hang=True)) as tokens, Guarded() as target:
        hook = register(tenant, target, tokens, timeout_seconds=2)
        publish(tenant, 3)
        attempt = attempts(tenant, hook)[0]
        assert attempt["outcome"] == "token_error" and "timed out" in attempt["detail"] and 1900 < attempt["duration_ms"] < 8000, attempt
        assert tokens.given == 1 and not target.requests


def test_its_address_is_judged(server):
    """As the endpoint's: by its text when it is set, and by every address at each request."""
    running = server(environment="production", flags=["--allow-network", "127.0.0.1/32"])
    with Tokens() as tokens:
        base = {"url": "https://127.0.0.1:9443/x"}
        for url, word in (("https://10.0.0.1/token", "not allowed"), ("https://169.254.169.254/latest", "not allowed"), ("http://127.0.0.1:9443/t", "https"),
                          ("ftp://x.example/", ""), ("https://user:pw@x.example/", "")):
            answer = problem(running.api.post("/v1/webhooks", base | {"authentication": oauth(tokens, token_url=url)}), 422)
            assert [fault["pointer"] for fault in answer["errors"]] == ["/authentication/token_url"] and word in answer["errors"][0]["detail"], answer


def test_it_is_judged_at_each_request(server):
    """The rules have changed since it was set: nothing is sent there."""
    running = server(flags=["--allow-network", "10.0.0.0/8"])
    with Tokens() as tokens, Guarded() as target:
        hook = register(running.api, target, tokens, {"token_url": "http://10.1.2.3/token"})
        running.stop()
        running.flags = []
        running.start()
        publish(running.api)
        attempt = attempts(running.api, hook)[0]
        assert attempt["outcome"] == "token_error" and "not allowed" in attempt["detail"] and not target.requests, attempt


def test_a_change_ends_the_use_of_a_token(tenant):
    """After the answer to a change no request carries a token of the settings before."""
    with Tokens() as tokens, Guarded() as target:
        hook = register(tenant, target, tokens)
        publish(tenant)
        target.wait_for(1)
        for n in range(2, 6):
            tenant.patch(f"/v1/webhooks/{hook['id']}", {"authentication": {"client_secret": f"changed-{n}"}}).expect(200)
            publish(tenant)
            target.wait_for(n)
        assert target.tokens() == [token(n) for n in range(1, 6)]


def test_a_change_while_a_token_is_asked_for(tenant):
    """The token that comes then belongs to the settings before, and is not used."""
    with Tokens(reply=lambda n, r: time.sleep(1.5) if n == 1 else None) as tokens, Guarded() as target:
        hook = register(tenant, target, tokens)
        publish(tenant)
        tokens.wait_for(1)
        tenant.patch(f"/v1/webhooks/{hook['id']}", {"authentication": {"client_secret": "changed-secret"}}).expect(200)
        target.wait_for(1)
        time.sleep(0.5)
        assert target.tokens() == [token(2)]


def test_a_stop_does_not_wait_for_a_token_server(server):
    with Tokens(reply=lambda n, r: Reply(hang=True)) as tokens, Guarded() as target:
        running = server()
        register(running.api, target, tokens)
        publish(running.api)
        tokens.wait_for(1)
        began = time.monotonic()
        assert running.stop() == 0 and time.monotonic() - began < 25


@pytest.mark.parametrize("auth, pointer, word", [
    ({"token_url": ""}, "token_url", "empty"),
    ({"client_id": None}, "client_id", "null"),
    ({"client_authentication": "jwt"}, "client_authentication", "basic"),
    ({"client_secret": "***"}, "client_secret", "masked"),
    ({"password": "p"}, "password", "belongs to the type \"basic\""),
    ({"grant_type": "password"}, "grant_type", "not a field"),
])
def test_a_mistake_says_where(tenant, receiver, auth, pointer, word):
    with Tokens() as tokens:
        body = {"url": receiver().url(), "authentication": oauth(tokens, **auth)}
        answer = problem(tenant.post("/v1/webhooks", body), 422)
        assert [fault["pointer"] for fault in answer["errors"]] == [f"/authentication/{pointer}"] and word in answer["errors"][0]["detail"], answer
