/* Reading public ids. */
#ifndef TH_ENGINE_SETTINGS_IDS_H
#define TH_ENGINE_SETTINGS_IDS_H
#include "engine/engine.h"

/** Reads an id of the forms that prove themselves by time and random bits (not of integers). */
bool th_engine_parse_id(struct th_engine *e, struct th_span prefix, enum th_id_form form, struct th_span text,
                        struct th_pubid *out);
#endif
