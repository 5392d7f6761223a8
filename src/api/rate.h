/* Limits on requests a second. Private to api/. */
#ifndef TH_API_RATE_H
#define TH_API_RATE_H
#include "api/request.h"

/** Sets the rates of the options. False: no memory, and some rates may still be the old ones. */
TH_MUST_USE bool th_api_rate_set(struct th_api *api, const struct th_api_options *options);
/** Count a request for its key, for its tenant. False, and the answer's Retry-After is set: there are too many. */
bool th_api_rate_key(struct th_api_req *r);
bool th_api_rate_tenant(struct th_api_req *r);
/** False, and the answer's Retry-After is set, when there are microseconds to wait. */
bool th_api_rate_passes(struct th_api_req *r, int64_t wait_us);
/** Adds the RateLimit lines of an answer. */
void th_api_rate_fields(struct th_api_req *r);
#endif
