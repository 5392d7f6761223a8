/* Sorted runs: lists per endpoint and per tenant without an index on the hot tables.
 *
 * Why: an index over (endpoint, number) makes every insert touch a page of its own, and with millions of rows
 * costs more than everything else together. Numbers grow, so 16,384 consecutive ones (a run) never change
 * their keys once they are past. A run is read once, sorted by key, and written as one row per key with its
 * numbers as 16-bit offsets: always at the end of the table, in slices beside other commits. What no run
 * holds yet is short enough to be scanned.
 *
 * Invariants: (1) `counter` 'sealed.*' is the first number that no run holds, and moves in the commit of a
 * run's last slice, so a half-written run does not count and is written again; (2) only runs below the newest
 * number's are built, since numbers grow in commit order, and of deliveries only those below the first
 * number of a fan-out that has not ended; (3) a number in a run may be gone (retention),
 * never the other way round.
 *
 * Collecting runs on a reader thread, slices on the writer thread; lists read them by store_scan.c. A run that cannot be
 * written for lack of room is tried again with the next one. */
#include "store/store_build.h"
#include "base/alloc.h"
#include "base/check.h"
#include "store/store_exchange.h"
#include "store/store_roll.h"
#include "store/store_scan.h"
#include "store/store_state.h"
#include <stdlib.h>

static int by_key(const void *a, const void *b)
{
    const struct st_pair *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->no < y->no ? -1 : x->no > y->no;
}

static int collect(struct st_reader *r, struct st_build *b)
{
    struct st_stmt *st = r->st[ST_R_COLLECT + (int)b->kind];
    uint64_t built, newest, oldest, fan;
    int rc = st_scan_built(r, b->kind, &built);

    if (rc == ST_OK)
        rc = st_number(r->st[ST_R_NEWEST + (int)b->kind], &newest);
    if (rc == ST_OK) {
        st_u64(r->st[ST_R_OLDEST_FROM + (int)b->kind], 1, built);
        rc = st_number(r->st[ST_R_OLDEST_FROM + (int)b->kind], &oldest);
    }
    if (rc == ST_OK && b->kind == ST_RUN_DELIVERY) {
        rc = st_number(r->st[ST_R_FAN_FIRST], &fan);
        newest = fan && fan < newest ? fan : newest;
    }
    if (rc != ST_OK || !oldest || oldest >> ST_RUN_SHIFT >= newest >> ST_RUN_SHIFT)
        return rc;
    b->run = oldest >> ST_RUN_SHIFT;
    st_u64(st, 1, b->run << ST_RUN_SHIFT);
    st_u64(st, 2, (b->run << ST_RUN_SHIFT) + ST_RUN_NUMBERS - 1);
    while ((rc = st_step(st)) == ST_ROW && b->count < ST_RUN_NUMBERS) {
        b->pairs[b->count++] = (struct st_pair){st_col_u64(st, 1), st_col_u64(st, 0)};
        if (b->kind == ST_RUN_ATTEMPT && st_roll_sample(b, st) != ST_OK) {
            st_reset(st);
            return ST_NOMEM;
        }
    }
    st_reset(st);
    if (rc != ST_ROW && rc != ST_DONE)
        return rc;
    qsort(b->pairs, b->count, sizeof *b->pairs, by_key);
    return b->kind == ST_RUN_ATTEMPT ? st_roll_collect(r, b) : ST_OK;
}

void st_build_collect(struct st_reader *r, struct st_build *b)
{
    int rc;

    b->count = b->done = b->slice_end = 0;
    b->sample_count = b->roll_count = b->roll_done = b->roll_end = 0;
    b->lost = false;
    th_buf_reset(&b->values);
    b->op.error = TH_OK;
    if (!b->pairs)
        b->pairs = th_malloc(ST_RUN_NUMBERS * sizeof *b->pairs);
    if (!b->pairs) {
        b->op.error = TH_NOMEM;
        return;
    }
    rc = st_run(r->st[ST_R_BEGIN]);
    if (rc == ST_OK)
        rc = collect(r, b);
    b->op.error = st_error(r->db, rc);
    if (st_in_transaction(r->db))
        st_run(r->st[ST_R_END]);
    if (b->op.error != TH_OK)
        b->count = 0;
}

static int put_run(struct st_writer *w, const struct st_build *b, uint32_t from, uint32_t to)
{
    unsigned char *nos = w->run_nos;
    struct st_stmt *st = w->st[ST_W_RUN_PUT];

    for (uint32_t i = from; i < to; i++) {
        uint64_t offset = b->pairs[i].no - (b->run << ST_RUN_SHIFT);

        TH_CHECK(offset < ST_RUN_NUMBERS);
        nos[2 * (i - from)] = (unsigned char)offset;
        nos[2 * (i - from) + 1] = (unsigned char)(offset >> 8);
    }
    st_u64(st, 1, b->kind);
    st_u64(st, 2, b->run);
    st_u64(st, 3, b->pairs[from].key);
    st_u64(st, 4, to - from);
    st_blob(st, 5, th_span(nos, 2 * (size_t)(to - from)));
    return st_run(st);
}

static bool is_whole(const struct st_build *b)
{
    return b->done == b->count && b->roll_done == b->roll_count;
}

static int put_rows(struct st_writer *w, struct st_build *b)
{
    uint32_t from = b->done;
    int rc = ST_OK;

    for (int rows = 0; rc == ST_OK && rows < ST_BUILD_ROWS && from < b->count; rows++) {
        uint32_t to = from + 1;

        while (to < b->count && b->pairs[to].key == b->pairs[from].key)
            to++;
        rc = put_run(w, b, from, to);
        from = to;
    }
    b->slice_end = from;
    return rc;
}

int st_build_slice(struct st_writer *w, struct st_build *b)
{
    int rc;

    TH_CHECK(!is_whole(b) && b->count <= ST_RUN_NUMBERS);
    b->slice_end = b->done; /* becomes `done` with the commit, as roll_end becomes roll_done */
    b->roll_end = b->roll_done;
    rc = b->done < b->count ? put_rows(w, b) : st_roll_slice(w, b);
    if (rc == ST_OK && !b->lost && b->slice_end == b->count && b->roll_end == b->roll_count) {
        struct st_stmt *st = w->st[ST_W_COUNTER];

        st_text(st, 1, th_str(st_scan_mark(b->kind)));
        st_u64(st, 2, (b->run + 1) << ST_RUN_SHIFT);
        rc = st_run(st);
    }
    return rc;
}

int st_build_purge(struct st_writer *w, uint64_t event, uint64_t delivery, uint64_t attempt)
{
    const uint64_t below[ST_RUN_KINDS] = {event, delivery, attempt};
    struct st_stmt *oldest = w->st[ST_W_RUN_OLDEST], *del = w->st[ST_W_RUN_DEL];

    for (int kind = 0; kind < ST_RUN_KINDS; kind++) {
        uint64_t run;
        int rc;

        st_u64(oldest, 1, (uint64_t)kind);
        rc = st_number(oldest, &run);
        if (rc == ST_OK && run && run < below[kind] >> ST_RUN_SHIFT) {
            st_u64(del, 1, (uint64_t)kind);
            st_u64(del, 2, run);
            rc = st_run(del);
        }
        if (rc != ST_OK)
            return rc;
    }
    return ST_OK;
}

/* ---- reader collects, writer writes, until nothing is left ---- */

static void request(struct st_store *s, int kind)
{
    struct st_build *b = &s->builds[kind];
    bool start;

    pthread_mutex_lock(&s->lock);
    start = !b->busy && !s->stop;
    b->again = b->busy;
    b->busy = b->busy || start;
    pthread_mutex_unlock(&s->lock);
    if (start)
        st_exchange_read(&s->readers[2], &b->op);
}

void st_build_idle(struct st_store *s, struct st_build *b)
{
    bool again;

    pthread_mutex_lock(&s->lock);
    again = b->again;
    b->busy = b->again = false;
    pthread_mutex_unlock(&s->lock);
    if (again)
        request(s, (int)b->kind);
}

/** After a slice was committed, or was not. */
void st_build_step(struct st_store *s, struct st_build *b)
{
    bool stop;

    pthread_mutex_lock(&s->lock);
    stop = s->stop;
    pthread_mutex_unlock(&s->lock);
    if (b->op.error != TH_OK || stop) {
        b->again = false;
        st_build_idle(s, b);
        return;
    }
    b->rolled += b->roll_end > b->roll_done;
    b->done = b->slice_end;
    b->roll_done = b->roll_end;
    if (!is_whole(b) && !b->lost)
        st_exchange_write(s, &b->op);
    else
        st_exchange_read(&s->readers[2], &b->op);
}

void st_build_requests(struct st_store *s)
{
    const uint64_t next[ST_RUN_KINDS] = {s->writer.next.event, s->writer.next.delivery,
                                         s->writer.next.attempt};

    if (s->writer.fanout_ended)
        s->runs_seen[ST_RUN_DELIVERY] = 0;
    s->writer.fanout_ended = false;
    for (int kind = 0; kind < ST_RUN_KINDS; kind++)
        if (next[kind] >> ST_RUN_SHIFT != s->runs_seen[kind]) {
            s->runs_seen[kind] = next[kind] >> ST_RUN_SHIFT;
            request(s, kind);
        }
}
