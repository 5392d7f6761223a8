/* Cursors of lists. Private to api/. */
#ifndef TH_API_CURSOR_H
#define TH_API_CURSOR_H
#include "api/request.h"

/** Reads the number in a cursor of this list. Returns NULL, or what is wrong with the cursor. */
const char *th_api_cursor_open(struct th_api_req *r, struct th_span text, uint64_t *no);
/** Reads the number in a cursor of this list that is given as the parameter `name`. False: a fault is noted. */
bool th_api_cursor_read(struct th_api_req *r, const char *name, struct th_span text, uint64_t *no);
/** Appends the opaque cursor for the page of numbers below `before`. */
void th_api_cursor(struct th_api_req *r, uint64_t before, struct th_buf *out);
/** The same in two steps. `base` is what all cursors of the request's list have in common: two requests with
 * the same base have the same tenant, path and filters. */
#define TH_API_CURSOR_BASE 8
void th_api_cursor_base(struct th_api_req *r, uint8_t base[TH_API_CURSOR_BASE]);
void th_api_cursor_on(struct th_api_req *r, const uint8_t base[TH_API_CURSOR_BASE], uint64_t number,
                      struct th_buf *out);
/** The same for another list of the request's tenant, with one filter. */
void th_api_cursor_of(struct th_api_req *r, struct th_span path, struct th_span name, struct th_span value,
                      uint64_t before, struct th_buf *out);
/** Writes the member next_cursor; before 0: null. */
void th_api_cursor_next(struct th_api_req *r, struct th_jw *w, uint64_t before);
/** Writes the members after and more of a list that can be followed. */
void th_api_cursor_after(struct th_api_req *r, struct th_jw *w, uint64_t reached, bool more);
/** Adds the line Link: <...>; rel="next", for lists that have no place for a cursor. */
void th_api_cursor_link(struct th_api_req *r, uint64_t before);
#endif
