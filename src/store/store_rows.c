/* How events, deliveries and attempts stand in their columns: store_rows.h.
 *
 * Any thread: only the statement that is given is touched. */
#include "store/store_rows.h"
#include "store/sqlite/sqlite_db.h"

/* `time` and `signed_at` are SAME where they say what another column says, which needs no byte; a value that really is SAME,
 * a moment after 1970, is told apart. */
#define SAME 1
#define REALLY_SAME INT64_MIN

int64_t sq_rows_time(struct th_wall time, struct th_wall at)
{
    return time.ms == at.ms ? SAME : time.ms == SAME ? REALLY_SAME : time.ms;
}

static int64_t or_else(int64_t column, int64_t other)
{
    return column == SAME ? other : column == REALLY_SAME ? SAME : column;
}

bool sq_rows_has_more(const struct th_event_more *more)
{
    return more->deliver_at || more->expires_at || more->order_key.n || more->channels.n ||
           more->traceparent.n || more->content_type.n;
}

void sq_rows_bind_more(sqlite3_stmt *st, int first, const struct th_event_more *more)
{
    sq_i64(st, first, more->deliver_at);
    sq_i64(st, first + 1, more->expires_at);
    sq_text(st, first + 2, more->order_key);
    sq_text(st, first + 3, more->channels);
    sq_text(st, first + 4, more->traceparent);
    sq_text(st, first + 5, more->content_type);
}

int64_t sq_rows_due(const struct th_event_more *more, struct th_wall at)
{
    return more->deliver_at > at.ms ? more->deliver_at : at.ms;
}

void sq_rows_event(sqlite3_stmt *st, bool data, struct th_event_row *row)
{
    int64_t at = sqlite3_column_int64(st, 2);

    *row = (struct th_event_row){.no = sq_col_u64(st, 0),
                                 .tenant = sq_col_u64(st, 1),
                                 .at = {at},
                                 .time = {or_else(sqlite3_column_int64(st, 3), at)},
                                 .rnd = (uint32_t)sq_col_u64(st, 4),
                                 .first_delivery = sq_col_u64(st, 5),
                                 .deliveries = (uint32_t)sq_col_u64(st, 6),
                                 .type = sq_col(st, 7),
                                 .external_id = sq_col(st, 8),
                                 .resource_type = sq_col(st, 9),
                                 .resource_id = sq_col(st, 10),
                                 .erased = sqlite3_column_int64(st, 11),
                                 .more = {.deliver_at = sqlite3_column_int64(st, 12),
                                          .expires_at = sqlite3_column_int64(st, 13),
                                          .order_key = sq_col(st, 14),
                                          .channels = sq_col(st, 15),
                                          .traceparent = sq_col(st, 16),
                                          .content_type = sq_col(st, 17)}};
    if (data)
        row->data = sq_col(st, SQ_EVENT_DATA);
}

void sq_rows_queue(sqlite3_stmt *st, struct th_queue_row *row)
{
    uint64_t lane = sq_col_u64(st, 4), tries = sq_col_u64(st, 5);

    *row = (struct th_queue_row){.no = sq_col_u64(st, 0),
                                 .event = sq_col_u64(st, 1),
                                 .endpoint = sq_col_u64(st, 2),
                                 .due = sqlite3_column_int64(st, 3),
                                 .lane = sq_rows_lane_of(lane),
                                 .marks = sq_rows_marks_of(lane),
                                 .order = sq_rows_order_of(lane),
                                 .tries = (uint8_t)tries,
                                 .round = (int64_t)(tries >> 8),
                                 .attempts = (uint16_t)sq_col_u64(st, 6)};
}

/* ---- attempts ---- */

static void put32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t get32(const char *p)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++)
        v |= (uint32_t)(unsigned char)p[i] << (8 * i);
    return v;
}

void sq_rows_pack(struct sq_packed *out, const struct th_attempt_row *row)
{
    for (int i = 0; i < 5; i++)
        put32(out->times + 4 * i, (uint32_t)row->us[i]);
    out->peer_n = 0;
    if (row->peer.family != 4 && row->peer.family != 6)
        return;
    out->peer[0] = row->peer.family;
    out->peer[1] = (unsigned char)row->peer.port;
    out->peer[2] = (unsigned char)(row->peer.port >> 8);
    memcpy(out->peer + 3, row->peer.ip, row->peer.family == 4 ? 4 : 16);
    out->peer_n = row->peer.family == 4 ? 7 : 19;
    if (row->peer.family == 6 && row->peer.scope) {
        put32(out->peer + 19, row->peer.scope);
        out->peer_n = 23;
    }
}

static void unpack(struct th_span times, struct th_span peer, struct th_attempt_row *row)
{
    for (int i = 0; i < 5; i++)
        row->us[i] = times.n == 20 ? (int32_t)get32(times.p + 4 * i) : -1;
    row->peer = (struct th_addr){0};
    if (peer.n != 7 && peer.n != 19 && peer.n != 23)
        return;
    row->peer.family = (uint8_t)peer.p[0];
    row->peer.port = (uint16_t)((unsigned char)peer.p[1] | (unsigned char)peer.p[2] << 8);
    memcpy(row->peer.ip, peer.p + 3, peer.n == 7 ? 4 : 16);
    if (peer.n == 23)
        row->peer.scope = get32(peer.p + 19);
}

/* The second of a time, downwards. */
static int64_t second_of(struct th_wall at)
{
    return (at.ms - (at.ms < 0 ? 999 : 0)) / 1000;
}

int64_t sq_rows_signed_at(const struct th_attempt_row *row)
{
    return row->signed_at == second_of(row->at) ? SAME
           : row->signed_at == SAME             ? REALLY_SAME
                                                : row->signed_at;
}

void sq_rows_attempt(sqlite3_stmt *st, struct th_attempt_row *row)
{
    unsigned flags = (unsigned)sqlite3_column_int(st, 8);
    struct th_wall at = {sqlite3_column_int64(st, 5)};

    *row = (struct th_attempt_row){.nth = (uint16_t)sqlite3_column_int(st, 4),
                                   .at = at,
                                   .status = (uint16_t)sqlite3_column_int(st, 6),
                                   .class = (uint8_t)sqlite3_column_int(st, 7),
                                   .truncated = flags & SQ_TRUNCATED,
                                   .reused = flags & SQ_REUSED,
                                   .decoded = flags & SQ_DECODED,
                                   .ok = flags & SQ_OK,
                                   .endpoint_rev = sq_col_u64(st, 9),
                                   .signed_at = or_else(sqlite3_column_int64(st, 10), second_of(at)),
                                   .sigs = sq_col(st, 13),
                                   .detail = sq_col(st, 14),
                                   .batch = sq_col_u64(st, 15)};
    unpack(sq_col(st, 11), sq_col(st, 12), row);
}
