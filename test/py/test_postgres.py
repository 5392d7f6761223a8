"""Stores in PostgreSQL: one node works, others wait; what the database, the process and the lease do to each other, seen from
outside. Every test has a database of its own in a private server."""
import itertools
import json
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

from harness.client import Api
from harness.expect import settled
from harness.expect import until
from harness.postgres import PgBouncer, Postgres, free_port
from harness.receiver import Reply
from harness.server import Server, StartError

LEASE_S = 3
SECRET = {"TENTERHOOK_SECRET_KEY": "0123456789abcdef" * 4, "TENTERHOOK_STORE_LEASE": f"{LEASE_S}s"}


@pytest.fixture(scope="module")
def postgres():
    """The module's server; tests that stop it start it again."""
    made = Postgres()
    yield made
    made.close()


@pytest.fixture
def database(postgres, request):
    """The address of an empty database."""
    name = "t" + re.sub(r"[^a-z0-9]", "", request.node.name.lower())[:40]
    return postgres.fresh(name)


@pytest.fixture
def node(tmp_path):
    """A factory of nodes on fixed ports."""
    nodes, numbers = [], itertools.count(1)

    def make(url, start=True, **options):
        env = SECRET | options.pop("env", {})
        made = Server(tmp_path / f"node{next(numbers)}", flags=["--store", url, *options.pop("flags", [])], env=env,
                      listen=f"127.0.0.1:{free_port()}", **options)
        made.at = int(made.listen.rpartition(":")[2])
        nodes.append(made)
        return made.start() if start else made

    yield make
    for made in nodes:
        made.kill()
    for made in nodes:
        made.close()


def ask(port, path, method="GET", body=None):
    """(status, body) of one request; (None, None) when nobody answers."""
    try:
        answer = Api(port, "test-operator-key-0123456789abcdef", timeout_s=10).request(method, path, body)
        return answer.status, answer
    except (OSError, TimeoutError):
        return None, None


def subscribe(api, receiver):
    api.post("/v1/webhooks", {"url": receiver.url()}).expect(201)


def publish(api, number):
    return api.post("/v1/events", {"type": "a.b", "data": {"number": number}})


class Load:
    """A publisher that goes on whatever happens, and notes what was acknowledged."""

    def __init__(self, ports, rate=80):
        self.ports, self.rate = ports, rate
        self.acknowledged, self.statuses, self.retry_after = [], {}, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        for number in itertools.count(1):
            if self._stop.wait(1 / self.rate):
                return
            status, answer = ask(self.ports[number % len(self.ports)], "/v1/events", "POST",
                                 {"type": "a.b", "data": {"number": number}})
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status == 202:
                self.acknowledged.append(number)
            if status == 503 and answer.header("retry-after"):
                self.retry_after += 1

    def stop(self):
        self._stop.set()
        self._thread.join(30)
        return self.acknowledged


def delivered(receiver):
    with receiver.changed:
        return [json.loads(request.body)["data"]["number"] for request in receiver.requests
                if b'"number"' in request.body]


def all_arrive(receiver, numbers, timeout_s=60):
    until(lambda: set(numbers) <= set(delivered(receiver)), timeout_s)


def test_an_event_is_delivered_retried_and_kept(database, node, receiver):
    got = receiver(answer=lambda request, calls=itertools.count(): Reply(503) if next(calls) == 0 else Reply(200))
    one = node(database)
    subscribe(one.api, got)
    event = publish(one.api, 1).expect(202).json
    got.wait_for(1)
    assert one.stop() == 0
    one.start()
    until(lambda: len(delivered(got)) >= 2, 60)
    row = settled(one.api, 1)[0]
    assert row["attempt_count"] == 2
    assert one.api.get("/v1/events").expect(200).json["data"][0]["id"] == event["id"]


def test_nothing_that_was_acknowledged_is_lost_by_kills(database, node, receiver):
    got = receiver()
    one = node(database)
    subscribe(one.api, got)
    load = Load([one.at])
    for _ in range(5):
        time.sleep(0.7)
        one.kill()
        one.start()
    time.sleep(0.5)
    numbers = load.stop()
    assert len(numbers) > 30, load.statuses
    all_arrive(got, numbers)
    assert set(load.statuses) <= {202, 503, None}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL])
def test_the_database_goes_and_comes_back(postgres, database, node, receiver, how):
    got = receiver()
    one = node(database)
    subscribe(one.api, got)
    load = Load([one.at])
    time.sleep(1)
    process = one.process.pid
    postgres.stop(how)
    try:
        until(lambda: ask(one.at, "/readyz")[0] == 503)
        until(lambda: load.retry_after > 3)
        assert ask(one.at, "/livez")[0] == 200
        assert b"database" in ask(one.at, "/readyz")[1].body
    finally:
        postgres.start()
    until(lambda: ask(one.at, "/readyz")[0] == 200, 60)
    time.sleep(1)
    numbers = load.stop()
    all_arrive(got, numbers)
    assert one.process.pid == process and one.process.poll() is None  # nothing began anew
    assert "takes over" not in one.text() and "queue loaded" in one.text()
    assert one.text().count('"queue loaded"') == 1
    got_all = delivered(got)
    assert len(got_all) - len(set(got_all)) <= 200  # outcomes that were not stored when it went


def test_the_first_question_after_a_restart_is_answered(postgres, database, node):
    """Connections for reading that nobody used meanwhile have ended with the database: that is no reason for a 503."""
    one = node(database)
    paths = ["/v1/deliveries", "/v1/events", "/v1/webhooks", "/v1/audit"]
    for path in paths:
        assert ask(one.at, path)[0] == 200
    postgres.stop()
    postgres.start()
    until(lambda: ask(one.at, "/readyz")[0] == 200, 60)
    assert [ask(one.at, path)[0] for path in paths] == [200] * len(paths)


def test_a_node_that_waits_says_so_and_takes_over(database, node, receiver):
    got = receiver()
    one = node(database)
    subscribe(one.api, got)
    two = node(database, start=False)
    two.launch()
    until(lambda: ask(two.at, "/livez")[0] == 200)
    status, answer = ask(two.at, "/readyz")
    assert status == 503 and f"127.0.0.1:{one.at}" in answer.body.decode()
    status, answer = ask(two.at, "/v1/events", "POST", {"type": "a.b", "data": {}})
    assert status == 503 and answer.header("retry-after") and f"127.0.0.1:{one.at}" in answer.body.decode()
    load = Load([one.at, two.at])
    time.sleep(2)
    one.kill()
    killed = time.monotonic()
    two.listening(30)
    took = time.monotonic() - killed
    assert took < LEASE_S + 3, took
    until(lambda: ask(two.at, "/readyz")[0] == 200)
    time.sleep(1)
    numbers = load.stop()
    all_arrive(got, numbers)
    assert max(numbers) > len(numbers)  # some found nobody
    # the one that was killed comes back as the one that waits
    one.launch()
    until(lambda: ask(one.at, "/readyz")[0] == 503)
    assert f"127.0.0.1:{two.at}" in ask(one.at, "/readyz")[1].body.decode()


def test_after_a_stop_another_takes_over_at_once(database, node):
    one = node(database)
    two = node(database, start=False)
    two.launch()
    until(lambda: ask(two.at, "/readyz")[0] == 503)
    assert one.stop() == 0
    stopped = time.monotonic()
    two.listening(10)
    assert time.monotonic() - stopped < 2.5
    assert two.stop() == 0


def test_a_node_that_waits_ends_at_a_signal(database, node):
    node(database)
    two = node(database, start=False)
    two.launch()
    until(lambda: ask(two.at, "/livez")[0] == 200)
    assert two.stop(10) == 0


def test_a_node_that_slept_too_long_has_nothing_to_say(postgres, database, node, receiver):
    got = receiver()
    one = node(database)
    subscribe(one.api, got)
    two = node(database, start=False)
    two.launch()
    until(lambda: ask(two.at, "/readyz")[0] == 503)
    load = Load([two.at])
    first = Load([one.at])
    time.sleep(1)
    one.process.send_signal(signal.SIGSTOP)
    try:
        two.listening(30)
        time.sleep(1)
        epoch = postgres.sql("SELECT epoch, seq FROM tenterhook.node WHERE id=1", database=database.rpartition("/")[2])
    finally:
        one.process.send_signal(signal.SIGCONT)
    until(lambda: "another node has taken over" in one.text(), 20)
    until(lambda: ask(one.at, "/readyz")[0] == 503, 20)
    assert one.process.poll() is None  # the same process, begun anew
    time.sleep(1)
    numbers = load.stop() + first.stop()
    after = postgres.sql("SELECT epoch, seq FROM tenterhook.node WHERE id=1", database=database.rpartition("/")[2])
    assert int(after[0][1]) <= int(epoch[0][1])  # no batch of the old epoch: its number stayed
    owner = postgres.sql("SELECT DISTINCT node FROM tenterhook.slot", database=database.rpartition("/")[2])
    assert owner == [["2"]]
    all_arrive(got, numbers)


def test_two_that_start_at_once_agree(database, node):
    both = [node(database, start=False) for _ in range(2)]
    for one in both:
        one.launch()
    until(lambda: sorted(str(ask(one.at, "/readyz")[0]) for one in both) == ["200", "503"], 30)
    time.sleep(LEASE_S + 1)
    assert sorted(str(ask(one.at, "/readyz")[0]) for one in both) == ["200", "503"]


def test_through_a_pooler(postgres, database, node, receiver):
    pooler = PgBouncer(postgres)
    try:
        got = receiver()
        url = postgres.url(database.rpartition("/")[2], port=pooler.port)
        one = node(url, env={"TENTERHOOK_STORE_STATEMENTS": "unnamed"})
        subscribe(one.api, got)
        for number in range(50):
            publish(one.api, number).expect(202)
        all_arrive(got, range(50))
        one.kill()
        one.start()
        assert len(one.api.pages("/v1/events")) == 50
        assert one.stop() == 0
    finally:
        pooler.close()


def test_what_cannot_be_used_is_refused_with_a_reason(postgres, database, node):
    postgres.sql("CREATE ROLE guest LOGIN")
    name = database.rpartition("/")[2]
    with pytest.raises(StartError) as error:
        node(postgres.url(name, user="guest")).start()
    assert error.value.status == 64 and "permission denied" in error.value.output
    assert postgres.sql("SELECT count(*) FROM pg_namespace WHERE nspname='tenterhook'", database=name) == [["0"]]
    node(database).stop()
    postgres.sql("UPDATE tenterhook.form SET version=99, oldest=99", database=name)
    with pytest.raises(StartError) as error:
        node(database).start()
    assert "newer Tenterhook" in error.value.output
    for bad, words in (("mysql://x/y", "postgres://USER@HOST"), ("postgres://a:secret-word@127.0.0.1/x", "every user")):
        with pytest.raises(StartError) as error:
            node(bad).start()
        assert error.value.status == 64 and words in error.value.output and "secret-word" not in error.value.output


def test_a_password_is_shown_nowhere(postgres, database, node, tmp_path):
    conf = postgres.data / "pg_hba.conf"
    before = conf.read_text()
    conf.write_text("host all owner 127.0.0.1/32 trust\nhost all tenterhook 127.0.0.1/32 scram-sha-256\n")
    postgres.sql("SELECT pg_reload_conf()")
    try:
        with pytest.raises(StartError) as error:
            node(database, env={"TENTERHOOK_STORE_PASSWORD": "wrong word"}).start(20)
    except AssertionError:
        raise
    finally:
        pass
    assert "wrong word" not in error.value.output
    (tmp_path / "word").write_text("a b/c\n")
    one = node(database, env={"TENTERHOOK_STORE_PASSWORD_FILE": str(tmp_path / "word")})
    shown = pathlib.Path(f"/proc/{one.process.pid}/cmdline").read_bytes().decode()
    assert "a b/c" not in shown and "a b/c" not in one.text()
    one.stop()
    config = tmp_path / "conf.yaml"
    config.write_text("store:\n  address: " + database.replace("tenterhook@", "tenterhook:a%20b%2Fc@") + "\n")
    printed = subprocess.run([str(one.binary), "config", "show", "--config", str(config)], capture_output=True, text=True,
                             check=True).stdout
    assert "a%20b" not in printed and "tenterhook:***@127.0.0.1" in printed
    conf.write_text(before)
    postgres.sql("SELECT pg_reload_conf()")


def test_nodes_are_listed(database, node, server):
    one = node(database)
    two = node(database, start=False)
    two.launch()
    until(lambda: ask(two.at, "/readyz")[0] == 503)
    rows = one.api.get("/v1/nodes").expect(200).json["data"]
    assert [(row["state"], row["this"], row["slots"]) for row in rows] == [("working", True, 256), ("waiting", False, 0)]
    assert all(0 < row["lease_ms"] <= LEASE_S * 1000 and row["version"] for row in rows)
    assert [row["address"] for row in rows] == [f"127.0.0.1:{made.at}" for made in (one, two)]
    printed = subprocess.run([str(one.binary), "nodes", "--server", f"http://127.0.0.1:{one.at}"], capture_output=True,
                             text=True, check=True, env={"TENTERHOOK_KEY": one.admin_key}).stdout
    assert re.search(r"1 +127\.0\.0\.1:\d+ +working +256", printed) and re.search(r"2 +\S+ +waiting +0", printed)
    metrics = one.api.get("/metrics").body.decode()
    assert abs(time.time() - float(re.search(r"lease_renewed_timestamp_seconds (\d+)", metrics)[1])) < LEASE_S
    one.kill()
    two.listening()
    assert "tenterhook_store_takeovers_total 1" in two.api.get("/metrics").body.decode()
    rows = two.api.get("/v1/nodes").expect(200).json["data"]
    assert [row["state"] for row in rows] == ["gone", "working"]
    alone = server().api.get("/v1/nodes").expect(200).json["data"]
    assert [(row["state"], row["this"], row["lease_ms"]) for row in alone] == [("working", True, None)]


def test_who_did_what_is_known_after_a_takeover(database, node):
    """Rows of the audit log are in the database: the node that takes over shows those of the one before."""
    first = node(database)
    first.api.put("/v1/tenants/acme", {"name": "Acme"}).expect(201)
    first.api.post("/v1/tenants/acme/keys", {"scopes": ["webhooks:read"]}).expect(201)
    before = first.api.get("/v1/audit").expect(200).json["data"]
    first.stop()
    second = node(database)
    assert second.api.get("/v1/audit").expect(200).json["data"] == before and [row["operation"] for row in before] == ["createKey", "putTenant"]
    second.api.put("/v1/tenants/acme", {"name": "Acme 2"}).expect(200)
    assert [row["id"] for row in second.api.get("/v1/audit").json["data"]] == ["3", "2", "1"]


def test_the_doctor_looks_at_the_database(postgres, database, node, receiver, tmp_path):
    def doctor(url):
        done = subprocess.run([str(Server(tmp_path).binary), "doctor", "--json", "--store", url, "--data", str(tmp_path),
                               "--resolve", "localhost"], capture_output=True, text=True, check=False)
        return [row for row in json.loads(done.stdout) if row["check"] == "database"]

    rows = doctor(database)
    assert len(rows) == 8 and all(row["verdict"] == "ok" for row in rows), rows
    postgres.sql("ALTER ROLE tenterhook SET synchronous_commit=off")
    try:
        assert any(row["verdict"] == "fail" and "synchronous_commit" in json.dumps(row) for row in doctor(database))
    finally:
        postgres.sql("ALTER ROLE tenterhook RESET synchronous_commit")
    name = database.rpartition("/")[2]
    one = node(database)
    subscribe(one.api, receiver())
    publish(one.api, 1).expect(202)
    assert one.stop() == 0
    rows = doctor(database)
    assert len(rows) == 9 and all(row["verdict"] == "ok" for row in rows) and "3 days ahead" in json.dumps(rows), rows
    for change, back, words in (
            ("SELECT pg_create_physical_replication_slot('forgotten', true)", "SELECT pg_drop_replication_slot('forgotten')", "slot forgotten"),
            ("CREATE TABLE tenterhook.event_d9999(LIKE tenterhook.event)", "DROP TABLE tenterhook.event_d9999", "not attached"),
            ("ALTER SYSTEM SET autovacuum=off", "ALTER SYSTEM RESET autovacuum", "autovacuum is off")):
        postgres.sql(change, database=name)
        postgres.sql("SELECT pg_reload_conf()")
        try:
            found, _ = until(lambda w=words: [row for row in doctor(database) if w in row["text"]], 10)
            assert found[0]["verdict"] != "ok" and found[0]["advice"]
        finally:
            postgres.sql(back, database=name)
            postgres.sql("SELECT pg_reload_conf()")
    with_none = doctor("postgres://tenterhook@127.0.0.1:1/x")
    assert [row["verdict"] for row in with_none] == ["fail"]
