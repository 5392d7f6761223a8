"""tenterhook-bridge between real brokers and a real server: what it makes of messages, and that none is lost when bridge, broker and
server are killed in turn."""
import asyncio
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from harness import brokers, programs
from harness.expect import eventually
from harness.postgres import free_port
from harness.server import binary_path

KEY = "test-operator-key-0123456789abcdef"


def bridge_path():
    path = binary_path().parent / "tenterhook-bridge"
    if not path.exists():
        programs.missing(f"{path} is not built (make bridge)")
    return path


class Bridge:
    """A process of the bridge for one stream."""

    def __init__(self, folder, server, text, name="stream", listen=None):
        self.file, self.server, self.process, self.listen = folder / f"{name}.yaml", server, None, listen
        self.log = folder / f"{name}.log"
        self.file.write_text(text)

    def start(self):
        env = {**os.environ, "TENTERHOOK_KEY": KEY, "TENTERHOOK_SERVER": f"http://127.0.0.1:{self.server.port}"}
        with open(self.log, "ab") as log:
            more = ["--listen", f"127.0.0.1:{self.listen}"] if self.listen else []
            self.process = subprocess.Popen([str(bridge_path()), *more, str(self.file)], env=env, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        return self

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status, self.process = self.process.wait(20), None
        return status

    def page(self, path):
        """The status and the text of a page of its own; (0, "") while there is none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.listen}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name):
        found = re.findall(rf'^tenterhook_bridge_{name}{{file="{re.escape(str(self.file))}"}} (\d+)$', self.page("/metrics")[1], re.M)
        return int(found[0]) if found else None

    def lines(self, msg):
        found = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in found if line["msg"] == msg]


@pytest.fixture
def bridge(tmp_path):
    made = []

    def make(server, text, **options):
        made.append(Bridge(tmp_path, server, text, **options))
        return made[-1].start()
    yield make
    for one in made:
        one.kill()


def broker_fixture(kind):
    @pytest.fixture(scope="module")
    def fixture():
        brokers.clients()
        with kind() as made:
            yield made
    return fixture


rabbit, redis_server, nats = broker_fixture(brokers.RabbitMQ), broker_fixture(brokers.Redis), broker_fixture(brokers.Nats)
kafka = broker_fixture(brokers.Kafka)

# ---- one face for the four: put, what is aside, what is not acknowledged ----


class Rabbit:
    def __init__(self, broker, name):
        self.broker, self.name = broker, name
        self.yaml = f"source: {broker.url}\nqueue: {name}\naside: {name}.aside\n"
        with self.channel() as channel:
            channel.queue_declare(name, durable=True)

    def channel(self):
        import pika
        connection = pika.BlockingConnection(pika.URLParameters(self.broker.url))
        channel = connection.channel()
        channel.confirm_delivery()

        class Closing:
            def __enter__(self):
                return channel

            def __exit__(self, *_):
                if connection.is_open:
                    connection.close()
        return Closing()

    def put(self, bodies, ids=None, headers=None):
        import pika
        with self.channel() as channel:
            for i, body in enumerate(bodies):
                channel.basic_publish("", self.name, body, pika.BasicProperties(
                    delivery_mode=2, message_id=ids[i] if ids else None, headers=headers, timestamp=1775116800))

    def aside(self):
        with self.channel() as channel:
            found = []
            channel.queue_declare(f"{self.name}.aside", durable=True)
            while True:
                method, properties, body = channel.basic_get(f"{self.name}.aside", auto_ack=True)
                if method is None:
                    return found
                found.append((body, properties.headers["x-tenterhook-reason"]))

    def left(self):
        """Messages that are ready; those that a consumer holds come back when it is gone."""
        with self.channel() as channel:
            return channel.queue_declare(self.name, passive=True).method.message_count


class RedisStream:
    def __init__(self, broker, name):
        import redis
        self.name, self.client = name, redis.Redis(port=broker.port)
        self.yaml = f"source: {broker.url}\nstream: {name}\naside: {name}.aside\n"

    def put(self, bodies, ids=None, headers=None):
        for i, body in enumerate(bodies):
            self.client.xadd(self.name, {"data": body, **({"message-id": ids[i]} if ids else {}), **(headers or {})})

    def aside(self):
        return [(fields[b"data"], fields[b"x-tenterhook-reason"].decode()) for _, fields in self.client.xrange(f"{self.name}.aside")]

    def left(self):
        groups = self.client.xinfo_groups(self.name)
        return groups[0]["pending"] + (groups[0]["lag"] or 0)


class NatsStream:
    def __init__(self, broker, name):
        self.name, self.broker = name, broker
        self.yaml = f"source: {broker.url}\nstream: {name}\nsubject: {name}.in\naside: {name}.aside\nack_wait: 2\n"

        async def make(_client, js):
            await js.add_stream(name=name, subjects=[f"{name}.in"])
            await js.add_stream(name=f"{name}-aside", subjects=[f"{name}.aside"])
        self.run(make)

    def run(self, what):
        async def go():
            import nats as client
            connection = await client.connect(self.broker.url)
            try:
                return await what(connection, connection.jetstream())
            finally:
                await connection.close()
        return asyncio.run(go())

    def put(self, bodies, ids=None, headers=None):
        async def go(_client, js):
            for i, body in enumerate(bodies):
                await js.publish(f"{self.name}.in", body, headers={**({"message-id": ids[i]} if ids else {}), **(headers or {})} or None)
        self.run(go)

    def aside(self):
        async def go(_client, js):
            info = await js.stream_info(f"{self.name}-aside")
            found = [await js.get_msg(f"{self.name}-aside", n) for n in range(1, info.state.last_seq + 1)]
            return [(m.data, m.headers["x-tenterhook-reason"]) for m in found]
        return self.run(go)

    def left(self):
        async def go(_client, js):
            info = await js.consumer_info(self.name, "tenterhook")
            return info.num_pending + info.num_ack_pending
        return self.run(go)


class KafkaTopic:
    """Of two partitions. A bridge that was killed is missed after 6 seconds."""

    def __init__(self, broker, name):
        from kafka import KafkaAdminClient
        from kafka.admin import NewTopic
        self.name, self.at = name, f"127.0.0.1:{broker.port}"
        self.yaml = f"source: {broker.url}\ntopic: {name}\naside: {name}.aside\noptions:\n  session.timeout.ms: 6000\n"
        admin = KafkaAdminClient(bootstrap_servers=self.at)
        admin.create_topics([NewTopic(name, 2, 1), NewTopic(f"{name}.aside", 1, 1)])
        admin.close()

    def put(self, bodies, ids=None, headers=None):
        from kafka import KafkaProducer
        producer = KafkaProducer(bootstrap_servers=self.at, acks="all", retries=20)
        sent = []
        for i, body in enumerate(bodies):
            more = {**({"message-id": ids[i]} if ids else {}), **(headers or {})}
            sent.append(producer.send(self.name, body, headers=[(name, value.encode()) for name, value in more.items()]))
        for one in sent:
            one.get(60)
        producer.close()

    def consumer(self, topic, group=None):
        from kafka import KafkaConsumer, TopicPartition
        consumer = KafkaConsumer(bootstrap_servers=self.at, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest")
        return consumer, [TopicPartition(topic, n) for n in sorted(consumer.partitions_for_topic(topic))]

    def aside(self):
        consumer, parts = self.consumer(f"{self.name}.aside")
        count, found = sum(consumer.end_offsets(parts).values()), []
        consumer.assign(parts)

        def all_read():
            for records in consumer.poll(500).values():
                found.extend((record.value, dict(record.headers)["x-tenterhook-reason"].decode()) for record in records)
            return len(found) >= count
        eventually(all_read, 30, f"{count} messages aside")
        consumer.close()
        return found

    def left(self):
        consumer, parts = self.consumer(self.name, "tenterhook")
        ends = consumer.end_offsets(parts)
        left = sum(ends[part] - (consumer.committed(part) or 0) for part in parts)
        consumer.close()
        return left


KINDS = {"amqp": (Rabbit, brokers.RabbitMQ, "rabbit"), "redis": (RedisStream, brokers.Redis, "redis_server"),
         "nats": (NatsStream, brokers.Nats, "nats"), "kafka": (KafkaTopic, brokers.Kafka, "kafka")}


@pytest.fixture(params=list(KINDS))
def queue(request):
    """One of each broker's, named after the test."""
    kind, _, broker = KINDS[request.param]
    made = kind(request.getfixturevalue(broker), f"q{int(time.time() * 1000)}")
    made.kind = request.param
    return made


def events(api, count=None, timeout_s=30, **filters):
    def look():
        found = list(api.pages("/v1/events", most=5000))
        return found if count is None or len(found) >= count else None
    return eventually(look, timeout_s, f"{count} events")


def order(n, **more):
    return json.dumps({"kind": "order.paid", "number": n, "customer": "acme", "at": "2026-04-02T08:00:00Z", "payload": {"n": n}, **more}).encode()


# ---- what becomes of a message ----

def test_members_come_from_where_the_file_says(server, bridge, queue):
    running = server()
    running.api.put("/v1/tenants/acme", {"dialect": "standard"}).expect(201)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    made = bridge(running, queue.yaml + "event:\n  type: /kind\n  data: /payload\n  tenant: /customer\n  id: header:number\n  time: /at\n")
    queue.put([order(1)], headers={"number": "order-1", "traceparent": trace})
    acme = running.api.as_tenant("acme")
    (event,) = events(acme, 1)
    event = acme.get(f"/v1/events/{event['id']}").expect(200).json
    assert (event["id"], event["type"], event["tenant"], event["data"]) == ("order-1", "order.paid", "acme", {"n": 1})
    assert event["time"].startswith("2026-04-02T08:00:00") and event["traceparent"] == trace
    eventually(lambda: queue.left() == 0, 10, "acknowledged")
    assert made.stop() == 0
    assert made.lines("bridged")[-1]["accepted"] == 1


def test_a_message_twice_is_one_event(server, bridge, queue):
    running = server()
    made = bridge(running, queue.yaml + "event:\n  type: '=order.paid'\n  id: header:n\n")
    queue.put([order(1)], headers={"n": "a b"})  # no id of an event: its hash
    events(running.api, 1)
    queue.put([order(1), order(1)], headers={"n": "a b"})
    queue.put([order(2)], headers={"n": "2"})
    found = events(running.api, 2)
    eventually(lambda: queue.left() == 0, 20, "acknowledged")
    assert len(events(running.api)) == 2 and {len(e["id"]) for e in found} == {1, 40}
    assert made.stop() == 0
    assert made.lines("bridged")[-1]["repeated"] == 2


def test_poison_goes_aside_with_the_reason_and_stops_nobody(server, bridge, queue):
    running = server()
    made = bridge(running, queue.yaml + "event:\n  type: /kind\n  tenant: /customer\n  data: /payload\n")
    poison = {b"not json": "not JSON", b'{"number": 1}': "type: the message has none", order(1, kind="a b"): "/type",
              order(2, customer="nobody"): "404", b'{"kind": 7, "customer": {}, "payload": 1}': "customer is no text",
              b'{"kind": "a", "customer": "default"}': "no /payload"}
    good = [order(n, customer="default") for n in range(20)]
    bodies = list(poison)
    queue.put([body for pair in zip(good, bodies) for body in pair] + good[len(bodies):])
    assert len(events(running.api, 20)) == 20
    eventually(lambda: queue.left() == 0, 20, "acknowledged")
    aside = dict(queue.aside())
    assert set(aside) == set(poison), aside
    for body, words in poison.items():
        assert words in aside[body], (body, aside[body])
    assert {e["type"] for e in events(running.api)} == {"order.paid"}
    assert made.stop() == 0


def test_an_engine_that_is_away_or_slow_holds_the_broker(server, bridge, queue):
    """Nothing is acknowledged, and nothing put aside, while the engine cannot take it."""
    running = server(flags=["--key-rate", "0"])
    made = bridge(running, queue.yaml + "batch: 10\nmax_unacked: 20\nevent:\n  type: '=a'\n")
    queue.put([order(0)])
    events(running.api, 1)
    port = running.port
    running.kill()
    queue.put([order(n) for n in range(1, 40)])
    time.sleep(2)
    assert queue.aside() == [] and made.process.poll() is None
    running.listen = f"127.0.0.1:{port}"
    running.start()
    assert len(events(running.api, 40, 60)) == 40
    eventually(lambda: queue.left() == 0, 20, "acknowledged")
    assert made.lines("the engine cannot be reached; trying again")


def test_its_own_page_says_what_it_does(server, bridge, queue):
    running = server()
    running.listen = f"127.0.0.1:{running.port}"
    made = bridge(running, queue.yaml + "event:\n  type: /kind\n", listen=free_port())
    eventually(lambda: made.page("/readyz") == (200, "ok\n"), 30, "ready")
    assert made.page("/livez") == (200, "ok\n") and made.page("/else")[0] == 404
    queue.put([order(n) for n in range(5)] + [b"not json"])
    eventually(lambda: made.metric("messages_acknowledged_total") == 6, 30, "acknowledged")
    names = ("messages_taken_total", "events_accepted_total", "messages_aside_total", "connections_total", "connected", "server_ok", "messages_held")
    assert [made.metric(name) for name in names] == [6, 5, 1, 1, 1, 1, 0], made.page("/metrics")[1]
    assert made.metric("requests_total") >= 1 and made.metric("events_repeated_total") == 0
    # a server that is away: not ready, and what waits is known
    running.kill()
    queue.put([order(n) for n in range(40)])
    status, text = eventually(lambda: (made.page("/readyz") if made.page("/readyz")[0] == 503 else None), 30, "not ready")
    assert text == f"{made.file}: the server does not take events\n" and made.page("/livez")[0] == 200
    # RabbitMQ counts what is ready, and the bridge has taken all of that
    eventually(lambda: made.metric("messages_held") >= 1 if queue.kind == "amqp" else made.metric("lag_messages") == 40, 30, "known")
    assert made.metric("retries_total") >= 1
    running.start()
    eventually(lambda: made.page("/readyz")[0] == 200 and made.metric("messages_acknowledged_total") >= 46, 60, "ready again")
    eventually(lambda: made.metric("lag_messages") == 0, 30, "nothing waits")
    assert made.stop() == 0


def test_a_broker_that_goes_away_is_seen(server, bridge):
    brokers.clients()
    with brokers.Redis() as broker:
        queue = RedisStream(broker, "gone")
        made = bridge(server(), queue.yaml + "event:\n  type: /kind\n", listen=free_port())
        eventually(lambda: made.metric("connected") == 1, 30, "connected")
        broker.kill()
        text = eventually(lambda: (made.page("/readyz")[1] if made.page("/readyz")[0] == 503 else None), 30, "not ready")
        assert text == f"{made.file}: the broker is not connected\n"
        broker.start()
        eventually(lambda: made.page("/readyz")[0] == 200, 30, "ready again")
        assert made.metric("connections_total") == 2


def test_a_folder_is_its_files(tmp_path):
    env = {**os.environ, "TENTERHOOK_KEY": "k"}
    folder = tmp_path / "streams"
    folder.mkdir()

    def check(*arguments):
        return subprocess.run([bridge_path(), "--check", *arguments], env=env, capture_output=True, text=True)
    assert "no file *.yaml" in check(folder).stderr
    good = "source: redis://127.0.0.1\nstream: a\naside: b\nserver: http://127.0.0.1\nevent:\n  type: /a\n"
    (folder / "a.yaml").write_text(good)
    (folder / "b.yaml").write_text(good)
    (folder / "notes.txt").write_text("none of its files")
    assert check(folder).returncode == 0
    (folder / "b.yaml").write_text("quueue: a\n")
    made = check(folder)
    assert made.returncode == 64 and f"{folder}/b.yaml:1: quueue" in made.stderr
    for where in ("8430", "localhost:8430", "127.0.0.1:", "[::1:8430", "127.0.0.1:http"):
        made = subprocess.run([bridge_path(), "--listen", where, folder / "a.yaml"], env=env, capture_output=True, text=True, timeout=20)
        assert made.returncode == 64 and "127.0.0.1:8430" in made.stderr, (where, made.stderr)


def test_a_wrong_key_refuses_nothing(server, bridge, queue, tmp_path):
    running = server()
    (tmp_path / "key").write_text("wrong-key-0123456789abcdef\n")
    made = bridge(running, queue.yaml + f"key_file: {tmp_path / 'key'}\nevent:\n  type: '=a'\n")
    queue.put([order(1)])
    eventually(lambda: made.lines("the engine refuses the key; trying again"), 10, "said")
    assert made.stop() == 0
    assert queue.aside() == []
    (tmp_path / "key").write_text(KEY)
    made.start()
    events(running.api, 1)


def test_files_that_are_wrong_are_refused(tmp_path):
    good = "source: redis://127.0.0.1\nstream: a\naside: b\nserver: http://127.0.0.1\nevent:\n  type: /a\n"
    for text, words in ((good + "quueue: a\n", "quueue: is not a key of a stream"), (good.replace("/a\n", "a\n"), "write /POINTER"),
                        (good.replace("aside: b\n", ""), "the key aside is missing"), (good + "batch: 0\n", "1 to 1000"),
                        (good.replace("redis:", "ftp:"), "scheme"), (good + "  tipe: /a\n", "is not a member of events"),
                        (good + "key_file: /does/not/exist\n", "cannot be read"), ("- a\n", "map")):
        file = tmp_path / "wrong.yaml"
        file.write_text(text)
        made = subprocess.run([bridge_path(), "--check", file], env={**os.environ, "TENTERHOOK_KEY": "k"}, capture_output=True, text=True)
        assert made.returncode == 64 and words in made.stderr, (text, made.stderr)
        assert f"{file}" in made.stderr
    file.write_text(good)
    assert subprocess.run([bridge_path(), "--check", file], env={**os.environ, "TENTERHOOK_KEY": "k"}).returncode == 0


# ---- kills ----

@pytest.mark.parametrize("kind", list(KINDS))
def test_nothing_is_lost_when_all_are_killed_in_turn(kind, server, bridge):
    brokers.clients()
    face, make, _ = KINDS[kind]
    with make() as broker:
        running = server()
        running.listen = f"127.0.0.1:{running.port}"
        queue = face(broker, "killed")
        made = bridge(running, queue.yaml + "batch: 20\nmax_unacked: 50\nevent:\n  type: /kind\n"
                      + ("" if kind == "amqp" else "  id: header:message-id\n"))
        wanted = set()
        victims = [made, broker, running, made, broker]
        for number, victim in enumerate(victims):
            ids = [f"m{number}-{i}" for i in range(60)]
            queue.put([order(i) for i in range(60)], ids=ids)  # confirmed: from now on none may be lost
            wanted.update(ids)
            time.sleep(0.05 * number)
            victim.kill()
            victim.start()
        got = events(running.api, len(wanted), 90)
        eventually(lambda: queue.left() == 0, 60, "acknowledged")
        got = [event["id"] for event in events(running.api)]
        assert set(got) == wanted and len(got) == len(wanted)
        assert queue.aside() == []
