/* Tenants: made and changed by PUT under the operator's external id. Refused: ids outside [A-Za-z0-9_-]{1,128} (422). */
#include "api/change.h"
#include "api/cursor.h"
#include "api/decode.h"
#include "api/etag.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/owner.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "api/tenant_limits.h"
#include "core/guard.h"
#include "engine/engine.h"

/* ---- tenants ---- */

static void write_tenant(struct th_api_req *r, struct th_jw *w, const struct th_tenant *t, bool use)
{
    th_jw_object(w);
    th_api_member_str(w, "id", t->id);
    th_api_member_str(w, "name", t->name);
    th_api_member_str(w, "dialect", th_dialect_values(t->dialect)->name);
    th_jw_key(w, TH_LIT("attributes"));
    th_jw_raw(w, t->attributes.n ? t->attributes : TH_LIT("{}"));
    th_api_tenant_limits_write(r, w, t, use);
    if (t->retention_s)
        th_api_member_int(w, "retention_seconds", t->retention_s);
    th_api_member_time(w, "created_at", t->created.ms);
    th_api_member_time(w, "updated_at", t->updated.ms);
    th_jw_end_object(w);
}

static void tenant_answer(struct th_api_req *r, struct th_change *c, struct th_buf *fields,
                          struct th_buf *body)
{
    struct th_jw w = th_jw(body);

    th_api_etag_line(r, fields, c->tenant->no, c->tenant->rev);
    if (c->created) {
        th_buf_str(fields, "Location: /v1/tenants/");
        th_buf_span(fields, c->tenant->id);
        th_buf_str(fields, "\r\n");
    }
    write_tenant(r, &w, c->tenant, true);
}

void th_h_tenant_put(struct th_api_req *r)
{
    static const struct th_api_field fields[] = {
        {"name", TH_T_STRING, false, false, 256, 0, 0},
        {"dialect", TH_T_STRING, false, false, 64, 0, 0},
        {"attributes", TH_T_OBJECT, false, true, 0, 0, 0},
        {"limits", TH_T_OBJECT, false, true, 0, 0, 0},
        {"retention_seconds", TH_T_INTEGER, false, true, 0, 1, 315360000},
    };
    struct th_tenant *t = th_engine_tenant(r->api->engine, r->param[0]);
    struct th_api_value v[5];
    struct th_change *c;

    if (t && t->deleting)
        t = NULL;
    if (!th_api_decode(r, r->body, TH_LIT(""), fields, 5, false, v)) {
        th_api_fail_nomem(r);
        return;
    }
    if (!th_id_ok(r->param[0])) {
        th_api_fail(r, 422, "a tenant's id must have 1 to 128 characters of A-Z a-z 0-9 _ -");
        return;
    }
    for (int i = 0; i < 2;
         i++) /* a member that is left out keeps its value; an empty one would mean nothing */
        if (v[i].present && v[i].text.n == 0)
            th_api_fault(r, i ? TH_LIT("/dialect") : TH_LIT("/name"), "is empty");
    if (v[2].json.raw.n > 16384)
        th_api_fault(r, TH_LIT("/attributes"), "is larger than 16 KiB");
    memcpy(r->tenant_id, r->param[0].p, r->param[0].n);
    r->tenant_id_len = r->param[0].n;
    c = th_api_change(r, TH_CHANGE_TENANT_PUT);
    if (v[3].present && !th_api_tenant_limits_read(r, &v[3].json, c)) {
        th_api_fail_nomem(r);
        return;
    }
    if (r->error_count) {
        th_api_fail_invalid(r);
        return;
    }
    if (!th_api_etag_precondition(r, t ? t->no : 0, t ? t->rev : 0))
        return;
    c->tenant_put.name = v[0].text;
    c->tenant_put.dialect = v[1].text;
    c->tenant_put.attributes = v[2].present ? (v[2].null ? TH_LIT("{}") : v[2].json.raw) : TH_LIT("");
    c->tenant_put.retention_given = v[4].present;
    c->tenant_put.retention_s = v[4].null ? 0 : v[4].i;
    c->check_rev = r->conditional;
    c->expect_rev = t ? t->rev : 0;
    th_api_change_submit(r, 200, tenant_answer);
}

void th_h_tenant_get(struct th_api_req *r)
{
    struct th_jw w;

    if (!th_api_owner_bind(r, r->param[0]) || th_api_etag_not_modified(r, r->tenant->no, r->tenant->rev))
        return;
    w = th_api_reply_begin(r);
    th_api_etag_line(r, &r->api->fields, r->tenant->no, r->tenant->rev);
    write_tenant(r, &w, r->tenant, true);
    th_api_reply(r, 200);
}

void th_h_tenant_del(struct th_api_req *r)
{
    struct th_change *c;
    bool erase;

    if (!th_api_owner_bind(r, r->param[0]) || !th_api_etag_precondition(r, r->tenant->no, r->tenant->rev))
        return;
    if (!th_api_query_flag(r, "erase", &erase))
        return;
    c = th_api_change(r, TH_CHANGE_TENANT_DEL);
    c->tenant_del.erase = erase;
    c->check_rev = r->conditional;
    c->expect_rev = r->tenant->rev;
    th_api_change_submit(r, 204, NULL);
}

static void write_tenants_now(struct th_api_req *r)
{
    struct th_tenant *const *all;
    unsigned count, shown = 0;
    uint64_t before, next = 0;
    uint32_t limit;
    struct th_jw w;

    if (!th_api_query_paging(r, &limit, &before))
        return;
    all = th_engine_tenants(r->api->engine, &count);
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    for (unsigned i = count; i > 0; i--) {
        const struct th_tenant *t = all[i - 1];
        if (t->deleting || (before && t->no >= before))
            continue;
        if (shown == limit || (shown && th_api_reply_is_full(r))) {
            next = t->no + 1;
            break;
        }
        write_tenant(r, &w, t, false);
        shown++;
    }
    th_jw_end_array(&w);
    th_api_cursor_next(r, &w, next);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

void th_h_tenants(struct th_api_req *r)
{
    th_api_read_in_turn(r, write_tenants_now);
}
