/* Checks who makes a request: the key's text is hashed, and the hash is looked up, so that no comparison
 * depends on secret bytes (RFC 6750 for the form of the header). A tenant's key acts for its tenant; an
 * operator's key (for which a browser's session may stand, key.c) acts for the tenant that Tenterhook-Tenant
 * names, else for the tenant of the object whose id the request gives (owner.c), else for "default".
 *
 * Refused: no key or an unknown one (401), a key without the scope or the role (403), a tenant that does not exist (404),
 * more than the rates allow (429).
 * An object that a key may not touch is 404 as if it did not exist, because the handlers look it up within
 * the tenant. */
#include "api/auth.h"
#include "api/fail.h"
#include "api/guess.h"
#include "api/key.h"
#include "api/limit.h"
#include "api/owner.h"
#include "api/request.h"
#include "api/route.h"
#include "api/state.h"
#include "engine/engine.h"
#include "lib/crypto.h"

static bool choose_tenant(struct th_api_req *r, const struct th_key *key)
{
    const struct th_http1_field *named = th_api_request_header(r, "tenterhook-tenant");

    if (r->operator_key) {
        r->unnamed = !named;
        return th_api_owner_bind(r, named ? named->value : th_api_owner_now(r)) &&
               ((r->route->flags & TH_R_PUBLISH) || th_api_owner_later(r) || /* it may be another's */
                th_api_limit_tenant(r));
    }
    if (named && !th_span_eq(named->value, key->tenant->id)) {
        th_api_fail(r, 403, "Tenterhook-Tenant names another tenant than the key's");
        return false;
    }
    return th_api_owner_bind(r, key->tenant->id) && th_api_limit_tenant(r);
}

static const char *scope_name(unsigned scope)
{
    return scope == TH_SCOPE_PUBLISH ? "events:publish"
           : scope == TH_SCOPE_READ  ? "webhooks:read"
                                     : "webhooks:manage";
}

/* A tenant's key needs the route's scope, an operator's key at least its role. A route that names neither is for nobody. */
static bool is_allowed(struct th_api_req *r, const struct th_key *key)
{
    const struct th_api_route *route = r->route;

    if (route->flags & (TH_R_PORTAL | TH_R_PORTAL_LINK)) {
        if (route->flags & (r->by_portal ? TH_R_PORTAL : r->by_portal_link ? TH_R_PORTAL_LINK : 0))
            return true;
        th_api_fail(r, 403,
                    "this is for the portal's pages: a key makes a link with POST "
                    "/v1/tenants/{tenant}/portal-links");
        return false;
    }
    if (key->role) {
        if (route->role && key->role >= route->role)
            return true;
        r->needed_role = th_role_name((enum th_role)route->role);
        th_api_fail(r, 403, "this needs an operator's key with the role %s; the key has the role %s",
                    r->needed_role, th_role_name(key->role));
        return false;
    }
    if (r->by_portal && (route->flags & TH_R_NOT_PORTAL)) {
        th_api_fail(r, 403, "the portal cannot do this");
        return false;
    }
    if (r->by_portal && (route->flags & TH_R_SECRETS) && !(r->scopes & TH_SCOPE_SECRETS)) {
        th_api_fail(r, 403, "the link to the portal was made without the scope webhooks:secrets");
        return false;
    }
    if (r->scopes & route->scope)
        return true;
    if (!route->scope)
        th_api_fail(r, 403, "this needs the operator's key");
    else
        th_api_fail(r, 403, "the key lacks the scope %s", scope_name(route->scope));
    return false;
}

/* Which of the operator's keys it is, for the audit log: it may have ended when the line is written. */
static bool note_key(struct th_api_req *r, const struct th_key *key)
{
    struct th_buf id;
    bool ok;

    if (r->by_portal || r->by_portal_link) /* on whose authority the portal acts */
        key = th_engine_key(r->api->engine, r->key_hash);
    if (!key || !key->role || key->role == TH_ROLE_ROOT)
        return true;
    th_buf_init(&id, 128);
    th_engine_key_id(r->api->engine, key, &id);
    ok = !id.failed && th_arena_copy(&r->mem, th_buf_view(&id), &r->key_id) &&
         th_arena_copy(&r->mem, key->note, &r->key_name);
    th_buf_fini(&id);
    if (!ok)
        th_api_fail_nomem(r);
    return ok;
}

/* A page of another site can make a browser send its cookie, but it cannot read csrf_token from an answer of
 * ours. */
static bool shows_csrf(struct th_api_req *r)
{
    const struct th_http1_field *shown = th_api_request_header(r, "tenterhook-csrf");
    struct th_span want = th_str(r->csrf);

    if (!r->by_session || strcmp(r->route->method, "GET") == 0)
        return true;
    if (shown && shown->value.n == want.n && th_ct_equal(shown->value.p, want.p, want.n))
        return true;
    th_api_fail(r, 403,
                "a session can change something only with its csrf_token in the header Tenterhook-Csrf");
    return false;
}

bool th_api_auth_is_by_key(struct th_api_req *r)
{
    if (!r->by_session)
        return true;
    th_api_fail(r, 403, "this needs the key itself; a session is not enough");
    return false;
}

bool th_api_auth(struct th_api_req *r)
{
    const struct th_key *key;

    if (r->route->flags & TH_R_PUBLIC)
        return true;
    key = th_api_key(r);
    if (!key) {
        if (r->too_many_wrong)
            th_api_fail(r, 429, "too many requests with a wrong key have come from this address");
        else
            th_api_fail(r, 401, "%s",
                        r->wrong_key ? "the key is unknown, revoked or expired"
                                     : "the request needs a key: Authorization: Bearer KEY");
        return false;
    }
    th_api_guess_right(r, key);
    r->operator_key = key->role != TH_ROLE_NONE;
    r->scopes = key->scopes | (key->scopes & TH_SCOPE_MANAGE ? TH_SCOPE_READ | TH_SCOPE_ANSWERS : 0u) |
                (r->operator_key ? 0u : TH_SCOPE_ANY);
    r->key_no = key->no;
    r->key_owner = key->tenant;
    if (!note_key(r, key))
        return false;
    if (!r->operator_key) /* from here on errors have the form that this tenant's clients know */
        r->dialect = key->tenant->dialect;
    return shows_csrf(r) && th_api_limit_key(r) && is_allowed(r, key) &&
           (!(r->route->flags & TH_R_TENANT) || choose_tenant(r, key));
}
