/* Keeps the path of the key that a compiler is at, its first error, and its memory. A path that is too long is cut; that is not an
 * error. */
#include "core/program/where.h"
#include <stdarg.h>
#include <stdio.h>

size_t th_where_enter(struct th_where *w, struct th_span key)
{
    size_t old = w->n, room = sizeof w->path - 1 - w->n;
    size_t n = key.n + (old ? 1 : 0);

    if (n <= room) {
        if (old)
            w->path[w->n++] = '.';
        memcpy(w->path + w->n, key.p, key.n);
        w->n += key.n;
        w->path[w->n] = 0;
    }
    return old;
}

size_t th_where_enter_index(struct th_where *w, unsigned i)
{
    size_t old = w->n;
    int n = snprintf(w->path + w->n, sizeof w->path - w->n, "[%u]", i);

    if (n > 0 && (size_t)n < sizeof w->path - w->n)
        w->n += (size_t)n;
    else
        w->path[w->n] = 0;
    return old;
}

void th_where_leave(struct th_where *w, size_t n)
{
    w->n = n;
    w->path[n] = 0;
}

bool th_where_fail(struct th_where *w, unsigned line, const char *format, ...)
{
    va_list args;

    if (w->code)
        return false;
    w->code = TH_INVALID;
    w->error->line = line ? line : 1; /* an empty file has no line of its own */
    snprintf(w->error->key, sizeof w->error->key, "%s", w->path);
    va_start(args, format);
    vsnprintf(w->error->what, sizeof w->error->what, format, args);
    va_end(args);
    return false;
}

bool th_where_fail_nomem(struct th_where *w)
{
    th_where_fail(w, 0, "out of memory");
    w->code = TH_NOMEM;
    return false;
}

void *th_where_alloc(struct th_where *w, size_t n)
{
    void *p = th_arena_get(w->arena, n ? n : 1);

    if (!p)
        th_where_fail_nomem(w);
    return p;
}

struct th_span th_where_copy(struct th_where *w, struct th_span s)
{
    char *p = th_where_alloc(w, s.n + 1);

    if (!p)
        return (struct th_span){NULL, 0};
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct th_span){p, s.n};
}
