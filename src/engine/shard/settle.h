/* Stores outcomes of attempts, and does what follows from them. */
#ifndef TH_ENGINE_SHARD_SETTLE_H
#define TH_ENGINE_SHARD_SETTLE_H
#include "engine/engine.h"

struct th_attempt;

#define TH_MAX_SETTLES 4096 /* unrecorded outcomes of all engines; beyond, dispatch pauses */

struct th_mono th_settle_again_wanted(const struct th_engine *e);
void th_settle_again(struct th_engine *e);
/** Stores the outcome. */
void th_settle_submit(struct th_attempt *a);
#endif
