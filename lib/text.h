/* The steps that library and server share when they read and write text: digits, base64, UTF-8, the strings of
 * JSON, the calendar. Pure functions on the caller's bytes; each is static, so the library exports none and
 * either side compiles them its own way (the library for size, the server for speed).
  * They are in one place because a receiver that reads a text in another way than its sender would be a security gap. */
#ifndef TH_LIB_TEXT_H
#define TH_LIB_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline char th_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool th_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** Writes the digits of v so that they end before `end`, which has 20 bytes in front; returns the first one. */
static inline char *th_decimal_before(char *end, uint64_t v)
{
#ifndef TH_LIB_SMALL
    for (; v >= 100; v /= 100) { /* half of the divisions */
        unsigned two = (unsigned)(v % 100);

        *--end = (char)('0' + two % 10);
        *--end = (char)('0' + two / 10);
    }
#endif
    do
        *--end = (char)('0' + v % 10);
    while (v /= 10);
    return end;
}

/** Value of a hexadecimal digit of either case, or -1. */
static inline int th_hex_value(char c)
{
    if (th_is_digit(c))
        return c - '0';
    c = th_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- hex and base64: strict, one text for one value but for the case of hex ---- */

/** Writes 2 n lower-case digits. Four bytes at a time: their halves are spread over a word, and each becomes its digit, with
 * 'a' - '9' - 1 on top from ten on. */
static inline void th_hex_write(const uint8_t *p, size_t n, char *out)
{
    size_t i = 0;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && !defined TH_LIB_SMALL
    for (; n - i >= 4; i += 4) {
        uint32_t four;
        uint64_t w;

        memcpy(&four, p + i, 4);
        w = four;
        w = (w | w << 16) & 0x0000ffff0000ffffu;
        w = (w | w << 8) & 0x00ff00ff00ff00ffu;
        w = (w >> 4 | w << 8) & 0x0f0f0f0f0f0f0f0fu;
        w += 0x3030303030303030u + (((w + 0x0606060606060606u) >> 4 & 0x0101010101010101u) * 39);
        memcpy(out + 2 * i, &w, 8);
    }
#endif
    for (; i < n; i++) {
        out[2 * i] = "0123456789abcdef"[p[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
    }
}

/** False when the text is odd, holds another byte, or gives more than cap bytes. */
static inline bool th_hex_read(const char *text, size_t text_n, uint8_t *out, size_t cap, size_t *n)
{
    if (text_n % 2 || text_n / 2 > cap)
        return false;
    for (size_t i = 0; i < text_n; i += 2) {
        int hi = th_hex_value(text[i]), lo = th_hex_value(text[i + 1]);

        if (hi < 0 || lo < 0)
            return false;
        out[i / 2] = (uint8_t)(hi << 4 | lo);
    }
    *n = text_n / 2;
    return true;
}

#define TH_BASE64 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"    /* RFC 4648, 4 */
#define TH_BASE64URL "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" /* section 5 */

/** Writes n bytes without padding in one of the alphabets; returns the length, (4 n + 2) / 3. */
static inline size_t th_base64_write(const uint8_t *p, size_t n, const char *alphabet, char *out)
{
    char *to = out;

    for (; n >= 3; p += 3, n -= 3) {
        uint32_t three = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

        to[0] = alphabet[three >> 18];
        to[1] = alphabet[three >> 12 & 63];
        to[2] = alphabet[three >> 6 & 63];
        to[3] = alphabet[three & 63];
        to += 4;
    }
    if (n) {
        *to++ = alphabet[p[0] >> 2];
        *to++ = alphabet[(p[0] & 3) << 4 | (n == 2 ? p[1] >> 4 : 0)];
        if (n == 2)
            *to++ = alphabet[(p[1] & 15) << 2];
    }
    return (size_t)(to - out);
}

/** Reads text without padding; left-over bits must be zero. */
static inline bool th_base64_read(const char *text, size_t text_n, const char *alphabet, uint8_t *out,
                                  size_t cap, size_t *n)
{
    uint32_t bits = 0;
    unsigned have = 0;

    if (text_n % 4 == 1)
        return false;
    *n = 0;
    for (size_t i = 0; i < text_n; i++) {
        char c = text[i];
        int d = c >= 'A' && c <= 'Z'   ? c - 'A'
                : c >= 'a' && c <= 'z' ? c - 'a' + 26
                : th_is_digit(c)       ? c - '0' + 52
                : c == alphabet[62]    ? 62
                : c == alphabet[63]    ? 63
                                       : -1;

        if (d < 0)
            return false;
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (*n == cap)
                return false;
            out[(*n)++] = (uint8_t)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    return bits == 0;
}

/** Length of padded text without its padding; SIZE_MAX when it is not padded to a multiple of four. */
static inline size_t th_base64_unpadded(const char *text, size_t n)
{
    if (n % 4)
        return SIZE_MAX;
    if (n && text[n - 1] == '=')
        n -= text[n - 2] == '=' ? 2 : 1;
    return n;
}

/* ---- UTF-8 ---- */

/** Length 2 to 4 of the well-formed non-ASCII sequence at p (RFC 3629); 0 when it is not one (overlong,
 * surrogate, above U+10FFFF, cut short, stray continuation): *bad is then the length of its maximal subpart, at
 * least 1, which a replacement character stands for (Unicode 15, section 3.9). `p < end` and *p >= 0x80. */
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

/** Writes a code point; returns its length. */
static inline size_t th_utf8_write(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* ---- JSON ---- */

/** Behind the white space at p. */
static inline const char *th_json_space_end(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

#define TH_ONES 0x0101010101010101u
#define TH_HIGHS 0x8080808080808080u
/** The address of the lowest byte that is flagged in its high bit. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TH_FIRST_FLAG(p, flags) ((p) + (__builtin_ctzll(flags) >> 3))
#endif

/** End of the run at p that is plain string text: ASCII from 0x20 but '"' and the backslash. Eight bytes at a
 * time; the lowest flagged byte of a word is exact, because a borrow can only come from a lower flagged one. */
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

/** The value of four hexadecimal digits. */
static inline uint32_t th_hex4(const char *p)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)th_hex_value(p[i]);
    return v;
}

/** Code point of the escape at *p, a backslash in a validated string, and moves *p behind it. Half a surrogate
 * pair is given as it is. */
static inline uint32_t th_json_escape(const char **p, const char *end)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *q = *p + 1, *short_form;
    uint32_t c, low;

    if (*q != 'u') {
        short_form = (const char *)memchr(from, *q, sizeof from - 1);
        *p = q + 1;
        return (unsigned char)(short_form ? to[short_form - from] : *q);
    }
    c = th_hex4(q + 1);
    *p = q += 5;
    if (c < 0xd800 || c > 0xdbff || end - q < 6 || q[0] != '\\' || q[1] != 'u')
        return c;
    low = th_hex4(q + 2);
    if (low < 0xdc00 || low > 0xdfff)
        return c;
    *p = q + 6;
    return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* ---- the calendar: proleptic Gregorian, days since 1970-01-01, years from -399 ---- */

/* Years begin in March, so that the leap day is their last; 400 years, which are 146097 days, are put on top, so
 * that nothing is negative. */
#define TH_DAYS_OFFSET (719468 + 146097)

static inline int64_t th_days_from_date(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year + 400 - (month <= 2);

    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1 -
           TH_DAYS_OFFSET;
}

static inline void th_date_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t z = days + TH_DAYS_OFFSET, of_era = z % 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = (unsigned)(of_era - (365 * y + y / 4 - y / 100)), m = (5 * of_year + 2) / 153;

    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = y + z / 146097 * 400 - 400 + (*month <= 2);
}

/** Whether there is such a day. */
static inline bool th_is_date(int64_t year, unsigned month, unsigned day)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month >= 1 && month <= 12 && day >= 1 &&
           day <= lengths[month - 1] + (unsigned)(month == 2 && leap);
}
#endif
