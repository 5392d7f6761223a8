/* A token bucket as one number: the moment up to which the allowance is spent (GCRA). Integers only, so that
 * years of virtual time do not drift. */
#ifndef TH_CORE_BUCKET_H
#define TH_CORE_BUCKET_H
#include "base/time.h"
#include <stdbool.h>

struct th_bucket {
    int64_t interval_ns;  /* between two tokens; 0: no limit */
    int64_t tolerance_ns; /* what a full bucket may run ahead: burst - 1 intervals */
    int64_t spent_ns;     /* everything before this moment is used up */
};

/** Sets the rate in tokens per second (burst: one second's worth, at least one token); keeps what is spent.
 * Not positive, or more than 10^9: no limit. Rates below one token in 11 days are taken as that. */
void th_bucket_rate(struct th_bucket *b, double rate_per_s);
/** Sets a pace: never more tokens than the rate in any second, wherever that second begins (of a fraction, never more than
 * the next whole number). Tokens come evenly; from 50 a second on, those of a fiftieth of a second may come at once, and are
 * taken off the rate. */
void th_bucket_pace(struct th_bucket *b, double rate_per_s);
/** As if everything had been taken just now: the next token comes after one interval, at most after a second. */
void th_bucket_spend(struct th_bucket *b, struct th_mono now);
/** The moment at which a token is there; it is not after `now` when one is there already. */
int64_t th_bucket_ready_us(const struct th_bucket *b);
/** Tokens that are there now; at most one burst. Only with a limit. */
int64_t th_bucket_left(const struct th_bucket *b, struct th_mono now);
/** Takes a token; call only when one is there. */
void th_bucket_take(struct th_bucket *b, struct th_mono now);
#endif
