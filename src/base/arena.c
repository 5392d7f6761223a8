/* Bump allocator in chunks of at least 1 KiB. */
#include "base/arena.h"
#include "base/alloc.h"

struct th_arena_chunk {
    struct th_arena_chunk *next;
    size_t n, cap;
    _Alignas(max_align_t) char bytes[];
};

void th_arena_init(struct th_arena *a, size_t max)
{
    *a = (struct th_arena){.max = max};
}

void th_arena_fini(struct th_arena *a)
{
    while (a->chunks) {
        struct th_arena_chunk *c = a->chunks;
        a->chunks = c->next;
        th_free(c);
    }
    a->used = 0;
}

void th_arena_wipe(struct th_arena *a)
{
    for (struct th_arena_chunk *c = a->chunks; c; c = c->next)
        th_wipe(c->bytes, c->n);
    th_arena_fini(a);
}

static bool add_chunk(struct th_arena *a, size_t cap)
{
    struct th_arena_chunk *c = th_calloc(1, sizeof *c + cap);

    if (!c)
        return false;
    c->cap = cap;
    c->next = a->chunks;
    a->chunks = c;
    return true;
}

bool th_arena_reserve(struct th_arena *a, size_t n)
{
    return add_chunk(a, n);
}

void *th_arena_get(struct th_arena *a, size_t n)
{
    const size_t align = _Alignof(max_align_t);
    struct th_arena_chunk *c = a->chunks;
    void *p;

    if (n > a->max || a->used > a->max - n)
        return NULL;
    n = (n + align - 1) / align * align;
    if (!c || c->cap - c->n < n) {
        if (!add_chunk(a, n > 1024 ? n : 1024))
            return NULL;
        c = a->chunks;
    }
    p = c->bytes + c->n;
    c->n += n;
    a->used += n;
    return p;
}

bool th_arena_copy(struct th_arena *a, struct th_span from, struct th_span *to)
{
    char *p;

    if (from.n == 0) {
        *to = th_span("", 0);
        return true;
    }
    p = th_arena_get(a, from.n + 1);
    if (!p)
        return false;
    memcpy(p, from.p, from.n);
    *to = th_span(p, from.n);
    return true;
}
