"""tools/check-layers must find what it looks for, in a small tree of its own."""
import os
import re
import shutil
import subprocess

import pytest

from harness.server import ROOT


@pytest.fixture
def tree(tmp_path):
    for folder in ("tools", "src/base", "src/core", "src/engine", "src/net", "src/app", "src/cli", "lib"):
        (tmp_path / folder).mkdir(parents=True)
    for tool in ("check-layers", "layers_graph.py"):
        shutil.copy(ROOT / "tools" / tool, tmp_path / "tools")
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


@pytest.fixture
def built(tree):
    """The tree with two files of net that call each other, and what compiles it as a build would."""
    if not shutil.which("gcc") or not shutil.which("nm"):
        pytest.skip("needs gcc and nm")
    (tree / "src/net/ping.c").write_text("void th_ping(int n);\nvoid th_pong(int n);\n"
                                         "void th_ping(int n)\n{\n    if (n)\n        th_pong(n - 1);\n}\n")
    (tree / "src/net/pong.c").write_text("void th_ping(int n);\nvoid th_pong(int n);\n"
                                         "void th_pong(int n)\n{\n    th_ping(n);\n}\n")

    def build():
        for layer in ("net", "base"):
            for source in sorted((tree / "src" / layer).glob("*.c")):
                to = tree / f"CMakeFiles/th_{layer}.dir/src/{layer}/{source.name}.o"
                to.parent.mkdir(parents=True, exist_ok=True)
                subprocess.run(["gcc", "-O0", "-c", str(source), "-o", str(to)], check=True)
        return check(tree, "--build", str(tree))

    return build


def test_a_small_circle_passes(built):
    status, output = built()
    assert status == 0 and "net 2" in output, output


def test_a_circle_above_the_budget_is_named(tree, built):
    graph = tree / "tools/layers_graph.py"
    graph.write_text(re.sub(r'"net": \d+', '"net": 1', graph.read_text()))
    status, output = built()
    assert status == 1 and "net: 2 files call each other in a circle, 1 may: ping.c pong.c" in output


def test_a_call_to_a_folder_above_is_named(tree, built):
    graph = tree / "tools/layers_graph.py"
    graph.write_text(graph.read_text().replace("RANKS = {", 'RANKS = {\n    "net": [[], [r"pong\\.c"]],'))
    status, output = built()
    assert status == 1 and "src/net/ping.c may not call th_pong of src/net/pong.c, which is above it" in output, output


@pytest.mark.parametrize("text, fault", [
    ("void th_pang(void);\nvoid th_pang(void) {}\n", "no other file uses th_pang"),
    ("void th_ping_x(void);\nvoid th_ping_x(void) {}\n", "th_ping_x does not carry the name of its module"),
    ("struct th_pang { int kept, lost; };\nint th_ping(void);\nstatic int f(struct th_pang *p) { return p->kept; }\n",
     "the member lost is not used"),
    ("struct th_pang { int kept, set; };\nstatic int f(struct th_pang *p) { p->set = 1; return p->kept; }\n",
     "the member set is written and never read"),
])
def test_what_nobody_uses_is_named(tree, built, text, fault):
    (tree / "src/base/pang.c").write_text(text)
    status, output = built()
    assert status == 1 and fault in output, output


def test_objects_of_older_sources_are_not_judged(tree, built):
    built()
    late = tree / "src/net/ping.c"
    os.utime(late, (late.stat().st_atime + 100, late.stat().st_mtime + 100))
    status, output = check(tree, "--build", str(tree))
    assert status == 1 and "build first" in output
