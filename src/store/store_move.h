/* Cancelling and queueing again without an attempt, in the SQLite store. The writer's thread, in a transaction. */
#ifndef TH_STORE_MOVE_H
#define TH_STORE_MOVE_H
#include "store/store_writer.h"

int sq_move(struct sq_writer *w, struct th_move *m);
#endif
