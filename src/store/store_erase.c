/* Erasing what events say, in the SQLite store.
 *
 * Why in steps: an event may have a hundred thousand deliveries with attempts, and a tenant millions of events. The first step
 * takes the data away and notes the event in `erasure`, so that it is irrevocable and is found again after a crash; each further
 * one cancels and empties the next deliveries. `erasing` does the same for the events of a tenant.
 *
 * What is freed is overwritten with zeros (secure_delete), and the log is cut off after the next commit. LIMIT: what the disk
 * itself keeps of freed blocks, and backups, are out of reach. LIMIT: of the keys of repetitions all those of the tenant and the
 * day of the event are looked at; they are kept for two days.
 *
 * Invariant: an event is in `erasure` exactly when its data is NULL. Runs on the writer thread only; on an SQLite error the
 * caller rolls back. */
#include "store/store_erase.h"
#include "base/check.h"
#include "store/store_queue.h"
#include "store/store_usage.h"

#define EVENTS_AT_ONCE 100

struct found {
    uint64_t tenant, first, n, bytes;
};

static int find_event(struct sq_writer *w, uint64_t no, struct found *f)
{
    sqlite3_stmt *st = w->st[SQ_W_ERASE_EVENT];
    int rc;

    sq_u64(st, 1, no);
    rc = sqlite3_step(st);
    *f = (struct found){0};
    if (rc == SQLITE_ROW)
        *f = (struct found){sq_col_u64(st, 0), sq_col_u64(st, 1), sq_col_u64(st, 2), sq_col_u64(st, 3)};
    sqlite3_reset(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int in_range(struct sq_writer *w, enum sq_writer_statement which, const struct found *f,
                    uint64_t *count)
{
    sq_u64(w->st[which], 1, f->first);
    sq_u64(w->st[which], 2, f->first + f->n);
    return sq_db_number(w->st[which], count);
}

/** From here on the event has no content. */
static int begin(struct sq_writer *w, uint64_t event, const struct found *f, int64_t at)
{
    sqlite3_stmt *put = w->st[SQ_W_ERASE_PUT], *idem = w->st[SQ_W_ERASE_IDEM];
    int rc;

    w->erased = true;
    sq_u64(w->st[SQ_W_ERASE_DATA], 1, event);
    rc = sq_db_run(w->st[SQ_W_ERASE_DATA]);
    sq_u64(put, 1, event);
    sq_i64(put, 2, at);
    sq_u64(put, 3, f->n ? f->first : 0);
    if (rc == SQLITE_OK)
        rc = sq_db_run(put);
    sq_u64(idem, 1, event >> 40); /* a number's day is that of its key */
    sq_u64(idem, 2, f->tenant);
    sq_u64(idem, 3, event);
    if (rc == SQLITE_OK)
        rc = sq_usage_add(w, f->tenant, -(int64_t)f->bytes, 0);
    return rc == SQLITE_OK ? sq_db_run(idem) : rc;
}

/** What the user may still be told before anything happens. */
static int may_begin(struct sq_writer *w, struct th_erase *e, const struct found *f, bool *may)
{
    uint64_t waiting = 0, ended = 0;
    int rc = in_range(w, SQ_W_ERASE_WAITING, f, &waiting);

    if (rc == SQLITE_OK)
        rc = in_range(w, SQ_W_ERASE_MADE, f, &ended);
    e->unfinished = (uint32_t)(f->n - ended);
    *may = false;
    if (f->n != ended && !e->cancel)
        e->result = TH_ERASE_UNFINISHED;
    else if (f->n != ended + waiting)
        e->result = TH_ERASE_QUEUEING;
    else
        *may = true;
    return rc;
}

static int empty_attempts(struct sq_writer *w, uint64_t last)
{
    sqlite3_stmt *get = w->st[SQ_W_ERASE_BYTES], *empty = w->st[SQ_W_ERASE_ATTEMPT];
    int rc = SQLITE_OK;

    while (last && rc == SQLITE_OK) {
        uint64_t no = last, endpoint, bytes;

        sq_u64(get, 1, no);
        rc = sqlite3_step(get);
        last = rc == SQLITE_ROW ? sq_col_u64(get, 0) : 0;
        endpoint = rc == SQLITE_ROW ? sq_col_u64(get, 1) : 0;
        bytes = rc == SQLITE_ROW ? sq_col_u64(get, 2) : 0;
        sqlite3_reset(get);
        rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
        if (rc == SQLITE_OK && bytes)
            rc = sq_usage_delivery(w, endpoint, -(int64_t)bytes, 0);
        sq_u64(empty, 1, no);
        if (rc == SQLITE_OK)
            rc = sq_db_run(empty);
    }
    return rc;
}

static int one_delivery(struct sq_writer *w, struct th_erase *e, uint64_t no)
{
    struct sq_stored d;
    int rc = sq_queue_find(w, no, &d);

    if (rc == SQLITE_OK && d.queued) {
        TH_CHECK(e->cancelled_count < TH_ERASE_STEP);
        e->cancelled[e->cancelled_count++] = no;
        rc = sq_queue_end(w, no, &d, e->at.ms, d.tries, d.attempts, d.last, TH_DS_CANCELLED);
    }
    return rc == SQLITE_OK ? empty_attempts(w, d.last) : rc;
}

static int deliveries(struct sq_writer *w, struct th_erase *e, const struct found *f, uint64_t pos)
{
    sqlite3_stmt *put = w->st[SQ_W_ERASE_POS];
    uint64_t end = f->first + f->n, to = pos + TH_ERASE_STEP < end ? pos + TH_ERASE_STEP : end;
    int rc = SQLITE_OK;

    w->erased = true;
    for (uint64_t no = pos; rc == SQLITE_OK && no < to; no++)
        rc = one_delivery(w, e, no);
    sq_u64(put, 1, e->of);
    sq_u64(put, 2, to < end ? to : 0);
    e->result = to < end || !e->event ? TH_ERASE_MORE : TH_ERASE_DONE;
    return rc == SQLITE_OK ? sq_db_run(put) : rc;
}

static int event_step(struct sq_writer *w, struct th_erase *e)
{
    sqlite3_stmt *get = w->st[SQ_W_ERASE_GET];
    struct found f;
    uint64_t pos = 0;
    bool begun, may;
    int rc = find_event(w, e->of, &f);

    if (rc != SQLITE_OK)
        return rc;
    e->result = TH_ERASE_ABSENT;
    if (!f.tenant || (e->tenant && f.tenant != e->tenant))
        return SQLITE_OK;
    sq_u64(get, 1, e->of);
    rc = sqlite3_step(get);
    begun = rc == SQLITE_ROW;
    if (begun)
        pos = sq_col_u64(get, 0);
    sqlite3_reset(get);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    rc = SQLITE_OK;
    if (!begun) {
        rc = may_begin(w, e, &f, &may);
        if (rc != SQLITE_OK || !may)
            return rc;
        rc = begin(w, e->of, &f, e->at.ms);
        pos = f.n ? f.first : 0;
    }
    e->result = TH_ERASE_DONE;
    return rc == SQLITE_OK && pos ? deliveries(w, e, &f, pos) : rc;
}

/** Keys of repetitions; *left: there may be more. */
static int tenant_keys(struct sq_writer *w, uint64_t tenant, bool *left)
{
    uint64_t today = w->next.event >> 40;

    for (uint64_t day = today > 3 ? today - 3 : 0; day <= today + 1; day++)
        for (int i = 0; i < 2; i++) {
            sqlite3_stmt *st = w->st[i ? SQ_W_ERASING_CIDEM : SQ_W_ERASING_IDEM];
            int rc;

            sq_u64(st, 1, day);
            sq_u64(st, 2, tenant);
            rc = sq_db_run(st);
            if (rc != SQLITE_OK)
                return rc;
            *left = *left || sqlite3_changes(w->db) == 1000;
        }
    return SQLITE_OK;
}

/** Begins with the next events of a tenant that was deleted with its content; the steps after this one empty them. */
static int tenant_step(struct sq_writer *w, struct th_erase *e)
{
    sqlite3_stmt *next = w->st[SQ_W_ERASING_NEXT], *events = w->st[SQ_W_ERASING_EVENTS],
                 *put = w->st[SQ_W_ERASING_POS];
    struct found list[EVENTS_AT_ONCE];
    uint64_t nos[EVENTS_AT_ONCE], tenant, pos, seen = 0;
    unsigned n = 0;
    int64_t at;
    bool left = false;
    int rc = sqlite3_step(next);

    e->result = TH_ERASE_DONE;
    tenant = rc == SQLITE_ROW ? sq_col_u64(next, 0) : 0;
    at = rc == SQLITE_ROW ? sqlite3_column_int64(next, 1) : 0;
    pos = rc == SQLITE_ROW ? sq_col_u64(next, 2) : 0;
    sqlite3_reset(next);
    if (!tenant)
        return rc == SQLITE_DONE ? SQLITE_OK : rc;
    e->result = TH_ERASE_MORE;
    sq_u64(events, 1, pos);
    while (n < EVENTS_AT_ONCE && (rc = sqlite3_step(events)) == SQLITE_ROW) {
        seen = sq_col_u64(events, 0);
        if (sq_col_u64(events, 1) == tenant && !sqlite3_column_int(events, 4)) {
            list[n] =
                (struct found){tenant, sq_col_u64(events, 2), sq_col_u64(events, 3), sq_col_u64(events, 5)};
            nos[n++] = seen;
        }
    }
    sqlite3_reset(events);
    rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
    for (unsigned i = 0; rc == SQLITE_OK && i < n; i++)
        rc = begin(w, nos[i], &list[i], at);
    if (rc == SQLITE_OK && seen) {
        sq_u64(put, 1, tenant);
        sq_u64(put, 2, seen);
        return sq_db_run(put);
    }
    if (rc == SQLITE_OK)
        rc = tenant_keys(w, tenant, &left);
    if (rc != SQLITE_OK || left)
        return rc;
    sq_u64(w->st[SQ_W_ERASING_DEL], 1, tenant);
    return sq_db_run(w->st[SQ_W_ERASING_DEL]);
}

int sq_erase(struct sq_writer *w, struct th_erase *e)
{
    int rc;

    e->op.error = TH_OK;
    e->unfinished = e->cancelled_count = 0;
    e->of = e->event;
    sqlite3_exec(w->db, "PRAGMA secure_delete=ON", NULL, NULL, NULL);
    rc = e->event ? SQLITE_OK : sq_db_number(w->st[SQ_W_ERASE_NEXT], &e->of);
    if (rc == SQLITE_OK)
        rc = e->of ? event_step(w, e) : tenant_step(w, e);
    sqlite3_exec(w->db, "PRAGMA secure_delete=FAST", NULL, NULL, NULL);
    return rc;
}
