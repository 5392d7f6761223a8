/* The breaker of one endpoint: open while nobody is there.
 *
 * It counts silence (time-outs, refused connections, names that do not resolve) and nothing else: an answer
 * that refuses a delivery, fast or slow, closes it. Requests run side by side, so one dead minute ends many
 * of them at once; what counts is how often in a row there was nobody, so a request makes a new round only if
 * it began after the one that was counted before it had ended.
 *
 * An open breaker delays nothing by itself. It lowers the rank of the endpoint, which matters where slots are
 * scarce (sched_ring.c); it never suppresses an attempt and never counts one, and sends no probe of its own.
 *
 * Invariants: open is rounds >= TH_BREAKER_ROUNDS; one answer clears everything. Nothing here can fail. */
#include "core/breaker.h"

void th_breaker_init(struct th_breaker *b)
{
    *b = (struct th_breaker){.round_end_us = INT64_MIN};
}

void th_breaker_answered(struct th_breaker *b)
{
    th_breaker_init(b);
}

void th_breaker_silent(struct th_breaker *b, struct th_mono began, struct th_mono now)
{
    if (b->silent < UINT32_MAX)
        b->silent++;
    if (began.us < b->round_end_us || b->open)
        return;
    b->round_end_us = now.us;
    b->rounds++;
    b->open = b->rounds >= TH_BREAKER_ROUNDS;
}
