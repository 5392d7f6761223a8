/* The rates of the API, in virtual time: the table of buckets by itself, then requests of keys, tenants and addresses. */
#include "api_fixture.h"

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
    struct th_api_meter m = {.seed = 7};
    int64_t full_us;
    (void)state;

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
    struct th_api_meter m = {.seed = 7};
    (void)state;

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
    struct th_api_meter m = {.seed = 7};
    unsigned refused = 0;
    (void)state;

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
    th_api_reload(w->api,
                  &(struct th_api_conf){.key_rate = key, .tenant_rate = tenant, .wrong_key_rate = wrong_key});
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

static void an_address_with_wrong_keys_must_wait(void **state)
{
    struct world *w = *state;
    const char *shaped = tenant_key(w, "a", "shaped");

    rates(w, 0, 0, 2);
    for (unsigned i = 0; i < 20; i++)
        get(w, "Authorization:\n", 401); /* no key is no guess */
    get(w, "Authorization: Bearer one\n", 401);
    get(w, NULL, 200);
    get(w, "Authorization: Bearer two\n", 401);
    get(w, "Authorization: Bearer three\n", 429);
    get(w, NULL, 429); /* or a right guess would be taken at any speed */
    w->now.mono.us += 500000;
    get(w, NULL, 200);
    get(w, "Authorization: Bearer three\n", 401);
    get(w, NULL, 429);
    call(w, &c, "PUT", "/v1/webhooks", shaped, NULL,
         405); /* nor does the form of an error tell a right key */
    assert_true(has(&c, "req_test"));
    call_free(&c);
    w->now.mono.us += 500000;
    call(w, &c, "PUT", "/v1/webhooks", shaped, NULL, 405);
    assert_true(!has(&c, "req_test") && text_of(&c, "message")[0]);
    call_free(&c);
    call(w, &c, "PUT", "/v1/webhooks", "Authorization: Bearer four\n", NULL, 405); /* counts as well */
    call_free(&c);
    get(w, NULL, 429);
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
        T(an_address_with_wrong_keys_must_wait),
    };

    th_log_setup(TH_LOG_ERROR, TH_LOG_LOGFMT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
