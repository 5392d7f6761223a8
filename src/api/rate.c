/* Limits on requests a second: with one tenant's key, for one tenant, and with wrong keys from one address
 * (guess.c). Each rate holds for the installation; the first two hold only if they are set. A burst of one
 * second's worth is let through.
 *
 * The tenant's rate counts requests for it with any key, the operator's included: a platform that publishes
 * for all its customers is refused for the one that floods, and goes on for the others. The key's rate is for
 * tenants' keys; the operator's own key has no such limit.
 *
 * While only the head of a request is judged no token is taken: the request comes here again with its body.
 *
 * The callers answer 429 (limit.c, auth.c); Retry-After is set here. Answers to counted requests carry
 * RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers). A refused request costs no token of
 * the rate that refuses it. */
#include "api/rate.h"
#include "api/api.h"
#include "api/meter.h"
#include "api/request.h"
#include "api/state.h"

bool th_api_rate_set(struct th_api *api, const struct th_api_options *options)
{
    return th_api_meter_rate(&api->shared->keys, options->key_rate) &&
           th_api_meter_rate(&api->shared->tenants, options->tenant_rate) &&
           th_api_meter_rate(&api->shared->addresses, options->wrong_key_rate);
}

static struct th_mono now(const struct th_api_req *r)
{
    return (struct th_mono){r->x->received_us};
}

bool th_api_rate_passes(struct th_api_req *r, int64_t wait_us)
{
    if (!wait_us)
        return true;
    r->retry_after_s = (unsigned)((wait_us + 999999) / 1000000);
    th_count(r->api->metrics, TH_C_HTTP_LIMITED, 1);
    return false;
}

static bool take(struct th_api_req *r, struct th_api_meter *m, uint64_t name)
{
    return th_api_rate_passes(r, r->judging ? th_api_meter_wait(m, name, now(r))
                                            : th_api_meter_take(m, name, now(r)));
}

bool th_api_rate_key(struct th_api_req *r)
{
    return r->operator_key || take(r, &r->api->shared->keys, r->key_no);
}

bool th_api_rate_tenant(struct th_api_req *r)
{
    r->metered_tenant = r->tenant->no;
    return take(r, &r->api->shared->tenants, r->tenant->no);
}

/* ---- fields ---- */

static void write_policy(struct th_buf *f, const char *comma, const char *name, struct th_api_meter *m)
{
    th_buf_printf(f, "%s\"%s\";q=%u;w=1", comma, name, (unsigned)th_api_meter_per_second(m));
}

static void write_left(struct th_api_req *r, const char *comma, const char *name, struct th_api_meter *m,
                       uint64_t number)
{
    int64_t full_us;
    uint32_t left = th_api_meter_left(m, number, now(r), &full_us);

    th_buf_printf(&r->api->fields, "%s\"%s\";r=%u;t=%u", comma, name, (unsigned)left,
                  (unsigned)((full_us + 999999) / 1000000));
}

void th_api_rate_fields(struct th_api_req *r)
{
    struct th_api_shared *shared = r->api->shared;
    struct th_buf *f = &r->api->fields;
    bool key = th_api_meter_per_second(&shared->keys) && r->key_no && !r->operator_key,
         tenant = th_api_meter_per_second(&shared->tenants) && r->metered_tenant;
    const char *comma = key ? ", " : "";

    if (!key && !tenant)
        return;
    th_buf_str(f, "RateLimit-Policy: ");
    if (key)
        write_policy(f, "", "key", &shared->keys);
    if (tenant)
        write_policy(f, comma, "tenant", &shared->tenants);
    th_buf_str(f, "\r\nRateLimit: ");
    if (key)
        write_left(r, "", "key", &shared->keys, r->key_no);
    if (tenant)
        write_left(r, comma, "tenant", &shared->tenants, r->metered_tenant);
    th_buf_str(f, "\r\n");
}
