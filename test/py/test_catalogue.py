"""The catalogue for everybody: who may see it, what is in it, and that what operators write there stays text."""
import html.parser
import json
import signal
import urllib.parse

import pytest

from harness.expect import eventually, problem

PAGE, LIST = "/catalogue", "/catalogue.json"
EVIL = "</pre></p><script>alert(1)</script><img src=x onerror='alert(2)'>\"'&amp;\x07"


class Page(html.parser.HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and all its text."""

    def __init__(self, answer):
        super().__init__(convert_charrefs=True)
        self.elements, self.text = [], ""
        self.feed(answer.body.decode())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    def types(self):
        return [attrs["id"] for attrs in self.all("article")]


def put(api, name, tenant=None, **members):
    path = f"/v1/tenants/{tenant}/event-types/{name}" if tenant else f"/v1/event-types/{name}"
    return api.put(path, members).expect(200, 201).json


@pytest.fixture
def running(server):
    return server(flags=["--public-catalogue", "on"])


def names(public, query=""):
    rows = public.get(LIST + query).expect(200).json["data"]
    return [row["type"] for row in rows]


def test_it_is_off_unless_switched_on(server, tmp_path):
    config = tmp_path / "extra.yaml"
    config.write_text("event_types: {public: off}\n")
    running = server(flags=["--config", str(config)])
    put(running.api, "order.paid")
    nothing = problem(running.api.get("/catalogues"), 404)
    for api in (running.api, running.api.with_key(None)):
        for path in (PAGE, LIST, PAGE + "?limit=x"):
            answer = problem(api.get(path), 404)
            assert answer["detail"] == nothing["detail"]  # as a path at which there is nothing
    config.write_text("event_types: {public: on}\n")
    running.process.send_signal(signal.SIGHUP)
    public = running.api.with_key(None)
    eventually(lambda: public.get(LIST).status == 200)
    assert names(public) == ["order.paid"] == Page(public.get(PAGE).expect(200)).types()
    config.write_text("event_types: {public: off}\n")
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: public.get(LIST).status == 404)
    problem(public.get(PAGE), 404)


def test_what_is_in_it(running):
    api, public = running.api, running.api.with_key(None)
    assert public.get(LIST).expect(200).json == {"data": [], "next_cursor": None} and "none yet" in Page(public.get(PAGE)).text
    schema = {"type": "object", "properties": {"order": {"type": "integer"}}}
    put(api, "order.paid", description="An order\nhas been paid", group="orders", schema=schema, example={"order": 17, "n": 1.5}, validate="refuse",
        versions=[{"version": "2026-03-01"}, {"version": "2025-01-01", "sunset": "2027-01-01T00:00:00Z", "template": {"a-step": 1}}])
    put(api, "a.ungrouped", deprecated=True)
    put(api, "order.archived", group="orders", archived=True)
    put(api, "invoice.sent", group="invoices")
    assert public.get(LIST).expect(200).json["data"] == [
        {"type": "invoice.sent", "group": "invoices", "deprecated": False},
        {"type": "order.paid", "description": "An order\nhas been paid", "group": "orders", "schema": schema, "example": {"order": 17, "n": 1.5},
         "deprecated": False, "versions": [{"version": "2026-03-01"}, {"version": "2025-01-01", "sunset": "2027-01-01T00:00:00.000Z"}]},
        {"type": "a.ungrouped", "deprecated": True}]
    answer = public.get(PAGE).expect(200)
    page = Page(answer)
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    assert page.types() == ["invoice.sent", "order.paid", "a.ungrouped"]
    order = [page.text.rindex(word) for word in ("invoices", "orders", "has been paid", "ends 2027-01-01T00:00:00Z", '"n": 1.5', "Without a group", "deprecated")]
    assert order == sorted(order) and page.text.count("deprecated") == 1
    for word in (b"archived", b"refuse", b"a-step"):
        assert word not in answer.body and word not in public.get(LIST).body
    put(api, "order.paid", archived=True)
    assert names(public) == ["invoice.sent", "a.ungrouped"] == Page(public.get(PAGE)).types()


def test_a_tenants_types_are_for_its_keys_alone(running):
    api, public = running.api, running.api.with_key(None)
    for tenant in ("acme", "other"):
        api.put(f"/v1/tenants/{tenant}", {}).expect(201)
    put(api, "everybodys", description="installation")
    put(api, "everybodys", "acme", description="acme-alone")
    put(api, "acme.secret", "acme", group="acme-alone")
    keys = {tenant: api.with_key(api.post(f"/v1/tenants/{tenant}/keys", {"scopes": ["webhooks:read"]}).expect(201).json["key"]) for tenant in ("acme", "other")}
    token = api.post("/v1/tenants/acme/portal-links", {"scopes": ["webhooks:read"]}).expect(201).json["url"].split("#")[1]
    portal = api.with_key(api.with_key(token).post("/v1/portal/sessions").expect(201).json["token"])
    first = public.get(LIST).expect(200)
    for who in (public, api, keys["acme"], keys["other"], portal, api.as_tenant("acme"), api.with_key("wrong")):  # the same for all, so it may be kept
        for path in (LIST, PAGE):
            answer = who.get(path).expect(200)
            assert b"acme" not in answer.body and b"installation" in answer.body and answer.header("Tenterhook-Tenant") is None
        assert who.get(LIST).body == first.body
    for who, own in ((keys["acme"], True), (portal, True), (keys["other"], False)):  # which is where its holder finds them
        rows = {row["type"]: row for row in who.get("/v1/event-types").expect(200).json["data"]}
        assert set(rows) == {"everybodys", "acme.secret"} if own else {"everybodys"}
        assert rows["everybodys"]["description"] == ("acme-alone" if own else "installation")


def test_every_text_stays_text(running):
    api, public = running.api, running.api.with_key(None)
    put(api, "evil.one", description=EVIL, group=EVIL, schema={"title": EVIL, "properties": {EVIL: {"description": EVIL}}}, example={EVIL: [EVIL]})
    answer = public.get(PAGE).expect(200)
    page = Page(answer)
    assert not {"script", "img"} & {tag for tag, _ in page.elements}
    assert all(set(attrs) <= {"id", "class", "dir", "href", "lang", "charset", "name", "content", "open", "rel"} for _, attrs in page.elements), page.elements
    shown = EVIL.replace("\x07", "\ufffd")
    assert page.text.count(shown) == 2
    quoted = json.dumps(EVIL, ensure_ascii=False)
    assert page.text.count(quoted) == 5, page.text
    policy = answer.header("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "script" not in policy and "unsafe" not in policy
    for rule in ("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"):
        assert rule in policy
    assert answer.header("X-Content-Type-Options") == public.get(LIST).header("X-Content-Type-Options") == "nosniff"
    assert public.get(LIST).header("Content-Type") == "application/json"
    assert public.get(LIST).json["data"][0]["description"] == EVIL


def test_pages_and_tags(running):
    api, public = running.api, running.api.with_key(None)
    for n in range(7):
        put(api, f"type.n{n}", group=f"g{n % 2}")
    order = [f"type.n{n}" for n in (0, 2, 4, 6, 1, 3, 5)]
    assert [row["type"] for row in public.pages(LIST, 3)] == order
    seen, at = [], PAGE + "?limit=3"
    while at:
        page = Page(public.get(at).expect(200))
        assert [attrs["href"][1:] for attrs in page.all("a") if attrs["href"].startswith("#")] == page.types()
        seen += page.types()
        more = [attrs["href"] for attrs in page.all("a") if attrs.get("rel") == "next"]
        at = urllib.parse.urljoin(at, more[0]) if more else None
    assert seen == order
    for path in (LIST, PAGE):
        for query in ("?limit=0", "?limit=1001", "?cursor=x", "?more=1"):
            problem(public.get(path + query), 400)
        problem(public.post(path, {}), 405)
        one = public.get(path).expect(200)
        tag = one.header("ETag")
        assert one.header("Cache-Control") == "public, max-age=300" and tag.startswith('"')
        for wanted in (tag, f'"x", W/{tag}', "*"):
            answer = public.get(path, headers={"If-None-Match": wanted}).expect(304)
            assert answer.body == b"" and answer.header("ETag") == tag and answer.header("Cache-Control") == "public, max-age=300"
        assert public.get(path, headers={"If-None-Match": '"x"'}).expect(200).body == one.body
        put(api, "type.n0", description=f"changed for {path}")
        assert public.get(path, headers={"If-None-Match": tag}).expect(200).header("ETag") != tag


def test_it_stays_small_whatever_is_in_it(running):
    """A page ends by its bytes, and a text that is long for a page stands in the JSON alone."""
    api, public = running.api, running.api.with_key(None)
    for n in range(60):
        put(api, f"large.n{n:02}", description="<" * 4096, example=["<" * 20000], schema={"title": "&" * 20000})
    put(api, "a.long", group="a", example=list(range(20000)))
    page = public.get(PAGE + "?limit=1000").expect(200)
    assert len(page.body) < 2 << 20 and "too long for this page" in Page(page).text
    rows = public.pages(LIST, 1000)
    assert [len(public.get(path).body) < 2 << 20 for path in (PAGE, LIST)] == [True, True]
    assert len(rows) == 61 and rows[0]["example"] == list(range(20000))
    seen, at = 0, PAGE
    while at:
        page = Page(public.get(at).expect(200))
        assert [attrs["href"][1:] for attrs in page.all("a") if attrs["href"].startswith("#")] == page.types()
        seen += len(page.types())
        more = [attrs["href"] for attrs in page.all("a") if attrs.get("rel") == "next"]
        at = urllib.parse.urljoin(at, more[0]) if more else None
    assert seen == 61
