/* Changes of settings. Private to api/. */
#ifndef TH_API_CHANGE_H
#define TH_API_CHANGE_H
#include "api/request.h"

/** Prepares r->op.change (zeroed) for the request's tenant. */
struct th_change *th_api_change(struct th_api_req *r, enum th_change_kind kind);
/** Submits the change; `answer` (NULL: no body) writes the answer, which has this status. */
void th_api_change_submit(struct th_api_req *r, unsigned status, th_api_answer_fn *answer);
#endif
