/* Queues the deliveries that an accept has left, in steps next to all other work, and gives them to the
 * scheduler.
 *
 * One step at a time, the events in turn: a fan-out to a hundred thousand endpoints holds up neither another publisher's
 * commit nor another's fan-out. Only the store knows what is left and how far it has come, so nothing can be
 * lost here: after a start the store is asked.
 *
 * Refuses: to go on while the server stops or the store has no room. Failure: the same again after a second. */
#include "engine/shard/fanout.h"
#include "engine/context.h"
#include "engine/job.h"
#include "engine/mail.h"
#include "engine/shard/fence.h"
#include "engine/shard/offer.h"
#include "engine/state.h"

#define RETRY_US 1000000

static void fanned(struct th_op *op)
{
    struct th_engine *e = op->user;
    struct th_fanout *f = &e->fanout;

    if (op->error == TH_UNKNOWN) {
        th_engine_submit(e, op); /* the same step: it is done once */
        return;
    }
    e->ops_out--;
    e->jobs[TH_JOB_FANOUT].busy = false;
    if (op->error) {
        th_engine_store_error(e, op->error);
        e->jobs[TH_JOB_FANOUT].at.us = e->now.mono.us + RETRY_US;
        return;
    }
    for (uint32_t i = 0; i < f->count; i++)
        th_offer(e, &f->rows[i]);
    th_count(e->options.metrics, TH_C_DELIVERIES_CREATED, f->count);
    e->fanout_left = f->event != 0; /* what is accepted from now on says so itself */
    if (!f->event || f->event <= e->fanout_after || !e->fanout_after)
        th_fence_fanned(e, e->fence.fan_steps, f->event); /* the turn is at the first of all */
    if (!th_list_empty(&e->fence.fans_asked))
        e->fanout_left = true; /* somebody waits for what the next steps find */
    e->fanout_after = f->event;
}

static void left_behind(struct th_engine *home, struct th_mail *m)
{
    struct th_engine *of = TH_CONTAINER(m, struct th_engine, fanout_mail);

    __atomic_store_n(&of->fanout_told, 0, __ATOMIC_RELEASE);
    home->fanout_left = true;
}

void th_fanout_tell(struct th_engine *e)
{
    if (th_is_home(e))
        e->fanout_left = true;
    else if (!__atomic_exchange_n(&e->fanout_told, 1, __ATOMIC_ACQUIRE))
        th_mail_send(e, 0, &e->fanout_mail, left_behind);
}

struct th_mono th_fanout_wanted(const struct th_engine *e)
{
    return e->fanout_left && e->store_ok ? e->now.mono : TH_MONO_NEVER;
}

void th_fanout_begin(struct th_engine *e)
{
    e->fanout = (struct th_fanout){.op = {.kind = TH_OP_FANOUT, .done = fanned, .user = e},
                                   .after = e->fanout_after,
                                   .rows = e->fanout_rows};
    e->jobs[TH_JOB_FANOUT].busy = true;
    e->fence.fan_steps++;
    e->ops_out++;
    th_engine_submit(e, &e->fanout.op);
}
