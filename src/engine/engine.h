/* The engine: settings in memory, ingest, dispatch, settle, recovery, and the order of their effects. It
 * knows only ports and core, and runs on one thread; every asynchronous call ends in exactly one callback
 * from a later th_engine_turn, never from inside the call. */
#ifndef TH_ENGINE_ENGINE_H
#define TH_ENGINE_ENGINE_H
#include "base/json.h"
#include "base/list.h"
#include "base/ref.h"
#include "core/dialect.h"
#include "core/guard.h"
#include "core/jsonpath/jsonpath.h"
#include "core/jsonpath/payload.h"
#include "core/limits.h"
#include "core/pubid.h"
#include "core/reach.h"
#include "core/retry.h"
#include "core/retry_own.h"
#include "core/roles.h"
#include "core/sched.h"
#include "core/schema/schema.h"
#include "port/clock.h"
#include "port/mail.h"
#include "port/store.h"
#include "port/trace.h"
#include "port/transport.h"

struct th_engine;

/** A secret key in the form in which it was given. */
struct th_base_key {
    uint8_t bytes[32]; /* hash of the text */
    bool phrase;       /* the text may be made up by people: it is stretched, with the salt of the store */
};

/** The keys that open; v[0] also encrypts. Which keys a text gives depends on the form that the store keeps. */
#define TH_KEYS_MAX 4
struct th_keyring {
    uint8_t v[TH_KEYS_MAX][32];
    unsigned count;
};

#define TH_OPERATOR_KEY_MIN 16 /* characters of a new operator's key in production */

/** What publishing does with data that does not fit the schema of its type. */
enum th_validate {
    TH_VALIDATE_DEFAULT, /* what the installation says */
    TH_VALIDATE_OFF,
    TH_VALIDATE_WARN,   /* it is accepted, and marked */
    TH_VALIDATE_REFUSE, /* it is not accepted */
    TH_VALIDATE_KINDS
};
/** "default", "off", "warn", "refuse". */
const char *th_validate_name(enum th_validate v);
bool th_validate_read(struct th_span s, enum th_validate *out);

/** An address of this machine that endpoints may be reached from, by its name. */
struct th_source {
    struct th_span name;
    struct th_addr addr;
};

struct th_engine_options {
    struct th_store *store;
    struct th_transport *transport;
    struct th_resolver *resolver;
    struct th_clock clock;
    struct th_entropy entropy;
    struct th_metrics *metrics;
    const struct th_guard *guard;
    const struct th_source *sources; /* outlive the engine */
    unsigned source_count;
    bool production;                    /* https if the dialect says so; false (development): http allowed */
    bool no_jitter;                     /* virtual time */
    struct th_dialect *const *dialects; /* outlive the engine */
    unsigned dialect_count;
    struct th_span default_dialect; /* of tenants made without one and of the tenant "default" */
    struct th_base_key secret_key;  /* encrypts secrets at rest */
    /* with has_old_key: opens what an earlier key encrypted, until all is encrypted anew */
    struct th_base_key old_secret_key;
    bool has_old_key;
    /* 32 bytes; n == 0: keep the stored one or make one (see th_engine_start) */
    struct th_span operator_key_hash;
    bool operator_key_short;       /* that key has fewer than TH_OPERATOR_KEY_MIN characters (short_key.c) */
    int64_t retention_ms;          /* 0: keep for ever */
    bool notes_backlog;            /* statistics: it is noted each minute how many deliveries wait */
    struct th_limits limits;       /* for each tenant that has no limits of its own; 0: none */
    struct th_span consent_origin; /* who asks receivers for consent (consent.c); n == 0: nobody is asked */
    bool consent_all;              /* for all dialects; else for those that require it */
    enum th_validate validate;     /* of types that say nothing; DEFAULT: WARN */
    unsigned warn_percent;         /* share of a limit from which it is reported as near; 0: never */
    uint32_t max_in_flight, max_items, max_items_per_endpoint; /* 0: defaults of the scheduler */
    /* of events and bodies of requests in flight: beyond, large ones wait; 0: 256 MiB */
    size_t max_pinned_bytes;
    unsigned shards, shard; /* engines of the process, and which of them this is; 0 of 0 or 1: the only one */
    /* with several engines: what they have under way together at hosts and addresses */
    struct th_places *places;
    struct th_tracer tracer;
    bool pass_trace;     /* requests say to which trace they belong, to endpoints that say nothing of it */
    struct th_post post; /* between them; with one engine it is not asked */
    struct th_wake wake; /* from any thread: call th_engine_turn soon */
    void (*fatal)(void *ctx, enum th_error error, const char *what); /* the process must stop; ctx of wake */
};

/* ---- settings as the engine holds them; pointers are valid until the next turn ---- */

enum {
    TH_SCOPE_PUBLISH = 1,
    TH_SCOPE_READ = 2,
    TH_SCOPE_MANAGE = 4,
    TH_SCOPE_ANY = 8, /* of a route: any key of a tenant */
    TH_SCOPE_ANSWERS = 16,
    TH_SCOPE_SECRETS = 32 /* of the portal's tokens: keys that may manage have it */
};

#define TH_MAX_OPERATOR_KEYS 100 /* beside the root */
/** The scopes that an operator's key with this role has for tenants' objects. */
unsigned th_role_scopes(enum th_role role);

/* ---- the catalogue of event types ---- */

#define TH_MAX_EVENT_TYPES 1000 /* of one catalogue */
#define TH_MAX_TYPE_VERSIONS 16 /* of a type */
#define TH_VERSION_DATES                                                                                     \
    1000000 /* from here on a version is a date, YYYYMMDD; below, the number that it is */
#define TH_CATALOGUE_OF_ALL "operator" /* the tenant whose catalogue is the installation's */

/** A version of a type's data. */
struct th_type_version {
    uint32_t version;
    int64_t sunset; /* wall ms: from then on nobody should want it any more; 0: not said */
    /* makes its data of an event with the data of the version before it in the list; NULL: of the newest */
    const struct th_payload *step;
    struct th_span text; /* of the step, JSON */
};

/** A type of events. Never changed once it is made; counted. */
struct th_event_type {
    struct th_ref refs;
    struct th_arena mem; /* has it */
    struct th_span name, description, group;
    struct th_span schema_text, example; /* JSON; n == 0: there is none */
    struct th_schema *schema;            /* of the newest version's data; NULL: none */
    enum th_validate validate;
    bool archived, deprecated;
    struct th_type_version versions[TH_MAX_TYPE_VERSIONS]; /* the newest first */
    unsigned version_count;
    int64_t created, updated; /* wall ms */
    uint64_t rev;
};
/** The same as a change gives it; spans of the caller. */
struct th_type_spec {
    struct th_span name, description, group;
    struct th_span schema, example; /* JSON; n == 0: none */
    struct th_span versions;        /* JSON: [{version, sunset, template}]; n == 0: none */
    enum th_validate validate;
    bool archived, deprecated;
    int64_t created, updated;
    uint64_t rev;
};
struct th_catalogue {             /* the engine's */
    struct th_event_type **types; /* by name */
    unsigned count, cap;
};

/** Reads "2026-03-01" or "7"; false: it is neither. */
bool th_version_read(struct th_span s, uint32_t *out);
void th_version_write(uint32_t version, struct th_buf *out);
/** The versions of a type as JSON. */
void th_event_type_versions(const struct th_event_type *type, struct th_jw *w);

struct th_tenant {
    uint64_t no, version, rev;           /* version: settings; rev: of this object (ETag) */
    struct th_span id, name, attributes; /* attributes: JSON object */
    const struct th_dialect *dialect;
    struct th_wall created, updated;
    bool deleting;
    struct th_limits limits; /* its own; TH_LIMIT_OPEN: the installation's holds */
    int64_t
        retention_s; /* how long its events are kept, where that is shorter than the installation keeps them; 0: as long */
    unsigned near; /* bits 1 << enum th_limit: this limit has been reported as near */
    unsigned key_count;
    unsigned asks;                  /* asks for consent that are under way */
    unsigned replays;               /* replays that collect or run */
    struct th_endpoint **endpoints; /* by number, ascending */
    unsigned endpoint_count, endpoint_cap;
    struct th_catalogue catalogue;  /* types of its own */
    struct th_filters *filters;     /* the engine's: index of their filters; NULL: none has one */
    unsigned choosy;                /* number of endpoints with a filter, channels or an order */
    struct th_tenant *next_leaving; /* the engine's list of deleted tenants that still have endpoints */
    bool cancelled;                 /* while deleting: no request to its endpoints is under way */
};

struct th_header {
    struct th_span name, value;
};

#define TH_MAX_HEADERS 32
#define TH_MAX_SUBSCRIPTIONS 256
#define TH_MAX_SECRETS 4
#define TH_MAX_CHANNELS 10     /* of an event, and of an endpoint */
#define TH_ORDER_KEY_BYTES 512 /* the longest text of an ordering key */
#define TH_ORDER_WAIT_MAX_S 2592000
#define TH_ORDER_BATCH_MAX 100            /* deliveries of one request */
#define TH_ORDER_BATCH_BYTES (256u << 10) /* of its body, unless the first alone has more */

/** In which order an endpoint gets what is accepted. Deliveries of one key are a line: one after the other, by number. */
struct th_ordering {
    enum th_order_by { TH_ORDER_NONE, TH_ORDER_ALL, TH_ORDER_KEY } by;
    struct th_span key; /* KEY: a JSONPath that finds one node at most, in the event */
    /* for how long a delivery that has failed holds up those behind it, seconds; 0: until it has ended */
    uint32_t max_wait_s;
    /** So many deliveries of a line go in one request at most, as a list; 0, 1: each goes alone. */
    uint32_t batch;
};

/** The settings of an endpoint that a user makes. In a request: spans of the caller, valid during the call. */
struct th_endpoint_spec {
    /* 0: everything is here. Otherwise events and headers (except their numbers), description, metadata,
     * filter and template are only in the store, under this revision; th_engine_spec reads everything. */
    uint64_t text_rev;
    struct th_span url;
    enum th_url_secret { TH_URL_BY_NAME, TH_URL_OPEN, TH_URL_SECRET } url_secret;
    const struct th_span *events;
    unsigned event_count;
    bool active;
    bool has_description;
    struct th_span description;
    struct th_span metadata; /* JSON object of strings, raw; n == 0: {} */
    const struct th_header *headers;
    unsigned header_count;
    uint32_t timeout_ms; /* 0: the dialect's default */
    /* the newest version of data that it takes (th_version_read); 0: whatever is published */
    uint32_t data_version;
    /* method of its requests; DIALECT: the dialect's */
    enum th_method { TH_METHOD_DIALECT, TH_METHOD_POST, TH_METHOD_PUT, TH_METHOD_PATCH } method;
    bool form; /* its bodies are forms (core/jsonpath/form.h) instead of JSON */
    /* whether its requests say to which trace they belong; DEFAULT: as pass_trace of the engine's options */
    enum th_pass_trace { TH_PASS_TRACE_DEFAULT, TH_PASS_TRACE_ON, TH_PASS_TRACE_OFF } pass_trace;
    uint32_t max_in_flight; /* 0: 16 */
    double rate_per_s;      /* 0: none */
    struct th_span variant; /* n == 0: the dialect's default */
    uint32_t options;       /* th_dialect_option bits */
    bool has_template;      /* the same of the template */
    bool has_filter;        /* in memory: there is a filter, wherever its text is */
    struct th_span filter;  /* a JSONPath, which has to find something in [event]; n == 0: none */
    /* template of the body: JSON (core/jsonpath/payload.h); n == 0: the dialect writes it */
    struct th_span payload;
    const struct th_retry_own *retry; /* its own schedule; NULL: the dialect's */
    /* the engine's, wall ms: deliveries that wait under an earlier schedule of it are due by then; 0: there was none */
    int64_t retry_until;
    bool reenable_on_test; /* disabled by failures, it is enabled by a test that succeeds */
    /* names, one per line: of an event one has to be among them; n == 0: it wants all events */
    struct th_span channels;
    struct th_ordering ordering;
    const struct th_reach *reach; /* NULL: nothing is set of how it is reached */
};

struct th_secret {
    uint64_t no;
    struct th_wall created;
    int64_t until; /* wall ms; 0: for ever */
    struct th_span encrypted;
    struct th_sign_key *key; /* its own */
    struct th_mask *mask;    /* for its text in all forms, because answers may repeat it */
};

/** Whether the server of an endpoint's URL has agreed to get events. */
struct th_consent {
    enum th_consent_state { TH_CONSENT_PENDING, TH_CONSENT_ALLOWED, TH_CONSENT_REFUSED } state;
    struct th_wall at; /* time of the answer, or of the end of the last try; 0: none */
    uint64_t origin;   /* ALLOWED: hash of the name that asked */
    uint32_t rate;     /* ALLOWED: requests a minute; 0: no bound */
    char reason[96];   /* PENDING, REFUSED: in words */
};

struct th_endpoint {
    uint64_t no, rev;
    struct th_tenant *tenant;
    struct th_endpoint_spec spec;
    struct th_wall created, updated, disabled_at; /* disabled_at.ms == 0: not disabled */
    struct th_span disabled_reason;
    uint32_t rnd;
    struct th_secret secrets[TH_MAX_SECRETS]; /* newest first */
    unsigned secret_count;
    struct th_health health;
    struct th_consent consent;
    bool no_consent;             /* it needs consent and has none: nothing is sent to it */
    struct th_endpoint_run *run; /* the engine's: parsed URL, header block, scheduler state */
};

struct th_key {
    uint64_t no;
    uint8_t hash[32];
    struct th_tenant *tenant; /* NULL: an operator's */
    enum th_role role;        /* of an operator's key */
    unsigned scopes;
    struct th_wall created;
    int64_t expires;     /* wall ms; 0: never */
    struct th_span note; /* a tenant's: the description; an operator's: the name */
};

/* ---- life of the engine ---- */

TH_MUST_USE enum th_error th_engine_new(const struct th_engine_options *options, struct th_engine **out);
/** Loads settings, makes the tenants "default" and "operator" and id keys on the first start, begins the walk of the
 * queue. Synchronous store work; submits ops. made_key: when no operator key is given or stored, a new one is made and
 * its text (to be shown once) is written there, else it stays empty. */
TH_MUST_USE enum th_error th_engine_start(struct th_engine *e, struct th_buf *made_key, char *why,
                                          size_t why_size);
/** Makes `e` another engine of home's process (options.shard from 1 on): it gets a copy of the settings and
 * begins to walk the queue for its endpoints. To be called after home has started, before any thread runs. */
TH_MUST_USE enum th_error th_engine_join(struct th_engine *e, struct th_engine *home);
/** Makes one turn: drains the store, settles, dispatches. To be called after any wake, after any I/O callback
 * that touched the engine, and at the returned time (TH_MONO_NEVER: no time). */
struct th_mono th_engine_turn(struct th_engine *e);
/** True when something has called the engine since the last turn: another turn is due before the thread
 * sleeps. */
bool th_engine_stirred(const struct th_engine *e);
/** The thread has spent this much time on other work since the last turn: the next one does less. */
void th_engine_spent(struct th_engine *e, int64_t us);
/** Calls `fn` in a turn, in order, as far as the turn has time; the rest follow in the next one. Meant for
 * work that takes a part of a millisecond or more. `d` belongs to the engine until then. */
struct th_deferred {
    struct th_list link;
    void (*fn)(void *arg);
    void *arg;
};
void th_engine_defer(struct th_engine *e, struct th_deferred *d, void (*fn)(void *), void *arg);
/** Stops dispatching and refuses new changes; requests in flight end. th_engine_idle tells when all is settled. */
void th_engine_drain(struct th_engine *e);
/** Cancels the requests in flight (they stay queued in the store). */
void th_engine_cancel_requests(struct th_engine *e);
/** True when nothing is under way in this engine. With several engines, all are idle only when no letter is
 * under way either. */
bool th_engine_idle(const struct th_engine *e);
void th_engine_free(struct th_engine *e); /* must be idle */
/** While changes are held, none begins; they wait in their queue. For th_engine_reload, during which no
 * change may be under way: hold, turn until th_engine_changing returns false, reload, release. */
void th_engine_hold_changes(struct th_engine *e, bool hold);
bool th_engine_changing(const struct th_engine *e);
/** Takes over another set of dialects (and what else the options may change while running: guard, default dialect, retention).
 * TH_NOT_FOUND when a tenant's dialect is missing, with the reason in why; then nothing has changed. Both sets must
 * outlive the engine: requests under way may still use the old one. */
TH_MUST_USE enum th_error th_engine_reload(struct th_engine *e, const struct th_engine_options *options,
                                           char *why, size_t why_size);
/** The newest attempt at an endpoint that was not a test. */
struct th_last_attempt {
    bool known;        /* false: there was none since the start; the store knows earlier ones */
    struct th_wall at; /* known, and 0: there has been none */
    uint16_t status;
    uint8_t class; /* enum th_http_class */
    bool ok;
    char detail[160]; /* error in words; empty: none */
};
const struct th_last_attempt *th_engine_last_attempt(const struct th_endpoint *ep);
/** Keeps the answer of the store; row NULL: there has been none. */
void th_engine_last_attempt_set(struct th_engine *e, uint64_t endpoint, const struct th_attempt_row *row);
/** The state of an endpoint. FAILING: all attempts since health.first_fail have failed, and there was at
 * least one. */
enum th_endpoint_state { TH_EP_ACTIVE, TH_EP_FAILING, TH_EP_PAUSED, TH_EP_DISABLED };
enum th_endpoint_state th_engine_endpoint_state(const struct th_endpoint *ep);
/** The present health of endpoints, as the engines that own them know it. */
struct th_looked {
    bool known;                  /* false: it does not exist, or there was no memory to ask; all else is 0 */
    uint32_t waiting, in_flight; /* deliveries in memory; requests */
    bool breaker_open, spilled;  /* spilled: the store has more that wait */
    struct th_health health;
    struct th_last_attempt last;
    uint32_t first,
        first_failed; /* first attempts of the last 30 to 60 minutes, tests and our own faults left out */
    int64_t
        disable_at; /* wall ms: it is disabled then, if it goes on failing; 0: no rule of time does that */
};
struct th_look {
    const uint64_t *endpoints; /* in: numbers; arrays of the caller, until done */
    uint32_t count;
    struct th_looked *out; /* result: count of them */
    void (*done)(struct th_look *);
    void *user;
    unsigned waits;           /* the engine's */
    struct th_deferred defer; /* the engine's */
};
void th_engine_look(struct th_engine *home, struct th_look *l);
/** False: no consent is asked for. Otherwise *out is the state of the consent. */
bool th_engine_consent(const struct th_engine *e, const struct th_endpoint *ep, struct th_consent *out);
/** The highest number of an endpoint; th_engine_endpoint_no finds those that exist. */
uint64_t th_engine_last_endpoint(const struct th_engine *e);
/** Brings those gauges up to date that do not follow every change. Takes bounded time. */
void th_engine_measure(struct th_engine *e);
/** True once the start is over: everything is loaded, and the tenants that always exist are there. Stays true; whether
 * events can be accepted now is another question (th_engine_ready). */
bool th_engine_begun(const struct th_engine *e);
/** True when the engine can accept events; otherwise *why is the reason (English, static). */
bool th_engine_ready(const struct th_engine *e, const char **why);
/** The time last read from the clock. */
struct th_now th_engine_now(const struct th_engine *e);
const struct th_engine_options *th_engine_options(const struct th_engine *e);

/* ---- keys and settings of a store that no engine has loaded ---- */

/** Set the keys and zero everything else; show every row of settings to th_keycheck_form, and then again to
 * th_keycheck_row. Afterwards the struct says what a start would find. Wipe `ring` at the end. */
#define TH_KEY_FORM_BYTES 20
struct th_key_check {
    const struct th_base_key *key, *old_key; /* old_key: NULL, or the one that is being replaced */
    uint8_t form[TH_KEY_FORM_BYTES];         /* how phrases are stretched in this store */
    size_t form_len;
    struct th_keyring ring;
    unsigned opened, closed; /* encrypted values that a key opens, and that none does */
    bool wrong;              /* no given key is the one of this store */
    bool missing_old;        /* a change of keys has not ended, and its other key is not given */
    enum th_error error;     /* TH_NOMEM: there is no verdict; TH_CORRUPT: an unknown form of keys */
};
void th_keycheck_form(struct th_key_check *c, const struct th_row *row);
void th_keycheck_row(struct th_key_check *c, const struct th_row *row);

/** True when path and query of the URL are a credential: encrypted at rest, and shown to keys that may read secrets only. */
bool th_mask_url_is_secret(const struct th_endpoint_spec *spec);

/* ---- limits of a tenant ---- */

/** The limit that holds: the tenant's own, else the installation's. 0: no limit. */
int64_t th_engine_allowed(const struct th_engine *e, const struct th_tenant *t, enum th_limit id);
/** How much of it is used. HEADER_BYTES: by the endpoint that has the most; for this all endpoints are looked
 * at. */
int64_t th_engine_used(const struct th_engine *e, const struct th_tenant *t, enum th_limit id);
/** True when so much of the limit is used that it must be reported (options.warn_percent). */
bool th_engine_near(const struct th_engine *e, int64_t used, int64_t allowed);

/* ---- the audit log: who did what, of home alone ---- */

#define TH_AUDITS_KEPT 5000     /* the newest of operators, and as many of tenants */
#define TH_AUDITS_OF_TENANT 500 /* of one tenant at most */

enum th_audit_text {
    TH_AUDIT_OPERATION,
    TH_AUDIT_RESULT,
    TH_AUDIT_KEY,
    TH_AUDIT_KEY_NAME,
    TH_AUDIT_SESSION,
    TH_AUDIT_TENANT,
    TH_AUDIT_OBJECT,
    TH_AUDIT_FROM,
    TH_AUDIT_CLIENT,
    TH_AUDIT_REQUEST,
    TH_AUDIT_TEXTS
};

struct th_audit {
    uint64_t no;      /* rises with time */
    int64_t at;       /* wall ms */
    uint16_t status;  /* of the answer */
    bool repeated;    /* the kept answer of an earlier request */
    bool of_operator; /* an operator's key, or a session of it */
    struct th_span text[TH_AUDIT_TEXTS];
};

/** Name of a text as the log and the API have it. */
const char *th_audit_name(enum th_audit_text text);
/** Keeps a copy, with a number and the time of now; it is stored soon. On lack of memory it is left out. */
void th_engine_audit(struct th_engine *e, const struct th_audit *a);
/** The row before `a`, with NULL the newest; NULL at the end. Valid until the next call of the engine. */
const struct th_audit *th_engine_audit_before(const struct th_engine *e, const struct th_audit *a);

/* ---- look-ups ---- */

struct th_tenant *th_engine_tenant(struct th_engine *e, struct th_span id);
/** Finds a tenant by its number; NULL when unknown. One that has been deleted may still be found: `deleting`
 * says so. */
struct th_tenant *th_engine_tenant_no(struct th_engine *e, uint64_t no);
/** All tenants, by number ascending. */
struct th_tenant *const *th_engine_tenants(struct th_engine *e, unsigned *count);
/** Finds a key by the SHA-256 of its text; NULL when unknown or expired. */
struct th_key *th_engine_key(struct th_engine *e, const uint8_t hash[32]);
/** Goes through a tenant's keys, or with NULL through those of operators except the root, newest first:
 * returns the next one below *at, which is moved; begin with UINT_MAX. NULL at the end. */
struct th_key *th_engine_key_below(struct th_engine *e, const struct th_tenant *t, unsigned *at);
/** Finds an endpoint by its public id in the form of the tenant's dialect; NULL when it is unknown or another
 * tenant's. foreign (may be NULL): set to true when it exists under another tenant. */
struct th_endpoint *th_engine_endpoint(struct th_engine *e, const struct th_tenant *t, struct th_span id,
                                       bool *foreign);
/** Does the same for the endpoints of all tenants. */
struct th_endpoint *th_engine_endpoint_anywhere(struct th_engine *e, struct th_span id);
struct th_endpoint *th_engine_endpoint_no(struct th_engine *e, uint64_t no);
/** Whether its deliveries wait: it is paused, disabled, or has not agreed. */
bool th_ep_held(const struct th_endpoint *ep);
const struct th_dialect *th_engine_dialect(struct th_engine *e, struct th_span name);
/** The event type of this name that holds for a tenant: its own, else the installation's; t NULL: the installation's. NULL: there is
 * none. Valid until the next turn. */
const struct th_event_type *th_engine_event_type(struct th_engine *e, const struct th_tenant *t,
                                                 struct th_span name);
/** Which of a type's versions an endpoint gets of an event that has the data of version `from`: the newest that is not above the pin,
 * else the oldest; an index. pin 0: `from` itself. */
unsigned th_type_version_for(const struct th_event_type *type, uint32_t from, uint32_t pin);
/** Whether an endpoint subscribes to the type. */
bool th_engine_subscribes(const struct th_endpoint *ep, struct th_span type);
/** The one in a tenant's own catalogue. */
const struct th_event_type *th_catalogue_own(const struct th_tenant *t, struct th_span name);

/** Takes the next name off *lines, which has one name per line; false at the end. */
bool th_filters_channel_next(struct th_span *lines, struct th_span *name);
/** Whether two lists have a name in common. */
bool th_filters_channels_share(struct th_span a, struct th_span b);
/** True for 1 to 128 letters, digits, "_", "-", ".", "/" and ":". */
bool th_filters_channel_ok(struct th_span name);

/** Gets the endpoint's settings with all texts; those that are not in memory go into `mem`. If the endpoint
 * is parted this reads from the store. TH_NOMEM, or an error of the store. */
TH_MUST_USE enum th_error th_engine_spec(struct th_engine *e, const struct th_endpoint *ep,
                                         struct th_arena *mem, struct th_endpoint_spec *out);

/* ---- public ids ---- */
/** th_pubid_hide and th_pubid_show with the installation's key. */
uint64_t th_engine_hide(const struct th_engine *e, uint64_t tweak, uint64_t no);
uint64_t th_engine_show(const struct th_engine *e, uint64_t tweak, uint64_t hidden);
void th_engine_endpoint_id(struct th_engine *e, const struct th_endpoint *ep, struct th_buf *out);
/** Writes the id of an endpoint by its number, even if it has been deleted; false: nothing is known about it,
 * and nothing is written. */
bool th_engine_endpoint_id_of(struct th_engine *e, const struct th_dialect *d, uint64_t no,
                              const struct th_past_endpoint *past, struct th_buf *out);
void th_engine_event_id(struct th_engine *e, const struct th_dialect *d, const struct th_event_row *row,
                        struct th_buf *out);
void th_engine_delivery_id(struct th_engine *e, const struct th_dialect *d, const struct th_event_row *event,
                           uint64_t delivery, struct th_buf *out);
/** The integer id of an attempt. */
void th_engine_attempt_number(struct th_engine *e, uint64_t attempt, struct th_buf *out);
void th_engine_key_id(struct th_engine *e, const struct th_key *k,
                      struct th_buf *out); /* "key_" + ULID form */
/** Reads the id of an endpoint, which may have been deleted. */
bool th_engine_parse_endpoint_id(struct th_engine *e, const struct th_dialect *d, struct th_span text,
                                 struct th_pubid *out);
/** True when a row that was found by its number belongs to the endpoint that the id names. */
bool th_engine_is_endpoint(struct th_engine *e, const struct th_pubid *id, uint64_t no,
                           const struct th_past_endpoint *past);
/** Read the numbers in ids; false: the text has no such form. The caller loads the row and must compare `at`
 * and `rnd` (integer forms: at.ms is 0 and nothing is compared). Events with an external id are found by
 * th_page.external_id first. */
bool th_engine_parse_event_id(struct th_engine *e, const struct th_dialect *d, struct th_span text,
                              struct th_pubid *out);
bool th_engine_parse_delivery_id(struct th_engine *e, const struct th_dialect *d, struct th_span text,
                                 struct th_pubid *out);

/* ---- publishing ---- */

/** Of an event that was accepted before, what its copy keeps beside its texts. */
struct th_event_copy {
    struct th_span id; /* th_copy_id */
    struct th_event_more more;
    uint32_t rnd;
    uint8_t marks; /* of its delivery: bits of enum th_mark */
};

struct th_publish_event { /* spans must live until done */
    struct th_span type, data, external_id, resource_type, resource_id;
    struct th_span channels;    /* names, one per line */
    struct th_span traceparent; /* in the form of th_trace_kept_read; n == 0: none */
    uint64_t inbox;             /* its row in the inbox of the store's own database; 0: none */
    bool has_time;
    struct th_wall time;
    int64_t deliver_at, expires_at; /* wall ms, as in struct th_event_more; 0: not given */
    const struct th_event_copy
        *copy; /* with `copies`: instead of the members above from channels on, but for the time */
    /* result */
    struct th_event_row row; /* number, times, deliveries; enough for th_engine_event_id */
    bool data_exact;         /* th_dialect_warnings finds nothing; false: that is not known */
};
enum th_publish_result {
    TH_PUB_ACCEPTED,
    TH_PUB_REPEATED,
    TH_PUB_KEY_REUSED,
    TH_PUB_ID_TAKEN,
    TH_PUB_INVALID,
    TH_PUB_TOO_LARGE,
    TH_PUB_LIMITED, /* `limit` is reached; detail says so */
    TH_PUB_UNAVAILABLE,
    TH_PUB_TENANT_GONE,
    TH_PUB_FORGOTTEN /* the key was used, but retention has removed the events */
};
/** The type of a test that no receiver takes for an event of its own. Every dialect accepts a test of this
 * type, although no catalogue has it. */
#define TH_TEST_TYPE "webhook.test"

struct th_publish {
    struct th_tenant *tenant; /* looked up again when the publish is retried */
    struct th_idem idem;
    uint32_t count; /* 1..1000 */
    struct th_publish_event *events;
    struct th_endpoint *only; /* a test for this endpoint, even if it is inactive; else NULL */
    /* with `only`: no tests, but copies of earlier events, which were checked when they were accepted, and go out behind fresh ones.
     * ID_TAKEN: the endpoint has been given that event before, or it is gone or erased */
    bool copies;
    void (*done)(struct th_publish *);
    void *user;
    /* result */
    enum th_publish_result result;
    enum th_limit limit;     /* LIMITED */
    uint32_t bad;            /* ID_TAKEN, INVALID, TOO_LARGE: index of the event */
    const char *field;       /* INVALID: native field name ("resource_id", "type", "data") */
    char pointer[168];       /* INVALID, with field "data": where in the data; else empty */
    char detail[200];        /* INVALID, UNAVAILABLE: in words */
    uint64_t first_delivery; /* of events[0] */
    void *impl;
};
/** Checks types, required fields and size, matches, and stores durably; `done` is called after the commit. */
void th_engine_publish(struct th_engine *e, struct th_publish *p);

/** A publish that was refused, of somebody who may publish. Texts live as long as the call. */
struct th_refused {
    struct th_span tenant;      /* n == 0: none is known */
    struct th_span traceparent; /* as events keep it; n == 0: none */
    struct th_mono began;       /* when the request had come */
    unsigned status;            /* of the answer */
    uint32_t count;             /* events of a batch that were read */
    struct th_span why;         /* in words, with nothing of the request in them */
};

/** Whether spans go anywhere. */
bool th_engine_traces(const struct th_engine *e);
/** Makes a span of it, if its flag or the ratio says so. */
void th_engine_refused(struct th_engine *e, const struct th_refused *refused);

/* ---- who would get an event, by the present settings ---- */

enum th_match {
    TH_MATCH,
    TH_MATCH_FILTER_ERROR, /* the filter has no verdict, and the event goes to the endpoint */
    TH_MATCH_LATER,        /* the endpoint was made after the event had been accepted */
    TH_MATCH_NOT_TYPE,
    TH_MATCH_DISABLED, /* it is disabled, and the dialect keeps nothing for it meanwhile */
    TH_MATCH_NOT_CHANNEL,
    TH_MATCH_NOT_FILTER
};
/** Reads the event, with its data, for the calls of th_engine_match that follow in the same turn. False: no memory. */
TH_MUST_USE bool th_engine_match_begin(struct th_engine *e, const struct th_event_row *row);
/** *why: for an endpoint with a filter, the results of its terms; the values are valid until
 * th_engine_match_end. *steps: the number of steps, up to some 300,000. */
enum th_match th_engine_match(struct th_engine *e, const struct th_endpoint *ep,
                              const struct th_event_row *row, struct th_jsonpath_why *why, uint32_t *steps);
/** Does the same by what the endpoint subscribes to alone: its types, its channels and its filter. */
enum th_match th_engine_match_subscription(struct th_engine *e, const struct th_endpoint *ep,
                                           const struct th_event_row *row, struct th_jsonpath_why *why,
                                           uint32_t *steps);
/** Does the same for a filter that belongs to no endpoint. */
enum th_match th_engine_match_filter(struct th_engine *e, const struct th_jsonpath *filter,
                                     struct th_jsonpath_why *why, uint32_t *steps);
void th_engine_match_end(struct th_engine *e);

/* ---- templates of bodies ---- */

/** Appends the body that a template makes of an event of the tenant, whose row has its data: what is sent, in the dialect's way of
 * writing JSON. TH_TOO_LARGE: more than the dialect's bodies may have, or too many steps. TH_NOMEM. */
TH_MUST_USE enum th_error th_engine_template(struct th_engine *e, const struct th_dialect *d,
                                             const struct th_payload *payload, const struct th_event_row *row,
                                             struct th_buf *body);

/* ---- changes of settings: one at a time, in order of submission ---- */

enum th_change_kind {
    TH_CHANGE_TENANT_PUT,
    TH_CHANGE_TENANT_DEL,
    TH_CHANGE_KEY_ADD,
    TH_CHANGE_KEY_DEL,
    TH_CHANGE_TYPE_PUT,
    TH_CHANGE_TYPE_DEL,
    TH_CHANGE_ENDPOINT_ADD,
    TH_CHANGE_ENDPOINT_SET,
    TH_CHANGE_ENDPOINT_DEL,
    TH_CHANGE_SECRET_ROTATE,
    TH_CHANGE_SECRET_REVOKE,
    TH_CHANGE_ENDPOINT_DISABLE, /* this and the next two: only the engine itself submits them */
    TH_CHANGE_ENDPOINT_CONSENT,
    TH_CHANGE_ENDPOINT_ENABLE,
    TH_CHANGE_KINDS
};
enum th_change_result {
    TH_CH_DONE,
    TH_CH_CHECKED,  /* dry_run: it would be done now */
    TH_CH_REPEATED, /* the Idempotency-Key was used before: `repeated` holds the first answer */
    TH_CH_KEY_REUSED,
    TH_CH_INVALID,      /* errors[] says why */
    TH_CH_NOT_FOUND,    /* the object is gone */
    TH_CH_CONFLICT,     /* detail: dialect change with endpoints, third secret, ... */
    TH_CH_LIMITED,      /* `limit` is reached; detail says so */
    TH_CH_PRECONDITION, /* expect_rev differs */
    TH_CH_UNAVAILABLE,  /* the store cannot commit */
};
struct th_field_error {
    char field[192]; /* native name, "headers/X-Key", "events/3", "template" and a JSON pointer */
    char detail[200];
};
#define TH_MAX_FIELD_ERRORS 8
struct th_change {
    enum th_change_kind kind;
    /* in: spans and arrays of the caller, valid until done */
    struct th_span tenant_id;
    uint64_t endpoint; /* kinds of one endpoint, but ADD: its number */
    bool check_rev;    /* If-Match */
    uint64_t expect_rev;
    bool dry_run; /* everything is checked, nothing is stored or made */
    union {       /* by kind; zero what is not given */
        struct {  /* ENDPOINT_ADD, ENDPOINT_SET */
            struct th_endpoint_spec spec;
            bool clear_disabled;   /* SET: "active": true was given */
            struct th_span secret; /* ADD: the customer's; n == 0: generate */
            /* ADD: `secret` comes from another installation, and is taken where the dialect makes its own */
            bool moved;
            struct th_span previous; /* with it: the secret before it, which is still active; n == 0: none */
            int64_t previous_until;  /* wall ms; 0: until revoked */
            /* ADD with dry_run: by the rules of this dialect; NULL: the tenant's */
            const struct th_dialect *check_as;
        } endpoint_put;
        struct {                                      /* TENANT_PUT */
            struct th_span name, dialect, attributes; /* n == 0: keep or default */
            bool limits_given;                        /* `limits` take the place of the old ones */
            struct th_limits limits;
            bool retention_given;
            int64_t retention_s; /* 0: the installation's */
        } tenant_put;
        struct {                      /* TYPE_PUT, TYPE_DEL */
            struct th_span name;      /* TYPE_DEL: this alone counts */
            struct th_type_spec spec; /* what is not given keeps its value */
            bool description, group, schema, example, versions, validate, archived, deprecated; /* given */
        } of_type;
        struct {        /* TENANT_DEL */
            bool erase; /* erases the content of all its events, too */
        } tenant_del;
        struct {               /* KEY_ADD, KEY_DEL */
            uint64_t no;       /* DEL */
            enum th_role role; /* of an operator's key, with the tenant "operator"; NONE: a tenant's */
            unsigned scopes;   /* ADD, as all behind it: of a tenant's key */
            uint8_t hash[32];
            int64_t expires;
            struct th_span note;
        } of_key;
        struct {                   /* SECRET_ROTATE */
            struct th_span secret; /* the customer's; n == 0: generate */
            bool overlap_given, overlap_null;
            int64_t overlap_s;      /* not given: the dialect's */
            struct th_span variant; /* the endpoint signs in this one from now on; n == 0: as before */
        } rotate;
        struct {                   /* ENDPOINT_DISABLE */
            struct th_span reason; /* th_disable_name */
        } disable;
    };
    struct th_idem idem;
    /** With idem.given: called before the commit, with the objects as they will be, to render the answer that is kept
     * (encrypted) with the key. Writes the answer's bytes. */
    void (*render)(struct th_change *, struct th_buf *answer);
    void (*done)(struct th_change *);
    void *user;
    /* result */
    enum th_change_result result;
    enum th_limit limit;              /* LIMITED */
    bool created;                     /* TENANT_PUT, TYPE_PUT: 201 */
    const struct th_event_type *type; /* TYPE_PUT; valid until the next turn */
    struct th_tenant *tenant;
    struct th_endpoint *ep;
    struct th_key *key;
    struct th_buf secret_text; /* ENDPOINT_ADD, SECRET_ROTATE: the secret in clear; wiped by th_change_fini */
    struct th_buf repeated;
    struct th_field_error errors[TH_MAX_FIELD_ERRORS];
    unsigned error_count;
    char detail[200];
    struct th_list link;
    void *impl;
};
void th_engine_change(struct th_engine *e, struct th_change *c);
void th_change_fini(struct th_change *c);
/** Reads the secrets of an endpoint in clear, newest first: calls back for each. False when one cannot be opened. */
bool th_engine_secrets(struct th_engine *e, const struct th_endpoint *ep,
                       void (*each)(void *ctx, struct th_span secret, struct th_wall created, int64_t until),
                       void *ctx);

/** The source address of a name; NULL: there is none. */
const struct th_source *th_engine_source(const struct th_engine *e, struct th_span name);
/** Writes the active public keys of an endpoint, newest first, as JSON Web Keys: elements of the array that is open. */
void th_engine_public_keys(struct th_engine *e, const struct th_endpoint *ep, struct th_jw *w);

/* ---- replay: finished deliveries of one endpoint again, behind its fresh events ---- */

enum th_replay_state {
    TH_REPLAY_COLLECTING,
    TH_REPLAY_RUNNING,
    TH_REPLAY_DONE,
    TH_REPLAY_CANCELLED,
    TH_REPLAY_FAILED
};

#define TH_MAX_REPLAY_TYPES 64

struct th_replay { /* read-only for the API; valid until the next turn */
    uint64_t no, endpoint;
    uint32_t rnd;
    /* the endpoint, when it is no more: created, and options with its random bits */
    struct th_past_endpoint past;
    struct th_tenant *tenant;
    struct th_wall created, updated;
    int64_t since, until; /* wall ms; until 0: the moment of the request */
    uint32_t states;      /* bits 1 << enum th_delivery_state; never TH_DS_QUEUED */
    struct th_span types[TH_MAX_REPLAY_TYPES];
    unsigned type_count;
    /* it sends events that were accepted before the endpoint was made: of these, by their accept, since and until are */
    bool backfill;
    enum th_replay_state state;
    uint64_t matched, queued; /* deliveries, or events, found; those put into the replay lane so far */
};

#define TH_BACKFILL_FIRST 10
/* Why events of a backfill's time are left out. */
enum th_left_out {
    TH_LEFT_TYPE,
    TH_LEFT_CHANNEL,
    TH_LEFT_FILTER,
    TH_LEFT_EXPIRED,
    TH_LEFT_ERASED,
    TH_LEFT_OUTS
};
struct th_replay_start {
    struct th_endpoint *ep; /* in: looked up again by number */
    bool backfill;          /* until: at most the time at which the endpoint was made; states do not count */
    int64_t since, until;
    uint32_t states;
    const struct th_span *types; /* exact event types; count 0: all */
    unsigned type_count;
    bool dry_run; /* count only */
    struct th_idem idem;
    void (*render)(struct th_replay_start *, struct th_buf *answer); /* as th_change.render */
    void (*done)(struct th_replay_start *);
    void *user;
    /* result: DONE, REPEATED (`repeated`), KEY_REUSED, NOT_FOUND, CONFLICT (too many matched), LIMITED (TH_L_REPLAYS),
     * UNAVAILABLE */
    enum th_change_result result;
    uint64_t matched;
    uint64_t by_state[TH_DS_CANCELLED +
                      1];           /* the matches by state; QUEUED: unfinished ones, which are no matches */
    const struct th_replay *replay; /* NULL for a dry run */
    /* backfill: events that do not match; with dry_run also the first ones that would go out. The caller frees first_mem with th_buf_fini */
    uint64_t left_out[TH_LEFT_OUTS];
    struct th_event_row first[TH_BACKFILL_FIRST];
    unsigned first_count;
    struct th_buf first_mem;
    struct th_buf repeated; /* the caller frees it with th_buf_wipe */
    char detail[200];
    void *impl;
};
/** Collects the matching deliveries, records the job durably, answers; then queues them oldest first, a few hundred ahead
 * of what the endpoint takes. After a crash it goes on where it was. */
void th_engine_replay(struct th_engine *e, struct th_replay_start *r);
/** Finds a replay by its public id ("rpl_…"); NULL when it is unknown or another tenant's; t NULL: any
 * tenant's. */
const struct th_replay *th_engine_replay_find(struct th_engine *e, const struct th_tenant *t,
                                              struct th_span id);
/** The newest replay of a tenant whose number is below `no`; NULL: none. */
const struct th_replay *th_engine_replay_below(struct th_engine *e, const struct th_tenant *t, uint64_t no);
void th_engine_replay_id(struct th_engine *e, const struct th_replay *r, struct th_buf *out);
/** Stops queueing more at once; deliveries that are queued already go out. `done` is called when that is
 * durable (error: it is stopped now, but a crash would undo it). */
struct th_replay_cancel {
    const struct th_replay *replay; /* in */
    void (*done)(struct th_replay_cancel *);
    void *user;
    bool stopped; /* result; false: it had ended before */
    enum th_error error;
    struct th_list link;
};
void th_engine_replay_cancel(struct th_engine *e, struct th_replay_cancel *c);

/* ---- answers kept with an Idempotency-Key, for requests whose effect is not a change of settings ---- */

/** To be called first with keep false, to ask whether the key is known, and then, after the effect, with keep
 * true. A crash between the effect and keeping makes a repetition take effect once more, but never not at
 * all. */
struct th_idem_answer {
    struct th_span tenant_id; /* in: spans valid until done */
    struct th_idem idem;      /* given must be true */
    bool keep;
    struct th_span answer; /* keep: at most 1 MiB */
    void (*done)(struct th_idem_answer *);
    void *user;
    /* result: DONE (keep: kept; else: unknown so far), REPEATED (`repeated`), KEY_REUSED, NOT_FOUND (tenant), UNAVAILABLE */
    enum th_change_result result;
    struct th_buf repeated; /* the caller frees it with th_buf_wipe */
    void *impl;
};
void th_engine_idem_answer(struct th_engine *e, struct th_idem_answer *r);

/* ---- deliveries ---- */

/** Queues a delivery again: one attempt now, then the schedule. While a request of it is under way: one
 * attempt as soon as that has ended, unless it delivers. done: TH_OK; TH_NOT_FOUND; TH_CONFLICT: its endpoint
 * has been deleted; TH_INVALID: its event has been erased; a store error. Except after TH_OK the delivery is
 * unchanged. */
struct th_retry_now {
    uint64_t delivery, endpoint; /* endpoint: that of the delivery */
    void (*done)(struct th_retry_now *);
    void *user;
    enum th_error error;
    bool under_way; /* result: a request was */
    void *impl;
};
void th_engine_retry(struct th_engine *e, struct th_retry_now *r);

/** Cancels deliveries that have not ended, in steps; what is under way may still arrive. `done` is called when no engine
 * begins a request of them any more. */
struct th_cancel_now {
    uint64_t first; /* numbers first .. first + count - 1, of one event */
    uint32_t count;
    void (*done)(struct th_cancel_now *);
    void *user;
    /* result; with TH_CONFLICT some of them are still being made, and nothing was cancelled */
    enum th_error error;
    uint32_t cancelled;
};
void th_engine_cancel(struct th_engine *e, struct th_cancel_now *r);

/** Erases the content of an event (th_erase of the store port): it is irrevocable from the first step on, and
 * goes on in steps until everything is gone, even after a crash. `done` is called then. */
struct th_erase_event {
    uint64_t tenant, event;
    bool cancel; /* unfinished deliveries too */
    void (*done)(struct th_erase_event *);
    void *user;
    enum th_error error; /* result */
    enum th_erase_result result;
    uint32_t unfinished;
};
void th_engine_erase(struct th_engine *e, struct th_erase_event *r);

/** Makes all deliveries to an endpoint due now that wait for another attempt; they go out as the endpoint's
 * window and rate allow, each with its schedule from the beginning. It counts, stores durably what is to be
 * done, and answers; then it does the work in steps, even after a crash. */
struct th_retry_all {
    struct th_endpoint *ep; /* in: looked up again by number */
    struct th_idem idem;
    void (*render)(struct th_retry_all *, struct th_buf *answer); /* as th_change.render */
    void (*done)(struct th_retry_all *);
    void *user;
    /* result: DONE, REPEATED (`repeated`), KEY_REUSED, NOT_FOUND, CONFLICT (paused, disabled, too many at work), UNAVAILABLE */
    enum th_change_result result;
    uint64_t retrying,
        pending; /* those made due; those that wait for their first attempt, and are due already */
    uint32_t in_flight;
    struct th_buf repeated; /* the caller frees it with th_buf_wipe */
    char detail[200];
};
void th_engine_retry_all(struct th_engine *e, struct th_retry_all *r);
/** Submits a read op (PAGE) on the engine's session; its done comes from a turn. */
void th_engine_read(struct th_engine *e, struct th_op *op);
void th_engine_page_free(struct th_engine *e, struct th_page *page);
/** "scheduled", "pending", "retrying", "held", "delivered", "failed", "cancelled"; reason: "exhausted", "final_status", "expired" or
 * NULL. */
const char *th_engine_status(struct th_engine *e, const struct th_delivery_row *row, const char **reason);
/** Renders again what an attempt sent: head lines (auth and custom values as ***) and body; of a request for several deliveries the element of
 * this one. Without
 * whole_url, a secret URL is masked wherever it stands. */
TH_MUST_USE enum th_error th_engine_show_request(struct th_engine *e, const struct th_tenant *t,
                                                 const struct th_attempt_view *view, bool whole_url,
                                                 struct th_buf *head, struct th_buf *body, struct th_buf *url,
                                                 struct th_span *method);
/** Which deliveries an attempt's request was for, first to last, and the request's id; 0: for this one alone, or it is not known any more. */
unsigned th_engine_batch(const struct th_attempt_row *row, uint64_t deliveries[TH_ORDER_BATCH_MAX],
                         struct th_span *id);
/** The method's name; of DIALECT the dialect's. Static, or of the dialect. */
struct th_span th_method_name(const struct th_dialect *d, enum th_method method);
/** Reads "POST", "PUT" or "PATCH"; false: it is none of them. */
bool th_method_read(struct th_span s, enum th_method *out);
#endif
