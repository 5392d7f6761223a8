/* Spans of text (lib/span.h), and functions on them that only the server needs. */
#ifndef TH_BASE_SPAN_H
#define TH_BASE_SPAN_H
#include "lib/span.h"

/** Whether `type` matches a pattern of event types: "*" matches all, "a.*" those that begin with "a.", "*.b" those that end with
 * ".b", and any other text matches itself. */
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
/** Returns `s` without blanks and tabs at its ends. */
struct th_span th_span_trim(struct th_span s);
/** Removes the text before the next `at` from *rest (all of it when there is no `at`) and returns it. */
struct th_span th_span_cut(struct th_span *rest, char at);
#endif
