"""Tenants of each dialect on servers for tests of the management API.

The fixtures are imported by the test files that use them, so that each such file has servers of its own.
"""
import itertools

import pytest

from .client import Api
from .expect import deliveries, eventually
from .server import ROOT, Server

DIALECTS = ["standard", "taskboard", "techwriter", "tiro", "tsanet"]
SCOPES = ["events:publish", "webhooks:read", "webhooks:manage"]
DELAYS = {"taskboard": "delays: [60, 300, 1800]", "techwriter": "delays: [5, 30, 300, 1800]", "tsanet": "delays: [10, 60, 300]",
          "tiro": "delays: [15, 30, 300, 1800, 7200]"}
ADDRESSES = ["203.0.113.0/24", "198.51.100.0/24"]

_numbers = itertools.count(1)


def config(folder):
    """Flags for a server that knows each dialect by a host name (taskboard.example) and has source addresses."""
    path = folder / "config.yaml"
    path.write_text("hosts:\n" + "".join(f"  {name}.example: {name}\n" for name in DIALECTS)
                    + "source_addresses:\n" + "".join(f"  - {one}\n" for one in ADDRESSES))
    return ["--config", str(path)]


def quick(folder, **more):
    """Flags for a server whose dialects are the built-in ones with delays of one second, and those in `more` (name: text)."""
    dialects = folder / "dialects"
    dialects.mkdir()
    for name, delays in DELAYS.items():
        text = dialect_text(name)
        assert delays in text
        (dialects / f"{name}.yaml").write_text(text.replace(delays, f"delays: [{', '.join('1' * (delays.count(',') + 1))}]"))
    for name, text in more.items():
        (dialects / f"{name}.yaml").write_text(text)
    return ["--dialects", str(dialects)]


def dialect_text(name):
    return (ROOT / "dialects" / f"{name}.yaml").read_text()


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    folder = tmp_path_factory.mktemp("production")
    with Server(folder / "data", environment="production", flags=config(folder)) as made:
        yield made


@pytest.fixture(scope="module")
def development(tmp_path_factory):
    folder = tmp_path_factory.mktemp("development")
    with Server(folder / "data", flags=config(folder)) as made:
        yield made


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    """Development with delays of one second, and a dialect that never shows secrets."""
    folder = tmp_path_factory.mktemp("fast")
    flags = quick(folder, silent=dialect_text("taskboard").replace("readable: always", "readable: never"))
    with Server(folder / "data", flags=config(folder) + flags) as made:
        yield made


@pytest.fixture(scope="module")
def secure(tmp_path_factory, certificates):
    """As `fast`, trusting the tests' CA, for a dialect that takes https only."""
    folder = tmp_path_factory.mktemp("secure")
    with Server(folder / "data", flags=config(folder) + quick(folder) + ["--ca-file", str(certificates.ca)]) as made:
        yield made


class World:
    """A tenant of a dialect on one server and its keys. `names` maps text of an example to text of this run."""

    def __init__(self, server, dialect, **more):
        self.server, self.dialect, self.operator = server, dialect, server.api
        self.name, self.names = f"{dialect}-{next(_numbers)}", {}
        self.operator.put(f"/v1/tenants/{self.name}", {"name": self.name, "dialect": dialect, **more}).expect(201)
        self.api, self.manage, self.read = self.key(SCOPES), self.key(["webhooks:manage"]), self.key(["webhooks:read"])

    def key(self, scopes):
        made = self.operator.post(f"/v1/tenants/{self.name}/keys", {"scopes": scopes}).expect(201).json
        return Api(self.server.port, made["key"])

    def webhook(self, body):
        return self.api.post("/v1/webhooks", body).expect(200, 201).json

    def publish(self, kind, data=None, **more):
        return self.api.post("/v1/events", {"type": kind, "data": {} if data is None else data, **more}).expect(202).json

    def deliveries(self, **filters):
        return deliveries(self.api, **filters)

    def ended(self, event, status="delivered", timeout_s=40):
        """The first delivery of an event, when it has this status."""
        rows = lambda: [row for row in self.deliveries(event=event["id"]) if row["status"] == status]  # noqa: E731
        return eventually(rows, timeout_s, f"delivery of {event['id']} {status}")[0]
