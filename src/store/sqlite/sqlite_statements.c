/* The statements of the stores in SQLite's words. Rows are left for the start to add up: a sum by key would be sorted on the disk. */
#include "store/sqlite/sqlite_statements.h"
#include "store/sqlite/migrations.h"
#include "store/store_rows.h"

#define ST_GREATER "max"
#define ST_BYTES_OF(column) SQ_BYTES_OF(column)
#define ST_HEX16(number) "printf('%016x'," number ")"
#define ST_LED_JOIN(table, on) " CROSS JOIN " table " ON " on
#define ST_BEGIN "BEGIN IMMEDIATE"
#define ST_INBOX_DEL NULL
#define ST_BEGIN_READING "BEGIN"
#define ST_SERIES(from, before, by)                                                                          \
    "WITH RECURSIVE m(t) AS (SELECT " from " UNION ALL SELECT t+" by " FROM m WHERE t+" by "<" before ")"    \
    " SELECT r.t,r.upto,r.v FROM m CROSS"
#define ST_SUM(bytes) bytes
#define ST_ROWS "1"
#define ST_GROUP(by) ""
#include "store/store_statements.def"

const struct st_texts sq_texts = {
    .writer = writer_sql, .reader = reader_sql, .once = once_sql, .settings = settings_sql};
