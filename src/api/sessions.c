/* Signing in with a browser: an operator's key, or a link that was made with one, is exchanged for a session.
 *
 * The session's token goes into a cookie that scripts cannot read and other sites cannot send. A request that
 * changes something with it must also have csrf_token in the header Tenterhook-Csrf, which only a page of
 * this server can have read. The link is for programs that open a browser (`make run` does): its token stands
 * after the # of an address, which is sent to nobody, and works once.
 *
 * Refused: making a session or a link by means of a session (403), so that a page that is taken over cannot make itself a
 * stay for longer. */
#include "api/audit.h"
#include "api/auth.h"
#include "api/decode.h"
#include "api/fail.h"
#include "api/handlers.h"
#include "api/key.h"
#include "api/member.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/session.h"
#include "api/state.h"
#include "base/alloc.h"
#include "core/guard.h"
#include "engine/engine.h"
#include <stdio.h>

#define LIFE_S (12 * 3600) /* longest life of a session, however much it is used */
#define LINK_S 600

static void set_cookie(struct th_api_req *r, const char *token, int64_t life_s)
{
    th_buf_printf(&r->api->fields,
                  "Set-Cookie: " TH_API_COOKIE
                  "=%s; Path=/v1/; Max-Age=%lld; HttpOnly; SameSite=Strict%s\r\n",
                  token, (long long)life_s, th_api_request_is_https(r) ? "; Secure" : "");
}

static void write_key_of(struct th_api_req *r, struct th_jw *w, const struct th_key *key)
{
    th_jw_key(w, TH_LIT("key"));
    if (key->role == TH_ROLE_ROOT) {
        th_jw_string(w, TH_LIT("operator"));
    } else {
        th_jw_raw(w, TH_LIT("\""));
        th_engine_key_id(r->api->engine, key, w->out);
        th_buf_char(w->out, '"');
    }
    /* the root may do what an admin may */
    th_api_member_str(w, "role", th_str(th_role_name(key->role == TH_ROLE_ROOT ? TH_ROLE_ADMIN : key->role)));
    th_api_member_str(w, "name", key->note);
}

static void write_session(struct th_api_req *r, struct th_jw *w, const struct th_api_session *s,
                          const struct th_key *key)
{
    struct th_buf from;

    th_jw_object(w);
    th_api_member_str(w, "id", th_str(s->id));
    write_key_of(r, w, key);
    th_api_member_time(w, "created_at", s->made_ms);
    th_api_member_time(w, "used_at", s->used_ms);
    th_api_member_time(w, "expires_at", s->end_ms);
    th_api_member_int(w, "idle_seconds", r->api->options.session_idle_s);
    th_buf_init(&from, 128);
    th_addr_format(&from, &s->from);
    th_api_member_str(w, "from", th_buf_view(&from));
    th_buf_fini(&from);
}

static void send_session(struct th_api_req *r, const struct th_api_session *s, const struct th_key *key,
                         const char *token, unsigned status)
{
    struct th_jw w = th_api_reply_begin(r);

    write_session(r, &w, s, key);
    th_api_member_str(&w, "csrf_token", th_str(s->csrf));
    th_api_member_str(&w, "version", r->api->options.version);
    th_jw_end_object(&w);
    if (token)
        set_cookie(r, token, LIFE_S);
    if (status == 201)
        th_buf_str(&r->api->fields, "Location: /v1/sessions/current\r\n");
    th_api_reply(r, status);
}

void th_h_session_add(struct th_api_req *r)
{
    struct th_now now = th_engine_now(r->api->engine);
    const struct th_key *key = th_engine_key(r->api->engine, r->key_hash);
    struct th_api_session s;
    char token[TH_API_TOKEN];

    if (!th_api_auth_is_by_key(r))
        return;
    if (r->by_link && !th_api_session_end(&r->api->shared->sessions, r->link_hash))
        key = NULL;
    if (!key) {
        th_api_fail(r, 401, "the link was used already, or has ended");
        return;
    }
    th_api_session_make(&r->api->shared->sessions, TH_SESSION_OPEN, r->key_hash,
                        &th_engine_options(r->api->engine)->entropy, now,
                        (struct th_api_session_times){r->api->options.session_idle_s, LIFE_S},
                        th_api_request_client(r), token, &s);
    snprintf(r->made, sizeof r->made, "%s", s.id);
    send_session(r, &s, key, token, 201);
    th_wipe(token, sizeof token);
}

void th_h_session_link(struct th_api_req *r)
{
    struct th_api_session s;
    char token[TH_API_TOKEN];
    struct th_jw w;

    if (!th_api_auth_is_by_key(r))
        return;
    th_api_session_make(&r->api->shared->sessions, TH_SESSION_LINK, r->key_hash,
                        &th_engine_options(r->api->engine)->entropy, th_engine_now(r->api->engine),
                        (struct th_api_session_times){LINK_S, LINK_S}, th_api_request_client(r), token, &s);
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_api_member_str(&w, "token", th_str(token));
    th_api_member_time(&w, "expires_at", s.end_ms);
    th_jw_end_object(&w);
    th_api_reply(r, 201);
    th_wipe(token, sizeof token);
}

/* The session with which the request came. False: answered. */
static bool find_own(struct th_api_req *r, struct th_api_session *s)
{
    struct th_span token;

    if (r->by_session && th_api_key_cookie(r, &token) &&
        th_api_session_find(&r->api->shared->sessions, TH_SESSION_OPEN, token, th_engine_now(r->api->engine),
                            0, s))
        return true;
    th_api_fail(r, 404, "the request came with a key, not with a session");
    return false;
}

void th_h_session_current(struct th_api_req *r)
{
    const struct th_key *key = th_engine_key(r->api->engine, r->key_hash);
    struct th_api_session s;

    if (find_own(r, &s) && key)
        send_session(r, &s, key, NULL, 200);
}

void th_h_session_leave(struct th_api_req *r)
{
    struct th_api_session s;

    if (!find_own(r, &s))
        return;
    snprintf(r->made, sizeof r->made, "%s", s.id);
    (void)th_api_session_end(&r->api->shared->sessions, s.hash);
    th_buf_reset(&r->api->out);
    th_buf_reset(&r->api->fields);
    set_cookie(r, "", 0);
    th_api_reply_as(r, 204, TH_LIT(""));
}

static void write_sessions_now(struct th_api_req *r)
{
    struct th_api_session *all = th_arena_get(&r->mem, TH_API_SESSIONS * sizeof *all);
    unsigned n;
    struct th_jw w;

    if (!all) {
        th_api_fail_nomem(r);
        return;
    }
    n = th_api_session_list(&r->api->shared->sessions, th_engine_now(r->api->engine), all);
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    for (unsigned i = 0; i < n; i++) {
        const struct th_key *key = th_engine_key(r->api->engine, all[i].key);
        if (!key) /* the key has ended, and its sessions with it */
            continue;
        write_session(r, &w, &all[i], key);
        th_jw_end_object(&w);
    }
    th_jw_end_array(&w);
    th_jw_key(&w, TH_LIT("next_cursor"));
    th_jw_null(&w);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

void th_h_sessions(struct th_api_req *r)
{
    th_api_read_in_turn(r, write_sessions_now);
}

void th_h_session_del(struct th_api_req *r)
{
    struct th_api_session *all = th_arena_get(&r->mem, TH_API_SESSIONS * sizeof *all);
    unsigned n = all ? th_api_session_list(&r->api->shared->sessions, th_engine_now(r->api->engine), all) : 0;

    for (unsigned i = 0; i < n; i++)
        if (th_span_is(r->param[0], all[i].id) &&
            th_api_session_end(&r->api->shared->sessions, all[i].hash)) {
            th_api_reply_empty(r, 204);
            return;
        }
    if (all)
        th_api_fail(r, 404, "there is no such session");
    else
        th_api_fail_nomem(r);
}
