/* A tenant's limits in requests, answers and metrics. Private to api/. */
#ifndef TH_API_TENANT_LIMITS_H
#define TH_API_TENANT_LIMITS_H
#include "api/request.h"

/** Reads `limits` of a request into c; faults are noted. False: no memory. */
TH_MUST_USE bool th_api_tenant_limits_read(struct th_api_req *r, const struct th_json *v,
                                           struct th_change *c);
/** Writes the members `limits` and, with use, `usage` of a tenant. */
void th_api_tenant_limits_write(struct th_api_req *r, struct th_jw *w, const struct th_tenant *t, bool use);
/** Appends metrics of how much tenants use of their limits, for those with limits of their own or near one. */
void th_api_tenant_limits_metrics(struct th_api *api, struct th_buf *out);
#endif
