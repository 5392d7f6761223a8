/* How slots are divided among nodes.
 *
 * Every node computes the same from what all can read, so nobody has to decide for the others: who lives and works gets an even part, in
 * order of number, and nothing moves that need not. Whoever has too many gives up the last of them; whoever has too few takes from those that
 * are free. What two nodes have read may differ for a moment, so each step is made only where the slot is still what was read. */
#include "store/store_slots.h"

void st_slots_node(struct st_slots *s, int id, bool lives, bool shares)
{
    if (s->count < ST_NODES_MAX)
        s->nodes[s->count++] = (struct st_slots_node){.id = id, .lives = lives, .shares = shares};
}

static struct st_slots_node *find(struct st_slots *s, int id)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->nodes[i].id == id)
            return &s->nodes[i];
    return NULL;
}

void st_slots_divide(struct st_slots *s)
{
    unsigned living = 0, nth = 0;

    for (unsigned i = 0; i < s->count; i++)
        living += s->nodes[i].lives && s->nodes[i].shares;
    for (unsigned i = 0; i < s->count; i++)
        if (s->nodes[i].lives && s->nodes[i].shares) {
            s->nodes[i].part = TH_SLOTS / living + (nth < TH_SLOTS % living);
            nth++;
        }
    for (unsigned i = 0; i < TH_SLOTS; i++) {
        struct st_slots_node *n = s->owner[i] ? find(s, s->owner[i]) : NULL;
        if (n)
            n->owns++;
    }
}

bool st_slots_works(const struct st_slots *s, int id)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->nodes[i].id == id)
            return s->nodes[i].lives && s->nodes[i].shares;
    return false;
}

int st_slots_dead(const struct st_slots *s, int nth)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct st_slots_node *n = &s->nodes[i];
        if (!n->lives && (n->owns || n->shares) && nth-- == 0)
            return n->id;
    }
    return 0;
}

void st_slots_take(struct st_slots *s, int me, uint64_t *slots)
{
    unsigned at = 0;

    for (unsigned i = 0; i < TH_SLOTS; i++) {
        if (s->owner[i])
            continue;
        while (at < s->count && s->nodes[at].owns >= s->nodes[at].part)
            at++;
        if (at == s->count)
            return;
        s->nodes[at].owns++;
        if (s->nodes[at].id == me)
            slots[i / 64] |= UINT64_C(1) << i % 64;
    }
}

void st_slots_give(struct st_slots *s, int me, uint64_t *slots)
{
    struct st_slots_node *n = find(s, me);

    for (unsigned i = TH_SLOTS; n && i-- > 0 && n->owns > n->part;)
        if (s->owner[i] == me) {
            slots[i / 64] |= UINT64_C(1) << i % 64;
            n->owns--;
        }
}

bool st_slots_any(const uint64_t *slots)
{
    for (unsigned i = 0; i < TH_SLOT_WORDS; i++)
        if (slots[i])
            return true;
    return false;
}
