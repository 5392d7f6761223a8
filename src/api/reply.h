/* Sends answers. Each one frees the request. Private to api/. */
#ifndef TH_API_REPLY_H
#define TH_API_REPLY_H
#include "api/request.h"

#define TH_API_PAGE_BYTES                                                                                    \
    (768u << 10) /* a list ends with the row that brings it to so many bytes: about 1 MiB */
#define TH_API_ROW_BYTES                                                                                     \
    (384u << 10) /* the same for what is read for rows that are written larger than they are kept */
#define TH_API_SLICE (256u << 10) /* bytes of an answer written in one go where it cannot end early */

/** Empties the answer's buffers and returns a writer for its body. Field lines go into r->api->fields. */
struct th_jw th_api_reply_begin(struct th_api_req *r);
/** Sends what th_api_reply_begin's writer has written. */
void th_api_reply(struct th_api_req *r, unsigned status);
void th_api_reply_empty(struct th_api_req *r, unsigned status);
void th_api_reply_text(struct th_api_req *r, unsigned status, struct th_span content_type,
                       struct th_span body);
/** Sends what the writer has written as a part of an answer with status 200, and has `next` called when the
 * client has taken it. `next` empties api->out and writes the next part; it ends with a call of this function
 * or of th_api_reply. It is not called when the client has gone, which ends the request. */
void th_api_reply_part(struct th_api_req *r, void (*next)(struct th_api_req *r));
/** Begins an answer with status 200 in server-sent events, which is written with th_http_write. Returns what
 * th_http_begin has returned; in either case the caller has to call th_http_end and th_api_request_free. */
TH_MUST_USE bool th_api_reply_stream(struct th_api_req *r, const struct th_http_parts *parts);
/** Answers 200 with a body that stays unchanged as long as the API exists; it is not copied. */
void th_api_reply_lasting(struct th_api_req *r, struct th_span content_type, struct th_span body);
/** Like th_api_reply, with this media type; n == 0: without a body. */
void th_api_reply_as(struct th_api_req *r, unsigned status, struct th_span content_type);
/** The list that is being written is full: its last row was the last one. */
static inline bool th_api_reply_is_full(const struct th_api_req *r)
{
    return r->api->out.n >= TH_API_PAGE_BYTES;
}
#endif
