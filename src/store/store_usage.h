/* Counts how much each tenant has stored. On the writer's thread, except st_usage_now. */
#ifndef TH_STORE_USAGE_H
#define TH_STORE_USAGE_H
#include "store/store_writer.h"

int st_usage_open(struct st_writer *w);
void st_usage_close(struct st_writer *w);
/** The counts of a tenant; NULL: no memory. */
struct st_usage *st_usage_of(struct st_writer *w, uint64_t tenant);
/** Adds to the counts of a tenant, or of the tenant of an endpoint; undone if the transaction is not
 * committed. */
int st_usage_add(struct st_writer *w, uint64_t tenant, int64_t bytes, int64_t unfinished);
int st_usage_delivery(struct st_writer *w, uint64_t endpoint, int64_t bytes, int64_t unfinished);
/** The tenant of an endpoint, deleted ones too; 0: there is no such endpoint. */
int st_usage_tenant(struct st_writer *w, uint64_t endpoint, uint64_t *tenant);
/** Another node has committed this change: it is never undone. False: no memory. */
bool st_usage_follow(struct st_writer *w, uint64_t tenant, int64_t bytes, int64_t unfinished);
/** Another node has written `usage`: what stands there is not known here. */
void st_usage_unknown(struct st_writer *w);
/** To be called before the commit (writes the counts if that is due), after it, and after a rollback. */
int st_usage_write(struct st_writer *w);
void st_usage_committed(struct st_writer *w);
void st_usage_undone(struct st_writer *w);
/** Reads the committed counts; any thread. */
void st_usage_now(struct th_store *store, uint64_t tenant, struct th_usage *out);
#endif
