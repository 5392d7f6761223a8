/* When the owner of an endpoint should hear that it is not well, before anything is disabled: by the share of first attempts that
 * fail, by silence, and by how near a rule is that would disable it. Pure. */
#ifndef TH_CORE_TROUBLE_H
#define TH_CORE_TROUBLE_H
#include "core/retry.h"

#define TH_TROUBLE_HALF_US (INT64_C(1800) * 1000000) /* two of these are the window */
#define TH_TROUBLE_LEAST 10 /* first attempts in the window, below which their share says nothing */
#define TH_TROUBLE_QUIET_US (INT64_C(300) * 1000000)

enum { TH_TROUBLE_RATE = 1, TH_TROUBLE_SILENT = 2, TH_TROUBLE_DISABLING = 4 };

struct th_trouble {
    int64_t half_us; /* when the present half of the window began; steady time */
    uint32_t first[2],
        fail[2];       /* first attempts, and those of them that failed: of this half, of the one before */
    int64_t silent_us; /* the last attempt without an answer */
    uint8_t told;      /* TH_TROUBLE_*: what is the matter, and has been said */
};

/** A first attempt has ended. */
void th_trouble_first(struct th_trouble *t, bool delivered, struct th_mono now);
/** The first attempts of the window: the half hour that goes on, and the one before. */
void th_trouble_window(const struct th_trouble *t, struct th_mono now, uint32_t *first, uint32_t *fail);
/** Judges after the end of an attempt. silent: the breaker is open. Returns what is the matter now and was not before, as bits; each
 * is returned once until th_trouble_over. */
unsigned th_trouble_new(struct th_trouble *t, const struct th_rules *rules, const struct th_health *health,
                        bool silent, struct th_wall at, struct th_mono now);
/** After a delivery: true, once, when something was told and nothing is the matter any more. The share has to fall to a fifth, and
 * there was no silence for five minutes: what comes and goes is told once. */
bool th_trouble_over(struct th_trouble *t, const struct th_health *health, struct th_mono now);
/** When the endpoint will be disabled if it goes on failing; wall ms, 0: no rule of time does that. */
int64_t th_trouble_disable_at(const struct th_rules *rules, const struct th_health *health);

/** Silence everywhere is our own fault, or the network's: nobody has answered since so many endpoints did not. */
#define TH_BLACKOUT_ENDPOINTS 3
struct th_blackout {
    uint64_t silent[TH_BLACKOUT_ENDPOINTS];
    unsigned count;
};
/** Somebody has answered. */
static inline void th_blackout_answered(struct th_blackout *b)
{
    b->count = 0;
}
/** An attempt had no answer. True: it says nothing of its endpoint. */
bool th_trouble_blackout(struct th_blackout *b, uint64_t endpoint);
#endif
