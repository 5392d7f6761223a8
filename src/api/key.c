/* The key that a request shows, and the dialect in which its client expects an answer.
 *
 * A wrong key counts once for each request, whoever asks first: the check of the key, or an error that has to be written
 * in the client's form before the key was looked at. */
#include "api/key.h"
#include "api/api.h"
#include "api/guess.h"
#include "api/request.h"
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

/* NULL: none is given, or it is not known; the latter counts once. */
const struct th_key *th_api_key(struct th_api_req *r)
{
    const struct th_key *key;
    struct th_span text;

    if (r->wrong_key || !th_api_request_bearer(r, &text))
        return NULL;
    key = th_api_request_key(r, text);
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
