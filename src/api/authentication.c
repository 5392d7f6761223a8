/* Authentication as an object of JSON: its `type`, and the members that this type has.
 *
 * {"type": "basic", "username", "password"}, {"type": "api_key", "header", "value"}, {"type": "oauth2", "token_url", "client_id",
 * "client_secret", and perhaps "scope", "audience", "client_authentication"}. One table says which member belongs to which
 * type; a member of another type is a fault that names both. A change with the same type merges, one with another begins anew, so a
 * password never becomes part of a key. What is secret is shown as "***" to keys that may not read secrets, and "***" is refused
 * when it comes back. Whether the header may be set is judged by the engine, which knows the dialect. */
#include "api/authentication.h"
#include "api/decode.h"
#include "api/fault.h"
#include "api/request.h"
#include <stddef.h>
#include <stdio.h>

enum {
    A_TYPE,
    A_USERNAME,
    A_PASSWORD,
    A_HEADER,
    A_VALUE,
    A_TOKEN_URL,
    A_CLIENT_ID,
    A_CLIENT_SECRET,
    A_SCOPE,
    A_AUDIENCE,
    A_CLIENT_AUTHENTICATION,
    A_COUNT
};

static const struct th_api_field fields[A_COUNT] = {
    {"type", TH_T_STRING, false, false, 16, 0, 0},
    {"username", TH_T_STRING, false, false, TH_AUTH_TEXT, 0, 0},
    {"password", TH_T_STRING, false, false, TH_AUTH_TEXT, 0, 0},
    {"header", TH_T_STRING, false, false, TH_AUTH_HEADER_MAX, 0, 0},
    {"value", TH_T_STRING, false, false, TH_AUTH_TEXT, 0, 0},
    {"token_url", TH_T_STRING, false, false, 2048, 0, 0},
    {"client_id", TH_T_STRING, false, false, TH_AUTH_TEXT, 0, 0},
    {"client_secret", TH_T_STRING, false, false, TH_AUTH_TEXT, 0, 0},
    {"scope", TH_T_STRING, false, true, TH_AUTH_TEXT, 0, 0},
    {"audience", TH_T_STRING, false, true, TH_AUTH_TEXT, 0, 0},
    {"client_authentication", TH_T_STRING, false, true, 16, 0, 0},
};

/* To which type a member belongs, and what it is. */
static const struct member {
    enum th_auth_kind kind;
    bool secret, required, empty; /* empty: may be */
    size_t at;
} members[A_COUNT] = {
    [A_USERNAME] = {TH_AUTH_BASIC, false, true, true, offsetof(struct th_auth, name)},
    [A_PASSWORD] = {TH_AUTH_BASIC, true, true, true, offsetof(struct th_auth, secret)},
    [A_HEADER] = {TH_AUTH_API_KEY, false, true, false, offsetof(struct th_auth, name)},
    [A_VALUE] = {TH_AUTH_API_KEY, true, true, false, offsetof(struct th_auth, secret)},
    [A_TOKEN_URL] = {TH_AUTH_OAUTH2, false, true, false, offsetof(struct th_auth, token_url)},
    [A_CLIENT_ID] = {TH_AUTH_OAUTH2, false, true, false, offsetof(struct th_auth, name)},
    [A_CLIENT_SECRET] = {TH_AUTH_OAUTH2, true, true, false, offsetof(struct th_auth, secret)},
    [A_SCOPE] = {TH_AUTH_OAUTH2, false, false, false, offsetof(struct th_auth, scope)},
    [A_AUDIENCE] = {TH_AUTH_OAUTH2, false, false, false, offsetof(struct th_auth, audience)},
    [A_CLIENT_AUTHENTICATION] = {TH_AUTH_OAUTH2, false, false, false, 0}, /* no text: take_way */
};

#define TYPES "\"basic\", \"api_key\" or \"oauth2\""

static struct th_span *text_of(struct th_auth *auth, int member)
{
    return (struct th_span *)((char *)auth + members[member].at);
}

static void fault(struct th_api_req *r, struct th_span pointer, int member, const char *what)
{
    th_api_fault(r, th_api_fault_pointer(r, pointer, th_str(fields[member].name)), "%s", what);
}

/* False: there is no good one, and that has been noted. */
static bool take_type(struct th_api_req *r, struct th_span pointer, const struct th_api_value *v,
                      struct th_auth *out, bool *merge)
{
    enum th_auth_kind kind = out->kind;

    if (v->bad)
        return false;
    if (!v->present && !kind) {
        fault(r, pointer, A_TYPE, "is required: " TYPES);
        return false;
    }
    if (v->present && !th_auth_read(v->text, &kind)) {
        fault(r, pointer, A_TYPE, "must be " TYPES "; null in place of the object: none");
        return false;
    }
    *merge = kind == out->kind;
    if (!*merge)
        *out = (struct th_auth){.kind = kind};
    return true;
}

static void take_text(struct th_api_req *r, struct th_span pointer, const struct th_api_value *v, int member,
                      struct th_span *out)
{
    const struct member *m = &members[member];

    if (v->bad)
        return;
    if (v->null)
        *out = th_span("", 0);
    else if (!v->text.n && !m->empty)
        fault(r, pointer, member, "must not be empty");
    else if (m->secret && th_span_is(v->text, "***"))
        fault(r, pointer, member,
              "is one that was masked when it was shown; give it whole, or leave it out to keep it");
    else
        *out = v->text;
}

static bool has_control(struct th_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

/* RFC 7617 section 2. */
static void check_basic(struct th_api_req *r, struct th_span pointer, const struct th_auth *auth)
{
    if (auth->name.n && memchr(auth->name.p, ':', auth->name.n))
        fault(r, pointer, A_USERNAME, "must not have a colon: behind it the password begins");
    else if (has_control(auth->name))
        fault(r, pointer, A_USERNAME, "must not have control characters");
    if (has_control(auth->secret))
        fault(r, pointer, A_PASSWORD, "must not have control characters");
    if (!auth->name.n && !auth->secret.n)
        fault(r, pointer, A_USERNAME, "is empty, and so is the password: one of them has to be given");
}

/* How the client shows its secret to the token's server (RFC 6749 section 2.3.1). */
static void take_way(struct th_api_req *r, struct th_span pointer, const struct th_api_value *v,
                     bool *in_body)
{
    if (v->bad)
        return;
    *in_body = !v->null && th_span_is(v->text, "post");
    if (!v->null && !*in_body && !th_span_is(v->text, "basic"))
        fault(r, pointer, A_CLIENT_AUTHENTICATION,
              "must be \"basic\" (in the header Authorization) or \"post\" (in the body)");
}

bool th_api_authentication_read(struct th_api_req *r, struct th_span pointer, struct th_json object,
                                struct th_auth *out)
{
    struct th_api_value v[A_COUNT];
    bool merge = false;

    if (!th_api_decode(r, object, pointer, fields, A_COUNT, false, v))
        return false;
    if (!take_type(r, pointer, &v[A_TYPE], out, &merge))
        return true;
    for (int m = A_USERNAME; m < A_COUNT; m++) {
        char text[96];

        if (v[m].present && members[m].kind != out->kind) {
            snprintf(text, sizeof text, "belongs to the type \"%s\", and this is \"%s\"",
                     th_auth_name(members[m].kind), th_auth_name(out->kind));
            fault(r, pointer, m, text);
        } else if (v[m].present && m == A_CLIENT_AUTHENTICATION) {
            take_way(r, pointer, &v[m], &out->in_body);
        } else if (v[m].present) {
            take_text(r, pointer, &v[m], m, text_of(out, m));
        } else if (!merge && members[m].kind == out->kind && members[m].required) {
            fault(r, pointer, m, "is required");
        }
    }
    if (out->kind == TH_AUTH_BASIC && (merge || (v[A_USERNAME].present && v[A_PASSWORD].present)))
        check_basic(r, pointer, out);
    return true;
}

void th_api_authentication_write(struct th_jw *w, const struct th_auth *auth, bool clear)
{
    th_jw_object(w);
    th_jw_key(w, TH_LIT("type"));
    th_jw_string(w, th_str(th_auth_name(auth->kind)));
    for (int m = A_USERNAME; m < A_COUNT; m++)
        if (members[m].kind == auth->kind && m != A_CLIENT_AUTHENTICATION &&
            (members[m].required || text_of((struct th_auth *)auth, m)->n)) {
            th_jw_key(w, th_str(fields[m].name));
            th_jw_string(w,
                         members[m].secret && !clear ? TH_LIT("***") : *text_of((struct th_auth *)auth, m));
        }
    if (auth->kind == TH_AUTH_OAUTH2 && auth->in_body) {
        th_jw_key(w, TH_LIT("client_authentication"));
        th_jw_string(w, TH_LIT("post"));
    }
    th_jw_end_object(w);
}
