"""The ```sh blocks of the pages, run in order in one bash. The marks in front of a block are described in docs/testing.md."""
import json
import os
import re
import signal
import socket
import subprocess
import time

from .server import ROOT

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
MARK = re.compile(r"<!-- (not run|stays|exits|soon): (.+?) -->\s*\Z")
BLOCK_S = 60


class Block:
    """One ```sh block: its text, its line, how it is marked, and the output that the page shows (kind, text)."""

    def __init__(self, page, line, text, mark, value, shown):
        self.page, self.line, self.text, self.mark, self.value, self.shown = page, line, text, mark, value, shown

    def __repr__(self):
        return f"{self.page}:{self.line}"


def blocks_of(page):
    """The ```sh blocks of a page. A ```json or ```text block that follows one with nothing between is its output."""
    text, blocks, end = (ROOT / page).read_text(), [], None
    for fence in FENCE.finditer(text):
        kind, body = fence.groups()
        if kind == "sh":
            mark = MARK.search(text, 0, fence.start())
            blocks.append(Block(page, text.count("\n", 0, fence.start()) + 1, body, mark and mark[1], mark and mark[2], None))
        elif kind in ("json", "text") and end is not None and not text[end:fence.start()].strip():
            blocks[-1].shown = (kind, body)
        end = fence.end() if kind == "sh" else None
    return blocks


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def same_shape(shown, real, where="$"):
    """Members and types as shown; an array's elements are as its first one. null in the page is any null or value."""
    if shown is None:
        return
    number = (int, float)
    kinds = number if isinstance(shown, number) and not isinstance(shown, bool) else type(shown)
    assert isinstance(real, kinds) and isinstance(real, bool) == isinstance(shown, bool), f"{where}: {real!r}, shown {shown!r}"
    if isinstance(shown, dict):
        assert list(shown) == list(real), f"{where}: members {list(real)}, shown {list(shown)}"
        for name in shown:
            same_shape(shown[name], real[name], f"{where}.{name}")
    elif isinstance(shown, list) and shown:
        assert real, f"{where}: empty"
        for index, element in enumerate(real):
            same_shape(shown[0], element, f"{where}[{index}]")


def same_text(shown, real):
    """Line by line; … in the page stands for any text, and runs of blanks are alike."""
    def words(text):
        return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())
    pattern = re.escape(words(shown)).replace("\\ …\\ ", "\\ (?:.*?\\ )?").replace("…", ".*?")
    assert re.fullmatch(pattern, words(real), re.S), f"printed:\n{real}\nshown:\n{shown}"


class Shell:
    """One bash for a page: variables and folder stay from block to block, and the first failing command ends it."""

    def __init__(self, folder, env, ports, root=None):
        self.folder, self.ports, self.root, self.count = folder, ports, root, 0
        self.bash = subprocess.Popen(["bash", "--noprofile", "--norc"], cwd=folder, env=env, text=True, bufsize=1,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                     start_new_session=True)
        self.tell("set -eu -o pipefail; trap 'echo \"@@ $?\"' EXIT")
        self.tell('curl() { command curl --fail-with-body "$@"; }')  # a page's 4xx is no success

    def tell(self, line):
        self.bash.stdin.write(line + "\n")
        self.bash.stdin.flush()

    def own(self, text):
        """The ports of the page as those of this run, and a machine's folders as those below `root`."""
        text = re.sub(r"\b(8420|8421|8443|8499)\b", lambda found: str(self.ports[found[1]]), text)
        return re.sub(r"(?<![\w.$}/-])(?=/(?:etc|var/lib|backup|another-place|root)(?:/|\s))", self.root, text) if self.root else text

    def run(self, block):
        end = time.monotonic() + (BLOCK_S if block.mark == "soon" else 0)
        while True:
            try:
                return self.once(block)
            except AssertionError:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.1)

    def once(self, block):
        self.count += 1
        script, output = self.folder / f".block{self.count}", self.folder / f".output{self.count}"
        errors = self.folder / f".errors{self.count}"
        script.write_text(self.own(block.text))
        if block.mark == "stays":
            self.tell(f". {script} >{output} 2>&1 </dev/null &")
            self.wait_for(block, output)
            return
        loose = block.mark in ("exits", "soon")  # what may fail now and not soon afterwards must not end the shell
        self.tell(f"{'set +e;' if loose else ''} . {script} >{output} 2>{errors} </dev/null; echo \"@@ $?\"; set -e")
        line = self.bash.stdout.readline().strip()
        wanted = int(block.value) if block.mark == "exits" else 0
        assert line == f"@@ {wanted}", (f"{block}: {line or 'killed'}, not {wanted}\n{block.text}\nprinted:\n"
                                        f"{output.read_text()}{errors.read_text()}")
        if block.shown:
            self.compare(block, output.read_text())

    def compare(self, block, printed):
        kind, shown = block.shown
        try:
            if kind == "json":
                same_shape(json.loads(shown), json.loads(printed))
            else:
                same_text(self.own(shown), printed)
        except (AssertionError, ValueError) as error:
            raise AssertionError(f"{block}: the output is not as shown: {error}\n{printed}") from None

    def wait_for(self, block, output):
        end = time.monotonic() + BLOCK_S
        while time.monotonic() < end:
            if output.exists() and self.own(block.value) in output.read_text():
                return
            assert self.bash.poll() is None, f"{block}: the shell ended"
            time.sleep(0.02)
        raise AssertionError(f"{block}: {block.value!r} did not appear\n{output.read_text() if output.exists() else ''}")

    def close(self):
        try:
            os.killpg(self.bash.pid, signal.SIGKILL)  # the shell and what stays; a group of its own
        except ProcessLookupError:
            pass
        self.bash.wait(30)
        self.bash.stdin.close()
        self.bash.stdout.close()
