/* Slows down clients that try keys. Private to api/. */
#ifndef TH_API_GUESS_H
#define TH_API_GUESS_H
#include "api/request.h"

/** True when the request must wait before its key is looked at. */
bool th_api_guess_hold(struct th_api_req *r);
void th_api_guess_right(struct th_api_req *r, const struct th_key *key);
/** Counts a wrong key. False: its address has shown too many. */
bool th_api_guess_wrong(struct th_api_req *r);
#endif
