/* YAML text to a tree of nodes: for the configuration and for dialect files. The only owner of libyaml. Scalars stay
 * text; types are given by who reads the tree. Refused: anchors, aliases, tags, several documents, duplicate keys,
 * nesting deeper than 32, text over 1 MiB. */
#ifndef TH_APP_YAML_H
#define TH_APP_YAML_H
#include "base/arena.h"
#include "core/dialect.h"

/** The tree lives in `mem`. On failure `why` says "FILE:LINE: what". An empty document gives a map without children. */
TH_MUST_USE enum th_error th_yaml_parse(const char *file, struct th_span text, struct th_arena *mem,
                                        struct th_node **root, char *why, size_t why_size);
#endif
