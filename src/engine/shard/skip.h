/* Notes in the store which deliveries have been passed by the next of their line. */
#ifndef TH_ENGINE_SHARD_SKIP_H
#define TH_ENGINE_SHARD_SKIP_H
#include "engine/engine.h"

/** To be called after the scheduler has picked. */
void th_skips_store(struct th_engine *e);
#endif
