/* Tries whether the store has room again. */
#ifndef TH_ENGINE_SHARD_PROBE_H
#define TH_ENGINE_SHARD_PROBE_H
#include "engine/engine.h"

struct th_mono th_probe_wanted(const struct th_engine *e);
void th_probe_begin(struct th_engine *e);
struct th_mono th_probe_tell_wanted(const struct th_engine *e);
void th_probe_tell(struct th_engine *e);
#endif
