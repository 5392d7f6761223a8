/* The limits of tenants, one row each: names in the API, in the configuration and in messages come from here.
 *
 * 0 means no limit. A tenant may have limits of its own; for those that it does not set, the installation's hold. */
#ifndef TH_CORE_LIMITS_H
#define TH_CORE_LIMITS_H
#include <stdint.h>

/* X(id, name, highest, what is counted) */
#define TH_LIMITS(X)                                                                                         \
    X(ENDPOINTS, "endpoints", 1000000, "endpoints")                                                          \
    X(HEADER_BYTES, "header_bytes", 131072, "bytes of an endpoint's headers")                                \
    X(KEYS, "keys", 1000000, "keys")                                                                         \
    X(REPLAYS, "replays", 1000, "replays at work")                                                           \
    X(STORED_BYTES, "stored_bytes", 1000000000000000, "bytes stored")                                        \
    X(UNFINISHED, "unfinished_deliveries", 1000000000, "deliveries that have not ended")                     \
    X(HOST_REQUESTS, "host_requests", 65536, "requests under way to one host")                               \
    X(HOST_RATE, "host_requests_per_second", 1000000, "requests a second to one host")                       \
    X(ADDRESS_REQUESTS, "address_requests", 65536, "requests under way to one address")

enum th_limit {
#define X(id, ...) TH_L_##id,
    TH_LIMITS(X)
#undef X
        TH_L_COUNT
};

#define TH_LIMIT_UNKNOWN (-1) /* as a used amount: it is not counted */
#define TH_LIMIT_OPEN (-1)    /* as a tenant's limit: the installation's holds */

struct th_limits {
    int64_t v[TH_L_COUNT];
};

static inline const char *th_limit_name(enum th_limit id)
{
    static const char *const names[] = {
#define X(id, name, ...) name,
        TH_LIMITS(X)
#undef X
    };
    return names[id];
}

static inline const char *th_limit_what(enum th_limit id)
{
    static const char *const what[] = {
#define X(id, name, highest, what) what,
        TH_LIMITS(X)
#undef X
    };
    return what[id];
}

static inline int64_t th_limit_highest(enum th_limit id)
{
    static const int64_t highest[] = {
#define X(id, name, highest, what) highest,
        TH_LIMITS(X)
#undef X
    };
    return highest[id];
}
#endif
