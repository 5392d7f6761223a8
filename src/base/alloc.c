/* Heap access with a failure hook for tests. The hook is a plain thread-local counter: no cost worth measuring. */
#include "base/alloc.h"
#include <stdlib.h>
#include <string.h>

static _Thread_local uint64_t fail_after;

static int must_fail(void)
{
    return fail_after != 0 && --fail_after == 0;
}

void *th_malloc(size_t size)
{
    return must_fail() ? NULL : malloc(size ? size : 1);
}

void *th_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *th_realloc(void *old, size_t size)
{
    return must_fail() ? NULL : realloc(old, size ? size : 1);
}

void th_free(void *p)
{
    free(p);
}

void th_wipe(void *p, size_t n)
{
    if (n)
        explicit_bzero(p, n);
}

void th_alloc_fail_after(uint64_t n)
{
    fail_after = n;
}
