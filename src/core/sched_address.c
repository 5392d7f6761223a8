/* Limits the requests under way to one address, over all endpoints of a tenant whose names lead there.
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
 * Where several threads send to the address, each has a scheduler with a `struct address` of its own, and they take the places from
 * one count (sched_share.c); a place that another scheduler hands on is promised in the same way.
 *
 * Invariants: (1) where endpoints wait, requests and promises fill the limit, a place being held for each; (2) an endpoint waits at one address at most and has
 * one promise at most; (3) an endpoint with a promise is on a ring, or has picked the delivery that
 * keeps it. Nothing here allocates but th_sched_connect; without memory a request is not counted. */
#include "base/alloc.h"
#include "core/sched_int.h"

#define IDLE_KEPT 1024 /* addresses without requests whose memory is kept for the next one */

void address_free(struct th_sched *s, struct address *a)
{
    share_drop(s, &a->places);
    th_free(a);
}

static void idle_begin(struct th_sched *s, struct address *a)
{
    th_list_append(&s->idle, &a->idle);
    s->idle_addresses++;
}

/* Call after every change of its counts. */
static void address_rest(struct th_sched *s, struct address *a)
{
    bool idle = !share_is_used(&a->places) && th_list_empty(&a->waits), was = !th_list_empty(&a->idle);

    if (idle && !was) {
        idle_begin(s, a);
    } else if (!idle && was) {
        th_list_remove(&a->idle);
        s->idle_addresses--;
    }
}

/* At the end of a call: nobody has a pointer to one. */
static void trim(struct th_sched *s)
{
    while (s->idle_addresses > IDLE_KEPT) {
        struct address *a = TH_CONTAINER(th_list_pop(&s->idle), struct address, idle);
        s->idle_addresses--;
        th_map_del(&s->address_by_key, a->key);
        address_free(s, a);
    }
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
    a->max = UINT32_MAX;
    th_list_init(&a->waits);
    th_list_init(&a->idle);
    if (!share_sit(s, &a->places, SHARE_ADDRESS, key, tenant))
        goto err;
    if (th_map_put(&s->address_by_key, key, a))
        goto err_after_places;
    idle_begin(s, a);
    return a;
err_after_places:
    share_leave(s, &a->places);
err:
    th_free(a);
    return NULL;
}

/* Promises what is free to those that have waited longest, as far as they can send. */
static void address_next(struct th_sched *s, struct address *a)
{
    if (a->promising) /* ep_place below may take a promise back */
        return;
    a->promising = true;
    while (!th_list_empty(&a->waits) && share_take_or_wait(s, &a->places, a->max)) {
        struct ep *ep = TH_CONTAINER(a->waits.next, struct ep, address_link);
        th_list_remove(&ep->address_link);
        ep->waits_at = NULL;
        if (!ep->promise) {
            ep->promise = a;
            a->promised++;
        } else { /* a delivery of it keeps one already: this one asks again */
            share_give(s, &a->places, 1, a->max);
        }
        ep_place(s, ep);
    }
    a->promising = false;
    if (th_list_empty(&a->waits))
        share_wait_no_more(s, &a->places, a->max);
    address_rest(s, a);
}

/* The endpoint has no promise any more; its place is still held. */
static struct address *promise_end(struct ep *ep)
{
    struct address *a = ep->promise;

    if (a)
        a->promised--;
    ep->promise = NULL;
    ep->promised_item = 0;
    return a;
}

/* Takes the promise away, kept or not: the place is the next one's. */
static void promise_take_back(struct th_sched *s, struct ep *ep)
{
    struct address *a = promise_end(ep);

    if (!a)
        return;
    share_give(s, &a->places, 1, a->max);
    address_next(s, a);
}

void address_withdraw(struct th_sched *s, struct ep *ep)
{
    if (ep->promise && !ep->promised_item)
        promise_take_back(s, ep);
}

void address_picked(struct ep *ep, uint32_t id)
{
    if (ep->promise && !ep->promised_item)
        ep->promised_item = id;
}

void address_ended(struct th_sched *s, struct ep *ep, uint32_t id)
{
    if (ep->promised_item == id)
        promise_take_back(s, ep);
}

void address_granted(struct th_sched *s, struct share *sh)
{
    address_next(s, TH_CONTAINER(sh, struct address, places));
}

void address_leave(struct th_sched *s, struct ep *ep)
{
    struct address *waits_at = ep->waits_at;

    th_list_remove(&ep->address_link);
    ep->waits_at = NULL;
    if (waits_at)
        address_next(s, waits_at);
    promise_take_back(s, ep);
}

static void set_limit(struct th_sched *s, struct address *a, uint32_t max)
{
    max = max ? max : UINT32_MAX;
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
        if (a && ep->promised_item == id && ep->promise == a) {
            (void)promise_end(ep); /* the place is the request's now */
        } else if (a && !(th_list_empty(&a->waits) && share_take(&a->places, a->max))) {
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
            address_next(s,
                         first); /* one may have come free meanwhile; else it is said that somebody waits */
        }
    }
    if (ep)
        address_ended(s, ep, id);
    trim(s);
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
        share_give(s, &a->places, 1, a->max);
        address_next(s, a);
    }
    trim(s);
}

uint32_t th_sched_address_most(const struct th_sched *s, uint64_t tenant)
{
    uint32_t most = 0;
    uint64_t key;
    void *value;

    if (s->options.places)
        return th_places_most(s->options.places, SHARE_ADDRESS, tenant);
    for (size_t i = 0; th_map_next(&s->address_by_key, &i, &key, &value);) {
        const struct address *a = value;
        if (a->tenant == tenant && a->in_flight > most)
            most = a->in_flight;
    }
    return most;
}
