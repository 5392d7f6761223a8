"""The API over TLS: versions, requests of every size, reload of the certificate, what is refused."""
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness.expect import eventually
from harness.server import StartError

KEY = "test-operator-key-0123456789abcdef"


def trusting(certificates, least=None, most=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificates.ca)
    if least:
        context.minimum_version = least
    if most:
        context.maximum_version = most
    return context


class Connection:
    """One TLS connection that sends requests and reads their answers."""

    def __init__(self, port, context):
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname="localhost")
        self.left = b""

    def send(self, method, path, body=b"", close=False):
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
        head += f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\n{'Connection: close' if close else 'X-A: b'}\r\n\r\n"
        self.socket.sendall(head.encode() + body)

    def more(self):
        got = self.socket.recv(65536)
        assert got, "the connection ended"
        self.left += got

    def answer(self):
        while b"\r\n\r\n" not in self.left:
            self.more()
        head, _, self.left = self.left.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        length = int(fields.get("Content-Length", 0))
        while len(self.left) < length:
            self.more()
        body, self.left = self.left[:length], self.left[length:]
        return int(head.split()[1]), fields, body

    def ask(self, *args, **options):
        self.send(*args, **options)
        return self.answer()

    def serial(self):
        return ssl.DER_cert_to_PEM_cert(self.socket.getpeercert(binary_form=True))


def plain(port, request):
    """What comes back for these bytes on a plain socket, until the server closes."""
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(request)
        got = b""
        while True:
            try:
                some = s.recv(65536)
            except ConnectionResetError:
                return got
            if not some:
                return got
            got += some


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_that_are_accepted(tls_server, certificates, version):
    running = tls_server()
    connection = Connection(running.port, trusting(certificates, version, version))
    assert connection.socket.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
    for _ in range(3):  # one connection, several requests
        status, _, body = connection.ask("GET", "/v1/webhooks")
        assert status == 200 and "data" in json.loads(body)
    assert f"listening on https://127.0.0.1:{running.port}" in running.text()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_versions_are_refused(tls_server, certificates):
    running = tls_server()
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        context = trusting(certificates, version, version)
        context.set_ciphers("ALL:@SECLEVEL=0")  # so that it is the server who refuses
        with pytest.raises(ssl.SSLError) as refused:
            Connection(running.port, context)
        assert "PROTOCOL_VERSION" in str(refused.value).upper().replace(" ", "_"), refused.value
    assert Connection(running.port, trusting(certificates)).ask("GET", "/readyz")[0] in (200, 204)


@pytest.mark.parametrize("cipher", ["AES128-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256",
                                    "ECDHE-ECDSA-AES128-SHA"])
def test_ciphers_without_forward_secrecy_or_aead_are_refused(tls_server, certificates, cipher):
    running = tls_server()
    context = trusting(certificates, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        Connection(running.port, context)


def test_alpn(tls_server, certificates):
    running = tls_server()
    other = trusting(certificates)
    other.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        Connection(running.port, other)
    context = trusting(certificates)
    context.set_alpn_protocols(["h2", "http/1.1"])
    assert Connection(running.port, context).socket.selected_alpn_protocol() == "http/1.1"


def test_plain_http_is_told(tls_server):
    running = tls_server()
    got = plain(running.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 400 ") and b"https" in got and b"Connection: close" in got
    # neither HTTP nor TLS: closed, with at most an alert
    assert len(plain(running.port, b"\x00\x01\x02\x03\x04\x05" * 20)) < 16


def test_bodies_and_pipelines(tls_server, certificates):
    """Bodies above a record, above a read block and above the kernel's buffers; requests that wait behind others."""
    running = tls_server()
    connection = Connection(running.port, trusting(certificates))
    for size in (1, 8000, 8192, 16384, 16385, 70000, 250000):
        event = json.dumps({"type": "a.b", "data": {"x": "y" * size}}).encode()
        status, _, body = connection.ask("POST", "/v1/events", event)
        assert status == 202, (size, body[:300])
        made = json.loads(body)
        status, _, body = connection.ask("GET", f"/v1/events/{made['id']}")
        assert status == 200 and json.loads(body)["data"] == {"x": "y" * size}
    # 300 at once: the requests fit into the kernel's buffers, the 15 MB of answers do not
    for n in range(300):
        connection.send("GET", f"/v1/events/{made['id']}" if n < 60 else "/readyz")
    for n in range(300):
        status, _, body = connection.answer()
        assert status in (200, 204)
        assert n >= 60 or json.loads(body)["data"] == {"x": "y" * 250000}
    status, fields, _ = connection.ask("GET", "/readyz", close=True)
    assert fields["Connection"] == "close"
    assert connection.socket.recv(10) == b""  # good-bye, not a cut: a cut would raise SSLEOFError


def test_chunked_and_dripped(tls_server, certificates):
    """One byte a record."""
    running = tls_server()
    connection = Connection(running.port, trusting(certificates))
    body = b'{"type":"a.b","data":{}}'
    head = f"POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\nTransfer-Encoding: chunked\r\n"
    head += "Content-Type: application/json\r\n\r\n"
    for byte in head.encode() + b"".join(b"1\r\n%c\r\n" % b for b in body) + b"0\r\n\r\n":
        connection.socket.sendall(bytes([byte]))
    assert connection.answer()[0] == 202


def test_a_silent_handshake_ends(tls_server):
    """The limit of a head, 10 s, not that of an idle connection."""
    running = tls_server()
    with socket.create_connection(("127.0.0.1", running.port), 20) as s:
        assert s.recv(10) == b""


def test_reload_swaps_the_certificate(tls_server, certificates):
    running = tls_server()
    context = trusting(certificates)
    old = Connection(running.port, context)
    first = old.serial()
    for source, to in zip(certificates.issue(), (running.cert, running.key_file)):
        shutil.copy(source, to)
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: "configuration reloaded" in running.text(), 10)
    fresh = Connection(running.port, context)
    assert fresh.serial() != first and fresh.ask("GET", "/readyz")[0] in (200, 204)
    assert old.ask("GET", "/readyz")[0] in (200, 204)  # and the old connection lives


def test_reload_under_load_drops_nothing(tls_server, certificates):
    running = tls_server()
    context, failures, stop = trusting(certificates), [], threading.Event()

    def work():
        try:
            connection = Connection(running.port, context)
            while not stop.is_set():
                status, _, _ = connection.ask("POST", "/v1/events", b'{"type":"a.b","data":{}}')
                assert status == 202
        except Exception as error:  # noqa: BLE001: any failure is the finding
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(5):
        for source, to in zip(certificates.issue(), (running.cert, running.key_file)):
            shutil.copy(source, to)
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: running.text().count("configuration reloaded") > n, 10)  # pylint: disable=cell-var-from-loop
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures


@pytest.mark.parametrize("damage", ["not PEM", "other key", "missing", "empty"])
def test_a_bad_certificate_keeps_the_old_one(tls_server, certificates, damage):
    running = tls_server()
    context = trusting(certificates)
    first = Connection(running.port, context).serial()
    if damage == "not PEM":
        running.cert.write_text("hello\n")
    elif damage == "other key":
        shutil.copy(certificates.issue()[1], running.key_file)
    elif damage == "missing":
        running.cert.unlink()
    else:
        running.key_file.write_text("")
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: "reload refused" in running.text(), 10)
    line = next(line for line in running.text().splitlines() if "reload refused" in line)
    assert ("api.pem" if damage in ("not PEM", "missing") else "api.key") in line, line
    connection = Connection(running.port, context)
    assert connection.serial() == first and connection.ask("GET", "/readyz")[0] in (200, 204)


def test_refused_at_start(server, certificates, tmp_path):
    cert, key = certificates.issue()
    other = certificates.issue()[1]
    locked, cut = tmp_path / "locked.key", tmp_path / "cut.key"
    cut.write_bytes(key.read_bytes()[:-60])
    certificates._openssl("pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", locked)  # pylint: disable=protected-access
    for flags, why in ((["--tls-cert", cert], "--tls-key"), (["--tls-key", key], "--tls-cert"),
                       (["--tls-cert", cert, "--tls-key", other], "does not belong"),
                       (["--tls-cert", cert, "--tls-key", "/none/such"], "/none/such"),
                       (["--tls-cert", cert, "--tls-key", cut], "a damaged one"),
                       (["--tls-cert", cert, "--tls-key", locked], "passphrase")):
        with pytest.raises(StartError) as refused:
            server(flags=[str(flag) for flag in flags])
        assert why in str(refused.value) and refused.value.status == 64


@pytest.mark.parametrize("begin,end,said", [("20200101000000Z", "20210101000000Z", "has expired"),
                                            ("20900101000000Z", "20910101000000Z", "is not valid yet")])
def test_a_certificate_out_of_its_time_is_told(server, certificates, begin, end, said):
    """At start and again at each reload; the server serves, since its clients may still want it."""
    cert, key = certificates.dated(begin, end)
    running = server(flags=["--tls-cert", str(cert), "--tls-key", str(key)])
    assert running.text().count(f"certificate {said}") == 1
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: running.text().count(f"certificate {said}") == 2, 10)


def test_a_key_that_everybody_can_read_is_told(server, certificates, tmp_path):
    cert, key = certificates.issue()
    admin = tmp_path / "admin.key"
    admin.write_text("test-operator-key-0123456789abcdef\n")
    for mode, told in ((0o600, 0), (0o640, 0), (0o644, 2)):
        key.chmod(mode)
        admin.chmod(mode)
        running = server(flags=["--tls-cert", str(cert), "--tls-key", str(key)], admin_key=None,
                         env={"TENTERHOOK_ADMIN_KEY_FILE": str(admin)})
        assert running.text().count("open to every user") == told, (mode, running.text())


def test_warnings_of_the_configuration_are_in_the_log_that_it_asks_for(server, certificates):
    """In its form and from its level on, although they are found before the log is set up."""
    cert, key = certificates.dated("20200101000000Z", "20210101000000Z")
    key.chmod(0o644)
    for level, told in (("warn", ["chmod o=", "has expired"]), ("error", [])):
        running = server(flags=["--tls-cert", str(cert), "--tls-key", str(key), "--log-format", "logfmt", "--log-level", level])
        lines = [line for line in running.text().splitlines() if "level" in line]
        assert all(line.startswith("time=") for line in lines), lines
        assert [what for what in ("chmod o=", "has expired") if any(what in line for line in lines)] == told


@pytest.mark.parametrize("content", ["", "hello\n", "another kind"])
def test_what_is_wrong_with_a_file_is_said(server, certificates, tmp_path, content):
    cert, key = certificates.issue()
    wrong = tmp_path / "wrong"
    for flags, kind, other in ((["--tls-cert", wrong, "--tls-key", key], "certificate", key),
                               (["--tls-cert", cert, "--tls-key", wrong], "key", cert)):
        wrong.write_text(other.read_text() if content == "another kind" else content)
        with pytest.raises(StartError) as refused:
            server(flags=[str(flag) for flag in flags])
        assert re.search(rf"wrong: not a usable TLS {kind} .*: the file has none in PEM form", str(refused.value))


def test_stop_answers_what_is_under_way(tls_server, certificates):
    running = tls_server()
    connection = Connection(running.port, trusting(certificates))
    assert connection.ask("GET", "/readyz")[0] in (200, 204)
    assert running.stop() == 0
    assert connection.socket.recv(10) == b""  # an idle connection gets a good-bye


def test_a_flood_of_key_updates_ends(tls_server, certificates):
    """`K` makes s_client change its keys and ask the server to do the same."""
    running = tls_server()
    client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{running.port}", "-tls1_3", "-CAfile", str(certificates.ca)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for _ in range(200):
            client.stdin.write("K\n")
            client.stdin.flush()
            time.sleep(0.01)  # one command a read
            if client.poll() is not None:
                break
    except BrokenPipeError:
        pass
    finally:
        said, _ = client.communicate(timeout=60) if client.poll() is None else (client.stdout.read(), None)
    assert 10 < said.count("KEYUPDATE") < 60, said[-500:]
    assert Connection(running.port, trusting(certificates)).ask("GET", "/readyz")[0] in (200, 204)
