"""The TypeScript client (clients/typescript), as its packed package: the conformance cases, what the server sends in every dialect,
the adapters of Express and Fastify, the examples of its README, and that it is fresh and builds reproducibly."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import time

import pytest

from harness import clients, programs
from harness.programs import run, tool
from harness.server import Server

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
def running(tmp_path_factory, certificates):
    with Server(tmp_path_factory.mktemp("server"), flags=["--ca-file", str(certificates.ca)]) as made:
        yield made


@pytest.fixture(scope="module")
def runner(work):
    made = clients.Runner([tool("node", "nodejs"), "runner.mjs"], work["user"])
    yield made
    made.close()


@pytest.fixture(scope="module")
def proxy(running):
    made = clients.Proxy(running.port)
    yield made
    made.close()


@pytest.fixture(scope="module")
def sink():
    with clients.Receiver() as made:
        yield made


def test_it_is_fresh():
    """What is generated is what the server and the dialect files say now; after a change: tools/make-clients."""
    assert clients.stale() == ""


def test_the_types_are_fresh(work):
    """openapi-typescript makes the committed file out of the description."""
    made = run([work["user"] / "node_modules" / ".bin" / "openapi-typescript", clients.CLIENTS / "openapi.json", "-o", work["build"] / "schema.ts"], work["build"])
    assert made.returncode == 0, made.stdout
    assert (work["build"] / "schema.ts").read_text() == (SOURCE / "src" / "schema.ts").read_text(), "run tools/make-clients"


@pytest.mark.parametrize("file", ["requests", "retries", "errors", "paging", "publisher"])
def test_conformance(file, runner, proxy, running, sink):
    for case in clients.cases(file):
        try:
            clients.run_case(case, runner, proxy, running, sink)
        except AssertionError as error:
            raise AssertionError(f"{file}.json, {case['name']}: {error}") from None


def test_changed_requests_of_every_dialect(runner):
    assert clients.judge_wire(runner) > 300


def test_vectors(runner):
    """The `verify` cases of vectors that others have written."""
    folder = pathlib.Path(os.environ.get("TENTERHOOK_VECTORS") or clients.ROOT.parent / "shared" / "vectors")
    if not folder.exists():
        pytest.skip("the vectors are not there: set TENTERHOOK_VECTORS")
    assert clients.judge_vectors(runner, folder) > 40


def test_what_the_server_sends(runner, running, certificates):
    with clients.Receiver(tls=certificates.context()) as sink:
        assert len(clients.judge_server(runner, running, sink)) == 17


@pytest.mark.parametrize("name", ["express", "fastify"])
def test_adapters(name, work, running):
    """Verified events arrive with the raw body kept; what is not the sender's is 401."""
    program = programs.Program([tool("node", "nodejs"), "receivers.mjs", name], work["user"])
    try:
        program.ready()
        clients.adapter_round(running, program.url("/hook"), lambda secret: program.command({"secret": secret}),
                              lambda event: program.wait_for("event", lambda one: one["id"] == event))
    finally:
        program.close()


def test_the_examples_of_the_readme(work, running, record_property):
    """Ten lines each; from the packed package to a verified delivery."""
    began = time.monotonic()
    blocks = clients.examples(SOURCE / "README.md", "js")
    assert set(blocks) == {"publish", "receive"} and all(len(block.strip().splitlines()) <= 10 for block in blocks.values())
    port = clients.free_port()
    for name, block in blocks.items():
        (work["user"] / f"{name}.mjs").write_text(block)
    endpoint = running.api.post("/v1/webhooks", {"url": f"http://127.0.0.1:{port}/hook"}).expect(201).json
    env = {"TENTERHOOK_SERVER": running.api.host and f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": running.admin_key,
           "WEBHOOK_SECRET": endpoint["secret"], "PORT": str(port)}
    node = tool("node", "nodejs")
    receiver = subprocess.Popen([node, "receive.mjs"], cwd=work["user"], env={**os.environ, **env}, stdout=subprocess.PIPE, text=True)
    try:
        assert receiver.stdout.readline().startswith("listening")
        published = run([node, "publish.mjs"], work["user"], env)
        assert published.returncode == 0, published.stdout
        event = published.stdout.split()[0]
        assert event.startswith("msg_") and event in receiver.stdout.readline()
    finally:
        receiver.kill()
        receiver.wait()
    record_property("seconds", time.monotonic() - began)
    running.api.delete(f"/v1/webhooks/{endpoint['id']}").expect(204)


def test_what_waits_is_sent_before_the_process_ends(work, running):
    program = ("import { Tenterhook } from 'tenterhook'; const p = new Tenterhook().publisher({ lingerMs: 60000 });"
               "for (let i = 0; i < 5; i++) p.publish({ type: 'exit.test', data: i });")
    done = run([tool("node", "nodejs"), "--input-type=module", "-e", program], work["user"],
               {"TENTERHOOK_SERVER": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": running.admin_key})
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
        for found in clients.re.findall(r"from '([^']+)'", (dist / name).read_text()):
            assert found.startswith("./") or found == "openapi-fetch", (name, found)
            if found.startswith("./"):
                queue.append(found[2:])
    assert "webhooks.js" not in done and len(done) >= 5
