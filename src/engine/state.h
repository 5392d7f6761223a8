/* The memory of an engine. Every part of the engine has its members here, and reads those of others where it
 * says so; only the files of engine/ see this struct. */
#ifndef TH_ENGINE_STATE_H
#define TH_ENGINE_STATE_H
#include "base/heap.h"
#include "base/map.h"
#include "core/trouble.h"
#include "engine/engine.h"
#include "engine/job.h"
#include "engine/shard/fence.h"

#define TH_SHARDS_MAX 64
#define TH_MAX_DROPPED 1000 /* most endpoints that a step of retention names */

struct change_impl;
struct th_change_kind_row;
struct th_disable_home;
struct th_filter_event;
struct th_load_batch;
struct th_offer;

struct th_rescan { /* another engine is asked to walk the queue from `from` on; 0: it is not asked */
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
    int64_t spent_us;        /* time spent on other work of the thread since the last turn */
    uint8_t id_key[16];
    uint64_t plain[TH_NUMBERS]; /* the highest numbers that integer ids show as they are */
    uint8_t random[4096];
    size_t random_left;
    uint64_t hash_seed;
    uint64_t place_seed; /* for numbers of hosts and addresses: all engines make the same numbers */

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
    bool health_flipped;    /* an endpoint works again; that is written at once */
    struct th_list changes; /* waiting */
    const struct th_change_kind_row *change_kinds;
    const struct th_disable_home *disable_home;
    bool changes_held;         /* none begins: a reload waits for the one under way */
    struct rewrap_job *rewrap; /* NULL: none */
    struct th_heap to_ask;     /* endpoints without consent, by the time of the next ask */
    struct th_list asks;       /* under way */
    bool asks_void;            /* some of them are for endpoints that are gone */
    unsigned asks_out;
    struct th_list lookups; /* look-ups of names of new URLs; their changes queue up afterwards */

    /* ingest */
    size_t accept_bytes;
    struct th_filter_event *filtering;          /* the event that is matched now */
    struct th_list free_ingests, stale_ingests; /* stale: wait for settings that home has committed */
    bool settings_moved;                        /* such settings have come */
    struct th_list notices;                     /* to be published */
    unsigned ingests_out;

    /* dispatch */
    struct th_sched *sched;
    struct th_blackout blackout; /* trouble.c */
    struct th_map events;        /* cache by number */
    struct th_buf written;       /* scratch: an event's data as its dialect writes it */
    struct th_list lru;
    size_t cache_bytes;
    struct th_list free_attempts, running;
    /* client certificates that end: certificate.c */
    struct th_mono certificates_at; /* of the next look */
    unsigned certificates_tenant;   /* the look under way goes on with this one; 0: none is */
    unsigned certificates_near;
    bool certificates_changed; /* an endpoint with one has changed */
    struct th_list fetches;    /* requests for tokens that are under way */
    unsigned fetches_out;
    struct th_load_batch *batch; /* being filled in this turn */
    unsigned free_attempt_count, settles_out, attempts_out, loads_out;
    struct th_list settle_retry; /* settles that found the store full */
    struct th_mono warn_at, denied_at;
    struct th_mono reports_until; /* end of the second for which `reports` counts */
    unsigned reports, reports_left_out;
    uint64_t purged_upto;
    size_t pinned_bytes; /* bytes of events and bodies that attempts hold */

    /* fan-out: fanout.c */
    struct th_fanout fanout;
    struct th_queue_row *fanout_rows;
    bool fanout_left; /* the store may have events with deliveries that are not queued */
    uint64_t fanout_after;

    int64_t clock_offset_ms;    /* wall less steady time, when last looked at */
    int64_t clock_top_ms;       /* the largest of these since clock_whole */
    struct th_mono clock_whole; /* the time since which the wall clock has not been set back */

    /* recovery and jobs */
    struct th_walk walk;
    struct th_queue_row *walk_rows;
    bool walking;
    bool rules_wanted;   /* the rules of disabling are to be evaluated */
    bool walk_void;      /* a delivery that the walk under way may have read has ended */
    uint64_t walk_below; /* first delivery accepted since the start; 0: none */
    unsigned ops_out;    /* all other store operations that are under way */
    struct th_purge purge;
    struct th_trim trim; /* trim.c */
    uint64_t trim_from, trim_rules;
    struct th_dropped purge_dropped[TH_MAX_DROPPED];
    struct th_map dropped; /* by endpoint: dropped.c */
    int64_t dropped_day;   /* day of the last reports */
    struct th_probe probe;
    struct cancel_job *cancelling;
    uint64_t *cancels; /* deleted endpoints whose rows are still to be cancelled */
    uint32_t cancel_count, cancel_cap;
    struct th_map cancels_known; /* the same numbers */

    struct th_list replays;          /* newest first: struct replay_job */
    struct th_list replays_starting; /* not recorded yet */
    struct th_backlog_pass *backlog; /* backlog.c; NULL: none was made yet */
    struct th_sunset {               /* sunset.c */
        bool any;                    /* a catalogue has a version with a sunset */
        bool changed;                /* such a type has been changed since the last pass */
        bool running;
        enum { TH_SUNSET_QUIET, TH_SUNSET_DAILY, TH_SUNSET_CHANGED } telling;
        int64_t next_ms; /* wall: when the next pass begins; 0: now, at the start or after a change */
        unsigned tenant; /* place of the one that the pass is at, in `tenants` */
        unsigned at;     /* endpoints of it that have been looked at */
        uint32_t near, past, told;
    } sunset;
    unsigned replay_count;
    unsigned replay_places; /* number of jobs that have a place */
    bool replays_wait;      /* a job wants a place */
    struct th_mono replay_look_at;
    struct th_list hurries; /* struct hurry_job */
    struct th_list audits;  /* oldest first: struct audit_row */
    struct th_list audits_leaving;
    unsigned audits_of_operators, audits_of_tenants;
    unsigned audits_new; /* so many may still have to be stored */
    bool audits_lost;    /* the engine stops, and the store does not take them */
    uint64_t last_audit;
    bool erase_left; /* the store may have content that is to be erased */
    uint64_t last_job;

    struct th_fence fence; /* fence.c */

    /* several nodes: follow.c */
    bool shared;                   /* others work on the store at the same time */
    uint64_t slots[TH_SLOT_WORDS]; /* those whose endpoints are this node's */
    uint32_t slot_busy[TH_SLOTS];  /* attempts of each, until their outcome is stored */
    struct th_follow follow;
    uint64_t followed, told;    /* th_follow.upto and .told of the last one */
    struct th_mono followed_at; /* when something came */
    bool has_followed;          /* once at least */
    bool left;                  /* the store knows that this node stops */
    struct th_list telling;     /* what waits for others: told.c */
    bool follow_fresh;          /* the one under way began when something waited for it: */
    bool change_stale;          /* a change of settings, because another node has made one */
    bool entering;              /* endpoints of another node enter the scheduler */
    struct th_map ended;        /* deliveries that have ended while the queue is being read */
    bool follow_void;           /* there was no memory to note one */

    /* several engines */
    struct th_list inbox, outbox[TH_SHARDS_MAX];
    struct th_offer *offers[TH_SHARDS_MAX]; /* being filled in this turn */
    struct th_rescan rescans[TH_SHARDS_MAX];
    struct th_mail fanout_mail;  /* tells home that something is left to queue */
    struct th_mail no_room_mail; /* tells home that the store had no room */
    unsigned fanout_told, no_room_told;
    bool no_room_untold;
    struct th_mono measured; /* when this engine's part of the metrics was last measured */
    bool mail_waits, offers_wait;
    bool joined;                   /* home: the others have copies of the settings */
    unsigned letters_out;          /* questions to others that have no answer yet */
    unsigned notes_out;            /* home: notes of settings that have not been confirmed */
    struct change_impl *finishing; /* home: the change that waits for these confirmations */

    struct th_job_state jobs[TH_JOBS];
    struct th_list deferred;
    bool started, draining, store_ok, dead;
    bool store_away;  /* not store_ok, since the database cannot be reached */
    bool no_requests; /* the stop no longer waits: no request begins any more */
    bool more;        /* something is left for another turn at once */
    bool stirred;     /* something has called the engine since the last turn */
};
#endif
