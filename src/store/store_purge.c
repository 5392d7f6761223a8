/* Retention: the oldest events by number, a bounded number a step, with everything that hangs on them. Dropping whole tables
 * would stop the only writer for seconds.
 *
 * Invariant: before the newest numbers can disappear, the next free ones are noted in `counter`, so that a number is never given
 * twice. On an SQLite error the caller rolls back. */
#include "store/store_purge.h"
#include "base/check.h"
#include "store/store_count.h"
#include "store/store_usage.h"

#define PURGE_IDEM_ROWS 1000

/** Rows (endpoint, bytes of an attempt): no longer its tenant's. */
static int uncount_answers(struct sq_writer *w, sqlite3_stmt *st)
{
    int rc;

    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        int inner = sq_usage_delivery(w, sq_col_u64(st, 0), -sqlite3_column_int64(st, 1), 0);

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
            rc = sq_db_run(del);
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
    return sq_db_run(lasts);
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

        added = sq_count_add(w, endpoint, lane, sqlite3_column_int(st, 2), -count);
        if (lane != TH_LANE_TEST)
            th_purge_note(p, endpoint, (uint32_t)count);
    }
    sqlite3_reset(st);
    return added != SQLITE_OK ? added : rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/** Deliveries that are dropped before they have ended: those that wait, and those that were never queued. */
static int uncount_unfinished(struct sq_writer *w, uint64_t event, uint64_t upto)
{
    sqlite3_stmt *queued = w->st[SQ_W_PURGE_QUEUED], *fans = w->st[SQ_W_PURGE_FANS];
    int rc = SQLITE_DONE, inner = SQLITE_OK;

    sq_u64(queued, 1, upto);
    while (inner == SQLITE_OK && (rc = sqlite3_step(queued)) == SQLITE_ROW)
        inner = sq_usage_delivery(w, sq_col_u64(queued, 0), 0, -1);
    sqlite3_reset(queued);
    if (inner != SQLITE_OK || rc != SQLITE_DONE)
        return inner != SQLITE_OK ? inner : rc;
    sq_u64(fans, 1, event);
    while (inner == SQLITE_OK && (rc = sqlite3_step(fans)) == SQLITE_ROW) {
        uint64_t n = sq_col_u64(fans, 2);
        uint32_t had = 0;
        inner = sq_count_range(w, sq_col_u64(fans, 1), n, &had);
        if (inner == SQLITE_OK)
            inner = sq_usage_add(w, sq_col_u64(fans, 0), 0, -(int64_t)(n - had));
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
    rc = sq_db_run(w->st[SQ_W_PURGE_QUEUE]);
    if (rc != SQLITE_OK)
        return rc;
    p->cancelled = (uint32_t)sqlite3_changes(w->db);
    w->next.queued -= p->cancelled;
    sq_u64(w->st[SQ_W_PURGE_DELIVERY], 1, upto);
    return sq_db_run(w->st[SQ_W_PURGE_DELIVERY]);
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
        rc = sq_db_run(st);
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
    return sq_db_run(st);
}

static int drop_keys(struct sq_writer *w, struct th_purge *p)
{
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *st = w->st[i ? SQ_W_PURGE_CIDEM : SQ_W_PURGE_IDEM];
        int rc;

        sq_u64(st, 1, sq_number_day(p->idem_before.ms));
        sq_u64(st, 2, PURGE_IDEM_ROWS);
        rc = sq_db_run(st);
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
        attempt = sq_number_start(sq_number_day(sqlite3_column_int64(st, 1)));
    }
    sqlite3_reset(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    return sq_build_purge(w, event, delivery, attempt);
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
            rc = sq_usage_add(w, sq_col_u64(events, 4), -sqlite3_column_int64(events, 6), 0);
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
    TH_CHECK(p->purged <= p->max_events && upto >> 53 == 0);
    if (rc == SQLITE_OK && p->purged) {
        rc = drop_deliveries(w, p, upto, delivery);
        sq_u64(del, 1, upto);
        if (rc == SQLITE_OK)
            rc = sq_db_run(del);
        sq_u64(fan, 1, upto);
        if (rc == SQLITE_OK)
            rc = sq_db_run(fan);
        sq_u64(w->st[SQ_W_PURGE_ERASURE], 1, upto);
        if (rc == SQLITE_OK)
            rc = sq_db_run(w->st[SQ_W_PURGE_ERASURE]);
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
