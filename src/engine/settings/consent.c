/* Consent of receivers: if it is asked for, no delivery goes to a URL whose server has not agreed to it (the
 * specification "HTTP 1.1 Web Hooks for Event Delivery" 1.0, section 4: abuse protection). This file decides
 * which endpoints need consent, which have it, and when those that lack it are asked next; ask.c asks.
 *
 * An endpoint without consent is held more strictly than a paused one: tests and attempts that somebody asks
 * for by hand wait, too. Consent is stored in the endpoint's row before the first delivery goes; a missing or
 * refused consent is only in memory, so that after a start those that have not agreed are asked again.
 *
 * Invariant: an endpoint is in the heap of those to be asked, or is being asked, or neither and then it has agreed, need not, or
 * has been asked TH_CONSENT_ASKS times. */
#include "engine/settings/consent.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/settings/settings.h"
#include "engine/state.h"

bool th_consent_wanted(const struct th_engine *e, const struct th_tenant *t)
{
    return e->options.consent_origin.n && (e->options.consent_all || th_dialect_values(t->dialect)->consent);
}

bool th_engine_consent(const struct th_engine *e, const struct th_endpoint *ep, struct th_consent *out)
{
    *out = ep->consent;
    if (!th_consent_wanted(e, ep->tenant))
        return false;
    if (ep->no_consent && out->state == TH_CONSENT_ALLOWED) /* to another name than today's */
        *out = (struct th_consent){0};
    return true;
}

uint64_t th_consent_origin(const struct th_engine *e)
{
    return th_hash(e->options.consent_origin, 0) >> 2;
}

enum th_error th_consent_judge(struct th_engine *e, struct th_ep *ep)
{
    struct th_consent *c = &ep->pub.consent;

    ep->pub.no_consent = th_consent_wanted(e, ep->pub.tenant) &&
                         !(c->state == TH_CONSENT_ALLOWED && c->origin == th_consent_origin(e));
    if (!ep->pub.no_consent) {
        th_heap_remove(&e->to_ask, &ep->ask_at);
        ep->asked = 0;
    } else if (!ep->ask && !ep->ask_at.pos && ep->asked < TH_CONSENT_ASKS) {
        return th_heap_insert(&e->to_ask, &ep->ask_at, e->now.mono.us, ep->pub.no);
    }
    return TH_OK;
}

double th_consent_pace(const struct th_endpoint *ep, double rate_per_s)
{
    double most = ep->consent.rate / 60.0;

    if (ep->consent.state != TH_CONSENT_ALLOWED || !ep->consent.rate)
        return rate_per_s;
    return rate_per_s > 0 && rate_per_s < most ? rate_per_s : most;
}

void th_consent_ask_at(struct th_engine *e, struct th_ep *ep, int64_t us)
{
    if (ep->gone || !ep->pub.no_consent || ep->ask)
        return;
    if (ep->ask_at.pos)
        th_heap_rekey(&e->to_ask, &ep->ask_at, us);
    else if (th_heap_insert(&e->to_ask, &ep->ask_at, us, ep->pub.no))
        th_log(TH_LOG_WARN, "an endpoint is asked for consent only after its next change: out of memory",
               TH_KS("endpoint", ep->pub.run->id));
    e->more = true;
}

void th_consent_again(struct th_engine *e, struct th_ep *ep)
{
    ep->asked = 0;
    th_consent_ask_at(e, ep, e->now.mono.us);
}
