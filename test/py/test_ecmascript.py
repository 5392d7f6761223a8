"""Bodies as ECMAScript writes them, against the real thing: Node.js's JSON.stringify(JSON.parse(text)).

Documents are made at random from a seed that a failure prints (TENTERHOOK_SEED repeats it). Which numbers a double
cannot keep is decided here by exact decimal arithmetic, not by the code under test: such a number must stay as it was
published, and be named. For Node.js it is replaced by a marked string, which JSON.stringify leaves in its place.
"""
import decimal
import json
import os
import random
import re
import struct
import subprocess

import pytest

from harness import programs
from harness.expect import eventually
from harness.server import binary_path

DOCUMENTS = int(os.environ.get("TENTERHOOK_ECMA_DOCUMENTS", "6000"))
SEED = int(os.environ.get("TENTERHOOK_SEED") or random.randrange(1 << 32))
MARK = "\u0001lossy "


@pytest.fixture(scope="module")
def node():
    return programs.tool("node", "nodejs")


# ---- exact arithmetic ----

def is_kept(text):
    """True when the nearest double's shortest spelling has this very value."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        return False
    # Python's repr is the shortest spelling too; an exponent too large for Decimal belongs to zero or to a lost number.
    mantissa = text.lower().split("e")[0]
    if not mantissa.strip("-0."):
        return True
    return value != 0 and decimal.Decimal(repr(value)) == decimal.Decimal(text)


# ---- documents ----

NUMBERS = """0 -0 0.0 -0.0 0e0 0E+999999 1 -1 1.0 1.10 10 100 1e0 1E0 1e+0 1e-0 1E2 12e-1 0.1 0.10 0.2 0.30000000000000004
    1e5 1e20 1e21 1e22 1e23 1E21 123456789012345678 12345678901234567890 123456789012345680000 1234567890123456800000
    9007199254740991 9007199254740992 9007199254740993 9007199254740994 -9007199254740993 18446744073709551615
    9223372036854775807 9223372036854775808 4294967295 4294967296 0.000001 0.0000001 0.00000123 1e-6 1e-7 1.5e-7 -1e-7
    5e-324 4e-324 3e-324 2e-324 4.9406564584124654e-324 2.2250738585072014e-308 2.2250738585072011e-308
    2.225073858507201e-308 1.7976931348623157e308 1.7976931348623157E+308 1.7976931348623158e308 1.7976931348623159e308
    1e308 1e309 -1e309 1e400 1e-400 1e-324 1e99999999999 1e-99999999999 0.1e1 100e-2 1e-1 123.456e3 123456789.123456789
    0.1000000000000000055511151231257827021181583404541015625 0.10000000000000001 2.5 4.35 1.005 9.95 5e-1
    299792458 6.02214076e23 1.602176634e-19 0.999999999999999999 1.0000000000000002 1.0000000000000001
    9.5367431640625e-7 1.1125369292536007e-308 8.98846567431158e307 3.141592653589793 3.14159265358979323846
    1000000000000000000000 1000000000000000128 1000000000000000129 72057594037927936 72057594037927945
    100000000000000000000000 99999999999999999999999 0.00001 0.000010""".split()


def number(r):
    kind = r.randrange(9)
    if kind == 0:
        return r.choice(NUMBERS)
    if kind == 1:
        return str(r.randrange(-10 ** r.randrange(1, 22), 10 ** r.randrange(1, 22)))
    if kind == 2:  # any double at all, in Python's spelling
        bits = struct.unpack(">d", struct.pack(">Q", r.getrandbits(64)))[0]
        return repr(bits) if bits - bits == 0 else "1"
    if kind == 3:  # beside a power of two, where the neighbours' distances differ
        value = 2.0 ** r.randrange(-1074, 1024)
        return repr(value + r.choice((-1, 0, 1)) * abs(value) * 2 ** -52)
    if kind == 4:
        return f"{r.uniform(-1e6, 1e6):.{r.randrange(0, 20)}f}"
    if kind == 5:
        return f"{r.uniform(-10, 10):.{r.randrange(0, 22)}e}"
    if kind == 6:
        return f"{r.choice(('', '-'))}{r.randrange(10)}.{'0' * r.randrange(0, 9)}{r.randrange(10 ** 6)}"
    digits = str(r.randrange(1, 10 ** r.randrange(1, 26)))
    fraction = f".{r.randrange(10 ** r.randrange(1, 20))}" if r.random() < 0.5 else ""
    exponent = f"{r.choice('eE')}{r.choice(('', '+', '-'))}{r.randrange(r.choice((3, 30, 340)))}"
    return r.choice(("", "-")) + digits + fraction + (exponent if r.random() < 0.7 else "")


def character(r):
    """One or two UTF-16 units as a JSON string may write them."""
    kind = r.randrange(12)
    if kind < 4:
        return r.choice("abcxyzABZ019 _-./~'<>&=+$\u007f")
    if kind == 4:
        return r.choice(('\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"))
    if kind == 5:
        return f"\\u{r.randrange(0x20):04x}"
    if kind == 6:  # an escape that need not be one, in any case of letters
        return "\\u" + "".join(r.choice((c, c.upper())) for c in f"{r.choice((0x41, 0xe4, 0x20ac, 0x2028, 0xfeff, 0x7f)):04x}")
    if kind == 7:
        return chr(r.choice((0xe4, 0x80, 0x7ff, 0x800, 0x20ac, 0x2028, 0x2029, 0xd7ff, 0xe000, 0xfeff, 0xfffd, 0xffff)))
    if kind == 8:
        return chr(r.choice((0x10000, 0x1f600, 0x10ffff, r.randrange(0x10000, 0x110000))))
    if kind == 9:  # a pair, written as escapes
        return f"\\ud{r.randrange(0x800, 0xc00):03x}\\ud{r.randrange(0xc00, 0x1000):03X}"
    if kind == 10:  # half a pair, or two in the wrong order
        return r.choice((f"\\ud{r.randrange(0x800, 0xc00):03x}", f"\\uD{r.randrange(0xc00, 0x1000):03x}",
                         "\\udc00\\ud800", "\\ud800\\ud800\\udc00", "\\ud800\\u0041", "\\ud83dx"))
    return r.choice(("null", "toString", "__proto__", "\\u0000"))


def string(r):
    return '"' + "".join(character(r) for _ in range(r.choice((0, 1, 1, 2, 3, 8, 30)))) + '"'


NAMES = """__proto__ constructor toString length hasOwnProperty 0 1 2 10 9 01 00 -1 -0 1.0 1e3 4294967293 4294967294 4294967295
    4294967296 4294967297 9007199254740993 99999999999 a b c aa \\u0061 \\u0031 \\u00310 \\u005f_proto__ a/b a~b ~1 ~0""".split()


def name(r):
    kind = r.randrange(10)
    if kind < 4:
        return f'"{r.choice(NAMES)}"'
    if kind < 6:
        return f'"{r.randrange(10 ** r.randrange(1, 13))}"'
    return string(r) if kind < 9 else '""'


class Maker:
    """Makes one document as it is published and, in step, as Node.js gets it: with marked strings for lossy numbers."""

    def __init__(self, r):
        self.r, self.published, self.replaced, self.lossy = r, [], [], []

    def add(self, text):
        self.published.append(text)
        self.replaced.append(text)

    def space(self):
        if self.r.random() < 0.15:
            self.add("".join(self.r.choice(" \t\n\r") for _ in range(self.r.randrange(1, 4))))

    def number(self, text=None):
        text = text or number(self.r)
        self.published.append(text)
        if not is_kept(text):
            self.lossy.append(text)
            text = json.dumps(f"{MARK}{len(self.lossy) - 1}")
        self.replaced.append(text)

    def value(self, depth):
        self.space()
        kind = self.r.randrange(10 if depth else 6)
        if kind < 3:
            self.number()
        elif kind < 5:
            self.add(string(self.r))
        elif kind == 5:
            self.add(self.r.choice(("true", "false", "null")))
        else:
            size = self.r.choice((0, 1, 2, 3, 3, 5, 8, 20))
            self.add("[" if kind < 7 else "{")
            for i in range(size):
                if i:
                    self.add(",")
                if kind >= 7:
                    self.space()
                    self.add(name(self.r))
                    self.space()
                    self.add(":")
                self.value(depth - 1)
            self.space()
            self.add("]" if kind < 7 else "}")
        self.space()


def documents(seed, count):
    """(text as published, text for Node.js, lossy numbers) of each."""
    made = [(text, text, []) for text in (
        "{}", "[]", '""', "null", "true", '{"":{"":""}}', "[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200,
        "{" + ",".join(f'"{i * 7919 % 10007}":{i}' for i in range(10007)) + "}",
        "{" + ",".join(f'"k{i % 50}":{i}' for i in range(3000)) + "}",
        "{" + ",".join(f'"k{i}":{i}' for i in range(3000)) + "}")]
    for i in range(count):
        maker = Maker(random.Random(f"{seed}/{i}"))
        maker.value(maker.r.choice((1, 2, 3, 4)))
        made.append(("".join(maker.published), "".join(maker.replaced), maker.lossy))
    maker = Maker(random.Random(f"{seed}/numbers"))
    maker.add("[")
    for i, text in enumerate(NUMBERS + [number(maker.r) for _ in range(15000)]):
        maker.add("," if i else "")
        maker.number(text)
    maker.add("]")
    return made + [("".join(maker.published), "".join(maker.replaced), maker.lossy)]


# ---- both sides ----

def framed(texts):
    return b"".join(struct.pack(">I", len(data)) + data for data in (text.encode() for text in texts))


def frames(data):
    found, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append(data[at + 4:at + 4 + length])
        at += 4 + length
    return found


def run(command, texts):
    made = subprocess.run([str(part) for part in command], input=framed(texts), capture_output=True, timeout=240,
                          check=False)
    assert made.returncode == 0, (made.returncode, made.stderr.decode(errors="replace")[-4000:])
    return frames(made.stdout)


def expected_of(node, docs):
    """(text, JSON pointers to warn of) of each document, as Node.js sees it."""
    answer = run([node, programs.SOURCES / "node" / "ecma.cjs", MARK], [replaced for _, replaced, _ in docs])
    assert len(answer) == 2 * len(docs)
    expected = []
    for (published, _, lossy), text, pointers in zip(docs, answer[::2], answer[1::2]):
        assert text, f"Node.js refuses what the test made: {published[:300]}"
        quoted = json.dumps(MARK)[:-1].encode()
        parts = text.split(quoted)
        for i, part in enumerate(parts[1:], 1):
            index, rest = part.split(b'"', 1)
            parts[i] = lossy[int(index)].encode() + rest
        # A pointer is UTF-8, which has no half of a pair: U+FFFD stands for one.
        names = [re.sub("[\ud800-\udfff]", "\ufffd", pointer) for pointer in json.loads(pointers)]
        expected.append((b"".join(parts), names))
    return expected


def test_the_oracle_itself(node):
    """Exact arithmetic and Node.js agree about what is lost: String(Number(text)) has another value."""
    r = random.Random(SEED)
    texts = NUMBERS + [number(r) for _ in range(3000)]
    script = "console.log(JSON.stringify(JSON.parse(require('fs').readFileSync(0)).map((t) => String(Number(t)))))"
    made = subprocess.run([node, "-e", script], input=json.dumps(texts).encode(), capture_output=True, check=True)
    for text, spelled in zip(texts, json.loads(made.stdout)):
        mantissa = text.lower().split("e")[0].strip("-0.")
        same = spelled != "Infinity" and spelled != "-Infinity" and (
            (spelled == "0") == (not mantissa) and (not mantissa or decimal.Decimal(spelled) == decimal.Decimal(text)))
        assert same == is_kept(text), f"{text} becomes {spelled}"


def test_random_documents(node):
    docs = documents(SEED, DOCUMENTS)
    expected = expected_of(node, docs)
    answer = run([binary_path().parent / "test" / "ecma"], [published for published, _, _ in docs])
    assert len(answer) == 3 * len(docs)
    warned = reordered = 0
    for i, ((published, _, _), (text, pointers)) in enumerate(zip(docs, expected)):
        status, ours, names = answer[3 * i:3 * i + 3]
        where = f"TENTERHOOK_SEED={SEED}, document {i}: {published[:1500]!r}"
        assert status == b"ok", f"{status!r}: {where}"
        if ours != text:
            at = next((k for k, (a, b) in enumerate(zip(ours, text)) if a != b), min(len(ours), len(text)))
            raise AssertionError(f"from byte {at}: {ours[at:at + 80]!r}, Node.js: {text[at:at + 80]!r}; {where}")
        assert names.decode().split("\n")[:-1] == [name_.replace("\n", "\0") for name_ in pointers], where
        warned += bool(pointers)
        reordered += len(text) > 2 and sorted(text) == sorted(published.encode()) and text != published.encode()
    # The documents exercise what they are for.
    assert warned > DOCUMENTS // 50 and reordered > 0, (warned, reordered)


def test_refused_documents_are_refused_by_both(node):
    """What JSON.parse throws at is never written: mutations of good documents, most of them bad."""
    r, texts = random.Random(SEED), []
    for published, _, _ in documents(SEED + 1, 1500)[11:-1]:
        at = r.randrange(len(published) + 1)
        change = r.choice((published[:at], published[:at] + published[at + 1:],
                           published[:at] + r.choice('{}[]",:\\0-.e\t\x01nu') + published[at:]))
        texts.append(change)
    theirs = run([node, programs.SOURCES / "node" / "ecma.cjs", MARK], texts)
    ours = run([binary_path().parent / "test" / "ecma"], texts)
    refused = 0
    for i, text in enumerate(texts):
        good = theirs[2 * i] != b""
        assert (ours[3 * i] == b"ok") == good, f"TENTERHOOK_SEED={SEED}: {ours[3 * i]!r} for {text[:1500]!r}"
        refused += not good
    assert refused > len(texts) // 4


# ---- through the engine ----

def test_delivered_bodies(node, shared, receiver):
    """What an endpoint of the dialect gets is JSON.stringify(JSON.parse(body)); each lost number is in the answer."""
    shared.api.put("/v1/tenants/board", {"name": "Board", "dialect": "taskboard"}).expect(201)
    api, target = shared.api.as_tenant("board"), receiver()
    api.post("/v1/webhooks", {"url": target.url(), "events": ["task.created"], "secret": "s"}).expect(201)
    docs = documents(SEED + 2, 400)[11:-1]
    expected = expected_of(node, docs)
    body = ",".join(f'{{"type":"task.created","data":{{"i":{i},"doc":{text}}}}}' for i, (text, _, _) in enumerate(docs))
    answers = api.post("/v1/events/batch", f"[{body}]".encode(), headers={"Content-Type": "application/json"})
    answers = answers.expect(202).json
    assert len(answers) == len(docs)
    for (published, _, _), (_, pointers), answer in zip(docs, expected, answers):
        where = f"TENTERHOOK_SEED={SEED}: {published[:1500]!r}"
        warnings = answer.get("warnings", [])
        wanted = [f"/data/doc{pointer}" for pointer in pointers]
        assert len(warnings) == len(wanted), f"{warnings}; {where}"
        for warning, pointer in zip(warnings, wanted):
            assert pointer in (warning if isinstance(warning, str) else warning.values()), f"{warning}; {where}"
    target.wait_for(len(docs), 60)
    eventually(lambda: len(target.requests) == len(docs))
    seen = set()
    for request in target.requests:
        head, data = request.body.split(b',"data":{"i":', 1)
        assert json.loads(head + b"}")["event"] == "task.created"
        index, doc = data.split(b',"doc":', 1)
        assert doc == expected[int(index)][0] + b"}}", f"TENTERHOOK_SEED={SEED}: {docs[int(index)][0][:1500]!r}"
        seen.add(int(index))
    assert len(seen) == len(docs)
