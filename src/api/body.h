/* The body of a request. Private to api/. */
#ifndef TH_API_BODY_H
#define TH_API_BODY_H
#include "api/request.h"

/** Checks media type and size of a body that is still to come, from the head; answers 413 or 415 itself. */
TH_MUST_USE bool th_api_body_judge(struct th_api_req *r);
/** Checks the body's media type and size; answers 400, 413 or 415 itself. A body that may be absent is an empty object. */
TH_MUST_USE bool th_api_body_begin(struct th_api_req *r);
/** Parses the body into r->body, hashes it for an Idempotency-Key, and reads events: all the work that takes
 * long with a large body. Touches only the request, so that another thread may do it. */
void th_api_body_read(struct th_api_req *r);
/** Answers 400 itself when the body was not JSON. */
TH_MUST_USE bool th_api_body_end(struct th_api_req *r);
#endif
