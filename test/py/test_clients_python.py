"""The Python client (clients/python), as its wheel: the conformance cases with and without asyncio, what the server sends in every
dialect, the adapters of Flask and FastAPI, the examples of its README, and that it is fresh and builds reproducibly."""
import hashlib
import os
import shutil
import subprocess

import pytest

from harness import clients, programs
from harness.client_suite import *  # noqa: F403
from harness.programs import run

SOURCE = clients.CLIENTS / "python"
UNREACHABLE = ("Temporary failure in name resolution", "No matching distribution", "Connection", "timed out", "SSLError")


def environment():
    """A virtual environment with what the tests need, made once."""
    python = shutil.which("python3")
    if python is None or run([python, "-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"], clients.ROOT).returncode:
        programs.missing("python3 of 3.11 or later with venv and pip is not installed (Debian package python3-venv)")
    folder, wanted = programs.work_folder("client-python"), SOURCE / "test" / "requirements.txt"
    with programs.fresh(folder, wanted, programs.version(python, "--version")) as stale:
        if stale:
            shutil.rmtree(folder / "venv", ignore_errors=True)
            run([python, "-m", "venv", "venv"], folder)
            made = run([folder / "venv" / "bin" / "pip", "install", "-q", "--disable-pip-version-check", "-r", wanted], folder)
            if made.returncode and any(word in made.stdout for word in UNREACHABLE):
                programs.missing(f"pip cannot reach its registry: {made.stdout[-300:]}")
            assert made.returncode == 0, made.stdout
    return folder / "venv" / "bin" / "python"


def build(python, folder):
    """Builds sdist and wheel from a copy of the source; gives the files."""
    shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "dist"))
    made = run([python, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder / "source"], folder)
    assert made.returncode == 0, made.stdout
    return sorted((folder / "dist").iterdir())


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """The interpreter with the wheel installed beside its requirements."""
    python, folder = environment(), tmp_path_factory.mktemp("python")
    files = build(python, folder)
    wheel = next(file for file in files if file.suffix == ".whl")
    made = run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", folder / "site", wheel], folder)
    assert made.returncode == 0, made.stdout
    return {"python": python, "folder": folder, "files": files, "env": {"PYTHONPATH": str(folder / "site")}}


@pytest.fixture(scope="module")
def runner(work):
    made = clients.Runner([work["python"], SOURCE / "test" / "runner.py"], work["folder"], work["env"])
    yield made
    made.close()


@pytest.mark.parametrize("file", ["requests", "retries", "errors", "paging"])
def test_conformance_with_asyncio(file, work, proxy, running, sink):
    made = clients.Runner([work["python"], SOURCE / "test" / "runner.py", "async"], work["folder"], work["env"])
    try:
        clients.run_cases(file, made, proxy, running, sink)
    finally:
        made.close()


@pytest.mark.parametrize("name", ["flask", "fastapi"])
def test_adapters(name, work, running):
    clients.run_adapter(running, programs.Program(["env", f"PYTHONPATH={work['env']['PYTHONPATH']}", work["python"], SOURCE / "test" / "receivers.py", name], work["folder"]))


def test_the_examples_of_the_readme(work, running):
    """From the wheel to a verified delivery."""
    folder = work["folder"]

    def receive(program, env):
        (folder / "receive.py").write_text(program)
        return subprocess.Popen([work["python"], "-m", "flask", "--app", "receive", "run", "--port", env["PORT"]], cwd=folder, env={**env, **work["env"]},
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def publish(program, env):
        (folder / "publish.py").write_text(program)
        return run([work["python"], "publish.py"], folder, {**env, **work["env"]}).stdout
    clients.run_examples(running, SOURCE / "README.md", "python", receive, publish)


def test_what_waits_is_sent_before_the_interpreter_ends(work, running):
    program = ("from tenterhook import Publisher, Tenterhook\np = Publisher(Tenterhook(), linger=60)\n"
               "for i in range(5): p.publish({'type': 'exit.python', 'data': i})\n")
    done = run([work["python"], "-c", program], work["folder"], {**clients.access(running), **work["env"]})
    assert done.returncode == 0, done.stdout
    assert len(running.api.get("/v1/events?event_type=exit.python").expect(200).json["data"]) == 5


def test_the_package_is_made_the_same_each_time(work, tmp_path):
    again = build(work["python"], tmp_path)
    assert [file.name for file in again] == [file.name for file in work["files"]] and len(again) == 2
    for one, other in zip(work["files"], again):
        assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest(), one.name


def test_the_generated_calls_work_too(work, running):
    program = ("from tenterhook import Tenterhook\nfrom tenterhook.generated.api.installation import get_stats\n"
               "print(get_stats.sync(client=Tenterhook().api).step)\n")
    done = run([work["python"], "-c", program], work["folder"], {**clients.access(running), **work["env"]})
    assert done.stdout.strip() in ("1m", "1h", "1d"), done.stdout


def test_the_generated_code_is_fresh():
    """openapi-python-client makes the committed files out of the description; it is installed where the tests run only if it is there already."""
    if not os.environ.get("CI") and not (clients.ROOT / "build" / "clients" / "generate-python" / "bin" / "openapi-python-client").exists():
        pytest.skip("openapi-python-client is not installed in build/clients: tools/make-clients --only python does so")
    assert clients.stale("python") == ""
