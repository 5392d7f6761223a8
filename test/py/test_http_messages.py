"""HTTP message signatures (RFC 9421): what the command `verify` takes and refuses, and what a dialect file may say of them."""
import base64
import hashlib
import hmac
import json
import re

import pytest

from harness.command import tenterhook
from harness.server import ROOT

VECTORS = json.loads((ROOT / "dialects" / "vectors" / "httpsig.json").read_text())["wire"]
GOOD = """about: A test
body: {envelope: passthrough}
secret: {form: text, min: 16}
retry: {delays: [10]}
success: {statuses: [2xx]}
timeout: {total: 20}
request:
  user_agent: own
  headers:
    - {name: X-Id, value: "{event.id}"}
signatures:
  - {header: Signature, algorithm: hmac-sha256, key: utf8, encoding: http-message, content: '"@method" "content-digest" "x-id"'}
"""


def verify(tmp_path, raw, secrets, url, now):
    files = []
    for number, secret in enumerate(secrets):
        file = tmp_path / f"secret{number}"
        file.write_text(secret)
        files += ["--secret-file", file]
    (tmp_path / "request").write_bytes(raw)
    return tenterhook("verify", tmp_path / "request", "--dialect", "httpsig", *files, "--endpoint-url", url, "--now", now, "--json")


def digest(body):
    return "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":"


def with_digest(raw):
    """Another body, with the digest that belongs to it."""
    head, body = raw.split(b"\r\n\r\n", 1)
    return head.replace(digest(body).encode(), digest(body + b" ").encode()) + b"\r\n\r\n" + body + b" "


CHANGES = [
    ("as it is", lambda raw: raw, 0, '"result": "ok"'),
    ("a header of others", lambda raw: raw.replace(b"Accept:", b"X-Own: 1\r\nAccept:"), 0, '"result": "ok"'),
    ("names in capitals", lambda raw: raw.replace(b"webhook-id:", b"WEBHOOK-ID:"), 0, '"result": "ok"'),
    ("white space that is not signed", lambda raw: raw.replace(b'=("@method" ', b'=( "@method"   '), 0, '"result": "ok"'),
    ("the body", lambda raw: raw + b" ", 1, "Content-Digest"),
    ("body and digest", with_digest, 1, "Signature"),
    ("no digest", lambda raw: raw.replace(b"Content-Digest:", b"X-Digest:"), 1, "content-digest"),
    ("another digest", lambda raw: raw.replace(b"Content-Digest: ", b"Content-Digest: md5=:AAAA:, "), 1, "Signature"),
    ("the method", lambda raw: raw.replace(b"POST ", b"PUT "), 1, "Signature"),
    ("the id", lambda raw: raw.replace(b"webhook-id: msg_", b"webhook-id: msg_x"), 1, "Signature"),
    ("the type", lambda raw: raw.replace(b"application/json", b"text/plain"), 1, "Signature"),
    ("an id twice", lambda raw: raw.replace(b"webhook-id:", b"webhook-id: x\r\nwebhook-id:"), 1, "twice"),
    ("the digest is not covered", lambda raw: raw.replace(b' "content-digest"', b""), 1, "covers"),
    ("the id is not covered", lambda raw: raw.replace(b' "webhook-id"', b""), 1, "covers"),
    ("another algorithm", lambda raw: raw.replace(b'alg="', b'alg="x'), 1, "Signature-Input"),
    ("another time", lambda raw: raw.replace(b"created=1775116801", b"created=1775116802"), 1, "Signature"),
    ("another key's name", lambda raw: raw.replace(b'keyid="', b'keyid="x'), 1, "Signature"),
    ("a tag", lambda raw: raw.replace(b";keyid", b';tag="x";keyid'), 1, "Signature-Input"),
    ("no Signature", lambda raw: raw.replace(b"\r\nSignature:", b"\r\nX-Signature:"), 1, "not there"),
    ("no Signature-Input", lambda raw: raw.replace(b"Signature-Input:", b"X-Input:"), 1, "not there"),
]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
@pytest.mark.parametrize("change, status, says", [pytest.param(*rest, id=name) for name, *rest in CHANGES])
def test_verify(tmp_path, case, change, status, says):
    raw, inputs = case["expected"]["request"].encode(), case["inputs"]
    changed = change(raw)
    assert changed != raw or change is CHANGES[0][1]
    ran = verify(tmp_path, changed, [secret["value"] for secret in inputs["secrets"]], inputs["endpoint"]["url"], inputs["attempt"]["at_unix"])
    ran.expect(status)
    assert says in ran.out, ran.out


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_verify_with_another_url_time_or_secret(tmp_path, case):
    raw, inputs = case["expected"]["request"].encode(), case["inputs"]
    secrets, url, now = [secret["value"] for secret in inputs["secrets"]], inputs["endpoint"]["url"], inputs["attempt"]["at_unix"]
    for secret in secrets:  # each alone is enough
        verify(tmp_path, raw, [secret], url, now).expect(0)
    verify(tmp_path, raw, secrets, url + "&x", now).expect(1)
    assert "too_old" in verify(tmp_path, raw, secrets, url, now + 301).expect(1).out
    assert "too_new" in verify(tmp_path, raw, secrets, url, now - 301).expect(1).out
    verify(tmp_path, raw, ["whsec_" + base64.b64encode(bytes(32)).decode()], url, now).expect(1)


def signed(tmp_path, secret, *more):
    (tmp_path / "secret").write_text(secret)
    (tmp_path / "body").write_text('{"type":"a.b"}')
    return tenterhook("sign", tmp_path / "body", "--dialect", "httpsig", "--secret-file", tmp_path / "secret", *more)


@pytest.mark.parametrize("variant, secret", [("0", "whsec_" + base64.b64encode(bytes(range(32))).decode()),
                                             ("1", "whsk_" + base64.b64encode(bytes(range(32))).decode())])
@pytest.mark.parametrize("method", [None, "PUT"])
def test_what_sign_prints_verifies(tmp_path, variant, secret, method):
    """The head that the server would send: our verifier takes it, and refuses it with another body, method or URL."""
    url = "https://example.com:8443/hook?a=1"
    more = ["--endpoint-url", url, "--variant", variant, "--at", "1800000000", "--id", "msg_1", "--type", "a.b"]
    more += ["--method", method] if method else []
    head = signed(tmp_path, secret, *more).expect(0).out
    names = [line.partition(":")[0].lower() for line in head.splitlines()]
    assert {"content-digest", "signature-input", "signature", "content-type", "webhook-id", "webhook-timestamp"} <= set(names), head
    assert json.loads(signed(tmp_path, secret, *more, "--json").expect(0).out)["webhook-id"] == "msg_1"

    def request(body='{"type":"a.b"}', asked=method or "POST"):
        return f"{asked} /hook?a=1 HTTP/1.1\r\nHost: example.com:8443\r\n".encode() + head.replace("\n", "\r\n").encode() + b"\r\n" + body.encode()

    verify(tmp_path, request(), [secret], url, 1800000000).expect(0)
    for other in (request(body='{"type":"a.c"}'), request(asked="PATCH")):
        verify(tmp_path, other, [secret], url, 1800000000).expect(1)
    verify(tmp_path, request(), [secret], url + "2", 1800000000).expect(1)


def test_sign_says_what_it_needs(tmp_path):
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    assert "--endpoint-url" in signed(tmp_path, secret).expect(64).err
    assert "--endpoint-url: " in signed(tmp_path, secret, "--endpoint-url", "nothing").expect(64).err


@pytest.mark.parametrize("old, new, says", [
    ('"content-digest" ', "", "content-digest"),
    ('"x-id"', '"x-other"', "x-other is not among the header lines before the signature"),
    ('"x-id"', '"X-Id"', "not in lower case"),
    ('"@method"', '"@nothing"', "unknown"),
    ('"@method" ', '"@method"', "one space"),
    ('"@method" ', '"@method" "@method" ', "twice"),
    ("header: Signature", "header: X-Signature", "must be Signature"),
    ("hmac-sha256", "hmac-sha512", "hmac-sha256 or ed25519"),
    ("encoding: http-message", 'encoding: http-message, item: "v1={sig}"', "has no meaning"),
    ("encoding: http-message", "encoding: http-message, tag: 'a\"b'", "tag"),
    ("encoding: http-message", "encoding: http-message, nonce: '{nothing}'", "nonce"),
    ("encoding: http-message", "encoding: http-message, when: retry", "when"),
    ("encoding: http-message", "encoding: http-message, expires_seconds: 90000", "expires_seconds"),
    ("""encoding: http-message, content: '"@method" "content-digest" "x-id"'""", "encoding: hex, content: '{body}', tag: x", "http-message only"),
    ("headers:\n", "headers:\n    - {name: Content-Digest, value: x}\n", "Content-Digest"),
])
def test_bad_dialects_are_refused_with_their_line(tmp_path, old, new, says):
    assert old in GOOD
    (tmp_path / "own.yaml").write_text(GOOD)
    tenterhook("dialect", "check", tmp_path / "own.yaml").expect(0)
    (tmp_path / "own.yaml").write_text(GOOD.replace(old, new, 1))
    ran = tenterhook("dialect", "check", tmp_path / "own.yaml").expect(1)
    assert re.search(r"own\.yaml:\d+: ", ran.out + ran.err), ran.out + ran.err
    assert says in ran.out + ran.err, ran.out + ran.err


def test_parameters_stand_in_the_signature(tmp_path):
    """Life, nonce and tag: byte for byte what RFC 9421 says, made here a second time."""
    (tmp_path / "own.yaml").write_text(GOOD.replace("encoding: http-message", "encoding: http-message, tag: hooks, expires_seconds: 60, "
                                                    "nonce: '{delivery.id}.{attempt.number}'"))
    key = b"a text of sixteen"
    mac = lambda text: hmac.new(key, text, hashlib.sha256).digest()
    keyid = base64.urlsafe_b64encode(mac(b"keyid")[:16]).decode().rstrip("=")
    params = ('("@method" "content-digest" "x-id");created=1775116801;expires=1775116861;nonce="d\\"\\\\1.2";'
              f'keyid="{keyid}";alg="hmac-sha256";tag="hooks"')
    base = f'"@method": POST\n"content-digest": {digest(b"{}")}\n"x-id": e"1\n"@signature-params": {params}'
    headers = {"User-Agent": "own", "Content-Type": "application/json", "X-Id": 'e"1', "Content-Digest": digest(b"{}"),
               "Signature-Input": "sig1=" + params, "Signature": f"sig1=:{base64.b64encode(mac(base.encode())).decode()}:"}
    vector = {"dialect": "own", "verified_by": "this test", "wire": [{
        "name": "all", "inputs": {"endpoint": {"url": "https://a.example.com/"}, "secrets": [{"value": key.decode()}],
                                  "event": {"id": 'e"1', "type": "x", "body_given": "{}"}, "delivery": {"id": 'd"\\1'},
                                  "attempt": {"number": 2, "at_unix": 1775116801}},
        "expected": {"headers": headers, "body": "{}"}}]}
    (tmp_path / "own.json").write_text(json.dumps(vector))
    tenterhook("dialect", "vectors", tmp_path / "own.json", "--dialects", tmp_path).expect(0)
