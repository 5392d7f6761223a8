/* Health and rest of endpoints. */
#ifndef TH_ENGINE_SHARD_HEALTH_H
#define TH_ENGINE_SHARD_HEALTH_H
#include "engine/engine.h"

struct th_ep;

#define TH_HEALTH_FLUSH_MS 10000

void th_health_touch(struct th_engine *e, struct th_ep *ep);
/** The endpoint asks to be left alone for so long from now. */
void th_rest_ask(struct th_engine *e, struct th_ep *ep, int64_t ms);
/** It works again, or is another one. */
void th_rest_forget(struct th_engine *e, struct th_ep *ep);
/** After a start: what is left of a rest, by its health. */
void th_rest_resume(struct th_engine *e, struct th_ep *ep);
struct th_mono th_health_wanted(const struct th_engine *e);
void th_health_begin(struct th_engine *e);
#endif
