/* Health and rest of endpoints. */
#ifndef TH_ENGINE_SHARD_HEALTH_H
#define TH_ENGINE_SHARD_HEALTH_H
#include "engine/engine.h"

struct th_ep;

#define TH_HEALTH_FLUSH_MS 10000

void th_health_touch(struct th_engine *e, struct th_ep *ep);
/** The endpoint asks for rest: no requests for `ms` from now on. */
void th_health_rest_ask(struct th_engine *e, struct th_ep *ep, int64_t ms);
/** Ends the rest: the endpoint works again, or has another URL. */
void th_health_rest_forget(struct th_engine *e, struct th_ep *ep);
/** To be called after a start: goes on with the rest that its health still has. */
void th_health_rest_resume(struct th_engine *e, struct th_ep *ep);
struct th_mono th_health_wanted(const struct th_engine *e);
void th_health_begin(struct th_engine *e);
#endif
