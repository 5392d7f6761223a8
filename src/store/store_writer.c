/* The writer of the stores: its connection, its transactions, its next numbers, and which module does which write.
 *
 * Why an op must be all or nothing although it shares its commit: each first reads everything that could refuse it, and only then
 * writes; a refusal leaves no row. An unexpected error of the database is returned to the caller, which rolls the whole group back and runs
 * its ops one by one.
 *
 * Invariants: (1) w->next lies above every stored number and above what retention has noted in `counter`, so that a number is
 * never given twice; it is put back on a rollback, so numbers grow in commit order; (2) versions of tenants are cached, and the
 * cache is emptied with each rollback.
 *
 * Opening and closing run on the opening thread, the rest on the writer's only. */
#include "store/store_writer.h"
#include "base/alloc.h"
#include "base/check.h"
#include "store/store_accept.h"
#include "store/store_backlog.h"
#include "store/store_count.h"
#include "store/store_erase.h"
#include "store/store_fan.h"
#include "store/store_move.h"
#include "store/store_purge.h"
#include "store/store_queue.h"
#include "store/store_recent.h"
#include "store/store_rewrap.h"
#include "store/store_settings.h"
#include "store/store_settle.h"
#include "store/store_state.h"
#include "store/store_trim.h"
#include "store/store_usage.h"

/** Reads the result of a statement that runs once. */
static int number_of(struct st_writer *w, enum st_once_statement which, uint64_t *out)
{
    struct st_stmt *st = NULL;
    int rc = st_prepare(w->db, w->store->texts->once[which], &st);

    if (rc == ST_OK)
        rc = st_number(st, out);
    st_finalize(st);
    return rc;
}

enum th_error st_writer_open(struct st_writer *w, struct st_store *store, struct st_db *db)
{
    int rc;

    *w = (struct st_writer){.store = store, .db = db};
    th_map_init(&w->versions, 100000, 0x9e3779b97f4a7c15u);
    th_buf_init(&w->packed, 16u << 20);
    th_buf_init(&w->news, 64u << 20);
    th_buf_init(&w->counts, 64u << 20);
    w->st = th_calloc(ST_W_COUNT, sizeof *w->st);
    if (!w->st)
        return TH_NOMEM;
    rc = st_prepare_all(db, store->texts->writer, ST_W_COUNT, w->st);
    if (rc == ST_OK)
        rc = number_of(w, ST_O_NEXT_EVENT, &w->next.event);
    if (rc == ST_OK)
        rc = number_of(w, ST_O_NEXT_DELIVERY, &w->next.delivery);
    if (rc == ST_OK)
        rc = number_of(w, ST_O_NEXT_ATTEMPT, &w->next.attempt);
    if (rc == ST_OK)
        rc = st_usage_open(w); /* and counts the queue */
    if (rc == ST_OK)
        rc = st_count_load(w);
    return rc == ST_OK ? TH_OK : st_error(db, rc);
}

void st_writer_close(struct st_writer *w)
{
    if (w->st)
        st_finalize_all(w->st, ST_W_COUNT);
    th_free(w->st);
    w->st = NULL;
    th_map_fini(&w->versions);
    st_usage_close(w);
    th_buf_fini(&w->packed);
    th_buf_fini(&w->news);
    th_buf_fini(&w->counts);
    st_count_fini(w);
}

int st_writer_begin(struct st_writer *w)
{
    /* nothing is left of the previous transaction: its changes in memory were kept or undone */
    TH_CHECK(!st_in_transaction(w->db) && !w->touched && !w->change_count);
    st_recent_begin(w);
    return st_run(w->st[ST_W_BEGIN]);
}

int st_writer_commit(struct st_writer *w)
{
    int rc = st_usage_write(w);

    if (rc == ST_OK && w->tells)
        rc = w->store->tell(w->store);
    if (rc == ST_OK)
        rc = st_run(w->st[ST_W_COMMIT]);
    if (rc == ST_OK)
        st_writer_committed(w);
    return rc;
}

void st_writer_committed(struct st_writer *w)
{
    st_usage_committed(w);
    st_count_end(w, true);
    st_recent_end(w, true);
}

void st_writer_expect(struct st_writer *w, const struct th_op *op)
{
    const struct th_move *m = (const struct th_move *)op;

    switch ((int)op->kind) {
    case TH_OP_ACCEPT:
        st_accept_expect(w, (const struct th_accept *)op);
        break;
    case TH_OP_SETTLE:
        for (const struct th_settle *s = (const struct th_settle *)op; s; s = s->more)
            st_queue_expect(w, s->delivery);
        break;
    case TH_OP_MOVE:
        for (uint32_t i = 0; i < m->count && m->count <= 1000; i++)
            st_queue_expect(w, m->deliveries[i]);
        break;
    default:
        break;
    }
}

void st_writer_rollback(struct st_writer *w)
{
    st_rollback(w->db);
    st_usage_undone(w);
    st_count_end(w, false);
    st_recent_end(w, false);
    th_map_fini(&w->versions);
}

/* Whether an operation may change events or deliveries that there are, or attempts. A settle does so, too, in its own way. */
static bool changes_rows(const struct th_op *op)
{
    return op->kind == TH_OP_MOVE || op->kind == TH_OP_PURGE || op->kind == TH_OP_ERASE ||
           op->kind == TH_OP_TRIM;
}

int st_writer_write(struct st_writer *w, struct th_op *op)
{
    TH_CHECK(st_in_transaction(w->db));
    if (changes_rows(op))
        st_recent_forget(w);
    switch ((int)op->kind) {
    case TH_OP_ACCEPT:
        return st_accept(w, (struct th_accept *)op);
    case TH_OP_FANOUT:
        return st_fan_step(w, (struct th_fanout *)op);
    case TH_OP_SETTLE:
        return st_settle(w, (struct th_settle *)op);
    case TH_OP_MOVE:
        return st_move(w, (struct th_move *)op);
    case TH_OP_SETTINGS:
        return st_settings(w, (struct th_settings_op *)op);
    case TH_OP_PURGE:
        return st_purge(w, (struct th_purge *)op);
    case TH_OP_REWRAP:
        return st_rewrap(w, (struct th_rewrap *)op);
    case ST_OP_RUN_BUILD:
        op->error = TH_OK;
        return st_build_slice(w, (struct st_build *)op);
    case TH_OP_ERASE:
        return st_erase(w, (struct th_erase *)op);
    case TH_OP_TRIM:
        return st_trim(w, (struct th_trim *)op);
    case TH_OP_BACKLOG:
        return st_backlog_note(w, (struct th_backlog *)op);
    case TH_OP_COUNT:
        return st_count(w, (struct th_counts *)op);
    case TH_OP_PROBE:
        op->error = TH_OK;
        return st_run(w->st[ST_W_PROBE]);
    default:
        op->error = TH_BUG;
        return ST_OK;
    }
}
