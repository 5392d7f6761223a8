/* YAML text to a tree of nodes: for the configuration, dialect files and what import reads. lib/yaml.c walks the text, so the
 * receiver's library reads dialect files as the server does. Scalars stay text; whoever reads the tree gives
 * them types. Refused: what is not UTF-8, anchors, aliases, tags, several documents, duplicate keys, nesting
 * deeper than 32, more than 4096 keys in one map, text over a maximum. */
#ifndef TH_OPTIONS_YAML_H
#define TH_OPTIONS_YAML_H
#include "base/arena.h"
#include "core/dialect.h"

#define TH_YAML_MAX ((size_t)1 << 20) /* bytes of a file that a person writes */
/** max: bytes of text. The tree lives in `mem`. On failure `why` says "FILE:LINE: what". An empty document gives a map without children. */
TH_MUST_USE enum th_error th_yaml_parse(const char *file, struct th_span text, size_t max,
                                        struct th_arena *mem, struct th_node **root, char *why,
                                        size_t why_size);
#endif
