/* A connection of the SQLite store with its prepared statements: preparing, running, binding, reading, and what a result means. */
#ifndef TH_STORE_SQLITE_DB_H
#define TH_STORE_SQLITE_DB_H
#include "base/error.h"
#include "base/span.h"
#include <sqlite3.h>

#define SQ_BYTES_MAX ((size_t)256 << 20) /* of one text of a row: far below SQLite's own limit */

/** Prepares count statements of sql[] into out[]; on failure finalizes all of them. Returns an SQLite code. */
int sq_db_prepare(sqlite3 *db, const char *const *sql, int count, sqlite3_stmt **out);
void sq_db_finalize(sqlite3_stmt **st, int count);
/** Steps a statement that gives no rows, and resets it. SQLITE_OK or the error. */
int sq_db_run(sqlite3_stmt *st);
/** The number that a statement of at most one row gives, 0 without a row; resets it. SQLITE_OK or the error. */
int sq_db_number(sqlite3_stmt *st, uint64_t *out);
/** Whether a statement finds a row for this number; resets it. SQLITE_OK or the error. */
int sq_db_finds(sqlite3_stmt *st, uint64_t no, bool *found);
/** What an SQLite result means for an op; `db` for the system error behind it. */
enum th_error sq_db_error(sqlite3 *db, int rc);
/** The same for a checkpoint. */
enum th_error sq_db_checkpoint_error(sqlite3 *db, int rc);

static inline void sq_u64(sqlite3_stmt *st, int i, uint64_t v)
{
    sqlite3_bind_int64(st, i, (sqlite3_int64)v);
}
static inline void sq_i64(sqlite3_stmt *st, int i, int64_t v)
{
    sqlite3_bind_int64(st, i, v);
}
/** Borrowed text; empty is NULL. */
static inline void sq_text(sqlite3_stmt *st, int i, struct th_span s)
{
    if (s.n)
        sqlite3_bind_text64(st, i, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(st, i);
}
static inline void sq_blob(sqlite3_stmt *st, int i, struct th_span s)
{
    if (s.n)
        sqlite3_bind_blob64(st, i, s.p, s.n, SQLITE_STATIC);
    else
        sqlite3_bind_null(st, i);
}
static inline uint64_t sq_col_u64(sqlite3_stmt *st, int i)
{
    return (uint64_t)sqlite3_column_int64(st, i);
}
/** Bytes of a text or blob column, valid until the next step. */
static inline struct th_span sq_col(sqlite3_stmt *st, int i)
{
    const void *p = sqlite3_column_blob(st, i);

    return (struct th_span){p ? (const char *)p : "", p ? (size_t)sqlite3_column_bytes(st, i) : 0};
}
#endif
