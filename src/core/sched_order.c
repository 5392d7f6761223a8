/* Lines: deliveries of one ordering key go to their endpoint one after the other, by number.
 *
 *   turn      the one whose turn it is: it waits like any other item, or is under way
 *   behind    a heap by number of those that wait for it, in no list of the endpoint
 *   mates     those that are under way with the request of the turn (th_sched_join)
 *   armed     the first of these that wait, with the moment at which it goes although the turn has not ended
 *   left_from what the store has of the line from this number on, and memory has not: nothing above it may go
 *
 * A line has memory only while it has an item, or something of it was left in the store; or for a while, to say with the next request
 * that one was given up. So a million deliveries that wait need no more than any million items, and each change costs O(log n).
 *
 * What is far from due is put out of memory for an endpoint that is spilled, but never the turn of a line: without it nobody would know that
 * those behind have to wait. But what waits behind a turn that is not due is not kept when memory is short, so that it does not take the
 * place of other lines; nor does a line that goes on get more than a part of the second half of the memory. What is left out is
 * noted as parked (sched_marks.c) and read by a round, which comes when the turn has ended or is given up. A walk reads in
 * the order of numbers and takes of each line as much as may follow, so memory always has the beginning of a line.
 *
 * Invariants: (1) at most one item of a line is under way, and it is the turn, but for its mates, which are settled before it; (2) the turn has the lowest number of the line's items when it
 * is chosen, and none above left_from is chosen; (3) an item that was passed belongs to no line; (4) a line has no more items
 * than it counts. Without memory for a line its row is left in the store, and the endpoint reads no further. */
#include "base/alloc.h"
#include "core/sched_int.h"

#define LINES_OF_CHUNK 256u
#define LINES_MAX_CHUNKS 4096u  /* a million lines */
#define LINES_OF_ENDPOINT 65536 /* of an endpoint; what needs one more waits in the store */
#define IDLE_LINES 1024u        /* without an item, that remember whom they gave up */
#define LINE_PART 16            /* of its share, that one line may have when others need memory */
#define TOLD_MAX 4096u          /* numbers that were passed and not asked for yet */

struct line_chunk {
    struct line line[LINES_OF_CHUNK];
};

/* ---- memory ---- */

struct line *line_at(const struct th_sched *s, uint32_t index)
{
    return &s->lines.chunk[(index - 1) / LINES_OF_CHUNK]->line[(index - 1) % LINES_OF_CHUNK];
}

static struct line *line_of(const struct th_sched *s, const struct item *it)
{
    uint32_t index = item_line(it);

    return index ? line_at(s, index) : NULL;
}

static bool grow(struct th_sched *s)
{
    struct line_chunk *c;

    if (!s->lines.chunk)
        s->lines.chunk = th_calloc(LINES_MAX_CHUNKS, sizeof *s->lines.chunk);
    if (!s->lines.chunk || s->lines.chunks == LINES_MAX_CHUNKS)
        return false;
    c = th_calloc(1, sizeof *c);
    if (!c)
        return false;
    s->lines.chunk[s->lines.chunks++] = c;
    for (uint32_t i = LINES_OF_CHUNK; i > 0; i--) {
        struct line *l = &c->line[i - 1];

        l->index = (s->lines.chunks - 1) * LINES_OF_CHUNK + i;
        l->next_free = s->lines.free;
        s->lines.free = l->index;
    }
    return true;
}

void order_init(struct th_sched *s)
{
    th_list_init(&s->lines.idle);
}

void order_fini(struct th_sched *s)
{
    for (uint32_t i = 0; i < s->lines.chunks; i++)
        th_free(s->lines.chunk[i]);
    th_free(s->lines.chunk);
    th_free(s->lines.told);
}

/* NULL: the endpoint has no such line. */
static struct line *order_find(const struct ep *ep, uint64_t order)
{
    return ep->lines ? th_map_get(ep->lines, order) : NULL;
}

static bool map_of(struct th_sched *s, struct ep *ep)
{
    if (ep->lines)
        return true;
    ep->lines = th_calloc(1, sizeof *ep->lines);
    if (ep->lines)
        th_map_init(ep->lines, LINES_OF_ENDPOINT, s->options.hash_seed);
    return ep->lines != NULL;
}

static struct line *line_new(struct th_sched *s, struct ep *ep, uint64_t order)
{
    struct line *l;
    uint32_t index;

    if (!map_of(s, ep) || (!s->lines.free && !grow(s)))
        return NULL;
    l = line_at(s, s->lines.free);
    if (th_map_put(ep->lines, order, l))
        return NULL;
    index = l->index;
    s->lines.free = l->next_free;
    *l = (struct line){.order = order, .ep = ep->index, .index = index};
    th_list_init(&l->idle);
    s->lines.count++;
    return l;
}

static void line_free(struct th_sched *s, struct line *l)
{
    th_map_del(s->ep[l->ep]->lines, l->order);
    s->lines.idle_count -= !th_list_empty(&l->idle);
    th_list_remove(&l->idle);
    *l = (struct line){.index = l->index, .next_free = s->lines.free};
    s->lines.free = l->index;
    s->lines.count--;
}

/* It has no item: it goes, or stays for a while for what it has to say. */
static void unused(struct th_sched *s, struct line *l)
{
    if (!l->items)
        l->unread_from = 0;
    if (l->items || l->left_from)
        return;
    if (!l->passed) {
        line_free(s, l);
        return;
    }
    if (!th_list_empty(&l->idle))
        return;
    th_list_append(&s->lines.idle, &l->idle);
    if (++s->lines.idle_count > IDLE_LINES)
        line_free(s, TH_CONTAINER(s->lines.idle.next, struct line, idle));
}

static void used(struct th_sched *s, struct line *l)
{
    s->lines.idle_count -= !th_list_empty(&l->idle);
    th_list_remove(&l->idle);
}

/* ---- whose turn ---- */

static bool waits(const struct th_sched *s, uint32_t id)
{
    return id && place_waits(item_at(s, id)->place);
}

/* When the turn gives way although it has not ended: as long after its round began as the endpoint lets it hold up the others. INT64_MAX:
 * never, or not before it has been tried. */
static int64_t limit_us(const struct ep *ep, const struct item *turn)
{
    if (!ep->options.max_wait_us || !turn->tries || !item_round(turn))
        return INT64_MAX;
    return turn->due_us - (item_due_ms(turn) - item_round(turn)) * 1000 + ep->options.max_wait_us;
}

/* The turn waits for a moment to come. */
static bool is_stopped(const struct th_sched *s, const struct line *l)
{
    return l->turn && place_waits(item_at(s, l->turn)->place) && item_at(s, l->turn)->due_us > s->now_us;
}

bool line_stopped(const struct th_sched *s, const struct line *l, int64_t *until_us)
{
    const struct item *turn = l->turn ? item_at(s, l->turn) : NULL;

    *until_us = turn ? limit_us(s->ep[l->ep], turn) : INT64_MAX;
    if (!is_stopped(s, l))
        return false;
    if (*until_us > turn->due_us) /* its end tells */
        *until_us = INT64_MAX;
    return true;
}

/* Back among those that wait behind. */
static void stand_back(struct th_sched *s, struct ep *ep, struct line *l, uint32_t id)
{
    item_take(s, ep, id);
    item_at(s, id)->ep = ep->index;
    item_at(s, id)->place = P_LINE;
    heap_push(s, &l->behind, id);
    ep_count(s, ep, 1);
}

static void disarm(struct th_sched *s, struct ep *ep, struct line *l)
{
    uint32_t id = l->armed;

    if (!id)
        return;
    l->armed = 0;
    item_take(s, ep, id);
    item_at(s, id)->due_us = l->armed_due_us;
    item_at(s, id)->place = P_LINE;
    heap_push(s, &l->behind, id);
    ep_count(s, ep, 1);
}

/* Of the numbers below it everything is in memory. */
static uint64_t known_until(const struct line *l)
{
    uint64_t left = l->left_from ? l->left_from : UINT64_MAX,
             unread = l->unread_from ? l->unread_from : UINT64_MAX;

    return left < unread ? left : unread;
}

uint32_t order_behind(const struct th_sched *s, const struct line *l)
{
    uint32_t n = l->items - (l->turn != 0) - (l->armed != 0);

    for (uint32_t id = l->mates; id; id = item_at(s, id)->next)
        n--;
    return n;
}

bool line_is_blocked(const struct th_sched *s, const struct line *l)
{
    return l->behind && item_at(s, l->behind)->no >= known_until(l);
}

/* The first of those behind, if it may be the next; 0: none. */
static uint32_t next_of(const struct th_sched *s, const struct line *l)
{
    return l->behind && item_at(s, l->behind)->no < known_until(l) ? l->behind : 0;
}

static void arm(struct th_sched *s, struct ep *ep, struct line *l, uint32_t id, int64_t at)
{
    struct item *it = item_at(s, id);

    item_take(s, ep, id);
    l->armed = id;
    l->armed_due_us = it->due_us;
    if (it->due_us < at ||
        it->due_us > limit_us(ep, it)) /* it is due later itself, and to be passed as well: order_give_way */
        it->due_us = at;
    item_stand(s, ep, id, true);
}

static void tell(struct th_sched *s, uint64_t no)
{
    if (s->lines.told_count == TOLD_MAX)
        return; /* its mark is missing in the log, and nothing else */
    if (s->lines.told_count == s->lines.told_cap) {
        uint32_t cap = s->lines.told_cap ? 2 * s->lines.told_cap : 16;
        uint64_t *v = th_realloc(s->lines.told, cap * sizeof *v);

        if (!v)
            return;
        s->lines.told = v;
        s->lines.told_cap = cap;
    }
    s->lines.told[s->lines.told_count++] = no;
}

/* The turn has held up the others for long enough: it goes on for itself, and belongs to no line any more. */
static void pass(struct th_sched *s, struct ep *ep, struct line *l)
{
    struct item *it = item_at(s, l->turn);

    ep->kept -= it->place == P_RETRY;
    item_line_set(it, 0);
    l->items--;
    l->turn = 0;
    l->passed = it->no;
    tell(s, it->no);
}

/* Something of the line has a lower number than the turn. */
static bool is_preceded(const struct th_sched *s, const struct line *l)
{
    uint64_t no = item_at(s, l->turn)->no;

    return (l->left_from && l->left_from < no) || (l->behind && item_at(s, l->behind)->no < no);
}

/* Chooses the turn, and the moment at which it has to give way. `first`: this one does not go to the end of what waits. */
static void choose(struct th_sched *s, struct ep *ep, struct line *l, uint32_t first)
{
    disarm(s, ep, l);
    if (l->turn && !waits(s, l->turn))
        return;
    if (l->turn && is_preceded(s, l)) {
        stand_back(s, ep, l, l->turn);
        l->turn = 0;
    }
    for (;;) {
        uint32_t next;
        int64_t limit;

        if (!l->turn) {
            l->turn = next_of(s, l);
            if (!l->turn)
                break;
            item_take(s, ep, l->turn);
            item_stand(s, ep, l->turn, l->turn == first);
        }
        next = next_of(s, l);
        limit = limit_us(ep, item_at(s, l->turn));
        if (!is_stopped(s, l) || item_at(s, l->turn)->due_us <= limit)
            return;
        if (!next && l->left_from) /* it has to be here by then */
            spill_park(s, ep, l->left_from, limit);
        if (!next)
            return;
        if (limit > s->now_us) {
            arm(s, ep, l, next, limit);
            return;
        }
        pass(s, ep, l);
    }
    if (l->left_from) /* who is next is in the store */
        spill_park(s, ep, l->left_from, s->now_us);
}

/* The same, and counts the line where all that it has here waits for what is in the store. */
static void update(struct th_sched *s, struct ep *ep, struct line *l, uint32_t first)
{
    bool blocked;

    choose(s, ep, l, first);
    blocked = !l->turn && l->behind;
    ep->blocked += blocked;
    ep->blocked -= l->blocked;
    l->blocked = blocked;
}

static void mate_leave(struct th_sched *s, struct line *l, uint32_t id)
{
    struct item *it = item_at(s, id);

    if (l->turn == id || it->place != P_SETTLE)
        return;
    if (it->prev)
        item_at(s, it->prev)->next = it->next;
    else
        l->mates = it->next;
    if (it->next)
        item_at(s, it->next)->prev = it->prev;
    it->next = it->prev = 0;
}

void order_put(struct th_sched *s, struct ep *ep, uint32_t id, bool first)
{
    struct item *it = item_at(s, id);
    struct line *l = line_of(s, it);

    mate_leave(s, l, id);
    if (l->turn == id)
        l->turn = 0;
    if (l->armed == id)
        l->armed = 0;
    it->ep = ep->index;
    it->place = P_LINE;
    heap_push(s, &l->behind, id);
    ep_count(s, ep, 1);
    update(s, ep, l, first ? id : 0);
}

void order_take(struct th_sched *s, uint32_t id)
{
    heap_remove(s, &line_of(s, item_at(s, id))->behind, id);
}

void order_give_way(struct th_sched *s, struct ep *ep)
{
    uint32_t id;

    while ((id = ep->retry) && item_line(item_at(s, id)) && item_at(s, id)->due_us <= s->now_us) {
        struct line *l = line_of(s, item_at(s, id));

        if (l->armed != id || l->armed_due_us <= s->now_us)
            return;
        update(s, ep, l, 0);
    }
}

void order_picked(struct th_sched *s, struct ep *ep, uint32_t id)
{
    struct line *l = line_of(s, item_at(s, id));

    if (l->armed != id) {
        disarm(s, ep, l); /* the turn itself goes */
        return;
    }
    l->armed = 0;
    item_at(s, id)->due_us = l->armed_due_us;
    pass(s, ep, l);
    l->turn = id;
}

void order_left(struct th_sched *s, uint32_t id)
{
    struct item *it = item_at(s, id);
    struct line *l = line_of(s, it);
    struct ep *ep = s->ep[l->ep];

    mate_leave(s, l, id);
    item_line_set(it, 0);
    l->items--;
    if (l->turn == id)
        l->turn = 0;
    if (l->armed == id)
        l->armed = 0;
    update(s, ep, l, 0);
    unused(s, l);
}

/* ---- what the store has of it ---- */

void order_hole(const struct ep *ep, struct line *l, uint64_t no)
{
    if (l->left_from && no > l->left_from)
        return;
    l->left_from = no;
    l->hole_pass = ep->pass;
}

struct line *order_left_out(struct th_sched *s, struct ep *ep, uint64_t order, uint64_t no)
{
    struct line *l = order_find(ep, order);

    if (!l)
        return NULL;
    used(s, l);
    order_hole(ep, l, no);
    update(s, ep, l, 0);
    return l;
}

bool order_hold(struct th_sched *s, struct ep *ep, const struct th_queue_row *row)
{
    struct line *l = order_find(ep, row->order);

    if (!l)
        l = line_new(s, ep, row->order);
    if (!l)
        return false;
    used(s, l);
    order_hole(ep, l, row->no);
    spill_park(s, ep, row->no, s->now_us);
    return true;
}

/* The walk under way began below what was left before it, so it has read, or would have read, every row from there on. */
static void close_hole(const struct ep *ep, struct line *l)
{
    if (l->hole_pass != ep->pass && ep->pass_from <= l->left_from)
        l->left_from = 0;
}

/* Memory is short, and this line is stopped, or has more than its part while there are others. */
static bool stays_out(const struct th_sched *s, const struct ep *ep, const struct line *l, uint64_t no,
                      int64_t *until_us)
{
    uint32_t share = s->options.max_items_per_endpoint;
    bool stopped = line_stopped(s, l, until_us), last = !l->behind && !l->armed;

    if (!l->turn || item_at(s, l->turn)->no > no || (!ep_spilled(ep) && ep_held_items(ep) < share / 2))
        return false;
    if (stopped)
        return !last || !ep->options.max_wait_us || spill_is_far(s, ep, *until_us);
    *until_us = INT64_MAX;
    return ep_held_items(ep) >= share / 2 && l->items > share / LINE_PART && !ep->options.one_line;
}

struct line *order_admit(struct th_sched *s, struct ep *ep, uint64_t order, uint64_t no, bool walked,
                         bool *noted)
{
    struct line *l = order_find(ep, order);
    int64_t until_us = INT64_MAX;

    if (l && walked && l->left_from && no > l->left_from)
        close_hole(ep, l);
    if (l && ((l->left_from && no > l->left_from) || stays_out(s, ep, l, no, &until_us))) {
        order_hole(ep, l, no);
        spill_park(s, ep, no, until_us);
        *noted = true;
        return NULL;
    }
    if (!l)
        return line_new(s, ep, order);
    used(s, l); /* making room for the item must not take its line */
    return l;
}

void order_admitted(struct th_sched *s, const struct ep *ep, struct line *l, uint32_t id, bool walked)
{
    uint64_t no = item_at(s, id)->no;

    item_line_set(item_at(s, id), l->index);
    l->top = l->items++ && l->top > no ? l->top : no;
    if (walked)
        l->unread_from = l->top > no ? no + 1 : 0;
    if (!l->left_from || no < l->left_from)
        return;
    /* a walk goes on to the others that were left out; else they are still there */
    l->left_from = walked ? 0 : no + 1;
    l->hole_pass = ep->pass;
}

void order_unused(struct th_sched *s, struct line *l)
{
    unused(s, l);
}

void order_pass_ended(struct th_sched *s, struct ep *ep)
{
    uint64_t key;
    void *value;
    uint32_t closed = 0, next;

    for (size_t i = 0; ep->lines && th_map_next(ep->lines, &i, &key, &value);) {
        struct line *l = value;

        bool unread = l->unread_from != 0;

        l->unread_from = 0;
        if (!l->left_from && !unread)
            continue;
        if (l->left_from)
            close_hole(ep, l);
        if (l->left_from && !unread)
            continue;
        l->next_free = closed;
        closed = l->index;
    }
    for (; closed; closed = next) {
        next = line_at(s, closed)->next_free;
        update(s, ep, line_at(s, closed), 0);
        unused(s, line_at(s, closed));
    }
}

/* ---- the whole endpoint ---- */

/* It goes on for itself. */
static void detach(struct th_sched *s, struct ep *ep, uint32_t id)
{
    if (!id)
        return;
    ep->kept -= item_at(s, id)->place == P_RETRY;
    item_line_set(item_at(s, id), 0);
}

static void drop_behind(struct th_sched *s, struct ep *ep, struct line *l)
{
    uint32_t next;

    for (uint32_t id = heap_dissolve(s, &l->behind); id; id = next) {
        next = item_at(s, id)->next;
        item_line_set(item_at(s, id), 0);
        item_at(s, id)->next = 0;
        item_at(s, id)->place = P_FREE;
        ep_count(s, ep, -1);
        item_free(s, id);
    }
}

void order_drop(struct th_sched *s, struct ep *ep)
{
    uint64_t key;
    void *value;

    if (!ep->lines)
        return;
    for (size_t i = 0; th_map_next(ep->lines, &i, &key, &value);) {
        struct line *l = value;

        detach(s, ep, l->turn);
        detach(s, ep, l->armed);
        while (l->mates) {
            uint32_t id = l->mates;

            mate_leave(s, l, id);
            detach(s, ep, id);
        }
        drop_behind(s, ep, l);
        used(s, l);
        *l = (struct line){.index = l->index, .next_free = s->lines.free};
        s->lines.free = l->index;
        s->lines.count--;
    }
    th_map_fini(ep->lines);
    th_free(ep->lines);
    ep->lines = NULL;
    ep->blocked = 0;
}

/* ---- for the engine ---- */

uint64_t th_sched_skipped(const struct th_sched *s, uint64_t delivery)
{
    uint32_t id = item_find(s, delivery);
    const struct line *l = id ? line_of(s, item_at(s, id)) : NULL;

    return l ? l->passed : 0;
}

void th_sched_gave_up(struct th_sched *s, uint64_t delivery)
{
    uint32_t id = item_find(s, delivery);
    struct line *l = id ? line_of(s, item_at(s, id)) : NULL;

    if (l && (l->turn == id || item_at(s, id)->place == P_SETTLE))
        l->gave_up = true;
}

void order_ended(struct th_sched *s, uint32_t id)
{
    struct line *l = line_of(s, item_at(s, id));
    uint64_t no = l->gave_up ? item_at(s, id)->no : 0;

    l->gave_up = false;
    if (l->turn != id) { /* what it says is said when the turn has ended, which is settled behind it */
        l->mate_passed = no > l->mate_passed ? no : l->mate_passed;
        return;
    }
    l->passed = no && l->mate_passed > no ? l->mate_passed : no;
    l->mate_passed = 0;
}

struct th_queue_row item_row(const struct th_sched *s, const struct ep *ep, const struct item *it)
{
    return (struct th_queue_row){.no = it->no,
                                 .event = it->event,
                                 .endpoint = ep->options.no,
                                 .order = item_line(it) ? line_at(s, item_line(it))->order : 0,
                                 .due = item_due_ms(it),
                                 .round = item_round(it),
                                 .lane = it->lane & 3,
                                 .tries = (uint8_t)it->tries,
                                 .marks = it->renewed ? TH_MARK_RENEWED : 0,
                                 .attempts = (uint16_t)it->attempts};
}

/* While an endpoint is held or rests, only what was asked for by hand goes. */
static bool is_let(const struct th_sched *s, const struct ep *ep, const struct item *it)
{
    return (!ep->options.held && ep->rest_us <= s->now_us) || (it->lane == TH_LANE_MANUAL && !it->tries);
}

struct ep *order_join(struct th_sched *s, uint32_t id, uint64_t after, struct th_queue_row *out)
{
    const struct item *turn = item_at(s, id);
    struct line *l = line_of(s, turn);
    struct item *it;
    struct ep *ep;
    uint32_t next;

    if (!l || l->turn != id || turn->place != P_FLIGHT)
        return NULL;
    next = next_of(s, l);
    it = next ? item_at(s, next) : NULL;
    ep = s->ep[l->ep];
    if (!it || it->no <= after || it->due_us > s->now_us || it->tries != turn->tries || !is_let(s, ep, it))
        return NULL;
    *out = item_row(s, ep, it);
    item_take(s, ep, next);
    it->ep = ep->index;
    it->place = P_SETTLE;
    it->child = W_MATE;
    it->prev = 0;
    it->next = l->mates;
    if (l->mates)
        item_at(s, l->mates)->prev = next;
    l->mates = next;
    ep->under_way++;
    return ep;
}

bool th_sched_passed_next(struct th_sched *s, uint64_t *delivery)
{
    if (!s->lines.told_count)
        return false;
    *delivery = s->lines.told[--s->lines.told_count];
    return true;
}
