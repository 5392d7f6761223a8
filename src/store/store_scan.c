/* Finds the numbers of one tenant or endpoint: the rows that no run holds yet are scanned, the other numbers
 * come from the sorted runs (store_build.c).
 *
 * Invariants: (1) a half-written run, at or above the mark, does not count; (2) a number of a run may be gone (retention), never the
 * other way round. */
#include "store/store_scan.h"
#include "base/check.h"

const char *st_scan_mark(enum st_run_kind kind)
{
    static const char *const names[ST_RUN_KINDS] = {"sealed.event", "sealed.delivery", "sealed.attempt"};

    return names[kind];
}

int st_scan_built(struct st_reader *r, enum st_run_kind kind, uint64_t *from)
{
    struct st_stmt *st = r->st[ST_R_BUILT];
    int rc;

    st_text(st, 1, th_str(st_scan_mark(kind)));
    rc = st_step(st);
    *from = rc == ST_ROW ? st_col_u64(st, 0) : 0;
    st_reset(st);
    return rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

void st_scan_start(struct st_scan *s, struct st_reader *r, enum st_run_kind kind, uint64_t key,
                   uint64_t before, uint64_t floor)
{
    *s = (struct st_scan){.r = r, .kind = kind, .key = key, .floor = floor};
    s->pos = before && before < (uint64_t)INT64_MAX ? before : (uint64_t)INT64_MAX;
}

void st_scan_end(struct st_scan *s)
{
    for (int i = 0; i < 2; i++)
        if (s->side[i])
            st_reset(s->side[i]);
    if (s->r)
        st_reset(s->r->st[ST_R_RUN]);
    s->side[0] = s->side[1] = NULL;
    s->has[0] = s->has[1] = false;
    s->left = 0;
    s->phase = ST_SCAN_END;
}

static int step_side(struct st_scan *s, int i)
{
    int rc = st_step(s->side[i]);

    s->has[i] = rc == ST_ROW;
    return rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

static int open_tail(struct st_scan *s)
{
    int rc = st_scan_built(s->r, s->kind, &s->built);
    uint64_t low = s->key && s->built > s->floor ? s->built : s->floor;

    s->side[0] = s->r->st[ST_R_DOWN_A + (int)s->kind];
    s->side[1] = s->kind == ST_RUN_DELIVERY ? s->r->st[ST_R_DOWN_B + (int)s->kind] : NULL;
    for (int i = 0; rc == ST_OK && i < 2 && s->side[i]; i++) {
        st_u64(s->side[i], 1, s->pos);
        st_u64(s->side[i], 2, low);
        rc = step_side(s, i);
    }
    s->phase = ST_SCAN_TAIL;
    return rc;
}

/** The next number of the tail with the key; false at its end, when spent, or on an error. */
static bool tail_next(struct st_scan *s, struct st_budget *budget, uint64_t *no, bool *spent, int *rc)
{
    while (s->has[0] || s->has[1]) {
        int i = !s->has[0] || (s->has[1] && st_col_u64(s->side[1], 0) > st_col_u64(s->side[0], 0));
        uint64_t key = st_col_u64(s->side[i], 1);

        *no = st_col_u64(s->side[i], 0);
        if (st_budget_spent(budget)) {
            *spent = true;
            return false;
        }
        s->pos = *no;
        *rc = step_side(s, i);
        if (*rc != ST_OK)
            return false;
        if (!s->key || key == s->key)
            return true;
    }
    return false;
}

/** Opens the newest run below the position that is not below the floor. False: there is none. */
static bool open_run(struct st_scan *s, int *rc)
{
    struct st_stmt *below = s->r->st[ST_R_RUN_BELOW], *get = s->r->st[ST_R_RUN];
    struct th_span nos = {"", 0};

    st_reset(get);
    if (s->pos <= s->floor || s->pos == 0)
        return false;
    st_u64(below, 1, s->kind);
    st_u64(below, 2, (s->pos - 1) >> ST_RUN_SHIFT);
    *rc = st_number(below, &s->run);
    if (*rc != ST_OK || !s->run || ((s->run + 1) << ST_RUN_SHIFT) <= s->floor)
        return false;
    st_u64(get, 1, s->kind);
    st_u64(get, 2, s->run);
    st_u64(get, 3, s->key);
    *rc = st_step(get);
    if (*rc == ST_ROW)
        nos = st_col(get, 1);
    if (*rc != ST_ROW && *rc != ST_DONE)
        return false;
    *rc = ST_OK;
    s->nos = (const unsigned char *)nos.p;
    s->left = (uint32_t)(nos.n / 2);
    return true;
}

static bool runs_next(struct st_scan *s, struct st_budget *budget, uint64_t *no, bool *spent, int *rc)
{
    for (;;) {
        while (s->left) {
            uint32_t i = s->left - 1;

            *no = s->run << ST_RUN_SHIFT | s->nos[2 * i] | (uint64_t)s->nos[2 * i + 1] << 8;
            if (*no >= s->pos) { /* above where this scan began */
                s->left--;
                continue;
            }
            if (*no < s->floor)
                return false;
            if (st_budget_spent(budget)) {
                *spent = true;
                return false;
            }
            s->left--;
            s->pos = *no;
            return true;
        }
        if (s->run && s->pos > s->run << ST_RUN_SHIFT)
            s->pos = s->run << ST_RUN_SHIFT;
        if (st_budget_spent(budget)) {
            *spent = true;
            return false;
        }
        if (!open_run(s, rc))
            return false;
    }
}

enum st_next st_scan_next(struct st_scan *s, struct st_budget *budget, uint64_t *no, int *rc)
{
    bool spent = false;

    TH_CHECK(s->r && s->phase <= ST_SCAN_END);
    *rc = ST_OK;
    if (s->phase == ST_SCAN_NEW)
        *rc = open_tail(s);
    if (*rc == ST_OK && s->phase == ST_SCAN_TAIL) {
        if (tail_next(s, budget, no, &spent, rc))
            return ST_NEXT_ONE;
        if (*rc == ST_OK && !spent) {
            s->phase = s->key && s->built ? ST_SCAN_RUNS : ST_SCAN_END;
            /* a half-written run at or above the boundary does not count */
            if (s->pos > s->built)
                s->pos = s->built;
            s->run = 0;
        }
    }
    if (*rc == ST_OK && !spent && s->phase == ST_SCAN_RUNS) {
        if (runs_next(s, budget, no, &spent, rc))
            return ST_NEXT_ONE;
    }
    if (*rc == ST_OK && spent)
        return ST_NEXT_SPENT;
    st_scan_end(s);
    return *rc == ST_OK ? ST_NEXT_END : ST_NEXT_ERROR;
}
