/* Facts of endpoints: when one began to fail, last worked, and how often deliveries were exhausted in a row. Written when an
 * endpoint works again after long (a crash must not bring its failures back), and every 10 s.
 *
 * Invariants: (1) an endpoint is on e->dirty exactly while facts_dirty; (2) one flush at a time, of at most 256 rows; what
 * is left goes with the next. Facts are hints: a flush that fails is not repeated by itself, the next one writes what
 * changed since. Without memory the rows stay on the list for a later turn. */
#include "engine/internal.h"

struct facts_flush {
    struct th_config op;
    struct th_engine *e;
    struct th_row rows[256];
};

static void facts_flushed(struct th_op *op)
{
    struct facts_flush *f = op->user;

    f->e->facts_busy = false;
    if (op->error)
        th_engine_store_error(f->e,
                              op->error); /* facts are hints: the next flush writes what changed since */
    th_free(f);
}

void th_facts_touch(struct th_engine *e, struct th_ep *ep)
{
    if (ep->facts_dirty || ep->gone)
        return;
    ep->facts_dirty = true;
    th_list_append(&e->dirty, &ep->dirty);
}

void th_facts_turn(struct th_engine *e, bool all)
{
    struct facts_flush *f;
    struct th_list *l;

    if (th_list_empty(&e->dirty) || e->facts_busy || e->dead ||
        (!all && e->now.wall.ms - e->facts_flushed.ms < TH_FACT_FLUSH_MS &&
         e->now.wall.ms >= e->facts_flushed.ms))
        return;
    f = th_calloc(1, sizeof *f);
    if (!f)
        return;
    f->e = e;
    while (f->op.count < 256 && (l = th_list_pop(&e->dirty))) {
        struct th_ep *ep = TH_CONTAINER(l, struct th_ep, dirty);
        ep->facts_dirty = false;
        f->rows[f->op.count++] = (struct th_row){
            .kind = TH_ROW_FACT,
            .no = ep->pub.no,
            .tenant = ep->pub.tenant->no,
            .fact = {ep->pub.facts.first_fail, ep->pub.facts.last_ok, ep->pub.facts.exhausted_run}};
    }
    if (th_list_empty(&e->dirty)) {
        e->facts_flushed = e->now.wall;
        e->facts_flipped = false;
    }
    f->op.op = (struct th_op){.kind = TH_OP_CONFIG, .done = facts_flushed, .user = f};
    f->op.rows = f->rows;
    f->op.keep_version = true;
    f->op.at = e->now.wall;
    e->facts_busy = true;
    th_engine_submit(e, &f->op.op);
}
