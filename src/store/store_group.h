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
/** Takes what has been queued since the group was cut, for a writer whose transaction had to wait for its turn: adds to the end of
 * the group what fits into it and `may` allows, and gives the rest, which keeps its order, as a list for the next group. */
struct th_op *st_group_join(struct st_store *s, struct th_op *first, uint32_t *count,
                            bool (*may)(void *ctx, const struct th_op *op), void *ctx);
/** Hands ops that have their results to their sessions, those of one session in their order; steps of sorted runs go on. */
void st_group_give(struct st_store *s, struct th_op *first);
/** Counts a transaction in the metrics: its error, or how many ops it wrote and how many microseconds it took. */
void st_group_counted(struct st_store *s, enum th_error error, uint32_t written, int64_t took_us);
/** Ends a group that st_exchange_begin has begun and whose ops have their results: hands them to their sessions, lets the lists go
 * that show them, and goes on with sorted runs. */
void st_group_told(struct st_store *s, struct th_op *first);
#endif
