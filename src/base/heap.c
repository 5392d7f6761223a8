/* Indexed binary heap. Invariant: v[i]->pos == i + 1, and no node is before its parent. */
#include "base/heap.h"
#include "base/alloc.h"
#include <stdbool.h>

static bool before(const struct th_heap_node *a, const struct th_heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->tie < b->tie;
}

static void put(struct th_heap *h, uint32_t i, struct th_heap_node *node)
{
    h->v[i] = node;
    node->pos = i + 1;
}

static void sift_up(struct th_heap *h, uint32_t i)
{
    struct th_heap_node *node = h->v[i];

    while (i > 0 && before(node, h->v[(i - 1) / 2])) {
        put(h, i, h->v[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(h, i, node);
}

static void sift_down(struct th_heap *h, uint32_t i)
{
    struct th_heap_node *node = h->v[i];

    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && before(h->v[child + 1], h->v[child]))
            child++;
        if (!before(h->v[child], node))
            break;
        put(h, i, h->v[child]);
        i = child;
    }
    put(h, i, node);
}

void th_heap_init(struct th_heap *h, uint32_t max)
{
    *h = (struct th_heap){.max = max};
}

void th_heap_fini(struct th_heap *h)
{
    th_free(h->v);
    th_heap_init(h, h->max);
}

enum th_error th_heap_insert(struct th_heap *h, struct th_heap_node *node, int64_t key, uint64_t tie)
{
    if (node->pos)
        return TH_BUG;
    if (h->n == h->max)
        return TH_TOO_LARGE;
    if (h->n == h->cap) {
        uint32_t cap = h->cap > h->max / 2 ? h->max : h->cap ? h->cap * 2 : 8;
        struct th_heap_node **v = th_realloc(h->v, cap * sizeof *v);
        if (!v)
            return TH_NOMEM;
        h->v = v;
        h->cap = cap;
    }
    node->key = key;
    node->tie = tie;
    put(h, h->n++, node);
    sift_up(h, h->n - 1);
    return TH_OK;
}

void th_heap_remove(struct th_heap *h, struct th_heap_node *node)
{
    uint32_t i = node->pos;
    struct th_heap_node *last;

    if (i == 0)
        return;
    i--;
    node->pos = 0;
    last = h->v[--h->n];
    if (last == node)
        return;
    put(h, i, last);
    sift_up(h, i);
    sift_down(h, last->pos - 1);
}

void th_heap_rekey(struct th_heap *h, struct th_heap_node *node, int64_t key)
{
    node->key = key;
    sift_up(h, node->pos - 1);
    sift_down(h, node->pos - 1);
}
