/* Steps that the JSON reader, the JSON writer, the log and core/ecma*.c share, beside those of lib/text.h.
 * Private to these files. */
#ifndef TH_LIB_JSON_SCAN_H
#define TH_LIB_JSON_SCAN_H
#include "lib/json.h"

/** The first '"' or backslash from p on, or `end`. The text must be known to be valid. */
static inline const char *th_quote_or_escape(const char *p, const char *end)
{
#if defined TH_FIRST_FLAG && !defined TH_LIB_SMALL
    uint64_t q, b, flags;

    for (; end - p >= 8; p += 8) {
        memcpy(&q, p, 8);
        b = q ^ TH_ONES * '\\';
        q ^= TH_ONES * '"';
        flags = (((q - TH_ONES) & ~q) | ((b - TH_ONES) & ~b)) & TH_HIGHS;
        if (flags)
            return TH_FIRST_FLAG(p, flags);
    }
#endif
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

/** Type of the valid value that begins with c. */
static inline enum th_json_type th_json_type_of(char c)
{
    switch (c) {
    case '{':
        return TH_JSON_OBJECT;
    case '[':
        return TH_JSON_ARRAY;
    case '"':
        return TH_JSON_STRING;
    case 't':
        return TH_JSON_TRUE;
    case 'f':
        return TH_JSON_FALSE;
    case 'n':
        return TH_JSON_NULL;
    default:
        return TH_JSON_NUMBER;
    }
}

/** Resolves the escape at *p (a backslash) into 1 to 4 bytes and moves *p behind it. Half a surrogate pair becomes
 * U+FFFD. */
size_t th_json_resolve(const char **p, const char *end, char out[4]);

/** The character at *p of a string's inside, which it moves behind it, with an escape resolved; its length. Of several
 * bytes that need no escape one is given at a time. */
static inline size_t th_json_character(const char **p, const char *end, char out[4])
{
    if (**p == '\\')
        return th_json_resolve(p, end, out);
    out[0] = *(*p)++;
    return 1;
}

/** The bytes between the quotes of a string value. */
static inline struct th_span th_json_inside(struct th_json v)
{
    return th_span(v.raw.p + 1, v.raw.n - 2);
}
#endif
