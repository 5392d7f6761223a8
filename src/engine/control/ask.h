/* Asks receivers for their consent. */
#ifndef TH_ENGINE_CONTROL_ASK_H
#define TH_ENGINE_CONTROL_ASK_H
#include "engine/engine.h"

struct th_mono th_asks_wanted(const struct th_engine *e);
void th_asks_begin(struct th_engine *e);
/** Cancels all asks. Some may end inside the call. */
void th_asks_cancel(struct th_engine *e);
#endif
