/* Functions that every part of the engine calls, and that call none of them: randomness, the store, deferred
 * calls, the time that a turn has taken, and the reaction to a failed operation of the store. */
#include "engine/context.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "base/secret.h"
#include "engine/mail.h"
#include "engine/state.h"

void th_engine_random(struct th_engine *e, void *p, size_t n)
{
    char *to = p;

    while (n) {
        size_t some;
        if (e->random_left == 0) {
            e->options.entropy.fill(e->options.entropy.ctx, e->random, sizeof e->random);
            e->random_left = sizeof e->random;
        }
        some = n < e->random_left ? n : e->random_left;
        memcpy(to, e->random + sizeof e->random - e->random_left, some);
        th_wipe(e->random + sizeof e->random - e->random_left, some);
        e->random_left -= some;
        to += some;
        n -= some;
    }
}

uint32_t th_engine_rnd32(struct th_engine *e)
{
    uint32_t v;

    th_engine_random(e, &v, sizeof v);
    return v;
}

void th_engine_submit(struct th_engine *e, struct th_op *op)
{
    e->options.store->vt->submit(e->session, op);
}

/* Reads for the API are not counted here: the API knows which of its requests wait for one, and the engine is freed when there
 * are none (th_api_pending). */
void th_engine_read(struct th_engine *e, struct th_op *op)
{
    th_engine_submit(e, op);
}

void th_engine_page_free(struct th_engine *e, struct th_page *page)
{
    e->options.store->vt->page_free(e->options.store, page);
}

void th_engine_defer(struct th_engine *e, struct th_deferred *d, void (*fn)(void *), void *arg)
{
    d->fn = fn;
    d->arg = arg;
    th_list_append(&e->deferred, &d->link);
    e->more = true;
}

/* The reaction of the whole engine to a failed store operation. */
void th_engine_store_error(struct th_engine *e, enum th_error error)
{
    switch (th_error_class(error)) {
    case TH_CLASS_CORRUPT:
    case TH_CLASS_BUG:
        if (!e->dead) {
            e->dead = true;
            e->store_ok = false;
            th_gauge_set(e->options.metrics, TH_G_STORE_READY, 0);
            e->options.fatal(
                e->options.wake.ctx, error,
                "the store failed; stopping so that nothing is acknowledged without being durable");
        }
        break;
    case TH_CLASS_RESOURCE:
    case TH_CLASS_RETRY:
        if (e->store_ok) {
            e->store_ok = false;
            e->store_away = error == TH_RETRY;
            e->no_room_untold = !th_is_home(e);
            if (!th_is_home(e))
                break;
            th_gauge_set(e->options.metrics, TH_G_STORE_READY, 0);
            th_log(TH_LOG_ERROR,
                   e->store_away ? "store cannot be reached: publishing answers 503 until it commits again"
                                 : "store has no room: publishing answers 503 until it commits again",
                   TH_KC("error", th_error_name(error)));
        }
        break;
    default:
        break;
    }
}

bool th_engine_turn_over(const struct th_engine *e, int64_t us)
{
    return e->options.clock.now(e->options.clock.ctx).mono.us - e->turn_us >= us;
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
    else if (!th_engine_begun(e) || (e->shared && !e->has_followed))
        reason = "starting";
    else if (!e->store_ok)
        reason = e->store_away ? "the store cannot commit: the database cannot be reached"
                               : "the store cannot commit: no room on the disk";
    else if (!th_store_lets_send(e->options.store))
        reason = "this node has not heard from the database for so long that another one may have taken over";
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
