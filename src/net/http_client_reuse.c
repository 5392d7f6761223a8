/* Kept connections of the HTTP client: takes one for a request, and decides what it means when one ends
 * during a request.
 *
 * Invariant: a request goes out on a kept connection only after the loop has looked at the connection since
 * the previous answer, so that what has come by then (an end, surplus bytes) is not taken for its answer.
 * That costs no system call, only a turn of the loop when one request follows the other at once.
 *
 * Refuses: to repeat a request of which the peer may have read a byte. */
#include "base/check.h"
#include "net/http_client_private.h"
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void use(struct hc_conn *conn)
{
    struct hc_tx *tx = conn->tx;

    tx->received = false;
    conn->put_before = conn->tls ? th_tls_put(conn->tls) : 0;
    tx->req->res.reused = true;
    tx->req->res.peer = conn->node.peer;
    if (conn->client->metrics)
        th_count(conn->client->metrics, TH_C_CLIENT_REUSES, 1);
    hc_conn_exchange(conn);
}

/* Gives an idle connection a request. It is sent when the loop has looked at the connection since it became idle: what
 * has come by then is no answer to it. */
static void reserve(struct hc_conn *conn, struct hc_tx *tx)
{
    struct hc *c = conn->client;

    conn->tx = tx;
    tx->conn = conn;
    if (c->turn - conn->quiet_turn >= 2 && !c->looking) {
        use(conn);
        return;
    }
    hc_conn_enter(conn, CONN_RESERVED);
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

void hc_tx_begin(struct hc_tx *tx)
{
    struct hc *c = tx->client;
    const struct th_http_req *req = tx->req;
    struct th_pool_node *node =
        th_pool_take(&c->pool, tx->origin, req->addrs, req->addr_count, req->origin.port);

    if (!node) {
        hc_tx_connect(tx);
        return;
    }
    reserve(TH_CONTAINER(node, struct hc_conn, node), tx);
    hc_arm(c);
}

/* A reserved connection has become readable: an end, surplus bytes of the previous answer, or a session
 * ticket of TLS. */
void hc_conn_reserved_spoke(struct hc_conn *conn, bool broken)
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

/* ---- a kept connection that ends under a request ---- */

/* The peer's system has not confirmed any byte of the request. */
static bool is_unread(const struct hc_conn *conn)
{
    int waiting = 0;

    return ioctl(conn->fd, SIOCOUTQ, &waiting) == 0 && (uint64_t)waiting >= hc_conn_put(conn);
}

/* Servers close idle connections, and now and then do so while a request is on its way. The end of such a
 * connection came before the peer had confirmed any byte of ours, so the peer sent it without having seen
 * any. A reset that follows the end (EPIPE where it is asked for) says that the bytes found nobody any more.
 * Both together show that the request was not read and never will be. A reset alone shows nothing: a server
 * that reads the request, and then dies, can cause one before its system has confirmed anything. */
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
    hc_conn_enter(conn, CONN_DOUBT); /* the end is here, the reset may be on its way */
    hc_conn_watch(conn, UV_PRIORITIZED);
    if (until < tx->req->deadline.us)
        th_heap_rekey(&conn->client->timers, &tx->timer, until);
    hc_arm(conn->client);
    return true;
}

/* Something has happened to a connection in doubt. */
void hc_conn_doubt_ends(struct hc_conn *conn)
{
    struct hc_tx *tx = conn->tx;

    if (is_unread(conn) && was_refused(conn))
        hc_tx_repeat(tx);
    else
        hc_tx_end(tx, TH_HTTP_RESET, HC_NO_ANSWER);
}
