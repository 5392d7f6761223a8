/* The reader of YAML for library and server: it walks a text and keeps no tree. */
#ifndef TH_LIB_YAML_H
#define TH_LIB_YAML_H
#include "lib/span.h"

#define TH_YAML_DEPTH 32
struct th_yaml_frame {
    struct th_span key; /* of the member being read, as it is written; of maps */
    unsigned index;     /* of the element being read, from 0; of lists */
    unsigned line;      /* where the collection begins */
    unsigned item_line; /* of that key, or of the element's dash */
    int indent;         /* column of a block collection */
    char key_quote;     /* as of a scalar */
    bool key_escaped;
    bool list, flow;
};
struct th_yaml {
    struct th_span text;
    size_t at, line_start;
    unsigned line; /* from 1 */
    struct th_yaml_frame frame[TH_YAML_DEPTH];
    unsigned depth;
    /* of the scalar: the line where it begins (or its key, when it is missing); its quote, | or >, or 0 when it is plain;
     * whether it is written in another way than it reads: it has escapes or several lines, which are not decoded */
    unsigned scalar_line;
    char quote;
    bool escaped;
    /* Called for each scalar, and (scalar NULL) at the end of each map and list, which is still the top
     * frame. false: stop, with `fault` set. */
    bool (*on)(struct th_yaml *y, const struct th_span *scalar);
    /* Reads what the receiver's library does not need (there it is NULL): scalars over several lines, keys with escapes, directives.
     * Called with a plain scalar that ends with its line, to add what follows on the next lines, and at a | or >. */
    bool (*lines)(struct th_yaml *y, bool flow, struct th_span *scalar);
    void *ctx;
    const char *fault; /* static; on `line` */
    char odd;          /* what no scalar can begin with, when that is the fault */
};
/** Walks the whole text. False with y->fault and y->line. `lines`: may be NULL. */
bool th_yaml_walk(struct th_yaml *y, struct th_span text,
                  bool (*on)(struct th_yaml *y, const struct th_span *scalar),
                  bool (*lines)(struct th_yaml *y, bool flow, struct th_span *scalar), void *ctx);
#endif
