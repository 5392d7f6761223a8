/* The memory of the scheduler's items: 60 bytes each, including everything.
 *
 * Items come in chunks of 1,024 that never move and are never given back (LIMIT: memory stays at its highest
 * mark, which options.max_items bounds). A chunk also brings as many hash buckets as items; the map splits one
 * bucket after another as it fills (linear hashing), so it needs no memory of its own, never stops to
 * rebuild, and inserting cannot fail half way. Lists and pairing heaps are linked through the items: waiting
 * somewhere costs nothing and cannot fail.
 *
 * Invariants: an item is in exactly one place; every item but a free one is in the map, under one number;
 * order within a heap is (due, number), within a list that of arrival. The only failure is "no item". */
#include "base/alloc.h"
#include "core/sched_int.h"

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

/* ---- map ---- */

static uint32_t *bucket_at(const struct th_sched *s, uint32_t b)
{
    return &s->chunk[b / CHUNK]->bucket[b % CHUNK];
}

static uint32_t *bucket_of(const struct th_sched *s, uint64_t no)
{
    uint32_t h = (uint32_t)mix(no ^ s->options.hash_seed);
    uint32_t b = h & (2 * s->buckets_low - 1);

    return bucket_at(s, b < s->buckets ? b : h & (s->buckets_low - 1));
}

/* One bucket more: those of its lower twin that belong to it move over. */
static void split(struct th_sched *s)
{
    uint32_t fresh = s->buckets, id, next;
    uint32_t *from = bucket_at(s, fresh - s->buckets_low), *to = bucket_at(s, fresh);

    id = *from;
    *from = *to = 0;
    s->buckets++;
    for (; id; id = next) {
        struct item *it = item_at(s, id);
        uint32_t *b = bucket_of(s, it->no);
        next = it->chain;
        it->chain = *b;
        *b = id;
    }
    if (s->buckets == 2 * s->buckets_low)
        s->buckets_low *= 2;
}

uint32_t item_find(const struct th_sched *s, uint64_t no)
{
    uint32_t id;

    if (!s->chunks)
        return 0;
    for (id = *bucket_of(s, no); id; id = item_at(s, id)->chain)
        if (item_at(s, id)->no == no)
            return id;
    return 0;
}

/* ---- pool ---- */

bool items_init(struct th_sched *s)
{
    s->chunk_max = (s->options.max_items - 1) / CHUNK + 1;
    s->chunk = th_calloc(s->chunk_max, sizeof *s->chunk);
    s->buckets = s->buckets_low = 1;
    return s->chunk != NULL;
}

void items_fini(struct th_sched *s)
{
    for (uint32_t i = 0; i < s->chunks; i++)
        th_free(s->chunk[i]);
    th_free(s->chunk);
}

static bool grow(struct th_sched *s)
{
    struct chunk *c = s->chunks < s->chunk_max ? th_calloc(1, sizeof *c) : NULL;

    if (!c)
        return false;
    s->chunk[s->chunks++] = c;
    for (uint32_t i = CHUNK; i > 0; i--) {
        c->item[i - 1].next = s->free_item;
        s->free_item = (s->chunks - 1) * CHUNK + i;
    }
    return true;
}

uint32_t item_new(struct th_sched *s, uint64_t no, bool *no_memory)
{
    uint32_t id, *b;
    struct item *it;

    if (s->items + s->ghosts >= s->options.max_items)
        return 0;
    if (!s->free_item && !grow(s)) {
        *no_memory = true;
        return 0;
    }
    id = s->free_item;
    it = item_at(s, id);
    s->free_item = it->next;
    *it = (struct item){.no = no};
    if (s->buckets < s->chunks * CHUNK)
        split(s);
    b = bucket_of(s, no);
    it->chain = *b;
    *b = id;
    s->items++;
    return id;
}

void item_free(struct th_sched *s, uint32_t id)
{
    struct item *it = item_at(s, id);
    uint32_t *link = bucket_of(s, it->no);

    if (item_line(it))
        order_left(s, id);
    while (*link != id)
        link = &item_at(s, *link)->chain;
    *link = it->chain;
    if (it->place == P_GHOST)
        s->ghosts--;
    else
        s->items--;
    *it = (struct item){.next = s->free_item};
    s->free_item = id;
}

/* ---- lists ---- */

void list_append(struct th_sched *s, struct ilist *l, uint32_t id)
{
    struct item *it = item_at(s, id);

    it->next = 0;
    it->prev = l->tail;
    if (l->tail)
        item_at(s, l->tail)->next = id;
    else
        l->head = id;
    l->tail = id;
}

void list_remove(struct th_sched *s, struct ilist *l, uint32_t id)
{
    struct item *it = item_at(s, id);

    if (it->prev)
        item_at(s, it->prev)->next = it->next;
    else
        l->head = it->next;
    if (it->next)
        item_at(s, it->next)->prev = it->prev;
    else
        l->tail = it->prev;
    it->next = it->prev = 0;
}

/* ---- pairing heap ---- */

static bool before(const struct item *a, const struct item *b)
{
    if (a->place == P_LINE)
        return a->no < b->no;
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->no < b->no;
}

/* Joins two heaps; either may be empty. A root has neither next nor prev. */
static uint32_t meld(struct th_sched *s, uint32_t a, uint32_t b)
{
    struct item *top, *sub;

    if (!a || !b)
        return a ? a : b;
    if (before(item_at(s, b), item_at(s, a))) {
        uint32_t t = a;
        a = b;
        b = t;
    }
    top = item_at(s, a);
    sub = item_at(s, b);
    sub->next = top->child;
    if (top->child)
        item_at(s, top->child)->prev = b;
    sub->prev = a;
    top->child = b;
    return a;
}

/* Melds a chain of siblings in pairs, then the pairs from the last to the first. */
static uint32_t meld_chain(struct th_sched *s, uint32_t id)
{
    uint32_t pairs = 0, root = 0;

    while (id) {
        uint32_t a = id, b = item_at(s, a)->next, m;
        id = b ? item_at(s, b)->next : 0;
        item_at(s, a)->next = item_at(s, a)->prev = 0;
        if (b)
            item_at(s, b)->next = item_at(s, b)->prev = 0;
        m = meld(s, a, b);
        item_at(s, m)->next = pairs; /* a root's next is free: it chains the pairs */
        pairs = m;
    }
    while (pairs) {
        uint32_t m = pairs;
        pairs = item_at(s, m)->next;
        item_at(s, m)->next = 0;
        root = meld(s, root, m);
    }
    return root;
}

void heap_push(struct th_sched *s, uint32_t *root, uint32_t id)
{
    struct item *it = item_at(s, id);

    it->next = it->prev = it->child = 0;
    *root = meld(s, *root, id);
}

void heap_remove(struct th_sched *s, uint32_t *root, uint32_t id)
{
    struct item *it = item_at(s, id);
    uint32_t below = meld_chain(s, it->child);

    if (*root == id) {
        *root = below;
    } else {
        struct item *prev = item_at(s, it->prev);
        if (prev->child == id)
            prev->child = it->next;
        else
            prev->next = it->next;
        if (it->next)
            item_at(s, it->next)->prev = it->prev;
        *root = meld(s, *root, below);
    }
    it->next = it->prev = it->child = 0;
}

uint32_t heap_dissolve(struct th_sched *s, uint32_t *root)
{
    uint32_t todo = *root, done = 0;

    *root = 0;
    while (todo) {
        struct item *it = item_at(s, todo);
        uint32_t id = todo, last = it->child;
        if (last) { /* its children go before the rest */
            while (item_at(s, last)->next)
                last = item_at(s, last)->next;
            item_at(s, last)->next = it->next;
            todo = it->child;
        } else {
            todo = it->next;
        }
        it->child = it->prev = 0;
        it->next = done;
        done = id;
    }
    return done;
}

/* ---- waiting ---- */

static unsigned bit_length(uint32_t n)
{
    return n ? 32 - (unsigned)__builtin_clz(n) : 0;
}

void ep_count(struct th_sched *s, struct ep *ep, int change)
{
    unsigned was = bit_length(ep->waiting), is;

    ep->waiting = change > 0 ? ep->waiting + 1 : ep->waiting - 1;
    is = bit_length(ep->waiting);
    if (is == was)
        return;
    th_list_remove(&ep->size_link);
    th_list_append(&s->size[is], &ep->size_link);
}

static struct ilist *list_of(struct ep *ep, unsigned place)
{
    switch (place) {
    case P_TEST:
        return &ep->test;
    case P_MANUAL:
        return &ep->manual;
    case P_FRESH:
        return &ep->fresh;
    case P_REPLAY:
        return &ep->replay;
    default:
        return NULL;
    }
}

static enum place place_of(const struct th_sched *s, const struct item *it)
{
    if (it->lane == TH_LANE_TEST)
        return P_TEST; /* a test has no schedule */
    if (it->due_us > s->now_us)
        return P_RETRY;
    if (it->tries) /* not attempts: a replayed delivery has some, and its first place in the schedule */
        return P_RETRY;
    if (it->lane == TH_LANE_MANUAL) /* the one attempt that was asked for; what follows is the schedule's */
        return P_MANUAL;
    return it->lane == TH_LANE_REPLAY ? P_REPLAY : P_FRESH;
}

void item_put(struct th_sched *s, struct ep *ep, uint32_t id, bool first)
{
    if (item_line(item_at(s, id)))
        order_put(s, ep, id, first);
    else
        item_stand(s, ep, id, first);
}

void item_stand(struct th_sched *s, struct ep *ep, uint32_t id, bool first)
{
    struct item *it = item_at(s, id);

    it->ep = ep->index;
    it->place = place_of(s, it) & 15;
    if (first && it->place == P_FRESH) /* the heap is by number, and comes before what is fresh */
        it->place = P_RETRY;
    if (it->place == P_RETRY) {
        heap_push(s, &ep->retry, id);
        ep->kept += item_line(it) != 0;
    } else {
        list_append(s, list_of(ep, it->place), id);
    }
    ep_count(s, ep, 1);
}

void item_take(struct th_sched *s, struct ep *ep, uint32_t id)
{
    struct item *it = item_at(s, id);

    if (it->place == P_RETRY) {
        heap_remove(s, &ep->retry, id);
        ep->kept -= item_line(it) != 0;
    } else if (it->place == P_LINE) {
        order_take(s, id);
    } else {
        list_remove(s, list_of(ep, it->place), id);
    }
    it->place = P_FREE;
    ep_count(s, ep, -1);
}
