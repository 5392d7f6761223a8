/* Waits until every other node knows what this one has committed. */
#ifndef TH_ENGINE_CONTROL_TOLD_H
#define TH_ENGINE_CONTROL_TOLD_H
#include "base/list.h"
#include "engine/engine.h"

struct th_told {
    struct th_list link;
    bool asked;    /* the FOLLOW under way, or one before it, began after this did */
    uint64_t upto; /* position that the others have to have applied; 0: not known yet */
    void (*run)(struct th_engine *e, struct th_told *t);
};

/** Runs t->run once every other node that lives has applied all that this node had committed by now: later, or at once where nobody
 * shares the store. The engine is not idle before. */
void th_told_wait(struct th_engine *e, struct th_told *t);
/** A FOLLOW begins. */
void th_told_asked(struct th_engine *e);
/** It has ended, and e->told is what it found; upto 0: it has failed. */
void th_told_answered(struct th_engine *e, uint64_t upto);
#endif
