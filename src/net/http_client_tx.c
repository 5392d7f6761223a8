/* Requests of the HTTP client as objects: made, ended, given back.
 *
 * Invariants: 1. Every submitted request gets exactly one done(), on the loop, never inside submit or cancel. 2. A tx that
 * has not ended is in `active` and in `timers`. 3. The last request closes a client that is to be closed. */
#include "base/alloc.h"
#include "base/check.h"
#include "net/http_client_private.h"

/* ---- states ---- */

void hc_tx_enter(struct hc_tx *tx, enum hc_tx_state state)
{
    static const uint8_t edges[] = {
        [TX_CONNECT] = 1u << TX_CONNECT | 1u << TX_EXCHANGE | 1u << TX_ENDED,
        [TX_EXCHANGE] = 1u << TX_CONNECT | 1u << TX_ENDED, /* it goes out once more */
        [TX_ENDED] = 0,
    };

    TH_CHECK(edges[tx->state] >> state & 1);
    tx->state = state;
}

/* ---- objects ---- */

struct hc_tx *hc_tx_new(struct hc *c)
{
    struct th_list *l = th_list_pop(&c->spare_txs);
    struct hc_tx *tx;
    struct th_buf head, body;

    if (!l) {
        tx = th_calloc(1, sizeof *tx);
    } else {
        c->spare_tx_count--;
        tx = TH_CONTAINER(l, struct hc_tx, link);
        head = tx->head;
        body = tx->body;
        *tx = (struct hc_tx){.head = head, .body = body};
    }
    if (tx) {
        th_buf_init(&tx->mended, TH_HC_READ);
        th_buf_init(&tx->plain, 0);
    }
    return tx;
}

static void tx_free(struct hc_tx *tx)
{
    struct hc *c = tx->client;

    th_buf_fini(&tx->mended);
    th_buf_fini(&tx->plain);
    if (c->spare_tx_count >= TH_HC_SPARE || c->closing) {
        th_buf_fini(&tx->head);
        th_buf_fini(&tx->body);
        th_free(tx);
        return;
    }
    if (tx->head.cap > TH_HC_SPARE_BYTES)
        th_buf_fini(&tx->head);
    if (tx->body.cap > TH_HC_SPARE_BYTES)
        th_buf_fini(&tx->body);
    th_list_prepend(&c->spare_txs, &tx->link);
    c->spare_tx_count++;
}

/* ---- the end ---- */

static void on_last_close(uv_handle_t *handle)
{
    struct hc *c = handle->data;
    void (*closed)(void *) = c->closed;
    void *ctx = c->closed_ctx;
    struct th_list *l;

    if (--c->handles)
        return;
    while ((l = th_list_pop(&c->spare_conns)))
        th_free(TH_CONTAINER(l, struct hc_conn, link));
    while ((l = th_list_pop(&c->spare_txs))) {
        struct hc_tx *tx = TH_CONTAINER(l, struct hc_tx, link);

        th_buf_fini(&tx->head);
        th_buf_fini(&tx->body);
        th_free(tx);
    }
    th_heap_fini(&c->timers);
    th_pool_fini(&c->pool);
    th_tls_ctx_close(c->tls);
    th_free(c);
    if (closed)
        closed(ctx);
}

/* The last of requests and connections closes the client's own handles. */
void hc_maybe_closed(struct hc *c)
{
    if (!c->closing || c->handles || c->refused || !th_list_empty(&c->active) || !th_list_empty(&c->ended) ||
        uv_is_closing((uv_handle_t *)&c->timer))
        return;
    c->handles = 3;
    uv_close((uv_handle_t *)&c->timer, on_last_close);
    uv_close((uv_handle_t *)&c->wake, on_last_close);
    uv_close((uv_handle_t *)&c->turn_end, on_last_close);
}

void hc_tx_done(struct hc_tx *tx)
{
    struct th_http_req *req = tx->req;
    struct hc *c = tx->client;

    TH_CHECK(tx->state == TX_ENDED && !tx->conn && th_list_empty(&tx->racing));
    th_list_remove(&tx->link);
    req->impl = NULL;
    req->res.times.done = hc_now_us() - tx->start_us;
    req->done(req); /* may free req, submit, cancel others, close the client (which ends in a later turn) */
    tx_free(tx);
    hc_maybe_closed(c);
}

void hc_race_stop(struct hc_tx *tx)
{
    while (!th_list_empty(&tx->racing))
        hc_conn_close(TH_CONTAINER(tx->racing.next, struct hc_conn, link), false);
}

void hc_tx_end(struct hc_tx *tx, enum th_http_class class, const char *detail)
{
    struct hc *c = tx->client;

    TH_CHECK(tx->req->impl == tx);
    hc_tx_enter(tx, TX_ENDED);
    if (tx->conn)
        hc_conn_close(tx->conn, false);
    hc_race_stop(tx);
    if (tx->origin)
        th_pool_drop(&c->pool, tx->origin);
    tx->origin = NULL;
    th_heap_remove(&c->timers, &tx->timer);
    tx->req->res.class = class;
    tx->req->res.detail = detail;
    if (class != TH_HTTP_OK) {
        tx->req->res.status = 0;
        tx->req->res.head = tx->req->res.body = th_span("", 0);
        tx->req->res.truncated = tx->req->res.decoded = false;
        tx->req->res.retry_after_s = UINT32_MAX;
    }
    th_list_remove(&tx->link);
    th_list_append(&c->ended, &tx->link);
    if (c->defer)
        hc_wake(c);
    else
        hc_tx_done(tx);
}
