/* Cancels deliveries, or queues them again, without an attempt. On the writer's thread, in a transaction. */
#ifndef TH_STORE_MOVE_H
#define TH_STORE_MOVE_H
#include "store/store_writer.h"

int st_move(struct st_writer *w, struct th_move *m);
#endif
