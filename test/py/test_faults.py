"""What breaks: the process, the disk, the files, the configuration, the clients. Nothing acknowledged is lost, and every
refusal says what is wrong."""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

from harness.client import Api
from harness.expect import deliveries, eventually, problem, settled
from harness.faults import SmallDisk, together
from harness.receiver import Reply
from harness.server import Server, StartError, clean_env
from harness.signature import verify

EVENT = {"type": "a.b", "data": {"x": 1}}


def refused(server):
    with pytest.raises(StartError) as caught:
        server.start()
    assert caught.value.status is not None and caught.value.status > 0, caught.value
    assert "Sanitizer" not in caught.value.output, caught.value.output
    return caught.value.output


def register(api, target, **more):
    return api.post("/v1/webhooks", {"url": target.url(), **more}).expect(201).json


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in pathlib.Path(folder).rglob("*") if path.is_file()}


def database(folder):
    return pathlib.Path(folder) / "tenterhook.db"


# ---- kill -9 ----

def test_the_schedule_goes_on_after_kill_9(server, receiver):
    """Two retries wait, one event is held, one was delivered: after kill -9 each goes on where it was, on time."""
    failing, good = receiver().script(500, 200), receiver()
    running = server()
    made = register(running.api, failing, events=["f.*"])
    register(running.api, good, events=["g.*"])
    paused = register(running.api, good, events=["p.*"], active=False)
    event = running.api.post("/v1/events", {"type": "f.x", "data": {}}).expect(202).json
    running.api.post("/v1/events", {"type": "g.x", "data": {}}).expect(202)
    running.api.post("/v1/events", {"type": "p.x", "data": {}}).expect(202)
    first = failing.wait_for(1)[0]
    settled(running.api, 1, status="retrying")
    settled(running.api, 1)
    running.kill()
    running.start()
    settled(running.api, 1, status="held")
    settled(running.api, 1)
    second = failing.wait_for(2)[1]
    assert second.mono - first.mono >= 5.0 and verify(made["secret"], second) == event["id"]
    assert second.mono - first.mono < 40  # the start included; the one after comes after five minutes
    running.api.patch(f"/v1/webhooks/{paused['id']}", {"active": True}).expect(200)
    settled(running.api, 3)
    assert len(good.requests) == 2 and len(failing.requests) == 2


def test_killed_while_a_request_is_under_way(server, receiver):
    """The result is unknown: the same attempt is made again at once, with the same id."""
    target = receiver()
    target.answer = lambda _: Reply(hang=True) if len(target.requests) < 2 else Reply(200)
    running = server()
    register(running.api, target)
    event = running.api.post("/v1/events", EVENT).expect(202).json
    target.wait_for(1)
    running.kill()
    running.start()
    target.wait_for(2)
    assert set(target.ids()) == {event["id"]}
    settled(running.api, 1)


def test_killed_again_and_again_loses_nothing(server, receiver):
    """Five kills under load: every acknowledged event arrives."""
    target = receiver()
    running = server()
    register(running.api, target)
    acknowledged, stop = [], threading.Event()

    def publish(port):
        api = Api(port, running.admin_key, timeout_s=20)
        while not stop.is_set():
            try:
                answer = api.post("/v1/events", EVENT)
            except (OSError, http.client.HTTPException):
                return
            if answer.status == 202:
                acknowledged.append(answer.json["id"])

    for _ in range(5):
        threads = [threading.Thread(target=publish, args=(running.port,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        had = len(acknowledged)
        eventually(lambda: len(acknowledged) >= had + 15)
        running.kill()
        for thread in threads:
            thread.join(30)
        running.start()
    stop.set()
    assert len(acknowledged) > 50
    target.wait_for(lambda _: set(acknowledged) <= set(target.ids()), timeout_s=30)
    eventually(lambda: not deliveries(running.api, status="pending"))


def test_a_large_fan_out_goes_on_after_kill_9(server, receiver):
    """One event for 2,500 endpoints is acknowledged with its first thousand; killed right then, the others follow."""
    running = server()
    target = receiver()
    together(lambda n: register(running.api, target, active=False), range(2500), 8)
    event = running.api.post("/v1/events", EVENT).expect(202).json
    assert event["deliveries"] == 2500
    running.kill()
    running.start()

    def held():
        return len(running.api.pages(f"/v1/deliveries?event={event['id']}&status=held", limit=1000))

    eventually(lambda: held() == 2500, timeout_s=30)
    running.kill()
    running.start()
    assert held() == 2500


# ---- disks ----

def test_full_disk(server, receiver, tmp_path):
    """503 with Retry-After, not ready, deliveries under way settle, nothing acknowledged is lost, and it comes back by
    itself."""
    with SmallDisk(tmp_path / "small", 192) as disk:
        slow = receiver(answer=lambda _: Reply(200, delay_s=1.5))
        fast = receiver()
        running = server(data=disk.folder / "data")
        api = running.api
        register(api, slow, events=["slow"])
        register(api, fast, events=["fast"])
        first = api.post("/v1/events", {"type": "slow", "data": {}}).expect(202).json["id"]
        slow.wait_for(1)
        disk.fill()
        accepted, refusal = [], None
        begun = time.monotonic()
        while refusal is None and time.monotonic() - begun < 30:
            answer = api.post("/v1/events", {"type": "fast", "data": "x" * 200000})
            if answer.status == 202:
                accepted.append(answer.json["id"])
            else:
                refusal = answer
        assert problem(refusal, 503)["detail"] and int(refusal.header("Retry-After")) >= 1
        eventually(lambda: api.get("/readyz").status == 503)
        assert api.get("/readyz").body
        api.get("/livez").expect(200)
        assert problem(api.post("/v1/webhooks", {"url": fast.url()}), 503)
        rows = eventually(lambda: [r for r in api.pages("/v1/deliveries?status=delivered", limit=1000)
                                   if r["event"] == first], timeout_s=15)
        assert rows, "the delivery under way is recorded although the disk is full"
        disk.empty()
        eventually(lambda: api.get("/readyz").status == 200, timeout_s=20)
        accepted.append(api.post("/v1/events", {"type": "fast", "data": {}}).expect(202).json["id"])
        fast.wait_for(lambda _: set(accepted) <= set(fast.ids()), timeout_s=20)
        running.kill()
        running.start()
        seen = {row["id"] for row in running.api.pages("/v1/events", limit=1000)}
        assert set(accepted) | {first} <= seen
        assert running.stop() == 0


def test_start_on_a_full_disk_says_so_or_works(server, receiver, tmp_path):
    """With events waiting and no room at the start: either it starts (not ready) or it refuses with the reason; with
    room again everything goes on."""
    with SmallDisk(tmp_path / "small", 192) as disk:
        target = receiver(answer=lambda _: 500)
        running = server(data=disk.folder / "data")
        register(running.api, target)
        running.api.post("/v1/events", EVENT).expect(202)
        settled(running.api, 1, status="retrying")
        running.kill()
        disk.fill()
        try:
            running.start()
        except StartError as e:
            assert e.status not in (None, 0) and re.search("room|space|full", e.output), e.output
        else:
            running.kill()
        disk.empty()
        running.start()
        target.answer = None
        settled(running.api, 1, timeout_s=15)
        running.kill()  # or the disk could not be unmounted


def damage_start(path):
    data = bytearray(path.read_bytes())
    data[:4096] = b"\xff" * 4096
    path.write_bytes(data)


def damage_middle(path):
    data = bytearray(path.read_bytes())
    for at in range(16384, len(data), 16384):
        data[at:at + 8192] = b"\xa5" * len(data[at:at + 8192])
    path.write_bytes(data)


def damage_length(path):
    path.write_bytes(path.read_bytes()[:20000])


def damage_kind(path):
    path.write_bytes(b"this is no database, but somebody's letter\n" * 1000)


def damage_foreign(path):
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("create table notes(text)")
        other.execute("insert into notes values('not yours')")
    other.close()


def damage_newer(path):
    with sqlite3.connect(path) as db:
        db.execute("pragma user_version = 9999")
        for table in ("meta",):
            if db.execute("select count(*) from sqlite_master where name = ?", (table,)).fetchone()[0]:
                db.execute("update meta set v = 9999 where k in ('format', 'version', 'schema')")
    db.close()


@pytest.mark.parametrize("damage", [damage_start, damage_middle, damage_length, damage_kind, damage_foreign, damage_newer],
                         ids=lambda f: f.__name__)
def test_a_damaged_database_is_refused_and_left_alone(server, receiver, damage):
    running = server()
    register(running.api, receiver())
    for _ in range(20):
        running.api.post("/v1/events", EVENT).expect(202)
    settled(running.api, 20)
    assert running.stop() == 0
    path = database(running.data)
    with sqlite3.connect(path) as db:
        db.execute("pragma wal_checkpoint(truncate)")
    db.close()
    damage(path)
    before = path.read_bytes()
    output = refused(running)
    assert path.name in output, output
    assert path.read_bytes() == before


def test_a_database_that_cannot_be_read(server):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    running = server()
    running.stop()
    database(running.data).chmod(0)
    assert "tenterhook.db" in refused(running)


def test_a_data_directory_that_cannot_be_written(server, tmp_path):
    folder = tmp_path / "fixed"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(folder)], capture_output=True).returncode != 0:
        folder.chmod(0o500)
        if os.access(folder, os.W_OK):
            pytest.skip("needs the right to mount, or not to be root")
    try:
        output = refused(server(start=False, data=folder))
        assert str(folder) in output, output
    finally:
        subprocess.run(["umount", str(folder)], capture_output=True)
        folder.chmod(0o700)


# ---- keys ----

def test_a_missing_key_file_is_refused(server, receiver):
    running = server()
    register(running.api, receiver())
    running.stop()
    key = running.data / "secret.key"
    kept = key.read_bytes()
    key.unlink()
    output = refused(running)
    assert "secret.key" in output and not key.exists()
    for wrong in (b"", b"short\n"):
        key.write_bytes(wrong)
        assert "secret.key" in refused(running)
        assert key.read_bytes() == wrong
    key.write_bytes(b"ab" * 32 + b"\n")
    assert "key" in refused(running).lower()
    key.write_bytes(kept)
    running.start().api.get("/readyz").expect(200)


def test_a_secret_key_of_the_wrong_size_is_refused(server):
    assert "TENTERHOOK_SECRET_KEY" in refused(server(start=False, environment="production", env={"TENTERHOOK_SECRET_KEY": "short"}))
    assert "nowhere" in refused(server(start=False, env={"TENTERHOOK_SECRET_KEY_FILE": "/nowhere/key"}))


# ---- configuration ----

@pytest.mark.parametrize("text, named", [
    (b"log:\n  nonsense: 1\n", "nonsense"),
    (b"delivery:\n  max_in_flight: many\n", "max_in_flight"),
    (b"delivery:\n  max_in_flight: -1\n", "max_in_flight"),
    (b"retention: 5 parsecs\n", "retention"),
    (b"environment: staging\n", "staging"),
    (b"allow_networks: [10.0.0.1/8]\n", "10.0.0.1/8"),
    (b"default_dialect: nonsense\n", "nonsense"),
    (b"hosts: {a.example: nonsense}\n", "nonsense"),
    (b"listen: nowhere\n", "nowhere"),
    (b"- a list\n", "config.yaml"),
    (b"a: &x [*x]\n", "config.yaml"),
    (b"\xff\xfe\x00", "config.yaml"),
    (b"a: " + b"[" * 5000, "config.yaml"),
    (b"dialects: /nowhere/dialects\n", "/nowhere/dialects"),
])
def test_a_wrong_configuration_is_refused(server, tmp_path, text, named):
    path = tmp_path / "config.yaml"
    path.write_bytes(text)
    running = server(start=False, flags=["--config", str(path)], listen="127.0.0.1:0")
    if b"listen" in text:
        running.command = lambda: [str(running.binary), "serve", "--data", str(running.data), "--config", str(path)]
    if b"environment" in text:
        running.environment = None
    output = refused(running)
    assert named in output and not running.data.exists(), output


def test_an_unreadable_configuration_is_named(server, tmp_path):
    for name, make in (("folder", pathlib.Path.mkdir), ("absent", lambda path: None)):
        path = tmp_path / name
        make(path)
        assert str(path) in refused(server(start=False, flags=["--config", str(path)]))


@pytest.mark.parametrize("flags", [["--listen"], ["--retention", "-1s"], ["--max-in-flight", "0"], ["--max-body", "x"],
                                   ["--ca-file", "/nowhere/ca.pem"], ["--dns-servers", "nonsense"], ["--bind", "nonsense"],
                                   ["--log-level", "loud"], ["stray"]])
def test_a_wrong_flag_is_refused(server, flags):
    assert flags[-1].split("/")[-1] in refused(server(start=False, flags=flags))


def test_a_ca_file_without_a_certificate_is_refused(server, tmp_path):
    path = tmp_path / "empty.pem"
    path.write_text("no certificate here\n")
    assert str(path) in refused(server(start=False, flags=["--ca-file", str(path)]))


@pytest.mark.parametrize("text", ["", "nonsense: 1\n", "request: {method: POST}\n", "about: x\nabout: y\n", "\t"])
def test_a_wrong_dialect_is_refused_with_its_file(server, tmp_path, text):
    folder = tmp_path / "dialects"
    folder.mkdir()
    (folder / "mine.yaml").write_text(text)
    assert "mine.yaml" in refused(server(start=False, flags=["--dialects", str(folder)]))


# ---- a second process, a taken port ----

def test_a_second_process_names_the_first(server):
    first = server()
    output = refused(server(start=False, data=first.data))
    assert str(first.process.pid) in output and str(first.data) in output
    first.api.post("/v1/events", EVENT).expect(202)
    init = subprocess.run([str(first.binary), "init", "--data", str(first.data)], env=clean_env(), capture_output=True,
                          text=True, timeout=20)
    assert init.returncode != 0 and str(first.process.pid) in init.stderr
    assert first.stop() == 0
    server(data=first.data)


def test_a_taken_port_leaves_the_data_usable(server):
    first = server()
    second = server(start=False, listen=f"127.0.0.1:{first.port}")
    assert f"127.0.0.1:{first.port}" in refused(second)
    second.listen = "127.0.0.1:0"
    second.start()


# ---- stopping ----

def test_sigterm_with_an_endpoint_that_hangs_ends_in_time(server, receiver):
    """--drain-timeout bounds the stop; what was under way stays queued and is sent after the start."""
    target = receiver()
    target.answer = lambda _: Reply(hang=True) if len(target.requests) < 2 else Reply(200)
    running = server(flags=["--drain-timeout", "1s"])
    register(running.api, target)
    running.api.post("/v1/events", EVENT).expect(202)
    target.wait_for(1)
    begun = time.monotonic()
    assert running.stop() == 0
    assert 0.9 <= time.monotonic() - begun < 20  # 30 without the option
    running.start()
    row = settled(running.api, 1)[0]
    assert row["attempt_count"] == 1  # the cancelled one is no attempt
    assert len(target.requests) == 2


def test_a_second_sigterm_ends_at_once(server, receiver):
    target = receiver(answer=lambda _: Reply(hang=True))
    running = server()
    register(running.api, target)
    running.api.post("/v1/events", EVENT).expect(202)
    target.wait_for(1)
    running.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert running.process.poll() is None
    begun = time.monotonic()
    assert running.stop() == 0 and time.monotonic() - begun < 20  # 30 without the second


def test_sigterm_under_load_answers_or_refuses_and_loses_nothing(server, receiver):
    target = receiver()
    running = server()
    register(running.api, target)
    acknowledged, odd = [], []

    def publish(_):
        api = Api(running.port, running.admin_key, timeout_s=10)
        while True:
            try:
                answer = api.post("/v1/events", EVENT)
            except (OSError, http.client.HTTPException):
                return
            if answer.status == 202:
                acknowledged.append(answer.json["id"])
            elif answer.status == 503:
                return
            else:
                odd.append(answer)

    stopper = threading.Timer(0.5, running.process.send_signal, [signal.SIGTERM])
    stopper.start()
    together(publish, range(8), 8)
    assert running.process.wait(40) == 0 and not odd
    assert len(acknowledged) > 8, "there was no load"
    running.start()
    target.wait_for(lambda _: set(acknowledged) <= set(target.ids()), timeout_s=30)
    assert len(target.ids()) == len(set(target.ids())), "a clean stop sends nothing twice"


def test_idle_connections_do_not_hold_up_a_stop(server):
    running = server()
    open_ones = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(20)]
    open_ones[0].sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\n")
    running.api.get("/livez").expect(200)
    begun = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    open_ones[0].close()
    assert running.stop() == 0 and time.monotonic() - begun < 20
    for s in open_ones:
        s.close()


def test_sigterm_right_after_the_start(server):
    for _ in range(3):
        running = server()
        assert running.stop() == 0


# ---- clients ----

def test_clients_that_hang_up(server, receiver):
    """In the middle of the head, of the body, and before the answer: the process lives, whole requests count."""
    target = receiver()
    running = server()
    register(running.api, target)
    body = json.dumps(EVENT).encode()
    head = (f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running.admin_key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    request = head + body

    def one(n):
        cut = [10, len(head) - 2, len(head), len(head) + 5, len(request)][n % 5]
        with socket.create_connection(("127.0.0.1", running.port)) as s:
            s.sendall(request[:cut])
            if n % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    together(one, range(100), 10)
    running.api.post("/v1/events", EVENT).expect(202)
    count = eventually(lambda: [n for n in [len(running.api.pages("/v1/events"))] if n >= 2])[0]
    assert count <= 21
    target.wait_for(count)
    running.api.get("/readyz").expect(200)
    assert running.stop() == 0


def test_an_idempotent_publish_whose_client_hung_up(server, receiver):
    """The answer was lost with the connection; asking again with the key gives one event."""
    target = receiver()
    running = server()
    register(running.api, target)
    body = json.dumps(EVENT).encode()
    request = (f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running.admin_key}\r\nIdempotency-Key: k1\r\n"
               f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", running.port)) as s:
            s.sendall(request)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    answer = eventually(lambda: [a for a in [running.api.post("/v1/events", body, headers={
        "Content-Type": "application/json", "Idempotency-Key": "k1"})] if a.status == 202])[0]
    assert len(running.api.pages("/v1/events")) == 1
    target.wait_for(1)
    time.sleep(0.2)
    assert target.ids() == [answer.json["id"]]


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_an_idempotency_key_outlives_the_process(server, receiver, how):
    target = receiver()
    running = server()
    register(running.api, target)
    first = running.api.post("/v1/events", EVENT, headers={"Idempotency-Key": '"one"'}).expect(202)
    batch = running.api.post("/v1/events/batch", [EVENT, EVENT], headers={"Idempotency-Key": "many"}).expect(202)
    hook = running.api.post("/v1/webhooks", {"url": target.url("/2"), "events": ["z"]},
                            headers={"Idempotency-Key": "hook"}).expect(201)
    settled(running.api, 3)  # or the kill might repeat one whose result was not on record
    getattr(running, how)()
    running.start()
    again = running.api.post("/v1/events", EVENT, headers={"Idempotency-Key": "one"}).expect(202)
    assert again.json == first.json and again.header("Idempotency-Replayed") == "true"
    more = running.api.post("/v1/events/batch", [EVENT, EVENT], headers={"Idempotency-Key": "many"}).expect(202)
    assert more.json == batch.json and more.header("Idempotency-Replayed") == "true"
    made = running.api.post("/v1/webhooks", {"url": target.url("/2"), "events": ["z"]},
                            headers={"Idempotency-Key": "hook"}).expect(201)
    assert made.json == hook.json and made.header("Idempotency-Replayed") == "true"
    problem(running.api.post("/v1/events", {**EVENT, "data": 2}, headers={"Idempotency-Key": "one"}), 422)
    assert len(running.api.pages("/v1/events")) == 3 and len(running.api.pages("/v1/webhooks")) == 2
    time.sleep(0.3)
    assert len(target.requests) == 3
