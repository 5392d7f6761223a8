/* The scheduler in virtual time: schedules, lanes, slots, buckets, breaker, hold, cancel, deletion. */
#include "sched_world.h"

/* ---- schedules ---- */

static const struct {
    const char *name;
    int64_t at_s[12];
    unsigned count;
} schedules[] = {
    {"tiro", {0, 15, 45, 345, 2145, 9345}, 6},
    {"tsanet", {0, 10, 70, 370}, 4},
    {"taskboard", {0, 60, 360, 2160}, 4},
    {"techwriter", {0, 5, 35, 335, 2135}, 5},
    {"standard", {0, 5, 305, 2105, 9305, 27305, 63305, 113705, 185705, 272105}, 10},
};

/* Runs one delivery that fails `took` us after each start; returns the number of attempts, their starts in
 * at[]. */
static unsigned run_alone(struct th_sched *s, const struct th_rules *rules, int64_t start, int64_t took,
                          int64_t *at)
{
    struct th_queue_row r = row(1, 1, TH_LANE_FRESH), out;
    unsigned n = 0;
    int64_t now = start;

    assert_int_equal(th_sched_insert(s, &r, at_us(now), at_us(now)), TH_INSERTED);
    for (;;) {
        struct th_mono next = th_sched_next(s, at_us(now));
        struct th_next_step step;
        if (next.us == INT64_MAX)
            return n;
        if (next.us > now) {
            assert_false(th_sched_pick(s, at_us(next.us - 1), &out)); /* never a microsecond early */
            now = next.us;
        }
        if (!th_sched_pick(s, at_us(now), &out))
            continue;
        assert_int_equal(out.no, 1);
        at[n++] = now - start;
        assert_int_equal(out.attempts, n - 1);
        world_check(s);
        th_sched_result(s, 1, TH_LEARN_FAILED, at_us(now), at_us(now + took));
        now += took;
        step = th_retry_step(rules, TH_HTTP_OK, 500, UINT32_MAX, out.tries, 0, false);
        out.tries++;
        out.attempts++;
        if (step.verdict == TH_V_AGAIN)
            th_sched_settled(s, 1, &out, at_us(now + step.delay_ms * 1000), at_us(now));
        else
            th_sched_settled(s, 1, NULL, at_us(0), at_us(now));
    }
}

static void lone_deliveries_keep_every_schedule(void **state)
{
    (void)state;
    for (size_t d = 0; d < DIALECTS; d++) {
        const struct th_rules *rules = rules_of(schedules[d].name);
        for (int64_t took = 0; took <= 30 * S; took += 30 * S) {
            struct th_sched *s = world_new((struct th_sched_options){0});
            struct th_sched_endpoint e = endpoint(1, 1);
            int64_t at[20];
            unsigned n;
            put(s, e, 0);
            n = run_alone(s, rules, 7 * S + 3, took, at);
            assert_int_equal(n, schedules[d].count);
            for (unsigned i = 0; i < n; i++)
                assert_int_equal(at[i], schedules[d].at_s[i] * S + i * took);
            assert_int_equal(th_sched_stats(s).items, 0);
            assert_false(th_sched_pick(s, at_us(INT64_MAX / 4), &(struct th_queue_row){0}));
            th_sched_free(s);
        }
    }
}

/* ---- lanes ---- */

static uint64_t pick_end(struct th_sched *s, int64_t now)
{
    uint64_t no = pick(s, now);

    if (no)
        end(s, no, TH_LEARN_OK, now, now);
    return no;
}

static void add_lane(struct th_sched *s, uint64_t no, enum th_lane lane, uint8_t tries, int64_t due,
                     int64_t now)
{
    struct th_queue_row r = row(no, 1, lane);

    r.tries = tries;
    assert_int_equal(th_sched_insert(s, &r, at_us(due), at_us(now)), TH_INSERTED);
}

static void lanes_go_in_their_order(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    const uint64_t want[] = {41, 31, 32, 1, 11, 2, 12, 3, 13, 21, 22};

    (void)state;
    put(s, endpoint(1, 1), 0);
    for (uint64_t i = 1; i <= 3; i++)
        add_lane(s, i, TH_LANE_FRESH, 0, 10, 10);
    for (uint64_t i = 11; i <= 13; i++)
        add_lane(s, i, TH_LANE_FRESH, 1, 10 - (int64_t)i / 100, 10);
    add_lane(s, 21, TH_LANE_REPLAY, 0, 10, 10);
    add_lane(s, 22, TH_LANE_REPLAY, 0, 10, 10);
    add_lane(s, 31, TH_LANE_MANUAL, 0, 10, 10);
    add_lane(s, 32, TH_LANE_MANUAL, 0, 10, 10);
    add_lane(s, 41, TH_LANE_TEST, 0, 10, 10);
    world_check(s);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_int_equal(pick_end(s, 10), want[i]);
    assert_int_equal(pick_end(s, 10), 0);
    th_sched_free(s);
}

static void replay_gets_every_sixteenth_pick(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    unsigned replays = 0;

    (void)state;
    put(s, endpoint(1, 1), 0);
    for (uint64_t i = 1; i <= 160; i++)
        add_lane(s, i, TH_LANE_FRESH, 0, 0, 0);
    for (uint64_t i = 1001; i <= 1100; i++)
        add_lane(s, i, TH_LANE_REPLAY, 0, 0, 0);
    for (unsigned i = 1; i <= 160; i++) {
        bool replay = pick_end(s, 0) > 1000;
        assert_int_equal(replay, i % 16 == 0);
        replays += replay;
    }
    assert_int_equal(replays, 10);
    th_sched_free(s);
}

static void known_numbers_change_nothing(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    struct th_queue_row r = row(1, 1, TH_LANE_FRESH);

    (void)state;
    put(s, endpoint(1, 1), 0);
    assert_int_equal(th_sched_insert(s, &r, at_us(100), at_us(0)), TH_INSERTED);
    assert_int_equal(th_sched_insert(s, &r, at_us(0), at_us(0)), TH_KNOWN); /* not even an earlier due */
    assert_int_equal(pick(s, 99), 0);
    assert_int_equal(pick(s, 100), 1);
    assert_int_equal(th_sched_insert(s, &r, at_us(100), at_us(100)), TH_KNOWN); /* in flight */
    assert_int_equal(pick(s, 200), 0);
    th_sched_result(s, 1, TH_LEARN_OK, at_us(100), at_us(200));
    assert_int_equal(th_sched_insert(s, &r, at_us(100), at_us(200)), TH_KNOWN); /* settling */
    r.lane = TH_LANE_MANUAL;
    assert_int_equal(th_sched_insert(s, &r, at_us(100), at_us(200)), TH_KNOWN);
    assert_int_equal(pick(s, 300), 0);
    th_sched_settled(s, 1, NULL, at_us(0), at_us(300));
    assert_int_equal(th_sched_stats(s).items, 0);
    r.lane = TH_LANE_FRESH;
    r.endpoint = 2;
    assert_int_equal(th_sched_insert(s, &r, at_us(100), at_us(300)), TH_NO_ENDPOINT);
    th_sched_free(s);
}

static void manual_retry_makes_a_waiting_one_due(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    struct th_queue_row r = row(1, 1, TH_LANE_FRESH), out;

    (void)state;
    put(s, endpoint(1, 1), 0);
    r.tries = 3;
    assert_int_equal(th_sched_insert(s, &r, at_us(1000 * S), at_us(0)), TH_INSERTED);
    r.lane = TH_LANE_MANUAL;
    assert_int_equal(th_sched_insert(s, &r, at_us(1000 * S), at_us(5)),
                     TH_KNOWN); /* its later attempt: waits */
    assert_int_equal(pick(s, 5), 0);
    r.tries = 0;
    assert_int_equal(th_sched_insert(s, &r, at_us(5), at_us(5)), TH_KNOWN);
    assert_true(th_sched_pick(s, at_us(5), &out));
    assert_int_equal(out.tries, 0);
    assert_int_equal(out.lane, TH_LANE_MANUAL);
    th_sched_free(s);
}

/* What a reader found in the store before the last attempt was stored says nothing any more. */
static void row_of_the_past_changes_nothing(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    struct th_queue_row r = row(1, 1, TH_LANE_MANUAL), out;

    (void)state;
    put(s, endpoint(1, 1), 0);
    assert_int_equal(th_sched_insert(s, &r, at_us(0), at_us(0)), TH_INSERTED);
    assert_true(th_sched_pick(s, at_us(0), &out));
    out.attempts++;
    th_sched_settled(s, 1, &out, at_us(1000 * S), at_us(5)); /* it has failed */
    assert_int_equal(th_sched_insert(s, &r, at_us(5), at_us(6)), TH_KNOWN);
    assert_int_equal(th_sched_hurry(s, &r, at_us(6)), TH_KNOWN);
    assert_int_equal(pick(s, 7), 0);
    r.attempts++; /* asked for once more */
    assert_int_equal(th_sched_insert(s, &r, at_us(7), at_us(7)), TH_KNOWN);
    assert_true(th_sched_pick(s, at_us(7), &out));
    assert_int_equal(out.attempts, 1);
    th_sched_free(s);
}

/* ---- hold, cancel, delete ---- */

static void held_endpoints_send_only_what_is_asked_for(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    struct th_sched_endpoint e = endpoint(1, 1);
    struct th_sched_endpoint_stats stats;

    (void)state;
    e.held = true;
    put(s, endpoint(1, 1), 0);
    add_lane(s, 9, TH_LANE_MANUAL, 0, 0, 0); /* asked for before the hold */
    put(s, e, 0);
    add_lane(s, 7, TH_LANE_FRESH, 0, 0, 0);
    add_lane(s, 5, TH_LANE_FRESH, 2, 3 * S, 0);
    add_lane(s, 4, TH_LANE_MANUAL, 1, 0, 0); /* the schedule of what was asked for */
    add_lane(s, 3, TH_LANE_FRESH, 1, 4 * S, 0);
    add_lane(s, 8, TH_LANE_FRESH, 1, 1000 * S, 0);
    assert_int_equal(th_sched_next(s, at_us(0)).us, INT64_MAX);
    add_lane(s, 10, TH_LANE_TEST, 0, 0, 0);
    add_lane(s, 11, TH_LANE_MANUAL, 0, 0, 0);
    assert_int_equal(pick_end(s, 0), 10);
    assert_int_equal(pick_end(s, 0), 11);
    assert_int_equal(pick(s, 100 * S), 0);
    assert_true(th_sched_endpoint_stats(s, 1, &stats));
    assert_true(stats.held);
    assert_int_equal(stats.waiting, 6);
    e.held = false;
    put(s, e, 100 * S);
    world_check(s);
    assert_int_equal(pick_end(s, 100 * S), 3); /* the oldest first */
    assert_int_equal(pick_end(s, 100 * S), 4);
    assert_int_equal(pick_end(s, 100 * S), 5);
    assert_int_equal(pick_end(s, 100 * S), 7);
    assert_int_equal(pick_end(s, 100 * S), 9);
    assert_int_equal(pick_end(s, 100 * S), 0);
    assert_int_equal(pick_end(s, 1000 * S - 1), 0); /* not due yet: hold does not shorten */
    assert_int_equal(pick_end(s, 1000 * S), 8);
    th_sched_free(s);
}

static void lines_that_are_held_let_nothing_pass_but_tests(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    struct th_sched_endpoint e = endpoint(1, 1), other = endpoint(2, 1);

    (void)state;
    e.ordered = e.one_line = true;
    put(s, e, 0);
    put(s, other, 0);
    th_sched_hold_lines(s, 1, at_us(30 * S), at_us(0));
    th_sched_hold_lines(s, 2, at_us(30 * S), at_us(0)); /* it has no order */
    add_lane(s, 1, TH_LANE_FRESH, 0, 10, 10);
    add_lane(s, 2, TH_LANE_MANUAL, 0, 10, 10);
    add_lane(s, 3, TH_LANE_TEST, 0, 10, 10);
    add(s, 9, 2, 10);
    world_check(s);
    assert_int_equal(pick_end(s, 10) + pick_end(s, 10), 3 + 9);
    assert_int_equal(pick_end(s, 10), 0);
    assert_true(th_sched_next(s, at_us(10)).us == 30 * S);
    put(s, e, 20 * S); /* settings change: still held */
    assert_int_equal(pick_end(s, 30 * S - 1), 0);
    world_check(s);
    assert_int_not_equal(pick_end(s, 30 * S), 0);
    assert_int_not_equal(pick_end(s, 30 * S), 0);
    th_sched_free(s);
}

static void tests_pass_and_count_for_nothing(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    struct th_sched_endpoint e = endpoint(1, 1);
    struct th_sched_endpoint_stats stats;

    (void)state;
    e.max_in_flight = 1;
    e.rate_per_s = 0.001;
    put(s, e, 0);
    add(s, 1, 1, 0);
    assert_int_equal(pick(s, 0), 1); /* the limit is reached, the bucket empty */
    add(s, 2, 1, 0);
    for (uint64_t no = 11; no <= 13; no++)
        add_lane(s, no, TH_LANE_TEST, 0, 0, 0);
    assert_int_equal(pick(s, 0), 11);
    assert_int_equal(pick(s, 0), 12);
    assert_int_equal(pick(s, 0), 0); /* two at once */
    end(s, 11, TH_LEARN_FAILED, 0, 1);
    assert_int_equal(pick(s, 1), 13);
    end(s, 12, TH_LEARN_FAILED, 0, 1);
    end(s, 13, TH_LEARN_OK, 1, 1);
    assert_true(th_sched_endpoint_stats(s, 1, &stats));
    assert_false(stats.proven || stats.breaker_open);
    world_check(s);
    th_sched_free(s);
}

static void cancelled_ones_are_not_sent(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    struct th_queue_row r = row(2, 1, TH_LANE_FRESH);

    (void)state;
    put(s, endpoint(1, 1), 0);
    add(s, 1, 1, 0);
    add(s, 2, 1, 0);
    th_sched_cancel(s, 1);
    th_sched_cancel(s, 99);
    assert_int_equal(pick(s, 0), 2);
    th_sched_cancel(s, 2); /* under way: forgotten when it would wait again */
    th_sched_result(s, 2, TH_LEARN_FAILED, at_us(0), at_us(1));
    th_sched_settled(s, 2, &r, at_us(5), at_us(1));
    assert_int_equal(pick(s, 10), 0);
    assert_int_equal(th_sched_stats(s).items, 0);
    add(s, 2, 1, 10);
    assert_int_equal(pick(s, 10), 2);
    th_sched_cancel(s, 2);
    r.lane = TH_LANE_MANUAL; /* asked for again before it ended */
    assert_int_equal(th_sched_insert(s, &r, at_us(10), at_us(10)), TH_KNOWN);
    th_sched_result(s, 2, TH_LEARN_FAILED, at_us(10), at_us(11));
    th_sched_settled(s, 2, &r, at_us(15), at_us(11));
    assert_int_equal(pick(s, 15), 2);
    world_check(s);
    th_sched_free(s);
}

static void deleting_an_endpoint_with_requests_under_way(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    struct th_queue_row r = row(1, 1, TH_LANE_FRESH);

    (void)state;
    put(s, endpoint(1, 1), 0);
    add(s, 1, 1, 0);
    add(s, 2, 1, 0);
    add(s, 3, 1, 0);
    assert_int_equal(pick(s, 0), 1);
    assert_int_equal(pick(s, 0), 2);
    th_sched_result(s, 2, TH_LEARN_OK, at_us(0), at_us(1));
    th_sched_endpoint_del(s, 1);
    th_sched_endpoint_del(s, 1);
    world_check(s);
    assert_int_equal(th_sched_stats(s).endpoints, 0);
    assert_int_equal(th_sched_stats(s).items, 2);
    assert_int_equal(th_sched_stats(s).in_flight, 1);
    assert_int_equal(pick(s, 5), 0);
    th_sched_settled(s, 2, NULL, at_us(0), at_us(5));
    th_sched_result(s, 1, TH_LEARN_FAILED, at_us(0), at_us(6));
    th_sched_settled(s, 1, &r, at_us(10), at_us(6));
    world_check(s);
    assert_int_equal(th_sched_stats(s).items, 0);
    assert_int_equal(th_sched_stats(s).in_flight, 0);
    assert_int_equal(pick(s, 20), 0);
    th_sched_free(s);
}

/* ---- limit, breaker, bucket ---- */

static unsigned pick_all(struct th_sched *s, uint64_t *no, int64_t now)
{
    unsigned n = 0;

    while ((no[n] = pick(s, now)))
        n++;
    return n;
}

/* A new endpoint, one that refuses everything and one that never answers have the same limit while slots are free. */
static void the_limit_is_the_same_whatever_comes_back(void **state)
{
    static const enum th_learn learn[] = {TH_LEARN_OK, TH_LEARN_ANSWERED, TH_LEARN_FAILED, TH_LEARN_NEUTRAL};

    (void)state;
    for (size_t l = 0; l < sizeof learn / sizeof learn[0]; l++) {
        struct th_sched *s = world_new((struct th_sched_options){0});
        uint64_t no[32];
        int64_t now = 0;
        put(s, endpoint(1, 1), 0);
        for (uint64_t next = 1; next <= 200; next++)
            add(s, next, 1, 0);
        for (unsigned round = 0; round < 12; round++) {
            assert_int_equal(pick_all(s, no, now), 16);
            world_check(s);
            for (unsigned i = 0; i < 16; i++)
                end(s, no[i], learn[l], now, now + 30 * S);
            now += 30 * S;
        }
        assert_int_equal(pick_all(s, no, now), 8); /* the last ones of 200 */
        th_sched_free(s);
    }
}

static bool is_open(const struct th_sched *s)
{
    struct th_sched_endpoint_stats stats;

    assert_true(th_sched_endpoint_stats(s, 1, &stats));
    assert_int_equal(th_sched_stats(s).broken_endpoints, stats.breaker_open);
    return stats.breaker_open;
}

/* Sends `count` requests at once, which end `took` later. */
static void burst(struct th_sched *s, int64_t *now, unsigned count, enum th_learn learn, int64_t took)
{
    static uint64_t next = 1;
    uint64_t no[32];

    for (unsigned i = 0; i < count; i++)
        add(s, next++, 1, *now);
    assert_int_equal(pick_all(s, no, *now), count);
    for (unsigned i = 0; i < count; i++)
        end(s, no[i], learn, *now, *now + took);
    *now += took;
    world_check(s);
}

static void the_breaker_is_for_silence(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    int64_t now = 0;

    (void)state;
    put(s, endpoint(1, 1), 0);
    for (unsigned i = 0; i < 20; i++)
        burst(s, &now, 16, TH_LEARN_ANSWERED, i % 2 ? 20 * S : 1000);
    assert_false(is_open(s));
    burst(s, &now, 16, TH_LEARN_FAILED, 30 * S); /* one round, however many ended in it */
    burst(s, &now, 1, TH_LEARN_FAILED, 1000);
    burst(s, &now, 1, TH_LEARN_NEUTRAL, 1000);
    assert_false(is_open(s));
    burst(s, &now, 1, TH_LEARN_ANSWERED, 29 * S); /* however late and whatever it says */
    for (unsigned i = 0; i < 2; i++)
        burst(s, &now, 16, TH_LEARN_FAILED, 1000);
    assert_false(is_open(s));
    burst(s, &now, 1, TH_LEARN_FAILED, 1000);
    assert_true(is_open(s));
    burst(s, &now, 16, TH_LEARN_FAILED, 30 * S); /* and nothing waits for it */
    assert_true(is_open(s));
    burst(s, &now, 1, TH_LEARN_OK, 1000);
    assert_false(is_open(s));
    th_sched_free(s);
}

/* Where silent endpoints are many, each has one request at a time, so that those who answer slowly, and newcomers, find
 * slots. One that answers at once needs none of them, whatever it says. */
static void silent_endpoints_wait_where_slots_are_scarce(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){.max_in_flight = 64});
    struct th_queue_row r;
    unsigned of[41] = {0}, silent = 0;

    (void)state;
    for (uint64_t ep = 1; ep <= 40; ep++) {
        put(s, endpoint(ep, 1), 0);
        for (unsigned i = 0; i < 3; i++) {
            add(s, ep, ep, i);
            assert_int_equal(pick(s, i), ep);
            end(s, ep, ep == 40 ? TH_LEARN_ANSWERED : TH_LEARN_FAILED, i, i);
        }
    }
    assert_int_equal(th_sched_stats(s).broken_endpoints, 39);
    for (uint64_t i = 0; i < 10; i++)
        add(s, 1000 + i, 1, 10);
    while (th_sched_pick(s, at_us(10), &r))
        of[r.endpoint]++;
    assert_int_equal(of[1], 10); /* alone it waits for nothing */
    for (uint64_t ep = 2; ep <= 40; ep++)
        for (uint64_t i = 0; i < 20; i++)
            add(s, 1000 * ep + i, ep, 10);
    while (th_sched_pick(s, at_us(10), &r))
        of[r.endpoint]++;
    world_check(s);
    assert_int_equal(of[40], 16);
    for (uint64_t ep = 1; ep <= 39; ep++) {
        silent += of[ep];
        assert_true(ep == 1 || of[ep] <= 2);
    }
    assert_int_equal(silent, 16); /* a quarter of the slots */
    th_sched_free(s);
}

static void in_a_crowd_schedules_slip_and_never_shorten(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){.max_in_flight = 32});
    const struct th_rules *rules = rules_of("techwriter");
    int64_t due[101] = {0}, now = 0;
    unsigned attempts[101] = {0}, open = 100, late = 0;
    struct th_queue_row out;

    (void)state;
    put(s, endpoint(1, 1), 0);
    for (uint64_t no = 1; no <= 100; no++)
        add(s, no, 1, 0);
    while (open) {
        struct th_queue_row batch[32];
        unsigned n = 0;
        while (th_sched_pick(s, at_us(now), &out)) {
            assert_true(n < 32 && now >= due[out.no]);
            late += now > due[out.no];
            assert_int_equal(attempts[out.no]++,
                             out.tries); /* none is suppressed, none counted that was not made */
            batch[n++] = out;
        }
        if (!n) {
            struct th_mono next = th_sched_next(s, at_us(now));
            assert_true(next.us > now && next.us != INT64_MAX);
            now = next.us;
            continue;
        }
        for (unsigned i = 0; i < n; i++) {
            struct th_next_step step =
                th_retry_step(rules, TH_HTTP_TIMEOUT, 0, UINT32_MAX, batch[i].tries, 0, false);
            uint64_t no = batch[i].no;
            th_sched_result(s, no, TH_LEARN_FAILED, at_us(now), at_us(now + 30 * S));
            due[no] = now + 30 * S + step.delay_ms * 1000;
            batch[i].tries++;
            th_sched_settled(s, no, step.verdict == TH_V_AGAIN ? &batch[i] : NULL, at_us(due[no]),
                             at_us(now + 30 * S));
            open -= step.verdict != TH_V_AGAIN;
        }
        now += 30 * S;
    }
    assert_true(late > 0);
    for (unsigned no = 1; no <= 100; no++)
        assert_int_equal(attempts[no], 5);
    th_sched_free(s);
}

static unsigned sent_within(double rate, int64_t seconds, unsigned *first_second)
{
    struct th_sched *s = world_new((struct th_sched_options){.max_items_per_endpoint = 100000});
    struct th_sched_endpoint e = endpoint(1, 1);
    unsigned sent = 0;
    int64_t now = 3 * S + 1, start = now;

    e.rate_per_s = rate;
    put(s, e, now);
    for (uint64_t no = 1; no <= 5000; no++)
        add(s, no, 1, now);
    *first_second = 0;
    while (now < start + seconds * S) {
        uint64_t no = pick(s, now);
        if (no) {
            sent++;
            *first_second += now < start + S;
            end(s, no, TH_LEARN_OK, now, now);
        } else {
            struct th_mono next = th_sched_next(s, at_us(now));
            assert_true(next.us > now);
            now = next.us;
        }
    }
    th_sched_free(s);
    return sent;
}

static void buckets_hold_their_rate_for_minutes(void **state)
{
    unsigned first;

    (void)state;
    /* at most rate x time and the one that a second begins with */
    assert_in_range(sent_within(10, 300, &first), 3000, 3010);
    assert_int_equal(first, 10);
    assert_in_range(sent_within(0.2, 600, &first), 120, 121);
    assert_int_equal(first, 1);
    assert_in_range(sent_within(1.0 / 3, 300, &first), 100, 101);
    assert_in_range(sent_within(7.7, 120, &first), 924, 932);
    assert_int_equal(sent_within(0, 1, &first), 5000);
}

#define LOGGED 20000

/* The fullest second that begins with a request. */
static unsigned fullest(const int64_t *at, unsigned n)
{
    unsigned most = 0;

    for (unsigned i = 0, first = 0; i < n; i++) {
        while (at[i] - at[first] >= S)
            first++;
        most = i + 1 - first > most ? i + 1 - first : most;
    }
    return most;
}

/* Starts whatever may start until then. The caller wakes up to `late_us` after the moment that it was told. */
static unsigned start_until(struct th_sched *s, int64_t *now, int64_t until, int64_t late_us, int64_t *at,
                            unsigned n)
{
    while (*now < until) {
        uint64_t no = pick(s, *now);
        if (no) {
            assert_true(n < LOGGED);
            at[n++] = *now;
            end(s, no, TH_LEARN_OK, *now, *now);
        } else {
            int64_t next = th_sched_next(s, at_us(*now)).us;
            *now = next < until ? next + (late_us ? (int64_t)n * 997 % late_us : 0) : until;
        }
    }
    return n;
}

static void no_second_has_more_than_the_rate(void **state)
{
    static const double rates[] = {1, 2, 3, 7.5, 10, 49, 50, 99, 100, 1000, 3000};
    static int64_t at[LOGGED];

    (void)state;
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++)
        for (int64_t late = 0; late <= 2000; late += 2000) {
            struct th_sched *s = world_new((struct th_sched_options){.max_items_per_endpoint = 100000});
            struct th_sched_endpoint e = endpoint(1, 1);
            int64_t now = 7 * S + 3;
            unsigned n = 0, least = (unsigned)(rates[r] * (late ? 3 * 0.9 : 3 * 0.98));
            e.rate_per_s = rates[r];
            put(s, e, now);
            for (uint64_t no = 1; no <= 12000; no++)
                add_lane(s, no, no % 3 ? TH_LANE_FRESH : TH_LANE_MANUAL, 0, now, now);
            n = start_until(s, &now, now + 3 * S, late, at, n);
            now += 10 * S; /* an idle one gathers nothing */
            n = start_until(s, &now, now + S, late, at, n);
            assert_true((double)fullest(at, n) < rates[r] + 1);
            assert_true(n >= least);
            th_sched_free(s);
        }
}

static void a_host_gets_no_more_than_its_rate_in_any_second(void **state)
{
    static const double rates[] = {1, 3, 7.5, 10, 100};
    static int64_t at[LOGGED];

    (void)state;
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        struct th_sched *s = world_new((struct th_sched_options){0});
        int64_t now = 7 * S + 3, began = now;
        unsigned n;

        for (uint64_t no = 1; no <= 20; no++) {
            struct th_sched_endpoint e = endpoint(no, 1);
            e.host = 5;
            e.host_rate_per_s = rates[r];
            e.from_before = true;
            put(s, e, now);
            for (uint64_t k = 0; k < 20; k++)
                add(s, no * 100 + k, no, now);
        }
        n = start_until(s, &now, now + 3 * S, 0, at, 0);
        assert_true((double)fullest(at, n) < rates[r] + 1);
        assert_true(n >= (unsigned)(rates[r] * 3 * 0.9) &&
                    at[0] > began); /* what was sent just before is not known */
        th_sched_free(s);
    }
}

/* One request at a time to the address of four endpoints; the first has the most to send. Each gets every fourth, in order of
 * its numbers, and each is picked in vain once at most. */
static void an_address_serves_those_that_wait_in_turn(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    uint64_t served[5] = {0}, under_way = 0, key = 77, last[5] = {0};
    unsigned vain = 0, ended = 0;
    struct th_queue_row r;
    int64_t now = S;

    (void)state;
    for (uint64_t ep = 1; ep <= 4; ep++) {
        struct th_sched_endpoint e = endpoint(ep, 1);
        e.max_in_flight = 1;
        e.address_in_flight = 1;
        put(s, e, now);
        for (uint64_t k = 0; k < (ep == 1 ? 100 : 20); k++)
            add(s, ep * 1000 + k, ep, now);
    }
    while (ended < 80) {
        while (th_sched_pick(s, at_us(now), &r)) {
            uint64_t at = key;
            if (th_sched_connect(s, r.no, &at, 1, at_us(now))) {
                assert_int_equal(under_way, 0);
                assert_int_equal(at, key);
                assert_true(r.no > last[r.endpoint]);
                under_way = last[r.endpoint] = r.no;
                served[r.endpoint]++;
            } else {
                assert_int_equal(at, 0);
                vain++;
                th_sched_result(s, r.no, TH_LEARN_NEUTRAL, at_us(now), at_us(now));
                th_sched_settled(s, r.no, &r, at_us(now), at_us(now));
            }
            world_check(s);
        }
        assert_true(th_sched_next(s, at_us(now)).us > now); /* nothing to do but to wait */
        assert_int_equal(th_sched_address_most(s, 1), 1);
        now += 1000;
        th_sched_disconnect(s, &key, 1, at_us(now));
        end(s, under_way, TH_LEARN_OK, now - 1000, now);
        under_way = 0;
        ended++;
        world_check(s);
    }
    for (uint64_t ep = 1; ep <= 4; ep++)
        assert_in_range(served[ep], 19, 21);
    assert_true(vain <= 4 * 20 + 4);
    assert_int_equal(th_sched_address_most(s, 1), 0);
    th_sched_free(s);
}

static void a_new_pace_and_a_new_start_keep_the_rate(void **state)
{
    static const double rates[] = {10, 100, 0, 10, 0.1, 10, 3, 50};
    static int64_t at[LOGGED];
    struct th_sched *s = world_new((struct th_sched_options){.max_items_per_endpoint = 100000});
    struct th_sched_endpoint e = endpoint(1, 1);
    int64_t now = S;
    unsigned n = 0;

    (void)state;
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        unsigned before = n;
        int64_t from = now;
        e.rate_per_s = rates[r];
        put(s, e, now);
        put(s, e, now);                        /* a second time changes nothing */
        for (uint64_t no = 1; no <= 500; no++) /* more than goes out, but for the one without a limit */
            add(s, 1000 * (r + 1) + no, 1, now);
        n = start_until(s, &now, now + (rates[r] > 0 ? 3 * S / 2 : 1), 0, at, n);
        if (rates[r] > 0)
            assert_true((double)fullest(at + before, n - before) < rates[r] + 1);
        if (rates[r] > 1) /* nothing that a slower pace had spent holds it up */
            assert_true(n > before && at[before] - from <= S);
        if (rates[r] > 0 && before && rates[r - 1] <= 0) /* the crowd of before counts as its share */
            assert_true(at[before] - at[before - 1] >= (int64_t)(1e6 / rates[r]));
    }
    th_sched_free(s);

    for (int64_t down = 0; down <= S / 2; down += S / 10) { /* killed, and back at once or after a while */
        n = 0;
        e.rate_per_s = 10;
        for (unsigned life = 0; life < 5; life++, now += down) {
            s = world_new((struct th_sched_options){0});
            e.from_before = life > 0;
            put(s, e, now);
            for (uint64_t no = 1; no <= 100; no++)
                add(s, no, 1, now);
            n = start_until(s, &now, now + 7 * S / 10, 0, at, n);
            th_sched_free(s);
        }
        assert_true(fullest(at, n) <= 10);
        assert_true(n >= 5 * 6);
    }
    e.rate_per_s = 0.001; /* and a slow one does not wait for its whole interval again */
    s = world_new((struct th_sched_options){0});
    put(s, e, now);
    add(s, 1, 1, now);
    assert_int_equal(th_sched_next(s, at_us(now)).us, now + S);
    th_sched_free(s);
}

/* ---- slots ---- */

static void half_of_the_slots_stay_for_the_proven(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){.max_in_flight = 16});
    struct th_sched_endpoint_stats stats;
    uint64_t no[32];
    unsigned n;

    (void)state;
    put(s, endpoint(1000, 1), 0);
    add(s, 1, 1000, 0);
    assert_int_equal(pick(s, 0), 1);
    end(s, 1, TH_LEARN_OK, 0, 1000);
    assert_true(th_sched_endpoint_stats(s, 1000, &stats));
    assert_true(stats.proven);
    for (uint64_t ep = 1; ep <= 100; ep++) {
        put(s, endpoint(ep, 1), 1000);
        add(s, 100 + ep, ep, 1000);
    }
    n = pick_all(s, no, 1000);
    assert_int_equal(n, 7); /* the eighth is kept for the next newcomer */
    for (uint64_t i = 0; i < 8; i++)
        add(s, 500 + i, 1000, 1001);
    n = pick_all(s, no, 1001); /* all at once although 92 silent ones wait, but for the last eighth */
    assert_int_equal(n, 7);
    /* older than a second: booked with the others, and proven no more */
    assert_int_equal(pick(s, 1001 + S + 1), 0);
    assert_true(th_sched_endpoint_stats(s, 1000, &stats));
    assert_false(stats.proven);
    world_check(s);
    th_sched_free(s);
}

/* Ten silent newcomers take what is not kept and one slot of the reserve; the last one is for whoever comes next, and of two
 * that come, the later goes first. */
static void the_reserve_is_for_who_comes_next(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){.max_in_flight = 64});
    uint64_t no[64];
    unsigned n = 0;

    (void)state;
    for (uint64_t ep = 1; ep <= 40; ep++) {
        put(s, endpoint(ep, 1), 0);
        add(s, ep, ep, 0);
    }
    assert_int_equal(pick_all(s, no, 0), 25); /* half of 64, but for its last quarter, and one of that */
    for (uint64_t ep = 100; ep < 103; ep++) {
        put(s, endpoint(ep, 1), 1000);
        add(s, ep, ep, 1000);
    }
    assert_int_equal(pick_all(s, no, 1000),
                     0); /* the one of the reserve has not shown yet that it is silent */
    assert_int_equal(th_sched_next(s, at_us(1000)).us, S + 1);
    for (int64_t now = 1000; n < 2;) {
        int64_t next = th_sched_next(s, at_us(now)).us;
        assert_true(next > now);
        now = next;
        n += pick_all(s, no + n, now);
        assert_true(n == 0 || now < 5 * S);
        world_check(s);
    }
    assert_true(no[0] == 102 || no[1] == 102);
    assert_true(no[0] < 100 || no[1] < 100);
    end(s, 102, TH_LEARN_OK, 5 * S, 5 * S); /* an answer makes room at once */
    assert_int_equal(pick_all(s, no, 5 * S + 1000), 1);
    th_sched_free(s);
}

/* What was seen before the start, and what is no attempt, is told apart from what was never tried. */
static void newcomers_are_known(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){.max_in_flight = 16});
    struct th_sched_endpoint e = endpoint(4, 1);

    (void)state;
    for (uint64_t ep = 1; ep <= 4; ep++) {
        put(s, endpoint(ep, 1), 0);
        add(s, ep, ep, 0);
    }
    th_sched_endpoint_known(s, 1, 1000, 0, 400000);      /* dead for long */
    th_sched_endpoint_known(s, 2, 390000, 1000, 400000); /* shaken */
    assert_int_equal(pick(s, 0), 3);
    end(s, 3, TH_LEARN_NEUTRAL, 0, 0);
    add(s, 33, 3, 0);
    assert_int_equal(pick(s, 0), 2);
    assert_int_equal(pick(s, 0), 4); /* before 33: it came first */
    end(s, 4, TH_LEARN_FAILED, 0, 0);
    add(s, 44, 4, 0);
    e.reset = true;
    put(s, e, 0);
    assert_int_equal(pick(s, 0), 1); /* every fourth turn is theirs */
    assert_int_equal(pick(s, 0), 33);
    assert_int_equal(pick(s, 0), 44);
    world_check(s);
    th_sched_free(s);
}

static void tenants_take_turns(void **state)
{
    struct th_sched *s = world_new((struct th_sched_options){0});
    unsigned of[3] = {0};

    (void)state;
    for (uint64_t ep = 1; ep <= 20; ep++)
        put(s, endpoint(ep, 1), 0);
    put(s, endpoint(30, 2), 0);
    for (uint64_t no = 1; no <= 200; no++)
        add(s, no, 1 + no % 20, 0);
    for (uint64_t no = 301; no <= 400; no++)
        add(s, no, 30, 0);
    for (unsigned i = 0; i < 120; i++) { /* after every endpoint has been tried once */
        uint64_t no = pick_end(s, (int64_t)i * 10);
        of[no > 300 ? 2 : 1] += i >= 40;
    }
    assert_in_range(of[2], 39, 41); /* one endpoint against twenty, and half of the turns */
    th_sched_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lone_deliveries_keep_every_schedule),
        cmocka_unit_test(lanes_go_in_their_order),
        cmocka_unit_test(replay_gets_every_sixteenth_pick),
        cmocka_unit_test(known_numbers_change_nothing),
        cmocka_unit_test(manual_retry_makes_a_waiting_one_due),
        cmocka_unit_test(row_of_the_past_changes_nothing),
        cmocka_unit_test(held_endpoints_send_only_what_is_asked_for),
        cmocka_unit_test(lines_that_are_held_let_nothing_pass_but_tests),
        cmocka_unit_test(tests_pass_and_count_for_nothing),
        cmocka_unit_test(cancelled_ones_are_not_sent),
        cmocka_unit_test(deleting_an_endpoint_with_requests_under_way),
        cmocka_unit_test(the_limit_is_the_same_whatever_comes_back),
        cmocka_unit_test(the_breaker_is_for_silence),
        cmocka_unit_test(silent_endpoints_wait_where_slots_are_scarce),
        cmocka_unit_test(in_a_crowd_schedules_slip_and_never_shorten),
        cmocka_unit_test(buckets_hold_their_rate_for_minutes),
        cmocka_unit_test(no_second_has_more_than_the_rate),
        cmocka_unit_test(a_host_gets_no_more_than_its_rate_in_any_second),
        cmocka_unit_test(an_address_serves_those_that_wait_in_turn),
        cmocka_unit_test(a_new_pace_and_a_new_start_keep_the_rate),
        cmocka_unit_test(half_of_the_slots_stay_for_the_proven),
        cmocka_unit_test(the_reserve_is_for_who_comes_next),
        cmocka_unit_test(newcomers_are_known),
        cmocka_unit_test(tenants_take_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
