/* Fills the scheduler from the queue in the store: by the walk at a start, which inserts everything that has
 * not ended, and by refills for endpoints of which memory has only a part. Deliveries that the scheduler
 * knows already stay as they are.
 *
 * One step of each is under way at a time, and a step has a bounded number of rows. A walk that failed goes on from the same number
 * after a second. When the walk has ended, the rules of disabling are evaluated once: they may have changed since the last run. */
#include "engine/shard/queue.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "engine/context.h"
#include "engine/job.h"
#include "engine/mail.h"
#include "engine/shard/cancel.h"
#include "engine/shard/clock.h"
#include "engine/shard/fence.h"
#include "engine/state.h"

void th_queue_insert(struct th_engine *e, const struct th_queue_row *row, struct th_mono due)
{
    if (row->order && th_fence_is_up(e))
        th_fence_row(e, row);
    else
        th_queue_insert_now(e, row, due);
}

void th_queue_insert_now(struct th_engine *e, const struct th_queue_row *row, struct th_mono due)
{
    TH_CHECK(th_is_mine(e, row->endpoint));
    if (th_sched_insert(e->sched, row, due, e->now.mono) != TH_NO_ENDPOINT)
        return;
    if (!e->shared || row->endpoint <= e->last_endpoint) /* else another node has just made it */
        th_cancel_endpoint(e, row->endpoint); /* deleted meanwhile, after its rows were cancelled */
}

/* ---- rows that were read while deliveries ended ---- */

static bool is_reading(const struct th_engine *e)
{
    return e->jobs[TH_JOB_WALK].busy || e->jobs[TH_JOB_FOLLOW].busy;
}

void th_queue_reading(struct th_engine *e)
{
    if (!is_reading(e)) {
        th_map_fini(&e->ended);
        th_map_init(&e->ended, 1u << 16, e->hash_seed);
        e->follow_void = false;
    }
}

void th_queue_ended(struct th_engine *e, uint64_t no)
{
    th_fence_forget(e, no);
    if (is_reading(e) && (e->shared || !e->walk_below)) {
        if (th_map_put(&e->ended, no, e) != TH_OK)
            e->walk_void = e->follow_void = true;
    } else if (e->jobs[TH_JOB_WALK].busy && no >= e->walk.from && no < e->walk_below) {
        e->walk_void = true;
    }
}

void th_queue_cancelled(struct th_engine *e, uint64_t no)
{
    th_sched_cancel(e->sched, no);
    th_queue_ended(e, no);
}

void th_queue_insert_read(struct th_engine *e, const struct th_queue_row *row, bool moved)
{
    if (!th_is_mine(e, row->endpoint))
        return;
    if (e->follow_void || th_map_get(&e->ended, row->no)) { /* it was moved before it ended, or afterwards */
        if (moved || e->follow_void)
            th_queue_walk_again(e, row->no);
        return;
    }
    if (moved && row->lane == TH_LANE_MANUAL && th_sched_ask(e->sched, row->no))
        return; /* its request is under way: once more after it, unless it delivers */
    if (moved && (row->lane == TH_LANE_FRESH || row->lane == TH_LANE_REPLAY) && row->due <= e->now.wall.ms)
        (void)th_sched_hurry(e->sched, row, e->now.mono);
    else
        th_queue_insert(e, row, th_clock_due(e, row));
}

/* ---- the walk ---- */

static void walked(struct th_op *op)
{
    struct th_engine *e = op->user;
    struct th_walk *w = &e->walk;

    e->jobs[TH_JOB_WALK].busy = false;
    if (op->error) { /* asked again from the same number */
        th_engine_store_error(e, op->error);
        e->jobs[TH_JOB_WALK].at.us = e->now.mono.us + 1000000;
        return;
    }
    if (e->walk_void) { /* a row may have ended after it was read: read again */
        e->walk_void = false;
        return;
    }
    for (uint32_t i = 0; i < w->count; i++) {
        const struct th_queue_row *row = &w->rows[i];
        if (e->walk_below &&
            row->no >= e->walk_below) { /* accepted since the start: told then, ended since perhaps */
            w->next = 0;
            break;
        }
        if (!th_is_mine(e, row->endpoint) || th_map_get(&e->ended, row->no))
            continue; /* its slot has gone, or it has ended, since it was read */
        th_queue_insert(e, row, th_clock_due(e, row));
    }
    w->from = w->next;
    if (w->next == 0) {
        e->walking = false;
        e->rules_wanted = true;
        th_log(TH_LOG_INFO, "queue loaded", TH_KI("deliveries", th_sched_stats(e->sched).items));
    }
    th_fence_walked(e);
}

void th_queue_walk(struct th_engine *e)
{
    e->walking = true;
    e->erase_left = th_is_home(e);
    e->walk.from = 0;
}

void th_queue_walk_again(struct th_engine *e, uint64_t from)
{
    if (!e->walking || from < e->walk.from)
        e->walk.from = from;
    e->walking = true;
    e->walk_below = 0;
    e->walk_void = e->jobs[TH_JOB_WALK].busy; /* what is being read may begin behind it */
    e->more = true;
}

struct th_mono th_queue_walk_wanted(const struct th_engine *e)
{
    return e->walking && th_fence_has_room(e) ? e->now.mono : TH_MONO_NEVER;
}

void th_queue_walk_begin(struct th_engine *e)
{
    e->walk.op = (struct th_op){.kind = TH_OP_WALK, .done = walked, .user = e};
    e->walk.endpoint = 0;
    e->walk.shards = e->options.shards;
    e->walk.shard = e->options.shard;
    e->walk.slots = e->shared ? e->slots : NULL;
    e->walk.max = TH_WALK_BATCH;
    e->walk.rows = e->walk_rows;
    th_queue_reading(e);
    e->jobs[TH_JOB_WALK].busy = true;
    th_engine_submit(e, &e->walk.op);
}

/* ---- refills ---- */

struct refill {
    struct th_fence_wait wait;
    struct th_walk walk;
    struct th_engine *e;
    uint64_t slots_went;
    struct th_mono due[1024];
    struct th_queue_row rows[1024];
};

static void take_refill(struct th_engine *e, struct th_fence_wait *w)
{
    struct refill *r = TH_CONTAINER(w, struct refill, wait);
    const struct th_op *op = &r->walk.op;
    /* if slots have gone since, its own may have been among them, and be back: another node has worked on what was read */
    bool failed = op->error || r->slots_went != e->fence.slots_went;

    for (uint32_t i = 0; !failed && i < r->walk.count; i++)
        r->due[i] = th_clock_due(e, &r->rows[i]);
    th_sched_refilled(e->sched, r->walk.endpoint, r->rows, r->due, failed ? 0 : r->walk.count, r->walk.next,
                      failed, e->now.mono);
    th_free(r);
}

static void refilled(struct th_op *op)
{
    struct refill *r = op->user;
    struct th_engine *e = r->e;

    e->ops_out--;
    if (op->error)
        th_engine_store_error(e, op->error);
    for (uint32_t i = 0; !op->error && i < r->walk.count; i++) {
        if (!r->rows[i].order)
            continue;
        r->wait.no = r->rows[i].no;
        r->wait.event = r->rows[i].event > r->wait.event ? r->rows[i].event : r->wait.event;
    }
    r->wait.run = take_refill;
    if (r->wait.no && th_fence_is_up(e))
        th_fence_wait(e, &r->wait);
    else
        take_refill(e, &r->wait);
}

void th_queue_refill(struct th_engine *e)
{
    struct th_want want;

    while (e->ops_out < 64 && th_sched_want(e->sched, &want)) {
        struct refill *r = th_calloc(1, sizeof *r);
        if (!r) {
            th_sched_refilled(e->sched, want.endpoint, NULL, NULL, 0, 0, true, e->now.mono);
            return;
        }
        r->e = e;
        r->slots_went = e->fence.slots_went;
        r->walk.op = (struct th_op){.kind = TH_OP_WALK, .done = refilled, .user = r};
        r->walk.from = want.from;
        r->walk.endpoint = want.endpoint;
        r->walk.max = want.max < 1024 ? want.max : 1024;
        r->walk.rows = r->rows;
        e->ops_out++;
        th_engine_submit(e, &r->walk.op);
    }
}
