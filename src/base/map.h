/* Open-addressing hash maps from 64-bit numbers, or from byte strings that the values own, to pointers.
 * Seeds are arguments, and nothing may depend on the order of iteration. */
#ifndef TH_BASE_MAP_H
#define TH_BASE_MAP_H
#include "base/error.h"
#include "base/span.h"
#include <stdint.h>

struct th_map {
    struct th_map_slot *v;
    size_t n, used, cap, max;
    uint64_t seed;
};

/** Starts empty, without memory; at most `max` entries. */
void th_map_init(struct th_map *m, size_t max, uint64_t seed);
void th_map_fini(struct th_map *m);
/** NULL when absent. */
void *th_map_get(const struct th_map *m, uint64_t key);
/** Adds or replaces; value must not be NULL. TH_NOMEM or TH_TOO_LARGE change nothing. */
TH_MUST_USE enum th_error th_map_put(struct th_map *m, uint64_t key, void *value);
/** Removes and returns the value, or NULL when absent. */
void *th_map_del(struct th_map *m, uint64_t key);
/** Iterates in no useful order: start with *i = 0; false at the end. The map must not change meanwhile. */
bool th_map_next(const struct th_map *m, size_t *i, uint64_t *key, void **value);

/** The same with byte strings as keys; the bytes must live as long as the entry. */
struct th_smap {
    struct th_smap_slot *v;
    size_t n, used, cap, max;
    uint64_t seed;
};
void th_smap_init(struct th_smap *m, size_t max, uint64_t seed);
void th_smap_fini(struct th_smap *m);
void *th_smap_get(const struct th_smap *m, struct th_span key);
TH_MUST_USE enum th_error th_smap_put(struct th_smap *m, struct th_span key, void *value);
void *th_smap_del(struct th_smap *m, struct th_span key);
bool th_smap_next(const struct th_smap *m, size_t *i, struct th_span *key, void **value);
/** 64-bit hash of bytes (not cryptographic; seeded against crafted collisions). */
uint64_t th_hash(struct th_span s, uint64_t seed);
#endif
