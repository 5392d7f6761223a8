"""What a service manager sees: notifications, watchdog, credentials, the unit file."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from harness.client import Api
from harness.expect import eventually
from harness.server import StartError, binary_path, clean_env

PACKAGING = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "systemd"


class Manager:
    """The socket of a service manager."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(20)

    def message(self):
        """The next message, as {name: value}."""
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())

    def until(self, name):
        """Messages up to the first with this name."""
        seen = []
        while not seen or name not in seen[-1]:
            seen.append(self.message())
        return seen


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """(manager, value of NOTIFY_SOCKET)"""
    name = str(tmp_path / "notify") if request.param == "path" else f"tenterhook-test-{os.getpid()}-{time.monotonic_ns()}"
    made = Manager(name if request.param == "path" else "\0" + name)
    yield made, name if request.param == "path" else "@" + name
    made.socket.close()


def test_life_of_a_service(server, manager):
    heard, address = manager
    running = server(env={"NOTIFY_SOCKET": address})
    ready = heard.message()
    assert ready["READY"] == "1" and ready["STATUS"]
    before = time.monotonic_ns() // 1000
    running.process.send_signal(signal.SIGHUP)
    reloading = heard.message()
    assert reloading["RELOADING"] == "1"
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert heard.message() == {"READY": "1"}
    running.process.send_signal(signal.SIGTERM)
    assert heard.message()["STOPPING"] == "1"
    assert running.stop() == 0
    heard.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        heard.message()  # nothing after the end, no ping without a watchdog


def test_a_refused_reload_is_ready_again(server, manager, tmp_path):
    heard, address = manager
    config = tmp_path / "tenterhook.yaml"
    config.write_text("retention: 1d\n")
    running = server(flags=["--config", str(config)], env={"NOTIFY_SOCKET": address})
    heard.until("READY")
    config.write_text("nonsense: 1\n")
    running.process.send_signal(signal.SIGHUP)
    assert heard.message()["RELOADING"] == "1" and heard.message() == {"READY": "1"}
    eventually(lambda: "reload refused" in running.text())  # another pipe than the manager's


def test_not_ready_when_the_start_is_refused(server, manager):
    heard, address = manager
    with pytest.raises(StartError):
        server(env={"NOTIFY_SOCKET": address}, flags=["--default-dialect", "none-such"])
    heard.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        heard.message()


def test_watchdog(server, manager):
    """Twice as often as asked; not while the process hangs; and again afterwards."""
    heard, address = manager
    running = server(env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"})
    heard.until("READY")
    heard.until("WATCHDOG")
    began = time.monotonic()
    for _ in range(10):
        heard.until("WATCHDOG")
    took = time.monotonic() - began
    assert 1.0 < took < 30, took  # ten times 0.2 s
    running.process.send_signal(signal.SIGSTOP)
    heard.socket.settimeout(0.6)
    with pytest.raises(TimeoutError):
        while True:  # those that were sent before
            heard.message()
    running.process.send_signal(signal.SIGCONT)
    heard.socket.settimeout(20)
    heard.until("WATCHDOG")


def test_a_watchdog_of_another_process(server, manager):
    heard, address = manager
    server(env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
    heard.until("READY")
    heard.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        heard.message()


@pytest.mark.parametrize("address", ["/none/such", "vsock:2:1234", "@", "x", "/" + "a" * 200])
def test_no_manager_is_no_trouble(server, address):
    assert server(env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "nonsense"}).stop() == 0


def test_credentials(server, tmp_path):
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "admin_key").write_text("key-from-a-credential-0123456789\n")
    (folder / "secret_key").write_text("secret-from-a-credential-0123456789\n")
    running = server(admin_key=None, env={"CREDENTIALS_DIRECTORY": str(folder)})
    Api(running.port, "key-from-a-credential-0123456789").get("/v1/tenants").expect(200)
    assert not (running.data / "secret.key").exists()


def test_a_credential_that_cannot_be_read_is_refused(server, tmp_path):
    """Not passed over: the first start would make another key, and nobody would know."""
    (tmp_path / "admin_key").mkdir()  # root may read every file
    with pytest.raises(StartError) as error:
        server(admin_key=None, env={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert error.value.status == 64
    assert f"credential admin_key: {tmp_path}/admin_key: cannot be read" in str(error.value)
    os.rmdir(tmp_path / "admin_key")
    (tmp_path / "admin_key").symlink_to(tmp_path / "admin_key")  # neither there nor absent
    with pytest.raises(StartError) as error:
        server(admin_key=None, env={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert "admin_key: cannot be read" in str(error.value)


# ---- the unit ----

@pytest.mark.parametrize("unit", ["systemd/tenterhook.service", "bridge/tenterhook-bridge.service"])
def test_the_units_exposure(unit):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    said = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", str(PACKAGING.parent / unit)],
                          capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
    found = re.search(r"Overall exposure level for tenterhook[-a-z]*\.service: ([0-9.]+)", said.stdout)
    assert found, said.stdout + said.stderr
    assert float(found[1]) <= 1.5, said.stdout


def test_the_unit_is_valid(tmp_path):
    """With the program and the manual page where this machine has them."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    text = (PACKAGING / "tenterhook.service").read_text()
    unit = tmp_path / "tenterhook.service"
    unit.write_text(text.replace("/usr/bin/tenterhook", str(binary_path())).replace("Documentation=man:tenterhook-serve(1)\n", ""))
    said = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert "tenterhook.service" not in said.stderr, said.stderr
    bridge = (PACKAGING.parent / "bridge" / "tenterhook-bridge.service").read_text()
    other = tmp_path / "tenterhook-bridge.service"
    other.write_text(bridge.replace("/usr/bin/tenterhook-bridge", str(binary_path())).replace("Documentation=man:tenterhook-bridge(1)\n", ""))
    said = subprocess.run(["systemd-analyze", "verify", str(other)], capture_output=True, text=True, check=False)
    assert "tenterhook-bridge.service" not in said.stderr, said.stderr
    assert "Type=notify\n" in text and "WatchdogSec=" in text and "RestartPreventExitStatus=64 65\n" in text


def test_the_units_settings_are_valid(tmp_path):
    said = subprocess.run([str(binary_path()), "config", "check", "--config", str(PACKAGING / "tenterhook.yaml"),
                           "--data", str(tmp_path)], capture_output=True, text=True, env=clean_env(), check=False)
    assert said.returncode == 0 and "valid" in said.stdout, said.stdout + said.stderr


@pytest.mark.release
def test_the_program_runs_behind_the_units_filter(server, tmp_path):
    """The system calls that the unit forbids are not needed: traced from start to stop."""
    if not shutil.which("strace") or not shutil.which("systemd-analyze"):
        pytest.skip("strace or systemd-analyze is not installed")
    sets, current = {}, None
    for line in subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True,
                               check=True).stdout.splitlines():
        if line.startswith("@"):
            current = sets.setdefault(line.strip(), [])
        elif line.strip() and not line.strip().startswith("#") and current is not None:
            current.append(line.strip())

    def members(name):
        for one in sets[name]:
            yield from members(one) if one.startswith("@") else [one]

    allowed = set(members("@system-service")) - set(members("@privileged")) - set(members("@resources"))
    running = server(start=False)
    trace = tmp_path / "trace"
    command = running.command
    running.command = lambda: ["strace", "-f", "-c", "-S", "name", "-o", str(trace), *command()]
    running.start()
    running.api.post("/v1/webhooks", {"url": "http://127.0.0.1:50999/x"}).expect(201)
    running.api.post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    children = pathlib.Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text()
    os.kill(int(children.split()[0]), signal.SIGTERM)
    running.process.wait(90)
    used = {line.split()[-1] for line in trace.read_text().splitlines()[2:-2] if line.strip()}
    assert {"listen", "fdatasync", "epoll_wait"} <= used, used  # the whole life was traced, not only its begin
    # setrlimit is tried and done without; SQLite calls fchown as root only, and the unit's user is not root
    assert used - allowed <= {"setrlimit", "total", *(["fchown"] if os.geteuid() == 0 else [])}, used - allowed


# ---- the page about all this ----

def test_the_page_names_every_option():
    page = (PACKAGING.parents[1] / "docs" / "operating.md").read_text()
    shown = subprocess.run([str(binary_path()), "help", "serve"], capture_output=True, text=True, env=clean_env(), check=True).stdout
    found = re.findall(r"environment (TENTERHOOK_\w+)( or its _FILE form)?|file key ([a-z_.]+)", shown)
    assert len(found) > 40
    for env, _, key in found:
        assert f"`{env or key}`" in page, env or key
    defaults = re.findall(r"\(default (\S+)\)\n\s+environment (\S+),", shown)
    assert defaults
    for key, default in defaults:
        assert key in page, (key, default)


def test_the_page_names_metrics_that_exist(server):
    page = (PACKAGING.parents[1] / "docs" / "operating.md").read_text()
    shown = server().api.get("/metrics").expect(200).body.decode()
    names = re.findall(r"`(tenterhook_[a-z_]+)`", page)
    assert len(names) > 10
    for name in names:
        assert f"# TYPE {name} " in shown, name
