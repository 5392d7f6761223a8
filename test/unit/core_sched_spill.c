/* Bounded memory: what is spilled comes back, once each, in time; nobody's backlog keeps others out; failing
 * memory. */
#include "sched_world.h"

struct model { /* of the store: deliveries 1..n of endpoint 1 */
    uint32_t n;
    struct th_queue_row *row;
    int64_t *due;
    uint8_t *state; /* 0 unknown, 1 queued, 2 under way, 3 ended */
    uint64_t walked, walks;
};

static struct model model_new(uint32_t n)
{
    struct model m = {.n = n};

    m.row = calloc(n + 1, sizeof *m.row);
    m.due = calloc(n + 1, sizeof *m.due);
    m.state = calloc(n + 1, 1);
    assert_true(m.row && m.due && m.state);
    return m;
}

static void model_free(struct model *m)
{
    free(m->row);
    free(m->due);
    free(m->state);
}

static void model_insert(struct model *m, struct th_sched *s, uint64_t no, int64_t now)
{
    enum th_insert got;

    m->row[no] = row(no, 1, TH_LANE_FRESH);
    m->due[no] = now;
    m->state[no] = 1;
    got = th_sched_insert(s, &m->row[no], at_us(now), at_us(now));
    assert_true(got == TH_INSERTED || got == TH_SPILLED);
}

/* Answers every walk that is wanted, at most `max_rows` rows each. */
static void model_serve(struct model *m, struct th_sched *s, uint32_t max_rows, int64_t now)
{
    struct th_want want;

    while (th_sched_want(s, &want)) {
        struct th_queue_row rows[256];
        struct th_mono due[256];
        uint32_t count = 0;
        uint64_t next = 0;
        assert_int_equal(want.endpoint, 1);
        m->walks++;
        for (uint64_t no = want.from; no <= m->n; no++) {
            if (m->state[no] != 1 && m->state[no] != 2)
                continue;
            if (count == want.max || count == max_rows) {
                next = no;
                break;
            }
            rows[count] = m->row[no];
            due[count++] = at_us(m->due[no]);
        }
        m->walked += count;
        th_sched_refilled(s, 1, rows, due, count, next, false, at_us(now));
    }
}

static void a_hundred_thousand_through_a_thousand(void **state)
{
    struct th_sched *s =
        world_new((struct th_sched_options){.max_items = 5000, .max_items_per_endpoint = 1024});
    struct model m = model_new(100000);
    struct th_sched_endpoint_stats stats;
    uint32_t ended = 0, highest = 0;
    uint64_t last = 0;

    (void)state;
    put(s, endpoint(1, 1), 0);
    for (uint64_t no = 1; no <= 60000; no++)
        model_insert(&m, s, no, 0);
    assert_true(th_sched_endpoint_stats(s, 1, &stats));
    assert_true(stats.spilled);
    assert_int_equal(stats.waiting, 1024);
    for (int64_t now = 1; ended < m.n; now++) {
        uint64_t no = pick(s, now);
        if (now <= 40000)
            model_insert(&m, s, 60000 + (uint64_t)now, now); /* more arrive meanwhile */
        assert_true(no);
        assert_int_equal(m.state[no], 1);
        assert_true(no > last); /* fresh ones in their order, through every refill */
        last = no;
        m.state[no] = 3;
        end(s, no, TH_LEARN_OK, now, now);
        ended++;
        model_serve(&m, s, 256, now);
        if (th_sched_stats(s).items > highest)
            highest = th_sched_stats(s).items;
        if (now % 1000 == 0)
            world_check(s);
    }
    assert_true(highest <= 1024);
    assert_int_equal(pick(s, 1000000), 0);
    assert_int_equal(th_sched_stats(s).items, 0);
    assert_int_equal(th_sched_stats(s).spilled_endpoints, 0);
    print_message("%llu walks, %.2f rows read per delivery\n", (unsigned long long)m.walks,
                  (double)m.walked / (double)m.n);
    assert_true(m.walked < 2 * m.n); /* each read about once */
    model_free(&m);
    th_sched_free(s);
}

/* Everything fails for hours: memory is full of what waits for later. Then the endpoint recovers: what is new
 * goes out at once, and what waits keeps its moment, to within the horizon's pause. */
static void wait_for_later(int64_t spacing_s, int64_t latest)
{
    struct th_sched *s =
        world_new((struct th_sched_options){.max_items = 400, .max_items_per_endpoint = 100});
    struct model m = model_new(1000);
    int64_t now = 0, late = 0;
    uint32_t ended = 0;
    struct th_queue_row out;
    enum th_insert said;

    put(s, endpoint(1, 1), 0);
    for (uint64_t no = 1; no <= 500; no++) { /* failed before; due in an hour and on */
        m.row[no] = row(no, 1, TH_LANE_FRESH);
        m.row[no].tries = 2;
        m.due[no] = 3600 * S + (int64_t)no * spacing_s * S;
        m.state[no] = 1;
        said = th_sched_insert(s, &m.row[no], at_us(m.due[no]), at_us(now));
        assert_true(said == TH_INSERTED || said == TH_SPILLED);
        world_check(s);
    }
    now = 60 * S;
    for (uint64_t no = 501; no <= 1000; no++) {
        model_insert(&m, s, no, now);
        model_serve(&m, s, 64, now);
        assert_int_equal(pick(s, now), no); /* at once */
        m.state[no] = 3;
        end(s, no, TH_LEARN_OK, now, now);
        now += 1000;
    }
    while (ended < 500) {
        struct th_mono next = th_sched_next(s, at_us(now));
        assert_true(next.us != INT64_MAX);
        now = next.us;
        while (th_sched_pick(s, at_us(now), &out)) {
            assert_int_equal(m.state[out.no], 1);
            assert_true(now >= m.due[out.no]);
            late = now - m.due[out.no] > late ? now - m.due[out.no] : late;
            m.state[out.no] = 3;
            end(s, out.no, TH_LEARN_OK, now, now);
            ended++;
        }
        model_serve(&m, s, 64, now);
        world_check(s);
    }
    print_message("latest by %.1f s, %llu walks, %.1f rows read per delivery\n", (double)late / 1e6,
                  (unsigned long long)m.walks, (double)m.walked / 500);
    assert_true(late <= latest);
    model_free(&m);
    th_sched_free(s);
}

static void what_waits_for_later_does_not_keep_out_what_is_due(void **state)
{
    (void)state;
    wait_for_later(3, 0);
    wait_for_later(30, 0);
    wait_for_later(1, 0); /* more within the horizon than fits: it narrows */
}

static void full_queues_of_others_do_not_keep_one_out(void **state)
{
    struct th_sched *s =
        world_new((struct th_sched_options){.max_items = 1000, .max_items_per_endpoint = 100});

    (void)state;
    for (uint64_t ep = 1; ep <= 20; ep++) {
        put(s, endpoint(ep, 1), 0);
        for (uint64_t i = 0; i < 100; i++) {
            struct th_queue_row r = row(ep * 1000 + i, ep, TH_LANE_FRESH);
            r.tries = ep % 2; /* due, or waiting for tomorrow */
            enum th_insert said = th_sched_insert(s, &r, at_us(r.tries ? 86400 * S : 0), at_us(0));
            assert_true(said == TH_INSERTED || said == TH_SPILLED);
        }
    }
    world_check(s);
    assert_true(th_sched_stats(s).items <= 1000);
    put(s, endpoint(50, 1), 0);
    for (uint64_t no = 90001; no <= 90010; no++)
        add(s, no, 50, 0); /* each finds a place */
    world_check(s);
    assert_true(th_sched_stats(s).items <= 1000);
    th_sched_free(s);
}

static void a_walk_brings_back_nothing_that_ended_meanwhile(void **state)
{
    for (int full = 0; full < 2; full++) { /* with room to remember, and without */
        struct th_sched *s =
            world_new((struct th_sched_options){.max_items = full ? 8 : 100, .max_items_per_endpoint = 8});
        struct th_queue_row rows[8];
        struct th_mono due[8];
        struct th_want want;

        (void)state;
        put(s, endpoint(1, 1), 0);
        for (uint64_t no = 1; no <= 8; no++)
            add(s, no, 1, 0);
        for (uint64_t no = 9; no <= 12; no++) {
            rows[no - 9] = row(no, 1, TH_LANE_FRESH);
            due[no - 9] = at_us(0);
            assert_int_equal(th_sched_insert(s, &rows[no - 9], at_us(0), at_us(0)), TH_SPILLED);
        }
        assert_false(th_sched_want(s, &want));
        for (uint64_t no = 1; no <= 7; no++) {
            assert_int_equal(pick(s, 0), no);
            end(s, no, TH_LEARN_OK, 0, 0);
        }
        assert_true(th_sched_want(s, &want));
        assert_int_equal(want.from, 9);
        assert_false(th_sched_want(s, &want)); /* one at a time */
        if (full) {                            /* others take what is free */
            put(s, endpoint(2, 1), 0);
            for (uint64_t no = 101; no <= 107; no++)
                add(s, no, 2, 0);
            th_sched_cancel(s, 10);
            th_sched_refilled(s, 1, rows, due, 4, 0, false, at_us(0)); /* says 10 is there: not believed */
            world_check(s);
            for (uint64_t no; (no = pick(s, 0));)
                end(s, no, TH_LEARN_OK, 0, 0);
            assert_int_equal(th_sched_stats(s).items, 0);
            assert_true(th_sched_want(s, &want));
            assert_int_equal(want.from, 9);
            rows[1] = rows[3];
            th_sched_refilled(s, 1, rows, due, 3, 0, false, at_us(0));
        } else {
            th_sched_cancel(s, 10);
            th_sched_refilled(s, 1, rows, due, 4, 0, false, at_us(0));
            assert_int_equal(pick(s, 0), 8);
        }
        world_check(s);
        for (unsigned n = 0; n < 3; n++) {
            uint64_t no = pick(s, 0);
            assert_true(no == 9 || no == 11 || no == 12);
            end(s, no, TH_LEARN_OK, 0, 0);
        }
        assert_int_equal(pick(s, 0), 0);
        assert_false(th_sched_want(s, &want));
        th_sched_free(s);
    }
}

static void a_failed_walk_is_not_repeated_at_once(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){.max_items_per_endpoint = 1});
    struct th_want want;
    struct th_queue_row r = row(2, 1, TH_LANE_FRESH);

    (void)state;
    put(s, endpoint(1, 1), 0);
    add(s, 1, 1, 0);
    assert_int_equal(th_sched_insert(s, &r, at_us(0), at_us(0)), TH_SPILLED);
    assert_int_equal(pick(s, 0), 1);
    end(s, 1, TH_LEARN_OK, 0, 0);
    assert_true(th_sched_want(s, &want));
    th_sched_refilled(s, 1, NULL, NULL, 0, 0, true, at_us(0));
    assert_false(th_sched_want(s, &want));
    assert_int_equal(th_sched_next(s, at_us(0)).us, S);
    assert_int_equal(pick(s, S), 0);
    assert_true(th_sched_want(s, &want));
    assert_int_equal(want.from, 2);
    th_sched_refilled(s, 1, &r, &(struct th_mono){0}, 1, 0, false, at_us(S));
    assert_int_equal(pick(s, S), 2);
    th_sched_free(s);
}

/* One story with each allocation failing in turn: nothing is lost, nothing leaks. */
static bool story(uint64_t fail)
{
    struct th_sched *s = NULL;
    struct th_sched_options options = {.max_items = 3000};
    struct th_want want;
    unsigned got = 0, known = 0;
    bool failed = false;

    th_alloc_fail_after(fail);
    if (th_sched_new(&options, &s))
        return true;
    for (uint64_t ep = 1; ep <= 40; ep++) {
        struct th_sched_endpoint e = endpoint(ep, ep / 3);
        if (th_sched_endpoint_put(s, &e, at_us(0)) == TH_OK)
            continue;
        failed = true;
        world_check(s);
        assert_int_equal(th_sched_endpoint_put(s, &e, at_us(0)), TH_OK);
    }
    for (uint64_t no = 1; no <= 2200; no++) {
        struct th_queue_row r = row(no, 1 + no % 40, TH_LANE_FRESH);
        enum th_insert in = th_sched_insert(s, &r, at_us(0), at_us(0));
        failed |= in == TH_INSERT_NOMEM;
        known += in == TH_INSERTED;
        assert_true(in == TH_INSERTED || in == TH_INSERT_NOMEM || (failed && in == TH_SPILLED));
    }
    th_alloc_fail_after(0);
    world_check(s);
    while (th_sched_want(s, &want)) { /* what found no memory is asked for */
        struct th_queue_row rows[60];
        struct th_mono due[60] = {{0}};
        uint32_t n = 0;
        for (uint64_t no = want.from; no <= 2200; no++)
            if (1 + no % 40 == want.endpoint)
                rows[n++] = row(no, want.endpoint, TH_LANE_FRESH);
        th_sched_refilled(s, want.endpoint, rows, due, n, 0, false, at_us(0));
    }
    for (uint64_t no; (no = pick(s, 0)); got++)
        end(s, no, TH_LEARN_OK, 0, 0);
    assert_true(got == 2200 && known <= got);
    world_check(s);
    th_sched_free(s);
    return failed;
}

static void every_allocation_may_fail(void **state)
{
    uint64_t n = 1;

    (void)state;
    while (story(n))
        n++;
    assert_true(n > 30);
    print_message("%llu allocations failed in turn\n", (unsigned long long)n - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_thousand_through_a_thousand),
        cmocka_unit_test(what_waits_for_later_does_not_keep_out_what_is_due),
        cmocka_unit_test(full_queues_of_others_do_not_keep_one_out),
        cmocka_unit_test(a_walk_brings_back_nothing_that_ended_meanwhile),
        cmocka_unit_test(a_failed_walk_is_not_repeated_at_once),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
