/* What the files of the HTTP client share. Private to http_client*.c. A file calls those above it in this list:
 *
 *   http_client_time.c    the one timer, turns without waiting
 *   http_client_conn.c    sockets
 *   http_client_tx.c      requests as objects, and their end
 *   http_client_tunnel.c  the way through a forward proxy
 *   http_client_race.c    connecting
 *   http_client_send.c    bytes of the request
 *   http_client_reuse.c   kept connections
 *   http_client_answer.c  bytes of the answer
 *   http_client_shake.c   TLS handshakes
  *   http_client_events.c  events of the sockets
 *   http_client.c         the port: submit, cancel; time, opening and closing
 *
 * A `tx` carries one request from submit to done; a `conn` is one socket. A busy connection and its tx point
 * to each other; an idle connection is in the pool.
 *
 *   conn: CONNECTING → QUEUED (waits for its turn to shake hands) → HANDSHAKE → BUSY → IDLE → RESERVED → BUSY
 *         CONNECTING → TUNNEL, with a proxy, and then as from CONNECTING;
 *         CONNECTING → BUSY without TLS; BUSY → DOUBT (see hc_conn_doubt); all → CLOSING
 *
 * The table of all transitions is in hc_conn_enter, that of requests in hc_tx_enter.
 */
#ifndef TH_NET_HTTP_CLIENT_PRIVATE_H
#define TH_NET_HTTP_CLIENT_PRIVATE_H
#include "base/buf.h"
#include "base/heap.h"
#include "net/http1.h"
#include "net/http_client.h"
#include "net/http_pool.h"
#include "net/tls.h"
#include <netinet/in.h>
#include <uv.h>

enum {
    TH_HC_READ = 64 * 1024,     /* bytes of one read */
    TH_HC_WRITE = 16 * 1024,    /* bytes of one TLS write */
    TH_HC_READS = 4,            /* reads of one connection per turn */
    TH_HC_TUNNEL = 2048,        /* bytes of a proxy's answer */
    TH_HC_INTERIM = 10,         /* 1xx answers before the final one */
    TH_HC_HANDSHAKES = 64,      /* under way */
    TH_HC_HANDSHAKES_TURN = 8,  /* begun per turn of the loop */
    TH_HC_HANDSHAKE_IDLE = 250, /* milliseconds after which a handshake no longer holds its place */
    TH_HC_DOUBT = 1000,         /* milliseconds within which a peer that has closed shows whether it read */
    TH_HC_RACE_STEP = 250,      /* milliseconds between the addresses of a race */
    TH_HC_RACERS = 4,           /* connections that one request tries at once */
    TH_HC_KNOWN = 1024,         /* places for origins whose working address is remembered */
    TH_HC_SPARE = 1024,         /* freed objects kept for the next request */
    TH_HC_SPARE_BYTES = 16 * 1024, /* larger answer buffers are given back */
    TH_HC_MAX_TX = 1u << 20,       /* requests under way */
};

#define HC_NO_ANSWER "the server closed the connection without an answer"

enum hc_conn_state {
    CONN_CONNECTING,
    CONN_TUNNEL, /* the proxy is asked for the way to the peer */
    CONN_QUEUED,
    CONN_HANDSHAKE,
    CONN_BUSY,
    CONN_DOUBT,
    CONN_IDLE,
    CONN_RESERVED,
    CONN_CLOSING
};

struct hc_conn {
    uv_poll_t poll;
    struct hc *client;
    struct hc_tx *tx;         /* NULL when idle or closing */
    struct th_list link;      /* hc_tx.racing, hc.queued, hc.shaking, hc.reserved or hc.spare_conns */
    struct th_pool_node node; /* its origin is held; peer */
    struct th_tls *tls;       /* NULL: none, or not yet */
    int fd;
    int events;   /* watched now */
    bool refused; /* a send has met the reset that follows the peer's end */
    enum hc_conn_state state;
    uint64_t put_before; /* bytes that TLS had sent when the present request began */
    int64_t shaking_since_us;
    size_t tunnel_n;     /* bytes of the proxy's answer */
    char *tunnel;        /* TUNNEL: TH_HC_TUNNEL bytes for it; else NULL */
    uint64_t quiet_turn; /* turn of the loop in which it became IDLE, then RESERVED */
};

enum hc_tx_state { TX_CONNECT, TX_EXCHANGE, TX_ENDED };

struct hc_tx {
    struct th_heap_node timer; /* in hc.timers until it ends */
    struct th_list link;       /* hc.active, hc.ended or hc.spare_txs */
    struct hc *client;
    struct th_http_req *req;
    struct hc_conn *conn;
    struct th_pool_origin *origin; /* held until it ends */
    int64_t start_us;
    uint64_t sent, total;
    enum hc_tx_state state;
    /* connections that are being opened, oldest first: conn is NULL until one has won */
    struct th_list racing;
    unsigned addr;                 /* number of addresses that have been tried */
    uint8_t order[TH_CONNECT_MAX]; /* the order in which addresses are tried, if there are several */
    bool proxy_failed;             /* the installation's proxy: nothing that says something of the peer */
    bool send_failed;              /* the peer takes no more; an answer may still be there */
    bool received;                 /* bytes of an answer have arrived on this connection */
    /* the answer */
    struct th_buf head, body; /* what had to be kept between two reads */
    struct th_buf mended;     /* the head, if it had oddities */
    struct th_buf plain;      /* the body decoded */
    char coding[16];          /* Content-Encoding, if the request asks for decoding; "" else */
    size_t scanned, body_n;
    struct th_http1_chunked chunked;
    uint64_t left;
    unsigned interim;
    bool has_head, keep_alive, odd; /* odd: a head so far was not canonical */
    enum th_http1_body framing;
};

struct hc_known {
    uint64_t hash; /* of the origin; 0: none */
    struct th_addr addr;
};

struct hc {
    struct th_transport port;
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_idle_t wake; /* runs while there is something to do in the next turn */
    uv_check_t turn_end;
    struct th_metrics *metrics;
    struct th_tls_ctx *tls;
    struct sockaddr_storage bind;  /* ss_family 0: none */
    struct sockaddr_storage proxy; /* the same */
    socklen_t proxy_n;
    struct th_buf proxy_line; /* field line with credentials */
    int64_t idle_timeout_us;
    struct th_pool pool;
    struct th_heap timers;
    struct th_list active, ended, spare_conns, spare_txs, queued, shaking, reserved;
    unsigned spare_conn_count, spare_tx_count, shaking_count, begun_this_turn;
    unsigned looking; /* > 0: inside a callback of the loop's look at the sockets */
    unsigned handles; /* libuv handles of connections that are not closed yet */
    uint64_t turn, sequence;
    /* What files call of those below them in the list above. Set once, when the client is opened. */
    uv_timer_cb on_timer;
    uv_idle_cb on_wake;
    uv_poll_cb on_poll;
    int64_t armed_us;            /* when the timer fires; INT64_MAX: not armed */
    unsigned defer;              /* > 0: inside submit or cancel, where done() must not be called */
    struct th_http_req *refused; /* no memory for a tx; chained through impl */
    bool closing;
    void (*closed)(void *);
    void *closed_ctx;
    struct hc_known known[TH_HC_KNOWN];
    struct th_http1_head scratch_head;
    char in[TH_HC_READ], out[TH_HC_WRITE];
};

static inline int64_t hc_now_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

/* ---- http_client_time.c ---- */

/* Moves the one timer forward to the next thing that is due. */
void hc_arm(struct hc *c);
/* Asks for a turn without waiting. */
void hc_wake(struct hc *c);

/* ---- http_client_conn.c: sockets ---- */

/* Changes the state to one that may follow the present one. */
void hc_conn_enter(struct hc_conn *conn, enum hc_conn_state state);
/* Opens a socket towards addr for tx, on its list `racing`. False with errno set, and nothing changed. */
bool hc_conn_open(struct hc_tx *tx, const struct th_addr *addr);
/* Parts the connection from its request and puts it into the pool. */
void hc_conn_release(struct hc_conn *conn);
/* Parts the connection from its request, if it has one, and closes it. `clean`: a TLS peer is told. */
void hc_conn_close(struct hc_conn *conn, bool clean);
/* Takes the connection off the queue for handshakes, or gives its place among the handshakes under way back. */
void hc_conn_leave_queue(struct hc_conn *conn);
/* Bytes of the present request that the kernel has taken. */
uint64_t hc_conn_put(const struct hc_conn *conn);
/* Sets which events are waited for. */
void hc_conn_watch(struct hc_conn *conn, int events);
/* Sets a text for an errno into the result and returns it. */
const char *hc_os_text(struct th_http_result *res, int os_error);

/* ---- http_client_tx.c: requests ---- */

/* NULL: no memory. */
struct hc_tx *hc_tx_new(struct hc *c);
void hc_tx_enter(struct hc_tx *tx, enum hc_tx_state state);
/* Ends a request: gives its connection up, and calls done() now, or in the next turn inside submit and
 * cancel. */
void hc_tx_end(struct hc_tx *tx, enum th_http_class class, const char *detail);
/* Calls done() of a request that has ended, and frees the tx. */
void hc_tx_done(struct hc_tx *tx);
/* Closes all connections that are being opened for the request. */
void hc_race_stop(struct hc_tx *tx);
/* Closes the client's own handles if it is closing and no request and no connection is left. */
void hc_maybe_closed(struct hc *c);

/* ---- http_client_race.c: connecting ---- */

/* Connects to the addresses of the request until one answers; ends the request when none does. */
void hc_tx_connect(struct hc_tx *tx);
/* Tries the next address. May end the request, when no address is left. */
void hc_race_next(struct hc_tx *tx);
/* This connection is the first that is established: closes the others. */
void hc_race_won(struct hc_conn *conn);
/* This connection has failed. May end the request. */
void hc_race_lost(struct hc_conn *conn, int os_error);
/* True: the request may go out once more, on a fresh connection, if the peer can be shown not to have read it: the
 * connection in use is a pooled one, and no byte of an answer has come. */
bool hc_tx_may_repeat(const struct hc_tx *tx);
/* Sends the request once more, on a fresh connection. */
void hc_tx_repeat(struct hc_tx *tx);

/* The same for another reason than an error of the socket. `detail` lives until the request ends. */
void hc_race_lost_for(struct hc_conn *conn, const char *detail);

/* ---- http_client_tunnel.c ---- */

/* Reads the address of a forward proxy (NULL: there is none) and its USER:PASSWORD (NULL). False: `why`. */
bool hc_proxy_open(struct hc *c, const char *url, const char *credentials, char *why, size_t why_size);
/* The connection to the proxy stands: asks for the way to the peer. May end the request. */
void hc_tunnel_begin(struct hc_conn *conn);
/* The connection to the proxy has failed. May end the request. */
void hc_tunnel_lost(struct hc_conn *conn, int os_error);
/* The proxy has sent something. May end the request. */
void hc_tunnel_read(struct hc_conn *conn);

/* ---- http_client_send.c ---- */

/* The connection is established and carries the request from now on: sends as much of it as the socket takes. */
void hc_conn_exchange(struct hc_conn *conn);
/* Sends what is left of the request. */
void hc_conn_send(struct hc_conn *conn);

/* ---- http_client_reuse.c: kept connections ---- */

/* Takes a kept connection, or connects. */
void hc_tx_begin(struct hc_tx *tx);
/* Sends the requests that have waited for a look at their connection. To be called at the end of each turn. */
void hc_conn_use_reserved(struct hc *c);
/* A reserved connection has become readable; `broken`: the loop reports an error for it. */
void hc_conn_reserved_spoke(struct hc_conn *conn, bool broken);
/* The peer has closed a pooled connection without an answer. Repeats the request at once if the peer cannot
 * have read any of it, waits a moment if that will show it, and returns false if the peer may have read it. */
bool hc_conn_doubt(struct hc_conn *conn);
/* Something has happened to a connection in doubt. */
void hc_conn_doubt_ends(struct hc_conn *conn);

/* ---- http_client_answer.c: bytes of the answer ---- */

/* Takes n > 0 bytes of the answer. False: the request has ended, tx must not be touched any more. */
bool hc_answer_feed(struct hc_tx *tx, const char *p, size_t n);
/* Takes an answer whose payload is whole although its end (trailers, an empty line) has not come. False: the
 * payload is not whole. */
bool hc_answer_settle(struct hc_tx *tx);
/* The peer has closed the connection. `cut`: it did so over TLS without a close alert, which anybody on the
 * way can bring about. Ends the request, or repeats it if the peer has not read it. */
void hc_answer_eof(struct hc_tx *tx, bool cut);
/* The connection has broken. Ends the request. */
void hc_answer_reset(struct hc_tx *tx, enum th_http_class class, const char *detail);

/* ---- http_client_shake.c: TLS handshakes ---- */

/* Goes on with the handshake. May end the request. */
void hc_conn_shake(struct hc_conn *conn);
/* Begins queued handshakes as far as the limits allow. */
void hc_conn_shake_next(struct hc *c);

/* ---- http_client_events.c ---- */

/* The connection leads to the peer: it has won, and carries the request or begins with TLS. */
void hc_conn_established(struct hc_conn *conn);
/* libuv calls this for an event of a connection. */
void hc_conn_on_poll(uv_poll_t *poll, int status, int events);

/* ---- http_client_retry_after.c ---- */

/* Retry-After in seconds from now (RFC 9110 section 10.2.3); dates count from the answer's Date, or from
 * `now_s` (Unix time) without a valid one. UINT32_MAX: absent, invalid or a date that has passed. */
uint32_t th_http_retry_after(const struct th_http1_head *head, int64_t now_s);
#endif
