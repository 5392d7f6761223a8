/* Checks the settings of an endpoint. */
#ifndef TH_ENGINE_CONTROL_CHECK_H
#define TH_ENGINE_CONTROL_CHECK_H
#include "engine/engine.h"

/** 0 for a name that is not a variant's. */
unsigned th_check_variant(const struct th_dialect_values *v, struct th_span name);
bool th_check_spec(struct th_engine *e, const struct th_tenant *t, struct th_change *c, struct th_url *url);
#endif
