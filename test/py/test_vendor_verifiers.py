"""Each vendor's dialect against that vendor's own published verifier: the vectors of dialects/vectors, and what the real
server sends. A changed byte, another secret or another URL must be refused by the same code.
"""
import base64
import itertools
import json
import re
import subprocess
import threading
import urllib.parse

import pytest

from harness import programs
from harness.expect import eventually, settled
from harness.receiver import Receiver
from harness.server import ROOT, Server, clean_env

VECTORS = ROOT / "dialects" / "vectors"
# dialect -> verifiers: (which of verify.cjs, more of what it is told)
VERIFIERS = {
    "github": [("github", {})],
    "stripe": [("stripe", {})],
    "shopify": [("shopify", {})],
    "slack": [("slack", {})],
    "square": [("square", {})],
    "zoom": [("zoom", {})],
    "linear": [("linear", {})],
    "gitlab": [("gitlab", {})],
    "discord": [("discord", {})],
    "svix": [("svix", {})],
    "httpsig": [("httpsig", {})],
    "cloudevents": [("cloudevents", {}), ("standardwebhooks", {})],
    "cloudevents-structured": [("cloudevents", {}), ("standardwebhooks", {})],
    "standard": [("standardwebhooks", {})],
    "tsanet": [("octokit", {"header": "x-hub-signature-256"})],
    "taskboard": [("octokit", {"header": "x-webhook-signature"})],
    "techwriter": [("stripe", {"header": "x-techwriter-signature"})],
}
# One header with one signature: only the oldest active secret is in it.
ONE_SIGNATURE = {"github", "shopify", "slack", "square", "zoom", "linear", "gitlab", "discord", "tsanet", "taskboard", "tiro"}
_numbers = itertools.count(1)


class Verifiers:
    """The Node.js process that holds the vendors' packages."""

    def __init__(self, folder):
        self._process = subprocess.Popen(["node", "verify.cjs"], cwd=folder, env=clean_env(), stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        self._errors = []
        threading.Thread(target=self._read_errors, daemon=True).start()
        assert self._line().startswith("ready ")

    def ask(self, vendor, request, secrets, **more):
        """Gives what the verifier says: {"ok", "seen"} or {"ok", "error"}."""
        method, url, headers, body = request
        self._process.stdin.write(json.dumps({"vendor": vendor, "method": method, "url": url, "headers": headers,
                                              "body": base64.b64encode(body).decode(), "secrets": secrets, **more}) + "\n")
        self._process.stdin.flush()
        while not (line := self._line()).startswith("verdict "):
            pass
        return json.loads(line.split(" ", 1)[1])

    def close(self):
        self._process.kill()
        self._process.wait(20)

    def _line(self):
        line = self._process.stdout.readline()
        assert line, "the verifiers ended:\n" + "".join(self._errors[-20:])
        return line

    def _read_errors(self):
        for line in self._process.stderr:
            self._errors.append(line)


@pytest.fixture(scope="module")
def verifiers():
    made = Verifiers(programs.node_folder("vendors"))
    yield made
    made.close()


# ---- the vectors ----

def cases():
    for file in sorted(VECTORS.glob("*.json")):
        document = json.loads(file.read_text())
        for case in document["wire"]:
            for vendor, more in VERIFIERS.get(document["dialect"], []):
                inputs = case["inputs"]
                unsigned = inputs["endpoint"].get("options", {}).get("signed") is False
                if (inputs["endpoint"].get("signature_variant") and vendor != "httpsig") or (unsigned and vendor == "standardwebhooks"):
                    continue  # other forms than the vendor's code knows
                yield pytest.param(document["dialect"], case, vendor, more, id=f"{document['dialect']}-{case['name']}-{vendor}")


def parsed(case):
    """The expected request: (method, URL, headers, body)."""
    head, body = case["expected"]["request"].encode().split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    fields = [tuple(line.split(": ", 1)) for line in lines[1:]]
    return lines[0].split(" ")[0], case["inputs"]["endpoint"]["url"], fields, body


def active(dialect, inputs):
    at = inputs["attempt"]["at_unix"]
    held = [secret["value"] for secret in inputs["secrets"] if secret.get("until_unix", at + 1) > at]
    return held[-1:] if dialect in ONE_SIGNATURE else held


def other(secret):
    """A secret of the same form that is not this one."""
    if secret.startswith("whsk_"):
        return "whsk_" + base64.b64encode(bytes(range(100, 132))).decode()
    if secret.startswith("whsec_") and len(secret) > 30:
        return "whsec_" + base64.b64encode(bytes(range(100, 132))).decode()
    return ("1" if secret[0] != "1" else "2") + secret[1:]


def changed(body, at):
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]


@pytest.mark.parametrize("dialect, case, vendor, more", cases())
def test_vector(verifiers, dialect, case, vendor, more):
    method, url, headers, body = request = parsed(case)
    secrets, now = active(dialect, case["inputs"]), case["inputs"]["attempt"]["at_unix"]
    verdict = verifiers.ask(vendor, request, secrets, now=now, **more)
    assert verdict["ok"], verdict
    if vendor == "cloudevents":
        same_event(verdict["seen"], case["inputs"], binary=dialect == "cloudevents")
        return
    if vendor != "gitlab":
        for at in (len(body) // 3, len(body) - 2):
            refused = verifiers.ask(vendor, (method, url, headers, changed(body, at)), secrets, now=now, **more)
            assert not refused["ok"], f"byte {at} was changed"
    for secret in secrets:
        assert not verifiers.ask(vendor, request, [other(secret)], now=now, **more)["ok"], "another secret"
    if vendor in ("square", "httpsig"):
        assert not verifiers.ask(vendor, (method, url + "/", headers, body), secrets, now=now, **more)["ok"], "another URL"
    if vendor in ("stripe", "slack", "svix", "standardwebhooks", "linear", "httpsig"):
        assert not verifiers.ask(vendor, request, secrets, now=now + 3600, **more)["ok"], "an hour later"


def same_event(seen, inputs, binary):
    """What the CloudEvents SDK read is what was published. The SDK leaves header values percent-encoded."""
    event, tenant = inputs["event"], inputs.get("tenant", {})
    decode = urllib.parse.unquote if binary else str
    assert seen["specversion"] == "1.0" and seen["id"] == event["id"] and seen["type"] == event["type"]
    assert decode(seen["source"]) == tenant.get("attributes", {}).get("source", tenant["id"])
    assert decode(seen.get("subject", "")) == event.get("resource_id", "")
    assert seen["time"].replace(".000Z", "Z") == event["time"]
    as_numbers = {"parse_int": float}  # JavaScript has no others
    assert json.loads(json.dumps(seen["data"]), **as_numbers) == json.loads(event["data_json"], **as_numbers)


def test_every_dialect_has_vectors():
    names = {file.stem for file in (ROOT / "dialects").glob("*.yaml")}
    with_vectors = {file.stem: json.loads(file.read_text()) for file in VECTORS.glob("*.json")}
    assert set(with_vectors) == names
    for name, document in with_vectors.items():
        assert document["dialect"] == name and document["verified_by"] and len(document["wire"]) >= 2
    assert names - set(VERIFIERS) == {"tiro"}, "a bearer secret: nothing to compute, see test_verifiers.py"


# ---- real deliveries ----

@pytest.fixture(scope="module")
def running(tmp_path_factory, certificates):
    with Server(tmp_path_factory.mktemp("vendors"), flags=["--ca-file", str(certificates.ca)]) as made:
        yield made


HARD = ('{"action":"x","text":"\u00e4\u20ac\U0001F600 \\u00e4\\/\\u001f","n":[1,1e2,-0,0.5],"o":{},"a":[],"nul":null,'
        '"long":"' + "0123456789abcdef" * 200 + '"}').encode()
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
REAL = {  # dialect -> (event type, attributes of the tenant, more of the event)
    "github": ("issues.opened", {"target_id": 42, "target_type": "repository"}, {}),
    "stripe": ("charge.succeeded", {"api_version": "2026-09-30", "livemode": True}, {}),
    "shopify": ("orders.create", {"shop_domain": "test.myshopify.com"}, {}),
    "slack": ("app_mention", {"team_id": "T1", "api_app_id": "A1"}, {}),
    "square": ("payment.updated", {}, {"resource_id": "pay_1"}),
    "zoom": ("meeting.started", {}, {}),
    "linear": ("Issue.create", {}, {}),
    "gitlab": ("merge_request", {}, {}),
    "discord": ("APPLICATION_AUTHORIZED", {}, {}),
    "svix": ("invoice.paid", {}, {}),
    "httpsig": ("invoice.paid", {}, {}),
    "cloudevents": ("com.example.paid", {"source": "/caf%C3%A9"}, {"resource_id": "in 1"}),
    "cloudevents-structured": ("com.example.paid", {"source": "/caf%C3%A9"}, {"resource_id": "in 1"}),
}


def delivered(running, receiver, dialect):
    """Publishes one event for a new endpoint of a new tenant; gives (request, secret, endpoint, answer to publishing)."""
    event_type, attributes, more = REAL[dialect]
    name = f"v{next(_numbers)}"
    running.api.put(f"/v1/tenants/{name}", {"name": name, "dialect": dialect, "attributes": attributes}).expect(201)
    api = running.api.as_tenant(name)
    path = f"/{name}/in?x=1"
    made = api.post("/v1/webhooks", {"url": receiver.url(path), "events": [event_type]}).expect(201).json
    body = json.dumps({"type": event_type, **more}).encode()[:-1] + b',"data":' + HARD + b"}"
    published = api.post("/v1/events", body, headers={"Content-Type": "application/json"}).expect(202).json
    eventually(lambda: any(r.target == path for r in receiver.requests), 20, "the delivery")
    request = next(r for r in receiver.requests if r.target == path)
    secret = made.get("secret") or api.get(f"/v1/webhooks/{made['id']}/secret").json["secret"]
    return api, request, secret, made, published


@pytest.mark.parametrize("dialect", REAL)
def test_delivery(running, verifiers, certificates, dialect):
    with Receiver(tls=certificates.context(), answer=lambda _: 204 if dialect == "discord" else 200) as receiver:
        api, sent, secret, made, published = delivered(running, receiver, dialect)
        request = (sent.method, receiver.url(sent.target), sent.headers, sent.body)
        for vendor, more in VERIFIERS[dialect]:
            verdict = verifiers.ask(vendor, request, [secret], **more)
            assert verdict["ok"], verdict
            if vendor not in ("gitlab", "cloudevents"):
                bad = (request[0], request[1], request[2], changed(sent.body, sent.body.index(b"0123") + 5))
                assert not verifiers.ask(vendor, bad, [secret], **more)["ok"]
        row = settled(api, 1)[0]
        assert row["attempt_count"] == 1
        check_values(dialect, sent, made, published, row)


def check_values(dialect, sent, made, published, row):
    """Header values that come from ids and types."""
    wanted = {
        "github": {"X-GitHub-Event": "issues", "X-GitHub-Delivery": row["id"], "X-GitHub-Hook-ID": str(made["id"]),
                   "X-GitHub-Hook-Installation-Target-ID": "42"},
        "shopify": {"X-Shopify-Topic": "orders/create", "X-Shopify-Event-Id": published["id"], "X-Shopify-Webhook-Id": row["id"],
                    "X-Shopify-Shop-Domain": "test.myshopify.com"},
        "linear": {"Linear-Event": "Issue", "Linear-Delivery": row["id"]},
        "gitlab": {"X-Gitlab-Event": "Merge Request Hook", "X-Gitlab-Webhook-UUID": made["id"],
                   "X-Gitlab-Event-UUID": published["id"], "Idempotency-Key": row["id"]},
        "svix": {"svix-id": published["id"]},
        "cloudevents": {"ce-id": published["id"], "ce-source": "/caf%25C3%25A9", "ce-subject": "in%201",
                        "Content-Type": "application/json"},
        "cloudevents-structured": {"Content-Type": "application/cloudevents+json; charset=utf-8", "ce-id": None},
        "slack": {"X-Slack-Retry-Num": None},
        "square": {"square-retry-number": None, "square-environment": "Production"},
    }.get(dialect, {})
    assert {name: sent.header(name) for name in wanted} == wanted
    if dialect in ("github", "shopify", "linear", "gitlab"):
        assert UUID.fullmatch(row["id"])
    if dialect in ("shopify", "square", "gitlab"):
        assert UUID.fullmatch(published["id"])
    if dialect in ("linear", "gitlab"):
        assert UUID.fullmatch(made["id"])


def test_ids_are_found_again(running, certificates):
    """UUIDs and integers of the dialects lead back to their objects."""
    with Receiver(tls=certificates.context()) as receiver:
        for dialect in ("github", "gitlab", "shopify", "linear"):
            api, _, _, made, published = delivered(running, receiver, dialect)
            row = settled(api, 1)[0]
            assert api.get(f"/v1/webhooks/{made['id']}").expect(200).json["id"] == made["id"]
            assert api.get(f"/v1/deliveries/{row['id']}").expect(200).json["id"] == row["id"]
            assert api.get(f"/v1/events/{published['id']}").expect(200).json["id"] == published["id"]
            assert api.get(f"/v1/deliveries/{row['id'].upper()}").status == 404
            turned = row["id"][:-1] + ("0" if row["id"][-1] != "0" else "1")
            assert api.get(f"/v1/deliveries/{turned}").status == 404


def test_retry_has_its_number(running, verifiers, certificates):
    """A retry is signed anew and says which it is; the first attempt says nothing."""
    with Receiver(tls=certificates.context()).script(500, 200) as receiver:
        api, first, secret, _, _ = delivered(running, receiver, "slack")
        _, second = receiver.wait_for(2, timeout_s=30)
        assert first.header("X-Slack-Retry-Num") is None and second.header("X-Slack-Retry-Num") == "1"
        assert first.body == second.body and 0.9 <= second.mono - first.mono < 20
        for sent in (first, second):
            assert verifiers.ask("slack", (sent.method, receiver.url(sent.target), sent.headers, sent.body), [secret])["ok"]
        settled(api, 1)


def test_no_retries_at_all(running, certificates):
    """A dialect with an empty list of delays: one attempt, and the delivery has failed."""
    with Receiver(tls=certificates.context(), answer=lambda _: 500) as receiver:
        api, *_ = delivered(running, receiver, "github")
        row = settled(api, 1, "failed")[0]
        assert row["attempt_count"] == 1 and len(receiver.requests) == 1


def test_optional_signature(running, verifiers, certificates):
    """An endpoint's option takes the signature and its headers away together."""
    with Receiver(tls=certificates.context()) as receiver:
        name = f"v{next(_numbers)}"
        running.api.put(f"/v1/tenants/{name}", {"name": name, "dialect": "cloudevents"}).expect(201)
        api = running.api.as_tenant(name)
        api.post("/v1/webhooks", {"url": receiver.url(), "options": {"signed": False}}).expect(201)
        api.post("/v1/events", {"type": "com.example.x", "data": {"a": 1}}).expect(202)
        sent = receiver.wait_for(1)[0]
        assert not [key for key, _ in sent.headers if key.lower().startswith("webhook-")]
        assert sent.header("ce-source") == name
        verdict = verifiers.ask("cloudevents", (sent.method, receiver.url(), sent.headers, sent.body), [""])
        assert verdict["ok"] and verdict["seen"]["data"] == {"a": 1}, verdict


# ---- HTTP message signatures ----

MESSAGE = {"content-digest", "signature-input", "signature"}


def message_tenant(running, **endpoint):
    name = f"v{next(_numbers)}"
    running.api.put(f"/v1/tenants/{name}", {"name": name, "dialect": "httpsig"}).expect(201)
    api = running.api.as_tenant(name)
    return api, api.post("/v1/webhooks", endpoint).expect(201).json


def as_asked(receiver, sent):
    return sent.method, receiver.url(sent.target), sent.headers, sent.body


@pytest.mark.parametrize("more", [{}, {"method": "PUT"}, {"body_format": "form"}, {"template": {"text": {"$": "$.data.a"}}}])
def test_a_message_of_any_form_is_signed_as_it_is_sent(running, verifiers, certificates, more):
    with Receiver(tls=certificates.context()) as receiver:
        api, made = message_tenant(running, url=receiver.url("/in?a=1&b=%20x"), **more)
        api.post("/v1/events", {"type": "order.paid", "data": {"a": "\u00e4"}}).expect(202)
        sent = receiver.wait_for(1)[0]
        assert verifiers.ask("httpsig", as_asked(receiver, sent), [made["secret"]])["ok"]
        assert sent.method == more.get("method", "POST")
        other = "POST" if sent.method == "PUT" else "PUT"
        assert not verifiers.ask("httpsig", (other, *as_asked(receiver, sent)[1:]), [made["secret"]])["ok"], "another method"
        changed_type = [(name, "text/plain" if name.lower() == "content-type" else value) for name, value in sent.headers]
        assert not verifiers.ask("httpsig", (sent.method, receiver.url(sent.target), changed_type, sent.body), [made["secret"]])["ok"]
        row = settled(api, 1)[0]
        shown = api.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][0]["request"]
        kept = {name.lower(): value for name, value in shown["headers"].items()} if isinstance(shown["headers"], dict) else \
            {header["name"].lower(): header["value"] for header in shown["headers"]}
        assert {name: kept[name] for name in MESSAGE} == {name: sent.header(name) for name in MESSAGE}, "the log has what was sent"


def test_both_keys_sign_a_message_while_one_is_rotated(running, verifiers, certificates):
    """And an endpoint that moves from a shared secret to a key pair is signed for with both."""
    with Receiver(tls=certificates.context()) as receiver:
        api, made = message_tenant(running, url=receiver.url("/in"))
        pair = "whsk_" + base64.b64encode(bytes(range(32))).decode()
        api.post(f"/v1/webhooks/{made['id']}/rotate-secret", {"signature_variant": "ed25519", "secret": pair}).expect(200)
        api.post("/v1/events", {"type": "order.paid", "data": {}}).expect(202)
        sent = receiver.wait_for(1)[0]
        assert re.match(r'sig1=\(.*;alg="ed25519", sig2=\(.*;alg="hmac-sha256"$', sent.header("Signature-Input"))
        for secret in (made["secret"], pair):
            assert verifiers.ask("httpsig", as_asked(receiver, sent), [secret])["ok"]


# ---- no vendor in C ----

def test_no_vendor_in_c():
    """The names of all dialects but `standard` (an English word, and the default's name) stand in no C file."""
    names = {part for file in (ROOT / "dialects").glob("*.yaml") for part in file.stem.split("-")} - {"standard", "structured"}
    names |= {"hub-signature", "x-gitlab", "x-shopify", "x-slack", "x-zm-"}
    allowed = {  # words that are not the vendor's name there
        "linear": {"linear time", "linear in", "linear search", "linear scan", "linearly", "linear probing", "linear hashing"},
        "square": {"square bracket", "square root"},
        "cloudevents": {"http binding of cloudevents"},  # the specification that a rule is from
    }
    found = []
    for top in ("src", "lib", "include"):
        for file in sorted((ROOT / top).rglob("*.[ch]")):
            for number, line in enumerate(file.read_text(errors="replace").lower().splitlines(), 1):
                for name in names:
                    if re.search(rf"\b{re.escape(name)}", line) and not any(word in line for word in allowed.get(name, ())):
                        found.append(f"{file.relative_to(ROOT)}:{number}: {name}: {line.strip()}")
    assert not found, "\n".join(found)
