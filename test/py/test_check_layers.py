"""tools/check-layers must find what it looks for, in a small tree of its own."""
import shutil
import subprocess

import pytest

from harness.server import ROOT


@pytest.fixture
def tree(tmp_path):
    for folder in ("tools", "src/base", "src/core", "src/engine", "src/net", "src/app", "src/cli", "lib"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "check-layers", tmp_path / "tools")
    (tmp_path / "src/base/buf.h").write_text("#include <stddef.h>\n")
    (tmp_path / "src/core/rule.c").write_text('#include "base/buf.h"\nint th_rule(int x);\nint th_rule(int x) { return x; }\n')
    (tmp_path / "src/app/app.h").write_text("")
    (tmp_path / "src/cli/cli.h").write_text("")
    (tmp_path / "src/main.c").write_text('#include "cli/cli.h"\n')
    return tmp_path


def check(tree, *args):
    done = subprocess.run([str(tree / "tools" / "check-layers"), *args], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def test_a_clean_tree_passes(tree):
    assert check(tree)[0] == 0


@pytest.mark.parametrize("path, text, fault", [
    ("src/base/bad.c", '#include "core/rule.h"', "base may not include core"),
    ("src/net/bad.c", '#include "app/app.h"', "net may not include app"),
    ("src/app/bad.c", '#include "cli/cli.h"', "app may not include cli"),
    ("src/engine/bad.c", '#include "net/tls.h"', "engine may not include net"),
    ("src/core/bad.c", "#include <time.h>", "core is pure"),
    ("src/engine/bad.c", "#include <errno.h>", "engine is pure"),
    ("src/app/bad.c", "#include <sqlite3.h>", "belongs to"),
    ("src/net/bad.c", "#include <openssl/evp.h>", "belongs to"),
    ("src/net/bad.c", "#include <curl/curl.h>", "has no owner"),
    ("src/odd/bad.c", "", "folder odd is not known"),
])
def test_a_wrong_include_is_named(tree, path, text, fault):
    (tree / path).parent.mkdir(exist_ok=True)
    (tree / path).write_text(text + "\n")
    status, output = check(tree)
    assert status == 1 and fault in output and path in output


@pytest.mark.parametrize("code, fault", [
    ("#include <stdlib.h>\nvoid *th_x(void);\nvoid *th_x(void) { return malloc(3); }", "may not use malloc"),
    ("int th_count;", "may not keep the variable th_count"),
    ("int th_x(void);\nint th_x(void) { static int n; return ++n; }", "may not keep the variable n"),
])
def test_an_impure_archive_is_named(tree, code, fault):
    if not shutil.which("gcc") or not shutil.which("objdump"):
        pytest.skip("needs gcc and objdump")
    (tree / "src/core/rule.c").write_text(code + "\n")
    subprocess.run("gcc -O1 -c src/core/rule.c -o rule.o && ar rcs libth_core.a rule.o", shell=True, cwd=tree, check=True)
    status, output = check(tree, "--build", str(tree))
    assert status == 1 and fault in output, output
