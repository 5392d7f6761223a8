/* The OpenAPI 3.1 document, written from the table of routes, the table of query parameters and the table of
 * schemas, so that it cannot differ from what dispatch does. Written once at start. */
#include "api/openapi.h"
#include "api/member.h"
#include "api/route.h"
#include "api/routes.h"
#include "api/schemas.h"
#include "api/state.h"
#include "api/words.h"
#include "engine/engine.h"
#include "net/http_server.h"
#include "net/tls_common.h"
#include <stdio.h>

static void write_ref(struct th_jw *w, const char *kind, struct th_span name)
{
    th_jw_object(w);
    th_jw_key(w, TH_LIT("$ref"));
    th_jw_raw(w, TH_LIT("\"#/components/"));
    th_buf_printf(w->out, "%s/%.*s\"", kind, (int)name.n, name.p);
    th_jw_end_object(w);
}

static void write_content(struct th_jw *w, const char *media, const char *schema)
{
    th_jw_key(w, th_str(media));
    th_jw_object(w);
    th_jw_key(w, TH_LIT("schema"));
    write_ref(w, "schemas", th_str(schema));
    if (th_api_words_example(schema)) {
        th_jw_key(w, TH_LIT("example"));
        th_jw_raw(w, th_str(th_api_words_example(schema)));
    }
    th_jw_end_object(w);
}

static void write_path_parameters(struct th_jw *w, const char *path)
{
    for (const char *p = strchr(path, '{'); p; p = strchr(p, '{')) {
        const char *end = strchr(p, '}');
        th_jw_object(w);
        th_api_member_str(w, "name", th_span(p + 1, (size_t)(end - p - 1)));
        th_api_member_str(w, "in", TH_LIT("path"));
        th_jw_key(w, TH_LIT("required"));
        th_jw_bool(w, true);
        th_jw_key(w, TH_LIT("schema"));
        th_jw_raw(w, TH_LIT("{\"type\":\"string\"}"));
        th_jw_end_object(w);
        p = end;
    }
}

static bool is_stream(const struct th_api_route *t)
{
    return t->response && strstr(t->response, "Stream");
}

static void write_parameters(struct th_jw *w, const struct th_api_route *t)
{
    th_jw_key(w, TH_LIT("parameters"));
    th_jw_array(w);
    write_path_parameters(w, t->path);
    for (const char *names = t->query; *names;) {
        size_t n = strcspn(names, " ");
        write_ref(w, "parameters", th_span(names, n));
        names += n;
        names += *names == ' ';
    }
    if (t->flags & TH_R_TENANT)
        write_ref(w, "parameters", TH_LIT("Tenterhook-Tenant"));
    if (strncmp(t->path, "/v1/webhooks", 12) == 0)
        write_ref(w, "parameters", TH_LIT("Tenterhook-Form"));
    if (strcmp(t->method, "POST") == 0)
        write_ref(w, "parameters", TH_LIT("Idempotency-Key"));
    if (is_stream(t))
        write_ref(w, "parameters", TH_LIT("Last-Event-ID"));
    if (t->flags & TH_R_ETAG)
        write_ref(w, "parameters",
                  strcmp(t->method, "GET") == 0 ? TH_LIT("If-None-Match") : TH_LIT("If-Match"));
    th_jw_end_array(w);
}

static void write_body(struct th_jw *w, const struct th_api_route *t)
{
    if (!(t->flags & (TH_R_BODY | TH_R_BODY_MAY)))
        return;
    th_jw_key(w, TH_LIT("requestBody"));
    th_jw_object(w);
    th_jw_key(w, TH_LIT("required"));
    th_jw_bool(w, (t->flags & TH_R_BODY) != 0);
    th_jw_key(w, TH_LIT("content"));
    th_jw_object(w);
    if (t->flags & TH_R_MERGE)
        write_content(w, "application/merge-patch+json", t->request);
    write_content(w, "application/json", t->request);
    th_jw_end_object(w);
    th_jw_end_object(w);
}

static void write_header(struct th_jw *w, bool is_there, const char *name)
{
    if (!is_there)
        return;
    th_jw_key(w, th_str(name));
    write_ref(w, "headers", th_str(name));
}

static void write_headers(struct th_jw *w, const struct th_api_route *t, unsigned status)
{
    bool post = strcmp(t->method, "POST") == 0, metered = !(t->flags & TH_R_PUBLIC);

    th_jw_key(w, TH_LIT("headers"));
    th_jw_object(w);
    write_header(w, true, "Request-Id");
    write_header(w, status == 201, "Location");
    write_header(w, (t->flags & TH_R_ETAG) && status != 204, "ETag");
    write_header(w, post, "Idempotency-Replayed");
    write_header(w, t->flags & TH_R_TENANT, "Tenterhook-Tenant");
    write_header(w, metered, "RateLimit-Policy");
    write_header(w, metered, "RateLimit");
    th_jw_end_object(w);
}

/* response: NULL: without a body. */
static void write_success(struct th_jw *w, const struct th_api_route *t, const char *response,
                          unsigned status)
{
    char code[8];

    snprintf(code, sizeof code, "%u", status);
    th_jw_key(w, th_str(code));
    th_jw_object(w);
    th_api_member_str(w, "description", th_str(th_http_reason(status)));
    write_headers(w, t, status);
    if (response && status != 304) {
        bool text = strcmp(response, "text") == 0, page = strcmp(response, "page") == 0;
        th_jw_key(w, TH_LIT("content"));
        th_jw_object(w);
        write_content(w,
                      is_stream(t) ? "text/event-stream"
                      : text       ? "text/plain"
                      : page       ? "text/html"
                                   : "application/json",
                      response);
        th_jw_end_object(w);
    }
    th_jw_end_object(w);
}

/* Every status other than a success that a route may answer, once: routes refer to them. */
static const struct {
    unsigned status;
    const char *name, *detail; /* detail: of the example */
} problems[] = {
    {400, "BadRequest", "line 1, column 9: the JSON ends too early"},
    {401, "Unauthorized", "this key is not known: send Authorization: Bearer KEY"},
    {403, "Forbidden", "the key needs the scope webhooks:manage"},
    {404, "NotFound", "there is no endpoint of this id"},
    {409, "Conflict", "an event with this id exists"},
    {412, "PreconditionFailed", "the object has been changed: read it again"},
    {413, "ContentTooLarge", "the body is too large"},
    {415, "UnsupportedMediaType", "Content-Type must be application/json"},
    {422, "UnprocessableContent", "/type: is required"},
    {429, "TooManyRequests", "more requests a second than the key may make"},
    {503, "ServiceUnavailable", "the store cannot commit now; nothing has happened"},
};

static void write_problem_ref(struct th_jw *w, unsigned status)
{
    char code[8];

    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        if (problems[i].status != status)
            continue;
        snprintf(code, sizeof code, "%u", status);
        th_jw_key(w, th_str(code));
        write_ref(w, "responses", th_str(problems[i].name));
    }
}

static void write_problem_example(struct th_jw *w, unsigned status, const char *detail)
{
    th_jw_object(w);
    th_api_member_str(w, "type", TH_LIT("about:blank"));
    th_api_member_str(w, "title", th_str(th_http_reason(status)));
    th_jw_key(w, TH_LIT("status"));
    th_jw_u64(w, status);
    th_api_member_str(w, "detail", th_str(detail));
    th_api_member_str(w, "request_id", TH_LIT("req_gwee4z2ty9090000000a"));
    if (status == 422) {
        th_jw_key(w, TH_LIT("errors"));
        th_jw_raw(w, TH_LIT("[{\"pointer\":\"/type\",\"detail\":\"is required\"}]"));
    }
    th_jw_end_object(w);
}

static void write_problems(struct th_jw *w)
{
    th_jw_key(w, TH_LIT("responses"));
    th_jw_object(w);
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        unsigned status = problems[i].status;

        th_jw_key(w, th_str(problems[i].name));
        th_jw_object(w);
        th_api_member_str(w, "description", th_str(th_http_reason(status)));
        th_jw_key(w, TH_LIT("headers"));
        th_jw_object(w);
        write_header(w, true, "Request-Id");
        write_header(w, true, "Tenterhook-Tenant");
        write_header(w, status == 401, "WWW-Authenticate");
        write_header(w, status == 429 || status == 503, "Retry-After");
        write_header(w, status == 429, "RateLimit-Policy");
        write_header(w, status == 429, "RateLimit");
        th_jw_end_object(w);
        th_jw_key(w, TH_LIT("content"));
        th_jw_object(w);
        th_jw_key(w, TH_LIT("application/problem+json"));
        th_jw_object(w);
        th_jw_key(w, TH_LIT("schema"));
        write_ref(w, "schemas", TH_LIT("Problem"));
        th_jw_key(w, TH_LIT("example"));
        write_problem_example(w, status, problems[i].detail);
        th_jw_end_object(w);
        th_jw_end_object(w);
        th_jw_end_object(w);
    }
    th_jw_end_object(w);
}

static void write_responses(struct th_jw *w, const struct th_api_route *t)
{
    bool body = (t->flags & (TH_R_BODY | TH_R_BODY_MAY)) != 0, get = strcmp(t->method, "GET") == 0,
         keyed = !(t->flags & TH_R_PUBLIC), etag = (t->flags & TH_R_ETAG) != 0;
    const struct {
        bool is_there;
        unsigned status;
    } rows[] = {{true, 400},  {keyed, 401},
                {keyed, 403}, {strchr(t->path, '{') || (t->flags & (TH_R_TENANT | TH_R_SWITCHED)), 404},
                {!get, 409},  {etag && !get, 412},
                {body, 413},  {body, 415},
                {body, 422},  {keyed, 429},
                {true, 503}};

    th_jw_key(w, TH_LIT("responses"));
    th_jw_object(w);
    write_success(w, t, t->response, t->status);
    if (strcmp(t->method, "PUT") == 0)
        write_success(w, t, t->response, 201);
    if (etag && get)
        write_success(w, t, NULL, 304);
    if (strstr(t->query, "dry_run"))
        write_success(w, t, NULL, 204);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].is_there)
            write_problem_ref(w, rows[i].status);
    th_jw_end_object(w);
}

static const char *scope_of(const struct th_api_route *t)
{
    if (t->flags & (TH_R_PORTAL | TH_R_PORTAL_LINK))
        return t->flags & TH_R_PORTAL ? "portal" : "portal:link";
    switch (t->scope) {
    case TH_SCOPE_PUBLISH:
        return "events:publish";
    case TH_SCOPE_READ:
        return "webhooks:read";
    case TH_SCOPE_MANAGE:
        return "webhooks:manage";
    default:
        return NULL;
    }
}

/* Either a tenant's key with this scope, or an operator's key with this role. */
static void write_security(struct th_jw *w, const struct th_api_route *t)
{
    char role[32];

    th_jw_key(w, TH_LIT("security"));
    th_jw_array(w);
    if (t->scope || (t->flags & (TH_R_PORTAL | TH_R_PORTAL_LINK))) {
        const char *scope = scope_of(t);
        th_jw_object(w);
        th_jw_key(w, TH_LIT("key"));
        th_jw_array(w);
        if (scope)
            th_jw_string(w, th_str(scope));
        th_jw_end_array(w);
        th_jw_end_object(w);
    }
    if (t->role) {
        snprintf(role, sizeof role, "operator:%s", th_role_name((enum th_role)t->role));
        th_jw_object(w);
        th_jw_key(w, TH_LIT("key"));
        th_jw_array(w);
        th_jw_string(w, th_str(role));
        th_jw_end_array(w);
        th_jw_end_object(w);
    }
    th_jw_end_array(w);
}

static void write_operation(struct th_jw *w, const struct th_api_route *t)
{
    static const char *const methods[][2] = {
        {"GET", "get"}, {"POST", "post"}, {"PUT", "put"}, {"PATCH", "patch"}, {"DELETE", "delete"}};

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i][0], t->method) == 0)
            th_jw_key(w, th_str(methods[i][1]));
    th_jw_object(w);
    th_api_member_str(w, "operationId", th_str(t->id));
    th_api_member_str(w, "summary", th_str(t->summary));
    th_jw_key(w, TH_LIT("tags"));
    th_jw_array(w);
    th_jw_string(w, th_str(th_api_words_tag(t->path)));
    th_jw_end_array(w);
    write_security(w, t);
    write_parameters(w, t);
    write_body(w, t);
    write_responses(w, t);
    th_jw_end_object(w);
}

/* Each path once, with all its methods; rows of a path need not stand together. */
static void write_paths(struct th_jw *w)
{
    th_jw_key(w, TH_LIT("paths"));
    th_jw_object(w);
    for (const struct th_api_route *t = th_api_routes; t->method; t++) {
        const struct th_api_route *first = th_api_routes;
        while (strcmp(first->path, t->path) != 0)
            first++;
        if (first != t)
            continue;
        th_jw_key(w, th_str(t->path));
        th_jw_object(w);
        for (const struct th_api_route *o = t; o->method; o++)
            if (strcmp(o->path, t->path) == 0)
                write_operation(w, o);
        th_jw_end_object(w);
    }
    th_jw_end_object(w);
}

static void write_table(struct th_jw *w, const char *name, const struct th_api_schema *t)
{
    th_jw_key(w, th_str(name));
    th_jw_object(w);
    for (; t->name; t++) {
        th_jw_key(w, th_str(t->name));
        th_jw_raw(w, th_str(t->json));
    }
    th_jw_end_object(w);
}

/* A schema of our own tables, which nest a few levels, with a description of each property. */
static void write_schema(struct th_jw *w, struct th_span name, struct th_json v);

static void write_properties(struct th_jw *w, struct th_span name, struct th_json properties)
{
    struct th_json key, value, member, text;
    struct th_json_iter it, members;
    struct th_span property;

    th_jw_object(w);
    th_json_iter(&it, properties);
    while (th_json_next(&it, &key, &value)) {
        const char *words;
        property = th_span(key.raw.p + 1, key.raw.n - 2); /* names have no escapes */
        words = th_api_words(name, property);
        th_jw_key(w, property);
        th_jw_object(w);
        th_json_iter(&members, value);
        while (th_json_next(&members, &member, &text)) {
            th_jw_key(w, th_span(member.raw.p + 1, member.raw.n - 2));
            if (th_json_string_eq(member, TH_LIT("properties")))
                write_properties(w, name, text);
            else
                write_schema(w, name, text);
        }
        if (words && !th_json_member(value, TH_LIT("description"), &text))
            th_api_member_str(w, "description", th_str(words));
        th_jw_end_object(w);
    }
    th_jw_end_object(w);
}

static void write_schema(struct th_jw *w, struct th_span name, struct th_json v)
{
    struct th_json key, value;
    struct th_json_iter it;

    if (v.type != TH_JSON_OBJECT && v.type != TH_JSON_ARRAY) {
        th_jw_raw(w, v.raw);
        return;
    }
    if (v.type == TH_JSON_OBJECT)
        th_jw_object(w);
    else
        th_jw_array(w);
    th_json_iter(&it, v);
    while (th_json_next(&it, v.type == TH_JSON_OBJECT ? &key : NULL, &value)) {
        if (v.type == TH_JSON_OBJECT)
            th_jw_key(w, th_span(key.raw.p + 1, key.raw.n - 2));
        if (v.type == TH_JSON_OBJECT && th_json_string_eq(key, TH_LIT("properties")))
            write_properties(w, name, value);
        else
            write_schema(w, name, value);
    }
    if (v.type == TH_JSON_OBJECT)
        th_jw_end_object(w);
    else
        th_jw_end_array(w);
}

static void write_schemas(struct th_jw *w)
{
    struct th_json v;

    th_jw_key(w, TH_LIT("schemas"));
    th_jw_object(w);
    for (const struct th_api_schema *t = th_api_schemas; t->name; t++) {
        th_jw_key(w, th_str(t->name));
        if (th_json_parse(th_str(t->json), TH_JSON_DEPTH, &v, NULL))
            th_jw_raw(w, th_str(t->json));
        else
            write_schema(w, th_str(t->name), v);
    }
    th_jw_end_object(w);
}

void th_api_openapi(const struct th_api *api, struct th_buf *out)
{
    struct th_jw w = th_jw(out);

    th_jw_object(&w);
    th_api_member_str(&w, "openapi", TH_LIT("3.1.0"));
    th_jw_key(&w, TH_LIT("info"));
    th_jw_object(&w);
    th_api_member_str(&w, "title", TH_LIT("Tenterhook"));
    th_api_member_str(&w, "version", api->options.version);
    th_api_member_str(
        &w, "description",
        TH_LIT(
            "Webhooks as a service of your own: events in, signed and retried requests out. The shapes under "
            "/v1/webhooks are those of the dialect standard; other dialects have their own."));
    th_jw_key(&w, TH_LIT("license"));
    th_jw_raw(&w, TH_LIT("{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}"));
    th_jw_end_object(&w);
    th_jw_key(&w, TH_LIT("servers"));
    th_jw_raw(&w, TH_LIT("[{\"url\":\"/\"}]"));
    th_api_words_tags(&w);
    write_paths(&w);
    th_jw_key(&w, TH_LIT("components"));
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("securitySchemes"));
    th_jw_raw(&w, TH_LIT("{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\"}}"));
    write_table(&w, "parameters", th_api_schemas_parameters);
    write_table(&w, "headers", th_api_schemas_headers);
    write_problems(&w);
    write_schemas(&w);
    th_jw_end_object(&w);
    th_jw_end_object(&w);
}
