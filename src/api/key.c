/* The key that a request shows, and the dialect in which its client expects an answer.
 *
 * A wrong key counts once for each request, whoever asks first: the check of the key, or an error that has to be written
 * in the client's form before the key was looked at.
 *
 * A browser shows a session's cookie instead (sessions.c), and once the token of a link; both stand for an operator's key. A cookie
 * counts only without Authorization, and not where the browser says that another site is behind the request.
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
