/* Sorting numbers. */
#include "base/sorted.h"
#include <stdlib.h>

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

void th_sorted_make(uint64_t *v, size_t n)
{
    if (n > 1)
        qsort(v, n, sizeof *v, by_number);
}

uint32_t th_sorted_distinct(uint64_t *v, uint32_t count)
{
    uint32_t kept = 0;

    th_sorted_make(v, count);
    for (uint32_t i = 0; i < count; i++)
        if (!kept || v[kept - 1] != v[i])
            v[kept++] = v[i];
    return kept;
}
