"""The image that `make image` makes: what is in it, and that it runs as a container does, with a root that cannot be written and a user who may
nothing. $TENTERHOOK_IMAGE names its tar; without it there is nothing to look at (it takes minutes to make)."""
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

from harness.postgres import free_port
from harness.server import ROOT

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
        assert re.fullmatch(rf"pkg:deb/debian/{re.escape(part['name'])}@{re.escape(part['versionInfo'])}\\?arch=({arch}|all)", place["referenceLocator"]), part
    assert "libpq5" in names  # which the program loads by itself
    assert all(r["spdxElementId"] in ids and r["relatedSpdxElement"] in ids for r in sbom["relationships"])


@pytest.mark.skipif(os.getuid() != 0, reason="needs root for a root file system of its own")
def test_it_starts_as_a_container_does(blobs, config, tmp_path):
    (manifest,) = json.loads(blobs["manifest.json"])
    root, data, port = tmp_path / "root", tmp_path / "data", free_port()
    root.mkdir()
    (tmp_path / "layer").write_bytes(blobs[manifest["Layers"][0]])
    with tarfile.open(tmp_path / "layer") as tar:
        tar.extractall(root, numeric_owner=True)
    data.mkdir(mode=0o700)
    os.chown(data, 65534, 65534)
    here = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    through = []
    if config["architecture"] != here:  # the program runs as another architecture's, by an emulator that lies beside the image's files
        shutil.copy(shutil.which(EMULATORS[config["architecture"]]), root / "emulator")
        through = ["/emulator"]
    assert not (root / "bin" / "sh").exists() and not (root / "usr" / "bin" / "apt").exists()
    assert not [p for p in root.rglob("*") if p.is_file() and not p.is_symlink() and p.stat().st_mode & 0o6000]
    command = [part.replace(":8420", f":{port}").replace("0.0.0.0", "127.0.0.1") for part in config["config"]["Entrypoint"]]
    # its own mounts: the root read-only, the volume in /data; then its user, without any capability
    launcher = ("import os, subprocess, sys\nroot, data = sys.argv[1:3]\n"
                "for c in (['mount', '--make-rprivate', '/'], ['mount', '--bind', root, root], ['mount', '-o', 'remount,ro,bind', root],\n"
                "          ['mount', '--bind', data, root + '/data']):\n    subprocess.run(c, check=True)\n"
                "os.chroot(root); os.chdir('/'); os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
                "os.execve(sys.argv[3], sys.argv[3:], {'PATH': '/usr/bin', 'TENTERHOOK_ADMIN_KEY': 'k' * 32})\n")

    def container(*arguments):
        return ["unshare", "-m", "/usr/bin/python3", "-c", launcher, str(root), str(data), *through, "/usr/bin/tenterhook", *arguments]
    shown = subprocess.run(container("version"), capture_output=True, text=True, check=True).stdout
    assert shown.split()[1] == config["config"]["Labels"]["org.opencontainers.image.version"]
    begun = time.monotonic()
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(container(*command[1:]), stdout=log, stderr=log)
    try:
        while subprocess.run(container("doctor", "--ready", "--server", f"http://127.0.0.1:{port}"), capture_output=True, check=False).returncode:
            assert process.poll() is None and time.monotonic() - begun < 30, (tmp_path / "log").read_text()
            time.sleep(0.05)
        print(f"started to ready: {time.monotonic() - begun:.2f} s")
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert (data / "secret.key").stat().st_uid == 65534


def test_the_dockerfile_makes_the_same():
    text = (ROOT / "packaging" / "image" / "Dockerfile").read_text()
    builder = (ROOT / "packaging" / "image" / "build-image").read_text()
    assert 'USER 65534:65534' in text and '"doctor", "--ready"' in text and "USER = 65534" in builder
