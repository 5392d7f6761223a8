/* How an endpoint is reached: copying, the stored form, and the header line of HTTP Basic (RFC 7617) and of API keys.
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
};
enum { TEXTS = sizeof texts / sizeof *texts };

static const char *const kinds[TH_AUTH_KINDS] = {
    [TH_AUTH_NONE] = "", [TH_AUTH_BASIC] = "basic", [TH_AUTH_API_KEY] = "api_key"};

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

static void add_basic(const struct th_auth *auth, struct th_buf *out)
{
    struct th_buf pair;

    th_buf_init(&pair, 2 * TH_AUTH_TEXT + 1);
    th_buf_span(&pair, auth->name);
    th_buf_char(&pair, ':');
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

    if (!header.n)
        return;
    th_buf_span(out, header);
    th_buf_str(out, ": ");
    if (hide)
        th_buf_str(out, "***");
    else if (auth->kind == TH_AUTH_BASIC)
        add_basic(auth, out);
    else
        th_buf_span(out, auth->secret);
    th_buf_str(out, "\r\n");
}

bool th_reach_any(const struct th_reach *reach)
{
    return reach && reach->auth.kind;
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
    for (unsigned i = 0; i < TEXTS; i++)
        if (view_of(reach, i).n) {
            th_jw_key(w, th_str(texts[i].name));
            th_jw_string(w, view_of(reach, i));
        }
    th_jw_end_object(w);
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

enum th_error th_reach_read(struct th_json stored, struct th_arena *mem, struct th_reach *out)
{
    struct th_json v;
    enum th_error error = TH_OK;

    *out = (struct th_reach){.auth = {.kind = TH_AUTH_NONE}};
    if (stored.type != TH_JSON_OBJECT)
        return TH_CORRUPT;
    if (th_json_member(stored, TH_LIT("kind"), &v))
        for (unsigned k = 0; k < TH_AUTH_KINDS; k++)
            if (th_json_string_eq(v, th_str(kinds[k])))
                out->auth.kind = (enum th_auth_kind)k;
    for (unsigned i = 0; i < TEXTS && !error; i++)
        error = read_text(stored, texts[i].name, mem, text_of(out, i));
    return error;
}
