/* All settings rows, for a start and for looking at a copy: each kind by one statement. */
#include "store/store_settings_read.h"
#include "store/sqlite/sqlite_db.h"

/* no, tenant, endpoint, rev, id, conf, created, updated, until, and the facts */
/* clang-format off */
static const char *const settings_sql[] = {
    [TH_ROW_TENANT] = "SELECT no,0,0,version,id,conf,created,updated,0,0,0,0,0,0 FROM tenant WHERE deleted=0 ORDER BY no",
    [TH_ROW_KEY] = "SELECT no,tenant,0,0,hash,conf,created,updated,until,0,0,0,0,0 FROM api_key ORDER BY no",
    [TH_ROW_ENDPOINT] = "SELECT no,tenant,0,rev,NULL,conf,created,updated,0,0,0,0,0,0 FROM endpoint WHERE deleted=0 ORDER BY no",
    [TH_ROW_SECRET] = "SELECT no,tenant,endpoint,0,NULL,sealed,created,updated,until,0,0,0,0,0 FROM secret ORDER BY no",
    [TH_ROW_HEALTH] =
        "SELECT endpoint,0,0,0,NULL,NULL,0,0,0,first_fail,last_ok,exhausted_run,rest_since,rest_until FROM fact WHERE endpoint IN (SELECT no"
        " FROM endpoint WHERE deleted=0) ORDER BY endpoint",
    [TH_ROW_JOB] = "SELECT no,tenant,endpoint,0,NULL,conf,created,updated,0,0,0,0,0,0 FROM job ORDER BY no",
    [TH_ROW_META] =
        "SELECT 0,0,0,0,k,v,0,0,0,0,0,0,0,0 FROM meta"
        " UNION ALL SELECT 0,0,0,0,'" TH_META_NEWEST "',printf('%016x',coalesce(max(no),0)),0,0,0,0,0,0,0,0 FROM queue ORDER BY 5",
};
/* clang-format on */

static int settings_of(sqlite3 *db, enum th_row_kind kind, void (*row)(void *, const struct th_row *),
                       void *ctx)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, settings_sql[kind], -1, &st, NULL);

    while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct th_row r = {.kind = kind,
                           .no = sq_col_u64(st, 0),
                           .tenant = sq_col_u64(st, 1),
                           .endpoint = sq_col_u64(st, 2),
                           .rev = sq_col_u64(st, 3),
                           .id = sq_col(st, 4),
                           .settings = sq_col(st, 5),
                           .created = sqlite3_column_int64(st, 6),
                           .updated = sqlite3_column_int64(st, 7),
                           .until = sqlite3_column_int64(st, 8)};

        for (int i = 0; i < TH_HEALTH_VALUES; i++)
            r.health[i] = sqlite3_column_int64(st, 9 + i);
        row(ctx, &r);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sq_settings_read(sqlite3 *db, void (*row)(void *, const struct th_row *), void *ctx)
{
    int rc = SQLITE_OK;

    for (int kind = TH_ROW_TENANT; rc == SQLITE_OK && kind <= TH_ROW_META; kind++)
        rc = settings_of(db, (enum th_row_kind)kind, row, ctx);
    return rc;
}
