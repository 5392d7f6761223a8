/* Idle connections by origin: which one may carry the next request, and which must go. Private to the HTTP
 * client. */
#ifndef TH_NET_HTTP_POOL_H
#define TH_NET_HTTP_POOL_H
#include "base/list.h"
#include "base/map.h"
#include "port/transport.h"

enum {
    TH_POOL_KEY_MAX = 11 + 16 + 255,
    TH_POOL_HASTY = 1000, /* milliseconds: a peer that closes so soon did not mean to keep the connection */
    TH_POOL_DISTRUST = 300 * 1000, /* milliseconds for which no connection of such an origin is kept */
    TH_POOL_BAD = 256,             /* such origins remembered; two that share a place push each other out */
};

/** One (pool key, TLS and its identity, port, host). Lives while connections or requests hold it. */
struct th_pool_origin {
    struct th_list idle; /* most recently used first */
    unsigned idle_count, refs;
    uint64_t hash; /* of the key */
    size_t key_n;
    char key[TH_POOL_KEY_MAX];
};

struct th_pool_node { /* inside a connection */
    struct th_list in_origin, in_all;
    struct th_pool_origin *origin;
    struct th_addr peer;
    int64_t since_us;
};

struct th_pool {
    struct th_smap origins;
    struct th_list all; /* idle, most recently used first */
    unsigned idle_count, max_idle, max_idle_per_origin;
    struct {
        uint64_t hash;
        int64_t until_us;
    } bad[TH_POOL_BAD];
};

void th_pool_init(struct th_pool *p, unsigned max_idle, unsigned max_idle_per_origin, uint64_t seed);
/** To be called when nobody holds an origin any more. */
void th_pool_fini(struct th_pool *p);
/** Finds or makes the origin and holds it; identity: NULL where it has none. NULL: no memory, or a host longer than 255 bytes. */
struct th_pool_origin *th_pool_hold(struct th_pool *p, uint64_t pool_key, const struct th_origin *o,
                                    const struct th_client_tls *identity);
void th_pool_drop(struct th_pool *p, struct th_pool_origin *origin);
/** Takes the most recently used idle connection whose peer is among addrs; NULL: none. */
struct th_pool_node *th_pool_take(struct th_pool *p, struct th_pool_origin *origin,
                                  const struct th_addr *addrs, unsigned count, uint16_t port);
/** Makes a connection idle. Returns the connection that has to be closed for it, already taken out, or NULL.
 * That may be the connection itself, where its origin is distrusted. */
struct th_pool_node *th_pool_put(struct th_pool *p, struct th_pool_node *n, int64_t now_us);
/** The peer has ended a connection that was kept: if it did so right after the last answer, without having announced it,
 * connections of this origin are not kept for a while, because the next request would run into the same end. */
void th_pool_ended(struct th_pool *p, const struct th_pool_node *n, int64_t now_us);
/** Takes an idle connection out. */
void th_pool_remove(struct th_pool *p, struct th_pool_node *n);
/** The connection that has been idle longest, or NULL. */
struct th_pool_node *th_pool_oldest(struct th_pool *p);
/** Same family, address and port, where port 0 in `b` stands for `port`. */
bool th_addr_same(const struct th_addr *a, const struct th_addr *b, uint16_t port);
#endif
