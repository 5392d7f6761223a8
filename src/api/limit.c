/* How many requests a second: of one tenant's key, for one tenant, and with wrong keys from one address. Each is a rate of
 * the installation, and none holds unless it is set. A burst of one second's worth is let through.
 *
 * The tenant's rate counts what is asked for it with any key, the operator's included: a platform that publishes for all
 * its customers is told about the one that floods, and goes on for the others. The key's rate is for tenants' keys; the
 * operator's own key is not his to be limited by.
 *
 * An address that has used up its wrong keys is refused before its key is looked at, a right one too: otherwise guessing
 * would go on at full speed, and only its failures would be counted.
 *
 * Refused: 429 with Retry-After, in the error form of the dialect. Answers to what is counted carry RateLimit and
 * RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers). What is refused costs no token of the rate that refuses it. */
#include "api/private.h"

bool th_api_limit_rates(struct th_api *api, const struct th_api_conf *conf)
{
    return th_api_meter_rate(&api->keys, conf->key_rate) &&
           th_api_meter_rate(&api->tenants, conf->tenant_rate) &&
           th_api_meter_rate(&api->addresses, conf->wrong_key_rate);
}

static struct th_mono now(const struct th_api_req *r)
{
    return (struct th_mono){r->x->received_us};
}

static bool is_refused(struct th_api_req *r, int64_t wait_us)
{
    if (!wait_us)
        return false;
    r->retry_after_s = (unsigned)((wait_us + 999999) / 1000000);
    th_count(r->api->metrics, TH_C_HTTP_LIMITED, 1);
    return true;
}

bool th_api_limit_key(struct th_api_req *r)
{
    if (r->operator_key || !is_refused(r, th_api_meter_take(&r->api->keys, r->key_no, now(r))))
        return true;
    th_api_fail(r, 429, "too many requests: this key may make %u a second",
                (unsigned)r->api->keys.per_second);
    return false;
}

bool th_api_limit_tenant(struct th_api_req *r)
{
    r->metered_tenant = r->tenant->no;
    if (!is_refused(r, th_api_meter_take(&r->api->tenants, r->tenant->no, now(r))))
        return true;
    th_api_fail(r, 429, "too many requests: %u a second may be made for this tenant",
                (unsigned)r->api->tenants.per_second);
    return false;
}

/* One name for each IPv4 address and each /64 of IPv6, which one customer has at least. */
static uint64_t address_name(const struct th_addr *a)
{
    uint64_t name = 0;

    memcpy(&name, a->ip, a->family == 4 ? 4 : 8);
    return name;
}

int64_t th_api_limit_address_us(const struct th_api_req *r)
{
    return th_api_meter_wait(&r->api->addresses, address_name(&r->x->peer), now(r));
}

bool th_api_limit_address(struct th_api_req *r)
{
    if (!is_refused(r, th_api_limit_address_us(r)))
        return true;
    th_api_fail(r, 429, "too many requests with a wrong key have come from this address");
    return false;
}

void th_api_limit_wrong_key(struct th_api_req *r)
{
    (void)th_api_meter_take(&r->api->addresses, address_name(&r->x->peer), now(r));
}

/* ---- fields ---- */

static void write_policy(struct th_buf *f, const char *comma, const char *name, const struct th_api_meter *m)
{
    th_buf_printf(f, "%s\"%s\";q=%u;w=1", comma, name, (unsigned)m->per_second);
}

static void write_left(struct th_api_req *r, const char *comma, const char *name,
                       const struct th_api_meter *m, uint64_t number)
{
    int64_t full_us;
    uint32_t left = th_api_meter_left(m, number, now(r), &full_us);

    th_buf_printf(&r->api->fields, "%s\"%s\";r=%u;t=%u", comma, name, (unsigned)left,
                  (unsigned)((full_us + 999999) / 1000000));
}

void th_api_limit_fields(struct th_api_req *r)
{
    const struct th_api *api = r->api;
    struct th_buf *f = &r->api->fields;
    bool key = api->keys.per_second && r->key_no && !r->operator_key,
         tenant = api->tenants.per_second && r->metered_tenant;
    const char *comma = key ? ", " : "";

    if (!key && !tenant)
        return;
    th_buf_str(f, "RateLimit-Policy: ");
    if (key)
        write_policy(f, "", "key", &api->keys);
    if (tenant)
        write_policy(f, comma, "tenant", &api->tenants);
    th_buf_str(f, "\r\nRateLimit: ");
    if (key)
        write_left(r, "", "key", &api->keys, r->key_no);
    if (tenant)
        write_left(r, comma, "tenant", &api->tenants, r->metered_tenant);
    th_buf_str(f, "\r\n");
}
