/* Reading events: the list, and one event with its data and deliveries; erasing one. Reads are bounded by the store, so a
 * page may be short and have a next one. */
#include "api/cursor.h"
#include "api/delivery_view.h"
#include "api/event_view.h"
#include "api/fail.h"
#include "api/filter.h"
#include "api/find.h"
#include "api/handlers.h"
#include "api/list.h"
#include "api/member.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/rows.h"
#include "api/state.h"
#include "engine/engine.h"

#define SHOWN_DELIVERIES 1000

static void not_found(struct th_api_req *r)
{
    th_api_fail(r, 404, "there is no such event");
}

/* ---- erasing ---- */

static void erased(struct th_erase_event *n)
{
    struct th_api_req *r = n->user;

    if (n->error) {
        th_api_fail_store(r, n->error);
    } else if (n->result == TH_ERASE_ABSENT) {
        not_found(r);
    } else if (n->result == TH_ERASE_UNFINISHED) {
        th_api_fail(r, 409,
                    "deliveries of this event that have not ended: %u; wait for them, or give cancel=true to "
                    "cancel them",
                    (unsigned)n->unfinished);
    } else if (n->result == TH_ERASE_QUEUEING) {
        th_api_fail(r, 409, "the deliveries of this event are still being made; ask again in a moment");
    } else {
        (void)th_api_reply_begin(r);
        th_api_reply_empty(r, 204);
    }
}

static void erase_found(struct th_api_req *r, const struct th_event_row *row)
{
    if (!row) {
        not_found(r);
        return;
    }
    r->op->erase = (struct th_erase_event){
        .tenant = row->tenant, .event = row->no, .cancel = r->op->erase.cancel, .done = erased, .user = r};
    th_engine_page_free(r->api->engine, &r->page);
    th_engine_erase(r->api->engine, &r->op->erase);
}

void th_h_event_erase(struct th_api_req *r)
{
    if (th_api_query_flag(r, "cancel", &r->op->erase.cancel))
        th_api_find_event(r, r->param[0], false, erase_found);
}

/* The rest of an event's deliveries is a list of its own. */
static void write_more(struct th_api_req *r, struct th_jw *w, uint64_t before)
{
    th_jw_key(w, TH_LIT("more_deliveries"));
    if (!before) {
        th_jw_null(w);
        return;
    }
    th_jw_raw(w, TH_LIT("\"/v1/deliveries?event="));
    th_buf_span(w->out, r->param[0]);
    th_buf_str(w->out, "&cursor=");
    th_api_cursor_of(r, TH_LIT("/v1/deliveries"), TH_LIT("event"), r->param[0], before, w->out);
    th_buf_char(w->out, '"');
}

static void one_with_deliveries(struct th_op *op)
{
    struct th_api_req *r = op->user;
    struct th_api_list l = {
        .r = r, .deliveries = r->page2.rows.deliveries, .count = r->page2.count, .next = r->page2.next};
    const struct th_event_row *row = &r->page.rows.events[0];
    struct th_jw w;

    if (op->error) {
        th_engine_page_free(r->api->engine, &r->page);
        th_api_fail_store(r, op->error);
        return;
    }
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_api_event_members(&w, r, row);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_raw(&w, row->data.n ? row->data : TH_LIT("null"));
    th_jw_key(&w, TH_LIT("deliveries"));
    th_jw_array(&w);
    th_api_delivery_rows(&w, &l);
    th_jw_end_array(&w);
    write_more(r, &w, l.next);
    th_jw_end_object(&w);
    th_engine_page_free(r->api->engine, &r->page2);
    th_engine_page_free(r->api->engine, &r->page);
    th_api_reply(r, 200);
}

static void one_found(struct th_api_req *r, const struct th_event_row *row)
{
    if (!row) {
        not_found(r);
        return;
    }
    r->page2 = (struct th_page){
        .tenant = row->tenant, .event = row->no, .limit = SHOWN_DELIVERIES, .max_bytes = TH_API_PAGE_BYTES};
    th_api_read(r, &r->page2, TH_PAGE_DELIVERIES, one_with_deliveries);
}

void th_h_event(struct th_api_req *r)
{
    th_api_find_event(r, r->param[0], true, one_found);
}

/* ---- the list ---- */

static void write_row(struct th_jw *w, struct th_api_req *r, const struct th_page *p, unsigned i)
{
    th_api_event_row(w, r, &p->rows.events[i]);
}

static void write_end(struct th_jw *w, struct th_api_req *r, const struct th_page *p)
{
    th_api_cursor_next(r, w, p->ascending ? 0 : p->next);
    if (p->ascending)
        th_api_cursor_after(r, w, p->reached, p->next != 0);
}

void th_h_events(struct th_api_req *r)
{
    static const struct th_api_rows form = {.kind = TH_PAGE_EVENTS, .row = write_row, .end = write_end};
    struct th_page *p = &r->page;

    *p = (struct th_page){.tenant = r->tenant->no};
    if (th_api_filter_tenants(r, p) && th_api_query_paging(r, &p->limit, &p->before) &&
        th_api_query_after(r, &p->ascending, &p->after) && th_api_filter_direction(r, p) &&
        th_api_query_since_until(r, &p->since, &p->until) && th_api_filter_outcomes(r, p) &&
        th_api_filter_events(r, p) == TH_API_FILTER_OK)
        th_api_rows(r, p, &form);
}
