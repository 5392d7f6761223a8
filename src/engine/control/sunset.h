/* Tells of endpoints that get a version of an event type whose time is ending. */
#ifndef TH_ENGINE_CONTROL_SUNSET_H
#define TH_ENGINE_CONTROL_SUNSET_H
#include "engine/engine.h"

/** A type is in a catalogue now; changed: somebody has just put it there, so what it means is told at once. */
void th_sunset_look(struct th_engine *e, const struct th_event_type *type, bool changed);
struct th_mono th_sunset_wanted(const struct th_engine *e);
void th_sunset_begin(struct th_engine *e);
#endif
