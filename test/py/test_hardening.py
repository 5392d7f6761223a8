"""What makes faults harder to use: the binary's own defences, memory that others do not read, keys that are not short."""
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import tempfile

import pytest
from harness.expect import eventually
from harness.server import StartError, binary_path

UNIT = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "systemd" / "tenterhook.service"
SANITIZED = b"__asan_init" in binary_path().read_bytes()
X86 = platform.machine() == "x86_64"


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# ---- the binary ----


def test_the_binary_has_its_defences():
    dynamic = output("readelf", "-hldW", binary_path())
    assert re.search(r"Type: +DYN \(Position-Independent Executable|Type: +DYN \(", dynamic)
    assert "GNU_RELRO" in dynamic and "BIND_NOW" in dynamic and re.search(r"FLAGS_1.*NOW.*PIE", dynamic)
    assert not re.search(r"GNU_STACK.* RWE ", dynamic)


def test_every_file_is_compiled_with_its_defences():
    commands = json.loads((binary_path().parent / "compile_commands.json").read_text())
    ours = [c["command"] for c in commands if "/src/" in c["file"]]
    assert len(ours) > 100
    for command in ours:
        assert "-fstack-protector-strong" in command
        assert "-fstack-clash-protection" in command
        assert not X86 or "-fcf-protection" in command
        assert command.rindex("-fPIE") > command.find("-fPIC")


@pytest.mark.skipif(not X86, reason="of x86-64")
def test_jumps_end_where_the_compiler_meant_them_to():
    assert "endbr64" in output("objdump", "-d", "--no-show-raw-insn", "--disassemble=main", binary_path())


# ---- memory ----


def regions(pid):
    """(from, to, name, flags) of each piece of the process's memory."""
    found = []
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)", line)
        if head:
            found.append([int(head[1], 16), int(head[2], 16), head[4], set(), head[3]])
        elif line.startswith("VmFlags:"):
            found[-1][3] = set(line.split()[1:])
    return found


def places(pid, text):
    """Flags and names of the regions in which the text is found."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for begin, end, name, flags, rights in regions(pid):
            if "r" not in rights or "w" not in rights or end - begin > 1 << 30:
                continue  # what a sanitizer keeps for itself
            try:
                memory.seek(begin)
                data = memory.read(end - begin)
            except OSError:
                continue
            if text in data:
                found.append((name, flags))
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to read the memory of the process")
def test_the_keys_lie_in_locked_memory(server, tmp_path):
    admin, secret = "operator-" + "k3y" * 9, "phrase-" + "s3cr3t " * 5
    (tmp_path / "admin").write_text(admin)
    (tmp_path / "secret").write_text(secret)
    running = server(admin_key=None, env={"TENTERHOOK_ADMIN_KEY_FILE": str(tmp_path / "admin"),
                                          "TENTERHOOK_SECRET_KEY_FILE": str(tmp_path / "secret")})
    for key in (admin, secret):
        found = places(running.process.pid, key.encode())
        assert found, "not found at all: the test looks in the wrong place"
        for name, flags in found:
            assert "dd" in flags, (name, flags)  # left out of dumps
            assert "lo" in flags or SANITIZED, (name, flags)  # locked: with a sanitizer mlock does nothing


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to read the memory of the process")
def test_the_value_of_a_header_is_gone_with_its_endpoint(server):
    """However often it was changed, and however much was sent with it."""
    running = server()
    value = "header-value-" + "v4lu3" * 300
    hook = running.api.post("/v1/webhooks", {"url": "http://127.0.0.1:8099/", "headers": {"X-Custom": value}}).expect(201).json["id"]
    # what follows overwrites the memory of the request itself, which is not what this test is about
    filler = {"description": "f" * 2000}
    for _ in range(3):
        running.api.patch(f"/v1/webhooks/{hook}", filler).expect(200)
    kept = len(places(running.process.pid, value.encode()))
    running.api.delete(f"/v1/webhooks/{hook}").expect(204)
    for _ in range(20):
        running.api.post("/v1/webhooks", {"url": "http://127.0.0.1:8099/", **filler}).expect(201)
    assert kept > 0
    eventually(lambda: not places(running.process.pid, value.encode()), 5)


def test_others_do_not_read_the_process(server, tmp_path):
    """/proc/PID belongs to root then, whoever the process runs as."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tenterhook-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
        running = server(data=folder / "data", start=False)
        if os.geteuid() == 0:
            command, other = running.command(), ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            running.command = lambda: [*other, *command]
            if subprocess.run([*other, "test", "-x", binary_path()], check=False).returncode:
                pytest.skip("the binary lies where another user does not get here")
        running.start()
        assert pathlib.Path(f"/proc/{running.process.pid}/environ").stat().st_uid == 0
        running.stop()
    finally:
        shutil.rmtree(folder)


# ---- the unit ----


def test_the_unit_limits_memory_and_keeps_from_cloud_metadata():
    settings = dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.M))
    assert settings["MemoryMax"]
    assert {"169.254.169.254/32", "fd00:ec2::254/128"} <= set(settings["IPAddressDeny"].split())


# ---- keys of operators ----


def started(server, data, key, environment="production"):
    running = server(data=data, admin_key=key, environment=environment)
    assert running.api.get("/v1/tenants").expect(200)
    running.stop()
    return running.text()


def refused(server, data, key):
    with pytest.raises(StartError) as e:
        server(data=data, admin_key=key, environment="production")
    assert e.value.status == 64 and "at least 16 characters" in e.value.output
    assert key not in e.value.output


def forget(data):
    """Makes the data directory one of a version that did not keep this."""
    with __import__("sqlite3").connect(data / "tenterhook.db") as db:
        assert db.execute("DELETE FROM meta WHERE k = 'short_operator_key'").rowcount == 1


def test_a_new_operators_key_in_production_has_16_characters(server, tmp_path):
    data = tmp_path / "new"
    refused(server, data, "short-key-1234"[:15])
    refused(server, data, "short-key-1234"[:15])  # a start that was refused is no use
    assert "fewer than 16" not in started(server, data, "long-enough-1234")
    refused(server, data, "short-key-1234")
    assert started(server, data, "short", "development")
    refused(server, data, "short-key-1234")


def test_a_short_key_of_before_stays_with_a_warning(server, tmp_path):
    data = tmp_path / "old"
    started(server, data, "long-enough-1234")
    forget(data)
    assert "fewer than 16 characters" in started(server, data, "short-one")
    assert "fewer than 16 characters" in started(server, data, "short-one")
    refused(server, data, "short-two")  # another one is new
    assert started(server, data, "short-one")
    started(server, data, "long-enough-1234")
    refused(server, data, "short-one")  # the exception has ended


def test_warnings_of_what_is_open(server):
    """Every address allowed or trusted; keys that cross the network in the clear."""
    text = started_text(server, flags=["--allow-network", "0.0.0.0/0", "--allow-network", "::/0", "--trusted-proxy", "::/0"])
    lines = [line for line in text.splitlines() if '"warn"' in line]
    assert sum("every address is an allowed network" in line for line in lines) == 2
    assert sum("every address is a trusted proxy" in line for line in lines) == 1
    assert not any("in the clear" in line for line in lines)
    text = started_text(server, listen="0.0.0.0:0")
    assert '"keys and events cross the network in the clear' in text
    assert "in the clear" not in started_text(server, flags=["--allow-network", "10.0.0.0/8"])


def started_text(server, **options):
    running = server(**options)
    running.stop()
    return running.text()
