/* Reads and writes what may be large, in turn with other requests.
 *
 * What was read lies in memory until it has been written, and writing takes the loop's time. So only
 * TH_API_READERS requests do this at a time, and only TENANT_READERS of one tenant: a client that asks for
 * much on many connections waits itself, and others do not wait for it. What is read is handed over in a turn
 * that has time for writing a page (th_engine_defer), never several in one go.
 *
 * Invariants: 1. a request that waits is in api->reads, and has not been submitted. 2. `reader` is set from the first read
 * until the answer; a further read of the same request does not wait. */
#include "api/read.h"
#include "api/fail.h"
#include "api/request.h"
#include "api/state.h"
#include "engine/engine.h"

#define TENANT_READERS 4 /* of TH_API_READERS, for one tenant */

static void hand_over(void *arg)
{
    struct th_api_req *r = arg;

    if (r->reading)
        r->read(r->read_op);
    else if (r->tenant && !(r->tenant = th_api_request_tenant(r)))
        th_api_fail(r, 404, "the tenant has been deleted");
    else
        r->write(r);
}

static void submit(struct th_api_req *r)
{
    if (r->reading)
        th_engine_read(r->api->engine, &r->reading->op);
    else
        th_engine_defer(r->api->engine, &r->defer, hand_over, r);
}

static void was_read(struct th_op *op)
{
    struct th_api_req *r = op->user;

    r->read_op = op;
    th_engine_defer(r->api->engine, &r->defer, hand_over, r);
}

/* Whose turn it is: a tenant's, or that of requests that act for no tenant. */
static uint64_t tenant_of(const struct th_api_req *r)
{
    return r->turn_of ? r->turn_of : UINT64_MAX;
}

/* Makes it a reader, if there is room. */
static bool let_in(struct th_api *api, struct th_api_req *r)
{
    unsigned own = 0, room = TH_API_READERS;

    for (unsigned i = 0; i < TH_API_READERS; i++) {
        own += api->reader_tenant[i] == tenant_of(r);
        if (!api->reader_tenant[i])
            room = i;
    }
    if (own >= TENANT_READERS || room == TH_API_READERS)
        return false;
    api->reader_tenant[room] = tenant_of(r);
    r->reader = true;
    r->reader_slot = room;
    if (!r->has_read)
        th_api_request_at_end(r, th_api_read_end);
    r->has_read = true;
    return true;
}

void th_api_read_end(struct th_api_req *r)
{
    struct th_api *api = r->api;
    struct th_list *l, *next;

    if (!r->reader)
        return;
    r->reader = false;
    api->reader_tenant[r->reader_slot] = 0;
    for (l = api->reads.next; l != &api->reads; l = next) {
        struct th_api_req *other = TH_CONTAINER(l, struct th_api_req, reads);

        next = l->next;
        if (!let_in(api, other))
            continue;
        th_list_remove(l);
        submit(other);
        return;
    }
}

static void wait(struct th_api_req *r, uint64_t tenant)
{
    r->turn_of = tenant;
    if (r->reader || let_in(r->api, r)) {
        submit(r);
        return;
    }
    th_list_init(&r->reads);
    th_list_append(&r->api->reads, &r->reads);
}

void th_api_read(struct th_api_req *r, struct th_page *page, enum th_page_kind kind,
                 void (*done)(struct th_op *))
{
    page->op = (struct th_op){.kind = TH_OP_PAGE, .done = was_read, .user = r};
    page->kind = kind;
    r->read = done;
    r->reading = page;
    wait(r, page->tenant);
}

void th_api_read_in_turn(struct th_api_req *r, void (*then)(struct th_api_req *r))
{
    r->reading = NULL;
    r->write = then;
    wait(r, r->tenant ? r->tenant->no : 0);
}
