"""Finding things again: an id of any kind, a part of a URL or a name; the list of replays; the values in force."""
import pytest

from harness.expect import deliveries, eventually, problem


@pytest.fixture(scope="module")
def filled(shared, tmp_path_factory):
    from harness.receiver import Receiver

    hook = Receiver()
    api = shared.api
    api.put("/v1/tenants/acme", {"name": "Acme Works"}).expect(201)
    api.put("/v1/tenants/orbit", {"name": "Orbit", "dialect": "taskboard"}).expect(201)
    acme, orbit = api.as_tenant("acme"), api.as_tenant("orbit")
    webhook = acme.post("/v1/webhooks", {"url": hook.url("/Invoices/in")}).expect(201).json["id"]
    secret = acme.post("/v1/webhooks", {"url": hook.url("/hidden-part"), "url_secret": True}).expect(201).json["id"]
    event = acme.post("/v1/events", {"type": "a.b", "data": 1, "id": "mine-1"}).expect(202).json["id"]
    delivery = eventually(lambda: deliveries(acme, endpoint=webhook, status="delivered"))[0]["id"]
    native = {"Tenterhook-Form": "native"}
    task = orbit.request("POST", "/v1/webhooks", {"url": hook.url("/tasks"), "events": ["task.created"]}, native).expect(201).json["id"]
    done = orbit.post("/v1/events", {"type": "task.created", "data": {"id": "t"}}).expect(202).json["id"]
    vendors = eventually(lambda: deliveries(orbit, status="delivered"))[0]["id"]
    replays = [acme.post(f"/v1/webhooks/{webhook}/replay", {"since": "2020-01-01T00:00:00Z"}).expect(202).json["id"] for _ in range(3)]
    yield {"api": api, "acme": acme, "webhook": webhook, "secret": secret, "event": event, "delivery": delivery, "task": task, "done": done, "vendors": vendors, "replays": replays}
    hook.close()


def search(api, q):
    return api.get("/v1/search?q=" + q.replace(" ", "%20")).expect(200).json["data"]


def test_an_id_of_every_kind_is_found_whatever_the_dialect(filled):
    for name, kind, tenant in (("webhook", "endpoint", "acme"), ("event", "event", "acme"), ("delivery", "delivery", "acme"), ("task", "endpoint", "orbit"),
                               ("done", "event", "orbit"), ("vendors", "delivery", "orbit")):
        (found,) = search(filled["api"], filled[name])
        assert (found["kind"], found["id"], found["tenant"]) == (kind, filled[name], tenant), name
    (found,) = search(filled["api"], filled["replays"][0])
    assert (found["kind"], found["tenant"]) == ("replay", "acme")
    (found,) = search(filled["api"], "mine-1")  # the publisher's own
    assert (found["kind"], found["tenant"]) == ("event", "acme")
    (found,) = search(filled["api"], "acme")
    assert found == {"kind": "tenant", "id": "acme", "tenant": "acme", "label": "Acme Works"}


def test_a_part_of_a_text_is_found(filled):
    api = filled["api"]
    (found,) = search(api, "invoices/IN")
    assert found["id"] == filled["webhook"] and found["label"].endswith("/Invoices/in")
    assert [row["id"] for row in search(api, "me works")] == ["acme"]
    assert search(api, "nothing-has-this") == []
    for wrong in ("/v1/search", "/v1/search?q=", "/v1/search?q=" + "x" * 257):
        problem(api.get(wrong), 400)


def test_what_a_role_may_not_see_cannot_be_searched_for(filled):
    api = filled["api"]
    assert [row["id"] for row in search(api, "hidden-part")] == [filled["secret"]]
    reader = api.with_key(api.post("/v1/keys", {"role": "read-only", "name": "x"}).expect(201).json["key"])
    assert search(reader, "hidden-part") == []
    assert reader.get("/v1/endpoint-health?q=hidden-part").expect(200).json["data"] == []
    tenant = api.with_key(api.post("/v1/tenants/acme/keys", {"scopes": ["webhooks:manage"]}).expect(201).json["key"])
    problem(tenant.get("/v1/search?q=acme"), 403)


def test_endpoint_health_of_one_and_by_a_part_of_the_url(filled):
    api = filled["api"]
    rows = api.get(f"/v1/endpoint-health?endpoint={filled['webhook']}").expect(200).json["data"]
    assert [row["endpoint"] for row in rows] == [filled["webhook"]]
    assert [row["endpoint"] for row in api.get("/v1/endpoint-health?q=TASKS").json["data"]] == [filled["task"]]
    assert api.get(f"/v1/endpoint-health?endpoint={filled['webhook']}&tenant=orbit").json["data"] == []
    assert api.get(f"/v1/endpoint-health?endpoint={filled['webhook']}&state=paused").json["data"] == []
    assert api.get("/v1/endpoint-health?endpoint=we_nothing").json["data"] == []
    # a tenant's key looks among its own
    key = api.with_key(api.post("/v1/tenants/acme/keys", {"scopes": ["webhooks:read"]}).expect(201).json["key"])
    assert key.get(f"/v1/endpoint-health?endpoint={filled['task']}").json["data"] == []
    assert [row["endpoint"] for row in key.get("/v1/endpoint-health?q=invoices").json["data"]] == [filled["webhook"]]


def test_replays_are_listed_newest_first(filled):
    acme, ids = filled["acme"], filled["replays"]
    listed = acme.get("/v1/replays").expect(200).json
    assert [row["id"] for row in listed["data"]] == ids[::-1] and listed["next_cursor"] is None
    assert [row["id"] for row in acme.pages("/v1/replays", 1)] == ids[::-1]
    assert listed["data"][0] | {"updated_at": 0} == acme.get(f"/v1/replays/{ids[-1]}").json | {"updated_at": 0}
    assert filled["api"].get("/v1/replays").json["data"] == []  # of the tenant "default"


def test_the_values_in_force_and_where_they_come_from(server):
    running = server(flags=["--session-idle", "5m"], env={"TENTERHOOK_RETENTION": "7d"})
    rows = {row["key"]: row for row in running.api.get("/v1/config").expect(200).json["data"]}
    assert rows["session_idle"] == {"key": "session_idle", "value": "5m", "origin": "flag --session-idle"}
    assert rows["retention"]["value"] == "7d" and rows["retention"]["origin"] == "environment TENTERHOOK_RETENTION"
    assert rows["admin_key"]["value"] == "(set, not shown)" and rows["secret_key"]["value"] is None
    assert running.admin_key.encode() not in running.api.get("/v1/config").body
