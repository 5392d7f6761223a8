/* Writes accepted events. On the writer's thread, in a transaction. */
#ifndef TH_STORE_ACCEPT_H
#define TH_STORE_ACCEPT_H
#include "store/store_writer.h"

int st_accept(struct st_writer *w, struct th_accept *a);
/** Announces the rows for which it will look. */
void st_accept_expect(struct st_writer *w, const struct th_accept *a);
#endif
