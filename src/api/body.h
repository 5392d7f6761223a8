/* The body of a request. Private to api/. */
#ifndef TH_API_BODY_H
#define TH_API_BODY_H
#include "api/request.h"

/** Checks what the head says of the body that is to come: its media type and size; answers 413 or 415 itself. */
TH_MUST_USE bool th_api_body_judge(struct th_api_req *r);
/** Checks the body's media type and size; answers 400, 413 or 415 itself. A body that may be absent is an empty object. */
TH_MUST_USE bool th_api_body_begin(struct th_api_req *r);
/** Parses it into r->body, hashes it for an Idempotency-Key, and reads events: all that takes long with a large one. Touches
 * nothing but the request, so that another thread may do it. */
void th_api_body_read(struct th_api_req *r);
/** Answers 400 itself when it was no JSON. */
TH_MUST_USE bool th_api_body_end(struct th_api_req *r);
#endif
