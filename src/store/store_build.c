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
#include "store/store_scan.h"
#include "store/store_state.h"
#include <stdlib.h>

static int by_key(const void *a, const void *b)
{
    const struct sq_pair *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->no < y->no ? -1 : x->no > y->no;
}

static int collect(struct sq_reader *r, struct sq_build *b)
{
    sqlite3_stmt *st = r->st[SQ_R_COLLECT + (int)b->kind];
    uint64_t built, newest, oldest, fan;
    int rc = sq_scan_built(r, b->kind, &built);

    if (rc == SQLITE_OK)
        rc = sq_db_number(r->st[SQ_R_NEWEST + (int)b->kind], &newest);
    if (rc == SQLITE_OK) {
        sq_u64(r->st[SQ_R_OLDEST_FROM + (int)b->kind], 1, built);
        rc = sq_db_number(r->st[SQ_R_OLDEST_FROM + (int)b->kind], &oldest);
    }
    if (rc == SQLITE_OK && b->kind == SQ_RUN_DELIVERY) {
        rc = sq_db_number(r->st[SQ_R_FAN_FIRST], &fan);
        newest = fan && fan < newest ? fan : newest;
    }
    if (rc != SQLITE_OK || !oldest || oldest >> SQ_RUN_SHIFT >= newest >> SQ_RUN_SHIFT)
        return rc;
    b->run = oldest >> SQ_RUN_SHIFT;
    sq_u64(st, 1, b->run << SQ_RUN_SHIFT);
    sq_u64(st, 2, (b->run << SQ_RUN_SHIFT) + SQ_RUN_NUMBERS - 1);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW && b->count < SQ_RUN_NUMBERS)
        b->pairs[b->count++] = (struct sq_pair){sq_col_u64(st, 1), sq_col_u64(st, 0)};
    sqlite3_reset(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    qsort(b->pairs, b->count, sizeof *b->pairs, by_key);
    return SQLITE_OK;
}

void sq_build_collect(struct sq_reader *r, struct sq_build *b)
{
    int rc;

    b->count = b->done = b->slice_end = 0;
    b->op.error = TH_OK;
    if (!b->pairs)
        b->pairs = th_malloc(SQ_RUN_NUMBERS * sizeof *b->pairs);
    if (!b->pairs) {
        b->op.error = TH_NOMEM;
        return;
    }
    rc = sq_db_run(r->st[SQ_R_BEGIN]);
    if (rc == SQLITE_OK)
        rc = collect(r, b);
    b->op.error = sq_db_error(r->db, rc);
    if (!sqlite3_get_autocommit(r->db))
        sq_db_run(r->st[SQ_R_END]);
    if (b->op.error != TH_OK)
        b->count = 0;
}

static int put_run(struct sq_writer *w, const struct sq_build *b, uint32_t from, uint32_t to)
{
    unsigned char *nos = w->run_nos;
    sqlite3_stmt *st = w->st[SQ_W_RUN_PUT];

    for (uint32_t i = from; i < to; i++) {
        uint64_t offset = b->pairs[i].no - (b->run << SQ_RUN_SHIFT);

        TH_CHECK(offset < SQ_RUN_NUMBERS);
        nos[2 * (i - from)] = (unsigned char)offset;
        nos[2 * (i - from) + 1] = (unsigned char)(offset >> 8);
    }
    sq_u64(st, 1, b->kind);
    sq_u64(st, 2, b->run);
    sq_u64(st, 3, b->pairs[from].key);
    sq_u64(st, 4, to - from);
    sq_blob(st, 5, th_span(nos, 2 * (size_t)(to - from)));
    return sq_db_run(st);
}

int sq_build_slice(struct sq_writer *w, struct sq_build *b)
{
    uint32_t from = b->done;
    int rc = SQLITE_OK;

    TH_CHECK(b->done < b->count && b->count <= SQ_RUN_NUMBERS);
    for (int rows = 0; rc == SQLITE_OK && rows < SQ_BUILD_ROWS && from < b->count; rows++) {
        uint32_t to = from + 1;

        while (to < b->count && b->pairs[to].key == b->pairs[from].key)
            to++;
        rc = put_run(w, b, from, to);
        from = to;
    }
    b->slice_end = from; /* becomes `done` with the commit */
    if (rc == SQLITE_OK && from == b->count) {
        sqlite3_stmt *st = w->st[SQ_W_COUNTER];

        sq_text(st, 1, th_str(sq_scan_mark(b->kind)));
        sq_u64(st, 2, (b->run + 1) << SQ_RUN_SHIFT);
        rc = sq_db_run(st);
    }
    return rc;
}

int sq_build_purge(struct sq_writer *w, uint64_t event, uint64_t delivery, uint64_t attempt)
{
    const uint64_t below[SQ_RUN_KINDS] = {event, delivery, attempt};
    sqlite3_stmt *oldest = w->st[SQ_W_RUN_OLDEST], *del = w->st[SQ_W_RUN_DEL];

    for (int kind = 0; kind < SQ_RUN_KINDS; kind++) {
        uint64_t run;
        int rc;

        sq_u64(oldest, 1, (uint64_t)kind);
        rc = sq_db_number(oldest, &run);
        if (rc == SQLITE_OK && run && run < below[kind] >> SQ_RUN_SHIFT) {
            sq_u64(del, 1, (uint64_t)kind);
            sq_u64(del, 2, run);
            rc = sq_db_run(del);
        }
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

/* ---- reader collects, writer writes, until nothing is left ---- */

static void request(struct sq_store *s, int kind)
{
    struct sq_build *b = &s->builds[kind];
    bool start;

    pthread_mutex_lock(&s->lock);
    start = !b->busy && !s->stop;
    b->again = b->busy;
    b->busy = b->busy || start;
    pthread_mutex_unlock(&s->lock);
    if (start)
        sq_exchange_read(&s->readers[2], &b->op);
}

void sq_build_idle(struct sq_store *s, struct sq_build *b)
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
void sq_build_step(struct sq_store *s, struct sq_build *b)
{
    bool stop;

    pthread_mutex_lock(&s->lock);
    stop = s->stop;
    pthread_mutex_unlock(&s->lock);
    if (b->op.error != TH_OK || stop) {
        b->again = false;
        sq_build_idle(s, b);
        return;
    }
    b->done = b->slice_end;
    if (b->done < b->count)
        sq_exchange_write(s, &b->op);
    else
        sq_exchange_read(&s->readers[2], &b->op);
}

void sq_build_requests(struct sq_store *s)
{
    const uint64_t next[SQ_RUN_KINDS] = {s->writer.next.event, s->writer.next.delivery,
                                         s->writer.next.attempt};

    if (s->writer.fanout_ended)
        s->runs_seen[SQ_RUN_DELIVERY] = 0;
    s->writer.fanout_ended = false;
    for (int kind = 0; kind < SQ_RUN_KINDS; kind++)
        if (next[kind] >> SQ_RUN_SHIFT != s->runs_seen[kind]) {
            s->runs_seen[kind] = next[kind] >> SQ_RUN_SHIFT;
            request(s, kind);
        }
}
