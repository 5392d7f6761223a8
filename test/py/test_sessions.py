"""Sessions of browsers: an operator's key, or a link once, becomes a cookie; what the cookie may do, and how it ends."""
import json

import pytest

from harness.command import tenterhook
from harness.expect import problem
from harness.metrics import metrics
from harness.stream import Stream


def cookie_of(answer):
    """(name=value, attributes) of the cookie that an answer sets."""
    value, *attributes = [part.strip() for part in answer.header("Set-Cookie").split(";")]
    return value, attributes


class Browser:
    """What a page does: the cookie with each request, the CSRF token with those that change something."""

    def __init__(self, api, key=None):
        self.api = api.with_key(None)
        self.opened = api.request("POST", "/v1/sessions", headers={"Authorization": f"Bearer {key}"} if key else None).expect(201)
        self.cookie, self.csrf = cookie_of(self.opened)[0], self.opened.json["csrf_token"]

    def ask(self, method, path, body=None, csrf=True, **headers):
        fields = {"Cookie": self.cookie, "Tenterhook-Csrf": self.csrf if csrf is True else csrf or None}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.api.request(method, path, body, fields)


def operator_key(api, role):
    return api.post("/v1/keys", {"role": role, "name": f"{role} of a test"}).expect(201).json


def test_a_key_becomes_a_cookie_that_scripts_cannot_read(shared):
    browser = Browser(shared.api)
    value, attributes = cookie_of(browser.opened)
    assert value.startswith("tenterhook_session=th_ses_")
    assert set(attributes) == {"Path=/v1/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"}
    assert browser.opened.header("Cache-Control") == "no-store"
    shown = browser.opened.json
    assert (shown["key"], shown["role"], shown["name"], shown["idle_seconds"]) == ("operator", "admin", "", 3600)
    assert shown["id"] not in value and shared.admin_key not in browser.opened.body.decode()
    assert browser.ask("GET", "/v1/sessions/current").expect(200).json | {"used_at": 0} == shown | {"used_at": 0}
    assert browser.ask("GET", "/v1/tenants").status == 200
    # others cookies beside it, and one of a like name
    for others in ("a=b; {}; c=d", "x{0}; {0}", "{};"):
        assert browser.ask("GET", "/v1/tenants", Cookie=others.format(browser.cookie)).status == 200, others
    for wrong in ("", "tenterhook_session=", "tenterhook_session=th_ses_x", browser.cookie[:-1], browser.cookie + "A", "x" + browser.cookie):
        problem(browser.ask("GET", "/v1/tenants", Cookie=wrong or None), 401)


def test_a_change_needs_the_csrf_token(shared):
    """A form of another site would send the cookie (were it not SameSite=Strict); it cannot send this."""
    browser = Browser(shared.api)
    other = Browser(shared.api)
    for wrong in (None, "", "x", browser.csrf[:-1], browser.csrf + "0", other.csrf):
        refused = problem(browser.ask("PUT", "/v1/tenants/csrf", {"name": "X"}, csrf=wrong), 403)
        assert "csrf_token" in refused["detail"]
    problem(shared.api.get("/v1/tenants/csrf"), 404)
    browser.ask("PUT", "/v1/tenants/csrf", {"name": "X"}).expect(201)
    shared.api.put("/v1/tenants/csrf", {"name": "Y"}).expect(200)  # a key needs none
    two = browser.api.request("PUT", "/v1/tenants/csrf", {"name": "Z"}, {"Cookie": browser.cookie, "Tenterhook-Csrf": "x"})
    problem(two, 403)


def test_what_another_site_sends_does_not_count(shared):
    """Browsers say who is behind a request; a cookie that came along with another site's is as if it were not there."""
    browser = Browser(shared.api)
    for site, status in (("cross-site", 401), ("same-site", 401), ("same-origin", 200), ("none", 200)):
        assert browser.ask("GET", "/v1/tenants", Sec_Fetch_Site=site).status == status, site
    # with a key in the request the cookie says nothing
    wrong = browser.api.request("GET", "/v1/tenants", None, {"Cookie": browser.cookie, "Authorization": "Bearer nobody-has-this-key"})
    problem(wrong, 401)


def test_the_cookie_is_secure_behind_https(server):
    """By a proxy that is trusted; whoever else says so is not believed."""
    running = server(flags=["--trusted-proxy", "127.0.0.1/32"])
    https = running.api.request("POST", "/v1/sessions", None, {"X-Forwarded-Proto": "https"}).expect(201)
    assert "Secure" in cookie_of(https)[1]
    assert "Secure" not in cookie_of(running.api.post("/v1/sessions").expect(201))[1]
    alone = server()
    assert "Secure" not in cookie_of(alone.api.request("POST", "/v1/sessions", None, {"X-Forwarded-Proto": "https"}).expect(201))[1]


@pytest.mark.parametrize("role", ["read-only", "support", "admin"])
def test_a_session_may_what_its_key_may(server, receiver, role):
    running = server()
    api = running.api
    key = operator_key(api, role)
    browser = Browser(api, key["key"])
    assert (browser.opened.json["role"], browser.opened.json["key"]) == (role, key["id"])
    hook = api.post("/v1/webhooks", {"url": receiver().url()}).expect(201).json["id"]
    assert browser.ask("GET", "/v1/webhooks").status == 200
    assert browser.ask("POST", f"/v1/webhooks/{hook}/test", {}).status == (403 if role == "read-only" else 202)
    assert browser.ask("PATCH", f"/v1/webhooks/{hook}", {"active": False}).status == (200 if role == "admin" else 403)
    assert browser.ask("GET", f"/v1/webhooks/{hook}/secret").status == (200 if role == "admin" else 403)
    assert browser.ask("GET", "/v1/sessions").status == (200 if role == "admin" else 403)
    # no session or link by means of a session: whoever takes a page over gets no longer stay
    for path in ("/v1/sessions", "/v1/sessions/links"):
        assert "key itself" in problem(browser.ask("POST", path), 403)["detail"]


def test_a_session_ends_with_its_key(server):
    running = server()
    key = operator_key(running.api, "admin")
    browser = Browser(running.api, key["key"])
    browser.ask("GET", "/v1/tenants").expect(200)
    running.api.delete(f"/v1/keys/{key['id']}").expect(204)
    problem(browser.ask("GET", "/v1/tenants"), 401)
    assert running.api.get("/v1/sessions").json["data"] == []


def test_signing_out_and_being_signed_out(server):
    running = server()
    first, second = Browser(running.api), Browser(running.api)
    listed = running.api.get("/v1/sessions").expect(200).json
    assert [row["id"] for row in listed["data"]] == [second.opened.json["id"], first.opened.json["id"]]
    assert "csrf_token" not in listed["data"][0] and listed["data"][0]["from"] == "127.0.0.1"
    gone = first.ask("DELETE", "/v1/sessions/current").expect(204)
    assert cookie_of(gone)[0] == "tenterhook_session=" and "Max-Age=0" in cookie_of(gone)[1]
    problem(first.ask("GET", "/v1/tenants"), 401)
    running.api.delete(f"/v1/sessions/{second.opened.json['id']}").expect(204)
    problem(second.ask("GET", "/v1/tenants"), 401)
    problem(running.api.delete(f"/v1/sessions/{second.opened.json['id']}"), 404)
    problem(running.api.get("/v1/sessions/current"), 404)  # a key is no session
    audited = [json.loads(line) for line in running.text().splitlines() if '"audit"' in line]
    by = {line["operation"]: line for line in audited}
    assert by["createSession"]["object"].startswith("ses_") and by["endSession"]["session"] == first.opened.json["id"]
    assert by["deleteSession"]["object"] == second.opened.json["id"]
    assert "th_ses_" not in running.text() and first.csrf not in running.text()


def test_a_link_opens_one_session(server):
    running = server()
    key = operator_key(running.api, "support")
    link = running.api.with_key(key["key"]).post("/v1/sessions/links").expect(201)
    assert link.header("Cache-Control") == "no-store" and link.json["token"].startswith("th_link_")
    by_link = running.api.with_key(link.json["token"])
    # it opens a session and nothing else
    problem(by_link.get("/v1/tenants"), 401)
    opened = by_link.post("/v1/sessions").expect(201)
    assert (opened.json["role"], opened.json["key"]) == ("support", key["id"])
    problem(by_link.post("/v1/sessions"), 401)
    assert link.json["token"] not in running.text()
    # it ends with the key
    second = running.api.with_key(key["key"]).post("/v1/sessions/links").json["token"]
    running.api.delete(f"/v1/keys/{key['id']}").expect(204)
    problem(running.api.with_key(second).post("/v1/sessions"), 401)


def test_wrong_links_are_guesses(server):
    """Who tries tokens of links is counted, and slowed down, as who tries keys (test/unit/api_limit.c). A cookie is no guess:
    sessions end, and browsers go on sending what they have."""
    running = server()
    for number in range(3):
        problem(running.api.with_key(f"th_link_{number}").post("/v1/sessions"), 401)
    problem(running.api.with_key(None).post("/v1/sessions"), 401)
    problem(running.api.with_key(None).request("GET", "/v1/tenants", None, {"Cookie": "tenterhook_session=th_ses_x"}), 401)
    assert metrics(running.api)[0]["tenterhook_http_wrong_keys_total"] == 3


def test_sessions_of_one_key_push_out_their_own_only(server):
    running = server()
    mine = Browser(running.api)
    key = operator_key(running.api, "read-only")
    many = [Browser(running.api, key["key"]) for _ in range(51)]
    mine.ask("GET", "/v1/tenants").expect(200)
    assert [browser.ask("GET", "/v1/tenants").status for browser in many].count(401) == 1
    assert len(running.api.get("/v1/sessions").json["data"]) == 51


def test_a_stream_ends_with_its_session(server, receiver):
    running = server()
    browser = Browser(running.api)
    stream = Stream(running.api.with_key(None), "/v1/attempts/stream", cookie=browser.cookie)
    browser.ask("DELETE", "/v1/sessions/current").expect(204)
    running.api.post("/v1/webhooks", {"url": receiver().url()}).expect(201)
    running.api.post("/v1/events", {"type": "a.b", "data": 1}).expect(202)
    last = list(stream)[-1]
    assert (last.event, last.data) == ("end", {"reason": "session_ended"})


def test_the_idle_time_is_an_option(server):
    """That it ends a session is shown in virtual time: test/unit/api_session.c."""
    running = server(flags=["--session-idle", "60"])
    assert Browser(running.api).opened.json["idle_seconds"] == 60
    assert tenterhook("serve", "--session-idle", "59").status == 64


def test_the_native_form_of_every_dialect(server, receiver):
    """With Tenterhook-Form: native a page needs to know one form, whatever the vendor's."""
    running = server()
    running.api.put("/v1/tenants/orbit", {"name": "Orbit", "dialect": "taskboard"}).expect(201)
    orbit = running.api.as_tenant("orbit")
    native = {"Tenterhook-Form": "native"}
    made = orbit.request("POST", "/v1/webhooks", {"url": receiver().url(), "events": ["task.created"]}, native)
    assert made.status == 201 and made.json["url"], made
    shown = orbit.request("GET", f"/v1/webhooks/{made.json['id']}", None, native).expect(200).json
    plain = running.api.post("/v1/webhooks", {"url": receiver().url()}).expect(201).json
    assert set(shown) - {"options"} == set(plain) - {"secret", "options"}
    assert orbit.request("GET", "/v1/webhooks", None, native).expect(200).json["data"][0] == shown
    wrong = orbit.request("POST", "/v1/webhooks", {"url": "nonsense", "events": ["task.created"]}, native)
    assert problem(wrong, 422)["errors"][0]["pointer"] == "/url"
    log = orbit.request("GET", f"/v1/webhooks/{made.json['id']}/deliveries", None, native).expect(200).json
    assert set(log) == {"data", "next_cursor"}
    changed = orbit.request("PATCH", f"/v1/webhooks/{made.json['id']}", {"description": "x"}, native).expect(200).json
    assert changed["description"] == "x"
