/* Retention of single tenants: events that are older than their tenant keeps them leave the store, in steps beside the deliveries.
 *
 * A pass goes through the events from the oldest on, and the next one begins where something can have become too old since: a day
 * before the longest of these retentions. When a rule changes, the next pass goes through all. A delivery of a deleted event that is still in a
 * scheduler is forgotten when its turn comes, as its event is not found. Without memory: again after a minute. */
#include "engine/control/trim.h"
#include "base/alloc.h"
#include "engine/context.h"
#include "engine/job.h"
#include "engine/mail.h"
#include "engine/state.h"

#define PAUSE_US 60000000
#define STEP_US 10000
#define DAY_MS INT64_C(86400000)

static uint64_t first_number(int64_t at_ms)
{
    return at_ms > TH_NUMBERS_FROM_MS ? (uint64_t)((at_ms - TH_NUMBERS_FROM_MS) / DAY_MS) << 40 : 0;
}

static void trimmed(struct th_op *op)
{
    struct th_engine *e = op->user;
    struct th_trim *t = &e->trim;
    int64_t longest_ms = 0;

    e->jobs[TH_JOB_TRIM].busy = false;
    e->jobs[TH_JOB_TRIM].at.us = e->now.mono.us + PAUSE_US;
    if (op->error) {
        th_engine_store_error(e, op->error);
    } else {
        th_count(e->options.metrics, TH_C_RETENTION_DELETED, t->purged);
        th_count(e->options.metrics, TH_C_DELIVERIES_CANCELLED, t->cancelled);
        for (uint32_t i = 0; i < t->count; i++)
            longest_ms =
                t->at.ms - t->rules[i].before > longest_ms ? t->at.ms - t->rules[i].before : longest_ms;
        e->trim_from = t->next;
        if (t->next)
            e->jobs[TH_JOB_TRIM].at.us = e->now.mono.us + STEP_US;
        else
            e->trim_from = first_number(t->at.ms - longest_ms - DAY_MS);
    }
    th_free((void *)t->rules);
    t->rules = NULL;
}

struct th_mono th_trim_wanted(const struct th_engine *e)
{
    return e->walking || !th_is_first(e) ? TH_MONO_NEVER : e->now.mono;
}

/* Tenants are in order of their numbers. */
static uint32_t make_rules(struct th_engine *e, struct th_trim_rule *rules, uint64_t *mark)
{
    uint32_t n = 0;

    *mark = 0;
    for (unsigned i = 0; i < e->tenant_count; i++) {
        const struct th_tenant *t = e->tenants[i];

        if (!t->retention_s || t->deleting)
            continue;
        *mark = *mark * 31 + t->no * 7 + (uint64_t)t->retention_s;
        if (rules)
            rules[n] = (struct th_trim_rule){t->no, e->now.wall.ms - t->retention_s * 1000};
        n++;
    }
    return n;
}

void th_trim_begin(struct th_engine *e)
{
    uint64_t mark;
    uint32_t n = make_rules(e, NULL, &mark);
    struct th_trim_rule *rules = n ? th_malloc(n * sizeof *rules) : NULL;

    if (!rules) {
        e->jobs[TH_JOB_TRIM].at.us = e->now.mono.us + PAUSE_US;
        return;
    }
    (void)make_rules(e, rules, &mark);
    if (mark != e->trim_rules)
        e->trim_from = e->trim.next_delivery = 0;
    e->trim_rules = mark;
    e->trim = (struct th_trim){.op = {.kind = TH_OP_TRIM, .done = trimmed, .user = e},
                               .rules = rules,
                               .count = n,
                               .from = e->trim_from,
                               .delivery = e->trim.next_delivery,
                               .at = e->now.wall};
    e->jobs[TH_JOB_TRIM].busy = true;
    th_engine_submit(e, &e->trim.op);
}
