/* Listing and replacing what is encrypted, in the SQLite store. The writer's thread, in a transaction. */
#ifndef TH_STORE_REWRAP_H
#define TH_STORE_REWRAP_H
#include "store/store_writer.h"

int sq_rewrap(struct sq_writer *w, struct th_rewrap *r);
#endif
