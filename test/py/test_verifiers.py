"""What is really sent, judged by code that we did not write: the verifiers that others publish as npm packages, and
the receivers that vendors print on their documentation pages, run as real servers in Node.js, Python, Go and Kotlin.
"""
import base64
import concurrent.futures
import hashlib
import hmac
import http.client
import itertools
import json
import random
import re
import subprocess
import time

import pytest

from harness import programs
from harness.expect import deliveries, eventually, settled
from harness.receiver import Receiver, Reply
from harness.server import Server

TYPES = {"standard": "invoice.paid", "tiro": "note.created", "tsanet": "note.created", "taskboard": "task.created",
         "techwriter": "document.published"}
# Bodies on which a careless sender or receiver breaks: all kinds of characters, escapes that may be written in two
# ways, numbers, names that look like indexes, nothing at all, and one that fills many TCP segments.
HARD = [
    b"{}",
    b'{"name":"Design homepage","text":"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xe2\x80\xa8 \\u00e4\\ud83d\\ude00\\/\\u001f"}',
    b' { "b" : 1 , "a" : [ ] , "c" : null , "nested" : { "x" : [ { } , [ [ ] ] ] } } ',
    b'{"10":1,"2":2,"__proto__":{"x":1},"a":3,"\\u0061":4,"lone":"\\ud800","n":[1.0,1e2,-0,0.1e-6,1E21,5e-324]}',
    b'{"long":"' + b"0123456789abcdef" * 4000 + b'"}',
]
_numbers = itertools.count(1)


# ---- a server, tenants of every dialect, receivers ----

@pytest.fixture(scope="module", autouse=True)
def built():
    """Everything that has to be installed or compiled, begun at once in the background."""
    makers = {"node": programs.node_folder, "go": programs.go_receiver, "kotlin": programs.kotlin_receiver,
              "flask": programs.flask_receiver}
    with concurrent.futures.ThreadPoolExecutor(len(makers)) as pool:
        yield {name: pool.submit(maker) for name, maker in makers.items()}


@pytest.fixture(scope="module")
def running(tmp_path_factory, certificates):
    with Server(tmp_path_factory.mktemp("verifiers"), flags=["--ca-file", str(certificates.ca)]) as made:
        yield made


@pytest.fixture(scope="module")
def node(built, certificates):
    """The Node.js receivers, over HTTP and HTTPS."""
    cert, key = certificates.issue()
    made = programs.Program(["node", "receiver.cjs", key, cert], built["node"].result())
    yield made.ready()
    made.close()


def tenant(running, dialect, **more):
    """A client that acts for a new tenant of a dialect."""
    name = f"v{next(_numbers)}"
    running.api.put(f"/v1/tenants/{name}", {"name": name, "dialect": dialect, **more}).expect(201)
    return running.api.as_tenant(name)


def endpoint(api, dialect, url, secret=None, **more):
    """A new endpoint, made in the dialect's own words; gives (id, secret)."""
    body = {"callbackUrl" if dialect == "tsanet" else "url": url, **more}
    if dialect in ("taskboard", "techwriter"):
        body.setdefault("events", [TYPES[dialect]])
        secret = secret or "customer's own secret \u00e4\u20ac"
    if secret:
        body["secret"] = secret
    made = api.post("/v1/webhooks", body).expect(200, 201).json
    assert not secret or made.get("secret", secret) == secret
    return made["id"], secret or made["secret"]


def publish(api, dialect, data=b"{}", event_type=None, **more):
    """Publishes data given as JSON text, byte for byte; gives the answer."""
    rest = {"type": event_type or TYPES[dialect], **({"resource_id": "r-1"} if dialect == "tiro" else {}), **more}
    body = json.dumps(rest).encode()[:-1] + b',"data":' + data + b"}"
    return api.post("/v1/events", body, headers={"Content-Type": "application/json"}).expect(202).json


class Path:
    """One verifier of a published library, behind a path of its own."""

    def __init__(self, node, library, header, secret=None, more=()):
        self.node, self.name, self.header = node, f"n{next(_numbers)}", header
        self.given = {"verifier": self.name, "library": library, "header": header, "more": list(more)}
        self.path = f"/lib/{self.name}"
        if secret:
            self.trust(secret)

    def trust(self, secret, more=()):
        self.node.command({**self.given, "secret": secret, "more": list(more)})

    def arrived(self, count=1, path=None):
        """The first `count` requests that came to this path."""
        eventually(lambda: len(self.requests(path)) >= count, 20, f"{count} requests at {self.path}")
        return self.requests(path)[:count]

    def requests(self, path=None):
        return [request for request in self.node.said("request") if request["path"] == (path or self.path)]


def resend(node, request, path, change=None, body=None, offset=None):
    """Sends a recorded request once more; `change` gives new header values by lower-case name. Gives the status."""
    raw = request["headers"]
    fields = [(name, (change or {}).get(name.lower(), value)) for name, value in zip(raw[::2], raw[1::2])]
    body = base64.b64decode(request["body"]) if body is None else body
    connection = http.client.HTTPConnection("127.0.0.1", node.ports[0], timeout=20)
    connection.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
    for name, value in fields:
        connection.putheader(name, str(len(body)) if name.lower() == "content-length" else value)
    if offset is not None:
        connection.putheader("X-Test-Clock-Offset", str(offset))
    connection.endheaders(body)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def value_of(request, header):
    raw = request["headers"]
    return next(value for name, value in zip(raw[::2], raw[1::2]) if name.lower() == header.lower())


def flipped(data, at, bit=0):
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]


# ---- TechWriter's first retries in real time: begun first, read last ----

@pytest.fixture(scope="module", autouse=True)
def retried(running, certificates):
    """A delivery whose first two attempts fail; the tests of this module pass meanwhile."""
    with Receiver(tls=certificates.context()).script(503, 500, 200) as receiver:
        api = tenant(running, "techwriter")
        _, secret = endpoint(api, "techwriter", receiver.url())
        event = publish(api, "techwriter", b'{"id":"doc_1"}')
        yield api, receiver, secret, event["id"]


# ---- the published verifiers ----

LIBRARIES = [
    pytest.param("techwriter", "stripe", "x-techwriter-signature", id="techwriter-stripe"),
    pytest.param("tsanet", "octokit", "x-hub-signature-256", id="tsanet-octokit"),
    pytest.param("taskboard", "octokit", "x-webhook-signature", id="taskboard-octokit"),
    pytest.param("standard", "standardwebhooks", "webhook-signature", id="standard-standardwebhooks"),
    pytest.param("standard", "svix", "webhook-signature", id="standard-svix"),
]
# How each says that the signature is wrong, as opposed to any other error. (octokit's verify gives false.)
REFUSAL = {"stripe": "StripeSignatureVerificationError", "octokit": "Refused",
           "standardwebhooks": "WebhookVerificationError", "svix": "WebhookVerificationError"}


@pytest.mark.parametrize("dialect, library, header", LIBRARIES)
def test_published_verifier(running, node, dialect, library, header):
    api, path = tenant(running, dialect), Path(node, library, header)
    _, secret = endpoint(api, dialect, node.url(path.path, tls=dialect == "techwriter"))
    path.trust(secret)
    for data in HARD:
        publish(api, dialect, data)
    settled(api, len(HARD))
    requests = path.arrived(len(HARD))
    assert [request["status"] for request in requests] == [200] * len(HARD), requests

    # One bit anywhere in the body, or in the signature itself, and it is refused for that reason.
    request = min(requests, key=lambda r: len(r["body"]))
    body = base64.b64decode(request["body"])
    assert resend(node, request, path.path) == 200
    for at in sorted(random.sample(range(len(body)), min(12, len(body)))):
        assert resend(node, request, path.path, body=flipped(body, at, at % 8)) == 400, f"bit {at % 8} of byte {at}"
    given = value_of(request, header)
    for at in (-2, -20):
        other = given[:at] + ("1" if given[at] != "1" else "2") + given[at + 1:]
        assert resend(node, request, path.path, change={header: other}) == 400
    assert resend(node, request, path.path, body=body + b" ") == 400
    refusals = {request["error"].split(":")[0] for request in path.requests() if request["status"] == 400}
    assert refusals == {REFUSAL[library]}, refusals


@pytest.mark.parametrize("dialect, library, header", LIBRARIES)
def test_published_verifier_with_another_secret(running, node, dialect, library, header):
    """A receiver with a wrong secret refuses real deliveries, and the refusal is retried as its dialect says."""
    api = tenant(running, dialect)
    wrong = "whsec_" + base64.b64encode(b"another secret of a receiver").decode() if dialect == "standard" else "another"
    path = Path(node, library, header, wrong)
    endpoint(api, dialect, node.url(path.path, tls=dialect == "techwriter"))
    publish(api, dialect)
    assert path.arrived(1)[0]["status"] == 400
    row = settled(api, 1, "retrying")[0]
    assert row["attempt_count"] == 1


@pytest.mark.parametrize("library", ["standardwebhooks", "svix", "stripe", "printed"])
def test_replay_window(running, node, library):
    """Five minutes to both sides. Stripe's package accepts any time in the future, so TechWriter's is our own test."""
    dialect = "techwriter" if library in ("stripe", "printed") else "standard"
    path = Path(node, "stripe" if library == "printed" else library, "x-techwriter-signature")
    api = tenant(running, dialect)
    _, secret = endpoint(api, dialect, node.url(path.path, tls=dialect == "techwriter"))
    path.trust(secret)
    node.command({"secrets": {"techwriter": [secret]}})
    publish(api, dialect)
    request = path.arrived(1)[0]
    to = "/webhooks/techwriter" if library == "printed" else path.path
    assert resend(node, request, to, offset=285) == 200
    assert resend(node, request, to, offset=-285) == 200
    assert resend(node, request, to, offset=315) == 400
    assert resend(node, request, to, offset=-315) == (200 if library == "stripe" else 400)
    # A fresh time in the header does not help: the time is signed.
    stamp = str(int(time.time()) + 300)
    if dialect == "standard":
        change = {"webhook-timestamp": stamp}
    else:
        change = {path.header: re.sub(r"t=\d+", f"t={stamp}", value_of(request, path.header))}
    assert resend(node, request, to, change=change, offset=315) == 400


def test_asymmetric_signature(running, node):
    """Standard Webhooks' v1a: Ed25519, checked with Node's cryptography and the public key alone."""
    api, path = tenant(running, "standard"), Path(node, "ed25519", "webhook-signature")
    key = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
    made = api.post("/v1/webhooks", {"url": node.url(path.path), "signature_variant": "v1a", "secret": "whsk_" + key})
    shown = json.dumps(api.get(f"/v1/webhooks/{made.expect(201).json['id']}/secret").expect(200).json)
    public = re.search(r"whpk_[A-Za-z0-9+/=]+", made.body.decode() + shown)
    path.trust(public.group() if public else "whpk_" + base64.b64encode(public_of(base64.b64decode(key))).decode())
    publish(api, "standard", HARD[1])
    request = path.arrived(1)[0]
    assert request["status"] == 200, request
    body = base64.b64decode(request["body"])
    assert resend(node, request, path.path, body=flipped(body, len(body) // 2)) == 400


def public_of(seed):
    """The Ed25519 public key of a seed, by the openssl command."""
    der = bytes.fromhex("302e020100300506032b657004220420") + seed
    made = subprocess.run(["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"], input=der,
                                   capture_output=True, check=True)
    return made.stdout[-32:]


# ---- rotation ----

def rotate(api, number, **more):
    """Rotates; gives the secrets that the answer shows, the new one and, where it can be read, the old one."""
    rows = api.post(f"/v1/webhooks/{number}/rotate-secret", more).expect(200).json["secrets"]
    assert len(rows) == 2, rows
    # A secret that is shown only once is not shown again: the old one's row is without it.
    return [row["secret"] for row in rows if "secret" in row]


@pytest.mark.parametrize("dialect, library, header", [row for row in LIBRARIES if row.values[1] != "octokit"])
def test_rotation_where_both_sign(running, node, dialect, library, header):
    """While two secrets are active, a receiver with either one accepts; afterwards only one with the new."""
    api, old_path, new_path = tenant(running, dialect), Path(node, library, header), Path(node, library, header)
    number, old = endpoint(api, dialect, node.url(old_path.path, tls=dialect == "techwriter"))
    old_path.trust(old)
    publish(api, dialect)
    assert old_path.arrived(1)[0]["status"] == 200
    given = {"secret": "the customer's next one"} if dialect == "techwriter" else {}
    secrets = rotate(api, number, overlap_seconds=None, **given)
    assert old in secrets
    new = next(secret for secret in secrets if secret != old)
    new_path.trust(new)
    publish(api, dialect, HARD[1])
    both = old_path.arrived(2)[1]
    assert both["status"] == 200, both
    assert resend(node, both, new_path.path) == 200
    api.delete(f"/v1/webhooks/{number}/secret/previous").expect(204)
    publish(api, dialect, HARD[1])
    after = old_path.arrived(3)[2]
    assert after["status"] == 400
    assert resend(node, after, new_path.path) == 200


def test_rotation_where_the_old_one_signs(running, node):
    """One header holds one signature: until the overlap ends the old secret signs, then the new one does. The receiver
    trusts the old one alone, then both (verifyWithFallback), then the new one alone: it accepts all the time."""
    paths, apis, secrets, overlap_s = {}, {}, {}, 10
    for dialect, header in (("tsanet", "x-hub-signature-256"), ("taskboard", "x-webhook-signature")):
        apis[dialect], paths[dialect] = tenant(running, dialect), Path(node, "octokit", header)
        number, old = endpoint(apis[dialect], dialect, node.url(paths[dialect].path))
        paths[dialect].trust(old)
        shown = rotate(apis[dialect], number, overlap_seconds=overlap_s)
        secrets[dialect] = (next(secret for secret in shown if secret != old), old)
    started = time.monotonic()
    for dialect, api in apis.items():
        publish(api, dialect, HARD[1])
        assert paths[dialect].arrived(1)[0]["status"] == 200, "the old secret no longer signs"
        paths[dialect].trust(secrets[dialect][0])
        assert resend(node, paths[dialect].arrived(1)[0], paths[dialect].path) == 400
        paths[dialect].trust(secrets[dialect][0], [secrets[dialect][1]])
        assert resend(node, paths[dialect].arrived(1)[0], paths[dialect].path) == 200
    time.sleep(max(0, started + overlap_s + 0.5 - time.monotonic()))
    for dialect, api in apis.items():
        paths[dialect].trust(secrets[dialect][0])
        publish(api, dialect, HARD[1])
        assert eventually(lambda path=paths[dialect]: path.requests()[3:])[0]["status"] == 200, "the new one does not sign"
        paths[dialect].trust(secrets[dialect][1])
        assert resend(node, paths[dialect].requests()[3], paths[dialect].path) == 400


# ---- Tiro's printed receivers, in four languages ----

@pytest.fixture(scope="module", params=["node", "flask", "go", "kotlin"])
def printed(request, built):
    """One language's receiver as a running server. Node.js has a process of its own here: it holds one secret."""
    made = built[request.param].result()
    program = programs.Program(["node", "receiver.cjs"], made) if request.param == "node" else programs.Program(made)
    yield program.ready()
    program.close()


def handled(program):
    """The events that the printed code passed on."""
    return [value[1] if isinstance(value, list) else value for value in program.said("handled")]


TIRO = "/en/developers/webhooks/tiro"


def test_printed_tiro_receiver(running, printed):
    api = tenant(running, "tiro", attributes={"workspaceGuid": "ws_a1b2c3d4"})
    number, secret = endpoint(api, "tiro", printed.url(TIRO))
    printed.command({"secrets": {"tiro": secret}})
    before = len(handled(printed))
    ids = [publish(api, "tiro", data, resource_id=f"note-{i}")["id"] for i, data in enumerate(HARD)]
    settled(api, len(HARD))
    eventually(lambda: len(handled(printed)) == before + len(HARD), what="all events handled")
    events = {event["id"]: event for event in handled(printed)[before:]}
    for i, (event_id, data) in enumerate(zip(ids, HARD)):
        event = events[event_id]
        assert (event["type"], event["workspaceGuid"]) == ("note.created", "ws_a1b2c3d4")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["createdAt"])
        assert (event["data"]["resourceType"], event["data"]["resourceId"]) == ("Note", f"note-{i}")
        if b"\\ud800" not in data:  # JSON libraries differ about lone surrogates
            assert event["data"]["resource"] == json.loads(data)

    # The old secret goes on through the overlap: switching early would lose events, because 401 is final.
    new = next(secret_ for secret_ in rotate(api, number) if secret_ != secret)
    publish(api, "tiro")
    settled(api, len(HARD) + 1)
    printed.command({"secrets": {"tiro": new}})
    publish(api, "tiro")
    refused = settled(api, 1, "failed")[0]
    shown = api.get(f"/v1/deliveries/{refused['id']}").expect(200).json
    assert (shown["reason"], [attempt["status"] for attempt in shown["attempts"]]) == ("final_status", [401])
    api.delete(f"/v1/webhooks/{number}/secret/previous").expect(204)
    publish(api, "tiro")
    settled(api, len(HARD) + 2)


def test_printed_tiro_receiver_refuses_others(printed):
    """Without a token, with another one, or with one bit flipped, the printed code refuses what anyone may send."""
    printed.command({"secrets": {"tiro": "abcdefghijklmnopqrstuvwxyz"}})
    before = len(handled(printed))

    def status(value):
        connection = http.client.HTTPConnection("127.0.0.1", printed.ports[0], timeout=20)
        fields = {"Content-Type": "application/json", **({"Authorization": value} if value else {})}
        connection.request("POST", TIRO, b"{}", fields)
        found = connection.getresponse().status
        connection.close()
        return found

    assert status("Bearer abcdefghijklmnopqrstuvwxyz") == 200
    assert status("Bearer abcdefghijklmnopqrstuvwxyZ") == 401
    assert status("Bearer abcdefghijklmnopqrstuvwxy") == 401
    # The printed Node.js code reads a property of a missing header, and throws.
    assert status(None) in (401, 500)
    eventually(lambda: len(handled(printed)) == before + 1)


def test_printed_tiro_routing_and_idempotency(running, node):
    """The "Best Practices" page: routes by resource type, and handles an event once however often it comes."""
    api = tenant(running, "tiro")
    _, secret = endpoint(api, "tiro", node.url("/webhooks/tiro"))
    node.command({"secrets": {"tiro": secret}})
    kinds = {"note.updated": "Note", "note_document.created": "NoteDocument", "note_summary.created": "NoteSummary",
             "folder.note_added": "FolderNoteRelation"}
    for event_type in kinds:
        publish(api, "tiro", b'{"title":"T"}', event_type, resource_id=f"id of {event_type}")
    for row in settled(api, len(kinds)):
        api.post(f"/v1/deliveries/{row['id']}/retry").expect(202)
    eventually(lambda: sum(r["path"] == "/webhooks/tiro" for r in node.said("request")) == 2 * len(kinds))
    routed = sorted(value for value in node.said("handled") if value[0] != "event")
    assert routed == sorted([kind, event_type, f"id of {event_type}", {"title": "T"}] for event_type, kind in kinds.items())


# ---- Taskboard's printed receiver ----

def test_printed_taskboard_receiver(running, node):
    """It signs JSON.stringify(req.body) again and compares bare hex: an endpoint with the variant `bare` satisfies it,
    whatever the body holds; with the header as the page writes it ("sha256=...") that code throws."""
    api, secret = tenant(running, "taskboard"), "your_webhook_secret"
    endpoint(api, "taskboard", node.url("/webhooks"), secret, signature_variant="bare")
    node.command({"secrets": {"taskboard": secret}})
    for data in HARD:
        assert "warnings" not in publish(api, "taskboard", data)
    rows = settled(api, len(HARD))
    eventually(lambda: "New task: Design homepage" in node.lines)
    assert {row["attempt_count"] for row in rows} == {1}
    request = next(r for r in node.said("request") if r["path"] == "/webhooks" and r["status"] == 200)
    assert re.fullmatch(r"[0-9a-f]{64}", value_of(request, "X-Webhook-Signature"))
    body = base64.b64decode(request["body"])
    assert resend(node, request, "/webhooks") == 200
    for at in [match.start() for match in re.finditer(rb"\d", body)][:6]:  # it stays JSON, so the signature decides
        assert resend(node, request, "/webhooks", body=flipped(body, at)) == 401

    api = tenant(running, "taskboard")
    number, _ = endpoint(api, "taskboard", node.url("/webhooks"), secret)
    publish(api, "taskboard")
    row = settled(api, 1, "retrying")[0]
    attempt = api.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][0]
    assert attempt["status"] == 500
    refused = [r for r in node.said("request") if r["path"] == "/webhooks" and r["status"] == 500]
    assert refused and all(r["error"].startswith("RangeError") for r in refused), refused
    # The endpoint chooses the variant; the delivery that waits goes out so.
    api.patch(f"/v1/webhooks/{number}", {"signature_variant": "bare"}).expect(200)
    api.post(f"/v1/deliveries/{row['id']}/retry").expect(202)
    settled(api, 1)


def test_printed_taskboard_receiver_and_a_number_that_it_changes(running, node):
    """No bytes satisfy that code when a number does not survive JavaScript: it stays, and the publisher is warned."""
    api, secret = tenant(running, "taskboard"), "your_webhook_secret"
    endpoint(api, "taskboard", node.url("/webhooks"), secret, signature_variant="bare")
    node.command({"secrets": {"taskboard": secret}})
    answer = publish(api, "taskboard", b'{"ok":1.50,"big":[1,9007199254740993]}')
    assert [warning["pointer"] for warning in answer["warnings"]] == ["/data/big/1"]
    row = settled(api, 1, "retrying")[0]
    attempt = api.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][0]
    assert attempt["status"] == 401
    said = eventually(lambda: [r for r in node.said("request") if r["path"] == "/webhooks"])
    body = base64.b64decode(said[-1]["body"])
    assert b'"data":{"ok":1.5,"big":[1,9007199254740993]}}' in body


# ---- TechWriter's printed receiver ----

def test_printed_techwriter_receiver(running, node):
    """Over HTTPS, with the page's flow: construct the event from raw bytes and header, then handle it by type."""
    api = tenant(running, "techwriter")
    number, secret = endpoint(api, "techwriter", node.url("/webhooks/techwriter", tls=True), events=["*"])
    node.command({"secrets": {"techwriter": [secret]}})
    publish(api, "techwriter", b'{"id":"doc_8f2a","title":"Getting started \xe2\x9c\x93"}')
    publish(api, "techwriter", b'{"id":"doc_8f2a"}', "document.deleted")
    publish(api, "techwriter", b'{"authorId":"usr_1","body":"Please check"}', "comment.created")
    publish(api, "techwriter", b'{"id":"dpl_1"}', "deployment.failed")
    settled(api, 4)
    node.wait_for("upsert", lambda doc: doc == {"id": "doc_8f2a", "title": "Getting started \u2713"})
    node.wait_for("delete", lambda name: name == "doc_8f2a")
    node.wait_for("notify", lambda given: given == ["usr_1", "Please check"])
    eventually(lambda: "ignored: deployment.failed" in node.lines)

    # "Rotate secrets without downtime": accept both, then revoke the old one.
    new = next(s for s in rotate(api, number, secret="the next secret") if s != secret)
    assert new == "the next secret"
    for held, statuses in (([secret], [200]), ([new], [200]), ([secret, new], [200])):
        node.command({"secrets": {"techwriter": held}})
        publish(api, "techwriter", b'{"id":"x","title":"y"}')
        settled(api, 5 + [[secret], [new], [secret, new]].index(held))
        assert [r["status"] for r in node.said("request") if r["path"] == "/webhooks/techwriter"][-1:] == statuses
    api.delete(f"/v1/webhooks/{number}/secret/previous").expect(204)
    node.command({"secrets": {"techwriter": [new]}})
    publish(api, "techwriter", b'{"id":"x","title":"y"}')
    settled(api, 8)
    request = [r for r in node.said("request") if r["path"] == "/webhooks/techwriter"][-1]
    body = base64.b64decode(request["body"])
    assert value_of(request, "X-TechWriter-Signature").count("v1=") == 1
    assert resend(node, request, "/webhooks/techwriter", body=flipped(body, len(body) // 2)) == 400


# ---- the end of the retries that began with the module ----

def test_techwriter_retries_in_real_time(retried):
    """The page's first two waits, by the clock on the wall: 5 s and 30 s, so 5 s and 35 s after the first attempt."""
    api, receiver, secret, event = retried
    first, second, third = receiver.wait_for(3, timeout_s=120)
    assert 5 <= second.mono - first.mono < 15, second.mono - first.mono
    assert 35 <= third.mono - first.mono < 60, third.mono - first.mono
    stamps = []
    for request in (first, second, third):
        assert request.header("X-TechWriter-Delivery") == event
        stamp, given = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", request.header("X-TechWriter-Signature")).groups()
        expected = hmac.new(secret.encode(), stamp.encode() + b"." + request.body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(given, expected)
        assert abs(int(stamp) - request.at) <= 4
        stamps.append(int(stamp))
    assert stamps == sorted(set(stamps)), "each attempt is signed anew"
    assert first.body == second.body == third.body
    row = settled(api, 1, timeout_s=30)[0]
    assert row["attempt_count"] == 3
    statuses = [a["status"] for a in api.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"]]
    assert sorted(statuses) == [200, 500, 503] and len(receiver.requests) == 3 and len(deliveries(api)) == 1
