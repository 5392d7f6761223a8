/* The one door to the heap, so that tests can fail each allocation in turn. */
#ifndef TH_BASE_ALLOC_H
#define TH_BASE_ALLOC_H
#include <stddef.h>
#include <stdint.h>

/** malloc; NULL when there is no memory. Free with th_free. */
void *th_malloc(size_t size);
/** calloc: zeroed, overflow-checked; NULL when there is no memory. Free with th_free. */
void *th_calloc(size_t count, size_t size);
/** realloc; on NULL the old block is unchanged. */
void *th_realloc(void *old, size_t size);
/** free; NULL is allowed. */
void th_free(void *p);
/** Overwrites secret bytes in a way that the compiler keeps. */
void th_wipe(void *p, size_t n);
/** Test hook: the n-th allocation from now on (1 = the next) fails once; 0 turns it off. Not for production code. */
void th_alloc_fail_after(uint64_t n);
#endif
