/* The scheduler in virtual time: schedules, lanes, windows, buckets, breaker, hold, cancel, deletion. */
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
            struct th_sched *s = world_new((struct th_sched_conf){0});
            struct th_sched_endpoint e = endpoint(1, 1);
            int64_t at[20];
            unsigned n;
            e.probe_spacing_us = (int64_t)rules->delay_s[0] * S;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lone_deliveries_keep_every_schedule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
