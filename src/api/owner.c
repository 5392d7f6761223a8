/* Binds requests to their tenants. A request with the operator's key need not name a tenant if it has an id:
 * this file finds the tenant whose object the id names.
 *
 * An endpoint and a replay are in memory. An event and a delivery are read from the store, each under the numbers that the
 * forms of the loaded dialects make of the text, until the row proves the id; this comes before the body and the
 * Idempotency-Key, which belong to a tenant. An id that names nothing leaves the request with the tenant
 * "default", which then gives 404. Only an id that a publisher has chosen can exist in several tenants:
 * "default" is preferred, otherwise 409 asks for the tenant. */
#include "api/owner.h"
#include "api/fail.h"
#include "api/limit.h"
#include "api/query.h"
#include "api/read.h"
#include "api/request.h"
#include "api/route.h"
#include "api/state.h"
#include "core/guard.h"
#include "core/pubid.h"
#include "engine/engine.h"
#include "net/tls_common.h"

struct owner {
    struct th_span id;
    bool delivery;
    void (*done)(struct th_api_req *r, struct th_tenant *t); /* of a search; NULL: the request goes on */
    unsigned count, at;
    uint64_t numbers[]; /* the numbers for which the id may stand, each once */
};

static void look(struct th_api_req *r);

/* The request goes on, for this tenant. */
static void go_on(struct th_api_req *r, struct th_tenant *t)
{
    char id[128];
    size_t n = t ? t->id.n : r->tenant_id_len; /* looked up again: the turn is another one */

    if (r->owner && r->owner->done) {
        r->owner->done(r, t);
        return;
    }
    memcpy(id, t ? t->id.p : r->tenant_id, n);
    if (th_api_owner_bind(r, th_span(id, n)) && th_api_limit_tenant(r))
        r->owner_found(r);
}

/* The tenant of a row, when the row proves the id in that tenant's form. */
static struct th_tenant *proven(struct th_api_req *r, const struct owner *o, const struct th_event_row *event)
{
    struct th_tenant *t = th_engine_tenant_no(r->api->engine, event->tenant);
    struct th_pubid id;
    bool parsed;

    if (!t || t->deleting)
        return NULL;
    parsed = o->delivery ? th_engine_parse_delivery_id(r->api->engine, t->dialect, o->id, &id)
                         : th_engine_parse_event_id(r->api->engine, t->dialect, o->id, &id);
    if (!parsed || id.no != o->numbers[o->at - 1])
        return NULL;
    return id.at.ms == 0 || (event->at.ms == id.at.ms && event->rnd == id.rnd) ? t : NULL;
}

static void looked(struct th_op *op)
{
    struct th_api_req *r = op->user;
    struct owner *o = r->owner;
    struct th_tenant *t = NULL;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    if (r->page.count)
        t = proven(r, o, o->delivery ? &r->page.rows.deliveries[0].event : &r->page.rows.events[0]);
    th_engine_page_free(r->api->engine, &r->page);
    if (t || o->at == o->count)
        go_on(r, t);
    else
        look(r);
}

static void look(struct th_api_req *r)
{
    struct owner *o = r->owner;

    r->page = (struct th_page){.no = o->numbers[o->at++], .limit = 1};
    th_api_read(r, &r->page, o->delivery ? TH_PAGE_DELIVERIES : TH_PAGE_EVENTS, looked);
}

static void found_external_id(struct th_op *op)
{
    struct th_api_req *r = op->user;
    struct th_tenant *own = th_api_request_tenant(r), *t = NULL;
    unsigned count = 0;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    for (uint32_t i = 0; i < r->page.count; i++) {
        struct th_tenant *one = th_engine_tenant_no(r->api->engine, r->page.rows.events[i].tenant);
        if (!one || one->deleting || (t && t == own))
            continue;
        t = one;
        count = t == own ? 1 : count + 1;
    }
    th_engine_page_free(r->api->engine, &r->page);
    if (count > 1 && !r->owner->done)
        th_api_fail(
            r, 409,
            "several tenants have an event with this id; name the tenant in the header Tenterhook-Tenant");
    else if (t || r->owner->count == 0)
        go_on(r, t);
    else
        look(r);
}

static void add_number(struct owner *o, uint64_t no)
{
    for (unsigned i = 0; i < o->count; i++)
        if (o->numbers[i] == no)
            return;
    o->numbers[o->count++] = no;
}

/* Begins to look for the owner of an event or a delivery. */
static void begin(struct th_api_req *r, struct th_span id, bool delivery,
                  void (*done)(struct th_api_req *r, struct th_tenant *t))
{
    const struct th_engine_options *options = th_engine_options(r->api->engine);
    struct owner *o = th_arena_get(&r->mem, sizeof *o + options->dialect_count * sizeof o->numbers[0]);
    struct th_pubid pub;

    if (!o) {
        th_api_fail_nomem(r);
        return;
    }
    *o = (struct owner){.id = id, .delivery = delivery, .done = done};
    r->owner = o;
    for (unsigned i = 0; i < options->dialect_count; i++)
        if (delivery ? th_engine_parse_delivery_id(r->api->engine, options->dialects[i], id, &pub)
                     : th_engine_parse_event_id(r->api->engine, options->dialects[i], id, &pub))
            add_number(o, pub.no);
    if (!delivery && th_id_ok(id)) {
        r->page = (struct th_page){.external_id = id, .limit = 1000};
        th_api_read(r, &r->page, TH_PAGE_EVENTS, found_external_id);
    } else if (o->count) {
        look(r);
    } else {
        go_on(r, NULL);
    }
}

bool th_api_owner_later(const struct th_api_req *r)
{
    return r->unnamed && (r->route->flags & (TH_R_OF_EVENT | TH_R_OF_DELIVERY | TH_R_OF_FILTERS));
}

void th_api_owner_find(struct th_api_req *r, void (*found)(struct th_api_req *r))
{
    struct th_endpoint *ep;
    struct th_span id;

    r->owner_found = found;
    if (r->route->flags & TH_R_OF_DELIVERY)
        begin(r, r->param[0], true, NULL);
    else if (r->route->flags & TH_R_OF_EVENT)
        begin(r, r->param[0], false, NULL);
    else if (th_api_query_param(r, "endpoint", &id)) {
        ep = th_engine_endpoint_anywhere(r->api->engine, id);
        go_on(r, ep ? ep->tenant : NULL);
    } else if (th_api_query_param(r, "event", &id))
        begin(r, id, false, NULL);
    else
        go_on(r, NULL);
}

void th_api_owner_search(struct th_api_req *r, struct th_span id, bool delivery,
                         void (*done)(struct th_api_req *r, struct th_tenant *t))
{
    begin(r, id, delivery, done);
}

struct th_span th_api_owner_now(struct th_api_req *r)
{
    const struct th_endpoint *ep;
    const struct th_replay *p;

    if (r->route->flags & TH_R_OF_ENDPOINT) {
        ep = th_engine_endpoint_anywhere(r->api->engine, r->param[0]);
        if (ep)
            return ep->tenant->id;
    } else if (r->route->flags & TH_R_OF_REPLAY) {
        p = th_engine_replay_find(r->api->engine, NULL, r->param[0]);
        if (p && !p->tenant->deleting)
            return p->tenant->id;
    }
    return TH_LIT("default");
}

static void act_for(struct th_api_req *r, struct th_tenant *t)
{
    r->tenant = t;
    r->dialect = t->dialect;
    memcpy(r->tenant_id, t->id.p, t->id.n);
    r->tenant_id_len = t->id.n;
}

bool th_api_owner_bind(struct th_api_req *r, struct th_span id)
{
    struct th_tenant *t = th_id_ok(id) ? th_engine_tenant(r->api->engine, id) : NULL;

    if (!t || t->deleting) {
        th_api_fail(r, 404, "there is no tenant \"%.*s\"", (int)(id.n < 128 ? id.n : 128), id.p);
        return false;
    }
    act_for(r, t);
    return true;
}

bool th_api_owner_row(struct th_api_req *r, uint64_t tenant, struct th_api_owner_home *home)
{
    struct th_tenant *t = th_engine_tenant_no(r->api->engine, tenant);

    if (!t || t->deleting)
        return false;
    home->tenant = r->tenant;
    home->dialect = r->dialect;
    home->id_len = r->tenant_id_len;
    memcpy(home->id, r->tenant_id, sizeof home->id);
    act_for(r, t);
    return true;
}

void th_api_owner_back(struct th_api_req *r, const struct th_api_owner_home *home)
{
    r->tenant = home->tenant;
    r->dialect = home->dialect;
    r->tenant_id_len = home->id_len;
    memcpy(r->tenant_id, home->id, sizeof home->id);
}
