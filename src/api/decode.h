/* Reads members of JSON objects by a table of fields. Private to api/. */
#ifndef TH_API_DECODE_H
#define TH_API_DECODE_H
#include "api/request.h"

enum th_api_type {
    TH_T_STRING,
    TH_T_BOOL,
    TH_T_INTEGER,
    TH_T_NUMBER,
    TH_T_OBJECT,
    TH_T_STRINGS,
    TH_T_TIME,
    TH_T_ANY
};
struct th_api_field {
    const char *name; /* native */
    enum th_api_type type;
    bool required, nullable;
    uint32_t max;   /* STRING: bytes; STRINGS: elements */
    int64_t lo, hi; /* INTEGER */
};
struct th_api_value {
    bool present, null; /* present: given, null included */
    bool bad;           /* a fault has been noted: the value is not judged further */
    struct th_json json;
    struct th_span text;     /* STRING, unescaped */
    struct th_span *strings; /* STRINGS */
    unsigned count;
    int64_t i; /* INTEGER; TIME: wall ms; BOOL: 0 or 1 */
    double number;
};

/** Reads the members of `object` into values[], one per field; notes every fault with its pointer below
 * `prefix`. With shaped the member names are those of the request's dialect. False only when there is no
 * memory. */
TH_MUST_USE bool th_api_decode(struct th_api_req *r, struct th_json object, struct th_span prefix,
                               const struct th_api_field *fields, unsigned count, bool shaped,
                               struct th_api_value *values);
/** Decodes a string: a span of the body when it has no escapes, otherwise a copy. False: no memory. */
TH_MUST_USE bool th_api_decode_string(struct th_api_req *r, struct th_json v, struct th_span *out);
/** The name of a native field; if the route is shaped, the one in the request's dialect. */
struct th_span th_api_decode_wire(const struct th_api_req *r, struct th_span native);
const char *th_api_decode_type_name(enum th_json_type type);
/** False: the body is there and is more than an empty object, and the request has been answered. */
bool th_api_decode_nothing(struct th_api_req *r);
#endif
