/* The writes of the memory store: what each means, in the plainest form. An op first makes everything that
 * can fail (memory), then changes the rows, so that a failed op leaves no trace. See store_memory.c. */
#include "store/store_memory_int.h"

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

static struct mem_row *find_row(struct mem_store *s, enum th_row_kind kind, uint64_t no, struct th_span id)
{
    for (size_t i = 0; i < s->rows.n; i++) {
        struct mem_row *r = (struct mem_row *)s->rows.v[i];

        if (r->row.kind == kind && (kind == TH_ROW_META ? th_span_eq(r->row.id, id) : r->row.no == no))
            return r;
    }
    return NULL;
}

static struct mem_idem *find_idem(struct mem_idem *list, uint64_t day, uint64_t tenant,
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

static struct mem_event *new_event(const struct th_accept *a, const struct th_new_event *e)
{
    size_t n = e->type.n + e->data.n + e->own_id.n + e->resource_type.n + e->resource_id.n;
    struct mem_event *m = th_calloc(1, sizeof *m + n + 1);
    char *at;

    if (!m)
        return NULL;
    at = m->bytes;
    m->row = (struct th_event_row){.tenant = a->tenant,
                                   .at = a->at,
                                   .time = e->time,
                                   .rnd = e->rnd,
                                   .deliveries = e->endpoint_count,
                                   .type = mem_put(&at, e->type),
                                   .data = mem_put(&at, e->data),
                                   .own_id = mem_put(&at, e->own_id),
                                   .resource_type = mem_put(&at, e->resource_type),
                                   .resource_id = mem_put(&at, e->resource_id)};
    if (!e->own_id.n)
        return m;
    m->own_key = th_malloc(sizeof(uint64_t) + e->own_id.n);
    if (!m->own_key) {
        th_free(m);
        return NULL;
    }
    m->own_key_n = own_key(m->own_key, a->tenant, e->own_id);
    return m;
}

static void free_event(struct mem_event *e)
{
    if (e)
        th_free(e->own_key);
    th_free(e);
}

/** What an accept needs, made before anything changes. */
struct made {
    struct mem_event **events;
    struct mem_delivery **deliveries;
    struct mem_idem *idem;
    size_t delivery_n, own_n; /* own_n: events whose own id is in the map */
};

static void unmake(struct mem_store *s, struct made *m, uint32_t count)
{
    for (size_t i = 0; i < m->own_n; i++)
        if (m->events[i]->own_key)
            th_smap_del(&s->own, th_span(m->events[i]->own_key, m->events[i]->own_key_n));
    for (uint32_t i = 0; m->events && i < count; i++)
        free_event(m->events[i]);
    for (size_t i = 0; m->deliveries && i < m->delivery_n; i++)
        th_free(m->deliveries[i]);
    th_free(m->events);
    th_free(m->deliveries);
    th_free(m->idem);
}

static enum th_error make(struct mem_store *s, struct th_accept *a, struct made *m)
{
    for (uint32_t i = 0; i < a->count; i++)
        m->delivery_n += a->events[i].endpoint_count;
    m->events = th_calloc(a->count, sizeof(*m->events));
    m->deliveries = th_calloc(m->delivery_n + 1, sizeof(*m->deliveries));
    m->idem = th_calloc(1, sizeof *m->idem + 1);
    if (!m->events || !m->deliveries || !m->idem || !mem_room(&s->events, a->count) ||
        !mem_room(&s->deliveries, m->delivery_n))
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
    struct th_span id = a->events[i].own_id;
    char key[sizeof(uint64_t) + 256];

    if (!id.n)
        return false;
    for (uint32_t j = 0; j < i; j++)
        if (th_span_eq(a->events[j].own_id, id))
            return true;
    if (id.n <= 256)
        return th_smap_get(&s->own, th_span(key, own_key(key, a->tenant, id))) != NULL;
    for (size_t j = 0; j < s->events.n; j++) {
        const struct mem_event *e = (const struct mem_event *)s->events.v[j];

        if (e->row.tenant == a->tenant && th_span_eq(e->row.own_id, id))
            return true;
    }
    return false;
}

static void link_event(struct mem_store *s, const struct th_accept *a, struct th_new_event *e,
                       struct mem_event *m, struct mem_delivery **deliveries)
{
    e->no = m->row.no = s->next_event++;
    e->first_delivery = m->row.first_delivery = s->next_delivery;
    s->events.v[s->events.n++] = &m->row.no;
    for (uint32_t i = 0; i < e->endpoint_count; i++) {
        *deliveries[i] = (struct mem_delivery){.no = s->next_delivery++,
                                               .event = e->no,
                                               .endpoint = e->endpoints[i],
                                               .due = a->at.ms,
                                               .state = TH_DS_QUEUED,
                                               .lane = e->lane};
        s->deliveries.v[s->deliveries.n++] = &deliveries[i]->no;
    }
}

/** True: the op has its result without writing anything. */
static bool accept_refused(struct mem_store *s, struct th_accept *a, uint64_t day)
{
    const struct mem_idem *known = a->idem.given ? find_idem(s->idem, day, a->tenant, &a->idem) : NULL;
    const struct mem_event *before = a->events[0].no ? mem_find(&s->events, a->events[0].no) : NULL;
    const struct mem_row *tenant = find_row(s, TH_ROW_TENANT, a->tenant, TH_LIT(""));

    if (before && before->row.tenant == a->tenant && before->row.at.ms == a->at.ms &&
        before->row.rnd == a->events[0].rnd) { /* sent again after an unknown outcome */
        a->result = TH_ACCEPT_NEW;
        a->first_event = before->row.no;
        return true;
    }
    if (known) {
        a->result = memcmp(known->idem.body, a->idem.body, sizeof a->idem.body) == 0 ? TH_ACCEPT_REPLAYED
                                                                                     : TH_ACCEPT_KEY_REUSED;
        a->first_event = known->first;
        a->replayed_count = known->n;
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
    return false;
}

static void accept(struct mem_store *s, struct th_accept *a)
{
    uint64_t day = mem_idem_day(s, a->at.ms);
    struct made m = {0};
    size_t used = 0;

    a->op.error = a->count == 0 || a->count > 1000 ? TH_BUG : TH_OK;
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
        used += a->events[i].endpoint_count;
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

static void settle(struct mem_store *s, struct th_settle *op)
{
    struct mem_delivery *d = mem_find(&s->deliveries, op->delivery);
    struct mem_attempt *last, *a;

    op->op.error = TH_OK;
    op->applied = false;
    if (!d)
        return;
    last = mem_find(&s->attempts, d->last);
    if (last && last->row.nth == op->row.nth && last->row.at.ms == op->row.at.ms &&
        last->row.status == op->row.status && last->row.class == op->row.class &&
        last->row.endpoint_rev == op->row.endpoint_rev && d->attempts == op->expect_attempts + 1u) {
        op->applied = true; /* sent again */
        return;
    }
    a = new_attempt(op);
    if (!a || !mem_room(&s->attempts, 1)) {
        th_free(a);
        op->op.error = TH_NOMEM;
        return;
    }
    align(&s->next_attempt, op->row.at.ms);
    a->no = s->next_attempt++;
    a->endpoint = d->endpoint;
    s->attempts.v[s->attempts.n++] = &a->no;
    if (d->state != TH_DS_QUEUED || d->attempts != op->expect_attempts) { /* late: logged behind the newest */
        if (last) {
            a->prev = last->prev;
            last->prev = a->no;
        } else {
            d->last = a->no;
        }
        return;
    }
    op->applied = true;
    a->prev = d->last;
    d->last = a->no;
    d->attempts++;
    d->tries = op->tries;
    d->state = op->next;
    d->due = op->next == TH_DS_QUEUED ? op->due.ms : 0;
    d->ended = op->next == TH_DS_QUEUED ? 0 : op->row.at.ms + (op->row.us[4] > 0 ? op->row.us[4] : 0) / 1000;
}

static void move_one(struct mem_delivery *d, struct th_move *m, uint32_t i)
{
    m->moved[i] = false;
    if (m->rows)
        m->rows[i] = (struct th_queue_row){0};
    if (!d)
        return;
    if (m->what == TH_MOVE_CANCEL) {
        m->moved[i] = d->state == TH_DS_QUEUED || (d->state == TH_DS_CANCELLED && d->ended == m->at.ms);
        if (d->state != TH_DS_QUEUED)
            return;
        d->state = TH_DS_CANCELLED;
        d->ended = m->at.ms;
        d->due = 0;
        return;
    }
    m->moved[i] = true;
    d->state = TH_DS_QUEUED;
    d->due = m->at.ms;
    d->ended = 0;
    d->lane = m->lane;
    d->tries = 0;
    if (m->rows)
        m->rows[i] = (struct th_queue_row){.no = d->no,
                                           .event = d->event,
                                           .endpoint = d->endpoint,
                                           .due = d->due,
                                           .lane = d->lane,
                                           .tries = 0,
                                           .attempts = d->attempts};
}

static void move(struct mem_store *s, struct th_move *m)
{
    m->op.error = m->count <= 1000 ? TH_OK : TH_BUG;
    for (uint32_t i = 0; m->op.error == TH_OK && i < m->count; i++)
        move_one(mem_find(&s->deliveries, m->deliveries[i]), m, i);
}

/* ---- settings ---- */

static struct mem_row *new_row(const struct th_row *r)
{
    struct mem_row *m = th_calloc(1, sizeof *m + r->id.n + r->conf.n + 1);
    char *at;

    if (!m)
        return NULL;
    at = m->bytes;
    m->row = *r;
    m->row.id = mem_put(&at, r->id);
    m->row.conf = mem_put(&at, r->conf);
    return m;
}

static struct mem_rev *new_rev(const struct th_row *r)
{
    struct mem_rev *m = th_calloc(1, sizeof *m + r->conf.n + 1);
    char *at;

    if (!m)
        return NULL;
    at = m->bytes;
    m->endpoint = r->no;
    m->rev = r->rev;
    m->conf = mem_put(&at, r->conf);
    return m;
}

static bool room_for_revs(struct mem_store *s, size_t more)
{
    struct mem_rev **grown;
    size_t cap = s->rev_cap ? s->rev_cap : 64;

    while (cap - s->rev_n < more)
        cap *= 2;
    if (cap == s->rev_cap)
        return true;
    grown = th_realloc(s->revs, cap * sizeof(*grown));
    if (!grown)
        return false;
    s->revs = grown;
    s->rev_cap = cap;
    return true;
}

static void remove_row(struct mem_store *s, struct mem_row *r)
{
    mem_take_out(&s->rows, r->no);
    th_free(r);
}

/** Ends what hangs on a tenant (endpoint == 0) or on an endpoint. */
static void cascade(struct mem_store *s, uint64_t tenant, uint64_t endpoint)
{
    for (size_t i = s->rows.n; i-- > 0;) {
        struct mem_row *r = (struct mem_row *)s->rows.v[i];
        bool hangs = endpoint ? r->row.endpoint == endpoint : r->row.tenant == tenant;

        switch (r->row.kind) {
        case TH_ROW_ENDPOINT:
            if (!endpoint && hangs && !r->deleted) {
                uint64_t no = r->row.no;

                r->deleted = true;
                for (size_t j = s->rows.n; j-- > 0;) {
                    struct mem_row *fact = (struct mem_row *)s->rows.v[j];

                    if (fact->row.kind == TH_ROW_FACT && fact->row.no == no)
                        fact->deleted = true;
                }
            }
            break;
        case TH_ROW_FACT:
            if (endpoint && r->row.no == endpoint)
                remove_row(s, r);
            break;
        case TH_ROW_KEY:
            if (!endpoint && hangs)
                remove_row(s, r);
            break;
        case TH_ROW_SECRET:
        case TH_ROW_JOB:
            if (hangs)
                remove_row(s, r);
            break;
        default:
            break;
        }
    }
}

static void del_row(struct mem_store *s, const struct th_row *row)
{
    struct mem_row *r = find_row(s, row->kind, row->no, row->id);

    if (!r)
        return;
    if (row->kind == TH_ROW_TENANT || row->kind == TH_ROW_ENDPOINT) {
        r->deleted = true;
        cascade(s, row->kind == TH_ROW_TENANT ? row->no : 0, row->kind == TH_ROW_ENDPOINT ? row->no : 0);
    } else {
        remove_row(s, r);
    }
}

static void put_row(struct mem_store *s, struct mem_row *r, struct mem_rev *rev)
{
    struct mem_row *old = find_row(s, r->row.kind, r->row.no, r->row.id);

    if (old)
        remove_row(s, old);
    r->no = s->next_row++;
    s->rows.v[s->rows.n++] = &r->no;
    if (!rev)
        return;
    for (size_t i = 0; i < s->rev_n; i++)
        if (s->revs[i]->endpoint == rev->endpoint && s->revs[i]->rev == rev->rev) {
            th_free(s->revs[i]);
            s->revs[i] = rev;
            return;
        }
    s->revs[s->rev_n++] = rev;
}

static bool id_conflict(struct mem_store *s, const struct th_config *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->rows[i].kind != TH_ROW_TENANT || c->rows[i].del)
            continue;
        for (uint32_t j = 0; j < i; j++)
            if (c->rows[j].kind == TH_ROW_TENANT && !c->rows[j].del &&
                th_span_eq(c->rows[j].id, c->rows[i].id))
                return true;
        for (size_t j = 0; j < s->rows.n; j++) {
            const struct mem_row *r = (const struct mem_row *)s->rows.v[j];

            if (r->row.kind == TH_ROW_TENANT && !r->deleted && r->row.no != c->rows[i].no &&
                th_span_eq(r->row.id, c->rows[i].id))
                return true;
        }
    }
    return false;
}

/** True: the op has its result. */
static bool config_refused(struct mem_store *s, struct th_config *c, uint64_t day, uint64_t *version)
{
    const struct mem_idem *known = c->idem.given ? find_idem(s->config_idem, day, c->tenant, &c->idem) : NULL;
    const struct mem_row *tenant = c->tenant ? find_row(s, TH_ROW_TENANT, c->tenant, TH_LIT("")) : NULL;
    bool exists = tenant && !tenant->deleted;

    if (known) {
        c->new_version = known->version;
        c->result = TH_CONFIG_KEY_REUSED;
        if (memcmp(known->idem.body, c->idem.body, sizeof c->idem.body) != 0)
            return true;
        c->result = TH_CONFIG_REPLAYED;
        th_buf_reset(&c->replayed);
        th_buf_span(&c->replayed, known->answer);
        c->op.error = c->replayed.failed;
        return true;
    }
    *version = exists ? tenant->row.rev : 0;
    if (c->tenant && (c->keep_version ? !exists : *version != c->expect_version)) {
        c->new_version = *version;
        c->result = TH_CONFIG_STALE;
        return true;
    }
    if (id_conflict(s, c)) {
        c->op.error = TH_CONFLICT;
        return true;
    }
    return false;
}

void mem_config(struct mem_store *s, struct th_config *c)
{
    uint64_t day = mem_idem_day(s, c->at.ms), version = 0;
    struct mem_row **rows, *tenant;
    struct mem_rev **revs;
    struct mem_idem *idem;
    bool ok;

    c->op.error = TH_OK;
    for (uint32_t i = 0; i < c->count; i++)
        if ((unsigned)c->rows[i].kind > TH_ROW_META)
            c->op.error = TH_BUG;
    if (c->op.error != TH_OK || config_refused(s, c, day, &version))
        return;
    rows = th_calloc(c->count + 1, sizeof(*rows));
    revs = th_calloc(c->count + 1, sizeof(*revs));
    idem = th_calloc(1, sizeof *idem + c->answer.n + 1);
    ok = rows && revs && idem && mem_room(&s->rows, c->count) && room_for_revs(s, c->count);
    for (uint32_t i = 0; ok && i < c->count; i++) {
        if (c->rows[i].del)
            continue;
        rows[i] = new_row(&c->rows[i]);
        if (c->rows[i].kind == TH_ROW_ENDPOINT)
            revs[i] = new_rev(&c->rows[i]);
        ok = rows[i] && (revs[i] || c->rows[i].kind != TH_ROW_ENDPOINT);
    }
    if (ok) {
        char *at = idem->bytes;

        c->result = TH_CONFIG_DONE;
        c->new_version = c->tenant ? version + !c->keep_version : 0;
        for (uint32_t i = 0; i < c->count; i++)
            if (c->rows[i].del)
                del_row(s, &c->rows[i]);
            else
                put_row(s, rows[i], revs[i]);
        tenant = c->tenant ? find_row(s, TH_ROW_TENANT, c->tenant, TH_LIT("")) : NULL;
        if (tenant)
            tenant->row.rev = c->new_version;
        *idem =
            (struct mem_idem){.day = day, .tenant = c->tenant, .version = c->new_version, .idem = c->idem};
        idem->answer = mem_put(&at, c->answer);
        if (c->idem.given) {
            idem->next = s->config_idem;
            s->config_idem = idem;
            idem = NULL;
        }
    } else {
        c->op.error = TH_NOMEM;
        for (uint32_t i = 0; rows && revs && i < c->count; i++) {
            th_free(rows[i]);
            th_free(revs[i]);
        }
    }
    th_free(rows);
    th_free(revs);
    th_free(idem);
}

/* ---- retention ---- */

static void drop_event(struct mem_store *s, struct mem_event *e, uint32_t *cancelled)
{
    size_t from = mem_lower(&s->deliveries, e->row.first_delivery), n = 0;

    while (from + n < s->deliveries.n &&
           *s->deliveries.v[from + n] < e->row.first_delivery + e->row.deliveries) {
        struct mem_delivery *d = (struct mem_delivery *)s->deliveries.v[from + n];
        struct mem_attempt *a = mem_find(&s->attempts, d->last);

        *cancelled += d->state == TH_DS_QUEUED;
        while (a) {
            uint64_t prev = a->prev;

            mem_take_out(&s->attempts, a->no);
            th_free(a);
            a = mem_find(&s->attempts, prev);
        }
        th_free(d);
        n++;
    }
    memmove(s->deliveries.v + from, s->deliveries.v + from + n,
            (s->deliveries.n - from - n) * sizeof *s->deliveries.v);
    s->deliveries.n -= n;
    if (e->own_key)
        th_smap_del(&s->own, th_span(e->own_key, e->own_key_n));
    mem_take_out(&s->events, e->row.no);
    free_event(e);
}

static void drop_keys(struct mem_idem **list, uint64_t day)
{
    while (*list) {
        struct mem_idem *i = *list;

        if (i->day >= day) {
            list = &i->next;
            continue;
        }
        *list = i->next;
        th_free(i);
    }
}

void mem_purge(struct mem_store *s, struct th_purge *p)
{
    uint64_t gone_to = 0;

    p->op.error = TH_OK;
    p->purged = p->cancelled = 0;
    p->more = false;
    while (s->events.n) {
        struct mem_event *e = (struct mem_event *)s->events.v[0];

        if (e->row.at.ms >= p->before.ms)
            break;
        if (p->purged == p->max_events) {
            p->more = true;
            break;
        }
        gone_to = e->row.no;
        drop_event(s, e, &p->cancelled);
        p->purged++;
    }
    p->upto = s->events.n ? *s->events.v[0] - 1 : gone_to ? gone_to : s->next_event - 1;
    drop_keys(&s->idem, mem_day(p->idem_before.ms));
    drop_keys(&s->config_idem, mem_day(p->idem_before.ms));
}

void mem_write(struct mem_store *s, struct th_op *op)
{
    switch (op->kind) {
    case TH_OP_ACCEPT:
        accept(s, (struct th_accept *)op);
        break;
    case TH_OP_SETTLE:
        settle(s, (struct th_settle *)op);
        break;
    case TH_OP_MOVE:
        move(s, (struct th_move *)op);
        break;
    case TH_OP_CONFIG:
        mem_config(s, (struct th_config *)op);
        break;
    case TH_OP_PURGE:
        mem_purge(s, (struct th_purge *)op);
        break;
    case TH_OP_RESEAL:
        mem_reseal(s, (struct th_reseal *)op);
        break;
    case TH_OP_PROBE:
        op->error = TH_OK;
        break;
    default:
        op->error = TH_BUG;
    }
}
