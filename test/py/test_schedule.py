"""When a delivery is tried again, when an event is sent first and until when: what endpoints and publishers may say about it."""
import json
import time

import pytest

from harness.client import Api
from harness.expect import eventually, problem, settled
from harness.receiver import Reply


@pytest.fixture
def sink(receiver):
    return receiver()


def register(api, target, **more):
    return api.post("/v1/webhooks", {"url": target.url(), **more}).expect(201).json


def publish(api, type="order.created", **more):
    return api.post("/v1/events", {"type": type, "data": {"n": 1}, **more}).expect(202).json


def fault(answer, pointer):
    """The text of the one fault, which has this pointer."""
    errors = problem(answer, 422)["errors"]
    assert [e["pointer"] for e in errors] == [pointer]
    return errors[0]["detail"]


def only_delivery(api, event):
    (row,) = api.get(f"/v1/events/{event['id']}").expect(200).json["deliveries"]
    return api.get(f"/v1/deliveries/{row['id']}").expect(200).json


# ---- an endpoint's own schedule ----

def test_an_endpoint_has_its_own_schedule(tenant, receiver):
    sink = receiver(answer=lambda request: Reply(503))
    made = register(tenant, sink, retry={"delays": [1, "1m", "2h"], "jitter_percent": 0})
    assert made["retry"] == {"delays": [1, 60, 7200], "jitter_percent": 0}
    assert "retry" not in register(tenant, sink, active=False, events=["other"])
    event = publish(tenant)
    eventually(lambda: only_delivery(tenant, event)["attempt_count"] == 2 or None)
    shown = only_delivery(tenant, event)
    assert shown["schedule"] == {"delays": [1, 60, 7200], "jitter_percent": 0, "final": [], "respect_retry_after": True}
    assert shown["tries"] == 2 and shown["status"] == "retrying" and shown["next_attempt_at"]
    first, second = [request.mono for request in sink.requests]
    assert 0.95 <= second - first < 3
    path = f"/v1/webhooks/{made['id']}"
    # RFC 7396: member by member; null takes one back
    changed = tenant.patch(path, {"retry": {"final": ["4xx", 500], "jitter_percent": None}}).expect(200).json
    assert changed["retry"] == {"delays": [1, 60, 7200], "final": ["4xx", "500"]}
    assert "retry" not in tenant.patch(path, {"retry": None}).expect(200).json
    assert "schedule" not in only_delivery(tenant, event)


@pytest.mark.parametrize("retry, pointer, words", [
    ({"delays": [5, 0]}, "/retry/delays/1", "from 1 to 31536000"),
    ({"delays": "5"}, "/retry/delays", "list"),
    ({"delays": [1] * 33}, "/retry/delays", "32"),
    ({"delays": ["31d", "1d"]}, "/retry/delays", "2592000"),
    ({"final": ["4xx", "2xx"]}, "/retry/final/1", "delivered"),
    ({"final": ["9xx"]}, "/retry/final/0", "400-499"),
    ({"jitter_percent": 101}, "/retry/jitter_percent", "0 to 100"),
    ({"respect_retry_after": "yes"}, "/retry/respect_retry_after", "true or false"),
    ({"delay": [5]}, "/retry", "respect_retry_after"),
    ([5], "/retry", "object"),
])
def test_a_schedule_that_is_not_allowed_says_where(tenant, sink, retry, pointer, words):
    assert words in fault(tenant.post("/v1/webhooks", {"url": sink.url(), "retry": retry}), pointer)


def test_a_dialect_that_fixes_its_schedule_says_so(shared, sink):
    shared.api.put("/v1/tenants/fixed", {"dialect": "stripe"})
    api = shared.api.as_tenant("fixed")
    assert "contract" in problem(api.post("/v1/webhooks", {"url": sink.url(), "events": ["charge.succeeded"], "retry": {"delays": [5]}},
                                          headers={"Tenterhook-Form": "native"}), 422)["errors"][-1]["detail"]


def test_a_schedule_on_the_command_line_moves_with_its_endpoint(cli, tmp_path):
    made = cli("endpoints", "create", "https://example.com/hook", "--retry", '{"delays": ["5m"]}', "--json").expect(0).json
    assert made["retry"] == {"delays": [300]}
    assert "2592000" in cli("endpoints", "update", made["id"], "--retry", '{"delays": ["300d"]}').expect(1).err
    assert "JSON" in cli("endpoints", "update", made["id"], "--retry", "5m").expect(64).err
    file = tmp_path / "t.yaml"
    cli("export", "--to", file).expect(0)
    cli("endpoints", "update", made["id"], "--retry", "null").expect(0)
    cli("import", file).expect(0)
    assert cli("endpoints", "show", made["id"], "--json").expect(0).json["retry"] == {"delays": [300]}
