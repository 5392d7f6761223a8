"""The commands as a stranger uses them: the real program against a real server, with exit statuses and output."""
import fcntl
import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

from harness.command import KEY, tenterhook
from harness.expect import eventually
from harness.receiver import Reply
from harness.server import ROOT, binary_path, clean_env

# ---- arguments, help and what is made from the table ----

def test_help_lists_every_command_and_the_exit_statuses():
    text = tenterhook("help").expect(0).out
    for word in ("serve", "send TYPE", "endpoints create URL", "replay start ENDPOINT", "exit status", "69"):
        assert word in text
    assert tenterhook().expect(0).out == text == tenterhook("--help").expect(0).out


def test_every_command_describes_itself_in_three_ways():
    names = {line.split()[0] for line in tenterhook("help").out.split("\nexit status")[0].splitlines()
             if line.startswith("  ") and line.strip() and not line.startswith("   ")}
    assert {"serve", "send", "keys", "help"} <= names
    for name in names:
        assert f"tenterhook {name}" in tenterhook("help", name).expect(0).out
        assert tenterhook(name, "--help").expect(0).out.startswith("usage: tenterhook " + name)
        page = f"tenterhook-{name}".replace("-", "\\-")
        assert page in tenterhook("help", name, "--man").expect(0).out


def test_help_is_in_groups_and_has_an_example_of_each_command():
    text = tenterhook("help").expect(0).out
    assert text.index("start here:") < text.index("  dev ") < text.index("running the server:") < text.index("  serve ")
    assert "others:" not in text, "a new command belongs to a group of cli_examples.c"
    rows = tenterhook("help", "--json").json
    assert len(rows) > 25
    for row in rows:
        name = [row["name"]] + ([row["verb"]] if row["verb"] else [])
        assert row["example"] and row["example"].count("tenterhook "), name
        assert f"example:\n  {row['example']}\n" in tenterhook("help", *name).expect(0).out
        # the example is of this command, and its options are
        words = row["example"].split(" | ")[-1].split()
        assert words[1] == row["name"] and (row["verb"] in (None, (words + [""])[2]) or row["verb"] in ("list", "start")), row["example"]
        known = {option["name"] for option in row["options"]}
        assert {word for word in words if word.startswith("--")} <= known or row["name"] == "serve", row["example"]


def test_fields_and_ids_without_a_program_that_takes_json_apart(cli, receiver):
    endpoint = cli("endpoints", "create", receiver().url(), "--quiet").expect(0).out.strip()
    assert endpoint.startswith("we_") and cli("endpoints", "--quiet").out == endpoint + "\n"
    secret = cli("secrets", "show", endpoint, "--field", "secret").expect(0).out.strip()
    assert secret.startswith("whsec_") and secret == cli("secrets", "show", endpoint, "--field", "secrets.0.secret").out.strip()
    other = cli("endpoints", "create", receiver().url(), "--field", "secret", "--set", "description=\"x\"").expect(0).out.strip()
    assert other.startswith("whsec_") and other != secret
    event = cli("send", "a.b", "--quiet").expect(0).out.strip()
    assert event.startswith("msg_")
    eventually(lambda: cli("deliveries", "--status", "delivered", "--quiet").out.count("dlv_") == 2)
    assert cli("deliveries", "--field", "status", "--field", "event").expect(0).out.split() == ["delivered"] * 2 + [event] * 2
    assert cli("deliveries", "--field", "last_attempt.status").expect(0).out.split() == ["200", "200"]
    assert cli("endpoints", "show", endpoint, "--field", "disabled").expect(0).out == "\n"
    assert cli("events", "--type", "no.such", "--field", "id").expect(0).out == ""
    wrong = cli("endpoints", "show", endpoint, "--field", "ulr").expect(1)
    assert "no such member" in wrong.err and "url" in wrong.err and not wrong.err.startswith("{")
    assert cli("endpoints", "--field", "ulr").expect(1).out == ""
    assert cli("endpoints", "update", endpoint, "--field", 'description="as before"', "--field", "description").expect(0).out == "as before\n"
    assert tenterhook("version", "--field", "version").expect(0).out.count(".") == 2
    key = cli("keys", "create", "default", "--scope", "webhooks:read", "--field", "key").expect(0).out.strip()
    assert key.startswith("th_key_")
    assert cli("endpoints", "delete", endpoint, "--yes", "--quiet").expect(0).out == ""


@pytest.mark.parametrize("args, word", [
    (("endpoints", "create", "http://127.0.0.1:8421/x", "--timeout", "0"), "--timeout: "),
    (("endpoints", "create", "http://127.0.0.1:8421/x", "--rate-limit", "-1"), "--rate-limit: "),
    (("endpoints", "create", "http://127.0.0.1:8421/x", "--event", "a b"), "--event[0]: "),
    (("endpoints", "create", "http://127.0.0.1:8421/x", "--variant", "none"), "--variant: "),
    (("endpoints", "create", "ftp://x"), "url: "),
    (("endpoints", "create", "http://127.0.0.1:8421/x", "--header", "bad name=x"), "--header.bad name: "),
    (("send", "a b"), "type: "),
    (("send", "a.b", "--id", "a b"), "--id: "),
    (("send", "a.b", "--time", "soon"), "--time: "),
    (("keys", "create", "default", "--scope", "all"), "--scope[0]: "),
    (("tenants", "put", "x", "--dialect", "none"), "--dialect: "),
])
def test_messages_speak_of_options_not_of_pointers(cli, args, word):
    err = cli(*args).expect(1).err
    assert word in err and ": /" not in err and "/v1/" not in err


def test_a_problem_speaks_of_fields_and_keeps_its_pointers(cli):
    problem = cli.api.post("/v1/webhooks", {"url": "http://127.0.0.1:8421/x", "events": ["a b"]}).expect(422).json
    assert problem["detail"].startswith("events[0]: ") and problem["errors"][0]["pointer"] == "/events/0"
    assert cli.api.post("/v1/events/batch", [{"type": "a.b", "data": {}}, {"type": 7, "data": {}}]).expect(422).json["detail"].startswith("[1].type: ")


@pytest.mark.parametrize("args, word", [
    (("sendd", "x"), "did you mean `tenterhook send`"),
    (("send",), "send TYPE"),
    (("send", "a", "{}", "more"), "too many arguments"),
    (("send", "a.b", "--waite"), "did you mean --wait"),
    (("send", "a.b", "--id"), "--id ID"),
    (("send", "a.b", "--wait=1"), "takes no value"),
    (("events", "--limit", "0"), "1 to 1000000"),
    (("events", "--since", "tomorrow"), "2026-04-02T08:00:00Z"),
    (("events", "--since", "25:00"), "14:00"),
    (("events", "--until", "2026-02-30"), "yesterday"),
    (("send", "a.b", "--timeout", "soon", "--wait"), "soon"),
    (("help", "nothing"), "nothing"),
    (("keys", "create", "default"), "events:publish"),
    (("endpoints", "lst"), "did you mean `tenterhook endpoints list`"),
    (("secrets", "rotat", "x"), "did you mean `tenterhook secrets rotate`"),
    (("config", "nothing"), "there are check, show"),
    (("backup", "--dta", "x"), "did you mean --data"),
    (("endpoints", "create", "http://x", "--secret", "x"), "did you mean --secret-file"),
    (("listen", "--address", "here"), "numeric address"),
])
def test_wrong_arguments_are_status_64_and_say_what_to_write(cli, args, word):
    assert word in cli(*args).expect(64).err


def test_an_unknown_command_is_an_error_for_programs_too():
    error = json.loads(tenterhook("sendd", "x", "--json").expect(64).err)
    assert error["exit"] == 64 and "did you mean `tenterhook send`" in error["error"]


def test_help_is_there_for_programs_too():
    rows = {(row["name"], row["verb"]): row for row in tenterhook("help", "--json").expect(0).json}
    options = {option["name"]: option["argument"] for option in rows["endpoints", "create"]["options"]}
    assert options["--event"] == "TYPE" and options["--json"] is None and "--server" in options and "--insecure" in options
    assert "--data" in {option["name"] for option in rows["backup", None]["options"]}
    assert [row["verb"] for row in tenterhook("help", "replay", "cancel", "--json").expect(0).json] == ["cancel"]


def test_packaged_pages_and_completions_are_what_the_table_says(tmp_path):
    """When it fails: tenterhook help --write packaging"""
    tenterhook("help", "--write", tmp_path).expect(0)
    made = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    kept = {path.relative_to(ROOT / "packaging"): path.read_text()
            for folder in ("man", "completions") for path in (ROOT / "packaging" / folder).iterdir()
            if not path.name.endswith(".3")}
    assert made == {name: text for name, text in kept.items() if name in made}
    assert set(made) == {name for name in kept if name.parts[0] == "completions" or name.suffix == ".1"}


@pytest.mark.parametrize("shell, file", [("bash", "tenterhook.bash"), ("zsh", "_tenterhook"), ("fish", "tenterhook.fish")])
def test_completions_print_what_is_packaged(shell, file):
    text = tenterhook("help", "--completion", shell).expect(0).out
    assert text == (ROOT / "packaging" / "completions" / file).read_text()


def test_bash_completes_names_verbs_and_options():
    def complete(*words):
        script = f"source {ROOT}/packaging/completions/tenterhook.bash; COMP_WORDS=({' '.join(words)}); " \
                 f"COMP_CWORD={len(words) - 1}; _tenterhook; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert complete("tenterhook", "endp") == ["endpoints"]
    assert "create" in complete("tenterhook", "endpoints", "cr")
    assert complete("tenterhook", "endpoints", "create", "--rate") == ["--rate-limit"]
    assert complete("tenterhook", "send", "x", "--wa") == ["--wait"]
    assert {"stripe", "standard", "slack"} <= set(complete("tenterhook", "verify", "--dialect", "s"))


def test_completions_keep_the_apostrophes_of_what_they_describe():
    for shell in ("zsh", "fish"):
        text = tenterhook("help", "--completion", shell).expect(0).out
        line = next(line for line in text.splitlines() if "operator" in line and "init" in line)
        quoted = line[line.index("'") if shell == "zsh" else line.index("-d ") + 3:]
        shown = subprocess.run(["sh", "-c", f"printf %s {quoted}"], capture_output=True, text=True, check=True).stdout
        assert "the operator's API key" in shown


@pytest.mark.parametrize("page", sorted((ROOT / "packaging" / "man").glob("*.1")), ids=lambda path: path.name)
def test_manual_pages_are_clean_roff(page):
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)], capture_output=True,
                          text=True, check=False) if pathlib.Path("/usr/bin/man").exists() else None
    if done is None:
        pytest.skip("man is not installed")
    assert done.returncode == 0 and done.stderr == ""


# ---- keys and errors ----

def test_without_a_key_it_says_how_to_give_one(cli):
    ran = cli("events", env={"TENTERHOOK_KEY": ""}).expect(77)
    assert "TENTERHOOK_KEY" in ran.err and "--key-file" in ran.err


def test_keys_come_from_files_standard_input_and_the_environment(cli, tmp_path):
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    file.chmod(0o600)
    without = {"TENTERHOOK_KEY": ""}
    cli("events", "--key-file", file, env=without).expect(0)
    cli("events", "--key-file", "-", env=without, stdin=KEY).expect(0)
    cli("events", env={**without, "TENTERHOOK_KEY_FILE": str(file)}).expect(0)
    file.chmod(0o644)
    assert "chmod 600" in cli("events", "--key-file", file, env=without).expect(0).err
    cli("events", "--key-file", tmp_path / "absent", env=without).expect(66)


def test_a_key_is_no_argument():
    assert "unknown option" in tenterhook("events", "--key", "secret").expect(64).err


def test_no_server_is_status_69(cli):
    cli.server.stop()
    assert "tenterhook serve" in cli("events").expect(69).err


def test_errors_are_json_with_json(cli):
    ran = cli("deliveries", "show", "dlv_nothing", "--json").expect(1)
    assert ran.out == "" and json.loads(ran.err) == {"error": "there is no such delivery", "exit": 1}


def test_what_answers_nothing_is_an_object_with_json(cli):
    made = cli("endpoints", "create", "http://127.0.0.1:9999/x", "--json").json
    assert cli("endpoints", "delete", made["id"], "--yes", "--json").expect(0).json == {}
    cli("tenants", "put", "t", "--dialect", "standard").expect(0)
    key = cli("keys", "create", "t", "--scope", "events:publish", "--json").json
    assert cli("keys", "delete", "t", key["id"], "--yes", "--json").expect(0).json == {}
    assert cli("tenants", "delete", "t", "--yes", "--json").expect(0).json == {}


def test_an_id_is_enough_for_the_operator(cli, receiver):
    """Whatever the dialect of its tenant: field names are those of that tenant, not of default's."""
    for dialect, url in (("tsanet", "callbackUrl"), ("standard", "url")):
        tenant = f"customer_{dialect}"
        cli("tenants", "put", tenant, "--dialect", dialect).expect(0)
        made = cli("endpoints", "create", receiver().url(), "--tenant", tenant, "--json").expect(0).json
        endpoint, new = str(made["id"]), receiver()
        assert cli("endpoints", "update", endpoint, "--url", new.url("/new"), "--json").expect(0).json[url] == new.url("/new")
        cli("endpoints", "pause", endpoint).expect(0)
        assert "paused" in cli("endpoints", "list", "--tenant", tenant).out
        cli("endpoints", "resume", endpoint).expect(0)
        assert str(cli("endpoints", "show", endpoint, "--json").expect(0).json["id"]) == endpoint
        cli("endpoints", "test", endpoint)
        delivery = eventually(lambda: cli("attempts", "--endpoint", endpoint, "--include-tests", "--json").expect(0).json["data"])[0]["delivery"]
        cli("attempts", delivery).expect(0)
        cli("deliveries", "show", delivery).expect(0)
        assert cli("deliveries", "--endpoint", endpoint, "--include-tests", "--json").expect(0).json["data"]
        cli("tail", "--endpoint", endpoint, "--for", "100ms").expect(0)
        cli("replay", endpoint, "--dry-run").expect(0)
        assert f"port {new.port}: connected" in cli("doctor", endpoint).out
        cli("secrets", "rotate", endpoint).expect(0)
        cli("endpoints", "delete", endpoint, "--yes").expect(0)
    assert cli("deliveries", "show", "dlv_1").expect(1).err.startswith("tenterhook: deliveries:")


def test_a_scope_that_is_missing_is_status_77(cli):
    key = cli("keys", "create", "default", "--scope", "events:publish").expect(0).out.strip()
    assert key.startswith("th_key_")
    limited = {"TENTERHOOK_KEY": key}
    cli("send", "a.b", env=limited).expect(0)
    cli("endpoints", env=limited).expect(77)


def test_control_characters_of_others_do_not_reach_the_terminal(cli):
    cli.api.put("/v1/tenants/evil", {"name": "\x1b[2Jgone\u009b1m", "dialect": "standard"}).expect(201)
    out = cli("tenants").expect(0).out
    assert "\x1b" not in out and "\u009b" not in out and "\\x1b[2Jgone" in out
    assert "\\x1b[2Jgone\\xc2\\x9b1m" in out
    assert "gone\\u009b1m" in cli("tenants", "show", "evil", "--json").expect(0).out


UNSEEN = "\u202eevil\u200b\u2066x\u2028y\u2029\ufeff\u061c\u00ad\U000e0041\u2060\ufe0f"


def assert_harmless(text):
    """Nothing that steers a terminal, or is not seen: control characters, bidi, separators, zero width."""
    import unicodedata
    for c in text:
        assert c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp"), (hex(ord(c)), text)
    assert "\ufe0f" not in text


def test_nothing_unseen_of_others_reaches_a_terminal(cli, receiver, terminal, tmp_path):
    """Each place that shows what tenants and receivers said, as text and as JSON, in a pipe and on a terminal."""
    answering = receiver(answer=lambda request: Reply(500, body=f"{UNSEEN}\x1b[2J".encode(), headers=[("X-Evil", UNSEEN.encode().decode("latin-1"))]))
    cli.api.put("/v1/tenants/unseen", {"name": UNSEEN, "dialect": "standard", "attributes": {"a": UNSEEN}}).expect(201)
    endpoint = cli("endpoints", "create", answering.url(), "--description", UNSEEN, "--metadata", f"k={UNSEEN}", "--json").expect(0).json
    assert endpoint["description"] == UNSEEN
    event = cli("send", "order.created", json.dumps({"who": UNSEEN}, ensure_ascii=False), "--json").expect(0).json["id"]
    delivery = eventually(lambda: cli("deliveries", "--json", "--status", "retrying").json["data"])[0]["id"]
    cli("keys", "create", "default", "--scope", "webhooks:read", "--description", UNSEEN).expect(0)
    shown = 0
    for args in (("tenants",), ("tenants", "show", "unseen"), ("endpoints",), ("endpoints", "show", endpoint["id"]), ("keys", "list", "default"),
                 ("events", "show", event), ("attempts", delivery), ("deliveries", "show", delivery), ("tail", "--for", "100ms"),
                 ("export",), ("endpoints", UNSEEN), (UNSEEN,), ("events", "--type", UNSEEN), ("events", "show", UNSEEN),
                 ("send", UNSEEN), ("send", "a", "--set", f"{UNSEEN}.{UNSEEN}={UNSEEN}"), ("tenants", "put", UNSEEN), ("import", UNSEEN)):
        for form in ((), ("--json",)):
            ran = cli(*args, *form)
            assert_harmless(ran.out + ran.err)
            shown += "\\u202e" in ran.out + ran.err
            if form and ran.out and args[0] not in ("tail", "export"):
                assert "\\u202e" not in json.dumps(ran.json, ensure_ascii=False), args
    assert shown > 20
    screen = terminal("attempts", delivery, env={"TENTERHOOK_SERVER": f"http://127.0.0.1:{cli.server.port}", "TENTERHOOK_KEY": KEY})
    text = screen.wait_for("\\u2066x")
    for sequence in ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\r\n"):
        text = text.replace(sequence, "")
    assert_harmless(text)
    (tmp_path / "secret").write_text("whsec_" + "A" * 44)
    for form in ((), ("--json",)):
        with subprocess.Popen([str(binary_path()), "listen", "--port", "0", "--verify", "standard", "--secret-file", str(tmp_path / "secret"),
                               "--headers", "--count", "2", *form], env=clean_env(), stdout=subprocess.PIPE, text=True) as ear:
            first = ear.stdout.readline()
            port = int(first.split("127.0.0.1:")[1].split("\"")[0].strip())
            evil = UNSEEN.encode().decode("latin-1")
            for body in (UNSEEN.encode() + b"\x1b[2J", json.dumps({"type": UNSEEN, UNSEEN: UNSEEN}, ensure_ascii=False).encode()):
                there = http.client.HTTPConnection("127.0.0.1", port)
                there.request("POST", "/hook", body, {"X-Evil": evil, "webhook-id": "m", "webhook-signature": evil})
                there.getresponse().read()
                there.close()
            out = ear.stdout.read()
        assert "\\u202e" in out
        assert_harmless(out)
    request = tmp_path / "request"
    request.write_text(f"POST /{UNSEEN} HTTP/1.1\nwebhook-id: {UNSEEN}\nwebhook-timestamp: {UNSEEN}\nwebhook-signature: v1,{UNSEEN}\n\n{UNSEEN}")
    for command in ("verify", "explain"):
        for form in ((), ("--json",)):
            ran = tenterhook(command, request, "--secret-file", tmp_path / "secret", *form)
            assert_harmless(ran.out + ran.err)


def test_a_table_keeps_its_rows_and_columns_whatever_a_name_has(cli):
    import unicodedata
    for number, name in enumerate(["Acme\nFAKE  row", "\u65e5\u672c\u8a9e", "Zoe\u0308", "tab\there"]):
        cli.api.put(f"/v1/tenants/t{number}", {"name": name}).expect(201)
    lines = cli("tenants").expect(0).out.splitlines()
    rows = [line for line in lines if line.startswith("t")]
    assert len(rows) == 4 and "Acme\\x0aFAKE" in rows[-1] and "tab\\x09here" in rows[0]

    def columns(text):
        return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) == "W" else 1 for c in text)
    assert {columns(line[:line.index("standard")]) for line in rows} == {lines[0].index("DIALECT")}


# ---- sending and looking ----

def test_send_and_wait_until_delivered(cli, receiver):
    target = receiver()
    made = cli("endpoints", "create", target.url(), "--event", "order.*", "--json").expect(0).json
    ran = cli("send", "order.created", '{"id":1,"to":{"name":"x"}}', "--set", "to.name=Zoë", "--set", "a.b=[1,2]", "--wait").expect(0)
    assert "delivered" in ran.out
    body = json.loads(target.requests[0].body)
    assert body["data"] == {"id": 1, "to": {"name": "Zoë"}, "a": {"b": [1, 2]}}
    assert made["id"] in cli("deliveries").expect(0).out
    event = cli("events", "--json").expect(0).json["data"][0]["id"]
    shown = cli("events", "show", event, "--json").expect(0).json
    assert shown["data"] == body["data"]
    delivery = shown["deliveries"][0]["id"]
    text = cli("attempts", delivery).expect(0).out
    assert "webhook-signature" in text and "attempt 1" in text and '"name": "Zoë"' in text
    cli("deliveries", "retry", delivery).expect(0)
    eventually(lambda: len(target.requests) == 2)


def test_send_reads_files_and_standard_input(cli, tmp_path):
    (tmp_path / "data.json").write_text('{"from":"file"}')
    first = cli("send", "a.b", f"@{tmp_path}/data.json", "--id", "own-1", "--json").expect(0).json
    assert first["id"] == "own-1"
    assert cli("events", "show", "own-1", "--json").json["data"] == {"from": "file"}
    cli("send", "a.b", "-", "--id", "own-2", stdin='{"from":"stdin"}').expect(0)
    assert cli("events", "show", "own-2", "--json").json["data"] == {"from": "stdin"}
    cli("send", "a.b", "--id", "own-2").expect(1)
    cli("send", "a.b", f"@{tmp_path}/absent").expect(66)


def test_send_refuses_what_is_no_json_before_sending(cli):
    assert "line 2, column 1" in cli("send", "a.b", '{"a":\n}').expect(65).err
    assert "is not an object" in cli("send", "a.b", '{"a":1}', "--set", "a.b=2").expect(64).err
    assert cli("events", "--json").json["data"] == []


def test_send_says_that_a_list_has_no_such_item(cli):
    assert "has no item \"2\"" in cli("send", "a.b", '{"a":[1,2]}', "--set", "a.2=3").expect(64).err
    assert "is not an object" in cli("send", "a.b", '{"a":1}', "--set", "a.b=3").expect(64).err


def test_an_idempotency_key_gives_the_first_answer(cli):
    first = cli("send", "a.b", "--idempotency-key", "k1", "--json").expect(0).json
    assert cli("send", "a.b", "--idempotency-key", "k1", "--json").expect(0).json == first
    assert len(cli("events", "--json").json["data"]) == 1


def test_send_wait_says_no_when_a_delivery_fails(cli, receiver):
    target = receiver(answer=lambda request: Reply(status=404))
    cli("tenants", "put", "t", "--name", "T", "--dialect", "tiro").expect(0)
    cli("endpoints", "create", target.url(), "--tenant", "t").expect(0)
    ran = cli("send", "note.created", "--sample", "--resource-id", "n1", "--tenant", "t", "--wait").expect(1)
    assert "failed" in ran.out
    assert json.loads(target.requests[0].body)["data"]["resource"] == {"title": "Meeting Note"}


def test_lists_follow_pages(cli):
    for start in range(0, 1200, 600):
        cli.api.post("/v1/events/batch", [{"type": "a.b", "data": n} for n in range(start, start + 600)]).expect(202)
    assert len(cli("events", "--limit", "1100", "--json").expect(0).json["data"]) == 1100
    assert len(cli("events", "--limit", "1100").expect(0).out.splitlines()) == 1101


# ---- endpoints, secrets, replay ----

def test_times_are_taken_as_tables_print_them(cli):
    """In whatever zone the command runs: tables are UTC and say so."""
    import datetime
    cli("endpoints", "create", "http://127.0.0.1:9999/").expect(0)
    cli("keys", "create", "default", "--scope", "webhooks:read").expect(0)
    for number in range(3):
        cli("send", f"a.n{number}").expect(0)
    rows = [line.split() for line in cli("events").expect(0).out.splitlines()[1:]]
    printed = f"{rows[-1][2]} {rows[-1][3]}"  # of the oldest: sending three may take longer than a second
    assert printed.endswith("Z") and cli("events", env={"TZ": "Asia/Tokyo"}).out == cli("events").out

    def found(since, *more):
        return len(cli("events", "--json", "--since", since, *more, env={"TZ": "Asia/Tokyo"}).expect(0).json["data"])
    now = datetime.datetime.now(datetime.timezone.utc)
    hour_ago, hour_on = now - datetime.timedelta(hours=1), now + datetime.timedelta(hours=1)
    for since in (printed, printed.replace("Z", " UTC"), printed.replace("Z", ""), printed.replace(" ", "T"), printed[:16],
                  "yesterday", "yesterday 23:59", now.strftime("%Y-%m-%d"), "today", "1h", hour_ago.strftime("%H:%M"),
                  hour_ago.strftime("%H:%M:%S"), hour_ago.strftime("%H:%MZ"), hour_on.strftime("%H:%M"),
                  hour_ago.astimezone(datetime.timezone(datetime.timedelta(hours=9))).isoformat(timespec="seconds")):
        crossed = since == "today" or since == now.strftime("%Y-%m-%d")
        assert found(since) == 3 or (crossed and now.hour == 23), since
    assert found("1h", "--until", "now") == 3 and found("2d", "--until", "yesterday") == 0
    assert found(hour_on.isoformat(timespec="seconds").replace("+00:00", "Z")) == 0
    for args in (("tenants",), ("deliveries",), ("keys", "list", "default"), ("tail", "--for", "100ms")):
        times = re.findall(r"[0-9]{2}:[0-9]{2}:[0-9]{2}\S*", cli(*args).expect(0).out)
        assert (times or args[0] == "tail") and all(time.endswith("Z") for time in times), (args, times)


def test_lists_say_when_there_is_more(cli):
    for number in range(21):
        cli.api.post("/v1/events", {"type": f"a.n{number}", "data": {}}).expect(202)
    ran = cli("events").expect(0)
    assert len(ran.out.splitlines()) == 21 and "more than these 20" in ran.err and "--limit 200" in ran.err
    assert len(cli("events", "--limit", "200").expect(0).out.splitlines()) == 22 and cli("events", "--limit", "200").err == ""
    assert cli("events", "--limit", "21").err == "" and "--limit 200" in cli("events", "--limit", "20").err
    assert cli("events", "--json").json["more"] is True and cli("events", "--json", "--limit", "21").json["more"] is False
    for args, count in ((("events",), 20), (("deliveries",), 20), (("attempts",), 20), (("endpoints",), 1000), (("tenants",), 1000), (("keys", "list"), 1000)):
        assert f"(default {count})" in tenterhook(*args, "--help").expect(0).out, args


def test_an_endpoint_from_birth_to_death(cli, receiver):
    target = receiver()
    made = cli("endpoints", "create", target.url(), "--event", "a.*", "--description", "first", "--header", "X-A=1", "--json").json
    assert made["secret"].startswith("whsec_") and made["headers"] == {"X-A": "1"}
    cli("endpoints", "update", made["id"], "--rate-limit", "5", "--metadata", "k=v").expect(0)
    shown = cli("endpoints", "show", made["id"], "--json").json
    assert (shown["rate_limit_per_second"], shown["metadata"], shown["description"]) == (5, {"k": "v"}, "first")
    cli("endpoints", "update", made["id"]).expect(64)
    cli("endpoints", "pause", made["id"]).expect(0)
    assert "paused" in cli("endpoints").out
    cli("endpoints", "resume", made["id"]).expect(0)
    cli("endpoints", "test", made["id"]).expect(0)
    target.close()
    assert "connect_error" in cli("endpoints", "test", made["id"]).expect(1).out
    cli("endpoints", "delete", made["id"]).expect(64)
    cli("endpoints", "delete", made["id"], "--yes").expect(0)
    assert cli("endpoints", "--json").json["data"] == []


def test_endpoints_of_other_dialects_have_their_own_names(cli, receiver):
    cli("tenants", "put", "t", "--name", "T", "--dialect", "tsanet").expect(0)
    made = cli("endpoints", "create", receiver().url(), "--tenant", "t", "--json").expect(0).json
    assert "callbackUrl" in made
    assert made["callbackUrl"] in cli("endpoints", "--tenant", "t").expect(0).out


def test_secrets_show_the_public_key_that_a_customer_needs(cli):
    made = cli("endpoints", "create", "https://receiver.example.com/", "--variant", "v1a", "--json").expect(0).json
    public = cli("secrets", made["id"], "--json").expect(0).json["secrets"][0]["public_key"]
    shown = cli("secrets", made["id"]).expect(0).out
    assert "PUBLIC KEY" in shown and public in shown


def test_secrets_rotate_and_end(cli, receiver, tmp_path):
    made = cli("endpoints", "create", receiver().url(), "--json").json
    assert made["secret"] in cli("secrets", "show", made["id"]).expect(0).out
    assert len(cli("secrets", "rotate", made["id"], "--overlap", "1h", "--json").expect(0).json["secrets"]) == 2
    cli("secrets", "rotate", made["id"]).expect(1)
    cli("secrets", "revoke", made["id"], "--yes").expect(0)
    assert len(cli("secrets", "show", made["id"], "--json").json["secrets"]) == 1


def test_endpoints_retry_makes_all_due(cli, receiver):
    target = receiver().script(500, 200)
    made = cli("endpoints", "create", target.url(), "--json").json
    cli("send", "a.b").expect(0)
    eventually(lambda: cli("deliveries", "--status", "retrying", "--json").json["data"])
    assert "due for another attempt: 1" in cli("endpoints", "retry", made["id"]).expect(0).out
    target.wait_for(2)
    assert cli("endpoints", "retry", made["id"], "--json").json["retrying"] == 0
    cli("endpoints", "pause", made["id"]).expect(0)
    assert "active" in cli("endpoints", "retry", made["id"]).expect(1).err


def test_events_erase_asks_and_erases(cli):
    event = cli("send", "a.b", '{"mail":"x@example.org"}', "--json").json["id"]
    assert "--yes" in cli("events", "erase", event).expect(64).err
    cli("events", "erase", event, "--yes").expect(0)
    shown = cli("events", "show", event, "--json").json
    assert shown["data"] is None and shown["erased_at"]


def test_replay_asks_about_what_had_been_delivered(cli, receiver):
    """It says how many of the matches had been delivered; without a state it sends nothing before somebody has chosen; what has
    not ended is left out, and it says so."""
    made = cli("endpoints", "create", receiver().script(200, 500).url(), "--json").json
    for _ in range(2):
        cli("send", "a.b").expect(0)
    eventually(lambda: cli("deliveries", "--status", "retrying", "--json").json["data"])
    refused = cli("replay", made["id"]).expect(64)
    assert "1 delivery matches, it had been delivered" in refused.err and "--status failed" in refused.err
    assert "1 more has not ended" in refused.err and "endpoints retry" in refused.err
    assert cli("replay", made["id"], "--status", "failed", "--dry-run").expect(0).out.startswith("0 deliveries match")


def test_replay_counts_asks_and_shows_progress(cli, receiver):
    target = receiver()
    made = cli("endpoints", "create", target.url(), "--json").json
    for _ in range(3):
        cli("send", "a.b", "--wait").expect(0)
    assert "3 deliveries match" in cli("replay", made["id"], "--dry-run").expect(0).out
    assert "--yes" in cli("replay", made["id"]).expect(64).err
    assert len(target.requests) == 3
    ran = cli("replay", made["id"], "--yes").expect(0)
    assert "done  100 %" in ran.err
    eventually(lambda: len(target.requests) == 6)
    assert cli("replay", "show", ran.out.split()[0], "--json").json["state"] == "done"


# ---- sign, verify, explain ----

SECRET = "whsec_dbpsi5aaOyxTJP3yKxd/SyWiZvlZgp/zVdPiBWKJTdY="


@pytest.fixture
def secrets(tmp_path):
    """secrets(text) gives a file with mode 0600 that holds it."""
    def make(text, name=None):
        path = tmp_path / (name or f"secret{len(list(tmp_path.iterdir()))}")
        path.write_text(text)
        path.chmod(0o600)
        return path
    return make


def signed(tmp_path, body, secret_file, *args, changed=None, drop=None):
    """A request file: the headers that `sign` prints, and the body (or another one)."""
    (tmp_path / "body").write_bytes(body)
    head = tenterhook("sign", tmp_path / "body", "--secret-file", secret_file, *args).expect(0).out
    lines = [line for line in head.splitlines() if not (drop and line.lower().startswith(drop))]
    path = tmp_path / "request"
    path.write_bytes("\r\n".join(["POST /hook HTTP/1.1", *lines, "", ""]).encode() + (body if changed is None else changed))
    return path


BODY = b'{"type": "a.b", "data": {"name": "Zo\xc3\xab"}}'


def test_what_sign_makes_an_independent_verifier_takes(tmp_path, secrets):
    from harness import signature
    (tmp_path / "body").write_bytes(BODY)
    headers = tenterhook("sign", tmp_path / "body", "--secret-file", secrets(SECRET), "--id", "msg_1", "--json").expect(0).json

    class Request:
        body = BODY

        @staticmethod
        def header(name):
            return headers[name]
    assert signature.verify(SECRET, Request) == "msg_1"


def test_verify_answers_with_its_exit_status(tmp_path, secrets):
    secret = secrets(SECRET)
    request = signed(tmp_path, BODY, secret)
    assert "verified" in tenterhook("verify", request, "--secret-file", secret).expect(0).out
    tenterhook("verify", request, env={"TENTERHOOK_SECRET": SECRET}).expect(0)
    tenterhook("verify", "-", "--secret-file", secret, stdin=request.read_text()).expect(0)
    tenterhook("verify", request, "--secret-file", secrets("whsec_" + "A" * 32)).expect(1)
    tenterhook("verify", request).expect(64)
    tenterhook("verify", tmp_path / "absent", "--secret-file", secret).expect(66)
    tenterhook("verify", request, "--secret-file", secret, "--dialect", "nothing").expect(64)
    (tmp_path / "noise").write_text("this is\nno request\n")
    assert "noise:1" in tenterhook("verify", tmp_path / "noise", "--secret-file", secret).expect(65).err


COMPACT = b'{"type":"a.b","data":{"name":"Zo\xc3\xab"}}'


@pytest.mark.parametrize("body, changed, word", [
    (BODY, COMPACT, "space behind each comma"),
    (COMPACT, BODY, "without white space"),
    (COMPACT, json.dumps(json.loads(COMPACT), indent=2).encode(), "JSON.stringify"),
    (json.dumps(json.loads(COMPACT)).encode(), COMPACT, "\\u escapes"),
    (COMPACT, COMPACT + b"\n", "line end behind it"),
    (json.dumps(json.loads(COMPACT), indent=2, ensure_ascii=False).encode(), COMPACT, "indented by two spaces"),
    (COMPACT, b"\xef\xbb\xbf" + COMPACT, "without the byte order mark"),
    (b"\xef\xbb\xbf" + COMPACT, COMPACT, "with a byte order mark"),
    (COMPACT, COMPACT.decode("latin-1").encode(), "encoded as UTF-8 twice"),
    ('{"price":"\u20ac"}'.encode(), '{"price":"\u20ac"}'.encode().decode("cp1252").encode(), "encoded as UTF-8 twice"),
    (b'{"a":1.0,"b":[-20.0,"3",1e5]}', b'{"a":1,"b":[-20,"3",1e5]}', "with .0 behind"),
    (b'{"a":1,"b":2}', b'{"a":1.0,"b":2.00}', "JSON.stringify"),
    (b'{"type":"a.b","timestamp":"2026-01-01T00:00:00Z","data":{"z":1}}',
     b'{"data":{"z":1},"timestamp":"2026-01-01T00:00:00Z","type":"a.b"}', "they were sorted"),
])
def test_explain_finds_a_body_written_again(tmp_path, secrets, body, changed, word):
    secret = secrets(SECRET)
    ran = tenterhook("explain", signed(tmp_path, body, secret, changed=changed), "--secret-file", secret, "--json").expect(1)
    finding, = ran.json["findings"]
    assert word in finding and "first difference at byte" in finding


@pytest.mark.parametrize("given, word", [
    ("v1,{}", '"v1,"'), ('"{}"', "quotation marks"), ("'{}'", "quotation marks"), ("\ufeff{}", "byte order mark"),
    (' "v1,{}" ', "white space")])
def test_explain_recognises_a_secret_with_more_around_it(tmp_path, secrets, given, word):
    request = signed(tmp_path, BODY, secrets(SECRET))
    ran = tenterhook("explain", request, "--secret-file", secrets(given.format(SECRET)))
    assert ran.status == 65 and word in ran.out + ran.err and "together with other text" in ran.out + ran.err
    shared = secrets("a shared secret")
    board = signed(tmp_path, BODY, shared, "--dialect", "taskboard")
    found = tenterhook("explain", board, "--secret-file", secrets(given.format("a shared secret")), "--dialect", "taskboard",
                       "--json").expect(1).json["findings"][0]
    assert "together with other text" in found and word in found


def test_explain_sees_that_members_were_sorted(tmp_path, secrets):
    secret = secrets(SECRET)
    body = b'{"type":"a.b","timestamp":"x","data":{"z":1,"a":2}}'
    ran = tenterhook("explain", signed(tmp_path, body, secret, changed=json.dumps(json.loads(body), sort_keys=True).encode()),
                     "--secret-file", secret, "--json").expect(1)
    assert "alphabetical order" in ran.json["findings"][0]


def test_explain_finds_the_other_causes(tmp_path, secrets):
    secret, other = secrets(SECRET), secrets("whsec_" + "B" * 32)

    def findings(request, *args):
        return tenterhook("explain", request, *args, "--json").expect(1).json["findings"][0]
    assert "old secret" in findings(signed(tmp_path, BODY, secret), "--secret-file", other, "--old-secret-file", secret)
    assert "another one" in findings(signed(tmp_path, BODY, secret), "--secret-file", other)
    assert "did not arrive" in findings(signed(tmp_path, BODY, secret, drop="webhook-signature"), "--secret-file", secret)
    assert "The signature itself is right" in findings(signed(tmp_path, BODY, secret, "--at", "1700000000"), "--secret-file", secret)
    assert "in the future" in findings(signed(tmp_path, BODY, secret, "--at", "2090-01-01T00:00:00Z"), "--secret-file", secret)
    shared = secrets("a shared secret")
    board = signed(tmp_path, BODY, shared, "--dialect", "taskboard")
    assert "taskboard" in findings(board, "--secret-file", shared, "--dialect", "techwriter")
    (tmp_path / "prefixed").write_bytes(board.read_bytes().replace(b"sha256=", b"v1="))
    assert "prefix" in findings(tmp_path / "prefixed", "--secret-file", shared, "--dialect", "taskboard")
    newline = secrets("a shared secret\n ")
    assert "white space" in findings(board, "--secret-file", newline, "--dialect", "taskboard")
    (tmp_path / "prefixed").write_bytes(signed(tmp_path, BODY, secret).read_bytes().replace(b"v1,", b"v2,"))
    assert "prefix" in findings(tmp_path / "prefixed", "--secret-file", secret)


def test_explain_goes_on_behind_a_time_that_is_too_old(tmp_path, secrets):
    secret, old = secrets(SECRET), secrets("whsec_" + "B" * 32)

    def findings(request, *args):
        return tenterhook("explain", request, *args, "--json").expect(1).json["findings"]
    late, body = findings(signed(tmp_path, BODY, secret, "--at", "1700000000", changed=COMPACT), "--secret-file", secret)
    assert "wrong too" in late and "space behind each comma" in body
    late, body, stale = findings(signed(tmp_path, BODY, old, "--at", "1700000000", changed=COMPACT), "--secret-file", secret,
                                 "--old-secret-file", old)
    assert "wrong too" in late and "space behind each comma" in body and "old secret" in stale


def test_explain_says_when_a_private_key_was_given_for_the_public_one(tmp_path, secrets):
    seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"  # RFC 8032, 7.1, test 1
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    request = signed(tmp_path, BODY, secrets(seed), "--dialect", "discord")
    finding, = tenterhook("explain", request, "--secret-file", secrets(seed), "--dialect", "discord", "--json").expect(1).json["findings"]
    assert "private key" in finding and public in finding
    tenterhook("verify", request, "--secret-file", secrets(public), "--dialect", "discord").expect(0)


@pytest.mark.parametrize("dialect, word", [("standard", "whsec_"), ("discord", "public key in hex")])
def test_a_secret_of_another_form_is_told_which_form(tmp_path, secrets, dialect, word):
    (tmp_path / "request").write_text("POST / HTTP/1.1\nx: y\n\n")
    ran = tenterhook("explain", tmp_path / "request", "--secret-file", secrets("not base64!"), "--dialect", dialect).expect(65)
    assert word in ran.err


def test_explain_names_the_window_that_was_given(tmp_path, secrets):
    secret = secrets(SECRET)
    request = signed(tmp_path, BODY, secret, "--at", "1700000000")
    ran = tenterhook("explain", request, "--secret-file", secret, "--window", "10s", "--now", "1700000020").expect(1)
    assert "10 s are allowed" in ran.out and "the window is 10 s" in ran.out and "300 s" not in ran.out
    assert "any time is allowed" in tenterhook("explain", request, "--secret-file", secret, "--window", "0").expect(0).out
    assert "seconds" in tenterhook("explain", request, "--secret-file", secret, "--window", "500ms").expect(64).err


@pytest.mark.parametrize("handled, word", [
    (lambda value: value.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"), "percent signs"),
    (lambda value: value.replace("+", " "), "+ for each space"),
    (lambda value: value.replace("+", "-").replace("/", "_"), "usual base64"),
    (lambda value: value.rstrip("="), "with the = at its end"),
    (lambda value: value.replace("+", "-").replace("/", "_").rstrip("="), "and = at its end"),
])
def test_explain_finds_what_was_done_to_the_header(tmp_path, secrets, handled, word):
    secret = secrets(SECRET)
    text = signed(tmp_path, BODY, secret, "--at", "1700000005", "--id", "msg_1").read_bytes().decode()  # its signature has all three: + / =
    value = text.split("webhook-signature: v1,")[1].split("\r\n")[0]
    assert "+" in value and "/" in value and "=" in value
    (tmp_path / "handled").write_bytes(text.replace(value, handled(value)).encode())
    ran = tenterhook("explain", tmp_path / "handled", "--secret-file", secret, "--now", "1700000000", "--json").expect(1)
    assert word in ran.json["findings"][0]


def test_explain_blames_no_secret_for_a_header_of_another_form(tmp_path, secrets):
    import base64
    import hashlib
    import hmac
    secret = secrets(SECRET)
    text = signed(tmp_path, BODY, secret, "--id", "msg_1").read_bytes().decode()

    def finding(changed):
        (tmp_path / "changed").write_bytes(changed.encode())
        return tenterhook("explain", tmp_path / "changed", "--secret-file", secret, "--json").expect(1).json["findings"][0]
    stamp = text.split("webhook-timestamp: ")[1].split("\r\n")[0]
    assert 'holds "soon"' in finding(text.replace(f"webhook-timestamp: {stamp}", "webhook-timestamp: soon"))
    right = text.split("webhook-signature: ")[1].split("\r\n")[0]

    def stamped(time):
        mac = hmac.new(base64.b64decode(SECRET[6:]), f"msg_1.{time}.".encode() + BODY, hashlib.sha256).digest()
        return finding(text.replace(stamp, time).replace(right, "v1," + base64.b64encode(mac).decode()))
    assert "RFC 3339" in stamped("2023-11-14T22:13:20Z")
    millis = stamped("1700000000000")
    assert "milliseconds" in millis and "seconds (1700000000)" in millis and "itself is right" in millis


@pytest.mark.parametrize("dialect, header, value, word", [
    ("tiro", "Authorization", "{}", '"Bearer {{secret}}" belongs there; the secret in it is the right one'),
    ("tiro", "Authorization", "Basic other-0123456789", '"Bearer {{secret}}" belongs there'),
    ("tiro", "Authorization", "Bearer other-0123456789", "the secret in header Authorization is another one (give the previous"),
    ("gitlab", "X-Gitlab-Token", "token={}", "is another one: the one given here with more before or behind it"),
    ("gitlab", "X-Gitlab-Token", "other-0123456789", "the secret in header X-Gitlab-Token is another one"),
])
def test_explain_shows_no_secret_of_a_header_and_blames_no_body_for_it(tmp_path, secrets, dialect, header, value, word):
    secret = "a-secret-of-a-header-0123"
    value = value.format(secret)
    (tmp_path / "request").write_text(f"POST / HTTP/1.1\r\n{header}: {value}\r\nContent-Length: 99\r\n\r\n{{}}")
    ran = tenterhook("explain", tmp_path / "request", "--secret-file", secrets(secret), "--dialect", dialect).expect(1)
    assert word.replace("{{", "{").replace("}}", "}") in ran.out
    assert secret not in ran.out and "0123456789" not in ran.out and "Content-Length" not in ran.out


def test_a_right_signature_on_a_body_that_is_no_event_is_not_called_wrong(tmp_path, secrets):
    secret = secrets(SECRET)
    request = signed(tmp_path, b"hello", secret)
    for command in ("verify", "explain"):
        ran = tenterhook(command, request, "--secret-file", secret).expect(0)
        assert ran.out.startswith("verified") and "the body is no event of this dialect: the body is not JSON" in ran.out
    assert tenterhook("verify", signed(tmp_path, BODY, secret), "--secret-file", secret, "--json").expect(0).json["findings"] == []


def test_standard_input_is_not_secret_and_request_at_once(tmp_path, secrets):
    for args in (("verify", "--secret-file", "-"), ("explain", "-", "--secret-file", "-"), ("sign", "--secret-file", "-")):
        assert "cannot both come from standard input" in tenterhook(*args, stdin=SECRET).expect(64).err
    request = signed(tmp_path, BODY, secrets(SECRET))
    tenterhook("verify", request, "--secret-file", "-", stdin=SECRET).expect(0)


def test_explain_says_that_a_header_came_twice(tmp_path, secrets):
    secret = secrets(SECRET)
    text = signed(tmp_path, BODY, secret).read_bytes()
    line = next(row for row in text.split(b"\r\n") if row.startswith(b"webhook-signature"))
    (tmp_path / "twice").write_bytes(text.replace(line, line + b"\r\n" + line))
    finding, = tenterhook("explain", tmp_path / "twice", "--secret-file", secret, "--json").expect(1).json["findings"]
    assert finding.startswith("header webhook-signature came 2 times")


def saved_forms():
    """One signed request as each program saves it: (name, make(head lines, body))."""
    import base64

    def pairs(lines):
        return [tuple(line.split(": ", 1)) for line in lines[1:]]

    def raw(lines, body, eol="\r\n", more=()):
        return (eol.join([*lines, *more]) + eol * 2).encode() + body

    def curl(lines, body, protocol="HTTP/1.1"):
        head = "".join(f"> {line}\r\n" for line in [lines[0].replace("HTTP/1.1", protocol), *lines[1:], f"Content-Length: {len(body)}"])
        return f"*   Trying 127.0.0.1:80...\n* Connected\n{head}> \n* upload completely sent off\n".encode() + body + b"\n"

    def chunks(lines, body):
        framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
        return raw(lines, framed + b"\n", more=["Transfer-Encoding: chunked"])

    def document(make):
        return lambda lines, body: json.dumps(make(pairs(lines), body.decode())).encode()
    return {
        "LF": lambda lines, body: raw(lines, body, eol="\n"),
        "a line end more than the head says": lambda lines, body: raw(lines, body + b"\r\n", more=[f"Content-Length: {len(body)}"]),
        "chunks": chunks,
        "a byte order mark": lambda lines, body: b"\xef\xbb\xbf" + raw(lines, body),
        "HTTP/2": lambda lines, body: raw([lines[0].replace("HTTP/1.1", "HTTP/2"), *lines[1:]], body),
        "pseudo headers": lambda lines, body: raw([":method: POST", ":authority: x", ":path: /hook", *lines[1:]], body),
        "curl": curl,
        "curl, HTTP/2": lambda lines, body: curl(lines, body, "HTTP/2"),
        "names and values": document(lambda headers, body: {"headers": [{"name": n, "value": v} for n, v in headers], "body": body}),
        "HAR": document(lambda headers, body: {"log": {"entries": [{"request": {}}, {"request": {
            "method": "POST", "url": "http://x/", "headers": [{"name": n, "value": v} for n, v in headers],
            "postData": {"mimeType": "application/json", "text": body}}}]}}),
        "ngrok": lambda lines, body: json.dumps({"requests": [{"request": {
            "headers": {n: [v] for n, v in pairs(lines)}, "raw": base64.b64encode(raw(lines, body)).decode()}}]}).encode(),
        "Lambda": document(lambda headers, body: {
            "headers": dict(headers), "body": base64.b64encode(body.encode()).decode(), "isBase64Encoded": True}),
        "webhook.site": document(lambda headers, body: {"headers": {n: [v] for n, v in headers}, "content": body}),
    }


@pytest.mark.parametrize("form", saved_forms())
def test_saved_requests_are_read_as_programs_save_them(tmp_path, secrets, form):
    secret = secrets(SECRET)
    lines = signed(tmp_path, BODY, secret).read_bytes().split(b"\r\n\r\n", 1)[0].decode().split("\r\n")
    (tmp_path / "saved").write_bytes(saved_forms()[form](lines, BODY))
    tenterhook("verify", tmp_path / "saved", "--secret-file", secret).expect(0)


def test_a_saved_request_whose_body_is_not_whole_is_said(tmp_path, secrets):
    secret = secrets(SECRET)
    head, _ = signed(tmp_path, BODY, secret).read_bytes().split(b"\r\n\r\n", 1)
    (tmp_path / "cut").write_bytes(head + b"\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY[:-3])
    ran = tenterhook("explain", tmp_path / "cut", "--secret-file", secret, "--json").expect(1)
    assert f"says {len(BODY)} bytes, and {len(BODY) - 3} are here" in ran.json["findings"][0]
    shown = b"".join(b"> %s\r\n" % line for line in head.split(b"\r\n")) + b"> Content-Length: 40\r\n> \n< HTTP/1.1 401 Unauthorized\n< \n"
    (tmp_path / "curl").write_bytes(shown)
    assert "body of 40 bytes is not there" in tenterhook("explain", tmp_path / "curl", "--secret-file", secret).expect(65).err


def test_explain_finds_another_decoding_of_the_key(tmp_path, secrets):
    import base64
    import hashlib
    import hmac
    import time
    now = int(time.time())
    value = base64.b64encode(hmac.new(SECRET.encode(), f"msg_1.{now}.".encode() + BODY, hashlib.sha256).digest()).decode()
    (tmp_path / "request.json").write_text(json.dumps({"method": "POST", "url": "http://x/", "body": BODY.decode(), "headers": {
        "webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": f"v1,{value}"}}))
    ran = tenterhook("explain", tmp_path / "request.json", "--secret-file", secrets(SECRET)).expect(1)
    assert "the bytes of its text" in ran.out and "signed bytes ({event.id}.{ts}.{body}" in ran.out


def test_explain_reads_what_attempts_prints(cli, receiver, tmp_path, secrets):
    made = cli("endpoints", "create", receiver().url(), "--json").json
    cli("send", "a.b", "--wait").expect(0)
    delivery = cli("deliveries", "--json").json["data"][0]["id"]
    saved = cli("attempts", delivery, "--json").expect(0).out
    tenterhook("verify", "-", "--secret-file", secrets(made["secret"]), stdin=saved).expect(0)


# ---- listen ----

class Listening:
    """A running `tenterhook listen --json`."""

    def __init__(self, *args, env=None):
        self.process = subprocess.Popen([str(binary_path()), "listen", "--port", "0", "--json", *map(str, args)], env=clean_env(env),
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = json.loads(self.process.stdout.readline())["listening"]

    def rows(self):
        """What it printed, once it has ended by itself."""
        out, err = self.process.communicate(timeout=60)
        assert "runtime error" not in err and "AddressSanitizer" not in err, err
        return [json.loads(line) for line in out.splitlines()]

    def close(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def listen():
    running = []

    def make(*args, **options):
        running.append(Listening(*args, **options))
        return running[-1]
    yield make
    for one in running:
        one.close()


def test_listen_verifies_real_deliveries_and_marks_repetitions(cli, listen, secrets):
    ear = listen("--verify", "standard", "--secret-file", secrets(SECRET), "--count", "2")
    cli("endpoints", "create", ear.url + "/hook", "--secret-file", secrets(SECRET)).expect(0)
    cli("send", "a.b", '{"x":1}', "--wait").expect(0)
    cli("deliveries", "retry", cli("deliveries", "--json").json["data"][0]["id"]).expect(0)
    first, second = ear.rows()
    assert (first["verified"], first["type"], first["repetition"], first["answered"]) == (True, "a.b", False, 200)
    assert (second["verified"], second["repetition"], second["id"]) == (True, True, first["id"])
    assert json.loads(first["body"])["data"] == {"x": 1} and ear.process.returncode == 0


def test_listen_says_why_something_does_not_verify(cli, listen, secrets):
    ear = listen("--verify", "standard", "--secret-file", secrets("whsec_" + "C" * 32), "--old-secret-file", secrets(SECRET), "--count", "1")
    cli("endpoints", "create", ear.url, "--secret-file", secrets(SECRET)).expect(0)
    cli("send", "a.b").expect(0)
    row, = ear.rows()
    assert (row["verified"], row["reason"], row["answered"]) == (False, "no_match", 401)
    assert "old secret" in row["findings"][0] and ear.process.returncode == 1


def test_listen_tells_a_bad_event_from_a_bad_signature(listen, tmp_path, secrets):
    secret = secrets(SECRET)
    ear = listen("--verify", "standard", "--secret-file", secret, "--count", "1")
    head, body = signed(tmp_path, b"hello", secret).read_bytes().decode().split("\r\n\r\n")
    request = urllib.request.Request(ear.url + "/hook", body.encode(), dict(line.split(": ") for line in head.split("\r\n")[1:]))
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    refused.value.close()
    row, = ear.rows()
    assert (row["verified"], row["reason"], row["answered"], refused.value.code) == (True, "bad_event", 400, 400)


def test_listen_is_a_bad_endpoint_on_purpose(cli, listen):
    cli("tenants", "put", "t", "--dialect", "standard", "--name", "T").expect(0)
    for args, outcome, number in [(("--status", "503"), "failed_status", "503"), (("--fail", "100%"), "failed_status", "500"),
                                  (("--drip", "400ms"), "timeout", None), (("--delay", "10s"), "timeout", None)]:
        ear = listen(*args)
        made = cli("endpoints", "create", ear.url, "--timeout", "2", "--json").expect(0).json
        ran = cli("endpoints", "test", made["id"], "--json").expect(1)
        assert ran.json["last_attempt"]["outcome"] == outcome
        assert number is None or str(ran.json["last_attempt"]["status"]) == number
        cli("endpoints", "delete", made["id"], "--yes").expect(0)


def test_listen_forwards_byte_for_byte(cli, listen, receiver, secrets):
    target = receiver(answer=lambda request: Reply(status=207, body=b"from behind"))
    ear = listen("--forward", target.url(), "--count", "1")
    made = cli("endpoints", "create", ear.url, "--json").json
    ran = cli("send", "a.b", '{"n":1.00}', "--wait").expect(0)
    assert "status 207" in ran.out
    request, = target.requests
    from harness import signature
    signature.verify(made["secret"], request)
    assert ear.rows()[0]["answered"] == 207


def test_listen_passes_on_what_the_forward_address_says_besides(listen, receiver):
    target = receiver(answer=lambda request: Reply(status=429, body=b"{}", headers=[("Content-Type", "application/json"), ("Retry-After", "7")]))
    ear = listen("--forward", target.url(), "--count", "1")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(ear.url, data=b"{}")
    assert (refused.value.code, refused.value.headers["Content-Type"], refused.value.headers["Retry-After"]) == (429, "application/json", "7")


def test_listen_says_why_it_could_not_forward(listen):
    import socket
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        ear = listen("--forward", f"http://127.0.0.1:{nobody.getsockname()[1]}/", "--count", "1")
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(ear.url, data=b"{}")
        row, = ear.rows()
    assert row["answered"] == 502 and "connect_error" in row["note"]


def test_listen_fails_its_share_before_it_forwards_and_leaves_the_status_to_the_other_side(listen, receiver):
    target = receiver()
    ear = listen("--forward", target.url(), "--fail", "100%", "--count", "1")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(ear.url, data=b"{}")
    assert ear.rows()[0]["answered"] == 500 and target.requests == []
    assert "--forward" in tenterhook("listen", "--forward", target.url(), "--status", "503").expect(64).err


@pytest.mark.parametrize("sent, status, word", [
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "TLS"),
    (b"no request\r\n\r\n", 400, ""),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 16777217\r\n\r\n", 413, "16 MiB"),
])
def test_listen_shows_what_it_refuses(listen, sent, status, word):
    import socket
    ear = listen()
    with socket.create_connection(("127.0.0.1", int(ear.url.rsplit(":", 1)[1]))) as client:
        client.sendall(sent)
        row = json.loads(ear.process.stdout.readline())
    assert row["refused"] == status and word in row["detail"]


def test_listen_ends_when_nobody_reads_what_it_shows(listen):
    ear = listen()
    ear.process.stdout.close()
    urllib.request.urlopen(ear.url, data=b"{}").close()
    assert ear.process.wait(20) == 73


def test_listen_says_when_the_port_is_taken(listen):
    ear = listen()
    port = ear.url.rsplit(":", 1)[1]
    assert port in tenterhook("listen", "--port", port).expect(69).err


# ---- tail and dev ----

class Watching:
    """`tenterhook tail --json` while things happen; rows() waits for so many attempts."""

    def __init__(self, cli, path, *args):
        self.path = path
        self.file = open(path, "w")
        self.process = subprocess.Popen([binary_path(), "tail", "--json", "--every", "50ms", "--last", "0", *args], stdout=self.file,
                                        env=clean_env({"TENTERHOOK_SERVER": f"http://127.0.0.1:{cli.server.port}", "TENTERHOOK_KEY": KEY}))

    def now(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def rows(self, count):
        eventually(lambda: len(self.path.read_text().splitlines()) >= count, timeout_s=60)
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(20) == 0
        self.file.close()
        return self.now()


@pytest.fixture
def watching(cli, tmp_path):
    made = []

    def start(*args):
        made.append(Watching(cli, tmp_path / f"tail{len(made)}", *args))
        return made[-1]
    yield start
    for one in made:
        one.process.kill()
        one.process.wait()
        one.file.close()


def all_attempts(cli):
    """What the server has, oldest first, as its lists of deliveries say."""
    found = []
    for row in cli.api.pages("/v1/deliveries?include_tests=true", limit=1000):
        found += [(row["id"], attempt["number"]) for attempt in cli.api.get(f"/v1/deliveries/{row['id']}").json["attempts"]]
    return sorted(found)


def test_tail_shows_replays_retries_tests_and_old_deliveries(cli, receiver, watching):
    """Two hundred newer deliveries lie between: what is old shows all the same when it is sent again."""
    replies = iter([Reply(status=500)])
    endpoint = cli("endpoints", "create", receiver(answer=lambda request: next(replies, Reply())).url(), "--json").json["id"]
    cli("send", "a.old").expect(0)
    old = eventually(lambda: cli("deliveries", "--status", "retrying", "--json").json["data"])[0]["id"]
    for _ in range(3):
        cli.api.post("/v1/events/batch", [{"type": "a.b", "data": {}}] * 100).expect(202)
    eventually(lambda: len(cli("deliveries", "--status", "delivered", "--json", "--limit", "500").json["data"]) >= 300, timeout_s=60)
    tail = watching()
    # Sent again until one is shown, because those that end before the command has asked for the first time are not.
    eventually(lambda: cli("send", "a.first", "--wait").expect(0) and "a.first" in tail.path.read_text())
    first = tail.path.read_text().count('"a.first"')
    cli("deliveries", "retry", old).expect(0)
    eventually(lambda: old in tail.path.read_text())
    cli("endpoints", "test", endpoint).expect(0)
    cli("replay", endpoint, "--status", "delivered", "--type", "a.b", "--yes").expect(0)
    rows = tail.rows(302 + first)
    shown = [(row["delivery"], row["number"]) for row in rows]
    assert len(shown) == len(set(shown)) and sum(row["event_type"] == "a.b" for row in rows) >= 300
    assert next(row for row in rows if row["delivery"] == old)["number"] >= 2
    assert set(shown) <= set(all_attempts(cli))


def test_tail_of_a_status_shows_that_alone(cli, receiver, watching):
    cli("endpoints", "create", receiver().url("/good"), "--event", "a.good").expect(0)
    cli("endpoints", "create", receiver(answer=lambda _: 500).url("/bad"), "--event", "a.bad").expect(0)
    tails = {status: watching("--status", status, "--last", "200") for status in ("delivered", "retrying")}
    cli("send", "a.good", "--wait").expect(0)
    eventually(lambda: "a.good" in tails["delivered"].path.read_text())
    for _ in range(3):
        cli("send", "a.bad").expect(0)
        cli("send", "a.good").expect(0)
    assert {row["event_type"] for row in tails["delivered"].rows(4)} == {"a.good"}
    assert {row["event_type"] for row in tails["retrying"].rows(3)} == {"a.bad"}


def test_tail_misses_nothing_of_a_burst_or_over_a_restart(cli, receiver, watching):
    cli("endpoints", "create", receiver().url(), "--max-in-flight", "100", "--json").expect(0)
    cli.server.listen = f"127.0.0.1:{cli.server.port}"
    tail = watching("--last", "200")
    cli("send", "a.first", "--wait").expect(0)
    eventually(lambda: "a.first" in tail.path.read_text())
    for _ in range(3):
        cli.api.post("/v1/events/batch", [{"type": "a.b", "data": {}}] * 800).expect(202)
    cli.server.stop()
    cli.server.start()
    cli("send", "a.last", "--wait").expect(0)
    eventually(lambda: not cli("deliveries", "--status", "pending", "--status", "retrying", "--json").json["data"], timeout_s=90)
    shown = [(row["delivery"], row["number"]) for row in tail.rows(2402)]
    assert len(shown) == len(set(shown))
    assert sorted(shown) == all_attempts(cli)


def test_attempts_are_followed_with_after(cli, receiver):
    """The API's side: equal times, any size of page, any filter; each attempt once, in order."""
    answers = iter([Reply(status=503), Reply(status=200), Reply(status=404)] * 10)
    endpoint = cli("endpoints", "create", receiver(answer=lambda request: next(answers)).url(), "--json").json["id"]
    start = cli.api.get("/v1/attempts?include_tests=true&limit=1").expect(200).json
    assert start["data"] == [] and start["next_cursor"] is None and start["more"] is False
    for _ in range(9):
        cli("endpoints", "test", endpoint)
    whole = cli.api.get("/v1/attempts?include_tests=true").expect(200).json["data"]
    assert len(whole) == 9 and {row["endpoint"] for row in whole} == {endpoint}
    for limit in (1, 2, 100):
        seen, after = [], start["after"]
        while True:
            page = cli.api.get(f"/v1/attempts?include_tests=true&limit={limit}&after={after}").expect(200).json
            seen += page["data"]
            after = page["after"]
            if not page["more"]:
                break
        assert seen == whole[::-1]
        assert cli.api.get(f"/v1/attempts?include_tests=true&after={after}").json["data"] == []
    failed = cli.api.get("/v1/attempts?include_tests=true&outcome=failed_status&status_code=503").json
    assert {row["status"] for row in failed["data"]} == {503} and len(failed["data"]) == 3
    assert len(cli.api.get("/v1/attempts?include_tests=true&outcome=failed_status,success").json["data"]) == 9
    assert cli.api.get(f"/v1/attempts?include_tests=true&after={failed['after']}").expect(400).json["detail"].endswith("belongs to a list with other filters")
    assert "timeout" in cli.api.get("/v1/attempts?include_tests=true&outcome=slow").expect(400).json["detail"]
    cli.api.get("/v1/attempts?include_tests=true&status_code=99").expect(400)
    assert [row["status"] for row in cli("tail", "--json", "--last", "2", "--for", "100ms").json_lines] == [200, 404]
    assert cli("tail", "--json", "--outcome", "success", "--status-code", "503", "--for", "100ms").expect(0).out == ""


def test_lists_take_outcome_status_code_and_several_statuses(cli, receiver):
    closed = receiver()
    refused = closed.url()
    closed.close()
    held = cli("endpoints", "create", receiver().url(), "--event", "a.held", "--json").expect(0).json["id"]
    cli("endpoints", "pause", held).expect(0)
    for type, url in (("a.good", receiver().url()), ("a.late", receiver(answer=lambda request: Reply(503)).url()),
                      ("a.gone", receiver(answer=lambda request: Reply(410)).url()), ("a.refused", refused)):
        cli("endpoints", "create", url, "--event", type).expect(0)
        cli("send", type).expect(0)
        eventually(lambda: cli("attempts", "--type", type, "--json").expect(0).json["data"])
    cli("send", "a.held").expect(0)

    def types(*args):
        found = [row["event_type"].removeprefix("a.") for row in cli(*args, "--json").expect(0).json["data"]]
        return sorted(found if args[0] == "deliveries" else set(found))  # a second attempt may have ended meanwhile
    assert types("deliveries", "--status", "held", "--status", "delivered") == ["good", "held"]
    assert types("deliveries", "--status", "retrying", "--status", "held") == ["held", "late", "refused"]
    assert types("deliveries", "--status", "failed,retrying") == ["gone", "late", "refused"]
    assert types("deliveries", "--status", "pending") == []
    assert sorted(row["type"] for row in cli("events", "--outcome", "failed_status", "--json").json["data"]) == ["a.gone", "a.late"]
    assert [row["type"] for row in cli("events", "--status-code", "410", "--json").json["data"]] == ["a.gone"]
    for name in ("deliveries", "attempts"):
        assert types(name, "--status-code", "503") == ["late"]
        assert types(name, "--outcome", "connect_error") == ["refused"]
        assert types(name, "--outcome", "success", "--outcome", "connect_error") == ["good", "refused"]
        assert types(name, "--outcome", "failed_status", "--status-code", "410") == ["gone"]
        assert types(name, "--status-code", "503,410") == types(name, "--status-code", "503", "--status-code", "410") == ["gone", "late"]
        assert types(name, "--status-code", "4xx") == ["gone"] and types(name, "--status-code", "5XX,200") == ["good", "late"]
        assert types(name, "--status-code", "4xx", "--outcome", "success") == []
        assert types(name, "--status-code", "1xx,2xx,3xx,4xx,5xx") == ["gone", "good", "late"]  # "refused" had no answer
        for wrong in ("5x", "0xx", "99", "1000", "xx5", "503,,410", ",503", "500-503"):
            assert "5xx" in cli(name, "--status-code", wrong).expect(1).err, wrong
    assert sorted(row["type"] for row in cli("events", "--status-code", "410,5xx", "--json").json["data"]) == ["a.gone", "a.late"]
    tailed = cli("tail", "--json", "--last", "9", "--status-code", "410", "--status-code", "2xx", "--for", "100ms").expect(0).json_lines
    assert sorted(row["status"] for row in tailed) == [200, 410]
    assert "status_code" in cli("deliveries", "--status", "503").expect(1).err
    assert "commas" in cli.api.get("/v1/deliveries?status_code=500&status_code=502").expect(400).json["detail"]
    assert "failed_status" in cli("attempts", "--outcome", "slow").expect(1).err
    assert "retrying" in cli("deliveries", "--status", "slow").expect(1).err
    assert "connect_error" in cli("attempts").expect(0).out
    assert "leave it out, or the delivery" in cli("attempts", "dlv_1", "--outcome", "success").expect(64).err


def test_tail_says_what_it_shows(cli):
    ran = cli("tail", "--for", "100ms").expect(0)
    assert "every attempt" in ran.err and "replays" in ran.err and "UTC" in ran.err and ran.out == ""


def test_tail_prints_each_attempt_once(cli, receiver):
    replies = iter([Reply(status=503)])
    cli("endpoints", "create", receiver(answer=lambda request: next(replies, Reply())).url()).expect(0)
    cli("send", "a.b").expect(0)
    cli("send", "a.c").expect(0)
    rows = [json.loads(line) for line in cli("tail", "--json", "--every", "100ms", "--for", "9s").expect(0).out.splitlines()]
    seen = [(row["event_type"], row["outcome"], row["status"], row["number"]) for row in rows]
    assert len(seen) == len(set(seen)) == 3
    assert seen[-1][1:] == ("success", 200, 2) and ("failed_status", 503, 1) in [row[1:] for row in seen]


def test_tail_ends_when_its_reader_has_gone_and_at_ctrl_c(cli, terminal):
    env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{cli.server.port}", "TENTERHOOK_KEY": KEY}
    piped = subprocess.Popen([binary_path(), "tail", "--every", "100ms"], env=clean_env(env), stdout=subprocess.PIPE)
    piped.stdout.close()  # nothing happens, so nothing is written either
    piped.wait(20)
    screen = terminal("tail", "--every", "100ms", env=env)
    screen.wait_for("Enter shows")
    assert screen.end("\x03") == 0
    cli("tail", "--endpoint", "we_nothing").expect(1)


def test_tail_waits_for_a_server_that_is_started_again(cli, receiver, tmp_path):
    cli("endpoints", "create", receiver().url()).expect(0)
    cli.server.listen = f"127.0.0.1:{cli.server.port}"
    env = clean_env({"TENTERHOOK_SERVER": f"http://127.0.0.1:{cli.server.port}", "TENTERHOOK_KEY": KEY})
    with open(tmp_path / "out", "w") as out, open(tmp_path / "err", "w") as err:
        watching = subprocess.Popen([binary_path(), "tail", "--every", "100ms"], env=env, stdout=out, stderr=err)
        cli("send", "a.first", "--wait").expect(0)
        eventually(lambda: "a.first" in (tmp_path / "out").read_text())
        cli.server.stop()
        eventually(lambda: "waiting until it is back" in (tmp_path / "err").read_text())
        cli.server.start()
        cli("send", "a.second", "--wait").expect(0)
        eventually(lambda: any("a.second" in line and "delivered" in line for line in (tmp_path / "out").read_text().splitlines()))
        watching.send_signal(2)
        assert watching.wait(20) == 0
    said = (tmp_path / "err").read_text()
    assert said.count("nothing listens") == 1 and "it is back" in said


def test_tables_fit_a_narrow_terminal(cli, terminal):
    """A row that does not fit takes several lines; in a pipe it is always one."""
    cli("endpoints", "create", "http://127.0.0.1:9999/" + "x" * 60, "--event", "a.b").expect(0)
    env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{cli.server.port}", "TENTERHOOK_KEY": KEY, "NO_COLOR": "1"}
    wide = terminal("endpoints", env=env, columns=200).wait_for("a.b").splitlines()
    assert len(wide) == 2 and wide[0].split() == ["ENDPOINT", "STATUS", "URL", "EVENTS"]
    narrow = terminal("endpoints", env=env, columns=24).wait_for("a.b").splitlines()
    assert narrow[:4] == ["ENDPOINT", "    STATUS", "    URL", "    EVENTS"] and narrow[5].strip() == "active"
    assert len(cli("endpoints").out.splitlines()) == 2


def test_an_output_that_cannot_be_written_is_said(cli):
    with open("/dev/full", "w") as full:
        done = subprocess.run([binary_path(), "help"], env=clean_env(), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 73 and "standard output cannot be written" in done.stderr
    gone = subprocess.run(["bash", "-c", f"{binary_path()} help | head -1; exit ${{PIPESTATUS[0]}}"], env=clean_env(), capture_output=True,
                          text=True, check=False)
    assert gone.returncode in (0, 73) and gone.stderr == ""


def test_tail_on_a_terminal_shows_and_sends_again(cli, receiver, terminal):
    target = receiver()
    cli("endpoints", "create", target.url()).expect(0)
    screen = terminal("tail", "--every", "100ms", env={"TENTERHOOK_SERVER": f"http://127.0.0.1:{cli.server.port}", "TENTERHOOK_KEY": KEY})
    screen.wait_for("Enter shows")
    cli("send", "a.b", '{"x":"needle"}').expect(0)
    assert "\x1b[32mdelivered" in screen.wait_for("delivered")
    screen.key("\r")
    screen.wait_for("webhook-signature")
    screen.wait_for("needle")
    screen.key("r")
    screen.wait_for("attempt 2")
    assert len(target.requests) == 2 and screen.end() == 0


def test_no_color_is_honoured(cli, terminal):
    screen = terminal("endpoints", env={"TENTERHOOK_SERVER": f"http://127.0.0.1:{cli.server.port}", "TENTERHOOK_KEY": KEY, "NO_COLOR": "1"})
    assert "\x1b" not in screen.wait_for("no endpoints")


@pytest.mark.parametrize("dialect", sorted(file.stem for file in (ROOT / "dialects").glob("*.yaml")))
def test_dev_delivers_and_verifies_at_once_and_leaves_nothing(dialect, tmp_path):
    ran = tenterhook("dev", "--once", "--dialect", dialect, env={"TMPDIR": str(tmp_path)}).expect(0)
    assert "verified" in ran.out and "not verified" not in ran.out
    waived = "https: always" in (ROOT / "dialects" / f"{dialect}.yaml").read_text()
    assert ("requires https endpoints" in ran.out) == waived
    assert list(tmp_path.iterdir()) == []


def test_dev_takes_the_dialect_of_a_file(tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "mine.yaml").write_text((ROOT / "dialects" / "slack.yaml").read_text())
    ran = tenterhook("dev", "--once", "--dialect", tmp_path / "mine.yaml", "--data", tmp_path / "kept",
                     env={"TMPDIR": str(tmp_path / "tmp")}).expect(0)
    assert "dialect mine;" in ran.out and "not verified" not in ran.out
    assert (tmp_path / "kept" / "tenterhook.db").exists() and list((tmp_path / "tmp").iterdir()) == []


def test_the_curl_that_dev_prints_bears_an_apostrophe(tmp_path):
    text = (ROOT / "dialects" / "tiro.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("""sample: '{"title":"Meeting Note"}'""", """sample: '{"title":"Zoe''s"}'"""))
    ran = tenterhook("dev", "--once", "--dialect", tmp_path / "mine.yaml").expect(0)
    assert "Zoe" in ran.out and all(line.count("'") % 2 == 0 for line in ran.out.splitlines() if line.startswith("       -d"))
    assert "Zoe\\u0027s" in ran.out


def test_dev_takes_another_dialect_on_a_directory_that_it_kept(tmp_path):
    (tmp_path / "mine.yaml").write_text((ROOT / "dialects" / "stripe.yaml").read_text())
    for dialect in (tmp_path / "mine.yaml", "stripe", "standard"):
        ran = tenterhook("dev", "--once", "--dialect", dialect, "--data", tmp_path / "kept").expect(0)
        assert "verified" in ran.out and "not verified" not in ran.out


def test_what_dev_says_to_publish_with_works_in_a_dialect_that_wants_a_resource(terminal, tmp_path):
    import re
    screen = terminal("dev", "--listen", "127.0.0.1:0", "--dialect", "tiro", env={"TMPDIR": str(tmp_path), "NO_COLOR": "1"})
    text = screen.wait_for("-> #1 200").replace("\r", "")
    environment = dict(re.findall(r"(TENTERHOOK_\w+)=(\S+)", text))
    sending = re.search(r"^    tenterhook (send .*)$", text, re.M).group(1)
    assert "delivered" in tenterhook(*sending.split(), env=environment).expect(0).out
    assert screen.end() == 0


def test_dev_on_a_terminal(terminal, tmp_path):
    import re
    screen = terminal("dev", "--listen", "127.0.0.1:0", env={"TMPDIR": str(tmp_path), "NO_COLOR": "1"})
    text = screen.wait_for("-> #1 200")
    # The curl that it prints works as it stands.
    command = re.search(r"curl .*?(?=\r?\n\r?\n)", text, re.S).group(0).replace("\r\n", "\n")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["deliveries"] == 1
    screen.wait_for("-> #2 200")
    screen.key("f")
    screen.wait_for("answers 500")
    screen.key("s")
    screen.wait_for("retrying")
    screen.key("\r")
    screen.wait_for("webhook-signature")
    assert screen.end() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("numbers", [(signal.SIGTERM,), (signal.SIGQUIT,), (signal.SIGINT, signal.SIGINT, signal.SIGINT)])
def test_dev_leaves_nothing_whichever_way_it_is_ended(numbers, tmp_path):
    with subprocess.Popen([binary_path(), "dev", "--listen", "127.0.0.1:0", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True, env={**clean_env(), "TMPDIR": str(tmp_path)}) as dev:
        started = json.loads(dev.stdout.readline())
        assert pathlib.Path(started["data"]).is_relative_to(tmp_path)
        for number in numbers:
            dev.send_signal(number)
        assert dev.wait(timeout=60) == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(started["url"] + "/livez", timeout=60)
    assert list(tmp_path.iterdir()) == []


def test_the_operator_sees_which_endpoints_fail(cli, receiver):
    cli("endpoints", "health").expect(0)
    assert cli("endpoints", "health", "--state", "failing").expect(0).out == "no endpoint is failing\n"
    made = cli("endpoints", "create", receiver(answer=lambda _: 500).url(), "--json").json
    cli("send", "a.b", "{}").expect(0)
    row = eventually(lambda: cli("endpoints", "health", "--state", "failing", "--json").expect(0).json["data"])[0]
    assert row["endpoint"] == made["id"] and row["tenant"] == "default"
    assert made["id"] in cli("endpoints", "health", "--state", "failing").expect(0).out
    cli("endpoints", "health", "--state", "nonsense").expect(1)


# ---- configuration, doctor ----

def test_config_show_says_where_values_come_from(tmp_path):
    (tmp_path / "c.yaml").write_text("retention: 7d\n")
    rows = {row["key"]: row for row in tenterhook("config", "show", "--json", "--origin", "--config", tmp_path / "c.yaml", "--log-level", "warn",
                                                  env={"TENTERHOOK_DATA": "/x", "TENTERHOOK_ADMIN_KEY": "very-secret-key"}).expect(0).json}
    assert rows["retention"]["value"] == "7d" and "c.yaml:1" in rows["retention"]["origin"]
    assert rows["log.level"]["origin"] == "flag --log-level" and rows["data"]["origin"] == "environment TENTERHOOK_DATA"
    assert rows["listen"]["origin"] == "default"
    text = tenterhook("config", "show", env={"TENTERHOOK_ADMIN_KEY": "very-secret-key"}).expect(0).out
    assert "very-secret-key" not in text and "not shown" in text
    (tmp_path / "c.yaml").write_text("retention: soon\n")
    assert "c.yaml:1" in tenterhook("config", "show", "--config", tmp_path / "c.yaml").expect(64).err


def test_init_and_config_check_for_programs(tmp_path):
    made = tenterhook("init", "--data", tmp_path / "d", "--json").expect(0)
    assert made.json["data"] == str(tmp_path / "d") and made.json["operator_key"].startswith("th_op_") and made.err == ""
    assert tenterhook("init", "--data", tmp_path / "d", "--json").expect(0).json["operator_key"] is None
    ran = tenterhook("init", "--data", "/proc/none", "--json").expect(64)
    assert "/proc/none" in json.loads(ran.err)["error"]
    assert tenterhook("config", "check", "--json").expect(0).json["valid"] is True
    assert json.loads(tenterhook("config", "check", "--listen", "x", "--json").expect(64).err)["exit"] == 64


def verdicts(ran):
    return {(row["check"], row["verdict"]) for row in ran.json}


def test_doctor_looks_at_machine_and_server(cli):
    ran = cli("doctor", "--json", "--data", cli.server.data, "--resolve", "localhost")
    seen = verdicts(ran)
    for check in ("configuration", "permissions", "database", "disk speed", "DNS", "server", "key"):
        assert (check, "ok") in seen, ran.out
    cli.server.data.chmod(0o755)
    ran = cli("doctor", "--json", "--data", cli.server.data, "--resolve", "localhost").expect(1)
    assert ("permissions", "fail") in verdicts(ran) and "chmod 700" in ran.out
    cli.server.stop()
    assert ("server", "fail") in verdicts(cli("doctor", "--json", "--data", cli.server.data).expect(1))


def test_doctor_asks_only_whether_the_server_is_ready(cli, receiver):
    """Without any key, as a container's health check does."""
    at = {"TENTERHOOK_KEY": "", "TENTERHOOK_SERVER": f"http://127.0.0.1:{cli.server.port}"}
    assert tenterhook("doctor", "--ready", env=at).expect(0).out == "ready\n"
    with receiver(answer=lambda _: Reply(503, body=b'{"status":503,"detail":"the disk is full"}')) as sick:
        ran = tenterhook("doctor", "--ready", "--server", f"http://127.0.0.1:{sick.port}").expect(1)
        assert "not ready: the disk is full" in ran.err and sick.requests[0].header("authorization") is None
    assert tenterhook("doctor", "--ready", "https://example.com", env=at).expect(64)
    cli.server.stop()
    assert tenterhook("doctor", "--ready", env=at).status not in (0, 1)


# SQLite's locks of the log's index in the file *-shm: the marks of readers.
READ_MARKS, MARKS = 123, 5


def test_doctor_does_not_call_a_locked_database_broken(cli):
    with open(cli.server.data / "tenterhook.db-shm", "r+b") as index:
        fcntl.lockf(index, fcntl.LOCK_EX, MARKS, READ_MARKS)
        ran = cli("doctor", "--json", "--data", cli.server.data)
    found = next(row for row in ran.json if row["check"] == "database")
    assert found["verdict"] == "note" and "another process keeps it locked" in found["text"], ran.out
    assert "backup" not in found["advice"]


@pytest.mark.parametrize("status", [200, 401, 404, 500, 502])
def test_doctor_knows_another_service_from_the_server_and_asks_it_nothing_more(receiver, status):
    stranger = receiver(answer=lambda request: Reply(status=status, body=b"{}"))
    env = {"TENTERHOOK_SERVER": stranger.url().rsplit("/", 1)[0], "TENTERHOOK_KEY": KEY}
    assert "is not Tenterhook" in tenterhook("doctor", "we_1", env=env).expect(1).out
    assert [request.target for request in stranger.requests] == ["/readyz"]


def test_doctor_says_why_an_endpoint_gets_nothing(cli, receiver):
    target = receiver(answer=lambda request: Reply(status=301))
    made = cli("endpoints", "create", target.url(), "--json").json
    ran = cli("doctor", made["id"], "--json", "--send").expect(1)
    assert {("1 accessible", "ok"), ("2 answers 2xx", "fail"), ("3 https", "note"), ("5 active", "ok")} <= verdicts(ran)
    assert "redirects are not followed" in ran.out
    cli("endpoints", "pause", made["id"]).expect(0)
    target.close()
    ran = cli("doctor", made["id"], "--json", "--send").expect(1)
    assert {("1 accessible", "fail"), ("2 answers 2xx", "fail"), ("5 active", "fail")} <= verdicts(ran)
    cli("doctor", "we_nothing").expect(1)
    key = cli("keys", "create", "default", "--scope", "events:publish").expect(0).out.strip()
    assert ("endpoint", "fail") in verdicts(cli("doctor", made["id"], "--json", env={"TENTERHOOK_KEY": key}).expect(1))


def dialects():
    return sorted(path.stem for path in (ROOT / "dialects").glob("*.yaml"))


@pytest.mark.parametrize("dialect", dialects())
def test_doctor_sends_nothing_unless_it_is_asked_to(cli, receiver, dialect, tmp_path):
    """And then webhook.test, which no receiver takes for an event of its own, whatever types the vendor has."""
    cli("tenants", "put", "customer", "--dialect", dialect).expect(0)
    shown = cli.api.get(f"/v1/dialects/{dialect}").expect(200).json
    types = [row["type"] for row in (shown.get("catalogue") or {}).get("types") or []][:1] or ["order.cancelled"]
    target = receiver()
    (tmp_path / "secret").write_text("0123456789abcdef0123456789abcdef")
    secret = ("--secret-file", tmp_path / "secret") if shown["secret"]["source"] == "customer" else ()
    made = cli("endpoints", "create", target.url(), "--event", types[0], *secret, "--tenant", "customer", "--json")
    if shown["endpoint"]["https"] == "always":
        assert "must use https" in made.expect(1).err
        return
    made.expect(0)
    endpoint = str(made.json["id"])
    for state in ("resume", "pause"):
        cli("endpoints", state, endpoint, "--tenant", "customer").expect(0)
        ran = cli("doctor", endpoint, "--tenant", "customer", "--json")
        assert ("2 answers 2xx", "note") in verdicts(ran) and "--send" in ran.out
    assert target.requests == []
    assert cli.api.get("/v1/events", headers={"Tenterhook-Tenant": "customer"}).json["data"] == []
    ran = cli("doctor", endpoint, "--tenant", "customer", "--json", "--send")
    assert ("2 answers 2xx", "ok") in verdicts(ran), ran.out
    assert len(target.requests) == 1
    attempts = cli.api.as_tenant("customer").pages("/v1/attempts?include_tests=true")
    assert [row["event_type"] for row in attempts] == ["webhook.test"]
    again = cli("doctor", endpoint, "--tenant", "customer", "--json")
    assert ("2 answers 2xx", "ok") in verdicts(again) and "the last attempt" in again.out and len(target.requests) == 1
    if dialect in ("taskboard", "tsanet"):  # it is no event of theirs
        assert "catalogue" in cli("send", "webhook.test", "--tenant", "customer").expect(1).err


def test_doctor_shows_the_certificate_chain(cli, tls_receiver, certificates):
    good = tls_receiver()
    ran = tenterhook("doctor", good.url(), "--ca-file", certificates.ca).expect(0)
    assert "CN=receiver (by CN=tests" in ran.out and "https" in ran.out
    assert "certificate" in tenterhook("doctor", good.url(), "--json").expect(1).out
    wrong = tls_receiver(cert={"names": "DNS:other.example"})
    assert "mismatch" in tenterhook("doctor", wrong.url(), "--ca-file", certificates.ca).expect(1).out.lower()


# ---- the page about commands ----

def test_the_page_about_commands_is_true(cli, receiver, tmp_path):
    """All blocks marked sh of docs/cli.md, in order, in one shell that stops at the first failure."""
    page = (ROOT / "docs" / "cli.md").read_text()
    blocks = [block.split("```", 1)[0] for block in page.split("```sh\n")[1:]]
    assert len(blocks) >= 6
    env = clean_env({"TENTERHOOK_SERVER": f"http://127.0.0.1:{cli.server.port}", "TENTERHOOK_KEY": KEY, "RECEIVER": receiver().url(),
                     "DATA": str(cli.server.data), "PATH": f"{binary_path().parent}:{os.environ['PATH']}"})
    done = subprocess.run(["bash", "-euxc", "\n".join(blocks)], cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "first difference at byte" in done.stdout  # what explain finds


def test_the_page_about_commands_names_every_command():
    page = (ROOT / "docs" / "cli.md").read_text()
    pages = list((ROOT / "packaging" / "man").glob("tenterhook-*.1"))
    assert len(pages) > 20
    for folder in pages:
        name = folder.stem.removeprefix("tenterhook-")
        assert f"tenterhook {name}" in page or f"`{name}" in page or name in ("init", "version", "dialect"), name


def test_the_servers_own_key_is_used_on_loopback_only(cli):
    own = {"TENTERHOOK_KEY": "", "TENTERHOOK_ADMIN_KEY": KEY}
    cli("events", env=own).expect(0)
    ran = cli("events", "--server", f"http://127.0.0.1.nip.invalid:{cli.server.port}", env=own)
    assert ran.status == 69 and "in the clear" not in ran.err


def placeholders(row, given):
    """The arguments of a command, as many as it must have."""
    words = [word for word in row["arguments"].split() if not word.startswith("[")]
    return [given.get(word, "x") for word in words]


def test_no_command_takes_a_url_for_the_server(cli, receiver):
    """Whoever writes --url means the URL of an endpoint: taken for the server it would get the operator's key."""
    customer = receiver()
    endpoint = cli("endpoints", "create", receiver().url("/a"), "--json").expect(0).json["id"]
    asked = 0
    for row in tenterhook("help", "--json").json:
        if "--server" not in {option["name"] for option in row["options"]}:
            continue
        asked += 1
        verb = [row["verb"]] if row["verb"] else []
        ran = cli(row["name"], *verb, *placeholders(row, {"ID": endpoint}), "--url", customer.url("/b"))
        if (row["name"], row["verb"]) == ("endpoints", "update"):
            ran.expect(0)
            assert cli("endpoints", "show", endpoint, "--json").json["url"] == customer.url("/b")
        else:
            assert "--server URL" in ran.expect(64).err, row
    assert asked > 25
    assert "endpoints create URL" in cli("endpoints", "create", "--url", customer.url()).expect(64).err
    assert "doctor URL" in cli("doctor", "--url", customer.url()).expect(64).err
    assert customer.requests == []


def test_an_endpoint_gets_another_url(cli, receiver):
    old, new = receiver(), receiver()
    endpoint = cli("endpoints", "create", old.url("/a"), "--json").expect(0).json["id"]
    assert cli("endpoints", "update", endpoint, "--url", new.url("/b"), "--json").expect(0).json["url"] == new.url("/b")
    assert cli("endpoints", "update", endpoint, "--set-url", new.url("/c"), "--json").expect(0).json["url"] == new.url("/c")
    assert old.requests == [] and new.requests == []


def test_a_url_that_is_looked_at_gets_no_key(cli, receiver):
    customer = receiver()
    ran = cli("doctor", customer.url())
    assert f"127.0.0.1 port {customer.port}: connected" in ran.out and customer.connections > 0, ran.out
    assert customer.requests == []


@pytest.mark.parametrize("host", ["192.0.2.1", "[2001:db8::1]", "10.0.0.1", "169.254.1.1", "[::ffff:192.0.2.1]"])
@pytest.mark.parametrize("command", [("events",), ("send", "a.b"), ("doctor",), ("tail",), ("export",), ("import", "/dev/null")])
def test_no_key_goes_to_another_machine_in_the_clear(tmp_path, host, command):
    """192.0.2.0/24 and 2001:db8::/32 are of nobody: with the key sent, the command would wait for an answer."""
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    for env, option in (({"TENTERHOOK_KEY": KEY}, ()), ({}, ("--key-file", tmp_path / "key")), ({"TENTERHOOK_KEY_FILE": str(tmp_path / "key")}, ())):
        ran = tenterhook(*command, *option, "--server", f"http://{host}:8420", env=env)
        if command[0] == "import":
            ran.expect(65)  # the file is read first, and is none
        elif command[0] == "doctor":
            assert "address or the key" in ran.expect(1).out and "--insecure" in ran.err
        else:
            assert "--insecure" in ran.expect(64).err and "https://" in ran.err


def own_address():
    """An address of this machine that is not loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return probe.getsockname()[0]


def test_insecure_lets_the_key_go(tmp_path):
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"data":[]}')

        def log_message(self, *args):
            pass

    with http.server.HTTPServer((own_address(), 0), Handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        url = f"http://{other.server_address[0]}:{other.server_address[1]}"
        for name in ("TENTERHOOK_SERVER", "TENTERHOOK_URL"):
            tenterhook("events", env={"TENTERHOOK_KEY": KEY, name: url}).expect(64)
        assert seen == []
        tenterhook("events", "--server", url, env={"TENTERHOOK_ADMIN_KEY": KEY}).expect(0)
        assert seen == [None]  # the server's own key is for this machine's server only
        tenterhook("events", "--server", url, "--insecure", env={"TENTERHOOK_KEY": KEY}).expect(0)
        assert seen[1:] == [f"Bearer {KEY}"]
        other.shutdown()


def test_the_variable_of_before_names_the_server_still(cli):
    url = f"http://127.0.0.1:{cli.server.port}"
    tenterhook("events", env={"TENTERHOOK_KEY": KEY, "TENTERHOOK_URL": url}).expect(0)
    tenterhook("events", env={"TENTERHOOK_KEY": KEY, "TENTERHOOK_URL": "http://127.0.0.1:1", "TENTERHOOK_SERVER": url}).expect(0)


def test_dev_keeps_a_named_directory_and_leaves_no_dead_endpoint(server, tmp_path):
    for _ in range(2):
        tenterhook("dev", "--once", "--data", tmp_path / "kept").expect(0)
    again = server(data=tmp_path / "kept")
    assert again.api.pages("/v1/webhooks") == []
    assert len(again.api.get("/v1/events").json["data"]) == 2


# ---- lists of what is rare ----

@pytest.fixture
def sparse():
    """A server that looks at many rows for none: pages without end, each after 50 ms. Gives its address and what was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            threading.Event().wait(0.05)
            body = json.dumps({"data": [], "next_cursor": f"c{len(asked)}"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as it:
        threading.Thread(target=it.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{it.server_port}", asked
        it.shutdown()


@pytest.mark.parametrize("command, filters", [("deliveries", ("--status", "failed")), ("events", ("--outcome", "timeout")),
                                              ("attempts", ("--status-code", "503"))])
def test_a_list_of_what_is_rare_ends_and_says_where_to_go_on(sparse, command, filters):
    url, asked = sparse
    env = {"TENTERHOOK_SERVER": url, "TENTERHOOK_KEY": KEY, "TENTERHOOK_TENANT": "t"}
    ran = tenterhook(command, *filters, env=env, timeout_s=20).expect(0)
    asked = [path for path in asked if f"/v1/{command}" in path]
    assert 1 <= len(asked) <= 5  # a fifth of a second, and the page that was under way
    (cursor,) = re.findall(r"--cursor (\w+)", ran.err)
    assert "among the newest" in ran.out
    shown = tenterhook(command, *filters, "--cursor", cursor, "--json", env=env, timeout_s=20).expect(0).json
    assert shown["data"] == [] and shown["more"] is True and shown["next_cursor"] > "c"
