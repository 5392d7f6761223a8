/* Memory that is allocated piece by piece and freed all at once. */
#ifndef TH_BASE_ARENA_H
#define TH_BASE_ARENA_H
#include "base/error.h"
#include "base/span.h"

struct th_arena {
    struct th_arena_chunk *chunks;
    size_t used, max; /* bytes given out, and their maximum */
};
/** Starts empty, without memory; at most `max` bytes. */
void th_arena_init(struct th_arena *a, size_t max);
/** Frees everything given out. */
void th_arena_fini(struct th_arena *a);
/** The same, but overwrites the bytes first (secrets). */
void th_arena_wipe(struct th_arena *a);
/** Makes room for the next `n` bytes in one chunk, which is then exactly as large as needed; false when there is no
 * memory. Each later piece takes its size, rounded up to the alignment. */
TH_MUST_USE bool th_arena_reserve(struct th_arena *a, size_t n);
/** Zeroed, aligned for any type; NULL when there is no memory or the maximum is reached. */
void *th_arena_get(struct th_arena *a, size_t n);
/** Copies bytes (and a NUL after them); false when there is no room. An empty span stays empty. */
bool th_arena_copy(struct th_arena *a, struct th_span from, struct th_span *to);
#endif
