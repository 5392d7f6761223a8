/* Erases the content of events. */
#ifndef TH_ENGINE_CONTROL_ERASE_H
#define TH_ENGINE_CONTROL_ERASE_H
#include "engine/engine.h"

struct th_mono th_erase_wanted(const struct th_engine *e);
void th_erase_begin(struct th_engine *e);
#endif
