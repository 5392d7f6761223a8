"""What networks and databases do to a node, and what the operator sees of it. Each with its own server or its own proxy in front."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from harness.postgres import Postgres
from harness.proxy import Proxy
from harness.server import StartError
from harness.standby import Standby
from test_inbox import another
from harness.expect import until
from test_postgres import LEASE_S, Load, all_arrive, ask, delivered, node, postgres, publish, subscribe  # pylint: disable=unused-import


@pytest.fixture
def proxy(postgres):
    made = Proxy(postgres.port)
    yield made
    made.close()


@pytest.fixture
def database(postgres):
    return postgres.url(another(postgres))


@pytest.fixture
def behind(postgres, proxy, node):
    """A node whose database is behind the proxy, and the name of the database."""
    name = another(postgres)
    return node(postgres.url(name, port=proxy.port)), name


@pytest.fixture
def fresh(request):
    """A factory of servers of their own."""
    made = []

    def make(*settings, **options):
        made.append(Postgres(settings=settings, **options))
        return made[-1]

    yield make
    for one in reversed(made):
        one.close()


def ready(one, timeout_s=60):
    until(lambda: ask(one.at, "/readyz")[0] == 200, timeout_s)


# ---- the address ----


def test_tls_is_verified(fresh, certificates, node):
    """With verify-full only the right name and a certificate of the right authority are talked to."""
    server = fresh()

    def serve(names, signed=True):
        cert, key = certificates.issue(names=names, signed=signed)
        for source, name in ((cert, "server.crt"), (key, "server.key")):
            target = server.data / name
            target.unlink(missing_ok=True)
            shutil.copy(source, target)
            shutil.chown(target, *(("nobody", "nogroup") if os.getuid() == 0 else ()) or (os.getuid(),))
            target.chmod(0o600)
        server.sql("ALTER SYSTEM SET ssl=on", database="postgres")
        server.sql("SELECT pg_reload_conf()", database="postgres")
        time.sleep(0.5)

    serve("DNS:db.internal")
    (server.data / "pg_hba.conf").write_text("local all all trust\nhostssl all tenterhook 127.0.0.1/32 trust\nhost all owner 127.0.0.1/32 trust\n")
    server.sql("SELECT pg_reload_conf()", database="postgres")
    where = f"postgresql://tenterhook@db.internal:{server.port}/tenterhook?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={certificates.ca}"
    one = node(where)
    publish(one.api, 1).expect(202)
    assert set(map(tuple, server.sql("SELECT DISTINCT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING(pid) WHERE usename='tenterhook'"))) \
        == {("t",)}
    assert one.stop() == 0
    for change, words in ((lambda: serve("DNS:other.example"), "does not match host name"),
                          (lambda: serve("DNS:db.internal", signed=False), "certificate verify failed")):
        change()
        two = node(where, start=False)
        two.launch()
        until(lambda: words in two.text(), 30)
        assert ask(two.at, "/readyz")[0] == 503 and ask(two.at, "/livez")[0] == 200
        assert "listening on" not in two.text()
        two.kill()
    serve("DNS:db.internal")
    ready(node(where))


# ---- standbys ----


@pytest.fixture
def pair(fresh):
    """A primary and a standby that follows it."""
    primary = fresh("wal_keep_size=128MB")
    standby = Standby(primary)
    yield primary, standby
    standby.close()


def test_the_one_that_takes_writes_is_found(pair, node):
    """Of several hosts in the address, the first is a standby."""
    primary, standby = pair
    one = node(standby.both("tenterhook"))
    publish(one.api, 1).expect(202)
    assert one.stop() == 0
    alone = node(standby.url("tenterhook"), start=False)
    alone.launch()
    until(lambda: "session is read-only" in alone.text() or "read-write" in alone.text(), 20)
    assert ask(alone.at, "/readyz")[0] == 503


def test_failover_to_a_synchronous_standby_loses_nothing(pair, node, receiver):
    primary, standby = pair
    primary.sql("ALTER SYSTEM SET synchronous_standby_names='*'", database="postgres")
    primary.stop()  # a reload reaches the server's parts one after the other, and some commits would still wait for nobody
    primary.start()
    until(lambda: primary.sql("SELECT sync_state FROM pg_stat_replication", database="postgres") == [["sync"]])
    got = receiver()
    one = node(standby.both("tenterhook"))
    subscribe(one.api, got)
    process, load = one.process.pid, Load([one.at])
    time.sleep(2)
    primary.stop(signal.SIGKILL)
    until(lambda: ask(one.at, "/readyz")[0] == 503, 20)
    standby.promote()
    ready(one)
    time.sleep(1)
    numbers = load.stop()
    all_arrive(got, numbers)
    assert not [line for line in one.text().splitlines() if "went back" in line]
    assert one.process.pid == process
    until(lambda: ask(one.at, "/v1/events")[0] == 200, 10)  # each reader finds its new connection
    assert len(one.api.pages("/v1/events", limit=1000)) >= len(numbers)


def test_failover_to_an_asynchronous_standby_says_what_is_lost(pair, node, receiver):
    """The standby lacks the last commits: the log says how many, and of which events; the node begins anew with what there is."""
    primary, standby = pair
    got = receiver()
    one = node(standby.both("tenterhook"))
    subscribe(one.api, got)
    for number in range(5):
        publish(one.api, number).expect(202)
    all_arrive(got, range(5))
    until(lambda: primary.sql("SELECT pg_current_wal_lsn() - replay_lsn FROM pg_stat_replication", database="postgres") == [["0"]])
    standby.hold()
    for number in range(5, 12):
        publish(one.api, number).expect(202)
    one.api.put("/v1/tenants/lost", {}).expect(200, 201)
    seq = int(primary.sql("SELECT seq FROM tenterhook.node")[0][0])
    newest = int(primary.sql("SELECT max(no) FROM tenterhook.event")[0][0])
    primary.stop(signal.SIGKILL)
    standby.wire.cut()
    standby.promote()
    kept = int(standby.sql("SELECT seq FROM tenterhook.node")[0][0])
    oldest = int(standby.sql("SELECT max(no) FROM tenterhook.event")[0][0])
    until(lambda: "went back" in one.text(), 40)
    ready(one)
    line = next(json.loads(line) for line in one.text().splitlines() if "went back" in line)
    assert seq - kept <= line["commits"] <= seq - kept + 20 and line["commits"] > 0  # it renews its lease, too
    assert line["events"] == 7 and line["events_from"] == oldest + 1 and line["events_to"] == newest
    assert line["since"] <= line["until"]
    until(lambda: ask(one.at, "/v1/events")[0] == 200, 20)  # on a slow machine its lease may end once more meanwhile
    assert len(one.api.pages("/v1/events")) == 5  # what there is
    one.api.get("/v1/tenants/lost").expect(404)
    publish(one.api, 20).expect(202)
    all_arrive(got, [20])
    assert int(re.search(r"tenterhook_store_takeovers_total (\d+)", one.api.get("/metrics").body.decode())[1]) == 0


# ---- the database refuses ----


def test_a_full_disk(fresh, node, receiver):
    """53100: publishing 503, outcomes wait; with room everything goes on by itself."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    disk = tempfile.mkdtemp(prefix="th-small-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=700,uid=65534", "tmpfs", disk], check=False).returncode:
        os.rmdir(disk)
        pytest.skip("no file system can be mounted here")
    server = fresh()
    try:
        shutil.chown(disk, "nobody", "nogroup")
        server.sql(f"CREATE TABLESPACE small LOCATION '{disk}'", database="postgres")
        server.sql("CREATE DATABASE small OWNER tenterhook TABLESPACE small", database="postgres")
        got = receiver()
        one = node(server.url("small"))
        subscribe(one.api, got)
        publish(one.api, 1).expect(202)
        all_arrive(got, [1])
        with open(os.path.join(disk, "filler"), "wb") as filler:
            try:
                while True:
                    filler.write(b"x" * 65536)
                    filler.flush()
            except OSError:
                pass
        statuses, accepted = set(), []
        for number in range(2, 400):
            answer = one.api.post("/v1/events", {"type": "a.b", "data": {"number": number, "x": os.urandom(15000).hex()}})
            statuses.add(answer.status)
            if answer.status == 202:
                accepted.append(number)
            else:
                assert answer.status == 503 and answer.header("retry-after"), answer
                break
        assert 503 in statuses and ask(one.at, "/livez")[0] == 200
        os.unlink(os.path.join(disk, "filler"))
        until(lambda: publish(one.api, 1000).status == 202, 30, 0.5)
        all_arrive(got, [*accepted, 1000])
        ready(one)
    finally:
        for made in list(server.children()):
            del made
        server.close()
        subprocess.run(["umount", "-l", disk], check=False)
        os.rmdir(disk)


@pytest.mark.parametrize("what", ["read-only", "no connections"])
def test_the_database_refuses_for_a_while(postgres, node, receiver, what):
    name = another(postgres)
    got = receiver()
    one = node(postgres.url(name))
    subscribe(one.api, got)
    publish(one.api, 1).expect(202)
    on, off = {"read-only": (f"ALTER DATABASE {name} SET default_transaction_read_only=on", f"ALTER DATABASE {name} RESET ALL"),
               "no connections": (f"ALTER DATABASE {name} CONNECTION LIMIT 0", f"ALTER DATABASE {name} CONNECTION LIMIT -1")}[what]
    postgres.sql(on, database="postgres")
    postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname='{name}'", database="postgres")
    load = Load([one.at])
    until(lambda: load.retry_after > 3, 30)
    assert ask(one.at, "/readyz")[0] == 503 and ask(one.at, "/livez")[0] == 200
    assert one.process.poll() is None
    postgres.sql(off, database="postgres")
    ready(one)
    time.sleep(1)
    all_arrive(got, load.stop())
    assert one.text().count('"queue loaded"') == 1


# ---- the network ----


def test_a_slow_database(behind, proxy, receiver):
    """Every piece takes a fiftieth of a second, a commit most of one: it is slow, and nothing is refused. A publisher may lose its patience."""
    one, _ = behind
    got = receiver()
    subscribe(one.api, got)
    proxy.delay_s = 0.02  # with more a commit takes as long as a lease on a slow machine
    load = Load([one.at], rate=10)
    time.sleep(12)
    proxy.delay_s = 0
    numbers = load.stop()
    assert not set(load.statuses) - {202, None} and len(numbers) >= 3, load.statuses
    all_arrive(got, numbers)


def test_a_half_open_connection(postgres, behind, proxy, receiver):
    """What is sent goes nowhere, and nobody says so: sending stops before the lease ends, publishing is 503, and nothing is twice."""
    one, name = behind
    got = receiver()
    subscribe(one.api, got)
    load = Load([one.at])
    time.sleep(1)
    proxy.swallows = True
    began = time.monotonic()
    until(lambda: ask(one.at, "/readyz")[0] == 503, 3 * LEASE_S)
    assert time.monotonic() - began < LEASE_S + 2
    assert ask(one.at, "/livez")[0] == 200
    until(lambda: load.retry_after > 2, 40)
    time.sleep(1)
    proxy.cut()
    proxy.swallows = False
    ready(one)
    time.sleep(1)
    numbers = load.stop()
    all_arrive(got, numbers)
    stored = int(postgres.sql("SELECT count(*) FROM tenterhook.event", database=name)[0][0])
    assert stored >= len(numbers)


def connections(postgres, name):
    return int(postgres.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname='{name}' AND usename='tenterhook'", database="postgres")[0][0])


def test_a_cut_is_reconnected_by_lot(postgres, behind, proxy):
    """While the network is away, tries are few and apart; after it, one connection for each reader."""
    one, name = behind
    before = connections(postgres, name)
    came = proxy.came
    proxy.refuses = True
    proxy.cut()
    log_before = len(one.text().splitlines())
    time.sleep(6)
    assert ask(one.at, "/readyz")[0] == 503
    assert 3 <= proxy.came - came <= 60, proxy.came - came
    assert len(one.text().splitlines()) - log_before < 10  # it says it once
    proxy.refuses = False
    ready(one, 10)
    assert connections(postgres, name) <= before + 2


BOUNDARIES = int(os.environ.get("TENTERHOOK_BOUNDARIES", "24"))  # of a batch; 0: after each of its bytes


@pytest.mark.parametrize("direction", ["there", "back"])
def test_a_batch_that_is_cut_is_stored_once(postgres, behind, proxy, direction):
    """The connection ends after the n-th byte of a commit, for many n: the event is there once, whatever the publisher was told, and the
    publisher was told the truth."""
    one, name = behind
    publish(one.api, 0).expect(202)
    time.sleep(1)
    before = proxy.passed
    one.api.post("/v1/events", {"type": "a.b", "id": "sample", "data": {"number": 0}}).expect(202)
    length = max(400, min(4000, proxy.passed - before)) if direction == "there" else 900
    step = max(1, length // BOUNDARIES) if BOUNDARIES else 1
    told = {}
    for n in range(0, length, step):
        ready(one)
        proxy.cut_after(**{direction: n})
        answer = one.api.post("/v1/events", {"type": "a.b", "id": f"cut-{n}", "data": {"number": n}})
        told.setdefault(answer.status, []).append(n)
        assert answer.status in (202, 503), answer
        proxy.cut_after()
        ready(one)
        again = one.api.post("/v1/events", {"type": "a.b", "id": f"cut-{n}", "data": {"number": n}})
        # 503 says that nothing happened
        assert again.status == (409 if answer.status == 202 else 202), (n, answer, again)
    rows = postgres.sql("SELECT convert_from(external_id, 'UTF8'), count(*) FROM tenterhook.event WHERE external_id IS NOT NULL GROUP BY 1",
                        database=name)
    assert {row[0] for row in rows} == {"sample"} | {f"cut-{n}" for n in range(0, length, step)}
    assert all(row[1] == "1" for row in rows)
    assert one.text().count('"queue loaded"') == 1
    assert told.get(202), told


@pytest.mark.parametrize("share", ["off", "on"])
def test_a_commit_behind_which_the_session_ends_is_one(postgres, proxy, node, receiver, share):
    """The database is stopped when COMMIT has been executed: what it says then is an error, and yet everything is stored."""
    name, got = another(postgres), receiver()
    one = node(postgres.url(name, port=proxy.port), env={"TENTERHOOK_STORE_SHARE": share})
    until(lambda: ask(one.at, "/readyz")[0] == 200)
    subscribe(one.api, got)
    for number in range(1, 9):
        time.sleep(0.3)
        proxy.ends_commit = True
        assert ask(one.at, "/v1/events", "POST", {"type": "a.b", "data": {"number": number}})[0] == 202
        until(lambda: not proxy.ends_commit, 20)
        ready(one)
    until(lambda: set(delivered(got)) == set(range(1, 9)))
    rows = postgres.sql("SELECT count(*) FROM tenterhook.event", database=name)
    assert rows == [["8"]], rows
    assert one.text().count('"queue loaded"') == 1 and one.process.poll() is None


def test_the_takeover_at_the_default_lease(database, node, receiver):
    """kill -9 of the one that works: another works after 13 seconds at most."""
    env = {"TENTERHOOK_STORE_LEASE": "10s"}
    got = receiver()
    one = node(database, env=env)
    subscribe(one.api, got)
    two = node(database, start=False, env=env)
    two.launch()
    until(lambda: ask(two.at, "/readyz")[0] == 503)
    load = Load([one.at, two.at], rate=40)
    time.sleep(1)
    one.kill()
    killed = time.monotonic()
    until(lambda: ask(two.at, "/readyz")[0] == 200, 40, 0.02)
    took = time.monotonic() - killed
    time.sleep(1)
    all_arrive(got, load.stop())
    assert len(delivered(got)) - len(set(delivered(got))) <= 200
    assert took <= 13, took
    print(f"takeover after {took:.1f} s")


# ---- copies ----


@pytest.mark.parametrize("how", ["dump", "base backup"])
def test_a_backup_is_one_moment_of_the_store(fresh, node, receiver, how):
    """Made beside a node at work, as docs/cluster.md says: what was acknowledged before it is in it, and a node goes on with it."""
    server = fresh()
    got = receiver()
    one = node(server.url("tenterhook"))
    subscribe(one.api, got)
    load = Load([one.at])
    time.sleep(1.5)
    before = list(load.acknowledged)
    if how == "dump":
        file = server.folder / "copy"
        server._run(str(server.bin / "pg_dump"), "-Fc", "--schema=tenterhook", "-f", str(file),  # pylint: disable=protected-access
                    server.url("tenterhook"))
        load.stop()
        one.kill()
        server.fresh("restored")
        server._run(str(server.bin / "pg_restore"), "--no-owner", "-1", "-d", server.url("restored"),  # pylint: disable=protected-access
                    str(file))
        where = server.url("restored")
    else:
        copy = Standby(server)  # a base backup
        load.stop()
        one.kill()
        server.stop()
        copy.promote()
        where = copy.url("tenterhook")
    try:
        two = node(where)
        events = two.api.pages("/v1/events", limit=1000)
        stored = [two.api.get(f"/v1/events/{row['id']}").expect(200).json["data"]["number"] for row in events]
        assert before and set(before) <= set(stored)
        publish(two.api, 100000).expect(202)
        all_arrive(got, [*stored, 100000])
    finally:
        if how != "dump":
            copy.close()
