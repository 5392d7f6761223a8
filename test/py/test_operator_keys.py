"""Operators' keys with a name and a role: what each role may do on each route, who may make and end them, and what stays secret."""
import json
import time

import pytest

from harness.client import Answer
from harness.command import tenterhook
from harness.expect import deliveries, eventually, pointers, problem
from harness.metrics import metrics
from harness.receiver import Reply
from harness.stream import Refused, Stream

ROLES = ("read-only", "support", "admin")
# The least role for each route, and the scope that a tenant's key needs (None: no tenant's key may; "any": each may).
ROUTES = {
    "POST /v1/events": ("admin", "events:publish"),
    "POST /v1/events/batch": ("admin", "events:publish"),
    "GET /v1/events": ("read-only", "webhooks:read"),
    "GET /v1/events/stream": ("read-only", "webhooks:read"),
    "GET /v1/events/{id}": ("read-only", "webhooks:read"),
    "GET /v1/events/{id}/matches": ("read-only", "webhooks:read"),
    "DELETE /v1/events/{id}": ("admin", "webhooks:manage"),
    "GET /v1/deliveries": ("read-only", "webhooks:read"),
    "GET /v1/attempts": ("read-only", "webhooks:read"),
    "GET /v1/attempts/stream": ("read-only", "webhooks:read"),
    "GET /v1/deliveries/{id}": ("read-only", "webhooks:read"),
    "POST /v1/deliveries/{id}/retry": ("support", "webhooks:manage"),
    "POST /v1/deliveries/{id}/cancel": ("support", "webhooks:manage"),
    "POST /v1/events/{id}/cancel": ("support", "webhooks:manage"),
    "GET /v1/webhooks": ("read-only", "webhooks:read"),
    "POST /v1/webhooks": ("admin", "webhooks:manage"),
    "GET /v1/webhooks/{id}": ("read-only", "webhooks:read"),
    "PATCH /v1/webhooks/{id}": ("admin", "webhooks:manage"),
    "DELETE /v1/webhooks/{id}": ("admin", "webhooks:manage"),
    "POST /v1/webhooks/{id}/test": ("support", "webhooks:manage"),
    "GET /v1/webhooks/{id}/deliveries": ("read-only", "webhooks:read"),
    "GET /v1/webhooks/{id}/secret": ("admin", "webhooks:manage"),
    "POST /v1/webhooks/{id}/rotate-secret": ("admin", "webhooks:manage"),
    "DELETE /v1/webhooks/{id}/secret/previous": ("admin", "webhooks:manage"),
    "POST /v1/webhooks/{id}/retry": ("support", "webhooks:manage"),
    "POST /v1/webhooks/{id}/replay": ("support", "webhooks:manage"),
    "POST /v1/webhooks/{id}/backfill": ("support", "webhooks:manage"),
    "GET /v1/replays": ("read-only", "webhooks:read"),
    "GET /v1/replays/{id}": ("read-only", "webhooks:read"),
    "DELETE /v1/replays/{id}": ("support", "webhooks:manage"),
    "GET /v1/tenants": ("read-only", None),
    "GET /v1/endpoint-health": ("read-only", "webhooks:read"),
    "PUT /v1/tenants/{tenant}": ("admin", None),
    "GET /v1/tenants/{tenant}": ("read-only", None),
    "DELETE /v1/tenants/{tenant}": ("admin", None),
    "POST /v1/tenants/{tenant}/keys": ("admin", None),
    "GET /v1/tenants/{tenant}/keys": ("read-only", None),
    "POST /v1/tenants/{tenant}/portal-links": ("admin", None),
    "GET /v1/tenants/{tenant}/portal-links": ("read-only", None),
    "DELETE /v1/tenants/{tenant}/portal-links/{id}": ("admin", None),
    "DELETE /v1/tenants/{tenant}/keys/{id}": ("admin", None),
    "POST /v1/keys": ("admin", None),
    "GET /v1/keys": ("read-only", None),
    "DELETE /v1/keys/{id}": ("admin", None),
    "POST /v1/sessions": ("read-only", None),
    "GET /v1/sessions": ("admin", None),
    "POST /v1/sessions/links": ("read-only", None),
    "GET /v1/sessions/current": ("read-only", None),
    "DELETE /v1/sessions/current": ("read-only", None),
    "DELETE /v1/sessions/{id}": ("admin", None),
    "GET /v1/config": ("admin", None),
    "GET /v1/nodes": ("read-only", None),
    "GET /v1/inboxes": ("read-only", None),
    "GET /v1/inboxes/rejected": ("read-only", None),
    "POST /v1/inboxes/rejected/{id}/retry": ("support", None),
    "DELETE /v1/inboxes/rejected/{id}": ("admin", None),
    "GET /v1/audit": ("admin", None),
    "POST /v1/templates/preview": ("read-only", "webhooks:read"),
    "POST /v1/webhooks/{id}/explain": ("read-only", "webhooks:read"),
    "GET /v1/event-types": ("read-only", "any"),
    "GET /v1/event-types/{type}": ("read-only", "any"),
    "GET /v1/event-types/{type}/usage": ("read-only", None),
    "PUT /v1/event-types/{type}": ("admin", None),
    "DELETE /v1/event-types/{type}": ("admin", None),
    "GET /v1/tenants/{tenant}/event-types": ("read-only", None),
    "GET /v1/tenants/{tenant}/event-types/{type}": ("read-only", None),
    "PUT /v1/tenants/{tenant}/event-types/{type}": ("admin", None),
    "DELETE /v1/tenants/{tenant}/event-types/{type}": ("admin", None),
    "GET /v1/stats": ("read-only", "webhooks:read"),
    "GET /v1/stats/sparks": ("read-only", "webhooks:read"),
    "GET /v1/search": ("read-only", None),
    "GET /v1/dialects": ("read-only", "any"),
    "GET /v1/dialects/{name}": ("read-only", "any"),
    "GET /v1/source-addresses": ("read-only", "any"),
}
OF_SESSION = {"GET /v1/sessions/current", "DELETE /v1/sessions/current"}  # 404 to a key: test_sessions.py
OF_REJECTED = {"POST /v1/inboxes/rejected/{id}/retry", "DELETE /v1/inboxes/rejected/{id}"}  # 404 without an inbox: test_inbox.py
OF_PORTAL = {"POST /v1/portal/sessions": "portal:link", "GET /v1/portal/sessions/current": "portal", "DELETE /v1/portal/sessions/current": "portal"}  # test_portal.py
PUBLIC = {"GET /livez", "GET /readyz", "GET /metrics", "GET /openapi.json", "GET /.well-known/jwks.json"}
SWITCHED = {"GET /catalogue", "GET /catalogue.json"}  # off in these tests: test_catalogue.py
INCLUDES = {"webhooks:manage": {"webhooks:manage", "webhooks:read", "any"}, "webhooks:read": {"webhooks:read", "any"},
            "events:publish": {"events:publish", "any"}, "answers:read": {"any"}}
BODIES = {"POST /v1/events": {"type": "a.b", "data": 1}, "POST /v1/events/batch": [{"type": "a.b", "data": 1}],
          "POST /v1/webhooks": {"url": "http://127.0.0.1:9999/new", "active": False}, "PATCH /v1/webhooks/{id}": {"description": "x"},
          "POST /v1/webhooks/{id}/backfill": {"since": "2020-01-01T00:00:00Z"}, "POST /v1/webhooks/{id}/explain": {"headers": {}},
          "POST /v1/webhooks/{id}/replay": {"since": "2020-01-01T00:00:00Z"}, "PUT /v1/tenants/{tenant}": {"name": "x"},
          "POST /v1/tenants/{tenant}/keys": {"scopes": ["webhooks:read"]}, "POST /v1/tenants/{tenant}/portal-links": {"scopes": ["webhooks:read"]}, "POST /v1/keys": {"role": "read-only", "name": "new"},
          "PUT /v1/event-types/{type}": {"description": "x"}, "PUT /v1/tenants/{tenant}/event-types/{type}": {"description": "x"},
          "POST /v1/templates/preview": {"template": {"n": {"$": "$.data"}}, "data": 1}}


def made(api, role, name="somebody", **more):
    """A new operator's key, as it is answered."""
    return api.post("/v1/keys", {"role": role, "name": name, **more}).expect(201).json


def objects(api, target, previous):
    """One of everything, for the parameters of paths; `previous`: the endpoint has two secrets."""
    api.put("/v1/tenants/acme", {"name": "Acme"}).expect(200, 201)
    api.put("/v1/event-types/c.d", {"group": "g"}).expect(200, 201)
    api.put("/v1/tenants/acme/event-types/c.d", {"group": "g"}).expect(200, 201)
    acme = api.as_tenant("acme")
    webhook = acme.post("/v1/webhooks", {"url": target, "headers": {"X-Token": "a-secret-header-value"}}).expect(201).json["id"]
    if previous:
        acme.post(f"/v1/webhooks/{webhook}/rotate-secret", {"overlap_seconds": 3600}).expect(200)
    event = acme.post("/v1/events", {"type": "a.b", "data": 1}).expect(202).json["id"]
    delivery = eventually(lambda: deliveries(acme, event=event, status="delivered"))[0]["id"]
    replay = acme.post(f"/v1/webhooks/{webhook}/replay", {"since": "2020-01-01T00:00:00Z"}).expect(202).json["id"]
    key = api.post("/v1/tenants/acme/keys", {"scopes": ["webhooks:read"]}).expect(201).json["id"]
    return {"/v1/events": event, "/v1/deliveries": delivery, "/v1/webhooks": webhook, "/v1/replays": replay,
            "/v1/tenants/{tenant}/keys": key, "/v1/tenants/{tenant}/portal-links": api.post("/v1/tenants/acme/portal-links", {"scopes": ["webhooks:read"]}).expect(201).json["id"],
            "/v1/keys": made(api, "read-only", "to be ended")["id"],
            "/v1/sessions": api.post("/v1/sessions").expect(201).json["id"], "/v1/inboxes/rejected": "1-1"}


def filled(path, ids):
    head, _, rest = path.partition("/{id}")
    if path == "/v1/search":
        return path + "?q=acme"
    if path == "/v1/stats/sparks":
        return path + "?endpoints=" + ids["/v1/webhooks"]
    return (head + "/" + ids[head] + rest if "{id}" in path else path).replace("{tenant}", "acme").replace("{name}", "standard").replace("{type}", "c.d")


def has_ended(name, answer):
    """Nothing is left to cancel, which is an answer to who may."""
    return name.endswith("/cancel") and answer.status == 409


def ask(key, method, path, body):
    """The answer; of a stream, which has no end, that it begins."""
    if not path.endswith("/stream"):
        return key.request(method, path, body)
    try:
        Stream(key, path).close()
    except Refused as refused:
        return Answer(refused.status, list(refused.headers.items()), refused.body)
    return Answer(200, [], b"")


def table(api):
    """Every row of the table of routes, by what the document of the API says."""
    paths = api.get("/openapi.json").expect(200).json["paths"]
    return {f"{method.upper()} {path}": row for path, rows in paths.items() for method, row in rows.items()
            if method in ("get", "post", "put", "patch", "delete")}


def test_every_route_says_its_role_and_scope(shared):
    """A new route fails this until it is decided who may use it."""
    rows = table(shared.api)
    assert set(rows) == set(ROUTES) | PUBLIC | SWITCHED | set(OF_PORTAL)
    for name, row in rows.items():
        said = [needed["key"] for needed in row["security"]]
        if name in PUBLIC | SWITCHED:
            assert said == [], name
            continue
        if name in OF_PORTAL:
            assert said == [[OF_PORTAL[name]]], name
            continue
        role, scope = ROUTES[name]
        assert said == ([] if scope is None else [[]] if scope == "any" else [[scope]]) + [[f"operator:{role}"]], name


@pytest.mark.parametrize("who", ["root", *ROLES])
def test_each_role_on_every_route(server, receiver, who):
    """Exactly what is documented: from the least role on it is served, below it is 403 that names the role, and nothing happens."""
    running = server()
    target = receiver().url()
    key = running.api if who == "root" else running.api.with_key(made(running.api, who)["key"])
    before = running.api.get("/v1/tenants").json
    for name, (role, _) in sorted(ROUTES.items(), key=lambda row: (row[0].startswith("DELETE /v1/tenants/{tenant}"), row[0])):
        method, path = name.split(" ")
        ids = objects(running.api, target, "previous" in name)
        body = BODIES.get(name, {} if method == "POST" else None)
        answer = ask(key.as_tenant("acme"), method, filled(path, ids), body)
        if who == "root" or ROLES.index(who) >= ROLES.index(role):
            assert 200 <= answer.status < 300 or has_ended(name, answer) or (name in OF_SESSION | OF_REJECTED and answer.status == 404), (name, answer)
            continue
        refused = problem(answer, 403)
        assert refused["role"] == role and f"role {role}" in refused["detail"] and f"role {who}" in refused["detail"], (name, refused)
        if method == "DELETE":
            rest = running.api.as_tenant("acme").get(filled(path, ids)) if not any(word in path for word in ("/keys", "secret", "/sessions", "/rejected", "/portal-links")) else None
            assert rest is None or rest.status == 200, name
    assert who == "admin" or who == "root" or len(running.api.get("/v1/tenants").json["data"]) == len(before["data"]) + 1
    for path in PUBLIC:
        key.get(path.split(" ")[1]).expect(400 if path.endswith("jwks.json") else 200)  # which endpoint's?
    for path in SWITCHED:
        problem(key.get(path.split(" ")[1]), 404)


def test_tenants_keys_on_every_route(server, receiver):
    """The same table for each scope: what no tenant's key may is 403 whatever it has."""
    running = server()
    target = receiver().url()
    for scope, includes in INCLUDES.items():
        ids = objects(running.api, target, False)
        running.api.put("/v1/tenants/acme", {"name": "Acme"}).expect(200, 201)
        key = running.api.with_key(running.api.post("/v1/tenants/acme/keys", {"scopes": [scope]}).expect(201).json["key"])
        for name, (_, needed) in ROUTES.items():
            method, path = name.split(" ")
            if needed in includes:
                ids = objects(running.api, target, "previous" in name)
            answer = ask(key, method, filled(path, ids), BODIES.get(name, {} if method == "POST" else None))
            if needed in includes:
                assert 200 <= answer.status < 300 or has_ended(name, answer), (scope, name, answer)
            else:
                assert "operator's key" in problem(answer, 403)["detail"] if needed is None else needed in problem(answer, 403)["detail"]


def test_keys_are_made_listed_and_ended(server):
    running = server()
    api = running.api
    assert api.get("/v1/keys").expect(200).json == {"data": [], "next_cursor": None}
    answer = api.post("/v1/keys", {"role": "support", "name": "Ana, help desk", "expires_at": "2099-01-01T00:00:00Z"}).expect(201)
    key = answer.json
    assert key["key"].startswith("th_op_") and len(key["key"]) > 40 and answer.header("Location") == f"/v1/keys/{key['id']}"
    assert answer.header("Cache-Control") == "no-store"
    shown = {name: value for name, value in key.items() if name != "key"}
    assert shown == {"id": key["id"], "role": "support", "name": "Ana, help desk", "created_at": key["created_at"],
                     "expires_at": "2099-01-01T00:00:00.000Z"}
    assert api.get("/v1/keys").json["data"] == [shown]
    other = made(api, "admin", "CI")
    assert [row["id"] for row in api.pages("/v1/keys", 1)] == [other["id"], key["id"]]
    support = api.with_key(key["key"])
    support.get("/v1/tenants").expect(200)
    api.delete(f"/v1/keys/{key['id']}").expect(204)
    problem(support.get("/v1/tenants"), 401)
    problem(api.delete(f"/v1/keys/{key['id']}"), 404)
    assert [row["id"] for row in api.get("/v1/keys").json["data"]] == [other["id"]]
    assert key["key"].encode() not in b"".join(path.read_bytes() for path in running.data.glob("tenterhook.db*"))
    assert api.get("/v1/tenants/operator/keys").json["data"] == []  # those of that tenant are others


def test_what_is_wrong_with_a_new_key_is_said(shared):
    for body, where in (({"name": "x"}, "/role"), ({"role": "root", "name": "x"}, "/role"), ({"role": "Admin", "name": "x"}, "/role"),
                        ({"role": "none", "name": "x"}, "/role"), ({"role": "admin"}, "/name"), ({"role": "admin", "name": ""}, "/name"),
                        ({"role": "admin", "name": "x" * 129}, "/name"), ({"role": "admin", "name": "x", "scopes": []}, "/scopes"),
                        ({"role": "admin", "name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at")):
        assert pointers(shared.api.post("/v1/keys", body)) == [where], body
    problem(shared.api.delete("/v1/keys/key_0000000000000000000000000"), 404)
    problem(shared.api.delete("/v1/keys/operator"), 404)


def test_an_admin_can_end_everybody_but_the_root(server):
    running = server()
    first = made(running.api, "admin", "first")
    admin = running.api.with_key(first["key"])
    second = made(admin, "admin", "second")
    assert running.admin_key.encode() not in admin.get("/v1/keys").body
    assert {row["name"] for row in admin.get("/v1/keys").json["data"]} == {"first", "second"}
    for id in ("operator", "root", "0", first["id"] + "0"):
        problem(admin.delete(f"/v1/keys/{id}"), 404)
    running.api.with_key(second["key"]).delete(f"/v1/keys/{first['id']}").expect(204)
    problem(admin.get("/v1/keys"), 401)
    running.api.with_key(second["key"]).delete(f"/v1/keys/{second['id']}").expect(204)  # its own
    running.api.get("/v1/keys").expect(200)


def test_a_key_ends_at_its_time(server):
    running = server()
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    key = running.api.with_key(made(running.api, "read-only", "for a moment", expires_at=soon)["key"])
    key.get("/v1/tenants").expect(200)
    eventually(lambda: key.get("/v1/tenants").status == 401, 20)


def test_there_are_at_most_a_hundred(server):
    api = server().api
    keys = [made(api, "read-only", f"n{n}")["id"] for n in range(100)]
    assert "100" in problem(api.post("/v1/keys", {"role": "admin", "name": "one more"}), 409)["detail"]
    api.post("/v1/tenants/default/keys", {"scopes": ["webhooks:read"]}).expect(201)  # tenants' keys are counted apart
    api.delete(f"/v1/keys/{keys[0]}").expect(204)
    made(api, "admin", "one more")


def test_a_repetition_gives_the_same_key(server):
    running = server()
    body, once = {"role": "support", "name": "Ana"}, {"Idempotency-Key": "k1"}
    first = running.api.post("/v1/keys", body, headers=once).expect(201)
    again = running.api.post("/v1/keys", body, headers=once).expect(201)
    assert again.json == first.json and again.header("Idempotency-Replayed") == "true"
    problem(running.api.post("/v1/keys", {**body, "role": "admin"}, headers=once), 422)
    support = running.api.with_key(first.json["key"])
    problem(support.post("/v1/keys", body, headers=once), 403)  # nor does it see what was kept
    assert len(running.api.get("/v1/keys").json["data"]) == 1
    running.kill()
    running.start()
    assert running.api.post("/v1/keys", body, headers=once).expect(201).json == first.json


@pytest.mark.parametrize("role", ["support", "read-only"])
def test_below_admin_no_secret_is_shown(server, receiver, role):
    """Header values, secrets, URLs that are credentials: as for a tenant's key that may read."""
    running = server()
    target = receiver(lambda request: Reply(500, body=b"an answer"))
    secret = running.api.post("/v1/webhooks", {"url": target.url() + "?token=url-token-in-clear", "headers": {"X-Api-Key": "header-in-clear"}}
                              ).expect(201).json
    delivery = running.api.post(f"/v1/webhooks/{secret['id']}/test", {}).expect(202).json["id"]
    eventually(lambda: deliveries(running.api, include_tests="true", status="failed"))
    key = running.api.with_key(made(running.api, role)["key"])
    hidden = (secret["secret"], secret["secret"].removeprefix("whsec_"), "url-token-in-clear", "header-in-clear")
    for path in ("/v1/webhooks", f"/v1/webhooks/{secret['id']}", f"/v1/webhooks/{secret['id']}/deliveries?include_tests=true",
                 f"/v1/deliveries/{delivery}", "/v1/deliveries?include_tests=true", "/v1/attempts?include_tests=true", "/v1/events",
                 "/v1/endpoint-health", "/v1/tenants", "/v1/tenants/default", "/v1/keys"):
        body = key.get(path).expect(200).body.decode()
        assert not [word for word in hidden if word in body], (path, body)
        if path.startswith("/v1/deliveries/"):
            assert "an answer" in body  # what an endpoint answers is shown
    shown = running.api.get(f"/v1/deliveries/{delivery}").body.decode() + running.api.get(f"/v1/webhooks/{secret['id']}").body.decode()
    assert "header-in-clear" in shown and "url-token-in-clear" in shown


def test_support_helps_a_customer(server, receiver):
    """Finds what failed by its id alone, sends it again, and tests the endpoint; it changes no setting."""
    running = server()
    answers = iter([Reply(410)])
    target = receiver(lambda request: next(answers, Reply(200)))
    running.api.put("/v1/tenants/acme", {"name": "Acme"}).expect(201)
    acme = running.api.as_tenant("acme")
    hook = acme.post("/v1/webhooks", {"url": target.url()}).expect(201).json["id"]
    event = acme.post("/v1/events", {"type": "a.b", "data": 1}).expect(202).json["id"]
    delivery = eventually(lambda: deliveries(acme, event=event, status="failed"))[0]["id"]
    support = running.api.with_key(made(running.api, "support")["key"])
    acme.patch(f"/v1/webhooks/{hook}", {"active": True}).expect(200)
    assert support.get(f"/v1/deliveries/{delivery}").expect(200).json["status"] == "failed"
    support.post(f"/v1/deliveries/{delivery}/retry", {}).expect(202)
    eventually(lambda: support.get(f"/v1/deliveries/{delivery}").json["status"] == "delivered")
    support.post(f"/v1/webhooks/{hook}/test", {}).expect(202)
    support.post(f"/v1/webhooks/{hook}/replay", {"since": "2020-01-01T00:00:00Z"}).expect(202)
    target.wait_for(4)
    assert hook in support.get("/v1/endpoint-health").expect(200).body.decode()
    for refused in (support.patch(f"/v1/webhooks/{hook}", {"active": False}), support.get(f"/v1/webhooks/{hook}/secret"),
                    support.post("/v1/webhooks?moved=true", {"url": target.url(), "secret": "whsec_" + "a" * 32}),
                    support.post("/v1/webhooks?dry_run=true", {"url": target.url()})):
        assert problem(refused, 403)["role"] == "admin"


def test_the_audit_log_names_the_key(server):
    running = server()
    key = made(running.api, "admin", "Bo \u202e\n\"x\"")
    admin = running.api.with_key(key["key"])
    answers = [admin.put("/v1/tenants/acme", {"name": "Acme"}).expect(201),
               running.api.put("/v1/tenants/acme", {"name": "Acme"}).expect(200)]
    tenants = running.api.post("/v1/tenants/acme/keys", {"scopes": ["webhooks:manage"], "description": "not a name"}).expect(201).json
    answers.append(running.api.with_key(tenants["key"]).post("/v1/webhooks", {}).expect(422))
    answers.append(admin.delete(f"/v1/keys/{key['id']}").expect(204))  # it is gone when the line is written

    def lines():
        found = [json.loads(line) for line in running.text().splitlines() if line.startswith("{") and '"audit"' in line]
        found = {line["request_id"]: line for line in found}
        return [found[a.header("Request-Id")] for a in answers] if all(a.header("Request-Id") in found for a in answers) else None

    own, root, tenant, ended = eventually(lines, 5)
    assert (own["key"], own["tenant"]) == (key["id"], "acme") and own["key_name"].startswith("Bo ")
    assert (root["key"], root["key_name"]) == ("operator", "")
    assert (tenant["key"], tenant["key_name"]) == (tenants["id"], "")
    assert (ended["operation"], ended["object"], ended["key"], ended["key_name"]) == \
        ("deleteOperatorKey", key["id"], key["id"], own["key_name"])
    made_line = next(json.loads(line) for line in running.text().splitlines() if '"createOperatorKey"' in line)
    assert made_line["object"] == key["id"] and made_line["key"] == "operator"
    assert key["key"] not in running.text()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_keys_outlive_a_restart(server, how):
    running = server()
    keys = {role: made(running.api, role, f"the {role}") for role in ROLES}
    ended = made(running.api, "admin", "ended")
    running.api.delete(f"/v1/keys/{ended['id']}").expect(204)
    before = running.api.get("/v1/keys").json
    getattr(running, how)()
    running.start()
    assert running.api.get("/v1/keys").json == before
    for role, key in keys.items():
        one = running.api.with_key(key["key"])
        one.get("/v1/tenants").expect(200)
        assert one.put("/v1/tenants/new", {"name": "x"}).status == (403 if role != "admin" else 201)
    problem(running.api.with_key(ended["key"]).get("/v1/tenants"), 401)
    fresh = made(running.api, "support", "later")
    assert fresh["id"] not in {row["id"] for row in before["data"]} | {ended["id"]}


def test_wrong_keys_of_this_form_are_counted_and_slowed_down(server):
    running = server(flags=["--wrong-key-rate", "5"])
    key = made(running.api, "read-only")
    right = running.api.with_key(key["key"])
    right.get("/v1/tenants").expect(200)
    began = time.monotonic()
    statuses = [running.api.with_key("th_op_" + "x" * 43).get("/v1/tenants").status for _ in range(20)]
    assert set(statuses) <= {401, 429} and time.monotonic() - began > 2
    right.get("/v1/tenants").expect(200)  # whoever is known is not held up by who guesses
    assert metrics(running.api)[0]["tenterhook_http_wrong_keys_total"] == 20
    assert key["key"] not in running.text()


def test_the_command(server, tmp_path):
    running = server()
    env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": running.admin_key}

    def cli(*args, key=None):
        return tenterhook("keys", *args, env={**env, **({"TENTERHOOK_KEY": key} if key else {})})
    assert "keys create --role" in cli("list").expect(0).out + cli("list").err
    ran = cli("create", "--role", "support", "--name", "Ana").expect(0)
    key = ran.out.strip()
    assert key.startswith("th_op_") and "support" in ran.err
    row = cli("list", "--json").expect(0).json["data"][0]
    assert (row["role"], row["name"]) == ("support", "Ana")
    assert "Ana" in cli("list", key=key).expect(0).out
    assert "role admin" in cli("create", "--role", "admin", "--name", "x", key=key).expect(77).err
    for args, word in ((("create", "--name", "x"), "--role is missing"), (("create", "--role", "admin"), "--name is missing"),
                       (("create", "--scope", "events:publish"), "whose key"), (("create", "acme", "--role", "admin"), "--role and --name"),
                       (("create", "default", "--name", "x"), "--role and --name")):
        assert word in cli(*args).expect(64).err, args
    assert "ended" in cli("delete", row["id"], "--yes").expect(0).out
    assert cli("list", "--json").json["data"] == []
    assert cli("delete", row["id"], "--yes").status == 1
