/* Deletes what retention does not keep. On the writer's thread, in a transaction. */
#ifndef TH_STORE_PURGE_H
#define TH_STORE_PURGE_H
#include "store/store_writer.h"

int st_purge(struct st_writer *w, struct th_purge *p);
#endif
