/* Deletes events from the store that are older than the installation keeps them. */
#ifndef TH_ENGINE_CONTROL_RETENTION_H
#define TH_ENGINE_CONTROL_RETENTION_H
#include "engine/engine.h"

struct th_mono th_retention_wanted(const struct th_engine *e);
void th_retention_begin(struct th_engine *e);
#endif
