/* Names that the resolver knows or is asking for, and how many queries each tenant has. Private to the
 * resolver. */
#ifndef TH_NET_RESOLVER_NAMES_H
#define TH_NET_RESOLVER_NAMES_H
#include "base/list.h"
#include "base/map.h"
#include "port/transport.h"

enum {
    TH_NAMES_MAX = 16384,
    TH_NAMES_UNDER_WAY = 4096, /* queries in all */
    TH_NAMES_TEXT = 255,
};

/** The addresses of one answer, shared by the name and by those who have waited for it. */
struct th_addrs {
    unsigned refs, count;
    struct th_addr v[];
};
/** Returns an empty list with room for `room` addresses; NULL: no memory. */
struct th_addrs *th_addrs_new(unsigned room);
/** NULL is allowed in both. */
struct th_addrs *th_addrs_ref(struct th_addrs *a);
void th_addrs_unref(struct th_addrs *a);

struct th_name {
    struct th_list link;    /* th_names.fresh; self-linked while under way */
    struct th_list waiters; /* the resolver's */
    void *owner;            /* the resolver */
    uint64_t tenant;        /* that started the query */
    bool is_under_way;
    int64_t until_us; /* end of the time for which the answer is fresh */
    enum th_error error;
    struct th_addrs *answer; /* NULL: none */
    size_t text_n;
    char text[TH_NAMES_TEXT + 1]; /* NUL-terminated */
};

struct th_names {
    struct th_smap by_text;
    struct th_map tenants; /* tenant → number of queries, as a pointer */
    struct th_list fresh;  /* least recently used first */
};

void th_names_init(struct th_names *n, uint64_t seed);
/** Frees all fresh names; none may be under way. */
void th_names_fini(struct th_names *n);
/** NULL when unknown. */
struct th_name *th_name_find(struct th_names *n, struct th_span text);
/** Adds an unknown name of at most TH_NAMES_TEXT bytes; the least recently used fresh one may go for it.
 * NULL: no memory. */
struct th_name *th_name_new(struct th_names *n, struct th_span text, void *owner);
void th_name_free(struct th_names *n, struct th_name *name);
/** Sets error and answer from the result of c-ares (resolver_answer.c). Returns the seconds for which they
 * are valid; negative: they are not to be remembered. */
struct ares_addrinfo;
int64_t th_name_take(struct th_name *name, int status, const struct ares_addrinfo *info);
/** Makes it the most recently used fresh name. */
void th_name_fresh(struct th_names *n, struct th_name *name);

/** Number of queries that a tenant has under way. */
size_t th_names_tenant(const struct th_names *n, uint64_t tenant);
/** Counts one query more; false: no memory. */
bool th_names_tenant_add(struct th_names *n, uint64_t tenant);
void th_names_tenant_sub(struct th_names *n, uint64_t tenant);
#endif
