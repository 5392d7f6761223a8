/* Private to src/core/dialect*.c and shape*.c: the memory of a compiled dialect, the plain record that the
 * schema fills from the tree of nodes, and the flat programs made from it. Nothing here changes after
 * th_dialect_compile. */
#ifndef TH_CORE_DIALECT_PARTS_H
#define TH_CORE_DIALECT_PARTS_H
#include "base/arena.h"
#include "core/dialect.h"
#include "core/shape.h"

/* ---- memory: everything of one dialect lives in one arena and goes with it ---- */
#define DL_ARENA_MAX ((size_t)4 << 20)
/** Zeroed bytes; NULL when there is no memory. */
void *dl_alloc(struct th_arena *a, size_t n);
/** A copy with a NUL behind it, its address never NULL; {NULL, 0} when there is no memory. */
struct th_span dl_copy(struct th_arena *a, struct th_span s);

/* ---- where an error is ---- */
struct dl_where {
    struct th_arena *arena;
    struct th_dialect_error *error;
    const struct th_node *root; /* the file */
    enum th_error code;         /* set with the first error; later ones do not replace it */
    char path[96];
    size_t n;
};
/** Appends ".key" or "[i]" to the path; returns the length to give to dl_leave. */
size_t dl_enter(struct dl_where *w, struct th_span key);
size_t dl_enter_index(struct dl_where *w, unsigned i);
void dl_leave(struct dl_where *w, size_t n);
/** Records an error (TH_INVALID) at the path. Always false. */
bool dl_fail(struct dl_where *w, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool dl_fail_nomem(struct dl_where *w);

/* ---- the record ---- */
#define DL_HEADERS 24
#define DL_SIGNATURES 4
#define DL_VARIANTS 4 /* as th_dialect_values has room for, the default one included */
#define DL_TYPES 256
#define DL_RESOURCES 32
#define DL_OPTIONS 16
#define DL_FIELDS 32

struct dl_text { /* s.p NULL: not given */
    struct th_span s;
    unsigned line;
};
/* Enumerations are stored from 1 in the order of their names; 0 is "not given". */
enum dl_algorithm { DL_HMAC_SHA256 = 1, DL_HMAC_SHA1, DL_HMAC_SHA512, DL_ED25519 };
enum dl_key { DL_KEY_UTF8 = 1, DL_KEY_HEX, DL_KEY_BASE64, DL_KEY_WHSEC, DL_KEY_WHSK };
enum dl_stamp { DL_UNIX = 1, DL_UNIX_MILLIS, DL_RFC3339 };
enum dl_encoding { DL_HEX = 1, DL_BASE64 };
enum dl_form { DL_FORM_TEXT = 1, DL_FORM_TOKEN, DL_FORM_HEX, DL_FORM_BASE64, DL_FORM_WHSEC, DL_FORM_WHSK };

enum dl_escape { DL_ESCAPE_NONE = 1, DL_ESCAPE_PERCENT };

struct dl_header {
    struct dl_text name, value, otherwise, when; /* when: name of an endpoint option, "retry" or "unset" */
    unsigned escape;
};
struct dl_sig_parts { /* what a variant may say differently */
    struct dl_text header, content, item, join, wrap;
    unsigned algorithm, key, timestamp, encoding;
};
struct dl_variant {
    struct dl_text name;
    struct dl_sig_parts parts;
    unsigned secret_form;
};
struct dl_sig_spec {
    struct dl_text variant; /* name of the default */
    struct dl_text when;    /* as of a header */
    struct dl_sig_parts parts;
    struct dl_variant variants[DL_VARIANTS - 1];
    unsigned variant_count;
};
struct dl_type {
    struct dl_text type, resource, sample;
};
struct dl_option {
    struct dl_text name;
    bool on;
};
struct dl_pair {
    struct dl_text key, value;
};
struct dl_name {
    struct dl_text name;
};
struct dl_id {
    struct dl_text prefix;
    unsigned form;
};
struct dl_node_ref { /* a shape: compiled from its node, shown from its JSON */
    const struct th_node *node;
    struct th_span json;
};

struct dl_spec {
    struct dl_text about, schema_version;
    struct {
        struct dl_text method, content_type, user_agent;
        unsigned timestamp;
        struct dl_header headers[DL_HEADERS];
        unsigned header_count;
    } request;
    struct {
        unsigned json;
        uint32_t max_bytes;
        struct dl_node_ref envelope;
    } body;
    struct {
        struct dl_text header, value;
    } auth;
    struct dl_sig_spec signatures[DL_SIGNATURES];
    unsigned signature_count;
    struct {
        bool closed;
        struct dl_text characters;
        struct dl_type types[DL_TYPES];
        unsigned type_count;
        struct dl_pair resources[DL_RESOURCES]; /* prefix of the type → resource type */
        unsigned resource_count;
    } catalogue;
    struct dl_id id_event, id_endpoint, id_delivery;
    struct {
        unsigned source, form, readable, signing, order, generated_form;
        uint32_t min, max, active, generated_bytes;
        struct dl_text prefix, overlap;
    } secret;
    struct {
        uint32_t delays[TH_MAX_DELAYS];
        unsigned delay_count;
        uint32_t jitter_percent;
        struct th_status_set final;
        struct {
            struct th_status_set statuses;
            uint32_t max_seconds;
        } after;
    } retry;
    struct th_status_set success;
    struct {
        uint32_t total, connect, min, max;
        bool fractions;
    } timeout;
    struct {
        uint32_t exhausted, seconds;
        struct th_status_set statuses;
        unsigned meanwhile;
    } disable;
    struct {
        struct dl_text event;
        uint32_t degraded_after;
    } exhausted;
    struct {
        unsigned https;
        bool star, prefix, empty_means_all, events_required, consent;
        uint32_t metadata_max;
        struct dl_option options[DL_OPTIONS];
        unsigned option_count;
    } endpoint;
    struct {
        uint32_t validation_status, create_status, test_status, foreign_status, page_size, page_size_max;
        unsigned unknown_fields, paging, rows, faults;
        bool problem_by_accept;
        struct dl_pair fields[DL_FIELDS]; /* wire name → native name */
        unsigned field_count;
        struct dl_name create_fields[DL_FIELDS]; /* wire names; none: all */
        unsigned create_field_count;
        struct dl_node_ref shapes[TH_SHAPE_COUNT];
    } api;
};
/** Fills *spec (zeroed by the caller) from the tree: defaults, types, ranges, unknown and repeated keys. */
bool dl_read(struct dl_where *w, const struct th_node *root, struct dl_spec *spec);
/** Writes every value of *spec as members of the object that is open. */
void dl_show(const struct dl_spec *spec, struct th_jw *w);

/* ---- templates: flat programs ---- */
enum dl_var {
    DL_V_BODY,
    DL_V_SECRET,
    DL_V_TS,
    DL_V_EVENT_ID,
    DL_V_EVENT_TYPE,
    DL_V_EVENT_TIME,
    DL_V_DELIVERY_ID,
    DL_V_ENDPOINT_ID,
    DL_V_ENDPOINT_URL,
    DL_V_SCHEMA_VERSION,
    DL_V_ATTEMPT_NUMBER,
    DL_V_SIG,
    DL_V_ITEMS,
    DL_V_TYPE_OBJECT, /* of the event's type: what stands before its last dot */
    DL_V_TYPE_ACTION, /* and behind it */
    DL_V_RESOURCE_TYPE,
    DL_V_RESOURCE_ID,
    DL_V_TENANT_ID,
    DL_V_RETRY_NUMBER,
    DL_V_COUNT,
    DL_V_ATTRIBUTE =
        DL_V_COUNT /* of the tenant; the op's text is its name. The table of names ends before it */
};
#define DL_BIT(v) (1u << (v))
/* what a request knows when a header value or a signed content is made */
#define DL_VARS_HEADER                                                                                       \
    (DL_BIT(DL_V_SECRET) | DL_BIT(DL_V_TS) | DL_BIT(DL_V_EVENT_ID) | DL_BIT(DL_V_EVENT_TYPE) |               \
     DL_BIT(DL_V_EVENT_TIME) | DL_BIT(DL_V_DELIVERY_ID) | DL_BIT(DL_V_ENDPOINT_ID) |                         \
     DL_BIT(DL_V_ENDPOINT_URL) | DL_BIT(DL_V_SCHEMA_VERSION) | DL_BIT(DL_V_ATTEMPT_NUMBER) |                 \
     DL_BIT(DL_V_TYPE_OBJECT) | DL_BIT(DL_V_TYPE_ACTION) | DL_BIT(DL_V_RESOURCE_TYPE) |                      \
     DL_BIT(DL_V_RESOURCE_ID) | DL_BIT(DL_V_TENANT_ID) | DL_BIT(DL_V_RETRY_NUMBER) | DL_BIT(DL_V_ATTRIBUTE))
/* what an event or a tenant may not have: a header line made of these alone can come out empty */
#define DL_VARS_OPTIONAL                                                                                     \
    (DL_BIT(DL_V_TYPE_ACTION) | DL_BIT(DL_V_RESOURCE_TYPE) | DL_BIT(DL_V_RESOURCE_ID) |                      \
     DL_BIT(DL_V_ATTRIBUTE))

/* LINE and LINE_PERCENT: a field line that is left out when its value is empty; the latter writes what a
 * variable gives in percent-encoding. text: "Name: "; arg: ops of the value; behind them, up to skip, those
 * of what takes its place. */
enum dl_op_kind {
    DL_LITERAL,
    DL_VAR,
    DL_SIGNATURE,
    DL_IF_OPTION,
    DL_IF_RETRY,
    DL_IF_UNSET, /* text: a header's name with ":"; the endpoint has no header of its own of that name */
    DL_HIDDEN,
    DL_LINE,
    DL_LINE_PERCENT
};
struct dl_op {
    uint8_t kind;
    uint8_t arg;   /* VAR: enum dl_var; SIGNATURE: index; IF_OPTION: bit number; LINE: ops of the value */
    uint16_t skip; /* IF_OPTION, IF_RETRY, HIDDEN: ops to leave out; LINE: ops of the line */
    struct th_span text;
};
#define DL_PIECES 24 /* ops of one template */
struct dl_program {
    const struct dl_op *ops;
    unsigned count;
    uint32_t vars; /* DL_BIT of each variable used */
};
/** Compiles a template. allowed: DL_BITs. The schema version becomes a literal. */
bool dl_template(struct dl_where *w, struct dl_text text, uint32_t allowed, struct th_span schema_version,
                 struct dl_program *out);

/* ---- the compiled dialect ---- */
struct dl_sig {
    struct th_span header;
    enum dl_algorithm algorithm;
    enum dl_encoding encoding;
    enum dl_stamp stamp;
    uint8_t slot; /* which decoded key of a struct th_sign_key */
    struct dl_program content, item, wrap;
    struct th_span join;
};
struct dl_slot { /* one way to decode a secret */
    enum dl_algorithm algorithm;
    enum dl_key key;
};
#define DL_SLOTS 4

struct th_dialect {
    struct th_arena arena;
    struct dl_spec spec;
    struct th_dialect_values values;
    struct dl_program head;
    enum dl_stamp stamp;
    struct dl_sig sigs[DL_SIGNATURES][DL_VARIANTS];
    unsigned sig_count;
    struct dl_slot slots[DL_SLOTS];
    unsigned slot_count;
    unsigned variant_secret_form[DL_VARIANTS];
    bool needs_plain; /* a template uses {secret} */
    bool oldest_first;
    struct shape_program envelope; /* count 0: pass-through */
    struct shape_program shapes[TH_SHAPE_COUNT];
    struct th_span owned[DL_HEADERS + DL_SIGNATURES * DL_VARIANTS + 8];
    unsigned owned_count;
};
/** Programs of head and signatures, from the spec. root gives the order of the groups. */
bool dl_compile_head(struct dl_where *w, struct th_dialect *d, const struct th_node *root);
/** What the tables cannot refuse: of the record alone, and when everything else has been compiled. */
bool dl_check_spec(struct dl_where *w, const struct dl_spec *s);
bool dl_check_compiled(struct dl_where *w, const struct th_dialect *d);
#endif
