"""`make install` as a packager and as somebody without packages meet it: everything is there, where it is looked for."""
import fnmatch
import os
import re
import shutil
import subprocess

import pytest

from harness.server import ROOT, binary_path, clean_env

LISTS = ROOT / "packaging" / "debian"


def make_install(destdir, prefix, *more):
    """Into `destdir`, from a build folder that stays between runs: the tests' own build has sanitizers in it."""
    done = subprocess.run(["make", "install", f"PREFIX={prefix}", f"DESTDIR={destdir}", *more,
                           f"RELEASE_DIR={binary_path().parent / 'packaged'}"], cwd=ROOT, env=clean_env(),
                          capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """As a package build does it."""
    folder = tmp_path_factory.mktemp("installed")
    make_install(folder, "/usr", "BRIDGE=ON")
    return folder


def test_the_debian_packages_have_exactly_what_is_installed(installed):
    there = [str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_symlink() or path.is_file()]
    taken = {path: [] for path in there}
    files = list(LISTS.glob("*.install"))
    assert files
    for file in files:
        for pattern in (line.split()[0] for line in file.read_text().splitlines()):
            found = [path for path in there if fnmatch.fnmatch(path, pattern) or fnmatch.fnmatch(path, pattern + "/*")]
            assert found, f"{file.name}: {pattern}: `make install` puts nothing there"
            for path in found:
                taken[path].append(file.name)
    assert {path: lists for path, lists in taken.items() if len(lists) != 1} == {}
    other = [path.name for path in LISTS.iterdir() if path.suffix in (".manpages", ".docs", ".examples", ".service", ".links")]
    assert other == [], "files of a package that `make install` knows nothing of"


def test_every_command_has_its_page_and_every_shell_its_completion(installed):
    pages = {path.name for path in (installed / "usr/share/man/man1").iterdir()}
    assert pages == {path.name for name in ("man", "bridge") for path in (ROOT / "packaging" / name).glob("*.1")} and "tenterhook-serve.1" in pages
    for shell, path in (("bash", "bash-completion/completions/tenterhook"), ("zsh", "zsh/site-functions/_tenterhook"),
                        ("fish", "fish/vendor_completions.d/tenterhook.fish")):
        made = subprocess.run([installed / "usr/bin/tenterhook", "help", "--completion", shell], capture_output=True, text=True,
                              env=clean_env(), check=True).stdout
        assert (installed / "usr/share" / path).read_text() == made


def test_the_installed_program_runs(installed):
    done = subprocess.run([installed / "usr/bin/tenterhook", "dev", "--once"], capture_output=True, text=True, env=clean_env(),
                          timeout=60, check=False)
    assert done.returncode == 0 and "verified" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("prefix, settings", [("/usr", "/etc"), ("/usr/local", "/usr/local/etc"), ("/opt/hooks", "/etc/opt/hooks")])
def test_the_unit_names_what_was_installed(tmp_path, prefix, settings):
    make_install(tmp_path, prefix)
    unit = (tmp_path / prefix[1:] / "lib/systemd/system/tenterhook.service").read_text()
    program, config = re.search(r"^ExecStart=(\S+) serve --config (\S+) ", unit, re.M).groups()
    assert (program, config) == (f"{prefix}/bin/tenterhook", f"{settings}/tenterhook/tenterhook.yaml")
    here = [str(tmp_path) + path for path in (program, config)]
    assert os.access(here[0], os.X_OK)
    subprocess.run([here[0], "config", "check", "--config", here[1], "--data", tmp_path / "data"], env=clean_env(), check=True,
                   capture_output=True)


def test_the_bridge_is_installed_where_it_is_asked_for(installed, tmp_path):
    program = installed / "usr/bin/tenterhook-bridge"
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()
    assert shown[2:] == ["amqp", "nats", "redis", "kafka"]
    unit = (installed / "usr/lib/systemd/system/tenterhook-bridge.service").read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.M)
    (tmp_path / "a.yaml").write_text("source: redis://127.0.0.1\nstream: a\naside: b\nserver: http://127.0.0.1\nevent:\n  type: /a\n")
    words = [str(tmp_path) if word == "/etc/tenterhook/bridge" else word for word in command.split()[1:]]
    subprocess.run([program, "--check", *words], env={**clean_env(), "TENTERHOOK_KEY": "k"}, check=True)
    page = subprocess.run(["man", "-l", "--warnings", installed / "usr/share/man/man1/tenterhook-bridge.1"], capture_output=True, text=True,
                          env={**clean_env(), "MANPAGER": "cat"}) if shutil.which("man") else None
    assert page is None or (page.returncode == 0 and page.stderr == ""), page.stderr
    # each option of the program, and each key of a stream's file, stands in the manual
    manual = (ROOT / "packaging/bridge/tenterhook-bridge.1").read_text().replace("\\", "")
    options = set(re.findall(r"--[a-z]+", subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout))
    keys = set(re.findall(r'\{"([a-z_]+)", &c->|th_span_is\(n->key, "([a-z_]+)"\)', (ROOT / "bridge/config.c").read_text()))
    wanted = options | {a or b for a, b in keys}
    assert {"--listen", "batch", "queue"} <= wanted and [name for name in wanted if name not in manual] == []


def test_settings_that_are_there_stay(tmp_path):
    make_install(tmp_path, "/usr")
    settings = tmp_path / "etc/tenterhook/tenterhook.yaml"
    settings.write_text("retention: 7d\n")
    assert f"Kept: {settings}" in make_install(tmp_path, "/usr")
    assert settings.read_text() == "retention: 7d\n"


# ---- packages that a make target needs ----

def install_deps(folder, refusals, **env):
    """tools/install-deps on a machine where everything is missing and apt is the given number of times in use."""
    (folder / "count").write_text("0")
    programs = {"dpkg-query": "echo not-installed", "id": "echo 0", "sleep": "", "apt-cache": "echo Candidate: 1",
                "apt-get": f"""echo "$*" >> {folder}/asked
n=$(($(cat {folder}/count) + 1)); echo $n > {folder}/count
[ $n -gt {len(refusals)} ] || {{ sed -n "${{n}}p" {folder}/refusals >&2; exit 100; }}"""}
    (folder / "refusals").write_text("".join(line + "\n" for line in refusals))
    for name, text in programs.items():
        (folder / name).write_text("#!/bin/bash\n" + text + "\n")
        (folder / name).chmod(0o755)
    done = subprocess.run([ROOT / "tools/install-deps", "run"], capture_output=True, text=True, timeout=60, check=False,
                          env={"PATH": f"{folder}:{os.environ['PATH']}", **env})
    return done, (folder / "asked").read_text().splitlines()


LOCKED = ["E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4242 (unattended-upgr)",
          "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?",
          "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 4242 (apt-get)",
          "E: Unable to lock directory /var/lib/apt/lists/",
          "E: Could not get lock /var/cache/apt/archives/lock. It is held by process 4242 (apt)"]


@pytest.mark.parametrize("refusal", LOCKED)
def test_an_apt_that_is_at_work_is_waited_for(tmp_path, refusal):
    done, asked = install_deps(tmp_path, [refusal] * 3)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("waiting for another apt or dpkg") == 1
    assert len(asked) == 4 and all("install" in line and "DPkg::Lock::Timeout=" in line for line in asked)


def test_an_apt_that_is_at_work_while_the_lists_are_fetched_is_waited_for(tmp_path):
    done, asked = install_deps(tmp_path, ["E: Unable to locate package gcc", LOCKED[2], LOCKED[3]])
    assert done.returncode == 0, done.stdout + done.stderr
    assert ["update" in line for line in asked] == [False, True, True, True, False] and "waiting for" in done.stdout


def test_waiting_for_apt_has_an_end(tmp_path):
    done, asked = install_deps(tmp_path, LOCKED * 4, APT_WAIT="0")
    assert done.returncode == 1 and "lock" in done.stderr and "failed: apt-get update" in done.stderr and len(asked) == 2


def test_make_deb_names_what_the_packages_need():
    """Built where debhelper is; what it needs is known everywhere."""
    wanted = re.search(r"Build-Depends:\n((?: .*\n)+)", (LISTS / "control").read_text()).group(1)
    text = (ROOT / "tools/install-deps").read_text()
    listed = set(" ".join(re.search(rf'{name}="([^"]*)"', text).group(1) for name in ("run", "headers", "bridge")).split()) | set(re.search(r'deb\) need="\$bridge ([^"]*)"', text).group(1).split())
    for line in wanted.split(",\n"):
        name = line.split()[0] if line.strip() else "debhelper"
        assert name.replace("debhelper-compat", "debhelper") in listed, name
    shown = subprocess.run(["make", "-n", "deb"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "tools/install-deps deb" in shown and "packaging/build-deb" in shown
