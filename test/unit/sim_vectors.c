/* Outcomes, schedules and scenarios of the shared vectors, and the resolver scripts of the corpora, through
 * the whole engine in virtual time. Skipped where the test data is not there; test/scenarios has the same
 * rules as files that always run. */
#include "core/retry.h"
#include "corpus.h"
#include "dialect_fixture.h"
#include "sim/sim.h"

static const char *const names[] = {"standard", "tiro", "tsanet", "taskboard", "techwriter"};

struct place {
    struct sim *s;
    const struct th_dialect *d;
    char type[160], secret[64], tenant[64];
    unsigned made;
};

static bool open_place(struct place *p, const char *dialect)
{
    struct th_span type, resource, sample;

    *p = (struct place){.s = sim_open(NULL), .tenant = "acme"};
    p->d = th_engine_dialect(p->s->engine, th_str(dialect));
    if (!p->d) {
        sim_close(p->s);
        return false;
    }
    if (th_dialect_type(p->d, 0, &type, &resource, &sample))
        snprintf(p->type, sizeof p->type, "%.*s", (int)type.n, type.p);
    else
        snprintf(p->type, sizeof p->type, "invoice.paid");
    if (th_dialect_values(p->d)->secret_source == TH_SECRET_CUSTOMER)
        snprintf(p->secret, sizeof p->secret, "secret-of-the-customer-0123456789");
    sim_tenant(p->s, p->tenant, dialect);
    return true;
}

static uint64_t new_endpoint(struct place *p, char host[64], uint32_t timeout_s)
{
    char url[128];
    struct sim_spec spec = {.tenant = p->tenant,
                            .url = url,
                            .events = p->type,
                            .timeout_s = timeout_s,
                            .secret = p->secret[0] ? p->secret : NULL};

    snprintf(host, 64, "h%u.example.com", ++p->made);
    snprintf(url, sizeof url, "https://%s/hook", host);
    return sim_endpoint(p->s, &spec);
}

static struct sim_event publish(struct place *p)
{
    struct sim_event e = {.tenant = p->tenant, .type = p->type, .data = "{\"id\":\"r1\"}"};

    assert_int_equal(sim_publish(p->s, &e), TH_PUB_ACCEPTED);
    assert_int_equal(e.deliveries, 1);
    return e;
}

static struct sim_delivery look(struct place *p, const struct sim_event *e)
{
    return sim_delivery(p->s, sim_tenant_no(p->s, p->tenant), e->first_delivery, 0, 0);
}

/* An answer of the vectors as the simulator writes it; *dns: the name does not resolve instead. */
static void answer_text(struct th_json v, char *out, size_t size, bool *dns)
{
    struct th_json part;
    char *text;

    *dns = false;
    if (v.type == TH_JSON_OBJECT) {
        char *after = fixture_text(fixture_get(v, "Retry-After"), NULL);
        snprintf(out, size, "%d/%s", (int)fixture_i64(v, "status"), after);
        test_free(after);
        return;
    }
    part = v;
    text = fixture_text(part, NULL);
    *dns = strcmp(text, "dns_error") == 0;
    snprintf(out, size, "%s", *dns ? "200" : text);
    test_free(text);
}

static void one_outcome(struct place *p, const char *answer, bool dns, const char *want)
{
    char host[64];
    uint64_t no = new_endpoint(p, host, 0);
    const struct th_rules *rules = &th_dialect_values(p->d)->rules;
    struct sim_delivery d;
    struct sim_event e;
    const char *disabled = NULL;

    if (dns)
        sim_dns(p->s, host, "nxdomain");
    sim_always(p->s, host, answer);
    e = publish(p);
    sim_run_for(p->s, strcmp(answer, "timeout") == 0 ? rules->timeout_s * SIM_S : 1000);
    d = look(p, &e);
    if (sim_ep(p->s, no)->disabled_at.ms)
        disabled = "disabled";
    if (strncmp(want, "delivered", 9) == 0) {
        assert_string_equal(d.status, "delivered");
    } else if (strncmp(want, "retry", 5) == 0) {
        assert_string_equal(d.status, "retrying");
        sim_run_for(p->s, (int64_t)rules->delay_s[0] * SIM_S - SIM_S / 2);
        assert_int_equal(sim_host(p->s, host)->requests, dns ? 0 : 1);
        if (strncmp(want, "retry;", 6) != 0) {
            sim_run_for(p->s, SIM_S);
            assert_int_equal(sim_host(p->s, host)->requests, dns ? 0 : 2);
        }
    } else {
        assert_string_equal(d.status, "failed");
        sim_run_for(p->s, 400000 * SIM_S);
        assert_int_equal(sim_host(p->s, host)->requests, 1);
    }
    assert_true((strstr(want, "disabled") != NULL) == (disabled != NULL));
    assert_int_equal(sim_delete(p->s, no), TH_CH_DONE);
}

static unsigned outcomes_of(const char *name, struct th_json root)
{
    struct th_json_iter it, at;
    struct th_json list, row, answer;
    struct place p;
    unsigned n = 0;

    if (!open_place(&p, name))
        return 0;
    if (fixture_has(root, "outcomes", &list)) {
        th_json_iter(&it, list);
        while (th_json_next(&it, NULL, &row)) {
            char *want = fixture_text(fixture_get(row, "result"), NULL);
            th_json_iter(&at, fixture_get(row, "answers"));
            while (th_json_next(&at, NULL, &answer)) {
                char text[64];
                bool dns;
                answer_text(answer, text, sizeof text, &dns);
                one_outcome(&p, text, dns, want);
                n++;
            }
            test_free(want);
        }
    }
    sim_close(p.s);
    return n;
}

static void check_end(struct place *p, struct th_json row, uint64_t endpoint)
{
    struct th_json then;
    char *text;
    bool disabled = sim_ep(p->s, endpoint)->disabled_at.ms != 0;

    if (fixture_has(row, "then", &then)) {
        text = fixture_text(then, NULL);
        if (strstr(text, "webhook disabled"))
            assert_true(disabled);
        if (strncmp(text, "not disabled", 12) == 0)
            assert_false(disabled);
        test_free(text);
    } else {
        assert_false(disabled);
    }
}

static bool one_scenario(const char *name, struct th_json row)
{
    struct th_json answers, times, v;
    struct th_json_iter it;
    struct place p;
    struct sim_event e;
    char host[64], *end;
    uint64_t endpoint;
    int64_t timeout = 0, start;
    size_t n = 0;

    if (!fixture_has(row, "answers", &answers) || !fixture_has(row, "attempts_at", &times) ||
        !open_place(&p, name))
        return false;
    if (fixture_has(row, "endpoint_timeout", &v))
        assert_true(th_json_i64(v, &timeout));
    endpoint = new_endpoint(&p, host, (uint32_t)timeout);
    th_json_iter(&it, answers);
    while (th_json_next(&it, NULL, &v)) {
        char text[64];
        bool dns;
        answer_text(v, text, sizeof text, &dns);
        sim_answers(p.s, host, text);
    }
    sim_always(p.s, host, "200");
    start = p.s->now_us;
    e = publish(&p);
    sim_run_for(p.s, 30 * 86400 * SIM_S);
    th_json_iter(&it, times);
    for (; th_json_next(&it, NULL, &v); n++) {
        int64_t at;
        assert_true(th_json_i64(v, &at));
        assert_true(n < p.s->log_n);
        assert_int_equal(p.s->log[n]->at_us - start, at * SIM_S);
        assert_int_equal(p.s->log[n]->attempt, n + 1);
    }
    assert_int_equal(p.s->log_n, n); /* nothing after the last */
    end = fixture_text(fixture_get(row, "end"), NULL);
    assert_string_equal(look(&p, &e).status, strncmp(end, "delivered", 9) == 0 ? "delivered" : "failed");
    test_free(end);
    check_end(&p, row, endpoint);
    sim_close(p.s);
    return true;
}

static void each_file(unsigned (*run)(const char *, struct th_json), const char *what)
{
    unsigned files = 0, n = 0;

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        char file[64];
        struct th_buf text;
        snprintf(file, sizeof file, "%s.json", names[i]);
        if (fixture_file("TENTERHOOK_VECTORS", "vectors", file, &text)) {
            n += run(names[i], fixture_json(th_buf_view(&text)));
            files++;
        }
        th_buf_fini(&text);
    }
    print_message("%u %s of %u files\n", n, what, files);
    if (!files)
        skip();
    assert_int_not_equal(n, 0);
}

static void test_outcomes(void **state)
{
    (void)state;
    each_file(outcomes_of, "outcomes");
}

static unsigned scenarios_of(const char *name, struct th_json root)
{
    struct th_json list, row;
    struct th_json_iter it;
    unsigned n = 0;

    if (!fixture_has(root, "scenarios", &list))
        return 0;
    th_json_iter(&it, list);
    while (th_json_next(&it, NULL, &row))
        n += one_scenario(name, row);
    return n;
}

static void test_scenarios(void **state)
{
    (void)state;
    each_file(scenarios_of, "scenarios");
}

/* Every dialect that is built in: its own delays, to the second, and nothing after them. */
static void test_schedules(void **state)
{
    struct th_dialect_set set;
    char why[400];

    (void)state;
    assert_int_equal(th_dialects_load(NULL, &set, why, sizeof why), TH_OK);
    assert_in_range(set.count, 17, 100);
    for (unsigned i = 0; i < set.count; i++) {
        const struct th_dialect_values *v = th_dialect_values(set.v[i]);
        char name[64], host[64];
        struct place p;
        struct sim_event e;
        int64_t at = 0;
        snprintf(name, sizeof name, "%.*s", (int)v->name.n, v->name.p);
        assert_true(open_place(&p, name));
        (void)new_endpoint(&p, host, 0);
        sim_always(p.s, host, "500");
        e = publish(&p);
        sim_run_for(p.s, 60 * 86400 * SIM_S);
        assert_int_equal(p.s->log_n, v->rules.delays + 1u);
        for (unsigned k = 0; k < p.s->log_n; k++) {
            assert_int_equal(p.s->log[k]->at_us - p.s->log[0]->at_us, at * SIM_S);
            at += k < v->rules.delays ? v->rules.delay_s[k] : 0;
        }
        assert_string_equal(look(&p, &e).reason, "exhausted");
        sim_close(p.s);
    }
    th_dialects_free(&set);
}

/* ---- names that change, lie or do not resolve ---- */

#define OWN_IP "93.184.216.40"

static void add_addrs(struct sim_dns *d, struct th_json v)
{
    struct th_json_iter it;
    struct th_json a = v;

    if (v.type == TH_JSON_ARRAY)
        th_json_iter(&it, v);
    while (v.type == TH_JSON_STRING || th_json_next(&it, NULL, &a)) {
        char *text = fixture_text(a, NULL);
        if (strcmp(text, "<own public IP>") == 0)
            assert_true(th_addr_parse(TH_LIT(OWN_IP), &d->addrs[d->count]));
        else
            assert_true(th_addr_parse(th_str(text), &d->addrs[d->count]));
        d->count++;
        test_free(text);
        if (v.type == TH_JSON_STRING)
            break;
    }
}

/* What the resolver port would answer. False: the case is about the resolver's own reading of names. */
static bool read_dns(struct th_json records, struct sim_dns *d)
{
    struct th_json_iter it;
    struct th_json r, v;
    bool ours = true;

    *d = (struct sim_dns){0};
    th_json_iter(&it, records);
    while (th_json_next(&it, NULL, &r)) {
        if (fixture_has(r, "owner", &v) || fixture_has(r, "raw", &v) || fixture_has(r, "CNAME_loop", &v))
            d->error = TH_RETRY;
        else if (fixture_has(r, "A", &v))
            add_addrs(d, v);
        if (!d->error && fixture_has(r, "AAAA", &v))
            add_addrs(d, v);
        if (fixture_has(r, "hosts", &v))
            add_addrs(d, v);
        if (fixture_has(r, "rcode", &v))
            d->error = fixture_is(v, "NXDOMAIN") ? TH_NOT_FOUND : TH_RETRY;
        if (fixture_has(r, "timeout", &v))
            d->took_us = SIM_NEVER;
        ours = ours && !fixture_has(r, "passthrough", &v) && !fixture_has(r, "DNAME", &v);
    }
    if (!d->count && !d->error && d->took_us == 0) {
        struct th_json first;
        th_json_iter(&it, records);
        if (th_json_next(&it, NULL, &first) && fixture_has(first, "CNAME", &v))
            return false;
        d->error = TH_NOT_FOUND;
    }
    return ours;
}

static bool has_addr(const struct sim_dns *d, const struct th_addr *a)
{
    for (unsigned i = 0; i < d->count; i++)
        if (d->addrs[i].family == a->family && memcmp(d->addrs[i].ip, a->ip, a->family == 4 ? 4 : 16) == 0)
            return true;
    return false;
}

static bool dns_case(struct th_json c)
{
    struct th_cidr own;
    struct th_guard guard = {.deny = &own, .deny_count = 1};
    struct sim *s = sim_open(&(struct sim_options){.guard = &guard});
    char *host = fixture_text(fixture_get(c, "host"), NULL),
         *want = fixture_text(fixture_get(c, "expect"), NULL), url[400], why[400];
    struct sim_event e = {.type = "x"};
    struct th_json answers, records;
    struct th_json_iter it;
    struct sim_dns d[8];
    unsigned n = 0;
    uint64_t no;
    bool ran = false;

    assert_true(th_cidr_parse(TH_LIT(OWN_IP), &own));
    answers = fixture_get(c, "answers");
    th_json_iter(&it, answers);
    while (n < 8 && th_json_next(&it, NULL, &records))
        if (!read_dns(records, &d[n++]))
            n = 8;
    snprintf(url, sizeof url, "https://%s/hook", host);
    if (sim_try_endpoint(s, &(struct sim_spec){.tenant = "default", .url = url, .events = "x"}, &no, why,
                         sizeof why) != TH_CH_DONE) {
        assert_true(strncmp(want, "DENY", 4) == 0); /* the name itself is refused */
        ran = true;
    } else if (n < 8) { /* it resolved well at registration; now the script begins */
        struct sim_delivery got;
        ran = true;
        for (unsigned i = 0; i < n; i++)
            sim_dns_add(s, host, &d[i]);
        sim_always(s, host, "500");
        assert_int_equal(sim_publish(s, &e), TH_PUB_ACCEPTED);
        sim_run_for(s, 2 * 3600 * SIM_S);
        got = sim_delivery(s, sim_tenant_no(s, "default"), e.first_delivery, 0, 0);
        assert_string_equal(got.status, "retrying");
        assert_true(got.attempts >= 3);
        if (strcmp(want, "ALLOW") == 0) {
            assert_true(s->log_n >= 3);
            assert_true(has_addr(&d[0], &s->log[0]->addr));
        } else if (strcmp(want, "PIN") == 0 || strcmp(want, "REUSE_OR_DENY") == 0) {
            assert_int_equal(s->log_n, 1);
            assert_true(has_addr(&d[0], &s->log[0]->addr));
        } else {
            assert_true(strncmp(want, "DENY", 4) == 0 || strcmp(want, "FAIL") == 0);
            assert_int_equal(s->log_n, 0); /* no request ever leaves */
        }
    }
    test_free(host);
    test_free(want);
    sim_close(s);
    return ran;
}

static void test_dns_corpus(void **state)
{
    struct th_span file = corpus_read("ssrf/dns_cases.jsonl"), rest = file, line;
    unsigned n = 0, all = 0;

    (void)state;
    if (!file.p)
        skip();
    while (corpus_line(&rest, &line)) {
        if (line.n == 0)
            continue;
        n += dns_case(fixture_json(line));
        all++;
    }
    free((char *)file.p);
    print_message("%u of %u resolver scripts\n", n, all);
    assert_true(n > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_scenarios),
        cmocka_unit_test(test_dns_corpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
