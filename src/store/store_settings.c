/* Settings of the stores.
 *
 * Either all settings rows of an op are put and deleted or none, guarded by the tenant's version, so that an
 * accept which was matched against older settings is noticed.
 *
 * Invariants: (1) a version rises by one with each change that matters for matching; (2) the secrets of an ended endpoint or
 * tenant are gone with the same commit.
 *
 * Runs on the writer thread only. On an error of the database the caller rolls back. */
#include "store/store_settings.h"
#include "store/store_note.h"
#include "store/store_rows.h"
#include "store/store_tenant.h"

static int find_idem(struct st_writer *w, struct th_settings_op *c, uint64_t day, bool *found)
{
    struct st_stmt *st = w->st[ST_W_CIDEM_GET];

    *found = false;
    for (int back = 0; back < 2 && !*found; back++) {
        int rc;

        st_i64(st, 1, (int64_t)day - back);
        st_u64(st, 2, c->tenant);
        st_blob(st, 3, th_span(c->idem.key, sizeof c->idem.key));
        rc = st_step(st);
        if (rc == ST_ROW) {
            *found = true;
            c->new_version = st_col_u64(st, 1);
            c->result = TH_SETTINGS_KEY_REUSED;
            if (th_span_eq(st_col(st, 0), th_span(c->idem.body, sizeof c->idem.body))) {
                c->result = TH_SETTINGS_REPEATED;
                th_buf_reset(&c->repeated);
                th_buf_span(&c->repeated, st_col(st, 2));
                c->op.error = c->repeated.failed;
            }
            rc = ST_DONE;
        }
        st_reset(st);
        if (rc != ST_DONE)
            return rc;
    }
    return ST_OK;
}

/** Refuses a tenant id that another living tenant has (or gets in the same op). */
static int check_tenant_ids(struct st_writer *w, struct th_settings_op *c)
{
    struct st_stmt *st = w->st[ST_W_TENANT_ID];

    for (uint32_t i = 0; i < c->count; i++) {
        int rc;

        if (c->rows[i].kind != TH_ROW_TENANT || c->rows[i].del)
            continue;
        st_text(st, 1, c->rows[i].id);
        st_u64(st, 2, c->rows[i].no);
        rc = st_step(st);
        st_reset(st);
        if (rc == ST_ROW)
            c->op.error = TH_CONFLICT;
        else if (rc != ST_DONE)
            return rc;
        for (uint32_t j = 0; j < i; j++)
            if (c->rows[j].kind == TH_ROW_TENANT && !c->rows[j].del &&
                th_span_eq(c->rows[j].id, c->rows[i].id))
                c->op.error = TH_CONFLICT;
    }
    return ST_OK;
}

static int put_row(struct st_writer *w, const struct th_row *r, uint64_t rev)
{
    struct st_stmt *st = w->st[ST_W_ROW_PUT + (int)r->kind];
    int rc;

    w->confs += r->settings.n;
    st_u64(st, 1, r->no);
    st_u64(st, 2, r->tenant);
    st_u64(st, 3, r->endpoint);
    st_u64(st, 4, rev);
    st_bind(st, 5,
            (struct st_value){.kind = r->kind == TH_ROW_KEY ? ST_BLOB : ST_TEXT,
                              .s = {r->id.n ? r->id.p : "", r->id.n}}); /* empty, not NULL */
    if (r->kind == TH_ROW_SECRET || r->kind == TH_ROW_META)
        st_blob(st, 6, r->settings);
    else
        st_text(st, 6, r->settings);
    st_i64(st, 7, r->created);
    st_i64(st, 8, r->updated);
    st_i64(st, 9, r->until);
    for (int i = 0; i < TH_HEALTH_VALUES; i++)
        st_i64(st, 10 + i, r->health[i]);
    rc = st_run(st);
    if (rc != ST_OK || r->kind != TH_ROW_ENDPOINT)
        return rc;
    st = w->st[ST_W_ENDPOINT_REV];
    st_u64(st, 1, r->no);
    st_u64(st, 2, r->rev);
    st_i64(st, 3, r->updated);
    st_text(st, 4, r->settings);
    return st_run(st);
}

static int del_row(struct st_writer *w, const struct th_row *r)
{
    struct st_stmt *st = w->st[ST_W_ROW_DEL + (int)r->kind];
    int from = 0, to = 0, rc;

    st_u64(st, 1, r->no);
    st_text(st, 2, r->id);
    rc = st_run(st);
    if (rc == ST_OK && r->kind == TH_ROW_TENANT && r->erase) {
        st_u64(w->st[ST_W_ERASING_PUT], 1, r->no);
        st_i64(w->st[ST_W_ERASING_PUT], 2, r->updated);
        rc = st_run(w->st[ST_W_ERASING_PUT]);
    }
    if (r->kind == TH_ROW_TENANT) {
        to = ST_CASCADE_TENANT;
        th_map_del(&w->versions, r->no);
    } else if (r->kind == TH_ROW_ENDPOINT) {
        from = ST_CASCADE_TENANT;
        to = ST_CASCADES;
    }
    for (; rc == ST_OK && from < to; from++) {
        st_u64(w->st[ST_W_CASCADE + from], 1, r->no);
        rc = st_run(w->st[ST_W_CASCADE + from]);
    }
    return rc;
}

static void note_row(struct st_writer *w, const struct th_settings_op *c, const struct th_row *r)
{
    if (r->kind == TH_ROW_META && !c->knows)
        return; /* a text that only its own node reads again */
    st_note(w, ST_NOTE_ROW, (uint64_t)r->kind | (r->del ? 256 : 0), r->no,
            r->kind == TH_ROW_SECRET ? r->endpoint : r->tenant);
}

static int put_version(struct st_writer *w, uint64_t tenant, uint64_t version)
{
    struct st_stmt *st = w->st[ST_W_VERSION_PUT];

    th_map_del(&w->versions, tenant);
    st_u64(st, 1, tenant);
    st_u64(st, 2, version);
    return st_run(st);
}

static int put_idem(struct st_writer *w, const struct th_settings_op *c, uint64_t day)
{
    struct st_stmt *st = w->st[ST_W_CIDEM_PUT];

    st_u64(st, 1, day);
    st_u64(st, 2, c->tenant);
    st_blob(st, 3, th_span(c->idem.key, sizeof c->idem.key));
    st_blob(st, 4, th_span(c->idem.body, sizeof c->idem.body));
    st_u64(st, 5, c->new_version);
    st_blob(st, 6, c->answer);
    return st_run(st);
}

int st_settings(struct st_writer *w, struct th_settings_op *c)
{
    uint64_t day = st_writer_idem_day(w, c->at.ms), version = 0;
    bool found = false, exists = false;
    int rc = ST_OK;

    c->op.error = TH_OK;
    for (uint32_t i = 0; i < c->count; i++) {
        if ((unsigned)c->rows[i].kind > TH_ROW_META)
            c->op.error = TH_BUG;
        else if (c->rows[i].settings.n > ST_BYTES_MAX || c->rows[i].id.n > ST_BYTES_MAX)
            c->op.error = TH_TOO_LARGE;
    }
    if (c->answer.n > ST_BYTES_MAX)
        c->op.error = TH_TOO_LARGE;
    if (c->op.error != TH_OK)
        return ST_OK;
    if (c->idem.given)
        rc = find_idem(w, c, day, &found);
    if (rc != ST_OK || found)
        return rc;
    if (c->knows && w->others_settings >= c->knows) {
        c->result = TH_SETTINGS_STALE;
        return ST_OK;
    }
    c->position = w->position;
    if (c->tenant) {
        rc = st_tenant_version(w, c->tenant, &exists, &version);
        if (rc != ST_OK)
            return rc;
        c->new_version = version;
        if (c->keep_version ? !exists : version != c->expect_version) {
            c->result = TH_SETTINGS_STALE;
            return ST_OK;
        }
    }
    rc = check_tenant_ids(w, c);
    if (rc != ST_OK || c->op.error != TH_OK)
        return rc;
    c->result = TH_SETTINGS_DONE;
    c->new_version = c->tenant ? version + !c->keep_version : 0;
    for (uint32_t i = 0; rc == ST_OK && i < c->count; i++) {
        const struct th_row *r = &c->rows[i];

        rc = r->del ? del_row(w, r) : put_row(w, r, r->rev);
        note_row(w, c, r);
        if (r->kind == TH_ROW_TENANT)
            th_map_del(&w->versions, r->no);
    }
    if (c->tenant && !c->keep_version) /* its version is another one */
        st_note(w, ST_NOTE_ROW, TH_ROW_TENANT, c->tenant, 0);
    if (rc == ST_OK && c->tenant)
        rc = put_version(w, c->tenant, c->new_version);
    if (rc == ST_OK && c->idem.given)
        rc = put_idem(w, c, day);
    return rc;
}

/** Deletes every delivery up to a number, with its attempts. Deliveries are numbered in the order of their
 * events, so those of the oldest events are the lowest. */
