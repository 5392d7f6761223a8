"""What a receiver's library takes and refuses, dialect by dialect: each signed request in many odd forms, signed by code of
this file alone and given to `tenterhook verify`. The expectation is the name of the result, or "ok"."""
import base64
import hashlib
import hmac
import json
import subprocess

import pytest

from harness.server import binary_path, clean_env

NOW = 1700000000
BODY = b'{"id":"evt_1","type":"note.created","data":{"id":7,"name":"Zo\xc3\xab"}}'
KEY = bytes(range(32))
WHSEC = "whsec_" + base64.b64encode(KEY).decode()
TEXT = "a_secret_of_the_customer"


def mac(key, content, digest="sha256"):
    return hmac.new(key if isinstance(key, bytes) else key.encode(), content, digest)


def b64(mac_):
    return base64.b64encode(mac_.digest()).decode()


def standard(message_id="msg_1", at=NOW, body=BODY, key=KEY):
    return b64(mac(key, f"{message_id}.{at}.".encode() + body))


def stamped(at=NOW, body=BODY, key=TEXT):
    return mac(key, f"{at}.".encode() + body).hexdigest()


SIG, OLD_SIG = standard(), standard(key=b"another key of the customer's")
TW, TW_OTHER = stamped(), stamped(key="another")
HUB = mac(TEXT, BODY).hexdigest()


def webhook(signature, message_id="msg_1", at=NOW):
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": signature}


def without(headers, name):
    return {key: value for key, value in headers.items() if key != name}


def standard_cases():
    yield "ok", webhook("v1," + SIG), {}
    for age, result in ((300, "ok"), (301, "too_old"), (-300, "ok"), (-301, "too_new")):
        yield result, webhook("v1," + SIG), {"now": NOW + age}
    yield "ok", {name.upper(): value for name, value in webhook("v1," + SIG).items()}, {}
    for name in webhook(""):
        yield "missing_header", without(webhook("v1," + SIG), name), {}
        yield "malformed", {**webhook("v1," + SIG), name: ""}, {}
        yield "malformed", [*webhook("v1," + SIG).items(), (name.title(), webhook("v1," + SIG)[name])], {}
    for at in ("hello", "-1", "+1700000000", "01700000000", "1700000000.0", "1e9", "0x6553f100", " 1700000000", "1700000000 ",
               "1700000000,1700000000", "17000000000000000000", "١٧٠٠٠٠٠٠٠٠"):
        yield "malformed", webhook("v1," + SIG, at=at), {}
    yield "too_new", webhook("v1," + standard(at=NOW * 1000), at=NOW * 1000), {}
    # The list: other versions, empty elements, any place, any number.
    for value in ("v1,{0} v1,{1}", "v1,{1} v1,{0}", "v1a,{1} v1,{0}", "v2,{1} v1,{0}", " v1,{0}", "v1,{0} ", "v1,{1}  v1,{0}",
                  "v1, v1,{0}", "nonsense v1,{0}", " ".join(["v1,{1}"] * 200) + " v1,{0}"):
        yield "ok", webhook(value.format(SIG, OLD_SIG)), {}
    for value in ("v2,{0}", "v1a,{0}", "V1,{0}", "{0}", "v1 {0}", "v1={0}", "v1,,{0}", "v1, {0}", "v1,{0},", "v1,{0},v1,{1}",
                  "v1,", "v1", " ", "v1,{0}\tv1,{1}", '"v1,{0}"'):
        yield "malformed", webhook(value.format(SIG, OLD_SIG)), {}
    yield "no_match", webhook("v1," + OLD_SIG), {}
    # Another spelling of the right signature.
    assert "/" in SIG + OLD_SIG or "+" in SIG + OLD_SIG
    yield "malformed", webhook("v1," + SIG.rstrip("=")), {}
    yield "malformed", webhook("v1," + SIG + "="), {}
    yield "no_match", webhook("v1," + SIG[:-2] + chr(ord(SIG[-2]) + 1) + "="), {}  # left-over bits
    yield "no_match", webhook("v1," + SIG.swapcase()), {}
    yield "malformed", webhook("v1," + base64.b64decode(SIG).hex()), {}
    other = next(body for body in (b"%d" % n for n in range(99)) if set("+/") & set(standard(body=body)))
    yield "ok", webhook("v1," + standard(body=other)), {"body": other}
    yield "no_match", webhook("v1," + standard(body=other).replace("+", "-").replace("/", "_")), {"body": other}
    # Ids and bodies.
    for message_id in ("x", "msg_" + "a" * 5000, "id with blanks", "idë", "a,b=c;d"):
        yield "ok", webhook("v1," + standard(message_id), message_id), {}
    yield "malformed", webhook("v1," + standard("a.b"), "a.b"), {}  # could be told apart in two ways
    yield "no_match", webhook("v1," + SIG, "msg_2"), {}
    for body in (b"", b"\0", b"\xff\xfe", b"a.b.c", b"x" * (1 << 20), BODY + b"\n", b" " + BODY):
        yield "ok", webhook("v1," + standard(body=body)), {"body": body}
        yield "no_match", webhook("v1," + SIG), {"body": body}
    yield "malformed", webhook("v1," + standard("a", body=b"1700000000.x"), "a"), {"body": b"1700000000.x"}
    # Keys.
    yield "ok", webhook("v1," + SIG), {"secret": WHSEC.removeprefix("whsec_")}
    yield "ok", webhook("v1," + SIG), {"secret": WHSEC + "\n"}
    yield "no_match", webhook("v1," + b64(mac(WHSEC, f"msg_1.{NOW}.".encode() + BODY))), {}
    yield "no_match", webhook("v1," + b64(mac(WHSEC[6:], f"msg_1.{NOW}.".encode() + BODY))), {}
    for secret in (WHSEC.rstrip("="), WHSEC + "=", "whsec_", WHSEC.upper(), "whsec_" + WHSEC, "whsec_-_-_", "whpk_" + WHSEC[6:-4]):
        yield "a secret that does not fit", webhook("v1," + SIG), {"secret": secret}


def techwriter_cases():
    def header(value):
        return {"X-TechWriter-Signature": value.format(TW, TW_OTHER, NOW)}
    for age, result in ((300, "ok"), (301, "too_old"), (-300, "ok"), (-301, "too_new")):
        yield result, header("t={2},v1={0}"), {"now": NOW + age}
    for value in ("v1={0},t={2}", "t={2},v1={1},v1={0}", "v1={0},t={2},v1={1}", "t={2},v0={1},v1={0}", "t={2},,v1={0}", "t={2},v1={0},",
                  "scheme=x,t={2},v1={0}", "t={2},v1=,v1={0}", "t={2},v1=00,v1={0}"):
        yield "ok", header(value), {}
    for value in ("", "t={2}", "v1={0}", "t={2},v0={0}", "t={2};v1={0}", "t={2}, v1={0}", "t={2} ,v1={0}", "T={2},v1={0}", "t={2},V1={0}",
                  "t={2},t={2},v1={0}", "t={2},v1={0},t=1", "t=,v1={0}", "t=-1,v1={0}", "t=0{2},v1={0}", "t={2}.0,v1={0}", "t={2},v1={0}00",
                  "t={2},v1={0}"[:-1], "t={2},{0}", "{0}", "t={2},v1=\"{0}\""):
        if value.endswith("={0"):
            continue
        yield "malformed", header(value), {}
    yield "malformed", {"X-TechWriter-Signature": f"t={NOW},v1={TW[:-1]}"}, {}
    yield "no_match", {"X-TechWriter-Signature": f"t={NOW},v1={TW.upper()}"}, {}
    yield "no_match", header("t={2},v1={1}"), {}
    yield "no_match", {"X-TechWriter-Signature": f"t={NOW + 1},v1={TW}"}, {}
    yield "no_match", {"X-TechWriter-Signature": f"t={NOW},v1={mac(TEXT, BODY).hexdigest()}"}, {}
    yield "too_new", {"X-TechWriter-Signature": f"t={NOW}000,v1={stamped(NOW * 1000)}"}, {}
    yield "malformed", [("X-TechWriter-Signature", f"t={NOW},v1={TW}")] * 2, {}
    yield "missing_header", {"X-TechWriter-Signatures": f"t={NOW},v1={TW}"}, {}
    yield "ok", {"X-TechWriter-Signature": f"t={NOW},v1={stamped(body=b'1700000000.x')}"}, {"body": b"1700000000.x"}
    yield "ok", {"X-TechWriter-Signature": f"t={NOW},v1={stamped(body=b'')}"}, {"body": b""}


def hub_cases(name="X-Hub-Signature-256"):
    yield "ok", {name: "sha256=" + HUB}, {}
    yield "ok", {name.lower(): "sha256=" + HUB}, {"now": NOW + 10 ** 6}
    yield "no_match", {name: "sha256=" + HUB.upper()}, {}
    yield "no_match", {name: "sha256=" + HUB}, {"body": BODY + b"\n"}
    yield "no_match", {name: "sha256=" + mac(TEXT + "\n", BODY).hexdigest()}, {}
    for value in ("", "sha256=", "sha256=" + HUB[:-2], "sha256=" + HUB + "00", "SHA256=" + HUB, "sha1=" + mac(TEXT, BODY, "sha1").hexdigest(),
                  "sha512=" + mac(TEXT, BODY, "sha512").hexdigest(), "sha256 =" + HUB, "sha256= " + HUB, "sha256=0x" + HUB,
                  f"sha256={HUB},sha256={HUB}", "sha256=sha256=" + HUB):
        yield "malformed", {name: value}, {}
    yield "malformed", [(name, "sha256=" + HUB), (name.upper(), "sha256=" + HUB)], {}
    yield "missing_header", {"X-Hub-Signature": "sha256=" + HUB}, {}


def taskboard_cases():
    yield from (case for case in hub_cases("X-Webhook-Signature") if case[0] != "missing_header")
    yield "ok", {"X-Webhook-Signature": HUB}, {}
    yield "ok", {"X-Webhook-Signature": HUB, "X-Webhook-Timestamp": "nonsense"}, {}
    yield "no_match", {"X-Webhook-Signature": HUB.upper()}, {}
    yield "malformed", {"X-Webhook-Signature": HUB + " "}, {}


def tiro_cases():
    yield "ok", {"Authorization": "Bearer " + TEXT}, {}
    yield "ok", {"AUTHORIZATION": "Bearer " + TEXT}, {"body": b"anything"}
    for value in ("bearer {0}", "BEARER {0}", "{0}", "Bearer{0}", "Basic {0}", "Bearer", "", " Bearer {0}", "Token {0}"):
        yield "malformed", {"Authorization": value.format(TEXT)}, {}
    for value in ("Bearer  {0}", "Bearer {0} ", "Bearer {0}x", "Bearer {0}, Bearer {0}", "Bearer ", "Bearer \"{0}\""):
        yield "no_match", {"Authorization": value.format(TEXT)}, {}
    yield "no_match", {"Authorization": "Bearer " + TEXT[:-1]}, {}
    yield "no_match", {"Authorization": "Bearer " + TEXT.upper()}, {}
    yield "malformed", [("Authorization", "Bearer " + TEXT), ("authorization", "Bearer " + TEXT)], {}
    yield "missing_header", {"Proxy-Authorization": "Bearer " + TEXT}, {}


def slack_cases():
    def headers(prefix="v0=", at=NOW, signed=None):
        content = f"v0:{at if signed is None else signed}:".encode() + BODY
        return {"X-Slack-Request-Timestamp": str(at), "X-Slack-Signature": prefix + mac(TEXT, content).hexdigest()}
    for age, result in ((300, "ok"), (301, "too_old"), (-300, "ok"), (-301, "too_new")):
        yield result, headers(), {"now": NOW + age}
    yield "no_match", headers(at=NOW + 1, signed=NOW), {}
    for prefix in ("v1=", "", "V0=", "v0:"):
        yield "malformed", headers(prefix), {}
    yield "missing_header", without(headers(), "X-Slack-Request-Timestamp"), {}
    yield "malformed", headers(at="", signed=NOW), {}


def other_cases():
    """One right and one wrong request for the remaining forms of scheme."""
    def url_signed(url):
        return {"x-square-hmacsha256-signature": b64(mac(TEXT, url.encode() + BODY))}
    for dialect, result, headers, more in (
            ("github", "ok", {"X-Hub-Signature-256": "sha256=" + HUB, "X-Hub-Signature": "sha1=00"}, {}),
            ("github", "missing_header", {"X-Hub-Signature": "sha1=" + mac(TEXT, BODY, "sha1").hexdigest()}, {}),
            ("gitlab", "ok", {"X-Gitlab-Token": TEXT}, {}),
            ("gitlab", "no_match", {"X-Gitlab-Token": TEXT + " "}, {}),
            ("gitlab", "no_match", {"X-Gitlab-Token": ""}, {}),
            ("shopify", "ok", {"X-Shopify-Hmac-Sha256": b64(mac(TEXT, BODY))}, {}),
            ("shopify", "malformed", {"X-Shopify-Hmac-Sha256": HUB}, {}),
            ("linear", "ok", {"Linear-Signature": HUB}, {}),
            ("linear", "no_match", {"Linear-Signature": HUB.upper()}, {}),
            ("square", "ok", url_signed("https://example.com/hook"), {"url": "https://example.com/hook"}),
            ("square", "no_match", url_signed("https://example.com/hook"), {"url": "https://example.com/hook/"}),
            ("square", "invalid", url_signed("https://example.com/hook"), {}),
            ("zoom", "ok", {"x-zm-request-timestamp": str(NOW),
                            "x-zm-signature": "v0=" + mac(TEXT, f"v0:{NOW}:".encode() + BODY).hexdigest()}, {}),
            ("svix", "ok", {name.replace("webhook", "svix"): value for name, value in webhook("v1," + SIG).items()}, {"secret": WHSEC}),
            ("svix", "missing_header", webhook("v1," + SIG), {"secret": WHSEC}),
            ("cloudevents", "ok", {**webhook("v1," + SIG), "ce-id": "msg_1"}, {"secret": WHSEC}),
            ("cloudevents", "malformed", {**webhook("v1," + SIG, "msg_2"), "ce-id": "msg_1"}, {"secret": WHSEC}),
            ("stripe", "ok", {"Stripe-Signature": f"t={NOW},v1={TW},v0={TW_OTHER}"}, {}),
            ("stripe", "malformed", {"Stripe-Signature": f"t={NOW},v0={TW}"}, {})):
        yield dialect, result, headers, more


def rows():
    for dialect, cases, secret in (("standard", standard_cases, WHSEC), ("techwriter", techwriter_cases, TEXT), ("tsanet", hub_cases, TEXT),
                                   ("taskboard", taskboard_cases, TEXT), ("tiro", tiro_cases, TEXT), ("slack", slack_cases, TEXT)):
        for result, headers, more in cases():
            yield dialect, result, headers, {"secret": secret, **more}
    for dialect, result, headers, more in other_cases():
        yield dialect, result, headers, {"secret": TEXT, **more}


def verify(tmp_path, dialect, headers, body=BODY, secret=TEXT, now=NOW, url=None):
    request = {"method": "POST", "headers": list(headers.items()) if isinstance(headers, dict) else headers,
               "body_base64": base64.b64encode(body).decode()}
    (tmp_path / "secret").write_text(secret)
    (tmp_path / "secret").chmod(0o600)
    done = subprocess.run([binary_path(), "verify", "-", "--json", "--dialect", dialect, "--secret-file", tmp_path / "secret",
                           "--now", str(now), *(["--endpoint-url", url] if url else [])],
                          input=json.dumps(request), env=clean_env(), capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 65:
        assert "does not fit" in done.stderr
        return "a secret that does not fit"
    result = json.loads(done.stdout)["result"]
    assert done.returncode == (0 if result == "ok" else 1), done
    return result


@pytest.mark.parametrize("dialect", ["standard", "techwriter", "tsanet", "taskboard", "tiro", "slack", None])
def test_variants(tmp_path, dialect):
    main = ("standard", "techwriter", "tsanet", "taskboard", "tiro", "slack")
    wrong, count = [], 0
    for name, expected, headers, more in rows():
        if name != dialect and (dialect or name in main):
            continue
        got = verify(tmp_path, name, headers, **more)
        count += 1
        if got != expected:
            wrong.append((name, f"expected {expected}, got {got}", headers, {key: value for key, value in more.items() if key != "body"}))
    print(f"{count} requests")
    assert count and not wrong, "\n".join(map(str, wrong))
