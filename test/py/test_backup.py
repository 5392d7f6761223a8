"""backup and restore: a copy of one moment, on the disk before it is called done, judged before it is put in place."""
import functools
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess

import pytest

from harness.command import KEY, tenterhook
from harness.expect import eventually
from harness.receiver import Receiver
from harness.server import Server, binary_path, clean_env


def fill(cli, target):
    """An event delivered twice, so that its attempts hang together, and one that waits."""
    made = cli("endpoints", "create", target.url(), "--header", "X-A=1", "--event", "a.*", "--json").expect(0).json
    cli("send", "a.b", "--id", "own-1", "--wait").expect(0)
    cli("deliveries", "retry", cli("deliveries", "--json").json["data"][0]["id"]).expect(0)
    eventually(lambda: cli("deliveries", "--json").json["data"][0]["attempt_count"] == 2)
    cli("endpoints", "pause", made["id"]).expect(0)
    cli("send", "a.b").expect(0)


@pytest.fixture
def filled(cli, receiver):
    fill(cli, receiver())
    return cli


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A folder with the backup of such a server, and its key."""
    folder = tmp_path_factory.mktemp("original")
    with Server(folder / "data") as server, Receiver() as target:
        env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{server.port}", "TENTERHOOK_KEY": KEY}
        fill(functools.partial(tenterhook, env=env), target)
        tenterhook("backup", folder / "copy.db", "--data", folder / "data").expect(0)
    return folder


@pytest.fixture
def copy(original, tmp_path):
    """(backup file, key file), to be changed."""
    (tmp_path / "from").mkdir()
    return pathlib.Path(shutil.copy(original / "copy.db", tmp_path / "from")), original / "data" / "secret.key"


def refused(copy, tmp_path, status, *args):
    """restore refuses with this status, and has written nothing; gives what it said."""
    before = sorted(path.name for path in copy.parent.iterdir())
    ran = tenterhook("restore", copy, "--data", tmp_path / "new", *args).expect(status)
    assert not (tmp_path / "new").exists()
    assert sorted(path.name for path in copy.parent.iterdir()) == before, "files beside the backup"
    return ran.err


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
    key = cli.server.data / "secret.key"
    ran = tenterhook("restore", tmp_path / "copy.db", "--data", tmp_path / "new", "--secret-key-file", key).expect(0)
    assert "opens what is encrypted" in ran.out
    cli.server.stop()
    again = server(data=tmp_path / "new")
    assert again.api.get("/v1/events/e3-499").expect(200).json["data"] == 499
    secrets_of = again.api.get(f"/v1/webhooks/{made['id']}/secret").expect(200).json
    assert secrets_of["secrets"][0]["secret"] == made["secret"]


def test_a_backup_names_the_key_that_it_needs(server, tmp_path):
    """The directory's own, the one of the environment, or one that only the server has been given (a credential)."""
    for given, known in ((False, False), (True, True), (True, False)):
        env = {"TENTERHOOK_SECRET_KEY": "secret-of-this-test-0123456789"} if given else {}
        running = server(env=env)
        said = tenterhook("backup", tmp_path / f"{given}{known}.db", "--data", running.data, env=env if known else {}).expect(0).out
        assert ("TENTERHOOK_SECRET_KEY" if known else "the one that is given to the server" if given
                else f"{running.data}/secret.key") in said, said
        running.stop()


def traced(trace, *command):
    """The system calls that make a command's files durable, in order: (name, text). Each file stands as <path> in the text."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    calls = "openat,close,fsync,fdatasync,rename,renameat2,write,pwrite64,ftruncate"
    subprocess.run(["strace", "-f", "-y", "-o", trace, "-e", f"trace={calls}", binary_path(), *command], env=clean_env(), check=True,
                   capture_output=True)
    found = re.findall(r"^(?:\d+ +)?(\w+)\((.*)$", trace.read_text(), re.M)
    return [("sync" if name in ("fsync", "fdatasync") else name, text) for name, text in found]


def last(steps, names, text):
    found = [i for i, (name, line) in enumerate(steps) if name in names and text in line]
    assert found, f"no {names} of {text}"
    return found[-1]


@pytest.mark.release
def test_a_backup_is_on_the_disk_before_it_is_called_done(cli, tmp_path):
    """The order of system calls: SQLite has closed the copy, the copy is synced, gets its name, and its folder is synced; then
    it is said. SQLite's own syncs come before its last writes or before its close, and do not count."""
    steps = traced(tmp_path / "trace", "backup", tmp_path / "copy.db", "--data", cli.server.data)
    part = f"<{tmp_path}/copy.db.part>"
    written = last(steps, ("write", "pwrite64", "ftruncate"), part)
    closed = next(i for i, (name, text) in enumerate(steps) if name == "close" and part in text and i > written)
    synced = next((i for i, (name, text) in enumerate(steps) if name == "sync" and part in text and i > closed), None)
    named = next(i for i, (name, text) in enumerate(steps) if name.startswith("rename") and "copy.db" in text)
    assert synced is not None and synced < named, "the copy is not synced after SQLite has closed it"
    folder = next((i for i, (name, text) in enumerate(steps) if name == "sync" and f"<{tmp_path}>" in text and i > named), None)
    assert folder is not None, "the folder is not synced after the rename"
    said = next(i for i, (name, text) in enumerate(steps) if name == "write" and text.startswith("1<"))
    assert folder < said


@pytest.mark.release
def test_a_restored_database_is_on_the_disk_before_it_is_called_done(cli, tmp_path):
    cli("backup", tmp_path / "copy.db", "--data", cli.server.data).expect(0)
    (tmp_path / "new").mkdir(mode=0o700)
    steps = traced(tmp_path / "trace", "restore", tmp_path / "copy.db", "--data", tmp_path / "new", "--secret-key-file",
                   cli.server.data / "secret.key")
    named = last(steps, ("rename", "renameat2"), "tenterhook.db")
    text = steps[named][1]
    part = re.search(r'"([^"]+)"', text)[1]
    written = last(steps[:named], ("write", "pwrite64", "ftruncate"), f"<{part}>")
    assert any(name == "sync" and f"<{part}>" in line for name, line in steps[written:named]), "the database is not synced"
    folder = next((i for i, (name, line) in enumerate(steps) if name == "sync" and f"<{tmp_path}/new>" in line and i > named), None)
    assert folder is not None, "the folder is not synced after the rename"
    assert folder < last(steps, ("write",), "1<")


def test_restore_takes_only_a_whole_database_of_ours(tmp_path):
    folder = tmp_path / "from"
    folder.mkdir()
    (folder / "noise").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    (folder / "empty").write_bytes(b"")
    with sqlite3.connect(folder / "other") as other:
        other.execute("CREATE TABLE x(y)")
    for name in ("noise", "empty", "other"):
        assert "nothing was written" in refused(folder / name, tmp_path, 65)
    refused(folder / "absent", tmp_path, 66)
    refused(folder, tmp_path, 66)
    tenterhook("backup", tmp_path / "x", "--data", tmp_path / "absent").expect(66)
    assert not (tmp_path / "x").exists()


def test_a_damaged_database_is_not_called_whole(cli, tmp_path):
    cli.api.post("/v1/events/batch", [{"type": "a.b", "data": "x" * 500} for _ in range(900)]).expect(202)
    cli("backup", tmp_path / "copy.db", "--data", cli.server.data).expect(0)
    data = bytearray((tmp_path / "copy.db").read_bytes())
    page = int.from_bytes(data[16:18], "big") % 65535
    for start in range(2 * page, len(data), page):
        data[start:start + 12] = b"\xff" * 12
    (tmp_path / "bad.db").write_bytes(data)
    assert "damaged" in refused(tmp_path / "bad.db", tmp_path, 65)


@pytest.mark.parametrize("change, word", [
    ("PRAGMA user_version=99", "newer version"),
    ("PRAGMA user_version=0", "no layout"),
    ("PRAGMA application_id=1", "no database of Tenterhook"),
    ("DROP TABLE fact", "table fact is missing"),
    ("ALTER TABLE fact ADD COLUMN more", "table fact is another one"),
    ("CREATE TRIGGER t AFTER DELETE ON event BEGIN DELETE FROM queue; END", "trigger t does not belong there"),
    ("DROP INDEX tenant_id", "index tenant_id is missing"),
    ("INSERT INTO queue SELECT no,event,endpoint,0,0,0,0,0 FROM delivery", "both waits and has ended"),
    ("DELETE FROM event WHERE external_id IS NULL", "no event has the waiting delivery"),
    ("UPDATE event SET n=0 WHERE external_id='own-1'", "no event has the ended delivery"),
    ("DELETE FROM attempt WHERE prev<>0", "the last attempt is missing"),
    ("DELETE FROM attempt WHERE prev=0", "the attempt before is missing"),
    ("UPDATE event SET tenant=77", "events name a tenant"),
    ("UPDATE delivery SET endpoint=77", "ended deliveries name an endpoint"),
    ("DELETE FROM endpoint", "an endpoint that is not there"),
    ("UPDATE own SET event=1", "own id names an event"),
    ("UPDATE secret SET endpoint=77", "secrets name an endpoint"),
    ("UPDATE meta SET v=x'0000000000000001' WHERE k='last_tenant'", "the number that was given last is below that of tenant 2"),
    ("DELETE FROM meta WHERE k='last_endpoint'", "the number that was given last is below that of endpoint 1"),
    ("INSERT INTO counter(k,v) VALUES('sealed.event',9000000000000000)", "lists reach beyond the newest event"),
])
def test_restore_refuses_what_does_not_fit_together(copy, tmp_path, change, word):
    with sqlite3.connect(copy[0]) as db:
        assert db.execute(change).rowcount != 0, "the change changes nothing"
    db.close()
    said = refused(copy[0], tmp_path, 65, "--secret-key-file", copy[1])
    assert word in said and "nothing was written" in said


def test_a_backup_of_rows_that_do_not_fit_is_kept_and_said(filled, tmp_path):
    filled.server.stop()
    with sqlite3.connect(filled.server.data / "tenterhook.db") as db:
        db.execute("DELETE FROM attempt WHERE prev=0")
    db.close()
    ran = filled("backup", tmp_path / "copy.db", "--data", filled.server.data).expect(65)
    assert "restore will refuse it" in ran.err and (tmp_path / "copy.db").exists()
    ran = filled("doctor", "--json", "--data", filled.server.data).expect(1)
    assert "do not fit together" in ran.out


# ---- the key ----

def test_a_key_that_opens_nothing_is_refused(copy, server, tmp_path):
    other = server()
    assert "not the one that encrypted" in refused(copy[0], tmp_path, 77, "--secret-key-file", other.data / "secret.key")
    (tmp_path / "short.key").write_text("short\n")
    assert "damaged" in refused(copy[0], tmp_path, 66, "--secret-key-file", tmp_path / "short.key")
    refused(copy[0], tmp_path, 66, "--secret-key-file", tmp_path / "absent.key")


def test_a_key_in_the_environment_or_the_directory_is_tried_too(copy, tmp_path):
    ran = tenterhook("restore", copy[0], "--data", tmp_path / "new", env={"TENTERHOOK_SECRET_KEY": "0123456789abcdef-other"}).expect(77)
    assert "not the one" in ran.err and not (tmp_path / "new").exists()
    (tmp_path / "there").mkdir(mode=0o700)
    (tmp_path / "there" / "secret.key").write_text("ab" * 32 + "\n")
    (tmp_path / "there" / "secret.key").chmod(0o600)
    tenterhook("restore", copy[0], "--data", tmp_path / "there").expect(77)
    tenterhook("restore", copy[0], "--data", tmp_path / "there", "--secret-key-file", copy[1]).expect(73)
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["secret.key"]
    shutil.copy(copy[1], tmp_path / "there" / "secret.key")  # as a restore that was cut short leaves it
    tenterhook("restore", copy[0], "--data", tmp_path / "there", "--secret-key-file", copy[1]).expect(0)


def test_without_a_key_it_says_that_one_is_needed(copy, tmp_path):
    ran = tenterhook("restore", copy[0], "--data", tmp_path / "new").expect(0)
    assert "old server's key" in ran.out
    assert tenterhook("restore", copy[0], "--data", tmp_path / "new2", "--json").expect(0).json["key"] is False


@pytest.mark.parametrize("change", [
    "UPDATE secret SET sealed=zeroblob(60)",
    "UPDATE endpoint SET conf=replace(conf, '\"headers_sealed\":\"', '\"headers_sealed\":\"AAAA')",
])
def test_sealed_values_that_were_changed_are_refused(copy, tmp_path, change):
    with sqlite3.connect(copy[0]) as db:
        assert db.execute(change).rowcount == 1
    db.close()
    assert "1 of 2 encrypted values" in refused(copy[0], tmp_path, 65, "--secret-key-file", copy[1])


def test_a_change_of_keys_that_had_not_ended_needs_both(copy, server, tmp_path):
    """As a backup finds it that is made while secrets are being encrypted with the new key."""
    first = copy[1].read_text()
    other = server()
    with sqlite3.connect(copy[0]) as db, sqlite3.connect(other.data / "tenterhook.db") as theirs:
        proof, = theirs.execute("SELECT v FROM meta WHERE k='key_proof'").fetchone()
        db.execute("INSERT INTO meta SELECT 'key_proof_old', v FROM meta WHERE k='key_proof'")
        db.execute("UPDATE meta SET v=? WHERE k='key_proof'", [proof])
    db.close()
    new_key = other.data / "secret.key"
    assert "earlier key" in refused(copy[0], tmp_path, 77, "--secret-key-file", new_key)
    tenterhook("restore", copy[0], "--data", tmp_path / "new", "--secret-key-file", new_key,
               env={"TENTERHOOK_SECRET_KEY_OLD": first.strip()}).expect(0)


# ---- the place ----

def test_logs_of_other_databases_are_in_the_way(copy, filled, tmp_path):
    """SQLite would take a log that is left behind for the new database's own."""
    assert "no backup" in refused(filled.server.data / "tenterhook.db", tmp_path, 65)
    (tmp_path / "left").mkdir(mode=0o700)
    (tmp_path / "left" / "tenterhook.db-wal").write_bytes(b"x")
    assert "log of another database" in tenterhook("restore", copy[0], "--data", tmp_path / "left").expect(73).err
    assert [path.name for path in (tmp_path / "left").iterdir()] == ["tenterhook.db-wal"]


def test_a_copied_directory_of_a_stopped_server_can_be_restored(filled, server, tmp_path):
    filled.server.stop()
    source = filled.server.data / "tenterhook.db"
    assert not (filled.server.data / "tenterhook.db-wal").exists()
    tenterhook("restore", source, "--data", tmp_path / "new", "--secret-key-file", filled.server.data / "secret.key").expect(0)
    assert not (filled.server.data / "tenterhook.db-shm").exists()
    again = server(data=tmp_path / "new")
    assert again.api.get("/v1/events/own-1").expect(200).json["id"] == "own-1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_restores_belongs_to_whom_the_directory_belongs(copy, tmp_path):
    (tmp_path / "new").mkdir(mode=0o700)
    os.chown(tmp_path / "new", 12345, 12346)
    file, key = copy
    tenterhook("restore", file, "--data", tmp_path / "new", "--secret-key-file", key).expect(0)
    for name in ("tenterhook.db", "secret.key"):
        made = (tmp_path / "new" / name).stat()
        assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (12345, 12346, 0o600), name


def test_a_disk_that_is_full_leaves_nothing_behind(copy, tmp_path):
    command = ["prlimit", "--fsize=65536", binary_path(), "restore", copy[0], "--data", tmp_path / "new", "--secret-key-file", copy[1]]
    done = subprocess.run([str(part) for part in command], env=clean_env({"TENTERHOOK_KEY": KEY}), capture_output=True, text=True,
                          check=False)
    assert done.returncode == 73 and "nothing was left behind" in done.stderr, done.stderr
    assert not (tmp_path / "new").exists()
