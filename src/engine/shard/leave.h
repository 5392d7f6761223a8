/* Takes deleted tenants and endpoints out of memory. */
#ifndef TH_ENGINE_SHARD_LEAVE_H
#define TH_ENGINE_SHARD_LEAVE_H
#include "engine/engine.h"

struct th_ep;

/** The tenant has been deleted: nothing is sent any more; its endpoints leave memory in turns to come. */
void th_leave_tenant(struct th_engine *e, struct th_tenant *t);
/** The endpoint leaves memory; if it is this engine's, deliveries that wait for it are cancelled. */
void th_leave_endpoint(struct th_engine *e, struct th_ep *ep);
struct th_mono th_leave_wanted(const struct th_engine *e);
void th_leave_begin(struct th_engine *e);
#endif
