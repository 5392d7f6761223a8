"""Templates of bodies, from outside: what is sent and signed, what a mistake is answered with, the ready ones for other receivers."""
import json
import urllib.parse

import pytest

from harness.expect import eventually, pointers, problem, settled
from harness.server import ROOT
from harness.signature import verify

TEMPLATES = ROOT / "examples" / "templates"
DATA = {"id": "ord_1", "amount": 12.50, "status": "paid", "title": "Order 1", "items": [{"sku": "A"}, {"sku": "B"}], "none": None,
        "at": "2026-04-02T08:00:00.5Z", "name": "Zoë"}


def register(api, target, **more):
    return api.post("/v1/webhooks", {"url": target.url(), **more}).expect(201).json


def publish(api, raw=None, **more):
    body = {"type": "order.paid", "data": DATA, **more}
    text = json.dumps(body) if raw is None else raw
    return api.post("/v1/events", text.encode(), headers={"Content-Type": "application/json"}).expect(202).json


def preview(api, template, data=DATA, **more):
    return api.post("/v1/templates/preview", {"template": template, "data": data, **more})


@pytest.mark.parametrize("template, body", [
    ({"a": {"$": "$.data.amount"}, "b": 1}, {"a": 12.5, "b": 1}),
    ({"a": {"$": "$.data.missing"}, "b": [{"$": "$.data.missing"}, 2]}, {"b": [None, 2]}),
    ({"$": "$.data.none"}, None),
    ({"$": "$.data.missing"}, None),
    ({"$": "$.data.items"}, [{"sku": "A"}, {"sku": "B"}]),
    ({"$all": "$..sku"}, ["A", "B"]),
    ({"$all": "$.data.x[*]"}, []),
    ({"v": {"$default": [{"$": "$.data.missing"}, {"$": "$.data.none"}, 5]}}, {"v": None}),
    ({"v": {"$default": [{"$": "$.data.missing"}, {"$": "$.data.also"}]}}, {}),
    ({"v": {"$join": ["a", {"$": "$.data.amount"}, None, {"$": "$.data.missing"}, True]}}, {"v": "a12.5true"}),
    ({"v": {"$join": [{"$": "$.data.id"}, {"$": "$.data.missing"}, "z"], "with": "-"}}, {"v": "ord_1-z"}),
    ({"v": {"$string": {"$": "$.data.items"}}}, {"v": '[{"sku": "A"}, {"sku": "B"}]'}),
    ({"v": {"$string": {"$": "$.data.name"}}}, {"v": "Zoë"}),
    ({"v": {"$json": {"$": "$.data.name"}}}, {"v": '"Zo\\u00eb"'}),
    ({"v": {"$upper": {"$": "$.data.name"}}, "w": {"$lower": "AbÄ"}}, {"v": "ZOë", "w": "abÄ"}),
    ({"v": [{"$length": {"$": "$.data.name"}}, {"$length": {"$": "$.data.items"}}, {"$length": {"$": "$.data"}}, {"$length": 5}]},
     {"v": [3, 2, 8, None]}),
    ({"v": [{"$time": {"$": "$.data.at"}, "as": form} for form in ("unix", "unix_ms", "date", "rfc3339")]},
     {"v": [1775116800, 1775116800500, "2026-04-02", "2026-04-02T08:00:00.500Z"]}),
    ({"v": {"$time": {"$": "$.data.name"}}}, {}),
    ({"$include": ["type", "nothing"]}, {"type": "webhook.test"}),
    ({"v": {"$include": ["id", "status"], "of": {"$": "$.data"}}}, {"v": {"id": "ord_1", "status": "paid"}}),
    ({"v": {"$exclude": ["items", "none", "at", "name", "title"], "of": {"$": "$.data"}}}, {"v": {"id": "ord_1", "amount": 12.5, "status": "paid"}}),
    ({"v": {"$exclude": ["a"], "of": 5}}, {}),
    ({"plain": {"x": [1, {"y": None}]}}, {"plain": {"x": [1, {"y": None}]}}),
    ([], []),
])
def test_what_a_template_makes(tenant, template, body):
    shown = preview(tenant, template).expect(200)
    assert shown.json["body"] == body and shown.json["bytes"] == len(shown.body) - len(b'{"body":,"bytes":%d}' % shown.json["bytes"])


@pytest.mark.parametrize("template, pointer, words", [
    (5, "", "an object or a list"),
    ({"a": {"$": "$.data["}}, "/a/$", "character 8: "),
    ({"a": {"$": "$..x"}}, "/a/$", "$all"),
    ({"a": {"$": 5}}, "/a/$", "a text with a path"),
    ({"a": {"$nothing": 5}}, "/a/$nothing", "is no function"),
    ({"a": {"b": 1, "$": "$.id"}}, "/a/b", "the first member"),
    ({"a": {"$": "$.id", "b": 1}}, "/a/b", "nothing that $ takes"),
    ({"a": [{"$join": 5}]}, "/a/0/$join", "a list"),
    ({"a/~b": {"$join": 5}}, "/a~1~0b/$join", "a list"),
    ({"a": {"$time": "x", "as": "never"}}, "/a/as", "unix_ms"),
    ({"a": {"$include": [5]}}, "/a/$include", "names"),
    ({"a": [{"$": "$.id"}] * 300}, "/a/254", "more than 256"),
    ({"a": "x" * 9000}, "", "8192"),
])
def test_a_mistake_is_shown_with_its_place(tenant, receiver, template, pointer, words):
    target = receiver()
    hook = register(tenant, target)
    for answer in (preview(tenant, template), tenant.post("/v1/webhooks", {"url": target.url(), "template": template}),
                   tenant.patch(f"/v1/webhooks/{hook['id']}", {"template": template})):
        errors = problem(answer, 422)["errors"]
        assert [e["pointer"] for e in errors] == ["/template" + pointer] and words in errors[0]["detail"], errors
    assert "template" not in tenant.get(f"/v1/webhooks/{hook['id']}").expect(200).json


def test_nested_too_deeply(tenant):
    deep = {"$": "$.id"}
    for _ in range(17):
        deep = {"$upper": deep}
    assert "nested too deeply" in problem(preview(tenant, deep), 422)["errors"][0]["detail"]


def test_the_rendered_body_is_signed_sent_and_shown(tenant, receiver):
    """And a retry sends the same bytes."""
    target = receiver().script(500, 200)
    template = {"id": {"$": "$.id"}, "n": {"$": "$.data.n"}, "type": {"$": "$.type"}, "time": {"$": "$.time"}}
    hook = register(tenant, target, template=template)
    assert hook["template"] == template
    event = publish(tenant, raw='{"type":"order.paid","time":"2026-04-02T08:00:00Z","data":{"n":1.500}}')
    (row,) = settled(tenant, 1, status="retrying")
    tenant.post(f"/v1/deliveries/{row['id']}/retry", {}).expect(202)
    settled(tenant, 1)
    first, second = target.requests
    assert first.body == second.body == b'{"id":"%s","n":1.500,"type":"order.paid","time":"2026-04-02T08:00:00.000Z"}' % event["id"].encode()
    verify(hook["secret"], first)
    verify(hook["secret"], second)
    tenant.patch(f"/v1/webhooks/{hook['id']}", {"template": None}).expect(200)
    attempts = tenant.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"]
    assert [a["request"]["body"].encode() for a in attempts] == [first.body, first.body]
    publish(tenant, raw='{"type":"order.paid","data":{"n":1.500}}')
    settled(tenant, 2)
    assert b'{"id":"' not in target.requests[2].body


def test_beside_endpoints_without_one(tenant, receiver):
    plain, templated = receiver(), receiver()
    register(tenant, plain)
    register(tenant, templated, template=["only", {"$": "$.data.id"}])
    register(tenant, plain)
    publish(tenant)
    settled(tenant, 3)
    assert templated.requests[0].body == b'["only","ord_1"]'
    assert len(plain.requests) == 2 and plain.requests[0].body == plain.requests[1].body != templated.requests[0].body


def test_what_is_too_large_fails_in_words(tenant, receiver):
    target = receiver()
    register(tenant, target, template={"$all": "$..*"})
    event = publish(tenant, raw=json.dumps({"type": "a.b", "data": [0] * 30000}))
    def look():
        row = tenant.get(f"/v1/events/{event['id']}").expect(200).json["deliveries"][0]
        return row if row["attempt_count"] else None
    row = eventually(look, 30, "an attempt")
    (attempt,) = tenant.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"]
    assert attempt["outcome"] == "internal_error" and "template" in attempt["detail"] and target.requests == []
    assert "steps" in problem(preview(tenant, {"$all": "$..*"}, [0] * 30000), 422)["detail"]


def test_of_an_event_of_before(tenant):
    event = publish(tenant, id="own-1")
    shown = tenant.post("/v1/templates/preview", {"template": {"i": {"$": "$.id"}, "a": {"$": "$.data.amount"}}, "event": event["id"]})
    assert shown.expect(200).json["body"] == {"i": "own-1", "a": 12.5}
    for body, pointer in (({"template": {}, "event": "nothing"}, "/event"), ({"template": {}}, "/event"),
                          ({"template": {}, "event": "x", "data": 1}, "/event"), ({"data": 1}, "/template")):
        assert [e["pointer"] for e in problem(tenant.post("/v1/templates/preview", body), 422)["errors"]] == [pointer]


def test_on_the_command_line(cli, receiver, tmp_path):
    file = tmp_path / "t.json"
    file.write_text('{"x": {"$": "$.data.n"}}')
    sent = cli("send", "a.b", '{"n":7}', "--json").expect(0).json
    assert cli("template", str(file), "--event", sent["id"]).expect(0).out == '{"x":7}\n7 bytes\n'
    data = tmp_path / "d.json"
    data.write_text('{"n":8}')
    assert cli("template", str(file), "--data", str(data), "--json").expect(0).json == {"body": {"x": 8}, "bytes": 7}
    made = cli("endpoints", "create", receiver().url(), "--template", str(file), "--json").expect(0).json
    assert made["template"] == {"x": {"$": "$.data.n"}}
    assert "template" not in cli("endpoints", "update", made["id"], "--template", "", "--json").expect(0).json
    cli("template", str(file)).expect(64)
    file.write_text("{")
    assert "no JSON" in cli("template", str(file), "--event", "x").expect(65).err


# ---- the ready ones: what each receiver documents as required ----

def texts(value):
    return isinstance(value, str) and value


def check_slack(body):
    assert texts(body["text"]) and body["blocks"] and all(b["type"] == "section" and texts(b["text"]["text"]) and b["text"]["type"] in ("mrkdwn", "plain_text")
                                       and len(b["text"]["text"]) <= 3000 for b in body["blocks"])


def check_discord(body):
    assert texts(body["content"]) and len(body["content"]) <= 2000 and len(body["embeds"]) <= 10
    fields = [f for e in body["embeds"] for f in e["fields"]]
    assert fields and all(texts(f["name"]) and texts(f["value"]) for f in fields)


def check_teams(body):
    assert body["type"] == "message"
    (attachment,) = body["attachments"]
    card = attachment["content"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive" and card["type"] == "AdaptiveCard" and card["version"]
    assert {item["type"] for item in card["body"]} <= {"TextBlock", "FactSet"}
    blocks = [item for item in card["body"] if item["type"] == "TextBlock"]
    assert blocks and all(texts(item["text"]) for item in blocks)


def check_pagerduty(body):
    assert texts(body["routing_key"]) and body["event_action"] in ("trigger", "acknowledge", "resolve") and len(body["dedup_key"]) <= 255
    inner = body["payload"]
    assert texts(inner["summary"]) and len(inner["summary"]) <= 1024 and texts(inner["source"])
    assert inner["severity"] in ("critical", "error", "warning", "info") and isinstance(inner["custom_details"], dict)


def check_thin(body):
    assert set(body) == {"id", "type"}


def check_cloudevents(body):
    assert body["specversion"] == "1.0" and texts(body["id"]) and texts(body["source"]) and texts(body["type"])
    assert set(body) <= {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
    assert body["datacontenttype"] == "application/json" and body["data"] == DATA


CHECKS = {"slack": check_slack, "discord": check_discord, "teams": check_teams, "pagerduty": check_pagerduty, "thin": check_thin,
          "cloudevents": check_cloudevents}


@pytest.mark.parametrize("name", sorted(path.stem for path in TEMPLATES.glob("*.json")))
def test_ready_templates_have_the_documented_shape(tenant, receiver, name):
    target = receiver()
    register(tenant, target, template=json.loads((TEMPLATES / f"{name}.json").read_text()))
    publish(tenant)
    publish(tenant, resource_type="order", resource_id="17")
    settled(tenant, 2)
    for request in target.requests:
        CHECKS[name](json.loads(request.body))


def test_each_ready_template_has_a_check():
    assert sorted(CHECKS) == sorted(path.stem for path in TEMPLATES.glob("*.json"))


# ---- forms and methods ----

def test_a_body_as_a_form(tenant, receiver):
    """The form is what is signed, and what the log shows."""
    target = receiver()
    data = '{"order":{"id":17,"tags":["a b","c&d"],"none":[]},"amount":12.50,"note":null,"vip":true,"näme":"Zo\\u00eb","x":[{"y":[1]}]}'
    made = register(tenant, target, body_format="form", method="PUT", template={"$": "$.data"})
    assert (made["body_format"], made["method"]) == ("form", "PUT")
    json_one = register(tenant, target, method="PATCH")
    event = publish(tenant, f'{{"type":"order.paid","data":{data}}}')["id"]
    rows = settled(tenant, 2, event=event)
    requests = {request.method: request for request in target.requests}
    form = requests["PUT"]
    assert form.header("content-type") == "application/x-www-form-urlencoded"
    assert form.body == (b"order%5Bid%5D=17&order%5Btags%5D%5B0%5D=a+b&order%5Btags%5D%5B1%5D=c%26d&amount=12.50&note=&vip=true"
                         b"&n%C3%A4me=Zo%C3%AB&x%5B0%5D%5By%5D%5B0%5D=1")
    assert dict(urllib.parse.parse_qsl(form.body.decode(), keep_blank_values=True))["order[tags][1]"] == "c&d"
    verify(made["secret"], form)
    assert requests["PATCH"].header("content-type") == "application/json" and json.loads(requests["PATCH"].body)["data"]["amount"] == 12.5
    verify(json_one["secret"], requests["PATCH"])
    for row in rows:
        sent = tenant.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][0]["request"]
        assert sent["body"].encode() == requests[sent["method"]].body
        assert sent["headers"]["Content-Type"] == requests[sent["method"]].header("content-type")
    tenant.patch(f"/v1/webhooks/{made['id']}", {"body_format": None, "method": None}).expect(200)
    assert "method" not in tenant.get(f"/v1/webhooks/{made['id']}").json


def test_what_is_no_method_or_format(tenant, receiver):
    for body, where in (({"method": "GET"}, "/method"), ({"method": "post"}, "/method"), ({"body_format": "xml"}, "/body_format")):
        assert pointers(tenant.post("/v1/webhooks", {"url": receiver().url(), **body})) == [where]


def test_a_form_of_what_is_no_object(tenant, receiver):
    target = receiver()
    register(tenant, target, body_format="form", template=[{"$": "$.data"}, [1]])
    settled(tenant, 1, event=publish(tenant, '{"type":"order.paid","data":"é"}')["id"])
    assert target.requests[0].body == b"data%5B0%5D=%C3%A9&data%5B1%5D%5B0%5D=1"
