/* Reads the answer of one request: heads, interim answers, the three kinds of body.
 *
 * Which odd answers are taken, and why, stands in http1.c. This file decides how much is kept, and when the
 * connection may serve again.
 *
 * Refuses: more head than head_cap, more than TH_HC_INTERIM interim answers, 101, to inflate more of a body than the caller keeps.
 *
 * Invariants: 1. At most head_cap plus one read of head and body_cap of body is held. 2. Spans of the result
 * point into the read buffer only while the request ends inside the same call; otherwise into the tx's own
 * buffers. 3. A connection is released only if the request was sent whole, the answer ended exactly where its
 * bytes ended, had no oddity, and neither side wants to close.
 *
 * Failure: every fault ends the request with its class; the connection is closed. */
#include "base/check.h"
#include "net/http_client_private.h"
#include "net/inflate.h"
#include <time.h>

static bool add(struct th_buf *b, size_t max, const char *p, size_t n)
{
    if (b->n == 0)
        b->max = max;
    th_buf_add(b, p, n);
    return b->failed == TH_OK;
}

static void reset_buffers(struct hc_tx *tx)
{
    th_buf_reset(&tx->head);
    th_buf_reset(&tx->body);
    tx->scanned = tx->body_n = 0;
    tx->has_head = tx->odd = false;
}

/* A body that came compressed although nobody asked for it. */
static void decode(struct hc_tx *tx)
{
    struct th_http_result *res = &tx->req->res;
    bool whole;

    tx->plain.max = tx->req->body_cap;
    if (!tx->coding[0] || !th_inflate(th_str(tx->coding), res->body, &tx->plain, &whole))
        return;
    res->body = th_buf_view(&tx->plain);
    res->decoded = true;
    res->truncated |= !whole;
}

static void complete(struct hc_tx *tx, size_t surplus, bool reusable)
{
    struct hc_conn *conn = tx->conn;
    struct th_http_result *res = &tx->req->res;

    if (tx->body_n && tx->body.n == tx->body_n)
        res->body = th_buf_view(&tx->body);
    decode(tx);
    if (reusable && surplus == 0 && tx->keep_alive && res->times.sent >= 0 && !tx->client->closing &&
        (!conn->tls || th_tls_quiet(conn->tls)))
        hc_conn_release(conn);
    else
        hc_conn_close(conn, true);
    hc_tx_end(tx, TH_HTTP_OK, NULL);
}

/* Keeps body bytes up to the cap. `last`: the body ends with them. False: the request has ended. */
static bool keep(struct hc_tx *tx, const char *p, size_t n, bool last)
{
    struct th_http_req *req = tx->req;
    size_t room = req->body_cap - tx->body_n, take = n < room ? n : room;

    if (req->part && req->res.status == 200) {
        req->part(req, th_span(p, n));
        return true;
    }

    if (tx->body_n == 0 && (last || take < n)) {
        req->res.body = th_span(p, take); /* the whole body lies in the read buffer */
    } else if (!add(&tx->body, req->body_cap, p, take)) {
        hc_tx_end(tx, TH_HTTP_INTERNAL, "out of memory");
        return false;
    }
    if (take == n) {
        tx->body_n += take;
        return true;
    }
    if (tx->body_n)
        tx->body_n += take;
    req->res.truncated = true;
    complete(tx, 0, false);
    return false;
}

/* This and the following: false when the request has ended, so that tx must not be touched any more. */
static bool feed_chunked(struct hc_tx *tx, const char *p, size_t n)
{
    struct th_span data;
    const char *why;
    size_t used;

    while (n) {
        enum th_http1_result r = th_http1_chunked(&tx->chunked, p, n, &used, &data, &why);

        if (r == TH_HTTP1_BAD) {
            hc_tx_end(tx, TH_HTTP_PROTOCOL, why);
            return false;
        }
        p += used;
        n -= used;
        if (data.n && !keep(tx, data.p, data.n, false))
            return false;
        if (r == TH_HTTP1_DONE) {
            complete(tx, n, !tx->chunked.odd);
            return false;
        }
    }
    return true;
}

static bool feed_body(struct hc_tx *tx, const char *p, size_t n)
{
    size_t take;

    switch (tx->framing) {
    case TH_HTTP1_NO_BODY:
        complete(tx, n, true);
        return false;
    case TH_HTTP1_LENGTH:
        take = n < tx->left ? n : (size_t)tx->left;
        tx->left -= take;
        if (take && !keep(tx, p, take, tx->left == 0))
            return false;
        if (tx->left)
            return true;
        complete(tx, n - take, true);
        return false;
    case TH_HTTP1_CHUNKED:
        return feed_chunked(tx, p, n);
    case TH_HTTP1_UNTIL_CLOSE:
        break;
    }
    return n == 0 || keep(tx, p, n, false);
}

static int64_t unix_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec;
}

static void take_head(struct hc_tx *tx, const struct th_http1_head *head)
{
    struct th_http_result *res = &tx->req->res;

    const struct th_http1_field *coding = tx->req->decode ? th_http1_field(head, "content-encoding") : NULL;

    tx->has_head = true;
    if (coding && coding->value.n < sizeof tx->coding)
        memcpy(tx->coding, coding->value.p, coding->value.n);
    tx->framing = head->body;
    tx->left = head->length;
    tx->keep_alive = head->keep_alive && !tx->odd;
    if (head->body == TH_HTTP1_CHUNKED)
        th_http1_chunked_init(&tx->chunked, true);
    res->status = head->status;
    res->head = head->field_lines;
    res->retry_after_s = UINT32_MAX;
    if (head->status >= 300) /* the clock is read only when the field can matter */
        res->retry_after_s = th_http_retry_after(head, unix_now());
}

/* One head from p. MORE: nothing used. DONE: an interim or (has_head) the final one. BAD: the request has
 * ended. */
static enum th_http1_result read_head(struct hc_tx *tx, const char *p, size_t n, size_t *used)
{
    struct th_http1_head *head = &tx->client->scratch_head;
    const char *why;
    enum th_http1_result r = th_http1_answer(p, n, &tx->scanned, &tx->mended, head, used, &why);

    if (r != TH_HTTP1_BAD && (r == TH_HTTP1_DONE ? *used : n) > tx->req->head_cap) {
        r = TH_HTTP1_BAD;
        why = "the answer's head is too large";
    } else if (r == TH_HTTP1_DONE && head->status == 101) {
        r = TH_HTTP1_BAD;
        why = "the server switched protocols without being asked";
    } else if (r == TH_HTTP1_DONE && head->status < 200 && ++tx->interim > TH_HC_INTERIM) {
        r = TH_HTTP1_BAD;
        why = "too many interim answers";
    }
    if (r == TH_HTTP1_BAD)
        hc_tx_end(tx, TH_HTTP_PROTOCOL, why);
    if (r != TH_HTTP1_DONE)
        return r;
    tx->scanned = 0;
    tx->odd |= tx->mended.n > 0;
    if (head->status >= 200)
        take_head(tx, head);
    return r;
}

/* Bytes of a head that began in an earlier read: gathered in tx->head. */
static bool feed_gathered(struct hc_tx *tx, const char *p, size_t n)
{
    size_t used;

    if (!add(&tx->head, (size_t)tx->req->head_cap + TH_HC_READ, p, n)) {
        hc_tx_end(tx, TH_HTTP_INTERNAL, "out of memory");
        return false;
    }
    while (tx->head.n) {
        enum th_http1_result r = read_head(tx, tx->head.p, tx->head.n, &used);

        if (r != TH_HTTP1_DONE)
            return r == TH_HTTP1_MORE;
        if (tx->has_head)
            return feed_body(tx, tx->head.p + used, tx->head.n - used);
        th_buf_shift(&tx->head, used);
    }
    return true;
}

/* The final head lies in the read buffer, and the request goes on: the bytes to which the result points must
 * move. */
static bool move_head(struct hc_tx *tx)
{
    struct th_http_result *res = &tx->req->res;

    if (tx->mended.n > 0) /* lies there */
        return true;
    if (!add(&tx->head, tx->req->head_cap, res->head.p, res->head.n)) {
        hc_tx_end(tx, TH_HTTP_INTERNAL, "out of memory");
        return false;
    }
    res->head = th_buf_view(&tx->head);
    return true;
}

bool hc_answer_feed(struct hc_tx *tx, const char *p, size_t n)
{
    size_t used;

    TH_CHECK(n > 0 && tx->conn && tx->state == TX_EXCHANGE);
    if (!tx->received) {
        tx->received = true;
        tx->req->res.times.first_byte = hc_now_us() - tx->start_us;
        reset_buffers(tx);
    }
    if (tx->has_head)
        return feed_body(tx, p, n);
    if (tx->head.n)
        return feed_gathered(tx, p, n);
    while (n) {
        enum th_http1_result r = read_head(tx, p, n, &used);

        if (r == TH_HTTP1_BAD)
            return false;
        if (r == TH_HTTP1_MORE)
            return feed_gathered(tx, p, n);
        p += used;
        n -= used;
        if (tx->has_head)
            return feed_body(tx, p, n) && move_head(tx);
    }
    return true;
}

/* Servers that leave out the empty line behind the last chunk are not rare; nothing of the payload can follow it. */
bool hc_answer_settle(struct hc_tx *tx)
{
    if (!tx->has_head || tx->framing != TH_HTTP1_CHUNKED || !th_http1_chunked_whole(&tx->chunked))
        return false;
    complete(tx, 0, false);
    return true;
}

void hc_answer_reset(struct hc_tx *tx, enum th_http_class class, const char *detail)
{
    if (!hc_answer_settle(tx))
        hc_tx_end(tx, class, detail);
}

void hc_answer_eof(struct hc_tx *tx, bool cut)
{
    if (!tx->received) {
        if (!hc_conn_doubt(tx->conn))
            hc_tx_end(tx, TH_HTTP_RESET, HC_NO_ANSWER);
        return;
    }
    if (!tx->has_head) {
        hc_tx_end(tx, TH_HTTP_RESET, "the server closed the connection inside the answer's head");
        return;
    }
    if (hc_answer_settle(tx))
        return;
    if (tx->framing != TH_HTTP1_UNTIL_CLOSE)
        hc_tx_end(tx, TH_HTTP_RESET, "the server closed the connection before the answer was complete");
    else if (cut) /* RFC 9112 section 9.8: only a closing alert completes such an answer */
        hc_tx_end(tx, TH_HTTP_RESET,
                  "TLS: the connection ended without a closing alert inside an answer without a length");
    else
        complete(tx, 0, false);
}
