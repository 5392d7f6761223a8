/* Deletes what retention does not keep. On the writer's thread, in a transaction. */
#ifndef TH_STORE_PURGE_H
#define TH_STORE_PURGE_H
#include "store/store_writer.h"

int st_purge(struct st_writer *w, struct th_purge *p);
/** Deletes an attempt and those of its delivery before it. */
int st_purge_attempts(struct st_writer *w, uint64_t last);
/** Forgets the publisher's own id of an event; n == 0: it has none. */
int st_purge_own(struct st_writer *w, uint64_t tenant, struct th_span id, uint64_t event);
/** Notes the next numbers, so that none is given twice when the newest rows are deleted. */
int st_purge_counters(struct st_writer *w);
#endif
