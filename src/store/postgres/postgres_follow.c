/* What the engines of other nodes have committed: the news of the log (store_note.h), and the rows that they name as they are now.
 *
 * Log and rows are read in one snapshot, so what a FOLLOW gives is the store as it was at one moment: a version of a tenant never
 * comes without the settings that belong to it, and a delivery never without its endpoint.
 *
 * How far this node has applied the log is written to `progress`, at once after a change of settings, a cancel, or an erasure, for which another node waits,
 * and else twice a second. It is not synced: after a crash of the database it may be lower, which makes others wait and nothing else. */
#include "store/postgres/postgres_follow.h"
#include "base/alloc.h"
#include "base/log.h"
#include "store/postgres/postgres_statements.h"
#include "store/store_life.h"
#include "store/store_note.h"
#include "store/store_rows.h"
#include "store/store_settings_read.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S PG_SCHEMA "."
#define TIMEOUT_MS 10000
#define PUBLISH_US 500000
#define ROWS_MAX 4096 /* deliveries of one FOLLOW; of more the engine walks the queue */

static const char *text(char out[24], uint64_t v)
{
    snprintf(out, 24, "%" PRIu64, v);
    return out;
}

static uint64_t number(const PGresult *r, int row, int column)
{
    return strtoull(PQgetvalue(r, row, column), NULL, 10);
}

/* ---- the start ---- */

enum th_error pg_follow_settings(struct th_store *store, void (*row)(void *ctx, const struct th_row *),
                                 void *ctx)
{
    struct pg_store *s = (struct pg_store *)store;
    struct pg_db db;
    enum th_error error;
    PGresult *r;

    if (!s->share.on)
        return st_life_settings(store, row, ctx);
    pg_db_init(&db, &s->address, TIMEOUT_MS);
    error = pg_db_connect(&db);
    if (!error)
        error = pg_db_begin(&db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    if (!error) {
        r = pg_db_query(&db, "SELECT seq FROM " S "shared", 0, NULL);
        if (r && (!s->share.start || number(r, 0, 0) < s->share.start))
            s->share.start = number(r, 0, 0);
        error = r ? st_error(&db.base, st_settings_read(&db.base, &pg_texts, row, ctx)) : TH_RETRY;
        PQclear(r);
        if (pg_db_commit(&db) != TH_OK && !error)
            error = TH_RETRY;
    }
    pg_db_fini(&db);
    return error;
}

/* ---- progress ---- */

static void publish(struct pg_store *s, uint64_t seen)
{
    struct pg_share *h = &s->share;
    char me[24], applied[24], counted[24];
    const char *values[] = {text(me, (uint64_t)s->lease.node), text(applied, seen),
                            text(counted, atomic_load(&h->counted))};

    if (!h->tell_soon && pg_lease_now_us() < h->publish_at_us)
        return;
    if (pg_db_begin(&h->db, "BEGIN") != TH_OK)
        return;
    pg_db_send(&h->db, "SET LOCAL synchronous_commit TO off", 0, NULL);
    pg_db_send(&h->db, "UPDATE " S "progress SET applied=$2::int8, counted=$3::int8 WHERE node=$1::int2", 3,
               values);
    if (pg_db_commit(&h->db) != TH_OK)
        return;
    h->tell_soon = false;
    h->published = seen;
    h->publish_at_us = pg_lease_now_us() + PUBLISH_US;
}

/* ---- rows ---- */

/** Makes room for another element of an array in the arena. NULL: no memory. */
static void *another(struct th_follow *op, void **array, uint32_t *count, size_t size)
{
    if (!(*count & (*count - 1))) { /* 0, or a power of two: it is full */
        void *v = th_arena_get(&op->mem, (*count ? *count * 2 : 1) * size);
        if (!v)
            return NULL;
        if (*count)
            memcpy(v, *array, *count * size);
        *array = v;
    }
    return (char *)*array + size * (*count)++;
}

static int add_row(struct th_follow *op, struct st_stmt *st, enum th_row_kind kind)
{
    struct th_row *r = another(op, (void **)&op->rows, &op->row_count, sizeof *r);

    if (!r)
        return ST_NOMEM;
    *r = st_settings_row(st, kind);
    return th_arena_copy(&op->mem, r->id, &r->id) && th_arena_copy(&op->mem, r->settings, &r->settings)
               ? ST_OK
               : ST_NOMEM;
}

/** The rows of a kind with this number; of secrets, those of an endpoint. */
static int read_rows(struct pg_share *h, struct th_follow *op, enum th_row_kind kind, uint64_t no)
{
    struct st_stmt *st = h->rows[kind];
    uint32_t before = op->row_count;
    int rc;

    if (kind != TH_ROW_META)
        st_u64(st, 1, no);
    while ((rc = st_step(st)) == ST_ROW && (rc = add_row(op, st, kind)) == ST_OK)
        ;
    st_reset(st);
    if (rc != ST_DONE)
        return rc;
    if (op->row_count == before && kind != TH_ROW_META && kind != TH_ROW_SECRET) { /* it is gone */
        struct th_row *r = another(op, (void **)&op->rows, &op->row_count, sizeof *r);

        if (!r)
            return ST_NOMEM;
        *r = (struct th_row){.kind = kind, .no = no, .del = true};
    }
    return ST_OK;
}

static bool is_listed(const struct th_follow *op, enum th_row_kind kind, uint64_t no)
{
    for (uint32_t i = 0; i < op->row_count; i++)
        if (op->rows[i].kind == kind && (kind == TH_ROW_META || op->rows[i].no == no))
            return true;
    return false;
}

/** Of one kind after the other: tenants come before what is theirs. */
static int read_kind(struct pg_share *h, struct th_follow *op, enum th_row_kind kind, struct th_span news)
{
    struct st_note n;
    int rc = ST_OK;

    while (rc == ST_OK && st_note_next(&news, &n)) {
        enum th_row_kind of = (enum th_row_kind)(n.a & 255);

        if (n.kind != ST_NOTE_ROW)
            continue;
        if (kind == TH_ROW_ENDPOINT && of == TH_ROW_SECRET && !is_listed(op, kind, n.c))
            rc = read_rows(h, op, kind, n.c);
        if (of == kind && kind != TH_ROW_SECRET && !is_listed(op, kind, n.b))
            rc = read_rows(h, op, kind, n.b);
    }
    return rc;
}

static int read_settings(struct pg_share *h, struct th_follow *op, struct th_span news)
{
    int rc = ST_OK;

    for (int kind = TH_ROW_TENANT; rc == ST_OK && kind <= TH_ROW_META; kind++) {
        if (kind != TH_ROW_SECRET) {
            rc = read_kind(h, op, (enum th_row_kind)kind, news);
            continue;
        }
        for (uint32_t i = 0, n = op->row_count; rc == ST_OK && i < n; i++)
            if (op->rows[i].kind == TH_ROW_ENDPOINT && !op->rows[i].del)
                rc = read_rows(h, op, TH_ROW_SECRET, op->rows[i].no);
    }
    for (uint32_t i = 0; i < op->row_count; i++)
        h->tell_soon = h->tell_soon || op->rows[i].kind != TH_ROW_HEALTH;
    return rc;
}

static int read_queue(struct th_follow *op, struct st_stmt *st, bool moved)
{
    int rc;

    while ((rc = st_step(st)) == ST_ROW) {
        struct th_queue_row row, *to;

        st_rows_queue(st, &row);
        if (!th_slots_have(op->slots, th_slot_of(row.endpoint)))
            continue;
        to = moved ? another(op, (void **)&op->moved, &op->moved_count, sizeof *to)
                   : another(op, (void **)&op->queued, &op->queued_count, sizeof *to);
        if (!to) {
            rc = ST_NOMEM;
            break;
        }
        *to = row;
    }
    st_reset(st);
    return rc == ST_DONE ? ST_OK : rc;
}

static int read_delivery(struct pg_share *h, struct th_follow *op, const struct st_note *n)
{
    if (op->queued_count + op->moved_count + n->b > ROWS_MAX) {
        op->walk_from = !op->walk_from || n->a < op->walk_from ? n->a : op->walk_from;
        return ST_OK;
    }
    if (n->kind == ST_NOTE_MOVED) {
        st_u64(h->one, 1, n->a);
        return read_queue(op, h->one, true);
    }
    st_u64(h->queue, 1, n->a);
    st_u64(h->queue, 2, n->a + n->b);
    return read_queue(op, h->queue, false);
}

static int read_deliveries(struct pg_share *h, struct th_follow *op, struct th_span news)
{
    struct st_note n;
    int rc = ST_OK;

    while (rc == ST_OK && st_note_next(&news, &n)) {
        uint64_t *no = NULL;

        switch (n.kind) {
        case ST_NOTE_QUEUED:
        case ST_NOTE_MOVED:
            rc = read_delivery(h, op, &n);
            continue;
        case ST_NOTE_CANCELLED:
            no = another(op, (void **)&op->cancelled, &op->cancelled_count, sizeof *no);
            break;
        case ST_NOTE_ERASED:
            no = another(op, (void **)&op->erased, &op->erased_count, sizeof *no);
            break;
        case ST_NOTE_PURGED:
            op->purged_upto = n.a > op->purged_upto ? n.a : op->purged_upto;
            continue;
        default:
            continue;
        }
        if (!no)
            return ST_NOMEM;
        *no = n.a;
        h->tell_soon = true;
    }
    return rc;
}

/* ---- the log ---- */

static enum th_error open_follow(struct pg_store *s)
{
    static const char *const by_number = "SELECT * FROM (%s) x WHERE x.%s=?1", *const all =
                                                                                   "SELECT * FROM (%s) x";
    struct pg_share *h = &s->share;
    struct st_db *db = &h->db.base;
    char sql[800];
    int rc;

    if (h->opened)
        return TH_OK;
    pg_db_init(&h->db, &s->address, TIMEOUT_MS);
    h->db.reopens = true;
    rc = st_prepare(
        db, "SELECT no,event,endpoint,due,lane,tries,attempts FROM queue WHERE no>=?1 AND no<?2 ORDER BY no",
        &h->queue);
    if (rc == ST_OK)
        rc = st_prepare(db, pg_texts.reader[ST_R_QUEUE_ONE], &h->one);
    for (int kind = TH_ROW_TENANT; rc == ST_OK && kind <= TH_ROW_META; kind++) {
        snprintf(sql, sizeof sql, kind == TH_ROW_META ? all : by_number, pg_texts.settings[kind],
                 kind == TH_ROW_SECRET || kind == TH_ROW_HEALTH ? "endpoint" : "no");
        rc = st_prepare(db, sql, &h->rows[kind]);
    }
    h->opened = rc == ST_OK;
    return st_error(db, rc);
}

void pg_follow_close(struct pg_share *h)
{
    st_finalize(h->queue);
    st_finalize(h->one);
    for (int kind = TH_ROW_TENANT; kind <= TH_ROW_META; kind++)
        st_finalize(h->rows[kind]);
    if (h->opened)
        pg_db_fini(&h->db);
}

/** Which slots the engine is to have. What it has been told, it may work for from now on. */
static void give_slots(struct pg_share *h, struct th_follow *op)
{
    pthread_mutex_lock(&h->lock);
    h->leaves = op->leaves;
    for (unsigned i = 0; i < TH_SLOT_WORDS; i++) {
        op->slots[i] = op->leaves ? 0 : h->owned[i] & ~h->give[i];
        h->held[i] = op->have[i] | op->slots[i];
    }
    pthread_mutex_unlock(&h->lock);
}

static bool gather(struct th_buf *news, const PGresult *r)
{
    for (int i = 0; i < PQntuples(r); i++) {
        size_t n = 0;
        unsigned char *bytes;

        if (PQgetisnull(r, i, 1))
            continue;
        bytes = PQunescapeBytea((const unsigned char *)PQgetvalue(r, i, 1), &n);
        if (!bytes)
            return false;
        th_buf_add(news, bytes, n);
        PQfreemem(bytes);
    }
    return !news->failed;
}

/** In a snapshot. */
static int read_news(struct pg_store *s, struct th_follow *op, uint64_t seen)
{
    char from[24], me[24];
    const char *values[] = {text(from, seen), text(me, (uint64_t)s->lease.node)};
    struct pg_share *h = &s->share;
    struct th_buf news;
    PGresult *r = pg_db_query(&h->db,
                              "SELECT seq, CASE WHEN node<>$2::int2 THEN news END FROM " S
                              "log WHERE seq>$1::int8 ORDER BY seq LIMIT 2000",
                              2, values);
    int rc = ST_OK;

    if (!r)
        return pg_db_failed(&h->db);
    th_buf_init(&news, 256u << 20);
    op->upto = seen;
    if (PQntuples(r))
        op->upto = number(r, PQntuples(r) - 1, 0);
    if (op->upto - seen != (uint64_t)PQntuples(r)) { /* deleted: this node was away for too long */
        h->db.fenced = true;
        rc = ST_CORRUPT;
    } else if (!gather(&news, r)) {
        rc = ST_NOMEM;
    }
    PQclear(r);
    if (rc == ST_OK)
        rc = read_settings(h, op, th_buf_view(&news));
    if (rc == ST_OK)
        rc = read_deliveries(h, op, th_buf_view(&news));
    th_buf_fini(&news);
    return rc;
}

/** True when there is something behind `seen`. */
static bool look(struct pg_store *s, struct th_follow *op, uint64_t seen)
{
    const uint32_t lapses = atomic_load(&s->lease.lapses);
    char me[24];
    const char *values[] = {text(me, (uint64_t)s->lease.node)};
    PGresult *r =
        pg_db_query(&s->share.db,
                    "SELECT seq, (SELECT min(p.applied) FROM " S "progress p JOIN " S
                    "node n ON n.id=p.node WHERE n.share AND n.works AND n.until > clock_timestamp() AND"
                    " n.id<>$1::int2) FROM " S "shared",
                    1, values);
    unsigned slots = 0;
    bool more = r && number(r, 0, 0) > seen;

    if (r && lapses != s->share.lapses) {
        s->share.lapses = lapses;
        s->share.lapse_upto = number(r, 0, 0);
    }
    if (seen >= s->share.lapse_upto)
        pg_lease_caught_up(&s->lease, s->share.lapses);
    op->told = r && PQgetisnull(r, 0, 1) ? UINT64_MAX : r ? number(r, 0, 1) : 0;
    for (unsigned i = 0; i < TH_SLOTS; i++)
        slots += th_slots_have(op->slots, i);
    if (r && s->base.metrics) {
        th_gauge_set(s->base.metrics, TH_G_STORE_BEHIND, more ? (int64_t)(number(r, 0, 0) - seen) : 0);
        th_gauge_set(s->base.metrics, TH_G_STORE_SLOTS, slots);
    }
    PQclear(r);
    return more;
}

static enum th_error follow(struct pg_store *s, struct th_follow *op)
{
    struct pg_share *h = &s->share;
    uint64_t seen = op->seen ? op->seen : s->share.start;
    enum th_error error = open_follow(s);

    if (!error && (h->db.lost || !h->db.conn))
        error = pg_db_connect(&h->db);
    if (error)
        return error;
    pg_hung_look(&h->hung, &h->db, s->lease.ttl_ms, s->base.metrics);
    publish(s, seen);
    op->upto = seen;
    give_slots(h, op);
    if (!look(s, op, seen))
        return h->db.failed || h->db.lost ? TH_RETRY : TH_OK;
    error = pg_db_begin(&h->db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    if (!error)
        error = st_error(&h->db.base, read_news(s, op, seen));
    if (h->db.in_transaction && pg_db_commit(&h->db) != TH_OK && !error)
        error = TH_RETRY;
    if (h->db.fenced) {
        th_log(TH_LOG_ERROR, "this node has heard nothing of the others for so long that it begins anew",
               TH_KC("store", s->base.name));
        if (s->lost)
            s->lost(s->lost_ctx);
    }
    return error;
}

void pg_follow(struct st_reader *r, struct th_follow *op)
{
    op->op.error = follow((struct pg_store *)r->store, op);
}
