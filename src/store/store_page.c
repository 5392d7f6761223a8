/* Lists of the stores: events, deliveries and attempts, newest first.
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
 * spans live in the page's own memory until st_page_free. On an error the page is empty and op->error says
 * why.
 *
 * Runs on a reader thread only. */
#include "store/store_page.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/sorted.h"
#include "store/store_exchange.h"
#include "store/store_recent.h"
#include "store/store_rows.h"
#include "store/store_source.h"

#define LONG_ROWS 2000000u
#define LONG_MS 2000
#define PAGE_BYTES ((size_t)64 << 20)
#define BLOCK_BYTES ((size_t)64 << 10)

/* ---- the page's memory ---- */

void st_page_free(struct th_page *op)
{
    struct st_page_mem *mem = op->mem;

    if (!mem)
        return;
    while (mem->blocks) {
        struct st_block *b = mem->blocks;

        mem->blocks = b->next;
        th_free(b);
    }
    th_free(mem->rows);
    th_free(mem);
    op->mem = NULL;
    op->rows.events = NULL;
    op->count = 0;
}

static struct th_span copy(struct st_pager *p, struct th_span s)
{
    struct st_block *b = p->mem->blocks;
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
        *b = (struct st_block){.next = p->mem->blocks, .size = size};
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

static bool event_matches(struct st_pager *p, uint64_t no)
{
    const struct th_page *op = p->op;

    if (!st_source_event(p, no) || (op->tenant && p->event.tenant != op->tenant) ||
        (op->tenant_count && !th_sorted_has(op->tenants, op->tenant_count, p->event.tenant)))
        return false;
    if (op->type.n && !th_pattern_has(op->type, p->event.type))
        return false;
    if (p->event.origin && op->kind == TH_PAGE_EVENTS) /* the event itself is there */
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
        unsigned kind = th_is_scheduled(d->marks, d->attempts, d->due, op->now) ? TH_WAITS_SCHEDULED
                        : in_endpoints(op, d->endpoint)                         ? TH_WAITS_HELD
                        : d->attempts                                           ? TH_WAITS_RETRYING
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
static bool attempt_matches(const struct th_page *op, struct st_stmt *st)
{
    return outcome_matches(op, (unsigned)(int)st_col_i64(st, 6), (unsigned)(int)st_col_i64(st, 7),
                           (int)st_col_i64(st, 8) & ST_FLAG_OK);
}

/** Checks the filters on a delivery's last attempt, if there are any. */
static bool last_matches(struct st_pager *p, const struct th_delivery_row *d)
{
    struct st_stmt *st = p->r->st[ST_R_ATTEMPT];
    bool yes;

    if (!p->op->outcomes && !p->op->by_answer)
        return true;
    if (!d->last_attempt || !st_source_look_up(p, st, d->last_attempt))
        return false;
    yes = attempt_matches(p->op, st);
    st_reset(st);
    return yes;
}

/** likely_ended: it is looked for there first, which costs less when it is so. */
static bool find_delivery(struct st_pager *p, uint64_t no, bool likely_ended, struct th_delivery_row *d,
                          uint64_t *event)
{
    for (int i = 0; i < 2; i++) {
        bool ended = i ^ (int)likely_ended;
        struct st_stmt *st = p->r->st[ended ? ST_R_DELIVERY_ENDED : ST_R_DELIVERY_QUEUED];
        uint64_t lane;

        if (!st_source_look_up(p, st, no))
            continue;
        lane = st_col_u64(st, 3);
        *event = st_col_u64(st, 1);
        *d = (struct th_delivery_row){.no = no,
                                      .endpoint = st_col_u64(st, 2),
                                      .lane = st_rows_lane_of(lane),
                                      .marks = st_rows_marks_of(lane),
                                      .order = st_rows_order_of(lane),
                                      .tries = (uint8_t)st_col_u64(st, 4),
                                      .attempts = (uint16_t)st_col_u64(st, 5),
                                      .last_attempt = st_col_u64(st, 6)};
        if (ended) {
            d->ended = st_col_i64(st, 7);
            d->state = (enum th_delivery_state)(int)st_col_i64(st, 8);
        } else {
            d->due = st_col_i64(st, 7);
        }
        st_reset(st);
        return true;
    }
    return false;
}

/** Checks the filters on the deliveries of the present event, if there are any. An event has as many as a
 * tenant has endpoints. */
static bool any_matches(struct st_pager *p)
{
    struct th_delivery_row d;
    uint64_t event;

    if (!p->op->outcomes && !p->op->by_answer)
        return true;
    for (uint32_t i = 0; i < p->event.deliveries && p->rc == ST_OK; i++) {
        (void)st_budget_spent(&p->budget); /* looked at as well; an event is judged whole */
        if (find_delivery(p, p->event.first_delivery + i, false, &d, &event) && last_matches(p, &d))
            return true;
    }
    return false;
}

/** A test has one delivery, whose lane says what it is. */
static bool event_is_test(struct st_pager *p)
{
    struct th_delivery_row d;
    uint64_t event;

    if (is_test(TH_LANE_FRESH, p->event.type))
        return true;
    return p->event.deliveries == 1 && find_delivery(p, p->event.first_delivery, false, &d, &event) &&
           d.lane == TH_LANE_TEST;
}

/* ---- rows given out ---- */

/** Finds what is known about an endpoint that has been deleted. Rows of one endpoint mostly come together. */
static struct th_past_endpoint past_endpoint(struct st_pager *p, uint64_t no)
{
    struct st_stmt *st = p->r->st[ST_R_ENDPOINT_PAST];

    if (p->past_no == no)
        return p->past;
    p->past_no = no;
    p->past = (struct th_past_endpoint){.settings = {"", 0}};
    if (st_source_look_up(p, st, no)) {
        p->past.created = st_col_i64(st, 0);
        p->past.settings = copy(p, st_col(st, 1));
        st_reset(st);
    }
    return p->past;
}

/** The settings that an endpoint had at a revision. Rows of one endpoint mostly come together, and have one revision. */
static struct th_span settings_at(struct st_pager *p, uint64_t endpoint, uint64_t rev)
{
    struct st_stmt *st = p->r->st[ST_R_REV];

    if (p->rev_endpoint == endpoint && p->rev == rev)
        return p->rev_settings;
    p->rev_endpoint = endpoint;
    p->rev = rev;
    p->rev_settings = th_span("", 0);
    st_u64(st, 2, rev);
    if (st_source_look_up(p, st, endpoint)) {
        p->rev_settings = copy(p, st_col(st, 0));
        st_reset(st);
    }
    return p->rev_settings;
}

static struct th_event_row copy_event(struct st_pager *p)
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

static void copy_attempt(struct st_pager *p, struct st_stmt *st, bool answer, struct th_attempt_row *row)
{
    st_rows_attempt(st, row);
    row->sigs = copy(p, row->sigs);
    row->detail = copy(p, row->detail);
    row->head = answer ? copy(p, st_col(st, ST_ATTEMPT_HEAD)) : (struct th_span){"", 0};
    row->body = answer ? copy(p, st_col(st, ST_ATTEMPT_HEAD + 1)) : (struct th_span){"", 0};
}

static void give_delivery(struct st_pager *p, const struct th_delivery_row *d)
{
    struct th_delivery_row *row = &p->op->rows.deliveries[p->op->count];
    struct st_stmt *st = p->r->st[ST_R_ATTEMPT];

    *row = *d;
    row->event = copy_event(p);
    row->event.test = is_test(d->lane, row->event.type);
    row->past = past_endpoint(p, d->endpoint);
    if (!d->last_attempt)
        return;
    if (!st_source_look_up(p, st, d->last_attempt)) {
        row->last_attempt = 0;
        return;
    }
    copy_attempt(p, st, false, &row->last);
    st_reset(st);
}

/** The attempt's statement stands on its row. */
static void give_attempt(struct st_pager *p, struct st_stmt *st, const struct th_delivery_row *d)
{
    struct th_attempt_view *row = &p->op->rows.attempts[p->op->count];

    *row = (struct th_attempt_view){
        .no = st_col_u64(st, 0), .delivery = st_col_u64(st, 1), .endpoint = st_col_u64(st, 2), .of = *d};
    copy_attempt(p, st, p->op->with_answers, &row->row);
    row->event = copy_event(p);
    row->test = row->event.test = is_test(d->lane, row->event.type);
    row->past = past_endpoint(p, row->endpoint);
    if (!p->op->without_settings)
        row->endpoint_settings = settings_at(p, row->endpoint, row->row.endpoint_rev);
}

static bool has_all_bytes(const struct st_pager *p)
{
    return p->op->max_bytes && p->op->count && p->mem->used >= p->op->max_bytes;
}

/** Counts a match; true when it is to be handed out. */
static bool wanted(struct st_pager *p, bool *more)
{
    struct th_page *op = p->op;

    op->total++;
    if (op->skip) {
        op->skip--;
        return false;
    }
    *more = op->count == op->limit || has_all_bytes(p);
    return !*more;
}

/** Judges one candidate and hands it out if it matches. */
static void candidate(struct st_pager *p, uint64_t no, bool *more)
{
    struct th_page *op = p->op;
    struct th_delivery_row d;
    uint64_t event = no;
    struct st_stmt *st = p->r->st[ST_R_ATTEMPT];

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
        if (!find_delivery(p, no, false, &d, &event) || !delivery_matches(op, &d) ||
            !event_matches(p, event) || !last_matches(p, &d) ||
            (op->without_tests && is_test(d.lane, p->event.type)) || !wanted(p, more))
            return;
        give_delivery(p, &d);
    } else {
        bool give;

        if (!st_source_look_up(p, st, no))
            return;
        give = (!op->endpoint || op->endpoint == st_col_u64(st, 2)) &&
               (!op->delivery || op->delivery == st_col_u64(st, 1)) && attempt_matches(op, st) &&
               find_delivery(p, st_col_u64(st, 1), (int)st_col_i64(st, 8) & ST_FLAG_OK, &d, &event) &&
               event_matches(p, event) &&
               (!op->event || op->event == event || op->event == p->event.origin) &&
               !(op->without_tests && is_test(d.lane, p->event.type)) && wanted(p, more);
        if (give)
            give_attempt(p, st, &d);
        st_reset(st);
        if (!give)
            return;
    }
    if (p->error == TH_OK && p->rc == ST_OK)
        op->count++;
}

/* ---- the page ---- */

static void end_transaction(struct st_pager *p)
{
    if (p->src.scanning)
        st_scan_end(&p->src.scan);
    p->src.scanning = false;
    st_reset(p->event_st);
    p->event = (struct th_event_row){0};
    p->missing = 0;
    if (st_in_transaction(p->r->db))
        st_run(p->r->st[ST_R_END]);
}

/* ---- asking for many rows at once ---- */

#define AHEAD                                                                                                \
    256 /* candidates that are looked up together, if each look-up would be a round trip over the network */

struct ahead {
    uint64_t no[AHEAD];
    uint32_t n;
    enum st_next end; /* ONE: there may be more */
};

/** How many candidates are worth asking for together: as many as the page still wants, roughly. */
static uint32_t ahead_of(const struct st_pager *p)
{
    uint32_t wanted = p->op->limit + 1 - p->op->count;

    if (!st_expects(p->r->db))
        return 1;
    return p->op->with_total || p->op->skip || wanted > AHEAD ? AHEAD : wanted < 16 ? 16 : wanted;
}

static void expect(struct st_stmt *st, uint64_t no)
{
    if (!no)
        return;
    st_u64(st, 1, no);
    st_expect(st);
}

static void expect_delivery(struct st_pager *p, uint64_t no)
{
    expect(p->r->st[ST_R_DELIVERY_QUEUED], no);
    expect(p->r->st[ST_R_DELIVERY_ENDED], no);
}

/** Announces the rows to which candidates refer. */
static void announce_deliveries(struct st_pager *p, const uint64_t *no, uint32_t n)
{
    struct th_delivery_row d[AHEAD];
    uint64_t event[AHEAD];

    for (uint32_t i = 0; i < n; i++)
        expect_delivery(p, no[i]);
    for (uint32_t i = 0; i < n; i++)
        if (!find_delivery(p, no[i], false, &d[i], &event[i]))
            d[i].last_attempt = event[i] = 0;
    for (uint32_t i = 0; i < n; i++) {
        expect(p->event_st, event[i]);
        if (p->op->kind == TH_PAGE_DELIVERIES)
            expect(p->r->st[ST_R_ATTEMPT], d[i].last_attempt);
    }
}

static void announce(struct st_pager *p, const struct ahead *a)
{
    struct st_stmt *attempt = p->r->st[ST_R_ATTEMPT];
    uint64_t delivery[AHEAD];

    if (!st_expects(p->r->db) || a->n < 2)
        return;
    st_reset(p->event_st); /* the present event is borrowed from the statement that is used now */
    p->event = (struct th_event_row){0};
    if (p->op->kind == TH_PAGE_DELIVERIES) {
        announce_deliveries(p, a->no, a->n);
    } else if (p->op->kind == TH_PAGE_EVENTS) {
        for (uint32_t i = 0; i < a->n; i++)
            expect(p->event_st, a->no[i]);
        for (uint32_t i = 0; i < a->n; i++) /* its delivery says whether it is a test */
            delivery[i] =
                st_source_event(p, a->no[i]) && p->event.deliveries == 1 ? p->event.first_delivery : 0;
        for (uint32_t i = 0; i < a->n; i++)
            expect_delivery(p, delivery[i]);
    } else {
        for (uint32_t i = 0; i < a->n; i++)
            expect(attempt, a->no[i]);
        for (uint32_t i = 0; i < a->n; i++) {
            delivery[i] = st_source_look_up(p, attempt, a->no[i]) ? st_col_u64(attempt, 1) : 0;
            st_reset(attempt);
        }
        announce_deliveries(p, delivery, a->n);
    }
}

static void look_ahead(struct st_pager *p, struct ahead *a)
{
    uint32_t most = ahead_of(p);

    a->n = 0;
    do
        a->end = st_source_next(p, &a->no[a->n]);
    while (a->end == ST_NEXT_ONE && ++a->n < most);
    if (p->rc == ST_OK)
        announce(p, a);
}

/** Judges one candidate. True: the page is full. */
static bool take(struct st_pager *p, uint64_t no)
{
    struct th_page *op = p->op;
    uint32_t given = op->count;
    bool more = false;

    if (has_all_bytes(p) && !op->with_total) { /* and there may be another row */
        op->next = op->ascending ? op->reached : p->last;
        return true;
    }
    candidate(p, no, &more);
    TH_CHECK(op->count <= op->limit);
    if (p->error == TH_TOO_LARGE && op->count) { /* the page's memory is at its limit: a short page */
        p->error = TH_OK;
        op->next = op->ascending ? op->reached : p->last;
        return true;
    }
    if (op->count > given)
        p->last = no;
    if (op->ascending && !more)
        op->reached = no;
    if (more && !op->next)
        op->next = op->ascending ? op->reached : p->last;
    return more && !op->with_total;
}

/** Runs through candidates until the page is full, the source ends or the budget is spent. True: spent. */
static bool fill(struct st_pager *p)
{
    struct ahead a;

    do {
        look_ahead(p, &a);
        for (uint32_t i = 0; i < a.n; i++)
            if (p->rc != ST_OK || p->error != TH_OK || take(p, a.no[i]))
                return false;
    } while (a.end == ST_NEXT_ONE && p->rc == ST_OK && p->error == TH_OK);
    return a.end == ST_NEXT_SPENT && p->rc == ST_OK && p->error == TH_OK;
}

static enum th_error prepare(struct st_pager *p)
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
    p->mem->rows = th_malloc((op->limit + 1) * sizes[op->kind]); /* each is written as a whole */
    p->src.list = th_malloc(ST_CHAIN_MAX * sizeof *p->src.list);
    if (!p->mem->rows || !p->src.list)
        return TH_NOMEM;
    op->rows.events = p->mem->rows;
    return TH_OK;
}

static int newest(struct st_reader *r, enum st_run_kind kind, uint64_t *no)
{
    struct st_stmt *st = r->st[ST_R_NEWEST + (int)kind];
    int rc = st_step(st);

    *no = rc == ST_ROW ? st_col_u64(st, 0) : 0;
    st_reset(st);
    return rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

/** Begins to read; the first row fixes the moment that the page shows. */
static int fix_moment(struct st_pager *p)
{
    uint64_t unused;
    int rc = st_run(p->r->st[ST_R_BEGIN]);

    if (rc == ST_OK)
        rc = st_scan_built(p->r, ST_RUN_EVENT, &unused);
    p->r->mark = st_exchange_mark(p->r->store);
    return rc;
}

static void start(struct st_pager *p)
{
    st_source_start(p);
    if (p->op->kind != TH_PAGE_DELIVERIES && !p->op->ascending)
        p->rc = newest(p->r, p->op->kind == TH_PAGE_EVENTS ? ST_RUN_EVENT : ST_RUN_ATTEMPT, &p->op->reached);
}

/* ---- rows that are in memory ---- */

/** Adds to a copied attempt what is not there. False: its event is gone, or not asked for. */
static bool complete_attempt(struct st_pager *p, struct th_attempt_view *row)
{
    if (!row->event.tenant) {
        if (!st_source_event(p, row->event.no))
            return false;
        row->event = copy_event(p);
    }
    if (!th_sorted_has(p->op->tenants, p->op->tenant_count, row->event.tenant))
        return false;
    row->test = row->event.test = is_test(row->of.lane, row->event.type);
    row->past = past_endpoint(p, row->endpoint);
    row->endpoint_settings =
        p->op->without_settings ? th_span("", 0) : settings_at(p, row->endpoint, row->row.endpoint_rev);
    return true;
}

static bool is_wanted_event(const struct th_page *op, const struct th_event_row *row)
{
    return !row->origin && th_sorted_has(op->tenants, op->tenant_count, row->tenant);
}

/** What was copied becomes the page. */
static void from_memory(struct st_pager *p)
{
    struct th_page *op = p->op;
    uint32_t copied = op->count;

    p->r->mark = st_exchange_mark(p->r->store);
    op->count = 0;
    if (op->kind == TH_PAGE_ATTEMPTS && copied)
        p->rc = fix_moment(p);
    for (uint32_t i = 0; i < copied && p->rc == ST_OK && p->error == TH_OK; i++)
        if (op->kind == TH_PAGE_EVENTS && is_wanted_event(op, &op->rows.events[i]))
            op->rows.events[op->count++] = op->rows.events[i];
        else if (op->kind == TH_PAGE_ATTEMPTS && complete_attempt(p, &op->rows.attempts[i]))
            op->rows.attempts[op->count++] = op->rows.attempts[i];
    op->total = op->count;
}

static void run(struct st_pager *p)
{
    int64_t deadline = st_budget_now_ms() + LONG_MS;
    uint64_t examined = 0;
    bool spent, started = false;

    do {
        p->rc = fix_moment(p);
        if (p->rc != ST_OK)
            return;
        st_budget_start(&p->budget);
        if (!started)
            start(p);
        started = true;
        spent = fill(p);
        end_transaction(p);
        examined += p->budget.examined;
    } while (spent && (p->op->with_total || p->op->skip) && examined < LONG_ROWS &&
             st_budget_now_ms() < deadline);
    if (spent && !p->op->next)
        p->op->next = p->src.pos;
}

void st_page(struct st_reader *r, struct th_page *op)
{
    struct st_pager p = {.r = r, .op = op, .event_st = r->st[op->with_data ? ST_R_LOAD : ST_R_EVENT]};

    p.error = prepare(&p);
    if (p.error == TH_OK && st_recent_copy(&p))
        from_memory(&p);
    else if (p.error == TH_OK)
        run(&p);
    if (p.error == TH_OK)
        p.error = st_error(r->db, p.rc);
    end_transaction(&p);
    th_free(p.src.list);
    op->op.error = p.error;
    if (p.error != TH_OK) {
        op->next = op->total = 0;
        st_page_free(op);
    }
}
