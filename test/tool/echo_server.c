/* The HTTP server with a handler that tells what it saw, for black-box tests of the reader.
 *
 * usage: echo_server [NAME=NUMBER]...   NAME: max_head max_body max_bodies max_answers max_connections head_ms body_ms idle_ms
 * write_ms grace_ms hold_ms max_keyless judge trusted Prints the port, serves on 127.0.0.1 until SIGTERM, drains, prints "drained SEEN", where
 * SEEN counts the requests. Every request is answered with
 * {"seen":N,"method":...,"path":...,"query":...,"host":...,"body_b64":...}. In the query: delay=MS answers
 * later, size=N pads the answer with N bytes, status=N gives another status, hold=1 holds the request once, known=N says who the
 * client is. With judge=1 refuse=STATUS answers before the body is read, and skip=1 has it thrown away. With trusted=1
 * clients on loopback are proxies. The path /vital is answered although there are too many connections.
 *
 * /parts?bytes=N&part=S: N bytes in parts of S, the next one when there is room; abort=1 breaks off behind them. /stream?part=S
 * &every=MS: a part of S bytes each MS milliseconds without an end, those for which there is no room left out; the drain ends it. In parts
 * each byte is a digit of where it stands. /counts tells how often the calls of such answers came. /mounts, /mounts/deep and
 * /mountsx say which handler has answered. */
#include "base/alloc.h"
#include "base/enc.h"
#include "base/list.h"
#include "core/guard.h"
#include "net/http_server.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static uint64_t seen;
static struct th_http_server *server;
static uv_signal_t on_term, on_int;
static unsigned grace_ms = 2000;
static struct th_metrics metrics;
static uv_loop_t loop;
static struct th_list streams; /* struct parts */
static uint64_t rooms, losses, skipped;

static uint64_t option(struct th_span query, const char *name, uint64_t otherwise)
{
    struct th_span n = th_str(name);
    uint64_t v = otherwise;

    for (size_t i = 0; i + n.n < query.n; i++)
        if (memcmp(query.p + i, n.p, n.n) == 0) {
            size_t from = i + n.n, to = from;

            while (to < query.n && query.p[to] != '&')
                to++;
            (void)th_span_u64(th_span(query.p + from, to - from), 1000000000, &v);
        }
    return v;
}

/* Bytes as they are, but for what JSON must not hold unescaped; heads cannot hold controls. */
static void put_text(struct th_buf *b, const char *key, struct th_span s)
{
    th_buf_printf(b, ",\"%s\":\"", key);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            th_buf_char(b, '\\');
        th_buf_char(b, s.p[i]);
    }
    th_buf_char(b, '"');
}

static void answer(struct th_http_exchange *x)
{
    const struct th_http1_field *host = th_http1_field(&x->head, "host");
    uint64_t size = option(x->query, "size=", 0);
    struct th_buf b;

    th_buf_init(&b, 200000000);
    th_buf_printf(&b, "{\"seen\":%llu", (unsigned long long)seen);
    put_text(&b, "method", x->head.method);
    put_text(&b, "path", x->path);
    put_text(&b, "query", x->query);
    put_text(&b, "host", host ? host->value : th_span("", 0));
    put_text(&b, "request_id", th_str(x->request_id));
    th_buf_printf(&b, ",\"gone\":%s,\"held\":%s,\"peer_family\":%d,\"peer_port\":%u,\"peer\":\"",
                  x->gone ? "true" : "false", x->held ? "true" : "false", x->peer.family, x->peer.port);
    th_addr_format(&b, &x->peer);
    th_buf_str(&b, "\",\"body_b64\":\"");
    th_base64(&b, x->body.p, x->body.n);
    th_buf_str(&b, "\"");
    if (size) {
        char *p;

        th_buf_str(&b, ",\"pad\":\"");
        p = th_buf_room(&b, size);
        if (p) {
            memset(p, 'x', size);
            b.n += size;
        }
        th_buf_str(&b, "\"");
    }
    th_buf_str(&b, "}");
    if (b.failed)
        th_http_reply(x, 500, th_span("", 0), th_span("", 0));
    else
        th_http_reply(x, (unsigned)option(x->query, "status=", 200),
                      TH_LIT("Content-Type: application/json\r\n"), th_buf_view(&b));
    th_buf_fini(&b);
}

/* ---- answers in parts ---- */

struct parts {
    struct th_list link; /* of those without an end */
    struct th_http_exchange *x;
    uint64_t left, at, part, every;
    bool endless, abort;
    uv_timer_t timer;
};

static void on_parts_closed(uv_handle_t *h)
{
    th_free(h->data);
}

static void end_parts(struct parts *p)
{
    th_list_remove(&p->link);
    if (p->abort)
        th_http_abort(p->x);
    else
        th_http_end(p->x);
    uv_close((uv_handle_t *)&p->timer, on_parts_closed);
}

static size_t write_part(struct parts *p)
{
    static char bytes[1 << 20];
    size_t n = p->part < p->left ? p->part : p->left;

    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)('0' + (p->at + i) % 10);
    p->at += n;
    p->left -= n;
    return th_http_write(p->x, th_span(bytes, n));
}

static void write_parts(struct parts *p)
{
    while (p->left)
        if (!write_part(p))
            return; /* `room` or `gone` will come */
    end_parts(p);
}

static void on_room(struct th_http_exchange *x)
{
    struct parts *p = x->user;

    rooms++;
    if (p->endless)
        uv_timer_again(&p->timer);
    else
        write_parts(p);
}

static void on_gone(struct th_http_exchange *x)
{
    losses++;
    end_parts(x->user);
}

static void on_every(uv_timer_t *t)
{
    struct parts *p = t->data;

    if (!write_part(p)) {
        skipped++;
        uv_timer_stop(t);
    }
}

static bool begin_parts(struct th_http_exchange *x)
{
    static const struct th_http_parts calls = {on_room, on_gone, false}, endless = {on_room, on_gone, true};
    struct parts *p = th_calloc(1, sizeof *p);

    if (!p)
        return false;
    p->x = x;
    p->endless = th_span_is(x->path, "/stream");
    p->left = p->endless ? UINT64_MAX : option(x->query, "bytes=", 0);
    p->part = option(x->query, "part=", 1000);
    p->every = option(x->query, "every=", 10);
    p->abort = option(x->query, "abort=", 0);
    if (p->part > 1 << 20)
        p->part = 1 << 20;
    x->user = p;
    th_list_init(&p->link);
    uv_timer_init(&loop, &p->timer);
    p->timer.data = p;
    if (!th_http_begin(x, 200, TH_LIT("Content-Type: text/plain\r\n"), p->endless ? &endless : &calls)) {
        p->abort = false;
        end_parts(p);
    } else if (p->endless) {
        th_list_append(&streams, &p->link);
        uv_timer_start(&p->timer, on_every, p->every, p->every);
    } else {
        write_parts(p);
    }
    return true;
}

static void tell_counts(struct th_http_exchange *x)
{
    char text[120];
    int n = snprintf(text, sizeof text, "{\"rooms\":%llu,\"gone\":%llu,\"skipped\":%llu}",
                     (unsigned long long)rooms, (unsigned long long)losses, (unsigned long long)skipped);

    th_http_reply(x, 200, TH_LIT("Content-Type: application/json\r\n"), th_span(text, (size_t)n));
}

static void on_timer_closed(uv_handle_t *h)
{
    th_free(h);
}

static void on_delay(uv_timer_t *t)
{
    struct th_http_exchange *x = t->data;

    uv_close((uv_handle_t *)t, on_timer_closed);
    answer(x);
}

static void handle(void *ctx, struct th_http_exchange *x)
{
    uint64_t delay = option(x->query, "delay=", 0), known = option(x->query, "known=", 0);
    uv_timer_t *t;

    if (option(x->query, "hold=", 0) && !x->held) {
        th_http_hold(x);
        return;
    }
    seen++;
    if (th_span_is(x->path, "/counts")) {
        tell_counts(x);
        return;
    }
    if ((th_span_is(x->path, "/parts") || th_span_is(x->path, "/stream")) && begin_parts(x))
        return;
    if (known)
        th_http_known(x, known);
    if (delay == 0 || !(t = th_malloc(sizeof *t))) {
        answer(x);
        return;
    }
    (void)ctx;
    uv_timer_init(&loop, t);
    t->data = x;
    uv_timer_start(t, on_delay, delay, 0);
}

static enum th_http_verdict judge(void *ctx, struct th_http_exchange *x)
{
    uint64_t refuse = option(x->query, "refuse=", 0);

    (void)ctx;
    if (option(x->query, "hold=", 0) && !x->held) {
        th_http_hold(x);
        return TH_HTTP_ANSWERED;
    }
    if (refuse) {
        th_http_reply(x, (unsigned)refuse, TH_LIT("Content-Type: application/json\r\n"), TH_LIT("{}"));
        return TH_HTTP_ANSWERED;
    }
    return option(x->query, "skip=", 0) ? TH_HTTP_SKIP : TH_HTTP_READ;
}

static void name_mount(void *ctx, struct th_http_exchange *x)
{
    th_http_reply(x, 200, TH_LIT("Content-Type: text/plain\r\n"), th_str(ctx));
}

enum { ALL, VITAL, OUTER, DEEP, MOUNTS };
static char outer[] = "outer", deep[] = "deep";
static struct th_mount mounts[MOUNTS] = {
    [ALL] = {"", handle, NULL, NULL, false},
    [VITAL] = {"/vital", handle, NULL, NULL, true},
    [OUTER] = {"/mounts", name_mount, NULL, outer, false},
    [DEEP] = {"/mounts/deep", name_mount, NULL, deep, false},
};

static void on_drained(void *ctx)
{
    (void)ctx;
    uv_close((uv_handle_t *)&on_term, NULL);
    uv_close((uv_handle_t *)&on_int, NULL);
}

static void on_signal(uv_signal_t *s, int number)
{
    (void)number;
    uv_signal_stop(s);
    while (!th_list_empty(&streams))
        end_parts(TH_CONTAINER(streams.next, struct parts, link));
    th_http_server_drain(server, grace_ms, on_drained, NULL);
}

static bool set_option(struct th_http_server_options *options, const char *arg)
{
    static struct th_cidr loopback;
    const char *eq = strchr(arg, '=');
    struct th_span name = th_span(arg, eq ? (size_t)(eq - arg) : 0);
    uint64_t v;

    if (!eq || !th_span_u64(th_str(eq + 1), UINT32_MAX, &v))
        return false;
    if (th_span_is(name, "max_head"))
        options->max_head = v;
    else if (th_span_is(name, "max_body"))
        options->max_body = v;
    else if (th_span_is(name, "max_bodies"))
        options->max_bodies = v;
    else if (th_span_is(name, "max_connections"))
        options->max_connections = (unsigned)v;
    else if (th_span_is(name, "head_ms"))
        options->head_timeout_ms = (unsigned)v;
    else if (th_span_is(name, "body_ms"))
        options->body_timeout_ms = (unsigned)v;
    else if (th_span_is(name, "idle_ms"))
        options->idle_timeout_ms = (unsigned)v;
    else if (th_span_is(name, "write_ms"))
        options->write_timeout_ms = (unsigned)v;
    else if (th_span_is(name, "hold_ms"))
        options->hold_ms = (unsigned)v;
    else if (th_span_is(name, "max_keyless"))
        options->max_keyless = (unsigned)v;
    else if (th_span_is(name, "judge"))
        mounts[ALL].judge = v ? judge : NULL;
    else if (th_span_is(name, "max_answers"))
        options->max_answers = v;
    else if (th_span_is(name, "trusted")) {
        (void)th_cidr_parse(TH_LIT("127.0.0.0/8"), &loopback);
        options->trusted = &loopback;
        options->trusted_count = v ? 1 : 0;
    } else if (th_span_is(name, "grace_ms"))
        grace_ms = (unsigned)v;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct th_http_server_options options = {
        .address = "127.0.0.1", .mounts = mounts, .mount_count = MOUNTS, .metrics = &metrics};
    int os_error;

    for (int i = 1; i < argc; i++)
        if (!set_option(&options, argv[i])) {
            fprintf(stderr, "echo_server: bad option %s\n", argv[i]);
            return 2;
        }
    (void)signal(SIGPIPE, SIG_IGN);
    th_list_init(&streams);
    uv_loop_init(&loop);
    if (th_http_server_open(&loop, &options, &server, &os_error) != TH_OK) {
        fprintf(stderr, "echo_server: %s\n", strerror(os_error));
        return 1;
    }
    uv_signal_init(&loop, &on_term);
    uv_signal_init(&loop, &on_int);
    uv_signal_start(&on_term, on_signal, SIGTERM);
    uv_signal_start(&on_int, on_signal, SIGINT);
    printf("%d\n", th_http_server_port(server));
    fflush(stdout);
    uv_run(&loop, UV_RUN_DEFAULT);
    th_http_server_free(server);
    printf("drained %llu open %lld\n", (unsigned long long)seen, (long long)metrics.gauge[TH_G_HTTP_OPEN]);
    return uv_loop_close(&loop) == 0 ? 0 : 3;
}
