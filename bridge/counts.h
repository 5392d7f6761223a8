/* What is counted of a stream. Its own thread counts; others read at any time. */
#ifndef TH_BRIDGE_COUNTS_H
#define TH_BRIDGE_COUNTS_H
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

/* id, name behind tenterhook_bridge_, kind, help */
#define BR_METRICS(X)                                                                                        \
    X(TAKEN, "messages_taken_total", "counter", "messages taken from the broker")                            \
    X(ACCEPTED, "events_accepted_total", "counter", "events that the server has on disk")                    \
    X(REPEATED, "events_repeated_total", "counter", "events that the server had already")                    \
    X(ASIDE, "messages_aside_total", "counter", "messages put aside that can never be published")            \
    X(ACKNOWLEDGED, "messages_acknowledged_total", "counter", "messages acknowledged to the broker")         \
    X(REQUESTS, "requests_total", "counter", "requests to the server")                                       \
    X(RETRIES, "retries_total", "counter", "requests that have to be repeated")                              \
    X(CONNECTIONS, "connections_total", "counter",                                                           \
      "connections made to the broker; from the second on: again")                                           \
    X(CONNECTED, "connected", "gauge", "1: the broker is connected")                                         \
    X(SERVER_OK, "server_ok", "gauge", "1: the server took the last request, or none has been sent")         \
    X(HELD, "messages_held", "gauge", "messages taken and not acknowledged")                                 \
    X(LAG, "lag_messages", "gauge",                                                                          \
      "messages of the broker that are not acknowledged; asked every 10 seconds")

enum br_metric {
#define X(id, name, kind, help) BR_N_##id,
    BR_METRICS(X)
#undef X
        BR_METRIC_COUNT
};

struct br_counts {
    _Atomic uint64_t v[BR_METRIC_COUNT];
    _Atomic int64_t beat_s; /* monotonic: when the thread last went on */
};

/** The thread goes on. */
static inline void br_beat(struct br_counts *c)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    atomic_store(&c->beat_s, (int64_t)t.tv_sec);
}

static inline void br_count(struct br_counts *c, enum br_metric m, uint64_t n)
{
    atomic_fetch_add_explicit(&c->v[m], n, memory_order_relaxed);
}

static inline void br_set(struct br_counts *c, enum br_metric m, uint64_t n)
{
    atomic_store_explicit(&c->v[m], n, memory_order_relaxed);
}

static inline uint64_t br_get(const struct br_counts *c, enum br_metric m)
{
    return atomic_load_explicit(&c->v[m], memory_order_relaxed);
}
#endif
