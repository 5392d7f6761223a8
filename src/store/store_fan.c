/* Fan-out of the stores: an accept queues a bounded number of deliveries; those beyond follow in steps.
 *
 * Why: one event for a hundred thousand endpoints is as many rows, and all other commits would wait for them. The accept
 * numbers all deliveries, so that they are one range whatever is accepted meanwhile, and keeps the endpoints in one packed
 * row of `fan`. How far the steps have come is not stored: the newest number of the range in `queue` or
 * `delivery` shows it, because steps go upwards and rows of the range leave only with their events.
 *
 * Packed, for each event of the accept: how many endpoints, with the lane in the two lowest bits; for each of them the
 * difference to the one before, zigzag. All of it in seven bits a byte, lowest first. `more` is NULL where no delivery has more
 * than that; else, for each event, how many milliseconds after the accept it is due, and for each delivery its marks and order.
 *
 * Invariants: (1) rows of the range are queued in order, without gaps; (2) `fan` has the accept until a step has found
 * nothing left; (3) no run of deliveries is built at or above the first number of an accept in `fan`; (4) events of one
 * accept have one age, so retention takes them all, and the row with the first.
 *
 * Runs on the writer thread only. On an error of the database the caller rolls back. */
#include "store/store_fan.h"
#include "base/check.h"
#include "store/store_count.h"
#include "store/store_queue.h"
#include "store/store_rows.h"

static void pack(struct th_buf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        th_buf_char(out, (char)(v | 0x80));
    th_buf_char(out, (char)v);
}

/** False: the bytes end too early or are too many. */
static bool unpack(struct th_span *in, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && in->n; shift += 7) {
        unsigned char byte = (unsigned char)*in->p;

        *in = th_span(in->p + 1, in->n - 1);
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static void pack_event(struct th_buf *out, const struct th_new_event *e)
{
    uint64_t before = 0;

    pack(out, (uint64_t)e->endpoint_count << 2 | (e->lane & 3u));
    for (uint32_t i = 0; i < e->endpoint_count; i++) {
        int64_t step = (int64_t)(e->endpoints[i] - before);

        pack(out, (uint64_t)step << 1 ^ (uint64_t)(step >> 63));
        before = e->endpoints[i];
    }
}

static void pack_more(struct th_buf *out, const struct th_accept *a, const struct th_new_event *e)
{
    pack(out, (uint64_t)(st_rows_due(&e->more, a->at) - a->at.ms));
    for (uint32_t i = 0; i < e->endpoint_count; i++)
        pack(out, st_rows_lane(0, e->marks ? e->marks[i] : 0, e->orders ? e->orders[i] : 0) >> 2);
}

static bool has_more(const struct th_accept *a)
{
    for (uint32_t i = 0; i < a->count; i++)
        if (a->events[i].marks || a->events[i].orders || a->events[i].more.deliver_at)
            return true;
    return false;
}

int st_fan_note(struct st_writer *w, const struct th_accept *a)
{
    size_t endpoints_end;
    struct st_stmt *st = w->st[ST_W_FAN_PUT];
    uint64_t n = 0;

    th_buf_reset(&w->packed);
    for (uint32_t i = 0; i < a->count; i++) {
        pack_event(&w->packed, &a->events[i]);
        n += a->events[i].endpoint_count;
    }
    endpoints_end = w->packed.n;
    for (uint32_t i = 0; i < a->count && has_more(a); i++)
        pack_more(&w->packed, a, &a->events[i]);
    if (w->packed.failed)
        return w->packed.failed == TH_NOMEM ? ST_NOMEM : ST_TOOBIG;
    st_u64(st, 1, a->first_event);
    st_u64(st, 2, a->events[0].first_delivery);
    st_u64(st, 3, n);
    st_i64(st, 4, a->at.ms);
    st_blob(st, 5, th_span(w->packed.p, endpoints_end));
    st_blob(st, 6, th_span(w->packed.p + endpoints_end, w->packed.n - endpoints_end));
    return st_run(st);
}

/** Whose turn it is. */
static int choose(struct st_writer *w, struct th_fanout *f)
{
    struct st_stmt *after = w->st[ST_W_FAN_AFTER];
    int rc;

    st_u64(after, 1, f->after);
    rc = st_number(after, &f->event);
    if (rc != ST_OK || f->event || !f->after)
        return rc;
    st_u64(after, 1, 0);
    return st_number(after, &f->event);
}

/** The deliveries of one accept, one after the other. */
struct reading {
    struct th_span packed, more; /* more: n == 0: none has any */
    bool has_more;
    uint64_t event, left, endpoint, lane, due_after; /* lane: in the form of the column */
    uint8_t lane_bits;
};

static bool next_endpoint(struct reading *r)
{
    uint64_t v;

    while (r->left == 0) {
        if (!unpack(&r->packed, &v))
            return false;
        r->event++;
        r->left = v >> 2;
        r->lane_bits = (uint8_t)(v & 3);
        r->endpoint = 0;
        if (r->has_more && !unpack(&r->more, &r->due_after))
            return false;
    }
    if (!unpack(&r->packed, &v))
        return false;
    r->left--;
    r->endpoint += v >> 1 ^ (0 - (v & 1));
    v = 0;
    if (r->has_more && !unpack(&r->more, &v))
        return false;
    r->lane = v << 2 | r->lane_bits;
    return true;
}

/** The rows of a step, of which those beyond `queued` are new. fan: its statement, on the accept's row. */
static int put_step(struct st_writer *w, struct th_fanout *f, struct st_stmt *fan, uint32_t queued)
{
    struct reading r = {.packed = st_col(fan, 3), .more = st_col(fan, 4), .event = f->event - 1};
    uint64_t first = st_col_u64(fan, 0), n = st_col_u64(fan, 1);
    int rc = ST_OK;

    r.has_more = r.more.n != 0;
    for (uint32_t i = 0; rc == ST_OK && i < n && f->count < TH_FANOUT_STEP; i++) {
        if (!next_endpoint(&r))
            return ST_CORRUPT;
        if (i < f->from)
            continue;
        TH_CHECK(f->count < TH_FANOUT_STEP);
        f->rows[f->count] = (struct th_queue_row){.no = first + i,
                                                  .event = r.event,
                                                  .endpoint = r.endpoint,
                                                  .due = st_col_i64(fan, 2) + (int64_t)r.due_after,
                                                  .lane = st_rows_lane_of(r.lane),
                                                  .marks = st_rows_marks_of(r.lane),
                                                  .order = st_rows_order_of(r.lane)};
        if (i >= queued)
            rc = st_queue_put(w, &f->rows[f->count]);
        f->count++;
    }
    return rc;
}

int st_fan_step(struct st_writer *w, struct th_fanout *f)
{
    struct st_stmt *fan = w->st[ST_W_FAN_GET], *del = w->st[ST_W_FAN_DEL];
    bool again = f->event != 0; /* sent again after an unknown outcome: the same step */
    uint32_t queued = 0;
    int rc = again ? ST_OK : choose(w, f);

    f->op.error = TH_OK;
    f->count = 0;
    if (rc != ST_OK || !f->event)
        return rc;
    st_u64(fan, 1, f->event);
    rc = st_step(fan);
    if (rc == ST_ROW) {
        rc = st_count_range(w, st_col_u64(fan, 0), st_col_u64(fan, 1), &queued);
        if (!again)
            f->from = queued;
        if (rc == ST_OK)
            rc = put_step(w, f, fan, queued);
    } else if (rc == ST_DONE) {
        rc = ST_OK;
    }
    st_reset(fan);
    if (rc != ST_OK || f->count)
        return rc;
    w->fanout_ended = true;
    st_u64(del, 1, f->event);
    return st_run(del);
}
