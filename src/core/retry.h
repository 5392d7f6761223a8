/* Decides what the end of an attempt means, by pure functions of rules, outcome and a random number. */
#ifndef TH_CORE_RETRY_H
#define TH_CORE_RETRY_H
#include "base/time.h"
#include "core/rules.h"
#include "port/transport.h"

enum th_verdict {
    TH_V_DELIVERED,
    TH_V_AGAIN,     /* next attempt after delay_ms */
    TH_V_EXHAUSTED, /* that was the last of the schedule */
    TH_V_FINAL,     /* a status after which there is no retry */
    TH_V_EXPIRED,   /* the next one would be after the event's expires_at; never by the schedule alone */
    TH_V_GONE,      /* final, and the endpoint is disabled at once (410) */
};
struct th_next_step {
    enum th_verdict verdict;
    int64_t delay_ms; /* AGAIN: from the moment of the failure */
    bool degraded;    /* this attempt crossed the dialect's degraded mark */
};
/** tries: attempts of this round before this one (0 for the first). retry_after_s: UINT32_MAX for none. rnd: uniform
 * 32 bits for the jitter. A single-attempt lane (test) passes `once`: a failure is EXHAUSTED. */
struct th_next_step th_retry_step(const struct th_rules *rules, enum th_http_class class, unsigned status,
                                  uint32_t retry_after_s, unsigned tries, uint32_t rnd, bool once);

/** How long the endpoint asks to be left alone, in milliseconds: Retry-After where the dialect honours it, at most as long
 * as the dialect allows; 0: it does not. */
int64_t th_retry_rest_ms(const struct th_rules *rules, enum th_http_class class, unsigned status,
                         uint32_t retry_after_s);
/** The time from the end of an attempt to the next one, by the schedule alone. tries: attempts of this round that have been made (0:
 * it is due at once). rnd: as above; 0 gives the shortest time, UINT32_MAX the longest. */
int64_t th_retry_delay_ms(const struct th_rules *rules, unsigned tries, uint32_t rnd);

/** The health of an endpoint: what the rules for disabling need to know; stored as it is. Times are wall ms,
 * 0: never. */
struct th_health {
    int64_t first_fail; /* of the current run of nothing but failures */
    int64_t last_ok;
    int64_t exhausted_run;
    /* The rest that it asked for with Retry-After; rest_until -1: not known, because it was stored before there was this. */
    int64_t rest_since, rest_until;
};
enum th_disable { TH_KEEP, TH_DISABLE_EXHAUSTED, TH_DISABLE_FAILING, TH_DISABLE_GONE };
/** Updates health with the end of an attempt and says whether the endpoint is to be disabled. delivery_first_attempt:
 * when the first attempt of this delivery began. */
enum th_disable th_health_apply(const struct th_rules *rules, struct th_health *health,
                                enum th_verdict verdict, struct th_wall at,
                                struct th_wall delivery_first_attempt);
/** Judges the stored health alone, when settings are loaded: the process may have died between an exhausted delivery and its
 * consequence. KEEP or DISABLE_EXHAUSTED. Enabling an endpoint again sets its health to zero. */
enum th_disable th_health_check(const struct th_rules *rules, const struct th_health *health);
/** Short reason for the API: "exhausted", "failing", "gone". */
const char *th_disable_name(enum th_disable d);
#endif
