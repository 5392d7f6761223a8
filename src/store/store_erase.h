/* Taking away what events say, in the SQLite store. The writer's thread, in a transaction. */
#ifndef TH_STORE_ERASE_H
#define TH_STORE_ERASE_H
#include "store/store_writer.h"

int sq_erase(struct sq_writer *w, struct th_erase *e);
#endif
