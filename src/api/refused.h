/* Spans of refused publishes. Private to api/. */
#ifndef TH_API_REFUSED_H
#define TH_API_REFUSED_H
#include "api/request.h"

/** Before the answer with an error goes out: a publish with a valid key becomes a span, where it is traced. */
void th_api_refused(struct th_api_req *r, unsigned status);
#endif
