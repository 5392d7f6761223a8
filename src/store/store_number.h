/* Numbers of hot rows: days since 2026-01-01 shifted left by 40, plus a counter. They never fall. */
#ifndef TH_STORE_NUMBER_H
#define TH_STORE_NUMBER_H
#include "base/check.h"
#include "port/store.h"
#include <stdint.h>

/** Day of a number: days since 2026-01-01, clamped to what 53 bits hold. */
static inline uint64_t st_number_day(int64_t wall_ms)
{
    int64_t day = (wall_ms - TH_NUMBERS_FROM_MS) / 86400000;

    if (day < 0)
        return 0;
    return day > 8191 ? 8191 : (uint64_t)day;
}

/** First number of a day. */
static inline uint64_t st_number_start(uint64_t day)
{
    return day << 40 | 1;
}

/** Brings the next number to the day of a time, if that is later. */
static inline void st_number_align(uint64_t *next, int64_t at_ms)
{
    uint64_t start = st_number_start(st_number_day(at_ms));

    if (*next < start)
        *next = start;
}

/** Takes n numbers; returns the first. */
static inline uint64_t st_number_take(uint64_t *next, uint64_t n)
{
    uint64_t first = *next;

    *next += n;
    TH_CHECK(first && *next >> 53 == 0); /* no number is 0, and JSON readers know 53 bits */
    return first;
}
#endif
