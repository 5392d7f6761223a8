/* Private to src/core/dialect*.c: the plain record that the schema fills from the tree of nodes, and the programs
 * made from it. Nothing here changes after th_dialect_compile. */
#ifndef TH_CORE_DIALECT_PARTS_H
#define TH_CORE_DIALECT_PARTS_H
#include "core/dialect.h"
#include "lib/message.h"

/* Everything of one dialect lives in one arena and goes with it. */
#define DL_ARENA_MAX ((size_t)4 << 20)

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
enum dl_encoding { DL_HEX = 1, DL_BASE64, DL_HTTP_MESSAGE };
enum dl_form { DL_FORM_TEXT = 1, DL_FORM_TOKEN, DL_FORM_HEX, DL_FORM_BASE64, DL_FORM_WHSEC, DL_FORM_WHSK };

enum dl_escape { DL_ESCAPE_NONE = 1, DL_ESCAPE_PERCENT };

struct dl_header {
    struct dl_text name, value, otherwise, when; /* when: name of an endpoint option, "retry" or "unset" */
    unsigned escape;
};
struct dl_sig_parts { /* what a variant may say differently */
    struct dl_text header, content, item, join, wrap, tag;
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
    struct dl_text nonce;   /* of an HTTP message signature, as its life is */
    uint32_t expires_seconds;
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
        struct dl_text template;
        unsigned format;
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
        struct {
            uint32_t max_delays, max_seconds;
        } own;
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
        struct dl_text sequence, skipped, batch;
        unsigned elements;
    } ordering;
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
bool th_dialect_read_spec(struct th_where *w, const struct th_node *root, struct dl_spec *spec);
/** Writes every value of *spec as members of the object that is open. */
void th_dialect_show_spec(const struct dl_spec *spec, struct th_jw *w);

/* ---- conditions and pieces of a head's program ---- */
enum dl_condition {
    DL_OPTION,     /* and 31 behind it: the endpoint has this option */
    DL_RETRY = 32, /* not the first attempt */
    DL_UNSET,      /* text: a header's name with ":"; the endpoint has no header of its own of that name */
    DL_HIDE,       /* secrets are not shown */
    DL_CREATED     /* of a shape: the object has just been made */
};

/* ---- the compiled dialect ---- */
struct dl_sig {
    struct th_span header;
    enum dl_algorithm algorithm;
    enum dl_encoding encoding;
    uint8_t slot; /* which decoded key of a struct th_sign_key */
    struct th_program content, item, wrap;
    struct th_span join;
    bool message; /* an HTTP message signature: what follows instead of the four above */
    struct th_span covered[TH_MESSAGE_COMPONENTS], tag;
    unsigned covered_count;
    uint32_t expires_s; /* 0: does not expire */
    struct th_program nonce;
};
struct dl_slot { /* one way to decode a secret */
    enum dl_algorithm algorithm;
    enum dl_key key;
};
#define DL_SLOTS 4
#define TH_FORM_TYPE "application/x-www-form-urlencoded"

struct th_dialect {
    struct th_arena arena;
    struct dl_spec spec;
    struct th_dialect_values values;
    struct th_program head;
    enum th_form stamp; /* of {ts} where a signature says nothing else */
    struct dl_sig sigs[DL_SIGNATURES][DL_VARIANTS];
    unsigned sig_count;
    struct dl_slot slots[DL_SLOTS];
    unsigned slot_count;
    unsigned variant_secret_form[DL_VARIANTS];
    bool needs_plain; /* a template uses {secret} */
    bool names_keys;  /* HTTP message signatures say by which key they are */
    bool oldest_first;
    struct th_program envelope;       /* count 0: pass-through */
    const struct th_payload *payload; /* in its place; NULL: none */
    struct th_program shapes[TH_SHAPE_COUNT];
    struct th_span owned[DL_HEADERS + DL_SIGNATURES * DL_VARIANTS + 8];
    unsigned owned_count;
};
/** Programs of head and signatures, from the spec. root gives the order of the groups. */
bool th_dialect_head_compile(struct th_where *w, struct th_dialect *d, const struct th_node *root);
/** Writes the envelope around the data. */
TH_MUST_USE enum th_error th_dialect_envelope(const struct th_dialect *d, const struct th_render *r,
                                              struct th_buf *out);
/** Check what the tables cannot: the first the record alone, the second what has been compiled from it. */
bool th_dialect_check_spec(struct th_where *w, const struct dl_spec *s);
bool th_dialect_check_compiled(struct th_where *w, const struct th_dialect *d);
#endif
