/* The engine in crowds: many endpoints that never answer, large events, a store that does not answer, more waiting than memory
 * may hold. In virtual time. */
#include "sim/sim.h"

struct waits {
    int64_t published_us, worst_us;
    uint64_t first; /* attempts */
};

static void on_healthy(struct sim *s, struct sim_request *r)
{
    struct waits *w = s->user;

    if (strcmp(r->host->name, "healthy.example.com") == 0 && r->at_us - w->published_us > w->worst_us)
        w->worst_us = r->at_us - w->published_us;
}

static void calm(struct sim *s, struct waits *w, uint64_t nth)
{
    w->published_us = s->now_us;
    assert_int_equal(sim_publish(s, &(struct sim_event){.type = "calm"}), TH_PUB_ACCEPTED);
    sim_run_for(s, SIM_S / 2);
    assert_int_equal(sim_host(s, "healthy.example.com")->requests, nth);
}

static void make_silent(struct sim *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char url[128], name[64];
        snprintf(name, sizeof name, "silent%u.example.com", i);
        snprintf(url, sizeof url, "https://%s/", name);
        (void)sim_endpoint(s, &(struct sim_spec){.tenant = "default", .url = url, .events = "storm"});
        sim_always(s, name, "timeout");
    }
}

/* A thousand endpoints that never answer, each with events waiting, beside one that does. `known`: it has
 * worked before the storm, and then much fewer slots are enough. */
static void crowd(bool known, uint32_t slots)
{
    struct sim *s = sim_open(
        &(struct sim_options){.forget_texts = true, .forget_requests = true, .max_in_flight = slots});
    struct waits w = {0, 0, 0};

    make_silent(s, 1000);
    (void)sim_endpoint(
        s, &(struct sim_spec){.tenant = "default", .url = "https://healthy.example.com/", .events = "calm"});
    sim_always(s, "healthy.example.com", "200+20ms");
    s->user = &w;
    s->on_request = on_healthy;
    if (known)
        calm(s, &w, 1);
    for (unsigned i = 0; i < 200; i++) {
        if (i % 20 == 0)
            assert_int_equal(sim_publish(s, &(struct sim_event){.type = "storm"}), TH_PUB_ACCEPTED);
        calm(s, &w, i + 1u + known);
    }
    print_message("worst wait of the healthy endpoint: %.3f s\n", (double)w.worst_us / 1e6);
    assert_true(w.worst_us < SIM_S / 5);
    s->on_request = NULL;
    sim_close(s);
}

static void test_silent_endpoints_hold_up_nobody(void **state)
{
    (void)state;
    crowd(true, 512);
    crowd(false, 0);
}

static void on_refusing(struct sim *s, struct sim_request *r)
{
    struct waits *w = s->user;

    if (r->attempt != 1 || strcmp(r->host->name, "refusing.example.com") != 0)
        return;
    w->first++;
    if (r->at_us - w->published_us > w->worst_us)
        w->worst_us = r->at_us - w->published_us;
}

/* Where slots are scarce, an endpoint that answers with a failure each time is not put with those that are silent. */
static void test_an_endpoint_that_refuses_is_not_a_silent_one(void **state)
{
    struct sim *s =
        sim_open(&(struct sim_options){.forget_texts = true, .forget_requests = true, .max_in_flight = 512});
    struct waits w = {0, 0, 0};

    (void)state;
    make_silent(s, 1000);
    (void)sim_endpoint(
        s, &(struct sim_spec){.tenant = "default", .url = "https://refusing.example.com/", .events = "calm"});
    sim_always(s, "refusing.example.com", "500+20ms");
    s->user = &w;
    s->on_request = on_refusing;
    for (unsigned i = 0; i < 200; i++) {
        if (i > 20 && i % 20 == 0)
            assert_int_equal(sim_publish(s, &(struct sim_event){.type = "storm"}), TH_PUB_ACCEPTED);
        w.published_us = s->now_us;
        assert_int_equal(sim_publish(s, &(struct sim_event){.type = "calm"}), TH_PUB_ACCEPTED);
        sim_run_for(s, SIM_S / 2);
        assert_int_equal(w.first, i + 1);
    }
    print_message("worst wait of the refusing endpoint: %.3f s\n", (double)w.worst_us / 1e6);
    assert_true(w.worst_us < SIM_S / 5);
    s->on_request = NULL;
    sim_close(s);
}

static int64_t wait_of(struct sim *s, const char *host, const char *type)
{
    int64_t begun = s->now_us;
    uint64_t had = sim_host(s, host)->requests;

    assert_int_equal(sim_publish(s, &(struct sim_event){.type = type}), TH_PUB_ACCEPTED);
    while (sim_host(s, host)->requests == had && s->now_us < begun + 100 * SIM_S)
        sim_run_for(s, 10000);
    return s->now_us - begun;
}

/* A thousand endpoints that were never tried and never answer take all that they may of 512 slots; one that is registered
 * then, at whatever moment, is tried soon. After a crash nobody passes for a newcomer because it was forgotten: what has
 * worked before does not stand in line behind a thousand that have not. */
static void test_newcomers_among_silent_endpoints(void **state)
{
    struct sim *s =
        sim_open(&(struct sim_options){.forget_texts = true, .forget_requests = true, .max_in_flight = 512});
    int64_t worst = 0, after_crash;

    (void)state;
    make_silent(s, 1000);
    assert_int_equal(sim_publish(s, &(struct sim_event){.type = "storm"}), TH_PUB_ACCEPTED);
    for (unsigned i = 0; i < 60; i++) {
        char url[128], name[64], type[32];
        int64_t took;
        sim_run_for(s, 50000 + sim_below(s, 2 * SIM_S));
        snprintf(name, sizeof name, "new%u.example.com", i);
        snprintf(url, sizeof url, "https://%s/", name);
        snprintf(type, sizeof type, "calm%u", i);
        (void)sim_endpoint(s, &(struct sim_spec){.tenant = "default", .url = url, .events = type});
        sim_always(s, name, "200+20ms");
        assert_int_equal(sim_publish(s, &(struct sim_event){.type = "storm"}), TH_PUB_ACCEPTED);
        took = wait_of(s, name, type);
        worst = took > worst ? took : worst;
    }
    sim_run_for(s, 20 * SIM_S); /* facts are written every ten */
    sim_crash(s);
    sim_start(s);
    sim_run_for(s, SIM_S / 2);
    after_crash = wait_of(s, "new0.example.com", "calm0");
    print_message("worst wait of a newcomer: %.3f s; of one that is known, after a crash: %.3f s\n",
                  (double)worst / 1e6, (double)after_crash / 1e6);
    assert_true(worst <= 3 * SIM_S);
    assert_true(after_crash <= SIM_S / 2);
    sim_close(s);
}

/* Thirty silent endpoints are owed a large event each, and memory for a few is allowed: they take it in turn, and small events
 * pass them. */
static void test_large_events_in_flight_are_bounded(void **state)
{
    enum { LARGE = 200000, SILENT = 30 };
    struct sim *s = sim_open(&(struct sim_options){.forget_texts = true, .max_pinned_bytes = 5 * LARGE});
    char *data = malloc(LARGE + 1), type[32], url[64];
    unsigned peak = 0;
    uint64_t reached = 0;

    (void)state;
    assert_non_null(data);
    memset(data, '1', LARGE);
    data[LARGE] = 0;
    for (unsigned i = 0; i < SILENT; i++) {
        snprintf(type, sizeof type, "large.n%u", i);
        snprintf(url, sizeof url, "https://silent%u.example.com/", i);
        (void)sim_endpoint(s, &(struct sim_spec){.tenant = "default", .url = url, .events = type});
        assert_int_equal(sim_publish(s, &(struct sim_event){.type = type, .data = data}), TH_PUB_ACCEPTED);
    }
    (void)sim_endpoint(
        s, &(struct sim_spec){.tenant = "default", .url = "https://healthy.example.com/", .events = "small"});
    sim_always(s, "healthy.example.com", "200+20ms");
    for (unsigned i = 0; i < 3000; i++) {
        unsigned open = 0;
        sim_run_for(s, SIM_S / 10);
        for (unsigned k = 0; k < SILENT; k++) {
            char name[64];
            snprintf(name, sizeof name, "silent%u.example.com", k);
            open += sim_host(s, name)->open;
        }
        peak = open > peak ? open : peak;
        if (i % 100)
            continue;
        assert_int_equal(sim_publish(s, &(struct sim_event){.type = "small"}), TH_PUB_ACCEPTED);
        sim_run_for(s, SIM_S / 10);
        assert_int_equal(sim_host(s, "healthy.example.com")->requests, i / 100 + 1);
    }
    for (unsigned k = 0; k < SILENT; k++) {
        char name[64];
        snprintf(name, sizeof name, "silent%u.example.com", k);
        reached += sim_host(s, name)->requests > 0;
    }
    assert_in_range(peak, 2, 6);
    assert_int_equal(reached, SILENT);
    free(data);
    sim_close(s);
}

static void told(struct sim *s, struct sim_publishing *p)
{
    (void)s;
    assert_int_equal(sim_publishing_event(p)->result, TH_PUB_ACCEPTED);
}

static uint64_t sent_to(struct sim *s, unsigned hosts)
{
    uint64_t n = 0;
    char name[64];

    for (unsigned i = 0; i < hosts; i++) {
        snprintf(name, sizeof name, "h%u.example.com", i);
        n += sim_host(s, name)->requests;
    }
    return n;
}

/* The store does not answer, and as many outcomes wait for it as may: nothing more is sent, and nothing turns in vain (the
 * simulator would say so); when it answers, all goes on. */
static void test_unrecorded_outcomes_are_bounded(void **state)
{
    enum { HOOKS = 300, EVENTS = 40 };
    struct sim *s = sim_open(&(struct sim_options){.forget_texts = true, .forget_requests = true});
    char url[64];

    (void)state;
    for (unsigned i = 0; i < HOOKS; i++) {
        snprintf(url, sizeof url, "https://h%u.example.com", i);
        (void)sim_endpoint(
            s, &(struct sim_spec){.tenant = "default", .url = url, .events = "x", .max_in_flight = 100});
        sim_always(s, url + strlen("https://"), "200+5ms");
    }
    for (unsigned i = 0; i < EVENTS; i++)
        sim_publish_begin(s, &(struct sim_event){.type = "x"}, told);
    sim_store_stall(s->store, true);
    for (unsigned i = 0; i < EVENTS; i++) /* the accepts */
        sim_store_step(s->store);
    sim_run_for(s, 60 * SIM_S);
    assert_in_range(sent_to(s, HOOKS), 4096, 4096 + 4096); /* and what was under way then: the slots */
    sim_store_stall(s->store, false);
    sim_run_for(s, 60 * SIM_S);
    assert_int_equal(sent_to(s, HOOKS), HOOKS * EVENTS);
    sim_close(s);
}

struct counts {
    struct th_map by_delivery; /* number → requests + 1, in the pointer */
    uint64_t deliveries;
    unsigned open, peak;
    uint32_t items_peak;
};

static void count_request(struct sim *s, struct sim_request *r)
{
    struct counts *c = s->user;
    uintptr_t n = (uintptr_t)th_map_get(&c->by_delivery, r->delivery);

    assert_int_equal(n & 1, 0); /* never two at once */
    if (n == 0)
        c->deliveries++;
    assert_int_equal(th_map_put(&c->by_delivery, r->delivery, (void *)((n + 2) | 1)), TH_OK);
}

static void count_answer(struct sim *s, const struct sim_request *r)
{
    struct counts *c = s->user;
    uintptr_t n = (uintptr_t)th_map_get(&c->by_delivery, r->delivery);

    assert_int_equal(n & 1, 1);
    assert_int_equal(th_map_put(&c->by_delivery, r->delivery, (void *)(n & ~(uintptr_t)1)), TH_OK);
}

/* Far more waits for a dead endpoint than memory may hold: every delivery is attempted in the end. */
static void test_backlog_beyond_memory(void **state)
{
    enum { EVENTS = 50000 };
    struct sim *s = sim_open(
        &(struct sim_options){.forget_texts = true, .forget_requests = true, .max_items_per_endpoint = 1024});
    struct counts c = {0};
    uint64_t a = sim_endpoint(
        s, &(struct sim_spec){
               .tenant = "default", .url = "https://a.example.com/", .inactive = true, .max_in_flight = 64});

    (void)state;
    th_map_init(&c.by_delivery, 1u << 20, 1);
    for (unsigned i = 0; i < EVENTS; i++)
        assert_int_equal(sim_publish(s, &(struct sim_event){.type = "x"}), TH_PUB_ACCEPTED);
    assert_true(atomic_load(&s->metrics.gauge[TH_G_DELIVERIES_IN_MEMORY]) <= 1024);
    s->user = &c;
    s->on_request = count_request;
    s->on_answered = count_answer;
    sim_always(s, "a.example.com", "200+10ms");
    assert_int_equal(sim_set_active(s, a, true), TH_CH_DONE);
    for (unsigned i = 0; i < 600 && c.deliveries < EVENTS; i++) {
        sim_run_for(s, SIM_S);
        assert_true(atomic_load(&s->metrics.gauge[TH_G_DELIVERIES_IN_MEMORY]) <= 1100);
    }
    sim_run_for(s, 60 * SIM_S);
    assert_int_equal(c.deliveries, EVENTS);
    assert_int_equal(sim_host(s, "a.example.com")->requests, EVENTS);
    print_message("%u deliveries through 1,024 places in %.0f s of virtual time\n", EVENTS,
                  (double)s->now_us / 1e6);
    s->on_request = NULL;
    s->on_answered = NULL;
    th_map_fini(&c.by_delivery);
    sim_close(s);
}

/* The bounds are those of the process, however many engines share them. */
static void test_bounds_of_three_engines(void **state)
{
    setenv("TH_SIM_SHARDS", "3", 1);
    test_large_events_in_flight_are_bounded(state);
    test_unrecorded_outcomes_are_bounded(state);
    crowd(true, 512);
    unsetenv("TH_SIM_SHARDS");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_silent_endpoints_hold_up_nobody),
    cmocka_unit_test(test_an_endpoint_that_refuses_is_not_a_silent_one),
    cmocka_unit_test(test_newcomers_among_silent_endpoints),
    cmocka_unit_test(test_large_events_in_flight_are_bounded),
    cmocka_unit_test(test_unrecorded_outcomes_are_bounded),
    cmocka_unit_test(test_bounds_of_three_engines),
    cmocka_unit_test(test_backlog_beyond_memory),
};

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
