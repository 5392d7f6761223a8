/* The audit log. Private to api/. */
#ifndef TH_API_AUDIT_H
#define TH_API_AUDIT_H
#include "api/request.h"

/** Writes the audit line of a management request that is being answered; for other requests it writes
 * nothing. */
void th_api_audit(struct th_api_req *r, unsigned status);
/** The part of a client's text that may be logged: it ends where a key or a secret begins, which may stand
 * where an id belongs. */
struct th_span th_api_audit_loggable(struct th_span s);
#endif
