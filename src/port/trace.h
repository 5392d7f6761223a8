/* What the engine says about its work to whoever watches traces (OpenTelemetry). Nobody waits for it: a tracer that has no room loses
 * spans, and the engine does not know. */
#ifndef TH_PORT_TRACE_H
#define TH_PORT_TRACE_H
#include "base/span.h"

enum th_trace_kind { /* the numbers of OTLP */
                     TH_TRACE_SERVER = 2,
                     TH_TRACE_CLIENT = 3,
                     TH_TRACE_PRODUCER = 4
};

struct th_trace_attribute {
    const char *key;     /* static */
    struct th_span text; /* p NULL: it is the number */
    int64_t number;
};

#define TH_TRACE_ATTRIBUTES 24

/** A piece of work that has ended. */
struct th_trace_span {
    uint8_t trace[16], id[8];
    uint8_t parent[8]; /* all zeros: it is the root of its trace */
    bool linked;
    uint8_t link_trace[16], link_id[8]; /* what caused it, in another trace */
    struct th_span state;               /* tracestate */
    enum th_trace_kind kind;
    const char *verb;         /* the name is "verb object" */
    struct th_span object;    /* n == 0: the verb alone */
    int64_t begin_ns, end_ns; /* since 1970 */
    bool failed;
    struct th_span why; /* failed: in words */
    struct th_trace_attribute attributes[TH_TRACE_ATTRIBUTES];
    unsigned attribute_count;
};

struct th_tracer {
    /** Takes the span; its texts live as long as the call. On the engine's thread; never blocks. NULL: nobody watches. */
    void (*span)(void *ctx, const struct th_trace_span *span);
    void *ctx;
    uint32_t sampled_of_2_27; /* of events without a traceparent: so many of 2^27 are traced */
};
#endif
