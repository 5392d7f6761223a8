/* Counts the deliveries that wait for each endpoint, in memory, in addition to the table `queue`.
 *
 * Why: counting the rows of one endpoint would read its whole backlog, and a table of counts would be one more page for every
 * delivery. The writer makes each change of `queue`, so it keeps the counts: one map entry for each endpoint.
 *
 * Invariant: the map equals what `queue` has, as the open transaction sees it. Each change is noted until the
 * transaction ends, and taken back when it is rolled back. Tests are not counted.
 *
 * Runs on the writer thread, and at opening. */
#include "store/store_count.h"
#include "base/alloc.h"
#include "base/check.h"
#include "store/store_state.h"

/* fresh in the upper, again in the lower half; the highest bit says that there is an entry */
#define THERE ((uint64_t)1 << 63)
#define FRESH ((uint64_t)1 << 32)

static uint64_t get(const struct st_writer *w, uint64_t endpoint)
{
    return (uint64_t)(uintptr_t)th_map_get(&w->waiting, endpoint) & ~THERE;
}

static enum th_error put(struct st_writer *w, uint64_t endpoint, uint64_t value)
{
    return th_map_put(&w->waiting, endpoint, (void *)(uintptr_t)(value | THERE));
}

int st_count_add(struct st_writer *w, uint64_t endpoint, uint64_t lane, bool again, int by)
{
    uint64_t change = (again ? 1 : FRESH) * (uint64_t)(int64_t)by;

    if (lane == TH_LANE_TEST)
        return ST_OK;
    TH_CHECK(by > 0 || (again ? get(w, endpoint) & (FRESH - 1) : get(w, endpoint) / FRESH) >= (uint64_t)-by);
    if (w->change_count == w->change_cap) {
        uint32_t cap = w->change_cap ? w->change_cap * 2 : 1024;
        struct st_change *v = th_realloc(w->changes, cap * sizeof *v);

        if (!v)
            return ST_NOMEM;
        w->changes = v;
        w->change_cap = cap;
    }
    if (put(w, endpoint, get(w, endpoint) + change) != TH_OK)
        return ST_NOMEM;
    w->changes[w->change_count++] = (struct st_change){endpoint, change};
    return ST_OK;
}

void st_count_end(struct st_writer *w, bool committed)
{
    while (!committed && w->change_count) {
        const struct st_change *c = &w->changes[--w->change_count];
        (void)put(w, c->endpoint, get(w, c->endpoint) - c->by); /* the entry is there: needs no memory */
    }
    w->change_count = 0;
    if (w->change_cap > 65536) {
        th_free(w->changes);
        w->changes = NULL;
        w->change_cap = 0;
    }
}

bool st_count_follow(struct st_writer *w, uint64_t endpoint, uint64_t by)
{
    return put(w, endpoint, (get(w, endpoint) + by) & ~THERE) == TH_OK;
}

int st_count_load(struct st_writer *w)
{
    struct st_stmt *st = NULL;
    int rc = st_prepare(w->db, w->store->texts->once[ST_O_WAITING], &st);

    th_map_init(&w->waiting, 1u << 24, 0x9e3779b97f4a7c15u);
    while (rc == ST_OK && (rc = st_step(st)) == ST_ROW) {
        rc = st_count_add(w, st_col_u64(st, 0), st_col_u64(st, 1), st_col_u64(st, 2) != 0,
                          (int)st_col_i64(st, 3));
        if (w->change_count == 60000)
            st_count_end(w, true);
    }
    st_finalize(st);
    st_count_end(w, true);
    return rc == ST_DONE ? ST_OK : rc;
}

void st_count_fini(struct st_writer *w)
{
    th_map_fini(&w->waiting);
    th_free(w->changes);
    w->changes = NULL;
    w->change_count = w->change_cap = 0;
}

int st_count(struct st_writer *w, struct th_counts *c)
{
    c->op.error = c->count <= 1000 ? TH_OK : TH_BUG;
    for (uint32_t i = 0; c->op.error == TH_OK && i < c->count; i++) {
        uint64_t v = get(w, c->endpoints[i]);

        c->waiting[i] = (struct th_waiting){(uint32_t)(v >> 32), (uint32_t)v};
    }
    return ST_OK;
}

/** How many deliveries of a range are, or were, queued. */
int st_count_range(struct st_writer *w, uint64_t first, uint64_t n, uint32_t *queued)
{
    struct st_stmt *st = w->st[ST_W_FAN_QUEUED];
    uint64_t newest;
    int rc;

    st_u64(st, 1, first);
    st_u64(st, 2, first + n);
    rc = st_number(st, &newest);
    *queued = (uint32_t)(newest + 1 - first);
    return rc;
}
