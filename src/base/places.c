/* Counted places of several threads: places.h says what for.
 *
 * A place is taken by comparing and setting one counter, so the limit is never exceeded. That nobody waits for a place that is free
 * rests on an order: who waits sets its bit and then looks at the counter once more; who gives lowers the counter and then looks at
 * the bits. All of these are sequentially consistent, so one of both sees the other.
 *
 * While a bit of another sharer is set nobody takes a place for himself: the places go round, to the next bit behind the one that was
 * served last. Invariant: where sharers wait, all places are taken, or somebody has just given one back and is about to look at
 * the bits.
 *
 * Refuses: to know what is limited, and to tell anybody anything. Failure: th_places_sit without memory. */
#include "base/places.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/map.h"
#include <pthread.h>

#define PLACES_MAX (1u << 22) /* of a kind */

struct th_place {
    uint64_t key, tenant;
    unsigned kind;
    unsigned seated; /* under the table's lock */
    /* atomic: */
    uint32_t taken, members;
    uint64_t waits; /* a bit for each sharer */
    unsigned last;  /* sharer that was served last */
    int64_t mark;   /* of who has the only place */
    struct th_seat *seat[];
};

struct th_places {
    unsigned sharers;
    uint64_t seed;
    pthread_mutex_t lock;
    struct th_map kind[TH_PLACES_KINDS];
};

struct th_places *th_places_new(unsigned sharers, uint64_t seed)
{
    struct th_places *all = th_calloc(1, sizeof *all);

    TH_CHECK(sharers && sharers <= TH_PLACES_SHARERS);
    if (!all)
        return NULL;
    all->sharers = sharers;
    all->seed = seed;
    (void)pthread_mutex_init(&all->lock, NULL); /* of the default kind: cannot fail */
    for (unsigned i = 0; i < TH_PLACES_KINDS; i++)
        th_map_init(&all->kind[i], PLACES_MAX, seed);
    return all;
}

void th_places_free(struct th_places *all)
{
    uint64_t key;
    void *value;

    if (!all)
        return;
    for (unsigned kind = 0; kind < TH_PLACES_KINDS; kind++) {
        for (size_t i = 0; th_map_next(&all->kind[kind], &i, &key, &value);)
            th_free(value);
        th_map_fini(&all->kind[kind]);
    }
    (void)pthread_mutex_destroy(&all->lock);
    th_free(all);
}

uint64_t th_places_seed(const struct th_places *all)
{
    return all->seed;
}

/* ---- seats: under the lock ---- */

static struct th_place *find_or_make(struct th_places *all, unsigned kind, uint64_t key, uint64_t tenant)
{
    struct th_place *p = th_map_get(&all->kind[kind], key);

    if (p)
        return p;
    p = th_calloc(1, sizeof *p + all->sharers * sizeof(struct th_seat *));
    if (!p)
        return NULL;
    p->key = key;
    p->tenant = tenant;
    p->kind = kind;
    if (th_map_put(&all->kind[kind], key, p)) {
        th_free(p);
        return NULL;
    }
    return p;
}

enum th_error th_places_sit(struct th_places *all, unsigned sharer, unsigned kind, uint64_t key,
                            uint64_t tenant, struct th_seat *seat)
{
    struct th_place *p;

    TH_CHECK(sharer < all->sharers && kind < TH_PLACES_KINDS && !seat->place);
    (void)pthread_mutex_lock(&all->lock);
    p = find_or_make(all, kind, key, tenant);
    if (p) {
        TH_CHECK(!p->seat[sharer]);
        p->seat[sharer] = seat;
        p->seated++;
    }
    (void)pthread_mutex_unlock(&all->lock);
    *seat = (struct th_seat){.place = p, .sharer = sharer};
    return p ? TH_OK : TH_NOMEM;
}

void th_places_leave(struct th_places *all, struct th_seat *seat)
{
    struct th_place *p = seat->place;

    if (!p)
        return;
    TH_CHECK(!seat->waits);
    (void)pthread_mutex_lock(&all->lock);
    p->seat[seat->sharer] = NULL;
    if (--p->seated == 0) {
        (void)th_map_del(&all->kind[p->kind], p->key);
        th_free(p);
    }
    (void)pthread_mutex_unlock(&all->lock);
    seat->place = NULL;
}

uint32_t th_places_most(struct th_places *all, unsigned kind, uint64_t tenant)
{
    uint32_t most = 0;
    uint64_t key;
    void *value;

    (void)pthread_mutex_lock(&all->lock);
    for (size_t i = 0; th_map_next(&all->kind[kind], &i, &key, &value);) {
        const struct th_place *p = value;
        uint32_t taken = __atomic_load_n(&p->taken, __ATOMIC_RELAXED);
        if (p->tenant == tenant && taken > most)
            most = taken;
    }
    (void)pthread_mutex_unlock(&all->lock);
    return most;
}

/* ---- places ---- */

static uint64_t bit_of(unsigned sharer)
{
    return UINT64_C(1) << sharer;
}

static uint64_t waiting(const struct th_place *p)
{
    return __atomic_load_n(&p->waits, __ATOMIC_SEQ_CST);
}

/* True: the bit was there, and now it is not. */
static bool clear(struct th_place *p, unsigned sharer)
{
    return __atomic_fetch_and(&p->waits, ~bit_of(sharer), __ATOMIC_SEQ_CST) & bit_of(sharer);
}

static bool claim(struct th_place *p, uint32_t max)
{
    uint32_t taken = __atomic_load_n(&p->taken, __ATOMIC_SEQ_CST);

    while (taken < max)
        if (__atomic_compare_exchange_n(&p->taken, &taken, taken + 1, true, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return true;
    return false;
}

bool th_places_take(struct th_seat *seat, uint32_t max)
{
    return !(waiting(seat->place) & ~bit_of(seat->sharer)) && claim(seat->place, max);
}

bool th_places_take_or_wait(struct th_seat *seat, uint32_t max)
{
    if (th_places_take(seat, max))
        return true;
    if (!seat->waits) {
        seat->waits = true;
        (void)__atomic_fetch_or(&seat->place->waits, bit_of(seat->sharer), __ATOMIC_SEQ_CST);
    }
    return th_places_take(seat, max);
}

void th_places_force(struct th_seat *seat, uint32_t n)
{
    (void)__atomic_fetch_add(&seat->place->taken, n, __ATOMIC_SEQ_CST);
}

void th_places_give(struct th_seat *seat, uint32_t n)
{
    uint32_t before = __atomic_fetch_sub(&seat->place->taken, n, __ATOMIC_SEQ_CST);

    TH_CHECK(before >= n);
}

/* The sharer behind the one that was served last. */
static unsigned behind(uint64_t waits, unsigned last)
{
    uint64_t later = last + 1 < TH_PLACES_SHARERS ? waits >> (last + 1) : 0;

    return later ? last + 1 + (unsigned)__builtin_ctzll(later) : (unsigned)__builtin_ctzll(waits);
}

struct th_seat *th_places_next(struct th_seat *seat, uint32_t max)
{
    struct th_place *p = seat->place;
    uint64_t waits;

    while (waiting(p) & ~bit_of(seat->sharer)) {
        if (!claim(p, max))
            return NULL;
        while ((waits = waiting(p))) {
            unsigned sharer = behind(waits, __atomic_load_n(&p->last, __ATOMIC_RELAXED));
            if (!clear(p, sharer))
                continue;
            __atomic_store_n(&p->last, sharer, __ATOMIC_RELAXED);
            return p->seat[sharer];
        }
        th_places_give(seat, 1); /* nobody waits any more; somebody may since */
    }
    return NULL;
}

void th_places_arrived(struct th_seat *seat)
{
    TH_CHECK(seat->waits);
    seat->waits = false;
}

void th_places_wait_no_more(struct th_seat *seat)
{
    if (seat->waits && clear(seat->place, seat->sharer))
        seat->waits = false;
}

/* ---- members, mark ---- */

void th_places_join(struct th_seat *seat, uint32_t n)
{
    (void)__atomic_fetch_add(&seat->place->members, n, __ATOMIC_SEQ_CST);
}

uint32_t th_places_part(struct th_seat *seat, uint32_t n)
{
    return __atomic_sub_fetch(&seat->place->members, n, __ATOMIC_SEQ_CST);
}

uint32_t th_places_members(const struct th_seat *seat)
{
    return __atomic_load_n(&seat->place->members, __ATOMIC_SEQ_CST);
}

int64_t *th_places_mark(const struct th_seat *seat)
{
    return &seat->place->mark;
}
