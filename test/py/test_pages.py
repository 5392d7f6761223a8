"""The dashboard: what the server says with its files, and what people do with them in a real browser (test/browser/)."""
import gzip
import json
import os
import pathlib
import re
import subprocess

import pytest

from harness import programs
from harness.command import tenterhook
from harness.deliver import free_port
from harness.expect import deliveries, eventually, problem
from harness.receiver import Receiver, Reply
from harness.server import ROOT, Server
from test_languages import RUN

UI = ROOT / "ui"
WIDTHS, SCHEMES = (360, 900, 1400), ("light", "dark")
FIRST_PAGE = 80 * 1024  # bytes, compressed

# ---- files ----


def fetch(server, path, **headers):
    return server.api.with_key(None).request("GET", path, None, {name.replace("_", "-"): value for name, value in headers.items()})


def test_files_are_compressed_and_remembered(shared):
    for name in ("", "app.js", "tenterhook.css", "vendor/preact-htm.js", "icon.svg"):
        small = fetch(shared, f"/ui/{name}", Accept_Encoding="br, gzip").expect(200)
        plain = fetch(shared, f"/ui/{name}").expect(200)
        source = (UI / (name or "index.html")).read_bytes()
        assert small.header("Content-Encoding") == "gzip" and gzip.decompress(small.body) == source
        assert plain.header("Content-Encoding") is None and plain.body == source
        assert "Accept-Encoding" in small.header("Vary") and small.header("Cache-Control") == "no-cache"
        tags = [answer.header("ETag") for answer in (small, plain)]
        assert all(re.fullmatch(r'"[0-9a-f]{24}(-plain)?"', tag) for tag in tags) and tags[0] != tags[1]
        for tag, coding in zip(tags, ("gzip", "identity")):
            kept = fetch(shared, f"/ui/{name}", Accept_Encoding=coding, If_None_Match=f'"other", W/{tag}')
            assert (kept.status, kept.body, kept.header("ETag")) == (304, b"", tag)
            assert fetch(shared, f"/ui/{name}", Accept_Encoding=coding, If_None_Match='"other"').status == 200
    assert fetch(shared, "/ui/app.js", Accept_Encoding="gzip;q=0").header("Content-Encoding") is None
    assert fetch(shared, "/ui/app.js", Accept_Encoding="gzip;q=0.5").header("Content-Encoding") == "gzip"


def test_every_answer_is_strict(shared):
    for path in ("/ui/", "/ui/app.js", "/ui/deliveries/dlv_x", "/ui/nothing.js", "/ui/../../etc/passwd.html"):
        answer = fetch(shared, path)
        policy = dict(part.strip().split(" ", 1) if " " in part.strip() else (part.strip(), "") for part in answer.header("Content-Security-Policy").split(";"))
        assert policy == {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' data:", "connect-src": "'self'",
                          "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'", "require-trusted-types-for": "'script'", "trusted-types": "'none'"}
        assert answer.header("X-Content-Type-Options") == "nosniff" and answer.header("X-Frame-Options") == "DENY"
        assert answer.header("Referrer-Policy") == "no-referrer" and answer.header("Set-Cookie") is None


def test_paths(shared):
    index = (UI / "index.html").read_bytes()
    moved = fetch(shared, "/ui")
    assert (moved.status, moved.header("Location")) == (308, "/ui/")
    for path in ("/ui/", "/ui/endpoints", "/ui/deliveries/dlv_01/", "/ui/tenants/a-b_c?x=1"):  # pages of the application
        assert fetch(shared, path).expect(200).body == index, path
    for path in ("/ui/nothing.js", "/ui/../app.js", "/ui/.git/config.js", "/ui/%2e%2e/x.js", "/ui/vendor/../app.js", "/ui/LICENSE.txt"):
        assert fetch(shared, path).status == 404, path
    for path in ("/uix", "/v1/ui", "/"):  # the API's
        assert fetch(shared, path).header("Content-Type") == "application/problem+json", path
    refused = shared.api.request("POST", "/ui/", {"a": 1})
    assert (refused.status, refused.header("Allow")) == (405, "GET, HEAD")
    head = shared.api.request("HEAD", "/ui/app.js")
    assert head.status == 200 and head.body == b""


def test_without_pages(server):
    running = server(flags=["--ui", "off"])
    assert problem(running.api.get("/ui/"), 404)["detail"] == "there is nothing at this path"
    running.api.get("/v1/tenants").expect(200)
    assert tenterhook("serve", "--ui", "perhaps").status == 64


def test_from_a_folder(server, tmp_path):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.html").write_text("<p>mine")
    (tmp_path / "secret.js").write_text("no")
    running = server(flags=["--ui-dir", str(tmp_path / "pages")])
    assert fetch(running, "/ui/endpoints").body == b"<p>mine"
    (tmp_path / "pages" / "index.html").write_text("<p>changed")
    changed = fetch(running, "/ui/")
    assert changed.body == b"<p>changed" and changed.header("Cache-Control") == "no-store" and "default-src 'none'" in changed.header("Content-Security-Policy")
    for path in ("/ui/app.js", "/ui/../secret.js", "/ui/%2e%2e/secret.js"):
        assert fetch(running, path).status == 404, path


def test_the_vendored_module_is_what_its_page_says():
    import hashlib

    said = (UI / "vendor" / "README.md").read_text()
    for name in ("preact-htm.js", "uplot.js", "uplot.css"):
        assert hashlib.sha256((UI / "vendor" / name).read_bytes()).hexdigest() in said, name
    assert "MIT" in (UI / "vendor" / "LICENSE.preact").read_text() and "Apache" in (UI / "vendor" / "LICENSE.htm").read_text() and "MIT" in (UI / "vendor" / "LICENSE.uplot").read_text()


def test_the_types_of_the_pages():
    """Their comments give types (JSDoc); the compiler reads all of them together, and makes nothing."""
    folder = browser_folder()
    files = {"extends": "./tsconfig.json", "include": [f"{UI}/**/*.js", f"{UI}/vendor/*.d.ts"], "exclude": [f"{UI}/vendor/*.js"]}
    (folder / "pages.json").write_text(json.dumps(files))
    read = programs.run([programs.tool("node", "nodejs"), "node_modules/typescript/bin/tsc", "-p", "pages.json", "--listFilesOnly"], folder)
    assert {path.name for path in UI.rglob("*.js") if path.parent.name != "vendor"} <= {pathlib.Path(line).name for line in read.stdout.split()}, read.stdout[-2000:]
    checked = programs.run([programs.tool("node", "nodejs"), "node_modules/typescript/bin/tsc", "-p", "pages.json"], folder)
    assert checked.returncode == 0, checked.stdout[-6000:]


# ---- in the browser ----

def browser_folder():
    programs.tool("chromium", "chromium")
    return programs.node_folder("browser", ROOT / "test" / "browser")


def run_flow(name, given, answer=None, timeout_s=240):
    """Runs one flow of test/browser/flows.mjs; `answer(what)` does what the flow asks the test for. Gives what it printed."""
    node, folder = programs.tool("node", "nodejs"), browser_folder()
    picture = os.environ.get("TENTERHOOK_PICTURES")
    if picture:
        given = {**given, "picture": str(pathlib.Path(picture) / f"{name}.png")}
    process = subprocess.Popen([node, "flows.mjs", name, json.dumps(given)], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, process_group=0)
    printed = []
    try:
        for line in process.stdout:
            if line.startswith("@"):
                if answer:
                    answer(line[1:].strip())
                process.stdin.write("done\n")
                process.stdin.flush()
            else:
                printed.append(line)
        _, errors = process.communicate(timeout=timeout_s)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()
    assert process.returncode == 0, errors[-6000:]
    return "".join(printed)


EVIL = '<img src=x onerror="planted(\'%s\')"><script>planted(\'%s\')</script>'


def evil(where):
    return EVIL % (where, where)


class World:
    """A server with everything in it: two tenants, endpoints in all states, deliveries of all kinds."""

    def __init__(self, data):
        self.receiver = Receiver(answer=self.answer)
        self.server = Server(data, flags=["--wrong-key-rate", "0"]).start()
        api = self.api = self.server.api
        self.key = self.server.admin_key
        self.refused = set()
        api.put("/v1/tenants/default", {"name": "Acme Inc."}).expect(200)
        api.put("/v1/tenants/globex", {"name": evil("tenant name"), "attributes": {"note": evil("attribute")}}).expect(201)
        self.globex = api.as_tenant("globex")
        url = self.receiver.url
        self.good = api.post("/v1/webhooks", {"url": url("/good"), "events": ["invoice.*"], "description": "billing to ledger", "headers": {"X-Env": "prod"},
                                              "metadata": {"team": "ledger"}}).expect(201).json["id"]
        self.paused = api.post("/v1/webhooks", {"url": url("/paused"), "events": ["order.shipped"], "active": False}).expect(201).json["id"]
        self.failing = api.post("/v1/webhooks", {"url": url("/down/" + "long/" * 30), "events": ["order.*"]}).expect(201).json["id"]
        self.gone = self.globex.post("/v1/webhooks", {"url": url("/gone"), "events": ["order.*"]}).expect(201).json["id"]
        self.planted = self.globex.post("/v1/webhooks", {"url": url("/evil?x=%3Cscript%3E"), "description": evil("description") + "\u202etxt", "metadata": {"note": evil("metadata")},
                                                         "headers": {"X-Evil": evil("header")}, "events": ["evil.*"]}).expect(201).json["id"]
        api.post("/v1/events/batch", [{"type": "invoice.created", "data": {"invoice": f"INV-{number}", "amount": 129.9}} for number in range(300)]).expect(202)
        self.retried = self.event(api, "invoice.paid", {"invoice": "INV-9", "lines": [{"no": 1, "text": "x" * 40} for _ in range(60)]})
        self.event(api, "order.created", {"order": 1})
        self.event(api, "order.shipped", {"order": 1})
        self.event(self.globex, "order.created", {"order": 2})
        self.event(self.globex, "evil.event", {"note": evil("data"), "\u202edlrow": 1}, resource_type="thing", resource_id="a-thing")
        key = self.globex.post("/v1/tenants/globex/keys", {"scopes": ["webhooks:read"], "description": evil("key")}).expect(201).json
        self.tenant_key = key["key"]
        self.keys = {role: api.post("/v1/keys", {"role": role, "name": evil("operator") if role == "admin" else role}).expect(201).json["key"] for role in ("read-only", "support", "admin")}
        self.delivered = eventually(lambda: deliveries(api, event=self.retried, status="delivered"), 30)[0]["id"]
        self.retrying = eventually(lambda: deliveries(api, endpoint=self.failing, status="retrying"))[0]["id"]
        self.evil = eventually(lambda: deliveries(self.globex, endpoint=self.planted, status="delivered"))[0]
        eventually(lambda: self.globex.get("/v1/endpoint-health?state=disabled").json["data"])
        eventually(lambda: not deliveries(api, endpoint=self.good, status="pending,retrying"), 60)
        self.globex.post(f"/v1/webhooks/{self.planted}/replay", {"since": "2020-01-01T00:00:00Z", "status": "delivered"}).expect(202)

    def event(self, api, kind, data, **more):
        return api.post("/v1/events", {"type": kind, "data": data, **more}).expect(202).json["id"]

    def answer(self, request):
        if request.target.startswith("/down"):
            return Reply(503, body=b"upstream connect error", headers=[("Retry-After", "3600")] if b"never" in request.body else [])
        if request.target == "/gone":
            return 410
        if request.target.startswith("/evil"):
            return Reply(200, body=evil("answer").encode(), headers=[("Content-Type", "text/html"), ("X-Planted", evil("answer header"))])
        if b"invoice.paid" in request.body and request.header("webhook-id") not in self.refused:
            self.refused.add(request.header("webhook-id"))
            return Reply(503, headers=[("Retry-After", "1")], body=b"once more")
        return Reply(200, body=b'{"received": true}')

    def given(self, **more):
        return {"server": f"http://127.0.0.1:{self.server.port}", "key": self.key, **more}

    def paths(self):
        """A name for each page → its address."""
        return {"overview": "", "endpoints": "endpoints", "endpoint": f"endpoints/{self.good}", "endpoint-failing": f"endpoints/{self.failing}", "endpoint-paused": f"endpoints/{self.paused}",
                "endpoint-disabled": f"endpoints/{self.gone}", "verify": f"endpoints/{self.good}?view=verify", "delete": f"endpoints/{self.good}?view=danger", "new": "endpoints/new",
                "edit": f"endpoints/{self.good}/edit", "events": "events", "event": f"events/{self.retried}", "deliveries": "deliveries", "deliveries-filtered": "deliveries?status=failed,retrying&since=2h",
                "deliveries-empty": "deliveries?type=nothing.here", "delivery": f"deliveries/{self.delivered}", "delivery-retrying": f"deliveries/{self.retrying}",
                "recovery": f"recovery?endpoint={self.good}&since=1h&status=delivered", "tenants": "tenants", "tenant": "tenants/globex", "keys": "settings", "sessions": "settings/sessions", "audit": "settings/audit", "audit-filtered": "settings/audit?result=refused", "nodes": "settings/nodes",
                "dialects": "settings/dialects", "dialect": "settings/dialects/standard", "values": "settings/values", "missing": "nowhere"}

    def close(self):
        self.server.kill()
        self.server.close()
        self.receiver.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("pages") / "data")
    yield made
    made.close()


def test_signing_in(world):
    run_flow("signing_in", world.given(tenantKey=world.tenant_key))


def test_a_link_that_signs_in(world):
    token = world.api.post("/v1/sessions/links").expect(201).json["token"]
    run_flow("link", world.given(token=token, delivery=world.delivered))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_accessible_and_fits(world, scheme, width):
    paths = world.paths()
    paths.pop("deliveries-filtered")
    run_flow("every_page", world.given(paths=list(paths.values()), scheme=scheme, width=width), timeout_s=400)


def test_overview(world):
    run_flow("overview", world.given(failing=world.failing))


def test_no_navigation_is_cut(world):
    paths = ["", "settings", f"endpoints/{world.good}", "tenants/default", "deliveries"]
    run_flow("navigation", world.given(paths=paths, widths=[360, 600, 640, 820, 900, 1024, 1060, 1061, 1100, 1200, 1240, 1241, 1340, 1341, 1400]))


def test_source_address_and_traces_of_an_endpoint(server, receiver):
    made, hook = server(flags=["--source-address", "office=127.0.0.1", "--source-address", "lab=127.0.0.2"]), receiver()

    def seen(said):
        row = made.api.get("/v1/webhooks").expect(200).json["data"][0]
        assert [str(row.get(k, "null")) for k in ("source_address", "trace_context")] == said.split()

    run_flow("origin", {"server": f"http://127.0.0.1:{made.port}", "key": made.admin_key, "target": hook.url("/o")}, seen)


def test_all_tenants(world):
    run_flow("all_tenants", world.given(), lambda _: world.event(world.globex, "evil.event", {"n": 1}))


def test_deliveries(world):
    run_flow("deliveries", world.given(), lambda _: world.event(world.api, "invoice.created", {"invoice": "live"}))


def test_the_attempt_viewer(world):
    run_flow("viewer", world.given(retrying=world.retrying, delivered=world.delivered))


def test_endpoint(world):
    run_flow("endpoint", world.given(target=world.receiver.url("/another")))


def test_recovery(world):
    run_flow("recovery", world.given(endpoint=world.good))


def test_administration(world):
    run_flow("administration", world.given(target=world.receiver.url("/initech")))


def test_roles(world):
    run_flow("roles", world.given(keys=world.keys, endpoint=world.good, delivered=world.delivered))


def test_keyboard_alone(world):
    run_flow("keyboard", world.given())


def test_forms_by_keyboard_alone(world):
    run_flow("keyboard_forms", world.given(target=world.receiver.url("/by-keyboard")))


def pasted(request):
    """A request as its receiver would paste it."""
    head = request.raw_head.decode("latin-1").rstrip("\r\n").replace("\r\n", "\n")
    return f"{head}\n\n{request.body.decode()}"


def test_explaining_a_signature(world):
    secret = world.api.get(f"/v1/webhooks/{world.good}/secret").expect(200).json["secrets"][0]["secret"]
    event = world.event(world.api, "invoice.created", {"invoice": "INV-explained"})
    request = next(r for r in world.receiver.wait_for(lambda all: any(r.header("webhook-id") == event for r in all)) if r.header("webhook-id") == event)
    run_flow("explain", world.given(endpoint=world.good, request=pasted(request), secret=secret))


def test_planted_script_is_text(world):
    paths = ["", "endpoints", f"endpoints/{world.planted}", f"endpoints/{world.planted}/edit", f"events/{world.evil['event']}", "events?tenant=globex", "deliveries?tenant=globex",
             f"deliveries/{world.evil['id']}", "tenants", "tenants/globex", "settings", "settings/sessions", "settings/audit", "settings/audit?operation=%3Cimg%20src%3Dx%3E&since=%3Cscript%3E", "deliveries?type=%3Cscript%3Eplanted(1)%3C%2Fscript%3E&since=%3Cimg%20src%3Dx%3E",
             "endpoints?q=%3Cimg%20src%3Dx%20onerror%3Dplanted(2)%3E", "nowhere/%3Cscript%3E", "settings/dialects/%3Cimg%20src%3Dx%3E"]
    # the texts of answers and data are shown in parts (JSON escapes): what is certain in them is their beginning
    texts = [EVIL[:20], "planted('tenant name')", "planted('description')", "planted('metadata')", "planted('answer')", "planted('answer header')", "planted('key')", "planted('operator')", "planted('data')", "planted('attribute')"]
    run_flow("planted", world.given(paths=paths, texts=texts))


def test_more_than_can_be_shown(world):
    run_flow("burst", world.given(), lambda _: world.api.post("/v1/events/batch", [{"type": "invoice.created", "data": {"n": n}} for n in range(200)]).expect(202))


def test_the_first_page_is_small(world):
    loaded = dict(json.loads(run_flow("size", world.given())))
    total = sum((len(fetch(world.server, path, Accept_Encoding="gzip").body) for path in loaded))
    assert {"/ui/", "/ui/app.js", "/ui/tenterhook.css", "/ui/pages/overview.js"} <= set(loaded)
    assert total <= FIRST_PAGE, (total, loaded)


def test_when_the_server_is_gone(tmp_path):
    made = World(tmp_path / "data")
    try:
        run_flow("gone", made.given(), lambda _: made.server.kill())
    finally:
        made.close()


# ---- the programs for receivers ----

LANGUAGES = {"node": "js"} | {name: name for name in ("python", "go", "java", "ruby", "php")}
WHOLE = """import { program, schemeOf } from %s;
const [language, dialect, url] = process.argv.slice(2);
process.stdout.write(program(language, JSON.parse(dialect), url, null) ?? '');
"""
SIGNED = ("standard", "svix", "stripe", "github", "slack", "zoom", "square", "shopify", "linear", "taskboard", "techwriter", "tsanet", "gitlab", "tiro", "cloudevents")


def program_of(language, dialect, url, folder):
    script = folder / "make.mjs"
    script.write_text(WHOLE % json.dumps((UI / "verify-code.js").as_uri()))
    made = programs.run([programs.tool("node", "nodejs"), script, language, json.dumps(dialect), url], folder)
    assert made.returncode == 0, made.stdout
    return made.stdout


def receiver_of(language, text, folder, port, secret):
    """The process of a receiver, and where it listens."""
    needs, name, compile_it, run = RUN[LANGUAGES[language]]
    programs.tool(*needs)
    words = {"what": "receive", "What": "Receive", "folder": folder}
    words["file"] = folder / name.format(**words)
    words["file"].write_text(text)
    env = {"GOCACHE": str(programs.work_folder("go") / "cache"), "GO111MODULE": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "PORT": str(port), "WEBHOOK_SECRET": secret}
    if compile_it:
        made = programs.run([part.format(**words) for part in compile_it], folder, env, timeout_s=400)
        assert made.returncode == 0, made.stdout
    command = ["php", "-S", f"127.0.0.1:{port}", str(words["file"])] if language == "php" else [part.format(**words) for part in run]
    return subprocess.Popen(command, env={**os.environ, **env}, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("language,dialect", [(language, dialect) for language in LANGUAGES for dialect in (SIGNED if language in ("node", "python") else ("standard", "stripe", "github", "shopify", "gitlab"))])
def test_the_program_verifies_what_is_sent(server, tmp_path, language, dialect):
    """What the page shows is run as it stands: it takes what the server sends, and refuses it with another secret."""
    needed = RUN[LANGUAGES[language]][0]
    programs.tool(*needed)
    running = server()
    attributes = {"target_id": "1", "target_type": "x", "instance": "x", "shop_domain": "x.example", "environment": "x", "client_id": "x", "source": "/x", "account": "a", "merchant_id": "m", "location_id": "l"}
    running.api.put("/v1/tenants/t", {"name": "T", "dialect": dialect, "attributes": attributes}).expect(201)
    api, port = running.api.as_tenant("t"), free_port()
    spec = running.api.get(f"/v1/dialects/{dialect}").expect(200).json
    native = {"Tenterhook-Form": "native"}
    kind = next((row["type"] for row in spec["catalogue"]["types"]), "invoice.paid")
    url = f"http://127.0.0.1:{port}/hook"
    made = api.request("POST", "/v1/webhooks", {"url": url, "events": [kind]}, native)
    if made.status == 422 and "https" in made.body.decode():
        pytest.skip("the dialect insists on https")
    hook = made.expect(201).json
    secret = hook.get("secret")
    text = program_of(language, spec, url, tmp_path)
    assert text, "a program for this dialect"
    for given, expected in ((secret, 204), (secret[:-6] + "AAAAA=" if secret.startswith("whsec_") else "0" * len(secret), 401)):
        process = receiver_of(language, text, tmp_path, port, given)
        try:
            eventually(lambda: listens(port), 60, "the receiver listens")
            sent = api.request("POST", f"/v1/webhooks/{hook['id']}/test", {"type": kind}, native)
            assert sent.status == 202, sent
            shown = eventually(lambda: (lambda d: d if d["attempts"] else None)(api.get(f"/v1/deliveries/{sent.json['id']}").json), 30)
            assert shown["attempts"][0]["status"] == expected, (given, shown["attempts"][0])
        finally:
            process.kill()
            process.wait()
        eventually(lambda: not listens(port), 10)


def listens(port):
    import socket

    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0
