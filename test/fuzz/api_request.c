/* Requests of any kind to the API over a real engine and the memory store: paths, queries, cursors, conditions,
 * bodies. Each gets exactly one answer, which is JSON where it says so, and nobody's request is a fault of ours.
 * Input: requests, NEXT between two of them. Each: the method; the target, a line, where "@" stands for the last id that
 * an answer showed; header lines; an empty line; the body. The operator's key is given. */
#include "api_fixture.h"
#include "base/log.h"
#include "fuzz.h"

#define WORLD_INPUTS 1000 /* what inputs leave behind is cleared away after so many */
#define NEXT 0xff
#define REQUESTS 6
#define ID_MAX 64

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "get"};

/* ---- names: their first letter says what becomes of the look-up ---- */

static struct th_resolve *asked[IN_FLIGHT + REQUESTS]; /* by attempts and by new endpoints */
static unsigned asked_count;

static void submit(struct th_resolver *r, struct th_resolve *q)
{
    (void)r;
    must(asked_count < sizeof asked / sizeof *asked);
    q->error = q->host.n && q->host.p[0] < 'n' ? TH_OK : TH_NOT_FOUND;
    asked[asked_count++] = q;
}

static void cancel(struct th_resolver *r, struct th_resolve *q)
{
    (void)r;
    q->error = TH_CANCELLED;
}

static const struct th_resolver_vt names = {submit, cancel};

static void answer_names(void)
{
    struct th_addr public_address;

    must(th_addr_parse(TH_LIT("8.8.8.8"), &public_address));
    while (asked_count) {
        struct th_resolve *q = asked[--asked_count];

        q->count = q->error == TH_OK;
        q->addrs = &public_address;
        q->done(q);
    }
}

/* ---- the request ---- */

static bool is_token(struct fuzz_bytes line)
{
    const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;

    return colon && th_http1_is_token(th_span(line.p, (size_t)(colon - line.p)));
}

/* Field lines as the server's reader gives them. */
static void add_fields(struct fuzz *f, struct call *c)
{
    struct th_http1_head *head = &c->x.head;

    head->fields[head->field_count++] =
        (struct th_http1_field){TH_LIT("Authorization"), TH_LIT("Bearer " OPERATOR)};
    head->fields[head->field_count++] =
        (struct th_http1_field){TH_LIT("Content-Type"), TH_LIT("application/json")};
    for (struct fuzz_bytes line = fuzz_line(f); is_token(line) && head->field_count < 12;
         line = fuzz_line(f)) {
        size_t name = (size_t)((char *)memchr(line.p, ':', line.n) - line.p);
        struct th_span value = th_span(line.p + name + 1, line.n - name - 1);

        while (value.n && value.p[0] == ' ')
            value = th_span(value.p + 1, value.n - 1);
        if (th_http1_is_value(value))
            head->fields[head->field_count++] = (struct th_http1_field){th_span(line.p, name), value};
    }
}

static bool is_target(struct fuzz_bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] <= ' ' || b.p[i] >= 0x7f)
            return false;
    return b.n > 0 && b.p[0] == '/';
}

/* "@" in a target becomes the last id, so that what a request has made can be asked for. */
static struct fuzz_bytes with_id(struct fuzz *f, struct fuzz_bytes target, const char *id)
{
    const char *at = target.n ? memchr(target.p, '@', target.n) : NULL;
    size_t before = at ? (size_t)(at - target.p) : 0, n = strlen(id);
    struct fuzz_bytes out;

    if (!at)
        return target;
    out = (struct fuzz_bytes){fuzz_block(f, target.n - 1 + n), target.n - 1 + n};
    memcpy(out.p, target.p, before);
    memcpy(out.p + before, id, n);
    memcpy(out.p + before + n, at + 1, target.n - before - 1);
    return out;
}

static void learn_id(struct th_span body, char id[ID_MAX])
{
    static const char member[] = "\"id\":\"";
    const char *at = body.n ? memmem(body.p, body.n, member, sizeof member - 1) : NULL;

    if (at)
        snprintf(id, ID_MAX, "%.*s", (int)strcspn(at + sizeof member - 1, "\""), at + sizeof member - 1);
}

static void send(struct world *w, struct fuzz *f, struct call *c, const char *method,
                 struct fuzz_bytes target, char id[ID_MAX])
{
    const char *query = memchr(target.p, '?', target.n);
    struct fuzz_bytes body;
    struct th_json root;

    memset(c, 0, offsetof(struct call, text));
    c->replies = 0;
    th_buf_init(&c->fields, 1u << 20);
    th_buf_init(&c->body, 64u << 20);
    c->x.head.method = th_str(method);
    c->x.path = th_span(target.p, query ? (size_t)(query - target.p) : target.n);
    c->x.query = query ? th_span(query + 1, target.n - c->x.path.n - 1) : TH_LIT("");
    add_fields(f, c);
    body = fuzz_rest(f);
    c->x.body = th_span(body.p, body.n);
    snprintf(c->x.request_id, sizeof c->x.request_id, "req_fuzz");
    c->x.received_us = w->now.mono.us;
    th_api_handle(w->api, &c->x);
    for (int i = 0; i < 1000 && (!c->replies || asked_count || w->request_count); i++) {
        answer_names();
        answer_all(w, 200);
    }
    must(c->replies == 1 && c->status >= 200 && c->status < 600 && c->status != 500);
    if (strstr(th_buf_cstr(&c->fields), "json") && c->body.n)
        must(th_json_parse(th_buf_view(&c->body), TH_JSON_DEPTH_MAX, &root, NULL) == TH_OK);
    learn_id(th_buf_view(&c->body), id);
    th_buf_fini(&c->fields);
    th_buf_fini(&c->body);
}

static void one_request(struct world *w, struct fuzz *f, char id[ID_MAX])
{
    static struct call c; /* large */
    const char *method = methods[fuzz_byte(f) % (sizeof methods / sizeof *methods)];
    struct fuzz_bytes target = with_id(f, fuzz_line(f), id);

    if (is_target(target))
        send(w, f, &c, method, target, id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world *w;
    static unsigned inputs;
    char id[ID_MAX] = "";

    if (w && inputs++ % WORLD_INPUTS == 0) {
        world_free(w);
        w = NULL;
    }
    if (!w) {
        th_log_setup(TH_LOG_ERROR, TH_LOG_JSON);
        w = world_new();
        w->resolver.vt = &names;
    }
    for (unsigned i = 0; i < REQUESTS && size; i++) {
        const uint8_t *end = memchr(data, NEXT, size);
        size_t n = end ? (size_t)(end - data) : size;
        struct fuzz f = fuzz_begin(data, n);

        one_request(w, &f, id);
        fuzz_end(&f);
        data += n + (end != NULL);
        size -= n + (end != NULL);
    }
    return 0;
}
