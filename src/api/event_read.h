/* Events out of a body. Private to api/. */
#ifndef TH_API_EVENT_READ_H
#define TH_API_EVENT_READ_H
#include "api/request.h"

#define TH_API_MAX_BATCH 1000

/** Reads one event or a batch out of r->body: r->events, r->event_count, r->events_tenant, and faults in r->errors. */
void th_api_event_read(struct th_api_req *r);
#endif
