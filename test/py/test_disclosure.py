"""Cursors and entity tags tell nothing of how many rows the installation has; those of before are still taken."""
import base64


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
