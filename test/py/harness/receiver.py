"""A receiver that records every request byte for byte and answers as the test says.

It reads HTTP/1.1 itself, so that names, their case and their order are seen as they were sent.
"""
import socket
import ssl
import threading
import time


class Request:
    """One request as it arrived: raw head, fields in order, body, when (wall clock and monotonic, seconds), and the
    number of its connection and when that was accepted (monotonic); `client`: address and port of the other side."""

    def __init__(self, head, body, connection, connected=0.0):
        self.raw_head, self.body, self.connection, self.connected = head, body, connection, connected
        self.at, self.mono = time.time(), time.monotonic()
        self.client = None
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ", 2)
        self.headers = [tuple(part.strip(" \t") for part in line.split(":", 1)) for line in lines[1:] if line]

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    def __repr__(self):
        return f"<Request {self.method} {self.target} {self.header('webhook-id')} {len(self.body)} bytes>"


class Reply:
    """What to answer. delay_s: wait first; hang: never answer; drop: close without an answer; raw: these bytes."""

    def __init__(self, status=200, headers=(), body=b"", delay_s=0.0, hang=False, drop=False, raw=None, close=False):
        self.status, self.headers, self.body, self.delay_s = status, list(headers), body, delay_s
        self.hang, self.drop, self.raw, self.close = hang, drop, raw, close

    def encode(self):
        if self.raw is not None:
            return self.raw
        head = [f"HTTP/1.1 {self.status} Answer", f"Content-Length: {len(self.body)}"]
        head += [f"{name}: {value}" for name, value in self.headers]
        if self.close:
            head.append("Connection: close")
        return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + self.body


class Receiver:
    """Listens on a free port of 127.0.0.1 with a thread a connection. `answer(request)` gives the Reply (a Reply,
    a status number, or None for 200); `requests` has all of them in order of arrival."""

    def __init__(self, answer=None, tls=None, host="127.0.0.1", port=0):
        self.answer = answer
        self.requests = []
        self.changed = threading.Condition()
        self.connections = 0
        self._open = set()
        self._tls = tls
        self._listener = socket.create_server((host, port), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self.stopped = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def url(self, path="/hook", host="127.0.0.1"):
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def script(self, *replies):
        """Answers with these in turn; the last one stays."""
        left, lock = list(replies), threading.Lock()

        def answer(_request):
            with lock:
                return left.pop(0) if len(left) > 1 else left[0]

        self.answer = answer
        return self

    def wait_for(self, what, timeout_s=30):
        """Waits until `what` requests have come, or until what(requests) is true; gives the list."""
        done = what if callable(what) else (lambda requests: len(requests) >= what)
        with self.changed:
            if not self.changed.wait_for(lambda: done(self.requests), timeout_s):
                raise AssertionError(f"after {timeout_s} s only {len(self.requests)} requests: {self.requests[-5:]}")
            return list(self.requests)

    def ids(self):
        with self.changed:
            return [request.header("webhook-id") for request in self.requests]

    def close(self):
        self.stopped.set()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        with self.changed:
            still_open = list(self._open)
        for connection in still_open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while not self.stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            accepted = time.monotonic()
            with self.changed:
                self.connections += 1
                number = self.connections
            threading.Thread(target=self._serve, args=(connection, number, accepted), daemon=True).start()

    def _serve(self, connection, number, accepted):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with self.changed:
                self._open.add(connection)
            self._talk(connection, number, accepted)
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            with self.changed:
                self._open.discard(connection)
            connection.close()

    def _talk(self, connection, number, accepted):
        pending, client = b"", connection.getpeername()
        while not self.stopped.is_set():
            while b"\r\n\r\n" not in pending:
                chunk = connection.recv(65536)
                if not chunk:
                    return
                pending += chunk
            head, _, pending = pending.partition(b"\r\n\r\n")
            length = 0
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.strip().lower() == b"content-length":
                    length = int(value)
            while len(pending) < length:
                chunk = connection.recv(65536)
                if not chunk:
                    return
                pending += chunk
            request, pending = Request(head, pending[:length], number, accepted), pending[length:]
            request.client = client
            if not self._reply(connection, request):
                return

    def _reply(self, connection, request):
        """Records and answers one request; false when the connection is to end."""
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        reply = self.answer(request) if self.answer else None
        if not isinstance(reply, Reply):
            reply = Reply(reply if reply is not None else 200)
        if reply.delay_s:
            self.stopped.wait(reply.delay_s)
        if reply.hang:
            self.stopped.wait()
        if reply.hang or reply.drop:
            return False
        connection.sendall(reply.encode())
        return not reply.close and reply.raw is None
