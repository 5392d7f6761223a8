/* Reads filters of lists of deliveries, attempts and events from the query.
 *
 * Words for a status stand for what the store keeps plus the state of the endpoint: "held" is "in the queue,
 * and the endpoint is paused or disabled", so filters by pending, retrying or held go with the list of such
 * endpoints. */
#include "api/filter.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "base/sorted.h"
#include "core/pubid.h"
#include "engine/engine.h"
#include "net/tls_common.h"
#include "port/transport.h"

/* LIMIT: with more endpoints, a filter by what waits needs a tenant, because each endpoint is looked at. */
#define HELD_LOOK_AT 200000

/* Endpoints of the tenant, or of all, whose deliveries wait. False: no memory. */
static bool held_endpoints(struct th_api_req *r, bool any, const uint64_t **out, uint32_t *count)
{
    struct th_tenant *const *of = &r->tenant;
    unsigned tenants = 1;
    size_t most = 0;
    uint64_t *v;

    if (any)
        of = th_engine_tenants(r->api->engine, &tenants);
    for (unsigned t = 0; t < tenants; t++)
        most += of[t]->endpoint_count;
    *count = 0;
    *out = v = th_arena_get(&r->mem, (most + 1) * sizeof *v);
    if (!v)
        return false;
    for (unsigned t = 0; t < tenants; t++)
        for (unsigned i = 0; i < of[t]->endpoint_count; i++)
            if (th_ep_held(of[t]->endpoints[i]))
                v[(*count)++] = of[t]->endpoints[i]->no;
    th_sorted_make(v, *count);
    return true;
}

static const struct {
    const char *word;
    uint32_t states;
    unsigned waits; /* of TH_DS_QUEUED */
} statuses[] = {
    {"pending", 1u << TH_DS_QUEUED, TH_WAITS_PENDING},
    {"retrying", 1u << TH_DS_QUEUED, TH_WAITS_RETRYING},
    {"scheduled", 1u << TH_DS_QUEUED, TH_WAITS_SCHEDULED},
    {"held", 1u << TH_DS_QUEUED, TH_WAITS_HELD},
    {"delivered", 1u << TH_DS_DELIVERED, 0},
    {"failed", 1u << TH_DS_EXHAUSTED | 1u << TH_DS_FINAL | 1u << TH_DS_EXPIRED, 0},
    {"cancelled", 1u << TH_DS_CANCELLED, 0},
};

/* One word, or several with commas between: any of them. */
static enum th_api_filter filter_status(struct th_api_req *r, struct th_page *p)
{
    struct th_span rest;

    if (!th_api_query_param(r, "status", &rest))
        return TH_API_FILTER_OK;
    do {
        struct th_span word = th_span_cut(&rest, ',');
        unsigned i = 0;
        while (i < sizeof statuses / sizeof statuses[0] && !th_span_is(word, statuses[i].word))
            i++;
        if (i == sizeof statuses / sizeof statuses[0]) {
            th_api_fault_param(
                r, "status",
                "must be one of scheduled, pending, retrying, held, delivered, failed, cancelled, or several "
                "with commas between; for the HTTP status of an answer there is status_code");
            return th_api_query_fail(r), TH_API_FILTER_ANSWERED;
        }
        p->states |= statuses[i].states;
        p->waiting |= statuses[i].waits;
    } while (rest.n);
    if (!p->waiting)
        return TH_API_FILTER_OK;
    p->now = th_engine_now(r->api->engine).wall.ms;
    if (p->any && th_engine_last_endpoint(r->api->engine) > HELD_LOOK_AT) {
        th_api_fault_param(
            r, "status",
            "can be scheduled, pending, retrying or held only of one tenant here, because of the "
            "number of endpoints; name the tenant in the header Tenterhook-Tenant");
        return th_api_query_fail(r), TH_API_FILTER_ANSWERED;
    }
    if (!held_endpoints(r, p->any, &p->endpoints, &p->endpoint_count)) {
        th_api_fail_nomem(r);
        return TH_API_FILTER_ANSWERED;
    }
    return p->waiting == TH_WAITS_HELD && p->states == 1u << TH_DS_QUEUED && p->endpoint_count == 0
               ? TH_API_FILTER_EMPTY
               : TH_API_FILTER_OK;
}

/* "503" or "5xx" into the statuses that are wanted. */
static bool add_answered(struct th_span word, struct th_page *p)
{
    uint64_t first, count = 1;

    if (word.n == 3 && th_lower(word.p[1]) == 'x' && th_lower(word.p[2]) == 'x') {
        first = (uint64_t)(unsigned char)word.p[0] - '0';
        first *= count = 100;
    } else if (!th_span_u64(word, 999, &first)) {
        return false;
    }
    if (first < 100 || first > 999)
        return false;
    for (uint64_t status = first; status < first + count; status++)
        TH_ANSWERED_ADD(p, status);
    return true;
}

/* One status or class of statuses, or several with commas between: any of them. */
static bool filter_answered(struct th_api_req *r, struct th_page *p)
{
    struct th_span rest;

    if (!th_api_query_param(r, "status_code", &rest))
        return true;
    do {
        if (!add_answered(th_span_cut(&rest, ','), p)) {
            th_api_fault_param(r, "status_code",
                               "must be an HTTP status such as 503, a class of them such as 5xx, or several "
                               "with commas between");
            return th_api_query_fail(r);
        }
    } while (rest.n);
    p->by_answer = true;
    return true;
}

bool th_api_filter_outcomes(struct th_api_req *r, struct th_page *p)
{
    struct th_span text, word;

    if (!filter_answered(r, p))
        return false;
    if (!th_api_query_param(r, "outcome", &text))
        return true;
    do {
        uint32_t bits = 0;
        word = th_span_cut(&text, ',');
        for (unsigned c = TH_HTTP_OK; c <= TH_HTTP_TOKEN; c++)
            for (unsigned ok = 0; ok < 2; ok++)
                if (th_span_is(word, th_outcome_name((enum th_http_class)c, ok)))
                    bits |= TH_OUTCOME_BIT(c, ok);
        if (!bits) {
            th_api_fault_param(
                r, "outcome",
                "must be one of success, failed_status, dns_error, denied, connect_error, tls_error, "
                "timeout, connection_reset, protocol_error, cancelled, internal_error, "
                "client_certificate_error, token_error, or several with commas between");
            return th_api_query_fail(r);
        }
        p->outcomes |= bits;
    } while (text.n);
    return true;
}

enum th_api_filter th_api_filter_attempts(struct th_api_req *r, struct th_page *p)
{
    struct th_span text;
    struct th_pubid id;

    if (!th_api_filter_outcomes(r, p) || !th_api_query_tests(r, p) || !th_api_query_type(r, &p->type))
        return TH_API_FILTER_ANSWERED;
    if (!th_api_query_param(r, "endpoint", &text)) /* it may have been deleted */
        return TH_API_FILTER_OK;
    if (!th_engine_parse_endpoint_id(r->api->engine, r->dialect, text, &id))
        return TH_API_FILTER_EMPTY;
    p->endpoint = id.no;
    return TH_API_FILTER_OK;
}

enum th_api_filter th_api_filter_events(struct th_api_req *r, struct th_page *p)
{
    return th_api_query_tests(r, p) && th_api_query_type(r, &p->type) ? TH_API_FILTER_OK
                                                                      : TH_API_FILTER_ANSWERED;
}

bool th_api_filter_tenants(struct th_api_req *r, struct th_page *p)
{
    struct th_span text;

    if (!th_api_query_flag(r, "all_tenants", &r->all_tenants))
        return false;
    if (!r->all_tenants)
        return true;
    if (!r->operator_key) {
        th_api_fail(r, 403, "query parameter all_tenants: needs the operator's key");
        return false;
    }
    if (!r->unnamed) {
        th_api_fault_param(r, "all_tenants",
                           "goes without the header Tenterhook-Tenant, which names one tenant");
        return th_api_query_fail(r);
    }
    r->native = true; /* the rows may have as many dialects as there are tenants */
    r->shaped = false;
    if (!th_api_query_param(r, "endpoint", &text) && !th_api_query_param(r, "event", &text)) {
        p->any = true;
        p->tenant = 0;
    }
    return true;
}

bool th_api_filter_direction(struct th_api_req *r, const struct th_page *p)
{
    if (!p->ascending || !p->before)
        return true;
    th_api_fault_param(r, "after", "goes upwards, and cursor goes downwards: give only one of them");
    return th_api_query_fail(r);
}

enum th_api_filter th_api_filter_deliveries(struct th_api_req *r, struct th_page *p)
{
    struct th_span text;

    *p = (struct th_page){.tenant = r->tenant->no, .max_bytes = TH_API_PAGE_BYTES};
    if (!th_api_filter_tenants(r, p) || !th_api_query_paging(r, &p->limit, &p->before) ||
        !th_api_query_since_until(r, &p->since, &p->until) || !th_api_query_tests(r, p))
        return TH_API_FILTER_ANSWERED;
    if (!th_api_query_type(r, &p->type))
        return TH_API_FILTER_ANSWERED;
    if (th_api_query_param(r, "endpoint", &text)) { /* it may have been deleted */
        struct th_pubid id;
        if (!th_engine_parse_endpoint_id(r->api->engine, r->dialect, text, &id))
            return TH_API_FILTER_EMPTY;
        p->endpoint = id.no;
    }
    if (!th_api_filter_outcomes(r, p))
        return TH_API_FILTER_ANSWERED;
    return filter_status(r, p);
}
