/* The rates of the API, in virtual time: the table of buckets by itself, then requests of keys, tenants and addresses. */
#include "api/meter.h"
#include "api/state.h"
#include "api_fixture.h"
#include "base/log.h"

static struct call c;

static int setup(void **state)
{
    *state = world_new();
    return 0;
}
static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

/* ---- the meter ---- */

static struct th_mono at_ms(int64_t ms)
{
    return (struct th_mono){1000000 + ms * 1000};
}

static void a_second_gives_as_many_as_the_rate(void **state)
{
    struct th_api_meter m;
    int64_t full_us;
    (void)state;

    th_api_meter_init(&m, 7);
    assert_int_equal(th_api_meter_take(&m, 1, at_ms(0)), 0); /* no rate: no limit */
    assert_true(th_api_meter_rate(&m, 4));
    assert_int_equal(th_api_meter_left(&m, 1, at_ms(0), &full_us), 4);
    assert_int_equal(full_us, 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(th_api_meter_wait(&m, 1, at_ms(0)), 0);
        assert_int_equal(th_api_meter_take(&m, 1, at_ms(0)), 0);
        assert_int_equal(th_api_meter_left(&m, 1, at_ms(0), &full_us), 3 - i);
    }
    assert_int_equal(full_us, 1000000);
    assert_int_equal(th_api_meter_take(&m, 1, at_ms(0)), 250000);
    assert_int_equal(th_api_meter_wait(&m, 1, at_ms(100)), 150000);
    assert_int_equal(th_api_meter_take(&m, 2, at_ms(0)), 0); /* another's is untouched */
    assert_int_equal(th_api_meter_take(&m, 1, at_ms(250)), 0);
    assert_true(th_api_meter_take(&m, 1, at_ms(250)) > 0);
    for (unsigned i = 0; i < 4; i++) /* never more than one burst, however long the rest was */
        assert_int_equal(th_api_meter_take(&m, 1, at_ms(86400000)), 0);
    assert_true(th_api_meter_take(&m, 1, at_ms(86400000)) > 0);
    th_api_meter_fini(&m);
}

static void another_rate_holds_at_once(void **state)
{
    struct th_api_meter m;
    (void)state;

    th_api_meter_init(&m, 7);
    assert_true(th_api_meter_rate(&m, 1));
    assert_int_equal(th_api_meter_take(&m, 1, at_ms(0)), 0);
    assert_int_equal(th_api_meter_take(&m, 1, at_ms(0)), 1000000);
    assert_true(th_api_meter_rate(&m, 10));
    assert_int_equal(th_api_meter_take(&m, 1, at_ms(500)), 0);
    assert_true(th_api_meter_rate(&m, 0));
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(th_api_meter_take(&m, 1, at_ms(500)), 0);
    assert_true(th_api_meter_rate(&m, 1));
    assert_int_equal(th_api_meter_take(&m, 1, at_ms(500)), 0);
    th_api_meter_fini(&m);
}

/* A flood of other names takes no memory, and makes nobody wait who has spent nothing. */
static void a_flood_of_names(void **state)
{
    struct th_api_meter m;
    unsigned refused = 0;
    (void)state;

    th_api_meter_init(&m, 7);
    assert_true(th_api_meter_rate(&m, 1));
    for (uint64_t name = 1; name <= 200000; name++)
        assert_int_equal(th_api_meter_take(&m, name, at_ms((int64_t)name / 1000)), 0);
    for (uint64_t name = 200001 - 16000; name <= 200000;
         name++) /* the newest half of the table is remembered */
        refused += th_api_meter_take(&m, name, at_ms(200)) != 0;
    assert_true(refused > 15000);
    th_api_meter_fini(&m);
}

/* ---- requests ---- */

static void rates(struct world *w, uint32_t key, uint32_t tenant, uint32_t wrong_key)
{
    th_api_reload(w->api, &(struct th_api_options){
                              .key_rate = key, .tenant_rate = tenant, .wrong_key_rate = wrong_key});
}

/* A new tenant with a key; gives the field lines of a request with it. */
static const char *tenant_key(struct world *w, const char *id, const char *dialect)
{
    static char lines[4][256];
    static unsigned next;
    char path[100], body[100];

    next = (next + 1) % 4;
    snprintf(path, sizeof path, "/v1/tenants/%s", id);
    snprintf(body, sizeof body, "{\"dialect\":\"%s\"}", dialect);
    call(w, &c, "PUT", path, NULL, body, 201);
    call_free(&c);
    snprintf(path, sizeof path, "/v1/tenants/%s/keys", id);
    call(w, &c, "POST", path, NULL, "{\"scopes\":[\"events:publish\",\"webhooks:manage\"]}", 201);
    snprintf(lines[next], sizeof lines[next], "Authorization: Bearer %s\n", text_of(&c, "key"));
    call_free(&c);
    return lines[next];
}

static void get(struct world *w, const char *fields, unsigned status)
{
    call(w, &c, "GET", "/v1/webhooks", fields, NULL, status);
    call_free(&c);
}

static void publish(struct world *w, const char *fields, const char *body, unsigned status)
{
    call(w, &c, "POST", "/v1/events", fields, body, status);
    call_free(&c);
}

static void a_key_over_its_rate_is_429(void **state)
{
    struct world *w = *state;
    const char *a = tenant_key(w, "a", "standard"), *b = tenant_key(w, "b", "shaped");

    for (unsigned i = 0; i < 100; i++) /* none is set */
        get(w, a, 200);
    rates(w, 2, 0, 0);
    call(w, &c, "GET", "/v1/webhooks", a, NULL, 200);
    assert_true(has_field(&c, "RateLimit-Policy: \"key\";q=2;w=1\r\n"));
    assert_true(has_field(&c, "RateLimit: \"key\";r=1;t=1\r\n"));
    call_free(&c);
    publish(w, a, "{", 400); /* what is wrong counts as well */
    call(w, &c, "GET", "/v1/webhooks", a, NULL, 429);
    assert_true(has_field(&c, "Retry-After: 1\r\n") && has_field(&c, "RateLimit: \"key\";r=0;t=1\r\n"));
    assert_true(has(&c, "this key may make 2 a second") && has(&c, "req_test"));
    call_free(&c);
    get(w, b, 200);
    get(w, b, 200);
    call(w, &c, "GET", "/v1/webhooks", b, NULL, 429); /* in its dialect's form */
    assert_string_equal(text_of(&c, "message"), "too many requests: this key may make 2 a second");
    call_free(&c);
    assert_int_equal(w->metrics.counter[TH_C_HTTP_LIMITED], 2);
    for (unsigned i = 0; i < 20; i++)
        get(w, NULL, 200); /* the operator's own */
    w->now.mono.us += 500000;
    get(w, a, 200);
    get(w, a, 429);
}

static void a_tenant_over_its_rate_holds_up_no_other(void **state)
{
    struct world *w = *state;
    const char *a = tenant_key(w, "a", "standard"), *b = tenant_key(w, "b", "standard");

    rates(w, 0, 3, 0);
    get(w, a, 200);
    publish(w, NULL, "{\"type\":\"x\",\"data\":1,\"tenant\":\"a\"}", 202);
    publish(w, "Tenterhook-Tenant: a\n", "{\"type\":\"x\",\"data\":1}", 202);
    publish(w, NULL, "{\"type\":\"x\",\"data\":1,\"tenant\":\"a\"}", 429);
    publish(w, "Tenterhook-Tenant: a\n", "{\"type\":\"x\",\"data\":1}", 429);
    call(w, &c, "POST", "/v1/events/batch", NULL, "[{\"type\":\"x\",\"data\":1,\"tenant\":\"a\"}]", 429);
    assert_true(has_field(&c, "Retry-After: 1\r\n") && has_field(&c, "RateLimit: \"tenant\";r=0;t=1\r\n"));
    call_free(&c);
    get(w, a, 429);
    get(w, b, 200);
    for (unsigned i = 0; i < 3; i++) /* what went to tenant a is not counted here */
        publish(w, NULL, "{\"type\":\"x\",\"data\":1}", 202);
    publish(w, NULL, "{\"type\":\"x\",\"data\":1}", 429);
    for (unsigned i = 0; i < 10; i++) { /* and the installation is no tenant */
        call(w, &c, "GET", "/v1/tenants", NULL, NULL, 200);
        call_free(&c);
    }
    w->now.mono.us += 1000000;
    get(w, a, 200);
}

/* One request from an address; how often it was held. */
static unsigned from(struct world *w, unsigned char last, const char *fields, unsigned status)
{
    memset(&next_peer, 0, sizeof next_peer);
    next_peer.family = 4;
    next_peer.ip[0] = 192;
    next_peer.ip[3] = last;
    call(w, &c, "GET", "/v1/webhooks", fields, NULL, status);
    call_free(&c);
    memset(&next_peer, 0, sizeof next_peer);
    return c.holds;
}

#define WRONG "Authorization: Bearer wrong\n"

static void wrong_keys_are_slowed_down(void **state)
{
    struct world *w = *state;

    rates(w, 0, 0, 2);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(from(w, 1, "Authorization:\n", 401), 0); /* no key is no guess */
    assert_int_equal(from(w, 1, WRONG, 401), 0);
    assert_int_equal(from(w, 1, WRONG, 401), 0);
    assert_int_equal(from(w, 1, WRONG, 401), 1); /* a moment later there is a token again */
    assert_int_equal(from(w, 1, WRONG, 401), 0);
    assert_int_equal(from(w, 2, WRONG, 401), 0); /* another address has its own */
    assert_int_equal(w->metrics.counter[TH_C_HTTP_WRONG_KEYS], 5);
}

static void too_many_wrong_keys_at_once_are_429(void **state)
{
    struct world *w = *state;

    rates(w, 0, 0, 1);
    (void)from(w, 1, WRONG, 401);
    next_peer = (struct th_addr){.family = 4, .ip = {192, 0, 0, 1}};
    call_begin(w, &c, "GET", "/v1/webhooks", WRONG, NULL);
    assert_int_equal(c.holds, 1);
    assert_int_equal(c.replies, 0);
    c.x.held = true; /* many are held at the same time: no token has come for this one */
    th_api_handle(w->api, &c.x);
    assert_int_equal(c.status, 429);
    assert_true(has_field(&c, "Retry-After: 1\r\n"));
    call_free(&c);
    memset(&next_peer, 0, sizeof next_peer);
}

static void a_right_key_is_never_refused_for_its_address(void **state)
{
    struct world *w = *state;
    const char *shaped = tenant_key(w, "a", "shaped");

    rates(w, 0, 0, 1);
    assert_int_equal(from(w, 1, NULL, 200), 0);
    for (unsigned i = 0; i < 3; i++) {
        (void)from(w, 1, WRONG, 401);
        assert_int_equal(from(w, 1, NULL, 200), 0); /* it has been right from here */
    }
    assert_int_equal(from(w, 1, shaped, 200), 1); /* else who guesses knew at once which guess was right */
    (void)from(w, 1, WRONG, 401);
    assert_int_equal(from(w, 1, shaped, 200), 0);
    (void)from(w, 2, WRONG, 401);
    assert_int_equal(from(w, 2, shaped, 200), 1); /* right from elsewhere says nothing */
}

static void the_form_of_an_error_tells_no_key(void **state)
{
    struct world *w = *state;
    const char *shaped = tenant_key(w, "a", "shaped");

    rates(w, 0, 0, 1);
    call(w, &c, "PUT", "/v1/webhooks", WRONG, NULL, 405); /* counts */
    call_free(&c);
    call_begin(w, &c, "PUT", "/v1/webhooks", shaped, NULL);
    assert_int_equal(c.holds, 1);
    call_end(w, &c);
    assert_true(!has(&c, "req_test") && text_of(&c, "message")[0]);
    call_free(&c);
}

static void trusted_proxies_are_not_limited(void **state)
{
    struct th_cidr proxy;
    struct world *w = *state;

    rates(w, 0, 0, 1);
    assert_true(th_cidr_parse(TH_LIT("192.0.0.0/24"), &proxy));
    w->api->options.trusted = &proxy;
    w->api->options.trusted_count = 1;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(from(w, 1, WRONG, 401), 0);
    for (unsigned i = 0; i < 20; i++) /* whom they name is */
        assert_int_equal(from(w, 1, WRONG "X-Forwarded-For: 198.51.100.7, 203.0.113.9\n", 401), i > 0);
    assert_int_equal(from(w, 1, WRONG "X-Forwarded-For: 203.0.113.9, 198.51.100.7\n", 401), 0);
    w->api->options.trusted_count = 0;
}

/* ---- the head alone ---- */

static enum th_http_verdict judged(struct world *w, const char *method, const char *target,
                                   const char *fields, uint64_t length, unsigned status)
{
    enum th_http_verdict v;

    call_prepare(w, &c, method, target, fields, "");
    c.x.head.body = TH_HTTP1_LENGTH;
    c.x.head.length = length;
    v = th_api_judge(w->api, &c.x);
    assert_int_equal(v == TH_HTTP_ANSWERED, c.replies);
    if (c.status != status)
        fail_msg("%s %s: status %u, wanted %u: %s", method, target, c.status, status, th_buf_cstr(&c.body));
    call_free(&c);
    assert_int_equal(th_api_pending(w->api), 0);
    return v;
}

#define JSON "Content-Type: application/json\n"

static void the_key_is_judged_before_the_body(void **state)
{
    struct world *w = *state;
    const char *key = tenant_key(w, "a", "standard");
    char fields[300];

    (void)judged(w, "POST", "/v1/events", "Authorization:\n" JSON, 5000, 401);
    (void)judged(w, "POST", "/v1/events", WRONG JSON, 5000, 401);
    snprintf(fields, sizeof fields, "%s" JSON, key);
    (void)judged(w, "PUT", "/v1/tenants/b", fields, 5000, 403);
    (void)judged(w, "POST", "/v1/events", "Content-Type: text/plain\n", 5000, 415);
    (void)judged(w, "POST", "/v1/events?a=b", JSON, 5000, 400);
    (void)judged(w, "POST", "/v1/events", "Tenterhook-Tenant: nobody\n" JSON, 5000, 404);
    (void)judged(w, "POST", "/v1/nothing", JSON, 1u << 20, 404);
    (void)judged(w, "POST", "/v1/tenants", JSON, 1u << 20, 405);
    (void)judged(w, "GET", "/livez", "Authorization:\n", 1u << 20, 200);
    assert_int_equal(judged(w, "GET", "/livez", "Authorization:\n", 5000, 0), TH_HTTP_SKIP);
    assert_int_equal(judged(w, "POST", "/v1/nothing", JSON, 5000, 0), TH_HTTP_SKIP);
    assert_int_equal(judged(w, "GET", "/v1/webhooks", fields, 5000, 0), TH_HTTP_SKIP);
    assert_int_equal(judged(w, "POST", "/v1/events", fields, 5000, 0), TH_HTTP_READ);
    rates(w, 1, 0, 0);
    for (unsigned i = 0; i < 3; i++) /* takes nothing of a rate: the request comes again */
        assert_int_equal(judged(w, "POST", "/v1/events", fields, 5000, 0), TH_HTTP_READ);
    get(w, key, 200);
    (void)judged(w, "POST", "/v1/events", fields, 5000, 429);
}

static void until_the_start_is_over_all_is_503(void **state)
{
    static const char *const targets[] = {"/readyz",  "/metrics",     "/openapi.json", "/v1/webhooks",
                                          "/nothing", "/v1/dialects", "/v1/tenants"};
    struct world *w = *state;

    for (unsigned i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        call_begin(w, &c, "GET", targets[i], NULL, NULL);
        assert_int_equal(c.status, 503);
        assert_true(has_field(&c, "Retry-After: 1\r\n"));
        call_free(&c);
        call_begin(w, &c, "POST", targets[i], WRONG, "{}");
        assert_int_equal(c.status, 503);
        call_free(&c);
        (void)judged(w, "POST", targets[i], JSON, 5000, 503);
    }
    call_begin(w, &c, "GET", "/livez", NULL, NULL);
    assert_int_equal(c.status, 200);
    call_free(&c);
    turns(w, 20);
    get(w, NULL, 200);
    call(w, &c, "GET", "/readyz", NULL, NULL, 200);
    call_free(&c);
}

static int setup_starting(void **state)
{
    *state = world_begin();
    return 0;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_gives_as_many_as_the_rate),
        cmocka_unit_test(another_rate_holds_at_once),
        cmocka_unit_test(a_flood_of_names),
        T(a_key_over_its_rate_is_429),
        T(a_tenant_over_its_rate_holds_up_no_other),
        T(wrong_keys_are_slowed_down),
        T(too_many_wrong_keys_at_once_are_429),
        T(a_right_key_is_never_refused_for_its_address),
        T(the_form_of_an_error_tells_no_key),
        T(trusted_proxies_are_not_limited),
        T(the_key_is_judged_before_the_body),
        cmocka_unit_test_setup_teardown(until_the_start_is_over_all_is_503, setup_starting, teardown),
    };

    th_log_setup(TH_LOG_ERROR, TH_LOG_LOGFMT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
