/* Copies of a database: made while a server works on it, and judged before one is put in place. */
#ifndef TH_STORE_SQLITE_BACKUP_H
#define TH_STORE_SQLITE_BACKUP_H
#include "port/store.h"

/** Called now and then with bytes done so far and a rough total; false ends the work. */
typedef bool th_backup_progress(void *ctx, int64_t done, int64_t total);

/** The state of a file that is whole. */
struct th_sqlite_state {
    int version;     /* version of its layout */
    char unfit[300]; /* rows that contradict each other, in English; empty: none was found */
};

/** Writes a consistent copy of DIR/tenterhook.db to `to`, which must not exist, syncs it and judges it. Works
 * beside a running server, and without one; blocks no writer. TH_NOT_FOUND: no database there; TH_CANCELLED:
 * progress said so; TH_CONFLICT: `to` exists; TH_CORRUPT, TH_FULL, TH_IO; with an English reason. After a
 * failure there is no new file. A copy whose rows do not fit is kept, and *state says so. */
TH_MUST_USE enum th_error th_sqlite_backup(const char *dir, const char *to, th_backup_progress *progress,
                                           void *ctx, struct th_sqlite_state *state, char *why,
                                           size_t why_size);
/** Reads a whole database file: is it one of this program, of a version that this program knows, whole in every
 * page and index, with exactly the tables of that version, and do its rows fit together? live: a server may be
 * at work on it; else nothing is written beside the file, and one with a log of its own is refused.
 * progress: NULL for none. TH_CORRUPT, TH_INVALID, TH_CANCELLED, TH_IO with an English reason. */
TH_MUST_USE enum th_error th_sqlite_judge(const char *file, bool live, th_backup_progress *progress,
                                          void *ctx, struct th_sqlite_state *state, char *why,
                                          size_t why_size);
/** Calls back with each row of settings in a file that was judged, as th_store's `settings` does. */
TH_MUST_USE enum th_error th_sqlite_settings(const char *file,
                                             void (*row)(void *ctx, const struct th_row *row), void *ctx,
                                             char *why, size_t why_size);
#endif
