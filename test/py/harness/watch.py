"""Ends what a test run has started when the run itself is killed without a word (kill -9, out of memory): servers, databases, brokers.

A small process of its own reads the list of what runs from a pipe whose other end this process alone holds, so it notices this process's end
however that came. A service that starts further processes is ended with all of them, also where these have sessions of their own.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

PATIENCE_S = 10
_lock, _watcher = threading.Lock(), None


def _stat(pid):
    """(parent, group, start time) of a process; None: it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else (int(fields[1]), int(fields[2]), int(fields[19]))


def over(process, folder=None, how=signal.SIGKILL):
    """Watches over a process that was just started. `how` ends it; what is not gone after that is killed. `folder` is then removed."""
    global _watcher
    stat = _stat(process.pid)
    if not stat:
        return process
    with _lock:
        if _watcher is None or _watcher.poll() is not None:
            _watcher = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, start_new_session=True)
        try:
            os.write(_watcher.stdin.fileno(), f"{process.pid} {stat[2]} {int(how)} {folder or ''}\n".encode())
        except BrokenPipeError:
            pass
    return process


def processes():
    """{pid: (parent, group, start time)} of all that run."""
    found = {}
    for name in os.listdir("/proc"):
        stat = _stat(name) if name.isdigit() else None
        if stat:
            found[int(name)] = stat
    return found


def family(pid, running):
    """A process, its group if it leads one, and all that came from these."""
    found = {pid} | {other for other, (_, group, _) in running.items() if group == pid}
    while True:
        more = {other for other, (parent, _, _) in running.items() if parent in found} - found
        if not more:
            return found
        found |= more


def _send(pid, number):
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    started = [line.split(" ", 3) for line in sys.stdin.read().splitlines()]
    running = processes()
    left, folders = {}, []
    for pid, begun, how, folder in started:
        if int(pid) in running and running[int(pid)][2] == int(begun):
            members = family(int(pid), running)
            left |= {member: running[member][2] for member in members}
            for member in members:
                _send(member, signal.SIGCONT)
            _send(int(pid), int(how))
            if folder:
                folders.append(folder)
    end = time.monotonic() + PATIENCE_S
    while left:
        left = {pid: begun for pid, begun in left.items() if (_stat(pid) or (0, 0, 0))[2] == begun}
        if time.monotonic() > end:
            for pid in left:
                _send(pid, signal.SIGKILL)
        time.sleep(0.05)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
