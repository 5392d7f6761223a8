/* Hands places at hosts and addresses that have come free here to other engines. */
#ifndef TH_ENGINE_SHARD_GRANT_H
#define TH_ENGINE_SHARD_GRANT_H
#include "engine/engine.h"

/** Sends the places that have come free, at the end of a turn. */
void th_grants_send(struct th_engine *e);
#endif
