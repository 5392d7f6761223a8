/* libtenterhook: the receiver's side of webhooks. Verifies and signs requests in every scheme that a dialect
 * file can describe, gives a view of the event, routes it, and keeps events from being worked on twice.
 *
 * The library allocates nothing, does no input or output and has no clock: memory and the time are arguments.
 * (libcrypto itself allocates for Ed25519, never for bearer secrets and HMACs.) Nothing is global; an object
 * may be used by any thread as long as nobody changes it meanwhile. A struct tenterhook_verifier does not
 * change after its initialisation, so all threads may share one.
  * Set members of structs that you do not use to zero, and leave `reserved` zero. Spans that the library
 * gives point into the caller's request or the dialect's text and live as long as those.
  * As long as the library is libtenterhook.so.0, its functions (symbol version TENTERHOOK_0), the sizes of its structs and
 * the values of its enumerations stay as they are. New functions, new values of enumerations (so have a default) and members in
 * place of `reserved` may be added. The manual is libtenterhook(3), a guide is docs/receiving.md. */
#ifndef TENTERHOOK_TENTERHOOK_H
#define TENTERHOOK_TENTERHOOK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined __GNUC__
#define TENTERHOOK_API __attribute__((visibility("default")))
#define TENTERHOOK_MUST_USE __attribute__((warn_unused_result))
#else
#define TENTERHOOK_API
#define TENTERHOOK_MUST_USE
#endif

/** Version of the library that runs, such as "0.1.0". */
TENTERHOOK_API const char *tenterhook_version(void);

/** A run of bytes, without a NUL at its end. n == 0 means absent. */
struct tenterhook_span {
    const char *p;
    size_t n;
};
/** A span of a string literal, for initialisers. */
#define TENTERHOOK_LIT(s)                                                                                    \
    {                                                                                                        \
        (s), sizeof(s) - 1                                                                                   \
    }
static inline struct tenterhook_span tenterhook_str(const char *s)
{
    struct tenterhook_span span = {s, s ? strlen(s) : 0};
    return span;
}
static inline bool tenterhook_is(struct tenterhook_span span, const char *s)
{
    return strlen(s) == span.n && (span.n == 0 || memcmp(span.p, s, span.n) == 0);
}

/* ---- results ---- */

enum tenterhook_result {
    TENTERHOOK_OK = 0,
    /* refusals of a request */
    TENTERHOOK_MISSING_HEADER, /* a header that the scheme needs is not there */
    TENTERHOOK_MALFORMED,      /* a header cannot be read: no known form of signature, no time, twice there */
    TENTERHOOK_TOO_OLD,        /* the signed time is further back than the window allows */
    TENTERHOOK_TOO_NEW,        /* the signed time is further ahead than the window allows */
    TENTERHOOK_NO_MATCH,       /* well formed, but none of the secrets gives this signature for these bytes */
    TENTERHOOK_BAD_EVENT,      /* verified, but the body is not the JSON that the dialect sends */
    /* mistakes of the caller */
    TENTERHOOK_INVALID,         /* an argument that makes no sense */
    TENTERHOOK_UNKNOWN_DIALECT, /* no built-in dialect has this name */
    TENTERHOOK_BAD_DIALECT,     /* the file or the scheme cannot be used: see struct tenterhook_fault */
    TENTERHOOK_BAD_SECRET,      /* a secret is empty, or fits no form of the scheme's keys */
    TENTERHOOK_TOO_MANY,        /* more secrets than TENTERHOOK_KEYS_MAX keys can hold */
    TENTERHOOK_NO_ROOM,         /* the output or the scratch memory is too small */
    TENTERHOOK_FAILED           /* libcrypto failed */
};
/** A sentence for logs. Never NULL. */
TENTERHOOK_API const char *tenterhook_text(enum tenterhook_result result);
/** The name in lower case for machines: "too_old". Never NULL. */
TENTERHOOK_API const char *tenterhook_name(enum tenterhook_result result);
/** The status to answer a request with: 200, 400 (malformed, bad event), 401 (missing header, too old, too
 * new, no match), 500 (mistakes of the caller: the sender shall try again when they are mended). */
TENTERHOOK_API int tenterhook_status(enum tenterhook_result result);

/* ---- schemes: how a dialect's requests are signed and built ---- */

enum tenterhook_algorithm {
    TENTERHOOK_HMAC_SHA256 = 1,
    TENTERHOOK_HMAC_SHA1,
    TENTERHOOK_HMAC_SHA512,
    TENTERHOOK_ED25519
};
/** How the text of a secret becomes a key. */
enum tenterhook_key {
    TENTERHOOK_KEY_UTF8 = 1, /* its bytes */
    TENTERHOOK_KEY_HEX,    /* hex; with TENTERHOOK_ED25519 of the public key to verify, of the seed to sign */
    TENTERHOOK_KEY_BASE64, /* base64, of the same keys */
    TENTERHOOK_KEY_WHSEC,  /* base64, after "whsec_" if that is there (Standard Webhooks) */
    TENTERHOOK_KEY_WHSK    /* Ed25519: "whpk_" and a public key, or "whsk_" and a private one, in base64 */
};
enum tenterhook_encoding {
    TENTERHOOK_HEX = 1,
    TENTERHOOK_BASE64,
    TENTERHOOK_HTTP_MESSAGE /* HTTP message signatures, RFC 9421 */
};
enum tenterhook_stamp { TENTERHOOK_UNIX = 1, TENTERHOOK_UNIX_MILLIS, TENTERHOOK_RFC3339 };

/** One form of signature: a header and what stands in it. The texts are templates; see docs/receiving.md.
 * content: variables {body} {ts} {event.id} {event.type} {event.time} {delivery.id} {endpoint.id}
 * {endpoint.url} {attempt.number} {event.resource_type} {event.resource_id} {schema.version}. item: {sig} and
 * perhaps {ts}. wrap: {items} and perhaps {ts}. Zero members have these defaults: stamp TENTERHOOK_UNIX, item
 * "{sig}", wrap "{items}", join: one signature only.
 *
 * With TENTERHOOK_HTTP_MESSAGE the header is Signature, content the list of the components that a signature has to cover
 * (`"@method" "@target-uri" "content-digest"`, of headers those that a request has), item the tag that it has to have. It is
 * verified together with Signature-Input and Content-Digest (RFC 9530, SHA-256); tenterhook_sign does not make it. */
struct tenterhook_signature {
    struct tenterhook_span header;
    enum tenterhook_algorithm algorithm;
    enum tenterhook_key key;
    enum tenterhook_encoding encoding;
    enum tenterhook_stamp stamp;
    struct tenterhook_span content, item, join, wrap;
};
/** A header that carries the value of one variable: {"webhook-id", "{event.id}"}. */
struct tenterhook_source {
    struct tenterhook_span header, variable;
};
/** Where a value stands in the body: names of members from the outside in. depth 0: nowhere. */
struct tenterhook_path {
    struct tenterhook_span name[4];
    unsigned depth;
};

#define TENTERHOOK_SIGNATURES_MAX 4
#define TENTERHOOK_SOURCES_MAX 8

/** Everything that a receiver must know about a dialect. Fill one, take a built-in one, or read one from a
 * dialect file. The spans belong to the caller and must outlive the verifier. */
struct tenterhook_scheme {
    /* A header that holds the secret itself: {"Authorization", "Bearer {secret}"}. */
    struct tenterhook_span auth_header, auth_value;
    /* Forms of signature, any of which will do (a dialect's default and its variants). With an auth header
     * and signatures both must match. */
    struct tenterhook_signature signature[TENTERHOOK_SIGNATURES_MAX];
    unsigned signature_count;
    struct tenterhook_source source[TENTERHOOK_SOURCES_MAX];
    unsigned source_count;
    struct tenterhook_span schema_version;
    /* The body: where the event's fields stand. data with depth 0: the whole body. */
    struct tenterhook_path id, type, time, resource_type, resource_id, endpoint_id, delivery_id, data;
    enum tenterhook_stamp time_form;  /* of a time that the body has as a number; 0: unix seconds */
    struct tenterhook_span catalogue; /* the group `catalogue` of the dialect file; may be empty */
    void *reserved[4];
};

/** What is wrong with a dialect file or a scheme. `what` is static text. */
struct tenterhook_fault {
    unsigned line; /* from 1; 0: not of a line */
    const char *what;
};

/** Gives the built-in dialect of this name ("standard"), or TENTERHOOK_UNKNOWN_DIALECT. */
TENTERHOOK_API TENTERHOOK_MUST_USE enum tenterhook_result
tenterhook_scheme_find(const char *name, struct tenterhook_scheme *scheme);
/** Name of the i-th built-in dialect, NULL after the last. */
TENTERHOOK_API const char *tenterhook_dialect_at(unsigned i);
/** Reads the parts of a dialect file (docs/dialects.md) that concern a receiver: request.headers, auth, the signature
 * with the strongest algorithm and its variants, body.envelope, catalogue, and
 * secret.signing, which says whether a header may hold several signatures. Other
 * groups are only scanned. The text must outlive the scheme. It may use these parts of YAML: block and flow
 * mappings and lists, plain scalars and quoted ones on one line, comments. TENTERHOOK_BAD_DIALECT fills *fault
 * (which may be NULL). */
TENTERHOOK_API TENTERHOOK_MUST_USE enum tenterhook_result
tenterhook_scheme_read(const char *text, size_t n, struct tenterhook_scheme *scheme,
                       struct tenterhook_fault *fault);

/* ---- verifying ---- */

#define TENTERHOOK_KEYS_MAX 8
#define TENTERHOOK_WINDOW_S 300 /* the tolerance of Standard Webhooks 1.0.0's verifiers, and most vendors' */

/** A scheme with its secrets, ready to verify. It is opaque, lies in the caller's memory and holds key
 * material: wipe it. */
struct tenterhook_verifier {
    uint64_t opaque[1536];
};

/** Prepares *v. secrets: `count` (1 or more) active secrets, best the newest first; they are not needed
 * afterwards. The replay window is TENTERHOOK_WINDOW_S on both sides. fault may be NULL. On failure *v is
 * wiped and refuses everything. */
TENTERHOOK_API TENTERHOOK_MUST_USE enum tenterhook_result
tenterhook_verifier_init(struct tenterhook_verifier *v, const struct tenterhook_scheme *scheme,
                         const struct tenterhook_span *secrets, size_t count, struct tenterhook_fault *fault);
/** The same for a built-in dialect's name and one or two secrets as strings; `old` may be NULL. */
TENTERHOOK_API TENTERHOOK_MUST_USE enum tenterhook_result
tenterhook_verifier_open(struct tenterhook_verifier *v, const char *dialect, const char *secret,
                         const char *old);
/** Sets another replay window, in seconds back and ahead, edges included. 0 switches a side off; a negative value is
 * TENTERHOOK_INVALID. Only schemes that sign a time have a window. Do not call it while others use *v. */
TENTERHOOK_API TENTERHOOK_MUST_USE enum tenterhook_result
tenterhook_verifier_window(struct tenterhook_verifier *v, int64_t back_s, int64_t ahead_s);
/** True when every accepted request was signed with a time no further back than the window. False where the scheme
 * signs no time (a time header beside such a signature proves nothing) or the side back is off. */
TENTERHOOK_API bool tenterhook_verifier_protects(const struct tenterhook_verifier *v);
/** Overwrites *v, which then refuses everything. */
TENTERHOOK_API void tenterhook_verifier_wipe(struct tenterhook_verifier *v);

struct tenterhook_header {
    struct tenterhook_span name, value;
};
/** A request as it came in. The headers are an array, or a function that gives the value of a header by its
 * name (NUL-terminated, to be compared without case); it returns false when there is none. A function cannot
 * report a header that is there twice: it gives the values as the HTTP library joins them. The array is
 * searched first. */
struct tenterhook_request {
    const struct tenterhook_header *headers;
    size_t header_count;
    bool (*header)(void *ctx, const char *name, struct tenterhook_span *value);
    void *ctx;
    const void *body; /* the raw bytes, before any parser */
    size_t body_len;
    /* only for schemes that sign {endpoint.url} or an HTTP message: absolute, as the sender has it, so with the scheme and
     * the host before any proxy of yours */
    struct tenterhook_span url;
    /* Only Ed25519 needs it: room for the signed content, which is the body with id and time before it
     * (body_len + TENTERHOOK_SCRATCH will do). */
    void *scratch;
    size_t scratch_len;
    struct tenterhook_span method; /* only for HTTP message signatures: "POST" */
    void *reserved[2];
};
#define TENTERHOOK_SCRATCH 1024

/** More about a result. */
struct tenterhook_report {
    struct tenterhook_span header; /* the header that decided; may be empty */
    const char *detail;            /* static text, never NULL */
    int64_t signed_at, age_s;      /* the signed time (unix seconds) and now minus it; 0 when there is none */
    bool has_time;                 /* the two are set */
    unsigned signature, secret;    /* when accepted: the first form and secret that match, from 0 */
    void *reserved[4];
};
/** Verifies a request. now_unix: the receiver's clock in seconds. report may be NULL. Compares in constant
 * time, tries every secret, and gives TENTERHOOK_OK or one of the refusals. Malformed are a header that is
 * needed and there twice, two headers that give one signed value differently, and (LIMIT) more than 32 Ed25519
 * signatures. */
TENTERHOOK_API TENTERHOOK_MUST_USE enum tenterhook_result
tenterhook_verify(const struct tenterhook_verifier *v, const struct tenterhook_request *request,
                  int64_t now_unix, struct tenterhook_report *report);

/* ---- events ---- */

/** A verified event. Texts that JSON writes with escapes are decoded into `text`, so an event must not be
 * copied by value. What a dialect does not send is empty. */
struct tenterhook_event {
    /* the same for every attempt. From the body if it is there, else from a header */
    struct tenterhook_span id;
    struct tenterhook_span type, resource_type, resource_id;
    struct tenterhook_span endpoint_id, delivery_id;
    struct tenterhook_span data; /* raw JSON, as it came */
    struct tenterhook_span body; /* the whole body */
    int64_t time;                /* when it happened, unix seconds */
    bool has_time;
    char text[512];
    void *reserved[4];
};
/** Verifies, then gives a view of the event. resource_type: from the body, else what the dialect's catalogue
 * says of the type. resource_id: from the body, else the member `id` of data. TENTERHOOK_BAD_EVENT when the
 * body is not strict JSON, not an object, or a field is of another kind or longer than `text`. (Where the whole body
 * is the data, a member that is no time leaves the event without one.) */
TENTERHOOK_API TENTERHOOK_MUST_USE enum tenterhook_result
tenterhook_construct_event(const struct tenterhook_verifier *v, const struct tenterhook_request *request,
                           int64_t now_unix, struct tenterhook_event *event,
                           struct tenterhook_report *report);
/** The raw JSON of a member of a JSON object, by name (as UTF-8, however the JSON escapes it); the last one of this
 * name, as JSON.parse has it. False when `object` is no object or has none. */
TENTERHOOK_API bool tenterhook_member(struct tenterhook_span object, const char *name,
                                      struct tenterhook_span *value);
/** Decodes a JSON string into out as UTF-8, with a NUL after it. False: no string, or longer than cap - 1. */
TENTERHOOK_API bool tenterhook_string(struct tenterhook_span json, char *out, size_t cap, size_t *n);

/* ---- signing ---- */

/** What is signed. Zero where the scheme does not use it. */
struct tenterhook_message {
    struct tenterhook_span body, event_id, event_type, event_time, delivery_id, endpoint_id, endpoint_url,
        attempt_number, resource_type, resource_id;
    int64_t ts;    /* unix seconds */
    void *scratch; /* as in struct tenterhook_request */
    size_t scratch_len;
    void *reserved[4];
};
/** Writes the value of a scheme's signature header, with a NUL after it; its length without the NUL goes to *n.
 * signature: which form (0 is the default); a scheme without signatures gives the value of its auth header.
 * secrets: all that are to sign, in this order; only one where the form has no `join`. TENTERHOOK_NO_ROOM,
 * TENTERHOOK_BAD_SECRET, TENTERHOOK_BAD_DIALECT, TENTERHOOK_INVALID, TENTERHOOK_FAILED. */
TENTERHOOK_API TENTERHOOK_MUST_USE enum tenterhook_result
tenterhook_sign(const struct tenterhook_scheme *scheme, unsigned signature,
                const struct tenterhook_span *secrets, size_t count, const struct tenterhook_message *message,
                char *out, size_t cap, size_t *n);

/* ---- once only ---- */

/** What identifies an event for idempotency: a digest. */
struct tenterhook_key_id {
    uint8_t b[16];
};
enum tenterhook_key_flags {
    TENTERHOOK_BY_ID = 0,
    TENTERHOOK_BY_RESOURCE = 1, /* the id together with the resource id */
    TENTERHOOK_BY_BODY = 2      /* the whole body where there is no id: equal bodies count as one event */
};
/** The key of an event: its id, else its delivery id, else (if asked for) its body. False when it has none.
 */
TENTERHOOK_API bool tenterhook_event_key(const struct tenterhook_event *event, unsigned flags,
                                         struct tenterhook_key_id *key);

enum tenterhook_mark {
    TENTERHOOK_NEW,  /* not known: it is yours now; say done or forget */
    TENTERHOOK_SEEN, /* done before */
    TENTERHOOK_BUSY, /* somebody works on it now */
    TENTERHOOK_FULL  /* cannot say: no room, or the store failed. Let the sender try again */
};
/** Where marks are kept: the seen-set below, or a store of your own (a table with a unique key, say). begin
 * takes an event; done says that the work succeeded, and only then is it seen; forget gives it back. They are
 * called by the thread that calls tenterhook_dispatch; locks are yours. */
struct tenterhook_store {
    enum tenterhook_mark (*begin)(void *ctx, const struct tenterhook_key_id *key,
                                  const struct tenterhook_event *event);
    void (*done)(void *ctx, const struct tenterhook_key_id *key, const struct tenterhook_event *event);
    void (*forget)(void *ctx, const struct tenterhook_key_id *key, const struct tenterhook_event *event);
    void *ctx;
};

/** Remembers the last `capacity` events, in the caller's memory. The oldest event that is done makes room for a new one.
 * It has no lock: one thread at a time. There is nothing to free. */
struct tenterhook_seen {
    struct tenterhook_seen_entry *entries;
    uint32_t *table;
    uint32_t capacity, slots, hand, reserved;
};
/** Bytes that a set of this capacity (1 to 2^28) needs; 0 outside of that. About 32 to 40 each. */
TENTERHOOK_API size_t tenterhook_seen_size(uint32_t capacity);
/** memory: tenterhook_seen_size(capacity) bytes, aligned for uint64_t. TENTERHOOK_INVALID, _NO_ROOM. */
TENTERHOOK_API TENTERHOOK_MUST_USE enum tenterhook_result
tenterhook_seen_init(struct tenterhook_seen *set, uint32_t capacity, void *memory, size_t size);
/** TENTERHOOK_NEW, _SEEN, _BUSY, or _FULL when all entries are being worked on. */
TENTERHOOK_API enum tenterhook_mark tenterhook_seen_begin(struct tenterhook_seen *set,
                                                          const struct tenterhook_key_id *key);
TENTERHOOK_API void tenterhook_seen_done(struct tenterhook_seen *set, const struct tenterhook_key_id *key);
TENTERHOOK_API void tenterhook_seen_forget(struct tenterhook_seen *set, const struct tenterhook_key_id *key);
/** The set as a store, for tenterhook_dispatch. */
TENTERHOOK_API struct tenterhook_store tenterhook_seen_store(struct tenterhook_seen *set);

/* ---- routing ---- */

enum tenterhook_handled {
    TENTERHOOK_DONE = 0, /* worked on: never again */
    TENTERHOOK_RETRY,    /* failed for now: answer 5xx, the event is not marked */
    TENTERHOOK_REJECT    /* can never work: answer 4xx, the event is not marked */
};
/** One row. Type or resource may be NULL: a row with a type takes events of this type ("note.created", or "note.*" with a
 * star at its end), a row with a resource type takes those of that resource; with both, both must fit. */
struct tenterhook_route {
    const char *type, *resource;
    enum tenterhook_handled (*handle)(void *ctx, const struct tenterhook_event *event);
};
struct tenterhook_router {
    const struct tenterhook_route *routes; /* the first that fits is called */
    size_t count;
    void (*unknown)(void *ctx, const struct tenterhook_event *event); /* reports; may be NULL */
    void *ctx;                                                        /* given to all of them */
    const struct tenterhook_store *store;                             /* NULL: no idempotency */
    unsigned key_flags;                                               /* enum tenterhook_key_flags */
    void *reserved[4];
};
enum tenterhook_outcome {
    TENTERHOOK_HANDLED,   /* a row's function said done */
    TENTERHOOK_DUPLICATE, /* done before: acknowledge */
    TENTERHOOK_UNROUTED,  /* no row: reported and acknowledged, so that the sender does not try again */
    TENTERHOOK_UNDERWAY,  /* another thread works on it */
    TENTERHOOK_DEFERRED,  /* the row's function wants a retry, or the store cannot say */
    TENTERHOOK_REFUSED    /* the row's function rejects it */
};
/** Takes the event from the store, calls its row, marks it after success. Events without a key are worked on
 * each time. */
TENTERHOOK_API enum tenterhook_outcome tenterhook_dispatch(const struct tenterhook_router *router,
                                                           const struct tenterhook_event *event);
/** The status to answer with: 200, 200, 200, 503, 500, 400. */
TENTERHOOK_API int tenterhook_outcome_status(enum tenterhook_outcome outcome);

#ifdef __cplusplus
}
#endif
#endif
