/* How an endpoint is reached: copying, the stored form, the header line of HTTP Basic (RFC 7617) and of API keys, and the request for a
 * token of OAuth 2.0 with its answer (RFC 6749 section 4.4).
 *
 * Why one value: these settings are all secrets of one endpoint, so they are encrypted together, and an endpoint without any has
 * a null pointer. A text that is added is one row of the table `texts`; copying, storing and reading come from it. */
#include "core/reach.h"
#include "base/enc.h"
#include <stddef.h>

static const struct text {
    const char *name; /* in the stored form */
    size_t at;
} texts[] = {
    {"name", offsetof(struct th_reach, auth.name)},
    {"secret", offsetof(struct th_reach, auth.secret)},
    {"token_url", offsetof(struct th_reach, auth.token_url)},
    {"scope", offsetof(struct th_reach, auth.scope)},
    {"audience", offsetof(struct th_reach, auth.audience)},
    {"ca", offsetof(struct th_reach, tls.ca)},
    {"certificate", offsetof(struct th_reach, tls.certificate)},
    {"key", offsetof(struct th_reach, tls.key)},
    {"subject", offsetof(struct th_reach, tls.subject)},
    {"source", offsetof(struct th_reach, source)},
};
enum { TEXTS = sizeof texts / sizeof *texts };

static const char *const kinds[TH_AUTH_KINDS] = {[TH_AUTH_NONE] = "",
                                                 [TH_AUTH_BASIC] = "basic",
                                                 [TH_AUTH_API_KEY] = "api_key",
                                                 [TH_AUTH_OAUTH2] = "oauth2"};

static struct th_span *text_of(struct th_reach *reach, unsigned i)
{
    return (struct th_span *)((char *)reach + texts[i].at);
}

static struct th_span view_of(const struct th_reach *reach, unsigned i)
{
    return *(const struct th_span *)((const char *)reach + texts[i].at);
}

const char *th_auth_name(enum th_auth_kind kind)
{
    return kind < TH_AUTH_KINDS ? kinds[kind] : "";
}

bool th_auth_read(struct th_span name, enum th_auth_kind *out)
{
    for (unsigned k = TH_AUTH_NONE + 1; k < TH_AUTH_KINDS; k++)
        if (th_span_is(name, kinds[k])) {
            *out = (enum th_auth_kind)k;
            return true;
        }
    return false;
}

struct th_span th_auth_header(const struct th_auth *auth)
{
    return auth->kind == TH_AUTH_NONE      ? th_span("", 0)
           : auth->kind == TH_AUTH_API_KEY ? auth->name
                                           : TH_LIT("Authorization");
}

/* As the URL standard writes forms. */
static void add_form(struct th_buf *out, struct th_span s)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        const char hex[3] = {'%', digits[c >> 4], digits[c & 15]};

        if (th_is_digit((char)c) || (c < 128 && (c | 32) >= 'a' && (c | 32) <= 'z') ||
            (c && strchr("*-._", c)))
            th_buf_char(out, (char)c);
        else if (c == ' ')
            th_buf_char(out, '+');
        else
            th_buf_add(out, hex, sizeof hex);
    }
}

/* form: both in the encoding of forms first, as RFC 6749 section 2.3.1 wants it. */
static void add_basic(const struct th_auth *auth, bool form, struct th_buf *out)
{
    struct th_buf pair;

    th_buf_init(&pair, 8 * TH_AUTH_TEXT);
    if (form)
        add_form(&pair, auth->name);
    else
        th_buf_span(&pair, auth->name);
    th_buf_char(&pair, ':');
    if (form)
        add_form(&pair, auth->secret);
    else
        th_buf_span(&pair, auth->secret);
    th_buf_str(out, "Basic ");
    th_base64(out, pair.p, pair.n);
    if (pair.failed && !out->failed)
        out->failed = pair.failed;
    th_buf_wipe(&pair);
}

void th_auth_line(const struct th_auth *auth, bool hide, struct th_buf *out)
{
    struct th_span header = th_auth_header(auth);

    if (!header.n || (auth->kind == TH_AUTH_OAUTH2 && !hide))
        return;
    th_buf_span(out, header);
    th_buf_str(out, ": ");
    if (hide)
        th_buf_str(out, "***");
    else if (auth->kind == TH_AUTH_BASIC)
        add_basic(auth, false, out);
    else
        th_buf_span(out, auth->secret);
    th_buf_str(out, "\r\n");
}

bool th_reach_any(const struct th_reach *reach)
{
    return reach && (reach->auth.kind || th_reach_tls(reach) || reach->source.n);
}

static enum th_error read_text(struct th_json stored, const char *name, struct th_arena *mem,
                               struct th_span *out)
{
    struct th_json v;
    struct th_buf text;
    enum th_error error = TH_OK;

    *out = th_span("", 0);
    if (!th_json_member(stored, th_str(name), &v))
        return TH_OK;
    th_buf_init(&text, v.raw.n + 1);
    if (!th_json_string(v, &text))
        error = TH_CORRUPT;
    else if (text.failed || !th_arena_copy(mem, th_buf_view(&text), out))
        error = TH_NOMEM;
    th_buf_wipe(&text);
    return error;
}

/* ---- tokens ---- */

static void add_field(struct th_buf *out, const char *name, struct th_span value)
{
    if (!value.n)
        return;
    if (out->n)
        th_buf_char(out, '&');
    th_buf_str(out, name);
    th_buf_char(out, '=');
    add_form(out, value);
}

void th_auth_token_request(const struct th_auth *auth, struct th_buf *head, struct th_buf *body)
{
    add_field(body, "grant_type", TH_LIT("client_credentials"));
    add_field(body, "scope", auth->scope);
    add_field(body, "audience", auth->audience);
    if (auth->in_body) {
        add_field(body, "client_id", auth->name);
        add_field(body, "client_secret", auth->secret);
    } else {
        th_buf_str(head, "Authorization: ");
        add_basic(auth, true, head);
        th_buf_str(head, "\r\n");
    }
    th_buf_str(head, "Content-Type: application/x-www-form-urlencoded\r\nAccept: application/json\r\n"
                     "User-Agent: Tenterhook\r\n");
}

/* The characters of a token (RFC 6750 section 2.1, and what servers use beside them): all that can stand in a header without a space. */
static bool is_token_text(struct th_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0 && s.n <= TH_AUTH_TOKEN_BYTES;
}

/* Seconds, at most a day, whatever larger number it is; some servers write it as a text. Absent: five minutes. */
static bool read_life(struct th_json root, uint32_t *out)
{
    enum { USUAL = 300, MOST = 86400 };
    struct th_json v;
    struct th_span digits;
    size_t i = 0;
    uint64_t n = 0;

    *out = USUAL;
    if (!th_json_member(root, TH_LIT("expires_in"), &v) || v.type == TH_JSON_NULL)
        return true;
    digits = v.type == TH_JSON_STRING ? th_span(v.raw.p + 1, v.raw.n - 2) : v.raw;
    if (v.type != TH_JSON_STRING && v.type != TH_JSON_NUMBER)
        return false;
    for (; i < digits.n && th_is_digit(digits.p[i]); i++)
        n = n > MOST ? n : n * 10 + (uint64_t)(digits.p[i] - '0');
    *out = n > MOST ? MOST : (uint32_t)n;
    return i > 0 && i == digits.n && n > 0;
}

enum th_error th_auth_token_read(struct th_span answer, struct th_arena *mem, struct th_auth_token *out,
                                 const char **why)
{
    struct th_json root, type, token;
    enum th_error error;

    *why = "is no object of JSON";
    if (th_json_parse(answer, 16, &root, NULL) || root.type != TH_JSON_OBJECT)
        return TH_INVALID;
    *why = "has no token_type \"Bearer\"";
    if (!th_json_member(root, TH_LIT("token_type"), &type) || type.type != TH_JSON_STRING ||
        !th_span_ieq(type.raw, TH_LIT("\"bearer\"")))
        return TH_INVALID;
    *why = "has an expires_in that is no positive whole number of seconds";
    if (!read_life(root, &out->lives_s))
        return TH_INVALID;
    *why = "has no access_token that can stand in a header";
    if (!th_json_member(root, TH_LIT("access_token"), &token) || token.type != TH_JSON_STRING)
        return TH_INVALID;
    error = read_text(root, "access_token", mem, &out->text);
    return error ? error : is_token_text(out->text) ? TH_OK : TH_INVALID;
}

struct th_span th_auth_token_error(struct th_span answer)
{
    struct th_json root, v;
    struct th_span s = TH_LIT("");

    if (th_json_parse(answer, 16, &root, NULL) || !th_json_member(root, TH_LIT("error"), &v) ||
        v.type != TH_JSON_STRING || v.raw.n > 66)
        return s;
    for (size_t i = 1; i + 1 < v.raw.n; i++)
        if (v.raw.p[i] != '_' && (v.raw.p[i] < 'a' || v.raw.p[i] > 'z'))
            return s;
    return th_span(v.raw.p + 1, v.raw.n - 2);
}

/* ---- copying ---- */

size_t th_reach_size(const struct th_reach *reach)
{
    size_t n = sizeof *reach;

    if (!reach)
        return 0;
    for (unsigned i = 0; i < TEXTS; i++)
        n += view_of(reach, i).n + 1;
    return n;
}

struct th_reach *th_reach_copy(const struct th_reach *from, struct th_arena *mem)
{
    struct th_reach *to = from ? th_arena_get(mem, th_reach_size(from)) : NULL;
    char *at;

    if (!to)
        return NULL;
    *to = *from;
    at = (char *)(to + 1);
    for (unsigned i = 0; i < TEXTS; i++) {
        struct th_span text = view_of(from, i);

        if (text.n)
            memcpy(at, text.p, text.n);
        at[text.n] = 0;
        *text_of(to, i) = th_span(at, text.n);
        at += text.n + 1;
    }
    return to;
}

/* ---- the stored form ---- */

void th_reach_write(const struct th_reach *reach, struct th_jw *w)
{
    th_jw_object(w);
    th_jw_key(w, TH_LIT("kind"));
    th_jw_string(w, th_str(th_auth_name(reach->auth.kind)));
    if (reach->auth.in_body) {
        th_jw_key(w, TH_LIT("in_body"));
        th_jw_bool(w, true);
    }
    if (reach->tls.expires_ms) {
        th_jw_key(w, TH_LIT("expires"));
        th_jw_i64(w, reach->tls.expires_ms);
    }
    for (unsigned i = 0; i < TEXTS; i++)
        if (view_of(reach, i).n) {
            th_jw_key(w, th_str(texts[i].name));
            th_jw_string(w, view_of(reach, i));
        }
    th_jw_end_object(w);
}

enum th_error th_reach_read(struct th_json stored, struct th_arena *mem, struct th_reach *out)
{
    struct th_json v;
    enum th_error error = TH_OK;

    *out = (struct th_reach){.auth = {.kind = TH_AUTH_NONE}}; /* texts and times too */
    if (stored.type != TH_JSON_OBJECT)
        return TH_CORRUPT;
    if (th_json_member(stored, TH_LIT("kind"), &v))
        for (unsigned k = 0; k < TH_AUTH_KINDS; k++)
            if (th_json_string_eq(v, th_str(kinds[k])))
                out->auth.kind = (enum th_auth_kind)k;
    if (th_json_member(stored, TH_LIT("in_body"), &v))
        (void)th_json_bool(v, &out->auth.in_body);
    if (th_json_member(stored, TH_LIT("expires"), &v))
        (void)th_json_i64(v, &out->tls.expires_ms);
    for (unsigned i = 0; i < TEXTS && !error; i++)
        error = read_text(stored, texts[i].name, mem, text_of(out, i));
    return error;
}
