/* How events, deliveries and attempts stand in the columns of their tables, where that is not plainly one value a column.
 *
 * What most rows do not have costs them nothing: SQLite needs no byte for the integers 0 and 1 but their place in the row's
 * head, and rows that were written before a column was added do not even have that. */
#ifndef TH_STORE_SQLITE_ROWS_H
#define TH_STORE_SQLITE_ROWS_H
#include "base/check.h"
#include "port/store.h"
#include <sqlite3.h>

/* clang-format off */
#define SQ_EVENT_COLUMNS                                                                           \
    "no, tenant, at, time, rnd, first, n, type, external_id, resource_type, resource_id, "         \
    "CASE WHEN data IS NULL THEN (SELECT r.at FROM erasure r WHERE r.event=event.no) END, "        \
    "deliver_at, expires_at, order_key, channels, traceparent, content_type"
#define SQ_EVENT_DATA 18 /* column after them */
#define SQ_ATTEMPT_COLUMNS                                                                         \
    "no, delivery, endpoint, prev, nth, at, status, class, flags, endpoint_rev, signed_at, "       \
    "times, peer, sigs, detail, batch"
#define SQ_ATTEMPT_HEAD 16 /* column after them: head, body */
/* clang-format on */

enum sq_attempt_flag { SQ_TRUNCATED = 1, SQ_REUSED = 2, SQ_OK = 4, SQ_DECODED = 8 };

/** Fills an event row from the columns SQ_EVENT_COLUMNS (and data after them when asked); spans are the statement's. */
void sq_rows_event(sqlite3_stmt *st, bool data, struct th_event_row *row);
/** The column `time` of an event: 1 when it happened when it was accepted. */
int64_t sq_rows_time(struct th_wall time, struct th_wall at);
/** Binds the columns of what an event carries beside its data to ?first and the five after it. */
void sq_rows_bind_more(sqlite3_stmt *st, int first, const struct th_event_more *more);
/** Whether an event carries any of it. */
bool sq_rows_has_more(const struct th_event_more *more);
/** When the deliveries of an event are due first. */
int64_t sq_rows_due(const struct th_event_more *more, struct th_wall at);

/** Fills the columns of a queue row: no, event, endpoint, due, lane, tries, attempts. */
void sq_rows_queue(sqlite3_stmt *st, struct th_queue_row *row);

/** The column `lane` of `queue` and `delivery`: the lane in two bits, the marks in six, then the hash of the ordering key. */
static inline uint64_t sq_rows_lane(uint64_t lane, uint64_t marks, uint64_t order)
{
    TH_CHECK(order <= TH_ORDER_MAX);
    return (lane & 3) | (marks & TH_MARKS) << 2 | order << 8;
}
static inline uint8_t sq_rows_lane_of(uint64_t column)
{
    return column & 3;
}
static inline uint8_t sq_rows_marks_of(uint64_t column)
{
    return column >> 2 & TH_MARKS;
}
static inline uint64_t sq_rows_order_of(uint64_t column)
{
    return column >> 8;
}

/** The column `tries` of `queue`: the tries of this round in eight bits, then when it began. */
static inline uint64_t sq_rows_tries(uint64_t tries, int64_t round)
{
    return (tries & 255) | (uint64_t)(round > 0 ? round : 0) << 8;
}

struct sq_packed { /* how times and peer of an attempt are stored */
    unsigned char times[20], peer[23];
    size_t peer_n;
};
void sq_rows_pack(struct sq_packed *out, const struct th_attempt_row *row);
/** The columns SQ_ATTEMPT_COLUMNS as an attempt's row; spans are the statement's, head and body are not looked at. */
void sq_rows_attempt(sqlite3_stmt *st, struct th_attempt_row *row);
/** The column `signed_at` of an attempt: 1 when it was signed in the second in which it began. */
int64_t sq_rows_signed_at(const struct th_attempt_row *row);
#endif
