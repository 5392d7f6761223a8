/* What each tenant has stored. The writer's thread, but for sq_usage_now. */
#ifndef TH_STORE_USAGE_H
#define TH_STORE_USAGE_H
#include "store/store_writer.h"

int sq_usage_open(struct sq_writer *w);
void sq_usage_close(struct sq_writer *w);
/** The counts of a tenant; NULL: no memory. */
struct sq_usage *sq_usage_of(struct sq_writer *w, uint64_t tenant);
/** Adds to the counts of a tenant, or of that of an endpoint; what the transaction does not commit is undone. */
int sq_usage_add(struct sq_writer *w, uint64_t tenant, int64_t bytes, int64_t unfinished);
int sq_usage_delivery(struct sq_writer *w, uint64_t endpoint, int64_t bytes, int64_t unfinished);
/** Before the commit: writes the counts where that is due. After it; or after it was rolled back. */
int sq_usage_write(struct sq_writer *w);
void sq_usage_committed(struct sq_writer *w);
void sq_usage_undone(struct sq_writer *w);
/** What is committed; any thread. */
void sq_usage_now(struct th_store *store, uint64_t tenant, struct th_usage *out);
#endif
