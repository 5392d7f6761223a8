/* Answers that report an error.
 *
 * Errors are RFC 9457 problem details with request_id and a list of faults; each fault has `pointer` (RFC
 * 6901) and `detail`, or, where the dialect says so, `field` (first name of the pointer) and `message`. On
 * routes that a dialect shapes, its own error form takes their place. */
#include "api/fail.h"
#include "api/fault.h"
#include "api/key.h"
#include "api/member.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/route.h"
#include "api/state.h"
#include "core/limits.h"
#include "net/http_server.h"
#include "net/tls_common.h"

/* ---- a dialect's error form: sources by native name ---- */

struct fault {
    struct th_api_req *r;
    unsigned status;
    struct th_span detail;
};

static const char *error_code(unsigned status)
{
    switch (status) {
    case 400:
    case 415:
    case 422:
        return "invalid_request";
    case 401:
        return "unauthorized";
    case 403:
        return "forbidden";
    case 404:
        return "not_found";
    case 405:
        return "method_not_allowed";
    case 409:
        return "conflict";
    case 412:
        return "precondition_failed";
    case 413:
        return "too_large";
    case 429:
        return "rate_limited";
    default:
        return status >= 500 ? "internal_error" : "error";
    }
}

static const char *error_category(const struct fault *f)
{
    if (f->r->error_count)
        return "validation_error";
    if (f->status == 401 || f->status == 403)
        return "authentication_error";
    return f->status >= 500 ? "api_error" : "invalid_request_error";
}

static bool show(struct th_jw *w, struct th_span text)
{
    if (text.n)
        th_jw_string(w, text);
    return text.n > 0;
}

static bool fault_field(void *ctx, enum th_field field, unsigned index, struct th_buf *out)
{
    struct fault *f = ctx;
    const struct th_api_fault *e = index < f->r->error_count ? &f->r->room->errors[index] : NULL;
    struct th_jw w = th_jw(out);

    switch (field) {
    case TH_A_STATUS:
        th_jw_u64(&w, f->status);
        return true;
    case TH_A_TITLE:
        return show(&w, th_str(th_http_reason(f->status)));
    case TH_A_DETAIL:
        th_jw_string(&w, f->detail);
        return true;
    case TH_A_REQUEST_ID:
        th_jw_string(&w, th_str(f->r->x->request_id));
        return true;
    case TH_A_CODE:
        return show(&w, th_str(error_code(f->status)));
    case TH_A_CATEGORY:
        return show(&w, th_str(error_category(f)));
    case TH_A_FAULT_FIELD:
        return e && show(&w, th_api_fault_field(e));
    case TH_A_FAULT_POINTER:
        if (e)
            th_jw_string(&w, e->pointer);
        return e != NULL;
    case TH_A_FAULT_MESSAGE:
        return e && show(&w, e->detail);
    default:
        return false;
    }
}

/* A fault of the whole body has no field; it is the only one, and the detail says what it is. */
static unsigned fields_at_fault(const struct th_api_req *r)
{
    return r->error_count && th_api_fault_field(&r->room->errors[0]).n ? r->error_count : 0;
}

static unsigned fault_count(void *ctx, enum th_field_list list)
{
    struct fault *f = ctx;

    return list == TH_LIST_ERRORS ? fields_at_fault(f->r) : 0;
}

/* ---- problem details ---- */

static bool by_field(const struct th_api_req *r)
{
    return !r->native && r->dialect && th_dialect_values(r->dialect)->faults_by_field;
}

static void write_errors(struct th_api_req *r, struct th_jw *w)
{
    th_jw_key(w, TH_LIT("errors"));
    th_jw_array(w);
    for (unsigned i = 0; i < r->error_count; i++) {
        const struct th_api_fault *e = &r->room->errors[i];
        th_jw_object(w);
        if (by_field(r)) {
            th_api_member_str(w, "field", th_api_fault_field(e));
            th_api_member_str(w, "message", e->detail);
        } else {
            th_api_member_str(w, e->parameter ? "parameter" : "pointer", e->pointer);
            th_api_member_str(w, "detail", e->detail);
        }
        th_jw_end_object(w);
    }
    th_jw_end_array(w);
}

static void write_problem(struct th_api_req *r, unsigned status, struct th_span detail)
{
    struct th_jw w = th_jw(&r->api->out);

    th_jw_object(&w);
    th_api_member_str(&w, "type", TH_LIT("about:blank"));
    th_api_member_str(&w, "title", th_str(th_http_reason(status)));
    th_api_member_int(&w, "status", status);
    th_api_member_str(&w, "detail", detail);
    th_api_member_str(&w, "request_id", th_str(r->x->request_id));
    if (r->limit)
        th_api_member_str(&w, "limit", th_str(r->limit));
    if (r->needed_role)
        th_api_member_str(&w, "role", th_str(r->needed_role));
    if (r->json_line) {
        th_api_member_int(&w, "line", r->json_line);
        th_api_member_int(&w, "column", r->json_column);
    }
    if (by_field(r) ? fields_at_fault(r) : r->error_count)
        write_errors(r, &w);
    th_jw_end_object(&w);
}

/* ---- the answers ---- */

static void write_status_fields(struct th_api_req *r, unsigned status)
{
    struct th_buf *fields = &r->api->fields;

    if (status == 401)
        th_buf_str(fields, th_api_request_header(r, "authorization")
                               ? "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"
                               : "WWW-Authenticate: Bearer\r\n");
    if (status == 405)
        th_buf_printf(fields, "Allow: %s\r\n", r->allow);
    if (status == 429 || status == 503)
        th_buf_printf(fields, "Retry-After: %u\r\n", r->retry_after_s ? r->retry_after_s : 1);
    if (status == 415 && r->route && (r->route->flags & TH_R_MERGE))
        th_buf_str(fields, "Accept-Patch: application/merge-patch+json, application/json\r\n");
}

void th_api_fail(struct th_api_req *r, unsigned status, const char *format, ...)
{
    char text[400];
    struct fault fault = {r, status, {text, 0}};
    struct th_shape_source source = {fault_field, fault_count, &fault, NULL};
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    fault.detail.n = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    (void)th_api_reply_begin(r);
    write_status_fields(r, status);
    if (r->shaped) {
        if (!r->dialect)
            r->dialect = th_api_key_dialect(r);
        if (r->dialect && th_dialect_has_shape(r->dialect, TH_SHAPE_ERROR)) {
            if (th_dialect_shape(r->dialect, TH_SHAPE_ERROR, &source, &r->api->out) && !r->api->out.failed)
                r->api->out.failed = TH_NOMEM;
            th_api_reply(r, status);
            return;
        }
    }
    write_problem(r, status, fault.detail);
    th_api_reply_as(r, status, TH_LIT("application/problem+json"));
}

void th_api_fail_invalid(struct th_api_req *r)
{
    unsigned status = 422;
    char more[32] = "";
    struct th_buf where;

    if (r->error_count == 0) { /* there was a fault, but no memory to keep it */
        th_api_fail_nomem(r);
        return;
    }
    if (r->shaped && r->dialect)
        status = th_dialect_values(r->dialect)->validation_status;
    if (r->error_count > 1) /* error forms without a list show this alone */
        snprintf(more, sizeof more, " (and %u more)", r->error_count - 1);
    th_buf_init(&where, 400);
    th_json_pointer_words(&where, r->room->errors[0].pointer); /* programs have the pointer in the list */
    th_api_fail(r, status, "%s%s%.*s%s", th_buf_cstr(&where),
                r->room->errors[0].pointer.n ? ": " : "the body ", (int)r->room->errors[0].detail.n,
                r->room->errors[0].detail.p, more);
    th_buf_fini(&where);
}

void th_api_fail_limit(struct th_api_req *r, enum th_limit limit, const char *detail)
{
    r->limit = th_limit_name(limit);
    r->retry_after_s = 60; /* making room needs a person, or time */
    th_count(r->api->metrics, TH_C_LIMITS_REACHED, 1);
    th_api_fail(r, 429, "%s", detail);
}

void th_api_fail_store(struct th_api_req *r, enum th_error error)
{
    if (error == TH_NOMEM || error == TH_RETRY || error == TH_FULL || error == TH_CANCELLED)
        th_api_fail(r, 503, "the store cannot serve this now: %s", th_error_name(error));
    else
        th_api_fail(r, 500, "the store failed: %s", th_error_name(error));
}

void th_api_fail_nomem(struct th_api_req *r)
{
    th_api_fail(r, 503, "out of memory for this request");
}

void th_api_fail_conflict(struct th_api_req *r, const char *detail)
{
    if (r->idem.given && !r->idem_first)
        th_api_fail(r, 409, "the first request with this Idempotency-Key was still under way");
    else
        th_api_fail(r, 409, "%s", detail[0] ? detail : "the object's state does not allow this");
}
