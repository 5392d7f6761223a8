/* Retention: deletes the oldest events by number, a bounded number in each step, with everything that belongs
 * to them. Dropping whole tables would stop the only writer for seconds.
 *
 * Invariant: before the newest numbers can disappear, the next free ones are noted in `counter`, so that a
 * number is never given twice. On an error of the database the caller rolls back. */
#include "store/store_purge.h"
#include "base/check.h"
#include "store/store_count.h"
#include "store/store_note.h"
#include "store/store_roll.h"
#include "store/store_usage.h"

#define PURGE_IDEM_ROWS 1000

/** Takes rows (endpoint, bytes of an attempt) off the counts of the endpoint's tenant. */
static int uncount_answers(struct st_writer *w, struct st_stmt *st)
{
    int rc;

    while ((rc = st_step(st)) == ST_ROW) {
        int inner = st_usage_delivery(w, st_col_u64(st, 0), -st_col_i64(st, 1), 0);

        if (inner != ST_OK) {
            st_reset(st);
            return inner;
        }
    }
    st_reset(st);
    return rc == ST_DONE ? ST_OK : rc;
}

/** Puts the attempts that a statement gives into the rollups, those that are in none yet. */
static int keep_counts(struct st_writer *w, struct st_stmt *st)
{
    struct st_roll_attempt a;
    int rc, inner = ST_OK;

    while (inner == ST_OK && (rc = st_step(st)) == ST_ROW) {
        st_roll_attempt(st, &a);
        inner = st_roll_keep(w, &a);
    }
    st_reset(st);
    return inner != ST_OK ? inner : rc == ST_DONE ? ST_OK : rc;
}

int st_purge_attempts(struct st_writer *w, uint64_t no)
{
    struct st_stmt *get = w->st[ST_W_ATTEMPT_HEAD], *del = w->st[ST_W_ATTEMPT_DEL],
                   *bytes = w->st[ST_W_ATTEMPT_BYTES];
    int rc = ST_OK;

    while (no && rc == ST_OK) {
        uint64_t prev = 0;

        st_u64(get, 1, no);
        rc = st_step(get);
        if (rc == ST_ROW)
            prev = st_col_u64(get, 0);
        st_reset(get);
        if (rc != ST_ROW && rc != ST_DONE)
            return rc;
        st_u64(bytes, 1, no);
        rc = uncount_answers(w, bytes);
        if (rc == ST_OK && no >= w->sealed_attempt) {
            st_u64(w->st[ST_W_ATTEMPT_ROLL], 1, no);
            rc = keep_counts(w, w->st[ST_W_ATTEMPT_ROLL]);
        }
        st_u64(del, 1, no);
        if (rc == ST_OK)
            rc = st_run(del);
        no = prev;
    }
    return rc;
}

/** Deletes the attempts of the deliveries up to a number. Nearly all deliveries have one attempt: one
 * statement deletes these, which costs a third of one statement for each; only earlier attempts are followed
 * row by row. */
static int drop_all_attempts(struct st_writer *w, uint64_t upto)
{
    struct st_stmt *earlier = w->st[ST_W_PURGE_EARLIER], *lasts = w->st[ST_W_PURGE_LASTS],
                   *answers = w->st[ST_W_PURGE_ANSWERS];
    int rc;

    st_u64(earlier, 1, upto);
    while ((rc = st_step(earlier)) == ST_ROW) {
        int inner = st_purge_attempts(w, st_col_u64(earlier, 0));

        if (inner != ST_OK) {
            st_reset(earlier);
            return inner;
        }
    }
    st_reset(earlier);
    if (rc != ST_DONE)
        return rc;
    st_u64(answers, 1, upto);
    rc = uncount_answers(w, answers);
    if (rc != ST_OK)
        return rc;
    st_u64(w->st[ST_W_PURGE_UNROLLED], 1, upto);
    st_u64(w->st[ST_W_PURGE_UNROLLED], 2, w->sealed_attempt);
    rc = keep_counts(w, w->st[ST_W_PURGE_UNROLLED]);
    if (rc != ST_OK)
        return rc;
    st_u64(lasts, 1, upto);
    return st_run(lasts);
}

/** Collects the endpoints that lose unfinished deliveries up to a number, and how many they lose. */
static int note_dropped(struct st_writer *w, struct th_purge *p, uint64_t upto)
{
    struct st_stmt *st = w->st[ST_W_PURGE_DROPPED];
    int rc, added = ST_OK;

    st_u64(st, 1, upto);
    while (added == ST_OK && (rc = st_step(st)) == ST_ROW) {
        uint64_t endpoint = st_col_u64(st, 0), lane = st_col_u64(st, 1);
        int count = (int)st_col_i64(st, 3);

        added = st_count_add(w, endpoint, lane, (int)st_col_i64(st, 2), -count);
        if (lane != TH_LANE_TEST)
            th_purge_note(p, endpoint, (uint32_t)count);
    }
    st_reset(st);
    return added != ST_OK ? added : rc == ST_DONE ? ST_OK : rc;
}

/** Collects deliveries that are dropped before they have ended: those that wait, and those that were never
 * queued. */
static int uncount_unfinished(struct st_writer *w, uint64_t event, uint64_t upto)
{
    struct st_stmt *queued = w->st[ST_W_PURGE_QUEUED], *fans = w->st[ST_W_PURGE_FANS];
    int rc = ST_DONE, inner = ST_OK;

    st_u64(queued, 1, upto);
    while (inner == ST_OK && (rc = st_step(queued)) == ST_ROW)
        inner = st_usage_delivery(w, st_col_u64(queued, 0), 0, -1);
    st_reset(queued);
    if (inner != ST_OK || rc != ST_DONE)
        return inner != ST_OK ? inner : rc;
    st_u64(fans, 1, event);
    while (inner == ST_OK && (rc = st_step(fans)) == ST_ROW) {
        uint64_t n = st_col_u64(fans, 2);
        uint32_t had = 0;
        inner = st_count_range(w, st_col_u64(fans, 1), n, &had);
        if (inner == ST_OK)
            inner = st_usage_add(w, st_col_u64(fans, 0), 0, -(int64_t)(n - had));
    }
    st_reset(fans);
    return inner != ST_OK ? inner : rc == ST_DONE ? ST_OK : rc;
}

static int drop_deliveries(struct st_writer *w, struct th_purge *p, uint64_t event, uint64_t upto)
{
    int rc = uncount_unfinished(w, event, upto);

    if (rc == ST_OK)
        rc = st_roll_begin(w);
    if (rc == ST_OK)
        rc = drop_all_attempts(w, upto);
    if (rc == ST_OK)
        rc = note_dropped(w, p, upto);
    if (rc != ST_OK)
        return rc;
    st_u64(w->st[ST_W_PURGE_QUEUE], 1, upto);
    rc = st_run(w->st[ST_W_PURGE_QUEUE]);
    if (rc != ST_OK)
        return rc;
    p->cancelled = (uint32_t)st_changes(w->db);
    w->next.queued -= p->cancelled;
    st_u64(w->st[ST_W_PURGE_DELIVERY], 1, upto);
    return st_run(w->st[ST_W_PURGE_DELIVERY]);
}

int st_purge_counters(struct st_writer *w)
{
    static const char *const names[] = {"event", "delivery", "attempt"};
    const uint64_t next[] = {w->next.event, w->next.delivery, w->next.attempt};
    struct st_stmt *st = w->st[ST_W_COUNTER];

    for (int i = 0; i < 3; i++) {
        int rc;

        st_text(st, 1, th_str(names[i]));
        st_u64(st, 2, next[i] - 1);
        rc = st_run(st);
        if (rc != ST_OK)
            return rc;
    }
    return ST_OK;
}

int st_purge_own(struct st_writer *w, uint64_t tenant, struct th_span id, uint64_t event)
{
    struct st_stmt *st = w->st[ST_W_PURGE_OWN];

    if (!id.n)
        return ST_OK;
    st_u64(st, 1, tenant);
    st_text(st, 2, id);
    st_u64(st, 3, event);
    return st_run(st);
}

static int drop_keys(struct st_writer *w, struct th_purge *p)
{
    for (int i = 0; i < 2; i++) {
        struct st_stmt *st = w->st[i ? ST_W_PURGE_CIDEM : ST_W_PURGE_IDEM];
        int rc;

        st_u64(st, 1, st_number_day(p->idem_before.ms));
        st_u64(st, 2, PURGE_IDEM_ROWS);
        rc = st_run(st);
        if (rc != ST_OK)
            return rc;
        if (st_changes(w->db) == PURGE_IDEM_ROWS)
            p->more = true;
    }
    return ST_OK;
}

/** Deletes runs below the oldest event that is left. Attempts are not earlier than the day of their event. */
static int drop_runs(struct st_writer *w)
{
    struct st_stmt *st = w->st[ST_W_PURGE_EVENTS];
    uint64_t event = w->next.event, delivery = w->next.delivery, attempt = w->next.attempt;
    int rc;

    st_u64(st, 1, 1);
    rc = st_step(st);
    if (rc == ST_ROW) {
        event = st_col_u64(st, 0);
        delivery = st_col_u64(st, 2);
        attempt = st_number_start(st_number_day(st_col_i64(st, 1)));
    }
    st_reset(st);
    if (rc != ST_ROW && rc != ST_DONE)
        return rc;
    return st_build_purge(w, event, delivery, attempt);
}

/** Finds the events of a step and frees their external ids. *upto: the newest of them, *delivery: their newest
 * delivery, *kept: the oldest event that stays; each 0 without one. */
static int choose_events(struct st_writer *w, struct th_purge *p, uint64_t *upto, uint64_t *delivery,
                         uint64_t *kept)
{
    struct st_stmt *events = w->st[ST_W_PURGE_EVENTS];
    int rc;

    st_u64(events, 1, (uint64_t)p->max_events + 1);
    while ((rc = st_step(events)) == ST_ROW) {
        uint64_t no = st_col_u64(events, 0), end = st_col_u64(events, 2) + st_col_u64(events, 3);

        p->more = st_col_i64(events, 1) < p->before.ms;
        if (!p->more || p->purged == p->max_events) {
            *kept = no;
            break;
        }
        rc = st_purge_own(w, st_col_u64(events, 4), st_col(events, 5), no);
        if (rc == ST_OK)
            rc = st_usage_add(w, st_col_u64(events, 4), -st_col_i64(events, 6), 0);
        if (rc != ST_OK)
            break;
        p->purged++;
        *upto = no;
        *delivery = end - 1;
    }
    st_reset(events);
    if (rc == ST_DONE)
        p->more = false;
    return rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

int st_purge(struct st_writer *w, struct th_purge *p)
{
    struct st_stmt *del = w->st[ST_W_PURGE_EVENT], *fan = w->st[ST_W_PURGE_FAN];
    uint64_t upto = 0, delivery = 0, kept = 0;
    int rc;

    p->op.error = TH_OK;
    p->purged = p->cancelled = p->dropped_count = 0;
    p->more = false;
    rc = choose_events(w, p, &upto, &delivery, &kept);
    TH_CHECK(p->purged <= p->max_events && upto >> 53 == 0);
    if (rc == ST_OK && p->purged) {
        rc = drop_deliveries(w, p, upto, delivery);
        st_u64(del, 1, upto);
        if (rc == ST_OK)
            rc = st_run(del);
        st_u64(fan, 1, upto);
        if (rc == ST_OK)
            rc = st_run(fan);
        st_u64(w->st[ST_W_PURGE_ERASURE], 1, upto);
        if (rc == ST_OK)
            rc = st_run(w->st[ST_W_PURGE_ERASURE]);
        if (rc == ST_OK)
            rc = st_purge_counters(w);
        if (rc == ST_OK)
            rc = drop_runs(w);
    }
    if (rc != ST_OK)
        return rc;
    if (p->purged)
        st_note(w, ST_NOTE_PURGED, upto, 0, 0);
    p->upto = kept ? kept - 1 : upto ? upto : w->next.event - 1;
    return drop_keys(w, p);
}
