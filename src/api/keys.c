/* API keys: those of tenants, which have scopes, and those of operators, which have a name and a role.
 *
 * Keys are 256 random bits as text, which is shown once; only their SHA-256 is kept. Refused: unknown scopes
 * and roles, an end in the past. The root, which is the key of the configuration, is not among the operator's
 * keys: no route shows or ends it. Making and ending operator's keys is a change of the built-in tenant
 * "operator", which orders it among the others and keeps the answer with an Idempotency-Key. */
#include "api/change.h"
#include "api/cursor.h"
#include "api/decode.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/owner.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/scopes.h"
#include "api/state.h"
#include "base/alloc.h"
#include "base/enc.h"
#include "engine/engine.h"
#include "lib/crypto.h"
#include "port/clock.h"
#include <limits.h>
#include <stdio.h>

static const struct th_api_scope scopes[] = {
    {"events:publish", TH_SCOPE_PUBLISH},
    {"webhooks:read", TH_SCOPE_READ},
    {"answers:read", TH_SCOPE_ANSWERS},
    {"webhooks:manage", TH_SCOPE_MANAGE},
};
#define SCOPES (sizeof scopes / sizeof scopes[0])

/* ---- both ---- */

static void write_key(struct th_api_req *r, struct th_jw *w, const struct th_key *k, struct th_span text)
{
    th_jw_object(w);
    th_jw_key(w, TH_LIT("id"));
    th_jw_raw(w, TH_LIT("\""));
    th_engine_key_id(r->api->engine, k, w->out);
    th_buf_char(w->out, '"');
    if (text.n)
        th_api_member_str(w, "key", text);
    if (k->role) {
        th_api_member_str(w, "role", th_str(th_role_name(k->role)));
        th_api_member_str(w, "name", k->note);
    } else {
        th_jw_key(w, TH_LIT("scopes"));
        th_api_scopes_write(w, k->scopes, scopes, SCOPES);
        th_api_member_str(w, "description", k->note);
    }
    th_api_member_time(w, "created_at", k->created.ms);
    th_api_member_time(w, "expires_at", k->expires);
    th_jw_end_object(w);
}

static void key_answer(struct th_api_req *r, struct th_change *c, struct th_buf *fields, struct th_buf *body)
{
    struct th_jw w = th_jw(body);

    th_buf_str(fields, "Location: /v1/");
    if (!c->of_key.role) {
        th_buf_str(fields, "tenants/");
        th_buf_span(fields, th_api_request_tenant_id(r));
        th_buf_char(fields, '/');
    }
    th_buf_str(fields, "keys/");
    th_engine_key_id(r->api->engine, c->key, fields);
    th_buf_str(fields, "\r\n");
    write_key(r, &w, c->key, r->id);
}

/* Makes the key's text in the request's arena, and its hash. */
static bool make_key(struct th_api_req *r, const char *prefix, struct th_change *c)
{
    const struct th_entropy *entropy = &th_engine_options(r->api->engine)->entropy;
    uint8_t random[32];
    struct th_buf text;
    bool ok;

    entropy->fill(entropy->ctx, random, sizeof random);
    th_buf_init(&text, 128);
    th_buf_str(&text, prefix);
    th_base64url(&text, random, sizeof random);
    th_wipe(random, sizeof random);
    ok = !text.failed && th_arena_copy(&r->mem, th_buf_view(&text), &r->id);
    if (ok)
        th_sha256(text.p, text.n, c->of_key.hash);
    th_buf_wipe(&text);
    return ok;
}

static void check_end(struct th_api_req *r, const struct th_api_value *expires)
{
    if (expires->i && expires->i <= th_engine_now(r->api->engine).wall.ms)
        th_api_fault(r, TH_LIT("/expires_at"), "is in the past");
}

/* Whose keys the request is about: those of its tenant, or with NULL those of operators. */
static void write_page(struct th_api_req *r, const struct th_tenant *of)
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
    while ((k = th_engine_key_below(r->api->engine, of, &at))) {
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

/* 0: there is none. */
static uint64_t number_of(struct th_api_req *r, const struct th_tenant *of, struct th_span text)
{
    unsigned at = UINT_MAX;
    const struct th_key *k;
    struct th_buf id;
    bool same = false;

    th_buf_init(&id, 128);
    while (!same && (k = th_engine_key_below(r->api->engine, of, &at))) {
        th_buf_reset(&id);
        th_engine_key_id(r->api->engine, k, &id);
        same = th_span_eq(th_buf_view(&id), text);
    }
    th_buf_fini(&id);
    return same ? k->no : 0;
}

static void end_key(struct th_api_req *r, uint64_t no, enum th_role role)
{
    struct th_change *c = th_api_change(r, TH_CHANGE_KEY_DEL);

    c->of_key.no = no;
    c->of_key.role = role;
    th_api_change_submit(r, 204, NULL);
}

/* ---- of tenants ---- */

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
    th_api_scopes_read(r, &v[0], scopes, SCOPES,
                       "must be one of events:publish, webhooks:read, answers:read, webhooks:manage", &bits);
    check_end(r, &v[2]);
    if (r->error_count) {
        th_api_fail_invalid(r);
        return;
    }
    c = th_api_change(r, TH_CHANGE_KEY_ADD);
    c->of_key.scopes = bits;
    c->of_key.note = v[1].text;
    c->of_key.expires = v[2].i;
    if (make_key(r, "th_key_", c))
        th_api_change_submit(r, 201, key_answer);
    else
        th_api_fail_nomem(r);
}

static void write_keys_now(struct th_api_req *r)
{
    write_page(r, r->tenant);
}

void th_h_keys(struct th_api_req *r)
{
    if (th_api_owner_bind(r, r->param[0]))
        th_api_read_in_turn(r, write_keys_now);
}

void th_h_key_del(struct th_api_req *r)
{
    uint64_t no;

    if (!th_api_owner_bind(r, r->param[0]))
        return;
    no = number_of(r, r->tenant, r->param[1]);
    if (no)
        end_key(r, no, TH_ROLE_NONE);
    else
        th_api_fail(r, 404, "the tenant has no such key");
}

/* ---- of operators ---- */

void th_h_operator_key_add(struct th_api_req *r)
{
    static const struct th_api_field fields[] = {
        {"role", TH_T_STRING, true, false, 32, 0, 0},
        {"name", TH_T_STRING, true, false, 128, 0, 0},
        {"expires_at", TH_T_TIME, false, true, 0, 0, 0},
    };
    struct th_api_value v[3];
    struct th_change *c;
    enum th_role role;

    if (!th_api_owner_bind(r, TH_LIT("operator")))
        return;
    if (!th_api_decode(r, r->body, TH_LIT(""), fields, 3, false, v)) {
        th_api_fail_nomem(r);
        return;
    }
    role = th_role_of(v[0].text);
    if (v[0].present && !role)
        th_api_fault(r, TH_LIT("/role"), "must be one of admin, support, read-only");
    if (v[1].present && v[1].text.n == 0)
        th_api_fault(r, TH_LIT("/name"), "is empty; the audit log shows by it whose key it is");
    check_end(r, &v[2]);
    if (r->error_count) {
        th_api_fail_invalid(r);
        return;
    }
    c = th_api_change(r, TH_CHANGE_KEY_ADD);
    c->of_key.role = role;
    c->of_key.note = v[1].text;
    c->of_key.expires = v[2].i;
    if (make_key(r, "th_op_", c))
        th_api_change_submit(r, 201, key_answer);
    else
        th_api_fail_nomem(r);
}

static void write_operator_keys_now(struct th_api_req *r)
{
    write_page(r, NULL);
}

void th_h_operator_keys(struct th_api_req *r)
{
    if (th_api_owner_bind(r, TH_LIT("operator")))
        th_api_read_in_turn(r, write_operator_keys_now);
}

void th_h_operator_key_del(struct th_api_req *r)
{
    uint64_t no;

    if (!th_api_owner_bind(r, TH_LIT("operator")))
        return;
    no = number_of(r, NULL, r->param[0]);
    if (no)
        end_key(r, no, TH_ROLE_ADMIN);
    else
        th_api_fail(r, 404, "there is no such operator's key; that of the configuration is not in the list");
}
