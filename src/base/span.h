/* A borrowed run of bytes: never owns, never NUL-terminated. */
#ifndef TH_BASE_SPAN_H
#define TH_BASE_SPAN_H
#include "lib/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct th_span {
    const char *p;
    size_t n;
};

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
/** Whether a pattern of event types has `type`: "*" has all, "a.*" what begins with "a.", "*.b" what ends with ".b", any
 * other text itself. */
static inline bool th_pattern_has(struct th_span pattern, struct th_span type)
{
    if (pattern.n == 1 && pattern.p[0] == '*')
        return true;
    if (pattern.n > 2 && pattern.p[pattern.n - 1] == '*')
        return type.n >= pattern.n && memcmp(type.p, pattern.p, pattern.n - 1) == 0;
    if (pattern.n > 2 && pattern.p[0] == '*')
        return type.n >= pattern.n &&
               memcmp(type.p + type.n - (pattern.n - 1), pattern.p + 1, pattern.n - 1) == 0;
    return th_span_eq(pattern, type);
}
/** Without blanks and tabs at its ends. */
struct th_span th_span_trim(struct th_span s);
/** Takes what stands before the next `at` (all of it when there is none) off *rest. */
struct th_span th_span_cut(struct th_span *rest, char at);
/** Unsigned decimal of 1 to 19 digits, nothing else. False when it is not one or exceeds `max`. */
bool th_span_u64(struct th_span s, uint64_t max, uint64_t *out);
#endif
