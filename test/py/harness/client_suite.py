"""The tests that the client of every language must pass. A test file imports all of this and has the fixtures `runner` (its runner
program) and, for the adapters, tests of its own."""
import os
import pathlib

import pytest

from . import clients
from .server import Server

__all__ = ["running", "proxy", "sink", "test_it_is_fresh", "test_conformance", "test_changed_requests_of_every_dialect", "test_vectors", "test_what_the_server_sends"]


@pytest.fixture(scope="module")
def running(tmp_path_factory, certificates):
    with Server(tmp_path_factory.mktemp("server"), flags=["--ca-file", str(certificates.ca)]) as made:
        yield made


@pytest.fixture(scope="module")
def proxy(running):
    made = clients.Proxy(running.port)
    yield made
    made.close()


@pytest.fixture(scope="module")
def sink():
    with clients.Receiver() as made:
        yield made


def test_it_is_fresh():
    """What comes from the server and the dialect files is what they say now; after a change: tools/make-clients."""
    assert clients.stale() == ""


@pytest.mark.parametrize("file", ["requests", "retries", "errors", "paging", "publisher"])
def test_conformance(file, runner, proxy, running, sink):
    clients.run_cases(file, runner, proxy, running, sink)


def test_changed_requests_of_every_dialect(runner):
    assert clients.judge_wire(runner) > 400


def test_vectors(runner):
    """The `verify` cases of vectors that others have written."""
    folder = pathlib.Path(os.environ.get("TENTERHOOK_VECTORS") or clients.ROOT.parent / "shared" / "vectors")
    if not folder.exists():
        pytest.skip("the vectors are not there: set TENTERHOOK_VECTORS")
    assert clients.judge_vectors(runner, folder) > 40


def test_what_the_server_sends(runner, running, certificates):
    with clients.Receiver(tls=certificates.context()) as sink:
        assert len(clients.judge_server(runner, running, sink)) == 18
