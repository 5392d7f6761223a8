/* Settings of the SQLite store.
 *
 * Settings rows are put and deleted all or none, guarded by the tenant's version, so that an accept which was matched against
 * older settings is found out.
 *
 * Invariants: (1) a version rises by one with each change that matters for matching; (2) the secrets of an ended endpoint or
 * tenant are gone with the same commit.
 *
 * Runs on the writer thread only. On an SQLite error the caller rolls back. */
#include "store/store_settings.h"
#include "store/store_rows.h"
#include "store/store_tenant.h"

static int find_idem(struct sq_writer *w, struct th_settings_op *c, uint64_t day, bool *found)
{
    sqlite3_stmt *st = w->st[SQ_W_CIDEM_GET];

    *found = false;
    for (int back = 0; back < 2 && !*found; back++) {
        int rc;

        sq_i64(st, 1, (int64_t)day - back);
        sq_u64(st, 2, c->tenant);
        sq_blob(st, 3, th_span(c->idem.key, sizeof c->idem.key));
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW) {
            *found = true;
            c->new_version = sq_col_u64(st, 1);
            c->result = TH_SETTINGS_KEY_REUSED;
            if (th_span_eq(sq_col(st, 0), th_span(c->idem.body, sizeof c->idem.body))) {
                c->result = TH_SETTINGS_REPEATED;
                th_buf_reset(&c->repeated);
                th_buf_span(&c->repeated, sq_col(st, 2));
                c->op.error = c->repeated.failed;
            }
            rc = SQLITE_DONE;
        }
        sqlite3_reset(st);
        if (rc != SQLITE_DONE)
            return rc;
    }
    return SQLITE_OK;
}

/** Refuses a tenant id that another living tenant has (or gets in the same op). */
static int check_tenant_ids(struct sq_writer *w, struct th_settings_op *c)
{
    sqlite3_stmt *st = w->st[SQ_W_TENANT_ID];

    for (uint32_t i = 0; i < c->count; i++) {
        int rc;

        if (c->rows[i].kind != TH_ROW_TENANT || c->rows[i].del)
            continue;
        sq_text(st, 1, c->rows[i].id);
        sq_u64(st, 2, c->rows[i].no);
        rc = sqlite3_step(st);
        sqlite3_reset(st);
        if (rc == SQLITE_ROW)
            c->op.error = TH_CONFLICT;
        else if (rc != SQLITE_DONE)
            return rc;
        for (uint32_t j = 0; j < i; j++)
            if (c->rows[j].kind == TH_ROW_TENANT && !c->rows[j].del &&
                th_span_eq(c->rows[j].id, c->rows[i].id))
                c->op.error = TH_CONFLICT;
    }
    return SQLITE_OK;
}

static int put_row(struct sq_writer *w, const struct th_row *r, uint64_t rev)
{
    sqlite3_stmt *st = w->st[SQ_W_ROW_PUT + (int)r->kind];
    int rc;

    w->confs += r->settings.n;
    sq_u64(st, 1, r->no);
    sq_u64(st, 2, r->tenant);
    sq_u64(st, 3, r->endpoint);
    sq_u64(st, 4, rev);
    if (r->kind == TH_ROW_KEY)
        sqlite3_bind_blob64(st, 5, r->id.n ? r->id.p : "", r->id.n, SQLITE_STATIC);
    else
        sqlite3_bind_text64(st, 5, r->id.n ? r->id.p : "", r->id.n, SQLITE_STATIC, SQLITE_UTF8);
    if (r->kind == TH_ROW_SECRET || r->kind == TH_ROW_META)
        sq_blob(st, 6, r->settings);
    else
        sq_text(st, 6, r->settings);
    sq_i64(st, 7, r->created);
    sq_i64(st, 8, r->updated);
    sq_i64(st, 9, r->until);
    for (int i = 0; i < TH_HEALTH_VALUES; i++)
        sq_i64(st, 10 + i, r->health[i]);
    rc = sq_db_run(st);
    if (rc != SQLITE_OK || r->kind != TH_ROW_ENDPOINT)
        return rc;
    st = w->st[SQ_W_ENDPOINT_REV];
    sq_u64(st, 1, r->no);
    sq_u64(st, 2, r->rev);
    sq_i64(st, 3, r->updated);
    sq_text(st, 4, r->settings);
    return sq_db_run(st);
}

static int del_row(struct sq_writer *w, const struct th_row *r)
{
    sqlite3_stmt *st = w->st[SQ_W_ROW_DEL + (int)r->kind];
    int from = 0, to = 0, rc;

    sq_u64(st, 1, r->no);
    sq_text(st, 2, r->id);
    rc = sq_db_run(st);
    if (rc == SQLITE_OK && r->kind == TH_ROW_TENANT && r->erase) {
        sq_u64(w->st[SQ_W_ERASING_PUT], 1, r->no);
        sq_i64(w->st[SQ_W_ERASING_PUT], 2, r->updated);
        rc = sq_db_run(w->st[SQ_W_ERASING_PUT]);
    }
    if (r->kind == TH_ROW_TENANT) {
        to = SQ_CASCADE_TENANT;
        th_map_del(&w->versions, r->no);
    } else if (r->kind == TH_ROW_ENDPOINT) {
        from = SQ_CASCADE_TENANT;
        to = SQ_CASCADES;
    }
    for (; rc == SQLITE_OK && from < to; from++) {
        sq_u64(w->st[SQ_W_CASCADE + from], 1, r->no);
        rc = sq_db_run(w->st[SQ_W_CASCADE + from]);
    }
    return rc;
}

static int put_version(struct sq_writer *w, uint64_t tenant, uint64_t version)
{
    sqlite3_stmt *st = w->st[SQ_W_VERSION_PUT];

    th_map_del(&w->versions, tenant);
    sq_u64(st, 1, tenant);
    sq_u64(st, 2, version);
    return sq_db_run(st);
}

static int put_idem(struct sq_writer *w, const struct th_settings_op *c, uint64_t day)
{
    sqlite3_stmt *st = w->st[SQ_W_CIDEM_PUT];

    sq_u64(st, 1, day);
    sq_u64(st, 2, c->tenant);
    sq_blob(st, 3, th_span(c->idem.key, sizeof c->idem.key));
    sq_blob(st, 4, th_span(c->idem.body, sizeof c->idem.body));
    sq_u64(st, 5, c->new_version);
    sq_blob(st, 6, c->answer);
    return sq_db_run(st);
}

int sq_settings(struct sq_writer *w, struct th_settings_op *c)
{
    uint64_t day = sq_writer_idem_day(w, c->at.ms), version = 0;
    bool found = false, exists = false;
    int rc = SQLITE_OK;

    c->op.error = TH_OK;
    for (uint32_t i = 0; i < c->count; i++) {
        if ((unsigned)c->rows[i].kind > TH_ROW_META)
            c->op.error = TH_BUG;
        else if (c->rows[i].settings.n > SQ_BYTES_MAX || c->rows[i].id.n > SQ_BYTES_MAX)
            c->op.error = TH_TOO_LARGE;
    }
    if (c->answer.n > SQ_BYTES_MAX)
        c->op.error = TH_TOO_LARGE;
    if (c->op.error != TH_OK)
        return SQLITE_OK;
    if (c->idem.given)
        rc = find_idem(w, c, day, &found);
    if (rc != SQLITE_OK || found)
        return rc;
    if (c->tenant) {
        rc = sq_tenant_version(w, c->tenant, &exists, &version);
        if (rc != SQLITE_OK)
            return rc;
        c->new_version = version;
        if (c->keep_version ? !exists : version != c->expect_version) {
            c->result = TH_SETTINGS_STALE;
            return SQLITE_OK;
        }
    }
    rc = check_tenant_ids(w, c);
    if (rc != SQLITE_OK || c->op.error != TH_OK)
        return rc;
    c->result = TH_SETTINGS_DONE;
    c->new_version = c->tenant ? version + !c->keep_version : 0;
    for (uint32_t i = 0; rc == SQLITE_OK && i < c->count; i++) {
        const struct th_row *r = &c->rows[i];

        rc = r->del ? del_row(w, r) : put_row(w, r, r->rev);
        if (r->kind == TH_ROW_TENANT)
            th_map_del(&w->versions, r->no);
    }
    if (rc == SQLITE_OK && c->tenant)
        rc = put_version(w, c->tenant, c->new_version);
    if (rc == SQLITE_OK && c->idem.given)
        rc = put_idem(w, c, day);
    return rc;
}

/** Deletes every delivery up to a number, with its attempts. Deliveries are numbered in the order of their
 * events, so those of the oldest events are the lowest. */
