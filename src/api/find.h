/* The object that an id in a path names. Private to api/. */
#ifndef TH_API_FIND_H
#define TH_API_FIND_H
#include "api/request.h"

/** The endpoint that the path names; answers 404 itself. */
struct th_endpoint *th_api_find_endpoint(struct th_api_req *r);
/** Finds the event that `id` names and goes on in `next`, with its row (in r->page until th_engine_page_free)
 * or NULL; store errors are answered here. */
void th_api_find_event(struct th_api_req *r, struct th_span id, bool with_data,
                       void (*next)(struct th_api_req *r, const struct th_event_row *row));
#endif
