/* Whether an endpoint shows any sign of life: the breaker, which is about silence alone. */
#ifndef TH_CORE_BREAKER_H
#define TH_CORE_BREAKER_H
#include "base/time.h"

/* Rounds of silence that open the breaker. */
#define TH_BREAKER_ROUNDS 3

struct th_breaker {
    uint32_t silent;      /* requests in a row that ended without an answer */
    uint8_t rounds;       /* of these: each began after the one that was counted before it had ended */
    bool open;            /* nobody answers there: the endpoint has rank DEAD */
    int64_t round_end_us; /* when the request that was counted last ended */
};

void th_breaker_init(struct th_breaker *b);
/** Something answered, whatever it said and however long it took. */
void th_breaker_answered(struct th_breaker *b);
/** A request that began at `began` has ended at `now` without an answer. */
void th_breaker_silent(struct th_breaker *b, struct th_mono began, struct th_mono now);
#endif
