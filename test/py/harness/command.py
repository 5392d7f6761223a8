"""The commands, run as a user runs them: in a pipe, or on a terminal of their own."""
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import time

from .server import binary_path, clean_env

KEY = "test-operator-key-0123456789abcdef"


class Ran:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def json_lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def expect(self, status):
        assert self.status == status, f"status {self.status}, wanted {status}\n{self.out}\n{self.err}"
        assert "runtime error" not in self.err and "AddressSanitizer" not in self.err, self.err
        return self


def tenterhook(*args, env=None, stdin="", cwd=None, timeout_s=60):
    return Ran(subprocess.run([str(binary_path()), *map(str, args)], env=clean_env(env), input=stdin, cwd=cwd,
                              capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False))


class Terminal:
    """A command on a terminal of its own: what it shows, and keys."""

    def __init__(self, *args, env=None, columns=200):
        ready, go = os.pipe()
        self.process_id, self.fd = pty.fork()
        if self.process_id == 0:
            os.close(go)
            os.read(ready, 1)  # until the terminal has its size
            os.execve(str(binary_path()), ["tenterhook", *map(str, args)], {**clean_env(env), "TERM": "xterm"})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.close(go)
        os.close(ready)
        self.text = ""

    def wait_for(self, word, timeout_s=60):
        deadline = time.monotonic() + timeout_s
        while word not in self.text:
            assert time.monotonic() < deadline, f"no {word!r} in:\n{self.text}"
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    assert word in self.text, f"it ended without {word!r}:\n{self.text}"
        return self.text

    def key(self, text):
        os.write(self.fd, text.encode())

    def end(self, key="q"):
        """Exit status after q, or another key."""
        self.key(key)
        return os.waitstatus_to_exitcode(os.waitpid(self.process_id, 0)[1])

    def close(self):
        try:
            os.kill(self.process_id, 9)
            os.waitpid(self.process_id, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.fd)
