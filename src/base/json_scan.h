/* The inner loops of JSON reader, JSON writer and log: runs of plain text, eight bytes at a time, and one
 * step of UTF-8 (RFC 3629). Private to src/base and core/ecma*.c. */
#ifndef TH_BASE_JSON_SCAN_H
#define TH_BASE_JSON_SCAN_H
#include "base/json.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TH_ONES 0x0101010101010101u
#define TH_HIGHS 0x8080808080808080u

/* The address of the lowest byte that is flagged in its high bit. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TH_FIRST_FLAG(p, flags) ((p) + (__builtin_ctzll(flags) >> 3))
#endif

/** End of the run at p that is plain string text: ASCII from 0x20 but '"' and the backslash. The lowest
 * flagged byte of a word is exact, because a borrow can only come from a lower flagged byte. */
static inline const char *th_plain_end(const char *p, const char *end)
{
#ifdef TH_FIRST_FLAG
    uint64_t w, flags;

    for (; end - p >= 8; p += 8) {
        memcpy(&w, p, 8);
        flags =
            ((w - TH_ONES * 0x20) | ((w ^ TH_ONES * '"') - TH_ONES) | ((w ^ TH_ONES * '\\') - TH_ONES) | w) &
            TH_HIGHS;
        if (flags)
            return TH_FIRST_FLAG(p, flags);
    }
#endif
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

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

/** Length 2 to 4 of the well-formed non-ASCII sequence at p; 0 when it is not one (overlong, surrogate, above
 * U+10FFFF, cut short, stray continuation): *bad is then the length of its maximal subpart, at least 1, which
 * a replacement character stands for (Unicode 15, section 3.9). `p < end` and *p >= 0x80. */
static inline size_t th_utf8_step(const char *text, const char *text_end, size_t *bad)
{
    const unsigned char *p = (const unsigned char *)text, *end = (const unsigned char *)text_end;
    unsigned char lo = 0x80, hi = 0xbf;
    size_t n, i;

    *bad = 1;
    if (*p >= 0xc2 && *p <= 0xdf) {
        n = 2;
    } else if (*p >= 0xe0 && *p <= 0xef) {
        n = 3;
        if (*p == 0xe0)
            lo = 0xa0; /* below: overlong */
        else if (*p == 0xed)
            hi = 0x9f; /* above: surrogates */
    } else if (*p >= 0xf0 && *p <= 0xf4) {
        n = 4;
        if (*p == 0xf0)
            lo = 0x90;
        else if (*p == 0xf4)
            hi = 0x8f; /* above U+10FFFF */
    } else {
        return 0;
    }
    for (i = 1; i < n; i++, lo = 0x80, hi = 0xbf)
        if (p + i == end || p[i] < lo || p[i] > hi) {
            *bad = i;
            return 0;
        }
    return n;
}

/** Behind the white space at p. */
static inline const char *th_json_space_end(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static inline bool th_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** Value of a hexadecimal digit of either case, or -1. */
static inline int th_hex_value(char c)
{
    if (th_is_digit(c))
        return c - '0';
    c = th_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
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
