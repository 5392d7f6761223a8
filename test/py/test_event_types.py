"""The catalogue of event types, from outside: what is checked when a type is put, what publishing does with data that does not fit, the
versions of a type, and who still gets an old one."""
import json
import threading
import time

import pytest

from harness.command import tenterhook
from harness.expect import eventually, pointers, problem, settled
from harness.metrics import metrics
from harness.receiver import Reply

SCHEMA = {"type": "object", "required": ["order", "amount"],
          "properties": {"order": {"type": "integer"}, "amount": {"type": "number", "minimum": 0},
                         "items": {"type": "array", "items": {"required": ["sku"]}}}}
TYPE = "/v1/event-types/order.paid"


def publish(api, data, expect=202, type_="order.paid"):
    return api.post("/v1/events", {"type": type_, "data": data}).expect(expect).json


def put(api, path=TYPE, **members):
    return api.put(path, members).expect(200, 201).json


def test_a_type_is_put_shown_changed_and_deleted(server):
    api = server().api
    made = api.put(TYPE, {"description": "An order has been paid", "group": "orders", "schema": SCHEMA,
                          "example": {"order": 17, "amount": 12.50}, "validate": "refuse"}).expect(201).json
    assert made["type"] == "order.paid" and made["schema"] == SCHEMA and made["of"] == "installation" and made["validate"] == "refuse"
    assert api.get(TYPE).expect(200).json == made
    changed = api.put(TYPE, {"deprecated": True, "group": None}).expect(200).json
    assert changed["deprecated"] and "group" not in changed and changed["schema"] == SCHEMA and changed["created_at"] == made["created_at"]
    put(api, "/v1/event-types/order.created")
    put(api, "/v1/event-types/a")
    assert [row["type"] for row in api.pages("/v1/event-types", 1)] == ["a", "order.created", "order.paid"]
    api.delete(TYPE).expect(204)
    problem(api.get(TYPE), 404)
    problem(api.delete(TYPE), 404)


@pytest.mark.parametrize("body, where, what", [
    ({"schema": {"type": "text"}}, "/schema/type", "must be"),
    ({"schema": {"properties": {"a/b": {"pattern": "a(?=b)"}}}}, "/schema/properties/a~1b/pattern", "look-ahead"),
    ({"schema": {"$ref": "https://example.com/s.json"}}, "/schema/$ref", "nothing is fetched"),
    ({"schema": SCHEMA, "example": {"order": "17", "amount": 1}}, "/example/order", "type at /properties/order/type"),
    ({"validate": "maybe"}, "/validate", "refuse"),
    ({"versions": {}}, "/versions", "list"),
    ({"versions": [{"version": "x"}]}, "/versions/0", "date"),
    ({"versions": [{"version": "1", "template": {}}]}, "/versions/0", "newest"),
    ({"versions": [{"version": "1"}, {"version": "2", "template": {}}]}, "/versions/1", "in order"),
    ({"versions": [{"version": "2"}, {"version": "1"}]}, "/versions/1", "template"),
    ({"versions": [{"version": "2"}, {"version": "1", "template": {"a": {"$": "$["}}}]}, "/versions/1/template/a/$", "character"),
    ({"versions": [{"version": "2026-13-01"}]}, "/versions/0", "date"),
    ({"more": 1}, "/more", ""),
])
def test_what_is_wrong_is_said_with_its_place(shared, body, where, what):
    answer = shared.api.put("/v1/event-types/bad.one", body).expect(422)
    assert pointers(answer) == [where], answer.json
    assert what in answer.json["detail"], answer.json
    problem(shared.api.get("/v1/event-types/bad.one"), 404)


def test_an_example_that_no_longer_fits_is_told(shared):
    path = "/v1/event-types/kept.example"
    put(shared.api, path, example={"order": "x", "amount": 1})
    assert "/order" in json.dumps(shared.api.put(path, {"schema": SCHEMA}).expect(422).json)
    put(shared.api, path, schema=SCHEMA, example={"order": 1, "amount": 1})


def test_data_that_does_not_fit_is_refused_with_pointer_and_keyword(server):
    api = server().api
    put(api, schema=SCHEMA, validate="refuse")
    assert publish(api, {"order": 17, "amount": 1})["type"] == "order.paid"
    for data, where, keyword in (({"order": 1, "amount": -1}, "/data/amount", "minimum"), ({"order": 1}, "/data", "required"),
                                 ({"order": 1, "amount": 1, "items": [{"sku": 1}, {}]}, "/data/items/1", "required")):
        answer = publish(api, data, 422)
        assert answer["errors"][0]["pointer"] == where and keyword in answer["errors"][0]["detail"], answer
    batch = [{"type": "order.paid", "data": {"order": 1, "amount": 1}}, {"type": "order.paid", "data": {"order": 1, "amount": "x"}}]
    assert api.post("/v1/events/batch", batch).expect(422).json["errors"][0]["pointer"] == "/1/data/amount"
    assert len(api.get("/v1/events").json["data"]) == 1  # all or none
    assert publish(api, 5, type_="order.other")  # what the catalogue does not have is as it was
    assert metrics(api)[0]['tenterhook_events_misfits_total{outcome="refused"}'] == 4


def test_data_that_does_not_fit_is_marked(server):
    api = server().api
    put(api, schema=SCHEMA)  # the installation's default is to warn
    bad, good = publish(api, {"order": "x"})["id"], publish(api, {"order": 1, "amount": 1})["id"]
    assert api.get(f"/v1/events/{bad}").expect(200).json["schema_error"] is True
    assert "schema_error" not in api.get(f"/v1/events/{good}").expect(200).json
    assert [row.get("schema_error") for row in api.get("/v1/events").json["data"]] == [None, True]
    assert metrics(api)[0]['tenterhook_events_misfits_total{outcome="marked"}'] == 1
    put(api, validate="off")
    assert "schema_error" not in api.get(f"/v1/events/{publish(api, {'order': 'x'})['id']}").json


def test_the_installation_decides_where_a_type_does_not(server):
    running = server(flags=["--validate", "refuse"])
    put(running.api, schema=SCHEMA)
    publish(running.api, {}, 422)
    put(running.api, validate="warn")
    publish(running.api, {}, 202)


def test_a_tenants_own_type_goes_before(server):
    api = server().api
    api.put("/v1/tenants/acme", {}).expect(201)
    put(api, schema=SCHEMA, validate="refuse")
    own = put(api, "/v1/tenants/acme/event-types/order.paid", schema={"required": ["n"]}, validate="refuse")
    assert own["of"] == "tenant"
    put(api, "/v1/event-types/shared.one", group="g")
    key = api.with_key(api.post("/v1/tenants/acme/keys", {"scopes": ["webhooks:read"]}).expect(201).json["key"])
    assert [(row["type"], row["of"]) for row in key.get("/v1/event-types").expect(200).json["data"]] == \
        [("order.paid", "tenant"), ("shared.one", "installation")]
    assert key.get(TYPE).json["schema"] == {"required": ["n"]} and key.get("/v1/event-types/shared.one").json["group"] == "g"
    publish(api.as_tenant("acme"), {"n": 1})
    publish(api.as_tenant("acme"), {"order": 1, "amount": 1}, 422)
    publish(api, {"order": 1, "amount": 1})
    problem(key.put(TYPE, {}), 403)
    api.delete("/v1/tenants/acme").expect(204)
    api.put("/v1/tenants/acme", {}).expect(201)
    assert api.get("/v1/tenants/acme/event-types").json["data"] == []  # gone with the tenant


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_catalogue_survives(server, how):
    running = server()
    put(running.api, schema=SCHEMA, example={"order": 1, "amount": 1}, validate="refuse", description="kept ☃", group="g", archived=True)
    put(running.api, "/v1/event-types/v", versions=[{"version": "2"}, {"version": "1", "template": {"n": {"$": "$.data.m"}}}])
    put(running.api, "/v1/event-types/gone")
    running.api.delete("/v1/event-types/gone").expect(204)
    before = running.api.get("/v1/event-types").json
    running.kill() if how == "kill" else running.stop()
    running.start()
    assert running.api.get("/v1/event-types").json == before and len(before["data"]) == 2
    publish(running.api, {}, 422)


# ---- versions ----

STEPS = [{"version": "2026-03-01"},
         {"version": "2025-01-01", "sunset": "2027-01-01T00:00:00Z",
          "template": {"order": {"$": "$.data.order.id"}, "amount": {"$": "$.data.amount"}}},
         {"version": "2024-01-01", "template": {"text": {"$join": ["order ", {"$string": {"$": "$.data.order"}}]}, "type": {"$": "$.type"}}}]
NEW = {"order": {"id": 17}, "amount": 12.5}


def test_an_endpoint_gets_the_version_that_it_has_pinned(server, receiver):
    running, target = server(), receiver()
    api = running.api
    put(api, versions=STEPS)
    pins = {"newest": None, "same": "2026-03-01", "older": "2025-06-30", "oldest": "2024-01-01", "before": "2020-01-01"}
    ids = {}
    for name, pin in pins.items():
        ids[name] = api.post("/v1/webhooks", {"url": target.url("/" + name), **({"payload_version": pin} if pin else {})}).expect(201).json["id"]
    assert api.get(f"/v1/webhooks/{ids['older']}").json["payload_version"] == "2025-06-30"
    event = publish(api, NEW)["id"]
    assert api.get(f"/v1/events/{event}").json["version"] == "2026-03-01"
    settled(api, 5, event=event)
    got = {request.target[1:]: json.loads(request.body)["data"] for request in target.requests}
    first, second = {"order": 17, "amount": 12.5}, {"text": "order 17", "type": "order.paid"}
    assert got == {"newest": NEW, "same": NEW, "older": first, "oldest": second, "before": second}
    # later versions lead from the event's own: nothing changes for what is there
    put(api, versions=[{"version": "2026-09-01"}, {"version": "2026-03-01", "template": {"order": {"id": {"$": "$.data.nr"}}, "amount": 0}}] + STEPS[1:])
    for delivery in api.get(f"/v1/deliveries?event={event}").json["data"]:
        attempt = api.get(f"/v1/deliveries/{delivery['id']}").json["attempts"][0]
        sent = next(request for request in target.requests if ids[request.target[1:]] == delivery["endpoint"])
        assert attempt["request"]["body"].encode() == sent.body, (attempt, sent.body)
    before = len(target.requests)
    settled(api, 5, event=publish(api, {"nr": 5})["id"])
    got = {request.target[1:]: json.loads(request.body)["data"] for request in target.requests[before:]}
    assert got["older"] == {"order": 5, "amount": 0} and got["newest"] == {"nr": 5} and got["same"] == {"order": {"id": 5}, "amount": 0}
    used = {row["endpoint"]: (row["payload_version"], row["version"], row["sunset"]) for row in api.pages(TYPE + "/usage", 2)}
    assert used[ids["older"]] == ("2025-06-30", "2025-01-01", "2027-01-01T00:00:00.000Z") and used[ids["newest"]] == (None, "2026-09-01", None)


def test_stored_versions_stay_as_they_are(server):
    api = server().api
    put(api, versions=STEPS)
    for versions in ([STEPS[0]], [STEPS[0], {**STEPS[1], "template": {}}, STEPS[2]], [STEPS[0], STEPS[2]],
                     [STEPS[0], {"version": "2025-02-02", "template": {}}, *STEPS[1:]]):
        assert "stays as it is" in api.put(TYPE, {"versions": versions}).expect(422).json["detail"], versions
    put(api, versions=[STEPS[0], {**STEPS[1], "sunset": None}, STEPS[2]])
    assert "versions" in problem(api.delete(TYPE), 409)["detail"]
    api.put("/v1/tenants/acme", {}).expect(201)
    assert "another catalogue" in api.put("/v1/tenants/acme/event-types/order.paid", {"versions": STEPS[:1]}).expect(422).json["detail"]


def test_a_pin_is_a_version(shared, receiver):
    for pin in ("latest", "2026-3-1", "0", ""):
        assert pointers(shared.api.post("/v1/webhooks", {"url": receiver().url(), "payload_version": pin})) == ["/payload_version"]


# ---- the command line ----

def test_the_catalogue_moves_to_another_installation(server, tmp_path):
    one, two = server(), server()
    put(one.api, schema=SCHEMA, example={"order": 1, "amount": 1.5}, validate="refuse", description="a: b # c", archived=True)
    one.api.put("/v1/tenants/acme", {}).expect(201)
    put(one.api, "/v1/tenants/acme/event-types/own", versions=STEPS)

    def run(running, *args):
        return tenterhook(*args, env={"TENTERHOOK_URL": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": running.admin_key}).expect(0)
    run(one, "export", "--to", tmp_path / "all.yaml")
    assert "order.paid" in run(two, "import", "--dry-run", tmp_path / "all.yaml").out
    run(two, "import", tmp_path / "all.yaml")
    for path in (TYPE, "/v1/tenants/acme/event-types/own"):
        was, now = one.api.get(path).json, two.api.get(path).expect(200).json
        assert {**was, "created_at": 0, "updated_at": 0} == {**now, "created_at": 0, "updated_at": 0}
    assert "created" not in run(two, "import", tmp_path / "all.yaml").out.replace("0 created", "")


def test_the_command_line(server, tmp_path):
    running = server()
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "versions.json").write_text(json.dumps(STEPS))

    def run(*args, **more):
        return tenterhook("event-types", *args, env={"TENTERHOOK_URL": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": running.admin_key}, **more)
    assert run("put", "order.paid", "--schema", str(tmp_path / "schema.json"), "--validate", "refuse", "--description", "paid",
               "--versions", str(tmp_path / "versions.json")).status == 0
    assert "order.paid" in run("list").out and "refuse" in run("show", "order.paid").out
    assert run("put", "order.paid", "--schema", "", "--archived", "yes").status == 0
    assert "schema" not in running.api.get(TYPE).json and running.api.get(TYPE).json["archived"]
    assert run("put", "order.paid", "--archived", "maybe").status == 64
    assert "no endpoint" in run("usage", "order.paid").out
    assert run("put", "b", "--of", "default").status == 0 and run("delete", "b", "--of", "default", "--yes").status == 0


def test_who_gets_a_version_that_ends_is_told(server, receiver):
    """At once when the date is set, to the operator and to the tenant; the count in the metrics also after a start."""
    def on(days):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + days * 86400))

    def counts():
        values = metrics(running.api)[0]
        return [values.get(f'tenterhook_endpoints_version_ending{{state="{state}"}}') for state in ("near", "past")]
    running = server()
    api, alarms, own, target = running.api, receiver(), receiver(), receiver()
    api.as_tenant("operator").post("/v1/webhooks", {"url": alarms.url(), "events": ["endpoint.version_ending"]}).expect(201)
    api.post("/v1/webhooks", {"url": own.url(), "events": ["webhook.endpoint_version_ending"]}).expect(201)
    pinned = api.post("/v1/webhooks", {"url": target.url(), "events": ["order.*"], "payload_version": "2025-01-01"}).expect(201).json
    api.post("/v1/webhooks", {"url": target.url(), "events": ["order.*"]}).expect(201)
    api.post("/v1/webhooks", {"url": target.url(), "events": ["other"], "payload_version": "2025-01-01"}).expect(201)

    def put_sunset(days):
        put(api, versions=[STEPS[0], {**STEPS[1], "sunset": on(days)}, STEPS[2]])
    put_sunset(40)
    eventually(lambda: counts() == [0, 0])
    put_sunset(20)
    data = json.loads(alarms.wait_for(1)[0].body)["data"]
    assert {"endpoint": pinned["id"], "tenant": "default", "event_type": "order.paid", "version": "2025-01-01"}.items() <= data.items()
    assert data["sunset"][:10] == on(20)[:10]
    told = json.loads(own.wait_for(1)[0].body)
    assert told["type"] == "webhook.endpoint_version_ending" and told["data"]["endpoint"] == pinned["id"] and "tenant" not in told["data"]
    eventually(lambda: counts() == [1, 0])
    put_sunset(-1)
    eventually(lambda: counts() == [0, 1])
    alarms.wait_for(2)
    publish(api, NEW)
    eventually(lambda: [json.loads(request.body)["data"] for request in target.requests if b'"order":17' in request.body])  # as before
    line = "versions of event types that are ending"
    said = running.text().count(line)
    running.stop()
    running.start()
    eventually(lambda: counts() == [0, 1])
    eventually(lambda: running.text().count(line) > said)
    publish(running.api, NEW)  # commits are in order, so what a start had told would be there by now
    assert len(running.api.as_tenant("operator").pages("/v1/events?event_type=endpoint.version_ending", 100)) == 2  # a start tells nobody again


def test_a_version_that_ends_says_so_in_each_request(server, receiver):
    """The header Sunset (RFC 8594) of a pinned version; a past attempt is shown with the date that it was sent with."""
    running, target = server(), receiver()
    api = running.api
    put(api, versions=STEPS)
    put(api, "/v1/event-types/other")
    pins = {"newest": None, "same": "2026-03-01", "ends": "2025-06-30", "oldest": "2024-01-01", "own": "2025-01-01"}
    ids = {}
    for name, pin in pins.items():
        body = {"url": target.url("/" + name), **({"payload_version": pin} if pin else {}), **({"headers": {"Sunset": "never"}} if name == "own" else {})}
        ids[api.post("/v1/webhooks", body).expect(201).json["id"]] = name

    def sent(event, type_="order.paid"):
        settled(api, 5, event=event["id"])
        return {r.target[1:]: r for r in target.requests if r.header("webhook-id") == event["id"]}

    def shown(event):
        rows = api.get(f"/v1/deliveries?event={event['id']}").json["data"]
        return {ids[row["endpoint"]]: api.get(f"/v1/deliveries/{row['id']}").json["attempts"][0]["request"]["headers"] for row in rows}

    def dates(requests):
        return {name: r.header("Sunset") for name, r in requests.items()}
    first = publish(api, NEW)
    was = "Fri, 01 Jan 2027 00:00:00 GMT"
    assert dates(sent(first)) == {"newest": None, "same": None, "ends": was, "oldest": None, "own": "never"}
    assert set(dates(sent(publish(api, NEW, type_="other"))).values()) == {None, "never"}
    # another date, then none: what was sent stays as it was, what is sent follows
    put(api, versions=[STEPS[0], {**STEPS[1], "sunset": "2028-02-29T12:30:59.9+01:00"}, STEPS[2]])
    second, then = publish(api, NEW), "Tue, 29 Feb 2028 11:30:59 GMT"
    assert dates(sent(second))["ends"] == then
    running.kill()
    running.start()
    api = running.api
    put(api, versions=[STEPS[0], {**STEPS[1], "sunset": None}, STEPS[2]])
    third = publish(api, NEW)
    assert dates(sent(third))["ends"] is None
    for event, date in ((first, was), (second, then), (third, None)):
        seen = shown(event)
        assert seen["ends"].get("Sunset") == date and [seen[name].get("Sunset") for name in ("newest", "same", "oldest", "own")] == [None, None, None, "***"], seen
        for name, request in sent(event).items():  # and nothing else has become another
            for header in ("webhook-signature", "webhook-timestamp", "Sunset"):
                assert name == "own" and header == "Sunset" or seen[name].get(header) == request.header(header), (name, header)


def test_a_list_says_when_the_first_of_its_versions_ends(server, receiver):
    gate = threading.Event()
    running, target = server(), receiver(answer=lambda request: Reply(200) if gate.wait(20) else Reply(500))
    api = running.api
    put(api, versions=STEPS)
    put(api, "/v1/event-types/order.sent", versions=[STEPS[0], {**STEPS[1], "sunset": "2026-12-24T00:00:00Z"}])
    hook = api.post("/v1/webhooks", {"url": target.url(), "payload_version": "2025-01-01", "ordering": {"key": None, "batch": 5}}).expect(201).json
    publish(api, NEW)
    target.wait_for(1)
    publish(api, NEW)
    publish(api, NEW, type_="order.sent")
    gate.set()
    settled(api, 3, endpoint=hook["id"])
    first, second = target.requests
    assert [len(json.loads(request.body)) for request in (first, second)] == [1, 2]
    assert (first.header("Sunset"), second.header("Sunset")) == ("Fri, 01 Jan 2027 00:00:00 GMT", "Thu, 24 Dec 2026 00:00:00 GMT")
    dates, batches = [], []
    for delivery in api.get(f"/v1/deliveries?endpoint={hook['id']}").json["data"]:
        (attempt,) = api.get(f"/v1/deliveries/{delivery['id']}").json["attempts"]
        dates.append(attempt["request"]["headers"]["Sunset"])
        batches.append(len(attempt.get("batch", [0])))
    assert dates == 2 * [second.header("Sunset")] + [first.header("Sunset")] and batches == [2, 2, 1]
