/* Cancelling deliveries. Private to api/. */
#ifndef TH_API_CANCEL_H
#define TH_API_CANCEL_H
#include "api/request.h"

/** Cancels the delivery of this number, and answers. */
void th_api_cancel_one(struct th_api_req *r, uint64_t delivery);
#endif
