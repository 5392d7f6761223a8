/* What a backfill does otherwise than a replay (replay.c): it looks through events, and what it queues is made by it. */
#ifndef TH_ENGINE_CONTROL_BACKFILL_H
#define TH_ENGINE_CONTROL_BACKFILL_H
#include "engine/control/replay_job.h"

/* Makes the page that the job is about to read one of events. */
void th_backfill_page(struct th_replay_job *j);
/* Whether the event is to go to the job's endpoint; while the job starts, what is not is counted. *steps grows by what it has cost. */
bool th_backfill_wants(struct th_replay_job *j, const struct th_event_row *row, uint32_t *steps);
/* Reads the oldest events of those that matched, for the answer. */
void th_backfill_first(struct th_replay_job *j, void (*done)(struct th_replay_job *j, enum th_error error));
/* Makes copies of the oldest of the job's events, and queues their deliveries. done: how many of the numbers have been dealt with (0: none
 * now), and how many deliveries were made. The job is busy until then. */
void th_backfill_step(struct th_replay_job *j,
                      void (*done)(struct th_replay_job *j, uint32_t count, uint32_t queued));
#endif
