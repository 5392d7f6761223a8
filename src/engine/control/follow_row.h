/* A settings row that another node has changed, into memory. */
#ifndef TH_ENGINE_CONTROL_FOLLOW_ROW_H
#define TH_ENGINE_CONTROL_FOLLOW_ROW_H
#include "engine/engine.h"

/** Brings memory to a row as the store has it now; rows come in the order of th_follow.rows. What is committed and cannot be held for
 * lack of memory stops the engine. */
void th_settings_follow(struct th_engine *e, const struct th_row *row);
#endif
