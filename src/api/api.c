/* The life of a request in the API: route, key, query, body, handler, answer. Where the body is not here with the head, the
 * head is judged first: who has no right key is told so before anything of the body is kept, and so is who names no
 * route, or another media type. Then the request comes again as a whole.
 *
 * A request struct lives from th_api_handle until its one answer; the exchange, its bytes included, stays
 * valid as long, so nothing of the body is copied on the way to the store. Structs come from a free list; the
 * hot path (one event) takes no memory. What one request may hold beside its body is bounded by its arena.
 *
 * Invariants: 1. every path ends in exactly one of the functions of reply.c, which frees the request; 2.
 * pointers of the engine (tenant, endpoint) are used only in the turn in which they were looked up. Without
 * memory for a request struct the answer is 503. */
#include "api/private.h"
#include <stddef.h>

static struct th_api_req *req_new(struct th_api *api, struct th_http_exchange *x)
{
    struct th_api_req *r = api->free;

    if (r) {
        api->free = r->next_free;
        api->free_count--;
    } else {
        r = th_malloc(sizeof *r);
        if (!r)
            return NULL;
    }
    memset(r, 0, offsetof(struct th_api_req, allow));
    r->allow[0] = '\0';
    r->api = api;
    r->x = x;
    th_arena_init(&r->mem, TH_API_MAX_ARENA);
    api->live++;
    return r;
}

void th_api_req_free(struct th_api_req *r)
{
    struct th_api *api = r->api;

    th_api_idem_end(r);
    th_api_read_end(r);
    if (r->route && (r->route->flags & TH_R_PUBLISH)) /* much, and no secrets */
        th_arena_fini(&r->mem);
    else
        th_arena_wipe(&r->mem); /* values of custom headers, secrets: as they were written in a body */
    api->live--;
    if (api->free_count >= TH_API_KEEP_REQUESTS) {
        th_free(r);
        return;
    }
    r->next_free = api->free;
    api->free = r;
    api->free_count++;
}

struct th_tenant *th_api_tenant(struct th_api_req *r)
{
    struct th_tenant *t = th_engine_tenant(r->api->engine, th_api_tenant_id(r));

    return t && !t->deleting ? t : NULL;
}

const struct th_http1_field *th_api_header(const struct th_api_req *r, const char *name)
{
    return th_http1_field(&r->x->head, name);
}

/* Fields that say one thing: who chose the first of two and who chose the last would not see the same request. */
static bool fields_once(struct th_api_req *r)
{
#define NAME(s)                                                                                              \
    {                                                                                                        \
        s, sizeof s - 1                                                                                      \
    }
    static const struct th_span names[] = {
        NAME("authorization"),    NAME("tenterhook-tenant"), NAME("idempotency-key"), NAME("content-type"),
        NAME("content-encoding"), NAME("if-match"),          NAME("if-none-match")};
#undef NAME
    const struct th_http1_head *head = &r->x->head;
    unsigned seen = 0;

    for (unsigned i = 0; i < head->field_count; i++)
        for (unsigned k = 0; k < sizeof names / sizeof names[0]; k++) {
            if (!th_span_ieq(head->fields[i].name, names[k]))
                continue;
            if (seen & 1u << k) {
                th_api_fail(r, 400, "the field %s is given twice", names[k].p);
                return false;
            }
            seen |= 1u << k;
        }
    return true;
}

/* What is not loaded yet would be "not found", and a client gives up at that. Being alive is told all the same. */
static bool has_begun(struct th_api_req *r)
{
    struct th_api *api = r->api;

    api->begun = api->begun || th_engine_begun(api->engine);
    if (api->begun || (r->route && r->route->handle == th_h_livez))
        return true;
    th_api_fail(r, 503, "the server is starting");
    return false;
}

/* What the head alone decides. */
static bool head_passes(struct th_api_req *r)
{
    return has_begun(r) && th_api_route(r) && fields_once(r) && th_api_authorize(r) && th_api_query(r);
}

static bool is_public(const struct th_api_req *r)
{
    return r->route && (r->route->flags & TH_R_PUBLIC);
}

/* A request struct with its route looked for; NULL: it has been answered, or held. */
static struct th_api_req *take(struct th_api *api, struct th_http_exchange *x)
{
    struct th_api_req *r = req_new(api, x);

    if (!r) {
        th_http_reply(x, 503, TH_LIT("Content-Type: application/problem+json\r\nRetry-After: 1\r\n"),
                      TH_LIT("{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
                             "\"detail\":\"out of memory\"}"));
        return NULL;
    }
    x->user = r;
    th_api_route_find(r);
    if (!is_public(r) && th_api_guess_hold(r)) {
        th_api_req_free(r);
        th_http_hold(x);
        return NULL;
    }
    return r;
}

void th_api_handle(void *ctx, struct th_http_exchange *x)
{
    struct th_api_req *r = take(ctx, x);

    if (!r || !head_passes(r))
        return;
    if (th_api_owner_later(r))
        th_api_owner_find(r);
    else
        th_api_go_on(r);
}

/* A small body is waited for where nothing of it matters: the connection can go on afterwards. */
static bool is_worth_skipping(const struct th_http1_head *head)
{
    return !head->expect_continue && (head->body == TH_HTTP1_CHUNKED || head->length <= TH_API_SKIP_MAX);
}

enum th_http_verdict th_api_judge(void *ctx, struct th_http_exchange *x)
{
    struct th_api *api = ctx;
    struct th_api_req *r;
    bool wants;

    r = take(api, x);
    if (!r)
        return TH_HTTP_ANSWERED;
    r->judging = true;
    if ((is_public(r) || (!r->route && api->begun)) && is_worth_skipping(&x->head)) {
        th_api_req_free(r);
        return TH_HTTP_SKIP;
    }
    if (!head_passes(r))
        return TH_HTTP_ANSWERED;
    if (is_public(r)) { /* these answer in this turn */
        r->route->handle(r);
        return TH_HTTP_ANSWERED;
    }
    wants = r->route->flags & (TH_R_BODY | TH_R_BODY_MAY);
    if (wants && !th_api_body_judge(r))
        return TH_HTTP_ANSWERED;
    th_api_req_free(r);
    return wants ? TH_HTTP_READ : TH_HTTP_SKIP;
}

static void body_is_read(struct th_api_req *r)
{
    if (!th_api_body_end(r))
        return;
    if (r->route->method[0] == 'P' && r->route->method[1] == 'O' && !th_api_idem(r))
        return;
    if (r->idem.given && (r->route->flags & TH_R_KEEPS))
        th_api_idem_recall(r);
    else
        r->route->handle(r);
}

static void read_body(void *arg)
{
    th_api_body_read(arg);
}

/* In a later turn: what was looked up before has to be so again. */
static void large_body_is_read(void *arg)
{
    struct th_api_req *r = arg;

    if (r->tenant) {
        r->tenant = th_api_tenant(r);
        if (!r->tenant) {
            th_api_fail(r, 404, "the tenant has been deleted");
            return;
        }
        r->dialect = r->tenant->dialect;
    }
    body_is_read(r);
}

void th_api_go_on(struct th_api_req *r)
{
    const struct th_api_options *options = &r->api->options;

    if ((r->route->flags & (TH_R_BODY | TH_R_BODY_MAY)) && !th_api_body_begin(r))
        return;
    if (options->work && r->x->body.n >= TH_API_LARGE_BODY) {
        options->work(options->work_ctx, read_body, large_body_is_read, r);
        return;
    }
    th_api_body_read(r);
    body_is_read(r);
}

void th_api_reload(struct th_api *api, const struct th_api_options *options)
{
    api->options.hosts = options->hosts;
    api->options.host_count = options->host_count;
    api->options.default_dialect = options->default_dialect.n ? options->default_dialect : TH_LIT("standard");
    api->options.source_addresses = options->source_addresses;
    api->options.source_address_count = options->source_address_count;
    api->options.trusted = options->trusted;
    api->options.trusted_count = options->trusted_count;
    api->options.client_header = options->client_header;
    if (!th_api_limit_rates(api, options))
        th_log(TH_LOG_WARN, "rate limits of the API stay as they were: out of memory");
}

enum th_error th_api_new(const struct th_api_options *options, struct th_api **out)
{
    struct th_api *api = th_calloc(1, sizeof *api);
    uint64_t seed;

    if (!api)
        return TH_NOMEM;
    api->options = *options;
    api->engine = options->engine;
    api->metrics = options->metrics;
    if (!api->options.default_dialect.n)
        api->options.default_dialect = TH_LIT("standard");
    th_list_init(&api->reads);
    th_buf_init(&api->out, TH_API_MAX_ANSWER);
    th_buf_init(&api->fields, 64u << 10);
    th_buf_init(&api->openapi, 1u << 20);
    const struct th_entropy *entropy = &th_engine_options(api->engine)->entropy;
    entropy->fill(entropy->ctx, &seed, sizeof seed);
    th_map_init(&api->idem, 1u << 16, seed);
    api->keys.seed = api->tenants.seed = api->addresses.seed = seed;
    th_api_openapi(api, &api->openapi);
    if (api->openapi.failed || !th_api_limit_rates(api, options)) {
        th_api_free(api);
        return TH_NOMEM;
    }
    *out = api;
    return TH_OK;
}

unsigned th_api_pending(const struct th_api *api)
{
    return api->live;
}

void th_api_free(struct th_api *api)
{
    if (!api)
        return;
    while (api->free) {
        struct th_api_req *r = api->free;
        api->free = r->next_free;
        th_free(r);
    }
    th_map_fini(&api->idem);
    th_api_meter_fini(&api->keys);
    th_api_meter_fini(&api->tenants);
    th_api_meter_fini(&api->addresses);
    th_buf_fini(&api->openapi);
    th_buf_fini(&api->fields);
    th_buf_wipe(&api->out);
    th_free(api);
}
