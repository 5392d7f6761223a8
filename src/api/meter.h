/* Token buckets of one rate for many names (keys, tenants, addresses). Private to api/. */
#ifndef TH_API_METER_H
#define TH_API_METER_H
#include "core/bucket.h"

struct th_api_meter_slot;

struct th_api_meter {
    struct th_bucket rate; /* without what is spent */
    uint32_t per_second;   /* 0: no limit, and no table */
    uint64_t seed;
    struct th_api_meter_slot *slots;
};

/** Sets the rate; what has been spent stays spent. False: no memory, nothing has changed. The meter begins zeroed, with a
 * seed. */
TH_MUST_USE bool th_api_meter_rate(struct th_api_meter *m, uint32_t per_second);
/** Takes a token of this name, and returns 0; or the microseconds until there is one. */
int64_t th_api_meter_take(struct th_api_meter *m, uint64_t name, struct th_mono now);
/** The microseconds until there is a token, which stays; 0: there is one. */
int64_t th_api_meter_wait(const struct th_api_meter *m, uint64_t name, struct th_mono now);
/** Tokens that are there. *full_us: until all are. */
uint32_t th_api_meter_left(const struct th_api_meter *m, uint64_t name, struct th_mono now, int64_t *full_us);
void th_api_meter_fini(struct th_api_meter *m);
#endif
