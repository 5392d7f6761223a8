/* Erasing what events say, in the memory store: one event a step. See store_memory.c. */
#include "model/store_memory_int.h"

static void empty(struct mem_store *s, struct mem_event *ev, struct th_erase *e)
{
    ev->row.data = ev->row.more.order_key = (struct th_span){"", 0};
    ev->row.erased = e->at.ms;
    for (struct mem_idem *i = s->idem; i; i = i->next)
        if (i->tenant == ev->row.tenant && i->first <= ev->row.no && i->first + i->n > ev->row.no)
            memset(i->idem.body, 0, sizeof i->idem.body);
    for (uint32_t i = 0; i < ev->row.deliveries; i++) {
        struct mem_delivery *d = mem_find(&s->deliveries, ev->row.first_delivery + i);

        if (d && d->state == TH_DS_QUEUED) {
            if (e->cancelled_count < TH_ERASE_STEP)
                e->cancelled[e->cancelled_count++] = d->no;
            d->state = TH_DS_CANCELLED;
            d->ended = e->at.ms;
            d->due = d->round = 0;
        }
        for (struct mem_attempt *a = d ? mem_find(&s->attempts, d->last) : NULL; a;
             a = mem_find(&s->attempts, a->prev))
            a->row.sigs = a->row.head = a->row.body = (struct th_span){"", 0};
    }
}

static void with_copies(struct mem_store *s, struct mem_event *ev, struct th_erase *e)
{
    empty(s, ev, e);
    for (size_t i = 0; i < s->events.n; i++) {
        struct mem_event *copy = (struct mem_event *)s->events.v[i];

        if (mem_origin_of(copy) == ev->row.no && !copy->row.erased)
            empty(s, copy, e);
    }
}

static void tenants(struct mem_store *s, struct th_erase *e)
{
    e->result = TH_ERASE_DONE;
    for (size_t k = 0; k < sizeof s->erasing / sizeof *s->erasing; k++) {
        for (size_t i = 0; s->erasing[k] && i < s->events.n; i++) {
            struct mem_event *ev = (struct mem_event *)s->events.v[i];

            if (ev->row.tenant != s->erasing[k] || ev->row.erased)
                continue;
            e->of = ev->row.no;
            e->result = TH_ERASE_MORE;
            empty(s, ev, e);
            return;
        }
        s->erasing[k] = 0;
    }
}

void mem_erase(struct mem_store *s, struct th_erase *e)
{
    struct mem_event *ev = mem_find(&s->events, e->event);
    uint32_t ended = 0, made = 0;

    e->op.error = TH_OK;
    e->unfinished = e->cancelled_count = 0;
    e->of = e->event;
    if (!e->event) {
        tenants(s, e);
        return;
    }
    e->result = TH_ERASE_ABSENT;
    if (!ev || (e->tenant && ev->row.tenant != e->tenant))
        return;
    e->result = TH_ERASE_DONE;
    if (ev->row.erased)
        return;
    for (uint32_t i = 0; i < ev->row.deliveries; i++) {
        const struct mem_delivery *d = mem_find(&s->deliveries, ev->row.first_delivery + i);

        made += d != NULL;
        ended += d && d->state != TH_DS_QUEUED;
    }
    e->unfinished = ev->row.deliveries - ended;
    for (size_t i = 0; i < s->events.n; i++) { /* a copy has one delivery */
        const struct mem_event *copy = (const struct mem_event *)s->events.v[i];
        const struct mem_delivery *d = mem_find(&s->deliveries, copy->row.first_delivery);

        e->unfinished += mem_origin_of(copy) == ev->row.no && d && d->state == TH_DS_QUEUED;
    }
    if (e->unfinished && !e->cancel)
        e->result = TH_ERASE_UNFINISHED;
    else if (made < ev->row.deliveries)
        e->result = TH_ERASE_QUEUEING;
    else
        with_copies(s, ev, e);
}
