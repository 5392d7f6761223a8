/* Ends of the client certificates that endpoints show, told ahead: 30 days, 7 days and a day before, and when one has ended.
 *
 * A certificate ends on a day when nobody looks, and from then on every delivery fails. So each hour, and soon after a change of an
 * endpoint that has one, the engine looks through its own endpoints: what is near is a line of the log and an operator event, and
 * the metric counts them. What has been told is in memory only, so it is told once more after a start.
 *
 * The look is divided: a turn does as many tenants as it has time for. */
#include "engine/shard/certificate.h"
#include "base/log.h"
#include "base/metric.h"
#include "engine/context.h"
#include "engine/mail.h"
#include "engine/settings/settings.h"
#include "engine/shard/operator.h"
#include "engine/state.h"

#define HOUR_US 3600000000
#define DAY_MS 86400000

/* How near the end is: 0: not near, to 4: it has come. */
static unsigned level_of(int64_t left_ms)
{
    return left_ms <= 0                     ? 4
           : left_ms <= DAY_MS              ? 3
           : left_ms <= 7 * (int64_t)DAY_MS ? 2
                                            : left_ms <= 30 * (int64_t)DAY_MS;
}

static void look(struct th_engine *e, struct th_ep *ep)
{
    const struct th_reach *reach = ep->pub.spec.reach;
    int64_t end = reach ? reach->tls.expires_ms : 0;
    unsigned level = end ? level_of(end - e->now.wall.ms) : 0;

    if (end != ep->certificate_end)
        ep->certificate_told = 0;
    ep->certificate_end = end;
    e->certificates_near += level > 0;
    if (level <= ep->certificate_told)
        return;
    ep->certificate_told = level;
    th_log(TH_LOG_WARN,
           level == 4 ? "the client certificate of an endpoint has expired"
                      : "the client certificate of an endpoint expires soon",
           TH_KS("endpoint", ep->pub.run->id), TH_KS("tenant", ep->pub.tenant->id),
           TH_KI("days_left", (end - e->now.wall.ms) / DAY_MS));
    th_operator_certificate(e, ep, (struct th_wall){end});
}

struct th_mono th_certificates_wanted(const struct th_engine *e)
{
    if (!e->started)
        return TH_MONO_NEVER;
    return e->certificates_changed || e->certificates_tenant ? e->now.mono : e->certificates_at;
}

void th_certificates_begin(struct th_engine *e)
{
    if (!e->certificates_tenant) {
        e->certificates_near = 0;
        e->certificates_changed = false;
    }
    while (e->certificates_tenant < e->tenant_count) {
        const struct th_tenant *t = e->tenants[e->certificates_tenant++];

        for (unsigned i = 0; i < t->endpoint_count; i++)
            if (th_is_mine(e, t->endpoints[i]->no))
                look(e, TH_CONTAINER(t->endpoints[i], struct th_ep, pub));
        if (th_engine_turn_over(e, TH_TURN_DISPATCH_US))
            return;
    }
    e->certificates_tenant = 0;
    e->certificates_at.us = e->now.mono.us + HOUR_US;
    th_gauge_set(e->options.metrics, TH_G_CERTIFICATES_NEAR, e->certificates_near);
}
