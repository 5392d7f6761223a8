/* A JSON text as a flat list of its values, in the order of the text: what many queries ask of one document. Pure. */
#ifndef TH_CORE_TAPE_H
#define TH_CORE_TAPE_H
#include "base/json.h"

/** One value. Its descendants are the nodes behind it, up to `next`. */
struct th_tape_node {
    uint32_t at, n;        /* its bytes in the text */
    uint32_t name, name_n; /* of a member: its name with the quotes; else 0, 0 */
    uint32_t next;         /* the first node that is not in it */
    uint32_t children;     /* members or elements */
};

#define TH_TAPE_NONE UINT32_MAX /* no node */
#define TH_TAPE_BYTES                                                                                        \
    (128u << 20) /* the most that a tape takes: 5.5 million values, more than 8 MiB of text can have */

struct th_tape {
    struct th_span text;
    struct th_buf nodes; /* of struct th_tape_node; at least one after th_tape_read */
};

/** Starts empty, without memory. */
void th_tape_init(struct th_tape *t);
void th_tape_fini(struct th_tape *t);
/** Takes over `text`, which th_json_read has accepted and which has to live as long as what is asked of the tape; what was there
 * before is forgotten, its memory stays. One pass, whatever the nesting. TH_NOMEM; TH_TOO_LARGE: more than TH_TAPE_BYTES. */
TH_MUST_USE enum th_error th_tape_read(struct th_tape *t, struct th_span text);

static inline const struct th_tape_node *th_tape_node(const struct th_tape *t, uint32_t i)
{
    return (const struct th_tape_node *)(const void *)t->nodes.p + i;
}
static inline uint32_t th_tape_count(const struct th_tape *t)
{
    return (uint32_t)(t->nodes.n / sizeof(struct th_tape_node));
}
/** The value of a node, with its exact bytes. */
struct th_json th_tape_value(const struct th_tape *t, uint32_t i);
/** The name of a member as a string value; of other nodes it has no bytes. */
struct th_json th_tape_name(const struct th_tape *t, uint32_t i);
/** Appends the JSON pointer (RFC 6901) that leads from the node `root` to the node i, which is in it. */
void th_tape_pointer(const struct th_tape *t, uint32_t root, uint32_t i, struct th_buf *out);
#endif
