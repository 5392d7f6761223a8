/* Spans of text (lib/span.h), and what only the server asks of them. */
#ifndef TH_BASE_SPAN_H
#define TH_BASE_SPAN_H
#include "lib/span.h"

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
#endif
