/* Functions that judge a database file which no server uses; th_sqlite_judge is in
 * store/sqlite/sqlite_backup.h. */
#ifndef TH_SQLITE_JUDGE_H
#define TH_SQLITE_JUDGE_H
#include "base/error.h"
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

/** First value of a statement; -1 when there is none. */
int64_t sq_judge_number(sqlite3 *db, const char *sql);
/** The meaning of an SQLite result for a file, with its message in `why`. */
enum th_error sq_judge_failed(sqlite3 *db, int rc, const char *file, char *why, size_t why_size);
#endif
