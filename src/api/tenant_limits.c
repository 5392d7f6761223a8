/* The limits of a tenant in requests, answers and metrics.
 *
 * `limits` has the tenant's own limits, in the form that PUT takes, so that the result of GET can be put
 * back; PUT replaces all of them. `usage` has what is used and what is allowed in total. In the metrics a
 * tenant has rows only when it has limits of its own or is near one, and at most METRIC_TENANTS tenants have
 * some, because nothing else bounds the number of tenants. */
#include "api/tenant_limits.h"
#include "api/decode.h"
#include "api/fault.h"
#include "api/member.h"
#include "api/request.h"
#include "api/state.h"
#include "core/limits.h"
#include "engine/engine.h"
#include "net/tls_common.h"

#define METRIC_TENANTS 200

static void read_one(struct th_api_req *r, struct th_span name, struct th_json v, struct th_change *c)
{
    struct th_span pointer = th_api_fault_pointer(r, TH_LIT("/limits"), name);
    unsigned id = 0;
    int64_t n = TH_LIMIT_OPEN;

    while (id < TH_L_COUNT && !th_span_is(name, th_limit_name((enum th_limit)id)))
        id++;
    if (id == TH_L_COUNT) {
        struct th_buf names;
        th_buf_init(&names, 1024);
        for (id = 0; id < TH_L_COUNT; id++)
            th_buf_printf(&names, "%s%s", id ? ", " : "", th_limit_name((enum th_limit)id));
        th_api_fault(r, pointer, "is not a limit; the limits are %.*s", (int)names.n, th_buf_view(&names).p);
        th_buf_fini(&names);
        return;
    }
    if (v.type != TH_JSON_NULL && (!th_json_i64(v, &n) || n < 0 || n > th_limit_highest((enum th_limit)id))) {
        th_api_fault(r, pointer,
                     "must be a whole number from 0 (no limit) to %lld, or null for the installation's limit",
                     (long long)th_limit_highest((enum th_limit)id));
        return;
    }
    c->tenant_put.limits.v[id] = n;
}

bool th_api_tenant_limits_read(struct th_api_req *r, const struct th_json *v, struct th_change *c)
{
    struct th_json_iter it;
    struct th_json key, value;
    struct th_span name;

    for (unsigned id = 0; id < TH_L_COUNT; id++)
        c->tenant_put.limits.v[id] = TH_LIMIT_OPEN;
    c->tenant_put.limits_given = v->type == TH_JSON_OBJECT || v->type == TH_JSON_NULL;
    if (v->type != TH_JSON_OBJECT)
        return true; /* null: none of its own; anything else has been noted */
    th_json_iter(&it, *v);
    while (th_json_next(&it, &key, &value)) {
        if (!th_api_decode_string(r, key, &name))
            return false;
        read_one(r, name, value, c);
    }
    return true;
}

void th_api_tenant_limits_write(struct th_api_req *r, struct th_jw *w, const struct th_tenant *t, bool use)
{
    const struct th_engine *e = r->api->engine;

    th_jw_key(w, TH_LIT("limits"));
    th_jw_object(w);
    for (unsigned id = 0; id < TH_L_COUNT; id++)
        if (t->limits.v[id] != TH_LIMIT_OPEN)
            th_api_member_int(w, th_limit_name((enum th_limit)id), t->limits.v[id]);
    th_jw_end_object(w);
    if (!use)
        return;
    th_jw_key(w, TH_LIT("usage"));
    th_jw_object(w);
    for (unsigned id = 0; id < TH_L_COUNT; id++) {
        int64_t allowed = th_engine_allowed(e, t, (enum th_limit)id);
        th_jw_key(w, th_str(th_limit_name((enum th_limit)id)));
        th_jw_object(w);
        int64_t used = th_engine_used(e, t, (enum th_limit)id);
        th_jw_key(w, TH_LIT("used"));
        if (used == TH_LIMIT_UNKNOWN)
            th_jw_null(w);
        else
            th_jw_i64(w, used);
        th_jw_key(w, TH_LIT("allowed"));
        if (allowed)
            th_jw_i64(w, allowed);
        else
            th_jw_null(w);
        th_jw_end_object(w);
    }
    th_jw_end_object(w);
}

/* ---- metrics ---- */

static bool is_worth_rows(const struct th_engine *e, const struct th_tenant *t)
{
    for (unsigned id = 0; id < TH_L_COUNT; id++)
        if (t->limits.v[id] != TH_LIMIT_OPEN || (id != TH_L_HEADER_BYTES && id < TH_L_HOST_REQUESTS &&
                                                 th_engine_near(e, th_engine_used(e, t, (enum th_limit)id),
                                                                th_engine_allowed(e, t, (enum th_limit)id))))
            return true;
    return false;
}

static void write_rows(const struct th_engine *e, const struct th_tenant *const *rows, unsigned count,
                       bool allowed, struct th_buf *out)
{
    const char *name = allowed ? "tenterhook_tenant_limit" : "tenterhook_tenant_used";

    th_buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", name,
                  allowed
                      ? "The most that a tenant may have; 0: no limit. Tenants with own limits, or near one."
                      : "How much a tenant uses. Tenants with own limits, or near one.",
                  name);
    for (unsigned i = 0; i < count; i++)
        for (unsigned id = 0; id < TH_L_COUNT; id++) {
            int64_t n = allowed ? th_engine_allowed(e, rows[i], (enum th_limit)id)
                                : th_engine_used(e, rows[i], (enum th_limit)id);
            if (!allowed && n == TH_LIMIT_UNKNOWN)
                continue;
            th_buf_printf(out, "%s{tenant=\"%.*s\",limit=\"%s\"} %lld\n", name, (int)rows[i]->id.n,
                          rows[i]->id.p, th_limit_name((enum th_limit)id), (long long)n);
        }
}

void th_api_tenant_limits_metrics(struct th_api *api, struct th_buf *out)
{
    const struct th_tenant *rows[METRIC_TENANTS];
    struct th_tenant *const *all;
    unsigned count, n = 0;

    all = th_engine_tenants(api->engine, &count);
    for (unsigned i = 0; i < count && n < METRIC_TENANTS; i++)
        if (!all[i]->deleting && is_worth_rows(api->engine, all[i]))
            rows[n++] = all[i];
    write_rows(api->engine, rows, n, false, out);
    write_rows(api->engine, rows, n, true, out);
}
