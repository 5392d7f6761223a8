/* Idempotency-Key. Private to api/. */
#ifndef TH_API_IDEM_H
#define TH_API_IDEM_H
#include "api/request.h"

#define TH_API_IDEM_WAIT_US                                                                                  \
    5000000 /* if the first request takes longer, a second one with its key gets 409 */

/** Reads Idempotency-Key of a POST into r->idem; answers 400 or 409 itself. */
TH_MUST_USE bool th_api_idem(struct th_api_req *r);
/** Sends the answer that is kept for the key, or calls the route's handler when there is none. */
void th_api_idem_recall(struct th_api_req *r);
#endif
