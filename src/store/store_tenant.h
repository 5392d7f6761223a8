/* The settings version of tenants, as the open transaction of the SQLite store sees it. */
#ifndef TH_STORE_TENANT_H
#define TH_STORE_TENANT_H
#include "store/store_writer.h"

int sq_tenant_version(struct sq_writer *w, uint64_t tenant, bool *exists, uint64_t *version);
#endif
