"""JSONPath against two implementations that we did not write: random pairs of a query and a document, valid and not, have to give what
both of them give. TENTERHOOK_PAIRS says how many (`make pairs`: a million, of another seed each time), TENTERHOOK_SEED repeats a run."""
import json
import os
import random
import re
import subprocess

import pytest

from harness import programs
from harness.server import binary_path

PAIRS = int(os.environ.get("TENTERHOOK_PAIRS", "4000"))
SEED = int(os.environ.get("TENTERHOOK_SEED") or (random.randrange(1 << 32) if "TENTERHOOK_PAIRS" in os.environ else 9535))
STEP = 20000
# What both of the others take and the grammar of RFC 9535 does not have: a number that runs into the next ("2-3"), -05, "!" in front of a
# comparison or of another "!", a comparison of a comparison ("1 == 1 > 2"), a comma behind the last value of a function, a zero behind "-0".
TOO_MUCH = re.compile(r"[0-9]\s*-|-0[0-9]|[0-9]\s+[0-9]|!\s*[^(=\s]|(==|!=|<|>)[^&|]*?(==|!=|<|>)|,\s*\)|-0[0-9]", re.S)
# What both of the others refuse and the grammar has: \\u0011 for a control character, 0e2 for zero.
TOO_LITTLE = re.compile(r"\\u00[01]|0[eE][0-9]")
# What both of the others count as a number where order is asked for: true and false. To RFC 9535 (2.3.5.2.2) numbers and texts alone have an order.
TRUTH_AS_NUMBER = re.compile(r"(<=?|>=?)\s*(true|false)|(true|false)\s*[<>]")
VERSION = "0.2.0"


@pytest.fixture(scope="module")
def peers():
    """The commands of the other two."""
    node = programs.node_folder()
    folder = programs.work_folder("jsonpath")
    python = folder / "bin" / "python"
    with programs.fresh(folder, VERSION, programs.version(programs.PYTHON, "--version")) as stale:
        if stale:
            made = programs.run([programs.PYTHON, "-m", "venv", folder], folder)
            if made.returncode:
                programs.missing("python3 has no venv (Debian package python3-venv)")
            made = programs.run([python, "-m", "pip", "install", "--quiet", f"jsonpath-rfc9535=={VERSION}"], folder)
            if made.returncode:
                programs.missing("pip cannot install jsonpath-rfc9535")
    return {"json-p3": [programs.tool("node", "nodejs"), node / "jsonpath.cjs"],
            "jsonpath-rfc9535": [python, programs.SOURCES / "python" / "jsonpath.py"]}


# ---- documents ----

NAMES = ["a", "b", "c", "d", "é", "a b", "'"]
TEXTS = ["", "a", "b", "ab", "abc", "aab", "é", "Äb", "a.b", "x\\y", "cab", "aaab", "0"]
NUMBERS = [0, 1, 2, 3, -1, 10, 100, 1.5, 0.1, -0.5, 1e10, 2.0]


def scalar(r):
    return r.choice([r.choice(TEXTS), r.choice(NUMBERS), True, False, None])


def document(r, depth):
    kind = r.randrange(10) if depth else 9
    if kind < 4:
        return [document(r, depth - 1) for _ in range(r.randrange(5))]
    if kind < 8:
        return {name: document(r, depth - 1) for name in r.sample(NAMES, r.randrange(5))}
    return scalar(r)


# ---- queries ----

def quoted(r, text):
    quote = r.choice("'\"")
    body = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
    if body and r.random() < 0.1:
        body = body.replace("a", "\\u0061")
    return quote + body + quote


def pattern(r, depth=2):
    kind = r.randrange(9) if depth else r.randrange(4)
    if kind < 2:
        return r.choice(["a", "b", "c", "é", "0"])
    if kind == 2:
        return r.choice([".", "[ab]", "[^a]", "[a-c]", "\\.", "\\p{L}", "\\p{Lu}", "[\\p{Ll}0]"])
    if kind == 3:
        return r.choice(["a", "b", "."]) + r.choice(["*", "+", "?", "{2}", "{1,2}", "{1,}"])
    if kind < 7:
        return "".join(pattern(r, depth - 1) for _ in range(r.randrange(1, 3)))
    return "(" + pattern(r, depth - 1) + "|" + pattern(r, depth - 1) + ")" + r.choice(["", "", "*", "?"])


def space(r):
    return r.choice(["", "", "", "", "", " ", "\n", "\t "])


def singular(r, root=None):
    out = root or r.choice("@@@$")
    for _ in range(r.randrange(4)):
        name = r.choice(NAMES)
        out += r.choice([f".{name}" if name.isalpha() else f"[{quoted(r, name)}]", f"[{quoted(r, name)}]", f"[{r.randrange(-3, 4)}]"])
    return out


def selector(r, depth):
    kind = r.randrange(7)
    if kind == 0:
        return quoted(r, r.choice(NAMES))
    if kind == 1:
        return "*"
    if kind == 2:
        return str(r.randrange(-4, 5))
    if kind == 3:
        part = lambda: r.choice(["", "", str(r.randrange(-5, 6))])  # noqa: E731
        return part() + space(r) + ":" + part() + (":" + r.choice(["", "1", "2", "-1", "-2", "0"]) if r.random() < 0.6 else "")
    if kind < 6 and depth:
        return "?" + space(r) + condition(r, depth - 1)
    return quoted(r, r.choice(NAMES))


def path(r, depth, root="$"):
    out = root
    for _ in range(r.randrange(1, 4)):
        out += space(r) if r.random() < 0.1 else ""
        out += ".." if r.random() < 0.15 else ""
        if out.endswith("..") and r.random() < 0.5:
            out += r.choice(["*", "a", "b"])
        elif r.random() < 0.35:
            out += ("" if out.endswith("..") else ".") + r.choice(["a", "b", "c", "é", "*"])
        else:
            out += "[" + space(r) + (space(r) + "," + space(r)).join(selector(r, depth) for _ in range(r.choice([1, 1, 1, 2]))) + "]"
    return out


def number(r):
    return r.choice([str(r.choice(NUMBERS)), "1e2", "1.0", "-0", "0.10", "15E-1"])


def value(r, depth):
    kind = r.randrange(9)
    if kind < 4:
        return singular(r)
    if kind == 4:
        return number(r)
    if kind == 5:
        return quoted(r, r.choice(TEXTS))
    if kind == 6:
        return r.choice(["true", "false", "null"])
    if kind == 7:
        return f"length({space(r)}{value(r, 0) if r.random() < 0.2 else singular(r)})"
    return r.choice(["count", "value"]) + f"({path(r, max(0, depth - 1), r.choice('@$'))})"


def condition(r, depth):
    kind = r.randrange(10)
    if kind < 4:
        return value(r, depth) + space(r) + r.choice(["==", "!=", "<", "<=", ">", ">="]) + space(r) + value(r, depth)
    if kind == 4:
        return r.choice(["", "!"]) + path(r, max(0, depth - 1), r.choice("@@$"))
    if kind == 5:
        return r.choice(["", "!"]) + singular(r)
    if kind == 6:
        second = quoted(r, pattern(r)) if r.random() < 0.8 else singular(r)
        return r.choice(["", "!"]) + r.choice(["match", "search"]) + f"({singular(r)},{space(r)}{second})"
    if not depth:
        return singular(r, "@")
    if kind == 7:
        return condition(r, depth - 1) + space(r) + "&&" + space(r) + condition(r, depth - 1)
    if kind == 8:
        return condition(r, depth - 1) + space(r) + "||" + space(r) + condition(r, depth - 1)
    return r.choice(["", "!"]) + "(" + space(r) + condition(r, depth - 1) + space(r) + ")"


def broken(r, query):
    """The query with one character more, less or another. Not "-", which both of the others take behind a name or a number, where RFC
    9535 has none."""
    at, new = r.randrange(len(query) + 1), r.choice("$@.[]()?*'\"!=<>&|,:0123eaU \\")
    return query[:at] + r.choice([new, ""]) + query[at + r.randrange(2):]


# ---- comparing ----

def same(a, b):
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    return type(a) == type(b) and a == b or isinstance(a, (int, float)) and isinstance(b, (int, float)) and a == b


def answers(command, lines):
    ran = subprocess.run([str(part) for part in command], input=lines, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return [json.loads(line) for line in ran.stdout.splitlines()]


def refused(answer):
    return isinstance(answer, dict) and "fault" in answer


def test_pairs_of_query_and_document(peers):
    ours = [binary_path().parent / "test" / "jsonpath"]
    seen = {"pairs": 0, "refused by all": 0, "nodes": 0, "the others differ": 0, "too many steps": 0,
            "patterns refused": 0, "refused by ours alone": 0, "taken by ours alone": 0, "truth as a number": 0}
    wrong = []
    for begin in range(0, PAIRS, STEP):
        r = random.Random(SEED + begin)
        pairs = []
        for _ in range(min(STEP, PAIRS - begin)):
            query = path(r, 2)
            pairs.append((broken(r, query) if r.random() < 0.2 else query, document(r, 4)))
        lines = "".join(json.dumps(pair) + "\n" for pair in pairs)
        mine, python, node = (answers(command, lines) for command in (ours, peers["jsonpath-rfc9535"], peers["json-p3"]))
        assert len(mine) == len(python) == len(node) == len(pairs)
        for pair, a, b, c in zip(pairs, mine, python, node):
            seen["pairs"] += 1
            if isinstance(a, dict) and "excess" in a:
                seen["too many steps"] += 1
            elif refused(a) and "pattern" in a["fault"]:
                seen["patterns refused"] += 1  # ours to choose: to the others such a pattern is one that matches nothing
            elif refused(b) != refused(c) or not (refused(b) or same(b, c)):
                seen["the others differ"] += 1
            elif refused(a) and not refused(b) and TOO_MUCH.search(pair[0]):
                seen["refused by ours alone"] += 1
            elif refused(b) and not refused(a) and TOO_LITTLE.search(pair[0]):
                seen["taken by ours alone"] += 1
            elif not refused(a) and not refused(b) and not same(a, b) and TRUTH_AS_NUMBER.search(pair[0]):
                seen["truth as a number"] += 1
            elif refused(a) != refused(b) or not (refused(a) or same(a, b)):
                wrong.append((pair, a, b))
            else:
                seen["refused by all"] += refused(a)
                seen["nodes"] += 0 if refused(a) else len(a)
    print(f"seed {SEED}: {seen}")
    for pair, a, b in wrong[:10]:
        print(f"{pair[0]}\n  of {json.dumps(pair[1])}\n  ours: {a}\n  theirs: {b}")
    assert not wrong, f"{len(wrong)} of {PAIRS} pairs, seed {SEED}; the first: {wrong[0]}"
    assert seen["nodes"] > PAIRS / 10 and seen["refused by all"] > PAIRS / 100 and seen["the others differ"] < PAIRS / 20
    assert seen["refused by ours alone"] + seen["taken by ours alone"] + seen["truth as a number"] < PAIRS / 500
