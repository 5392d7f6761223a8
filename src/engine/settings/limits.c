/* Limits of tenants, and how much of them is used.
 *
 * A limit refuses only additions: objects that exist above a new limit stay, work and can be changed as long
 * as they do not grow. The counts are those of memory, which equals the store; the checks are exact, since
 * changes of settings are made one at a time. */
#include "engine/settings/limits.h"
#include "engine/settings/settings.h"
#include "engine/state.h"
#include <stdio.h>

void th_limits_open(struct th_limits *l)
{
    for (unsigned i = 0; i < TH_L_COUNT; i++)
        l->v[i] = TH_LIMIT_OPEN;
}

int64_t th_engine_allowed(const struct th_engine *e, const struct th_tenant *t, enum th_limit id)
{
    return t->limits.v[id] == TH_LIMIT_OPEN ? e->options.limits.v[id] : t->limits.v[id];
}

size_t th_limit_header_bytes(const struct th_endpoint_spec *spec)
{
    size_t n = 0;

    for (unsigned i = 0; i < spec->header_count; i++)
        n += spec->headers[i].name.n + spec->headers[i].value.n;
    return n;
}

size_t th_limit_header_bytes_of(const struct th_endpoint *ep)
{
    return ep->run->custom.n - 4 * (size_t)ep->spec.header_count; /* without ": " and CRLF */
}

static int64_t most_header_bytes(const struct th_tenant *t)
{
    size_t most = 0;

    for (unsigned i = 0; i < t->endpoint_count; i++) {
        size_t n = th_limit_header_bytes_of(t->endpoints[i]);
        most = n > most ? n : most;
    }
    return (int64_t)most;
}

int64_t th_engine_used(const struct th_engine *e, const struct th_tenant *t, enum th_limit id)
{
    struct th_usage use;

    switch (id) {
    case TH_L_ENDPOINTS:
        return t->endpoint_count;
    case TH_L_HEADER_BYTES:
        return most_header_bytes(t);
    case TH_L_KEYS:
        return t->key_count;
    case TH_L_REPLAYS:
        return t->replays;
    case TH_L_STORED_BYTES:
    case TH_L_UNFINISHED:
        e->options.store->vt->usage(e->options.store, t->no, &use);
        return id == TH_L_UNFINISHED ? use.unfinished : use.bytes;
    case TH_L_HOST_REQUESTS:
        return th_sched_host_most(e->sched, t->no);
    case TH_L_HOST_RATE:
        return TH_LIMIT_UNKNOWN;
    case TH_L_ADDRESS_REQUESTS:
        return th_sched_address_most(e->sched, t->no);
    case TH_L_COUNT:
        break;
    }
    return 0;
}

bool th_engine_near(const struct th_engine *e, int64_t used, int64_t allowed)
{
    return allowed > 0 && e->options.warn_percent &&
           used >= allowed - allowed / 100 * (100 - e->options.warn_percent) -
                       allowed % 100 * (100 - e->options.warn_percent) / 100;
}

void th_limit_reached(const struct th_engine *e, const struct th_tenant *t, enum th_limit id, char *detail,
                      size_t detail_size)
{
    snprintf(detail, detail_size,
             "the limit \"%s\" of this tenant is reached: it may have %lld %s and has %lld",
             th_limit_name(id), (long long)th_engine_allowed(e, t, id), th_limit_what(id),
             (long long)th_engine_used(e, t, id));
}

bool th_limit_allows(struct th_engine *e, const struct th_tenant *t, enum th_limit id, int64_t more,
                     char *detail, size_t detail_size)
{
    int64_t allowed = th_engine_allowed(e, t, id), used;

    if (!allowed)
        return true;
    used = th_engine_used(e, t, id);
    if (used <= allowed && more <= allowed - used)
        return true;
    th_limit_reached(e, t, id, detail, detail_size);
    return false;
}
