/* The developer's receiver (listen, dev).
 *
 * Why apart from net/http_server: it must be able to answer late and byte by byte, and it shows requests
 * exactly as they came. Reads with the product's strict reader, so what it takes is HTTP/1.1.
 *
 * Refuses: more than CONNECTIONS at a time (closed at once), heads over 64 KiB, bodies over 16 MiB, senders
 * that are silent for a minute. After each answer the connection is closed.
 *
 * Invariants: a hook is in the server's list until its handle has closed; `handled` hooks get exactly one
 * reply; nothing is written after `closing`. */
#include "cli/cli_hook.h"
#include "base/alloc.h"
#include "base/list.h"
#include "net/http_server.h"
#include <stdio.h>
#include <uv.h>

#define CONNECTIONS 256
#define HEAD_MAX 65536u
#define BODY_MAX ((size_t)16 << 20)
#define SILENCE_MS 60000

struct th_hook_server {
    uv_tcp_t tcp;
    struct th_hook_options options;
    struct th_list hooks;
    unsigned count;
    bool closing, closed;
};

struct th_hook {
    struct th_list link;
    struct th_hook_server *server;
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    struct th_buf in, body, out;
    size_t scanned, head_used, body_used, sent;
    struct th_http1_head head;
    struct th_http1_chunked chunks;
    unsigned handles, drip_ms;
    bool have_head, handled, closing;
};

static void free_server(struct th_hook_server *s)
{
    if (s->closing && s->closed && s->count == 0)
        th_free(s);
}

static void on_hook_closed(uv_handle_t *h)
{
    struct th_hook *k = h->data;

    if (--k->handles)
        return;
    th_list_remove(&k->link);
    k->server->count--;
    th_buf_fini(&k->in);
    th_buf_fini(&k->body);
    th_buf_fini(&k->out);
    free_server(k->server);
    th_free(k);
}

static void close_hook(struct th_hook *k)
{
    if (k->closing)
        return;
    k->closing = true;
    uv_close((uv_handle_t *)&k->tcp, on_hook_closed);
    uv_close((uv_handle_t *)&k->timer, on_hook_closed);
}

/* A handler still holds the hook: only its reply may close it. */
static void lost(struct th_hook *k)
{
    if (k->handled && k->out.n == 0)
        uv_read_stop((uv_stream_t *)&k->tcp);
    else
        close_hook(k);
}

/* ---- answering ---- */

static void write_some(struct th_hook *k);

static void on_written(uv_write_t *w, int status)
{
    struct th_hook *k = w->data;

    if (status < 0 || k->sent >= k->out.n)
        close_hook(k);
    else if (!k->closing)
        write_some(k);
}

static void on_timer(uv_timer_t *t)
{
    struct th_hook *k = t->data;
    size_t n = k->drip_ms ? 1 : k->out.n - k->sent;
    uv_buf_t part = uv_buf_init(k->out.p + k->sent, (unsigned)n);

    k->sent += n;
    if (uv_write(&k->write, (uv_stream_t *)&k->tcp, &part, 1, on_written) != 0)
        close_hook(k);
}

static void write_some(struct th_hook *k)
{
    uv_timer_start(&k->timer, on_timer, k->drip_ms, 0);
}

void th_hook_reply(struct th_hook *k, unsigned status, struct th_span fields, struct th_span body,
                   unsigned delay_ms, unsigned drip_ms)
{
    th_buf_printf(&k->out, "HTTP/1.1 %u %s\r\n", status, th_http_reason(status));
    th_buf_span(&k->out, fields);
    if (status != 204 && status != 304)
        th_buf_printf(&k->out, "Content-Length: %zu\r\n", body.n);
    th_buf_str(&k->out, "Connection: close\r\n\r\n");
    if (status != 204 && status != 304 && !th_span_is(k->head.method, "HEAD"))
        th_buf_span(&k->out, body);
    k->drip_ms = drip_ms;
    if (k->out.failed || k->closing)
        close_hook(k);
    else
        uv_timer_start(&k->timer, on_timer, delay_ms, 0);
}

static void refuse(struct th_hook *k, unsigned status, const char *why)
{
    uv_read_stop((uv_stream_t *)&k->tcp);
    k->handled = true;
    k->server->options.refused(k->server->options.ctx, status, why);
    th_hook_reply(k, status, TH_LIT("Content-Type: text/plain\r\n"), th_str(why), 0, 0);
}

/* ---- reading ---- */

static void ready(struct th_hook *k, struct th_span body)
{
    uv_read_stop((uv_stream_t *)&k->tcp);
    uv_timer_stop(&k->timer);
    k->handled = true;
    k->server->options.handle(k->server->options.ctx, k, &k->head, body);
}

static void read_chunks(struct th_hook *k)
{
    for (;;) {
        struct th_span data;
        const char *why;
        size_t used;
        enum th_http1_result r =
            th_http1_chunked(&k->chunks, k->in.p + k->body_used, k->in.n - k->body_used, &used, &data, &why);
        th_buf_span(&k->body, data);
        k->body_used += used;
        if (r == TH_HTTP1_BAD || k->body.failed) {
            refuse(k, k->body.failed ? 413 : 400, k->body.failed ? "the body is larger than 16 MiB" : why);
            return;
        }
        if (r == TH_HTTP1_DONE) {
            ready(k, th_buf_view(&k->body));
            return;
        }
        if (k->body_used == k->in.n)
            return;
    }
}

/* A sender with an https URL begins with this byte. */
static bool speaks_tls(const struct th_hook *k)
{
    return k->in.n >= 2 && k->in.p[0] == 0x16 && k->in.p[1] == 0x03;
}

/* The head again: its spans point into `in`, which has moved while it grew. */
static bool read_head(struct th_hook *k)
{
    unsigned status;
    const char *why;
    size_t scanned = 0;
    enum th_http1_result r;

    r = th_http1_request(k->in.p, k->have_head ? k->head_used : k->in.n,
                         k->have_head ? &scanned : &k->scanned, &k->head, &k->head_used, &status, &why);
    if (r == TH_HTTP1_MORE && k->in.n > HEAD_MAX)
        refuse(k, 431, "the head is larger than 64 KiB");
    else if (r == TH_HTTP1_BAD && speaks_tls(k))
        refuse(k, status,
               "the sender speaks TLS, but this port speaks plain http: the URL must begin with http://");
    else if (r == TH_HTTP1_BAD)
        refuse(k, status, why);
    return r == TH_HTTP1_DONE;
}

static void advance(struct th_hook *k)
{
    if (!read_head(k))
        return;
    if (!k->have_head) {
        k->have_head = true;
        k->body_used = k->head_used;
        th_http1_chunked_init(&k->chunks, false);
        if (k->head.body == TH_HTTP1_LENGTH && k->head.length > BODY_MAX) {
            refuse(k, 413, "the body is larger than 16 MiB");
            return;
        }
        if (k->head.expect_continue && k->head.body != TH_HTTP1_NO_BODY) {
            uv_buf_t go = uv_buf_init((char *)(uintptr_t) "HTTP/1.1 100 Continue\r\n\r\n", 25);
            (void)uv_try_write((uv_stream_t *)&k->tcp, &go, 1);
        }
    }
    if (k->head.body == TH_HTTP1_CHUNKED)
        read_chunks(k);
    else if (k->head.body != TH_HTTP1_LENGTH)
        ready(k, TH_LIT(""));
    else if (k->in.n - k->head_used >= k->head.length)
        ready(k, th_span(k->in.p + k->head_used, (size_t)k->head.length));
}

static void on_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *out)
{
    struct th_hook *k = h->data;
    char *room = th_buf_room(&k->in, wanted);

    *out = uv_buf_init(room, room ? (unsigned)wanted : 0);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct th_hook *k = s->data;

    (void)b;
    if (n < 0) {
        if (n == UV_ENOBUFS)
            refuse(k, 413, "the request is too large");
        else
            lost(k);
        return;
    }
    k->in.n += (size_t)n;
    if (n > 0 && !k->handled)
        advance(k);
}

static void on_silence(uv_timer_t *t)
{
    close_hook(t->data);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct th_hook_server *s = listener->data;
    struct th_hook *k = status == 0 ? th_calloc(1, sizeof *k) : NULL;

    if (!k)
        return;
    k->server = s;
    k->handles = 2;
    k->tcp.data = k->timer.data = k->write.data = k;
    th_buf_init(&k->in, BODY_MAX * 2 + HEAD_MAX);
    th_buf_init(&k->body, BODY_MAX);
    th_buf_init(&k->out, BODY_MAX);
    uv_tcp_init(listener->loop, &k->tcp);
    uv_timer_init(listener->loop, &k->timer);
    th_list_append(&s->hooks, &k->link);
    s->count++;
    if (uv_accept(listener, (uv_stream_t *)&k->tcp) != 0 || s->count > CONNECTIONS || s->closing ||
        uv_read_start((uv_stream_t *)&k->tcp, on_alloc, on_read) != 0) {
        close_hook(k);
        return;
    }
    uv_tcp_nodelay(&k->tcp, 1);
    uv_timer_start(&k->timer, on_silence, SILENCE_MS, 0);
}

/* ---- opening and closing ---- */

static void on_server_closed(uv_handle_t *h)
{
    struct th_hook_server *s = h->data;

    s->closed = true;
    free_server(s);
}

enum th_error th_hook_open(uv_loop_t *loop, const struct th_hook_options *options,
                           struct th_hook_server **out, int *os_error)
{
    struct th_hook_server *s = th_calloc(1, sizeof *s);
    struct sockaddr_storage address;
    int error;

    *os_error = UV_ENOMEM;
    if (!s)
        return TH_NOMEM;
    s->options = *options;
    th_list_init(&s->hooks);
    uv_tcp_init(loop, &s->tcp);
    s->tcp.data = s;
    error = uv_ip4_addr(options->address, options->port, (struct sockaddr_in *)(void *)&address);
    if (error)
        error = uv_ip6_addr(options->address, options->port, (struct sockaddr_in6 *)(void *)&address);
    if (!error)
        error = uv_tcp_bind(&s->tcp, (const struct sockaddr *)(const void *)&address, 0);
    if (!error)
        error = uv_listen((uv_stream_t *)&s->tcp, 128, on_connection);
    *os_error = error;
    if (error) {
        th_hook_close(s);
        return TH_IO;
    }
    *out = s;
    return TH_OK;
}

uint16_t th_hook_port(const struct th_hook_server *s)
{
    struct sockaddr_storage a;
    int n = sizeof a;

    if (uv_tcp_getsockname(&s->tcp, (struct sockaddr *)&a, &n) != 0)
        return 0;
    return a.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&a)->sin6_port)
                                   : ntohs(((struct sockaddr_in *)&a)->sin_port);
}

void th_hook_close(struct th_hook_server *s)
{
    if (s->closing)
        return;
    s->closing = true;
    for (struct th_list *l = s->hooks.next, *next; l != &s->hooks; l = next) {
        next = l->next;
        close_hook(TH_CONTAINER(l, struct th_hook, link));
    }
    uv_close((uv_handle_t *)&s->tcp, on_server_closed);
}
