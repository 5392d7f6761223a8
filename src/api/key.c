/* The key that a request shows, and the dialect in which its client expects an answer.
 *
 * A wrong key counts once for each request, whoever asks first: the check of the key, or an error that has to be written
 * in the client's form before the key was looked at.
 *
 * A browser shows a session's cookie instead (sessions.c), and once the token of a link; both stand for an operator's key. A cookie
 * counts only without Authorization, and not where the browser says that another site is behind the request.
 * The portal's pages show a token that stands for the key with which its link was made, but has only the link's scopes, and
 * only for the link's tenant (portal.c); the link's own token is good for being exchanged, and for nothing else.
 * A wrong cookie does not count as a guess: sessions end by themselves, and browsers go on sending their
 * cookies. */
#include "api/key.h"
#include "api/api.h"
#include "api/guess.h"
#include "api/request.h"
#include "api/route.h"
#include "api/session.h"
#include "api/state.h"
#include "core/guard.h"
#include "engine/engine.h"

static const struct th_dialect *host_dialect(const struct th_api_req *r)
{
    const struct th_api_options *options = &r->api->options;
    const struct th_http1_field *host = th_api_request_header(r, "host");
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

bool th_api_key_cookie(const struct th_api_req *r, struct th_span *token)
{
    static const struct th_span name = {TH_API_COOKIE "=", sizeof TH_API_COOKIE};
    const struct th_http1_field *field = th_api_request_header(r, "cookie"),
                                *site = th_api_request_header(r, "sec-fetch-site");
    struct th_span rest = field ? field->value : th_span("", 0);

    if (site && !th_span_is(site->value, "same-origin") && !th_span_is(site->value, "none"))
        return false;
    while (rest.n) {
        struct th_span pair = th_span_trim(th_span_cut(&rest, ';'));
        if (th_span_starts(pair, name)) {
            *token = th_span(pair.p + name.n, pair.n - name.n);
            return token->n > 0;
        }
    }
    return false;
}

/* The key that a session or a link stands for, as long as it is valid. */
static const struct th_key *stands_for(struct th_api_req *r, const struct th_api_session *s)
{
    const struct th_key *key = th_engine_key(r->api->engine, s->key);

    if (!key || !key->role) {
        (void)th_api_session_end(&r->api->shared->sessions, s->hash);
        return NULL;
    }
    memcpy(r->key_hash, s->key, sizeof r->key_hash);
    memcpy(r->link_hash, s->hash, sizeof r->link_hash);
    return key;
}

static const struct th_key *by_cookie(struct th_api_req *r)
{
    struct th_api_session s;
    const struct th_key *key;
    struct th_span token;

    if (th_api_request_header(r, "authorization") || !th_api_key_cookie(r, &token) ||
        !th_api_session_find(&r->api->shared->sessions, TH_SESSION_OPEN, token, th_engine_now(r->api->engine),
                             r->api->options.session_idle_s, &s))
        return NULL;
    key = stands_for(r, &s);
    r->by_session = key != NULL;
    memcpy(r->session, s.id, sizeof r->session);
    memcpy(r->csrf, s.csrf, sizeof r->csrf);
    return key;
}

static const struct th_key *by_link(struct th_api_req *r, struct th_span text)
{
    const struct th_key *key = NULL;
    struct th_api_session s;

    if (r->route && (r->route->flags & TH_R_LINK) && th_span_starts(text, TH_LIT("th_link_")) &&
        th_api_session_find(&r->api->shared->sessions, TH_SESSION_LINK, text, th_engine_now(r->api->engine),
                            0, &s))
        key = stands_for(r, &s);
    r->by_link = key != NULL;
    return key;
}

/* What a row of the portal may, as a key of its tenant. NULL: its key or its tenant has ended, and so has the row. */
static const struct th_key *portal_key(struct th_api_req *r, const struct th_api_portal *p)
{
    const struct th_key *maker = th_engine_key(r->api->engine, p->key);
    struct th_tenant *t = th_engine_tenant_no(r->api->engine, p->tenant);
    struct th_key *key = &r->room->portal_key;

    if (!maker || !maker->role || !t || t->deleting) {
        (void)th_api_portal_end(&r->api->shared->portals, p->tenant, th_str(p->id),
                                th_engine_now(r->api->engine));
        return NULL;
    }
    *key = (struct th_key){.no = p->number,
                           .tenant = t,
                           .scopes = p->kind == TH_PORTAL_OPEN ? p->scopes : 0,
                           .note = maker->note};
    memcpy(r->key_hash, p->key, sizeof r->key_hash);
    memcpy(r->session, p->id, sizeof r->session);
    return key;
}

static const struct th_key *by_portal(struct th_api_req *r, struct th_span text)
{
    struct th_api_portals *all = &r->api->shared->portals;
    struct th_now now = th_engine_now(r->api->engine);
    const struct th_key *key = NULL;
    enum th_api_portal_found found;
    struct th_api_portal p = {0};

    if (th_span_starts(text, TH_LIT("th_ptl_"))) {
        if (th_api_portal_find(all, text, now, r->api->options.session_idle_s, &p))
            key = portal_key(r, &p);
        r->by_portal = key != NULL;
    } else if (r->route && (r->route->flags & TH_R_PORTAL_LINK) &&
               th_span_starts(text, TH_LIT("th_plink_"))) {
        found = th_api_portal_link(all, text, now, &p);
        if (found != TH_PORTAL_UNKNOWN)
            key = portal_key(r, &p);
        r->by_portal_link = key != NULL;
        memcpy(r->link_hash, p.link, sizeof r->link_hash);
    }
    return key;
}

/* NULL: none is given, or it is not known; the latter counts once. */
const struct th_key *th_api_key(struct th_api_req *r)
{
    const struct th_key *key;
    struct th_span text;

    if (r->wrong_key)
        return NULL;
    if (!th_api_request_bearer(r, &text))
        return by_cookie(r);
    key = th_api_request_key(r, text);
    if (key)
        memcpy(r->key_hash, key->hash, sizeof r->key_hash);
    else
        key = by_link(r, text);
    if (!key)
        key = by_portal(r, text);
    if (!key) {
        r->wrong_key = true;
        r->too_many_wrong = !th_api_guess_wrong(r);
    }
    return key;
}

const struct th_dialect *th_api_key_dialect(struct th_api_req *r)
{
    const struct th_http1_field *named = th_api_request_header(r, "tenterhook-tenant");
    const struct th_key *key = th_api_key(r);
    const struct th_tenant *t = key ? key->tenant : NULL;

    if (key && !t && named && th_id_ok(named->value))
        t = th_engine_tenant(r->api->engine, named->value);
    return t && !t->deleting ? t->dialect : host_dialect(r);
}
