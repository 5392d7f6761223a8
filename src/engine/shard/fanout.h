/* Queues deliveries that an accept has left. */
#ifndef TH_ENGINE_SHARD_FANOUT_H
#define TH_ENGINE_SHARD_FANOUT_H
#include "engine/engine.h"

/** An accept has left some deliveries: home queues them. */
void th_fanout_tell(struct th_engine *e);
struct th_mono th_fanout_wanted(const struct th_engine *e);
void th_fanout_begin(struct th_engine *e);
#endif
