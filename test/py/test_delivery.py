"""Deliveries as the receiver sees them: the request on the wire, retries, hostile answers, fairness, reports."""
import base64
import datetime
import gzip
import json
import os
import re
import shutil
import socket
import ssl
import statistics
import subprocess
import threading
import time
import zlib

import pytest

from harness.client import Api
from harness.expect import deliveries, eventually, problem, settled
from harness.faults import Bytes, Silent, corpus, read_request, reset, together
from harness.receiver import Reply
from harness.signature import SignatureError, sign, verify

JSON = {"Content-Type": "application/json"}
EVENT = {"type": "order.created", "data": {"order": 1}}


def register(api, target, **more):
    url = target if isinstance(target, str) else target.url()
    return api.post("/v1/webhooks", {"url": url, **more}).expect(201).json


def publish(api, **more):
    return api.post("/v1/events", {**EVENT, **more}).expect(202).json


def detail(api, delivery):
    return api.get(f"/v1/deliveries/{delivery}").expect(200).json


def of_endpoint(api, endpoint, attempts=1, timeout_s=40):
    """The one delivery of an endpoint in detail, when it has had so many attempts."""
    def look():
        rows = api.get(f"/v1/deliveries?endpoint={endpoint}").expect(200).json["data"]
        return rows[0] if rows and rows[0]["attempt_count"] >= attempts else None
    return detail(api, eventually(look, timeout_s, f"{attempts} attempts at {endpoint}")["id"])


def tiro_tenant(shared, name, **attributes):
    body = {"name": name, "dialect": "tiro"}
    if attributes:
        body["attributes"] = attributes
    shared.api.put(f"/v1/tenants/{name}", body).expect(201)
    return shared.api.as_tenant(name)


# ---- the request on the wire ----

def test_standard_request_on_the_wire(tenant, receiver):
    """Every header, and nothing beside them; the body byte for byte; the signature as the specification computes it."""
    target = receiver()
    made = register(tenant, target.url("/a/b?c=d"))
    data = '{"b": 1.50,"a":[1e400,"\\u2028é/\\/"]}'
    answer = tenant.post("/v1/events", ('{"type":"order.created","time":"2026-03-04T05:06:07.890Z","data":' + data
                                        + "}").encode(), headers=JSON).expect(202).json
    request = target.wait_for(1)[0]
    assert (request.method, request.target, request.version) == ("POST", "/a/b?c=d", "HTTP/1.1")
    expected = ('{"type":"order.created","timestamp":"2026-03-04T05:06:07Z","data":' + data + "}").encode()
    fields = {name.lower(): value for name, value in request.headers}
    assert len(fields) == len(request.headers)
    assert set(fields) == {"host", "content-length", "content-type", "user-agent", "webhook-id", "webhook-timestamp",
                           "webhook-signature", "accept"}
    assert fields["accept"] == "*/*"
    assert fields["host"] == f"127.0.0.1:{target.port}" and fields["content-type"] == "application/json"
    assert fields["content-length"] == str(len(request.body))
    assert re.fullmatch(r"Tenterhook/\d+\.\d+\.\d+", fields["user-agent"])
    assert fields["webhook-id"] == answer["id"] and re.fullmatch(r"msg_[0-9A-HJKMNP-TV-Z]{26}", answer["id"])
    assert abs(int(fields["webhook-timestamp"]) - time.time()) < 60
    assert request.body == expected
    assert fields["webhook-signature"] == sign(made["secret"], answer["id"], fields["webhook-timestamp"], expected)


def test_tiro_request_on_the_wire(shared, receiver):
    api, target = tiro_tenant(shared, "tiro-wire", workspaceGuid="6f1c"), receiver()
    made = register(api, target)
    data = '{"title" : "x"}'
    answer = api.post("/v1/events", ('{"type":"note.created","resource_id":"n1","time":"2026-03-04T05:06:07Z","data":'
                                     + data + "}").encode(), headers=JSON).expect(202).json
    request = target.wait_for(1)[0]
    assert set(name.lower() for name, _ in request.headers) == {"host", "content-length", "content-type", "user-agent",
                                                               "authorization"}
    assert request.header("Authorization") == f"Bearer {made['secret']}"
    assert request.body == ('{"id":"' + answer["id"] + '","type":"note.created","createdAt":"2026-03-04T05:06:07Z",'
                            '"workspaceGuid":"6f1c","data":{"resourceType":"Note","resourceId":"n1","resource":'
                            + data + "}}").encode()
    assert re.fullmatch(r"evt_[0-9A-HJKMNP-TV-Z]{26}", answer["id"])


def test_tiro_names_the_tenant_when_it_has_no_guid(shared, receiver):
    api, target = tiro_tenant(shared, "tiro-plain"), receiver()
    register(api, target)
    api.post("/v1/events", {"type": "folder.moved", "resource_id": "f", "data": {}}).expect(202)
    body = json.loads(target.wait_for(1)[0].body)
    assert body["workspaceGuid"] == "tiro-plain" and body["data"]["resourceType"] == "FolderNoteRelation"


@pytest.mark.parametrize("status", [400, 404, 408, 429])
def test_tiro_never_retries_4xx(shared, receiver, status):
    api, target = tiro_tenant(shared, f"tiro-{status}"), receiver(answer=lambda _: status)
    register(api, target)
    api.post("/v1/events", {"type": "note.created", "resource_id": "n", "data": {}}).expect(202)
    row = settled(api, 1, status="failed")[0]
    assert row["reason"] == "final_status" and row["attempt_count"] == 1 and row["next_attempt_at"] is None


def test_an_accept_of_the_endpoints_own_goes_out_alone(tenant, receiver):
    target = receiver()
    made = register(tenant, target, headers={"accept": "application/json"})
    publish(tenant)
    request = target.wait_for(1)[0]
    assert [value for name, value in request.headers if name.lower() == "accept"] == ["application/json"]
    shown = of_endpoint(tenant, made["id"])["attempts"][0]["request"]["headers"]
    assert [name.lower() for name in shown].count("accept") == 1


def test_custom_headers_go_out_and_are_hidden(tenant, receiver):
    target = receiver()
    register(tenant, target, headers={"X-Team": "blue; q=1", "Authorization": "Bearer given-by-customer"})
    publish(tenant)
    request = target.wait_for(1)[0]
    assert request.header("X-Team") == "blue; q=1" and request.header("Authorization") == "Bearer given-by-customer"
    shown = detail(tenant, settled(tenant, 1)[0]["id"])["attempts"][0]["request"]
    assert shown["headers"]["X-Team"] == shown["headers"]["Authorization"] == "***"
    assert shown["body"].encode() == request.body and shown["method"] == "POST" and shown["url"] == target.url()
    sent = {name: "***" if name in ("X-Team", "Authorization") else value for name, value in request.headers}
    assert shown["headers"] == sent
    for path in ("/v1/deliveries", "/v1/attempts", "/v1/events"):
        answer = tenant.get(path).expect(200)
        assert answer.json["data"] and b"given-by-customer" not in answer.body


# ---- retries ----

def test_retries_keep_the_id_and_sign_anew(tenant, receiver):
    """The first delay of the dialect is 5 s plus at most 10 %: never sooner, and the signature is of the moment."""
    target = receiver().script(500, 200)
    made = register(tenant, target)
    event = publish(tenant)
    first, second = target.wait_for(2)
    assert 5.0 <= second.mono - first.mono < 20
    assert first.header("webhook-id") == second.header("webhook-id") == event["id"] and first.body == second.body
    assert first.header("webhook-timestamp") != second.header("webhook-timestamp")
    assert abs(int(second.header("webhook-timestamp")) - second.at) <= 4
    for request in (first, second):
        verify(made["secret"], request)
    row = detail(tenant, settled(tenant, 1)[0]["id"])
    assert [(a["number"], a["outcome"], a["status"]) for a in row["attempts"]] == [(1, "failed_status", 500),
                                                                                   (2, "success", 200)]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(tenant, receiver, status):
    target = receiver().script(Reply(status, [("Retry-After", "8")]), 200)
    register(tenant, target)
    publish(tenant)
    row = settled(tenant, 1, status="retrying")[0]
    due = datetime.datetime.fromisoformat(row["next_attempt_at"])
    ended = datetime.datetime.fromisoformat(row["last_attempt"]["time"])
    assert 7.9 <= (due - ended).total_seconds() <= 25  # with the time that the attempt took


def test_retry_after_does_not_shorten_and_is_bounded(shared, receiver):
    """0 seconds stays with the schedule; a year is lowered to a day; a date is understood; nonsense is ignored."""
    now = datetime.datetime.now(datetime.timezone.utc)
    date = (now + datetime.timedelta(seconds=3600)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    # Upper ends with room for the time that the attempt took.
    cases = {"0": (4.9, 20), "31536000": (86000, 95100), date: (3500, 3700), "soon": (4.9, 20), "-5": (4.9, 20),
             "99999999999999999999": (4.9, 95100)}

    def due(case):
        n, (value, _) = case
        shared.api.put(f"/v1/tenants/ra-{n}", {"name": "x", "dialect": "standard"}).expect(201)
        api, target = shared.api.as_tenant(f"ra-{n}"), receiver(answer=lambda _: Reply(503, [("Retry-After", value)]))
        register(api, target)
        publish(api)
        row = settled(api, 1, status="retrying")[0]
        return (datetime.datetime.fromisoformat(row["next_attempt_at"])
                - datetime.datetime.fromisoformat(row["last_attempt"]["time"])).total_seconds()

    for (value, (least, most)), got in zip(cases.items(), together(due, list(enumerate(cases.items())))):
        assert least <= got <= most, (value, got)


def test_redirects_are_never_followed(shared, receiver):
    """The corpus of redirects and other invitations: one request each, to the endpoint and nowhere else."""
    cases = [json.loads(line) for line in corpus("ssrf", "redirect_cases.jsonl").read_text().splitlines()]
    lure, found = receiver(), []
    shared.api.put("/v1/tenants/redirects", {"name": "x", "dialect": "standard"}).expect(201)
    api = shared.api.as_tenant("redirects")

    def one(case):
        fields = dict(case.get("headers") or {})
        if case["location"] is not None:
            fields["Location"] = case["location"].replace("127.0.0.1", f"127.0.0.1:{lure.port}", 1)
        head = f"HTTP/1.1 {case['status']} X\r\nContent-Length: 0\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        target = receiver(answer=lambda _: Reply(raw=(head + "\r\n").encode("latin-1", "replace"), close=True))
        made = register(api, target, events=["redirect." + case["id"]])
        publish(api, type="redirect." + case["id"])
        row = of_endpoint(api, made["id"])
        attempt = row["attempts"][0]
        if case["expect"] == "SUCCESS":
            assert row["status"] == "delivered" and attempt["outcome"] == "success", case
        else:
            assert row["status"] == "retrying", (case, row)
            # a broken head is no answer at all
            found.append((case["status"], attempt["outcome"], attempt["status"], attempt["detail"], case["location"], case.get("headers")))
        assert len(target.requests) == 1 and target.connections == 1, case

    together(one, cases)
    assert [f for f in found if f[1]!="failed_status" or f[0]!=f[2]] == []
    assert lure.requests == [] and lure.connections == 0


def test_the_time_out_of_the_endpoint_holds(tenant, receiver):
    """timeout_seconds bounds the whole attempt: silence, and an answer that comes by the drop."""
    def drip(connection):
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    quiet = receiver(answer=lambda _: Reply(hang=True))
    with Bytes(drip) as slow:
        ids = [register(tenant, target, timeout_seconds=1)["id"] for target in (quiet, slow)]
        publish(tenant)
        for made in ids:
            attempt = of_endpoint(tenant, made)["attempts"][0]
            assert attempt["outcome"] == "timeout" and 950 <= attempt["duration_ms"] < 5000, attempt
            assert attempt["detail"]


def test_gone_disables(tenant, receiver):
    target = receiver(answer=lambda _: 410)
    made = register(tenant, target)
    publish(tenant)
    row = settled(tenant, 1, status="failed")[0]
    assert row["reason"] == "final_status"
    assert tenant.get(f"/v1/webhooks/{made['id']}").json["disabled"]["reason"]
    publish(tenant)
    settled(tenant, 1, status="held")
    assert len(target.requests) == 1


def test_a_delivery_has_never_failed_before_its_endpoint_is_disabled(tenant, receiver):
    """One commit says both: whoever sees the delivery failed finds the endpoint disabled."""
    target = receiver(answer=lambda _: 410)
    for n in range(20):
        made = register(tenant, target.url(f"/{n}"), events=[f"gone.{n}"])
        event = publish(tenant, type=f"gone.{n}")
        deadline = time.monotonic() + 15
        while tenant.get(f"/v1/events/{event['id']}").json["deliveries"][0]["status"] != "failed":
            assert time.monotonic() < deadline  # asked again at once, or what follows would long have happened
        assert tenant.get(f"/v1/webhooks/{made['id']}").json["disabled"]


# ---- hostile answers ----

def test_hostile_answers_end_in_a_clear_outcome(server):
    """The corpus of answers through the whole engine: what must fail is recorded as failed with its class, what is an
    answer is taken, and nothing takes longer than the deadline."""
    cases = [json.loads(line) for line in corpus("http1-client", "cases.jsonl").read_text().splitlines()]
    cases = [case for case in cases if case["raw_b64"]]
    running = server()
    api = running.api
    wrong = []

    def one(case):
        answer = base64.b64decode(case["raw_b64"])

        def script(connection):
            connection.sendall(answer)
            if not case["server_closes"]:
                time.sleep(2.5)

        with Bytes(script) as target:
            made = register(api, target, events=["hostile." + case["id"]], timeout_seconds=2)
            publish(api, type="hostile." + case["id"])
            row = of_endpoint(api, made["id"], timeout_s=60)
            api.patch(f"/v1/webhooks/{made['id']}", {"active": False}).expect(200)
            attempt = row["attempts"][0]
        good = attempt["outcome"] == "success"
        if case["expect"] in ("SUCCESS", "SUCCESS_NO_REUSE", "SUCCESS_CAPPED") and not good:
            wrong.append((case["id"], case["expect"], attempt["outcome"], attempt["detail"], case["printable"][:120]))
        if case["expect"] == "FAIL" and good:
            wrong.append((case["id"], case["expect"], attempt["outcome"], case["why"], case["printable"][:120]))
        if attempt["outcome"] not in ("success", "failed_status"):
            if attempt["outcome"] not in ("protocol_error", "timeout", "connection_reset") or not attempt["detail"]:
                wrong.append((case["id"], "class", attempt["outcome"], attempt["detail"]))
        if attempt["duration_ms"] > 4000:
            wrong.append((case["id"], "duration", attempt["duration_ms"]))

    together(one, cases, threads=24)
    assert not wrong, "\n".join(map(str, wrong))
    assert running.process.poll() is None


def test_connections_that_break(tenant):
    """Reset at once, reset after the request, closed without an answer, nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as spare:
        nobody = f"http://127.0.0.1:{spare.getsockname()[1]}/"
    scripts = {"accept": Bytes(reset, read=False), "request": Bytes(reset),
               "close": Bytes(lambda connection: None),
               "half": Bytes(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))}
    ids = {name: register(tenant, target.url())["id"] for name, target in scripts.items()}
    ids["nobody"] = register(tenant, nobody)["id"]
    publish(tenant)
    try:
        for name, made in ids.items():
            attempt = of_endpoint(tenant, made)["attempts"][0]
            wanted = {"nobody": ["connect_error"], "half": ["connection_reset"],
                      "accept": ["connection_reset", "connect_error"]}.get(name, ["connection_reset"])
            assert attempt["outcome"] in wanted and attempt["detail"] and attempt["status"] in (None, 200), (name, attempt)
    finally:
        for target in scripts.values():
            target.close()


def test_a_big_answer_is_capped(tenant):
    """A success of any length is a success; the log keeps 16 KiB of an answer and says that there was more."""
    body = b"0123456789abcdef" * 65536

    def send(status):
        def script(connection):
            try:
                connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
            except OSError:
                pass
        return script

    with Bytes(send(200)) as good, Bytes(send(500)) as bad:
        first, second = register(tenant, good.url()), register(tenant, bad.url())
        publish(tenant)
        row = of_endpoint(tenant, first["id"])
        assert row["status"] == "delivered"
        failed = of_endpoint(tenant, second["id"])["attempts"][0]
        assert failed["status"] == 500
        for attempt in (row["attempts"][0], failed):
            assert attempt["response"]["truncated"]
            assert attempt["response"]["body"] == (body[:16384]).decode()


def test_answers_that_are_no_text_are_shown(tenant):
    """Bytes that are not UTF-8 in headers and body must not break the JSON of the log."""
    with Bytes(lambda c: c.sendall(b"HTTP/1.1 500 \xff\xfe\r\nX-Latin: caf\xe9\r\nX-\x7f: 1\r\nContent-Length: 4\r\n\r\n"
                                   b"\xff\x00\xfe\"")) as odd, \
            Bytes(lambda c: c.sendall(b"HTTP/1.1 500 X\r\nX-Latin: caf\xe9 \x85\r\nContent-Length: 4\r\n\r\n\xff\x00\xfe\"")) as latin:
        ids = [register(tenant, target.url())["id"] for target in (odd, latin)]
        publish(tenant)
        of_endpoint(tenant, ids[0])
        response = of_endpoint(tenant, ids[1])["attempts"][0]["response"]
        assert base64.b64decode(response["body_base64"]) == b"\xff\x00\xfe\""
        json.loads(tenant.get("/v1/deliveries").expect(200).body.decode("utf-8"))


def answered(tenant, head, body, **more):
    """How the log shows an answer with status 500."""
    def script(connection):
        connection.sendall(b"HTTP/1.1 500 X\r\n%sContent-Length: %d\r\n\r\n" % (head, len(body)) + body)

    with Bytes(script) as target:
        made = register(tenant, target.url(), **more)
        publish(tenant)
        response = of_endpoint(tenant, made["id"])["attempts"][0]["response"]
        tenant.delete(f"/v1/webhooks/{made['id']}").expect(204)
        return response


@pytest.mark.parametrize("character", ["\u00fc", "\u20ac", "\U0001f600"])
def test_an_answer_that_is_cut_inside_a_character_is_text(tenant, character):
    size = len(character.encode())
    for shift in range(size):
        response = answered(tenant, b"", b"x" * shift + character.encode() * 10000)
        kept = "x" * shift + character * ((16384 - shift) // size)
        assert response.get("body") == kept and response["truncated"], shift


def test_bytes_that_are_no_text_stay_base64_when_they_are_cut(tenant):
    body = bytes([0xff, 0xfe]) * 10000
    response = answered(tenant, b"", body)
    assert base64.b64decode(response["body_base64"]) == body[:16384]


def test_an_answer_in_a_coding_that_nobody_asked_for(tenant):
    text = json.dumps({"error": "no such order \u20ac"}).encode()
    bare = zlib.compressobj(9, zlib.DEFLATED, -15)
    for coding, body in [("gzip", gzip.compress(text)), ("x-gzip", gzip.compress(text)), ("deflate", zlib.compress(text)),
                         ("DEFLATE", bare.compress(text) + bare.flush())]:
        response = answered(tenant, f"Content-Encoding: {coding}\r\n".encode(), body)
        assert (response.get("body"), response.get("decoded_from")) == (text.decode(), coding)
        assert not response["truncated"] and "encoding" not in response
    named = answered(tenant, b"Content-Encoding: br\r\n", b"\x0b\x02\x80abc\xff")
    assert named["encoding"] == "br" and base64.b64decode(named["body_base64"]) == b"\x0b\x02\x80abc\xff"
    lie = answered(tenant, b"Content-Encoding: gzip\r\n", b"plain text")
    assert (lie["body"], lie["encoding"]) == ("plain text", "gzip") and "decoded_from" not in lie
    half = answered(tenant, b"Content-Encoding: gzip\r\n", gzip.compress(b"abc" * 1000)[:-12])
    assert half["body"].startswith("abcabc") and half["truncated"]
    wrong = answered(tenant, b"Content-Encoding: gzip\r\n", gzip.compress(text)[:-8] + b"\0" * 8)
    assert wrong["body"] == text.decode() and wrong["truncated"] and wrong["decoded_from"] == "gzip"
    two = answered(tenant, b"Content-Encoding: gzip\r\n", gzip.compress(text) + gzip.compress(b"two"))
    assert two["body"] == text.decode() + "two" and not two["truncated"]
    after = answered(tenant, b"Content-Encoding: gzip\r\n", gzip.compress(text) + b"surplus")
    assert after["body"] == text.decode() and after["truncated"]
    bomb = answered(tenant, b"Content-Encoding: gzip\r\n", gzip.compress(b"0" * 100_000_000))
    assert bomb["body"] == "0" * 16384 and bomb["truncated"] and bomb["decoded_from"] == "gzip"
    random = os.urandom(60000).hex().encode()
    cut = answered(tenant, b"Content-Encoding: gzip\r\n", gzip.compress(random))
    assert cut["body"] == random[:16384].decode() and cut["truncated"]


def test_bytes_of_one_answer_never_reach_another(tenant):
    """Two answers in one packet: the second must not be taken for the next delivery."""
    two = (b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n" + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    count = [0]

    def script(connection):
        count[0] += 1
        connection.sendall(two)
        read_request(connection)

    with Bytes(script) as target:
        register(tenant, target.url(), max_in_flight=1)
        publish(tenant)
        publish(tenant)
        eventually(lambda: count[0] >= 2 and all(r["attempt_count"] for r in deliveries(tenant)))
        assert {row["last_attempt"]["status"] for row in deliveries(tenant)} == {500}


def test_connections_are_kept_and_survive_the_other_side(tenant, receiver):
    """Twenty deliveries one after the other use few connections; one that the receiver has closed costs no attempt."""
    target = receiver()
    register(tenant, target, max_in_flight=1)
    for _ in range(20):
        publish(tenant)
    target.wait_for(20)
    settled(tenant, 20)
    assert target.connections <= 2
    with target.changed:
        still_open = list(target._open)
    for connection in still_open:
        connection.shutdown(socket.SHUT_RDWR)
    time.sleep(0.1)
    publish(tenant)
    target.wait_for(21)
    rows = settled(tenant, 21)
    assert all(row["attempt_count"] == 1 for row in rows)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_every_request_that_a_receiver_read_is_an_attempt(shared, how):
    """The receiver dies upon each second request of a connection, when it has read it. What it has read and what is
    recorded are the same; tsanet has nothing on the wire that would tell a repetition."""
    read = []

    def script(connection):
        read.append(1)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        if read_request(connection):
            read.append(2)
            if how == "reset":
                reset(connection)

    shared.api.put(f"/v1/tenants/dies-{how}", {"name": how, "dialect": "tsanet"}).expect(201)
    api = shared.api.as_tenant(f"dies-{how}")
    with Bytes(script) as target:
        made = api.post("/v1/webhooks", {"callbackUrl": target.url(), "eventTypes": ["note.created"]}).expect(200).json
        for n in range(2):
            publish(api, type="note.created")
            eventually(lambda: len(deliveries(api)) == n + 1 and
                       all(row["attempt_count"] == 1 and row["last_attempt"] for row in deliveries(api)))
        time.sleep(0.3)
        rows = deliveries(api)
        assert [row["last_attempt"]["outcome"] for row in rows] == ["connection_reset", "success"]
        assert sum(row["attempt_count"] for row in rows) == len(read) == 2
        api.delete(f"/v1/webhooks/{made['id']}").expect(204)


# ---- TLS ----

def test_tls_is_always_verified(server, receiver, certificates, tls_receiver):
    """One good certificate among bad ones; only the good receiver gets a request."""
    targets = {"good": tls_receiver(), "other name": tls_receiver(cert={"names": "DNS:elsewhere.example"}),
               "self-signed": tls_receiver(cert={"signed": False}), "no TLS": receiver()}
    plain = Bytes(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), read=False)
    urls = {name: target.url() for name, target in targets.items()}
    urls["no TLS"] = plain.url().replace("http:", "https:")
    running = server(environment="production", flags=["--allow-network", "127.0.0.0/8", "--ca-file", str(certificates.ca)])
    ids = {name: register(running.api, url, timeout_seconds=5)["id"] for name, url in urls.items()}
    publish(running.api)
    for name, made in ids.items():
        row = of_endpoint(running.api, made)
        attempt = row["attempts"][0]
        if name == "good":
            assert row["status"] == "delivered" and attempt["tls_ms"] > 0 and attempt["connect_ms"] >= 0
        else:
            assert row["status"] == "retrying" and attempt["outcome"] == "tls_error" and attempt["detail"], (name, attempt)
            assert targets[name].requests == []
    plain.close()


@pytest.mark.parametrize("names", ("hashed", "file", "neither"))
def test_authorities_of_the_system(server, tls_receiver, certificates, tmp_path, names):
    """They are found in a folder with hashed names, or all in one file; what is in neither is not trusted."""
    folder, target = tmp_path / "authorities", tls_receiver()
    folder.mkdir()
    shutil.copy(certificates.ca, folder / "ca.pem")
    if names == "hashed":
        subprocess.run(["openssl", "rehash", str(folder)], check=True)
    running = server(env={"SSL_CERT_DIR": str(folder)} | ({"SSL_CERT_FILE": str(certificates.ca)} if names == "file" else {}))
    made = register(running.api, target.url())
    publish(running.api)
    row = of_endpoint(running.api, made["id"])
    assert row["status"] == ("retrying" if names == "neither" else "delivered"), row
    assert len(target.requests) == (names != "neither")


def test_an_expired_certificate_gets_nothing(server, certificates, receiver, tmp_path):
    cert, key = certificates.issue()
    request, old = tmp_path / "old.csr", tmp_path / "old.pem"
    extensions = tmp_path / "ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1\n")
    subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=old", "-out", request], check=True,
                   capture_output=True)
    (tmp_path / "index").write_text("")
    (tmp_path / "serial").write_text("0a\n")
    (tmp_path / "ca.conf").write_text(f"[ca]\ndefault_ca=x\n[x]\ndatabase={tmp_path}/index\nserial={tmp_path}/serial\n"
                                      f"new_certs_dir={tmp_path}\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
    subprocess.run(["openssl", "ca", "-batch", "-config", tmp_path / "ca.conf", "-cert", certificates.ca, "-keyfile",
                    certificates.ca_key, "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-extfile",
                    extensions, "-in", request, "-out", old], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(old, key)
    target = receiver(tls=context)
    running = server(flags=["--ca-file", str(certificates.ca)])
    made = register(running.api, target)
    publish(running.api)
    attempt = of_endpoint(running.api, made["id"])["attempts"][0]
    assert attempt["outcome"] == "tls_error" and "expired" in attempt["detail"] and target.requests == []


def test_without_the_ca_file_nothing_is_trusted(tenant, tls_receiver):
    target = tls_receiver()
    made = register(tenant, target)
    publish(tenant)
    assert of_endpoint(tenant, made["id"])["attempts"][0]["outcome"] == "tls_error" and target.requests == []


# ---- pause, delete, test, retry, rotate ----

def test_pause_holds_and_resume_releases_oldest_first(tenant, receiver):
    target = receiver()
    made = register(tenant, target, max_in_flight=1)
    path = f"/v1/webhooks/{made['id']}"
    tenant.patch(path, {"active": False}).expect(200)
    ids = [publish(tenant)["id"] for _ in range(60)]
    assert {row["status"] for row in deliveries(tenant)} == {"held"}
    time.sleep(0.2)
    assert target.requests == []
    tenant.patch(path, {"active": True}).expect(200)
    target.wait_for(60, timeout_s=20)
    assert target.ids() == ids


def test_a_pause_also_holds_retries(tenant, receiver):
    target = receiver(answer=lambda _: 500)
    made = register(tenant, target)
    publish(tenant)
    settled(tenant, 1, status="retrying")
    tenant.patch(f"/v1/webhooks/{made['id']}", {"active": False}).expect(200)
    settled(tenant, 1, status="held")
    time.sleep(5.7)
    assert len(target.requests) == 1
    tenant.patch(f"/v1/webhooks/{made['id']}", {"active": True}).expect(200)
    target.wait_for(2)


def test_delete_cancels_what_waits_and_what_runs(tenant, receiver):
    """Deleted while one request is under way and others wait: all end cancelled or delivered, none goes out later."""
    deleted = threading.Event()

    def answer(_):
        deleted.wait(60)

    target = receiver(answer=answer)
    made = register(tenant, target, max_in_flight=1)
    for _ in range(10):
        publish(tenant)
    target.wait_for(1)
    tenant.delete(f"/v1/webhooks/{made['id']}").expect(204)
    deleted.set()
    ended = eventually(lambda: [r for r in [deliveries(tenant)]
                                if all(row["status"] in ("cancelled", "delivered") for row in r)])[0]
    assert sum(row["status"] == "cancelled" for row in ended) >= 9
    time.sleep(1.0)
    assert len(target.requests) == 1


def test_the_test_route_works_while_disabled_and_counts_for_nothing(tenant, receiver):
    target = receiver().script(410, 500, 200)
    made = register(tenant, target, events=["a.b"])
    path = f"/v1/webhooks/{made['id']}"
    publish(tenant, type="a.b")
    settled(tenant, 1, status="failed")
    eventually(lambda: tenant.get(path).json["disabled"])
    one = tenant.post(f"{path}/test", {}).expect(202).json["id"]
    row = eventually(lambda: [d for d in [detail(tenant, one)] if d["status"] == "failed"])[0]
    assert row["attempt_count"] == 1
    two = tenant.post(f"{path}/test", {}).expect(202).json["id"]
    eventually(lambda: detail(tenant, two)["status"] == "delivered")
    assert tenant.get(path).json["disabled"]
    assert len(target.requests) == 3


def test_retry_from_every_state(tenant, receiver):
    """retrying, in flight, delivered, failed, held, cancelled: 202 each, one attempt more where the endpoint takes it."""
    replies = {"n": 500}
    target = receiver(answer=lambda _: replies["n"])
    made = register(tenant, target, max_in_flight=1)
    path = f"/v1/webhooks/{made['id']}"
    publish(tenant)
    row = settled(tenant, 1, status="retrying")[0]
    again = f"/v1/deliveries/{row['id']}/retry"

    def attempts(n, status):
        return eventually(lambda: [d for d in [detail(tenant, row["id"])]
                                   if d["attempt_count"] == n and d["status"] == status], what=f"{n} {status}")[0]

    tenant.post(again).expect(202)
    attempts(2, "retrying")
    replies["n"] = 200
    tenant.post(again).expect(202)
    attempts(3, "delivered")
    tenant.post(again).expect(202)
    attempts(4, "delivered")
    replies["n"] = 410
    tenant.post(again).expect(202)
    attempts(5, "failed")
    eventually(lambda: tenant.get(path).json["disabled"])
    replies["n"] = 500
    assert tenant.post(again).expect(202).json["status"] == "retrying"
    attempts(6, "held")
    tenant.patch(path, {"active": True}).expect(200)
    tenant.patch(path, {"active": False}).expect(200)
    replies["n"] = 200
    tenant.post(again).expect(202)
    attempts(7, "delivered")
    assert [a["number"] for a in detail(tenant, row["id"])["attempts"]] == [1, 2, 3, 4, 5, 6, 7]
    assert len(target.requests) == 7


def test_retry_while_the_request_is_under_way(tenant, receiver):
    """The running request is not doubled at the same time, nothing hangs, and each request is one recorded attempt."""
    asked, open_now, most = threading.Event(), [0], [0]

    def answer(_):
        open_now[0] += 1
        most[0] = max(most[0], open_now[0])
        asked.wait(60)
        time.sleep(0.2)  # long enough for a second one to overlap
        open_now[0] -= 1

    target = receiver(answer=answer)
    register(tenant, target)
    publish(tenant)
    target.wait_for(1)
    row = deliveries(tenant)[0]
    tenant.post(f"/v1/deliveries/{row['id']}/retry").expect(202)
    asked.set()

    def settled_down():
        d = detail(tenant, row["id"])
        return d["status"] == "delivered" and d["attempt_count"] == len(d["attempts"]) == len(target.requests)

    eventually(settled_down)
    time.sleep(0.5)
    assert settled_down() and most[0] == 1


CREATE = {"standard": {"events": ["task.created"]}, "tiro": {"events": ["task.created"]}, "tsanet": {},
          "taskboard": {"events": ["task.created"], "secret": "s" * 32}}


@pytest.mark.parametrize("dialect", CREATE)
def test_retry_of_a_deleted_endpoints_delivery_is_refused(server, receiver, dialect):
    """409 with what is wrong, in each dialect; the record, delivered or cancelled, stays as it was, after a restart too."""
    at = server()
    at.api.put("/v1/tenants/t", {"name": "t", "dialect": dialect}).expect(201)
    api, target = at.api.as_tenant("t"), receiver()
    made = api.post("/v1/webhooks", {"callbackUrl" if dialect == "tsanet" else "url": target.url(), **CREATE[dialect]}).json
    event = {"type": "note.created" if dialect == "tsanet" else "task.created", "data": {"id": 1}}
    if dialect == "tiro":
        event |= {"resource_type": "Note", "resource_id": "n1"}
    api.post("/v1/events", event).expect(202)
    done = settled(api, 1, status="delivered")[0]
    api.patch(f"/v1/webhooks/{made['id']}", {"active": False}).expect(200)
    api.post("/v1/events", event).expect(202)
    held = settled(api, 1, status="held")[0]
    before = detail(api, done["id"])
    api.delete(f"/v1/webhooks/{made['id']}").expect(204)
    for _ in range(2):  # while what is held is being cancelled, and afterwards
        for row in (done, held):
            answer = api.post(f"/v1/deliveries/{row['id']}/retry")
            assert answer.status == 409 and b"deleted" in answer.body, answer
        settled(api, 1, status="cancelled")
    at.stop()
    at.start()
    api = at.api.as_tenant("t")
    assert api.post(f"/v1/deliveries/{done['id']}/retry").status == 409
    after = detail(api, done["id"])
    assert (after["status"], after["ended_at"]) == ("delivered", before["ended_at"])
    assert len(target.requests) == 1


def test_retry_while_the_request_is_under_way_and_fails(tenant, receiver):
    """One attempt as soon as the one under way has failed, not when the schedule says; the answer says that one is under way."""
    go = threading.Event()

    def answer(request):
        if len(target.requests) == 1:
            go.wait(30)
            return 500
        return 200

    target = receiver(answer=answer)
    register(tenant, target)
    publish(tenant)
    target.wait_for(1)
    row = deliveries(tenant)[0]
    for _ in range(2):  # asked for twice it is still one
        assert tenant.post(f"/v1/deliveries/{row['id']}/retry").expect(202).json == {
            "id": row["id"], "status": "pending", "under_way": True}
    go.set()
    target.wait_for(2, timeout_s=3)
    settled(tenant, 1, status="delivered")
    assert "under_way" not in tenant.post(f"/v1/deliveries/{row['id']}/retry").expect(202).json
    target.wait_for(3)
    time.sleep(0.5)
    assert len(target.requests) == 3


def test_rotation_signs_with_both_until_the_overlap_ends(tenant, receiver):
    target = receiver()
    made = register(tenant, target)
    path = f"/v1/webhooks/{made['id']}"
    begun = time.monotonic()
    secrets = tenant.post(f"{path}/rotate-secret", {"overlap_seconds": 6}).expect(200).json["secrets"]
    new = next(s["secret"] for s in secrets if s["secret"] != made["secret"])
    publish(tenant)
    request = target.wait_for(1)[0]
    stamp = request.header("webhook-timestamp")
    assert request.header("webhook-signature").split(" ") == [
        sign(secret, request.header("webhook-id"), stamp, request.body) for secret in (new, made["secret"])]
    time.sleep(max(0.0, begun + 6.5 - time.monotonic()))
    publish(tenant)
    request = target.wait_for(2)[1]
    verify(new, request)
    with pytest.raises(SignatureError):
        verify(made["secret"], request)


def test_tiro_rotation_goes_on_with_the_old_secret(shared, receiver):
    api, target = tiro_tenant(shared, "tiro-rotate"), receiver()
    made = register(api, target)
    event = {"type": "note.created", "resource_id": "n", "data": {}}
    begun = time.monotonic()
    secrets = api.post(f"/v1/webhooks/{made['id']}/rotate-secret", {"overlap_seconds": 6}).expect(200).json["secrets"]
    new = next(s["secret"] for s in secrets if s["secret"] != made["secret"])
    api.post("/v1/events", event).expect(202)
    assert target.wait_for(1)[0].header("Authorization") == f"Bearer {made['secret']}"
    time.sleep(max(0.0, begun + 6.5 - time.monotonic()))
    api.post("/v1/events", event).expect(202)
    assert target.wait_for(2)[1].header("Authorization") == f"Bearer {new}"


# ---- many endpoints, many tenants ----

def test_fan_out_of_300(shared, receiver):
    shared.api.put("/v1/tenants/fan", {"name": "x", "dialect": "standard"}).expect(201)
    api, target = shared.api.as_tenant("fan"), receiver()
    secrets = {f"/{n}": made["secret"] for n, made in
               zip(range(300), together(lambda n: register(api, target.url(f"/{n}")), range(300), 8))}
    answer = publish(api)
    assert answer["deliveries"] == 300
    requests = target.wait_for(300, timeout_s=20)
    assert {request.target for request in requests} == set(secrets)
    for request in requests:
        assert verify(secrets[request.target], request) == answer["id"]
    eventually(lambda: len([r for r in api.pages("/v1/deliveries?status=delivered", limit=1000)]) == 300)
    assert len(target.requests) == 300
    assert len(api.get(f"/v1/events/{answer['id']}").expect(200).json["deliveries"]) == 300
    # One publish makes at most 262,144 deliveries: they are held in memory until the commit.
    refused = api.post("/v1/events/batch", [{"type": "x", "data": n} for n in range(1000)])
    assert refused.status == 413 and "fewer events" in refused.json["detail"]
    assert len(list(api.pages("/v1/events", limit=1000))) == 1
    assert api.post("/v1/events/batch", [{"type": "x", "data": n} for n in range(2)]).status == 202


def test_wildcards_match_as_said(tenant, receiver):
    target = receiver()
    subscriptions = {"all": ["*"], "empty": [], "prefix": ["order.*"], "deep": ["order.item.*"],
                     "exact": ["order.created"], "near": ["orders.*"], "several": ["x.y", "order.item.added"]}
    for name, events in subscriptions.items():
        register(tenant, target.url("/" + name), events=events)

    def got(event_type):
        count = len(target.requests)
        answer = publish(tenant, type=event_type)
        requests = target.wait_for(count + answer["deliveries"])
        time.sleep(0.1)
        return sorted(request.target[1:] for request in requests[count:])

    assert got("order.created") == ["all", "empty", "exact", "prefix"]
    assert got("order.item.added") == ["all", "deep", "empty", "prefix", "several"]
    assert got("order") == ["all", "empty"]
    assert got("orderx.created") == ["all", "empty"]
    assert got("order.item") == ["all", "empty", "prefix"]


def test_tenants_with_one_receiver_share_no_connection(server, receiver):
    """What one tenant's endpoint does to a connection (surplus bytes, a half-read body) must never reach another's request."""
    api, target = server().api, receiver()
    for name in ("one", "two"):
        api.put(f"/v1/tenants/{name}", {"name": name, "dialect": "standard"}).expect(201)
        register(api.as_tenant(name), target, headers={"X-Tenant": name})
    for count in range(3):
        for n, name in enumerate(("one", "two"), 1):
            publish(api.as_tenant(name), data={"n": count})
            target.wait_for(2 * count + n)
            settled(api.as_tenant(name), count + 1)
    used = {}
    for request in target.requests:
        used.setdefault(request.header("X-Tenant"), set()).add(request.connection)
    assert used["one"] and used["two"] and not used["one"] & used["two"], used
    assert len(used["one"]) == 1, "within a tenant the connection is kept, so sharing would have been seen"


def test_one_management_idempotency_key_of_two_tenants_is_two_keys(server):
    api, key = server().api, {"Idempotency-Key": "same"}
    for name in ("one", "two"):
        api.put(f"/v1/tenants/{name}", {"name": name, "dialect": "standard"}).expect(201)
    body = {"url": "http://127.0.0.1:50999/x"}
    made = [api.as_tenant(name).post("/v1/webhooks", body, headers=key).expect(201) for name in ("one", "two")]
    assert made[0].json["id"] != made[1].json["id"] and made[0].json["secret"] != made[1].json["secret"]
    assert made[1].header("Idempotency-Replayed") is None
    # another body is another request of that tenant's alone
    other = [api.as_tenant(name).post(f"/v1/webhooks/{one.json['id']}/rotate-secret", {"overlap_seconds": n},
                                      headers={"Idempotency-Key": "rotate"}).expect(200)
             for n, (name, one) in enumerate(zip(("one", "two"), made))]
    assert other[0].json != other[1].json and other[1].header("Idempotency-Replayed") is None
    for name, one in zip(("one", "two"), made):
        again = api.as_tenant(name).post("/v1/webhooks", body, headers=key).expect(201)
        assert again.json == one.json and again.header("Idempotency-Replayed") == "true"
        assert len(api.as_tenant(name).pages("/v1/webhooks")) == 1


def test_patterns_in_subscriptions_and_filters(shared, receiver):
    shared.api.put("/v1/tenants/patterns", {"name": "x", "dialect": "standard"}).expect(201)
    api, target = shared.api.as_tenant("patterns"), receiver()
    register(api, target, events=["*.paid"])
    types = ["order.paid", "invoice.paid", "order.created", "paid", "order.unpaid"]
    for name in types:
        publish(api, type=name)
    assert {json.loads(r.body)["type"] for r in target.wait_for(2)} == {"order.paid", "invoice.paid"}

    def seen(path, pattern):
        rows = api.get(f"{path}?event_type={pattern}").expect(200).json["data"]
        return sorted(row.get("event_type") or row["type"] for row in rows)
    assert seen("/v1/events", "order.*") == ["order.created", "order.paid", "order.unpaid"]
    assert seen("/v1/events", "*.paid") == ["invoice.paid", "order.paid"]
    assert seen("/v1/events", "*") == sorted(types) and seen("/v1/events", "paid") == ["paid"]
    assert seen("/v1/deliveries", "order.*") == ["order.paid"] and seen("/v1/deliveries", "*.created") == []
    for never in ("a..b", "order.", "*.", "a.*.b", "or*", "%2A%2A", "a%20b", "a/b"):
        for path in ("/v1/events", "/v1/deliveries", "/v1/attempts"):
            refused = api.get(f"{path}?event_type={never}")
            assert refused.status == 400 and b"event_type" in refused.body, (path, never, refused)


def test_types_of_cloudevents_may_be_uris(shared, receiver):
    shared.api.put("/v1/tenants/uris", {"name": "x", "dialect": "cloudevents"}).expect(201)
    api, target = shared.api.as_tenant("uris"), receiver()
    register(api, target, events=["com.example/object:created", "org.*"])
    for name in ("com.example/object:created", "org.x/y", "com.other"):
        publish(api, type=name)
    assert {r.header("ce-type") for r in target.wait_for(2)} == {"com.example/object:created", "org.x/y"}
    assert api.get("/v1/events?event_type=com.example/object:created").expect(200).json["data"]
    shared.api.put("/v1/tenants/plain", {"name": "x", "dialect": "standard"}).expect(201)
    plain = shared.api.as_tenant("plain")
    for body in ({**EVENT, "type": "a/b"}, {**EVENT, "type": "a:b"}):
        refused = plain.post("/v1/events", body)
        assert refused.status == 422 and b"type" in refused.body
    assert plain.post("/v1/webhooks", {"url": target.url(), "events": ["a/b"]}).status == 422


def test_tenants_see_nothing_of_each_other(shared, receiver):
    names = ("iso-a", "iso-b")
    targets = {}
    for name in names:
        shared.api.put(f"/v1/tenants/{name}", {"name": name, "dialect": "standard"}).expect(201)
        targets[name] = receiver()
    apis = {name: shared.api.as_tenant(name) for name in names}
    made = {name: register(apis[name], targets[name]) for name in names}
    assert made["iso-a"]["secret"] != made["iso-b"]["secret"]
    event = publish(apis["iso-a"], id="same-id")
    publish(apis["iso-b"], id="same-id", data={"b": 1})
    for name in names:
        assert len(targets[name].wait_for(1)) == 1
        verify(made[name]["secret"], targets[name].requests[0])
        settled(apis[name], 1)
    row = deliveries(apis["iso-a"])[0]
    other = apis["iso-b"]
    assert [hook["id"] for hook in other.pages("/v1/webhooks")] == [made["iso-b"]["id"]]
    assert len(other.pages("/v1/events")) == 1 and len(deliveries(other)) == 1
    publish(other, id="only-b")
    problem(apis["iso-a"].get("/v1/events/only-b"), 404)
    targets["iso-b"].wait_for(2)
    for answer in (other.get(f"/v1/deliveries/{row['id']}"), other.post(f"/v1/deliveries/{row['id']}/retry"),
                   other.get(f"/v1/webhooks/{made['iso-a']['id']}/deliveries"),
                   other.get(f"/v1/webhooks/{made['iso-a']['id']}/secret"),
                   other.post(f"/v1/webhooks/{made['iso-a']['id']}/rotate-secret", {}),
                   other.post(f"/v1/webhooks/{made['iso-a']['id']}/test", {})):
        assert answer.status == 404, answer
    assert deliveries(other, endpoint=made["iso-a"]["id"]) == []
    assert other.get(f"/v1/events/{event['id']}").expect(200).json["data"] == {"b": 1}
    time.sleep(0.2)
    assert [len(targets[name].requests) for name in names] == [1, 2]


def test_operator_events(server, receiver):
    """delivery.failed and endpoint.disabled reach the tenant `operator`, name the tenant, and cause no others."""
    running = server()
    operator, reports, gone = running.api.as_tenant("operator"), receiver(answer=lambda _: 200), receiver(answer=lambda _: 410)
    secret = register(operator, reports)["secret"]
    running.api.put("/v1/tenants/acme", {"name": "x", "dialect": "standard"}).expect(201)
    api = running.api.as_tenant("acme")
    made = register(api, gone)
    event = publish(api)
    requests = reports.wait_for(2)
    told = {}
    for request in requests:
        verify(secret, request)
        body = json.loads(request.body)
        told[body["type"]] = body["data"]
    assert set(told) == {"delivery.failed", "endpoint.disabled"}
    failed, disabled = told["delivery.failed"], told["endpoint.disabled"]
    assert failed["tenant"] == disabled["tenant"] == "acme" and failed["endpoint"] == disabled["endpoint"] == made["id"]
    assert failed["event"] == event["id"] and failed["last_status"] == 410 and failed["attempts"] == 1
    assert failed["delivery"] == deliveries(api)[0]["id"]
    time.sleep(0.3)
    assert len(reports.requests) == 2


def test_reports_about_reports_do_not_loop(server, receiver):
    running = server()
    operator, gone = running.api.as_tenant("operator"), receiver(answer=lambda _: 410)
    made = register(operator, gone)
    operator.post("/v1/events", {"type": "delivery.failed", "data": {}}).expect(202)
    api = running.api
    register(api, gone)
    publish(api)
    eventually(lambda: operator.get(f"/v1/webhooks/{made['id']}").json["disabled"])
    time.sleep(0.5)
    assert len(gone.requests) <= 4


# ---- nobody waits for another ----

def test_a_thousand_silent_endpoints_hold_up_nobody(server, receiver):
    """1,000 hosts that take the connection and never answer, each with events waiting, beside one healthy endpoint in
    another tenant and one in the same: from publishing to arrival the healthy ones do not notice. What waited for a silent one
    would wait for 30 s; the limits leave room for a machine with much else to do."""
    running = server()
    running.api.put("/v1/tenants/other", {"name": "x", "dialect": "standard"}).expect(201)
    api, other, good = running.api, running.api.as_tenant("other"), receiver()
    with Silent() as silent:
        together(lambda n: register(api, silent.url(n), events=["silent"], timeout_seconds=30), range(1000), 8)
        register(api, good.url("/same"), events=["good"])
        register(other, good.url("/other"), events=["good"])
        batch = [{"type": "silent", "data": {}}] * 3
        api.post("/v1/events/batch", batch).expect(202)
        took = {"/same": [], "/other": []}
        arrived = 0
        for n in range(100):
            sender, path = (api, "/same") if n % 2 else (other, "/other")
            begun = time.monotonic()
            publish(sender, type="good")
            arrived += 1
            took[path].append(good.wait_for(arrived, timeout_s=20)[-1].mono - begun)
        for path, times in took.items():
            assert statistics.median(times) < 1.0 and max(times) < 10, (path, statistics.median(times), sorted(times)[-5:])
        assert running.process.poll() is None


def test_a_newcomer_does_not_wait_for_a_thousand_silent_ones(server, receiver):
    """1,000 endpoints that were never tried and never answer want all of 512 slots; an endpoint that is registered then gets
    its first delivery within about a second, not after a time-out, and so does the next."""
    running = server(flags=["--max-in-flight", "512"])
    api, good = running.api, receiver()
    with Silent() as silent:
        together(lambda n: register(api, silent.url(n), events=["silent"], timeout_seconds=30), range(1000), 8)
        api.post("/v1/events/batch", [{"type": "silent", "data": {}}] * 3).expect(202)
        time.sleep(1.5)  # for all of them to have shown that they are silent
        took = []
        for n in range(8):
            register(api, good.url(f"/{n}"), events=[f"new.{n}"])
            begun = time.monotonic()
            publish(api, type=f"new.{n}")
            took.append(good.wait_for(n + 1, timeout_s=20)[-1].mono - begun)
        assert statistics.median(took) < 3.0 and max(took) < 10, took


def test_a_slow_tenant_does_not_hold_up_another_with_few_slots(server, receiver):
    """The same with 64 requests at once in all: silent endpoints may hold half of them, never all."""
    running = server(flags=["--max-in-flight", "64"])
    api, good = running.api, receiver()
    with Silent() as silent:
        together(lambda n: register(api, silent.url(n), events=["silent"], timeout_seconds=30), range(200), 8)
        register(api, good, events=["good"])
        publish(api, type="good")
        good.wait_for(1)
        api.post("/v1/events/batch", [{"type": "silent", "data": {}}] * 5).expect(202)
        time.sleep(0.3)
        took = []
        for n in range(20):
            begun = time.monotonic()
            publish(api, type="good")
            took.append(good.wait_for(n + 2, timeout_s=20)[-1].mono - begun)
        assert statistics.median(took) < 1.0 and max(took) < 10, took


def test_few_open_files_are_shared_out(server, receiver):
    """With 128 open files, 300 silent endpoints leave room for the API and for a healthy endpoint."""
    running = server(files=128)
    api, good = running.api, receiver()
    with Silent() as silent:
        together(lambda n: register(api, silent.url(n), events=["silent"], timeout_seconds=30), range(300), 4)
        register(api, good, events=["good"])
        publish(api, type="good")
        good.wait_for(1)
        api.post("/v1/events/batch", [{"type": "silent", "data": {}}] * 3).expect(202)
        time.sleep(0.5)
        for n in range(5):
            begun = time.monotonic()
            fresh = Api(running.port, running.admin_key)
            publish(fresh, type="good")
            fresh.close()
            assert good.wait_for(n + 2)[-1].mono - begun < 10
        assert "too many open files" not in running.text()


# ---- tests, and endpoints that are no more ----

def listed(api, path, **query):
    return api.get(path + "?" + "&".join(f"{k}={v}" for k, v in query.items())).expect(200).json["data"]


def test_tests_are_marked_and_left_out(server, receiver):
    """A test says so wherever it is seen, is in no list, count or replay that does not ask for it, and stays one when retried."""
    at = server()
    api, target = at.api, receiver()
    made = register(api, target)
    one = api.post(f"/v1/webhooks/{made['id']}/test", {}).expect(202).json
    assert one["test"] is True
    real = publish(api)
    typed = publish(api, type="webhook.test")  # by its type, whoever publishes it
    settled(api, 1)
    settled(api, 3, include_tests="true")
    api.post(f"/v1/deliveries/{one['id']}/retry").expect(202)
    eventually(lambda: detail(api, one["id"])["attempt_count"] == 2)
    for _ in range(2):
        assert [row["id"] for row in listed(api, "/v1/events", limit=1000)] == [real["id"]]
        assert [row["event"] for row in deliveries(api)] == [real["id"]]
        assert [row["event"] for row in listed(api, f"/v1/webhooks/{made['id']}/deliveries", limit=9)] == [real["id"]]
        events = listed(api, "/v1/events", include_tests="true")
        assert [row.get("test") for row in events] == [True, None, True] and events[0]["id"] == typed["id"]
        rows = deliveries(api, include_tests="true")
        assert [row.get("test") for row in rows] == [True, None, True] and rows[2]["id"] == one["id"]
        shown = detail(api, one["id"])
        assert shown["test"] is True and [a["test"] for a in shown["attempts"]] == [True, True]
        assert "test" not in detail(api, rows[1]["id"]) and "test" not in detail(api, rows[1]["id"])["attempts"][0]
        assert api.get(f"/v1/events/{shown['event']}").json["test"] is True
        assert [row["id"] for row in deliveries(api, event=shown["event"])] == [one["id"]]  # asked for by name
        at.stop()
        at.start()
        api = at.api
    problem(api.get("/v1/events?include_tests=yes"), 400)
    counted = api.post(f"/v1/webhooks/{made['id']}/replay", {"since": "2020-01-01T00:00:00Z", "dry_run": True}).expect(202).json
    assert counted["matched"] == 1


def test_tests_are_counted_apart(server, receiver):
    at = server()
    made = register(at.api, receiver(answer=lambda _: 500))
    for _ in range(3):
        at.api.post(f"/v1/webhooks/{made['id']}/test", {}).expect(202)
    settled(at.api, 3, status="failed", include_tests="true")
    text = at.api.get("/metrics").body.decode()
    assert 'tenterhook_tests_total{outcome="failed"} 3' in text
    for name in ("events_accepted_total", "deliveries_created_total", 'attempts_total{outcome="failed_status"}',
                 'deliveries_failed_total{reason="exhausted"}'):
        assert f"tenterhook_{name} 0\n" in text, name


@pytest.mark.parametrize("dialect", CREATE)
def test_a_test_may_be_of_the_type_for_tests(server, receiver, dialect):
    at = server()
    at.api.put("/v1/tenants/t", {"name": "t", "dialect": dialect}).expect(201)
    api, target = at.api.as_tenant("t"), receiver()
    made = api.post("/v1/webhooks", {"callbackUrl" if dialect == "tsanet" else "url": target.url(), **CREATE[dialect]}).json
    api.post(f"/v1/webhooks/{made['id']}/test", {"type": "webhook.test"}).expect(200, 202)
    target.wait_for(1)
    row = settled(api, 1, include_tests="true")[0]
    assert row["event_type"] == "webhook.test" and row["test"] is True


@pytest.mark.parametrize("dialect", CREATE)
def test_deliveries_say_their_endpoint_when_it_is_no_more(server, receiver, dialect):
    at = server()
    at.api.put("/v1/tenants/t", {"name": "t", "dialect": dialect}).expect(201)
    at.api.put("/v1/tenants/other", {"name": "o", "dialect": dialect}).expect(201)
    api, target = at.api.as_tenant("t"), receiver()
    body = {"callbackUrl" if dialect == "tsanet" else "url": target.url(), **CREATE[dialect]}
    gone, kept = (str(api.post("/v1/webhooks", body).json["id"]) for _ in range(2))
    event = {"type": "note.created" if dialect == "tsanet" else "task.created", "data": {"id": 1}}
    if dialect == "tiro":
        event |= {"resource_type": "Note", "resource_id": "n1"}
    made = api.post("/v1/events", event).expect(202).json["id"]
    settled(api, 2)
    api.delete(f"/v1/webhooks/{gone}").expect(204)
    for _ in range(2):
        assert {row["endpoint"] for row in deliveries(api)} == {gone, kept}
        rows = deliveries(api, endpoint=gone)
        assert [row["endpoint"] for row in rows] == [gone] and detail(api, rows[0]["id"])["endpoint"] == gone
        assert {row["endpoint"] for row in api.get(f"/v1/events/{made}").json["deliveries"]} == {gone, kept}
        assert detail(api, rows[0]["id"])["attempts"][0]["request"]["url"] == target.url()
        assert deliveries(at.api.as_tenant("other"), endpoint=gone) == []
        if dialect in ("standard", "tiro"):  # another time in the same number is nobody's
            assert deliveries(api, endpoint=gone[:4] + ("1" if gone[4] == "0" else "0") + gone[5:]) == []
        at.stop()
        at.start()
        api = at.api.as_tenant("t")


def test_a_rate_limit_holds_in_every_second(server, receiver):
    """Ten a second are ten in any second, also in the first one, through a kill and where a retry by hand waits; and it is
    used: one every tenth of a second."""
    running = server()
    target = receiver(answer=lambda request: 500 if b"fail" in request.body else 200)
    register(running.api, target, rate_limit_per_second=10)
    running.api.post("/v1/events/batch", [{**EVENT, "data": {"fail": 1}}] + [{**EVENT, "data": {"n": n}} for n in range(34)]).expect(202)
    target.wait_for(15)
    waiting = settled(running.api, 1, status="retrying")[0]
    running.api.post(f"/v1/deliveries/{waiting['id']}/retry").expect(202)
    target.wait_for(20)
    running.kill()
    running.start()
    settled(running.api, 34)
    starts = sorted(datetime.datetime.fromisoformat(attempt["time"]).timestamp()
                    for row in deliveries(running.api) for attempt in detail(running.api, row["id"])["attempts"])
    fullest = max(sum(first <= at < first + 0.999 for at in starts) for first in starts)  # they are in whole milliseconds
    assert 8 <= fullest <= 10, [round(at - starts[0], 3) for at in starts]
    received = [request.mono for request in target.requests]
    assert max(sum(first <= at < first + 0.9 for at in received) for first in received) <= 11
