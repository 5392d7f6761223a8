/* Places that threads of a process have together: of something (requests to a host) so many may be there at once, whichever thread
 * they belong to.
 *
 * A thread, here called a sharer and known by its number, takes a place before it begins and gives it back afterwards. When none is
 * free it may say that it waits. Whoever gives a place back then hands one on, to the sharers that wait in turn: so none starves, and
 * nobody has to ask again and again. The place that is handed on is no longer free: the giver tells the other one, by whatever way
 * they talk to each other, and that one calls th_places_arrived.
 *
 * Threads: a seat belongs to its sharer's thread; all calls with it are from there, and a seat that th_places_next has returned is
 * its owner's again when the owner has been told. The counts behind it are atomic. Only what looks up a name of a place takes a lock
 * (th_places_sit, th_places_leave, th_places_most); what happens with every request takes none. */
#ifndef TH_BASE_PLACES_H
#define TH_BASE_PLACES_H
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

#define TH_PLACES_SHARERS 64 /* at most */
#define TH_PLACES_KINDS 4

struct th_places;
struct th_place;

/** What one sharer has at one thing. Zero: nothing yet. */
struct th_seat {
    struct th_place *place; /* NULL: it does not sit anywhere */
    unsigned sharer;
    bool waits; /* it has said that it waits: a place may be on its way to it */
};

/** For so many sharers, numbered from 0. `seed` is for hashes. NULL: no memory. */
struct th_places *th_places_new(unsigned sharers, uint64_t seed);
/** When nobody uses it any more; seats that are left are void. */
void th_places_free(struct th_places *all);
/** The seed, for those that have to make the same keys of the same names. */
uint64_t th_places_seed(const struct th_places *all);

/** Sits down at the thing with this key; `kind` is below TH_PLACES_KINDS, and keys of different kinds are different things. A
 * sharer has one seat at a thing at most. TH_NOMEM: nothing has happened. */
TH_MUST_USE enum th_error th_places_sit(struct th_places *all, unsigned sharer, unsigned kind, uint64_t key,
                                        uint64_t tenant, struct th_seat *seat);
/** The seat is void; it has no place and waits for none. The last one to leave frees what is behind it. */
void th_places_leave(struct th_places *all, struct th_seat *seat);

/** Takes a place when fewer than `max` are taken and no other sharer waits. */
bool th_places_take(struct th_seat *seat, uint32_t max);
/** The same; where it returns false the sharer waits from now on. There may then be places for others that wait, if the limit has
 * been raised: hand them on (th_places_next). */
bool th_places_take_or_wait(struct th_seat *seat, uint32_t max);
/** Takes `n` places whatever the limit is. */
void th_places_force(struct th_seat *seat, uint32_t n);
/** Gives `n` places back; call th_places_next afterwards until it returns NULL. */
void th_places_give(struct th_seat *seat, uint32_t n);
/** Hands a free place on: the seat of the sharer whose turn it is, which has one place more and has to be told. NULL: no place is free,
 * or nobody waits but the caller, who can take it. */
struct th_seat *th_places_next(struct th_seat *seat, uint32_t max);
/** It has been told: the place is its own, and it waits no longer. */
void th_places_arrived(struct th_seat *seat);
/** It does not want a place any more. One may be on its way to it all the same; then `waits` stays true until that has arrived. */
void th_places_wait_no_more(struct th_seat *seat);

/** Members of the thing, which is whatever its users count. */
void th_places_join(struct th_seat *seat, uint32_t n);
/** How many are left. */
uint32_t th_places_part(struct th_seat *seat, uint32_t n);
uint32_t th_places_members(const struct th_seat *seat);

/** A number that is kept with the thing for whoever has its only place (max 1). */
int64_t *th_places_mark(const struct th_seat *seat);
/** The most places that are taken at one thing of this kind and tenant. Looks at all. Any thread. */
uint32_t th_places_most(struct th_places *all, unsigned kind, uint64_t tenant);
#endif
