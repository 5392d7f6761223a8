/* Time and randomness as the engine sees them: given by whoever drives it: read once a turn, and at each call
 * from outside (API, transport, resolver), never by core. */
#ifndef TH_PORT_CLOCK_H
#define TH_PORT_CLOCK_H
#include "base/time.h"

struct th_now {
    struct th_mono mono;
    struct th_wall wall;
};
struct th_clock {
    struct th_now (*now)(void *ctx); /* cheap; monotonic part never steps back */
    void *ctx;
};
struct th_entropy {
    void (*fill)(void *ctx, void *p,
                 size_t n); /* never fails; cryptographic in the product, seeded in simulation */
    void *ctx;
};
#endif
