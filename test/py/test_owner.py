"""With the operator's key an id is enough: its tenant is found, in every dialect's form of ids."""
import pytest

from harness.expect import eventually


@pytest.fixture(scope="module")
def world(shared):
    """An endpoint, an event and a delivery for one tenant of each dialect, made with the tenant named."""
    made = {}
    for name in sorted(dialect["name"] for dialect in shared.api.get("/v1/dialects").expect(200).json["data"]):
        if name not in ("standard", "cloudevents", "taskboard", "svix", "github"):
            continue
        shared.api.put(f"/v1/tenants/of-{name}", {"name": name, "dialect": name}).expect(201)
        one = shared.api.as_tenant(f"of-{name}")
        body = {"url": "http://127.0.0.1:9999/hook", "active": False, "events": ["task.created"]}
        one.post("/v1/webhooks", body).expect(200, 201)
        event = one.post("/v1/events", {"type": "task.created", "data": {"id": "1"}, "resource_type": "task",
                                        "resource_id": "1"}).expect(202).json
        delivery = one.get("/v1/deliveries").expect(200).json["data"][0]
        made[name] = (one, str(delivery["endpoint"]), event["id"], delivery["id"])
    assert {"standard", "taskboard"} <= set(made), made  # ULIDs and integers
    return made


def test_an_id_of_any_dialect_is_enough(shared, world):
    for name, (one, endpoint, event, delivery) in world.items():
        for path in (f"/v1/webhooks/{endpoint}", f"/v1/webhooks/{endpoint}/deliveries", f"/v1/events/{event}",
                     f"/v1/deliveries/{delivery}", f"/v1/deliveries?endpoint={endpoint}", f"/v1/deliveries?event={event}"):
            with_name, without = one.get(path).expect(200), shared.api.get(path).expect(200)
            assert without.json == with_name.json, (name, path)
        assert shared.api.get(f"/v1/deliveries?event={event}").json["data"][0]["id"] == delivery


def test_what_names_nothing_stays_404(shared, world):
    for path in ("/v1/webhooks/we_01HZZZZZZZZZZZZZZZZZZZZZZZ", "/v1/webhooks/99999999", "/v1/events/nobody-has-this",
                 "/v1/deliveries/dlv_01HZZZZZZZZZZZZZZZZZZZZZZZ", "/v1/replays/rpl_01HZZZZZZZZZZZZZZZZZZZZZZZ"):
        shared.api.get(path).expect(404)


def test_a_named_tenant_is_kept(shared, world):
    """Who names a tenant gets nothing of another one, whatever the id says."""
    other = shared.api.as_tenant("default")
    for one, endpoint, event, delivery in world.values():
        for path in (f"/v1/webhooks/{endpoint}", f"/v1/events/{event}", f"/v1/deliveries/{delivery}"):
            other.get(path).expect(404)
        assert other.get(f"/v1/deliveries?endpoint={endpoint}").expect(200).json["data"] == []


def test_a_tenants_key_finds_its_own_only(shared, world):
    shared.api.put("/v1/tenants/of-nobody", {"name": "n", "dialect": "standard"}).expect(201)
    key = shared.api.post("/v1/tenants/of-nobody/keys", {"scopes": ["webhooks:manage"]}).expect(201).json["key"]
    stranger = shared.api.with_key(key)
    _, endpoint, event, delivery = world["standard"]
    for path in (f"/v1/webhooks/{endpoint}", f"/v1/events/{event}", f"/v1/deliveries/{delivery}"):
        stranger.get(path).expect(404)
    stranger.delete(f"/v1/webhooks/{endpoint}").expect(404)


def settings_and_rows(shared, one, endpoint, event, delivery):
    """All that its owner can read of the three."""
    return [one.get(path).expect(200).json for path in (
        f"/v1/webhooks/{endpoint}", f"/v1/webhooks/{endpoint}/secret", f"/v1/webhooks/{endpoint}/deliveries", "/v1/webhooks",
        f"/v1/events/{event}", f"/v1/deliveries/{delivery}", "/v1/events", "/v1/deliveries", "/v1/attempts?include_tests=true")
        ] + [shared.api.get(f"/v1/tenants/{one.tenant}/keys").expect(200).json]


@pytest.mark.parametrize("whose", ["key", "operator"])
def test_no_route_lets_one_tenant_at_what_another_one_has(shared, world, whose):
    """Every route of the document that names an object by its id, so a new one too: 404, and nothing has changed."""
    one, endpoint, event, delivery = world["standard"]
    name = f"neighbour-{whose}"
    shared.api.put(f"/v1/tenants/{name}", {"name": "n", "dialect": "standard"}).expect(201)
    replay = one.post(f"/v1/webhooks/{endpoint}/replay", {"since": "2020-01-01T00:00:00Z"}).expect(202).json["id"]
    stranger = shared.api.as_tenant(name)
    if whose == "key":
        scopes = ["events:publish", "webhooks:manage"]
        stranger = shared.api.with_key(shared.api.post(f"/v1/tenants/{name}/keys", {"scopes": scopes}).expect(201).json["key"])
    ids = {"webhooks": endpoint, "events": event, "deliveries": delivery, "replays": replay}
    bodies = dict.fromkeys(("replay", "backfill"), {"since": "2020-01-01T00:00:00Z"})
    before, asked = settings_and_rows(shared, one, endpoint, event, delivery), []
    for path, methods in shared.api.get("/openapi.json").expect(200).json["paths"].items():
        parts = path.split("/")
        if "{id}" not in parts or parts[parts.index("{id}") - 1] not in ids:
            continue
        url = "/".join(ids[parts[i - 1]] if part == "{id}" else part for i, part in enumerate(parts))
        for method in set(methods) & {"get", "post", "patch", "put", "delete"}:
            body = bodies.get(parts[-1], {}) if method in ("post", "patch", "put") else None
            answer = stranger.request(method.upper(), url, body)
            assert answer.status == 404, (method, url, answer)
            asked.append((method, path))
    assert len(asked) >= 16 and ("post", "/v1/webhooks/{id}/rotate-secret") in asked, asked
    assert settings_and_rows(shared, one, endpoint, event, delivery) == before


def test_publishers_own_ids(shared, world):
    """Of one tenant: enough. Of several: the operator is asked, unless the tenant "default" has it."""
    for tenant, own in (("of-standard", "order-1"), ("of-standard", "order-2"), ("of-taskboard", "order-2"),
                        ("of-standard", "order-3"), ("default", "order-3")):
        shared.api.as_tenant(tenant).post("/v1/events", {"type": "task.created", "id": own, "data": {"id": tenant},
                                                         "resource_type": "task", "resource_id": "1"}).expect(202)
    assert shared.api.get("/v1/events/order-1").expect(200).json["tenant"] == "of-standard"
    assert "Tenterhook-Tenant" in shared.api.get("/v1/events/order-2").expect(409).json["detail"]
    assert shared.api.get("/v1/events/order-3").expect(200).json["tenant"] == "default"


def test_changes_and_kept_answers_are_of_the_tenant_that_is_found(shared, world):
    one, endpoint, event, delivery = world["standard"]
    key = {"Idempotency-Key": "again-1"}
    first = shared.api.post(f"/v1/deliveries/{delivery}/retry", {}, headers=key).expect(202)
    again = shared.api.post(f"/v1/deliveries/{delivery}/retry", {}, headers=key).expect(202)
    assert again.header("Idempotency-Replayed") == "true" and again.json == first.json
    named = one.post(f"/v1/deliveries/{delivery}/retry", {}, headers=key).expect(202)
    assert named.header("Idempotency-Replayed") == "true"
    shared.api.patch(f"/v1/webhooks/{endpoint}", {"description": "seen"}).expect(200)
    assert one.get(f"/v1/webhooks/{endpoint}").json["description"] == "seen"
    replay = shared.api.post(f"/v1/webhooks/{endpoint}/replay", {"since": "2020-01-01T00:00:00Z"}).expect(202).json["id"]
    eventually(lambda: shared.api.get(f"/v1/replays/{replay}").expect(200).json["state"] == "done")
    shared.api.delete(f"/v1/webhooks/{endpoint}").expect(204)
    one.get(f"/v1/webhooks/{endpoint}").expect(404)
