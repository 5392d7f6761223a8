/* Channels of events and of endpoints, as requests give them. Private to api/. */
#ifndef TH_API_CHANNELS_H
#define TH_API_CHANNELS_H
#include "api/decode.h"

/** The member's names, one per line, in the request's memory; notes faults with their pointers below `pointer`. `v` is present. False:
 * no memory. */
TH_MUST_USE bool th_api_channels_read(struct th_api_req *r, struct th_span pointer,
                                      const struct th_api_value *v, struct th_span *out);
/** As a list. */
void th_api_channels_write(struct th_jw *w, struct th_span lines);
#endif
