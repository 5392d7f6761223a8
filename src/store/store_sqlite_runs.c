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
 * Collecting runs on a reader thread, slices on the writer thread, scans on the readers. A run that cannot be
 * written for lack of room is tried again with the next one. */
#include "store/store_sqlite_int.h"
#include <stdlib.h>

const char *const sq_built_name[SQ_RUN_KINDS] = {"sealed.event", "sealed.delivery", "sealed.attempt"};

void sq_budget_start(struct sq_budget *b)
{
    *b = (struct sq_budget){.max = SQ_ROWS_PER_READ, .deadline_ms = sq_now_ms() + SQ_MS_PER_READ};
}

bool sq_budget_spent(struct sq_budget *b)
{
    b->examined++;
    /* the first row is always allowed, so that every call gets on */
    return b->examined > b->max || (b->examined % 256 == 0 && sq_now_ms() > b->deadline_ms);
}

int sq_built(struct sq_reader *r, enum sq_run_kind kind, uint64_t *from)
{
    sqlite3_stmt *st = r->st[SQ_R_ENCRYPTED];
    int rc;

    sq_text(st, 1, th_str(sq_built_name[kind]));
    rc = sqlite3_step(st);
    *from = rc == SQLITE_ROW ? sq_col_u64(st, 0) : 0;
    sqlite3_reset(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- collecting ---- */

static int by_key(const void *a, const void *b)
{
    const struct sq_pair *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->no < y->no ? -1 : x->no > y->no;
}

static int one_number(sqlite3_stmt *st, uint64_t *out)
{
    int rc = sqlite3_step(st);

    *out = rc == SQLITE_ROW ? sq_col_u64(st, 0) : 0;
    sqlite3_reset(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int collect(struct sq_reader *r, struct sq_run *encrypt)
{
    sqlite3_stmt *st = r->st[SQ_R_COLLECT + (int)encrypt->kind];
    uint64_t encrypted, newest, oldest, fan;
    int rc = sq_built(r, encrypt->kind, &encrypted);

    if (rc == SQLITE_OK)
        rc = one_number(r->st[SQ_R_NEWEST + (int)encrypt->kind], &newest);
    if (rc == SQLITE_OK) {
        sq_u64(r->st[SQ_R_OLDEST_FROM + (int)encrypt->kind], 1, encrypted);
        rc = one_number(r->st[SQ_R_OLDEST_FROM + (int)encrypt->kind], &oldest);
    }
    if (rc == SQLITE_OK && encrypt->kind == SQ_RUN_DELIVERY) {
        rc = one_number(r->st[SQ_R_FAN_FIRST], &fan);
        newest = fan && fan < newest ? fan : newest;
    }
    if (rc != SQLITE_OK || !oldest || oldest >> SQ_RUN_SHIFT >= newest >> SQ_RUN_SHIFT)
        return rc;
    encrypt->run = oldest >> SQ_RUN_SHIFT;
    sq_u64(st, 1, encrypt->run << SQ_RUN_SHIFT);
    sq_u64(st, 2, (encrypt->run << SQ_RUN_SHIFT) + SQ_RUN_NUMBERS - 1);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW && encrypt->count < SQ_RUN_NUMBERS)
        encrypt->pairs[encrypt->count++] = (struct sq_pair){sq_col_u64(st, 1), sq_col_u64(st, 0)};
    sqlite3_reset(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    qsort(encrypt->pairs, encrypt->count, sizeof *encrypt->pairs, by_key);
    return SQLITE_OK;
}

void sq_run_collect(struct sq_reader *r, struct sq_run *encrypt)
{
    int rc;

    encrypt->count = encrypt->done = encrypt->slice_end = 0;
    encrypt->op.error = TH_OK;
    if (!encrypt->pairs)
        encrypt->pairs = th_malloc(SQ_RUN_NUMBERS * sizeof *encrypt->pairs);
    if (!encrypt->pairs) {
        encrypt->op.error = TH_NOMEM;
        return;
    }
    rc = sq_run(r->st[SQ_R_BEGIN]);
    if (rc == SQLITE_OK)
        rc = collect(r, encrypt);
    encrypt->op.error = sq_error(r->db, rc);
    if (!sqlite3_get_autocommit(r->db))
        sq_run(r->st[SQ_R_END]);
    if (encrypt->op.error != TH_OK)
        encrypt->count = 0;
}

/* ---- writing ---- */

static int put_run(struct sq_writer *w, const struct sq_run *encrypt, uint32_t from, uint32_t to)
{
    unsigned char *nos = w->run_nos;
    sqlite3_stmt *st = w->st[SQ_W_RUN_PUT];

    for (uint32_t i = from; i < to; i++) {
        uint64_t offset = encrypt->pairs[i].no - (encrypt->run << SQ_RUN_SHIFT);

        nos[2 * (i - from)] = (unsigned char)offset;
        nos[2 * (i - from) + 1] = (unsigned char)(offset >> 8);
    }
    sq_u64(st, 1, encrypt->kind);
    sq_u64(st, 2, encrypt->run);
    sq_u64(st, 3, encrypt->pairs[from].key);
    sq_u64(st, 4, to - from);
    sq_blob(st, 5, th_span(nos, 2 * (size_t)(to - from)));
    return sq_run(st);
}

int sq_run_slice(struct sq_writer *w, struct sq_run *encrypt)
{
    uint32_t from = encrypt->done;
    int rc = SQLITE_OK;

    for (int rows = 0; rc == SQLITE_OK && rows < SQ_RUN_ROWS && from < encrypt->count; rows++) {
        uint32_t to = from + 1;

        while (to < encrypt->count && encrypt->pairs[to].key == encrypt->pairs[from].key)
            to++;
        rc = put_run(w, encrypt, from, to);
        from = to;
    }
    encrypt->slice_end = from; /* becomes `done` with the commit */
    if (rc == SQLITE_OK && from == encrypt->count) {
        sqlite3_stmt *st = w->st[SQ_W_COUNTER];

        sq_text(st, 1, th_str(sq_built_name[encrypt->kind]));
        sq_u64(st, 2, (encrypt->run + 1) << SQ_RUN_SHIFT);
        rc = sq_run(st);
    }
    return rc;
}

int sq_runs_purge(struct sq_writer *w, uint64_t event, uint64_t delivery, uint64_t attempt)
{
    const uint64_t below[SQ_RUN_KINDS] = {event, delivery, attempt};
    sqlite3_stmt *oldest = w->st[SQ_W_RUN_OLDEST], *del = w->st[SQ_W_RUN_DEL];

    for (int kind = 0; kind < SQ_RUN_KINDS; kind++) {
        uint64_t run;
        int rc;

        sq_u64(oldest, 1, (uint64_t)kind);
        rc = one_number(oldest, &run);
        if (rc == SQLITE_OK && run && run < below[kind] >> SQ_RUN_SHIFT) {
            sq_u64(del, 1, (uint64_t)kind);
            sq_u64(del, 2, run);
            rc = sq_run(del);
        }
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

/* ---- scanning ---- */

void sq_scan_start(struct sq_scan *s, struct sq_reader *r, enum sq_run_kind kind, uint64_t key,
                   uint64_t before, uint64_t floor)
{
    *s = (struct sq_scan){.r = r, .kind = kind, .key = key, .floor = floor};
    s->pos = before && before < (uint64_t)INT64_MAX ? before : (uint64_t)INT64_MAX;
}

void sq_scan_end(struct sq_scan *s)
{
    for (int i = 0; i < 2; i++)
        if (s->side[i])
            sqlite3_reset(s->side[i]);
    if (s->r)
        sqlite3_reset(s->r->st[SQ_R_RUN]);
    s->side[0] = s->side[1] = NULL;
    s->has[0] = s->has[1] = false;
    s->left = 0;
    s->phase = SQ_SCAN_END;
}

static int step_side(struct sq_scan *s, int i)
{
    int rc = sqlite3_step(s->side[i]);

    s->has[i] = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int open_tail(struct sq_scan *s)
{
    int rc = sq_built(s->r, s->kind, &s->encrypted);
    uint64_t low = s->key && s->encrypted > s->floor ? s->encrypted : s->floor;

    s->side[0] = s->r->st[SQ_R_DOWN_A + (int)s->kind];
    s->side[1] = s->kind == SQ_RUN_DELIVERY ? s->r->st[SQ_R_DOWN_B + (int)s->kind] : NULL;
    for (int i = 0; rc == SQLITE_OK && i < 2 && s->side[i]; i++) {
        sq_u64(s->side[i], 1, s->pos);
        sq_u64(s->side[i], 2, low);
        rc = step_side(s, i);
    }
    s->phase = SQ_SCAN_TAIL;
    return rc;
}

/** The next number of the tail with the key; false at its end, when spent, or on an error. */
static bool tail_next(struct sq_scan *s, struct sq_budget *budget, uint64_t *no, bool *spent, int *rc)
{
    while (s->has[0] || s->has[1]) {
        int i = !s->has[0] || (s->has[1] && sq_col_u64(s->side[1], 0) > sq_col_u64(s->side[0], 0));
        uint64_t key = sq_col_u64(s->side[i], 1);

        *no = sq_col_u64(s->side[i], 0);
        if (sq_budget_spent(budget)) {
            *spent = true;
            return false;
        }
        s->pos = *no;
        *rc = step_side(s, i);
        if (*rc != SQLITE_OK)
            return false;
        if (!s->key || key == s->key)
            return true;
    }
    return false;
}

/** Opens the newest run below the position that is not below the floor. False: there is none. */
static bool open_run(struct sq_scan *s, int *rc)
{
    sqlite3_stmt *below = s->r->st[SQ_R_RUN_BELOW], *get = s->r->st[SQ_R_RUN];
    struct th_span nos = {"", 0};

    sqlite3_reset(get);
    if (s->pos <= s->floor || s->pos == 0)
        return false;
    sq_u64(below, 1, s->kind);
    sq_u64(below, 2, (s->pos - 1) >> SQ_RUN_SHIFT);
    *rc = one_number(below, &s->run);
    if (*rc != SQLITE_OK || !s->run || ((s->run + 1) << SQ_RUN_SHIFT) <= s->floor)
        return false;
    sq_u64(get, 1, s->kind);
    sq_u64(get, 2, s->run);
    sq_u64(get, 3, s->key);
    *rc = sqlite3_step(get);
    if (*rc == SQLITE_ROW)
        nos = sq_col(get, 1);
    if (*rc != SQLITE_ROW && *rc != SQLITE_DONE)
        return false;
    *rc = SQLITE_OK;
    s->nos = (const unsigned char *)nos.p;
    s->left = (uint32_t)(nos.n / 2);
    return true;
}

static bool runs_next(struct sq_scan *s, struct sq_budget *budget, uint64_t *no, bool *spent, int *rc)
{
    for (;;) {
        while (s->left) {
            uint32_t i = s->left - 1;

            *no = s->run << SQ_RUN_SHIFT | s->nos[2 * i] | (uint64_t)s->nos[2 * i + 1] << 8;
            if (*no >= s->pos) { /* above where this scan began */
                s->left--;
                continue;
            }
            if (*no < s->floor)
                return false;
            if (sq_budget_spent(budget)) {
                *spent = true;
                return false;
            }
            s->left--;
            s->pos = *no;
            return true;
        }
        if (s->run && s->pos > s->run << SQ_RUN_SHIFT)
            s->pos = s->run << SQ_RUN_SHIFT;
        if (sq_budget_spent(budget)) {
            *spent = true;
            return false;
        }
        if (!open_run(s, rc))
            return false;
    }
}

enum sq_next sq_scan_next(struct sq_scan *s, struct sq_budget *budget, uint64_t *no, int *rc)
{
    bool spent = false;

    *rc = SQLITE_OK;
    if (s->phase == SQ_SCAN_NEW)
        *rc = open_tail(s);
    if (*rc == SQLITE_OK && s->phase == SQ_SCAN_TAIL) {
        if (tail_next(s, budget, no, &spent, rc))
            return SQ_NEXT_ONE;
        if (*rc == SQLITE_OK && !spent) {
            s->phase = s->key && s->encrypted ? SQ_SCAN_RUNS : SQ_SCAN_END;
            /* a half-written run at or above the boundary does not count */
            if (s->pos > s->encrypted)
                s->pos = s->encrypted;
            s->run = 0;
        }
    }
    if (*rc == SQLITE_OK && !spent && s->phase == SQ_SCAN_RUNS) {
        if (runs_next(s, budget, no, &spent, rc))
            return SQ_NEXT_ONE;
    }
    if (*rc == SQLITE_OK && spent)
        return SQ_NEXT_SPENT;
    sq_scan_end(s);
    return *rc == SQLITE_OK ? SQ_NEXT_END : SQ_NEXT_ERROR;
}
