/* Strict JSON (RFC 8259): additions to the reader of lib/json.h that need buffers or positions, and the
 * writer. Pure. */
#ifndef TH_BASE_JSON_H
#define TH_BASE_JSON_H
#include "base/buf.h"
#include "lib/json.h"

struct th_json_error {
    size_t offset;         /* bytes from the start */
    unsigned line, column; /* from 1; column counts characters, as editors do */
    const char *what;      /* English, static: "expected ',' or '}'" */
};

#define TH_JSON_DEPTH 64 /* what callers usually allow */

/** As th_json_read, but says where the fault is: with TH_MALFORMED, *error is filled (it may be NULL). */
TH_MUST_USE enum th_error th_json_parse(struct th_span text, unsigned max_depth, struct th_json *root,
                                        struct th_json_error *error);

/** Appends a string value with its escapes resolved (UTF-8; a lone surrogate becomes U+FFFD). False when `v` is not
 * a string. */
bool th_json_string(struct th_json v, struct th_buf *out);
/** Appends a pointer as people write it: "/events/0" as events[0], "/metadata/a~1b" as metadata.a/b, "/3/type" as
 * [3].type. Text that is not a pointer (a query parameter's name) stays as it is. */
void th_json_pointer_words(struct th_buf *out, struct th_span pointer);

/** True when the bytes are well-formed UTF-8 (RFC 3629). */
bool th_utf8_ok(struct th_span s);
/** Returns `s`, which was cut somewhere, without the incomplete character at its end. Other bytes that are
 * not UTF-8 stay. */
struct th_span th_utf8_cut(struct th_span s);

/** A writer of compact JSON, which adds commas and colons by itself. Errors stick in the buffer. */
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
