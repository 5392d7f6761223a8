/* An answer that is kept with an Idempotency-Key. Private to api/. */
#ifndef TH_API_KEPT_H
#define TH_API_KEPT_H
#include "api/request.h"

/** Writes the kept form of an answer: "201\n", field lines, "\n", body. */
void th_api_kept_write(unsigned status, const struct th_buf *fields, const struct th_buf *body,
                       struct th_buf *answer);
/** Sends a kept answer again, and wipes it. */
void th_api_kept_send(struct th_api_req *r, struct th_buf *answer);
#endif
