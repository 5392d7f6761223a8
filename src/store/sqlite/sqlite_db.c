/* A connection of the SQLite store: its statements, and the meaning of SQLite's results for an op.
 *
 * Invariant: an unknown result is a fault of the program (TH_BUG), never "nothing happened".
 *
 * Any thread: a connection belongs to one. */
#include "store/sqlite/sqlite_db.h"
#include "base/alloc.h"
#include "base/check.h"
#include <errno.h>

struct sq_stmt {
    struct st_stmt base;
    sqlite3_stmt *st;
};

static sqlite3_stmt *stmt_of(struct st_stmt *st)
{
    return ((struct sq_stmt *)st)->st;
}

static void hand_over(struct st_stmt *st)
{
    sqlite3_stmt *to = stmt_of(st);

    for (int i = 0; i < st->highest; i++) {
        const struct st_value *v = &st->v[i];

        switch (v->kind) {
        case ST_INTEGER:
            sqlite3_bind_int64(to, i + 1, v->i);
            break;
        case ST_TEXT:
            sqlite3_bind_text64(to, i + 1, v->s.p, v->s.n, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case ST_BLOB:
            sqlite3_bind_blob64(to, i + 1, v->s.p, v->s.n, SQLITE_STATIC);
            break;
        default:
            sqlite3_bind_null(to, i + 1);
            break;
        }
    }
    st->stepped = true;
}

static int step(struct st_stmt *st)
{
    if (!st->stepped)
        hand_over(st);
    return sqlite3_step(stmt_of(st));
}

static int reset(struct st_stmt *st)
{
    st->stepped = false;
    return sqlite3_reset(stmt_of(st));
}

static int64_t integer(struct st_stmt *st, int column)
{
    return sqlite3_column_int64(stmt_of(st), column);
}

static struct th_span bytes(struct st_stmt *st, int column)
{
    const void *p = sqlite3_column_blob(stmt_of(st), column);

    return (struct th_span){p ? (const char *)p : "",
                            p ? (size_t)sqlite3_column_bytes(stmt_of(st), column) : 0};
}

static int prepare(struct st_db *db, const char *sql, struct st_stmt **out)
{
    struct sq_stmt *st = th_calloc(1, sizeof *st);
    int rc;

    *out = NULL;
    if (!st)
        return SQLITE_NOMEM;
    st->base.db = db;
    rc = sqlite3_prepare_v3(sq_db_of(db), sql, -1, SQLITE_PREPARE_PERSISTENT, &st->st, NULL);
    if (rc != SQLITE_OK) {
        th_free(st);
        return rc;
    }
    *out = &st->base;
    return SQLITE_OK;
}

static void finalize(struct st_stmt *st)
{
    sqlite3_finalize(stmt_of(st));
    th_free(st);
}

static int changes(struct st_db *db)
{
    return sqlite3_changes(sq_db_of(db));
}

static bool in_transaction(struct st_db *db)
{
    return !sqlite3_get_autocommit(sq_db_of(db));
}

static void rollback(struct st_db *db)
{
    if (in_transaction(db))
        sqlite3_exec(sq_db_of(db), "ROLLBACK", NULL, NULL, NULL);
}

static void wipe(struct st_db *db, bool on)
{
    sqlite3_exec(sq_db_of(db), on ? "PRAGMA secure_delete=ON" : "PRAGMA secure_delete=FAST", NULL, NULL,
                 NULL);
}

static enum th_error error_of(struct st_db *db, int rc)
{
    return sq_db_error(sq_db_of(db), rc);
}

static const char *message(struct st_db *db)
{
    return sqlite3_errmsg(sq_db_of(db));
}

void sq_db_init(struct sq_db *out, sqlite3 *db)
{
    static const struct st_driver driver = {.step = step,
                                            .reset = reset,
                                            .integer = integer,
                                            .bytes = bytes,
                                            .prepare = prepare,
                                            .finalize = finalize,
                                            .changes = changes,
                                            .in_transaction = in_transaction,
                                            .rollback = rollback,
                                            .wipe = wipe,
                                            .error = error_of,
                                            .message = message};

    _Static_assert(ST_ROW == SQLITE_ROW && ST_DONE == SQLITE_DONE && ST_NOMEM == SQLITE_NOMEM &&
                       ST_CORRUPT == SQLITE_CORRUPT && ST_TOOBIG == SQLITE_TOOBIG,
                   "the shared code speaks in these numbers");
    *out = (struct sq_db){{&driver}, db};
}

/** The system's error behind a failed write: SQLite itself reports only ENOSPC as "full", but a quota or a
 * size limit is no broken disk either. Transactions write to the log, checkpoints to the database. */
static bool no_room_behind(sqlite3 *db, bool checkpoint)
{
    sqlite3_file *file = NULL;
    int error = 0;

    sqlite3_file_control(db, "main", checkpoint ? SQLITE_FCNTL_FILE_POINTER : SQLITE_FCNTL_JOURNAL_POINTER,
                         &file);
    if (file && file->pMethods)
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
    return error == EDQUOT || error == EFBIG || error == ENOSPC;
}

static enum th_error map_error(sqlite3 *db, int rc, bool checkpoint)
{
    int extended =
        db && (rc & 0xff) == (sqlite3_extended_errcode(db) & 0xff) ? sqlite3_extended_errcode(db) : rc;

    switch (rc & 0xff) {
    case SQLITE_OK:
        return TH_OK;
    case SQLITE_FULL:
        return TH_FULL;
    case SQLITE_NOMEM:
        return TH_NOMEM;
    case SQLITE_TOOBIG:
        return TH_TOO_LARGE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
        return TH_RETRY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return TH_CORRUPT;
    case SQLITE_IOERR:
        if (extended == SQLITE_IOERR_NOMEM)
            return TH_NOMEM;
        /* a failed sync is never "full": the kernel may have dropped the pages */
        if (extended == SQLITE_IOERR_WRITE && no_room_behind(db, checkpoint))
            return TH_FULL;
        if (extended == SQLITE_IOERR_SHMSIZE)
            return TH_FULL;
        return TH_IO;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return TH_IO;
    default:
        return TH_BUG;
    }
}

enum th_error sq_db_error(sqlite3 *db, int rc)
{
    return map_error(db, rc, false);
}

enum th_error sq_db_checkpoint_error(sqlite3 *db, int rc)
{
    return map_error(db, rc, true);
}
