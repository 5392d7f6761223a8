/* Every metric of the program has one row here; the output of /metrics, its documentation and its test come from the rows.
 * Counters and gauges are 64-bit values in a struct of the owner; other threads read them with
 * relaxed atomics. Names follow the Prometheus conventions (base units, _total for counters).
  * Each thread of the process counts in a struct of its own, so that threads do not compete for a cache line; the output is made
 * from all of them (th_metrics_join). */
#ifndef TH_BASE_METRIC_H
#define TH_BASE_METRIC_H
#include "base/buf.h"
#include <stdatomic.h>

/* X(id, name, labels, help). Rows of one name follow each other and have one help text. */
#define TH_COUNTERS(X)                                                                                       \
    X(EVENTS_ACCEPTED, "tenterhook_events_accepted_total", "", "Events durably accepted.")                   \
    X(EVENTS_MISFITS_REFUSED, "tenterhook_events_misfits_total", "{outcome=\"refused\"}", TH_HELP_MISFITS)   \
    X(EVENTS_MISFITS_MARKED, "tenterhook_events_misfits_total", "{outcome=\"marked\"}", TH_HELP_MISFITS)     \
    X(EVENTS_REFUSED, "tenterhook_events_refused_total", "", "Publish requests refused with 4xx or 5xx.")    \
    X(DELIVERIES_CREATED, "tenterhook_deliveries_created_total", "",                                         \
      "Deliveries made, one per event and endpoint.")                                                        \
    X(DELIVERIES_DELIVERED, "tenterhook_deliveries_delivered_total", "",                                     \
      "Deliveries that ended with a success status.")                                                        \
    X(DELIVERIES_EXHAUSTED, "tenterhook_deliveries_failed_total", "{reason=\"exhausted\"}", TH_HELP_FAILED)  \
    X(DELIVERIES_EXPIRED, "tenterhook_deliveries_failed_total", "{reason=\"expired\"}", TH_HELP_FAILED)      \
    X(DELIVERIES_FINAL, "tenterhook_deliveries_failed_total", "{reason=\"final_status\"}", TH_HELP_FAILED)   \
    X(DELIVERIES_CANCELLED, "tenterhook_deliveries_cancelled_total", "",                                     \
      "Deliveries cancelled before an end.")                                                                 \
    TH_OUTCOME_COUNTERS(X)                                                                                   \
    X(TESTS_DELIVERED, "tenterhook_tests_total", "{outcome=\"success\"}", TH_HELP_TESTS)                     \
    X(TESTS_FAILED, "tenterhook_tests_total", "{outcome=\"failed\"}", TH_HELP_TESTS)                         \
    X(ENDPOINTS_DISABLED, "tenterhook_endpoints_disabled_total", "", "Endpoints disabled by a rule.")        \
    X(HTTP_2XX, "tenterhook_http_requests_total", "{code=\"2xx\"}", TH_HELP_HTTP)                            \
    X(HTTP_3XX, "tenterhook_http_requests_total", "{code=\"3xx\"}", TH_HELP_HTTP)                            \
    X(HTTP_4XX, "tenterhook_http_requests_total", "{code=\"4xx\"}", TH_HELP_HTTP)                            \
    X(HTTP_5XX, "tenterhook_http_requests_total", "{code=\"5xx\"}", TH_HELP_HTTP)                            \
    X(HTTP_LIMITED, "tenterhook_http_requests_limited_total", "",                                            \
      "API requests refused by a rate limit (429).")                                                         \
    X(LIMITS_REACHED, "tenterhook_limits_reached_total", "",                                                 \
      "API requests refused since a limit of the tenant is reached (429).")                                  \
    X(HTTP_WRONG_KEYS, "tenterhook_http_wrong_keys_total", "",                                               \
      "API requests with a key that is unknown, revoked or expired.")                                        \
    X(HTTP_CUT, "tenterhook_http_connections_cut_total", "",                                                 \
      "API connections closed because others needed their place.")                                           \
    X(HTTP_CONNECTIONS, "tenterhook_http_connections_total", "", "API connections accepted.")                \
    X(STREAM_GAPS, "tenterhook_http_stream_gaps_total", "",                                                  \
      "Times that the client of a stream was too slow, and was told of a gap.")                              \
    X(TRACE_SPANS_EXPORTED, "tenterhook_trace_spans_total", "{outcome=\"exported\"}", TH_HELP_SPANS)         \
    X(TRACE_SPANS_DROPPED, "tenterhook_trace_spans_total", "{outcome=\"dropped\"}", TH_HELP_SPANS)           \
    X(STORE_COMMITS, "tenterhook_store_commits_total", "", "Store transactions committed.")                  \
    X(STORE_OPS, "tenterhook_store_operations_total", "", "Store write operations committed.")               \
    X(STORE_TAKEOVERS, "tenterhook_store_takeovers_total", "",                                               \
      "Times that this process took the store over from a node that had not renewed its lease.")             \
    X(STORE_FENCED, "tenterhook_store_fenced_total", "",                                                     \
      "How often another node has taken over from this one; goes on over restarts.")                         \
    X(STORE_HUNG, "tenterhook_store_hung_sessions_total", "",                                                \
      "Sessions of nodes that hung in a transaction, which this node has ended.")                            \
    X(STORE_LOST, "tenterhook_store_lost_commits_total", "",                                                 \
      "Commits that were acknowledged and that the database did not have any more after a failover.")        \
    X(STORE_FAILURES, "tenterhook_store_failures_total", "", "Store commits that failed.")                   \
    X(CLIENT_CONNECTS, "tenterhook_client_connects_total", "", "Connections opened to endpoints.")           \
    X(CLIENT_REUSES, "tenterhook_client_reuses_total", "", "Attempts sent on a kept-alive connection.")      \
    X(INBOX_ACCEPTED, "tenterhook_inbox_events_total", "{outcome=\"accepted\"}", TH_HELP_INBOX)              \
    X(INBOX_REPEATED, "tenterhook_inbox_events_total", "{outcome=\"repeated\"}", TH_HELP_INBOX)              \
    X(INBOX_REJECTED, "tenterhook_inbox_events_total", "{outcome=\"rejected\"}", TH_HELP_INBOX)              \
    X(RETENTION_DELETED, "tenterhook_retention_deleted_events_total", "", "Events removed by retention.")

/* Attempts by outcome, as the API names it; the first two had an answer, the others are in the order of
 * enum th_http_class. */
#define TH_OUTCOME_COUNTERS(X)                                                                               \
    X(ATTEMPTS_SUCCESS, "tenterhook_attempts_total", "{outcome=\"success\"}", TH_HELP_ATTEMPTS)              \
    X(ATTEMPTS_STATUS, "tenterhook_attempts_total", "{outcome=\"failed_status\"}", TH_HELP_ATTEMPTS)         \
    X(ATTEMPTS_DNS, "tenterhook_attempts_total", "{outcome=\"dns_error\"}", TH_HELP_ATTEMPTS)                \
    X(ATTEMPTS_DENIED, "tenterhook_attempts_total", "{outcome=\"denied\"}", TH_HELP_ATTEMPTS)                \
    X(ATTEMPTS_CONNECT, "tenterhook_attempts_total", "{outcome=\"connect_error\"}", TH_HELP_ATTEMPTS)        \
    X(ATTEMPTS_TLS, "tenterhook_attempts_total", "{outcome=\"tls_error\"}", TH_HELP_ATTEMPTS)                \
    X(ATTEMPTS_TIMEOUT, "tenterhook_attempts_total", "{outcome=\"timeout\"}", TH_HELP_ATTEMPTS)              \
    X(ATTEMPTS_RESET, "tenterhook_attempts_total", "{outcome=\"connection_reset\"}", TH_HELP_ATTEMPTS)       \
    X(ATTEMPTS_PROTOCOL, "tenterhook_attempts_total", "{outcome=\"protocol_error\"}", TH_HELP_ATTEMPTS)      \
    X(ATTEMPTS_INTERNAL, "tenterhook_attempts_total", "{outcome=\"internal_error\"}", TH_HELP_ATTEMPTS)      \
    X(ATTEMPTS_CLIENT_CERTIFICATE, "tenterhook_attempts_total", "{outcome=\"client_certificate_error\"}",    \
      TH_HELP_ATTEMPTS)                                                                                      \
    X(ATTEMPTS_TOKEN, "tenterhook_attempts_total", "{outcome=\"token_error\"}", TH_HELP_ATTEMPTS)

#define TH_HELP_SUNSET                                                                                       \
    "Event types of endpoints that get a version whose sunset is within 30 days, or has come."
#define TH_GAUGES(X)                                                                                         \
    X(DELIVERIES_PENDING, "tenterhook_deliveries_pending", "",                                               \
      "Unfinished deliveries in the store, those of paused and disabled endpoints included.")                \
    X(DELIVERIES_IN_MEMORY, "tenterhook_deliveries_in_memory", "",                                           \
      "Unfinished deliveries that the scheduler has in memory.")                                             \
    X(OLDEST_DUE, "tenterhook_deliveries_oldest_due_seconds", "",                                            \
      "How long the delivery that is due longest has waited; of endpoints that answer.")                     \
    X(REQUESTS_IN_FLIGHT, "tenterhook_requests_in_flight", "", "Delivery requests under way.")               \
    X(ENDPOINTS_ACTIVE, "tenterhook_endpoints", "{state=\"active\"}", TH_HELP_ENDPOINTS)                     \
    X(ENDPOINTS_PAUSED, "tenterhook_endpoints", "{state=\"paused\"}", TH_HELP_ENDPOINTS)                     \
    X(ENDPOINTS_OFF, "tenterhook_endpoints", "{state=\"disabled\"}", TH_HELP_ENDPOINTS)                      \
    X(SUNSET_NEAR, "tenterhook_endpoints_version_ending", "{state=\"near\"}", TH_HELP_SUNSET)                \
    X(SUNSET_PAST, "tenterhook_endpoints_version_ending", "{state=\"past\"}", TH_HELP_SUNSET)                \
    X(CERTIFICATES_NEAR, "tenterhook_client_certificates_expiring", "",                                      \
      "Endpoints whose client certificate ends within 30 days, or has ended.")                               \
    X(BREAKERS_OPEN, "tenterhook_endpoints_breaker_open", "",                                                \
      "Endpoints whose breaker is open: nobody answers there.")                                              \
    X(TENANTS, "tenterhook_tenants", "", "Tenants.")                                                         \
    X(STORE_QUEUE, "tenterhook_store_queue", "", "Store operations waiting for a commit.")                   \
    X(HTTP_OPEN, "tenterhook_http_connections_open", "", "Open API connections.")                            \
    X(STREAMS, "tenterhook_http_streams_open", "", "Open streams of attempts and of events.")                \
    X(STORE_READY, "tenterhook_store_ready", "", "1 while the store commits.")                               \
    X(STORE_RENEWED, "tenterhook_store_lease_renewed_timestamp_seconds", "",                                 \
      "When the lease of this node was renewed last, in Unix time; 0: the store has none.")                  \
    X(STORE_SLOTS, "tenterhook_store_slots", "", "Slots of this node, where several share the work.")        \
    X(STORE_BEHIND, "tenterhook_store_log_behind", "",                                                       \
      "Commits of other nodes that this node has not applied yet.")                                          \
    X(STORE_BYTES, "tenterhook_store_bytes", "", "Size of the database and its log.")                        \
    X(STORE_FREE, "tenterhook_store_free_bytes", "", "Room that the data directory's file system has left.") \
    X(INBOX_WAITING, "tenterhook_inbox_waiting", "",                                                         \
      "Events in inboxes that have not been taken; of each inbox at most 100000 are counted.")               \
    X(INBOX_OLDEST, "tenterhook_inbox_oldest_seconds", "",                                                   \
      "How long the event that waits longest in an inbox has waited.")                                       \
    X(INBOX_ASIDE, "tenterhook_inbox_rejected", "",                                                          \
      "Events of inboxes that could not be accepted and were moved aside.")                                  \
    X(INBOX_AWAY, "tenterhook_inbox_unreachable", "",                                                        \
      "Inboxes of the configuration that cannot be drained.")                                                \
    X(TLS_EXPIRY, "tenterhook_tls_certificate_expiry_timestamp_seconds", "",                                 \
      "When the API's certificate expires; 0: no TLS.")                                                      \
    X(BUILD, "tenterhook_build_info", "{version=\"" TH_VERSION "\"}", "1, and the version of the program.")  \
    X(RESIDENT_BYTES, "process_resident_memory_bytes", "", "Resident memory.")                               \
    X(START_TIME, "process_start_time_seconds", "", "When the process started, in Unix time.")

#define TH_HELP_FAILED "Deliveries that failed for good: schedule used up, or a final status."
#define TH_HELP_INBOX "Events taken out of inboxes; repeated: one with the same id was stored before."
#define TH_HELP_MISFITS "Events whose data does not fit the schema of their type, by what was done."
#define TH_HELP_SPANS "Spans of traces; dropped: the collector did not take them, or there was no room."
#define TH_HELP_TESTS "Test requests by outcome; no other count of attempts and deliveries has them."
#define TH_HELP_ATTEMPTS "Delivery attempts with a recorded outcome."
#define TH_HELP_HTTP "API requests answered."
#define TH_HELP_ENDPOINTS "Registered endpoints."

#define TH_HISTOGRAMS(X)                                                                                     \
    X(ACCEPT_SECONDS, "tenterhook_accept_duration_seconds", "Publish request read to durable.")              \
    X(ATTEMPT_SECONDS, "tenterhook_attempt_duration_seconds", "One attempt, begin to end.")                  \
    X(DELIVERY_SECONDS, "tenterhook_delivery_duration_seconds",                                              \
      "Event accepted to delivered at first attempt.")                                                       \
    X(COMMIT_SECONDS, "tenterhook_store_commit_duration_seconds", "One store transaction with its sync.")    \
    X(LOOP_TURN, "tenterhook_loop_turn_cpu_seconds",                                                         \
      "Processor time of the loop's thread in one turn, in which everybody else waits.")

enum th_counter {
#define X(id, name, labels, help) TH_C_##id,
    TH_COUNTERS(X)
#undef X
        TH_C_COUNT
};
enum th_gauge {
#define X(id, name, labels, help) TH_G_##id,
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

/* Upper bounds are 0.1 ms * 2^i: 0.1 ms to 52.4 s, above every attempt's deadline. Of a turn of the loop: 10 us to 20 s in steps
 * of 1, 2, 5. */
#define TH_HISTOGRAM_BUCKETS 20

struct th_metrics {
    struct th_metrics *next; /* the one of another thread */
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
/** From now on the output for `first` includes the values of `more`, beside those that were joined to it before. Counters, durations
 * and gauges are added up, so a gauge may go up in one thread and down in another; of gauges that cannot be added, the largest
 * counts, or that of `first` (metric.c). Call it before another thread uses `more`. Both must live as long as they are written out. */
void th_metrics_join(struct th_metrics *first, struct th_metrics *more);
/** Records n durations of so many microseconds each. */
void th_observe_many(struct th_metrics *m, enum th_histogram h, int64_t us, unsigned n);
/** Appends the Prometheus text exposition format 0.0.4. */
void th_metrics_write(struct th_metrics *first, struct th_buf *out);
#endif
