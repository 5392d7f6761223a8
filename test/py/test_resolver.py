"""The resolver against a scripted name server on real sockets: answers, errors, the cache, bounds."""
import time

import pytest

from harness.deliver import running
from harness.name_server import NameServer
from harness.server import ROOT


@pytest.fixture
def names():
    server = NameServer({})
    yield server
    server.close()


def test_both_families_are_returned(names):
    names.records["a.example"] = {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": ["2001:db8::1"]}
    with running(servers=names.address) as program:
        result = program.look_up("a.example")
    assert result["code"] == 0
    assert sorted(result["addrs"]) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
    assert sorted(names.queries) == [("a.example", 1), ("a.example", 28)]


def codes():
    """Numbers of enum th_error by name, from the header itself."""
    text = (ROOT / "src" / "base" / "error.h").read_text().split("enum th_error {")[1].split("}")[0]
    rows = [line.split("/*")[0].replace("= 0", "").strip(" ,") for line in text.splitlines()]
    return {name: n for n, name in enumerate(r for r in rows if r)}


def test_name_errors(names):
    four, six = [f"192.0.2.{i}" for i in range(200)], [f"2001:db8::{i:x}" for i in range(57)]
    expected = {
        "missing.example": ({"rcode": 3}, "TH_NOT_FOUND"),
        "empty.example": ({"A": [], "AAAA": []}, "TH_NOT_FOUND"),
        "servfail.example": ({"rcode": 2}, "TH_RETRY"),
        "refused.example": ({"rcode": 5}, "TH_RETRY"),
        "silent.example": ({"silent": True}, "TH_TIMEOUT"),
        "large.example": ({"A": four, "AAAA": six}, "TH_TOO_LARGE"),
        "all.example": ({"A": four, "AAAA": six[1:]}, "TH_OK"),
        "twice.example": ({"A": four[:50] * 2}, "TH_OK"),
    }
    names.records.update({name: entry for name, (entry, _) in expected.items()})
    with running(servers=names.address) as program:
        keys = {name: program.resolve(name, deadline=500) for name in expected}
        results = {name: program.wait(key) for name, key in keys.items()}
    assert {n: r["code"] for n, r in results.items()} == {n: codes()[e] for n, (_, e) in expected.items()}
    assert all(r["ms"] < 10000 for r in results.values())
    assert {n: len(r["addrs"]) for n, r in results.items() if r["addrs"]} == {"all.example": 256, "twice.example": 50}


def test_cache_and_its_bounds(names):
    names.records["long.example"] = {"A": ["192.0.2.1"], "ttl": 1000}
    names.records["zero.example"] = {"A": ["192.0.2.1"], "ttl": 0}
    names.records["alias.example"] = {"A": ["192.0.2.1"], "ttl": 1000, "cname": "real.example", "cname_ttl": 0}
    with running(servers=names.address, min_ttl=2, max_ttl=6) as program:
        for name in names.records:
            for _ in range(3):
                assert program.look_up(name)["addrs"] == ["192.0.2.1"]
        assert len(names.queries) == 6, "each name once for each family"
        assert program.look_up("none.example")["code"] == program.look_up("none.example")["code"] != 0
        assert len(names.queries) == 8, "no such name is remembered too"
        names.records["many.example"] = {"A": [f"192.0.2.{i}" for i in range(17)], "ttl": 1000}
        for _ in range(2):
            assert len(program.look_up("many.example")["addrs"]) == 17
        assert len(names.queries) == 12, "a name with that many addresses is not remembered"
        time.sleep(2.2)
        names.records["zero.example"] = {"A": ["192.0.2.9"]}
        assert program.look_up("zero.example")["addrs"] == ["192.0.2.9"], "at least min_ttl"
        assert program.look_up("long.example")["addrs"] == ["192.0.2.1"]
        program.look_up("alias.example")
        assert names.queries.count(("long.example", 1)) == 1
        assert names.queries.count(("alias.example", 1)) == 2, "the shortest life in the chain counts"
        time.sleep(4.2)
        program.look_up("long.example")
        assert names.queries.count(("long.example", 1)) == 2, "at most max_ttl"


def test_failures_are_not_remembered(names):
    names.records["x.example"] = {"rcode": 2}
    with running(servers=names.address) as program:
        assert program.look_up("x.example")["code"] == codes()["TH_RETRY"]
        names.records["x.example"] = {"A": ["192.0.2.1"]}
        assert program.look_up("x.example")["addrs"] == ["192.0.2.1"]


def test_concurrent_look_ups_are_one_query_and_tenants_are_capped(names):
    for i in range(10):
        names.records[f"{i}.example"] = {"silent": True}
    names.records["good.example"] = {"A": ["192.0.2.1"]}
    with running(servers=names.address, max_per_tenant=4) as program:
        keys = [program.resolve("0.example", tenant=7, deadline=700) for _ in range(50)]
        keys += [program.resolve(f"{i}.example", tenant=7, deadline=700) for i in range(1, 4)]
        full = program.look_up("4.example", tenant=7, deadline=700)
        assert full["code"] == codes()["TH_FULL"] and full["ms"] < 600
        assert program.look_up("good.example", tenant=8)["addrs"] == ["192.0.2.1"], "others are not held up"
        assert all(program.wait(k)["code"] == codes()["TH_TIMEOUT"] for k in keys)
        assert names.queries.count(("0.example", 1)) == 1


def test_cancel_a_look_up(names):
    names.records["x.example"] = {"silent": True}
    with running(servers=names.address) as program:
        for when in (0, 50):
            assert program.look_up("x.example", cancel=when)["code"] == codes()["TH_CANCELLED"]


def test_no_search_domain(names, monkeypatch):
    monkeypatch.setenv("LOCALDOMAIN", "evil.example")
    names.records["target.evil.example"] = {"A": ["192.0.2.66"]}
    with running(servers=names.address) as program:
        assert program.look_up("target")["code"] == codes()["TH_NOT_FOUND"]
    assert names.queries and all(name == "target" for name, _ in names.queries)


def test_hosts_file(names):
    with running(servers=names.address) as program:
        assert "127.0.0.1" in program.look_up("localhost")["addrs"]
    assert not names.queries
