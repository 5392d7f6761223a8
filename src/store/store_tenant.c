/* The settings version of tenants: asked for by each accept, so it is kept in memory until the transaction is rolled back. A cache
 * that is full or without memory is emptied: the next look reads the table. */
#include "store/store_tenant.h"

int st_tenant_version(struct st_writer *w, uint64_t tenant, bool *exists, uint64_t *version)
{
    uintptr_t known = (uintptr_t)th_map_get(&w->versions, tenant);
    struct st_stmt *st = w->st[ST_W_VERSION_GET];
    int rc;

    *exists = true;
    *version = known - 1;
    if (known)
        return ST_OK;
    *version = 0;
    st_u64(st, 1, tenant);
    rc = st_step(st);
    *exists = rc == ST_ROW;
    if (rc == ST_ROW) {
        *version = st_col_u64(st, 0);
        if (th_map_put(&w->versions, tenant, (void *)(uintptr_t)(*version + 1)) != TH_OK)
            th_map_fini(&w->versions); /* full or no memory: it is only a cache */
        rc = ST_OK;
    } else if (rc == ST_DONE) {
        rc = ST_OK;
    }
    st_reset(st);
    return rc;
}
