/* Compares the wall clock with the steady clock. */
#ifndef TH_ENGINE_SHARD_CLOCK_H
#define TH_ENGINE_SHARD_CLOCK_H
#include "engine/engine.h"

void th_clock_begin(struct th_engine *e);
void th_clock_turn(struct th_engine *e);
/** When a stored delivery is due on the steady clock. If that is later than its schedule can have made it,
 * the wall clock has been set back since, and the schedule's own length counts. */
struct th_mono th_clock_due(const struct th_engine *e, const struct th_queue_row *row);
#endif
