/* Tells the operator of endpoints that are not well, before they are disabled, and when they are well again. */
#ifndef TH_ENGINE_SHARD_TROUBLE_H
#define TH_ENGINE_SHARD_TROUBLE_H
#include "engine/engine.h"
#include "engine/shard/outcome.h"

/** Learns from the end of an attempt; the health of its endpoint has been updated. */
void th_trouble_learn(struct th_attempt *a, const struct th_outcome *o, enum th_learn learn);
#endif
