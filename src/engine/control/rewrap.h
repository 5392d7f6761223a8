/* Encrypts everything anew with a new secret key. */
#ifndef TH_ENGINE_CONTROL_REWRAP_H
#define TH_ENGINE_CONTROL_REWRAP_H
#include "engine/engine.h"

#define TH_META_OLD_PROOF                                                                                    \
    "key_proof_old" /* meta row, there while anything may be encrypted by another key than the first proof's */

/** Has everything encrypted anew that old keys encrypted; then the old keys leave memory. */
TH_MUST_USE enum th_error th_rewrap_begin(struct th_engine *e, const char *why);
struct th_mono th_rewrap_wanted(const struct th_engine *e);
void th_rewrap_step(struct th_engine *e);
void th_rewrap_free(struct th_engine *e);
#endif
