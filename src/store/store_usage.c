/* Counts how much each tenant has stored: bytes of events and of answers, and deliveries that have not ended.
 *
 * Why not a row that every commit changes: that is one more page of the log for each commit. The counts are kept in memory by
 * the writer, and `usage` has the bytes as they were when two marks in `counter` were written: the highest event and the
 * highest attempt that are counted in it. Rows above the marks are read again at the start. The marks are
 * written anew when these rows have become many, and together with everything that takes bytes away, because
 * deleted rows cannot be read again. The deliveries are counted at the start from `queue`, which is read then
 * anyway, and from what `fan` has left.
 *
 * Invariants: (1) what a transaction changes in memory is undone when it is rolled back; (2) `usage` and the marks change in
 * one transaction, and are then what is in memory; (3) other threads see only what is committed.
 *
 * The bytes of texts are counted, not the pages of the file: the texts that the tenant has sent and that its
 * endpoints have answered. Runs on the writer thread, except st_usage_now. */
#include "store/store_usage.h"
#include "base/alloc.h"
#include "base/check.h"
#include "store/store_count.h"
#include "store/store_state.h"

#define TENANTS_MAX (1u << 20)
#define ENDPOINTS_MAX (1u << 20) /* endpoints whose tenant is known; for others the table is asked again */
#define TAIL_ROWS 10000          /* rows above the marks before the marks are written anew */
#define TAIL_BYTES (32u << 20)

/* ---- tenants ---- */

struct st_usage *st_usage_of(struct st_writer *w, uint64_t tenant)
{
    struct st_usage *u = th_map_get(&w->uses, tenant);
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

int st_usage_add(struct st_writer *w, uint64_t tenant, int64_t bytes, int64_t unfinished)
{
    struct st_usage *u = st_usage_of(w, tenant);

    if (!u)
        return ST_NOMEM;
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
    return ST_OK;
}

bool st_usage_follow(struct st_writer *w, uint64_t tenant, int64_t bytes, int64_t unfinished)
{
    struct st_usage *u = st_usage_of(w, tenant);

    if (!u)
        return false;
    u->bytes += bytes;
    u->unfinished += unfinished;
    if (!u->touched) {
        atomic_store_explicit(&u->shown_bytes, u->bytes, memory_order_relaxed);
        atomic_store_explicit(&u->shown_unfinished, u->unfinished, memory_order_relaxed);
    }
    return true;
}

void st_usage_unknown(struct st_writer *w)
{
    uint64_t no;
    void *value;

    for (size_t i = 0; th_map_next(&w->uses, &i, &no, &value);)
        ((struct st_usage *)value)->noted = -1;
}

int st_usage_tenant(struct st_writer *w, uint64_t endpoint, uint64_t *tenant)
{
    struct st_stmt *st = w->st[ST_W_ENDPOINT_TENANT];
    int rc;

    *tenant = (uint64_t)(uintptr_t)th_map_get(&w->owners, endpoint);
    if (*tenant)
        return ST_OK;
    st_u64(st, 1, endpoint);
    rc = st_step(st);
    if (rc == ST_ROW)
        *tenant = st_col_u64(st, 0);
    st_reset(st);
    if (*tenant && th_map_put(&w->owners, endpoint, (void *)(uintptr_t)*tenant) != TH_OK)
        th_map_fini(&w->owners); /* full or no memory: it is only a cache */
    return rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

int st_usage_delivery(struct st_writer *w, uint64_t endpoint, int64_t bytes, int64_t unfinished)
{
    uint64_t tenant;
    int rc = st_usage_tenant(w, endpoint, &tenant);

    return rc == ST_OK ? st_usage_add(w, tenant, bytes, unfinished) : rc;
}

/* ---- transactions ---- */

static int note_tenant(struct st_writer *w, struct st_usage *u)
{
    struct st_stmt *st = w->st[u->bytes ? ST_W_USAGE_PUT : ST_W_USAGE_DEL];

    st_u64(st, 1, u->tenant);
    if (u->bytes)
        st_i64(st, 2, u->bytes);
    return st_run(st);
}

static int note_mark(struct st_writer *w, const char *name, uint64_t upto)
{
    struct st_stmt *st = w->st[ST_W_COUNTER];

    st_text(st, 1, th_str(name));
    st_u64(st, 2, upto);
    return st_run(st);
}

int st_usage_write(struct st_writer *w)
{
    uint64_t no;
    void *value;
    int rc = ST_OK;

    if (!w->use_note && w->tail_rows < TAIL_ROWS && w->tail_bytes < TAIL_BYTES)
        return ST_OK;
    for (size_t i = 0; rc == ST_OK && th_map_next(&w->uses, &i, &no, &value);) {
        struct st_usage *u = value;
        if (u->bytes != u->noted)
            rc = note_tenant(w, u);
    }
    if (rc == ST_OK)
        rc = note_mark(w, "use_event", w->next.event - 1);
    if (rc == ST_OK)
        rc = note_mark(w, "use_attempt", w->next.attempt - 1);
    w->use_noted = rc == ST_OK;
    return rc;
}

/** Forgets what could be undone; with commit, shows it to the others. */
static void end(struct st_writer *w, bool commit)
{
    while (w->touched) {
        struct st_usage *u = w->touched;
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

void st_usage_committed(struct st_writer *w)
{
    uint64_t no;
    void *value;

    if (w->use_noted) {
        for (size_t i = 0; th_map_next(&w->uses, &i, &no, &value);)
            ((struct st_usage *)value)->noted = ((struct st_usage *)value)->bytes;
        w->tail_rows = w->tail_bytes = 0;
    }
    end(w, true);
}

void st_usage_undone(struct st_writer *w)
{
    end(w, false);
    th_map_fini(&w->owners);
}

/* ---- the start ---- */

/** Adds up the bytes of rows (tenant, bytes, how many rows it is of). */
static int add_bytes(struct st_writer *w, struct st_stmt *st, bool noted)
{
    int rc;

    while ((rc = st_step(st)) == ST_ROW) {
        struct st_usage *u = st_usage_of(w, st_col_u64(st, 0));
        if (!u)
            return ST_NOMEM;
        u->bytes += st_col_i64(st, 1);
        if (noted)
            u->noted = u->bytes;
        else
            w->tail_bytes += st_col_u64(st, 1);
        w->tail_rows += st_col_u64(st, 2);
    }
    return rc == ST_DONE ? ST_OK : rc;
}

/** Adds rows (endpoint, how many of its deliveries wait). */
static int add_queue(struct st_writer *w, struct st_stmt *st)
{
    uint64_t last = 0, tenant;
    struct st_usage *u = NULL;
    int rc;

    while ((rc = st_step(st)) == ST_ROW) {
        if (!u || st_col_u64(st, 0) != last) {
            last = st_col_u64(st, 0);
            rc = st_usage_tenant(w, last, &tenant);
            u = rc == ST_OK ? st_usage_of(w, tenant) : NULL;
            if (!u)
                return rc == ST_OK ? ST_NOMEM : rc;
        }
        u->unfinished += st_col_i64(st, 1);
        w->next.queued += st_col_u64(st, 1);
    }
    return rc == ST_DONE ? ST_OK : rc;
}

/** Adds rows (tenant, first delivery, how many) of deliveries that are numbered but not queued. */
static int add_fans(struct st_writer *w, struct st_stmt *st)
{
    int rc;

    while ((rc = st_step(st)) == ST_ROW) {
        struct st_usage *u = st_usage_of(w, st_col_u64(st, 0));
        uint32_t queued = 0;
        if (!u)
            return ST_NOMEM;
        rc = st_count_range(w, st_col_u64(st, 1), st_col_u64(st, 2), &queued);
        if (rc != ST_OK)
            return rc;
        u->unfinished += (int64_t)(st_col_u64(st, 2) - queued);
    }
    return rc == ST_DONE ? ST_OK : rc;
}

static int add(struct st_writer *w, enum st_once_statement which)
{
    struct st_stmt *st = NULL;
    int rc = st_prepare(w->db, w->store->texts->once[which], &st);

    if (rc == ST_OK)
        rc = which == ST_O_USAGE_QUEUE  ? add_queue(w, st)
             : which == ST_O_USAGE_FANS ? add_fans(w, st)
                                        : add_bytes(w, st, which == ST_O_USAGE);
    st_finalize(st);
    return rc;
}

int st_usage_open(struct st_writer *w)
{
    uint64_t no;
    void *value;
    int rc = ST_OK;

    th_map_init(&w->uses, TENANTS_MAX, 0x9e3779b97f4a7c15u);
    th_map_init(&w->owners, ENDPOINTS_MAX, 0x9e3779b97f4a7c15u);
    for (int which = ST_O_USAGE; rc == ST_OK && which <= ST_O_USAGE_FANS; which++)
        rc = add(w, (enum st_once_statement)which);
    for (size_t i = 0; rc == ST_OK && th_map_next(&w->uses, &i, &no, &value);) {
        struct st_usage *u = value;
        atomic_store_explicit(&u->shown_bytes, u->bytes, memory_order_relaxed);
        atomic_store_explicit(&u->shown_unfinished, u->unfinished, memory_order_relaxed);
    }
    return rc;
}

void st_usage_close(struct st_writer *w)
{
    uint64_t no;
    void *value;

    for (size_t i = 0; th_map_next(&w->uses, &i, &no, &value);)
        th_free(value);
    th_map_fini(&w->uses);
    th_map_fini(&w->owners);
}

/* ---- other threads ---- */

void st_usage_now(struct th_store *store, uint64_t tenant, struct th_usage *out)
{
    struct st_store *s = (struct st_store *)store;
    const struct st_usage *u;

    *out = (struct th_usage){0};
    pthread_mutex_lock(&s->use_lock);
    u = th_map_get(&s->writer.uses, tenant);
    pthread_mutex_unlock(&s->use_lock);
    if (!u)
        return;
    out->bytes = atomic_load_explicit(&u->shown_bytes, memory_order_relaxed);
    out->unfinished = atomic_load_explicit(&u->shown_unfinished, memory_order_relaxed);
}
