/* Groups of operations that a writer commits together: waits for them, cuts them off the queue, gives them
 * back. On the writer's thread. */
#ifndef TH_STORE_GROUP_H
#define TH_STORE_GROUP_H
#include "store/store_state.h"

/** Waits until there is something to commit, or for idle_ms, and takes all that is queued (NULL: nothing).
 * False: the store stops, and nothing is left. */
bool st_group_wait(struct st_store *s, struct th_op **list);
/** Cuts a group of *count ops off the front of a list; at least one op. */
struct th_op *st_group_cut(struct th_op **list, uint32_t *count);
/** Puts an op that has ended with the others of its session; the ops of one session in their order. */
void st_group_ended(struct st_store *s, struct th_op *op);
/** Hands the ops that have ended to their sessions. */
void st_group_finish(struct st_store *s);
#endif
