"""Receivers are asked whether they want events before anything is sent to them: the abuse protection of CloudEvents' HTTP web hooks,
section 4. The option and the dialect decide where."""
import socket
import threading
import time

import pytest

from harness.expect import deliveries, eventually
from harness.name_server import NameServer
from harness.receiver import Receiver, Reply
from harness.server import StartError

ORIGIN = "events.example.com"
ALL = {"TENTERHOOK_CONSENT_ORIGIN": ORIGIN, "TENTERHOOK_CONSENT": "all"}


def grants(origin=ORIGIN, status=200, rate=None):
    """A receiver's answer: to OPTIONS with these fields, to events with 200."""
    fields = ([("WebHook-Allowed-Origin", origin)] if origin else []) + ([("WebHook-Allowed-Rate", rate)] if rate else [])
    return lambda request: Reply(status, fields) if request.method == "OPTIONS" else Reply(200)


def methods(target):
    with target.changed:
        return [request.method for request in target.requests]


def consent(api, endpoint):
    return api.get(f"/v1/webhooks/{endpoint}").expect(200).json["consent"]


def state(api, endpoint, wanted):
    return eventually(lambda: (lambda c: c if c["state"] == wanted and (c["at"] or wanted == "pending") else None)(
        consent(api, endpoint)))


def publish(api, event=None):
    return api.post("/v1/events", {"type": "a.b", "data": {"n": 1}, **({"id": event} if event else {})}).expect(202).json["id"]


def made(api, target, **more):
    return api.post("/v1/webhooks", {"url": target.url(), **more}).expect(201).json["id"]


@pytest.mark.parametrize("origin", [ORIGIN, "*", ORIGIN.upper()])
def test_an_event_goes_once_the_receiver_has_agreed(server, receiver, origin):
    api = server(env=ALL).api
    target = receiver(grants(origin))
    endpoint = made(api, target, rate_limit_per_second=2)
    publish(api)
    asked, sent = target.wait_for(2)
    assert (asked.method, sent.method) == ("OPTIONS", "POST") and asked.target == sent.target
    assert asked.header("WebHook-Request-Origin") == ORIGIN and asked.header("WebHook-Request-Rate") == "120"
    assert asked.body == b"" and not asked.header("webhook-signature")
    shown = consent(api, endpoint)
    assert shown["state"] == "allowed" and shown["at"] and shown["reason"] is None and shown["rate_per_minute"] is None
    publish(api)
    target.wait_for(3)
    assert methods(target) == ["OPTIONS", "POST", "POST"]  # once asked, not again


@pytest.mark.parametrize("origin,status,rate,why", [
    ("other.example.com", 200, None, "another origin"), (None, 200, None, "no WebHook-Allowed-Origin"),
    (ORIGIN, 405, None, "405"), (ORIGIN, 302, None, "302"), (ORIGIN, 200, "0", "WebHook-Allowed-Rate"),
    (ORIGIN + ".org", 204, None, "another origin"), ("", 200, None, "no WebHook-Allowed-Origin")])
def test_without_consent_nothing_is_sent(server, receiver, origin, status, rate, why):
    api = server(env=ALL).api
    target = receiver(grants(origin, status, rate))
    endpoint = made(api, target)
    assert why in state(api, endpoint, "refused")["reason"]
    event = publish(api)
    api.post(f"/v1/webhooks/{endpoint}/test", {}).expect(202)
    row = deliveries(api, event=event)[0]
    assert row["status"] == "held" and not row.get("next_attempt_at")
    api.post(f"/v1/deliveries/{row['id']}/retry").expect(202)
    refused = api.post(f"/v1/webhooks/{endpoint}/retry").expect(409)
    assert "has not agreed" in refused.json["detail"]
    time.sleep(1)
    assert set(methods(target)) == {"OPTIONS"}
    target.answer = grants()
    api.patch(f"/v1/webhooks/{endpoint}", {"active": True}).expect(200)
    target.wait_for(lambda all: sum(request.method == "POST" for request in all) >= 2)  # the event and the test
    assert consent(api, endpoint)["state"] == "allowed"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_receiver_that_is_down_is_asked_again(server):
    api = server(env=ALL).api
    port = free_port()
    endpoint = api.post("/v1/webhooks", {"url": f"http://127.0.0.1:{port}/hook"}).expect(201).json["id"]
    publish(api)
    eventually(lambda: consent(api, endpoint)["at"])
    shown = consent(api, endpoint)
    assert shown["state"] == "pending" and shown["reason"], shown
    with Receiver(grants(), port=port) as target:
        target.wait_for(2)  # after some seconds, by itself
        assert methods(target) == ["OPTIONS", "POST"]


def test_consent_outlives_a_kill_and_its_lack_too(server, receiver):
    first = server(env=ALL)
    yes, no = receiver(grants()), receiver(grants(None))
    agreed, refused = made(first.api, yes), made(first.api, no)
    state(first.api, agreed, "allowed")
    state(first.api, refused, "refused")
    publish(first.api)
    yes.wait_for(2)
    first.kill()
    first.start()
    no.wait_for(2)  # asked again after the start
    assert consent(first.api, agreed)["state"] == "allowed"
    publish(first.api)
    yes.wait_for(lambda all: len(all) >= 3)
    assert methods(yes).count("OPTIONS") == 1 and set(methods(no)) == {"OPTIONS"}
    assert first.stop() == 0
    first.env = {**ALL, "TENTERHOOK_CONSENT_ORIGIN": "another.example.com"}
    first.start()  # consent was to the other name
    yes.wait_for(lambda all: sum(request.method == "OPTIONS" for request in all) == 2)
    event = publish(first.api)
    eventually(lambda: [row["status"] for row in deliveries(first.api, event=event)] == ["held", "held"])


def test_a_kill_while_it_is_asked(server, receiver):
    first = server(env=ALL)
    target = receiver(lambda request: Reply(hang=True))
    made(first.api, target)
    publish(first.api)
    target.wait_for(1)
    first.kill()
    target.answer = grants()
    first.start()
    target.wait_for(3)
    assert methods(target) == ["OPTIONS", "OPTIONS", "POST"]


def test_another_url_is_asked_before_it_gets_anything(server, receiver):
    api = server(env=ALL).api
    old, new = receiver(grants()), receiver(grants(None))
    endpoint = made(api, old)
    state(api, endpoint, "allowed")
    api.patch(f"/v1/webhooks/{endpoint}", {"url": new.url()}).expect(200)
    event = publish(api)
    state(api, endpoint, "refused")
    assert deliveries(api, event=event)[0]["status"] == "held"
    assert methods(new) == ["OPTIONS"] and methods(old) == ["OPTIONS"]
    new.answer = grants()
    new.wait_for(lambda all: all[-1].method == "POST")  # asked again after some seconds
    api.patch(f"/v1/webhooks/{endpoint}", {"description": "the same URL"}).expect(200)
    publish(api)
    new.wait_for(lambda all: sum(request.method == "POST" for request in all) == 2)
    assert methods(new).count("OPTIONS") == 2


def test_an_answer_for_the_url_of_before_does_not_count(server, receiver):
    api = server(env=ALL).api
    asked, go = threading.Event(), threading.Event()

    def late(request):
        asked.set()
        go.wait(20)
        return grants()(request)

    old, new = receiver(late), receiver(grants(None))
    endpoint = made(api, old)
    assert asked.wait(20)
    api.patch(f"/v1/webhooks/{endpoint}", {"url": new.url()}).expect(200)
    go.set()
    state(api, endpoint, "refused")
    publish(api)
    time.sleep(0.5)
    assert set(methods(new)) == {"OPTIONS"}


def test_the_rate_that_the_receiver_allows_bounds_the_pace(server, receiver):
    first = server(env=ALL)
    target = receiver(grants(rate="120"))
    endpoint = made(first.api, target, rate_limit_per_second=50)
    assert state(first.api, endpoint, "allowed")["rate_per_minute"] == 120
    first.kill()
    first.start()
    for _ in range(5):
        publish(first.api)
    sent = [request for request in target.wait_for(6) if request.method == "POST"]
    assert all(sent[i + 2].mono - sent[i].mono > 0.9 for i in range(3)), [request.mono for request in sent]
    assert first.api.get(f"/v1/webhooks/{endpoint}").json["rate_limit_per_second"] == 50


def test_a_dialect_asks_for_its_own_endpoints(server, receiver, tmp_path):
    folder = tmp_path / "dialects"
    folder.mkdir()
    (folder / "careful.yaml").write_text("extends: standard\nendpoint: {consent: true}\n")
    flags = ["--dialects", str(folder)]
    first = server(flags=flags, env={"TENTERHOOK_CONSENT_ORIGIN": ORIGIN})
    first.api.put("/v1/tenants/c", {"dialect": "careful"}).expect(201)
    plain, careful = receiver(), receiver(grants())
    shown = first.api.post("/v1/webhooks", {"url": plain.url()}).expect(201).json
    assert "consent" not in shown
    theirs = first.api.as_tenant("c")
    endpoint = made(theirs, careful)
    publish(first.api)
    publish(theirs)
    careful.wait_for(2)
    plain.wait_for(1)
    assert methods(careful) == ["OPTIONS", "POST"] and methods(plain) == ["POST"]
    assert consent(theirs, endpoint)["state"] == "allowed"
    assert first.stop() == 0
    first.env = {}  # without a name nobody is asked
    first.start()
    shown = first.api.as_tenant("c").get(f"/v1/webhooks/{endpoint}").json
    assert "consent" not in shown


def test_nobody_is_asked_by_default(server, receiver):
    api = server().api
    target = receiver(grants(None))
    shown = api.post("/v1/webhooks", {"url": target.url()}).expect(201).json
    assert "consent" not in shown
    publish(api)
    target.wait_for(1)
    assert methods(target) == ["POST"]


def test_health_shows_it(server, receiver):
    api = server(env=ALL).api
    endpoint = made(api, receiver(grants(None)))
    state(api, endpoint, "refused")
    publish(api)
    rows = api.get("/v1/endpoint-health").expect(200).json["data"]
    row = next(row for row in rows if row["endpoint"] == endpoint)
    assert row["consent"]["state"] == "refused" and row["state"] == "paused" and row["held"] == 1


@pytest.mark.parametrize("env,word", [({"TENTERHOOK_CONSENT": "all"}, "TENTERHOOK_CONSENT_ORIGIN"),
                                      ({"TENTERHOOK_CONSENT_ORIGIN": "https://x/"}, "host name"),
                                      ({"TENTERHOOK_CONSENT_ORIGIN": "a b"}, "host name")])
def test_settings_that_cannot_be(server, env, word):
    with pytest.raises(StartError) as failed:
        server(env=env)
    assert word in failed.value.output


def test_a_stop_does_not_wait_for_an_answer(server, receiver):
    first = server(env=ALL)
    target = receiver(lambda request: Reply(hang=True))
    made(first.api, target)
    target.wait_for(1)
    began = time.monotonic()
    assert first.stop() == 0 and time.monotonic() - began < 8


def test_a_slow_receiver_costs_a_tenant_its_own_asks_only(server, receiver):
    first = server(env=ALL)
    first.api.put("/v1/tenants/other", {"dialect": "standard"}).expect(201)
    slow, good = receiver(lambda request: Reply(hang=True)), receiver(grants())
    ids = [made(first.api, slow) for _ in range(12)]
    slow.wait_for(4)
    time.sleep(1)
    assert len(methods(slow)) == 4  # at once
    made(first.api.as_tenant("other"), good)
    good.wait_for(1, timeout_s=5)
    for endpoint in ids:  # those that are asked as well as those that wait for their turn
        first.api.delete(f"/v1/webhooks/{endpoint}").expect(204)
    made(first.api, good)
    good.wait_for(2, timeout_s=5)
    assert first.stop() == 0


def test_a_name_and_tls_are_asked_like_delivered_to(server, tls_receiver, certificates):
    api = server(env=ALL, flags=["--ca-file", str(certificates.ca)]).api
    target = tls_receiver(answer=grants())
    endpoint = api.post("/v1/webhooks", {"url": target.url(host="localhost")}).expect(201).json["id"]
    publish(api)
    target.wait_for(2)
    assert methods(target) == ["OPTIONS", "POST"] and consent(api, endpoint)["state"] == "allowed"


def test_all_of_many_addresses_are_judged_before_anybody_is_asked(server, receiver):
    """More addresses than one request tries, the last of them forbidden: the first, which is allowed, is not asked."""
    target = receiver(grants())
    with NameServer({}) as names:
        running = server(env=ALL, flags=["--dns-servers", names.address])
        endpoint = running.api.post("/v1/webhooks", {"url": f"http://many.example.com:{target.port}/"}).expect(201).json["id"]
        assert running.stop() == 0
        names.records["many.example.com"] = {"A": ["127.0.0.1"] + [f"93.184.216.{n}" for n in range(1, 20)] + ["10.0.0.1"]}
        running.start()  # forgets that the name did not exist
        publish(running.api)
        eventually(lambda: "private" in (consent(running.api, endpoint)["reason"] or ""))
        assert consent(running.api, endpoint)["state"] == "pending" and target.connections == 0


def test_consent_stays_with_what_else_happens_to_the_endpoint(server, receiver):
    first = server(env=ALL)
    target = receiver(grants(rate="600"))
    endpoint = made(first.api, target)
    since = state(first.api, endpoint, "allowed")
    first.api.post(f"/v1/webhooks/{endpoint}/rotate-secret", {}).expect(200, 201)
    first.api.patch(f"/v1/webhooks/{endpoint}", {"active": False, "metadata": {"a": "b"}}).expect(200)
    first.api.patch(f"/v1/webhooks/{endpoint}", {"active": True, "headers": {"X-Long": "x" * 4000}}).expect(200)
    target.answer = lambda request: Reply(410 if request.method == "POST" else 405)
    publish(first.api)
    eventually(lambda: first.api.get(f"/v1/webhooks/{endpoint}").json["disabled"])
    target.answer = grants(None)
    first.kill()
    first.start()
    assert consent(first.api, endpoint) == since
    first.api.patch(f"/v1/webhooks/{endpoint}", {"active": True}).expect(200)
    publish(first.api)
    target.wait_for(lambda all: all[-1].method == "POST" and len(all) >= 3)
    assert methods(target).count("OPTIONS") == 1 and consent(first.api, endpoint) == since
