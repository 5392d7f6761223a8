/* Requests that a tenant has under way to one address. */
#ifndef TH_ENGINE_SHARD_ADDRESS_H
#define TH_ENGINE_SHARD_ADDRESS_H
#include "engine/engine.h"

struct th_attempt;

/** Counts the request at those of its first `count` addresses that have room, and leaves out the others. Returns how many are
 * left; 0: the endpoint waits until there is room, and the delivery is to be given back uncounted. */
TH_MUST_USE unsigned th_address_take(struct th_attempt *a, unsigned count);
/** The request has ended. */
void th_address_give(struct th_attempt *a);
#endif
