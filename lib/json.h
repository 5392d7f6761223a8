/* Strict JSON (RFC 8259) over spans, for library and server: no tree, no number conversion, bytes unchanged. Pure; no
 * memory. */
#ifndef TH_LIB_JSON_H
#define TH_LIB_JSON_H
#include "lib/span.h"

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

#define TH_JSON_DEPTH_MAX 1024 /* the most that max_depth can ask for */

/** Why a text is not JSON. The receiver's library is built without reasons (TH_LIB_SMALL): there both are
 * NULL. */
struct th_json_fault {
    const char *at;   /* the first byte that cannot be right, or the end of the text */
    const char *what; /* English, static: "expected ',' or '}'" */
};

/** Validates the whole text (UTF-8, no byte order mark, nothing after the value, nesting up to max_depth, well-formed
 * UTF-16 escapes not required) and gives its root. False: *fault says why (may be NULL). */
bool th_json_read(struct th_span text, unsigned max_depth, struct th_json *root, struct th_json_fault *fault);

/* ---- json_walk.c: for values that th_json_read accepted. For other bytes the results are nonsense, but nothing beyond their end
 * is read. ---- */

/** The root of a text that was accepted before: nothing is checked again. An empty one is null. */
struct th_json th_json_of(struct th_span text);

/** Walks the members of an object (key is a string value) or the elements of an array (key may be NULL). */
struct th_json_iter {
    const char *p, *end;
    bool object;
};
/** `v`: an array or an object; any other type iterates nothing. */
void th_json_iter(struct th_json_iter *it, struct th_json v);
bool th_json_next(struct th_json_iter *it, struct th_json *key, struct th_json *value);

/** Compares a string value, escapes resolved, with plain bytes. */
bool th_json_string_eq(struct th_json v, struct th_span s);
/** Integer without fraction or exponent that fits; else false. */
bool th_json_i64(struct th_json v, int64_t *out);
/** True and false; else false with *out unchanged. */
bool th_json_bool(struct th_json v, bool *out);
/** First member with this name (unescaped comparison); false when absent or no object. */
bool th_json_member(struct th_json object, struct th_span name, struct th_json *out);
/** RFC 6901 JSON Pointer; "" is the value itself. */
bool th_json_pointer(struct th_json root, struct th_span pointer, struct th_json *out);
#endif
