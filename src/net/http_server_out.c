/* Bytes that leave on a connection of the HTTP server.
 *
 * Why try first: nearly every answer fits into the socket's buffer, so head and body go out with one system call and
 * without memory; only what the kernel does not take is copied and queued. What goes out over TLS is encrypted into memory
 * and goes the plain way from there, so that time limits and queues are the same.
 *
 * Invariants: 1. No bytes overtake others. 2. Copies that wait for their clients take no more than
 * max_answers together: the client that takes its answer most slowly gives way. Failure: the connection is
 * closed. */
#include "base/alloc.h"
#include "base/check.h"
#include "net/http_server_impl.h"
#include "net/tls_server.h"

enum {
    MIN_AGE_MS = 250, /* bytes of an answer whose speed is judged */
    LOOK_AT = 256     /* connections */
};

#define COALESCE 16384 /* an answer up to one record's size is encrypted as one record */

struct write {
    uv_write_t req;
    struct th_conn *conn;
    size_t n;
    char bytes[];
};

static void on_written(uv_write_t *req, int status)
{
    struct write *w = req->data;
    struct th_conn *c = w->conn;

    TH_CHECK(c->writes > 0);
    th_server_budget_give(&c->server->answers, w->n);
    th_free(w);
    c->writes--;
    if (c->state == TH_CONN_CLOSING)
        return;
    if (status < 0)
        th_conn_close(c);
    else if (c->writes == 0 && c->state == TH_CONN_WRITING)
        c->server->up.written(c);
    else if (c->writes == 0 && c->parts)
        c->server->up.taken(c);
}

/* How fast the client takes its answer, in bytes a second since its window of time began; -1: it is too early to say. */
static int64_t rate_of(const struct th_conn *c)
{
    int64_t began = c->deadline_ms - c->server->limit_ms[c->state];
    int64_t ms = (int64_t)uv_now(c->server->loop) - began;

    return ms < MIN_AGE_MS ? -1 : (int64_t)(c->moved - th_conn_queued(c)) * 1000 / ms;
}

/* The connection that gives way, among those looked at so far. */
struct slowest {
    struct th_conn *slow, *large; /* NULL: none */
    int64_t rate;                 /* of `slow` */
    size_t queued;                /* of `large` */
};

static void look_at(struct th_list *all, const struct th_conn *except, struct slowest *found)
{
    unsigned looked = 0;

    for (struct th_list *l = all->next; l != all && looked < LOOK_AT; l = l->next, looked++) {
        struct th_conn *c = TH_CONTAINER(l, struct th_conn, link);
        size_t queued = th_conn_queued(c);
        int64_t rate = rate_of(c);

        if (c == except || !queued) /* nothing of it is here */
            continue;
        if (rate >= 0 && rate < found->rate) {
            found->rate = rate;
            found->slow = c;
        }
        if (queued > found->queued) {
            found->queued = queued;
            found->large = c;
        }
    }
}

/* The memory for answers is used up: among the connections that have waited for the longest, the one whose
 * client takes its answer most slowly gives way; while all have just begun, the one with the most bytes does.
 * So a client that does not read harms only itself. False: there is no such connection. */
static bool make_way(struct th_conn *c)
{
    struct slowest found = {.rate = INT64_MAX};

    look_at(&c->server->by_state[TH_CONN_WRITING], c, &found);
    look_at(&c->server->by_state[TH_CONN_BEHIND], c, &found);
    if (!found.slow)
        found.slow = found.large;
    if (!found.slow)
        return false;
    th_conn_cut(found.slow);
    return true;
}

/* Copies and queues what is left of the buffers behind the first `sent` bytes; of the last one only a reference is kept
 * when it is `lasting`. */
static bool queue_rest(struct th_conn *c, const uv_buf_t *bufs, unsigned count, size_t sent, bool lasting)
{
    struct th_http_server *s = c->server;
    size_t n = 0, skipped = sent;
    uv_buf_t out[2];
    struct write *w;
    unsigned parts = 0, copied = count - lasting;

    for (unsigned i = 0; i < copied; i++) {
        size_t skip = skipped < bufs[i].len ? skipped : bufs[i].len;

        n += bufs[i].len - skip;
        skipped -= skip;
    }
    if (n == 0 && (!lasting || skipped == bufs[copied].len))
        return true;
    while (!th_server_budget_take(&s->answers, n))
        if (!make_way(c))
            return false;
    w = th_malloc(sizeof *w + n);
    if (!w) {
        th_server_budget_give(&s->answers, n);
        return false;
    }
    w->n = 0;
    for (unsigned i = 0; i < copied; i++) {
        size_t skip = sent < bufs[i].len ? sent : bufs[i].len;

        if (bufs[i].len > skip)
            memcpy(w->bytes + w->n, bufs[i].base + skip, bufs[i].len - skip);
        w->n += bufs[i].len - skip;
        sent -= skip;
    }
    w->conn = c;
    w->req.data = w;
    if (n)
        out[parts++] = uv_buf_init(w->bytes, (unsigned)n);
    if (lasting && sent < bufs[copied].len)
        out[parts++] = uv_buf_init(bufs[copied].base + sent, (unsigned)(bufs[copied].len - sent));
    if (uv_write(&w->req, (uv_stream_t *)&c->tcp, out, parts, on_written) != 0) {
        th_server_budget_give(&s->answers, n);
        th_free(w);
        return false;
    }
    c->writes++;
    return true;
}

static bool send_bufs(struct th_conn *c, const uv_buf_t *bufs, unsigned count, bool lasting)
{
    int sent = uv_try_write((uv_stream_t *)&c->tcp, bufs, count);

    if (sent == UV_EAGAIN)
        sent = 0;
    if (sent >= 0 && queue_rest(c, bufs, count, (size_t)sent, lasting))
        return true;
    th_conn_close(c);
    return false;
}

/* ---- TLS ---- */

/* False when the connection has been closed instead. */
bool th_conn_tls_flush(struct th_conn *c)
{
    struct th_span out = th_tls_peer_out(c->tls);
    bool ok = true;

    if (out.n) {
        uv_buf_t b = th_uv_buf(out);

        ok = send_bufs(c, &b, 1, false);
        th_tls_peer_sent(c->tls);
    }
    return ok;
}

void th_conn_tls_bye(struct th_conn *c)
{
    if (c->tls_ended || !th_tls_peer_is_up(c->tls))
        return;
    /* first, because a failed send closes the connection, and closing comes here again */
    c->tls_ended = true;
    th_tls_peer_bye(c->tls);
    (void)th_conn_tls_flush(c);
}

static bool send_tls(struct th_conn *c, const uv_buf_t *bufs, unsigned count)
{
    char together[COALESCE];
    size_t total = 0, n = 0;
    bool ok = true;

    for (unsigned i = 0; i < count; i++)
        total += bufs[i].len;
    if (total <= sizeof together) {
        for (unsigned i = 0; i < count; i++) {
            if (bufs[i].len)
                memcpy(together + n, bufs[i].base, bufs[i].len);
            n += bufs[i].len;
        }
        ok = th_tls_peer_write(c->tls, th_span(together, n));
    } else {
        for (unsigned i = 0; ok && i < count; i++)
            ok = th_tls_peer_write(c->tls, th_span(bufs[i].base, bufs[i].len));
    }
    if (!ok) {
        th_conn_close(c);
        return false;
    }
    return th_conn_tls_flush(c);
}

/* Sends or queues everything; false when the connection has been closed instead. */
bool th_conn_send(struct th_conn *c, const uv_buf_t *bufs, unsigned count, bool lasting)
{
    return c->tls ? send_tls(c, bufs, count) : send_bufs(c, bufs, count, lasting);
}
