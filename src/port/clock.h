/* Time and randomness as the engine sees them. Whoever drives the engine provides them; the engine reads the clock once a turn
 * and at each call from outside (API, transport, resolver). core never reads it. */
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
    /* Never fails; cryptographic in the product, seeded in simulation. */
    void (*fill)(void *ctx, void *p, size_t n);
    void *ctx;
};
#endif
