"""Dialect files that build on others: what they change, what is refused, and the same as one file."""
import json

import pytest

from harness.command import tenterhook
from harness.expect import eventually
from harness.server import ROOT, StartError

BUILT_IN = sorted(path.stem for path in (ROOT / "dialects").glob("*.yaml"))


def values(name, folder):
    return json.loads(tenterhook("dialect", "show", name, "--dialects", folder, "--json").expect(0).out)


@pytest.fixture
def write(tmp_path):
    folder = tmp_path / "dialects"
    folder.mkdir()

    def make(**files):
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text)
        return folder
    return make


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_extension_that_changes_nothing_is_the_same(write, name):
    folder = write(mine=f"extends: {name}\n")
    assert tenterhook("dialect", "diff", "mine", name, "--dialects", folder).expect(0).out == ""
    # and so is what show --yaml writes, of both
    for which in (name, "mine"):
        text = tenterhook("dialect", "show", which, "--yaml", "--dialects", folder).expect(0).out
        assert "extends" not in text
        write(copy=text)
        tenterhook("dialect", "check", folder / "copy.yaml").expect(0)
        assert tenterhook("dialect", "diff", "copy", name, "--dialects", folder).expect(0).out == ""
    vectors = json.loads((ROOT / "dialects" / "vectors" / f"{name}.json").read_text())
    (folder / "v.json").write_text(json.dumps({**vectors, "dialect": "copy"}))  # header lines in the same order
    tenterhook("dialect", "vectors", folder / "v.json", "--dialects", folder).expect(0)


def test_a_changed_schedule_is_two_lines(write):
    folder = write(quick="extends: standard\nretry: {delays: [1, 2]}\n")
    made, base = values("quick", folder), values("standard", folder)
    assert made["name"] == "quick" and made["retry"]["delays"] == [1, 2]
    assert made["retry"]["jitter_percent"] == 10 and made["retry"]["retry_after"] == base["retry"]["retry_after"]
    for group in set(base) - {"name", "retry"}:
        assert made[group] == base[group], group


def test_nested_groups_go_together_key_by_key_and_lists_as_a_whole(write):
    folder = write(mine="""\
extends: techwriter
about: ours
request:
  headers: [{name: X-One, value: "{event.id}"}]
ids: {event: {prefix: ev_}}
timeout: {max: 60}
api: {fields: {callback: url}, page_size: 7}
signatures:
  - {header: X-Sig, algorithm: hmac-sha256, key: utf8, content: "{body}", encoding: hex}
""")
    made, base = values("mine", folder), values("techwriter", folder)
    assert made["about"] == "ours" and [h["name"] for h in made["request"]["headers"]] == ["X-One"]
    assert made["request"]["user_agent"] == base["request"]["user_agent"]
    assert made["ids"]["event"] == {**base["ids"]["event"], "prefix": "ev_"} and made["ids"]["endpoint"] == base["ids"]["endpoint"]
    assert made["timeout"] == {**base["timeout"], "max": 60}
    assert made["api"]["fields"] == {**base["api"]["fields"], "callback": "url"} and made["api"]["page_size"] == 7
    assert [s["header"] for s in made["signatures"]] == ["X-Sig"]


def test_files_extend_files_in_any_order(write):
    folder = write(a="extends: z\nsuccess: {statuses: [204]}\n", z="extends: m\nretry: {delays: [7]}\n",
                   m="extends: standard\ntimeout: {total: 9}\n")
    made = values("a", folder)
    assert (made["success"]["statuses"], made["retry"]["delays"], made["timeout"]["total"]) == (["204"], [7], 9)


def test_a_file_that_replaces_a_built_in_one_may_extend_it(write):
    folder = write(standard="extends: standard\nretry: {delays: [3]}\n", mine="extends: standard\n")
    assert values("standard", folder)["retry"]["delays"] == [3] and values("mine", folder)["retry"]["delays"] == [3]


@pytest.mark.parametrize("files, where, word", [
    ({"a": "about: x\nextends: nowhere\n"}, "a.yaml:2", 'extends: there is no dialect "nowhere"; built in are'),
    ({"a": "extends: a\n"}, "a.yaml:1", 'there is no dialect "a"'),
    ({"a": "extends: b\n", "b": "\nextends: a\n"}, "b.yaml:2", "circle"),
    ({"a": "extends: b\n", "b": "extends: c\n", "c": "extends: b\n"}, "c.yaml:1", "circle"),
    ({"a": "extends: ../standard\n"}, "a.yaml:1", "must be the name of a dialect"),
    ({"a": "extends: [standard, svix]\n"}, "a.yaml:1", "must be the name of a dialect"),
    ({"a": "extends:\n"}, "a.yaml:1", "must be the name of a dialect"),
    ({"a": "extends: standard\nextends: svix\n"}, "a.yaml:2", "twice"),
    ({"a": "extends: standard\nretry: {delay: [1]}\n"}, "a.yaml:2", "retry.delay"),
    ({"a": "\n\nextends: standard\ntimeout: {max: 10}\n"}, "a.yaml", "is not between min and max"),
    ({f"d{n}": f"extends: d{n + 1}\n" for n in range(8)} | {"d8": "extends: standard\n"}, "d7.yaml:1", "more than 8"),
    ({"a": "extends: b\n", "b": "retry: [\n"}, "b.yaml:", ""),
])
def test_what_is_refused(write, server, files, where, word):
    folder = write(**files)
    checked = tenterhook("dialect", "check", *(folder / f"{name}.yaml" for name in files))
    assert checked.status == 1 and where in checked.err and word in checked.err, checked.err
    with pytest.raises(StartError) as refused:
        server(flags=["--dialects", str(folder)])
    assert word in refused.value.output


def test_a_server_and_a_receiver_use_it(write, server, receiver, tmp_path):
    """Delivered by the changed schedule, and verified with the very file."""
    folder = write(mine="extends: standard\nretry: {delays: [1]}\nrequest: {headers: [{name: my-id, value: \"{event.id}\"}]}\n"
                        "signatures: [{header: my-signature, algorithm: hmac-sha256, key: whsec, content: \"{my}\"}]\n".replace(
                            ', content: "{my}"', ', content: "{event.id}.{body}", encoding: hex'))
    running = server(flags=["--dialects", str(folder)])
    running.api.put("/v1/tenants/t", {"name": "t", "dialect": "mine"}).expect(201)
    target = receiver(lambda request: 500)
    made = running.api.as_tenant("t").post("/v1/webhooks", {"url": target.url()}).expect(201).json
    running.api.as_tenant("t").post("/v1/events", {"type": "a.b", "data": {}}).expect(202)
    first, second = target.wait_for(2, timeout_s=10)
    assert 0.9 < second.mono - first.mono < 3
    rows = lambda: [r for r in running.api.as_tenant("t").get("/v1/deliveries").json["data"] if r["status"] == "failed"]  # noqa: E731
    assert eventually(rows)[0]["attempt_count"] == 2
    (tmp_path / "request").write_bytes(first.raw_head + b"\r\n\r\n" + first.body)
    (tmp_path / "secret").write_text(made["secret"])
    tenterhook("verify", tmp_path / "request", "--dialect", folder / "mine.yaml", "--secret-file", tmp_path / "secret").expect(0)
    (tmp_path / "secret").write_text("whsec_" + "A" * 44)
    assert tenterhook("verify", tmp_path / "request", "--dialect", folder / "mine.yaml", "--secret-file",
                      tmp_path / "secret").status == 1


def test_yaml_and_json_exclude_each_other():
    assert "exclude" in tenterhook("dialect", "show", "standard", "--yaml", "--json").expect(64).err
