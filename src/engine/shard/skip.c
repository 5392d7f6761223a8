/* Marks deliveries that have been passed by the next of their line, so that the log shows it, and so that they do not take their place in
 * the line again after a restart.
 *
 * The request of the next does not wait for the mark: if the process dies before, the delivery has still held up its line for as long as
 * it may, and is passed again. Without memory, or when the store has no room, the mark is missing. */
#include "engine/shard/skip.h"
#include "base/alloc.h"
#include "engine/context.h"
#include "engine/state.h"

#define SKIPS_MAX 64

struct skips {
    struct th_move move;
    struct th_engine *e;
    uint64_t nos[SKIPS_MAX];
    bool moved[SKIPS_MAX];
};

static void marked(struct th_op *op)
{
    struct skips *s = op->user;
    struct th_engine *e = s->e;

    if (op->error == TH_UNKNOWN) {
        th_engine_submit(e, op); /* twice is once */
        return;
    }
    e->ops_out--;
    if (op->error)
        th_engine_store_error(e, op->error);
    th_free(s);
}

void th_skips_store(struct th_engine *e)
{
    uint64_t no;

    while (th_sched_passed_next(e->sched, &no)) {
        struct skips *s = th_calloc(1, sizeof *s);

        if (!s)
            return;
        s->e = e;
        do
            s->nos[s->move.count++] = no;
        while (s->move.count < SKIPS_MAX && th_sched_passed_next(e->sched, &no));
        s->move.op = (struct th_op){.kind = TH_OP_MOVE, .done = marked, .user = s};
        s->move.what = TH_MOVE_MARK;
        s->move.marks = TH_MARK_SKIPPED;
        s->move.at = e->now.wall;
        s->move.deliveries = s->nos;
        s->move.moved = s->moved;
        e->ops_out++;
        th_engine_submit(e, &s->move.op);
    }
}
