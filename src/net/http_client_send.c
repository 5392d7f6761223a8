/* Sends a request: its pieces stay where the caller has them and go out in one sendmsg.
 *
 * Refuses to copy, except for TLS, whose records are gathered in the client's buffer; to send a byte twice.
 *
 * Invariants: 1. tx->sent bytes are with the kernel (or in OpenSSL's record); the pieces are built again from
 * there, so a part-written request needs no state of its own. 2. times.sent is set exactly when all are.
 *
 * Failure: a pooled connection that took no byte leads to a fresh one; otherwise the answer, if there is one,
 * decides. */
#include "base/check.h"
#include "net/http_client_private.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { PARTS = 11 };

/* The length of the body and the empty line, in `room`. */
static struct th_span end_of_head(char *room, size_t size, uint64_t length)
{
    struct th_buf b = {.p = room, .cap = size, .max = size - 1}; /* never grows into the heap */

    th_buf_str(&b, "Content-Length: ");
    th_buf_u64(&b, length);
    th_buf_str(&b, "\r\n\r\n");
    return th_buf_view(&b);
}

/* The request's bytes from tx->sent on, as pieces of the caller's memory. */
static int build_request(const struct hc_tx *tx, struct iovec *out, char *length, size_t length_size,
                         uint64_t *total)
{
    const struct th_http_req *req = tx->req;
    const struct th_span parts[PARTS] = {
        req->method,
        TH_LIT(" "),
        req->target,
        TH_LIT(" HTTP/1.1\r\nHost: "),
        req->origin.authority,
        TH_LIT("\r\n"),
        req->head,
        end_of_head(length, length_size, tx->total),
        req->body_count > 0 ? req->body[0] : TH_LIT(""),
        req->body_count > 1 ? req->body[1] : TH_LIT(""),
        req->body_count > 2 ? req->body[2] : TH_LIT(""),
    };
    uint64_t skip = tx->sent;
    int n = 0;

    *total = 0;
    for (int i = 0; i < PARTS; i++) {
        struct th_span s = parts[i];

        *total += s.n;
        if (skip >= s.n) {
            skip -= s.n;
            continue;
        }
        out[n++] = (struct iovec){(char *)(uintptr_t)s.p + skip, s.n - (size_t)skip};
        skip = 0;
    }
    return n;
}

static void sent_all(struct hc_conn *conn)
{
    struct hc_tx *tx = conn->tx;

    tx->req->res.times.sent = hc_now_us() - tx->start_us;
    hc_conn_watch(conn, UV_READABLE);
}

/* The peer takes no more. It may have answered before (413 and close), so only a read tells how this ends. */
static void send_broke(struct hc_conn *conn)
{
    if (hc_conn_put(conn) == 0 && hc_tx_may_repeat(conn->tx)) {
        hc_tx_repeat(conn->tx);
        return;
    }
    conn->tx->send_failed = true;
    hc_conn_watch(conn, UV_READABLE);
}

static void send_plain(struct hc_conn *conn)
{
    struct hc_tx *tx = conn->tx;
    struct iovec iov[PARTS];
    char length[48];
    uint64_t total;

    for (;;) {
        struct msghdr message = {.msg_iov = iov};
        ssize_t n;

        message.msg_iovlen = (size_t)build_request(tx, iov, length, sizeof length, &total);
        if (tx->sent == total) {
            sent_all(conn);
            return;
        }
        n = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
        if (n >= 0) {
            tx->sent += (uint64_t)n;
            if (tx->sent == total) {
                sent_all(conn);
                return;
            }
        } else if (errno == EAGAIN) {
            hc_conn_watch(conn, UV_READABLE | UV_WRITABLE);
            return;
        } else if (errno != EINTR) {
            conn->refused = errno == EPIPE;
            send_broke(conn);
            return;
        }
    }
}

static size_t gather(char *out, const struct iovec *iov, int n)
{
    size_t used = 0;

    for (int i = 0; i < n && used < TH_HC_WRITE; i++) {
        size_t take = iov[i].iov_len < TH_HC_WRITE - used ? iov[i].iov_len : TH_HC_WRITE - used;

        memcpy(out + used, iov[i].iov_base, take);
        used += take;
    }
    return used;
}

static void send_tls(struct hc_conn *conn)
{
    struct hc_tx *tx = conn->tx;
    struct iovec iov[PARTS];
    char length[48];
    uint64_t total;

    for (;;) {
        int parts = build_request(tx, iov, length, sizeof length, &total);
        size_t put;

        if (tx->sent == total) {
            sent_all(conn);
            return;
        }
        switch (th_tls_write(conn->tls, conn->client->out, gather(conn->client->out, iov, parts), &put)) {
        case TH_TLS_OK:
            tx->sent += put;
            break;
        case TH_TLS_WANT_WRITE:
            hc_conn_watch(conn, UV_READABLE | UV_WRITABLE);
            return;
        case TH_TLS_WANT_READ:
            hc_conn_watch(conn, UV_READABLE);
            return;
        default:
            send_broke(conn);
            return;
        }
    }
}

void hc_conn_send(struct hc_conn *conn)
{
    if (conn->tls)
        send_tls(conn);
    else
        send_plain(conn);
}

void hc_conn_exchange(struct hc_conn *conn)
{
    struct hc_tx *tx = conn->tx;

    TH_CHECK(tx && tx->conn == conn);
    hc_conn_enter(conn, CONN_BUSY);
    hc_tx_enter(tx, TX_EXCHANGE);
    th_heap_rekey(&conn->client->timers, &tx->timer, tx->req->deadline.us);
    hc_conn_watch(conn, UV_READABLE);
    /* A process that was stopped meanwhile finds its connection before its timers: what is over must not be sent. */
    if (hc_now_us() < tx->req->deadline.us)
        hc_conn_send(conn);
}
