/* The wall clock beside the steady one. */
#ifndef TH_ENGINE_SHARD_CLOCK_H
#define TH_ENGINE_SHARD_CLOCK_H
#include "engine/engine.h"

void th_clock_begin(struct th_engine *e);
void th_clock_turn(struct th_engine *e);
/** When a stored delivery is due on the steady clock. Later than its schedule can have made it, it is due by the schedule's
 * own length: the wall clock has been set back since. */
struct th_mono th_clock_due(const struct th_engine *e, const struct th_queue_row *row);
#endif
