/* The wall clock beside the steady one. Moments that are compared over days are wall time: how long an endpoint has failed, how
 * old an event is. A step of the wall clock (a machine that starts before it knows the time, a wrong time server) must not make
 * five minutes of failures into five years, nor everything in the store into something old.
 *
 * After a step of more than an hour the facts of endpoints move along with it, so that their distances stay, and retention
 * waits for an hour: time to set the clock right. Refuses: to judge which time is right; steps while no process runs are not
 * seen. Nothing here can fail. */
#include "engine/internal.h"

#define STEP_MS 3600000
#define HOLD_US (INT64_C(3600) * 1000000)

static int64_t offset_ms(const struct th_engine *e)
{
    return e->now.wall.ms - e->now.mono.us / 1000;
}

static int64_t moved(int64_t at_ms, int64_t step_ms)
{
    return at_ms && at_ms + step_ms > 0 ? at_ms + step_ms : at_ms;
}

static void move_facts(struct th_engine *e, struct th_ep *ep, int64_t step_ms)
{
    struct th_facts *f = &ep->pub.facts;

    if (!f->first_fail && !f->last_ok)
        return;
    f->first_fail = moved(f->first_fail, step_ms);
    f->last_ok = moved(f->last_ok, step_ms);
    th_facts_touch(e, ep);
}

void th_clock_begin(struct th_engine *e)
{
    e->clock_offset_ms = offset_ms(e);
}

void th_clock_turn(struct th_engine *e)
{
    int64_t step_ms = offset_ms(e) - e->clock_offset_ms;

    e->clock_offset_ms += step_ms; /* small ones are how clocks are kept right */
    if (step_ms <= STEP_MS && step_ms >= -STEP_MS)
        return;
    th_log(TH_LOG_WARN, "the clock has stepped; retention waits for an hour",
           TH_KC("direction", step_ms > 0 ? "forward" : "back"),
           TH_KI("seconds", (step_ms > 0 ? step_ms : -step_ms) / 1000));
    e->purge_at.us = e->now.mono.us + HOLD_US;
    for (unsigned i = 0; i < e->tenant_count; i++)
        for (unsigned k = 0; k < e->tenants[i]->endpoint_count; k++)
            move_facts(e, TH_CONTAINER(e->tenants[i]->endpoints[k], struct th_ep, pub), step_ms);
}
