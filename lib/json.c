/* A strict JSON scanner (RFC 8259) that builds nothing: it says whether a text is JSON, finds members, and
 * decodes strings into the caller's memory.
 *
 * Why its own: the library may not allocate, and data must be handed on byte for byte. Refuses: anything that
 * the RFC's grammar has not, text that is not UTF-8, nesting beyond DEPTH (no recursion: one bit a level).
 * Names are compared as texts: some senders write all that is not ASCII with escapes. */
#include "lib/internal.h"
#include "lib/text.h"

#define DEPTH 256

struct scan {
    const char *p, *end;
};

static void space(struct scan *s)
{
    s->p = th_json_space_end(s->p, s->end);
}

/* From a backslash to behind the escape. */
static bool escape(struct scan *s)
{
    if (s->end - s->p < 2)
        return false;
    if (s->p[1] != 'u') {
        bool known = memchr("\"\\/bfnrt", s->p[1], 8) != NULL;

        s->p += 2;
        return known;
    }
    if (s->end - s->p < 6)
        return false;
    s->p += 2;
    for (unsigned i = 0; i < 4; i++)
        if (th_hex_value(*s->p++) < 0)
            return false;
    return true;
}

/* From the opening quote to behind the closing one. */
static bool string(struct scan *s)
{
    size_t n, bad;

    for (s->p++;;) {
        s->p = th_plain_end(s->p, s->end);
        if (s->p == s->end || (unsigned char)*s->p < 0x20)
            return false;
        if (*s->p == '"') {
            s->p++;
            return true;
        }
        if (*s->p == '\\') {
            if (!escape(s))
                return false;
        } else {
            n = th_utf8_step(s->p, s->end, &bad);
            if (n == 0)
                return false;
            s->p += n;
        }
    }
}

static bool run_of_digits(struct scan *s)
{
    const char *first = s->p;

    while (s->p < s->end && th_is_digit(*s->p))
        s->p++;
    return s->p > first;
}

static bool number(struct scan *s)
{
    if (*s->p == '-')
        s->p++;
    if (s->p < s->end && *s->p == '0')
        s->p++;
    else if (!run_of_digits(s))
        return false;
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!run_of_digits(s))
            return false;
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        return run_of_digits(s);
    }
    return true;
}

static bool word(struct scan *s, const char *w, size_t n)
{
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
        return false;
    s->p += n;
    return true;
}

static bool scalar(struct scan *s)
{
    switch (*s->p) {
    case '"':
        return string(s);
    case 't':
        return word(s, "true", 4);
    case 'f':
        return word(s, "false", 5);
    case 'n':
        return word(s, "null", 4);
    default:
        return number(s);
    }
}

/* A member's name with its colon. */
static bool name(struct scan *s)
{
    if (s->p == s->end || *s->p != '"' || !string(s))
        return false;
    space(s);
    if (s->p == s->end || *s->p != ':')
        return false;
    s->p++;
    space(s);
    return s->p < s->end;
}

/* Opens the collection at p. *empty: it is closed at once. */
static bool open_collection(struct scan *s, bool object, bool *empty)
{
    s->p++;
    space(s);
    if (s->p == s->end)
        return false;
    *empty = *s->p == (object ? '}' : ']');
    if (*empty) {
        s->p++;
        return true;
    }
    return !object || name(s);
}

/* From the first byte of a value to behind it. */
static bool value(struct scan *s)
{
    uint64_t object[DEPTH / 64] = {0};
    unsigned depth = 0;

    for (;;) {
        bool ended = true;

        if (s->p == s->end)
            return false;
        if (*s->p == '{' || *s->p == '[') {
            bool is_object = *s->p == '{', empty;

            if (depth == DEPTH || !open_collection(s, is_object, &empty))
                return false;
            if (!empty) {
                object[depth / 64] = (object[depth / 64] & ~(UINT64_C(1) << depth % 64)) | (uint64_t)is_object
                                                                                               << depth % 64;
                depth++;
                ended = false;
            }
        } else if (!scalar(s)) {
            return false;
        }
        while (ended) { /* a value has ended: close what ends with it, or step to the next one */
            bool is_object;

            if (depth == 0)
                return true;
            space(s);
            if (s->p == s->end)
                return false;
            is_object = object[(depth - 1) / 64] >> (depth - 1) % 64 & 1;
            if (*s->p == (is_object ? '}' : ']')) {
                depth--;
                s->p++;
                continue;
            }
            if (*s->p++ != ',')
                return false;
            space(s);
            if (is_object && !name(s))
                return false;
            ended = false;
        }
    }
}

bool th_lib_json(th_lib_span text, th_lib_span *out)
{
    struct scan s;
    const char *first;

    if (text.n == 0)
        return false;
    s = (struct scan){text.p, text.p + text.n};
    space(&s);
    first = s.p;
    if (!value(&s))
        return false;
    *out = th_lib_of(first, (size_t)(s.p - first));
    space(&s);
    return s.p == s.end;
}

bool th_lib_first_member(th_lib_span object, struct th_lib_members *m)
{
    struct scan s;

    m->first = true;
    if (object.n == 0)
        return false;
    s = (struct scan){object.p, object.p + object.n};
    space(&s);
    if (s.p == s.end || *s.p != '{')
        return false;
    m->rest = th_lib_of(s.p + 1, (size_t)(s.end - s.p) - 1);
    return true;
}

bool th_lib_next_member(struct th_lib_members *m, th_lib_span *key, th_lib_span *out)
{
    struct scan s = {m->rest.p, m->rest.p + m->rest.n};
    const char *from;

    space(&s);
    if (!m->first) {
        if (s.p == s.end || *s.p++ != ',')
            return false;
        space(&s);
    }
    m->first = false;
    from = s.p;
    if (s.p == s.end || *s.p != '"' || !string(&s))
        return false;
    *key = th_lib_of(from + 1, (size_t)(s.p - from) - 2);
    space(&s);
    if (s.p == s.end || *s.p++ != ':')
        return false;
    space(&s);
    from = s.p;
    if (!value(&s))
        return false;
    *out = th_lib_of(from, (size_t)(s.p - from));
    m->rest = th_lib_of(s.p, (size_t)(s.end - s.p));
    return true;
}

/* The character at *p of a validated string's text, which it moves behind it, as UTF-8; its length, 0 for half a surrogate
 * pair. Of several bytes that need no escape one is given at a time. */
static size_t character(const char **p, const char *end, char out[4])
{
    uint32_t c;

    if (**p != '\\') {
        out[0] = *(*p)++;
        return 1;
    }
    c = th_json_escape(p, end);
    return c >= 0xd800 && c <= 0xdfff ? 0 : th_utf8_write(c, out);
}

bool th_lib_named(th_lib_span key, th_lib_span name)
{
    const char *p = key.p, *end = key.p + key.n;
    char bytes[4];

    while (p < end) {
        size_t n = character(&p, end, bytes);

        if (n == 0 || !th_lib_starts(name, th_lib_of(bytes, n)))
            return false;
        name = th_lib_of(name.p + n, name.n - n);
    }
    return name.n == 0;
}

bool tenterhook_member(th_lib_span object, const char *wanted, th_lib_span *out)
{
    const th_lib_span want = tenterhook_str(wanted);
    struct th_lib_members m;
    th_lib_span key, found;

    *out = th_lib_of(NULL, 0);
    if (!th_lib_first_member(object, &m))
        return false;
    while (th_lib_next_member(&m, &key, &found))
        if (th_lib_named(key, want))
            *out = found;
    return out->p != NULL;
}

bool tenterhook_string(th_lib_span json, char *out, size_t cap, size_t *n)
{
    th_lib_span text;
    const char *p, *end;
    size_t done = 0;

    if (cap == 0 || !th_lib_json(json, &text) || text.p[0] != '"')
        return false;
    for (p = text.p + 1, end = text.p + text.n - 1; p < end;) {
        char bytes[4];
        size_t len = character(&p, end, bytes);

        if (len == 0 || len > cap - 1 - done)
            return false;
        memcpy(out + done, bytes, len);
        done += len;
    }
    out[done] = 0;
    *n = done;
    return true;
}
