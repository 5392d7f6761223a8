/* Point reads and walks of the SQLite store. A reader's thread. */
#ifndef TH_STORE_READ_H
#define TH_STORE_READ_H
#include "store/store_reader.h"

void sq_read_load(struct sq_reader *r, struct th_load *op);
void sq_read_walk(struct sq_reader *r, struct th_walk *op);
#endif
