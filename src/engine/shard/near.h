/* A tenant is near one of its limits. */
#ifndef TH_ENGINE_SHARD_NEAR_H
#define TH_ENGINE_SHARD_NEAR_H
#include "engine/engine.h"

/** To be called after something has been added: reports once, in the log and as an operator event, that the
 * limit is near. */
void th_near_added(struct th_engine *e, struct th_tenant *t, enum th_limit id);
#endif
