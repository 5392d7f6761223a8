/* The audit log. Private to api/. */
#ifndef TH_API_AUDIT_H
#define TH_API_AUDIT_H
#include "api/request.h"

/** Writes the audit line of a management request that is being answered; nothing for others. */
void th_api_audit(struct th_api_req *r, unsigned status);
/** What a client wrote, for the log: ends where a key or a secret begins, which may stand where an id belongs. */
struct th_span th_api_audit_loggable(struct th_span s);
#endif
