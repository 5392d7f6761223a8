/* Linear probing with tombstones; grows at 3/4 of the slots in use; rebuilds when tombstones pile up. */
#include "base/map.h"
#include "base/alloc.h"

struct th_map_slot {
    uint64_t key;
    void *value; /* NULL: free; TOMB: was removed */
};
struct th_smap_slot {
    struct th_span key;
    uint64_t hash;
    void *value;
};

static char tomb;
#define TOMB ((void *)&tomb)

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

uint64_t th_hash(struct th_span s, uint64_t seed)
{
    uint64_t h = seed ^ (s.n * 0x9e3779b97f4a7c15u), w;
    size_t i = 0;

    for (; i + 8 <= s.n; i += 8) {
        memcpy(&w, s.p + i, 8);
        h = mix(h ^ w) + seed;
    }
    w = 0;
    if (i < s.n)
        memcpy(&w, s.p + i, s.n - i);
    return mix(h ^ w);
}

void th_map_init(struct th_map *m, size_t max, uint64_t seed)
{
    *m = (struct th_map){.max = max, .seed = seed};
}

void th_map_fini(struct th_map *m)
{
    th_free(m->v);
    th_map_init(m, m->max, m->seed);
}

static struct th_map_slot *find(const struct th_map *m, uint64_t key)
{
    size_t i;

    if (!m->cap)
        return NULL;
    for (i = mix(key ^ m->seed) & (m->cap - 1); m->v[i].value; i = (i + 1) & (m->cap - 1))
        if (m->v[i].value != TOMB && m->v[i].key == key)
            return &m->v[i];
    return NULL;
}

void *th_map_get(const struct th_map *m, uint64_t key)
{
    struct th_map_slot *s = find(m, key);

    return s ? s->value : NULL;
}

static enum th_error resize(struct th_map *m)
{
    struct th_map next = *m;
    size_t cap = 16;

    while (cap * 3 / 4 <= (m->n + 1) + m->n / 4)
        cap *= 2;
    next.v = th_calloc(cap, sizeof *next.v);
    if (!next.v)
        return TH_NOMEM;
    next.cap = cap;
    next.used = m->n;
    for (size_t i = 0; i < m->cap; i++) {
        size_t j;
        if (!m->v[i].value || m->v[i].value == TOMB)
            continue;
        for (j = mix(m->v[i].key ^ m->seed) & (cap - 1); next.v[j].value; j = (j + 1) & (cap - 1))
            ;
        next.v[j] = m->v[i];
    }
    th_free(m->v);
    *m = next;
    return TH_OK;
}

enum th_error th_map_put(struct th_map *m, uint64_t key, void *value)
{
    struct th_map_slot *s = find(m, key);
    size_t i;

    if (!value)
        return TH_BUG;
    if (s) {
        s->value = value;
        return TH_OK;
    }
    if (m->n >= m->max)
        return TH_TOO_LARGE;
    if (m->used + 1 > m->cap * 3 / 4 && resize(m))
        return TH_NOMEM;
    for (i = mix(key ^ m->seed) & (m->cap - 1); m->v[i].value && m->v[i].value != TOMB;
         i = (i + 1) & (m->cap - 1))
        ;
    if (!m->v[i].value)
        m->used++;
    m->v[i] = (struct th_map_slot){key, value};
    m->n++;
    return TH_OK;
}

void *th_map_del(struct th_map *m, uint64_t key)
{
    struct th_map_slot *s = find(m, key);
    void *value;

    if (!s)
        return NULL;
    value = s->value;
    s->value = TOMB;
    m->n--;
    return value;
}

bool th_map_next(const struct th_map *m, size_t *i, uint64_t *key, void **value)
{
    for (; *i < m->cap; (*i)++) {
        struct th_map_slot *s = &m->v[*i];
        if (!s->value || s->value == TOMB)
            continue;
        *key = s->key;
        *value = s->value;
        (*i)++;
        return true;
    }
    return false;
}

void th_smap_init(struct th_smap *m, size_t max, uint64_t seed)
{
    *m = (struct th_smap){.max = max, .seed = seed};
}

void th_smap_fini(struct th_smap *m)
{
    th_free(m->v);
    th_smap_init(m, m->max, m->seed);
}

static struct th_smap_slot *sfind(const struct th_smap *m, struct th_span key, uint64_t hash)
{
    size_t i;

    if (!m->cap)
        return NULL;
    for (i = hash & (m->cap - 1); m->v[i].value; i = (i + 1) & (m->cap - 1))
        if (m->v[i].value != TOMB && m->v[i].hash == hash && th_span_eq(m->v[i].key, key))
            return &m->v[i];
    return NULL;
}

void *th_smap_get(const struct th_smap *m, struct th_span key)
{
    struct th_smap_slot *s = sfind(m, key, th_hash(key, m->seed));

    return s ? s->value : NULL;
}

static enum th_error sresize(struct th_smap *m)
{
    struct th_smap next = *m;
    size_t cap = 16;

    while (cap * 3 / 4 <= (m->n + 1) + m->n / 4)
        cap *= 2;
    next.v = th_calloc(cap, sizeof *next.v);
    if (!next.v)
        return TH_NOMEM;
    next.cap = cap;
    next.used = m->n;
    for (size_t i = 0; i < m->cap; i++) {
        size_t j;
        if (!m->v[i].value || m->v[i].value == TOMB)
            continue;
        for (j = m->v[i].hash & (cap - 1); next.v[j].value; j = (j + 1) & (cap - 1))
            ;
        next.v[j] = m->v[i];
    }
    th_free(m->v);
    *m = next;
    return TH_OK;
}

enum th_error th_smap_put(struct th_smap *m, struct th_span key, void *value)
{
    uint64_t hash = th_hash(key, m->seed);
    struct th_smap_slot *s = sfind(m, key, hash);
    size_t i;

    if (!value)
        return TH_BUG;
    if (s) {
        s->key = key;
        s->value = value;
        return TH_OK;
    }
    if (m->n >= m->max)
        return TH_TOO_LARGE;
    if (m->used + 1 > m->cap * 3 / 4 && sresize(m))
        return TH_NOMEM;
    for (i = hash & (m->cap - 1); m->v[i].value && m->v[i].value != TOMB; i = (i + 1) & (m->cap - 1))
        ;
    if (!m->v[i].value)
        m->used++;
    m->v[i] = (struct th_smap_slot){key, hash, value};
    m->n++;
    return TH_OK;
}

void *th_smap_del(struct th_smap *m, struct th_span key)
{
    struct th_smap_slot *s = sfind(m, key, th_hash(key, m->seed));
    void *value;

    if (!s)
        return NULL;
    value = s->value;
    s->value = TOMB;
    m->n--;
    return value;
}

bool th_smap_next(const struct th_smap *m, size_t *i, struct th_span *key, void **value)
{
    for (; *i < m->cap; (*i)++) {
        struct th_smap_slot *s = &m->v[*i];
        if (!s->value || s->value == TOMB)
            continue;
        *key = s->key;
        *value = s->value;
        (*i)++;
        return true;
    }
    return false;
}
