/* A publish that was refused, for the traces of who published: one span for the request, with the status and the reason in our words. Nothing that
 * the request said stands in it, and a request without a valid key makes none: strangers do not write into the operator's traces. */
#include "api/refused.h"
#include "api/event_trace.h"
#include "api/state.h"
#include "engine/engine.h"
#include "net/tls_common.h"
#include <stdio.h>

/* The event's own context, else that of the request's headers. */
static struct th_span trace_of(struct th_api_req *r)
{
    struct th_span kept = TH_LIT("");

    if (r->event_count && r->events[0].traceparent.n)
        return r->events[0].traceparent;
    return th_api_event_trace_context(r, &kept) ? kept : TH_LIT("");
}

void th_api_refused(struct th_api_req *r, unsigned status)
{
    const bool known = r->operator_key || r->scopes;
    char why[160];
    int n;

    if (!known || status == 401 || !th_engine_traces(r->api->engine))
        return;
    n = snprintf(why, sizeof why, "%s", th_http_reason(status));
    if (r->limit)
        n = snprintf(why, sizeof why, "%s: the limit %s", th_http_reason(status), r->limit);
    else if (r->error_count)
        n = snprintf(why, sizeof why, "%s: %u of its members", th_http_reason(status), r->error_count);
    th_engine_refused(r->api->engine, &(struct th_refused){.tenant = th_api_request_tenant_id(r),
                                                           .traceparent = trace_of(r),
                                                           .began = {r->x->received_us},
                                                           .status = status,
                                                           .count = r->event_count,
                                                           .why = th_span(why, (size_t)(n < 0 ? 0 : n))});
}
