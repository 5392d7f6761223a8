"""Order, from outside: settings and their mistakes, what goes one after the other over real sockets, and what is said of those that were passed."""
import collections
import json
import random
import threading
import time

import pytest

from harness.expect import eventually
from harness.postgres import Postgres
from harness.receiver import Reply
from harness.signature import verify

ORDER = {"key": "$.data.k", "max_wait": None}


def register(api, target, **more):
    return api.post("/v1/webhooks", {"url": target.url(), "ordering": ORDER, **more}).expect(201).json


def publish(api, *data):
    events = [{"type": "t.x", "data": one} for one in data]
    return [row["id"] for row in api.post("/v1/events/batch", events).expect(202).json]


def rows_of(requests):
    return [(request.header("webhook-sequence"), json.loads(request.body)["data"]) for request in requests]


def test_settings(tenant, receiver):
    target = receiver()
    made = register(tenant, target)
    assert made["ordering"] == ORDER
    path = f"/v1/webhooks/{made['id']}"
    assert tenant.patch(path, {"ordering": {"max_wait": "3600s"}}).expect(200).json["ordering"] == {"key": "$.data.k", "max_wait": "1h"}
    assert tenant.patch(path, {"ordering": {"key": None}}).expect(200).json["ordering"] == {"key": None, "max_wait": "1h"}
    assert tenant.patch(path, {"description": "x"}).expect(200).json["ordering"] == {"key": None, "max_wait": "1h"}
    assert "ordering" not in tenant.patch(path, {"ordering": None}).expect(200).json
    assert "ordering" not in tenant.get(path).expect(200).json
    assert tenant.patch(path, {"ordering": {"key": None, "batch": 7}}).expect(200).json["ordering"] == {"key": None, "max_wait": None, "batch": 7}
    assert tenant.patch(path, {"ordering": {"max_wait": "1m"}}).expect(200).json["ordering"] == {"key": None, "max_wait": "1m", "batch": 7}
    for one in (1, None):
        assert tenant.patch(path, {"ordering": {"batch": one}}).expect(200).json["ordering"] == {"key": None, "max_wait": "1m"}


@pytest.mark.parametrize("ordering, pointer, word", [
    ({}, "/ordering/key", "required"),
    ({"key": "$.data["}, "/ordering/key", "character 8"),
    ({"key": "$..k"}, "/ordering/key", "several values"),
    ({"key": "$.data[?@.x]"}, "/ordering/key", "several values"),
    ({"key": 5}, "/ordering/key", "string"),
    ({"key": "$." + "k" * 600}, "/ordering/key", "512"),
    ({"key": None, "max_wait": "0s"}, "/ordering/max_wait", "1s to 30d"),
    ({"key": None, "max_wait": "31d"}, "/ordering/max_wait", "1s to 30d"),
    ({"key": None, "max_wait": "1 hour"}, "/ordering/max_wait", "1s to 30d"),
    ({"key": None, "max_wait": 60}, "/ordering/max_wait", "string"),
    ({"key": None, "batches": 2}, "/ordering/batches", "not a field"),
    ({"key": None, "batch": 0}, "/ordering/batch", "1"),
    ({"key": None, "batch": 101}, "/ordering/batch", "100"),
    ({"key": None, "batch": "2"}, "/ordering/batch", "integer"),
    ("$.data.k", "/ordering", "object"),
])
def test_a_mistake_says_where(tenant, receiver, ordering, pointer, word):
    answer = tenant.post("/v1/webhooks", {"url": receiver().url(), "ordering": ordering}).expect(422).json
    (fault,) = [fault for fault in answer["errors"] if fault["pointer"] == pointer]
    assert word in fault["detail"], fault


def test_headers_of_the_order_are_not_the_endpoints(tenant, receiver):
    tenant.post("/v1/webhooks", {"url": receiver().url(), "headers": {"Webhook-Sequence": "1"}}).expect(422)


@pytest.mark.parametrize("threads", [1, 3])
def test_each_key_in_its_order(server, receiver, threads):
    """With several threads publishers are accepted by other engines than the one that owns the endpoint."""
    running = server(flags=["--threads", str(threads)])
    api, rng, failed = running.api.as_tenant("default"), random.Random(threads), set()

    def answer(request):
        time.sleep(rng.random() * 0.005)
        data = json.loads(request.body)["data"]
        if data["n"] % 9 == 0 and data["n"] not in failed:
            failed.add(data["n"])
            return Reply(500)
        return Reply(200)

    target = receiver(answer=answer)
    api.post("/v1/webhooks", {"url": target.url(), "ordering": ORDER, "retry": {"delays": [1], "jitter_percent": 0}}).expect(201)
    step, apis, n = collections.Counter(), [running.api.as_tenant("default") for _ in range(4)], 0
    for _ in range(60):
        data = []
        for _ in range(rng.choice([1, 1, 5])):
            key, n = rng.choice(["a", "b", 3, True, {"x": 1}]), n + 1
            step[str(key)] += 1
            data.append({"k": key, "n": n, "step": step[str(key)]})
        publish(rng.choice(apis), *data)
    requests = target.wait_for(lambda seen: len(seen) >= n + n // 9, 60)
    lines = collections.defaultdict(list)
    for sequence, data in rows_of(requests):
        lines[str(data["k"])].append((int(sequence), data["step"]))
    assert len(lines) == 5 and sum(len(line) for line in lines.values()) == n + n // 9
    for line in lines.values():
        assert line == sorted(line) and [step for step, _ in zip(sorted({step for _, step in line}), line)] == list(range(1, len({step for _, step in line}) + 1))


def test_without_the_key_there_is_no_order(tenant, receiver):
    target = receiver(answer=lambda _: Reply(500))
    register(tenant, target)
    publish(tenant, {"n": 1}, {"n": 2, "k": None}, {"n": 3, "k": "a"}, {"n": 4, "k": "a"})
    seen = rows_of(target.wait_for(3))
    time.sleep(0.3)
    assert sorted(data["n"] for _, data in seen) == [1, 2, 3] and len(target.requests) == 3
    assert [sequence is None for sequence, data in sorted(seen, key=lambda row: row[1]["n"])] == [True, True, False]


def test_who_was_passed_is_said_and_marked(tenant, receiver):
    target = receiver().script(Reply(500), Reply(200))
    register(tenant, target, ordering={"key": None, "max_wait": "1s"}, retry={"delays": [4], "jitter_percent": 0})
    first, second = publish(tenant, {"n": 1}, {"n": 2})
    one, two = target.wait_for(2)[:2]
    assert one.header("webhook-skipped") is None and int(one.header("webhook-sequence")) < int(two.header("webhook-sequence"))
    assert two.header("webhook-skipped") == one.header("webhook-sequence") and 0.9 < two.mono - one.mono < 3
    (passed,) = tenant.get(f"/v1/deliveries?event={first}").expect(200).json["data"]
    assert eventually(lambda: tenant.get(f"/v1/deliveries/{passed['id']}").json.get("skipped"))
    (other,) = tenant.get(f"/v1/deliveries?event={second}").expect(200).json["data"]
    assert "skipped" not in other
    assert target.wait_for(3)[2].header("webhook-id") == one.header("webhook-id")  # with its own schedule


def test_a_delivery_says_for_whom_it_waits(tenant, receiver):
    target = receiver(answer=lambda _: Reply(503))
    made = register(tenant, target, retry={"delays": ["1h"]})
    publish(tenant, {"k": 1, "n": 0}, {"k": 2, "n": 1}, {"k": 1, "n": 2}, {"k": 1, "n": 3}, {"n": 4})
    target.wait_for(3)

    def tried():
        found = tenant.get(f"/v1/deliveries?endpoint={made['id']}").json["data"][::-1]
        return found if sum(row["attempt_count"] for row in found) == 3 else None

    rows = eventually(tried)
    detail = [tenant.get(f"/v1/deliveries/{row['id']}").expect(200).json for row in rows]
    assert [one.get("waits_for") for one in detail] == [None, None, rows[0]["id"], rows[0]["id"], None]
    tenant.post(f"/v1/deliveries/{rows[0]['id']}/cancel", {}).expect(200, 202, 204)
    eventually(lambda: tenant.get(f"/v1/deliveries/{rows[3]['id']}").json.get("waits_for") == rows[2]["id"])
    assert "waits_for" not in tenant.get(f"/v1/deliveries/{rows[2]['id']}").json


def test_forms_have_no_batches(tenant, receiver):
    made = {"url": receiver().url(), "ordering": {"key": None, "batch": 2}, "body_format": "form"}
    (fault,) = tenant.post("/v1/webhooks", made).expect(422).json["errors"]
    assert fault["pointer"] == "/ordering/batch" and "JSON" in fault["detail"]


def test_a_batch(tenant, receiver):
    """What comes while the first is under way goes in one request, signed as a whole; each delivery has an attempt that says so."""
    gate = threading.Event()
    target = receiver(answer=lambda request: Reply(200) if request.header("webhook-batch") != "1" or gate.wait(20) else Reply(500))
    made = register(tenant, target, ordering={"key": "$.data.k", "batch": 3}, template={"n": {"$": "$.data.n"}})
    publish(tenant, {"k": 1, "n": 0})
    target.wait_for(1)
    ids = publish(tenant, *({"k": 1, "n": n} for n in range(1, 5)))
    gate.set()
    requests = target.wait_for(3)
    lists = [json.loads(request.body) for request in requests]
    assert [[one["body"]["n"] for one in each] for each in lists] == [[0], [1, 2, 3], [4]]
    assert [one["id"] for one in lists[1]] == ids[:3] and requests[2].header("webhook-id") == ids[3]
    assert [request.header("webhook-batch") for request in requests] == ["1", "3", "1"]
    sequences = [one["sequence"] for each in lists for one in each]
    assert sequences == sorted(sequences) and [request.header("webhook-sequence") for request in requests] == [str(each[0]["sequence"]) for each in lists]
    assert requests[1].header("webhook-id").startswith("batch_")
    for request in requests:
        verify(made["secret"], request)
    for at, event in enumerate(ids[:3]):
        (row,) = eventually(lambda e=event: [d for d in tenant.get(f"/v1/deliveries?event={e}").json["data"] if d["status"] == "delivered"])
        (attempt,) = tenant.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"]
        assert attempt["batch"] == [one["sequence"] for one in lists[1]]
        sent = attempt["request"]
        assert json.loads(sent["body"]) == [lists[1][at]] and sent["headers"]["webhook-batch"] == "3"
        assert sent["headers"]["webhook-id"] == requests[1].header("webhook-id") and "Content-Length" not in sent["headers"]
        assert sent["headers"]["webhook-signature"] == requests[1].header("webhook-signature")
    tenant.post(f"/v1/webhooks/{made['id']}/test", {}).expect(200, 202)
    (element,) = json.loads(target.wait_for(4)[3].body)
    assert sorted(element) == ["body", "id"]


def batches_over_kills(running, receiver, kills):
    """kill -9 while lists are under way; what the receiver's journal says is judged: each event of a key is there, and comes for the first
    time after all that were accepted before it."""
    rng = random.Random(kills)

    def answer(_):
        time.sleep(0.03)
        return Reply(200) if rng.random() < 0.9 else Reply(500)

    target = receiver(answer=answer)
    api = lambda: running.api.as_tenant("default")  # noqa: E731, after a start another port
    path = "/v1/webhooks/" + api().post("/v1/webhooks", {"url": target.url(), "ordering": {"key": "$.data.k", "batch": 10}, "max_in_flight": 4,
                                                       "retry": {"delays": [1] * 8, "jitter_percent": 0}}).expect(201).json["id"]
    told = collections.defaultdict(list)
    for part in range(kills + 1):
        for n in range(100 * part, 100 * part + 100, 10):
            keys = [rng.randrange(3) for _ in range(10)]
            publish(api(), *({"k": key, "n": n + at} for at, key in enumerate(keys)))
            for at, key in enumerate(keys):
                told[key].append(n + at)
        if part < kills:
            running.kill()
            running.start()
    assert api().get(path).expect(200).json["ordering"]["batch"] == 10

    def seen():
        lines = collections.defaultdict(list)
        for request in list(target.requests):
            for one in json.loads(request.body):
                lines[one["body"]["data"]["k"]].append((one["sequence"], one["body"]["data"]["n"]))
        return lines

    assert eventually(lambda: {key: set(n for _, n in line) for key, line in seen().items()} == {key: set(line) for key, line in told.items()}, 60)
    for key, line in seen().items():
        first = list(dict.fromkeys(n for _, n in line))
        assert first == told[key], (key, first)
        assert len({sequence for sequence, _ in line}) == len(first)
    assert max(len(json.loads(request.body)) for request in target.requests) > 1


def test_batches_over_kill_9(server, receiver):
    batches_over_kills(server(), receiver, 4)


def test_batches_over_kill_9_on_postgres(server, receiver):
    postgres = Postgres()
    try:
        batches_over_kills(server(flags=["--store", postgres.fresh("batches")]), receiver, 2)
    finally:
        postgres.close()
