/* Secrets of endpoints in memory. */
#ifndef TH_ENGINE_SETTINGS_SECRETS_H
#define TH_ENGINE_SETTINGS_SECRETS_H
#include "engine/engine.h"

/** Collects the keys that sign at that moment; returns how many. */
unsigned th_secrets_active(const struct th_endpoint *ep, int64_t now_ms,
                           const struct th_sign_key *out[TH_MAX_SECRETS]);

/** The key under which connections are shared: only within a tenant. */
static inline uint64_t th_endpoint_pool_key(const struct th_endpoint *ep)
{
    return ep->tenant->no;
}

/** Frees what a secret owns. */
void th_secrets_drop(struct th_secret *s);
#endif
