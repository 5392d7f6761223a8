/* The audit log: one line at info level for each management request that was answered, unless with 429: who,
 * what, which object, on whose behalf, with which result. Reading a secret is included, because it matters as
 * much although it changes nothing.
 *
 * Why here and not in the handlers: every answer passes through one function (reply.c), so no handler can
 * forget it, and refusals are logged as well.
 *
 * The newest lines are kept as rows as well, which GET /v1/audit shows (engine/control/audit.c).
 *
 * Leaves out: bodies, query strings, names, URLs and key texts; ids and tenants are the only texts of
 * customers in it. The fields are documented in docs/operating.md and are an interface: they are added to,
 * not renamed. Failure: a lost line of the log does not stop the change. */
#include "api/audit.h"
#include "api/request.h"
#include "api/route.h"
#include "api/state.h"
#include "base/log.h"
#include "core/guard.h"
#include "engine/engine.h"
#include <limits.h>

enum { MAX_WORD = 128 }; /* bytes of what a client wrote */

static bool is_audited(const struct th_api_req *r)
{
    const struct th_api_route *route = r->route;

    if (!route || (route->flags & (TH_R_PUBLIC | TH_R_PUBLISH)))
        return false;
    if (strcmp(route->method, "GET") == 0)
        return (route->flags & TH_R_SECRET) &&
               (th_span_is(r->x->head.method, "GET") || th_span_is(r->x->head.method, "HEAD"));
    return th_span_is(r->x->head.method, route->method); /* otherwise 405 on a path that has other methods */
}

/* The key's public id; "" before it is known who asks, or when the key is gone. */
static struct th_span key_id(struct th_api_req *r, struct th_buf *mem)
{
    const struct th_tenant *t = NULL;
    const struct th_key *k;

    if (r->operator_key || r->by_portal || r->by_portal_link)
        return r->key_id.n ? r->key_id : TH_LIT("operator");
    if (r->key_no) /* without a bound tenant the request was refused in its first turn */
        t = r->tenant_id_len ? th_api_request_tenant(r) : r->key_owner;
    for (unsigned at = UINT_MAX; t && (k = th_engine_key_below(r->api->engine, t, &at));)
        if (k->no == r->key_no) {
            th_engine_key_id(r->api->engine, k, mem);
            break;
        }
    return th_buf_view(mem);
}

struct th_span th_api_audit_loggable(struct th_span s)
{
    static const struct th_span secrets[] = {{"th_key_", 7}, {"th_op_", 6}, {"th_ses_", 7}, {"th_link_", 8},
                                             {"whsec_", 6},  {"whsk_", 5},  {"th_ptl_", 7}, {"th_plink_", 9}};

    for (size_t i = 0; i < s.n; i++)
        for (unsigned k = 0; k < sizeof secrets / sizeof secrets[0]; k++)
            if (th_span_starts(th_span(s.p + i, s.n - i), secrets[k]))
                return th_span(s.p, i + secrets[k].n);
    return s;
}

static struct th_span at_most(struct th_span s)
{
    return th_api_audit_loggable(th_span(s.p, s.n < MAX_WORD ? s.n : MAX_WORD));
}

/* The last parameter of the path names the object, unless the answer has made one. */
static struct th_span object_id(const struct th_api_req *r)
{
    unsigned n = TH_API_MAX_PARAMS;

    if (r->made[0])
        return th_str(r->made);
    while (n && !r->param[n - 1].n)
        n--;
    return n ? r->param[n - 1] : th_span("", 0);
}

/* Rows are kept of those who have shown a valid key: nobody else may fill the list. */
static void keep(struct th_api_req *r, unsigned status, const struct th_audit *a)
{
    if (status != 401 && (r->operator_key || r->key_no || r->by_portal || r->by_portal_link))
        th_engine_audit(r->api->engine, a);
}

void th_api_audit(struct th_api_req *r, unsigned status)
{
    const char *result = status < 400 ? r->dry_run ? "checked" : "done" : status < 500 ? "refused" : "failed";
    struct th_span object, tenant;
    struct th_buf id, from, client;

    if (!is_audited(r) ||
        status == 429) /* a flood of requests that were not even tried stays out of the log */
        return;
    th_buf_init(&id, 128);
    th_buf_init(&from, 128);
    th_addr_format(&from, &r->x->peer);
    th_buf_init(&client, 128);
    th_addr_format(&client, th_api_request_client(r));
    object = object_id(r);
    tenant = th_api_request_tenant_id(r);
    if (!tenant.n && (r->by_portal || r->by_portal_link)) /* these answer in the turn of the request */
        tenant = r->key_owner->id;
    if (!tenant.n && strncmp(r->route->path, "/v1/tenants/", 12) == 0)
        tenant = r->param[0];
    keep(r, status,
         &(struct th_audit){.status = (uint16_t)status,
                            .repeated = r->repeated,
                            .of_operator = r->operator_key,
                            .text = {[TH_AUDIT_OPERATION] = th_str(r->route->id),
                                     [TH_AUDIT_RESULT] = th_str(result),
                                     [TH_AUDIT_KEY] = key_id(r, &id),
                                     [TH_AUDIT_KEY_NAME] = at_most(r->key_name),
                                     [TH_AUDIT_SESSION] = th_str(r->session),
                                     [TH_AUDIT_TENANT] = at_most(tenant),
                                     [TH_AUDIT_OBJECT] = at_most(object),
                                     [TH_AUDIT_FROM] = th_buf_view(&from),
                                     [TH_AUDIT_CLIENT] = th_buf_view(&client),
                                     [TH_AUDIT_REQUEST] = th_str(r->x->request_id)}});
    th_buf_reset(&id);
    th_log(TH_LOG_INFO, "audit", TH_KC("operation", r->route->id), TH_KC("result", result),
           TH_KI("status", status), TH_KS("key", key_id(r, &id)), TH_KS("key_name", at_most(r->key_name)),
           TH_KC("session", r->session), TH_KS("tenant", at_most(tenant)), TH_KS("object", at_most(object)),
           TH_KS("from", th_buf_view(&from)), TH_KS("client", th_buf_view(&client)),
           TH_KI("repeated", r->repeated), TH_KC("request_id", r->x->request_id));
    th_buf_fini(&id);
    th_buf_fini(&from);
    th_buf_fini(&client);
}
