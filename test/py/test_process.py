"""The server as a process: start, keys, one directory one process, wrong input at start, drain, recovery."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

from harness import forms
from harness.client import Api
from harness.expect import eventually, problem, settled
from harness.receiver import Reply
from harness.server import Server, StartError, clean_env
from harness.signature import verify

EVENT = {"type": "a.b", "data": {"x": 1}}


def refused(server, status=64):
    """Starts a server that must refuse; gives what it printed."""
    with pytest.raises(StartError) as caught:
        server.start()
    assert caught.value.status == status, caught.value
    return caught.value.output


def database(folder):
    """The SQLite file of a data directory."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.read_bytes()[:15] == b"SQLite format 3":
            return path
    raise AssertionError(f"no database in {list(folder.rglob('*'))}")


def register(api, receiver, **more):
    return api.post("/v1/webhooks", {"url": receiver.url(), **more}).expect(201).json


def test_version_and_help_run():
    binary = str(Server("unused").binary)
    version = subprocess.run([binary, "version"], capture_output=True, text=True, timeout=20)
    assert version.returncode == 0 and re.search(r"\d+\.\d+\.\d+", version.stdout)
    wrong = subprocess.run([binary, "nonsense"], capture_output=True, text=True, timeout=20)
    assert wrong.returncode != 0 and "nonsense" in wrong.stderr


def test_an_unknown_flag_is_named(server):
    assert "--nonsense" in refused(server(start=False, flags=["--nonsense"]))


def test_a_second_process_is_refused_with_the_pid(server):
    first = server()
    second = server(data=first.data, start=False)
    assert str(first.process.pid) in refused(second)
    first.api.get("/livez").expect(200)


def test_threads_have_names_that_say_what_they_do(server):
    running = server()
    tasks = pathlib.Path(f"/proc/{running.process.pid}/task").iterdir()
    names = {(task / "comm").read_text().strip() for task in tasks}
    assert {"store-writer", "store-dispatch", "store-lists", "store-runs"} <= names, names


def test_a_killed_process_leaves_no_lock(server):
    first = server()
    first.kill()
    first.start().api.get("/readyz").expect(200)


def test_a_port_in_use_is_named(server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        output = refused(server(start=False, listen=f"127.0.0.1:{port}"))
    assert f"cannot listen on 127.0.0.1:{port}" in output
    assert "error" not in output, output  # only what is wrong, not what follows from it


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:99999", "127.0.0.1", ":"])
def test_a_wrong_address_is_refused(server, listen):
    refused(server(start=False, listen=listen))


@pytest.mark.parametrize("text, named", [
    ("listen: [", "config.yaml"),
    ("nonsense: 1\n", "nonsense"),
    ("listen: 127.0.0.1:0\nlisten: 127.0.0.1:0\n", ":2: "),
])
def test_a_wrong_configuration_is_refused_with_its_place(server, tmp_path, text, named):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    output = refused(server(start=False, flags=["--config", str(path)]))
    assert named in output and "config.yaml" in output


def test_a_missing_configuration_is_named(server, tmp_path):
    assert "absent.yaml" in refused(server(start=False, flags=["--config", str(tmp_path / "absent.yaml")]))


def test_a_data_directory_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in refused(server(start=False, data=tmp_path / "file" / "data"))


def test_a_damaged_database_is_refused_and_left_alone(server):
    running = server()
    running.api.post("/v1/events", EVENT).expect(202)
    running.stop()
    path = database(running.data)
    broken = b"\xff" * 4096 + path.read_bytes()[4096:]
    path.write_bytes(broken)
    output = refused(running, 65)
    assert str(path) in output
    assert path.read_bytes() == broken


def test_an_older_database_is_brought_up_and_said(server):
    running = server()
    event = running.api.post("/v1/events", EVENT).expect(202).json["id"]
    running.stop()
    with sqlite3.connect(database(running.data)) as db:
        newest = db.execute("pragma user_version").fetchone()[0]
        db.executescript(forms.TO_1)  # as the first version left it
    db.close()
    running.start()
    running.api.get(f"/v1/events/{event}").expect(200)
    (line,) = [json.loads(line) for line in running.text().splitlines() if "newer storage form" in line]
    assert (line["from"], line["to"]) == (1, newest)
    running.stop()
    assert running.start().text().count("newer storage form") == 1  # once


def test_a_database_of_no_or_a_half_version_is_refused(server):
    running = server()
    running.stop()
    for change, status, why in (("pragma user_version = 0", 65, "no version"), ("pragma user_version = 1", 65, "already exists"),
                                ("pragma user_version = 99", 64, "newer")):
        with sqlite3.connect(database(running.data)) as db:
            db.executescript(change)
        db.close()
        assert why in refused(running, status)


def test_a_wrong_secret_key_is_refused(server, receiver):
    running = server(env={"TENTERHOOK_SECRET_KEY": "11" * 32})
    register(running.api, receiver())
    running.stop()
    running.env["TENTERHOOK_SECRET_KEY"] = "22" * 32
    assert "key" in refused(running).lower()
    running.env["TENTERHOOK_SECRET_KEY"] = "11" * 32
    running.start()


def test_secrets_are_not_in_the_files(server, receiver):
    running = server()
    made = register(running.api, receiver(), headers={"X-Token": "a-custom-header-secret"})
    running.stop()
    found = [path for path in running.data.rglob("*") if path.is_file()]
    assert "tenterhook.db" in {path.name for path in found}
    for path in found:
        content = path.read_bytes()
        for secret in (made["secret"], made["secret"][6:], running.admin_key, "a-custom-header-secret"):
            assert secret.encode() not in content, path
    assert running.admin_key not in running.text() and made["secret"] not in running.text()


def test_the_key_file_is_private(server, receiver):
    running = server()
    register(running.api, receiver())
    found = [p for p in running.data.rglob("*") if p.is_file() and "key" in p.name]
    assert found and all(p.stat().st_mode & 0o777 == 0o600 for p in found)


def test_the_first_start_makes_a_key_and_shows_it_once(server):
    running = server(admin_key=None)
    words = set(re.findall(r"[A-Za-z0-9_-]{24,}", running.text()))

    def works(word):
        return Api(running.port, word).get("/v1/tenants").status == 200

    key = next((word for word in words if works(word)), None)
    assert key, running.text()
    running.stop()
    before = len(running.text())
    running.start()
    assert key not in running.text()[before:]
    assert works(key)


def test_the_operators_key_from_a_file(server, tmp_path):
    path = tmp_path / "admin"
    path.write_text("a-key-from-a-file-0123456789abcdef\n")
    running = server(admin_key=None, env={"TENTERHOOK_ADMIN_KEY_FILE": str(path)})
    Api(running.port, "a-key-from-a-file-0123456789abcdef").get("/v1/tenants").expect(200)


@pytest.mark.parametrize("name, text", [("TENTERHOOK_ADMIN_KEY", "brief"), ("TENTERHOOK_SECRET_KEY", "fifteen letters")])
def test_short_keys_are_for_development_only(server, name, text):
    desk = server(admin_key=None, env={name: text})
    assert name != "TENTERHOOK_ADMIN_KEY" or desk.api.with_key(text).get("/v1/tenants").status == 200
    desk.stop()
    output = refused(server(admin_key=None, env={name: text}, environment="production", start=False))
    assert name in output and text not in output and "characters" in output


def test_sigterm_lets_requests_in_flight_end(server, receiver):
    target = receiver(answer=lambda _: Reply(200, delay_s=1.0))
    running = server()
    register(running.api, target)
    running.api.post("/v1/events", EVENT).expect(202)
    target.wait_for(1)
    assert running.stop() == 0
    running.start()
    rows = settled(running.api, 1)
    assert len(target.requests) == 1
    assert len(running.api.get(f"/v1/deliveries/{rows[0]['id']}").json["attempts"]) == 1


def test_sigterm_answers_what_has_begun(server):
    running = server()
    body = json.dumps(EVENT).encode()
    head = (f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running.admin_key}\r\n"
            f"Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as s:
        s.sendall(head)
        assert b" 100 " in s.recv(65536).split(b"\r\n")[0]  # it has begun
        s.sendall(body[:5])
        running.process.send_signal(signal.SIGTERM)
        eventually(lambda: "stopping" in running.text())
        s.sendall(body[5:])
        assert b" 202 " in s.recv(65536).split(b"\r\n")[0]
    assert running.process.wait(90) == 0


def test_what_waits_goes_on_after_kill_9(server, receiver):
    target = receiver().script(500, 500, 200)
    running = server()
    made = register(running.api, target)
    event = running.api.post("/v1/events", EVENT).expect(202).json
    settled(running.api, 1, status="retrying")
    first = target.requests[0]
    running.kill()
    running.start()
    requests = target.wait_for(2)
    assert verify(made["secret"], requests[1]) == event["id"]
    assert requests[1].mono - first.mono >= 4.95
    row = running.api.get("/v1/deliveries").json["data"][0]
    eventually(lambda: len(running.api.get(f"/v1/deliveries/{row['id']}").json["attempts"]) == 2)


def test_settings_survive_a_restart(server, receiver):
    running = server()
    api = running.api
    api.put("/v1/tenants/acme", {"name": "Acme", "dialect": "standard"}).expect(201)
    key = api.post("/v1/tenants/acme/keys", {"scopes": ["events:publish"]}).expect(201).json["key"]
    target = receiver()
    made = register(api.as_tenant("acme"), target, description="kept")
    running.kill()
    running.start()
    assert running.api.as_tenant("acme").get(f"/v1/webhooks/{made['id']}").expect(200).json["description"] == "kept"
    running.api.with_key(key).post("/v1/events", EVENT).expect(202)
    verify(made["secret"], target.wait_for(1)[0])


@pytest.mark.release
def test_the_secret_key_is_on_the_disk_before_anything_is_sealed_with_it(server, tmp_path):
    """A key that a power cut takes away would take all secrets with it: the file and its folder are synced before the server
    listens."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    running, trace = server(start=False), tmp_path / "trace"
    command = running.command
    running.command = lambda: ["strace", "-f", "-y", "-o", str(trace), "-e", "trace=fsync,fdatasync,write,listen", *command()]
    running.start()
    found = re.findall(r"^\d+ +(\w+)\((.*)$", trace.read_text(), re.M)
    key, folder = f"<{running.data}/secret.key>", f"<{running.data}>"
    index = lambda names, text: [i for i, (name, line) in enumerate(found) if name in names and text in line]  # noqa: E731
    written, synced = index(("write",), key), index(("fsync", "fdatasync"), key)
    listening = index(("listen",), "")[0]
    assert written and synced and written[-1] < synced[0] < listening, found
    assert any(synced[0] < i < listening for i in index(("fsync", "fdatasync"), folder)), "the folder of the key is not synced"
    running.process.kill()


@pytest.mark.release
def test_a_list_shows_no_event_before_its_202(server):
    """Each sync of the disk takes half a second here. What a list shows is committed: it may come a moment before the answer to the
    publisher is read, but not while the sync is under way."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    running = server(start=False)
    command = running.command
    running.command = lambda: ["strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e",
                               "inject=fdatasync,fsync:delay_enter=500000", *command()]
    running.start()
    waited = 0
    for n in range(3):
        answered, seen, looks = [], [], 0
        thread = threading.Thread(target=lambda: answered.append(
            (running.api.post("/v1/events", EVENT | {"id": f"e{n}"}).expect(202), time.monotonic())))
        begun = time.monotonic()
        thread.start()
        while not answered:
            if not seen and any(row["id"] == f"e{n}" for row in running.api.get("/v1/events").expect(200).json["data"]):
                seen.append(time.monotonic())
            looks += not seen
            time.sleep(0.005)
        thread.join()
        waited += looks
        assert answered[0][1] - begun > 0.4, "the sync was not slowed down"
        assert not seen or answered[0][1] - seen[0] < 0.25, f"listed {answered[0][1] - seen[0]:.3f} s before its 202"
        assert any(row["id"] == f"e{n}" for row in running.api.get("/v1/events").expect(200).json["data"])
    # A list that is asked for during a sync waits for its end: it shows the moment when it was asked for, and one was in each round.
    assert waited >= 3, "no list was read while a sync was under way"
    running.process.kill()


def swap(database_path, change):
    connection = sqlite3.connect(database_path)
    with connection:
        change(connection)
    connection.close()


@pytest.mark.parametrize("what", ["secrets of one tenant", "secrets of two tenants", "custom headers"])
def test_sealed_values_that_changed_places_are_refused_at_the_start(server, what):
    """Each encrypted value is bound to its tenant, endpoint and number: who can write to the file cannot give one endpoint another's
    secret."""
    running = server()
    running.api.put("/v1/tenants/acme", {"name": "Acme", "dialect": "standard"}).expect(201)
    body = {"url": "http://127.0.0.1:50999/x", "headers": {"X-Key": "0123456789"}}
    running.api.post("/v1/webhooks", body).expect(201)
    other = running.api.as_tenant("acme") if what == "secrets of two tenants" else running.api
    other.post("/v1/webhooks", body | {"headers": {"X-Key": "abcdefghij"}}).expect(201)
    running.stop()

    def change(db):
        table, column = ("endpoint", "conf") if what == "custom headers" else ("secret", "sealed")
        rows = db.execute(f"SELECT no, {column} FROM {table} ORDER BY no").fetchall()
        (first, one), (second, two) = rows[-2:]
        if what == "custom headers":
            one, two = json.loads(one), json.loads(two)
            one["headers_sealed"], two["headers_sealed"] = two["headers_sealed"], one["headers_sealed"]
            two, one = json.dumps(one), json.dumps(two)
        db.execute(f"UPDATE {table} SET {column} = ? WHERE no = ?", (two, first))
        db.execute(f"UPDATE {table} SET {column} = ? WHERE no = ?", (one, second))

    kind = "endpoint" if what == "custom headers" else "secret"
    swap(database(running.data), change)
    with pytest.raises(StartError) as caught:
        running.start()
    said = caught.value.output.splitlines()
    assert caught.value.status == 65 and any("stored data damaged" in line and kind in line for line in said), caught.value.output


def test_production_wants_https(server, receiver):
    running = server(environment="production", flags=["--allow-network", "127.0.0.0/8"])
    problem(running.api.post("/v1/webhooks", {"url": receiver().url()}), 422)


def test_production_denies_loopback_unless_allowed(server):
    body = {"url": "https://127.0.0.1:9999/"}
    problem(server(environment="production").api.post("/v1/webhooks", body), 422)
    server(environment="production", flags=["--allow-network", "127.0.0.0/8"]).api \
        .post("/v1/webhooks", body).expect(201)


def test_a_silent_endpoint_holds_up_nobody(server, receiver):
    """1,000 endpoints that never answer beside one healthy one."""
    silent = receiver(answer=lambda _: Reply(hang=True))
    good = receiver()
    running = server()
    api = running.api
    for n in range(1000):
        api.post("/v1/webhooks", {"url": silent.url(f"/{n}"), "events": ["silent"], "timeout_seconds": 30}).expect(201)
    register(api, good, events=["good"])
    api.post("/v1/events", {"type": "silent", "data": {}}).expect(202)
    silent.wait_for(50, timeout_s=20)
    took = []
    for n in range(50):
        begun = time.monotonic()
        api.post("/v1/events", {"type": "good", "data": {"n": n}}).expect(202)
        took.append(good.wait_for(n + 1, timeout_s=20)[-1].mono - begun)
    assert sorted(took)[len(took) // 2] < 1.5, took  # a silent one holds what waits for it for 30 s


def test_tls_delivery_with_a_ca_file(server, tls_receiver, certificates):
    target = tls_receiver()
    running = server(environment="production",
                     flags=["--allow-network", "127.0.0.0/8", "--ca-file", str(certificates.ca)])
    made = register(running.api, target)
    for _ in range(3):
        running.api.post("/v1/events", EVENT).expect(202)
    for request in target.wait_for(3):
        verify(made["secret"], request)
    settled(running.api, 3)


@pytest.mark.parametrize("fault", [{"signed": False}, {"names": "DNS:elsewhere.example"}])
def test_a_certificate_that_does_not_hold_gets_nothing(server, tls_receiver, certificates, fault):
    target = tls_receiver(cert=fault)
    running = server(environment="production",
                     flags=["--allow-network", "127.0.0.0/8", "--ca-file", str(certificates.ca)])
    register(running.api, target)
    running.api.post("/v1/events", EVENT).expect(202)
    row = settled(running.api, 1, status="retrying")[0]
    assert target.requests == []
    attempt = running.api.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][0]
    assert not attempt.get("status")


def test_publishing_from_many_connections_loses_nothing(server, receiver):
    target = receiver()
    running = server()
    register(running.api, target)
    sent, lock = [], threading.Lock()

    def publish():
        api = Api(running.port, running.admin_key)
        for _ in range(100):
            made = api.post("/v1/events", EVENT).expect(202).json["id"]
            with lock:
                sent.append(made)
        api.close()

    threads = [threading.Thread(target=publish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    target.wait_for(800, timeout_s=60)
    assert sorted(target.ids()) == sorted(sent)


def test_config_check(tmp_path):
    binary = str(Server("unused").binary)
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("listen: 127.0.0.1:0\n")
    bad.write_text("listen: 127.0.0.1:0\nnonsense: 1\n")

    def check(path):
        return subprocess.run([binary, "config", "check", "--config", str(path)], env=clean_env(),
                              capture_output=True, text=True, timeout=20)

    assert check(good).returncode == 0, check(good).stderr
    done = check(bad)
    assert done.returncode != 0 and "nonsense" in done.stderr + done.stdout and ":2" in done.stderr + done.stdout


def test_full_disk_refuses_and_recovers(server, receiver, tmp_path):
    """A small tmpfs as data directory: publishing becomes 503 and /readyz not ready, and both come back by themselves
    when there is room."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        running = server(data=folder / "data")
        register(running.api, receiver())
        running.api.post("/v1/events", EVENT).expect(202)
        free = os.statvfs(folder)
        fill = folder / "fill"
        with open(fill, "wb") as out:
            try:
                for _ in range(free.f_bavail * free.f_frsize // 65536 + 16):
                    out.write(b"x" * 65536)
            except OSError:
                pass
        big = {"type": "a.b", "data": "x" * 200000}
        answer = eventually(lambda: next((a for a in [running.api.post("/v1/events", big)] if a.status != 202), None),
                            timeout_s=60, what="a refusal")
        assert problem(answer, 503) and answer.header("Retry-After")
        eventually(lambda: running.api.get("/readyz").status == 503)
        running.api.get("/livez").expect(200)
        fill.unlink()
        eventually(lambda: running.api.get("/readyz").status == 200, timeout_s=30)
        running.api.post("/v1/events", EVENT).expect(202)
        running.kill()
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True)
