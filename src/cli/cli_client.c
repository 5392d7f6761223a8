/* The client of commands: th_transport on a loop of its own, which runs until the one request has ended.
 *
 * Why not another client: this one already checks TLS and reads answers strictly, and a command that tests the server
 * with the server's own reader finds the same faults.
 *
 * Refuses: redirects (the key would go to another host), keys with control characters. The key is set only when the
 * addresses are known, so that the caller can judge where it goes.
 * Invariants: at most one call is under way, and one stream; the loop runs only inside the functions of this file.
 * Failure: every call says in English what happened; nothing is repeated here. */
#include "cli/cli_client.h"
#include "base/alloc.h"
#include "base/list.h"
#include "cli/cli_hook.h"
#include "core/guard.h"
#include "net/http_client.h"
#include "net/tls.h"
#include "net/tls_probe.h"
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <uv.h>

#define ANSWER_MAX ((size_t)64 << 20)
#define HEAD_MAX 32768u
#define PROBE_MS 3000
#define STREAM_MS ((int64_t)10 * 365 * 86400 * 1000) /* a stream has no end of its own */
#define START_ONE "is the server running? Start one with: tenterhook serve, or name it with --server"

struct th_client {
    uv_loop_t loop;
    struct th_transport *transport;
    char url_text[2100];
    struct th_url url;
    char *base; /* path in front of /v1, without a '/' at its end */
    struct th_addr addrs[TH_CONNECT_MAX];
    unsigned addr_count, timeout_ms;
    struct th_buf auth; /* field lines of every request */
    bool loop_open;
    enum th_http_class class; /* of the last failure */
    char detail[200];
    const char *advice; /* of the last failure */
};

unsigned th_client_resolve(struct th_span host, uint16_t port, struct th_addr out[TH_CONNECT_MAX], char *why,
                           size_t why_size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL;
    char name[256];
    unsigned n = 0;
    int error;

    if (host.n >= sizeof name) {
        snprintf(why, why_size, "the host name is too long");
        return 0;
    }
    memcpy(name, host.p, host.n);
    name[host.n] = 0;
    error = getaddrinfo(name, NULL, &hints, &all);
    if (error) {
        snprintf(why, why_size, "the name %s does not resolve: %s", name, gai_strerror(error));
        return 0;
    }
    for (struct addrinfo *i = all; i && n < TH_CONNECT_MAX; i = i->ai_next) {
        struct th_addr a = {.port = port};
        if (i->ai_family == AF_INET) {
            a.family = 4;
            memcpy(a.ip, &((const struct sockaddr_in *)(const void *)i->ai_addr)->sin_addr, 4);
        } else if (i->ai_family == AF_INET6) {
            a.family = 6;
            memcpy(a.ip, &((const struct sockaddr_in6 *)(const void *)i->ai_addr)->sin6_addr, 16);
            a.scope = ((const struct sockaddr_in6 *)(const void *)i->ai_addr)->sin6_scope_id;
        } else {
            continue;
        }
        out[n++] = a;
    }
    freeaddrinfo(all);
    if (n == 0)
        snprintf(why, why_size, "the name %s has no address", name);
    return n;
}

static bool visible(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f)
            return false;
    return true;
}

static enum th_error read_conf(struct th_client *c, const struct th_client_options *options, char *why,
                               size_t why_size)
{
    const char *reason = "is too long";
    size_t n;

    snprintf(c->url_text, sizeof c->url_text, "%s", options->url);
    if (strlen(options->url) >= sizeof c->url_text || th_url_parse(th_str(c->url_text), &c->url, &reason)) {
        snprintf(
            why, why_size,
            "the server's address \"%.200s\" cannot be used: %s; write for example http://127.0.0.1:8420",
            options->url, reason);
        return TH_INVALID;
    }
    n = c->url.target.n;
    while (n && c->url.target.p[n - 1] == '/')
        n--;
    c->base = th_calloc(1, n + 1);
    if (!c->base)
        return TH_NOMEM;
    memcpy(c->base, c->url.target.p, n);
    if (options->tenant && !visible(options->tenant)) {
        snprintf(why, why_size, "the tenant's id contains white space or control characters");
        return TH_INVALID;
    }
    th_buf_printf(&c->auth, "User-Agent: tenterhook-cli/%s\r\nAccept: application/json\r\n", TH_VERSION);
    if (options->tenant)
        th_buf_printf(&c->auth, "Tenterhook-Tenant: %s\r\n", options->tenant);
    c->timeout_ms = options->timeout_ms ? options->timeout_ms : 30000;
    return c->auth.failed;
}

enum th_error th_client_open(const struct th_client_options *options, struct th_client **out, char *why,
                             size_t why_size)
{
    struct th_http_client_options http = {.ca_file = options->ca_file};
    struct th_client *c = th_calloc(1, sizeof *c);
    enum th_error error;

    snprintf(why, why_size, "out of memory");
    if (!c)
        return TH_NOMEM;
    th_buf_init(&c->auth, 16384);
    error = read_conf(c, options, why, why_size);
    http.plain = !c->url.tls &&
                 !options->ca_file; /* a named file is read in any case, so that a wrong name is noticed */
    if (!error && c->url.literal) {
        c->addrs[0] = c->url.addr;
        c->addr_count = 1;
    } else if (!error) {
        c->addr_count = th_client_resolve(c->url.host, c->url.port, c->addrs, why, why_size);
        error = c->addr_count ? TH_OK : TH_NOT_FOUND;
    }
    if (!error) {
        c->loop_open = uv_loop_init(&c->loop) == 0;
        error = c->loop_open ? th_http_client_open(&c->loop, &http, &c->transport, why, why_size) : TH_NOMEM;
    }
    if (error) {
        th_client_close(c);
        return error;
    }
    *out = c;
    return TH_OK;
}

static void on_closed(void *ctx)
{
    (void)ctx;
}

void th_client_close(struct th_client *c)
{
    if (!c)
        return;
    if (c->transport)
        th_http_client_close(c->transport, on_closed, c);
    if (c->loop_open) {
        uv_run(&c->loop, UV_RUN_DEFAULT);
        uv_loop_close(&c->loop);
    }
    th_buf_wipe(&c->auth);
    th_free(c->base);
    th_free(c);
}

bool th_client_here(const struct th_client *c)
{
    static const uint8_t any[16] = {0}; /* 0.0.0.0 and ::, which lead to this machine as well */
    bool here = c->addr_count > 0;

    for (unsigned i = 0; i < c->addr_count; i++) {
        const struct th_addr *a = &c->addrs[i];
        here = here && (th_addr_loopback(a) || memcmp(a->ip, any, a->family == 4 ? 4 : 16) == 0);
    }
    return here;
}

bool th_client_encrypted(const struct th_client *c)
{
    return c->url.tls;
}

enum th_error th_client_set_key(struct th_client *c, const char *key)
{
    if (!visible(key))
        return TH_INVALID;
    th_buf_printf(&c->auth, "Authorization: Bearer %s\r\n", key);
    return c->auth.failed;
}

/* Whether TLS is spoken where plain HTTP was tried: asked of the port itself. */
static bool port_speaks_tls(const struct th_client *c)
{
    char host[256];
    bool yes = false;

    if (c->url.tls || c->url.host.n >= sizeof host)
        return false;
    memcpy(host, c->url.host.p, c->url.host.n);
    host[c->url.host.n] = 0;
    for (unsigned i = 0; i < c->addr_count && !yes; i++) {
        struct th_addr to = c->addrs[i];
        struct th_tls_probe probe;
        to.port = c->url.port;
        (void)th_tls_probe(&to, true, host, &(struct th_tls_probe_way){.ca_file = NULL}, PROBE_MS, &probe);
        yes = probe.count > 0;
    }
    return yes;
}

/* The server may also answer plain HTTP on its TLS port, to say just this. */
static bool refused_as_plain(const struct th_client *c, const struct th_answer *a)
{
    return a->status == 400 && !c->url.tls && a->body.n &&
           (memmem(a->body.p, a->body.n, "https", 5) || memmem(a->body.p, a->body.n, "HTTPS", 5)) &&
           port_speaks_tls(c);
}

static void say_tls(struct th_client *c, char *why, size_t why_size)
{
    snprintf(why, why_size, "%s: this port speaks TLS", c->url_text);
    c->advice = "write https:// in --server";
}

/* What went wrong, and in c->advice what to do. */
static void say_failure(struct th_client *c, char *why, size_t why_size)
{
    static const struct {
        enum th_http_class class;
        const char *detail; /* part of it; "": any */
        const char *words, *advice;
    } rows[] = {
        {TH_HTTP_TLS, "mismatch", "its certificate is for another name",
         "name it in --server as its certificate does"},
        {TH_HTTP_TLS, "certificate: expired", "its certificate is too old", "the server needs a new one"},
        {TH_HTTP_TLS, "not yet valid", "its certificate is not valid yet",
         "check the clocks of both machines"},
        {TH_HTTP_TLS, "certificate:", "its certificate is signed by nobody that this machine trusts",
         "name the authority with --api-ca-file FILE or TENTERHOOK_API_CA_FILE"},
        {TH_HTTP_TLS, TH_TLS_NOT_SPOKEN, "the TLS handshake failed",
         "write http:// in --server, if that is meant"},
        {TH_HTTP_TLS, "", "the TLS handshake failed", "is that the port of Tenterhook?"},
        {TH_HTTP_CONNECT, "", "nothing listens there", START_ONE},
        {TH_HTTP_TIMEOUT, "", "no answer in time", START_ONE},
        {TH_HTTP_RESET, "", "the connection was lost", START_ONE},
        {TH_HTTP_PROTOCOL, "", "the program that answers there does not speak HTTP/1.1",
         "is that the port of Tenterhook?"},
    };
    const char *words = th_http_class_name(c->class);

    c->advice = START_ONE;
    if ((c->class == TH_HTTP_RESET || c->class == TH_HTTP_PROTOCOL) && port_speaks_tls(c)) {
        say_tls(c, why, why_size);
        return;
    }
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].class == c->class && strstr(c->detail, rows[i].detail)) {
            words = rows[i].words;
            c->advice = rows[i].advice;
            break;
        }
    snprintf(why, why_size, "%s: %s%s%s%s", c->url_text, words, c->detail[0] ? " (" : "", c->detail,
             c->detail[0] ? ")" : "");
}

/* ---- one request ---- */

/* A request with the memory that it needs until it has ended. */
struct call {
    struct th_http_req req;
    struct th_client *client;
    struct th_buf head, target;
    struct th_answer *out;
    enum th_http_class class;
    char detail[200];
    bool done;
};

static void on_done(struct th_http_req *req)
{
    struct call *call = req->user;

    call->class = req->res.class;
    snprintf(call->detail, sizeof call->detail, "%s", req->res.detail ? req->res.detail : "");
    if (call->class == TH_HTTP_OK) {
        call->out->status = req->res.status;
        th_buf_span(&call->out->head, req->res.head);
        th_buf_span(&call->out->body, req->res.body);
        if (req->res.truncated)
            call->out->body.failed = TH_TOO_LARGE;
    }
    call->done = true;
}

static void forget(struct call *call)
{
    th_buf_wipe(&call->head);
    th_buf_fini(&call->target);
}

/* `call` is all zeros. */
static enum th_error submit(struct th_client *c, struct call *call, const char *method, const char *path,
                            struct th_span body, const char *fields, int64_t timeout_ms,
                            struct th_answer *out)
{
    int64_t now = (int64_t)(uv_hrtime() / 1000), connect_ms = timeout_ms < 10000 ? timeout_ms : 10000;
    struct th_http_req *req = &call->req;

    *out = (struct th_answer){0};
    th_buf_init(&out->head, HEAD_MAX + 1024);
    th_buf_init(&out->body, ANSWER_MAX + 1024);
    th_buf_init(&call->head, 65536);
    th_buf_init(&call->target, 65536);
    th_buf_span(&call->head, th_buf_view(&c->auth));
    if (body.p)
        th_buf_str(&call->head, "Content-Type: application/json\r\n");
    if (fields)
        th_buf_str(&call->head, fields);
    th_buf_printf(&call->target, "%s%s", c->base, path);
    if (call->head.failed || call->target.failed) {
        c->advice = "ask for less at a time";
        forget(call);
        return TH_NOMEM;
    }
    call->client = c;
    call->out = out;
    req->method = th_str(method);
    req->addrs = c->addrs;
    req->addr_count = c->addr_count;
    req->done = on_done;
    req->user = call;
    req->target = th_buf_view(&call->target);
    req->origin = (struct th_origin){c->url.tls, c->url.host, c->url.authority, c->url.port};
    req->head = th_buf_view(&call->head);
    req->body[0] = body.p ? body : TH_LIT("");
    req->body_count = body.p ? 1 : 0;
    req->deadline = (struct th_mono){now + timeout_ms * 1000};
    req->connect_deadline = (struct th_mono){now + connect_ms * 1000};
    req->head_cap = HEAD_MAX;
    req->body_cap = (uint32_t)ANSWER_MAX;
    c->transport->vt->submit(c->transport, req);
    return TH_OK;
}

/* Of a call that is done. Unless it is TH_OK, the answer has been freed. */
static enum th_error result_of(struct call *call, char *why, size_t why_size)
{
    struct th_client *c = call->client;
    struct th_answer *out = call->out;

    forget(call);
    if (call->class != TH_HTTP_OK) {
        c->class = call->class;
        snprintf(c->detail, sizeof c->detail, "%s", call->detail);
        say_failure(c, why, why_size);
        th_answer_free(out);
        return TH_IO;
    }
    if (out->body.failed || out->head.failed) {
        snprintf(why, why_size, "%s: the answer is too large", c->url_text);
        c->advice = "ask for less at a time";
        th_answer_free(out);
        return TH_TOO_LARGE;
    }
    if (refused_as_plain(c, out)) {
        say_tls(c, why, why_size);
        th_answer_free(out);
        return TH_IO;
    }
    if (th_json_parse(th_buf_view(&out->body), TH_JSON_DEPTH, &out->json, NULL))
        out->json = (struct th_json){0};
    return TH_OK;
}

enum th_error th_client_call(struct th_client *c, const char *method, const char *path, struct th_span body,
                             const char *fields, struct th_answer *out, char *why, size_t why_size)
{
    struct call call = {.done = false};

    if (submit(c, &call, method, path, body, fields, c->timeout_ms, out)) {
        snprintf(why, why_size, "out of memory");
        return TH_NOMEM;
    }
    while (!call.done)
        uv_run(&c->loop, UV_RUN_ONCE);
    return result_of(&call, why, why_size);
}

/* ---- an answer without an end ---- */

struct th_client_stream {
    struct call call;
    struct th_answer answer;
    void (*part)(void *ctx, struct th_span bytes);
    void *ctx;
    uv_timer_t timer;
    uint64_t heard; /* uv_hrtime of the last bytes */
    bool rung;      /* the timer has run out, or something has come */
};

static void on_part(struct th_http_req *req, struct th_span bytes)
{
    struct th_client_stream *s = TH_CONTAINER(req, struct th_client_stream, call.req);

    s->heard = uv_hrtime();
    s->rung = true;
    s->part(s->ctx, bytes);
}

static void on_rung(uv_timer_t *timer)
{
    ((struct th_client_stream *)timer->data)->rung = true;
}

static void on_timer_closed(uv_handle_t *timer)
{
    th_free(timer->data);
}

enum th_error th_client_stream_open(struct th_client *c, const char *path, const char *fields,
                                    void (*part)(void *ctx, struct th_span bytes), void *ctx,
                                    struct th_client_stream **out)
{
    struct th_client_stream *s = th_calloc(1, sizeof *s);

    if (!s)
        return TH_NOMEM;
    s->part = part;
    s->ctx = ctx;
    s->heard = uv_hrtime();
    s->call.req.part = on_part;
    if (submit(c, &s->call, "GET", path, (struct th_span){0}, fields, STREAM_MS, &s->answer)) {
        th_free(s);
        return TH_NOMEM;
    }
    (void)uv_timer_init(&c->loop, &s->timer); /* cannot fail */
    s->timer.data = s;
    *out = s;
    return TH_OK;
}

bool th_client_stream_wait(struct th_client_stream *s, int64_t ms)
{
    struct th_client *c = s->call.client;

    s->rung = false;
    uv_update_time(&c->loop);
    (void)uv_timer_start(&s->timer, on_rung, (uint64_t)ms, 0);
    while (!s->call.done && !s->rung)
        uv_run(&c->loop, UV_RUN_ONCE);
    (void)uv_timer_stop(&s->timer);
    return !s->call.done;
}

int64_t th_client_stream_silent(const struct th_client_stream *s)
{
    return (int64_t)((uv_hrtime() - s->heard) / 1000000);
}

enum th_error th_client_stream_close(struct th_client_stream *s, struct th_answer *out, char *why,
                                     size_t why_size)
{
    struct th_client *c = s->call.client;
    enum th_error error;

    if (!s->call.done)
        c->transport->vt->cancel(c->transport, &s->call.req);
    while (!s->call.done)
        uv_run(&c->loop, UV_RUN_ONCE);
    error = result_of(&s->call, why, why_size);
    *out = error ? (struct th_answer){0} : s->answer;
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
    return error;
}

void th_answer_free(struct th_answer *a)
{
    th_buf_wipe(&a->body); /* may hold a key or a secret */
    th_buf_fini(&a->head);
    *a = (struct th_answer){0};
}

struct th_span th_answer_field(const struct th_answer *a, const char *name)
{
    struct th_span rest = th_buf_view(&a->head);
    size_t n = strlen(name);

    while (rest.n) {
        const char *eol = memchr(rest.p, '\n', rest.n);
        struct th_span line = {rest.p, eol ? (size_t)(eol - rest.p) : rest.n};
        size_t used = line.n + (eol != NULL);

        rest = th_span(rest.p + used, rest.n - used);
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n > n && line.p[n] == ':' && th_span_ieq(th_span(line.p, n), th_span(name, n))) {
            line = th_span(line.p + n + 1, line.n - n - 1);
            while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
                line = th_span(line.p + 1, line.n - 1);
            return line;
        }
    }
    return (struct th_span){"", 0};
}

const char *th_client_advice(const struct th_client *c)
{
    return c->advice;
}

const char *th_client_url(const struct th_client *c)
{
    return c->url_text;
}
