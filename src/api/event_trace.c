/* The trace that a published event belongs to. The context that the publisher's HTTP library gives is ignored when it is none, as its
 * specification (W3C Trace Context) asks; one in the body is a mistake of somebody who wants to know (event_read.c). Nothing here
 * answers a request, so answers may ask for the context of what they refuse (refused.c). */
#include "api/event_trace.h"
#include "core/trace.h"
#include "engine/engine.h"

bool th_api_event_trace_keep(struct th_api_req *r, struct th_span parent, struct th_span state,
                             struct th_span *out)
{
    struct th_trace_parent read;
    struct th_buf kept;
    bool ok;

    if (!th_trace_parent_read(parent, &read))
        return true;
    th_buf_init(&kept, 1024);
    th_trace_parent_write(read.trace, read.span, read.flags, &kept);
    if (th_trace_state_ok(state)) {
        th_buf_char(&kept, '\n');
        th_buf_span(&kept, state);
    }
    ok = !kept.failed && th_arena_copy(&r->mem, th_buf_view(&kept), out);
    th_buf_fini(&kept);
    return ok;
}

bool th_api_event_trace_context(struct th_api_req *r, struct th_span *out)
{
    const struct th_http1_field *parent = th_api_request_header(r, "traceparent"), *state;

    if (!parent)
        return true;
    state = th_api_request_header(r, "tracestate");
    return th_api_event_trace_keep(r, parent->value, state ? state->value : TH_LIT(""), out);
}

void th_api_event_trace_fill(struct th_api_req *r)
{
    struct th_span kept = TH_LIT("");

    r->no_memory |= !th_api_event_trace_context(r, &kept);
    for (uint32_t i = 0; kept.n && i < r->event_count; i++)
        if (!r->events[i].traceparent.n)
            r->events[i].traceparent = kept;
}
