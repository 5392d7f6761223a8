/* What the end of an attempt means. */
#ifndef TH_ENGINE_SHARD_OUTCOME_H
#define TH_ENGINE_SHARD_OUTCOME_H
#include "engine/engine.h"

struct th_attempt;

struct th_next_step th_outcome_judge(struct th_attempt *a);
/** As the row is in the store since a retry was asked for. */
void th_outcome_asked(struct th_attempt *a);
/** The last word on an attempt that has ended: verdict and health, right before it is stored. */
enum th_disable th_attempt_conclude(struct th_attempt *a);
/** What that word would be now, and the endpoint's health with it; nothing changes. */
enum th_disable th_attempt_would_disable(struct th_attempt *a, struct th_health *after);
#endif
