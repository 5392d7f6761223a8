"""The TypeScript client (clients/typescript), as its packed package: the conformance cases, what the server sends in every dialect,
the adapters of Express and Fastify, the examples of its README, and that it is fresh and builds reproducibly."""
import hashlib
import re
import shutil
import subprocess

import pytest

from harness import clients, programs
from harness.client_suite import *  # noqa: F403
from harness.programs import run, tool

SOURCE = clients.CLIENTS / "typescript"


def pack(folder, into):
    """Builds the package in `folder` and packs it; gives the file."""
    shutil.rmtree(folder / "dist", ignore_errors=True)
    made = run([tool("npm", "npm"), "pack", "--silent", "--pack-destination", into], folder)
    assert made.returncode == 0, made.stdout
    return into / made.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder in which the package is installed, from its packed file, as a user has it."""
    folder = programs.node_folder("client-typescript", SOURCE)
    build = tmp_path_factory.mktemp("build")
    for name in ("src", "package.json", "tsconfig.json", "README.md"):
        (shutil.copytree if (SOURCE / name).is_dir() else shutil.copy)(SOURCE / name, build / name)
    (build / "node_modules").symlink_to(folder / "node_modules")
    package = pack(build, build)
    user = tmp_path_factory.mktemp("user")
    (user / "package.json").write_text('{"type": "module", "private": true}')
    (user / "node_modules").mkdir()
    for module in (folder / "node_modules").iterdir():
        (user / "node_modules" / module.name).symlink_to(module)
    run(["tar", "-xzf", package], build)
    shutil.move(build / "package", user / "node_modules" / "tenterhook")
    for program in (SOURCE / "test").iterdir():
        shutil.copy(program, user)
    return {"user": user, "build": build, "package": package}


@pytest.fixture(scope="module")
def runner(work):
    made = clients.Runner([tool("node", "nodejs"), "runner.mjs"], work["user"])
    yield made
    made.close()


def test_the_types_are_fresh(work):
    """openapi-typescript makes the committed file out of the description."""
    made = run([work["user"] / "node_modules" / ".bin" / "openapi-typescript", clients.CLIENTS / "openapi.json", "-o", work["build"] / "schema.ts"], work["build"])
    assert made.returncode == 0, made.stdout
    assert (work["build"] / "schema.ts").read_text() == (SOURCE / "src" / "schema.ts").read_text(), "run tools/make-clients"


@pytest.mark.parametrize("name", ["express", "fastify"])
def test_adapters(name, work, running):
    """Verified events arrive with the raw body kept; what is not the sender's is 401."""
    clients.run_adapter(running, programs.Program([tool("node", "nodejs"), "receivers.mjs", name], work["user"]))


def test_the_examples_of_the_readme(work, running):
    """From the packed package to a verified delivery."""
    node, user = tool("node", "nodejs"), work["user"]

    def receive(program, env):
        (user / "receive.mjs").write_text(program)
        return subprocess.Popen([node, "receive.mjs"], cwd=user, env=env, stdout=subprocess.PIPE, text=True)

    def publish(program, env):
        (user / "publish.mjs").write_text(program)
        return run([node, "publish.mjs"], user, env).stdout
    clients.run_examples(running, SOURCE / "README.md", "js", receive, publish)


def test_what_waits_is_sent_before_the_process_ends(work, running):
    program = ("import { Tenterhook } from 'tenterhook'; const p = new Tenterhook().publisher({ lingerMs: 60000 });"
               "for (let i = 0; i < 5; i++) p.publish({ type: 'exit.test', data: i });")
    done = run([tool("node", "nodejs"), "--input-type=module", "-e", program], work["user"],
               clients.access(running))
    assert done.returncode == 0, done.stdout
    assert len(running.api.get("/v1/events?event_type=exit.test").expect(200).json["data"]) == 5


def test_the_package_is_made_the_same_each_time(work, tmp_path):
    digests = {hashlib.sha256(work["package"].read_bytes()).hexdigest(), hashlib.sha256(pack(work["build"], tmp_path).read_bytes()).hexdigest()}
    assert len(digests) == 1


def test_the_client_itself_needs_no_module_of_node(work):
    """Browsers and Deno load it: nothing that index.js imports is one of Node's own."""
    done, queue = set(), ["index.js"]
    dist = work["user"] / "node_modules" / "tenterhook" / "dist"
    while queue:
        name = queue.pop()
        if name in done:
            continue
        done.add(name)
        for found in re.findall(r"from '([^']+)'", (dist / name).read_text()):
            assert found.startswith("./") or found == "openapi-fetch", (name, found)
            if found.startswith("./"):
                queue.append(found[2:])
    assert "webhooks.js" not in done and len(done) >= 5
