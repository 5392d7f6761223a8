/* What JSON reader, JSON writer, log and core/ecma*.c share beside lib/text.h. Private to these. */
#ifndef TH_BASE_JSON_SCAN_H
#define TH_BASE_JSON_SCAN_H
#include "base/json.h"

/** First '"' or backslash at or behind p, else end: for text that is known to be valid. */
static inline const char *th_quote_or_escape(const char *p, const char *end)
{
#ifdef TH_FIRST_FLAG
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
#endif
