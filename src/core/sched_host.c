/* Limits the requests under way and the requests a second to one host, over all endpoints of a tenant there.
 *
 * Why: one event for two hundred endpoints would be two hundred requests at once to a host that perhaps never agreed. An
 * endpoint that could send is admitted to the rings only while its host has room; the others wait in the order in which they
 * came. For an endpoint that is alone at its host only its own limits hold.
 *
 * Where several threads have endpoints at the host, each has a scheduler with a `struct host` of its own, and they take the places
 * from one count (sched_share.c). Of the rate there is one bucket, and who has the turn may look at it: a scheduler keeps the turn
 * from when its first endpoint waits for a token until that has sent, then the next scheduler has it.
 *
 * Invariants: (1) an endpoint of a host is on a ring only when it is admitted or has a test to send; (2) when some wait, there is no
 * room, or the first of them has a timer for the moment of the next token, or another scheduler will hand on what is missing;
 * (3) a place is held for each request and each admitted endpoint. Nothing here allocates but host_join. */
#include "base/alloc.h"
#include "core/sched_int.h"

/* Of all schedulers. */
static bool is_alone(const struct host *h)
{
    return (h->places.seat.place ? th_places_members(&h->places.seat) : h->eps) <= 1;
}

static uint32_t limit_of(const struct host *h)
{
    return !h->max_in_flight || is_alone(h) ? UINT32_MAX : h->max_in_flight;
}

/* With the turn comes what others have taken since. */
static bool have_turn(struct th_sched *s, struct host *h)
{
    if (h->turn.held)
        return true;
    if (!share_take_or_wait(s, &h->turn, 1))
        return false;
    if (h->turn.seat.place && *th_places_mark(&h->turn.seat) > h->bucket.spent_ns)
        h->bucket.spent_ns = *th_places_mark(&h->turn.seat);
    return true;
}

/* With a rate one is admitted at a time, since the token is taken when it sends. Else the first one has a timer. */
static bool token_left(struct th_sched *s, struct host *h, struct ep *first)
{
    if (!h->bucket.interval_ns)
        return true;
    if (h->admitted || !have_turn(s, h))
        return false;
    if (th_bucket_ready_us(&h->bucket) <= s->now_us)
        return true;
    ep_wait_until(s, first, th_bucket_ready_us(&h->bucket));
    return false;
}

static void admit(struct th_sched *s, struct host *h)
{
    while (!th_list_empty(&h->waits)) {
        struct ep *ep = TH_CONTAINER(h->waits.next, struct ep, host_link);
        if (!token_left(s, h, ep) || !share_take_or_wait(s, &h->places, limit_of(h)))
            return;
        th_list_remove(&ep->host_link);
        ep->admitted = true;
        h->admitted++;
        ep_ring_enter(s, ep);
    }
}

void host_next(struct th_sched *s, struct host *h)
{
    admit(s, h);
    if (th_list_empty(&h->waits))
        share_wait_no_more(s, &h->places, limit_of(h));
    if (th_list_empty(&h->waits) || !h->bucket.interval_ns)
        share_wait_no_more(s, &h->turn, 1);
    if (h->turn.held && (!h->bucket.interval_ns || (!h->admitted && th_list_empty(&h->waits))))
        share_give(s, &h->turn, 1, 1);
}

void host_wait(struct ep *ep)
{
    if (th_list_empty(&ep->host_link))
        th_list_append(&ep->host->waits, &ep->host_link);
}

void host_withdraw(struct th_sched *s, struct ep *ep)
{
    struct host *h = ep->host;

    if (!h || (!ep->admitted && th_list_empty(&ep->host_link)))
        return;
    th_list_remove(&ep->host_link);
    if (ep->admitted) {
        ep->admitted = false;
        h->admitted--;
        share_give(s, &h->places, 1, limit_of(h));
    }
    host_next(s, h);
}

/* The admitted endpoint's place is its request's now; the token is taken, and the next one's turn has come. */
void host_sent(struct th_sched *s, struct ep *ep)
{
    struct host *h = ep->host;

    if (!h)
        return;
    h->admitted--;
    ep->admitted = false;
    h->in_flight++;
    th_bucket_take(&h->bucket, (struct th_mono){s->now_us});
    if (h->turn.held) {
        if (h->turn.seat.place)
            *th_places_mark(&h->turn.seat) = h->bucket.spent_ns;
        share_give(s, &h->turn, 1, 1);
    }
    if (h->bucket.interval_ns)
        host_next(s, h);
}

static void host_put(struct th_sched *s, struct host *h)
{
    if (h->eps || h->in_flight || share_is_used(&h->places) || share_is_used(&h->turn))
        return;
    th_map_del(&s->host_by_key, h->key);
    share_leave(s, &h->places);
    share_leave(s, &h->turn);
    th_free(h);
}

void host_ended(struct th_sched *s, struct ep *ep)
{
    struct host *h = ep->host;

    if (!h)
        return;
    h->in_flight--;
    share_give(s, &h->places, 1, limit_of(h));
    if (ep->gone && !ep->in_flight)
        ep->host = NULL;
    host_next(s, h);
    host_put(s, h); /* of a deleted endpoint it may have been the last */
}

void host_granted(struct th_sched *s, struct share *sh)
{
    struct host *h =
        sh->kind == SHARE_TURN ? TH_CONTAINER(sh, struct host, turn) : TH_CONTAINER(sh, struct host, places);

    host_next(s, h);
    host_put(s, h); /* it may have been kept only for this */
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
    if (!share_sit(s, &h->places, SHARE_HOST, key, tenant))
        goto err;
    if (!share_sit(s, &h->turn, SHARE_TURN, key, tenant))
        goto err_after_places;
    if (th_map_put(&s->host_by_key, key, h))
        goto err_after_turn;
    return h;
err_after_turn:
    share_leave(s, &h->turn);
err_after_places:
    share_leave(s, &h->places);
err:
    th_free(h);
    return NULL;
}

/* An endpoint with its requests comes to a host, or goes. */
static void come(struct host *h, const struct ep *ep)
{
    h->eps++;
    h->in_flight += ep->in_flight;
    share_join(&h->places);
    share_force(&h->places, ep->in_flight);
}

static void go(struct th_sched *s, struct host *h, const struct ep *ep)
{
    h->eps--;
    h->in_flight -= ep->in_flight;
    share_part(s, &h->places);
    share_give(s, &h->places, ep->in_flight, limit_of(h));
    host_next(s, h);
    host_put(s, h);
}

bool host_join(struct th_sched *s, struct ep *ep, const struct th_sched_endpoint *options)
{
    struct host *h = options->host ? host_get(s, options->host, options->tenant) : NULL, *old = ep->host;

    if (options->host && !h)
        return false;
    if (h != old) {
        ep_unplace(s, ep);
        if (h) /* before the old one leaves: its requests under way go along */
            come(h, ep);
        ep->host = h;
        if (old)
            go(s, old, ep);
    }
    if (h) {
        h->max_in_flight = options->host_in_flight;
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
    share_part(s, &h->places);
    host_next(s, h); /* who is alone now has room */
    if (!ep->in_flight) {
        ep->host = NULL;
        host_put(s, h);
    }
}

void host_free(struct th_sched *s, struct host *h)
{
    share_drop(s, &h->places);
    share_drop(s, &h->turn);
    th_free(h);
}

uint32_t th_sched_host_most(const struct th_sched *s, uint64_t tenant)
{
    uint32_t most = 0;
    uint64_t key;
    void *value;

    if (s->options.places)
        return th_places_most(s->options.places, SHARE_HOST, tenant);
    for (size_t i = 0; th_map_next(&s->host_by_key, &i, &key, &value);) {
        const struct host *h = value;
        if (h->tenant == tenant && h->in_flight > most)
            most = h->in_flight;
    }
    return most;
}
