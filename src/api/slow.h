/* Answers that are written in several turns. Private to api/. */
#ifndef TH_API_SLOW_H
#define TH_API_SLOW_H
#include "api/request.h"

/** Calls `step` in later turns, until it returns true: then it has answered, and the request is gone. It
 * writes to api->out and api->fields as usual, which hold what it has written in earlier steps;
 * th_api_reply_begin empties them first. */
void th_api_slow(struct th_api_req *r, bool (*step)(struct th_api_req *r));
#endif
