/* Prometheus text exposition 0.0.4 of every row of the tables in metric.h.
 *
 * Buckets are powers of two from 0.1 ms, so that finding one is a bit scan; those of a turn of the loop are 1, 2 and 5 of
 * each power of ten, because its limit of 10 ms has to be a bound. They are counted apart and made cumulative when read. `_count` is the sum of the buckets read in the same pass, never a separate counter,
 * so a scrape beside running threads always has +Inf equal to the count. Failure sticks in the buffer. */
#include "base/metric.h"
#include <string.h>

#define FIRST_BOUND_US 100

struct row {
    const char *name, *labels, *help;
};
static const struct row counters[] = {
#define X(id, name, labels, help) {name, labels, help},
    TH_COUNTERS(X)
#undef X
};
static const struct row gauges[] = {
#define X(id, name, labels, help) {name, labels, help},
    TH_GAUGES(X)
#undef X
};
static const struct row histograms[] = {
#define X(id, name, help) {name, "", help},
    TH_HISTOGRAMS(X)
#undef X
};

static uint64_t bound_us(enum th_histogram h, unsigned i)
{
    static const unsigned steps[] = {1, 2, 5};
    uint64_t power = 10;

    if (h != TH_H_LOOP_TURN)
        return (uint64_t)FIRST_BOUND_US << i;
    for (unsigned k = i / 3; k; k--)
        power *= 10;
    return power * steps[i % 3];
}

/* Bucket i holds what is above bound i-1 and at most bound i. */
static unsigned bucket_of(enum th_histogram h, uint64_t us)
{
    unsigned i;

    if (h == TH_H_LOOP_TURN) {
        for (i = 0; i < TH_HISTOGRAM_BUCKETS && us > bound_us(h, i); i++)
            ;
        return i;
    }

    if (us <= FIRST_BOUND_US)
        return 0;
    i = 64u - (unsigned)__builtin_clzll((us - 1) / FIRST_BOUND_US);
    return i < TH_HISTOGRAM_BUCKETS ? i : TH_HISTOGRAM_BUCKETS;
}

void th_observe_many(struct th_metrics *m, enum th_histogram h, int64_t us, unsigned n)
{
    uint64_t v = us > 0 ? (uint64_t)us : 0;

    atomic_fetch_add_explicit(&m->histogram[h].bucket[bucket_of(h, v)], n, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->histogram[h].sum_us, v * n, memory_order_relaxed);
}

void th_observe(struct th_metrics *m, enum th_histogram h, int64_t us)
{
    th_observe_many(m, h, us, 1);
}

/* ---- of all threads ---- */

/* How the gauges of several threads make one. */
enum fold {
    ADD,
    LARGEST,
    FIRST, /* the first thread says it for all */
};
static const unsigned char folds[TH_G_COUNT] = {[TH_G_OLDEST_DUE] = LARGEST, [TH_G_STORE_READY] = FIRST};

void th_metrics_join(struct th_metrics *first, struct th_metrics *more)
{
    while (first->next)
        first = first->next;
    first->next = more;
}

static int64_t gauge_of(const struct th_metrics *first, enum th_gauge g)
{
    int64_t all = atomic_load_explicit(&first->gauge[g], memory_order_relaxed);

    for (const struct th_metrics *m = folds[g] == FIRST ? NULL : first->next; m; m = m->next) {
        int64_t one = atomic_load_explicit(&m->gauge[g], memory_order_relaxed);

        all = folds[g] == ADD ? all + one : one > all ? one : all;
    }
    return all;
}

static uint64_t counter_of(const struct th_metrics *m, unsigned c)
{
    uint64_t all = 0;

    for (; m; m = m->next)
        all += atomic_load_explicit(&m->counter[c], memory_order_relaxed);
    return all;
}

static uint64_t bucket_sum(const struct th_metrics *m, enum th_histogram h, unsigned i)
{
    uint64_t all = 0;

    for (; m; m = m->next)
        all += atomic_load_explicit(&m->histogram[h].bucket[i], memory_order_relaxed);
    return all;
}

static uint64_t sum_us(const struct th_metrics *m, enum th_histogram h)
{
    uint64_t all = 0;

    for (; m; m = m->next)
        all += atomic_load_explicit(&m->histogram[h].sum_us, memory_order_relaxed);
    return all;
}

/* ---- text ---- */

/* HELP and TYPE come once, before the first row of a name. */
static void head(struct th_buf *out, const struct row *rows, unsigned i, const char *type)
{
    if (i == 0 || strcmp(rows[i - 1].name, rows[i].name) != 0)
        th_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", rows[i].name, rows[i].help, rows[i].name, type);
}

/* Microseconds as exact seconds without trailing zeros. */
static void seconds(struct th_buf *out, uint64_t us)
{
    char digits[7] = ".000000";
    uint64_t part = us % 1000000;
    size_t n = sizeof digits;

    th_buf_u64(out, us / 1000000);
    if (part == 0)
        return;
    for (size_t i = n; i-- > 1; part /= 10)
        digits[i] = (char)('0' + part % 10);
    while (digits[n - 1] == '0')
        n--;
    th_buf_add(out, digits, n);
}

static void histogram(const struct th_metrics *m, enum th_histogram h, struct th_buf *out)
{
    const char *name = histograms[h].name;
    uint64_t total = 0, sum;

    head(out, histograms, h, "histogram");
    sum = sum_us(m, h);
    for (unsigned i = 0; i <= TH_HISTOGRAM_BUCKETS; i++) {
        total += bucket_sum(m, h, i);
        th_buf_printf(out, "%s_bucket{le=\"", name);
        if (i < TH_HISTOGRAM_BUCKETS)
            seconds(out, bound_us(h, i));
        else
            th_buf_str(out, "+Inf");
        th_buf_str(out, "\"} ");
        th_buf_u64(out, total);
        th_buf_char(out, '\n');
    }
    th_buf_printf(out, "%s_sum ", name);
    seconds(out, sum);
    th_buf_printf(out, "\n%s_count ", name);
    th_buf_u64(out, total);
    th_buf_char(out, '\n');
}

void th_metrics_write(struct th_metrics *first, struct th_buf *out)
{
    for (unsigned i = 0; i < TH_C_COUNT; i++) {
        head(out, counters, i, "counter");
        th_buf_printf(out, "%s%s ", counters[i].name, counters[i].labels);
        th_buf_u64(out, counter_of(first, i));
        th_buf_char(out, '\n');
    }
    for (unsigned i = 0; i < TH_G_COUNT; i++) {
        head(out, gauges, i, "gauge");
        th_buf_printf(out, "%s%s ", gauges[i].name, gauges[i].labels);
        th_buf_i64(out, gauge_of(first, (enum th_gauge)i));
        th_buf_char(out, '\n');
    }
    for (unsigned i = 0; i < TH_H_COUNT; i++)
        histogram(first, (enum th_histogram)i, out);
}
