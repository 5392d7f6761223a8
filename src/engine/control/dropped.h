/* Reports deliveries that retention has deleted before they were delivered. */
#ifndef TH_ENGINE_CONTROL_DROPPED_H
#define TH_ENGINE_CONTROL_DROPPED_H
#include "engine/engine.h"

void th_dropped_init(struct th_engine *e);
void th_dropped_fini(struct th_engine *e);
void th_dropped_note(struct th_engine *e, const struct th_purge *p);
/** To be called when a stop begins: reports all that has no report yet. */
void th_dropped_tell_all(struct th_engine *e);
#endif
