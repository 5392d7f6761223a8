/* Retention of single tenants. */
#ifndef TH_ENGINE_CONTROL_TRIM_H
#define TH_ENGINE_CONTROL_TRIM_H
#include "engine/engine.h"

struct th_mono th_trim_wanted(const struct th_engine *e);
void th_trim_begin(struct th_engine *e);
#endif
