/* Indexed binary min-heap of intrusive nodes: insert, remove and re-key any node in O(log n). */
#ifndef TH_BASE_HEAP_H
#define TH_BASE_HEAP_H
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct th_heap_node {
    int64_t key; /* smallest first; ties by `tie` so that no order depends on addresses */
    uint64_t tie;
    uint32_t pos; /* 0: in no heap; else index + 1 */
};

struct th_heap {
    struct th_heap_node **v;
    uint32_t n, cap, max;
};

/** Starts empty, without memory; at most `max` nodes. */
void th_heap_init(struct th_heap *h, uint32_t max);
/** Frees the array; nodes belong to the caller. */
void th_heap_fini(struct th_heap *h);
/** Inserts a node that is in no heap. TH_NOMEM or TH_TOO_LARGE change nothing. */
TH_MUST_USE enum th_error th_heap_insert(struct th_heap *h, struct th_heap_node *node, int64_t key,
                                         uint64_t tie);
/** Removes a node; one that is in no heap is ignored. */
void th_heap_remove(struct th_heap *h, struct th_heap_node *node);
/** Gives a node that is in the heap another key. Never fails. */
void th_heap_rekey(struct th_heap *h, struct th_heap_node *node, int64_t key);
/** The node with the smallest key, or NULL. */
static inline struct th_heap_node *th_heap_top(const struct th_heap *h)
{
    return h->n ? h->v[0] : NULL;
}
#endif
