/* How many requests of a tenant are under way to one address, whatever the names that lead there.
 *
 * The scheduler counts them and lets endpoints wait (core/sched_address.c); here an address becomes the
 * number under which it is counted. Each tenant has its own count: another tenant's requests to the same
 * address, which may be a hoster's or a CDN's, are not included. An IPv6 address counts as its network of 64
 * bits, because one machine has all addresses of that. On this machine, which no third party owns, each port
 * is a service of its own. Tests are not counted. */
#include "engine/shard/address.h"
#include "base/map.h"
#include "engine/shard/attempt.h"
#include "engine/state.h"

static uint64_t number_of(const struct th_attempt *a, const struct th_addr *addr)
{
    uint64_t tenant = a->ep->pub.tenant->no, seed = a->e->place_seed ^ tenant * 0x9e3779b97f4a7c15u, n;

    if (th_addr_loopback(addr))
        seed += a->run->url.port;
    n = th_hash(th_span(addr->ip, addr->family == 4 ? 4 : 8), seed);
    return n ? n : 1;
}

/* The index of the number, which is added if it is new. */
static unsigned place_of(struct th_attempt *a, uint64_t number)
{
    for (unsigned i = 0; i < a->counted; i++)
        if (a->counted_at[i] == number)
            return i;
    a->counted_at[a->counted] = number;
    return a->counted++;
}

unsigned th_address_take(struct th_attempt *a, unsigned count)
{
    uint8_t place[TH_CONNECT_MAX];
    uint32_t room;
    unsigned kept = 0;

    a->counted = 0;
    if (a->row.lane == TH_LANE_TEST)
        return count;
    for (unsigned i = 0; i < count; i++)
        place[i] = (uint8_t)place_of(a, number_of(a, &a->out.addrs[i]));
    room = th_sched_connect(a->e->sched, a->row.no, a->counted_at, a->counted, a->e->now.mono);
    for (unsigned i = 0; i < count; i++)
        if (room >> place[i] & 1)
            a->out.addrs[kept++] = a->out.addrs[i];
    return kept;
}

void th_address_give(struct th_attempt *a)
{
    if (a->counted)
        th_sched_disconnect(a->e->sched, a->counted_at, a->counted, a->e->now.mono);
    a->counted = 0;
}
