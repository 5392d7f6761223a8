/* Lists of the SQLite store: events, deliveries and attempts, newest first.
 *
 * A page asks a source for candidate numbers in falling order, reads each candidate's rows by number, and
 * keeps what passes every filter. Sources are: numbers known beforehand (one row, an event's deliveries, a
 * delivery's attempts), a scan of one key (sorted runs), or the events of a tenant taken apart into their
 * deliveries.
 *
 * It refuses to run long: after 20,000 examined rows or 50 ms the page is given out short, with a cursor
 * below all that was examined. Only totals and numbered pages may go on, in further transactions, up to
 * LONG_ROWS or LONG_MS; a total is then what was counted so far.
 *
 * Invariants: (1) a row of another tenant than the page's, if it has one, is never given out; (2) the cursor falls with every call; (3) all
 * spans live in the page's own memory until sq_page_free. On an error the page is empty and op->error says
 * why.
 *
 * Runs on a reader thread only. */
#include "store/store_page.h"
#include "base/alloc.h"
#include "base/check.h"
#include "store/store_exchange.h"
#include "store/store_rows.h"
#include "store/store_source.h"

#define LONG_ROWS 2000000u
#define LONG_MS 2000
#define PAGE_BYTES ((size_t)64 << 20)
#define BLOCK_BYTES ((size_t)64 << 10)

/* ---- the page's memory ---- */

void sq_page_free(struct th_page *op)
{
    struct sq_page_mem *mem = op->mem;

    if (!mem)
        return;
    while (mem->blocks) {
        struct sq_block *b = mem->blocks;

        mem->blocks = b->next;
        th_free(b);
    }
    th_free(mem->rows);
    th_free(mem);
    op->mem = NULL;
    op->rows.events = NULL;
    op->count = 0;
}

static struct th_span copy(struct sq_pager *p, struct th_span s)
{
    struct sq_block *b = p->mem->blocks;
    char *to;

    if (!s.n)
        return (struct th_span){"", 0};
    if (!b || b->size - b->used < s.n) {
        size_t size = s.n > BLOCK_BYTES ? s.n : BLOCK_BYTES;

        b = p->mem->total + size > PAGE_BYTES ? NULL : th_malloc(sizeof *b + size);
        if (!b) {
            p->error = p->mem->total + size > PAGE_BYTES ? TH_TOO_LARGE : TH_NOMEM;
            return (struct th_span){"", 0};
        }
        *b = (struct sq_block){.next = p->mem->blocks, .size = size};
        p->mem->blocks = b;
        p->mem->total += size;
    }
    to = b->bytes + b->used;
    memcpy(to, s.p, s.n);
    b->used += s.n;
    p->mem->used += s.n;
    return (struct th_span){to, s.n};
}

/* ---- filters ---- */

static bool event_matches(struct sq_pager *p, uint64_t no)
{
    const struct th_page *op = p->op;

    if (!sq_source_event(p, no) || (op->tenant && p->event.tenant != op->tenant) ||
        (op->tenant_count && !th_sorted_has(op->tenants, op->tenant_count, p->event.tenant)))
        return false;
    if (op->type.n && !th_pattern_has(op->type, p->event.type))
        return false;
    return !(op->since && p->event.at.ms < op->since) && !(op->until && p->event.at.ms >= op->until);
}

static bool in_endpoints(const struct th_page *op, uint64_t endpoint)
{
    return th_sorted_has(op->endpoints, op->endpoint_count, endpoint);
}

static bool delivery_matches(const struct th_page *op, const struct th_delivery_row *d)
{
    if (op->endpoint && op->endpoint != d->endpoint)
        return false;
    if (op->states && !(op->states >> d->state & 1))
        return false;
    if (d->state != TH_DS_QUEUED)
        return true;
    if (op->waiting) {
        unsigned kind = in_endpoints(op, d->endpoint) ? TH_WAITS_HELD
                        : d->attempts                 ? TH_WAITS_RETRYING
                                                      : TH_WAITS_PENDING;
        return op->waiting & kind;
    }
    if ((op->queued == TH_NO_ATTEMPTS && d->attempts) || (op->queued == TH_SOME_ATTEMPTS && !d->attempts))
        return false;
    if (op->endpoints_exclude || op->endpoint_count)
        return in_endpoints(op, d->endpoint) != op->endpoints_exclude;
    return true;
}

static bool is_test(uint8_t lane, struct th_span type)
{
    return lane == TH_LANE_TEST || th_span_is(type, TH_TEST_TYPE);
}

static bool outcome_matches(const struct th_page *op, unsigned status, unsigned class, bool ok)
{
    return !(op->by_answer && !TH_ANSWERED(op, status)) &&
           !(op->outcomes && !(op->outcomes & TH_OUTCOME_BIT(class, ok)));
}

/** The attempt's statement stands on its row. */
static bool attempt_matches(const struct th_page *op, sqlite3_stmt *st)
{
    return outcome_matches(op, (unsigned)sqlite3_column_int(st, 6), (unsigned)sqlite3_column_int(st, 7),
                           sqlite3_column_int(st, 8) & SQ_OK);
}

/** Of a delivery: its last attempt, when that is asked for. */
static bool last_matches(struct sq_pager *p, const struct th_delivery_row *d)
{
    sqlite3_stmt *st = p->r->st[SQ_R_ATTEMPT];
    bool yes;

    if (!p->op->outcomes && !p->op->by_answer)
        return true;
    if (!d->last_attempt || !sq_source_look_up(p, st, d->last_attempt))
        return false;
    yes = attempt_matches(p->op, st);
    sqlite3_reset(st);
    return yes;
}

static bool find_delivery(struct sq_pager *p, uint64_t no, struct th_delivery_row *d, uint64_t *event)
{
    for (int ended = 0; ended < 2; ended++) {
        sqlite3_stmt *st = p->r->st[ended ? SQ_R_DELIVERY_ENDED : SQ_R_DELIVERY_QUEUED];
        uint64_t lane;

        if (!sq_source_look_up(p, st, no))
            continue;
        lane = sq_col_u64(st, 3);
        *event = sq_col_u64(st, 1);
        *d = (struct th_delivery_row){.no = no,
                                      .endpoint = sq_col_u64(st, 2),
                                      .lane = sq_rows_lane_of(lane),
                                      .marks = sq_rows_marks_of(lane),
                                      .order = sq_rows_order_of(lane),
                                      .tries = (uint8_t)sq_col_u64(st, 4),
                                      .attempts = (uint16_t)sq_col_u64(st, 5),
                                      .last_attempt = sq_col_u64(st, 6)};
        if (ended) {
            d->ended = sqlite3_column_int64(st, 7);
            d->state = (enum th_delivery_state)sqlite3_column_int(st, 8);
        } else {
            d->due = sqlite3_column_int64(st, 7);
        }
        sqlite3_reset(st);
        return true;
    }
    return false;
}

/** Of the event at hand: one of its deliveries, when that is asked for. An event has as many as a tenant has endpoints. */
static bool any_matches(struct sq_pager *p)
{
    struct th_delivery_row d;
    uint64_t event;

    if (!p->op->outcomes && !p->op->by_answer)
        return true;
    for (uint32_t i = 0; i < p->event.deliveries && p->rc == SQLITE_OK; i++) {
        (void)sq_budget_spent(&p->budget); /* looked at as well; an event is judged whole */
        if (find_delivery(p, p->event.first_delivery + i, &d, &event) && last_matches(p, &d))
            return true;
    }
    return false;
}

/** A test has one delivery, whose lane says what it is. */
static bool event_is_test(struct sq_pager *p)
{
    struct th_delivery_row d;
    uint64_t event;

    if (is_test(TH_LANE_FRESH, p->event.type))
        return true;
    return p->event.deliveries == 1 && find_delivery(p, p->event.first_delivery, &d, &event) &&
           d.lane == TH_LANE_TEST;
}

/* ---- rows given out ---- */

/** What is known of an endpoint that has been deleted. Rows of one endpoint mostly come together. */
static struct th_past_endpoint past_endpoint(struct sq_pager *p, uint64_t no)
{
    sqlite3_stmt *st = p->r->st[SQ_R_ENDPOINT_PAST];

    if (p->past_no == no)
        return p->past;
    p->past_no = no;
    p->past = (struct th_past_endpoint){.settings = {"", 0}};
    if (sq_source_look_up(p, st, no)) {
        p->past.created = sqlite3_column_int64(st, 0);
        p->past.settings = copy(p, sq_col(st, 1));
        sqlite3_reset(st);
    }
    return p->past;
}

static struct th_event_row copy_event(struct sq_pager *p)
{
    struct th_event_row row = p->event;

    row.type = copy(p, row.type);
    row.data = copy(p, row.data);
    row.external_id = copy(p, row.external_id);
    row.resource_type = copy(p, row.resource_type);
    row.resource_id = copy(p, row.resource_id);
    row.more.order_key = copy(p, row.more.order_key);
    row.more.channels = copy(p, row.more.channels);
    row.more.traceparent = copy(p, row.more.traceparent);
    row.more.content_type = copy(p, row.more.content_type);
    return row;
}

static void copy_attempt(struct sq_pager *p, sqlite3_stmt *st, bool answer, struct th_attempt_row *row)
{
    sq_rows_attempt(st, row);
    row->sigs = copy(p, row->sigs);
    row->detail = copy(p, row->detail);
    row->head = answer ? copy(p, sq_col(st, SQ_ATTEMPT_HEAD)) : (struct th_span){"", 0};
    row->body = answer ? copy(p, sq_col(st, SQ_ATTEMPT_HEAD + 1)) : (struct th_span){"", 0};
}

static void give_delivery(struct sq_pager *p, const struct th_delivery_row *d)
{
    struct th_delivery_row *row = &p->op->rows.deliveries[p->op->count];
    sqlite3_stmt *st = p->r->st[SQ_R_ATTEMPT];

    *row = *d;
    row->event = copy_event(p);
    row->event.test = is_test(d->lane, row->event.type);
    row->past = past_endpoint(p, d->endpoint);
    if (!d->last_attempt)
        return;
    if (!sq_source_look_up(p, st, d->last_attempt)) {
        row->last_attempt = 0;
        return;
    }
    copy_attempt(p, st, false, &row->last);
    sqlite3_reset(st);
}

/** The attempt's statement stands on its row. */
static void give_attempt(struct sq_pager *p, sqlite3_stmt *st, const struct th_delivery_row *d)
{
    struct th_attempt_view *row = &p->op->rows.attempts[p->op->count];
    sqlite3_stmt *rev = p->r->st[SQ_R_REV];

    *row = (struct th_attempt_view){.no = sq_col_u64(st, 0),
                                    .delivery = sq_col_u64(st, 1),
                                    .endpoint = sq_col_u64(st, 2),
                                    .of = *d,
                                    .endpoint_settings = {"", 0}};
    copy_attempt(p, st, p->op->with_answers, &row->row);
    row->event = copy_event(p);
    row->test = row->event.test = is_test(d->lane, row->event.type);
    row->past = past_endpoint(p, row->endpoint);
    sq_u64(rev, 2, row->row.endpoint_rev);
    if (sq_source_look_up(p, rev, row->endpoint)) {
        row->endpoint_settings = copy(p, sq_col(rev, 0));
        sqlite3_reset(rev);
    }
}

/** Counts a match; true when it is to be given out. */
static bool wanted(struct sq_pager *p, bool *more)
{
    struct th_page *op = p->op;

    op->total++;
    if (op->skip) {
        op->skip--;
        return false;
    }
    *more = op->count == op->limit;
    return !*more;
}

/** Judges one candidate and gives it out when it matches. */
static void candidate(struct sq_pager *p, uint64_t no, bool *more)
{
    struct th_page *op = p->op;
    struct th_delivery_row d;
    uint64_t event = no;
    sqlite3_stmt *st = p->r->st[SQ_R_ATTEMPT];

    if (op->kind == TH_PAGE_EVENTS) {
        bool test;

        if (!event_matches(p, no) || !any_matches(p))
            return;
        test = event_is_test(p);
        if ((test && op->without_tests) || !wanted(p, more))
            return;
        op->rows.events[op->count] = copy_event(p);
        op->rows.events[op->count].test = test;
    } else if (op->kind == TH_PAGE_DELIVERIES) {
        if (!find_delivery(p, no, &d, &event) || !delivery_matches(op, &d) || !event_matches(p, event) ||
            !last_matches(p, &d) || (op->without_tests && is_test(d.lane, p->event.type)) || !wanted(p, more))
            return;
        give_delivery(p, &d);
    } else {
        bool give;

        if (!sq_source_look_up(p, st, no))
            return;
        give = (!op->endpoint || op->endpoint == sq_col_u64(st, 2)) &&
               (!op->delivery || op->delivery == sq_col_u64(st, 1)) && attempt_matches(op, st) &&
               find_delivery(p, sq_col_u64(st, 1), &d, &event) && (!op->event || op->event == event) &&
               event_matches(p, event) && !(op->without_tests && is_test(d.lane, p->event.type)) &&
               wanted(p, more);
        if (give)
            give_attempt(p, st, &d);
        sqlite3_reset(st);
        if (!give)
            return;
    }
    if (p->error == TH_OK && p->rc == SQLITE_OK)
        op->count++;
}

/* ---- the page ---- */

static void end_transaction(struct sq_pager *p)
{
    if (p->src.scanning)
        sq_scan_end(&p->src.scan);
    p->src.scanning = false;
    sqlite3_reset(p->event_st);
    p->event = (struct th_event_row){0};
    p->missing = 0;
    if (!sqlite3_get_autocommit(p->r->db))
        sq_db_run(p->r->st[SQ_R_END]);
}

/** Runs through candidates until the page is full, the source ends or the budget is spent. True: spent. */
static bool fill(struct sq_pager *p)
{
    struct th_page *op = p->op;
    uint64_t no;

    while (p->rc == SQLITE_OK && p->error == TH_OK) {
        enum sq_next next = sq_source_next(p, &no);
        uint32_t given = op->count;
        bool more = false;

        if (next != SQ_NEXT_ONE)
            return next == SQ_NEXT_SPENT;
        if (op->max_bytes && op->count && p->mem->used >= op->max_bytes) { /* and there may be another row */
            op->next = op->ascending ? op->reached : p->last;
            return false;
        }
        candidate(p, no, &more);
        TH_CHECK(op->count <= op->limit);
        if (p->error == TH_TOO_LARGE && op->count) { /* the page's memory is at its limit: a short page */
            p->error = TH_OK;
            op->next = op->ascending ? op->reached : p->last;
            return false;
        }
        if (op->count > given)
            p->last = no;
        if (op->ascending && !more)
            op->reached = no;
        if (more && !op->next)
            op->next = op->ascending ? op->reached : p->last;
        if (more && !op->with_total)
            return false;
    }
    return false;
}

static enum th_error prepare(struct sq_pager *p)
{
    static const size_t sizes[] = {sizeof(struct th_event_row), sizeof(struct th_delivery_row),
                                   sizeof(struct th_attempt_view)};
    struct th_page *op = p->op;

    op->count = 0;
    op->next = op->total = 0;
    op->reached = op->after;
    op->mem = NULL;
    op->rows.events = NULL;
    if ((unsigned)op->kind > TH_PAGE_ATTEMPTS || !th_page_is_bounded(op))
        return TH_BUG;
    if (op->limit > 1000)
        op->limit = 1000;
    p->mem = th_calloc(1, sizeof *p->mem);
    if (!p->mem)
        return TH_NOMEM;
    op->mem = p->mem;
    p->mem->rows = th_calloc(op->limit + 1, sizes[op->kind]);
    p->src.list = th_malloc(SQ_CHAIN_MAX * sizeof *p->src.list);
    if (!p->mem->rows || !p->src.list)
        return TH_NOMEM;
    op->rows.events = p->mem->rows;
    return TH_OK;
}

static int newest(struct sq_reader *r, enum sq_run_kind kind, uint64_t *no)
{
    sqlite3_stmt *st = r->st[SQ_R_NEWEST + (int)kind];
    int rc = sqlite3_step(st);

    *no = rc == SQLITE_ROW ? sq_col_u64(st, 0) : 0;
    sqlite3_reset(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/** Begins to read: with the first row the moment is fixed that the page shows. */
static int fix_moment(struct sq_pager *p)
{
    uint64_t unused;
    int rc = sq_db_run(p->r->st[SQ_R_BEGIN]);

    if (rc == SQLITE_OK)
        rc = sq_scan_built(p->r, SQ_RUN_EVENT, &unused);
    p->r->mark = sq_exchange_mark(p->r->store);
    return rc;
}

static void start(struct sq_pager *p)
{
    sq_source_start(p);
    if (p->op->kind != TH_PAGE_DELIVERIES && !p->op->ascending)
        p->rc = newest(p->r, p->op->kind == TH_PAGE_EVENTS ? SQ_RUN_EVENT : SQ_RUN_ATTEMPT, &p->op->reached);
}

static void run(struct sq_pager *p)
{
    int64_t deadline = sq_budget_now_ms() + LONG_MS;
    uint64_t examined = 0;
    bool spent, started = false;

    do {
        p->rc = fix_moment(p);
        if (p->rc != SQLITE_OK)
            return;
        sq_budget_start(&p->budget);
        if (!started)
            start(p);
        started = true;
        spent = fill(p);
        end_transaction(p);
        examined += p->budget.examined;
    } while (spent && (p->op->with_total || p->op->skip) && examined < LONG_ROWS &&
             sq_budget_now_ms() < deadline);
    if (spent && !p->op->next)
        p->op->next = p->src.pos;
}

void sq_page(struct sq_reader *r, struct th_page *op)
{
    struct sq_pager p = {.r = r, .op = op, .event_st = r->st[op->with_data ? SQ_R_LOAD : SQ_R_EVENT]};

    p.error = prepare(&p);
    if (p.error == TH_OK)
        run(&p);
    if (p.error == TH_OK)
        p.error = sq_db_error(r->db, p.rc);
    end_transaction(&p);
    th_free(p.src.list);
    op->op.error = p.error;
    if (p.error != TH_OK) {
        op->next = op->total = 0;
        sq_page_free(op);
    }
}
