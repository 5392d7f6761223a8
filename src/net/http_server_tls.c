/* TLS on a connection of the HTTP server: what comes in is decrypted between the socket and the reader, which
 * does not know about it. Answers are encrypted in http_server_out.c.
 *
 * Ciphertext is read into the server's scratch memory and opened straight into the room that the reader
 * offers; only when a request is being handled and the block is full is the rest copied and reading stopped.
 *
 * A client that speaks plain HTTP on this port gets the status 400 in plain text, and the connection ends
 * (426 would promise an upgrade). The handshake has the time limit of a head. Refuses to answer anything
 * before the handshake is done: the connection is closed instead.
 *
 * Invariants: 1. fed bytes are taken or kept before the scratch memory is used again. 2. the socket is not
 * read while bytes are pending. 3. `pumping` is not entered twice. Failure: the connection is closed; TLS has
 * said why by alert. */
#include "net/http_server_impl.h"
#include "net/tls_server.h"

bool th_conn_tls_begin(struct th_conn *c)
{
    c->tls = th_tls_peer_new(c->server->options.tls);
    if (c->tls)
        th_conn_enter(c, TH_CONN_HEAD); /* the handshake's time limit */
    return c->tls != NULL;
}

/* Goes on with the handshake. False: wait for the socket, or the connection is closed. */
static bool handshake(struct th_conn *c)
{
    enum th_tls_io io = th_tls_peer_handshake(c->tls);

    if (!th_conn_tls_flush(c))
        return false;
    if (io == TH_TLS_FAILED)
        th_conn_close(c);
    if (io != TH_TLS_OK)
        return false;
    th_conn_enter(c, TH_CONN_IDLE);
    return true;
}

/* One step of opening what was fed. False: nothing more can be done now. */
static bool open_some(struct th_conn *c)
{
    uv_stream_t *stream = (uv_stream_t *)&c->tcp;
    enum th_tls_io io;
    uv_buf_t room;
    size_t got;

    th_conn_room(c, &room);
    if (room.len == 0) {
        if (!th_tls_peer_keep(c->tls))
            th_conn_close(c);
        else
            th_conn_on_read(stream, UV_ENOBUFS, &room);
        return false;
    }
    io = th_tls_peer_read(c->tls, room.base, room.len, &got);
    if (!th_conn_tls_flush(c))
        return false;
    if (io == TH_TLS_FAILED)
        th_conn_close(c);
    else
        th_conn_on_read(stream, io == TH_TLS_OK ? (ssize_t)got : io == TH_TLS_EOF ? UV_EOF : 0, &room);
    return io == TH_TLS_OK;
}

void th_conn_tls_pump(struct th_conn *c)
{
    bool more = true;

    if (c->pumping || !th_list_empty(&c->ready))
        return;
    c->pumping = true;
    while (more && c->state < TH_CONN_LINGER && th_list_empty(&c->ready)) {
        int64_t began_us = (int64_t)(uv_hrtime() / 1000), before_us = c->server->turn_us;

        more = th_tls_peer_is_up(c->tls) ? open_some(c) : handshake(c);
        if (c->server->turn_us == before_us) /* else the reader has counted it */
            c->server->turn_us += (int64_t)(uv_hrtime() / 1000) - began_us;
    }
    if (c->state >= TH_CONN_LINGER)
        th_tls_peer_feed(c->tls, "", 0); /* thrown away */
    c->pumping = false;
}

/* ---- events of the socket ---- */

void th_conn_tls_on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct th_conn *c = h->data;

    (void)suggested;
    if (th_server_turn_over(c->server))
        *buf = uv_buf_init(NULL, 0);
    else
        *buf = uv_buf_init(c->server->scratch, sizeof c->server->scratch);
}

static bool looks_like_http(const uv_buf_t *buf)
{
    return buf->base[0] >= 'A' && buf->base[0] <= 'Z';
}

void th_conn_tls_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct th_conn *c = stream->data;

    if (n <= 0 || c->state >= TH_CONN_LINGER) {
        th_conn_on_read(stream, n, buf);
        return;
    }
    if (!c->tls_began && looks_like_http(buf)) {
        th_tls_peer_free(c->tls);
        c->tls = NULL;
        (void)uv_read_stop(stream);
        c->reading = false; /* again, with the plain callbacks */
        th_conn_refuse(c, 400, "this port speaks TLS; use https");
        return;
    }
    c->tls_began = true;
    th_tls_peer_feed(c->tls, buf->base, (size_t)n);
    th_conn_tls_pump(c);
    if (c->state < TH_CONN_LINGER && !th_tls_peer_keep(c->tls))
        th_conn_close(c);
}
