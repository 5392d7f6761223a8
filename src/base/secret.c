/* Memory for secrets in clear text that live as long as an endpoint does.
 *
 * Why apart from the heap: the kernel can be asked not to swap these pages out, to leave them out of core dumps and to give
 * a forked child empty ones. It takes whole pages, so secrets share chunks of 64 KiB, in slots of few sizes.
 *
 * Where the kernel refuses (the limit of locked memory is often 8 MiB) the secret is kept in ordinary memory, and one line in the
 * log says so: a server that does not run would be no safer.
 *
 * Invariants: (1) a slot that is not in use holds nothing but the link to the next such slot; (2) chunks stay until the end
 * of the process (LIMIT: memory stays at its highest mark, which CHUNKS_MAX bounds). */
#include "base/secret.h"
#include "base/alloc.h"
#include "base/log.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_BYTES ((size_t)64 << 10)
#define CHUNKS_MAX 2048 /* 128 MiB */

struct slot {
    struct slot *next;
};

static const size_t sizes[] = {64, 192, 576, TH_SECRET_MAX};
#define SIZES (sizeof sizes / sizeof sizes[0])

static struct {
    pthread_mutex_t lock;
    struct slot *free[SIZES];
    unsigned chunks;
    size_t used;
    bool told;
} arena = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t class_of(size_t n)
{
    size_t i = 0;

    while (i < SIZES && n > sizes[i])
        i++;
    return i;
}

/* Logs once that the kernel has refused. */
static void tell(const char *what, int error)
{
    if (arena.told)
        return;
    arena.told = true;
    th_log(TH_LOG_WARN,
           "secrets in memory may reach the disk (swap, core dumps): the kernel refuses to lock their memory",
           TH_KC("call", what), TH_KC("error", strerror(error)));
}

static bool add_chunk(size_t class)
{
    char *p;

    if (arena.chunks == CHUNKS_MAX)
        return false;
    p = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    if (mlock(p, CHUNK_BYTES) != 0)
        tell("mlock", errno);
    if (madvise(p, CHUNK_BYTES, MADV_DONTDUMP) != 0)
        tell("madvise(MADV_DONTDUMP)", errno);
    if (madvise(p, CHUNK_BYTES, MADV_WIPEONFORK) != 0)
        tell("madvise(MADV_WIPEONFORK)", errno);
    arena.chunks++;
    for (size_t at = 0; at + sizes[class] <= CHUNK_BYTES; at += sizes[class]) {
        struct slot *s = (struct slot *)(void *)(p + at);
        s->next = arena.free[class];
        arena.free[class] = s;
    }
    return true;
}

void *th_secret_alloc(size_t n)
{
    size_t class = class_of(n);
    struct slot *s = NULL;
    void *hook = th_malloc(1); /* so that tests can fail this one too */

    if (!hook || class == SIZES) {
        th_free(hook);
        return NULL;
    }
    th_free(hook);
    pthread_mutex_lock(&arena.lock);
    if (arena.free[class] || add_chunk(class)) {
        s = arena.free[class];
        arena.free[class] = s->next;
        s->next = NULL;
        arena.used++;
    }
    pthread_mutex_unlock(&arena.lock);
    return s;
}

void th_secret_free(void *p, size_t n)
{
    size_t class = class_of(n);
    struct slot *s = p;

    if (!p || class == SIZES)
        return;
    th_wipe(p, sizes[class]);
    pthread_mutex_lock(&arena.lock);
    s->next = arena.free[class];
    arena.free[class] = s;
    arena.used--;
    pthread_mutex_unlock(&arena.lock);
}

size_t th_secret_count(void)
{
    size_t n;

    pthread_mutex_lock(&arena.lock);
    n = arena.used;
    pthread_mutex_unlock(&arena.lock);
    return n;
}
