"""A test run that is killed leaves nothing: neither the server, database and brokers that it had started, nor what these had started."""
import os
import pathlib
import signal
import subprocess
import sys

from harness.expect import until

PROGRAM = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
from harness import brokers
from harness.postgres import PgBouncer, Postgres
from harness.server import Server
made = []
for make in (Postgres, lambda: PgBouncer(made[0]), lambda: Server(pathlib.Path(sys.argv[2]) / "data").start(), brokers.Redis, brokers.Nats,
             brokers.RabbitMQ):
    try:
        made.append(make())
    except BaseException as missing:
        if type(missing).__name__ not in ("Skipped", "FileNotFoundError"):
            raise
        print("left out:", missing, flush=True)
print("started", *[one.folder for one in made if hasattr(one, "folder")], flush=True)
sys.stdin.read()
"""


def of_run(mark):
    """Processes whose environment has the mark, the watching one aside."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark in (folder / "environ").read_bytes():
                command = (folder / "cmdline").read_bytes()
                if command:  # else it is a zombie
                    found.append((int(folder.name), command.replace(b"\0", b" ")[:80]))
        except OSError:
            continue
    return found


def test_a_killed_run_leaves_no_process(tmp_path):
    mark = f"WATCHED_RUN={tmp_path}"
    name, _, value = mark.partition("=")
    run = subprocess.Popen([sys.executable, "-c", PROGRAM, str(pathlib.Path(__file__).parent), str(tmp_path)], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True, env=os.environ | {name: value})
    lines = []
    while not lines or not lines[-1].startswith("started"):
        lines.append(run.stdout.readline())
        assert lines[-1], lines
    before = of_run(mark.encode())
    assert len(before) >= 4, before  # this one, the watching one, and at least PostgreSQL with one of its own
    run.send_signal(signal.SIGKILL)
    run.wait(20)
    until(lambda: not of_run(mark.encode()), 60)
    folders = lines[-1].split()[1:]
    assert folders and not [folder for folder in folders if os.path.exists(folder)]
