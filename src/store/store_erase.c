/* Erases the content of events.
 *
 * Why in steps: an event may have a hundred thousand deliveries with attempts, and a tenant millions of events. The first step
 * takes the data away and notes the event in `erasure`, so that it is irrevocable and is found again after a crash; each further
 * one cancels and empties the next deliveries. `erasing` does the same for the events of a tenant.
 *
 * What is freed is overwritten with zeros (secure_delete), and the log is cut off after the next commit. LIMIT: what the disk
 * itself keeps of freed blocks, and backups, are out of reach. LIMIT: all Idempotency-Keys of the tenant and
 * of the event's day are looked at; they are kept for two days.
 *
 * The copies of an event (port/copy_id.h) have what it said, so they are noted with it, and emptied behind it.
 *
 * Invariant: an event is in `erasure` exactly when its data is NULL. Runs on the writer thread only. On an
 * error of the database the caller rolls back. */
#include "store/store_erase.h"
#include "base/check.h"
#include "store/store_note.h"
#include "store/store_queue.h"
#include "store/store_usage.h"

#define EVENTS_AT_ONCE 100

struct found {
    uint64_t tenant, first, n, bytes;
};

static int find_event(struct st_writer *w, uint64_t no, struct found *f)
{
    struct st_stmt *st = w->st[ST_W_ERASE_EVENT];
    int rc;

    st_u64(st, 1, no);
    rc = st_step(st);
    *f = (struct found){0};
    if (rc == ST_ROW)
        *f = (struct found){st_col_u64(st, 0), st_col_u64(st, 1), st_col_u64(st, 2), st_col_u64(st, 3)};
    st_reset(st);
    return rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

static int in_range(struct st_writer *w, enum st_writer_statement which, const struct found *f,
                    uint64_t *count)
{
    st_u64(w->st[which], 1, f->first);
    st_u64(w->st[which], 2, f->first + f->n);
    return st_number(w->st[which], count);
}

/** Takes the content of the event away. */
static int begin(struct st_writer *w, uint64_t event, const struct found *f, int64_t at)
{
    static const char none[16];
    struct st_stmt *put = w->st[ST_W_ERASE_PUT], *idem = w->st[ST_W_ERASE_IDEM];
    int rc;

    w->erased = true;
    st_note(w, ST_NOTE_ERASED, event, 0, 0);
    st_u64(w->st[ST_W_ERASE_DATA], 1, event);
    rc = st_run(w->st[ST_W_ERASE_DATA]);
    st_u64(put, 1, event);
    st_i64(put, 2, at);
    st_u64(put, 3, f->n ? f->first : 0);
    if (rc == ST_OK)
        rc = st_run(put);
    st_u64(idem, 1, event >> 40); /* a number's day is that of its key */
    st_u64(idem, 2, f->tenant);
    st_u64(idem, 3, event);
    st_blob(idem, 4, th_span(none, sizeof none));
    if (rc == ST_OK)
        rc = st_usage_add(w, f->tenant, -(int64_t)f->bytes, 0);
    return rc == ST_OK ? st_run(idem) : rc;
}

/** Binds which copies are meant: those of an event. The bytes of both bounds are the caller's. */
static struct st_stmt *of_copies(struct st_writer *w, enum st_writer_statement which, uint64_t tenant,
                                 uint64_t event, char bounds[2][TH_COPY_ID_EVENT])
{
    st_u64(w->st[which], 1, tenant);
    st_text(w->st[which], 2, th_copy_id_event(bounds[0], event));
    st_text(w->st[which], 3, th_copy_id_event(bounds[1], event + 1));
    return w->st[which];
}

/** Takes the content of all copies of an event away. */
static int begin_copies(struct st_writer *w, uint64_t tenant, uint64_t event, int64_t at)
{
    char bounds[2][TH_COPY_ID_EVENT];
    uint64_t nos[100];
    unsigned n;
    int rc;

    do {
        struct st_stmt *st = of_copies(w, ST_W_ERASE_COPIES_NEW, tenant, event, bounds);
        for (n = 0; n < 100 && (rc = st_step(st)) == ST_ROW; n++)
            nos[n] = st_col_u64(st, 0);
        st_reset(st);
        rc = rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
        for (unsigned i = 0; i < n && rc == ST_OK; i++) {
            struct found f;
            rc = find_event(w, nos[i], &f);
            if (rc == ST_OK)
                rc = begin(w, nos[i], &f, at);
        }
    } while (rc == ST_OK && n);
    return rc;
}

/** Checks what can refuse the request before anything happens. */
static int may_begin(struct st_writer *w, struct th_erase *e, const struct found *f, bool *may)
{
    uint64_t waiting = 0, ended = 0, copies = 0;
    char bounds[2][TH_COPY_ID_EVENT];
    int rc = in_range(w, ST_W_ERASE_WAITING, f, &waiting);

    if (rc == ST_OK)
        rc = in_range(w, ST_W_ERASE_MADE, f, &ended);
    if (rc == ST_OK)
        rc = st_number(of_copies(w, ST_W_ERASE_COPIES_WAITING, f->tenant, e->of, bounds), &copies);
    e->unfinished = (uint32_t)(f->n - ended + copies);
    *may = false;
    if (e->unfinished && !e->cancel)
        e->result = TH_ERASE_UNFINISHED;
    else if (f->n != ended + waiting)
        e->result = TH_ERASE_QUEUEING;
    else
        *may = true;
    return rc;
}

static int empty_attempts(struct st_writer *w, uint64_t last)
{
    struct st_stmt *get = w->st[ST_W_ERASE_BYTES], *empty = w->st[ST_W_ERASE_ATTEMPT];
    int rc = ST_OK;

    while (last && rc == ST_OK) {
        uint64_t no = last, endpoint, bytes;

        st_u64(get, 1, no);
        rc = st_step(get);
        last = rc == ST_ROW ? st_col_u64(get, 0) : 0;
        endpoint = rc == ST_ROW ? st_col_u64(get, 1) : 0;
        bytes = rc == ST_ROW ? st_col_u64(get, 2) : 0;
        st_reset(get);
        rc = rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
        if (rc == ST_OK && bytes)
            rc = st_usage_delivery(w, endpoint, -(int64_t)bytes, 0);
        st_u64(empty, 1, no);
        if (rc == ST_OK)
            rc = st_run(empty);
    }
    return rc;
}

static int one_delivery(struct st_writer *w, struct th_erase *e, uint64_t no)
{
    struct st_stored d;
    int rc = st_queue_find(w, no, &d);

    if (rc == ST_OK && d.queued) {
        TH_CHECK(e->cancelled_count < TH_ERASE_STEP);
        e->cancelled[e->cancelled_count++] = no;
        st_note(w, ST_NOTE_CANCELLED, no, 0, 0);
        rc = st_queue_end(w, no, &d, e->at.ms, d.tries, d.attempts, d.last, TH_DS_CANCELLED);
    }
    return rc == ST_OK ? empty_attempts(w, d.last) : rc;
}

static int deliveries(struct st_writer *w, struct th_erase *e, const struct found *f, uint64_t pos)
{
    struct st_stmt *put = w->st[ST_W_ERASE_POS];
    uint64_t end = f->first + f->n, to = pos + TH_ERASE_STEP < end ? pos + TH_ERASE_STEP : end;
    int rc = ST_OK;

    w->erased = true;
    for (uint64_t no = pos; rc == ST_OK && no < to; no++)
        rc = one_delivery(w, e, no);
    st_u64(put, 1, e->of);
    st_u64(put, 2, to < end ? to : 0);
    e->result = to < end || !e->event ? TH_ERASE_MORE : TH_ERASE_DONE;
    return rc == ST_OK ? st_run(put) : rc;
}

/** Sets the result to MORE when a copy of the event has content left. */
static int has_copies(struct st_writer *w, uint64_t tenant, struct th_erase *e)
{
    char bounds[2][TH_COPY_ID_EVENT];
    uint64_t copy = 0;
    int rc = st_number(of_copies(w, ST_W_ERASE_COPIES_LEFT, tenant, e->of, bounds), &copy);

    if (copy)
        e->result = TH_ERASE_MORE;
    return rc;
}

/** Empties the next copy of the event that has content left; without one the event is done. */
static int copy_step(struct st_writer *w, struct th_erase *e, uint64_t tenant)
{
    char bounds[2][TH_COPY_ID_EVENT];
    struct found f;
    uint64_t copy = 0;
    int rc = st_number(of_copies(w, ST_W_ERASE_COPIES_LEFT, tenant, e->of, bounds), &copy);

    if (rc != ST_OK || !copy)
        return rc;
    e->of = copy;
    rc = find_event(w, copy, &f);
    if (rc == ST_OK)
        rc = deliveries(w, e, &f, f.first);
    e->result = TH_ERASE_MORE;
    return rc;
}

static int event_step(struct st_writer *w, struct th_erase *e)
{
    struct st_stmt *get = w->st[ST_W_ERASE_GET];
    struct found f;
    uint64_t pos = 0;
    bool begun, may;
    int rc = find_event(w, e->of, &f);

    if (rc != ST_OK)
        return rc;
    e->result = TH_ERASE_ABSENT;
    if (!f.tenant || (e->tenant && f.tenant != e->tenant))
        return ST_OK;
    st_u64(get, 1, e->of);
    rc = st_step(get);
    begun = rc == ST_ROW;
    if (begun)
        pos = st_col_u64(get, 0);
    st_reset(get);
    if (rc != ST_ROW && rc != ST_DONE)
        return rc;
    rc = ST_OK;
    if (!begun) {
        rc = may_begin(w, e, &f, &may);
        if (rc != ST_OK || !may)
            return rc;
        rc = begin(w, e->of, &f, e->at.ms);
        if (rc == ST_OK)
            rc = begin_copies(w, f.tenant, e->of, e->at.ms);
        pos = f.n ? f.first : 0;
    }
    e->result = TH_ERASE_DONE;
    if (rc == ST_OK && pos)
        rc = deliveries(w, e, &f, pos);
    else if (rc == ST_OK)
        rc = copy_step(w, e, f.tenant);
    if (rc == ST_OK && e->result == TH_ERASE_DONE && pos) /* this was the event itself; now its copies */
        rc = has_copies(w, f.tenant, e);
    return rc;
}

/** Erases what Idempotency-Keys keep; *left: there may be more. */
static int tenant_keys(struct st_writer *w, uint64_t tenant, bool *left)
{
    uint64_t today = w->next.event >> 40;

    for (uint64_t day = today > 3 ? today - 3 : 0; day <= today + 1; day++)
        for (int i = 0; i < 2; i++) {
            struct st_stmt *st = w->st[i ? ST_W_ERASING_CIDEM : ST_W_ERASING_IDEM];
            int rc;

            st_u64(st, 1, day);
            st_u64(st, 2, tenant);
            rc = st_run(st);
            if (rc != ST_OK)
                return rc;
            *left = *left || st_changes(w->db) == 1000;
        }
    return ST_OK;
}

/** Begins with the next events of a tenant that was deleted with its content; the steps after this one empty them. */
static int tenant_step(struct st_writer *w, struct th_erase *e)
{
    struct st_stmt *next = w->st[ST_W_ERASING_NEXT], *events = w->st[ST_W_ERASING_EVENTS],
                   *put = w->st[ST_W_ERASING_POS];
    struct found list[EVENTS_AT_ONCE];
    uint64_t nos[EVENTS_AT_ONCE], tenant, pos, seen = 0;
    unsigned n = 0;
    int64_t at;
    bool left = false;
    int rc = st_step(next);

    e->result = TH_ERASE_DONE;
    tenant = rc == ST_ROW ? st_col_u64(next, 0) : 0;
    at = rc == ST_ROW ? st_col_i64(next, 1) : 0;
    pos = rc == ST_ROW ? st_col_u64(next, 2) : 0;
    st_reset(next);
    if (!tenant)
        return rc == ST_DONE ? ST_OK : rc;
    e->result = TH_ERASE_MORE;
    st_u64(events, 1, pos);
    while (n < EVENTS_AT_ONCE && (rc = st_step(events)) == ST_ROW) {
        seen = st_col_u64(events, 0);
        if (st_col_u64(events, 1) == tenant && !(int)st_col_i64(events, 4)) {
            list[n] =
                (struct found){tenant, st_col_u64(events, 2), st_col_u64(events, 3), st_col_u64(events, 5)};
            nos[n++] = seen;
        }
    }
    st_reset(events);
    rc = rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
    for (unsigned i = 0; rc == ST_OK && i < n; i++)
        rc = begin(w, nos[i], &list[i], at);
    if (rc == ST_OK && seen) {
        st_u64(put, 1, tenant);
        st_u64(put, 2, seen);
        return st_run(put);
    }
    if (rc == ST_OK)
        rc = tenant_keys(w, tenant, &left);
    if (rc != ST_OK || left)
        return rc;
    st_u64(w->st[ST_W_ERASING_DEL], 1, tenant);
    return st_run(w->st[ST_W_ERASING_DEL]);
}

int st_erase(struct st_writer *w, struct th_erase *e)
{
    int rc;

    e->op.error = TH_OK;
    e->unfinished = e->cancelled_count = 0;
    e->of = e->event;
    st_wipe(w->db, true);
    rc = e->event ? ST_OK : st_number(w->st[ST_W_ERASE_NEXT], &e->of);
    if (rc == ST_OK)
        rc = e->of ? event_step(w, e) : tenant_step(w, e);
    st_wipe(w->db, false);
    return rc;
}
