/* The share of first attempts, silence and nearness to a rule, with what has been said of them.
 *
 * Why first attempts: a delivery that is tried ten times would count its one fault ten times, and an endpoint with a long schedule
 * would look worse than one with a short one. The window moves by halves, so it covers 30 to 60 minutes and costs two pairs of
 * numbers. Nothing here can fail. */
#include "core/trouble.h"

static void turn(struct th_trouble *t, struct th_mono now)
{
    int64_t gone_us = now.us - t->half_us;

    if (t->half_us && gone_us < TH_TROUBLE_HALF_US)
        return;
    t->first[1] = t->half_us && gone_us < 2 * TH_TROUBLE_HALF_US ? t->first[0] : 0;
    t->fail[1] = t->half_us && gone_us < 2 * TH_TROUBLE_HALF_US ? t->fail[0] : 0;
    t->first[0] = t->fail[0] = 0;
    t->half_us = now.us ? now.us : 1;
}

void th_trouble_first(struct th_trouble *t, bool delivered, struct th_mono now)
{
    turn(t, now);
    t->first[0]++;
    t->fail[0] += !delivered;
}

void th_trouble_window(const struct th_trouble *t, struct th_mono now, uint32_t *first, uint32_t *fail)
{
    struct th_trouble copy = *t;

    turn(&copy, now);
    *first = copy.first[0] + copy.first[1];
    *fail = copy.fail[0] + copy.fail[1];
}

int64_t th_trouble_disable_at(const struct th_rules *rules, const struct th_health *health)
{
    return rules->disable_after_s && health->first_fail
               ? health->first_fail + (int64_t)rules->disable_after_s * 1000
               : 0;
}

/* Half of the way to a rule that disables. */
static bool is_near(const struct th_rules *rules, const struct th_health *health, struct th_wall at)
{
    int64_t when = th_trouble_disable_at(rules, health);

    return (when && at.ms - health->first_fail >= (when - health->first_fail) / 2) ||
           (rules->disable_after_exhausted > 1 &&
            2 * health->exhausted_run >= (int64_t)rules->disable_after_exhausted);
}

unsigned th_trouble_new(struct th_trouble *t, const struct th_rules *rules, const struct th_health *health,
                        bool silent, struct th_wall at, struct th_mono now)
{
    uint32_t first, fail;
    unsigned is = 0, new;

    th_trouble_window(t, now, &first, &fail);
    if (first >= TH_TROUBLE_LEAST && 2 * (uint64_t)fail >= first)
        is |= TH_TROUBLE_RATE;
    if (silent)
        is |= TH_TROUBLE_SILENT;
    if (is_near(rules, health, at))
        is |= TH_TROUBLE_DISABLING;
    new = is & ~(unsigned)t->told;
    t->told |= (uint8_t) new;
    return new;
}

bool th_trouble_over(struct th_trouble *t, const struct th_health *health, struct th_mono now)
{
    uint32_t first, fail;

    if (!t->told || health->first_fail || health->exhausted_run)
        return false;
    th_trouble_window(t, now, &first, &fail);
    if ((t->told & TH_TROUBLE_RATE && 5 * (uint64_t)fail > first) ||
        (t->silent_us && now.us - t->silent_us < TH_TROUBLE_QUIET_US))
        return false;
    t->told = 0;
    return true;
}

bool th_trouble_blackout(struct th_blackout *b, uint64_t endpoint)
{
    for (unsigned i = 0; i < b->count; i++)
        if (b->silent[i] == endpoint)
            return b->count == TH_BLACKOUT_ENDPOINTS;
    if (b->count == TH_BLACKOUT_ENDPOINTS)
        return true;
    b->silent[b->count++] = endpoint;
    return b->count == TH_BLACKOUT_ENDPOINTS;
}
