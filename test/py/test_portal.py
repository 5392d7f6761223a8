"""The portal: links that open it once, what its token may do and what not, how both end, and what its files say."""
import json
import re

import pytest

from harness.command import tenterhook
from harness.expect import deliveries, eventually, pointers, problem
from harness.receiver import Reply
from harness.server import ROOT
from harness.stream import Stream
from test_audit import lines
from test_operator_keys import BODIES, INCLUDES, ROUTES, ask, filled, made, objects
from test_pages import fetch

READ, MANAGE, SECRETS = "webhooks:read", "webhooks:manage", "webhooks:secrets"
ORIGIN = "https://app.example.com"


def link(api, tenant="acme", scopes=(READ,), **more):
    return api.post(f"/v1/tenants/{tenant}/portal-links", {"scopes": list(scopes), **more}).expect(201).json


def token_of(made_link):
    return made_link["url"].split("#")[1]


def opened(api, tenant="acme", scopes=(READ,), **more):
    """An API that speaks as the portal's page does."""
    answer = api.with_key(token_of(link(api, tenant, scopes, **more))).post("/v1/portal/sessions").expect(201)
    portal = api.with_key(answer.json["token"])
    portal.session = answer.json
    return portal


@pytest.fixture
def running(server):
    made_server = server(flags=["--portal-origin", ORIGIN, "--portal-origin", "http://localhost:3000"])
    made_server.api.put("/v1/tenants/acme", {"name": "Acme"}).expect(201)
    return made_server


# ---- links ----

def test_a_link_opens_once_and_leaves_no_token_behind(running):
    api = running.api
    one = link(api, scopes=[MANAGE], expires_in=60)
    assert re.fullmatch(rf"http://127\.0\.0\.1:{running.port}/portal/#th_plink_[\w-]{{43}}", one["url"])
    assert one["state"] == "waiting" and one["scopes"] == [READ, MANAGE] and one["used_at"] is None and one["from"] is None
    by_link = api.with_key(token_of(one))
    for method, path in (("GET", "/v1/webhooks"), ("GET", "/v1/portal/sessions/current"), ("POST", "/v1/sessions"), ("GET", "/v1/tenants")):
        problem(by_link.request(method, path), 401)  # it is good for one thing only
    answer = by_link.post("/v1/portal/sessions").expect(201)
    assert answer.header("Cache-Control") == "no-store" and answer.header("Set-Cookie") is None
    session = answer.json
    assert session["token"].startswith("th_ptl_") and session["id"] == one["id"] and session["scopes"] == [READ, MANAGE]
    assert (session["dialect"], session["theme"], session["return_url"], session["idle_seconds"]) == ("standard", {}, None, 3600)
    portal = api.with_key(session["token"])
    assert portal.get("/v1/portal/sessions/current").expect(200).json == {k: v for k, v in session.items() if k != "token"}
    (row,) = api.get("/v1/tenants/acme/portal-links").expect(200).json["data"]
    assert (row["id"], row["state"], row["from"]) == (one["id"], "open", "127.0.0.1") and not {"url", "token"} & set(row)
    # a second use: refused, and whoever was first is out, because one of the two was not meant to have it
    assert "used already" in problem(by_link.post("/v1/portal/sessions"), 401)["detail"]
    problem(portal.get("/v1/webhooks"), 401)
    problem(by_link.post("/v1/portal/sessions"), 401)
    assert token_of(one) not in running.text() and session["token"] not in running.text()


def test_how_it_ends(running):
    api = running.api
    # by its page, by its id
    portal = opened(api)
    portal.delete("/v1/portal/sessions/current").expect(204)
    problem(portal.get("/v1/webhooks"), 401)
    portal, waiting = opened(api), link(api)
    api.delete(f"/v1/tenants/acme/portal-links/{portal.session['id']}").expect(204)
    api.delete(f"/v1/tenants/acme/portal-links/{waiting['id']}").expect(204)
    problem(portal.get("/v1/webhooks"), 401)
    problem(api.with_key(token_of(waiting)).post("/v1/portal/sessions"), 401)
    problem(api.delete(f"/v1/tenants/acme/portal-links/{waiting['id']}"), 404)
    # of another tenant it cannot be ended
    api.put("/v1/tenants/other", {"name": "o"}).expect(201)
    portal = opened(api)
    problem(api.delete(f"/v1/tenants/other/portal-links/{portal.session['id']}"), 404)
    portal.get("/v1/webhooks").expect(200)
    # with the key that made the link
    key = made(api, "admin")
    by_key, unopened = opened(api.with_key(key["key"])), link(api.with_key(key["key"]))
    stream = Stream(by_key, "/v1/attempts/stream")
    api.delete(f"/v1/keys/{key['id']}").expect(204)
    problem(by_key.get("/v1/webhooks"), 401)
    problem(api.with_key(token_of(unopened)).post("/v1/portal/sessions"), 401)
    assert eventually(lambda: next(stream)).event == "end"
    # a stream ends with its token
    stream = Stream(portal, "/v1/attempts/stream")
    portal.delete("/v1/portal/sessions/current").expect(204)
    last = next(stream)
    assert (last.event, last.data) == ("end", {"reason": "session_ended"})
    # with its tenant, for good: one of the same id is another tenant
    portal, unopened = opened(api), link(api)
    api.delete("/v1/tenants/acme").expect(204)
    problem(portal.get("/v1/webhooks"), 401)
    api.put("/v1/tenants/acme", {"name": "Acme again"}).expect(201, 409)
    problem(portal.get("/v1/webhooks"), 401)
    problem(api.with_key(token_of(unopened)).post("/v1/portal/sessions"), 401)


def test_a_restart_ends_links_and_tokens(server):
    """As docs/portal.md says: a link that was used can never be used again, so none of them is kept."""
    running = server()
    running.api.put("/v1/tenants/acme", {"name": "Acme"}).expect(201)
    waiting, portal = link(running.api), opened(running.api)
    running.kill()
    running.start()
    for token, method, path in ((token_of(waiting), "POST", "/v1/portal/sessions"), (portal.key, "GET", "/v1/webhooks")):
        problem(running.api.with_key(token).request(method, path), 401)
    assert running.api.get("/v1/tenants/acme/portal-links").json["data"] == []
    opened(running.api).get("/v1/webhooks").expect(200)


def test_who_may_make_links(running):
    api = running.api
    for role, status in (("read-only", 403), ("support", 403), ("admin", 201)):
        assert api.with_key(made(api, role)["key"]).post("/v1/tenants/acme/portal-links", {"scopes": [READ]}).status == status, role
    tenant_key = api.post("/v1/tenants/acme/keys", {"scopes": [MANAGE]}).json["key"]
    problem(api.with_key(tenant_key).post("/v1/tenants/acme/portal-links", {"scopes": [READ]}), 403)
    problem(opened(api, scopes=[SECRETS]).post("/v1/tenants/acme/portal-links", {"scopes": [READ]}), 403)
    problem(api.post("/v1/tenants/nobody/portal-links", {"scopes": [READ]}), 404)
    for key in (api, api.with_key(tenant_key)):  # keys have no session of the portal
        problem(key.post("/v1/portal/sessions"), 403)
        problem(key.get("/v1/portal/sessions/current"), 403)
    session = api.post("/v1/sessions").expect(201)
    cookie = {"Cookie": session.header("Set-Cookie").split(";")[0], "Tenterhook-Csrf": session.json["csrf_token"]}
    assert "the key itself" in problem(api.with_key(None).request("POST", "/v1/tenants/acme/portal-links", {"scopes": [READ]}, cookie), 403)["detail"]
    # a cookie is never a token of the portal, nor the other way round
    portal = opened(api)
    problem(api.with_key(None).request("GET", "/v1/webhooks", None, {"Cookie": f"tenterhook_session={portal.key}"}), 401)


REFUSED = [
    ({}, ["/scopes"]), ({"scopes": []}, ["/scopes"]), ({"scopes": ["events:publish"]}, ["/scopes/0"]), ({"scopes": [READ], "expires_in": 29}, ["/expires_in"]),
    ({"scopes": [READ], "expires_in": 604801}, ["/expires_in"]), ({"scopes": [READ], "theme": []}, ["/theme"]), ({"scopes": [READ], "theme": {"css": "x"}}, ["/theme/css"]),
    *[({"scopes": [READ], "theme": {"accent": bad}}, ["/theme/accent"]) for bad in ("red", "#fff", "#12345", "#1234567", "#12345g", "#123456;}", "url(x)", "var(--x)", "#12345\n")],
    *[({"scopes": [READ], "theme": {"radius": bad}}, ["/theme/radius"]) for bad in (-1, 17, "8px", 1.5)],
    *[({"scopes": [READ], "theme": {"logo": bad}}, ["/theme/logo"]) for bad in ("https://evil.example/x.png", "data:image/svg+xml;base64,AAAA", "data:text/html;base64,AAAA", "javascript:alert(1)",
        "data:image/png;base64,", "data:image/png;base64,A\"A=", "data:image/png;base64,AAA", "data:image/png,AAAA", "data:image/png;base64," + "A" * 12288)],
    ({"scopes": [READ], "theme": {"lang": "fr"}}, ["/theme/lang"]), ({"scopes": [READ], "theme": {"mode": "x"}}, ["/theme/mode"]), ({"scopes": [READ], "theme": {"name": "n" * 65}}, ["/theme/name"]),
    *[({"scopes": [READ], "return_url": bad}, ["/return_url"]) for bad in ("https://evil.example/", "https://app.example.com.evil.example/", "https://app.example.com@evil.example/", "https://app.example.com:444/",
        "http://app.example.com/", "//app.example.com/", "/back", "javascript:alert(1)", "https://app.example.com\\@evil.example/", "https://app.example.com\t.evil.example/", "https://APP.example.com/", "https://app.example.com\n", " https://app.example.com/")],
]


def test_what_a_link_refuses(running):
    for body, where in REFUSED:
        answer = running.api.post("/v1/tenants/acme/portal-links", body)
        assert answer.status == 422 and pointers(answer) == where, (body, answer)


def test_what_a_link_takes(running):
    theme = {"accent": "#7a2E6b", "accent_dark": "#d9a3cf", "ground": "#ffffff", "ground_dark": "#101010", "radius": 16, "logo": "data:image/png;base64,iVBORw0KGgo=", "name": "Tally \"works\" <b>", "lang": "de", "mode": "dark"}
    for back in (ORIGIN, ORIGIN + "/settings?x=1#y", "http://localhost:3000/a"):
        portal = opened(running.api, theme=theme, return_url=back)
        assert (portal.session["theme"], portal.session["return_url"]) == (theme, back)


def test_without_origins_nothing_leads_back(server):
    running = server()
    refused = problem(running.api.post("/v1/tenants/default/portal-links", {"scopes": [READ], "return_url": ORIGIN}), 422)
    assert "portal_origins" in refused["errors"][0]["detail"]
    assert "frame-ancestors 'none'" in fetch(running, "/portal/").header("Content-Security-Policy") and fetch(running, "/portal/").header("X-Frame-Options") == "DENY"


def test_the_address_of_links(server):
    running = server(flags=["--portal-url", "https://hooks.example.com"])
    assert link(running.api, "default")["url"].startswith("https://hooks.example.com/portal/#th_plink_")
    other = server()
    problem(other.api.request("POST", "/v1/tenants/default/portal-links", {"scopes": [READ]}, {"Host": "a\"b"}), 400)
    for flag, wrong in (("--portal-url", "hooks.example.com"), ("--portal-url", "https://x.example/path"), ("--portal-origin", "https://*.example.com"), ("--portal-origin", "https://a.example/"),
                        ("--portal-origin", "'none'"), ("--portal-origin", "https://A.example"), ("--portal-origin", "https://a.example; script-src *")):
        assert tenterhook("serve", flag, wrong).status == 64, wrong


# ---- what it may do ----

FORBIDDEN = {"DELETE /v1/events/{id}", "POST /v1/events/{id}/cancel"}  # a key that manages may; events are the publisher's
OF_SECRETS = {"GET /v1/webhooks/{id}/secret", "POST /v1/webhooks/{id}/rotate-secret", "DELETE /v1/webhooks/{id}/secret/previous"}


@pytest.mark.parametrize("scope", [READ, MANAGE, SECRETS])
def test_each_scope_on_every_route(running, receiver, scope):
    """Every route of the document, so a new one too: what the scope includes is served, all else is 403, and a publication never is."""
    target = receiver().url()
    includes = INCLUDES["webhooks:read" if scope == READ else "webhooks:manage"]
    ids = objects(running.api, target, False)
    portal = opened(running.api, scopes=[scope])
    for name, (_, needed) in ROUTES.items():
        method, path = name.split(" ")
        allowed = needed in includes and name not in FORBIDDEN and (scope == SECRETS or name not in OF_SECRETS)
        if allowed:
            ids = objects(running.api, target, "previous" in name)
        answer = ask(portal, method, filled(path, ids), BODIES.get(name, {} if method == "POST" else None))
        over = name.endswith("/cancel") and answer.status == 409  # it has ended
        assert (200 <= answer.status < 300 or over) if allowed else answer.status == 403, (scope, name, answer)


def test_no_route_leads_to_another_tenant(running, receiver):
    """The same routes with ids of another tenant: 404, whatever stands in the header, and nothing has changed."""
    api = running.api
    ids = objects(api, receiver().url(), True)  # acme's
    api.put("/v1/tenants/neighbour", {"name": "n"}).expect(201)
    acme, portal = api.as_tenant("acme"), opened(api, "neighbour", [SECRETS])
    kept = [f"/v1/webhooks/{ids['/v1/webhooks']}", f"/v1/webhooks/{ids['/v1/webhooks']}/secret", f"/v1/events/{ids['/v1/events']}", f"/v1/deliveries/{ids['/v1/deliveries']}", f"/v1/replays/{ids['/v1/replays']}", "/v1/webhooks", "/v1/events", "/v1/deliveries"]
    eventually(lambda: acme.get(f"/v1/replays/{ids['/v1/replays']}").json["state"] == "done" and not deliveries(acme, status="pending,retrying"))
    before, asked = [acme.get(path).expect(200).json for path in kept], 0
    for name, (_, needed) in ROUTES.items():
        method, path = name.split(" ")
        if needed not in ("webhooks:read", "webhooks:manage"):
            continue
        body = BODIES.get(name, {} if method == "POST" else None)
        if "{id}" in path:
            answer = portal.request(method, filled(path, ids), body)
            assert answer.status == (403 if name in FORBIDDEN else 404), (name, answer)
            asked += 1
        if not path.endswith("/stream"):
            assert portal.request(method, filled(path, ids), body, {"Tenterhook-Tenant": "acme"}).status == 403, name
        elif method == "GET":
            assert ask(portal.as_tenant("acme"), method, path, None).status == 403, name
    assert asked >= 16
    for path in ("/v1/deliveries", "/v1/attempts", "/v1/events", "/v1/webhooks", "/v1/endpoint-health", "/v1/replays", f"/v1/deliveries?endpoint={ids['/v1/webhooks']}", f"/v1/deliveries?event={ids['/v1/events']}",
                 f"/v1/attempts?event={ids['/v1/events']}", f"/v1/endpoint-health?endpoint={ids['/v1/webhooks']}"):
        answer = portal.get(path)
        assert answer.status == 404 or answer.expect(200).json["data"] == [], (path, answer.json)
    answer = portal.get("/v1/endpoint-health?tenant=acme")
    assert answer.status in (403, 404) or answer.json["data"] == [], answer
    assert portal.get("/v1/stats").expect(200).json["total"]["attempts"] == 0 if "total" in portal.get("/v1/stats").json else True
    assert [acme.get(path).expect(200).json for path in kept] == before


def test_it_is_in_the_audit_log(running, receiver):
    key = made(running.api, "admin", "Backend of Tally")
    portal = opened(running.api.with_key(key["key"]), scopes=[MANAGE])
    hook = portal.post("/v1/webhooks", {"url": receiver().url()}).expect(201).json["id"]
    problem(portal.get(f"/v1/webhooks/{hook}/secret"), 403)
    portal.delete("/v1/portal/sessions/current").expect(204)
    mine = lambda: [line for line in lines(running) if portal.session["id"] in (line["session"], line["object"])]
    rows = eventually(lambda: mine() if len(mine()) == 5 else None, 5)
    assert [row["operation"] for row in rows] == ["createPortalLink", "openPortal", "createWebhook", "getSecrets", "leavePortal"]
    assert {(row["key"], row["key_name"], row["tenant"]) for row in rows} == {(key["id"], "Backend of Tally", "acme")}
    assert [row["result"] for row in rows] == ["done", "done", "done", "refused", "done"]


def test_links_of_one_tenant_push_out_their_own_only(running):
    api = running.api
    api.put("/v1/tenants/other", {"name": "o"}).expect(201)
    other, first = opened(api, "other"), opened(api)
    for _ in range(64):
        link(api)
    problem(first.get("/v1/webhooks"), 401)
    other.get("/v1/webhooks").expect(200)
    assert len(api.get("/v1/tenants/acme/portal-links").json["data"]) == 64


def test_the_command(running):
    def command(*words):
        return tenterhook("portal-link", "acme", *words, env={"TENTERHOOK_SERVER": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": running.admin_key})

    made_link = command("--scope", MANAGE, "--theme", '{"name":"Tally"}', "--return-url", ORIGIN + "/x", "--expires-in", "1h")
    assert made_link.status == 0, made_link.err
    token = made_link.out.strip().split("#")[1]
    session = running.api.with_key(token).post("/v1/portal/sessions").expect(201).json
    assert (session["scopes"], session["theme"], session["return_url"]) == ([READ, MANAGE], {"name": "Tally"}, ORIGIN + "/x")
    assert command("--theme", "x").status == 64
    assert json.loads(command("--json").out)["scopes"] == [READ]


# ---- files ----

def test_its_files_say_who_may_frame_them(running):
    for path in ("/portal/", "/portal/endpoints/new", "/portal/portal/app.js", "/portal/origins.json", "/portal/nothing.js"):
        answer = fetch(running, path)
        policy = answer.header("Content-Security-Policy")
        assert policy.split("frame-ancestors ")[1] == f"{ORIGIN} http://localhost:3000" and "script-src 'self'" in policy and "trusted-types 'none'" in policy, path
        assert answer.header("X-Frame-Options") is None and answer.header("X-Content-Type-Options") == "nosniff" and answer.header("Set-Cookie") is None
    assert "frame-ancestors 'none'" in fetch(running, "/ui/").header("Content-Security-Policy") and fetch(running, "/ui/").header("X-Frame-Options") == "DENY"
    assert fetch(running, "/portal/origins.json").json == {"origins": [ORIGIN, "http://localhost:3000"]}
    assert fetch(running, "/portal/embed.js").header("Cross-Origin-Resource-Policy") == "cross-origin"
    assert fetch(running, "/portal/portal/app.js").header("Cross-Origin-Resource-Policy") == "same-origin"
    moved = fetch(running, "/portal")
    assert (moved.status, moved.header("Location")) == (308, "/portal/")
    assert fetch(running, "/portalx").header("Content-Type") == "application/problem+json"


def texts(language):
    from harness import programs

    script = f"import t from {json.dumps((ROOT / 'ui' / 'portal' / (language + '.js')).as_uri())}; console.log(JSON.stringify(t))"
    ran = programs.run([programs.tool("node", "nodejs"), "--input-type=module", "-e", script], ROOT)
    assert ran.returncode == 0, ran.stdout
    return json.loads(ran.stdout)


def test_languages_have_the_same_texts():
    english, german = texts("en"), texts("de")
    assert set(english["pages"]) == set(german["pages"])
    holes = lambda text: sorted(re.findall(r"\{\w+\}", text))
    assert english["pages"] and english["shared"] and all(text and holes(text) == holes(german["pages"][name]) for name, text in english["pages"].items())
    assert set(english["shared"]) <= set(german["shared"]) and all(holes(text) == holes(german["shared"][text]) for text in german["shared"])
    code = "\n".join(path.read_text() for path in (ROOT / "ui").glob("*.js"))
    used = {text for call in re.findall(r"\bw\(((?:n === 1 \? )?'(?:[^'\\]|\\.)+'(?: : '(?:[^'\\]|\\.)+')?)", code) for text in re.findall(r"'((?:[^'\\]|\\.)+)'", call)}
    assert len(used) > 100 and used <= set(german["shared"]), used - set(german["shared"])
    pages = "\n".join(path.read_text() for path in (ROOT / "ui" / "portal").glob("*.js") if path.name not in ("en.js", "de.js"))
    named = {name for call in re.findall(r"\bt\(([^()]*?)[,)]", pages) for name in re.findall(r"'([a-z_0-9]+)'", call.split("=== '")[0] if "? '" not in call else call.split("?", 1)[1])}
    assert len(named) > 100 and {name for name in named if name not in ("why_", "final_status", "expired")} <= set(english["pages"]), named - set(english["pages"])


# ---- in the browser ----

class Host:
    """The platform: a page with the element in it, and one of another origin that frames what it can."""

    def __init__(self, page):
        import http.server
        import threading

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = page(self.path).encode()
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def example_page(server, link_url):
    """The page of docs/portal.md, with the addresses of this run, and a note of what it hears."""
    (page,) = re.findall(r"```html\n(.*?)```", (ROOT / "docs" / "portal.md").read_text(), re.S)
    note = "<script>window.seen = []; for (const n of ['ready', 'at', 'ended']) addEventListener('tenterhook-' + n, (e) => seen.push(['tenterhook-' + n, e.detail]));</script>"
    return page.replace("https://hooks.example.com/portal/#…", link_url).replace("https://hooks.example.com", server).replace("<body>", "<body>" + note)


STRANGER = """<!doctype html><title>x</title><script>window.seen = []; addEventListener('message', (e) => seen.push(e.data));</script>
<iframe src="%(server)s/portal/#%(token)s"></iframe><iframe src="%(server)s/ui/"></iframe>
<script>setInterval(() => { for (const f of document.querySelectorAll('iframe')) f.contentWindow.postMessage({ tenterhook: 'hello' }, '*'); }, 50);</script>"""


class Customer:
    """A server with a tenant that has something of everything, in words that would run as script where they could."""

    def __init__(self, server, receiver, *flags):
        from test_pages import evil

        self.target = receiver(answer=lambda request: Reply(200, body=evil("answer").encode(), headers=[("Content-Type", "text/html"), ("X-Planted", evil("answer header"))]))
        self.server = server(flags=["--portal-origin", ORIGIN, *flags])
        api = self.api = self.server.api
        api.put("/v1/tenants/acme", {"name": "Acme"}).expect(201)
        api.put("/v1/event-types/evil.event", {"description": evil("type"), "example": {"note": evil("example")}, "schema": {"title": evil("schema")}}).expect(201)
        self.acme = api.as_tenant("acme")
        self.hook = self.acme.post("/v1/webhooks", {"url": self.target.url("/evil?x=%3Cscript%3E"), "description": evil("description") + "\u202etxt", "headers": {"X-Evil": evil("header")}}).expect(201).json["id"]
        self.paused = self.acme.post("/v1/webhooks", {"url": self.target.url("/paused"), "active": False}).expect(201).json["id"]
        self.event = self.acme.post("/v1/events", {"type": "evil.event", "data": {"note": evil("data"), "\u202edlrow": 1}}).expect(202).json["id"]
        self.delivery = eventually(lambda: deliveries(self.acme, event=self.event, status="delivered"))[0]["id"]

    def paths(self):
        return ["", "endpoints/new", f"endpoints/{self.hook}", f"endpoints/{self.hook}?view=verify", f"endpoints/{self.hook}?view=delete", f"endpoints/{self.hook}/edit", f"endpoints/{self.paused}",
                "deliveries", "deliveries?status=failed", f"deliveries/{self.delivery}", "events", f"events/{self.event}", "types", "nowhere", "endpoints/we_01HZZZZZZZZZZZZZZZZZZZZZZZ"]


def test_the_portal_in_a_browser(server, receiver):
    from test_pages import run_flow

    target = receiver()
    running = server(flags=["--portal-origin", ORIGIN])
    for tenant in ("acme", "globex"):
        running.api.put(f"/v1/tenants/{tenant}", {"name": tenant}).expect(201)
    running.api.as_tenant("globex").post("/v1/webhooks", {"url": target.url("/globex")}).expect(201)
    running.api.put("/v1/event-types/invoice.paid", {"description": "Paid in full", "example": {"amount": 12.5}}).expect(201)
    running.api.put("/v1/event-types/old.type", {"archived": True}).expect(201)
    look = link(running.api)
    links = {"manage": link(running.api, scopes=[MANAGE], theme={"name": "Tallyworks", "accent": "#ffee00", "lang": "en"}, return_url=ORIGIN + "/settings")["url"], "look": look["url"],
             "secrets": link(running.api, "globex", [SECRETS], theme={"lang": "de", "accent": "#7a2e6b", "mode": "dark"})["url"]}

    def answer(what):
        if what == "end":
            running.api.delete(f"/v1/tenants/acme/portal-links/{look['id']}").expect(204)
        else:
            event = running.api.as_tenant("acme").post("/v1/events", {"type": "invoice.paid", "data": {"n": 1}}).expect(202).json["id"]
            eventually(lambda: deliveries(running.api.as_tenant("acme"), event=event, status="delivered"))

    run_flow("portal", {"server": f"http://127.0.0.1:{running.port}", "links": links, "target": target.url("/mine")}, answer)


def test_the_portal_by_keyboard_alone(server, receiver):
    from test_pages import run_flow

    target, running = receiver(), server()
    running.api.put("/v1/tenants/acme", {}).expect(201)
    acme = running.api.as_tenant("acme")

    def publish(_):
        event = acme.post("/v1/events", {"type": "invoice.paid", "data": {"n": 1}}).expect(202).json["id"]
        eventually(lambda: deliveries(acme, event=event, status="delivered"))

    run_flow("keyboard_portal", {"link": link(running.api, scopes=[MANAGE])["url"], "target": target.url("/keys")}, publish)


def test_explaining_a_signature_in_the_portal(server, receiver):
    from test_pages import pasted, run_flow

    target, running = receiver(), server()
    running.api.put("/v1/tenants/acme", {}).expect(201)
    acme = running.api.as_tenant("acme")
    hook = acme.post("/v1/webhooks", {"url": target.url("/")}).expect(201).json
    acme.post("/v1/events", {"type": "invoice.paid", "data": {"n": 1}}).expect(202)
    (request,) = target.wait_for(1)
    run_flow("explain", {"link": link(running.api)["url"], "endpoint": hook["id"], "request": pasted(request), "secret": hook["secret"]})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 900, 1400])
def test_every_page_of_the_portal_is_accessible_and_fits(server, receiver, scheme, width):
    from test_pages import run_flow

    world = Customer(server, receiver)
    logo = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    themes = [{"lang": "en"}, {"lang": "de", "accent": "#f0f000", "ground": "#333333", "ground_dark": "#eeeeee", "radius": 16, "logo": logo, "name": "<b>Tally</b>"}, {"lang": "de", "accent": "#010101", "radius": 0, "mode": scheme}]
    run_flow("portal_pages", {"server": "", "links": [link(world.api, scopes=[SECRETS], theme=theme, return_url=ORIGIN)["url"] for theme in themes], "paths": world.paths(), "scheme": scheme, "width": width}, timeout_s=400)


def test_the_portal_in_a_frame(server, receiver):
    from test_pages import run_flow

    ports = {}
    pages = Host(lambda path: ports["host"] if path == "/host" else ports["stranger"] if path == "/stranger" else "")
    world = Customer(server, receiver, "--portal-origin", f"http://localhost:{pages.port}")
    at = f"http://127.0.0.1:{world.server.port}"
    one, for_stranger = link(world.api, scopes=[MANAGE], return_url=ORIGIN), link(world.api)
    ports["host"], ports["stranger"] = example_page(at, one["url"]), STRANGER % {"server": at, "token": token_of(for_stranger)}
    try:
        run_flow("portal_framed", {"server": at, "host": f"http://localhost:{pages.port}", "stranger": f"http://127.0.0.1:{pages.port}", "link": one["url"]})
        world.api.with_key(token_of(for_stranger)).post("/v1/portal/sessions").expect(201)  # the stranger's frame did not even open it
    finally:
        pages.close()
