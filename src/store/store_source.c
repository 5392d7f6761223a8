/* The sources of candidates for a page: numbers known beforehand, a scan of one key, or the events of a
 * tenant taken apart into their deliveries. Rows of all tenants (`any`) are a scan of the table by its numbers, which
 * needs no index of its own. See store_page.c. */
#include "store/store_source.h"
#include "store/store_number.h"
#include "store/store_rows.h"
#include <stdlib.h>

/* LIMIT: of an event whose copies more endpoints than that have got, the lists by event show the first ones. */
#define COPIES_MAX 1000

bool st_source_look_up(struct st_pager *p, struct st_stmt *st, uint64_t no)
{
    int rc;

    st_u64(st, 1, no);
    rc = st_step(st);
    if (rc == ST_ROW)
        return true;
    st_reset(st);
    if (rc != ST_DONE)
        p->rc = rc;
    return false;
}

static uint64_t look_up_number(struct st_pager *p, enum st_reader_statement which, uint64_t no)
{
    struct st_stmt *st = p->r->st[which];
    uint64_t found = 0;

    if (st_source_look_up(p, st, no)) {
        found = st_col_u64(st, 0);
        st_reset(st);
    }
    return found;
}

bool st_source_event(struct st_pager *p, uint64_t no)
{
    if (p->event.no == no && no)
        return true;
    if (p->missing == no)
        return false;
    st_reset(p->event_st);
    p->event = (struct th_event_row){0};
    if (!st_source_look_up(p, p->event_st, no)) {
        p->missing = no;
        return false;
    }
    st_rows_event(p->event_st, p->op->with_data, &p->event);
    return true;
}

static void list_add(struct st_pager *p, uint64_t no)
{
    if (p->src.list_n < ST_CHAIN_MAX && no && (!p->op->before || no < p->op->before))
        p->src.list[p->src.list_n++] = no;
}

static int falling(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

static void list_chain(struct st_pager *p, uint64_t delivery)
{
    uint64_t no = 0;

    for (int i = 0; i < 2 && !no && p->rc == ST_OK; i++) {
        struct st_stmt *st = p->r->st[i ? ST_R_DELIVERY_ENDED : ST_R_DELIVERY_QUEUED];

        if (st_source_look_up(p, st, delivery)) {
            no = st_col_u64(st, 6);
            st_reset(st);
        }
    }
    for (uint32_t n = 0; no && n < ST_CHAIN_MAX && p->rc == ST_OK; n++) {
        list_add(p, no);
        no = look_up_number(p, ST_R_ATTEMPT_PREV, no);
    }
}

/** The event named by a filter, or 0. */
static uint64_t named_event(struct st_pager *p)
{
    struct st_stmt *st = p->r->st[ST_R_OWN];
    uint64_t no = 0;

    if (!p->op->external_id.n)
        return p->op->event;
    st_text(st, 2, p->op->external_id);
    if (st_source_look_up(p, st, p->op->tenant)) {
        no = st_col_u64(st, 0);
        st_reset(st);
    }
    return p->op->event && p->op->event != no ? 0 : no;
}

/** The events of all tenants that have an external id. */
static void source_own_anywhere(struct st_pager *p)
{
    struct st_stmt *st = p->r->st[ST_R_OWN_ANY];
    int rc;

    st_text(st, 1, p->op->external_id);
    while ((rc = st_step(st)) == ST_ROW)
        list_add(p, st_col_u64(st, 0));
    st_reset(st);
    if (rc != ST_DONE)
        p->rc = rc;
    qsort(p->src.list, p->src.list_n, sizeof *p->src.list, falling);
}

/** Adds the deliveries of the copies of an event, one each, or the attempts of these. */
static void list_copies(struct st_pager *p, uint64_t event)
{
    struct st_stmt *st = p->r->st[ST_R_COPIES];
    char from[TH_COPY_ID_EVENT], to[TH_COPY_ID_EVENT];
    uint64_t deliveries[COPIES_MAX];
    uint32_t n = 0;
    int rc = ST_DONE;

    st_u64(st, 1, p->op->tenant);
    st_text(st, 2, th_copy_id_event(from, event));
    st_text(st, 3, th_copy_id_event(to, event + 1));
    while (n < COPIES_MAX && (rc = st_step(st)) == ST_ROW)
        deliveries[n++] = st_col_u64(st, 0);
    st_reset(st);
    if (rc != ST_ROW && rc != ST_DONE)
        p->rc = rc;
    for (uint32_t i = 0; i < n && p->rc == ST_OK; i++)
        if (p->op->kind == TH_PAGE_ATTEMPTS)
            list_chain(p, deliveries[i]);
        else
            list_add(p, deliveries[i]);
    qsort(p->src.list, p->src.list_n, sizeof *p->src.list, falling);
}

/** Sources for one known event. */
static void source_event(struct st_pager *p, uint64_t event)
{
    struct st_source *src = &p->src;

    src->kind = SOURCE_LIST;
    if (p->op->kind == TH_PAGE_EVENTS) {
        list_add(p, event);
        return;
    }
    if (!event || !st_source_event(p, event) || p->event.tenant != p->op->tenant)
        return;
    if (p->op->kind == TH_PAGE_DELIVERIES) {
        src->low = p->event.first_delivery;
        src->high = src->low + p->event.deliveries;
        if (p->op->before && p->op->before < src->high)
            src->high = p->op->before;
        list_copies(p, event); /* which are newer */
        return;
    }
    for (uint32_t i = 0; i < p->event.deliveries && src->list_n < ST_CHAIN_MAX; i++)
        list_chain(p, p->event.first_delivery + i);
    list_copies(p, event);
}

void st_source_start(struct st_pager *p)
{
    struct th_page *op = p->op;
    struct st_source *src = &p->src;
    uint64_t cap = op->until ? st_number_start(st_number_day(op->until) + 2)
                             : 0; /* a day for clocks that stepped back */

    src->pos = op->before;
    if (cap && (!src->pos || cap < src->pos))
        src->pos = cap;
    src->floor = op->since ? st_number_start(st_number_day(op->since)) : 1;
    src->kind = SOURCE_LIST;
    if (op->kind != TH_PAGE_DELIVERIES && op->ascending) {
        src->kind = SOURCE_UP;
        src->run_kind = op->kind == TH_PAGE_EVENTS ? ST_RUN_EVENT : ST_RUN_ATTEMPT;
        src->pos = op->after;
    } else if (op->no) {
        list_add(p, op->no);
    } else if (op->kind == TH_PAGE_ATTEMPTS && op->delivery) {
        list_chain(p, op->delivery);
        qsort(src->list, src->list_n, sizeof *src->list, falling);
    } else if (op->kind == TH_PAGE_DELIVERIES && op->delivery) {
        list_add(p, op->delivery);
    } else if (op->kind == TH_PAGE_EVENTS && !op->tenant && !op->any) {
        source_own_anywhere(p);
    } else if (op->event || op->external_id.n) {
        source_event(p, named_event(p));
    } else if (op->kind == TH_PAGE_DELIVERIES && !op->endpoint) {
        src->kind = SOURCE_TENANT;
        src->run_kind = ST_RUN_EVENT;
        src->key = op->tenant;
    } else {
        src->kind = SOURCE_SCAN;
        src->run_kind = op->kind == TH_PAGE_EVENTS       ? ST_RUN_EVENT
                        : op->kind == TH_PAGE_DELIVERIES ? ST_RUN_DELIVERY
                                                         : ST_RUN_ATTEMPT;
        src->key = op->kind == TH_PAGE_EVENTS ? op->tenant : op->endpoint;
    }
}

/** Begins or goes on scanning from the cursor, in a new transaction. */
static void scan_open(struct st_pager *p)
{
    struct st_source *src = &p->src;
    uint64_t before = src->pos;

    if (src->kind == SOURCE_TENANT && before)
        before = look_up_number(p, ST_R_EVENT_BELOW, before) + 1;
    st_scan_start(&src->scan, p->r, src->run_kind, src->key, before, src->floor);
    src->scanning = true;
    src->ahead_i = src->ahead_n = 0;
    src->ahead_end = ST_NEXT_ONE;
}

/** Tells the cursor how far the scan of a tenant's events has come. */
static void tenant_spent(struct st_pager *p)
{
    uint64_t first = look_up_number(p, ST_R_FIRST_FROM, p->src.scan.pos);

    if (first && (!p->src.pos || first < p->src.pos))
        p->src.pos = first;
}

/** The next event of a tenant. Several are asked for together if each look-up would be a round trip over the
 * network. */
static enum st_next event_next(struct st_pager *p, uint64_t *no)
{
    struct st_source *src = &p->src;
    enum st_next next = ST_NEXT_ONE;

    if (!st_expects(p->r->db))
        return st_scan_next(&src->scan, &p->budget, no, &p->rc);
    if (src->ahead_i == src->ahead_n && src->ahead_end == ST_NEXT_ONE) {
        src->ahead_i = src->ahead_n = 0;
        while (src->ahead_n < ST_EVENTS_AHEAD && next == ST_NEXT_ONE) {
            next = st_scan_next(&src->scan, &p->budget, &src->ahead[src->ahead_n], &p->rc);
            src->ahead_n += next == ST_NEXT_ONE;
        }
        src->ahead_end = next;
        st_reset(p->event_st);
        p->event = (struct th_event_row){0};
        for (uint32_t i = 0; i < src->ahead_n; i++) {
            st_u64(p->event_st, 1, src->ahead[i]);
            st_expect(p->event_st);
        }
    }
    if (src->ahead_i < src->ahead_n) {
        *no = src->ahead[src->ahead_i++];
        return ST_NEXT_ONE;
    }
    next = src->ahead_end;
    src->ahead_end = ST_NEXT_ONE;
    return next;
}

static enum st_next range_next(struct st_pager *p, uint64_t *no)
{
    struct st_source *src = &p->src;

    if (st_budget_spent(&p->budget))
        return ST_NEXT_SPENT;
    *no = src->pos = --src->high;
    return ST_NEXT_ONE;
}

/* One look-up for each: the table has its numbers as key. */
static enum st_next up_next(struct st_pager *p, uint64_t *no)
{
    uint64_t next;

    if (st_budget_spent(&p->budget))
        return ST_NEXT_SPENT;
    next = look_up_number(p, (enum st_reader_statement)(ST_R_OLDEST_FROM + (int)p->src.run_kind),
                          p->src.pos + 1);
    if (!next)
        return ST_NEXT_END;
    *no = p->src.pos = next;
    return ST_NEXT_ONE;
}

enum st_next st_source_next(struct st_pager *p, uint64_t *no)
{
    struct st_source *src = &p->src;
    enum st_next next;

    if (src->kind == SOURCE_LIST && src->list_i < src->list_n) {
        *no = src->pos = src->list[src->list_i++];
        return ST_NEXT_ONE;
    }
    if (src->high > src->low)
        return range_next(p, no);
    if (src->kind == SOURCE_LIST)
        return ST_NEXT_END;
    if (src->kind == SOURCE_UP)
        return up_next(p, no);
    if (!src->scanning)
        scan_open(p);
    for (;;) {
        next =
            src->kind == SOURCE_SCAN ? st_scan_next(&src->scan, &p->budget, no, &p->rc) : event_next(p, no);
        if (src->kind == SOURCE_SCAN) {
            if (next == ST_NEXT_ONE || next == ST_NEXT_SPENT)
                src->pos = src->scan.pos;
            return next;
        }
        if (next == ST_NEXT_SPENT)
            tenant_spent(p);
        if (next != ST_NEXT_ONE)
            return next;
        if (!st_source_event(p, *no))
            continue;
        src->low = p->event.first_delivery;
        src->high = src->low + p->event.deliveries;
        if (src->pos && src->pos < src->high)
            src->high = src->pos;
        if (!src->pos || src->high < src->pos)
            src->pos = src->high;
        if (src->high > src->low)
            return range_next(p, no);
    }
}
