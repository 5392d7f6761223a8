/* The tree that compilers read: of a YAML file (options/yaml.h) or of JSON. */
#ifndef TH_CORE_PROGRAM_NODE_H
#define TH_CORE_PROGRAM_NODE_H
#include "base/arena.h"
#include "base/json.h"

enum th_node_kind { TH_NODE_SCALAR, TH_NODE_LIST, TH_NODE_MAP };
struct th_node { /* children of a MAP carry `key`; memory belongs to whoever made the tree */
    enum th_node_kind kind;
    struct th_span key, text; /* text: scalar's bytes */
    bool quoted;              /* scalar was quoted: always a string */
    unsigned line;            /* from 1 */
    struct th_node *first, *next;
};

#define TH_NODE_DEPTH 32
/** A tree of a JSON value that th_json_read accepted, in `mem`; its lines count from 1. TH_TOO_LARGE: nested deeper than
 * TH_NODE_DEPTH, TH_NOMEM. Names that are there twice stay both. */
TH_MUST_USE enum th_error th_node_of_json(struct th_json v, struct th_arena *mem, struct th_node **out);
/** Writes a tree as JSON. A scalar without quotes that is a JSON value is itself, an empty one null, the rest is a string;
 * with `texts` only true and false are themselves. False: nested deeper than TH_NODE_DEPTH. */
bool th_node_write(const struct th_node *node, bool texts, struct th_jw *w);
#endif
