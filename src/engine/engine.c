/* The engine's life: making, starting, turning, ending.
 *
 * One turn drains the store (its callbacks settle deliveries and finish publishes and changes), runs what was deferred,
 * and begins the jobs that are wanted (job.c). A callback of
 * the API never runs inside the call that registered it: immediate answers go through the deferred list.
 *
 * Invariants: 1. a publisher is told yes only from the done of an accept; 2. no delivery has two requests without a
 * durable settle between them; 3. after TH_IO or TH_CORRUPT nothing is submitted any more and fatal() was called. */
#include "engine/engine.h"
#include "base/alloc.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/places.h"
#include "base/secret.h"
#include "engine/context.h"
#include "engine/control/ask.h"
#include "engine/control/audit.h"
#include "engine/control/backlog.h"
#include "engine/control/change.h"
#include "engine/control/dropped.h"
#include "engine/control/hurry.h"
#include "engine/control/load.h"
#include "engine/control/replay.h"
#include "engine/control/rewrap.h"
#include "engine/job.h"
#include "engine/mail.h"
#include "engine/settings/filters.h"
#include "engine/settings/settings.h"
#include "engine/shard/attempt.h"
#include "engine/shard/clock.h"
#include "engine/shard/events.h"
#include "engine/shard/grant.h"
#include "engine/shard/ingest.h"
#include "engine/shard/offer.h"
#include "engine/shard/queue.h"
#include "engine/shard/report.h"
#include "engine/state.h"

#define MAX_PINNED_BYTES (256u << 20)

enum { DRAIN_STEP = 16, DRAIN_MOST = 1024 }; /* operations of a turn between two looks at the clock */

/* The parts that need no memory yet. */
static void init_empty(struct th_engine *e)
{
    th_smap_init(&e->tenants_by_id, 1u << 20, e->hash_seed);
    th_smap_init(&e->keys_by_hash, 1u << 20, e->hash_seed);
    th_map_init(&e->endpoints, 1u << 22, e->hash_seed);
    th_map_init(&e->tenants_by_no, 1u << 20, e->hash_seed);
    th_map_init(&e->events, 1u << 22, e->hash_seed);
    th_buf_init(&e->written, 64u << 20);
    th_map_init(&e->cancels_known, 1u << 22, e->hash_seed);
    th_map_init(&e->ended, 1u << 16, e->hash_seed);
    th_list_init(&e->dirty);
    th_list_init(&e->graves);
    th_list_init(&e->changes);
    e->change_kinds = th_change_kinds;
    e->disable_home = &th_change_disable_steps;
    th_list_init(&e->notices);
    th_list_init(&e->lookups);
    th_list_init(&e->asks);
    th_list_init(&e->fetches);
    th_heap_init(&e->to_ask, 1u << 22);
    th_list_init(&e->free_ingests);
    th_list_init(&e->stale_ingests);
    th_list_init(&e->telling);
    th_list_init(&e->lru);
    th_list_init(&e->free_attempts);
    th_list_init(&e->running);
    th_list_init(&e->settle_retry);
    th_list_init(&e->deferred);
    th_mail_init(e);
    th_list_init(&e->replays);
    th_list_init(&e->replays_starting);
    th_list_init(&e->hurries);
    th_list_init(&e->audits);
    th_list_init(&e->audits_leaving);
    th_dropped_init(e);
}

enum th_error th_engine_new(const struct th_engine_options *options, struct th_engine **out)
{
    struct th_sched_options sched = {.max_items = options->max_items,
                                     .max_items_per_endpoint = options->max_items_per_endpoint,
                                     .max_in_flight = options->max_in_flight,
                                     .places = options->places,
                                     .sharer = options->shard};
    struct th_engine *e = th_calloc(1, sizeof *e);
    enum th_error error = TH_NOMEM;

    if (!e)
        return TH_NOMEM;
    e->options = *options;
    e->shared = th_store_is_shared(options->store);
    if (!e->options.max_pinned_bytes)
        e->options.max_pinned_bytes = MAX_PINNED_BYTES;
    e->options.max_pinned_bytes = th_part(e, e->options.max_pinned_bytes);
    th_engine_random(e, &e->hash_seed, sizeof e->hash_seed);
    e->place_seed = options->places ? th_places_seed(options->places) : e->hash_seed;
    sched.hash_seed = e->hash_seed;
    init_empty(e);
    e->ring = th_secret_alloc(sizeof *e->ring);
    e->filtering = th_filter_event_new();
    e->walk_rows = th_calloc(TH_WALK_BATCH, sizeof *e->walk_rows);
    e->fanout_rows = th_calloc(TH_FANOUT_STEP, sizeof *e->fanout_rows);
    if (!th_fence_init(e) || !e->ring || !e->filtering || !e->walk_rows || !e->fanout_rows)
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
    th_filter_event_free(e->filtering);
    th_free(e->fanout_rows);
    th_fence_fini(e);
    th_free(e->walk_rows);
    th_free(e);
    return error;
}

/* The keys as they were given: the ring has what is needed of them. */
static void forget_given(struct th_engine *e)
{
    th_wipe(&e->options.secret_key, sizeof e->options.secret_key);
    th_wipe(&e->options.old_secret_key, sizeof e->options.old_secret_key);
}

enum th_error th_engine_start(struct th_engine *e, struct th_buf *made_key, char *why, size_t why_size)
{
    enum th_error error;

    th_engine_tick(e);
    error = th_load_settings(e, made_key, why, why_size);
    forget_given(e);
    if (error)
        return error;
    e->store_ok = true;
    th_gauge_set(e->options.metrics, TH_G_STORE_READY, 1);
    e->health_flushed = e->now.mono;
    e->jobs[TH_JOB_RETENTION].at.us = e->now.mono.us + 5000000;
    e->started = true;
    e->fanout_left = true; /* of before, perhaps */
    th_clock_begin(e);
    if (!e->shared) /* else its slots come first */
        th_queue_walk(e);
    return TH_OK;
}

void th_engine_spent(struct th_engine *e, int64_t us)
{
    e->spent_us += us;
}

/* Calls that are deferred meanwhile wait after those that were there. */
static void run_deferred(struct th_engine *e)
{
    struct th_list batch, *l;

    th_list_init(&batch);
    while ((l = th_list_pop(&e->deferred)))
        th_list_append(&batch, l);
    while ((l = th_list_pop(&batch))) {
        struct th_deferred *d = TH_CONTAINER(l, struct th_deferred, link);
        d->fn(d->arg);
        if (!th_list_empty(&batch) && th_engine_turn_over(e, TH_TURN_DEFERRED_US))
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
    } while (n == DRAIN_STEP && drained < DRAIN_MOST && !th_engine_turn_over(e, TH_TURN_DRAIN_US));
    return n == DRAIN_STEP;
}

static void flush(struct th_engine *e)
{
    if (e->options.store->vt->flush)
        e->options.store->vt->flush(e->session);
}

struct th_mono th_engine_turn(struct th_engine *e)
{
    struct th_mono next;
    bool undrained;

    th_engine_tick(e);
    e->turn_us = e->now.mono.us - e->spent_us;
    e->spent_us = 0;
    e->more = false;
    th_mail_turn(e);
    undrained = drain(e);
    run_deferred(e);
    if (e->dead) {
        e->stirred = false;
        return TH_MONO_NEVER;
    }
    th_clock_turn(e);
    th_job_turn(e);
    th_report_turn(e);
    next = th_job_next(e);
    th_offers_send(e);
    th_grants_send(e);
    th_mail_flush(e);
    if (e->more || undrained || !th_list_empty(&e->deferred))
        next = e->now.mono;
    flush(e); /* what this turn has submitted; the rest was handed over by drain */
    e->stirred = false;
    return next;
}

bool th_engine_stirred(const struct th_engine *e)
{
    return e->stirred;
}

void th_engine_drain(struct th_engine *e)
{
    th_dropped_tell_all(e);
    th_ingest_own(e);
    e->draining = true;
    th_asks_cancel(e);
    th_changes_cancel(e);
    th_change_look_ups_cancel(e);
}

bool th_engine_idle(const struct th_engine *e)
{
    unsigned out = e->ingests_out + e->settles_out + e->attempts_out + e->loads_out + e->ops_out +
                   e->asks_out + e->fetches_out + e->notes_out + e->letters_out;

    return e->dead || (!out && !th_job_pending(e) && th_list_empty(&e->lookups) &&
                       th_list_empty(&e->deferred) && !th_mail_pending(e));
}

void th_engine_free(struct th_engine *e)
{
    if (!e)
        return;
    if (e->session)
        e->options.store->vt->detach(e->session);
    th_attempts_free(e);
    th_ingest_free(e);
    th_offers_free(e);
    th_replays_free(e);
    th_hurries_free(e);
    th_audit_free(e);
    th_dropped_fini(e);
    th_backlog_fini(e);
    th_rewrap_free(e);
    th_settings_free(e);
    th_heap_fini(&e->to_ask);
    th_events_trim(e, 0);
    th_map_fini(&e->events);
    th_buf_fini(&e->written);
    th_filter_event_free(e->filtering);
    th_sched_free(e->sched);
    th_free(e->walk_rows);
    th_free(e->fanout_rows);
    th_fence_fini(e);
    th_free(e->cancels);
    th_map_fini(&e->cancels_known);
    th_map_fini(&e->ended);
    forget_given(e);
    th_secret_free(e->ring, sizeof *e->ring);
    th_free(e);
}
