"""POST /v1/webhooks/{id}/explain: each usual mistake is named, nothing secret is said, and nobody sees another tenant's."""
import json
import time

import pytest

from harness.expect import eventually, problem
from harness.receiver import Receiver


@pytest.fixture(scope="module")
def sent(shared):
    """A request that was really sent, and the endpoint that it was for."""
    api = shared.api
    hook = Receiver()
    api.put("/v1/tenants/explain", {"name": "x"}).expect(201)
    tenant = api.as_tenant("explain")
    made = tenant.post("/v1/webhooks", {"url": hook.url("/hook"), "events": ["a.b"]}).expect(201).json
    tenant.post("/v1/events", {"type": "a.b", "data": "a  b"}).expect(202)
    eventually(lambda: hook.requests, 20)
    request = hook.requests[0]
    hook.close()
    names = ("webhook-id", "webhook-timestamp", "webhook-signature", "content-type")
    yield {"api": tenant, "root": api, "id": made["id"], "secret": made["secret"], "headers": {name: request.header(name) for name in names}, "body": request.body.decode()}


def ask(sent, **changes):
    body = {"headers": sent["headers"], "body": sent["body"], **changes}
    return sent["api"].post(f"/v1/webhooks/{sent['id']}/explain", body).expect(200).json


def test_a_right_request_verifies(sent):
    for more in ({}, {"secret": sent["secret"]}):
        said = ask(sent, **more)
        assert said["verified"] and said["findings"] == [] and said["steps"] and all(step["ok"] for step in said["steps"])
        assert said["secret"] == ("given" if more else "stored") and said["dialect"] == "standard"
        assert [step["name"] for step in said["steps"]] == ["webhook-id", "webhook-timestamp", "webhook-signature", "time", "signature"]
    import base64
    assert ask(sent, body=None, body_base64=base64.b64encode(sent["body"].encode()).decode())["verified"]


@pytest.mark.parametrize("change, said", [
    (lambda sent: {"body": json.dumps(json.loads(sent["body"]), indent=2)}, "as compact JSON"),
    (lambda sent: {"body": sent["body"] + "\n"}, "without the line end behind it"),
    (lambda sent: {"body": "\ufeff" + sent["body"]}, "byte order mark"),
    (lambda sent: {"secret": f'"{sent["secret"]}"\n'}, "form of this dialect"),
    (lambda sent: {"secret": "whsec_" + "QUJD" * 8}, "the secret is another one"),
    (lambda sent: {"body": sent["body"].replace("a  b", "c")}, "no usual mistake"),
    (lambda sent: {"headers": {k: v for k, v in sent["headers"].items() if k != "webhook-signature"}}, "webhook-signature did not arrive"),
    (lambda sent: {"received_at": "2020-01-01T00:00:00Z"}, "the signature is right, but it was made"),
], ids=["pretty", "newline", "mark", "quotes", "secret", "changed", "header", "time"])
def test_what_is_wrong_is_said(sent, change, said):
    answer = ask(sent, **change(sent))
    assert not answer["verified"] and any(said in finding for finding in answer["findings"]), answer
    text = json.dumps(answer)
    assert sent["secret"] not in text
    if "webhook-signature" not in change(sent).get("headers", sent["headers"]):
        assert sent["headers"]["webhook-signature"] not in text  # what belongs there is never said


def test_a_header_that_came_twice(sent):
    answer = ask(sent, headers={**sent["headers"], "webhook-id": [sent["headers"]["webhook-id"], "other"]})
    assert not answer["verified"] and [step["ok"] for step in answer["steps"] if step["name"] == "webhook-id"] == [False]


def test_the_previous_secret_is_named(sent):
    sent["api"].post(f"/v1/webhooks/{sent['id']}/rotate-secret", {}).expect(200)
    answer = ask(sent)
    assert answer["verified"] and "previous secret" in answer["findings"][0]
    sent["api"].delete(f"/v1/webhooks/{sent['id']}/secret/previous").expect(204)
    assert not ask(sent)["verified"]


def test_bad_questions_and_other_tenants(sent):
    path = f"/v1/webhooks/{sent['id']}/explain"
    for wrong, at in (({}, "/headers"), ({"headers": {"a": 1}}, "/headers"), ({"headers": {f"h{i}": "x" for i in range(101)}}, "/headers"), ({"headers": {}, "body": "x" * 131073}, "/body"),
                      ({"headers": {}, "body_base64": "?"}, "/body_base64"), ({"headers": {}, "received_at": "yesterday"}, "/received_at")):
        assert at in [fault["pointer"] for fault in problem(sent["api"].post(path, wrong), 422)["errors"]], wrong
    sent["root"].put("/v1/tenants/other", {"name": "x"}).expect(201)
    problem(sent["root"].as_tenant("other").post(path, {"headers": {}}), 404)


def test_it_keeps_nobody_waiting(sent):
    begun = time.monotonic()
    ask(sent, body="[" * 131072)
    assert time.monotonic() - begun < 2


def test_a_dialect_of_a_file(server, tmp_path):
    folder = tmp_path / "dialects"
    folder.mkdir()
    (folder / "mine.yaml").write_text("extends: standard\n")
    api = server(flags=["--dialects", str(folder)]).api
    api.put("/v1/tenants/t", {"dialect": "mine"}).expect(201)
    made = api.as_tenant("t").post("/v1/webhooks", {"url": "http://127.0.0.1:9999/x", "events": ["a.b"]}).expect(201).json
    answer = api.as_tenant("t").post(f"/v1/webhooks/{made['id']}/explain", {"headers": {}, "body": "{}"}).expect(200).json
    assert answer["dialect"] == "mine" and not answer["verified"] and answer["steps"][0] == {"name": "webhook-id", "ok": False, "value": "is not there"}
