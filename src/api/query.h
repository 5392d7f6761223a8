/* Parameters of the query. Private to api/. */
#ifndef TH_API_QUERY_H
#define TH_API_QUERY_H
#include "api/request.h"

/** Splits and decodes the query; refuses parameters that the route does not know (400). */
TH_MUST_USE bool th_api_query(struct th_api_req *r);
/** False when the parameter is absent. */
bool th_api_query_param(const struct th_api_req *r, const char *name, struct th_span *value);
/** Decodes %XX; false when malformed or when the result would hold NUL. '+' stays. */
TH_MUST_USE bool th_api_query_percent(struct th_api_req *r, struct th_span in, struct th_span *out);
/** Reads "true" or "false"; *out is false when the parameter is not given. Otherwise answers 400 and returns
 * false. */
bool th_api_query_flag(struct th_api_req *r, const char *name, bool *out);
/** Reads the filter `event_type`: a type of the tenant's dialect or a pattern; empty if it is not given.
 * False when it can never match: answered with 400. */
TH_MUST_USE bool th_api_query_type(struct th_api_req *r, struct th_span *pattern);
/** Reads include_tests; without it tests are left out. False: answered. */
TH_MUST_USE bool th_api_query_tests(struct th_api_req *r, struct th_page *page);
/** Reads limit (default 100, 1..1000) and cursor (0: not given). Answers 400 itself. */
TH_MUST_USE bool th_api_query_paging(struct th_api_req *r, uint32_t *limit, uint64_t *before);
/** Reads after, if the route has it: the list then has rows with higher numbers. Answers 400 itself. */
TH_MUST_USE bool th_api_query_after(struct th_api_req *r, bool *given, uint64_t *after);
/** Does the same for a stream: reads the field Last-Event-ID, else `after`. Answers 400 itself. */
TH_MUST_USE bool th_api_query_resume(struct th_api_req *r, bool *given, uint64_t *after);
/** Reads since and until as wall ms (0: absent). Answers 400 itself. */
TH_MUST_USE bool th_api_query_since_until(struct th_api_req *r, int64_t *since, int64_t *until);
/** Answers 400 for the parameter that th_api_fault_param has noted; returns false. */
bool th_api_query_fail(struct th_api_req *r);
#endif
