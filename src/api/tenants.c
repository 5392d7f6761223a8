/* Tenants and their keys: the operator's routes.
 *
 * A tenant is made and changed by PUT under the operator's external id. Keys are 256 random bits as text, shown
 * once; only their SHA-256 goes on. Refused: ids outside [A-Za-z0-9_-]{1,128} (422), unknown scopes, an end
 * in the past. */
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
#include "base/alloc.h"
#include "base/enc.h"
#include "core/guard.h"
#include "engine/engine.h"
#include "lib/crypto.h"
#include "net/tls_common.h"
#include "port/clock.h"
#include <limits.h>
#include <stdio.h>

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
    };
    struct th_tenant *t = th_engine_tenant(r->api->engine, r->param[0]);
    struct th_api_value v[4];
    struct th_change *c;

    if (t && t->deleting)
        t = NULL;
    if (!th_api_decode(r, r->body, TH_LIT(""), fields, 4, false, v)) {
        th_api_fail_nomem(r);
        return;
    }
    if (!th_id_ok(r->param[0])) {
        th_api_fail(r, 422, "a tenant's id must have 1 to 128 characters of A-Z a-z 0-9 _ -");
        return;
    }
    for (int i = 0; i < 2; i++) /* left out they keep their value; empty they would say nothing */
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
    c->name = v[0].text;
    c->dialect = v[1].text;
    c->attributes = v[2].present ? (v[2].null ? TH_LIT("{}") : v[2].json.raw) : TH_LIT("");
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
    c->erase = erase;
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

/* ---- keys ---- */

static const struct {
    const char *name;
    unsigned bit;
} scopes[] = {
    {"events:publish", TH_SCOPE_PUBLISH},
    {"webhooks:read", TH_SCOPE_READ},
    {"answers:read", TH_SCOPE_ANSWERS},
    {"webhooks:manage", TH_SCOPE_MANAGE},
};
#define SCOPES (sizeof scopes / sizeof scopes[0])

static void write_key(struct th_api_req *r, struct th_jw *w, const struct th_key *k, struct th_span text)
{
    th_jw_object(w);
    th_jw_key(w, TH_LIT("id"));
    th_jw_raw(w, TH_LIT("\""));
    th_engine_key_id(r->api->engine, k, w->out);
    th_buf_char(w->out, '"');
    if (text.n)
        th_api_member_str(w, "key", text);
    th_jw_key(w, TH_LIT("scopes"));
    th_jw_array(w);
    for (size_t i = 0; i < SCOPES; i++)
        if (k->scopes & scopes[i].bit)
            th_jw_string(w, th_str(scopes[i].name));
    th_jw_end_array(w);
    th_api_member_str(w, "description", k->note);
    th_api_member_time(w, "created_at", k->created.ms);
    th_api_member_time(w, "expires_at", k->expires);
    th_jw_end_object(w);
}

static void key_answer(struct th_api_req *r, struct th_change *c, struct th_buf *fields, struct th_buf *body)
{
    struct th_jw w = th_jw(body);

    th_buf_str(fields, "Location: /v1/tenants/");
    th_buf_span(fields, th_api_request_tenant_id(r));
    th_buf_str(fields, "/keys/");
    th_engine_key_id(r->api->engine, c->key, fields);
    th_buf_str(fields, "\r\n");
    write_key(r, &w, c->key, r->id);
}

static void read_scopes(struct th_api_req *r, const struct th_api_value *v, unsigned *out)
{
    *out = 0;
    if (v->strings && v->count == 0)
        th_api_fault(r, TH_LIT("/scopes"), "needs at least one scope");
    for (unsigned i = 0; v->strings && i < v->count; i++) {
        char pointer[32];
        size_t k;
        for (k = 0; k < SCOPES && !th_span_is(v->strings[i], scopes[k].name); k++)
            ;
        if (k < SCOPES) {
            *out |= scopes[k].bit;
            continue;
        }
        snprintf(pointer, sizeof pointer, "/scopes/%u", i);
        th_api_fault(r, th_str(pointer),
                     "must be one of events:publish, webhooks:read, answers:read, webhooks:manage");
    }
}

/* Makes the key's text in the request's arena, and its hash. */
static bool make_key(struct th_api_req *r, struct th_change *c)
{
    const struct th_entropy *entropy = &th_engine_options(r->api->engine)->entropy;
    uint8_t random[32];
    struct th_buf text;
    bool ok;

    entropy->fill(entropy->ctx, random, sizeof random);
    th_buf_init(&text, 128);
    th_buf_str(&text, "th_key_");
    th_base64url(&text, random, sizeof random);
    th_wipe(random, sizeof random);
    ok = !text.failed && th_arena_copy(&r->mem, th_buf_view(&text), &r->id);
    if (ok)
        th_sha256(text.p, text.n, c->key_hash);
    th_buf_wipe(&text);
    return ok;
}

void th_h_key_add(struct th_api_req *r)
{
    static const struct th_api_field fields[] = {
        {"scopes", TH_T_STRINGS, true, false, 16, 0, 0},
        {"description", TH_T_STRING, false, true, 1024, 0, 0},
        {"expires_at", TH_T_TIME, false, true, 0, 0, 0},
    };
    struct th_api_value v[3];
    struct th_change *c;
    unsigned bits;

    if (!th_api_owner_bind(r, r->param[0]))
        return;
    if (!th_api_decode(r, r->body, TH_LIT(""), fields, 3, false, v)) {
        th_api_fail_nomem(r);
        return;
    }
    read_scopes(r, &v[0], &bits);
    if (v[2].i && v[2].i <= th_engine_now(r->api->engine).wall.ms)
        th_api_fault(r, TH_LIT("/expires_at"), "is in the past");
    if (r->error_count) {
        th_api_fail_invalid(r);
        return;
    }
    c = th_api_change(r, TH_CHANGE_KEY_ADD);
    c->scopes = bits;
    c->note = v[1].text;
    c->expires = v[2].i;
    if (make_key(r, c))
        th_api_change_submit(r, 201, key_answer);
    else
        th_api_fail_nomem(r);
}

static void write_keys_now(struct th_api_req *r)
{
    uint64_t before, next = 0;
    uint32_t limit, shown = 0;
    unsigned at = UINT_MAX;
    const struct th_key *k;
    struct th_jw w;

    if (!th_api_query_paging(r, &limit, &before))
        return;
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    while ((k = th_engine_key_below(r->api->engine, r->tenant, &at))) {
        if (before && k->no >= before)
            continue;
        if (shown == limit || (shown && th_api_reply_is_full(r))) {
            next = k->no + 1;
            break;
        }
        write_key(r, &w, k, TH_LIT(""));
        shown++;
    }
    th_jw_end_array(&w);
    th_api_cursor_next(r, &w, next);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

void th_h_keys(struct th_api_req *r)
{
    if (th_api_owner_bind(r, r->param[0]))
        th_api_read_in_turn(r, write_keys_now);
}

void th_h_key_del(struct th_api_req *r)
{
    const struct th_key *k = NULL;
    struct th_change *c;
    struct th_buf id;
    bool same = false;

    if (!th_api_owner_bind(r, r->param[0]))
        return;
    th_buf_init(&id, 128);
    for (unsigned at = UINT_MAX; !same && (k = th_engine_key_below(r->api->engine, r->tenant, &at));) {
        th_buf_reset(&id);
        th_engine_key_id(r->api->engine, k, &id);
        same = th_span_eq(th_buf_view(&id), r->param[1]);
    }
    th_buf_fini(&id);
    if (!same) {
        th_api_fail(r, 404, "the tenant has no such key");
        return;
    }
    c = th_api_change(r, TH_CHANGE_KEY_DEL);
    c->key_no = k->no;
    th_api_change_submit(r, 204, NULL);
}
