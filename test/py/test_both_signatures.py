"""v1 and v1a of Standard Webhooks together: an endpoint moves from one to the other and back, and may keep both."""
import base64
import hashlib
import hmac
import json

import pytest

from harness.command import tenterhook
from harness.expect import eventually

WHSEC = "whsec_" + base64.b64encode(bytes(range(32))).decode()
WHSK = "whsk_" + base64.b64encode(bytes(range(50, 82))).decode()


def v1_of(request, secret):
    content = f"{request.header('webhook-id')}.{request.header('webhook-timestamp')}.".encode() + request.body
    return "v1," + base64.b64encode(hmac.new(base64.b64decode(secret[6:]), content, hashlib.sha256).digest()).decode()


def items(request):
    return request.header("webhook-signature").split(" ")


def kinds(request):
    return [item.split(",")[0] for item in items(request)]


class Endpoint:
    def __init__(self, running, receiver, tmp_path, **more):
        self.running, self.target, self.folder, self.sent = running, receiver(), tmp_path, 0
        made = running.api.post("/v1/webhooks", {"url": self.target.url(), **more}).expect(201).json
        self.path = f"/v1/webhooks/{made['id']}"

    def rotate(self, **body):
        return self.running.api.post(f"{self.path}/rotate-secret", body)

    def request(self):
        self.running.api.post("/v1/events", {"type": "a.b", "data": {"n": self.sent}}).expect(202)
        self.sent += 1
        return self.target.wait_for(self.sent)[-1]

    def variant(self):
        return self.running.api.get(self.path).expect(200).json["signature_variant"]

    def secrets(self):
        return self.running.api.get(f"{self.path}/secret").expect(200).json["secrets"]

    def verified(self, request, secret):
        """By this program's own verifier, as a customer has it."""
        (self.folder / "request").write_bytes(request.raw_head + b"\r\n\r\n" + request.body)
        (self.folder / "secret").write_text(secret)
        return tenterhook("verify", self.folder / "request", "--secret-file", self.folder / "secret").status == 0


@pytest.mark.parametrize("dialect", ["standard", "svix"])
def test_one_request_carries_both(server, receiver, tmp_path, dialect):
    running = server()
    running.api.put("/v1/tenants/t", {"name": "t", "dialect": dialect}).expect(201)
    api = running.api.as_tenant("t")
    target = receiver()
    hook = api.post("/v1/webhooks", {"url": target.url(), "secret": WHSEC}).expect(201).json["id"]
    made = api.post(f"/v1/webhooks/{hook}/rotate-secret", {"signature_variant": "v1a", "overlap_seconds": None}).expect(200).json["secrets"]
    assert made[0]["secret"].startswith("whsk_") and made[0]["public_key"].startswith("whpk_") and made[1]["secret"] == WHSEC
    api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    request = target.wait_for(1)[0]
    name = "webhook-signature" if dialect == "standard" else "svix-signature"
    assert [item.split(",")[0] for item in request.header(name).split(" ")] == ["v1a", "v1"]


def test_moving_with_an_overlap(server, receiver, tmp_path):
    running = server()
    there = Endpoint(running, receiver, tmp_path, secret=WHSEC)
    assert kinds(there.request()) == ["v1"] and there.variant() == "v1"
    there.rotate(signature_variant="v1a", secret=WHSK).expect(200)
    both = there.request()
    assert kinds(both) == ["v1a", "v1"] and items(both)[1] == v1_of(both, WHSEC) and there.variant() == "v1a"
    public = there.secrets()[0]["public_key"]
    assert there.verified(both, WHSEC) and there.verified(both, public) and there.verified(both, WHSK)
    assert not there.verified(both, "whsec_" + "A" * 44)
    running.stop()  # a restart keeps both
    running.start()
    assert kinds(there.request()) == ["v1a", "v1"] and there.variant() == "v1a"
    # what is shown of an attempt is what was sent
    row = eventually(lambda: running.api.get("/v1/deliveries?status=delivered").json["data"])[-1]
    shown = running.api.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][0]["request"]["headers"]
    assert shown["webhook-signature"].startswith("v1,")
    running.api.delete(f"{there.path}/secret/previous").expect(204)
    alone = there.request()
    assert kinds(alone) == ["v1a"] and there.verified(alone, public) and not there.verified(alone, WHSEC)
    # and back, at once
    there.rotate(signature_variant="v1", secret=WHSEC, overlap_seconds=0).expect(200)
    back = there.request()
    assert items(back) == [v1_of(back, WHSEC)] and there.variant() == "v1" and len(there.secrets()) == 1


def test_a_move_ends_by_itself(server, receiver, tmp_path):
    running = server()
    there = Endpoint(running, receiver, tmp_path, secret=WHSK, signature_variant="v1a")
    there.rotate(signature_variant="v1", overlap_seconds=2).expect(200)
    assert kinds(there.request()) == ["v1", "v1a"]
    eventually(lambda: len(there.secrets()) == 1, 10)
    assert kinds(there.request()) == ["v1"]


def test_both_may_stay(server, receiver, tmp_path):
    """Rotating without a word of the variant stays in the endpoint's; a third secret needs the end of one."""
    running = server()
    there = Endpoint(running, receiver, tmp_path, secret=WHSEC)
    there.rotate(signature_variant="v1a", overlap_seconds=None).expect(200)
    assert ["expires_at" in one for one in there.secrets()] == [False, False]
    assert "two secrets" in there.rotate(overlap_seconds=None).expect(409).json["detail"]
    running.api.delete(f"{there.path}/secret/previous").expect(204)
    there.rotate(overlap_seconds=None).expect(200)
    assert kinds(there.request()) == ["v1a", "v1a"]


@pytest.mark.parametrize("overlap", [None, 3600])
def test_both_are_exported_and_imported(server, receiver, tmp_path, overlap):
    """Another installation signs as this one did, with both, and the overlap ends when it would have."""
    first, second = server(), server()
    there = Endpoint(first, receiver, tmp_path, secret=WHSEC)
    there.rotate(signature_variant="v1a", secret=WHSK, overlap_seconds=overlap).expect(200)
    env = [{"TENTERHOOK_SERVER": f"http://127.0.0.1:{one.port}", "TENTERHOOK_KEY": one.admin_key} for one in (first, second)]
    text = tenterhook("export", "--secrets", env=env[0]).expect(0).out
    tenterhook("import", "-", env=env[1], stdin=text).expect(0)
    assert tenterhook("export", "--secrets", env=env[1]).expect(0).out == text
    assert "0 created, 0 changed" in tenterhook("import", "-", env=env[1], stdin=text).expect(0).out
    second.stop()
    second.start()
    second.api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    request = there.target.wait_for(1)[0]
    assert kinds(request) == ["v1a", "v1"] and items(request)[1] == v1_of(request, WHSEC)
    body = {"url": there.target.url(), "secret": WHSK, "signature_variant": "v1a", "previous_secret": WHSEC}
    assert "moved" in second.api.post("/v1/webhooks", body).expect(422).json["detail"]
    for wrong in ({"secret": None}, {"previous_secret": "whsec_short"}):
        second.api.post("/v1/webhooks?moved=true", {**body, **wrong}).expect(422)


@pytest.mark.parametrize("body, status, word", [
    ({"signature_variant": "v2"}, 422, "is not a variant"), ({"signature_variant": 5}, 422, "must be a string"),
    ({"signature_variant": "v1a", "secret": WHSEC}, 422, "whsk_"), ({"secret": WHSK}, 422, "whsec_"),
])
def test_what_is_refused(server, receiver, tmp_path, body, status, word):
    running = server()
    there = Endpoint(running, receiver, tmp_path, secret=WHSEC)
    etag = running.api.get(there.path).header("ETag")
    assert word in there.rotate(**body).expect(status).json["detail"]
    assert "rotate" in running.api.patch(there.path, {"signature_variant": "v1a"}).expect(422).json["detail"]
    assert running.api.get(there.path).header("ETag") == etag and [one["secret"] for one in there.secrets()] == [WHSEC]
    assert kinds(there.request()) == ["v1"]


def test_explain_and_the_command_know_both(server, receiver, tmp_path):
    running = server()
    there = Endpoint(running, receiver, tmp_path, secret=WHSEC)
    env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": running.admin_key}
    made = json.loads(tenterhook("secrets", "rotate", there.path.rsplit("/", 1)[1], "--variant", "v1a", "--overlap", "until-revoked",
                                 "--json", env=env).expect(0).out)
    request = there.request()
    for secret in (WHSEC, made["secrets"][0]["secret"], made["secrets"][0]["public_key"]):
        assert there.verified(request, secret)
        said = tenterhook("explain", tmp_path / "request", "--secret-file", tmp_path / "secret")
        assert said.status == 0, said.out + said.err
