"""A client of server-sent events (WHATWG HTML, section 9.2), with the standard library alone."""
import http.client
import json
import ssl
import threading
import time


class Refused(Exception):
    """The server has answered with something else than a stream."""

    def __init__(self, status, headers, body):
        super().__init__(f"{status} {body[:300]!r}")
        self.status, self.headers, self.body = status, headers, body


class Message:
    """One event: its name, the id that was in force, its data as JSON."""

    def __init__(self, event, id, data):
        self.event, self.id, self.data = event, id, json.loads(data)

    def __repr__(self):
        return f"<{self.event} {self.data}>"


class Stream:
    """An open stream. Iterating gives messages until the server ends it; `last_id` is what Last-Event-ID would be. A stream in which
    the server says more than `patience` times that there is nothing new is a fault."""

    def __init__(self, api, path, last_id=None, tls=None, timeout_s=30, cookie=None, patience=None):
        fields = {"Cookie": cookie} if cookie else {"Authorization": f"Bearer {api.key}"}
        if api.tenant is not None:
            fields["Tenterhook-Tenant"] = api.tenant
        if last_id is not None:
            fields["Last-Event-ID"] = last_id
        if tls:
            context = ssl.create_default_context(cafile=tls)
            self.connection = http.client.HTTPSConnection(api.host, api.port, timeout=timeout_s, context=context)
        else:
            self.connection = http.client.HTTPConnection(api.host, api.port, timeout=timeout_s)
        self.connection.request("GET", path, headers=fields)
        self.sock = self.connection.sock  # http.client forgets it when the answer ends with the connection
        self.answer = self.connection.getresponse()
        if self.answer.status != 200:
            raise Refused(self.answer.status, self.answer.headers, self.answer.read())
        assert self.answer.headers["Content-Type"] == "text/event-stream"
        self.last_id, self.comments, self.retry_ms, self.patience = last_id, 0, None, patience
        self._opened()

    def _opened(self):
        """Reads up to the first id, which says where the stream begins."""
        while self.last_id is None or self.retry_ms is None:
            assert self._field(), "ended before it began"

    def _field(self):
        """(name, value) of the next line; ("", "") for an empty one; None: the stream has ended."""
        line = self.answer.readline()
        if not line:
            return None
        assert line.endswith(b"\n"), line
        text = line[:-1].decode()
        if text.startswith(":"):
            self.comments += 1
            assert self.patience is None or self.comments <= self.patience, "it goes on"
            return text, None
        name, _, value = text.partition(": ")
        if name == "id":
            self.last_id = value
        elif name == "retry":
            self.retry_ms = int(value)
        return name, value

    def __iter__(self):
        return self

    def __next__(self):
        event, data = None, []
        while (field := self._field()) is not None:
            name, value = field
            if name == "event":
                event = value
            elif name == "data":
                data.append(value)
            elif name == "" and data:
                return Message(event, self.last_id, "\n".join(data))
        raise StopIteration

    def take(self, n):
        """The next n messages."""
        return [next(self) for _ in range(n)]

    def close(self):
        self.answer.close()
        self.connection.close()
        self.sock.close()


class Reader(threading.Thread):
    """Reads a stream in the background; with `again`, opens it again when it is lost, as EventSource does."""

    def __init__(self, api, path, again=False, last_id=None, **options):
        super().__init__(daemon=True)
        self.api, self.path, self.again, self.options = api, path, again, options
        self.seen, self.ids, self.gaps, self.ends, self.opened, self.stopping = [], [], [], [], 0, False
        self.last_id, self.fault, self.first = last_id, None, threading.Event()
        self.start()
        assert self.first.wait(20)

    def run(self):
        while not self.stopping:
            try:
                stream = Stream(self.api, self.path, last_id=self.last_id, **self.options)
                self.opened += 1
                self.last_id = stream.last_id
                self.first.set()
                for m in stream:
                    self.last_id = m.id
                    if m.event not in ("gap", "end"):
                        self.ids.append(m.id)
                    {"gap": self.gaps, "end": self.ends}.get(m.event, self.seen).append(m.data)
            except (OSError, Refused, AssertionError, ValueError) as fault:
                self.fault = fault
            except Exception as fault:  # of http.client, when the answer breaks off
                self.fault = fault
            if not self.again:
                return
            time.sleep(0.05)

    def wait(self, n, seconds=30):
        until = time.monotonic() + seconds
        while len(self.seen) < n:
            assert time.monotonic() < until, f"{len(self.seen)} of {n}; {self.fault!r}"
            time.sleep(0.01)
        return self.seen
