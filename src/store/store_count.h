/* How much waits at each endpoint. The writer's thread, and at opening. */
#ifndef TH_STORE_COUNT_H
#define TH_STORE_COUNT_H
#include "store/store_writer.h"

/** A row comes into `queue` (by 1) or leaves it (by -1). SQLITE_NOMEM: the caller rolls back. */
int sq_count_add(struct sq_writer *w, uint64_t endpoint, uint64_t lane, bool again, int by);
/** The transaction has ended, committed or not. */
void sq_count_end(struct sq_writer *w, bool committed);
/** Counts what is there; before the first transaction. */
int sq_count_load(struct sq_writer *w);
void sq_count_fini(struct sq_writer *w);
int sq_count(struct sq_writer *w, struct th_counts *c);
/** How many deliveries of an accept's range are, or were, queued. */
int sq_count_range(struct sq_writer *w, uint64_t first, uint64_t n, uint32_t *queued);
#endif
