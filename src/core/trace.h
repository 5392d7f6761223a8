/* The texts of W3C Trace Context (https://www.w3.org/TR/trace-context/), level 1: which trace a request belongs to. */
#ifndef TH_CORE_TRACE_H
#define TH_CORE_TRACE_H
#include "base/buf.h"

#define TH_TRACEPARENT_BYTES 55
#define TH_TRACESTATE_MAX 512
#define TH_TRACE_SAMPLED 1u /* of the flags */

struct th_trace_parent {
    uint8_t trace[16], span[8]; /* neither is all zeros */
    uint8_t flags;
    struct th_span state; /* tracestate; n == 0: none */
};

/** Reads a traceparent of any version that can be read as version 00; `out->state` is empty then. Spans point into the text. */
bool th_trace_parent_read(struct th_span text, struct th_trace_parent *out);
/** True for a list of members that can be passed on as it is: at most 512 bytes of visible ASCII, spaces and tabs. */
bool th_trace_state_ok(struct th_span text);
/** Appends a traceparent of version 00. */
void th_trace_parent_write(const uint8_t trace[16], const uint8_t span[8], unsigned flags,
                           struct th_buf *out);
/** An event keeps both as one text: the traceparent, and behind a line feed the tracestate, if there is one. */
bool th_trace_kept_read(struct th_span kept, struct th_trace_parent *out);
/** The traceparent alone of such a text. */
struct th_span th_trace_kept_parent(struct th_span kept);
#endif
