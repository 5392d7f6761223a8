/* How many requests one endpoint may have under way: the concurrency window, and the breaker as its lowest
 * state. */
#ifndef TH_CORE_BREAKER_H
#define TH_CORE_BREAKER_H
#include "base/time.h"

#define TH_WINDOW_START 2 /* requests before anything is known */
#define TH_BREAKER_COHORTS                                                                                   \
    3 /* whole windows of failures, without a success between them, that open the breaker */

struct th_window {
    float limit; /* 1 .. ceiling */
    uint32_t ceiling;
    uint32_t failed_run;   /* failures since the last success or counted cohort */
    uint8_t cohorts;       /* whole windows failed since the last success */
    bool open;             /* one request at a time, spaced */
    bool slow_start;       /* no failure yet: grows by one with each success */
    int64_t last_start_us; /* last request that is no test; INT64_MIN: none */
};

void th_window_init(struct th_window *w, uint32_t ceiling);
/** Another ceiling (at least 1); the window is cut if it is above. */
void th_window_ceiling(struct th_window *w, uint32_t ceiling);
/** Requests allowed at once. */
uint32_t th_window_size(const struct th_window *w);
/** Not before this moment may the next request start: the spacing of probes while open, else the beginning of
 * time. */
int64_t th_window_not_before_us(const struct th_window *w, int64_t spacing_us);
void th_window_started(struct th_window *w, struct th_mono now);
/** The next request need not wait for the spacing. */
void th_window_probe_now(struct th_window *w);
void th_window_ok(struct th_window *w);
void th_window_failed(struct th_window *w);
#endif
