/* Several APIs in one process: which of them answers a request, and what they count together. */
#include "api/meter.h"
#include "api/state.h"
#include "api_fixture.h"
#include "base/log.h"
#include <pthread.h>

static struct call c;

/* The world's API is the first of three over one engine; `others` are on threads of their own in a process. */
struct three {
    struct world *w;
    struct th_api *api[3];
    struct th_api_shared *shared;
};

static int setup(void **state)
{
    static struct three t;
    struct th_entropy entropy;
    struct th_api_options options;

    t.w = world_new();
    entropy = th_engine_options(t.w->engine)->entropy;
    t.shared = th_api_shared_new(&entropy);
    assert_non_null(t.shared);
    th_api_free(t.w->api);
    options = (struct th_api_options){.engine = t.w->engine,
                                      .metrics = &t.w->metrics,
                                      .version = TH_LIT("1"),
                                      .shared = t.shared,
                                      .servers = 3};
    for (unsigned i = 0; i < 3; i++) {
        options.number = i;
        assert_int_equal(th_api_new(&options, &t.api[i]), TH_OK);
    }
    t.w->api = t.api[0];
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    struct three *t = *state;

    th_api_free(t->api[1]);
    th_api_free(t->api[2]);
    t->w->api = t->api[0];
    world_free(t->w);
    th_api_shared_free(t->shared);
    return 0;
}

static void rates(struct three *t, uint32_t key, uint32_t tenant, uint32_t wrong_key)
{
    for (unsigned i = 0; i < 3; i++)
        th_api_reload(t->api[i], &(struct th_api_options){
                                     .key_rate = key, .tenant_rate = tenant, .wrong_key_rate = wrong_key});
}

/* ---- where a request is answered ---- */

/* A connection as the server knows it. */
struct conn {
    unsigned at, home;
    uint64_t here;
};

/* One request on it; gives the API that answers. */
static unsigned ask(struct three *t, struct conn *conn, const char *method, const char *path)
{
    struct th_http_exchange x = {.head.method = th_str(method), .path = th_str(path)};
    unsigned to;

    x.home = conn->home;
    x.here = ++conn->here;
    to = th_api_place(t->api[conn->at], &x);
    conn->home = x.home;
    if (to != conn->at)
        conn->here = 1;
    conn->at = to;
    return to;
}

static void publishers_are_spread(void **state)
{
    struct three *t = *state;
    unsigned at[3] = {0};

    for (unsigned i = 0; i < 30; i++) {
        struct conn conn = {0};
        unsigned first = ask(t, &conn, "POST", i & 1 ? "/v1/events" : "/v1/events/batch");

        at[first]++;
        for (unsigned k = 0; k < 100; k++)
            assert_int_equal(ask(t, &conn, "POST", "/v1/events"), first);
    }
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(at[i], 10);
}

static void all_else_is_answered_by_the_first(void **state)
{
    static const char *const others[][2] = {{"GET", "/v1/events"},       {"POST", "/v1/webhooks"},
                                            {"GET", "/livez"},           {"POST", "/v1/events/"},
                                            {"PUT", "/v1/events"},       {"GET", "/nothing"},
                                            {"DELETE", "/v1/events/m1"}, {"POST", "/v1/eventsX"}};
    struct three *t = *state;

    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct conn conn = {0};

        assert_int_equal(ask(t, &conn, others[i][0], others[i][1]), 0);
        assert_int_equal(conn.home, 0); /* not counted as a publisher */
        conn = (struct conn){.at = 2, .home = 3};
        assert_int_equal(ask(t, &conn, others[i][0], others[i][1]), 0);
    }
}

/* Who publishes and asks by turns is moved with few of his requests, and not for ever kept from the others. */
static void not_sent_to_and_fro(void **state)
{
    struct three *t = *state;
    struct conn conn = {.home = 2};
    unsigned moves = 0, was = 0;

    for (unsigned i = 0; i < 1000; i++) {
        unsigned at = ask(t, &conn, i & 1 ? "POST" : "GET", "/v1/events");

        moves += at != was;
        was = at;
        if (i % 2 == 0)
            assert_int_equal(at, 0);
    }
    assert_in_range(moves, 50, 150);
    for (unsigned i = 0; i < 20; i++)
        was = ask(t, &conn, "POST", "/v1/events");
    assert_int_equal(was, 1);
}

/* A connection that could not be moved back. */
static void another_one_answers_nothing_but_publishing(void **state)
{
    struct three *t = *state;

    t->w->api = t->api[1];
    call(t->w, &c, "GET", "/v1/webhooks", NULL, NULL, 503);
    assert_true(has_field(&c, "Retry-After: 1\r\n"));
    call_free(&c);
    call(t->w, &c, "GET", "/metrics", NULL, NULL, 503);
    call_free(&c);
    call(t->w, &c, "GET", "/openapi.json", NULL, NULL, 503);
    call_free(&c);
    call(t->w, &c, "GET", "/livez", NULL, NULL, 200);
    call_free(&c);
    call(t->w, &c, "POST", "/v1/events", NULL, "{\"type\":\"x\",\"data\":1}", 202);
    call_free(&c);
    call(t->w, &c, "POST", "/v1/events/batch", NULL, "[{\"type\":\"x\",\"data\":1}]", 202);
    call_free(&c);
}

/* ---- together ---- */

static void publish(struct three *t, unsigned at, const char *fields, unsigned status)
{
    t->w->api = t->api[at];
    call(t->w, &c, "POST", "/v1/events", fields, "{\"type\":\"x\",\"data\":1}", status);
    call_free(&c);
}

static void a_rate_is_one_rate(void **state)
{
    struct three *t = *state;

    rates(t, 0, 3, 0);
    for (unsigned i = 0; i < 3; i++)
        publish(t, i, NULL, 202);
    for (unsigned i = 0; i < 3; i++)
        publish(t, i, NULL, 429);
}

#define WRONG "Authorization: Bearer wrong\n"

static void a_guesser_is_known_to_all(void **state)
{
    struct three *t = *state;

    rates(t, 0, 0, 2);
    publish(t, 0, WRONG, 401);
    publish(t, 1, WRONG, 401);
    publish(t, 2, WRONG, 401);
    assert_int_equal(c.holds, 1);
    assert_int_equal(t->w->metrics.counter[TH_C_HTTP_WRONG_KEYS], 3);
}

static void a_right_key_is_known_to_all(void **state)
{
    struct three *t = *state;

    rates(t, 0, 0, 1);
    publish(t, 0, NULL, 202);
    publish(t, 0, WRONG, 401);
    publish(t, 1, NULL, 202);
    assert_int_equal(c.holds, 0);
}

static void an_idempotency_key_is_under_way_for_all(void **state)
{
    static struct call first;
    struct three *t = *state;
    struct world *w = t->w;

    w->now.mono.us += 10000000;
    turns(w, 1);
    w->api = t->api[1];
    call_prepare(w, &first, "POST", "/v1/events", "Idempotency-Key: k\n", "{\"type\":\"x\",\"data\":1}");
    first.x.received_us -= 6000000;
    th_api_handle(w->api, &first.x);
    assert_int_equal(first.replies, 0);
    t->w->api = t->api[2];
    call_begin(w, &c, "POST", "/v1/events", "Idempotency-Key: k\n", "{\"type\":\"x\",\"data\":1}");
    assert_int_equal(c.status, 409);
    call_end(w, &first);
    assert_int_equal(first.status, 202);
    call_free(&first);
    call_free(&c);
    w->api = t->api[0];
    call(w, &c, "POST", "/v1/events", "Idempotency-Key: k\n", "{\"type\":\"x\",\"data\":1}", 202);
    assert_true(has_field(&c, "Idempotency-Replayed: true\r\n"));
    call_free(&c);
}

/* ---- threads ---- */

#define THREADS 4

struct taker {
    pthread_t thread;
    struct th_api_meter *meter;
    unsigned number, taken, own;
};

static void *take(void *arg)
{
    struct taker *k = arg;
    struct th_mono now = {5000000};
    int64_t full_us;

    for (unsigned i = 0; i < 5000; i++) {
        k->taken += th_api_meter_take(k->meter, 1, now) == 0;
        k->own += th_api_meter_take(k->meter, 100 + k->number, now) == 0;
        (void)th_api_meter_left(k->meter, 1, now, &full_us);
        if (k->number == 0 && i % 100 == 0) /* as a reload does */
            assert_true(th_api_meter_rate(k->meter, 1000));
    }
    return NULL;
}

/* Not a token more than there are, whoever takes them. */
static void tokens_are_taken_once(void **state)
{
    struct th_api_meter m;
    struct taker takers[THREADS];
    unsigned taken = 0;

    (void)state;
    th_api_meter_init(&m, 7);
    assert_true(th_api_meter_rate(&m, 1000));
    for (unsigned i = 0; i < THREADS; i++) {
        takers[i] = (struct taker){.meter = &m, .number = i};
        assert_int_equal(pthread_create(&takers[i].thread, NULL, take, &takers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(takers[i].thread, NULL), 0);
        assert_int_equal(takers[i].own, 1000);
        taken += takers[i].taken;
    }
    assert_int_equal(taken, 1000);
    th_api_meter_fini(&m);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(publishers_are_spread),
        T(all_else_is_answered_by_the_first),
        T(not_sent_to_and_fro),
        T(another_one_answers_nothing_but_publishing),
        T(a_rate_is_one_rate),
        T(a_guesser_is_known_to_all),
        T(a_right_key_is_known_to_all),
        T(an_idempotency_key_is_under_way_for_all),
        cmocka_unit_test(tokens_are_taken_once),
    };

    th_log_setup(TH_LOG_ERROR, TH_LOG_LOGFMT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
