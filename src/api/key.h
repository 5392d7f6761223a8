/* The key of a request. Private to api/. */
#ifndef TH_API_KEY_H
#define TH_API_KEY_H
#include "api/request.h"

/** Returns the key that the request shows. NULL: it shows none, or an unknown one; the latter is noted in
 * r->wrong_key and counts once for its client's address. */
const struct th_key *th_api_key(struct th_api_req *r);
#define TH_API_COOKIE "tenterhook_session"
/** The token of the session's cookie. False: there is none, or another site has made the browser send it. */
bool th_api_key_cookie(const struct th_api_req *r, struct th_span *token);
/** The dialect in which this client expects an error: its tenant's when it has a key, else the one for the
 * Host field, else the default. May be NULL. */
const struct th_dialect *th_api_key_dialect(struct th_api_req *r);
#endif
