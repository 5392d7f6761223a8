/* Whose turn it is: rings of tenants, rings of their endpoints, slots of several classes, and the timers.
 *
 * An endpoint that could send now is on the ring of its rank within its tenant; one that could send at a
 * known moment has a timer; any other waits for an event (an item, a result, a release) that calls
 * ep_place(). ep_place() alone decides, from the whole state, so no change needs to know what the others
 * changed. While slots are free an endpoint has up to options.max_in_flight requests under way, whatever its rank:
 * what it has earned decides only who waits when slots are scarce.
 *
 *   rank       it is                                           its requests in flight, at most
 *   PROVEN     last answer came within a second,               all slots
 *              and none is in flight now
 *   BUSY       the same with some in flight                    all but an eighth, or a quarter of such
 *   UNTRIED    never tried, or a test waits                    half of the slots, together with all below
 *   SHAKEN     has answered, fewer than three silent since     the same half but for an eighth of it
 *   TRIED      else, none in flight                            three eighths, together with DEAD and MORE
 *   DEAD       breaker open, none in flight                    a quarter
 *   MORE       TRIED or DEAD, but with some in flight          while TRIED, DEAD and MORE hold less than three
 *                                                              sixteenths
 *
 * An answer is one whatever it says: an endpoint that refuses every delivery at once holds no slot, so it costs
 * nobody anything. Proven and busy ones take turns, and these with the others, so none starves while slots come
 * free; silent endpoints, which hold a slot until their time-out, can hold half of the slots, and those that show
 * no life less, so that a new one or one with a single bad answer does not queue behind a thousand dead ones; and
 * where there are many of them, each has one request at a time. Within probation three turns of four are for
 * UNTRIED and SHAKEN. A request of a proven endpoint that is older than a second is booked in probation, and its
 * endpoint is proven no more; one of an untried endpoint is booked with those of TRIED. Of the last eighth of all
 * slots an endpoint gets one, so what a crowd of proven endpoints sends before it is known that all of them fell
 * silent leaves room for those that answer. But where so many endpoints have one request each that the eighth is
 * never free, a quarter of the slots may be a second one.
 *
 * The last quarter of the half is a reserve, so that a crowd of silent newcomers does not take the place of the
 * next one for a whole time-out. Of what is free of it untried endpoints take a sixteenth a second at most, so it
 * runs low but not out, and requests that are answered within the second do not count. The one that came last
 * and the one whose turn it is go in turn: the first waits for no crowd, the second is not passed for ever.
 *
 * Invariants: an endpoint is on a ring only if a pick from it gives an item; a timer is later than now once
 * the clock has been moved. Nothing here allocates or fails. */
#include "core/sched_int.h"

/* eighths of all slots, at least one */
static uint32_t share_of(const struct th_sched *s, uint32_t eighths)
{
    uint32_t n = (uint32_t)((uint64_t)s->options.max_in_flight * eighths / 8);

    return n ? n : 1;
}

/* ---- endpoint ---- */

static bool may_test(const struct ep *ep)
{
    return ep->test.head && ep->tests < TESTS_MAX && !ep->options.shut;
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
    if (ep->options.shut || (ep->options.held && !ep->manual.head) ||
        ep->in_flight >= ep->options.max_in_flight || ep->waits_at)
        return INT64_MAX;
    if (ep->manual.head || ep->fresh.head || ep->replay.head)
        at = INT64_MIN;
    else if (ep->retry)
        at = item_at(s, ep->retry)->due_us;
    else
        return INT64_MAX;
    if (!ep->manual.head) /* what somebody asks for by hand does not wait for the end of a rest */
        at = later_of(at, ep->rest_us);
    if (ep->options.ordered)
        at = later_of(at, ep->lines_us);
    return later_of(at, th_bucket_ready_us(&ep->bucket));
}

static enum rank rank_of(const struct ep *ep)
{
    if (ep->proven)
        return ep->in_flight ? R_BUSY : R_PROVEN;
    if (!ep->tried || may_test(ep))
        return R_UNTRIED;
    if (ep->answered && ep->breaker.silent < SHAKEN_SILENT)
        return R_SHAKEN;
    if (ep->in_flight)
        return R_MORE;
    return ep->breaker.open ? R_DEAD : R_TRIED;
}

static void ring_leave(struct ep *ep)
{
    if (ep->ring < 0)
        return;
    th_list_remove(&ep->link);
    th_list_remove(&ep->untried);
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
    if (rank == R_UNTRIED)
        th_list_append(&s->untried, &ep->untried);
    ep->ring = (int8_t)rank;
}

static void timer_set(struct th_sched *s, struct ep *ep, int64_t at)
{
    if (ep->timer.key != at)
        th_heap_rekey(&s->timers, &ep->timer, at);
}

static void put(struct th_sched *s, struct ep *ep, int64_t at)
{
    int64_t round = spill_round_us(ep);
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

void ep_ring_enter(struct th_sched *s, struct ep *ep)
{
    put(s, ep, INT64_MIN);
}

void ep_wait_until(struct th_sched *s, struct ep *ep, int64_t at)
{
    int64_t round = spill_round_us(ep);

    timer_set(s, ep, at < round ? at : round);
}

void ep_place(struct th_sched *s, struct ep *ep)
{
    int64_t at;

    order_give_way(s, ep);
    at = send_moment(s, ep);
    if (at > s->now_us) {
        put(s, ep, at);
        host_withdraw(s, ep);
    } else if (!ep->host || ep->admitted || may_test(ep)) {
        put(s, ep, at);
    } else {
        put(s, ep, INT64_MAX);
        host_wait(ep);
        host_next(s, ep->host);
    }
    if (ep->ring < 0)
        address_withdraw(s, ep);
}

void ep_unplace(struct th_sched *s, struct ep *ep)
{
    host_withdraw(s, ep);
    ring_leave(ep);
    timer_set(s, ep, INT64_MAX);
    address_withdraw(s, ep);
}

uint32_t ep_next_item(struct th_sched *s, struct ep *ep)
{
    uint32_t id;
    bool due;

    order_give_way(s, ep);
    due = ep->retry && item_at(s, ep->retry)->due_us <= s->now_us;

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
    if (id && item_line(item_at(s, id)))
        order_picked(s, ep, id);
    return id;
}

/* ---- slots ---- */

static uint32_t probation_free(const struct th_sched *s)
{
    uint32_t all = share_of(s, 4);

    return s->probation < all ? all - s->probation : 0;
}

static bool in_reserve(const struct th_sched *s)
{
    return probation_free(s) <= share_of(s, 1);
}

static enum booked booked_as(const struct ep *ep)
{
    switch ((enum rank)ep->ring) {
    case R_PROVEN:
    case R_BUSY:
        return B_PROVEN;
    case R_UNTRIED:
    case R_SHAKEN:
        return B_GOOD;
    default:
        return ep->breaker.open ? B_DEAD : B_TRIED;
    }
}

void slot_take(struct th_sched *s, struct ep *ep, uint32_t id)
{
    struct item *it = item_at(s, id);

    it->place = P_FLIGHT;
    it->booked = booked_as(ep) & 3u;
    it->due_us = s->now_us;
    it->child = ep->ring == R_BUSY      ? W_BUSY
                : ep->ring != R_UNTRIED ? 0u
                : in_reserve(s)         ? W_NEWCOMER | W_RESERVED
                                        : W_NEWCOMER;
    s->in_flight++;
    if (it->booked == B_PROVEN)
        list_append(s, &s->young, id);
    if (it->child & W_NEWCOMER)
        list_append(s, &s->newcomers, id);
    s->busy += (it->child & W_BUSY) != 0;
    s->reserved += (it->child & W_RESERVED) != 0;
    s->probation += it->booked != B_PROVEN;
    s->doubtful += it->booked >= B_TRIED;
    s->dead += it->booked == B_DEAD;
}

static void newcomer_no_more(struct th_sched *s, uint32_t id)
{
    struct item *it = item_at(s, id);

    if (!(it->child & W_NEWCOMER))
        return;
    list_remove(s, &s->newcomers, id);
    s->reserved -= (it->child & W_RESERVED) != 0;
    it->child &= ~(uint32_t)(W_NEWCOMER | W_RESERVED);
}

void slot_give(struct th_sched *s, uint32_t id)
{
    struct item *it = item_at(s, id);

    s->in_flight--;
    newcomer_no_more(s, id);
    s->busy -= (it->child & W_BUSY) != 0;
    it->child &= ~(uint32_t)W_BUSY;
    if (it->booked == B_PROVEN)
        list_remove(s, &s->young, id);
    s->probation -= it->booked != B_PROVEN;
    s->doubtful -= it->booked >= B_TRIED;
    s->dead -= it->booked == B_DEAD;
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
        it->booked = B_GOOD;
        s->probation++;
        ep->proven = false;
        if (!ep->gone)
            ep_place(s, ep);
    }
}

static void age_newcomers(struct th_sched *s)
{
    while (s->newcomers.head) {
        uint32_t id = s->newcomers.head;
        struct item *it = item_at(s, id);
        if (s->now_us - it->due_us <= SLOW_US)
            return;
        newcomer_no_more(s, id);
        it->booked = B_TRIED;
        s->doubtful++;
        s->silent_us = it->due_us;
    }
}

void sched_advance(struct th_sched *s, struct th_mono now)
{
    struct th_heap_node *top;

    if (now.us > s->now_us)
        s->now_us = now.us;
    age_young(s);
    age_newcomers(s);
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

/* Newcomers of the reserve that may be without an answer at once, at least one. */
static uint32_t reserve_step(const struct th_sched *s)
{
    uint32_t n = probation_free(s) / RESERVE_PART;

    return n ? n : 1;
}

/* Where a step would be less than one, a silent one makes the next wait for longer than the second. */
static int64_t after_silent_us(const struct th_sched *s)
{
    return s->silent_us == INT64_MIN ? INT64_MIN
                                     : s->silent_us + SLOW_US * RESERVE_PART / (int64_t)probation_free(s);
}

static bool untried_may(const struct th_sched *s)
{
    if (th_list_empty(&s->ring[R_UNTRIED]) || !probation_free(s))
        return false;
    return !in_reserve(s) || (s->reserved < reserve_step(s) && s->now_us >= after_silent_us(s));
}

static bool shaken_may(const struct th_sched *s)
{
    uint32_t all = share_of(s, 4);

    return !th_list_empty(&s->ring[R_SHAKEN]) && s->probation < all - all / 8;
}

int64_t sched_reserve_us(const struct th_sched *s)
{
    int64_t at;

    if (th_list_empty(&s->ring[R_UNTRIED]) || !probation_free(s) ||
        s->in_flight >= s->options.max_in_flight || untried_may(s))
        return INT64_MAX;
    at = after_silent_us(s);
    if (s->reserved >=
        reserve_step(s)) /* then newcomers has some: the oldest makes room by answering, or not */
        return item_at(s, s->newcomers.head)->due_us + SLOW_US + 1;
    return at;
}

/* Rank of the next pick among those that show no life, or -1. */
static int doubtful_rank(const struct th_sched *s)
{
    bool room = s->doubtful < share_of(s, 3) && probation_free(s) && (!in_reserve(s) || !s->probation);
    bool tried = room && !th_list_empty(&s->ring[R_TRIED]);
    bool dead = room && s->dead < share_of(s, 2) && !th_list_empty(&s->ring[R_DEAD]);
    bool more = room && 2 * s->doubtful < share_of(s, 3) && !th_list_empty(&s->ring[R_MORE]);

    if (more && ((!tried && !dead) || s->more_turn))
        return R_MORE;
    if (dead && (!tried || (s->turns & 4)))
        return R_DEAD;
    return tried ? R_TRIED : -1;
}

/* Rank of the next pick within probation, or -1. */
static int probation_rank(const struct th_sched *s)
{
    bool untried = untried_may(s), shaken = shaken_may(s);
    int doubtful = doubtful_rank(s);

    if (doubtful >= 0 && ((!untried && !shaken) || (s->turns & 3) == 3))
        return doubtful;
    if (untried || shaken)
        return shaken && (!untried || (s->turns & 1)) ? R_SHAKEN : R_UNTRIED;
    return -1;
}

/* Rank of the next pick among the proven, or -1. */
static int proven_rank(const struct th_sched *s)
{
    uint32_t all = s->options.max_in_flight;
    bool room = s->in_flight < all - all / 8 || s->busy < all / 4;
    bool idle = !th_list_empty(&s->ring[R_PROVEN]);
    bool busy = room && !th_list_empty(&s->ring[R_BUSY]);

    if (idle && (!busy || !s->busy_turn))
        return R_PROVEN;
    return busy ? R_BUSY : -1;
}

static int next_rank(const struct th_sched *s)
{
    int proven, other;

    if (s->in_flight >= s->options.max_in_flight)
        return -1;
    proven = proven_rank(s);
    other = probation_rank(s);
    if (proven >= 0 && (other < 0 || !s->probation_turn))
        return proven;
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
    s->probation_turn = rank <= R_BUSY;
    s->turns += rank > R_BUSY;
    if (rank <= R_BUSY)
        s->busy_turn = rank == R_PROVEN;
    if (rank >= R_TRIED)
        s->more_turn = rank != R_MORE;
    if (rank == R_UNTRIED && in_reserve(s)) {
        s->newest_turn = !s->newest_turn;
        if (s->newest_turn)
            return TH_CONTAINER(s->untried.prev, struct ep, untried);
    }
    l = th_list_pop(&s->ring[rank]);
    th_list_append(&s->ring[rank], l);
    t = (struct tenant *)(void *)((char *)l - offsetof(struct tenant, ring[0].link) -
                                  (size_t)rank * sizeof t->ring[0]);
    l = th_list_pop(&t->ring[rank].eps);
    th_list_append(&t->ring[rank].eps, l);
    return TH_CONTAINER(l, struct ep, link);
}
