/* Point reads and walks of the SQLite store: what dispatch needs.
 *
 * Why apart from the lists: they run on a reader of their own, so that a slow list never delays a delivery.
 * Each read is one short transaction; an open reader keeps the write-ahead log from starting over, so the
 * rows examined and the time are bounded and a walk says where to go on.
 *
 * Spans that are handed out live in the op's own buffer. On failure op->error says why and the results are
 * void. */
#include "store/store_sqlite_int.h"
#include <time.h>

static const char *const reader_sql[SQ_R_COUNT] = {
    [SQ_R_BEGIN] = "BEGIN",
    [SQ_R_END] = "COMMIT",
    [SQ_R_LOAD] = "SELECT " SQ_EVENT_COLUMNS ",data FROM event WHERE no=?1",
    [SQ_R_WALK] = "SELECT no,event,endpoint,due,lane,tries,attempts FROM queue WHERE no>=?1 ORDER BY no",
    [SQ_R_EVENT] = "SELECT " SQ_EVENT_COLUMNS " FROM event WHERE no=?1",
    [SQ_R_EVENTS_DOWN] =
        "SELECT " SQ_EVENT_COLUMNS ",data FROM event WHERE no<?1 AND no>=?2 ORDER BY no DESC",
    [SQ_R_QUEUE_DOWN] =
        "SELECT no,event,endpoint,lane,tries,attempts,last,due FROM queue WHERE no<?1 AND no>=?2"
        " ORDER BY no DESC",
    [SQ_R_DELIVERY_DOWN] = "SELECT no,event,endpoint,lane,tries,attempts,last,ended,state FROM delivery"
                           " WHERE no<?1 AND no>=?2 ORDER BY no DESC",
    [SQ_R_ATTEMPT] = "SELECT " SQ_ATTEMPT_COLUMNS " FROM attempt WHERE no=?1",
    [SQ_R_ATTEMPT_FULL] = "SELECT " SQ_ATTEMPT_COLUMNS ",head,body FROM attempt WHERE no=?1",
    [SQ_R_ATTEMPTS_DOWN] = "SELECT no,delivery,endpoint FROM attempt WHERE no<?1 AND no>=?2 ORDER BY no DESC",
    [SQ_R_OWN] = "SELECT event FROM own WHERE tenant=?1 AND id=?2",
    [SQ_R_REV] = "SELECT conf FROM endpoint_rev WHERE endpoint=?1 AND rev=?2",
    [SQ_R_LAST_OF] =
        "SELECT event,last FROM queue WHERE no=?1 UNION ALL SELECT event,last FROM delivery WHERE no=?1",
};

int64_t sq_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum th_error sq_reader_prepare(struct sq_reader *r)
{
    return sq_error(r->db, sq_prepare_all(r->db, reader_sql, SQ_R_COUNT, r->st));
}

/* ---- rows ---- */

void sq_event_row(sqlite3_stmt *st, bool data, struct th_event_row *row)
{
    *row = (struct th_event_row){.no = sq_col_u64(st, 0),
                                 .tenant = sq_col_u64(st, 1),
                                 .at = {sqlite3_column_int64(st, 2)},
                                 .time = {sqlite3_column_int64(st, 3)},
                                 .rnd = (uint32_t)sq_col_u64(st, 4),
                                 .first_delivery = sq_col_u64(st, 5),
                                 .deliveries = (uint32_t)sq_col_u64(st, 6),
                                 .type = sq_col(st, 7),
                                 .own_id = sq_col(st, 8),
                                 .resource_type = sq_col(st, 9),
                                 .resource_id = sq_col(st, 10)};
    if (data)
        row->data = sq_col(st, SQ_EVENT_DATA);
}

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

void sq_pack(struct sq_packed *out, const struct th_attempt_row *row)
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

void sq_unpack(struct th_span times, struct th_span peer, struct th_attempt_row *row)
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

/* ---- load ---- */

/** Copies a span into the buffer and keeps its place as an offset, since the buffer may move. */
static void keep(struct th_buf *mem, struct th_span *s)
{
    size_t at = mem->n;

    th_buf_span(mem, *s);
    s->p = (const char *)(uintptr_t)at;
}

static void rebase(const struct th_buf *mem, struct th_span *s)
{
    s->p = s->n ? mem->p + (uintptr_t)s->p : "";
}

void sq_load(struct sq_reader *r, struct th_load *op)
{
    sqlite3_stmt *st = r->st[SQ_R_LOAD];
    int rc = SQLITE_OK;

    op->op.error = TH_OK;
    th_buf_reset(&op->mem);
    for (uint32_t i = 0; i < op->count; i++) {
        struct th_event_row *row = &op->rows[i];

        *row = (struct th_event_row){0};
        sq_u64(st, 1, op->events[i]);
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW) {
            sq_event_row(st, true, row);
            keep(&op->mem, &row->type);
            keep(&op->mem, &row->data);
            keep(&op->mem, &row->own_id);
            keep(&op->mem, &row->resource_type);
            keep(&op->mem, &row->resource_id);
        }
        sqlite3_reset(st);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
            op->op.error = sq_error(r->db, rc);
            return;
        }
    }
    op->op.error = op->mem.failed;
    for (uint32_t i = 0; op->mem.failed == TH_OK && i < op->count; i++) {
        rebase(&op->mem, &op->rows[i].type);
        rebase(&op->mem, &op->rows[i].data);
        rebase(&op->mem, &op->rows[i].own_id);
        rebase(&op->mem, &op->rows[i].resource_type);
        rebase(&op->mem, &op->rows[i].resource_id);
    }
}

/* ---- walk ---- */

void sq_walk(struct sq_reader *r, struct th_walk *op)
{
    sqlite3_stmt *st = r->st[SQ_R_WALK];
    int64_t deadline = sq_now_ms() + SQ_MS_PER_READ;
    uint32_t seen = 0;
    int rc;

    op->op.error = TH_OK;
    op->count = 0;
    op->next = 0;
    sq_u64(st, 1, op->from);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        uint64_t no = sq_col_u64(st, 0), endpoint = sq_col_u64(st, 2);

        /* at least one row is looked at, so that every call gets on */
        if (op->count == op->max || seen >= SQ_ROWS_PER_READ ||
            (seen && seen % 256 == 0 && sq_now_ms() > deadline)) {
            op->next = no;
            break;
        }
        seen++;
        if (op->endpoint && op->endpoint != endpoint)
            continue;
        op->rows[op->count++] = (struct th_queue_row){.no = no,
                                                      .event = sq_col_u64(st, 1),
                                                      .endpoint = endpoint,
                                                      .due = sqlite3_column_int64(st, 3),
                                                      .lane = (uint8_t)sq_col_u64(st, 4),
                                                      .tries = (uint8_t)sq_col_u64(st, 5),
                                                      .attempts = (uint16_t)sq_col_u64(st, 6)};
    }
    sqlite3_reset(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        op->op.error = sq_error(r->db, rc);
}
