/* The end of an attempt, until it is handed to the store. */
#ifndef TH_ENGINE_SHARD_ATTEMPT_END_H
#define TH_ENGINE_SHARD_ATTEMPT_END_H
#include "engine/engine.h"

struct th_attempt;

void th_attempt_ended(struct th_attempt *a);
#endif
