/* Counts the deliveries that wait for each endpoint. On the writer's thread, and at opening. */
#ifndef TH_STORE_COUNT_H
#define TH_STORE_COUNT_H
#include "store/store_writer.h"

/** A row comes into `queue` (by 1) or leaves it (by -1). ST_NOMEM: the caller rolls back. */
int st_count_add(struct st_writer *w, uint64_t endpoint, uint64_t lane, bool again, int by);
/** Another node has committed this change (struct st_change): it is never undone. False: no memory. */
bool st_count_follow(struct st_writer *w, uint64_t endpoint, uint64_t by);
/** To be called when the transaction has ended, committed or not. */
void st_count_end(struct st_writer *w, bool committed);
/** Counts the rows that are there; to be called before the first transaction. */
int st_count_load(struct st_writer *w);
void st_count_fini(struct st_writer *w);
int st_count(struct st_writer *w, struct th_counts *c);
/** How many deliveries of an accept's range are, or were, queued. */
int st_count_range(struct st_writer *w, uint64_t first, uint64_t n, uint32_t *queued);
#endif
