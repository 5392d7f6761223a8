/* Point reads and walks of the SQLite store: what dispatch needs.
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

void sq_read_load(struct sq_reader *r, struct th_load *op)
{
    sqlite3_stmt *st = r->st[SQ_R_LOAD];
    int rc = SQLITE_OK;

    op->op.error = TH_OK;
    th_buf_reset(&op->mem);
    for (uint32_t i = 0; i < op->count; i++) {
        struct th_event_row *row = &op->rows[i];

        *row = (struct th_event_row){0};
        sq_u64(st, 1, op->events[i]);
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW) {
            sq_rows_event(st, true, row);
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
        sqlite3_reset(st);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
            op->op.error = sq_db_error(r->db, rc);
            return;
        }
    }
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
static int walk_table(struct sq_reader *r, struct th_walk *op, struct sq_budget *budget)
{
    sqlite3_stmt *st = r->st[SQ_R_WALK];
    int rc;

    sq_u64(st, 1, op->next);
    op->next = 0;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct th_queue_row row;

        sq_rows_queue(st, &row);
        if (op->count == op->max || sq_budget_spent(budget)) {
            op->next = row.no;
            break;
        }
        if (th_walk_wants(op, row.endpoint))
            op->rows[op->count++] = row;
    }
    sqlite3_reset(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/** Looks up the numbers of one run and endpoint that are not below op->next. False: stopped, op->next is set.
 */
static bool walk_run(struct sq_reader *r, struct th_walk *op, struct sq_budget *budget, uint64_t run, int *rc)
{
    sqlite3_stmt *st = r->st[SQ_R_RUN], *one = r->st[SQ_R_QUEUE_ONE];
    struct th_span nos = {"", 0};
    bool stopped = false;

    sq_u64(st, 1, SQ_RUN_DELIVERY);
    sq_u64(st, 2, run);
    sq_u64(st, 3, op->endpoint);
    *rc = sqlite3_step(st);
    if (*rc == SQLITE_ROW)
        nos = sq_col(st, 1);
    for (size_t i = 0; i + 1 < nos.n && !stopped && (*rc == SQLITE_ROW || *rc == SQLITE_DONE); i += 2) {
        uint64_t no =
            run << SQ_RUN_SHIFT | (unsigned char)nos.p[i] | (uint64_t)(unsigned char)nos.p[i + 1] << 8;

        if (no < op->next)
            continue;
        if (op->count == op->max || sq_budget_spent(budget)) {
            op->next = no;
            stopped = true;
            break;
        }
        sq_u64(one, 1, no);
        *rc = sqlite3_step(one);
        if (*rc == SQLITE_ROW)
            sq_rows_queue(one, &op->rows[op->count++]);
        sqlite3_reset(one);
    }
    sqlite3_reset(st);
    if (*rc == SQLITE_ROW || *rc == SQLITE_DONE)
        *rc = SQLITE_OK;
    return !stopped && *rc == SQLITE_OK;
}

/** By endpoint: through the runs up to where they end, then by scanning. */
static int walk_endpoint(struct sq_reader *r, struct th_walk *op, struct sq_budget *budget)
{
    sqlite3_stmt *from = r->st[SQ_R_RUN_FROM];
    uint64_t oldest, built, run;
    int rc = sq_db_number(r->st[SQ_R_QUEUE_MIN], &oldest);

    if (rc == SQLITE_OK)
        rc = sq_scan_built(r, SQ_RUN_DELIVERY, &built);
    if (rc != SQLITE_OK)
        return rc;
    if (op->next < oldest)
        op->next = oldest;
    while (op->next < built) {
        sq_u64(from, 1, SQ_RUN_DELIVERY);
        sq_u64(from, 2, op->next >> SQ_RUN_SHIFT);
        rc = sq_db_number(from, &run);
        if (rc != SQLITE_OK)
            return rc;
        if (!run || run >= built >> SQ_RUN_SHIFT) {
            op->next = built;
            break;
        }
        if (op->next < run << SQ_RUN_SHIFT)
            op->next = run << SQ_RUN_SHIFT;
        if (!walk_run(r, op, budget, run, &rc))
            return rc;
        op->next = (run + 1) << SQ_RUN_SHIFT;
        if (sq_budget_spent(budget))
            return SQLITE_OK;
    }
    return walk_table(r, op, budget);
}

void sq_read_walk(struct sq_reader *r, struct th_walk *op)
{
    struct sq_budget budget;
    int rc = sq_db_run(r->st[SQ_R_BEGIN]);

    sq_budget_start(&budget);
    op->count = 0;
    op->next = op->from;
    if (rc == SQLITE_OK)
        rc = op->endpoint ? walk_endpoint(r, op, &budget) : walk_table(r, op, &budget);
    TH_CHECK(op->count <= op->max);
    op->op.error = sq_db_error(r->db, rc);
    if (!sqlite3_get_autocommit(r->db))
        sq_db_run(r->st[SQ_R_END]);
}
