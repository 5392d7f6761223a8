/* Routing: the first row that fits an event is called, between the store's begin and its done or forget.
 *
 * An event that no row fits is reported and acknowledged, never an error: an answer that is not 2xx would
 * make the sender try again for nothing. It is marked as done as well. */
#include "lib/internal.h"

static bool type_fits(const char *pattern, struct th_span type)
{
    struct th_span p = tenterhook_str(pattern);

    if (p.n && p.p[p.n - 1] == '*')
        return th_span_starts(type, th_span(p.p, p.n - 1));
    return th_span_eq(p, type);
}

static const struct tenterhook_route *find(const struct tenterhook_router *r,
                                           const struct tenterhook_event *e)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct tenterhook_route *row = &r->routes[i];

        if ((!row->type || type_fits(row->type, e->type)) &&
            (!row->resource || tenterhook_is(e->resource_type, row->resource)))
            return row;
    }
    return NULL;
}

static enum tenterhook_outcome run(const struct tenterhook_router *r, const struct tenterhook_event *e)
{
    const struct tenterhook_route *row = find(r, e);
    enum tenterhook_handled handled;

    if (!row) {
        if (r->unknown)
            r->unknown(r->ctx, e);
        return TENTERHOOK_UNROUTED;
    }
    handled = row->handle(r->ctx, e);
    return handled == TENTERHOOK_DONE     ? TENTERHOOK_HANDLED
           : handled == TENTERHOOK_REJECT ? TENTERHOOK_REFUSED
                                          : TENTERHOOK_DEFERRED;
}

enum tenterhook_outcome tenterhook_dispatch(const struct tenterhook_router *r,
                                            const struct tenterhook_event *e)
{
    const struct tenterhook_store *store = r->store;
    struct tenterhook_key_id key;
    enum tenterhook_outcome outcome;

    if (!store || !tenterhook_event_key(e, r->key_flags, &key))
        return run(r, e);
    switch (store->begin(store->ctx, &key, e)) {
    case TENTERHOOK_NEW:
        break;
    case TENTERHOOK_SEEN:
        return TENTERHOOK_DUPLICATE;
    case TENTERHOOK_BUSY:
        return TENTERHOOK_UNDERWAY;
    case TENTERHOOK_FULL:
    default:
        return TENTERHOOK_DEFERRED;
    }
    outcome = run(r, e);
    if (outcome == TENTERHOOK_HANDLED || outcome == TENTERHOOK_UNROUTED)
        store->done(store->ctx, &key, e);
    else
        store->forget(store->ctx, &key, e);
    return outcome;
}

int tenterhook_outcome_status(enum tenterhook_outcome outcome)
{
    switch (outcome) {
    case TENTERHOOK_HANDLED:
    case TENTERHOOK_DUPLICATE:
    case TENTERHOOK_UNROUTED:
        return 200;
    case TENTERHOOK_UNDERWAY:
        return 503;
    case TENTERHOOK_REFUSED:
        return 400;
    case TENTERHOOK_DEFERRED:
    default:
        return 500;
    }
}
