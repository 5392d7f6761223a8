"""The demonstration is a test: what a newcomer sees first must work."""
import subprocess

from harness.server import ROOT, binary_path, clean_env


def demo(binary, timeout_s=90):
    return subprocess.run(["/usr/bin/python3", str(ROOT / "tools" / "demo"), "--binary", str(binary)],
                          env=clean_env(), capture_output=True, text=True, timeout=timeout_s)


def test_demo_passes_every_step():
    done = demo(binary_path())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All steps passed." in done.stdout
    assert done.stdout.count("signature verified") == 5  # four events, one of them twice
    assert done.stdout.count("503, as a busy server would") == 1


def test_demo_fails_when_the_server_does_not_start(tmp_path):
    broken = tmp_path / "tenterhook"
    broken.write_text("#!/bin/sh\necho no >&2\nexit 3\n")
    broken.chmod(0o755)
    done = demo(broken)
    assert done.returncode == 1
    assert "step 1 failed" in done.stdout and "status 3" in done.stdout
