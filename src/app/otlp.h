/* Spans in the protobuf encoding of OTLP 1 (https://opentelemetry.io/docs/specs/otlp/, opentelemetry/proto/trace/v1/trace.proto). */
#ifndef TH_APP_OTLP_H
#define TH_APP_OTLP_H
#include "base/buf.h"
#include "port/trace.h"

/** Appends a span as a member `spans` of ScopeSpans. `scratch` is overwritten. Failure is that of the buffers. */
void th_otlp_span(const struct th_trace_span *s, struct th_buf *scratch, struct th_buf *out);
/** Appends what stands in front of `spans_n` bytes of spans in an ExportTraceServiceRequest of one resource: the resource, with the id of this
 * process, and the scope. */
void th_otlp_head(const char *instance, size_t spans_n, struct th_buf *out);
#endif
