/* A borrowed run of bytes, which it never owns and which has no NUL behind it: the one type of text in library and server,
 * with the functions that are needed everywhere.
 *
 * It is the public struct tenterhook_span under a shorter name, so that a text crosses the library's border without
 * being copied from one type to another. */
#ifndef TH_LIB_SPAN_H
#define TH_LIB_SPAN_H
#include "lib/text.h"
#include "tenterhook/tenterhook.h"

#define th_span tenterhook_span

#define TH_LIT(s) ((struct th_span){(s), sizeof(s) - 1})

static inline struct th_span th_span(const void *p, size_t n)
{
    return (struct th_span){(const char *)p, n};
}
static inline struct th_span th_str(const char *s)
{
    return (struct th_span){s, s ? strlen(s) : 0};
}
static inline bool th_span_eq(struct th_span a, struct th_span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool th_span_is(struct th_span a, const char *s)
{
    return th_span_eq(a, th_str(s));
}
/** ASCII case-insensitive comparison (field names, host names). */
static inline bool th_span_ieq(struct th_span a, struct th_span b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (th_lower(a.p[i]) != th_lower(b.p[i]))
            return false;
    return true;
}
static inline bool th_span_starts(struct th_span a, struct th_span prefix)
{
    return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}
/** Unsigned decimal of 1 to 19 digits, nothing else. False when it is not one or exceeds `max`. */
bool th_span_u64(struct th_span s, uint64_t max, uint64_t *out);
#endif
