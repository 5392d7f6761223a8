/* The listening socket of the HTTP server: bind, accept, wait when nothing can be accepted.
 *
 * Why accept(2) and not libuv's listener: when the process has no descriptor left, libuv closes the
 * connections that wait; and when somebody else takes the descriptor that it has put aside for this, it loops
 * without end. Here a connection that waits stays in the kernel's queue, and the socket is looked at again
 * with the next tick.
 *
 * http_server_peers.c decides who gets a place, and whose place that is.
 * Invariants: 1. The socket is watched exactly while the server neither drains nor waits (TH_LISTENER_WATCHED). 2. While it
 * waits, the tick runs. Failure: without descriptors or memory nothing is lost, and the log says so, seldom. */
#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "net/http_server_impl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PER_TURN = 64,        /* connections accepted in one turn of the loop */
    WARN_EVERY_MS = 60000 /* for the log */
};

union address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static void enter(struct th_http_server *s, enum th_listener_state state)
{
    static const uint8_t edges[] = {
        [TH_LISTENER_NEW] = 1u << TH_LISTENER_WATCHED,
        [TH_LISTENER_WATCHED] = 1u << TH_LISTENER_WAITS | 1u << TH_LISTENER_CLOSED,
        [TH_LISTENER_WAITS] = 1u << TH_LISTENER_WATCHED | 1u << TH_LISTENER_CLOSED,
        [TH_LISTENER_CLOSED] = 0,
    };

    TH_CHECK(edges[s->listening] >> state & 1);
    s->listening = state;
}

static void peer_of(const union address *from, struct th_addr *out)
{
    if (from->sa.sa_family == AF_INET) {
        out->family = 4;
        memcpy(out->ip, &from->in.sin_addr, 4);
        out->port = ntohs(from->in.sin_port);
    } else if (from->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&from->in6.sin6_addr)) {
        out->family = 4; /* in the form that configurations and logs have */
        memcpy(out->ip, from->in6.sin6_addr.s6_addr + 12, 4);
        out->port = ntohs(from->in6.sin6_port);
    } else if (from->sa.sa_family == AF_INET6) {
        out->family = 6;
        memcpy(out->ip, &from->in6.sin6_addr, 16);
        out->scope = from->in6.sin6_scope_id;
        out->port = ntohs(from->in6.sin6_port);
    }
}

/* Takes over `fd`; `c` is all zeros. */
static void begin(struct th_http_server *s, struct th_conn *c, int fd, const union address *from)
{
    bool opened;

    peer_of(from, &c->peer);
    th_conn_begin(s, c);
    if (s->options.metrics) {
        th_count(s->options.metrics, TH_C_HTTP_CONNECTIONS, 1);
        th_gauge_add(s->options.metrics, TH_G_HTTP_OPEN, 1);
    }
    opened = uv_tcp_open(&c->tcp, fd) == 0;
    if (!opened)
        (void)close(fd);
    if (!opened || !th_peers_admit(c)) {
        th_conn_close(c);
        return;
    }
    (void)uv_tcp_nodelay(&c->tcp, 1);
    if (s->options.tls && !th_conn_tls_begin(c)) {
        th_conn_close(c);
        return;
    }
    c->preface = th_conn_is_trusted(c);
    if (!c->preface)
        th_peers_count(c);
    th_conn_start(c);
}

/* Accepts the next connection that waits; -1 with errno when there is none or none can be had. Connections
 * that are gone again are passed over (accept(2): errors of the network belong to the connection). */
static int next_one(const struct th_http_server *s, union address *from)
{
    for (;;) {
        socklen_t n = sizeof *from;
        int fd = accept4(s->listen_fd, &from->sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            return fd;
        switch (errno) {
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
        case EPERM:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
            continue;
        default:
            return -1;
        }
    }
}

static void wait_a_tick(struct th_http_server *s, int os_error)
{
    int64_t now = (int64_t)uv_now(s->loop);

    enter(s, TH_LISTENER_WAITS);
    (void)uv_poll_stop(&s->listener);
    th_server_tick_start(s);
    if (s->warned_ms && now - s->warned_ms < WARN_EVERY_MS)
        return;
    s->warned_ms = now ? now : 1;
    th_log(TH_LOG_WARN, "no connection can be accepted for now; clients wait",
           TH_KC("error", strerror(os_error)), TH_KI("open", s->open));
}

static void on_waiting(uv_poll_t *poll, int status, int events)
{
    struct th_http_server *s = poll->data;

    (void)status;
    (void)events;
    for (int i = 0; i < PER_TURN; i++) {
        /* first, because a client that cannot be served goes on waiting */
        struct th_conn *c = th_calloc(1, sizeof *c);
        union address from = {0};
        int fd = c ? next_one(s, &from) : -1;

        if (fd < 0) {
            int os_error = c ? errno : ENOMEM;

            th_free(c);
            if (os_error != EAGAIN)
                wait_a_tick(s, os_error);
            return;
        }
        begin(s, c, fd, &from);
    }
}

void th_server_accept(struct th_http_server *s)
{
    enter(s, TH_LISTENER_WATCHED);
    (void)uv_poll_start(&s->listener, UV_READABLE, on_waiting); /* fails only for handles that are closing */
}

/* A bound, listening socket, or -1 with *os_error. */
static int listen_on(const char *address, uint16_t port, int *os_error)
{
    union address at = {0};
    socklen_t n = sizeof at.in;
    int fd, one = 1, kept = TH_SERVER_KERNEL; /* connections take it over */

    if (uv_ip4_addr(address, port, &at.in) != 0) {
        n = sizeof at.in6;
        if (uv_ip6_addr(address, port, &at.in6) != 0) {
            *os_error = EINVAL;
            return -1;
        }
    }
    fd = socket(at.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kept, sizeof kept) == 0 && bind(fd, &at.sa, n) == 0 &&
        listen(fd, SOMAXCONN) == 0)
        return fd;
    *os_error = errno;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

bool th_server_listen(struct th_http_server *s, int *os_error)
{
    union address at = {0};
    socklen_t n = sizeof at;
    int rc;

    if (!s->options.address) {
        s->listening = TH_LISTENER_CLOSED;
        return true;
    }
    s->listen_fd = listen_on(s->options.address, s->options.port, os_error);
    if (s->listen_fd < 0)
        return false;
    rc = uv_poll_init(s->loop, &s->listener, s->listen_fd);
    if (rc != 0) {
        *os_error = -rc;
        (void)close(s->listen_fd);
        return false;
    }
    if (getsockname(s->listen_fd, &at.sa, &n) == 0)
        s->port = ntohs(at.sa.sa_family == AF_INET6 ? at.in6.sin6_port : at.in.sin_port);
    return true;
}

void th_server_unlisten(struct th_http_server *s, uv_close_cb closed)
{
    enter(s, TH_LISTENER_CLOSED);
    uv_close((uv_handle_t *)&s->listener,
             closed); /* leaves the event queue before the descriptor is closed */
    (void)close(s->listen_fd);
}
