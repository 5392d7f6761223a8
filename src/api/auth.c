/* Who asks: the key's text is hashed, and the hash is looked up, so that no comparison depends on secret
 * bytes (RFC 6750 for the form of the header). A tenant's key acts for its tenant; the operator's key for the
 * one that Tenterhook-Tenant names, else for that of the object whose id it gives (owner.c), else for "default".
 *
 * Refused: no key or an unknown one (401), a key without the scope (403), a tenant that does not exist (404),
 * more than the rates allow (429).
 * What a key may not touch is 404 as if it did not exist; the handlers see to that by looking up within the
 * tenant. */
#include "api/private.h"
#include "lib/crypto.h"

static const struct th_dialect *host_dialect(const struct th_api_req *r)
{
    const struct th_api_options *options = &r->api->options;
    const struct th_http1_field *host = th_api_header(r, "host");
    struct th_span name = host ? host->value : TH_LIT("");

    for (size_t i = name.n; i > 0; i--) {
        if (name.p[i - 1] == ']') /* IPv6 literal without port */
            break;
        if (name.p[i - 1] == ':') {
            name.n = i - 1;
            break;
        }
    }
    for (unsigned i = 0; i < options->host_count; i++)
        if (th_span_ieq(options->hosts[i].name, name))
            return th_engine_dialect(r->api->engine, options->hosts[i].dialect);
    return th_engine_dialect(r->api->engine, options->default_dialect);
}

bool th_api_bearer(const struct th_api_req *r, struct th_span *key)
{
    const struct th_http1_field *field = th_api_header(r, "authorization");
    struct th_span v;

    if (!field || field->value.n < 8 || !th_span_ieq(th_span(field->value.p, 7), TH_LIT("bearer ")))
        return false;
    v = th_span(field->value.p + 7, field->value.n - 7);
    while (v.n && *v.p == ' ') {
        v.p++;
        v.n--;
    }
    *key = v;
    return v.n > 0;
}

const struct th_key *th_api_find_key(struct th_api_req *r, struct th_span text)
{
    uint8_t hash[32];
    const struct th_key *key;

    th_sha256(text.p, text.n, hash);
    key = th_engine_key(r->api->engine, hash);
    return key && !(key->tenant && key->tenant->deleting) ? key : NULL;
}

/* NULL: none is given, or it is not known; the latter counts once. */
static const struct th_key *known_key(struct th_api_req *r)
{
    const struct th_key *key;
    struct th_span text;

    if (r->wrong_key || !th_api_bearer(r, &text))
        return NULL;
    key = th_api_find_key(r, text);
    if (!key) {
        r->wrong_key = true;
        r->too_many_wrong = !th_api_guess_wrong(r);
    }
    return key;
}

const struct th_dialect *th_api_client_dialect(struct th_api_req *r)
{
    const struct th_http1_field *named = th_api_header(r, "tenterhook-tenant");
    const struct th_key *key = known_key(r);
    const struct th_tenant *t = key ? key->tenant : NULL;

    if (key && !t && named && th_id_ok(named->value))
        t = th_engine_tenant(r->api->engine, named->value);
    return t && !t->deleting ? t->dialect : host_dialect(r);
}

bool th_api_bind_tenant(struct th_api_req *r, struct th_span id)
{
    struct th_tenant *t = th_id_ok(id) ? th_engine_tenant(r->api->engine, id) : NULL;

    if (!t || t->deleting) {
        th_api_fail(r, 404, "there is no tenant \"%.*s\"", (int)(id.n < 128 ? id.n : 128), id.p);
        return false;
    }
    r->tenant = t;
    r->dialect = t->dialect;
    memcpy(r->tenant_id, t->id.p, t->id.n);
    r->tenant_id_len = t->id.n;
    return true;
}

static bool choose_tenant(struct th_api_req *r, const struct th_key *key)
{
    const struct th_http1_field *named = th_api_header(r, "tenterhook-tenant");

    if (r->operator_key) {
        r->unnamed = !named;
        return th_api_bind_tenant(r, named ? named->value : th_api_owner_now(r)) &&
               ((r->route->flags & TH_R_PUBLISH) || th_api_owner_later(r) || /* it may be another's */
                th_api_limit_tenant(r));
    }
    if (named && !th_span_eq(named->value, key->tenant->id)) {
        th_api_fail(r, 403, "Tenterhook-Tenant names another tenant than the key's");
        return false;
    }
    return th_api_bind_tenant(r, key->tenant->id) && th_api_limit_tenant(r);
}

static const char *scope_name(unsigned scope)
{
    return scope == TH_SCOPE_PUBLISH ? "events:publish"
           : scope == TH_SCOPE_READ  ? "webhooks:read"
                                     : "webhooks:manage";
}

bool th_api_authorize(struct th_api_req *r)
{
    const struct th_api_route *route = r->route;
    const struct th_key *key;
    unsigned scopes;

    if (route->flags & TH_R_PUBLIC)
        return true;
    key = known_key(r);
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
    scopes = key->scopes | (key->scopes & TH_SCOPE_MANAGE ? TH_SCOPE_READ | TH_SCOPE_ANSWERS : 0u);
    r->operator_key = !key->tenant;
    r->scopes = scopes;
    r->key_no = key->no;
    r->key_owner = key->tenant;
    if (!r->operator_key) /* errors from here on are in the form that this tenant's clients know */
        r->dialect = key->tenant->dialect;
    if (!th_api_limit_key(r))
        return false;
    if (!r->operator_key && ((route->flags & TH_R_OPERATOR) || (route->scope && !(scopes & route->scope)))) {
        if (route->flags & TH_R_OPERATOR)
            th_api_fail(r, 403, "this needs the operator's key");
        else
            th_api_fail(r, 403, "the key lacks the scope %s", scope_name(route->scope));
        return false;
    }
    return !(route->flags & TH_R_TENANT) || choose_tenant(r, key);
}
