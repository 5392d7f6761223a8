/* Reads single rows and walks the queue. On a reader's thread. */
#ifndef TH_STORE_READ_H
#define TH_STORE_READ_H
#include "store/store_reader.h"

void st_read_load(struct st_reader *r, struct th_load *op);
void st_read_walk(struct st_reader *r, struct th_walk *op);
#endif
