/* Settings and retention of the SQLite store.
 *
 * Settings rows are put and deleted all or none, guarded by the tenant's version, so that an accept which was
 * matched against older settings is found out. Retention deletes the oldest events by number, a bounded
 * number a step, with everything that hangs on them; dropping whole tables would stop the only writer for
 * seconds.
 *
 * Invariants: (1) a version rises by one with each change that matters for matching; (2) before the newest
 * numbers can disappear, the next free ones are noted in `counter`, so that a number is never given twice;
 * (3) the secrets of an ended endpoint or tenant are gone with the same commit.
 *
 * Runs on the writer thread only. On an SQLite error the caller rolls back. */
#include "store/store_sqlite_int.h"

#define PURGE_IDEM_ROWS 1000

/* ---- settings ---- */

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
    rc = sq_run(st);
    if (rc != SQLITE_OK || r->kind != TH_ROW_ENDPOINT)
        return rc;
    st = w->st[SQ_W_ENDPOINT_REV];
    sq_u64(st, 1, r->no);
    sq_u64(st, 2, r->rev);
    sq_i64(st, 3, r->updated);
    sq_text(st, 4, r->settings);
    return sq_run(st);
}

static int del_row(struct sq_writer *w, const struct th_row *r)
{
    sqlite3_stmt *st = w->st[SQ_W_ROW_DEL + (int)r->kind];
    int from = 0, to = 0, rc;

    sq_u64(st, 1, r->no);
    sq_text(st, 2, r->id);
    rc = sq_run(st);
    if (rc == SQLITE_OK && r->kind == TH_ROW_TENANT && r->erase) {
        sq_u64(w->st[SQ_W_ERASING_PUT], 1, r->no);
        sq_i64(w->st[SQ_W_ERASING_PUT], 2, r->updated);
        rc = sq_run(w->st[SQ_W_ERASING_PUT]);
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
        rc = sq_run(w->st[SQ_W_CASCADE + from]);
    }
    return rc;
}

static int put_version(struct sq_writer *w, uint64_t tenant, uint64_t version)
{
    sqlite3_stmt *st = w->st[SQ_W_VERSION_PUT];

    th_map_del(&w->versions, tenant);
    sq_u64(st, 1, tenant);
    sq_u64(st, 2, version);
    return sq_run(st);
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
    return sq_run(st);
}

int sq_settings(struct sq_writer *w, struct th_settings_op *c)
{
    uint64_t day = sq_idem_day(w, c->at.ms), version = 0;
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

/* ---- retention ---- */

/** Rows (endpoint, bytes of an attempt): no longer its tenant's. */
static int uncount_answers(struct sq_writer *w, sqlite3_stmt *st)
{
    int rc;

    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        int inner = sq_use_delivery(w, sq_col_u64(st, 0), -sqlite3_column_int64(st, 1), 0);

        if (inner != SQLITE_OK) {
            sqlite3_reset(st);
            return inner;
        }
    }
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int drop_attempts(struct sq_writer *w, uint64_t no)
{
    sqlite3_stmt *get = w->st[SQ_W_ATTEMPT_HEAD], *del = w->st[SQ_W_ATTEMPT_DEL],
                 *bytes = w->st[SQ_W_ATTEMPT_BYTES];
    int rc = SQLITE_OK;

    while (no && rc == SQLITE_OK) {
        uint64_t prev = 0;

        sq_u64(get, 1, no);
        rc = sqlite3_step(get);
        if (rc == SQLITE_ROW)
            prev = sq_col_u64(get, 0);
        sqlite3_reset(get);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            return rc;
        sq_u64(bytes, 1, no);
        rc = uncount_answers(w, bytes);
        sq_u64(del, 1, no);
        if (rc == SQLITE_OK)
            rc = sq_run(del);
        no = prev;
    }
    return rc;
}

/** The attempts of the deliveries up to a number. Nearly all have one: those go with one statement, which costs
 * a third of one for each; only what hangs before them is followed row by row. */
static int drop_all_attempts(struct sq_writer *w, uint64_t upto)
{
    sqlite3_stmt *earlier = w->st[SQ_W_PURGE_EARLIER], *lasts = w->st[SQ_W_PURGE_LASTS],
                 *answers = w->st[SQ_W_PURGE_ANSWERS];
    int rc;

    sq_u64(earlier, 1, upto);
    while ((rc = sqlite3_step(earlier)) == SQLITE_ROW) {
        int inner = drop_attempts(w, sq_col_u64(earlier, 0));

        if (inner != SQLITE_OK) {
            sqlite3_reset(earlier);
            return inner;
        }
    }
    sqlite3_reset(earlier);
    if (rc != SQLITE_DONE)
        return rc;
    sq_u64(answers, 1, upto);
    rc = uncount_answers(w, answers);
    if (rc != SQLITE_OK)
        return rc;
    sq_u64(lasts, 1, upto);
    return sq_run(lasts);
}

/** Which endpoints lose unfinished deliveries up to a number, and how many. */
static int note_dropped(struct sq_writer *w, struct th_purge *p, uint64_t upto)
{
    sqlite3_stmt *st = w->st[SQ_W_PURGE_DROPPED];
    int rc, added = SQLITE_OK;

    sq_u64(st, 1, upto);
    while (added == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        uint64_t endpoint = sq_col_u64(st, 0), lane = sq_col_u64(st, 1);
        int count = sqlite3_column_int(st, 3);

        added = sq_waiting_add(w, endpoint, lane, sqlite3_column_int(st, 2), -count);
        if (lane != TH_LANE_TEST)
            th_purge_note(p, endpoint, (uint32_t)count);
    }
    sqlite3_reset(st);
    return added != SQLITE_OK ? added : rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/** Deletes every delivery up to a number, with its attempts. Deliveries are numbered in the order of their
 * events, so those of the oldest events are the lowest. */
/** Deliveries that are dropped before they have ended: those that wait, and those that were never queued. */
static int uncount_unfinished(struct sq_writer *w, uint64_t event, uint64_t upto)
{
    sqlite3_stmt *queued = w->st[SQ_W_PURGE_QUEUED], *fans = w->st[SQ_W_PURGE_FANS];
    int rc = SQLITE_DONE, inner = SQLITE_OK;

    sq_u64(queued, 1, upto);
    while (inner == SQLITE_OK && (rc = sqlite3_step(queued)) == SQLITE_ROW)
        inner = sq_use_delivery(w, sq_col_u64(queued, 0), 0, -1);
    sqlite3_reset(queued);
    if (inner != SQLITE_OK || rc != SQLITE_DONE)
        return inner != SQLITE_OK ? inner : rc;
    sq_u64(fans, 1, event);
    while (inner == SQLITE_OK && (rc = sqlite3_step(fans)) == SQLITE_ROW) {
        uint64_t n = sq_col_u64(fans, 2);
        uint32_t had = 0;
        inner = sq_fan_queued(w, sq_col_u64(fans, 1), n, &had);
        if (inner == SQLITE_OK)
            inner = sq_use_add(w, sq_col_u64(fans, 0), 0, -(int64_t)(n - had));
    }
    sqlite3_reset(fans);
    return inner != SQLITE_OK ? inner : rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int drop_deliveries(struct sq_writer *w, struct th_purge *p, uint64_t event, uint64_t upto)
{
    int rc = uncount_unfinished(w, event, upto);

    if (rc == SQLITE_OK)
        rc = drop_all_attempts(w, upto);
    if (rc == SQLITE_OK)
        rc = note_dropped(w, p, upto);
    if (rc != SQLITE_OK)
        return rc;
    sq_u64(w->st[SQ_W_PURGE_QUEUE], 1, upto);
    rc = sq_run(w->st[SQ_W_PURGE_QUEUE]);
    if (rc != SQLITE_OK)
        return rc;
    p->cancelled = (uint32_t)sqlite3_changes(w->db);
    w->next.queued -= p->cancelled;
    sq_u64(w->st[SQ_W_PURGE_DELIVERY], 1, upto);
    return sq_run(w->st[SQ_W_PURGE_DELIVERY]);
}

static int note_counters(struct sq_writer *w)
{
    static const char *const names[] = {"event", "delivery", "attempt"};
    const uint64_t next[] = {w->next.event, w->next.delivery, w->next.attempt};
    sqlite3_stmt *st = w->st[SQ_W_COUNTER];

    for (int i = 0; i < 3; i++) {
        int rc;

        sq_text(st, 1, th_str(names[i]));
        sq_u64(st, 2, next[i] - 1);
        rc = sq_run(st);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

static int drop_own(struct sq_writer *w, uint64_t tenant, struct th_span id, uint64_t event)
{
    sqlite3_stmt *st = w->st[SQ_W_PURGE_OWN];

    if (!id.n)
        return SQLITE_OK;
    sq_u64(st, 1, tenant);
    sq_text(st, 2, id);
    sq_u64(st, 3, event);
    return sq_run(st);
}

static int drop_keys(struct sq_writer *w, struct th_purge *p)
{
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *st = w->st[i ? SQ_W_PURGE_CIDEM : SQ_W_PURGE_IDEM];
        int rc;

        sq_u64(st, 1, sq_day(p->idem_before.ms));
        sq_u64(st, 2, PURGE_IDEM_ROWS);
        rc = sq_run(st);
        if (rc != SQLITE_OK)
            return rc;
        if (sqlite3_changes(w->db) == PURGE_IDEM_ROWS)
            p->more = true;
    }
    return SQLITE_OK;
}

/** Runs below the oldest event that is left. Attempts are no earlier than the day of their event. */
static int drop_runs(struct sq_writer *w)
{
    sqlite3_stmt *st = w->st[SQ_W_PURGE_EVENTS];
    uint64_t event = w->next.event, delivery = w->next.delivery, attempt = w->next.attempt;
    int rc;

    sq_u64(st, 1, 1);
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        event = sq_col_u64(st, 0);
        delivery = sq_col_u64(st, 2);
        attempt = sq_day_start(sq_day(sqlite3_column_int64(st, 1)));
    }
    sqlite3_reset(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    return sq_runs_purge(w, event, delivery, attempt);
}

/** Finds the events of a step and frees their external ids. *upto: the newest of them, *delivery: their newest
 * delivery, *kept: the oldest event that stays; each 0 without one. */
static int choose_events(struct sq_writer *w, struct th_purge *p, uint64_t *upto, uint64_t *delivery,
                         uint64_t *kept)
{
    sqlite3_stmt *events = w->st[SQ_W_PURGE_EVENTS];
    int rc;

    sq_u64(events, 1, (uint64_t)p->max_events + 1);
    while ((rc = sqlite3_step(events)) == SQLITE_ROW) {
        uint64_t no = sq_col_u64(events, 0), end = sq_col_u64(events, 2) + sq_col_u64(events, 3);

        p->more = sqlite3_column_int64(events, 1) < p->before.ms;
        if (!p->more || p->purged == p->max_events) {
            *kept = no;
            break;
        }
        rc = drop_own(w, sq_col_u64(events, 4), sq_col(events, 5), no);
        if (rc == SQLITE_OK)
            rc = sq_use_add(w, sq_col_u64(events, 4), -sqlite3_column_int64(events, 6), 0);
        if (rc != SQLITE_OK)
            break;
        p->purged++;
        *upto = no;
        *delivery = end - 1;
    }
    sqlite3_reset(events);
    if (rc == SQLITE_DONE)
        p->more = false;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sq_purge(struct sq_writer *w, struct th_purge *p)
{
    sqlite3_stmt *del = w->st[SQ_W_PURGE_EVENT], *fan = w->st[SQ_W_PURGE_FAN];
    uint64_t upto = 0, delivery = 0, kept = 0;
    int rc;

    p->op.error = TH_OK;
    p->purged = p->cancelled = p->dropped_count = 0;
    p->more = false;
    rc = choose_events(w, p, &upto, &delivery, &kept);
    if (rc == SQLITE_OK && p->purged) {
        rc = drop_deliveries(w, p, upto, delivery);
        sq_u64(del, 1, upto);
        if (rc == SQLITE_OK)
            rc = sq_run(del);
        sq_u64(fan, 1, upto);
        if (rc == SQLITE_OK)
            rc = sq_run(fan);
        sq_u64(w->st[SQ_W_PURGE_ERASURE], 1, upto);
        if (rc == SQLITE_OK)
            rc = sq_run(w->st[SQ_W_PURGE_ERASURE]);
        if (rc == SQLITE_OK)
            rc = note_counters(w);
        if (rc == SQLITE_OK)
            rc = drop_runs(w);
    }
    if (rc != SQLITE_OK)
        return rc;
    p->upto = kept ? kept - 1 : upto ? upto : w->next.event - 1;
    return drop_keys(w, p);
}
