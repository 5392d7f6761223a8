/* Loads the settings of a store. */
#ifndef TH_ENGINE_CONTROL_LOAD_H
#define TH_ENGINE_CONTROL_LOAD_H
#include "engine/engine.h"

/** Adds what is in a row, which is not in memory yet, or notes the highest numbers that it tells. */
enum th_error th_load_row(struct th_engine *e, const struct th_row *row);
/** Makes a tenant of its row without adding it. */
enum th_error th_load_tenant(struct th_engine *e, const struct th_row *row, struct th_tenant **out);
enum th_error th_load_settings(struct th_engine *e, struct th_buf *made_key, char *why, size_t why_size);
#endif
