/* The HTTP server with a handler that tells what it saw, for black-box tests of the reader.
 *
 * usage: echo_server [NAME=NUMBER]...   NAME: max_head max_body max_bodies max_connections head_ms body_ms idle_ms
 * write_ms grace_ms hold_ms max_keyless judge trusted Prints the port, serves on 127.0.0.1 until SIGTERM, drains, prints "drained SEEN", where
 * SEEN counts the requests. Every request is answered with
 * {"seen":N,"method":...,"path":...,"query":...,"host":...,"body_b64":...}. In the query: delay=MS answers
 * later, size=N pads the answer with N bytes, status=N gives another status, hold=1 holds the request once, known=N says who the
 * client is. With judge=1 refuse=STATUS answers before the body is read, and skip=1 has it thrown away. With trusted=1
 * clients on loopback are proxies. The path /vital is answered although there are too many connections. */
#include "base/alloc.h"
#include "base/enc.h"
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

static uint64_t option(struct th_span query, const char *name, uint64_t otherwise)
{
    struct th_span n = th_str(name);
    uint64_t v = otherwise;

    for (size_t i = 0; i + n.n < query.n; i++)
        if (memcmp(query.p + i, n.p, n.n) == 0) {
            size_t from = i + n.n, to = from;

            while (to < query.n && query.p[to] != '&')
                to++;
            (void)th_span_u64(th_span(query.p + from, to - from), 100000000, &v);
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
    if (known)
        th_http_known(x, known);
    if (delay == 0 || !(t = th_malloc(sizeof *t))) {
        answer(x);
        return;
    }
    uv_timer_init(ctx, t);
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

static bool is_vital(const struct th_http_exchange *x)
{
    return th_span_is(x->path, "/vital");
}

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
        options->judge = v ? judge : NULL;
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
    uv_loop_t loop;
    struct th_http_server_options options = {
        .address = "127.0.0.1", .handle = handle, .is_vital = is_vital, .ctx = &loop, .metrics = &metrics};
    int os_error;

    for (int i = 1; i < argc; i++)
        if (!set_option(&options, argv[i])) {
            fprintf(stderr, "echo_server: bad option %s\n", argv[i]);
            return 2;
        }
    (void)signal(SIGPIPE, SIG_IGN);
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
