/* The bucket holds no tokens: it holds the moment up to which the allowance is spent. Taking one moves that
 * moment by one interval; the bucket is empty while it lies more than the tolerance ahead of now. Invariants:
 * the interval is rounded up, so the rate is never exceeded; an idle bucket gathers at most one burst. */
#include "core/bucket.h"

#define MAX_INTERVAL_NS 1e15

void th_bucket_rate(struct th_bucket *b, double rate_per_s)
{
    double interval, burst;

    b->interval_ns = b->tolerance_ns = 0;
    if (!(rate_per_s > 0) || rate_per_s > 1e9)
        return;
    interval = 1e9 / rate_per_s;
    if (interval > MAX_INTERVAL_NS)
        interval = MAX_INTERVAL_NS;
    b->interval_ns = (int64_t)interval;
    if ((double)b->interval_ns < interval)
        b->interval_ns++;
    burst = rate_per_s < 1 ? 1 : rate_per_s;
    b->tolerance_ns = (int64_t)((burst - 1) * (double)b->interval_ns);
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
