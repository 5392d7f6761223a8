/* Finding the row of a request in the table of routes (routes.c). A path is compared segment by segment; a segment in
 * braces takes any one that is not empty. Nothing is allocated but the copy of a parameter that has percent-escapes. */
#include "api/route.h"
#include "api/fail.h"
#include "api/query.h"
#include "api/request.h"
#include "api/routes.h"
#include <stdio.h>

/* Compares a path with a pattern; notes the raw parameters. */
static bool match(const char *pattern, struct th_span path, struct th_span param[TH_API_MAX_PARAMS])
{
    const char *p = path.p, *end = path.p + path.n;
    unsigned n = 0;

    while (*pattern) {
        if (*pattern == '{') {
            const char *from = p;
            while (p < end && *p != '/')
                p++;
            if (p == from || n == TH_API_MAX_PARAMS)
                return false;
            param[n++] = th_span(from, (size_t)(p - from));
            pattern = strchr(pattern, '}') + 1;
        } else if (p < end && *p == *pattern) {
            p++;
            pattern++;
        } else {
            return false;
        }
    }
    return p == end;
}

static bool decode_params(struct th_api_req *r)
{
    r->allow[0] = '\0';
    for (unsigned i = 0; i < TH_API_MAX_PARAMS && r->param[i].n; i++)
        if (!th_api_query_percent(r, r->param[i], &r->param[i])) {
            r->route = NULL;
            th_api_fail(r, 404, "the path holds a malformed percent-escape");
            return false;
        }
    return true;
}

/* GET stands for HEAD as well. */
static void allow(struct th_api_req *r, const char *method)
{
    size_t used = strlen(r->allow);

    snprintf(r->allow + used, sizeof r->allow - used, "%s%s%s", used ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

/* Below this path, even paths that are in no row are answered in a dialect's form. */
static bool is_shaped(struct th_span path)
{
    return th_span_is(path, "/v1/webhooks") || th_span_starts(path, TH_LIT("/v1/webhooks/"));
}

/* Clients such as the dashboard show every dialect's endpoints in one way. */
static bool wants_native(const struct th_api_req *r)
{
    const struct th_http1_field *form = th_api_request_header(r, "tenterhook-form");

    return form && th_span_is(form->value, "native");
}

void th_api_route_find(struct th_api_req *r)
{
    struct th_span method = r->x->head.method;

    if (th_span_is(method, "HEAD"))
        method = TH_LIT("GET");
    r->allow[0] = '\0';
    r->native = wants_native(r);
    r->shaped = is_shaped(r->x->path) && !r->native;
    for (const struct th_api_route *t = th_api_routes; t->method; t++) {
        struct th_span param[TH_API_MAX_PARAMS] = {{0, 0}, {0, 0}};

        if (!match(t->path, r->x->path, param))
            continue;
        if (th_span_is(method, t->method)) {
            memcpy(r->param, param, sizeof param);
            r->route = t;
            return;
        }
        allow(r, t->method);
    }
}

bool th_api_route_is_spread(struct th_span method, struct th_span path)
{
    for (const struct th_api_route *t = th_api_routes; t->method; t++)
        if ((t->flags & TH_R_SPREAD) && th_span_is(path, t->path) && th_span_is(method, t->method))
            return true;
    return false;
}

bool th_api_route(struct th_api_req *r)
{
    if (r->route)
        return decode_params(r);
    if (r->allow[0])
        th_api_fail(r, 405, "this path answers %s", r->allow);
    else
        th_api_fail(r, 404, "there is nothing at this path");
    return false;
}
