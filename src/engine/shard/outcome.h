/* The outcome of an attempt, as a value. */
#ifndef TH_ENGINE_SHARD_OUTCOME_H
#define TH_ENGINE_SHARD_OUTCOME_H
#include "core/retry.h"
#include "engine/engine.h"

struct th_attempt;

/* The outcome at one moment: until it is taken, other outcomes, changes of the endpoint and a retry that is
 * asked for may change it. */
struct th_outcome {
    struct th_next_step step;
    uint8_t tries;           /* number of earlier tries of this round */
    bool asked;              /* somebody wants the next attempt now, and this one has not delivered */
    struct th_wall first;    /* when this round began */
    struct th_health health; /* the endpoint's, after it */
    enum th_disable disable;
    bool renew; /* its token was not accepted: once more at once with another one, outside of the schedule */
};

/** Works the outcome out; changes nothing. */
struct th_outcome th_outcome_of(const struct th_attempt *a);
/** Takes an outcome, which must be of this moment: changes scheduler, endpoint and settle accordingly. */
void th_outcome_take(struct th_attempt *a, const struct th_outcome *o);
/** Makes the row as a retry that was asked for has made it in the store. */
void th_outcome_asked(struct th_attempt *a);
#endif
