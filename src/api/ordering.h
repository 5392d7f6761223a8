/* The order in which an endpoint gets its deliveries, as requests give it and as it is shown. Private to api/. */
#ifndef TH_API_ORDERING_H
#define TH_API_ORDERING_H
#include "api/decode.h"
#include "engine/engine.h"

/** Changes *out as the object says (members that are absent stay, or have their defaults where there was no order); its key is in the
 * request's memory. Notes faults with their pointers below `pointer`. False: no memory. */
TH_MUST_USE bool th_api_ordering_read(struct th_api_req *r, struct th_span pointer, struct th_json object,
                                      struct th_ordering *out);
void th_api_ordering_write(struct th_jw *w, const struct th_ordering *o);
#endif
