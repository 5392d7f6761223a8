/* HTTP/1.1 client behind the transport port: submitting and cancelling, time, opening and closing.
 *
 * Why our own: a delivery on a kept-alive connection must cost one send and one receive, thousands of silent
 * requests must cost the healthy ones nothing, and an answer that is not exactly HTTP/1.1 must not count as
 * success.
 *
 * Refuses: redirects, names (addresses are given, already judged), pipelining, more than one
 * repetition, and repeating a request of which the peer may have read a byte: what left and may have been read is an
 * attempt, and its result is this request's result.
 *
 * Invariants: 1. A tx has at most one connection, which points back, beside those that are being opened. 2. A connection
 * goes to the pool only after an answer that was read to its exact end. Those of the files below: http_client_private.h.
 *
 * Failure: without memory for a tx the request still ends with TH_HTTP_INTERNAL: refused requests are chained
 * through the member that otherwise points to the tx. */
#include "base/alloc.h"
#include "net/http_client_private.h"
#include <arpa/inet.h>
#include <stdio.h>

/* --- begin --- */

static bool is_clean(struct th_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return s.n > 0;
}

/* Checks what would break the request's framing: our callers have checked before, so a failure is our bug. */
static const char *find_fault(const struct th_http_req *req)
{
    if (!is_clean(req->method) || !is_clean(req->target) || !is_clean(req->origin.authority))
        return "method, target or authority is empty or has white space or control characters";
    if (req->head.n && (req->head.n < 2 || memcmp(req->head.p + req->head.n - 2, "\r\n", 2) != 0))
        return "header block does not end with CRLF";
    if (req->body_count > 3 || req->addr_count == 0)
        return req->addr_count ? "too many parts of a body" : "no address to connect to";
    return NULL;
}

static void begin(struct hc_tx *tx)
{
    struct hc *c = tx->client;
    struct th_http_req *req = tx->req;
    const char *fault = find_fault(req);

    if (c->closing) {
        hc_tx_end(tx, TH_HTTP_CANCELLED, "the client is closing");
        return;
    }
    if (fault) {
        hc_tx_end(tx, TH_HTTP_INTERNAL, fault);
        return;
    }
    for (unsigned i = 0; i < req->body_count; i++)
        tx->total += req->body[i].n;
    tx->origin = th_pool_hold(&c->pool, req->pool_key, &req->origin, req->identity);
    if (!tx->origin || th_heap_insert(&c->timers, &tx->timer, req->deadline.us, ++c->sequence) != TH_OK) {
        hc_tx_end(tx, TH_HTTP_INTERNAL, "out of memory");
        return;
    }
    hc_tx_begin(tx);
}

static void client_submit(struct th_transport *t, struct th_http_req *req)
{
    struct hc *c = TH_CONTAINER(t, struct hc, port);
    struct hc_tx *tx = hc_tx_new(c);

    req->res.status = 0;
    req->res.head = req->res.body = th_span("", 0);
    req->res.truncated = req->res.decoded = req->res.reused = false;
    req->res.retry_after_s = UINT32_MAX;
    req->res.peer = (struct th_addr){0};
    req->res.times = (struct th_http_times){-1, -1, -1, -1, -1};
    req->res.fresh_retries = 0;
    req->res.detail = NULL;
    if (!tx) {
        req->res.class = TH_HTTP_INTERNAL;
        req->res.detail = "out of memory";
        req->impl = c->refused;
        c->refused = req;
        hc_wake(c);
        return;
    }
    tx->client = c;
    tx->req = req;
    tx->start_us = hc_now_us();
    th_list_init(&tx->link);
    th_list_init(&tx->racing);
    th_list_append(&c->active, &tx->link);
    req->impl = tx;
    c->defer++;
    begin(tx);
    c->defer--;
}

static bool is_refused(const struct hc *c, const struct th_http_req *req)
{
    for (const struct th_http_req *r = c->refused; r; r = r->impl)
        if (r == req)
            return true;
    return false;
}

static void client_cancel(struct th_transport *t, struct th_http_req *req)
{
    struct hc *c = TH_CONTAINER(t, struct hc, port);
    struct hc_tx *tx;

    if (is_refused(c, req) || !req->impl)
        return;
    tx = req->impl;
    if (tx->state == TX_ENDED)
        return;
    c->defer++;
    hc_tx_end(tx, TH_HTTP_CANCELLED, "cancelled");
    c->defer--;
}

/* --- time --- */

/* No connection to the proxy came about: that says nothing of the peer. */
static bool is_proxys(const struct hc_tx *tx)
{
    const struct th_list *l = tx->racing.next;

    return tx->client->proxy.ss_family && !tx->conn && l != &tx->racing &&
           TH_CONTAINER(l, struct hc_conn, link)->state == CONN_CONNECTING;
}

static const char *timeout_text(const struct hc_tx *tx)
{
    if (!tx->conn)
        return th_list_empty(&tx->racing) ? "timed out" : "timed out while connecting";
    switch (tx->conn->state) {
    case CONN_QUEUED:
    case CONN_HANDSHAKE:
        return "timed out during the TLS handshake";
    default:
        break;
    }
    if (tx->req->res.times.sent < 0)
        return "timed out while sending the request";
    return tx->received ? "timed out while reading the answer" : "timed out waiting for an answer";
}

static void expire(struct hc_tx *tx, int64_t now)
{
    const struct th_http_req *req = tx->req;

    if (tx->state == TX_CONNECT && !tx->conn && tx->addr < req->addr_count && now < req->deadline.us &&
        (now < req->connect_deadline.us || req->res.fresh_retries)) {
        hc_race_next(tx);
        return;
    }
    if (tx->conn && tx->conn->state == CONN_DOUBT && now < req->deadline.us)
        hc_tx_end(tx, TH_HTTP_RESET, HC_NO_ANSWER);
    else if (is_proxys(tx))
        hc_tx_end(tx, TH_HTTP_INTERNAL, "the proxy cannot be reached: timed out while connecting");
    else if (!hc_answer_settle(tx))
        hc_tx_end(tx, TH_HTTP_TIMEOUT, timeout_text(tx));
}

static void on_timer(uv_timer_t *timer)
{
    struct hc *c = timer->data;
    int64_t now = hc_now_us();
    struct th_heap_node *top;
    struct th_pool_node *oldest;

    c->armed_us = INT64_MAX;
    c->handles++; /* keeps the client while callbacks run */
    while ((top = th_heap_top(&c->timers)) && top->key <= now)
        expire(TH_CONTAINER(top, struct hc_tx, timer), now);
    while ((oldest = th_pool_oldest(&c->pool)) && oldest->since_us + c->idle_timeout_us <= now)
        hc_conn_close(TH_CONTAINER(oldest, struct hc_conn, node), true);
    hc_conn_shake_next(c);
    c->handles--;
    if (c->closing)
        hc_maybe_closed(c);
    else
        hc_arm(c);
}

static void on_wake(uv_idle_t *wake)
{
    struct hc *c = wake->data;
    struct th_list batch, *l;
    struct th_http_req *refused = c->refused, *req;

    uv_idle_stop(wake);
    c->handles++;
    c->refused = NULL;
    while ((req = refused)) {
        refused = req->impl;
        req->impl = NULL;
        req->done(req);
    }
    th_list_init(&batch); /* those that end meanwhile wait for the next turn */
    while ((l = th_list_pop(&c->ended)))
        th_list_append(&batch, l);
    while ((l = batch.next) != &batch)
        hc_tx_done(TH_CONTAINER(l, struct hc_tx, link));
    hc_conn_shake_next(c);
    if (!th_list_empty(&c->reserved))
        hc_wake(c); /* the loop must look, and not sleep over it */
    c->handles--;
    hc_maybe_closed(c);
}

static void on_turn_end(uv_check_t *check)
{
    struct hc *c = check->data;

    c->turn++;
    c->begun_this_turn = 0;
    if (th_list_empty(&c->reserved))
        return;
    c->handles++; /* keeps the client while callbacks run */
    hc_conn_use_reserved(c);
    c->handles--;
    hc_maybe_closed(c);
}

/* --- open and close --- */

static bool read_bind(struct hc *c, const char *text)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&c->bind;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&c->bind;

    if (!text)
        return true;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        return true;
    }
    return false;
}

static const struct th_transport_vt client_vt = {client_submit, client_cancel};

enum th_error th_http_client_open(uv_loop_t *loop, const struct th_http_client_options *options,
                                  struct th_transport **out, char *why, size_t why_size)
{
    struct hc *c = th_calloc(1, sizeof *c);
    enum th_error e;
    const struct th_tls_ctx *like;
    uint64_t seed;

    if (!c) {
        snprintf(why, why_size, "out of memory");
        return TH_NOMEM;
    }
    c->port.vt = &client_vt;
    c->loop = loop;
    c->metrics = options->metrics;
    c->idle_timeout_us = (options->idle_timeout_ms ? options->idle_timeout_ms : 30000) * (int64_t)1000;
    c->armed_us = INT64_MAX;
    if (!hc_proxy_open(c, options->proxy, options->proxy_credentials, why, why_size)) {
        th_buf_wipe(&c->proxy_line);
        th_free(c);
        return TH_INVALID;
    }
    if (!read_bind(c, options->bind_address)) {
        snprintf(why, why_size, "source address \"%s\" is not a numeric address", options->bind_address);
        th_free(c);
        return TH_INVALID;
    }
    if (uv_random(NULL, NULL, &seed, sizeof seed, 0, NULL) != 0)
        seed = uv_hrtime(); /* only guards the map against crafted collisions */
    like = options->like ? TH_CONTAINER(options->like, struct hc, port)->tls : NULL;
    e = options->plain ? TH_OK : th_tls_ctx_open(options->ca_file, like, &c->tls, why, why_size);
    if (e != TH_OK) {
        th_free(c);
        return e;
    }
    th_pool_init(&c->pool, options->max_idle ? options->max_idle : 4096,
                 options->max_idle_per_origin ? options->max_idle_per_origin : 64, seed);
    th_heap_init(&c->timers, TH_HC_MAX_TX);
    th_list_init(&c->active);
    th_list_init(&c->ended);
    th_list_init(&c->spare_conns);
    th_list_init(&c->spare_txs);
    th_list_init(&c->queued);
    th_list_init(&c->shaking);
    th_list_init(&c->reserved);
    uv_timer_init(loop, &c->timer); /* these three never fail */
    uv_idle_init(loop, &c->wake);
    uv_check_init(loop, &c->turn_end);
    uv_check_start(&c->turn_end, on_turn_end);
    uv_unref((uv_handle_t *)&c->turn_end);
    c->on_timer = on_timer;
    c->on_wake = on_wake;
    c->on_poll = hc_conn_on_poll;
    c->timer.data = c->wake.data = c->turn_end.data = c;
    *out = &c->port;
    return TH_OK;
}

void th_http_client_close(struct th_transport *t, void (*closed)(void *ctx), void *ctx)
{
    struct hc *c = TH_CONTAINER(t, struct hc, port);
    struct th_pool_node *node;

    c->closing = true;
    c->closed = closed;
    c->closed_ctx = ctx;
    c->defer++;
    while (!th_list_empty(&c->active))
        hc_tx_end(TH_CONTAINER(c->active.next, struct hc_tx, link), TH_HTTP_CANCELLED,
                  "the client is closing");
    c->defer--;
    while ((node = th_pool_oldest(&c->pool)))
        hc_conn_close(TH_CONTAINER(node, struct hc_conn, node), true);
    hc_wake(c);
}
