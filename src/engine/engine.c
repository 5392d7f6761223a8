/* The engine's life: making, starting, turning, ending.
 *
 * One turn drains the store (its callbacks settle deliveries and finish publishes and changes), runs what was deferred,
 * starts the next change of settings, asks the scheduler what to send, and does a slice of background work. A callback of
 * the API never runs inside the call that registered it: immediate answers go through the deferred list.
 *
 * Invariants: 1. a publisher is told yes only from the done of an accept; 2. no delivery has two requests without a
 * durable settle between them; 3. after TH_IO or TH_CORRUPT nothing is submitted any more and fatal() was called. */
#include "base/secret.h"
#include "engine/internal.h"

enum { DRAIN_STEP = 16, DRAIN_MOST = 1024 }; /* operations: between two looks at the clock, in a turn */

/* What needs no memory yet. */
static void init_empty(struct th_engine *e)
{
    th_smap_init(&e->tenants_by_id, 1u << 20, e->hash_seed);
    th_smap_init(&e->keys_by_hash, 1u << 20, e->hash_seed);
    th_map_init(&e->endpoints, 1u << 22, e->hash_seed);
    th_map_init(&e->hosts, 1u << 22, e->hash_seed);
    th_map_init(&e->tenants_by_no, 1u << 20, e->hash_seed);
    th_map_init(&e->events, 1u << 22, e->hash_seed);
    th_buf_init(&e->written, 64u << 20);
    th_map_init(&e->cancels_known, 1u << 22, e->hash_seed);
    th_list_init(&e->dirty);
    th_list_init(&e->graves);
    th_list_init(&e->changes);
    th_list_init(&e->lookups);
    th_list_init(&e->asks);
    th_heap_init(&e->to_ask, 1u << 22);
    th_list_init(&e->free_ingests);
    th_list_init(&e->stale_ingests);
    th_list_init(&e->lru);
    th_list_init(&e->free_attempts);
    th_list_init(&e->running);
    th_list_init(&e->settle_retry);
    th_list_init(&e->deferred);
    th_mail_init(e);
    th_list_init(&e->replays);
    th_list_init(&e->replays_starting);
    th_list_init(&e->hurries);
    th_dropped_init(e);
}

enum th_error th_engine_new(const struct th_engine_options *options, struct th_engine **out)
{
    struct th_sched_options sched = {.max_items = options->max_items,
                                     .max_items_per_endpoint = options->max_items_per_endpoint,
                                     .max_in_flight = options->max_in_flight};
    struct th_engine *e = th_calloc(1, sizeof *e);
    enum th_error error = TH_NOMEM;

    if (!e)
        return TH_NOMEM;
    e->options = *options;
    if (!e->options.max_pinned_bytes)
        e->options.max_pinned_bytes = TH_MAX_PINNED_BYTES;
    e->options.max_pinned_bytes = th_part(e, e->options.max_pinned_bytes);
    th_engine_random(e, &e->hash_seed, sizeof e->hash_seed);
    sched.hash_seed = e->hash_seed;
    init_empty(e);
    e->ring = th_secret_alloc(sizeof *e->ring);
    e->walk_rows = th_calloc(TH_WALK_BATCH, sizeof *e->walk_rows);
    e->fanout_rows = th_calloc(TH_FANOUT_STEP, sizeof *e->fanout_rows);
    if (!e->ring || !e->walk_rows || !e->fanout_rows)
        goto err;
    error = th_sched_new(&sched, &e->sched);
    if (error)
        goto err;
    error = options->store->vt->attach(options->store, options->wake, &e->session);
    if (error)
        goto err_sched;
    *out = e;
    return TH_OK;
err_sched:
    th_sched_free(e->sched);
err:
    th_secret_free(e->ring, sizeof *e->ring);
    th_free(e->fanout_rows);
    th_free(e->walk_rows);
    th_free(e);
    return error;
}

/* What was given: the ring has what is needed of it. */
static void forget_given(struct th_engine *e)
{
    th_wipe(&e->options.secret_key, sizeof e->options.secret_key);
    th_wipe(&e->options.old_secret_key, sizeof e->options.old_secret_key);
}

enum th_error th_engine_start(struct th_engine *e, struct th_buf *made_key, char *why, size_t why_size)
{
    enum th_error error;

    th_engine_tick(e);
    error = th_settings_load(e, made_key, why, why_size);
    forget_given(e);
    if (error)
        return error;
    e->store_ok = true;
    th_gauge_set(e->options.metrics, TH_G_STORE_READY, 1);
    e->health_flushed = e->now.wall;
    e->purge_at = (struct th_mono){e->now.mono.us + 5000000};
    e->started = true;
    e->fanout_left = true; /* of before, perhaps */
    th_clock_begin(e);
    th_recover_begin(e);
    return TH_OK;
}

void th_engine_spent(struct th_engine *e, int64_t us)
{
    e->spent_us += us;
}

/* What is deferred meanwhile waits behind what was there. */
static void run_deferred(struct th_engine *e)
{
    struct th_list batch, *l;

    th_list_init(&batch);
    while ((l = th_list_pop(&e->deferred)))
        th_list_append(&batch, l);
    while ((l = th_list_pop(&batch))) {
        struct th_deferred *d = TH_CONTAINER(l, struct th_deferred, link);
        d->fn(d->arg);
        if (!th_list_empty(&batch) && th_turn_over(e, TH_TURN_DEFERRED_US))
            break;
    }
    while ((l = th_list_pop(&e->deferred)))
        th_list_append(&batch, l);
    while ((l = th_list_pop(&batch)))
        th_list_append(&e->deferred, l);
}

/* Finishes what the store has done, as far as time allows. True: there may be more. */
static bool drain(struct th_engine *e)
{
    unsigned n, drained = 0;

    do {
        n = e->options.store->vt->drain(e->session, DRAIN_STEP);
        drained += n;
    } while (n == DRAIN_STEP && drained < DRAIN_MOST && !th_turn_over(e, TH_TURN_DRAIN_US));
    return n == DRAIN_STEP;
}

static void flush(struct th_engine *e)
{
    if (e->options.store->vt->flush)
        e->options.store->vt->flush(e->session);
}

static struct th_mono earlier(struct th_mono a, struct th_mono b)
{
    return a.us < b.us ? a : b;
}

struct th_mono th_engine_turn(struct th_engine *e)
{
    struct th_mono next = TH_MONO_NEVER;
    bool undrained;

    th_engine_tick(e);
    e->turn_us = e->now.mono.us - e->spent_us;
    e->spent_us = 0;
    e->more = false;
    th_mail_turn(e);
    undrained = drain(e);
    run_deferred(e);
    if (e->dead)
        return TH_MONO_NEVER;
    th_clock_turn(e);
    if (th_is_home(e)) {
        th_rewrap_turn(e);
        th_changes_turn(e);
        if (!e->draining)
            th_consents_turn(e);
    }
    th_settle_turn(e);
    if (!e->draining)
        th_dispatch_turn(e);
    th_leaving_turn(e);
    th_graves_turn(e);
    th_refill_turn(e);
    th_recover_turn(e);
    th_fanout_turn(e);
    th_replays_turn(e);
    th_hurries_turn(e);
    th_erase_turn(e);
    next = earlier(next, th_jobs_turn(e));
    if (!e->draining) {
        next = earlier(next, th_dispatch_next(e));
        next = earlier(next, th_fanout_next(e));
        next = earlier(next, th_consents_next(e));
        next = earlier(next, th_replays_next(e));
    }
    if (!th_list_empty(&e->settle_retry))
        next = earlier(next, e->settle_retry_at);
    th_offers_send(e);
    th_mail_flush(e);
    if (e->more || undrained || !th_list_empty(&e->deferred))
        next = e->now.mono;
    flush(e); /* what this turn has submitted; the rest was handed over by drain */
    return next;
}

void th_engine_drain(struct th_engine *e)
{
    th_dropped_tell_all(e);
    e->draining = true;
    th_consents_cancel(e, NULL);
    th_changes_cancel(e);
    th_health_turn(e, true);
}

/* False: it has been cancelled before. */
static bool cancel_request(struct th_attempt *a)
{
    struct th_engine *e = a->e;

    if (a->cancelled)
        return false;
    a->cancelled = true;
    if (a->running)
        e->options.transport->vt->cancel(e->options.transport, &a->req);
    else if (a->resolving)
        e->options.resolver->vt->cancel(e->options.resolver, &a->resolve);
    return true;
}

/* Of one endpoint, or NULL: all. */
static void cancel_requests(struct th_engine *e, const struct th_ep *ep)
{
    struct th_list *l, *next;

    for (l = e->running.next; l != &e->running; l = next) {
        struct th_attempt *a = TH_CONTAINER(l, struct th_attempt, link);
        next = l->next; /* a cancelled look-up may end inside the call */
        if (!ep || a->ep == ep)
            (void)cancel_request(a);
    }
}

void th_engine_cancel_requests(struct th_engine *e)
{
    e->no_requests = true;
    cancel_requests(e, NULL);
}

void th_requests_cancel(struct th_engine *e, const struct th_ep *ep)
{
    cancel_requests(e, ep);
}

bool th_requests_cancel_some(struct th_engine *e, const struct th_tenant *t)
{
    struct th_list *l, *next;

    for (l = e->running.next; l != &e->running; l = next) {
        struct th_attempt *a = TH_CONTAINER(l, struct th_attempt, link);
        next = l->next; /* a cancelled look-up may end inside the call */
        if (a->ep->pub.tenant != t || !cancel_request(a))
            continue;
        if (th_turn_over(e, TH_TURN_DISPATCH_US))
            return false;
    }
    return true;
}

bool th_engine_idle(const struct th_engine *e)
{
    return e->dead ||
           (e->ingests_out == 0 && e->settles_out == 0 && e->attempts_out == 0 && e->loads_out == 0 &&
            e->ops_out == 0 && e->asks_out == 0 && !e->change_busy && th_list_empty(&e->changes) &&
            th_list_empty(&e->lookups) && !e->walk_busy && !e->health_busy && th_list_empty(&e->dirty) &&
            !e->purge_busy && !e->probe_busy && th_list_empty(&e->deferred) && e->notes_out == 0 &&
            e->letters_out == 0 && !th_mail_pending(e));
}

void th_engine_free(struct th_engine *e)
{
    if (!e)
        return;
    if (e->session)
        e->options.store->vt->detach(e->session);
    th_dispatch_free(e);
    th_ingest_free(e);
    th_offers_free(e);
    th_replays_free(e);
    th_hurries_free(e);
    th_dropped_fini(e);
    th_rewrap_free(e);
    th_settings_free(e);
    th_heap_fini(&e->to_ask);
    th_events_trim(e, 0);
    th_map_fini(&e->events);
    th_buf_fini(&e->written);
    th_sched_free(e->sched);
    th_free(e->walk_rows);
    th_free(e->fanout_rows);
    th_free(e->cancels);
    th_map_fini(&e->cancels_known);
    forget_given(e);
    th_secret_free(e->ring, sizeof *e->ring);
    th_free(e);
}

bool th_engine_begun(const struct th_engine *e)
{
    return e->started && th_smap_get(&e->tenants_by_id, TH_LIT("default")) &&
           th_smap_get(&e->tenants_by_id, TH_LIT("operator"));
}

bool th_engine_ready(const struct th_engine *e, const char **why)
{
    const char *reason = NULL;

    if (!e->started)
        reason = "starting";
    else if (e->draining)
        reason = "stopping";
    else if (e->dead)
        reason = "the store failed; the process is stopping";
    else if (!th_engine_begun(e))
        reason = "starting";
    else if (!e->store_ok)
        reason = "the store cannot commit: no room on the disk";
    if (why)
        *why = reason;
    return !reason;
}

struct th_now th_engine_now(const struct th_engine *e)
{
    return e->now;
}

const struct th_engine_options *th_engine_options(const struct th_engine *e)
{
    return &e->options;
}
