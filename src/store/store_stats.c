/* Reads statistics: sums up the rollups of a time, and the attempts that are in none yet.
 *
 * All of it in one snapshot, so that an attempt is either in a row or above the mark. While a run is being written, rows have it
 * already although the mark has not moved: their `upto` says so, and its attempts are then passed over.
 *
 * Invariant: at most ST_TAIL_MOST attempts are looked at, the newest (store_tail.c has them in memory). There are more only while runs are behind, after an upgrade
 * or a long burst; `complete_from` then says from when on all is counted. */
#include "base/alloc.h"
#include "base/map.h"
#include "base/sorted.h"
#include "store/store_backlog.h"
#include "store/store_roll.h"
#include "store/store_scan.h"
#include "store/store_tail.h"
#include <stdlib.h>

enum { HALF_MOST = 16384, TENANTS_MOST = 65536 };
#define MARGIN_MS INT64_C(86400000) /* longer than any attempt takes, and farther than clocks step back */

struct reading {
    struct st_reader *r;
    struct th_stats *op;
    uint64_t built; /* the mark */
    unsigned kind;
    uint64_t key;
    const uint64_t *endpoints; /* whose numbers are asked for, each for itself; NULL: those of `key` */
    uint32_t endpoint_count;
    struct
        half { /* minutes of an endpoint (or of `key`) whose row has a part of what lies above the mark, in order */
        uint32_t of;
        int64_t t;
        uint64_t upto;
    } half[HALF_MOST];
    unsigned half_count;
    struct th_map tenants; /* of endpoints */
};

/* `of`: the place in op->endpoints, 0 without these. */
static struct th_stats_bucket *bucket_at(const struct th_stats *op, uint32_t of, int64_t minute)
{
    int64_t ms = minute * ST_MINUTE_MS;

    if (ms < op->since || ms >= op->until)
        return NULL;
    return &op->buckets[(int64_t)of * op->count + (ms - op->since) / op->step];
}

static int read_level(struct reading *x, unsigned level, uint32_t of)
{
    struct st_stmt *st = x->r->st[ST_R_ROLL_OF];
    struct st_stmt *first = x->r->st[ST_R_ROLL_FIRST];
    int64_t step = st_roll_minutes(level), from = x->op->since / ST_MINUTE_MS;
    uint64_t oldest;
    int rc;

    st_u64(first, 1, level);
    rc = st_number(first, &oldest);
    if (rc != ST_OK)
        return rc;
    if ((int64_t)oldest > from) /* each time is sought by itself: not those before all rows */
        from = (int64_t)oldest;
    from += (step - from % step) % step;
    st_u64(st, 1, level);
    st_i64(st, 2, from);
    st_i64(st, 3, (x->op->until + ST_MINUTE_MS - 1) / ST_MINUTE_MS);
    st_u64(st, 4, x->kind);
    st_u64(st, 5, x->key);
    st_i64(st, 6, step);
    while ((rc = st_step(st)) == ST_ROW) {
        int64_t t = st_col_i64(st, 0);
        struct th_stats_bucket *b = bucket_at(x->op, of, t);

        if (b && !st_roll_add(b, st_col(st, 2)))
            break;
        if (st_col_u64(st, 1) > x->built && x->half_count < HALF_MOST)
            x->half[x->half_count++] = (struct half){of, t, st_col_u64(st, 1)};
    }
    st_reset(st);
    return rc == ST_DONE ? ST_OK : rc == ST_ROW ? ST_CORRUPT : rc;
}

static bool is_in_row(const struct reading *x, const struct st_roll_attempt *a, uint32_t of)
{
    unsigned low = 0, high = x->half_count;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;

        if (x->half[mid].of == of && x->half[mid].t == a->minute)
            return a->no < x->half[mid].upto;
        if (x->half[mid].of < of || (x->half[mid].of == of && x->half[mid].t < a->minute))
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

/** The place of an attempt's endpoint among those asked for. False: it is none of them. */
static bool place_of(const struct reading *x, uint64_t endpoint, uint32_t *of)
{
    *of = 0;
    return !x->endpoints || th_sorted_find(x->endpoints, x->endpoint_count, endpoint, of);
}

static int is_wanted(struct reading *x, const struct st_roll_attempt *a, bool *wanted)
{
    struct st_stmt *st = x->r->st[ST_R_ENDPOINT_TENANT];
    uint64_t tenant;
    int rc;

    *wanted = !a->test && (x->kind != ST_ROLL_ENDPOINT || x->endpoints || a->endpoint == x->key);
    if (!*wanted || x->kind != ST_ROLL_TENANT)
        return ST_OK;
    tenant = (uint64_t)(uintptr_t)th_map_get(&x->tenants, a->endpoint);
    if (!tenant) {
        st_u64(st, 1, a->endpoint);
        rc = st_number(st, &tenant);
        if (rc != ST_OK)
            return rc;
        if (tenant && th_map_put(&x->tenants, a->endpoint, (void *)(uintptr_t)tenant) != TH_OK)
            th_map_fini(&x->tenants); /* it is only a cache */
    }
    *wanted = tenant == x->key;
    return ST_OK;
}

static int read_tail(struct reading *x)
{
    int64_t edge = x->op->since;
    struct st_tail *t;
    int rc = st_tail_read(x->r, x->built, &t);
    uint32_t i = rc == ST_OK ? t->n : 0;

    while (rc == ST_OK && i > 0) {
        const struct st_roll_attempt *a = &t->v[--i];
        struct th_stats_bucket *b;
        uint32_t of;
        bool wanted;

        edge = a->end_ms;
        if (a->end_ms < x->op->since - MARGIN_MS)
            return ST_OK;
        if (!place_of(x, a->endpoint, &of))
            continue;
        b = bucket_at(x->op, of, a->minute);
        if (!b || is_in_row(x, a, of))
            continue;
        rc = is_wanted(x, a, &wanted);
        if (rc == ST_OK && wanted)
            st_roll_count(b, a);
    }
    if (rc == ST_OK && t->cut && edge > x->op->complete_from)
        x->op->complete_from = edge;
    return rc;
}

static int by_time(const void *a, const void *b)
{
    const struct half *x = a, *y = b;

    return x->t < y->t ? -1 : x->t > y->t;
}

static int read_all(struct reading *x)
{
    int rc = st_scan_built(x->r, ST_RUN_ATTEMPT, &x->built);

    for (uint32_t of = 0; rc == ST_OK && of < (x->endpoints ? x->endpoint_count : 1); of++) {
        uint32_t first = x->half_count;

        if (x->endpoints)
            x->key = x->endpoints[of];
        for (unsigned level = 0; rc == ST_OK && level < ST_ROLL_LEVELS; level++)
            rc = read_level(x, level, of);
        if (x->half_count > first)
            qsort(x->half + first, x->half_count - first, sizeof x->half[0], by_time);
    }
    return rc == ST_OK ? read_tail(x) : rc;
}

void st_roll_stats(struct st_reader *r, struct th_stats *op)
{
    struct reading *x = th_calloc(1, sizeof *x);
    int rc;

    op->complete_from = op->since;
    if (!x) {
        op->op.error = TH_NOMEM;
        return;
    }
    x->r = r;
    x->op = op;
    x->endpoints = op->endpoints;
    x->endpoint_count = op->endpoint_count;
    x->kind = op->endpoint || op->endpoints ? ST_ROLL_ENDPOINT : op->tenant ? ST_ROLL_TENANT : ST_ROLL_ALL;
    x->key = op->endpoint ? op->endpoint : op->tenant;
    th_map_init(&x->tenants, TENANTS_MOST, 0x9e3779b97f4a7c15u);
    rc = st_run(r->st[ST_R_BEGIN]);
    if (rc == ST_OK)
        rc = read_all(x);
    if (rc == ST_OK && op->backlog)
        rc = st_backlog_read(r, op);
    if (rc != ST_OK)
        st_tail_forget(r);
    op->op.error = st_error(r->db, rc);
    if (st_in_transaction(r->db))
        st_run(r->st[ST_R_END]);
    th_map_fini(&x->tenants);
    th_free(x);
}
