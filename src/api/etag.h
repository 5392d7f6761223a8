/* Conditional requests. Private to api/. */
#ifndef TH_API_ETAG_H
#define TH_API_ETAG_H
#include "api/request.h"

/** Adds the line "ETag: ..." of a tenant or endpoint. */
void th_api_etag_line(const struct th_api_req *r, struct th_buf *fields, uint64_t no, uint64_t rev);
/** If-None-Match of a GET: true when 304 was sent. */
TH_MUST_USE bool th_api_etag_not_modified(struct th_api_req *r, uint64_t no, uint64_t rev);
/** Of an answer that has been written: adds the line "ETag: ..." of its bytes, which is the same on every node. True when 304 was sent,
 * because the client has it. */
TH_MUST_USE bool th_api_etag_of_body(struct th_api_req *r);
/** If-Match and If-None-Match of a change; no 0: there is no such object yet. False when 412 was sent; sets
 * r->conditional when a tag was compared. */
TH_MUST_USE bool th_api_etag_precondition(struct th_api_req *r, uint64_t no, uint64_t rev);
#endif
