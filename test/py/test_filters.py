"""Filters and channels of endpoints, from outside: who gets an event, what a mistake is answered with, and why somebody did not get it."""
import json
import time
import urllib.parse
from random import Random

import pytest

from harness.client import Api
from harness.expect import eventually, problem, settled
from harness.receiver import Reply

PAID = "$[?@.data.amount >= 100 && @.data.status == 'paid']"


@pytest.fixture
def sink(receiver):
    return receiver()


def register(api, target, **more):
    return api.post("/v1/webhooks", {"url": target.url(), **more}).expect(201).json


def publish(api, data, type="order.created", **more):
    return api.post("/v1/events", {"type": type, "data": data, **more}).expect(202).json


def got(api, event):
    """The endpoints that an event has deliveries to."""
    return {row["endpoint"] for row in api.get(f"/v1/events/{event['id']}").expect(200).json["deliveries"]}


def fault(answer, pointer):
    """The text of the one fault, which has this pointer."""
    errors = problem(answer, 422)["errors"]
    assert [e["pointer"] for e in errors] == [pointer]
    return errors[0]["detail"]


def test_only_what_the_filter_finds_something_in_is_delivered(tenant, sink):
    api = tenant
    one, all_of_it = register(api, sink, filter=PAID), register(api, sink)
    assert one["filter"] == PAID and "filter" not in all_of_it
    paid = publish(api, {"amount": 100, "status": "paid"})
    open_ = publish(api, {"amount": 100, "status": "open"})
    small = publish(api, {"amount": 99.99, "status": "paid"})
    other = publish(api, [1, 2, 3])
    assert paid["deliveries"] == 2 and got(api, paid) == {one["id"], all_of_it["id"]}
    for event in (open_, small, other):
        assert event["deliveries"] == 1 and got(api, event) == {all_of_it["id"]}
    settled(api, 5)
    rows = api.get(f"/v1/deliveries?endpoint={one['id']}").expect(200).json["data"]
    assert [row["status"] for row in rows] == ["delivered"] and "filter_error" not in rows[0]


def test_what_a_filter_can_see(tenant, sink):
    api = tenant
    own = {"id": "my-1", "time": "2026-04-02T08:00:00.250Z", "resource_type": "order", "resource_id": "17"}
    whole = register(api, sink, filter="$[?@.type == 'order.created' && @.id == 'my-1' && @.time == '2026-04-02T08:00:00.250Z'"
                                           " && @.resource_type == 'order' && @.resource_id == '17' && @.data == 5]")
    absent = register(api, sink, filter="$[?!@.id && !@.resource_type && !@.resource_id && @.time]")
    assert got(api, publish(api, 5, **own)) == {whole["id"]}
    assert got(api, publish(api, 5)) == {absent["id"]}


def test_an_event_that_nobody_wants_is_kept_and_says_so(tenant, sink):
    api = tenant
    hook = register(api, sink, filter=PAID)
    event = publish(api, {"amount": 1, "status": "paid"})
    assert event["deliveries"] == 0
    shown = api.get(f"/v1/events/{event['id']}").expect(200).json
    assert shown["delivery_count"] == 0 and shown["deliveries"] == [] and shown["data"] == {"amount": 1, "status": "paid"}
    assert event["id"] in [row["id"] for row in api.get("/v1/events").expect(200).json["data"] if row["deliveries"] == 0]
    rows = api.get(f"/v1/events/{event['id']}/matches").expect(200).json["data"]
    assert rows == [{
        "endpoint": hook["id"], "matches": False, "reason": "filter", "detail": "the filter finds nothing in the event",
        "filter": PAID, "delivery": None,
        "terms": [{"text": "@.data.amount >= 100", "holds": False,
                   "values": [{"path": "@.data.amount", "found": True, "value": 1}]},
                  {"text": "@.data.status == 'paid'", "holds": True,
                   "values": [{"path": "@.data.status", "found": True, "value": "paid"}]}]}]


@pytest.mark.parametrize("text, at, words", [
    ("$[?@.data.amount > ]", 20, "expected a path"),
    ("$[?@.data.amount = 5]", 18, "write '=='"),
    ("$[?@.data.status == paid]", 21, "quotes"),
    ("$[?@..amount == 5]", 4, "value(...)"),
    ("$[?match(@.data.name, '\\\\d+')]", 23, "[0-9]"),
    ("$[?lenght(@.data) > 1]", 4, "length, count, value, match and search"),
    ("@.data.amount", 1, "begins with '$'"),
    ("$[?@.däta == 'ü' ~]", 18, "expected"),
    ("$[?" + " && ".join(["@.a"] * 40) + "]", None, "more than 64"),
    ("$[?" + "(" * 40 + "@.a" + ")" * 40 + "]", None, "nested too deeply"),
])
def test_a_mistake_is_shown_with_its_place(tenant, sink, text, at, words):
    api = tenant
    hook = register(api, sink)
    for answer in (api.post("/v1/webhooks", {"url": sink.url(), "filter": text}),
                   api.patch(f"/v1/webhooks/{hook['id']}", {"filter": text})):
        detail = fault(answer, "/filter")
        assert detail.startswith("character " if at is None else f"character {at}: ") and words in detail, detail
    assert "filter" not in api.get(f"/v1/webhooks/{hook['id']}").expect(200).json


def test_other_bad_values(tenant, sink):
    api = tenant
    for value, words in ((5, "must be a string"), ("", "must not be empty"), ("$" + " " * 5000, "4096")):
        assert words in fault(api.post("/v1/webhooks", {"url": sink.url(), "filter": value}), "/filter")
    for value, pointer in ((["a b"], "/channels/0"), (["ok", "ok"], "/channels/1"), (["x"] * 11, "/channels"), ([1], "/channels/0"),
                           ([""], "/channels/0"), (["a\nb"], "/channels/0"), ("a", "/channels")):
        assert fault(api.post("/v1/webhooks", {"url": sink.url(), "channels": value}), pointer)
        assert fault(api.post("/v1/events", {"type": "a.b", "data": 1, "channels": value}), pointer)


def test_a_change_holds_for_what_is_accepted_after_it(tenant, sink):
    api = tenant
    hook = register(api, sink, filter="$[?@.data.n == 1]")
    path = f"/v1/webhooks/{hook['id']}"
    assert publish(api, {"n": 1})["deliveries"] == 1 and publish(api, {"n": 2})["deliveries"] == 0
    assert api.patch(path, {"filter": "$[?@.data.n == 2]"}).expect(200).json["filter"] == "$[?@.data.n == 2]"
    assert publish(api, {"n": 1})["deliveries"] == 0 and publish(api, {"n": 2})["deliveries"] == 1
    api.patch(path, {"description": "the filter stays"}).expect(200)
    assert publish(api, {"n": 1})["deliveries"] == 0 and publish(api, {"n": 2})["deliveries"] == 1
    assert api.patch(path, {"filter": "$[?@.data.m > 1 || @.data.n == 1]"}).expect(200)  # nothing that an index can use
    assert publish(api, {"n": 1})["deliveries"] == 1 and publish(api, {"n": 2})["deliveries"] == 0
    assert "filter" not in api.patch(path, {"filter": None}).expect(200).json
    assert publish(api, {"n": 1})["deliveries"] == 1 and publish(api, {"n": 2})["deliveries"] == 1


def test_many_filters_find_theirs(tenant, sink):
    """With and without something to index by, numbers in other spellings, texts with escapes, changed and deleted between."""
    api = tenant
    hooks = [register(api, sink, filter=f"$[?@.data.n == {n} && @.type == 'order.created']") for n in range(40)]
    word = register(api, sink, filter="$[?'caf\\u00e9\\n' == @.data.word]")
    walked = register(api, sink, filter="$[?@.data.n > 38]")
    for n in (0, 7, 39):
        wanted = {hooks[n]["id"]} | ({walked["id"]} if n > 38 else set())
        assert got(api, publish(api, {"n": n})) == wanted
    for spelling in ("7.0", "70e-1", "0.7E+1"):
        body = b'{"type":"order.created","data":{"n":%s}}' % spelling.encode()
        event = api.post("/v1/events", body, headers={"Content-Type": "application/json"}).expect(202).json
        assert got(api, event) == {hooks[7]["id"]}
    assert got(api, publish(api, {"word": "café\n"})) == {word["id"]}
    assert got(api, publish(api, {"n": 7}, type="order.paid")) == set()
    api.patch(f"/v1/webhooks/{hooks[7]['id']}", {"filter": "$[?@.data.n == 8]"}).expect(200)
    api.delete(f"/v1/webhooks/{hooks[9]['id']}").expect(204)
    assert got(api, publish(api, {"n": 7})) == set() and got(api, publish(api, {"n": 9})) == set()
    assert got(api, publish(api, {"n": 8})) == {hooks[7]["id"], hooks[8]["id"]}


TYPES = ["order.created", "order.paid", "order.item.added", "invoice.paid", "invoice.sent", "invoice", "user.item.paid"]


def wants(patterns, type):
    return not patterns or any(pattern == type or (pattern.endswith(".*") and type.startswith(pattern[:-1]))
                               or (pattern.startswith("*.") and type.endswith(pattern[1:])) for pattern in patterns)


def drawn(random):
    """What an endpoint may subscribe to: types, one pattern, several of both, everything, or types with a filter."""
    patterns = ["order.*", "order.item.*", "invoice.*", "user.*", "*.paid", "*.added", "*.item.paid"]
    kind = random.choice(["type", "type", "types", "pattern", "pattern", "mixed", "all", "filter"])
    if kind == "type":
        return {"events": [random.choice(TYPES)]}
    if kind == "types":
        return {"events": random.sample(TYPES, 3)}
    if kind == "pattern":
        return {"events": [random.choice(patterns)]}
    if kind == "mixed":
        return {"events": random.sample(patterns, 2) + random.sample(TYPES, 2)}
    return {"events": []} if kind == "all" else {"events": [random.choice(TYPES)], "filter": "$[?@.data.n == 1]"}


def test_many_subscriptions_find_theirs(server, receiver):
    """Of a tenant with many endpoints those are asked that can want the type: the same ones as if each were asked, after changes, after
    some are deleted, and after a restart."""
    random, hooks, sink = Random(11), {}, receiver()
    running = server(flags=["--threads", "2"])
    events = [(type, n) for n in (2, 1) for type in TYPES]

    def check():
        api = running.api
        batch = [{"type": type, "data": {"n": n}} for type, n in events]
        rows = api.post("/v1/events/batch", batch).expect(202).json + [publish(api, {"n": n}, type=type) for type, n in events]
        for (type, n), row in zip(events * 2, rows):
            expected = {id for id, made in hooks.items() if wants(made["events"], type) and (n == 1 or "filter" not in made)}
            listed = [d["endpoint"] for d in api.get(f"/v1/deliveries?event={row['id']}&limit=1000").expect(200).json["data"]]
            assert row["deliveries"] == len(expected) and sorted(listed) == sorted(expected), (type, n)

    for count in (60, 64, 130):  # few, so that each is asked; just enough; many
        while len(hooks) < count:
            settings = drawn(random)
            hooks[register(running.api, sink, **settings)["id"]] = settings
        check()
    for id in random.sample(sorted(hooks), 50):
        hooks[id] = drawn(random)
        running.api.patch(f"/v1/webhooks/{id}", {"filter": None} | hooks[id]).expect(200)
    for id in random.sample(sorted(hooks), 20):
        running.api.delete(f"/v1/webhooks/{id}").expect(204)
        del hooks[id]
    check()
    running.stop()
    running.start()
    check()


def test_a_batch_is_filtered_event_by_event(tenant, sink):
    api = tenant
    hook = register(api, sink, filter="$[?@.data.n == 3]")
    rows = api.post("/v1/events/batch", [{"type": "a.b", "data": {"n": n}} for n in (1, 3, 3, 2, 3)]).expect(202).json
    assert [row["deliveries"] for row in rows] == [0, 1, 1, 0, 1]
    assert got(api, rows[1]) == {hook["id"]}


def test_what_cannot_be_evaluated_is_delivered_and_marked(tenant, sink):
    api = tenant
    hook = register(api, sink, filter="$[?count(@..*) < 0]")
    event = publish(api, {"list": [0] * 30000})
    assert event["deliveries"] == 1
    row = settled(api, 1)[0]
    assert row["filter_error"] is True and row["status"] == "delivered"
    assert api.get(f"/v1/deliveries/{row['id']}").expect(200).json["filter_error"] is True
    (match,) = api.get(f"/v1/events/{event['id']}/matches").expect(200).json["data"]
    assert (match["matches"], match["reason"], match["delivery"]) == (True, "filter_error", row["id"])
    assert match["terms"][0]["holds"] is None
    assert publish(api, {"list": [0] * 10})["deliveries"] == 0
    assert hook["id"] == row["endpoint"]


def test_a_test_goes_out_whatever_the_filter_says(tenant, sink):
    api = tenant
    hook = register(api, sink, filter="$[?@.data.n == 1]")
    made = api.post(f"/v1/webhooks/{hook['id']}/test", {}).expect(202).json
    eventually(lambda: api.get(f"/v1/deliveries/{made['id']}").expect(200).json["status"] == "delivered", 20, "test delivered")


def test_channels_are_those_of_svix(tenant, sink):
    api = tenant
    red = register(api, sink, channels=["red", "org/1"])
    blue = register(api, sink, channels=["blue"])
    every = register(api, sink)
    assert red["channels"] == ["red", "org/1"] and "channels" not in every
    assert got(api, publish(api, 1, channels=["red"])) == {red["id"], every["id"]}
    assert got(api, publish(api, 1, channels=["blue", "org/1", "x"])) == {red["id"], blue["id"], every["id"]}
    assert got(api, publish(api, 1, channels=["Red"])) == {every["id"]}
    plain = publish(api, 1)
    assert got(api, plain) == {every["id"]}
    assert got(api, publish(api, 1, channels=[])) == {every["id"]}
    named = publish(api, 1, channels=["blue"])
    assert api.get(f"/v1/events/{named['id']}").expect(200).json["channels"] == ["blue"]
    assert "channels" not in api.get(f"/v1/events/{plain['id']}").expect(200).json
    reasons = {m["endpoint"]: m["reason"] for m in api.get(f"/v1/events/{named['id']}/matches").expect(200).json["data"]}
    assert reasons == {red["id"]: "channels", blue["id"]: "matches", every["id"]: "matches"}
    api.patch(f"/v1/webhooks/{red['id']}", {"channels": None}).expect(200)
    assert red["id"] in got(api, publish(api, 1, channels=["other"]))


def test_matches_say_why_for_each(tenant, sink):
    api = tenant
    early = register(api, sink, events=["other.type"])
    changed = register(api, sink, filter="$[?@.data.name == 'Zoe']")
    event = publish(api, {"name": "Zoe", "big": "x" * 3000})
    time.sleep(0.01)
    late = register(api, sink)
    api.patch(f"/v1/webhooks/{changed['id']}", {"filter": "$[?@.data.big == 'y' || search(@.data.nobody, 'a')]"}).expect(200)
    rows = {m["endpoint"]: m for m in api.get(f"/v1/events/{event['id']}/matches").expect(200).json["data"]}
    assert rows[early["id"]]["reason"] == "event_type" and rows[early["id"]]["delivery"] is None
    assert rows[late["id"]]["reason"] == "created_later"
    row = rows[changed["id"]]
    assert row["reason"] == "filter" and row["changed_since"] is True and row["delivery"].startswith("dlv_")
    assert row["terms"][0]["values"] == [{"path": "@.data.big", "found": True, "value_bytes": 3002},
                                         {"path": "@.data.nobody", "found": False}]
    only = api.get(f"/v1/events/{event['id']}/matches?endpoint={early['id']}").expect(200).json
    assert [m["endpoint"] for m in only["data"]] == [early["id"]]
    page = api.get(f"/v1/events/{event['id']}/matches?limit=2").expect(200).json
    rest = api.get(f"/v1/events/{event['id']}/matches?limit=2&cursor={page['next_cursor']}").expect(200).json
    assert [m["endpoint"] for m in page["data"] + rest["data"]] == [late["id"], changed["id"], early["id"]]
    assert rest["next_cursor"] is None
    text = urllib.parse.quote("$[?@.data.name == 'Zoe' && @.data.age]", safe="")
    (tried,) = api.get(f"/v1/events/{event['id']}/matches?filter={text}").expect(200).json["data"]
    assert (tried["matches"], tried["reason"]) == (False, "filter") and [t["holds"] for t in tried["terms"]] == [True, False]
    assert "character 4: " in problem(api.get(f"/v1/events/{event['id']}/matches?filter=%24%5B%3F"), 400)["detail"]
    api.get("/v1/events/msg_01M7X22X2G2RSS9YF9GYP3Z53C/matches").expect(404)
    api.get(f"/v1/events/{event['id']}/matches?endpoint=ep_nothing").expect(404)


def test_a_filter_of_much_text_survives_where_its_text_is_in_the_store(tenant, sink):
    """An endpoint with more text than stays in memory is matched by what is compiled, through changes that do not name the filter."""
    api = tenant
    words = ", ".join(f"'{'w' * 100}{n}'" for n in range(20))
    text = f"$[?@.data.n == 1 && !@.data[{words}]]"
    hook = register(api, sink, filter=text, description="d" * 3000)
    path = f"/v1/webhooks/{hook['id']}"
    for change in ({}, {"metadata": {"a": "b"}}, {"active": False}, {"active": True}):
        if change:
            api.patch(path, change).expect(200)
        assert api.get(path).expect(200).json["filter"] == text
        assert publish(api, {"n": 1})["deliveries"] == 1 and publish(api, {"n": 2})["deliveries"] == 0
    api.post(path + "/rotate-secret", {}).expect(200)
    assert api.get(path).expect(200).json["filter"] == text
    assert publish(api, {"n": 1})["deliveries"] == 1 and publish(api, {"n": 2})["deliveries"] == 0


def test_a_filter_of_much_text_survives_what_the_engine_changes_itself(tenant, receiver):
    """Disabled after a 410: that changes the endpoint without reading its texts."""
    api, gone = tenant, receiver(answer=lambda request: Reply(410))
    hook = register(api, gone, filter="$[?@.data.n == 1]", description="d" * 3000)
    path = f"/v1/webhooks/{hook['id']}"
    publish(api, {"n": 1})
    eventually(lambda: api.get(path).expect(200).json["disabled"], 30, "disabled")
    assert publish(api, {"n": 2})["deliveries"] == 0
    assert api.get(path).expect(200).json["filter"] == "$[?@.data.n == 1]"


# ---- the command line ----

def test_the_command_line_says_why(cli, tmp_path, receiver):
    target = receiver()
    made = cli("endpoints", "create", target.url(), "--filter", PAID, "--channel", "red", "--json").expect(0).json
    assert made["filter"] == PAID and made["channels"] == ["red"]
    sent = cli("send", "order.created", '{"amount":150,"status":"open"}', "--channel", "red", "--json").expect(0).json
    shown = cli("events", "matches", sent["id"]).expect(0).out
    assert "does not match: the filter finds nothing" in shown and '@.data.status is "open"' in shown and made["id"] in shown
    (row,) = [json.loads(line) for line in cli("events", "matches", sent["id"], "--json").expect(0).out.splitlines()]
    assert row["matches"] is False and row["terms"][0]["holds"] is True
    tried = cli("explain", "--filter", "$[?@.data.amount > 100]", sent["id"]).expect(0)
    assert tried.out.startswith("matches\n") and "@.data.amount is 150" in tried.out
    file = tmp_path / "event.json"
    file.write_text('{"type":"a.b","data":{"n":1}}')
    assert cli("explain", "--filter", "$[?@.data.n == 2]", str(file)).expect(1).out.startswith("does not match\n")
    assert cli("explain", "--filter", "$[?@.data.m]", str(file), "--json").expect(1).json["terms"][0]["values"] == [
        {"path": "@.data.m", "found": False}]
    assert "character 13: " in cli("explain", "--filter", "$[?@.data.n = 2]", str(file)).expect(64).err
    file.write_text("{")
    assert "no JSON" in cli("explain", "--filter", "$[?@.a]", str(file)).expect(65).err
    assert "filter" not in cli("endpoints", "update", made["id"], "--filter", "", "--channel", "", "--json").expect(0).json
    assert "--filter" in cli("endpoints", "create", target.url(), "--filter", "$[").expect(1).err


# ---- several threads ----

def test_with_several_threads_nothing_goes_out_by_the_filter_of_before(server, receiver):
    """Publishers on connections of their own, which are spread over the threads; each looks at what was accepted after a change."""
    running, target = server(flags=["--threads", "4"]), receiver()
    api = running.api
    hooks = [register(api, target, filter="$[?@.data.n == 0]") for _ in range(5)]
    publishers = [Api(running.port, running.admin_key) for _ in range(8)]
    for n in range(1, 15):
        for hook in hooks:
            text = f"$[?@.data.n == {n}]" if n % 2 else f"$[?@.data.n >= {n}]"
            api.patch(f"/v1/webhooks/{hook['id']}", {"filter": text}).expect(200)
        for publisher in publishers:
            assert publish(publisher, {"n": n})["deliveries"] == 5 and publish(publisher, {"n": n - 1})["deliveries"] == 0
    settled(api, 14 * 8 * 5)
    for publisher in publishers:
        publisher.close()
