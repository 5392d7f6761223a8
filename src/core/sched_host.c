/* What goes to one host: requests under way and a second, over all endpoints of a tenant there.
 *
 * Why: one event for two hundred endpoints would be two hundred requests at once to a host that perhaps never agreed. An
 * endpoint that could send is admitted to the rings only while its host has room; the others wait in the order in which they
 * came. An endpoint that is alone at its host has what it may have by itself.
 *
 * Invariants: (1) an endpoint of a host is on a ring only when it is admitted or has a test to send; (2) when some wait, there is no
 * room, or the first of them has a timer for the moment of the next token. Nothing here allocates but host_join. */
#include "base/alloc.h"
#include "core/sched_int.h"

static bool slots_left(const struct host *h)
{
    return (h->eps <= 1 && !h->shared) || !h->max_in_flight || h->in_flight + h->admitted < h->max_in_flight;
}

/* With a rate one is admitted at a time, since the token is taken when it sends. */
static bool token_left(const struct th_sched *s, const struct host *h)
{
    return !h->bucket.interval_ns || (!h->admitted && th_bucket_ready_us(&h->bucket) <= s->now_us);
}

void host_next(struct th_sched *s, struct host *h)
{
    while (!th_list_empty(&h->waits)) {
        struct ep *ep = TH_CONTAINER(h->waits.next, struct ep, host_link);
        if (!slots_left(h))
            return;
        if (!token_left(s, h)) {
            if (!h->admitted)
                ep_wait_until(s, ep, th_bucket_ready_us(&h->bucket));
            return;
        }
        th_list_remove(&ep->host_link);
        ep->admitted = true;
        h->admitted++;
        ep_ring_enter(s, ep);
    }
}

void host_wait(struct ep *ep)
{
    if (th_list_empty(&ep->host_link))
        th_list_append(&ep->host->waits, &ep->host_link);
}

void host_withdraw(struct th_sched *s, struct ep *ep)
{
    if (!ep->host || (!ep->admitted && th_list_empty(&ep->host_link)))
        return;
    th_list_remove(&ep->host_link);
    ep->host->admitted -= ep->admitted;
    ep->admitted = false;
    host_next(s, ep->host);
}

void host_sent(struct th_sched *s, struct ep *ep)
{
    struct host *h = ep->host;

    if (!h)
        return;
    h->admitted--;
    ep->admitted = false;
    h->in_flight++;
    th_bucket_take(&h->bucket, (struct th_mono){s->now_us});
}

static void host_put(struct th_sched *s, struct host *h)
{
    if (h->eps || h->in_flight)
        return;
    th_map_del(&s->host_by_key, h->key);
    th_free(h);
}

void host_ended(struct th_sched *s, struct ep *ep)
{
    struct host *h = ep->host;

    if (!h)
        return;
    h->in_flight--;
    if (ep->gone && !ep->in_flight)
        ep->host = NULL;
    host_next(s, h);
    host_put(s, h); /* of a deleted endpoint it may have been the last */
}

static struct host *host_get(struct th_sched *s, uint64_t key, uint64_t tenant)
{
    struct host *h = th_map_get(&s->host_by_key, key);

    if (h)
        return h;
    h = th_calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->key = key;
    h->tenant = tenant;
    th_list_init(&h->waits);
    if (th_map_put(&s->host_by_key, key, h)) {
        th_free(h);
        return NULL;
    }
    return h;
}

bool host_join(struct th_sched *s, struct ep *ep, const struct th_sched_endpoint *options)
{
    struct host *h = options->host ? host_get(s, options->host, options->tenant) : NULL, *old = ep->host;

    if (options->host && !h)
        return false;
    if (h != old) {
        ep_unplace(s, ep);
        if (h) { /* before the old one leaves: its requests under way go along */
            h->eps++;
            h->in_flight += ep->in_flight;
        }
        ep->host = h;
        if (old) {
            old->eps--;
            old->in_flight -= ep->in_flight;
            host_next(s, old);
            host_put(s, old);
        }
    }
    if (h) {
        h->max_in_flight = options->host_in_flight;
        h->shared = options->host_shared;
        th_bucket_pace(&h->bucket, options->host_rate_per_s);
        if (options->from_before)
            th_bucket_spend(&h->bucket, (struct th_mono){s->now_us});
        host_next(s, h);
    }
    return true;
}

void host_leave(struct th_sched *s, struct ep *ep)
{
    struct host *h = ep->host;

    if (!h)
        return;
    h->eps--;
    host_next(s, h); /* who is alone now has room */
    if (!ep->in_flight) {
        ep->host = NULL;
        host_put(s, h);
    }
}

uint32_t th_sched_host_most(const struct th_sched *s, uint64_t tenant)
{
    uint32_t most = 0;
    uint64_t key;
    void *value;

    for (size_t i = 0; th_map_next(&s->host_by_key, &i, &key, &value);) {
        const struct host *h = value;
        if (h->tenant == tenant && h->in_flight > most)
            most = h->in_flight;
    }
    return most;
}
