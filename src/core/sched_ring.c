/* Whose turn it is: rings of tenants, rings of their endpoints, slots of two classes, and the timers.
 *
 * An endpoint that could send now is on the ring of its rank within its tenant; one that could send at a
 * known moment has a timer; any other waits for an event (an item, a result, a release) that calls
 * ep_place(). ep_place() alone decides, from the whole state, so no change needs to know what the others
 * changed.
 *
 *   rank      it is                                          its requests in flight, at most
 *   PROVEN     last attempt was a success within a second     all slots
 *   UNTRIED    never tried, or a test waits                   half of the slots, together with those below;
 * goes first there TRIED      else                                           the same half DEAD       breaker
 * open                                   a quarter
 *
 * Proven and others take turns, so neither starves while slots come free; silent endpoints, which hold a slot
 * until their time-out, can hold half of the slots, and those known to be dead half of that. A request of a
 * proven endpoint that is older than a second is booked with the others, and its endpoint is proven no more.
 *
 * Invariants: an endpoint is on a ring only if a pick from it gives an item; a timer is later than now once
 * the clock has been moved. Nothing here allocates or fails. */
#include "core/sched_int.h"

uint32_t probation_max(const struct th_sched *s)
{
    return s->conf.max_in_flight > 1 ? s->conf.max_in_flight / 2 : 1;
}

uint32_t dead_max(const struct th_sched *s)
{
    return s->conf.max_in_flight > 3 ? s->conf.max_in_flight / 4 : 1;
}

/* ---- endpoint ---- */

static bool may_test(const struct ep *ep)
{
    return ep->test.head && ep->tests < TESTS_MAX;
}

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The moment from which the endpoint could send; INT64_MAX: not before some event. */
static int64_t send_moment(const struct th_sched *s, const struct ep *ep)
{
    int64_t at = INT64_MAX;

    if (may_test(ep))
        return INT64_MIN;
    if (ep->conf.held || ep->in_flight >= th_window_size(&ep->window))
        return INT64_MAX;
    if (ep->manual.head || ep->fresh.head || ep->replay.head)
        at = INT64_MIN;
    else if (ep->retry)
        at = item_at(s, ep->retry)->due_us;
    else
        return INT64_MAX;
    /* Somebody asked for a manual one: it need not wait for the next probe. */
    if (!ep->manual.head)
        at = later_of(at, th_window_not_before_us(&ep->window, ep->conf.probe_spacing_us));
    return later_of(at, th_bucket_ready_us(&ep->bucket));
}

static enum rank rank_of(const struct ep *ep)
{
    if (ep->proven)
        return C_PROVEN;
    if (!ep->tried || may_test(ep))
        return C_UNTRIED;
    return ep->window.open ? C_DEAD : C_TRIED;
}

static void ring_leave(struct ep *ep)
{
    if (ep->ring < 0)
        return;
    th_list_remove(&ep->link);
    if (th_list_empty(&ep->tenant->ring[ep->ring].eps))
        th_list_remove(&ep->tenant->ring[ep->ring].link);
    ep->ring = -1;
}

static void ring_enter(struct th_sched *s, struct ep *ep, enum rank rank)
{
    struct tenant *t = ep->tenant;

    if (th_list_empty(&t->ring[rank].eps))
        th_list_append(&s->ring[rank], &t->ring[rank].link);
    th_list_append(&t->ring[rank].eps, &ep->link);
    ep->ring = (int8_t)rank;
}

static void timer_set(struct th_sched *s, struct ep *ep, int64_t at)
{
    if (ep->timer.key != at)
        th_heap_rekey(&s->timers, &ep->timer, at);
}

void ep_place(struct th_sched *s, struct ep *ep)
{
    int64_t at = send_moment(s, ep), round = spill_round_us(ep);
    int ring = at <= s->now_us ? (int)rank_of(ep) : -1;

    if (ring != ep->ring) {
        ring_leave(ep);
        if (ring >= 0)
            ring_enter(s, ep, (enum rank)ring);
    }
    if (ring >= 0 || round < at)
        at = round;
    timer_set(s, ep, at);
}

void ep_unplace(struct th_sched *s, struct ep *ep)
{
    ring_leave(ep);
    timer_set(s, ep, INT64_MAX);
}

uint32_t ep_next_item(struct th_sched *s, struct ep *ep)
{
    bool due = ep->retry && item_at(s, ep->retry)->due_us <= s->now_us;
    uint32_t id;

    if (may_test(ep)) {
        id = ep->test.head;
    } else if (ep->manual.head) {
        id = ep->manual.head;
    } else {
        bool replay = ep->replay.head && ++ep->picks % REPLAY_EVERY == 0;
        if (replay || (!due && !ep->fresh.head)) {
            id = ep->replay.head;
        } else if (due && (!ep->fresh.head || ep->retry_turn)) {
            id = ep->retry;
            ep->retry_turn = false;
        } else {
            id = ep->fresh.head;
            ep->retry_turn = true;
        }
    }
    if (id)
        item_take(s, ep, id);
    return id;
}

/* ---- slots ---- */

void slot_take(struct th_sched *s, struct ep *ep, uint32_t id)
{
    struct item *it = item_at(s, id);
    enum rank rank = ep->ring == C_PROVEN || ep->ring == C_DEAD ? (enum rank)ep->ring : C_TRIED;

    it->place = P_FLIGHT;
    it->booked = rank & 3;
    it->due_us = s->now_us;
    s->in_flight++;
    if (rank == C_PROVEN) {
        list_append(s, &s->young, id);
        return;
    }
    s->probation++;
    if (rank == C_DEAD)
        s->dead++;
}

void slot_give(struct th_sched *s, uint32_t id)
{
    struct item *it = item_at(s, id);

    s->in_flight--;
    if (it->booked == C_PROVEN) {
        list_remove(s, &s->young, id);
        return;
    }
    s->probation--;
    if (it->booked == C_DEAD)
        s->dead--;
}

/* Requests that have taken a second are no proof of life any more. */
static void age_young(struct th_sched *s)
{
    while (s->young.head) {
        uint32_t id = s->young.head;
        struct item *it = item_at(s, id);
        struct ep *ep = s->ep[it->ep];
        if (s->now_us - it->due_us <= SLOW_US)
            return;
        list_remove(s, &s->young, id);
        it->booked = C_TRIED;
        s->probation++;
        ep->proven = false;
        if (!ep->gone)
            ep_place(s, ep);
    }
}

void sched_advance(struct th_sched *s, struct th_mono now)
{
    struct th_heap_node *top;

    if (now.us > s->now_us)
        s->now_us = now.us;
    age_young(s);
    while ((top = th_heap_top(&s->timers)) && top->key <= s->now_us) {
        struct ep *ep = TH_CONTAINER(top, struct ep, timer);
        if (spill_round_us(ep) <= s->now_us)
            spill_round_start(s, ep);
        ep_place(s, ep);
    }
    while (!th_list_empty(&s->later)) {
        struct ep *ep = TH_CONTAINER(s->later.next, struct ep, fill_link);
        if (ep->fill_after_us > s->now_us)
            return;
        th_list_remove(&ep->fill_link);
        ep->fill = F_NONE;
        spill_update(s, ep);
    }
}

/* ---- turns ---- */

/* Class of the next pick within probation, or -1. */
static int probation_rank(const struct th_sched *s)
{
    bool tried = !th_list_empty(&s->ring[C_TRIED]);
    bool dead = !th_list_empty(&s->ring[C_DEAD]) && s->dead < dead_max(s);

    if (s->probation >= probation_max(s))
        return -1;
    if (!th_list_empty(&s->ring[C_UNTRIED]))
        return C_UNTRIED;
    if (tried && dead)
        return s->dead_turn ? C_DEAD : C_TRIED;
    return tried ? (int)C_TRIED : dead ? (int)C_DEAD : -1;
}

static int next_rank(const struct th_sched *s)
{
    bool proven = !th_list_empty(&s->ring[C_PROVEN]);
    int other;

    if (s->in_flight >= s->conf.max_in_flight)
        return -1;
    other = probation_rank(s);
    if (proven && (other < 0 || !s->probation_turn))
        return C_PROVEN;
    return other;
}

bool sched_has_turn(const struct th_sched *s)
{
    return next_rank(s) >= 0;
}

struct ep *sched_turn(struct th_sched *s)
{
    int rank = next_rank(s);
    struct tenant *t;
    struct th_list *l;

    if (rank < 0)
        return NULL;
    s->probation_turn = rank == C_PROVEN;
    if (rank == C_TRIED || rank == C_DEAD)
        s->dead_turn = rank == C_TRIED;
    l = th_list_pop(&s->ring[rank]);
    th_list_append(&s->ring[rank], l);
    t = (struct tenant *)(void *)((char *)l - offsetof(struct tenant, ring[0].link) -
                                  (size_t)rank * sizeof t->ring[0]);
    l = th_list_pop(&t->ring[rank].eps);
    th_list_append(&t->ring[rank].eps, l);
    return TH_CONTAINER(l, struct ep, link);
}
