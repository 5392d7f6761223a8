"""The HTTP client over TLS: who is believed, what is resumed, peers that misbehave."""
import asyncio
import contextlib
import os
import pty
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness.deliver import OK, PROGRAM, answering, free_port, paced, read_request, running


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority and certificates of several kinds, made by the openssl command."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl command")
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    def key(name):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")

    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=db\nunique_subject=no\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n"
        "copy_extensions=copy\n[p]\ncommonName=optional\n[req]\ndistinguished_name=n\n[n]\n")
    (folder / "db").write_text("")
    (folder / "serial").write_text("01\n")
    key("ca")
    openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=Test CA", "-days", "2", "-out", "ca.pem")
    years = "20200101000000Z", "20400101000000Z"
    for name, subject, extensions, dates in (
            ("good", "good", ["subjectAltName=DNS:localhost,DNS:*.wild.example"], years),
            ("address", "address", ["subjectAltName=IP:127.0.0.1"], years),
            ("wrong", "localhost", ["subjectAltName=DNS:other.example"], years),
            ("partial", "partial", ["subjectAltName=DNS:l*.wild.example,DNS:*"], years),
            ("subject", "localhost", [], years),
            ("client", "client", ["subjectAltName=DNS:localhost", "extendedKeyUsage=clientAuth"], years),
            ("expired", "expired", ["subjectAltName=DNS:localhost"], ("20200101000000Z", "20210101000000Z")),
            ("future", "future", ["subjectAltName=DNS:localhost"], ("20390101000000Z", "20400101000000Z"))):
        key(name)
        openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={subject}",
                *(word for extension in extensions for word in ("-addext", extension)), "-out", f"{name}.csr")
        openssl("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", f"{name}.csr",
                "-startdate", dates[0], "-enddate", dates[1], "-out", f"{name}.pem")
    key("self")
    openssl("req", "-x509", "-new", "-key", "self.key", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost", "-days", "2", "-out", "self.pem")
    return folder


def context(authority, name="good"):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(authority / f"{name}.pem", authority / f"{name}.key")
    return c


@pytest.fixture(scope="module")
def secure(authority):
    with running(ca=authority / "ca.pem") as program:
        yield program


@pytest.mark.parametrize("name, host, detail", [
    ("good", "localhost", None),
    ("good", "a.wild.example", None),
    ("good", "a.b.wild.example", "certificate: host name mismatch"),
    ("address", "127.0.0.1", None),
    ("address", "localhost", "certificate: host name mismatch"),
    ("good", "127.0.0.1", "certificate: IP address mismatch"),
    ("wrong", "localhost", "certificate: host name mismatch"),
    ("subject", "localhost", "certificate: host name mismatch"),
    ("partial", "l.wild.example", "certificate: host name mismatch"),
    ("partial", "localhost", "certificate: host name mismatch"),
    ("client", "localhost", "certificate: unsuitable certificate purpose"),
    ("expired", "localhost", "certificate: expired"),
    ("future", "localhost", "certificate: not yet valid"),
    ("self", "localhost", "certificate: self-signed"),
])
def test_certificates(secure, net, authority, name, host, detail):
    seen = []

    async def handler(number, reader, writer):
        seen.append(await read_request(reader))
        writer.write(OK)
        await writer.drain()

    result = secure.ask(net.serve(handler, ssl=context(authority, name)), tls=1, host=host)
    if detail is None:
        assert (result["class"], result["status"]) == ("ok", 200) and result["times"][1] >= result["times"][0] >= 0
    else:
        assert (result["class"], result["detail"]) == ("tls_error", detail)
        assert not seen, "nothing may be sent to an unproven peer"


def test_unknown_authority_without_the_file(deliver, net, authority):
    result = deliver.ask(net.serve(answering(), ssl=context(authority)), tls=1)
    assert result["class"] == "tls_error" and result["detail"].startswith("certificate: ")


def test_tls_reuse_sessions_and_large_bodies(secure, net, authority):
    sessions = []

    async def handler(_, reader, writer):
        sessions.append(writer.get_extra_info("ssl_object").session_reused)
        while True:
            target, _, body = await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n" +
                         (b"Connection: close\r\n" if target == "/close" else b"") + b"\r\n" + b"z" * 300000)
            await writer.drain()
            if target == "/close":
                return

    port = net.serve(handler, ssl=context(authority))
    result = secure.ask(port, tls=1, size=3 << 20, body_cap=1 << 20)
    assert result["body"] == b"z" * 300000 and not result["reused"]
    assert secure.ask(port, tls=1, body_cap=1 << 20)["reused"]
    assert secure.ask(port, tls=1, body_cap=1 << 20, target="/close")["status"] == 200
    assert secure.ask(port, tls=1, body_cap=1 << 20)["status"] == 200
    assert secure.ask(port, tls=1, body_cap=1 << 20, pool=2)["status"] == 200
    assert sessions == [False, True, False], "a session is resumed within its pool key only"


@pytest.mark.parametrize("late", [False, True])
def test_surplus_bytes_close_the_connection(secure, net, authority, late):
    """Bytes behind an answer, in its record or in a later one, are never the answer to the next request."""
    poison = b"HTTP/1.1 500 Poison\r\nContent-Length: 0\r\n\r\n"

    async def handler(_, reader, writer):
        while True:
            await read_request(reader)
            writer.write(OK if late else OK + poison)
            await writer.drain()
            if late:
                await asyncio.sleep(0.02)
                writer.write(poison)
                await writer.drain()

    port = net.serve(handler, ssl=context(authority))
    for _ in range(3):
        result = secure.ask(port, tls=1)
        assert (result["status"], result["reused"]) == (200, False)
        time.sleep(0.3)


def test_tls_1_1_is_refused(secure, net, authority):
    c = context(authority)
    c.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        c.minimum_version, c.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    assert secure.ask(net.serve(answering(), ssl=c), tls=1)["class"] == "tls_error"


def test_tls_1_2(secure, net, authority):
    c = context(authority)
    c.maximum_version = ssl.TLSVersion.TLSv1_2
    port = net.serve(answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", close=True), ssl=c)
    assert [secure.ask(port, tls=1)["status"] for _ in range(3)] == [200] * 3


def test_server_that_refuses_the_name(secure, authority):
    paced("TLS: SNI alert unrecognized_name")
    c = context(authority)
    names = []

    def refuse(_, name, __):
        names.append(name)
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    def serve():  # asyncio would close without the alert
        connection, _ = listener.accept()
        with connection, contextlib.suppress(ssl.SSLError, OSError):
            c.wrap_socket(connection, server_side=True)

    c.sni_callback = refuse
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        result = secure.ask(listener.getsockname()[1], tls=1)
        thread.join()
    assert result["class"] == "tls_error" and "unrecognized name" in result["detail"]
    assert names == ["localhost"]


@pytest.mark.parametrize("certificate, host, sent", [("address", "127.0.0.1", None), ("good", "localhost", "localhost")])
def test_an_address_is_no_name_to_send(secure, net, authority, certificate, host, sent):
    """RFC 6066 section 3: literal addresses are not sent as server names."""
    names, c = [], context(authority, certificate)
    c.sni_callback = lambda _, name, __: names.append(name)
    assert secure.ask(net.serve(answering(), ssl=c), tls=1, host=host)["status"] == 200
    assert names == [sent]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [10, 1 << 20])
def test_server_that_requires_a_client_certificate(secure, authority, version, size):
    """Under TLS 1.3 its alert comes when the client has ended its handshake and sent the request."""
    c = context(authority)
    c.verify_mode = ssl.CERT_REQUIRED
    c.maximum_version = version
    c.load_verify_locations(authority / "ca.pem")

    def serve():
        connection, _ = listener.accept()
        with connection, contextlib.suppress(ssl.SSLError, OSError):
            c.wrap_socket(connection, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        result = secure.ask(listener.getsockname()[1], tls=1, size=size)
        thread.join()
    assert (result["class"], result["status"]) == ("tls_error", 0)
    assert result["detail"] == "TLS: the server requires a client certificate"


def test_server_that_wants_a_client_certificate(secure, net, authority):
    """This one ends the connection without an alert."""
    paced("TLS: client certificate requested")
    c = context(authority)
    c.verify_mode = ssl.CERT_REQUIRED
    c.load_verify_locations(authority / "ca.pem")
    result = secure.ask(net.serve(answering(), ssl=c), tls=1)
    assert result["class"] == "tls_error" and result["status"] == 0
    assert "client certificate" in result["detail"]


def test_server_that_is_content_without_a_client_certificate(secure, net, authority):
    c = context(authority)
    c.verify_mode = ssl.CERT_OPTIONAL
    c.load_verify_locations(authority / "ca.pem")
    assert secure.ask(net.serve(answering(), ssl=c), tls=1)["status"] == 200


def test_a_request_that_was_read_is_not_repeated(secure, authority):
    """A kept connection ends when the server has read the request of it: with a closing alert or without."""
    read = []

    def serve():
        for alert in (True, False):
            connection = context(authority).wrap_socket(listener.accept()[0], server_side=True)
            for _ in range(2):
                read.append(connection.recv(4096))
                if len(read) % 2:
                    connection.sendall(OK)
            if alert:
                with contextlib.suppress(OSError):
                    connection.unwrap()
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        for pool in (1, 2):
            assert secure.ask(port, tls=1, pool=pool)["class"] == "ok"
            result = secure.ask(port, tls=1, pool=pool)
            assert (result["class"], result["fresh_retries"]) == ("connection_reset", 0)
        thread.join()
    assert len(read) == 4


def test_flood_of_key_updates(secure, authority):
    paced("TLS: renegotiation / 1,000 KeyUpdate")
    port = free_port()
    master, slave = pty.openpty()
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-tls1_3", "-cert",
                               "good.pem", "-key", "good.key"], cwd=authority, stdin=slave,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)
        key = secure.send(port, tls=1, deadline=3000)
        time.sleep(0.3)
        for _ in range(60):  # one command a line: 60 key updates
            os.write(master, b"k\n")
            time.sleep(0.005)
        result = secure.wait(key)
        assert result["class"] == "connection_reset" and "handshake messages" in result["detail"]
    finally:
        server.kill()
        server.wait()
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("answer, good", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", True),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n", True),
    (b"HTTP/1.1 200 OK\r\n\r\nOK", False),
    (b"HTTP/1.0 200 OK\r\n\r\n", False),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK", False),
], ids=["length", "chunked", "until close", "until close, empty", "short"])
@pytest.mark.parametrize("alert", [False, True])
def test_end_without_a_closing_alert(secure, authority, answer, good, alert):
    """Anybody on the way can end a TCP connection; what only its end completes is not complete then (RFC 9112, 9.8)."""
    def serve():
        connection = context(authority).wrap_socket(listener.accept()[0], server_side=True)
        connection.recv(4096)
        connection.sendall(answer)
        if alert:
            with contextlib.suppress(OSError):
                connection.unwrap()
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        result = secure.ask(listener.getsockname()[1], tls=1)
        thread.join()
    if alert and b"Length: 3" not in answer:
        good = True
    assert result["class"] == ("ok" if good else "connection_reset"), result
    assert result["body"] == (b"OK" if good and b"1.0" not in answer else b"")


@pytest.mark.parametrize("what", ["silent", "plain", "closes"])
def test_server_that_speaks_no_tls(secure, net, what):
    async def handler(_, reader, writer):
        await reader.read(10)
        if what == "plain":
            writer.write(OK)
            await writer.drain()
        if what == "silent":
            await asyncio.sleep(2)

    result = secure.ask(net.serve(handler), tls=1, connect=300)
    assert result["class"] == ("timeout" if what == "silent" else "tls_error")
    if what == "silent":
        assert result["detail"] == "timed out during the TLS handshake" and result["ms"] < 1500


def test_silent_tls_servers_do_not_hold_up_a_healthy_one(secure, net, authority):
    async def silent(_, reader, writer):
        await asyncio.sleep(6)

    bad, good = net.serve(silent), net.serve(answering(), ssl=context(authority))
    keys = [secure.send(bad, tls=1, pool=n, deadline=1500, connect=1500) for n in range(10, 210)]
    result = secure.ask(good, tls=1)
    assert result["class"] == "ok" and result["ms"] < 1450, "200 silent handshakes came first"
    assert all(secure.wait(k)["class"] == "timeout" for k in keys)


def test_storm_of_handshakes_beside_a_warm_connection(secure, net, authority):
    """A hundred handshakes at once do not stand before a request on a connection that is open: it ends while most of them are
    still under way. What counts is that order, not a time, which a busy machine would stretch."""
    cold, warm = net.serve(answering(), ssl=context(authority)), net.serve(answering())
    assert secure.ask(warm)["class"] == "ok"
    keys = [secure.send(cold, tls=1, pool=n, deadline=60000, connect=60000) for n in range(10, 110)]
    key = secure.send(warm)
    result = secure.wait(key, 60)
    with secure.changed:
        before = sum(k in secure.results for k in keys)
    assert result["reused"] and before < len(keys) // 2, f"{before} of {len(keys)} handshakes went first"
    assert all(secure.wait(k, 60)["class"] == "ok" for k in keys)


def test_unreadable_authority_file(tmp_path):
    run = subprocess.run([PROGRAM, f"ca={tmp_path}/none.pem"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert run.returncode == 2 and "none.pem" in run.stderr
