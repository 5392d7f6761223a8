/* Scanning for the numbers of one tenant or endpoint: what no run holds yet is looked through, the rest comes out of the sorted runs
 * (store_build.c).
 *
 * Invariants: (1) a half-written run, at or above the mark, does not count; (2) a number of a run may be gone (retention), never the
 * other way round. */
#include "store/store_scan.h"
#include "base/check.h"

const char *sq_scan_mark(enum sq_run_kind kind)
{
    static const char *const names[SQ_RUN_KINDS] = {"sealed.event", "sealed.delivery", "sealed.attempt"};

    return names[kind];
}

int sq_scan_built(struct sq_reader *r, enum sq_run_kind kind, uint64_t *from)
{
    sqlite3_stmt *st = r->st[SQ_R_BUILT];
    int rc;

    sq_text(st, 1, th_str(sq_scan_mark(kind)));
    rc = sqlite3_step(st);
    *from = rc == SQLITE_ROW ? sq_col_u64(st, 0) : 0;
    sqlite3_reset(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

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
    int rc = sq_scan_built(s->r, s->kind, &s->built);
    uint64_t low = s->key && s->built > s->floor ? s->built : s->floor;

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
    *rc = sq_db_number(below, &s->run);
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

    TH_CHECK(s->r && s->phase <= SQ_SCAN_END);
    *rc = SQLITE_OK;
    if (s->phase == SQ_SCAN_NEW)
        *rc = open_tail(s);
    if (*rc == SQLITE_OK && s->phase == SQ_SCAN_TAIL) {
        if (tail_next(s, budget, no, &spent, rc))
            return SQ_NEXT_ONE;
        if (*rc == SQLITE_OK && !spent) {
            s->phase = s->key && s->built ? SQ_SCAN_RUNS : SQ_SCAN_END;
            /* a half-written run at or above the boundary does not count */
            if (s->pos > s->built)
                s->pos = s->built;
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
