/* Every metric of the program, one row each: the exposition, its documentation and its test come from here.
 * Counters and gauges are plain 64-bit slots in a struct given by the owner; a reader on another thread uses
 * relaxed atomics. Names follow the Prometheus conventions (base units, _total for counters). */
#ifndef TH_BASE_METRIC_H
#define TH_BASE_METRIC_H
#include "base/buf.h"
#include <stdatomic.h>

#define TH_COUNTERS(X)                                                                                       \
    X(EVENTS_ACCEPTED, "tenterhook_events_accepted_total", "Events durably accepted.")                       \
    X(EVENTS_REFUSED, "tenterhook_events_refused_total", "Publish requests refused with 4xx or 5xx.")        \
    X(DELIVERIES_CREATED, "tenterhook_deliveries_created_total",                                             \
      "Deliveries made, one per event and endpoint.")                                                        \
    X(DELIVERIES_DELIVERED, "tenterhook_deliveries_delivered_total",                                         \
      "Deliveries that ended with a success status.")                                                        \
    X(DELIVERIES_FAILED, "tenterhook_deliveries_failed_total",                                               \
      "Deliveries whose schedule is used up or final.")                                                      \
    X(DELIVERIES_CANCELLED, "tenterhook_deliveries_cancelled_total", "Deliveries cancelled before an end.")  \
    X(ATTEMPTS, "tenterhook_attempts_total", "Delivery attempts with a recorded outcome.")                   \
    X(ATTEMPTS_FAILED, "tenterhook_attempts_failed_total", "Delivery attempts that did not succeed.")        \
    X(ATTEMPTS_DENIED, "tenterhook_attempts_denied_total", "Attempts stopped by the address guard.")         \
    X(ENDPOINTS_DISABLED, "tenterhook_endpoints_disabled_total", "Endpoints disabled by a rule.")            \
    X(HTTP_REQUESTS, "tenterhook_http_requests_total", "API requests answered.")                             \
    X(HTTP_ERRORS, "tenterhook_http_request_errors_total", "API requests answered with 5xx.")                \
    X(HTTP_LIMITED, "tenterhook_http_requests_limited_total", "API requests refused by a rate limit (429).") \
    X(HTTP_CONNECTIONS, "tenterhook_http_connections_total", "API connections accepted.")                    \
    X(STORE_COMMITS, "tenterhook_store_commits_total", "Store transactions committed.")                      \
    X(STORE_OPS, "tenterhook_store_operations_total", "Store write operations committed.")                   \
    X(STORE_FAILURES, "tenterhook_store_failures_total", "Store commits that failed.")                       \
    X(CLIENT_CONNECTS, "tenterhook_client_connects_total", "Connections opened to endpoints.")               \
    X(CLIENT_REUSES, "tenterhook_client_reuses_total", "Attempts sent on a kept-alive connection.")          \
    X(RETENTION_DELETED, "tenterhook_retention_deleted_events_total", "Events removed by retention.")

#define TH_GAUGES(X)                                                                                         \
    X(DELIVERIES_PENDING, "tenterhook_deliveries_pending",                                                   \
      "Unfinished deliveries held in memory by the scheduler.")                                              \
    X(REQUESTS_IN_FLIGHT, "tenterhook_requests_in_flight", "Delivery requests under way.")                   \
    X(ENDPOINTS, "tenterhook_endpoints", "Registered endpoints.")                                            \
    X(TENANTS, "tenterhook_tenants", "Tenants.")                                                             \
    X(STORE_QUEUE, "tenterhook_store_queue", "Store operations waiting for a commit.")                       \
    X(HTTP_OPEN, "tenterhook_http_connections_open", "Open API connections.")                                \
    X(STORE_READY, "tenterhook_store_ready", "1 while the store commits.")

#define TH_HISTOGRAMS(X)                                                                                     \
    X(ACCEPT_SECONDS, "tenterhook_accept_duration_seconds", "Publish request read to durable.")              \
    X(ATTEMPT_SECONDS, "tenterhook_attempt_duration_seconds", "One attempt, begin to end.")                  \
    X(DELIVERY_SECONDS, "tenterhook_delivery_duration_seconds",                                              \
      "Event accepted to delivered at first attempt.")                                                       \
    X(COMMIT_SECONDS, "tenterhook_store_commit_duration_seconds", "One store transaction with its sync.")

enum th_counter {
#define X(id, name, help) TH_C_##id,
    TH_COUNTERS(X)
#undef X
        TH_C_COUNT
};
enum th_gauge {
#define X(id, name, help) TH_G_##id,
    TH_GAUGES(X)
#undef X
        TH_G_COUNT
};
enum th_histogram {
#define X(id, name, help) TH_H_##id,
    TH_HISTOGRAMS(X)
#undef X
        TH_H_COUNT
};

#define TH_HISTOGRAM_BUCKETS                                                                                 \
    20 /* upper bounds 0.1 ms * 2^i: 0.1 ms to 52.4 s, above every attempt's deadline */

struct th_metrics {
    _Atomic uint64_t counter[TH_C_COUNT];
    _Atomic int64_t gauge[TH_G_COUNT];
    struct {
        _Atomic uint64_t bucket[TH_HISTOGRAM_BUCKETS + 1], sum_us; /* buckets apart, not cumulative */
    } histogram[TH_H_COUNT];
};

static inline void th_count(struct th_metrics *m, enum th_counter c, uint64_t n)
{
    atomic_fetch_add_explicit(&m->counter[c], n, memory_order_relaxed);
}
static inline void th_gauge_set(struct th_metrics *m, enum th_gauge g, int64_t v)
{
    atomic_store_explicit(&m->gauge[g], v, memory_order_relaxed);
}
static inline void th_gauge_add(struct th_metrics *m, enum th_gauge g, int64_t v)
{
    atomic_fetch_add_explicit(&m->gauge[g], v, memory_order_relaxed);
}
/** Records one duration in microseconds. */
void th_observe(struct th_metrics *m, enum th_histogram h, int64_t us);
/** Appends the Prometheus text exposition format 0.0.4. */
void th_metrics_write(struct th_metrics *m, struct th_buf *out);
#endif
