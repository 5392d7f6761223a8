/* Outcomes of attempts in the SQLite store. The writer's thread, in a transaction. */
#ifndef TH_STORE_SETTLE_H
#define TH_STORE_SETTLE_H
#include "store/store_writer.h"

int sq_settle(struct sq_writer *w, struct th_settle *s);
#endif
