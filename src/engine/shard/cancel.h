/* Cancelling the deliveries of a deleted endpoint. */
#ifndef TH_ENGINE_SHARD_CANCEL_H
#define TH_ENGINE_SHARD_CANCEL_H
#include "engine/engine.h"

void th_cancel_endpoint(struct th_engine *e, uint64_t endpoint);
struct th_mono th_cancel_wanted(const struct th_engine *e);
void th_cancel_begin(struct th_engine *e);
#endif
