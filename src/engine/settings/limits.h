/* Limits of tenants, and how much of them is used. */
#ifndef TH_ENGINE_SETTINGS_LIMITS_H
#define TH_ENGINE_SETTINGS_LIMITS_H
#include "engine/engine.h"

void th_limits_open(struct th_limits *l);
/** Bytes of the names and values of all headers, as given and as in memory. */
size_t th_limit_header_bytes(const struct th_endpoint_spec *spec);
size_t th_limit_header_bytes_of(const struct th_endpoint *ep);
/** Writes what is allowed and what is used into `detail`. */
void th_limit_reached(const struct th_engine *e, const struct th_tenant *t, enum th_limit id, char *detail,
                      size_t detail_size);
/** False when `more` do not fit; then `detail` says so. */
bool th_limit_allows(struct th_engine *e, const struct th_tenant *t, enum th_limit id, int64_t more,
                     char *detail, size_t detail_size);
#endif
