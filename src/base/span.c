/* The one strict decimal reader for lengths, ports, limits and ids in text. */
#include "base/span.h"

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
