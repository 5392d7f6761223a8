/* Reads events from a body. Private to api/. */
#ifndef TH_API_EVENT_READ_H
#define TH_API_EVENT_READ_H
#include "api/request.h"

#define TH_API_MAX_BATCH 1000

/** Reads one event or a batch from r->body into r->events, r->event_count and r->events_tenant; faults go to
 * r->errors. */
void th_api_event_read(struct th_api_req *r);
/** The trace of the request's headers, as events keep it; *out stays as it is when there is none. False: no memory. On the server's thread. */
bool th_api_event_context(struct th_api_req *r, struct th_span *out);
/** Events that say nothing of a trace themselves belong to that of the request's headers. On the server's thread. */
void th_api_event_trace(struct th_api_req *r);
#endif
