/* Measures the processor time of the loop's thread turn by turn, without asking the kernel in each.
 *
 * The thread's processor time is a system call, and a busy loop takes thousands of turns a second that are all short. So it is read
 * after every TURNS short turns, which then count with their average, and after each turn that may have been
 * long. The wall clock shows whether one may have been, and costs no system call: the loop notes it to the
 * millisecond when it has looked at the network. So a turn that took more than SHORT_US is never hidden among
 * short ones.
 *
 * Refuses: nothing. Invariant: the sum of what is counted is the thread's processor time. It does not fail. */
#include "app/turn_clock.h"
#include <time.h>

enum { TURNS = 16, SHORT_US = 3000 };

static int64_t thread_us(void)
{
    struct timespec t;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Since the loop last noted the time; up to a millisecond more than it was. */
static int64_t since_noted_us(const uv_loop_t *loop)
{
    return (int64_t)(uv_hrtime() / 1000) - (int64_t)uv_now(loop) * 1000;
}

void th_turn_clock_begin(struct th_turn_clock *c)
{
    *c = (struct th_turn_clock){.counts = true, .read_us = thread_us()};
}

void th_turn_clock_look(struct th_turn_clock *c, const uv_loop_t *loop)
{
    c->timers_us = since_noted_us(loop);
}

void th_turn_clock_end(struct th_turn_clock *c, const uv_loop_t *loop, struct th_metrics *m)
{
    bool is_short = c->timers_us + since_noted_us(loop) < SHORT_US;
    int64_t now_us, spent_us, others_us;

    if (!c->counts || (++c->turns < TURNS && is_short))
        return;
    now_us = thread_us();
    spent_us = now_us - c->read_us;
    if (is_short) {
        c->usual_us = spent_us / c->turns;
        th_observe_many(m, TH_H_LOOP_TURN, c->usual_us, c->turns);
    } else {
        others_us = c->usual_us * (c->turns - 1);
        if (others_us > spent_us)
            others_us = spent_us;
        if (c->turns > 1)
            th_observe_many(m, TH_H_LOOP_TURN, others_us / (c->turns - 1), c->turns - 1);
        th_observe_many(m, TH_H_LOOP_TURN, spent_us - others_us, 1);
    }
    c->read_us = now_us;
    c->turns = 0;
}
