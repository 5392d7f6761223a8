/* Pool of idle connections.
 *
 * Why: a kept-alive connection saves a connect and, over TLS, a handshake that costs sixty deliveries. What
 * makes reuse safe is decided here: a connection serves only the pool key, scheme, TLS identity, host and port that it
 * was opened for, and only while the guard still allows its peer (it is among this attempt's addresses).
 *
 * Refuses: to own connections. It hands back what has to be closed.
 *
 * Invariants: 1. idle_count == length of `all` <= max_idle; the same per origin. 2. A node on a list holds
 * its origin through its connection. 3. An origin is in the map exactly while refs > 0. */
#include "net/http_pool.h"
#include "base/alloc.h"
#include "base/check.h"

bool th_addr_same(const struct th_addr *a, const struct th_addr *b, uint16_t port)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16) == 0 &&
           a->scope == b->scope && a->port == (b->port ? b->port : port);
}

void th_pool_init(struct th_pool *p, unsigned max_idle, unsigned max_idle_per_origin, uint64_t seed)
{
    *p = (struct th_pool){.max_idle = max_idle, .max_idle_per_origin = max_idle_per_origin};
    th_smap_init(&p->origins, SIZE_MAX / 64,
                 seed); /* its size is bounded by the connections and requests that hold origins */
    th_list_init(&p->all);
}

void th_pool_fini(struct th_pool *p)
{
    th_smap_fini(&p->origins);
}

/* A host cannot be taken for an identity: the byte before says whether there is one. */
static size_t make_key(char *key, uint64_t pool_key, const struct th_origin *o,
                       const struct th_client_tls *identity)
{
    size_t n = 11;

    memcpy(key, &pool_key, 8);
    key[8] = (char)(identity ? 2 : o->tls);
    memcpy(key + 9, &o->port, 2);
    if (identity) {
        memcpy(key + n, identity->id, sizeof identity->id);
        n += sizeof identity->id;
    }
    memcpy(key + n, o->host.p, o->host.n);
    return n + o->host.n;
}

struct th_pool_origin *th_pool_hold(struct th_pool *p, uint64_t pool_key, const struct th_origin *o,
                                    const struct th_client_tls *identity)
{
    char key[TH_POOL_KEY_MAX];
    size_t key_n;
    struct th_pool_origin *origin;

    if (o->host.n > 255)
        return NULL;
    key_n = make_key(key, pool_key, o, identity);
    origin = th_smap_get(&p->origins, th_span(key, key_n));
    if (origin) {
        origin->refs++;
        return origin;
    }
    origin = th_calloc(1, sizeof *origin);
    if (!origin)
        return NULL;
    th_list_init(&origin->idle);
    origin->refs = 1;
    origin->key_n = key_n;
    memcpy(origin->key, key, key_n);
    origin->hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < key_n; i++)
        origin->hash = (origin->hash ^ (unsigned char)key[i]) * 1099511628211u;
    if (th_smap_put(&p->origins, th_span(origin->key, key_n), origin) != TH_OK) {
        th_free(origin);
        return NULL;
    }
    return origin;
}

void th_pool_drop(struct th_pool *p, struct th_pool_origin *origin)
{
    TH_CHECK(origin->refs > 0);
    if (--origin->refs)
        return;
    TH_CHECK(origin->idle_count == 0);
    th_smap_del(&p->origins, th_span(origin->key, origin->key_n));
    th_free(origin);
}

struct th_pool_node *th_pool_take(struct th_pool *p, struct th_pool_origin *origin,
                                  const struct th_addr *addrs, unsigned count, uint16_t port)
{
    for (struct th_list *l = origin->idle.next; l != &origin->idle; l = l->next) {
        struct th_pool_node *n = TH_CONTAINER(l, struct th_pool_node, in_origin);

        for (unsigned i = 0; i < count; i++)
            if (th_addr_same(&n->peer, &addrs[i], port)) {
                th_pool_remove(p, n);
                return n;
            }
    }
    return NULL;
}

void th_pool_remove(struct th_pool *p, struct th_pool_node *n)
{
    TH_CHECK(n->origin->idle_count > 0 && p->idle_count > 0);
    th_list_remove(&n->in_origin);
    th_list_remove(&n->in_all);
    n->origin->idle_count--;
    p->idle_count--;
}

struct th_pool_node *th_pool_put(struct th_pool *p, struct th_pool_node *n, int64_t now_us)
{
    struct th_pool_node *out = NULL;

    TH_CHECK(n->origin->refs > 0 && th_list_empty(&n->in_all));
    if (p->max_idle == 0 || p->max_idle_per_origin == 0 ||
        (p->bad[n->origin->hash % TH_POOL_BAD].hash == n->origin->hash &&
         p->bad[n->origin->hash % TH_POOL_BAD].until_us > now_us))
        return n;
    n->since_us = now_us;
    th_list_prepend(&n->origin->idle, &n->in_origin);
    th_list_prepend(&p->all, &n->in_all);
    n->origin->idle_count++;
    p->idle_count++;
    if (n->origin->idle_count > p->max_idle_per_origin)
        out = TH_CONTAINER(n->origin->idle.prev, struct th_pool_node, in_origin);
    else if (p->idle_count > p->max_idle)
        out = th_pool_oldest(p);
    if (out)
        th_pool_remove(p, out);
    return out;
}

void th_pool_ended(struct th_pool *p, const struct th_pool_node *n, int64_t now_us)
{
    uint64_t hash = n->origin->hash;

    if (n->since_us == 0 || now_us - n->since_us > (int64_t)TH_POOL_HASTY * 1000)
        return;
    p->bad[hash % TH_POOL_BAD].hash = hash;
    p->bad[hash % TH_POOL_BAD].until_us = now_us + (int64_t)TH_POOL_DISTRUST * 1000;
}

struct th_pool_node *th_pool_oldest(struct th_pool *p)
{
    return th_list_empty(&p->all) ? NULL : TH_CONTAINER(p->all.prev, struct th_pool_node, in_all);
}
