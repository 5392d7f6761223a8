"""From a built package to the first verified delivery, as somebody does it who has just heard of it: a new project, the package and what it
needs installed, the README's two programs of at most ten lines, one event. In one minute, in each language.

It installs from registries, so it takes longer than other tests may: TENTERHOOK_FIRST=1, or `make first`."""
import os
import re
import shutil
import subprocess
import time

import pytest

from harness import clients, programs
from harness.programs import run, tool

pytestmark = pytest.mark.skipif(not os.environ.get("TENTERHOOK_FIRST"), reason="TENTERHOOK_FIRST is not set (make first)")
LIMIT_S = 60
VERSION = "0.1.0"


def ok(made):
    if made.returncode and re.search(r"dial tcp|resol|Could not transfer|ECONN|EAI_AGAIN|timed out", made.stdout):
        programs.missing(made.stdout[-300:])
    assert made.returncode == 0, made.stdout[-3000:]
    return made.stdout


class Python:
    readme = clients.CLIENTS / "python" / "README.md"

    def build(self, folder):
        python = shutil.which("python3")
        shutil.copytree(self.readme.parent, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "dist"))
        ok(run([python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder / "dist", folder / "source"], folder))
        (self.package,) = (folder / "dist").glob("*.whl")
        self.python = python

    def install(self, folder, _programs):
        ok(run([self.python, "-m", "venv", "venv"], folder))
        self.own = folder / "venv" / "bin" / "python"
        ok(run([self.own, "-m", "pip", "install", "-q", f"{self.package}[flask]"], folder))

    def receive(self, folder, env):
        return [self.own, "-m", "flask", "--app", "receive", "run", "--port", env["PORT"]]

    def publish(self, folder):
        return [self.own, "publish.py"]

    names = {"receive": "receive.py", "publish": "publish.py"}


class TypeScript:
    readme = clients.CLIENTS / "typescript" / "README.md"
    names = {"receive": "receive.mjs", "publish": "publish.mjs"}

    def build(self, folder):
        shutil.copytree(self.readme.parent, folder / "source", ignore=shutil.ignore_patterns("node_modules", "dist"))
        ok(run([tool("npm", "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder / "source"))
        made = ok(run([tool("npm", "npm"), "pack", "--silent", "--pack-destination", folder], folder / "source"))
        self.package = folder / made.strip().splitlines()[-1]

    def install(self, folder, _programs):
        (folder / "package.json").write_text('{"type": "module", "private": true}')
        ok(run([tool("npm", "npm"), "install", "--no-audit", "--no-fund", "--silent", self.package, "express@5"], folder))

    def receive(self, folder, env):
        return [tool("node", "nodejs"), "receive.mjs"]

    def publish(self, folder):
        return [tool("node", "nodejs"), "publish.mjs"]


class Go:
    readme = clients.CLIENTS / "go" / "README.md"
    names = {"receive": "receive/main.go", "publish": "publish/main.go"}

    def build(self, folder):
        tool("go", "golang-go")  # a Go module is its source

    def install(self, folder, _programs):
        env = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
        for arguments in (["mod", "init", "first.example/program"],
                          ["mod", "edit", "-require", f"tenterhook.example/go@v{VERSION}", "-replace", f"tenterhook.example/go={self.readme.parent}"],
                          ["mod", "tidy"], ["build", "-o", folder / "bin" / "receive", "./receive"], ["build", "-o", folder / "bin" / "publish", "./publish"]):
            ok(run([tool("go", "golang-go"), *arguments], folder, env))

    def receive(self, folder, env):
        return [folder / "bin" / "receive"]

    def publish(self, folder):
        return [folder / "bin" / "publish"]


class Java:
    readme = clients.CLIENTS / "java" / "README.md"
    names = {"receive": "src/main/java/Receive.java", "publish": "src/main/java/Publish.java"}
    POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>first</groupId><artifactId>program</artifactId>
<version>1</version><properties><maven.compiler.source>17</maven.compiler.source><maven.compiler.target>17</maven.compiler.target><project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>
<dependencies><dependency><groupId>tenterhook</groupId><artifactId>tenterhook</artifactId><version>0.1.0</version></dependency></dependencies></project>
"""

    def maven(self, folder, *goals):
        return ok(run([tool("mvn", "maven"), "-B", "-q", "-ntp", *goals], folder, timeout_s=600))

    def build(self, folder):
        shutil.copytree(self.readme.parent, folder / "source", ignore=shutil.ignore_patterns("target"))
        self.maven(folder / "source", "install", "-DskipTests")

    def install(self, folder, _programs):
        (folder / "pom.xml").write_text(self.POM)
        self.maven(folder, "package", "dependency:copy-dependencies", "-DoutputDirectory=target/lib")
        self.path = f"{folder}/target/classes:{folder}/target/lib/*"

    def receive(self, folder, env):
        return [tool("java", "default-jdk-headless"), "-cp", self.path, "Receive"]

    def publish(self, folder):
        return [tool("java", "default-jdk-headless"), "-cp", self.path, "Publish"]


@pytest.mark.parametrize("language,fence", [(Python, "python"), (TypeScript, "js"), (Go, "go"), (Java, "java")])
def test_from_the_package_to_a_verified_delivery_in_a_minute(language, fence, server, tmp_path):
    running, made = server(), language()
    (tmp_path / "build").mkdir()
    folder = tmp_path / "first"
    folder.mkdir()
    made.build(tmp_path / "build")
    begun = time.monotonic()
    sources = clients.examples(made.readme, fence)
    for name, file in made.names.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(sources[name])
    made.install(folder, sources)
    installed = time.monotonic() - begun

    def receive(_program, env):
        return subprocess.Popen([str(part) for part in made.receive(folder, env)], cwd=folder, env={**env, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True)

    def publish(_program, env):
        return ok(run(made.publish(folder), folder, env))
    clients.run_examples(running, made.readme, fence, receive, publish)
    took = time.monotonic() - begun
    print(f"\n{language.__name__}: installed after {installed:.1f} s, first verified delivery after {took:.1f} s")
    assert took <= LIMIT_S
