/* Shared by the files of engine/ only. */
#ifndef TH_ENGINE_INTERNAL_H
#define TH_ENGINE_INTERNAL_H
#include "base/alloc.h"
#include "base/arena.h"
#include "base/enc.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/map.h"
#include "base/ref.h"
#include "engine/engine.h"
#include "engine/job.h"

#define TH_MAX_DROPPED 1000 /* endpoints that a step of retention may name */
#define TH_MAX_SPEC_BYTES (256u << 10)
#define TH_MAX_ACCEPT_BYTES (64u << 20)     /* publishes waiting for their commit */
#define TH_KEEP_ACCEPT (2u << 20)           /* one with more than that does not leave its events in memory */
#define TH_MAX_ACCEPT_DELIVERIES (1u << 18) /* of one publish: their endpoints are held until its commit */
#define TH_MAX_SETTLES 4096                 /* unrecorded outcomes; beyond, dispatch pauses */
#define TH_EVENT_CACHE_BYTES (64u << 20)
#define TH_MAX_PINNED_BYTES (256u << 20)
#define TH_LARGE_EVENT 16384   /* bytes from which an event waits for others to leave memory */
#define TH_DISPATCH_BUDGET 256 /* requests begun in one turn */
/* A turn of the loop shall take less than 10 ms. These are the marks, in microseconds, at which a part of the turn begins
 * nothing further; each does one step at least, and no step takes more than some milliseconds. */
#define TH_TURN_DRAIN_US 2500
#define TH_TURN_DEFERRED_US 3000
#define TH_TURN_DISPATCH_US 4500
#define TH_LOAD_BATCH 64
#define TH_MAX_LOADS 4 /* batches under way; beyond, dispatch pauses */
#define TH_WALK_BATCH 10000
#define TH_KEEP_BUFFER (64u << 10) /* a buffer that is used again gives back what it has beyond */
#define TH_ANSWER_KEPT 16384       /* bytes of an answer's body; the transport gives no more */
#define TH_HEALTH_FLUSH_MS 10000
#define TH_PAST_SECRETS 2 /* ended ones of an endpoint that its answers are still searched for */

/* What an endpoint with much text subscribes to. The texts are in the store: a type is known by its length and 54 bits of its
 * hash, under a seed that nobody knows. That a type is taken for another is as likely as guessing those. */
struct th_wanted {
    uint64_t seed;
    uint64_t word[]; /* hash | form << 8 | length, of the type, of a prefix or of a suffix */
};

/* The engine's part of an endpoint. Replaced as a whole when the endpoint changes; requests under way keep the old one.
 * Not written any more once th_run_part has seen it, so that several threads may hold it. */
struct th_endpoint_run {
    struct th_ref refs;
    struct th_arena mem;  /* owns the spec's spans, the header block and the wanted types */
    struct th_arena text; /* owns the spec's texts that are in memory only until they are stored */
    struct th_endpoint_spec spec;
    struct th_run_url { /* as in struct th_url */
        bool tls, literal;
        uint16_t port;
        struct th_span host, authority, target;
        struct th_addr addr;
    } url;
    struct th_span custom;        /* finished custom header lines; the headers of the spec point into it */
    const struct th_wanted *want; /* of one with much text: what it subscribes to; else NULL */
    unsigned variant;
    struct th_mask *mask; /* of the custom headers' values and of a secret URL; NULL: none, or many_masked */
    bool many_masked;     /* they are so many that the mask is made when there is an answer */
    struct th_span id;    /* public id text */
    uint64_t rev;
    bool all; /* subscribed to everything */
};

/* A full endpoint object: public part first, so that pointers convert. */
struct th_ep {
    struct th_endpoint pub;
    unsigned refs;   /* one for the map, one per request under way */
    struct th_past { /* of secrets that were ended before their time: endpoints still know them */
        struct th_mask *mask;
        int64_t until;
    } past[TH_PAST_SECRETS];
    bool gone;                  /* deleted; lives on for its requests */
    struct th_mono rests_since; /* when it asked for that last */
    int64_t asked_until_ms;     /* wall: until when, at that moment */
    struct th_health told;      /* to home, which is another engine */
    bool health_dirty;
    struct th_list dirty; /* on engine.dirty while health_dirty */
    struct th_last_attempt last;
    struct th_heap_node ask_at; /* on engine.to_ask */
    struct th_ask *ask;         /* under way; NULL: none */
    unsigned asked;             /* times since its last change */
    unsigned counted;           /* enum th_gauge of the state that it is counted in, plus 1; 0: in none */
};

/* An event in memory for dispatch. On the LRU list while nobody pins it. */
struct th_event {
    struct th_event_row row; /* spans point behind this struct */
    uint64_t tenant_no;
    unsigned pins;
    bool data_written, data_exact; /* row.data is as th_dialect_data made it; and lost no number's value */
    bool stale;    /* made for settings of before: pinned by requests, given to no further one */
    uint32_t left; /* deliveries that may still want it; 0: free when unpinned */
    size_t bytes;
    struct th_list lru;
    struct th_span id; /* public id text */
    struct th_span
        body; /* rendered, when it is the same for all endpoints; own allocation; n == 0: not yet */
    struct th_accept_time {
        int64_t us; /* monotonic time of the accept; 0: loaded later */
    } accepted;
    char bytes_[];
};

struct change_impl;
struct th_change_kind_row;
struct th_disable_home;
struct th_disabling;

struct th_attempt {
    struct th_list link; /* free list, load list or running list */
    struct th_engine *e;
    struct th_queue_row row;
    struct th_ep *ep;
    struct th_endpoint_run *run;
    struct th_event *event;
    struct th_mono began;
    struct th_wall began_wall;
    int64_t signed_at, dns_us;
    bool cancelled, resolving, running; /* resolving, running: the resolver, the transport has it */
    bool unsendable;                    /* the dialect cannot render this delivery */
    struct th_http_req req;
    struct th_resolve resolve;
    struct th_addr addrs[TH_CONNECT_MAX];
    uint64_t counted_at[TH_CONNECT_MAX]; /* address.c: where this request is counted */
    unsigned counted;
    struct th_buf head, body, sigs, answer;
    size_t held; /* of body, among the pinned bytes */
    char delivery_id[64];
    size_t delivery_id_len;
    struct th_now ended;
    struct th_wall first; /* when this round of attempts began; known where the delivery fails for good */
    struct th_settle settle;
    struct th_disabling *disabling; /* stored with it: that of the endpoint; NULL: none */
    void (*carried)(struct th_attempt *a, enum th_error error,
                    bool applied); /* with it: it has been stored, or not */
    enum th_verdict verdict;
    bool degraded;           /* this attempt crossed the dialect's mark */
    bool recovered;          /* the endpoint works again after exhausted deliveries */
    struct th_mono again_at; /* AGAIN: the exact due time; the row's wall time is for the disk */
};

struct th_load_batch {
    struct th_load op;
    struct th_deferred defer;
    struct th_engine *e;
    struct th_list waiting; /* attempts */
    uint64_t events[TH_LOAD_BATCH];
    struct th_event_row rows[TH_LOAD_BATCH];
};

#define TH_SHARDS_MAX 64

struct th_rescan { /* another engine is asked to walk the queue from here on; 0: it is not */
    struct th_mail mail;
    uint64_t from;
};

enum th_number { TH_NUMBER_ENDPOINT, TH_NUMBER_DELIVERY, TH_NUMBER_ATTEMPT, TH_NUMBERS };

struct th_engine {
    struct th_engine_options options;
    struct th_session *session;
    struct th_now now;
    struct th_keyring *ring; /* in memory for secrets */
    int64_t turn_us;         /* mono: when this turn began, less what was spent before it */
    int64_t spent_us;        /* since the last turn, on other work of the thread */
    uint8_t id_key[16];
    uint64_t plain[TH_NUMBERS]; /* the highest numbers that integer ids show as they are */
    uint8_t random[4096];
    size_t random_left;
    uint64_t hash_seed;
    uint64_t place_seed; /* of numbers of hosts and addresses: all engines make the same */

    /* settings */
    struct th_smap tenants_by_id, keys_by_hash;
    struct th_map endpoints; /* by number: struct th_ep */
    struct th_tenant *leaving;
    struct th_list graves; /* endpoints that nobody holds any more */
    struct th_map tenants_by_no;
    struct th_tenant **tenants;
    unsigned tenant_count, tenant_cap;
    struct th_key **keys;
    unsigned key_count, key_cap;
    uint64_t last_tenant, last_key, last_endpoint, last_secret;
    struct th_list dirty; /* endpoints whose health is to be written */
    struct th_mono health_flushed;
    bool health_flipped;    /* an endpoint works again; to be written at once */
    struct th_list changes; /* waiting */
    const struct th_change_kind_row *change_kinds;
    const struct th_disable_home *disable_home;
    bool changes_held;         /* none begins: a reload waits for the one under way */
    struct rewrap_job *rewrap; /* NULL: none */
    struct th_heap to_ask;     /* endpoints without consent, by the time of the next ask */
    struct th_list asks;       /* under way */
    bool asks_void;            /* some of them are for endpoints that are gone */
    unsigned asks_out;
    struct th_list lookups; /* names of new URLs; their changes queue up afterwards */

    /* ingest */
    size_t accept_bytes;
    struct th_list free_ingests, stale_ingests; /* stale: wait for settings that home has committed */
    bool settings_moved;                        /* which have come */
    struct th_list notices;                     /* to be published */
    unsigned ingests_out;

    /* dispatch */
    struct th_sched *sched;
    struct th_map events;  /* cache by number */
    struct th_buf written; /* scratch: an event's data as its dialect writes it */
    struct th_list lru;
    size_t cache_bytes;
    struct th_list free_attempts, running;
    struct th_load_batch *batch; /* being filled in this turn */
    unsigned free_attempt_count, settles_out, attempts_out, loads_out;
    struct th_list settle_retry; /* settles that found the store full */
    struct th_mono warn_at, denied_at;
    struct th_mono reports_until; /* of the second that `reports` counts */
    unsigned reports, reports_left_out;
    uint64_t purged_upto;
    size_t pinned_bytes; /* of events and bodies that attempts hold */

    /* fan-out: fanout.c */
    struct th_fanout fanout;
    struct th_queue_row *fanout_rows;
    bool fanout_left; /* the store may have events with deliveries that are not queued */
    uint64_t fanout_after;

    int64_t clock_offset_ms;    /* wall less steady time, when last looked at */
    int64_t clock_top_ms;       /* the largest of these since clock_whole */
    struct th_mono clock_whole; /* since then the wall clock has not been set back */

    /* recovery and jobs */
    struct th_walk walk;
    struct th_queue_row *walk_rows;
    bool walking;
    bool rules_wanted;   /* they are to be evaluated */
    bool walk_void;      /* a delivery that the walk under way may have read has ended */
    uint64_t walk_below; /* first delivery accepted since the start; 0: none */
    unsigned ops_out;    /* all other store operations */
    struct th_purge purge;
    struct th_dropped purge_dropped[TH_MAX_DROPPED];
    struct th_map dropped; /* by endpoint: dropped.c */
    int64_t dropped_day;   /* of the last reports */
    struct th_probe probe;
    struct cancel_job *cancelling;
    uint64_t *cancels; /* deleted endpoints whose rows are still to be cancelled */
    uint32_t cancel_count, cancel_cap;
    struct th_map cancels_known; /* the same numbers */

    struct th_list replays;          /* newest first: struct replay_job */
    struct th_list replays_starting; /* not recorded yet */
    unsigned replay_count;
    unsigned replay_places; /* of jobs that may hold numbers */
    bool replays_wait;      /* one wants a place */
    struct th_mono replay_look_at;
    struct th_list hurries; /* struct hurry_job */
    bool erase_left;        /* the store may have content that is to be erased */
    uint64_t last_job;

    /* several engines */
    struct th_list inbox, outbox[TH_SHARDS_MAX];
    struct th_offer *offers[TH_SHARDS_MAX]; /* being filled in this turn */
    struct th_rescan rescans[TH_SHARDS_MAX];
    struct th_mail fanout_mail;  /* tells home that something is left to queue */
    struct th_mail no_room_mail; /* tells home that the store had no room */
    unsigned fanout_told, no_room_told;
    bool no_room_untold;
    struct th_mono measured; /* when this engine's part of the metrics was */
    bool mail_waits, offers_wait;
    bool joined;                   /* home: the others have copies of the settings */
    unsigned letters_out;          /* questions to others that have no answer yet */
    unsigned notes_out;            /* home: of settings, that have not been confirmed */
    struct change_impl *finishing; /* home: the change that waits for that */

    struct th_job_state jobs[TH_JOBS];
    struct th_list deferred;
    bool started, draining, store_ok, dead;
    bool no_requests; /* a stop that no longer waits: none begins any more */
    bool more;        /* something is left for another turn at once */
    bool stirred;     /* since the last turn something has called */
};

/** What one engine may use of something that all engines of the process have together. */
static inline size_t th_part(const struct th_engine *e, size_t all)
{
    return e->options.shards > 1 ? all / e->options.shards : all;
}

/** Gives the memory of a large buffer back, between two uses. */
static inline void th_buf_shrink(struct th_buf *b)
{
    if (b->cap > TH_KEEP_BUFFER)
        th_buf_fini(b);
}

/* engine.c */
/** Reads the clock: at the start of a turn and of every call from outside it. */
static inline void th_engine_tick(struct th_engine *e)
{
    e->stirred = true;
    e->now = e->options.clock.now(e->options.clock.ctx);
}
/** Whether a dialect refuses plain http here: always, or because this is production. */
static inline bool th_https_required(const struct th_engine *e, const struct th_dialect_values *v)
{
    return v->https == TH_HTTPS_ALWAYS || (v->https == TH_HTTPS_PRODUCTION && e->options.production);
}
void th_engine_submit(struct th_engine *e, struct th_op *op);
/** Whether this turn has had so much of the loop's time, what was spent before it included. Reads the clock. */
bool th_turn_over(const struct th_engine *e, int64_t us);
void th_engine_store_error(struct th_engine *e, enum th_error error);
void th_engine_random(struct th_engine *e, void *p, size_t n);
uint32_t th_engine_rnd32(struct th_engine *e);
/* attempt.c */
struct th_attempt *th_attempt_get(struct th_engine *e);
void th_attempts_free(struct th_engine *e);
/** Cancels what is under way to an endpoint that has been deleted; it is forgotten then. */
void th_requests_cancel(struct th_engine *e, const struct th_ep *ep);
/** The same for a tenant, as far as the turn has time. True: none is left. */
bool th_requests_cancel_some(struct th_engine *e, const struct th_tenant *t);

/* mail.c */
/** The engine that an endpoint's deliveries, health and jobs belong to. */
static inline unsigned th_owner(const struct th_engine *e, uint64_t endpoint)
{
    return e->options.shards < 2 ? e->options.shard : (unsigned)(endpoint % e->options.shards);
}
static inline bool th_is_mine(const struct th_engine *e, uint64_t endpoint)
{
    return th_owner(e, endpoint) == e->options.shard;
}
/** The engine that has the settings and changes them. */
static inline bool th_is_home(const struct th_engine *e)
{
    return e->options.shard == 0;
}
void th_mail_init(struct th_engine *e);
/** The letter leaves at the end of the turn; `run` is called in a turn of the receiver, which may be the sender itself. */
void th_mail_send(struct th_engine *e, unsigned to, struct th_mail *m,
                  void (*run)(struct th_engine *to, struct th_mail *m));
void th_mail_turn(struct th_engine *e);
void th_mail_flush(struct th_engine *e);
bool th_mail_pending(const struct th_engine *e);

/* offer.c */
/** Gives a queued delivery to the engine that owns its endpoint, this one included. */
void th_offer(struct th_engine *e, const struct th_queue_row *row);
/** Before its rows: the event, of which `left` deliveries are that engine's. Without memory it reads the event itself. */
void th_offer_event(struct th_engine *e, unsigned to, uint64_t tenant, const struct th_event_row *row,
                    uint32_t left, int64_t accepted_us);
void th_offers_send(struct th_engine *e);
void th_offers_free(struct th_engine *e);

/* grant.c: places at hosts and addresses that have come free here and are another engine's now */
void th_grants_send(struct th_engine *e);

/* replica.c: tells all other engines what is new, after the commit (notes_out) */
void th_replica_tenant(struct th_engine *home, const struct th_tenant *t);
void th_replica_tenant_gone(struct th_engine *home, const struct th_tenant *t);
void th_replica_key(struct th_engine *home, const struct th_key *k);
void th_replica_key_gone(struct th_engine *home, const struct th_key *k);
/** reset: what was learnt of the endpoint does not hold any more. cleared: it was enabled again by hand. */
void th_replica_endpoint(struct th_engine *home, struct th_ep *ep, bool reset, bool cleared);
void th_replica_endpoint_gone(struct th_engine *home, const struct th_tenant *t, uint64_t no);
void th_replica_reload(struct th_engine *home);
/** Takes over what another set of options brings. */
void th_replica_options(struct th_engine *e, const struct th_engine_options *options);
/** By name, of a set of options; NULL: it has none. */
const struct th_dialect *th_replica_dialect(const struct th_engine_options *options, struct th_span name);

/* settings.c */
/** One count more. */
static inline struct th_endpoint_run *th_run_ref(struct th_endpoint_run *run)
{
    th_ref_get(&run->refs);
    return run;
}
/* leave.c */
/** The tenant has been deleted: nothing is sent any more; its endpoints leave memory in turns to come. */
void th_leave_tenant(struct th_engine *e, struct th_tenant *t);
/** The endpoint leaves memory, and what waits at it is cancelled where it is this engine's. */
void th_leave_endpoint(struct th_engine *e, struct th_ep *ep);
struct th_mono th_leave_wanted(const struct th_engine *e);
void th_leave_begin(struct th_engine *e);
struct th_ep *th_ep_new(struct th_engine *e, struct th_tenant *t, uint64_t no);
void th_ep_unref(struct th_engine *e, struct th_ep *ep);
void th_run_unref(struct th_endpoint_run *run);
TH_MUST_USE enum th_error th_run_new(struct th_engine *e, const struct th_endpoint *ep,
                                     const struct th_endpoint_spec *spec, struct th_endpoint_run **out);
/* texts.c */
/** Copies what was set. Where that is much text, it is told apart for th_run_part. */
TH_MUST_USE bool th_run_copy(struct th_engine *e, struct th_endpoint_run *run,
                             const struct th_endpoint_spec *from, const struct th_url *url,
                             const struct th_endpoint_run *old);
/** The next of finished header lines, which leaves *lines; false at the end. */
bool th_line_next(struct th_span *lines, struct th_header *out);
/** The endpoint's settings are in the store: those texts that nothing needs in memory leave it. */
void th_run_part(struct th_endpoint *ep);
/** Whether a run with `want` subscribes to the type; by_name: not by "*", prefix or suffix. */
bool th_wanted_has(const struct th_endpoint_run *run, struct th_span type, bool by_name);
enum th_error th_settings_load(struct th_engine *e, struct th_buf *made_key, char *why, size_t why_size);
enum th_error th_settings_add_tenant(struct th_engine *e, struct th_tenant *t);
void th_settings_remove_tenant(struct th_engine *e, struct th_tenant *t);
enum th_error th_settings_add_endpoint(struct th_engine *e, struct th_ep *ep);
/** It has been deleted, but is not out of memory yet: nothing of it is sent, learnt or stored any more. */
void th_settings_endpoint_gone(struct th_ep *ep);
void th_settings_remove_endpoint(struct th_engine *e, struct th_ep *ep);
/** The endpoint is what `as` says (which may be itself), with another run, whose count is taken over. */
void th_settings_take(struct th_ep *ep, struct th_endpoint_run *run, const struct th_endpoint *as);
/** By number; NULL: there is none. */
struct th_key *th_settings_key(struct th_engine *e, uint64_t no);
enum th_error th_settings_add_key(struct th_engine *e, struct th_key *k);
void th_settings_remove_key(struct th_engine *e, struct th_key *k);
/** Tells the scheduler what the endpoint is now. reset: what it has learnt of it does not hold any more. */
enum th_error th_settings_sched(struct th_engine *e, struct th_ep *ep, bool reset);
/** After the limits of a tenant have changed. */
void th_settings_hosts(struct th_engine *e, struct th_tenant *t);
void th_settings_free(struct th_engine *e);
bool th_ep_held(const struct th_endpoint *ep);
/* settings texts */
/** The texts that a parted spec has not, from an endpoint's settings as they are stored. */
TH_MUST_USE enum th_error th_texts_read(struct th_span settings, struct th_arena *mem,
                                        struct th_endpoint_spec *out);
void th_tenant_write(const struct th_tenant *t, struct th_buf *out);
enum th_error th_endpoint_write(struct th_engine *e, const struct th_endpoint *ep, struct th_buf *out);
TH_MUST_USE enum th_error th_spec_read(struct th_engine *e, struct th_endpoint *ep, struct th_span settings,
                                       struct th_arena *mem, struct th_endpoint_spec *out);
enum th_error th_tenant_new(struct th_engine *e, uint64_t no, struct th_span id, struct th_span name,
                            struct th_span dialect, struct th_span attributes, struct th_tenant **out);
void th_limits_open(struct th_limits *l);
enum th_error th_tenant_replace(struct th_engine *e, struct th_tenant *t, struct th_tenant *fresh);
void th_tenant_drop(struct th_tenant *t); /* one that was never added */
/* keys.c */
#define TH_META_KEY_FORM                                                                                     \
    "key_form" /* meta row: how phrases are stretched in this store; none: they are not */
/** A new form, with a salt of its own. */
void th_key_form_make(struct th_engine *e, uint8_t out[TH_KEY_FORM_BYTES]);
/** The keys that the texts give in a store of this form (n == 0: none). TH_NOMEM; TH_CORRUPT: a form that is not known. */
TH_MUST_USE enum th_error th_keyring_make(struct th_keyring *ring, const struct th_base_key *key,
                                          const struct th_base_key *old, struct th_span form);
/** Index of the key that encrypted the proof; -1: none of them. *error is set when memory was lacking, and left alone else. */
int th_keyring_proves(const struct th_keyring *ring, struct th_span encrypted, enum th_error *error);

/* short_key.c: the note of a store about short operator's keys, in a meta row */
#define TH_META_SHORT_KEY "short_operator_key"
/* May this key be used with this store? TH_INVALID with why. note: what the row has; empty: there is none. */
enum th_error th_short_key_judge(struct th_engine *e, bool fresh, const struct th_buf *note, char *why,
                                 size_t why_size);
/* Makes the note that is to be stored now, if any. */
enum th_error th_short_key_note(struct th_engine *e, bool fresh, struct th_buf *note, bool *write);

/* encrypting: "nonce || ciphertext || tag" with tenant, endpoint and number as associated data */
bool th_engine_encrypt(struct th_engine *e, uint64_t tenant, uint64_t endpoint, uint64_t no,
                       struct th_span plain, struct th_buf *out);
/** Tries the key, then old ones. */
bool th_engine_decrypt(struct th_engine *e, uint64_t tenant, uint64_t endpoint, uint64_t no,
                       struct th_span encrypted, struct th_buf *plain);

/** The answer that is kept with an Idempotency-Key: the number of its form, then as above with that key behind the
 * associated data, so that no answer can take another's place. Those of before have neither, and open as well. */
bool th_answer_encrypt(struct th_engine *e, uint64_t tenant, const uint8_t key[16], struct th_span plain,
                       struct th_buf *out);
/** What a committed operation that bore an Idempotency-Key came to: DONE, or REPLAYED with the kept answer in `replayed`, or a
 * refusal. again: it was sent twice, since nobody knew whether it was committed; then a key that is there already is its own.
 * `detail` is static text. */
enum th_change_result th_answer_outcome(struct th_engine *e, const struct th_settings_op *op, bool again,
                                        struct th_buf *repeated, const char **detail);
bool th_answer_decrypt(struct th_engine *e, uint64_t tenant, const uint8_t key[16], struct th_span encrypted,
                       struct th_buf *plain);
bool th_answer_decrypt_with(const uint8_t secret[32], uint64_t tenant, const uint8_t key[16],
                            struct th_span encrypted, struct th_buf *plain);

/** One key only, whichever. */
bool th_engine_encrypt_with(struct th_engine *e, const uint8_t key[32], uint64_t tenant, uint64_t endpoint,
                            uint64_t no, struct th_span plain, struct th_buf *out);
bool th_engine_decrypt_with(const uint8_t key[32], uint64_t tenant, uint64_t endpoint, uint64_t no,
                            struct th_span encrypted, struct th_buf *plain);

/* What an endpoint's settings have inside that is encrypted: the number stands where that of a secret stands. */
#define TH_ENCRYPTED_NO_HEADERS 0
#define TH_ENCRYPTED_NO_URL UINT64_MAX
#define TH_ENCRYPTED_MEMBERS 2
extern const struct th_encrypted_member {
    struct th_span name;
    uint64_t no;
} th_encrypted_members[TH_ENCRYPTED_MEMBERS];
/** Encrypted bytes of a member of parsed settings, and the member. TH_NOT_FOUND: it has none; TH_CORRUPT; TH_NOMEM. `out` is
 * made in any case, for th_buf_fini. */
enum th_error th_member_encrypted(struct th_json root, struct th_span name, struct th_json *member,
                                  struct th_buf *out);

#define TH_META_PROOF "key_proof" /* meta row: TH_KEY_PROOF, encrypted with the key of this store */
#define TH_KEY_PROOF "tenterhook secret key"

/* rewrap.c */
#define TH_META_OLD_PROOF                                                                                    \
    "key_proof_old" /* meta row, there while anything may be encrypted by another key than the first proof's */
/** Has everything encrypted anew that old keys encrypted; then those leave. */
TH_MUST_USE enum th_error th_rewrap_begin(struct th_engine *e, const char *why);
struct th_mono th_rewrap_wanted(const struct th_engine *e);
void th_rewrap_step(struct th_engine *e);
void th_rewrap_free(struct th_engine *e);

/* limits.c */
/** Bytes of the names and values of all headers, as given and as in memory. */
size_t th_header_bytes(const struct th_endpoint_spec *spec);
size_t th_header_bytes_of(const struct th_endpoint *ep);
/** After something has been added: says once, in the log and as an operator event, that the limit is near. */
void th_near_added(struct th_engine *e, struct th_tenant *t, enum th_limit id);
/** Says what is allowed and what is used. */
void th_limit_reached(const struct th_engine *e, const struct th_tenant *t, enum th_limit id, char *detail,
                      size_t detail_size);
/** False when `more` do not fit; then `detail` says so. */
bool th_limit_allows(struct th_engine *e, const struct th_tenant *t, enum th_limit id, int64_t more,
                     char *detail, size_t detail_size);

/* check.c */
/** 0 for a name that is none. */
unsigned th_variant_index(const struct th_dialect_values *v, struct th_span name);
bool th_spec_check(struct th_engine *e, const struct th_tenant *t, struct th_change *c, struct th_url *url);

/* change.c */
struct th_mono th_changes_wanted(const struct th_engine *e);
void th_changes_begin(struct th_engine *e);
/** The operation that carried a change has ended: with an error, or with or without the change. Ends it. */
void th_change_carried(struct change_impl *i, enum th_error error, bool applied);
void th_changes_cancel(struct th_engine *e);
/** All engines have the settings that the change under way has made. */
struct th_mono th_changes_known_wanted(const struct th_engine *home);
void th_changes_known(struct th_engine *home);
/* disable.c */
struct th_disabling {
    struct th_mail mail;
    struct th_change c;
    struct change_impl *i; /* home's, from its turn on */
    struct th_engine *home;
    unsigned owner;
    struct th_attempt *a; /* the owner's; NULL: a rule says so, without an attempt, or it has been stored */
    struct th_settings_op *with;
    struct th_health health; /* as the owner has it */
    bool wanted, applied;
    enum th_error error;
    uint64_t endpoint;
    char tenant[160];
    /* what the owner is asked for next */
    void (*judge)(struct th_engine *owner, struct th_mail *m);
    void (*rows_ready)(struct th_engine *owner, struct th_mail *m);
    void (*store_alone)(struct th_engine *owner, struct th_mail *m);
};
/** `a`: the attempt whose end is the reason, to be concluded when it is its turn and stored in the same commit; it is stored in
 * any case. NULL: none. False: inactive already, or no memory; then `a` is the caller's. */
bool th_endpoint_disable(struct th_engine *e, struct th_ep *ep, enum th_disable why, struct th_attempt *a);
struct th_mono th_disable_rules_wanted(const struct th_engine *e);
void th_disable_by_rules(struct th_engine *e);
/* What the owner sends to home: change_disable.c. */
struct th_disable_home {
    void (*asked)(struct th_engine *home, struct th_mail *m);
    void (*judged)(struct th_engine *home, struct th_mail *m); /* the owner has said how it stands */
    void (*carried)(struct th_engine *home,
                    struct th_mail *m); /* it has stored the outcome, with the change or without */
};
/* consent.c */
bool th_consent_wanted(const struct th_engine *e, const struct th_tenant *t);
/** Says whether the endpoint lacks consent now, and sees to it that it is asked. TH_NOMEM. */
TH_MUST_USE enum th_error th_consent_judge(struct th_engine *e, struct th_ep *ep);
/** The pace that its receiver allows, for one of its own (0: none). */
double th_consent_pace(const struct th_endpoint *ep, double rate_per_s);
/** Asks now where consent is lacking: something of the endpoint has changed. */
void th_consent_again(struct th_engine *e, struct th_ep *ep);
/** Asks at that moment, where consent is lacking. */
void th_consent_ask_at(struct th_engine *e, struct th_ep *ep, int64_t us);
/** Who asks, as a number. */
uint64_t th_consent_origin(const struct th_engine *e);
#define TH_CONSENT_ASKS 30 /* of one endpoint, between two changes of it */
/* ask.c */
struct th_mono th_asks_wanted(const struct th_engine *e);
void th_asks_begin(struct th_engine *e);
/** All of them. Ends may come inside the call. */
void th_asks_cancel(struct th_engine *e);
/* health.c */
void th_health_touch(struct th_engine *e, struct th_ep *ep);
/** The endpoint asks to be left alone for so long from now. */
void th_rest_ask(struct th_engine *e, struct th_ep *ep, int64_t ms);
/** It works again, or is another one. */
void th_rest_forget(struct th_engine *e, struct th_ep *ep);
/** After a start: what is left of a rest, by its health. */
void th_rest_resume(struct th_engine *e, struct th_ep *ep);
struct th_mono th_health_wanted(const struct th_engine *e);
void th_health_begin(struct th_engine *e);

/* ingest.c */
bool th_endpoint_matches(const struct th_ep *ep, struct th_span type);
void th_ingest_free(struct th_engine *e);
/** Settings have changed in this engine: what waits for that is matched again. */
struct th_mono th_ingest_again_wanted(const struct th_engine *e);
void th_ingest_again(struct th_engine *e);
/** Publishes the notices. */
struct th_mono th_ingest_own_wanted(const struct th_engine *e);
void th_ingest_own(struct th_engine *e);
/* operator.c: events that the engine itself publishes */
struct th_notice {
    struct th_list link; /* on engine.notices */
    struct th_publish publish;
    struct th_publish_event event;
    uint64_t tenant,
        except; /* tenant 0: the operator; else endpoints that list the type by name, but for `except` */
    char bytes[];
};
void th_operator_delivery_failed(struct th_engine *e, const struct th_attempt *a, struct th_wall first);
void th_operator_delivery_degraded(struct th_engine *e, const struct th_attempt *a);
void th_operator_endpoint(struct th_engine *e, const struct th_ep *ep, const char *type, const char *reason);
void th_operator_limit(struct th_engine *e, const struct th_tenant *t, enum th_limit id, int64_t used,
                       int64_t allowed);
void th_operator_dropped(struct th_engine *e, const struct th_ep *ep, uint64_t count);

/* address.c */
/** Counts the request at those of its first `count` addresses that have room, and leaves out the others. Returns how many are
 * left; 0: the endpoint waits until there is room, and the delivery is to be given back uncounted. */
TH_MUST_USE unsigned th_address_take(struct th_attempt *a, unsigned count);
/** The request has ended. */
void th_address_give(struct th_attempt *a);

/* report.c */
void th_report_attempt(const struct th_attempt *a);
void th_report_failed(struct th_attempt *a);
void th_measure_turn(struct th_engine *e);
/* What a tenant reads of a name whose address the guard refuses; `why` is the guard's. */
void th_denied_text(const struct th_engine *e, const char *why, char *out, size_t size);
/* In development, for an address of one's own network: what to do; else "". */
const char *th_denied_advice(const struct th_engine *e, const char *why);
/* What the operator reads of it; one line a second. */
void th_report_denied(struct th_engine *e, struct th_span tenant, struct th_span host,
                      const struct th_addr *a, const char *why);
void th_report_breaker(const struct th_attempt *a, bool opened);

/* events.c */
struct th_event *th_event_add(struct th_engine *e, const struct th_tenant *t, const struct th_event_row *row,
                              uint32_t left);
/** The row with its texts copied to *at, which is moved by TH_EVENT_BYTES; `data` instead of its own. */
struct th_event_row th_event_row_copy(char **at, const struct th_event_row *from, struct th_span data);
void th_event_pin(struct th_engine *e, struct th_event *ev);
void th_event_unpin(struct th_engine *e, struct th_event *ev);
void th_event_settled(struct th_engine *e, uint64_t no);
void th_events_trim(struct th_engine *e, size_t to);
void th_events_forget(struct th_engine *e, const struct th_tenant *t); /* t NULL: of all tenants */

/* dispatch.c, settle.c */
void th_dispatch_begin(struct th_engine *e);
struct th_mono th_dispatch_wanted(const struct th_engine *e);
void th_attempt_release(struct th_attempt *a);
void th_attempt_send(struct th_attempt *a);
void th_attempt_ended(struct th_attempt *a);
struct th_mono th_settle_again_wanted(const struct th_engine *e);
void th_settle_again(struct th_engine *e);
/* outcome.c */
struct th_next_step th_outcome_judge(struct th_attempt *a);
/** As the row is in the store since a retry was asked for. */
void th_outcome_asked(struct th_attempt *a);
/** The last word on an attempt that has ended: verdict and health, right before it is stored. */
enum th_disable th_attempt_conclude(struct th_attempt *a);
/** What that word would be now, and the endpoint's health with it; nothing changes. */
enum th_disable th_attempt_would_disable(struct th_attempt *a, struct th_health *after);
/** Stores the outcome. */
void th_settle_submit(struct th_attempt *a);
/** Reads an id of the forms that prove themselves by time and random bits (not of integers). */
bool th_engine_parse_id(struct th_engine *e, struct th_span prefix, enum th_id_form form, struct th_span text,
                        struct th_pubid *out);
/* masks.c: what answers may not show */
#define TH_MASKS_MAX (TH_MAX_SECRETS + TH_PAST_SECRETS + 1)
TH_MUST_USE enum th_error th_mask_secret(struct th_engine *e, const struct th_dialect *d,
                                         struct th_span secret, struct th_mask **out);
TH_MUST_USE enum th_error th_mask_run(struct th_engine *e, struct th_endpoint_run *run);
/** With many_masked: the mask for one answer; *out may be NULL. Free it with th_mask_free. */
TH_MUST_USE enum th_error th_mask_many(struct th_engine *e, const struct th_endpoint_run *run,
                                       struct th_mask **out);
/** All that answers of this endpoint to a request with these settings may not show; returns how many. */
unsigned th_masks_of(const struct th_ep *ep, const struct th_endpoint_run *run, int64_t now_ms,
                     struct th_mask *out[TH_MASKS_MAX]);
/** A secret leaves: its mask stays for as long as the secret would have been good, a day at least. */
void th_mask_keep(struct th_ep *ep, struct th_secret *s, int64_t now_ms);
void th_masks_free(struct th_ep *ep);

/** The key that signs with a secret, in memory of its own; freed with th_key_drop. NULL (error set): TH_NOMEM, TH_INVALID. */
struct th_sign_key *th_key_make(const struct th_dialect *d, struct th_span secret, enum th_error *error);
/** Wipes and frees; NULL is none. */
void th_key_drop(struct th_sign_key *key);
/* secrets.c */
/** The keys that sign at that moment; returns how many. */
unsigned th_secrets_active(const struct th_endpoint *ep, int64_t now_ms,
                           const struct th_sign_key *out[TH_MAX_SECRETS]);
/** Connections are shared within a tenant only. */
static inline uint64_t th_endpoint_pool_key(const struct th_endpoint *ep)
{
    return ep->tenant->no;
}
/** Frees what a secret owns. */
void th_secrets_drop(struct th_secret *s);

/* clock.c */
void th_clock_begin(struct th_engine *e);
void th_clock_turn(struct th_engine *e);
/** When a stored delivery is due on the steady clock. Later than its schedule can have made it, it is due by the schedule's
 * own length: the wall clock has been set back since. */
struct th_mono th_clock_due(const struct th_engine *e, const struct th_queue_row *row);
/* fanout.c */
/** An accept has left some deliveries: home queues them. */
void th_fanout_tell(struct th_engine *e);
struct th_mono th_fanout_wanted(const struct th_engine *e);
void th_fanout_begin(struct th_engine *e);
/* queue.c */
/** Gives the scheduler a delivery of an endpoint of this engine. */
void th_queue_insert(struct th_engine *e, const struct th_queue_row *row, struct th_mono due);
/** Begins the walk, at the start. */
void th_queue_walk(struct th_engine *e);
/** Walks once more, from this number: some rows may not be known. */
void th_queue_walk_again(struct th_engine *e, uint64_t from);
struct th_mono th_queue_walk_wanted(const struct th_engine *e);
void th_queue_walk_begin(struct th_engine *e);
void th_queue_refill(struct th_engine *e);
/* settings.c */
struct th_mono th_graves_wanted(const struct th_engine *e);
void th_graves_begin(struct th_engine *e);
/* cancel.c */
void th_cancel_endpoint(struct th_engine *e, uint64_t endpoint);
struct th_mono th_cancel_wanted(const struct th_engine *e);
void th_cancel_begin(struct th_engine *e);
/* retention.c */
struct th_mono th_retention_wanted(const struct th_engine *e);
void th_retention_begin(struct th_engine *e);
/* probe.c */
struct th_mono th_probe_wanted(const struct th_engine *e);
void th_probe_begin(struct th_engine *e);
struct th_mono th_probe_tell_wanted(const struct th_engine *e);
void th_probe_tell(struct th_engine *e);
/* erase.c */
struct th_mono th_erase_wanted(const struct th_engine *e);
void th_erase_begin(struct th_engine *e);
/* events.c */
void th_event_erase(struct th_engine *e, uint64_t no);
/* dropped.c: what retention has taken before it was delivered */
void th_dropped_init(struct th_engine *e);
void th_dropped_fini(struct th_engine *e);
void th_dropped_note(struct th_engine *e, const struct th_purge *p);
/** When a stop begins: all that has no report yet. */
void th_dropped_tell_all(struct th_engine *e);
/* replay.c */
void th_replays_begin(struct th_engine *e);
void th_replay_load(struct th_engine *e, const struct th_row *row);
void th_replays_free(struct th_engine *e);
struct th_mono th_replays_wanted(const struct th_engine *e);
/* hurry.c */
struct th_mono th_hurries_wanted(const struct th_engine *e);
void th_hurries_begin(struct th_engine *e);
void th_hurry_load(struct th_engine *e, const struct th_row *row, struct th_json root);
void th_hurries_free(struct th_engine *e);
#endif
