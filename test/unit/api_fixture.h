/* What the API's tests share: a real engine over the memory store, a transport that the test answers for, a
 * clock that the test turns, and exchanges that end in th_http_reply below instead of in the server's. */
#ifndef TH_TEST_API_FIXTURE_H
#define TH_TEST_API_FIXTURE_H
#include "api/api.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OPERATOR "operator-key-of-the-tests"
#include "lib/crypto.h"
#include "model/store_memory.h"

/* ---- dialects from JSON text ---- */

static struct th_node *node_of(struct th_arena *mem, struct th_json v, unsigned depth)
{
    struct th_node *n = th_arena_get(mem, sizeof *n), **tail = &n->first;
    struct th_json_iter it;
    struct th_json key, value;

    assert_true(depth < 20);
    n->line = 1;
    n->kind = v.type == TH_JSON_OBJECT  ? TH_NODE_MAP
              : v.type == TH_JSON_ARRAY ? TH_NODE_LIST
                                        : TH_NODE_SCALAR;
    if (n->kind == TH_NODE_SCALAR) {
        n->quoted = v.type == TH_JSON_STRING;
        n->text = n->quoted ? th_span(v.raw.p + 1, v.raw.n - 2) : v.raw;
        return n;
    }
    th_json_iter(&it, v);
    while (th_json_next(&it, &key, &value)) {
        *tail = node_of(mem, value, depth + 1);
        if (n->kind == TH_NODE_MAP)
            (*tail)->key = th_span(key.raw.p + 1, key.raw.n - 2);
        tail = &(*tail)->next;
    }
    return n;
}

static const char plain_dialect[] =
    "{\"request\":{\"method\":\"POST\",\"content_type\":\"application/"
    "json\",\"headers\":[{\"name\":\"webhook-id\",\"value\":"
    "\"{event.id}\"}]},\"signatures\":[{\"header\":\"webhook-signature\",\"variant\":\"v1\",\"algorithm\":"
    "\"hmac-sha256\","
    "\"key\":\"whsec\",\"content\":\"{event.id}.{ts}.{body}\",\"timestamp\":\"unix\",\"encoding\":\"base64\","
    "\"item\":"
    "\"v1,{sig}\",\"join\":\" "
    "\"}],\"body\":{\"json\":\"verbatim\",\"max_bytes\":262144,\"envelope\":[{\"name\":\"type\","
    "\"from\":\"event.type\"},{\"name\":\"data\",\"from\":\"data\"}]},\"ids\":{\"event\":{\"prefix\":\"msg_"
    "\",\"form\":"
    "\"ulid\"},\"endpoint\":{\"prefix\":\"we_\",\"form\":\"ulid\"},\"delivery\":{\"prefix\":\"dlv_\","
    "\"form\":\"ulid\"}},"
    "\"secret\":{\"source\":\"either\",\"form\":\"whsec\",\"min\":24,\"max\":64,\"generated_bytes\":32,"
    "\"readable\":"
    "\"always\",\"active\":2,\"signing\":\"all\",\"overlap_seconds\":86400},\"retry\":{\"delays\":[5,300],"
    "\"jitter_percent\":0},\"success\":{\"statuses\":[\"2xx\"]},\"timeout\":{\"total\":20,\"connect\":10,"
    "\"min\":1,\"max\":30},"
    "\"endpoint\":{\"https\":\"production\",\"star\":true,\"prefixes\":true,\"empty_means_all\":true,"
    "\"events_required\":false,\"metadata_max\":50}";
#define SHAPED_API                                                                                           \
    ",\"api\":{\"validation_status\":400,\"create_status\":200,\"foreign_status\":403,\"unknown_fields\":"   \
    "\"ignore\","                                                                                            \
    "\"problem_by_accept\":true,\"fields\":{\"callbackUrl\":\"url\",\"eventTypes\":\"events\"},\"shapes\":{" \
    "\"endpoint\":["                                                                                         \
    "{\"name\":\"id\",\"from\":\"id\"},{\"name\":\"callbackUrl\",\"from\":\"url\"}],\"endpoint_list\":{"     \
    "\"each\":"                                                                                              \
    "\"endpoints\",\"shape\":\"endpoint\"},\"error\":[{\"name\":\"message\",\"from\":\"detail\"},{\"name\":" \
    "\"faults\","                                                                                            \
    "\"each\":\"errors\",\"shape\":[{\"name\":\"field\",\"from\":\"field\"},{\"name\":\"message\",\"from\":" \
    "\"message\"}]}]}}"

static struct th_dialect *compile(struct th_arena *mem, const char *name, const char *more)
{
    struct th_compile_error error = {0};
    struct th_dialect *d = NULL;
    struct th_span text;
    struct th_json root;
    struct th_buf b;

    th_buf_init(&b, 1u << 20);
    th_buf_printf(&b, "%s%s}", plain_dialect, more);
    assert_true(th_arena_copy(mem, th_buf_view(&b), &text));
    th_buf_fini(&b);
    assert_int_equal(th_json_parse(text, 30, &root, NULL), TH_OK);
    if (th_dialect_compile(th_str(name), node_of(mem, root, 0), &d, &error))
        fail_msg("dialect %s: %s: %s", name, error.key, error.what);
    return d;
}

/* ---- the world ---- */

struct sent { /* a request that the engine wants to send */
    struct th_list link;
    struct th_http_req *req;
};

#define IN_FLIGHT 64

struct world {
    struct th_store *store;
    struct th_transport transport;
    struct th_resolver resolver;
    struct th_guard guard;
    struct th_metrics metrics;
    struct th_dialect *dialects[2];
    struct th_engine *engine;
    struct th_api *api;
    struct th_now now;
    struct th_arena mem;
    struct th_http_req *requests[IN_FLIGHT];
    unsigned request_count;
    uint64_t seed;
};

struct call { /* one exchange and its answer */
    struct th_http_exchange x;
    char text[1 << 16];
    size_t used;
    unsigned replies, holds, status;
    struct th_buf fields, body;
    const struct th_http_parts *parts; /* of an answer in parts: until its end, which counts as the reply */
    bool full;                         /* there is no room for more of it */
};

void th_http_reply(struct th_http_exchange *x, unsigned status, struct th_span fields, struct th_span body)
{
    struct call *c = TH_CONTAINER(x, struct call, x);

    c->replies++;
    c->status = status;
    th_buf_span(&c->fields, fields);
    th_buf_span(&c->body, body);
    assert_true(th_utf8_ok(body));
}

void th_http_reply_lasting(struct th_http_exchange *x, unsigned status, struct th_span fields,
                           struct th_span body)
{
    th_http_reply(x, status, fields, body);
}

bool th_http_begin(struct th_http_exchange *x, unsigned status, struct th_span fields,
                   const struct th_http_parts *parts)
{
    struct call *c = TH_CONTAINER(x, struct call, x);

    assert_null(c->parts);
    c->parts = parts;
    c->status = status;
    th_buf_span(&c->fields, fields);
    return !th_span_is(x->head.method, "HEAD");
}

size_t th_http_write(struct th_http_exchange *x, struct th_span bytes)
{
    struct call *c = TH_CONTAINER(x, struct call, x);

    assert_non_null(c->parts);
    assert_true(th_utf8_ok(bytes));
    th_buf_span(&c->body, bytes);
    return c->full ? 0 : TH_HTTP_ROOM;
}

void th_http_end(struct th_http_exchange *x)
{
    struct call *c = TH_CONTAINER(x, struct call, x);

    assert_non_null(c->parts);
    c->parts = NULL;
    c->replies++;
}

void th_http_abort(struct th_http_exchange *x)
{
    th_http_end(x);
}

void th_http_hold(struct th_http_exchange *x)
{
    TH_CONTAINER(x, struct call, x)->holds++;
}

void th_http_known(struct th_http_exchange *x, uint64_t who)
{
    x->known = who;
}

const char *th_http_reason(unsigned status)
{
    static const char *const words[] = {"OK", "Bad Request", "Server Error"};

    return words[status >= 500 ? 2 : status >= 400 ? 1 : 0];
}

static void transport_submit(struct th_transport *t, struct th_http_req *req)
{
    struct world *w = TH_CONTAINER(t, struct world, transport);

    assert_true(w->request_count < IN_FLIGHT);
    w->requests[w->request_count++] = req;
}
static void transport_cancel(struct th_transport *t, struct th_http_req *req)
{
    (void)t, (void)req;
}
static const struct th_transport_vt transport_vt = {transport_submit, transport_cancel};
static void resolver_submit(struct th_resolver *r, struct th_resolve *q)
{
    (void)r, (void)q;
    fail_msg("no name is to be resolved in these tests");
}
static void resolver_cancel(struct th_resolver *r, struct th_resolve *q)
{
    (void)r, (void)q;
}
static const struct th_resolver_vt resolver_vt = {resolver_submit, resolver_cancel};

static void fill(void *ctx, void *p, size_t n)
{
    struct world *w = ctx;
    unsigned char *to = p;

    for (size_t i = 0; i < n; i++) {
        w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
        to[i] = (unsigned char)(w->seed >> 33);
    }
}
static struct th_now clock_now(void *ctx)
{
    return ((struct world *)ctx)->now;
}
static void wake(void *ctx)
{
    (void)ctx;
}
static void fatal(void *ctx, enum th_error error, const char *what)
{
    (void)ctx;
    fail_msg("engine: %s: %s", th_error_name(error), what);
}

static void turns(struct world *w, unsigned n)
{
    while (n--) {
        w->now.mono.us += 100;
        th_engine_turn(w->engine);
    }
}

/* Ends all requests that are waiting at the transport with this status. */
static void answer_all(struct world *w, unsigned status)
{
    for (unsigned i = 0; i < w->request_count; i++) {
        struct th_http_req *req = w->requests[i];
        memset(&req->res, 0, sizeof req->res);
        req->res.class = TH_HTTP_OK;
        req->res.status = status;
        req->res.head = TH_LIT("Set-Cookie: a\r\nX-Why: down\r\nset-cookie: b\r\n");
        req->res.body = TH_LIT("\xff\xfe");
        req->res.retry_after_s = UINT32_MAX;
        req->res.peer = req->addrs[0];
        req->res.times = (struct th_http_times){100, -1, 150, 400, 500};
        req->done(req);
    }
    w->request_count = 0;
    turns(w, 5);
}

/* A world whose engine has not had a turn yet. */
static struct world *world_begin(void)
{
    static const struct th_span prefixes[] = {{"192.0.2.0/24", 12}};
    struct world *w = calloc(1, sizeof *w);
    static uint8_t hash[32];
    struct th_buf made;
    char why[200] = "";

    assert_non_null(w);
    th_sha256(OPERATOR, strlen(OPERATOR), hash);
    th_arena_init(&w->mem, 4u << 20);
    w->seed = 42;
    w->now = (struct th_now){{1000000}, {1767225600000}};
    w->transport.vt = &transport_vt;
    w->resolver.vt = &resolver_vt;
    w->guard.allow_loopback = true;
    w->dialects[0] = compile(&w->mem, "standard", "");
    w->dialects[1] = compile(&w->mem, "shaped", SHAPED_API);
    assert_int_equal(th_store_memory_open(&w->store), TH_OK);
    struct th_engine_options options = {.store = w->store,
                                        .transport = &w->transport,
                                        .resolver = &w->resolver,
                                        .clock = {clock_now, w},
                                        .entropy = {fill, w},
                                        .metrics = &w->metrics,
                                        .guard = &w->guard,
                                        .no_jitter = true,
                                        .max_in_flight = IN_FLIGHT,
                                        .dialects = w->dialects,
                                        .dialect_count = 2,
                                        .default_dialect = TH_LIT("standard"),
                                        .operator_key_hash = {(const char *)hash, 32},
                                        .wake = {wake, w},
                                        .fatal = fatal};
    assert_int_equal(th_engine_new(&options, &w->engine), TH_OK);
    th_buf_init(&made, 256);
    if (th_engine_start(w->engine, &made, why, sizeof why))
        fail_msg("engine: %s", why);
    th_buf_fini(&made);
    struct th_api_options api = {.engine = w->engine,
                                 .metrics = &w->metrics,
                                 .source_addresses = prefixes,
                                 .source_address_count = 1,
                                 .version = TH_LIT("1")};
    assert_int_equal(th_api_new(&api, &w->api), TH_OK);
    return w;
}

static struct world *world_new(void)
{
    struct world *w = world_begin();

    turns(w, 20);
    return w;
}

static void world_free(struct world *w)
{
    assert_int_equal(th_api_pending(w->api), 0);
    answer_all(w, 200);
    th_engine_drain(w->engine);
    for (int i = 0; i < 100 && !th_engine_idle(w->engine); i++) {
        turns(w, 1);
        answer_all(w, 200);
    }
    th_api_free(w->api);
    th_engine_free(w->engine);
    w->store->vt->close(w->store);
    for (int i = 0; i < 2; i++)
        th_dialect_free(w->dialects[i]);
    th_arena_fini(&w->mem);
    free(w);
}

/* ---- calls ---- */

static struct th_span keep(struct call *c, const char *s)
{
    size_t n = strlen(s);
    char *to = c->text + c->used;

    assert_true(c->used + n < sizeof c->text);
    memcpy(to, s, n);
    c->used += n;
    return th_span(to, n);
}

static struct th_addr next_peer; /* whom the next calls come from */

/* fields: "Name: value\n" lines; the operator's key and JSON are there unless the lines name them. */
static void call_prepare(struct world *w, struct call *c, const char *method, const char *target,
                         const char *fields, const char *body)
{
    char line[1024];
    char all[2048];
    char *query;

    memset(c, 0, offsetof(struct call, text));
    c->used = c->replies = c->holds = c->status = 0;
    th_buf_init(&c->fields, 1u << 20);
    th_buf_init(&c->body, 64u << 20);
    c->x.head.method = keep(c, method);
    c->x.path = keep(c, target);
    query = memchr(c->x.path.p, '?', c->x.path.n);
    if (query) {
        c->x.query = th_span(query + 1, c->x.path.n - (size_t)(query + 1 - c->x.path.p));
        c->x.path.n = (size_t)(query - c->x.path.p);
    }
    snprintf(all, sizeof all, "%s%s%s", fields ? fields : "",
             fields && strstr(fields, "Authorization") ? "" : "Authorization: Bearer " OPERATOR "\n",
             (fields && strstr(fields, "Content-Type")) || !body ? "" : "Content-Type: application/json\n");
    for (const char *p = all; *p;) {
        size_t n = strcspn(p, "\n");
        char *colon;
        snprintf(line, sizeof line, "%.*s", (int)n, p);
        p += n + 1;
        colon = strchr(line, ':');
        assert_non_null(colon);
        *colon = '\0';
        if (!colon[1] || !colon[2])
            continue; /* "Name:" leaves a default field out */
        struct th_http1_field *f = &c->x.head.fields[c->x.head.field_count++];
        f->name = keep(c, line);
        f->value = keep(c, colon + 2);
    }
    c->x.body = keep(c, body ? body : "");
    snprintf(c->x.request_id, sizeof c->x.request_id, "req_test");
    c->x.received_us = w->now.mono.us;
    c->x.peer = next_peer;
}

static void call_begin(struct world *w, struct call *c, const char *method, const char *target,
                       const char *fields, const char *body)
{
    call_prepare(w, c, method, target, fields, body);
    th_api_handle(w->api, &c->x);
}

static void call_end(struct world *w, struct call *c)
{
    if (c->holds) { /* as the server does */
        w->now.mono.us += 1000000;
        c->x.held = true;
        c->x.received_us = w->now.mono.us;
        th_api_handle(w->api, &c->x);
    }
    for (int i = 0; i < 1000 && !c->replies; i++)
        turns(w, 1);
    assert_int_equal(c->replies, 1);
}

static inline void call_free(struct call *c)
{
    th_buf_fini(&c->fields);
    th_buf_fini(&c->body);
}

/* One call from begin to end; shows the answer when the status is another. Free with call_free. */
static inline void call(struct world *w, struct call *c, const char *method, const char *target,
                        const char *fields, const char *body, unsigned status)
{
    call_begin(w, c, method, target, fields, body);
    call_end(w, c);
    if (c->status != status)
        fail_msg("%s %s: status %u, wanted %u: %s", method, target, c->status, status, th_buf_cstr(&c->body));
}

static inline bool has(struct call *c, const char *text)
{
    return strstr(th_buf_cstr(&c->body), text) != NULL;
}

static inline bool has_field(struct call *c, const char *line)
{
    return strstr(th_buf_cstr(&c->fields), line) != NULL;
}

/* Value of a string member of the answer. */
static inline const char *text_of(struct call *c, const char *member)
{
    static char out[8][512];
    static unsigned next;
    struct th_json root, v;
    struct th_buf b;

    next = (next + 1) % 8;
    assert_int_equal(th_json_parse(th_buf_view(&c->body), 64, &root, NULL), TH_OK);
    if (!th_json_member(root, th_str(member), &v) || v.type == TH_JSON_NULL)
        return "";
    th_buf_init(&b, sizeof out[0] - 1);
    assert_true(th_json_string(v, &b));
    snprintf(out[next], sizeof out[0], "%s", th_buf_cstr(&b));
    th_buf_fini(&b);
    return out[next];
}
#endif
