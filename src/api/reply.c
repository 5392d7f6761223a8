/* Sends answers. Those that report an error are written in fail.c, and are sent here, too. Each one frees the
 * request.
 *
 * The body is built in one buffer of the api, reused for all answers (the server copies or sends it before it
 * returns). An answer that does not fit, or finds no memory, becomes a short 500. Buffers that held a secret
 * are wiped. */
#include "api/reply.h"
#include "api/audit.h"
#include "api/rate.h"
#include "api/refused.h"
#include "api/request.h"
#include "api/route.h"
#include "api/state.h"
#include "base/alloc.h"
#include "base/log.h"
#include "engine/engine.h"
#include "net/http_server.h"

#define KEEP_ANSWER (1u << 20) /* larger buffers go back to the heap after the answer */

struct th_jw th_api_reply_begin(struct th_api_req *r)
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
    if ((flags & TH_R_PUBLISH) && status >= 400)
        th_api_refused(r, status);
    th_log(TH_LOG_DEBUG, "request", TH_KC("request_id", r->x->request_id), TH_KS("method", r->x->head.method),
           TH_KS("path", th_api_audit_loggable(r->x->path)), TH_KI("status", status),
           TH_KS("tenant", th_api_audit_loggable(th_api_request_tenant_id(r))), TH_KI("bytes", api->out.n));
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
    if (api->out.cap > KEEP_ANSWER)
        th_buf_fini(&api->out);
    th_api_request_free(r);
}

/* Adds the lines that do not depend on the handler. */
static void add_fields(struct th_api_req *r, struct th_span content_type)
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
    if (r->unnamed && !r->all_tenants &&
        r->tenant_id_len) { /* the tenant whose object the id named, for the client's next requests */
        th_buf_str(fields, "Tenterhook-Tenant: ");
        th_buf_span(fields, th_api_request_tenant_id(r));
        th_buf_str(fields, "\r\n");
    }
    th_api_rate_fields(r);
}

/* Sends the last part of an answer; or breaks the answer off, if an error comes too late to be reported. */
static void end_parts(struct th_api_req *r, bool whole)
{
    if (whole) {
        (void)th_http_write(r->x, th_buf_view(&r->api->out));
        th_http_end(r->x);
    } else {
        th_log(TH_LOG_WARN, "an answer was broken off", TH_KC("request_id", r->x->request_id));
        th_http_abort(r->x);
    }
    done(r);
}

/* The exchange is gone afterwards. */
void th_api_reply_as(struct th_api_req *r, unsigned status, struct th_span content_type)
{
    struct th_buf *fields = &r->api->fields;

    if (r->in_parts) {
        end_parts(r, status == 200 && !r->api->out.failed);
        return;
    }

    add_fields(r, content_type);
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
    accept = th_api_request_header(r, "accept");
    if (!accept)
        return false;
    for (rest = accept->value; next_range(&rest, &range);) {
        if (!th_span_ieq(range,
                         TH_LIT("application/problem+json"))) /* the client accepts something else, too */
            return false;
        named = true;
    }
    return named;
}

void th_api_reply(struct th_api_req *r, unsigned status)
{
    th_api_reply_as(r, status,
                    wants_problem_type(r) ? TH_LIT("application/problem+json") : TH_LIT("application/json"));
}

void th_api_reply_empty(struct th_api_req *r, unsigned status)
{
    th_buf_reset(&r->api->out);
    th_api_reply_as(r, status, TH_LIT(""));
}

/* ---- in parts ---- */

static void write_part(void *arg)
{
    struct th_api_req *r = arg;

    r->part(r);
}

static void on_room(struct th_http_exchange *x)
{
    struct th_api_req *r = x->user;

    r->part_waits = false;
    th_engine_defer(r->api->engine, &r->defer, write_part, r);
}

static void on_gone(struct th_http_exchange *x)
{
    struct th_api_req *r = x->user;

    r->lost = true; /* otherwise the next part notices it */
    if (!r->part_waits)
        return;
    th_buf_reset(&r->api->out);
    end_parts(r, true);
}

void th_api_reply_part(struct th_api_req *r, void (*next)(struct th_api_req *r))
{
    static const struct th_http_parts parts = {on_room, on_gone, false};
    size_t room;

    if (!r->in_parts) {
        add_fields(r, TH_LIT("application/json"));
        if (r->api->fields.failed || r->api->out.failed) {
            th_buf_reset(&r->api->fields);
            th_api_reply_as(r, 500, TH_LIT("")); /* which says so */
            return;
        }
        finish(r, 200);
        r->in_parts = true;
        r->lost = !th_http_begin(r->x, 200, th_buf_view(&r->api->fields), &parts);
    }
    if (r->api->out.failed || r->lost) {
        end_parts(r, !r->api->out.failed);
        return;
    }
    r->part = next;
    room = th_http_write(r->x, th_buf_view(&r->api->out));
    if (r->api->out.cap > KEEP_ANSWER)
        th_buf_fini(&r->api->out);
    r->part_waits = !room;
    if (room)
        th_engine_defer(r->api->engine, &r->defer, write_part, r);
}

/* ---- streams ---- */

bool th_api_reply_stream(struct th_api_req *r, const struct th_http_parts *parts)
{
    (void)th_api_reply_begin(r);
    th_buf_str(&r->api->fields, "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n");
    add_fields(r, TH_LIT("text/event-stream"));
    finish(r, 200);
    return th_http_begin(r->x, 200, th_buf_view(&r->api->fields), parts);
}

void th_api_reply_lasting(struct th_api_req *r, struct th_span content_type, struct th_span body)
{
    struct th_buf *fields = &r->api->fields;

    (void)th_api_reply_begin(r);
    th_buf_str(fields, "Content-Type: ");
    th_buf_span(fields, content_type);
    th_buf_str(fields, "\r\n");
    th_api_rate_fields(r);
    if (fields->failed) {
        th_api_reply_as(r, 200, TH_LIT("")); /* which says so */
        return;
    }
    finish(r, 200);
    th_http_reply_lasting(r->x, 200, th_buf_view(fields), body);
    done(r);
}

void th_api_reply_text(struct th_api_req *r, unsigned status, struct th_span content_type,
                       struct th_span body)
{
    th_buf_reset(&r->api->fields);
    th_buf_reset(&r->api->out);
    th_buf_span(&r->api->out, body);
    th_api_reply_as(r, status, content_type);
}
