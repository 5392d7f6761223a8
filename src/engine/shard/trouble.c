/* Health that speaks: what the end of an attempt changes in what is known of its endpoint becomes an operator event, each once.
 *
 * In the memory of the engine that owns the endpoint alone: after a start the window is empty, and what goes on being wrong is told once
 * more. What is our own fault is not counted: attempts that could not begin are none (attempt_end.c), and silence while nobody
 * at all answers says nothing of one endpoint. */
#include "engine/shard/trouble.h"
#include "engine/settings/settings.h"
#include "engine/shard/attempt.h"
#include "engine/shard/operator.h"
#include "engine/state.h"

static bool is_broken(const struct th_engine *e, const struct th_ep *ep)
{
    struct th_sched_endpoint_stats stats = {0};

    return th_sched_endpoint_stats(e->sched, ep->pub.no, &stats) && stats.breaker_open;
}

/* Notes a silent attempt. True: it says nothing of its endpoint. */
static bool is_blackout(struct th_attempt *a, enum th_learn learn)
{
    if (learn == TH_LEARN_FAILED && a->out.req.res.class != TH_HTTP_DENIED)
        return th_trouble_blackout(&a->e->blackout, a->ep->pub.no);
    if (learn != TH_LEARN_FAILED)
        th_blackout_answered(&a->e->blackout);
    return false;
}

void th_trouble_learn(struct th_attempt *a, const struct th_outcome *o, enum th_learn learn)
{
    struct th_engine *e = a->e;
    struct th_ep *ep = a->ep;
    struct th_trouble *t = &ep->trouble;
    bool delivered = o->step.verdict == TH_V_DELIVERED;
    struct th_rules room;
    unsigned new;

    if (learn == TH_LEARN_NEUTRAL || ep->gone || is_blackout(a, learn) || o->step.verdict == TH_V_FINAL)
        return;
    if (learn == TH_LEARN_FAILED)
        t->silent_us = e->now.mono.us;
    if (!a->row.attempts && a->row.lane == TH_LANE_FRESH)
        th_trouble_first(t, delivered, e->now.mono);
    if (a->recovered) /* that is told by itself */
        t->told &= TH_TROUBLE_RATE;
    if (delivered) {
        if (th_trouble_over(t, &ep->pub.health, e->now.mono))
            th_operator_endpoint(e, ep, "recovered", "healthy");
        return;
    }
    new = th_trouble_new(t, th_ep_rules(&ep->pub, &room), &ep->pub.health, is_broken(e, ep), a->ended.wall,
                         e->now.mono);
    for (unsigned what = TH_TROUBLE_RATE; what <= TH_TROUBLE_DISABLING; what <<= 1)
        if (new &what)
            th_operator_trouble(e, ep, what);
}
