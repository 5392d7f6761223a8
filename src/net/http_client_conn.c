/* Connections of the HTTP client: their states, their sockets, their end.
 *
 * Raw non-blocking sockets watched with uv_poll: a request on a kept-alive connection costs one sendmsg and
 * one recv; the watch for readability stays as it is, so nothing else reaches the kernel.
 *
 * Refuses: blocking, SIGPIPE.
 *
 * Invariants: 1. `fd` is open exactly until CLOSING. 2. A conn is freed only in libuv's close callback, so a
 * caller up the stack may still look at its state. 3. The origin is held until the connection is closed. 4. The state
 * is only ever changed by hc_conn_enter. */
#include "base/alloc.h"
#include "base/check.h"
#include "net/http_client_private.h"
#include "net/sockaddr.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

void hc_conn_enter(struct hc_conn *conn, enum hc_conn_state state)
{
    static const uint16_t edges[] = {
        [CONN_CONNECTING] = 1u << CONN_TUNNEL | 1u << CONN_QUEUED | 1u << CONN_BUSY | 1u << CONN_CLOSING,
        [CONN_TUNNEL] = 1u << CONN_QUEUED | 1u << CONN_BUSY | 1u << CONN_CLOSING,
        [CONN_QUEUED] = 1u << CONN_HANDSHAKE | 1u << CONN_CLOSING,
        [CONN_HANDSHAKE] = 1u << CONN_BUSY | 1u << CONN_CLOSING,
        [CONN_BUSY] = 1u << CONN_DOUBT | 1u << CONN_IDLE | 1u << CONN_CLOSING,
        [CONN_DOUBT] = 1u << CONN_CLOSING,
        [CONN_IDLE] = 1u << CONN_RESERVED | 1u << CONN_BUSY | 1u << CONN_CLOSING,
        [CONN_RESERVED] = 1u << CONN_BUSY | 1u << CONN_CLOSING,
        [CONN_CLOSING] = 0,
    };

    TH_CHECK(edges[conn->state] >> state & 1);
    conn->state = state;
}

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
    uv_poll_start(&conn->poll, events, conn->client->on_poll); /* fails only for handles that are closing */
}

void hc_conn_leave_queue(struct hc_conn *conn)
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
    hc_conn_leave_queue(conn);
    if (!th_list_empty(&c->queued))
        hc_wake(c); /* there may be room for the next handshake */
    if (conn->tx && conn->tx->conn == conn)
        conn->tx->conn = NULL;
    conn->tx = NULL;
    hc_conn_enter(conn, CONN_CLOSING);
    th_tls_free(conn->tls, clean);
    conn->tls = NULL;
    th_free(conn->tunnel);
    conn->tunnel = NULL;
    th_pool_drop(&c->pool, conn->node.origin);
    uv_close((uv_handle_t *)&conn->poll,
             on_closed); /* leaves the event queue before the descriptor is closed */
    close(conn->fd);
    conn->fd = -1;
}

/* --- connect --- */

/* The request's own source goes before that of all. */
static bool bind_source(const struct hc *c, const struct th_http_req *req, int fd, int family)
{
    struct sockaddr_storage from = c->bind;
    int on = 1;

    if (req->source)
        (void)th_sockaddr_of(req->source, 0, &from);
    if (from.ss_family == 0)
        return true;
    if (from.ss_family != family) {
        errno = EAFNOSUPPORT;
        return false;
    }
    /* The port is chosen at connect, so it need be free towards this peer only. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(fd, (const struct sockaddr *)&from,
                family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) == 0;
}

bool hc_conn_open(struct hc_tx *tx, const struct th_addr *addr)
{
    struct hc *c = tx->client;
    struct hc_conn *conn = conn_new(c);
    struct sockaddr_storage to;
    uint16_t port = addr->port ? addr->port : tx->req->origin.port;
    socklen_t to_n = th_sockaddr_of(addr, port, &to);
    int on = 1, os_error, e;

    if (!conn) {
        errno = ENOMEM;
        return false;
    }
    if (c->proxy.ss_family) {
        to = c->proxy;
        to_n = c->proxy_n;
    }
    conn->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0)
        goto err_conn;
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!bind_source(c, tx->req, conn->fd, to.ss_family) ||
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

void hc_conn_release(struct hc_conn *conn)
{
    struct hc *c = conn->client;
    struct th_pool_node *out;

    TH_CHECK(conn->tx && conn->tx->conn == conn);
    conn->tx->conn = NULL;
    conn->tx = NULL;
    hc_conn_enter(conn, CONN_IDLE);
    conn->quiet_turn = c->turn;
    out = th_pool_put(&c->pool, &conn->node, hc_now_us());
    if (out)
        hc_conn_close(TH_CONTAINER(out, struct hc_conn, node), true);
    hc_arm(c);
}

uint64_t hc_conn_put(const struct hc_conn *conn)
{
    return conn->tls ? th_tls_put(conn->tls) - conn->put_before : conn->tx->sent;
}
