/* HTTP/1.1 server on a libuv loop: reads requests strictly, calls the handler of their path, writes answers. All on the
 * loop's thread. Requests of one connection are handled one after the other (pipelined ones wait in the
 * buffer).
 *
 * A process may have several servers, each on a loop and a thread of its own. They count connections, answers and bodies
 * together (struct th_http_shared), and a connection can be moved from one to another between two requests. */
#ifndef TH_NET_HTTP_SERVER_H
#define TH_NET_HTTP_SERVER_H
#include "base/error.h"
#include "base/metric.h"
#include "net/http1.h"
#include "port/transport.h"

typedef struct uv_loop_s uv_loop_t;
struct th_http_server;
struct th_cidr;
struct th_tls_identity;
struct th_http_shared;
struct th_http_moved;

/** One request, from the handler's call until th_http_reply or th_http_end. Everything is valid until then. */
struct th_http_exchange {
    struct th_http1_head head;
    /* The target, split at the first '?', with its percent-encoding untouched. Of a target in absolute form, the
     * authority is left out; it replaces the value of Host in `head`. */
    struct th_span path, query;
    struct th_span body; /* decoded (chunked removed) */
    struct th_addr peer;
    char request_id[28]; /* "req_" + 20 characters, NUL-terminated; unique */
    int64_t received_us; /* monotonic, when the last byte was read */
    uint64_t known;      /* the last `who` of th_http_known on this connection; 0: not called yet */
    uint64_t here;       /* requests of this connection since it came to this server, this one included */
    unsigned home;       /* `place` may set it: it stays with the connection, and is 0 at first */
    bool gone;           /* the client has closed its side, or is cut off; an answer is due all the same */
    bool held;           /* th_http_hold has been called for this request */
    void *user;          /* the handler's */
};

#define TH_HTTP_SERVER_REFUSED 64 /* connections above max_connections that are there at the same time */

/** The verdict of `judge` about a request whose head is here and whose body is not. */
enum th_http_verdict {
    TH_HTTP_READ,     /* the body is read, then `handle` is called */
    TH_HTTP_SKIP,     /* the body is read and thrown away, then `handle` is called with an empty one */
    TH_HTTP_ANSWERED, /* th_http_reply or th_http_hold has been called */
};

/** The handlers for a part of the paths. */
struct th_mount {
    const char *prefix; /* "/metrics": this path and those below it; "": all. The longest wins. Static. */
    /** Called for each complete request. Must lead to exactly one th_http_reply or th_http_end, at once or later. */
    void (*handle)(void *ctx, struct th_http_exchange *x);
    /** Called once the head is complete, before anything of the body is asked for or kept; it is not
     * called for requests whose body is here with the head. It must keep nothing of `x`, because the client
     * may go before `handle` is called. After an answer from `judge` the connection ends, and what the client
     * still sends is thrown away. NULL: every body is read. */
    enum th_http_verdict (*judge)(void *ctx, struct th_http_exchange *x);
    void *ctx;
    bool vital; /* requests without a body are answered although there are too many connections */
};
#define TH_HTTP_MOUNTS 16

struct th_http_server_options {
    /** Paths below none of them are answered with 404. At most TH_HTTP_MOUNTS, copied. */
    const struct th_mount *mounts;
    unsigned mount_count;
    /* numeric; NULL: the server listens nowhere, and serves connections that it is given */
    const char *address;
    uint16_t port;             /* 0: a free one */
    size_t max_head, max_body; /* defaults 32 KiB, 16 MiB when 0 */
    size_t max_answers;        /* bytes of all answers that clients have not taken yet; default 64 MiB */
    size_t max_bodies;         /* bytes of all bodies together; default 256 MiB, and at least 4 * max_body */
    unsigned max_connections;  /* default 10,000; beyond: see http_server_peers.c */
    unsigned max_keyless; /* connections of one address on which th_http_known was not called; 0: no limit */
    unsigned head_timeout_ms, body_timeout_ms,
        idle_timeout_ms;       /* defaults 10 s, 60 s (and at least 1 KiB/s), 75 s */
    unsigned write_timeout_ms; /* default 30 s, and at least 1 KiB/s; 8 KiB/s while more than 64 KiB wait */
    unsigned hold_ms;          /* see th_http_hold; default 1 s */
    /** Proxies whose PROXY header is believed, and to which no limit by address applies. The array must
     * stay until the server is freed or th_http_server_trust has been called. */
    const struct th_cidr *trusted;
    unsigned trusted_count;
    struct th_metrics *metrics; /* may be NULL */
    /** Speaks TLS with this certificate (tls_server.h); NULL: plain. The server takes a reference of its own. */
    struct th_tls_identity *tls;
    /** What the servers of this process count together; it must outlive them. NULL: this server is the
     * only one. */
    struct th_http_shared *shared;
    unsigned number; /* of this server among them, from 0 */
    /** Called with the head of each request, before anything is done with it; returns the number of the
     * server that is to handle it. It is not called for the request for which a connection has been moved
     * here, so that no connection is sent round in circles. Nor is it called while the client is not known
     * (th_http_known), so that all connections to which limits apply are on the server that accepted them.
     * Where the connection cannot be moved (no memory, draining) the request is handled here all the same.
     * NULL: every connection stays. */
    unsigned (*place)(void *ctx, struct th_http_exchange *x);
    /** Has th_http_server_adopt called with `moved` on the thread of the server `to`. Called from the
     * loop. False: that is not possible. */
    bool (*move)(void *ctx, unsigned to, struct th_http_moved *moved);
    void *place_ctx;
};

#define TH_HTTP_SERVERS 64

/** For 1 to TH_HTTP_SERVERS servers. Their limits on connections, answers and bodies must be equal, and hold
 * for all of them together. NULL: no memory. */
struct th_http_shared *th_http_shared_new(unsigned servers);
/** To be called after all servers that share it have been freed. NULL is allowed. */
void th_http_shared_free(struct th_http_shared *shared);

/** Binds and listens. The process must ignore SIGPIPE. TH_IO with errno in *os_error (EADDRINUSE, EACCES,
 * ...). */
TH_MUST_USE enum th_error th_http_server_open(uv_loop_t *loop, const struct th_http_server_options *options,
                                              struct th_http_server **out, int *os_error);
/** Sets another certificate for connections that begin from now on. Only for a server that was opened with
 * one. */
void th_http_server_identity(struct th_http_server *s, struct th_tls_identity *id);
/** Sets other trusted proxies for connections that begin from now on. */
void th_http_server_trust(struct th_http_server *s, const struct th_cidr *trusted, unsigned count);
/** The bound port. */
uint16_t th_http_server_port(const struct th_http_server *s);
/** Answers, from inside `handle` or later on the loop's thread; `handle` is never called from inside.
 * `fields`: finished lines "Name: value\r\n" (Content-Type, Location, ...); Content-Length, Date, Request-Id
 * and Connection are added here. Bytes are copied. Status 204 and 304 and answers to HEAD carry no body. */
void th_http_reply(struct th_http_exchange *x, unsigned status, struct th_span fields, struct th_span body);
/** Does the same with a body that stays as it is until the server is freed; it is not copied. */
void th_http_reply_lasting(struct th_http_exchange *x, unsigned status, struct th_span fields,
                           struct th_span body);
/* ---- answers in parts: of any size, or of a size that nobody knows, in bounded memory ---- */

/** Callbacks of an answer in parts: they are called from the loop, never from inside a call that the handler
 * makes. Static. */
struct th_http_parts {
    /** The client has taken what was waiting for it, after th_http_write had returned 0. */
    void (*room)(struct th_http_exchange *x);
    /** The client has gone, or was cut off because it read too slowly: what is written is thrown away
     * from now on. Called at most once, and not after th_http_end, which is still due. */
    void (*gone)(struct th_http_exchange *x);
    bool endless; /* the answer has no end of its own: a client that closes its side has gone */
};
#define TH_HTTP_ROOM 65536 /* bytes of one answer in parts that may wait for the client */

/** To be called instead of th_http_reply: sends the head. A client of HTTP/1.1 gets the chunked coding; for
 * one of HTTP/1.0 the end of the connection is the end of the answer. After it come any number of calls of
 * th_http_write, and exactly one of th_http_end or th_http_abort. False: there is nothing to write (a HEAD
 * request, or the client has gone), and th_http_end is due. `status` must be one that has a body. */
bool th_http_begin(struct th_http_exchange *x, unsigned status, struct th_span fields,
                   const struct th_http_parts *parts);
/** Sends bytes of the body, all of them: what the client does not take at once is copied. Returns how many bytes may follow
 * before the client has taken some; 0: go on when `room` is called. */
size_t th_http_write(struct th_http_exchange *x, struct th_span bytes);
/** The answer is complete. The exchange is gone. */
void th_http_end(struct th_http_exchange *x);
/** The answer cannot be completed: the connection is cut, so that the client does not take it for whole. The exchange is gone. */
void th_http_abort(struct th_http_exchange *x);

/** Microseconds that reading and handling requests took in this turn of the loop so far. */
int64_t th_http_server_spent(const struct th_http_server *s);
/** To be called from inside `handle` or `judge`, instead of an answer: the same function is called again
 * after hold_ms, with x->held set. What else comes on the connection waits. */
void th_http_hold(struct th_http_exchange *x);
/** To be called from inside `handle` or `judge` when the client of this connection has shown who it is (`who`
 * is not 0). From then on no limit on keyless connections applies to it, and other clients do not take its
 * place while it is at work. */
void th_http_known(struct th_http_exchange *x, uint64_t who);
/** Takes over a connection that another server of the process has given to `move`. The request for which it
 * was moved, and what came behind it, is handled here from the next turn on. The connection belongs to this
 * server in any case. */
void th_http_server_adopt(struct th_http_server *s, struct th_http_moved *moved);
/** To be called once. Stops accepting, closes idle connections and lets requests in flight finish
 * (Connection: close). Calls drained(ctx) once no connection is left; after grace_ms the rest is cut. The
 * handler has to end answers that have no end of their own. From now on no server of the process moves
 * connections, and those on their way here are waited for. */
void th_http_server_drain(struct th_http_server *s, unsigned grace_ms, void (*drained)(void *ctx), void *ctx);
/** To be called after drained(): frees everything. Requests that were cut and have no reply yet must not get
 * one any more. */
void th_http_server_free(struct th_http_server *s);
/** Reason phrase of a status (RFC 9110, section 15; RFC 6585); "" when there is none. Static. */
const char *th_http_reason(unsigned status);
#endif
