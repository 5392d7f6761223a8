/* TLS of an endpoint's own as an object of JSON. Private to api/. */
#ifndef TH_API_ENDPOINT_TLS_H
#define TH_API_ENDPOINT_TLS_H
#include "api/request.h"
#include "core/reach.h"

/** Takes the object into *out; members that are absent stay, null takes one away. Faults are noted below `pointer`. False: no
 * memory. */
TH_MUST_USE bool th_api_endpoint_tls_read(struct th_api_req *r, struct th_span pointer, struct th_json object,
                                          struct th_own_tls *out);
/** clear: with the key, else "***" in its place. */
void th_api_endpoint_tls_write(struct th_jw *w, const struct th_own_tls *tls, bool clear);
/** What its certificate says: {"subject", "expires_at"}. */
void th_api_endpoint_tls_facts(struct th_jw *w, const struct th_own_tls *tls);
#endif
