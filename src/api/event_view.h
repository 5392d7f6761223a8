/* How events look. Private to api/. */
#ifndef TH_API_EVENT_VIEW_H
#define TH_API_EVENT_VIEW_H
#include "api/request.h"

/** An event as in a list. */
void th_api_event_row(struct th_jw *w, struct th_api_req *r, const struct th_event_row *row);
/** Its members that every view has. */
void th_api_event_members(struct th_jw *w, struct th_api_req *r, const struct th_event_row *row);
#endif
