/* The way of spans to a collector: encoded when they come, gathered for a second, sent as one request.
 *
 * A collector that is slow or away must not be felt by anybody else. So each thread has one request under way at most, on its own loop,
 * and two buffers with a fixed limit: one is sent, the other is filled; when that is full, spans are dropped and counted. A request
 * that failed in passing is repeated some times, later and later (the OTLP specification's list of statuses), then its spans count as
 * dropped. Nothing is kept over a restart. The address is the operator's own, so the guard does not judge it.
 *
 * Invariants: (1) `sending` does not change while a request is under way or waits to be repeated; (2) one of `resolving`, `running` and
 * `waiting` at most is true. */
#include "app/traces.h"
#include "app/otlp.h"
#include "base/alloc.h"
#include "base/log.h"
#include "core/guard.h"
#include "lib/crypto.h"
#include "net/http1.h"
#include <stdio.h>
#include <uv.h>

#define BUFFER_BYTES ((size_t)1 << 20) /* of each of the two buffers */
#define SEND_BYTES (BUFFER_BYTES / 4)  /* from here on nothing is waited for */
#define GATHER_MS 1000
#define REQUEST_MS 10000
#define CLOSE_MS 2000
#define TRIES 6
#define AGAIN_MAX_MS 30000
#define LOG_EVERY_US 60000000
#define POOL_KEY UINT64_MAX /* no endpoint has it */

struct th_traces {
    struct th_transport *transport;
    struct th_resolver *resolver;
    struct th_metrics *metrics;
    uv_timer_t timer;
    struct th_url url;
    struct th_buf target, head; /* of each request */
    char instance[37];
    struct th_buf scratch, before, filling,
        sending; /* before: what stands in front of the spans that are sent */
    unsigned filling_count, sending_count, tries;
    bool resolving, running, waiting, closing, over; /* over: the time for the end is up */
    int64_t logged_us;
    struct th_addr addrs[TH_CONNECT_MAX];
    struct th_resolve resolve;
    struct th_http_req req;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

/* ---- options ---- */

/* A decimal number from 0 to 1, as so many of 2^27. */
static bool read_ratio(const char *text, uint32_t *out)
{
    uint64_t whole = 0, part = 0, unit = 1;
    const char *p = text;

    for (; *p >= '0' && *p <= '9' && whole <= 1; p++)
        whole = whole * 10 + (uint64_t)(*p - '0');
    if (p == text || whole > 1)
        return false;
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9' && unit <= 100000000; p++, unit *= 10)
            part = part * 10 + (uint64_t)(*p - '0');
    if (*p || (whole == 1 && part))
        return false;
    *out = (uint32_t)((whole << 27) + (part << 27) / unit);
    return true;
}

/* Of 2^27 events so many are traced. */
static uint32_t ratio_of(const struct th_settings *c)
{
    uint32_t ratio = 0;

    (void)read_ratio(c->v[TH_O_TRACES_RATIO].text, &ratio);
    return ratio;
}

/* "name=value,name=value" as field lines; false: it has another form. */
static bool read_headers(const char *text, struct th_buf *out)
{
    struct th_span rest = th_str(text ? text : "");

    while (rest.n) {
        struct th_span value = th_span_cut(&rest, ',');
        struct th_span name = th_span_trim(th_span_cut(&value, '='));

        value = th_span_trim(value);
        if (!name.n || !th_http1_is_token(name) || !value.n || !th_http1_is_value(value))
            return false;
        th_buf_printf(out, "%.*s: %.*s\r\n", (int)name.n, name.p, (int)value.n, value.p);
    }
    return true;
}

enum th_error th_traces_check(const struct th_settings *c, char *why, size_t why_size)
{
    const struct th_value *address = &c->v[TH_O_TRACES_ENDPOINT], *ratio = &c->v[TH_O_TRACES_RATIO],
                          *headers = &c->v[TH_O_TRACES_HEADERS];
    const char *reason = NULL;
    struct th_buf lines;
    struct th_url url;
    uint32_t ignored;
    bool ok;

    if (!read_ratio(ratio->text, &ignored)) {
        snprintf(why, why_size,
                 "%s: \"%s\" is not a share of all events; write a number from 0 to 1, such as 0.1",
                 ratio->origin, ratio->text);
        return TH_INVALID;
    }
    if (address->text && th_url_parse(th_str(address->text), &url, &reason)) {
        snprintf(why, why_size,
                 "%s: \"%s\" is not the address of a collector: %s; write for example http://127.0.0.1:4318",
                 address->origin, address->text, reason);
        return TH_INVALID;
    }
    th_buf_init(&lines, 16384);
    ok = read_headers(headers->text, &lines);
    th_buf_wipe(&lines);
    if (!ok) {
        snprintf(why, why_size, "%s: the headers for the collector must have the form NAME=VALUE,NAME=VALUE",
                 headers->origin);
        return TH_INVALID;
    }
    return TH_OK;
}

/* ---- sending ---- */

static int64_t now_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

static void next(struct th_traces *t);

static void complain(struct th_traces *t, const char *why)
{
    if (now_us() < t->logged_us)
        return;
    t->logged_us = now_us() + LOG_EVERY_US;
    th_log(TH_LOG_WARN, "spans could not be sent to the collector of traces", TH_KC("why", why),
           TH_KI("spans", t->sending_count));
}

static void end_batch(struct th_traces *t, enum th_counter outcome)
{
    th_count(t->metrics, outcome, t->sending_count);
    th_buf_reset(&t->sending);
    t->sending_count = t->tries = 0;
    next(t);
}

static void on_timer(uv_timer_t *timer)
{
    struct th_traces *t = timer->data;

    if (t->closing) {
        t->over = true;
        if (t->running)
            t->transport->vt->cancel(t->transport, &t->req);
        else if (t->resolving)
            t->resolver->vt->cancel(t->resolver, &t->resolve);
        return;
    }
    t->waiting = false;
    next(t);
}

/* Passed: the same may succeed later. */
static void failed(struct th_traces *t, bool passing, uint32_t after_s, const char *why)
{
    uint64_t wait_ms = (uint64_t)GATHER_MS << (t->tries < 5 ? t->tries : 5);

    complain(t, why);
    if (!passing || t->closing || ++t->tries == TRIES) {
        end_batch(t, TH_C_TRACE_SPANS_DROPPED);
        return;
    }
    if (after_s != UINT32_MAX)
        wait_ms = (uint64_t)after_s * 1000;
    t->waiting = true;
    uv_timer_start(&t->timer, on_timer, wait_ms < AGAIN_MAX_MS ? wait_ms : AGAIN_MAX_MS, 0);
}

static void done(struct th_http_req *req)
{
    struct th_traces *t = req->user;
    const struct th_http_result *res = &req->res;
    char text[64];

    t->running = false;
    if (res->class != TH_HTTP_OK) {
        failed(t, true, UINT32_MAX, res->detail ? res->detail : th_http_class_name(res->class));
    } else if (res->status >= 200 && res->status < 300) {
        end_batch(t, TH_C_TRACE_SPANS_EXPORTED);
    } else {
        snprintf(text, sizeof text, "it answered with status %u", res->status);
        failed(t, res->status == 429 || (res->status >= 502 && res->status <= 504), res->retry_after_s, text);
    }
}

static void send_to(struct th_traces *t, unsigned count)
{
    th_buf_reset(&t->before);
    th_otlp_head(t->instance, t->sending.n, &t->before);
    if (t->before.failed) {
        failed(t, true, UINT32_MAX, "out of memory");
        return;
    }
    t->req = (struct th_http_req){.method = TH_LIT("POST"),
                                  .target = th_buf_view(&t->target),
                                  .origin = {.tls = t->url.tls,
                                             .host = t->url.host,
                                             .authority = t->url.authority,
                                             .port = t->url.port},
                                  .addrs = t->addrs,
                                  .addr_count = count,
                                  .pool_key = POOL_KEY,
                                  .head = th_buf_view(&t->head),
                                  .body = {th_buf_view(&t->before), th_buf_view(&t->sending)},
                                  .body_count = 2,
                                  .deadline = {now_us() + REQUEST_MS * 1000},
                                  .connect_deadline = {now_us() + REQUEST_MS * 1000 / 2},
                                  .head_cap = 16384,
                                  .body_cap = 1024,
                                  .done = done,
                                  .user = t};
    t->running = true;
    t->transport->vt->submit(t->transport, &t->req);
}

static void resolved(struct th_resolve *r)
{
    struct th_traces *t = r->user;
    unsigned n = r->count < TH_CONNECT_MAX ? r->count : TH_CONNECT_MAX;

    t->resolving = false;
    if (r->error || t->over) {
        failed(t, true, UINT32_MAX, "the collector's name does not resolve");
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        t->addrs[i] = r->addrs[i];
        t->addrs[i].port = t->url.port;
    }
    send_to(t, n);
}

static void send_batch(struct th_traces *t)
{
    if (t->url.literal) {
        t->addrs[0] = t->url.addr;
        send_to(t, 1);
        return;
    }
    t->resolve = (struct th_resolve){
        .host = t->url.host, .deadline = {now_us() + REQUEST_MS * 1000 / 2}, .done = resolved, .user = t};
    t->resolving = true;
    t->resolver->vt->submit(t->resolver, &t->resolve);
}

static void freed(uv_handle_t *h)
{
    struct th_traces *t = h->data;
    void (*closed)(void *ctx) = t->closed;
    void *ctx = t->closed_ctx;

    th_buf_fini(&t->target);
    th_buf_wipe(&t->head);
    th_buf_fini(&t->scratch);
    th_buf_fini(&t->before);
    th_buf_fini(&t->filling);
    th_buf_fini(&t->sending);
    th_free(t);
    closed(ctx);
}

/* What there is to do when no request is under way and none waits. */
static void next(struct th_traces *t)
{
    if (t->closing && (t->over || (!t->sending.n && !t->filling.n))) {
        th_count(t->metrics, TH_C_TRACE_SPANS_DROPPED, t->sending_count + t->filling_count);
        uv_close((uv_handle_t *)&t->timer, freed);
        return;
    }
    if (!t->sending.n) {
        struct th_buf empty = t->sending;

        t->sending = t->filling;
        t->sending_count = t->filling_count;
        t->filling = empty;
        t->filling_count = 0;
    }
    if (t->sending.n)
        send_batch(t);
}

static void take(void *ctx, const struct th_trace_span *s)
{
    struct th_traces *t = ctx;
    const size_t before = t->filling.n;

    th_otlp_span(s, &t->scratch, &t->filling);
    if (t->filling.failed) { /* full, or without memory: what is whole stays */
        t->filling.n = before;
        t->filling.failed = TH_OK;
        th_count(t->metrics, TH_C_TRACE_SPANS_DROPPED, 1);
        return;
    }
    t->filling_count++;
    if (t->resolving || t->running || t->waiting)
        return;
    if (t->filling.n >= SEND_BYTES) {
        uv_timer_stop(&t->timer);
        next(t);
    } else if (before == 0) {
        uv_timer_start(&t->timer, on_timer, GATHER_MS, 0);
    }
}

/* ---- life ---- */

static void make_instance(struct th_traces *t)
{
    uint8_t r[16] = {0};

    (void)th_random(r, sizeof r); /* without randomness the id is the same for all; nothing depends on it */
    r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
    r[8] = (uint8_t)((r[8] & 0x3f) | 0x80); /* RFC 9562, version 4 */
    snprintf(t->instance, sizeof t->instance,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1], r[2], r[3],
             r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14], r[15]);
}

/* The path of the signal is appended to the collector's address, unless it is there already. */
static void make_target(struct th_traces *t)
{
    static const char path[] = "/v1/traces";
    struct th_span base = t->url.target;

    while (base.n && base.p[base.n - 1] == '/')
        base.n--;
    th_buf_span(&t->target, base);
    if (base.n < sizeof path - 1 || memcmp(base.p + base.n - (sizeof path - 1), path, sizeof path - 1) != 0)
        th_buf_str(&t->target, path);
}

enum th_error th_traces_open(uv_loop_t *loop, const struct th_settings *c, struct th_transport *transport,
                             struct th_resolver *resolver, struct th_metrics *metrics, struct th_traces **out)
{
    const char *address = c->v[TH_O_TRACES_ENDPOINT].text, *why;
    struct th_traces *t;

    *out = NULL;
    if (!address)
        return TH_OK;
    t = th_calloc(1, sizeof *t);
    if (!t)
        return TH_NOMEM;
    t->transport = transport;
    t->resolver = resolver;
    t->metrics = metrics;
    th_buf_init(&t->target, 4096);
    th_buf_init(&t->head, 16384);
    th_buf_init(&t->scratch, 65536);
    th_buf_init(&t->before, 4096);
    th_buf_init(&t->filling, BUFFER_BYTES);
    th_buf_init(&t->sending, BUFFER_BYTES);
    th_buf_str(&t->head, "Content-Type: application/x-protobuf\r\nUser-Agent: tenterhook/" TH_VERSION "\r\n");
    if (th_url_parse(th_str(address), &t->url, &why) ||
        !read_headers(c->v[TH_O_TRACES_HEADERS].text, &t->head)) {
        th_free(t); /* th_traces_check has refused them before */
        return TH_BUG;
    }
    make_target(t);
    make_instance(t);
    uv_timer_init(loop, &t->timer);
    t->timer.data = t;
    *out = t;
    return TH_OK;
}

struct th_tracer th_traces_tracer(struct th_traces *t, const struct th_settings *c)
{
    return t ? (struct th_tracer){.span = take, .ctx = t, .sampled_of_2_27 = ratio_of(c)}
             : (struct th_tracer){0};
}

void th_traces_close(struct th_traces *t, void (*closed)(void *ctx), void *ctx)
{
    t->closing = true;
    t->closed = closed;
    t->closed_ctx = ctx;
    uv_timer_start(&t->timer, on_timer, CLOSE_MS, 0);
    if (t->resolving || t->running)
        return; /* its end goes on */
    t->waiting = false;
    next(t);
}
