/* Rules of the engine that a scenario file cannot say: what happens between two commits. In virtual time. */
#include "sim/sim.h"

/* ---- settings that change between the match and the commit ---- */

struct late_change {
    struct th_change c;
    bool done;
};

static void late_done(struct th_change *c)
{
    TH_CONTAINER(c, struct late_change, c)->done = true;
}

static void late_retry(struct th_retry_now *r)
{
    (void)r;
}

static const struct sim_event *finished;
static struct sim_event finished_copy;

static void on_finished(struct sim *s, struct sim_publishing *p)
{
    (void)s;
    finished_copy = *sim_publishing_event(p);
    finished = &finished_copy;
}

/* A change is under way in the store when an event is matched against the settings before it. */
static enum th_publish_result race(struct sim *s, const struct th_change *change, const struct sim_event *e)
{
    struct late_change late = {.c = *change};

    late.c.tenant_id = TH_LIT("default");
    late.c.done = late_done;
    finished = NULL;
    sim_store_stall(s->store, true);
    th_engine_change(s->engine, &late.c);
    sim_run_for(s, 1000); /* the name is looked up, the rows are on their way */
    sim_publish_begin(s, e, on_finished);
    sim_run_for(s, 1000);
    assert_null(finished); /* nobody is told anything before the commit */
    assert_false(late.done);
    sim_store_stall(s->store, false);
    sim_run_for(s, 1000);
    assert_non_null(finished);
    assert_true(late.done);
    assert_int_equal(late.c.result, TH_CH_DONE);
    th_change_fini(&late.c);
    return finished->result;
}

static const struct sim_spec hook = {.tenant = "default", .url = "https://93.184.216.34/", .events = "x"};

static void test_deleted_between_match_and_commit(void **state)
{
    struct sim *s = sim_open(NULL);
    uint64_t a = sim_endpoint(s, &hook);

    (void)state;
    assert_int_equal(race(s, &(struct th_change){.kind = TH_CHANGE_ENDPOINT_DEL, .endpoint = a},
                          &(struct sim_event){.type = "x"}),
                     TH_PUB_ACCEPTED);
    assert_int_equal(finished->deliveries, 0);
    sim_run_for(s, 86400 * SIM_S);
    assert_int_equal(s->log_n, 0);
    sim_close(s);
}

static void test_tested_endpoint_deleted_before_commit(void **state)
{
    struct sim *s = sim_open(NULL);
    uint64_t a = sim_endpoint(s, &hook);

    (void)state;
    assert_int_not_equal(race(s, &(struct th_change){.kind = TH_CHANGE_ENDPOINT_DEL, .endpoint = a},
                              &(struct sim_event){.type = "x", .only = a}),
                         TH_PUB_ACCEPTED);
    sim_run_for(s, 86400 * SIM_S);
    assert_int_equal(s->log_n, 0);
    sim_close(s);
}

/* Registered before the publish is committed, though after it was matched: it gets the event. */
static void test_registered_between_match_and_commit(void **state)
{
    struct sim *s = sim_open(NULL);
    struct th_endpoint_spec spec = {.url = TH_LIT("https://93.184.216.34/"), .active = true};

    (void)state;
    assert_int_equal(race(s, &(struct th_change){.kind = TH_CHANGE_ENDPOINT_ADD, .endpoint_put.spec = spec},
                          &(struct sim_event){.type = "x"}),
                     TH_PUB_ACCEPTED);
    assert_int_equal(finished->deliveries, 1);
    assert_int_equal(s->log_n, 1);
    sim_close(s);
}

static void test_edit_between_match_and_commit(void **state)
{
    struct sim *s = sim_open(NULL);
    struct th_span y = TH_LIT("y");
    struct th_endpoint_spec spec = {
        .url = TH_LIT("https://93.184.216.34/"), .active = true, .events = &y, .event_count = 1};
    uint64_t a = sim_endpoint(s, &hook);
    struct th_change set = {.kind = TH_CHANGE_ENDPOINT_SET, .endpoint = a, .endpoint_put.spec = spec};

    (void)state;
    assert_int_equal(race(s, &set, &(struct sim_event){.type = "y"}), TH_PUB_ACCEPTED);
    assert_int_equal(finished->deliveries, 1);
    assert_int_equal(s->log_n, 1);
    sim_close(s);
}

/* Runs until so many requests have left. An engine that sends fewer of them fails here instead of running for ever. */
static void run_to_requests(struct sim *s, size_t count)
{
    int64_t give_up_us = s->now_us + 30 * 86400 * SIM_S;

    while (s->log_n < count) {
        if (s->now_us >= give_up_us)
            fail_msg("only %zu of %zu requests left within 30 days", s->log_n, count);
        sim_run_for(s, SIM_S / 2);
    }
}

/* A crash between the commit of the event and the answer: the publisher heard nothing, asks again with the
 * same key, and is told what was accepted the first time; nothing is sent twice. */
static void test_crash_between_commit_and_answer(void **state)
{
    struct sim *s = sim_open(NULL);
    struct sim_event e = {.type = "x", .key = "k"};

    (void)state;
    (void)sim_endpoint(s, &hook);
    sim_always(s, "93.184.216.34", "200");
    finished = NULL;
    sim_publish_begin(s, &e, on_finished);
    (void)th_store_memory_step(s->memory, 100); /* durable, and nobody knows */
    sim_crash(s);
    assert_null(finished);
    sim_start(s);
    assert_int_equal(s->log_n, 1);
    assert_int_equal(sim_publish(s, &e), TH_PUB_REPEATED);
    sim_run_for(s, 86400 * SIM_S);
    assert_int_equal(s->log_n, 1);
    assert_int_equal(s->log[0]->event, e.no);
    sim_close(s);
}

/* The process dies after each operation of the store from the end of the last attempt on. The delivery has failed and
 * its endpoint is disabled, or neither: one commit says both. */
static void test_crash_between_exhausted_and_disabled(void **state)
{
    bool seen[2] = {false, false};

    (void)state;
    for (unsigned steps = 0; steps < 6; steps++) {
        struct sim *s = sim_open(NULL);
        struct sim_event e = {.tenant = "t", .type = "task.created"};
        struct sim_delivery d;
        uint64_t a;
        bool failed;

        sim_tenant(s, "t", "taskboard");
        a = sim_endpoint(
            s, &(struct sim_spec){.tenant = "t", .url = "https://a.example.com/", .events = "task.created"});
        sim_always(s, "a.example.com", "500+1s");
        assert_int_equal(sim_publish(s, &e), TH_PUB_ACCEPTED);
        run_to_requests(s, 4);
        sim_store_stall(s->store, true);
        sim_run_for(s, 2 * SIM_S);
        for (unsigned i = 0; i < steps; i++) {
            sim_store_step(s->store);
            sim_settle(s); /* the engine hears of it, and asks for the next */
        }
        sim_store_stall(s->store, false);
        sim_crash(s);
        sim_start(s);
        d = sim_delivery(s, sim_tenant_no(s, "t"), e.first_delivery, 0, 0);
        failed = strcmp(d.status, "failed") == 0;
        seen[failed] = true;
        assert_int_equal(d.attempts, failed ? 4 : 3);
        assert_int_equal(sim_ep(s, a)->disabled_at.ms != 0, failed);
        sim_run_for(s, 86400 * SIM_S);
        assert_int_equal(s->log_n, failed ? 4 : 5); /* what was not on record is made again */
        assert_true(sim_ep(s, a)->disabled_at.ms != 0);
        sim_close(s);
    }
    assert_true(seen[false] && seen[true]);
}

/* A retry is asked for while the last attempt's end is being looked into: it is that attempt, and its schedule begins. */
static void test_retry_while_the_last_attempt_ends(void **state)
{
    (void)state;
    for (unsigned steps = 0; steps < 4; steps++) {
        struct sim *s = sim_open(NULL);
        struct sim_event e = {.tenant = "t", .type = "note.created"};
        struct th_retry_now retry = {.done = late_retry};

        sim_tenant(s, "t", "tsanet");
        (void)sim_endpoint(
            s, &(struct sim_spec){.tenant = "t", .url = "https://a.example.com/", .events = "note.created"});
        sim_always(s, "a.example.com", "500+1s");
        assert_int_equal(sim_publish(s, &e), TH_PUB_ACCEPTED);
        run_to_requests(s, 4);
        sim_store_stall(s->store, true);
        sim_run_for(s, 2 * SIM_S);
        for (unsigned i = 0; i < steps; i++) {
            sim_store_step(s->store);
            sim_settle(s);
        }
        retry.delivery = e.first_delivery;
        retry.endpoint = s->log[0]->endpoint;
        th_engine_retry(s->engine, &retry);
        sim_store_stall(s->store, false);
        sim_run_for(s, 86400 * SIM_S);
        assert_int_equal(retry.error, TH_OK);
        assert_in_range(s->log_n, 7, 8); /* three more, or four where it had ended before */
        sim_close(s);
    }
}

/* Nine endpoints, two deliveries a step, and the process dies after each operation of the store: everybody gets the event,
 * and what was not under way gets it once. One endpoint is deleted while its delivery is numbered and not queued. */
static void test_crash_between_steps_of_a_fan_out(void **state)
{
    (void)state;
    for (unsigned steps = 1; steps < 10; steps++) {
        struct sim *s = sim_open(&(struct sim_options){.fanout_step = 2});
        struct sim_event e = {.type = "x", .key = "k"};
        uint64_t no[9];

        for (unsigned i = 0; i < 9; i++) {
            char url[64];
            snprintf(url, sizeof url, "https://a%u.example.com", i);
            no[i] = sim_endpoint(s, &(struct sim_spec){.tenant = "default", .url = url, .events = "x"});
            sim_always(s, url + strlen("https://"), "200");
        }
        sim_store_stall(s->store, true);
        sim_publish_begin(s, &e, on_finished);
        for (unsigned i = 0; i < steps; i++) {
            sim_store_step(s->store);
            sim_settle(s);
        }
        sim_store_stall(s->store, false);
        if (steps % 2)
            sim_crash(s), sim_start(s);
        assert_int_equal(sim_delete(s, no[8]), TH_CH_DONE);
        sim_run_for(s, 86400 * SIM_S);
        assert_int_equal(sim_publish(s, &e), TH_PUB_REPEATED);
        assert_int_equal(e.deliveries, 9);
        for (unsigned i = 0; i < 9; i++) {
            struct sim_delivery d = sim_delivery(s, sim_tenant_no(s, "default"), e.first_delivery + i, 0, 0);
            assert_true(d.found);
            if (i < 8 || strcmp(d.status, "cancelled") != 0)
                assert_string_equal(d.status, "delivered");
            assert_int_equal(d.attempts, strcmp(d.status, "delivered") == 0);
        }
        for (size_t i = 0; i < s->log_n; i++)
            for (size_t k = 0; k < i; k++)
                assert_true(s->log[i]->delivery != s->log[k]->delivery || s->log[k]->lost ||
                            steps % 2); /* again only where a crash came before its outcome was on record */
        assert_int_equal(atomic_load(&s->metrics.gauge[TH_G_DELIVERIES_PENDING]), 0);
        sim_close(s);
    }
}

/* ---- secrets while they overlap ---- */

static unsigned parts(const char *text)
{
    unsigned n = 1;

    for (; *text; text++)
        n += *text == ' ';
    return n;
}

static const struct sim_request *one_request(struct sim *s, const char *tenant, const char *type)
{
    size_t n = s->log_n;

    assert_int_equal(sim_publish(s, &(struct sim_event){.tenant = tenant, .type = type}), TH_PUB_ACCEPTED);
    sim_run_for(s, 1000);
    assert_int_equal(s->log_n, n + 1);
    return s->log[n];
}

static void test_both_secrets_sign(void **state)
{
    struct sim *s = sim_open(NULL);
    uint64_t a = sim_endpoint(s, &(struct sim_spec){.tenant = "default", .url = "https://a.example.com/"});

    (void)state;
    sim_always(s, "a.example.com", "200");
    assert_int_equal(parts(sim_header(one_request(s, NULL, "x"), "webhook-signature")), 1);
    assert_int_equal(sim_rotate(s, a, 3600), TH_CH_DONE);
    assert_int_equal(parts(sim_header(one_request(s, NULL, "x"), "webhook-signature")), 2);
    assert_int_equal(sim_rotate(s, a, 3600), TH_CH_CONFLICT);
    sim_run_for(s, 3598 * SIM_S);
    assert_int_equal(parts(sim_header(one_request(s, NULL, "x"), "webhook-signature")), 2);
    sim_run_for(s, 3 * SIM_S);
    assert_int_equal(parts(sim_header(one_request(s, NULL, "x"), "webhook-signature")), 1);
    sim_crash(s);
    sim_start(s);
    sim_always(s, "a.example.com", "200");
    assert_int_equal(parts(sim_header(one_request(s, NULL, "x"), "webhook-signature")), 1);
    assert_int_equal(sim_rotate(s, a, -1), TH_CH_DONE);
    sim_crash(s);
    sim_start(s);
    sim_run_for(s, 90 * 86400 * SIM_S);
    assert_int_equal(parts(sim_header(one_request(s, NULL, "x"), "webhook-signature")), 2);
    assert_int_equal(sim_revoke(s, a), TH_CH_DONE);
    assert_int_equal(parts(sim_header(one_request(s, NULL, "x"), "webhook-signature")), 1);
    assert_int_equal(sim_rotate(s, a, 0), TH_CH_DONE);
    assert_int_equal(parts(sim_header(one_request(s, NULL, "x"), "webhook-signature")), 1);
    sim_close(s);
}

static void test_oldest_secret_signs(void **state)
{
    struct sim *s = sim_open(NULL);
    char first[512];
    uint64_t a;

    (void)state;
    sim_tenant(s, "t", "tiro");
    a = sim_endpoint(s, &(struct sim_spec){.tenant = "t", .url = "https://a.example.com/"});
    sim_always(s, "a.example.com", "200");
    snprintf(first, sizeof first, "%s", sim_header(one_request(s, "t", "note.created"), "authorization"));
    assert_int_equal(strncmp(first, "Bearer ", 7), 0);
    assert_int_equal(sim_rotate(s, a, -2), TH_CH_DONE); /* the dialect's overlap: a day */
    assert_string_equal(sim_header(one_request(s, "t", "note.created"), "authorization"), first);
    sim_run_for(s, 86390 * SIM_S);
    assert_string_equal(sim_header(one_request(s, "t", "note.created"), "authorization"), first);
    sim_run_for(s, 20 * SIM_S);
    assert_string_not_equal(sim_header(one_request(s, "t", "note.created"), "authorization"), first);
    sim_close(s);
}

/* ---- jitter ---- */

/* The dialect `standard` lengthens each delay by up to a tenth. Deliveries that fail together must not all come back together:
 * the second attempts fill the whole half second, and none comes before the delay or after its end. */
static void test_jitter_spreads_retries(void **state)
{
    enum { ENDPOINTS = 200, PARTS = 5 };
    struct sim *s = sim_open(&(struct sim_options){.jitter = true});
    struct sim_event e = {.type = "x"};
    int64_t ended[ENDPOINTS] = {0};
    unsigned part[PARTS] = {0}, second = 0;

    (void)state;
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        char url[64];
        snprintf(url, sizeof url, "https://a%u.example.com", i);
        (void)sim_endpoint(s, &(struct sim_spec){.tenant = "default", .url = url});
        sim_always(s, url + strlen("https://"), "500");
    }
    assert_int_equal(sim_publish(s, &e), TH_PUB_ACCEPTED);
    run_to_requests(s, 2 * ENDPOINTS);
    for (size_t i = 0; i < s->log_n; i++) {
        const struct sim_request *r = s->log[i];
        int64_t late_us;
        assert_in_range(r->delivery, e.first_delivery, e.first_delivery + ENDPOINTS - 1);
        if (r->attempt == 1) {
            ended[r->delivery - e.first_delivery] = r->ended_us;
            continue;
        }
        assert_int_equal(r->attempt, 2);
        late_us = r->at_us - ended[r->delivery - e.first_delivery] - 5 * SIM_S;
        if (late_us < 0 || late_us > SIM_S / 2 + 2000)
            fail_msg("a second attempt came %.3f s after the first", (double)late_us / 1e6 + 5);
        part[late_us * PARTS / (SIM_S / 2 + 2001)]++;
        second++;
    }
    assert_int_equal(second, ENDPOINTS);
    for (unsigned i = 0; i < PARTS; i++)
        if (part[i] < ENDPOINTS / PARTS / 2)
            fail_msg("part %u of %u of the jitter has %u of %u second attempts", i + 1, PARTS, part[i],
                     ENDPOINTS);
    sim_close(s);
}

/* ---- the walk at start, beside deliveries that end while its rows are on their way ---- */

static void test_walk_sends_nothing_twice(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim *s = sim_open(&(struct sim_options){.seed = seed, .slow_reads = true});
        uint64_t held = sim_endpoint(
            s, &(struct sim_spec){
                   .tenant = "default", .url = "https://p.example.com/", .events = "x", .inactive = true});
        (void)sim_endpoint(
            s, &(struct sim_spec){.tenant = "default", .url = "https://a.example.com/", .events = "y"});
        sim_always(s, "a.example.com", "200");
        sim_always(s, "p.example.com", "200");
        for (unsigned i = 0; i < 6; i++)
            assert_int_equal(sim_publish(s, &(struct sim_event){.type = "x"}), TH_PUB_ACCEPTED);
        sim_crash(s);
        assert_int_equal(sim_try_start(s), TH_OK);
        for (unsigned i = 0; i < 30; i++) {
            sim_publish_begin(s, &(struct sim_event){.type = "y"}, on_finished);
            sim_run_for(s, sim_below(s, 2000));
        }
        assert_int_equal(sim_set_active(s, held, true), TH_CH_DONE);
        sim_run_for(s, 86400 * SIM_S);
        assert_int_equal(s->log_n, 36);
        for (size_t i = 0; i < s->log_n; i++)
            assert_int_equal(s->log[i]->attempt, 1);
        for (size_t i = 0; i < s->log_n; i++)
            for (size_t k = 0; k < i; k++)
                assert_true(s->log[i]->delivery != s->log[k]->delivery);
        sim_close(s);
    }
}

/* The same with an old delivery that is asked for by hand while the walk is reading it. */
static void test_walk_beside_a_retry_by_hand(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim *s = sim_open(&(struct sim_options){.seed = seed, .slow_reads = true});
        struct sim_event e = {.type = "x"};
        (void)sim_endpoint(s, &hook);
        sim_always(s, "93.184.216.34", "200");
        assert_int_equal(sim_publish(s, &e), TH_PUB_ACCEPTED);
        sim_run_for(s, SIM_S);
        sim_crash(s);
        assert_int_equal(sim_try_start(s), TH_OK);
        assert_int_equal(sim_retry(s, e.first_delivery), TH_OK);
        sim_run_for(s, 86400 * SIM_S);
        assert_int_equal(s->log_n, 2);
        sim_close(s);
    }
}

/* A delivery that waits for its second attempt is asked for by hand while the walk at the start is reading it, and delivered before
 * its row arrives: that row says what is over. */
static void test_walk_beside_a_retry_of_what_waits(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim *s = sim_open(&(struct sim_options){.seed = seed, .slow_reads = true});
        struct sim_event e = {.type = "x"};
        struct th_retry_now retry = {.done = late_retry};
        (void)sim_endpoint(s, &hook);
        sim_always(s, "93.184.216.34", "500");
        assert_int_equal(sim_publish(s, &e), TH_PUB_ACCEPTED);
        sim_run_for(s, SIM_S);
        assert_int_equal(s->log_n, 1);
        sim_always(s, "93.184.216.34", "200");
        sim_crash(s);
        assert_int_equal(sim_try_start(s), TH_OK);
        retry.delivery = e.first_delivery;
        retry.endpoint = s->log[0]->endpoint;
        th_engine_turn(s->engine); /* the walk is on its way */
        th_engine_retry(s->engine, &retry);
        sim_run_for(s, 86400 * SIM_S);
        assert_int_equal(retry.error, TH_OK);
        assert_int_equal(s->log_n, 2);
        assert_string_equal(sim_delivery(s, sim_tenant_no(s, "default"), e.first_delivery, 0, 0).status,
                            "delivered");
        sim_close(s);
    }
}

/* Two accepts are under way; of the first nobody knows the outcome, though it was stored, and it is sent again. The second one, which has ended,
 * waits for it: an endpoint with an order gets them in the order of their numbers. */
static void test_order_behind_an_unknown_outcome(void **state)
{
    struct sim_spec in_order = hook;
    struct sim *s = sim_open(NULL);

    (void)state;
    in_order.ordering = (struct th_ordering){.by = TH_ORDER_ALL};
    (void)sim_endpoint(s, &in_order);
    sim_always(s, "93.184.216.34", "200");
    sim_store_stall(s->store, true);
    for (int i = 0; i < 2; i++) {
        sim_publish_begin(s, &(struct sim_event){.type = "x"}, on_finished);
        sim_run_for(s, 1000);
    }
    th_store_memory_fail(s->memory, TH_UNKNOWN, 1, true);
    sim_store_step(s->store);
    sim_store_step(s->store); /* both are stored, and the first is on its way again */
    sim_run_for(s, SIM_S);
    assert_int_equal(s->log_n, 0);
    sim_store_stall(s->store, false);
    sim_run_for(s, 86400 * SIM_S);
    assert_int_equal(s->log_n, 2);
    assert_true(s->log[0]->delivery < s->log[1]->delivery);
    sim_close(s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_order_behind_an_unknown_outcome),
    cmocka_unit_test(test_deleted_between_match_and_commit),
    cmocka_unit_test(test_tested_endpoint_deleted_before_commit),
    cmocka_unit_test(test_registered_between_match_and_commit),
    cmocka_unit_test(test_edit_between_match_and_commit),
    cmocka_unit_test(test_crash_between_commit_and_answer),
    cmocka_unit_test(test_crash_between_exhausted_and_disabled),
    cmocka_unit_test(test_retry_while_the_last_attempt_ends),
    cmocka_unit_test(test_crash_between_steps_of_a_fan_out),
    cmocka_unit_test(test_both_secrets_sign),
    cmocka_unit_test(test_oldest_secret_signs),
    cmocka_unit_test(test_jitter_spreads_retries),
    cmocka_unit_test(test_walk_sends_nothing_twice),
    cmocka_unit_test(test_walk_beside_a_retry_by_hand),
    cmocka_unit_test(test_walk_beside_a_retry_of_what_waits),
};

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
