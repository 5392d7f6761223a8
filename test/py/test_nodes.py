"""Several nodes that share the work on one PostgreSQL (store.share): whatever is asked of any of them, what each of them does to the
others, and what is left when one dies, hangs or stops. Every test has a database of its own in a private server."""
import collections
import itertools
import json
import re
import signal
import socket
import threading
import time

import pytest

from harness.client import Api
from harness.expect import until
from harness.postgres import Postgres, free_port
from harness.receiver import Reply
from harness.server import Server

LEASE_S = 3
KEY = "test-operator-key-0123456789abcdef"
ENV = {"TENTERHOOK_SECRET_KEY": "0123456789abcdef" * 4, "TENTERHOOK_STORE_LEASE": f"{LEASE_S}s",
       "TENTERHOOK_STORE_SHARE": "on"}


@pytest.fixture(scope="module")
def postgres():
    made = Postgres()
    yield made
    made.close()


class Cluster:
    """Nodes on one database, on fixed ports."""

    def __init__(self, postgres, database, folder):
        self.postgres, self.url, self.folder, self.nodes = postgres, database, folder, []
        self.name = database.rpartition("/")[2]

    def add(self, wait=True, env=None):
        node = Server(self.folder / f"node{len(self.nodes) + 1}", flags=["--store", self.url], env=ENV | (env or {}),
                      listen=f"127.0.0.1:{free_port()}")
        node.at = int(node.listen.rpartition(":")[2])
        self.nodes.append(node)
        if wait:
            node.start()
        else:
            node.launch()
        return node

    def sql(self, text):
        return self.postgres.sql(text, database=self.name)

    def lock(self, table):
        """Another session holds a lock on a table; gives what ends it."""
        session = self.postgres.session(f"BEGIN; LOCK TABLE tenterhook.{table} IN ACCESS EXCLUSIVE MODE;"
                                        " SELECT pg_sleep(3600)", database=self.name)
        until(lambda: self.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event='PgSleep'"))

        def release():
            self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event='PgSleep'")
            session.wait(20)
        return release

    def slots(self):
        """How many slots each node has; 0: nobody."""
        rows = self.sql("SELECT coalesce(node,0), count(*) FROM tenterhook.slot GROUP BY 1")
        return {int(node): int(count) for node, count in rows}

    def balanced(self, count, timeout_s=20):
        def even():
            slots = self.slots()
            return len(slots) == count and 0 not in slots and max(slots.values()) - min(slots.values()) <= 1
        return until(even, timeout_s)[1]

    def close(self):
        for node in self.nodes:
            if node.process:
                try:
                    node.process.send_signal(signal.SIGCONT)
                except ProcessLookupError:
                    pass
            node.kill()
        for node in self.nodes:
            node.close()


@pytest.fixture
def cluster(postgres, tmp_path, request):
    made = Cluster(postgres, postgres.fresh("n" + re.sub(r"[^a-z0-9]", "", request.node.name.lower())[:40]), tmp_path)
    yield made
    for node in made.nodes:
        print(f"---- node at {node.at}\n{node.text()[-4000:]}")
    made.close()


def ask(port, path, method="GET", body=None, headers=None):
    """(status, answer) of one request; (None, None) when nobody answers."""
    try:
        answer = Api(port, KEY, timeout_s=20).request(method, path, body, **({"headers": headers} if headers else {}))
        return answer.status, answer
    except (OSError, TimeoutError):
        return None, None


def numbers(receiver):
    with receiver.changed:
        return [json.loads(request.body)["data"]["number"] for request in receiver.requests
                if b'"number"' in request.body]


def publish(api, number, **more):
    return api.post("/v1/events", {"type": "a.b", "data": {"number": number}} | more)


def subscribe(api, receiver, count=1, **more):
    return [api.post("/v1/webhooks", {"url": receiver.url(f"/{i}")} | more).expect(201).json["id"] for i in range(count)]


def test_three_nodes_take_and_deliver_everything_once(cluster, receiver):
    got = receiver()
    one, two, three = (cluster.add() for _ in range(3))
    cluster.balanced(3)
    subscribe(one.api, got, 6)
    for number in range(60):
        publish((one, two, three)[number % 3].api, number).expect(202)
    until(lambda: len(numbers(got)) >= 360)
    time.sleep(1)
    assert collections.Counter(numbers(got)) == {number: 6 for number in range(60)}
    sent_by = cluster.sql("SELECT count(*) FROM tenterhook.queue")
    assert sent_by == [["0"]]
    for node in (one, two, three):
        assert len(node.api.pages("/v1/events")) == 60


def test_an_ordered_endpoint_keeps_its_order_over_nodes(cluster, receiver):
    """Events one after the other, each at the next node, also while a node that joins takes half of the slots."""
    got = receiver()
    one, two = cluster.add(), cluster.add()
    cluster.balanced(2)
    subscribe(one.api, got, 4, ordering={"key": None, "max_wait": None})
    for number in range(60):
        publish((one, two)[number % 2].api, number).expect(202)
    joined = cluster.add()
    for number in range(60, 120):
        publish((one, two, joined)[number % 3].api, number).expect(202)
    cluster.balanced(3)
    for number in range(120, 150):
        publish((one, two, joined)[number % 3].api, number).expect(202)
    until(lambda: len(numbers(got)) >= 4 * 150)
    with got.changed:
        came = [(request.target, json.loads(request.body)["data"]["number"]) for request in got.requests]
    assert len({path for path, _ in came}) == 4
    for path in {path for path, _ in came}:
        assert [number for at, number in came if at == path] == list(range(150)), path


class Load:
    """A publisher that goes on whatever happens, over all nodes in turn, and notes what was acknowledged. With an external id it
    tries again at the next node until it has an answer."""

    def __init__(self, nodes, rate=60):
        self.nodes, self.rate = nodes, rate
        self.acknowledged, self.statuses, self.spoilt = [], collections.Counter(), 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        for number in itertools.count(1):
            if self._stop.wait(1 / self.rate):
                return
            port = self.nodes[number % len(self.nodes)].at
            status, _ = ask(port, "/v1/events", "POST", {"type": "a.b", "data": {"number": number}})
            self.statuses[status] += 1
            if status == 202:
                self.acknowledged.append(number)

    def stop(self):
        self._stop.set()
        self._thread.join(60)
        return self.acknowledged


def all_arrive(receiver, wanted, times=1, timeout_s=60):
    def there():
        count = collections.Counter(numbers(receiver))
        return all(count[number] >= times for number in wanted)
    until(there, timeout_s)


def test_a_node_dies_and_the_others_take_over(cluster, receiver):
    got = receiver()
    nodes = [cluster.add() for _ in range(3)]
    cluster.balanced(3)
    subscribe(nodes[0].api, got, 8)
    load = Load(nodes)
    time.sleep(2)
    nodes[1].kill()
    took = cluster.balanced(2, LEASE_S + 5)
    assert took < LEASE_S + 3, took
    time.sleep(1)
    wanted = load.stop()
    assert len(wanted) > 60, load.statuses
    all_arrive(got, wanted, 8)
    time.sleep(1)
    again = sum(count - 8 for number, count in collections.Counter(numbers(got)).items() if number in set(wanted))
    assert again < 100, again
    assert set(numbers(got)) <= set(range(1, max(wanted) + 200))


class Late:
    """The way to a receiver. Connections that come while `holds` is set are taken, and what they bring goes on only when `release` is
    called, whatever has become of their sender: packets that are late."""

    def __init__(self, port):
        self.to, self.holds, self.released = port, False, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port, self.held = self.listener.getsockname()[1], 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(near, self.holds), daemon=True).start()

    def _pass(self, near, late):
        if late:
            near.recv(1, socket.MSG_PEEK)
            self.held += 1
            self.released.wait(60)
        far = socket.create_connection(("127.0.0.1", self.to), timeout=10)
        for pair in ((near, far), (far, near)):
            threading.Thread(target=self._pump, args=pair, daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def release(self):
        self.holds = False
        self.released.set()

    def close(self):
        self.release()
        self.listener.close()


@pytest.mark.parametrize("share", ["on", "off"])
def test_a_line_waits_for_what_a_dead_node_has_sent(cluster, receiver, share):
    """A request of a node that dies may reach the receiver long after another node has taken over. What comes behind it in its line
    does not pass it."""
    got, timeout_s = receiver(), LEASE_S + 7
    way = Late(got.port)
    one = cluster.add(env={"TENTERHOOK_STORE_SHARE": share})
    two = cluster.add(wait=share == "on", env={"TENTERHOOK_STORE_SHARE": share})
    if share == "on":
        cluster.balanced(2)
    for i in range(8):
        one.api.post("/v1/webhooks", {"url": f"http://127.0.0.1:{way.port}/{i}", "timeout_seconds": timeout_s,
                                      "ordering": {"key": None}}).expect(201)
    way.holds = True
    began = time.monotonic()
    publish(one.api, 1).expect(202)
    until(lambda: way.held >= 8)
    way.holds = False
    one.kill()
    until(lambda: ask(two.at, "/v1/events", "POST", {"type": "a.b", "data": {"number": 2}})[0] == 202)
    if share == "on":
        cluster.balanced(1)
    time.sleep(max(0.0, began + timeout_s - 0.5 - time.monotonic()))  # the last moment at which one that lives would still wait
    way.release()
    until(lambda: numbers(got).count(2) == 8 and numbers(got).count(1) > 8, 60)
    with got.changed:
        came = [(request.target, json.loads(request.body)["data"]["number"]) for request in got.requests]
    way.close()
    for i in range(8):
        line = [number for target, number in came if target == f"/{i}"]
        assert line == sorted(line) and line[0] == 1, came


def test_a_node_that_slept_has_nothing_to_say(cluster, receiver):
    got = receiver()
    nodes = [cluster.add() for _ in range(3)]
    cluster.balanced(3)
    subscribe(nodes[0].api, got, 8)
    load = Load(nodes[:2])
    other = Load(nodes[2:])
    time.sleep(1)
    nodes[2].process.send_signal(signal.SIGSTOP)
    cluster.balanced(2)
    time.sleep(LEASE_S)
    nodes[2].process.send_signal(signal.SIGCONT)
    until(lambda: "another node has taken over" in nodes[2].text(), 20)
    until(lambda: ask(nodes[2].at, "/readyz")[0] == 200)
    assert counted(nodes[2], "tenterhook_store_fenced_total") == 1
    assert sum(counted(node, "tenterhook_store_takeovers_total") for node in nodes[:2]) == 1
    cluster.balanced(3)
    time.sleep(1)
    wanted = load.stop()
    other.stop()
    all_arrive(got, wanted, 8)
    assert nodes[2].process.poll() is None


@pytest.mark.parametrize("share", ["on", "off"])
def test_a_node_that_hangs_holds_up_nobody(cluster, receiver, share):
    """It is stopped while its writer waits for a lock that it then gets: rows of all nodes are locked by one that does nothing."""
    got = receiver()
    env = {"TENTERHOOK_STORE_SHARE": share}
    hung = cluster.add(env=env)
    other = cluster.add(wait=share == "on", env=env)
    if share == "on":
        cluster.balanced(2)
    subscribe(hung.api, got)
    table = "shared" if share == "on" else "idem"
    release = cluster.lock(table)
    threading.Thread(target=ask, args=(hung.at, "/v1/events", "POST", {"type": "a.b", "data": {"number": 1}},
                                       {"Idempotency-Key": "one"}), daemon=True).start()
    until(lambda: cluster.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type='Lock' AND application_name='tenterhook'"))
    time.sleep(0.3)  # what waits may be the other node: the publisher's commit comes to the lock in this time
    hung.process.send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    release()
    stopped = time.monotonic()
    until(lambda: ask(other.at, "/v1/events", "POST", {"type": "a.b", "data": {"number": 2}})[0] == 202, LEASE_S * 3)
    took = time.monotonic() - stopped
    if share == "on":
        assert took < LEASE_S, took  # what is stored waits for no lease
        cluster.balanced(1, LEASE_S + 5)
    until(lambda: 2 in numbers(got))
    assert counted(other, "tenterhook_store_hung_sessions_total") == 1
    hung.process.send_signal(signal.SIGCONT)
    until(lambda: "another node has taken over" in hung.text())


def test_the_takeover_at_the_default_lease(cluster, receiver):
    """At most 13 s from the death of a node until another one delivers to its endpoints: a lease of 10 s, and what is done after it."""
    got = receiver()
    env = {"TENTERHOOK_STORE_LEASE": "10s"}
    one, two = cluster.add(env=env), cluster.add(env=env)
    cluster.balanced(2)
    subscribe(two.api, got, 8)
    time.sleep(1)
    one.kill()
    died = time.monotonic()
    publish(two.api, 1).expect(202)
    until(lambda: len(numbers(got)) == 8, 20)
    took = time.monotonic() - died
    assert took < 13, took
    metrics = two.api.get("/metrics").body.decode()
    assert "tenterhook_store_takeovers_total 1" in metrics


def test_a_rolling_restart_repeats_nothing(cluster, receiver):
    got = receiver()
    nodes = [cluster.add() for _ in range(3)]
    cluster.balanced(3)
    subscribe(nodes[0].api, got, 8)
    load = Load(nodes, 40)
    for node in nodes:
        time.sleep(0.5)
        assert node.stop(30) == 0
        node.start()
        cluster.balanced(3)
    time.sleep(1)
    wanted = load.stop()
    all_arrive(got, wanted, 8)
    time.sleep(1)
    count = collections.Counter(numbers(got))
    assert {number: count[number] for number in wanted if count[number] != 8} == {}


def test_settings_hold_at_every_node_after_the_answer(cluster, receiver):
    got = receiver()
    nodes = [cluster.add() for _ in range(3)]
    cluster.balanced(3)
    ids = subscribe(nodes[0].api, got, 6)
    for turn in range(12):
        publish(nodes[turn % 3].api, turn).expect(202)
        at = nodes[(turn + 1) % 3].api
        for endpoint in ids:
            at.patch(f"/v1/webhooks/{endpoint}", {"active": False}).expect(200)
        with got.changed:
            seen = len(got.requests)
        for node in nodes:
            publish(node.api, 1000 + turn).expect(202)
        time.sleep(0.2)
        with got.changed:
            assert 1000 + turn not in [json.loads(request.body)["data"]["number"] for request in got.requests[seen:]]
        for endpoint in ids:
            nodes[turn % 3].api.patch(f"/v1/webhooks/{endpoint}", {"active": True}).expect(200)
        for node in nodes:  # all say the same
            assert [row["active"] for row in node.api.get("/v1/webhooks").expect(200).json["data"]] == [True] * len(ids)


def test_settings_at_all_nodes_at_once(cluster, receiver):
    got = receiver()
    nodes = [cluster.add() for _ in range(3)]
    made, faults = [], []

    def many(node):
        for number in range(12):
            answer = node.api.post("/v1/webhooks", {"url": got.url(f"/{node.at}/{number}")})
            if answer.status == 201:
                made.append(answer.json["id"])
            else:
                faults.append(answer.status)

    threads = [threading.Thread(target=many, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults and len(set(made)) == 36
    for node in nodes:
        assert sorted(row["id"] for row in node.api.pages("/v1/webhooks")) == sorted(made)
    publish(nodes[0].api, 1).expect(202)
    until(lambda: len(numbers(got)) == 36)


def test_one_key_at_two_nodes_at_once_is_one_event(cluster, receiver):
    got = receiver()
    nodes = [cluster.add() for _ in range(2)]
    cluster.balanced(2)
    subscribe(nodes[0].api, got, 2)
    for number in range(20):
        answers = []

        def post(node, number=number, answers=answers):
            answers.append(ask(node.at, "/v1/events", "POST", {"type": "a.b", "data": {"number": number}},
                               {"Idempotency-Key": f"key-{number}"})[1])
        threads = [threading.Thread(target=post, args=(node,)) for node in nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {answer.status for answer in answers} <= {202, 409}, answers
        assert len({answer.json["id"] for answer in answers if answer.status == 202}) == 1
    until(lambda: len(numbers(got)) >= 40)
    time.sleep(0.5)
    assert collections.Counter(numbers(got)) == {number: 2 for number in range(20)}


def test_retries_of_another_nodes_deliveries(cluster, receiver):
    refuse = threading.Event()
    refuse.set()
    got = receiver(answer=lambda request: Reply(503 if refuse.is_set() else 200))
    nodes = [cluster.add() for _ in range(3)]
    cluster.balanced(3)
    subscribe(nodes[0].api, got, 4)
    publish(nodes[0].api, 1).expect(202)
    until(lambda: len(numbers(got)) >= 4)
    refuse.clear()
    rows = nodes[1].api.pages("/v1/deliveries")
    assert len(rows) == 4
    time.sleep(0.5)
    for row in rows:  # each by a node that need not be its own
        nodes[2].api.post(f"/v1/deliveries/{row['id']}/retry", {}).expect(200, 202)
    until(lambda: len(numbers(got)) >= 8, 10)
    until(lambda: all(row["status"] == "delivered" for row in nodes[0].api.pages("/v1/deliveries")))


def test_a_stop_hands_over_at_once(cluster, receiver):
    """What a hanging request belongs to stays with the node until its outcome; everything else goes on elsewhere within a second."""
    free = threading.Event()
    hangs = receiver(answer=lambda request: (free.wait(20), Reply(200))[1])
    got = receiver()
    nodes = [cluster.add() for _ in range(2)]
    cluster.balanced(2)
    subscribe(nodes[0].api, hangs, 1)
    ids = subscribe(nodes[0].api, got, 6)
    publish(nodes[0].api, 0).expect(202)
    until(lambda: len(numbers(hangs)) == 1 and len(numbers(got)) == 6)
    until(lambda: sum(metrics_of(node)["in_flight"] for node in nodes) == 1)
    owner = nodes[0] if metrics_of(nodes[0])["in_flight"] else nodes[1]  # it has the request that hangs
    other = nodes[1] if owner is nodes[0] else nodes[0]
    stopped = time.monotonic()
    owner.process.send_signal(signal.SIGTERM)
    number = {node: i + 1 for i, node in enumerate(nodes)}
    until(lambda: cluster.slots().get(number[other], 0) >= 255, 5)
    assert time.monotonic() - stopped < 2.5
    publish(other.api, 1).expect(202)
    until(lambda: numbers(got).count(1) == 6, 5)
    assert numbers(hangs) == [0] and ids
    free.set()
    until(lambda: owner.process.poll() == 0, 20)
    until(lambda: numbers(hangs) == [0, 1], 10)
    time.sleep(1)
    assert numbers(hangs) == [0, 1] and collections.Counter(numbers(got)) == {0: 6, 1: 6}


def counted(node, name):
    return int(re.search(rf"^{name} (\d+)", ask(node.at, "/metrics")[1].body.decode(), re.M)[1])


def metrics_of(node):
    text = node.api.get("/metrics").body.decode()
    return {"in_flight": int(float(re.search(r"^tenterhook_requests_in_flight (\S+)", text, re.M)[1])),
            "slots": int(float(re.search(r"^tenterhook_store_slots (\S+)", text, re.M)[1]))}


def test_a_replay_outlives_its_node(cluster, receiver):
    got = receiver()
    nodes = [cluster.add() for _ in range(3)]
    cluster.balanced(3)
    endpoint = nodes[0].api.post("/v1/webhooks", {"url": got.url("/r")}).expect(201).json["id"]
    for first in range(0, 2000, 500):
        nodes[first // 500 % 3].api.post("/v1/events/batch", [{"type": "a.b", "data": {"number": number}} for number in
                                                              range(first, first + 500)]).expect(202)
    until(lambda: len(numbers(got)) == 2000, 60)
    until(lambda: not cluster.sql("SELECT 1 FROM tenterhook.queue LIMIT 1"))
    nodes[1].api.post(f"/v1/webhooks/{endpoint}/replay", {"since": "2026-01-01T00:00:00Z"}).expect(202)
    row = cluster.sql("SELECT node FROM tenterhook.slot WHERE slot=0")
    nodes[int(row[0][0]) - 1].kill()
    left = [node for i, node in enumerate(nodes) if i != int(row[0][0]) - 1]
    cluster.balanced(2)
    until(lambda: all(count >= 2 for count in collections.Counter(numbers(got)).values()), 60)
    until(lambda: all(row["state"] == "done" for node in left for row in node.api.get("/v1/replays").json["data"]), 30)


def test_a_transaction_that_stays_open_costs_little(cluster, receiver):
    """Somebody else's transaction keeps every row that is deleted meanwhile. What is looked up by number does not read them, and when it
    has ended, they go."""
    got, sent = receiver(), 0
    one = cluster.add()
    subscribe(one.api, got)

    def take():
        nonlocal sent
        began, batches = time.monotonic(), 30
        for _ in range(batches):
            one.api.post("/v1/events/batch", [{"type": "a.b", "data": {"number": sent + i}} for i in range(100)]).expect(202)
            sent += 100
        until(lambda: len(numbers(got)) >= sent, 90)
        return time.monotonic() - began

    def dead():
        return int(cluster.sql("SELECT coalesce(sum(n_dead_tup),0) FROM pg_stat_user_tables WHERE schemaname='tenterhook'")[0][0])

    alone = take()
    held = cluster.postgres.session("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM tenterhook.event;"
                                    " SELECT pg_sleep(3600)", database=cluster.name)
    until(lambda: cluster.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event='PgSleep'"))
    beside = [take() for _ in range(3)]
    until(lambda: dead() > 3000, 20)  # it does keep them
    assert beside[-1] < 3 * alone + 2, (alone, beside)
    print(f"3,000 events alone {alone:.2f} s, beside it {[round(took, 2) for took in beside]} s; {dead()} dead rows")
    cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event='PgSleep'")
    held.wait(20)
    until(lambda: dead() < 1000, 90)
    assert sorted(numbers(got)) == list(range(sent))


def test_what_waits_for_its_turn_goes_in_one_commit(cluster):
    """A node whose commit waits for those of others takes along what it is asked meanwhile."""
    node, statuses = cluster.add(env={"TENTERHOOK_STORE_LEASE": "60s"}), []

    def commits():
        return int(cluster.sql("SELECT coalesce(max(seq),0) FROM tenterhook.log")[0][0])

    def publisher(number):
        thread = threading.Thread(target=lambda: statuses.append(publish(Api(node.at, KEY, timeout_s=60), number).status))
        thread.start()
        return thread

    publish(node.api, 0).expect(202)
    taken = []
    for _ in range(5):  # a commit of something else may come between
        before, release = commits(), cluster.lock("shared")
        threads = [publisher(1)]
        until(lambda: cluster.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type='Lock' AND query LIKE 'UPDATE%shared%'"), 20)
        threads += [publisher(2), publisher(3)]
        until(lambda: counted(node, "tenterhook_store_queue") >= 3, 20)
        release()
        for thread in threads:
            thread.join(60)
        taken.append(commits() - before)
        if taken[-1] == 1:
            break
    assert statuses == [202] * 3 * len(taken) and taken[-1] == 1, (statuses, taken)


def test_nodes_are_listed_with_their_slots(cluster):
    nodes = [cluster.add() for _ in range(3)]
    cluster.balanced(3)
    for node in nodes:
        rows = node.api.get("/v1/nodes").expect(200).json["data"]
        assert [row["state"] for row in rows] == ["working"] * 3
        assert sum(row["slots"] for row in rows) == 256 and all(row["behind"] < 100 for row in rows)
    until(lambda: sum(metrics_of(node)["slots"] for node in nodes) == 256, 5)


def test_a_catalogue_reaches_the_other_node(cluster, receiver):
    """A type that one node puts is validated, pinned and shown by the other, and so is what is taken away."""
    one, two = cluster.add(), cluster.add()
    cluster.balanced(2)
    type_ = {"schema": {"type": "object", "required": ["n"]}, "validate": "refuse", "description": "first"}
    one.api.put("/v1/event-types/a.b", type_).expect(200, 201)
    assert two.api.get("/v1/event-types/a.b").expect(200).json["description"] == "first"
    two.api.post("/v1/events", {"type": "a.b", "data": {}}).expect(422)
    two.api.post("/v1/events", {"type": "a.b", "data": {"n": 1}}).expect(202)
    two.api.put("/v1/event-types/a.b", {"schema": None, "description": "second"}).expect(200)
    assert one.api.get("/v1/event-types/a.b").expect(200).json["description"] == "second"
    one.api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    one.api.delete("/v1/event-types/a.b").expect(204)
    two.api.get("/v1/event-types/a.b").expect(404)
    two.stop()
    two.start()  # and over a start
    two.api.get("/v1/event-types/a.b").expect(404)


def test_a_backfill_goes_on_when_its_node_is_killed(cluster, receiver):
    """Whichever of the two works on it: every event of before arrives, and none has two deliveries."""
    count = 1200  # more than a job queues ahead of an endpoint
    one, two = cluster.add(), cluster.add()
    cluster.balanced(2)
    ids = []
    for start in range(0, count, 400):
        batch = [{"type": "a.b", "data": {"number": n}} for n in range(start, start + 400)]
        ids += [row["id"] for row in one.api.post("/v1/events/batch", batch).expect(202).json]
    time.sleep(0.002)  # the endpoint is made in a later millisecond
    got = receiver()
    made = one.api.post("/v1/webhooks", {"url": got.url(), "max_in_flight": 4}).expect(201).json
    started = two.api.post(f"/v1/webhooks/{made['id']}/backfill", {"since": "2020-01-01T00:00:00Z"}).expect(202).json
    assert started["matched"] == count
    got.wait_for(100, 60)
    two.kill()
    until(lambda: len(set(numbers(got))) == count, 60)
    two.start()
    done = until(lambda: one.api.get(f"/v1/replays/{started['id']}").expect(200).json["state"] == "done", 60)
    assert done
    rows = one.api.pages(f"/v1/deliveries?endpoint={made['id']}", 1000)
    assert len(rows) == count and len({row["event"] for row in rows}) == count
    until(lambda: all(row["status"] == "delivered" for row in one.api.pages(f"/v1/deliveries?endpoint={made['id']}", 1000)), 60)


def test_a_batch_of_a_line_over_a_takeover(cluster, receiver):
    """The node that sends lists is killed: the other goes on, each key in its order."""
    one, two = cluster.add(), cluster.add()
    cluster.balanced(2)

    def answer(_):
        time.sleep(0.03)
        return Reply(200)

    got = receiver(answer=answer)
    hooks = [one.api.post("/v1/webhooks", {"url": got.url(f"/{i}"), "ordering": {"key": None, "batch": 10}}).expect(201).json for i in range(4)]
    told = []
    for part in range(12):
        batch = [{"type": "a.b", "data": {"number": 10 * part + n}} for n in range(10)]
        one.api.post("/v1/events/batch", batch).expect(202)
        told += [10 * part + n for n in range(10)]
        if part == 6:
            two.kill()

    def lines():
        seen = collections.defaultdict(list)
        for request in list(got.requests):
            seen[request.target] += [element["body"]["data"]["number"] for element in json.loads(request.body)]
        return seen

    until(lambda: len(lines()) == len(hooks) and all(set(line) == set(told) for line in lines().values()), 60)
    for path, line in lines().items():
        assert list(dict.fromkeys(line)) == told, path
    assert max(len(json.loads(request.body)) for request in got.requests) > 1


def test_the_backlog_that_is_noted_is_of_all_nodes(cluster, receiver):
    """One node notes it for all, whichever has accepted and whichever would send; each shows the same."""
    nodes = [cluster.add() for _ in range(2)]
    assert cluster.balanced(2)
    hooks = [nodes[n % 2].api.post("/v1/webhooks", {"url": receiver().url("/"), "active": False}).expect(201).json["id"] for n in range(6)]
    for n in range(10):
        nodes[n % 2].api.post("/v1/events", {"type": "a.b", "data": {"n": n}}).expect(202)
    for node in nodes:
        node.kill()
    for node in nodes:
        node.start()

    def shown():
        return [node.api.get("/v1/stats").expect(200).json["backlog"][-1:] for node in nodes]

    until(lambda: [row["last"] for rows in shown() for row in rows] == [10 * len(hooks)] * 2, 100)
    assert shown()[0] == shown()[1]
