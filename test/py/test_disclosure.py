"""Cursors, entity tags and integer ids tell nothing of how many rows the installation has; those of before are still taken."""
import base64
import contextlib
import sqlite3

from harness import forms
from harness.command import tenterhook
from harness.expect import eventually
from harness.receiver import Reply


def unpacked(cursor):
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    return raw[0], int.from_bytes(raw[1:9], "big"), raw[9:]


def packed(version, number, rest):
    return base64.urlsafe_b64encode(bytes([version]) + number.to_bytes(8, "big") + rest).rstrip(b"=").decode()


def test_cursors_hide_their_number(api):
    for i in range(6):
        api.put(f"/v1/tenants/t{i}", {"name": "t"}).expect(201)
    rows = api.pages("/v1/tenants", 1)
    assert len(rows) == len({row["id"] for row in rows}) == 8
    cursors, cursor = [], api.get("/v1/tenants?limit=1").json["next_cursor"]
    while cursor:
        cursors.append(unpacked(cursor))
        cursor = api.get(f"/v1/tenants?limit=1&cursor={cursor}").json["next_cursor"]
    numbers = [number for _, number, _ in cursors]
    assert len(set(numbers)) == 7 and min(numbers) > 1 << 40
    gaps = {abs(a - b) for a, b in zip(numbers, numbers[1:])}
    assert len(gaps) == len(numbers) - 1 and min(gaps) > 1 << 32  # neighbours do not look like it
    # before: version 1 and the number itself, here "below the fourth tenant"
    old = api.get(f"/v1/tenants?limit=1&cursor={packed(1, 4, cursors[0][2])}").expect(200).json
    assert old["data"] == [rows[-3]]
    api.get(f"/v1/tenants?limit=1&cursor={packed(3, 4, cursors[0][2])}").expect(400)
    api.get(f"/v1/tenants?limit=1&cursor={packed(1, 4, b'x' * 8)}").expect(400)


def test_entity_tags_hide_their_number(api):
    made = api.post("/v1/webhooks", {"url": "http://127.0.0.1:9999/"}).expect(201)
    path, tag = f"/v1/webhooks/{made.json['id']}", made.header("ETag")
    other = api.post("/v1/webhooks", {"url": "http://127.0.0.1:9999/"}).expect(201).header("ETag")
    assert len(tag) == len(other) == 18 and "-" not in tag
    assert abs(int(tag.strip('"'), 16) - int(other.strip('"'), 16)) > 1 << 32
    for known in (tag, '"1-1"'):  # the first endpoint, unchanged, as it was tagged before
        api.get(path, headers={"If-None-Match": known}).expect(304)
    for known in (tag.replace('"', ""), '"1-2"', '"2-1"', other):
        api.get(path, headers={"If-None-Match": known}).expect(200)
    api.patch(path, {"description": "x"}, headers={"If-Match": '"2-1"'}).expect(412)
    changed = api.patch(path, {"description": "x"}, headers={"If-Match": '"1-1"'}).expect(200).header("ETag")
    assert changed not in (tag, other)
    api.patch(path, {"description": "y"}, headers={"If-Match": tag}).expect(412)
    api.patch(path, {"description": "y"}, headers={"If-Match": changed}).expect(200)


# ---- integer ids ----

DATA = {"eventType": "note.created", "requestToken": "tok1", "timestamp": "2026-01-01T00:00:00Z"}


def number(text):
    return int(str(text).rpartition("_")[2])


def integers(server, target, count):
    """What two dialects with integer ids show of `count` more endpoints, and of a delivery to each: ids by kind."""
    server.api.put("/v1/tenants/a", {"name": "a", "dialect": "taskboard"}).expect(200, 201)
    server.api.put("/v1/tenants/b", {"name": "b", "dialect": "tsanet"}).expect(200, 201)
    for _ in range(count):
        server.api.as_tenant("a").post("/v1/webhooks", {"url": target.url(), "events": ["task.created"]}).expect(201)
        server.api.as_tenant("b").post("/v1/webhooks", {"callbackUrl": target.url()}).expect(200)
    server.api.as_tenant("a").post("/v1/events", {"type": "task.created", "data": {"id": "task_1"}}).expect(202)
    server.api.as_tenant("b").post("/v1/events", {"type": "note.created", "data": DATA}).expect(202)
    return shown(server)


def rows(answer):
    return answer if isinstance(answer, list) else next(answer[name] for name in ("data", "content", "webhooks") if name in answer)


def shown(server):
    found = {}
    for tenant in "ab":
        api = server.api.as_tenant(tenant)

        def all_ended():
            listed = api.get("/v1/deliveries?limit=1000").expect(200).json["data"]
            return listed if all(row["status"] == "delivered" for row in listed) else None

        hooks = rows(api.get("/v1/webhooks").expect(200).json)
        deliveries = eventually(all_ended)
        found[tenant] = {"endpoint": [hook["id"] for hook in hooks], "delivery": [row["id"] for row in deliveries]}
        if tenant == "b":
            log = [rows(api.get(f"/v1/webhooks/{hook['id']}/deliveries?size=100").expect(200).json) for hook in hooks]
            found[tenant]["attempt"] = [row["id"] for part in log for row in part]
    return found


def every_id_leads_back(server, found):
    for tenant, kinds in found.items():
        api = server.api.as_tenant(tenant)
        for known in kinds["endpoint"]:
            if tenant == "a":
                api.get(f"/v1/webhooks/{known}").expect(200)
            else:
                api.get(f"/v1/webhooks/{known}/deliveries").expect(200)
        for known in kinds["delivery"]:
            assert api.get(f"/v1/deliveries/{known}").expect(200).json["id"] == known


def test_new_integers_hide_their_number(server, receiver):
    running, target = server(), receiver(lambda _: Reply(200))
    found = integers(running, target, 4)
    numbers = [[number(known) for known in ids] for kinds in found.values() for ids in kinds.values()]
    for kind in numbers:
        assert len(kind) == len(set(kind)) == 4 and 0 < min(kind) and max(kind) < 1 << 53
        assert min(abs(a - b) for a in kind for b in kind if a != b) > 1 << 20  # neighbours do not look like it
    assert min(min(kind) for kind in numbers) > 1 << 20
    every_id_leads_back(running, found)
    wire = {request.header("X-Webhook-ID") for request in target.requests} - {None}
    assert wire == set(found["a"]["endpoint"])
    # what the store calls it is no id
    for no in range(1, 9):
        running.api.as_tenant("a").get(f"/v1/webhooks/webhook_{no}").expect(404)
    running.kill()
    running.start()
    assert shown(running) == found


def test_integers_of_before_stay(server, receiver, tmp_path):
    """A store of the form before this: its ids are its numbers, and stay; what comes later is masked, and backups keep both."""
    running, target = server(), receiver(lambda _: Reply(200))
    integers(running, target, 3)
    running.stop()
    with contextlib.closing(sqlite3.connect(running.data / "tenterhook.db")) as db:
        db.executescript(forms.TO_5)
        stored = {kind: [no for (no,) in db.execute(f"select no from {kind}")] for kind in ("endpoint", "delivery", "attempt")}
    running.start()
    old = shown(running)
    for kind, numbers in stored.items():
        assert {number(known) for kinds in old.values() for known in kinds.get(kind, ())} <= set(numbers)
    assert sorted(number(known) for kinds in old.values() for known in kinds["endpoint"]) == sorted(stored["endpoint"])
    every_id_leads_back(running, old)
    found = integers(running, target, 2)
    for tenant, kinds in found.items():
        for kind, ids in kinds.items():
            assert set(old[tenant][kind]) < set(ids) and len(set(ids)) == len(ids)
            fresh = [number(known) for known in set(ids) - set(old[tenant][kind])]
            assert min(fresh) > max(stored[kind]) and min(abs(no - max(stored[kind])) for no in fresh) > 1 << 20
    every_id_leads_back(running, found)
    tenterhook("backup", tmp_path / "copy.db", "--data", running.data).expect(0)
    running.kill()
    running.start()
    assert shown(running) == found
    running.stop()
    tenterhook("restore", tmp_path / "copy.db", "--data", tmp_path / "new", "--secret-key-file", running.data / "secret.key").expect(0)
    restored = server(data=tmp_path / "new")
    assert shown(restored) == found
    every_id_leads_back(restored, found)
