"""`make install` as a packager and as somebody without packages meet it: everything is there, where it is looked for."""
import fnmatch
import os
import re
import subprocess

import pytest

from harness.server import ROOT, binary_path, clean_env

LISTS = ROOT / "packaging" / "debian"


def make_install(destdir, prefix):
    """Into `destdir`, from a build folder that stays between runs: the tests' own build has sanitizers in it."""
    done = subprocess.run(["make", "install", f"PREFIX={prefix}", f"DESTDIR={destdir}",
                           f"RELEASE_DIR={binary_path().parent / 'packaged'}"], cwd=ROOT, env=clean_env(),
                          capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """As a package build does it."""
    folder = tmp_path_factory.mktemp("installed")
    make_install(folder, "/usr")
    return folder


def test_the_debian_packages_have_exactly_what_is_installed(installed):
    there = [str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_symlink() or path.is_file()]
    taken = {path: [] for path in there}
    for file in LISTS.glob("*.install"):
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
    assert pages == {path.name for path in (ROOT / "packaging/man").glob("*.1")} and "tenterhook-serve.1" in pages
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


def test_settings_that_are_there_stay(tmp_path):
    make_install(tmp_path, "/usr")
    settings = tmp_path / "etc/tenterhook/tenterhook.yaml"
    settings.write_text("retention: 7d\n")
    assert f"Kept: {settings}" in make_install(tmp_path, "/usr")
    assert settings.read_text() == "retention: 7d\n"
