/* The statements of the stores in PostgreSQL's words. */
#include "store/postgres/postgres_statements.h"
#include "store/store_rows.h"

#define ST_GREATER "greatest"
#define ST_BYTES_OF(column) "coalesce(octet_length(" column "),0)"
#define ST_HEX16(number) "convert_to(lpad(to_hex(" number "),16,'0'),'UTF8')"
#define ST_LED_JOIN(table, on) " JOIN " table " ON " on
#define ST_BEGIN "BEGIN"
#define ST_INBOX_DEL "DELETE FROM inbox WHERE no=?1"
#define ST_BEGIN_READING "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
#define ST_SERIES(from, before, by)                                                                          \
    "SELECT r.t,r.upto,r.v FROM ROWS FROM(generate_series(" from "::int8," before "::int8-1," by             \
    "::int8)) m(t)"
#define ST_SUM(bytes) "sum(" bytes ")::int8"
#define ST_ROWS "count(*)"
#define ST_GROUP(by) " GROUP BY " by
#include "store/store_statements.def"

const struct st_texts pg_texts = {
    .writer = writer_sql, .reader = reader_sql, .once = once_sql, .settings = settings_sql};
