/* Connections of the HTTP client: open, shake hands, receive, close.
 *
 * Raw non-blocking sockets watched with uv_poll: a request on a kept-alive connection costs one sendmsg and
 * one recv; the watch for readability stays as it is, so nothing else reaches the kernel.
 *
 * Refuses: blocking, SIGPIPE, reading for a connection that nobody waits on (an idle connection that says
 * anything is closed).
 *
 * Invariants: 1. `fd` is open exactly until CLOSING. 2. A conn is freed only in libuv's close callback, so a
 * caller up the stack may still look at its state. 3. shaking_count counts `shaking`; handshakes that wait
 * longer than TH_HC_HANDSHAKE_IDLE lose their place, so silent servers cannot hold up the queue. 4. The
 * origin is held until the connection is closed. 5. A request goes out on a kept connection only after the loop has
 * looked at the connection since the answer before: what has come by then (an end, surplus) is not taken for its
 * answer. That costs no system call, only a turn when one request follows the other at once.
 *
 * Failure: reported to the request that the connection carries, if any. */
#include "base/alloc.h"
#include "net/http_client_private.h"
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events);

const char *hc_os_text(struct th_http_result *res, int os_error)
{
    switch (os_error) {
    case ECONNREFUSED:
        return "connection refused";
    case ENETUNREACH:
        return "network unreachable";
    case EHOSTUNREACH:
        return "host unreachable";
    case ETIMEDOUT:
        return "the network timed out";
    case ECONNRESET:
    case EPIPE:
        return "connection reset";
    case EACCES:
    case EPERM:
        return "not permitted by this machine's firewall";
    case EADDRNOTAVAIL:
        return "no local address or port is free for this connection";
    case EAFNOSUPPORT:
        return "address family not available, or not that of the source address";
    case EMFILE:
    case ENFILE:
        return "too many open files";
    case ENOMEM:
    case ENOBUFS:
        return "out of memory";
    default:
        snprintf(res->detail_text, sizeof res->detail_text, "%s", strerror(os_error));
        return res->detail_text;
    }
}

/* --- objects --- */

static struct hc_conn *conn_new(struct hc *c)
{
    struct th_list *l = th_list_pop(&c->spare_conns);
    struct hc_conn *conn;

    if (l) {
        c->spare_conn_count--;
        conn = TH_CONTAINER(l, struct hc_conn, link);
    } else {
        conn = th_malloc(sizeof *conn);
        if (!conn)
            return NULL;
    }
    memset(conn, 0, sizeof *conn);
    conn->client = c;
    conn->poll.data = conn;
    th_list_init(&conn->link);
    th_list_init(&conn->node.in_all);
    th_list_init(&conn->node.in_origin);
    return conn;
}

static void conn_free(struct hc_conn *conn)
{
    struct hc *c = conn->client;

    if (c->spare_conn_count >= TH_HC_SPARE || c->closing) {
        th_free(conn);
        return;
    }
    th_list_prepend(&c->spare_conns, &conn->link);
    c->spare_conn_count++;
}

static void on_closed(uv_handle_t *handle)
{
    struct hc_conn *conn = handle->data;
    struct hc *c = conn->client;

    conn_free(conn);
    c->handles--;
    if (c->closing)
        hc_wake(c); /* perhaps the last one */
}

void hc_conn_watch(struct hc_conn *conn, int events)
{
    if (conn->events == events)
        return;
    conn->events = events;
    uv_poll_start(&conn->poll, events, on_poll); /* fails only for handles that are closing */
}

static void leave_queue(struct hc_conn *conn)
{
    if (conn->state == CONN_HANDSHAKE && !th_list_empty(&conn->link))
        conn->client->shaking_count--;
    th_list_remove(&conn->link);
}

void hc_conn_close(struct hc_conn *conn, bool clean)
{
    struct hc *c = conn->client;

    if (conn->state == CONN_CLOSING)
        return;
    if (conn->state == CONN_IDLE && !th_list_empty(&conn->node.in_all))
        th_pool_remove(&c->pool, &conn->node);
    leave_queue(conn);
    if (!th_list_empty(&c->queued))
        hc_wake(c); /* there may be room for the next handshake */
    if (conn->tx && conn->tx->conn == conn)
        conn->tx->conn = NULL;
    conn->tx = NULL;
    conn->state = CONN_CLOSING;
    th_tls_free(conn->tls, clean);
    conn->tls = NULL;
    th_pool_drop(&c->pool, conn->node.origin);
    uv_close((uv_handle_t *)&conn->poll,
             on_closed); /* leaves the event queue before the descriptor is closed */
    close(conn->fd);
    conn->fd = -1;
}

/* --- connect --- */

static socklen_t to_sockaddr(const struct th_addr *a, uint16_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (a->family == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;

        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, a->ip, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    v6->sin6_scope_id = a->scope;
    memcpy(&v6->sin6_addr, a->ip, 16);
    return sizeof *v6;
}

static bool bind_source(const struct hc *c, int fd, int family)
{
    int on = 1;

    if (c->bind.ss_family == 0)
        return true;
    if (c->bind.ss_family != family) {
        errno = EAFNOSUPPORT;
        return false;
    }
    /* The port is chosen at connect, so it need be free towards this peer only. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(fd, (const struct sockaddr *)&c->bind,
                family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) == 0;
}

bool hc_conn_open(struct hc_tx *tx, const struct th_addr *addr)
{
    struct hc *c = tx->client;
    struct hc_conn *conn = conn_new(c);
    struct sockaddr_storage to;
    uint16_t port = addr->port ? addr->port : tx->req->origin.port;
    socklen_t to_n = to_sockaddr(addr, port, &to);
    int on = 1, os_error, e;

    if (!conn) {
        errno = ENOMEM;
        return false;
    }
    conn->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0)
        goto err_conn;
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!bind_source(c, conn->fd, to.ss_family) ||
        (connect(conn->fd, (struct sockaddr *)&to, to_n) != 0 && errno != EINPROGRESS))
        goto err_fd;
    e = uv_poll_init(c->loop, &conn->poll, conn->fd);
    if (e != 0) {
        errno = -e;
        goto err_fd;
    }
    c->handles++;
    conn->state = CONN_CONNECTING;
    conn->node.peer = *addr;
    conn->node.peer.port = port;
    conn->node.origin = tx->origin;
    tx->origin->refs++;
    conn->tx = tx;
    th_list_append(&tx->racing, &conn->link);
    tx->received = false;
    tx->req->res.peer = conn->node.peer;
    hc_conn_watch(conn, UV_WRITABLE);
    return true;
err_fd:
    os_error = errno;
    close(conn->fd);
    errno = os_error;
err_conn:
    os_error = errno;
    conn_free(conn);
    errno = os_error;
    return false;
}

static void on_connected(struct hc_conn *conn)
{
    struct hc_tx *tx = conn->tx;
    int os_error = 0;
    socklen_t n = sizeof os_error;

    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &os_error, &n) != 0)
        os_error = errno;
    if (os_error) {
        hc_race_lost(conn, os_error);
        return;
    }
    hc_race_won(conn);
    if (conn->client->metrics)
        th_count(conn->client->metrics, TH_C_CLIENT_CONNECTS, 1);
    tx->req->res.times.connected = hc_now_us() - tx->start_us;
    if (tx->req->origin.tls) {
        const struct th_http_req *req = tx->req;

        conn->state = CONN_QUEUED;
        th_heap_rekey(&conn->client->timers, &tx->timer,
                      req->deadline.us < req->connect_deadline.us || req->res.fresh_retries
                          ? req->deadline.us
                          : req->connect_deadline.us);
        hc_conn_watch(conn, UV_DISCONNECT);
        th_list_append(&conn->client->queued, &conn->link);
        hc_conn_shake_next(conn->client);
        return;
    }
    conn->state = CONN_BUSY;
    tx->state = TX_EXCHANGE;
    th_heap_rekey(&conn->client->timers, &tx->timer, tx->req->deadline.us);
    hc_conn_watch(conn, UV_READABLE);
    hc_conn_send(conn);
}

/* --- TLS handshakes --- */

static void shake(struct hc_conn *conn)
{
    struct hc_tx *tx = conn->tx;
    struct hc *c = conn->client;

    switch (th_tls_handshake(conn->tls)) {
    case TH_TLS_WANT_READ:
        hc_conn_watch(conn, UV_READABLE);
        return;
    case TH_TLS_WANT_WRITE:
        hc_conn_watch(conn, UV_READABLE | UV_WRITABLE);
        return;
    case TH_TLS_OK:
        break;
    default:
        snprintf(tx->req->res.detail_text, sizeof tx->req->res.detail_text, "%s", th_tls_error(conn->tls));
        hc_tx_end(tx, TH_HTTP_TLS, tx->req->res.detail_text);
        return;
    }
    leave_queue(conn);
    if (!th_list_empty(&c->queued))
        hc_wake(c);
    tx->req->res.times.tls = hc_now_us() - tx->start_us;
    conn->state = CONN_BUSY;
    tx->state = TX_EXCHANGE;
    th_heap_rekey(&c->timers, &tx->timer, tx->req->deadline.us);
    hc_conn_watch(conn, UV_READABLE);
    hc_conn_send(conn);
}

static void shake_begin(struct hc_conn *conn)
{
    struct hc *c = conn->client;
    struct hc_tx *tx = conn->tx;

    th_list_remove(&conn->link);
    conn->tls = !c->tls ? NULL
                        : th_tls_new(c->tls, conn->fd, tx->req->origin.host,
                                     th_span(conn->node.origin->key, conn->node.origin->key_n));
    if (!conn->tls) {
        hc_tx_end(tx, TH_HTTP_INTERNAL, "out of memory");
        return;
    }
    conn->state = CONN_HANDSHAKE;
    conn->shaking_since_us = hc_now_us();
    th_list_append(&c->shaking, &conn->link);
    c->shaking_count++;
    c->begun_this_turn++;
    shake(conn);
}

void hc_conn_shake_next(struct hc *c)
{
    int64_t old = hc_now_us() - (int64_t)TH_HC_HANDSHAKE_IDLE * 1000;

    while (!th_list_empty(&c->queued)) {
        if (c->begun_this_turn >= TH_HC_HANDSHAKES_TURN) {
            hc_wake(c);
            return;
        }
        if (c->shaking_count >= TH_HC_HANDSHAKES) {
            struct hc_conn *first = TH_CONTAINER(c->shaking.next, struct hc_conn, link);

            if (first->shaking_since_us > old) {
                hc_arm(c);
                return;
            }
            leave_queue(first); /* goes on, but without a place */
        }
        shake_begin(TH_CONTAINER(c->queued.next, struct hc_conn, link));
    }
}

/* --- reuse --- */

static void use(struct hc_conn *conn)
{
    struct hc_tx *tx = conn->tx;

    conn->state = CONN_BUSY;
    tx->state = TX_EXCHANGE;
    tx->received = false;
    conn->put_before = conn->tls ? th_tls_put(conn->tls) : 0;
    tx->req->res.reused = true;
    tx->req->res.peer = conn->node.peer;
    if (conn->client->metrics)
        th_count(conn->client->metrics, TH_C_CLIENT_REUSES, 1);
    hc_conn_send(conn);
}

void hc_conn_reserve(struct hc_conn *conn, struct hc_tx *tx)
{
    struct hc *c = conn->client;

    conn->tx = tx;
    tx->conn = conn;
    if (c->turn - conn->quiet_turn >= 2 && !c->looking) {
        use(conn);
        return;
    }
    conn->state = CONN_RESERVED;
    conn->quiet_turn = c->turn;
    th_list_append(&c->reserved, &conn->link);
    hc_wake(c);
}

void hc_conn_use_reserved(struct hc *c)
{
    struct th_list ready, *l, *next;

    th_list_init(&ready);
    for (l = c->reserved.next; l != &c->reserved; l = next) {
        struct hc_conn *conn = TH_CONTAINER(l, struct hc_conn, link);

        next = l->next;
        if (c->turn - conn->quiet_turn >= 2) { /* a whole look has begun and ended since */
            th_list_remove(l);
            th_list_append(&ready, l);
        }
    }
    while ((l = th_list_pop(&ready))) /* done() may cancel others, which leaves them on no list */
        use(TH_CONTAINER(l, struct hc_conn, link));
}

/* A reserved connection has something to say: an end, surplus of the answer before, or a session ticket of TLS. */
static void reserved_spoke(struct hc_conn *conn, bool broken)
{
    struct hc_tx *tx = conn->tx;
    char byte;
    size_t got;

    if (!broken && conn->tls && th_tls_read(conn->tls, &byte, 1, &got) == TH_TLS_WANT_READ)
        return;
    th_pool_ended(&conn->client->pool, &conn->node, hc_now_us());
    hc_conn_close(conn, false);
    hc_tx_begin(tx);
}

void hc_conn_release(struct hc_conn *conn)
{
    struct hc *c = conn->client;
    struct th_pool_node *out;

    conn->tx->conn = NULL;
    conn->tx = NULL;
    conn->state = CONN_IDLE;
    conn->quiet_turn = c->turn;
    out = th_pool_put(&c->pool, &conn->node, hc_now_us());
    if (out)
        hc_conn_close(TH_CONTAINER(out, struct hc_conn, node), true);
    hc_arm(c);
}

/* --- a kept connection that ends under a request --- */

uint64_t hc_conn_put(const struct hc_conn *conn)
{
    return conn->tls ? th_tls_put(conn->tls) - conn->put_before : conn->tx->sent;
}

/* The peer's system has not confirmed any byte of the request. */
static bool is_unread(const struct hc_conn *conn)
{
    int waiting = 0;

    return ioctl(conn->fd, SIOCOUTQ, &waiting) == 0 && (uint64_t)waiting >= hc_conn_put(conn);
}

/* Servers close idle connections, and now and then do so while a request is on its way. The end of such a connection
 * came before any byte of ours was confirmed, so it was sent without having seen any; and a reset that follows the end
 * (EPIPE where it is asked for) says that the bytes found nobody any more. Both together: not read, and never will be.
 * A reset alone says nothing: a server that reads, and then dies, can bring it about before its system has confirmed. */
static bool was_refused(const struct hc_conn *conn)
{
    int os_error = 0;
    socklen_t n = sizeof os_error;

    if (conn->refused)
        return true;
    return getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &os_error, &n) == 0 && os_error == EPIPE;
}

bool hc_conn_doubt(struct hc_conn *conn)
{
    struct hc_tx *tx = conn->tx;
    int64_t until = hc_now_us() + (int64_t)TH_HC_DOUBT * 1000;
    bool sent_none = hc_conn_put(conn) == 0;

    if (!hc_tx_may_repeat(tx) || !(sent_none || is_unread(conn)))
        return false;
    if (sent_none || was_refused(conn)) {
        hc_tx_repeat(tx);
        return true;
    }
    conn->state = CONN_DOUBT; /* the end is here, the reset may be on its way */
    hc_conn_watch(conn, UV_PRIORITIZED);
    if (until < tx->req->deadline.us)
        th_heap_rekey(&conn->client->timers, &tx->timer, until);
    hc_arm(conn->client);
    return true;
}

/* Something has happened to a connection in doubt. */
static void doubt_ends(struct hc_conn *conn)
{
    struct hc_tx *tx = conn->tx;

    if (is_unread(conn) && was_refused(conn))
        hc_tx_repeat(tx);
    else
        hc_tx_end(tx, TH_HTTP_RESET, HC_NO_ANSWER);
}

/* --- receive --- */

/* Under TLS 1.3 a server judges what the client has shown of itself only after the client's handshake: an alert, or an end
 * without one, comes in place of the first answer. */
static bool is_first(const struct hc_conn *conn)
{
    return conn->tls && conn->tx && !conn->tx->received && !conn->tx->req->res.reused;
}

#define LACKS_CERTIFICATE                                                                                    \
    "TLS: the server asked for a client certificate, got none, and closed the connection"

static bool lacks_certificate(const struct hc_conn *conn)
{
    return is_first(conn) && th_tls_certificate(conn->tls) == TH_TLS_ASKED;
}

static bool is_refusal(const struct hc_conn *conn)
{
    return is_first(conn) && (th_tls_alerted(conn->tls) || th_tls_certificate(conn->tls) != TH_TLS_NOT_ASKED);
}

/* `cut`: a TLS peer has not said good-bye. */
static void conn_eof(struct hc_conn *conn, bool cut)
{
    if (!conn->tx || !conn->tx->received)
        th_pool_ended(&conn->client->pool, &conn->node, hc_now_us());
    if (lacks_certificate(conn))
        hc_tx_end(conn->tx, TH_HTTP_TLS, LACKS_CERTIFICATE);
    else if (conn->tx)
        hc_answer_eof(conn->tx, cut);
    else
        hc_conn_close(conn, true);
}

static void conn_broke(struct hc_conn *conn, const char *detail)
{
    struct th_http_result *res;

    if (!conn->tx || !conn->tx->received)
        th_pool_ended(&conn->client->pool, &conn->node, hc_now_us());
    if (!conn->tx) {
        hc_conn_close(conn, false);
        return;
    }
    res = &conn->tx->req->res;
    if (lacks_certificate(conn))
        detail = LACKS_CERTIFICATE;
    snprintf(res->detail_text, sizeof res->detail_text, "%s", detail);
    hc_answer_reset(conn->tx, is_refusal(conn) ? TH_HTTP_TLS : TH_HTTP_RESET, res->detail_text);
}

/* One read. False: stop reading (no more bytes, or the connection is no longer this request's). */
static bool read_some(struct hc_conn *conn)
{
    struct hc *c = conn->client;
    struct hc_tx *tx = conn->tx;
    size_t got = 0;

    if (conn->tls) {
        switch (th_tls_read(conn->tls, c->in, sizeof c->in, &got)) {
        case TH_TLS_OK:
            break;
        case TH_TLS_EOF:
            conn_eof(conn, false);
            return false;
        case TH_TLS_CUT:
            conn_eof(conn, true);
            return false;
        case TH_TLS_FAILED:
            conn_broke(conn, th_tls_error(conn->tls));
            return false;
        default:
            return false;
        }
    } else {
        ssize_t n = recv(conn->fd, c->in, sizeof c->in, 0);

        if (n == 0) {
            conn_eof(conn, false);
            return false;
        }
        if (n < 0) {
            if (errno == EINTR)
                return true;
            if (errno != EAGAIN)
                conn_broke(conn, "connection reset by the server");
            return false;
        }
        got = (size_t)n;
    }
    if (!tx) { /* an idle connection has nothing to say */
        hc_conn_close(conn, true);
        return false;
    }
    return hc_answer_feed(tx, c->in, got) && (conn->tls || got == sizeof c->in);
}

static void on_readable(struct hc_conn *conn)
{
    /* What OpenSSL holds decrypted no poll would report: a TLS connection is read until it would block. The
     * caps on head and body bound that. */
    for (int i = 0; i < TH_HC_READS || conn->tls; i++)
        if (!read_some(conn))
            break;
    /* A TLS write may have waited for this read. */
    if (conn->tls && conn->state == CONN_BUSY && conn->tx->req->res.times.sent < 0 && !conn->tx->send_failed)
        hc_conn_send(conn);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct hc_conn *conn = poll->data;
    struct hc *c = conn->client;

    c->looking++;
    if (status < 0)
        events = UV_READABLE | UV_WRITABLE; /* an error waits on the socket: the next call fetches it */
    switch (conn->state) {
    case CONN_CONNECTING:
        on_connected(conn);
        break;
    case CONN_QUEUED:
        hc_tx_end(conn->tx, TH_HTTP_TLS, "TLS: the server closed the connection before the handshake");
        break;
    case CONN_HANDSHAKE:
        shake(conn);
        break;
    case CONN_BUSY:
        if ((events & UV_WRITABLE) && conn->tx->req->res.times.sent < 0 && !conn->tx->send_failed)
            hc_conn_send(conn);
        if (conn->state == CONN_BUSY && (events & UV_READABLE))
            on_readable(conn);
        break;
    case CONN_IDLE:
        on_readable(conn);
        break;
    case CONN_DOUBT:
        doubt_ends(conn);
        break;
    case CONN_RESERVED:
        reserved_spoke(conn, status < 0);
        break;
    case CONN_CLOSING:
        break;
    }
    /* After an error libuv has stopped the watch. Nothing may stay behind that nobody watches. */
    if (status < 0 && conn->state != CONN_CLOSING && conn->state != CONN_CONNECTING)
        conn_broke(conn, "connection reset by the server");
    c->looking--;
}
