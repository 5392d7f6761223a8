"""A collector of traces: a receiver whose requests are decoded by the official protobuf classes, in a virtual environment of their own
(PyPI package opentelemetry-proto)."""
import base64
import json
import subprocess

from . import programs
from .receiver import Receiver

VERSION = "1.45.2"


def decoder():
    """The command that decodes."""
    folder = programs.work_folder("otlp")
    python = folder / "bin" / "python"
    with programs.fresh(folder, VERSION, programs.version(programs.PYTHON, "--version")) as stale:
        if stale:
            if programs.run([programs.PYTHON, "-m", "venv", folder], folder).returncode:
                programs.missing("python3 has no venv (Debian package python3-venv)")
            made = programs.run([python, "-m", "pip", "install", "--quiet", f"opentelemetry-proto=={VERSION}"], folder)
            if made.returncode:
                programs.missing("pip cannot install opentelemetry-proto")
    return [str(python), str(programs.SOURCES / "python" / "otlp.py")]


class Collector(Receiver):
    def __init__(self, command, **options):
        super().__init__(**options)
        self.command = command

    def spans(self):
        """All spans of the requests that were answered with 2xx, in order of arrival."""
        with self.changed:
            bodies = [r.body for r in self.requests]
        lines = "".join(base64.b64encode(body).decode() + "\n" for body in bodies)
        made = subprocess.run(self.command, input=lines, capture_output=True, text=True, timeout=60)
        assert made.returncode == 0, made.stderr
        return [span for line in made.stdout.splitlines() for span in json.loads(line)]
