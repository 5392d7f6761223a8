/* GET /v1/attempts: what has been sent, over all deliveries of the tenant, and the way to miss none of it.
 *
 * Newest first, as every list; with `after` oldest first, from there on. Each answer names the `after` to go on with: an
 * attempt that ends later has a higher number, so whoever asks again and again gets every attempt once, in the order in
 * which they were written down, whatever the filters, however many there are. */
#include "api/cursor.h"
#include "api/delivery_view.h"
#include "api/fail.h"
#include "api/filter.h"
#include "api/find.h"
#include "api/handlers.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "engine/engine.h"

static void send_list(struct th_api_req *r, const struct th_page *p, uint64_t reached)
{
    struct th_jw w = th_api_reply_begin(r);

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    for (unsigned i = 0; i < p->count; i++)
        th_api_delivery_attempt(&w, r, &p->rows.attempts[i]);
    th_jw_end_array(&w);
    th_api_cursor_next(r, &w, p->ascending ? 0 : p->next);
    th_jw_key(&w, TH_LIT("after"));
    th_jw_raw(&w, TH_LIT("\""));
    th_api_cursor(r, reached, w.out);
    th_buf_char(w.out, '"');
    th_jw_key(&w, TH_LIT("more"));
    th_jw_bool(&w, p->next != 0);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

static void listed(struct th_op *op)
{
    struct th_api_req *r = op->user;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    r->tenant = th_api_request_tenant(r);
    send_list(r, &r->page2, r->page2.reached);
    th_engine_page_free(r->api->engine, &r->page2);
}

/* The filter `event`: its number is known now. One that does not exist has no attempts. */
static void event_found(struct th_api_req *r, const struct th_event_row *row)
{
    if (!row) {
        send_list(r, &(struct th_page){.ascending = r->page2.ascending}, r->page2.after);
        return;
    }
    r->page2.event = row->no;
    th_engine_page_free(r->api->engine, &r->page);
    th_api_read(r, &r->page2, TH_PAGE_ATTEMPTS, listed);
}

void th_h_attempts(struct th_api_req *r)
{
    struct th_page *p = &r->page2;
    enum th_api_filter filter;
    struct th_span text;

    *p = (struct th_page){.tenant = r->tenant->no, .max_bytes = TH_API_PAGE_BYTES};
    if (!th_api_query_paging(r, &p->limit, &p->before) || !th_api_query_after(r, &p->ascending, &p->after) ||
        !th_api_filter_direction(r, p))
        return;
    filter = th_api_filter_attempts(r, p);
    if (filter == TH_API_FILTER_ANSWERED)
        return;
    if (filter == TH_API_FILTER_EMPTY)
        send_list(r, &(struct th_page){.ascending = p->ascending}, p->after);
    else if (th_api_query_param(r, "event", &text))
        th_api_find_event(r, text, false, event_found);
    else
        th_api_read(r, p, TH_PAGE_ATTEMPTS, listed);
}
