/* Cancels deliveries of an event because somebody asked for it: the store moves them, a thousand a step, and every engine drops
 * those that it owns before the next step and before the answer. What is under way meanwhile may still arrive; its outcome finds the
 * delivery ended and is only logged. After a crash in between, some are cancelled and the rest are as they were: asking again goes on.
 *
 * Refuses: to begin while a part of a large event's deliveries is still being made. */
#include "base/alloc.h"
#include "engine/context.h"
#include "engine/mail.h"
#include "engine/state.h"

#define STEP 1000

struct cancelling {
    struct th_engine *e;
    struct th_cancel_now *r;
    struct th_move move;
    uint64_t nos[STEP];
    bool moved[STEP];
    uint32_t at;    /* of the deliveries, the next step's first */
    unsigned waits; /* engines that have not followed yet */
    struct cancelling_letter {
        struct th_mail mail;
        struct cancelling *j;
    } letters[]; /* one for each other engine */
};

static void stepped(struct th_op *op);

static void step(struct cancelling *j)
{
    uint32_t n = j->r->count - j->at < STEP ? j->r->count - j->at : STEP;

    for (uint32_t i = 0; i < n; i++)
        j->nos[i] = j->r->first + j->at + i;
    j->move = (struct th_move){.op = {.kind = TH_OP_MOVE, .done = stepped, .user = j},
                               .what = TH_MOVE_CANCEL,
                               .at = j->e->now.wall,
                               .count = n,
                               .deliveries = j->nos,
                               .moved = j->moved};
    j->e->ops_out++;
    th_engine_submit(j->e, &j->move.op);
}

static void end(struct cancelling *j, enum th_error error)
{
    struct th_cancel_now *r = j->r;

    r->error = error;
    th_free(j);
    r->done(r);
}

static void go_on(struct cancelling *j)
{
    j->at += j->move.count;
    if (j->at < j->r->count)
        step(j);
    else
        end(j, TH_OK);
}

static void follow(struct th_engine *e, const struct cancelling *j)
{
    for (uint32_t i = 0; i < j->move.count; i++)
        if (j->moved[i]) {
            th_fence_forget(e, j->nos[i]);
            th_sched_cancel(e->sched, j->nos[i]);
        }
}

static void followed(struct th_engine *home, struct th_mail *m)
{
    struct cancelling *j = TH_CONTAINER(m, struct cancelling_letter, mail)->j;

    home->letters_out--;
    if (--j->waits == 0)
        go_on(j);
}

static void follow_too(struct th_engine *e, struct th_mail *m)
{
    follow(e, TH_CONTAINER(m, struct cancelling_letter, mail)->j);
    th_mail_send(e, 0, m, followed);
}

static void stepped(struct th_op *op)
{
    struct cancelling *j = op->user;
    struct th_engine *e = j->e;
    uint32_t moved = 0;

    if (op->error == TH_UNKNOWN) {
        th_engine_submit(e, op);
        return;
    }
    e->ops_out--;
    if (op->error) {
        th_engine_store_error(e, op->error);
        end(j, op->error);
        return;
    }
    for (uint32_t i = 0; i < j->move.count; i++)
        moved += j->moved[i];
    j->r->cancelled += moved;
    th_count(e->options.metrics, TH_C_DELIVERIES_CANCELLED, moved);
    follow(e, j);
    for (unsigned to = 1; to < e->options.shards; to++) {
        j->waits++;
        e->letters_out++;
        th_mail_send(e, to, &j->letters[to - 1].mail, follow_too);
    }
    if (!j->waits)
        go_on(j);
}

void th_engine_cancel(struct th_engine *e, struct th_cancel_now *r)
{
    unsigned others = e->options.shards > 1 ? e->options.shards - 1 : 0;
    bool making = r->count > TH_FANOUT_STEP && (e->fanout_left || e->jobs[TH_JOB_FANOUT].busy);
    struct cancelling *j =
        making || !r->count ? NULL : th_calloc(1, sizeof *j + others * sizeof j->letters[0]);

    th_engine_tick(e);
    r->cancelled = 0;
    if (!j) {
        r->error = making ? TH_CONFLICT : r->count ? TH_NOMEM : TH_OK;
        r->done(r);
        return;
    }
    j->e = e;
    j->r = r;
    for (unsigned i = 0; i < others; i++)
        j->letters[i].j = j;
    step(j);
}
