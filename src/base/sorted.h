/* Arrays of numbers in ascending order. */
#ifndef TH_BASE_SORTED_H
#define TH_BASE_SORTED_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Sorts n numbers. */
void th_sorted_make(uint64_t *v, size_t n);
/** Sorts numbers and keeps each once; how many are left. */
uint32_t th_sorted_distinct(uint64_t *v, uint32_t count);

/** Where the number is, or where it would be. False: the array does not have it. */
static inline bool th_sorted_find(const uint64_t *v, uint32_t count, uint64_t no, uint32_t *at)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (v[mid] < no)
            low = mid + 1;
        else
            high = mid;
    }
    *at = low;
    return low < count && v[low] == no;
}

/** Whether the array has the number. */
static inline bool th_sorted_has(const uint64_t *v, uint32_t count, uint64_t no)
{
    uint32_t at;

    return th_sorted_find(v, count, no, &at);
}
#endif
