/* Places at hosts and addresses that have come free here and are another engine's now. */
#ifndef TH_ENGINE_SHARD_GRANT_H
#define TH_ENGINE_SHARD_GRANT_H
#include "engine/engine.h"

/** Sends those that have come free, at the end of a turn. */
void th_grants_send(struct th_engine *e);
#endif
