/* Links to the portal: the platform makes one for a tenant and gives it to whoever has signed in at the platform; the portal's page
 * exchanges it for a token, once.
 *
 * The link's token stands after the # of the address, which is sent to nobody and stands in no log. What the page gets for it lives
 * in the page's memory alone: no cookie, no storage, so no other page and no other visit can use it, and there is nothing that
 * another site could make a browser send.
 *
 * What a portal may never do: publish, erase or cancel events, or anything that is not its tenant's. It ends with its tenant and with the
 * key that made its link (key.c looks at both at each request). Refused: a link made by means of a session (403), and
 * an address to return to that is not of an origin of the configuration (422). */
#include "api/auth.h"
#include "api/decode.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/owner.h"
#include "api/portal_theme.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/scopes.h"
#include "api/state.h"
#include "base/alloc.h"
#include <stdio.h>

#define LIFE_S (12 * 3600) /* longest life of a token, however much it is used */
#define WAIT_S 900         /* how long a link waits, unless the request says otherwise */

static const struct th_api_scope scopes[] = {
    {"webhooks:read", TH_SCOPE_READ | TH_SCOPE_ANSWERS},
    {"webhooks:manage", TH_SCOPE_READ | TH_SCOPE_ANSWERS | TH_SCOPE_MANAGE},
    {"webhooks:secrets", TH_SCOPE_READ | TH_SCOPE_ANSWERS | TH_SCOPE_MANAGE | TH_SCOPE_SECRETS},
};
#define SCOPES (sizeof scopes / sizeof scopes[0])

/* ---- answers ---- */

static void write_scopes(struct th_jw *w, unsigned bits)
{
    th_jw_key(w, TH_LIT("scopes"));
    th_api_scopes_write(w, bits, scopes, SCOPES);
}

/* The object stays open for more. */
static void write_link(struct th_jw *w, const struct th_api_portal *p)
{
    struct th_buf from;

    th_jw_object(w);
    th_api_member_str(w, "id", th_str(p->id));
    th_api_member_str(w, "state", p->kind == TH_PORTAL_OPEN ? TH_LIT("open") : TH_LIT("waiting"));
    write_scopes(w, p->scopes);
    th_api_member_time(w, "created_at", p->made_ms);
    th_api_member_time(w, "used_at", p->kind == TH_PORTAL_OPEN ? p->used_ms : 0);
    th_api_member_time(w, "expires_at", p->end_ms);
    th_jw_key(w, TH_LIT("from"));
    if (p->kind != TH_PORTAL_OPEN) {
        th_jw_null(w);
        return;
    }
    th_buf_init(&from, 128);
    th_addr_format(&from, &p->from);
    th_jw_string(w, th_buf_view(&from));
    th_buf_fini(&from);
}

static void send_session(struct th_api_req *r, const struct th_api_portal *p, const char *token,
                         unsigned status)
{
    const struct th_tenant *t = r->room->portal_key.tenant;
    struct th_span theme, return_url;
    struct th_jw w;

    if (!th_api_portal_texts(&r->api->shared->portals, p->number, &r->mem, &theme, &return_url)) {
        th_api_fail_nomem(r);
        return;
    }
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_api_member_str(&w, "id", th_str(p->id));
    if (token)
        th_api_member_str(&w, "token", th_str(token));
    write_scopes(&w, p->scopes);
    th_api_member_time(&w, "expires_at", p->end_ms);
    th_api_member_int(&w, "idle_seconds", r->api->options.session_idle_s);
    th_api_member_str(&w, "dialect", th_dialect_values(t->dialect)->name);
    th_jw_key(&w, TH_LIT("theme"));
    th_jw_raw(&w, theme.n ? theme : TH_LIT("{}"));
    th_jw_key(&w, TH_LIT("return_url"));
    if (return_url.n)
        th_jw_string(&w, return_url);
    else
        th_jw_null(&w);
    th_jw_end_object(&w);
    if (status == 201)
        th_buf_str(&r->api->fields, "Location: /v1/portal/sessions/current\r\n");
    th_api_reply(r, status);
}

/* ---- making a link ---- */

/* Scheme, host and port of an address, as they are written; n == 0: it is none. */
static struct th_span origin_of(struct th_span url)
{
    const char *p = NULL;
    size_t n;

    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] >= 0x7f || url.p[i] == '\\' || url.p[i] == '"' || url.p[i] == '<')
            return th_span("", 0);
    if (th_span_starts(url, TH_LIT("https://")))
        p = url.p + 8;
    else if (th_span_starts(url, TH_LIT("http://")))
        p = url.p + 7;
    if (!p)
        return th_span("", 0);
    for (n = (size_t)(p - url.p); n < url.n && url.p[n] != '/' && url.p[n] != '?' && url.p[n] != '#'; n++)
        ;
    return th_span(url.p, n);
}

/* No open redirect: the page leads back to nowhere but to the platform. */
static void check_return(struct th_api_req *r, const struct th_api_value *v)
{
    const struct th_api_options *o = &r->api->options;
    struct th_span origin;

    if (!v->present || v->bad)
        return;
    origin = origin_of(v->text);
    for (unsigned i = 0; origin.n && i < o->portal_origin_count; i++)
        if (th_span_is(origin, o->portal_origins[i]))
            return;
    th_api_fault(
        r, TH_LIT("/return_url"),
        o->portal_origin_count
            ? "must be an address of one of the origins that the configuration allows (portal_origins)"
            : "the configuration allows no origin to return to: name the platform's in "
              "portal_origins (--portal-origin)");
}

/* A Host field that can stand in an address. */
static bool is_host(struct th_span host)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '.' || c == ':' || c == '[' || c == ']'))
            return false;
    }
    return host.n > 0;
}

static void write_url(struct th_api_req *r, struct th_buf *out, const char *token)
{
    const struct th_http1_field *host = th_api_request_header(r, "host");

    if (r->api->options.portal_url)
        th_buf_str(out, r->api->options.portal_url);
    else
        th_buf_printf(out, "%s://%.*s", th_api_request_is_https(r) ? "https" : "http",
                      host ? (int)host->value.n : 0, host ? host->value.p : "");
    th_buf_printf(out, "/portal/#%s", token);
}

static void make_link(struct th_api_req *r, struct th_api_portal_spec *spec)
{
    struct th_api_portal p;
    char token[TH_API_TOKEN];
    struct th_buf url;
    struct th_jw w;

    spec->key = r->key_hash;
    spec->tenant = r->tenant->no;
    if (!th_api_portal_make(&r->api->shared->portals, spec, &th_engine_options(r->api->engine)->entropy,
                            th_engine_now(r->api->engine), token, &p)) {
        th_api_fail_nomem(r);
        return;
    }
    snprintf(r->made, sizeof r->made, "%s", p.id);
    th_buf_init(&url, 4096);
    write_url(r, &url, token);
    w = th_api_reply_begin(r);
    write_link(&w, &p);
    th_api_member_str(&w, "url", th_buf_view(&url));
    th_jw_end_object(&w);
    th_api_reply(r, 201);
    th_wipe(token, sizeof token);
    th_buf_wipe(&url);
}

void th_h_portal_link_add(struct th_api_req *r)
{
    static const struct th_api_field fields[] = {
        {"scopes", TH_T_STRINGS, true, false, 8, 0, 0},
        {"expires_in", TH_T_INTEGER, false, false, 0, 30, 604800},
        {"theme", TH_T_OBJECT, false, false, 0, 0, 0},
        {"return_url", TH_T_STRING, false, false, 2048, 0, 0},
    };
    const struct th_http1_field *host = th_api_request_header(r, "host");
    struct th_api_portal_spec spec = {0};
    struct th_api_value v[4];
    struct th_buf theme;

    if (!th_api_auth_is_by_key(r))
        return;
    if (!r->api->options.portal_url && (!host || !is_host(host->value))) {
        th_api_fail(r, 400,
                    "the Host of the request cannot stand in the link; set portal_url in the configuration");
        return;
    }
    if (!th_api_owner_bind(r, r->param[0]))
        return;
    th_buf_init(&theme, TH_API_THEME_MAX);
    if (!th_api_decode(r, r->body, TH_LIT(""), fields, 4, false, v))
        goto nomem;
    th_api_scopes_read(r, &v[0], scopes, SCOPES,
                       "must be one of webhooks:read, webhooks:manage, webhooks:secrets", &spec.scopes);
    check_return(r, &v[3]);
    if (v[2].present && !v[2].bad && !th_api_portal_theme(r, v[2].json, &theme))
        goto nomem;
    spec.wait_s = v[1].present ? v[1].i : WAIT_S;
    spec.theme = th_buf_view(&theme);
    spec.return_url = v[3].present ? v[3].text : th_span("", 0);
    if (r->error_count)
        th_api_fail_invalid(r);
    else
        make_link(r, &spec);
    th_buf_fini(&theme);
    return;
nomem:
    th_buf_fini(&theme);
    th_api_fail_nomem(r);
}

/* ---- looking at links, ending them ---- */

static void write_links_now(struct th_api_req *r)
{
    struct th_api_portal *all = th_arena_get(&r->mem, TH_API_TENANT_PORTALS * sizeof *all);
    unsigned n;
    struct th_jw w;

    if (!all) {
        th_api_fail_nomem(r);
        return;
    }
    n = th_api_portal_list(&r->api->shared->portals, r->tenant->no, th_engine_now(r->api->engine), all,
                           TH_API_TENANT_PORTALS);
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    for (unsigned i = 0; i < n; i++) {
        if (!th_engine_key(r->api->engine, all[i].key)) /* the key has ended, and its links with it */
            continue;
        write_link(&w, &all[i]);
        th_jw_end_object(&w);
    }
    th_jw_end_array(&w);
    th_jw_key(&w, TH_LIT("next_cursor"));
    th_jw_null(&w);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

void th_h_portal_links(struct th_api_req *r)
{
    if (th_api_owner_bind(r, r->param[0]))
        th_api_read_in_turn(r, write_links_now);
}

void th_h_portal_link_del(struct th_api_req *r)
{
    if (!th_api_owner_bind(r, r->param[0]))
        return;
    if (th_api_portal_end(&r->api->shared->portals, r->tenant->no, r->param[1],
                          th_engine_now(r->api->engine)))
        th_api_reply_empty(r, 204);
    else
        th_api_fail(r, 404, "the tenant has no such link; it may have ended");
}

/* ---- the portal's own ---- */

void th_h_portal_open(struct th_api_req *r)
{
    struct th_api_session_times times = {r->api->options.session_idle_s, LIFE_S};
    enum th_api_portal_found found;
    struct th_api_portal p;
    char token[TH_API_TOKEN];

    snprintf(r->made, sizeof r->made, "%s", r->session);
    found = th_api_portal_open(&r->api->shared->portals, r->link_hash,
                               &th_engine_options(r->api->engine)->entropy, th_engine_now(r->api->engine),
                               times, th_api_request_client(r), token, &p);
    if (found == TH_PORTAL_READY)
        send_session(r, &p, token, 201);
    else
        th_api_fail(
            r, 401,
            found == TH_PORTAL_USED
                ? "this link was used already; what it has opened has been ended, because two have had it"
                : "this link has ended");
    th_wipe(token, sizeof token);
}

void th_h_portal_current(struct th_api_req *r)
{
    struct th_api_portal p;
    struct th_span token;

    if (th_api_request_bearer(r, &token) &&
        th_api_portal_find(&r->api->shared->portals, token, th_engine_now(r->api->engine),
                           r->api->options.session_idle_s, &p))
        send_session(r, &p, NULL, 200);
    else
        th_api_fail(r, 401, "the token has ended");
}

void th_h_portal_leave(struct th_api_req *r)
{
    snprintf(r->made, sizeof r->made, "%s", r->session);
    (void)th_api_portal_end(&r->api->shared->portals, r->room->portal_key.tenant->no, th_str(r->session),
                            th_engine_now(r->api->engine));
    th_api_reply_empty(r, 204);
}
