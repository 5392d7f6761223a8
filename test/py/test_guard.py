"""The guard against requests to forbidden addresses, through the real server in production mode: at registration, at the
test route, at every attempt, with a name server that says what the attacker wants."""
import json
import socket
import time

import pytest

from harness.expect import eventually, pointers, problem, settled
from harness.faults import Bytes, Dns, corpus, together
from harness.name_server import NameServer
from harness.receiver import Receiver, Reply
from harness.signature import verify

EVENT = {"type": "a.b", "data": {}}
OTHER = "127.0.0.2"  # allowed in these tests; everything else of loopback is not


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    """One server in production mode that no network is opened to, with a name server that knows no name."""
    from harness.server import Server
    with Dns({"hooks.example.com": ["NXDOMAIN"]}) as dns:
        with Server(tmp_path_factory.mktemp("production"), environment="production",
                    flags=["--dns-servers", dns.address]) as made:
            made.dns = dns
            yield made


def lines(*parts):
    return [json.loads(line) for line in corpus(*parts).read_text().splitlines()]


def publish(api):
    return api.post("/v1/events", EVENT).expect(202).json


def attempt_of(api, endpoint, outcome=None, timeout_s=15):
    def look():
        rows = api.get(f"/v1/deliveries?endpoint={endpoint}").expect(200).json["data"]
        return rows[0] if rows and rows[0]["attempt_count"] else None
    row = eventually(look, timeout_s)
    attempt = api.get(f"/v1/deliveries/{row['id']}").expect(200).json["attempts"][-1]
    assert outcome is None or attempt["outcome"] == outcome, attempt
    return attempt


# ---- registration ----

def test_every_url_that_must_be_denied_is_refused(production):
    """All DENY cases of the corpus over https, so that it is the guard that refuses and not the scheme."""
    cases = [case for case in lines("ssrf", "url_cases.jsonl") if case["expect"] == "DENY"]
    assert len(cases) > 400

    def one(case):
        found = []
        for url in {case["url"], case["url"].replace("http://", "https://", 1)}:
            answer = production.api.post("/v1/webhooks", {"url": url})
            if answer.status != 422 or "/url" not in pointers(answer):
                found.append((case["id"], url, answer.status, answer.body[:200]))
        return found

    wrong = [line for found in together(one, cases, 8) for line in found]
    assert not wrong, "\n".join(map(str, wrong))
    assert production.api.pages("/v1/webhooks") == []


def test_public_urls_are_taken(production):
    """No name of the corpus is looked up successfully here; a public literal or name is accepted over https."""
    cases = [case for case in lines("ssrf", "url_cases.jsonl") if case["expect"] == "ALLOW"]
    assert len(cases) > 20
    wrong = []
    for case in cases:
        url = case["url"].replace("http://", "https://", 1).replace(":80/", "/")
        answer = production.api.post("/v1/webhooks", {"url": url, "active": False})
        if answer.status != 201:
            wrong.append((case["id"], url, answer.status, answer.body[:300]))
        else:
            production.api.delete(f"/v1/webhooks/{answer.json['id']}").expect(204)
    assert not wrong, "\n".join(map(str, wrong))


def test_refused_ports(production):
    ports = [line.split()[0] for line in corpus("ssrf", "ports_bad.txt").read_text().splitlines()
             if line.strip() and not line.startswith("#")]
    assert len(ports) > 20
    for port in ports:
        answer = production.api.post("/v1/webhooks", {"url": f"https://8.8.8.8:{port}/"})
        assert answer.status == 422 and "/url" in pointers(answer), (port, answer)


@pytest.mark.parametrize("dialect, more, status", [
    ("standard", {}, 422), ("tiro", {}, 422), ("tsanet", {}, 400), ("taskboard", {}, 400), ("techwriter", {}, 422)])
def test_plain_http_is_refused_in_production(production, dialect, more, status):
    production.api.put(f"/v1/tenants/http-{dialect}", {"name": "x", "dialect": dialect}).expect(201)
    api = production.api.as_tenant(f"http-{dialect}")

    def body(scheme):
        url = f"{scheme}://8.8.8.8/hook"
        return {"standard": {"url": url}, "tiro": {"url": url}, "tsanet": {"callbackUrl": url},
                "taskboard": {"url": url, "events": ["task.created"]},
                "techwriter": {"url": url, "events": ["document.published"], "secret": "s" * 32}}[dialect]

    refused = api.post("/v1/webhooks", body("http"))
    assert refused.status == status and b"https" in refused.body, refused
    assert api.post("/v1/webhooks", body("https")).status in (200, 201)


def test_techwriter_wants_https_in_development_too(shared):
    shared.api.put("/v1/tenants/tw", {"name": "x", "dialect": "techwriter"}).expect(201)
    answer = shared.api.as_tenant("tw").post(
        "/v1/webhooks", {"url": "http://8.8.8.8/", "events": ["document.published"], "secret": "s" * 32})
    assert answer.status == 422 and b"https" in answer.body


def test_custom_headers_of_the_corpus(production):
    wrong, tried = [], set()
    for case in lines("ssrf", "header_cases.jsonl"):
        if not case["where"].startswith("custom header") or case["expect"] == "EITHER":
            continue
        tried.add(case["expect"])
        answer = production.api.post("/v1/webhooks", {"url": "https://8.8.8.8/", "active": False,
                                                      "headers": {case["name"]: case["value"]}})
        if case["expect"] == "DENY":
            good = answer.status == 422 and any(p.startswith("/headers/") for p in pointers(answer))
        else:
            good = answer.status == 201
        if not good:
            wrong.append((case["id"], case["name"], case["value"][:40], answer))
    assert not wrong and tried == {"ALLOW", "DENY"}, "\n".join(map(str, wrong))


def test_event_ids_and_types_of_the_corpus(production):
    wrong, tried = [], set()
    for case in lines("ssrf", "header_cases.jsonl"):
        if case["where"] == "event id":
            answer = production.api.post("/v1/events", {**EVENT, "id": case["value"]})
        elif case["where"] == "event type":
            answer = production.api.post("/v1/events", {**EVENT, "type": case["value"]})
        else:
            continue
        tried.add((case["where"], answer.status))
        if (answer.status == 202) != (case["expect"] == "ALLOW") or answer.status not in (202, 422):
            wrong.append((case["id"], case["value"][:40], answer))
    assert not wrong and {("event id", 422), ("event type", 422)} <= tried, "\n".join(map(str, wrong))


@pytest.mark.parametrize("flag, status", [(None, 422), ("10.0.0.0/8", 201), ("10.0.0.0/24", 422), ("10.1.2.3/32", 201)])
def test_allow_network_opens_exactly_that(server, flag, status):
    running = server(environment="production", flags=["--allow-network", flag] if flag else [])
    assert running.api.post("/v1/webhooks", {"url": "https://10.1.2.3/", "active": False}).status == status
    assert running.api.post("/v1/webhooks", {"url": "https://192.168.1.1/"}).status == 422
    answer = running.api.post("/v1/webhooks", {"url": "https://169.254.169.254/"}).expect(422)
    assert answer.json["errors"] == [{"pointer": "/url", "detail": "the host is a link-local address (cloud metadata), which is not allowed"}]


@pytest.mark.parametrize("network", ["10.0.0.1/8", "nonsense", "10.0.0.0/33", "::1/129", ""])
def test_a_wrong_network_is_refused_at_start(server, network):
    from harness.server import StartError
    with pytest.raises(StartError) as caught:
        server(flags=["--allow-network", network])
    assert caught.value.status not in (None, 0)


# ---- names ----

DENIED = {"private.example.com": [["10.0.0.1"]], "loop.example.com": [["127.0.0.1"]], "meta.example.com": [["169.254.169.254"]],
          "mapped.example.com": [["::ffff:127.0.0.1"]], "six.example.com": [["::1"]], "unique.example.com": [["fd00::1"]],
          "mixed.example.com": [["93.184.216.34", "10.0.0.1"]], "mixed6.example.com": [["93.184.216.34", "fe80::1"]],
          "last.example.com": [[f"93.184.216.{n}" for n in range(100, 170)] + ["10.0.0.1"]],
          "zero.example.com": [["0.0.0.0"]], "nat.example.com": [["64:ff9b::7f00:1"]],
          "alias.example.com": [("CNAME", "metadata.google.internal", ["169.254.169.254"])]}


def test_names_with_forbidden_addresses_are_refused_at_registration(server):
    with Dns(DENIED) as dns:
        running = server(environment="production", flags=["--dns-servers", dns.address])
        for name in DENIED:
            answer = running.api.post("/v1/webhooks", {"url": f"https://{name}/"})
            assert "/url" in pointers(answer), name
            made = running.api.post("/v1/webhooks", {"url": "https://8.8.8.8/", "active": False}).expect(201).json
            changed = running.api.patch(f"/v1/webhooks/{made['id']}", {"url": f"https://{name}/"})
            assert "/url" in pointers(changed), name
        assert all(name in {asked for asked, _ in dns.asked} for name in DENIED)


def test_a_refusal_names_the_class_and_the_log_alone_the_address(server):
    """A tenant that could read the address behind a name would map a network that is not his."""
    names = {"now.example.com": [["10.77.66.55"]], "later.example.com": ["NXDOMAIN", "NXDOMAIN", ["10.44.33.22"]]}
    with Dns(names) as dns:
        running = server(environment="production", flags=["--dns-servers", dns.address])
        refused = running.api.post("/v1/webhooks", {"url": "https://now.example.com/"})
        assert refused.status == 422 and refused.json["errors"] == [
            {"pointer": "/url", "detail": "the host resolves to an address that is not allowed: a private address"}]
        made = running.api.post("/v1/webhooks", {"url": "https://later.example.com/"}).expect(201).json
        dns.names["later.example.com"] = [["10.44.33.22"]]
        assert running.stop() == 0
        running.start()
        publish(running.api)
        attempt = attempt_of(running.api, made["id"], "denied")
        assert "a private address" in attempt["detail"] and "10." not in attempt["detail"] and attempt["address"] is None
        log = running.text()
        assert "10.77.66.55" in log and "10.44.33.22" in log


OWN_NAMES = ["receiver", "app.local", "host.docker.internal", "my_app_1", "db_1.app.test"]


def test_development_takes_the_names_of_its_own_machines(server, receiver):
    names = {name: [["127.0.0.1"]] for name in OWN_NAMES}
    with Dns({**names, "other.local": [["172.18.0.2"]], "bridge_1": [["fd00::5"]]}) as dns:
        running = server(flags=["--dns-servers", dns.address])
        target = receiver()
        for name in OWN_NAMES:
            running.api.post("/v1/webhooks", {"url": f"http://{name}:{target.port}/"}).expect(201)
        publish(running.api)
        target.wait_for(len(OWN_NAMES))
        assert {request.header("host") for request in target.requests} == {f"{name}:{target.port}" for name in OWN_NAMES}
        for name in ("other.local", "bridge_1"):
            refused = running.api.post("/v1/webhooks", {"url": f"http://{name}/"})
            assert refused.status == 422 and b"--allow-network CIDR" in refused.body and b"172.18" not in refused.body
        assert b"--allow-network CIDR" in running.api.post("/v1/webhooks", {"url": "http://192.168.1.5/"}).body
        assert running.api.post("/v1/webhooks", {"url": "http://metadata.google.internal/"}).status == 422
        strict = server(environment="production", flags=["--dns-servers", dns.address])
        for name in [*OWN_NAMES, "my_app.example.com"]:
            assert strict.api.post("/v1/webhooks", {"url": f"https://{name}/"}).status == 422
        opened = server(environment="production", flags=["--dns-servers", dns.address, "--allow-network", "172.18.0.0/16"])
        opened.api.post("/v1/webhooks", {"url": "https://other.local/"}).expect(201)
        assert opened.api.post("/v1/webhooks", {"url": "https://receiver/"}).status == 422


def test_international_names_are_taken_and_shown_in_both_forms(server, receiver):
    with Dns({"xn--bcher-kva.local": [["127.0.0.1"]]}) as dns:
        running = server(flags=["--dns-servers", dns.address])
        api, target = running.api, receiver()
        made = api.post("/v1/webhooks", {"url": f"http://B\u00fccher.local:{target.port}/\u0070ath"}).expect(201).json
        assert made["url"] == f"http://xn--bcher-kva.local:{target.port}/path"
        assert made["url_unicode"] == f"http://b\u00fccher.local:{target.port}/path"
        publish(api)
        assert target.wait_for(1)[0].header("host") == f"xn--bcher-kva.local:{target.port}"
        changed = api.patch(f"/v1/webhooks/{made['id']}", {"url": "http://127.0.0.1:9999/"}).expect(200).json
        assert "url_unicode" not in changed
        again = api.patch(f"/v1/webhooks/{made['id']}", {"url": "https://stra\u00dfe.example/"}).expect(200).json
        assert (again["url"], again["url_unicode"]) == ("https://xn--strae-oqa.example/", "https://stra\u00dfe.example/")
        for url, part in [("https://ex\u0430mple.com/", "mixes scripts"), ("https://\uff11\uff10.0.0.1/", "stands for another"),
                          ("https://lo\u200bcalhost/", "stands for another"), ("https://\u202eexample.com/", "cannot have"),
                          ("https://example.com/\u00fc", "%XX"),
                          ("https://me:secret@example.com/", 'headers: {"Authorization": "Basic \u2026"}')]:
            refused = api.post("/v1/webhooks", {"url": url})
            assert refused.status == 422 and part in refused.json["errors"][0]["detail"], refused
            assert len(refused.json["errors"]) == 1
        api.put("/v1/tenants/intl", {"name": "x", "dialect": "tsanet"}).expect(201)
        other = api.as_tenant("intl")
        taken = other.post("/v1/webhooks", {"callbackUrl": "https://b\u00fccher.example/"}).expect(200).json
        assert taken["callbackUrl"] == "https://xn--bcher-kva.example/" and "url_unicode" not in taken


def test_the_dns_corpus_at_every_attempt(server):
    """The names do not resolve when they are registered, and to the corpus's answers when something is sent."""
    cases = [case for case in lines("ssrf", "dns_cases.jsonl")
             if case["expect"] in ("DENY", "DENY_STRICT") and set(case["answers"][0][0]) <= {"A", "AAAA"}
             and case["host"] == "h.attacker.example" and "<own" not in json.dumps(case)]
    assert len(cases) > 20
    late = {}
    with Dns() as dns, Receiver() as trap:
        running = server(flags=["--dns-servers", dns.address], environment="production")
        for case in cases:
            name = f"{case['id']}.attacker.example"
            made = running.api.post("/v1/webhooks", {"url": f"https://{name}:{trap.port}/"}).expect(201).json
            late[made["id"]] = case
            dns.names[name] = [case["answers"][0][0].get("A", []) + case["answers"][0][0].get("AAAA", [])]
        assert running.stop() == 0
        running.start()  # forgets that the names did not exist
        publish(running.api)
        for endpoint, case in late.items():
            attempt = attempt_of(running.api, endpoint)
            assert attempt["outcome"] == "denied" and attempt["address"] is None and attempt["detail"], (case, attempt)
        assert trap.connections == 0


def test_all_of_many_addresses_are_judged_at_every_attempt(server):
    """More addresses than an attempt tries, the last of them forbidden; and more than are judged at all. The first of them is an
    allowed receiver, and it is never asked for consent, sent to, or tested."""
    rest = {"A": [OTHER] + [f"93.184.216.{n}" for n in range(1, 100)], "AAAA": [f"2600::{n:x}" for n in range(1, 158)]}
    with NameServer({}) as names, Receiver(host=OTHER) as trap:
        running = server(environment="production", env={"TENTERHOOK_CONSENT_ORIGIN": "events.example.com"},
                         flags=["--dns-servers", names.address, "--allow-network", f"{OTHER}/32"])
        api = running.api
        made = {name: api.post("/v1/webhooks", {"url": f"https://{name}.example.com:{trap.port}/"}).expect(201).json["id"]
                for name in ("forbidden", "more")}
        assert running.stop() == 0
        names.records["forbidden.example.com"] = {"A": rest["A"][:20] + ["10.0.0.1"], "ttl": 0}
        names.records["more.example.com"] = {**rest, "ttl": 0}
        running.start()  # forgets that the names did not exist
        api = running.api
        publish(api)
        said = {name: attempt_of(api, endpoint) for name, endpoint in made.items()}
        for name, (outcome, why) in {"forbidden": ("denied", "private"), "more": ("dns_error", "too many addresses")}.items():
            assert said[name]["outcome"] == outcome and why in said[name]["detail"] and said[name]["address"] is None, said[name]
        for endpoint in made.values():
            api.post(f"/v1/webhooks/{endpoint}/test", {}).expect(202)
        settled(api, 2, status="failed", include_tests="true")
        assert trap.connections == 0


def test_rebinding_never_reaches_the_forbidden_address(server):
    """The name is allowed at registration and forbidden at each later look-up, and the other way round: the receiver on
    the forbidden address never sees a connection, the one on the allowed address gets what was judged."""
    with Dns() as dns, Receiver(host=OTHER) as good, Receiver(port=good.port) as trap:
        running = server(environment="production",
                         flags=["--dns-servers", dns.address, "--allow-network", f"{OTHER}/32"])
        api = running.api
        dns.names["turn.example.com"] = [[OTHER], ["127.0.0.1"]]
        dns.names["both.example.com"] = [[OTHER], [OTHER, "127.0.0.1"]]
        ids = [api.post("/v1/webhooks", {"url": f"https://{name}:{good.port}/"}).expect(201).json["id"]
               for name in ("turn.example.com", "both.example.com")]
        time.sleep(1.2)  # the script's answers live 1 s
        publish(api)
        for endpoint in ids:
            assert attempt_of(api, endpoint, "denied")["address"] is None
        for _ in range(3):
            api.post(f"/v1/webhooks/{ids[0]}/test", {}).expect(202)
        settled(api, 3, status="failed", include_tests="true")
        assert trap.connections == 0 and good.connections == 0


def test_the_connection_goes_to_the_judged_address(server, certificates):
    """A name over TLS: SNI and certificate by the name, the address from the name server, and a kept connection is not
    used once the name has moved."""
    tls = dict(tls=certificates.context(names="DNS:hooks.example.com"))
    with Dns({"hooks.example.com": [[OTHER]]}) as dns, Receiver(host=OTHER, **tls) as good, \
            Receiver(host="127.0.0.3", port=good.port, **tls) as moved:
        running = server(environment="production",
                         flags=["--dns-servers", dns.address, "--allow-network", "127.0.0.2/31",
                                "--ca-file", str(certificates.ca)])
        api = running.api
        made = api.post("/v1/webhooks", {"url": f"https://hooks.example.com:{good.port}/x"}).expect(201).json
        for n in range(3):
            publish(api)
            request = good.wait_for(n + 1)[-1]
        assert request.header("Host") == f"hooks.example.com:{good.port}"
        verify(made["secret"], request)
        attempt = attempt_of(api, made["id"], "success")
        assert attempt["address"] == f"{OTHER}:{good.port}"
        dns.names["hooks.example.com"] = [["127.0.0.3"]]
        time.sleep(1.3)
        publish(api)
        moved.wait_for(1)
        assert len(good.requests) == 3


def test_a_silent_address_beside_a_working_one_costs_little(server):
    """Of two addresses, both judged, one drops all packets: the other is tried a quarter of a second later, the log names
    the one that answered, and the next connection goes there at once."""
    silent_ip = "127.0.0.3"
    names = {"a.example.com": [[silent_ip, OTHER]], "b.example.com": [[OTHER, silent_ip]]}
    with Dns(names) as dns, Receiver(lambda _: Reply(200, close=True), host=OTHER) as good, socket.socket() as listener:
        listener.bind((silent_ip, good.port))
        listener.listen(0)
        fill = [socket.socket() for _ in range(4)]
        for s in fill:
            s.setblocking(False)
            s.connect_ex((silent_ip, good.port))
        time.sleep(0.3)
        running = server(flags=["--dns-servers", dns.address, "--allow-network", "127.0.0.2/31"])
        for name in names:
            running.api.post("/v1/webhooks", {"url": f"http://{name}:{good.port}/"}).expect(201)
        for n in (2, 4):
            publish(running.api)
            good.wait_for(n, 30)
            times = [running.api.get(f"/v1/deliveries/{row['id']}").json["attempts"][0]
                     for row in settled(running.api, n)][:2]
            assert all(t["address"] == f"{OTHER}:{good.port}" and t["outcome"] == "success" for t in times)
            assert all(t["duration_ms"] < (2500 if n == 2 else 240) for t in times), times
        for s in fill:
            s.close()


def test_a_name_that_does_not_resolve_is_retried(server):
    """No such name, a failing name server, an answer without addresses: a DNS error, and the schedule goes on."""
    names = {"no.example.com": ["NXDOMAIN"], "fails.example.com": ["SERVFAIL"], "empty.example.com": [[]]}
    with Dns(names) as dns, Receiver(host=OTHER) as target:
        running = server(flags=["--dns-servers", dns.address])
        ids = [running.api.post("/v1/webhooks", {"url": f"http://{name}:{target.port}/{name}", "timeout_seconds": 5})
               .expect(201).json["id"] for name in names]
        publish(running.api)
        for endpoint in ids:
            assert attempt_of(running.api, endpoint, "dns_error", timeout_s=60)["detail"]
        settled(running.api, 3, status="retrying")
        for name in names:
            dns.names[name] = [[OTHER]]
        assert {request.target[1:] for request in target.wait_for(3)} == set(names)


def test_silent_name_servers_hold_up_nobody(server):
    """One tenant's names are never answered; another's deliveries go on at once."""
    names = {f"dead{n}.example.com": ["timeout"] for n in range(100)}
    with Dns({**names, "good.example.com": [[OTHER]]}) as dns, Receiver(host=OTHER) as target:
        running = server(flags=["--dns-servers", dns.address])
        api = running.api
        api.put("/v1/tenants/other", {"name": "x", "dialect": "standard"}).expect(201)
        other = api.as_tenant("other")

        def slow(name):
            api.post("/v1/webhooks", {"url": f"http://{name}:{target.port}/", "timeout_seconds": 3}).expect(201)

        def quick(_):
            time.sleep(0.5)
            begun = time.monotonic()
            made = other.post("/v1/webhooks", {"url": f"http://good.example.com:{target.port}/"}).expect(201).json
            if other.get("/v1/webhooks").json["data"][1:]:
                other.delete(f"/v1/webhooks/{made['id']}").expect(204)
            return time.monotonic() - begun

        # Registering is no different: the others' look-ups take their time, and nobody waits for them.
        took = together(lambda work: work[0](work[1]), [(slow, name) for name in names] + [(quick, 0)], 101)
        assert took[-1] < 2.5  # a look-up of the others takes 3
        for _ in range(3):
            publish(api)
        worst = 0
        for n in range(5):
            begun = time.monotonic()
            publish(other)
            worst = max(worst, target.wait_for(n + 1)[-1].mono - begun)
        assert worst < 2.5


def test_poisoned_dns_answers_do_no_harm(server):
    """Bytes that are no DNS answer, and a loop of compressed names: a DNS error, no crash."""
    def noise(query):
        return query[:2] + b"\x81\x80" + b"\xff" * 40

    def loop(query):
        return query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:query.index(b"\0", 12) + 5] + b"\xc0\x0c" * 8

    with Dns({"noise.example.com": [noise], "loop.example.com": [loop]}) as dns:
        running = server(flags=["--dns-servers", dns.address])
        ids = together(lambda name: running.api.post("/v1/webhooks", {"url": f"http://{name}/", "timeout_seconds": 2})
                       .expect(201).json["id"], ["noise.example.com", "loop.example.com"])
        publish(running.api)
        for endpoint in ids:
            assert attempt_of(running.api, endpoint, timeout_s=20)["outcome"] in ("dns_error", "timeout")
        running.api.get("/livez").expect(200)


def test_the_test_route_is_guarded_too(server):
    """An endpoint made while its network was open is not reached after a start without it."""
    with Receiver() as trap:
        running = server(environment="development")
        made = running.api.post("/v1/webhooks", {"url": trap.url()}).expect(201).json
        publish(running.api)
        trap.wait_for(1)
        running.stop()
        running.environment = "production"
        running.start()
        publish(running.api)
        sent = running.api.post(f"/v1/webhooks/{made['id']}/test", {}).expect(202).json["id"]
        eventually(lambda: running.api.get(f"/v1/deliveries/{sent}").json["status"] == "failed")
        assert attempt_of(running.api, made["id"], "denied")
        assert len(trap.requests) == 1


def test_no_proxy_from_the_environment(server, receiver):
    with Bytes(lambda connection: None) as proxy:
        target = receiver(answer=lambda _: Reply(200))
        address = f"http://127.0.0.1:{proxy.port}"
        running = server(env={name: address for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY")})
        running.api.post("/v1/webhooks", {"url": target.url()}).expect(201)
        publish(running.api)
        target.wait_for(1)
        assert proxy.seen == 0


def test_development_allows_loopback_only(shared):
    for url in ("http://10.0.0.1/", "http://192.168.0.1/", "http://169.254.169.254/", "http://0.0.0.0/", "http://[fd00::1]/"):
        assert "/url" in pointers(shared.api.post("/v1/webhooks", {"url": url}))
    made = shared.api.post("/v1/webhooks", {"url": "http://127.0.0.1:9999/", "active": False}).expect(201).json
    problem(shared.api.get("/v1/webhooks/we_00000000000000000000000000"), 404)
    shared.api.delete(f"/v1/webhooks/{made['id']}").expect(204)
