/* Events that the engine itself publishes. */
#ifndef TH_ENGINE_SHARD_OPERATOR_H
#define TH_ENGINE_SHARD_OPERATOR_H
#include "engine/engine.h"

struct th_attempt;
struct th_ep;

struct th_notice {
    struct th_list link; /* on engine.notices */
    struct th_publish publish;
    struct th_publish_event event;
    uint64_t tenant,
        except; /* tenant 0: the operator; else endpoints that list the type by name, but for `except` */
    char bytes[];
};

void th_operator_delivery_failed(struct th_engine *e, const struct th_attempt *a, struct th_wall first);
void th_operator_delivery_expired(struct th_engine *e, const struct th_attempt *a);
void th_operator_delivery_degraded(struct th_engine *e, const struct th_attempt *a);
/** what: "disabled", "recovered". It goes to the operator, and to those other endpoints of the tenant that ask for it by name. */
void th_operator_endpoint(struct th_engine *e, const struct th_ep *ep, const char *what, const char *reason);
/** The same. what: one of TH_TROUBLE_*. */
void th_operator_trouble(struct th_engine *e, const struct th_ep *ep, unsigned what);
/* The endpoint gets this version of the type, whose sunset is near or has come. */
void th_operator_sunset(struct th_engine *e, const struct th_ep *ep, const struct th_event_type *type,
                        const struct th_type_version *v);
/** Its client certificate ends, or has ended. */
void th_operator_certificate(struct th_engine *e, const struct th_ep *ep, struct th_wall end);
void th_operator_limit(struct th_engine *e, const struct th_tenant *t, enum th_limit id, int64_t used,
                       int64_t allowed);
void th_operator_dropped(struct th_engine *e, const struct th_ep *ep, uint64_t count);
#endif
