/* The exchange between the threads of the stores: ops on their way there and back, and how far the commits
 * are. */
#ifndef TH_STORE_EXCHANGE_H
#define TH_STORE_EXCHANGE_H
#include "store/store_state.h"

/** Queues an op of this reader. Any thread. */
void st_exchange_read(struct st_reader *r, struct th_op *op);
/** True for a write that may not wait for others to be committed with it. */
bool st_exchange_is_urgent(const struct th_op *op);
/** Queues a write of the store's own. Any thread. */
void st_exchange_write(struct st_store *s, struct th_op *op);
/** Queues a list of `count` writes that ends at *tail, `urgent` of which may not wait. Any thread. */
void st_exchange_writes(struct st_store *s, struct th_op *first, struct th_op **tail, uint32_t count,
                        uint32_t urgent);
/** Hands a list of ops to their session, and wakes it when it had nothing to drain. Any thread. */
void st_exchange_done(struct th_session *s, struct th_op *first, struct th_op **tail);

/** To be called when a group begins its commit, and when its ops have been handed to their sessions. On the
 * writer's thread. */
void st_exchange_begin(struct st_store *s);
void st_exchange_told(struct st_store *s);
/** To be called when a reader is about to begin a transaction, and when it has ended it. On a reader's
 * thread. */
void st_exchange_enter(struct st_store *s);
void st_exchange_leave(struct st_store *s);
/** The newest group that has begun its commit. Any thread. */
uint64_t st_exchange_mark(struct st_store *s);
/** Waits until the ops of that group have been handed to their sessions. Any thread but the writer's. */
void st_exchange_wait(struct st_store *s, uint64_t mark);
#endif
