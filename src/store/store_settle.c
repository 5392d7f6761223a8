/* Outcomes of attempts: compare-and-set on the number of attempts.
 *
 * A settle that expects another number is logged and changes no state: a late answer, an op that is sent twice, and a crash are the
 * same case.
 *
 * Invariant: the attempts of a delivery hang together by `prev` from the delivery's `last`. */
#include "store/store_settle.h"
#include "base/check.h"
#include "store/store_count.h"
#include "store/store_queue.h"
#include "store/store_recent.h"
#include "store/store_rows.h"
#include "store/store_settings.h"
#include "store/store_tenant.h"
#include "store/store_usage.h"

static int put_attempt(struct st_writer *w, const struct th_settle *s, uint64_t endpoint, uint64_t prev,
                       uint64_t *no)
{
    struct st_stmt *st = w->st[s->row.batch ? ST_W_ATTEMPT_BATCH : ST_W_ATTEMPT];
    const struct th_attempt_row *r = &s->row;
    struct st_packed packed;
    int rc;

    st_number_align(&w->next.attempt, r->at.ms);
    *no = st_number_take(&w->next.attempt, 1);
    st_rows_pack(&packed, r);
    st_u64(st, 1, *no);
    st_u64(st, 2, s->delivery);
    st_u64(st, 3, endpoint);
    st_u64(st, 4, prev);
    st_u64(st, 5, r->nth);
    st_i64(st, 6, r->at.ms);
    st_u64(st, 7, r->status);
    st_u64(st, 8, r->class);
    st_u64(st, 9,
           (r->truncated ? ST_FLAG_TRUNCATED : 0u) | (r->reused ? ST_FLAG_REUSED : 0u) |
               (r->ok ? ST_FLAG_OK : 0u) | (r->decoded ? ST_FLAG_DECODED : 0u) |
               (r->test ? ST_FLAG_TEST : 0u));
    st_u64(st, 10, r->endpoint_rev);
    st_i64(st, 11, st_rows_signed_at(r));
    st_blob(st, 12, th_span(packed.times, sizeof packed.times));
    st_blob(st, 13, th_span(packed.peer, packed.peer_n));
    st_text(st, 14, r->sigs);
    st_text(st, 15, r->detail);
    st_blob(st, 16, r->head);
    st_blob(st, 17, r->body);
    if (r->batch)
        st_u64(st, 18, r->batch);
    rc = st_run(st);
    if (rc != ST_OK)
        return rc;
    return st_usage_delivery(w, endpoint, (int64_t)(r->sigs.n + r->detail.n + r->head.n + r->body.n), 0);
}

/** The settle was sent again: settings that it carried were committed with it, and nothing can have changed
 * since. */
static int settled_before(struct st_writer *w, struct th_settle *s)
{
    bool exists;

    s->applied = true;
    if (!s->with)
        return ST_OK;
    s->with->op.error = TH_OK;
    s->with->result = TH_SETTINGS_DONE;
    s->with->new_version = 0;
    return s->with->tenant ? st_tenant_version(w, s->with->tenant, &exists, &s->with->new_version) : ST_OK;
}

/** The settings that change with an outcome. Refused: op.error is set, and nothing is written. */
static int settle_with(struct st_writer *w, struct th_settle *s)
{
    int rc = st_settings(w, s->with);

    if (rc == ST_OK && s->with->op.error != TH_OK)
        s->op.error = s->with->op.error;
    else if (rc == ST_OK && s->with->result != TH_SETTINGS_DONE)
        s->op.error = TH_CONFLICT;
    return rc;
}

/** A settle whose counter does not fit: the attempt is logged behind the newest one, so that the delivery
 * still shows the attempt that made its state. The same settle sent again finds itself and changes nothing.
 */
static int settle_late(struct st_writer *w, struct th_settle *s, const struct st_stored *d)
{
    struct st_stmt *st = w->st[ST_W_ATTEMPT_HEAD];
    uint64_t prev = 0, no;
    bool same = false, erased;
    int rc = ST_ROW;

    if (!d->queued && !d->ended)
        return ST_OK; /* retention took it: no place for a row */
    if (d->last) {
        st_u64(st, 1, d->last);
        rc = st_step(st);
        if (rc == ST_ROW) {
            prev = st_col_u64(st, 0);
            same = st_col_u64(st, 1) == s->row.nth && st_col_i64(st, 2) == s->row.at.ms &&
                   st_col_u64(st, 3) == s->row.status && st_col_u64(st, 4) == s->row.class &&
                   st_col_u64(st, 5) == s->row.endpoint_rev && d->attempts == s->expect_attempts + 1u;
        }
        st_reset(st);
    }
    if (same)
        return settled_before(w, s);
    if (rc != ST_ROW)
        return rc == ST_DONE ? ST_CORRUPT : rc;
    rc = st_queue_is_erased(w, d->event, &erased);
    if (rc != ST_OK)
        return rc;
    if (erased) /* the event was erased while the request was under way: request and answer are not kept */
        s->row.sigs = s->row.head = s->row.body = th_span("", 0);
    rc = put_attempt(w, s, d->endpoint, prev, &no);
    st_recent_forget(w); /* the chain of attempts that it has is another one now */
    if (rc != ST_OK)
        return rc;
    st = d->last ? w->st[ST_W_ATTEMPT_PREV] : d->queued ? w->st[ST_W_QUEUE_LAST] : w->st[ST_W_DELIVERY_LAST];
    st_u64(st, 1, d->last ? d->last : s->delivery);
    st_u64(st, 2, no);
    return st_run(st);
}

static int64_t ended_at(const struct th_settle *s)
{
    return s->row.at.ms + (s->row.us[4] > 0 ? s->row.us[4] : 0) / 1000;
}

/* Whoever follows attempts is shown this one with its delivery as it is now. */
static void tell(struct st_writer *w, const struct th_settle *s, const struct st_stored *d, uint64_t no)
{
    bool again = s->next == TH_DS_QUEUED;

    st_recent_attempt(w, &s->row, no, d->event, d->last,
                      &(struct th_delivery_row){.no = s->delivery,
                                                .endpoint = d->endpoint,
                                                .state = s->next,
                                                .lane = d->lane,
                                                .tries = s->tries,
                                                .marks = d->marks,
                                                .attempts = (uint16_t)(d->attempts + 1),
                                                .order = d->order,
                                                .due = again ? s->due.ms : 0,
                                                .ended = again ? 0 : ended_at(s),
                                                .last_attempt = no});
}

static bool is_too_large(const struct th_attempt_row *r)
{
    return r->sigs.n > ST_BYTES_MAX || r->detail.n > ST_BYTES_MAX || r->head.n > ST_BYTES_MAX ||
           r->body.n > ST_BYTES_MAX;
}

static int settle_one(struct st_writer *w, struct th_settle *s)
{
    const struct th_attempt_row *r = &s->row;
    struct st_stored d;
    uint64_t no;
    struct st_stmt *st;
    int rc;

    s->applied = false;
    s->op.error = TH_OK;
    rc = st_queue_find(w, s->delivery, &d);
    if (rc != ST_OK)
        return rc;
    if (!d.queued || d.attempts != s->expect_attempts)
        return settle_late(w, s, &d);
    if (s->with)
        rc = settle_with(w, s);
    if (rc != ST_OK || s->op.error != TH_OK)
        return rc;
    rc = put_attempt(w, s, d.endpoint, d.last, &no);
    if (rc != ST_OK)
        return rc;
    TH_CHECK(d.queued && !d.ended);
    s->applied = true;
    d.marks |= s->marks;
    tell(w, s, &d, no);
    if (s->next != TH_DS_QUEUED)
        return st_queue_end(w, s->delivery, &d, ended_at(s), s->tries, d.attempts + 1, no, s->next);
    if (!d.attempts) {
        rc = st_count_add(w, d.endpoint, d.lane, false, -1);
        if (rc == ST_OK)
            rc = st_count_add(w, d.endpoint, d.lane, true, 1);
        if (rc != ST_OK)
            return rc;
    }
    st = w->st[ST_W_QUEUE_AGAIN];
    st_u64(st, 1, s->delivery);
    st_i64(st, 2, s->due.ms);
    st_u64(st, 3, st_rows_tries(s->tries, !s->tries ? 0 : d.round ? d.round : r->at.ms));
    st_u64(st, 4, d.attempts + 1);
    st_u64(st, 5, no);
    st_u64(st, 6, st_rows_lane(d.lane, d.marks, d.order));
    return st_run(st);
}

int st_settle(struct st_writer *w, struct th_settle *s)
{
    struct th_settle *m;
    int rc;

    for (m = s; m; m = m->more) {
        m->applied = false;
        if (is_too_large(&m->row)) {
            s->op.error = TH_TOO_LARGE;
            return ST_OK;
        }
    }
    rc = settle_one(w, s);
    for (m = s->more; m && rc == ST_OK && s->op.error == TH_OK; m = m->more)
        rc = settle_one(w, m);
    return rc;
}
