/* The writer of the SQLite store: its connection, its transactions, its next numbers, and which module does which write.
 *
 * Why an op must be all or nothing although it shares its commit: each first reads everything that could refuse it, and only then
 * writes; a refusal leaves no row. An unexpected SQLite error is returned to the caller, which rolls the whole group back and runs
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
#include "store/store_count.h"
#include "store/store_erase.h"
#include "store/store_fan.h"
#include "store/store_move.h"
#include "store/store_purge.h"
#include "store/store_rewrap.h"
#include "store/store_settings.h"
#include "store/store_settle.h"
#include "store/store_usage.h"

/** What a query of one number gives. */
static int number_of(sqlite3 *db, const char *sql, uint64_t *out)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

    if (rc == SQLITE_OK)
        rc = sq_db_number(st, out);
    sqlite3_finalize(st);
    return rc;
}

/* First free number of a kind: above every stored one and above what retention has noted. */
#define NOTED(k) "coalesce((SELECT v FROM counter WHERE k='" k "'),0)"
#define NEWEST(table) "coalesce((SELECT max(no) FROM " table "),0)"
/* deliveries have their numbers before they are queued */
#define NUMBERED "coalesce((SELECT first+n-1 FROM event ORDER BY no DESC LIMIT 1),0)"

enum th_error sq_writer_open(struct sq_writer *w, struct sq_store *store, sqlite3 *db)
{
    int rc;

    *w = (struct sq_writer){.store = store, .db = db};
    th_map_init(&w->versions, 100000, 0x9e3779b97f4a7c15u);
    th_buf_init(&w->packed, 16u << 20);
    w->st = th_calloc(SQ_W_COUNT, sizeof *w->st);
    if (!w->st)
        return TH_NOMEM;
    rc = sq_statements_writer(db, w->st);
    if (rc == SQLITE_OK)
        rc = number_of(db, "SELECT 1 + max(" NOTED("event") "," NEWEST("event") ")", &w->next.event);
    if (rc == SQLITE_OK)
        rc = number_of(
            db,
            "SELECT 1 + max(" NOTED("delivery") "," NEWEST("queue") "," NEWEST("delivery") "," NUMBERED ")",
            &w->next.delivery);
    if (rc == SQLITE_OK)
        rc = number_of(db, "SELECT 1 + max(" NOTED("attempt") "," NEWEST("attempt") ")", &w->next.attempt);
    if (rc == SQLITE_OK)
        rc = sq_usage_open(w); /* and counts the queue */
    if (rc == SQLITE_OK)
        rc = sq_count_load(w);
    return rc == SQLITE_OK ? TH_OK : sq_db_error(db, rc);
}

void sq_writer_close(struct sq_writer *w)
{
    if (w->st)
        sq_db_finalize(w->st, SQ_W_COUNT);
    th_free(w->st);
    w->st = NULL;
    th_map_fini(&w->versions);
    sq_usage_close(w);
    th_buf_fini(&w->packed);
    sq_count_fini(w);
}

int sq_writer_begin(struct sq_writer *w)
{
    /* nothing is left of the transaction before: what it changed in memory was kept or undone */
    TH_CHECK(sqlite3_get_autocommit(w->db) && !w->touched && !w->change_count);
    return sq_db_run(w->st[SQ_W_BEGIN]);
}

int sq_writer_commit(struct sq_writer *w)
{
    int rc = sq_usage_write(w);

    if (rc == SQLITE_OK)
        rc = sq_db_run(w->st[SQ_W_COMMIT]);
    if (rc == SQLITE_OK) {
        sq_usage_committed(w);
        sq_count_end(w, true);
    }
    return rc;
}

void sq_writer_rollback(struct sq_writer *w)
{
    if (!sqlite3_get_autocommit(w->db))
        sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
    sq_usage_undone(w);
    sq_count_end(w, false);
    th_map_fini(&w->versions);
}

int sq_writer_write(struct sq_writer *w, struct th_op *op)
{
    TH_CHECK(!sqlite3_get_autocommit(w->db));
    switch ((int)op->kind) {
    case TH_OP_ACCEPT:
        return sq_accept(w, (struct th_accept *)op);
    case TH_OP_FANOUT:
        return sq_fan_step(w, (struct th_fanout *)op);
    case TH_OP_SETTLE:
        return sq_settle(w, (struct th_settle *)op);
    case TH_OP_MOVE:
        return sq_move(w, (struct th_move *)op);
    case TH_OP_SETTINGS:
        return sq_settings(w, (struct th_settings_op *)op);
    case TH_OP_PURGE:
        return sq_purge(w, (struct th_purge *)op);
    case TH_OP_REWRAP:
        return sq_rewrap(w, (struct th_rewrap *)op);
    case SQ_OP_RUN_BUILD:
        op->error = TH_OK;
        return sq_build_slice(w, (struct sq_build *)op);
    case TH_OP_ERASE:
        return sq_erase(w, (struct th_erase *)op);
    case TH_OP_COUNT:
        return sq_count(w, (struct th_counts *)op);
    case TH_OP_PROBE:
        op->error = TH_OK;
        return sq_db_run(w->st[SQ_W_PROBE]);
    default:
        op->error = TH_BUG;
        return SQLITE_OK;
    }
}
