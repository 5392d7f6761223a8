/* Sends the spans of one thread to an OpenTelemetry collector (OTLP/HTTP). */
#ifndef TH_APP_TRACES_H
#define TH_APP_TRACES_H
#include "base/metric.h"
#include "options/options.h"
#include "port/trace.h"
#include "port/transport.h"

typedef struct uv_loop_s uv_loop_t;
struct th_traces;

/** Checks the options `traces.…`. TH_INVALID with the reason. */
TH_MUST_USE enum th_error th_traces_check(const struct th_settings *c, char *why, size_t why_size);
/** *out is NULL when the options name no collector. Options, transport and resolver live longer. TH_NOMEM. */
TH_MUST_USE enum th_error th_traces_open(uv_loop_t *loop, const struct th_settings *c,
                                         struct th_transport *transport, struct th_resolver *resolver,
                                         struct th_metrics *metrics, struct th_traces **out);
/** For the engine of the same thread. NULL: nobody watches. */
struct th_tracer th_traces_tracer(struct th_traces *t, const struct th_settings *c);
/** Sends what there is, for two seconds at most, then frees everything and calls closed(ctx), perhaps inside the call. No span may
 * come any more. */
void th_traces_close(struct th_traces *t, void (*closed)(void *ctx), void *ctx);
#endif
