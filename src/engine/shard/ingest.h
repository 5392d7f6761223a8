/* Publishing. */
#ifndef TH_ENGINE_SHARD_INGEST_H
#define TH_ENGINE_SHARD_INGEST_H
#include "engine/engine.h"

struct th_ep;

bool th_ingest_matches(const struct th_ep *ep, struct th_span type);
void th_ingest_free(struct th_engine *e);
/** Settings have changed in this engine: publishes that wait for that are matched again. */
struct th_mono th_ingest_again_wanted(const struct th_engine *e);
void th_ingest_again(struct th_engine *e);
/** Publishes the notices. */
struct th_mono th_ingest_own_wanted(const struct th_engine *e);
void th_ingest_own(struct th_engine *e);
#endif
