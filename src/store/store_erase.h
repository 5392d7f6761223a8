/* Erases the content of events. On the writer's thread, in a transaction. */
#ifndef TH_STORE_ERASE_H
#define TH_STORE_ERASE_H
#include "store/store_writer.h"

int st_erase(struct st_writer *w, struct th_erase *e);
#endif
