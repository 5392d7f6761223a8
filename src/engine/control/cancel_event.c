/* Cancels deliveries of an event because somebody asked for it: the store moves them, a thousand a step, and every engine drops
 * those that it owns before the next step and before the answer. So does every other node of a store that several
 * share, before the answer. A request that is under way meanwhile may still arrive; its outcome finds the
 * delivery ended and is only logged. After a crash in between, some are cancelled and the rest are as they were: asking
 * again goes on.
 *
 * Refuses: an event of which deliveries are still being made. An accept makes them upwards, and those that it has left are made in
 * steps (store_fan.c), whichever engine or node has accepted it; so the last one, which is taken first and alone, tells. */
#include "base/alloc.h"
#include "engine/context.h"
#include "engine/control/told.h"
#include "engine/mail.h"
#include "engine/shard/queue.h"
#include "engine/state.h"

#define STEP 1000

struct cancelling {
    struct th_engine *e;
    struct th_cancel_now *r;
    struct th_move move;
    uint64_t nos[STEP];
    bool moved[STEP];
    struct th_told told;
    uint32_t left;  /* of the deliveries: the lowest numbers */
    unsigned waits; /* engines that have not followed yet */
    struct cancelling_letter {
        struct th_mail mail;
        struct cancelling *j;
    } letters[]; /* one for each other engine */
};

static void stepped(struct th_op *op);

static void step(struct cancelling *j)
{
    uint32_t n = j->left == j->r->count ? 1 : j->left < STEP ? j->left : STEP;

    for (uint32_t i = 0; i < n; i++)
        j->nos[i] = j->r->first + j->left - n + i;
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

static void known(struct th_engine *e, struct th_told *t)
{
    (void)e;
    end(TH_CONTAINER(t, struct cancelling, told), TH_OK);
}

static void go_on(struct cancelling *j)
{
    j->left -= j->move.count;
    if (j->left) {
        step(j);
        return;
    }
    j->told.run = known;
    th_told_wait(j->e, &j->told);
}

static void follow(struct th_engine *e, const struct cancelling *j)
{
    for (uint32_t i = 0; i < j->move.count; i++)
        if (j->moved[i])
            th_queue_cancelled(e, j->nos[i]);
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
    if (j->move.missing) {
        end(j, TH_CONFLICT);
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
    struct cancelling *j = r->count ? th_calloc(1, sizeof *j + others * sizeof j->letters[0]) : NULL;

    th_engine_tick(e);
    r->cancelled = 0;
    if (!j) {
        r->error = r->count ? TH_NOMEM : TH_OK;
        r->done(r);
        return;
    }
    j->e = e;
    j->r = r;
    j->left = r->count;
    for (unsigned i = 0; i < others; i++)
        j->letters[i].j = j;
    step(j);
}
