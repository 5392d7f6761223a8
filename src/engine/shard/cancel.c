/* A deleted endpoint's deliveries: their queue rows move to cancelled, a thousand a step, by the engine that owns the endpoint.
 *
 * What is to be done is in memory only. A start finds the rows again, whatever was lost: its walk meets deliveries of an endpoint
 * that is not there. A step that failed is made again from the first row after a second. */
#include "engine/shard/cancel.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/job.h"
#include "engine/mail.h"
#include "engine/shard/events.h"
#include "engine/state.h"

#define RETRY_US 1000000

struct cancel_job {
    struct th_list link;
    struct th_engine *e;
    uint64_t endpoint;
    bool again; /* rows came while it ran: once more from the start */
    struct th_walk walk;
    struct th_move move;
    struct th_queue_row rows[1000];
    uint64_t nos[1000];
    bool moved[1000];
};

static void cancel_walk(struct cancel_job *j);

static void cancel_end(struct cancel_job *j)
{
    TH_CHECK(j->e->cancelling == j && j->e->jobs[TH_JOB_CANCEL].busy);
    j->e->cancelling = NULL;
    j->e->jobs[TH_JOB_CANCEL].busy = false;
    j->e->ops_out--;
    th_free(j);
}

static void cancel_step_done(struct th_op *op)
{
    struct cancel_job *j = op->user;
    struct th_engine *e = j->e;

    if (op->error == TH_UNKNOWN && op->kind == TH_OP_MOVE) {
        th_engine_submit(e, op);
        return;
    }
    if (op->error) { /* the same walk again, a little later */
        uint64_t endpoint = j->endpoint;
        th_engine_store_error(e, op->error);
        cancel_end(j);
        th_cancel_endpoint(e, endpoint);
        e->jobs[TH_JOB_CANCEL].at.us = e->now.mono.us + RETRY_US;
        return;
    }
    for (uint32_t i = 0; i < j->move.count; i++)
        if (j->moved[i]) {
            th_count(e->options.metrics, TH_C_DELIVERIES_CANCELLED, 1);
            th_sched_cancel(e->sched, j->nos[i]);
            th_event_settled(e, j->rows[i].event);
        }
    j->walk.from = j->walk.next;
    if (e->draining) { /* the walk at the next start finds the rest */
        cancel_end(j);
        return;
    }
    if (j->walk.next == 0 && j->again) {
        j->again = false;
        j->walk.from = 0;
    } else if (j->walk.next == 0) {
        cancel_end(j);
        return;
    }
    cancel_walk(j);
}

static void cancel_walked(struct th_op *op)
{
    struct cancel_job *j = op->user;

    if (op->error || j->walk.count == 0) {
        j->move.count = 0;
        j->walk.next = op->error ? 0 : j->walk.next;
        cancel_step_done(op);
        return;
    }
    for (uint32_t i = 0; i < j->walk.count; i++)
        j->nos[i] = j->rows[i].no;
    j->move = (struct th_move){.op = {.kind = TH_OP_MOVE, .done = cancel_step_done, .user = j},
                               .what = TH_MOVE_CANCEL,
                               .at = j->e->now.wall,
                               .count = j->walk.count,
                               .deliveries = j->nos,
                               .moved = j->moved};
    th_engine_submit(j->e, &j->move.op);
}

static void cancel_walk(struct cancel_job *j)
{
    j->walk.op = (struct th_op){.kind = TH_OP_WALK, .done = cancel_walked, .user = j};
    j->walk.endpoint = j->endpoint;
    j->walk.max = 1000;
    j->walk.rows = j->rows;
    th_engine_submit(j->e, &j->walk.op);
}

struct th_mono th_cancel_wanted(const struct th_engine *e)
{
    return e->cancel_count ? e->now.mono : TH_MONO_NEVER;
}

void th_cancel_begin(struct th_engine *e)
{
    uint64_t endpoint;
    struct cancel_job *j;

    j = th_calloc(1, sizeof *j);
    if (!j) {
        e->jobs[TH_JOB_CANCEL].at.us = e->now.mono.us + RETRY_US;
        return;
    }
    endpoint = e->cancels[--e->cancel_count];
    (void)th_map_del(&e->cancels_known, endpoint);
    j->e = e;
    j->endpoint = endpoint;
    e->cancelling = j;
    e->jobs[TH_JOB_CANCEL].busy = true;
    e->ops_out++;
    cancel_walk(j);
}

struct cancel_letter {
    struct th_mail mail;
    uint64_t endpoint;
};

static void cancel_asked(struct th_engine *e, struct th_mail *m)
{
    struct cancel_letter *l = TH_CONTAINER(m, struct cancel_letter, mail);

    th_cancel_endpoint(e, l->endpoint);
    th_free(l);
}

static void ask_owner(struct th_engine *e, uint64_t endpoint)
{
    struct cancel_letter *l = th_calloc(1, sizeof *l);

    if (!l)
        return; /* found again by the walk at the next start */
    l->endpoint = endpoint;
    th_mail_send(e, th_owner(e, endpoint), &l->mail, cancel_asked);
}

void th_cancel_endpoint(struct th_engine *e, uint64_t endpoint)
{
    if (!th_is_mine(e, endpoint)) {
        if (e->shared)
            return; /* its node does it, since it hears of the deletion */
        ask_owner(e, endpoint);
        return;
    }
    if (e->cancelling && e->cancelling->endpoint == endpoint) {
        e->cancelling->again = true;
        return;
    }
    if (th_map_get(&e->cancels_known, endpoint))
        return;
    if (e->cancel_count == e->cancel_cap) {
        uint32_t cap = e->cancel_cap ? e->cancel_cap * 2 : 16;
        uint64_t *v = th_realloc(e->cancels, cap * sizeof *v);
        if (!v)
            return; /* found again by the walk at the next start */
        e->cancels = v;
        e->cancel_cap = cap;
    }
    if (th_map_put(&e->cancels_known, endpoint, e) == TH_OK) /* else as above */
        e->cancels[e->cancel_count++] = endpoint;
}
