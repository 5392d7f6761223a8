/* What each tenant has stored. The writer's thread, but for st_usage_now. */
#ifndef TH_STORE_USAGE_H
#define TH_STORE_USAGE_H
#include "store/store_writer.h"

int st_usage_open(struct st_writer *w);
void st_usage_close(struct st_writer *w);
/** The counts of a tenant; NULL: no memory. */
struct st_usage *st_usage_of(struct st_writer *w, uint64_t tenant);
/** Adds to the counts of a tenant, or of that of an endpoint; what the transaction does not commit is undone. */
int st_usage_add(struct st_writer *w, uint64_t tenant, int64_t bytes, int64_t unfinished);
int st_usage_delivery(struct st_writer *w, uint64_t endpoint, int64_t bytes, int64_t unfinished);
/** Before the commit: writes the counts where that is due. After it; or after it was rolled back. */
int st_usage_write(struct st_writer *w);
void st_usage_committed(struct st_writer *w);
void st_usage_undone(struct st_writer *w);
/** What is committed; any thread. */
void st_usage_now(struct th_store *store, uint64_t tenant, struct th_usage *out);
#endif
