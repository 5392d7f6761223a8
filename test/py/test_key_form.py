"""A secret key that is a phrase is stretched; data of before, which is encrypted with its hash, is rewrapped, whatever kill -9
leaves; answers that are kept with an Idempotency-Key open in their own place only."""
import json
import random
import shutil
import time

import pytest

from harness.command import tenterhook
from harness.expect import eventually
from harness.sealing import Sealed, hashed, opened, stretched
from harness.server import StartError

PHRASE, OTHER = "correct horse battery staple", "another phrase, also a long one"
HEX = "0123456789abcdef" * 4
JSON = {"Content-Type": "application/json"}
ENDED = "all secrets are encrypted with the new key"


def fill(api, count=6):
    """Endpoints with a sealed header and answers that are kept; by index what was answered."""
    return [make(api, n).expect(201).json for n in range(count)]


def make(api, n, key=None):
    body = {"url": f"http://127.0.0.1:9999/{n}", "headers": {"X-Token": f"value-{n}"}}
    return api.request("POST", "/v1/webhooks", json.dumps(body).encode(), {**JSON, "Idempotency-Key": key or f"make-{n}"})


def check(api, made):
    assert made
    for n, hook in enumerate(made):
        secret = api.get(f"/v1/webhooks/{hook['id']}/secret").expect(200).json["secrets"][0]["secret"]
        assert secret == hook["secret"]
        assert api.get(f"/v1/webhooks/{hook['id']}").expect(200).json["headers"] == {"X-Token": f"value-{n}"}
        again = make(api, n).expect(201)
        assert again.json == hook and again.header("Idempotency-Replayed") == "true"


def open_all(data, key):
    """How many secrets and answers this key opens, and how many there are."""
    with Sealed(data) as sealed:
        found = [opened(key, aad, one) is not None for _, aad, one in sealed.secrets()]
        found += [one[0] == 2 and opened(key, aad + name, one[1:]) is not None for _, aad, name, one in sealed.answers()]
        return sum(found), len(found)


def form(data):
    with Sealed(data) as sealed:
        return sealed.meta("key_form")


def with_key(text, old=None):
    return {"TENTERHOOK_SECRET_KEY": text, **({"TENTERHOOK_SECRET_KEY_OLD": old} if old else {})}


def test_a_phrase_is_stretched(server):
    running = server(env=with_key(PHRASE))
    made = fill(running.api)
    running.stop()
    salt = form(running.data)
    assert open_all(running.data, stretched(PHRASE, salt)) == (12, 12) and open_all(running.data, hashed(PHRASE)) == (0, 12)
    running.start()
    check(running.api, made)
    running.stop()
    assert form(running.data) == salt
    with pytest.raises(StartError, match="not the one that encrypted"):
        server(data=running.data, env=with_key(OTHER))
    other = server(env=with_key(PHRASE))
    other.stop()
    assert form(other.data) != salt  # each store has a salt of its own


def test_every_kept_answer_has_its_own_key_in_it(server):
    """Of each kind of request that keeps one."""
    running = server(env=with_key(HEX))
    api, hook = running.api, make(running.api, 0).expect(201).json["id"]
    requests = [(f"/v1/webhooks/{hook}/rotate-secret", {}), (f"/v1/webhooks/{hook}/retry", None),
                (f"/v1/webhooks/{hook}/replay", {"since": "2020-01-01T00:00:00Z"}),
                ("/v1/tenants/default/keys", {"scopes": ["events:publish"]})]
    for n, (path, body) in enumerate(requests):
        sent = "POST", path, json.dumps(body).encode() if body is not None else b"", {**JSON, "Idempotency-Key": f"k-{n}"}
        first, again = api.request(*sent).expect(200, 201, 202), api.request(*sent)
        assert again.status == first.status and again.header("Idempotency-Replayed") == "true", path
    running.stop()
    with Sealed(running.data) as sealed:
        kept = sealed.answers()
    assert len(kept) == len(requests) + 1
    assert all(one[0] == 2 and opened(hashed(HEX), aad + name, one[1:]) is not None for _, aad, name, one in kept)


@pytest.mark.parametrize("text", [HEX, HEX.upper(), HEX + "00"])
def test_what_openssl_prints_is_a_key_as_it_is(server, text):
    running = server(env=with_key(text))
    made = fill(running.api)
    running.stop()
    assert form(running.data) is None and open_all(running.data, hashed(text)) == (12, 12)
    running.start()
    check(running.api, made)


@pytest.mark.parametrize("text", [HEX[:-1], HEX[:-1] + "g", HEX + " x"])
def test_what_only_looks_like_it_is_a_phrase(server, text):
    running = server(env=with_key(text))
    fill(running.api, 1)
    running.stop()
    assert open_all(running.data, stretched(text, form(running.data))) == (2, 2)


def test_the_key_file_of_a_data_directory_is_no_phrase(server):
    running = server()
    fill(running.api, 1)
    running.stop()
    assert form(running.data) is None
    assert open_all(running.data, hashed((running.data / "secret.key").read_text().strip())) == (2, 2)


def test_data_of_before_is_rewrapped(server, tmp_path):
    running = server(env=with_key(PHRASE))
    made = fill(running.api)
    running.stop()
    with Sealed(running.data) as sealed:
        sealed.as_before(PHRASE)
    shutil.copytree(running.data, tmp_path / "copy")
    running.start()
    check(running.api, made)
    eventually(lambda: ENDED in running.text())
    check(running.api, made)
    running.stop()
    assert open_all(running.data, stretched(PHRASE, form(running.data))) == (12, 12)
    with Sealed(running.data) as sealed:
        assert sealed.meta("key_proof_old") is None
    running.start()
    check(running.api, made)
    # another phrase, and one that nobody can guess, at once on data of before
    for n, text in enumerate((OTHER, HEX)):
        data = tmp_path / f"rotated{n}"
        shutil.copytree(tmp_path / "copy", data)
        rotated = server(data=data, env=with_key(text, PHRASE))
        check(rotated.api, made)
        eventually(lambda: ENDED in rotated.text())
        rotated.stop()
        alone = server(data=data, env=with_key(text))
        check(alone.api, made)
        alone.stop()


def test_keys_change_in_every_direction(server):
    running = server(env=with_key(HEX))
    made = fill(running.api)
    before = HEX
    for text in (PHRASE, OTHER, HEX[::-1], PHRASE):
        running.stop()
        with pytest.raises(StartError):
            server(data=running.data, env=with_key(text))
        running = server(data=running.data, env=with_key(text, before))
        check(running.api, made)
        eventually(lambda: ENDED in running.text())
        running.stop()
        running = server(data=running.data, env=with_key(text))
        check(running.api, made)
        before = text


def test_kills_while_it_is_rewrapped(server):
    """Wherever it dies, the phrase alone opens all; and it comes to an end."""
    running = server(env=with_key(PHRASE))
    made = fill(running.api, 150)
    running.stop()
    with Sealed(running.data) as sealed:
        sealed.as_before(PHRASE)
    rng, torn = random.Random(7), 0
    for _ in range(8):
        running.start()
        time.sleep(rng.choice([0, 0, 0.01, 0.03]))
        running.kill()
        torn += not ended(running.data)
        if rng.random() < 0.4:
            running.start()
            check(running.api, made[:5])
            running.kill()
    assert torn
    running.start()
    eventually(lambda: ended(running.data), 20)
    check(running.api, made)
    running.stop()
    assert open_all(running.data, stretched(PHRASE, form(running.data))) == (300, 300)


def ended(data):
    with Sealed(data) as sealed:
        return sealed.meta("key_form") is not None and sealed.meta("key_proof_old") is None


def test_backups_of_before_are_restored(server, tmp_path):
    running = server(env=with_key(PHRASE))
    made = fill(running.api)
    running.stop()
    with Sealed(running.data) as sealed:
        sealed.as_before(PHRASE)
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    tenterhook("backup", str(old), "--data", str(running.data)).expect(0)
    running.start()
    eventually(lambda: ENDED in running.text())
    running.stop()
    tenterhook("backup", str(new), "--data", str(running.data)).expect(0)
    for n, file in enumerate((old, new)):
        data = tmp_path / f"restored{n}"
        wrong = tenterhook("restore", str(file), "--data", str(data), env=with_key(OTHER))
        assert wrong.status != 0 and "not the one that encrypted" in wrong.err
        tenterhook("restore", str(file), "--data", str(data), env=with_key(PHRASE)).expect(0)
        restored = server(data=data, env=with_key(PHRASE))
        check(restored.api, made)
        restored.stop()


def test_a_form_of_a_later_version_is_refused(server):
    running = server(env=with_key(PHRASE))
    running.stop()
    with Sealed(running.data) as sealed:
        sealed.base.execute("UPDATE meta SET v=x'09' || substr(v,2) WHERE k='key_form'")
    with pytest.raises(StartError, match="form of the secret key that this version does not know"):
        running.start()


def test_an_answer_opens_in_its_own_place_only(server):
    """Answers of two keys change places in the file: neither is given to the other's request."""
    running = server(env=with_key(HEX))
    made = fill(running.api, 2)
    running.stop()
    with Sealed(running.data) as sealed:
        (first, _, _, one), (second, _, _, two) = sealed.answers()
        sealed.put_answer(first, two)
        sealed.put_answer(second, one)
    running.start()
    for n in range(2):
        answer = make(running.api, n)
        assert answer.status == 503 and made[1 - n]["id"].encode() not in answer.body
    running.stop()
    with Sealed(running.data) as sealed:
        sealed.put_answer(first, one)
        sealed.put_answer(second, two)
    running.start()
    check(running.api, made)
