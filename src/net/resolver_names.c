/* The resolver's memory: a bounded map of names and a count of queries by tenant.
 *
 * Invariants: 1. A name is in the map from new to free. 2. At most TH_NAMES_MAX names that are fresh and
 * TH_NAMES_UNDER_WAY that are not. 3. A tenant without queries takes no memory.
 *
 * Failure: without memory nothing changes. */
#include "net/resolver_names.h"
#include "base/alloc.h"
#include "base/check.h"

struct th_addrs *th_addrs_new(unsigned room)
{
    struct th_addrs *a = th_malloc(sizeof *a + room * sizeof a->v[0]);

    if (a)
        *a = (struct th_addrs){.refs = 1};
    return a;
}

struct th_addrs *th_addrs_ref(struct th_addrs *a)
{
    if (a)
        a->refs++;
    return a;
}

void th_addrs_unref(struct th_addrs *a)
{
    TH_CHECK(!a || a->refs > 0);
    if (a && --a->refs == 0)
        th_free(a);
}

void th_names_init(struct th_names *n, uint64_t seed)
{
    th_smap_init(&n->by_text, TH_NAMES_MAX + TH_NAMES_UNDER_WAY, seed);
    th_map_init(&n->tenants, TH_NAMES_UNDER_WAY, seed);
    th_list_init(&n->fresh);
}

void th_names_fini(struct th_names *n)
{
    while (!th_list_empty(&n->fresh))
        th_name_free(n, TH_CONTAINER(n->fresh.next, struct th_name, link));
    th_smap_fini(&n->by_text);
    th_map_fini(&n->tenants);
}

struct th_name *th_name_find(struct th_names *n, struct th_span text)
{
    return th_smap_get(&n->by_text, text);
}

struct th_name *th_name_new(struct th_names *n, struct th_span text, void *owner)
{
    struct th_name *name;

    if (n->by_text.n >= TH_NAMES_MAX && !th_list_empty(&n->fresh))
        th_name_free(n, TH_CONTAINER(n->fresh.next, struct th_name, link));
    name = th_calloc(1, sizeof *name);
    if (!name)
        return NULL;
    name->owner = owner;
    th_list_init(&name->link);
    th_list_init(&name->waiters);
    name->text_n = text.n;
    memcpy(name->text, text.p, text.n);
    if (th_smap_put(&n->by_text, th_span(name->text, name->text_n), name) != TH_OK) {
        th_free(name);
        return NULL;
    }
    return name;
}

void th_name_free(struct th_names *n, struct th_name *name)
{
    th_addrs_unref(name->answer);
    th_smap_del(&n->by_text, th_span(name->text, name->text_n));
    th_list_remove(&name->link);
    th_free(name);
}

void th_name_fresh(struct th_names *n, struct th_name *name)
{
    th_list_remove(&name->link);
    th_list_append(&n->fresh, &name->link);
}

size_t th_names_tenant(const struct th_names *n, uint64_t tenant)
{
    return (size_t)(uintptr_t)th_map_get(&n->tenants, tenant);
}

bool th_names_tenant_add(struct th_names *n, uint64_t tenant)
{
    return th_map_put(&n->tenants, tenant, (void *)(uintptr_t)(th_names_tenant(n, tenant) + 1)) == TH_OK;
}

void th_names_tenant_sub(struct th_names *n, uint64_t tenant)
{
    size_t count = th_names_tenant(n, tenant);

    /* Replacing a value needs no memory; if it did fail, forgetting the count is the harmless side. */
    if (count <= 1 || th_map_put(&n->tenants, tenant, (void *)(uintptr_t)(count - 1)) != TH_OK)
        th_map_del(&n->tenants, tenant);
}
