/* The scheduler of one engine decides which delivery goes next. Pure: it has no clock and no I/O, and no order depends on a memory
 * address.
 *
 * Life of an item:  insert → (waits) → pick → result (slot free, breaker and rank learn) → settled AGAIN (waits) or GONE.
 * Between pick and settled an item is under way: it is never picked again and inserting it changes nothing. */
#ifndef TH_CORE_SCHED_H
#define TH_CORE_SCHED_H
#include "base/error.h"
#include "base/time.h"
#include "port/mail.h"  /* struct th_mail */
#include "port/store.h" /* enum th_lane, struct th_queue_row */

struct th_sched;
struct th_places;

struct th_sched_options {
    uint32_t max_items;              /* held in memory; default 1,000,000 */
    uint32_t max_items_per_endpoint; /* beyond: spilled, read back from the store; default 1,024 */
    uint32_t max_in_flight;          /* all endpoints; default 4,096 */
    uint64_t hash_seed;
    /** Limits of hosts and addresses hold for the schedulers of several threads together: what they have in common, and this one's
     * number. NULL: it is alone. */
    struct th_places *places;
    unsigned sharer;
}; /* 0 means the default */

#define TH_SCHED_MAX_ENDPOINTS (1u << 20)

struct th_sched_endpoint {
    uint64_t no, tenant;
    uint32_t max_in_flight; /* requests at once; default 16 */
    double rate_per_s;      /* requests in any second (th_bucket_pace); 0: no limit */
    uint64_t host;          /* endpoints with the same number send to one host; 0: no limits for it */
    /* requests of all of these at once; 0: no limit. One that is alone has its own */
    uint32_t host_in_flight;
    double host_rate_per_s; /* of all of these, in any second; 0: no limit */
    /* requests of all endpoints of the tenant at once to one address; 0: no limit */
    uint32_t address_in_flight;
    /** Inactive or disabled: only tests and what somebody asked for by hand. */
    bool held;
    /** With `held`: nothing at all. */
    bool shut;
    /** What was learnt about it does not hold any more: it has another URL, or was enabled again. */
    bool reset;
    /** Deliveries of one line (the row's order) go one after the other, by number. */
    bool ordered;
    bool one_line; /* with `ordered`: all of them are in one */
    /** With `ordered`: how long after the first attempt of its round a delivery holds up its line; 0: until it has ended. */
    int64_t max_wait_us;
    /** It existed before the start. What was sent to it just before the start is not known, so its rate
     * counts as used up. */
    bool from_before;
};

enum th_insert { TH_INSERTED, TH_KNOWN, TH_SPILLED, TH_NO_ENDPOINT, TH_INSERT_NOMEM };

TH_MUST_USE enum th_error th_sched_new(const struct th_sched_options *options, struct th_sched **out);
void th_sched_free(struct th_sched *s);

/** Adds an endpoint or changes its configuration (waiting items stay; released ones go out oldest first). */
TH_MUST_USE enum th_error th_sched_endpoint_put(struct th_sched *s, const struct th_sched_endpoint *options,
                                                struct th_mono now);
/** Tells what is known about an endpoint from before the start: when it began to fail (0: it does not) and when it last worked (0:
 * never), wall clock. It then does not count as a newcomer. */
void th_sched_endpoint_known(struct th_sched *s, uint64_t no, int64_t first_fail_ms, int64_t last_ok_ms,
                             int64_t now_ms);
/** Before `until` nothing is sent to the endpoint but tests and retries by hand. A moment in the past ends the rest, and so does
 * `reset` (another URL, or being enabled again). */
void th_sched_rest(struct th_sched *s, uint64_t no, struct th_mono until, struct th_mono now);
/** Before `until` nothing is sent to the endpoint but tests, not even by hand, if it has an order: a request that another process has
 * begun, which had the endpoint before and did not give it up, may still be under way, and nothing of its line may pass it. */
void th_sched_hold_lines(struct th_sched *s, uint64_t no, struct th_mono until, struct th_mono now);
/** Forgets the endpoint and its waiting items; items under way stay known until settled. */
void th_sched_endpoint_del(struct th_sched *s, uint64_t no);

/** due is monotonic. Inserting a known number changes nothing (TH_KNOWN), except that lane MANUAL or TEST with a due
 * that has come makes a waiting item due now. TH_SPILLED: not kept; the scheduler will ask for it by th_sched_want. */
enum th_insert th_sched_insert(struct th_sched *s, const struct th_queue_row *row, struct th_mono due,
                               struct th_mono now);
/** Makes a waiting delivery due now, as its row in the store has just come to say. One under way goes on. */
enum th_insert th_sched_hurry(struct th_sched *s, const struct th_queue_row *row, struct th_mono now);

/** Removes a waiting item (cancel); one under way is marked so that settled(AGAIN) forgets it. */
void th_sched_cancel(struct th_sched *s, uint64_t delivery);
/** Whether a delivery has been cancelled since it was picked, so that its request need not begin any more. */
bool th_sched_cancelled(const struct th_sched *s, uint64_t delivery);
/** A retry by hand is on its way to the store while the delivery's request may be in flight: asked() then says, when that
 * request ends, that another one is wanted unless it has delivered. False, and nothing happens, when none is in flight. */
bool th_sched_ask(struct th_sched *s, uint64_t delivery);
/** Takes the request back: the retry was refused. */
void th_sched_unask(struct th_sched *s, uint64_t delivery);
bool th_sched_asked(const struct th_sched *s, uint64_t delivery);

/** The next delivery to send now; false: none (see th_sched_next). Counts it as in flight. *nth_tries from the row. */
bool th_sched_pick(struct th_sched *s, struct th_mono now, struct th_queue_row *out);
/** Gives the one that follows `after` in the line of `delivery`, which is picked, if it is due, and has been tried as often: it goes with the
 * same request. It needs no slot, and is under way until it is settled, before `delivery` is; a result of its own teaches nothing. False:
 * there is none. */
bool th_sched_join(struct th_sched *s, uint64_t delivery, uint64_t after, struct th_queue_row *out);
/** Asks for room at the addresses of a picked delivery. `keys` has a number for each address, not 0 and the tenant's own; at most
 * 32. Returns which of them have room, a bit each, and counts the request there; keys where it does not count become 0. If no bit is
 * set, the endpoint waits, and settled(AGAIN) gives the delivery back as if it had not been picked. Tests need no room. */
TH_MUST_USE uint32_t th_sched_connect(struct th_sched *s, uint64_t delivery, uint64_t *keys, unsigned n,
                                      struct th_mono now);
/** The request has ended, with the keys that connect has left. */
void th_sched_disconnect(struct th_sched *s, const uint64_t *keys, unsigned n, struct th_mono now);
/** A place at a host or an address that this scheduler hands on to another one. The memory is the receiver's: once it has the grant
 * (th_sched_granted), nobody else touches it. */
struct th_sched_grant {
    struct th_mail mail;
    unsigned to; /* its number */
};
/** The next one to send; NULL: none is left. To be asked after any other call, before the thread sleeps. */
struct th_sched_grant *th_sched_grant_next(struct th_sched *s);
/** It has come. */
void th_sched_granted(struct th_sched *s, struct th_sched_grant *g, struct th_mono now);
/** The request has ended: frees the slot; breaker and rank learn from it. `began` is when it was picked. OK: delivered.
 * ANSWERED: something was there and answered, but it is not delivered. FAILED: nobody answered (time-out, connection
 * refused, no such name). NEUTRAL: learn nothing (cancelled, internal errors, tests). */
enum th_learn { TH_LEARN_OK, TH_LEARN_ANSWERED, TH_LEARN_FAILED, TH_LEARN_NEUTRAL };
void th_sched_result(struct th_sched *s, uint64_t delivery, enum th_learn learn, struct th_mono began,
                     struct th_mono now);
/** The settle is durable: again (with the row's new due, tries, attempts) or gone. */
void th_sched_settled(struct th_sched *s, uint64_t delivery, const struct th_queue_row *again,
                      struct th_mono due, struct th_mono now);
/** Before settled, of one that has failed for good: the next of its line is to say so. */
void th_sched_gave_up(struct th_sched *s, uint64_t delivery);
/** The last of its line that was passed, or has failed for good, before this one that is picked; 0: none. It is told until one has been
 * delivered, and not over a restart. */
uint64_t th_sched_skipped(const struct th_sched *s, uint64_t delivery);
/** A delivery that has just been passed by the next of its line; false: there is none. */
bool th_sched_passed_next(struct th_sched *s, uint64_t *delivery);
/** When pick should be called next if nothing else happens; TH_MONO_NEVER: not by time. */
struct th_mono th_sched_next(const struct th_sched *s, struct th_mono now);

/** Spilled endpoints that have room want queue rows from the store: false when none. The engine walks the store from
 * `from` for `endpoint`, inserts the rows with th_sched_refill and calls th_sched_refilled. At most one request per
 * endpoint is outstanding. */
struct th_want {
    uint64_t endpoint, from;
    uint32_t max;
};
bool th_sched_want(struct th_sched *s, struct th_want *out);
void th_sched_refilled(struct th_sched *s, uint64_t endpoint, const struct th_queue_row *rows,
                       const struct th_mono *due, uint32_t count, uint64_t next, bool failed,
                       struct th_mono now);

struct th_sched_stats {
    uint32_t items; /* held: waiting or under way */
    uint32_t in_flight, endpoints, spilled_endpoints;
    uint32_t broken_endpoints; /* breaker open */
};
struct th_sched_stats th_sched_stats(const struct th_sched *s);
/** How long the delivery that is due longest has waited; of endpoints that may be sent to: not held, breaker closed. Looks
 * at a bounded number of endpoints: with more than that the answer is of the last whole round over several calls. */
int64_t th_sched_overdue_us(struct th_sched *s, struct th_mono now);
/** State of one endpoint for the API and tests; false: unknown endpoint. */
struct th_sched_endpoint_stats {
    uint32_t waiting, in_flight;
    bool breaker_open, spilled, proven, held;
};
bool th_sched_endpoint_stats(const struct th_sched *s, uint64_t no, struct th_sched_endpoint_stats *out);
/** Requests under way to the host of the tenant that has most, of all that share. Looks at all hosts. */
uint32_t th_sched_host_most(const struct th_sched *s, uint64_t tenant);
/** The same for one address. */
uint32_t th_sched_address_most(const struct th_sched *s, uint64_t tenant);
/** Full check of every invariant, for tests; NULL or what is wrong. */
const char *th_sched_check(const struct th_sched *s);
#endif
