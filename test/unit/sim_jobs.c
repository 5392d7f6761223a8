/* Rows of ended replays: the oldest leave the store beyond the limit, also those from before the start. What was cancelled stays so. */
#include "base/alloc.h"
#include "engine/control/replay_job.h"
#include "sim/sim.h"

#define KEPT 1000
#define MATCHED 700

static void started(struct th_replay_start *r)
{
    *(bool *)r->user = true;
    assert_int_equal(r->result, TH_CH_DONE);
    th_buf_wipe(&r->repeated);
}

static bool is_true(struct sim *s, void *arg)
{
    (void)s;
    return *(bool *)arg;
}

static void replay_nothing(struct sim *s, uint64_t endpoint)
{
    bool done = false;
    struct th_replay_start r = {
        .ep = sim_ep(s, endpoint), .states = 1u << TH_DS_DELIVERED, .done = started, .user = &done};

    th_engine_replay(s->engine, &r);
    assert_true(sim_run_to(s, s->now_us + SIM_S, is_true, &done));
    sim_run_for(s, 10000);
}

struct jobs {
    unsigned count;
    uint64_t first, last; /* numbers, which grow with each job */
};

static void see_row(void *ctx, const struct th_row *row)
{
    struct jobs *j = ctx;

    if (row->kind != TH_ROW_JOB)
        return;
    j->first = j->count == 0 || row->no < j->first ? row->no : j->first;
    j->last = row->no > j->last ? row->no : j->last;
    j->count++;
}

static struct jobs jobs(struct sim *s)
{
    struct jobs j = {0};

    assert_int_equal(s->memory->vt->settings(s->memory, see_row, &j), TH_OK);
    return j;
}

static void test_oldest_leave(void **state)
{
    struct sim *s = sim_open(NULL);
    struct jobs before, after;
    uint64_t a = sim_endpoint(
        s, &(struct sim_spec){.tenant = "default", .url = "https://93.184.216.34/", .events = "x"});

    (void)state;
    for (unsigned i = 0; i < KEPT; i++)
        replay_nothing(s, a);
    before = jobs(s);
    assert_int_equal(before.count, KEPT);
    sim_stop(s);
    sim_start(s);
    for (unsigned i = 0; i < 5; i++)
        replay_nothing(s, a);
    sim_run_for(s, SIM_S);
    after = jobs(s);
    assert_int_equal(after.count, KEPT);
    assert_int_equal(after.last, before.last + 5);
    assert_int_equal(after.first, before.first + 5);
    sim_close(s);
}

static void told(struct th_replay_cancel *c)
{
    *(bool *)c->user = true;
    assert_int_equal(c->error, TH_OK);
}

/* Whenever it is cancelled, also while its last step is with the store. */
static void test_cancelled_stays_cancelled(void **state)
{
    struct sim *s = sim_open(&(struct sim_options){.commit_us = 2000});
    unsigned stopped = 0;
    uint64_t a = sim_endpoint(
        s, &(struct sim_spec){.tenant = "default", .url = "https://93.184.216.34/", .events = "x"});

    (void)state;
    sim_host(s, "93.184.216.34")->always = (struct sim_answer){.kind = SIM_STATUS, .status = 200};
    assert_int_equal(sim_publish(s, &(struct sim_event){.tenant = "default", .type = "x", .data = "{}"}),
                     TH_PUB_ACCEPTED);
    sim_run_for(s, 5 * SIM_S);
    for (int64_t after_us = 0; after_us < 4000; after_us += 100) {
        bool done = false, ended = false;
        struct th_replay_start r = {
            .ep = sim_ep(s, a), .states = 1u << TH_DS_DELIVERED, .done = started, .user = &done};
        struct th_replay_cancel c = {.done = told, .user = &ended};

        th_engine_replay(s->engine, &r);
        assert_true(sim_run_to(s, s->now_us + SIM_S, is_true, &done));
        assert_int_equal(r.matched, 1);
        sim_run_for(s, after_us);
        c.replay = r.replay;
        th_engine_replay_cancel(s->engine, &c);
        assert_true(sim_run_to(s, s->now_us + SIM_S, is_true, &ended));
        sim_run_for(s, 5 * SIM_S);
        assert_int_equal(r.replay->state, c.stopped ? TH_REPLAY_CANCELLED : TH_REPLAY_DONE);
        stopped += c.stopped;
    }
    assert_in_range(stopped, 1, 40);
    sim_close(s);
}

static bool has_numbers(struct sim *s, void *job)
{
    (void)s;
    return ((struct th_replay_job *)job)->nos;
}

/* A world in which a replay goes on after a crash and has to read its numbers again; the nth allocation from there on fails. */
static struct th_replay_job *resumed(struct sim *s, uint64_t n)
{
    const struct th_replay *after;
    bool done = false;
    struct th_replay_start r = {.states = 1u << TH_DS_DELIVERED, .done = started, .user = &done};
    uint64_t a = sim_endpoint(
        s, &(struct sim_spec){.tenant = "default", .url = "https://93.184.216.34/", .events = "x"});
    struct th_replay_job *job;

    sim_host(s, "93.184.216.34")->always = (struct sim_answer){.kind = SIM_STATUS, .status = 200};
    for (unsigned i = 0; i < MATCHED; i++)
        assert_int_equal(sim_publish(s, &(struct sim_event){.tenant = "default", .type = "x", .data = "{}"}),
                         TH_PUB_ACCEPTED);
    sim_run_for(s, 60 * SIM_S);
    assert_int_equal(s->log_n, MATCHED);
    r.ep = sim_ep(s, a);
    th_engine_replay(s->engine, &r);
    assert_true(sim_run_to(s, s->now_us + SIM_S, is_true, &done));
    assert_int_equal(r.matched, MATCHED);
    sim_crash(s);
    sim_start(s);
    after = th_engine_replay_below(s->engine, th_engine_tenant(s->engine, TH_LIT("default")), UINT64_MAX);
    assert_non_null(after);
    assert_int_equal(after->state, TH_REPLAY_RUNNING);
    job = TH_CONTAINER((struct th_replay *)after, struct th_replay_job, pub);
    assert_null(job->nos);
    th_alloc_fail_after(n);
    return job;
}

/* How many allocations there are until it has its numbers. */
static uint64_t allocations(void)
{
    const uint64_t many = 1000000;
    struct sim *s = sim_open(&(struct sim_options){.commit_us = 2000});
    uint64_t left = 0;

    assert_true(sim_run_to(s, s->now_us + SIM_S, has_numbers, resumed(s, many)));
    for (void *p; (p = th_malloc(1)); left++)
        th_free(p);
    sim_close(s);
    return many - 1 - left;
}

/* Its numbers are collected again after a restart: without memory for them it waits. The last allocations before it has them are
 * its own. */
static void test_memory_is_waited_for(void **state)
{
    uint64_t all = allocations();

    (void)state;
    assert_true(all > MATCHED);
    for (uint64_t n = all - 10; n <= all; n++) {
        struct sim *s = sim_open(&(struct sim_options){.commit_us = 2000});
        struct th_replay_job *job = resumed(s, n);

        sim_run_for(s, 120 * SIM_S);
        th_alloc_fail_after(0);
        assert_int_equal(job->pub.state, TH_REPLAY_DONE);
        assert_in_range(s->log_n, 2 * MATCHED, 2 * MATCHED + TH_REPLAY_STEP); /* a step may be queued again */
        sim_close(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_oldest_leave),
                                       cmocka_unit_test(test_cancelled_stays_cancelled),
                                       cmocka_unit_test(test_memory_is_waited_for)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
