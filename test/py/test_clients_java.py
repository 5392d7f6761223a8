"""The Java client (clients/java), built by Maven: the conformance cases, what the server sends in every dialect, the filter for Spring, the
examples of its README, and that it builds reproducibly."""
import hashlib
import re
import shutil
import subprocess

import pytest

from harness import clients, programs
from harness.client_suite import *  # noqa: F403
from harness.programs import run, tool

SOURCE = clients.CLIENTS / "java"
UNREACHABLE = re.compile(r"Could not transfer|could not be resolved|Unknown host|Connection (refused|reset|timed out)|Connect timed out")


def maven(folder, *goals):
    made = run([tool("mvn", "maven"), "-B", "-q", "-ntp", *goals], folder, timeout_s=900)
    if made.returncode and UNREACHABLE.search(made.stdout):
        programs.missing(f"Maven cannot fetch what it needs: {UNREACHABLE.search(made.stdout).group()}")
    assert made.returncode == 0, made.stdout[-4000:]


@pytest.fixture(scope="module")
def work():
    """A folder with the package, what it needs, and the compiled programs of the tests and of the README."""
    javac = tool("javac", "default-jdk-headless")
    folder = programs.work_folder("client-java")
    files = [path for path in sorted(SOURCE.rglob("*")) if path.is_file() and "target" not in path.relative_to(SOURCE).parts]
    with programs.fresh(folder, *files, programs.version(javac, "-version")) as stale:
        if stale:
            for name in ("source", "programs"):
                shutil.rmtree(folder / name, ignore_errors=True)
            shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("target"))
            maven(folder / "source", "package", "dependency:copy-dependencies", "-DoutputDirectory=target/lib")
            shutil.copytree(SOURCE / "test", folder / "programs")
            for name, program in clients.examples(SOURCE / "README.md", "java").items():
                (folder / "programs" / f"{name.capitalize()}.java").write_text(program)
            made = run([javac, "-nowarn", "-cp", class_path(folder), "-d", folder / "programs", *sorted((folder / "programs").glob("*.java"))], folder)
            assert made.returncode == 0, made.stdout
    return folder


def class_path(folder):
    return f"{folder}/source/target/tenterhook-0.1.0.jar:{folder}/source/target/lib/*:{folder}/programs"


def java(work, name):
    return [tool("java", "default-jdk-headless"), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8", "-cp", class_path(work), name]


@pytest.fixture(scope="module")
def runner(work):
    made = clients.Runner(java(work, "Runner"))
    yield made
    made.close()


def test_adapters(work, running):
    clients.run_adapter(running, programs.Program(java(work, "Receiver")))


def test_the_examples_of_the_readme(work, running):
    def receive(_program, env):
        return subprocess.Popen(java(work, "Receive"), env=env, stdout=subprocess.PIPE, text=True)

    def publish(_program, env):
        return run(java(work, "Publish"), work, env).stdout
    clients.run_examples(running, SOURCE / "README.md", "java", receive, publish)


def test_the_package_is_made_the_same_each_time(work, tmp_path):
    shutil.copytree(SOURCE, tmp_path / "source", ignore=shutil.ignore_patterns("target"))
    maven(tmp_path / "source", "package")
    files = [folder / "source" / "target" / "tenterhook-0.1.0.jar" for folder in (work, tmp_path)]
    assert len({hashlib.sha256(file.read_bytes()).digest() for file in files}) == 1
