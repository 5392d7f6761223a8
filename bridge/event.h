/* Makes an event of a message. */
#ifndef TH_BRIDGE_EVENT_H
#define TH_BRIDGE_EVENT_H
#include "source.h"

/** Appends the event as POST /v1/events takes it and sets m->tenant (n == 0: that of the key; in `mem`). False: it can never be one, and m->reason
 * says why. */
bool br_event_make(const struct br_config *c, const struct br_source *source, void *s, struct br_message *m,
                   struct th_arena *mem, struct th_buf *out);
#endif
