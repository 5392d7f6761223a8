/* Which of the slots each node of a store that several share is to have. */
#ifndef TH_STORE_SLOTS_H
#define TH_STORE_SLOTS_H
#include "port/store.h"

#define ST_NODES_MAX 256

struct st_slots_node {
    int id;
    bool lives, shares; /* shares: it works beside others */
    unsigned owns, part;
};

/** What a node has read of all: first each node, in order of number, and the owners; then st_slots_divide. */
struct st_slots {
    struct st_slots_node nodes[ST_NODES_MAX];
    unsigned count;
    int owner[TH_SLOTS]; /* the node; 0: none */
};

void st_slots_node(struct st_slots *s, int id, bool lives, bool shares);
/** Says how many slots each node has, and is to have: an even part for each that lives and works. */
void st_slots_divide(struct st_slots *s);
/** Whether a node lives and works. */
bool st_slots_works(const struct st_slots *s, int id);
/** The nth node, from 0 on, whose lease has ended and which nobody has fenced yet; 0: there are no more. */
int st_slots_dead(const struct st_slots *s, int nth);
/** Slots that this node is to take: of those that are free, in order, each node that has too few gets its share. Counts them. */
void st_slots_take(struct st_slots *s, int me, uint64_t *slots);
/** Slots that this node is to give up: the last of those that it has too many. Counts them. */
void st_slots_give(struct st_slots *s, int me, uint64_t *slots);
bool st_slots_any(const uint64_t *slots);
#endif
