/* Answers 429 when a rate is reached (rate.c). */
#include "api/limit.h"
#include "api/fail.h"
#include "api/rate.h"
#include "api/request.h"
#include "api/state.h"

bool th_api_limit_key(struct th_api_req *r)
{
    if (th_api_rate_key(r))
        return true;
    th_api_fail(r, 429, "too many requests: this key may make %u a second",
                (unsigned)th_api_meter_per_second(&r->api->shared->keys));
    return false;
}

bool th_api_limit_tenant(struct th_api_req *r)
{
    if (th_api_rate_tenant(r))
        return true;
    th_api_fail(r, 429, "too many requests: at most %u a second are allowed for this tenant",
                (unsigned)th_api_meter_per_second(&r->api->shared->tenants));
    return false;
}
