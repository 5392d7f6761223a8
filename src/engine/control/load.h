/* Loads the settings of a store. */
#ifndef TH_ENGINE_CONTROL_LOAD_H
#define TH_ENGINE_CONTROL_LOAD_H
#include "engine/engine.h"

enum th_error th_load_settings(struct th_engine *e, struct th_buf *made_key, char *why, size_t why_size);
#endif
