/* Reads and writes what may be large, in turn with other requests. Private to api/. */
#ifndef TH_API_READ_H
#define TH_API_READ_H
#include "api/request.h"

/** Reads a page with r->page or r->page2; `done` gets the op, whose user is r. In a turn of its own, with time to write
 * about TH_API_PAGE_BYTES, and in turn with other requests: see read.c. */
void th_api_read(struct th_api_req *r, struct th_page *page, enum th_page_kind kind,
                 void (*done)(struct th_op *));
/** Lets others read; the request waits for its turn again before its next read. The end of a request does
 * this, too. */
void th_api_read_end(struct th_api_req *r);
/** Calls `then` in the same way; it answers from memory and may write as much. The tenant is looked up again
 * before. */
void th_api_read_in_turn(struct th_api_req *r, void (*then)(struct th_api_req *r));
#endif
