/* Copies of a database: made while a server works on it, and judged before one is put in place. */
#ifndef TH_STORE_SQLITE_BACKUP_H
#define TH_STORE_SQLITE_BACKUP_H
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Called now and then with bytes written so far and a rough total; false ends the copy. */
typedef bool th_backup_progress(void *ctx, int64_t done, int64_t total);

/** Writes a consistent copy of DIR/tenterhook.db to `to`, which must not exist, and syncs it. Works beside a
 * running server, and without one; blocks no writer. TH_NOT_FOUND: no database there; TH_CANCELLED: progress
 * said so; TH_FULL, TH_IO, with an English reason. After a failure `to` is gone. */
TH_MUST_USE enum th_error th_sqlite_backup(const char *dir, const char *to, th_backup_progress *progress,
                                           void *ctx, char *why, size_t why_size);
/** Reads a whole database file: is it one of this program, whole, and of a version that this program knows?
 * *version: of its layout. TH_CORRUPT or TH_INVALID with an English reason. */
TH_MUST_USE enum th_error th_sqlite_judge(const char *file, int *version, char *why, size_t why_size);
#endif
