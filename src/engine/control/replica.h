/* Keeps the copies of settings in the other engines up to date: home tells them what is new. */
#ifndef TH_ENGINE_CONTROL_REPLICA_H
#define TH_ENGINE_CONTROL_REPLICA_H
#include "engine/engine.h"

struct th_ep;

void th_replica_tenant(struct th_engine *home, const struct th_tenant *t);
void th_replica_tenant_gone(struct th_engine *home, const struct th_tenant *t);
/** A type of the tenant is this now, or it is gone. */
void th_replica_type(struct th_engine *home, const struct th_tenant *t, struct th_event_type *type,
                     bool gone);
void th_replica_key(struct th_engine *home, const struct th_key *k);
void th_replica_key_gone(struct th_engine *home, const struct th_key *k);
/** reset: what was learnt about the endpoint is not valid any more. cleared: it was enabled again by hand. */
void th_replica_endpoint(struct th_engine *home, struct th_ep *ep, bool reset, bool cleared);
void th_replica_endpoint_gone(struct th_engine *home, const struct th_tenant *t, uint64_t no);
void th_replica_reload(struct th_engine *home);
/** Takes over the new parts of another set of options. */
void th_replica_options(struct th_engine *e, const struct th_engine_options *options);
/** Finds a dialect by its name in a set of options; NULL: there is none. */
const struct th_dialect *th_replica_dialect(const struct th_engine_options *options, struct th_span name);
#endif
