/* The owner's side of enabling by a test: asks home. If the process dies before that is stored, the endpoint stays disabled, and
 * the next test asks again. */
#include "engine/shard/enable.h"
#include "base/alloc.h"
#include "engine/mail.h"
#include "engine/settings/settings.h"
#include "engine/shard/disable.h"
#include "engine/state.h"

bool th_enable_may(const struct th_endpoint *ep)
{
    return ep->disabled_at.ms && ep->spec.reenable_on_test &&
           !th_span_eq(ep->disabled_reason, th_str(th_disable_name(TH_DISABLE_GONE)));
}

void th_enable_by_test(struct th_engine *e, const struct th_ep *ep)
{
    struct th_span tenant = ep->pub.tenant->id;
    struct th_enabling *n;

    if (ep->gone || !th_enable_may(&ep->pub) || tenant.n >= sizeof n->tenant)
        return;
    n = th_calloc(1, sizeof *n);
    if (!n)
        return;
    n->endpoint = ep->pub.no;
    memcpy(n->tenant, tenant.p, tenant.n);
    n->c.kind = TH_CHANGE_ENDPOINT_ENABLE;
    n->c.tenant_id = th_span(n->tenant, tenant.n);
    n->c.endpoint = ep->pub.no;
    if (th_is_home(e))
        e->disable_home->enable(e, &n->mail);
    else
        th_mail_send(e, 0, &n->mail, e->disable_home->enable);
}
