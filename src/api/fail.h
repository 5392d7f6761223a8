/* Answers that report an error. Each one frees the request. Private to api/. */
#ifndef TH_API_FAIL_H
#define TH_API_FAIL_H
#include "api/request.h"

/** Answers with an error; r->errors are listed. */
void th_api_fail(struct th_api_req *r, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** Answers 422, or the dialect's status for management requests: "N fields are invalid". */
void th_api_fail_invalid(struct th_api_req *r);
/** The answer to a failed store operation: 503 or 500. */
void th_api_fail_store(struct th_api_req *r, enum th_error error);
void th_api_fail_nomem(struct th_api_req *r);
/** 429: a limit of the tenant is reached. */
void th_api_fail_limit(struct th_api_req *r, enum th_limit limit, const char *detail);
/** 409 because of an object's state; another request with the same key that is under way is such a state,
 * too. */
void th_api_fail_conflict(struct th_api_req *r, const char *detail);
#endif
