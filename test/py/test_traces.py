"""Traces: what a collector of OpenTelemetry gets, decoded by the official classes, and what publishers and endpoints see of it."""
import time

import pytest

from harness import otlp
from harness.command import tenterhook
from harness.expect import eventually, problem, settled
from harness.metrics import metrics
from harness.receiver import Reply
from harness.server import StartError

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{CALLER}-01"
UNSAMPLED = f"00-{TRACE}-{CALLER}-00"


@pytest.fixture(scope="module")
def decode():
    return otlp.decoder()


@pytest.fixture
def collector(decode):
    made = []

    def make(**options):
        made.append(otlp.Collector(decode, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


def traced(server, collector, *flags, **options):
    return server(flags=["--traces-endpoint", f"http://127.0.0.1:{collector.port}", *flags], **options)


def publish(api, headers=None, **more):
    return api.post("/v1/events", {"type": "order.paid", "data": {"n": 1}, **more}, headers=headers or {}).expect(202).json


def gathered(collector, count):
    """The spans, once there are so many."""
    def look():
        spans = collector.spans() if collector.requests else []
        return spans if len(spans) >= count else None
    return eventually(look, 20, f"{count} spans")


def by_name(spans, verb):
    return [s for s in spans if s["name"].startswith(verb + " ")]


def test_a_publish_and_its_first_attempt_continue_the_publishers_trace(server, collector, receiver):
    to, watch = receiver(), collector()
    running = traced(server, watch, "--traces-pass-on", "on")
    hook = running.api.post("/v1/webhooks", {"url": to.url("/secret-path?token=abc")}).expect(201).json
    event = publish(running.api, {"traceparent": GIVEN, "tracestate": "vendor=1,other=2"})
    spans = gathered(watch, 2)
    (sent,), (out,) = by_name(spans, "publish"), by_name(spans, "deliver")
    assert sent["trace"] == out["trace"] == TRACE
    assert sent["parent"] == CALLER and out["parent"] == sent["id"] and len({CALLER, sent["id"], out["id"]}) == 3
    assert sent["state"] == out["state"] == "vendor=1,other=2"
    assert (sent["name"], sent["kind"], out["name"], out["kind"]) == ("publish order.paid", 4, "deliver order.paid", 3)
    assert sent["links"] == out["links"] == [] and sent["status"] == out["status"] == 0
    now = time.time_ns()
    for span in spans:
        assert now - 60e9 < span["begin"] <= span["end"] <= now, span
        assert span["resource"]["service.name"] == "tenterhook" and span["resource"]["service.version"]
        assert len(span["resource"]["service.instance.id"]) == 36
        assert "secret-path" not in str(span) and "abc" not in str(span["attributes"].get("url.full", ""))
        assert span["attributes"]["messaging.system"] == "tenterhook"
        assert span["attributes"]["messaging.message.id"] == event["id"]
        assert span["attributes"]["messaging.destination.name"] == "order.paid"
        assert span["attributes"]["messaging.message.body.size"] == len('{"n": 1}')
        assert span["attributes"]["tenterhook.tenant"] == "default"
    assert out["attributes"] | {"http.request.method": "POST", "http.response.status_code": 200, "url.scheme": "http",
                                "server.address": "127.0.0.1", "server.port": to.port,
                                "network.peer.address": "127.0.0.1", "tenterhook.endpoint": hook["id"],
                                "tenterhook.outcome": "success"} == out["attributes"]
    assert sent["attributes"]["tenterhook.deliveries"] == 1
    # the endpoint continues the attempt
    (request,) = to.requests
    assert request.header("traceparent") == f"00-{TRACE}-{out['id']}-01"
    assert request.header("tracestate") == "vendor=1,other=2"
    # the collector is asked as the specification says
    assert watch.requests[0].target == "/v1/traces"
    assert watch.requests[0].header("content-type") == "application/x-protobuf"
    assert running.api.get(f"/v1/events/{event['id']}").expect(200).json["traceparent"] == GIVEN


def test_a_retry_is_a_trace_of_its_own_with_a_link(server, collector, receiver):
    watch, to = collector(), receiver().script(Reply(503), Reply(200))
    running = traced(server, watch, "--traces-pass-on", "on")
    running.api.post("/v1/webhooks", {"url": to.url(), "retry": {"delays": [1]}}).expect(201)
    publish(running.api, {"traceparent": GIVEN, "tracestate": "a=b"})
    spans = gathered(watch, 3)
    (sent,), (first, again) = by_name(spans, "publish"), by_name(spans, "deliver")
    assert first["trace"] == TRACE and first["status"] == 2 and first["attributes"]["error.type"] == "503"
    assert first["attributes"]["http.response.status_code"] == 503 and "http.request.resend_count" not in first["attributes"]
    assert again["trace"] != TRACE and again["parent"] == "" and again["state"] == ""
    assert again["links"] == [{"trace": TRACE, "id": sent["id"]}] and again["attributes"]["http.request.resend_count"] == 1
    assert again["status"] == 0
    assert to.requests[1].header("traceparent") == f"00-{again['trace']}-{again['id']}-01"
    assert to.requests[1].header("tracestate") is None


def test_an_endpoint_says_for_itself_whether_it_gets_the_context(server, receiver):
    for option, wanted in (("off", {"on"}), ("on", {"on", None})):
        to = receiver()
        running = server(flags=["--traces-pass-on", option])
        hooks = {said: running.api.post("/v1/webhooks", {"url": to.url(f"/{said}"), "trace_context": said}).expect(201).json
                 for said in ("on", "off", None)}
        assert [hook.get("trace_context") for hook in hooks.values()] == ["on", "off", None]
        publish(running.api, {"traceparent": GIVEN, "tracestate": "a=b"})
        got = {r.target.removeprefix("/"): (r.header("traceparent"), r.header("tracestate")) for r in to.wait_for(3)}
        assert got == {str(said): (GIVEN, "a=b") if said in wanted else (None, None) for said in hooks}
        path = f"/v1/webhooks/{hooks['on']['id']}"
        assert problem(running.api.patch(path, {"trace_context": "yes"}), 422)["errors"][0]["pointer"] == "/trace_context"
        running.api.patch(path, {"trace_context": "off"}).expect(200)
        assert "trace_context" not in running.api.patch(f"/v1/webhooks/{hooks['off']['id']}", {"trace_context": None}).expect(200).json
        publish(running.api, {"traceparent": GIVEN})
        after = {r.target.removeprefix("/"): r.header("traceparent") for r in to.wait_for(6)[3:]}
        assert after == {"on": None, "off": GIVEN if option == "on" else None, "None": GIVEN if option == "on" else None}


def test_a_refused_publish_is_a_span_that_failed(server, collector):
    """With the status and the reason, and nothing of the request; a stranger's request makes none."""
    watch = collector()
    running = traced(server, watch, "--traces-ratio", "0")
    api, given = running.api, {"traceparent": GIVEN, "tracestate": "a=b"}
    secret = {"marker": "do-not-show"}
    assert api.post("/v1/events", {"type": "x y do-not-show", "data": secret}, headers=given).status == 422
    api.post("/v1/events", {"type": "a", "id": "do-not-show", "data": {}}, headers={"traceparent": UNSAMPLED}).expect(202)
    assert api.post("/v1/events", {"type": "a", "id": "do-not-show", "data": {}}, headers=given).status == 409
    assert api.post("/v1/events/batch", [{"type": "a", "data": {}, "traceparent": GIVEN}, {"type": "a", "data": {}, "do-not-show": 1}]).status == 422
    assert api.post("/v1/events", {"type": "a", "data": {}, "tenant": "do-not-show"}, headers=given).status == 404
    # neither of these: not sampled, no valid key, no trace and a ratio of 0
    assert api.post("/v1/events", {"type": "x y", "data": {}}, headers={"traceparent": UNSAMPLED}).status == 422
    assert api.with_key("nobody-0123456789").post("/v1/events", {"type": "x y", "data": {}}, headers=given).status == 401
    assert api.post("/v1/events", {"type": "x y", "data": {}}).status == 422
    publish(api, given)  # the last: when it has come, all have
    spans = gathered(watch, 5)
    refused, now = [s for s in spans if s["name"] == "publish"], time.time_ns()
    assert [s["attributes"]["http.response.status_code"] for s in refused] == [422, 409, 422, 404] and len(spans) == 5
    for span in refused:
        assert (span["trace"], span["parent"], span["kind"], span["status"]) == (TRACE, CALLER, 4, 2)
        assert span["attributes"]["error.type"] == str(span["attributes"]["http.response.status_code"])
        assert span["why"] and "do-not-show" not in str(span)
        assert now - 60e9 < span["begin"] <= span["end"] <= now, span
    assert refused[2]["attributes"]["messaging.batch.message_count"] == 2
    assert refused[0]["state"] == "a=b" and refused[0]["attributes"]["tenterhook.tenant"] == "default"


def test_a_failed_connection_is_a_span_with_the_reason(server, collector, receiver):
    watch, to = collector(), receiver()
    url = to.url()
    to.close()
    running = traced(server, watch)
    running.api.post("/v1/webhooks", {"url": url, "retry": {"delays": [600]}}).expect(201)
    publish(running.api, {"traceparent": GIVEN})
    spans = gathered(watch, 2)
    (out,) = by_name(spans, "deliver")
    assert out["status"] == 2 and out["why"] and out["attributes"]["error.type"] == "connect_error"
    assert "http.response.status_code" not in out["attributes"]


def test_flags_and_the_ratio_decide(server, collector, receiver):
    watch, to = collector(), receiver()
    running = traced(server, watch, "--traces-ratio", "0.25")
    running.api.post("/v1/webhooks", {"url": to.url()}).expect(201)
    batch = [{"type": "order.paid", "data": {}} for _ in range(400)]
    batch += [{"type": "order.paid", "data": {}, "traceparent": UNSAMPLED} for _ in range(50)]
    batch += [{"type": "order.sent", "data": {}, "traceparent": GIVEN} for _ in range(50)]
    running.api.post("/v1/events/batch", batch).expect(202)
    to.wait_for(500)

    def stable():
        before = len(watch.requests)
        time.sleep(1.5)
        return before and before == len(watch.requests)
    eventually(stable, 30, "no more spans")
    spans = watch.spans()
    sent = by_name(spans, "publish")
    assert len([s for s in sent if s["trace"] == TRACE]) == 50
    free = [s for s in sent if s["trace"] != TRACE]
    assert 55 <= len(free) <= 145 and len({s["trace"] for s in free}) == len(free)  # 100 expected, 5 sigma
    assert all(s["parent"] == "" for s in free)
    outs = by_name(spans, "deliver")
    assert {s["parent"] for s in outs} == {s["id"] for s in sent} and len(outs) == len(sent)
    assert all(s["attributes"]["messaging.batch.message_count"] == 500 for s in sent)
    # nothing is passed on unless that was asked for
    assert to.requests and not any(r.header("traceparent") for r in to.requests)


def test_the_context_is_kept_and_passed_on_without_a_collector(server, receiver):
    to = receiver()
    running = server(flags=["--traces-pass-on", "on"])
    running.api.post("/v1/webhooks", {"url": to.url()}).expect(201)
    publish(running.api, {"traceparent": GIVEN, "tracestate": "a=b"})
    publish(running.api, {"traceparent": GIVEN}, traceparent=UNSAMPLED, tracestate="own=1")
    publish(running.api)
    requests = sorted((r.header("traceparent") or "", r.header("tracestate") or "") for r in to.wait_for(3))
    assert requests == [("", ""), (UNSAMPLED, "own=1"), (GIVEN, "a=b")]


def test_an_endpoints_own_header_stays(server, receiver):
    to, own = receiver(), f"00-{'a' * 32}-{'b' * 16}-01"
    running = server(flags=["--traces-pass-on", "on"])
    running.api.post("/v1/webhooks", {"url": to.url(), "headers": {"TraceParent": own}}).expect(201)
    publish(running.api, {"traceparent": GIVEN})
    (request,) = to.wait_for(1)
    assert [value for name, value in request.headers if name.lower() == "traceparent"] == [own]


@pytest.mark.parametrize("given,kept", [
    (f"00-{TRACE}-{CALLER}-01-more", None), (f"cc-{TRACE}-{CALLER}-01-more", GIVEN), (f"ff-{TRACE}-{CALLER}-01", None),
    (f"00-{'0' * 32}-{CALLER}-01", None), (f"00-{TRACE}-{'0' * 16}-01", None), (GIVEN.upper(), None),
    (f"00-{TRACE[:-1]}g-{CALLER}-01", None), ("", None), ("00", None)])
def test_headers_are_read_as_the_specification_says(shared, given, kept):
    event = publish(shared.api, {"traceparent": given})
    assert shared.api.get(f"/v1/events/{event['id']}").expect(200).json.get("traceparent") == kept


def test_a_wrong_context_in_the_body_is_refused(shared):
    for more, pointer, words in (({"traceparent": "00-1-2-3"}, "/traceparent", "Trace Context"),
                                 ({"tracestate": "a=b"}, "/tracestate", "traceparent beside it"),
                                 ({"traceparent": GIVEN, "tracestate": "a=\u00e9"}, "/tracestate", "ASCII"),
                                 ({"traceparent": GIVEN, "tracestate": "a" * 513}, "/tracestate", "512")):
        answer = shared.api.post("/v1/events", {"type": "a", "data": {}, **more})
        found = problem(answer, 422)["errors"]
        assert found[0]["pointer"] == pointer and words in found[0]["detail"], found
    # null is the same as absent
    publish(shared.api, traceparent=None, tracestate=None)


def test_a_collector_that_hangs_is_not_felt(server, collector, receiver):
    """The collector takes the connection and never answers: everything else goes on, spans beyond the buffer are dropped and
    counted, and the end does not wait for it."""
    watch, to = collector(answer=lambda _: Reply(hang=True)), receiver()
    running = traced(server, watch, "--traces-ratio", "1")
    running.api.post("/v1/webhooks", {"url": to.url()}).expect(201)
    for _ in range(8):
        running.api.post("/v1/events/batch", [{"type": "x" * 120, "data": {}} for _ in range(500)]).expect(202)
    to.wait_for(4000, 60)
    values, _ = metrics(running.api)
    assert values['tenterhook_trace_spans_total{outcome="dropped"}'] > 0
    assert values['tenterhook_trace_spans_total{outcome="exported"}'] == 0
    assert len(watch.requests) == 1
    begun = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - begun < 10


def test_a_refused_batch_is_repeated_and_the_end_sends_the_rest(server, collector, receiver):
    watch = collector().script(Reply(503, [("Retry-After", "1")]), Reply(200))
    running = traced(server, watch, env={"TENTERHOOK_TRACES_HEADERS": "authorization=Bearer tok, x-team = blue"})
    publish(running.api, {"traceparent": GIVEN})
    watch.wait_for(2)
    assert watch.requests[0].body == watch.requests[1].body
    assert watch.requests[0].header("authorization") == "Bearer tok" and watch.requests[0].header("x-team") == "blue"
    eventually(lambda: metrics(running.api)[0]['tenterhook_trace_spans_total{outcome="exported"}'] == 1, 5, "counted")
    publish(running.api, {"traceparent": GIVEN})
    assert running.stop() == 0
    assert len(watch.requests) == 3 and len(watch.spans()) == 3
    assert "tok" not in running.text()


def test_a_permanent_refusal_drops(server, collector):
    watch = collector(answer=lambda _: 400)
    running = traced(server, watch)
    publish(running.api, {"traceparent": GIVEN})
    eventually(lambda: metrics(running.api)[0]['tenterhook_trace_spans_total{outcome="dropped"}'] == 1, 10, "dropped")
    assert len(watch.requests) == 1


def test_several_threads_and_a_restart_agree(server, collector, receiver):
    """The ids are derived: whichever thread or process delivers, the attempt hangs on the publish."""
    watch, to = collector(), receiver()
    running = traced(server, watch, "--threads", "3", "--traces-ratio", "1")
    hooks = [running.api.post("/v1/webhooks", {"url": to.url(), "active": i > 0}).expect(201).json for i in range(5)]
    for _ in range(20):
        publish(running.api)
    to.wait_for(80)
    settled(running.api, 80)
    assert running.stop() == 0
    running.start()
    running.api.patch(f"/v1/webhooks/{hooks[0]['id']}", {"active": True}).expect(200)
    to.wait_for(100)
    spans = gathered(watch, 120)
    sent = {s["id"]: s for s in by_name(spans, "publish")}
    assert len(sent) == 20
    outs = by_name(spans, "deliver")
    assert len(outs) == 100
    for out in outs:
        assert out["parent"] in sent and out["trace"] == sent[out["parent"]]["trace"]


def test_the_file_has_these_options(tmp_path):
    """Those of every group of options: which groups there are follows from the table."""
    (tmp_path / "headers").write_text("x-team=blue\n")
    (tmp_path / "c.yaml").write_text(f"traces:\n  endpoint: http://127.0.0.1:4318\n  ratio: 0.5\n  pass_on: \"on\"\n  headers_file: {tmp_path / 'headers'}\n"
                                     "event_types:\n  validate: refuse\nlog:\n  level: warn\ntls: {}\n")
    shown = tenterhook("config", "show", "--config", tmp_path / "c.yaml").expect(0).out
    for words in (("traces.endpoint", "http://127.0.0.1:4318"), ("traces.ratio", "0.5"), ("traces.pass_on", "on"),
                  ("event_types.validate", "refuse"), ("log.level", "warn")):
        assert any(all(word in line for word in words) for line in shown.splitlines()), (words, shown)
    assert "blue" not in shown
    (tmp_path / "c.yaml").write_text("trace:\n  endpoint: http://127.0.0.1:4318\n")
    assert 'unknown key "trace"' in tenterhook("config", "check", "--config", tmp_path / "c.yaml").expect(64).err


@pytest.mark.parametrize("flags,env,words", [
    (["--traces-endpoint", "collector:4318"], {}, "http://127.0.0.1:4318"),
    (["--traces-ratio", "1.5"], {}, "from 0 to 1"), (["--traces-ratio", "10%"], {}, "from 0 to 1"),
    ([], {"TENTERHOOK_TRACES_HEADERS": "authorization"}, "NAME=VALUE"),
    ([], {"TENTERHOOK_TRACES_HEADERS": "a b=c"}, "NAME=VALUE")])
def test_wrong_options_are_refused(server, flags, env, words):
    with pytest.raises(StartError) as error:
        server(flags=flags, env=env)
    assert error.value.status == 64 and words in error.value.output
