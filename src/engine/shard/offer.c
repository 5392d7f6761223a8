/* Deliveries for endpoints of other engines: what an accept, a fan-out or a job has queued in the store is offered to the
 * engine that owns the endpoint, as values, with the event where that is small enough to be worth a copy.
 *
 * The rows are durable before they are offered. If there is no memory for an offer, the owner is asked to
 * walk the queue again from the first row that it does not know: nothing is lost, and what it knows already
 * stays as it is. */
#include "engine/shard/offer.h"
#include "base/alloc.h"
#include "base/map.h"
#include "engine/mail.h"
#include "engine/shard/clock.h"
#include "engine/shard/events.h"
#include "engine/shard/queue.h"
#include "engine/state.h"

#define OFFER_ROWS 512
#define OFFER_EVENT_BYTES 65536 /* of an event's texts; a larger one is read by its owner when it is sent */

struct offered_event {
    struct offered_event *next;
    struct th_event_row row;
    uint64_t tenant;
    int64_t accepted_us;
    uint32_t left;
    char bytes[];
};

struct th_offer {
    struct th_mail mail;
    struct offered_event *events;
    unsigned count;
    struct th_queue_row rows[OFFER_ROWS];
};

static void free_offer(struct th_offer *o)
{
    struct offered_event *next;

    for (struct offered_event *v = o->events; v; v = next) {
        next = v->next;
        th_free(v);
    }
    th_free(o);
}

static void taken(struct th_engine *e, struct th_mail *m)
{
    struct th_offer *o = TH_CONTAINER(m, struct th_offer, mail);

    for (struct offered_event *v = o->events; v; v = v->next) {
        const struct th_tenant *t = th_map_get(&e->tenants_by_no, v->tenant);
        struct th_event *ev = t && !t->deleting ? th_event_add(e, t, &v->row, v->left) : NULL;

        if (ev)
            ev->accepted.us = v->accepted_us;
    }
    for (unsigned i = 0; i < o->count; i++)
        th_queue_insert(e, &o->rows[i], th_clock_due(e, &o->rows[i]));
    free_offer(o);
}

/* ---- when there was no memory: the owner reads the queue again ---- */

static void walk_again(struct th_engine *e, struct th_mail *m)
{
    struct th_rescan *r = TH_CONTAINER(m, struct th_rescan, mail);
    uint64_t from = __atomic_exchange_n(&r->from, 0, __ATOMIC_ACQ_REL);

    th_queue_walk_again(e, from);
}

static void ask_to_walk(struct th_engine *e, unsigned to, uint64_t from)
{
    struct th_rescan *r = &e->rescans[to];
    uint64_t had = __atomic_load_n(&r->from, __ATOMIC_ACQUIRE);

    while (!had || from < had)
        if (__atomic_compare_exchange_n(&r->from, &had, from, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            if (!had)
                th_mail_send(e, to, &r->mail, walk_again);
            return;
        }
}

/* ---- sending ---- */

static void send(struct th_engine *e, unsigned to)
{
    struct th_offer *o = e->offers[to];

    e->offers[to] = NULL;
    if (o)
        th_mail_send(e, to, &o->mail, taken);
}

void th_offers_send(struct th_engine *e)
{
    if (!e->offers_wait)
        return;
    e->offers_wait = false;
    for (unsigned i = 0; i < e->options.shards; i++)
        send(e, i);
}

void th_offers_free(struct th_engine *e)
{
    for (unsigned i = 0; i < TH_SHARDS_MAX; i++)
        if (e->offers[i])
            free_offer(e->offers[i]);
}

static struct th_offer *room(struct th_engine *e, unsigned to)
{
    if (e->offers[to] && e->offers[to]->count == OFFER_ROWS)
        send(e, to);
    if (!e->offers[to]) {
        struct th_offer *o = th_malloc(sizeof *o);
        if (!o)
            return NULL;
        o->events = NULL;
        o->count = 0;
        e->offers[to] = o;
    }
    e->offers_wait = true;
    return e->offers[to];
}

void th_offer(struct th_engine *e, const struct th_queue_row *row)
{
    unsigned to = th_owner(e, row->endpoint);
    struct th_offer *o;

    if (e->shared && !th_is_mine(e, row->endpoint))
        return; /* its node hears of it from the store */
    if (to == e->options.shard) {
        th_queue_insert(e, row, th_clock_due(e, row));
        return;
    }
    o = room(e, to);
    if (o)
        o->rows[o->count++] = *row;
    else
        ask_to_walk(e, to, row->no);
}

void th_offer_event(struct th_engine *e, unsigned to, uint64_t tenant, const struct th_event_row *row,
                    uint32_t left, int64_t accepted_us)
{
    size_t n = TH_EVENT_BYTES(row);
    struct th_offer *o = n > OFFER_EVENT_BYTES ? NULL : room(e, to);
    struct offered_event *v = o ? th_malloc(sizeof *v + n) : NULL;
    char *at;

    if (!v)
        return; /* its owner reads it from the store */
    *v =
        (struct offered_event){.next = o->events, .tenant = tenant, .accepted_us = accepted_us, .left = left};
    at = v->bytes;
    v->row = th_event_row_copy(&at, row, row->data);
    o->events = v;
}
