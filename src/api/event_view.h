/* Writes events into answers. Private to api/. */
#ifndef TH_API_EVENT_VIEW_H
#define TH_API_EVENT_VIEW_H
#include "api/request.h"

/** Writes an event in the form of a list. */
void th_api_event_row(struct th_jw *w, struct th_api_req *r, const struct th_event_row *row);
/** Writes the members that every view of an event has. */
void th_api_event_members(struct th_jw *w, struct th_api_req *r, const struct th_event_row *row);
#endif
