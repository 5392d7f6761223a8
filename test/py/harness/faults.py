"""What goes wrong outside: receivers that speak bytes instead of HTTP, ports that never answer, name servers with a
script, disks that fill up. Also where the test data lies and how to do many things at once."""
import concurrent.futures
import ipaddress
import os
import pathlib
import socket
import struct
import subprocess
import threading
import time

import pytest

from .server import ROOT


def corpus(*parts):
    """A file or folder of the test data; the test is skipped when it is not there."""
    base = pathlib.Path(os.environ.get("TENTERHOOK_CORPORA") or ROOT.parent / "shared" / "corpora")
    path = base.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the corpus {'/'.join(parts)} is not there: set TENTERHOOK_CORPORA")
    return path


def together(work, items, threads=16):
    """work(item) for all items in threads; the results in order. The first exception is raised."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


class Bytes:
    """Listens on 127.0.0.1, reads one request of each connection and then calls script(connection), which sends what
    it likes; then the connection ends. `seen` counts connections, `requests` has the bytes that came first."""

    def __init__(self, script, read=True, host="127.0.0.1"):
        self.script, self.read = script, read
        self.seen, self.requests = 0, []
        self._listener = socket.create_server((host, 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self.stopped = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path="/hook"):
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self):
        self.stopped.set()
        self._listener.close()

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
            self.seen += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.settimeout(30)
        try:
            if self.read:
                self.requests.append(read_request(connection))
            self.script(connection)
            # Without this a close with unread bytes would be a reset, and the answer might be lost.
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(2)
            while connection.recv(65536):
                pass
        except OSError:
            pass
        finally:
            connection.close()


def read_request(connection):
    """The bytes of one request with a Content-Length."""
    got = b""
    while b"\r\n\r\n" not in got:
        chunk = connection.recv(65536)
        if not chunk:
            return got
        got += chunk
    head, _, body = got.partition(b"\r\n\r\n")
    length = next((int(line.partition(b":")[2]) for line in head.split(b"\r\n")
                   if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        chunk = connection.recv(65536)
        if not chunk:
            break
        body += chunk
    return head + b"\r\n\r\n" + body


def reset(connection):
    """Ends a connection with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Silent:
    """Takes connections of every loopback address and says nothing, ever. The kernel accepts them; nobody reads."""

    def __init__(self, backlog=8192):
        self._listener = socket.create_server(("0.0.0.0", 0), backlog=backlog)
        self.port = self._listener.getsockname()[1]

    def url(self, n=0):
        """A host of its own for each n."""
        return f"http://127.1.{n // 250}.{n % 250 + 1}:{self.port}/hook"

    def close(self):
        self._listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Dns:
    """A name server on 127.0.0.1. `names` maps a name to a list of answers over time (the last one stays); an answer
    is a list of addresses, or "NXDOMAIN", "SERVFAIL", "timeout", or a function of (query bytes) giving bytes, or
    ("CNAME", name, addresses). `asked` counts queries by name and type. A names are without the last dot."""

    def __init__(self, names=None):
        self.names, self.asked, self._at = dict(names or {}), {}, {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._lock = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _serve(self):
        while True:
            try:
                query, peer = self._socket.recvfrom(4096)
                reply = self._answer(query)
                if reply is not None:
                    self._socket.sendto(reply, peer)
            except OSError:
                return

    def _answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]])
            at += 1 + query[at]
        name, kind = b".".join(labels).decode("latin-1").lower(), struct.unpack(">H", query[at + 1:at + 3])[0]
        question = query[12:at + 5]
        with self._lock:
            key = (name, kind)
            self.asked[key] = self.asked.get(key, 0) + 1
            answers = self.names.get(name)
            if answers is None:
                answer = "NXDOMAIN"
            else:
                # A and AAAA of one look-up see the same moment of the script.
                turn = self._at.get(key, 0)
                self._at[key] = turn + 1
                answer = answers[min(turn, len(answers) - 1)]
        if answer == "timeout":
            return None
        if callable(answer):
            return answer(query)
        code = {"NXDOMAIN": 3, "SERVFAIL": 2}.get(answer, 0) if isinstance(answer, str) else 0
        records = []
        if isinstance(answer, tuple):
            _, target, answer = answer
            wire = b"".join(bytes([len(part)]) + part.encode() for part in target.split(".")) + b"\0"
            records.append(b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 0, len(wire)) + wire)
            owner = wire
        else:
            owner = b"\xc0\x0c"
        for text in ([] if code else answer):
            packed = ipaddress.ip_address(text)
            if (packed.version == 4 and kind == 1) or (packed.version == 6 and kind == 28):
                records.append(owner + struct.pack(">HHIH", kind, 1, 0, len(packed.packed)) + packed.packed)
        return query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0) + question + b"".join(records)


class SmallDisk:
    """A tmpfs of so many MiB, where the process may mount one; else the test is skipped."""

    def __init__(self, folder, mebibytes):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(self.folder)],
                              capture_output=True)
        if done.returncode != 0:
            pytest.skip("needs the right to mount a tmpfs")

    def fill(self, leave=0):
        """Takes all room but `leave` bytes."""
        state = os.statvfs(self.folder)
        size = state.f_bavail * state.f_frsize - leave
        with open(self.folder / "fill", "ab") as out:
            os.posix_fallocate(out.fileno(), out.seek(0, 2), max(size, 1))

    def empty(self):
        (self.folder / "fill").unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for _ in range(50):
            if subprocess.run(["umount", str(self.folder)], capture_output=True).returncode == 0:
                return
            time.sleep(0.1)
        subprocess.run(["umount", "-l", str(self.folder)], capture_output=True)
