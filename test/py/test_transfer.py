"""export and import: tenants and endpoints as a file."""
import base64
import hashlib
import hmac
import json
import os
import pty
import select
import signal
import subprocess

import pytest

from harness.client import Api
from harness.command import KEY, tenterhook
from harness.expect import eventually
from harness.sealing import Sealed, hashed, opened
from harness.server import ROOT, binary_path, clean_env

URL = "http://127.0.0.1:9999/customer/%d"


@pytest.fixture
def write(tmp_path):
    """write(text) makes a file of it."""
    def make(text):
        path = tmp_path / "f.yaml"
        path.write_text(text)
        return path
    return make


def endpoints(count, tenant="default", more=""):
    """A file with so many endpoints."""
    return f"tenants:\n  - id: {tenant}\n    endpoints:\n" + "".join(f"      - url: {URL % n}\n{more}" for n in range(count))


def summary(ran):
    return json.loads(ran.out.splitlines()[-1])


def test_export_and_import_make_a_second_installation_like_the_first(cli, server, receiver, tmp_path):
    target, template = receiver(), tmp_path / "template.json"
    template.write_text('{"a": [{"$": "$.data.n"}, {"b": {"$join": ["x: ", {"$": "$.id"}], "with": "#"}}, null, "true", 1.50], "c": {}}')
    cli("tenants", "put", "acme", "--name", 'Acme "Inc": #1', "--dialect", "taskboard", "--attribute", "a=1").expect(0)
    cli("endpoints", "create", target.url(), "--tenant", "acme", "--event", "task.created").expect(0)
    cli("tenants", "put", "t", "--dialect", "tsanet").expect(0)
    cli("endpoints", "create", target.url(), "--tenant", "t").expect(0)
    cli("endpoints", "create", target.url(), "--description", "zwei: # 'x'\n- y", "--header", "X-A=true", "--metadata", "n=007",
        "--rate-limit", "2.5", "--event", "a.*", "--filter", "$[?@.data.a == 'b' && @.data.n > 1]", "--channel", "red",
        "--channel", "org/1", "--template", template, "--order", "$.data['a: b']", "--order-wait", "1h").expect(0)
    auth = tmp_path / "auth.json"
    auth.write_text('{"type": "basic", "username": "a: #b", "password": "yes"}'.replace(": #", " #"))
    cli("endpoints", "create", target.url(), "--order", "all", "--order-batch", "20", "--auth", auth).expect(0)
    file = tmp_path / "all.yaml"
    (tmp_path / "all.yaml.part").touch(0o644)  # of a run that was killed
    cli("export", "--to", file, "--secrets").expect(0)
    assert file.stat().st_mode & 0o777 == 0o600 and [path.name for path in tmp_path.glob("all*")] == ["all.yaml"]
    assert "secret" not in cli("export").expect(0).out
    assert "nothing was changed" in cli("import", file, "--dry-run").expect(0).out
    assert "0 created, 0 changed" in cli("import", file).expect(0).out
    other = server()
    env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{other.port}", "TENTERHOOK_KEY": other.admin_key}
    assert "6 to create" in tenterhook("import", file, "--dry-run", env=env).expect(0).out
    assert other.api.pages("/v1/webhooks") == []
    assert "6 created" in tenterhook("import", file, env=env).expect(0).out
    assert "0 created, 0 changed" in tenterhook("import", "-", env=env, stdin=file.read_text()).expect(0).out
    assert tenterhook("export", "--secrets", env=env).expect(0).out == file.read_text()
    (moved,) = [row for row in other.api.pages("/v1/webhooks") if "filter" in row]
    assert moved["filter"] == "$[?@.data.a == 'b' && @.data.n > 1]" and moved["channels"] == ["red", "org/1"]
    assert moved["ordering"] == {"key": "$.data['a: b']", "max_wait": "1h"}
    assert [row["ordering"] for row in other.api.pages("/v1/webhooks") if "ordering" in row and "filter" not in row] == [{"key": None, "max_wait": None, "batch": 20}]
    assert [row["authentication"] for row in other.api.pages("/v1/webhooks") if "authentication" in row] == [json.loads(auth.read_text())]
    assert moved["template"] == json.loads(template.read_text())


@pytest.mark.parametrize("dialect", ["stripe", "svix", "tiro"])
def test_secrets_that_a_dialect_makes_are_moved_too(cli, server, tmp_path, dialect):
    """The receivers have them already: with others their requests would not verify any more."""
    cli("tenants", "put", "t", "--dialect", dialect).expect(0)
    cli("endpoints", "create", URL % 1, "--tenant", "t", "--event", "order.created").expect(0)
    cli("export", "t", "--secrets", "--to", tmp_path / "t.yaml").expect(0)
    other = server()
    env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{other.port}", "TENTERHOOK_KEY": other.admin_key}
    assert "2 to create" in tenterhook("import", tmp_path / "t.yaml", "--dry-run", env=env).expect(0).out
    assert "2 created" in tenterhook("import", tmp_path / "t.yaml", env=env).expect(0).out
    assert tenterhook("export", "t", "--secrets", env=env).expect(0).out == (tmp_path / "t.yaml").read_text()


def test_export_says_which_tenant_is_not_there_and_which_secrets_it_could_not_read(cli):
    assert '"nobody"' in cli("export", "default", "nobody").expect(1).err
    cli("tenants", "put", "g", "--dialect", "github").expect(0)
    cli("endpoints", "create", URL % 1, "--tenant", "g", "--event", "push").expect(0)
    assert "1 secret is not shown again" in cli("export", "g", "--secrets").expect(0).err
    assert "secret" not in cli("export", "g").expect(0).err


def test_export_is_there_as_json_too(cli, write):
    cli("endpoints", "create", URL % 1, "--event", "a.*").expect(0)
    ran = cli("export", "default", "--json").expect(0)
    tenant, = ran.json["tenants"]
    assert tenant["id"] == "default" and tenant["endpoints"][0]["events"] == ["a.*"]
    assert "0 created, 0 changed, 2 as" in cli("import", write(ran.out)).expect(0).out


def test_any_text_comes_back_as_it_was(cli, server, tmp_path):
    """What YAML would fold, refuse or take for something else."""
    texts = ["\u0085\u2028\u2029\ufeff\u009b\u007f\u00a0", "\U0001f600 \u00fc", "yes", "007", "1e3", "~", " a  b ", "# no", "a: b", "'\"\\/", "-",
             "\t\n\r\n", "{x}", "*a", "&a", "!t", "%d", "@x", "`x"]
    cli.api.put("/v1/tenants/odd", {"name": texts[0], "dialect": "standard"}).expect(201)
    for text in texts:
        cli.api.request("POST", "/v1/webhooks", json.dumps({"url": URL % 1, "description": text, "metadata": {"k": text}}).encode(),
                        {"Content-Type": "application/json", "Tenterhook-Tenant": "odd"}).expect(201)
    file = tmp_path / "odd.yaml"
    cli("export", "odd", "--to", file).expect(0)
    assert "0 to create, 0 to change" in cli("import", file, "--dry-run").expect(0).out
    other = server()
    env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{other.port}", "TENTERHOOK_KEY": other.admin_key}
    tenterhook("import", file, env=env).expect(0)
    made = other.api.as_tenant("odd").get("/v1/webhooks").json["data"]
    assert [row["description"] for row in reversed(made)] == texts
    assert [row["metadata"]["k"] for row in reversed(made)] == texts
    assert other.api.get("/v1/tenants/odd").json["name"] == texts[0]


def test_import_changes_only_what_differs(cli, receiver, write):
    target = receiver()
    made = cli("endpoints", "create", target.url(), "--description", "old", "--json").json
    file = write(f"tenants:\n  - id: default\n    endpoints:\n      - url: {target.url()}\n        description: new\n"
                 f"      - url: {target.url()}2\n        active: false\n")
    ran = cli("import", file).expect(0)
    assert "~ endpoint" in ran.out and "description" in ran.out and "+ endpoint" in ran.out
    assert cli("endpoints", "show", made["id"], "--json").json["description"] == "new"
    assert len(cli("endpoints", "--json").json["data"]) == 2


def test_values_differ_by_what_they_mean(cli, write):
    file = write(f"""tenants:
  - id: default
    endpoints:
      - url: {URL % 1}
        events: [b.*, a.*]
        metadata: {{z: "1", a: "\\u00e9"}}
        rate_limit_per_second: 2.50
        description:
""")
    cli("import", file).expect(0)
    assert "0 created, 0 changed, 2 as they should be" in cli("import", file).expect(0).out


def test_endpoints_with_one_url_are_told_apart(cli, write):
    """Each row of the file takes the one that is nearest, whatever the order."""
    for event in ("a.*", "b.*", "c.*"):
        cli("endpoints", "create", URL % 1, "--event", event).expect(0)
    rows = "tenants:\n  - id: default\n    endpoints:\n" + "".join(
        f"      - {{url: '{URL % 1}', events: [{event}], description: {word}}}\n" for event, word in (("c.*", "third"), ("b.*", "second")))
    cli("import", write(rows)).expect(0)
    shown = {row["events"][0]: row["description"] for row in cli("endpoints", "--json").json["data"]}
    assert shown["b.*"] == "second" and shown["c.*"] == "third" and not shown["a.*"]


@pytest.mark.parametrize("text, word", [
    ("tenants: [", "f.yaml"), ("tenant: []", "unknown key"), ("tenants: []\nx: 1", "f.yaml:2"), ("tenants:\n  - name: x", "without id"),
    ("tenants:\n  - id: default\n    endpoints:\n      - events: []", "f.yaml:4"),
    ("tenants:\n  - id: a\n  - id: a", "f.yaml:3"), ("tenants:\n  - id: a\n    endpoint: []", "unknown key \"endpoint\""),
    ("tenants:\n  - id: a\n    endpoints: {}", "must be a list"), ("tenants:\n  - id: a\n    endpoints: [x]", "must be a map"),
    ("tenants:\n  - id: {" + ", ".join(f"k{n}: 1" for n in range(4097)) + "}", "4096 keys"),
])
def test_import_says_what_is_wrong_with_a_file(cli, write, text, word):
    assert word in cli("import", write(text)).expect(65).err


def test_a_fault_at_the_end_of_a_file_is_found_before_anything_is_done(cli, write):
    cli("import", write(endpoints(3) + "  - name: x\n")).expect(65)
    assert cli("endpoints", "--json").json["data"] == []


BAD = f"""tenants:
  - id: fresh
    endpoints:
      - url: {URL % 1}
      - url: ftp://x
      - url: {URL % 2}
        timeout: 3
  - id: other
    dialect: nonesuch
    endpoints:
      - url: {URL % 3}
"""


def test_a_dry_run_finds_what_the_server_would_refuse_and_where(cli, write):
    ran = cli("import", write(BAD), "--dry-run", "--json").expect(1)
    errors = [json.loads(line)["error"] for line in ran.err.splitlines()]
    assert [error.split(":", 2)[1] for error in errors] == ["5", "6", "8"]
    assert "https://" in errors[0] and " timeout: " in errors[1] and " dialect: " in errors[2]
    assert summary(ran) == {"done": False, "dry_run": True, "created": 2, "changed": 0, "kept": 0, "refused": 3, "left": 0}
    assert {row["id"] for row in cli("tenants", "--json").json["data"]} == {"default", "operator"}


def test_a_dry_run_says_exactly_what_is_done_then(cli, write):
    cli("endpoints", "create", URL % 1, "--description", "old").expect(0)
    file = write(endpoints(4) + f"  - id: more\n    dialect: tsanet\n    endpoints:\n      - callbackUrl: {URL % 9}\n")
    dry, real = cli("import", file, "--dry-run", "--json").expect(0), cli("import", file, "--json").expect(0)
    assert dry.out.splitlines()[:-1] == real.out.splitlines()[:-1]
    assert {**summary(dry), "dry_run": False} == summary(real)


def test_a_dry_run_checks_endpoints_of_a_dialect_that_no_tenant_has_yet(cli, write):
    cli("tenants", "delete", "default", "--yes")  # whoever is asked, it is not this one
    file = write("tenants:\n  - id: new\n    dialect: slack\n    endpoints:\n"
                 f"      - {{url: {URL % 1}, events: [message]}}\n"
                 "      - {url: 'https://receiver.example.com/', events: [message]}\n"
                 "      - {url: 'https://receiver.example.com/', events: ['*']}\n")
    ran = cli("import", file, "--dry-run", "--json").expect(1)
    errors = [json.loads(line)["error"] for line in ran.err.splitlines()]
    assert [error.split(":", 2)[1] for error in errors] == ["5", "7"] and "https" in errors[0] and "events" in errors[1]
    assert summary(ran)["created"] == 2 and summary(ran)["refused"] == 2


def test_a_dry_run_knows_what_a_tenant_gets_that_names_no_dialect(server, write):
    other = server(flags=["--default-dialect", "taskboard"])
    env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{other.port}", "TENTERHOOK_KEY": other.admin_key}
    file = write("tenants:\n  - id: new\n    name: New\n    endpoints:\n      - {url: 'https://receiver.example.com/', events: [card.created]}\n")
    for flags in (["--dry-run"], []):
        assert "f.yaml:5: events[0]: is not an event type of this catalogue" in tenterhook("import", file, *flags, env=env).expect(1).err


def test_what_was_done_is_said_and_a_second_run_finishes(cli, write):
    ran = cli("import", write(BAD)).expect(1)
    assert "f.yaml:5" in ran.err and "stopped: 2 created, 0 changed, 0 as they should be, 4 not reached" in ran.out
    mended = BAD.replace("ftp://x", "http://127.0.0.1:9999/y").replace("        timeout: 3\n", "").replace("nonesuch", "standard")
    assert "4 created, 0 changed, 2 as they should be" in cli("import", write(mended)).expect(0).out
    assert "0 created, 0 changed, 6 as they should be" in cli("import", write(mended)).expect(0).out


def test_a_server_that_dies_half_way_loses_nothing_and_doubles_nothing(server, write, tmp_path):
    running = server()
    file = write(endpoints(400))

    def env():
        return clean_env({"TENTERHOOK_SERVER": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": KEY})
    with open(tmp_path / "out", "w") as out:
        work = subprocess.Popen([binary_path(), "import", file, "--json"], env=env(), stdout=out, stderr=subprocess.PIPE, text=True)
        eventually(lambda: len((tmp_path / "out").read_text().splitlines()) > 40)
        running.kill()
        _, said = work.communicate(timeout=60)
    lines = (tmp_path / "out").read_text().splitlines()
    last = json.loads(lines[-1])
    assert work.returncode == 69 and "f.yaml:" in said
    assert last["done"] is False and last["created"] == len(lines) - 2 and last["left"] > 0
    running.start()
    done = summary(tenterhook("import", file, "--json", env=env()).expect(0))
    assert done["kept"] + done["created"] == 401 and done["kept"] >= last["created"] + 1
    assert len(tenterhook("endpoints", "--json", env=env()).json["data"]) == 400


def test_a_platforms_file(cli, write):
    """Larger than what a person writes: 10,000 endpoints, compared in seconds; over 64 MiB is refused."""
    text = endpoints(10000, more="        description: " + "x" * 200 + "\n")
    assert len(text) > 2 << 20
    done = summary(cli("import", write(text), "--dry-run", "--json", timeout_s=120).expect(0))
    assert (done["created"], done["kept"]) == (10000, 1)
    assert "larger than" in cli("import", write("#" + " " * (64 << 20)), "--dry-run").expect(66).err


def test_a_rate_that_the_operator_has_set_is_kept(server, write, tmp_path):
    running = server(flags=["--tenant-rate", "5"])
    env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": running.admin_key}
    tenterhook("import", write(endpoints(15)), env=env).expect(0)
    tenterhook("export", "--secrets", "--to", tmp_path / "all.yaml", env=env).expect(0)
    assert 429 in [running.api.get("/v1/webhooks").status for _ in range(20)], "no rate was in force"


def test_progress_and_the_time_that_is_left_are_shown(cli, write):
    """On a terminal, with standard output elsewhere; and Ctrl-C ends after what is under way."""
    ours, theirs = pty.openpty()
    file = write(endpoints(3000))
    env = clean_env({"TENTERHOOK_SERVER": f"http://127.0.0.1:{cli.server.port}", "TENTERHOOK_KEY": KEY})
    work = subprocess.Popen([binary_path(), "import", file], env=env, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    text = ""
    while "s left" not in text:
        assert select.select([ours], [], [], 30)[0], text
        text += os.read(ours, 65536).decode()
    work.send_signal(signal.SIGINT)
    out, _ = work.communicate(timeout=30)
    os.close(ours)
    assert work.returncode == 1 and "stopped: " in out and "not reached" in out
    made = int(out.split("stopped: ")[1].split()[0])
    assert len(cli("endpoints", "--json").json["data"]) == made > 0


# ---- what is moved is moved whole, in every dialect ----

ALL = sorted(path.stem for path in (ROOT / "dialects").glob("*.yaml"))
FIELD = {"tsanet": ("callbackUrl", "eventTypes")}
TYPES = {"taskboard": "task.created", "tsanet": "note.created", "techwriter": "document.published", "tiro": "note.created"}


def described(api, dialect):
    """A creation that says everything, and the secret in it: one that this dialect made or would have taken."""
    shown = api.get(f"/v1/dialects/{dialect}").expect(200).json
    url, events = FIELD.get(dialect, ("url", "events"))
    wire = {native: name for name, native in shown["api"].get("fields", {}).items()}
    types = [row["type"] for row in shown["catalogue"].get("types", [])]
    body = {url: "https://hooks.example.com/moved", events: types[:1] or ["a.b"],
            wire.get("active", "active"): False, wire.get("description", "description"): "from elsewhere",
            wire.get("headers", "headers"): {"X-Own": "kept-as-it-was"}}
    form, size = shown["secret"]["form"], max(shown["secret"]["min"], 32)
    random = bytes(range(100, 132))
    secret = {"whsec": "whsec_" + base64.b64encode(random).decode(), "base64": base64.b64encode(random).decode(),
              "hex": random.hex(), "whsk": "whsk_" + base64.b64encode(bytes(range(32))).decode()}.get(form, "Moved-secret_" + "x" * size)
    return {**body, "secret": secret[:shown["secret"]["max"]] if form in ("text", "token") else secret}


def current_secret(running, hook):
    """Out of the database: some dialects show it never."""
    running.stop()
    with Sealed(running.data) as sealed:
        key = hashed((running.data / "secret.key").read_text().strip())
        found = [opened(key, aad, one).decode() for _, aad, one in sealed.secrets()]
    running.start()
    return found


def test_what_is_moved_keeps_its_secret_in_every_dialect(server):
    running = server()
    given = []
    for dialect in ALL:
        running.api.put(f"/v1/tenants/{dialect}", {"name": dialect, "dialect": dialect}).expect(201)
        api, body = running.api.as_tenant(dialect), described(running.api, dialect)
        made = api.post("/v1/webhooks?moved=true", body).expect(200, 201).json
        assert made.get("secret", body["secret"]) == body["secret"], dialect
        assert api.get(f"/v1/webhooks/{made['id']}").expect(200).json["active"] is False, dialect
        given.append(body["secret"])
        # what cannot be taken is refused, not left out
        for more in ({"signing_secret": "x"}, {"secret": ""}, {"headers": {"Content-Length": "1"}}):
            api.post("/v1/webhooks?moved=true", {**body, **more}).expect(400, 422)
        api.post("/v1/webhooks?moved=true&dry_run=true", {**body, "signing_secret": "x"}).expect(400, 422)
    assert current_secret(running, None) == given


def test_import_keeps_the_secrets_of_tsanet(server, receiver, write):
    """The vendor's clients cannot give a secret; who moves an endpoint can, and it signs what is sent."""
    running, target = server(), receiver()
    env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": running.admin_key}
    text = f"""\
tenants:
  - id: t
    dialect: tsanet
    endpoints:
      - callbackUrl: {target.url()}
        secret: the-secret-that-the-receiver-has-0123456789
        headers: {{X-Own: kept-as-it-was}}
"""
    wrong = write(text.replace("secret: the", "signingSecret: the"))
    refused = tenterhook("import", wrong, "--dry-run", env=env)
    assert refused.status != 0 and "signingSecret" in refused.err + refused.out
    assert tenterhook("import", wrong, env=env).status != 0
    assert running.api.as_tenant("t").get("/v1/webhooks").json == []
    tenterhook("import", write(text), env=env).expect(0)
    running.api.as_tenant("t").post("/v1/events", {"type": "note.created", "data": {"a": 1}}).expect(202)
    request = target.wait_for(1)[0]
    want = hmac.new(b"the-secret-that-the-receiver-has-0123456789", request.body, hashlib.sha256).hexdigest()
    assert request.header("X-Hub-Signature-256") == f"sha256={want}" and request.header("X-Own") == "kept-as-it-was"
    # the vendor's own clients are told nothing new: what they cannot set is ignored
    key = running.api.post("/v1/tenants/t/keys", {"scopes": ["webhooks:manage"]}).expect(201).json["key"]
    made = Api(running.port, key).post("/v1/webhooks", {"callbackUrl": target.url("/2"), "secret": "ignored", "x": 1}).expect(200).json
    assert made["secret"] != "ignored"
    assert Api(running.port, key).post("/v1/webhooks?moved=true", {"callbackUrl": target.url("/3"), "secret": "x" * 40}).status == 403
