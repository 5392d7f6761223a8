/* Connections of the HTTP server that go to another server of the process, on its loop and its thread, or come from one.
 *
 * When: between two requests. The head of a request says which server is to handle it; at that time no part
 * of the request has been handed to anybody, and no byte of an answer waits. So what moves is small: the
 * descriptor, what has been read and not handled (this head and whatever came behind it), the state of TLS
 * with the bytes that it has not decrypted yet, and what is known about the client. The other server reads
 * the head again, from the same bytes, as if the request had come in on its own connection.
 *
 * How: libuv cannot give a handle to another loop. So the descriptor is duplicated, the other server opens the copy, and the
 * handle here is closed, which takes it out of this loop's event queue; the socket itself does not notice. It moves in a turn of its own, not from inside the reading of its bytes, because nothing of
 * the reader or the TLS filter may be at work on it.
 *
 * Invariants: 1. Only a connection whose client is known moves: keyless ones stay where their limits are counted. 2. It counts
 * towards max_connections without a gap. 3. A connection that has come handles at least the request it came for. 4. Once a
 * server of the process drains, none moves; what is on its way is waited for. Failure (no memory, no descriptor): it
 * stays, and its request is handled here. */
#include "base/alloc.h"
#include "base/check.h"
#include "net/http_server_impl.h"
#include <fcntl.h>
#include <unistd.h>

static bool can_move(const struct th_conn *c)
{
    return c->known && !c->extra && !c->writes && !c->server->draining;
}

bool th_conn_leaves(struct th_conn *c)
{
    const struct th_http_server_options *options = &c->server->options;
    bool stays = c->stays || !options->place || !can_move(c);

    c->stays = false;
    if (stays)
        return false;
    c->to = options->place(options->place_ctx, c->x);
    c->home = c->x->home;
    c->moves = c->to != options->number;
    return c->moves;
}

/* Moves everything that goes with the connection from one struct to another, which has none of it. */
static void carry(struct th_conn *to, struct th_conn *from)
{
    to->peer = from->peer;
    to->known = from->known;
    to->home = from->home;
    to->eof = from->eof;
    to->counted = from->counted;
    to->block = from->block;
    to->block_cap = from->block_cap;
    to->start = from->start;
    to->end = from->end;
    to->tls = from->tls;
    to->tls_began = from->tls_began;
    from->counted = false;
    from->block = NULL;
    from->block_cap = from->start = from->end = from->scanned = 0;
    from->tls = NULL;
}

/* Makes a copy of the descriptor and a struct for the other server; NULL: that is not possible. */
static struct th_http_moved *prepare(struct th_conn *c)
{
    struct th_http_moved *m = th_malloc(sizeof *m);
    struct th_conn *copy = th_calloc(1, sizeof *copy);
    uv_os_fd_t fd;

    if (m && copy && uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0) {
        *m = (struct th_http_moved){copy, fcntl(fd, F_DUPFD_CLOEXEC, 0)};
        if (m->fd >= 0)
            return m;
    }
    th_free(copy);
    th_free(m);
    return NULL;
}

static void give_up(struct th_http_moved *m)
{
    (void)close(m->fd);
    th_free(m->conn);
    th_free(m);
}

bool th_conn_move(struct th_conn *c)
{
    struct th_http_server *s = c->server;
    struct th_http_moved *m;

    TH_CHECK(c->moves && !c->x && !c->processing && !c->pumping && !c->reading);
    c->moves = false;
    m = can_move(c) ? prepare(c) : NULL;
    if (!m)
        return false;
    if (!th_server_shared_send(s, c->to)) {
        give_up(m);
        return false;
    }
    carry(m->conn, c);
    if (!s->options.move(s->options.place_ctx, c->to, m)) {
        carry(c, m->conn);
        th_server_shared_arrived(s, c->to);
        give_up(m);
        return false;
    }
    c->handed = true;
    th_conn_close(c);
    return true;
}

void th_http_server_adopt(struct th_http_server *s, struct th_http_moved *m)
{
    struct th_conn *c = m->conn;
    int fd = m->fd;

    th_free(m);
    th_conn_begin(s, c);
    th_server_shared_arrived(s, s->options.number);
    c->stays = true;
    if (uv_tcp_open(&c->tcp, fd) != 0) {
        (void)close(fd);
        th_conn_close(c);
        return;
    }
    th_conn_make_ready(c);
}
