"""The audit log: every management request has its line, with who, what, which object and with which result."""
import json
import socket
import struct

from harness.expect import eventually
from harness.client import Api

JSON = {"Content-Type": "application/json"}
FIELDS = {"operation", "result", "status", "key", "key_name", "session", "tenant", "object", "from", "client", "repeated", "request_id"}


def lines(running):
    found = []
    for line in running.text().splitlines():
        if line.startswith("{") and '"audit"' in line:
            entry = json.loads(line)
            found.append({name: entry[name] for name in FIELDS})
            assert set(entry) - FIELDS <= {"time", "level", "msg", "message"}, entry
    return found


def line_of(running, answer):
    """The one line of this answer."""
    def found():
        wanted = [line for line in lines(running) if line["request_id"] == answer.header("Request-Id")]
        assert len(wanted) < 2, wanted
        return wanted[0] if wanted else None

    return eventually(found, 5, "an audit line")


def test_who_did_what(server, receiver):
    running = server()
    api, target = running.api, receiver()

    def audited(answer, operation, key, tenant, target_id, result="done", repeated=0):
        line = line_of(running, answer)
        assert line["operation"] == operation and line["result"] == result and line["status"] == answer.status, line
        assert line["key"] == key and line["tenant"] == tenant and line["object"] == target_id, line
        assert line["from"] == line["client"] == "127.0.0.1" and line["repeated"] == repeated, line

    audited(api.put("/v1/tenants/acme", {"name": "Acme", "dialect": "standard"}).expect(201), "putTenant", "operator", "acme", "acme")
    made = api.post("/v1/tenants/acme/keys", {"scopes": ["webhooks:manage"]}).expect(201)
    key_id, key = made.json["id"], made.json["key"]
    audited(made, "createKey", "operator", "acme", key_id)
    acme = Api(running.port, key)
    answer = acme.post("/v1/webhooks", {"url": target.url()}).expect(201)
    hook = answer.json["id"]
    audited(answer, "createWebhook", key_id, "acme", hook)
    audited(acme.request("PATCH", f"/v1/webhooks/{hook}", json.dumps({"description": "x"}).encode(), JSON).expect(200),
            "updateWebhook", key_id, "acme", hook)
    audited(acme.get(f"/v1/webhooks/{hook}/secret").expect(200), "getSecrets", key_id, "acme", hook)
    audited(acme.post(f"/v1/webhooks/{hook}/rotate-secret", {}).expect(200), "rotateSecret", key_id, "acme", hook)
    audited(acme.request("DELETE", f"/v1/webhooks/{hook}/secret/previous").expect(204), "revokePreviousSecret", key_id, "acme", hook)
    audited(acme.post("/v1/webhooks?dry_run=true", {"url": target.url()}).expect(204), "createWebhook", key_id, "acme", "", "checked")
    # refusals are in it: invalid, not allowed, not known
    audited(acme.post("/v1/webhooks", {"url": "nonsense"}).expect(422), "createWebhook", key_id, "acme", "", "refused")
    audited(acme.put("/v1/tenants/other", {"name": "x", "dialect": "standard"}).expect(403), "putTenant", key_id, "other", "other",
            "refused")
    audited(Api(running.port, "no-such-key-0123456789").post("/v1/webhooks", {"url": target.url()}).expect(401),
            "createWebhook", "", "", "", "refused")
    # a repetition is told apart
    body, headers = json.dumps({"url": target.url("/2")}).encode(), {**JSON, "Idempotency-Key": "once"}
    first = acme.request("POST", "/v1/webhooks", body, headers).expect(201)
    audited(first, "createWebhook", key_id, "acme", first.json["id"])
    audited(acme.request("POST", "/v1/webhooks", body, headers).expect(201), "createWebhook", key_id, "acme", "", repeated=1)
    audited(acme.request("DELETE", f"/v1/webhooks/{hook}").expect(204), "deleteWebhook", key_id, "acme", hook)
    audited(api.request("DELETE", f"/v1/tenants/acme/keys/{key_id}").expect(204), "deleteKey", "operator", "acme", key_id)
    audited(api.request("DELETE", "/v1/tenants/acme").expect(204), "deleteTenant", "operator", "acme", "acme")
    # neither reading nor publishing
    before = len(lines(running))
    api.get("/v1/webhooks").expect(200)
    api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    api.request("POST", "/v1/webhooks/x/secret").expect(405)
    audited(api.put("/v1/tenants/last", {"name": "x", "dialect": "standard"}).expect(201), "putTenant", "operator", "last", "last")
    assert len(lines(running)) == before + 1
    assert key not in running.text() and "nonsense" not in running.text()


def test_a_key_in_the_place_of_an_id_is_not_in_the_log(server):
    """Who ends a key by its text has made a mistake, and has not given it away."""
    running = server(flags=["--log-level", "debug"])
    api = running.api
    api.put("/v1/tenants/acme", {"name": "Acme", "dialect": "standard"}).expect(201)
    key = api.post("/v1/tenants/acme/keys", {"scopes": ["webhooks:manage"]}).expect(201).json["key"]
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    for wrong in (key, secret, "th_op_zUOrFe8sMUHd5tQePRlFBzqIrohmIiaP4hLUYC4wPGM"):
        line = line_of(running, api.request("DELETE", f"/v1/tenants/acme/keys/{wrong}").expect(404))
        assert line["object"] == wrong[:line["object"].index("_", 3) + 1] and line["result"] == "refused"
        line_of(running, api.request("DELETE", f"/v1/tenants/{wrong}").expect(404, 422))
        line_of(running, api.as_tenant(wrong).post("/v1/webhooks", {"url": "https://example.com/"}).expect(404, 422))
        assert wrong[:6] in running.text() and wrong[8:] not in running.text()


def test_a_change_whose_client_has_gone_is_in_it(server):
    running = server()
    body = b'{"name":"x","dialect":"standard"}'
    for n in range(20):
        with socket.create_connection(("127.0.0.1", running.port), 10) as s:
            s.sendall(f"PUT /v1/tenants/gone{n} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {running.admin_key}\r\n"
                      f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            if n % 2:  # a reset, not an end
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def made_and_told():
        made = {row["id"] for row in running.api.get("/v1/tenants?limit=1000").json["data"]} - {"default", "operator"}
        told = {line["object"] for line in lines(running) if line["result"] == "done"}
        return len(made) >= 10 and made <= told

    eventually(made_and_told)


# ---- as rows: GET /v1/audit ----

def rows(api, **query):
    return api.get("/v1/audit?" + "&".join(f"{name}={value}" for name, value in query.items())).expect(200).json["data"]


def test_rows_say_what_the_lines_say(server, receiver):
    running = server()
    api = running.api
    api.put("/v1/tenants/acme", {"name": "Acme"}).expect(201)
    key = api.post("/v1/tenants/acme/keys", {"scopes": ["webhooks:manage"]}).expect(201).json
    acme = Api(running.port, key["key"])
    hook = acme.post("/v1/webhooks", {"url": receiver().url()}).expect(201).json["id"]
    acme.post("/v1/webhooks", {"url": "nonsense"}).expect(422)
    acme.get(f"/v1/webhooks/{hook}/secret").expect(200)
    acme.get("/v1/webhooks").expect(200)  # looking is not in it
    Api(running.port, "nobody-has-this-key").post("/v1/keys", {}).expect(401)  # nor who has no key: it would fill the list
    shown, said = rows(api, limit=100), lines(running)
    assert [row["operation"] for row in shown] == ["getSecrets", "createWebhook", "createWebhook", "createKey", "putTenant"]
    by_request = {line["request_id"]: line for line in said}
    for row in shown:
        line = by_request[row["request_id"]]
        assert {name: row[name] for name in FIELDS - {"repeated"}} == {name: line[name] for name in FIELDS - {"repeated"}}
        assert row["repeated"] is False and row["time"].endswith("Z")
    assert [int(row["id"]) for row in shown] == sorted((int(row["id"]) for row in shown), reverse=True)
    # filters and pages
    assert [row["status"] for row in rows(api, result="refused")] == [422]
    assert {row["operation"] for row in rows(api, key=key["id"])} == {"createWebhook", "getSecrets"}
    assert [row["operation"] for row in rows(api, object=hook)] == ["getSecrets", "createWebhook"]
    assert len(rows(api, tenant="acme")) == 5 and rows(api, tenant="other") == [] and rows(api, session="ses_x") == []
    assert rows(api, since="2099-01-01T00:00:00Z") == [] and len(rows(api, until="2099-01-01T00:00:00Z")) == 5
    assert [row["id"] for row in api.pages("/v1/audit", 2)] == [row["id"] for row in shown]
    for wrong in ("result=x", "since=yesterday", "limit=0", "what=x", "cursor=x"):
        assert api.get("/v1/audit?" + wrong).status == 400, wrong
    assert acme.get("/v1/audit").status == 403


def test_rows_are_there_after_a_restart(server):
    running = server()
    for number in range(5):
        running.api.put(f"/v1/tenants/t{number}", {"name": "x"}).expect(201)
    before = rows(running.api)
    running.stop()
    running.start()
    assert rows(running.api) == before
    running.api.put("/v1/tenants/t9", {"name": "x"}).expect(201)
    running.api.put("/v1/tenants/t8", {"name": "y"}).expect(201)  # the commit of this one is not before that of the row of t9
    running.api.put("/v1/tenants/t8", {"name": "z"}).expect(200)
    running.kill()
    running.start()
    after = rows(running.api)
    assert after[-5:] == before and after[-6]["object"] == "t9" and len({row["id"] for row in after}) == len(after)


def test_nobody_pushes_out_what_others_did(server):
    """A tenant may keep the list busy with what is refused: its own rows make room, and nothing else."""
    running = server()
    api = running.api
    for tenant in ("acme", "other"):
        api.put(f"/v1/tenants/{tenant}", {"name": tenant}).expect(201)
    key = {tenant: Api(running.port, api.post(f"/v1/tenants/{tenant}/keys", {"scopes": ["webhooks:manage"]}).expect(201).json["key"]) for tenant in ("acme", "other")}
    key["other"].post("/v1/webhooks", {"url": "nonsense"}).expect(422)
    for number in range(560):
        key["acme"].delete(f"/v1/webhooks/we_{number}").expect(404)
    mine = rows(api, tenant="acme", operation="deleteWebhook", limit=1000)
    assert len(mine) == 500 and mine[0]["object"] == "we_559" and mine[-1]["object"] == "we_60"
    assert len(rows(api, tenant="other", operation="createWebhook")) == 1 and len(rows(api, operation="createKey")) == 2
    running.stop()
    running.start()
    assert rows(running.api, tenant="acme", operation="deleteWebhook", limit=1000) == mine
