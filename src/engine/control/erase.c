/* Erases the content of events: has the store make its steps one after the other, and follows them in memory.
  
 *
 * asked → a step [committed] → … → done. Work that a crash or an error has left is continued in the
 * background: at the start, and after a tenant was deleted with its content. An event whose content is gone
 * is not sent any more: its copy in memory goes with the requests that are under way, and its waiting
 * deliveries are cancelled. */
#include "engine/control/erase.h"
#include "base/alloc.h"
#include "engine/context.h"
#include "engine/control/told.h"
#include "engine/job.h"
#include "engine/mail.h"
#include "engine/shard/events.h"
#include "engine/shard/queue.h"
#include "engine/state.h"

#define RETRY_US 1000000

struct erasing {
    struct th_erase op;
    struct th_engine *e;
    struct th_erase_event *r; /* NULL: in the background */
    uint64_t cancelled[TH_ERASE_STEP];
    struct th_told told;
    unsigned waits; /* engines that have not followed yet */
    struct erasing_letter {
        struct th_mail mail;
        struct erasing *j;
    } letters[]; /* one for each other engine */
};

static void stepped(struct th_op *op);

static void step(struct erasing *j)
{
    j->op.op = (struct th_op){.kind = TH_OP_ERASE, .done = stepped, .user = j};
    j->op.at = j->e->now.wall;
    j->op.cancelled = j->cancelled;
    j->e->ops_out++;
    th_engine_submit(j->e, &j->op.op);
}

/* Tells one engine what a step has done. */
static void follow(struct th_engine *e, const struct erasing *j)
{
    if (j->op.of && (j->op.result == TH_ERASE_DONE || j->op.result == TH_ERASE_MORE))
        th_event_erase(e, j->op.of);
    for (uint32_t i = 0; i < j->op.cancelled_count; i++)
        th_queue_cancelled(e, j->cancelled[i]);
}

static struct erasing *new_job(struct th_engine *e)
{
    unsigned others = e->options.shards > 1 ? e->options.shards - 1 : 0;
    struct erasing *j = th_calloc(1, sizeof *j + others * sizeof j->letters[0]);

    if (!j)
        return NULL;
    j->e = e;
    for (unsigned i = 0; i < others; i++)
        j->letters[i].j = j;
    return j;
}

static void end(struct erasing *j, enum th_error error)
{
    struct th_engine *e = j->e;
    struct th_erase_event *r = j->r;

    if (error) { /* what has begun is continued */
        e->erase_left = true;
        e->jobs[TH_JOB_ERASE].at.us = e->now.mono.us + RETRY_US;
    }
    if (r) {
        r->error = error;
        r->result = j->op.result;
        r->unfinished = j->op.unfinished;
    } else {
        e->jobs[TH_JOB_ERASE].busy = false;
    }
    th_free(j);
    if (r)
        r->done(r);
}

static void known(struct th_engine *e, struct th_told *t)
{
    (void)e;
    end(TH_CONTAINER(t, struct erasing, told), TH_OK);
}

static void go_on(struct erasing *j)
{
    if (j->op.result == TH_ERASE_MORE && !(j->e->draining && !j->r)) {
        step(j);
    } else if (j->r && j->op.of) {
        j->told.run = known;
        th_told_wait(j->e, &j->told);
    } else {
        end(j, TH_OK);
    }
}

static void followed(struct th_engine *home, struct th_mail *m)
{
    struct erasing *j = TH_CONTAINER(m, struct erasing_letter, mail)->j;

    home->ops_out--;
    if (--j->waits == 0)
        go_on(j);
}

static void follow_too(struct th_engine *e, struct th_mail *m)
{
    follow(e, TH_CONTAINER(m, struct erasing_letter, mail)->j);
    th_mail_send(e, 0, m, followed);
}

static void stepped(struct th_op *op)
{
    struct erasing *j = op->user;
    struct th_engine *e = j->e;

    e->ops_out--;
    if (op->error) {
        th_engine_store_error(e, op->error);
        end(j, op->error);
        return;
    }
    follow(e, j);
    th_count(e->options.metrics, TH_C_DELIVERIES_CANCELLED, j->op.cancelled_count);
    for (unsigned to = 1; to < e->options.shards; to++) {
        j->waits++;
        e->ops_out++;
        th_mail_send(e, to, &j->letters[to - 1].mail, follow_too);
    }
    if (!j->waits)
        go_on(j);
}

void th_engine_erase(struct th_engine *e, struct th_erase_event *r)
{
    struct erasing *j = new_job(e);

    th_engine_tick(e);
    if (!j) {
        r->error = TH_NOMEM;
        r->done(r);
        return;
    }
    j->r = r;
    j->op.tenant = r->tenant;
    j->op.event = r->event;
    j->op.cancel = r->cancel;
    step(j);
}

struct th_mono th_erase_wanted(const struct th_engine *e)
{
    return e->erase_left && !e->walking && th_is_first(e) ? e->now.mono : TH_MONO_NEVER;
}

void th_erase_begin(struct th_engine *e)
{
    struct erasing *j = new_job(e);

    if (!j) {
        e->jobs[TH_JOB_ERASE].at.us = e->now.mono.us + RETRY_US;
        return;
    }
    e->erase_left = false;
    e->jobs[TH_JOB_ERASE].busy = true;
    step(j);
}
