/* JSON reader, second half: walks and reads values that th_json_read has accepted.
 *
 * It relies on validation and looks for ends, not for errors; that makes it quick. On bytes that were never
 * validated it gives nonsense, but reads nothing beyond their end. Nothing is converted but what is asked for:
 * a string's escapes, a small integer. */
#include "lib/json_scan.h"

/* Behind the closing quote of the string that starts at p. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++;;) {
        p = th_quote_or_escape(p, end);
        if (p >= end)
            return end;
        if (*p == '"')
            return p + 1;
        if (end - p < 2)
            return end;
        p += 2; /* the backslash and what it escapes */
    }
}

static const char *skip_container(const char *p, const char *end)
{
    size_t depth = 0;

    while (p < end) {
        char c = *p;
        if (c == '"') {
            p = skip_string(p, end);
            continue;
        }
        p++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return p;
    }
    return end;
}

/* A string has two quotes; half a one is none. */
static struct th_json of_type(enum th_json_type type, const char *p, const char *end)
{
    if (type == TH_JSON_STRING && end - p < 2)
        type = TH_JSON_NULL;
    return (struct th_json){type, th_span(p, (size_t)(end - p))};
}

struct th_json th_json_of(struct th_span text)
{
    const char *p, *end;

    if (text.n == 0)
        return (struct th_json){TH_JSON_NULL, TH_LIT("")}; /* there may be no text at all: p NULL */
    end = text.p + text.n;
    p = th_json_space_end(text.p, end);
    while (end > p && (unsigned char)end[-1] <= ' ')
        end--;
    return of_type(p < end ? th_json_type_of(*p) : TH_JSON_NULL, p, end);
}

/* p < end */
static struct th_json value_at(const char *p, const char *end)
{
    enum th_json_type type = th_json_type_of(*p);
    const char *q = p + 1;

    switch (type) {
    case TH_JSON_OBJECT:
    case TH_JSON_ARRAY:
        q = skip_container(p, end);
        break;
    case TH_JSON_STRING:
        q = skip_string(p, end);
        break;
    case TH_JSON_NULL:
    case TH_JSON_FALSE:
    case TH_JSON_TRUE:
    case TH_JSON_NUMBER:
        while (q < end && *q != ',' && *q != '}' && *q != ']' && (unsigned char)*q > ' ')
            q++;
        break;
    }
    return of_type(type, p, q);
}

void th_json_iter(struct th_json_iter *it, struct th_json v)
{
    *it = (struct th_json_iter){NULL, NULL, false};
    if ((v.type != TH_JSON_ARRAY && v.type != TH_JSON_OBJECT) || v.raw.n < 2)
        return;
    it->object = v.type == TH_JSON_OBJECT;
    it->end = v.raw.p + v.raw.n - 1;
    it->p = th_json_space_end(v.raw.p + 1, it->end);
}

bool th_json_next(struct th_json_iter *it, struct th_json *key, struct th_json *value)
{
    const char *p = it->p, *end = it->end;

    if (p == end)
        return false;
    if (it->object) {
        struct th_json name = value_at(p, end);
        p = th_json_space_end(name.raw.p + name.raw.n, end);
        p = p < end ? th_json_space_end(p + 1, end) : p; /* the colon */
        if (p == end)
            return false;
        if (key)
            *key = name;
    } else if (key) {
        *key = (struct th_json){TH_JSON_NULL, {NULL, 0}};
    }
    *value = value_at(p, end);
    p = th_json_space_end(value->raw.p + value->raw.n, end);
    if (p < end)
        p = th_json_space_end(p + 1, end); /* the comma */
    it->p = p;
    return true;
}

/* ---- strings ---- */

size_t th_json_resolve(const char **p, const char *end, char out[4])
{
    uint32_t c = th_json_escape(p, end);

    return th_utf8_write(c >= 0xd800 && c <= 0xdfff ? 0xfffd : c, out);
}

/* Takes the next byte of a JSON Pointer token, "~0" and "~1" resolved. False at its end and on a bad tilde.
 */
static bool pointer_byte(struct th_span *token, char *c)
{
    if (token->n == 0)
        return false;
    *c = *token->p;
    token->p++, token->n--;
    if (*c != '~')
        return true;
    if (token->n == 0 || (*token->p != '0' && *token->p != '1'))
        return false;
    *c = *token->p == '0' ? '~' : '/';
    token->p++, token->n--;
    return true;
}

/* A string value and a token of a JSON Pointer. */
static bool token_eq(struct th_json v, struct th_span token)
{
    struct th_span in;
    const char *p, *end;
    char bytes[4], c;

    if (v.type != TH_JSON_STRING)
        return false;
    in = th_json_inside(v);
    for (p = in.p, end = in.p + in.n; p < end;) {
        size_t n = th_json_character(&p, end, bytes);

        for (size_t i = 0; i < n; i++)
            if (!pointer_byte(&token, &c) || c != bytes[i])
                return false;
    }
    return token.n == 0;
}

/* Character by character: the value has escapes, or is not the text. Apart, so that the quick way stays short. */
static __attribute__((noinline)) bool resolved_eq(struct th_json v, struct th_span s)
{
    struct th_span in = th_json_inside(v);
    const char *p = in.p, *end = in.p + in.n;
    char bytes[4];

    while (p < end) {
        size_t n = th_json_character(&p, end, bytes);

        if (!th_span_starts(s, th_span(bytes, n)))
            return false;
        s = th_span(s.p + n, s.n - n);
    }
    return s.n == 0;
}

bool th_json_string_eq(struct th_json v, struct th_span s)
{
    if (v.type != TH_JSON_STRING || v.raw.n - 2 < s.n) /* resolving an escape only shortens */
        return false;
    if (v.raw.n - 2 == s.n) /* equal lengths: equal only when there is no escape */
        return s.n == 0 || (memcmp(v.raw.p + 1, s.p, s.n) == 0 && !memchr(s.p, '\\', s.n));
    return resolved_eq(v, s);
}

/* ---- scalars and access ---- */

bool th_json_i64(struct th_json v, int64_t *out)
{
    struct th_span s = v.raw;
    uint64_t magnitude, limit = INT64_MAX;
    bool negative;

    if (v.type != TH_JSON_NUMBER)
        return false;
    negative = *s.p == '-';
    if (negative) {
        s.p++, s.n--;
        limit++;
    }
    if (!th_span_u64(s, limit, &magnitude))
        return false;
    if (negative)
        *out = magnitude > INT64_MAX ? INT64_MIN : -(int64_t)magnitude;
    else
        *out = (int64_t)magnitude;
    return true;
}

bool th_json_bool(struct th_json v, bool *out)
{
    if (v.type != TH_JSON_TRUE && v.type != TH_JSON_FALSE)
        return false;
    *out = v.type == TH_JSON_TRUE;
    return true;
}

static bool member(struct th_json object, struct th_span name, bool pointer, struct th_json *out)
{
    struct th_json_iter it;
    struct th_json key, value;

    if (object.type != TH_JSON_OBJECT)
        return false;
    th_json_iter(&it, object);
    while (th_json_next(&it, &key, &value))
        if (pointer ? token_eq(key, name) : th_json_string_eq(key, name)) {
            *out = value;
            return true;
        }
    return false;
}

bool th_json_member(struct th_json object, struct th_span name, struct th_json *out)
{
    return member(object, name, false, out);
}

/* RFC 6901 section 4: digits without a leading zero. */
static bool element(struct th_json array, struct th_span token, struct th_json *out)
{
    struct th_json_iter it;
    uint64_t index;

    if ((token.n > 1 && token.p[0] == '0') || !th_span_u64(token, INT64_MAX, &index))
        return false;
    th_json_iter(&it, array);
    while (th_json_next(&it, NULL, out))
        if (index-- == 0)
            return true;
    return false;
}

bool th_json_pointer(struct th_json root, struct th_span pointer, struct th_json *out)
{
    struct th_json v = root, next;

    while (pointer.n) {
        struct th_span token;
        const char *slash;

        if (*pointer.p != '/')
            return false;
        token = th_span(pointer.p + 1, pointer.n - 1);
        slash = token.n ? memchr(token.p, '/', token.n) : NULL;
        if (slash)
            token.n = (size_t)(slash - token.p);
        pointer = th_span(token.p + token.n, (size_t)(pointer.p + pointer.n - (token.p + token.n)));
        if (v.type == TH_JSON_ARRAY ? !element(v, token, &next) : !member(v, token, true, &next))
            return false;
        v = next;
    }
    *out = v;
    return true;
}
