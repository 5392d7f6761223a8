/* GET /v1/events/{id}/matches: for each endpoint of the tenant whether the event goes to it, and why not.
 *
 * By the settings of now, since those of the event's time are not kept together; where an endpoint has been changed since, its row
 * says so. With a filter in the query it is asked instead, of nobody's endpoint. Evaluating costs, so a page ends when it has taken STEPS, and has a next one. */
#include "api/cursor.h"
#include "api/fail.h"
#include "api/find.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "core/jsonpath/jsonpath.h"
#include "engine/engine.h"

#define STEPS 100000
#define DELIVERIES 1000  /* that are looked through for the rows of a page */
#define VALUE_BYTES 1024 /* a larger value is not shown, only its size */

static const struct {
    const char *reason, *detail;
} reasons[] = {
    [TH_MATCH] = {"matches", NULL},
    [TH_MATCH_FILTER_ERROR] =
        {"filter_error", "the filter could not be evaluated within 20000 steps, so the event goes to it"},
    [TH_MATCH_LATER] = {"created_later", "it was registered after the event had been accepted"},
    [TH_MATCH_NOT_TYPE] = {"event_type", "it does not subscribe to this event type"},
    [TH_MATCH_DISABLED] = {"disabled",
                           "it is disabled, and what comes then is not kept for it in this dialect"},
    [TH_MATCH_NOT_CHANNEL] = {"channels", "it has channels, and the event has none of them"},
    [TH_MATCH_NOT_FILTER] = {"filter", "the filter finds nothing in the event"},
};

static void write_found(struct th_jw *w, const struct th_jsonpath_found *f, struct th_span filter)
{
    th_jw_object(w);
    th_api_member_str(w, "path", th_span(filter.p + f->at, f->n));
    th_jw_key(w, TH_LIT("found"));
    th_jw_bool(w, f->there);
    if (f->there && f->value.raw.n <= VALUE_BYTES) {
        th_jw_key(w, TH_LIT("value"));
        th_jw_raw(w, f->value.raw);
    } else if (f->there) {
        th_api_member_int(w, "value_bytes", (int64_t)f->value.raw.n);
    }
    th_jw_end_object(w);
}

/* What is wanted, term by term, and what is there. */
static void write_terms(struct th_jw *w, const struct th_jsonpath_why *why, struct th_span filter)
{
    th_jw_key(w, TH_LIT("terms"));
    th_jw_array(w);
    for (unsigned i = 0; i < why->term_count; i++) {
        const struct th_jsonpath_term *t = &why->terms[i];

        th_jw_object(w);
        th_api_member_str(w, "text", th_span(filter.p + t->at, t->n));
        th_jw_key(w, TH_LIT("holds"));
        if (t->answer == TH_JSONPATH_EXCESS)
            th_jw_null(w);
        else
            th_jw_bool(w, t->answer == TH_JSONPATH_YES);
        th_jw_key(w, TH_LIT("values"));
        th_jw_array(w);
        for (unsigned k = 0; k < why->found_count; k++)
            if (why->found[k].term == i)
                write_found(w, &why->found[k], filter);
        th_jw_end_array(w);
        th_jw_end_object(w);
    }
    th_jw_end_array(w);
}

/* The text of a filter may be in the store only. */
static void write_filter(struct th_jw *w, struct th_api_req *r, const struct th_endpoint *ep,
                         const struct th_jsonpath_why *why)
{
    struct th_endpoint_spec spec;
    struct th_arena mem;

    if (!ep->spec.has_filter)
        return;
    th_arena_init(&mem, 1u << 20);
    if (th_engine_spec(r->api->engine, ep, &mem, &spec)) {
        w->out->failed = TH_NOMEM;
    } else {
        th_api_member_str(w, "filter", spec.filter);
        if (why->term_count)
            write_terms(w, why, spec.filter);
    }
    th_arena_wipe(&mem);
}

static const struct th_delivery_row *delivery_to(const struct th_page *p, uint64_t endpoint)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->rows.deliveries[i].endpoint == endpoint)
            return &p->rows.deliveries[i];
    return NULL;
}

static void write_answer(struct th_jw *w, enum th_match match)
{
    th_jw_key(w, TH_LIT("matches"));
    th_jw_bool(w, match == TH_MATCH || match == TH_MATCH_FILTER_ERROR);
    th_api_member_str(w, "reason", th_str(reasons[match].reason));
    if (reasons[match].detail)
        th_api_member_str(w, "detail", th_str(reasons[match].detail));
}

/* Absent: the event has more deliveries than were looked through. */
static void write_delivery(struct th_jw *w, struct th_api_req *r, const struct th_endpoint *ep,
                           const struct th_event_row *row)
{
    const struct th_delivery_row *d = delivery_to(&r->page2, ep->no);

    if (!d && r->page2.next)
        return;
    th_jw_key(w, TH_LIT("delivery"));
    if (!d) {
        th_jw_null(w);
        return;
    }
    th_jw_raw(w, TH_LIT("\""));
    th_engine_delivery_id(r->api->engine, r->dialect, row, d->no, w->out);
    th_buf_char(w->out, '"');
}

static uint32_t write_row(struct th_jw *w, struct th_api_req *r, const struct th_endpoint *ep,
                          const struct th_event_row *row)
{
    struct th_jsonpath_why why;
    uint32_t steps;
    enum th_match match = th_engine_match(r->api->engine, ep, row, &why, &steps);

    th_jw_object(w);
    th_jw_key(w, TH_LIT("endpoint"));
    th_jw_raw(w, TH_LIT("\""));
    th_engine_endpoint_id(r->api->engine, ep, w->out);
    th_buf_char(w->out, '"');
    write_answer(w, match);
    if (match != TH_MATCH_LATER && ep->updated.ms > row->at.ms) {
        th_jw_key(w, TH_LIT("changed_since"));
        th_jw_bool(w, true);
    }
    write_filter(w, r, ep, &why);
    write_delivery(w, r, ep, row);
    th_jw_end_object(w);
    return steps + 50;
}

static void write_page(struct th_api_req *r, const struct th_event_row *row, const struct th_endpoint *only,
                       uint32_t limit, uint64_t before)
{
    const struct th_tenant *t = r->tenant;
    struct th_jw w = th_api_reply_begin(r);
    uint64_t next = 0, last = 0;
    uint32_t count = 0, steps = 0;

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    if (only)
        steps += write_row(&w, r, only, row);
    for (unsigned i = only ? 0 : t->endpoint_count; i > 0; i--) {
        const struct th_endpoint *ep = t->endpoints[i - 1];

        if (before && ep->no >= before)
            continue;
        if (count == limit || steps >= STEPS || (count && th_api_reply_is_full(r))) {
            next = last;
            break;
        }
        steps += write_row(&w, r, ep, row);
        last = ep->no;
        count++;
    }
    th_jw_end_array(&w);
    th_api_cursor_next(r, &w, next);
    th_jw_end_object(&w);
}

/* A filter that is nobody's yet, for whoever is writing one. */
static void write_tried(struct th_api_req *r, const struct th_event_row *row, struct th_span text)
{
    struct th_jsonpath_fault fault;
    struct th_jsonpath_why why;
    const struct th_jsonpath *q;
    enum th_error error = th_jsonpath_compile(text, &r->mem, &q, &fault);
    enum th_match match;
    uint32_t steps;
    struct th_jw w;

    if (error == TH_MALFORMED) {
        th_api_fail(r, 400, "query parameter filter: character %u: %s", fault.at, fault.what);
        return;
    }
    if (error || !th_engine_match_begin(r->api->engine, row)) {
        th_api_fail_nomem(r);
        return;
    }
    match = th_engine_match_filter(r->api->engine, q, &why, &steps);
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    th_jw_object(&w);
    write_answer(&w, match);
    th_api_member_str(&w, "filter", text);
    if (why.term_count)
        write_terms(&w, &why, text);
    th_jw_end_object(&w);
    th_jw_end_array(&w);
    th_api_cursor_next(r, &w, 0);
    th_jw_end_object(&w);
    th_engine_match_end(r->api->engine);
    th_api_reply(r, 200);
}

static void with_deliveries(struct th_op *op)
{
    struct th_api_req *r = op->user;
    const struct th_event_row *row = &r->page.rows.events[0];
    const struct th_endpoint *only = NULL;
    struct th_span id = {NULL, 0};
    uint32_t limit;
    uint64_t before;

    if (op->error) {
        th_engine_page_free(r->api->engine, &r->page);
        th_api_fail_store(r, op->error);
        return;
    }
    if (th_api_query_param(r, "endpoint", &id))
        only = th_engine_endpoint(r->api->engine, r->tenant, id, NULL);
    if (id.n && !only) {
        th_api_fail(r, 404, "there is no such endpoint");
    } else if (!th_engine_match_begin(r->api->engine, row)) {
        th_api_fail_nomem(r);
    } else if (th_api_query_paging(r, &limit, &before)) {
        write_page(r, row, only, limit, before);
        th_engine_match_end(r->api->engine);
        th_api_reply(r, 200);
    }
    th_engine_page_free(r->api->engine, &r->page2);
    th_engine_page_free(r->api->engine, &r->page);
}

static void found(struct th_api_req *r, const struct th_event_row *row)
{
    struct th_span text;

    if (!row) {
        th_api_fail(r, 404, "there is no such event");
        return;
    }
    if (row->erased || row->test) {
        th_api_fail(r, 409,
                    row->test ? "this event is a test, which goes to the endpoint that it was asked for alone"
                              : "what this event said has been erased, so filters cannot be asked");
        th_engine_page_free(r->api->engine, &r->page);
        return;
    }
    if (th_api_query_param(r, "filter", &text)) {
        write_tried(r, row, text);
        th_engine_page_free(r->api->engine, &r->page);
        return;
    }
    r->page2 = (struct th_page){.tenant = row->tenant, .event = row->no, .limit = DELIVERIES};
    th_api_read(r, &r->page2, TH_PAGE_DELIVERIES, with_deliveries);
}

void th_h_event_matches(struct th_api_req *r)
{
    th_api_find_event(r, r->param[0], true, found);
}
