/* A connection of the SQLite store: its statements, and what SQLite's results mean for an op.
 *
 * Invariants: (1) a statement is reset before its function returns, so that no read transaction stays open; (2) a result that is
 * not known is a fault of ours (TH_BUG), never "nothing happened".
 *
 * Any thread: a connection belongs to one. */
#include "store/sqlite/sqlite_db.h"
#include "base/check.h"
#include <errno.h>

int sq_db_prepare(sqlite3 *db, const char *const *sql, int count, sqlite3_stmt **out)
{
    for (int i = 0; i < count; i++)
        out[i] = NULL;
    for (int i = 0; i < count; i++) {
        int rc = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &out[i], NULL);

        if (rc != SQLITE_OK) {
            sq_db_finalize(out, count);
            return rc;
        }
    }
    return SQLITE_OK;
}

void sq_db_finalize(sqlite3_stmt **st, int count)
{
    for (int i = 0; i < count; i++) {
        sqlite3_finalize(st[i]);
        st[i] = NULL;
    }
}

int sq_db_run(sqlite3_stmt *st)
{
    int rc = sqlite3_step(st), reset = sqlite3_reset(st);

    if (rc == SQLITE_DONE || rc == SQLITE_ROW)
        return reset;
    return rc;
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

int sq_db_number(sqlite3_stmt *st, uint64_t *out)
{
    int rc = sqlite3_step(st);

    *out = rc == SQLITE_ROW ? sq_col_u64(st, 0) : 0;
    sqlite3_reset(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sq_db_finds(sqlite3_stmt *st, uint64_t no, bool *found)
{
    int rc;

    sq_u64(st, 1, no);
    rc = sqlite3_step(st);
    *found = rc == SQLITE_ROW;
    sqlite3_reset(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}
