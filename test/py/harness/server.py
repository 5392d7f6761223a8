"""One `tenterhook serve` process on a free port of loopback."""
import os
import pathlib
import re
import signal
import subprocess
import threading

from . import watch
from .client import Api

ROOT = pathlib.Path(__file__).resolve().parents[3]
OWN_VARIABLES = re.compile(r"TENTERHOOK_(?!BUILD|CORPORA)|SSL_CERT_")


def binary_path(build=None):
    """The program to test: in `build`, else in $TENTERHOOK_BUILD, else in build/test."""
    return pathlib.Path(build or os.environ.get("TENTERHOOK_BUILD") or ROOT / "build" / "test").resolve() / "tenterhook"


def sanitized():
    """Whether the program under test was built with sanitizers, whose memory and time say nothing."""
    program = binary_path().read_bytes()
    return b"__asan_" in program or b"__tsan_" in program


def clean_env(extra=None):
    """This process's environment without settings of another server and without proxies."""
    env = {name: value for name, value in os.environ.items()
           if not OWN_VARIABLES.match(name) and not name.lower().endswith("_proxy")}
    env.update(extra or {})
    return env


class StartError(Exception):
    """The server ended, or did not listen in time. `status` is its exit status (None: it was killed by us)."""

    def __init__(self, message, status, output):
        super().__init__(f"{message} (status {status})\n{output}")
        self.status, self.output = status, output


class Server:
    """A server on a data directory. start() and stop() may be called again and again: the directory stays."""

    def __init__(self, data, binary=None, admin_key="test-operator-key-0123456789abcdef", environment="development",
                 flags=(), env=None, listen="127.0.0.1:0", own_group=False, files=None):
        self.data, self.binary = pathlib.Path(data), pathlib.Path(binary or binary_path())
        self.admin_key, self.environment, self.listen = admin_key, environment, listen
        self.flags, self.env = list(flags), dict(env or {})
        self.files = files  # how many open files it is allowed
        self.own_group = own_group  # its own process group: Ctrl-C at the terminal does not reach it
        self.process, self.port, self.api = None, None, None
        self.output, self._eof = [], False
        self._lines = threading.Condition()

    def command(self):
        command = [str(self.binary), "serve", "--listen", self.listen, "--data", str(self.data)]
        if self.environment:
            command += ["--environment", self.environment]
        limit = ["prlimit", f"--nofile={self.files}:{self.files}"] if self.files else []
        return limit + command + self.flags

    def launch(self):
        """Starts the process and waits for nothing."""
        env = clean_env(self.env)
        if self.admin_key is not None:
            env["TENTERHOOK_ADMIN_KEY"] = self.admin_key
        process = subprocess.Popen(self.command(), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace",
                                   process_group=0 if self.own_group else None)
        watch.over(process)
        with self._lines:  # at once: the reader of the process before may meet its end only now, which is not this one's
            self.process, self.port, self._eof = process, None, False
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()

    def start(self, timeout_s=60):
        """Starts the process and waits until it listens. Raises StartError with all that it printed."""
        self.launch()
        return self.listening(timeout_s)

    def listening(self, timeout_s=60):
        """Waits until it listens."""
        with self._lines:
            self._lines.wait_for(lambda: self.port is not None or self._eof, timeout_s)
        if self.port is None:
            status = self.process.wait(10) if self._eof else None
            self.kill()
            raise StartError("the server does not listen", status, self.text())
        self.api = Api(self.port, self.admin_key)
        return self

    def stop(self, timeout_s=90):
        """SIGTERM, as an operator does; gives the exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"no end within {timeout_s} s of SIGTERM\n{self.text()[-4000:]}") from None
        self.process = None
        return status

    def kill(self):
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process = None

    def close(self):
        """Kills it, and fails if a sanitizer had something to report, which the test itself may not have met."""
        self.kill()
        with self._lines:
            self._lines.wait_for(lambda: self._eof, 5)
        text = self.text()
        found = re.search(r"(WARNING|ERROR): \w+Sanitizer|runtime error: ", text)
        assert not found, text[max(0, found.start() - 500):found.start() + 8000]

    def text(self):
        """Everything that all processes of this server have printed."""
        with self._lines:
            return "".join(self.output)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def _read(self, process):
        for line in process.stdout:
            with self._lines:
                self.output.append(line)
                del self.output[:-20000]
                found = re.match(r"listening on https?://.*:(\d+)\s*$", line)
                if found and process is self.process:
                    self.port = int(found.group(1))
                self._lines.notify_all()
        with self._lines:
            if process is self.process:
                self._eof = True
                self._lines.notify_all()
