/* The numbers that a dialect fixes about time and outcome, as plain values: what retry, disabling and the scheduler need
 * to know. Filled by the dialect compiler. */
#ifndef TH_CORE_RULES_H
#define TH_CORE_RULES_H
#include <stdbool.h>
#include <stdint.h>

#define TH_MAX_DELAYS 32
#define TH_MAX_RANGES 16

struct th_status_range {
    uint16_t lo, hi;
};
struct th_status_set { /* e.g. 2xx, 410, 400-499 */
    struct th_status_range range[TH_MAX_RANGES];
    uint8_t count;
};
static inline bool th_status_in(const struct th_status_set *set, unsigned status)
{
    for (unsigned i = 0; i < set->count; i++)
        if (status >= set->range[i].lo && status <= set->range[i].hi)
            return true;
    return false;
}

/* What an endpoint sets of its schedule itself (core/retry_own.h); what it does not set is the dialect's. */
struct th_retry_own {
    uint32_t delay_s[TH_MAX_DELAYS];
    uint8_t delays, jitter_percent;
    bool has_delays, has_jitter, has_final;
    enum th_retry_respect { TH_RETRY_AFTER_BY_DIALECT, TH_RETRY_AFTER_YES, TH_RETRY_AFTER_NO } respect;
    struct th_status_set final;
};

struct th_rules {
    uint32_t delay_s[TH_MAX_DELAYS];              /* after the failure of attempt 1, 2, ... */
    uint8_t delays;                               /* attempts = delays + 1 */
    uint8_t jitter_percent;                       /* 0..100 of the delay, added, never negative */
    struct th_status_set success, final, disable; /* disable: ends the delivery and disables the endpoint */
    /* answers whose Retry-After is honoured; it lengthens, never shortens */
    struct th_status_set retry_after;
    uint32_t retry_after_max_s;
    /* what an endpoint's own schedule may have: delays, and seconds of them together; 0: it may have none */
    uint8_t own_delays;
    uint32_t own_s;
    uint8_t degraded_after; /* delivery is marked degraded after this attempt; 0: never */
    /* exhausted deliveries in a row with no success since their first attempt; 0: never */
    uint32_t disable_after_exhausted;
    uint32_t disable_after_s; /* seconds of nothing but failures; 0: never */
    bool drop_while_disabled; /* else held */
    uint32_t timeout_s, timeout_min_s, timeout_max_s, connect_timeout_s;
    bool timeout_fractions; /* an endpoint may ask for parts of a second */
};
#endif
