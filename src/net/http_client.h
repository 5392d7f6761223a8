/* Transport over real sockets: HTTP/1.1, OpenSSL, kept-alive connections and TLS sessions, on a libuv loop.
 */
#ifndef TH_NET_HTTP_CLIENT_H
#define TH_NET_HTTP_CLIENT_H
#include "base/metric.h"
#include "port/transport.h"

/* Deadlines are compared with CLOCK_MONOTONIC in microseconds (uv_hrtime() / 1000). */
typedef struct uv_loop_s uv_loop_t;

struct th_http_client_options {
    const char *ca_file; /* PEM bundle; NULL: the system's */
    /** A client of another thread whose certificate authorities are used instead of ca_file, so that they
     * are read and kept only once. That client may be at work meanwhile, and may be closed before this one.
     * NULL: none. */
    const struct th_transport *like;
    bool plain;               /* no https will be asked for: no authorities are read */
    const char *bind_address; /* numeric source address, or NULL */
    const char *proxy; /* http://HOST:PORT of a forward proxy, or NULL; its name is looked up once, here */
    const char *proxy_credentials; /* USER:PASSWORD for it, or NULL */
    unsigned max_idle;             /* kept-alive connections in all; default 4,096 */
    unsigned max_idle_per_origin;  /* default 64 */
    unsigned idle_timeout_ms;      /* default 30 s */
    struct th_metrics *metrics;
};
TH_MUST_USE enum th_error th_http_client_open(uv_loop_t *loop, const struct th_http_client_options *options,
                                              struct th_transport **out, char *why, size_t why_size);
/** Cancels the requests under way and closes all connections. Calls closed(ctx) on the loop when that is done
 * and the memory is freed. */
void th_http_client_close(struct th_transport *t, void (*closed)(void *ctx), void *ctx);

struct th_resolver_options {
    /* "ip[:port],..." or NULL: the system's (/etc/resolv.conf); /etc/hosts is honoured */
    const char *servers;
    unsigned max_per_tenant;       /* look-ups under way; default 64 */
    unsigned min_ttl_s, max_ttl_s; /* cache bounds; default 1 and 300 */
};
/** May be opened and closed by several threads at the same time, each on its own loop. */
TH_MUST_USE enum th_error th_resolver_open(uv_loop_t *loop, const struct th_resolver_options *options,
                                           struct th_resolver **out);
void th_resolver_close(struct th_resolver *r, void (*closed)(void *ctx), void *ctx);
#endif
