"""A scripted name server whose answers may be larger than a datagram: then it is asked again over TCP."""
import contextlib
import socket
import struct
import threading

DATAGRAM = 1232  # bytes of an answer that fit; see dnsflagday.net/2020


def bind_both():
    """A datagram socket and a listener on one port, which must be free for both."""
    while True:
        listener, datagrams = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.bind(listener.getsockname())
            return datagrams, listener
        except OSError:
            listener.close()
            datagrams.close()


class NameServer:
    """Scripted: records[name] = {"A": [...], "AAAA": [...], "ttl": n, "rcode": n, "silent": True, "cname": name}."""

    def __init__(self, records):
        self.records, self.queries = records, []
        self.socket, self.listener = bind_both()
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        for run in (self.run, self.run_tcp):
            threading.Thread(target=run, daemon=True).start()

    @staticmethod
    def encode(name):
        return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                packet, peer = self.socket.recvfrom(2048)
                if not packet:  # closed
                    return
                reply = self.answer(packet)
                if reply and len(reply) > DATAGRAM:
                    reply = reply[:2] + b"\x83\x80" + reply[4:6] + bytes(6) + packet[12:]  # truncated: ask over TCP
                if reply:
                    self.socket.sendto(reply, peer)

    def run_tcp(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection, contextlib.suppress(struct.error):
                    while True:
                        size, = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))
                        reply = self.answer(connection.recv(size, socket.MSG_WAITALL))
                        connection.sendall(struct.pack("!H", len(reply)) + reply)

    def answer(self, packet):
        at, labels = 12, []
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += packet[at] + 1
        name, kind = ".".join(labels).lower(), struct.unpack("!H", packet[at + 1:at + 3])[0]
        self.queries.append((name, kind))
        entry = self.records.get(name, {"rcode": 3})
        if entry.get("silent"):
            return None
        answers, owner, ttl = [], b"\xc0\x0c", entry.get("ttl", 60)
        if "cname" in entry:
            target = self.encode(entry["cname"])
            answers.append(owner + struct.pack("!HHIH", 5, 1, entry.get("cname_ttl", ttl), len(target)) + target)
            owner = target
        for text in entry.get("A" if kind == 1 else "AAAA", []):
            raw = socket.inet_pton(socket.AF_INET if kind == 1 else socket.AF_INET6, text)
            answers.append(owner + struct.pack("!HHIH", kind, 1, ttl, len(raw)) + raw)
        return (packet[:2] + struct.pack("!HHHHH", 0x8180 | entry.get("rcode", 0), 1, len(answers), 0, 0)
                + packet[12:at + 5] + b"".join(answers))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for s in (self.socket, self.listener):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()
