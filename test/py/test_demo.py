"""The demonstration is a test: what a newcomer sees first must work."""
import os
import re
import signal
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


def test_what_the_demonstration_says_to_try_works():
    """Each line that it shows, in one shell, while it stays up."""
    running = subprocess.Popen(["/usr/bin/python3", str(ROOT / "tools" / "demo"), "--binary", str(binary_path()), "--stay"],
                               env=clean_env(), stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        shown = []
        for line in running.stdout:
            shown.append(line)
            if line.startswith("Ctrl-C"):
                break
        start = next(n for n, line in enumerate(shown) if "Try, in another terminal" in line)
        tries = [line.strip() for line in shown[start:] if re.match(r"  [a-zA-Z]", line)]
        assert len(tries) > 10 and tries[-1] == "tenterhook tail"
        tries[-1] = "tenterhook tail --for 1s"
        ran = subprocess.run(["bash", "-eu", "-o", "pipefail"], input="\n".join(tries) + "\n", env=clean_env(), text=True,
                             capture_output=True, timeout=90)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert '"deliveries":1' in ran.stdout and "2 attempts" in ran.stdout
    finally:
        os.killpg(running.pid, signal.SIGINT)
        rest = running.communicate(timeout=60)[0]
    assert running.returncode == 0 and "All steps passed." in rest
