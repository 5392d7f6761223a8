/* Reads events from a body. Private to api/. */
#ifndef TH_API_EVENT_READ_H
#define TH_API_EVENT_READ_H
#include "api/request.h"

#define TH_API_MAX_BATCH 1000

/** Reads one event or a batch from r->body into r->events, r->event_count and r->events_tenant; faults go to
 * r->errors. */
void th_api_event_read(struct th_api_req *r);
#endif
