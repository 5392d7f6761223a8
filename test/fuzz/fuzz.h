/* What the fuzz targets share: the entry point, the check that ends a run, and an input that is taken apart
 * piece by piece. Each piece is a heap block of exactly its size, so that the sanitizer sees a read of one
 * byte too many; all of them are freed together at the end of the run. */
#ifndef TH_TEST_FUZZ_H
#define TH_TEST_FUZZ_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** A property of the code under test. */
#define must(claim)                                                                                          \
    do {                                                                                                     \
        if (!(claim))                                                                                        \
            abort();                                                                                         \
    } while (0)

#define FUZZ_BLOCKS 64
struct fuzz {
    const uint8_t *p;
    size_t n; /* not taken yet */
    void *block[FUZZ_BLOCKS];
    unsigned blocks;
};
struct fuzz_bytes {
    char *p;
    size_t n;
};

static inline struct fuzz fuzz_begin(const uint8_t *data, size_t size)
{
    struct fuzz f = {.p = data, .n = size};

    return f;
}

static inline void fuzz_end(struct fuzz *f)
{
    while (f->blocks)
        free(f->block[--f->blocks]);
}

/** A block of the caller's size, not initialised. */
static inline char *fuzz_block(struct fuzz *f, size_t n)
{
    char *p = malloc(n); /* of 0 bytes: any access is one too many */

    must(p && f->blocks < FUZZ_BLOCKS);
    f->block[f->blocks++] = p;
    return p;
}

static inline struct fuzz_bytes fuzz_copy(struct fuzz *f, const void *p, size_t n)
{
    struct fuzz_bytes b = {fuzz_block(f, n), n};

    if (n)
        memcpy(b.p, p, n);
    return b;
}

/** The next byte, 0 behind the end. */
static inline uint8_t fuzz_byte(struct fuzz *f)
{
    if (f->n == 0)
        return 0;
    f->n--;
    return *f->p++;
}

/** The bytes before the next line feed, which is taken as well. */
static inline struct fuzz_bytes fuzz_line(struct fuzz *f)
{
    const uint8_t *lf = f->n ? memchr(f->p, '\n', f->n) : NULL;
    size_t n = lf ? (size_t)(lf - f->p) : f->n;
    struct fuzz_bytes b = fuzz_copy(f, f->p, n);

    f->p += n + (lf != NULL);
    f->n -= n + (lf != NULL);
    return b;
}

/** Everything that is left. */
static inline struct fuzz_bytes fuzz_rest(struct fuzz *f)
{
    struct fuzz_bytes b = fuzz_copy(f, f->p, f->n);

    f->p += f->n;
    f->n = 0;
    return b;
}

/** True for one of `rate` inputs, whatever the corpus has come to prefer: for steps that cost a hundred times as
 * much as all else, as asymmetric signatures do. */
static inline bool is_sample(const uint8_t *data, size_t size, unsigned rate)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 16777619u;
    return (hash ^ hash >> 15) % rate == 0;
}
#endif
