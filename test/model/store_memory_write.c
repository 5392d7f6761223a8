/* The writes of the memory store: what each means, in the plainest form. An op first makes everything that
 * can fail (memory), then changes the rows, so that a failed op leaves no trace. Settings and retention are
 * in store_memory_settings.c. See store_memory.c. */
#include "model/store_memory_int.h"

static void align(uint64_t *next, int64_t at_ms)
{
    uint64_t start = mem_day(at_ms) << 40 | 1;

    if (*next < start)
        *next = start;
}

uint64_t mem_idem_day(const struct mem_store *s, int64_t at_ms)
{
    uint64_t today = mem_day(at_ms), reached = s->next_event >> 40;

    return today > reached ? today : reached;
}

struct mem_row *mem_row_find(struct mem_store *s, enum th_row_kind kind, uint64_t no, struct th_span id)
{
    for (size_t i = 0; i < s->rows.n; i++) {
        struct mem_row *r = (struct mem_row *)s->rows.v[i];

        if (r->row.kind == kind && (kind == TH_ROW_META ? th_span_eq(r->row.id, id) : r->row.no == no))
            return r;
    }
    return NULL;
}

struct mem_idem *mem_idem_find(struct mem_idem *list, uint64_t day, uint64_t tenant,
                               const struct th_idem *idem)
{
    for (; list; list = list->next)
        if (list->tenant == tenant && list->day + 1 >= day &&
            memcmp(list->idem.key, idem->key, sizeof idem->key) == 0)
            return list;
    return NULL;
}

/* ---- accept ---- */

static size_t own_key(char *to, uint64_t tenant, struct th_span id)
{
    memcpy(to, &tenant, sizeof tenant);
    if (id.n)
        memcpy(to + sizeof tenant, id.p, id.n);
    return sizeof tenant + id.n;
}

void mem_spans(struct th_event_row *row, struct th_span *spans[MEM_SPANS])
{
    struct th_span *all[MEM_SPANS] = {&row->type,
                                      &row->data,
                                      &row->external_id,
                                      &row->resource_type,
                                      &row->resource_id,
                                      &row->more.order_key,
                                      &row->more.channels,
                                      &row->more.traceparent,
                                      &row->more.content_type};

    memcpy(spans, all, sizeof all);
}

static struct mem_event *new_event(const struct th_accept *a, const struct th_new_event *e)
{
    struct mem_event *m = th_calloc(1, sizeof *m + TH_EVENT_BYTES(e) + 1);
    struct th_span *spans[MEM_SPANS];
    char *at;

    if (!m)
        return NULL;
    at = m->bytes;
    m->row = (struct th_event_row){.tenant = a->tenant,
                                   .at = a->at,
                                   .time = e->time,
                                   .rnd = e->rnd,
                                   .deliveries = e->endpoint_count,
                                   .type = e->type,
                                   .data = e->data,
                                   .external_id = e->external_id,
                                   .resource_type = e->resource_type,
                                   .resource_id = e->resource_id,
                                   .more = e->more};
    mem_spans(&m->row, spans);
    for (size_t i = 0; i < MEM_SPANS; i++)
        *spans[i] = mem_put(&at, *spans[i]);
    if (!e->external_id.n)
        return m;
    m->own_key = th_malloc(sizeof(uint64_t) + e->external_id.n);
    if (!m->own_key) {
        th_free(m);
        return NULL;
    }
    m->own_key_n = own_key(m->own_key, a->tenant, e->external_id);
    return m;
}

void mem_event_free(struct mem_event *e)
{
    if (e)
        th_free(e->own_key);
    th_free(e);
}

/** What an accept needs, made before anything changes. */
struct made {
    struct mem_event **events;
    struct mem_fan *fan; /* NULL: everything is queued at once */
    struct mem_delivery **deliveries;
    struct mem_idem *idem;
    size_t delivery_n, own_n; /* own_n: events whose external id is in the map */
};

static void unmake(struct mem_store *s, struct made *m, uint32_t count)
{
    for (size_t i = 0; i < m->own_n; i++)
        if (m->events[i]->own_key)
            th_smap_del(&s->own, th_span(m->events[i]->own_key, m->events[i]->own_key_n));
    for (uint32_t i = 0; m->events && i < count; i++)
        mem_event_free(m->events[i]);
    for (size_t i = 0; m->deliveries && i < m->delivery_n; i++)
        th_free(m->deliveries[i]);
    th_free(m->fan);
    th_free(m->events);
    th_free(m->deliveries);
    th_free(m->idem);
}

static enum th_error make(struct mem_store *s, struct th_accept *a, struct made *m)
{
    uint32_t room = s->fanout_step, all = 0;

    for (uint32_t i = 0; i < a->count; i++) {
        struct th_new_event *e = &a->events[i];

        e->queued = e->endpoint_count < room ? e->endpoint_count : room;
        room -= e->queued;
        all += e->endpoint_count;
        m->delivery_n += e->queued;
    }
    m->events = th_calloc(a->count, sizeof(*m->events));
    m->fan = all > m->delivery_n ? mem_fan_new(all) : NULL;
    m->deliveries = th_calloc(m->delivery_n + 1, sizeof(*m->deliveries));
    m->idem = th_calloc(1, sizeof *m->idem + 1);
    if (!m->events || (all > m->delivery_n && !m->fan) || !m->deliveries || !m->idem ||
        !mem_room(&s->events, a->count) || !mem_room(&s->deliveries, m->delivery_n))
        return TH_NOMEM;
    for (size_t i = 0; i < m->delivery_n; i++)
        if (!(m->deliveries[i] = th_calloc(1, sizeof **m->deliveries)))
            return TH_NOMEM;
    for (uint32_t i = 0; i < a->count; i++, m->own_n++) {
        m->events[i] = new_event(a, &a->events[i]);
        if (!m->events[i])
            return TH_NOMEM;
        if (m->events[i]->own_key &&
            th_smap_put(&s->own, th_span(m->events[i]->own_key, m->events[i]->own_key_n), m->events[i]) !=
                TH_OK)
            return TH_NOMEM;
    }
    return TH_OK;
}

static bool own_taken(struct mem_store *s, const struct th_accept *a, uint32_t i)
{
    struct th_span id = a->events[i].external_id;
    char key[sizeof(uint64_t) + 256];
    const struct mem_event *of;
    uint64_t origin;
    int64_t at;

    if (!id.n)
        return false;
    for (uint32_t j = 0; j < i; j++)
        if (th_span_eq(a->events[j].external_id, id))
            return true;
    th_copy_id_read(&(struct th_span){id.p, id.n}, &origin, &at);
    if (origin && (!(of = mem_find(&s->events, origin)) || of->row.erased))
        return true; /* a copy of nothing */
    if (id.n <= 256)
        return th_smap_get(&s->own, th_span(key, own_key(key, a->tenant, id))) != NULL;
    for (size_t j = 0; j < s->events.n; j++) {
        const struct mem_event *e = (const struct mem_event *)s->events.v[j];

        if (e->row.tenant == a->tenant && th_span_eq(e->row.external_id, id))
            return true;
    }
    return false;
}

struct th_queue_row mem_queue_row(const struct mem_delivery *d)
{
    return (struct th_queue_row){.no = d->no,
                                 .event = d->event,
                                 .endpoint = d->endpoint,
                                 .order = d->order,
                                 .due = d->due,
                                 .round = d->round,
                                 .lane = d->lane,
                                 .tries = d->tries,
                                 .marks = d->marks,
                                 .attempts = d->attempts};
}

struct th_queue_row mem_new_row(const struct th_accept *a, const struct th_new_event *e, uint32_t i)
{
    return (struct th_queue_row){.no = e->first_delivery + i,
                                 .event = e->no,
                                 .endpoint = e->endpoints[i],
                                 .order = e->orders ? e->orders[i] : 0,
                                 .due = e->more.deliver_at > a->at.ms ? e->more.deliver_at : a->at.ms,
                                 .lane = e->lane,
                                 .marks = e->marks ? e->marks[i] : 0};
}

struct mem_delivery mem_delivery_of(const struct th_queue_row *row)
{
    return (struct mem_delivery){.no = row->no,
                                 .event = row->event,
                                 .endpoint = row->endpoint,
                                 .order = row->order,
                                 .due = row->due,
                                 .state = TH_DS_QUEUED,
                                 .lane = row->lane,
                                 .marks = row->marks};
}

static void link_event(struct mem_store *s, const struct th_accept *a, struct th_new_event *e,
                       struct mem_event *m, struct mem_delivery **deliveries)
{
    e->no = m->row.no = s->next_event++;
    e->first_delivery = m->row.first_delivery = s->next_delivery;
    s->events.v[s->events.n++] = &m->row.no;
    for (uint32_t i = 0; i < e->queued; i++) {
        struct th_queue_row row = mem_new_row(a, e, i);
        *deliveries[i] = mem_delivery_of(&row);
        s->deliveries.v[s->deliveries.n++] = &deliveries[i]->no;
    }
    s->next_delivery += e->endpoint_count;
}

static bool is_of(const struct mem_store *s, uint64_t event, uint64_t tenant)
{
    const struct mem_event *e = mem_find(&s->events, event);

    return e && e->row.tenant == tenant;
}

struct th_usage mem_usage(const struct mem_store *s, uint64_t tenant)
{
    struct th_usage use = {0};

    for (size_t i = 0; i < s->events.n; i++) {
        const struct th_event_row *r = &((const struct mem_event *)s->events.v[i])->row;
        if (r->tenant == tenant)
            use.bytes += (int64_t)TH_EVENT_BYTES(r);
    }
    for (size_t i = 0; i < s->attempts.n; i++) {
        const struct mem_attempt *a = (const struct mem_attempt *)s->attempts.v[i];
        const struct mem_delivery *d = mem_find(&s->deliveries, a->delivery);
        if (d && is_of(s, d->event, tenant))
            use.bytes += (int64_t)(a->row.sigs.n + a->row.detail.n + a->row.head.n + a->row.body.n);
    }
    for (size_t i = 0; i < s->deliveries.n; i++) {
        const struct mem_delivery *d = (const struct mem_delivery *)s->deliveries.v[i];
        use.unfinished += d->state == TH_DS_QUEUED && is_of(s, d->event, tenant);
    }
    for (const struct mem_fan *fan = s->fans; fan; fan = fan->next)
        if (is_of(s, fan->event, tenant))
            use.unfinished += fan->n - (int64_t)(mem_lower(&s->deliveries, fan->first + fan->n) -
                                                 mem_lower(&s->deliveries, fan->first));
    return use;
}

static bool limit_reached(const struct mem_store *s, struct th_accept *a)
{
    struct th_usage use;
    uint64_t bytes = 0, deliveries = 0;

    if (!a->max_bytes && !a->max_unfinished)
        return false;
    use = mem_usage(s, a->tenant);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct th_new_event *e = &a->events[i];
        bytes += TH_EVENT_BYTES(e);
        deliveries += e->endpoint_count;
    }
    a->limited = !th_usage_fits(use.bytes, bytes, a->max_bytes)                  ? TH_USE_BYTES
                 : !th_usage_fits(use.unfinished, deliveries, a->max_unfinished) ? TH_USE_UNFINISHED
                                                                                 : TH_USE_NONE;
    return a->limited != TH_USE_NONE;
}

/** True: the op has its result without writing anything. */
static bool accept_refused(struct mem_store *s, struct th_accept *a, uint64_t day)
{
    const struct mem_idem *known = a->idem.given ? mem_idem_find(s->idem, day, a->tenant, &a->idem) : NULL;
    const struct mem_event *before = a->events[0].no ? mem_find(&s->events, a->events[0].no) : NULL;
    const struct mem_row *tenant = mem_row_find(s, TH_ROW_TENANT, a->tenant, TH_LIT(""));

    if (before && before->row.tenant == a->tenant && before->row.at.ms == a->at.ms &&
        before->row.rnd == a->events[0].rnd) { /* sent again after an unknown outcome */
        a->result = TH_ACCEPT_NEW;
        a->first_event = before->row.no;
        return true;
    }
    if (known) {
        a->result = memcmp(known->idem.body, a->idem.body, sizeof a->idem.body) == 0 ||
                            memcmp(known->idem.body, (uint8_t[16]){0}, 16) == 0 /* erased */
                        ? TH_ACCEPT_REPEATED
                        : TH_ACCEPT_KEY_REUSED;
        a->first_event = known->first;
        a->repeated_count = known->n;
        return true;
    }
    if (!tenant || tenant->deleted || tenant->row.rev != a->settings_version) {
        a->result = TH_ACCEPT_STALE;
        return true;
    }
    for (uint32_t i = 0; i < a->count; i++)
        if (own_taken(s, a, i)) {
            a->result = TH_ACCEPT_ID_TAKEN;
            a->taken = i;
            return true;
        }
    if (limit_reached(s, a)) {
        a->result = TH_ACCEPT_LIMITED;
        return true;
    }
    return false;
}

static bool marks_and_orders_fit(const struct th_accept *a)
{
    for (uint32_t i = 0; i < a->count; i++)
        for (uint32_t k = 0; k < a->events[i].endpoint_count; k++) {
            struct th_queue_row row = mem_new_row(a, &a->events[i], k);
            if (row.marks & ~TH_MARKS || row.order > TH_ORDER_MAX)
                return false;
        }
    return true;
}

static void accept(struct mem_store *s, struct th_accept *a)
{
    uint64_t day = mem_idem_day(s, a->at.ms);
    struct made m = {0};
    size_t used = 0;

    a->op.error = a->count == 0 || a->count > 1000 || !marks_and_orders_fit(a) ? TH_BUG : TH_OK;
    if (a->op.error != TH_OK || accept_refused(s, a, day))
        return;
    a->op.error = make(s, a, &m);
    if (a->op.error != TH_OK) {
        unmake(s, &m, a->count);
        return;
    }
    align(&s->next_event, a->at.ms);
    align(&s->next_delivery, a->at.ms);
    a->result = TH_ACCEPT_NEW;
    a->first_event = s->next_event;
    for (uint32_t i = 0; i < a->count; i++) {
        link_event(s, a, &a->events[i], m.events[i], m.deliveries + used);
        used += a->events[i].queued;
    }
    if (a->idem.given) {
        *m.idem = (struct mem_idem){.next = s->idem,
                                    .day = day,
                                    .tenant = a->tenant,
                                    .first = a->first_event,
                                    .n = a->count,
                                    .idem = a->idem};
        s->idem = m.idem;
        m.idem = NULL;
    }
    if (m.fan)
        mem_fan_add(s, m.fan, a);
    th_free(m.idem);
    th_free(m.events);
    th_free(m.deliveries);
}

/* ---- settle and move ---- */

static struct mem_attempt *new_attempt(const struct th_settle *s)
{
    const struct th_attempt_row *r = &s->row;
    struct mem_attempt *m = th_calloc(1, sizeof *m + r->sigs.n + r->detail.n + r->head.n + r->body.n + 1);
    char *at;

    if (!m)
        return NULL;
    at = m->bytes;
    m->row = *r;
    m->row.sigs = mem_put(&at, r->sigs);
    m->row.detail = mem_put(&at, r->detail);
    m->row.head = mem_put(&at, r->head);
    m->row.body = mem_put(&at, r->body);
    m->delivery = s->delivery;
    return m;
}

/* Sent again: what went with it was committed with it, and nothing can have changed since. */
static void settled_before(struct mem_store *s, struct th_settle *op)
{
    const struct mem_row *tenant;

    op->applied = true;
    if (!op->with)
        return;
    tenant = mem_row_find(s, TH_ROW_TENANT, op->with->tenant, TH_LIT(""));
    op->with->op.error = TH_OK;
    op->with->result = TH_SETTINGS_DONE;
    op->with->new_version = op->with->tenant && tenant ? tenant->row.rev : 0;
}

static bool with_refused(struct mem_store *s, struct th_settle *op)
{
    if (!op->with)
        return false;
    mem_settings(s, op->with);
    op->op.error = op->with->op.error                     ? op->with->op.error
                   : op->with->result != TH_SETTINGS_DONE ? TH_CONFLICT
                                                          : TH_OK;
    return op->op.error != TH_OK;
}

static bool sample_room(struct mem_store *s)
{
    size_t cap = s->sample_cap ? 2 * s->sample_cap : 64;
    struct mem_sample *more;

    if (s->sample_n < s->sample_cap)
        return true;
    more = th_realloc(s->samples, cap * sizeof *more);
    if (!more)
        return false;
    s->samples = more;
    s->sample_cap = cap;
    return true;
}

static void sample(struct mem_store *s, uint64_t endpoint, const struct th_attempt_row *row)
{
    const struct mem_row *of = mem_row_find(s, TH_ROW_ENDPOINT, endpoint, TH_LIT(""));

    if (!row->test)
        s->samples[s->sample_n++] = (struct mem_sample){of ? of->row.tenant : 0, endpoint, row->at.ms,
                                                        row->us[4], th_stats_outcome(row->class, row->ok)};
}

static void backlog(struct mem_store *s, struct th_backlog *op)
{
    size_t need = s->backlog_n + op->count;

    op->op.error = TH_OK;
    if (need > s->backlog_cap) {
        struct mem_backlog *more = th_realloc(s->backlogs, 2 * need * sizeof *more);

        if (!more) {
            op->op.error = TH_NOMEM;
            return;
        }
        s->backlogs = more;
        s->backlog_cap = 2 * need;
    }
    for (uint32_t i = 0; i < op->count; i++)
        s->backlogs[s->backlog_n++] =
            (struct mem_backlog){op->at.ms, op->rows[i].tenant, op->rows[i].waiting, op->cut};
}

static void settle_one(struct mem_store *s, struct th_settle *op)
{
    struct mem_delivery *d = mem_find(&s->deliveries, op->delivery);
    struct mem_attempt *last, *a;
    bool late;

    op->op.error = TH_OK;
    op->applied = false;
    if (!d)
        return;
    last = mem_find(&s->attempts, d->last);
    if (last && last->row.nth == op->row.nth && last->row.at.ms == op->row.at.ms &&
        last->row.status == op->row.status && last->row.class == op->row.class &&
        last->row.endpoint_rev == op->row.endpoint_rev && d->attempts == op->expect_attempts + 1u) {
        settled_before(s, op);
        return;
    }
    late = d->state != TH_DS_QUEUED || d->attempts != op->expect_attempts;
    a = new_attempt(op);
    if (!a || !mem_room(&s->attempts, 1) || !sample_room(s)) {
        th_free(a);
        op->op.error = TH_NOMEM;
        return;
    }
    if (!late && with_refused(s, op)) {
        th_free(a);
        return;
    }
    align(&s->next_attempt, op->row.at.ms);
    a->no = s->next_attempt++;
    a->endpoint = d->endpoint;
    s->attempts.v[s->attempts.n++] = &a->no;
    sample(s, d->endpoint, &a->row);
    if (late && ((const struct mem_event *)mem_find(&s->events, d->event))->row.erased)
        a->row.sigs = a->row.head = a->row.body = TH_LIT("");
    if (late) { /* logged behind the newest */
        if (last) {
            a->prev = last->prev;
            last->prev = a->no;
        } else {
            d->last = a->no;
        }
        return;
    }
    op->applied = true;
    d->marks |= op->marks;
    d->round = op->next != TH_DS_QUEUED || !op->tries ? 0 : d->round ? d->round : op->row.at.ms;
    a->prev = d->last;
    d->last = a->no;
    d->attempts++;
    d->tries = op->tries;
    d->state = op->next;
    d->due = op->next == TH_DS_QUEUED ? op->due.ms : 0;
    d->ended = op->next == TH_DS_QUEUED ? 0 : op->row.at.ms + (op->row.us[4] > 0 ? op->row.us[4] : 0) / 1000;
}

static void settle(struct mem_store *s, struct th_settle *op)
{
    settle_one(s, op);
    for (struct th_settle *m = op->more; m && !op->op.error; m = m->more) {
        settle_one(s, m);
        op->op.error = m->op.error;
    }
}

static bool endpoint_gone(struct mem_store *s, uint64_t endpoint)
{
    const struct mem_row *r = mem_row_find(s, TH_ROW_ENDPOINT, endpoint, TH_LIT(""));

    return r && r->deleted;
}

static bool may_move(const struct th_move *m, const struct mem_delivery *d)
{
    bool queued = d->state == TH_DS_QUEUED;

    switch ((int)m->what) {
    case TH_MOVE_REPLAY:
        return !queued || (d->lane == m->lane && d->due == m->at.ms && !d->tries);
    case TH_MOVE_HURRY:
        return queued && d->attempts && d->lane != TH_LANE_TEST;
    default:
        return true;
    }
}

static void move_one(struct mem_store *s, struct mem_delivery *d, struct th_move *m, uint32_t i)
{
    m->moved[i] = false;
    if (m->rows)
        m->rows[i] = (struct th_queue_row){0};
    if (!d) {
        m->missing++;
        return;
    }
    if (m->what == TH_MOVE_CANCEL || m->what == TH_MOVE_EXPIRE) {
        enum th_delivery_state state = m->what == TH_MOVE_EXPIRE ? TH_DS_EXPIRED : TH_DS_CANCELLED;

        m->moved[i] = d->state == TH_DS_QUEUED || (d->state == state && d->ended == m->at.ms);
        if (d->state != TH_DS_QUEUED)
            return;
        d->state = state;
        d->marks |= m->marks;
        d->ended = m->at.ms;
        d->due = d->round = 0;
        return;
    }
    if (m->what == TH_MOVE_MARK) {
        m->moved[i] = true;
        d->marks |= m->marks;
        return;
    }
    if (!may_move(m, d))
        return;
    if (endpoint_gone(s, d->endpoint)) {
        m->gone++;
        return;
    }
    if (((const struct mem_event *)mem_find(&s->events, d->event))->row.erased) {
        m->erased++;
        return;
    }
    m->moved[i] = true;
    d->state = TH_DS_QUEUED;
    d->due = m->at.ms;
    d->ended = 0;
    if (d->lane != TH_LANE_TEST && m->what != TH_MOVE_HURRY)
        d->lane = m->lane;
    d->marks |= m->marks;
    d->tries = 0;
    d->round = 0;
    if (m->rows)
        m->rows[i] = mem_queue_row(d);
}

static void move(struct mem_store *s, struct th_move *m)
{
    m->op.error = m->count <= 1000 ? TH_OK : TH_BUG;
    m->gone = m->erased = m->missing = 0;
    for (uint32_t i = 0; m->op.error == TH_OK && i < m->count; i++)
        move_one(s, mem_find(&s->deliveries, m->deliveries[i]), m, i);
}

static void count(struct mem_store *s, struct th_counts *c)
{
    c->op.error = c->count <= 1000 ? TH_OK : TH_BUG;
    for (uint32_t i = 0; c->op.error == TH_OK && i < c->count; i++) {
        struct th_waiting n = {0};

        for (size_t k = 0; k < s->deliveries.n; k++) {
            const struct mem_delivery *d = (const struct mem_delivery *)s->deliveries.v[k];
            bool counts =
                d->state == TH_DS_QUEUED && d->lane != TH_LANE_TEST && d->endpoint == c->endpoints[i];

            n.fresh += counts && !d->attempts;
            n.again += counts && d->attempts;
        }
        c->waiting[i] = n;
    }
}

void mem_write(struct mem_store *s, struct th_op *op)
{
    switch (op->kind) {
    case TH_OP_ACCEPT:
        accept(s, (struct th_accept *)op);
        break;
    case TH_OP_FANOUT:
        mem_fanout(s, (struct th_fanout *)op);
        break;
    case TH_OP_SETTLE:
        settle(s, (struct th_settle *)op);
        break;
    case TH_OP_MOVE:
        move(s, (struct th_move *)op);
        break;
    case TH_OP_SETTINGS:
        mem_settings(s, (struct th_settings_op *)op);
        break;
    case TH_OP_PURGE:
        mem_purge(s, (struct th_purge *)op);
        break;
    case TH_OP_TRIM:
        mem_trim(s, (struct th_trim *)op);
        break;
    case TH_OP_REWRAP:
        mem_rewrap(s, (struct th_rewrap *)op);
        break;
    case TH_OP_ERASE:
        mem_erase(s, (struct th_erase *)op);
        break;
    case TH_OP_BACKLOG:
        backlog(s, (struct th_backlog *)op);
        break;
    case TH_OP_COUNT:
        count(s, (struct th_counts *)op);
        break;
    case TH_OP_PROBE:
        op->error = TH_OK;
        break;
    default:
        op->error = TH_BUG;
    }
}
