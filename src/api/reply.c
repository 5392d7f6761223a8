/* Answers. Every request ends in one of these functions, which writes the answer and frees the request.
 *
 * Errors are RFC 9457 problem details with request_id and a list of faults; each fault has `pointer` (RFC
 * 6901) and `detail`, or, where the dialect says so, `field` (first name of the pointer) and `message`. On
 * routes that a dialect shapes, its own error form takes their place.
 *
 * The body is built in one buffer of the api, reused for all answers (the server copies or sends it before it
 * returns). An answer that does not fit, or finds no memory, becomes a short 500. Buffers that held a secret
 * are wiped. */
#include "api/private.h"
#include <stdarg.h>
#include <stdio.h>

struct th_jw th_api_begin(struct th_api_req *r)
{
    th_buf_reset(&r->api->out);
    th_buf_reset(&r->api->fields);
    return th_jw(&r->api->out);
}

/* Log, count, free. The body has been handed over. */
static void finish(struct th_api_req *r, unsigned status)
{
    struct th_api *api = r->api;
    unsigned flags = r->route ? r->route->flags : 0;

    if ((flags & TH_R_PUBLISH) && status >= 400 && !r->asked_engine) /* the engine counts what it refuses */
        th_count(api->metrics, TH_C_EVENTS_REFUSED, 1);
    th_log(TH_LOG_DEBUG, "request", TH_KC("request_id", r->x->request_id), TH_KS("method", r->x->head.method),
           TH_KS("path", th_api_loggable(r->x->path)), TH_KI("status", status),
           TH_KS("tenant", th_api_loggable(th_api_tenant_id(r))), TH_KI("bytes", api->out.n));
    th_api_audit(r, status);
}

static void done(struct th_api_req *r)
{
    struct th_api *api = r->api;

    if (r->route && (r->route->flags & TH_R_SECRET)) {
        th_buf_wipe(&api->out);
        if (r->id.n) /* the text of a new key */
            th_wipe((char *)r->id.p, r->id.n);
    }
    if (api->out.cap > TH_API_KEEP_ANSWER)
        th_buf_fini(&api->out);
    th_api_req_free(r);
}

/* Adds the lines that do not depend on the handler and sends. The exchange is gone afterwards. */
static void send(struct th_api_req *r, unsigned status, struct th_span content_type)
{
    struct th_buf *fields = &r->api->fields;

    if (content_type.n) {
        th_buf_str(fields, "Content-Type: ");
        th_buf_span(fields, content_type);
        th_buf_str(fields, "\r\n");
    }
    if (r->route && (r->route->flags & TH_R_SECRET))
        th_buf_str(fields, "Cache-Control: no-store\r\n");
    if (r->repeated)
        th_buf_str(fields, "Idempotency-Replayed: true\r\n");
    if (r->unnamed && r->tenant_id_len) { /* whose object the id was, for requests that go with this one */
        th_buf_str(fields, "Tenterhook-Tenant: ");
        th_buf_span(fields, th_api_tenant_id(r));
        th_buf_str(fields, "\r\n");
    }
    th_api_limit_fields(r);
    if (fields->failed || r->api->out.failed) {
        th_log(TH_LOG_ERROR, "answer could not be written", TH_KC("request_id", r->x->request_id),
               TH_KC("error", th_error_name(fields->failed ? fields->failed : r->api->out.failed)));
        th_buf_reset(&r->api->out);
        finish(r, 500);
        th_http_reply(r->x, 500, TH_LIT("Content-Type: application/problem+json\r\n"),
                      TH_LIT("{\"type\":\"about:blank\",\"title\":\"Internal Server Error\",\"status\":500,"
                             "\"detail\":\"the answer could not be written\"}"));
    } else {
        finish(r, status);
        th_http_reply(r->x, status, th_buf_view(fields), th_buf_view(&r->api->out));
    }
    done(r);
}

/* "q=0" and its longer spellings: not acceptable (RFC 9110, 12.4.2). */
static bool is_refused(struct th_span parameters)
{
    while (parameters.n) {
        struct th_span one = th_span_trim(th_span_cut(&parameters, ';'));
        if (one.n >= 3 && th_lower(one.p[0]) == 'q' && one.p[1] == '=' && one.p[2] == '0') {
            size_t i = one.n > 3 && one.p[3] == '.' ? 4 : 3;
            while (i < one.n && one.p[i] == '0')
                i++;
            return i == one.n;
        }
    }
    return false;
}

/* The next media range of an Accept value that is not refused, without its parameters. */
static bool next_range(struct th_span *rest, struct th_span *range)
{
    while (rest->n) {
        struct th_span parameters = th_span_cut(rest, ',');
        *range = th_span_trim(th_span_cut(&parameters, ';'));
        if (range->n && !is_refused(parameters))
            return true;
    }
    return false;
}

/* A client of a dialect with an error form of its own may ask for the other media type of the same JSON. */
static bool wants_problem_type(const struct th_api_req *r)
{
    const struct th_http1_field *accept;
    struct th_span rest, range;
    bool named = false;

    if (!r->shaped || !r->dialect || !th_dialect_values(r->dialect)->problem_by_accept)
        return false;
    accept = th_api_header(r, "accept");
    if (!accept)
        return false;
    for (rest = accept->value; next_range(&rest, &range);) {
        if (!th_span_ieq(range, TH_LIT("application/problem+json"))) /* something else is welcome too */
            return false;
        named = true;
    }
    return named;
}

void th_api_send(struct th_api_req *r, unsigned status)
{
    send(r, status, wants_problem_type(r) ? TH_LIT("application/problem+json") : TH_LIT("application/json"));
}

void th_api_send_empty(struct th_api_req *r, unsigned status)
{
    th_buf_reset(&r->api->out);
    send(r, status, TH_LIT(""));
}

void th_api_send_lasting(struct th_api_req *r, struct th_span content_type, struct th_span body)
{
    struct th_buf *fields = &r->api->fields;

    (void)th_api_begin(r);
    th_buf_str(fields, "Content-Type: ");
    th_buf_span(fields, content_type);
    th_buf_str(fields, "\r\n");
    th_api_limit_fields(r);
    if (fields->failed) {
        th_api_fail_nomem(r);
        return;
    }
    finish(r, 200);
    th_http_reply_lasting(r->x, 200, th_buf_view(fields), body);
    done(r);
}

void th_api_send_text(struct th_api_req *r, unsigned status, struct th_span content_type, struct th_span body)
{
    th_buf_reset(&r->api->fields);
    th_buf_reset(&r->api->out);
    th_buf_span(&r->api->out, body);
    send(r, status, content_type);
}

/* ---- faults ---- */

static void add_error(struct th_api_req *r, struct th_span where, bool parameter, const char *format,
                      va_list ap)
{
    struct th_api_error *e;
    char text[300];
    int n;

    if (r->error_count == TH_API_MAX_ERRORS)
        return;
    e = &r->errors[r->error_count];
    n = vsnprintf(text, sizeof text, format, ap);
    if (n < 0)
        return;
    if (!th_arena_copy(&r->mem, where, &e->pointer) ||
        !th_arena_copy(&r->mem, th_span(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1),
                       &e->detail))
        return;
    e->parameter = parameter;
    r->error_count++;
}

void th_api_error(struct th_api_req *r, struct th_span pointer, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    add_error(r, pointer, false, format, ap);
    va_end(ap);
}

void th_api_error_param(struct th_api_req *r, const char *name, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    add_error(r, th_str(name), true, format, ap);
    va_end(ap);
}

/* First name of a pointer, after the index of a batch: "/3/type" → "type", "/events/0" → "events". */
static struct th_span field_of(const struct th_api_error *e)
{
    const char *p = e->pointer.p, *end = p + e->pointer.n, *from;

    if (e->parameter)
        return e->pointer;
    for (int round = 0; round < 2 && p < end; round++) {
        from = ++p;
        while (p < end && *p != '/')
            p++;
        if (p == end || !(*from >= '0' && *from <= '9'))
            return th_span(from, (size_t)(p - from));
    }
    return TH_LIT("");
}

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

static bool fault_field(void *ctx, struct th_span name, unsigned index, struct th_buf *out)
{
    struct fault *f = ctx;
    const struct th_api_error *e = index < f->r->error_count ? &f->r->errors[index] : NULL;
    struct th_jw w = th_jw(out);

    if (th_span_is(name, "status"))
        th_jw_u64(&w, f->status);
    else if (th_span_is(name, "title"))
        th_jw_string(&w, th_str(th_http_reason(f->status)));
    else if (th_span_is(name, "detail"))
        th_jw_string(&w, f->detail);
    else if (th_span_is(name, "request_id"))
        th_jw_string(&w, th_str(f->r->x->request_id));
    else if (th_span_is(name, "code"))
        th_jw_string(&w, th_str(error_code(f->status)));
    else if (th_span_is(name, "category"))
        th_jw_string(&w, th_str(error_category(f)));
    else if (e && th_span_is(name, "field") && field_of(e).n)
        th_jw_string(&w, field_of(e));
    else if (e && th_span_is(name, "pointer"))
        th_jw_string(&w, e->pointer);
    else if (e && th_span_is(name, "message"))
        th_jw_string(&w, e->detail);
    else
        return false;
    return true;
}

/* A fault of the whole body has no field; it comes alone, and the detail says it. */
static unsigned fields_at_fault(const struct th_api_req *r)
{
    return r->error_count && field_of(&r->errors[0]).n ? r->error_count : 0;
}

static unsigned fault_count(void *ctx, struct th_span name)
{
    struct fault *f = ctx;

    return th_span_is(name, "errors") ? fields_at_fault(f->r) : 0;
}

/* ---- errors ---- */

static bool by_field(const struct th_api_req *r)
{
    return r->dialect && th_dialect_values(r->dialect)->faults_by_field;
}

static void write_errors(struct th_api_req *r, struct th_jw *w)
{
    th_jw_key(w, TH_LIT("errors"));
    th_jw_array(w);
    for (unsigned i = 0; i < r->error_count; i++) {
        const struct th_api_error *e = &r->errors[i];
        th_jw_object(w);
        if (by_field(r)) {
            th_api_str(w, "field", field_of(e));
            th_api_str(w, "message", e->detail);
        } else {
            th_api_str(w, e->parameter ? "parameter" : "pointer", e->pointer);
            th_api_str(w, "detail", e->detail);
        }
        th_jw_end_object(w);
    }
    th_jw_end_array(w);
}

static void write_problem(struct th_api_req *r, unsigned status, struct th_span detail)
{
    struct th_jw w = th_jw(&r->api->out);

    th_jw_object(&w);
    th_api_str(&w, "type", TH_LIT("about:blank"));
    th_api_str(&w, "title", th_str(th_http_reason(status)));
    th_api_int(&w, "status", status);
    th_api_str(&w, "detail", detail);
    th_api_str(&w, "request_id", th_str(r->x->request_id));
    if (r->limit)
        th_api_str(&w, "limit", th_str(r->limit));
    if (r->json_line) {
        th_api_int(&w, "line", r->json_line);
        th_api_int(&w, "column", r->json_column);
    }
    if (by_field(r) ? fields_at_fault(r) : r->error_count)
        write_errors(r, &w);
    th_jw_end_object(&w);
}

static void write_status_fields(struct th_api_req *r, unsigned status)
{
    struct th_buf *fields = &r->api->fields;

    if (status == 401)
        th_buf_str(fields, th_api_header(r, "authorization")
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
    (void)th_api_begin(r);
    write_status_fields(r, status);
    if (r->shaped) {
        if (!r->dialect)
            r->dialect = th_api_client_dialect(r);
        if (r->dialect && th_dialect_has_shape(r->dialect, TH_SHAPE_ERROR)) {
            if (th_dialect_shape(r->dialect, TH_SHAPE_ERROR, &source, &r->api->out) && !r->api->out.failed)
                r->api->out.failed = TH_NOMEM;
            th_api_send(r, status);
            return;
        }
    }
    write_problem(r, status, fault.detail);
    send(r, status, TH_LIT("application/problem+json"));
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
    th_json_pointer_words(&where, r->errors[0].pointer); /* programs have the pointer in the list */
    th_api_fail(r, status, "%s%s%.*s%s", th_buf_cstr(&where), r->errors[0].pointer.n ? ": " : "the body ",
                (int)r->errors[0].detail.n, r->errors[0].detail.p, more);
    th_buf_fini(&where);
}

void th_api_fail_limit(struct th_api_req *r, enum th_limit limit, const char *detail)
{
    r->limit = th_limit_name(limit);
    r->retry_after_s = 60; /* it takes somebody, or time, to make room */
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
