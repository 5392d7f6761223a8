/* Follows what other nodes do to a store that several share. */
#ifndef TH_ENGINE_CONTROL_FOLLOW_H
#define TH_ENGINE_CONTROL_FOLLOW_H
#include "engine/engine.h"

struct th_mono th_follow_wanted(const struct th_engine *e);
void th_follow_begin(struct th_engine *e);
#endif
