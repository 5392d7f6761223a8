/* Finding, splitting and choosing texts. Keeps nothing. */
#include "lib/internal.h"

size_t th_lib_find(struct th_span s, struct th_span what)
{
    for (size_t i = 0; what.n <= s.n && i <= s.n - what.n; i++) {
        const char *first = memchr(s.p + i, what.p[0], s.n - what.n - i + 1);

        if (!first)
            break;
        i = (size_t)(first - s.p);
        if (memcmp(first, what.p, what.n) == 0)
            return i;
    }
    return SIZE_MAX;
}

size_t th_lib_find_last(struct th_span s, struct th_span what)
{
    for (size_t i = s.n < what.n ? 0 : s.n - what.n + 1; i-- > 0;)
        if (s.p[i] == what.p[0] && memcmp(s.p + i, what.p, what.n) == 0)
            return i;
    return SIZE_MAX;
}

bool th_lib_split(struct th_span *rest, struct th_span sep, struct th_span *part, bool *more)
{
    size_t at;

    if (!*more)
        return false;
    at = sep.n && rest->n ? th_lib_find(*rest, sep) : SIZE_MAX;
    *more = at != SIZE_MAX;
    if (!*more) {
        *part = *rest;
        return true;
    }
    *part = th_span(rest->p, at);
    *rest = th_span(rest->p + at + sep.n, rest->n - at - sep.n);
    return true;
}

unsigned th_lib_choose(struct th_span text, const char *names)
{
    for (unsigned i = 1; *names; i++, names += strlen(names) + 1)
        if (tenterhook_is(text, names))
            return i;
    return 0;
}
