/* The public keys of an endpoint, for whoever receives its requests: a JSON Web Key Set (RFC 7517).
 *
 * Each endpoint has keys of its own, and a receiver knows its endpoint's id, so the set is that of one endpoint: it has a few
 * keys however large the installation is, and nobody learns how many endpoints or tenants there are. An id cannot be
 * guessed; one that names nothing is answered as an endpoint without key pairs is.
 *
 * A key is listed from its rotation until it ends, so while two sign both are. A receiver that meets a keyid which it does
 * not have asks again. */
#include "api/fail.h"
#include "api/handlers.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/state.h"
#include "engine/engine.h"

#define KEPT "Cache-Control: public, max-age=300\r\n" /* so long a key that was revoked is still taken */

void th_h_jwks(struct th_api_req *r)
{
    const struct th_endpoint *ep;
    struct th_span id;
    struct th_jw w;

    if (!th_api_query_param(r, "endpoint", &id) || !id.n) {
        th_api_fail(r, 400,
                    "query parameter endpoint: the id of the endpoint whose keys are wanted is needed");
        return;
    }
    ep = th_engine_endpoint_anywhere(r->api->engine, id);
    w = th_api_reply_begin(r);
    th_buf_str(&r->api->fields, KEPT);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("keys"));
    th_jw_array(&w);
    if (ep)
        th_engine_public_keys(r->api->engine, ep, &w);
    th_jw_end_array(&w);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}
