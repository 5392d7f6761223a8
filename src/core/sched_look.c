/* Answers questions about the scheduler: counts, the state of an endpoint, how late the latest delivery is. It changes nothing that
 * decides who goes next. */
#include "core/sched_int.h"

struct th_sched_stats th_sched_stats(const struct th_sched *s)
{
    return (struct th_sched_stats){.items = s->items,
                                   .in_flight = s->in_flight,
                                   .endpoints = s->ep_live,
                                   .spilled_endpoints = s->spilled,
                                   .broken_endpoints = s->broken};
}

/* Earliest due of what waits; INT64_MAX: nothing. Held, silent and resting endpoints are left out: they wait
 * for a reason of their own. */
static int64_t first_due_us(const struct th_sched *s, const struct ep *ep)
{
    const uint32_t first[] = {ep->manual.head, ep->fresh.head, ep->retry};
    int64_t due = INT64_MAX;

    if (ep->gone || ep->options.held || ep->breaker.open || ep->rest_us > s->now_us)
        return INT64_MAX;
    for (unsigned i = 0; i < sizeof first / sizeof *first; i++)
        if (first[i] && item_at(s, first[i])->due_us < due)
            due = item_at(s, first[i])->due_us;
    return due;
}

int64_t th_sched_overdue_us(struct th_sched *s, struct th_mono now)
{
    for (uint32_t n = 0; n < LOOK_STEP && s->looked < s->eps; n++) {
        const struct ep *ep = s->ep[++s->looked];
        int64_t due = ep ? first_due_us(s, ep) : INT64_MAX;
        if (due < s->look_due_us)
            s->look_due_us = due;
    }
    if (s->looked >= s->eps) {
        s->overdue_due_us = s->look_due_us;
        s->look_due_us = INT64_MAX;
        s->looked = 0;
    }
    return s->overdue_due_us < now.us ? now.us - s->overdue_due_us : 0;
}

bool th_sched_endpoint_stats(const struct th_sched *s, uint64_t no, struct th_sched_endpoint_stats *out)
{
    const struct ep *ep = th_map_get(&s->ep_by_no, no);

    if (!ep)
        return false;
    *out = (struct th_sched_endpoint_stats){.waiting = ep->waiting,
                                            .in_flight = ep->in_flight + ep->tests,
                                            .breaker_open = ep->breaker.open,
                                            .spilled = ep_spilled(ep),
                                            .proven = ep->proven,
                                            .held = ep->options.held};
    return true;
}
