/* Reads the settings of an endpoint from a body. Private to api/. */
#ifndef TH_API_WEBHOOK_SPEC_H
#define TH_API_WEBHOOK_SPEC_H
#include "api/request.h"

/** Reads an endpoint from r->body over `base` (NULL: a new one) into c->spec; faults go to r->errors. False:
 * no memory. */
TH_MUST_USE bool th_api_webhook_spec(struct th_api_req *r, const struct th_endpoint_spec *base,
                                     struct th_change *c);
#endif
