/* What the end of an attempt means, as a value. */
#ifndef TH_ENGINE_SHARD_OUTCOME_H
#define TH_ENGINE_SHARD_OUTCOME_H
#include "core/retry.h"
#include "engine/engine.h"

struct th_attempt;

/* As it is at one moment: other ends, changes of the endpoint and a retry that is asked for may make it another until it is
 * taken. */
struct th_outcome {
    struct th_next_step step;
    uint8_t tries;           /* that this round had before */
    bool asked;              /* somebody wants the next one now, and this one has not delivered */
    struct th_wall first;    /* when this round began */
    struct th_health health; /* the endpoint's, after it */
    enum th_disable disable;
};

/** Changes nothing. */
struct th_outcome th_outcome_of(const struct th_attempt *a);
/** The last word: scheduler, endpoint and the settle are as the outcome says, which is of this moment. */
void th_outcome_take(struct th_attempt *a, const struct th_outcome *o);
/** The delivery is in the store as a retry that was asked for has made it. */
void th_outcome_asked(struct th_attempt *a);
#endif
