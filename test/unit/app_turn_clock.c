/* Turns of the loop are counted one by one, and a long one is never hidden among short ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "app/turn_clock.h"
#include <time.h>

enum { TURNS = 16 * 10, LONG_AT = 16 * 5 + 7, LONG_MS = 15 };

static struct loop {
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;
    struct th_turn_clock clock;
    struct th_metrics metrics;
    unsigned turn;
    bool in_timer;
} l;

static int64_t cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void work(void)
{
    for (int64_t end = cpu_us() + LONG_MS * 1000; cpu_us() < end;)
        ;
}

static void on_idle(uv_idle_t *i)
{
    (void)i;
}

static void on_timer(uv_timer_t *t)
{
    (void)t;
    work();
}

static void on_prepare(uv_prepare_t *p)
{
    (void)p;
    th_turn_clock_look(&l.clock, &l.loop);
}

static void on_check(uv_check_t *c)
{
    (void)c;
    l.turn++;
    if (l.turn == LONG_AT && !l.in_timer)
        work();
    if (l.turn == LONG_AT - 1 && l.in_timer)
        uv_timer_start(&l.timer, on_timer, 0, 0);
    th_turn_clock_end(&l.clock, &l.loop, &l.metrics);
    if (l.turn == TURNS)
        uv_stop(&l.loop);
}

static uint64_t above_10_ms(uint64_t *all)
{
    uint64_t n = 0;

    *all = 0;
    for (unsigned i = 0; i <= TH_HISTOGRAM_BUCKETS; i++) {
        uint64_t here = atomic_load(&l.metrics.histogram[TH_H_LOOP_TURN].bucket[i]);

        *all += here;
        n += i >= 10 ? here : 0; /* bounds are 10, 20, 50 us, ...; the tenth is 10 ms */
    }
    return n;
}

static void run(bool in_timer)
{
    uint64_t all;

    memset(&l, 0, sizeof l);
    l.in_timer = in_timer;
    uv_loop_init(&l.loop);
    uv_prepare_init(&l.loop, &l.prepare);
    uv_check_init(&l.loop, &l.check);
    uv_idle_init(&l.loop, &l.idle);
    uv_timer_init(&l.loop, &l.timer);
    uv_idle_start(&l.idle, on_idle);
    uv_prepare_start(&l.prepare, on_prepare);
    uv_check_start(&l.check, on_check);
    th_turn_clock_begin(&l.clock);
    uv_run(&l.loop, UV_RUN_DEFAULT);
    assert_int_equal(above_10_ms(&all), 1);
    assert_int_equal(all + l.clock.turns, TURNS);
    assert_true(l.clock.turns < 16);
    assert_true(atomic_load(&l.metrics.histogram[TH_H_LOOP_TURN].sum_us) >= LONG_MS * 1000);
    uv_close((uv_handle_t *)&l.prepare, NULL);
    uv_close((uv_handle_t *)&l.check, NULL);
    uv_close((uv_handle_t *)&l.idle, NULL);
    uv_close((uv_handle_t *)&l.timer, NULL);
    uv_run(&l.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&l.loop), 0);
}

static void a_long_turn_is_seen_among_short_ones(void **state)
{
    (void)state;
    run(false);
}

static void so_is_one_whose_time_went_into_a_timer(void **state)
{
    (void)state;
    run(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_turn_is_seen_among_short_ones),
        cmocka_unit_test(so_is_one_whose_time_went_into_a_timer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
