/* What an id names, for people who have an id and nothing else; else endpoints and tenants by a part of a text.
 *
 * Ids of every kind have forms that the dialects choose, so the text alone does not say what it is. What is in memory is looked
 * at first: endpoints, replays, tenants; then the store is asked for a delivery, then for an event. Only when all that finds
 * nothing are texts compared, of at most LOOK_AT endpoints, the newest first. Operators alone: what a tenant's key may see is
 * a list away. */
#include "api/fail.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/owner.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "api/webhook_view.h"
#include "core/guard.h"
#include "engine/engine.h"

enum { LOOK_AT = 20000, MOST = 20, ID_MAX = 256 };

static struct th_jw begin(struct th_api_req *r)
{
    struct th_jw w = th_api_reply_begin(r);

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    return w;
}

static void end(struct th_api_req *r, struct th_jw *w)
{
    th_jw_end_array(w);
    th_jw_end_object(w);
    th_api_reply(r, 200);
}

static void write_kind(struct th_jw *w, const char *kind, struct th_span id, const struct th_tenant *t)
{
    th_jw_object(w);
    th_api_member_str(w, "kind", th_str(kind));
    th_api_member_str(w, "id", id);
    th_api_member_str(w, "tenant", t->id);
    th_jw_key(w, TH_LIT("label"));
}

static void write_endpoint(struct th_api_req *r, struct th_jw *w, const struct th_endpoint *ep)
{
    struct th_buf id;

    th_buf_init(&id, 256);
    th_engine_endpoint_id(r->api->engine, ep, &id);
    write_kind(w, "endpoint", th_buf_view(&id), ep->tenant);
    th_api_webhook_url(w, ep, th_api_request_may(r, TH_SCOPE_MANAGE));
    th_jw_end_object(w);
    th_buf_fini(&id);
}

static void write_tenant(struct th_jw *w, const struct th_tenant *t)
{
    write_kind(w, "tenant", t->id, t);
    if (t->name.n)
        th_jw_string(w, t->name);
    else
        th_jw_null(w);
    th_jw_end_object(w);
}

/* Without a label: the page of the object says the rest. */
static void send_one(struct th_api_req *r, const char *kind, const struct th_tenant *t)
{
    struct th_jw w = begin(r);

    write_kind(&w, kind, r->id, t);
    th_jw_null(&w);
    th_jw_end_object(&w);
    end(r, &w);
}

static bool has(struct th_span text, struct th_span part)
{
    for (size_t i = 0; i + part.n <= text.n; i++)
        if (th_span_ieq(th_span(text.p + i, part.n), part))
            return true;
    return false;
}

/* The URL as this key sees it. */
static bool endpoint_has(struct th_api_req *r, const struct th_endpoint *ep, struct th_span part)
{
    struct th_buf masked;
    bool found;

    if (th_api_request_may(r, TH_SCOPE_MANAGE) || !th_mask_url_is_secret(&ep->spec))
        return has(ep->spec.url, part);
    th_buf_init(&masked, 4096);
    th_url_mask(ep->spec.url, &masked);
    found = has(th_buf_view(&masked), part);
    th_buf_fini(&masked);
    return found;
}

static void search_texts(struct th_api_req *r)
{
    struct th_engine *e = r->api->engine;
    struct th_tenant *const *tenants;
    unsigned count, found = 0, looked = 0;
    struct th_jw w = begin(r);

    tenants = th_engine_tenants(e, &count);
    for (unsigned i = count; i > 0 && found < MOST; i--)
        if (!tenants[i - 1]->deleting &&
            (has(tenants[i - 1]->id, r->id) || has(tenants[i - 1]->name, r->id))) {
            write_tenant(&w, tenants[i - 1]);
            found++;
        }
    for (uint64_t no = th_engine_last_endpoint(e); no > 0 && found < MOST && looked < LOOK_AT;
         no--, looked++) {
        const struct th_endpoint *ep = th_engine_endpoint_no(e, no);
        if (ep && !ep->tenant->deleting && endpoint_has(r, ep, r->id)) {
            write_endpoint(r, &w, ep);
            found++;
        }
    }
    end(r, &w);
}

static void event_searched(struct th_api_req *r, struct th_tenant *t)
{
    if (t)
        send_one(r, "event", t);
    else
        th_api_read_in_turn(r, search_texts);
}

static void delivery_searched(struct th_api_req *r, struct th_tenant *t)
{
    if (t)
        send_one(r, "delivery", t);
    else
        th_api_owner_search(r, r->id, false, event_searched);
}

/* False: it is of none of the kinds that are in memory. */
static bool is_in_memory(struct th_api_req *r)
{
    const struct th_endpoint *ep = th_engine_endpoint_anywhere(r->api->engine, r->id);
    const struct th_replay *p = th_engine_replay_find(r->api->engine, NULL, r->id);
    const struct th_tenant *t = th_id_ok(r->id) ? th_engine_tenant(r->api->engine, r->id) : NULL;
    struct th_jw w;

    if (p && !p->tenant->deleting) {
        send_one(r, "replay", p->tenant);
        return true;
    }
    if (!(ep && !ep->tenant->deleting) && !(t && !t->deleting))
        return false;
    w = begin(r);
    if (ep && !ep->tenant->deleting)
        write_endpoint(r, &w, ep);
    else
        write_tenant(&w, t);
    end(r, &w);
    return true;
}

void th_h_search(struct th_api_req *r)
{
    if (!th_api_query_param(r, "q", &r->id) || !r->id.n || r->id.n > ID_MAX) {
        th_api_fail(r, 400, "query parameter q: an id or a part of a text is needed, at most 256 bytes");
        return;
    }
    if (!is_in_memory(r))
        th_api_owner_search(r, r->id, true, delivery_searched);
}
