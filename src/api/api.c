/* The life of a request in the API: route, key, query, body, handler, answer. If the body is not here with
 * the head, the head is judged first: a client without a valid key gets its answer before anything of the
 * body is kept, and so does one that names no route, or another media type. Then the request comes again as a
 * whole.
 *
 * Which file calls which: no two files of the API call each other. At the bottom are request.c and fault.c; on them stand
 * rates and keys (rate.c, guess.c, key.c, audit.c), on those the answers (reply.c, fail.c), then the
 * functions for all handlers (auth.c, owner.c, query.c, body.c, idem.c, change.c, read.c, find.c, filter.c),
 * the forms of objects in answers (*_view.c), the handlers, their table (routes.c), and this file.
 *
 * Invariants: 1. every path ends in exactly one of the functions of reply.c and fail.c, which frees the request; 2.
 * pointers of the engine (tenant, endpoint) are used only in the turn in which they were looked up. Without memory for a
 * request struct the answer is 503. */
#include "api/api.h"
#include "api/auth.h"
#include "api/body.h"
#include "api/fail.h"
#include "api/guess.h"
#include "api/idem.h"
#include "api/openapi.h"
#include "api/owner.h"
#include "api/query.h"
#include "api/rate.h"
#include "api/request.h"
#include "api/route.h"
#include "api/state.h"
#include "api/stream.h"
#include "base/alloc.h"
#include "base/log.h"
#include "engine/engine.h"
#include "net/http_server.h"
#include "port/clock.h"

#define SKIP_MAX (64u << 10) /* a larger body is not waited for when it does not matter */

/* Fields that may be there once only: programs that take the first of two, and those that take the last,
 * would see different requests. */
static bool fields_once(struct th_api_req *r)
{
#define NAME(s)                                                                                              \
    {                                                                                                        \
        s, sizeof s - 1                                                                                      \
    }
    static const struct th_span names[] = {NAME("authorization"),    NAME("tenterhook-tenant"),
                                           NAME("idempotency-key"),  NAME("content-type"),
                                           NAME("content-encoding"), NAME("if-match"),
                                           NAME("if-none-match"),    NAME("last-event-id"),
                                           NAME("tenterhook-csrf"),  NAME("cookie")};
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

/* Objects that are not loaded yet would be "not found", and clients give up after that. The route for being
 * alive is answered all the same. */
static bool has_begun(struct th_api_req *r)
{
    struct th_api *api = r->api;

    api->begun = api->begun || th_engine_begun(api->engine);
    if (api->begun || (r->route && (r->route->flags & TH_R_ALWAYS)))
        return true;
    th_api_fail(r, 503, "the server is starting");
    return false;
}

/* It could not be moved to the thread that answers such requests. */
static bool is_here(struct th_api_req *r)
{
    if (!r->api->options.number || (r->route && (r->route->flags & (TH_R_SPREAD | TH_R_ALWAYS))))
        return true;
    th_api_fail(r, 503,
                "the server cannot answer this on a connection that has published before now; ask again");
    return false;
}

/* The checks that need only the head. */
static bool head_passes(struct th_api_req *r)
{
    return has_begun(r) && is_here(r) && th_api_route(r) && fields_once(r) && th_api_auth(r) &&
           th_api_query(r);
}

static bool is_public(const struct th_api_req *r)
{
    return r->route && (r->route->flags & TH_R_PUBLIC);
}

/* A request struct with its route looked for; NULL: it has been answered, or held. */
static struct th_api_req *take(struct th_api *api, struct th_http_exchange *x)
{
    struct th_api_req *r = th_api_request_new(api, x);

    if (!r) {
        th_http_reply(x, 503, TH_LIT("Content-Type: application/problem+json\r\nRetry-After: 1\r\n"),
                      TH_LIT("{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
                             "\"detail\":\"out of memory\"}"));
        return NULL;
    }
    x->user = r;
    th_api_route_find(r);
    if (!is_public(r) && th_api_guess_hold(r)) {
        th_api_request_free(r);
        th_http_hold(x);
        return NULL;
    }
    return r;
}

static void body_is_read(struct th_api_req *r)
{
    if (!th_api_body_end(r))
        return;
    if (strcmp(r->route->method, "POST") == 0 && !th_api_idem(r))
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

/* Called in a later turn: what was looked up before has to be looked up again. */
static void large_body_is_read(void *arg)
{
    struct th_api_req *r = arg;

    if (r->tenant) {
        r->tenant = th_api_request_tenant(r);
        if (!r->tenant) {
            th_api_fail(r, 404, "the tenant has been deleted");
            return;
        }
        r->dialect = r->tenant->dialect;
    }
    body_is_read(r);
}

static void go_on(struct th_api_req *r)
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

void th_api_handle(void *ctx, struct th_http_exchange *x)
{
    struct th_api_req *r = take(ctx, x);

    if (!r || !head_passes(r))
        return;
    if (th_api_owner_later(r))
        th_api_owner_find(r, go_on);
    else
        go_on(r);
}

/* A small body is waited for even if it does not matter, so that the connection can go on afterwards. */
static bool is_worth_skipping(const struct th_http1_head *head)
{
    return !head->expect_continue && (head->body == TH_HTTP1_CHUNKED || head->length <= SKIP_MAX);
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
        th_api_request_free(r);
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
    th_api_request_free(r);
    return wants ? TH_HTTP_READ : TH_HTTP_SKIP;
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
    api->options.session_idle_s = options->session_idle_s;
    api->options.catalogue = options->catalogue;
    api->options.streams = options->streams;
    api->options.key_streams = options->key_streams;
    if (!th_api_rate_set(api, options))
        th_log(TH_LOG_WARN, "rate limits of the API stay as they were: out of memory");
}

enum th_error th_api_new(const struct th_api_options *options, struct th_api **out)
{
    struct th_api *api = th_calloc(1, sizeof *api);

    if (!api)
        return TH_NOMEM;
    api->options = *options;
    api->engine = options->engine;
    api->metrics = options->metrics;
    if (!api->options.servers)
        api->options.servers = 1;
    if (!api->options.default_dialect.n)
        api->options.default_dialect = TH_LIT("standard");
    th_list_init(&api->reads);
    th_buf_init(&api->out, TH_API_MAX_ANSWER);
    th_buf_init(&api->fields, 64u << 10);
    th_buf_init(&api->openapi, 1u << 20);
    api->is_alone = !options->shared;
    api->shared =
        api->is_alone ? th_api_shared_new(&th_engine_options(api->engine)->entropy) : options->shared;
    if (options->number == 0) /* no other one is asked for it */
        th_api_openapi(api, &api->openapi);
    api->streams = th_api_streams_new(api);
    if (!api->shared || !api->streams || api->openapi.failed || !th_api_rate_set(api, options)) {
        th_api_free(api);
        return TH_NOMEM;
    }
    *out = api;
    return TH_OK;
}

int64_t th_api_turn(struct th_api *api)
{
    return th_api_stream_turn(api->streams);
}

void th_api_drain(struct th_api *api)
{
    th_api_stream_drain(api->streams);
}

unsigned th_api_pending(const struct th_api *api)
{
    return api->live + th_api_streams_busy(api->streams);
}

void th_api_free(struct th_api *api)
{
    if (!api)
        return;
    th_api_request_free_spare(api);
    if (api->is_alone)
        th_api_shared_free(api->shared);
    th_api_streams_free(api->streams);
    th_buf_fini(&api->openapi);
    th_buf_fini(&api->fields);
    th_buf_wipe(&api->out);
    th_free(api);
}
