/* Checks who makes a request, and whether that client may make it. Private to api/. */
#ifndef TH_API_AUTH_H
#define TH_API_AUTH_H
#include "api/request.h"

/** Checks the key, its scope and the tenant; answers 401, 403 or 404 itself. */
TH_MUST_USE bool th_api_auth(struct th_api_req *r);
/** False: the request came with a session, which is not enough to make something that outlasts it; answered with 403. */
TH_MUST_USE bool th_api_auth_is_by_key(struct th_api_req *r);
#endif
