/* The settings version of tenants: asked for by each accept, so it is kept in memory until the transaction is rolled back. A cache
 * that is full or without memory is emptied: the next look reads the table. */
#include "store/store_tenant.h"

int sq_tenant_version(struct sq_writer *w, uint64_t tenant, bool *exists, uint64_t *version)
{
    uintptr_t known = (uintptr_t)th_map_get(&w->versions, tenant);
    sqlite3_stmt *st = w->st[SQ_W_VERSION_GET];
    int rc;

    *exists = true;
    *version = known - 1;
    if (known)
        return SQLITE_OK;
    *version = 0;
    sq_u64(st, 1, tenant);
    rc = sqlite3_step(st);
    *exists = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        *version = sq_col_u64(st, 0);
        if (th_map_put(&w->versions, tenant, (void *)(uintptr_t)(*version + 1)) != TH_OK)
            th_map_fini(&w->versions); /* full or no memory: it is only a cache */
        rc = SQLITE_OK;
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_OK;
    }
    sqlite3_reset(st);
    return rc;
}
