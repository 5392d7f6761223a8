/* Enables an endpoint that failures have disabled, because a test of it has succeeded and its settings say so (enable.c has the owner's
 * side). A change like any other: it waits for its turn, and what it finds then decides. */
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "engine/control/change.h"
#include "engine/settings/settings.h"
#include "engine/shard/enable.h"
#include "engine/shard/operator.h"
#include "engine/state.h"

void th_change_begin_endpoint_enable(struct change_impl *i)
{
    i->next = i->ep->pub;
    if (!th_enable_may(&i->next)) {
        th_change_finish(i, TH_CH_CONFLICT);
        return;
    }
    i->next.rev++;
    i->next.updated = i->e->now.wall;
    th_change_clear_disabled(&i->next);
    if (th_run_new(i->e, &i->next, &i->next.spec, &i->run) || !th_change_endpoint_row(i, &i->next) ||
        !th_change_health_row(i, &i->next))
        th_change_no_memory(i);
    else
        th_change_submit(i, false);
}

static void enabled(struct th_change *c)
{
    struct th_enabling *n = TH_CONTAINER(c, struct th_enabling, c);
    struct th_ep *ep = th_map_get(&n->home->endpoints, n->endpoint);

    if (c->result == TH_CH_DONE && ep) {
        th_log(TH_LOG_INFO, "endpoint enabled: a test of it has succeeded",
               TH_KS("endpoint", ep->pub.run->id), TH_KS("tenant", ep->pub.tenant->id));
        th_operator_endpoint(n->home, ep, "recovered", "test");
    }
    th_change_fini(c);
    th_free(n);
}

void th_change_enable(struct th_engine *home, struct th_mail *m)
{
    struct th_enabling *n = TH_CONTAINER(m, struct th_enabling, mail);

    n->home = home;
    n->c.done = enabled;
    th_engine_change(home, &n->c);
}
