"""A new secret key: everything readable all the time, with both keys; with the new one alone only after the job; and
whatever a kill -9 leaves is readable with both."""
import base64
import json
import random
import shutil
import signal
import sqlite3
import time

import pytest

from harness.expect import eventually
from harness.faults import together
from harness.server import StartError

KEYS = ["first-secret-key-0123456789abcdef", "second-secret-key-0123456789abcdef", "third-secret-key-0123456789abcdef"]
JSON = {"Content-Type": "application/json"}
ENDED = "all secrets are encrypted with the new key"


def keys(new, old=None):
    env = {"TENTERHOOK_SECRET_KEY": KEYS[new]}
    if old is not None:
        env["TENTERHOOK_SECRET_KEY_OLD"] = KEYS[old]
    return env


def own(n):
    return "whsec_" + base64.b64encode(b"customer secret %16d" % n).decode()


def fill(api, target, count):
    """Endpoints with a secret of their own and a sealed header; some changed, rotated, deleted; answers that are kept."""
    made = []
    for n in range(count):
        headers = {**JSON, "Idempotency-Key": f"make-{n}"} if n % 4 == 0 else JSON
        body = {"url": target.url(f"/{n}"), "events": [f"t.{n}"], "secret": own(n), "headers": {"X-Token": f"value-{n}"}}
        made.append(api.request("POST", "/v1/webhooks", json.dumps(body).encode(), headers).expect(201).json["id"])
        if n % 5 == 1:
            api.request("PATCH", f"/v1/webhooks/{made[n]}", json.dumps({"headers": {"X-Token": f"value-{n}", "X-More": "m"}}).encode(),
                        JSON).expect(200)
        if n % 5 == 2:
            api.post(f"/v1/webhooks/{made[n]}/rotate-secret", {"secret": own(n + 10000)}).expect(200)
        if n % 5 == 3:
            api.request("DELETE", f"/v1/webhooks/{made[n]}").expect(204)
            made[n] = None
    return made


def check(api, target, made, sample=None):
    """All secrets are those that were given; kept answers come again; a delivery is signed and carries its header."""
    for n, hook in enumerate(made):
        if hook is None or (sample and n % sample):
            continue
        secrets = [s["secret"] for s in api.get(f"/v1/webhooks/{hook}/secret").expect(200).json["secrets"]]
        assert secrets == ([own(n + 10000), own(n)] if n % 5 == 2 else [own(n)]), n
        if n % 4 == 0:
            body = {"url": target.url(f"/{n}"), "events": [f"t.{n}"], "secret": own(n), "headers": {"X-Token": f"value-{n}"}}
            again = api.request("POST", "/v1/webhooks", json.dumps(body).encode(), {**JSON, "Idempotency-Key": f"make-{n}"})
            assert again.expect(201).header("Idempotency-Replayed") == "true" and again.json["id"] == hook
    n = next(n for n, hook in enumerate(made) if hook and n % 5 == 2)
    before = len(target.requests)
    api.post("/v1/events", {"type": f"t.{n}", "data": {"n": n}}).expect(202)
    request = eventually(lambda: target.requests[before:] and target.requests[before])
    assert request.header("X-Token") == f"value-{n}"


def sealed(data):
    """Every encrypted value of the database, as it lies there."""
    base = sqlite3.connect(f"file:{data / 'tenterhook.db'}?mode=ro", uri=True)
    found = {("secret", no): bytes(v) for no, v in base.execute("SELECT no,sealed FROM secret")}
    for table, sql in (("endpoint", "SELECT no,0,conf FROM endpoint"), ("rev", "SELECT endpoint,rev,conf FROM endpoint_rev")):
        for a, b, conf in base.execute(sql):
            if "headers_sealed" in json.loads(conf):
                found[table, a, b] = json.loads(conf)["headers_sealed"]
    for day, tenant, key, answer in base.execute("SELECT day,tenant,key,answer FROM config_idem"):
        if answer:
            found["answer", day, tenant, key] = bytes(answer)
    proofs = {k for (k,) in base.execute("SELECT k FROM meta WHERE k LIKE 'key_proof%'")}
    base.close()
    return found, proofs


def refused(server, data, env, why):
    with pytest.raises(StartError) as error:
        server(data=data, env=env)
    assert why in str(error.value), error.value


def test_rotation(server, receiver):
    target = receiver()
    running = server(env=keys(0))
    data = running.data
    made = fill(running.api, target, 60)
    check(running.api, target, made)
    assert running.stop() == 0
    before, proofs = sealed(data)
    assert proofs == {"key_proof"} and {k[0] for k in before} == {"secret", "endpoint", "rev", "answer"}

    refused(server, data, keys(1), "not the one that encrypted")
    refused(server, data, keys(1, 2), "not the one that encrypted")
    running = server(data=data, env=keys(1, 0))
    check(running.api, target, made)  # while it works or after
    eventually(lambda: ENDED in running.text())
    assert '"unreadable":0' in running.text().replace(" ", "")
    check(running.api, target, made)
    after, proofs = sealed(data)
    assert proofs == {"key_proof"} and set(after) >= set(before)
    left = [place for place in before if before[place] == after[place]]
    assert not left, left  # deleted endpoints, earlier revisions and answers as well
    running.api.post(f"/v1/webhooks/{made[0]}/rotate-secret", {"secret": own(77)}).expect(200)  # memory and store agree
    assert running.stop() == 0

    refused(server, data, keys(0), "not the one that encrypted")
    running = server(data=data, env=keys(1))
    assert [s["secret"] for s in running.api.get(f"/v1/webhooks/{made[0]}/secret").json["secrets"]] == [own(77), own(0)]
    made[0] = None
    check(running.api, target, made)
    assert ENDED not in running.text()
    # an old key that is not needed does no harm, whatever it is
    running.stop()
    running = server(data=data, env=keys(1, 2))
    check(running.api, target, made, sample=7)


def test_from_the_key_file_to_a_key_of_ones_own(server, receiver):
    target = receiver()
    running = server()
    made = fill(running.api, target, 8)
    running.stop()
    env = {**keys(0), "TENTERHOOK_SECRET_KEY_OLD_FILE": str(running.data / "secret.key")}
    running = server(data=running.data, env=env)
    eventually(lambda: ENDED in running.text())
    running.stop()
    (running.data / "secret.key").unlink()
    check(server(data=running.data, env=keys(0)).api, target, made)


def frozen(data, folder):
    """The files of a process that is stopped, as they lie there: it may have stopped with the locks of its log."""
    probe = folder / "probe"
    shutil.rmtree(probe, ignore_errors=True)
    probe.mkdir()
    for path in data.glob("tenterhook.db*"):
        if not path.name.endswith("-shm"):
            shutil.copy(path, probe / path.name)
    return probe


def killed_in_the_middle(server, data, before, folder):
    """A copy of a data directory whose values were being encrypted with the new key when the process was killed. The process runs in slices
    of milliseconds, so that a busy machine does not let it finish unseen; where it does, another copy is tried."""
    for attempt in range(20):
        copy = folder / f"copy{attempt}"
        shutil.copytree(data, copy)
        running = server(data=copy, env=keys(1, 0))
        for _ in range(500):
            running.process.send_signal(signal.SIGSTOP)
            now, proofs = sealed(frozen(copy, folder))
            changed = sum(before[place] != now[place] for place in before)
            if changed or proofs == {"key_proof"}:
                break
            running.process.send_signal(signal.SIGCONT)
            time.sleep(0.002)
        running.kill()
        now, proofs = sealed(copy)
        if 0 < sum(before[place] != now[place] for place in before) < len(before):
            assert proofs == {"key_proof", "key_proof_old"}
            return copy
    raise AssertionError("no kill came in the middle")


def test_a_kill_in_the_middle(server, receiver, tmp_path):
    """And more of them, until one start gets through; each time both keys open everything, and one alone is refused while
    both are needed."""
    target = receiver()
    running = server(env=keys(0))
    made = fill(running.api, target, 240)
    running.stop()
    before, _ = sealed(running.data)
    data = killed_in_the_middle(server, running.data, before, tmp_path)
    dice = random.Random(4)
    for _ in range(6):
        now, proofs = sealed(data)
        changed = sum(before[place] != now[place] for place in before)
        if proofs == {"key_proof"}:
            assert changed == len(before)
            break
        refused(server, data, keys(1), "has not ended")
        refused(server, data, keys(0), "not the one that encrypted")
        refused(server, data, keys(2, 1), "has not ended")
        running = server(data=data, env=keys(1, 0))
        time.sleep(dice.uniform(0, 0.05))
        running.kill()
    running = server(data=data, env=keys(1, 0))
    check(running.api, target, made)
    eventually(lambda: sealed(data)[1] == {"key_proof"}, 60)
    running.stop()
    after, _ = sealed(data)
    assert before and all(before[place] != after[place] for place in before)
    check(server(data=data, env=keys(1)).api, target, made)


def test_back_again_in_the_middle(server, receiver):
    """The operator changes their mind: old and new change places."""
    target = receiver()
    running = server(env=keys(0))
    data = running.data
    made = fill(running.api, target, 240)
    running.stop()
    running = server(data=data, env=keys(1, 0))
    running.kill()
    running = server(data=data, env=keys(0, 1))
    eventually(lambda: sealed(data)[1] == {"key_proof"}, 60)
    running.stop()
    running = server(data=data, env=keys(0))
    check(running.api, target, made)


def test_changes_while_it_works(server, receiver):
    """Settings change all the time; each end is readable with the new key alone."""
    target = receiver()
    running = server(env=keys(0))
    data = running.data
    made = fill(running.api, target, 160)
    running.stop()
    running = server(data=data, env=keys(1, 0))
    live, expected = [hook for hook in made if hook], {}

    def change(worker):
        """Those of each fourth endpoint, at least one, until the work has ended."""
        for n in range(worker, 20000, 4):
            hook = live[n % (len(live) // 4 * 4)]
            running.api.request("DELETE", f"/v1/webhooks/{hook}/secret/previous").expect(204, 409, 404)
            running.api.post(f"/v1/webhooks/{hook}/rotate-secret", {"secret": own(50000 + n)}).expect(200)
            expected[hook] = own(50000 + n)
            if ENDED in running.text():
                return

    together(change, range(4), 4)
    eventually(lambda: ENDED in running.text())
    running.stop()
    running = server(data=data, env=keys(1))
    for hook in live:
        secrets = [s["secret"] for s in running.api.get(f"/v1/webhooks/{hook}/secret").expect(200).json["secrets"]]
        assert hook not in expected or secrets[0] == expected[hook]
