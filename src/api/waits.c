/* For whom a delivery of an ordered endpoint waits: the one with the lowest number of its line that has not ended.
 *
 * The queue of the endpoint is walked from its beginning, which is the same whoever has the endpoint, another thread or another node. The
 * one that is looked for stands before all that wait for it, so it is mostly among the first rows; after WALKS_MAX walks the
 * answer says nothing of it. It refuses nobody: the delivery is shown all the same. */
#include "api/waits.h"
#include "api/read.h"
#include "api/state.h"
#include "engine/engine.h"

#define WALKS_MAX 40 /* of TH_API_WAITS_ROWS each */

static void walk(struct th_api_req *r);

static void end(struct th_api_req *r)
{
    r->waits->done(r);
}

static void delivery_read(struct th_op *op)
{
    struct th_api_req *r = op->user;

    if (op->error)
        r->waits->page.count = 0;
    end(r);
}

/* The first of the line among the rows that were read. 0: it is not among them; the delivery itself: it waits for none. */
static uint64_t first_of_line(const struct th_api_waits *s)
{
    for (uint32_t i = 0; i < s->walk.count; i++) {
        const struct th_queue_row *row = &s->rows[i];

        if (row->no >= s->delivery ||
            (row->order == s->order && row->lane != TH_LANE_TEST && !(row->marks & TH_MARK_SKIPPED)))
            return row->no < s->delivery ? row->no : s->delivery;
    }
    return 0;
}

static void walked(void *arg)
{
    struct th_api_req *r = arg;
    struct th_api_waits *s = r->waits;
    uint64_t first = s->walk.op.error ? s->delivery : first_of_line(s);

    if (!first && s->walk.next && ++s->walks < WALKS_MAX) {
        walk(r);
    } else if (!first || first == s->delivery) {
        end(r);
    } else {
        s->page = (struct th_page){.tenant = r->tenant ? r->tenant->no : 0, .no = first, .limit = 1};
        th_api_read(r, &s->page, TH_PAGE_DELIVERIES, delivery_read);
    }
}

static void rows_read(struct th_op *op)
{
    struct th_api_req *r = op->user;

    th_engine_defer(r->api->engine, &r->defer, walked, r);
}

static void walk(struct th_api_req *r)
{
    struct th_api_waits *s = r->waits;

    s->walk = (struct th_walk){.op = {.kind = TH_OP_WALK, .done = rows_read, .user = r},
                               .from = s->walk.next,
                               .endpoint = s->endpoint,
                               .max = TH_API_WAITS_ROWS,
                               .rows = s->rows};
    th_engine_read(r->api->engine, &s->walk.op);
}

bool th_api_waits_find(struct th_api_req *r, const struct th_delivery_row *row,
                       void (*done)(struct th_api_req *r))
{
    const struct th_endpoint *ep = th_engine_endpoint_no(r->api->engine, row->endpoint);
    struct th_api_waits *s;

    r->waits = NULL;
    if (row->state != TH_DS_QUEUED || !row->order || row->marks & TH_MARK_SKIPPED ||
        row->lane == TH_LANE_TEST || !ep || !ep->spec.ordering.by)
        return false;
    s = th_arena_get(&r->mem, sizeof *s);
    if (!s)
        return false;
    s->walk.next = 0;
    s->walks = 0;
    s->page = (struct th_page){.count = 0};
    s->delivery = row->no;
    s->endpoint = row->endpoint;
    s->order = row->order;
    s->done = done;
    r->waits = s;
    walk(r);
    return true;
}
