/* Forward proxies: a connection goes to the proxy and asks it with CONNECT for the one to the endpoint (RFC 9110 section 9.3.6).
 *
 * CONNECT names the address that was judged, never the name: the proxy looks nothing up, so it cannot be led elsewhere than where
 * the guard has allowed. From then on the connection is the endpoint's, TLS with the name of its URL, or plain HTTP.
 *
 * A connection in TUNNEL still races with those to the endpoint's other addresses; it has won when the proxy has answered 2xx.
 * Statuses of the proxy that speak of the endpoint (5xx) lose the race, and when no address is left the endpoint could not be
 * connected to. All else is the installation's own trouble (tx->proxy_failed), and no attempt of an endpoint.
 *
 * Refuses: bytes behind the proxy's answer, which only an endpoint that speaks first could have sent; answers of more than
 * TH_HC_TUNNEL bytes. */
#include "base/alloc.h"
#include "core/guard.h"
#include "net/http_client_private.h"
#include "net/proxy_ask.h"
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

/* ---- opening ---- */

static bool take_address(struct hc *c, const struct addrinfo *found)
{
    memcpy(&c->proxy, found->ai_addr, found->ai_addrlen);
    c->proxy_n = found->ai_addrlen;
    return c->proxy.ss_family == AF_INET || c->proxy.ss_family == AF_INET6;
}

static bool fault(char *why, size_t why_size, const char *url, const char *what)
{
    snprintf(why, why_size, "proxy \"%s\": %s", url, what);
    return false;
}

bool hc_proxy_open(struct hc *c, const char *url, const char *credentials, char *why, size_t why_size)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    struct th_url parsed;
    char host[256], port[8];
    const char *reason = "is no URL";
    bool ok;

    if (!url)
        return true;
    if (th_url_parse(th_str(url), &parsed, &reason))
        return fault(why, why_size, url, reason);
    if (parsed.tls || !th_span_is(parsed.target, "/"))
        return fault(why, why_size, url, "must be http://HOST:PORT, without a path");
    if (parsed.host.n >= sizeof host)
        return fault(why, why_size, url, "its name is too long");
    memcpy(host, parsed.host.p, parsed.host.n);
    host[parsed.host.n] = 0;
    snprintf(port, sizeof port, "%u", parsed.port);
    if (getaddrinfo(host, port, &hints, &found))
        return fault(why, why_size, url, "its name does not resolve");
    ok = take_address(c, found);
    freeaddrinfo(found);
    if (!ok)
        return fault(why, why_size, url, "its address is neither IPv4 nor IPv6");
    th_buf_init(&c->proxy_line, 4096);
    if (credentials) {
        if (!strchr(credentials, ':'))
            return fault(why, why_size, url, "its credentials must be USER:PASSWORD");
        th_proxy_ask_credentials(&c->proxy_line, credentials);
    }
    return !c->proxy_line.failed || fault(why, why_size, url, "its credentials are too long");
}

/* ---- one connection ---- */

static void failed(struct hc_conn *conn, bool own, const char *what)
{
    struct th_http_result *res = &conn->tx->req->res;

    conn->tx->proxy_failed = own;
    snprintf(res->detail_text, sizeof res->detail_text, "the proxy %s", what);
    hc_race_lost_for(conn, res->detail_text);
}

void hc_tunnel_lost(struct hc_conn *conn, int os_error)
{
    char text[96];

    snprintf(text, sizeof text, "cannot be reached: %s", hc_os_text(&conn->tx->req->res, os_error));
    failed(conn, true, text);
}

void hc_tunnel_begin(struct hc_conn *conn)
{
    struct hc *c = conn->client;
    struct th_buf ask;
    ssize_t n;

    th_buf_init(&ask, 8192);
    th_proxy_ask_connect(&ask, &conn->node.peer, th_buf_view(&c->proxy_line));
    hc_conn_enter(conn, CONN_TUNNEL);
    conn->tunnel = th_malloc(TH_HC_TUNNEL);
    n = !conn->tunnel || ask.failed
            ? -1
            : send(conn->fd, ask.p, ask.n, MSG_NOSIGNAL); /* the first bytes: they fit */
    if (n == (ssize_t)ask.n)
        hc_conn_watch(conn, UV_READABLE);
    else
        failed(conn, true, "does not take the request");
    th_buf_wipe(&ask);
}

/* The status of a whole answer; 0: it is none of HTTP/1. */
static unsigned status_of(const char *p, size_t n)
{
    if (n < 12 || memcmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ' || !th_is_digit(p[9]) || !th_is_digit(p[10]) ||
        !th_is_digit(p[11]))
        return 0;
    return (unsigned)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
}

static void judge(struct hc_conn *conn, size_t head)
{
    unsigned status = status_of(conn->tunnel, head);
    char text[64];

    if (status >= 200 && status < 300 && conn->tunnel_n == head) {
        th_free(conn->tunnel);
        conn->tunnel = NULL;
        hc_conn_established(conn);
        return;
    }
    if (status >= 200 && status < 300)
        snprintf(text, sizeof text, "has sent bytes of its own behind its answer");
    else if (status)
        snprintf(text, sizeof text, "answered CONNECT with status %u", status);
    else
        snprintf(text, sizeof text, "does not speak HTTP/1.1");
    failed(conn, status < 500, text);
}

void hc_tunnel_read(struct hc_conn *conn)
{
    const char *end;
    ssize_t n = recv(conn->fd, conn->tunnel + conn->tunnel_n, TH_HC_TUNNEL - conn->tunnel_n, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        failed(conn, true, "closed the connection without an answer");
        return;
    }
    conn->tunnel_n += (size_t)n;
    end = memmem(conn->tunnel, conn->tunnel_n, "\r\n\r\n", 4);
    if (end)
        judge(conn, (size_t)(end - conn->tunnel) + 4);
    else if (conn->tunnel_n == TH_HC_TUNNEL)
        failed(conn, true, "answered CONNECT with too much");
}
