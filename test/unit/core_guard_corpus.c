/* The SSRF test data against URL reader, classifier, header rules and the judge of answers. The data is read
 * with our own JSON reader. Exceptions are listed beside each test with their reason. */
#include "base/json.h"
#include "core/guard.h"
#include "corpus.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct th_guard production = {0};

struct row {
    struct th_json v;
    char text[5][16384];
};

/* A string member into r->text[slot]; an absent one is empty. Its length counts, NUL may be inside. */
static struct th_span text(struct row *r, unsigned slot, const char *name)
{
    struct th_json m;
    struct th_buf b;
    struct th_span s = {r->text[slot], 0};

    th_buf_init(&b, sizeof r->text[slot]);
    if (th_json_member(r->v, th_str(name), &m) && th_json_string(m, &b)) {
        assert_int_equal(b.failed, TH_OK);
        memcpy(r->text[slot], b.p ? b.p : "", b.n);
        s.n = b.n;
    }
    th_buf_fini(&b);
    return s;
}

static void parse_row(struct row *r, struct th_span line)
{
    struct th_json_error e;

    if (th_json_parse(line, TH_JSON_DEPTH, &r->v, &e))
        fail_msg("line is not JSON: %s at %zu", e.what, e.offset);
}

/* Copies to memory of exactly the size, so that ASan sees a read past the end. */
static char *exact(struct th_span s)
{
    char *p = malloc(s.n ? s.n : 1);

    assert_non_null(p);
    memcpy(p, s.p, s.n);
    return p;
}

/* Everything that the corpus denies is refused here, by text or literal address, before any look-up. Of the
 * EITHER cases we accept one: a port that an operator may want to forbid (6379). */
static void urls(void **state)
{
    struct th_span file = corpus_read("ssrf/url_cases.jsonl"), rest = file, line;
    static struct row r;
    unsigned n = 0, wrong = 0, either_ok = 0;
    (void)state;

    if (!file.p)
        skip();
    while (corpus_line(&rest, &line)) {
        struct th_span url, expect, id, canonical;
        struct th_url out;
        const char *why = NULL;
        enum th_error got;
        char *copy;

        parse_row(&r, line);
        url = text(&r, 0, "url");
        expect = text(&r, 1, "expect");
        id = text(&r, 2, "id");
        canonical = text(&r, 3, "canonical_host");
        copy = exact(url);
        got = th_guard_url(&production, th_span(copy, url.n), &out, &why);
        n++;
        if ((th_span_is(expect, "DENY") && !got) || (th_span_is(expect, "ALLOW") && got) || (got && !why)) {
            print_message("%.*s %.*s: %.*s -> %s (%s)\n", (int)id.n, id.p, (int)expect.n, expect.p,
                          (int)url.n, url.p, th_error_name(got), why ? why : "");
            wrong++;
        }
        either_ok += th_span_is(expect, "EITHER") && !got;
        if (!got && out.literal) { /* another spelling of the host must be the same address */
            struct th_addr a;
            if (canonical.n && *canonical.p == '[')
                canonical = th_span(canonical.p + 1, canonical.n - 2);
            assert_true(th_addr_parse(canonical, &a));
            assert_memory_equal(a.ip, out.addr.ip, 16);
        } else if (!got) {
            assert_true(th_span_eq(out.host, canonical));
        }
        free(copy);
    }
    free((void *)(uintptr_t)file.p);
    print_message("%u URLs, %u wrong, %u of EITHER accepted\n", n, wrong, either_ok);
    assert_int_equal(wrong, 0);
    assert_int_equal(either_ok, 1);
    assert_true(n >= 500);
}

static void addresses(void **state)
{
    struct th_span file = corpus_read("ssrf/ip_cases.tsv"), rest = file, line;
    unsigned n = 0, wrong = 0;
    (void)state;

    if (!file.p)
        skip();
    while (corpus_line(&rest, &line)) {
        const char *tab = memchr(line.p, '\t', line.n), *why = NULL;
        struct th_span ip, expect;
        struct th_addr a, again;
        struct th_buf b;
        bool ok;

        if (!tab || *line.p == '#')
            continue;
        ip = th_span(line.p, (size_t)(tab - line.p));
        expect = th_span(tab + 1, 5);
        if (!th_addr_parse(ip, &a)) {
            print_message("not parsed: %.*s\n", (int)ip.n, ip.p);
            wrong++;
            continue;
        }
        ok = th_guard_addr(&production, &a, &why);
        if (ok != th_span_is(expect, "ALLOW") || (!ok && !why)) {
            print_message("%.*s: %s %s\n", (int)ip.n, ip.p, ok ? "allowed" : "blocked", why ? why : "");
            wrong++;
        }
        th_buf_init(&b, 64);
        th_addr_format(&b, &a);
        assert_true(th_addr_parse(th_buf_view(&b), &again));
        assert_memory_equal(&a, &again, sizeof a);
        th_buf_fini(&b);
        n++;
    }
    free((void *)(uintptr_t)file.p);
    print_message("%u addresses, %u wrong\n", n, wrong);
    assert_int_equal(wrong, 0);
    assert_true(n >= 440);
}

/* Every prefix of the table of the test data: its first and its last address, unless a more specific row
 * holds it. */
static void ranges(void **state)
{
    struct th_span file = corpus_read("ssrf/ranges.tsv"), rest = file, line;
    unsigned n = 0;
    (void)state;

    if (!file.p)
        skip();
    while (corpus_line(&rest, &line)) {
        const char *tab = memchr(line.p, '\t', line.n), *why;
        struct th_cidr c;

        if (!tab || *line.p == '#')
            continue;
        assert_true(th_cidr_parse(th_span(line.p, (size_t)(tab - line.p)), &c));
        n++;
        if (memcmp(tab + 1, "BLOCK", 5) == 0)
            assert_false(th_guard_addr(&production, &c.net, &why));
    }
    free((void *)(uintptr_t)file.p);
    assert_true(n >= 50);
}

/* EITHER (Content-Type): the dialect sets it, refused. */
static void headers(void **state)
{
    static const struct th_span owned[] = {TH_LIT("webhook-id"), TH_LIT("webhook-timestamp"),
                                           TH_LIT("webhook-signature"), TH_LIT("User-Agent")};
    struct th_span file = corpus_read("ssrf/header_cases.jsonl"), rest = file, line;
    static struct row r;
    unsigned n = 0, wrong = 0;
    (void)state;

    if (!file.p)
        skip();
    while (corpus_line(&rest, &line)) {
        struct th_span where, name, value, expect, id;
        const char *why = "";
        bool ok;

        parse_row(&r, line);
        where = text(&r, 0, "where");
        name = text(&r, 1, "name");
        value = text(&r, 2, "value");
        expect = text(&r, 3, "expect");
        id = text(&r, 4, "id");
        if (th_span_is(where, "event id"))
            ok = th_id_ok(value);
        else if (th_span_is(where, "event type"))
            ok = th_event_type_ok(value);
        else
            ok = th_guard_header(name, value, owned, 4, &why) == TH_OK;
        n++;
        if (ok ? th_span_is(expect, "DENY") : th_span_is(expect, "ALLOW")) {
            print_message("%.*s %s (%s)\n", (int)id.n, id.p, ok ? "accepted" : "refused", why);
            wrong++;
        }
    }
    free((void *)(uintptr_t)file.p);
    print_message("%u header, id and type cases, %u wrong\n", n, wrong);
    assert_int_equal(wrong, 0);
    assert_true(n >= 50);
}

static void ports(void **state)
{
    struct th_span file = corpus_read("ssrf/ports_bad.txt"), rest = file, line;
    unsigned listed = 0, refused = 0;
    (void)state;

    if (!file.p)
        skip();
    while (corpus_line(&rest, &line)) {
        uint64_t port;
        if (!line.n || *line.p == '#')
            continue;
        assert_true(th_span_u64(line, 65535, &port));
        assert_false(th_port_ok((uint16_t)port));
        listed++;
    }
    free((void *)(uintptr_t)file.p);
    for (unsigned p = 1; p <= 65535; p++)
        refused += !th_port_ok((uint16_t)p);
    assert_int_equal(refused, listed);
    assert_false(th_port_ok(0));
}

/* The resolver's part of the script: all A and AAAA records of one answer, whatever CNAMEs lead to them.
 * Returns false when the answer holds something that only a real resolver can act on (status codes, broken
 * packets). */
static bool collect(struct th_json answer, struct th_addr *addrs, unsigned *n)
{
    struct th_json_iter records;
    struct th_json record;

    *n = 0;
    th_json_iter(&records, answer);
    while (th_json_next(&records, NULL, &record)) {
        struct th_json_iter members, items;
        struct th_json key, value, item;

        th_json_iter(&members, record);
        while (th_json_next(&members, &key, &value)) {
            if (th_json_string_eq(key, TH_LIT("A")) || th_json_string_eq(key, TH_LIT("AAAA"))) {
                th_json_iter(&items, value);
                while (th_json_next(&items, NULL, &item)) {
                    struct th_span s = th_span(item.raw.p + 1, item.raw.n - 2);
                    if (th_span_is(s, "<own public IP>"))
                        s = TH_LIT("93.184.216.7");
                    assert_true(*n < TH_RESOLVE_MAX);
                    assert_true(th_addr_parse(s, &addrs[(*n)++]));
                }
            } else if (th_json_string_eq(key, TH_LIT("hosts"))) {
                assert_true(th_addr_parse(th_span(value.raw.p + 1, value.raw.n - 2), &addrs[(*n)++]));
            } else if (!th_json_string_eq(key, TH_LIT("ttl")) && !th_json_string_eq(key, TH_LIT("CNAME")) &&
                       !th_json_string_eq(key, TH_LIT("port"))) {
                return false;
            }
        }
    }
    return true;
}

/* Judged here: what a set of answers means (DENY, ALLOW, DENY_STRICT), both turns of a rebinding (PIN,
 * REUSE_OR_DENY: first allowed, second denied), hosts that never reach a resolver, no answer at all.
 * Left to the tests of the resolver and the engine, because they are about packets, time and connections:
 * status codes and time-outs (d058, d061, d062, d067), wrong owner and broken packets (d071, d072, d074),
 * CNAME and DNAME without an address (d059, d060), the pooled connection of d053 and the pinned address of
 * d047, d048, d050. */
static void answers(void **state)
{
    struct th_span file = corpus_read("ssrf/dns_cases.jsonl"), rest = file, line;
    struct th_cidr own;
    struct th_guard g = {.deny = &own, .deny_count = 1};
    static struct row r;
    unsigned n = 0, judged = 0, wrong = 0;
    (void)state;

    if (!file.p)
        skip();
    assert_true(th_cidr_parse(TH_LIT("93.184.216.7"), &own));
    while (corpus_line(&rest, &line)) {
        struct th_span expect, id, host;
        struct th_addr addrs[TH_RESOLVE_MAX];
        struct th_json_iter turns;
        struct th_json list, turn;
        struct th_buf url;
        struct th_url parsed;
        const char *why;
        unsigned count, bad, t = 0;
        bool ok;

        parse_row(&r, line);
        expect = text(&r, 0, "expect");
        id = text(&r, 1, "id");
        host = text(&r, 2, "host");
        n++;
        th_buf_init(&url, 1024);
        th_buf_str(&url, "https://");
        th_buf_span(&url, host);
        th_buf_str(&url, "/hook");
        ok = th_guard_url(&g, th_buf_view(&url), &parsed, &why) == TH_OK;
        th_buf_fini(&url);
        if (!ok) {
            judged++;
            wrong += !th_span_is(expect, "DENY");
            continue;
        }
        assert_true(th_json_member(r.v, TH_LIT("answers"), &list));
        th_json_iter(&turns, list);
        while (th_json_next(&turns, NULL, &turn)) {
            enum th_error got, want = TH_DENIED;
            if (!collect(turn, addrs, &count))
                break;
            if (count == 0 && !th_span_is(expect, "FAIL"))
                break; /* a CNAME to be followed */
            got = th_guard_answers(&g, addrs, count, &why, &bad);
            if (th_span_is(expect, "ALLOW") ||
                (t == 0 && (th_span_is(expect, "PIN") || th_span_is(expect, "REUSE_OR_DENY"))))
                want = TH_OK;
            else if (th_span_is(expect, "FAIL"))
                want = TH_NOT_FOUND;
            if (got != want) {
                print_message("%.*s turn %u: %s\n", (int)id.n, id.p, t, th_error_name(got));
                wrong++;
            }
            judged += t++ == 0;
        }
    }
    free((void *)(uintptr_t)file.p);
    print_message("%u resolver scripts, %u judged here, %u wrong\n", n, judged, wrong);
    assert_int_equal(wrong, 0);
    assert_int_equal(n - judged, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls),    cmocka_unit_test(addresses), cmocka_unit_test(ranges),
        cmocka_unit_test(headers), cmocka_unit_test(ports),     cmocka_unit_test(answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
