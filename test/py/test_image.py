"""The image that `make image` makes: what is in it, and that it runs as a container does, with a root that cannot be written and a user who may
nothing. $TENTERHOOK_IMAGE names its tar; without it there is nothing to look at (it takes minutes to make)."""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import time

import pytest

from harness.client import Api
from harness.postgres import Postgres, free_port
from harness.server import ROOT
from harness.signature import verify

IMAGE = os.environ.get("TENTERHOOK_IMAGE")
EMULATORS = {"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}  # of Debian's qemu-user-static
pytestmark = pytest.mark.skipif(not IMAGE, reason="TENTERHOOK_IMAGE names no image (make image)")


@pytest.fixture(scope="module")
def blobs():
    with tarfile.open(IMAGE) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}


@pytest.fixture(scope="module")
def config(blobs):
    (manifest,) = json.loads(blobs["manifest.json"])
    return json.loads(blobs[manifest["Config"]])


def test_it_is_an_oci_layout_whose_digests_hold(blobs, config):
    named = {name: data for name, data in blobs.items() if name.startswith("blobs/sha256/")}
    assert len(named) >= 3  # a layer, its configuration, the manifest
    for name, data in named.items():
        assert hashlib.sha256(data).hexdigest() == name.rsplit("/", 1)[1]
    (entry,) = json.loads(blobs["index.json"])["manifests"]
    manifest = json.loads(blobs["blobs/" + entry["digest"].replace(":", "/")])
    (layer,) = manifest["layers"]
    assert layer["size"] <= 40 << 20, f"{layer['size']} bytes compressed"
    assert config["config"]["User"] == "65534:65534"
    assert config["config"]["Healthcheck"]["Test"] == ["CMD", "tenterhook", "doctor", "--ready"]
    sums = pathlib.Path(IMAGE).with_name("SHA256SUMS").read_text().splitlines()
    assert sums
    for line in sums:
        digest, name = line.split()
        assert hashlib.sha256(pathlib.Path(IMAGE).with_name(name).read_bytes()).hexdigest() == digest


def test_its_parts_are_listed(blobs):
    sbom = json.loads(pathlib.Path(str(IMAGE).replace(".tar", ".spdx.json")).read_text())
    assert sbom["spdxVersion"] == "SPDX-2.3" and sbom["packages"][0]["name"] == "tenterhook"
    names = {p["name"] for p in sbom["packages"]}
    assert {"libc6", "libssl3", "ca-certificates"} <= names or {"libc6", "libssl3t64", "ca-certificates"} <= names, names
    ids = {p["SPDXID"] for p in sbom["packages"]} | {"SPDXRef-DOCUMENT"}
    arch = pathlib.Path(IMAGE).stem.rsplit("-", 1)[1]
    for part in sbom["packages"][1:]:
        (place,) = part["externalRefs"]
        assert re.fullmatch(rf"pkg:deb/debian/{re.escape(part['name'])}@{re.escape(part['versionInfo'])}\?arch=({arch}|all)", place["referenceLocator"]), part
    assert "libpq5" in names  # which the program loads by itself
    assert all(r["spdxElementId"] in ids and r["relatedSpdxElement"] in ids for r in sbom["relationships"])


class Container:
    """Runs programs of the image as a container does: mounts of its own, the root read-only, the volume in /data; then the image's user,
    without any capability."""
    LAUNCHER = ("import json, os, subprocess, sys\nroot, data = sys.argv[1:3]\n"
                "for c in (['mount', '--make-rprivate', '/'], ['mount', '--bind', root, root], ['mount', '-o', 'remount,ro,bind', root],\n"
                "          ['mount', '--bind', data, root + '/data']):\n    subprocess.run(c, check=True)\n"
                "os.chroot(root); os.chdir('/'); os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
                "os.execve(sys.argv[4], sys.argv[4:], {'PATH': '/usr/bin'} | json.loads(sys.argv[3]))\n")

    def __init__(self, blobs, config, folder):
        (manifest,) = json.loads(blobs["manifest.json"])
        self.root, self.data, self.log, self.config = folder / "root", folder / "data", folder / "log", config
        self.through, self.port = [], free_port()
        self.root.mkdir()
        (folder / "layer").write_bytes(blobs[manifest["Layers"][0]])
        with tarfile.open(folder / "layer") as tar:
            tar.extractall(self.root, numeric_owner=True)
        self.data.mkdir(mode=0o700)
        os.chown(self.data, 65534, 65534)
        here = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
        if config["architecture"] != here:  # the program runs as another architecture's, by an emulator that lies beside the image's files
            shutil.copy(shutil.which(EMULATORS[config["architecture"]]), self.root / "emulator")
            self.through = ["/emulator"]

    def command(self, *arguments, **env):
        return ["unshare", "-m", "/usr/bin/python3", "-c", self.LAUNCHER, str(self.root), str(self.data),
                json.dumps({"TENTERHOOK_ADMIN_KEY": "k" * 32} | env), *self.through, "/usr/bin/tenterhook", *arguments]

    @contextlib.contextmanager
    def serving(self, *flags, **env):
        """The entry point of the image, with more flags; gives how long it took until it was ready."""
        entry = [part.replace(":8420", f":{self.port}").replace("0.0.0.0", "127.0.0.1") for part in self.config["config"]["Entrypoint"]]
        begun = time.monotonic()
        with open(self.log, "wb") as log:
            process = subprocess.Popen(self.command(*entry[1:], *flags, **env), stdout=log, stderr=log)
        try:
            ready = self.command("doctor", "--ready", "--server", f"http://127.0.0.1:{self.port}")
            while subprocess.run(ready, capture_output=True, check=False).returncode:
                assert process.poll() is None and time.monotonic() - begun < 60, self.log.read_text()
                time.sleep(0.05)
            yield time.monotonic() - begun
        finally:
            process.terminate()
            assert process.wait(30) == 0, self.log.read_text()


@pytest.fixture
def container(blobs, config, tmp_path):
    if os.getuid() != 0:
        pytest.skip("needs root for a root file system of its own")
    return Container(blobs, config, tmp_path)


def test_it_starts_as_a_container_does(container):
    root = container.root
    assert not (root / "bin" / "sh").exists() and not (root / "usr" / "bin" / "apt").exists()
    assert not [p for p in root.rglob("*") if p.is_file() and not p.is_symlink() and p.stat().st_mode & 0o6000]
    shown = subprocess.run(container.command("version"), capture_output=True, text=True, check=True).stdout
    assert shown.split()[1] == container.config["config"]["Labels"]["org.opencontainers.image.version"]
    with container.serving() as took:
        print(f"started to ready: {took:.2f} s")
    assert (container.data / "secret.key").stat().st_uid == 65534


def test_it_delivers_from_postgresql(container, receiver):
    """libpq is loaded by the program itself, so nothing else notices when the image lacks it."""
    got, database = receiver(), Postgres()
    try:
        flags = ["--store", database.url(), "--allow-network", "127.0.0.0/8", "--environment", "development"]
        with container.serving(*flags, TENTERHOOK_SECRET_KEY="0123456789abcdef" * 4) as took:
            print(f"started to ready on PostgreSQL: {took:.2f} s")
            api = Api(container.port, "k" * 32)
            made = api.post("/v1/webhooks", {"url": got.url()}).expect(201).json
            api.post("/v1/events", {"type": "image.test", "data": {"number": 7}}).expect(202)
            (request,) = got.wait_for(1)
            verify(made["secret"], request)
            assert json.loads(request.body)["data"] == {"number": 7}
        assert database.sql("SELECT count(*) FROM tenterhook.event") == [["1"]]
    finally:
        database.close()


def test_the_dockerfile_makes_the_same():
    text = (ROOT / "packaging" / "image" / "Dockerfile").read_text()
    builder = (ROOT / "packaging" / "image" / "build-image").read_text()
    assert 'USER 65534:65534' in text and '"doctor", "--ready"' in text and "USER = 65534" in builder
