/* GET /v1/attempts: the attempts of all deliveries of the tenant, in a form that lets a client miss none of
 * them.
 *
 * Newest first, as every list; with `after` oldest first, from there on. Each answer names the `after` to go on with: an
 * attempt that ends later has a higher number, so a client that asks again and again gets every attempt once,
 * in the order in which they were stored, whatever the filters, and however many there are. */
#include "api/cursor.h"
#include "api/delivery_view.h"
#include "api/filter.h"
#include "api/find.h"
#include "api/handlers.h"
#include "api/query.h"
#include "api/request.h"
#include "api/rows.h"
#include "api/state.h"
#include "engine/engine.h"

static void write_row(struct th_jw *w, struct th_api_req *r, const struct th_page *p, unsigned i)
{
    th_api_delivery_attempt(w, r, &p->rows.attempts[i]);
}

static void write_end(struct th_jw *w, struct th_api_req *r, const struct th_page *p)
{
    th_api_cursor_next(r, w, p->ascending ? 0 : p->next);
    th_api_cursor_after(r, w, p->reached, p->next != 0);
}

static const struct th_api_rows form = {.kind = TH_PAGE_ATTEMPTS, .row = write_row, .end = write_end};

static void send_nothing(struct th_api_req *r)
{
    th_api_rows_none(r, &(struct th_page){.ascending = r->page2.ascending, .reached = r->page2.after}, &form);
}

/* The filter `event`: its number is known now. One that does not exist has no attempts. */
static void event_found(struct th_api_req *r, const struct th_event_row *row)
{
    if (!row) {
        send_nothing(r);
        return;
    }
    r->page2.event = row->no;
    th_engine_page_free(r->api->engine, &r->page);
    th_api_rows(r, &r->page2, &form);
}

void th_h_attempts(struct th_api_req *r)
{
    struct th_page *p = &r->page2;
    enum th_api_filter filter;
    struct th_span text;

    *p = (struct th_page){.tenant = r->tenant->no};
    if (!th_api_filter_tenants(r, p) || !th_api_query_paging(r, &p->limit, &p->before) ||
        !th_api_query_after(r, &p->ascending, &p->after) || !th_api_filter_direction(r, p))
        return;
    filter = th_api_filter_attempts(r, p);
    if (filter == TH_API_FILTER_ANSWERED)
        return;
    if (filter == TH_API_FILTER_EMPTY)
        send_nothing(r);
    else if (th_api_query_param(r, "event", &text))
        th_api_find_event(r, text, false, event_found);
    else
        th_api_rows(r, p, &form);
}
