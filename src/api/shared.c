/* State that the APIs of one process share: rates, what is known about clients that try keys, and which
 * Idempotency-Keys are under way. There is one of each for the installation, however many threads take
 * requests. */
#include "api/shared.h"
#include "api/api.h"
#include "base/alloc.h"
#include "port/clock.h"

struct th_api_shared *th_api_shared_new(const struct th_entropy *entropy)
{
    struct th_api_shared *shared = th_calloc(1, sizeof *shared);
    uint64_t seed;

    if (!shared)
        return NULL;
    entropy->fill(entropy->ctx, &seed, sizeof seed);
    th_api_meter_init(&shared->keys, seed);
    th_api_meter_init(&shared->tenants, seed);
    th_api_meter_init(&shared->addresses, seed);
    th_api_sessions_init(&shared->sessions);
    th_api_portals_init(&shared->portals);
    th_map_init(&shared->idem, 1u << 16, seed);
    (void)pthread_mutex_init(&shared->lock, NULL); /* a mutex of the default kind: this cannot fail */
    return shared;
}

void th_api_shared_free(struct th_api_shared *shared)
{
    if (!shared)
        return;
    th_map_fini(&shared->idem);
    th_api_sessions_fini(&shared->sessions);
    th_api_portals_fini(&shared->portals);
    th_api_meter_fini(&shared->keys);
    th_api_meter_fini(&shared->tenants);
    th_api_meter_fini(&shared->addresses);
    (void)pthread_mutex_destroy(&shared->lock);
    th_free(shared);
}
