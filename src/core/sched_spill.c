/* What does not fit into memory stays in the store, and comes back in time.
 *
 * An endpoint holds at most its share of items, all together at most options.max_items. Of the rest only two
 * numbers are kept: spill_from  everything unfinished from this number on may be missing and may be due: read
 * it when there is room; park_from   numbers from here on were seen, or left memory, but are not due within
 * the horizon: read them again when the earliest comes near (a "round", at most one in 30 s, and at most a
 * fifth of the time). So memory holds what is due, whatever the schedule: a thousand deliveries that wait for
 * tomorrow do not keep out the event that could be delivered now.
 *
 * When all memory is taken, an endpoint with few items may displace those of the largest one, so that a
 * thousand dead endpoints with full queues cannot keep a healthy one out of memory.
 *
 * A walk of the store may have read a row before the commit that ended or changed it. While a walk of an
 * endpoint is under way, each number that leaves memory therefore stays as a ghost until every walk that was
 * under way then has ended, and a row whose number is a ghost is not taken. What is left out meanwhile lowers
 * `missed`, and is read by the next walk.
 *
 * Invariants: a number that the scheduler has been told of is in memory, or at or above spill_from, missed or
 * park_from of its endpoint, or finished. At most one walk an endpoint. When memory fails, the row is left in
 * the store and asked for again a second later. */
#include "core/sched_int.h"

/* New items queue up behind what is unread. */
static bool refuses(const struct th_sched *s, const struct ep *ep, int64_t due_us)
{
    return ep->spill_from || spill_parks(s, ep, due_us);
}

/* ---- leaving memory ---- */

/* Ghosts that no walk under way is older than. */
static void free_ghosts(struct th_sched *s)
{
    uint64_t oldest = UINT64_MAX;

    if (!th_list_empty(&s->walking))
        oldest = TH_CONTAINER(s->walking.next, struct ep, fill_link)->walk_seq;
    while (s->ghost_list.head) {
        uint32_t id = s->ghost_list.head;
        if ((uint64_t)item_at(s, id)->due_us >= oldest)
            return;
        list_remove(s, &s->ghost_list, id);
        item_free(s, id);
    }
}

static void ghost(struct th_sched *s, uint32_t id)
{
    struct item *it = item_at(s, id);

    if (item_line(it))
        order_left(s, id);
    it->place = P_GHOST;
    it->ep = 0;
    it->due_us = (int64_t)s->walk_seq;
    it->lane = 0;
    list_append(s, &s->ghost_list, id);
    s->items--;
    s->ghosts++;
}

void item_forget(struct th_sched *s, struct ep *ep, uint32_t id)
{
    if (ep->fill == F_WALKING)
        ghost(s, id);
    else
        item_free(s, id);
}

/* The same for one that the store still has. */
static void item_leave(struct th_sched *s, struct ep *ep, uint32_t id)
{
    item_forget(s, ep, id);
    if (ep->fill == F_WALKING)
        item_at(s, id)->lane = GHOST_LEFT;
}

void number_forget(struct th_sched *s, uint64_t no)
{
    bool no_memory = false;
    uint32_t id;

    if (th_list_empty(&s->walking))
        return;
    id = item_new(s, no, &no_memory);
    if (id) {
        ghost(s, id);
        return;
    }
    /* No room to remember it: no walk under way counts. */
    for (struct th_list *l = s->walking.next; l != &s->walking; l = l->next)
        TH_CONTAINER(l, struct ep, fill_link)->walk_void = true;
}

static void push_out(struct th_sched *s, struct ep *ep, uint32_t id)
{
    struct item *it = item_at(s, id);

    item_take(s, ep, id);
    if (item_line(it)) /* whatever its moment, those of its line come after it */
        order_hole(ep, line_at(s, item_line(it)), it->no);
    spill_note(s, ep, it->no, item_line(it) ? s->now_us : it->due_us);
    item_leave(s, ep, id);
}

void spill_line(struct th_sched *s, struct ep *ep, struct line *l)
{
    int64_t until_us;
    uint32_t id, next;

    if (!l->behind || (!line_stopped(s, l, &until_us) && !line_is_blocked(s, l)))
        return;
    order_hole(ep, l, item_at(s, l->behind)->no);
    for (id = heap_dissolve(s, &l->behind); id; id = next) {
        next = item_at(s, id)->next;
        item_at(s, id)->next = 0;
        ep_count(s, ep, -1);
        spill_park(s, ep, item_at(s, id)->no, until_us);
        item_leave(s, ep, id);
    }
}

static void sweep_lines(struct th_sched *s, struct ep *ep)
{
    uint64_t key;
    void *value;

    for (size_t i = 0; ep->lines && th_map_next(ep->lines, &i, &key, &value);)
        spill_line(s, ep, value);
}

/* Puts everything out of memory that is not due soon. */
static void sweep(struct th_sched *s, struct ep *ep)
{
    uint32_t id = heap_dissolve(s, &ep->retry), next;

    for (; id; id = next) {
        struct item *it = item_at(s, id);
        next = it->next;
        heap_push(s, &ep->retry, id);
        if (!item_line(it) && spill_is_far(s, ep, it->due_us))
            push_out(s, ep, id);
    }
    sweep_lines(s, ep);
}

/* So that nothing follows while they leave one by one. */
static void shut_line(const struct th_sched *s, const struct ep *ep, struct line *l)
{
    const uint32_t first[] = {l->turn, l->armed, l->behind};

    for (unsigned i = 0; i < 3; i++)
        if (first[i] && place_waits(item_at(s, first[i])->place))
            order_hole(ep, l, item_at(s, first[i])->no);
}

void spill_all(struct th_sched *s, struct ep *ep)
{
    struct ilist *lists[] = {&ep->manual, &ep->fresh, &ep->replay};
    uint64_t key;
    void *value;

    for (size_t i = 0; ep->lines && th_map_next(ep->lines, &i, &key, &value);)
        shut_line(s, ep, value);
    while (ep->retry)
        push_out(s, ep, ep->retry);
    for (unsigned i = 0; i < sizeof lists / sizeof *lists; i++)
        while (lists[i]->head)
            push_out(s, ep, lists[i]->head);
    for (size_t i = 0; ep->lines && th_map_next(ep->lines, &i, &key, &value);)
        while (((struct line *)value)->behind)
            push_out(s, ep, ((struct line *)value)->behind);
    ep->satisfied = false;
    spill_update(s, ep);
}

/* The endpoint with the most waiting items, nearly, if that is far more than this one has. */
static struct ep *largest_beside(const struct th_sched *s, const struct ep *ep)
{
    for (unsigned bits = SIZE_CLASSES - 1; bits > 1; bits--) {
        struct ep *v;
        if (th_list_empty(&s->size[bits]))
            continue;
        v = TH_CONTAINER(s->size[bits].next, struct ep, size_link);
        return v != ep && v->waiting / 2 > ep->waiting ? v : NULL;
    }
    return NULL;
}

/* The waiting item that is missed least: the newest, else one that others are due before. */
static uint32_t last_item(const struct th_sched *s, const struct ep *ep)
{
    if (ep->fresh.tail)
        return ep->fresh.tail;
    if (ep->replay.tail || !ep->retry)
        return ep->replay.tail;
    return item_at(s, ep->retry)->child ? item_at(s, ep->retry)->child : ep->retry;
}

/* Puts the last of those that wait behind the turn of a line out of memory, at most `most`; returns how many. What is left is still the
 * beginning of the line. */
static unsigned cut_line(struct th_sched *s, struct ep *ep, struct line *l, unsigned most)
{
    uint32_t stay = 0, n = order_behind(s, l), id, next;
    unsigned gone = 0;

    for (; n > most; n--) {
        id = l->behind;
        heap_remove(s, &l->behind, id);
        heap_push(s, &stay, id);
    }
    if (l->behind)
        order_hole(ep, l, item_at(s, l->behind)->no);
    id = heap_dissolve(s, &l->behind);
    l->behind = stay;
    for (; id; id = next, gone++) {
        next = item_at(s, id)->next;
        item_at(s, id)->next = 0;
        ep_count(s, ep, -1);
        spill_note(s, ep, item_at(s, id)->no, s->now_us);
        item_leave(s, ep, id);
    }
    return gone;
}

/* The same for all lines of an endpoint together. */
static unsigned cut_lines(struct th_sched *s, struct ep *ep, unsigned most)
{
    uint64_t key;
    void *value;
    unsigned gone = 0;

    for (size_t i = 0; ep->lines && gone < most && th_map_next(ep->lines, &i, &key, &value);)
        gone += cut_line(s, ep, value, most - gone);
    return gone;
}

/* Puts a few of what an endpoint has waiting out of memory, but leaves it as many as another has. */
static void evict(struct th_sched *s, struct ep *v, uint32_t others)
{
    uint32_t id;
    unsigned most = v->waiting - others - 1;

    if (most > EVICT_STEP)
        most = EVICT_STEP;
    most -= cut_lines(s, v, most);
    for (; most && v->waiting > others + 1 && (id = last_item(s, v)); most--)
        push_out(s, v, id);
}

/* Makes room at the cost of the largest endpoint: what it has for later goes, else its last few items. */
static bool displace(struct th_sched *s, const struct ep *ep)
{
    struct ep *v = largest_beside(s, ep);
    uint32_t had = v ? v->waiting : 0;

    if (!v)
        return false;
    sweep(s, v);
    if (v->waiting == had)
        evict(s, v, ep->waiting);
    v->satisfied = true;
    spill_update(s, v);
    ep_place(s, v);
    return true;
}

/* ---- entering memory ---- */

/* An item for a number of this endpoint, displacing others when memory is full. old: 0, or its ghost. */
static uint32_t item_for(struct th_sched *s, struct ep *ep, uint64_t no, uint32_t old, bool *no_memory)
{
    uint32_t id;

    if (old) {
        list_remove(s, &s->ghost_list, old);
        item_at(s, old)->place = P_FREE;
        s->ghosts--;
        s->items++;
        return old;
    }
    id = item_new(s, no, no_memory);
    if (!id && displace(s, ep))
        id = item_new(s, no, no_memory);
    return id;
}

static bool is_asked_for(const struct th_sched *s, const struct th_queue_row *row, int64_t due_us)
{
    return row->lane == TH_LANE_TEST || (row->lane == TH_LANE_MANUAL && due_us <= s->now_us);
}

static bool has_room(struct th_sched *s, struct ep *ep, const struct th_queue_row *row, int64_t due_us)
{
    uint32_t share = s->options.max_items_per_endpoint;

    if (is_asked_for(s, row,
                     due_us)) /* retries by hand and tests pass the others, within a bound of their own */
        return ep_held_items(ep) / 2 < share;
    if (refuses(s, ep, due_us))
        return false;
    if (ep_held_items(ep) >= share && !ep_spilled(ep))
        sweep(s, ep); /* what is not due soon makes room */
    return ep_held_items(ep) < share && !refuses(s, ep, due_us);
}

static bool has_line_room(struct th_sched *s, struct ep *ep)
{
    uint32_t share = s->options.max_items_per_endpoint;

    if (ep->spill_from)
        return false;
    if (ep_held_items(ep) >= share)
        sweep(s, ep);
    return ep_held_items(ep) < share;
}

/* An item in its line, if memory may have it. *noted: it stays in the store, and that is noted. */
static uint32_t item_in_line(struct th_sched *s, struct ep *ep, const struct th_queue_row *row, uint32_t old,
                             bool walked, bool *noted, bool *no_memory)
{
    struct line *l = order_admit(s, ep, row->order, row->no, walked, noted);
    uint32_t id = l ? item_for(s, ep, row->no, old, no_memory) : 0;

    if (id)
        order_admitted(s, ep, l, id, walked);
    else if (l)
        order_unused(s, l);
    return id;
}

static uint32_t admit_in_line(struct th_sched *s, struct ep *ep, const struct th_queue_row *row,
                              bool *no_memory)
{
    uint32_t old = item_find(s, row->no); /* 0 or a ghost */
    bool noted = false;
    uint32_t id = has_line_room(s, ep) ? item_in_line(s, ep, row, old, false, &noted, no_memory) : 0;
    struct line *l;

    if (id)
        return id;
    if (!noted) {
        l = order_left_out(s, ep, row->order, row->no);
        if (l)
            spill_line(s, ep, l);
        spill_note(s, ep, row->no, s->now_us);
        ep->satisfied = true;
    }
    if (row->lane != TH_LANE_FRESH)
        ep->walk_void = true;
    return 0;
}

uint32_t spill_admit(struct th_sched *s, struct ep *ep, const struct th_queue_row *row, int64_t due_us,
                     bool *no_memory)
{
    uint32_t old, id;

    if (order_has(ep, row))
        return admit_in_line(s, ep, row, no_memory);
    old = item_find(s, row->no); /* 0 or a ghost */
    id = has_room(s, ep, row, due_us) ? item_for(s, ep, row->no, old, no_memory) : 0;
    if (!id) {
        spill_note(s, ep, row->no, due_us);
        ep->satisfied = true;
        if (row->lane != TH_LANE_FRESH) /* its row may have changed since the walk under way has read it */
            ep->walk_void = true;
    }
    return id;
}

/* ---- walks ---- */

/* True when a walk for this endpoint could bring something into memory. */
static bool can_take(const struct th_sched *s, const struct ep *ep)
{
    return s->items + s->ghosts < s->options.max_items || largest_beside(s, ep);
}

bool th_sched_want(struct th_sched *s, struct th_want *out)
{
    for (unsigned tries = 0; tries < 8 && !th_list_empty(&s->wanting); tries++) {
        struct th_list *l = th_list_pop(&s->wanting);
        struct ep *ep = TH_CONTAINER(l, struct ep, fill_link);
        if (!can_take(s, ep)) { /* others may have more need of the room */
            th_list_append(&s->wanting, l);
            continue;
        }
        ep->fill = F_WALKING;
        ep->walk_void = false;
        ep->satisfied = false;
        ep->walk_seq = ++s->walk_seq;
        ep->walk_began_us = s->now_us;
        th_list_append(&s->walking, l);
        *out = (struct th_want){.endpoint = ep->options.no,
                                .from = ep->spill_from,
                                .max = s->options.max_items_per_endpoint - ep_held_items(ep)};
        return true;
    }
    return false;
}

/* A ghost from before this walk began is there for another one. */
static bool is_older_ghost(const struct th_sched *s, const struct ep *ep, uint32_t id)
{
    const struct item *it = item_at(s, id);

    return it->place == P_GHOST && (uint64_t)it->due_us < ep->walk_seq;
}

/* It left memory while the walk was under way, and has not ended. */
static bool is_left_ghost(const struct th_sched *s, uint32_t id)
{
    return item_at(s, id)->place == P_GHOST && item_at(s, id)->lane == GHOST_LEFT;
}

/* Takes rows until one finds no room; returns the number to go on from. */
static uint64_t take_rows(struct th_sched *s, struct ep *ep, const struct th_queue_row *rows,
                          const struct th_mono *due, uint32_t count, uint64_t next)
{
    for (uint32_t i = 0; i < count; i++) {
        bool no_memory = false, noted = false, in_line = order_has(ep, &rows[i]);
        uint32_t id = item_find(s, rows[i].no);
        struct item *it;
        if (id && !is_older_ghost(s, ep, id)) { /* known, or this row may be out of date */
            if (in_line && is_left_ghost(s, id) && !order_hold(s, ep, &rows[i]))
                return rows[i].no;
            continue;
        }
        if (!in_line && spill_is_far(s, ep, due[i].us)) {
            spill_note(s, ep, rows[i].no, due[i].us);
            continue;
        }
        if (ep_held_items(ep) >= s->options.max_items_per_endpoint)
            id = 0;
        else if (in_line)
            id = item_in_line(s, ep, &rows[i], id, true, &noted, &no_memory);
        else
            id = item_for(s, ep, rows[i].no, id, &no_memory);
        if (noted)
            continue;
        if (!id) {
            ep->satisfied = true;
            return rows[i].no;
        }
        it = item_at(s, id);
        it->event = rows[i].event;
        it->due_us = due[i].us;
        item_times_set(it, rows[i].due, rows[i].round);
        it->tries = rows[i].tries & 127u;
        it->renewed = (rows[i].marks & TH_MARK_RENEWED) != 0;
        it->attempts = rows[i].attempts;
        it->lane = rows[i].lane & 3u;
        item_put(s, ep, id, false);
    }
    return next;
}

/* Keeps half of the share free by looking less far ahead, so that a round need not stop in the middle: what
 * is parked before the place where it stops would come due unseen. What is due now cannot be helped: then the
 * walk waits. */
static void narrow(struct th_sched *s, struct ep *ep)
{
    uint32_t half = s->options.max_items_per_endpoint / 2;

    if (ep_held_items(ep) > half)
        sweep_lines(s, ep);
    while (ep_held_items(ep) > half && ep->retry && ep->horizon_us > HORIZON_MIN_US) {
        ep->horizon_us /= 2;
        sweep(s, ep);
    }
    ep->satisfied = ep_held_items(ep) > half;
}

void th_sched_refilled(struct th_sched *s, uint64_t endpoint, const struct th_queue_row *rows,
                       const struct th_mono *due, uint32_t count, uint64_t next, bool failed,
                       struct th_mono now)
{
    struct ep *ep = th_map_get(&s->ep_by_no, endpoint);
    uint64_t from;

    sched_advance(s, now);
    if (!ep || ep->fill != F_WALKING)
        return; /* deleted meanwhile */
    from = ep->spill_from;
    if (!failed && !ep->walk_void) {
        next = take_rows(s, ep, rows, due, count, next);
        narrow(s, ep); /* still spilled, as far as it knows */
        ep->spill_from = next;
    }
    if (!failed) /* how long the store was away says nothing of what reading costs */
        ep->walked_us += s->now_us - ep->walk_began_us;
    th_list_remove(&ep->fill_link);
    ep->fill = F_NONE;
    if (ep->missed)
        spill_read_from(ep, ep->missed);
    ep->missed = 0;
    if (!ep->spill_from)
        spill_round_end(s, ep);
    free_ghosts(s);
    if (failed || (ep->spill_from == from && !ep->walk_void)) { /* no progress: not again at once */
        ep->fill = F_LATER;
        ep->fill_after_us = s->now_us + REFILL_RETRY_US;
        th_list_append(&s->later, &ep->fill_link);
    }
    spill_update(s, ep);
    ep_place(s, ep);
}

void spill_leave(struct th_sched *s, struct ep *ep)
{
    s->spilled -= ep_spilled(ep);
    th_list_remove(&ep->fill_link);
    ep->fill = F_NONE;
    ep->spill_from = ep->park_from = ep->missed = 0;
    free_ghosts(s);
}
