/* Reads text by pieces: lists with a separator. */
#include "base/span.h"

struct th_span th_span_trim(struct th_span s)
{
    while (s.n && (*s.p == ' ' || *s.p == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

struct th_span th_span_cut(struct th_span *rest, char at)
{
    const char *p = rest->n ? memchr(rest->p, at, rest->n) : NULL;
    struct th_span part = *rest;

    if (!p) {
        *rest = th_span("", 0);
        return part;
    }
    part.n = (size_t)(p - rest->p);
    *rest = th_span(p + 1, rest->n - part.n - 1);
    return part;
}
