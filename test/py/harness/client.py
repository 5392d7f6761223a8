"""A client of the HTTP API for tests: JSON in, JSON out, one kept connection a thread, and raw requests."""
import http.client
import json
import socket
import threading


class Answer:
    """One HTTP answer: status, headers (looked up without case), body bytes."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    @property
    def json(self):
        return json.loads(self.body)

    def expect(self, *statuses):
        """This answer, or an AssertionError that shows it."""
        assert self.status in statuses, f"status {self.status}, wanted {statuses}: {self.body[:2000]!r}"
        return self

    def __repr__(self):
        return f"<Answer {self.status} {self.body[:300]!r}>"


class Api:
    """Calls one server. `key` goes into Authorization, `tenant` into Tenterhook-Tenant; None leaves them out."""

    def __init__(self, port, key=None, tenant=None, host="127.0.0.1", timeout_s=30):
        self.host, self.port, self.key, self.tenant, self.timeout_s = host, port, key, tenant, timeout_s
        self._local = threading.local()

    def as_tenant(self, tenant):
        return Api(self.port, self.key, tenant, self.host, self.timeout_s)

    def with_key(self, key):
        return Api(self.port, key, None, self.host, self.timeout_s)

    def close(self):
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def request(self, method, path, body=None, headers=None):
        """Sends one request. A dict or list is written as JSON; bytes go as they are, without a content type."""
        fields = {}
        if self.key is not None:
            fields["Authorization"] = f"Bearer {self.key}"
        if self.tenant is not None:
            fields["Tenterhook-Tenant"] = self.tenant
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            fields["Content-Type"] = "application/json"
        fields.update(headers or {})
        fields = {name: value for name, value in fields.items() if value is not None}
        kept = getattr(self._local, "connection", None)
        for fresh in ([False, True] if kept is not None else [True]):
            connection = kept
            if fresh:
                connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_s)
            try:
                connection.request(method, path, body, fields)
                answer = connection.getresponse()
                payload = answer.read()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # A kept connection may have been closed while idle; a fresh one may not.
                connection.close()
                self._local.connection = None
                if fresh:
                    raise
                continue
            except BaseException:
                connection.close()
                self._local.connection = None
                raise
            self._local.connection = None if answer.will_close else connection
            if answer.will_close:
                connection.close()
            return Answer(answer.status, answer.getheaders(), payload)
        raise AssertionError("not reached")

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body, **kw)

    def put(self, path, body=None, **kw):
        return self.request("PUT", path, body, **kw)

    def patch(self, path, body=None, **kw):
        return self.request("PATCH", path, body, **kw)

    def delete(self, path, **kw):
        return self.request("DELETE", path, **kw)

    def pages(self, path, limit=100, most=None):
        """All rows of a list, page by page of `limit` rows; or the first `most` of them."""
        rows, cursor, mark = [], None, "&" if "?" in path else "?"
        while True:
            url = f"{path}{mark}limit={limit}" + (f"&cursor={cursor}" if cursor else "")
            page = self.get(url).expect(200).json
            rows += page["data"]
            cursor = page.get("next_cursor")
            if not cursor or (most and len(rows) >= most):
                return rows[:most]


def raw(port, data, timeout_s=10, host="127.0.0.1", shut=False):
    """Sends bytes as they are and reads until the server closes or falls silent for timeout_s."""
    with socket.create_connection((host, port), timeout=timeout_s) as s:
        s.sendall(data)
        if shut:
            s.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while chunk := s.recv(65536):
                got += chunk
        except (socket.timeout, ConnectionResetError):
            pass
        return got
