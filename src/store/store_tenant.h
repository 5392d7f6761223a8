/* Reads the settings version of tenants as the open transaction sees it. */
#ifndef TH_STORE_TENANT_H
#define TH_STORE_TENANT_H
#include "store/store_writer.h"

int st_tenant_version(struct st_writer *w, uint64_t tenant, bool *exists, uint64_t *version);
#endif
