"""The commands against an API that speaks TLS, and what they say when it is the wrong way to speak."""
import json
import socket
import ssl
import threading

import pytest

from harness.command import KEY, tenterhook
from harness.expect import eventually


@pytest.fixture
def over_tls(tls_server, certificates):
    """over_tls(*args) runs a command against a TLS server that is named by its host name."""
    running = tls_server()

    def run(*args, **options):
        env = {"TENTERHOOK_SERVER": f"https://localhost:{running.port}", "TENTERHOOK_KEY": KEY,
               "TENTERHOOK_API_CA_FILE": str(certificates.ca)}
        env.update(options.pop("env", {}))
        return tenterhook(*args, env=env, **options)
    run.server = running
    return run


@pytest.fixture
def port_of():
    """A factory: port_of(handle) gives a port of loopback whose connections go to handle(socket)."""
    ears = []

    def make(handle):
        ear = socket.create_server(("127.0.0.1", 0))
        ears.append(ear)

        def serve():
            while True:
                try:
                    connection = ear.accept()[0]
                except OSError:
                    return
                with connection:
                    try:
                        handle(connection)
                    except OSError:
                        pass
        threading.Thread(target=serve, daemon=True).start()
        return ear.getsockname()[1]
    yield make
    for ear in ears:
        ear.close()


def test_every_command_that_asks_the_server(over_tls, receiver, tmp_path):
    target = receiver()
    made = over_tls("endpoints", "create", target.url(), "--event", "a.*", "--json").expect(0).json
    assert "delivered" in over_tls("send", "a.b", '{"n":1}', "--wait").expect(0).out
    delivery = over_tls("deliveries", "--json").expect(0).json["data"][0]["id"]
    assert "webhook-signature" in over_tls("attempts", delivery).expect(0).out
    assert delivery in over_tls("tail", "--for", "300ms", "--every", "100ms").expect(0).out
    over_tls("deliveries", "retry", delivery).expect(0)
    eventually(lambda: len(target.requests) == 2)
    over_tls("replay", made["id"], "--yes").expect(0)
    over_tls("endpoints", "test", made["id"]).expect(0)
    over_tls("secrets", "rotate", made["id"]).expect(0)
    over_tls("keys", "create", "default", "--scope", "events:publish").expect(0)
    over_tls("tenants").expect(0)
    assert "a.b" in over_tls("events").expect(0).out
    over_tls("export", "--to", tmp_path / "all.yaml").expect(0)
    assert "0 created, 0 changed" in over_tls("import", tmp_path / "all.yaml").expect(0).out
    rows = over_tls("doctor", made["id"], "--json").expect(0).json
    assert ("server", "ok") in [(row["check"], row["verdict"]) for row in rows]
    ran = over_tls("doctor", "--data", over_tls.server.data, "--json").expect(0)
    assert ("key", "ok") in [(row["check"], row["verdict"]) for row in ran.json]
    over_tls("endpoints", "delete", made["id"], "--yes").expect(0)


def test_the_authority_comes_as_an_option_too(over_tls, certificates):
    over_tls("tenants", "--api-ca-file", certificates.ca, env={"TENTERHOOK_API_CA_FILE": ""}).expect(0)
    for path in ("/none/such", certificates.ca_key):
        assert str(path) in over_tls("tenants", "--api-ca-file", path).expect(64).err


def test_an_authority_that_nobody_knows(over_tls):
    ran = over_tls("tenants", env={"TENTERHOOK_API_CA_FILE": ""}).expect(69)
    assert "--api-ca-file" in ran.err and "tenterhook serve" not in ran.err
    ran = over_tls("tenants", "--json", env={"TENTERHOOK_API_CA_FILE": ""}).expect(69)
    assert "--api-ca-file" in json.loads(ran.err)["error"]


@pytest.mark.parametrize("names, host", [("DNS:other.example", "localhost"), ("DNS:localhost", "127.0.0.1")])
def test_a_certificate_for_another_name(certificates, server, names, host):
    cert, key = certificates.issue(names=names)
    running = server(flags=["--tls-cert", str(cert), "--tls-key", str(key)])
    ran = tenterhook("tenants", "--server", f"https://{host}:{running.port}", "--api-ca-file", certificates.ca,
                     env={"TENTERHOOK_KEY": KEY}).expect(69)
    assert "another name" in ran.err and "--server" in ran.err


def test_the_key_does_not_leave_before_the_server_is_known(certificates, port_of):
    """A server with a certificate of nobody hears nothing of what would be asked."""
    heard, context = [], certificates.context(signed=False)

    def handle(connection):
        try:
            with context.wrap_socket(connection, server_side=True) as wrapped:
                heard.append(wrapped.recv(4096))
        except ssl.SSLError:
            heard.append(b"")
    tenterhook("tenants", "--server", f"https://localhost:{port_of(handle)}", "--api-ca-file", certificates.ca,
               env={"TENTERHOOK_KEY": KEY}).expect(69)
    assert eventually(lambda: heard) and not any(heard)


def test_plain_http_to_our_port_of_tls(over_tls):
    plain = {"TENTERHOOK_SERVER": f"http://localhost:{over_tls.server.port}"}
    assert "this port speaks TLS; write https://" in over_tls("tenants", env=plain).expect(69).err
    ran = over_tls("doctor", "--json", "--data", over_tls.server.data, env=plain).expect(1)
    row, = [row for row in ran.json if row["check"] == "server"]
    assert row["verdict"] == "fail" and "TLS" in row["text"] and "https://" in row["advice"]


def test_plain_http_to_a_port_of_tls_that_says_nothing(certificates, port_of):
    def handle(connection):
        try:
            certificates_context.wrap_socket(connection, server_side=True).close()
        except ssl.SSLError:
            pass
    certificates_context = certificates.context()
    ran = tenterhook("tenants", "--server", f"http://localhost:{port_of(handle)}", env={"TENTERHOOK_KEY": KEY}).expect(69)
    assert "this port speaks TLS; write https://" in ran.err


def test_tls_to_a_port_of_plain_http(cli):
    ran = cli("tenants", env={"TENTERHOOK_SERVER": f"https://localhost:{cli.server.port}"}).expect(69)
    assert "does not speak TLS" in ran.err and "http://" in ran.err


def test_dev_is_not_misled_by_settings_for_another_server(tmp_path):
    tenterhook("dev", "--once", env={"TMPDIR": str(tmp_path), "TENTERHOOK_SERVER": "https://hooks.example", "TENTERHOOK_KEY": "x",
                                     "TENTERHOOK_TENANT": "other", "TENTERHOOK_API_CA_FILE": "/none/such"}).expect(0)
