/* Holds back what has an order until everything with a lower number is known here. */
#ifndef TH_ENGINE_SHARD_FENCE_H
#define TH_ENGINE_SHARD_FENCE_H
#include "engine/engine.h"

/* One engine's part; zeroed at first, but for th_fence_init. */
struct th_fence {
    struct th_queue_row *rows; /* that are held back */
    uint32_t count, cap;
    struct th_list waiting; /* struct th_fence_wait */
    bool begins, busy;      /* a round begins in the next turn; is under way */
    bool follow_asked;      /* the round waits for what other nodes have committed, */
    bool follow_runs;       /* which is being read */
    uint64_t upto, event;   /* of the round */
    unsigned asked;         /* engines that have not answered */
    uint64_t left_event;    /* highest event of which an accept left deliveries, as the others have told */
    uint64_t
        queued_event; /* deliveries of events up to this one are queued, as home has told; 0: never asked */
    struct th_deferred defer;
    struct th_fence_question *questions; /* one for each engine, and one for home */
    /* what others ask: */
    struct th_list accepts_asked, fans_asked;
    uint64_t accepts_begun, accepts_done; /* of this engine */
    unsigned unknown;                     /* of these, sent again because nobody knew the outcome */
    uint64_t last_left;                   /* the highest event of which it left deliveries */
    uint64_t slots_went;                  /* how often slots have gone to other nodes */
    uint64_t fan_steps;                   /* home: begun */
};

/** Forgets the rows of slots that have gone to another node: it ends these deliveries, perhaps before the slots come back. */
void th_fence_slots_went(struct th_engine *e, const uint64_t *went);
/** Waits until all deliveries up to `no` and all events up to `event` are known to this engine. It is the first member of a block of
 * th_malloc, which `run` frees; an engine that ends before that frees it instead. */
struct th_fence_wait {
    struct th_list link;
    uint64_t no, event;
    void (*run)(struct th_engine *e, struct th_fence_wait *w);
};

TH_MUST_USE bool th_fence_init(struct th_engine *e);
void th_fence_fini(struct th_engine *e);
/** Whether what is offered now may have come before something with a lower number. */
bool th_fence_is_up(const struct th_engine *e);
/** Holds a row back. It is inserted into the scheduler later; without memory for that the queue is walked again. */
void th_fence_row(struct th_engine *e, const struct th_queue_row *row);
/** The delivery has been cancelled. */
void th_fence_forget(struct th_engine *e, uint64_t no);
/** False: so much is held back that no more should be read. */
bool th_fence_has_room(const struct th_engine *e);
void th_fence_wait(struct th_engine *e, struct th_fence_wait *w);
/** The walk of the queue has come further, or has ended. */
void th_fence_walked(struct th_engine *e);
/** An accept of this engine has ended, and its rows have been offered. again: nobody knows its outcome, and it has been sent again;
 * repeated: it had been sent again before. */
void th_fence_accepted(struct th_engine *e, bool repeated, bool again);
/** What other nodes have committed is about to be read; has been read and taken over. */
void th_fence_follows(struct th_engine *e);
void th_fence_followed(struct th_engine *e);
/** Home: step number `step` has found that the accept of `lowest` is the first that has deliveries left; 0: none has. */
void th_fence_fanned(struct th_engine *home, uint64_t step, uint64_t lowest);
#endif
