/* Authentication of an endpoint as an object of JSON. Private to api/. */
#ifndef TH_API_AUTHENTICATION_H
#define TH_API_AUTHENTICATION_H
#include "api/request.h"
#include "core/reach.h"

/** Takes the object into *out. With the type that *out has already, members that are absent stay. Faults are noted below `pointer`.
 * False: no memory. */
TH_MUST_USE bool th_api_authentication_read(struct th_api_req *r, struct th_span pointer,
                                            struct th_json object, struct th_auth *out);
/** clear: with secrets, else "***" in their place. */
void th_api_authentication_write(struct th_jw *w, const struct th_auth *auth, bool clear);
#endif
