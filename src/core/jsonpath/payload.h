/* Templates of request bodies: a JSON document in which objects such as {"$": "$.data.order_id"} stand for what a query finds in the
 * event. Compiled once; rendering is total (there is always a result, or it is too large), and bounded by steps and bytes. Pure. */
#ifndef TH_CORE_PAYLOAD_H
#define TH_CORE_PAYLOAD_H
#include "core/jsonpath/jsonpath.h"

#define TH_PAYLOAD_BYTES 8192     /* the longest text of a template */
#define TH_PAYLOAD_NODES 256      /* members, elements and functions that are not plain JSON */
#define TH_PAYLOAD_DEPTH 16       /* of objects and arrays */
#define TH_PAYLOAD_COMPILED 32768 /* bytes of a compiled template */

/** A compiled template; one piece of memory that may be copied (th_payload_size) and shared by threads. */
struct th_payload;

struct th_payload_fault {
    char pointer[160]; /* JSON pointer into the template; "" is all of it */
    char what[224];
};

/** Compiles a value that th_json_parse accepted; *out is in `mem`. TH_MALFORMED: *fault (may be NULL) says where and why. TH_NOMEM. */
TH_MUST_USE enum th_error th_payload_compile(struct th_json root, struct th_arena *mem,
                                             const struct th_payload **out, struct th_payload_fault *fault);
/** Appends the value without white space between its parts; texts and numbers stay as they are. */
void th_payload_squeeze(struct th_json v, struct th_buf *out);
size_t th_payload_size(const struct th_payload *p);
/** A copy in `mem`; NULL without memory. */
const struct th_payload *th_payload_copy(const struct th_payload *p, struct th_arena *mem);
/** Appends the document for the event, which is a node of the tape. TH_TOO_LARGE: more than `max` bytes, or than
 * TH_JSONPATH_STEPS steps. TH_NOMEM. The same event gives the same bytes; numbers have those that were published. */
TH_MUST_USE enum th_error th_payload_render(const struct th_payload *p, const struct th_tape *tape,
                                            uint32_t event, size_t max, struct th_buf *out);
#endif
