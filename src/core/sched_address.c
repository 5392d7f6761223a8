/* What goes to one address: requests under way, over all endpoints of a tenant whose names lead there.
 *
 * Why: many names may lead to one machine, and the limit of a host sees only the name. Which addresses an endpoint has is
 * known only when its name has been looked up, so the limit is asked for right before the connection (th_sched_connect). A
 * request that finds no room is given back as if it had not been picked, and its endpoint waits until there is room: it is
 * on no ring and has no timer, so it costs nothing and holds up nobody. A request counts at each address that it may go to,
 * since only the transport will know which of them answers.
 *
 * A place that becomes free is promised to the endpoint that has waited longest, because others that could send would take it
 * before its turn comes. The promise is kept by the delivery that is picked next, until it connects or ends; an endpoint that
 * cannot send now gets none.
 *
 * Invariants: (1) where endpoints wait, requests and promises fill the limit; (2) an endpoint waits at one address at most and has
 * one promise at most; (3) an endpoint with a promise is on a ring, or has picked the delivery that
 * keeps it. Nothing here allocates but th_sched_connect; without memory a request is not counted. */
#include "base/alloc.h"
#include "core/sched_int.h"

#define IDLE_KEPT 1024 /* addresses without requests whose memory is kept for the next one */

static bool has_room(const struct address *a)
{
    return !a->max || a->in_flight + a->promised < a->max;
}

static void address_free(struct th_sched *s, struct address *a)
{
    th_list_remove(&a->idle);
    th_map_del(&s->address_by_key, a->key);
    th_free(a);
}

/* Call after every change of its counts. */
static void address_rest(struct th_sched *s, struct address *a)
{
    bool idle = !a->in_flight && !a->promised && th_list_empty(&a->waits), was = !th_list_empty(&a->idle);

    if (idle == was)
        return;
    if (!idle) {
        th_list_remove(&a->idle);
        s->idle_addresses--;
        return;
    }
    th_list_append(&s->idle, &a->idle);
    if (s->idle_addresses++ < IDLE_KEPT)
        return;
    s->idle_addresses--;
    address_free(s, TH_CONTAINER(s->idle.next, struct address, idle));
}

static struct address *address_get(struct th_sched *s, uint64_t key, uint64_t tenant)
{
    struct address *a = th_map_get(&s->address_by_key, key);

    if (a)
        return a;
    a = th_calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->key = key;
    a->tenant = tenant;
    th_list_init(&a->waits);
    th_list_init(&a->idle);
    if (th_map_put(&s->address_by_key, key, a)) {
        th_free(a);
        return NULL;
    }
    return a;
}

/* Promises what is free to those that have waited longest, as far as they can send. */
static void address_next(struct th_sched *s, struct address *a)
{
    if (a->promising) /* ep_place below may take a promise back */
        return;
    a->promising = true;
    while (!th_list_empty(&a->waits) && has_room(a)) {
        struct ep *ep = TH_CONTAINER(a->waits.next, struct ep, address_link);
        th_list_remove(&ep->address_link);
        ep->waits_at = NULL;
        if (!ep->promise) { /* else a delivery of it keeps one already: this one asks again */
            ep->promise = a;
            a->promised++;
        }
        ep_place(s, ep);
    }
    a->promising = false;
    address_rest(s, a);
}

/* Takes the promise away, kept or not. */
static struct address *promise_end(struct ep *ep)
{
    struct address *a = ep->promise;

    if (a)
        a->promised--;
    ep->promise = NULL;
    ep->promised_item = 0;
    return a;
}

void address_withdraw(struct th_sched *s, struct ep *ep)
{
    if (ep->promise && !ep->promised_item)
        address_next(s, promise_end(ep));
}

void address_picked(struct ep *ep, uint32_t id)
{
    if (ep->promise && !ep->promised_item)
        ep->promised_item = id;
}

void address_ended(struct th_sched *s, struct ep *ep, uint32_t id)
{
    if (ep->promised_item == id)
        address_next(s, promise_end(ep));
}

void address_leave(struct th_sched *s, struct ep *ep)
{
    struct address *waits_at = ep->waits_at, *promise = promise_end(ep);

    th_list_remove(&ep->address_link);
    ep->waits_at = NULL;
    if (waits_at)
        address_rest(s, waits_at);
    if (promise)
        address_next(s, promise);
}

static void set_limit(struct th_sched *s, struct address *a, uint32_t max)
{
    if (a->max == max)
        return;
    a->max = max;
    address_next(s, a);
}

void address_limit(struct th_sched *s, struct ep *ep)
{
    if (ep->waits_at)
        set_limit(s, ep->waits_at, ep->options.address_in_flight);
}

uint32_t th_sched_connect(struct th_sched *s, uint64_t delivery, uint64_t *keys, unsigned n,
                          struct th_mono now)
{
    uint32_t id = item_find(s, delivery), room = 0;
    struct ep *ep = id && item_at(s, id)->place == P_FLIGHT ? s->ep[item_at(s, id)->ep] : NULL;
    struct address *first = NULL;

    sched_advance(s, now);
    for (unsigned i = 0; i < n; i++) {
        bool limited = ep && ep->options.address_in_flight;
        struct address *a = limited ? address_get(s, keys[i], ep->options.tenant) : NULL;

        if (a) {
            first = first ? first : a;
            set_limit(s, a, ep->options.address_in_flight);
        }
        if (a && !(ep->promised_item == id && ep->promise == a) &&
            !(has_room(a) && th_list_empty(&a->waits))) {
            keys[i] = 0;
            continue;
        }
        room |= 1u << i;
        if (!a) {
            keys[i] = 0;
            continue;
        }
        a->in_flight++;
        address_rest(s, a);
    }
    if (!room && n && ep) {
        item_at(s, id)->child |= W_BACK;
        if (!ep->gone && !ep->waits_at) {
            ep->waits_at = first;
            th_list_append(&first->waits, &ep->address_link);
            ep_place(s, ep);
        }
    }
    if (ep)
        address_ended(s, ep, id);
    return room;
}

void th_sched_disconnect(struct th_sched *s, const uint64_t *keys, unsigned n, struct th_mono now)
{
    sched_advance(s, now);
    for (unsigned i = 0; i < n; i++) {
        struct address *a = keys[i] ? th_map_get(&s->address_by_key, keys[i]) : NULL;

        if (!a)
            continue;
        a->in_flight--;
        address_next(s, a);
    }
}

uint32_t th_sched_address_most(const struct th_sched *s, uint64_t tenant)
{
    uint32_t most = 0;
    uint64_t key;
    void *value;

    for (size_t i = 0; th_map_next(&s->address_by_key, &i, &key, &value);) {
        const struct address *a = value;
        if (a->tenant == tenant && a->in_flight > most)
            most = a->in_flight;
    }
    return most;
}
