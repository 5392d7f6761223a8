/* How many deliveries waited, by minute, hour and day, of all and of tenants. */
#ifndef TH_STORE_BACKLOG_H
#define TH_STORE_BACKLOG_H
#include "store/store_reader.h"
#include "store/store_writer.h"

/** The writer's thread, in a transaction. */
int st_backlog_note(struct st_writer *w, struct th_backlog *op);
/** Fills op->backlog. A reader's thread, in a transaction. */
int st_backlog_read(struct st_reader *r, struct th_stats *op);
#endif
