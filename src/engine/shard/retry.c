/* Tries one delivery again because somebody asked for it: the store moves it to the lane for attempts that
 * are asked for by hand, and the scheduler of the engine that owns its endpoint gets it. Memory must know
 * what has been committed, so the same operation is sent again after an unknown outcome. */
#include "base/alloc.h"
#include "engine/context.h"
#include "engine/mail.h"
#include "engine/shard/offer.h"
#include "engine/state.h"

struct retry_impl {
    struct th_mail mail;
    unsigned from;
    struct th_move move;
    struct th_engine *e; /* the owner of the delivery */
    struct th_retry_now *r;
    struct th_queue_row row;
    bool moved;
};

static void retry_known(struct th_engine *e, struct th_mail *m)
{
    struct retry_impl *i = TH_CONTAINER(m, struct retry_impl, mail);
    struct th_retry_now *r = i->r;

    e->letters_out--;
    th_free(i);
    r->done(r);
}

static void retried(struct th_op *op)
{
    struct retry_impl *i = op->user;
    struct th_engine *e = i->e;
    struct th_retry_now *r = i->r;

    if (op->error ==
        TH_UNKNOWN) { /* what is committed must be known here too: a second time has no further effect */
        th_engine_submit(e, op);
        return;
    }
    e->ops_out--;
    r->error = op->error        ? op->error
               : i->moved       ? TH_OK
               : i->move.gone   ? TH_CONFLICT
               : i->move.erased ? TH_INVALID
                                : TH_NOT_FOUND;
    if (r->error)
        th_sched_unask(e->sched, r->delivery);
    if (op->error)
        th_engine_store_error(e, op->error);
    else if (i->moved)
        th_offer(e, &i->row);
    th_mail_send(e, i->from, &i->mail, retry_known);
}

static void retry_begin(struct th_engine *e, struct th_mail *m)
{
    struct retry_impl *i = TH_CONTAINER(m, struct retry_impl, mail);
    struct th_retry_now *r = i->r;

    i->e = e;
    i->move = (struct th_move){.op = {.kind = TH_OP_MOVE, .done = retried, .user = i},
                               .what = TH_MOVE_RETRY,
                               .lane = TH_LANE_MANUAL,
                               .at = e->now.wall,
                               .count = 1,
                               .deliveries = &r->delivery,
                               .moved = &i->moved,
                               .rows = &i->row};
    e->ops_out++;
    /* its outcome is stored after this and must not end what is asked for */
    r->under_way = th_sched_ask(e->sched, r->delivery);
    th_engine_submit(e, &i->move.op);
}

void th_engine_retry(struct th_engine *e, struct th_retry_now *r)
{
    struct retry_impl *i = th_calloc(1, sizeof *i);

    th_engine_tick(e);
    if (!i) {
        r->error = TH_NOMEM;
        r->done(r);
        return;
    }
    i->r = r;
    i->from = e->options.shard;
    e->letters_out++;
    if (th_is_mine(e, r->endpoint))
        retry_begin(e, &i->mail);
    else
        th_mail_send(e, th_owner(e, r->endpoint), &i->mail, retry_begin);
}
