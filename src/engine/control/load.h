/* Loads the settings of a store. */
#ifndef TH_ENGINE_CONTROL_LOAD_H
#define TH_ENGINE_CONTROL_LOAD_H
#include "engine/engine.h"

/** Adds what is in a row, which is not in memory yet, or notes the highest numbers that it tells. */
enum th_error th_load_row(struct th_engine *e, const struct th_row *row);
/** Where rows of TH_ROW_META are among those that another node has changed, all are: takes away the event types that are not. */
void th_load_types_gone(struct th_engine *e, const struct th_row *rows, uint32_t count);
/** Makes a tenant of its row without adding it. */
enum th_error th_load_tenant(struct th_engine *e, const struct th_row *row, struct th_tenant **out);
enum th_error th_load_settings(struct th_engine *e, struct th_buf *made_key, char *why, size_t why_size);
#endif
