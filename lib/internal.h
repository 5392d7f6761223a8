/* What the files of libtenterhook share. Nothing here leaves the library: its names begin with th_lib_ and
 * are hidden by the build. Beside this the library calls lib/crypto.h, the C library's string functions and
 * explicit_bzero. */
#ifndef TH_LIB_INTERNAL_H
#define TH_LIB_INTERNAL_H
#include "lib/codec.h"
#include "lib/crypto.h"
#include "lib/json.h"
#include "lib/yaml.h"

/* ---- parts.c ---- */

/** Where `what` (not empty) first or last begins in s; SIZE_MAX: nowhere. */
size_t th_lib_find(struct th_span s, struct th_span what);
size_t th_lib_find_last(struct th_span s, struct th_span what);
/** Takes the part before the next `sep` (all of it when sep is empty) off *rest. False at the end. *more says
 * whether another part follows, which may be empty. */
bool th_lib_split(struct th_span *rest, struct th_span sep, struct th_span *part, bool *more);

/** The place of a text in a list of names, from 1; 0: it is none of them. The names are one literal with a NUL behind
 * each, and not an array of pointers, because each pointer would cost a relocation at every start of a program. */
unsigned th_lib_choose(struct th_span text, const char *names);

/* ---- codec.c ---- */

/** Writes in lower-case hex or padded base64; returns the length: 2 n, or 4 for each begun 3 bytes. */
size_t th_lib_encode(enum tenterhook_encoding as, const uint8_t *p, size_t n, char *out);
/** Decimal without sign, leading zeros or space, at most 15 digits. */
bool th_lib_decimal(struct th_span text, int64_t *value);
#define TH_LIB_LAST_SECOND (TH_RFC3339_LAST / 1000)
/** RFC 3339 to unix seconds, a fraction cut off. 1970 to 9999. */
bool th_lib_rfc3339(struct th_span text, int64_t *seconds);
/** Text of a stamp into out[32]; returns its length, 0 when the time cannot be written. */
size_t th_lib_stamp(enum tenterhook_stamp as, int64_t seconds, char out[32]);

/* ---- member.c ---- */

#define TH_LIB_JSON_DEPTH 256
/** th_json_read with the library's depth. */
bool th_lib_json(struct th_span text, struct th_json *value);
/** The last member of this name, as JSON.parse has it; false when there is none, or no object. */
bool th_lib_member(struct th_json object, struct th_span name, struct th_json *out);

/* ---- template.c ---- */

/** The variables of lib/fields.def that a receiver knows. */
enum th_lib_var {
    TH_LIB_TEXT, /* a literal */
#define TH_FIELD_SHARED(id, ...) TH_LIB_##id,
#define TH_FIELD_SERVER(...)
#define TH_FIELD_PREFIX(...)
#define TH_FIELD_API(...)
#include "lib/fields.def"
    TH_LIB_VARS
};
#define TH_LIB_BIT(v) (1u << (v))
#define TH_LIB_PIECES 12
struct th_lib_template {
    struct {
        enum th_lib_var var;
        struct th_span text; /* of a literal */
    } piece[TH_LIB_PIECES];
    unsigned count;
    uint32_t vars; /* bits */
};
/** Compiles; "{{" and "}}" are single braces. False: unknown variable, one that `allowed` has not, or too
 * many pieces. */
bool th_lib_template(struct th_span text, uint32_t allowed, struct th_lib_template *out);
/** The variable of this name; TH_LIB_TEXT: none. */
enum th_lib_var th_lib_var(struct th_span name);
/** The variable of a text that is exactly one "{variable}"; TH_LIB_TEXT otherwise. */
enum th_lib_var th_lib_variable(struct th_span text);
/** Matches the whole text; value[var] gets what stands for each variable. Literals must be there byte for
 * byte; a variable ends where the next literal begins ({items}: where it begins for the last time). */
bool th_lib_match(const struct th_lib_template *t, struct th_span text, struct th_span value[TH_LIB_VARS]);

/* ---- the inside of struct tenterhook_verifier ---- */

#define TH_LIB_KEYS TENTERHOOK_KEYS_MAX
struct th_lib_key {
    enum tenterhook_algorithm algorithm; /* 0 in a key of the auth header alone */
    enum tenterhook_key kind;
    unsigned secret; /* number of its secret */
    union {
        struct th_hmac hmac;
        uint8_t public_key[32];
    } u;
};
struct th_lib_form { /* one struct tenterhook_signature, compiled */
    struct th_span header, join;
    struct th_span tag; /* of an HTTP message signature, whose components are the pieces of `content` */
    enum tenterhook_algorithm algorithm;
    enum tenterhook_key kind;
    enum tenterhook_encoding encoding;
    enum tenterhook_stamp stamp;
    struct th_lib_template content, item;
    struct th_lib_template wrap;       /* when not `list` */
    struct th_lib_template stamp_item; /* when `list`: the element with {ts}; count 0: none */
    bool list; /* wrap is itself a list by `join`, whose elements may come in any order */
};
struct th_lib_verifier {
    uint64_t magic;
    int64_t back_s, ahead_s;
    unsigned form_count, key_count, source_count, secret_count;
    struct th_span auth_header, schema_version, catalogue;
    struct th_lib_template auth;
    uint8_t digest[TH_LIB_KEYS][32]; /* SHA-256 of each secret, when there is an auth header */
    struct th_lib_form form[TENTERHOOK_SIGNATURES_MAX];
    struct th_lib_key key[TH_LIB_KEYS];
    struct {
        struct th_span header;
        enum th_lib_var var;
    } source[TENTERHOOK_SOURCES_MAX];
    enum tenterhook_stamp time_form;
    struct tenterhook_path id, type, time, resource_type, resource_id, endpoint_id, delivery_id, data;
};
#define TH_LIB_MAGIC UINT64_C(0x7468766572696679)

static inline const struct th_lib_verifier *th_lib_verifier(const struct tenterhook_verifier *v)
{
    return (const struct th_lib_verifier *)v->opaque;
}
/** Decodes a secret for a form; cap of key is TH_LIB_KEY_MAX, but UTF-8 secrets of any length are given as
 * they are. *p points to the key, in the secret or in buf. False: does not fit. */
#define TH_LIB_KEY_MAX 512
bool th_lib_secret(enum tenterhook_key kind, struct th_span secret, uint8_t buf[TH_LIB_KEY_MAX],
                   const uint8_t **p, size_t *n);
/** Compiles one signature; NULL, or what is wrong. */
const char *th_lib_form(const struct tenterhook_signature *s, struct th_lib_form *out);
/** Verifies a request of a form with TENTERHOOK_HTTP_MESSAGE, and fills the report. */
enum tenterhook_result th_lib_message(const struct th_lib_verifier *v, const struct th_lib_form *f,
                                      const struct tenterhook_request *request, int64_t now,
                                      struct tenterhook_report *report);
enum th_mac th_lib_mac(enum tenterhook_algorithm algorithm);
/** The value of a header. TENTERHOOK_OK, _MISSING_HEADER, or _MALFORMED when the array has it twice. */
enum tenterhook_result th_lib_header(const struct tenterhook_request *request, struct th_span name,
                                     struct th_span *value);
/** Notes in the report which header is at fault, and why; gives `result` back. The texts are not copied. */
enum tenterhook_result th_lib_say(struct tenterhook_report *r, enum tenterhook_result result,
                                  struct th_span header, const char *detail);
/** As th_lib_header, and says why there is none. */
enum tenterhook_result th_lib_need(struct tenterhook_report *r, const struct tenterhook_request *request,
                                   struct th_span name, struct th_span *value);
/** Judges r->signed_at by the verifier's window, and fills r->age_s. early: what to say of a time in the future. */
enum tenterhook_result th_lib_age(struct tenterhook_report *r, const struct th_lib_verifier *v, int64_t now,
                                  struct th_span header, const char *early);
/** Resource type of an event type by the catalogue; empty when it says nothing. */
struct th_span th_lib_resource(struct th_span catalogue, struct th_span type);

/* Generated from dialects/ by the build: one text, and where each dialect's stands in it; ends with an empty
 * name. Offsets and not pointers: each pointer would cost a relocation at every start of a program. */
struct th_lib_dialect {
    char name[24];
    uint32_t at, n;
};
extern const struct th_lib_dialect th_lib_dialects[];
extern const unsigned char th_lib_dialect_text[];
#endif
