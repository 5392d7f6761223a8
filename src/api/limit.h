/* Answers 429 when a rate is reached. Private to api/. */
#ifndef TH_API_LIMIT_H
#define TH_API_LIMIT_H
#include "api/request.h"

/** Count a request for its key, for its tenant. Answer 429 themselves. */
TH_MUST_USE bool th_api_limit_key(struct th_api_req *r);
TH_MUST_USE bool th_api_limit_tenant(struct th_api_req *r);
#endif
