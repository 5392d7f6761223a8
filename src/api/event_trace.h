/* The trace that a published event belongs to. Private to api/; on the server's thread, but for the first, which the
 * reader of a large body calls. */
#ifndef TH_API_EVENT_TRACE_H
#define TH_API_EVENT_TRACE_H
#include "api/request.h"

/** A context in the form in which events keep both of its texts, in the request's memory; *out stays as it is when there is none. False:
 * no memory. */
bool th_api_event_trace_keep(struct th_api_req *r, struct th_span parent, struct th_span state,
                             struct th_span *out);
/** The same for the request's headers. */
bool th_api_event_trace_context(struct th_api_req *r, struct th_span *out);
/** Events that say nothing of a trace themselves belong to that of the request's headers. */
void th_api_event_trace_fill(struct th_api_req *r);
#endif
