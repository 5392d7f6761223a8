/* Reads single rows and walks the queue, for dispatch.
 *
 * Why apart from the lists: they run on a reader of their own, so that a slow list never delays a delivery.
 * Each read is one short transaction; an open reader keeps the write-ahead log from starting over, so the
 * rows examined and the time are bounded and a walk says where to go on.
 *
 * Spans that are handed out live in the op's own buffer. On failure op->error says why and the results are
 * void. */
#include "store/store_read.h"
#include "base/check.h"
#include "store/store_rows.h"
#include "store/store_scan.h"
#include <time.h>

/* ---- load ---- */

/** Copies a span into the buffer and keeps its place as an offset, since the buffer may move. */
static void keep(struct th_buf *mem, struct th_span *s)
{
    size_t at = mem->n;

    th_buf_span(mem, *s);
    s->p = (const char *)(uintptr_t)at;
}

static void rebase(const struct th_buf *mem, struct th_span *s)
{
    s->p = s->n ? mem->p + (uintptr_t)s->p : "";
}

static int load_one(struct st_stmt *st, struct th_load *op, uint32_t i)
{
    struct th_event_row *row = &op->rows[i];
    int rc;

    *row = (struct th_event_row){0};
    st_u64(st, 1, op->events[i]);
    rc = st_step(st);
    if (rc == ST_ROW) {
        st_rows_event(st, true, row);
        keep(&op->mem, &row->type);
        keep(&op->mem, &row->data);
        keep(&op->mem, &row->external_id);
        keep(&op->mem, &row->resource_type);
        keep(&op->mem, &row->resource_id);
        keep(&op->mem, &row->more.order_key);
        keep(&op->mem, &row->more.channels);
        keep(&op->mem, &row->more.traceparent);
        keep(&op->mem, &row->more.content_type);
    }
    st_reset(st);
    return rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

/** Asks for all of them at once, if that is worth a transaction. */
static int announce(struct st_reader *r, const struct th_load *op)
{
    int rc;

    if (!st_expects(r->db) || op->count < 2)
        return ST_OK;
    rc = st_run(r->st[ST_R_BEGIN]);
    for (uint32_t i = 0; rc == ST_OK && i < op->count; i++) {
        st_u64(r->st[ST_R_LOAD], 1, op->events[i]);
        st_expect(r->st[ST_R_LOAD]);
    }
    return rc;
}

void st_read_load(struct st_reader *r, struct th_load *op)
{
    int rc = announce(r, op);

    th_buf_reset(&op->mem);
    for (uint32_t i = 0; rc == ST_OK && i < op->count; i++)
        rc = load_one(r->st[ST_R_LOAD], op, i);
    if (st_in_transaction(r->db))
        st_run(r->st[ST_R_END]);
    op->op.error = st_error(r->db, rc);
    if (rc != ST_OK)
        return;
    op->op.error = op->mem.failed;
    for (uint32_t i = 0; op->mem.failed == TH_OK && i < op->count; i++) {
        rebase(&op->mem, &op->rows[i].type);
        rebase(&op->mem, &op->rows[i].data);
        rebase(&op->mem, &op->rows[i].external_id);
        rebase(&op->mem, &op->rows[i].resource_type);
        rebase(&op->mem, &op->rows[i].resource_id);
        rebase(&op->mem, &op->rows[i].more.order_key);
        rebase(&op->mem, &op->rows[i].more.channels);
        rebase(&op->mem, &op->rows[i].more.traceparent);
        rebase(&op->mem, &op->rows[i].more.content_type);
    }
}

/* ---- walk ---- */

/** Scans the queue upwards from op->next. */
static int walk_table(struct st_reader *r, struct th_walk *op, struct st_budget *budget)
{
    struct st_stmt *st = r->st[ST_R_WALK];
    int rc;

    st_u64(st, 1, op->next);
    op->next = 0;
    while ((rc = st_step(st)) == ST_ROW) {
        struct th_queue_row row;

        st_rows_queue(st, &row);
        if (op->count == op->max || st_budget_spent(budget)) {
            op->next = row.no;
            break;
        }
        if (th_walk_wants(op, row.endpoint))
            op->rows[op->count++] = row;
    }
    st_reset(st);
    return rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

/** Looks up the numbers of one run and endpoint that are not below op->next. False: stopped, op->next is set.
 */
static bool walk_run(struct st_reader *r, struct th_walk *op, struct st_budget *budget, uint64_t run, int *rc)
{
    struct st_stmt *st = r->st[ST_R_RUN], *one = r->st[ST_R_QUEUE_ONE];
    struct th_span nos = {"", 0};
    bool stopped = false;

    st_u64(st, 1, ST_RUN_DELIVERY);
    st_u64(st, 2, run);
    st_u64(st, 3, op->endpoint);
    *rc = st_step(st);
    if (*rc == ST_ROW)
        nos = st_col(st, 1);
    for (size_t i = 0; i + 1 < nos.n && !stopped && (*rc == ST_ROW || *rc == ST_DONE); i += 2) {
        uint64_t no =
            run << ST_RUN_SHIFT | (unsigned char)nos.p[i] | (uint64_t)(unsigned char)nos.p[i + 1] << 8;

        if (no < op->next)
            continue;
        if (op->count == op->max || st_budget_spent(budget)) {
            op->next = no;
            stopped = true;
            break;
        }
        st_u64(one, 1, no);
        *rc = st_step(one);
        if (*rc == ST_ROW)
            st_rows_queue(one, &op->rows[op->count++]);
        st_reset(one);
    }
    st_reset(st);
    if (*rc == ST_ROW || *rc == ST_DONE)
        *rc = ST_OK;
    return !stopped && *rc == ST_OK;
}

/** By endpoint: through the runs up to where they end, then by scanning. */
static int walk_endpoint(struct st_reader *r, struct th_walk *op, struct st_budget *budget)
{
    struct st_stmt *from = r->st[ST_R_RUN_FROM];
    uint64_t oldest, built, run;
    int rc = st_number(r->st[ST_R_QUEUE_MIN], &oldest);

    if (rc == ST_OK)
        rc = st_scan_built(r, ST_RUN_DELIVERY, &built);
    if (rc != ST_OK)
        return rc;
    if (op->next < oldest)
        op->next = oldest;
    while (op->next < built) {
        st_u64(from, 1, ST_RUN_DELIVERY);
        st_u64(from, 2, op->next >> ST_RUN_SHIFT);
        rc = st_number(from, &run);
        if (rc != ST_OK)
            return rc;
        if (!run || run >= built >> ST_RUN_SHIFT) {
            op->next = built;
            break;
        }
        if (op->next < run << ST_RUN_SHIFT)
            op->next = run << ST_RUN_SHIFT;
        if (!walk_run(r, op, budget, run, &rc))
            return rc;
        op->next = (run + 1) << ST_RUN_SHIFT;
        if (st_budget_spent(budget))
            return ST_OK;
    }
    return walk_table(r, op, budget);
}

void st_read_walk(struct st_reader *r, struct th_walk *op)
{
    struct st_budget budget;
    int rc = st_run(r->st[ST_R_BEGIN]);

    st_budget_start(&budget);
    op->count = 0;
    op->next = op->from;
    if (rc == ST_OK)
        rc = op->endpoint ? walk_endpoint(r, op, &budget) : walk_table(r, op, &budget);
    TH_CHECK(op->count <= op->max);
    op->op.error = st_error(r->db, rc);
    if (st_in_transaction(r->db))
        st_run(r->st[ST_R_END]);
}
