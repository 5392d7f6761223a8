"""Publishing inside the application's own transaction: tenterhook.publish() in our own database and in another one, what becomes of
each event, and what deaths do to it."""
import datetime
import itertools
import json
import pathlib
import re
import signal
import subprocess
import time

import pytest

from harness import command
from harness.postgres import PgBouncer
from harness.programs import node_folder
from harness.server import StartError, binary_path
from harness.expect import until
from test_postgres import node, postgres, subscribe  # pylint: disable=unused-import


def tenterhook(*args, server):
    """A command that talks to a server; what it printed."""
    return command.tenterhook(*args, "--server", f"http://127.0.0.1:{server.port}", env={"TENTERHOOK_KEY": server.admin_key}).expect(0).out


def inbox_sql():
    return command.tenterhook("sql").expect(0).out


class Application:
    """An application with a database in which it publishes."""

    def __init__(self, postgres, name, owner="tenterhook"):
        self.postgres, self.name = postgres, name
        self.run(inbox_sql(), user=owner)

    def run(self, text, user="tenterhook"):
        done = subprocess.run([str(self.postgres.bin / "psql"), "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1",
                               self.postgres.url(self.name, user=user), "-f", "-"], input=text, capture_output=True, text=True,
                              check=False, cwd="/")
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    def waiting(self):
        return int(self.run("SELECT count(*) FROM tenterhook.inbox")[0][0])

    def rejected(self):
        return self.run("SELECT tenant, type, reason FROM tenterhook.inbox_rejected ORDER BY no")


@pytest.fixture
def database(postgres):
    """The address of an empty database for the store."""
    return postgres.url(another(postgres))


@pytest.fixture
def shop(postgres):
    """Another database, with an inbox."""
    return Application(postgres, another(postgres))


EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "inbox"
NAMES = itertools.count(1)


def another(postgres):
    """The name of another empty database."""
    return postgres.fresh(f"app{next(NAMES)}").rpartition("/")[2]


def numbers(receiver):
    with receiver.changed:
        return [json.loads(request.body)["data"]["number"] for request in receiver.requests if b'"number"' in request.body]


def value(api, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", api.get("/metrics").body.decode(), re.M)
    return float(found[1])


@pytest.fixture(params=["own", "foreign", "sqlite"])
def drained(request, postgres, database, node, receiver, server):
    """A server, the application whose inbox it drains, and its receiver: in the store's own database, another one, or beside SQLite."""
    got = receiver()
    if request.param == "own":
        one = node(database)
        app = Application(postgres, database.rpartition("/")[2])
    else:
        app = Application(postgres, another(postgres))
        source = ["--inbox-source", postgres.url(app.name)]
        one = node(database, flags=source) if request.param == "foreign" else server(flags=source)
    subscribe(one.api, got)
    return one, app, got, request.param


def test_an_event_is_visible_when_the_transaction_commits(drained):
    one, app, got, kind = drained
    text = '{"number":  1, "kept": "as it is"}'
    app.run(f"BEGIN; SELECT tenterhook.publish('default', 'a.b', '{text}', 'order-1'); COMMIT")
    until(lambda: numbers(got) == [1], 20)
    assert text.encode() in got.requests[0].body  # byte for byte
    app.run("BEGIN; SELECT tenterhook.publish('default', 'a.b', '{\"number\": 2}'); ROLLBACK")
    app.run("BEGIN; SELECT tenterhook.publish('default', 'a.b', '{\"number\": 3}'); SAVEPOINT a;"
            " SELECT tenterhook.publish('default', 'a.b', '{\"number\": 4}'); ROLLBACK TO a; COMMIT")
    until(lambda: 3 in numbers(got), 20)
    time.sleep(1)
    assert numbers(got) == [1, 3]
    until(lambda: app.waiting() == 0, 10)
    events = one.api.get("/v1/events").expect(200).json["data"]
    assert len(events) == 2
    # the same id once more: nothing
    app.run("SELECT tenterhook.publish('default', 'a.b', '{\"number\": 1}', 'order-1')")
    until(lambda: app.waiting() == 0, 10)
    time.sleep(0.5)
    assert numbers(got) == [1, 3] and app.rejected() == []
    assert value(one.api, 'tenterhook_inbox_events_total{outcome="accepted"}') == 2
    assert value(one.api, 'tenterhook_inbox_events_total{outcome="repeated"}') == 1


def test_an_uncommitted_event_waits_for_nobody(drained):
    """A transaction that stays open holds up neither those behind it nor its own event later."""
    one, app, got, kind = drained
    process = subprocess.Popen([str(app.postgres.bin / "psql"), "-X", "-q", app.postgres.url(app.name)], stdin=subprocess.PIPE, text=True,
                               stdout=subprocess.DEVNULL)
    process.stdin.write("BEGIN; SELECT tenterhook.publish('default', 'a.b', '{\"number\": 1}');\n")
    process.stdin.flush()
    time.sleep(1)
    app.run("SELECT tenterhook.publish('default', 'a.b', '{\"number\": 2}')")
    until(lambda: numbers(got) == [2], 20)
    process.stdin.write("COMMIT;\n\\q\n")
    process.stdin.close()
    process.wait(20)
    until(lambda: numbers(got) == [2, 1], 20)


def test_options_reach_the_event(drained):
    one, app, got, kind = drained
    one.api.post("/v1/webhooks", {"url": got.url("/other"), "channels": ["eu"]}).expect(201)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    app.run("SELECT tenterhook.publish('default', 'a.b', '{\"number\": 1}'::jsonb, options => '" + json.dumps({
        "time": "2026-04-02T08:00:00+02:00", "resource_type": "order", "resource_id": "42", "traceparent": trace,
        "channels": ["eu", "de"], "notify": True}) + "')")
    got.wait_for(2)
    event = one.api.get("/v1/events").expect(200).json["data"][0]
    assert event["time"].startswith("2026-04-02T06:00:00") and event["resource_type"] == "order" and event["resource_id"] == "42"
    assert event["channels"] == ["eu", "de"] and event["traceparent"] == trace
    app.run("SELECT tenterhook.publish('default', 'a.b', '{\"number\": 2}', options => '{\"deliver_at\": \"2099-01-01T00:00:00Z\","
            " \"expires_at\": \"2099-01-02T00:00:00+01:00\"}')")
    until(lambda: len(app.rejected()) == 1, 20)  # later than events are kept
    assert "deliver_at" in app.rejected()[0][2]
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
    app.run("SELECT tenterhook.publish('default', 'a.b', '{\"number\": 3}', options => '" + json.dumps({
        "deliver_at": soon.isoformat(timespec="milliseconds"), "expires_at": "2099-01-02T00:00:00+01:00"}) + "')")
    event = until(lambda: [row for row in one.api.get("/v1/events").json["data"] if "deliver_at" in row], 20)[0][0]
    assert event["expires_at"].startswith("2099-01-01T23:00:00") and 3 not in numbers(got)
    until(lambda: 3 in numbers(got), 20)
    assert datetime.datetime.now(datetime.timezone.utc) >= soon
    for options, words in (('{"nope": 1}', 'there is no option "nope"'), ('[]', "must be an object"), ('{"time": "now"}', "RFC 3339"), ('{"deliver_at": "now"}', '"deliver_at" must be an RFC 3339'),
                           ('{"expires_at": 1}', "a text"),
                           ('{"channels": "eu"}', "array of names"), ('{"traceparent": "x"}', "Trace Context"),
                           ('{"resource_id": 1}', "a text"), ('{"notify": "yes"}', "true or false")):
        with pytest.raises(RuntimeError, match=re.escape(words)):
            app.run(f"SELECT tenterhook.publish('default', 'a.b', '{{}}', options => '{options}')")
    for call, words in (("'default', 'a.b', '{'", "json"), ("NULL, 'a.b', '{}'", "must be given"), ("'a b', 'a.b', '{}'", "tenant"),
                        ("'default', '', '{}'", "type"), ("'default', 'a.b', '{}', 'a/b'", "id")):
        with pytest.raises(RuntimeError, match=words):
            app.run(f"SELECT tenterhook.publish({call})")
    assert app.waiting() == 0


def test_what_cannot_be_accepted_is_moved_aside(drained):
    one, app, got, kind = drained
    app.run("SELECT tenterhook.publish('nobody', 'a.b', '{\"number\": 1}', 'lost-1');"
            " SELECT tenterhook.publish('default', 'a b', '{\"number\": 2}');"
            " SELECT tenterhook.publish('default', 'a.b', json_build_object('number', 3, 'x', repeat('y', 20000000)));"
            " SELECT tenterhook.publish('default', 'a.b', '{\"number\": 4}', options => '{\"channels\": [\"a b\"]}');"
            # by somebody who owns the table and does not use the function
            " INSERT INTO tenterhook.inbox(tenant, type, data, id, options, bytes, at) VALUES('default', 'a.b', 'nonsense', 'x', NULL, 8,"
            " now()), ('default', 'a.b', '{}', 'x/y', NULL, 2, now()), ('default', 'a.b', '{}', 'z', '{\"colour\": 1}', 2, now());"
            " SELECT tenterhook.publish('default', 'a.b', '{\"number\": 5}')")
    until(lambda: numbers(got) == [5], 20)
    until(lambda: len(app.rejected()) == 7, 20)
    reasons = [row[2] for row in app.rejected()]
    for reason, words in zip(reasons, ('there is no tenant "nobody"', "the type must be", "20000", "the channel", "no JSON", "the id must",
                                       'there is no option "colour"')):
        assert words in reason, reasons
    assert app.waiting() == 0
    until(lambda: value(one.api, "tenterhook_inbox_rejected") == 7, 10)
    # the operator sees them, mends what was wrong, and tries again
    listed = one.api.get("/v1/inboxes/rejected?limit=2").expect(200).json
    assert [row["tenant"] for row in listed["data"]] == ["nobody", "default"] and listed["data"][0]["event"] == "lost-1"
    everything = one.api.pages("/v1/inboxes/rejected", limit=2)
    assert [row["reason"] for row in everything] == reasons
    state = one.api.get("/v1/inboxes").expect(200).json["data"]
    assert [row["error"] for row in state] == [None] and state[0]["id"] == ("0" if kind == "own" else "1")
    one.api.put("/v1/tenants/nobody", {"name": "Somebody now"}).expect(200, 201)
    printed = tenterhook("inbox", "rejected", server=one)
    assert "there is no tenant" in printed and everything[0]["id"] in printed
    tenterhook("inbox", "retry", everything[0]["id"], server=one)
    until(lambda: one.api.as_tenant("nobody").get("/v1/events").expect(200).json["data"], 10)
    one.api.delete(f"/v1/inboxes/rejected/{everything[1]['id']}").expect(204)
    one.api.delete(f"/v1/inboxes/rejected/{everything[1]['id']}").expect(404)
    one.api.post(f"/v1/inboxes/rejected/{everything[0]['id']}/retry").expect(404)
    for wrong in ("9-1", "x", "0-", "-1", "1-99999999999999999999999"):
        one.api.delete(f"/v1/inboxes/rejected/{wrong}").expect(404)
    assert len(app.rejected()) == 5
    tenterhook("inbox", "drop", everything[2]["id"], "--yes", server=one)
    assert len(app.rejected()) == 4
    assert "REJECTED" in tenterhook("inbox", server=one)


def test_a_tenant_with_much_starves_nobody(drained):
    """One tenant has 20,000 events; the one that comes later waits for two batches, not for all of them."""
    one, app, got, kind = drained
    one.api.put("/v1/tenants/big", {}).expect(200, 201)
    one.api.put("/v1/tenants/small", {}).expect(200, 201)
    app.run("SELECT count(tenterhook.publish('big', 'a.b', '{\"n\": 1}')) FROM generate_series(1, 20000)")
    until(lambda: app.waiting() < 19000, 30)
    app.run("SELECT tenterhook.publish('small', 'a.b', '{\"n\": 2}') FROM generate_series(1, 10)")
    until(lambda: len(one.api.as_tenant("small").get("/v1/events").expect(200).json["data"]) == 10, 20)
    left = app.run("SELECT count(*) FROM tenterhook.inbox WHERE tenant='big'")[0][0]
    assert int(left) > 500, left
    until(lambda: app.waiting() == 0, 90, 0.5)


def test_a_tenant_at_its_limit_waits_and_holds_up_nobody(drained):
    one, app, got, kind = drained
    one.api.put("/v1/tenants/full", {"limits": {"stored_bytes": 300}}).expect(200, 201)
    app.run("SELECT tenterhook.publish('full', 'a.b', json_build_object('x', repeat('y', 100))) FROM generate_series(1, 6);"
            " SELECT tenterhook.publish('default', 'a.b', '{\"number\": 1}')")
    until(lambda: numbers(got) == [1], 20)
    until(lambda: 0 < app.waiting() < 6, 10)
    assert app.rejected() == []
    one.api.put("/v1/tenants/full", {"limits": {}}).expect(200, 201)
    until(lambda: app.waiting() == 0, 20)
    assert len(one.api.as_tenant("full").get("/v1/events").expect(200).json["data"]) == 6


def test_kills_lose_nothing(drained):
    """kill -9 at any moment: every event that was committed is delivered, and is one event."""
    one, app, got, kind = drained
    committed = 0
    for _ in range(6):
        app.run("SELECT tenterhook.publish('default', 'a.b', json_build_object('number', i), 'n-' || i) FROM"
                f" generate_series({committed + 1}, {committed + 400}) i")
        committed += 400
        before = time.monotonic()
        while app.waiting() > 150 and time.monotonic() < before + 0.7:
            time.sleep(0.01)
        one.kill()
        one.start()
    until(lambda: app.waiting() == 0, 60)
    until(lambda: set(numbers(got)) == set(range(1, committed + 1)), 90)
    events = one.api.pages("/v1/events", limit=1000)
    assert len(events) == committed
    assert app.rejected() == []


def test_the_database_goes_and_comes_back(postgres, drained):
    one, app, got, kind = drained
    app.run("SELECT tenterhook.publish('default', 'a.b', '{\"number\": 1}')")
    until(lambda: numbers(got) == [1], 20)
    postgres.stop(signal.SIGKILL)
    if kind == "sqlite":
        until(lambda: value(one.api, "tenterhook_inbox_unreachable") == 1, 20)
        assert one.api.get("/v1/inboxes").expect(200).json["data"][0]["error"]
        one.api.post("/v1/events", {"type": "a.b", "data": {"number": 2}}).expect(202)  # its own store goes on
    else:
        time.sleep(2)
    postgres.start()
    app.run("SELECT tenterhook.publish('default', 'a.b', '{\"number\": 3}')")
    until(lambda: 3 in numbers(got), 60)
    until(lambda: app.waiting() == 0, 20)
    if kind != "own":
        until(lambda: value(one.api, "tenterhook_inbox_unreachable") == 0, 20)


def test_only_those_who_may_publish(postgres, shop):
    for role in ("clerk", "guest2", "free"):
        postgres.sql(f"CREATE ROLE {role} LOGIN")
    functions = ", ".join(f"tenterhook.publish(text, text, {kind}, text, jsonb)" for kind in ("text", "json", "jsonb"))
    shop.run(f"GRANT USAGE ON SCHEMA tenterhook TO clerk, free; GRANT EXECUTE ON FUNCTION {functions} TO clerk, free;"
             " INSERT INTO tenterhook.publisher VALUES('clerk', 'acme'), ('clerk', 'beta')")
    for kind in ("text", "json", "jsonb"):
        shop.run(f"SELECT tenterhook.publish('acme', 'a.b', '{{}}'::{kind})", user="clerk")
    shop.run("SELECT tenterhook.publish('other', 'a.b', '{}')", user="free")
    with pytest.raises(RuntimeError, match='"clerk" may not publish for the tenant "other"'):
        shop.run("SELECT tenterhook.publish('other', 'a.b', '{}')", user="clerk")
    with pytest.raises(RuntimeError, match="may not publish"):
        shop.run("SELECT tenterhook.publish('other', 'a.b', '{}'::jsonb)", user="clerk")
    with pytest.raises(RuntimeError, match="permission denied"):
        shop.run("SELECT tenterhook.publish('acme', 'a.b', '{}')", user="guest2")
    for text in ("SELECT * FROM tenterhook.inbox", "DELETE FROM tenterhook.inbox", "SELECT * FROM tenterhook.publisher",
                 "INSERT INTO tenterhook.publisher VALUES('clerk', 'other')"):
        with pytest.raises(RuntimeError, match="permission denied"):
            shop.run(text, user="clerk")
    # objects of the caller's own do not take the place of those that the function means
    postgres.sql("CREATE SCHEMA evil AUTHORIZATION clerk", database=shop.name)
    shop.run("CREATE TABLE evil.inbox(x int); CREATE FUNCTION evil.gen_random_uuid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid';"
             " SET search_path = evil, tenterhook; CREATE TEMP TABLE publisher(role name, tenant text); "
             "SELECT tenterhook.publish('acme', 'a.b', '{}')", user="clerk")
    shop.run(inbox_sql())  # once more: rights and rows stay
    shop.run("SELECT tenterhook.publish('acme', 'a.b', '{}')", user="clerk")
    assert shop.waiting() == 6


def test_an_inbox_of_another_owner(postgres, database, node, receiver):
    """Made by a superuser in the store's own database: nothing is drained, nothing else is held up, until the rights are given."""
    got = receiver()
    one = node(database)
    subscribe(one.api, got)
    app = Application(postgres, database.rpartition("/")[2], owner="owner")
    app.run("SELECT tenterhook.publish('default', 'a.b', '{\"number\": 1}')", user="owner")
    until(lambda: any("may not use the inbox" in (row["error"] or "") for row in one.api.get("/v1/inboxes").expect(200).json["data"]), 20)
    one.api.post("/v1/events", {"type": "a.b", "data": {"number": 2}}).expect(202)
    app.run("GRANT SELECT, INSERT, DELETE ON tenterhook.inbox, tenterhook.inbox_rejected TO tenterhook", user="owner")
    until(lambda: set(numbers(got)) == {1, 2}, 30)


def test_notify_wakes_at_once(drained):
    """With the option, the delivery begins before the next poll would find the event."""
    one, app, got, kind = drained
    app.run("SELECT tenterhook.publish('default', 'a.b', '{\"number\": 0}')")
    until(lambda: numbers(got) == [0], 20)
    plain, told = [], []
    for number in range(1, 21):
        began = time.monotonic()
        options = "'{\"notify\": true}'" if number % 2 else "NULL"
        app.run(f"SELECT tenterhook.publish('default', 'a.b', '{{\"number\": {number}}}', options => {options})")
        until(lambda n=number: n in numbers(got), 20, 0.002)
        (told if number % 2 else plain).append(time.monotonic() - began)
    assert sorted(told)[5] < sorted(plain)[5], (told, plain)


@pytest.mark.parametrize("how", ["sql", "sqlalchemy", "node"])
def test_the_examples_of_the_page(postgres, server, receiver, how):
    """As they stand in examples/inbox: an order that is stored has its event, one that is given up has none."""
    app = Application(postgres, another(postgres))
    one = server(flags=["--inbox-source", postgres.url(app.name)])
    one.api.put("/v1/tenants/acme", {}).expect(200, 201)
    got = receiver()
    one.api.as_tenant("acme").post("/v1/webhooks", {"url": got.url()}).expect(201)
    url, expected = postgres.url(app.name), {"sql": 1001, "sqlalchemy": 2001, "node": 3001}[how]
    if how == "sql":
        app.run((EXAMPLES / "order.sql").read_text())
    elif how == "sqlalchemy":
        pytest.importorskip("sqlalchemy", reason="python3-sqlalchemy is not installed")
        pytest.importorskip("psycopg2", reason="python3-psycopg2 is not installed")
        done = subprocess.run(["/usr/bin/python3", str(EXAMPLES / "order.py"), url], capture_output=True, text=True, check=True)
        assert "given up" in done.stdout
    else:
        folder = node_folder("inbox", EXAMPLES)
        done = subprocess.run(["node", "order.mjs", url], cwd=folder, capture_output=True, text=True, check=True)
        assert "given up" in done.stdout
    until(lambda: numbers(got) == [expected], 20)
    event = one.api.as_tenant("acme").get(f"/v1/events/order-{expected}-created").expect(200).json
    assert event["type"] == "order.created" and event["resource_type"] == "order" and event["resource_id"] == str(expected)
    assert app.run("SELECT no FROM orders") == [[str(expected)]] and app.waiting() == 0


def test_through_a_pooler(postgres, node, database, receiver):
    pooler = PgBouncer(postgres)
    try:
        app = Application(postgres, another(postgres))
        got = receiver()
        one = node(database, flags=["--inbox-source", postgres.url(app.name, port=pooler.port)])
        subscribe(one.api, got)
        app.run("SELECT tenterhook.publish('default', 'a.b', json_build_object('number', i)) FROM generate_series(1, 50) i")
        until(lambda: sorted(numbers(got)) == list(range(1, 51)), 30)
        until(lambda: app.waiting() == 0, 10)
    finally:
        pooler.close()


def test_addresses_are_checked_and_passwords_hidden(server, tmp_path):
    for address, words in (("mysql://x/y", "postgres://USER@HOST"), ("postgres://a:secret-word@127.0.0.1/x", "passfile=FILE")):
        with pytest.raises(StartError) as error:
            server(flags=["--inbox-source", address])
        assert words in error.value.output and "secret-word" not in error.value.output
    config = tmp_path / "conf.yaml"
    config.write_text("inbox:\n  sources:\n    - postgres://a:secret-word@127.0.0.1/x\n")
    printed = subprocess.run([str(binary_path()), "config", "show", "--config", str(config)], capture_output=True, text=True,
                             check=True).stdout
    assert "secret-word" not in printed and "a:***@127.0.0.1" in printed
