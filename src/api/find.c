/* The object that an id in a path names.
 *
 * An event: a publisher's own id is looked for first, because it may have any form; then the text is decoded as a public id,
 * whose time and random bits must be those of the row. */
#include "api/find.h"
#include "api/fail.h"
#include "api/read.h"
#include "api/request.h"
#include "api/state.h"
#include "core/guard.h"
#include "core/pubid.h"
#include "engine/engine.h"

static bool is_row(const struct th_pubid *id, const struct th_event_row *row)
{
    return row->at.ms == id->at.ms && row->rnd == id->rnd;
}

static void found_by_number(struct th_op *op)
{
    struct th_api_req *r = op->user;
    struct th_pubid id;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    if (r->page.count == 1 && th_engine_parse_event_id(r->api->engine, r->dialect, r->id, &id) &&
        is_row(&id, &r->page.rows.events[0])) {
        r->next(r, &r->page.rows.events[0]);
        return;
    }
    th_engine_page_free(r->api->engine, &r->page);
    r->next(r, NULL);
}

static void found_by_external_id(struct th_op *op)
{
    struct th_api_req *r = op->user;
    struct th_pubid id;
    bool with_data = r->page.with_data;
    uint64_t tenant = r->page.tenant;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    if (r->page.count) {
        r->next(r, &r->page.rows.events[0]);
        return;
    }
    th_engine_page_free(r->api->engine, &r->page);
    if (!th_engine_parse_event_id(r->api->engine, r->dialect, r->id, &id)) {
        r->next(r, NULL);
        return;
    }
    r->page = (struct th_page){.tenant = tenant, .no = id.no, .limit = 1, .with_data = with_data};
    th_api_read(r, &r->page, TH_PAGE_EVENTS, found_by_number);
}

/* `next` gets the row, which lives in r->page until th_engine_page_free, or NULL. */
void th_api_find_event(struct th_api_req *r, struct th_span id, bool with_data,
                       void (*next)(struct th_api_req *r, const struct th_event_row *row))
{
    if (!th_id_ok(id)) {
        next(r, NULL);
        return;
    }
    r->next = next;
    r->id = id;
    r->page =
        (struct th_page){.tenant = r->tenant->no, .external_id = id, .limit = 1, .with_data = with_data};
    th_api_read(r, &r->page, TH_PAGE_EVENTS, found_by_external_id);
}

struct th_endpoint *th_api_find_endpoint(struct th_api_req *r)
{
    bool foreign = false;
    struct th_endpoint *ep = th_engine_endpoint(r->api->engine, r->tenant, r->param[0], &foreign);

    if (ep)
        return ep;
    if (foreign && !r->native && th_dialect_values(r->dialect)->foreign_status == 403)
        th_api_fail(r, 403, "Access denied");
    else
        th_api_fail(r, 404, "Webhook subscription not found");
    return NULL;
}
