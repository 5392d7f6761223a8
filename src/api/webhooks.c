/* Endpoints: list, create, show, change, delete; their secrets.
 *
 * Shown in the tenant's dialect where it has shapes, else natively. Objects of other tenants are 404, as if
 * they did not exist. Every change goes through change.c. */
#include "api/change.h"
#include "api/cursor.h"
#include "api/decode.h"
#include "api/etag.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/filter.h"
#include "api/find.h"
#include "api/handlers.h"
#include "api/list.h"
#include "api/member.h"
#include "api/owner.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "api/webhook_spec.h"
#include "api/webhook_view.h"
#include "engine/engine.h"

#define LOOK_AT 20000

/* ---- reading ---- */

static void choose(struct th_api_list *l, struct th_endpoint **rows, uint32_t limit, uint64_t before)
{
    const struct th_tenant *t = l->r->tenant;
    unsigned i;

    for (i = t->endpoint_count; i > 0 && l->count < limit; i--)
        if (!before || t->endpoints[i - 1]->no < before)
            rows[l->count++] = t->endpoints[i - 1];
    if (l->count == limit && i > 0)
        l->next = rows[limit - 1]->no;
}

/* Of all tenants: numbers are walked downwards, at most LOOK_AT of them, so a page can be short and have a next one. */
static void choose_anywhere(struct th_api_list *l, struct th_endpoint **rows, uint32_t limit, uint64_t before)
{
    struct th_engine *e = l->r->api->engine;
    uint64_t no = th_engine_last_endpoint(e) + 1;
    unsigned looked_at = 0;

    if (before && before < no)
        no = before;
    while (--no > 0) {
        struct th_endpoint *ep = th_engine_endpoint_no(e, no);
        if (l->count == limit || ++looked_at > LOOK_AT) {
            l->next = no + 1;
            return;
        }
        if (ep && !ep->tenant->deleting)
            rows[l->count++] = ep;
    }
}

static void write_webhooks_now(struct th_api_req *r)
{
    struct th_api_list l = {
        .r = r, .values = th_api_request_may(r, TH_SCOPE_MANAGE), .secrets = th_api_request_may_secrets(r)};
    struct th_page of = {.tenant = r->tenant->no};
    struct th_api_owner_home home;
    struct th_endpoint **rows;
    struct th_jw w;
    uint32_t limit;
    uint64_t before;
    unsigned i;

    if (!th_api_filter_tenants(r, &of) || !th_api_query_paging(r, &limit, &before))
        return;
    rows = th_arena_get(&r->mem, (limit + 1) * sizeof(struct th_endpoint *));
    if (!rows) {
        th_api_fail_nomem(r);
        return;
    }
    l.endpoints = rows;
    if (of.any)
        choose_anywhere(&l, rows, limit, before);
    else
        choose(&l, rows, limit, before);
    w = th_api_reply_begin(r);
    if (th_api_webhook_list_shape(&l, &r->api->out)) {
        if (l.ended) /* by bytes */
            l.next = rows[l.ended - 1]->no;
        th_api_list_fini(&l);
        th_api_cursor_link(r, l.next);
        th_api_reply(r, 200);
        return;
    }
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    for (i = 0; i < l.count; i++) {
        if (i && th_api_reply_is_full(r)) {
            l.next = rows[i - 1]->no;
            break;
        }
        if (of.any && !th_api_owner_row(r, rows[i]->tenant->no, &home))
            continue;
        th_jw_raw(&w, TH_LIT("")); /* the comma, if one is due */
        th_api_webhook_show(r, rows[i], TH_LIT(""), false, &r->api->out);
        if (of.any)
            th_api_owner_back(r, &home);
    }
    th_jw_end_array(&w);
    th_api_cursor_next(r, &w, l.next);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

void th_h_webhooks(struct th_api_req *r)
{
    th_api_read_in_turn(r, write_webhooks_now);
}

static void write_webhook_now(struct th_api_req *r)
{
    struct th_endpoint *ep = th_api_find_endpoint(r);

    if (!ep || th_api_etag_not_modified(r, ep->no, ep->rev))
        return;
    (void)th_api_reply_begin(r);
    th_api_etag_line(r, &r->api->fields, ep->no, ep->rev);
    th_api_webhook_show(r, ep, TH_LIT(""), false, &r->api->out);
    th_api_reply(r, 200);
}

void th_h_webhook(struct th_api_req *r)
{
    th_api_read_in_turn(r, write_webhook_now);
}

/* ---- changing ---- */

static void created(struct th_api_req *r, struct th_change *c, struct th_buf *fields, struct th_buf *body)
{
    const struct th_dialect_values *v = th_dialect_values(r->dialect);
    struct th_span secret = v->secret_read == TH_SECRET_NEVER && c->endpoint_put.secret.n
                                ? TH_LIT("")
                                : th_buf_view(&c->secret_text);

    th_buf_str(fields, "Location: /v1/webhooks/");
    th_engine_endpoint_id(r->api->engine, c->ep, fields);
    th_buf_str(fields, "\r\n");
    th_api_etag_line(r, fields, c->ep->no, c->ep->rev);
    th_api_webhook_show(r, c->ep, secret, true, body);
}

static void shown(struct th_api_req *r, struct th_change *c, struct th_buf *fields, struct th_buf *body)
{
    th_api_etag_line(r, fields, c->ep->no, c->ep->rev);
    th_api_webhook_show(r, c->ep, TH_LIT(""), false, body);
}

/* dialect=NAME: checks whether the endpoint would be valid for a tenant in that dialect, before there is one. */
static bool choose_rules(struct th_api_req *r, struct th_change *c)
{
    struct th_span name;
    bool dry;

    if (!th_api_query_param(r, "dialect", &name))
        return true;
    if (!th_api_query_flag(r, "dry_run", &dry))
        return false;
    c->endpoint_put.check_as = th_engine_dialect(r->api->engine, name);
    if (!dry)
        th_api_fail(r, 400,
                    "query parameter dialect: only with dry_run=true; an endpoint has its tenant's dialect");
    else if (!c->endpoint_put.check_as)
        th_api_fail(
            r, 400,
            "query parameter dialect: no dialect of this name is loaded; the list of dialects names them");
    else
        r->dialect = c->endpoint_put.check_as;
    return dry && c->endpoint_put.check_as;
}

/* moved=true: the operator brings an endpoint with the secret that its receiver has already. Then all members
 * of the body count, also those that the vendor's own clients cannot give; none is left out silently. */
static bool choose_secret(struct th_api_req *r, struct th_change *c)
{
    if (!th_api_query_flag(r, "moved", &c->endpoint_put.moved))
        return false;
    if (c->endpoint_put.moved && !r->operator_key)
        th_api_fail(r, 403, "moved=true is for the operator's key");
    r->moved = c->endpoint_put.moved;
    return !c->endpoint_put.moved || r->operator_key;
}

void th_h_webhook_add(struct th_api_req *r)
{
    struct th_change *c = th_api_change(r, TH_CHANGE_ENDPOINT_ADD);

    if (!choose_rules(r, c) || !choose_secret(r, c))
        return;
    if (!th_api_webhook_spec(r, NULL, c))
        th_api_fail_nomem(r);
    else if (r->error_count)
        th_api_fail_invalid(r);
    else
        th_api_change_submit(r, r->shaped ? th_dialect_values(r->dialect)->create_status : 201, created);
}

/* Also called again when another change came first; see change.c. */
void th_h_webhook_set(struct th_api_req *r)
{
    struct th_endpoint *ep = th_api_find_endpoint(r);
    struct th_endpoint_spec base;
    struct th_change *c;
    enum th_error error;

    if (!ep || !th_api_etag_precondition(r, ep->no, ep->rev))
        return;
    error = th_engine_spec(r->api->engine, ep, &r->mem, &base);
    if (error) {
        th_api_fail_store(r, error);
        return;
    }
    c = th_api_change(r, TH_CHANGE_ENDPOINT_SET);
    c->endpoint = ep->no;
    c->check_rev = true;
    c->expect_rev = ep->rev;
    if (!th_api_webhook_spec(r, &base, c))
        th_api_fail_nomem(r);
    else if (r->error_count)
        th_api_fail_invalid(r);
    else
        th_api_change_submit(r, 200, shown);
}

void th_h_webhook_del(struct th_api_req *r)
{
    struct th_endpoint *ep = th_api_find_endpoint(r);
    struct th_change *c;

    if (!ep || !th_api_etag_precondition(r, ep->no, ep->rev))
        return;
    c = th_api_change(r, TH_CHANGE_ENDPOINT_DEL);
    c->endpoint = ep->no;
    c->check_rev = r->conditional;
    c->expect_rev = ep->rev;
    th_api_change_submit(r, 204, NULL);
}

/* ---- secrets ---- */

struct secrets {
    struct th_jw *w;
    const struct th_dialect *dialect;
    bool text;            /* all may be shown; else only `fresh` */
    struct th_span fresh; /* the newest secret, just made; n == 0: none */
    unsigned n;
};

static void write_secret(void *ctx, struct th_span secret, struct th_wall at, int64_t until)
{
    struct secrets *s = ctx;
    struct th_buf public;

    th_buf_init(&public, 256);
    (void)th_dialect_secret_public(s->dialect, s->n == 0 && s->fresh.n ? s->fresh : secret, &public);

    th_jw_object(s->w);
    if (s->n == 0 && s->fresh.n)
        th_api_member_str(s->w, "secret", s->fresh);
    else if (s->text)
        th_api_member_str(s->w, "secret", secret);
    if (public.n) /* the key with which the customer verifies an asymmetric signature */
        th_api_member_str(s->w, "public_key", th_buf_view(&public));
    th_buf_fini(&public);
    th_api_member_time(s->w, "created_at", at.ms);
    if (until)
        th_api_member_time(s->w, "expires_at", until);
    th_jw_end_object(s->w);
    s->n++;
}

static bool write_secrets(struct th_api_req *r, const struct th_endpoint *ep, struct th_span fresh,
                          struct th_buf *out)
{
    struct th_jw w = th_jw(out);
    struct secrets s = {&w, r->dialect, th_dialect_values(r->dialect)->secret_read == TH_SECRET_ALWAYS, fresh,
                        0};
    bool ok;

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("secrets"));
    th_jw_array(&w);
    ok = th_engine_secrets(r->api->engine, ep, write_secret, &s);
    th_jw_end_array(&w);
    th_jw_end_object(&w);
    return ok;
}

void th_h_secrets(struct th_api_req *r)
{
    struct th_endpoint *ep = th_api_find_endpoint(r);

    if (!ep)
        return;
    if (th_dialect_values(r->dialect)->secret_read != TH_SECRET_ALWAYS) {
        th_api_fail(r, 403, "this dialect does not show secrets again");
        return;
    }
    (void)th_api_reply_begin(r);
    if (!write_secrets(r, ep, TH_LIT(""), &r->api->out)) {
        th_api_fail(r, 500, "a secret cannot be opened with this installation's key");
        return;
    }
    th_api_reply(r, 200);
}

static void rotated(struct th_api_req *r, struct th_change *c, struct th_buf *fields, struct th_buf *body)
{
    const struct th_dialect_values *v = th_dialect_values(r->dialect);
    struct th_span fresh =
        v->secret_read == TH_SECRET_NEVER && c->rotate.secret.n ? TH_LIT("") : th_buf_view(&c->secret_text);

    (void)fields;
    if (!write_secrets(r, c->ep, fresh, body))
        body->failed = TH_CORRUPT;
}

void th_h_secret_rotate(struct th_api_req *r)
{
    static const struct th_api_field fields[] = {
        {"secret", TH_T_STRING, false, true, 1024, 0, 0},
        {"overlap_seconds", TH_T_INTEGER, false, true, 0, 0, 10 * 365 * 86400},
        {"signature_variant", TH_T_STRING, false, true, 64, 0, 0},
    };
    struct th_endpoint *ep = th_api_find_endpoint(r);
    struct th_api_value v[3];
    struct th_change *c;

    if (!ep)
        return;
    if (!th_api_decode(r, r->body, TH_LIT(""), fields, 3, false, v)) {
        th_api_fail_nomem(r);
        return;
    }
    if (v[0].present && !v[0].null && v[0].json.type == TH_JSON_STRING && v[0].text.n == 0)
        th_api_fault(r, TH_LIT("/secret"), "must not be empty");
    if (r->error_count) {
        th_api_fail_invalid(r);
        return;
    }
    c = th_api_change(r, TH_CHANGE_SECRET_ROTATE);
    c->endpoint = ep->no;
    c->rotate.secret = v[0].text;
    c->rotate.overlap_given = v[1].present;
    c->rotate.overlap_null = v[1].null;
    c->rotate.overlap_s = v[1].i;
    c->rotate.variant = v[2].text;
    th_api_change_submit(r, 200, rotated);
}

void th_h_secret_revoke(struct th_api_req *r)
{
    struct th_endpoint *ep = th_api_find_endpoint(r);
    struct th_change *c;

    if (!ep)
        return;
    c = th_api_change(r, TH_CHANGE_SECRET_REVOKE);
    c->endpoint = ep->no;
    th_api_change_submit(r, 204, NULL);
}
