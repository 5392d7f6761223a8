"""TLS of an endpoint's own: receivers that demand a client certificate, authorities that only one endpoint trusts, and what must not be mixed."""
import base64
import json
import re
import ssl
import subprocess

import pytest

from harness.command import tenterhook
from harness.expect import deliveries, eventually, problem
from harness.receiver import Receiver


@pytest.fixture(scope="session")
def partners(certificates, tmp_path_factory):
    """Another authority: that of a receiver's own network."""
    return type(certificates)(tmp_path_factory.mktemp("partners"))


class Demanding(Receiver):
    """Notes the certificate of each connection's client, DER."""

    def __init__(self, tls, **options):
        self.peers = {}
        super().__init__(tls=tls, **options)

    def _talk(self, connection, number, accepted):
        self.peers[number] = connection.getpeercert(binary_form=True)
        super()._talk(connection, number, accepted)

    def shown(self):
        return [self.peers[request.connection] for request in self.requests]


def demanding(server_side, clients, version=None, mode=ssl.CERT_REQUIRED):
    context = server_side.context()
    context.verify_mode = mode
    context.load_verify_locations(clients.ca)
    if version:
        context.minimum_version = context.maximum_version = version
    return Demanding(context)


def identity(authority):
    """tls of an endpoint, and the certificate in DER."""
    cert, key = authority.issue()
    return {"certificate": cert.read_text(), "key": key.read_text()}, ssl.PEM_cert_to_DER_cert(cert.read_text())


def last_attempt(tenant, hook):
    row = eventually(lambda: [row for row in deliveries(tenant, endpoint=hook["id"]) if row["status"] != "pending"])[0]
    return row, tenant.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][0]


@pytest.fixture
def trusting(server, certificates):
    """A server that trusts the tests' authority."""
    return server(flags=["--ca-file", str(certificates.ca)])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_receiver_that_demands_a_certificate(trusting, certificates, partners, version):
    api = trusting.api
    with demanding(certificates, partners, version) as target:
        good, der = identity(partners)
        wrong, _ = identity(certificates)
        make = lambda **more: api.post("/v1/webhooks", {"url": target.url(), "timeout_seconds": 5, **more}).expect(201).json  # noqa: E731
        hooks = {"good": make(tls=good), "wrong": make(tls=wrong), "none": make()}
        api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
        assert last_attempt(api, hooks["good"])[0]["status"] == "delivered" and target.shown() == [der]
        attempt = last_attempt(api, hooks["wrong"])[1]
        assert attempt["outcome"] == "client_certificate_error", attempt
        assert "does not accept the client certificate" in attempt["detail"], attempt
        attempt = last_attempt(api, hooks["none"])[1]
        assert attempt["outcome"] == "tls_error" and "client certificate" in attempt["detail"], attempt
        rows = api.get("/v1/deliveries?outcome=client_certificate_error").expect(200).json["data"]
        assert [row["endpoint"] if isinstance(row["endpoint"], str) else row["endpoint"]["id"] for row in rows] == [hooks["wrong"]["id"]]
        assert 'tenterhook_attempts_total{outcome="client_certificate_error"} 1' in api.get("/metrics").body.decode()


def test_an_authority_of_its_own(server, trusting, certificates, partners):
    """It is trusted for this endpoint alone, and for this endpoint no other is."""
    api = trusting.api
    with Receiver(tls=partners.context()) as private, Receiver(tls=certificates.context()) as known:
        ca = partners.ca.read_text()
        make = lambda target, **more: api.post("/v1/webhooks", {"url": target.url(), "timeout_seconds": 5, **more}).expect(201).json  # noqa: E731
        pinned, other, elsewhere = make(private, tls={"ca": ca}), make(private), make(known, tls={"ca": ca})
        plain = make(known)
        api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
        assert last_attempt(api, pinned)[0]["status"] == last_attempt(api, plain)[0]["status"] == "delivered"
        for hook in (other, elsewhere):
            attempt = last_attempt(api, hook)[1]
            assert attempt["outcome"] == "tls_error" and "certificate:" in attempt["detail"], attempt
        assert len(private.requests) == len(known.requests) == 1


def test_connections_are_not_shared_between_identities(trusting, certificates, partners):
    """Two endpoints of a tenant with one URL: each request comes with its own endpoint's certificate, over kept connections."""
    api = trusting.api
    with demanding(certificates, partners, mode=ssl.CERT_OPTIONAL) as target:
        (one, der_one), (two, der_two) = identity(partners), identity(partners)
        make = lambda path, **more: api.post("/v1/webhooks", {"url": target.url(path), "max_in_flight": 1, **more}).expect(201).json  # noqa: E731
        make("/one", tls=one), make("/two", tls=two), make("/none")
        for n in range(6):
            api.post("/v1/events", {"type": "a.b", "data": n}).expect(202)
            target.wait_for(3 * (n + 1))
        of = {"/one": der_one, "/two": der_two, "/none": None}
        assert [target.peers[r.connection] for r in target.requests] == [of[r.target] for r in target.requests]
        assert target.connections == 3, "each identity kept one connection"


def test_a_change_holds_from_the_next_request_on(trusting, certificates, partners):
    api = trusting.api
    with demanding(certificates, partners) as target:
        (one, der_one), (two, der_two) = identity(partners), identity(partners)
        hook = api.post("/v1/webhooks", {"url": target.url(), "tls": one}).expect(201).json
        api.post("/v1/events", {"type": "a.b", "data": 1}).expect(202)
        target.wait_for(1)
        api.patch(f"/v1/webhooks/{hook['id']}", {"tls": two}).expect(200)
        api.post("/v1/events", {"type": "a.b", "data": 2}).expect(202)
        target.wait_for(2)
        assert target.shown() == [der_one, der_two]
        api.patch(f"/v1/webhooks/{hook['id']}", {"tls": None}).expect(200)
        event = api.post("/v1/events", {"type": "a.b", "data": 3}).expect(202).json["id"]
        row = eventually(lambda: [row for row in deliveries(api, event=event) if row["attempt_count"]])[0]
        assert row["last_attempt"]["outcome"] == "tls_error"


def test_settings(server, certificates, partners):
    running = server()
    running.api.put("/v1/tenants/acme", {"name": "A", "dialect": "standard"}).expect(201)
    acme = running.api.as_tenant("acme")
    own, _ = identity(partners)
    tls = {"ca": certificates.ca.read_text(), **own}
    hook = acme.post("/v1/webhooks", {"url": "https://127.0.0.1:9443/x", "tls": tls}).expect(201).json
    path = f"/v1/webhooks/{hook['id']}"
    assert hook["tls"] == tls and hook["client_certificate"]["subject"] == "CN=receiver"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", hook["client_certificate"]["expires_at"])
    read = running.api.post("/v1/tenants/acme/keys", {"scopes": ["webhooks:read"]}).expect(201).json["key"]
    shown = running.api.with_key(read).get(path).expect(200).json
    assert shown["tls"] == tls | {"key": "***"} and shown["client_certificate"] == hook["client_certificate"]
    assert acme.patch(path, {"tls": {"ca": None}}).expect(200).json["tls"] == own
    assert "tls" not in acme.patch(path, {"tls": {"certificate": None, "key": None}}).expect(200).json
    acme.patch(path, {"tls": tls}).expect(200)
    running.kill()
    running.start()
    assert running.api.as_tenant("acme").get(path).expect(200).json["tls"] == tls
    running.stop()
    files = b"".join(path.read_bytes() for path in running.data.rglob("*") if path.is_file())
    secret = "".join(own["key"].split("\n")[1:-2])
    assert secret.encode() not in files and base64.b64decode(secret) not in files and b"PRIVATE KEY" not in files


def test_a_mistake_says_where(tenant, certificates, partners, tmp_path):
    own, _ = identity(partners)
    other, _ = identity(partners)
    locked = subprocess.run(["openssl", "pkey", "-aes256", "-passout", "pass:x"], input=own["key"].encode(), capture_output=True, check=True).stdout.decode()
    weak = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:512", "-nodes", "-subj", "/CN=w", "-keyout", tmp_path / "k", "-out", "-"], capture_output=True, check=False).stdout.decode()
    old = certificates.dated("20200101000000Z", "20200201000000Z")
    cases = [
        ({"certificate": own["certificate"]}, "/tls/key", "belong together"),
        ({"key": own["key"]}, "/tls/certificate", "belong together"),
        (own | {"key": other["key"]}, "/tls/key", "does not belong"),
        (own | {"key": locked}, "/tls/key", "passphrase"),
        (own | {"key": "***"}, "/tls/key", "masked"),
        (own | {"key": "no key"}, "/tls/key", "PEM"),
        (own | {"certificate": "no certificate"}, "/tls/certificate", "PEM"),
        (own | {"certificate": own["certificate"].replace("MII", "MIJ", 1)}, "/tls/certificate", "no. 1"),
        ({"ca": certificates.ca.read_text() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, "/tls/ca", "no. 2"),
        ({"ca": own["key"]}, "/tls/ca", "no certificate"),
        ({"ca": ""}, "/tls/ca", "empty"),
        ({"certificate": old[0].read_text(), "key": old[1].read_text()}, "/tls/certificate", "expired"),
        ({"verify": False}, "/tls/verify", "not a field"),
    ]
    if "BEGIN CERTIFICATE" in weak:
        cases.append(({"certificate": weak, "key": (tmp_path / "k").read_text()}, "/tls/certificate", "cannot be used"))
    for tls, pointer, word in cases:
        answer = problem(tenant.post("/v1/webhooks", {"url": "https://127.0.0.1:9443/x", "tls": tls}), 422)
        assert [fault["pointer"] for fault in answer["errors"]] == [pointer] and word in answer["errors"][0]["detail"], (tls, answer)
    answer = problem(tenant.post("/v1/webhooks", {"url": "http://127.0.0.1:9443/x", "tls": own}), 422)
    assert answer["errors"][0]["pointer"] == "/tls" and "https" in answer["errors"][0]["detail"]


def test_on_the_command_line(cli, partners, tmp_path):
    own, _ = identity(partners)
    for name, text in own.items():
        (tmp_path / name).write_text(text)
    made = json.loads(cli("endpoints", "create", "https://127.0.0.1:9443/x", "--tls-certificate", tmp_path / "certificate", "--tls-key", tmp_path / "key",
                          "--tls-ca", partners.ca, "--json").expect(0).out)
    assert made["tls"] == own | {"ca": partners.ca.read_text()}
    changed = json.loads(cli("endpoints", "update", made["id"], "--tls-ca", "", "--json").expect(0).out)
    assert changed["tls"] == own


def test_the_end_of_a_certificate_is_told_ahead(server, receiver, certificates, partners):
    """Once for each mark that it passes, to the operator and to the endpoints of the tenant that ask for it; and counted."""
    running, operator, owner = server(), receiver(), receiver()
    api = running.api
    api.as_tenant("operator").post("/v1/webhooks", {"url": operator.url(), "events": ["endpoint.certificate_expiring"]}).expect(201)
    api.post("/v1/webhooks", {"url": owner.url(), "events": ["webhook.endpoint_certificate_expiring"]}).expect(201)
    near, _ = identity(partners)  # two days
    cert, key = certificates.issue(days=200)
    hook = api.post("/v1/webhooks", {"url": "https://127.0.0.1:9443/x", "tls": near, "active": False}).expect(201).json
    api.post("/v1/webhooks", {"url": "https://127.0.0.1:9443/y", "tls": {"certificate": cert.read_text(), "key": key.read_text()}, "active": False}).expect(201)
    told = json.loads(operator.wait_for(1)[0].body)
    data = told["data"]
    assert told["type"] == "endpoint.certificate_expiring" and data["tenant"] == "default" and data["endpoint"] == hook["id"]
    assert data["expires_at"] == hook["client_certificate"]["expires_at"] and data["subject"] == "CN=receiver"
    data = json.loads(owner.wait_for(1)[0].body)["data"]
    assert data["endpoint"] == hook["id"] and "tenant" not in data
    counted = lambda: re.search(r"^tenterhook_client_certificates_expiring (\d+)$", api.get("/metrics").body.decode(), re.M).group(1)  # noqa: E731
    eventually(lambda: counted() == "1")
    path = f"/v1/webhooks/{hook['id']}"
    api.patch(path, {"description": "x"}).expect(200)
    api.patch(path, {"tls": {"certificate": cert.read_text(), "key": key.read_text()}}).expect(200)
    eventually(lambda: counted() == "0")
    assert len(operator.requests) == len(owner.requests) == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_doctor_reaches_it_as_deliveries_do(trusting, certificates, partners, version, tmp_path):
    """With the endpoint's own authorities and client certificate, and it names what it uses."""
    api = trusting.api
    env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{trusting.port}", "TENTERHOOK_KEY": trusting.admin_key}

    def doctor(hook, key=None):
        ran = tenterhook("doctor", hook["id"], "--json", env={**env, **({"TENTERHOOK_KEY": key} if key else {})})
        return {(row["verdict"], row["text"]) for row in ran.json if row["check"] == "1 accessible"}
    with demanding(partners, partners, version) as target:
        good, _ = identity(partners)
        wrong, _ = identity(certificates)
        ca = partners.ca.read_text()
        make = lambda **more: api.post("/v1/webhooks", {"url": target.url(), **more}).expect(201).json  # noqa: E731
        said = doctor(make(tls={**good, "ca": ca}, authentication={"type": "basic", "username": "ana", "password": "pw"}))
        assert any("certificate good for" in text for _, text in said), said
        assert any("with its client certificate, CN=" in text for _, text in said), said
        assert any("own authorities alone" in text for _, text in said) and any("HTTP Basic, user ana" in text for _, text in said)
        assert not [row for row in said if "pw" in row[1] or row[0] == "fail"], said
        assert any(verdict == "fail" and "certificate: " in text for verdict, text in doctor(make(tls=good))), "an authority that it does not know"
        for more in ({"tls": {**wrong, "ca": ca}}, {"tls": {"ca": ca}}):
            assert any(verdict == "fail" for verdict, _ in doctor(make(**more))), more
        key = api.post("/v1/tenants/default/keys", {"scopes": ["webhooks:read"]}).expect(201).json["key"]
        assert any("may not read it" in text for _, text in doctor(make(tls={**good, "ca": ca}), key))
        assert target.requests == []
