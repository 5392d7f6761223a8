/* Deliveries as rows of the SQLite store.
 *
 * Invariants: (1) a delivery number is in `queue` or in `delivery`, never in both; (2) with each row that comes or goes, the counts
 * of its endpoint and of its tenant change. */
#include "store/store_queue.h"
#include "base/check.h"
#include "store/store_count.h"
#include "store/store_rows.h"
#include "store/store_usage.h"

int sq_queue_put(struct sq_writer *w, const struct th_queue_row *row)
{
    sqlite3_stmt *st = w->st[SQ_W_QUEUE];
    int rc;

    TH_CHECK(row->no && row->event);
    sq_u64(st, 1, row->no);
    sq_u64(st, 2, row->event);
    sq_u64(st, 3, row->endpoint);
    sq_i64(st, 4, row->due);
    sq_u64(st, 5, sq_rows_lane(row->lane, row->marks, row->order));
    w->next.queued++; /* a transaction that is rolled back puts back all of `next` */
    rc = sq_count_add(w, row->endpoint, row->lane, false, 1);
    return rc == SQLITE_OK ? sq_db_run(st) : rc;
}

int sq_queue_find(struct sq_writer *w, uint64_t no, struct sq_stored *d)
{
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *st = w->st[i ? SQ_W_DELIVERY_GET : SQ_W_QUEUE_GET];
        int rc;

        sq_u64(st, 1, no);
        rc = sqlite3_step(st);
        *d = (struct sq_stored){0};
        if (rc == SQLITE_ROW) {
            d->queued = i == 0;
            d->ended = i == 1;
            d->event = sq_col_u64(st, 0);
            d->endpoint = sq_col_u64(st, 1);
            d->lane = sq_rows_lane_of(sq_col_u64(st, 2));
            d->marks = sq_rows_marks_of(sq_col_u64(st, 2));
            d->order = sq_rows_order_of(sq_col_u64(st, 2));
            d->attempts = sq_col_u64(st, 3);
            d->last = sq_col_u64(st, 4);
            d->tries = (uint8_t)sq_col_u64(st, 5);
            d->round = i ? 0 : sqlite3_column_int64(st, 5) >> 8;
            d->due_or_state = sqlite3_column_int64(st, 6);
            d->ended_at = i ? sqlite3_column_int64(st, 7) : 0;
        }
        sqlite3_reset(st);
        if (rc != SQLITE_DONE)
            return rc == SQLITE_ROW ? SQLITE_OK : rc;
    }
    return SQLITE_OK;
}

int sq_queue_end(struct sq_writer *w, uint64_t no, const struct sq_stored *d, int64_t ended, uint64_t tries,
                 uint64_t attempts, uint64_t last, enum th_delivery_state state)
{
    sqlite3_stmt *st = w->st[SQ_W_DELIVERY_PUT];
    int rc;

    TH_CHECK(d->queued && w->next.queued);
    sq_u64(st, 1, no);
    sq_u64(st, 2, d->event);
    sq_u64(st, 3, d->endpoint);
    sq_i64(st, 4, ended);
    sq_u64(st, 5, sq_rows_lane(d->lane, d->marks, d->order));
    sq_u64(st, 6, tries);
    sq_u64(st, 7, attempts);
    sq_u64(st, 8, last);
    sq_u64(st, 9, state);
    rc = sq_db_run(st);
    if (rc == SQLITE_OK)
        rc = sq_count_add(w, d->endpoint, d->lane, d->attempts != 0, -1);
    if (rc != SQLITE_OK)
        return rc;
    w->next.queued--;
    sq_u64(w->st[SQ_W_QUEUE_DEL], 1, no);
    rc = sq_db_run(w->st[SQ_W_QUEUE_DEL]);
    return rc == SQLITE_OK ? sq_usage_delivery(w, d->endpoint, 0, -1) : rc;
}

int sq_queue_is_erased(struct sq_writer *w, uint64_t event, bool *erased)
{
    return sq_db_finds(w->st[SQ_W_ERASED], event, erased);
}
