/* The data directory: made with mode 0700; holds the store's files and, unless given from outside, the secret key. */
#ifndef TH_APP_DATADIR_H
#define TH_APP_DATADIR_H
#include "base/error.h"
#include "engine/engine.h"
#include <stddef.h>
#include <stdint.h>

/** Makes the directory (and its parents) when missing. */
TH_MUST_USE enum th_error th_datadir_make(const char *dir, char *why, size_t why_size);
/** Reads the key that encrypts secrets: from `text` if it is given, else from DIR/secret.key, which is made
 * (mode 0600, synced) if the directory has no database yet. A database without its key is refused, because a
 * new key could not open it. */
TH_MUST_USE enum th_error th_datadir_secret_key(const char *dir, const char *text, struct th_base_key *out,
                                                char *why, size_t why_size);
/** Reads the key from a key file: its one line, without the line end. */
TH_MUST_USE enum th_error th_datadir_read_key(const char *path, struct th_base_key *out, char *why,
                                              size_t why_size);
#endif
