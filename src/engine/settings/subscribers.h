/* The index of a tenant's subscriptions: which of its endpoints can want an event of a type. One engine's. */
#ifndef TH_ENGINE_SETTINGS_SUBSCRIBERS_H
#define TH_ENGINE_SETTINGS_SUBSCRIBERS_H
#include "engine/settings/ep_list.h"

struct th_ep;
struct th_subscribers;

/** NULL without memory. Freed with th_subscribers_free, which touches no endpoint. */
struct th_subscribers *th_subscribers_new(uint64_t seed);
void th_subscribers_free(struct th_subscribers *s);
/** Takes an endpoint up under what it subscribes to now. False: it is none of those that are indexed, or there is no memory. */
bool th_subscribers_put(struct th_subscribers *s, struct th_ep *ep);
/** Takes it out again, whatever its settings are by now. False: it is not in the index. */
bool th_subscribers_take(struct th_subscribers *s, struct th_ep *ep);

/** How many lists together have all that are indexed and can want the type; an endpoint is in at most one of those that have it. */
unsigned th_subscribers_lists(struct th_span type);
/** One of these lists, from 0; NULL: empty. They may have endpoints that do not want the type, as two texts can have one hash. */
const struct th_ep_list *th_subscribers_list(const struct th_subscribers *s, struct th_span type,
                                             unsigned list);
#endif
