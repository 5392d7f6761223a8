/* What the HTTP servers of a process count together, each of them on its own thread.
 *
 * Why they count together: limits hold for the installation, whatever the number of threads. Why they share
 * so little: threads must not compete for memory that each request touches. So a server has a share of the
 * bytes for itself, and takes from the common rest only beyond it; connections are counted when they come and
 * go; and the lock is taken only for a connection that moves, and for one that finds no place.
 *
 * Invariants: 1. counted <= max_connections. 2. The bytes that all servers have are no more than the limit:
 * it is the sum of their shares and the rest. 3. Once `draining` is set no connection is sent any more, so
 * the number of those on their way only falls. Failure: a server that cannot be made leaves nothing behind. */
#include "base/alloc.h"
#include "base/check.h"
#include "net/http_server_impl.h"

struct th_http_shared *th_http_shared_new(unsigned servers)
{
    struct th_http_shared *shared = th_calloc(1, sizeof *shared);

    TH_CHECK(servers >= 1 && servers <= TH_HTTP_SERVERS);
    if (!shared)
        return NULL;
    shared->servers = servers;
    (void)pthread_mutex_init(&shared->lock, NULL); /* a mutex of the default kind: this cannot fail */
    return shared;
}

void th_http_shared_free(struct th_http_shared *shared)
{
    if (!shared)
        return;
    (void)pthread_mutex_destroy(&shared->lock);
    th_free(shared);
}

/* An eighth of the bytes is for shares, so that one server can have most of them while the others need none.
 * A server that is alone has all of them. */
static void split(struct th_budget *b, size_t most, unsigned servers, _Atomic size_t *beyond)
{
    b->own = 0;
    b->share = servers == 1 ? most : most / 8 / servers;
    b->rest = most - b->share * servers;
    b->beyond = beyond;
}

bool th_server_shared_init(struct th_http_server *s)
{
    s->is_alone = !s->options.shared;
    s->shared = s->is_alone ? th_http_shared_new(1) : s->options.shared;
    if (!s->shared)
        return false;
    TH_CHECK(s->is_alone || s->options.number < s->shared->servers);
    if (s->is_alone)
        s->options.number = 0;
    split(&s->bodies, s->options.max_bodies, s->shared->servers, &s->shared->bodies);
    split(&s->answers, s->options.max_answers, s->shared->servers, &s->shared->answers);
    return true;
}

void th_server_shared_fini(struct th_http_server *s)
{
    if (s->is_alone)
        th_http_shared_free(s->shared);
}

/* ---- bytes ---- */

static size_t beyond_share(const struct th_budget *b)
{
    return b->own > b->share ? b->own - b->share : 0;
}

bool th_server_budget_take(struct th_budget *b, size_t n)
{
    size_t more = b->own + n > b->share ? b->own + n - b->share - beyond_share(b) : 0;
    size_t now = more ? atomic_load_explicit(b->beyond, memory_order_relaxed) : 0;

    while (more) {
        if (now > b->rest || more > b->rest - now)
            return false;
        if (atomic_compare_exchange_weak_explicit(b->beyond, &now, now + more, memory_order_relaxed,
                                                  memory_order_relaxed))
            break;
    }
    b->own += n;
    return true;
}

void th_server_budget_give(struct th_budget *b, size_t n)
{
    size_t before = beyond_share(b), less;

    TH_CHECK(b->own >= n);
    b->own -= n;
    less = before - beyond_share(b);
    if (less)
        atomic_fetch_sub_explicit(b->beyond, less, memory_order_relaxed);
}

/* ---- connections ---- */

bool th_server_shared_count(struct th_http_server *s)
{
    unsigned now = atomic_load_explicit(&s->shared->counted, memory_order_relaxed);

    do {
        if (now >= s->options.max_connections)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&s->shared->counted, &now, now + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

/* Has every server look for places: some make one, some take it. Under the lock. */
static void wake_all(struct th_http_shared *shared)
{
    for (unsigned i = 0; i < shared->servers; i++)
        if (shared->server[i])
            (void)uv_async_send(&shared->server[i]->asked);
}

void th_server_shared_uncount(struct th_http_server *s)
{
    unsigned before = atomic_fetch_sub(&s->shared->counted, 1);

    TH_CHECK(before > 0);
    if (!atomic_load(&s->shared->waiting))
        return;
    (void)pthread_mutex_lock(&s->shared->lock);
    wake_all(s->shared);
    (void)pthread_mutex_unlock(&s->shared->lock);
}

uint64_t th_server_shared_wait(struct th_http_server *s)
{
    struct th_http_shared *shared = s->shared;
    uint64_t number;

    atomic_fetch_add(&shared->waiting, 1);
    (void)pthread_mutex_lock(&shared->lock);
    number = ++shared->asked;
    wake_all(shared);
    (void)pthread_mutex_unlock(&shared->lock);
    return number;
}

uint64_t th_server_shared_asked(struct th_http_server *s)
{
    uint64_t number;

    (void)pthread_mutex_lock(&s->shared->lock);
    number = s->shared->asked;
    (void)pthread_mutex_unlock(&s->shared->lock);
    return number;
}

uint64_t th_server_shared_looked(struct th_http_server *s, uint64_t number)
{
    struct th_http_shared *shared = s->shared;
    uint64_t all = number;

    (void)pthread_mutex_lock(&shared->lock);
    if (shared->looked[s->options.number] != number) {
        shared->looked[s->options.number] = number;
        wake_all(shared);
    }
    for (unsigned i = 0; i < shared->servers; i++)
        if (shared->server[i] && shared->looked[i] < all)
            all = shared->looked[i];
    (void)pthread_mutex_unlock(&shared->lock);
    return all;
}

void th_server_shared_waited(struct th_http_server *s)
{
    unsigned before = atomic_fetch_sub(&s->shared->waiting, 1);

    TH_CHECK(before > 0);
}

unsigned th_server_shared_left(const struct th_http_server *s)
{
    unsigned counted = atomic_load(&s->shared->counted);

    return s->options.max_connections > counted ? s->options.max_connections - counted : 0;
}

unsigned th_server_shared_wanted(const struct th_http_server *s)
{
    unsigned left = th_server_shared_left(s), waiting = atomic_load(&s->shared->waiting);

    return waiting > left ? waiting - left : 0;
}

void th_server_shared_enter(struct th_http_server *s)
{
    (void)pthread_mutex_lock(&s->shared->lock);
    s->shared->server[s->options.number] = s;
    (void)pthread_mutex_unlock(&s->shared->lock);
}

void th_server_shared_leave(struct th_http_server *s)
{
    (void)pthread_mutex_lock(&s->shared->lock);
    s->shared->server[s->options.number] = NULL;
    (void)pthread_mutex_unlock(&s->shared->lock);
}

/* ---- connections on their way ---- */

bool th_server_shared_send(struct th_http_server *s, unsigned to)
{
    struct th_http_shared *shared = s->shared;
    bool can;

    (void)pthread_mutex_lock(&shared->lock);
    can = !shared->draining && to < shared->servers && shared->server[to];
    if (can)
        shared->coming[to]++;
    (void)pthread_mutex_unlock(&shared->lock);
    return can;
}

void th_server_shared_arrived(struct th_http_server *s, unsigned to)
{
    struct th_http_shared *shared = s->shared;

    (void)pthread_mutex_lock(&shared->lock);
    TH_CHECK(shared->coming[to] > 0);
    shared->coming[to]--;
    (void)pthread_mutex_unlock(&shared->lock);
}

void th_server_shared_drain(struct th_http_server *s)
{
    (void)pthread_mutex_lock(&s->shared->lock);
    s->shared->draining = true;
    (void)pthread_mutex_unlock(&s->shared->lock);
}

bool th_server_shared_is_expecting(const struct th_http_server *s)
{
    unsigned n;

    (void)pthread_mutex_lock(&s->shared->lock);
    n = s->shared->coming[s->options.number];
    (void)pthread_mutex_unlock(&s->shared->lock);
    return n > 0;
}
