/* Rows of deliveries: puts them into `queue`, takes them out of it, and finds where one is now. On the
 * writer's thread, in a transaction. */
#ifndef TH_STORE_QUEUE_H
#define TH_STORE_QUEUE_H
#include "store/store_writer.h"

struct st_stored { /* a delivery as it is stored now */
    bool queued, ended;
    uint64_t event, endpoint, order, attempts, last;
    uint8_t lane, marks, tries;
    int64_t due_or_state, ended_at, round;
};
/** Finds a delivery. If it is neither queued nor ended, there is none. */
int st_queue_find(struct st_writer *w, uint64_t no, struct st_stored *d);
/** Announces that a delivery will be looked for. */
void st_queue_expect(struct st_writer *w, uint64_t no);
/** Moves a queued delivery to those that have ended. */
int st_queue_end(struct st_writer *w, uint64_t no, const struct st_stored *d, int64_t ended, uint64_t tries,
                 uint64_t attempts, uint64_t last, enum th_delivery_state state);
/** Queues one delivery. */
int st_queue_put(struct st_writer *w, const struct th_queue_row *row);
/** Finds out whether the content of an event has been erased. */
int st_queue_is_erased(struct st_writer *w, uint64_t event, bool *erased);
#endif
