/* Dialect files that build on others: makes the tree of a file with all that its `extends` brings in. */
#ifndef TH_OPTIONS_EXTENDS_H
#define TH_OPTIONS_EXTENDS_H
#include "base/arena.h"
#include "core/dialect.h"

/** Parses the file's text. name: the dialect's name. dir: the directory with files that it may extend; they
 * are looked for before the built-in ones. NULL: only built-in ones, and the text is that of a built-in one.
 * The tree lives in `mem`. why: "FILE:LINE: KEY: what". */
TH_MUST_USE enum th_error th_extends_tree(const char *file, struct th_span name, const char *dir,
                                          struct th_span yaml, struct th_arena *mem, struct th_node **root,
                                          char *why, size_t why_size);
/** Writes a tree as a dialect file. */
void th_extends_write(const struct th_node *root, struct th_buf *out);
#endif
