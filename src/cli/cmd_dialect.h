/* Vectors of dialects, for `tenterhook dialect vectors`. */
#ifndef TH_CLI_CMD_DIALECT_H
#define TH_CLI_CMD_DIALECT_H
#include "base/json.h"
#include "options/dialects.h"

/** Runs the cases of a vectors file (JSON text) against the loaded dialects. `out` gets lines for people, or
 * with `json` one object. Counts passed and failed cases. False when the file is not one of vectors, or names
 * no loaded dialect: *why. */
bool th_dialect_vectors(const struct th_dialect_set *set, const char *file, struct th_span text, bool json,
                        struct th_buf *out, unsigned *passed, unsigned *failed, char *why, size_t why_size);
#endif
