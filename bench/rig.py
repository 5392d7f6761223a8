"""What the benches share: the board, the sink, the load generator, the engine, and what is read of a process."""
import contextlib
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test" / "py"))

from harness.server import Server  # noqa: E402

HEADER_BYTES, SLOT_BYTES = 40, 24  # struct board and struct board_slot in bench/board.h
KEY = "bench-operator-key-0123456789abcdef"


class Board:
    """The file that load generator and sink share."""

    def __init__(self, slots):
        fd, self.path = tempfile.mkstemp(prefix="tenterhook-bench-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        os.truncate(fd, HEADER_BYTES + SLOT_BYTES * slots)
        os.close(fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.unlink(self.path)


@contextlib.contextmanager
def sink(build, board, *status):
    process = subprocess.Popen([str(build / "bench" / "bench_sink"), board.path, *status], stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def relay(build, sink_port):
    process = subprocess.Popen([str(build / "bench" / "bench_relay"), str(sink_port)], stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


class Syncs:
    """How long each fdatasync of an engine took, noted by bench/syncs.c."""
    ROOM = 1 << 20

    def __init__(self, build, folder):
        self.path = os.path.join(folder, "syncs")
        with open(self.path, "wb") as file:
            file.truncate(8 + 16 * self.ROOM)
        self.env = {"LD_PRELOAD": str(build / "bench" / "bench_syncs.so"), "BENCH_SYNCS": self.path}

    def count(self):
        with open(self.path, "rb") as file:
            return min(struct.unpack("=Q", file.read(8))[0], self.ROOM)

    def ms(self, since=0):
        """Sorted durations of the syncs from the given one on, in milliseconds."""
        with open(self.path, "rb") as file:
            file.seek(8 + 16 * since)
            notes = file.read(16 * (self.count() - since))
        return sorted(took / 1e6 for _, took in struct.iter_unpack("=QQ", notes))


def loads(build, runs):
    """Runs load generators at the same time, each given by (board, port, options); gives their figures."""
    processes = []
    for board, port, options in runs:
        command = [str(build / "bench" / "bench_load"), "--board", board.path, "--port", str(port)]
        for name, value in options.items():
            command += [f"--{name}"] + ([] if value is True else [str(value)])
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    printed = [process.communicate()[0] for process in processes]
    for process, text in zip(processes, printed):
        if not text:
            raise SystemExit(f"the load generator failed (status {process.returncode})")
    return [json.loads(text) for text in printed]


def load(build, board, port, **options):
    """Runs one load generator; gives its figures."""
    return loads(build, [(board, port, options)])[0]


def start_engine(build, folder, *flags, env=None, listen="127.0.0.1:0"):
    server = Server(pathlib.Path(folder) / "data", binary=build / "tenterhook", admin_key=KEY,
                    flags=["--allow-network", "127.0.0.0/8", *flags], env=env, listen=listen)
    begun = time.perf_counter()
    server.start()
    server.ready_ms = (time.perf_counter() - begun) * 1000
    return server


def unfinished(api):
    return sum(len(api.get(f"/v1/deliveries?limit=1&status={status}").expect(200).json["data"])
               for status in ("pending", "retrying"))


def await_recorded(api, patience_s=20):
    """Waits until the log has nothing unfinished; gives whether it came to that."""
    end = time.monotonic() + patience_s
    while unfinished(api):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def thread_seconds(pid):
    """Processor time of each thread, to the nanosecond, by its number and name; of those that have ended nothing, and
    none of ours end."""
    times = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = "main" if task.name == str(pid) else (task / "comm").read_text().strip()
        times[int(task.name), name] = int((task / "schedstat").read_text().split()[0]) / 1e9
    return times


def cpu_seconds(pid):
    return sum(thread_seconds(pid).values())


def quantile(ordered, part):
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


def memory_mib(pid, name):
    return int(re.search(rf"{name}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


@contextlib.contextmanager
def counting_system_calls(pid):
    """Counts those of all threads of a process. Gives a function that says, afterwards, (how many, who counted), or None.

    perf counts in the kernel; where it may not, strace stops the process at each, which makes small groups of large ones:
    then more calls are made for an event than without it.
    """
    for counter, pattern in ((["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter"], r"^(\d+),"),
                             (["strace", "-f", "-c", "-q"], r"^100\.00\s+\S+\s+(?:\d+\s+)?(\d+)\s+(?:\d+\s+)?total")):
        with tempfile.NamedTemporaryFile(prefix="tenterhook-calls-") as out:
            try:
                tracer = subprocess.Popen([*counter, "-o", out.name, "-p", str(pid)], stderr=subprocess.DEVNULL)
            except FileNotFoundError:
                continue
            time.sleep(0.7)
            if tracer.poll() is not None:
                continue
            result = []
            yield lambda: result[0] if result else None
            tracer.send_signal(2)  # perf writes its counts on SIGINT, strace on any signal
            tracer.wait()
            total = re.search(pattern, pathlib.Path(out.name).read_text(), re.M)
            if total:
                result.append((int(total.group(1)), counter[0]))
            return
    yield lambda: None
