/* The end of an attempt is recorded durably, and only then comes what follows from it.
 *
 * SENDING → ended → [the endpoint is to be disabled: its turn among the changes of settings] → its outcome is taken (slot free) → settle op → committed → DELIVERED | again at T | EXHAUSTED | FINAL. The
 * scheduler gets the delivery back only after the commit: no second request before the first is on record. If the process
 * dies before the commit, the attempt is made again; after it, the schedule goes on where it was.
 *
 * The health of the endpoint changes in memory when the settle is on its way, so it is written after it. If
 * the endpoint is to be disabled, that is stored in the same commit: nobody sees the delivery failed and the
 * endpoint active, and no crash comes between the two. */
#include "engine/shard/settle.h"
#include "base/check.h"
#include "engine/context.h"
#include "engine/job.h"
#include "engine/shard/attempt.h"
#include "engine/shard/batch.h"
#include "engine/shard/enable.h"
#include "engine/shard/events.h"
#include "engine/shard/operator.h"
#include "engine/shard/queue.h"
#include "engine/shard/report.h"
#include "engine/shard/trace.h"
#include "engine/state.h"

static void settled(struct th_op *op);

static void prepare(struct th_attempt *a)
{
    TH_CHECK(a->settle.delivery == a->row.no && a->settle.row.nth == a->row.attempts + 1);
    a->settle.row.test = a->row.lane == TH_LANE_TEST || th_span_is(a->event->row.type, TH_TEST_TYPE);
    a->settle.more = NULL;
}

void th_settle_submit(struct th_attempt *a)
{
    struct th_settle *last = &a->settle;

    prepare(a);
    for (struct th_attempt *m = th_batch_next(a, NULL); m; m = th_batch_next(a, m)) {
        prepare(m);
        last = last->more = &m->settle;
    }
    a->settle.op = (struct th_op){.kind = TH_OP_SETTLE, .done = settled, .user = a};
    th_engine_submit(a->e, &a->settle.op);
}

/* ---- after the commit ---- */

static enum th_counter outcome_counter(const struct th_attempt_row *row)
{
    _Static_assert((int)TH_C_ATTEMPTS_PROTOCOL - (int)TH_C_ATTEMPTS_DNS ==
                       (int)TH_HTTP_PROTOCOL - (int)TH_HTTP_DNS,
                   "in the same order");
    if (row->class == TH_HTTP_OK)
        return row->ok ? TH_C_ATTEMPTS_SUCCESS : TH_C_ATTEMPTS_STATUS;
    if (row->class >= TH_HTTP_DNS && row->class <= TH_HTTP_PROTOCOL)
        return (enum th_counter)(TH_C_ATTEMPTS_DNS + (row->class - TH_HTTP_DNS));
    return row->class == TH_HTTP_CLIENT_CERTIFICATE ? TH_C_ATTEMPTS_CLIENT_CERTIFICATE
           : row->class == TH_HTTP_TOKEN            ? TH_C_ATTEMPTS_TOKEN
                                                    : TH_C_ATTEMPTS_INTERNAL;
}

static void count(struct th_attempt *a)
{
    struct th_metrics *m = a->e->options.metrics;

    if (a->row.lane == TH_LANE_TEST) {
        th_count(m, a->verdict == TH_V_DELIVERED ? TH_C_TESTS_DELIVERED : TH_C_TESTS_FAILED, 1);
        return;
    }
    th_count(m, outcome_counter(&a->settle.row), 1);
    th_observe(m, TH_H_ATTEMPT_SECONDS, a->settle.row.us[4]);
    if (a->verdict == TH_V_DELIVERED) {
        th_count(m, TH_C_DELIVERIES_DELIVERED, 1);
        if (a->settle.row.nth == 1 && a->event->accepted.us)
            th_observe(m, TH_H_DELIVERY_SECONDS, a->e->now.mono.us - a->event->accepted.us);
    } else if (a->verdict != TH_V_AGAIN) {
        th_count(m,
                 a->verdict == TH_V_EXHAUSTED ? TH_C_DELIVERIES_EXHAUSTED
                 : a->verdict == TH_V_EXPIRED ? TH_C_DELIVERIES_EXPIRED
                                              : TH_C_DELIVERIES_FINAL,
                 1);
    }
}

/* Tells the log, the metrics and the operator's events. */
static void report(struct th_attempt *a, bool again)
{
    struct th_engine *e = a->e;

    if (a->row.lane == TH_LANE_TEST)
        return;
    if (a->recovered)
        th_operator_endpoint(e, a->ep, "recovered", "delivered");
    if (again && a->degraded)
        th_operator_delivery_degraded(e, a);
    if (a->settle.applied && !again && a->verdict != TH_V_DELIVERED) {
        if (a->verdict == TH_V_EXPIRED) {
            th_report_expired(a);
            th_operator_delivery_expired(e, a);
        } else {
            th_report_failed(a);
            th_operator_delivery_failed(e, a, a->first);
        }
    }
}

/* Gives the delivery back to the scheduler, or ends it, behind those that its request was also for. Releases the attempt. */
static void follow(struct th_attempt *a)
{
    struct th_engine *e = a->e;
    bool again = a->settle.applied && a->verdict == TH_V_AGAIN;
    struct th_queue_row next = a->row;
    struct th_attempt *m;

    while ((m = th_batch_next(a, NULL)))
        follow(m);
    count(a);
    th_trace_settled(a);
    if (a->row.lane == TH_LANE_TEST && a->verdict == TH_V_DELIVERED &&
        th_span_eq(a->run->spec.url, a->ep->pub.spec.url))
        th_enable_by_test(e, a->ep);
    if (a->row.lane != TH_LANE_TEST)
        th_engine_last_attempt_set(e, a->row.endpoint, &a->settle.row);
    th_report_attempt(a);
    next.attempts++;
    next.tries = a->settle.tries;
    next.marks |= a->settle.marks;
    next.round = next.tries ? a->first.ms : 0;
    next.due = a->settle.due.ms;
    if (!again && a->verdict != TH_V_DELIVERED)
        th_sched_gave_up(e->sched, a->row.no);
    th_sched_settled(e->sched, a->row.no, again ? &next : NULL, again ? a->again_at : e->now.mono,
                     e->now.mono);
    if (!again)
        th_queue_ended(e, a->row.no);
    e->settles_out--;
    report(a, again);
    if (!again)
        th_event_settled(e, a->row.event);
    th_attempt_release(a);
}

static void settled(struct th_op *op)
{
    struct th_attempt *a = op->user;
    struct th_engine *e = a->e;
    bool applied = a->settle.applied;

    if (op->error == TH_UNKNOWN) {
        th_settle_submit(a); /* compare-and-set: twice is once */
        return;
    }
    if (!op->error) {
        if (a->disabling)
            a->carried(a, TH_OK, applied);
        follow(a);
        return;
    }
    if (op->error == TH_CONFLICT &&
        e->shared) { /* another node has changed settings first: the outcome goes alone */
        if (a->disabling)
            a->carried(a, TH_CONFLICT, false);
        th_settle_submit(a);
        return;
    }
    /* what is in memory is what the store has, and changes are made one at a time: nothing can refuse it */
    th_engine_store_error(e, op->error == TH_CONFLICT ? TH_BUG : op->error);
    if (a->disabling)
        a->carried(a, op->error, false); /* others wait for their turn */
    if ((th_error_class(op->error) == TH_CLASS_RESOURCE || op->error == TH_RETRY) && !e->dead) {
        th_list_remove(&a->link);
        th_list_append(&e->settle_retry, &a->link);
        e->jobs[TH_JOB_SETTLE].at.us = e->now.mono.us + 500000;
        return;
    }
    e->settles_out -= 1 + a->mate_count;
    th_batch_release(a);
    th_attempt_release(a);
}

/* Outcomes that found no room, or no database, are tried again; they are few (TH_MAX_SETTLES) and no delivery is sent twice meanwhile. */
struct th_mono th_settle_again_wanted(const struct th_engine *e)
{
    return th_list_empty(&e->settle_retry) ? TH_MONO_NEVER : e->now.mono;
}

void th_settle_again(struct th_engine *e)
{
    struct th_list batch, *l;

    th_list_init(&batch);
    while ((l = th_list_pop(&e->settle_retry)))
        th_list_append(&batch, l);
    while ((l = th_list_pop(&batch))) {
        struct th_attempt *a = TH_CONTAINER(l, struct th_attempt, link);
        th_list_append(&e->running, &a->link);
        th_settle_submit(a);
    }
}
