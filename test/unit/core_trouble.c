/* Trouble of endpoints: the window, the thresholds with their hysteresis, and that nothing is told twice, whatever happens. */
#include "core/trouble.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MINUTE_US (INT64_C(60) * 1000000)

static const struct th_rules never = {.delays = 0};

static uint64_t next(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void the_window_has_thirty_to_sixty_minutes(void **state)
{
    struct th_trouble t = {.told = 0};
    uint32_t first, fail;

    (void)state;
    for (int64_t minute = 1; minute <= 600; minute++) {
        th_trouble_first(&t, minute % 2, (struct th_mono){minute * MINUTE_US});
        th_trouble_window(&t, (struct th_mono){minute * MINUTE_US}, &first, &fail);
        assert_in_range(first, minute < 30 ? minute : 30, minute < 60 ? minute : 60);
        assert_in_range(fail, first / 2, first / 2 + 1);
    }
    th_trouble_window(&t, (struct th_mono){700 * MINUTE_US}, &first, &fail);
    assert_int_equal(first, 0);
}

static void a_rate_is_told_at_half_and_over_at_a_fifth(void **state)
{
    struct th_trouble t = {.told = 0};
    struct th_health ok = {.last_ok = 1};
    struct th_wall at = {1000};
    struct th_mono now = {MINUTE_US};

    (void)state;
    for (int i = 0; i < 9; i++) {
        th_trouble_first(&t, false, now);
        assert_int_equal(th_trouble_new(&t, &never, &ok, false, at, now), 0);
    }
    th_trouble_first(&t, false, now);
    assert_int_equal(th_trouble_new(&t, &never, &ok, false, at, now), TH_TROUBLE_RATE);
    assert_int_equal(th_trouble_new(&t, &never, &ok, false, at, now), 0);
    for (int i = 0; i < 39; i++) {
        th_trouble_first(&t, true, now);
        assert_false(th_trouble_over(&t, &ok, now));
    }
    th_trouble_first(&t, true, now);
    assert_true(th_trouble_over(&t, &ok, now));
    assert_false(th_trouble_over(&t, &ok, now));
}

static void a_rule_is_told_of_at_half_of_its_way(void **state)
{
    const struct th_rules time = {.disable_after_s = 1000}, count = {.disable_after_exhausted = 6};
    struct th_trouble t = {.told = 0};
    struct th_health h = {.first_fail = 5000};

    (void)state;
    assert_int_equal(th_trouble_disable_at(&time, &h), 1005000);
    assert_int_equal(th_trouble_new(&t, &time, &h, false, (struct th_wall){504999}, (struct th_mono){1}), 0);
    assert_int_equal(th_trouble_new(&t, &time, &h, false, (struct th_wall){505000}, (struct th_mono){1}),
                     TH_TROUBLE_DISABLING);
    assert_false(th_trouble_over(&t, &h, (struct th_mono){1}));
    h.first_fail = 0;
    assert_true(th_trouble_over(&t, &h, (struct th_mono){1}));
    assert_int_equal(th_trouble_disable_at(&time, &h), 0);
    for (h.exhausted_run = 0; h.exhausted_run < 3; h.exhausted_run++)
        assert_int_equal(th_trouble_new(&t, &count, &h, false, (struct th_wall){1}, (struct th_mono){1}), 0);
    assert_int_equal(th_trouble_new(&t, &count, &h, false, (struct th_wall){1}, (struct th_mono){1}),
                     TH_TROUBLE_DISABLING);
}

/* A hundred random lives: between two of the same kind there is always the end of all trouble, that end comes only when nothing is the
 * matter, and what comes and goes within minutes is told once. */
static void nothing_is_told_twice(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t rnd = seed;
        struct th_trouble t = {.told = 0};
        struct th_health h = {.last_ok = 1};
        struct th_mono now = {1};
        unsigned told = 0, changes = 0;

        for (unsigned i = 0; i < 3000; i++) {
            unsigned bad = i / 500 % 2 ? 80 : 10;
            bool ok = next(&rnd) % 100 >= bad, silent = !ok && next(&rnd) % 2;
            uint32_t first, fail;

            now.us += (int64_t)(next(&rnd) % 20) * 1000000;
            if (silent)
                t.silent_us = now.us;
            th_trouble_first(&t, ok, now);
            if (ok) {
                h.first_fail = 0;
                if (!th_trouble_over(&t, &h, now))
                    continue;
                th_trouble_window(&t, now, &first, &fail);
                assert_true(told && (!(told & TH_TROUBLE_RATE) || fail * 5 <= first) &&
                            now.us - t.silent_us >= TH_TROUBLE_QUIET_US);
                told = 0;
                changes++;
            } else {
                unsigned new = th_trouble_new(&t, &never, &h, silent, (struct th_wall){1}, now);

                assert_int_equal(new &told, 0);
                told |= new;
            }
        }
        assert_in_range(changes, 1, 50); /* in eight hours that change between good and bad */
    }
}

static void silence_of_all_is_our_own(void **state)
{
    struct th_blackout b = {.count = 0};

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_false(th_trouble_blackout(&b, 1)); /* one alone is itself to blame */
    assert_false(th_trouble_blackout(&b, 2));
    assert_true(th_trouble_blackout(&b, 3));
    assert_true(th_trouble_blackout(&b, 1));
    assert_true(th_trouble_blackout(&b, 4));
    th_blackout_answered(&b);
    assert_false(th_trouble_blackout(&b, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_has_thirty_to_sixty_minutes),
        cmocka_unit_test(a_rate_is_told_at_half_and_over_at_a_fifth),
        cmocka_unit_test(a_rule_is_told_of_at_half_of_its_way),
        cmocka_unit_test(nothing_is_told_twice),
        cmocka_unit_test(silence_of_all_is_our_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
