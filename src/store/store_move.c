/* Cancels deliveries, or queues them again, without an attempt.
 *
 * It leaves deliveries alone whose endpoint does not exist any more, or whose event has been erased. The same
 * op sent again gets the same result. */
#include "store/store_move.h"
#include "base/check.h"
#include "store/store_count.h"
#include "store/store_note.h"
#include "store/store_queue.h"
#include "store/store_rows.h"
#include "store/store_usage.h"

static int requeue(struct st_writer *w, int64_t at, uint8_t lane, uint64_t no, const struct st_stored *d)
{
    struct st_stmt *st = w->st[d->queued ? ST_W_QUEUE_RETRY : ST_W_REQUEUE];
    int rc;

    st_u64(st, 1, no);
    if (d->queued) {
        st_i64(st, 2, at);
        st_u64(st, 3, st_rows_lane(lane, d->marks, d->order));
        return st_run(st);
    }
    st_u64(st, 2, d->event);
    st_u64(st, 3, d->endpoint);
    st_i64(st, 4, at);
    st_u64(st, 5, st_rows_lane(lane, d->marks, d->order));
    st_u64(st, 6, d->attempts);
    st_u64(st, 7, d->last);
    rc = st_run(st);
    if (rc == ST_OK)
        rc = st_count_add(w, d->endpoint, lane, d->attempts != 0, 1);
    if (rc != ST_OK)
        return rc;
    w->next.queued++;
    st_u64(w->st[ST_W_DELIVERY_DEL], 1, no);
    rc = st_run(w->st[ST_W_DELIVERY_DEL]);
    return rc == ST_OK ? st_usage_delivery(w, d->endpoint, 0, 1) : rc;
}

/** True for a delivery that is to be queued. Deliveries that the same operation has queued already, when it
 * is sent again after an unknown outcome, count again. */
static bool may_move(const struct th_move *m, const struct st_stored *d)
{
    switch ((int)m->what) {
    case TH_MOVE_REPLAY:
        return d->ended || (d->queued && d->lane == m->lane && d->due_or_state == m->at.ms && !d->tries);
    case TH_MOVE_HURRY:
        return d->queued && d->attempts && d->lane != TH_LANE_TEST;
    default:
        return d->queued || d->ended;
    }
}

static int mark(struct st_writer *w, const struct th_move *m, uint64_t no, const struct st_stored *d,
                bool *marked)
{
    struct st_stmt *st = w->st[d->queued ? ST_W_QUEUE_MARK : ST_W_DELIVERY_MARK];

    *marked = d->queued || d->ended;
    if (!*marked)
        return ST_OK;
    st_u64(st, 1, no);
    st_u64(st, 2, st_rows_lane(d->lane, d->marks | m->marks, d->order));
    return st_run(st);
}

static int move_one(struct st_writer *w, struct th_move *m, uint32_t i)
{
    uint64_t no = m->deliveries[i];
    struct st_stored d;
    uint8_t lane;
    bool gone = false, erased = false;
    int rc = st_queue_find(w, no, &d);

    m->moved[i] = false;
    if (m->rows)
        m->rows[i] = (struct th_queue_row){0};
    if (rc != ST_OK)
        return rc;
    m->missing += !d.queued && !d.ended;
    if (m->what == TH_MOVE_CANCEL || m->what == TH_MOVE_EXPIRE) {
        int state = m->what == TH_MOVE_EXPIRE ? TH_DS_EXPIRED : TH_DS_CANCELLED;

        /* the same cancel sent again after an unknown outcome gets the same result */
        m->moved[i] = d.queued || (d.ended && d.due_or_state == state && d.ended_at == m->at.ms);
        if (!d.queued)
            return ST_OK;
        d.marks |= m->marks;
        st_note(w, ST_NOTE_CANCELLED, no, 0, 0);
        return st_queue_end(w, no, &d, m->at.ms, d.tries, d.attempts, d.last, (enum th_delivery_state)state);
    }
    if (m->what == TH_MOVE_MARK)
        return mark(w, m, no, &d, &m->moved[i]);
    if (!may_move(m, &d))
        return ST_OK;
    rc = st_finds(w->st[ST_W_ENDPOINT_GONE], d.endpoint, &gone);
    m->gone += gone;
    if (rc == ST_OK && !gone)
        rc = st_queue_is_erased(w, d.event, &erased);
    m->erased += erased;
    if (rc != ST_OK || gone || erased)
        return rc;
    TH_CHECK(d.queued != d.ended);
    lane = d.lane == TH_LANE_TEST || m->what == TH_MOVE_HURRY ? d.lane : m->lane;
    d.marks |= m->marks;
    rc = requeue(w, m->at.ms, lane, no, &d);
    m->moved[i] = rc == ST_OK;
    st_note(w, ST_NOTE_MOVED, no, 0, 0);
    if (m->rows && m->moved[i])
        m->rows[i] = (struct th_queue_row){.no = no,
                                           .event = d.event,
                                           .endpoint = d.endpoint,
                                           .due = m->at.ms,
                                           .lane = lane,
                                           .tries = 0,
                                           .marks = d.marks,
                                           .order = d.order,
                                           .attempts = (uint16_t)d.attempts};
    return rc;
}

int st_move(struct st_writer *w, struct th_move *m)
{
    int rc = ST_OK;

    m->op.error = m->count <= 1000 ? TH_OK : TH_BUG;
    m->gone = m->erased = m->missing = 0;
    for (uint32_t i = 0; rc == ST_OK && m->op.error == TH_OK && i < m->count; i++)
        rc = move_one(w, m, i);
    return rc;
}
