/* Keeps what is known about the rows that are not in memory: two numbers for each endpoint, and when these rows are wanted
 * (sched_spill.c explains them). It changes nothing else, so it may be called while an endpoint is being placed. */
#include "core/sched_int.h"

static uint32_t refill_below(const struct th_sched *s)
{
    return s->options.max_items_per_endpoint > 4 ? s->options.max_items_per_endpoint / 4 : 1;
}

void spill_note(struct th_sched *s, struct ep *ep, uint64_t no, int64_t due_us)
{
    bool was = ep_spilled(ep);

    if (spill_is_far(s, ep, due_us)) {
        spill_lower(&ep->park_from, no);
        if (due_us < ep->park_due_us)
            ep->park_due_us = due_us;
    } else if (ep->fill == F_WALKING) {
        spill_lower(&ep->missed, no);
    } else {
        spill_read_from(ep, no);
    }
    s->spilled += !was;
}

void spill_park(struct th_sched *s, struct ep *ep, uint64_t no, int64_t due_us)
{
    s->spilled += !ep_spilled(ep);
    spill_lower(&ep->park_from, no);
    if (due_us < ep->park_due_us)
        ep->park_due_us = due_us;
}

void spill_read_from(struct ep *ep, uint64_t no)
{
    if (!ep->spill_from) {
        ep->pass++;
        ep->pass_from = no;
    } else if (no < ep->pass_from) {
        ep->pass_from = no;
    }
    spill_lower(&ep->spill_from, no);
}

bool spill_parks(const struct th_sched *s, const struct ep *ep, int64_t due_us)
{
    return ep_spilled(ep) && spill_is_far(s, ep, due_us);
}

void spill_update(struct th_sched *s, struct ep *ep)
{
    bool wants = ep->spill_from && (!ep->satisfied || ep->blocked || ep_held_items(ep) < refill_below(s));

    if (ep->fill == F_NONE && wants) {
        ep->fill = F_WANTING;
        th_list_append(&s->wanting, &ep->fill_link);
    } else if (ep->fill == F_WANTING && !wants) {
        ep->fill = F_NONE;
        th_list_remove(&ep->fill_link);
    }
}

int64_t spill_round_us(const struct ep *ep)
{
    int64_t at;

    if (!ep->park_from || ep->spill_from || ep->options.held)
        return INT64_MAX;
    if (ep->park_due_us == INT64_MAX) /* something else tells when */
        return INT64_MAX;
    at = ep->park_due_us - ep->horizon_us;
    return at > ep->round_after_us ? at : ep->round_after_us;
}

void spill_round_start(struct th_sched *s, struct ep *ep)
{
    ep->satisfied = ep_held_items(ep) > s->options.max_items_per_endpoint / 2;
    spill_read_from(ep, ep->park_from);
    ep->park_from = 0;
    ep->park_due_us = INT64_MAX;
    spill_update(s, ep);
}

void spill_round_end(struct th_sched *s, struct ep *ep)
{
    int64_t rest_us = ep->walked_us * 4; /* so reading takes at most a fifth of the time */

    order_pass_ended(s, ep);
    if (rest_us < (ep->lines ? LINE_ROUND_US : ep->horizon_us / 4))
        rest_us = ep->lines ? LINE_ROUND_US : ep->horizon_us / 4;
    ep->round_after_us = s->now_us + rest_us;
    ep->walked_us = 0;
    if (ep_held_items(ep) < refill_below(s) && ep->horizon_us < HORIZON_US)
        ep->horizon_us *= 2;
    s->spilled -= !ep_spilled(ep);
}
