/* Drives the HTTP client and the resolver from a test: one command a line on standard input, one JSON object
 * a result.
 *
 *   deliver [ca=FILE] [bind=ADDRESS] [servers=IP:PORT,...] [max_idle=N] [per_origin=N] [idle_ms=N]
 * [max_per_tenant=N] [min_ttl=S] [max_ttl=S]
 *
 *   send id=1 addrs=127.0.0.1:8080,[::1]:8080 [host=localhost] [tls=1] [port=N] [target=/] [authority=TEXT]
 * [pool=N] [body=TEXT] [size=N] [deadline=MS] [connect=MS] [head_cap=N] [body_cap=N] [cancel=MS] resolve id=2
 * host=NAME [tenant=N] [deadline=MS] [cancel=MS] close                  closes client and resolver with
 * whatever is under way bench id=3 addrs=... [count=N] [flight=N] [size=N] [host=...] [tls=1] [pools=N]
 *
 * The end of input waits for what is under way, then closes. Exit status 0; 2 for a bad command line. */
#include "base/alloc.h"
#include "base/enc.h"
#include "base/list.h"
#include "net/http_client.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

struct job {
    struct th_http_req req;
    struct th_resolve resolve;
    struct th_addr addrs[32];
    uv_timer_t cancel;
    bool is_resolve, has_timer, is_done;
    struct bench *bench;
    unsigned done_calls;
    int64_t start_us;
    char *body;
    char id[32];
    char host[300], target[1024], authority[300];
    char line[2048];
};

struct bench {
    char id[32];
    unsigned left, running, ok, refused, failed, pools;
    int64_t start_us;
    struct rusage before;
};

static uv_loop_t loop;
static uv_pipe_t input;
static struct th_transport *client;
static struct th_resolver *resolver;
static struct th_metrics metrics;
static unsigned under_way;
static bool is_closing, at_end;
static char text[65536];
static size_t text_n;

static int64_t now_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

static const char *option(const char *line, const char *name)
{
    static char value[16][1024];
    static unsigned next;
    char pattern[64];
    char *out = value[next++ % 16];
    const char *p;
    size_t n;

    snprintf(pattern, sizeof pattern, " %s=", name);
    p = strstr(line, pattern);
    if (!p)
        return NULL;
    p += strlen(pattern);
    n = strcspn(p, " \n");
    snprintf(out, sizeof value[0], "%.*s", (int)n, p);
    return out;
}

static long number(const char *line, const char *name, long otherwise)
{
    const char *v = option(line, name);

    return v ? atol(v) : otherwise;
}

static void maybe_end(void);

static void on_closed(void *ctx)
{
    (void)ctx;
    printf("{\"closed\":true}\n");
    fflush(stdout);
}

static void close_all(void)
{
    if (is_closing)
        return;
    is_closing = true;
    th_http_client_close(client, on_closed, NULL);
    th_resolver_close(resolver, on_closed, NULL);
}

static void maybe_end(void)
{
    if (at_end && under_way == 0)
        close_all();
}

static void free_job(uv_handle_t *h)
{
    struct job *j = h->data;

    free(j->body);
    free(j);
}

static void job_over(struct job *j)
{
    under_way--;
    j->is_done = true;
    uv_close((uv_handle_t *)&j->cancel, free_job);
    maybe_end();
}

static void print_hex(const char *name, struct th_span s)
{
    struct th_buf b;

    th_buf_init(&b, 1 << 24);
    th_hex(&b, s.p, s.n);
    printf(",\"%s\":\"%s\"", name, th_buf_cstr(&b));
    th_buf_fini(&b);
}

static void print_addr(const struct th_addr *a)
{
    char ip[64] = "";

    inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->ip, ip, sizeof ip);
    printf("\"%s\"", a->family ? ip : "");
}

static void on_answer(struct th_http_req *req)
{
    struct job *j = req->user;
    const struct th_http_result *r = &req->res;

    printf(
        "{\"id\":\"%s\",\"class\":\"%s\",\"status\":%u,\"truncated\":%s,\"reused\":%s,\"fresh_retries\":%u,"
        "\"retry_after\":%lld,\"detail\":\"%s\",\"ms\":%lld,\"calls\":%u,\"port\":%u,"
        "\"times\":[%lld,%lld,%lld,%lld,%lld]",
        j->id, th_http_class_name(r->class), r->status, r->truncated ? "true" : "false",
        r->reused ? "true" : "false", r->fresh_retries,
        r->retry_after_s == UINT32_MAX ? -1LL : (long long)r->retry_after_s, r->detail ? r->detail : "",
        (long long)(now_us() - j->start_us) / 1000, ++j->done_calls, r->peer.port,
        (long long)r->times.connected, (long long)r->times.tls, (long long)r->times.sent,
        (long long)r->times.first_byte, (long long)r->times.done);
    print_hex("head", r->head);
    print_hex("body", r->body);
    printf(",\"peer\":");
    print_addr(&r->peer);
    printf("}\n");
    fflush(stdout);
    job_over(j);
}

static void on_resolved(struct th_resolve *q)
{
    struct job *j = q->user;

    printf("{\"id\":\"%s\",\"error\":\"%s\",\"code\":%d,\"ms\":%lld,\"addrs\":[", j->id,
           th_error_name(q->error), (int)q->error, (long long)(now_us() - j->start_us) / 1000);
    for (unsigned i = 0; i < q->count; i++) {
        printf("%s", i ? "," : "");
        print_addr(&q->addrs[i]);
    }
    printf("]}\n");
    fflush(stdout);
    job_over(j);
}

static void on_cancel(uv_timer_t *t)
{
    struct job *j = t->data;

    if (j->is_resolve)
        resolver->vt->cancel(resolver, &j->resolve);
    else
        client->vt->cancel(client, &j->req);
}

static unsigned read_addrs(const char *list, struct th_addr *out, unsigned max)
{
    char copy[1024], *save = NULL;
    unsigned n = 0;

    snprintf(copy, sizeof copy, "%s", list);
    for (char *p = strtok_r(copy, ",", &save); p && n < max; p = strtok_r(NULL, ",", &save)) {
        char *colon = strrchr(p, ':');

        out[n] = (struct th_addr){0};
        out[n].port = colon ? (uint16_t)atoi(colon + 1) : 0;
        if (colon)
            *colon = 0;
        if (*p == '[') {
            p[strlen(p) - 1] = 0;
            out[n].family = 6;
            inet_pton(AF_INET6, p + 1, out[n].ip);
        } else {
            out[n].family = 4;
            inet_pton(AF_INET, p, out[n].ip);
        }
        n++;
    }
    return n;
}

static struct th_mono in_ms(long ms)
{
    return (struct th_mono){now_us() + ms * 1000};
}

static void fill_request(struct job *j)
{
    static const char head[] = "Content-Type: application/json\r\nUser-Agent: test\r\n";
    const char *list = option(j->line, "addrs"), *body = option(j->line, "body");
    const char *host = option(j->line, "host"), *target = option(j->line, "target");
    const char *authority = option(j->line, "authority");
    long size = number(j->line, "size", 0);
    struct th_http_req *r = &j->req;

    j->addrs[0] = (struct th_addr){0};
    r->method = TH_LIT("POST");
    r->addrs = j->addrs;
    r->addr_count = list ? read_addrs(list, j->addrs, 32) : 0;
    snprintf(j->target, sizeof j->target, "%s", target ? target : "/");
    snprintf(j->host, sizeof j->host, "%s", host ? host : "localhost");
    snprintf(j->authority, sizeof j->authority, "%s", authority ? authority : j->host);
    r->target = th_str(j->target);
    r->origin.host = th_str(j->host);
    r->origin.authority = th_str(j->authority);
    r->origin.tls = number(j->line, "tls", 0) != 0;
    r->origin.port = (uint16_t)number(j->line, "port", j->addrs[0].port);
    r->pool_key = (uint64_t)number(j->line, "pool", 1);
    r->head = TH_LIT(head);
    r->body_count = 1;
    if (size) {
        j->body = malloc((size_t)size);
        if (!j->body)
            abort();
        memset(j->body, 'x', (size_t)size);
        r->body[0] = th_span(j->body, (size_t)size / 2);
        r->body[1] = th_span(j->body + size / 2, (size_t)(size - size / 2));
        r->body_count = 2;
    } else {
        j->body = strdup(body ? body : "{}");
        r->body[0] = th_str(j->body);
    }
    r->deadline = in_ms(number(j->line, "deadline", 5000));
    r->connect_deadline = in_ms(number(j->line, "connect", 5000));
    r->head_cap = (uint32_t)number(j->line, "head_cap", 16384);
    r->body_cap = (uint32_t)number(j->line, "body_cap", 16384);
    r->done = on_answer;
    r->user = j;
}

/* --- bench: `flight` requests at a time until `count` are done --- */

static void on_bench(struct th_http_req *req)
{
    struct job *j = req->user;
    struct bench *b = j->bench;
    struct rusage after;
    double s, cpu;

    if (req->res.class != TH_HTTP_OK)
        b->failed++;
    else if (req->res.status < 300)
        b->ok++;
    else
        b->refused++;
    if (b->left) {
        b->left--;
        if (b->pools)
            req->pool_key = b->left % b->pools;
        req->deadline = in_ms(10000);
        req->connect_deadline = in_ms(5000);
        client->vt->submit(client, req);
        return;
    }
    if (--b->running == 0) {
        getrusage(RUSAGE_SELF, &after);
        s = (double)(now_us() - b->start_us) / 1e6;
        cpu = (double)(after.ru_utime.tv_sec - b->before.ru_utime.tv_sec + after.ru_stime.tv_sec -
                       b->before.ru_stime.tv_sec) +
              (double)(after.ru_utime.tv_usec - b->before.ru_utime.tv_usec + after.ru_stime.tv_usec -
                       b->before.ru_stime.tv_usec) /
                  1e6;
        printf("{\"id\":\"%s\",\"ok\":%u,\"refused\":%u,\"failed\":%u,\"seconds\":%.3f,\"per_second\":%.0f,"
               "\"cpu_us\":%.2f,"
               "\"connects\":%llu,\"reuses\":%llu}\n",
               b->id, b->ok, b->refused, b->failed, s, (b->ok + b->failed) / s,
               cpu * 1e6 / (b->ok + b->failed), (unsigned long long)metrics.counter[TH_C_CLIENT_CONNECTS],
               (unsigned long long)metrics.counter[TH_C_CLIENT_REUSES]);
        fflush(stdout);
        free(b);
    }
    job_over(j);
}

static struct job *job_new(const char *line)
{
    struct job *j = calloc(1, sizeof *j);

    if (!j)
        abort();
    snprintf(j->line, sizeof j->line, " %s", line);
    snprintf(j->id, sizeof j->id, "%s", option(j->line, "id") ? option(j->line, "id") : "");
    j->start_us = now_us();
    uv_timer_init(&loop, &j->cancel);
    j->cancel.data = j;
    under_way++;
    return j;
}

static void start_bench(const char *line)
{
    struct bench *b = calloc(1, sizeof *b);
    unsigned flight;

    if (!b)
        abort();
    flight = (unsigned)number(line, "flight", 64);
    b->left = (unsigned)number(line, "count", 100000) - flight;
    b->pools = (unsigned)number(line, "pools", 0);
    snprintf(b->id, sizeof b->id, "%s", option(line, "id") ? option(line, "id") : "");
    getrusage(RUSAGE_SELF, &b->before);
    b->start_us = now_us();
    b->running = flight;
    for (unsigned i = 0; i < flight; i++) {
        struct job *j = job_new(line);

        fill_request(j);
        j->bench = b;
        j->req.done = on_bench;
        client->vt->submit(client, &j->req);
    }
}

static void run_line(const char *line)
{
    struct job *j;
    long cancel;

    if (strncmp(line, "close", 5) == 0) {
        close_all();
        return;
    }
    if (strncmp(line, "bench", 5) == 0) {
        start_bench(line);
        return;
    }
    if (strncmp(line, "send", 4) != 0 && strncmp(line, "resolve", 7) != 0) {
        fprintf(stderr, "unknown command: %s\n", line);
        exit(2);
    }
    j = job_new(line);
    j->is_resolve = line[0] == 'r';
    cancel = number(j->line, "cancel", -1);
    if (cancel > 0)
        uv_timer_start(&j->cancel, on_cancel, (uint64_t)cancel, 0);
    if (j->is_resolve) {
        const char *host = option(j->line, "host");

        snprintf(j->host, sizeof j->host, "%s", host ? host : "");
        j->resolve.host = th_str(j->host);
        j->resolve.tenant = (uint64_t)number(j->line, "tenant", 1);
        j->resolve.deadline = in_ms(number(j->line, "deadline", 5000));
        j->resolve.done = on_resolved;
        j->resolve.user = j;
        resolver->vt->submit(resolver, &j->resolve);
        if (cancel == 0)
            resolver->vt->cancel(resolver, &j->resolve);
        return;
    }
    fill_request(j);
    client->vt->submit(client, &j->req);
    if (cancel == 0)
        client->vt->cancel(client, &j->req);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    (void)h;
    (void)suggested;
    *buf = uv_buf_init(text + text_n, (unsigned)(sizeof text - 1 - text_n));
}

static void on_input(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    char *newline, *start = text;

    (void)buf;
    if (n < 0) {
        at_end = true;
        uv_close((uv_handle_t *)s, NULL);
        maybe_end();
        return;
    }
    text_n += (size_t)n;
    text[text_n] = 0;
    while ((newline = strchr(start, '\n'))) {
        *newline = 0;
        if (*start)
            run_line(start);
        start = newline + 1;
    }
    text_n -= (size_t)(start - text);
    memmove(text, start, text_n);
}

int main(int argc, char **argv)
{
    struct th_http_client_options options = {.metrics = &metrics};
    struct th_resolver_options resolver_conf = {0};
    char why[200] = "", line[4096] = "";
    enum th_error e;

    for (int i = 1; i < argc; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), " %s", argv[i]);
    options.ca_file = option(line, "ca");
    options.bind_address = option(line, "bind");
    options.max_idle = (unsigned)number(line, "max_idle", 0);
    options.max_idle_per_origin = (unsigned)number(line, "per_origin", 0);
    options.idle_timeout_ms = (unsigned)number(line, "idle_ms", 0);
    resolver_conf.servers = option(line, "servers");
    resolver_conf.max_per_tenant = (unsigned)number(line, "max_per_tenant", 0);
    resolver_conf.min_ttl_s = (unsigned)number(line, "min_ttl", 0);
    resolver_conf.max_ttl_s = (unsigned)number(line, "max_ttl", 0);
    uv_loop_init(&loop);
    e = th_http_client_open(&loop, &options, &client, why, sizeof why);
    if (e != TH_OK) {
        fprintf(stderr, "%s: %s\n", th_error_name(e), why);
        return 2;
    }
    e = th_resolver_open(&loop, &resolver_conf, &resolver);
    if (e != TH_OK) {
        fprintf(stderr, "resolver: %s\n", th_error_name(e));
        return 2;
    }
    uv_pipe_init(&loop, &input, 0);
    uv_pipe_open(&input, 0);
    uv_read_start((uv_stream_t *)&input, on_alloc, on_input);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) == 0 ? 0 : 3;
}
