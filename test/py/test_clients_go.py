"""The Go client (clients/go): the conformance cases, what the server sends in every dialect, the handler of net/http, the examples of its
README as programs of another module, and that it is fresh."""
import re
import shutil
import subprocess

import pytest

from harness import clients, programs
from harness.client_suite import *  # noqa: F403
from harness.programs import run, tool

SOURCE = clients.CLIENTS / "go"
UNREACHABLE = re.compile(r"dial tcp|no such host|proxyconnect|connection refused|i/o timeout|TLS handshake|missing go.sum|502|503")


def go(folder, *arguments):
    made = run([tool("go", "golang-go"), *arguments], folder, {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}, 900)
    if made.returncode and UNREACHABLE.search(made.stdout):
        programs.missing(f"go cannot fetch its modules: {made.stdout[-300:]}")
    if made.returncode and re.search("requires go >=|is not in GOROOT", made.stdout):  # Debian 12's Go, 1.19, says the latter
        programs.missing(made.stdout.strip()[-200:])
    assert made.returncode == 0, made.stdout
    return made.stdout


@pytest.fixture(scope="module")
def work():
    """The runner, the receiver and the README's examples, compiled in a module that requires the client as another's would."""
    folder = programs.work_folder("client-go")
    files = [path for path in sorted(SOURCE.rglob("*")) if path.is_file() and ".git" not in path.parts]
    with programs.fresh(folder, *files, programs.version(tool("go", "golang-go"), "version")) as stale:
        if stale:
            shutil.rmtree(folder / "user", ignore_errors=True)
            for name, program in clients.examples(SOURCE / "README.md", "go").items():
                (folder / "user" / name).mkdir(parents=True)
                (folder / "user" / name / "main.go").write_text(program)
            for name in ("runner", "receiver"):
                shutil.copytree(SOURCE / "test" / name, folder / "user" / name)
            go(folder / "user", "mod", "init", "user.example/program")
            go(folder / "user", "mod", "edit", "-require", "tenterhook.example/go@v0.1.0", "-replace", f"tenterhook.example/go={SOURCE}")
            go(folder / "user", "mod", "tidy")
            go(folder / "user", "vet", "./...")
            (folder / "bin").mkdir(exist_ok=True)
            go(folder / "user", "build", "-o", folder / "bin", "./...")
    return folder / "bin"


@pytest.fixture(scope="module")
def runner(work):
    made = clients.Runner([work / "runner"])
    yield made
    made.close()


def test_adapters(work, running):
    clients.run_adapter(running, programs.Program([work / "receiver"]))


def test_the_examples_of_the_readme(work, running):
    def receive(_program, env):
        return subprocess.Popen([work / "receive"], env=env, stdout=subprocess.PIPE, text=True)

    def publish(_program, env):
        return run([work / "publish"], work, env).stdout
    clients.run_examples(running, SOURCE / "README.md", "go", receive, publish)


def test_the_generated_code_is_fresh():
    """oapi-codegen makes the committed file out of the description."""
    tool("go", "golang-go")
    assert clients.stale("go") == ""


def test_it_is_laid_out():
    gofmt = shutil.which("gofmt") or programs.missing("gofmt is not installed (Debian package golang-go)")
    assert run([gofmt, "-l", *SOURCE.glob("*.go"), SOURCE / "test"], SOURCE).stdout == ""
