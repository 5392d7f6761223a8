/* TLS handshakes of the HTTP client: they wait for their turn, because each costs more than a request.
 *
 * Invariant: shaking_count counts `shaking`; handshakes that wait longer than TH_HC_HANDSHAKE_IDLE lose their place, so
 * that silent servers cannot hold up the queue. Failure: the request of the connection ends. */
#include "base/check.h"
#include "net/http_client_private.h"
#include <stdio.h>

void hc_conn_shake(struct hc_conn *conn)
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
        hc_tx_end(tx,
                  th_tls_certificate(conn->tls) == TH_TLS_REFUSED ? TH_HTTP_CLIENT_CERTIFICATE : TH_HTTP_TLS,
                  tx->req->res.detail_text);
        return;
    }
    hc_conn_leave_queue(conn);
    if (!th_list_empty(&c->queued))
        hc_wake(c);
    tx->req->res.times.tls = hc_now_us() - tx->start_us;
    hc_conn_exchange(conn);
}

static void shake_begin(struct hc_conn *conn)
{
    struct hc *c = conn->client;
    struct hc_tx *tx = conn->tx;

    th_list_remove(&conn->link);
    conn->tls = !c->tls ? NULL
                        : th_tls_new(c->tls, conn->fd, tx->req->origin.host, tx->req->identity,
                                     th_span(conn->node.origin->key, conn->node.origin->key_n));
    if (!conn->tls) {
        hc_tx_end(tx, TH_HTTP_INTERNAL, "out of memory");
        return;
    }
    hc_conn_enter(conn, CONN_HANDSHAKE);
    conn->shaking_since_us = hc_now_us();
    th_list_append(&c->shaking, &conn->link);
    c->shaking_count++;
    c->begun_this_turn++;
    hc_conn_shake(conn);
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
            hc_conn_leave_queue(first); /* the handshake goes on, but without a place */
        }
        shake_begin(TH_CONTAINER(c->queued.next, struct hc_conn, link));
    }
}
