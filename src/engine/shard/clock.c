/* Compares the wall clock with the steady clock. Moments that are compared over days are wall time: how long
 * an endpoint has failed, how old an event is. A step of the wall clock (a machine that starts before it
 * knows the time, a wrong time server) must not make five minutes of failures into five years, nor everything
 * in the store into something old.
 *
 * After a step of more than an hour the health of endpoints moves along with it, so that their distances stay, and retention
 * waits for an hour: time to set the clock right. A step back while no process runs is not noticed, but its
 * effect is: a stored retry would be due later than its schedule can have made it. Then the schedule's own
 * length counts, from the last moment at which the clock can have been set back: the retry is never early,
 * and late at most by the time of the stop. Refuses: to judge which time is right. Nothing here can fail. */
#include "engine/shard/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/job.h"
#include "engine/mail.h"
#include "engine/settings/settings.h"
#include "engine/shard/health.h"
#include "engine/state.h"

#define STEP_MS 3600000
#define HOLD_US (INT64_C(3600) * 1000000)
#define TOLERANCE_MS                                                                                         \
    2000             /* by which a due time may be later than its schedule says: clocks are slewed, too */
#define BACK_MS 1000 /* a step back that counts */

static int64_t offset_ms(const struct th_engine *e)
{
    return e->now.wall.ms - e->now.mono.us / 1000;
}

static int64_t moved(int64_t at_ms, int64_t step_ms)
{
    return at_ms && at_ms + step_ms > 0 ? at_ms + step_ms : at_ms;
}

static void move_health(struct th_engine *e, struct th_ep *ep, int64_t step_ms)
{
    struct th_health *f = &ep->pub.health;

    if (!th_is_mine(e, ep->pub.no) || (!f->first_fail && !f->last_ok && f->rest_until <= 0))
        return;
    f->first_fail = moved(f->first_fail, step_ms);
    f->last_ok = moved(f->last_ok, step_ms);
    if (f->rest_until > 0) {
        f->rest_since += step_ms;
        f->rest_until += step_ms;
    }
    th_health_touch(e, ep);
}

void th_clock_begin(struct th_engine *e)
{
    e->clock_offset_ms = e->clock_top_ms = offset_ms(e);
    e->clock_whole = e->now.mono;
}

/* Due times are wall clock on disk and monotonic in memory. */
static struct th_mono mono_of(const struct th_engine *e, int64_t wall_ms)
{
    int64_t ahead = wall_ms - e->now.wall.ms;

    if (ahead <= 0)
        return e->now.mono;
    if (ahead > INT64_MAX / 4000)
        return TH_MONO_NEVER;
    return (struct th_mono){e->now.mono.us + ahead * 1000};
}

/* A delivery that an answer with Retry-After has put off, even if the endpoint has come back since: its due time is from after
 * the last moment at which the clock can have been set back. */
static bool was_asked(const struct th_engine *e, const struct th_ep *ep, int64_t due_ms)
{
    return ep->asked_at.us > e->clock_whole.us && due_ms <= ep->asked_until_ms + TOLERANCE_MS;
}

/* Its publisher has chosen this moment, by the clock on the wall. */
static bool is_put_off(const struct th_queue_row *row)
{
    return row->marks & TH_MARK_DELAYED && !row->attempts;
}

/* A delivery that waits under a schedule that the endpoint had before. */
static bool waits_as_before(const struct th_ep *ep, int64_t due_ms)
{
    return due_ms <= ep->pub.spec.retry_until + TOLERANCE_MS;
}

/* Retry-After, too, makes a due time later. It need not be asked about here: the endpoint rests as long, by its health; but
 * one that was stored before it told that (-1) do not say so. */
static int64_t longest_ms(const struct th_ep *ep, const struct th_rules *rules, unsigned tries)
{
    int64_t schedule_ms = th_retry_delay_ms(rules, tries, UINT32_MAX), asked_ms = 0;

    if (tries && ep->pub.health.rest_until < 0 && rules->retry_after.count)
        asked_ms = (int64_t)rules->retry_after_max_s * 1000;
    return schedule_ms > asked_ms ? schedule_ms : asked_ms;
}

struct th_mono th_clock_due(const struct th_engine *e, const struct th_queue_row *row)
{
    struct th_mono due = mono_of(e, row->due);
    const struct th_ep *ep;
    const struct th_rules *rules;
    struct th_rules room;

    if (due.us <= e->now.mono.us || is_put_off(row))
        return due;
    ep = th_map_get(&e->endpoints, row->endpoint);
    if (!ep)
        return due;
    rules = th_ep_rules(&ep->pub, &room);
    if (due.us - e->now.mono.us <= (longest_ms(ep, rules, row->tries) + TOLERANCE_MS) * 1000 ||
        was_asked(e, ep, row->due) || waits_as_before(ep, row->due))
        return due;
    due.us = e->clock_whole.us + th_retry_delay_ms(rules, row->tries, 0) * 1000;
    return due.us > e->now.mono.us ? due : e->now.mono;
}

void th_clock_turn(struct th_engine *e)
{
    int64_t step_ms = offset_ms(e) - e->clock_offset_ms;

    e->clock_offset_ms += step_ms; /* small ones are how clocks are kept right */
    if (e->clock_offset_ms < e->clock_top_ms - BACK_MS) {
        e->clock_whole = e->now.mono;
        e->clock_top_ms = e->clock_offset_ms;
    } else if (e->clock_offset_ms > e->clock_top_ms) {
        e->clock_top_ms = e->clock_offset_ms;
    }
    if (step_ms <= STEP_MS && step_ms >= -STEP_MS)
        return;
    th_log(TH_LOG_WARN, "the clock has stepped; retention waits for an hour",
           TH_KC("direction", step_ms > 0 ? "forward" : "back"),
           TH_KI("seconds", (step_ms > 0 ? step_ms : -step_ms) / 1000));
    e->jobs[TH_JOB_RETENTION].at.us = e->jobs[TH_JOB_TRIM].at.us = e->now.mono.us + HOLD_US;
    for (unsigned i = 0; i < e->tenant_count; i++)
        for (unsigned k = 0; k < e->tenants[i]->endpoint_count; k++)
            move_health(e, TH_CONTAINER(e->tenants[i]->endpoints[k], struct th_ep, pub), step_ms);
}
