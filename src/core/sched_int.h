/* Private to the scheduler's files. Items are known by number (1-based index), never by address, so that
 * their links take four bytes and no order can depend on where memory lies.
 *
 *   sched.c        the public calls, and what each does to one item
 *   sched_item.c   memory of items, their map by delivery number, lists and pairing heaps
 *   sched_ring.c   which endpoint may send when, and whose turn it is
 *   sched_host.c   what all endpoints of one host may send
 *   sched_address.c  what may be under way to one address
 *   sched_share.c  their places, alone or together with the schedulers of other threads
 *   sched_order.c  lines of an ordered endpoint: what goes one after the other
 *   sched_spill.c  what is left in the store, and how it comes back
 *   sched_marks.c  what is known of it
 *   sched_look.c   counts and states, for metrics and the API
 *   sched_check.c  every invariant, for tests
 */
#ifndef TH_CORE_SCHED_INT_H
#define TH_CORE_SCHED_INT_H
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/places.h"
#include "core/breaker.h"
#include "core/bucket.h"
#include "core/sched.h"

#define SLOW_US 1000000 /* an attempt older than this is no sign of life */
#define SHAKEN_SILENT 3 /* requests in a row without an answer, after which having answered does not count */
#define RESERVE_PART 16 /* of the reserve, that untried endpoints may take in SLOW_US */
#define KNOWN_DEAD_MS 300000    /* failing for longer before the start: shows no life */
#define HORIZON_MIN_US 5000000  /* ... less where even that is too much for the endpoint's share */
#define HORIZON_US 120000000    /* a spilled endpoint keeps only what is due within this */
#define LINE_ROUND_US 1000000   /* between two rounds of an endpoint with an order */
#define REFILL_RETRY_US 1000000 /* after a walk that failed or found no memory */
#define TESTS_MAX 2             /* of one endpoint at once, beside its limit */
#define REPLAY_EVERY 16         /* picks */
#define EVICT_STEP 16           /* items taken from the largest endpoint at once */
#define CHUNK 1024u             /* items of one allocation */
#define LOOK_STEP 16384         /* endpoints of one th_sched_overdue_us */
#define SIZE_CLASSES 33         /* bit lengths of a waiting count */

/* Where an item is. Only item_put() and item_take() change it for waiting ones. */
enum place {
    P_FREE,
    P_TEST,   /* waiting: list */
    P_MANUAL, /* waiting: list */
    P_FRESH,  /* waiting: list */
    P_REPLAY, /* waiting: list */
    P_LINE,   /* waiting for another of its line: heap by number */
    P_RETRY,  /* waiting: heap by due, then number */
    P_FLIGHT, /* picked, no result yet */
    P_SETTLE, /* result known, not yet durable; or under way with the request of another */
    P_GHOST,  /* no item: a number that a walk under way must not bring back */
};

/* How much an endpoint can be trusted with slots: sched_ring.c. */
enum rank { R_PROVEN, R_BUSY, R_UNTRIED, R_SHAKEN, R_TRIED, R_DEAD, R_MORE, RANKS };
enum booked { B_PROVEN, B_GOOD, B_TRIED, B_DEAD };

struct item { /* 64 bytes */
    uint64_t no, event;
    int64_t due_us; /* waiting: due. In flight: when picked. Ghost: newest walk that was under way */
    /* due and round as given (wall), each with half of the number of its line in the lowest 16 bits */
    int64_t due_ms_line, round_line;
    uint32_t ep;                /* index; 0 only for ghosts */
    uint32_t next, prev, child; /* list: next, prev. Heap: next sibling; prev sibling or parent; first child.
                                   Under way: child is a set of enum under_way */
    uint32_t chain;             /* next item of the same hash bucket */
    unsigned tries : 7;         /* at most TH_MAX_DELAYS + 1 */
    unsigned renewed : 1;       /* TH_MARK_RENEWED */
    unsigned lane : 2, place : 4, booked : 2; /* enum th_lane, enum place, enum booked */
    unsigned attempts : 16;
};
_Static_assert(sizeof(struct item) == 64, "an item is a line of the cache");

enum under_way {
    W_CANCELLED = 1,
    W_ASKED = 2,    /* th_sched_ask */
    W_NEWCOMER = 4, /* in flight for less than a second to an endpoint that was untried: on s->newcomers */
    W_RESERVED = 8, /* and in one of the slots kept for such */
    W_BUSY = 16,    /* in flight beside another of a proven endpoint */
    W_BACK = 32,    /* no address had room: it waits again as if it had not been picked */
    W_MATE = 64     /* goes with the request of another of its line (th_sched_join), and has no slot */
};

static inline int64_t item_due_ms(const struct item *it)
{
    return it->due_ms_line >> 16;
}
static inline int64_t item_round(const struct item *it)
{
    return it->round_line >> 16;
}
/* 0: none */
static inline uint32_t item_line(const struct item *it)
{
    return (uint32_t)(it->due_ms_line & 0xffff) << 16 | (uint32_t)(it->round_line & 0xffff);
}
static inline void item_line_set(struct item *it, uint32_t line)
{
    it->due_ms_line = (it->due_ms_line & ~INT64_C(0xffff)) | (int64_t)(line >> 16);
    it->round_line = (it->round_line & ~INT64_C(0xffff)) | (int64_t)(line & 0xffff);
}
static inline void item_times_set(struct item *it, int64_t due_ms, int64_t round)
{
    it->due_ms_line = due_ms * 65536 + (it->due_ms_line & 0xffff);
    it->round_line = round * 65536 + (it->round_line & 0xffff);
}

struct line { /* sched_order.c; in memory that does not move */
    uint64_t order;
    uint32_t index, ep; /* its number; that of its endpoint */
    uint32_t items;     /* of it in memory */
    uint32_t turn, armed, behind;
    int64_t armed_due_us; /* when `armed` is due for itself */
    uint64_t left_from;   /* smallest number that is only in the store; 0: none is */
    uint64_t top;         /* highest number that has come into memory since it had no item */
    /** What a pass has not read yet: it has come to a number below others that are in memory, and may stop on its way to these; 0: nothing */
    uint64_t unread_from;
    uint64_t passed;    /* the last that was given up, until the next has been delivered; 0: none */
    uint32_t hole_pass; /* the pass in which left_from was noted */
    uint32_t next_free;
    bool blocked;         /* counted in ep->blocked */
    bool gave_up;         /* the turn, or a mate, has failed for good, and is about to leave */
    uint32_t mates;       /* under way with the request of the turn: a list */
    uint64_t mate_passed; /* the highest of them that has failed for good; 0: none */
    struct th_list idle;  /* on s->lines.idle: without an item */
};

#define GHOST_LEFT 1 /* lane of a ghost that has not ended */

struct ilist { /* of items */
    uint32_t head, tail;
};

struct chunk {
    struct item item[CHUNK];
    /* heads of hash chains: as many buckets as items fit, so no table is ever rebuilt */
    uint32_t bucket[CHUNK];
};

enum fill {
    F_NONE,
    F_WANTING, /* on s->wanting */
    F_WALKING, /* on s->walking, in order of walk_seq */
    F_LATER,   /* on s->later, in order of fill_after_us */
};

struct ep {
    struct th_sched_endpoint options;
    uint32_t index;
    bool gone; /* deleted; lives until nothing of it is under way */
    struct tenant *tenant;
    struct host *host;        /* NULL: none */
    struct th_list host_link; /* on host->waits */
    bool admitted;            /* its host has room for one request of it */

    struct address *waits_at; /* it waits for room there; NULL: at none */
    struct th_list address_link;
    struct address *promise; /* a place there is its own; NULL: none */
    uint32_t promised_item;  /* the item that was picked with it; 0: none yet */

    /* turn: sched_ring.c */
    struct th_list link;       /* on tenant->ring[ring] when ready */
    struct th_list untried;    /* on s->untried while on the ring of that rank */
    int8_t ring;               /* enum rank, or -1 */
    struct th_heap_node timer; /* always in s->timers; INT64_MAX: no moment */
    uint32_t in_flight, tests; /* requests; tests are counted apart, and in neither limit nor bucket */
    struct th_breaker breaker;
    struct th_bucket bucket;
    int64_t rest_us;       /* it has asked to be left alone until then; INT64_MIN: no */
    int64_t last_start_us; /* of a request that is no test; INT64_MIN: none */
    bool tried;            /* a request has begun, or is known from before the start */
    bool judged;           /* ... and one has ended with a result that teaches */
    bool proven;           /* the last answer came within SLOW_US */
    bool answered;         /* it has answered, ever */
    bool retry_turn;
    uint8_t picks; /* modulo REPLAY_EVERY */

    /* waiting items: sched_item.c */
    struct ilist test, manual, fresh, replay;
    uint32_t retry; /* root of the heap */
    uint32_t waiting, under_way;
    struct th_list size_link; /* on s->size[bits of waiting] */

    /* with an order: sched_order.c */
    struct th_map *lines; /* by order; NULL: none */
    int64_t
        lines_us; /* before then none of a line goes: another process may have one under way; INT64_MIN: they go */
    uint32_t blocked; /* lines of which all that is in memory waits for what is in the store alone */
    uint32_t kept;    /* items on `retry` that belong to a line: they stay in memory beside the share */

    /* what the store has and memory has not: sched_spill.c */
    uint64_t spill_from; /* unread numbers from here on; 0: none */
    uint64_t missed;     /* while walking: smallest number left out meanwhile; 0: none */
    uint64_t pass_from;  /* the present, or last, pass over the unread numbers began here, */
    uint32_t pass;       /* and its number */
    uint64_t park_from;  /* read, but not due soon: smallest such number; 0: none */
    int64_t park_due_us; /* earliest of these */
    int64_t horizon_us;  /* what is due later than this from now on is not kept while spilled */
    int64_t walk_began_us, walked_us, round_after_us;
    enum fill fill;
    bool satisfied; /* enough was read: no walk before memory has drained to a quarter */
    bool walk_void; /* the walk's answer cannot be trusted */
    uint64_t walk_seq;
    int64_t fill_after_us;
    struct th_list fill_link;
};

/* What is counted by th_places: requests and admitted endpoints of a host; whose turn it is to take a token there; requests and
 * promises of an address. */
enum share_kind { SHARE_HOST, SHARE_TURN, SHARE_ADDRESS };

struct share { /* sched_share.c */
    struct th_seat seat;
    struct th_sched_grant grant;
    enum share_kind kind;
    uint32_t held; /* places */
    bool in_hand;  /* one more, which another scheduler has handed on */
};

struct host { /* sched_host.c */
    uint64_t key, tenant;
    uint32_t eps, max_in_flight;
    uint32_t in_flight, admitted; /* requests without tests; endpoints */
    struct share places;          /* held: both together */
    struct share turn;            /* with a rate: held while one is admitted, or about to be */
    struct th_bucket bucket;
    struct th_list waits; /* endpoints that could send, in the order in which they came */
};

struct address { /* sched_address.c */
    uint64_t key, tenant;
    uint32_t in_flight, promised; /* requests; endpoints */
    uint32_t max;                 /* of both together; UINT32_MAX: no limit */
    struct share places;          /* held: both together */
    bool promising;
    struct th_list waits; /* endpoints, in the order in which they came */
    struct th_list idle;  /* on s->idle while nothing is here */
};

struct tenant {
    uint64_t no;
    uint32_t endpoints;
    struct {
        struct th_list eps, link; /* ready endpoints; on s->ring[] when there are any */
    } ring[RANKS];
};

struct th_sched {
    struct th_sched_options options;
    int64_t now_us;

    struct chunk **chunk; /* options.max_items in all */
    uint32_t chunks, chunk_max;
    uint32_t free_item;            /* chained by next */
    uint32_t items, ghosts;        /* in use without ghosts; ghosts */
    uint32_t buckets, buckets_low; /* linear hashing: buckets in use, largest power of two within */
    struct ilist ghost_list;

    struct ep **ep; /* by index; [0] is not used */
    uint32_t eps, ep_cap, ep_live;
    uint32_t *ep_free; /* indexes to use again */
    uint32_t ep_free_n;
    struct th_map ep_by_no, tenant_by_no, host_by_key, address_by_key;
    struct th_list idle; /* addresses, oldest first */
    uint32_t idle_addresses;
    struct th_heap timers;
    struct th_list size[SIZE_CLASSES];

    struct th_list ring[RANKS]; /* tenants with ready endpoints of a rank */
    struct th_list untried;     /* ready endpoints that are untried, the newest last */
    bool probation_turn, busy_turn, newest_turn, more_turn;
    uint32_t turns;                                /* picks within probation */
    uint32_t in_flight, probation, doubtful, dead; /* probation includes doubtful, that includes dead */
    struct ilist young;                            /* requests booked as proven, oldest first */
    struct ilist newcomers;                        /* requests to untried ones, oldest first */
    uint32_t reserved;                             /* newcomers in slots of the reserve */
    uint32_t busy;                                 /* requests beside another of a proven endpoint */
    int64_t silent_us; /* when the last newcomer began that did not answer within a second */

    struct {
        struct line_chunk **chunk;
        uint32_t chunks, free, count;
        struct th_list idle; /* lines without an item, oldest first */
        uint32_t idle_count;
        uint64_t *told; /* numbers that have been passed */
        uint32_t told_count, told_cap;
    } lines;

    struct th_list grants; /* to other schedulers, for the engine to send */

    struct th_list wanting, walking, later;
    uint64_t walk_seq;
    uint32_t spilled; /* endpoints */
    uint32_t broken;  /* endpoints whose breaker is open */

    /* th_sched_overdue_us: endpoints looked at in this round, the earliest due seen; that of the last round */
    uint32_t looked;
    int64_t look_due_us, overdue_due_us;
};

/* sched_item.c */
static inline struct item *item_at(const struct th_sched *s, uint32_t id)
{
    return &s->chunk[(id - 1) / CHUNK]->item[(id - 1) % CHUNK];
}
static inline bool place_waits(unsigned place)
{
    return place >= P_TEST && place <= P_RETRY;
}
bool items_init(struct th_sched *s);
void items_fini(struct th_sched *s);
/* 0: unknown */
uint32_t item_find(const struct th_sched *s, uint64_t no);
/* A new item in no place, in the map; 0: the maximum is reached or no memory. */
uint32_t item_new(struct th_sched *s, uint64_t no, bool *no_memory);
/* Out of the map and free; it must be in no list or heap. */
void item_free(struct th_sched *s, uint32_t id);
/* Puts a waiting item where it belongs by lane and due, or into its line, and takes it from there. `first`: before what has come
 * since. */
void item_put(struct th_sched *s, struct ep *ep, uint32_t id, bool first);
void item_take(struct th_sched *s, struct ep *ep, uint32_t id);
/* For sched_order.c: by lane and due, whatever its line. */
void item_stand(struct th_sched *s, struct ep *ep, uint32_t id, bool first);
/* The list or heap as it is: joins and leaves without counting. */
void list_append(struct th_sched *s, struct ilist *l, uint32_t id);
void list_remove(struct th_sched *s, struct ilist *l, uint32_t id);
void heap_push(struct th_sched *s, uint32_t *root, uint32_t id);
void heap_remove(struct th_sched *s, uint32_t *root, uint32_t id);
/* Takes a heap apart into a chain by `next`, in no useful order. */
uint32_t heap_dissolve(struct th_sched *s, uint32_t *root);
/* Counts a waiting item in or out, and moves the endpoint between size classes. */
void ep_count(struct th_sched *s, struct ep *ep, int change);

/* sched_order.c */
void order_init(struct th_sched *s);
void order_fini(struct th_sched *s);
struct line *line_at(const struct th_sched *s, uint32_t index);
/* The row of an item, as the engine gets it. */
struct th_queue_row item_row(const struct th_sched *s, const struct ep *ep, const struct item *it);
/* Whether the turn waits for a moment to come, and when it gives way; INT64_MAX: not before it has ended. */
bool line_stopped(const struct th_sched *s, const struct line *l, int64_t *until_us);
/* How many wait behind the turn without a moment of their own. */
uint32_t order_behind(const struct th_sched *s, const struct line *l);
/* What waits has to wait for numbers that are not in memory. */
bool line_is_blocked(const struct th_sched *s, const struct line *l);
/* An item of a line begins to wait, which may change whose turn it is. */
void order_put(struct th_sched *s, struct ep *ep, uint32_t id, bool first);
/* It stops to wait behind another. */
void order_take(struct th_sched *s, uint32_t id);
/* Takes the next of the line whose turn is under way, as its mate, if it may go with it and stands behind `after`. Returns the endpoint, which is
 * to be placed; NULL: there is none. */
struct ep *order_join(struct th_sched *s, uint32_t id, uint64_t after, struct th_queue_row *out);
/* Passes turns whose time has come, where the next of the line cannot go then. */
void order_give_way(struct th_sched *s, struct ep *ep);
/* It has been picked: when it was not its turn, it passes the one whose turn it was. */
void order_picked(struct th_sched *s, struct ep *ep, uint32_t id);
/* It has ended. */
void order_ended(struct th_sched *s, uint32_t id);
/* It leaves memory: another may have the turn. */
void order_left(struct th_sched *s, uint32_t id);
/* The line for a row that is to come into memory; walked: it has been read by a walk. NULL: it must stay in the store, behind others
 * (*noted), or because there is no memory. */
struct line *order_admit(struct th_sched *s, struct ep *ep, uint64_t order, uint64_t no, bool walked,
                         bool *noted);
/* It has an item, which is in no place yet. */
void order_admitted(struct th_sched *s, const struct ep *ep, struct line *l, uint32_t id, bool walked);
/* It has none: it may go. */
void order_unused(struct th_sched *s, struct line *l);
/* The number stays in the store: none above it may go. */
void order_hole(const struct ep *ep, struct line *l, uint64_t no);
/* The same for a row that has just been told of, and did not come into memory. */
struct line *order_left_out(struct th_sched *s, struct ep *ep, uint64_t order, uint64_t no);
/* A walk has come to a row that it must not take, and that has not ended. False: no memory. */
bool order_hold(struct th_sched *s, struct ep *ep, const struct th_queue_row *row);
/* Every number has been read. */
void order_pass_ended(struct th_sched *s, struct ep *ep);
/* Forgets the lines of an endpoint, and frees what waits behind others. */
void order_drop(struct th_sched *s, struct ep *ep);
/* Whether the row belongs to a line. One that was passed does not, until its schedule begins again. */
static inline bool order_has(const struct ep *ep, const struct th_queue_row *row)
{
    return row->order && ep->options.ordered && row->lane != TH_LANE_TEST &&
           !(row->tries && row->marks & TH_MARK_SKIPPED);
}

/* sched_ring.c */
/* Puts the endpoint on the ring or the timer that fits its state; call after every change. */
void ep_place(struct th_sched *s, struct ep *ep);
void ep_unplace(struct th_sched *s, struct ep *ep);
/* For sched_host.c: an endpoint that could send gets onto its ring; one that waits gets a moment. */
void ep_ring_enter(struct th_sched *s, struct ep *ep);
void ep_wait_until(struct th_sched *s, struct ep *ep, int64_t at);

/* sched_host.c */
/* Admits those that wait as far as there is room; call when there may be some. */
void host_next(struct th_sched *s, struct host *h);
void host_wait(struct ep *ep);
/* It cannot send any more: its place is another's. */
void host_withdraw(struct th_sched *s, struct ep *ep);
void host_sent(struct th_sched *s, struct ep *ep);
void host_ended(struct th_sched *s, struct ep *ep);
/* Takes the host of the options, and what it allows. False: no memory, nothing changed. */
bool host_join(struct th_sched *s, struct ep *ep, const struct th_sched_endpoint *options);
void host_leave(struct th_sched *s, struct ep *ep);
/* With the scheduler. */
void host_free(struct th_sched *s, struct host *h);
/* A place, or the turn, has come from another scheduler. */
void host_granted(struct th_sched *s, struct share *sh);

/* sched_address.c */
/* It cannot send now: a place that was promised is another's. */
void address_withdraw(struct th_sched *s, struct ep *ep);
/* The item is picked with the endpoint's promise, if it has one. Its request has ended, or had room. */
void address_picked(struct ep *ep, uint32_t id);
void address_ended(struct th_sched *s, struct ep *ep, uint32_t id);
/* It is deleted, or sends elsewhere. */
void address_leave(struct th_sched *s, struct ep *ep);
/* Its limit has changed. */
void address_limit(struct th_sched *s, struct ep *ep);
/* With the scheduler, or when it is not needed any more. */
void address_free(struct th_sched *s, struct address *a);
/* A place has come from another scheduler. */
void address_granted(struct th_sched *s, struct share *sh);

/* sched_share.c */
/* False: no memory. */
bool share_sit(struct th_sched *s, struct share *sh, enum share_kind kind, uint64_t key, uint64_t tenant);
/* Nothing is held, waited for or on its way. */
void share_leave(struct th_sched *s, struct share *sh);
/* The same when the scheduler ends, whatever is there. */
void share_drop(struct th_sched *s, struct share *sh);
/* Takes a place if fewer than `max` are taken. Else the second one waits: there will be a grant, if others share. */
bool share_take(struct share *sh, uint32_t max);
bool share_take_or_wait(struct th_sched *s, struct share *sh, uint32_t max);
/* Takes places whatever the limit is; gives some back. */
void share_force(struct share *sh, uint32_t n);
void share_give(struct th_sched *s, struct share *sh, uint32_t n, uint32_t max);
/* Nobody here waits for a place any more. */
void share_wait_no_more(struct th_sched *s, struct share *sh, uint32_t max);
/* An endpoint more or less that takes places here. */
void share_join(struct share *sh);
void share_part(struct th_sched *s, struct share *sh);
/* Whether it must stay: something is held, or on its way. */
static inline bool share_is_used(const struct share *sh)
{
    return sh->held || sh->in_hand || sh->seat.waits;
}

/* Moves the clock forward: old requests into probation, expired timers onto rings. */
void sched_advance(struct th_sched *s, struct th_mono now);
/* The endpoint whose turn it is, or NULL; turns the rings. */
struct ep *sched_turn(struct th_sched *s);
bool sched_has_turn(const struct th_sched *s);
/* When the reserve lets an untried endpoint go; INT64_MAX: none waits for that. */
int64_t sched_reserve_us(const struct th_sched *s);
void slot_take(struct th_sched *s, struct ep *ep, uint32_t id);
void slot_give(struct th_sched *s, uint32_t id);
/* The item that the endpoint sends next, taken out; 0: none. */
uint32_t ep_next_item(struct th_sched *s, struct ep *ep);

/* sched_spill.c */
/* A new item for a row, if there is room or room can be made; else 0 and the row is noted as left in the
 * store. */
uint32_t spill_admit(struct th_sched *s, struct ep *ep, const struct th_queue_row *row, int64_t due_us,
                     bool *no_memory);
/* The store has this row and memory has not. */
void spill_note(struct th_sched *s, struct ep *ep, uint64_t no, int64_t due_us);
/* Forgets an item that is in no place; leaves a ghost while a walk could bring it back. */
void item_forget(struct th_sched *s, struct ep *ep, uint32_t id);
/* The same for a number that is not in memory. */
void number_forget(struct th_sched *s, uint64_t no);
/* The same for one behind a turn of its line that is not due before then: a round reads it. */
void spill_park(struct th_sched *s, struct ep *ep, uint64_t no, int64_t due_us);
/* Unread from this number on. */
void spill_read_from(struct ep *ep, uint64_t no);
/* True when an item due then does not stay in memory. */
bool spill_parks(const struct th_sched *s, const struct ep *ep, int64_t due_us);
/* Puts out of memory what waits behind a turn that is not due, or behind what is only in the store. */
void spill_line(struct th_sched *s, struct ep *ep, struct line *l);
/* Puts everything that waits and is no test out of memory, to be read again. */
void spill_all(struct th_sched *s, struct ep *ep);
/* Wants numbers from the store when there is room for them; call after items have left. */
void spill_update(struct th_sched *s, struct ep *ep);
/* When the endpoint's parked rows are to be walked again; INT64_MAX: not by time. */
int64_t spill_round_us(const struct ep *ep);
void spill_round_start(struct th_sched *s, struct ep *ep);
/* Every number has been read: the next round starts after a pause. */
void spill_round_end(struct th_sched *s, struct ep *ep);
void spill_leave(struct th_sched *s, struct ep *ep);
/* Lowers a mark to this number; 0: there was none. */
static inline void spill_lower(uint64_t *mark, uint64_t no)
{
    if (!*mark || no < *mark)
        *mark = no;
}
static inline bool spill_is_far(const struct th_sched *s, const struct ep *ep, int64_t due_us)
{
    return due_us > s->now_us && due_us - s->now_us > ep->horizon_us;
}
static inline uint32_t ep_held_items(const struct ep *ep)
{
    return ep->waiting + ep->under_way - ep->kept;
}
static inline bool ep_spilled(const struct ep *ep)
{
    return ep->spill_from || ep->park_from;
}
#endif
