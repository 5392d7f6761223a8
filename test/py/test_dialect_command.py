"""The commands for dialect files, the vectors of every built-in dialect, and what a broken file may not do: start a server,
or replace a good one.
"""
import json
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from harness.expect import eventually, settled
from harness.receiver import Receiver
from harness.server import ROOT, Server, binary_path, clean_env

DIALECTS = sorted(file.stem for file in (ROOT / "dialects").glob("*.yaml"))
GOOD = """about: A test
body: {envelope: passthrough}
secret: {form: text, min: 16}
retry: {delays: [10, 60, 300]}
success: {statuses: [2xx]}
timeout: {total: 20}
signatures:
  - {header: X-Signature, algorithm: hmac-sha256, key: utf8, content: "{body}", encoding: hex, item: "sha256={sig}"}
"""


def dialect(*arguments, status=0):
    """Runs the command; gives (stdout, stderr)."""
    made = subprocess.run([binary_path(), "dialect", *map(str, arguments)], capture_output=True, text=True, check=False,
                          env=clean_env(), timeout=60)
    assert made.returncode == status, (made.returncode, made.stdout, made.stderr)
    return made.stdout, made.stderr


# ---- list, show ----

def test_list():
    out, _ = dialect("list")
    assert sorted(line.split()[0] for line in out.splitlines()) == DIALECTS
    rows = json.loads(dialect("list", "--json")[0])
    assert sorted(row["name"] for row in rows) == DIALECTS and all(row["about"] and row["attempts"] >= 1 for row in rows)


def test_list_with_a_folder(tmp_path):
    (tmp_path / "own.yaml").write_text(GOOD)
    (tmp_path / "standard.yaml").write_text(GOOD.replace("A test", "In its place"))
    rows = {row["name"]: row["about"] for row in json.loads(dialect("list", "--json", "--dialects", tmp_path)[0])}
    assert rows["own"] == "A test" and rows["standard"] == "In its place" and len(rows) == len(DIALECTS) + 1


def test_show():
    out, _ = dialect("show", "techwriter")
    lines = dict(line.split(": ", 1) for line in out.splitlines())
    assert lines["retry.delays[0]"] == "5" and lines["timeout.max"] == "300" and lines["secret.overlap_seconds"] == '"until_revoked"'
    shown = json.loads(dialect("show", "techwriter", "--json")[0])
    assert shown["name"] == "techwriter" and shown["retry"]["delays"] == [5, 30, 300, 1800]


def test_show_of_a_file(tmp_path):
    (tmp_path / "own.yaml").write_text(GOOD)
    assert json.loads(dialect("show", tmp_path / "own.yaml", "--json")[0])["name"] == "own"
    assert "no dialect" in dialect("show", "own", status=1)[1]


# ---- check ----

def test_check(tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text(GOOD)
    assert dialect("check", file)[0] == f"{file}: valid: own\n"
    assert dialect("check", *sorted((ROOT / "dialects").glob("*.yaml")))[0].count(": valid: ") == len(DIALECTS)


@pytest.mark.parametrize("old, new, line, key, what", [
    ("body:", "bdy:", 2, "bdy", "unknown key"),
    ("form: text", "form: txt", 3, "secret.form", "unknown value"),
    ("min: 16", "min: many", 3, "secret.min", "whole number"),
    ("60, 300", "60, -1", 4, "retry.delays[2]", "whole number"),
    ("2xx", "6xx", 5, "success.statuses[0]", "status"),
    ("total: 20", "total: 20, total: 30", 6, "total", "twice"),
    ("{body}\"", "{bdy}\"", 8, "signatures[0].content", "unknown variable {bdy}"),
    ("item: \"sha256={sig}\"", "item: \"sha256\"", 8, "signatures[0].item", "{sig}"),
    ("encoding: hex", "encoding: hex, when: signed", 8, "signatures[0].when", "endpoint.options"),
    ("encoding: hex", "encoding: [", 8, "", ""),
])
def test_check_names_file_line_and_key(tmp_path, old, new, line, key, what):
    file = tmp_path / "own.yaml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new))
    error = dialect("check", file, status=1)[1]
    assert error.startswith(f"{file}:{line}: ") and key in error and what in error, error
    row = json.loads(dialect("check", "--json", file, status=1)[0])[0]
    assert row["valid"] is False and row["file"] == str(file) and row["error"] == error.strip()


# What the tables of keys cannot see: values that contradict each other, or name nothing, or could never work.
@pytest.mark.parametrize("more, key, what", [
    ("api: {fields: {callbackUrl: uri}}", "api.fields.callbackUrl", 'no field "uri"'),
    ("api: {fields: {a: url, b: url}}", "api.fields.b", "another name"),
    ("api: {create_fields: [address]}", "api.create_fields[0]", "not a field"),
    ("api: {fields: {address: url}, create_fields: [url]}", "api.create_fields[0]", "not a field"),
    ("api: {paging: page}", "api.paging", "delivery_page"),
    ("api: {log_rows: attempts}", "api.log_rows", "delivery_page"),
    ("api: {page_size: 9, page_size_max: 5}", "api.page_size", "page_size_max"),
    ("api: {shapes: {endpoint: []}}", "api.shapes.endpoint", "at least one"),
    ("api: {shapes: {endpoint: [{name: id, from: nope}]}}", "api.shapes.endpoint[0].from", "unknown source"),
    ("api: {shapes: {endpoint: [{name: id, from: id, map: {a: [1]}}]}}", "api.shapes.endpoint[0].map.a", "scalar"),
    ("api: {shapes: {endpoint: [{name: id, from: id, map: {}}]}}", "api.shapes.endpoint[0].map", "at least one"),
    ("auth: {header: Authorization, value: Bearer}", "auth.value", "{secret}"),
    ("auth: {header: X-Signature, value: '{secret}'}", "auth.header", "twice"),
    ("catalogue: {closed: true}", "catalogue.closed", "needs types"),
    ("catalogue: {types: [{type: a b}]}", "catalogue.types[0]", "full stops"),
    ("disable: {statuses: [200]}", "disable.statuses", "success.statuses"),
    ("endpoint: {options: {a b: true}}", "endpoint.options", "a name must be"),
    ("exhausted: {event: a b}", "exhausted.event", "not an event type"),
    ("exhausted: {degraded_after: 9}", "exhausted.degraded_after", "last attempt"),
    ("ids: {event: {form: integer}}", "ids.event.form", "no integer"),
    ("ids: {endpoint: {prefix: a.b}}", "ids.endpoint.prefix", "A-Z"),
    ("request: {method: post}", "request.method", "capital"),
    ("request: {headers: [{name: A b, value: x}]}", "request.headers[0].name", "no header name"),
    ("request: {headers: [{name: A, value: x}, {name: a, value: y}]}", "request.headers[1].name", "twice"),
    ('request: {user_agent: "a\\nb"}', "request.user_agent", "cannot carry"),
])
def test_check_of_what_cannot_work(tmp_path, more, key, what):
    file = tmp_path / "own.yaml"
    file.write_text(GOOD + more + "\n")
    error = dialect("check", file, status=1)[1]
    assert error.startswith(f"{file}:9: {key}: ") and what in error, error


@pytest.mark.parametrize("old, new, line, key, what", [
    ("[2xx]", "[]", 5, "success.statuses", "at least one"),
    ("2xx", "1xx", 5, "success.statuses[0]", "from 200 to 599"),
    ("[10, 60, 300]", "[10], final: [2xx]", 4, "retry.final", "200 is among success.statuses"),
    ("[10, 60, 300]", "[10], retry_after: {statuses: [429]}", 4, "retry.retry_after.max_seconds", "required"),
    ("total: 20", "total: 20, min: 1", 6, "timeout.max", "must both be given"),
    ("total: 20", "total: 20, min: 1, max: 5", 6, "timeout.total", "between"),
    ("min: 16", "min: 16, max: 8", 3, "secret.min", "above max"),
    ("min: 16", "min: 100, max: 120, generated_bytes: 16", 3, "secret.generated_bytes", "too short"),
    ("form: text", "form: hex, generated_form: base64", 3, "secret.generated_bytes", "hex digits"),
    ("passthrough", "[]", 2, "body.envelope", "at least one"),
    ("passthrough", "[{name: a, from: /x~2}]", 2, "body.envelope[0].from", "JSON pointer"),
    ('"{body}"', '""', 8, "signatures[0].content", "empty"),
    ("X-Signature", "Host", 8, "signatures[0].header", "transport"),
    ('"sha256={sig}"', '"{sig} "', 8, "signatures[0].item", "white space"),
    ("key: utf8", "key: whsk", 8, "signatures[0].key", "kind"),
    ("encoding: hex", 'encoding: hex, join: ""', 8, "signatures[0].join", "must not be empty"),
    ("passthrough", "[{name: , from: data}]", 2, "body.envelope[0].name", "must not be empty"),
])
def test_check_names_the_line_of_what_cannot_work(tmp_path, old, new, line, key, what):
    test_check_names_file_line_and_key(tmp_path, old, new, line, key + ": ", what)


def test_every_request_field_can_be_renamed(tmp_path, shared):
    """What `api.fields` takes is what the API reads."""
    schemas = shared.api.get("/openapi.json").expect(200).json["components"]["schemas"]
    fields = list(schemas["WebhookNew"]["properties"])
    file = tmp_path / "own.yaml"
    file.write_text(GOOD + "api: {fields: {" + ", ".join(f"their_{name}: {name}" for name in fields) + "}}\n")
    dialect("check", file)
    assert len(fields) >= 12


@pytest.mark.parametrize("name", ["own.yml", "my own.yaml", "a.b.yaml", "x" * 65 + ".yaml"])
def test_names_of_files(tmp_path, name):
    (tmp_path / name).write_text(GOOD)
    for arguments in (["check", tmp_path / name], ["list", "--dialects", tmp_path]):
        assert f"{tmp_path / name}: must be named NAME.yaml" in dialect(*arguments, status=1)[1]
    (tmp_path / name).rename(tmp_path / "own_2-A.yaml")
    assert "own_2-A" in dialect("list", "--dialects", tmp_path)[0]


def test_a_file_without_a_line(tmp_path):
    for name, text in (("empty", ""), ("comment", "# nothing\n")):
        file = tmp_path / f"{name}.yaml"
        file.write_text(text)
        assert dialect("check", file, status=1)[1].startswith(f"{file}:1: body: is required")


def test_check_of_what_is_not_there(tmp_path):
    assert "No such file" in dialect("check", tmp_path / "none.yaml", status=66)[1]
    assert str(tmp_path) in dialect("check", tmp_path, status=66)[1]
    for arguments in (["show", tmp_path / "none.yaml"], ["vectors", tmp_path / "none.json"], ["diff", "standard", tmp_path / "none.yaml"],
                      ["list", "--dialects", tmp_path / "none"]):
        assert "No such file" in dialect(*arguments, status=66)[1]
    (tmp_path / "bad.yaml").write_text("nothing: 1\n")
    dialect("check", tmp_path / "bad.yaml", tmp_path / "none.yaml", tmp_path / "bad.yaml", status=66)


@pytest.mark.parametrize("arguments", [["show"], ["show", "a", "b"], ["check"], ["vectors"], ["diff", "standard"],
                                       ["diff", "a", "b", "c"], ["list", "x"], ["list", "--unknown"], ["check", "--dialects"]])
def test_wrong_usage(arguments):
    assert "tenterhook" in dialect(*arguments, status=64)[1]


# What each vendor documents: delays (or only how many and how long in all), success, seconds to answer.
DOCUMENTED = {
    "github": ([], ["2xx"], 10),
    "stripe": ((10, 259200), ["2xx"], 20),
    "shopify": ((8, 14400), ["2xx"], 5),
    "slack": ([1, 60, 300], ["2xx"], 3),
    "square": ((11, 86400), ["2xx"], 10),
    "zoom": ([300, 1200, 3600], ["200", "204"], 3),
    "linear": ([60, 3600, 21600], ["200"], 5),
    "gitlab": ([], ["2xx"], 10),
    "discord": ((7, 600), ["204"], 3),
    "svix": ([5, 300, 1800, 7200, 18000, 36000, 36000], ["2xx"], 15),
    "cloudevents": ([5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400], ["2xx"], 20),
    "cloudevents-structured": ([5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400], ["2xx"], 20),
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_schedule(name):
    delays, success, seconds = DOCUMENTED[name]
    shown = json.loads(dialect("show", name, "--json")[0])
    if isinstance(delays, tuple):  # so many retries, spread over at most so long, the last ones near its end
        count, longest = delays
        assert len(shown["retry"]["delays"]) == count and 0.85 * longest <= sum(shown["retry"]["delays"]) <= 1.05 * longest
        assert shown["retry"]["delays"] == sorted(shown["retry"]["delays"])
    else:
        assert shown["retry"]["delays"] == delays
    assert shown["success"]["statuses"] == success and shown["timeout"]["total"] == seconds


# ---- vectors ----

@pytest.mark.parametrize("name", DIALECTS)
def test_vectors(name):
    out, _ = dialect("vectors", ROOT / "dialects" / "vectors" / f"{name}.json")
    passed, failed = map(int, re.fullmatch(r"(\d+) passed, (\d+) failed", out.splitlines()[-1]).groups())
    cases = json.loads((ROOT / "dialects" / "vectors" / f"{name}.json").read_text())["wire"]
    assert passed == len(cases) and failed == 0
    assert cases and all(case["expected"]["request"] and case["fixed_by"] for case in cases)


def test_every_change_fails_a_vector(tmp_path):
    """A vector that no change of its expectation can fail would say nothing."""
    document = json.loads((ROOT / "dialects" / "vectors" / "slack.json").read_text())
    request = document["wire"][1]["expected"]["request"]
    for old, new in (("POST /hooks", "PUT /hooks"), ("Slackbot", "Slackbat"), ("v0=c", "v0=d"), ("app_mention", "app_mentiom"),
                     ("X-Slack-Signature", "x-slack-signature"), ("Content-Length: 2", "Content-Length: 3")):
        assert old in request, old
        document["wire"][1]["expected"]["request"] = request.replace(old, new, 1)
        file = tmp_path / "slack.json"
        file.write_text(json.dumps(document, ensure_ascii=False))
        out, _ = dialect("vectors", file, status=1)
        assert "FAIL event: request, line " in out and out.endswith("2 passed, 1 failed\n"), out
    row = json.loads(dialect("vectors", "--json", file, status=1)[0])[0]
    assert [case["passed"] for case in row["cases"]] == [True, False, True] and "line" in row["cases"][1]["why"]


@pytest.mark.parametrize("text, what", [
    ("{", ":1: "), ("[]", '"dialect"'), ('{"dialect":"standard"}', '"wire"'), ('{"dialect":"nobody","wire":[]}', "no dialect"),
])
def test_no_vectors(tmp_path, text, what):
    file = tmp_path / "v.json"
    file.write_text(text)
    error = dialect("vectors", file, status=1)[1]
    assert error.startswith(f"{file}:") and what in error, error


@pytest.mark.parametrize("inputs, why", [
    ({}, "attempt"),
    ({"attempt": {"at_unix": 1}}, "event or endpoint"),
    ({"attempt": {"at_unix": 1}, "event": {"type": "a", "data": {}}, "endpoint": {"url": "nowhere"}, "secrets": [{"value": "x" * 32}]}, "url"),
    ({"attempt": {"at_unix": 1}, "event": {"type": "a", "data": {}}, "endpoint": {"url": "https://a.example/"}}, "no secret"),
    ({"attempt": {"at_unix": 1}, "event": {"type": "a", "data": {}}, "endpoint": {"url": "https://a.example/", "options": {"x": True}}}, "option"),
    ({"attempt": {"at_unix": "soon"}, "event": {}, "endpoint": {}}, "whole number"),
])
def test_wrong_inputs_fail_their_case(tmp_path, inputs, why):
    (tmp_path / "own.yaml").write_text(GOOD)
    file = tmp_path / "v.json"
    file.write_text(json.dumps({"dialect": "own", "wire": [{"name": "it", "inputs": inputs, "expected": {"body": "{}"}}]}))
    out, _ = dialect("vectors", file, "--dialects", tmp_path, status=1)
    assert out.startswith("FAIL it: ") and why in out, out


# ---- diff ----

def test_diff(tmp_path):
    file = tmp_path / "standard.yaml"
    shutil.copy(ROOT / "dialects" / "standard.yaml", file)
    assert dialect("diff", "standard", file) == ("", "")
    file.write_text(file.read_text().replace("total: 20", "total: 25"))
    assert dialect("diff", "standard", file, status=1)[0] == "timeout.total: 20 | 25\n"
    assert json.loads(dialect("diff", "standard", file, "--json", status=1)[0]) == [{"key": "timeout.total", "a": 20, "b": 25}]
    keys = {row["key"] for row in json.loads(dialect("diff", "standard", "svix", "--json", status=1)[0])}
    assert "signatures[0].header" in keys and "signatures[0].content" not in keys
    assert "no dialect" in dialect("diff", "standard", "nobody", status=1)[1]


# ---- the document's example ----

def test_the_documents_example(tmp_path):
    """The file and the vector that docs/dialects.md builds step by step are valid, and pass."""
    text = (ROOT / "docs" / "dialects.md").read_text()
    blocks = re.findall(r"```(yaml|json)\n(.*?)```", text, re.S)
    yaml = [body for kind, body in blocks if kind == "yaml" and body.startswith("about:")]
    vectors = [body for kind, body in blocks if kind == "json" and '"wire"' in body]
    assert len(yaml) == 1 and len(vectors) == 1
    name = json.loads(vectors[0])["dialect"]
    (tmp_path / f"{name}.yaml").write_text(yaml[0])
    (tmp_path / f"{name}.json").write_text(vectors[0])
    dialect("check", tmp_path / f"{name}.yaml")
    assert dialect("vectors", tmp_path / f"{name}.json", "--dialects", tmp_path)[0].endswith("1 passed, 0 failed\n")


# ---- the server ----

def test_a_broken_file_never_starts_the_server(tmp_path):
    folder = tmp_path / "dialects"
    folder.mkdir()
    (folder / "own.yaml").write_text(GOOD.replace("2xx", "2xy"))
    made = subprocess.run([binary_path(), "serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "data", "--dialects", folder],
                          capture_output=True, text=True, check=False, env=clean_env(), timeout=60)
    assert made.returncode == 64 and f"{folder}/own.yaml:5: success.statuses[0]: " in made.stderr, (made.returncode, made.stderr)
    assert not (tmp_path / "data").exists(), "nothing was begun"


def test_a_broken_file_never_replaces_a_good_one(tmp_path):
    """After SIGHUP with a broken file the old dialect goes on as a whole, even where the file was changed in its good parts;
    the corrected file takes its place without a restart."""
    folder = tmp_path / "dialects"
    folder.mkdir()
    file = folder / "own.yaml"
    file.write_text(GOOD)
    with Receiver() as receiver, Server(tmp_path / "server", flags=["--dialects", str(folder)]) as server:
        server.api.put("/v1/tenants/t", {"name": "t", "dialect": "own"}).expect(201)
        api = server.api.as_tenant("t")
        api.post("/v1/webhooks", {"url": receiver.url(), "events": ["a.b"], "secret": "0123456789abcdef"}).expect(201)

        def header_of_next(count):
            api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
            return [name for name, _ in receiver.wait_for(count)[-1].headers if name.startswith("X-")]

        assert header_of_next(1) == ["X-Signature"]
        renamed = GOOD.replace("X-Signature", "X-Renamed")
        for broken in (renamed.replace("total: 20", "totl: 20"), renamed[:-30], "", "\0", renamed + "body: {}\n"):
            file.write_text(broken)
            before = server.text().count("own.yaml")
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda: server.text().count("own.yaml") > before, 10, "the refusal in the log")
            assert server.api.get("/v1/dialects/own").expect(200).json["signatures"][0]["header"] == "X-Signature"
        (folder / "other.yaml").write_text(GOOD)
        file.unlink()
        (folder / "own.yaml").mkdir()
        server.process.send_signal(signal.SIGHUP)
        assert header_of_next(2) == ["X-Signature"]
        (folder / "own.yaml").rmdir()
        file.write_text(renamed)
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: server.api.get("/v1/dialects/own").json["signatures"][0]["header"] == "X-Renamed", 10, "the new file")
        assert header_of_next(3) == ["X-Renamed"]
        assert pathlib.Path(folder / "other.yaml").exists() and server.api.get("/v1/dialects/other").status == 200


def test_a_delivery_that_cannot_be_written_any_more_ends_and_says_why(tmp_path):
    """Between two attempts the tenant gets an attribute that the dialect's header cannot carry: the attempts are recorded with
    the reason, use up the schedule, and say nothing against the endpoint."""
    folder = tmp_path / "dialects"
    folder.mkdir()
    (folder / "own.yaml").write_text(GOOD.replace("[10, 60, 300]", "[2, 1]")
                                     + 'request: {headers: [{name: X-Source, value: "{tenant.attributes.source}"}]}\n')
    with Receiver(answer=lambda _: 500) as receiver, Server(tmp_path / "server", flags=["--dialects", str(folder)]) as server:
        tenant = {"name": "t", "dialect": "own", "attributes": {"source": "here"}}
        server.api.put("/v1/tenants/t", tenant).expect(201)
        api = server.api.as_tenant("t")
        made = api.post("/v1/webhooks", {"url": receiver.url(), "events": ["a.b"], "secret": "0123456789abcdef"}).expect(201).json
        event = api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202).json
        assert receiver.wait_for(1)[0].header("X-Source") == "here"
        server.api.put("/v1/tenants/t", {**tenant, "attributes": {"source": "über"}}).expect(200)

        def failed():
            rows = api.get(f"/v1/deliveries?event={event['id']}").expect(200).json["data"]
            return [row for row in rows if row["status"] == "failed"]

        row = eventually(failed, 30, "the end of the delivery")[0]
        attempts = api.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"]
        unsent = [attempt for attempt in attempts if attempt["outcome"] == "internal_error"]
        assert row["reason"] == "exhausted" and len(attempts) == 3 and unsent
        assert len(receiver.requests) == 3 - len(unsent)
        for attempt in unsent:
            assert attempt["status"] is None and "no request was made" in attempt["detail"] and "X-Source" in attempt["detail"]
        assert not api.get(f"/v1/webhooks/{made['id']}").expect(200).json["disabled"]


# ---- a dialect that brings a template and a form ----

def test_the_example_with_a_template():
    folder = ROOT / "examples" / "dialects"
    files = list(folder.glob("*.yaml"))
    assert files
    for file in files:
        dialect("check", file)
        assert dialect("vectors", file.with_suffix(".json"), "--dialects", folder)[0].endswith("1 passed, 0 failed\n")


def test_it_is_sent_and_shown_so(server, receiver):
    api = server(flags=["--dialects", str(ROOT / "examples" / "dialects")]).api
    api.put("/v1/tenants/acme", {"name": "Acme", "dialect": "chat"}).expect(201)
    acme, target = api.as_tenant("acme"), receiver()
    for more, body in (({}, b"text=order+17+is+PAID&event%5Btype%5D=order.changed&event%5Bid%5D=own-1"),
                       ({"template": {"n": {"$": "$.data.order"}}}, b"n=17"), ({"body_format": "form", "method": "POST"}, None)):
        made = acme.post("/v1/webhooks", {"url": target.url(), "events": ["order.changed"], **more}).expect(201).json
        event = acme.post("/v1/events", {"type": "order.changed", "id": f"own-{len(target.requests) + 1}",
                                         "data": {"order": 17, "status": "paid"}}).expect(202).json["id"]
        target.wait_for(int(event[4:]))
        request = target.requests[-1]
        body = body or b"text=order+17+is+PAID&event%5Btype%5D=order.changed&event%5Bid%5D=own-3"
        assert request.body == body and request.header("Content-Type") == "application/x-www-form-urlencoded"
        assert request.method == more.get("method", "PUT")
        settled(acme, int(event[4:]))
        row = acme.get(f"/v1/deliveries?event={event}").expect(200).json["data"][0]
        sent = acme.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][0]["request"]
        assert sent["body"] == body.decode() and sent["headers"]["Content-Type"] == "application/x-www-form-urlencoded"
        acme.delete(f"/v1/webhooks/{made['id']}").expect(204)
