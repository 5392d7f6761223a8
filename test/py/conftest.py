"""Fixtures of the black-box tests: real servers, real receivers, real sockets."""
import itertools
import pathlib
import shutil
import ssl
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness.command import Terminal, tenterhook  # noqa: E402
from harness.deliver import Loop, running  # noqa: E402
from harness.receiver import Receiver  # noqa: E402
from harness.server import Server, binary_path, sanitized  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "release(also=False): needs the release build, since sanitizers change memory, time and "
                                       "system calls; with also=True it runs on every build. tools/run-tests --release runs "
                                       "these tests on it")


def pytest_collection_modifyitems(config, items):
    """Without a built server nothing can run, and that is a failure, not a skip. Tests for the release build are left out on
    any other."""
    if items and not binary_path().exists():
        raise pytest.UsageError(f"{binary_path()} is not built: run make test, or set TENTERHOOK_BUILD")
    if items and sanitized():
        marks = [(item, item.get_closest_marker("release")) for item in items]
        release = [item for item, mark in marks if mark and not mark.kwargs.get("also")]
        config.hook.pytest_deselected(items=release)
        items[:] = [item for item in items if item not in release]


@pytest.fixture
def server(tmp_path):
    """A factory: server() starts one on a new data directory, server(data=...) on a given one. Options are those of
    harness.server.Server; start=False leaves the start to the test. All are killed when the test ends."""
    servers, numbers = [], itertools.count(1)

    def make(data=None, start=True, **options):
        made = Server(data or tmp_path / f"data{next(numbers)}", **options)
        servers.append(made)
        return made.start() if start else made

    yield make
    for made in servers:
        made.kill()
    for made in servers:
        made.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One server for the tests of a module that do not stop it or count its objects."""
    with Server(tmp_path_factory.mktemp("shared")) as made:
        yield made


@pytest.fixture
def receiver():
    """A factory: receiver() or receiver(answer=...) gives a recording receiver; see harness.receiver."""
    receivers = []

    def make(*args, **options):
        receivers.append(Receiver(*args, **options))
        return receivers[-1]

    yield make
    for made in receivers:
        made.close()


@pytest.fixture
def api(server):
    """The operator's client of a fresh server in development mode."""
    return server().api


class Certificates:
    """A CA of this test run and certificates that it signs, made with the openssl command."""

    def __init__(self, folder):
        self.folder, self.numbers = folder, itertools.count(1)
        self.ca, self.ca_key = folder / "ca.pem", folder / "ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", "/CN=tests", "-addext", "basicConstraints=critical,CA:TRUE",
                      "-keyout", self.ca_key, "-out", self.ca)

    def issue(self, names="IP:127.0.0.1,DNS:localhost", days=2, signed=True):
        """(certificate file, key file) for subject alternative names; signed=False: by itself, not by the CA."""
        stem = self.folder / f"leaf{next(self.numbers)}"
        cert, key = stem.with_suffix(".pem"), stem.with_suffix(".key")
        issuer = ["-CA", self.ca, "-CAkey", self.ca_key] if signed else []
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-days", str(days), "-subj", "/CN=receiver", "-addext", f"subjectAltName={names}",
                      "-addext", "basicConstraints=critical,CA:FALSE", *issuer, "-keyout", key, "-out", cert)
        return cert, key

    def dated(self, begin, end):
        """(certificate file, key file) that is valid between two times, YYYYMMDDHHMMSSZ. `req` knows only days from now."""
        cert, key = self.issue()
        request, config = cert.with_suffix(".csr"), cert.with_suffix(".cnf")
        config.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={cert.with_suffix('.index')}\nnew_certs_dir={self.folder}\n"
                          "rand_serial=yes\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n"
                          "[e]\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n")
        cert.with_suffix(".index").write_text("")
        self._openssl("req", "-new", "-key", key, "-subj", "/CN=receiver", "-out", request)
        self._openssl("ca", "-batch", "-config", config, "-cert", self.ca, "-keyfile", self.ca_key, "-startdate", begin,
                      "-enddate", end, "-notext", "-in", request, "-out", cert)
        return cert, key

    def context(self, **options):
        """A server-side TLS context with a certificate of issue(**options)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(**options))
        return context

    @staticmethod
    def _openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A CA for TLS receivers; certificates.ca is the file for the server's trust."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def tls_receiver(receiver, certificates):
    """A factory like receiver, over TLS with a certificate for 127.0.0.1 and localhost; options of
    Certificates.issue go in `cert`."""
    return lambda cert=None, **options: receiver(tls=certificates.context(**(cert or {})), **options)


@pytest.fixture
def tls_server(server, certificates, tmp_path):
    """A server whose certificate files may be replaced: server.cert, server.key_file."""
    def make(**options):
        cert, key = tmp_path / "api.pem", tmp_path / "api.key"
        for source, to in zip(certificates.issue(), (cert, key)):
            shutil.copy(source, to)
        made = server(flags=["--tls-cert", str(cert), "--tls-key", str(key), *options.pop("flags", [])], **options)
        made.cert, made.key_file = cert, key
        return made
    return make


@pytest.fixture
def cli(server):
    """cli(*args) runs a command against a fresh server; cli.server is that server."""
    running = server()

    def run(*args, **options):
        env = {"TENTERHOOK_SERVER": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": running.admin_key}
        env.update(options.pop("env", {}))
        return tenterhook(*args, env=env, **options)

    run.server, run.api = running, running.api
    return run


@pytest.fixture
def terminal():
    running = []

    def make(*args, **options):
        running.append(Terminal(*args, **options))
        return running[-1]
    yield make
    for one in running:
        one.close()


@pytest.fixture
def tenant(shared):
    """A client that acts for a new tenant of its own on the module's shared server (dialect standard)."""
    name = f"t{next(_tenant_numbers)}"
    shared.api.put(f"/v1/tenants/{name}", {"name": f"Tenant {name}", "dialect": "standard"}).expect(201)
    return shared.api.as_tenant(name)


_tenant_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def deliver():
    """One program for all tests that give no options: each has a port, and so connections, of its own."""
    with running() as program:
        yield program


@pytest.fixture(scope="module")
def net():
    loop = Loop()
    yield loop
    loop.stop()
