/* The concurrency window of one endpoint, in the manner of Postfix's scheduler.
 *
 * A success adds a whole request while nothing has failed yet (slow start), afterwards 1/limit, so about one
 * a window. A failure takes 1/limit away; a whole window of failures without a success (a cohort) halves it.
 * After TH_BREAKER_COHORTS cohorts the breaker is open: one request at a time, and the next one not sooner
 * than the spacing after the last began.
 *
 * The breaker has no probe of its own: the delivery that is due is the probe. It never suppresses an attempt
 * and never counts one. The spacing is at most the dialect's shortest delay, and a delivery's next attempt is
 * due that delay after the failure of its last, so a delivery that is alone is never held up by it.
 *
 * Invariants: 1 <= limit <= ceiling; open implies size 1; one success closes. Nothing here can fail. */
#include "core/breaker.h"

void th_window_init(struct th_window *w, uint32_t ceiling)
{
    *w = (struct th_window){.limit = TH_WINDOW_START, .slow_start = true, .last_start_us = INT64_MIN};
    th_window_ceiling(w, ceiling);
}

void th_window_ceiling(struct th_window *w, uint32_t ceiling)
{
    w->ceiling = ceiling ? ceiling : 1;
    if (w->limit > (float)w->ceiling)
        w->limit = (float)w->ceiling;
}

uint32_t th_window_size(const struct th_window *w)
{
    return w->open ? 1 : (uint32_t)w->limit;
}

int64_t th_window_not_before_us(const struct th_window *w, int64_t spacing_us)
{
    if (!w->open || w->last_start_us == INT64_MIN || spacing_us <= 0)
        return INT64_MIN;
    return w->last_start_us > INT64_MAX - spacing_us ? INT64_MAX : w->last_start_us + spacing_us;
}

void th_window_started(struct th_window *w, struct th_mono now)
{
    w->last_start_us = now.us;
}

void th_window_probe_now(struct th_window *w)
{
    w->last_start_us = INT64_MIN;
}

void th_window_ok(struct th_window *w)
{
    w->failed_run = 0;
    w->cohorts = 0;
    if (w->open) { /* alive again, but nothing is known about its strength */
        w->open = false;
        w->slow_start = true;
        w->limit = TH_WINDOW_START;
    } else {
        w->limit += w->slow_start ? 1 : 1 / w->limit;
    }
    if (w->limit > (float)w->ceiling)
        w->limit = (float)w->ceiling;
}

void th_window_failed(struct th_window *w)
{
    w->slow_start = false;
    if (w->open)
        return;
    w->failed_run++;
    if (w->failed_run >= (uint32_t)w->limit) {
        w->failed_run = 0;
        w->cohorts++;
        w->limit /= 2;
    } else {
        w->limit -= 1 / w->limit;
    }
    if (w->limit < 1)
        w->limit = 1;
    w->open = w->cohorts >= TH_BREAKER_COHORTS;
}
