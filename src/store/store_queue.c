/* Deliveries as rows of the stores.
 *
 * Invariants: (1) a delivery number is in `queue` or in `delivery`, never in both; (2) with each row that comes or goes, the counts
 * of its endpoint and of its tenant change. */
#include "store/store_queue.h"
#include "base/check.h"
#include "store/store_count.h"
#include "store/store_note.h"
#include "store/store_rows.h"
#include "store/store_usage.h"

int st_queue_put(struct st_writer *w, const struct th_queue_row *row)
{
    struct st_stmt *st = w->st[ST_W_QUEUE];
    int rc;

    TH_CHECK(row->no && row->event);
    st_u64(st, 1, row->no);
    st_u64(st, 2, row->event);
    st_u64(st, 3, row->endpoint);
    st_i64(st, 4, row->due);
    st_u64(st, 5, st_rows_lane(row->lane, row->marks, row->order));
    st_note(w, ST_NOTE_QUEUED, row->no, 1, 0);
    w->next.queued++; /* a transaction that is rolled back puts back all of `next` */
    rc = st_count_add(w, row->endpoint, row->lane, false, 1);
    return rc == ST_OK ? st_run(st) : rc;
}

int st_queue_find(struct st_writer *w, uint64_t no, struct st_stored *d)
{
    for (int i = 0; i < 2; i++) {
        struct st_stmt *st = w->st[i ? ST_W_DELIVERY_GET : ST_W_QUEUE_GET];
        int rc;

        st_u64(st, 1, no);
        rc = st_step(st);
        *d = (struct st_stored){0};
        if (rc == ST_ROW) {
            d->queued = i == 0;
            d->ended = i == 1;
            d->event = st_col_u64(st, 0);
            d->endpoint = st_col_u64(st, 1);
            d->lane = st_rows_lane_of(st_col_u64(st, 2));
            d->marks = st_rows_marks_of(st_col_u64(st, 2));
            d->order = st_rows_order_of(st_col_u64(st, 2));
            d->attempts = st_col_u64(st, 3);
            d->last = st_col_u64(st, 4);
            d->tries = (uint8_t)st_col_u64(st, 5);
            d->round = i ? 0 : st_col_i64(st, 5) >> 8;
            d->due_or_state = st_col_i64(st, 6);
            d->ended_at = i ? st_col_i64(st, 7) : 0;
        }
        st_reset(st);
        if (rc != ST_DONE)
            return rc == ST_ROW ? ST_OK : rc;
    }
    return ST_OK;
}

void st_queue_expect(struct st_writer *w, uint64_t no)
{
    st_u64(w->st[ST_W_QUEUE_GET], 1, no);
    st_expect(w->st[ST_W_QUEUE_GET]);
}

int st_queue_end(struct st_writer *w, uint64_t no, const struct st_stored *d, int64_t ended, uint64_t tries,
                 uint64_t attempts, uint64_t last, enum th_delivery_state state)
{
    struct st_stmt *st = w->st[ST_W_DELIVERY_PUT];
    int rc;

    TH_CHECK(d->queued && w->next.queued);
    st_u64(st, 1, no);
    st_u64(st, 2, d->event);
    st_u64(st, 3, d->endpoint);
    st_i64(st, 4, ended);
    st_u64(st, 5, st_rows_lane(d->lane, d->marks, d->order));
    st_u64(st, 6, tries);
    st_u64(st, 7, attempts);
    st_u64(st, 8, last);
    st_u64(st, 9, state);
    rc = st_run(st);
    if (rc == ST_OK)
        rc = st_count_add(w, d->endpoint, d->lane, d->attempts != 0, -1);
    if (rc != ST_OK)
        return rc;
    w->next.queued--;
    st_u64(w->st[ST_W_QUEUE_DEL], 1, no);
    rc = st_run(w->st[ST_W_QUEUE_DEL]);
    return rc == ST_OK ? st_usage_delivery(w, d->endpoint, 0, -1) : rc;
}

int st_queue_is_erased(struct st_writer *w, uint64_t event, bool *erased)
{
    return st_finds(w->st[ST_W_ERASED], event, erased);
}
