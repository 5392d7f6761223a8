/* Writes outcomes of attempts to the stores. On the writer's thread, in a transaction. */
#ifndef TH_STORE_SETTLE_H
#define TH_STORE_SETTLE_H
#include "store/store_writer.h"

int st_settle(struct st_writer *w, struct th_settle *s);
#endif
