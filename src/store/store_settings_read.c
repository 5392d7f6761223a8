/* Reads all settings rows, for a start and for judging a copy: each kind with one statement. */
#include "store/store_settings_read.h"
#include "store/store_statement.h"

struct th_row st_settings_row(struct st_stmt *st, enum th_row_kind kind)
{
    struct th_row r = {.kind = kind,
                       .no = st_col_u64(st, 0),
                       .tenant = st_col_u64(st, 1),
                       .endpoint = st_col_u64(st, 2),
                       .rev = st_col_u64(st, 3),
                       .id = st_col(st, 4),
                       .settings = st_col(st, 5),
                       .created = st_col_i64(st, 6),
                       .updated = st_col_i64(st, 7),
                       .until = st_col_i64(st, 8)};

    for (int i = 0; i < TH_HEALTH_VALUES; i++)
        r.health[i] = st_col_i64(st, 9 + i);
    return r;
}

static int settings_of(struct st_db *db, const struct st_texts *texts, enum th_row_kind kind,
                       void (*row)(void *, const struct th_row *), void *ctx)
{
    struct st_stmt *st = NULL;
    int rc = st_prepare(db, texts->settings[kind], &st);

    while (rc == ST_OK && (rc = st_step(st)) == ST_ROW) {
        struct th_row r = st_settings_row(st, kind);

        row(ctx, &r);
        rc = ST_OK;
    }
    st_finalize(st);
    return rc == ST_DONE ? ST_OK : rc;
}

int st_settings_read(struct st_db *db, const struct st_texts *texts,
                     void (*row)(void *, const struct th_row *), void *ctx)
{
    int rc = ST_OK;

    for (int kind = TH_ROW_TENANT; rc == ST_OK && kind <= TH_ROW_META; kind++)
        rc = settings_of(db, texts, (enum th_row_kind)kind, row, ctx);
    return rc;
}
