/* Turns an answer of c-ares into an answer of the port: the error, the addresses, and for how long it may be
 * remembered.
 *
 * Refuses: more than TH_RESOLVE_MAX addresses. The guard must judge all of them, so an answer with only some
 * of them would not do. Names with more than KEPT_MAX addresses are not remembered, which bounds the memory
 * of the cache; "no such name" is for NEGATIVE_S. */
#include "net/resolver_names.h"
#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>

enum { KEPT_MAX = 16, NEGATIVE_S = 5 };

static enum th_error from_ares(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return TH_OK;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_ENONAME:
    case ARES_EBADNAME:
        return TH_NOT_FOUND;
    case ARES_ETIMEOUT:
        return TH_TIMEOUT;
    case ARES_ENOMEM:
        return TH_NOMEM;
    default:
        return TH_RETRY;
    }
}

static bool read_address(const struct ares_addrinfo_node *node, struct th_addr *a)
{
    *a = (struct th_addr){0};
    if (node->ai_family == AF_INET) {
        a->family = 4;
        memcpy(a->ip, &((const struct sockaddr_in *)node->ai_addr)->sin_addr, 4);
    } else if (node->ai_family == AF_INET6) {
        a->family = 6;
        memcpy(a->ip, &((const struct sockaddr_in6 *)node->ai_addr)->sin6_addr, 16);
        a->scope = ((const struct sockaddr_in6 *)node->ai_addr)->sin6_scope_id;
    }
    return a->family;
}

static bool has(const struct th_addrs *all, const struct th_addr *a)
{
    for (unsigned i = 0; i < all->count; i++)
        if (all->v[i].family == a->family && memcmp(all->v[i].ip, a->ip, 16) == 0)
            return true;
    return false;
}

/* Each address once. */
static enum th_error read_addresses(struct th_name *name, const struct ares_addrinfo_node *nodes)
{
    unsigned room = 0;
    struct th_addr a;

    for (const struct ares_addrinfo_node *n = nodes; n && room < TH_RESOLVE_MAX; n = n->ai_next)
        room++;
    if (room == 0)
        return TH_NOT_FOUND;
    name->answer = th_addrs_new(room);
    if (!name->answer)
        return TH_NOMEM;
    for (const struct ares_addrinfo_node *n = nodes; n; n = n->ai_next) {
        if (!read_address(n, &a) || has(name->answer, &a))
            continue;
        if (name->answer->count == room)
            return TH_TOO_LARGE; /* the guard must judge all of them */
        name->answer->v[name->answer->count++] = a;
    }
    return name->answer->count ? TH_OK : TH_NOT_FOUND;
}

static int64_t least_ttl(const struct ares_addrinfo *info)
{
    int64_t ttl = INT32_MAX;

    for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next)
        if (n->ai_ttl >= 0 && n->ai_ttl < ttl)
            ttl = n->ai_ttl;
    for (const struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
        if (c->ttl >= 0 && c->ttl < ttl)
            ttl = c->ttl;
    return ttl;
}

int64_t th_name_take(struct th_name *name, int status, const struct ares_addrinfo *info)
{
    th_addrs_unref(name->answer);
    name->answer = NULL;
    name->error = status == ARES_SUCCESS ? read_addresses(name, info->nodes) : from_ares(status);
    if (name->error) {
        th_addrs_unref(name->answer);
        name->answer = NULL;
        return name->error == TH_NOT_FOUND || name->error == TH_TOO_LARGE ? NEGATIVE_S : -1;
    }
    return name->answer->count <= KEPT_MAX ? least_ttl(info) : -1;
}
