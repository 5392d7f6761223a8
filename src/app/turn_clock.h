/* How long the loop's thread has kept everybody waiting, turn by turn: see turn_clock.c. */
#ifndef TH_APP_TURN_CLOCK_H
#define TH_APP_TURN_CLOCK_H
#include "base/metric.h"
#include <uv.h>

struct th_turn_clock {
    bool counts;
    int64_t timers_us; /* what this turn's timers took, at most */
    int64_t read_us;   /* the thread's processor time when it was last read */
    unsigned turns;    /* since then */
    int64_t usual_us;  /* what a short turn has taken */
};

/** The loop's timers have run, and it looks at the network next. The loop's thread, as all of these. */
void th_turn_clock_look(struct th_turn_clock *c, const uv_loop_t *loop);
/** The turn is over: it is counted as TH_H_LOOP_TURN, now or with the turns that follow. */
void th_turn_clock_end(struct th_turn_clock *c, const uv_loop_t *loop, struct th_metrics *m);
/** Turns count from now on: those of the start are over. */
void th_turn_clock_begin(struct th_turn_clock *c);

#endif
