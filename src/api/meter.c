/* A table of token buckets: a name is looked for in one set of eight, so finding and forgetting cost the same whatever
 * the number of names, and a flood of them takes no memory. A name that is not in the table has a full
 * bucket, and so has an idle one; therefore the bucket nearest to full is forgotten first, because it matters
 * least.
 *
 * LIMIT: if more than eight names of one set have all spent tokens within a second, the one nearest to full
 * gets its tokens back. With 32,768 slots that takes tens of thousands of names at work in the same second.
 *
 * All threads that take requests share the table, so that a rate is one rate. Each call holds the lock for a look at one set; without
 * a rate none is taken.
 *
 * Invariants: a table is there exactly when there is a rate; per name one number is kept, the moment up to which its
 * allowance is spent, so a new rate holds at once for all. Failure: without memory the old rate stays. */
#include "api/meter.h"
#include "base/alloc.h"
#include "base/map.h"
#include "base/metric.h"
#include "base/time.h"
#include "core/bucket.h"
#include <stdatomic.h>

enum { SETS = 4096, WAYS = 8 };

struct th_api_meter_slot {
    uint64_t name;
    int64_t spent_ns;
};

void th_api_meter_init(struct th_api_meter *m, uint64_t seed)
{
    *m = (struct th_api_meter){.seed = seed};
    (void)pthread_mutex_init(&m->lock, NULL); /* a mutex of the default kind: this cannot fail */
}

uint32_t th_api_meter_per_second(const struct th_api_meter *m)
{
    return atomic_load_explicit(&m->per_second, memory_order_relaxed);
}

static bool set_rate(struct th_api_meter *m, uint32_t per_second)
{
    if (per_second && !m->slots) {
        m->slots = th_calloc(SETS * WAYS, sizeof *m->slots);
        if (!m->slots)
            return false;
    }
    if (!per_second) {
        th_free(m->slots);
        m->slots = NULL;
    }
    th_bucket_rate(&m->rate, per_second);
    atomic_store_explicit(&m->per_second, per_second, memory_order_relaxed);
    return true;
}

bool th_api_meter_rate(struct th_api_meter *m, uint32_t per_second)
{
    bool done;

    (void)pthread_mutex_lock(&m->lock);
    done = set_rate(m, per_second);
    (void)pthread_mutex_unlock(&m->lock);
    return done;
}

void th_api_meter_fini(struct th_api_meter *m)
{
    th_free(m->slots);
    m->slots = NULL;
    (void)pthread_mutex_destroy(&m->lock);
}

/* The slot of the name, or the one that it would take. */
static struct th_api_meter_slot *slot_of(const struct th_api_meter *m, uint64_t name)
{
    uint64_t hash = th_hash(th_span((const char *)&name, sizeof name), m->seed);
    struct th_api_meter_slot *set = m->slots + hash % SETS * WAYS, *fullest = set;

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].name == name)
            return &set[i];
        if (set[i].spent_ns < fullest->spent_ns)
            fullest = &set[i];
    }
    return fullest;
}

static struct th_bucket bucket_of(const struct th_api_meter *m, uint64_t name,
                                  struct th_api_meter_slot **slot)
{
    struct th_bucket b = m->rate;

    *slot = slot_of(m, name);
    b.spent_ns = (*slot)->name == name ? (*slot)->spent_ns : 0;
    return b;
}

static int64_t wait_us(const struct th_bucket *b, struct th_mono now)
{
    int64_t ready_us = th_bucket_ready_us(b);

    return ready_us > now.us ? ready_us - now.us : 0;
}

/* The lock is taken, and there is a table; false: there is no rate, and no lock. */
static bool begin(struct th_api_meter *m)
{
    if (!th_api_meter_per_second(m))
        return false;
    (void)pthread_mutex_lock(&m->lock);
    if (m->slots)
        return true;
    (void)pthread_mutex_unlock(&m->lock);
    return false;
}

int64_t th_api_meter_take(struct th_api_meter *m, uint64_t name, struct th_mono now)
{
    struct th_api_meter_slot *slot;
    struct th_bucket b;
    int64_t us;

    if (!begin(m))
        return 0;
    b = bucket_of(m, name, &slot);
    us = wait_us(&b, now);
    if (!us) {
        th_bucket_take(&b, now);
        *slot = (struct th_api_meter_slot){name, b.spent_ns};
    }
    (void)pthread_mutex_unlock(&m->lock);
    return us;
}

int64_t th_api_meter_wait(struct th_api_meter *m, uint64_t name, struct th_mono now)
{
    struct th_api_meter_slot *slot;
    struct th_bucket b;

    if (!begin(m))
        return 0;
    b = bucket_of(m, name, &slot);
    (void)pthread_mutex_unlock(&m->lock);
    return wait_us(&b, now);
}

uint32_t th_api_meter_left(struct th_api_meter *m, uint64_t name, struct th_mono now, int64_t *full_us)
{
    struct th_api_meter_slot *slot;
    struct th_bucket b;

    *full_us = 0;
    if (!begin(m))
        return 0;
    b = bucket_of(m, name, &slot);
    (void)pthread_mutex_unlock(&m->lock);
    if (b.spent_ns / 1000 > now.us)
        *full_us = b.spent_ns / 1000 - now.us;
    return (uint32_t)th_bucket_left(&b, now);
}
