/* Strict JSON (RFC 8259) over spans: no tree, no number conversion, bytes unchanged. Reader and writer. Pure.
 */
#ifndef TH_BASE_JSON_H
#define TH_BASE_JSON_H
#include "base/buf.h"

enum th_json_type {
    TH_JSON_NULL,
    TH_JSON_FALSE,
    TH_JSON_TRUE,
    TH_JSON_NUMBER,
    TH_JSON_STRING,
    TH_JSON_ARRAY,
    TH_JSON_OBJECT
};

/** A validated value: its exact bytes in the text it came from (strings with their quotes). */
struct th_json {
    enum th_json_type type;
    struct th_span raw;
};

struct th_json_error {
    size_t offset;         /* bytes from the start */
    unsigned line, column; /* from 1; column counts characters, as editors do */
    const char *what;      /* English, static: "expected ',' or '}'" */
};

#define TH_JSON_DEPTH 64       /* what callers usually allow */
#define TH_JSON_DEPTH_MAX 1024 /* the most that max_depth can ask for */

/** Validates the whole text (UTF-8, no BOM, nothing after the value, nesting up to max_depth, well-formed
 * UTF-16 escapes not required) and returns its root. TH_MALFORMED fills *error (may be NULL). */
TH_MUST_USE enum th_error th_json_parse(struct th_span text, unsigned max_depth, struct th_json *root,
                                        struct th_json_error *error);

/** The root of a text that th_json_parse has accepted before: nothing is checked again. An empty one is null. */
struct th_json th_json_of(struct th_span text);

/** Walks the members of an object (key is a string value) or the elements of an array (key may be NULL). */
struct th_json_iter {
    const char *p, *end;
    bool object;
};
/** `v` must be an array or an object that th_json_parse accepted; any other type iterates nothing. */
void th_json_iter(struct th_json_iter *it, struct th_json v);
bool th_json_next(struct th_json_iter *it, struct th_json *key, struct th_json *value);

/** Compares a string value, escapes resolved, with plain bytes. */
bool th_json_string_eq(struct th_json v, struct th_span s);
/** Appends a string value with its escapes resolved (UTF-8; a lone surrogate becomes U+FFFD). False when not
 * a string. */
bool th_json_string(struct th_json v, struct th_buf *out);
/** Integer without fraction or exponent that fits; else false. */
bool th_json_i64(struct th_json v, int64_t *out);
/** True and false; else false with *out unchanged. */
bool th_json_bool(struct th_json v, bool *out);
/** First member with this name (unescaped comparison); false when absent or no object. */
bool th_json_member(struct th_json object, struct th_span name, struct th_json *out);
/** RFC 6901 JSON Pointer; "" is the value itself. */
bool th_json_pointer(struct th_json root, struct th_span pointer, struct th_json *out);
/** Appends a pointer as people write it: "/events/0" as events[0], "/metadata/a~1b" as metadata.a/b, "/3/type" as
 * [3].type. What is no pointer (a query parameter's name) stays as it is. */
void th_json_pointer_words(struct th_buf *out, struct th_span pointer);

/** True when the bytes are well-formed UTF-8 (RFC 3629). */
bool th_utf8_ok(struct th_span s);
/** `s`, which was cut somewhere, without the beginning of a character at its end. Other bytes that are not UTF-8 stay. */
struct th_span th_utf8_cut(struct th_span s);

/** Writer: compact, commas and colons by itself. Errors stick in the buffer. */
struct th_jw {
    struct th_buf *out;
    bool comma; /* the next value or key needs a comma before it */
};
static inline struct th_jw th_jw(struct th_buf *out)
{
    return (struct th_jw){out, false};
}
void th_jw_object(struct th_jw *w);
void th_jw_end_object(struct th_jw *w);
void th_jw_array(struct th_jw *w);
void th_jw_end_array(struct th_jw *w);
void th_jw_key(struct th_jw *w, struct th_span name);
/** String from UTF-8 bytes; escapes only what RFC 8259 demands (", \, below 0x20) with JSON.stringify's
 * spelling. Bytes that are not UTF-8 become U+FFFD. */
void th_jw_string(struct th_jw *w, struct th_span s);
void th_jw_i64(struct th_jw *w, int64_t v);
void th_jw_u64(struct th_jw *w, uint64_t v);
void th_jw_bool(struct th_jw *w, bool v);
void th_jw_null(struct th_jw *w);
/** Valid JSON bytes as they are. */
void th_jw_raw(struct th_jw *w, struct th_span json);
#endif
