/* The lines in which an endpoint with an order gets its deliveries. */
#ifndef TH_ENGINE_SHARD_ORDER_H
#define TH_ENGINE_SHARD_ORDER_H
#include "engine/settings/filters.h"

/** The line of an event's delivery to this endpoint: the hash of its ordering key, to TH_ORDER_MAX. 0: it is in no line, because the
 * endpoint has no order, or the key finds nothing, or null. `of` is looked at only if the order has a key. */
uint64_t th_order_of(const struct th_endpoint *ep, const struct th_filter_event *of);
#endif
