/* From the scheduler's pick to the request on the wire. */
#ifndef TH_ENGINE_SHARD_DISPATCH_H
#define TH_ENGINE_SHARD_DISPATCH_H
#include "engine/engine.h"

void th_dispatch_begin(struct th_engine *e);
struct th_mono th_dispatch_wanted(const struct th_engine *e);
#endif
