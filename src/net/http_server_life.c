/* The state of a connection of the HTTP server, and its end.
 *
 * Every other file of the server calls this one: to enter a state, to have the socket read as the state wants it, to ask
 * for a turn, to close. The functions of upper files that this one calls (the reader, the tick, the turn) are
 * in server->up.
 *
 * Invariants: 1. `open` connections are on exactly one list each, that of their state, in the order of their deadlines. 2.
 * A state is only ever changed by th_conn_enter, which knows the allowed transitions. 3. A connection's
 * memory lives until its handle is closed and its exchange has been answered. 4. drained() is called once,
 * from the loop, never from inside th_http_server_drain. */
#include "base/alloc.h"
#include "base/check.h"
#include "net/client_address.h"
#include "net/http_server_impl.h"
#include "net/tls_server.h"
#include <linux/sockios.h>
#include <sys/ioctl.h>

/* ---- states ---- */

#define TO(state) (1u << TH_CONN_##state)

/* The states that may follow each one. */
static const uint16_t edges[TH_CONN_STATES] = {
    [TH_CONN_IDLE] = TO(IDLE) | TO(HEAD) | TO(BODY) | TO(BUSY) | TO(WRITING) | TO(LINGER) | TO(CLOSING),
    [TH_CONN_HEAD] = TO(IDLE) | TO(BODY) | TO(BUSY) | TO(WRITING) | TO(LINGER) | TO(CLOSING),
    [TH_CONN_BODY] = TO(BODY) | TO(BUSY) | TO(WRITING) | TO(LINGER) | TO(CLOSING),
    [TH_CONN_BUSY] = TO(IDLE) | TO(BODY) | TO(HELD) | TO(WRITING) | TO(PARTS) | TO(LINGER) | TO(CLOSING),
    [TH_CONN_HELD] = TO(HEAD) | TO(BUSY) | TO(HELD) | TO(CLOSING),
    [TH_CONN_WRITING] = TO(IDLE) | TO(WRITING) | TO(LINGER) | TO(CLOSING),
    [TH_CONN_PARTS] = TO(BEHIND) | TO(IDLE) | TO(WRITING) | TO(LINGER) | TO(CLOSING),
    [TH_CONN_BEHIND] = TO(PARTS) | TO(BEHIND) | TO(IDLE) | TO(WRITING) | TO(LINGER) | TO(CLOSING),
    [TH_CONN_LINGER] = TO(LINGER) | TO(CLOSING),
    [TH_CONN_CLOSING] = 0,
};

void th_conn_enter(struct th_conn *c, enum th_conn_state state)
{
    struct th_http_server *s = c->server;

    TH_CHECK(edges[c->state] >> state & 1);
    th_list_remove(&c->link);
    th_list_append(&s->by_state[state], &c->link);
    c->state = (uint8_t)state;
    c->moved = 0;
    c->deadline_ms = (int64_t)uv_now(s->loop) + s->limit_ms[state];
}

void th_conn_begin(struct th_http_server *s, struct th_conn *c)
{
    c->server = s;
    th_list_init(&c->link);
    th_list_init(&c->ready);
    th_list_init(&c->keyless);
    th_list_init(&c->same);
    (void)uv_tcp_init(s->loop, &c->tcp); /* without a socket yet: cannot fail */
    c->tcp.data = c;
    s->open++;
    th_conn_enter(c, TH_CONN_IDLE);
    th_server_tick_start(s);
}

static void start_turns(struct th_http_server *s)
{
    if (!uv_is_active((uv_handle_t *)&s->turn))
        (void)uv_idle_start(&s->turn, s->up.turn);
}

void th_conn_make_ready(struct th_conn *c)
{
    if (!th_list_empty(&c->ready))
        return;
    th_list_append(&c->server->ready, &c->ready);
    start_turns(c->server);
}

/* Done in a later turn, because the code that closes a connection may be in the midst of writing to others. */
static void lose(struct th_conn *c)
{
    th_list_append(&c->server->lost, &c->ready);
    start_turns(c->server);
}

void th_server_tell_lost(struct th_http_server *s)
{
    struct th_list *l;

    while ((l = th_list_pop(&s->lost))) {
        struct th_conn *c = TH_CONTAINER(l, struct th_conn, ready);

        TH_CHECK(c->parts && c->x && c->state == TH_CONN_CLOSING);
        c->parts->gone(c->x);
    }
}

void th_server_tick_start(struct th_http_server *s)
{
    if (!uv_is_active((uv_handle_t *)&s->tick))
        (void)uv_timer_start(&s->tick, s->up.tick, s->tick_ms, s->tick_ms);
}

bool th_conn_is_trusted(const struct th_conn *c)
{
    return th_is_trusted(c->server->options.trusted, c->server->options.trusted_count, &c->peer);
}

/* Nothing that arrives is handled now, but the answer ends when the client leaves. */
static bool is_watched(const struct th_conn *c)
{
    return c->parts && c->parts->endless && c->state != TH_CONN_CLOSING &&
           !(c->block && c->end == c->block_cap) && !(c->tls && th_tls_peer_pending(c->tls));
}

void th_conn_start(struct th_conn *c)
{
    bool is_empty = c->state == TH_CONN_IDLE && c->start == c->end;

    TH_CHECK(c->start <= c->end && c->end <= c->block_cap);
    if (is_empty)
        th_conn_drop_block(c);
    if ((c->eof && c->state <= TH_CONN_BODY) || /* nothing will complete it */
        (is_empty && c->server->draining)) {
        th_conn_close(c);
        return;
    }
    if (!c->reading && !c->eof && (th_conn_is_reading(c) || is_watched(c))) {
        if (c->tls && !c->preface && !c->pumping && c->state != TH_CONN_LINGER &&
            th_tls_peer_pending(c->tls)) {
            th_conn_make_ready(c); /* what is here comes first */
            return;
        }
        bool tls = c->tls && !c->preface;

        if (uv_read_start((uv_stream_t *)&c->tcp, tls ? c->server->up.tls_alloc : c->server->up.alloc,
                          tls ? c->server->up.tls_read : c->server->up.read) != 0) {
            th_conn_close(c);
            return;
        }
        c->reading = true;
    }
}

/* ---- the end ---- */

static void maybe_drained(struct th_http_server *s)
{
    void (*drained)(void *) = s->drained;

    if (!s->draining || s->handles > 0 || s->open > 0 || !drained)
        return;
    s->drained = NULL;
    drained(s->drained_ctx);
}

void th_server_handle_closed(uv_handle_t *h)
{
    struct th_http_server *s = h->data;

    s->handles--;
    maybe_drained(s);
}

/* Closes the handles that draining keeps until the last connection is gone. */
void th_server_close_rest(struct th_http_server *s)
{
    if (!s->draining || s->open > 0 || uv_is_closing((uv_handle_t *)&s->tick) ||
        th_server_shared_is_expecting(s))
        return;
    th_server_tell_lost(s);
    if (!s->is_alone) {
        th_server_shared_leave(s);
        uv_close((uv_handle_t *)&s->asked, th_server_handle_closed);
    }
    uv_close((uv_handle_t *)&s->tick, th_server_handle_closed);
    uv_close((uv_handle_t *)&s->turn, th_server_handle_closed);
    uv_close((uv_handle_t *)&s->turn_end, th_server_handle_closed);
}

void th_conn_reap(struct th_conn *c)
{
    if (!c->closed || c->x)
        return;
    th_list_remove(&c->link);
    th_tls_peer_free(c->tls);
    th_free(c);
}

static void on_conn_closed(uv_handle_t *h)
{
    struct th_conn *c = h->data;
    struct th_http_server *s = c->server;

    c->closed = true;
    s->open--;
    if (!c->x)
        th_list_remove(&c->link);
    if (s->options.metrics && !c->handed)
        th_gauge_add(s->options.metrics, TH_G_HTTP_OPEN, -1);
    if (s->open == 0 && !s->draining && s->listening != TH_LISTENER_WAITS)
        (void)uv_timer_stop(&s->tick);
    th_conn_reap(c);
    th_server_close_rest(s);
}

static void close_conn(struct th_conn *c, bool reset)
{
    if (c->state == TH_CONN_CLOSING)
        return;
    th_list_remove(&c->ready);
    th_peers_gone(c);
    if (c->tls && !reset && c->state != TH_CONN_LINGER && !c->writes)
        th_conn_tls_bye(c);
    if (c->state == TH_CONN_CLOSING) /* the good-bye failed and has closed it */
        return;
    if (c->x && (c->state == TH_CONN_BUSY || c->parts)) {
        c->x->gone = true; /* the handler has it: its spans stay valid until the reply */
        if (c->parts)
            lose(c);
    } else {
        th_conn_release(c);
        th_conn_drop_block(c);
    }
    th_conn_enter(c, TH_CONN_CLOSING);
    if (!reset || uv_tcp_close_reset(&c->tcp, on_conn_closed) != 0)
        uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
}

void th_conn_close(struct th_conn *c)
{
    close_conn(c, false);
}

void th_conn_cut(struct th_conn *c)
{
    close_conn(c, true);
}

/* The kernel has bytes of an answer that the client has not taken. After an orderly close it would keep them
 * for a long time. */
static bool is_unread(const struct th_conn *c)
{
    uv_os_fd_t fd;
    int bytes = 0;

    return uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0 && ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

void th_conn_expire(struct th_conn *c)
{
    close_conn(c, is_unread(c));
}
