"""The documentation is tested: the commands of its pages run in order against a real server, its links lead somewhere,
and the API reference is what the server says. The marks in the pages are described in docs/testing.md.
"""
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import subprocess

import pytest

from harness.client import Api
from harness.pages import FENCE, Block, Shell, blocks_of, free_port
from harness.receiver import Receiver
from harness.server import ROOT, Server, binary_path, clean_env

RUN = ["README.md", "docs/quick-start.md", "docs/concepts.md", "docs/sending.md", "docs/security.md", "docs/api.md",
       "docs/troubleshooting.md", "docs/filters.md", "docs/ordering.md", "docs/reaching-endpoints.md", "docs/templates.md",
       "docs/event-types.md", "docs/tracing.md", "docs/coming-from.md", "docs/security-review.md"]
MACHINE = ["docs/operating.md", "docs/deployment.md"]  # with a machine's folders and systemd, see Machine
RUN_ELSEWHERE = ["docs/cli.md", "docs/receiving.md"]  # by test_cli.py and test_library.py
LINKED = sorted({"README.md", "CONTRIBUTING.md", "SECURITY.md", *RUN, *MACHINE, *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))})
KEY = "operator-key-of-the-documentation-tests"


SYSTEMCTL = """#!/bin/bash
# Stands for systemd: starts what the unit starts, with the credentials of its drop-ins.
log=$ROOT/journal
start() {
    [ ! -f $ROOT/pid ] || return 0
    rm -rf $ROOT/credentials; mkdir -p $ROOT/credentials
    grep -hs ^LoadCredential= $ROOT/etc/systemd/system/tenterhook.service.d/*.conf | while IFS=:= read -r _ name file; do
        install -m 400 $file $ROOT/credentials/$name
    done
    : > $log
    CREDENTIALS_DIRECTORY=$ROOT/credentials tenterhook serve --config $ROOT/etc/tenterhook/tenterhook.yaml \\
        --data $ROOT/var/lib/tenterhook > $log 2>&1 < /dev/null &
    echo $! > $ROOT/pid
    until grep -q '^listening on' $log; do
        kill -0 $! 2>/dev/null || { cat $log >&2; exit 1; }
        sleep 0.02
    done
}
stop() {
    [ -f $ROOT/pid ] || return 0
    pid=$(<$ROOT/pid)
    kill $pid
    # As systemctl does, until the process has ended: its last line comes before it gives its lock and its port back.
    while [ -e /proc/$pid ] && ! grep -q '^State:.*Z' /proc/$pid/status; do sleep 0.02; done
    grep -q '"msg":"stopped"' $log || { echo "it did not say that it stopped" >&2; exit 1; }
    rm $ROOT/pid
}
case $1 in
daemon-reload) ;;
enable | start) start ;;
stop | disable) stop ;;
restart) stop; start ;;
*) echo "systemctl: $1 is not known here" >&2; exit 1 ;;
esac
"""


def machine(folder):
    """The folders and commands of a machine on which the package was just installed; gives their root."""
    root = folder / "machine"
    for name in ("etc/tenterhook", "var/lib", "root", "another-place", "bin"):
        (root / name).mkdir(parents=True)
    settings = (ROOT / "packaging" / "systemd" / "tenterhook.yaml").read_text()
    (root / "etc" / "tenterhook" / "tenterhook.yaml").write_text(settings)
    for name, text in (("systemctl", SYSTEMCTL), ("journalctl", "#!/bin/bash\ncat $ROOT/journal\n")):
        (root / "bin" / name).write_text(text)
        (root / "bin" / name).chmod(0o755)
    return root


@pytest.mark.parametrize("page", MACHINE)
def test_the_commands_of_the_page_work_on_a_machine(page, tmp_path):
    root = machine(tmp_path)
    ports = {name: free_port() for name in ("8420", "8421", "8443", "8499")}
    env = clean_env({"PATH": f"{root / 'bin'}:{binary_path().parent}:{os.environ['PATH']}", "HOME": str(tmp_path), "ROOT": str(root),
                     "TENTERHOOK_LISTEN": f"127.0.0.1:{ports['8420']}", "TENTERHOOK_SERVER": f"http://127.0.0.1:{ports['8420']}",
                     "LC_ALL": "C.UTF-8"})
    blocks = [block for block in blocks_of(page) if block.mark != "not run"]
    if page != "docs/operating.md":  # goes on from there
        blocks[:0] = [block for block in blocks_of("docs/operating.md") if "enable --now" in block.text or "mkdir -p" in block.text]
    shell = Shell(tmp_path, env, ports, str(root))
    try:
        for block in blocks:
            shell.run(block)
            if "disable --now" in block.text:  # what follows is on another machine
                (root / "var/lib/tenterhook").rename(root / "old")
    finally:
        shell.close()


def fences(page, kind):
    return [body for found, body in FENCE.findall((ROOT / page).read_text()) if found == kind]


def test_the_container_starts_what_there_is(server):
    (text,) = fences("docs/deployment.md", "dockerfile")
    command = json.loads(re.search(r"^ENTRYPOINT (\[.*\])$", text, re.M)[1])
    assert command[:2] == ["tenterhook", "serve"] and "--listen" in command and "--data" in command
    running = server(start=False)
    flags = command[2:]
    flags[flags.index("--listen") + 1] = "0.0.0.0:0"
    flags[flags.index("--data") + 1] = str(running.data)
    (compose,) = fences("docs/deployment.md", "yaml")
    names = re.findall(r"(TENTERHOOK_\w+): /run/secrets/(\w+)", compose)
    assert len(names) == 2
    running.admin_key, key_file = None, running.data.parent / "given.key"
    key_file.write_text("key-of-the-container-0123456789\n")
    running.env = {name: str(key_file) for name, _ in names}
    running.command = lambda: [str(running.binary), "serve", *flags]
    running.start()
    Api(running.port, "key-of-the-container-0123456789").get("/v1/tenants").expect(200)
    assert not (running.data / "secret.key").exists()


@pytest.mark.parametrize("name", ["nginx", "caddy"])
def test_the_proxies_pass_on_what_they_should(server, certificates, tmp_path, name):
    """The page's own configuration, in a proxy of this run where the machine has it."""
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    running, port = server(admin_key=KEY), free_port()
    (text,) = fences("docs/deployment.md", name)
    text = text.replace("127.0.0.1:8420", f"127.0.0.1:{running.port}")
    cert, key = certificates.issue()
    config, log = tmp_path / "proxy.conf", tmp_path / "proxy.log"
    if name == "nginx":
        text = (text.replace("listen 443", f"listen 127.0.0.1:{port}").replace("/etc/nginx/hooks.crt", str(cert))
                .replace("/etc/nginx/hooks.key", str(key)).replace("/var/log/nginx/hooks.log", str(log)))
        own = "".join(f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.geteuid() == 0 else ""  # the folders of the tests are root's then
        config.write_text(f"{user} daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
                          f"http {{\naccess_log off;\n{own}{text}\n}}\n")
        command = ["nginx", "-p", str(tmp_path), "-c", str(config)]
    else:
        text = text.replace("hooks.example.com {", f"https://localhost:{port} {{\n    tls {cert} {key}")
        config.write_text("{\n    auto_https disable_redirects\n    skip_install_trust\n    admin off\n}\n" + text)
        command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(config)]
    with subprocess.Popen(command, env=clean_env({"HOME": str(tmp_path)}), stderr=subprocess.PIPE, text=True) as proxy:
        try:
            asked = ["curl", "-sS", "--retry-connrefused", "--retry", "20", "--retry-delay", "1", "--cacert", str(certificates.ca),
                     "-H", f"Authorization: Bearer {KEY}", "-D", "-"]
            def ask(path, *more):
                done = subprocess.run([*asked, *more, f"https://localhost:{port}{path}"], capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr + (proxy.stderr.read() if proxy.poll() is not None else "")
                return done.stdout
            big = tmp_path / "big.json"
            big.write_text(json.dumps([{"type": "a.b", "data": "x" * 200000}] * 70))
            said = ask("/v1/events/batch", "-H", "Content-Type: application/json", "-H", "Expect:", "--data-binary", f"@{big}")
            assert re.match(r"HTTP/\S+ 202", said), said[:500]
            request_id = re.search(r"(?i)^request-id: (\S+)", said, re.M)[1]
            for path in ("/metrics", "/readyz", "/openapi.json"):
                assert re.match(r"HTTP/\S+ 404", ask(path)), path
            if name == "nginx":
                assert f'"POST /v1/events/batch HTTP/1.1" 202 {request_id}' in log.read_text()
        finally:
            proxy.terminate()


@pytest.mark.parametrize("page", RUN)
def test_the_commands_of_the_page_work(page, tmp_path):
    blocks = blocks_of(page)
    run = [block for block in blocks if block.mark != "not run"]
    assert run, f"{page} shows no command that is run"
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "release").symlink_to(binary_path().parent)
    own_server = any("tenterhook serve" in block.text for block in run)
    with Receiver() as receiver, Server(tmp_path / "data-of-the-test", admin_key=KEY) as server:
        ports = {"8420": free_port() if own_server else server.port, "8421": free_port() if own_server else receiver.port,
                 "8499": free_port()}
        env = clean_env({"PATH": f"{binary_path().parent}:{os.environ['PATH']}", "HOME": str(tmp_path),
                         "TENTERHOOK_LISTEN": f"127.0.0.1:{ports['8420']}",
                         "TENTERHOOK_SERVER": f"http://127.0.0.1:{ports['8420']}", "LC_ALL": "C.UTF-8"})
        if not own_server:
            env.update(TENTERHOOK_KEY=KEY, KEY=KEY, API=f"http://127.0.0.1:{server.port}")
        shell = Shell(tmp_path, env, ports)
        try:
            for block in run:
                shell.run(block)
        finally:
            shell.close()


@pytest.mark.parametrize("page", LINKED)
def test_what_is_not_run_says_why(page):
    for block in blocks_of(page):
        assert block.mark == "not run" or page in RUN + MACHINE + RUN_ELSEWHERE, f"{block} is run by no test"
        assert block.mark != "not run" or len(block.value) > 8, block


def anchors(path):
    """The names that links may use, made from headings as GitHub does."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ +(.+)$", text, re.M)}


@pytest.mark.parametrize("page", LINKED)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.M | re.S)
    text = re.sub(r"`[^`\n]*`", "", text)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), f"{page}: {target}: there is no such file"
        assert not anchor or anchor in anchors(path), f"{page}: {target}: no such heading"


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text()
    for path in (ROOT / "docs").glob("*.md"):
        assert path.name == "README.md" or f"]({path.name})" in index, f"docs/README.md does not name {path.name}"


def test_every_option_is_in_the_table():
    """What people write in the environment and in the file, and the page that describes it."""
    page = (ROOT / "docs" / "operating.md").read_text()
    rows = re.findall(r'\bX\((\w+), \w+, (?:NULL|"[^"]*"), (?:NULL|"([^"]*)"), (?:NULL|"([^"]*)"),',
                      (ROOT / "src" / "options" / "options.h").read_text())
    assert len(rows) > 30
    for name, environment, key in rows:
        for word in filter(None, (environment, key)):
            assert re.search(rf"`{re.escape(word)}(_file)?`", page), f"docs/operating.md does not name {word} (option {name})"


def test_the_page_about_adding_names_files_that_exist():
    """Also those that it only outlines, such as src/cli/cmd_….c."""
    folder, count = ROOT, 0
    for line in (ROOT / "docs" / "adding.md").read_text().splitlines():
        cells = re.match(r"\| (`[^|]*`) \|", line)
        for name in re.findall(r"`([^`]+)`", cells[1]) if cells else ():
            path = ROOT / name if "/" in name else folder / name  # a name alone: beside the one before
            folder, count = path.parent, count + 1
            assert list(path.parent.glob(path.name.replace("…", "*") or "*")), f"docs/adding.md: there is no {name}"
    assert count > 40


def reference_tool():
    path = str(ROOT / "tools" / "make-api-reference")
    loader = importlib.machinery.SourceFileLoader("make_api_reference", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("make_api_reference", loader))
    loader.exec_module(module)
    return module


def test_the_api_reference_is_up_to_date(api):
    page = reference_tool().page_of(api.get("/openapi.json").expect(200).json)
    assert (ROOT / "docs" / "api-reference.md").read_text() == page, "run tools/make-api-reference"


def test_the_tables_of_fields_are_up_to_date():
    run = subprocess.run([ROOT / "tools" / "make-field-tables", "--check"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr



def test_the_reference_refuses_what_it_cannot_show(api):
    tool, description = reference_tool(), api.get("/openapi.json").expect(200).json
    description["components"]["schemas"]["Tenant"]["properties"]["id"]["patternProperties"] = {}
    with pytest.raises(tool.Unknown):
        tool.page_of(description)


def test_the_shell_notices(tmp_path):
    """The runner itself: a failing command, a wrong status, another output."""
    def block(text, mark=None, value=None, shown=None):
        return Block("here", 1, text, mark, value, shown)
    for wrong in (block("false\ntrue\n"), block("true\n", "exits", "3"), block("echo a\n", shown=("text", "b\n")),
                  block("echo '{\"a\":1}'\n", shown=("json", '{"b":1}')), block("echo '[1]'\n", shown=("json", '["x"]'))):
        shell = Shell(tmp_path, clean_env(), {})
        try:
            with pytest.raises(AssertionError):
                shell.run(wrong)
        finally:
            shell.close()
    shell = Shell(tmp_path, clean_env(), {})
    try:
        shell.run(block("x=1\n"))
        shell.run(block("echo $x two  three\n", shown=("text", "1 … three\n")))
        shell.run(block("(exit 3)\n", "exits", "3"))
    finally:
        shell.close()
