"""Endpoints that choose the source address of their requests: what receivers see, what is refused, and what happens when it is gone."""
import pytest

from harness.command import KEY, tenterhook
from harness.expect import eventually, problem, settled
from harness.receiver import Reply

SOURCES = ["--source-address", "two=127.0.0.2", "--source-address", "three=127.0.0.3"]


def publish(api, n=1):
    for k in range(n):
        api.post("/v1/events", {"type": "a.b", "data": {"n": k}}).expect(202)


def test_requests_come_from_the_chosen_address(server, receiver):
    """And connections are shared only between requests from the same one, though they go to the same server."""
    running, target = server(flags=SOURCES), receiver()
    api = running.api
    for name in ("two", "three", None):
        made = api.post("/v1/webhooks", {"url": target.url(f"/{name}"), **({"source_address": name} if name else {})}).expect(201).json
        assert made.get("source_address") == name
    for total in (3, 6, 9):
        publish(api)
        target.wait_for(total)
        settled(api, total)
    seen = {}
    for request in target.requests:
        seen.setdefault(request.target, set()).add(request.client[0])
    assert seen == {"/two": {"127.0.0.2"}, "/three": {"127.0.0.3"}, "/None": {"127.0.0.1"}}


def test_a_change_holds_from_the_next_request_on(server, receiver):
    running, target = server(flags=SOURCES), receiver()
    api = running.api
    hook = api.post("/v1/webhooks", {"url": target.url()}).expect(201).json["id"]
    for total, name in enumerate(("two", "three", None), 1):
        shown = api.patch(f"/v1/webhooks/{hook}", {"source_address": name}).expect(200).json
        assert shown.get("source_address") == name
        publish(api)
        target.wait_for(total)
        settled(api, total)
    assert [request.client[0] for request in target.requests] == ["127.0.0.2", "127.0.0.3", "127.0.0.1"]


def test_only_what_the_operator_offers(server, receiver):
    running = server(flags=SOURCES)
    url = receiver().url()
    for bad in ("four", "127.0.0.2", "TWO", ""):
        fault = problem(running.api.post("/v1/webhooks", {"url": url, "source_address": bad}), 422)["errors"][0]
        assert fault["pointer"] == "/source_address"
        assert not bad or "two, three" in fault["detail"]
    running.api.post("/v1/webhooks", {"url": url, "source_address": 2}).expect(422)
    none = server()
    assert "no source address" in problem(none.api.post("/v1/webhooks", {"url": url, "source_address": "two"}), 422)["errors"][0]["detail"]
    shown = running.api.get("/v1/source-addresses").expect(200).json
    assert shown["sources"] == [{"name": "two", "address": "127.0.0.2"}, {"name": "three", "address": "127.0.0.3"}]
    assert "sources" not in none.api.get("/v1/source-addresses").expect(200).json


def test_an_address_that_is_gone_is_trouble_of_our_own(server, receiver):
    """No request from another address, no attempt counted, the endpoint stays enabled; what waits goes when the address is back."""
    running, target = server(flags=["--source-address", "gone=203.0.113.77"]), receiver()
    api = running.api
    hook = api.post("/v1/webhooks", {"url": target.url(), "source_address": "gone"}).expect(201).json["id"]
    publish(api)
    eventually(lambda: "not on this machine" in running.text(), 20, "the reason in the log")
    row = api.get("/v1/deliveries").expect(200).json["data"][0]
    assert row["status"] in ("pending", "retrying") and row["attempt_count"] == 0 and target.requests == []
    shown = api.get(f"/v1/webhooks/{hook}").expect(200).json
    assert shown["disabled"] is None
    running.stop()
    running.flags = []  # the operator has taken the name away: the same
    running.start()
    api = running.api
    eventually(lambda: "not configured any more" in running.text(), 20, "the reason in the log")
    assert target.requests == [] and api.get(f"/v1/webhooks/{hook}").expect(200).json["source_address"] == "gone"
    api.patch(f"/v1/webhooks/{hook}", {"description": "other changes are possible"}).expect(200)
    api.patch(f"/v1/webhooks/{hook}", {"source_address": None}).expect(200)
    target.wait_for(1)
    assert settled(api, 1)[0]["attempt_count"] == 1


def test_the_token_comes_from_there_too(server, receiver):
    running, target = server(flags=SOURCES), receiver()
    tokens = receiver(answer=lambda _: Reply(200, body=b'{"access_token":"t","token_type":"Bearer"}'))
    running.api.post("/v1/webhooks", {"url": target.url(), "source_address": "three", "authentication": {
        "type": "oauth2", "token_url": tokens.url("/token"), "client_id": "a", "client_secret": "b"}}).expect(201)
    publish(running.api)
    target.wait_for(1)
    assert tokens.requests[0].client[0] == "127.0.0.3" and target.requests[0].client[0] == "127.0.0.3"


@pytest.mark.parametrize("value", ["two", "two=", "=127.0.0.2", "t o=127.0.0.2", "two=localhost", "two=127.0.0.2:80", "two=127.0.0"])
def test_bad_options_stop_the_start(tmp_path, value):
    ran = tenterhook("serve", "--data", tmp_path / "data", "--source-address", value, env={"TENTERHOOK_ADMIN_KEY": KEY}).expect(64)
    assert "is not NAME=ADDR" in ran.err and "source-address" in ran.err


def test_the_command_line(server, receiver):
    running = server(flags=SOURCES)
    env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": running.admin_key}
    made = tenterhook("endpoints", "create", receiver().url(), "--source-address", "two", "--json", env=env).expect(0).json
    assert made["source_address"] == "two"
    tenterhook("endpoints", "update", made["id"], "--source-address", "", env=env).expect(0)
    assert "source_address" not in running.api.get(f"/v1/webhooks/{made['id']}").json


def test_doctor_comes_from_there(server, receiver):
    running, target = server(flags=SOURCES), receiver()
    env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": running.admin_key}
    made = running.api.post("/v1/webhooks", {"url": target.url(), "source_address": "three"}).expect(201).json
    said = [row["text"] for row in tenterhook("doctor", made["id"], "--json", env=env).json]
    assert any("from its source address three (127.0.0.3)" in text for text in said), said
    assert any("connected in" in text for text in said) and target.requests == []
