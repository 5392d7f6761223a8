/* A compiled dialect: immutable, counted by its owner. The code in options/ loads the text and hands a
 * generic tree of nodes to th_dialect_compile, which knows every key, its type and its default, and refuses
 * all other keys. No vendor's name stands in C. */
#ifndef TH_CORE_DIALECT_H
#define TH_CORE_DIALECT_H
#include "core/mask.h"
#include "core/program/program.h"
#include "core/rules.h"
#include "lib/crypto.h"

struct th_dialect;
/** Compiles. name: the file's base name. On failure *error is filled and *out untouched. */
TH_MUST_USE enum th_error th_dialect_compile(struct th_span name, const struct th_node *root,
                                             struct th_dialect **out, struct th_compile_error *error);
void th_dialect_free(struct th_dialect *d);
/** Writes every value of the compiled dialect as one JSON object (GET /v1/dialects/{name}). */
void th_dialect_show(const struct th_dialect *d, struct th_jw *w);

/* ---- plain values ---- */
enum th_https { TH_HTTPS_ALWAYS, TH_HTTPS_PRODUCTION, TH_HTTPS_ANY };
enum th_secret_source { TH_SECRET_GENERATED, TH_SECRET_CUSTOMER, TH_SECRET_EITHER };
enum th_secret_read { TH_SECRET_ONCE, TH_SECRET_ALWAYS, TH_SECRET_NEVER };
enum th_id_form { TH_ID_ULID, TH_ID_INTEGER, TH_ID_UUID };

struct th_dialect_values {
    struct th_span name, content_type;
    struct th_span
        receiver; /* whole text of its file, for the receiver's library; n == 0: it is a built-in one */
    struct th_rules rules;
    uint32_t body_max; /* bytes of `data` */
    bool ecmascript;   /* how JSON is written */
    bool form;         /* bodies are sent as forms */
    bool batch_plain;  /* elements of a list of deliveries are their bodies, without id and sequence */
    enum th_https https;
    bool star_allowed;    /* "*" subscribes to everything */
    bool prefix_allowed;  /* "invoice.*" */
    bool empty_means_all; /* an empty list of types */
    bool events_required; /* at least one type must be given at creation */
    bool consent;         /* receivers are asked for consent first, where the installation has a name */
    bool catalogue_closed;
    struct th_span type_characters; /* that types may have beside the usual ones */
    uint32_t metadata_max;          /* pairs */
    enum th_secret_source secret_source;
    enum th_secret_read secret_read;
    uint8_t secrets_max_active;
    bool secrets_all_sign; /* else the oldest active one signs */
    int64_t overlap_s;     /* default life of the old secret after rotation; -1: until revoked */
    struct {
        struct th_span prefix;
        enum th_id_form form;
    } id_event, id_endpoint, id_delivery;
    unsigned validation_status; /* 422 or 400 */
    bool ignore_unknown_fields; /* of management requests */
    /* event type emitted to the tenant when a delivery is exhausted; n == 0: none */
    struct th_span exhausted_event;
    unsigned variant_count;
    struct th_span variants[4]; /* names; [0] is the default */
    /* bits of the endpoint options that are on unless the endpoint says otherwise */
    uint32_t options_default;
    /* the management API */
    unsigned create_status, test_status; /* 201 or 200; 202 or 200 */
    unsigned foreign_status;             /* for another tenant's object: 404 or 403 */
    bool problem_by_accept; /* `Accept: application/problem+json` alone relabels answers with a body */
    bool faults_by_field;   /* entries of a problem's `errors` are {field, message}; else {pointer, detail} */
    enum th_paging {
        TH_PAGING_CURSOR,
        TH_PAGING_PAGE,
        TH_PAGING_LINK
    } paging; /* of an endpoint's deliveries */
    unsigned page_size, page_size_max;
    bool log_attempts; /* rows of that list are attempts; else deliveries */
};
const struct th_dialect_values *th_dialect_values(const struct th_dialect *d);

/** Header names (lower case) that the dialect or the transport owns, for th_guard_header. */
const struct th_span *th_dialect_owned_headers(const struct th_dialect *d, unsigned *count);
/** Catalogue: i-th type, its resource type (may be empty) and a sample of `data` (JSON); false at the end. */
bool th_dialect_type(const struct th_dialect *d, unsigned i, struct th_span *type, struct th_span *resource,
                     struct th_span *sample);
/** True when the type may be published or subscribed to. */
bool th_dialect_type_known(const struct th_dialect *d, struct th_span type);
/** Keeps the whole text of the dialect's file (copied). TH_NOMEM. */
TH_MUST_USE enum th_error th_dialect_receiver_set(struct th_dialect *d, struct th_span text);
/** Whether a text has the form of this dialect's event types; with `pattern` also "*", "a.*" and "*.b". */
bool th_dialect_type_ok(const struct th_dialect *d, struct th_span type, bool pattern);
/** Resource type by catalogue or prefix; empty when the dialect says nothing. */
struct th_span th_dialect_resource(const struct th_dialect *d, struct th_span type);
/** A sample `data` for a type ("{}" when the dialect has none). */
struct th_span th_dialect_sample(const struct th_dialect *d, struct th_span type);

/* ---- secrets ---- */
/** Checks a secret that a customer gives. TH_INVALID with a reason. */
TH_MUST_USE enum th_error th_dialect_secret_check(const struct th_dialect *d, struct th_span secret,
                                                  const char **why);
/** Makes a new one in the dialect's format from 64 random bytes. */
void th_dialect_secret_make(const struct th_dialect *d, const uint8_t random[64], struct th_buf *out);

/** Checks a secret that another system made, in a dialect that otherwise generates them: it may have any form that can be
 * used as a key and, where a header carries it, any that a header can carry. */
TH_MUST_USE enum th_error th_dialect_secret_check_moved(const struct th_dialect *d, struct th_span secret,
                                                        const char **why);
/** The same for an endpoint that chose a variant (index into variants): another algorithm can need another
 * key. */
TH_MUST_USE enum th_error th_dialect_secret_check_for(const struct th_dialect *d, unsigned variant,
                                                      struct th_span secret, const char **why);
void th_dialect_secret_make_for(const struct th_dialect *d, unsigned variant, const uint8_t random[64],
                                struct th_buf *out);
/** Appends the public key that belongs to a secret which signs with Ed25519 in this dialect, for the customer: in the form
 * of the secret ("whpk_..." for "whsk_..."). False: the secret has none. */
bool th_dialect_secret_public(const struct th_dialect *d, struct th_span secret, struct th_buf *out);

/** Adds what may not be shown of a secret: its text, and the forms of the bytes that it stands for in this dialect. */
void th_dialect_secret_needles(const struct th_dialect *d, struct th_span secret, struct th_needles *out);

/** True when one request can be signed in both variants, because they use the same headers and each holds several signatures; or
 * when only the oldest secret signs, so that a request never has both. */
bool th_dialect_variants_mix(const struct th_dialect *d, unsigned a, unsigned b);

/** A secret ready to sign: decoded once, never on the hot path. */
struct th_sign_key {
    struct th_hmac hmac;
    struct th_hmac *more;       /* of dialects that sign in more than one way; NULL otherwise */
    struct th_ed25519 *ed25519; /* NULL: no way to sign needs it */
    uint8_t slots;              /* bits: the dialect's ways to sign that this secret serves */
    uint8_t more_count;
    char *plain; /* bearer: NUL-terminated copy in memory for secrets; NULL otherwise */
    size_t plain_len;
    char *keyid; /* of HTTP message signatures: which key it is, NUL-terminated; NULL otherwise */
};
TH_MUST_USE enum th_error th_dialect_key_init(const struct th_dialect *d, struct th_span secret,
                                              struct th_sign_key *key);
/** Writes the public key of one that signs with Ed25519 as a JSON Web Key (RFC 7517, RFC 8037), named by its thumbprint
 * (RFC 7638), which HTTP message signatures name it by as well. False, and nothing: it has none. */
bool th_dialect_key_jwk(const struct th_sign_key *key, struct th_jw *w);
void th_dialect_key_fini(struct th_sign_key *key); /* wipes */

/* ---- rendering ---- */
struct th_render {
    struct th_span event_id, event_type, resource_type, resource_id;
    struct th_span data; /* valid JSON */
    bool data_written;   /* it is what th_dialect_data made */
    struct th_wall event_time;
    struct th_span tenant_id;
    struct th_span attributes; /* tenant's JSON object, valid; n == 0: {} */
    struct th_span endpoint_id, endpoint_url, delivery_id;
    unsigned attempt;      /* from 1 */
    int64_t at_unix;       /* seconds, signature time of this attempt */
    unsigned variant;      /* index into variants */
    struct th_span method; /* of the request; n == 0: the dialect's */
    bool form;             /* the body is a form: Content-Type says so, whatever the dialect's is */
    uint32_t options;      /* bits of the dialect's endpoint options, as th_dialect_option gives */
    /* active ones, newest first; th_dialect_head takes those that sign */
    const struct th_sign_key *const *keys;
    unsigned key_count;
    struct th_span custom; /* finished lines of the endpoint's own headers, each with CRLF */
    /* of an ordered request: its number, and that of the one that was skipped before it; 0: none */
    uint64_t sequence, skipped;
    uint32_t batch; /* number of deliveries in the request's list; 0: it is no list */
    /* when nobody should want the version of the data any more (wall ms), for a Sunset header; 0: it says none */
    int64_t sunset;
    /* when showing a past attempt: its stored signature values; else n == 0 and they are made */
    struct th_span sigs;
};
/** Name of the first event field that the envelope needs and the event lacks ("resource_id"); NULL: all
 * there. */
const char *th_dialect_missing(const struct th_dialect *d, const struct th_render *r);
/** Appends `data` of an event (valid JSON) as the dialect's bodies hold it: once an event, whatever the number
 * of its deliveries and attempts. False in *exact: th_dialect_warnings has something to say about it. */
TH_MUST_USE enum th_error th_dialect_data(const struct th_dialect *d, struct th_span data, struct th_buf *out,
                                          bool *exact);
/** Appends the request body. True in *shared when it does not depend on endpoint, delivery or attempt. */
TH_MUST_USE enum th_error th_dialect_body(const struct th_dialect *d, const struct th_render *r,
                                          struct th_buf *out, bool *shared);
/** Appends the field lines ("Name: value\r\n"), without Host and Content-Length. sigs (may be NULL): values
 * of the signature headers, one per line, as the store keeps them. hide: auth values become "***" (for
 * showing). */
TH_MUST_USE enum th_error th_dialect_head(const struct th_dialect *d, const struct th_render *r,
                                          struct th_span body, struct th_buf *out, struct th_buf *sigs,
                                          bool hide);
/** JSON pointers of numbers in `data` that the written form cannot keep exactly (ecmascript); calls back for
 * each. */
void th_dialect_warnings(const struct th_dialect *d, struct th_span data,
                         void (*warn)(void *ctx, struct th_span pointer), void *ctx);
/** The file's line for people; may be empty. */
struct th_span th_dialect_about(const struct th_dialect *d);
struct th_span th_dialect_method(const struct th_dialect *d);
/** Bit of an endpoint option by name (e.g. "delivery_header"); 0: no such option. */
uint32_t th_dialect_option(const struct th_dialect *d, struct th_span name);
/** Name of the i-th option; false at the end. Its bit is 1 << i. */
bool th_dialect_option_at(const struct th_dialect *d, unsigned i, struct th_span *name);

/* ---- shapes: JSON objects of the management API ---- */
enum th_shape_id {
    TH_SHAPE_ENDPOINT,
    TH_SHAPE_ENDPOINT_CREATED,
    TH_SHAPE_ENDPOINT_LIST,
    TH_SHAPE_DELIVERY,
    TH_SHAPE_DELIVERY_PAGE,
    TH_SHAPE_ERROR,
    TH_SHAPE_COUNT
};
/** Where the values of a shape come from. field: writes the value of a field (TH_A_*) as JSON into out; false: has no value.
 * index: element of a list (0 outside). */
struct th_shape_source {
    bool (*field)(void *ctx, enum th_field field, unsigned index, struct th_buf *out);
    unsigned (*count)(void *ctx, enum th_field_list list); /* elements of a list */
    void *ctx;
    /** After an element that is not the last: whether the list ends here, with `count` elements in `bytes` of the shape so
     * far. NULL: never. */
    bool (*stop)(void *ctx, unsigned count, size_t bytes);
};
/** False when the dialect has no shape of its own for this: use the native form. */
bool th_dialect_has_shape(const struct th_dialect *d, enum th_shape_id id);
TH_MUST_USE enum th_error th_dialect_shape(const struct th_dialect *d, enum th_shape_id id,
                                           const struct th_shape_source *src, struct th_buf *out);
/** The same in steps, for long lists: `src` and `out` must stay until the end. Begin is for a shape that there is; a step
 * appends about so many bytes, to the end of an element, and says whether it was the last one; failure is in `out`. */
struct th_shape_run {
    const struct th_shape_source *src;
    struct th_program_run run;
    struct th_buf json;
    bool created;
};
void th_dialect_shape_begin(struct th_shape_run *s, const struct th_dialect *d, enum th_shape_id id,
                            const struct th_shape_source *src, struct th_buf *out);
bool th_dialect_shape_step(struct th_shape_run *s, size_t bytes);
void th_dialect_shape_end(struct th_shape_run *s);
/** Native name of a management request's field ("callbackUrl" → "url"); empty: not a field of this dialect, or
 * not one that creating an endpoint takes. */
struct th_span th_dialect_request_field(const struct th_dialect *d, struct th_span wire_name, bool creating);
/** Wire name of a native field ("url" → "callbackUrl"), for errors. */
struct th_span th_dialect_wire_field(const struct th_dialect *d, struct th_span native);
#endif
