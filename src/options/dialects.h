/* The set of loaded dialects: those built in, and those of --dialects DIR, which replace by name.
 * options/yaml.h reads YAML into nodes; this file goes from these to the compiler. */
#ifndef TH_OPTIONS_DIALECTS_H
#define TH_OPTIONS_DIALECTS_H
#include "core/dialect.h"

/** Compiles one YAML text, which may extend built-in dialects. file is for messages ("dialects/standard.yaml"). why: "FILE:LINE: KEY: what". */
TH_MUST_USE enum th_error th_dialect_load(const char *file, struct th_span name, struct th_span yaml,
                                          struct th_dialect **out, char *why, size_t why_size);
/** Compiles a file; its base name without ".yaml" is the dialect's name. */
TH_MUST_USE enum th_error th_dialect_load_file(const char *path, struct th_dialect **out, char *why,
                                               size_t why_size);
/** Appends a file's bytes (as far as the buffer may grow). why: "PATH: what". */
TH_MUST_USE enum th_error th_dialect_read_file(const char *path, struct th_buf *text, char *why,
                                               size_t why_size);
/** Appends a dialect file that extends nothing: the text of `yaml`, which stands at `path`, together with all
 * that it extends. */
TH_MUST_USE enum th_error th_dialect_whole_file(const char *path, struct th_span yaml, struct th_buf *out,
                                                char *why, size_t why_size);
/** Does the same for the dialect called `name`: the one in `dir` (which may be NULL), else the built-in one.
 * TH_NOT_FOUND: there is neither. */
TH_MUST_USE enum th_error th_dialect_whole(const char *dir, const char *name, struct th_buf *out, char *why,
                                           size_t why_size);
struct th_dialect_set {
    struct th_dialect **v;
    unsigned count;
    uint8_t print[32]; /* hash of the names and texts of the files: equal hashes mean equal sets */
};
/** Loads all dialects; dir may be NULL. On failure nothing is left allocated. */
TH_MUST_USE enum th_error th_dialects_load(const char *dir, struct th_dialect_set *out, char *why,
                                           size_t why_size);
void th_dialects_free(struct th_dialect_set *set);
#endif
