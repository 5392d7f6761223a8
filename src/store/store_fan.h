/* Queues deliveries that accepts have left, in steps. On the writer's thread, in a transaction. */
#ifndef TH_STORE_FAN_H
#define TH_STORE_FAN_H
#include "store/store_writer.h"

/** Notes an accept whose deliveries are not all queued. */
int st_fan_note(struct st_writer *w, const struct th_accept *a);
/** Makes the next step. */
int st_fan_step(struct st_writer *w, struct th_fanout *f);
#endif
