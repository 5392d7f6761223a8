"""Receivers and tools in other languages: finding their tool chains, building them once into the build folder, and
talking to them by lines on standard input and output.

Where a tool chain is missing, a test is skipped with the reason; with CI=true in the environment it fails.
"""
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

import pytest

from .server import ROOT, binary_path, clean_env

SOURCES = ROOT / "test" / "verifiers"
PYTHON = "/usr/bin/python3"
# What npm says when it cannot reach a registry, as opposed to a lock file or a package that is wrong.
UNREACHABLE = re.compile(r"EAI_AGAIN|ENOTFOUND|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|ENETWORK|ERR_SOCKET_TIMEOUT|"
                         r"E50[0-9]|E40[137]|ENOTCACHED|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_[A-Z_]*CERT[A-Z_]*|CERT_[A-Z_]+")


def missing(why):
    """Skips the test; in CI, where everything is to be there, fails it."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"{why} (required where CI is set)")
    pytest.skip(why)


def tool(name, package):
    """The path of a command, or missing()."""
    return shutil.which(name) or missing(f"{name} is not installed (Debian package {package})")


def work_folder(name):
    folder = binary_path().parent / "verifiers" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def fresh(folder, *inputs):
    """Yields whether the folder was made from other inputs (files, or text) than these, one process at a time; what it
    is made from is noted when the block ends well."""
    digest = hashlib.sha256()
    for given in inputs:
        data = given.read_bytes() if isinstance(given, pathlib.Path) else str(given).encode()
        digest.update(b"%d:" % len(data) + data)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        note = folder / ".made-from"
        stale = not note.exists() or note.read_text() != digest.hexdigest()
        if stale:
            note.unlink(missing_ok=True)
        yield stale
        note.write_text(digest.hexdigest())


def renew(source, copy):
    """Copies a file where it differs, in one step, since programs of other tests read the copy at any moment."""
    if copy.exists() and copy.read_bytes() == source.read_bytes():
        return
    part = copy.with_name(copy.name + ".part")
    shutil.copy(source, part)
    part.replace(copy)


def run(command, folder, env=None, timeout_s=240):
    return subprocess.run([str(part) for part in command], cwd=folder, env={**os.environ, **(env or {})},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=timeout_s, check=False)


def version(*command):
    return run(command, ROOT).stdout.strip()


def node_folder(name="node", source=None):
    """A folder of Node.js programs (those of `source`) with their packages, which npm installs as package-lock.json says."""
    node, npm = tool("node", "nodejs"), tool("npm", "npm")
    source = source or SOURCES / name
    folder, lists = work_folder(name), [source / file for file in ("package.json", "package-lock.json")]
    with fresh(folder, *lists, version(node, "--version")) as stale:
        for file in sorted(source.iterdir()):
            if file.is_file():
                renew(file, folder / file.name)
        if stale:
            made = run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"], folder)
            unreachable = made.returncode and UNREACHABLE.search(made.stdout)
            if unreachable:
                missing(f"npm cannot reach its registry ({unreachable.group()})")
            assert made.returncode == 0, f"npm ci failed:\n{made.stdout}"
    return folder


def go_receiver():
    """The compiled Go receiver."""
    go, folder, source = tool("go", "golang-go"), work_folder("go"), SOURCES / "go"
    with fresh(folder, *sorted(path for path in source.iterdir() if path.is_file()), version(go, "version")) as stale:
        if stale:
            env = {"GOCACHE": str(folder / "cache"), "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly",
                   "GOPROXY": "off", "CGO_ENABLED": "0"}
            made = run([go, "build", "-o", folder / "receiver", "."], source, env)
            assert made.returncode == 0, f"go build failed:\n{made.stdout}"
    return [folder / "receiver"]


def kotlin_receiver():
    """The command that runs the compiled Kotlin receiver."""
    java, kotlinc = tool("java", "default-jdk-headless"), tool("kotlinc", "kotlin")
    folder, source = work_folder("kotlin"), SOURCES / "kotlin"
    with fresh(folder, *sorted(source.iterdir()), version(java, "-version")) as stale:
        if stale:
            shutil.rmtree(folder / "classes", ignore_errors=True)
            made = run([kotlinc, *sorted(source.glob("*.kt")), "-d", folder / "classes"], folder)
            assert made.returncode == 0, f"kotlinc failed:\n{made.stdout}"
    library = pathlib.Path(kotlinc).resolve().parent.parent / "lib" / "kotlin-stdlib.jar"
    return [java, "-XX:TieredStopAtLevel=1", "-cp", f"{folder / 'classes'}:{library}", "MainKt"]


def flask_receiver():
    """The command that runs the Flask receiver."""
    if run([PYTHON, "-c", "import flask"], ROOT).returncode:
        missing("Flask is not installed (Debian package python3-flask)")
    return [PYTHON, SOURCES / "python" / "receiver.py"]


class Program:
    """A receiver process that prints "listening PORT..." and answers each command line with "ok". All other lines
    that it prints are kept in `lines`, those of its standard error in `errors`."""

    def __init__(self, command, folder=ROOT):
        self.lines, self.errors, self.ports, self._acknowledged, self._eof = [], [], None, 0, False
        self.changed = threading.Condition()
        self._process = subprocess.Popen([str(part) for part in command], cwd=folder, env=clean_env(),
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                         text=True, errors="replace")
        # Apart: a log line in the middle of an output line would break it.
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_errors, daemon=True).start()

    def ready(self, timeout_s=60):
        """Waits until it listens. Apart from the start, so that several start at the same time."""
        self._wait(lambda: self.ports, timeout_s, "it does not listen")
        return self

    def url(self, path, tls=False):
        return f"{'https' if tls else 'http'}://127.0.0.1:{self.ports[1 if tls else 0]}{path}"

    def command(self, value, timeout_s=60):
        with self.changed:
            wanted = self._acknowledged + 1
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()
        self._wait(lambda: self._acknowledged >= wanted, timeout_s, "no answer to a command")

    def said(self, word):
        """The JSON values of all lines "WORD JSON" so far."""
        with self.changed:
            return [json.loads(line.split(" ", 1)[1]) for line in self.lines if line.startswith(word + " ")]

    def wait_for(self, word, condition, timeout_s=60):
        """Waits for a line "WORD JSON" whose value fulfils the condition, and gives the value."""
        def look():
            return [value for value in self.said(word) if condition(value)]
        self._wait(look, timeout_s, f"no line {word} of that kind")
        return look()[0]

    def close(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(20)
        self._process.stdin.close()

    def _wait(self, condition, timeout_s, what):
        with self.changed:
            self.changed.wait_for(lambda: condition() or self._eof, timeout_s)
            if not condition():
                raise AssertionError(f"{what}; it printed:\n" + "\n".join(self.lines[-20:] + self.errors[-20:]))

    def _read(self):
        for line in self._process.stdout:
            with self.changed:
                if line.startswith("listening "):
                    self.ports = [int(port) for port in line.split()[1:]]
                elif line == "ok\n":
                    self._acknowledged += 1
                else:
                    self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self._eof = True
            self.changed.notify_all()

    def _read_errors(self):
        for line in self._process.stderr:
            with self.changed:
                self.errors.append(line.rstrip("\n"))
                del self.errors[:-1000]
