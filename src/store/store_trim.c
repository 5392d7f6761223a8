/* Retention of single tenants: deletes events that lie between others, row by row, with everything that belongs to them. The retention of
 * the installation deletes what is older than all (store_purge.c), by ranges.
 *
 * A step looks at TH_TRIM_STEP events, and deletes a few of them and at most as many deliveries, so that an event with a hundred
 * thousand of them holds up no other commit. The event's row goes last: after a crash in between, the next pass finds it and deletes
 * the rest. While older deliveries are still being queued (store_fan.c), nothing is deleted: what is queued next follows from
 * what is there.
 *
 * Invariant: as in store_purge.c. On an error of the database the caller rolls back. */
#include "store/store_trim.h"
#include "store/store_note.h"
#include "store/store_purge.h"
#include "store/store_queue.h"
#include "store/store_roll.h"
#include "store/store_usage.h"

#define EVENTS_AT_ONCE 50

struct found {
    uint64_t no, tenant, first, n;
    int64_t bytes;
    size_t id_n;
    char id[TH_COPY_ID_MAX]; /* the publisher's own, or a copy's; such ids are no longer */
};

static int one_delivery(struct st_writer *w, struct th_trim *t, uint64_t no)
{
    struct st_stored d;
    int rc = st_queue_find(w, no, &d);

    if (rc == ST_OK && d.queued) {
        t->cancelled++;
        st_note(w, ST_NOTE_CANCELLED, no, 0, 0);
        rc = st_queue_end(w, no, &d, t->at.ms, d.tries, d.attempts, d.last, TH_DS_CANCELLED);
    }
    if (rc != ST_OK || (!d.queued && !d.ended))
        return rc;
    rc = st_purge_attempts(w, d.last);
    st_u64(w->st[ST_W_DELIVERY_DEL], 1, no);
    return rc == ST_OK ? st_run(w->st[ST_W_DELIVERY_DEL]) : rc;
}

static int end_event(struct st_writer *w, struct th_trim *t, const struct found *f)
{
    int rc = st_purge_own(w, f->tenant, th_span(f->id, f->id_n), f->no);

    if (rc == ST_OK)
        rc = st_usage_add(w, f->tenant, -f->bytes, 0);
    st_u64(w->st[ST_W_TRIM_ERASURE], 1, f->no);
    if (rc == ST_OK)
        rc = st_run(w->st[ST_W_TRIM_ERASURE]);
    st_u64(w->st[ST_W_TRIM_EVENT], 1, f->no);
    if (rc == ST_OK)
        rc = st_run(w->st[ST_W_TRIM_EVENT]);
    t->purged++;
    return rc;
}

/** *left: deliveries that may still be deleted in this step; 0 afterwards: it has ended in the middle of this event, or with it. */
static int one_event(struct st_writer *w, struct th_trim *t, const struct found *f, uint64_t begin,
                     uint64_t *left)
{
    uint64_t no = begin > f->first ? begin : f->first, end = f->first + f->n;
    int rc = ST_OK;

    for (; rc == ST_OK && no < end && *left; no++, (*left)--)
        rc = one_delivery(w, t, no);
    if (rc != ST_OK)
        return rc;
    if (no == end)
        return end_event(w, t, f);
    t->next = f->no;
    t->next_delivery = no;
    return ST_OK;
}

/** Collects the next events that are to be deleted: nothing is deleted while the statement is open. */
static int collect(struct st_writer *w, struct th_trim *t, struct found *list, unsigned *count)
{
    struct st_stmt *st = w->st[ST_W_TRIM_EVENTS];
    int64_t last = th_trim_last(t);
    unsigned seen = 0;
    bool end = false;
    int rc;

    *count = 0;
    st_u64(st, 1, t->from);
    st_u64(st, 2, TH_TRIM_STEP);
    while (*count < EVENTS_AT_ONCE && (rc = st_step(st)) == ST_ROW) {
        struct found *f = &list[*count];
        int64_t at = st_col_i64(st, 1);
        struct th_span id = st_col(st, 5);

        end = at >= last;
        if (end)
            break;
        *f = (struct found){.no = st_col_u64(st, 0),
                            .first = st_col_u64(st, 2),
                            .n = st_col_u64(st, 3),
                            .tenant = st_col_u64(st, 4),
                            .bytes = st_col_i64(st, 6),
                            .id_n = id.n < sizeof f->id ? id.n : sizeof f->id};
        if (f->id_n)
            memcpy(f->id, id.p, f->id_n);
        seen++;
        t->next = f->no + 1;
        *count += at < th_trim_before(t, f->tenant);
    }
    st_reset(st);
    if (end || (seen < TH_TRIM_STEP && *count < EVENTS_AT_ONCE))
        t->next = 0;
    return *count == EVENTS_AT_ONCE || rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

int st_trim(struct st_writer *w, struct th_trim *t)
{
    struct found list[EVENTS_AT_ONCE];
    uint64_t left = TH_TRIM_STEP, queueing = 0;
    unsigned count;
    int rc;

    t->op.error = TH_OK;
    t->purged = t->cancelled = 0;
    t->next = t->next_delivery = 0;
    rc = collect(w, t, list, &count);
    if (rc != ST_OK || !count)
        return rc;
    st_u64(w->st[ST_W_TRIM_FAN], 1, list[count - 1].no);
    rc = st_number(w->st[ST_W_TRIM_FAN], &queueing);
    if (queueing)
        t->next = 0;
    if (rc == ST_OK)
        rc = st_roll_begin(w);
    for (unsigned i = 0; rc == ST_OK && !queueing && i < count && !t->next_delivery; i++) {
        if (!left) {
            t->next = list[i].no;
            break;
        }
        rc = one_event(w, t, &list[i], list[i].no == t->from ? t->delivery : 0, &left);
    }
    return rc == ST_OK && t->purged ? st_purge_counters(w) : rc;
}
