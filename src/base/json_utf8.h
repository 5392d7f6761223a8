/* One step of UTF-8 (RFC 3629) for the JSON reader, the JSON writer and the log. Private to src/base. */
#ifndef TH_BASE_JSON_UTF8_H
#define TH_BASE_JSON_UTF8_H
#include <stddef.h>

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
#endif
