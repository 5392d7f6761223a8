/* The form of events, deliveries and attempts in their columns: see store_rows.h.
 *
 * Any thread: only the statement that is given is touched. */
#include "store/store_rows.h"
#include "store/store_statement.h"

/* `time` and `signed_at` are SAME where they say what another column says, which needs no byte; a value that really is SAME,
 * a moment after 1970, is told apart. */
#define SAME 1
#define REALLY_SAME INT64_MIN

int64_t st_rows_time(struct th_wall time, struct th_wall at)
{
    return time.ms == at.ms ? SAME : time.ms == SAME ? REALLY_SAME : time.ms;
}

static int64_t or_else(int64_t column, int64_t other)
{
    return column == SAME ? other : column == REALLY_SAME ? SAME : column;
}

bool st_rows_has_more(const struct th_event_more *more)
{
    return more->deliver_at || more->expires_at || more->order_key.n || more->channels.n ||
           more->traceparent.n || more->content_type.n || more->version || more->marks;
}

void st_rows_bind_more(struct st_stmt *st, int first, const struct th_event_more *more)
{
    st_i64(st, first, more->deliver_at);
    st_i64(st, first + 1, more->expires_at);
    st_text(st, first + 2, more->order_key);
    st_text(st, first + 3, more->channels);
    st_text(st, first + 4, more->traceparent);
    st_text(st, first + 5, more->content_type);
    st_u64(st, first + 6, (uint64_t)more->version << 6 | more->marks);
}

int64_t st_rows_due(const struct th_event_more *more, struct th_wall at)
{
    return more->deliver_at > at.ms ? more->deliver_at : at.ms;
}

void st_rows_event(struct st_stmt *st, bool data, struct th_event_row *row)
{
    int64_t at = st_col_i64(st, 2);
    uint64_t checked = st_col_u64(st, 18);

    *row = (struct th_event_row){.no = st_col_u64(st, 0),
                                 .tenant = st_col_u64(st, 1),
                                 .at = {at},
                                 .time = {or_else(st_col_i64(st, 3), at)},
                                 .rnd = (uint32_t)st_col_u64(st, 4),
                                 .first_delivery = st_col_u64(st, 5),
                                 .deliveries = (uint32_t)st_col_u64(st, 6),
                                 .type = st_col(st, 7),
                                 .external_id = st_col(st, 8),
                                 .resource_type = st_col(st, 9),
                                 .resource_id = st_col(st, 10),
                                 .erased = st_col_i64(st, 11),
                                 .more = {.deliver_at = st_col_i64(st, 12),
                                          .expires_at = st_col_i64(st, 13),
                                          .order_key = st_col(st, 14),
                                          .channels = st_col(st, 15),
                                          .traceparent = st_col(st, 16),
                                          .content_type = st_col(st, 17),
                                          .version = (uint32_t)(checked >> 6),
                                          .marks = checked & TH_EVENT_MARKS}};
    th_copy_id_read(&row->external_id, &row->origin, &row->origin_at);
    if (data)
        row->data = st_col(st, ST_EVENT_DATA);
}

void st_rows_queue(struct st_stmt *st, struct th_queue_row *row)
{
    uint64_t lane = st_col_u64(st, 4), tries = st_col_u64(st, 5);

    *row = (struct th_queue_row){.no = st_col_u64(st, 0),
                                 .event = st_col_u64(st, 1),
                                 .endpoint = st_col_u64(st, 2),
                                 .due = st_col_i64(st, 3),
                                 .lane = st_rows_lane_of(lane),
                                 .marks = st_rows_marks_of(lane),
                                 .order = st_rows_order_of(lane),
                                 .tries = (uint8_t)tries,
                                 .round = (int64_t)(tries >> 8),
                                 .attempts = (uint16_t)st_col_u64(st, 6)};
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

void st_rows_pack(struct st_packed *out, const struct th_attempt_row *row)
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

int32_t st_rows_total_us(struct th_span times)
{
    return times.n == 20 ? (int32_t)get32(times.p + 16) : -1;
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

int64_t st_rows_signed_at(const struct th_attempt_row *row)
{
    return row->signed_at == second_of(row->at) ? SAME
           : row->signed_at == SAME             ? REALLY_SAME
                                                : row->signed_at;
}

void st_rows_attempt(struct st_stmt *st, struct th_attempt_row *row)
{
    unsigned flags = (unsigned)(int)st_col_i64(st, 8);
    struct th_wall at = {st_col_i64(st, 5)};

    *row = (struct th_attempt_row){.nth = (uint16_t)(int)st_col_i64(st, 4),
                                   .at = at,
                                   .status = (uint16_t)(int)st_col_i64(st, 6),
                                   .class = (uint8_t)(int)st_col_i64(st, 7),
                                   .truncated = flags & ST_FLAG_TRUNCATED,
                                   .reused = flags & ST_FLAG_REUSED,
                                   .decoded = flags & ST_FLAG_DECODED,
                                   .ok = flags & ST_FLAG_OK,
                                   .test = flags & ST_FLAG_TEST,
                                   .endpoint_rev = st_col_u64(st, 9),
                                   .signed_at = or_else(st_col_i64(st, 10), second_of(at)),
                                   .sigs = st_col(st, 13),
                                   .detail = st_col(st, 14),
                                   .batch = st_col_u64(st, 15)};
    unpack(st_col(st, 11), st_col(st, 12), row);
}
