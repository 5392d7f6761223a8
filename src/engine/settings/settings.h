/* Settings in the memory of one engine: tenants, keys, endpoints with what is rendered from them. On the
 * engine's thread. */
#ifndef TH_ENGINE_SETTINGS_H
#define TH_ENGINE_SETTINGS_H
#include "base/arena.h"
#include "base/heap.h"
#include "base/ref.h"
#include "core/trouble.h"
#include "engine/engine.h"

#define TH_PAST_SECRETS 2 /* ended secrets of an endpoint for which its answers are still searched */

/* The subscriptions of an endpoint with much text. The texts are in the store: a type is recognised by its
 * length and 54 bits of its hash, under a secret seed. One type is mistaken for another only if these bits
 * are guessed. */
struct th_wanted {
    uint64_t seed;
    uint64_t word[]; /* hash | form << 8 | length, of the type, of a prefix or of a suffix */
};

/* The engine's part of an endpoint. Replaced as a whole when the endpoint changes; requests under way keep the old one.
 * Not written any more once th_texts_part has seen it, so that several threads may hold it. */
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
    struct th_span custom; /* finished custom header lines; the headers of the spec point into it */
    struct th_span lines;  /* the same with the line of its authentication behind them */
    const struct th_client_tls *identity; /* TLS of its own; NULL: none */
    const struct th_run_url *token_url;   /* where its tokens of OAuth come from; NULL: it has none */
    const struct th_wanted *want;         /* subscriptions of an endpoint with much text; else NULL */
    unsigned variant;
    struct th_mask *
        mask; /* of the custom headers' values, its authentication and a secret URL; NULL: none, or many_masked */
    bool many_masked;                 /* so many values that the mask is made only when there is an answer */
    struct th_span id;                /* public id text */
    const struct th_jsonpath *filter; /* NULL: none */
    const struct th_payload *payload; /* template of the body; NULL: none */
    const struct th_jsonpath *order;  /* of its ordering key; NULL: none */
    uint64_t rev;
    bool all; /* subscribed to everything */
};

/* A token of OAuth that an endpoint's requests carry. Counted: by the endpoint, and by each request that uses it. */
struct th_token {
    unsigned refs;
    struct th_arena mem; /* has the text */
    struct th_span text;
    struct th_mask *mask;        /* for answers that repeat it */
    struct th_endpoint_run *run; /* the settings under which it was asked for; it serves these alone */
    struct th_mono made, renew_at, until;
};

/* A full endpoint object: public part first, so that pointers convert. */
struct th_ep {
    struct th_endpoint pub;
    unsigned refs;   /* one for the map, one per request under way */
    struct th_past { /* masks of secrets that were ended early: the receiver still knows them */
        struct th_mask *mask;
        int64_t until;
    } past[TH_PAST_SECRETS];
    bool gone;                       /* deleted; lives on for its requests */
    bool listed, choosy;             /* among the tenant's endpoints; counted among its choosy ones */
    struct th_filter_bucket *bucket; /* of the tenant's index of filters; NULL: it is in none */
    uint64_t *filed; /* what it is filed under in the tenant's index of subscriptions; NULL: it is in none */
    unsigned filed_count;
    struct th_mono rests_since; /* when it last asked for a rest that ends later than the one before */
    struct th_mono asked_at;    /* when it last asked for any */
    int64_t asked_until_ms; /* wall: the latest end of those that it asked for since the clock was set back */
    struct th_health told;  /* the health that home, if that is another engine, was told */
    bool health_dirty;
    struct th_list dirty;         /* on engine.dirty while health_dirty */
    struct th_token *token;       /* in use; NULL: none yet */
    struct th_token_fetch *fetch; /* the request for the next one; NULL: none is under way */
    int64_t certificate_end;      /* wall ms, as certificate.c has seen it; what has been told of it: */
    unsigned certificate_told;
    struct th_last_attempt last;
    struct th_trouble trouble;  /* its owner's */
    struct th_heap_node ask_at; /* on engine.to_ask */
    struct th_ask *ask;         /* the ask that is under way; NULL: none */
    unsigned asked;             /* number of asks since its last change */
    unsigned counted;           /* enum th_gauge of the state in which it is counted, plus 1; 0: in none */
};

/** What holds for its schedule and its outcomes: the dialect's rules with what it sets itself. *room is used where they differ. */
static inline const struct th_rules *th_ep_rules(const struct th_endpoint *ep, struct th_rules *room)
{
    return th_retry_rules(&th_dialect_values(ep->tenant->dialect)->rules, ep->spec.retry, room);
}

/** Total time of an attempt, from the look-up of the name to the last byte of the answer, in milliseconds. */
static inline uint32_t th_ep_timeout_ms(const struct th_tenant *t, const struct th_endpoint_run *run)
{
    return run->spec.timeout_ms ? run->spec.timeout_ms
                                : th_dialect_values(t->dialect)->rules.timeout_s * 1000;
}

/** One count more. */
static inline struct th_endpoint_run *th_run_ref(struct th_endpoint_run *run)
{
    th_ref_get(&run->refs);
    return run;
}

struct th_ep *th_ep_new(struct th_engine *e, struct th_tenant *t, uint64_t no);
void th_ep_unref(struct th_engine *e, struct th_ep *ep);
void th_run_unref(struct th_endpoint_run *run);
/** One holder less; NULL is none. */
void th_token_unref(struct th_token *token);
TH_MUST_USE enum th_error th_run_new(struct th_engine *e, const struct th_endpoint *ep,
                                     const struct th_endpoint_spec *spec, struct th_endpoint_run **out);
enum th_error th_settings_add_tenant(struct th_engine *e, struct th_tenant *t);
void th_settings_remove_tenant(struct th_engine *e, struct th_tenant *t);
enum th_error th_settings_add_endpoint(struct th_engine *e, struct th_ep *ep);
/** The endpoint has been deleted, but is still in memory: from now on nothing is sent to it, learnt about it
 * or stored for it. */
void th_settings_endpoint_gone(struct th_ep *ep);
void th_settings_remove_endpoint(struct th_engine *e, struct th_ep *ep);
/** Gives the endpoint the fields of `as` (which may be itself) and another run, whose reference is taken
 * over. */
void th_settings_take(struct th_engine *e, struct th_ep *ep, struct th_endpoint_run *run,
                      const struct th_endpoint *as);
/** Finds a key by its number; NULL: there is none. */
struct th_key *th_settings_key(struct th_engine *e, uint64_t no);
enum th_error th_settings_add_key(struct th_engine *e, struct th_key *k);
void th_settings_remove_key(struct th_engine *e, struct th_key *k);
/** Tells the scheduler the endpoint's present settings. reset: what it has learnt about the endpoint is not
 * valid any more. */
enum th_error th_settings_sched(struct th_engine *e, struct th_ep *ep, bool reset);
/** To be called after the limits of a tenant have changed. */
void th_settings_hosts(struct th_engine *e, struct th_tenant *t);
void th_settings_free(struct th_engine *e);
enum th_error th_tenant_new(struct th_engine *e, uint64_t no, struct th_span id, struct th_span name,
                            struct th_span dialect, struct th_span attributes, struct th_tenant **out);
enum th_error th_tenant_replace(struct th_engine *e, struct th_tenant *t, struct th_tenant *fresh);
void th_tenant_drop(struct th_tenant *t); /* one that was never added */
/** The key that signs with a secret, in memory of its own; freed with th_key_drop. NULL (error set): TH_NOMEM, TH_INVALID. */
struct th_sign_key *th_key_make(const struct th_dialect *d, struct th_span secret, enum th_error *error);
/** Wipes and frees; NULL is none. */
void th_key_drop(struct th_sign_key *key);
struct th_mono th_graves_wanted(const struct th_engine *e);
void th_graves_begin(struct th_engine *e);
#endif
