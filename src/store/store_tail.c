/* The attempts that are in no rollup yet, in memory.
 *
 * Why: statistics add up to two runs of attempts to the rollups. Each page that shows charts asks for them, and reading 32,768 rows with the
 * answers that stand beside them took most of its time, and seconds where they had to come from the disk. An attempt that is committed is not
 * changed in what counts here, so what was read stays true, and only newer ones are read.
 *
 * Invariants: (1) when attempts above the mark are deleted, or a run is summed up, the counter `rolled` rises in the same transaction, and
 * all is read anew. (2) an attempt that is committed later has a higher number. Owner: the reader; a read that fails forgets. */
#include "store/store_tail.h"
#include "base/alloc.h"
#include "store/store_scan.h"
#include <string.h>

void st_tail_forget(struct st_reader *r)
{
    if (r->tail_of_attempts)
        th_free(r->tail_of_attempts->v);
    th_free(r->tail_of_attempts);
    r->tail_of_attempts = NULL;
}

static void drop_first(struct st_tail *t, uint32_t n)
{
    memmove(t->v, t->v + n, (t->n - n) * sizeof *t->v);
    t->n -= n;
}

/* What is newer, from the newest on: behind the others, and turned round. */
static int read_newer(struct st_reader *r, struct st_tail *t, uint64_t from)
{
    struct st_stmt *st = r->st[ST_R_ROLL_TAIL];
    uint32_t first = t->n, n = 0;
    int rc;

    st_u64(st, 1, (uint64_t)INT64_MAX);
    st_u64(st, 2, from);
    while ((rc = st_step(st)) == ST_ROW && n < ST_TAIL_MOST)
        st_roll_attempt(st, &t->v[first + n++]);
    st_reset(st);
    if (rc != ST_ROW && rc != ST_DONE)
        return rc;
    for (uint32_t i = 0; i < n / 2; i++) {
        struct st_roll_attempt a = t->v[first + i];

        t->v[first + i] = t->v[first + n - 1 - i];
        t->v[first + n - 1 - i] = a;
    }
    t->n += n;
    if (rc ==
        ST_ROW) { /* so many are new that those before them are not needed, and some between were not read */
        drop_first(t, first);
        t->cut = true;
    } else if (t->n > ST_TAIL_MOST) {
        drop_first(t, t->n - ST_TAIL_MOST);
        t->cut = true;
    }
    if (n)
        t->next = t->v[t->n - 1].no + 1;
    return ST_OK;
}

static int bring_up(struct st_reader *r, struct st_tail *t, uint64_t built)
{
    uint64_t rolled;
    uint32_t old = 0;
    int rc;

    st_text(r->st[ST_R_BUILT], 1, TH_LIT(ST_ROLLED));
    rc = st_number(r->st[ST_R_BUILT], &rolled);
    if (rc != ST_OK)
        return rc;
    if (rolled != t->rolled) {
        t->n = 0;
        t->next = 0;
        t->cut = false;
        t->rolled = rolled;
    }
    while (old < t->n && t->v[old].no < built)
        old++;
    if (old) {
        drop_first(t, old);
        t->cut = false; /* what was cut is below the mark now */
    }
    return read_newer(r, t, t->next > built ? t->next : built);
}

int st_tail_read(struct st_reader *r, uint64_t built, struct st_tail **tail)
{
    struct st_tail *t = r->tail_of_attempts;
    int rc;

    if (!t) {
        t = r->tail_of_attempts = th_calloc(1, sizeof *t);
        if (t)
            t->v = th_malloc((size_t)2 * ST_TAIL_MOST * sizeof *t->v);
        if (!t || !t->v)
            return ST_NOMEM;
    }
    rc = bring_up(r, t, built);
    *tail = t;
    return rc;
}
