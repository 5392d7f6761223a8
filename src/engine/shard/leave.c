/* After an endpoint or a tenant has been deleted: its requests are cancelled, then its deliveries, and it
 * leaves memory. For a tenant with thousands of endpoints that takes several turns; nothing is sent to them
 * meanwhile. */
#include "engine/shard/leave.h"
#include "engine/context.h"
#include "engine/mail.h"
#include "engine/settings/settings.h"
#include "engine/shard/attempt.h"
#include "engine/shard/cancel.h"
#include "engine/state.h"

void th_leave_endpoint(struct th_engine *e, struct th_ep *ep)
{
    uint64_t no = ep->pub.no;
    bool cancelled = ep->pub.tenant->cancelled;

    ep->refs++;
    th_settings_remove_endpoint(e, ep);
    e->asks_void = e->asks_void || ep->ask;
    if (ep->refs > 1 && !cancelled)
        th_attempts_cancel(e, ep);
    th_ep_unref(e, ep);
    if (th_is_mine(e, no))
        th_cancel_endpoint(e, no);
}

void th_leave_tenant(struct th_engine *e, struct th_tenant *t)
{
    for (unsigned n = 0; n < t->endpoint_count; n++)
        th_settings_endpoint_gone(TH_CONTAINER(t->endpoints[n], struct th_ep, pub));
    for (unsigned n = e->key_count; n-- > 0;)
        if (e->keys[n]->tenant == t)
            th_settings_remove_key(e, e->keys[n]);
    th_settings_remove_tenant(e, t);
    t->next_leaving = e->leaving;
    e->leaving = t;
    e->more = true;
}

struct th_mono th_leave_wanted(const struct th_engine *e)
{
    return e->leaving ? e->now.mono : TH_MONO_NEVER;
}

/* Requests first: nothing begins any more, and each that ends would only be written down. */
void th_leave_begin(struct th_engine *e)
{
    while (e->leaving) {
        struct th_tenant *t = e->leaving;

        if (!t->cancelled) {
            t->cancelled = th_attempts_cancel_some(e, t);
        } else if (t->endpoint_count) {
            th_leave_endpoint(e, TH_CONTAINER(t->endpoints[t->endpoint_count - 1], struct th_ep, pub));
        } else {
            e->leaving = t->next_leaving;
        }
        if (e->leaving && th_engine_turn_over(e, TH_TURN_DISPATCH_US)) {
            e->more = true;
            return;
        }
    }
}
