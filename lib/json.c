/* JSON reader, first half: validates a text once. json_walk.c then hands out spans of it.
 *
 * Why our own: payload bytes must reach the receiver unchanged, and the library may not allocate; so nothing here builds a
 * tree, converts a number or writes a value back. Why one for library and server: a receiver that took a body for another
 * than the sender wrote would be a gap. Refused: everything outside RFC 8259, ill-formed UTF-8, a byte order mark, nesting
 * beyond the caller's limit. Accepted and kept: duplicate names, any size of number, lone surrogate escapes.
 *
 * Invariants:
 *
 *  1. No recursion: one bit a level says whether it is an object; the depth never exceeds TH_JSON_DEPTH_MAX.
 *
 *  2. Every read is behind a check against `end`.
 *
 * On failure the error names the first byte that cannot be right. No memory is allocated. */
#include "lib/json_scan.h"

struct reader {
    const char *end;
    const char *at;   /* where it failed */
    const char *what; /* why */
    unsigned depth, max_depth;
    uint64_t objects[TH_JSON_DEPTH_MAX / 64]; /* bit d: level d is an object */
};

/* The receiver's library (TH_LIB_SMALL) has no room for reasons that it never shows. */
static const char *fail(struct reader *r, const char *at, const char *what)
{
#ifndef TH_LIB_SMALL
    r->at = at;
    r->what = at >= r->end ? "unexpected end" : what;
#endif
    (void)r, (void)at, (void)what;
    return NULL;
}

/* p is behind the backslash. */
static const char *check_escape(struct reader *r, const char *p)
{
    if (p == r->end)
        return fail(r, p, NULL);
    switch (*p) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return p + 1;
    case 'u':
        p++;
        for (unsigned i = 0; i < 4; i++, p++)
            if (p == r->end || th_hex_value(*p) < 0)
                return fail(r, p, "expected four hexadecimal digits after '\\u'");
        return p;
    default:
        return fail(r, p, "unknown escape in string");
    }
}

/* p is behind the opening quote; returns behind the closing one. */
static const char *check_string(struct reader *r, const char *p)
{
    size_t n, bad;

    for (;;) {
        p = th_plain_end(p, r->end);
        if (p == r->end)
            return fail(r, p, NULL);
        if (*p == '"')
            return p + 1;
        if (*p == '\\') {
            p = check_escape(r, p + 1);
            if (!p)
                return NULL;
        } else if ((unsigned char)*p < 0x20) {
            return fail(r, p, "control character in string");
        } else {
            for (; p < r->end && (unsigned char)*p >= 0x80; p += n) {
                n = th_utf8_step(p, r->end, &bad);
                if (!n)
                    return fail(r, p, "string is not UTF-8");
            }
        }
    }
}

static const char *check_number(struct reader *r, const char *p)
{
    const char *end = r->end;

    if (*p == '-')
        p++;
    if (p == end || !th_is_digit(*p))
        return fail(r, p, "expected a digit");
    if (*p == '0') {
        p++;
        if (p < end && th_is_digit(*p))
            return fail(r, p, "number with a leading zero");
    } else {
        while (p < end && th_is_digit(*p))
            p++;
    }
    if (p < end && *p == '.') {
        p++;
        if (p == end || !th_is_digit(*p))
            return fail(r, p, "expected a digit after '.'");
        while (p < end && th_is_digit(*p))
            p++;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        if (p == end || !th_is_digit(*p))
            return fail(r, p, "expected a digit in the exponent");
        while (p < end && th_is_digit(*p))
            p++;
    }
    return p;
}

static const char *check_word(struct reader *r, const char *p, struct th_span word)
{
    for (size_t i = 0; i < word.n; i++)
        if (p + i == r->end || p[i] != word.p[i])
            return fail(r, p + i == r->end ? p + i : p, "expected a value");
    return p + word.n;
}

/* A member's name and its colon; p is before the name. */
static const char *check_name(struct reader *r, const char *p, const char *otherwise)
{
    p = th_json_space_end(p, r->end);
    if (p == r->end || *p != '"')
        return fail(r, p, otherwise);
    p = check_string(r, p + 1);
    if (!p)
        return NULL;
    if (p < r->end && *p == ':')
        return p + 1;
    p = th_json_space_end(p, r->end);
    if (p == r->end || *p != ':')
        return fail(r, p, "expected ':'");
    return p + 1;
}

/* p is at '{' or '['. Returns behind it, and behind the first member's colon or, when the container is empty,
 * at its closing bracket; *empty tells. */
static const char *check_open(struct reader *r, const char *p, bool *empty)
{
    bool object = *p == '{';

    if (r->depth >= r->max_depth)
        return fail(r, p, "nested too deeply");
    if (object)
        r->objects[r->depth / 64] |= (uint64_t)1 << r->depth % 64;
    else
        r->objects[r->depth / 64] &= ~((uint64_t)1 << r->depth % 64);
    r->depth++;
    p = th_json_space_end(p + 1, r->end);
    *empty = p < r->end && *p == (object ? '}' : ']');
    return *empty || !object ? p : check_name(r, p, "expected '\"' or '}'");
}

static const char *check_scalar(struct reader *r, const char *p)
{
    switch (*p) {
    case '"':
        return check_string(r, p + 1);
    case 't':
        return check_word(r, p, TH_LIT("true"));
    case 'f':
        return check_word(r, p, TH_LIT("false"));
    case 'n':
        return check_word(r, p, TH_LIT("null"));
    case '-':
        return check_number(r, p);
    default:
        return th_is_digit(*p) ? check_number(r, p) : fail(r, p, "expected a value");
    }
}

/* What follows a complete value: closing brackets, then a comma or the end of the text. Sets *done at depth
 * 0. */
static const char *check_after(struct reader *r, const char *p, bool *done)
{
    while (r->depth) {
        bool object = r->objects[(r->depth - 1) / 64] >> (r->depth - 1) % 64 & 1;

        p = th_json_space_end(p, r->end);
        if (p == r->end)
            return fail(r, p, NULL);
        if (*p == ',')
            return object ? check_name(r, p + 1, "expected '\"'") : p + 1;
        if (*p != (object ? '}' : ']'))
            return fail(r, p, object ? "expected ',' or '}'" : "expected ',' or ']'");
        r->depth--;
        p++;
    }
    *done = true;
    return p;
}

/* Returns behind the value, or NULL. */
static const char *check_value(struct reader *r, const char *p)
{
    for (bool done = false; !done;) {
        p = th_json_space_end(p, r->end);
        if (p == r->end)
            return fail(r, p, NULL);
        if (*p == '{' || *p == '[') {
            bool empty;
            p = check_open(r, p, &empty);
            if (!p)
                return NULL;
            if (!empty)
                continue;
        } else {
            p = check_scalar(r, p);
            if (!p)
                return NULL;
        }
        p = check_after(r, p, &done);
        if (!p)
            return NULL;
    }
    return p;
}

bool th_json_read(struct th_span text, unsigned max_depth, struct th_json *root, struct th_json_fault *fault)
{
    struct reader r; /* objects: a bit is written before it is read */
    const char *p, *begin;

    if (!text.p) /* an empty span may have no address */
        text = TH_LIT("");
    r.end = r.at = text.p + text.n;
    r.what = NULL;
    r.depth = 0;
    r.max_depth = max_depth < TH_JSON_DEPTH_MAX ? max_depth : TH_JSON_DEPTH_MAX;
    begin = th_json_space_end(text.p, r.end);
    p = check_value(&r, begin);
    if (p) {
        *root = (struct th_json){th_json_type_of(*begin), th_span(begin, (size_t)(p - begin))};
        p = th_json_space_end(p, r.end);
        if (p == r.end)
            return true;
        fail(&r, p, "unexpected text after the value");
    }
    if (fault)
        *fault = (struct th_json_fault){r.at, r.what};
    return false;
}
