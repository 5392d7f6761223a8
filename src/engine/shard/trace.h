/* The trace of an event: which it belongs to, and its spans. */
#ifndef TH_ENGINE_SHARD_TRACE_H
#define TH_ENGINE_SHARD_TRACE_H
#include "engine/engine.h"

struct th_attempt;

/** Where an attempt stands in traces. */
struct th_attempt_trace {
    bool sampled; /* it becomes a span */
    bool known;   /* its request can say to which trace it belongs */
    bool linked;  /* it is the root of a trace of its own, which points to the publish */
    uint8_t trace[16], id[8];
};

/** An event was accepted: its publish becomes a span, if it is to be traced. `began`: when it came. */
void th_trace_published(struct th_engine *e, const struct th_tenant *t, const struct th_event_row *row,
                        struct th_mono began, uint32_t batch);
/** To be called before an attempt's request is written: decides its place in traces. */
void th_trace_begin(struct th_attempt *a);
/** Appends the field lines traceparent and tracestate to the request's head, where the endpoint gets them. */
void th_trace_write(struct th_attempt *a);
/** The attempt's outcome is stored: it becomes a span. */
void th_trace_settled(struct th_attempt *a);
#endif
