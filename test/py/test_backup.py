"""backup and restore: a copy of one moment, judged before anything relies on it."""
from harness.command import tenterhook


def test_a_backup_under_load_restores_to_a_server_that_has_everything(cli, server, receiver, tmp_path):
    target = receiver()
    made = cli("endpoints", "create", target.url(), "--json").json
    for start in range(4):
        cli.api.post("/v1/events/batch", [{"type": "a.b", "id": f"e{start}-{n}", "data": n} for n in range(500)]).expect(202)
    ran = cli("backup", tmp_path / "copy.db", "--data", cli.server.data).expect(0)
    assert "read back whole" in ran.out and "secret.key" in ran.out
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    cli("backup", tmp_path / "copy.db", "--data", cli.server.data).expect(73)
    cli("restore", tmp_path / "copy.db", "--data", cli.server.data).expect(73)
    tenterhook("restore", tmp_path / "copy.db", "--data", tmp_path / "new", "--secret-key-file", cli.server.data / "secret.key").expect(0)
    cli.server.stop()
    again = server(data=tmp_path / "new")
    assert again.api.get("/v1/events/e3-499").expect(200).json["data"] == 499
    secrets_of = again.api.get(f"/v1/webhooks/{made['id']}/secret").expect(200).json
    assert secrets_of["secrets"][0]["secret"] == made["secret"]


def test_restore_takes_only_a_whole_database_of_ours(tmp_path):
    (tmp_path / "noise").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    (tmp_path / "empty").write_bytes(b"")
    for name in ("noise", "empty"):
        tenterhook("restore", tmp_path / name, "--data", tmp_path / "new").expect(65)
    tenterhook("restore", tmp_path / "absent", "--data", tmp_path / "new").expect(66)
    tenterhook("backup", tmp_path / "x", "--data", tmp_path / "absent").expect(66)
    assert not (tmp_path / "new").exists() and not (tmp_path / "x").exists()


def test_a_damaged_database_is_not_called_whole(cli, tmp_path):
    cli.api.post("/v1/events/batch", [{"type": "a.b", "data": "x" * 500} for _ in range(900)]).expect(202)
    cli("backup", tmp_path / "copy.db", "--data", cli.server.data).expect(0)
    data = bytearray((tmp_path / "copy.db").read_bytes())
    page = int.from_bytes(data[16:18], "big") % 65535
    for start in range(2 * page, len(data), page):
        data[start:start + 12] = b"\xff" * 12
    (tmp_path / "bad.db").write_bytes(data)
    assert "damaged" in tenterhook("restore", tmp_path / "bad.db", "--data", tmp_path / "new").expect(65).err
