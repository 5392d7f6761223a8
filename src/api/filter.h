/* Reads filters of lists from the query. Private to api/. */
#ifndef TH_API_FILTER_H
#define TH_API_FILTER_H
#include "api/request.h"

enum th_api_filter { TH_API_FILTER_OK, TH_API_FILTER_EMPTY, TH_API_FILTER_ANSWERED };
/** Fills a page of deliveries from the query; EMPTY: nothing can match. */
enum th_api_filter th_api_filter_deliveries(struct th_api_req *r, struct th_page *p);
/** Fills in the filters that lists and streams of attempts have in common, except `event`; EMPTY: nothing can
 * match. */
enum th_api_filter th_api_filter_attempts(struct th_api_req *r, struct th_page *p);
/** Fills in the filters that lists and streams of events have in common; never EMPTY. */
enum th_api_filter th_api_filter_events(struct th_api_req *r, struct th_page *p);
/** Reads `all_tenants`, with which the page asks for rows of all tenants, or of the one whose `endpoint` or `event` is named; r->all_tenants
 * is set then. False: answered (400, 403). */
TH_MUST_USE bool th_api_filter_tenants(struct th_api_req *r, struct th_page *p);
/** True when `after` and `cursor` are not both given. Answers 400 itself. */
TH_MUST_USE bool th_api_filter_direction(struct th_api_req *r, const struct th_page *p);
/** Puts outcome and status_code into the page's filters. Answers 400 itself. */
TH_MUST_USE bool th_api_filter_outcomes(struct th_api_req *r, struct th_page *p);
#endif
