/* The whole engine in virtual time: one thread, a clock that jumps from event to event, a transport and a
 * resolver that answer as they are told, the memory store with commits and answers when the test wants them.
 * The same seed gives the same run. Time is in microseconds since the sim was opened unless a name says more.
 *
 * A crash abandons the engine as a killed process would: nothing of it is called any more, and what it held
 * stays reachable in `grave` until the sim is closed, so that a leak checker sees real leaks only. */
#ifndef TH_TEST_SIM_H
#define TH_TEST_SIM_H
#include "base/alloc.h"
#include "base/heap.h"
#include "base/map.h"
#include "engine/engine.h"
#include "model/store_memory.h"
#include "options/dialects.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIM_S INT64_C(1000000)
#define SIM_NEVER INT64_MAX
#define SIM_WALL_START INT64_C(1775116800000) /* 2026-04-02T08:00:00Z */

/* ---- what endpoints answer ---- */

enum sim_answer_kind { SIM_WAIT, SIM_STATUS, SIM_HANG, SIM_REFUSE, SIM_RESET, SIM_TLS, SIM_BAD };
struct sim_answer {
    enum sim_answer_kind kind; /* WAIT: until sim_reply; HANG: until the deadline, then a time-out */
    unsigned status;
    bool has_retry_after;
    uint32_t retry_after_s;
    int64_t took_us;
};
/** "200", "429/120" (Retry-After), "timeout", "connection_refused", "connection_reset", "tls_error",
 * "protocol_error", "wait"; "+3s" behind it: after so long. False: none of these. */
bool sim_answer_parse(struct th_span text, struct sim_answer *out);

struct sim_dns {
    enum th_error error;
    struct th_addr addrs[TH_RESOLVE_MAX];
    unsigned count;
    int64_t took_us; /* SIM_NEVER: the resolver's deadline, then TH_TIMEOUT */
};

struct sim_host {
    char *name;
    struct sim_answer *answers; /* taken one after the other */
    size_t answer_n, answer_next;
    struct sim_answer always; /* when there is none left; WAIT at first */
    struct sim_dns *dns;      /* one per look-up, the last again and again; none: one public address */
    size_t dns_n, dns_next;
    unsigned open, peak;
    uint64_t requests, lookups;
};

struct sim_request {
    struct th_heap_node node; /* by the moment of its end */
    struct th_http_req *req;  /* NULL once answered */
    struct sim_host *host;
    struct sim_answer answer;
    int64_t at_us, ended_us;
    struct th_wall wall;
    uint64_t seq, delivery, event, endpoint;
    unsigned attempt;
    uint8_t lane;
    struct sim_mate { /* deliveries that the same request is for, behind the first */
        uint64_t delivery, event;
        unsigned attempt;
        uint8_t lane;
    } mates[TH_ORDER_BATCH_MAX];
    unsigned mate_n;
    struct th_addr addr;
    char *head, *body, *target; /* NULL when the sim does not keep them */
    bool claimed;               /* seen by an expectation */
    bool lost;                  /* its engine crashed */
};

/* ---- the world ---- */

struct sim;
struct sim_outside {
    struct th_store *store;
    bool (*run_to)(struct sim *s, int64_t until_us, bool (*stop)(struct sim *, void *), void *arg);
    void (*crashed)(struct sim *s);
};

struct sim_options {
    uint64_t seed; /* 0: 1 */
    bool development;
    bool jitter;
    uint32_t max_items, max_items_per_endpoint, max_in_flight;
    size_t max_pinned_bytes;
    int64_t retention_ms;
    uint32_t fanout_step;         /* deliveries that an accept and each step after it queue; 0: the usual */
    bool forget_texts;            /* keep no head and body of requests */
    bool forget_requests;         /* keep no answered request at all */
    bool slow_reads;              /* lists, loads and walks answer up to 20 ms late, in any order */
    int64_t commit_us;            /* 0: at once; else a commit takes up to so long, and takes a part only */
    const struct th_guard *guard; /* NULL: public addresses only */
    unsigned shards;              /* engines; 0: as TH_SIM_SHARDS says, else one */
    /* It is a node of a cluster (cluster.h), which has the store and moves the clock; it starts when it is told to. NULL: it is alone */
    const struct sim_outside *outside;
};

#define SIM_SHARDS 8

struct sim {
    struct sim_options options;
    uint64_t rng;
    int64_t now_us, wall_step_ms;
    struct th_dialect_set dialects;
    struct th_store *memory;
    struct sim_store *store;
    struct th_transport transport;
    struct th_resolver resolver;
    struct th_guard no_exceptions;
    struct th_metrics metrics;
    struct th_engine *engine; /* home, the only one unless there are shards; NULL: crashed */
    struct th_engine *engines[SIM_SHARDS];
    struct th_places *places;                       /* with several */
    struct th_list letters[SIM_SHARDS][SIM_SHARDS]; /* from, to */
    uint64_t order;                                 /* of what chooses whose turn it is */
    bool turn_wanted, fatal;
    char why[256]; /* of the last start that failed */
    enum th_error fatal_error;
    struct th_smap hosts;
    struct th_heap ends, lookups;
    struct sim_request **log;
    size_t log_n, log_cap;
    uint64_t requests;
    struct sim_host *sole; /* stop running when it gets a request */
    bool hit;
    void (*on_request)(struct sim *, struct sim_request *);        /* may set answer */
    void (*on_answered)(struct sim *, const struct sim_request *); /* before the engine hears of it */
    void *user;
    void **grave;
    size_t grave_n, grave_cap;
    uint64_t events, idle_turns;
    size_t secrets; /* in memory before it was opened */
    struct sim_secret {
        uint64_t endpoint;
        char text[128];
    } * known; /* the secrets that endpoints were given, in the order in which they were made */
    size_t known_n;
};

struct sim *sim_open(const struct sim_options *options);
void sim_close(struct sim *s);
/** The engine that gets the next request: any of them. */
struct th_engine *sim_any(struct sim *s);
uint64_t sim_rand(struct sim *s);
uint32_t sim_below(struct sim *s, uint32_t n);

/** Lets everything happen that happens up to this moment; the clock then stands there. */
void sim_run_until(struct sim *s, int64_t until_us);
void sim_run_for(struct sim *s, int64_t us);
/** Does one thing that is due now. False: nothing is; *next_us is when to look again. */
bool sim_step(struct sim *s, int64_t *next_us);
/** As sim_run_until, but ends when `stop` holds. True: it did. */
bool sim_run_to(struct sim *s, int64_t until_us, bool (*stop)(struct sim *, void *), void *arg);
/** Turns without moving the clock, until nothing happens any more at this moment. */
void sim_settle(struct sim *s);
/** A killed process: what is committed stays. sim_start makes the next engine on the same store. */
void sim_crash(struct sim *s);
void sim_start(struct sim *s);
/** Starts, or tells why it cannot. */
enum th_error sim_try_start(struct sim *s);
/** Ends in order (drain, cancel, free). */
void sim_stop(struct sim *s);
void sim_bury(struct sim *s, void *p);

/* ---- store shim (sim_store.c) ---- */
struct sim_store *sim_store_new(struct sim *s);
void sim_store_free(struct sim_store *st);
struct th_store *sim_store_port(struct sim_store *st);
int64_t sim_store_next_us(const struct sim_store *st);
void sim_store_advance(struct sim_store *st);
/** Commits nothing until it is let go. */
void sim_store_stall(struct sim_store *st, bool on);
/** Does the next operation of a stalled store. */
void sim_store_step(struct sim_store *st);
void sim_store_crash(struct sim_store *st);

/* ---- network (sim_net.c) ---- */
void sim_net_init(struct sim *s);
void sim_net_fini(struct sim *s);
int64_t sim_net_next_us(const struct sim *s);
void sim_net_advance(struct sim *s);
void sim_net_crash(struct sim *s);
struct sim_host *sim_host(struct sim *s, const char *name);
void sim_answers(struct sim *s, const char *host, const char *list); /* "500 timeout 200" */
void sim_always(struct sim *s, const char *host, const char *answer);
/** Answers a waiting request now. */
void sim_reply(struct sim *s, struct sim_request *r, struct sim_answer answer);
/** "93.184.216.34,::1", "8.8.8.8+5s" (after so long), "nxdomain", "servfail", "timeout"; appended to the host's script. */
void sim_dns(struct sim *s, const char *host, const char *answer);
void sim_dns_add(struct sim *s, const char *host, const struct sim_dns *answer);
/** Value of a field line in a request's head; static memory, NULL when absent. */
const char *sim_header(const struct sim_request *r, const char *name);

/* ---- what a user of the API does (sim_api.c); each runs until it is done ---- */
void sim_tenant(struct sim *s, const char *id, const char *dialect);
struct sim_spec {                      /* 0: not given */
    const char *tenant, *url, *events; /* events: comma-separated */
    bool inactive;
    bool reenable_on_test;
    const char *retry; /* JSON of its own schedule; "null": the dialect's; NULL: as it is */
    uint32_t timeout_s, max_in_flight;
    double rate_per_s;
    const char *secret, *variant;
    struct th_ordering ordering;
    unsigned headers;
    struct th_header header[4];
};
uint64_t sim_endpoint(struct sim *s, const struct sim_spec *spec);
enum th_change_result sim_try_endpoint(struct sim *s, const struct sim_spec *spec, uint64_t *no, char *why,
                                       size_t why_size);
struct th_endpoint *sim_ep(struct sim *s, uint64_t no);
enum th_change_result sim_set_active(struct sim *s, uint64_t endpoint, bool active);
enum th_change_result sim_edit(struct sim *s, uint64_t endpoint, const struct sim_spec *spec);
enum th_change_result sim_delete(struct sim *s, uint64_t endpoint);
enum th_change_result sim_delete_tenant(struct sim *s, const char *id);
/** overlap_s: -2 the dialect's, -1 for ever. */
enum th_change_result sim_rotate(struct sim *s, uint64_t endpoint, int64_t overlap_s);
enum th_change_result sim_revoke(struct sim *s, uint64_t endpoint);
/** The text of the nth secret that the endpoint has had, from 1 on; NULL: it has not had so many. */
const char *sim_secret(const struct sim *s, uint64_t endpoint, unsigned nth);

struct sim_event {
    const char *tenant, *type, *data, *external_id, *key, *resource_id; /* key: Idempotency-Key */
    uint64_t only;                                                      /* test of this endpoint */
    int64_t deliver_in_ms, expires_in_ms;                               /* from now; 0: not given */
    /* result */
    enum th_publish_result result;
    uint64_t no, first_delivery;
    uint32_t deliveries;
    struct th_event_row row; /* spans of the caller */
    char detail[200];
};
enum th_publish_result sim_publish(struct sim *s, struct sim_event *e);
/** Begins a publish and returns at once; *e is filled and `finished` called when it is done. */
struct sim_publishing;
struct sim_publishing *sim_publish_begin(struct sim *s, const struct sim_event *e,
                                         void (*finished)(struct sim *, struct sim_publishing *));
const struct sim_event *sim_publishing_event(const struct sim_publishing *p);
void *sim_publishing_user(const struct sim_publishing *p);
void sim_publishing_set_user(struct sim_publishing *p, void *user);

enum th_error sim_retry(struct sim *s, uint64_t delivery);
/** Cancels the deliveries first .. first + count - 1; *cancelled: how many had not ended. */
enum th_error sim_cancel(struct sim *s, uint64_t first, uint32_t count, uint32_t *cancelled);
struct sim_delivery {
    bool found;
    uint64_t no, endpoint;
    enum th_delivery_state state;
    unsigned attempts, tries;
    const char *status, *reason;
};
/** What the API shows of a delivery: by number, or by event and endpoint. */
struct sim_delivery sim_delivery(struct sim *s, uint64_t tenant, uint64_t delivery, uint64_t event,
                                 uint64_t endpoint);
uint64_t sim_tenant_no(struct sim *s, const char *id);
#endif
