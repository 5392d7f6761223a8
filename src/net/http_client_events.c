/* Events of the HTTP client's sockets: connected, readable, ended.
 *
 * Refuses: reading for a connection for which nobody waits (an idle connection on which something arrives is
 * closed).
 *
 * Failure: reported to the request that the connection carries, if any. */
#include "base/check.h"
#include "net/http_client_private.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

/* ---- connected ---- */

static void on_connected(struct hc_conn *conn)
{
    int os_error = 0;
    socklen_t n = sizeof os_error;

    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &os_error, &n) != 0)
        os_error = errno;
    if (os_error && conn->client->proxy.ss_family)
        hc_tunnel_lost(conn, os_error);
    else if (os_error)
        hc_race_lost(conn, os_error);
    else if (conn->client->proxy.ss_family)
        hc_tunnel_begin(conn);
    else
        hc_conn_established(conn);
}

void hc_conn_established(struct hc_conn *conn)
{
    struct hc_tx *tx = conn->tx;

    hc_race_won(conn);
    if (conn->client->metrics)
        th_count(conn->client->metrics, TH_C_CLIENT_CONNECTS, 1);
    tx->req->res.times.connected = hc_now_us() - tx->start_us;
    if (tx->req->origin.tls) {
        const struct th_http_req *req = tx->req;

        hc_conn_enter(conn, CONN_QUEUED);
        th_heap_rekey(&conn->client->timers, &tx->timer,
                      req->deadline.us < req->connect_deadline.us || req->res.fresh_retries
                          ? req->deadline.us
                          : req->connect_deadline.us);
        hc_conn_watch(conn, UV_DISCONNECT);
        th_list_append(&conn->client->queued, &conn->link);
        hc_conn_shake_next(conn->client);
        return;
    }
    hc_conn_exchange(conn);
}

/* ---- received ---- */

/* Under TLS 1.3 a server judges the client's certificate only after the client's handshake: an alert, or an
 * end without one, comes in place of the first answer. */
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
    return is_first(conn) && (th_tls_alerted(conn->tls) || th_tls_certificate(conn->tls) == TH_TLS_ASKED ||
                              th_tls_certificate(conn->tls) == TH_TLS_REQUIRED);
}

/* What it means for the request that a peer has ended the connection before an answer. */
static enum th_http_class class_of(const struct hc_conn *conn)
{
    if (is_first(conn) && th_tls_certificate(conn->tls) == TH_TLS_REFUSED)
        return TH_HTTP_CLIENT_CERTIFICATE;
    return is_refusal(conn) ? TH_HTTP_TLS : TH_HTTP_RESET;
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
    hc_answer_reset(conn->tx, class_of(conn), res->detail_text);
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
    if (!tx) { /* nothing is expected on an idle connection */
        hc_conn_close(conn, true);
        return false;
    }
    return hc_answer_feed(tx, c->in, got) && (conn->tls || got == sizeof c->in);
}

static void on_readable(struct hc_conn *conn)
{
    /* No poll would report bytes that OpenSSL holds decrypted, so a TLS connection is read until it would
     * block. The caps on head and body bound that. */
    for (int i = 0; i < TH_HC_READS || conn->tls; i++)
        if (!read_some(conn))
            break;
    /* A TLS write may have waited for this read. */
    if (conn->tls && conn->state == CONN_BUSY && conn->tx->req->res.times.sent < 0 && !conn->tx->send_failed)
        hc_conn_send(conn);
}

void hc_conn_on_poll(uv_poll_t *poll, int status, int events)
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
    case CONN_TUNNEL:
        hc_tunnel_read(conn);
        break;
    case CONN_QUEUED:
        hc_tx_end(conn->tx, TH_HTTP_TLS, "TLS: the server closed the connection before the handshake");
        break;
    case CONN_HANDSHAKE:
        hc_conn_shake(conn);
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
        hc_conn_doubt_ends(conn);
        break;
    case CONN_RESERVED:
        hc_conn_reserved_spoke(conn, status < 0);
        break;
    case CONN_CLOSING:
        break;
    }
    /* After an error libuv has stopped the watch. No connection may stay behind that nobody watches. */
    if (status < 0 && conn->state != CONN_CLOSING && conn->state != CONN_CONNECTING &&
        conn->state != CONN_TUNNEL)
        conn_broke(conn, "connection reset by the server");
    c->looking--;
}
