/* Measures how long each turn of the loop has made everybody wait: see turn_clock.c. */
#ifndef TH_APP_TURN_CLOCK_H
#define TH_APP_TURN_CLOCK_H
#include "base/metric.h"
#include <uv.h>

struct th_turn_clock {
    bool counts;
    int64_t timers_us; /* upper bound of the time that this turn's timers took */
    int64_t read_us;   /* the thread's processor time when it was last read */
    unsigned turns;    /* number of turns since then */
    int64_t usual_us;  /* time that a short turn takes */
};

/** To be called when the loop's timers have run, before it looks at the network. On the loop's thread, as all
 * of these. */
void th_turn_clock_look(struct th_turn_clock *c, const uv_loop_t *loop);
/** To be called when the turn is over: counts it as TH_H_LOOP_TURN, now or together with later turns. */
void th_turn_clock_end(struct th_turn_clock *c, const uv_loop_t *loop, struct th_metrics *m);
/** Counts turns from now on, because those of the start are over. */
void th_turn_clock_begin(struct th_turn_clock *c);

#endif
