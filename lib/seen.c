/* The seen-set: it remembers which of the last events were worked on, in a fixed piece of the caller's
 * memory.
 *
 * An array of entries linked into a circle, a hand on its oldest one, and a hash table over the entries by open
 * addressing. A new event takes the entry under the hand, unless somebody works on that one; then the hand goes
 * on, which makes that entry the newest (so a handler that never ends keeps one entry, not the set). An entry
 * that is given back goes under the hand: an event that fails a hundred times uses one place, and pushes none
 * out that was done. begin is O(1) but for steps over busy entries.
  * Why digests: an id may be of any length, and a sender must not be able to choose ids that collide; 128 bits of
 * SHA-256 do not collide in practice.
 *
 * Invariants: 1. An entry is in the table exactly when its state is not FREE. 2. The table has at least twice
 * as many slots as entries, so a search ends at an empty slot. 3. Only an entry that is DONE or FREE is
 * reused, and a FREE one before all others. */
#include "lib/internal.h"

enum { FREE, BUSY, DONE };
struct tenterhook_seen_entry {
    struct tenterhook_key_id key;
    uint32_t newer;                 /* the newest one's is the oldest */
    uint32_t older : 30, state : 2; /* 28 bits are enough for any capacity */
};
#define EMPTY UINT32_MAX
#define CAPACITY_MAX (UINT32_C(1) << 28)

static uint32_t slots_for(uint32_t capacity)
{
    uint32_t slots = 2;

    while (slots < 2 * capacity)
        slots *= 2;
    return slots;
}

size_t tenterhook_seen_size(uint32_t capacity)
{
    if (capacity == 0 || capacity > CAPACITY_MAX)
        return 0;
    return (size_t)capacity * sizeof(struct tenterhook_seen_entry) +
           (size_t)slots_for(capacity) * sizeof(uint32_t);
}

static void link_to(struct tenterhook_seen *set, uint32_t older, uint32_t newer)
{
    set->entries[older].newer = newer;
    set->entries[newer].older = older & (CAPACITY_MAX - 1);
}

/* Makes an entry the oldest. */
static void put_under_hand(struct tenterhook_seen *set, uint32_t entry)
{
    struct tenterhook_seen_entry *e = &set->entries[entry];

    if (entry == set->hand)
        return;
    link_to(set, e->older, e->newer);
    link_to(set, set->entries[set->hand].older, entry);
    link_to(set, entry, set->hand);
    set->hand = entry;
}

enum tenterhook_result tenterhook_seen_init(struct tenterhook_seen *set, uint32_t capacity, void *memory,
                                            size_t size)
{
    size_t needed = tenterhook_seen_size(capacity);

    memset(set, 0, sizeof *set);
    if (needed == 0 || !memory || (uintptr_t)memory % sizeof(uint64_t))
        return TENTERHOOK_INVALID;
    if (size < needed)
        return TENTERHOOK_NO_ROOM;
    set->entries = memory;
    set->table = (uint32_t *)(void *)(set->entries + capacity);
    set->capacity = capacity;
    set->slots = slots_for(capacity);
    memset(set->entries, 0, (size_t)capacity * sizeof *set->entries);
    for (uint32_t i = 0; i < capacity; i++)
        link_to(set, i, i + 1 == capacity ? 0 : i + 1);
    memset(set->table, 0xff, (size_t)set->slots * sizeof *set->table);
    return TENTERHOOK_OK;
}

static uint32_t home(const struct tenterhook_seen *set, const struct tenterhook_key_id *key)
{
    uint32_t h;

    memcpy(&h, key->b, sizeof h);
    return h & (set->slots - 1);
}

/* The slot of a key, or the empty one where it would go. */
static uint32_t slot_of(const struct tenterhook_seen *set, const struct tenterhook_key_id *key)
{
    uint32_t s = home(set, key);

    while (set->table[s] != EMPTY && memcmp(set->entries[set->table[s]].key.b, key->b, sizeof key->b) != 0)
        s = (s + 1) & (set->slots - 1);
    return s;
}

/* Empties a slot and moves up what was put further on because of it. */
static void remove_slot(struct tenterhook_seen *set, uint32_t hole)
{
    const uint32_t mask = set->slots - 1;

    set->entries[set->table[hole]].state = FREE;
    for (uint32_t s = (hole + 1) & mask; set->table[s] != EMPTY; s = (s + 1) & mask) {
        uint32_t wanted = home(set, &set->entries[set->table[s]].key);

        if (((s - wanted) & mask) >= ((s - hole) & mask)) {
            set->table[hole] = set->table[s];
            hole = s;
        }
    }
    set->table[hole] = EMPTY;
}

enum tenterhook_mark tenterhook_seen_begin(struct tenterhook_seen *set, const struct tenterhook_key_id *key)
{
    uint32_t slot, entry, steps = 0;

    if (set->capacity == 0)
        return TENTERHOOK_FULL;
    slot = slot_of(set, key);
    if (set->table[slot] != EMPTY)
        return set->entries[set->table[slot]].state == DONE ? TENTERHOOK_SEEN : TENTERHOOK_BUSY;
    while (set->entries[set->hand].state == BUSY) {
        if (++steps > set->capacity)
            return TENTERHOOK_FULL;
        set->hand = set->entries[set->hand].newer;
    }
    entry = set->hand;
    set->hand = set->entries[entry].newer;
    if (set->entries[entry].state == DONE)
        remove_slot(set, slot_of(set, &set->entries[entry].key));
    set->entries[entry].key = *key;
    set->entries[entry].state = BUSY;
    set->table[slot_of(set, key)] = entry; /* again: the removal may have moved the place */
    return TENTERHOOK_NEW;
}

void tenterhook_seen_done(struct tenterhook_seen *set, const struct tenterhook_key_id *key)
{
    uint32_t slot;

    if (set->capacity == 0)
        return;
    slot = slot_of(set, key);
    if (set->table[slot] != EMPTY)
        set->entries[set->table[slot]].state = DONE;
}

void tenterhook_seen_forget(struct tenterhook_seen *set, const struct tenterhook_key_id *key)
{
    uint32_t slot;

    if (set->capacity == 0)
        return;
    slot = slot_of(set, key);
    if (set->table[slot] == EMPTY)
        return;
    put_under_hand(set, set->table[slot]);
    remove_slot(set, slot);
}

static enum tenterhook_mark store_begin(void *ctx, const struct tenterhook_key_id *key,
                                        const struct tenterhook_event *event)
{
    (void)event;
    return tenterhook_seen_begin(ctx, key);
}

static void store_done(void *ctx, const struct tenterhook_key_id *key, const struct tenterhook_event *event)
{
    (void)event;
    tenterhook_seen_done(ctx, key);
}

static void store_forget(void *ctx, const struct tenterhook_key_id *key, const struct tenterhook_event *event)
{
    (void)event;
    tenterhook_seen_forget(ctx, key);
}

struct tenterhook_store tenterhook_seen_store(struct tenterhook_seen *set)
{
    struct tenterhook_store store = {store_begin, store_done, store_forget, set};

    return store;
}

/* ---- keys ---- */

bool tenterhook_event_key(const struct tenterhook_event *event, unsigned flags, struct tenterhook_key_id *key)
{
    /* One digest of digests, so that no part can be mistaken for another. */
    uint8_t parts[65], digest[32];
    struct th_span id = event->id.n ? event->id : event->delivery_id;

    memset(parts, 0, sizeof parts);
    if (id.n) {
        parts[0] = event->id.n ? 'i' : 'd';
    } else if ((flags & TENTERHOOK_BY_BODY) && event->body.n) {
        parts[0] = 'b';
        id = event->body;
    } else {
        return false;
    }
    th_sha256(id.p, id.n, parts + 1);
    if (flags & TENTERHOOK_BY_RESOURCE)
        th_sha256(event->resource_id.p, event->resource_id.n, parts + 33);
    th_sha256(parts, sizeof parts, digest);
    memcpy(key->b, digest, sizeof key->b);
    return true;
}
