"""A forward proxy, from outside: what it is asked for, what goes through it, and what its own troubles mean."""
import base64
import re
import socket
import subprocess
import threading
import time

import pytest

from harness.command import tenterhook
from harness.expect import deliveries, eventually
from harness.receiver import Receiver
from harness.server import binary_path, clean_env


class Proxy:
    """Answers CONNECT: `reply(head)` gives bytes to answer with, or None: it connects and carries bytes."""

    def __init__(self, reply=None, ahead=b""):
        self.heads, self.reply, self.ahead = [], reply, ahead
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)  # the thread that accepts would keep it open
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                more = client.recv(65536)
                if not more:
                    return
                head += more
            self.heads.append(head.decode("latin-1"))
            reply = self.reply and self.reply(self.heads[-1])
            if reply is not None:
                client.sendall(reply)
                return
            host, port = re.match(r"CONNECT ([0-9.]+|\[[0-9a-f:]+\]):(\d+) ", self.heads[-1]).groups()
            with socket.create_connection((host.strip("[]"), int(port))) as upstream:
                client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 x\r\n\r\n" + self.ahead)
                one = threading.Thread(target=self._carry, args=(upstream, client), daemon=True)
                one.start()
                self._carry(client, upstream)
                one.join()

    @staticmethod
    def _carry(source, to):
        try:
            while data := source.recv(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def flags(self):
        return ["--proxy", f"http://127.0.0.1:{self.port}"]


def register(api, target, host="127.0.0.1", **more):
    return api.post("/v1/webhooks", {"url": target.url(host=host), **more}).expect(201).json


def test_it_is_asked_for_the_judged_address(server, receiver):
    """Never for a name: what the guard has judged is where the proxy goes. Connections through it are kept."""
    with Proxy() as proxy:
        running, target = server(flags=proxy.flags(), env={"TENTERHOOK_PROXY_CREDENTIALS": "user:pass word"}), receiver()
        hook = register(running.api, target, "localhost", max_in_flight=1)
        for n in range(5):
            running.api.post("/v1/events", {"type": "a.b", "data": n}).expect(202)
            target.wait_for(n + 1)
        assert target.requests[0].header("Host") == f"localhost:{target.port}"
        asked = [head for head in proxy.heads if "127.0.0.1" in head.split("\r\n")[0]]
        assert len(asked) == 1 == target.connections, proxy.heads
        assert asked[0].split("\r\n")[:3] == [f"CONNECT 127.0.0.1:{target.port} HTTP/1.1", f"Host: 127.0.0.1:{target.port}",
                                              "Proxy-Authorization: Basic " + base64.b64encode(b"user:pass word").decode()]
        assert not any("localhost" in head for head in proxy.heads)
        assert "Proxy-Authorization" not in str(target.requests[0].headers)
        row = eventually(lambda: [row for row in deliveries(running.api, endpoint=hook["id"]) if row["status"] == "delivered"])[0]
        assert row["last_attempt"]["address"].startswith("127.0.0.1") if "address" in row["last_attempt"] else True


def test_tls_is_with_the_endpoint(server, certificates):
    """The certificate is that of the endpoint's name, and its own TLS goes through as well."""
    with Proxy() as proxy, Receiver(tls=certificates.context()) as good, Receiver(tls=certificates.context(names="DNS:elsewhere.example")) as other:
        running = server(flags=[*proxy.flags(), "--ca-file", str(certificates.ca)])
        register(running.api, good)
        wrong = register(running.api, other, timeout_seconds=5)
        running.api.post("/v1/events", {"type": "a.b", "data": 1}).expect(202)
        good.wait_for(1)
        row = eventually(lambda: [row for row in deliveries(running.api, endpoint=wrong["id"]) if row["attempt_count"]])[0]
        assert row["last_attempt"]["outcome"] == "tls_error" and not other.requests
        assert len(proxy.heads) >= 2


@pytest.mark.parametrize("status", [502, 504])
def test_an_endpoint_that_the_proxy_does_not_reach(server, receiver, status):
    with Proxy(lambda head: f"HTTP/1.1 {status} Bad\r\nContent-Length: 0\r\n\r\n".encode()) as proxy:
        running, target = server(flags=proxy.flags()), receiver()
        hook = register(running.api, target)
        running.api.post("/v1/events", {"type": "a.b", "data": 1}).expect(202)
        row = eventually(lambda: [row for row in deliveries(running.api, endpoint=hook["id"]) if row["attempt_count"]])[0]
        attempt = running.api.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][0]
        assert attempt["outcome"] == "connect_error" and f"status {status}" in attempt["detail"] and not target.requests


OWN = {
    "wrong credentials": lambda head: b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
    "refused": lambda head: b"HTTP/1.1 403 Forbidden\r\n\r\n",
    "no HTTP": lambda head: b"220 smtp ready\r\n\r\n",
    "an end": lambda head: b"",
    "bytes behind it": lambda head: b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "too much": lambda head: b"HTTP/1.1 200 OK\r\nX: " + b"y" * 5000,
}


@pytest.mark.parametrize("name", OWN)
def test_its_own_troubles_are_nobodys_attempts(server, receiver, name):
    """Nothing of it counts against an endpoint, and all arrives when the proxy works."""
    with Proxy(OWN[name]) as proxy:
        running, target = server(flags=proxy.flags()), receiver()
        hook = register(running.api, target)
        running.api.post("/v1/events", {"type": "a.b", "data": 1}).expect(202)
        eventually(lambda: len(proxy.heads) >= 2)
        assert deliveries(running.api, endpoint=hook["id"])[0]["attempt_count"] == 0 and not target.requests
        proxy.reply = None
        target.wait_for(1)
        row = eventually(lambda: [row for row in deliveries(running.api, endpoint=hook["id"]) if row["status"] == "delivered"])[0]
        assert row["attempt_count"] == 1


def test_a_proxy_that_is_away(server, receiver):
    with Proxy() as proxy:
        pass
    running, target = server(flags=proxy.flags()), receiver()
    hook = register(running.api, target)
    running.api.post("/v1/events", {"type": "a.b", "data": 1}).expect(202)
    time.sleep(2)
    assert deliveries(running.api, endpoint=hook["id"])[0]["attempt_count"] == 0 and not target.requests


@pytest.mark.parametrize("url, word", [("https://127.0.0.1:3128/", "http://HOST:PORT"), ("http://127.0.0.1:3128/path", "path"), ("nonsense", "proxy"),
                                       ("http://no.such.name.invalid:3128", "resolve")])
def test_a_bad_address_is_said_at_the_start(tmp_path, url, word):
    ran = subprocess.run([str(binary_path()), "serve", "--environment", "development", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "d"),
                          "--proxy", url], capture_output=True, text=True, timeout=60, check=False, env=clean_env())
    assert ran.returncode and word in ran.stderr + ran.stdout, ran.stderr


def test_doctor_goes_through_it(tls_receiver, certificates):
    """As deliveries do: the address in CONNECT, and TLS with the endpoint behind it."""
    target = tls_receiver()

    def doctor(proxy, *more, env=None):
        ran = tenterhook("doctor", target.url(), "--ca-file", certificates.ca, "--proxy", f"http://127.0.0.1:{proxy}", "--json", *more, env=env)
        return {(row["verdict"], row["text"]) for row in ran.json}
    with Proxy() as proxy:
        said = doctor(proxy.port, env={"TENTERHOOK_PROXY_CREDENTIALS": "ana:pw"})
        assert any("through the proxy http://127.0.0.1" in text for _, text in said) and any("certificate good for" in text for _, text in said), said
        assert proxy.heads[0].startswith(f"CONNECT 127.0.0.1:{target.port} HTTP/1.1\r\n")
        assert f"Proxy-Authorization: Basic {base64.b64encode(b'ana:pw').decode()}\r\n" in proxy.heads[0]
    with Proxy(reply=lambda _: b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as proxy:
        assert any(verdict == "fail" and "CONNECT with 403" in text for verdict, text in doctor(proxy.port))
    assert any(verdict == "fail" for verdict, _ in doctor(1)), "nobody listens there"
    assert target.requests == []
