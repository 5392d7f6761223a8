/* Time and randomness as the engine sees them: sampled once a turn by whoever drives it. */
#ifndef TH_PORT_CLOCK_H
#define TH_PORT_CLOCK_H
#include "base/time.h"

struct th_now {
    struct th_mono mono;
    struct th_wall wall;
};
struct th_entropy {
    void (*fill)(void *ctx, void *p, size_t n); /* never fails; cryptographic in the product, seeded in simulation */
    void *ctx;
};
#endif
