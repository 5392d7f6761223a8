/* The port to everything durable. Implementations: store_memory (reference model, simulator), and src/store on SQLite and on
 * PostgreSQL.
 *
 * Contract (one conformance suite runs on all implementations):
  *  1. Each op is atomic by itself. Ops share commits, but when one is refused, the others are not affected.
 *  2. Per session, writes take effect and complete in the order of submission. Reads (PAGE, LOAD, WALK) complete in any
 *     order; a read sees at least every write that this session has drained before submitting it. A PAGE of events or
 *     deliveries shows no write of this session before that write's done(), so users are not shown anything that the engine does
 *     not have in memory yet.
 *  3. done() of a write means durable. done() is called only inside drain(), on the session's thread.
 *  4. The caller's memory belongs to the store from submit until done; each op gets exactly one done, also at close.
 *  5. Errors: TH_RETRY (nothing happened), TH_FULL (no room, nothing happened), TH_UNKNOWN, TH_CORRUPT and TH_IO (the
 *     store takes no further writes; the process must stop), TH_BUG. Every write may be sent again after TH_UNKNOWN with
 *     the same effect as once.
 *  6. The store never calls the engine, knows slots and shards as numbers only, no dialect and no clock: all times are arguments.
 *
 * Hot rows (event, delivery, attempt) are keyed by numbers that the store gives in commit order: days since 2026-01-01
 * << 40 | counter, below 2^53 (safe in JSON); they never fall, also when the clock steps back. Numbers of settings rows
 * (tenant, key, endpoint, secret, job) are chosen by the engine. No number is 0. */
#ifndef TH_PORT_STORE_H
#define TH_PORT_STORE_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/metric.h"
#include "base/time.h"
#include "base/timehist.h"
#include "port/copy_id.h"
#include "port/transport.h"

#define TH_NUMBERS_FROM_MS INT64_C(1767225600000) /* 2026-01-01, the first day of the numbers of hot rows */

enum th_op_kind {
    TH_OP_ACCEPT,
    TH_OP_FANOUT,
    TH_OP_SETTLE,
    TH_OP_MOVE,
    TH_OP_SETTINGS,
    TH_OP_PURGE,
    TH_OP_LOAD,
    TH_OP_WALK,
    TH_OP_PAGE,
    TH_OP_PROBE,
    TH_OP_REWRAP,
    TH_OP_COUNT,
    TH_OP_ERASE,
    TH_OP_TRIM,
    TH_OP_FOLLOW,
    TH_OP_STATS,
    TH_OP_BACKLOG
};

struct th_op {
    struct th_op *next; /* the store's, from submit until done */
    enum th_op_kind kind;
    enum th_error error; /* result; the kind's own result fields are valid only with TH_OK */
    void (*done)(struct th_op *);
    void *user;
    struct th_session *session; /* the store's */
};

/* ---- accept: 1..1000 events of one tenant, all or none ---- */

enum th_accept_result {
    TH_ACCEPT_NEW,
    TH_ACCEPT_REPEATED, /* same idempotency key and body: first_event and count are those of the first time */
    TH_ACCEPT_KEY_REUSED, /* same key, other body */
    /* external_id of events[taken] exists (or repeats within the op); or it is a copy of an event that is gone or erased */
    TH_ACCEPT_ID_TAKEN,
    TH_ACCEPT_LIMITED, /* the tenant would have more than max_bytes or max_unfinished: `limited` */
    TH_ACCEPT_STALE,   /* the tenant's settings have another version: match again */
};

/** What an event may carry beside its data. A zero or empty member is absent and costs no byte in a store. */
struct th_event_more {
    /* wall ms: its deliveries are due then, when that is later than the accept; 0: at once */
    int64_t deliver_at;
    int64_t expires_at; /* wall ms: no attempt of it begins from then on; 0: never */
    /* given by the publisher: deliveries of one key reach an endpoint in their order */
    struct th_span order_key;
    struct th_span channels;     /* names, one per line */
    struct th_span traceparent;  /* W3C Trace Context of the publish: core/trace.h */
    struct th_span content_type; /* of data; n == 0: application/json */
    /* newest version that its type had when it was accepted (th_type_version); 0: its type has none */
    uint32_t version;
    uint8_t marks; /* bits of enum th_event_mark; stores keep all of TH_EVENT_MARKS */
};
enum th_event_mark {
    TH_EVENT_MARK_SCHEMA = 1, /* its data did not fit the schema of its type */
    TH_EVENT_MARKS = 63
};

/** Marks of a delivery; stores keep all of TH_MARKS, whatever they mean. */
enum th_mark {
    TH_MARK_FILTER_ERROR =
        1, /* the endpoint's filter could not be evaluated, and it was delivered for that reason */
    TH_MARK_SKIPPED = 2, /* it was left out so that later ones of its ordering key could go on */
    TH_MARK_DELAYED = 4, /* its first attempt was put off by its event's deliver_at */
    TH_MARK_RENEWED = 8, /* it has had its one attempt with a new token after an answer 401 */
    TH_MARKS = 63
};
#define TH_ORDER_MAX (((uint64_t)1 << 48) - 1) /* of a hash of an ordering key */

struct th_new_event {
    struct th_span type, data;  /* data: valid JSON, which is kept byte for byte */
    struct th_span external_id; /* publisher's id; n == 0: none. Of a copy its id as a copy (copy_id.h) */
    struct th_span resource_type, resource_id;
    struct th_wall time; /* when it happened (publisher's or accept time) */
    uint32_t rnd;        /* 27 random bits of the public id */
    uint32_t endpoint_count;
    const uint64_t *endpoints; /* one delivery each, in this order */
    const uint64_t *orders; /* of each: hash of its ordering key, to TH_ORDER_MAX; 0: none. NULL: all none */
    const uint8_t *marks;   /* of each: bits of enum th_mark; NULL: all none */
    uint8_t lane;           /* enum th_lane */
    struct th_event_more more;
    /* its row in the inbox of this store's database, which goes in the commit of the event; 0: it is in none */
    uint64_t inbox;
    /* result */
    uint64_t no, first_delivery; /* deliveries are first_delivery .. + endpoint_count - 1 */
    uint32_t queued;             /* the first so many are queued; FANOUT queues the others */
};

/** For stores: the bytes of an event's texts, as they count for its tenant. */
#define TH_EVENT_BYTES(e)                                                                                    \
    ((e)->type.n + (e)->data.n + (e)->external_id.n + (e)->resource_type.n + (e)->resource_id.n +            \
     (e)->more.order_key.n + (e)->more.channels.n + (e)->more.traceparent.n + (e)->more.content_type.n)

struct th_idem {
    bool given;
    uint8_t key[16], body[16]; /* truncated SHA-256 of the key and of the request body */
};

/** What a tenant has stored: bytes of its events' texts and of what its endpoints answered; deliveries that have not ended. */
struct th_usage {
    int64_t bytes, unfinished;
};
enum th_use { TH_USE_NONE, TH_USE_BYTES, TH_USE_UNFINISHED };
/** Whether `more` fits beside `used`; max 0: always. */
static inline bool th_usage_fits(int64_t used, uint64_t more, uint64_t max)
{
    uint64_t have = used > 0 ? (uint64_t)used : 0;

    return !max || !more || (have <= max && more <= max - have);
}

struct th_accept {
    struct th_op op;
    uint64_t tenant, settings_version;
    uint64_t max_bytes, max_unfinished; /* of the tenant, with this; 0: no limit */
    struct th_wall at;
    struct th_idem idem;
    uint32_t count;
    struct th_new_event *events;
    /* result */
    enum th_accept_result result;
    enum th_use limited;
    uint32_t taken;
    uint64_t first_event;
    uint32_t repeated_count;
};

enum th_lane { TH_LANE_FRESH, TH_LANE_REPLAY, TH_LANE_MANUAL, TH_LANE_TEST };

/* ---- fan-out: what an accept has left ---- */

#define TH_FANOUT_STEP 1000 /* deliveries that one operation queues, an accept included */

struct th_queue_row { /* an unfinished delivery */
    uint64_t no, event, endpoint;
    uint64_t order; /* hash of its ordering key; 0: none */
    int64_t due;    /* wall ms */
    /* wall ms: when the first attempt of the present round of its schedule began; 0: none has (tries is 0), or it is not known, of
     * one that an earlier version has tried */
    int64_t round;
    uint8_t lane, tries, marks;
    uint16_t attempts;
};

/** Queues the next deliveries of one accept that has deliveries left to queue: the first such accept whose first event is above
 * `after`, or else the first of all. The accept has numbered the deliveries and noted their endpoints, so nothing is lost when the
 * process dies between two steps. When all are queued, one more step forgets the accept; until then its last step can be sent again. */
struct th_fanout {
    struct th_op op;
    uint64_t after;
    struct th_queue_row *rows; /* caller's array of TH_FANOUT_STEP */
    uint64_t event; /* give 0; result: first event of the accept, 0 when none has deliveries left */
    uint32_t from;  /* its deliveries that were queued before */
    /* result */
    uint32_t count; /* queued now: `rows`; 0: there were none left */
};

/* ---- settle: the outcome of one attempt, which counts only if `attempts` is still what was expected ---- */

struct th_settings_op;

enum th_delivery_state {
    TH_DS_QUEUED,
    TH_DS_DELIVERED,
    TH_DS_EXHAUSTED,
    TH_DS_FINAL,
    TH_DS_CANCELLED,
    TH_DS_EXPIRED
};

struct th_attempt_row {
    struct th_wall at; /* when it began */
    uint16_t nth;      /* 1 for the first attempt of the delivery */
    uint16_t status;   /* 0: no answer */
    uint8_t class;     /* enum th_http_class */
    bool truncated, reused, ok;
    bool decoded;  /* the body came compressed and is kept decoded */
    bool test;     /* statistics leave it out */
    int32_t us[5]; /* dns, connect, tls, first byte, total: microseconds; -1 unknown */
    uint64_t endpoint_rev;
    uint64_t batch;    /* first of the deliveries that one request was for; 0: it was for this one alone */
    int64_t signed_at; /* unix seconds used in the signature */
    struct th_addr peer;
    struct th_span
        sigs; /* what cannot be computed again, a line each: signature header values, then what th_dialect_head adds */
    struct th_span detail;     /* error in words */
    struct th_span head, body; /* of the answer */
};

struct th_settle {
    struct th_op op;
    uint64_t delivery;
    uint16_t expect_attempts; /* must be the value in the queue row, else this is not applied */
    struct th_attempt_row row;
    enum th_delivery_state next; /* TH_DS_QUEUED: again at `due` */
    uint8_t marks;               /* the delivery has these from then on, beside those that it had */
    struct th_wall due;
    uint8_t tries;
    /* settings that change exactly when this is applied; its result is set then. NULL: none */
    struct th_settings_op *with;
    /** The next delivery that the same request was for: stored in the same commit, each by its own rule. Its `op` and `with` are not looked
     * at. NULL: none. */
    struct th_settle *more;
    /* result; TH_CONFLICT: `with` was refused, and nothing happened */
    bool applied; /* false: the attempt is logged, the state and `with` not touched */
};

/* ---- move: cancel or requeue without an attempt ---- */

struct th_move {
    struct th_op op;
    enum {
        TH_MOVE_CANCEL,
        TH_MOVE_EXPIRE, /* as CANCEL, and the state is TH_DS_EXPIRED */
        TH_MOVE_RETRY,  /* whatever their state */
        TH_MOVE_REPLAY, /* those that have ended */
        TH_MOVE_HURRY,  /* those that wait for another attempt */
        TH_MOVE_MARK    /* whatever their state: they get `marks`, and nothing else of them changes */
    } what;
    uint8_t lane;      /* RETRY, REPLAY: lane of the queue row; HURRY leaves it as it is */
    uint8_t marks;     /* those that are moved have these from then on, beside those that they had */
    struct th_wall at; /* CANCEL, EXPIRE: end time; else: due */
    uint32_t count;    /* at most 1000 */
    const uint64_t *deliveries;
    /* Result for each delivery, in the caller's arrays. Moved means: CANCEL, EXPIRE: it was queued. Otherwise: it is one of those named at
     * `what`, its endpoint exists, and it is queued now with tries 0; a test stays in its lane. */
    bool *moved;
    struct th_queue_row *rows; /* not with CANCEL and EXPIRE: the queue row as it is now; NULL: not wanted */
    uint32_t erased;  /* not with CANCEL: left as they were, because their event's content has been erased */
    uint32_t gone;    /* not with CANCEL: left as they were, because their endpoint has been deleted */
    uint32_t missing; /* there is no such delivery: not yet (FANOUT), or not any more */
};

/* ---- settings rows ---- */

enum th_row_kind {
    TH_ROW_TENANT,
    TH_ROW_KEY,
    TH_ROW_ENDPOINT,
    TH_ROW_SECRET,
    TH_ROW_HEALTH,
    TH_ROW_JOB,
    TH_ROW_META
};

#define TH_HEALTH_VALUES 5

/** One settings row; settings texts are the engine's JSON, opaque here. */
struct th_row {
    enum th_row_kind kind;
    bool del;
    uint64_t no;       /* TENANT KEY ENDPOINT SECRET JOB; FACT: the endpoint */
    uint64_t tenant;   /* KEY ENDPOINT SECRET JOB; 0 for operator-wide rows */
    uint64_t endpoint; /* SECRET, JOB */
    uint64_t rev; /* TENANT: version; ENDPOINT: revision (each put keeps the settings under its revision) */
    struct th_span id;        /* TENANT: id; META: key; KEY: its 32-byte hash */
    struct th_span settings;  /* TENANT ENDPOINT KEY JOB: JSON; SECRET: encrypted bytes; META: value */
    int64_t created, updated; /* wall ms */
    int64_t until;            /* KEY: expires, SECRET: active until; 0: for ever */
    bool erase;               /* TENANT, del: ERASE is to erase the content of all its events */
    /* FACT: first_fail ms, last_ok ms, exhausted run, rest since ms, rest until ms (-1: not known) */
    int64_t health[TH_HEALTH_VALUES];
};

enum th_settings_result { TH_SETTINGS_DONE, TH_SETTINGS_REPEATED, TH_SETTINGS_KEY_REUSED, TH_SETTINGS_STALE };

/** Puts and deletes settings rows, all or none. Deleting a TENANT or ENDPOINT marks it: it is not listed by settings()
 * any more, its history stays readable until retention; secrets of a deleted endpoint are erased. */
struct th_settings_op {
    struct th_op op;
    uint64_t tenant;         /* 0: operator-wide, no version */
    uint64_t expect_version; /* must be the tenant's settings version, else STALE; 0 for a new tenant */
    bool keep_version;       /* true: health, jobs and keys, which do not change matching */
    uint32_t count;
    const struct th_row *rows;
    struct th_idem idem;   /* Idempotency-Key of a management request, scoped by `tenant` */
    struct th_span answer; /* encrypted answer to keep with the key */
    struct th_wall at;
    /* Several nodes: 1 more than the position as of which settings are known to the caller (th_follow.upto); STALE when another node
     * has changed settings behind it. 0: that does not matter */
    uint64_t knows;
    /* result */
    enum th_settings_result result;
    uint64_t new_version;
    uint64_t position;      /* several nodes: of this commit */
    struct th_buf repeated; /* the kept answer; the caller frees it with th_buf_fini. Give it initialised */
};

/* ---- erasing the content of an event ---- */

#define TH_ERASE_STEP 200 /* deliveries of a step */

enum th_erase_result {
    TH_ERASE_DONE,       /* all is erased; with event 0: nothing is left */
    TH_ERASE_MORE,       /* begun durably: send the same op again to go on */
    TH_ERASE_ABSENT,     /* the tenant has no such event */
    TH_ERASE_UNFINISHED, /* it has deliveries that have not ended, and cancel is false: nothing happened */
    TH_ERASE_QUEUEING    /* its deliveries are still being queued: nothing happened, try again soon */
};

/** Erases the content of an event: its data, the requests and answers of its attempts, and what is kept to answer repetitions of
 * its publish, which are then told that it is gone. The record that it was published and delivered stays. The first step
 * makes it irrevocable: the data is gone, and unfinished deliveries are cancelled from then on. After a crash, an op with event 0
 * goes on where the last step ended. */
struct th_erase {
    struct th_op op;
    /* event 0: go on with what has been begun, and with events of tenants that were deleted with `erase`. */
    uint64_t tenant, event;
    struct th_wall at;
    bool cancel;         /* unfinished deliveries too */
    uint64_t *cancelled; /* result: caller's array of TH_ERASE_STEP */
    /* result */
    enum th_erase_result result;
    uint64_t of; /* event that the step was of; 0: none */
    uint32_t unfinished, cancelled_count;
};

/* ---- how much waits ---- */

struct th_waiting {        /* unfinished deliveries of an endpoint, tests not counted */
    uint32_t fresh, again; /* those that had no attempt yet; those that had one */
};

/** Counts exactly, in a time that does not depend on how many deliveries there are. It sees all earlier
 * writes of its session. */
struct th_counts {
    struct th_op op;
    uint32_t count; /* at most 1000 */
    const uint64_t *endpoints;
    struct th_waiting *waiting; /* result: caller's array of count */
};

/* ---- retention ---- */

struct th_dropped { /* unfinished deliveries that retention has taken, tests not counted */
    uint64_t endpoint;
    uint32_t count;
};

struct th_purge {
    struct th_op op;
    /* events accepted earlier, with deliveries and attempts; unfinished ones are dropped too */
    struct th_wall before;
    struct th_wall idem_before; /* idempotency keys first used earlier */
    uint32_t max_events;        /* a step; 200 */
    struct th_dropped *dropped; /* caller's array of dropped_max; may be NULL */
    uint32_t dropped_max;
    /* result */
    uint32_t dropped_count;     /* entries of `dropped`; endpoints beyond dropped_max are left out */
    uint32_t purged, cancelled; /* events; unfinished deliveries among them */
    uint64_t upto;              /* every event up to this number is gone */
    bool more;
};

#define TH_TRIM_STEP 1000 /* events that are looked at, and deliveries that are deleted, in a step */

struct th_trim_rule { /* events of the tenant that were accepted earlier */
    uint64_t tenant;
    int64_t before;
};

/** Deletes events of tenants that are kept for a shorter time than the installation keeps all: with deliveries, unfinished ones too, and
 * attempts. They may lie between events that stay. While deliveries of as old events are still being queued, nothing is deleted. */
struct th_trim {
    struct th_op op;
    const struct th_trim_rule *rules; /* sorted by tenant, ascending */
    uint32_t count;
    uint64_t from,
        delivery; /* go on here: `next` and `next_delivery` of the step before; 0: from the oldest */
    struct th_wall at;
    /* result */
    uint32_t purged, cancelled;   /* events; unfinished deliveries */
    uint64_t next, next_delivery; /* next 0: the end, all later events are newer than every rule's `before` */
};

/** For stores: the time before which events of the tenant are deleted; INT64_MIN: it has no rule. */
static inline int64_t th_trim_before(const struct th_trim *t, uint64_t tenant)
{
    uint32_t low = 0, high = t->count;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (t->rules[mid].tenant == tenant)
            return t->rules[mid].before;
        if (t->rules[mid].tenant < tenant)
            low = mid + 1;
        else
            high = mid;
    }
    return INT64_MIN;
}

/** For stores: no event that was accepted then or later is deleted. */
static inline int64_t th_trim_last(const struct th_trim *t)
{
    int64_t last = INT64_MIN;

    for (uint32_t i = 0; i < t->count; i++)
        last = t->rules[i].before > last ? t->rules[i].before : last;
    return last;
}

/** For stores: adds to the result. The entries are in order of endpoint if they are noted in that order. */
static inline void th_purge_note(struct th_purge *p, uint64_t endpoint, uint32_t count)
{
    for (uint32_t i = p->dropped_count; i-- > 0;)
        if (p->dropped[i].endpoint == endpoint) {
            p->dropped[i].count += count;
            return;
        }
    if (p->dropped_count < p->dropped_max)
        p->dropped[p->dropped_count++] = (struct th_dropped){endpoint, count};
}

/* ---- reads ---- */

/** Queue rows in number order from `from` on. */
struct th_walk {
    struct th_op op;
    uint64_t from, endpoint; /* endpoint 0: all */
    unsigned shards, shard;  /* shards > 1: only rows whose endpoint is `shard` modulo `shards` */
    const uint64_t *slots;   /* only rows whose endpoint is in these; NULL: all */
    uint32_t max;
    struct th_queue_row *rows; /* caller's array of max */
    /* result */
    uint32_t count;
    uint64_t next; /* continue here; 0: the end was reached */
};

struct th_event_row {
    uint64_t no, tenant;
    struct th_wall at, time;
    uint32_t rnd, deliveries;
    uint64_t first_delivery;
    struct th_span type, data, external_id, resource_type, resource_id;
    struct th_event_more more;
    /* it is a copy of this event (copy_id.h), which was accepted at that time, wall ms, and it has its rnd and external_id; 0: it is none */
    uint64_t origin;
    int64_t origin_at;
    int64_t erased; /* wall ms: its content has been taken away; 0: it is there */
    bool test;      /* set in a PAGE of events: it is a test, by its lane or by its type TH_TEST_TYPE */
};

#define TH_TEST_TYPE "webhook.test" /* events of this type are tests, whoever publishes them */

/** A deleted endpoint, so that its deliveries can still say which it was. */
struct th_past_endpoint {
    int64_t created;         /* wall ms; 0: it has not been deleted, or was never stored */
    struct th_span settings; /* as it was last */
};

/** Events by number, for dispatch and for replayed answers. A missing one has no == 0. */
struct th_load {
    struct th_op op;
    uint32_t count; /* at most 1000 */
    const uint64_t *events;
    struct th_event_row *rows; /* caller's array of count */
    struct th_buf mem; /* owns the spans of rows; give initialised (max >= 64 MiB), th_buf_fini after use */
};

struct th_delivery_row {
    uint64_t no, endpoint;
    enum th_delivery_state state;
    uint8_t lane, tries, marks;
    uint16_t attempts;
    uint64_t order;             /* hash of its ordering key; 0: none */
    int64_t due, ended;         /* wall ms; 0: it is not due, or has not ended */
    struct th_event_row event;  /* without data unless asked */
    uint64_t last_attempt;      /* 0: none yet */
    struct th_attempt_row last; /* without head and body; valid when last_attempt != 0 */
    struct th_past_endpoint past;
};

struct th_attempt_view {
    uint64_t no, delivery, endpoint;
    struct th_attempt_row row;
    struct th_delivery_row of;        /* its delivery as it is now, without event and last attempt */
    struct th_span endpoint_settings; /* those of the endpoint at row.endpoint_rev; n == 0 when gone */
    struct th_event_row event;        /* without data unless asked */
    struct th_past_endpoint past;
    bool test;
};

enum th_page_kind { TH_PAGE_EVENTS, TH_PAGE_DELIVERIES, TH_PAGE_ATTEMPTS };

enum { TH_WAITS_PENDING = 1, TH_WAITS_RETRYING = 2, TH_WAITS_HELD = 4, TH_WAITS_SCHEDULED = 8 };
#define TH_OUTCOME_BIT(class, ok) (1u << ((unsigned)(class) * 2 + ((ok) ? 1 : 0)))
#define TH_ANSWERED_WORDS 16 /* statuses below 1024; an attempt without an answer has 0 */
#define TH_ANSWERED_ADD(page, status) ((page)->answered[(status) / 64] |= UINT64_C(1) << (status) % 64)
#define TH_ANSWERED(page, status)                                                                            \
    ((status) / 64 < TH_ANSWERED_WORDS && ((page)->answered[(status) / 64] >> (status) % 64 & 1))

/** List query, newest first (by number) unless `ascending`, bounded by rows and by work: it may return fewer rows than `limit` with a next
 * cursor that is not 0. */
struct th_page {
    struct th_op op;
    enum th_page_kind kind;
    /* 0: of any tenant that is not deleted, with `no` or `external_id`; ascending: of those in `tenants` */
    uint64_t tenant;
    bool
        any; /* with tenant 0: rows of all tenants, also of deleted ones; only without `no`, `event`, `endpoint`, `delivery` and
                 `external_id` */
    const uint64_t *tenants; /* sorted ascending */
    uint32_t tenant_count;
    /* filters; 0 or n == 0: not used */
    uint64_t no; /* exactly this event, delivery or attempt */
    uint64_t event, endpoint, delivery;
    struct th_span external_id, type;
    uint32_t states; /* bits 1 << enum th_delivery_state; 0: all */
    enum { TH_ANY_ATTEMPTS, TH_NO_ATTEMPTS, TH_SOME_ATTEMPTS } queued; /* refines TH_DS_QUEUED */
    /* QUEUED rows must be (or with exclude: must not be) of these, sorted ascending */
    const uint64_t *endpoints;
    uint32_t endpoint_count;
    bool endpoints_exclude;
    /* bits TH_WAITS_*, instead of `queued` and `endpoints_exclude`; 0: not used. QUEUED rows that are put off beyond `now` are
     * scheduled; of the others those of the endpoints listed are held, the rest pending or retrying */
    unsigned waiting;
    int64_t now;       /* wall ms, with `waiting` */
    uint32_t outcomes; /* ATTEMPTS, DELIVERIES (their last attempt), EVENTS (one of their deliveries): bits
                          TH_OUTCOME_BIT; 0: all */
    bool by_answer;    /* the same: with one of these statuses of an answer, a bit each (TH_ANSWERED) */
    uint64_t answered[TH_ANSWERED_WORDS];
    int64_t since, until; /* event accept time, wall ms; since inclusive, until exclusive */
    uint64_t before;      /* cursor: numbers below; 0: from the newest */
    /* ATTEMPTS, EVENTS: rows with numbers above `after`, oldest first. A row that is committed later has a higher number, so
     * a caller that goes on at `reached` misses none. */
    bool ascending;
    uint64_t after;
    uint64_t skip; /* rows to leave out first (numbered pages); on return how many are still to be left out */
    uint32_t limit;        /* at most 1000 */
    bool without_tests;    /* leave out tests */
    size_t max_bytes;      /* the page ends with the row whose spans bring it to so many bytes; 0: 64 MiB */
    bool without_settings; /* ATTEMPTS: leave out endpoint_settings */
    bool with_data, with_answers,
        with_total; /* events' data; attempts' head and body; count all matches, also beyond max_bytes */
    /* result */
    uint32_t count;
    uint64_t next; /* cursor for the next page; 0: the end */
    /* ATTEMPTS, EVENTS. With `ascending`: the highest number that was looked at; else the newest number of
     * any tenant. */
    uint64_t reached;
    uint64_t total;
    union {
        struct th_event_row *events;
        struct th_delivery_row *deliveries;
        struct th_attempt_view *attempts;
    } rows;
    void *mem; /* owns rows and their spans: vt->page_free */
};

/** Whether a queued delivery waits for the moment that its publisher has chosen for the first attempt. */
static inline bool th_is_scheduled(uint8_t marks, uint16_t attempts, int64_t due, int64_t now)
{
    return marks & TH_MARK_DELAYED && !attempts && due > now;
}

/** For stores: whether the page says whose rows it wants. */
static inline bool th_page_is_bounded(const struct th_page *op)
{
    return op->tenant || op->no || op->external_id.n || op->any ||
           (op->ascending && op->tenant_count && op->kind != TH_PAGE_DELIVERIES);
}

/* ---- statistics ---- */

#define TH_STATS_OUTCOMES                                                                                    \
    11 /* a success, an answer that does not count as one, then the classes that are none */

/** What attempts came to, and how many took how long (base/timehist.h). */
struct th_stats_bucket {
    uint32_t by[TH_STATS_OUTCOMES];
    uint32_t times[TH_TIMEHIST_CLASSES];
};

static inline unsigned th_stats_outcome(uint8_t class, bool ok)
{
    if (class == TH_HTTP_OK)
        return ok ? 0 : 1;
    return class + 1u < TH_STATS_OUTCOMES ? class + 1u : TH_STATS_OUTCOMES - 1;
}

#define TH_STATS_MINUTES_MS                                                                                  \
    (2 * INT64_C(86400000))                        /* at least so long stores know the minute of an attempt */
#define TH_STATS_HOURS_MS (31 * INT64_C(86400000)) /* and so long its hour */

/** How many deliveries waited; what is known of a minute, hour or day. */
struct th_backlog_step {
    bool known; /* it was counted at least once */
    uint32_t last, most;
};

/** How many deliveries of a tenant wait. */
struct th_backlog_row {
    uint64_t tenant; /* 0: of all */
    uint32_t waiting;
};

#define TH_BACKLOG_TENANTS 200

/** Notes how many deliveries wait at a time: the row of all, and those of tenants of which some wait. Where several nodes share a store, one
 * of them notes for all. */
struct th_backlog {
    struct th_op op;
    struct th_wall at;
    uint32_t count; /* 1 + TH_BACKLOG_TENANTS at most; rows[0] is that of all */
    const struct th_backlog_row *rows;
    bool cut; /* there are tenants that have no row although some wait: those with the fewest */
};

/** A read: every attempt that was ever settled counts once, tests excepted, by when it began; also those that PURGE and TRIM have deleted.
 * Of a deleted endpoint or tenant, too. What is older than 400 days may be forgotten. */
struct th_stats {
    struct th_op op;
    uint64_t tenant, endpoint; /* 0: of all */
    /* several endpoints, each for itself; sorted ascending. NULL: `tenant` and `endpoint` say whose */
    const uint64_t *endpoints;
    uint32_t endpoint_count;
    /* wall ms; of older attempts only hour or day are known, which count whole by their beginning. `since` is a multiple of
     * `step`, which is some minutes, an hour or a day */
    int64_t since, until, step;
    uint32_t count;
    /* caller's array of count, zero: of the steps from `since` on; with `endpoints` so many for each, one behind the other */
    struct th_stats_bucket *buckets;
    /* The same for what waited, without `endpoint` and `endpoints`; NULL: not asked. A step of less than an hour is some minutes. */
    struct th_backlog_step *backlog;
    /* result: since, or later when not all before it was looked at */
    int64_t complete_from;
};

/* ---- a new key for what is encrypted ---- */

/** The places of encrypted bytes. ENDPOINT and REVISION are settings in which encrypted values may stand; the other kinds are
 * encrypted as a whole. */
enum th_encrypted_kind {
    TH_ENCRYPTED_SECRET,
    TH_ENCRYPTED_ENDPOINT,
    TH_ENCRYPTED_REVISION,
    TH_ENCRYPTED_ANSWER,
    TH_ENCRYPTED_KINDS
};

struct th_encrypted {
    enum th_encrypted_kind kind;
    uint64_t key[2]; /* the place, with key3: the store's */
    uint8_t key3[16];
    uint64_t tenant, endpoint, no; /* whose it is; `no` is the number of a SECRET */
    struct th_span bytes;          /* what is there */
    struct th_span fresh;          /* put: what shall be there instead */
};

/** Lists encrypted values, or replaces some of them. The list includes values of deleted objects and of earlier revisions; a walk
 * over it leaves out none that was there when it began. A value is replaced only if `bytes` is still what is stored; all are
 * replaced or none. */
struct th_rewrap {
    struct th_op op;
    bool put;
    /* list: begin behind this one; kind, key and key3 count; zero: from the start */
    struct th_encrypted after;
    uint32_t max;              /* list: at most so many */
    struct th_encrypted *rows; /* list: caller's array of max; put: of count */
    uint32_t count;            /* list: result; 0: the end */
    struct th_arena mem;       /* list: owns `bytes`; give initialised, th_arena_fini after use */
};

/* ---- several nodes ---- */

#define TH_SLOTS 256
#define TH_SLOT_WORDS (TH_SLOTS / 64)

/** The slot of an endpoint, by which its deliveries belong to a node. */
static inline unsigned th_slot_of(uint64_t endpoint)
{
    return (unsigned)(endpoint * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

static inline bool th_slots_have(const uint64_t *slots, unsigned slot)
{
    return slots[slot / 64] >> slot % 64 & 1;
}

/** What other nodes have committed since `seen`, as it was at one moment. The commits of all nodes have one order; a position is
 * a place in it. What comes is applied before the next one of these is submitted, in the order of the members: settings first. A
 * store that nobody shares says that all slots are this node's, and nothing else. */
struct th_follow {
    struct th_op op;
    uint64_t seen; /* the last `upto`; 0: the settings as settings() gave them */
    /* slots whose endpoints this process still works for, requests under way included: nobody else gets them */
    uint64_t have[TH_SLOT_WORDS];
    bool leaves; /* this process stops: it gets no slot, and gives up each when its requests have ended */
    /* result; what it points to is in `mem` */
    uint64_t upto;
    uint64_t told;                 /* every other node that lives has applied what was committed up to here */
    uint64_t slots[TH_SLOT_WORDS]; /* those that this process is to work for from now on */
    /* settings rows that have changed, each as it is now, in order of kind. An endpoint comes with all its secrets. */
    struct th_row *rows;
    /* deliveries that were queued, and then those that were moved, of endpoints in `slots`, as they are now */
    struct th_queue_row *queued, *moved;
    uint64_t walk_from;           /* they are too many: walk the queue from this number on; 0: all are here */
    uint64_t *cancelled, *erased; /* deliveries that were cancelled; events whose content is gone */
    uint32_t row_count, queued_count, moved_count, cancelled_count, erased_count;
    uint64_t purged_upto;
    struct th_arena mem; /* give initialised, th_arena_wipe after use */
};

#define TH_META_NEWEST "newest_unfinished" /* a META row that settings() gives and that is never stored */
/** Whether the walk wants the rows of this endpoint. */
static inline bool th_walk_wants(const struct th_walk *w, uint64_t endpoint)
{
    if (w->endpoint)
        return w->endpoint == endpoint;
    return (w->shards < 2 || endpoint % w->shards == w->shard) &&
           (!w->slots || th_slots_have(w->slots, th_slot_of(endpoint)));
}

/** Writes nothing, and completes when a commit with sync has succeeded. It shows whether the store is ready
 * again after TH_FULL. */
struct th_probe {
    struct th_op op;
};

/* called by the store from any thread when a session has something to drain and had nothing before */
struct th_wake {
    void (*fn)(void *ctx);
    void *ctx;
};

/** A process that shares a store with others. */
struct th_store_node {
    unsigned id;
    const char *address, *version;
    int64_t since;    /* wall ms: when it began */
    int64_t lease_ms; /* that are left of its lease; below 0: it is over; 0: there are no leases */
    unsigned slots;   /* 256: it works; 0: it waits; between: it shares the work */
    bool works;       /* it shares the work, whatever slots it has now */
    int64_t behind;   /* commits of others that it has not applied yet; -1: it need not */
    bool is_this;
};

struct th_store {
    const struct th_store_vt *vt;
};

struct th_store_vt {
    /** Settings rows at start, in order of kind then number; synchronous, before the first session. One more META row,
     * TH_META_NEWEST, tells the highest number of a delivery in the queue (16 hexadecimal digits): every delivery that is accepted
     * from now on has a higher one. */
    enum th_error (*settings)(struct th_store *, void (*row)(void *ctx, const struct th_row *), void *ctx);
    /** Appends the settings of an endpoint as they were at this revision. Synchronous: it reads one row, and threads wait for each
     * other. It finds only revisions whose done() has been called. Any thread. TH_NOT_FOUND: no such endpoint or revision. */
    enum th_error (*endpoint_settings)(struct th_store *, uint64_t endpoint, uint64_t rev,
                                       struct th_buf *out);
    /** One session per engine thread. */
    enum th_error (*attach)(struct th_store *, struct th_wake wake, struct th_session **out);
    /** Never blocks, never calls back, never fails (failures come with done). Writes may wait until the next flush or drain. */
    void (*submit)(struct th_session *, struct th_op *);
    /** Hands over what has been submitted, so that the store is woken once for all of it. The session's thread only. It is NULL
     * where submit does this itself. */
    void (*flush)(struct th_session *);
    /** Flushes, then calls done() of at most `max` finished ops; returns how many. The session's thread only. */
    unsigned (*drain)(struct th_session *, unsigned max);
    void (*detach)(struct th_session *);                    /* everything submitted must be drained before */
    void (*page_free)(struct th_store *, struct th_page *); /* any thread */
    /** What a tenant has stored now, counting what is committed. Any thread. */
    void (*usage)(struct th_store *, uint64_t tenant, struct th_usage *out);
    /** Whether a request may still be sent: false when this process cannot know that nobody else does. Any thread. NULL: always. */
    bool (*may_send)(struct th_store *);
    /** Whether other nodes work on the store at the same time: then only the slots that FOLLOW names are this process's. Never
     * changes. NULL: no. */
    bool (*is_shared)(struct th_store *);
    /** How many milliseconds ago a slot was last taken from a process whose lease had ended, which may still have requests under way;
     * -1: never, as far as is known here. Any thread. NULL: never. */
    int64_t (*fenced_ms)(struct th_store *, unsigned slot);
    /** The processes that share this store. Synchronous, and takes its time; any thread. NULL: this one is alone. */
    enum th_error (*nodes)(struct th_store *, void (*node)(void *ctx, const struct th_store_node *),
                           void *ctx);
    void (*close)(struct th_store *); /* commits what is submitted, then frees */
};

/** See may_send. */
static inline bool th_store_lets_send(struct th_store *s)
{
    return !s->vt->may_send || s->vt->may_send(s);
}

static inline int64_t th_store_fenced_ms(struct th_store *s, unsigned slot)
{
    return s->vt->fenced_ms ? s->vt->fenced_ms(s, slot) : -1;
}

static inline bool th_store_is_shared(struct th_store *s)
{
    return s->vt->is_shared && s->vt->is_shared(s);
}

struct th_store_options {
    const char *dir;      /* data directory; the store owns files in it named tenterhook.db* and ballast */
    uint32_t ballast_mib; /* room kept for settles on a full disk; default 64 when 0 */
    struct th_metrics *metrics; /* may be NULL */
};
/** Opens or creates; runs migrations; refuses a damaged or newer file with a reason in why. TH_CONFLICT: locked by
 * another process. */
TH_MUST_USE enum th_error th_store_sqlite_open(const struct th_store_options *options, struct th_store **out,
                                               char *why, size_t why_size);
#endif
