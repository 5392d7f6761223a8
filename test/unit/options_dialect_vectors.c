/* The built-in dialects against the shared vectors: exact requests, schedules, outcomes, and the signing
 * corpora of Standard Webhooks. Skipped where the test data is not there; core_dialect_own.c has cases that
 * always run. */
#include "core/retry.h"
#include "dialect_fixture.h"
#include "options/dialects.h"

static struct th_dialect_set set;

static const struct th_dialect *dialect(const char *name)
{
    for (unsigned i = 0; i < set.count; i++)
        if (th_span_is(th_dialect_values(set.v[i])->name, name))
            return set.v[i];
    fail_msg("no dialect %s", name);
    return NULL;
}

static int load(void **state)
{
    char why[512] = "";
    (void)state;

    if (th_dialects_load(NULL, &set, why, sizeof why) != TH_OK) {
        print_error("%s\n", why);
        return -1;
    }
    return 0;
}

static int unload(void **state)
{
    (void)state;
    th_dialects_free(&set);
    return 0;
}

/* ---- exact requests ---- */

struct keys {
    struct th_sign_key v[4];
    const struct th_sign_key *p[4];
    unsigned count;
};

/* The secrets that are active at the attempt, in the order of the file: newest first. */
static void make_keys(const struct th_dialect *d, struct th_json secrets, int64_t at, struct keys *keys)
{
    struct th_json_iter it;
    struct th_json secret;

    keys->count = 0;
    th_json_iter(&it, secrets);
    while (th_json_next(&it, NULL, &secret)) {
        struct th_json until;
        struct fixture_pool pool = {.count = 0};
        int64_t t;
        if (fixture_has(secret, "until_unix", &until) && th_json_i64(until, &t) && at >= t)
            continue;
        assert_int_equal(
            th_dialect_key_init(d, fixture_span(&pool, fixture_get(secret, "value")), &keys->v[keys->count]),
            TH_OK);
        keys->p[keys->count] = &keys->v[keys->count];
        keys->count++;
        fixture_pool_free(&pool);
    }
}

static void read_event(struct fixture_pool *pool, struct th_json event, struct th_render *r)
{
    struct th_json time;

    r->event_id = fixture_opt(pool, event, "id");
    r->event_type = fixture_opt(pool, event, "type");
    r->resource_type = fixture_opt(pool, event, "resource_type");
    r->resource_id = fixture_opt(pool, event, "resource_id");
    r->data = fixture_opt(pool, event, "data_json");
    if (fixture_has(event, "time", &time))
        assert_true(th_wall_parse(fixture_span(pool, time), &r->event_time));
}

static void read_render(const struct th_dialect *d, struct fixture_pool *pool, struct th_json in,
                        struct th_render *r)
{
    struct th_json endpoint = fixture_get(in, "endpoint"), tenant, form, attributes;
    const struct th_dialect_values *v = th_dialect_values(d);

    *r = (struct th_render){.attempt = 1};
    read_event(pool, fixture_get(in, "event"), r);
    r->endpoint_id = fixture_opt(pool, endpoint, "id");
    r->endpoint_url = fixture_opt(pool, endpoint, "url");
    r->delivery_id = TH_LIT("dlv_test");
    r->at_unix = fixture_i64(fixture_get(in, "attempt"), "at_unix");
    r->attempt = (unsigned)fixture_i64(fixture_get(in, "attempt"), "number");
    if (fixture_has(in, "tenant", &tenant)) {
        r->tenant_id = fixture_opt(pool, tenant, "id");
        if (fixture_has(tenant, "attributes", &attributes))
            r->attributes = attributes.raw;
    }
    if (fixture_has(endpoint, "signature_form", &form)) {
        struct th_span name = fixture_span(pool, form);
        while (r->variant < v->variant_count && !th_span_eq(v->variants[r->variant], name))
            r->variant++;
        assert_in_range(r->variant, 1, v->variant_count - 1);
    }
}

static void check_head(struct th_json expected, struct th_span head, const char *name)
{
    struct th_json_iter it;
    struct th_json key, value;
    unsigned lines = fixture_lines(head), wanted = 0;

    th_json_iter(&it, fixture_get(expected, "headers"));
    while (th_json_next(&it, &key, &value)) {
        struct fixture_pool pool = {.count = 0};
        struct th_span got, want = fixture_span(&pool, value), field = fixture_span(&pool, key);
        if (!fixture_line(head, field, &got))
            fail_msg("%s: no header %s in\n%.*s", name, field.p, (int)head.n, head.p);
        if (!th_span_eq(got, want))
            fail_msg("%s: %s is\n%.*s, not\n%s", name, field.p, (int)got.n, got.p, want.p);
        wanted++;
        fixture_pool_free(&pool);
    }
    th_json_iter(&it, fixture_get(expected, "free_headers"));
    while (th_json_next(&it, NULL, &value)) {
        struct fixture_pool pool = {.count = 0};
        struct th_span got;
        wanted += fixture_line(head, fixture_span(&pool, value), &got);
        fixture_pool_free(&pool);
    }
    if (lines != wanted)
        fail_msg("%s: %u headers, not %u:\n%.*s", name, lines, wanted, (int)head.n, head.p);
}

static void one_wire(const struct th_dialect *d, struct th_json c)
{
    struct fixture_pool pool = {.count = 0};
    struct th_json in = fixture_get(c, "inputs"), expected = fixture_get(c, "expected"), given;
    struct th_span name = fixture_span(&pool, fixture_get(c, "name")), want;
    struct th_render r;
    struct keys keys;
    struct th_buf body, head, again, sigs;
    bool shared;

    read_render(d, &pool, in, &r);
    make_keys(d, fixture_get(in, "secrets"), r.at_unix, &keys);
    r.keys = keys.p;
    r.key_count = keys.count;
    th_buf_init(&body, 1 << 20);
    th_buf_init(&head, 1 << 16);
    th_buf_init(&again, 1 << 16);
    th_buf_init(&sigs, 1 << 16);
    if (fixture_has(fixture_get(in, "event"), "body_given", &given)) {
        th_buf_span(&body, fixture_span(&pool, given)); /* a vector of the signature alone */
    } else {
        assert_null(th_dialect_missing(d, &r));
        assert_int_equal(th_dialect_body(d, &r, &body, &shared), TH_OK);
    }
    want = fixture_span(&pool, fixture_get(expected, "body"));
    if (!th_span_eq(th_buf_view(&body), want))
        fail_msg("%s: the body is\n%.*s, not\n%s", name.p, (int)body.n, body.p, want.p);
    assert_int_equal(th_dialect_head(d, &r, th_buf_view(&body), &head, &sigs, false), TH_OK);
    check_head(expected, th_buf_view(&head), name.p);
    assert_true(fixture_is(fixture_get(expected, "method"), th_dialect_method(d).p));

    /* Shown again from the stored signature values: the same bytes, whatever keys there are now. */
    r.sigs = th_buf_view(&sigs);
    assert_int_equal(th_dialect_head(d, &r, th_buf_view(&body), &again, NULL, false), TH_OK);
    assert_true(th_span_eq(th_buf_view(&again), th_buf_view(&head)));

    th_buf_fini(&body);
    th_buf_fini(&head);
    th_buf_fini(&again);
    th_buf_fini(&sigs);
    for (unsigned i = 0; i < keys.count; i++)
        th_dialect_key_fini(&keys.v[i]);
    fixture_pool_free(&pool);
}

/* ---- schedules and outcomes ---- */

static void check_schedule(const struct th_dialect *d, struct th_json file)
{
    const struct th_rules *rules = &th_dialect_values(d)->rules;
    struct th_json schedule = fixture_get(file, "schedule"), delay, degraded;
    struct th_json_iter it;
    unsigned i = 0;
    int64_t v;

    th_json_iter(&it, fixture_get(schedule, "delays_s"));
    while (th_json_next(&it, NULL, &delay)) {
        assert_true(th_json_i64(delay, &v));
        assert_in_range(i, 0, rules->delays - 1);
        assert_int_equal(rules->delay_s[i++], v);
    }
    assert_int_equal(i, rules->delays);
    assert_int_equal(fixture_i64(schedule, "attempts"), rules->delays + 1);
    assert_int_equal(fixture_i64(file, "timeout_s"), rules->timeout_s);
    if (fixture_has(schedule, "degraded_after_attempt", &degraded)) {
        assert_true(th_json_i64(degraded, &v));
        assert_int_equal(v, rules->degraded_after);
    }
}

/* Words of the vectors for what an answer means. */
static bool verdict_is(enum th_verdict verdict, struct th_json result)
{
    struct fixture_pool pool = {.count = 0};
    struct th_span text = fixture_span(&pool, result);
    bool ok = th_span_starts(text, TH_LIT("delivered"))           ? verdict == TH_V_DELIVERED
              : th_span_starts(text, TH_LIT("retry"))             ? verdict == TH_V_AGAIN
              : th_span_starts(text, TH_LIT("exhausted at once")) ? verdict == TH_V_FINAL
              : th_span_starts(text, TH_LIT("endpoint disabled")) ? verdict == TH_V_GONE
                                                                  : false;

    fixture_pool_free(&pool);
    return ok;
}

static unsigned check_outcomes(const struct th_dialect *d, struct th_json file)
{
    const struct th_rules *rules = &th_dialect_values(d)->rules;
    struct th_json_iter it, answers;
    struct th_json row, answer;
    unsigned n = 0;

    th_json_iter(&it, fixture_get(file, "outcomes"));
    while (th_json_next(&it, NULL, &row)) {
        th_json_iter(&answers, fixture_get(row, "answers"));
        while (th_json_next(&answers, NULL, &answer)) {
            int64_t status = 0;
            bool number = th_json_i64(answer, &status);
            enum th_verdict verdict = number && th_status_in(&rules->success, (unsigned)status)
                                          ? TH_V_DELIVERED
                                      : number && th_status_in(&rules->disable, (unsigned)status) ? TH_V_GONE
                                      : number && th_status_in(&rules->final, (unsigned)status)   ? TH_V_FINAL
                                                                                                : TH_V_AGAIN;
            if (!verdict_is(verdict, fixture_get(row, "result")))
                fail_msg("%.*s means %d, not %.*s", (int)answer.raw.n, answer.raw.p, (int)verdict,
                         (int)fixture_get(row, "result").raw.n, fixture_get(row, "result").raw.p);
            n++;
        }
    }
    return n;
}

static void check_catalogue(const struct th_dialect *d, struct th_json file)
{
    struct th_json catalogue, types, key, value;
    struct th_json_iter it;
    unsigned n = 0;
    struct th_span type, resource, sample;

    if (!fixture_has(file, "catalogue", &catalogue))
        return;
    types = fixture_get(catalogue, "types");
    th_json_iter(&it, types);
    while (th_json_next(&it, &key, &value)) {
        struct fixture_pool pool = {.count = 0};
        struct th_span name = fixture_span(&pool, types.type == TH_JSON_OBJECT ? key : value);
        assert_true(th_dialect_type_known(d, name));
        if (types.type == TH_JSON_OBJECT)
            assert_true(th_span_eq(th_dialect_resource(d, name), fixture_span(&pool, value)));
        fixture_pool_free(&pool);
    }
    while (th_dialect_type(d, n, &type, &resource, &sample))
        n++;
    assert_true(th_dialect_values(d)->catalogue_closed);
    assert_false(th_dialect_type_known(d, TH_LIT("no.such_type")));
}

static void check_file(const char *name)
{
    char path[64];
    struct th_buf text;
    struct th_json file, c;
    struct th_json_iter it;
    unsigned wires = 0, outcomes;
    const struct th_dialect *d = dialect(name);

    snprintf(path, sizeof path, "%s.json", name);
    if (!fixture_file("TENTERHOOK_VECTORS", "vectors", path, &text)) {
        print_message("skipped: no vectors here\n");
        skip();
    }
    file = fixture_json(th_buf_view(&text));
    th_json_iter(&it, fixture_get(file, "wire"));
    while (th_json_next(&it, NULL, &c)) {
        one_wire(d, c);
        wires++;
    }
    check_schedule(d, file);
    outcomes = check_outcomes(d, file);
    check_catalogue(d, file);
    assert_true(wires > 0);
    print_message("%s: %u requests, %u outcomes\n", name, wires, outcomes);
    th_buf_fini(&text);
}

static void test_file(void **state)
{
    check_file(*state);
}

/* ---- the signing corpora ---- */

static void one_signature(const struct th_dialect *d, struct th_json c, const char *secret_name,
                          unsigned variant)
{
    struct fixture_pool pool = {.count = 0};
    struct th_sign_key key;
    const struct th_sign_key *keys[1] = {&key};
    struct th_render r = {.keys = keys, .key_count = 1, .variant = variant, .attempt = 1};
    struct th_span encoded = fixture_span(&pool, fixture_get(c, "body_b64")), got, want;
    struct th_buf head;
    size_t n = 0;
    char *body = test_malloc(encoded.n + 1);

    assert_true(th_unbase64(encoded, body, encoded.n, &n));
    r.event_id = fixture_span(&pool, fixture_get(c, "msg_id"));
    r.at_unix = fixture_i64(c, "timestamp");
    assert_int_equal(th_dialect_key_init(d, fixture_span(&pool, fixture_get(c, secret_name)), &key), TH_OK);
    th_buf_init(&head, 4096);
    assert_int_equal(th_dialect_head(d, &r, th_span(body, n), &head, NULL, false), TH_OK);
    assert_true(fixture_line(th_buf_view(&head), TH_LIT("webhook-signature"), &got));
    want = fixture_span(&pool, fixture_get(c, "expect"));
    if (!th_span_eq(got, want))
        fail_msg("%.*s: %.*s, not %s", (int)fixture_get(c, "id").raw.n, fixture_get(c, "id").raw.p,
                 (int)got.n, got.p, want.p);
    th_dialect_key_fini(&key);
    th_buf_fini(&head);
    test_free(body);
    fixture_pool_free(&pool);
}

static void check_corpus(const char *name, const char *secret_name, unsigned variant)
{
    struct th_buf text;
    unsigned n = 0;

    if (!fixture_file("TENTERHOOK_CORPORA", "corpora", name, &text)) {
        print_message("skipped: no corpora here\n");
        skip();
    }
    for (const char *p = text.p, *end = text.p + text.n; p < end;) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        if (!eol)
            eol = end;
        if (eol > p) {
            one_signature(dialect("standard"), fixture_json(th_span(p, (size_t)(eol - p))), secret_name,
                          variant);
            n++;
        }
        p = eol + 1;
    }
    assert_true(n > 0);
    print_message("%s: %u signatures\n", name, n);
    th_buf_fini(&text);
}

static void test_sign_hmac(void **state)
{
    (void)state;
    check_corpus("standard-webhooks/sign_hmac.jsonl", "secret", 0);
}

static void test_sign_ed25519(void **state)
{
    (void)state;
    check_corpus("standard-webhooks/sign_ed25519.jsonl", "secret_whsk_seed64", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_file, (void *)(uintptr_t) "standard"),
        cmocka_unit_test_prestate(test_file, (void *)(uintptr_t) "tiro"),
        cmocka_unit_test_prestate(test_file, (void *)(uintptr_t) "tsanet"),
        cmocka_unit_test_prestate(test_file, (void *)(uintptr_t) "taskboard"),
        cmocka_unit_test_prestate(test_file, (void *)(uintptr_t) "techwriter"),
        cmocka_unit_test(test_sign_hmac),
        cmocka_unit_test(test_sign_ed25519),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
