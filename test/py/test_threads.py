"""Several threads, each with its share of the endpoints: to the outside they are one server."""
import json
import os
import signal
import threading
import time
from collections import Counter

from harness.client import Api
from harness.expect import deliveries, eventually, settled
from harness.faults import together
from harness.receiver import Reply
from harness.stream import Reader

THREADS = ["--threads", "4"]
ENDPOINTS = 12


def world(server, receiver):
    running, target = server(flags=THREADS), receiver()
    hooks = [running.api.post("/v1/webhooks", {"url": target.url(f"/e{n}"), "events": [f"on.e{n}", "on.all"]}).expect(201).json["id"]
             for n in range(ENDPOINTS)]
    return running, target, hooks


def names(running):
    folder = f"/proc/{running.process.pid}/task"
    return sorted(open(f"{folder}/{task}/comm", encoding="ascii").read().strip() for task in os.listdir(folder))


def keys_of(requests):
    return Counter((r.target, json.loads(r.body)["data"]["n"]) for r in requests)


def test_events_of_many_publishers_reach_the_endpoints_of_all_threads(server, receiver):
    running, target, _ = world(server, receiver)
    assert [f"shard-{n}" for n in (1, 2, 3)] == [name for name in names(running) if name.startswith("shard-")]

    def publish(worker):
        api = Api(running.port, running.admin_key)  # a connection of its own
        for n in range(60):
            api.post("/v1/events", {"type": "on.all", "data": {"n": worker * 1000 + n}}).expect(202)

    together(publish, range(6), 6)
    eventually(lambda: len(target.requests) >= 6 * 60 * ENDPOINTS, 60, "every delivery")
    seen = keys_of(list(target.requests))
    assert len(seen) == 6 * 60 * ENDPOINTS and set(seen.values()) == {1}
    assert running.stop() == 0


def test_nothing_leaves_under_the_old_settings_once_a_change_is_answered(server, receiver):
    running, target, hooks = world(server, receiver)
    stop = threading.Event()

    def publish(worker):
        api, n = Api(running.port, running.admin_key), 0
        while not stop.is_set():
            api.post("/v1/events", {"type": "on.all", "data": {"n": worker * 100000 + n}}).expect(202)
            n += 1

    publishers = [threading.Thread(target=publish, args=(n,)) for n in range(4)]
    for thread in publishers:
        thread.start()
    try:
        for n, hook in enumerate(hooks):
            eventually(lambda n=n: any(r.target == f"/e{n}" for r in list(target.requests)), 30, "deliveries to each")
            running.api.patch(f"/v1/webhooks/{hook}", {"active": False}).expect(200)
            time.sleep(0.3)  # what was under way has arrived
            before = sum(r.target == f"/e{n}" for r in list(target.requests))
            time.sleep(0.3)
            assert sum(r.target == f"/e{n}" for r in list(target.requests)) == before
    finally:
        stop.set()
        for thread in publishers:
            thread.join()
    assert running.stop() == 0


def test_registered_then_published_is_delivered_whichever_thread_takes_the_event(server, receiver):
    running, target, _ = world(server, receiver)
    publishers = [Api(running.port, running.admin_key) for _ in range(8)]
    for api in publishers:  # known clients, spread over the threads
        for _ in range(20):
            api.post("/v1/events", {"type": "on.nothing", "data": {"n": 0}}).expect(202)
    for n in range(40):
        running.api.post("/v1/webhooks", {"url": target.url(f"/new{n}"), "events": [f"new.n{n}"]}).expect(201)
        answer = publishers[n % 8].post("/v1/events", {"type": f"new.n{n}", "data": {"n": n}}).expect(202).json
        assert answer["deliveries"] == 1, n
    eventually(lambda: len(target.requests) == 40, 30, "one delivery each")
    assert running.stop() == 0


def test_kill_and_start_lose_nothing_also_with_another_number_of_threads(server, receiver):
    running, target = server(flags=THREADS, start=False), receiver(answer=lambda _: Reply(status=503))
    running.start()
    for n in range(ENDPOINTS):
        running.api.post("/v1/webhooks", {"url": target.url(f"/e{n}"), "events": ["on.all"]}).expect(201)
    for n in range(20):
        running.api.post("/v1/events", {"type": "on.all", "data": {"n": n}}).expect(202)
    eventually(lambda: len(target.requests) >= ENDPOINTS, 30, "first attempts")
    running.kill()
    target.answer = lambda _: Reply(status=200)
    running.flags = ["--threads", "3"]
    running.start()
    for hook in running.api.get("/v1/webhooks").expect(200).json["data"]:
        running.api.post(f"/v1/webhooks/{hook['id']}/retry", {}).expect(202)
    delivered = lambda: sum(d["status"] == "delivered" for d in deliveries(running.api))  # noqa: E731
    eventually(lambda: delivered() == 20 * ENDPOINTS, 60, "all delivered")
    assert running.stop() == 0


def test_retries_replays_erasure_and_disabling_find_the_thread_of_the_endpoint(server, receiver):
    fail = [True]
    running, target = server(flags=THREADS), receiver(answer=lambda _: Reply(status=410 if fail[0] else 200))
    api = running.api
    hooks = [api.post("/v1/webhooks", {"url": target.url(f"/e{n}"), "events": ["on.all"]}).expect(201).json["id"] for n in range(8)]

    def at_each(count):
        return Counter(r.target for r in list(target.requests)) == {f"/e{n}": count for n in range(8)}

    event = api.post("/v1/events", {"type": "on.all", "data": {"n": 1}}).expect(202).json["id"]
    settled(api, 8, status="failed")
    assert at_each(1) and all(api.get(f"/v1/webhooks/{hook}").json["disabled"]["reason"] == "gone" for hook in hooks)
    fail[0] = False
    for d in deliveries(api):
        api.post(f"/v1/deliveries/{d['id']}/retry", {}).expect(202)
    settled(api, 8)
    assert at_each(2)
    for hook in hooks:
        api.patch(f"/v1/webhooks/{hook}", {"active": True}).expect(200)
        assert not api.get(f"/v1/webhooks/{hook}").json["disabled"]
        replay = api.post(f"/v1/webhooks/{hook}/replay", {"since": "2020-01-01T00:00:00Z"}).expect(202).json
        assert replay["matched"] == 1
        eventually(lambda replay=replay: api.get(f"/v1/replays/{replay['id']}").json["state"] == "done", 30, "the replay")
    eventually(lambda: at_each(3), 30, "the requests of the replays")
    settled(api, 8)
    for hook in hooks:  # held where it is, so that it is unfinished
        api.patch(f"/v1/webhooks/{hook}", {"active": False}).expect(200)
    held = api.post("/v1/events", {"type": "on.all", "data": {"n": 2}}).expect(202).json["id"]
    settled(api, 8, status="held")
    api.delete(f"/v1/events/{held}").expect(409)
    api.delete(f"/v1/events/{held}?cancel=true").expect(204)
    settled(api, 8, status="cancelled")
    for hook in hooks:
        api.patch(f"/v1/webhooks/{hook}", {"active": True}).expect(200)
        api.post(f"/v1/webhooks/{hook}/test", {}).expect(202)
    eventually(lambda: at_each(4), 30, "the requests of the tests, and none of what was cancelled")
    for hook in hooks:
        api.delete(f"/v1/webhooks/{hook}").expect(204)
    assert len(api.get(f"/v1/events/{event}").expect(200).json["deliveries"]) == 8
    assert running.stop() == 0 and at_each(4)


def test_streams_show_what_all_threads_take_and_deliver(server, receiver):
    """Every event and every attempt once, in the order of the lists, for those that follow from the beginning and for one that comes back."""
    running, _, hooks = world(server, receiver)
    events, attempts, one = (Reader(running.api, f"/v1/{path}") for path in (
        "events/stream", "attempts/stream", f"attempts/stream?endpoint={hooks[5]}"))

    def publish(worker):
        api = Api(running.port, running.admin_key)
        for n in range(30):
            api.post("/v1/events", {"type": "on.all", "data": {"n": worker * 1000 + n}}).expect(202)

    together(publish, range(4), 4)
    events.wait(120)
    attempts.wait(120 * ENDPOINTS, 60)
    assert len({row["id"] for row in events.wait(120)}) == 120
    assert len({(row["delivery"], row["number"]) for row in attempts.seen}) == len(attempts.seen) == 120 * ENDPOINTS
    assert one.wait(120) == [row for row in attempts.seen if row["endpoint"] == hooks[5]]
    late = Reader(running.api, "/v1/events/stream", last_id=events.ids[59])
    assert late.wait(60) == events.seen[60:]
    assert running.stop() == 0
    for reader in (events, attempts, one, late):
        reader.join(20)
        assert not reader.gaps and reader.ends == [{"reason": "stopping"}], (reader.ends, reader.fault)


def test_reload_and_stop_under_load(server, receiver):
    running, target, _ = world(server, receiver)
    accepted, stop = [], threading.Event()

    def publish(worker):
        api, n = Api(running.port, running.admin_key), 0
        while not stop.is_set():
            try:
                answer = api.post("/v1/events", {"type": "on.e1", "data": {"n": worker * 100000 + n}})
            except OSError:
                return
            if answer.status == 202:
                accepted.append(worker * 100000 + n)
            n += 1

    publishers = [threading.Thread(target=publish, args=(n,)) for n in range(4)]
    for thread in publishers:
        thread.start()
    for n in range(1, 4):
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda n=n: running.text().count('"configuration reloaded"') >= n, 30)
    assert running.stop() == 0
    stop.set()
    for thread in publishers:
        thread.join()
    running.start()
    assert len(accepted) > 20, "there was no load"
    wanted = set(accepted)
    eventually(lambda: wanted <= {n for _, n in keys_of(list(target.requests))}, 60, "what was accepted is delivered")
