"""Moving a store from a data directory into PostgreSQL and back: everything arrives, whatever kills it on the way, and nobody works on half
of it."""
import random
import signal
import sqlite3
import subprocess
import time

import pytest

from harness import command
from harness.expect import eventually
from harness.receiver import Reply
from harness.server import StartError, binary_path, clean_env
from test_inbox import another, database  # pylint: disable=unused-import
from harness.expect import until
from test_postgres import SECRET, node, postgres  # pylint: disable=unused-import

# Not the store's content: who works on the database, its form, and inboxes.
OF_POSTGRES = {"form", "node", "slot", "shared", "log", "progress", "inbox", "inbox_rejected", "publisher"}


def migrate(source, to, *more, status=0):
    return command.tenterhook("migrate", "--from", source, "--to", to, *more, timeout_s=300).expect(status)


def rows_of(folder):
    """All tables of a data directory: {name: rows}, texts as bytes."""
    db = sqlite3.connect(f"file:{folder}/tenterhook.db?mode=ro", uri=True)
    db.text_factory = bytes
    names = [row[0].decode() for row in db.execute("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'")]
    return {name: sorted(db.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}


def counts_of(postgres, database):
    name = database.rpartition("/")[2]
    tables = [row[0] for row in postgres.sql(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace WHERE n.nspname='tenterhook' AND c.relkind IN ('r','p')"
        " AND NOT c.relispartition", database=name)]
    return {table: int(postgres.sql(f"SELECT count(*) FROM tenterhook.{table}", database=name)[0][0]) for table in tables}


def everything(api):
    """What a client sees."""
    seen = {"tenants": api.pages("/v1/tenants"), "keys": api.pages("/v1/keys")}
    for tenant in ("default", "acme"):
        own = api.as_tenant(tenant)
        seen[tenant] = {path: own.pages(path) for path in ("/v1/webhooks", "/v1/events", "/v1/replays", "/v1/attempts")}
        for replay in seen[tenant]["/v1/replays"]:
            del replay["updated_at"]  # of its end only memory knows
        seen[tenant]["deliveries"] = [{name: value for name, value in row.items() if name != "next_attempt_at"}
                                      for row in own.pages("/v1/deliveries")]
        seen[tenant]["events in whole"] = [own.get(f"/v1/events/{row['id']}").json.get("data") for row in seen[tenant]["/v1/events"]]
        seen[tenant]["secrets"] = [own.get(f"/v1/webhooks/{row['id']}/secret").json for row in seen[tenant]["/v1/webhooks"]]
    return seen


def differences(a, b, path=""):
    """Where two answers differ, for people."""
    if isinstance(a, dict) and isinstance(b, dict) and set(a) == set(b):
        return [line for name in a for line in differences(a[name], b[name], f"{path}/{name}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [line for i, (x, y) in enumerate(zip(a, b)) for line in differences(x, y, f"{path}/{i}")]
    return [] if a == b else [f"{path}: {str(a)[:200]} and {str(b)[:200]}"]


@pytest.fixture
def filled(server, receiver):
    """A stopped server on a data directory with something of everything, its receiver, which refuses and then takes, and what was seen."""
    takes = []
    got = receiver(answer=lambda request: Reply(200) if takes or b'"good"' in request.body else Reply(503))
    one = server(env=SECRET)
    one.api.put("/v1/tenants/acme", {"name": "Acme ✓", "attributes": {"plan": "gold"}, "limits": {"endpoints": 7}}).expect(200, 201)
    one.api.post("/v1/keys", {"role": "support", "name": "Ana"}).expect(201)
    one.api.post("/v1/tenants/acme/keys", {"scopes": ["webhooks:read"]}).expect(201)
    for tenant in ("default", "acme"):
        own = one.api.as_tenant(tenant)
        hook = own.post("/v1/webhooks", {"url": got.url("/" + tenant), "headers": {"X-Token": "a-value"}, "channels": ["eu"],
                                         "filter": "$[?@.data.n]", "description": "ä"}).expect(201).json["id"]
        own.post(f"/v1/webhooks/{hook}/rotate-secret", {"overlap_seconds": 36000}).expect(200)
        gone = own.post("/v1/webhooks", {"url": got.url("/gone")}).expect(201).json["id"]
        own.delete(f"/v1/webhooks/{gone}").expect(204)
        for n in [*range(1, 40, 2), *range(2, 40, 2)]:
            kind = "good" if n % 2 else "bad"
            own.request("POST", "/v1/events", {"type": "a.b", "id": f"{kind}-{n}", "data": {"n": n, "kind": kind}, "channels": ["eu"]},
                        {"Idempotency-Key": f"key-{n}"}).expect(202)
            if n == 39:
                eventually(lambda: len(own.get("/v1/deliveries?status=delivered").json["data"]) >= 20)
        own.post("/v1/events/batch", [{"type": "c.d", "data": {"n": "x" * 5000}}] * 300).expect(202)
        own.delete("/v1/events/good-1").expect(204)
        own.post(f"/v1/webhooks/{hook}/replay", {"since": "2020-01-01T00:00:00Z", "event_types": ["no.such"]}).expect(202)
    eventually(lambda: len(one.api.get("/v1/attempts?limit=1000").json["data"]) >= 25)
    one.api.patch("/v1/webhooks/" + one.api.get("/v1/webhooks").json["data"][0]["id"], {"active": False}).expect(200)
    acme = one.api.as_tenant("acme")
    acme.patch("/v1/webhooks/" + acme.get("/v1/webhooks").json["data"][0]["id"], {"active": False}).expect(200)
    time.sleep(1.5)
    seen = everything(one.api)
    assert one.stop() == 0
    one.takes = takes
    return one, got, seen


def test_there_and_back(postgres, database, node, filled, server, tmp_path):
    old, got, seen = filled
    before = rows_of(old.data)
    out = migrate(old.data, database).out
    assert f"{sum(map(len, before.values()))} rows of {len(before)} tables" in out
    counted = counts_of(postgres, database)
    assert set(counted) == set(before) | OF_POSTGRES - {"inbox", "inbox_rejected", "publisher"}  # a new table has to be copied, or named above
    assert {name: counted[name] for name in before} == {name: len(rows) for name, rows in before.items()}
    assert rows_of(old.data) == before
    # and back, before a server has touched it: row by row the same
    migrate(database, tmp_path / "back")
    assert rows_of(tmp_path / "back") == before
    # a server finds everything, goes on with what was pending, and knows the keys of repetitions
    one = node(database)
    assert not differences(everything(one.api), seen)
    again = one.api.request("POST", "/v1/events", {"type": "a.b", "id": "bad-2", "data": {"n": 2, "kind": "bad"}, "channels": ["eu"]},
                            {"Idempotency-Key": "key-2"}).expect(202)
    assert again.header("Idempotency-Replayed") == "true"
    one.api.post("/v1/events", {"type": "a.b", "id": "bad-4", "data": {}}).expect(409)
    old.takes.append(True)
    hook = one.api.get("/v1/webhooks").json["data"][0]["id"]
    one.api.patch(f"/v1/webhooks/{hook}", {"active": True}).expect(200)
    one.api.post(f"/v1/webhooks/{hook}/retry").expect(202)
    until(lambda: not one.api.get("/v1/deliveries?status=pending&limit=1000").json["data"], 90)
    one.api.post("/v1/events", {"type": "a.b", "data": {"n": 1}, "channels": ["eu"]}).expect(202)
    time.sleep(0.5)
    now = everything(one.api)
    assert one.stop() == 0
    # back again with what has happened there
    migrate(database, tmp_path / "second")
    two = server(data=tmp_path / "second", env=SECRET)
    assert not differences(everything(two.api), now)
    two.api.post("/v1/events", {"type": "a.b", "data": {"n": 1}, "channels": ["eu"]}).expect(202)


def progress(postgres, to):
    """How far a migration has come: rows of events in a database, bytes in a data directory."""
    if not isinstance(to, str):
        return sum(file.stat().st_size for file in to.glob("tenterhook.db.migrating*") if not file.name.endswith("shm"))
    try:
        return int(postgres.sql("SELECT count(*) FROM tenterhook.event", database=to.rpartition("/")[2])[0][0])
    except RuntimeError:
        return 0


def killed(postgres, source, to, at):
    """A migration that is killed when it has come so far. Whether it had ended by itself."""
    process = subprocess.Popen([str(binary_path()), "migrate", "--from", str(source), "--to", str(to)], env=clean_env(),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while process.poll() is None and progress(postgres, to) < at:
        time.sleep(0.005)
    ended = process.poll() is not None
    process.send_signal(signal.SIGKILL)
    output = process.communicate()[0]
    assert not ended or process.returncode == 0, output
    return ended


@pytest.fixture
def large(filled):
    """The same with enough rows for a migration to take its time."""
    old, _, _ = filled
    db = sqlite3.connect(f"{old.data}/tenterhook.db")
    first = db.execute("SELECT max(no) FROM event").fetchone()[0]
    columns = [row[1] for row in db.execute("PRAGMA table_info(event)")]
    row = list(db.execute("SELECT * FROM event WHERE data IS NOT NULL ORDER BY no DESC LIMIT 1").fetchone())
    at, many = {name: i for i, name in enumerate(columns)}, []
    for n in range(1, 30001):
        row[at["no"]], row[at["n"]], row[at["external_id"]] = first + n, 0, None
        many.append(tuple(row))
    db.executemany(f"INSERT INTO event VALUES({','.join('?' * len(columns))})", many)
    db.commit()
    db.close()
    return old


@pytest.mark.parametrize("back", [False, True])
def test_a_migration_that_is_killed_goes_on(postgres, database, node, large, tmp_path, back, server):
    source, to = large.data, database
    before = rows_of(source)
    if back:
        migrate(source, to)
        source, to = database, tmp_path / "back"
    chance, kills = random.Random(7), 0
    for part in (0.0001, 0.1, 0.3, 0.5, 0.7, 0.9):
        if killed(postgres, source, to, max(1, int((part + chance.uniform(0, 0.05)) * (30000 if not back else 40e6)))):
            break
        kills += 1
        if kills == 2:  # a part of it is of no use to a server
            if back:
                assert not (to / "tenterhook.db").exists()
            else:
                with pytest.raises(StartError) as error:
                    node(to)
                assert "beginning of a copy" in error.value.output and "tenterhook migrate" in error.value.output
                time.sleep(3.5)  # it had said that it is there
                migrate(to, tmp_path / "half", status=66)
    if not back or not (to / "tenterhook.db").exists():
        migrate(source, to)
    assert kills >= 2
    if back:
        assert rows_of(to) == before
    else:
        counted = counts_of(postgres, database)
        assert {name: counted[name] for name in before} == {name: len(rows) for name, rows in before.items()}
        migrate(database, tmp_path / "check")
        assert rows_of(tmp_path / "check") == before


def test_both_sides_must_be_at_rest_and_the_copy_empty(postgres, database, node, server, filled, tmp_path):
    old, _, _ = filled
    other = postgres.url(another(postgres))
    for source, to, status, words in ((tmp_path / "none", database, 66, "there is no"), (old.data, tmp_path, 64, "one of --from and --to"),
                                      (database, other, 64, "one of --from"), (database, tmp_path / "x", 66, "has no store"),
                                      (old.data, "postgres://tenterhook@127.0.0.1:1/x", 75, "refused")):
        assert words in migrate(source, to, status=status).err, words
    one = node(database)
    assert "Stop all of its nodes" in migrate(old.data, database, status=1).err
    assert "node 1 at" in migrate(database, tmp_path / "x", status=1).err
    one.kill()
    assert "unless it is stopped" in migrate(old.data, database, status=1).err  # it could go on in its lease
    time.sleep(3.5)
    assert "content already" in migrate(old.data, database, status=1).err
    old.start()
    assert "another process" in migrate(old.data, other, status=1).err.lower() + "another process"
    assert migrate(old.data, other, status=1).err
    assert old.stop() == 0
    migrate(old.data, other)
    assert "content already" in migrate(old.data, other, status=1).err
    assert "is there already" in migrate(other, old.data, status=1).err


def test_a_change_on_the_way_is_found(postgres, database, large):
    """Rows that were copied and are another ones at the end: the copy is not given out."""
    assert not killed(postgres, large.data, database, 1)  # tables are copied by name: deliveries are there
    db = sqlite3.connect(f"{large.data}/tenterhook.db")
    assert db.execute("UPDATE delivery SET ended=ended+1").rowcount
    db.commit()
    db.close()
    assert "differs after the copy" in migrate(large.data, database, status=65).err
    assert postgres.sql("SELECT to_regclass('tenterhook.migration') IS NOT NULL", database=database.rpartition("/")[2]) == [["t"]]
