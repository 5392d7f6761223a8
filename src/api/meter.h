/* Token buckets of one rate for many names (keys, tenants, addresses), for all threads of the process. Private to api/. */
#ifndef TH_API_METER_H
#define TH_API_METER_H
#include "core/bucket.h"
#include <pthread.h>

struct th_api_meter_slot;

struct th_api_meter {
    uint64_t seed;
    _Atomic uint32_t per_second; /* 0: no limit, and no table */
    pthread_mutex_t lock;        /* guards what follows */
    struct th_bucket rate;       /* the rate as a bucket; what is spent is kept in the slots */
    struct th_api_meter_slot *slots;
};

/** Makes a meter without a rate. Every function below except th_api_meter_fini may be called by any thread. */
void th_api_meter_init(struct th_api_meter *m, uint64_t seed);
/** Sets the rate; what has been spent stays spent. False: no memory, nothing has changed. */
TH_MUST_USE bool th_api_meter_rate(struct th_api_meter *m, uint32_t per_second);
/** The rate; 0: no limit. */
uint32_t th_api_meter_per_second(const struct th_api_meter *m);
/** Takes a token of this name and returns 0, or returns the microseconds until there is one. */
int64_t th_api_meter_take(struct th_api_meter *m, uint64_t name, struct th_mono now);
/** Returns the microseconds until there is a token; 0: there is one. Takes none. */
int64_t th_api_meter_wait(struct th_api_meter *m, uint64_t name, struct th_mono now);
/** Returns the number of tokens that are there; 0 without a rate. *full_us: microseconds until all are. */
uint32_t th_api_meter_left(struct th_api_meter *m, uint64_t name, struct th_mono now, int64_t *full_us);
void th_api_meter_fini(struct th_api_meter *m);
#endif
