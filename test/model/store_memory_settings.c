/* Settings and retention of the memory store. Settings rows are put and deleted all or none, guarded by the
 * tenant's version; what hangs on an ended endpoint or tenant ends with it. Retention drops the oldest
 * events, a bounded number a step, with their deliveries and attempts. Refused: another version than the
 * expected one, keys used with another body, ids of tenants that exist. A change first makes everything that
 * can fail (memory), then changes the rows, so that a failed one leaves no trace. See store_memory.c. */
#include "model/store_memory_int.h"

/* ---- settings ---- */

static struct mem_row *new_row(const struct th_row *r)
{
    struct mem_row *m = th_calloc(1, sizeof *m + r->id.n + r->settings.n + 1);
    char *at;

    if (!m)
        return NULL;
    at = m->bytes;
    m->row = *r;
    m->row.id = mem_put(&at, r->id);
    m->row.settings = mem_put(&at, r->settings);
    return m;
}

static struct mem_rev *new_rev(const struct th_row *r)
{
    struct mem_rev *m = th_calloc(1, sizeof *m + r->settings.n + 1);
    char *at;

    if (!m)
        return NULL;
    at = m->bytes;
    m->endpoint = r->no;
    m->rev = r->rev;
    m->settings = mem_put(&at, r->settings);
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
                    struct mem_row *health = (struct mem_row *)s->rows.v[j];

                    if (health->row.kind == TH_ROW_HEALTH && health->row.no == no)
                        health->deleted = true;
                }
            }
            break;
        case TH_ROW_HEALTH:
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
    struct mem_row *r = mem_row_find(s, row->kind, row->no, row->id);

    if (!r)
        return;
    if (row->kind == TH_ROW_TENANT || row->kind == TH_ROW_ENDPOINT) {
        r->deleted = true;
        for (size_t i = 0; row->erase && i < sizeof s->erasing / sizeof *s->erasing; i++)
            if (!s->erasing[i] || s->erasing[i] == row->no) {
                s->erasing[i] = row->no;
                break;
            }
        cascade(s, row->kind == TH_ROW_TENANT ? row->no : 0, row->kind == TH_ROW_ENDPOINT ? row->no : 0);
    } else {
        remove_row(s, r);
    }
}

static void put_row(struct mem_store *s, struct mem_row *r, struct mem_rev *rev)
{
    struct mem_row *old = mem_row_find(s, r->row.kind, r->row.no, r->row.id);

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

static bool id_conflict(struct mem_store *s, const struct th_settings_op *c)
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
static bool config_refused(struct mem_store *s, struct th_settings_op *c, uint64_t day, uint64_t *version)
{
    const struct mem_idem *known =
        c->idem.given ? mem_idem_find(s->config_idem, day, c->tenant, &c->idem) : NULL;
    const struct mem_row *tenant = c->tenant ? mem_row_find(s, TH_ROW_TENANT, c->tenant, TH_LIT("")) : NULL;
    bool exists = tenant && !tenant->deleted;

    if (known) {
        c->new_version = known->version;
        c->result = TH_SETTINGS_KEY_REUSED;
        if (memcmp(known->idem.body, c->idem.body, sizeof c->idem.body) != 0)
            return true;
        c->result = TH_SETTINGS_REPEATED;
        th_buf_reset(&c->repeated);
        th_buf_span(&c->repeated, known->answer);
        c->op.error = c->repeated.failed;
        return true;
    }
    if (s->is_shared && c->knows && s->others_settings >= c->knows) {
        c->result = TH_SETTINGS_STALE;
        return true;
    }
    c->position = s->position;
    *version = exists ? tenant->row.rev : 0;
    if (c->tenant && (c->keep_version ? !exists : *version != c->expect_version)) {
        c->new_version = *version;
        c->result = TH_SETTINGS_STALE;
        return true;
    }
    if (id_conflict(s, c)) {
        c->op.error = TH_CONFLICT;
        return true;
    }
    return false;
}

void mem_settings(struct mem_store *s, struct th_settings_op *c)
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

        c->result = TH_SETTINGS_DONE;
        c->new_version = c->tenant ? version + !c->keep_version : 0;
        for (uint32_t i = 0; i < c->count; i++)
            if (c->rows[i].del)
                del_row(s, &c->rows[i]);
            else
                put_row(s, rows[i], revs[i]);
        tenant = c->tenant ? mem_row_find(s, TH_ROW_TENANT, c->tenant, TH_LIT("")) : NULL;
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

static void drop_event(struct mem_store *s, struct mem_event *e, struct th_purge *p)
{
    size_t from = mem_lower(&s->deliveries, e->row.first_delivery), n = 0;

    while (from + n < s->deliveries.n &&
           *s->deliveries.v[from + n] < e->row.first_delivery + e->row.deliveries) {
        struct mem_delivery *d = (struct mem_delivery *)s->deliveries.v[from + n];
        struct mem_attempt *a = mem_find(&s->attempts, d->last);

        p->cancelled += d->state == TH_DS_QUEUED;
        if (d->state == TH_DS_QUEUED && d->lane != TH_LANE_TEST)
            th_purge_note(p, d->endpoint, 1);
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
    mem_fan_drop(s, e->row.no); /* by the first event of its accept; the others are as old */
    mem_take_out(&s->events, e->row.no);
    mem_event_free(e);
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

/* In one step. */
void mem_trim(struct mem_store *s, struct th_trim *t)
{
    struct th_purge p = {.dropped_max = 0};

    t->op.error = TH_OK;
    t->purged = 0;
    t->next = t->next_delivery = 0;
    for (size_t i = 0; i < s->events.n;) {
        struct mem_event *e = (struct mem_event *)s->events.v[i];

        if (s->fans && s->fans->event <= e->row.no) /* deliveries are still being queued */
            break;
        if (e->row.no < t->from || e->row.at.ms >= th_trim_before(t, e->row.tenant)) {
            i++;
            continue;
        }
        drop_event(s, e, &p);
        t->purged++;
    }
    t->cancelled = p.cancelled;
}

void mem_purge(struct mem_store *s, struct th_purge *p)
{
    uint64_t gone_to = 0;

    p->op.error = TH_OK;
    p->purged = p->cancelled = p->dropped_count = 0;
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
        drop_event(s, e, p);
        p->purged++;
    }
    p->upto = s->events.n ? *s->events.v[0] - 1 : gone_to ? gone_to : s->next_event - 1;
    drop_keys(&s->idem, mem_day(p->idem_before.ms));
    drop_keys(&s->config_idem, mem_day(p->idem_before.ms));
}
