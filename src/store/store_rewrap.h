/* Lists and replaces encrypted values in the stores. On the writer's thread, in a transaction. */
#ifndef TH_STORE_REWRAP_H
#define TH_STORE_REWRAP_H
#include "store/store_writer.h"

int st_rewrap(struct st_writer *w, struct th_rewrap *r);
#endif
