/* The bucket holds no tokens: it holds the moment up to which the allowance is spent. Taking one moves that
 * moment by one interval; the bucket is empty while it lies more than the tolerance ahead of now. Invariants:
 * the interval is rounded up, so the rate is never exceeded; an idle bucket gathers at most one burst. */
#include "core/bucket.h"

#define MAX_INTERVAL_NS 1e15
#define PACE_PARTS 50 /* of a second: what belongs to one may come at once */

static bool has_limit(double rate_per_s)
{
    return rate_per_s > 0 && rate_per_s <= 1e9;
}

/* burst: at least 1 */
static void set(struct th_bucket *b, double rate_per_s, double burst)
{
    double interval = 1e9 / rate_per_s;

    if (interval > MAX_INTERVAL_NS)
        interval = MAX_INTERVAL_NS;
    b->interval_ns = (int64_t)interval;
    if ((double)b->interval_ns < interval)
        b->interval_ns++;
    b->tolerance_ns = (int64_t)((burst - 1) * (double)b->interval_ns);
}

void th_bucket_rate(struct th_bucket *b, double rate_per_s)
{
    b->interval_ns = b->tolerance_ns = 0;
    if (has_limit(rate_per_s))
        set(b, rate_per_s, rate_per_s < 1 ? 1 : rate_per_s);
}

/* Of a bucket that gives `burst` at once and then `rate`, the fullest second has burst - 1 + rate, rounded up: so what is
 * given at once is taken off the rate. Giving a few at once is for those who call late: a timer has milliseconds. */
void th_bucket_pace(struct th_bucket *b, double rate_per_s)
{
    double burst;

    b->interval_ns = b->tolerance_ns = 0;
    if (!has_limit(rate_per_s))
        return;
    burst = 1 + (double)(int64_t)(rate_per_s / PACE_PARTS);
    set(b, rate_per_s - (burst - 1), burst);
}

void th_bucket_spend(struct th_bucket *b, struct th_mono now)
{
    int64_t wait_ns = b->interval_ns < 1000000000 ? b->interval_ns : 1000000000;

    b->spent_ns = now.us * 1000 + b->tolerance_ns + wait_ns;
}

int64_t th_bucket_ready_us(const struct th_bucket *b)
{
    int64_t ns = b->spent_ns - b->tolerance_ns;

    if (!b->interval_ns || ns <= 0)
        return 0;
    return ns / 1000 + (ns % 1000 != 0);
}

int64_t th_bucket_left(const struct th_bucket *b, struct th_mono now)
{
    int64_t ahead_ns = b->spent_ns - now.us * 1000;

    if (ahead_ns > b->tolerance_ns)
        return 0;
    return (b->tolerance_ns - (ahead_ns > 0 ? ahead_ns : 0)) / b->interval_ns + 1;
}

void th_bucket_take(struct th_bucket *b, struct th_mono now)
{
    int64_t now_ns = now.us * 1000;

    if (!b->interval_ns)
        return;
    b->spent_ns = (b->spent_ns > now_ns ? b->spent_ns : now_ns) + b->interval_ns;
}
