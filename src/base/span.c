/* What reads text by pieces: the one strict decimal reader for lengths, ports, limits and ids, and lists with a
 * separator. */
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

bool th_span_u64(struct th_span s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (s.n == 0 || s.n > 19)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(s.p[i] - '0');
    }
    if (value > max)
        return false;
    *out = value;
    return true;
}
