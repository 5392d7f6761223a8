"""The clients of clients/, each against a real server: the cases of clients/conformance/ (its README says what they mean), a proxy
that causes the faults, requests of every dialect for the verifiers, and the programs of the adapters."""
import base64
import email.utils
import fnmatch
import http.client
import itertools
import json
import pathlib
import re
import subprocess
import threading
import time

from . import programs
from .deliver import free_port
from .receiver import Receiver, Reply
from .server import ROOT, binary_path, clean_env

CLIENTS = ROOT / "clients"
CONFORMANCE = CLIENTS / "conformance"
HOP = {"connection", "transfer-encoding", "keep-alive", "host", "content-length"}
_numbers = itertools.count(1)


def cases(name):
    return json.loads((CONFORMANCE / f"{name}.json").read_text())


class Proxy:
    """Stands in front of a server. `through` is what happens to the next requests, `seen` are those that came."""

    def __init__(self, port):
        self.port, self.through, self.seen = port, [], []
        self.lock = threading.Lock()
        self.receiver = Receiver(self._answer)

    def url(self):
        return self.receiver.url("")

    def begin(self, through):
        with self.lock:
            self.through, self.seen = list(through), []

    def close(self):
        self.receiver.close()

    def _answer(self, request):
        with self.lock:
            do = self.through.pop(0) if self.through else {}
            self.seen.append(request)
        if "stall_s" in do:
            time.sleep(do["stall_s"])
        if do.get("drop") == "before":
            return Reply(drop=True)
        if "status" in do:
            body = do.get("body", {"type": "about:blank", "title": "Planned", "status": do["status"], "detail": "planned"})
            text = body if isinstance(body, str) else json.dumps(body)
            return Reply(do["status"], [("Content-Type", "text/html" if isinstance(body, str) else "application/problem+json"),
                                        *do.get("headers", {}).items()], text.encode(), close=True)
        answer, body = self._forward(request)
        if do.get("drop") == "after":
            return Reply(drop=True)
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP]
        if answer.status in (204, 304):
            head = [f"HTTP/1.1 {answer.status} Answer", *(f"{name}: {value}" for name, value in headers), "Connection: close"]
            return Reply(raw="\r\n".join(head).encode("latin-1") + b"\r\n\r\n", close=True)
        return Reply(answer.status, headers, body, close=True)

    def _forward(self, request):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {name: value for name, value in request.headers if name.lower() not in HOP}
        connection.request(request.method, request.target, request.body or None, headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body


class Runner:
    """A client's runner program: one command a line, one answer a line."""

    def __init__(self, command, folder=None, env=None):
        self.process = subprocess.Popen([str(part) for part in command], cwd=folder, env=clean_env(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.errors = []
        threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True).start()

    def ask(self, call, args, client=None):
        try:
            self.process.stdin.write(json.dumps({"call": call, "args": args, "client": client or {}}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        assert line, "the runner has ended:\n" + "".join(self.errors[-30:])
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)


# ---- judging ----

def filled(value, names):
    """A value with its ${names}."""
    if isinstance(value, str):
        whole = re.fullmatch(r"\$\{(\w+)\}", value)
        return names[whole.group(1)] if whole else re.sub(r"\$\{(\w+)\}", lambda found: str(names[found.group(1)]), value)
    if isinstance(value, dict):
        return {name: filled(member, names) for name, member in value.items()}
    return [filled(member, names) for member in value] if isinstance(value, list) else value


def fits(wanted, given):
    """Whether an answer has what is wanted of it."""
    if wanted == "*":
        return given is not None
    if isinstance(wanted, dict) and set(wanted) == {"count"}:
        return isinstance(given, list) and len(given) == wanted["count"]
    if isinstance(wanted, dict):
        return isinstance(given, dict) and all(fits(member, given.get(name)) for name, member in wanted.items())
    if isinstance(wanted, list):
        return isinstance(given, list) and len(wanted) <= len(given) and all(fits(one, other) for one, other in zip(wanted, given))
    return wanted == given and isinstance(wanted, bool) == isinstance(given, bool)


def member(value, path):
    for name in path.split("."):
        value = value[int(name)] if name.isdigit() else value[name]
    return value


def run_case(case, runner, proxy, server, receiver):
    """One case with a tenant of its own; raises AssertionError."""
    tenant = f"c{next(_numbers)}"
    server.api.put(f"/v1/tenants/{tenant}", {"name": tenant}).expect(201)
    api = server.api.as_tenant(tenant)
    for number in range(case.get("events", 0)):
        api.post("/v1/events", {"type": "a.b", "data": number}).expect(202)
    names = {"receiver": receiver.url(), "unique": f"u{next(_numbers)}-{tenant}", "in_2_seconds": email.utils.formatdate(time.time() + 2, usegmt=True)}
    if "publish_key" in json.dumps(case):
        names["publish_key"] = server.api.post(f"/v1/tenants/{tenant}/keys", {"scopes": ["events:publish"]}).expect(201).json["key"]
    client = {"server": proxy.url(), "key": server.admin_key, "tenant": tenant, "timeout_ms": 20000, **filled(case.get("client", {}), names)}
    if client["key"] != server.admin_key:
        client.pop("tenant")
    proxy.begin(filled(case.get("through", []), names))
    for number, step in enumerate(case["steps"]):
        where = f"step {number + 1}, {step['call']}"
        answer = runner.ask(step["call"], filled(step["args"], names), client)
        if "error" in step:
            assert fits(filled(step["error"], names), answer.get("error")), f"{where}: wanted the error {step['error']}, got {answer}"
            continue
        assert "ok" in answer, f"{where}: {answer}"
        assert fits(filled(step.get("expect", {}), names) if "expect" in step else answer["ok"] or None, answer["ok"]) or ("expect" not in step), \
            f"{where}: wanted {step.get('expect')}, got {answer}"
        for name, path in step.get("save", {}).items():
            names[name] = member(answer["ok"], path)
    check_requests(case, proxy.seen, names)


def run_cases(file, runner, proxy, server, receiver):
    for case in cases(file):
        try:
            run_case(case, runner, proxy, server, receiver)
        except AssertionError as error:
            raise AssertionError(f"{file}.json, {case['name']}: {error}") from None


def check_requests(case, seen, names):
    wanted = filled(case.get("seen", []), names)
    told = [f"{request.method} {request.target}" for request in seen]
    if "seen" in case:
        assert len(wanted) == len(seen), f"wanted {len(wanted)} requests, got {told}"
    for number, (one, request) in enumerate(zip(wanted, seen)):
        target = request.target if "?" in one["path"] else request.target.split("?")[0]
        assert request.method == one["method"] and fnmatch.fnmatchcase(target, one["path"].replace("?", "[?]")), f"request {number + 1}: {told[number]}, wanted {one}"
        for name, value in one.get("headers", {}).items():
            assert fits(value, request.header(name)), f"request {number + 1}: {name} is {request.header(name)!r}, wanted {value!r}"
        if "waited" in one:
            waited = request.mono - seen[number - 1].mono
            assert one["waited"][0] <= waited + 0.005 and waited <= one["waited"][1] + 10, f"request {number + 1} came {waited:.3f} s later, wanted {one['waited']}"
    for name in case.get("same", []):
        assert len({request.header(name) for request in seen}) == 1 and seen[0].header(name), name
    for name in case.get("different", []):
        assert len({request.header(name) for request in seen}) == len(seen), name
    for path, most in case.get("at_most", {}).items():
        assert sum(request.target == path for request in seen) <= most, told


# ---- verifiers ----

def receiver_secret(secret, dialect):
    """What a receiver verifies with: where the secret is a bare Ed25519 seed, its public key."""
    if any(form["algorithm"] == "ed25519" and form["key"] == "hex" for form in scheme(dialect)["forms"]):
        der = bytes.fromhex("302e020100300506032b657004220420" + secret)
        return subprocess.run(["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"], input=der, check=True, capture_output=True).stdout[-32:].hex()
    return secret


def wire_requests():
    """A request of each case of dialects/vectors/: what a receiver gets, and with what it verifies."""
    for file in sorted((ROOT / "dialects" / "vectors").glob("*.json")):
        vectors = json.loads(file.read_text())
        for case in vectors["wire"]:
            inputs, expected = case["inputs"], case["expected"]
            method = expected.get("request", "POST ").split(" ", 1)[0]
            if "request" in expected:
                head, body = expected["request"].split("\r\n\r\n", 1)
                headers = [line.split(": ", 1) for line in head.split("\r\n")[1:]]
            else:
                headers, body = [list(pair) for pair in expected["headers"].items()], expected.get("body", "")
            signing = [secret for secret in inputs["secrets"] if secret.get("state", "active") not in ("revoked", "expired")]
            yield {"name": f"{vectors['dialect']}: {case['name']}", "dialect": vectors["dialect"], "secrets": [receiver_secret(secret["value"], vectors["dialect"]) for secret in signing],
                   "headers": headers, "body": body.encode(), "now": inputs["attempt"]["at_unix"], "url": inputs["endpoint"]["url"], "method": method,
                   "type": inputs["event"].get("type", ""), "unsigned": inputs["endpoint"].get("options", {}).get("signed") is False}


def scheme(dialect):
    return json.loads((CLIENTS / "dialects.json").read_text())[dialect]


def other_secret(secret, dialect):
    """A secret of the same form that is another."""
    kinds = {form["key"] for form in scheme(dialect)["forms"]}
    if secret.startswith("whsk_"):
        return "whsk_" + base64.b64encode(b"\x07" * 32).decode()
    if kinds & {"whsec", "base64"}:
        return "whsec_" + base64.b64encode(b"another secret of 24 byt").decode()
    return "07" * 32 if "hex" in kinds else "another secret altogether"


def signature_header(request):
    found = scheme(request["dialect"])
    names = {form["header"].lower() for form in found["forms"]} or {found["auth"]["header"].lower()}
    return next(number for number, (name, _) in enumerate(request["headers"]) if name.lower() in names)


def changed_request(request, case):
    """The `verify` arguments of a request with the changes of a case; None where the case does not concern the dialect."""
    found, at = scheme(request["dialect"]), signature_header(request)
    signed, timed = bool(found["forms"]), any("{ts}" in form["content"] for form in found["forms"])
    if (case.get("signed") and not signed) or (case.get("timed") and not timed):
        return None
    if case.get("message") and not any(form["encoding"] == "http-message" for form in found["forms"]):
        return None
    if (case.get("headers") in ("short", "changed") or ("replace" in case and "error" in case)) and len(request["secrets"]) > 1:
        return None  # the other signature is still good
    headers, body = [list(pair) for pair in request["headers"]], request["body"]
    name, value = headers[at]
    change = case.get("headers")
    if change == "upper":
        headers = [[field.upper(), text] for field, text in headers]
    elif change == "without":
        del headers[at]
    elif change == "twice":
        headers.append([name, value])
    elif change == "short":
        headers[at][1] = value[:-3]
    elif change == "changed":
        position = max(at for at, letter in enumerate(value[:-2]) if letter.isalnum())
        headers[at][1] = value[:position] + ("b" if value[position] != "b" else "c") + value[position + 1:]
    for field, new in case.get("replace", {}).items():
        place = next(number for number, (one, _) in enumerate(headers) if one.lower() == field.lower())
        if new is None:
            del headers[place]
        else:
            headers[place][1] = headers[place][1].replace(new[0], new[1], 1)
    if case.get("body") == "changed":
        body = body[:-1] + b" " + body[-1:] if len(body) < 3 else body[:len(body) // 2] + bytes([body[len(body) // 2] ^ 1]) + body[len(body) // 2 + 1:]
    elif case.get("body") == "longer":
        body += b" "
    own, other = request["secrets"], [other_secret(request["secrets"][0], request["dialect"])]
    secrets = own if "secrets" not in case else [secret for word in case["secrets"] for secret in (own if word == "own" else other)]
    return {"dialect": request["dialect"], "secrets": secrets, "headers": headers, "body_base64": base64.b64encode(body).decode(),
            "now": request["now"] + case.get("later_s", 0), "tolerance": case.get("tolerance", 300), "url": request["url"] + ("x" if case.get("url") == "longer" else ""),
            "method": case.get("method", request["method"])}


def judge_wire(runner):
    """Every change of signatures.json to every request of the vectors; gives how many were judged."""
    count, faults = 0, []
    for request in wire_requests():
        if request["unsigned"]:
            continue
        for case in cases("signatures"):
            args = changed_request(request, case)
            if args is None:
                continue
            count += 1
            answer = runner.ask("verify", args)
            if "error" in case:
                good = answer.get("error", {}).get("code") in case["error"]
            else:
                good = "ok" in answer and (answer["ok"].get("type") is None or request["type"].startswith(answer["ok"].get("type").split("/")[0]))
                # A body that is no JSON object is only in one vector, whose signature is right all the same.
                good = good or answer.get("error", {}).get("code") == "bad_event" and not request["body"].startswith(b"{")
            if not good:
                faults.append(f"{request['name']}, {case['name']}: {answer}")
    assert not faults, "\n".join(faults[:20])
    return count


def judge_vectors(runner, folder):
    """The `verify` cases of other vectors files."""
    count, faults = 0, []
    for file in sorted(folder.glob("*.json")):
        vectors = json.loads(file.read_text())
        for case in vectors.get("verify", []):
            headers = [list(pair) for pair in (case["headers"].items() if isinstance(case["headers"], dict) else case["headers"])]
            answer = runner.ask("verify", {"dialect": vectors["dialect"], "secrets": case["secrets"], "headers": headers,
                                           "body_base64": base64.b64encode(case["body"].encode() if "body" in case else base64.b64decode(case["body_base64"])).decode(),
                                           "now": case["now_unix"], "tolerance": case.get("tolerance_s", 300), "url": case.get("url", "https://receiver.example.com/"), "method": case.get("method", "POST")})
            count += 1
            if ("ok" in answer) != (case["expect"] == "accept") or answer.get("error", {}).get("kind") == "unexpected":
                faults.append(f"{vectors['dialect']}, {case['name']}: wanted {case['expect']}, got {answer}")
    assert not faults, "\n".join(faults[:20])
    return count


# What a dialect wants of an endpoint and an event, beside what all do.
WANTS = {"tiro": {"event": {"resource_id": "r-1"}}, "square": {"event": {"resource_type": "payment", "resource_id": "p-1"}}}
TYPES = {"tiro": "note.created", "tsanet": "note.created", "taskboard": "task.created", "techwriter": "document.published", "github": "issues.opened",
         "gitlab": "push", "discord": "ENTITLEMENT_CREATE", "shopify": "orders.create", "linear": "Issue.create"}


def judge_server(runner, server, receiver):
    """What the server really sends to a receiver (https, which some dialects insist on), in every built-in dialect."""
    judged = []
    for dialect in json.loads((CLIENTS / "dialects.json").read_text()):
        tenant, mark = f"w{next(_numbers)}", len(receiver.requests)
        server.api.put(f"/v1/tenants/{tenant}", {"name": tenant, "dialect": dialect}).expect(201)
        api = server.api.as_tenant(tenant)
        native = {"Tenterhook-Form": "native"}
        event_type = TYPES.get(dialect, "invoice.paid")
        body = {"url": receiver.url("/" + dialect), "events": [event_type]}
        made = api.request("POST", "/v1/webhooks", body, native)
        if made.status == 422:  # the customer brings the secret
            made = api.request("POST", "/v1/webhooks", {**body, "secret": "customer's own secret, long enough"}, native)
        endpoint = made.expect(200, 201).json
        secret = endpoint.get("secret") or "customer's own secret, long enough"
        wants = WANTS.get(dialect, {}).get("event", {})
        api.post("/v1/events", {"type": event_type, "data": {"id": "d-1", "text": "ä€"}, **wants}).expect(202)
        request = receiver.wait_for(lambda requests, mark=mark: len(requests) > mark, 60)[mark]
        answer = runner.ask("verify", {"dialect": dialect, "secrets": [receiver_secret(secret, dialect)], "headers": [list(pair) for pair in request.headers],
                                       "body_base64": base64.b64encode(request.body).decode(), "now": int(time.time()), "tolerance": 300, "url": endpoint["url"], "method": request.method})
        assert "ok" in answer, f"{dialect}: {answer}"
        event = answer["ok"]
        assert event["data"] == {"id": "d-1", "text": "ä€"}, (dialect, event)
        assert not event.get("type") or event_type.startswith(event["type"].split("/")[0].split(".")[0]), (dialect, event)
        judged.append(dialect)
    return judged


# ---- adapters and examples ----

def run_adapter(running, program):
    """A program with an adapter (programs.Program) takes what is the sender's, with the raw body kept, and refuses what is not. Ends it."""
    try:
        program.ready()
        adapter_round(running, program.url("/hook"), lambda secret: program.command({"secret": secret}),
                      lambda event: program.wait_for("event", lambda one: one["id"] == event))
    finally:
        program.close()


def access(running):
    """The environment in which a client's program finds the server and its key."""
    return {"TENTERHOOK_SERVER": f"http://127.0.0.1:{running.port}", "TENTERHOOK_KEY": running.admin_key}


def adapter_round(server, url, secret_of, printed, wait=60):
    """Sends an event to an adapter's route and the same request again with a changed body: the first is taken, the second refused.
    `secret_of` tells the program the secret; `printed` waits for what it says."""
    tenant = f"a{next(_numbers)}"
    server.api.put(f"/v1/tenants/{tenant}", {"name": tenant}).expect(201)
    api = server.api.as_tenant(tenant)
    endpoint = api.post("/v1/webhooks", {"url": url}).expect(201).json
    secret_of(endpoint["secret"])
    event = api.post("/v1/events", {"type": "order.created", "data": {"order": 17, "text": "ä€"}}).expect(202).json
    deadline = time.monotonic() + wait
    while True:
        row = api.get(f"/v1/deliveries?event={event['id']}").expect(200).json["data"][0]
        if row["status"] != "pending" or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert row["status"] == "delivered", row
    assert printed(event["id"])["data"] == {"order": 17, "text": "ä€"}
    host, path = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.request("POST", "/" + path, b'{"type":"order.created","timestamp":"2026-01-01T00:00:00Z","data":{}}',
                       {"Content-Type": "application/json", "webhook-id": "msg_1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1," + "A" * 43 + "="})
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status == 401 and b"webhook-signature" in text, (answer.status, text)


def examples(readme, language):
    """{name: program} of the blocks ```LANGUAGE NAME of a README."""
    return dict(re.findall(rf"^```{language} (\w+)\n(.*?)^```$", readme.read_text(), re.M | re.S))


FRAME = re.compile(r"""|[})]+;?|package .*|import .*|"[\w./-]+"|func main\(\) \{|(public )?(final )?class \w+ \{|(public )?static void main\(.*|\}\);""")


def run_examples(server, readme, language, receive, publish):
    """The two examples of a README, of at most ten lines each: receive(program, env) gives the process that prints a line once it listens,
    and the event's id when it comes; publish(program, env) gives what it printed."""
    blocks = examples(readme, language)
    assert set(blocks) == {"publish", "receive"}
    own = {name: [line for line in block.splitlines() if not FRAME.fullmatch(line.strip())] for name, block in blocks.items()}
    assert all(len(lines) <= 10 for lines in own.values()), f"ten lines each, beside the frame that the language wants: {own}"
    port = free_port()
    endpoint = server.api.post("/v1/webhooks", {"url": f"http://127.0.0.1:{port}/hook"}).expect(201).json
    env = {**clean_env(), "TENTERHOOK_SERVER": f"http://127.0.0.1:{server.port}", "TENTERHOOK_KEY": server.admin_key,
           "WEBHOOK_SECRET": endpoint["secret"], "PORT": str(port)}
    receiver = receive(blocks["receive"], env)
    try:
        deadline = time.monotonic() + 60
        while True:  # some frameworks say nothing when they listen
            try:
                http.client.HTTPConnection("127.0.0.1", port, timeout=5).connect()
                break
            except OSError:
                assert time.monotonic() < deadline and receiver.poll() is None, "the receiver does not listen"
                time.sleep(0.05)
        event = publish(blocks["publish"], env).split()[0]
        assert event.startswith("msg_")
        for line in receiver.stdout:
            if event in line:
                break
        else:
            raise AssertionError("the receiver ended without the event")
    finally:
        receiver.kill()
        receiver.wait()
        server.api.delete(f"/v1/webhooks/{endpoint['id']}").expect(204)


def stale(only=None):
    """What tools/make-clients says would change; "" when all is fresh."""
    command = [ROOT / "tools" / "make-clients", "--binary", binary_path(), "--check", *(["--only", only] if only else [])]
    done = programs.run(["/usr/bin/python3", *command], ROOT)
    if done.returncode == 2:
        programs.missing(done.stdout.strip()[-300:])
    return done.stdout if done.returncode else ""
