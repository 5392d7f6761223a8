/* What the end of an attempt means: delivered, again after a delay, or the end.
 *
 * Why a file of its own: these few lines decide when customers are called and when an endpoint is switched
 * off; they are pure, so the whole schedule of a dialect can be run through in microseconds. Refuses: to read
 * a clock, to draw randomness, to know a dialect's name.
 *
 * Invariants:
 *  1. A delay is never shorter than the dialect's: jitter and Retry-After only lengthen it.
 *  2. After attempt `delays + 1` of a round there is no further one, whatever the answer was.
 *  3. Facts change only with the end of an attempt, and a success clears every run of failures. An answer that
 *     is final for its delivery alone changes none: it says nothing of the endpoint.
 *
 * Nothing here can fail. */
#include "core/retry.h"

static bool retry_after_counts(const struct th_rules *rules, enum th_http_class class, unsigned status)
{
    return class == TH_HTTP_OK && th_status_in(&rules->retry_after, status);
}

static int64_t delay_of(const struct th_rules *rules, unsigned tries, uint32_t rnd)
{
    int64_t delay_ms = (int64_t)rules->delay_s[tries] * 1000;
    int64_t span_ms = delay_ms * rules->jitter_percent / 100;

    /* span < 2^42 ms: multiplied by 32 bits in two halves, so that nothing overflows */
    return delay_ms + (span_ms >> 16) * (int64_t)rnd / ((int64_t)1 << 16) +
           (int64_t)((uint64_t)(span_ms & 0xffff) * rnd >> 32);
}

int64_t th_retry_rest_ms(const struct th_rules *rules, enum th_http_class class, unsigned status,
                         uint32_t retry_after_s)
{
    if (retry_after_s == UINT32_MAX || !retry_after_counts(rules, class, status))
        return 0;
    return (int64_t)(retry_after_s < rules->retry_after_max_s ? retry_after_s : rules->retry_after_max_s) *
           1000;
}

int64_t th_retry_delay_ms(const struct th_rules *rules, unsigned tries, uint32_t rnd)
{
    return tries && tries <= rules->delays && tries <= TH_MAX_DELAYS ? delay_of(rules, tries - 1, rnd) : 0;
}

/* An attempt that failed, and whose status says nothing special. */
static struct th_next_step failed(const struct th_rules *rules, enum th_http_class class, unsigned status,
                                  uint32_t retry_after_s, unsigned tries, uint32_t rnd)
{
    struct th_next_step step = {.verdict = TH_V_EXHAUSTED};
    int64_t asked_ms = th_retry_rest_ms(rules, class, status, retry_after_s);

    if (tries >= rules->delays || tries >= TH_MAX_DELAYS)
        return step;
    step.verdict = TH_V_AGAIN;
    step.delay_ms = delay_of(rules, tries, rnd);
    if (asked_ms > step.delay_ms)
        step.delay_ms = asked_ms;
    return step;
}

struct th_next_step th_retry_step(const struct th_rules *rules, enum th_http_class class, unsigned status,
                                  uint32_t retry_after_s, unsigned tries, uint32_t rnd, bool once)
{
    bool answered = class == TH_HTTP_OK;
    struct th_next_step step;

    if (answered && th_status_in(&rules->success, status))
        return (struct th_next_step){.verdict = TH_V_DELIVERED};
    if (once)
        return (struct th_next_step){.verdict = TH_V_EXHAUSTED};
    if (answered && th_status_in(&rules->disable, status))
        step = (struct th_next_step){.verdict = TH_V_GONE};
    else if (answered && th_status_in(&rules->final, status))
        step = (struct th_next_step){.verdict = TH_V_FINAL};
    else
        step = failed(rules, class, status, retry_after_s, tries, rnd);
    step.degraded = rules->degraded_after && tries + 1 == rules->degraded_after;
    return step;
}

enum th_disable th_health_check(const struct th_rules *rules, const struct th_health *health)
{
    if (rules->disable_after_exhausted && health->exhausted_run >= (int64_t)rules->disable_after_exhausted)
        return TH_DISABLE_EXHAUSTED;
    return TH_KEEP;
}

static void note_failure(struct th_health *health, enum th_verdict verdict, struct th_wall at,
                         struct th_wall delivery_first_attempt)
{
    /* Attempts of one endpoint overlap. A failure that ended before the last success belongs to the run that
     * this success has ended. */
    if (!health->first_fail && at.ms >= health->last_ok)
        health->first_fail = at.ms;
    /* Never counted across concurrent deliveries: a success since this one's first attempt shows a living
     * endpoint. */
    if (verdict == TH_V_EXHAUSTED && (!health->last_ok || health->last_ok < delivery_first_attempt.ms))
        health->exhausted_run++;
}

enum th_disable th_health_apply(const struct th_rules *rules, struct th_health *health,
                                enum th_verdict verdict, struct th_wall at,
                                struct th_wall delivery_first_attempt)
{
    enum th_disable why;

    if (verdict == TH_V_DELIVERED) {
        if (at.ms > health->last_ok)
            health->last_ok = at.ms;
        health->first_fail = health->exhausted_run = 0;
        return TH_KEEP;
    }
    if (verdict == TH_V_FINAL) /* "this event never, others yes": no failure of the endpoint */
        return TH_KEEP;
    note_failure(health, verdict, at, delivery_first_attempt);
    if (verdict == TH_V_GONE)
        return TH_DISABLE_GONE;
    why = verdict == TH_V_EXHAUSTED ? th_health_check(rules, health) : TH_KEEP;
    if (why != TH_KEEP)
        return why;
    if (rules->disable_after_s && health->first_fail && health->first_fail <= at.ms &&
        at.ms - health->first_fail >= (int64_t)rules->disable_after_s * 1000)
        return TH_DISABLE_FAILING;
    return TH_KEEP;
}

const char *th_disable_name(enum th_disable d)
{
    switch (d) {
    case TH_DISABLE_EXHAUSTED:
        return "exhausted";
    case TH_DISABLE_FAILING:
        return "failing";
    case TH_DISABLE_GONE:
        return "gone";
    case TH_KEEP:
        break;
    }
    return "";
}
