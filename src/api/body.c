/* The body of a request: its media type, its size, its syntax.
 *
 * Media types: application/json; for a merge patch application/merge-patch+json; elsewhere anything that ends
 * in +json; with charset UTF-8 if any is named. Other types, a missing one and content codings are 415. A
 * body that is missing altogether is 400. */
#include "api/body.h"
#include "api/event_read.h"
#include "api/fail.h"
#include "api/request.h"
#include "api/route.h"
#include "lib/crypto.h"

#define MAX_SETTINGS (1u << 20) /* most bytes of a body that has no events */

/* A patch in another format (application/json-patch+json) must not be taken for a merge patch. */
static bool is_json(const struct th_api_req *r, struct th_span type)
{
    if (th_span_ieq(type, TH_LIT("application/json")))
        return true;
    if (r->route->flags & TH_R_MERGE)
        return th_span_ieq(type, TH_LIT("application/merge-patch+json"));
    return type.n > 5 && th_span_ieq(th_span(type.p + type.n - 5, 5), TH_LIT("+json")) &&
           memchr(type.p, '/', type.n);
}

static bool json_media_type(const struct th_api_req *r, struct th_span v)
{
    struct th_span type = th_span_trim(th_span_cut(&v, ';'));

    if (!is_json(r, type))
        return false;
    while (v.n) {
        struct th_span part = th_span_trim(th_span_cut(&v, ';'));
        if (part.n > 8 && th_span_ieq(th_span(part.p, 8), TH_LIT("charset=")) &&
            !th_span_ieq(th_span(part.p + 8, part.n - 8), TH_LIT("utf-8")) &&
            !th_span_ieq(th_span(part.p + 8, part.n - 8), TH_LIT("\"utf-8\"")))
            return false;
    }
    return true;
}

/* Checks type and size, which the head alone tells. */
static bool type_passes(struct th_api_req *r)
{
    const struct th_http1_field *type = th_api_request_header(r, "content-type"),
                                *coding = th_api_request_header(r, "content-encoding");

    if (!type || !json_media_type(r, type->value)) {
        th_api_fail(r, 415,
                    type ? "Content-Type must be application/json, in UTF-8"
                         : "Content-Type is missing; it must be application/json");
        return false;
    }
    if (coding && !th_span_ieq(coding->value, TH_LIT("identity"))) {
        th_api_fail(r, 415, "the body may not have a content coding");
        return false;
    }
    return true;
}

static bool size_passes(struct th_api_req *r, uint64_t n)
{
    if ((r->route->flags & TH_R_PUBLISH) || n <= MAX_SETTINGS)
        return true;
    th_api_fail(r, 413, "the request body is larger than allowed: only events may have more than %u bytes",
                MAX_SETTINGS);
    return false;
}

bool th_api_body_judge(struct th_api_req *r)
{
    const struct th_http1_head *head = &r->x->head;

    if (head->body != TH_HTTP1_LENGTH || head->length == 0) /* a chunked one may turn out to be empty */
        return true;
    return size_passes(r, head->length) && type_passes(r);
}

bool th_api_body_begin(struct th_api_req *r)
{
    struct th_span body = r->x->body;

    r->body = (struct th_json){TH_JSON_OBJECT, TH_LIT("{}")};
    if (!body.n && (r->route->flags & TH_R_BODY_MAY))
        return true;
    if (!size_passes(r, body.n))
        return false;
    if (!body.n && !th_api_request_header(r, "content-type")) {
        th_api_fail(r, 400, "the body is missing; it must be JSON");
        return false;
    }
    return type_passes(r);
}

void th_api_body_read(struct th_api_req *r)
{
    uint8_t digest[32];

    if (th_api_request_header(r, "idempotency-key")) {
        th_sha256(r->x->body.p, r->x->body.n, digest);
        memcpy(r->idem.body, digest, sizeof r->idem.body);
    }
    if (!(r->route->flags & (TH_R_BODY | TH_R_BODY_MAY)) ||
        (!r->x->body.n && (r->route->flags & TH_R_BODY_MAY)))
        return;
    r->bad_json = th_json_parse(r->x->body, TH_JSON_DEPTH, &r->body, &r->json_error) != TH_OK;
    if (!r->bad_json && (r->route->flags & TH_R_PUBLISH))
        th_api_event_read(r);
}

bool th_api_body_end(struct th_api_req *r)
{
    if (!r->bad_json)
        return true;
    r->json_line = r->json_error.line;
    r->json_column = r->json_error.column;
    th_api_fail(r, 400, "the body is not JSON: line %u, column %u: %s", r->json_line, r->json_column,
                r->json_error.what);
    return false;
}
