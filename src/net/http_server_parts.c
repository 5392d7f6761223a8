/* Answers in parts: an answer whose size is not known, or too large to be held, goes out as its handler
 * writes it.
 *
 * Why a window of time that outlives an empty queue: the rest of a large answer waits in small pieces, and each time a slow client
 * has taken one the queue is empty for a moment. So the server judges how fast the client took what waited
 * for it, over the time in which something did wait. A stream on which nothing happens is never behind, and
 * is not judged.
 *
 * Invariants: 1. a connection has `parts` from th_http_begin to th_http_end, and is PARTS, BEHIND or CLOSING meanwhile. 2. it
 * is BEHIND while bytes wait, and until its window ends. 3. `room` and `gone` are called from the loop, never while the
 * handler is in a call of ours; `gone` once, for every connection that is cut off before th_http_end. 4. what waits is in the
 * budget of all answers. Failure: without memory for what the client does not take, the connection is closed. */
#include "base/check.h"
#include "net/http_server_impl.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

static struct th_conn *conn_of(struct th_http_exchange *x)
{
    return ((struct th_exchange *)x)->conn;
}

static int64_t now_ms(const struct th_conn *c)
{
    return (int64_t)uv_now(c->server->loop);
}

/* The bytes that have been queued wait for the client. */
static void note_queue(struct th_conn *c, size_t before)
{
    size_t queued = th_conn_queued(c);

    if (!c->writes)
        return;
    if (c->state != TH_CONN_BEHIND) {
        th_conn_enter(c, TH_CONN_BEHIND);
        c->waited_ms = 0;
    }
    c->moved += queued - before;
    if (!c->waits_ms)
        c->waits_ms = now_ms(c);
}

/* A client that has vanished is recognised by the bytes that it does not acknowledge, however few these are. */
static void limit_silence(struct th_conn *c)
{
    unsigned ms = c->server->limit_ms[TH_CONN_BEHIND];
    uv_os_fd_t fd;

    if (uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

bool th_http_begin(struct th_http_exchange *x, unsigned status, struct th_span fields,
                   const struct th_http_parts *parts)
{
    struct th_conn *c = conn_of(x);
    uv_buf_t bufs[3];

    TH_CHECK(c->x == x && !c->parts && (c->state == TH_CONN_BUSY || c->state == TH_CONN_CLOSING));
    th_server_count_answer(c->server, status);
    if (c->state == TH_CONN_CLOSING)
        return false;
    c->is_chunked = x->head.minor > 0;
    c->keep = c->is_chunked && th_conn_keeps(c);
    c->parts = parts;
    c->wants_room = false;
    th_conn_enter(c, TH_CONN_PARTS);
    if (parts->endless && c->eof) { /* it will not see the end of this */
        th_conn_close(c);
        return false;
    }
    if (!th_conn_send_answer(c, status, fields, c->is_chunked ? TH_LENGTH_CHUNKED : TH_LENGTH_CLOSE, c->keep,
                             bufs, 3, false))
        return false;
    note_queue(c, 0);
    if (((struct th_exchange *)x)->head_only)
        return false;
    if (parts->endless) {
        limit_silence(c);
        th_conn_start(c);
    }
    return c->state != TH_CONN_CLOSING;
}

static bool send_part(struct th_conn *c, struct th_span bytes)
{
    char size[20];
    uv_buf_t bufs[3];
    int n;

    if (!c->is_chunked) {
        bufs[0] = th_uv_buf(bytes);
        return th_conn_send(c, bufs, 1, false);
    }
    n = snprintf(size, sizeof size, "%zx\r\n", bytes.n);
    bufs[0] = th_uv_buf(th_span(size, (size_t)n));
    bufs[1] = th_uv_buf(bytes);
    bufs[2] = th_uv_buf(TH_LIT("\r\n"));
    return th_conn_send(c, bufs, 3, false);
}

size_t th_http_write(struct th_http_exchange *x, struct th_span bytes)
{
    struct th_conn *c = conn_of(x);
    size_t queued;

    TH_CHECK(c->x == x);
    if (c->state == TH_CONN_CLOSING)
        return 0;
    queued = th_conn_queued(c);
    if (bytes.n && !((struct th_exchange *)x)->head_only) {
        if (!send_part(c, bytes))
            return 0;
        note_queue(c, queued);
        queued = th_conn_queued(c);
    }
    c->wants_room = queued >= TH_HTTP_ROOM;
    return c->wants_room ? 0 : TH_HTTP_ROOM - queued;
}

void th_http_end(struct th_http_exchange *x)
{
    struct th_conn *c = conn_of(x);
    bool sent = c->state != TH_CONN_CLOSING;

    if (sent && c->parts && c->is_chunked && !((struct th_exchange *)x)->head_only) {
        uv_buf_t last = th_uv_buf(TH_LIT("0\r\n\r\n"));
        sent = th_conn_send(c, &last, 1, false);
    }
    c->parts = NULL;
    c->waits_ms = 0;
    th_list_remove(&c->ready); /* of those that are lost */
    if (sent)
        th_conn_end_answer(c, c->keep);
    else
        th_conn_end_unheard(c);
}

void th_http_abort(struct th_http_exchange *x)
{
    struct th_conn *c = conn_of(x);

    c->parts = NULL;
    th_conn_cut(c);
    th_list_remove(&c->ready);
    th_conn_end_unheard(c);
}

/* ---- from the loop ---- */

void th_parts_taken(struct th_conn *c)
{
    if (c->waits_ms)
        c->waited_ms += (uint32_t)(now_ms(c) - c->waits_ms);
    c->waits_ms = 0;
    if (!c->wants_room)
        return;
    c->wants_room = false;
    c->parts->room(c->x);
}

void th_parts_expire(struct th_conn *c)
{
    uint64_t queued = th_conn_queued(c), taken = c->moved - queued;
    uint64_t limit = c->server->limit_ms[TH_CONN_BEHIND],
             ms = c->waited_ms + (uint64_t)(c->waits_ms ? now_ms(c) - c->waits_ms : 0);
    uint64_t rate = c->moved > TH_SERVER_LARGE ? TH_SERVER_LARGE_RATE : TH_SERVER_MIN_RATE;

    if (ms >= limit / 2 && taken * 1000 < rate * ms) {
        th_conn_cut(c);
        return;
    }
    th_conn_enter(c, queued ? TH_CONN_BEHIND : TH_CONN_PARTS);
    c->waited_ms = 0;
    c->waits_ms = queued ? now_ms(c) : 0;
    c->moved = queued;
}
