/* Reports deliveries that retention has deleted before they were delivered: held deliveries of an endpoint
 * that was paused for too long, or the backlog of a dead one. One operator event and one warning line for
 * each endpoint and day say how many.
 *
 * The first that are deleted on a day are reported when the pass of retention has ended; those of the rest of the day are
 * reported with the first of the next, or when the server stops. LIMIT: a kill loses the count that has no report yet.
 *
 * Invariant: `dropped` has an entry for each endpoint that has lost something since its last report, or had its report today.
 * Without memory the report comes at once. */
#include "engine/control/dropped.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/settings/settings.h"
#include "engine/shard/operator.h"
#include "engine/state.h"

#define DAY_MS 86400000
/* an entry: so many without a report, and whether there was one today; never 0 */
#define ENTRY(count, told) ((void *)(uintptr_t)((count) << 2 | ((told) ? 2u : 0u) | 1u))
#define COUNT(entry) ((uint64_t)(uintptr_t)(entry) >> 2)
#define TOLD(entry) ((uintptr_t)(entry)&2)

void th_dropped_init(struct th_engine *e)
{
    th_map_init(&e->dropped, TH_SCHED_MAX_ENDPOINTS, e->hash_seed);
}

void th_dropped_fini(struct th_engine *e)
{
    th_map_fini(&e->dropped);
}

static void tell(struct th_engine *e, uint64_t endpoint, uint64_t count)
{
    const struct th_ep *ep = th_map_get(&e->endpoints, endpoint);

    if (!ep || ep->gone || ep->pub.tenant->deleting)
        return;
    th_log(TH_LOG_WARN, "retention has deleted deliveries that had not ended; their endpoint never got them",
           TH_KS("endpoint", ep->pub.run->id), TH_KS("tenant", ep->pub.tenant->id), TH_KI("count", count),
           TH_KC("state", ep->pub.disabled_at.ms ? "disabled"
                          : ep->pub.no_consent   ? "without consent"
                          : ep->pub.spec.active  ? "active"
                                                 : "paused"));
    th_operator_dropped(e, ep, count);
}

static void add(struct th_engine *e, uint64_t endpoint, uint32_t count)
{
    void *had = th_map_get(&e->dropped, endpoint);

    if (th_map_put(&e->dropped, endpoint, ENTRY(COUNT(had) + count, TOLD(had))) != TH_OK)
        tell(e, endpoint, count);
}

/* Another day: each endpoint may have a report again. */
static void new_day(struct th_engine *e)
{
    struct th_map before = e->dropped;
    uint64_t no;
    size_t i = 0;
    void *entry;

    th_dropped_init(e);
    while (th_map_next(&before, &i, &no, &entry))
        if (COUNT(entry) && th_map_put(&e->dropped, no, ENTRY(COUNT(entry), false)) != TH_OK)
            tell(e, no, COUNT(entry));
    th_map_fini(&before);
}

/* Reports endpoints that may have a report now, or all. */
static void tell_all(struct th_engine *e, bool everything)
{
    uint64_t no;
    size_t i = 0;
    void *entry;

    while (th_map_next(&e->dropped, &i, &no, &entry)) {
        if (!COUNT(entry) || (TOLD(entry) && !everything))
            continue;
        tell(e, no, COUNT(entry));
        if (th_map_put(&e->dropped, no, ENTRY((uint64_t)0, true)) != TH_OK) /* its place stays: cannot be */
            return;
    }
}

void th_dropped_note(struct th_engine *e, const struct th_purge *p)
{
    int64_t day = e->now.wall.ms / DAY_MS;

    for (uint32_t i = 0; i < p->dropped_count; i++)
        add(e, p->dropped[i].endpoint, p->dropped[i].count);
    if (p->more)
        return;
    if (day != e->dropped_day)
        new_day(e);
    e->dropped_day = day;
    tell_all(e, false);
}

void th_dropped_tell_all(struct th_engine *e)
{
    tell_all(e, true);
}
