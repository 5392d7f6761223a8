/* The form of events, deliveries and attempts in the columns of their tables, where that is not simply one value per column.
 * Values that most rows do not have cost nothing: SQLite needs no byte for the integers 0 and 1 except their
 * place in the row's head, and rows that were written before a column was added do not even have that. */
#ifndef TH_STORE_ROWS_H
#define TH_STORE_ROWS_H
#include "base/check.h"
#include "port/store.h"
#include "store/store_statement.h"

/* clang-format off */
#define ST_EVENT_COLUMNS                                                                           \
    "no, tenant, at, time, rnd, first, n, type, external_id, resource_type, resource_id, "         \
    "CASE WHEN data IS NULL THEN (SELECT r.at FROM erasure r WHERE r.event=event.no) END, "        \
    "deliver_at, expires_at, order_key, channels, traceparent, content_type, checked"
#define ST_EVENT_DATA 19 /* column after them */
#define ST_ATTEMPT_COLUMNS                                                                         \
    "no, delivery, endpoint, prev, nth, at, status, class, flags, endpoint_rev, signed_at, "       \
    "times, peer, sigs, detail, batch"
#define ST_ATTEMPT_HEAD 16 /* column after them: head, body */
/* clang-format on */

enum st_attempt_flag {
    ST_FLAG_TRUNCATED = 1,
    ST_FLAG_REUSED = 2,
    ST_FLAG_OK = 4,
    ST_FLAG_DECODED = 8,
    ST_FLAG_TEST = 16
};

/** Fills an event row from the columns ST_EVENT_COLUMNS (and data after them when asked); spans are the statement's. */
void st_rows_event(struct st_stmt *st, bool data, struct th_event_row *row);
/** The column `time` of an event: 1 when it happened when it was accepted. */
int64_t st_rows_time(struct th_wall time, struct th_wall at);
/** Binds the columns of the optional members of an event to ?first and the six after it. */
void st_rows_bind_more(struct st_stmt *st, int first, const struct th_event_more *more);
/** True when an event has any of these members. */
bool st_rows_has_more(const struct th_event_more *more);
/** The time at which the deliveries of an event are first due. */
int64_t st_rows_due(const struct th_event_more *more, struct th_wall at);

/** Fills the columns of a queue row: no, event, endpoint, due, lane, tries, attempts. */
void st_rows_queue(struct st_stmt *st, struct th_queue_row *row);

/** The column `lane` of `queue` and `delivery`: the lane in two bits, the marks in six, then the hash of the ordering key. */
static inline uint64_t st_rows_lane(uint64_t lane, uint64_t marks, uint64_t order)
{
    TH_CHECK(order <= TH_ORDER_MAX);
    return (lane & 3) | (marks & TH_MARKS) << 2 | order << 8;
}
static inline uint8_t st_rows_lane_of(uint64_t column)
{
    return column & 3;
}
static inline uint8_t st_rows_marks_of(uint64_t column)
{
    return column >> 2 & TH_MARKS;
}
static inline uint64_t st_rows_order_of(uint64_t column)
{
    return column >> 8;
}

/** The column `tries` of `queue`: the tries of this round in eight bits, then when it began. */
static inline uint64_t st_rows_tries(uint64_t tries, int64_t round)
{
    return (tries & 255) | (uint64_t)(round > 0 ? round : 0) << 8;
}

struct st_packed { /* how times and peer of an attempt are stored */
    unsigned char times[20], peer[23];
    size_t peer_n;
};
/** Of the column `times`: what the whole attempt took, in microseconds; -1: not known. */
int32_t st_rows_total_us(struct th_span times);
void st_rows_pack(struct st_packed *out, const struct th_attempt_row *row);
/** The columns ST_ATTEMPT_COLUMNS as an attempt's row; spans are the statement's, head and body are not looked at. */
void st_rows_attempt(struct st_stmt *st, struct th_attempt_row *row);
/** The column `signed_at` of an attempt: 1 when it was signed in the second in which it began. */
int64_t st_rows_signed_at(const struct th_attempt_row *row);
#endif
