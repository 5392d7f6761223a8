/* Every invariant of the scheduler, for tests and simulators: walks everything, so it costs O(items +
 * endpoints).
 *
 * It counts each thing a second way: items by their place against lists and heaps, slots against what is
 * booked, ring and timer of each endpoint against its state. Never changes anything. */
#include "core/sched_int.h"

#define CHECK(cond, what)                                                                                    \
    do {                                                                                                     \
        if (!(cond))                                                                                         \
            return (what);                                                                                   \
    } while (0)

struct count {
    uint32_t items, ghosts, flight, probation, doubtful, dead, young, newcomers, reserved, busy, waiting,
        under_way;
};

/* Items by place, from the pool. */
static const char *check_pool(const struct th_sched *s, struct count *c)
{
    uint32_t free_items = 0;

    for (uint32_t id = 1; id <= s->chunks * CHUNK; id++) {
        const struct item *it = item_at(s, id);
        if (it->place == P_FREE) {
            free_items++;
            continue;
        }
        CHECK(item_find(s, it->no) == id, "an item is not in the map, or twice");
        if (it->place == P_GHOST) {
            c->ghosts++;
            continue;
        }
        c->items++;
        CHECK(it->ep && it->ep <= s->eps && s->ep[it->ep], "an item has no endpoint");
        c->waiting += place_waits(it->place);
        c->under_way += !place_waits(it->place);
        if (it->place != P_FLIGHT)
            continue;
        c->flight++;
        c->probation += it->booked != B_PROVEN;
        c->dead += it->booked == B_DEAD;
        c->doubtful += it->booked >= B_TRIED;
        c->young += it->booked == B_PROVEN;
        c->newcomers += (it->child & W_NEWCOMER) != 0;
        c->reserved += (it->child & W_RESERVED) != 0;
        c->busy += (it->child & W_BUSY) != 0;
    }
    CHECK(c->items == s->items && c->ghosts == s->ghosts, "items are miscounted");
    CHECK(s->items + s->ghosts <= s->options.max_items, "more items than allowed");
    CHECK(c->flight == s->in_flight && c->flight <= s->options.max_in_flight,
          "requests in flight are miscounted");
    CHECK(c->probation == s->probation && c->doubtful == s->doubtful && c->dead == s->dead,
          "slots are booked wrongly");
    CHECK(c->reserved == s->reserved, "the reserve is miscounted");
    CHECK(c->busy == s->busy, "second requests are miscounted");
    for (uint32_t id = s->free_item; id; id = item_at(s, id)->next) {
        CHECK(item_at(s, id)->place == P_FREE, "an item is free and used");
        free_items--;
    }
    CHECK(!free_items, "free items are lost");
    return NULL;
}

static const char *check_list(const struct th_sched *s, const struct ilist *l, uint32_t ep, unsigned place,
                              uint32_t *n)
{
    uint32_t prev = 0;

    for (uint32_t id = l->head; id; id = item_at(s, id)->next) {
        const struct item *it = item_at(s, id);
        CHECK(it->place == place && (!ep || it->ep == ep) && it->prev == prev, "a list is broken");
        prev = id;
        ++*n;
    }
    CHECK(l->tail == prev, "a list ends wrongly");
    return NULL;
}

/* The first of a heap node's siblings: its prev is the parent. */
static uint32_t first_sibling(const struct th_sched *s, uint32_t id)
{
    while (item_at(s, item_at(s, id)->prev)->child != id)
        id = item_at(s, id)->prev;
    return id;
}

static bool heap_order(const struct item *parent, const struct item *it)
{
    return parent->due_us < it->due_us || (parent->due_us == it->due_us && parent->no < it->no);
}

/* The next node of a walk without a stack: down, else right, else up until there is a right. 0: the end. */
static uint32_t heap_walk(const struct th_sched *s, uint32_t root, uint32_t id)
{
    if (item_at(s, id)->child)
        return item_at(s, id)->child;
    while (id != root && !item_at(s, id)->next)
        id = item_at(s, first_sibling(s, id))->prev;
    return id == root ? 0 : item_at(s, id)->next;
}

static const char *check_heap(const struct th_sched *s, const struct ep *ep, uint32_t *n)
{
    uint32_t root = ep->retry;

    CHECK(!root || (!item_at(s, root)->next && !item_at(s, root)->prev), "a heap has two roots");
    for (uint32_t id = root; id; id = heap_walk(s, root, id)) {
        const struct item *it = item_at(s, id);
        CHECK(it->place == P_RETRY && it->ep == ep->index, "a foreign item is in a heap");
        CHECK(!it->child || item_at(s, it->child)->prev == id, "a heap's link is broken");
        CHECK(!it->next || item_at(s, it->next)->prev == id, "a heap's siblings are broken");
        CHECK(id == root || heap_order(item_at(s, item_at(s, first_sibling(s, id))->prev), it),
              "a heap is out of order");
        ++*n;
    }
    return NULL;
}

/* The lowest number waits for its turn, or has it. */
static const char *check_line(const struct th_sched *s, const struct ep *ep, const struct line *l,
                              uint32_t *n, uint32_t *kept)
{
    const struct item *turn = l->turn ? item_at(s, l->turn) : NULL;
    uint32_t items = (l->turn ? 1u : 0u) + (l->armed ? 1u : 0u);

    CHECK(l->blocked == (!l->turn && l->behind), "a line is blocked unnoticed");
    for (uint32_t id = l->behind; id; id = heap_walk(s, l->behind, id)) {
        const struct item *it = item_at(s, id);
        CHECK(it->place == P_LINE && it->ep == ep->index && item_line(it) == l->index,
              "a foreign item is in a line");
        CHECK(!turn || !place_waits(turn->place) || turn->no < it->no, "a line has the wrong turn");
        CHECK(l->turn || (l->left_from && it->no > l->left_from) ||
                  (l->unread_from && it->no >= l->unread_from),
              "a line waits for nobody");
        ++*n;
        items++;
    }
    for (uint32_t id = l->mates; id; id = item_at(s, id)->next) {
        const struct item *it = item_at(s, id);
        CHECK(it->place == P_SETTLE && it->ep == ep->index && item_line(it) == l->index,
              "a foreign item goes along");
        CHECK(!it->next || item_at(s, it->next)->prev == id, "a list of mates is broken");
        CHECK(turn && !place_waits(turn->place), "mates go with nobody");
        items++;
    }
    CHECK(items == l->items, "a line is miscounted");
    CHECK(!turn || item_line(turn) == l->index, "a turn is of another line");
    CHECK(!l->armed || (turn && place_waits(turn->place) && item_at(s, l->armed)->place == P_RETRY),
          "an item passes nobody");
    CHECK(l->items || l->left_from || !th_list_empty(&l->idle), "a line is kept for nothing");
    CHECK(!l->left_from || ep_spilled(ep) || ep->missed, "what a line has in the store is not looked for");
    *kept += (turn && turn->place == P_RETRY ? 1u : 0u) + (l->armed ? 1u : 0u);
    return NULL;
}

static const char *check_lines(const struct th_sched *s, const struct ep *ep, uint32_t *n, uint32_t *kept)
{
    uint64_t key;
    void *value;

    for (size_t i = 0; ep->lines && th_map_next(ep->lines, &i, &key, &value);) {
        const char *why = check_line(s, ep, value, n, kept);
        if (why)
            return why;
    }
    return NULL;
}

static const char *check_waiting(const struct th_sched *s, const struct ep *ep, struct count *c)
{
    uint32_t kept = 0;
    const struct ilist *list[] = {&ep->test, &ep->manual, &ep->fresh, &ep->replay};
    const unsigned place[] = {P_TEST, P_MANUAL, P_FRESH, P_REPLAY};
    uint32_t n = 0;
    const char *why;

    for (unsigned i = 0; i < 4; i++)
        if ((why = check_list(s, list[i], ep->index, place[i], &n)))
            return why;
    if ((why = check_heap(s, ep, &n)) || (why = check_lines(s, ep, &n, &kept)))
        return why;
    CHECK(kept == ep->kept, "items of lines are miscounted");
    CHECK(n == ep->waiting, "waiting items are miscounted");
    c->waiting -= n;
    return NULL;
}

static const char *check_ep(const struct th_sched *s, const struct ep *ep)
{
    uint32_t limit = ep->options.max_in_flight;
    bool gates =
        !ep->options.shut && (!ep->options.held || ep->manual.head) && ep->in_flight < limit && !ep->waits_at;

    CHECK(!th_list_empty(&ep->link) == (ep->ring >= 0), "an endpoint is on a ring and does not know");
    CHECK(!th_list_empty(&ep->untried) == (ep->ring == R_UNTRIED), "an untried endpoint is not among those");
    CHECK(limit >= 1 && ep->in_flight <= ep->under_way, "requests in flight are miscounted");
    CHECK(ep->breaker.open == (ep->breaker.rounds >= TH_BREAKER_ROUNDS) &&
              ep->breaker.silent >= ep->breaker.rounds,
          "a breaker is miscounted");
    CHECK(ep->tests <= TESTS_MAX, "too many tests in flight");
    CHECK(ep_held_items(ep) <= 3 * s->options.max_items_per_endpoint, "an endpoint is over its share");
    if (ep->ring >= 0) {
        CHECK((ep->test.head && ep->tests < TESTS_MAX) || gates, "an endpoint is ready and may not send");
        CHECK(ep->waiting, "an endpoint is ready and has nothing");
        CHECK(!ep->host || ep->admitted || (ep->test.head && ep->tests < TESTS_MAX),
              "an endpoint is ready and its host has no room");
    } else if (gates && ep->waiting && !ep->lines && ep->test.head == 0 && th_list_empty(&ep->host_link)) {
        CHECK(ep->timer.key != INT64_MAX, "an endpoint waits for nothing");
    }
    CHECK(ep->fill != F_WANTING || ep->spill_from, "an endpoint wants nothing");
    CHECK(ep->fill == F_NONE || !th_list_empty(&ep->fill_link), "an endpoint waits for the store on no list");
    CHECK(ep->fill != F_NONE || !ep->spill_from || !ep->blocked,
          "a line waits for the store and nobody asks");
    CHECK(ep->fill != F_NONE || !ep->spill_from || ep->satisfied,
          "an endpoint has not read enough and does not ask");
    CHECK(ep->fill != F_NONE || !ep->spill_from ||
              ep_held_items(ep) >=
                  (s->options.max_items_per_endpoint > 4 ? s->options.max_items_per_endpoint / 4 : 1),
          "an endpoint has room and does not ask");
    CHECK(!ep->missed || ep->fill == F_WALKING, "numbers are missed outside a walk");
    return NULL;
}

static const char *check_rings(const struct th_sched *s)
{
    for (unsigned rank = 0; rank < RANKS; rank++) {
        for (struct th_list *l = s->ring[rank].next; l != &s->ring[rank]; l = l->next) {
            const struct tenant *t =
                (struct tenant *)(void *)((char *)l - offsetof(struct tenant, ring[0].link) -
                                          (size_t)rank * sizeof t->ring[0]);
            CHECK(!th_list_empty(&t->ring[rank].eps), "a tenant is on a ring and has nothing");
            for (struct th_list *e = t->ring[rank].eps.next; e != &t->ring[rank].eps; e = e->next) {
                const struct ep *ep = TH_CONTAINER(e, struct ep, link);
                CHECK(ep->tenant == t && ep->ring == (int)rank, "an endpoint is on the wrong ring");
            }
        }
    }
    return NULL;
}

/* Somebody waits for a place rightly: none is left, or one will be handed on. */
static bool is_awaited(const struct share *sh, uint32_t max)
{
    return sh->seat.place ? sh->seat.waits : sh->held >= max;
}

static const char *check_addresses(const struct th_sched *s)
{
    uint32_t idle = 0;
    uint64_t key;
    void *value;

    for (size_t i = 0; th_map_next(&s->address_by_key, &i, &key, &value);) {
        const struct address *a = value;
        uint32_t promised = 0, waits = 0;
        for (uint32_t k = 1; k <= s->eps; k++) {
            const struct ep *ep = s->ep[k];
            if (!ep)
                continue;
            promised += ep->promise == a;
            waits += ep->waits_at == a;
            CHECK(ep->promise != a || ep->promised_item || ep->ring >= 0, "a promise is kept by nobody");
            CHECK(!ep->gone || (ep->promise != a && ep->waits_at != a), "a deleted endpoint wants to send");
        }
        CHECK(promised == a->promised, "promises are miscounted");
        CHECK(!waits == th_list_empty(&a->waits), "an endpoint waits at an address that does not know it");
        CHECK(a->places.held == a->in_flight + a->promised, "places at an address are miscounted");
        CHECK(!waits || is_awaited(&a->places, a->max), "endpoints wait for an address that has room");
        CHECK(th_list_empty(&a->idle) == (share_is_used(&a->places) || waits),
              "an address is idle and does not know");
        idle += !th_list_empty(&a->idle);
    }
    CHECK(idle == s->idle_addresses, "idle addresses are miscounted");
    return NULL;
}

static const char *check_hosts(const struct th_sched *s)
{
    uint64_t key;
    void *value;

    for (size_t i = 0; th_map_next(&s->host_by_key, &i, &key, &value);) {
        const struct host *h = value;
        uint32_t eps = 0, in_flight = 0, admitted = 0;
        for (uint32_t k = 1; k <= s->eps; k++) {
            const struct ep *ep = s->ep[k];
            if (!ep || ep->host != h)
                continue;
            eps += !ep->gone;
            in_flight += ep->in_flight;
            admitted += ep->admitted;
        }
        CHECK(eps == h->eps && in_flight == h->in_flight && admitted == h->admitted, "a host is miscounted");
        CHECK(h->places.held == in_flight + admitted && h->turn.held <= 1, "places at a host are miscounted");
        CHECK(th_list_empty(&h->waits) || h->admitted || h->bucket.interval_ns ||
                  is_awaited(&h->places, h->eps > 1 && h->max_in_flight ? h->max_in_flight : UINT32_MAX),
              "endpoints wait for a host that has room");
        CHECK(th_list_empty(&h->waits) || h->admitted || !h->bucket.interval_ns || h->turn.held ||
                  is_awaited(&h->turn, 1),
              "endpoints wait for a token that nobody looks at");
    }
    return NULL;
}

const char *th_sched_check(const struct th_sched *s)
{
    struct count c = {0};
    uint32_t n = 0, live = 0, spilled = 0, broken = 0, under_way = 0;
    const char *why = check_pool(s, &c);

    if (!why)
        why = check_list(s, &s->young, 0, P_FLIGHT, &n);
    if (!why && n != c.young)
        why = "young requests are miscounted";
    n = 0;
    if (!why)
        why = check_list(s, &s->newcomers, 0, P_FLIGHT, &n);
    if (!why && n != c.newcomers)
        why = "newcomers are miscounted";
    n = 0;
    if (!why)
        why = check_list(s, &s->ghost_list, 0, P_GHOST, &n);
    if (!why && n != s->ghosts)
        why = "ghosts are miscounted";
    if (!why)
        why = check_rings(s);
    if (!why)
        why = check_hosts(s);
    if (!why)
        why = check_addresses(s);
    for (uint32_t i = 1; i <= s->eps && !why; i++) {
        const struct ep *ep = s->ep[i];
        if (!ep)
            continue;
        under_way += ep->under_way;
        if (ep->gone)
            continue;
        live++;
        spilled += ep_spilled(ep);
        broken += ep->breaker.open;
        why = check_waiting(s, ep, &c);
        if (!why)
            why = check_ep(s, ep);
    }
    if (why)
        return why;
    CHECK(!c.waiting, "items wait where nobody looks");
    CHECK(under_way == c.under_way, "items under way are miscounted");
    CHECK(live == s->ep_live && live == s->timers.n, "endpoints are miscounted");
    CHECK(spilled == s->spilled, "spilled endpoints are miscounted");
    CHECK(broken == s->broken, "failing endpoints are miscounted");
    CHECK(th_list_empty(&s->walking) ? !s->ghosts : true, "ghosts have outlived the walks");
    return NULL;
}
