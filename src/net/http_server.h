/* HTTP/1.1 server on a libuv loop: reads requests strictly, calls one handler, writes answers. All on the
 * loop's thread. Requests of one connection are handled one after the other (pipelined ones wait in the
 * buffer). */
#ifndef TH_NET_HTTP_SERVER_H
#define TH_NET_HTTP_SERVER_H
#include "base/error.h"
#include "base/metric.h"
#include "net/http1.h"
#include "port/transport.h"

typedef struct uv_loop_s uv_loop_t;
struct th_http_server;
struct th_tls_identity;

/** One request, from the handler's call until th_http_reply. Everything is valid until then. */
struct th_http_exchange {
    struct th_http1_head head;
    struct th_span path,
        query; /* target split at the first '?'; raw, percent-encoding untouched; of an absolute-form
                  target without its authority, which replaces the value of Host in `head` */
    struct th_span body; /* decoded (chunked removed) */
    struct th_addr peer;
    char request_id[28]; /* "req_" + 20 characters, NUL-terminated; unique */
    int64_t received_us; /* monotonic, when the last byte was read */
    bool gone;           /* the client has closed; reply all the same */
    void *user;          /* the handler's */
};

#define TH_HTTP_SERVER_REFUSED 64 /* connections above max_connections that are told so at the same time */

struct th_http_server_conf {
    const char *address;       /* numeric */
    uint16_t port;             /* 0: a free one */
    size_t max_head, max_body; /* defaults 32 KiB, 16 MiB when 0 */
    size_t max_answers;        /* bytes of all answers that clients have not taken yet; default 64 MiB */
    size_t max_bodies;         /* bytes of all bodies together; default 256 MiB, and at least 4 * max_body */
    unsigned max_connections;  /* default 10,000; beyond: 503 and close */
    unsigned head_timeout_ms, body_timeout_ms,
        idle_timeout_ms;       /* defaults 10 s, 60 s (and at least 1 KiB/s), 75 s */
    unsigned write_timeout_ms; /* default 30 s, and at least 1 KiB/s; 8 KiB/s while more than 64 KiB wait */
    /** Called for each complete request. Must lead to exactly one th_http_reply, at once or later. */
    void (*handle)(void *ctx, struct th_http_exchange *x);
    void *ctx;
    struct th_metrics *metrics; /* may be NULL */
    /** Speaks TLS with this certificate (tls_server.h); NULL: plain. The server takes a reference of its own. */
    struct th_tls_identity *tls;
};

/** Binds and listens. The process must ignore SIGPIPE. TH_IO with errno in *os_error (EADDRINUSE, EACCES,
 * ...). */
TH_MUST_USE enum th_error th_http_server_open(uv_loop_t *loop, const struct th_http_server_conf *conf,
                                              struct th_http_server **out, int *os_error);
/** Another certificate for connections that begin from now on. Only on a server that was opened with one. */
void th_http_server_identity(struct th_http_server *s, struct th_tls_identity *id);
/** The bound port. */
uint16_t th_http_server_port(const struct th_http_server *s);
/** Answers, from inside `handle` or later on the loop's thread; `handle` is never called from inside.
 * `fields`: finished lines "Name: value\r\n" (Content-Type, Location, ...); Content-Length, Date, Request-Id
 * and Connection are added here. Bytes are copied. Status 204 and 304 and answers to HEAD carry no body. */
void th_http_reply(struct th_http_exchange *x, unsigned status, struct th_span fields, struct th_span body);
/** The same for a body that stays as it is until the server is freed: it is not copied. */
void th_http_reply_lasting(struct th_http_exchange *x, unsigned status, struct th_span fields,
                           struct th_span body);
/** Microseconds that reading and handling requests took in this turn of the loop so far. */
int64_t th_http_server_spent(const struct th_http_server *s);
/** To be called once. Stops accepting, closes idle connections, lets requests in flight finish (Connection:
 * close); calls drained(ctx) once none is left, or after grace_ms, when the rest is cut. */
void th_http_server_drain(struct th_http_server *s, unsigned grace_ms, void (*drained)(void *ctx), void *ctx);
/** After drained(): frees everything. Requests that were cut and have no reply yet must not get one any more.
 */
void th_http_server_free(struct th_http_server *s);
/** Reason phrase of a status (RFC 9110, section 15; RFC 6585); "" when there is none. Static. */
const char *th_http_reason(unsigned status);
#endif
