/* Cancelling deliveries. Private to api/. */
#ifndef TH_API_CANCEL_H
#define TH_API_CANCEL_H
#include "api/request.h"

/** Cancels the delivery of this number, and answers. */
void th_api_cancel_one(struct th_api_req *r, uint64_t delivery);
/** False: the body is not empty, and the request has been answered. */
bool th_api_cancel_body(struct th_api_req *r);
#endif
