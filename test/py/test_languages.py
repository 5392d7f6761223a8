"""The programs of docs/languages.md: each publisher publishes to a real server, each receiver verifies what that server sends and
refuses what was changed, is too old, or was signed with another secret."""
import base64
import functools
import hashlib
import hmac
import http.client
import re
import socket
import subprocess
import threading
import time

import pytest

from harness import programs
from harness.command import KEY
from harness.deliver import free_port
from harness.expect import deliveries, eventually, settled
from harness.server import ROOT, Server, clean_env

PAGE = (ROOT / "docs" / "languages.md").read_text()
PROGRAMS = {(language, what): text for language, what, text in re.findall(r"^```(\w+) (publish|receive)\n(.*?)^```$", PAGE, re.M | re.S)}
# language: (command, its Debian package), name of the file, the command that compiles it, the command that runs it
RUN = {
    "js": (("node", "nodejs"), "{what}.js", None, ["node", "{file}"]),
    "python": (("/usr/bin/python3", "python3"), "{what}.py", None, ["/usr/bin/python3", "{file}"]),
    "go": (("go", "golang-go"), "{what}.go", ["go", "build", "-o", "{folder}/program", "{file}"], ["{folder}/program"]),
    "java": (("javac", "default-jdk-headless"), "{What}.java", ["javac", "-d", "{folder}", "{file}"], ["java", "-cp", "{folder}", "{What}"]),
    "ruby": (("ruby", "ruby"), "{what}.rb", None, ["ruby", "{file}"]),
    "php": (("php", "php-cli"), "{what}.php", None, ["php", "{file}"]),
}


@functools.lru_cache(maxsize=None)
def prepared(language, what):
    """The command that runs a program of the page, which is compiled here where that is needed, and its environment."""
    needs, name, compile_it, run = RUN[language]
    programs.tool(*needs)
    folder = programs.work_folder(f"languages-{language}-{what}")
    words = {"what": what, "What": what.capitalize(), "folder": folder}
    words["file"] = folder / name.format(**words)
    words["file"].write_text(PROGRAMS[language, what])
    environment = clean_env({"GOCACHE": str(programs.work_folder("go") / "cache"), "GO111MODULE": "off", "GOTOOLCHAIN": "local",
                             "CGO_ENABLED": "0"})
    if compile_it:
        made = programs.run([part.format(**words) for part in compile_it], folder, environment, timeout_s=400)
        assert made.returncode == 0, made.stdout
    if (language, what) == ("php", "receive"):
        run = ["php", "-S", "127.0.0.1:{PORT}", "{file}"]
    return [part.format(**words, PORT="{PORT}") for part in run], environment


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("languages") / "data") as made:
        yield made


def test_the_page_has_every_language():
    assert set(PROGRAMS) == {(language, what) for language in RUN for what in ("publish", "receive")}


@pytest.mark.parametrize("language", RUN)
def test_publisher(running, tmp_path, language):
    """It publishes; run again it gets the same event back, since it gave the same Idempotency-Key; a wrong key ends it at once."""
    command, environment = prepared(language, "publish")
    tenant = f"publish-{language}"
    running.api.put(f"/v1/tenants/{tenant}", {"name": tenant, "dialect": "standard"}).expect(201)
    key = running.api.post(f"/v1/tenants/{tenant}/keys", {"scopes": ["events:publish"]}).expect(201).json["key"]
    environment = environment | {"TENTERHOOK_SERVER": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": key}
    for _ in range(2):
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd=tmp_path)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        (event,) = running.api.as_tenant(tenant).pages("/v1/events")
        assert event["id"] in ran.stdout and event["type"] == "invoice.paid"
    assert running.api.as_tenant(tenant).get(f"/v1/events/{event['id']}").json["data"] == {"invoice": "INV-7"}
    begun = time.monotonic()
    ran = subprocess.run(command, env=environment | {"TENTERHOOK_KEY": "wrong"}, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert ran.returncode != 0 and "Unauthorized" in ran.stdout + ran.stderr, ran.stdout + ran.stderr
    assert time.monotonic() - begun < 60


class Busy:
    """Answers 503 twice and then 202, and counts."""

    def __init__(self):
        self.listener, self.seen = socket.create_server(("127.0.0.1", 0)), []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                got = b""
                while b"\r\n\r\n" not in got:
                    got += connection.recv(65536)
                length = int(re.search(rb"(?i)content-length: *(\d+)", got)[1])
                while len(got.split(b"\r\n\r\n", 1)[1]) < length:
                    got += connection.recv(65536)
                self.seen.append(re.search(rb"(?i)idempotency-key: *(\S+)", got)[1])
                status, body = (b"503 Busy", b"{}") if len(self.seen) < 3 else (b"202 Accepted", b'{"id":"msg_1"}')
                connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: "
                                   + str(len(body)).encode() + b"\r\n\r\n" + body)


@pytest.mark.parametrize("language", RUN)
def test_publisher_asks_again_while_the_server_is_busy(tmp_path, language):
    command, environment = prepared(language, "publish")
    busy = Busy()
    environment = environment | {"TENTERHOOK_SERVER": f"http://127.0.0.1:{busy.listener.getsockname()[1]}", "TENTERHOOK_KEY": KEY}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    busy.listener.close()
    assert ran.returncode == 0 and "msg_1" in ran.stdout, ran.stdout + ran.stderr
    assert busy.seen == [b"invoice-7-paid"] * 3


def signature(secret, identity, stamp, body):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()


@pytest.mark.parametrize("language", RUN)
def test_receiver(running, tmp_path, language):
    command, environment = prepared(language, "receive")
    tenant, port = f"receive-{language}", free_port()
    running.api.put(f"/v1/tenants/{tenant}", {"name": tenant, "dialect": "standard"}).expect(201)
    api = running.api.as_tenant(tenant)
    made = api.post("/v1/webhooks", {"url": f"http://127.0.0.1:{port}/hook"}).expect(201).json
    environment = environment | {"PORT": str(port), "WEBHOOK_SECRET": made["secret"]}
    process = subprocess.Popen([part.format(PORT=port) for part in command], env=environment, cwd=tmp_path,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        def listening():
            assert process.poll() is None, process.stdout.read()
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        eventually(listening, 60, "the receiver listens")

        def post(body, **fields):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", "/hook", body, {"Content-Type": "application/json", **fields})
            return connection.getresponse().status

        def status(body=b'{"a":1}', sent=b'{"a":1}', secret=made["secret"], age=0, identity="msg_1", form="{}"):
            stamp = str(int(time.time()) - age)
            return post(sent, **{"webhook-id": identity, "webhook-timestamp": stamp,
                                 "webhook-signature": form.format(signature(secret, identity, stamp, body))})

        other = "whsec_" + base64.b64encode(b"another secret of 32 bytes......").decode()
        assert status() == 204
        assert status(form="v1,bm8= {}") == 204 and status(form="v1a,bm8= {} v1,bm8=") == 204, "any of several signatures"
        assert status(age=280) == 204 and status(age=-280) == 204
        assert status(age=320) == 401 and status(age=-320) == 401, "too old, too new"
        assert status(sent=b'{"a":2}') == 401 and status(secret=other) == 401
        assert status(form="") == 401 and status(form="v1,") == 401 and status(form="v1a,bm8=") == 401
        assert post(b"{}") == 401, "no headers at all"
        assert post(b"{}", **{"webhook-id": "x", "webhook-timestamp": "soon", "webhook-signature": "v1,x"}) == 401

        # what the server sends, with two secrets while a rotation lasts
        api.post("/v1/events", {"type": "invoice.paid", "data": {"snow": "☃", "n": 1.50}}).expect(202)
        settled(api, 1, timeout_s=60)
        api.post(f"/v1/webhooks/{made['id']}/rotate-secret", {}).expect(200)
        api.post("/v1/events", {"type": "invoice.paid", "data": None}).expect(202)
        settled(api, 2, timeout_s=60)
        assert all(row["attempt_count"] == 1 for row in deliveries(api))
        left = {row["id"].encode() for row in api.pages("/v1/events")}
        assert len(left) == 2
        while left:
            line = process.stdout.readline()
            assert line, f"{left} were not printed"
            left = {one for one in left if one not in line}
    finally:
        process.kill()
        process.wait()
