"""The public keys of an endpoint at /.well-known/jwks.json, as a receiver without any key finds them."""
import base64
import hashlib
import json

import pytest

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PAIRS = ["whsk_" + base64.b64encode(bytes([n] * 32)).decode() for n in (1, 2, 3)]


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwk(pair):
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(pair.removeprefix("whsk_"))[:32]).public_key()
    x = base64url(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    thumbprint = hashlib.sha256(json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":")).encode()).digest()
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": base64url(thumbprint), "alg": "EdDSA", "use": "sig"}


@pytest.fixture
def world(server):
    running = server()
    running.api.put("/v1/tenants/t", {"name": "t", "dialect": "httpsig"}).expect(201)
    public = running.api.with_key(None)

    def keys(endpoint):
        return running.api.with_key(None).get(f"/.well-known/jwks.json?endpoint={endpoint}").expect(200).json["keys"]
    return running, running.api.as_tenant("t"), public, keys


def test_keys_come_and_go_with_rotation(world, receiver):
    running, api, public, keys = world
    target = receiver()
    made = api.post("/v1/webhooks", {"url": target.url("/in"), "signature_variant": "ed25519", "secret": PAIRS[0]}).expect(201).json
    hook = f"/v1/webhooks/{made['id']}"
    assert keys(made["id"]) == [jwk(PAIRS[0])]
    api.post(f"{hook}/rotate-secret", {"secret": PAIRS[1]}).expect(200)
    assert keys(made["id"]) == [jwk(PAIRS[1]), jwk(PAIRS[0])], "the old one is there until its end"
    api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    sent = target.wait_for(1)[0]
    for key in keys(made["id"]):  # a receiver finds each signature's key by its keyid
        label = next(part for part in sent.header("Signature-Input").split(", sig") if f'keyid="{key["kid"]}"' in part)
        label = "sig" + label.removeprefix("sig")[0]
        params = sent.header("Signature-Input").split(label + "=")[1].split(", sig")[0]
        names = params[1:params.index(")")].replace('"', "").split(" ")
        values = {"@method": sent.method, "@target-uri": target.url(sent.target)}
        base = "".join(f'"{name}": {values.get(name) or sent.header(name)}\n' for name in names) + f'"@signature-params": {params}'
        signature = base64.b64decode(sent.header("Signature").split(label + "=:")[1].split(":")[0])
        Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "=")).verify(signature, base.encode())
    api.delete(f"{hook}/secret/previous").expect(204)
    assert keys(made["id"]) == [jwk(PAIRS[1])]
    running.stop()
    running.start()
    api = running.api.as_tenant("t")
    assert keys(made["id"]) == [jwk(PAIRS[1])]
    api.patch(hook, {"active": False}).expect(200)
    assert keys(made["id"]) == [jwk(PAIRS[1])]
    api.delete(hook).expect(204)
    assert keys(made["id"]) == []


def test_it_tells_nothing_else(world, receiver):
    """No secret, no other endpoint's or tenant's key, and nothing of whether an id exists."""
    running, api, public, keys = world
    shared = api.post("/v1/webhooks", {"url": receiver().url()}).expect(201).json
    pair = api.post("/v1/webhooks", {"url": receiver().url(), "signature_variant": "ed25519", "secret": PAIRS[0]}).expect(201).json
    answers = [public.get(f"/.well-known/jwks.json?endpoint={one}").expect(200) for one in (shared["id"], "we_01M7X22X2G2RSS9YF9GYP3Z53C", "x")]
    assert {answer.body for answer in answers} == {b'{"keys":[]}'}
    shown = public.get(f"/.well-known/jwks.json?endpoint={pair['id']}").expect(200)
    assert PAIRS[0][5:].encode() not in shown.body and shown.header("Cache-Control") == "public, max-age=300"
    assert shown.header("Tenterhook-Tenant") is None
    assert "endpoint" in public.get("/.well-known/jwks.json").expect(400).json["detail"]
    public.get("/.well-known/jwks.json?endpoint=").expect(400)
    public.get("/.well-known/jwks.json?tenant=t").expect(400)
    public.post("/.well-known/jwks.json", {}).expect(405)


def test_other_dialects_have_key_pairs_too(server, receiver):
    running = server()
    made = running.api.post("/v1/webhooks", {"url": receiver().url(), "signature_variant": "v1a", "secret": PAIRS[2]}).expect(201).json
    assert running.api.with_key(None).get(f"/.well-known/jwks.json?endpoint={made['id']}").expect(200).json == {"keys": [jwk(PAIRS[2])]}
