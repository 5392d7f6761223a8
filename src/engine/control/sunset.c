/* Tells of endpoints that get a version of an event type whose time is ending: in the log and as metrics at the start, at each midnight
 * (UTC) and when a type is changed, and as events to the operator and to the endpoint's tenant.
 *
 * Nothing else happens, also when the time has come: a version is data that somebody's program reads, and no clock takes that away. Events
 * come thirty days, seven days and a day before, on the day, and every seventh day from then on; and at once for what a changed type says.
 * LIMIT: a midnight at which no server runs is not made up for; and of one pass at most EVENTS_MAX endpoints are told of, the log
 * counts all.
 *
 * A pass looks at ENDPOINTS pinned endpoints in one turn. With several nodes the first of them does it, with several engines home. */
#include "engine/control/sunset.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/context.h"
#include "engine/mail.h"
#include "engine/settings/catalogue.h"
#include "engine/settings/filters.h"
#include "engine/settings/settings.h"
#include "engine/shard/ingest.h"
#include "engine/shard/operator.h"
#include "engine/state.h"

#define DAY_MS INT64_C(86400000)
#define NEAR_DAYS 30
#define ENDPOINTS 20
#define EVENTS_MAX 1000

void th_sunset_look(struct th_engine *e, const struct th_event_type *type, bool changed)
{
    struct th_sunset *s = &e->sunset;

    for (unsigned i = 0; i < type->version_count; i++)
        if (type->versions[i].sunset) {
            s->any = true;
            s->next_ms = 0;
            s->changed = s->changed || changed;
        }
}

struct th_mono th_sunset_wanted(const struct th_engine *e)
{
    const struct th_sunset *s = &e->sunset;
    int64_t wait_ms = s->next_ms - e->now.wall.ms;

    if (!s->any || !th_is_first(e))
        return TH_MONO_NEVER;
    return s->running || wait_ms <= 0 ? e->now.mono : (struct th_mono){e->now.mono.us + wait_ms * 1000};
}

/* Days until then, begun ones too; 0 or less: it is over, for so many whole days. */
static int64_t days_left(const struct th_engine *e, int64_t sunset)
{
    int64_t ms = sunset - e->now.wall.ms;

    return ms > 0 ? (ms + DAY_MS - 1) / DAY_MS : -(-ms / DAY_MS);
}

static bool is_told(const struct th_sunset *s, int64_t days)
{
    if (s->telling == TH_SUNSET_CHANGED)
        return true;
    return s->telling == TH_SUNSET_DAILY &&
           (days == NEAR_DAYS || days == 7 || days == 1 || (days <= 0 && days % 7 == 0));
}

static void type_of(struct th_engine *e, const struct th_ep *ep, const struct th_event_type *type)
{
    struct th_sunset *s = &e->sunset;
    const struct th_type_version *v;
    int64_t days;

    if (type->version_count < 2 || !th_ingest_matches(ep, type->name))
        return;
    v = &type->versions[th_type_version_for(type, type->versions[0].version, ep->pub.spec.data_version)];
    days = v->sunset ? days_left(e, v->sunset) : NEAR_DAYS + 1;
    if (days > NEAR_DAYS)
        return;
    if (days > 0)
        s->near++;
    else
        s->past++;
    if (is_told(s, days) && s->told < EVENTS_MAX) {
        s->told++;
        th_operator_sunset(e, ep, type, v);
    }
}

static void endpoint_of(struct th_engine *e, const struct th_tenant *t, const struct th_ep *ep)
{
    const struct th_tenant *all = th_smap_get(&e->tenants_by_id, TH_LIT(TH_CATALOGUE_OF_ALL));

    for (unsigned i = 0; i < t->catalogue.count; i++)
        type_of(e, ep, t->catalogue.types[i]);
    for (unsigned i = 0; all && all != t && i < all->catalogue.count; i++)
        if (!th_catalogue_own(t, all->catalogue.types[i]->name))
            type_of(e, ep, all->catalogue.types[i]);
}

static void end(struct th_engine *e)
{
    struct th_sunset *s = &e->sunset;

    s->running = false;
    th_gauge_set(e->options.metrics, TH_G_SUNSET_NEAR, s->near);
    th_gauge_set(e->options.metrics, TH_G_SUNSET_PAST, s->past);
    if (s->near || s->past)
        th_log(TH_LOG_WARN,
               "endpoints get versions of event types that are ending; GET /v1/event-types/{type}/usage says "
               "which",
               TH_KI("within_30_days", s->near), TH_KI("ended", s->past));
}

static void start(struct th_engine *e)
{
    struct th_sunset *s = &e->sunset;

    s->telling = s->changed ? TH_SUNSET_CHANGED : s->next_ms > 0 ? TH_SUNSET_DAILY : TH_SUNSET_QUIET;
    s->changed = false;
    s->running = true;
    s->tenant = 0;
    s->at = 0;
    s->near = s->past = s->told = 0;
    s->next_ms = (e->now.wall.ms / DAY_MS + 1) * DAY_MS;
}

/* One tenant, up to `left` endpoints. True: all of it. */
static bool tenant_of(struct th_engine *e, const struct th_tenant *t, unsigned *left)
{
    struct th_sunset *s = &e->sunset;

    for (; !t->deleting && *left && s->at < t->endpoint_count; s->at++)
        if (t->endpoints[s->at]->spec.data_version) {
            endpoint_of(e, t, TH_CONTAINER(t->endpoints[s->at], struct th_ep, pub));
            --*left;
        }
    return t->deleting || s->at >= t->endpoint_count;
}

void th_sunset_begin(struct th_engine *e)
{
    struct th_sunset *s = &e->sunset;
    unsigned left = ENDPOINTS;

    if (!s->running)
        start(e);
    for (; s->tenant < e->tenant_count; s->tenant++, s->at = 0)
        if (!tenant_of(e, e->tenants[s->tenant], &left) || th_engine_turn_over(e, TH_TURN_DISPATCH_US))
            return;
    end(e);
}
