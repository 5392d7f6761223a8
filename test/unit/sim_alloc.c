/* Fails every allocation in turn over a short life of the engine: start, settings, publish, attempts, a
 * restart. Whatever is refused is refused in words; what was acknowledged is delivered when there is memory
 * again. No crash, no leak.
 *
 * Only the n-th allocation fails: then there is memory again. The simulator itself uses the C library's
 * malloc, which never fails here. */
#include "sim/sim.h"

struct life {
    uint64_t acknowledged, deliveries;
    bool started;
};

struct request {
    struct th_change c;
    bool done;
};

static void change_done(struct th_change *c)
{
    TH_CONTAINER(c, struct request, c)->done = true;
}

static bool is_done(struct sim *s, void *arg)
{
    return ((struct request *)arg)->done || s->fatal;
}

/* With several engines a change that one of them has no memory for may have no answer: the process ends. */
static void change(struct sim *s, struct th_change c)
{
    struct request *r = calloc(1, sizeof *r);

    assert_non_null(r);
    r->c = c;
    r->c.tenant_id = TH_LIT("default");
    r->c.done = change_done;
    th_engine_change(s->engine, &r->c);
    if (!sim_run_to(s, s->now_us + 60 * SIM_S, is_done, r))
        fail_msg("a change does not end");
    if (!r->done) {
        sim_bury(s, r);
        return;
    }
    th_change_fini(&r->c);
    free(r);
}

static void published(struct sim *s, struct sim_publishing *p)
{
    struct life *l = s->user;
    const struct sim_event *e = sim_publishing_event(p);

    if (e->result == TH_PUB_ACCEPTED) {
        l->acknowledged++;
        l->deliveries += e->deliveries;
    } else {
        assert_int_equal(e->result, TH_PUB_UNAVAILABLE);
    }
}

static void asked_for_nothing(struct sim *s, struct sim_publishing *p)
{
    (void)s;
    (void)p;
}

static void check_start(struct sim *s, enum th_error error)
{
    if (error != TH_NOMEM)
        fail_msg("the start fails with %s: %s", th_error_name(error), s->why);
}

/* The same life each time, until something is refused. */
static void live(struct sim *s, struct life *l)
{
    struct th_span x = TH_LIT("x"), y = TH_LIT("y");
    struct th_header header = {TH_LIT("X-One"), TH_LIT("1")};
    struct th_endpoint_spec spec = {.url = TH_LIT("https://a.example.com/hook"),
                                    .events = &x,
                                    .event_count = 1,
                                    .active = true,
                                    .headers = &header,
                                    .header_count = 1,
                                    .filter = TH_LIT("$[?@.data.n == 1]"), /* one that is looked up */
                                    .payload =
                                        TH_LIT("{\"n\":{\"$\":\"$.data.n\"},\"t\":{\"$join\":[\"x\"]}}")};
    enum th_error error = sim_try_start(s);

    l->started = error == TH_OK;
    if (!l->started) {
        check_start(s, error);
        return;
    }
    sim_run_for(s, 1000);
    if (!th_engine_tenant(s->engine, TH_LIT("default")))
        return;
    change(s, (struct th_change){.kind = TH_CHANGE_ENDPOINT_ADD, .endpoint_put.spec = spec});
    for (unsigned i = 0; i < 3 && th_engine_ready(s->engine, NULL); i++)
        sim_publish_begin(s, &(struct sim_event){.type = "x", .data = "{\"n\":1}", .key = i ? NULL : "k"},
                          published);
    sim_run_for(s, 10 * SIM_S);
    if (s->fatal) /* settings on disk that memory could not hold */
        return;
    spec.url = TH_LIT("https://gone.example.com/hook"); /* one that is disabled by what it answers */
    spec.events = &y;
    spec.filter = TH_LIT("$[?@.type == 'y' && @.data.a != 1]"); /* one more path */
    change(s, (struct th_change){.kind = TH_CHANGE_ENDPOINT_ADD, .endpoint_put.spec = spec});
    if (th_engine_ready(s->engine, NULL))
        sim_publish_begin(s, &(struct sim_event){.type = "y", .data = "{}"}, asked_for_nothing);
    sim_run_for(s, SIM_S);
    if (s->fatal)
        return;
    spec.url = TH_LIT("https://a.example.com/hook");
    spec.events = &x;
    spec.filter = TH_LIT("$[?@.data.n > 0]"); /* one that is walked */
    if (th_engine_tenant(s->engine, TH_LIT("default"))->endpoint_count) {
        uint64_t no = th_engine_tenant(s->engine, TH_LIT("default"))->endpoints[0]->no;
        change(s, (struct th_change){.kind = TH_CHANGE_SECRET_ROTATE, .endpoint = no});
        change(s, (struct th_change){.kind = TH_CHANGE_ENDPOINT_SET,
                                     .endpoint = no,
                                     .endpoint_put.spec = spec,
                                     .endpoint_put.clear_disabled = true});
    }
    sim_run_for(s, 400 * SIM_S);
    if (s->fatal)
        return;
    sim_stop(s); /* and once more, with settings to load */
    error = sim_try_start(s);
    l->started = error == TH_OK;
    if (!l->started)
        check_start(s, error);
    else
        sim_run_for(s, SIM_S);
}

static void fresh_store(struct sim *s)
{
    sim_stop(s);
    s->memory->vt->close(s->memory);
    assert_int_equal(th_store_memory_open(&s->memory), TH_OK);
    th_store_memory_auto(s->memory, false);
}

/* The nth request had a success, and its delivery had none before. */
static bool is_first_success(const struct sim *s, size_t nth)
{
    const struct sim_request *r = s->log[nth];

    if (r->answer.kind != SIM_STATUS || r->answer.status != 200 || r->lost)
        return false;
    for (size_t i = 0; i < nth; i++)
        if (s->log[i]->delivery == r->delivery && s->log[i]->answer.kind == SIM_STATUS &&
            s->log[i]->answer.status == 200 && !s->log[i]->lost)
            return false;
    return true;
}

/* After the failure: a new process on the same store finishes what was acknowledged. Each delivery counts once, so that one that
 * was sent again does not stand for one that was lost. */
static void finish(struct sim *s, const struct life *l)
{
    uint64_t done = 0;
    struct th_tenant *t;

    if (s->engine) {
        if (l->started && !s->fatal)
            sim_stop(s);
        else
            sim_crash(s);
    }
    sim_always(s, "a.example.com", "200");
    sim_start(s);
    sim_run_for(s, 86400 * SIM_S);
    t = th_engine_tenant(s->engine, TH_LIT("default"));
    assert_non_null(t);
    for (size_t nth = 0; l->deliveries && nth < s->log_n; nth++)
        done += is_first_success(s, nth);
    assert_true(done >= l->deliveries);
    assert_int_equal(atomic_load(&s->metrics.gauge[TH_G_DELIVERIES_IN_MEMORY]), 0);
}

static void forget_log(struct sim *s)
{
    for (size_t i = 0; i < s->log_n; i++) {
        free(s->log[i]->head);
        free(s->log[i]->body);
        free(s->log[i]->target);
        free(s->log[i]);
    }
    s->log_n = 0;
}

/* Allocations that are still to come before the one that fails. */
static uint64_t left(void)
{
    uint64_t n = 0;

    for (void *p; (p = th_malloc(1)); n++)
        th_free(p);
    return n;
}

static void one_life(struct sim *s, struct life *l, uint64_t n)
{
    struct sim_host *h = sim_host(s, "a.example.com");

    fresh_store(s);
    forget_log(s);
    h->answer_n = h->answer_next = 0;
    sim_answers(s, h->name, "500 connection_refused 200 503");
    sim_always(s, h->name, "200");
    sim_always(s, "gone.example.com", "410");
    *l = (struct life){0};
    s->user = l;
    th_alloc_fail_after(n);
    live(s, l);
}

static void test_every_allocation(void **state)
{
    const uint64_t many = 1000000;
    struct sim *s = sim_open(NULL);
    struct life l;
    uint64_t all, refused = 0;

    (void)state;
    one_life(s, &l, many);
    all = many - 1 - left();
    assert_int_equal(l.acknowledged, 3);
    assert_int_equal(l.deliveries, 3);
    finish(s, &l);
    for (uint64_t n = 1; n <= all; n++) {
        one_life(s, &l, n);
        th_alloc_fail_after(0);
        finish(s, &l);
        refused += l.acknowledged < 3;
    }
    print_message("%llu allocations failed in turn; %llu lives refused something\n", (unsigned long long)all,
                  (unsigned long long)refused);
    assert_in_range(refused, 20, all);
    sim_close(s);
}

static void test_every_allocation_of_three_engines(void **state)
{
    setenv("TH_SIM_SHARDS", "3", 1);
    test_every_allocation(state);
    unsetenv("TH_SIM_SHARDS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation),
                                       cmocka_unit_test(test_every_allocation_of_three_engines)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
