/* tenterhook dialect: looks at dialect files and tests them, without a server. */
#ifndef TH_APP_CMD_DIALECT_H
#define TH_APP_CMD_DIALECT_H
#include "app/dialects.h"
#include "base/json.h"

/** One verb each; argv: what follows it. Options: --json, --dialects DIR. Exit status: 0; 1 when the answer
 * is no (a bad file, a failed vector, a difference); 64 wrong usage. */
int th_dialect_list_command(int argc, char **argv);
int th_dialect_show_command(int argc, char **argv);
int th_dialect_check_command(int argc, char **argv);
int th_dialect_vectors_command(int argc, char **argv);
int th_dialect_diff_command(int argc, char **argv);

/** Runs the cases of a vectors file (JSON text) against the loaded dialects. `out` gets lines for people, or
 * with `json` one object. Counts passed and failed cases. False when the file is not one of vectors, or names
 * no loaded dialect: *why. */
bool th_dialect_vectors(const struct th_dialect_set *set, const char *file, struct th_span text, bool json,
                        struct th_buf *out, unsigned *passed, unsigned *failed, char *why, size_t why_size);
#endif
