"""What an endpoint costs in memory, and that those whose texts are only in the store are as all others."""
import json
import random
import string

import pytest

from harness.expect import eventually
from harness.receiver import Reply

LETTERS = string.ascii_letters + string.digits
MOST = 16  # KiB of an endpoint with everything maximal


def text(dice, n):
    """Nothing that could be compressed."""
    return "".join(dice.choices(LETTERS, k=n))


def maximal(dice, url="http://127.0.0.1:9999", **more):
    """The most of everything that the defaults allow."""
    return {"url": (url + "/" + text(dice, 2048))[:2048], "headers": {f"X-{i:02}": text(dice, 8192 // 32 - 4) for i in range(32)},
            "events": [f"e{i:03}." + text(dice, 123) for i in range(254)] + ["some.*", "*.last"],
            "description": text(dice, 4096), "metadata": {f"m{i:02}": text(dice, 1000) for i in range(16)}, **more}


def resident_kib(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


@pytest.mark.release
def test_a_maximal_endpoint_costs_16_kib(server):
    """Between 100 and 500 of them, each time after a start: what is measured is what they keep."""
    made, dice, kib = server(), random.Random(1), []
    for count in (100, 400):
        for _ in range(count):
            made.api.post("/v1/webhooks", maximal(dice, active=False)).expect(201)
        made.stop()
        made.start()
        eventually(lambda: made.api.get("/readyz").status == 200)
        kib.append(resident_kib(made))
    assert (kib[1] - kib[0]) / 400 <= MOST, kib


def shown(answer):
    return {name: value for name, value in answer.json.items() if name != "updated_at"}


def test_texts_come_back_from_the_store(server):
    """Shown, listed, changed member by member, exported and after a start: always what was set."""
    made, dice = server(), random.Random(2)
    spec = maximal(dice, active=False)
    first = made.api.post("/v1/webhooks", spec).expect(201)
    path = f"/v1/webhooks/{first.json['id']}"
    small = made.api.post("/v1/webhooks", {"url": "http://127.0.0.1:9999/", "active": False, "events": ["a.b"]}).expect(201).json

    def check():
        answer = made.api.get(path).expect(200)
        assert {name: answer.json[name] for name in spec} == spec
        rows = {row["id"]: row for row in made.api.get("/v1/webhooks").expect(200).json["data"]}
        assert rows[first.json["id"]] == answer.json and rows[small["id"]]["events"] == ["a.b"]
        return answer

    check()
    for change in ({"active": True}, {"description": "short"}, {"metadata": {"m00": None}}, {"metadata": {"m00": "again"}},
                   {"headers": {"X-00": None}}, {"events": spec["events"][1:]}, {"timeout_seconds": 7}, {"url": "http://127.0.0.1:9998/"}):
        for name, value in change.items():
            if isinstance(value, dict):
                spec[name] = {key: inner for key, inner in {**spec[name], **value}.items() if inner is not None}
            else:
                spec[name] = value
        assert shown(made.api.patch(path, change).expect(200)).items() >= spec.items()
        check()
    before = shown(check())
    made.api.post(path + "/rotate-secret", {}).expect(200)
    for end in ("stop", "kill"):
        getattr(made, end)()
        made.start()
        assert shown(check()) == before
    made.api.patch(path, {"events": ["a.b"], "description": None, "metadata": None, "headers": None}).expect(200)
    assert made.api.get(path).json.items() >= {"events": ["a.b"], "description": None, "metadata": {}, "headers": {}}.items()


def test_changes_that_the_engine_makes_keep_the_texts(server, receiver):
    """410 disables the endpoint: what it was set to is stored anew, and is all there."""
    made, dice, target = server(), random.Random(3), receiver(lambda request: Reply(410))
    spec = maximal(dice, target.url(), active=True)
    path = "/v1/webhooks/" + made.api.post("/v1/webhooks", spec).expect(201).json["id"]
    made.api.post("/v1/events", {"type": spec["events"][7], "data": {}}).expect(202)
    eventually(lambda: made.api.get(path).json["disabled"])
    for _ in range(2):
        answer = made.api.get(path).json
        assert answer["disabled"]["reason"] == "gone" and {name: answer[name] for name in spec} == spec
        made.kill()
        made.start()


def test_types_are_matched_without_their_texts(server, receiver):
    made, dice = server(), random.Random(4)
    target = receiver(lambda request: Reply(200, body=json.dumps(dict(request.headers)).encode()))
    spec = maximal(dice, target.url())
    path = "/v1/webhooks/" + made.api.post("/v1/webhooks", spec).expect(201).json["id"]
    wanted = [spec["events"][0], spec["events"][253], "some.x", "some.x.y", "x.last", "a.b.last"]
    others = [spec["events"][0][:-1], spec["events"][0][:-1] + "_", "some", "somex.y", "last", "x.last.y", "xlast", "e000"]
    for times in (1, 2):
        for name in wanted + others:
            made.api.post("/v1/events", {"type": name, "data": {"type": name}}).expect(202)
        target.wait_for(times * len(wanted))
        eventually(lambda: [row["status"] for row in made.api.get(path + "/deliveries").json["data"]]
                   == ["delivered"] * times * len(wanted))
        got = target.requests[-len(wanted):]
        assert len(target.requests) == times * len(wanted)
        assert sorted(json.loads(request.body)["type"] for request in got) == sorted(wanted)
        assert all(request.header(name) == value for request in got for name, value in spec["headers"].items())
        made.kill()
        made.start()
    answer = made.api.get(path + "/deliveries").json["data"][0]
    attempts = json.dumps(made.api.get(f"/v1/deliveries/{answer['id']}").expect(200).json["attempts"])
    assert not any(value in attempts for value in spec["headers"].values())  # the answer repeats them
    assert '\\"X-31\\": \\"***' in attempts
