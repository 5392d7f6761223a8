/* Sends deliveries again that have ended. */
#ifndef TH_ENGINE_CONTROL_REPLAY_H
#define TH_ENGINE_CONTROL_REPLAY_H
#include "engine/engine.h"

void th_replays_begin(struct th_engine *e);
void th_replay_load(struct th_engine *e, const struct th_row *row);
void th_replays_free(struct th_engine *e);
struct th_mono th_replays_wanted(const struct th_engine *e);
/** The row of a job, which another node has written. */
void th_replay_follow(struct th_engine *e, const struct th_row *row);
#endif
