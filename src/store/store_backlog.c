/* The backlog of the past: how many deliveries waited, by minute, hour and day.
 *
 * A number that rises and falls cannot be summed up like attempts (store_roll.c), so each step has the last number that was noted in it, and
 * the largest. What is noted goes into the rows of its minute, its hour and its day at once, and rows that are too old go with the same
 * operation: no row has to be made coarser later. A tenant has a row while some of its deliveries wait; where all have one and the
 * tenant has none, nothing of it waited, unless the row of all says that tenants were left out whenever it was counted (`cut`).
 *
 * Nobody relies on these rows but charts, so a note that fails is not made up for. */
#include "store/store_backlog.h"
#include "base/check.h"
#include "store/store_roll.h"

enum { LEVELS = 3 };
/* minutes in a step, and for how long steps are kept */
static const int64_t step_of[LEVELS] = {1, 60, 1440}, kept[LEVELS] = {2 * 1440, 31 * 1440, 400 * 1440};

static int64_t start_of(int64_t minute, int64_t step)
{
    return minute - (minute % step + step) % step;
}

static int note_level(struct st_writer *w, const struct th_backlog *op, unsigned level)
{
    struct st_stmt *put = w->st[ST_W_BACKLOG_PUT], *age = w->st[ST_W_BACKLOG_AGE],
                   *none = w->st[ST_W_BACKLOG_NONE];
    int64_t minute = st_roll_minute(op->at.ms), start = start_of(minute, step_of[level]);
    int rc;

    st_u64(age, 1, level);
    st_i64(age, 2, minute - kept[level]);
    rc = st_run(age);
    if (rc == ST_OK && !op->cut) { /* tenants that had a row in this step and have none now */
        st_u64(none, 1, level);
        st_i64(none, 2, start);
        rc = st_run(none);
    }
    for (uint32_t i = 0; rc == ST_OK && i < op->count; i++) {
        st_u64(put, 1, level);
        st_i64(put, 2, start);
        st_u64(put, 3, op->rows[i].tenant);
        st_u64(put, 4, op->rows[i].waiting);
        st_u64(put, 5, op->cut);
        rc = st_run(put);
    }
    return rc;
}

int st_backlog_note(struct st_writer *w, struct th_backlog *op)
{
    int rc = ST_OK;

    op->op.error = op->count && op->count <= 1 + TH_BACKLOG_TENANTS && !op->rows[0].tenant ? TH_OK : TH_BUG;
    for (unsigned level = 0; op->op.error == TH_OK && rc == ST_OK && level < LEVELS; level++)
        rc = note_level(w, op, level);
    return rc;
}

/* One row of the time asked for: that of all comes before a tenant's. */
static void take(struct th_stats *op, struct st_stmt *st)
{
    int64_t ms = st_col_i64(st, 0) * 60000;
    bool is_all = st_col_u64(st, 1) == 0;
    struct th_backlog_step *s = &op->backlog[(ms - op->since) / op->step];

    if (is_all && op->tenant) { /* the tenant's own row, if there is one, comes next */
        if (!st_col_u64(st, 4)) {
            s->known = true;
            s->last = 0;
        }
        return;
    }
    s->known = true;
    s->last = (uint32_t)st_col_u64(st, 2);
    if (st_col_u64(st, 3) > s->most)
        s->most = (uint32_t)st_col_u64(st, 3);
}

int st_backlog_read(struct st_reader *r, struct th_stats *op)
{
    struct st_stmt *st = r->st[ST_R_BACKLOG];
    unsigned level = op->step >= 86400000 ? 2 : op->step >= 3600000 ? 1 : 0;
    int rc;

    TH_CHECK(!op->endpoint && !op->endpoints);
    st_u64(st, 1, level);
    st_i64(st, 2, op->since / 60000);
    st_i64(st, 3, (op->until + 59999) / 60000);
    st_u64(st, 4, op->tenant);
    while ((rc = st_step(st)) == ST_ROW)
        take(op, st);
    st_reset(st);
    return rc == ST_DONE ? ST_OK : rc;
}
