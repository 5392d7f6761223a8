/* What each tenant has stored: bytes of events and of answers, and deliveries that have not ended.
 *
 * Why not a row that every commit changes: that is one more page of the log for each commit. The counts are kept in memory by
 * the writer, and `usage` has the bytes as they were when two marks in `counter` were written: the highest event and the
 * highest attempt that are counted in it. What lies above the marks is read again at the start, and the marks are written anew
 * when that has become much, and with everything that takes bytes away, since what is gone cannot be read again. The
 * deliveries are counted at the start from `queue`, which is read then anyway, and from what `fan` has left.
 *
 * Invariants: (1) what a transaction changes in memory is undone when it is rolled back; (2) `usage` and the marks change in
 * one transaction, and are then what is in memory; (3) other threads see only what is committed.
 *
 * Counted are the bytes of texts, not the pages of the file: it is what the tenant has given and what its endpoints have
 * answered. Runs on the writer thread but for sq_usage_now. */
#include "store/store_usage.h"
#include "base/alloc.h"
#include "base/check.h"
#include "store/sqlite/migrations.h"
#include "store/store_count.h"
#include "store/store_state.h"

#define TENANTS_MAX (1u << 20)
#define ENDPOINTS_MAX (1u << 20) /* known by their tenant; beyond, the table is asked again */
#define TAIL_ROWS 10000          /* above the marks, before they are written anew */
#define TAIL_BYTES (32u << 20)

/* ---- tenants ---- */

struct sq_usage *sq_usage_of(struct sq_writer *w, uint64_t tenant)
{
    struct sq_usage *u = th_map_get(&w->uses, tenant);
    bool put;

    if (u)
        return u;
    u = th_calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->tenant = tenant;
    pthread_mutex_lock(&w->store->use_lock);
    put = th_map_put(&w->uses, tenant, u) == TH_OK;
    pthread_mutex_unlock(&w->store->use_lock);
    if (!put) {
        th_free(u);
        return NULL;
    }
    return u;
}

int sq_usage_add(struct sq_writer *w, uint64_t tenant, int64_t bytes, int64_t unfinished)
{
    struct sq_usage *u = sq_usage_of(w, tenant);

    if (!u)
        return SQLITE_NOMEM;
    TH_CHECK(u->tenant == tenant);
    if (!u->touched) {
        u->touched = true;
        u->next_touched = w->touched;
        w->touched = u;
    }
    u->bytes += bytes;
    u->unfinished += unfinished;
    u->undo_bytes += bytes;
    u->undo_unfinished += unfinished;
    if (bytes < 0)
        w->use_note = true;
    if (bytes > 0) {
        w->tail_rows++;
        w->tail_bytes += (uint64_t)bytes;
    }
    return SQLITE_OK;
}

static int tenant_of(struct sq_writer *w, uint64_t endpoint, uint64_t *tenant)
{
    sqlite3_stmt *st = w->st[SQ_W_ENDPOINT_TENANT];
    int rc;

    *tenant = (uint64_t)(uintptr_t)th_map_get(&w->owners, endpoint);
    if (*tenant)
        return SQLITE_OK;
    sq_u64(st, 1, endpoint);
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *tenant = sq_col_u64(st, 0);
    sqlite3_reset(st);
    if (*tenant && th_map_put(&w->owners, endpoint, (void *)(uintptr_t)*tenant) != TH_OK)
        th_map_fini(&w->owners); /* full or no memory: it is only a cache */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sq_usage_delivery(struct sq_writer *w, uint64_t endpoint, int64_t bytes, int64_t unfinished)
{
    uint64_t tenant;
    int rc = tenant_of(w, endpoint, &tenant);

    return rc == SQLITE_OK ? sq_usage_add(w, tenant, bytes, unfinished) : rc;
}

/* ---- transactions ---- */

static int note_tenant(struct sq_writer *w, struct sq_usage *u)
{
    sqlite3_stmt *st = w->st[u->bytes ? SQ_W_USAGE_PUT : SQ_W_USAGE_DEL];

    sq_u64(st, 1, u->tenant);
    if (u->bytes)
        sq_i64(st, 2, u->bytes);
    return sq_db_run(st);
}

static int note_mark(struct sq_writer *w, const char *name, uint64_t upto)
{
    sqlite3_stmt *st = w->st[SQ_W_COUNTER];

    sq_text(st, 1, th_str(name));
    sq_u64(st, 2, upto);
    return sq_db_run(st);
}

int sq_usage_write(struct sq_writer *w)
{
    uint64_t no;
    void *value;
    int rc = SQLITE_OK;

    if (!w->use_note && w->tail_rows < TAIL_ROWS && w->tail_bytes < TAIL_BYTES)
        return SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && th_map_next(&w->uses, &i, &no, &value);) {
        struct sq_usage *u = value;
        if (u->bytes != u->noted)
            rc = note_tenant(w, u);
    }
    if (rc == SQLITE_OK)
        rc = note_mark(w, "use_event", w->next.event - 1);
    if (rc == SQLITE_OK)
        rc = note_mark(w, "use_attempt", w->next.attempt - 1);
    w->use_noted = rc == SQLITE_OK;
    return rc;
}

/** Forgets what could be undone; with commit, shows it to the others. */
static void end(struct sq_writer *w, bool commit)
{
    while (w->touched) {
        struct sq_usage *u = w->touched;
        w->touched = u->next_touched;
        u->touched = false;
        if (!commit) {
            u->bytes -= u->undo_bytes;
            u->unfinished -= u->undo_unfinished;
        }
        u->undo_bytes = u->undo_unfinished = 0;
        atomic_store_explicit(&u->shown_bytes, u->bytes, memory_order_relaxed);
        atomic_store_explicit(&u->shown_unfinished, u->unfinished, memory_order_relaxed);
    }
    w->use_note = w->use_noted = false;
}

void sq_usage_committed(struct sq_writer *w)
{
    uint64_t no;
    void *value;

    if (w->use_noted) {
        for (size_t i = 0; th_map_next(&w->uses, &i, &no, &value);)
            ((struct sq_usage *)value)->noted = ((struct sq_usage *)value)->bytes;
        w->tail_rows = w->tail_bytes = 0;
    }
    end(w, true);
}

void sq_usage_undone(struct sq_writer *w)
{
    end(w, false);
    th_map_fini(&w->owners);
}

/* ---- the start ---- */

/** Adds up the bytes of rows (tenant, bytes). */
static int add_bytes(struct sq_writer *w, sqlite3_stmt *st, bool noted)
{
    int rc;

    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct sq_usage *u = sq_usage_of(w, sq_col_u64(st, 0));
        if (!u)
            return SQLITE_NOMEM;
        u->bytes += sqlite3_column_int64(st, 1);
        if (noted)
            u->noted = u->bytes;
        else
            w->tail_bytes += sq_col_u64(st, 1);
        w->tail_rows += !noted;
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/** Rows (endpoint): one delivery that waits; counts all of them. */
static int add_queue(struct sq_writer *w, sqlite3_stmt *st)
{
    uint64_t last = 0, tenant;
    struct sq_usage *u = NULL;
    int rc;

    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        if (!u || sq_col_u64(st, 0) != last) {
            last = sq_col_u64(st, 0);
            rc = tenant_of(w, last, &tenant);
            u = rc == SQLITE_OK ? sq_usage_of(w, tenant) : NULL;
            if (!u)
                return rc == SQLITE_OK ? SQLITE_NOMEM : rc;
        }
        u->unfinished++;
        w->next.queued++;
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/** Rows (tenant, first delivery, how many): what is numbered and not queued. */
static int add_fans(struct sq_writer *w, sqlite3_stmt *st)
{
    int rc;

    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct sq_usage *u = sq_usage_of(w, sq_col_u64(st, 0));
        uint32_t queued = 0;
        if (!u)
            return SQLITE_NOMEM;
        rc = sq_count_range(w, sq_col_u64(st, 1), sq_col_u64(st, 2), &queued);
        if (rc != SQLITE_OK)
            return rc;
        u->unfinished += (int64_t)(sq_col_u64(st, 2) - queued);
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int add(struct sq_writer *w, const char *sql, unsigned what)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(w->db, sql, -1, &st, NULL);

    if (rc == SQLITE_OK)
        rc = what == 0   ? add_bytes(w, st, true)
             : what == 1 ? add_bytes(w, st, false)
             : what == 2 ? add_queue(w, st)
                         : add_fans(w, st);
    sqlite3_finalize(st);
    return rc;
}

int sq_usage_open(struct sq_writer *w)
{
    uint64_t no;
    void *value;
    int rc;

    th_map_init(&w->uses, TENANTS_MAX, 0x9e3779b97f4a7c15u);
    th_map_init(&w->owners, ENDPOINTS_MAX, 0x9e3779b97f4a7c15u);
    rc = add(w, "SELECT tenant,bytes FROM usage", 0);
    if (rc == SQLITE_OK)
        rc = add(w,
                 "SELECT tenant," SQ_EVENT_BYTES " FROM event WHERE no>"
                 "coalesce((SELECT v FROM counter WHERE k='use_event'),0)",
                 1);
    if (rc == SQLITE_OK)
        rc = add(w,
                 "SELECT e.tenant," SQ_ATTEMPT_BYTES " FROM attempt a JOIN endpoint e ON e.no=a.endpoint"
                 " WHERE a.no>coalesce((SELECT v FROM counter WHERE k='use_attempt'),0)",
                 1);
    if (rc == SQLITE_OK)
        rc = add(w, "SELECT endpoint FROM queue", 2);
    if (rc == SQLITE_OK)
        rc = add(w, "SELECT e.tenant,f.first,f.n FROM fan f JOIN event e ON e.no=f.event", 3);
    for (size_t i = 0; rc == SQLITE_OK && th_map_next(&w->uses, &i, &no, &value);) {
        struct sq_usage *u = value;
        atomic_store_explicit(&u->shown_bytes, u->bytes, memory_order_relaxed);
        atomic_store_explicit(&u->shown_unfinished, u->unfinished, memory_order_relaxed);
    }
    return rc;
}

void sq_usage_close(struct sq_writer *w)
{
    uint64_t no;
    void *value;

    for (size_t i = 0; th_map_next(&w->uses, &i, &no, &value);)
        th_free(value);
    th_map_fini(&w->uses);
    th_map_fini(&w->owners);
}

/* ---- other threads ---- */

void sq_usage_now(struct th_store *store, uint64_t tenant, struct th_usage *out)
{
    struct sq_store *s = (struct sq_store *)store;
    const struct sq_usage *u;

    *out = (struct th_usage){0};
    pthread_mutex_lock(&s->use_lock);
    u = th_map_get(&s->writer.uses, tenant);
    pthread_mutex_unlock(&s->use_lock);
    if (!u)
        return;
    out->bytes = atomic_load_explicit(&u->shown_bytes, memory_order_relaxed);
    out->unfinished = atomic_load_explicit(&u->shown_unfinished, memory_order_relaxed);
}
