/* The reads of the memory store: every row is looked at, newest first. A page's spans point into one block of
 * copies made for it, so that they stay valid whatever is written later. See store_memory.c. */
#include "base/sorted.h"
#include "model/store_memory_int.h"

/* ---- load and walk ---- */

static void load(struct mem_store *s, struct th_load *op)
{
    th_buf_reset(&op->mem);
    for (uint32_t i = 0; i < op->count; i++) {
        const struct mem_event *e = mem_find(&s->events, op->events[i]);
        struct th_span *spans[MEM_SPANS];

        op->rows[i] = e ? e->row : (struct th_event_row){0};
        mem_spans(&op->rows[i], spans);
        for (size_t j = 0; e && j < MEM_SPANS; j++)
            th_buf_span(&op->mem, *spans[j]);
    }
    op->op.error = op->mem.failed;
    for (uint32_t i = 0, at = 0; op->mem.failed == TH_OK && i < op->count; i++) {
        struct th_event_row *r = &op->rows[i];
        struct th_span *spans[MEM_SPANS];

        mem_spans(r, spans);
        for (size_t j = 0; r->no && j < MEM_SPANS; j++) {
            spans[j]->p = spans[j]->n ? op->mem.p + at : "";
            at += (uint32_t)spans[j]->n;
        }
        th_copy_id_read(&r->external_id, &r->origin, &r->origin_at);
    }
}

static void walk(struct mem_store *s, struct th_walk *op)
{
    op->op.error = TH_OK;
    op->count = 0;
    op->next = 0;
    for (size_t i = mem_lower(&s->deliveries, op->from); i < s->deliveries.n; i++) {
        const struct mem_delivery *d = (const struct mem_delivery *)s->deliveries.v[i];

        if (d->state != TH_DS_QUEUED || !th_walk_wants(op, d->endpoint))
            continue;
        if (op->count == op->max) {
            op->next = d->no;
            return;
        }
        op->rows[op->count++] = mem_queue_row(d);
    }
}

/* ---- pages ---- */

struct piece {
    struct piece *next;
    char bytes[];
};

struct mem_page {
    struct piece *pieces;
    size_t used;
    void *rows;
    bool failed;
};

void mem_page_free(struct th_page *op)
{
    struct mem_page *mem = op->mem;

    if (!mem)
        return;
    while (mem->pieces) {
        struct piece *p = mem->pieces;

        mem->pieces = p->next;
        th_free(p);
    }
    th_free(mem->rows);
    th_free(mem);
    op->mem = NULL;
    op->rows.events = NULL;
    op->count = 0;
}

static struct th_span copy(struct mem_page *mem, struct th_span s)
{
    struct piece *p = s.n ? th_malloc(sizeof *p + s.n) : NULL;

    if (!p) {
        mem->failed = mem->failed || s.n;
        return (struct th_span){"", 0};
    }
    p->next = mem->pieces;
    mem->pieces = p;
    mem->used += s.n;
    memcpy(p->bytes, s.p, s.n);
    return (struct th_span){p->bytes, s.n};
}

static struct th_event_row copy_event(const struct th_page *op, const struct mem_event *e)
{
    struct th_event_row r = e->row;
    struct th_span *spans[MEM_SPANS];

    if (!op->with_data)
        r.data = (struct th_span){"", 0};
    mem_spans(&r, spans);
    for (size_t i = 0; i < MEM_SPANS; i++)
        *spans[i] = copy(op->mem, *spans[i]);
    th_copy_id_read(&r.external_id, &r.origin, &r.origin_at);
    return r;
}

static struct th_attempt_row copy_attempt(const struct th_page *op, const struct mem_attempt *a, bool answer)
{
    struct th_attempt_row r = a->row;

    r.sigs = copy(op->mem, r.sigs);
    r.detail = copy(op->mem, r.detail);
    r.head = answer ? copy(op->mem, r.head) : (struct th_span){"", 0};
    r.body = answer ? copy(op->mem, r.body) : (struct th_span){"", 0};
    return r;
}

static bool tenant_matches(struct mem_store *s, const struct th_page *op, const struct mem_event *e)
{
    const struct mem_row *t;

    if (op->tenant_count)
        return th_sorted_has(op->tenants, op->tenant_count, e->row.tenant);
    if (op->tenant || !op->external_id.n)
        return !op->tenant || e->row.tenant == op->tenant;
    t = mem_row_find(s, TH_ROW_TENANT, e->row.tenant, TH_LIT(""));
    return t && !t->deleted;
}

uint64_t mem_origin_of(const struct mem_event *e)
{
    struct th_span id = e->row.external_id;
    uint64_t origin;
    int64_t at;

    th_copy_id_read(&id, &origin, &at);
    return origin;
}

static bool event_matches(struct mem_store *s, const struct th_page *op, const struct mem_event *e)
{
    return e && tenant_matches(s, op, e) && (!op->type.n || th_pattern_has(op->type, e->row.type)) &&
           (!op->external_id.n || th_span_eq(op->external_id, e->row.external_id)) &&
           (!op->event || op->event == e->row.no ||
            (op->kind != TH_PAGE_EVENTS && op->event == mem_origin_of(e))) &&
           !(op->kind == TH_PAGE_EVENTS && mem_origin_of(e)) && (!op->since || e->row.at.ms >= op->since) &&
           (!op->until || e->row.at.ms < op->until);
}

static bool outcome_matches(const struct th_page *op, const struct mem_attempt *a)
{
    if (!op->outcomes && !op->by_answer)
        return true;
    return a && (!op->by_answer || TH_ANSWERED(op, a->row.status)) &&
           (!op->outcomes || (op->outcomes & TH_OUTCOME_BIT(a->row.class, a->row.ok)));
}

static bool delivery_matches(const struct th_page *op, const struct mem_delivery *d)
{
    bool listed = false;

    if ((op->endpoint && op->endpoint != d->endpoint) || (op->states && !(op->states >> d->state & 1)))
        return false;
    if (d->state != TH_DS_QUEUED)
        return true;
    for (uint32_t i = 0; i < op->endpoint_count; i++)
        listed = listed || op->endpoints[i] == d->endpoint;
    if (op->waiting)
        return op->waiting & (th_is_scheduled(d->marks, d->attempts, d->due, op->now) ? TH_WAITS_SCHEDULED
                              : listed                                                ? TH_WAITS_HELD
                              : d->attempts                                           ? TH_WAITS_RETRYING
                                                                                      : TH_WAITS_PENDING);
    if ((op->queued == TH_NO_ATTEMPTS && d->attempts) || (op->queued == TH_SOME_ATTEMPTS && !d->attempts))
        return false;
    return op->endpoints_exclude ? !listed : listed || !op->endpoint_count;
}

static bool is_test(const struct mem_delivery *d, const struct mem_event *e)
{
    return (d && d->lane == TH_LANE_TEST) || th_span_is(e->row.type, TH_TEST_TYPE);
}

static struct th_past_endpoint past_endpoint(struct mem_store *s, struct th_page *op, uint64_t no)
{
    const struct mem_row *r = mem_row_find(s, TH_ROW_ENDPOINT, no, TH_LIT(""));

    if (!r || !r->deleted)
        return (struct th_past_endpoint){.settings = {"", 0}};
    return (struct th_past_endpoint){r->row.created, copy(op->mem, r->row.settings)};
}

/* Without its event and its last attempt. */
static struct th_delivery_row delivery_of(const struct mem_delivery *d)
{
    return (struct th_delivery_row){.no = d->no,
                                    .endpoint = d->endpoint,
                                    .state = d->state,
                                    .lane = d->lane,
                                    .tries = d->tries,
                                    .marks = d->marks,
                                    .order = d->order,
                                    .attempts = d->attempts,
                                    .due = d->due,
                                    .ended = d->ended};
}

static void give_delivery(struct mem_store *s, struct th_page *op, const struct mem_delivery *d,
                          const struct mem_event *e)
{
    const struct mem_attempt *last = mem_find(&s->attempts, d->last);
    struct th_delivery_row *row = &op->rows.deliveries[op->count];

    *row = delivery_of(d);
    row->event = copy_event(op, e);
    row->last_attempt = last ? last->no : 0;
    row->event.test = is_test(d, e);
    row->past = past_endpoint(s, op, d->endpoint);
    if (last)
        row->last = copy_attempt(op, last, false);
}

static void give_attempt(struct mem_store *s, struct th_page *op, const struct mem_attempt *a,
                         const struct mem_delivery *d, const struct mem_event *e)
{
    struct th_attempt_view *row = &op->rows.attempts[op->count];

    *row = (struct th_attempt_view){.no = a->no,
                                    .delivery = a->delivery,
                                    .endpoint = a->endpoint,
                                    .row = copy_attempt(op, a, op->with_answers),
                                    .of = delivery_of(d),
                                    .endpoint_settings = {"", 0},
                                    .event = copy_event(op, e)};
    row->test = row->event.test = is_test(d, e);
    row->past = past_endpoint(s, op, a->endpoint);
    for (size_t i = 0; i < s->rev_n && !op->without_settings; i++)
        if (s->revs[i]->endpoint == a->endpoint && s->revs[i]->rev == a->row.endpoint_rev)
            row->endpoint_settings = copy(op->mem, s->revs[i]->settings);
}

/** Of an event: one of its deliveries, when that is asked for. */
static bool any_matches(struct mem_store *s, const struct th_page *op, const struct mem_event *e)
{
    for (uint32_t i = 0; i < e->row.deliveries; i++) {
        const struct mem_delivery *d = mem_find(&s->deliveries, e->row.first_delivery + i);
        if (d && outcome_matches(op, mem_find(&s->attempts, d->last)))
            return true;
    }
    return !op->outcomes && !op->by_answer;
}

/** Gives a row of any kind out, or only counts it (give == false). False: it does not match. */
static bool candidate(struct mem_store *s, struct th_page *op, const void *candidate_row, bool give)
{
    const struct mem_event *e = candidate_row;
    const struct mem_delivery *d = candidate_row;
    const struct mem_attempt *a = candidate_row;

    if (op->kind == TH_PAGE_EVENTS) {
        d = e->row.deliveries == 1 ? mem_find(&s->deliveries, e->row.first_delivery) : NULL;
        if (!event_matches(s, op, e) || !any_matches(s, op, e) || (op->without_tests && is_test(d, e)))
            return false;
        if (give) {
            op->rows.events[op->count] = copy_event(op, e);
            op->rows.events[op->count].test = is_test(d, e);
        }
        return true;
    }
    if (op->kind == TH_PAGE_DELIVERIES) {
        e = mem_find(&s->events, d->event);
        if ((op->delivery && op->delivery != d->no) || !delivery_matches(op, d) || !event_matches(s, op, e) ||
            !outcome_matches(op, mem_find(&s->attempts, d->last)) || (op->without_tests && is_test(d, e)))
            return false;
        if (give)
            give_delivery(s, op, d, e);
        return true;
    }
    d = mem_find(&s->deliveries, a->delivery);
    e = d ? mem_find(&s->events, d->event) : NULL;
    if ((op->delivery && op->delivery != a->delivery) || (op->endpoint && op->endpoint != a->endpoint) ||
        !event_matches(s, op, e) || !outcome_matches(op, a) || (op->without_tests && is_test(d, e)))
        return false;
    if (give)
        give_attempt(s, op, a, d, e);
    return true;
}

static bool page_start(struct th_page *op)
{
    static const size_t sizes[] = {sizeof(struct th_event_row), sizeof(struct th_delivery_row),
                                   sizeof(struct th_attempt_view)};
    struct mem_page *mem = th_calloc(1, sizeof *mem);

    op->count = 0;
    op->next = op->total = 0;
    op->reached = op->after;
    op->mem = mem;
    op->rows.events = NULL;
    if (op->limit > 1000)
        op->limit = 1000;
    if (mem)
        mem->rows = th_calloc(op->limit + 1, sizes[op->kind]);
    if (!mem || !mem->rows)
        return false;
    op->rows.events = mem->rows;
    return true;
}

static void page_up(struct mem_store *s, struct th_page *op)
{
    const struct mem_vec *v = op->kind == TH_PAGE_EVENTS ? &s->events : &s->attempts;

    for (size_t i = mem_lower(v, op->after + 1); i < v->n; i++) {
        bool room = op->count < op->limit;

        if (op->max_bytes && op->count && ((struct mem_page *)op->mem)->used >= op->max_bytes) {
            op->next = op->reached;
            break;
        }
        if (!candidate(s, op, v->v[i], room)) {
            op->reached = *v->v[i];
            continue;
        }
        op->total++;
        if (!room) {
            op->next = op->reached;
            break;
        }
        op->reached = *v->v[i];
        op->count++;
    }
    if (((struct mem_page *)op->mem)->failed) {
        mem_page_free(op);
        op->op.error = TH_NOMEM;
    }
}

static void page(struct mem_store *s, struct th_page *op)
{
    const struct mem_vec *of[] = {&s->events, &s->deliveries, &s->attempts};
    const struct mem_vec *v;
    uint64_t last = 0;

    op->op.error = (unsigned)op->kind > TH_PAGE_ATTEMPTS || !th_page_is_bounded(op) ? TH_BUG : TH_OK;
    if (op->op.error != TH_OK)
        return;
    if (!page_start(op)) {
        mem_page_free(op);
        op->op.error = TH_NOMEM;
        return;
    }
    v = of[op->kind];
    if (op->kind != TH_PAGE_DELIVERIES && op->ascending) {
        page_up(s, op);
        return;
    }
    if (op->kind != TH_PAGE_DELIVERIES && v->n)
        op->reached = *v->v[v->n - 1];
    for (size_t i = op->before ? mem_lower(v, op->before) : v->n; i-- > 0;) {
        bool full = op->max_bytes && op->count && ((struct mem_page *)op->mem)->used >= op->max_bytes;
        bool room = op->count < op->limit && !op->skip && !full;

        if (full && !op->with_total) {
            op->next = last;
            break;
        }
        if ((op->no && op->no != *v->v[i]) || !candidate(s, op, v->v[i], room))
            continue;
        op->total++;
        if (room) {
            op->count++;
            last = *v->v[i];
        } else if (op->skip) {
            op->skip--;
        } else {
            if (!op->next)
                op->next = last;
            if (!op->with_total)
                break;
        }
    }
    if (((struct mem_page *)op->mem)->failed) {
        mem_page_free(op);
        op->op.error = TH_NOMEM;
    }
}

/* Nobody shares it. */
static void follow(struct th_follow *op)
{
    op->upto = op->seen;
    op->told = UINT64_MAX;
    memset(op->slots, 255, sizeof op->slots);
}

/* What waited at the end of a step, and at the most. Where all were counted and a tenant was not, nothing of it waited, unless tenants were
 * left out. The last that was noted in a minute holds for it. */
static void backlog(const struct mem_store *s, struct th_stats *op)
{
    for (size_t i = 0; i < s->backlog_n; i++) {
        const struct mem_backlog *b = &s->backlogs[i];
        struct th_backlog_step *step = &op->backlog[(b->at - op->since) / op->step];

        if (b->at < op->since || b->at >= op->until)
            continue;
        if (b->tenant == 0 && op->tenant) {
            if (!b->cut) {
                step->known = true;
                step->last = 0;
            }
        } else if (b->tenant == op->tenant) {
            step->known = true;
            step->last = b->waiting;
            step->most = b->waiting > step->most ? b->waiting : step->most;
        }
    }
}

static void stats(const struct mem_store *s, struct th_stats *op)
{
    op->complete_from = op->since;
    if (op->backlog)
        backlog(s, op);
    for (size_t i = 0; i < s->sample_n; i++) {
        const struct mem_sample *a = &s->samples[i];
        struct th_stats_bucket *b = op->buckets;
        uint32_t of = 0;

        while (of < op->endpoint_count && op->endpoints[of] != a->endpoint)
            of++;
        if (a->at < op->since || a->at >= op->until || (op->tenant && a->tenant != op->tenant) ||
            (op->endpoint && a->endpoint != op->endpoint) || (op->endpoints && of == op->endpoint_count))
            continue;
        b += (int64_t)of * op->count + (a->at - op->since) / op->step;
        b->by[a->outcome]++;
        if (a->us >= 0)
            b->times[th_timehist_class(a->us)]++;
    }
}

void mem_read(struct mem_store *s, struct th_op *op)
{
    if (op->kind == TH_OP_LOAD)
        load(s, (struct th_load *)op);
    else if (op->kind == TH_OP_WALK)
        walk(s, (struct th_walk *)op);
    else if (op->kind == TH_OP_FOLLOW)
        follow((struct th_follow *)op);
    else if (op->kind == TH_OP_STATS)
        stats(s, (struct th_stats *)op);
    else
        page(s, (struct th_page *)op);
}
