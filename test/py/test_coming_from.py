"""The program that docs/coming-from.md prints: lists of endpoints as five other products give them become endpoints here.

The answers have the shape of those products' documents of their API: Svix "List Endpoints" (each with the key of "Get Endpoint Secret"),
Convoy "List all subscriptions", Outpost "List Destinations", Hook0 "List subscriptions", WebhookX `webhookx admin dump`.
"""
import json
import re
import subprocess
import sys

import pytest

from harness.server import ROOT

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
URL = "https://example.com/hook"
CASES = {
    "svix": {"data": [{"id": "ep_1", "url": URL, "version": 1, "description": "", "filterTypes": ["user.created"], "channels": ["eu"],
                       "disabled": False, "createdAt": "2026-01-01T00:00:00Z", "key": SECRET},
                      {"id": "ep_2", "url": URL + "/2", "version": 1, "description": "", "filterTypes": None, "channels": None, "key": SECRET}],
             "iterator": "ep_2", "prevIterator": None, "done": True},
    "convoy": {"status": True, "message": "Subscriptions fetched successfully", "data": {"content": [
        {"uid": "sub_1", "name": "theirs", "type": "api", "filter_config": {"event_types": ["user.created"], "filter": {}},
         "endpoint_metadata": {"uid": "end_1", "url": URL, "secrets": [{"value": "whsec_old" + "A" * 40}, {"value": SECRET}]}},
        {"uid": "sub_2", "name": "all", "type": "api", "filter_config": {"event_types": ["*"]},
         "endpoint_metadata": {"uid": "end_2", "url": URL + "/2", "secrets": [{"value": SECRET}]}}],
        "pagination": {"per_page": 20, "has_next_page": False, "has_prev_page": False, "next_page_cursor": ""}}},
    "outpost": [{"id": "des_1", "type": "webhook", "topics": ["user.created"], "config": {"url": URL}, "credentials": {"secret": SECRET}},
                {"id": "des_2", "type": "webhook", "topics": "*", "config": {"url": URL + "/2"}, "credentials": {"secret": SECRET}},
                {"id": "des_3", "type": "aws_sqs", "topics": ["*"], "config": {"queue_url": "https://sqs"}, "credentials": {}}],
    "hook0": [{"subscription_id": "1", "is_enabled": True, "event_types": ["user.created"], "description": "theirs", "secret": SECRET,
               "metadata": {}, "target": {"type": "http", "method": "POST", "url": URL, "headers": {}}},
              {"subscription_id": "2", "is_enabled": True, "event_types": [], "description": None, "secret": SECRET, "metadata": {},
               "target": {"type": "http", "method": "POST", "url": URL + "/2", "headers": {}}}],
    "webhookx": {"endpoints": [
        {"id": "1", "name": "theirs", "enabled": True, "request": {"url": URL, "method": "POST", "headers": {}}, "events": ["user.created"],
         "plugins": [{"name": "webhookx-signature", "enabled": True, "config": {"signing_secret": SECRET}}]},
        {"id": "2", "name": None, "enabled": True, "request": {"url": URL + "/2", "method": "POST"}, "events": ["*"], "plugins": []}], "sources": []},
}


@pytest.fixture(scope="module")
def move(tmp_path_factory):
    text = (ROOT / "docs" / "coming-from.md").read_text()
    program = tmp_path_factory.mktemp("move") / "move.py"
    program.write_text(re.search(r"cat > move\.py <<'EOF'\n(.*?)\nEOF\n", text, re.S)[1])

    def run(product, answer):
        return subprocess.run([sys.executable, program, product], input=json.dumps(answer), capture_output=True, text=True, check=False)
    return run


@pytest.mark.parametrize("product", CASES)
def test_their_list_becomes_endpoints(tenant, move, product):
    ran = move(product, CASES[product])
    assert ran.returncode == 0 and not ran.stderr, ran.stderr
    made = [tenant.post("/v1/webhooks", json.loads(line)).expect(201).json for line in ran.stdout.splitlines()]
    found = {row["url"]: row for row in tenant.get("/v1/webhooks").expect(200).json["data"]}
    assert len(made) == 2 and found[URL]["events"] == ["user.created"] and found[URL + "/2"]["events"] == []
    assert not found[URL]["active"] and not found[URL + "/2"]["active"]
    assert made[0]["url"] == URL and made[0]["secret"] == SECRET
    if product == "svix":
        assert found[URL]["channels"] == ["eu"]


@pytest.mark.parametrize("product", CASES)
def test_an_empty_list_is_no_endpoint(move, product):
    empty = {"svix": {"data": [], "done": True}, "convoy": {"data": {"content": [], "pagination": {}}}, "webhookx": {"endpoints": []}}
    ran = move(product, empty.get(product, []))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_what_is_wrong_is_said(move):
    assert "svix|convoy" in move("other", []).stderr
    assert "no list" in move("svix", {"detail": "not found"}).stderr
    ran = move("hook0", [{"target": {"url": URL}, "event_types": []}])
    assert ran.returncode == 1 and "number 1" in ran.stderr and "secret" in ran.stderr
    assert "not the last page" in move("svix", CASES["svix"] | {"done": False}).stderr
    more = {"data": CASES["convoy"]["data"] | {"pagination": {"has_next_page": True}}}
    assert "not the last page" in move("convoy", more).stderr
