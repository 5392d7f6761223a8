"""A TCP proxy between a node and its database that can do what networks do: pass, delay, cut, swallow, and cut after so many bytes."""
import select
import socket
import threading
import time

from .postgres import free_port


COMMITTED = b"C\0\0\0\x0bCOMMIT\0"  # CommandComplete
_FIELDS = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
STOPPED = b"E" + (4 + len(_FIELDS)).to_bytes(4, "big") + _FIELDS  # ErrorResponse


class Proxy:
    """Passes connections on to 127.0.0.1:target. Members may be set at any time; they hold for all connections."""

    def __init__(self, target):
        self.target, self.port = target, free_port()
        self.delay_s = 0      # each piece waits so long before it goes on
        self.swallows = False  # half-open: whatever comes is taken, and goes nowhere
        self.refuses = False   # new connections end at once
        self.passed = 0        # bytes towards the database
        self.came = 0          # connections that came, those that were refused included
        self.ends_commit = False  # once: what follows the result of a commit is the end of the session, as when the server is stopped
        self._left, self._back = None, None
        self._pairs, self._lock, self._stop = set(), threading.Lock(), False
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, there=None, back=None):
        """All connections end when so many more bytes have gone to the database, or come back from it."""
        with self._lock:
            self._left, self._back = there, back

    def armed(self):
        with self._lock:
            return self._left is not None or self._back is not None

    def cut(self):
        """All connections end now."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
            self._left = self._back = None
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self._stop = True
        self._listener.close()
        self.cut()

    def _accept(self):
        while not self._stop:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.came += 1
            if self.refuses:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=10)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.add((client, server))
            threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _allowed(self, there, size):
        """How many of these bytes may go on; fewer than there are: then comes the end."""
        with self._lock:
            left = self._left if there else self._back
            if there:
                self.passed += size
            if left is None:
                return size
            if there:
                self._left = max(0, left - size)
            else:
                self._back = max(0, left - size)
            return min(left, size)

    def _pass(self, client, server):
        ends = {client: server, server: client}
        try:
            while True:
                for end in select.select(list(ends), [], [], 60)[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    if self.swallows:
                        continue
                    if self.delay_s:
                        time.sleep(self.delay_s)
                    if self.ends_commit and end is server and COMMITTED in data:
                        self.ends_commit = False
                        client.sendall(data[:data.index(COMMITTED) + len(COMMITTED)] + STOPPED)
                        return
                    allowed = self._allowed(end is client, len(data))
                    if allowed:
                        ends[end].sendall(data[:allowed])
                    if allowed < len(data):
                        self.cut()
                        return
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._pairs.discard((client, server))
            client.close()
            server.close()
