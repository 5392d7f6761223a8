/* Writes deliveries and attempts into answers: native forms, and one source of fields by native name for the
 * shapes of dialects.
 *
 * The request of a past attempt is rendered again by the engine, with authorization and custom values as
 * "***". Bodies that are not UTF-8 are shown in base64 under body_base64; one that was cut inside a character is shown
 * up to it. An attempt's times are milliseconds
 * with microseconds after the point; a step that did not happen is null. */
#include "api/delivery_view.h"
#include "api/cursor.h"
#include "api/list.h"
#include "api/member.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "base/enc.h"
#include "core/guard.h"
#include "engine/engine.h"
#include "net/tls_common.h"
#include "port/transport.h"

/* ---- parts ---- */

static void write_body(struct th_jw *w, struct th_span body)
{
    if (th_utf8_ok(body)) {
        th_api_member_str(w, "body", body);
        return;
    }
    th_jw_key(w, TH_LIT("body_base64"));
    th_jw_raw(w, TH_LIT("\""));
    th_base64(w->out, body.p, body.n);
    th_buf_char(w->out, '"');
}

/* The kept beginning of an answer's body. */
static struct th_span kept_body(const struct th_attempt_row *row)
{
    struct th_span whole = row->truncated ? th_utf8_cut(row->body) : row->body;

    return th_utf8_ok(whole) ? whole : row->body;
}

/* Takes the next field line off `rest`. */
static bool next_line(struct th_span *rest, struct th_span *name, struct th_span *value)
{
    while (rest->n) {
        const char *eol = memchr(rest->p, '\n', rest->n), *colon;
        struct th_span line = {rest->p, eol ? (size_t)(eol - rest->p) : rest->n};
        size_t used = line.n + (eol != NULL);
        *rest = th_span(rest->p + used, rest->n - used);
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        colon = line.n ? memchr(line.p, ':', line.n) : NULL;
        if (!colon)
            continue;
        *name = th_span(line.p, (size_t)(colon - line.p));
        *value = th_span(colon + 1, line.n - name->n - 1);
        while (value->n && (*value->p == ' ' || *value->p == '\t')) {
            value->p++;
            value->n--;
        }
        return true;
    }
    return false;
}

static bool seen_before(struct th_span head, const char *until, struct th_span name)
{
    struct th_span rest = th_span(head.p, (size_t)(until - head.p)), other, value;

    while (next_line(&rest, &other, &value))
        if (th_span_ieq(other, name))
            return true;
    return false;
}

/* Writes an object; values of a name that occurs more than once are joined by ", " (RFC 9110 section 5.3). */
static void write_headers(struct th_jw *w, struct th_span head)
{
    struct th_span rest = head, name, value;
    struct th_buf joined;

    th_buf_init(&joined, 1u << 20);
    th_jw_key(w, TH_LIT("headers"));
    th_jw_object(w);
    while (next_line(&rest, &name, &value)) {
        struct th_span more = rest, other, text;
        if (seen_before(head, name.p, name))
            continue;
        th_buf_reset(&joined);
        th_buf_span(&joined, value);
        while (next_line(&more, &other, &text))
            if (th_span_ieq(other, name)) {
                th_buf_str(&joined, ", ");
                th_buf_span(&joined, text);
            }
        th_jw_key(w, name);
        th_jw_string(w, th_buf_view(&joined));
    }
    th_jw_end_object(w);
    th_buf_fini(&joined);
}

/* The content coding that an answer names; {NULL, 0} without one, or with "identity". */
static struct th_span coding_of(const struct th_attempt_row *row)
{
    struct th_span rest = row->head, name, value;

    while (next_line(&rest, &name, &value))
        if (th_span_ieq(name, TH_LIT("content-encoding")) && value.n &&
            !th_span_ieq(value, TH_LIT("identity")))
            return value;
    return (struct th_span){NULL, 0};
}

static void write_ms(struct th_jw *w, const char *name, int32_t us)
{
    char part[4] = {'.'};

    th_jw_key(w, th_str(name));
    if (us < 0) {
        th_jw_null(w);
        return;
    }
    th_jw_raw(w, TH_LIT(""));
    th_buf_u64(w->out, (uint64_t)us / 1000); /* a list writes five of them a row */
    part[1] = (char)('0' + us / 100 % 10);
    part[2] = (char)('0' + us / 10 % 10);
    part[3] = (char)('0' + us % 10);
    th_buf_span(w->out, th_span(part, sizeof part));
}

static const char *outcome(const struct th_attempt_row *row)
{
    return th_outcome_name((enum th_http_class)row->class, row->ok);
}

static void write_endpoint_id(struct th_api_req *r, struct th_jw *w, uint64_t no,
                              const struct th_past_endpoint *past)
{
    if (!th_engine_endpoint_no(r->api->engine, no) && !past->created) { /* deleted this moment */
        th_jw_null(w);
        return;
    }
    th_jw_raw(w, TH_LIT("\""));
    (void)th_engine_endpoint_id_of(r->api->engine, r->dialect, no, past, w->out);
    th_buf_char(w->out, '"');
}

static void write_event_id(struct th_api_req *r, struct th_jw *w, const struct th_event_row *row)
{
    th_jw_raw(w, TH_LIT("\""));
    th_engine_event_id(r->api->engine, r->dialect, row, w->out);
    th_buf_char(w->out, '"');
}

static void write_delivery_id(struct th_api_req *r, struct th_jw *w, const struct th_event_row *event,
                              uint64_t no)
{
    th_jw_raw(w, TH_LIT("\""));
    th_engine_delivery_id(r->api->engine, r->dialect, event, no, w->out);
    th_buf_char(w->out, '"');
}

/* ---- attempts ---- */

static void write_address(struct th_jw *w, const struct th_addr *a)
{
    th_jw_key(w, TH_LIT("address"));
    if (!a->family) {
        th_jw_null(w);
        return;
    }
    th_jw_raw(w, a->family == 6 ? TH_LIT("\"[") : TH_LIT("\""));
    th_addr_format(w->out, a);
    th_buf_str(w->out, a->family == 6 ? "]:" : ":");
    th_buf_u64(w->out, a->port);
    th_buf_char(w->out, '"');
}

/* The lines that the transport adds: Host in front, Content-Length behind. */
static void write_sent_headers(struct th_jw *w, struct th_span url, struct th_span head, struct th_span body,
                               bool whole)
{
    struct th_url parsed;
    struct th_buf all;

    th_buf_init(&all, 512u << 10);
    if (th_url_parse(url, &parsed, NULL) == TH_OK) {
        th_buf_str(&all, "Host: ");
        th_buf_span(&all, parsed.authority);
        th_buf_str(&all, "\r\n");
    }
    th_buf_span(&all, head);
    if (whole)
        th_buf_printf(&all, "Content-Length: %zu\r\n", body.n);
    if (all.failed)
        w->out->failed = all.failed;
    write_headers(w, th_buf_view(&all));
    th_buf_fini(&all);
}

static void write_request(struct th_jw *w, struct th_api_req *r, const struct th_attempt_view *view)
{
    struct th_buf head, body, url;
    struct th_span method;

    th_buf_init(&head, 256u << 10);
    th_buf_init(&body, 32u << 20);
    th_buf_init(&url, 64u << 10);
    th_jw_key(w, TH_LIT("request"));
    if (!r->tenant ||
        th_engine_show_request(r->api->engine, r->tenant, view, th_api_request_may(r, TH_SCOPE_MANAGE), &head,
                               &body, &url, &method)) {
        th_jw_null(w);
    } else {
        th_jw_object(w);
        th_api_member_str(w, "method", method);
        th_api_member_str(w, "url", th_buf_view(&url));
        write_sent_headers(w, th_buf_view(&url), th_buf_view(&head), th_buf_view(&body), !view->row.batch);
        write_body(w, th_buf_view(&body));
        th_jw_end_object(w);
    }
    th_buf_fini(&head);
    th_buf_fini(&body);
    th_buf_fini(&url);
}

/* Head and body were written by the endpoint: they are for keys with the scope for them. */
static void write_response(struct th_jw *w, const struct th_api_req *r, const struct th_attempt_row *row)
{
    th_jw_key(w, TH_LIT("response"));
    if (!row->status) {
        th_jw_null(w);
        return;
    }
    th_jw_object(w);
    th_api_member_int(w, "status", row->status);
    if (!th_api_request_may(r, TH_SCOPE_ANSWERS)) {
        th_api_member_str(w, "hidden", TH_LIT("headers and body need the scope answers:read"));
        th_jw_end_object(w);
        return;
    }
    write_headers(w, row->head);
    write_body(w, kept_body(row));
    if (coding_of(row).n && row->body.n)
        th_api_member_str(w, row->decoded ? "decoded_from" : "encoding", coding_of(row));
    th_jw_key(w, TH_LIT("truncated"));
    th_jw_bool(w, row->truncated);
    th_jw_end_object(w);
}

/* When the next attempt is due; 0: not before somebody resumes the endpoint, or there is none. */
static int64_t next_attempt(const struct th_delivery_row *row, const char *status)
{
    return row->state == TH_DS_QUEUED && strcmp(status, "held") != 0 ? row->due : 0;
}

/* Sequence numbers of all deliveries that the request was for. */
static void write_batch(struct th_jw *w, const struct th_attempt_row *row)
{
    uint64_t deliveries[TH_ORDER_BATCH_MAX];
    struct th_span id;
    unsigned count = th_engine_batch(row, deliveries, &id);

    if (!count)
        return;
    th_jw_key(w, TH_LIT("batch"));
    th_jw_array(w);
    for (unsigned i = 0; i < count; i++)
        th_jw_u64(w, deliveries[i]);
    th_jw_end_array(w);
}

/* Writes an attempt without request and answer. */
static void write_attempt(struct th_jw *w, const struct th_attempt_row *row, bool test)
{
    static const char *const parts[5] = {"dns_ms", "connect_ms", "tls_ms", "first_byte_ms", "duration_ms"};

    th_api_member_int(w, "number", row->nth);
    th_api_member_time(w, "time", row->at.ms);
    th_api_member_test(w, test);
    th_api_member_str(w, "outcome", th_str(outcome(row)));
    th_jw_key(w, TH_LIT("status"));
    if (row->status)
        th_jw_u64(w, row->status);
    else
        th_jw_null(w);
    th_jw_key(w, TH_LIT("detail"));
    if (row->detail.n)
        th_jw_string(w, row->detail);
    else
        th_jw_null(w);
    write_ms(w, parts[4], row->us[4]);
    for (int i = 0; i < 4; i++)
        write_ms(w, parts[i], row->us[i]);
    write_address(w, &row->peer);
    th_jw_key(w, TH_LIT("connection_reused"));
    th_jw_bool(w, row->reused);
    write_batch(w, row);
}

static void attempt_whole(struct th_jw *w, struct th_api_req *r, const struct th_attempt_view *view)
{
    th_jw_object(w);
    write_attempt(w, &view->row, view->test);
    write_request(w, r, view);
    write_response(w, r, &view->row);
    th_jw_end_object(w);
}

void th_api_delivery_attempt(struct th_jw *w, struct th_api_req *r, const struct th_attempt_view *view)
{
    const struct th_delivery_row *d = &view->of;
    const char *reason = NULL, *status = th_engine_status(r->api->engine, d, &reason);

    th_jw_object(w);
    th_jw_key(w, TH_LIT("delivery"));
    write_delivery_id(r, w, &view->event, view->delivery);
    th_jw_key(w, TH_LIT("event"));
    write_event_id(r, w, &view->event);
    if (r->all_tenants)
        th_api_member_str(w, "tenant", th_api_request_tenant_id(r));
    th_api_member_str(w, "event_type", view->event.type);
    th_jw_key(w, TH_LIT("endpoint"));
    write_endpoint_id(r, w, view->endpoint, &view->past);
    write_attempt(w, &view->row, view->test);
    th_api_member_str(w, "delivery_status", th_str(status));
    th_api_member_time(w, "next_attempt_at", next_attempt(d, status));
    th_jw_end_object(w);
}

/* ---- deliveries ---- */

static void write_last(struct th_jw *w, const struct th_delivery_row *row)
{
    th_jw_key(w, TH_LIT("last_attempt"));
    if (!row->last_attempt) {
        th_jw_null(w);
        return;
    }
    th_jw_object(w);
    th_api_member_int(w, "number", row->last.nth);
    th_api_member_time(w, "time", row->last.at.ms);
    th_api_member_str(w, "outcome", th_str(outcome(&row->last)));
    th_jw_key(w, TH_LIT("status"));
    if (row->last.status)
        th_jw_u64(w, row->last.status);
    else
        th_jw_null(w);
    write_ms(w, "duration_ms", row->last.us[4]);
    th_jw_end_object(w);
}

/* So many attempts have failed that the dialect calls the delivery degraded. */
static bool degraded(const struct th_api_req *r, const struct th_delivery_row *row)
{
    unsigned after = th_dialect_values(r->dialect)->rules.degraded_after;

    return after && row->attempts >= after && row->state != TH_DS_DELIVERED && row->lane != TH_LANE_TEST;
}

/* The schedule in force, where the endpoint has its own; elsewhere it is the dialect's, which has a route. */
static void write_schedule(struct th_jw *w, const struct th_api_req *r, const struct th_delivery_row *row)
{
    const struct th_endpoint *ep = th_engine_endpoint_no(r->api->engine, row->endpoint);
    struct th_retry_own own;
    struct th_rules room;

    if (!ep || !ep->spec.retry || row->lane == TH_LANE_TEST)
        return;
    th_retry_own_of(th_retry_rules(&th_dialect_values(ep->tenant->dialect)->rules, ep->spec.retry, &room),
                    &own);
    th_jw_key(w, TH_LIT("schedule"));
    th_retry_own_write(&own, w);
    th_api_member_int(w, "tries", row->tries);
}

void th_api_delivery_row(struct th_jw *w, struct th_api_list *l, unsigned i, bool attempts)
{
    const struct th_delivery_row *row = &l->deliveries[i];
    const char *reason = NULL, *status = th_engine_status(l->r->api->engine, row, &reason);

    th_jw_object(w);
    th_jw_key(w, TH_LIT("id"));
    write_delivery_id(l->r, w, &row->event, row->no);
    th_jw_key(w, TH_LIT("event"));
    write_event_id(l->r, w, &row->event);
    if (l->r->all_tenants)
        th_api_member_str(w, "tenant", th_api_request_tenant_id(l->r));
    th_api_member_str(w, "event_type", row->event.type);
    th_jw_key(w, TH_LIT("endpoint"));
    write_endpoint_id(l->r, w, row->endpoint, &row->past);
    th_api_member_test(w, row->event.test || row->lane == TH_LANE_TEST);
    th_api_member_str(w, "status", th_str(status));
    if (reason)
        th_api_member_str(w, "reason", th_str(reason));
    th_api_member_int(w, "attempt_count", row->attempts);
    if (degraded(l->r, row)) {
        th_jw_key(w, TH_LIT("degraded"));
        th_jw_bool(w, true);
    }
    if (row->marks & TH_MARK_SKIPPED) {
        th_jw_key(w, TH_LIT("skipped"));
        th_jw_bool(w, true);
    }
    if (row->marks & TH_MARK_FILTER_ERROR) {
        th_jw_key(w, TH_LIT("filter_error"));
        th_jw_bool(w, true);
    }
    th_api_member_time(w, "created_at", row->event.at.ms);
    th_api_member_time(w, "next_attempt_at", next_attempt(row, status));
    th_api_member_time(w, "ended_at", row->ended);
    if (row->event.erased)
        th_api_member_time(w, "erased_at", row->event.erased);
    write_last(w, row);
    if (attempts && l->waits_for) {
        th_jw_key(w, TH_LIT("waits_for"));
        write_delivery_id(l->r, w, &l->waits_for->event, l->waits_for->no);
    }
    if (attempts) {
        write_schedule(w, l->r, row);
        th_jw_key(w, TH_LIT("attempts"));
        th_jw_array(w);
        for (unsigned k = l->attempt_count; k-- > 0;) /* read newest first, shown in order */
            attempt_whole(w, l->r, &l->attempts[k]);
        th_jw_end_array(w);
        th_api_cursor_next(l->r, w, l->next); /* to earlier ones */
    }
    th_jw_end_object(w);
}

void th_api_delivery_page_row(struct th_jw *w, struct th_api_req *r, const struct th_page *p, unsigned i)
{
    struct th_api_list l = {.r = r, .deliveries = p->rows.deliveries, .count = p->count};

    th_api_delivery_row(w, &l, i, false);
}

void th_api_delivery_page_end(struct th_jw *w, struct th_api_req *r, const struct th_page *p)
{
    th_api_cursor_next(r, w, p->next);
}

void th_api_delivery_rows(struct th_jw *w, struct th_api_list *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        if (i && th_api_reply_is_full(l->r)) {
            l->next = l->deliveries[i - 1].no;
            return;
        }
        th_api_delivery_row(w, l, i, false);
    }
}

/* ---- fields for shapes ---- */

static bool show_cursor(struct th_api_list *l, struct th_jw *w)
{
    if (!l->next)
        return false;
    l->next_shown = true;
    th_jw_raw(w, TH_LIT("\""));
    th_api_cursor(l->r, l->next, w->out);
    th_buf_char(w->out, '"');
    return true;
}

static bool show_u64(struct th_jw *w, bool there, uint64_t v)
{
    if (there)
        th_jw_u64(w, v);
    return there;
}

static bool show_time(struct th_jw *w, int64_t ms)
{
    if (ms)
        th_api_member_wall(w->out, ms);
    return ms != 0;
}

static bool show_text(struct th_jw *w, bool there, struct th_span text)
{
    if (there)
        th_jw_string(w, text);
    return there;
}

/* Of the attempt, or of a delivery's last one. */
static bool attempt_field(const struct th_attempt_row *row, enum th_field field, struct th_jw *w)
{
    switch (field) {
    case TH_A_OF_ATTEMPT_NUMBER:
        return show_u64(w, true, row->nth);
    case TH_A_SUCCESS:
        th_jw_bool(w, row->ok);
        return true;
    case TH_A_OUTCOME:
        return show_text(w, true, th_str(outcome(row)));
    case TH_A_LAST_ATTEMPT_AT:
        th_api_member_wall(w->out, row->at.ms);
        return true;
    case TH_A_HTTP_STATUS:
        return show_u64(w, row->status != 0, row->status);
    case TH_A_DURATION_MS:
        return row->status && show_u64(w, row->us[4] >= 0, (uint64_t)row->us[4] / 1000);
    case TH_A_RESPONSE_BODY:
        return row->status && show_text(w, true, kept_body(row));
    case TH_A_ERROR_TEXT:
        return show_text(w, row->detail.n > 0, row->detail);
    default:
        return false;
    }
}

static bool request_body(struct th_api_req *r, const struct th_attempt_view *view, struct th_jw *w)
{
    struct th_buf head, body, url;
    struct th_span method;
    bool ok;

    th_buf_init(&head, 256u << 10);
    th_buf_init(&body, 32u << 20);
    th_buf_init(&url, 64u << 10);
    ok = r->tenant &&
         !th_engine_show_request(r->api->engine, r->tenant, view, th_api_request_may(r, TH_SCOPE_MANAGE),
                                 &head, &body, &url, &method) &&
         !body.failed;
    if (ok)
        th_jw_string(w, th_buf_view(&body));
    th_buf_fini(&head);
    th_buf_fini(&body);
    th_buf_fini(&url);
    return ok;
}

static bool delivery_field(struct th_api_list *l, const struct th_delivery_row *row, enum th_field field,
                           struct th_jw *w)
{
    const char *reason = NULL, *status = th_engine_status(l->r->api->engine, row, &reason);

    switch (field) {
    case TH_A_ID:
        write_delivery_id(l->r, w, &row->event, row->no);
        return true;
    case TH_A_STATUS:
        return show_text(w, true, th_str(status));
    case TH_A_REASON:
        return show_text(w, reason != NULL, th_str(reason));
    case TH_A_ATTEMPT_COUNT:
        return show_u64(w, true, row->attempts);
    case TH_A_AT:
        th_api_member_wall(w->out, row->event.at.ms);
        return true;
    case TH_A_NEXT_ATTEMPT_AT:
        return show_time(w, next_attempt(row, status));
    case TH_A_ENDED_AT:
        return show_time(w, row->ended);
    default:
        return row->last_attempt && attempt_field(&row->last, field, w);
    }
}

static bool log_field(struct th_api_list *l, const struct th_attempt_view *view, enum th_field field,
                      struct th_jw *w)
{
    switch (field) {
    case TH_A_ID:
        th_jw_raw(w, TH_LIT("\""));
        th_engine_attempt_number(l->r->api->engine, view->no, w->out);
        th_buf_char(w->out, '"');
        return true;
    case TH_A_OF_DELIVERY_ID:
        write_delivery_id(l->r, w, &view->event, view->delivery);
        return true;
    case TH_A_AT:
        th_api_member_wall(w->out, view->row.at.ms);
        return true;
    case TH_A_REQUEST_BODY:
        return request_body(l->r, view, w);
    default:
        return attempt_field(&view->row, field, w);
    }
}

/* Rows are attempts when the list has attempts and no deliveries. */
static bool row_field(struct th_api_list *l, unsigned i, enum th_field field, struct th_jw *w)
{
    const struct th_delivery_row *row = l->deliveries ? &l->deliveries[i] : NULL;
    const struct th_attempt_view *view = row ? NULL : &l->attempts[i];
    const struct th_event_row *event = row ? &row->event : &view->event;

    switch (field) {
    case TH_A_OF_EVENT_ID:
        write_event_id(l->r, w, event);
        return true;
    case TH_A_OF_EVENT_TYPE:
        return show_text(w, true, event->type);
    case TH_A_OF_ENDPOINT_ID:
        write_endpoint_id(l->r, w, row ? row->endpoint : view->endpoint, row ? &row->past : &view->past);
        return true;
    default:
        return row ? delivery_field(l, row, field, w) : log_field(l, view, field, w);
    }
}

bool th_api_delivery_field(void *ctx, enum th_field field, unsigned i, struct th_buf *out)
{
    struct th_api_list *l = ctx;
    struct th_jw w = th_jw(out);

    switch (field) { /* of the page around the rows */
    case TH_A_TOTAL:
        return show_u64(&w, true, l->total);
    case TH_A_TOTAL_PAGES:
        return show_u64(&w, true, l->size ? (l->total + l->size - 1) / l->size : 0);
    case TH_A_PAGE_SIZE:
        return show_u64(&w, true, l->size);
    case TH_A_PAGE_NUMBER:
        return show_u64(&w, true, l->number);
    case TH_A_NEXT_CURSOR:
        return show_cursor(l, &w);
    default:
        return i < l->count && row_field(l, i, field, &w);
    }
}
